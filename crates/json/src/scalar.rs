//! Numbers and literals, as RFC 8259 writes them.

use crate::error::SyntaxKind;
use crate::lexeme::Scalar;

/// What a run of scalar bytes is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// A whole scalar.
    Whole(Scalar),
    /// The beginning of one.
    Begun,
    /// None, as the byte at this distance shows.
    Wrong(SyntaxKind, usize),
}

/// Whether `byte` ends a scalar.
#[inline]
pub(crate) fn is_delimiter(byte: u8) -> bool {
    const DELIMITERS: [bool; 256] = {
        let mut table = [false; 256];
        let bytes = b" \t\n\r,:[]{}\"";
        let mut idx = 0;
        while idx < bytes.len() {
            table[bytes[idx] as usize] = true;
            idx += 1;
        }
        table
    };
    DELIMITERS[usize::from(byte)]
}

/// The common scalars, with what ends them in sight: literals and plain integers.
#[inline(always)]
pub(crate) fn quick(rest: &[u8]) -> Option<(Scalar, usize)> {
    let (kind, len) = match rest {
        [b'n', b'u', b'l', b'l', ..] | [b't', b'r', b'u', b'e', ..] => (Scalar::Literal, 4),
        [b'f', b'a', b'l', b's', b'e', ..] => (Scalar::Literal, 5),
        [b'1'..=b'9', ..] => (Scalar::Number, digits(rest)),
        [b'0', ..] => (Scalar::Number, 1),
        _ => return None,
    };
    (rest.len() > len && is_delimiter(rest[len])).then_some((kind, len))
}

/// How many digits a text begins with.
#[inline(always)]
fn digits(text: &[u8]) -> usize {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    /// Added to 0 to 9 this leaves the upper bit clear, to more it does not.
    const TO_TEN: u64 = 0x7676_7676_7676_7676;
    let mut len = 0;
    while let Some(chunk) = text[len..].first_chunk() {
        let word = u64::from_le_bytes(*chunk) ^ ZEROS;
        let others = (((word & LOW) + TO_TEN) | word) & !LOW;
        if others != 0 {
            return len + others.trailing_zeros() as usize / 8;
        }
        len += chunk.len();
    }
    len + text[len..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Looks at a run of scalar bytes.
pub(crate) fn look(text: &[u8]) -> Verdict {
    match text.first() {
        Some(b'-' | b'0'..=b'9') => number(text),
        Some(b't') => literal(text, b"true"),
        Some(b'f') => literal(text, b"false"),
        Some(b'n') => literal(text, b"null"),
        _ => Verdict::Wrong(SyntaxKind::UnexpectedByte, 0),
    }
}

fn literal(text: &[u8], word: &[u8]) -> Verdict {
    let same = text.iter().zip(word).take_while(|(left, right)| left == right).count();
    if same < text.len() {
        Verdict::Wrong(SyntaxKind::InvalidLiteral, same)
    } else if same < word.len() {
        Verdict::Begun
    } else {
        Verdict::Whole(Scalar::Literal)
    }
}

fn number(text: &[u8]) -> Verdict {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(text[0] == b'-');
    // int
    let int = digits(at);
    if int == 0 {
        return missing(text, at);
    }
    if int > 1 && text[at] == b'0' {
        return Verdict::Wrong(SyntaxKind::InvalidNumber, at + 1);
    }
    at += int;
    // frac
    if text.get(at) == Some(&b'.') {
        let frac = digits(at + 1);
        if frac == 0 {
            return missing(text, at + 1);
        }
        at += 1 + frac;
    }
    // exp
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        let exp = digits(at);
        if exp == 0 {
            return missing(text, at);
        }
        at += exp;
    }
    if at < text.len() {
        Verdict::Wrong(SyntaxKind::InvalidNumber, at)
    } else {
        Verdict::Whole(Scalar::Number)
    }
}

/// A digit is missing at `at`.
fn missing(text: &[u8], at: usize) -> Verdict {
    if at >= text.len() { Verdict::Begun } else { Verdict::Wrong(SyntaxKind::InvalidNumber, at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_whatever_follows() {
        for count in 0..40 {
            for byte in 0..=u8::MAX {
                let mut text = b"1234567890".repeat(4)[..count].to_vec();
                assert_eq!(digits(&text), count);
                text.push(byte);
                text.extend_from_slice(b",\n  \"next\": 1");
                assert_eq!(digits(&text), count + usize::from(byte.is_ascii_digit()), "{count} {byte}");
            }
        }
    }
}
