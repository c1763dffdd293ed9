//! The street and its number, and what stands before a town.

use std::ops::Range;

use super::tail::{self, NAME, TOKEN};
use super::words::{self, GERMANIC, LEADING, ROMANCE, SMALL, STREETS, WEAK_STREETS};
use crate::view::{Class, View};

const WORDS_MAX: usize = 6;

/// An address that begins with the number that ends at `at`.
pub(super) fn find_number_first(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.at(at).is_ascii_digit() {
        return None;
    }
    let start = view.back(at + 1, Class::DIGIT);
    let glued = Class::WORD.with(b"$#:.,/%+-").or_non_ascii().has(view.before(start));
    if at - start > 5 || glued {
        return None;
    }
    let name_at = view.run_up_to(at + 1, 2, Class::of(b", "));
    if view.before(name_at) != b' ' {
        return None;
    }
    let first_end = view.run_up_to(name_at, 24, TOKEN);
    let first = view.bytes(name_at, first_end);
    if words::has(LEADING, first) {
        let end = leading_end(view, first_end)?;
        return Some(start..tail::end_of(view, end));
    }
    let lower = first.first()?.is_ascii_lowercase();
    if lower && view.at(at + 1) == b',' {
        return None;
    }
    let (end, weak) = street_end(view, name_at, lower)?;
    let whole = tail::end_of(view, end);
    (whole > end || !weak && !lower).then_some(start..whole)
}

/// Where a name behind `rue` ends.
fn leading_end(view: &View<'_>, from: usize) -> Option<usize> {
    let mut pos = from;
    let mut end = None;
    for _ in 0..5 {
        if view.at(pos) != b' ' {
            break;
        }
        let word_end = view.run_up_to(pos + 1, 24, TOKEN);
        let word = view.bytes(pos + 1, word_end);
        let Some(&first) = word.first() else { break };
        if first.is_ascii_uppercase() || first >= 0x80 || matches!(word, [b'l' | b'd', b'\'', ..]) {
            end = Some(word_end);
        } else if !words::has(SMALL, word) {
            break;
        }
        pos = word_end;
    }
    end
}

/// Where the street whose name begins at `from` ends, and whether its street word is a common noun.
fn street_end(view: &View<'_>, from: usize, lower: bool) -> Option<(usize, bool)> {
    let mut pos = from;
    let mut found = None;
    for idx in 0..WORDS_MAX {
        let end = view.run_up_to(pos, 24, TOKEN);
        let word = view.bytes(pos, end);
        let Some(&first) = word.first() else { break };
        let named = first.is_ascii_uppercase() || first.is_ascii_digit() || first >= 0x80;
        if !named && !lower && !words::has(STREETS, word) && !words::has(SMALL, word) {
            break;
        }
        let numbered = matches!(view.at(end), b' ') && view.at(end + 1).is_ascii_digit();
        let highway = matches!(first, b'h' | b'H' | b'r' | b'R') && numbered && words::has(STREETS, word);
        if highway {
            return Some((view.run_up_to(end + 1, 5, Class::ALNUM), true));
        }
        if idx > 0 && words::has(STREETS, word) {
            found = Some((end, false));
        } else if idx > 0 && found.is_none() && words::has(WEAK_STREETS, word) {
            found = Some((end, true));
        } else if is_direction(word) && found.is_some_and(|(street, _)| street + 1 >= pos - 1) {
            return found.map(|(_, weak)| (end, weak));
        } else if found.is_some() {
            break;
        }
        let dot = usize::from(view.at(end) == b'.' && end - pos <= 4);
        if view.at(end + dot) != b' ' {
            break;
        }
        pos = end + dot + 1;
    }
    found
}

/// Whether `word` is a direction behind a street.
fn is_direction(word: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "e",
        "east",
        "n",
        "ne",
        "north",
        "northeast",
        "northwest",
        "nw",
        "s",
        "se",
        "south",
        "southeast",
        "southwest",
        "sw",
        "w",
        "west",
    ];
    words::has(WORDS, word)
}

/// Where a post box begins whose word ends at `at`.
pub(super) fn box_start(view: &View<'_>, at: usize) -> Option<usize> {
    if view.at(at) | 0x20 != b'x'
        || at < 5
        || !view.starts_with_any_case(at - 2, b"box")
        || view.at(at - 3) != b' '
    {
        return None;
    }
    const HEADS: [&[u8]; 4] = [b"po", b"p.o.", b"p o", b"post office"];
    let head_end = at - 3;
    let head = HEADS
        .iter()
        .find(|head| head_end >= head.len() && view.starts_with_any_case(head_end - head.len(), head));
    if let Some(head) = head {
        let start = head_end - head.len();
        return (!Class::WORD.has(view.before(start))).then_some(start);
    }
    let number_at = view.back(head_end, Class::DIGIT);
    let route = [b"rr " as &[u8], b"hc "]
        .iter()
        .any(|head| number_at >= 3 && view.starts_with_any_case(number_at - 3, head));
    (route && number_at < head_end && !Class::WORD.has(view.before(number_at - 3))).then(|| number_at - 3)
}

/// Where a street begins whose name ends at `at` and whose number follows.
pub(super) fn start_before_number(view: &View<'_>, at: usize) -> Option<usize> {
    let last = view.back(at + 1, NAME.with(b"."));
    let word = view.bytes(last, at + 1);
    let first = *word.first()?;
    if word.len() > 40 || !(first.is_ascii_uppercase() || first >= 0x80) {
        return None;
    }
    let germanic = |ending: &&&str| word.len() >= ending.len() + 3 && word.ends_with(ending.as_bytes());
    if view.at(at + 1) == b' ' && GERMANIC.iter().any(|ending| germanic(&ending)) && !is_common(word) {
        return Some(last);
    }
    let mut pos = last;
    for _ in 0..4 {
        if pos < 2 || view.before(pos) != b' ' {
            return None;
        }
        let dot = usize::from(view.at(pos - 2) == b'.');
        let end = pos - 1 - dot;
        let start = view.back(end, NAME);
        let word = view.bytes(start, end);
        let first = *word.first()?;
        if words::has(ROMANCE, word) {
            return (first.is_ascii_uppercase() && !Class::DIGIT.has(view.before(start))).then_some(start);
        }
        if !first.is_ascii_uppercase() && !words::has(SMALL, word) {
            return None;
        }
        pos = start;
    }
    None
}

/// Whether `word` ends like a street and is none.
fn is_common(word: &[u8]) -> bool {
    let gerund = word.ends_with(b"ring") && !word.ends_with("straßering".as_bytes());
    gerund || word.ends_with(b"tie") && !word.ends_with(b"ntie")
}

/// Where an address or a town begins whose state begins at `state_at`.
pub(super) fn start_before_state(view: &View<'_>, state_at: usize) -> Option<usize> {
    let low = state_at.saturating_sub(72);
    let mut pos = state_at;
    let mut town = None;
    let mut house = None;
    for idx in 0..10 {
        let end = view.back(pos, Class::of(b" ,."));
        if end == pos || pos - end > 3 {
            break;
        }
        let start = view.back(end, TOKEN);
        let Some(&first) = view.bytes(start, end).first() else { break };
        if start < low {
            break;
        }
        let comma = idx > 0 && view.at(end) == b',';
        if first.is_ascii_uppercase() && !comma && idx < 3 && house.is_none() {
            town = if idx == 0 || town == Some(pos) { Some(start) } else { town };
        }
        if first.is_ascii_digit() {
            house = Some(start);
        } else if !first.is_ascii_uppercase() {
            break;
        }
        pos = start;
    }
    town.map(|town| house.unwrap_or(town))
}
