//! US social security numbers.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::{GROUP_BUCKET, WORD_BUCKET, is_glued, number_at};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
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
    bucket: WORD_BUCKET,
};

const SEPARATOR: ByteSet = ByteSet::of(b"- .");

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "us-ssn",
        category: Category::UsSsn,
        description: "US social security number with separators",
        validator: "area, group and serial as they may be issued; the same separator twice",
        source: "Social Security Administration, POMS RM 10201.030",
        examples: &[
            Example::new("ssn ", &["078-05-1120"], "."),
            Example::new("", &["219-09-9999"], ""),
            Example::new("ssn: ", &["219 09 9999"], ". keep"),
            Example::new("2026-04-07 ", &["183-10-5815"], ""),
            Example::new("<redact:off>", &["078-05-1120"], "</redact:off>"),
        ],
        non_examples: &[
            Example::none("invoice 000-00-0000 placeholder"),
            Example::none("666-12-3456 900-12-3456 123-00-4567 123-45-0000"),
            Example::none("1123-45-6789 123-45-67890"),
            Example::none("12-123-45-6789 123-45-6789-1"),
            Example::none("123-45 6789"),
            Example::none("SSN field is empty: ___-__-____"),
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
            bucket: GROUP_BUCKET,
        }]),
        behind: 48,
        ahead: 64,
        lead: 0,
        swallow: None,
        yields_to_ids: true,
        find: Find::Code(find_separated),
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
                bucket: GROUP_BUCKET,
            },
            SECURITY,
        ]),
        behind: 8,
        ahead: 64,
        lead: 40,
        swallow: None,
        yields_to_ids: false,
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
    is_issuable(view, at, at + 4, at + 7).then_some(at..end)
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
