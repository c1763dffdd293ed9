//! Telephone numbers as people write them within a country, told by their trunk prefix and groups.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use super::phone::{PREFIXED, follows_digits, with_extension};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

const GROUPS_MAX: usize = 5;

/// The sizes of groups, trunk prefix included, in which numbers of some country are written.
const GROUPINGS: [&[usize]; 14] = [
    // Britain, Korea, Japan; Britain, Turkey, the Philippines, Switzerland.
    &[3, 4, 4],
    &[4, 3, 4],
    &[4, 3, 3],
    &[3, 3, 4],
    &[2, 4, 4],
    // Turkey, Switzerland, Belgium, Sweden.
    &[4, 3, 2, 2],
    &[3, 3, 2, 2],
    &[4, 2, 2, 2],
    &[2, 3, 2, 2],
    &[1, 3, 7],
    // Turkey, the Philippines, with the trunk prefix apart.
    &[1, 3, 3, 2, 2],
    &[1, 3, 3, 4],
    // France.
    &[2, 2, 2, 2, 2],
    // Britain.
    &[5, 6],
];

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "phone-national",
    category: Category::Phone,
    description: "telephone number with trunk prefix, in groups that some country uses",
    validator: "zero and another digit, nine to eleven digits in all, the same separator between usual groups; or an area code in parentheses",
    source: "ITU-T E.123, national notation; national numbering plans in the ITU Operational Bulletin",
    examples: &[
        Example::new("ring ", &["020 7946 0018"], "."),
        Example::new("", &["01632 960364"], ""),
        Example::new("", &["01 99 00 12 34"], ","),
        Example::new("", &["0532-123-45-67"], ""),
        Example::new("", &["(0118) 496 0568"], ""),
        Example::new("", &["(0909)8790570"], ""),
        Example::new("", &["080-1273-8140"], ""),
        Example::new("", &["0 (532) 1234567"], ""),
        Example::new("", &["0 532 123 45 67"], "."),
        Example::new("ring ", &["0 (917) 123 4567"], ""),
    ],
    non_examples: &[
        Example::none("2026-04-07 10:15 07-04-2026 07.04.2026 10.15 05 12 2024 01-02-03"),
        Example::none("0-306-40615-2 026-1234567-1234567 0123 4567 8901"),
        Example::none("00 11 22 33 44 and 01 02 03 04 05 06 07"),
        Example::none("$020 7946 0018 x020 7946 0018 020 7946 0018a 1 020 7946 0018"),
        Example::none("0.1234 0.5678 (0.12) 012.345.678-90 01632-960364"),
    ],
    rank: 97,
    level: Level::Likely,
    triggers: Triggers::Windows(&[
        PREFIXED,
        Window {
            sets: [
                ByteSet::of(b"("),
                ByteSet::of(b"0"),
                ByteSet::DIGIT,
                ByteSet::DIGIT.or(ByteSet::of(b")")),
                ByteSet::DIGIT.or(ByteSet::of(b") -")),
                ByteSet::DIGIT.or(ByteSet::of(b" -.")),
                ByteSet::DIGIT.or(ByteSet::of(b" -.")),
                ByteSet::DIGIT.or(ByteSet::of(b" -.")),
            ],
        },
    ]),
    behind: 48,
    ahead: 48,
    lead: 0,
    swallow: None,
    yields_to_ids: true,
    bounded: ByteSet::DIGIT.or(ByteSet::of(b"(")),
    find: Find::Code(find),
}];

/// The groups of a number as read.
#[derive(Default)]
struct Groups {
    sizes: [usize; GROUPS_MAX],
    count: usize,
    digits: usize,
    separator: u8,
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let enclosed = view.at(at) == b'(';
    let first = if enclosed { at + 1 } else { at };
    let before = view.before(at);
    if view.at(first) != b'0' || is_glued(view, at) || Class::of(b"+$#-._/:,(").has(before) {
        return None;
    }
    if before == b' ' && follows_digits(view, at) {
        return None;
    }
    let mut groups = Groups::default();
    let end = read(view, first, &mut groups)?;
    let digits_behind = Class::of(b"-. /").has(view.at(end)) && view.at(end + 1).is_ascii_digit();
    let extended = view.at(end) == b'x' && view.at(end + 1).is_ascii_digit();
    if digits_behind || (Class::WORD.has(view.at(end)) && !extended) {
        return None;
    }
    let sizes = &groups.sizes[..groups.count];
    let usual = if enclosed {
        (9..=11).contains(&groups.digits) && sizes.len() > 1
    } else {
        GROUPINGS.contains(&sizes) && (sizes != [5, 6] || is_british(view, at, groups.separator))
    };
    usual.then(|| at..with_extension(view, end))
}

/// Reads groups with one separator between them; the second digit of a number is no zero.
fn read(view: &View<'_>, first: usize, groups: &mut Groups) -> Option<usize> {
    let mut pos = first;
    loop {
        let end = view.run_up_to(pos, 8, Class::DIGIT);
        if end == pos || end - pos > 7 || groups.count == GROUPS_MAX {
            return None;
        }
        if groups.count == 0 && view.at(first + 1) == b'0' {
            return None;
        }
        groups.sizes[groups.count] = end - pos;
        groups.count += 1;
        groups.digits += end - pos;
        if groups.digits > 11 {
            return None;
        }
        // Parentheses around the area code take the place of a separator.
        let closed = groups.count <= 2 && view.at(end) == b')';
        let opens = groups.count == 1 && view.at(end) == b' ' && view.at(end + 1) == b'(';
        let next = match view.at(end) {
            b')' if closed => view.run_up_to(end + 1, 1, Class::of(b" -")),
            b' ' if opens => end + 2,
            byte @ (b' ' | b'-' | b'.') if groups.separator == 0 || groups.separator == byte => {
                groups.separator = byte;
                end + 1
            }
            _ => return Some(end),
        };
        if !view.at(next).is_ascii_digit() {
            return Some(end);
        }
        pos = next;
    }
}

/// Whether five and six digits are set apart as British numbers are: by a space, and of an area or a mobile.
fn is_british(view: &View<'_>, at: usize, separator: u8) -> bool {
    separator == b' ' && matches!(view.at(at + 1), b'1' | b'7')
}
