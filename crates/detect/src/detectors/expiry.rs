//! Expiry dates of cards behind a word that says so.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::{is_glued, number_at};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const AFTER: ByteSet = ByteSet::of(b" :.=#-/irIR");

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "card-expiry",
    category: Category::CardExpiry,
    description: "month and year behind a word for the end of a card's validity",
    validator: "a month, a slash or hyphen, a year of two digits or of this century, behind exp, expiry, expires or valid thru",
    source: "ISO/IEC 7813, expiration date; usage on cards",
    examples: &[
        Example::new("exp ", &["12/34"], "."),
        Example::new("valid thru ", &["09/27"], ""),
        Example::new("expiry date: ", &["09-2034"], ","),
        Example::new("expires ", &["12/2034"], ""),
        Example::new("EXP: ", &["01/30"], " end"),
    ],
    non_examples: &[
        Example::none("exp 13/34 expires 12/05/2034 expired 2034-12 exp(12/34)"),
        Example::none("export 12/34 expect 01/30 through 12/34 12/34"),
    ],
    rank: 70,
    level: Level::Possible,
    triggers: Triggers::Windows(&[
        Window::head(&[ByteSet::of(b"eE"), ByteSet::of(b"xX"), ByteSet::of(b"pP"), AFTER]),
        Window::head(&[
            ByteSet::of(b"tT"),
            ByteSet::of(b"hH"),
            ByteSet::of(b"rR"),
            ByteSet::of(b"uU"),
            AFTER,
        ]),
    ]),
    behind: 8,
    ahead: 40,
    lead: 24,
    swallow: None,
    yields_to_ids: true,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const WORDS: [&[u8]; 5] = [b"exp", b"expiry", b"expires", b"expiration", b"thru"];
    let word_end = view.run_up_to(at, 11, Class::ALPHA);
    let thru = view.starts_with_any_case(at, b"thru");
    let named = WORDS.iter().any(|word| view.bytes(at, word_end).eq_ignore_ascii_case(word));
    if !named
        || is_glued(view, at)
        || thru && !view.bytes(at.saturating_sub(6), at).eq_ignore_ascii_case(b"valid ")
    {
        return None;
    }
    let gap = view.run_up_to(word_end, 3, Class::of(b" :.=#"));
    let date = if view.starts_with_any_case(gap, b"date") {
        view.run_up_to(gap + 4, 3, Class::of(b" :="))
    } else {
        gap
    };
    let month = number_at(view, date, 2)?;
    if date == word_end || !(1..=12).contains(&month) || !matches!(view.at(date + 2), b'/' | b'-') {
        return None;
    }
    let end = view.run_up_to(date + 3, 5, Class::DIGIT);
    let year = end == date + 5 || end == date + 7 && view.starts_with(date + 3, b"20");
    (year && !Class::WORD.with(b"/-").has(view.at(end))).then_some(date..end)
}
