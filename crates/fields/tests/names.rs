//! Names, identifiers and types as documents write them.

use obelus_fields::{Fields, GENERIC, Name, ObjectType, PackFile, Place, Profile, Verdict};
use std::collections::BTreeSet;

fn fields() -> Fields {
    let pack = PackFile::parse(GENERIC, "generic.toml").expect("the rules are sound");
    Fields::compile(&[pack], Profile::Strict).expect("the rules fit")
}

/// Every name that stands in a list of the rule file, prefixes left aside.
fn listed() -> BTreeSet<&'static str> {
    let in_quotes = GENERIC.lines().filter(|line| !line.starts_with('#') && !line.contains('{'));
    let words = in_quotes.flat_map(|line| line.split('"').skip(1).step_by(2));
    let rules = GENERIC.lines().filter(|line| line.starts_with("id =") || line.starts_with("class ="));
    let ids: BTreeSet<&str> = rules.filter_map(|line| line.split('"').nth(1)).collect();
    words.filter(|word| word.contains('_') && !ids.contains(word)).collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[test]
fn every_listed_name_is_found_in_every_spelling() {
    let fields = fields();
    let listed = listed();
    assert!(listed.len() > 300, "{}", listed.len());
    for name in listed.into_iter().filter(|name| *name != "reply_to") {
        let known = fields.name(name.as_bytes());
        assert!(!known.is_none(), "{name}");
        let pascal: String = name.split('_').map(capitalised).collect();
        let camel =
            name.split('_').take(1).map(str::to_owned).chain(name.split('_').skip(1).map(capitalised));
        for spelling in [
            name.to_uppercase(),
            name.replace('_', "-"),
            name.replace('_', " "),
            name.replace('_', ""),
            camel.collect(),
            pascal,
        ] {
            assert_eq!(fields.name(spelling.as_bytes()), known, "{spelling}");
        }
    }
}

#[test]
fn other_names_are_unknown() {
    let fields = fields();
    for name in ["", "_", "firstnam", "first_names", "xfirst_name", "first__name", "first_nаme", "e", "\u{0}"]
    {
        assert_eq!(fields.name(name.as_bytes()), Name::NONE, "{name}");
    }
    // Words of random letters, from a fixed seed.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..200_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let len = 8 + usize::try_from(state % 20).unwrap();
        let name: Vec<u8> =
            (0..len).map(|at| b'a' + u8::try_from((state >> (at % 8 * 8)) % 26).unwrap()).collect();
        assert_eq!(fields.name(&name), Name::NONE);
    }
}

#[test]
fn names_of_containers_are_also_known_by_their_ends() {
    let fields = fields();
    let exact = fields.container(b"address", fields.name(b"address"));
    for name in ["provider_address", "ProviderAddress", "PROVIDER-ADDRESS"] {
        let name = fields.container(name.as_bytes(), fields.name(name.as_bytes()));
        assert_ne!(name.mask() & exact.mask(), 0);
    }
    assert!(fields.container(b"addressee", fields.name(b"addressee")).is_none());
    let place = Place {
        parent: fields.container(b"site_address", Name::NONE).mask(),
        closed: true,
        ..Place::default()
    };
    assert!(matches!(fields.verdict(fields.name(b"city"), &place), Verdict::Redact(_)));
}

#[test]
fn the_members_that_tell_types_are_known() {
    let fields = fields();
    assert!(fields.is_type_name(fields.name(b"object")) && fields.is_id_name(fields.name(b"id")));
    assert!(!fields.is_type_name(Name::NONE) && !fields.is_id_name(fields.name(b"object")));
    assert_eq!(fields.object_type(b"anything"), ObjectType::FOREIGN);
    assert_eq!(fields.type_of_id(b"cus_Abcdefgh123456"), None);
}
