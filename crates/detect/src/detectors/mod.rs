//! The detectors, one file each.
//!
//! Where several look at the same shapes they share a bucket of the filter. Shapes in one bucket mix, distance
//! by distance, so those were put together that widen each other least.

use std::ops::Range;

use crate::detector::{Detector, Find};
use crate::view::{Class, View};

mod auth;
mod bic;
pub(crate) mod card;
mod column;
mod cvc;
mod email;
mod embedded;
mod expiry;
mod iban;
mod ids;
mod ipv4;
mod ipv6;
mod jwt;
mod labelled;
mod links;
mod mac;
pub(crate) mod national;
mod pem;
mod phone;
mod phone_labelled;
mod phone_national;
mod placeholder;
mod ssn;
mod tokens;
mod url_credentials;
mod vendors;
mod wallet;

/// Every detector. To add one, add a file and a line.
pub(crate) const ALL: &[&[Detector]] = &[
    card::DETECTORS,
    cvc::DETECTORS,
    expiry::DETECTORS,
    iban::DETECTORS,
    ssn::DETECTORS,
    email::DETECTORS,
    phone::DETECTORS,
    phone_national::DETECTORS,
    phone_labelled::DETECTORS,
    ipv4::DETECTORS,
    ipv6::DETECTORS,
    mac::DETECTORS,
    tokens::DETECTORS,
    vendors::DETECTORS,
    embedded::DETECTORS,
    links::DETECTORS,
    jwt::DETECTORS,
    pem::DETECTORS,
    auth::DETECTORS,
    url_credentials::DETECTORS,
    labelled::DETECTORS,
    national::DETECTORS[0],
    national::DETECTORS[1],
    national::DETECTORS[2],
    national::DETECTORS[3],
    national::DETECTORS[4],
    bic::DETECTORS,
    wallet::DETECTORS,
];

/// Digits of cards.
pub(crate) const DIGITS_BUCKET: u8 = 0;
/// `+`, `(`, and signs that are escaped.
pub(crate) const SIGNS_BUCKET: u8 = 1;
/// IBAN.
pub(crate) const IBAN_BUCKET: u8 = 2;
/// Literals of which three characters are known and the rest is letters and digits.
pub(crate) const SHORT_TOKEN_BUCKET: u8 = 3;
/// `@`.
pub(crate) const AT_BUCKET: u8 = 4;
/// The first dot of an IPv4 address.
pub(crate) const DOT_BUCKET: u8 = 5;
/// Words that say what follows.
pub(crate) const WORD_BUCKET: u8 = 6;
/// The `:` of IPv6.
pub(crate) const COLON_BUCKET: u8 = 7;
/// The `::` of IPv6.
pub(crate) const GAP_BUCKET: u8 = 15;
/// Three digits, or `SSN`, and a separator: social security numbers, American telephone numbers.
pub(crate) const GROUP_BUCKET: u8 = 8;
/// Words before a secret: `token`, `password`.
pub(crate) const LABEL_BUCKET: u8 = 9;

/// Ids of states and banks: digits in groups, from the first digit on.
pub(crate) const ID_BUCKET: u8 = 16;
/// The same: a sign and a digit, or a capital letter, and a digit six places on.
pub(crate) const LEAD_BUCKET: u8 = 17;
/// The beginning of a wallet's address that says its kind.
pub(crate) const WALLET_BUCKET: u8 = 27;
/// The first characters of a wallet's address in base 58.
pub(crate) const BASE58_BUCKET: u8 = 28;

/// Literals that begin with a sign, and the word `key`.
pub(crate) const EDGE_BUCKET: u8 = 12;
/// A sign in the middle of a secret, one character behind its beginning.
pub(crate) const MIDDLE_BUCKET: u8 = 22;
/// Words that announce a telephone number, and digits or separators farther on.
pub(crate) const PHONE_BUCKET: u8 = 23;

/// How much of a secret's literal its window leaves out in front: a sign as the fifth character tells it from words.
pub(crate) const fn token_skip(literal: &[u8]) -> usize {
    let mut idx = 2;
    while idx < literal.len() {
        if !literal[idx].is_ascii_alphanumeric() {
            return idx.saturating_sub(4);
        }
        // A sign of the third or fourth character tells it as well.
        idx += 1;
    }
    0
}

/// Buckets of shapes that begin with a digit or letter and are nothing in the middle of a word or number.
pub(crate) const BOUNDED_BUCKETS: u32 =
    1 << DIGITS_BUCKET | 1 << GROUP_BUCKET | 1 << ID_BUCKET | 1 << BASE58_BUCKET;

/// The bucket of a secret's literal. Those with a sign at the same place share one: words have none there.
pub(crate) const fn token_bucket(literal: &[u8]) -> u8 {
    match literal {
        [b'/', b'/', ..] => 10,
        [b'_' | b'-' | b'/', ..] => EDGE_BUCKET,
        [b'1', ..] => 11,
        [b'S', b'K', ..] => COLON_BUCKET,
        [_, _, b'_' | b'-' | b'.' | b'0', ..] => 10,
        [b'g', ..] | [b'd', b'a', ..] => 13,
        [_, _, _, b'_' | b'-' | b'.', ..] => 14,
        [_, _, _, _, b'_' | b'-' | b'.' | b'+' | b'~', ..] => 11,
        [b'A'..=b'Z', b'A'..=b'Z' | b'0'..=b'9', ..] | [b'e', b'y', ..] => SHORT_TOKEN_BUCKET,
        _ => 11,
    }
}

/// What `detector` matches at `at`.
#[inline]
pub(crate) fn find(detector: &Detector, view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let span = match detector.find {
        Find::Code(find) => find(view, at)?,
        Find::Token(body) => tokens::find(detector, body, view, at)?,
        // The search for kinds knows all of them at once.
        Find::Kind(_) => return None,
    };
    if detector.yields_to_ids && ids::is_part_of_id(view, &span) { None } else { Some(span) }
}

/// Whether what stands before `pos` is part of the same word or number.
///
/// An escape is not: `%20` and `\n` end with a letter or digit that is not one.
#[inline]
fn is_glued(view: &View<'_>, pos: usize) -> bool {
    let before = view.before(pos);
    if !Class::ALNUM.has(before) {
        return false;
    }
    let percent = pos >= 3 && view.at(pos - 3) == b'%' && Class::HEX.has(view.at(pos - 2));
    let escape = pos >= 2 && view.at(pos - 2) == b'\\' && matches!(before, b'n' | b'r' | b't');
    !(escape || percent && Class::HEX.has(before))
}

/// Whether `is_glued` holds for sure, told from three bytes.
#[inline]
pub(crate) fn is_surely_glued(text: &[u8], at: usize) -> bool {
    let back = |len: usize| at.checked_sub(len).and_then(|pos| text.get(pos)).copied().unwrap_or(0);
    back(1).is_ascii_alphanumeric() && !matches!(back(2), b'%' | b'\\') && back(3) != b'%'
}

/// The number that `len` digits at `from` spell, if they are digits.
fn number_at(view: &View<'_>, from: usize, len: usize) -> Option<u32> {
    (from..from + len).try_fold(0, |value, pos| {
        let byte = view.at(pos);
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests;
