//! What looks random and is not: ids, signatures, vectors. The same input gives the same output in every run.

use std::hash::{DefaultHasher, Hash, Hasher};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// 64 bits that depend on everything given.
fn digest(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// An id of the usual look: the prefix and `len` letters and digits.
pub(crate) fn id(prefix: &str, number: u64, len: usize) -> String {
    let letter = |at: usize| {
        let index = usize::try_from(digest((prefix, number, at)) % 62).unwrap_or_default();
        char::from(LETTERS[index])
    };
    prefix.chars().chain((0..len).map(letter)).collect()
}

/// What vouches for a text: 48 bytes in base64. Whoever changes the text cannot know it.
pub(crate) fn signature(kind: &str, text: &str) -> String {
    let bytes: Vec<u8> = (0_u8..6).flat_map(|at| digest((kind, text, at)).to_be_bytes()).collect();
    base64(&bytes)
}

/// A vector for a text, each number in [-1, 1).
pub(crate) fn vector(text: &str, len: usize) -> Vec<f32> {
    let number = |at: usize| {
        let high = u16::try_from(digest((text, at)) >> 48).unwrap_or_default();
        f32::from(high) / 32768.0 - 1.0
    };
    (0..len).map(number).collect()
}

/// Base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = [0_u8; 3];
        bits[..group.len()].copy_from_slice(group);
        let sextets = [
            bits[0] >> 2,
            (bits[0] & 3) << 4 | bits[1] >> 4,
            (bits[1] & 15) << 2 | bits[2] >> 6,
            bits[2] & 63,
        ];
        for (at, &sextet) in sextets.iter().enumerate() {
            let sign = if at <= group.len() { BASE64[usize::from(sextet)] } else { b'=' };
            text.push(char::from(sign));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn signatures_depend_on_the_text() {
        assert_eq!(signature("thinking", "a").len(), 64);
        assert_ne!(signature("thinking", "a"), signature("thinking", "b"));
        assert_ne!(signature("thinking", "a"), signature("reasoning", "a"));
    }
}
