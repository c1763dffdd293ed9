//! Keyed hashes in place of findings.
//!
//! HMAC-SHA-256 (RFC 2104) over the category and the value. A plain hash would not do: there are so few card
//! numbers, telephone numbers and dates of birth that all of them can be tried. The category goes in as well, so
//! that equal digits in two of them cannot be joined.
//!
//! The hash is written in the letters `a` to `p`, four bits each. Digits would be found again: as a card number by
//! chance, and as the secret that the word `secret` before them announces.

use hmac::{Hmac, Mac};
use obelus_detect::{Category, HASH_LETTERS};
use sha2::Sha256;
use std::fmt;

/// How short a key may be.
pub(crate) const KEY_BYTES_MIN: usize = 32;

/// What else might ever be hashed under the same key begins with other words.
const DOMAIN: &[u8] = b"obelus finding 1\0";

/// A key, as it was given.
#[derive(Clone)]
pub(crate) struct HashKey(Vec<u8>);

/// A key, ready for use.
#[derive(Clone)]
pub(crate) struct Hasher(Hmac<Sha256>);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

impl HashKey {
    pub(crate) fn new(key: &[u8]) -> HashKey {
        HashKey(key.to_vec())
    }

    /// Nothing if the key is too short.
    pub(crate) fn hasher(&self) -> Option<Hasher> {
        if self.0.len() < KEY_BYTES_MIN {
            return None;
        }
        Hmac::new_from_slice(&self.0).ok().map(Hasher)
    }
}

impl Hasher {
    /// Appends `[category:hash]` for `value`, the decoded text.
    pub(crate) fn render(&self, category: Category, value: &[u8], out: &mut Vec<u8>) {
        let mut mac = self.0.clone();
        mac.update(DOMAIN);
        mac.update(category.as_str().as_bytes());
        mac.update(b"\0");
        update(&mut mac, category, value);
        let digest = mac.finalize().into_bytes();
        out.push(b'[');
        out.extend_from_slice(category.as_str().as_bytes());
        out.push(b':');
        out.extend(
            digest.iter().take(HASH_LETTERS / 2).flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]),
        );
        out.push(b']');
    }
}

/// Feeds `value` in the spelling by which values of the category are the same: numbers without their separators,
/// e-mail addresses in lower case.
fn update(mac: &mut Hmac<Sha256>, category: Category, value: &[u8]) {
    let is_number = matches!(
        category,
        Category::CardNumber
            | Category::BankAccount
            | Category::BankRouting
            | Category::Iban
            | Category::UsSsn
            | Category::GovernmentId
            | Category::TaxId
            | Category::Phone
    );
    if !is_number && category != Category::Email {
        mac.update(value);
        return;
    }
    for byte in value {
        if !is_number {
            mac.update(&[byte.to_ascii_lowercase()]);
        } else if !matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')') {
            mac.update(&[byte.to_ascii_uppercase()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obelus_detect::is_label;

    fn hash(key: u8, category: Category, value: &str) -> String {
        let mut out = Vec::new();
        HashKey::new(&[key; 32]).hasher().unwrap().render(category, value.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_value_gives_the_same_label_however_it_is_written() {
        for (category, one, other) in [
            (Category::CardNumber, "4242 4242-4242 4242", "4242424242424242"),
            (Category::Email, "Jenny@Example.com", "jenny@example.com"),
            (Category::Iban, "de89 3704 0044", "DE8937040044"),
        ] {
            assert_eq!(hash(1, category, one), hash(1, category, other));
            assert!(is_label(hash(1, category, one).as_bytes()));
        }
    }

    #[test]
    fn another_value_category_or_key_gives_another_label() {
        let one = hash(1, Category::Phone, "2015550123");
        let body = |label: &str| label.split(':').nth(1).map(str::to_owned);
        assert_ne!(one, hash(1, Category::Phone, "2015550124"));
        assert_ne!(one, hash(2, Category::Phone, "2015550123"));
        assert_ne!(body(&one), body(&hash(1, Category::UsSsn, "2015550123")));
        assert_ne!(hash(1, Category::PersonName, "Jenny"), hash(1, Category::PersonName, "jenny"));
    }

    #[test]
    fn a_key_is_long_and_never_shown() {
        assert!(HashKey::new(&[7; 31]).hasher().is_none());
        let key = HashKey::new(b"quartz-quartz-quartz-quartz-quartz");
        assert_eq!(format!("{key:?} {:?}", key.hasher()), "HashKey { .. } Some(Hasher { .. })");
    }
}
