#![forbid(unsafe_code)]
//! Decides which spans of one decoded text are sensitive.
//!
//! The answer depends on the content alone, never on how the text was cut into pieces. Nothing here knows
//! JSON, names of members, or what happens to a finding.
//!
//! # Overview
//! * [`Detector`] is one rule: where it may begin, what makes it valid, what it is about.
//! * [`Detectors`] is a selection of them, compiled. Build one, share it.
//! * [`Detectors::scan`] reads a [`Piece`] of a text, appends each [`Match`] that is final, and says how far the
//!   text is settled. [`Carry`] is what it must remember between two pieces.
//! * [`fold()`] rewrites a text for matching: digits, spaces and dashes of other scripts become ASCII.
//! * [`mask()`] hides a finding and keeps its length; [`generalise()`] says something less exact in its place.
//!
//! ```
//! use obelus_detect::{Carry, Detectors, Piece};
//! use obelus_json::Arch;
//!
//! let detectors = Detectors::new(|_| true);
//! let text = b"mail jane@example.com today";
//! let mut found = Vec::new();
//! let piece = Piece { text, ..Piece::default() };
//! detectors.scan(Arch::detect(), piece, &mut Carry::default(), &mut found);
//! assert_eq!(&text[found[0].start..found[0].end], b"jane@example.com");
//! assert_eq!(detectors.detectors()[usize::from(found[0].rule)].id, "email");
//! ```
//!
//! # Limits
//! A detector sees at most [`BEHIND_MAX`] bytes before and [`AHEAD_MAX`] bytes after the place that made it look.
//! A secret that goes on beyond that is reported in several matches that touch.

use std::net::IpAddr;

mod buckets;
mod carried;
mod category;
mod detector;
mod detectors;
mod encoded;
mod fold;
mod generalise;
mod label;
mod mask;
mod reach;
mod scan;
mod tables;
pub mod token;
mod view;

pub use carried::Carried;
pub use category::{Category, UnknownCategory};
pub use detector::{AHEAD_MAX, BEHIND_MAX, Detector, Example, Level};
pub use fold::fold;
pub use generalise::generalise;
pub use label::{HASH_LETTERS, is_label};
pub use mask::mask;
pub use scan::{Carry, Detectors, Match, Piece, RuleIx};

/// Whether a JSON number under a name of the category is a count rather than a value of it: `"mobile": 48` counts visits,
/// as no telephone number has fewer than seven digits (ITU-T E.164, with the calling code).
pub fn is_count(category: Category, number: &[u8]) -> bool {
    const DIGITS_MIN: usize = 7;
    category == Category::Phone && number.iter().filter(|byte| byte.is_ascii_digit()).count() < DIGITS_MIN
}

/// Whether a value of the category belongs to nobody by its form, so that it may stay even under a telling name:
/// addresses of the machine itself.
pub fn is_nobody(category: Category, value: &[u8]) -> bool {
    let may_be = matches!(value, [b'1', b'2', b'7', ..] | [b'2', b'5', b'5', ..] | [b'0' | b':', ..]);
    if category != Category::IpAddress || !may_be {
        return false;
    }
    // The whole value must be one address: beside it something else could hide.
    match std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()) {
        Some(IpAddr::V4(address)) => {
            address.is_loopback() || address.is_unspecified() || address.is_broadcast()
        }
        Some(IpAddr::V6(address)) => address.is_loopback() || address.is_unspecified(),
        None => false,
    }
}
