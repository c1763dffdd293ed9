//! Dates of birth, and ages, behind a word that says so.

use std::ops::Range;

use obelus_json::filter::Window;

use super::number_at;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

/// The words, in lower case, longest first where one begins another; and how far in the place to look for them is.
const LABELS: [(&str, usize); 14] = [
    ("birthdate", 0),
    ("birthday", 0),
    ("birth", 0),
    ("born", 0),
    ("dob", 0),
    ("d.o.b.", 0),
    ("d.o.b", 0),
    ("geburtsdatum", 2),
    ("geboortedatum", 2),
    ("geboren", 2),
    ("née le", 0),
    ("né le", 0),
    ("nascimento", 3),
    ("nacimiento", 2),
];

/// What may stand between a label and the date, punctuation aside.
const FILLERS: [&str; 22] = [
    "date",
    "of",
    "birth",
    "dob",
    "day",
    "is",
    "was",
    "on",
    "the",
    "am",
    "le",
    "en",
    "el",
    "il",
    "em",
    "op",
    "in",
    "a",
    "to",
    "den",
    "yyyy-mm-dd",
    "mm/dd/yyyy",
];

/// The first letters of the months in English, German, French, Spanish, Italian, Portuguese and Dutch.
const MONTHS: [&str; 36] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mär", "mai", "okt",
    "dez", "fév", "fev", "avr", "jui", "aoû", "déc", "ene", "abr", "ago", "dic", "gen", "mag", "giu", "lug",
    "set", "ott", "out", "mei", "maj", "maa",
];

const FILLER_LEN_MAX: usize = 48;

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "date-of-birth",
        category: Category::DateOfBirth,
        description: "date behind a word for birth",
        validator: "a day that exists, with its month and year, within 48 characters behind born, birth, DOB and the like",
        source: "ISO 8601 and the usual national forms of dates",
        examples: &[
            Example::new("DOB: ", &["12/31/1980"], ""),
            Example::new("date of birth ", &["1980-01-31"], ", x"),
            Example::new("born on ", &["5 May 1979"], " in May"),
            Example::new("Birthday: ", &["January 15, 1990"], "."),
            Example::new("D.O.B. ", &["31.12.80"], ""),
            Example::new("geboren am ", &["1. März 1970"], "."),
            Example::new("née le ", &["3 août 1985"], ""),
            Example::new("fecha de nacimiento: ", &["03/08/1985"], ""),
            Example::new("DOB (date of birth): ", &["08/14/1975"], ""),
        ],
        non_examples: &[
            Example::none("born in the spring, birth of a nation, dob unknown"),
            Example::none("airborne 12/31/1980, stubborn 1980-01-31, the birthplace 1980-01-31"),
            Example::none("DOB: 45/31/1980, DOB: 2080-01-31, DOB: 12/31/19801"),
            Example::none("born to run; released on 1980-01-31"),
        ],
        rank: 90,
        level: Level::Likely,
        triggers: Triggers::Windows(&[
            Window::among([b"bB", b"oO", b"rR", b"nN", b" :=.,\n-"]),
            Window::among([b"bB", b"iI", b"rR", b"tT", b"hH"]),
            Window::among([b"bB", b"oO", b"rR", b"eE", b"nN"]),
            Window::among([b"bB", b"oO", b"oO", b"rR", b"tT"]),
            Window::among([b"bB", b"uU", b"rR", b"tT", b"sS"]),
            Window::among([b"cC", b"iI", b"mM", b"iIeE", b"eEnN"]),
            Window::among([b"dD", b"oO.", b"bBoO", b" :=.)(", b"0123456789 (:=bBJFMASOND"]),
            // The accent of `né`, without the upper bit of its bytes.
            Window::among([b"nN", b"C", b")", b" e", b"l "]),
        ]),
        behind: 8,
        ahead: 96,
        lead: 72,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_birth),
    },
    Detector {
        id: "age",
        category: Category::OtherPersonal,
        description: "age of a person in years",
        validator: "a number up to 120 behind `age`, or before `years old`",
        source: "usage",
        examples: &[Example::new("age: ", &["34"], ", male"), Example::new("she is ", &["34"], " years old")],
        non_examples: &[Example::none(
            "page: 34, age: 340, the age of 3.4, 340 years old, years older than 12",
        )],
        rank: 20,
        level: Level::Possible,
        triggers: Triggers::Windows(&[
            Window::among([b"aA", b"gG", b"eE", b" :=", b" :=0123456789"]),
            Window::among([b"y", b"e", b"a", b"r", b"s"]),
        ]),
        behind: 8,
        ahead: 16,
        lead: 8,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_age),
    },
];

fn find_birth(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let (label, offset) = LABELS.iter().find(|(label, offset)| {
        at.checked_sub(*offset).is_some_and(|start| view.starts_with_any_case(start, label.as_bytes()))
    })?;
    let label_end = at - offset + label.len();
    let letter = Class::ALNUM.or_non_ascii();
    if letter.has(view.before(at - offset)) || letter.has(view.at(label_end)) {
        return None;
    }
    let start = skip_fillers(view, label_end)?;
    Some(start..date_end(view, start)?)
}

/// Where the date begins behind punctuation and the few words that may stand between.
fn skip_fillers(view: &View<'_>, from: usize) -> Option<usize> {
    const PUNCTUATION: Class = Class::of(b" \t\n:=-_.,;\"'/()[]*`|\\>");
    let mut pos = from;
    while pos - from <= FILLER_LEN_MAX {
        let byte = view.at(pos);
        if PUNCTUATION.has(byte) {
            pos += 1;
        } else if byte.is_ascii_digit() || is_month(view, pos) {
            return (pos > from).then_some(pos);
        } else {
            let end = view.run_up_to(pos, 10, Class::ALPHA.with(b"-/"));
            let filler = FILLERS
                .iter()
                .any(|word| word.len() == end - pos && view.starts_with_any_case(pos, word.as_bytes()));
            // A town may stand between: `born in Anytown on`.
            let town = byte.is_ascii_uppercase() && view.before(pos) == b' ';
            if end == pos || !(filler || town) {
                return None;
            }
            pos = end;
        }
    }
    None
}

fn is_month(view: &View<'_>, pos: usize) -> bool {
    MONTHS.iter().any(|month| view.starts_with_any_case(pos, month.as_bytes()))
        && view.run_up_to(pos, 12, Class::ALPHA.or_non_ascii()) - pos <= 10
}

/// Where the date that begins at `start` ends, if there is one.
fn date_end(view: &View<'_>, start: usize) -> Option<usize> {
    let end = if view.at(start).is_ascii_digit() {
        numeric_end(view, start)?
    } else {
        month_first_end(view, start)?
    };
    (!Class::WORD.has(view.at(end))).then_some(end)
}

/// `12/31/1980`, `1980-01-31`, `31.12.80`, `5 May 1979`, `19800131`.
fn numeric_end(view: &View<'_>, start: usize) -> Option<usize> {
    let first_end = view.run_up_to(start, 9, Class::DIGIT);
    match first_end - start {
        8 => {
            let whole = is_year(number_at(view, start, 4)?)
                && is_day_and_month(number_at(view, start + 6, 2)?, number_at(view, start + 4, 2)?);
            return whole.then_some(first_end);
        }
        1 | 2 | 4 => {}
        _ => return None,
    }
    let first = number_at(view, start, first_end - start)?;
    let ordinal = first_end + if is_ordinal(view, first_end) { 2 } else { 0 };
    let second_at = view.run_up_to(ordinal, 3, Class::of(b"-/. "));
    if is_month(view, view.run_up_to(second_at, 3, Class::of(b"of "))) && first_end - start <= 2 {
        return day_first_end(view, first, view.run_up_to(second_at, 3, Class::of(b"of ")));
    }
    let second_end = view.run_up_to(second_at, 3, Class::DIGIT);
    let third_at = view.run_up_to(second_end, 2, Class::of(b"-/. "));
    let third_end = view.run_up_to(third_at, 5, Class::DIGIT);
    let second = number_at(view, second_at, second_end - second_at)?;
    let third = number_at(view, third_at, third_end - third_at)?;
    let set_apart = second_at > ordinal && third_at > second_end && matches!(second_end - second_at, 1 | 2);
    let valid = match (first_end - start, third_end - third_at) {
        (4, 1 | 2) => is_year(first) && is_day_and_month(third, second),
        (1 | 2, 4) => is_year(third) && is_day_and_month(first, second),
        (1 | 2, 2) => is_day_and_month(first, second),
        _ => false,
    };
    (set_apart && valid).then_some(third_end)
}

/// The rest of `5 May 1979`, from the month on.
fn day_first_end(view: &View<'_>, day: u32, month_at: usize) -> Option<usize> {
    let month_end = view.run_up_to(month_at, 12, Class::ALPHA.or_non_ascii());
    let year_at = view.run_up_to(month_end, 4, Class::of(b" .,-/"));
    let year_at = if view.starts_with(year_at, b"de ") { year_at + 3 } else { year_at };
    year_end(view, year_at).filter(|_| (1..=31).contains(&day) && year_at > month_end)
}

/// `January 15, 1990`.
fn month_first_end(view: &View<'_>, start: usize) -> Option<usize> {
    let month_end = view.run_up_to(start, 12, Class::ALPHA.or_non_ascii());
    let day_at = view.run_up_to(month_end, 2, Class::of(b". "));
    let day_end = view.run_up_to(day_at, 3, Class::DIGIT);
    let day = number_at(view, day_at, day_end - day_at)?;
    let day_end = day_end + if is_ordinal(view, day_end) { 2 } else { 0 };
    let year_at = view.run_up_to(day_end, 2, Class::of(b", "));
    year_end(view, year_at).filter(|_| (1..=31).contains(&day) && day_at > month_end && year_at > day_end)
}

fn is_ordinal(view: &View<'_>, pos: usize) -> bool {
    [b"st", b"nd", b"rd", b"th"].iter().any(|ending| view.starts_with(pos, *ending))
}

fn year_end(view: &View<'_>, at: usize) -> Option<usize> {
    let end = view.run_up_to(at, 5, Class::DIGIT);
    (end - at == 4 && is_year(number_at(view, at, 4)?)).then_some(end)
}

/// Whether someone who lives may be born then, or will be soon.
fn is_year(year: u32) -> bool {
    (1900..=2039).contains(&year)
}

/// Whether one is a day and the other a month, in either order.
fn is_day_and_month(first: u32, second: u32) -> bool {
    let fits = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
    fits(first, second) || fits(second, first)
}

fn find_age(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = if view.starts_with_any_case(at, b"age") {
        if Class::ALNUM.or_non_ascii().has(view.before(at)) {
            return None;
        }
        view.run_up_to(at + 3, 3, Class::of(b" :="))
    } else if view.starts_with(at, b"years old")
        && view.before(at) == b' '
        && !view.at(at + 9).is_ascii_alphabetic()
    {
        view.back(at - 1, Class::DIGIT)
    } else {
        return None;
    };
    let end = view.run_up_to(start, 4, Class::DIGIT);
    let age = number_at(view, start, end - start)?;
    let apart =
        !Class::WORD.with(b"%").has(view.at(end)) && !Class::WORD.with(b".,-").has(view.before(start));
    let decimal = view.at(end) == b'.' && view.at(end + 1).is_ascii_digit();
    (end > start && (1..=120).contains(&age) && apart && !decimal).then_some(start..end)
}
