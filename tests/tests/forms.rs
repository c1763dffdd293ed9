#![forbid(unsafe_code)]
//! What always holds of forms, and that they say what the same members say as JSON.

use obelus::{
    Arch, CarryOver, ErrorKind, Format, Limits, NullSink, Profile, Redactor, SyntaxKind, Transform,
};
use obelus_tests::canary;
use obelus_tests::cases::HASH_KEY;
use obelus_tests::forms::{decoded, fields, form, json, strings};
use obelus_tests::run::{self, Found};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::LazyLock;

fn build(format: Format, set: impl FnOnce(&mut obelus::Builder) -> &mut obelus::Builder) -> Redactor {
    let mut builder = Redactor::builder();
    builder.format(format).hash_key(HASH_KEY);
    set(&mut builder).build().expect("the default rules compile")
}

const TRANSFORMS: [Transform; 5] =
    [Transform::Label, Transform::Mask, Transform::Hash, Transform::Generalise, Transform::Remove];

/// By transform; the last does not promise that a second pass changes nothing.
static FORMS: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let by_transform = |transform| build(Format::Form, |builder| builder.transform(transform));
    TRANSFORMS.into_iter().map(by_transform).collect()
});

static OTHERS: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let limits = Limits {
        depth_max: 5,
        hold_bytes_max: 24,
        path_bytes_max: 20,
        nesting_max: 1,
        wait_bytes_max: 48,
        ..Limits::default()
    };
    vec![
        build(Format::Form, |builder| builder.profile(Profile::Strict)),
        build(Format::Form, |builder| builder.limits(limits)),
        build(Format::Form, |builder| builder.arch(Arch::scalar())),
    ]
});

/// By transform, as forms and as JSON. What waits is decided later in a form, so that what follows is not compared with it.
static ALIKE: LazyLock<Vec<(Redactor, Redactor)>> = LazyLock::new(|| {
    let alike = |transform| {
        let build = |format| build(format, |builder| builder.transform(transform).carry_over(CarryOver::Off));
        (build(Format::Form), build(Format::Json))
    };
    TRANSFORMS.into_iter().map(alike).collect()
});

fn dice() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

/// A form, often with something broken in it, sometimes of several lines.
fn any_form() -> impl Strategy<Value = Vec<u8>> {
    let junk = vec(prop_oneof![any::<u8>(), prop::sample::select(&b"&=+%[]{}\n\r?\xC3\xED\xFF@4"[..])], 0..6);
    (dice(), dice(), any::<prop::sample::Index>(), junk, any::<bool>()).prop_map(
        |(bytes, escapes, at, junk, is_broken)| {
            let mut made = form(&fields(&bytes), &escapes);
            if is_broken {
                let at = at.index(made.len() + 1);
                made.splice(at..at, junk);
            }
            made
        },
    )
}

fn shown(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// I1
    #[test]
    fn bytes_outside_findings_come_out_unchanged(input in any_form()) {
        for redactor in FORMS.iter().chain(OTHERS.iter()) {
            let ran = run::whole(redactor, &input);
            if ran.error.is_none() {
                prop_assert_eq!(run::check_outside(&input, &ran), Ok(()), "{} {:?}", shown(&input), ran);
            }
            if ran.error.is_none() && ran.findings.is_empty() {
                prop_assert_eq!(shown(&ran.output), shown(&input));
            }
        }
    }

    /// I2
    #[test]
    fn cuts_change_nothing(input in any_form(), at in vec(any::<prop::sample::Index>(), 0..20)) {
        let mut cuts: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        for redactor in FORMS.iter().chain(OTHERS.iter()) {
            let whole = run::whole(redactor, &input);
            for ran in [run::cut_at(redactor, &input, &cuts), run::in_sizes(redactor, &input, 1)] {
                prop_assert!(ran == whole, "{} cut at {:?}\nwhole {:?}\ncut {:?}", shown(&input), cuts, whole, ran);
            }
        }
    }

    /// I3
    #[test]
    fn what_has_left_is_the_beginning_of_the_output(input in any_form()) {
        let whole = run::whole(&FORMS[0], &input);
        let is_final = run::check_final(&FORMS[0], &input, &whole);
        prop_assert_eq!(is_final, Ok(()), "{} {:?}", shown(&input), whole);
    }

    /// Redacting twice changes nothing.
    #[test]
    fn a_second_pass_changes_nothing(bytes in dice(), escapes in dice()) {
        let input = form(&fields(&bytes), &escapes);
        for redactor in FORMS[..4].iter().chain(&OTHERS[..1]) {
            let once = run::whole(redactor, &input);
            // Among labels that are longer than what they replace a value may wait too long that did not before.
            if once.output.len() as u64 > Limits::default().wait_bytes_max {
                continue;
            }
            let twice = run::whole(redactor, &once.output);
            prop_assert_eq!(shown(&twice.output), shown(&once.output), "{} {:?}", shown(&input), twice);
        }
    }

    /// I8
    #[test]
    fn every_instruction_set_gives_the_same(input in any_form()) {
        prop_assert_eq!(run::whole(&FORMS[0], &input), run::whole(&OTHERS[2], &input), "{}", shown(&input));
    }

    /// What a form holds is judged as the same members are as JSON.
    #[test]
    fn forms_say_what_json_says(bytes in dice(), escapes in dice(), choice in 0..TRANSFORMS.len()) {
        let fields = fields(&bytes);
        let (form, json) = (form(&fields, &escapes), json(&fields));
        // The objects of a form end with it: what waits in them can wait longer.
        prop_assume!(form.len() as u64 <= Limits::default().wait_bytes_max);
        let (as_form, as_json) = &ALIKE[choice];
        let (of_form, of_json) = (run::whole(as_form, &form), run::whole(as_json, &json));
        let told = |found: &[Found]| -> Vec<(String, String, (u64, u64))> {
            found.iter().map(|found| (found.path.clone(), found.rule.clone(), found.chars)).collect()
        };
        prop_assert_eq!(told(&of_form.findings), told(&of_json.findings), "{}\n{}", shown(&form), shown(&json));
        let mut values: Vec<String> = decoded(&of_form.output).into_iter().map(|(_, value)| value).collect();
        values.sort();
        prop_assert_eq!(values, strings(&of_json.output), "{}\n{}", shown(&form), shown(&json));
    }
}

/// I6
#[test]
fn nothing_that_is_shown_holds_input() {
    let secret = "quartzite@example.org";
    for input in [
        format!("email={secret}&a=\u{1}"),
        format!("{secret}={secret}&x[{secret}]=1"),
        format!("note=%7B%22a%22:%22{secret}%22&name={secret}"),
        format!("name={secret}&note=mail {secret} and mo"),
    ] {
        for redactor in FORMS.iter() {
            let mut stream = redactor.stream();
            let mut output = Vec::new();
            stream.push(input.as_bytes(), &mut output).expect("the input is right");
            let mut told = format!("{stream:?} {redactor:?}");
            let broken = run::whole(redactor, &[input.as_bytes(), b"\xFF"].concat());
            told.push_str(&format!("{:?} {:?}", broken.findings, broken.error));
            assert_eq!(canary::find(told.as_bytes(), "quartzite"), None, "{told}");
            for left in [output, broken.output, run::whole(redactor, input.as_bytes()).output] {
                assert_eq!(canary::find(&left, "quartzite"), None, "{}", shown(&left));
            }
        }
    }
}

/// The generated forms hold something to find, or the properties would say little.
#[test]
fn generated_forms_are_worth_reading() {
    let (mut findings, mut nested, mut clean) = (0, 0, 0);
    for seed in 0..300usize {
        let bytes: Vec<u8> =
            (0..200).map(|at| ((seed * 31 + at * at * 7 + at * seed) % 251).to_le_bytes()[0]).collect();
        let ran = run::whole(&FORMS[0], &form(&fields(&bytes), &bytes));
        findings += ran.findings.len();
        clean += usize::from(ran.findings.is_empty());
        nested += ran.findings.iter().filter(|found| found.path.contains('#')).count();
    }
    assert!(findings > 400 && nested > 20 && clean > 4, "{findings} {nested} {clean}");
}

#[test]
fn bytes_that_are_no_utf_8_are_an_error_wherever_they_stand() {
    for (input, left, at) in [
        (&b"email=j@example.com&a=x\xFF&b=1"[..], &b"email=%5Bemail%5D&a="[..], 23),
        (b"email=j@example.com&a\xC3=1", b"email=%5Bemail%5D&", 21),
        (b"a=%C3\xA9", b"a=", 5),
        (b"a=1&b=\xC3", b"a=1&b=", 6),
    ] {
        let ran = run::whole(&FORMS[0], input);
        assert_eq!(shown(&ran.output), shown(left));
        let error = ran.error.expect("an error");
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Syntax(SyntaxKind::InvalidUtf8), at));
        for size in 1..5 {
            assert_eq!(run::in_sizes(&FORMS[0], input, size), ran);
        }
    }
}

/// I4
#[test]
fn forms_of_any_length_are_held_in_part() {
    let beginnings = [
        ("text", "note=", "lorem+ipsum%20dolor"),
        ("replaced", "email=", "lorem%20ipsum"),
        ("waiting", "name=", "lorem%20ipsum"),
        ("JSON", "x=[", "%7B%22a%22%3A%22lorem%22%7D,"),
        ("characters", "x=", "%F0%9F%98%80"),
        ("no characters", "x=", "%80"),
        ("secret", "x=eyJhbGciOiJIUzI1NiJ9.eyJz", "dWIiOiJvYmVsdXMifQ"),
        ("pairs", "a=1", "&name=Jenny&b=2"),
        ("lines", "a[b]=1", "\nname=Jenny&c[d]=2"),
        ("nothing", "a=1", "&&&\n\n="),
    ];
    for (name, beginning, body) in beginnings {
        let mut stream = FORMS[0].stream();
        stream.push(beginning.as_bytes(), &mut NullSink).expect("the input is right");
        for _ in 0..64 {
            stream.push(body.repeat(4096).as_bytes(), &mut NullSink).expect("the input is right");
            assert!(stream.held_bytes() < 300_000, "{name}: {} bytes held", stream.held_bytes());
        }
    }
}

#[test]
fn what_must_be_remembered_of_a_form_is_bounded() {
    for body in ["&a[#][b]=1", "&a[#][]=1", "&a[#@example.com]=1", "#"] {
        let mut stream = FORMS[0].stream();
        let count = (0..400_000).find(|at| {
            let pair = body.replace('#', &format!("{at:06}"));
            stream.push(pair.as_bytes(), &mut NullSink).is_err()
        });
        assert!(count.is_some(), "{body}: {} bytes held", stream.held_bytes());
    }
}
