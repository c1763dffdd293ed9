//! Business identifier codes of banks, behind a word that says so.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::tables::country_codes;
use crate::view::{Class, View};

/// How far behind the word a code may begin.
const GAP_MAX: usize = 28;

const BEHIND: ByteSet = ByteSet::of(b" :=-#/(\"'\t\n,>|*.");

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "bic",
    category: Category::BankRouting,
    description: "business identifier code of a bank, behind BIC or SWIFT",
    validator: "a bank's four letters, a country, two or five letters or digits; nothing but filling before",
    source: "ISO 9362",
    examples: &[
        Example::new("BIC: ", &["DEUTDEFF"], "."),
        Example::new("SWIFT code ", &["DEUTDEFF500"], ""),
        Example::new("BIC/SWIFT: ", &["NEDSZAJJXXX"], ", thanks"),
    ],
    non_examples: &[
        Example::none("BIC: DEUTQQFF BIC: DEUTDEF BIC: DEUTDEFF5"),
        Example::none("SWIFT TRANSFER and Arabic DEUTDEFF, swift PAYMENTS"),
        Example::none("the BIC of the bank that you know, DEUTDEFF"),
    ],
    rank: 120,
    level: Level::Likely,
    triggers: Triggers::Windows(&[
        window([b"bB", b"iI", b"cC"], BEHIND, ByteSet::ANY),
        window([b"wW", b"iI", b"fF"], ByteSet::of(b"tT"), BEHIND),
    ]),
    behind: 8,
    ahead: 64,
    lead: GAP_MAX + 8,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

const fn window(head: [&[u8]; 3], next: ByteSet, behind: ByteSet) -> Window {
    let [first, second, third] = head;
    Window {
        sets: [
            ByteSet::of(first),
            ByteSet::of(second),
            ByteSet::of(third),
            next,
            behind,
            ByteSet::ANY,
            ByteSet::ANY,
            ByteSet::ANY,
        ],
    }
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let word = if view.starts_with_any_case(at, b"bic") { at } else { at.checked_sub(1)? };
    let is_bic = word == at;
    if !is_bic && !view.starts_with_any_case(word, b"swift") || is_glued(view, word) {
        return None;
    }
    let word_end = word + if is_bic { 3 } else { 5 };
    let mut assigned = is_bic;
    let mut pos = word_end;
    while pos < word_end + GAP_MAX {
        let byte = view.at(pos);
        if byte == 0 {
            return None;
        }
        if !byte.is_ascii_alphanumeric() {
            assigned |= matches!(byte, b':' | b'=');
            pos += 1;
            continue;
        }
        if pos > word_end
            && assigned
            && let Some(end) = code_end(view, pos)
        {
            return Some(pos..end);
        }
        let end = view.run_up_to(pos, 8, Class::ALNUM);
        let word = view.bytes(pos, end);
        if !is_filling(word) {
            return None;
        }
        assigned |= word.eq_ignore_ascii_case(b"code") || word.eq_ignore_ascii_case(b"bic");
        pos = end;
    }
    None
}

/// Whether a word may stand between.
fn is_filling(word: &[u8]) -> bool {
    const FILLING: [&[u8]; 8] = [b"swift", b"bic", b"code", b"number", b"no", b"is", b"address", b"id"];
    FILLING.iter().any(|filling| word.eq_ignore_ascii_case(filling))
}

/// Where the code at `start` ends. Its parts may be set apart by spaces.
fn code_end(view: &View<'_>, start: usize) -> Option<usize> {
    let skip = |pos: usize| pos + usize::from(view.at(pos) == b' ');
    let bank_end = view.run_up_to(start, 4, Class::UPPER);
    let country_at = if view.at(bank_end) == b' ' { skip(bank_end) } else { bank_end };
    let country = [view.at(country_at), view.at(country_at + 1)];
    if bank_end != start + 4 || !country_codes::is_code(country) {
        return None;
    }
    let place = Class::UPPER.or(Class::DIGIT);
    let place_at = if country_at > bank_end { skip(country_at + 2) } else { country_at + 2 };
    let end = view.run_up_to(place_at, 6, place);
    (matches!(end - place_at, 2 | 5) && !Class::WORD.has(view.at(end))).then_some(end)
}
