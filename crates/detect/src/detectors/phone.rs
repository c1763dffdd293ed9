//! Telephone numbers.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::{is_glued, number_at};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::tables::calling_codes;
use crate::view::{Class, View};

const SEPARATOR: Class = Class::of(b" -./()");
const DIGIT_OR_SEPARATOR: ByteSet = ByteSet::DIGIT.or(ByteSet::of(b" -./()"));
const GAP_LEN_MAX: usize = 3;
const GROUPS_MAX: usize = 10;

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "phone",
        category: Category::Phone,
        description: "telephone number with country calling code",
        validator: "plus, or 00, 011 or 0011 and separators; an assigned calling code, as many digits as numbers there have",
        source: "ITU-T E.164 and its list of assigned country codes",
        examples: &[
            Example::new("call ", &["+1 415-555-0123"], "."),
            Example::new("", &["+14155550123"], ""),
            Example::new("uk ", &["+44 20 7946 0018"], " ok"),
            Example::new("", &["+44 (0)20 7946 0018"], ""),
            Example::new("", &["+1 (202) 555-0143"], ""),
            Example::new("?tel=", &["%2B12025550143"], "&x"),
            Example::new("desk ", &["+1-202-555-0143x769"], ""),
            Example::new("", &["+44 20 7946 0018 ext. 12"], "."),
            Example::new("call ", &["00 44 20 7946 0018"], "."),
            Example::new("", &["0044-20-7946-0018"], ""),
            Example::new("", &["001-202-555-0143x5664"], ""),
            Example::new("", &["011 442 079 46 0018"], " from there"),
        ],
        non_examples: &[
            Example::none("1747731000 +0 +12 +999 123456789"),
            Example::none("2026-04-07T10:00:00+02:00 and UTC+0100"),
            Example::none("x+14155550123 +141555501234567"),
            Example::none("+1 12 items"),
            Example::none("0044207946001812 00 12 34 0012-3456-7890 000-123-4567 0044 items 2024"),
        ],
        rank: 162,
        level: Level::Certain,
        triggers: Triggers::Windows(&[
            Window::head(&[
                ByteSet::of(b"+"),
                ByteSet::range(b'1', b'9'),
                DIGIT_OR_SEPARATOR,
                DIGIT_OR_SEPARATOR,
                DIGIT_OR_SEPARATOR,
            ]),
            Window::head(&[
                ByteSet::of(b"%"),
                ByteSet::of(b"2"),
                ByteSet::of(b"bB"),
                ByteSet::range(b'1', b'9'),
                DIGIT_OR_SEPARATOR,
            ]),
            PREFIXED,
        ]),
        behind: 48,
        ahead: 64,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: ByteSet::DIGIT.or(ByteSet::of(b"+%")),
        find: Find::Code(find_international),
    },
    Detector {
        id: "phone-north-american",
        category: Category::Phone,
        description: "telephone number of the North American plan without calling code",
        validator: "three, three and four digits, set apart; area and exchange as they may be assigned",
        source: "NANPA, numbering plan administration",
        examples: &[
            Example::new("", &["(415) 555-0123"], ""),
            Example::new("", &["(415)555-0123"], ""),
            Example::new("dotted ", &["415.555.0123"], "."),
            Example::new("", &["415-555-0123"], ""),
            Example::new("", &["415 555 0123"], ", x"),
            Example::new("", &["1-800-555-0199"], ""),
            Example::new("", &["(202) 555-0143 ext. 12"], "."),
            Example::new("$20 ", &["415-555-0123"], " 100$"),
        ],
        non_examples: &[
            Example::none("call 911 or extension 42"),
            Example::none("115-555-0123 415 155 0123 4155550123"),
            Example::none("9415-555-0123 415-555-01234 12-415-555-0123 415-555-0123-7 12 415 555 0123"),
            Example::none("$415.555.0123 1.415.555.0123.9"),
            Example::none("(415) and (123) 456"),
            Example::none("2026-04-07 10:15"),
        ],
        rank: 98,
        level: Level::Certain,
        triggers: Triggers::Windows(&[
            Window {
                sets: [
                    ByteSet::of(b"("),
                    ByteSet::DIGIT,
                    ByteSet::DIGIT,
                    ByteSet::DIGIT,
                    ByteSet::of(b")"),
                    ByteSet::DIGIT,
                    ByteSet::DIGIT.or(ByteSet::of(b" -.")),
                    ByteSet::DIGIT,
                ],
            },
            Window {
                sets: [
                    ByteSet::DIGIT,
                    ByteSet::DIGIT,
                    ByteSet::DIGIT,
                    ByteSet::of(b"-. "),
                    ByteSet::DIGIT,
                    ByteSet::of(b"-. "),
                    ByteSet::DIGIT,
                    ByteSet::DIGIT,
                ],
            },
        ]),
        behind: 48,
        ahead: 64,
        lead: 0,
        swallow: None,
        yields_to_ids: true,
        bounded: ByteSet::DIGIT,
        find: Find::Code(find_north_american),
    },
];

/// A zero, then groups of digits that are set apart: prefixes of international calls, national numbers.
pub(super) const PREFIXED: Window = Window {
    sets: [
        ByteSet::of(b"0"),
        ByteSet::DIGIT.or(ByteSet::of(b" ")),
        ByteSet::DIGIT.or(ByteSet::of(b" .(")),
        ByteSet::DIGIT.or(ByteSet::of(b" -.")),
        ByteSet::DIGIT.or(ByteSet::of(b" -.)")),
        ByteSet::DIGIT.or(ByteSet::of(b" -.)")),
        ByteSet::DIGIT.or(ByteSet::of(b" -")),
        ByteSet::DIGIT.or(ByteSet::of(b" -.")),
    ],
};

fn find_international(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let digits_at = match view.at(at) {
        b'+' => at + 1,
        b'%' if view.at(at + 1) == b'2' && matches!(view.at(at + 2), b'b' | b'B') => at + 3,
        b'0' => behind_prefix(view, at)?,
        _ => return None,
    };
    if is_glued(view, at) || view.before(at) == b'+' {
        return None;
    }
    let code = calling_codes::at(|idx| view.at(digits_at + idx))?;
    // Without a plus only groups tell a number from one that is filled up with zeros.
    if view.at(at) == b'0' && view.run_up_to(digits_at, 8, Class::DIGIT) == digits_at + 8 {
        return None;
    }
    let mut digits = 0;
    let mut pos = digits_at;
    let mut end = None;
    for group in 0..GROUPS_MAX {
        let group_end = view.run_up_to(pos, 16, Class::DIGIT);
        let optional_zero = group_end == pos + 1
            && view.at(pos) == b'0'
            && view.before(pos) == b'('
            && view.at(group_end) == b')';
        digits += if optional_zero { 0 } else { group_end - pos };
        if digits > code.digits + code.national_max {
            break;
        }
        let extended = view.at(group_end) == b'x' && view.at(group_end + 1).is_ascii_digit();
        if digits >= code.digits + code.national_min
            && (extended || !Class::ALPHA.with(b"_").has(view.at(group_end)))
        {
            end = Some(group_end);
        }
        // A long first group is the number: what follows a space is another matter.
        if group == 0 && group_end - pos >= 8 {
            break;
        }
        let next = view.run_up_to(group_end, GAP_LEN_MAX, SEPARATOR);
        if next == group_end || !view.at(next).is_ascii_digit() {
            break;
        }
        pos = next;
    }
    let end = end?;
    // Zeros before a calling code are weak evidence: a row of numbers has them, too.
    let is_row = view.at(end) == b' ' && view.run_up_to(end + 1, 5, Class::DIGIT) == end + 6;
    if is_row && view.at(at) == b'0' {
        return None;
    }
    Some(at..with_extension(view, end))
}

/// Where the calling code begins behind the prefix of international calls at `at`.
fn behind_prefix(view: &View<'_>, at: usize) -> Option<usize> {
    const PREFIXES: [&[u8]; 3] = [b"0011", b"011", b"00"];
    let before = view.before(at);
    if Class::of(b"+$#-._/:,").has(before) || is_glued(view, at) || before == b' ' && follows_digits(view, at)
    {
        return None;
    }
    let prefix = PREFIXES.iter().find(|prefix| view.starts_with(at, prefix))?;
    let digits_at = view.run_up_to(at + prefix.len(), 1, Class::of(b" -."));
    // Where no separator follows, one must stand behind the calling code.
    let apart = digits_at > at + prefix.len() || prefix.len() == 2;
    (apart && matches!(view.at(digits_at), b'1'..=b'9')).then_some(digits_at)
}

/// Whether a space and before it a digit stand before `at`.
pub(super) fn follows_digits(view: &View<'_>, at: usize) -> bool {
    at >= 2 && view.at(at - 2).is_ascii_digit()
}

fn find_north_american(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let (area, exchange) = if view.at(at) == b'(' {
        if view.at(at + 4) != b')' {
            return None;
        }
        (at + 1, if matches!(view.at(at + 5), b' ' | b'-' | b'.') { at + 6 } else { at + 5 })
    } else if matches!(view.at(at + 3), b'-' | b'.' | b' ') {
        (at, at + 4)
    } else {
        return None;
    };
    let line = exchange + 4;
    if !matches!(view.at(line - 1), b'-' | b'.' | b' ') || !is_assignable(view, area, exchange, line) {
        return None;
    }
    let start = with_trunk_prefix(view, at, view.at(exchange - 1))?;
    let end = line + 4;
    // A space parts numbers whose own groups have other separators.
    let spaced = view.at(exchange - 1) == b' ' || view.at(line - 1) == b' ';
    let glue = if spaced { Class::of(b"-. ") } else { Class::of(b"-.") };
    let digits_behind = glue.has(view.at(end)) && view.at(end + 1).is_ascii_digit();
    let apart = !Class::WORD.has(view.at(end)) || view.at(end) == b'x';
    (apart && !digits_behind).then(|| start..with_extension(view, end))
}

/// Whether area and exchange may be assigned and all digits are there.
fn is_assignable(view: &View<'_>, area_at: usize, exchange_at: usize, line: usize) -> bool {
    let parts = (number_at(view, area_at, 3), number_at(view, exchange_at, 3), number_at(view, line, 4));
    let (Some(area), Some(exchange), Some(_)) = parts else { return false };
    // Spaces alone are weak evidence: then the exchange must be one, too.
    let spaced = view.at(exchange_at - 1) == b' ' && view.at(line - 1) == b' ';
    let enclosed = view.before(area_at) == b'(';
    area >= 200 && (exchange >= 200 || !spaced) && area % 100 != 11 && (enclosed || area / 10 % 10 != 9)
}

/// Where the number that goes on at `at` begins, with a `1` before it; nothing if it is part of another.
fn with_trunk_prefix(view: &View<'_>, at: usize, separator: u8) -> Option<usize> {
    if is_glued(view, at) || matches!(view.before(at), b'$' | b'#' | b'+') {
        return None;
    }
    if at < 2 || !Class::of(b"-. ").has(view.before(at)) || !view.at(at - 2).is_ascii_digit() {
        return Some(at);
    }
    let one = at - 2;
    let start = if view.ends_with(one, b"00") { one - 2 } else { one };
    let lonely = !Class::ALNUM.with(b"-.").has(view.before(start));
    if view.at(one) == b'1' && lonely {
        return Some(start);
    }
    (view.before(at) == b' ' && matches!(separator, b'-' | b'.')).then_some(at)
}

/// Where an extension behind the number that ends at `end` stops, or `end`.
pub(super) fn with_extension(view: &View<'_>, end: usize) -> usize {
    const WORDS: [&[u8]; 7] = [b"extension", b"ext.", b"ext:", b";ext=", b"ext", b"x", b"#"];
    let word_at = view.run_up_to(end, 1, Class::of(b" "));
    let Some(word) = WORDS.iter().find(|word| view.starts_with_any_case(word_at, word)) else { return end };
    let digits_at = view.run_up_to(word_at + word.len(), 1, Class::of(b" "));
    let digits_end = view.run_up_to(digits_at, 7, Class::DIGIT);
    let sized = (1..=6).contains(&(digits_end - digits_at)) && !Class::WORD.has(view.at(digits_end));
    if sized { digits_end } else { end }
}
