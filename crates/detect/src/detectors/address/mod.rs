//! Postal addresses in prose.
//!
//! Numbers are what is rare: an address is looked for where a number meets a word, before or behind it.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

mod street;
mod tail;
mod words;

/// How far behind the candidate an address may begin.
const LEAD: usize = 96;

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "street-address",
        category: Category::PostalAddress,
        description: "postal address whose house number comes first",
        validator: "a number, a name and a street word; unit, town, state and postal code join",
        source: "USPS Publication 28, appendix C1",
        examples: &[
            Example::new("ship to ", &["123 Main Street"], " today"),
            Example::new("", &["500 W Oak Ave, Apt 4, Springfield, IL 62704"], "."),
            Example::new("at ", &["10 Downing Street, London SW1A 2AA"], ""),
            Example::new("", &["12 rue de la Paix, 75002 Paris"], ""),
            Example::new("", &["350 5th Ave\nNew York, NY 10118-0110"], ""),
        ],
        non_examples: &[
            Example::none("2 of 5 retries, 404 Not Found, 3 items on the way"),
            Example::none("12 March 2026 and 5 St. Patrick parades"),
            Example::none("1 Drive failed, 10 in list"),
        ],
        rank: 42,
        level: Level::Likely,
        triggers: Triggers::Windows(&[Window::head(&[
            ByteSet::DIGIT,
            ByteSet::of(b" ,"),
            ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b" ")),
        ])]),
        behind: 8,
        ahead: 160,
        lead: 8,
        swallow: None,
        yields_to_ids: true,
        bounded: false,
        find: Find::Code(street::find_number_first),
    },
    Detector {
        id: "postal-address",
        category: Category::PostalAddress,
        description: "postal address whose number comes last: street, box, state and postal code",
        validator: "a street word with its number, a box, or a town with state and postal code",
        source: "USPS Publication 28; Universal Postal Union, S42 address templates",
        examples: &[
            Example::new("", &["Hauptstraße 12, 10115 Berlin"], ""),
            Example::new("in ", &["Via Roma 1"], " now"),
            Example::new("write to ", &["PO Box 152"], "."),
            Example::new("lives in ", &["Springfield, IL 62704"], "."),
            Example::new("", &["Prinsengracht 263"], ""),
        ],
        non_examples: &[
            Example::none("version 5, Chapter 12, Box 5, OK 20000 rows"),
            Example::none("via 5 hops and Page 3"),
        ],
        rank: 41,
        level: Level::Likely,
        triggers: Triggers::Windows(&[Window::head(&[
            ByteSet::ALPHA.or(ByteSet::of(b".")),
            ByteSet::of(b" ,"),
            ByteSet::DIGIT.or(ByteSet::of(b" ")),
        ])]),
        behind: 16,
        ahead: 128,
        lead: LEAD,
        swallow: None,
        yields_to_ids: false,
        bounded: false,
        find: Find::Code(find_number_last),
    },
];

fn find_number_last(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let number_at = view.run_up_to(at + 1, 2, Class::of(b" ,"));
    if number_at == at + 1 || !view.at(number_at).is_ascii_digit() {
        return None;
    }
    if view.at(at).is_ascii_uppercase() && number_at == at + 2 {
        return town(view, at, number_at);
    }
    let digits_end = view.run_up_to(number_at, 5, Class::DIGIT);
    if digits_end - number_at > 4 {
        return None;
    }
    let letter = usize::from(view.at(digits_end).is_ascii_alphabetic());
    let end = digits_end + letter;
    let goes_on =
        matches!(view.at(end), b'.' | b',' | b':' | b'-' | b'/') && view.at(end + 1).is_ascii_digit();
    if goes_on || Class::WORD.has(view.at(end)) {
        return None;
    }
    let start = street::box_start(view, at).or_else(|| street::start_before_number(view, at))?;
    Some(start..tail::end_of(view, end))
}

/// A town with the state that ends at `at` and the postal code at `zip_at`.
fn town(view: &View<'_>, at: usize, zip_at: usize) -> Option<Range<usize>> {
    let zip_end = view.run_up_to(zip_at, 11, Class::DIGIT.with(b"-"));
    let state_at = view.back(at + 1, Class::ALPHA);
    let known = at - state_at == 1 && words::has(words::STATES, view.bytes(state_at, at + 1));
    let zip = view.bytes(zip_at, zip_end);
    if !known || zip.len() < 5 || !tail::is_zip(zip) || Class::WORD.has(view.at(zip_end)) {
        return None;
    }
    Some(street::start_before_state(view, state_at)?..zip_end)
}

#[cfg(test)]
mod tests;
