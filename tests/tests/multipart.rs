#![forbid(unsafe_code)]
//! What always holds of multipart bodies, and that they say what the same members say as a form.

use obelus::{Arch, Format, Limits, NullSink, Redactor, Transform};
use obelus_tests::cases::HASH_KEY;
use obelus_tests::forms::{fields, form, multipart};
use obelus_tests::run;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::LazyLock;

fn build(format: Format, set: impl FnOnce(&mut obelus::Builder) -> &mut obelus::Builder) -> Redactor {
    let mut builder = Redactor::builder();
    builder.format(format).hash_key(HASH_KEY);
    set(&mut builder).build().expect("the default rules compile")
}

static BODIES: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let limits = Limits {
        depth_max: 5,
        hold_bytes_max: 60,
        path_bytes_max: 20,
        nesting_max: 1,
        wait_bytes_max: 48,
        ..Limits::default()
    };
    vec![
        build(Format::Multipart, |builder| builder),
        build(Format::Multipart, |builder| builder.transform(Transform::Mask)),
        build(Format::Multipart, |builder| builder.limits(limits)),
        build(Format::Multipart, |builder| builder.arch(Arch::scalar())),
    ]
});

static FORM: LazyLock<Redactor> = LazyLock::new(|| build(Format::Form, |builder| builder));

#[test]
fn a_long_file_is_read_in_parts_and_little_of_it_is_held() {
    let line = "\r\n--Xy is no boundary, é mail jenny@example.com and {\"a\": 1}\r";
    let head = "--XyZ\r\nContent-Disposition: form-data; name=\"log\"\r\n\r\n";
    let body = [head, &line.repeat(5000), "\r\n--XyZ--\r\n"].concat();
    let whole = run::whole(&BODIES[0], body.as_bytes());
    assert_eq!((whole.error, whole.findings.len()), (None, 5000));
    assert!(run::find(&whole.output, b"jenny").is_none());
    for size in [61, 1000, 4096, 65_537] {
        assert!(run::in_sizes(&BODIES[0], body.as_bytes(), size) == whole, "in pieces of {size}");
    }
    let mut stream = BODIES[0].stream();
    for chunk in body.as_bytes().chunks(1000) {
        stream.push(chunk, &mut NullSink).expect("it is right");
        assert!(stream.held_bytes() < 16 << 10);
    }
}

/// A body, often with something broken in it.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let junk = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "\r\n--XyZ",
            "--XyZ--",
            "\r\n\r\n",
            "\r\n--Xy",
            "\n--XyZ\r\n",
            "--XyZ\r\n",
            "\r",
            "\n",
            "; filename=\"a@example.com\"",
            "\r\nContent-Type: application/json",
            "\r\nContent-Type: image/png",
            "\"",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    (vec(any::<u8>(), 0..300), any::<prop::sample::Index>(), junk, any::<bool>()).prop_map(
        |(bytes, at, junk, is_broken)| {
            let mut made = multipart(&fields(&bytes));
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

    /// I1, I2
    #[test]
    fn bytes_outside_findings_stay_and_cuts_change_nothing(
        input in any_body(),
        at in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        for redactor in BODIES.iter() {
            let whole = run::whole(redactor, &input);
            if whole.error.is_none() {
                prop_assert_eq!(run::check_outside(&input, &whole), Ok(()), "{} {:?}", shown(&input), whole);
            }
            for ran in [run::cut_at(redactor, &input, &cuts), run::in_sizes(redactor, &input, 1)] {
                prop_assert!(ran == whole, "{} cut at {:?}\nwhole {:?}\ncut {:?}", shown(&input), cuts, whole, ran);
            }
        }
    }

    /// I3
    #[test]
    fn what_has_left_is_the_beginning_of_the_output(input in any_body()) {
        let whole = run::whole(&BODIES[0], &input);
        let is_final = run::check_final(&BODIES[0], &input, &whole);
        prop_assert_eq!(is_final, Ok(()), "{} {:?}", shown(&input), whole);
    }

    /// The findings are those of the same members in a form, and a second pass finds none.
    #[test]
    fn parts_say_what_pairs_say(bytes in vec(any::<u8>(), 0..300)) {
        let fields = fields(&bytes);
        prop_assume!(!fields.is_empty());
        let (body, pairs) = (multipart(&fields), form(&fields, &[]));
        let (of_body, of_pairs) = (run::whole(&BODIES[0], &body), run::whole(&FORM, &pairs));
        prop_assert_eq!(of_body.error, None, "{}", shown(&body));
        let said = |ran: &run::Ran| {
            let found = ran.findings.iter();
            found.map(|found| (found.path.clone(), found.rule.clone(), found.chars)).collect::<Vec<_>>()
        };
        prop_assert_eq!(said(&of_body), said(&of_pairs), "{}\n{}", shown(&body), shown(&pairs));
        let again = run::whole(&BODIES[0], &of_body.output);
        prop_assert_eq!(shown(&again.output), shown(&of_body.output));
    }
}
