//! Texts in disguise: base64, hexadecimal, percent signs, HTML entities, quoted-printable.
//!
//! What looks encoded is decoded as far as one candidate may see, and the detectors read the result. Two families:
//!
//! * *Runs* (base64, hexadecimal) are one unit. If anything is found inside, the whole run is the finding: what is
//!   left of it could not be read any more anyway.
//! * *Signs* (`%40`, `&#64;`, `=40`, tags that split a word) stand among plain characters. The text around is decoded
//!   sign by sign, and what is found is mapped back.
//!
//! The first bytes decide whether a run is text at all; random bytes seldom look like it, so that ids and digests
//! cost a few steps and no memory.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};
use obelus_json::map::OffsetMap;

use crate::detectors::is_glued;
use crate::view::{Class, View};

/// How deep texts are decoded that lie in each other.
pub(crate) const DEPTH_MAX: u8 = 3;

/// How many bytes before a sign are decoded with it.
pub(crate) const LEAD: usize = 64;

/// How short a run may be, in decoded bytes.
const RUN_LEN_MIN: usize = 10;
/// How few digits among signs are worth a look.
const DIGITS_MIN: usize = 8;
/// What a value with percent signs ends with.
const VALUE: Class = Class::ANY.without(b" \"\n");
/// How many digits in a row are no number that could be anybody's.
const DIGITS_RUN_MAX: usize = 40;
/// How many at signs from a sign on, and before it, are read: those of the addresses around and one in a password.
const AT_SIGNS_MAX: usize = 3;
/// How many decoded bytes tell whether a run is text.
const GLANCE_LEN: usize = 9;

/// What kind of encoding a candidate is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    Base64,
    Hex,
    Percent,
    Html,
    QuotedPrintable,
}

/// A decoded text and the way back.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) text: Vec<u8>,
    /// The run that stands for all of it; else `map` leads back.
    run: Option<Range<usize>>,
    map: OffsetMap,
    /// Where the source of `map` begins.
    base: usize,
    /// Where in `text` something was encoded.
    signs: Vec<usize>,
}

/// Upper half of the values of six bits: the first character of three bytes of ASCII.
const FIRST: ByteSet = ByteSet::range(b'A', b'Z').or(ByteSet::range(b'a', b'f'));
/// The second: bit 3 is clear.
const SECOND: ByteSet = ByteSet::range(b'A', b'H')
    .or(ByteSet::range(b'Q', b'X'))
    .or(ByteSet::range(b'g', b'n'))
    .or(ByteSet::of(b"wxyz0123"));
/// The third: bit 1 is clear.
const THIRD: ByteSet = ByteSet::of(b"ABEFIJMNQRUVYZcdghklopstwx014589-+");
const ANY_64: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"+/-_"));
/// The upper half of a printable byte in hexadecimal.
const HIGH: ByteSet = ByteSet::range(b'2', b'7');
const HEX: ByteSet = ByteSet::HEX;
const PAIR_GAP: ByteSet = ByteSet::of(b" :-");

/// Where encoded text may begin.
pub(crate) const WINDOWS: &[(Window, Encoding)] = &[
    (Window { sets: [FIRST, SECOND, THIRD, ANY_64, FIRST, ANY_64, SECOND, THIRD] }, Encoding::Base64),
    (Window { sets: [HIGH, HEX, HIGH, HEX, HIGH, HEX, HEX, HIGH] }, Encoding::Hex),
    (Window { sets: [HIGH, HEX, PAIR_GAP, HIGH, HEX, HEX, HIGH, HEX] }, Encoding::Hex),
    (Window::head(&[ByteSet::of(b"%"), ByteSet::range(b'3', b'7'), HEX]), Encoding::Percent),
    (Window::head(&[ByteSet::of(b"%"), ByteSet::of(b"2"), ByteSet::of(b"5")]), Encoding::Percent),
    (
        Window::head(&[ByteSet::of(b"&"), ByteSet::of(b"#"), ByteSet::DIGIT.or(ByteSet::of(b"xX"))]),
        Encoding::Html,
    ),
    (Window::head(&[ByteSet::of(b"<"), ByteSet::of(b"!wW"), ByteSet::of(b"-bB")]), Encoding::Html),
    (Window::head(&[ByteSet::of(b"="), ByteSet::of(b"24"), ByteSet::of(b"0Ee")]), Encoding::QuotedPrintable),
    (Window::head(&[ByteSet::of(b"="), ByteSet::of(b"\r\n")]), Encoding::QuotedPrintable),
];

impl Encoding {
    /// How many bytes from a candidate on are decoded.
    pub(crate) fn ahead(self) -> usize {
        match self {
            Encoding::Base64 | Encoding::Hex => 4096,
            Encoding::Percent | Encoding::Html => 192,
            Encoding::QuotedPrintable => 128,
        }
    }

    /// Decodes what begins at `at`, if it is worth reading.
    pub(crate) fn decode(self, view: &View<'_>, at: usize) -> Option<Decoded> {
        match self {
            Encoding::Base64 => base64(view, at),
            Encoding::Hex => hex(view, at),
            _ => signs(self, view, at),
        }
    }
}

impl Decoded {
    /// Where a finding in the decoded text stands in the source; nothing if nothing of it was encoded.
    pub(crate) fn source(&self, found: Range<usize>) -> Option<Range<usize>> {
        if let Some(run) = &self.run {
            return Some(run.clone());
        }
        let is_disguised = self.signs.iter().any(|at| found.contains(at));
        is_disguised.then(|| self.base + self.map.start(found.start)..self.base + self.map.end(found.end))
    }

    fn of_run(text: Vec<u8>, run: Range<usize>) -> Option<Decoded> {
        let text = without_zeros(text);
        (text.len() >= RUN_LEN_MIN).then(|| Decoded { text, run: Some(run), ..Decoded::default() })
    }
}

/// UTF-16 of ASCII as ASCII; other text as it is.
fn without_zeros(mut text: Vec<u8>) -> Vec<u8> {
    if text.get(1) == Some(&0) {
        let mut odd = true;
        text.retain(|_| {
            odd = !odd;
            !odd
        });
    }
    text
}

/// Whether the first bytes of a run are those of a text: ASCII, or UTF-16 of it.
fn is_text(glance: &[u8]) -> bool {
    let is_sign = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let is_wide = glance.get(1) == Some(&0);
    let mut bytes = glance.iter().enumerate();
    bytes.all(|(idx, &byte)| if is_wide && idx % 2 == 1 { byte == 0 } else { is_sign(byte) })
}

/// The value of a character of base 64, of either alphabet.
fn value_64(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

fn base64(view: &View<'_>, at: usize) -> Option<Decoded> {
    // In a decoded text every position is asked about; a run read anew from each of its signs would take the square of
    // its length.
    if is_glued(view, at) {
        return None;
    }
    // The signs of the alphabet divide paths, too; far into a run the beginning was asked for already.
    let is_divided = matches!(view.before(at), b'+' | b'/' | b'-' | b'_');
    if is_divided && at - view.back(at, Class::ALNUM.with(b"+/-_")) >= LEAD {
        return None;
    }
    let mut glance = [0; GLANCE_LEN];
    for (group, bytes) in glance.chunks_mut(3).enumerate() {
        let from = at + 4 * group;
        let bits = (from..from + 4).try_fold(0, |bits, pos| Some(bits << 6 | value_64(view.at(pos))?))?;
        bytes.copy_from_slice(bits.to_be_bytes().get(1..)?);
    }
    if !is_text(&glance) {
        return None;
    }
    let (mut text, mut bits, mut count, mut pos) = (Vec::new(), 0u32, 0, at);
    loop {
        let byte = view.at(pos);
        if let Some(value) = value_64(byte) {
            bits = bits << 6 | value;
            count += 6;
            if count >= 8 {
                count -= 8;
                text.push((bits >> count & 0xFF).to_le_bytes()[0]);
            }
        } else if !(matches!(byte, b'\r' | b'\n')
            && pos - at >= 60
            && value_64(next_of_line(view, pos)).is_some())
        {
            break;
        }
        pos += 1;
    }
    Decoded::of_run(text, at..view.run_up_to(pos, 2, Class::of(b"=")))
}

/// The first byte of the line behind the line break at `pos`.
fn next_of_line(view: &View<'_>, pos: usize) -> u8 {
    view.at(if view.at(pos) == b'\r' && view.at(pos + 1) == b'\n' { pos + 2 } else { pos + 1 })
}

fn hex(view: &View<'_>, at: usize) -> Option<Decoded> {
    let before = view.before(at);
    let is_prefixed = before == b'x' && at >= 2 && matches!(view.at(at - 2), b'0' | b'\\');
    if before.is_ascii_alphanumeric() && !is_prefixed {
        return None;
    }
    let gap = usize::from(Class::of(b" :-").has(view.at(at + 2)));
    let pair = |pos: usize| Some(half(view.at(pos))? << 4 | half(view.at(pos + 1))?);
    // The pair before was asked for already and saw this one.
    let before = at.checked_sub(3).filter(|_| gap == 1 && view.before(at) == view.at(at + 2)).and_then(pair);
    if before.is_some_and(|byte| is_text(&[byte])) {
        return None;
    }
    let mut glance = [0; GLANCE_LEN];
    for (idx, byte) in glance.iter_mut().enumerate() {
        *byte = pair(at + idx * (2 + gap))?;
    }
    if !is_text(&glance) {
        return None;
    }
    let (mut text, mut pos) = (Vec::new(), at);
    let mut end = at;
    while let Some(byte) = pair(pos) {
        text.push(byte);
        end = pos + 2;
        let is_joined = gap == 0 || view.at(end) == view.at(at + 2);
        if !is_joined {
            break;
        }
        pos = end + gap;
    }
    (!view.at(end).is_ascii_alphanumeric()).then(|| Decoded::of_run(text, at..end)).flatten()
}

/// The value of a hexadecimal digit.
fn half(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// One encoded sign: what it stands for (nothing, for what only splits a word) and its length.
type Sign = (Option<u8>, usize);

/// Decodes the text around `at`, if the sign there may be part of something.
fn signs(encoding: Encoding, view: &View<'_>, at: usize) -> Option<Decoded> {
    let sign = |pos: usize| match encoding {
        Encoding::Percent => percent(view, pos, 2).map(|(byte, len)| (Some(byte), len)),
        Encoding::Html => entity(view, pos).or_else(|| tag(view, pos)),
        _ => quoted(view, pos),
    };
    let (byte, _) = sign(at)?;
    if !byte.is_none_or(may_matter) {
        return None;
    }
    // An address with nothing but its sign behind percent signs is found as it stands.
    if encoding == Encoding::Percent && byte == Some(b'@') {
        return None;
    }
    // The sign before was asked for already and saw this one.
    if follows_sign(encoding, at, sign) {
        return None;
    }
    // An address has one sign of its own; beyond those of its neighbours nothing belongs to it.
    let is_at_sign = |pos: usize| match view.at(pos) {
        b'@' => true,
        b'%' | b'=' | b'&' => matches!(sign(pos), Some((Some(b'@'), _))),
        _ => false,
    };
    let mut floor = at.saturating_sub(LEAD);
    if encoding == Encoding::Percent {
        // A value that is encoded so has no space.
        floor = floor.max(view.back(at, VALUE));
    }
    let nearest = if byte == Some(b'@') { AT_SIGNS_MAX - 1 } else { AT_SIGNS_MAX };
    let behind = (floor..at).rev();
    let base = behind.filter(|&pos| is_at_sign(pos)).nth(nearest - 1).unwrap_or(floor);
    let mut decoded = Decoded { base, ..Decoded::default() };
    let mut pos = base;
    let mut at_signs = 0;
    let mut run = 0;
    let end = at + encoding.ahead();
    while pos < end && at_signs < AT_SIGNS_MAX && run <= DIGITS_RUN_MAX {
        let byte = view.at(pos);
        if byte == 0 || encoding == Encoding::Percent && pos > at && !VALUE.has(byte) {
            break;
        }
        let (put, len) = sign(pos).unwrap_or((Some(byte), 1));
        if len > 1 {
            decoded.signs.push(decoded.text.len());
            decoded.map.push(decoded.text.len(), usize::from(put.is_some()), pos - base, len);
        }
        decoded.text.extend(put);
        if pos >= at {
            at_signs += usize::from(put == Some(b'@'));
        }
        if let Some(put) = put {
            run = if put.is_ascii_digit() { run + 1 } else { 0 };
        }
        pos += len;
    }
    // No number is that long.
    if run > DIGITS_RUN_MAX {
        return None;
    }
    // Addresses and numbers are what people hide so; reading every text would let bait cost too much.
    let digits = decoded.text.iter().filter(|byte| byte.is_ascii_digit()).count();
    (digits >= DIGITS_MIN || decoded.text.contains(&b'@')).then_some(decoded)
}

/// Whether a decoded sign may be part of an address or a number; a space or slash says nothing.
fn may_matter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.')
}

/// Whether a sign that may be part of something ends at `at`.
fn follows_sign(encoding: Encoding, at: usize, sign: impl Fn(usize) -> Option<Sign>) -> bool {
    let lens = match encoding {
        Encoding::Percent => 3..=9,
        Encoding::Html => 4..=8,
        _ => 3..=3,
    };
    lens.filter(|&len| len <= at).any(
        |len| matches!(sign(at - len), Some((Some(byte), sign_len)) if sign_len == len && may_matter(byte)),
    )
}

/// What the percent sign at `pos` encodes, through `depth` more encodings.
fn percent(view: &View<'_>, pos: usize, depth: usize) -> Option<(u8, usize)> {
    if view.at(pos) != b'%' {
        return None;
    }
    let digit = |pos: usize| match depth.checked_sub(1).and_then(|depth| percent(view, pos, depth)) {
        Some((byte, len)) => Some((half(byte)?, len)),
        None => Some((half(view.at(pos))?, 1)),
    };
    let (upper, upper_len) = digit(pos + 1)?;
    let (lower, lower_len) = digit(pos + 1 + upper_len)?;
    let (byte, len) = (upper << 4 | lower, 1 + upper_len + lower_len);
    if byte == b'%'
        && depth > 0
        && let Some((upper, upper_len)) = digit(pos + len)
        && let Some((lower, lower_len)) = digit(pos + len + upper_len)
    {
        return Some((upper << 4 | lower, len + upper_len + lower_len));
    }
    Some((byte, len))
}

/// A numeric entity, with or without its semicolon.
fn entity(view: &View<'_>, pos: usize) -> Option<Sign> {
    if view.at(pos) != b'&' || view.at(pos + 1) != b'#' {
        return None;
    }
    let is_hex = matches!(view.at(pos + 2), b'x' | b'X');
    let (from, radix, class) = if is_hex { (pos + 3, 16, Class::HEX) } else { (pos + 2, 10, Class::DIGIT) };
    let end = view.run_up_to(from, 6, class);
    let value = view
        .bytes(from, end)
        .iter()
        .try_fold(0u32, |value, &byte| Some(value * radix + char::from(byte).to_digit(radix)?))?;
    let byte = u8::try_from(value).ok().filter(|byte| end > from && (b' '..=b'~').contains(byte))?;
    Some((Some(byte), end + usize::from(view.at(end) == b';') - pos))
}

/// A comment or a place for a line break: it may split what it stands in.
fn tag(view: &View<'_>, pos: usize) -> Option<Sign> {
    let len_max = 80;
    if view.starts_with(pos, b"<!--") {
        let end = (pos + 4..pos + len_max).find(|&end| view.starts_with(end, b"-->"))?;
        return Some((None, end + 3 - pos));
    }
    if view.starts_with_any_case(pos, b"<wbr") {
        let end = view.run_up_to(pos + 4, 2, Class::of(b" /"));
        return (view.at(end) == b'>').then(|| (None, end + 1 - pos));
    }
    None
}

/// A sign of quoted-printable, or its soft line break.
fn quoted(view: &View<'_>, pos: usize) -> Option<Sign> {
    if view.at(pos) != b'=' {
        return None;
    }
    match (view.at(pos + 1), view.at(pos + 2)) {
        (b'\r', b'\n') => Some((None, 3)),
        (b'\n', _) => Some((None, 2)),
        (upper, lower) => {
            let byte = half(upper)? << 4 | half(lower)?;
            Some((Some(byte), 3)).filter(|_| !upper.is_ascii_lowercase() && !lower.is_ascii_lowercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Carry, Detectors, Piece};
    use obelus_json::Arch;

    fn found(text: &str) -> Vec<&str> {
        let detectors = Detectors::new(|detector| matches!(detector.id, "email" | "card-number" | "us-ssn"));
        let mut out = Vec::new();
        let piece = Piece { text: text.as_bytes(), ..Piece::default() };
        detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut out);
        out.iter().map(|found| text.get(found.start..found.end).unwrap()).collect()
    }

    #[test]
    fn what_is_encoded_is_found_and_nothing_around_it() {
        for (before, hidden, after) in [
            ("x ", "bWFpbCBhbGljZS5zbWl0aEBleGFtcGxlLmNvbQ==", " y"),
            ("x ", "eyJlbWFpbCI6ImFsaWNlQGV4YW1wbGUuY29tIn0", ""),
            ("data:text/csv;base64,", "bWFpbApib2IrYmlsbGluZ0BleGFtcGxlLm9yZwo=", "\""),
            ("", "616c696365406578616d706c652e636f6d", ""),
            ("0x", "616C696365406578616D706C652E636F6D", ";"),
            ("", "61 6c 69 63 65 40 65 78 61 6d 70 6c 65 2e 63 6f 6d", " keep"),
            ("q=", "%61%6C%69%63%65%40%65%78%61%6D%70%6C%65%2E%63%6F%6D", "&page=2"),
            ("q=", "%25%36%31lice%2540example.com", "&page=2"),
            ("<p>", "&#97;&#108;&#105;ce&#64;example&#46;com", " keep</p>"),
            ("<p>", "alice.smith<!-- x -->@example<wbr>.com", " keep</p>"),
            ("<p>", "alice.smith&#64example.com", " keep"),
            ("card ", "4000 0566 55=\r\n66 5556", ""),
            ("mail ", "alice=40example=2Ecom", "\n"),
        ] {
            let text = [before, hidden, after].concat();
            assert_eq!(found(&text), [hidden], "{text}");
        }
    }

    #[test]
    fn what_only_looks_encoded_stays() {
        for text in [
            "pi_3MtwBwLkdIwHu7ix28a3tqPa evt_1NG8Du2eZvKYlo2CUI79vXWy",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "YWxsIGlzIHdlbGwgYW5kIG5vYm9keSBpcyBoZXJl",
            "https://example.com/?a=%7B%22x%22%3A1%7D&b=100%25&status=40",
            "&#8220;quoted&#8221; &amp; <!-- note --> <wbr>",
            "a =\n b and limit=40 page=2E",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
