//! String bodies decoded: as another implementation decodes them, with a way back for every character.

use obelus_json::Arch;
use obelus_json::map::OffsetMap;
use obelus_json::string::{count_chars, unescape};
use proptest::prelude::*;

fn decode(body: &[u8]) -> (Vec<u8>, OffsetMap) {
    let mut decoded = Arch::available().into_iter().map(|arch| {
        let (mut text, mut map) = (Vec::new(), OffsetMap::default());
        unescape(arch, body, &mut text, &mut map);
        (text, map)
    });
    let first = decoded.next().expect("there is always one");
    // Every instruction set says the same.
    for other in decoded {
        assert_eq!(other.0, first.0, "{body:?}");
        let ways = |map: &OffsetMap| {
            let back = |at| (map.start(at), map.end(at));
            let forth = |at| map.text(at);
            (
                (0..=first.0.len()).map(back).collect::<Vec<_>>(),
                (0..=body.len()).map(forth).collect::<Vec<_>>(),
            )
        };
        assert_eq!(ways(&other.1), ways(&first.1), "{body:?}");
    }
    first
}

/// The text, each character's span in the body, and the count.
fn check(body: &str, text: &str) {
    let (decoded, map) = decode(body.as_bytes());
    assert_eq!(std::str::from_utf8(&decoded), Ok(text), "{body}");
    assert_eq!(count_chars(body.as_bytes()), text.chars().count() as u64, "{body}");
    assert_eq!(map.is_identity(), body == text, "{body}");
    // Spans follow each other without gaps, and each one decodes to its character.
    let mut source = 0;
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        let span = map.start(at)..map.end(end);
        assert_eq!(span.start, source, "{body}");
        let (part, _) = decode(&body.as_bytes()[span.clone()]);
        assert_eq!(part, character.to_string().as_bytes(), "{body} at {span:?}");
        source = span.end;
    }
    assert_eq!(source, body.len());
}

#[test]
fn escapes_stand_for_their_characters() {
    check("", "");
    check("plain é😀", "plain é😀");
    check(r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t");
    check(r"a\u0040b\u00e9\u20AC", "a@bé€");
    check(r"\u0000", "\0");
    check(r"\ud83d\ude00\uD83D\uDE00", "😀😀");
    check(r"\\u0041", r"\u0041");
}

#[test]
fn lone_surrogates_become_replacement_characters() {
    check(r"\ud83d", "\u{FFFD}");
    check(r"\ude00x", "\u{FFFD}x");
    check(r"\ud83d\n", "\u{FFFD}\n");
    check(r"\ud83dx\ude00", "\u{FFFD}x\u{FFFD}");
    check(r"\ude00\ud83d", "\u{FFFD}\u{FFFD}");
    check(r"\ud83d\ud83d\ude00", "\u{FFFD}😀");
}

#[test]
fn what_is_no_escape_stays_as_it_is_written() {
    for body in [r"\x", r"\u12", r"\u12g4", r"\", r"\é", r"\uD83", r"a\", "\\\u{1}"] {
        let (text, map) = decode(body.as_bytes());
        assert_eq!(text, body.as_bytes());
        assert!(map.is_identity());
        assert_eq!(count_chars(body.as_bytes()), body.chars().count() as u64);
    }
    // What follows is read on its own.
    assert_eq!(decode(br"\x\n").0, b"\\x\n");
    assert_eq!(decode(br"\uD83D\uzz").0, "\u{FFFD}\\uzz".as_bytes());
    assert_eq!(decode(br"\u\u0041").0, b"\\uA");
}

/// A body of plain text and escapes.
fn body() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[ !#-\\[\\]-~]{0,20}",
        1 => any::<char>().prop_filter("raw", |c| !"\"\\".contains(*c) && *c >= ' ').prop_map(String::from),
        1 => prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"])
            .prop_map(str::to_owned),
        2 => any::<char>().prop_map(|character| {
            character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn bodies_are_decoded_as_elsewhere(body in body()) {
        let text: String = serde_json::from_str(&format!("\"{body}\"")).expect("the body is valid");
        check(&body, &text);
    }

    #[test]
    fn any_text_is_decoded_to_utf8(body in r#"(\\|u|d83d|de00|\\u|[0-9a-f]{1,4}|é|x){0,20}"#) {
        let (text, map) = decode(body.as_bytes());
        let text = std::str::from_utf8(&text).expect("UTF-8 in, UTF-8 out");
        prop_assert_eq!(count_chars(body.as_bytes()), text.chars().count() as u64);
        prop_assert_eq!(map.end(text.len()), body.len());
    }
}
