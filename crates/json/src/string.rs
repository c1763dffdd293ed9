//! String bodies decoded.

use crate::arch::Arch;
use crate::lexeme::StringFlags;
use crate::map::OffsetMap;
use memchr::memchr;

/// How many bytes are copied at once.
const PIECE: usize = 8;

/// Decodes the escapes of a string body into `text`, which must be empty, as `map` must be.
///
/// Lone surrogates become U+FFFD. What is no escape of RFC 8259 stays as it is written.
#[inline]
pub fn unescape(arch: Arch, body: &[u8], text: &mut Vec<u8>, map: &mut OffsetMap) {
    arch.unescape(body, text, map);
}

/// Appends `text` as the body of a JSON string, with no more escapes than RFC 8259 asks for.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}

/// As [`unescape`], eight bytes at a time: what runs where blocks do not pay, and their specification.
pub(crate) fn unescape_pieces(body: &[u8], text: &mut Vec<u8>, map: &mut OffsetMap) {
    // Decoded text is never longer than its source; a piece may be written a little beyond its end.
    text.resize(body.len() + PIECE, 0);
    let (mut at, mut text_at) = (0, 0);
    while let Some(piece) = body.get(at..).and_then(<[u8]>::first_chunk::<PIECE>) {
        text[text_at..text_at + PIECE].copy_from_slice(piece);
        let Some(skip) = backslash_in(piece) else {
            at += PIECE;
            text_at += PIECE;
            continue;
        };
        at += skip;
        text_at += skip;
        // In JSON inside JSON the next backslash is near, and nearly always a simple escape.
        match body.get(at + 1).map(|letter| ESCAPED.get(usize::from(*letter)).copied()) {
            Some(Some(character)) if character != 0 => {
                text[text_at] = character;
                map.push(text_at, 1, at, 2);
                at += 2;
                text_at += 1;
            }
            _ => (at, text_at) = decode_escape(body, at, text, text_at, map),
        }
    }
    while let Some(&byte) = body.get(at) {
        if byte == b'\\' {
            (at, text_at) = decode_escape(body, at, text, text_at, map);
        } else {
            text[text_at] = byte;
            at += 1;
            text_at += 1;
        }
    }
    text.truncate(text_at);
}

/// Decodes the escape at `at` to `text_at`; returns where both end.
pub(crate) fn decode_escape(
    body: &[u8],
    at: usize,
    text: &mut [u8],
    text_at: usize,
    map: &mut OffsetMap,
) -> (usize, usize) {
    let (len, character) = read_escape(&body[at..]);
    let mut bytes = [0; 4];
    let decoded = match character {
        Some(character) => character.encode_utf8(&mut bytes).as_bytes(),
        None => &body[at..at + len],
    };
    text[text_at..text_at + decoded.len()].copy_from_slice(decoded);
    if character.is_some() {
        map.push(text_at, decoded.len(), at, len);
    }
    (at + len, text_at + decoded.len())
}

/// What a backslash and a letter stand for; zero for `u` and for what is no escape.
pub(crate) static ESCAPED: [u8; 128] = {
    let mut table = [0; 128];
    let pairs = b"\"\"\\\\//b\x08f\x0Cn\nr\rt\t";
    let mut idx = 0;
    while idx < pairs.len() {
        table[pairs[idx] as usize] = pairs[idx + 1];
        idx += 2;
    }
    table
};

/// The first backslash of eight bytes.
#[inline]
fn backslash_in(chunk: &[u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let differs = u64::from_le_bytes(*chunk) ^ (ONES * 0x5C);
    // The upper bit of each byte that is zero; above the first one there may be false ones.
    let zeros = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
    (zeros != 0).then_some(zeros.trailing_zeros() as usize / 8)
}

/// The next backslash: mostly near, in JSON inside JSON, or far, in prose.
#[inline]
fn next_backslash(text: &[u8]) -> Option<usize> {
    const NEAR: usize = 32;
    let mut at = 0;
    while at < NEAR {
        let Some(chunk) = text[at..].first_chunk() else { break };
        if let Some(skip) = backslash_in(chunk) {
            return Some(at + skip);
        }
        at += 8;
    }
    memchr(b'\\', &text[at..]).map(|skip| at + skip)
}

/// Counts the code points of the decoded body; a surrogate pair is one, a lone surrogate is one.
pub fn count_chars(body: &[u8]) -> u64 {
    let mut count = 0;
    let mut at = 0;
    while let Some(skip) = next_backslash(&body[at..]) {
        count += leading_bytes(&body[at..at + skip]);
        at += skip;
        let (len, character) = read_escape(&body[at..]);
        count += match character {
            Some(_) => 1,
            None => leading_bytes(&body[at..at + len]),
        };
        at += len;
    }
    count + leading_bytes(&body[at..])
}

/// Bytes that begin a character.
fn leading_bytes(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64
}

/// The length of what begins with a backslash, and the character it stands for; none if it is no escape.
fn read_escape(rest: &[u8]) -> (usize, Option<char>) {
    let character = match rest.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(rest),
        // The byte behind the backslash may begin a character; only ASCII belongs to the pair for sure.
        Some(byte) if byte.is_ascii() => return (2, None),
        _ => return (1, None),
    };
    (2, Some(character))
}

fn unicode_escape(rest: &[u8]) -> (usize, Option<char>) {
    let Some(unit) = hex4(rest, 2) else { return (2, None) };
    if !(0xD800..0xE000).contains(&unit) {
        return (6, char::from_u32(unit));
    }
    if unit < 0xDC00
        && rest.get(6..8) == Some(b"\\u")
        && let Some(low) = hex4(rest, 8)
        && (0xDC00..0xE000).contains(&low)
    {
        return (12, char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)));
    }
    (6, Some(char::REPLACEMENT_CHARACTER))
}

/// The four hexadecimal digits at `from`.
fn hex4(text: &[u8], from: usize) -> Option<u32> {
    let mut value = 0;
    for &byte in text.get(from..from + 4)? {
        value = value << 4 | char::from(byte).to_digit(16)?;
    }
    Some(value)
}

/// Where a body that goes on may be cut: before an escape, a surrogate pair or a high surrogate that may get its
/// other half. `is_escaped` says that the byte behind the end is escaped.
pub(crate) fn cut(body: &[u8], is_escaped: bool) -> usize {
    let mut end = body.len();
    if is_escaped {
        end -= 1;
    } else {
        for back in 2..=5.min(end) {
            let at = end - back;
            if body[at] == b'\\' && body[at + 1] == b'u' && is_unescaped(body, at) {
                end = at;
                break;
            }
        }
    }
    if end >= 6 && body[end - 6] == b'\\' && body[end - 5] == b'u' && is_unescaped(body, end - 6) {
        let is_high = hex4(body, end - 4).is_some_and(|unit| (0xD800..0xDC00).contains(&unit));
        if is_high {
            end -= 6;
        }
    }
    end
}

/// What is to be said of the escapes of a body.
pub(crate) fn escape_flags(body: &[u8]) -> StringFlags {
    let mut flags = StringFlags::default();
    let mut rest = body;
    while let Some(at) = memchr(b'\\', rest) {
        flags |= StringFlags::ESCAPE;
        if rest.get(at + 1) == Some(&b'u') {
            return flags | StringFlags::UNICODE_ESCAPE;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    flags
}

/// Whether the backslash at `at` is not escaped itself.
fn is_unescaped(body: &[u8], at: usize) -> bool {
    body[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
}
