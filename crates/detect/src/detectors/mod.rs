//! The detectors, one file each.
//!
//! Where several look at the same shapes they share a bucket of the filter. Shapes in one bucket mix, distance
//! by distance, so those were put together that widen each other least.

use std::ops::Range;

use crate::detector::{Detector, Find};
use crate::view::{Class, View};

mod address;
mod auth;
mod birth;
pub(crate) mod card;
mod cvc;
mod email;
mod iban;
mod ids;
mod ipv4;
mod ipv6;
mod jwt;
mod labelled;
mod links;
mod mac;
mod pem;
mod phone;
mod ssn;
mod tokens;
mod url_credentials;
mod vendors;

/// Every detector. To add one, add a file and a line.
pub(crate) const ALL: &[&[Detector]] = &[
    card::DETECTORS,
    cvc::DETECTORS,
    iban::DETECTORS,
    ssn::DETECTORS,
    email::DETECTORS,
    phone::DETECTORS,
    ipv4::DETECTORS,
    ipv6::DETECTORS,
    mac::DETECTORS,
    tokens::DETECTORS,
    vendors::DETECTORS,
    links::DETECTORS,
    jwt::DETECTORS,
    pem::DETECTORS,
    auth::DETECTORS,
    url_credentials::DETECTORS,
    labelled::DETECTORS,
    address::DETECTORS,
    birth::DETECTORS,
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

/// A word, then a number: streets, boxes, dates of birth.
pub(crate) const WORD_THEN_NUMBER_BUCKET: u8 = 19;
/// A number, then a word: streets.
pub(crate) const NUMBER_THEN_WORD_BUCKET: u8 = 21;

/// Literals that begin with a sign, and the word `key`.
pub(crate) const EDGE_BUCKET: u8 = 12;

/// The bucket of a secret's literal. Those with a sign at the same place share one: words have none there.
pub(crate) const fn token_bucket(literal: &[u8]) -> u8 {
    match literal {
        [b'_' | b'-', ..] => EDGE_BUCKET,
        [_, _, b'_' | b'-' | b'.' | b'0', ..] => 10,
        [b'g', ..] | [b'd', b'a', ..] => 13,
        [_, _, _, b'_' | b'-' | b'.', ..] => 14,
        [_, _, _, _, b'_' | b'-', ..] | [b's', b't' | b'l', ..] => 11,
        [b'A'..=b'Z', b'A'..=b'Z', ..] => SHORT_TOKEN_BUCKET,
        _ => 11,
    }
}

/// What `detector` matches at `at`.
#[inline]
pub(crate) fn find(detector: &Detector, view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let span = match detector.find {
        Find::Code(find) => find(view, at)?,
        Find::Token(body) => tokens::find(detector, body, view, at)?,
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

/// The number that `len` digits at `from` spell, if they are digits.
fn number_at(view: &View<'_>, from: usize, len: usize) -> Option<u32> {
    (from..from + len).try_fold(0, |value, pos| {
        let byte = view.at(pos);
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests;
