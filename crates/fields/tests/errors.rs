//! What a faulty rule file is refused with: the file, the entry, the reason.

use obelus_detect::{Category, Level};
use obelus_fields::{Fields, PackError, PackFile, Profile, Transform};

const SOUND: &str = r#"
    [pack]
    name = "own"
    version = "1"
    description = "d"
    source = "s"
    [[class]]
    id = "note"
    category = "other-personal"
    balanced = "redact"
    strict = "redact"
    description = "d"
    [[names]]
    class = "note"
    names = ["note"]
    [[object]]
    type = "thing"
    ids = ["th_"]
    [[id]]
    prefix = "th_"
    lengths = [14]
"#;

fn refused(text: &str) -> PackError {
    PackFile::parse(text, "own.toml").expect_err(text)
}

/// The sound file with `more` behind it must be refused.
fn refused_with(more: &str, entry: &str, reason: &str) {
    let error = refused(&format!("{SOUND}{more}"));
    assert_eq!((error.file(), error.entry()), ("own.toml", entry), "{error}");
    assert!(error.reason().contains(reason), "{error}");
    assert!(error.to_string().starts_with(&format!("own.toml: {entry}: ")), "{error}");
}

/// The sound file with `new` for `old` must be refused.
fn refused_without(old: &str, new: &str, entry: &str, reason: &str) {
    assert!(SOUND.contains(old));
    let error = refused(&SOUND.replace(old, new));
    assert_eq!(error.entry(), entry, "{error}");
    assert!(error.reason().contains(reason), "{error}");
}

#[test]
fn a_sound_file_is_taken() {
    let pack = PackFile::parse(SOUND, "own.toml").unwrap();
    assert_eq!((pack.name(), pack.version()), ("own", "1"));
    assert!(Fields::compile(&[pack], Profile::Balanced).is_ok());
}

#[test]
fn faults_of_the_whole_file_are_told() {
    for (text, reason) in [
        ("[pack", "expected"),
        ("", "no table `pack`"),
        (&format!("{SOUND}\n[[klass]]\nid = \"x\""), "unknown table `klass`"),
        (&SOUND.replace("[[names]]", "[names]"), "must be `[[names]]`"),
    ] {
        let error = refused(text);
        assert_eq!((error.file(), error.entry()), ("own.toml", ""), "{error}");
        assert!(error.reason().contains(reason), "{error}");
    }
}

#[test]
fn faults_of_the_header_and_of_classes_are_told() {
    refused_without("name = \"own\"", "name = \"Own\"", "pack", "kebab-case");
    refused_without("version = \"1\"", "", "pack", "missing field `version`");
    refused_without("\"other-personal\"", "\"odd\"", "class \"note\"", "`odd`");
    refused_without(
        "balanced = \"redact\"",
        "balanced = \"drop\"",
        "class \"note\"",
        "unknown variant `drop`",
    );
    refused_without("strict = \"redact\"", "", "class \"note\"", "missing field `strict`");
    refused_without(
        "strict = \"redact\"",
        "strict = \"redact\"\nstrickt = 1",
        "class \"note\"",
        "unknown field `strickt`",
    );
    refused_without("id = \"note\"", "id = \"No te\"", "class \"No te\"", "kebab-case");
    let again = "[[class]]\nid = \"note\"\ncategory = \"email\"\nbalanced = \"scan\"\nstrict = \"scan\"\ndescription = \"\"";
    refused_with(again, "class \"note\"", "duplicate class");
}

#[test]
fn faults_of_names_are_told() {
    let entry = "names of \"note\"";
    refused_without("names = [\"note\"]", "names = []", entry, "no names");
    refused_without("names = [\"note\"]", "names = [\"\"]", entry, "1 to 200 bytes");
    refused_without("names = [\"note\"]", "names = [\"myNote\"]", entry, "snake_case");
    refused_without("names = [\"note\"]", "names = \"note\"", entry, "invalid type");
    refused_without(
        "names = [\"note\"]",
        "names = [\"note\"]\nscope = \"other\"",
        entry,
        "unknown scope \"other\"",
    );
    refused_with("[[names]]\nclass = \"nothing\"\nnames = [\"x\"]", "names of \"nothing\"", "unknown class");
    let other = "[[class]]\nid = \"other\"\ncategory = \"email\"\nbalanced = \"scan\"\nstrict = \"scan\"\ndescription = \"\"\n\
        [[names]]\nclass = \"other\"\nnames = [\"note\"]";
    refused_with(other, "names of \"other\"", "already in class \"note\"");
}

#[test]
fn faults_of_rules_are_told() {
    let rule = |settings: &str| format!("[[rule]]\nid = \"r\"\nnames = [\"x\"]\n{settings}");
    let entry = "rule \"r\"";
    refused_with(&rule(""), entry, "either `class` or `leave = true`");
    refused_with(&rule("class = \"note\"\nleave = true"), entry, "either `class` or `leave = true`");
    refused_with(&rule("class = \"nothing\""), entry, "unknown class");
    refused_with(&rule("leave = true\nobjects = [\"nothing\"]"), entry, "unknown object type `nothing`");
    refused_with(&rule("leave = true\nnearest = [\"nothing\"]"), entry, "unknown object type `nothing`");
    refused_with(&rule("leave = true\nbeside = [\"x\"]"), entry, "beside itself");
    refused_with(&rule("leave = true\nparents = [\"A\"]"), entry, "snake_case");
    refused_with(&rule("leave = true\nparrents = [\"a\"]"), entry, "unknown field `parrents`");
    refused_with(&format!("{}\n{}", rule("leave = true"), rule("leave = true")), entry, "duplicate rule");
    refused_with("[[rule]]\nid = \"r\"\nleave = true\nnames = []", entry, "no names");
    refused_with("[[rule]]\nnames = [\"x\"]\nleave = true", "rule number 1", "missing field `id`");
}

#[test]
fn faults_of_subtrees_objects_and_ids_are_told() {
    refused_with("[[subtree]]\nname = \"s\"", "subtree \"s\"", "one of `class`");
    refused_with("[[subtree]]\nname = \"s\"\nclass = \"nothing\"", "subtree \"s\"", "unknown class");
    let twice = "[[subtree]]\nname = \"s\"\nlike = \"object\"\n".repeat(2);
    refused_with(&twice, "subtree \"s\"", "duplicate");
    refused_with("[[object]]\ntype = \"thing\"", "object \"thing\"", "duplicate");
    refused_with("[[object]]\ntype = \"other\"\nids = [\"th_\"]", "object \"other\"", "`th_`");
    refused_with("[[id]]\nprefix = \"th_\"\nmin = 3", "id \"th_\"", "duplicate");
    refused_with("[[id]]\nprefix = \"th\"\nmin = 3", "id \"th\"", "must end with `_`");
    refused_with("[[id]]\nprefix = \"ti_\"", "id \"ti_\"", "`lengths` or `min`");
}

#[test]
fn faults_of_transforms_are_told() {
    let transform = |more: &str| format!("[[transform]]\ncategory = \"email\"\n{more}\n");
    let entry = "transform \"email\"";
    refused_with(&transform(""), entry, "missing field `transform`");
    refused_with(&transform("transform = \"token\""), entry, "unknown variant `token`");
    refused_with(&transform("transform = \"mask\"\nlevel = \"sure\""), entry, "unknown variant `sure`");
    refused_with(&transform("transform = \"mask\"\nkey = \"x\""), entry, "unknown field `key`");
    refused_with(&transform("transform = \"mask\"").repeat(2), entry, "duplicate transform");
    let unknown = "[[transform]]\ncategory = \"mail\"\ntransform = \"mask\"";
    refused_with(unknown, "transform \"mail\"", "unknown category");
}

#[test]
fn transforms_are_told_in_their_order() {
    let text = format!(
        "{SOUND}[[transform]]\ncategory = \"us-ssn\"\ntransform = \"generalise\"\nlevel = \"possible\"\n\
         [[transform]]\ncategory = \"email\"\ntransform = \"hash\"\n"
    );
    let told: Vec<_> = PackFile::parse(&text, "own.toml")
        .unwrap()
        .treatments()
        .map(|said| (said.category, said.transform, said.level))
        .collect();
    assert_eq!(
        told,
        [
            (Category::UsSsn, Transform::Generalise, Some(Level::Possible)),
            (Category::Email, Transform::Hash, None)
        ]
    );
}

#[test]
fn packs_of_one_name_must_not_share_classes() {
    let pack = PackFile::parse(SOUND, "own.toml").unwrap();
    let error = Fields::compile(&[pack.clone(), pack], Profile::Strict).unwrap_err();
    assert_eq!(error.entry(), "class \"note\"");
}

#[test]
fn too_many_conditions_are_refused() {
    let rules = (0..80)
        .map(|n| format!("[[rule]]\nid = \"r{n}\"\nnames = [\"x\"]\nleave = true\nparents = [\"p{n}\"]\n"));
    let pack = PackFile::parse(&format!("{SOUND}{}", rules.collect::<String>()), "own.toml").unwrap();
    let error = Fields::compile(&[pack], Profile::Strict).unwrap_err();
    assert_eq!(error.entry(), "rule \"r60\"");
    assert!(error.reason().contains("too many"), "{error}");
}
