//! The lexer against a reference, on every instruction set, however the input is cut.

mod feed;
mod oracle;

use feed::{Again, DEPTH_MAX, feed};
use obelus_json::filter::Filter;
use obelus_json::{Arch, Bracket, Cause, Hits, Lexer, Mode, Part, Scalar, StringFlags, SyntaxKind, Visitor};
use proptest::prelude::*;
use std::ops::Range;

const MODES: [Mode; 3] = [Mode::Document, Mode::Sequence, Mode::Embedded];

/// Whole, byte by byte and cut in two at each byte: always what the reference says.
fn check(mode: Mode, text: &[u8]) {
    check_whole(mode, text);
    let expected = oracle::read(mode, DEPTH_MAX, text, true);
    // The lexer is told that embedded text is UTF-8, so its pieces are.
    let may_cut = |at: usize| mode != Mode::Embedded || text.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
    let cuts: Vec<usize> = (0..=text.len()).filter(|&at| may_cut(at)).collect();
    let single: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).chain([&[][..]]).collect();
    for arch in Arch::available() {
        for again in [Again::Nothing, Again::All, Again::Tail(5), Again::Tail(40)] {
            assert_eq!(
                feed(mode, arch, &single, true, again),
                expected,
                "{arch:?} {mode:?} {again:?} single"
            );
        }
        for &cut in &cuts {
            let (left, right) = text.split_at(cut);
            let again = [Again::Nothing, Again::All, Again::Tail(7)][cut % 3];
            let got = feed(mode, arch, &[left, right], true, again);
            assert_eq!(got, expected, "{arch:?} {mode:?} {again:?} cut at {cut}");
        }
    }
}

fn check_whole(mode: Mode, text: &[u8]) {
    for arch in Arch::available() {
        for last in [true, false] {
            let expected = oracle::read(mode, DEPTH_MAX, text, last);
            let got = feed(mode, arch, &[text], last, Again::Nothing);
            assert_eq!(got, expected, "{arch:?} {mode:?} last: {last}");
        }
    }
}

const CASES: &[&[u8]] = &[
    br#"{"a":[1,2.5e-3,true,null,"x\u0040y"],"b":{}}"#,
    br#"["\\\\","\\\"","\ud83d\ude00","\ud83d","\ude00x","\ud83d\n","\ud83d\ud83d\ude00","\ud83d\"x"]"#,
    "{\"name that is longer than one block of sixty-four bytes, surely, and more\": \"é€😀\"}\n".as_bytes(),
    b"",
    b"   ",
    b"[1,]",
    b"[1 2]",
    b"{\"a\" 1}",
    b"{\"a\":}",
    b"{,}",
    b"{\"a\":1,}",
    b"[",
    b"]",
    b"{\"a",
    b"{\"a@",
    b"\"abc",
    b"\"abc\\",
    b"\"\\u00",
    b"\"\\\\\\",
    b"\"\\ud83d\\u12",
    b"\"a\\x\"",
    b"\"a\\u12g4\"",
    b"\"a\\u12\"",
    b"\"a\tb\"",
    b"\"a@\tb\"",
    b"{\"a@\tb\":1}",
    b"\"\\ud83d\t\"",
    b"\"\\\t\"",
    b"tru",
    b"true",
    b"trux",
    b"[tru]",
    b"nul l",
    b"truefalse",
    b"-",
    b"-01",
    b"01",
    b"00",
    b"1.",
    b"[1.]",
    b"1.e1",
    b"1e",
    b"1e+",
    b"[1.5.2]",
    b"[1-2]",
    b"+1",
    b"0",
    b"-0.0E-0",
    b"1 2",
    b"1 \n\"a\"true\t{}[]",
    b"\"a\"\"b\"",
    b"1\"a\"",
    b"{}{}",
    b"{} x",
    b"[1 x]",
    b"[1  ",
    b"[1  ]  ",
    b"[1:2]",
    b"[\"a\"1]",
    b"{\"a\":1}x",
    b"[[[[[]]]]]",
    b"{]",
    b"[}",
    b"{\"a\":[}",
    b"[1,\\\"a\"]",
    b"[1\\\"a\"]",
    b"\\\"a\"",
    b"[\x01]",
    b"\x00",
];

/// Not UTF-8, with the offset that says so.
const INVALID: &[(&[u8], usize)] = &[
    (b"\"ab\xFFcd\"", 3),
    (b"\"a@\xFFcd\"", 3),
    (b"\"\xC1\x80\"", 1),
    (b"\"\xED\xA0\x80\"", 1),
    (b"\"\xE2\x82\"", 1),
    (b"\"\xE2\x82", 1),
    (b"\"\\u12\xFF\"", 5),
    (b"\"\\\xFF\"", 2),
    (b"\"\\ud83d\xF0\x9F\"", 7),
    (b"[12\xFF", 3),
    (b"[12\xE2\x82", 3),
    (b"[tru\xFF]", 4),
    (b"12\xF5", 2),
    (b"{\"a\xFF\":1}", 3),
    (b"[\xFF", 1),
    (b"{} \xFF", 3),
];

#[test]
fn each_case_is_read_as_the_reference_reads_it_however_it_is_cut() {
    for case in CASES {
        for mode in MODES {
            check(mode, case);
        }
    }
}

#[test]
fn each_case_is_read_alike_wherever_it_stands_in_a_block() {
    for case in CASES {
        for indent in [40, 57, 60, 61, 62, 63, 64, 120] {
            for mode in MODES {
                check_whole(mode, &[&vec![b' '; indent], *case].concat());
                let string = [b"[\"", &vec![b'x'; indent][..], b"\",", *case].concat();
                check_whole(mode, &string);
            }
        }
    }
}

#[test]
fn invalid_utf8_is_an_error_where_it_stands() {
    for &(text, at) in INVALID {
        for mode in [Mode::Document, Mode::Sequence] {
            let error = oracle::read(mode, DEPTH_MAX, text, true).error;
            assert_eq!(error.map(|(kind, at, _)| (kind, at)), Some((SyntaxKind::InvalidUtf8, at)));
            check(mode, text);
        }
    }
}

#[test]
fn invalid_utf8_far_into_a_buffer_is_the_same_error() {
    let tails: [&[u8]; 6] =
        [b"[12\xFF", b"[\"a@\\u12\xFF", "[\"é".as_bytes(), b"[\"\xF0\x9F", b"[12345\xE2\x82", b"[\"ok\\"];
    for tail in tails {
        for len in (16_384 - 80..16_384 + 8).chain(32_768 - 10..32_768 + 4) {
            check_whole(Mode::Sequence, &[&vec![b' '; len], tail].concat());
        }
    }
}

#[test]
fn containers_nest_to_the_limit_and_no_deeper() {
    for depth in [DEPTH_MAX, DEPTH_MAX + 1] {
        let mixed = [b"[{\"a\":".repeat(depth / 2), b"[".repeat(depth % 2)].concat();
        let closed = [&mixed[..], b"1", &b"]".repeat(depth % 2), &b"}]".repeat(depth / 2)].concat();
        check(Mode::Document, &mixed);
        check(Mode::Document, &closed);
        let full = [b"[".repeat(depth), b"]".repeat(depth)].concat();
        check(Mode::Document, &full);
        let error = oracle::read(Mode::Document, DEPTH_MAX, &full, true).error;
        assert_eq!(error.is_some(), depth > DEPTH_MAX);
    }
}

#[test]
fn a_lexer_that_was_reset_begins_anew() {
    let filter = Filter::new(&[]);
    let mut lexer = Lexer::new(Mode::Document, 8);
    for text in [&b"[[{\"a\":\"b"[..], b"{\"a\":[", b"\"x", b"[]"] {
        lexer.reset();
        let mut visitor = StopAt { left: usize::MAX, at: 0 };
        assert!(lexer.run(Arch::detect(), &filter, text, false, &mut visitor).is_ok());
    }
    let mut visitor = StopAt { left: usize::MAX, at: 0 };
    assert!(lexer.run(Arch::detect(), &filter, b" ", true, &mut visitor).is_ok());
}

#[test]
fn flags_are_asked_for_one_by_one_and_together() {
    let both = StringFlags::ESCAPE.union(StringFlags::NON_ASCII);
    assert_eq!(both, StringFlags::ESCAPE | StringFlags::NON_ASCII);
    assert!(both.contains(StringFlags::ESCAPE) && !StringFlags::ESCAPE.contains(both));
    assert!(StringFlags::ESCAPE.any(both) && !StringFlags::CANDIDATE.any(both));
    assert!(StringFlags::default().is_empty() && !both.is_empty());
}

/// Stops at one of the reports, and keeps where its lexeme begins.
struct StopAt {
    left: usize,
    at: usize,
}

impl StopAt {
    fn count(&mut self, at: usize) -> Result<(), usize> {
        self.at = at;
        self.left = self.left.checked_sub(1).ok_or(at)?;
        Ok(())
    }
}

impl Visitor for StopAt {
    type Stop = usize;

    fn open(&mut self, _: Bracket, at: usize) -> Result<(), usize> {
        self.count(at)
    }

    fn close(&mut self, _: Bracket, at: usize) -> Result<(), usize> {
        self.count(at)
    }

    fn name(&mut self, body: Range<usize>, _: StringFlags, _: Hits<'_>) -> Result<(), usize> {
        self.count(body.start - 1)
    }

    fn string(
        &mut self,
        body: Range<usize>,
        part: Part,
        _: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, usize> {
        let is_quoted = matches!(part, Part::Whole | Part::First);
        self.count(body.start - usize::from(is_quoted))?;
        Ok(body.end)
    }

    fn scalar(&mut self, _: Scalar, span: Range<usize>) -> Result<(), usize> {
        self.count(span.start)
    }

    fn document(&mut self, at: usize) -> Result<(), usize> {
        self.count(at)
    }
}

#[test]
fn a_stop_says_where_the_lexeme_begins_that_was_not_taken() {
    let pad = " ".repeat(70);
    let text = format!("{pad}{{\"a\": [1, true, \"b\", {{}}, {pad}\"c\"], \"d\": \"e\"}} 12 \"open");
    for arch in Arch::available() {
        for left in 0.. {
            let mut visitor = StopAt { left, at: 0 };
            let mut lexer = Lexer::new(Mode::Sequence, 8);
            match lexer.run(arch, &Filter::new(&[]), text.as_bytes(), false, &mut visitor) {
                Ok(_) => {
                    assert_eq!(left, 17);
                    break;
                }
                Err(fault) => {
                    assert_eq!(fault.cause, Cause::Stop(visitor.at));
                    assert_eq!(fault.need_from, visitor.at);
                }
            }
        }
    }
}

/// Pieces of JSON in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"\"",
        b"\"",
        b"\"",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\\",
        b"\\u00e9",
        b"\\ud83d",
        b"\\ude00",
        b"\\\"",
        b" \n",
        b"12",
        b"-1.5e3",
        b"true",
        b"null",
        "é😀".as_bytes(),
        b"\xFF",
        b"\t",
        b"@",
        b"+1",
        b"name that is rather long, to get over block borders",
        b"{\"a\":",
        b"[1,",
        b"\"x\",",
    ];
    let piece = prop::sample::select(pieces.to_vec());
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Valid documents, compact or spread out.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        ".{0,60}".prop_map(serde_json::Value::from),
        "[ -~]{0,90}".prop_map(serde_json::Value::from),
    ];
    let value = leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(".{0,12}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    (value, any::<bool>()).prop_map(|(value, pretty)| {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        text.expect("a value can be written")
    })
}

/// Documents with a few bytes changed.
fn nearly_document() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"\"\\{}[]:,@ \n\t0-.eEu1tx\xFF\xC3\xE2\x80\x01".to_vec());
    let change = (any::<prop::sample::Index>(), byte, 0..3);
    (document(), prop::collection::vec(change, 1..4)).prop_map(|(mut text, changes)| {
        for (index, byte, how) in changes {
            let at = index.index(text.len() + 1);
            match how {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ => text.truncate(at),
            }
        }
        text
    })
}

/// Whether another implementation takes it for a document. Exponents beyond its numbers are fine with us.
fn is_document(text: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn soup_is_read_as_the_reference_reads_it(text in soup()) {
        check(Mode::Document, &text);
        check(Mode::Sequence, &text);
        if std::str::from_utf8(&text).is_ok() {
            check(Mode::Embedded, &text);
            let error = feed(Mode::Document, Arch::detect(), &[&text], true, Again::Nothing).error;
            prop_assert_eq!(is_document(&text), error.is_none());
        }
    }

    #[test]
    fn damaged_documents_are_read_as_the_reference_reads_them(text in nearly_document()) {
        for mode in MODES {
            let is_fit = mode != Mode::Embedded || std::str::from_utf8(&text).is_ok();
            if is_fit && text.len() < 400 {
                check(mode, &text);
            } else if is_fit {
                check_whole(mode, &text);
            }
        }
        if std::str::from_utf8(&text).is_ok() {
            let error = feed(Mode::Document, Arch::detect(), &[&text], true, Again::Nothing).error;
            prop_assert_eq!(is_document(&text), error.is_none());
        }
    }

    #[test]
    fn documents_are_accepted(text in document()) {
        let outcome = feed(Mode::Document, Arch::detect(), &[&text], true, Again::Nothing);
        prop_assert_eq!(outcome.error, None);
        prop_assert_eq!(outcome.open, None);
        check_whole(Mode::Sequence, &text);
    }
}
