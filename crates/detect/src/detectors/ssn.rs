//! US social security numbers.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::national::words;
use super::{column, is_glued, number_at};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

/// `ecurity`, in any case: the rest tells which word it is.
pub(super) const SECURITY: Window = Window {
    sets: [
        ByteSet::of(b"eE"),
        ByteSet::of(b"cC"),
        ByteSet::of(b"uU"),
        ByteSet::of(b"rR"),
        ByteSet::of(b"iI"),
        ByteSet::of(b" _-#:=(\"'n"),
        ByteSet::ANY,
        ByteSet::ANY,
    ],
};

const HIDDEN: ByteSet = ByteSet::of(b"Xx*");
const SEPARATOR: ByteSet = ByteSet::of(b"- .");

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "us-ssn",
        category: Category::UsSsn,
        description: "US social security number with separators",
        validator: "area, group and serial as they may be issued, the same separator twice; no word for the number \
                    of a thing before it",
        source: "Social Security Administration, POMS RM 10201.030",
        examples: &[
            Example::new("ssn ", &["078-05-1120"], "."),
            Example::new("", &["219-09-9999"], ""),
            Example::new("ssn: ", &["219 09 9999"], ". keep"),
            Example::new("2026-04-07 ", &["183-10-5815"], ""),
            Example::new("SSN ", &["987-65-4321"], " behind a word of its own"),
            Example::new("<redact:off>", &["078-05-1120"], "</redact:off>"),
        ],
        non_examples: &[
            Example::none("invoice 000-00-0000 placeholder"),
            Example::none("666-12-3456 900-12-3456 123-00-4567 123-45-0000"),
            Example::none("1123-45-6789 123-45-67890"),
            Example::none("12-123-45-6789 123-45-6789-1"),
            Example::none("123-45 6789"),
            Example::none("SSN field is empty: ___-__-____"),
            Example::none("version 123-45-6789 and serial number: 219-09-9999, token 123 45 6789"),
            Example::none("a,order_id,c\nx1,219-09-9999,y\n"),
        ],
        rank: 160,
        level: Level::Certain,
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                SEPARATOR,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
            ],
        }]),
        behind: 120,
        ahead: 64,
        lead: 0,
        swallow: None,
        yields_to_ids: true,
        bounded: ByteSet::DIGIT,
        find: Find::Code(find_separated),
    },
    Detector {
        id: "us-ssn-column",
        category: Category::UsSsn,
        description: "US social security number without separators, in a table's column of that name",
        validator: "nine digits in a cell below ssn; area, group and serial as they may be issued",
        source: "Social Security Administration, POMS RM 10201.030",
        examples: &[
            Example::new("team,dept,ssn\nNorth,Payroll,", &["219099999"], "\n"),
            Example::new("ssn|dept\n", &["219099999"], "|Payroll"),
        ],
        non_examples: &[
            Example::none("name,dept,id\nJane Smith,Payroll,219099999\n"),
            Example::none("ssn,dept,id\nJane Smith,Payroll,219099999\n"),
            Example::none("ssn,219099999"),
        ],
        rank: 155,
        level: Level::Likely,
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b",\t;|\n"),
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::ANY,
            ],
        }]),
        behind: 120,
        ahead: 16,
        lead: 2,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_in_column),
    },
    Detector {
        id: "us-ssn-masked",
        category: Category::UsSsn,
        description: "last digits of a US social security number whose others are hidden",
        validator: "three and two X or asterisks and four digits, with dashes",
        source: "Social Security Administration, POMS RM 10201.030",
        examples: &[Example::new("card (", &["XXX-XX-1120"], ")"), Example::new("", &["***-**-1120"], "")],
        non_examples: &[Example::none("XXX-XX-XXXX ***-**-**** XXX-XX-11204")],
        rank: 150,
        level: Level::Likely,
        triggers: Triggers::Windows(&[Window {
            sets: [
                HIDDEN,
                HIDDEN,
                HIDDEN,
                ByteSet::of(b"-"),
                HIDDEN,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
            ],
        }]),
        behind: 8,
        ahead: 16,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_masked),
    },
    Detector {
        id: "us-ssn-labelled",
        category: Category::UsSsn,
        description: "US social security number without separators, behind a word that names it",
        validator: "nine digits behind ssn or social security; area, group and serial as they may be issued",
        source: "Social Security Administration, POMS RM 10201.030",
        examples: &[
            Example::new("ssn: ", &["219099999"], ""),
            Example::new("SSN ", &["078051120"], ", thanks"),
            Example::new("the SSN is ", &["130075728"], "."),
            Example::new("social security number is ", &["078051120"], ""),
        ],
        non_examples: &[
            Example::none("ssn: 000099999"),
            Example::none("ssn: 0780511201"),
            Example::none("lessn: 078051120"),
            Example::none("security 078051120"),
            Example::none("ssn [us-ssn] 5"),
        ],
        rank: 155,
        level: Level::Certain,
        triggers: Triggers::Windows(&[
            Window {
                sets: [
                    ByteSet::of(b"sS"),
                    ByteSet::of(b"sS"),
                    ByteSet::of(b"nN"),
                    ByteSet::of(b" :=#-_.\"'()*`,\t\n"),
                    ByteSet::ANY,
                    ByteSet::DIGIT.or(ByteSet::of(b" ")),
                    ByteSet::DIGIT,
                    ByteSet::DIGIT,
                ],
            },
            SECURITY,
        ]),
        behind: 8,
        ahead: 64,
        lead: 40,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_labelled),
    },
];

fn find_separated(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let separator = view.at(at + 3);
    if !matches!(separator, b'-' | b' ' | b'.') || view.at(at + 6) != separator || is_glued(view, at) {
        return None;
    }
    let digits_before = view.before(at) == separator && at >= 2 && view.at(at - 2).is_ascii_digit();
    if separator != b' ' && digits_before {
        return None;
    }
    let end = at + 11;
    let digits_behind = matches!(view.at(end), b'-' | b'.') && view.at(end + 1).is_ascii_digit();
    if Class::WORD.has(view.at(end)) || digits_behind {
        return None;
    }
    let before = view.bytes(at.saturating_sub(32), at);
    let named = words::naming(before).is_some_and(is_own_word);
    // What is given out for taxes begins with a nine and is called by the same name.
    let issued = is_issuable(view, at, at + 4, at + 7) || named && number_at(view, at, 1) == Some(9);
    if !issued || named {
        return (issued && number_at(view, at + 7, 4) != Some(0)).then_some(at..end);
    }
    let header = column::header(view, at);
    let of_thing = words::name_a_thing(before) || header.is_some_and(words::is_name_of_thing);
    (!of_thing).then_some(at..end)
}

/// Whether a word is one that these numbers go by.
fn is_own_word(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"ssn")
        || word.eq_ignore_ascii_case(b"ssns")
        || word.eq_ignore_ascii_case(b"security")
}

fn find_in_column(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = at + 1;
    let end = view.run_up_to(start, 10, Class::DIGIT);
    if end != start + 9 || Class::WORD.has(view.at(end)) || !is_issuable(view, start, start + 3, start + 5) {
        return None;
    }
    let header = column::header(view, start)?;
    let own = header.split(|byte| !byte.is_ascii_alphabetic()).any(is_own_word);
    own.then_some(start..end)
}

fn find_masked(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let hidden =
        |from: usize, len: usize| (from..from + len).all(|pos| matches!(view.at(pos), b'X' | b'x' | b'*'));
    let shaped = hidden(at, 3) && view.at(at + 3) == b'-' && hidden(at + 4, 2) && view.at(at + 6) == b'-';
    let whole = shaped && !is_glued(view, at) && view.run_up_to(at + 7, 5, Class::DIGIT) == at + 11;
    (whole && !Class::WORD.with(b"-").has(view.at(at + 11))).then_some(at..at + 11)
}

fn find_labelled(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let word_end = if view.starts_with_any_case(at, b"ssn") && !is_glued(view, at) {
        at + 3
    } else if view.starts_with_any_case(at, b"ecurity") && is_social(view, at) {
        at + 7
    } else {
        return None;
    };
    let start = (word_end..word_end + 24).find(|&pos| !is_filler(view, pos))?;
    let end = view.run_up_to(start, 10, Class::DIGIT);
    let sized = end == start + 9 && start > word_end && !Class::WORD.has(view.at(end));
    (sized && is_issuable(view, start, start + 3, start + 5)).then_some(start..end)
}

/// Whether `social s` stands before `at`.
fn is_social(view: &View<'_>, at: usize) -> bool {
    at >= 8 && view.starts_with_any_case(at - 8, b"social") && matches!(view.at(at - 1), b's' | b'S')
}

/// Punctuation, white space, and the letters of "number", "no", "is".
fn is_filler(view: &View<'_>, pos: usize) -> bool {
    Class::of(b" \t\n:=#-_.\"'()*`numberoisNUMBEROIS").has(view.at(pos))
}

/// Whether area, group and serial at these places may have been issued.
fn is_issuable(view: &View<'_>, area_at: usize, group_at: usize, serial_at: usize) -> bool {
    let parts = (number_at(view, area_at, 3), number_at(view, group_at, 2), number_at(view, serial_at, 4));
    let (Some(area), Some(group), Some(serial)) = parts else { return false };
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
}
