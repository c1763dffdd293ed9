//! The detectors, one file each.
//!
//! Each says at which shapes it looks; `buckets.rs` sees to it that the filter tells them apart.

use std::ops::Range;

use crate::detector::{Detector, Find};
use crate::view::{Class, View};

mod address;
mod auth;
mod bic;
mod birth;
pub(crate) mod card;
mod checked;
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
pub(crate) mod person;
mod phone;
mod phone_labelled;
mod phone_national;
mod placeholder;
mod ssn;
mod token_like;
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
    token_like::DETECTORS,
    tokens::DETECTORS,
    checked::DETECTORS,
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
    national::DETECTORS[5],
    bic::DETECTORS,
    wallet::DETECTORS,
    person::DETECTORS,
    address::DETECTORS,
    birth::DETECTORS,
];

pub(crate) use address::may_name_street;

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
pub(crate) fn is_glued(view: &View<'_>, pos: usize) -> bool {
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
