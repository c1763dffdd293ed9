#![forbid(unsafe_code)]
//! What always holds, on generated documents and on documents with something broken.

use obelus::{Arch, Format, Limits, Profile, Redactor, Transform};
use obelus_tests::cases::{FAKES, HASH_KEY, fill};
use obelus_tests::document::{PLANTED, document};
use obelus_tests::run::{self, Ran};
use obelus_tests::{canary, fuzz};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The last does not promise that a second pass changes nothing.
const TRANSFORMS: [Transform; 5] =
    [Transform::Label, Transform::Mask, Transform::Hash, Transform::Generalise, Transform::Remove];

static BY_TRANSFORM: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let build = |transform| {
        let mut builder = Redactor::builder();
        builder.transform(transform).hash_key(HASH_KEY).build().expect("the default rules compile")
    };
    TRANSFORMS.into_iter().map(build).collect()
});

static BY_ARCH: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let build = |arch| Redactor::builder().arch(arch).build().expect("the default rules compile");
    Arch::available().into_iter().map(build).collect()
});

static STRICT: LazyLock<Redactor> = LazyLock::new(|| {
    Redactor::builder().profile(Profile::Strict).build().expect("the default rules compile")
});

static TEXT: LazyLock<Redactor> =
    LazyLock::new(|| Redactor::builder().format(Format::Text).build().expect("the default rules compile"));

/// Every limit is met by ordinary documents.
static LIMITED: LazyLock<Redactor> = LazyLock::new(|| {
    let limits = Limits {
        depth_max: 5,
        hold_bytes_max: 24,
        path_bytes_max: 40,
        nesting_max: 1,
        wait_bytes_max: 48,
        ..Limits::default()
    };
    Redactor::builder().limits(limits).build().expect("the default rules compile")
});

fn label() -> &'static Redactor {
    &BY_TRANSFORM[0]
}

/// The bytes a document is made from.
fn dice() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..400)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

fn shown(input: &[u8]) -> String {
    input.escape_ascii().to_string()
}

proptest! {
    #![proptest_config(config())]

    /// I1
    #[test]
    fn without_a_finding_the_output_is_the_input(bytes in dice()) {
        let input = document(&bytes);
        for redactor in BY_TRANSFORM.iter().chain([&*STRICT]) {
            let ran = run::whole(redactor, &input);
            if ran.findings.is_empty() {
                prop_assert_eq!(shown(&ran.output), shown(&input));
            }
        }
    }

    /// I1, I3
    #[test]
    fn bytes_outside_findings_come_out_unchanged(bytes in dice()) {
        let input = document(&bytes);
        for redactor in BY_TRANSFORM.iter().chain([&*STRICT]) {
            let ran = run::whole(redactor, &input);
            prop_assert_eq!(run::check_outside(&input, &ran), Ok(()), "{} {:?}", shown(&input), ran);
        }
    }

    /// I2
    #[test]
    fn cuts_change_nothing(bytes in dice(), at in vec(any::<prop::sample::Index>(), 0..20)) {
        let input = document(&bytes);
        let mut cuts: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        for redactor in BY_TRANSFORM.iter().chain([&*STRICT, &*TEXT, &*LIMITED]) {
            let whole = run::whole(redactor, &input);
            for ran in [run::cut_at(redactor, &input, &cuts), run::in_sizes(redactor, &input, 1)] {
                prop_assert!(ran == whole, "{} cut at {:?}\nwhole {:?}\ncut {:?}", shown(&input), cuts, whole, ran);
            }
        }
    }

    /// I2, at every byte of fewer documents
    #[test]
    fn no_single_cut_changes_anything(bytes in vec(any::<u8>(), 0..60)) {
        let input = document(&bytes);
        let whole = run::whole(label(), &input);
        for cut in 0..=input.len() {
            let ran = run::cut_at(label(), &input, &[cut]);
            prop_assert!(ran == whole, "{} cut at {}\nwhole {:?}\ncut {:?}", shown(&input), cut, whole, ran);
        }
    }

    /// I3
    #[test]
    fn what_has_left_is_the_beginning_of_the_output_and_safe(bytes in dice()) {
        let input = document(&bytes);
        let whole = run::whole(label(), &input);
        let planted: Vec<String> = PLANTED.iter().map(|value| fill(value)).collect();
        let is_final = run::check_final(label(), &input, &whole);
        prop_assert_eq!(is_final, Ok(()), "{} {:?}", shown(&input), whole);
        for value in planted {
            let plain = run::find(&whole.output, value.as_bytes());
            prop_assert_eq!(plain, None, "{} {} {:?}", value, shown(&input), whole);
        }
    }

    /// I3
    #[test]
    fn input_that_breaks_off_lets_out_no_more_than_if_it_went_on(bytes in dice(), at in any::<prop::sample::Index>()) {
        let input = document(&bytes);
        let whole = run::whole(label(), &input);
        let cut = at.index(input.len() + 1);
        let left = run::unfinished(label(), &input[..cut]);
        prop_assert!(whole.output.starts_with(&left.output), "{} cut at {}: {:?}", shown(&input), cut, left);
        prop_assert!(whole.findings.starts_with(&left.findings), "{} cut at {}", shown(&input), cut);
    }

    /// I5
    #[test]
    fn valid_documents_stay_valid(bytes in dice()) {
        let input = document(&bytes);
        for redactor in BY_TRANSFORM.iter().chain([&*STRICT]) {
            let ran = run::whole(redactor, &input);
            prop_assert_eq!(ran.error, None, "{}", shown(&input));
            let texts = serde_json::Deserializer::from_slice(&ran.output).into_iter::<serde_json::Value>();
            for text in texts {
                // Half a pair of surrogates is valid by the grammar, and the only thing the parser does not take.
                let fault = text.err().map(|error| error.to_string()).filter(|told| !told.contains("surrogate"));
                prop_assert_eq!(fault, None, "{} {:?}", shown(&input), ran);
            }
        }
    }

    /// I5
    #[test]
    fn broken_input_ends_the_same_way_however_it_comes(
        bytes in dice(),
        at in any::<prop::sample::Index>(),
        junk in vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\"\\{}[],:0eu\x00\xC3\xED\xFF"[..])], 0..6),
        keep in any::<bool>(),
    ) {
        let mut input = document(&bytes);
        let cut = at.index(input.len() + 1);
        let behind = if keep { input.split_off(cut) } else { Vec::new() };
        input.truncate(cut);
        input.extend_from_slice(&junk);
        input.extend_from_slice(&behind);
        for redactor in BY_ARCH.iter().chain([&*TEXT]) {
            let whole = run::whole(redactor, &input);
            let bytewise = run::in_sizes(redactor, &input, 1);
            prop_assert!(whole == bytewise, "{}\nwhole {:?}\nbytewise {:?}", shown(&input), whole, bytewise);
        }
    }

    /// Redacting twice changes nothing.
    #[test]
    fn a_second_pass_changes_nothing(bytes in dice()) {
        let input = document(&bytes);
        for redactor in BY_TRANSFORM.iter().take(4).chain([&*STRICT]) {
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
    fn every_instruction_set_gives_the_same(bytes in dice()) {
        let input = document(&bytes);
        let runs: Vec<Ran> = BY_ARCH.iter().map(|redactor| run::whole(redactor, &input)).collect();
        prop_assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{} {:?}", shown(&input), runs);
    }

    /// I8
    #[test]
    fn the_engine_agrees_with_the_reference(bytes in dice(), configuration in 0..fuzz::CONFIGURATION_COUNT, size in 1..200usize) {
        let agreed = fuzz::agree(&document(&bytes), configuration, size);
        prop_assert!(agreed.is_ok(), "{}", agreed.err().unwrap_or_default());
    }

    /// I6
    #[test]
    fn nothing_that_is_shown_holds_input(tail in "[a-z]{12}", place in 0..6usize, cut in any::<prop::sample::Index>()) {
        let secret = format!("q{tail}@example.org");
        let input = match place {
            0 => format!(r#"{{"email":"{secret}","x":1}}"#),
            1 => format!(r#"{{"{secret}":"{secret}"}}"#),
            2 => format!(r#"{{"id":"cus_1","text":"mail {secret} now"#),
            3 => format!(r#"{{"a":"{{\"b\":\"{secret}\"}}"}}"#),
            4 => format!(r#"{{"name":"{secret}","x":{secret}}}"#),
            _ => format!(r#"{secret} {{"#),
        };
        let mut stream = label().stream();
        let mut output = Vec::new();
        let pushed = stream.push(&input.as_bytes()[..cut.index(input.len() + 1)], &mut output);
        let mut told = format!("{stream:?} {stream:#?} {pushed:?} {:?}", label());
        if let Err(error) = stream.finish(&mut output) {
            told.push_str(&format!("{error} {error:?}"));
        }
        let whole = run::whole(label(), input.as_bytes());
        told.push_str(&format!("{:?} {:?}", whole.findings, whole.error));
        if let Some(error) = whole.error {
            told.push_str(&error.to_string());
        }
        prop_assert_eq!(canary::find(told.as_bytes(), &secret), None, "{}", told);
        prop_assert_eq!(canary::find(&output, &secret), None, "{}", input);
        prop_assert_eq!(canary::find(&whole.output, &secret), None, "{}", input);
    }
}

/// I2, I5: how much of an open text has left does not show in what pieces it came, whatever was in it.
#[test]
fn long_text_that_breaks_off_lets_out_the_same() {
    for lead in ["J", "\\u004a", "\u{e9}", "4242 ", "a@b "] {
        for tail in ["@", "12", "\\u0041", "\u{e9}", "http"] {
            for behind in [0, 1, 100, 137, 138, 139, 140, 300] {
                let (before, filler) = ("Jenny Rosen ".repeat(100), "lorem ipsum ".repeat(30));
                let behind: String = filler.chars().take(behind).collect();
                let input = format!(r#"["{lead}{before}{tail}{behind}"#);
                let whole = run::whole(label(), input.as_bytes());
                for size in [1, 7, 500, 1100] {
                    let ran = run::in_sizes(label(), input.as_bytes(), size);
                    assert!(ran == whole, "{input} in pieces of {size}\nwhole {whole:?}\ncut {ran:?}");
                }
            }
        }
    }
}

/// I6: an object's value bytes do not stand in `Debug` as a list of numbers either.
#[test]
fn held_input_is_not_shown() {
    let mut stream = label().stream();
    let mut output = Vec::new();
    stream.push(br#"{"id":"cus_1","note":"held quartz"#, &mut output).expect("the input is right so far");
    assert!(stream.held_bytes() > 0, "nothing is held");
    let shown = format!("{stream:?}");
    let numbers: Vec<String> = b"quartz".iter().map(u8::to_string).collect();
    assert!(!shown.contains("quartz"));
    assert!(!shown.contains(&numbers.join(", ")));
}

/// The generated documents hold something to find, and to wait for, or the properties would say little.
#[test]
fn generated_documents_are_worth_reading() {
    let (mut findings, mut nested, mut clean, mut names) = (0, 0, 0, 0);
    for seed in 0..300usize {
        let bytes: Vec<u8> =
            (0..200).map(|at| ((seed * 31 + at * at * 7 + at * seed) % 251).to_le_bytes()[0]).collect();
        let ran = run::whole(label(), &document(&bytes));
        findings += ran.findings.len();
        clean += usize::from(ran.findings.is_empty());
        nested += ran.findings.iter().filter(|found| found.path.contains('#')).count();
        names += ran.findings.iter().filter(|found| found.path.contains("[email]")).count();
    }
    let counts = [findings, nested, clean, names];
    assert!(findings > 400 && nested > 20 && clean > 4 && names > 4, "{counts:?}");
}

/// The fake keys are found, so that tests with them mean something.
#[test]
fn fake_keys_are_taken_for_keys() {
    for (mark, _) in FAKES {
        let input = format!(r#"{{"text":"key {} end"}}"#, fill(&format!("<<{mark}>>")));
        let ran = run::whole(label(), input.as_bytes());
        assert!(!ran.findings.is_empty(), "{mark} is not found");
    }
}

/// A value that waited as long as it may counts as sensitive, in a typed object as well.
#[test]
fn what_waits_too_long_goes() {
    let filler = r#""y","#.repeat(6000);
    for input in [
        format!(
            r#"{{"object":"charge","x":{{"name":"Jenny Rosen","p":[{filler}"x"],"object":"customer"}}}}"#
        ),
        format!(r#"{{"name":"Jenny Rosen","p":[{filler}"x"],"object":"customer"}}"#),
        format!(r#"{{"object":"charge","x":{{"value":"Jenny Rosen","p":[{filler}"x"],"key":"full_name"}}}}"#),
        format!(r#"{{"name":"Jenny Rosen","p":"{}","object":"product"}}"#, "y ".repeat(10_000)),
    ] {
        let output = run::whole(label(), input.as_bytes()).output;
        assert!(!shown(&output).contains("Jenny"), "{}", shown(&output).chars().take(90).collect::<String>());
        assert_eq!(run::in_sizes(label(), input.as_bytes(), 1000).output, output);
    }
}

/// A value that waits inside another one, and of which nothing is left, ends with it.
#[test]
fn values_may_wait_inside_values_and_leave_nothing() {
    let redactor = obelus::Redactor::builder().transform(obelus::Transform::Remove).build().unwrap();
    let input =
        br#"{"name":"{\"id\":\"cus_ObelusTest0001\",\"x\":{\"name\":\"a@example.com","object":"customer"}"#;
    assert_eq!(redactor.redact(input).unwrap(), br#"{"name":"","object":"customer"}"#);
}

/// What waits is bounded also where nothing but literals, clean strings and white space come.
#[test]
fn waiting_is_bounded_whatever_comes() {
    for filler in ["null,", r#""aaaaaaaaaa","#, "          "] {
        let mut stream = label().stream();
        stream.push(br#"{"name":"x","list":["#, &mut obelus::NullSink).unwrap();
        for _ in 0..64 {
            stream.push(filler.repeat(4096).as_bytes(), &mut obelus::NullSink).unwrap();
            assert!(stream.held_bytes() < 200_000, "{} held", stream.held_bytes());
        }
    }
}

/// A name or number inside a string is as bounded as one outside.
#[test]
fn names_and_numbers_in_strings_are_bounded() {
    for beginning in [r#"{"a":"{\""#, r#"{"a":"[1"#, r#"{"a":"[1   "#] {
        let mut stream = label().stream();
        stream.push(beginning.as_bytes(), &mut obelus::NullSink).unwrap();
        let filler = if beginning.ends_with(' ') { " " } else { "1" }.repeat(64 << 10);
        let pushed = (0..64).try_for_each(|_| stream.push(filler.as_bytes(), &mut obelus::NullSink));
        assert!(pushed.is_err(), "{} held", stream.held_bytes());
    }
}
