//! Percent-encoding as forms use it (WHATWG URL Standard, `application/x-www-form-urlencoded`).

use obelus_json::map::OffsetMap;

/// What stands for bytes that are no UTF-8.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// How long an escape is.
const ESCAPE_LEN: usize = 3;

/// Decodes `source`, which is UTF-8, appending to `text`; both begin together. Returns how much was read: less
/// than all only if the source is `open` and ends within an escape or within a character of several escapes.
///
/// A plus sign is a space. An escape that is none stays as it is written. Escaped bytes that are no UTF-8 become
/// U+FFFD, one for each beginning of a character, as servers decode them.
pub(crate) fn decode(source: &[u8], open: bool, text: &mut Vec<u8>, map: &mut OffsetMap) -> usize {
    let mut at = 0;
    while let Some(&byte) = source.get(at) {
        match byte {
            b'+' => {
                text.push(b' ');
                at += 1;
            }
            b'%' => {
                let unit = character(&source[at..], open);
                let (unit, len) = match &unit {
                    Unit::Open => return at,
                    Unit::Same => {
                        text.push(b'%');
                        at += 1;
                        continue;
                    }
                    Unit::Decoded(bytes, len) => (&bytes[..*len], len * ESCAPE_LEN),
                    Unit::Invalid(count) => (REPLACEMENT, count * ESCAPE_LEN),
                };
                map.push(text.len(), unit.len(), at, len);
                text.extend_from_slice(unit);
                at += len;
            }
            _ => {
                let len = source[at..].iter().position(|&byte| is_code(byte)).unwrap_or(source.len() - at);
                text.extend_from_slice(&source[at..at + len]);
                at += len;
            }
        }
    }
    at
}

/// Whether a byte stands for something else.
pub(crate) fn is_code(byte: u8) -> bool {
    matches!(byte, b'%' | b'+')
}

/// Appends `text` as it is written in a form.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(byte),
            _ => out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

/// What begins with a percent sign.
enum Unit {
    /// It depends on what comes.
    Open,
    /// No escape.
    Same,
    /// A character of so many bytes, each of which was an escape.
    Decoded([u8; 4], usize),
    /// So many escapes that are no character.
    Invalid(usize),
}

fn character(rest: &[u8], open: bool) -> Unit {
    let mut bytes = [0; 4];
    for count in 0..bytes.len() {
        match escape(rest.get(count * ESCAPE_LEN..).unwrap_or_default(), open) {
            Escape::Open => return Unit::Open,
            Escape::None if count == 0 => return Unit::Same,
            Escape::None => return Unit::Invalid(count),
            Escape::Byte(byte) => bytes[count] = byte,
        }
        match std::str::from_utf8(&bytes[..=count]) {
            Ok(_) => return Unit::Decoded(bytes, count + 1),
            Err(error) => {
                if let Some(len) = error.error_len() {
                    return Unit::Invalid(len);
                }
            }
        }
    }
    Unit::Invalid(bytes.len())
}

enum Escape {
    Open,
    None,
    Byte(u8),
}

fn escape(rest: &[u8], open: bool) -> Escape {
    let digit = |at: usize| rest.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    match (rest.first(), digit(1), digit(2)) {
        (Some(b'%'), Some(high), Some(low)) => {
            u8::try_from(high << 4 | low).map_or(Escape::None, Escape::Byte)
        }
        (Some(b'%'), Some(_), None) if open && rest.len() == 2 => Escape::Open,
        (Some(b'%'), None, _) if open && rest.len() == 1 => Escape::Open,
        (None, ..) if open => Escape::Open,
        _ => Escape::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(source: &str, open: bool) -> (String, usize) {
        let (mut text, mut map) = (Vec::new(), OffsetMap::default());
        let len = decode(source.as_bytes(), open, &mut text, &mut map);
        assert_eq!(map.text(len), text.len(), "{source}");
        (String::from_utf8(text).unwrap(), len)
    }

    #[test]
    fn escapes_are_decoded_and_bad_ones_stay() {
        for (source, wanted) in [
            ("a+b%20c%2B", "a b c+"),
            ("%zz%4%", "%zz%4%"),
            ("%c3%A9%E2%82%AC%F0%9F%98%80", "é€😀"),
            ("%FF%41", "\u{FFFD}A"),
            ("%E2%82x", "\u{FFFD}x"),
            ("%E2%82%41", "\u{FFFD}A"),
            ("%80%80", "\u{FFFD}\u{FFFD}"),
            ("%F0%9F", "\u{FFFD}"),
            ("é%C3", "é\u{FFFD}"),
        ] {
            assert_eq!(decoded(source, false), (wanted.to_owned(), source.len()), "{source}");
            let bytes: Vec<u8> = wanted.bytes().collect();
            let mut encoded = Vec::new();
            encode(&bytes, &mut encoded);
            assert_eq!(decoded(&String::from_utf8(encoded).unwrap(), false).0, wanted);
        }
    }

    #[test]
    fn an_open_source_ends_before_what_is_not_whole() {
        for (source, len) in [("ab%", 2), ("ab%4", 2), ("%E2%82", 0), ("%C3%", 0), ("%41", 3), ("%z", 2)] {
            assert_eq!(decoded(source, true).1, len, "{source}");
        }
    }
}
