//! What stands in place of a finding and must not be taken for one.

use crate::Category;

/// How many letters stand for a hash behind the category in a label: 96 bits, four a letter.
pub const HASH_LETTERS: usize = 24;

/// Whether `text` is a label: a category in square brackets, alone or with a colon and a hash in the letters `a` to
/// `p`.
#[inline]
pub fn is_label(text: &[u8]) -> bool {
    text.first() == Some(&b'[') && is_bracketed_label(text)
}

fn is_bracketed_label(text: &[u8]) -> bool {
    let Some(inner) = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")) else {
        return false;
    };
    let name = match memchr::memchr(b':', inner) {
        Some(colon) if is_hash(&inner[colon + 1..]) => &inner[..colon],
        Some(_) => return false,
        None => inner,
    };
    Category::ALL.iter().any(|category| name == category.as_str().as_bytes())
}

fn is_hash(text: &[u8]) -> bool {
    text.len() == HASH_LETTERS && text.iter().all(|byte| matches!(byte, b'a'..=b'p'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_known_with_a_hash_and_without() {
        for text in ["[email]", "[us-ssn]", "[email:abcdefghijklmnopabcdefgh]"] {
            assert!(is_label(text.as_bytes()), "{text}");
        }
        for text in ["email", "[mail]", "[email-2]", "[email:]", "[email:4242424242424242aaaaaaaa]", "[]", ""]
        {
            assert!(!is_label(text.as_bytes()), "{text}");
        }
    }
}
