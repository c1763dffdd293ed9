//! What follows a street: a part of the house, a town, a state, a postal code.

use super::words::{self, STATES, UNITS};
use crate::view::{Class, View};

/// The letters of names: ASCII and others, and the signs within them.
pub(super) const NAME: Class = Class::ALPHA.with(b"'-").or_non_ascii();
/// What a token of an address consists of.
pub(super) const TOKEN: Class = NAME.or(Class::DIGIT);
const TOKENS_MAX: usize = 7;

/// Where the address that has a street up to `end` ends. The same place if nothing joins.
pub(super) fn end_of(view: &View<'_>, end: usize) -> usize {
    let unit_end = unit(view, end).unwrap_or(end);
    town(view, unit_end).unwrap_or(unit_end)
}

/// Where the number of a part of the house ends.
fn unit(view: &View<'_>, from: usize) -> Option<usize> {
    let word_at = gap(view, from)?;
    let mut pos = word_at;
    if view.at(pos) != b'#' {
        let word_end = view.run_up_to(pos, 12, Class::ALPHA);
        if !words::has(UNITS, view.bytes(pos, word_end)) {
            return None;
        }
        pos = view.run_up_to(word_end, 2, Class::of(b". "));
    }
    pos = view.run_up_to(pos, 2, Class::of(b"# "));
    let end = view.run_up_to(pos, 7, Class::ALNUM.with(b"-"));
    let numbered = view.bytes(pos, end).iter().any(u8::is_ascii_digit) || end == pos + 1;
    (numbered && end < pos + 7).then_some(end)
}

/// Where a town with a state or postal code ends.
fn town(view: &View<'_>, from: usize) -> Option<usize> {
    let mut pos = from;
    let mut best = None;
    let mut names = 0;
    let mut code_before = false;
    for _ in 0..TOKENS_MAX {
        let Some(start) = gap(view, pos) else { break };
        let end = view.run_up_to(start, 24, TOKEN);
        let token = view.bytes(start, end);
        let Some(&first) = token.first() else { break };
        let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
        if is_zip(token) {
            if names > 0 {
                return Some(end);
            }
            code_before = true;
        } else if digits > 0 {
            match split_code_end(view, start, end) {
                Some(code_end) if names > 0 => return Some(code_end),
                Some(code_end) => {
                    code_before = true;
                    pos = code_end;
                    continue;
                }
                None => break,
            }
        } else if names > 0 && token.iter().all(u8::is_ascii_uppercase) && words::has(STATES, token) {
            best = Some(end);
        } else if first.is_ascii_uppercase() || first >= 0x80 || words::has(words::SMALL, token) && names > 0
        {
            names += 1;
            if code_before {
                best = Some(end);
                if view.at(end) != b' ' {
                    break;
                }
            }
        } else if !(words::has(STATES, token) && names > 0) {
            break;
        }
        pos = end;
    }
    best
}

/// Whether `token` is a postal code of digits: four, five, five and four, or two and three.
pub(super) fn is_zip(token: &[u8]) -> bool {
    let hyphen_at = token.iter().position(|&byte| byte == b'-');
    let shaped = match hyphen_at {
        None => matches!(token.len(), 4 | 5),
        Some(5) => token.len() == 10,
        Some(2) => token.len() == 6,
        Some(4) => token.len() == 8,
        Some(_) => false,
    };
    shaped && token.iter().enumerate().all(|(idx, byte)| byte.is_ascii_digit() || Some(idx) == hyphen_at)
}

/// Where a British or Canadian postal code ends whose first part is the token from `start` to `end`.
pub(super) fn split_code_end(view: &View<'_>, start: usize, end: usize) -> Option<usize> {
    let head = view.bytes(start, end);
    let lettered = head.first().is_some_and(u8::is_ascii_uppercase);
    if !lettered || !(2..=4).contains(&head.len()) || view.at(end) != b' ' {
        return None;
    }
    let tail_end = view.run_up_to(end + 1, 4, Class::ALNUM);
    let [a, b, c] = view.bytes(end + 1, tail_end) else { return None };
    let british = b.is_ascii_uppercase() && c.is_ascii_uppercase();
    let canadian = head.len() == 3 && b.is_ascii_uppercase() && c.is_ascii_digit();
    (a.is_ascii_digit() && (british || canadian)).then_some(tail_end)
}

/// Where the next token begins: behind spaces, a comma, one line break.
fn gap(view: &View<'_>, from: usize) -> Option<usize> {
    let mut pos = from;
    let mut breaks = 0;
    while pos - from < 4 && matches!(view.at(pos), b' ' | b',' | b'\n' | b'.') {
        breaks += usize::from(view.at(pos) == b'\n');
        pos += 1;
    }
    (pos > from && breaks <= 1).then_some(pos)
}
