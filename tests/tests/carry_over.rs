#![forbid(unsafe_code)]
//! A value that a document shows under a sensitive name stands nowhere else in what comes out.

use obelus::{Arch, CarryOver, Redactor};
use obelus_tests::run;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write;
use std::sync::LazyLock;

/// Values, each under a name that makes it sensitive, and how they are written; the first are persons' names.
const VALUES: [(&str, &str, &[&str]); 6] = [
    ("last_name", "Zoqwer", &["Zoqwer", "zoqwer", "ZOQWER", "Z\u{f3}qwer", "Zo\u{301}qwer"]),
    ("full_name", "Jos\u{e9} Tarimov", &["jose tarimov", "JOSE\u{301} TARIMOV", "Jos\u{e9} Tarimov"]),
    (
        "account_number",
        "000777123",
        &["000777123", "\u{ff10}\u{ff10}\u{ff10}\u{ff17}\u{ff17}\u{ff17}\u{ff11}\u{ff12}\u{ff13}"],
    ),
    ("account_number", "0004-44-123", &["0004-44-123", "0004\u{2011}44\u{2011}123"]),
    ("line1", "12 Obelushof", &["12 obelushof", "12 OBELUSHOF"]),
    ("passport_number", "XQ7771234", &["xq7771234", "XQ7771234"]),
];

/// How many of the values are persons' names.
const NAMES: usize = 2;

/// A number that an account is.
const NUMBER: &str = "777123456";

const BEFORE: [&str; 6] = ["", "for ", "a note: ", "(", "caf\u{e9} ", "line\n"];
const BEHIND: [&str; 5] = ["", ", thanks", ".", "\u{2019}s", " caf\u{e9}"];

/// One member of a document.
#[derive(Clone, Debug)]
enum Member {
    Show {
        value: usize,
        form: usize,
    },
    /// A customer whose name comes before what tells that it is one, with so many bytes between.
    Customer {
        value: usize,
        filling: usize,
    },
    /// The number, under a telling name or another.
    Number(bool),
    /// A text with a value, after so many bytes of filling.
    Text {
        value: usize,
        form: usize,
        before: usize,
        behind: usize,
        filling: usize,
    },
    /// The members in a string.
    Nested(Vec<Member>),
    Object(Vec<Member>),
}

fn member() -> impl Strategy<Value = Member> {
    let text = (
        0..VALUES.len(),
        0..4usize,
        0..BEFORE.len(),
        0..BEHIND.len(),
        prop_oneof![4 => 0..40usize, 1 => 900..2000usize],
    );
    let leaf = prop_oneof![
        (0..VALUES.len(), 0..5usize).prop_map(|(value, form)| Member::Show { value, form }),
        (0..NAMES, prop_oneof![4 => 0..100usize, 1 => 15_000..18_000usize])
            .prop_map(|(value, filling)| Member::Customer { value, filling }),
        any::<bool>().prop_map(Member::Number),
        text.prop_map(|(value, form, before, behind, filling)| Member::Text {
            value,
            form,
            before,
            behind,
            filling
        }),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Member::Nested),
            vec(inner, 1..4).prop_map(Member::Object)
        ]
    })
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}

fn write(members: &[Member], out: &mut String) {
    out.push('{');
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match member {
            Member::Show { value, form } => {
                let (name, _, forms) = VALUES[*value];
                write!(out, "\"{name}\":{}", quoted(forms[form % forms.len()])).expect("a string takes all");
            }
            Member::Customer { value, filling } => {
                let (name, filling) = (VALUES[*value].1, "lorem ipsum ".repeat(filling / 12));
                write!(out, "\"c\":{{\"name\":{},\"x\":\"{filling}{name}\",", quoted(name))
                    .expect("a string takes all");
                out.push_str("\"object\":\"customer\"}");
            }
            Member::Number(tells) => {
                let name = if *tells { "account_number" } else { "ref" };
                write!(out, "\"{name}\":{NUMBER}").expect("a string takes all");
            }
            Member::Text { value, form, before, behind, filling } => {
                let forms = VALUES[*value].2;
                let filling = "lorem ipsum ".repeat(filling / 12);
                let text = [&filling, BEFORE[*before], forms[form % forms.len()], BEHIND[*behind]].concat();
                write!(out, "\"note\":{}", quoted(&text)).expect("a string takes all");
            }
            Member::Nested(inner) => {
                let mut text = String::new();
                write(inner, &mut text);
                write!(out, "\"body\":{}", quoted(&text)).expect("a string takes all");
            }
            Member::Object(inner) => {
                out.push_str("\"inner\":");
                write(inner, out);
            }
        }
    }
    out.push('}');
}

fn document(members: &[Member]) -> String {
    let mut out = String::new();
    write(members, &mut out);
    out
}

/// Which values are shown.
fn shown(members: &[Member], into: &mut [bool; VALUES.len()]) {
    for member in members {
        match member {
            Member::Show { value, .. } | Member::Customer { value, .. } => into[*value] = true,
            Member::Number(_) | Member::Text { .. } => {}
            Member::Nested(inner) | Member::Object(inner) => shown(inner, into),
        }
    }
}

/// A text in small letters without marks and escapes.
fn plain(text: &str) -> String {
    let unmarked = text.to_lowercase().replace(['\u{301}', '\\'], "");
    let letter = |sign: char| match sign {
        '\u{e9}' => 'e',
        '\u{f3}' => 'o',
        '\u{2011}' => '-',
        '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(sign) - 0xFF10 + u32::from('0')).unwrap_or(sign),
        _ => sign,
    };
    unmarked.chars().map(letter).collect()
}

fn redactors(carry_over: CarryOver) -> Vec<Redactor> {
    let build =
        |arch| Redactor::builder().arch(arch).carry_over(carry_over).build().expect("the rules compile");
    Arch::available().into_iter().map(build).collect()
}

static FORWARD: LazyLock<Vec<Redactor>> = LazyLock::new(|| redactors(CarryOver::Forward));
static DOCUMENT: LazyLock<Vec<Redactor>> = LazyLock::new(|| redactors(CarryOver::Document));

/// The same at every instruction set, in every piece, and again.
fn check(redactors: &[Redactor], input: &str, cuts: &[usize]) -> Result<String, TestCaseError> {
    let whole = run::whole(&redactors[0], input.as_bytes());
    prop_assert_eq!(whole.error, None);
    for redactor in redactors {
        prop_assert_eq!(&run::whole(redactor, input.as_bytes()), &whole);
        prop_assert_eq!(&run::in_sizes(redactor, input.as_bytes(), 1), &whole);
        prop_assert_eq!(&run::cut_at(redactor, input.as_bytes(), cuts), &whole);
    }
    let again = run::whole(&redactors[0], &whole.output);
    prop_assert_eq!(&again.output, &whole.output);
    Ok(String::from_utf8(whole.output).expect("the output is text"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_document_shows_stands_nowhere_in_it(members in vec(member(), 1..8), cuts in vec(0..4000usize, 0..6)) {
        let input = document(&members);
        let mut cuts = cuts;
        cuts.sort_unstable();
        let output = plain(&check(&DOCUMENT, &input, &cuts)?);
        let mut is_shown = [false; VALUES.len()];
        shown(&members, &mut is_shown);
        for ((_, value, _), _) in VALUES.iter().zip(is_shown).filter(|(_, is_shown)| *is_shown) {
            prop_assert!(!output.contains(&plain(value)), "{value} is left in {output}");
        }
        if members.iter().any(|member| matches!(member, Member::Number(true))) {
            prop_assert!(!output.contains(NUMBER), "the number is left in {output}");
        }
    }

    #[test]
    fn what_follows_is_hidden_at_once(members in vec(member(), 1..8), value in 0..VALUES.len(), cuts in vec(0..4000usize, 0..6)) {
        let mut all = vec![Member::Show { value, form: 0 }];
        all.extend(members);
        let mut cuts = cuts;
        cuts.sort_unstable();
        let output = plain(&check(&FORWARD, &document(&all), &cuts)?);
        prop_assert!(!output.contains(&plain(VALUES[value].1)), "{} is left in {output}", VALUES[value].1);
    }
}
