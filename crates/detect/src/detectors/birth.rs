//! Dates of birth behind a word that says so.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

/// How far before the number its word may stand.
const LABEL_LEN_MAX: usize = 40;

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "date-of-birth",
    category: Category::DateOfBirth,
    description: "date behind a word of birth",
    validator: "day, month and a year from 1900 on; a word of birth before it in the same line",
    source: "ISO 8601-1; Unicode CLDR date patterns",
    examples: &[
        Example::new("DOB: ", &["12/31/1980"], ""),
        Example::new("D.O.B. ", &["1980-01-31"], "."),
        Example::new("born on ", &["5 May 1979"], ", in"),
        Example::new("date of birth is ", &["January 31st, 1980"], ""),
        Example::new("geboren am ", &["31.12.1980"], ""),
        Example::new("born ", &["5/5/79"], ""),
    ],
    non_examples: &[
        Example::none("due 12/31/1980, met on 5 May 1979"),
        Example::none("DOB: 31/31/1980 13.13.1980"),
        Example::none("airborne 12/31/1980"),
        Example::none("born in 1980 with 5 others"),
    ],
    rank: 60,
    level: Level::Likely,
    triggers: Triggers::Windows(&[Window::head(&[
        ByteSet::ALPHA.or(ByteSet::of(b".:")),
        ByteSet::of(b" "),
        ByteSet::DIGIT,
    ])]),
    behind: 48,
    ahead: 40,
    lead: 12,
    swallow: None,
    yields_to_ids: false,
    bounded: false,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let number_at = at + 2;
    if !view.at(number_at).is_ascii_digit() || view.at(at + 1) != b' ' {
        return None;
    }
    let word_at = view.back(at + usize::from(view.at(at) != b'.'), Class::ALPHA);
    let (start, end) = if is_month(view.bytes(word_at, at + 1)) {
        (word_at, after_month(view, number_at)?)
    } else {
        (number_at, numeric(view, number_at).or_else(|| day_first(view, number_at))?)
    };
    let goes_on = Class::WORD.has(view.at(end)) || view.at(end) == b'-' && view.at(end + 1).is_ascii_digit();
    (!goes_on && is_labelled(view, start)).then_some(start..end)
}

/// Where `1980-01-31`, `31.12.1980` or `5/5/79` ends.
fn numeric(view: &View<'_>, from: usize) -> Option<usize> {
    let (first, first_end) = number(view, from)?;
    let separator = view.at(first_end);
    if !matches!(separator, b'/' | b'-' | b'.') {
        return None;
    }
    let (second, second_end) = number(view, first_end + 1)?;
    if view.at(second_end) != separator {
        return None;
    }
    let (third, end) = number(view, second_end + 1)?;
    let is_date = if first_end - from == 4 {
        is_year(first, 4) && is_day_and_month(third, second)
    } else {
        is_year(third, end - second_end - 1)
            && (is_day_and_month(first, second) || is_day_and_month(second, first))
    };
    is_date.then_some(end)
}

/// Where `5 May 1979` ends.
fn day_first(view: &View<'_>, from: usize) -> Option<usize> {
    let (day, day_end) = number(view, from)?;
    let suffix_end = view.run_up_to(day_end, 2, Class::of(b"stndrh."));
    let month_at = view.run_up_to(suffix_end, 1, Class::of(b" -"));
    let month_end = view.run_up_to(month_at, 10, Class::ALPHA);
    if !matches!(day, 1..=31) || month_at == suffix_end || !is_month(view.bytes(month_at, month_end)) {
        return None;
    }
    let year_at = view.run_up_to(month_end, 2, Class::of(b"., -"));
    let (year, end) = number(view, year_at)?;
    is_year(year, end - year_at).then_some(end)
}

/// Where `31st, 1980` ends.
fn after_month(view: &View<'_>, from: usize) -> Option<usize> {
    let (day, day_end) = number(view, from)?;
    let suffix_end = view.run_up_to(day_end, 2, Class::of(b"stndrh"));
    let year_at = view.run_up_to(suffix_end, 2, Class::of(b", "));
    let (year, end) = number(view, year_at)?;
    (matches!(day, 1..=31) && year_at > suffix_end && end - year_at == 4 && is_year(year, 4)).then_some(end)
}

/// The number of up to four digits at `from`, and where it ends.
fn number(view: &View<'_>, from: usize) -> Option<(u32, usize)> {
    let end = view.run_up_to(from, 5, Class::DIGIT);
    let value = super::number_at(view, from, end - from)?;
    (1..=4).contains(&(end - from)).then_some((value, end))
}

fn is_year(year: u32, digits: usize) -> bool {
    digits == 2 || digits == 4 && matches!(year, 1900..=2026)
}

fn is_day_and_month(day: u32, month: u32) -> bool {
    matches!(day, 1..=31) && matches!(month, 1..=12)
}

/// Whether `word` is an English month or its first three letters.
fn is_month(word: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] = [
        b"january",
        b"february",
        b"march",
        b"april",
        b"may",
        b"june",
        b"july",
        b"august",
        b"september",
        b"october",
        b"november",
        b"december",
    ];
    let word = word.strip_suffix(b".").unwrap_or(word);
    MONTHS.iter().any(|month| {
        matches!(word.len(), 3 | 4)
            && month.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
            || month.eq_ignore_ascii_case(word)
    })
}

/// Whether a word of birth stands before `start` in the same line, with nothing but small words between.
fn is_labelled(view: &View<'_>, start: usize) -> bool {
    const LABELS: [&[u8]; 13] = [
        b"dob",
        b"d.o.b",
        b"birth",
        b"birthday",
        b"birthdate",
        b"born",
        b"geboren",
        b"geburtsdatum",
        "né".as_bytes(),
        "née".as_bytes(),
        b"nacimiento",
        b"nascita",
        b"nascimento",
    ];
    const BETWEEN: [&[u8]; 11] =
        [b"is", b"was", b"on", b"am", b"le", b"the", b"date", b"of", b"dob", b"d", b"geboortedatum"];
    let letters = Class::ALPHA.or_non_ascii();
    let mut pos = start;
    while start - pos < LABEL_LEN_MAX {
        let end = view.back(pos, Class::of(b" :=.,()\"'-*\t"));
        let word_at = view.back(end, letters.with(b"."));
        if word_at == end || end == pos && pos != start || Class::DIGIT.has(view.before(word_at)) {
            return false;
        }
        let word = view.bytes(word_at, end);
        if LABELS.iter().any(|label| label.eq_ignore_ascii_case(word)) || word == b"geboortedatum" {
            return true;
        }
        if !BETWEEN.iter().any(|between| between.eq_ignore_ascii_case(word)) {
            return false;
        }
        pos = word_at;
    }
    false
}
