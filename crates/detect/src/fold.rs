//! Rewriting a text for matching.
//!
//! Only what a reader takes for the same sign is rewritten, and each sign by itself: digits of other scripts,
//! wide and mathematical forms, spaces, dashes, dots. Signs that nobody sees are dropped. This is not a Unicode
//! normalisation: those also rewrite circled and superscript digits, and make card numbers of them.

use obelus_json::map::OffsetMap;

use crate::tables::zeros::ZEROS;

/// What becomes of a character.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Folded {
    Same,
    Dropped,
    To(u8),
}

/// Appends `text`, rewritten for matching, to `out`, and a unit to `map` for each character that differs.
///
/// Offsets in `map` are those of `text` and of what is appended. `text` should be UTF-8; bytes that are not are
/// copied. Text of ASCII alone is copied as it is.
pub fn fold(text: &[u8], out: &mut Vec<u8>, map: &mut OffsetMap) {
    map.clear();
    let begin = out.len();
    let mut copied = 0;
    let mut pos = 0;
    while let Some(&byte) = text.get(pos) {
        if byte.is_ascii() {
            pos += 1;
            continue;
        }
        let (code, len) = decode(&text[pos..]);
        let folded = fold_char(code);
        if folded != Folded::Same {
            out.extend_from_slice(&text[copied..pos]);
            let at = out.len() - begin;
            if let Folded::To(ascii) = folded {
                out.push(ascii);
            }
            map.push(at, out.len() - begin - at, pos, len);
            copied = pos + len;
        }
        pos += len;
    }
    out.extend_from_slice(&text[copied..]);
}

/// The first character and its length; what is not UTF-8 counts as a byte that stays.
fn decode(text: &[u8]) -> (u32, usize) {
    let (len, bits) = match text.first() {
        Some(&byte @ 0xC2..=0xDF) => (2, u32::from(byte & 0x1F)),
        Some(&byte @ 0xE0..=0xEF) => (3, u32::from(byte & 0x0F)),
        Some(&byte @ 0xF0..=0xF4) => (4, u32::from(byte & 0x07)),
        _ => return (u32::from(b'?'), 1),
    };
    let tail = text.get(1..len).filter(|tail| tail.iter().all(|byte| byte & 0xC0 == 0x80));
    match tail {
        Some(tail) => (tail.iter().fold(bits, |code, byte| code << 6 | u32::from(byte & 0x3F)), len),
        None => (u32::from(b'?'), 1),
    }
}

/// What becomes of the character `code`, which is not ASCII.
fn fold_char(code: u32) -> Folded {
    match code {
        // Soft hyphen, joiners, direction marks, variation selectors, fillers.
        0xAD
        | 0x34F
        | 0x61C
        | 0x115F
        | 0x1160
        | 0x17B4
        | 0x17B5
        | 0x180B..=0x180F
        | 0x3164
        | 0xFEFF
        | 0xFFA0 => Folded::Dropped,
        0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F => Folded::Dropped,
        // Combining marks on Latin letters and digits.
        0x300..=0x36F => Folded::Dropped,
        // Tags spell ASCII that people do not see and machines read; the rest of their plane is invisible.
        0xE0020..=0xE007E => to_ascii(code - 0xE0000),
        0xE0000..=0xE0FFF => Folded::Dropped,
        0xA0 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Folded::To(b' '),
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0xFE58 | 0xFE63 | 0x2E3A | 0x2E3B => Folded::To(b'-'),
        0xB7 | 0x2024 | 0x3002 | 0xFE52 | 0xFF61 => Folded::To(b'.'),
        0xFE6B => Folded::To(b'@'),
        0xFE55 => Folded::To(b':'),
        0xFE62 => Folded::To(b'+'),
        0xFF01..=0xFF5E => to_ascii(code - 0xFEE0),
        // Mathematical letters: thirteen alphabets of capitals and small letters.
        0x1D400..=0x1D6A3 => fold_letter((code - 0x1D400) % 52),
        // Circled letters.
        0x24B6..=0x24E9 => fold_letter(code - 0x24B6),
        _ => fold_digit(code),
    }
}

/// Letter number `idx` of capitals and small letters.
fn fold_letter(idx: u32) -> Folded {
    to_ascii(if idx < 26 { idx + 0x41 } else { idx - 26 + 0x61 })
}

fn fold_digit(code: u32) -> Folded {
    let idx = ZEROS.partition_point(|&zero| zero <= code);
    match idx.checked_sub(1).map(|idx| code - ZEROS[idx]) {
        Some(value @ 0..=9) => to_ascii(value + 0x30),
        _ => Folded::Same,
    }
}

fn to_ascii(code: u32) -> Folded {
    u8::try_from(code).map_or(Folded::Same, Folded::To)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> (String, OffsetMap) {
        let (mut out, mut map) = (Vec::new(), OffsetMap::default());
        fold(text.as_bytes(), &mut out, &mut map);
        (String::from_utf8(out).unwrap(), map)
    }

    #[test]
    fn digits_dashes_spaces_and_wide_forms_become_ascii() {
        for (text, wanted) in [
            ("٤٠٠٠ ٠٥٦٦", "4000 0566"),
            ("४०००", "4000"),
            ("𝟒𝟎𝟘𝟚𝟺𝟶", "400240"),
            ("0７８－０５－１１２０", "078-05-1120"),
            ("078\u{a0}05\u{202f}1120", "078 05 1120"),
            ("078·05⁃1120—", "078.05-1120-"),
            ("a\u{2060}l\u{200b}i\u{fe0f}c\u{e0104}e", "alice"),
            ("alice﹫example․com", "alice@example.com"),
            ("𝓪𝓵𝓲𝓬𝓮ⓐⓩⒶ", "aliceazA"),
            ("\u{e0034}\u{e0032}", "42"),
            ("4\u{301}2", "42"),
        ] {
            assert_eq!(folded(text).0, wanted);
        }
    }

    #[test]
    fn what_readers_tell_apart_stays() {
        for text in ["①②③ ⁴² ½ Ⅷ", "é 例え 👩 कर्म ﷺ", "plain ASCII, 4242", ""] {
            let (out, map) = folded(text);
            assert_eq!(out, text);
            assert!(map.is_identity());
        }
    }

    #[test]
    fn every_decimal_digit_of_every_script_is_an_ascii_digit() {
        for &zero in ZEROS {
            for value in 0..10u8 {
                let sign = char::from_u32(zero + u32::from(value)).unwrap();
                assert_eq!(folded(&sign.to_string()).0, value.to_string());
            }
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_copied() {
        let (mut out, mut map) = (Vec::new(), OffsetMap::default());
        let text = b"a\xff\xe2\x80b\xf0\x9d\x9f";
        fold(text, &mut out, &mut map);
        assert_eq!(out, text);
    }

    proptest! {
        #[test]
        fn spans_map_back_to_the_characters_they_came_from(text in "([a-c4]|[\u{ff10}-\u{ff19}\u{200b}\u{2014}é例])*") {
            let (out, map) = folded(&text);
            for (at, _) in out.char_indices() {
                let next = (at + 1..=out.len()).find(|&pos| out.is_char_boundary(pos)).unwrap();
                let source = text.get(map.start(at)..map.end(next)).unwrap();
                let again = folded(source).0;
                prop_assert_eq!(again.as_str(), out.get(at..next).unwrap());
                prop_assert_eq!(source.chars().count(), 1);
            }
        }
    }
}
