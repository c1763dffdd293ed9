//! What follows a street: direction, unit, town, state, code, on the same line or the next ones.

use super::text::{Kind, Token};
use super::words::{is_direction, is_particle, is_state, is_unit};
use crate::view::{Class, View};

/// What may stand between the parts, with the signs that quote lines.
const SEPARATOR: Class = Class::of(b" ,\n\r\t>?|*");
const SEPARATOR_LEN_MAX: usize = 8;
const PARTS_MAX: usize = 6;
const WORDS_MAX: usize = 5;

/// A part of an address.
struct Part {
    end: usize,
    /// Whether it ends with a code of the post.
    has_code: bool,
    is_unit: bool,
}

/// Where the address ends whose street ends at `end`. Towns belong to it as far as a code of the post follows.
pub(super) fn with_tail(view: &View<'_>, end: usize) -> usize {
    let mut known = with_direction(view, end);
    let mut pos = known;
    for _ in 0..PARTS_MAX {
        let start = view.run_up_to(pos, SEPARATOR_LEN_MAX, SEPARATOR);
        if start == pos {
            break;
        }
        let Some(part) = part_at(view, start) else { break };
        pos = part.end;
        if part.has_code || part.is_unit {
            known = part.end;
        }
        if part.has_code {
            break;
        }
    }
    known
}

/// Where the code of the post ends that the parts behind `end` lead to, if they do.
pub(super) fn code_behind(view: &View<'_>, end: usize) -> Option<usize> {
    let reached = with_tail(view, end);
    let code = reached - view.back(reached, Class::DIGIT);
    (reached > end && matches!(code, 4 | 5)).then_some(reached)
}

fn with_direction(view: &View<'_>, end: usize) -> usize {
    if view.at(end) != b' ' {
        return end;
    }
    let Some(token) = Token::at(view, end + 1) else { return end };
    let is_over = !view.at(token.end_with_dot(view)).is_ascii_alphanumeric();
    if token.kind == Kind::Capital && is_over && token.is(view, is_direction) { token.end } else { end }
}

/// The part that begins at `start`.
fn part_at(view: &View<'_>, start: usize) -> Option<Part> {
    if let Some(end) = unit_at(view, start) {
        return Some(Part { end, has_code: false, is_unit: true });
    }
    let mut token = Token::at(view, start)?;
    let mut part = Part { end: token.end, has_code: false, is_unit: false };
    let mut words = 0;
    for _ in 0..WORDS_MAX {
        match token.kind {
            Kind::Number => {
                part.has_code = matches!(token.len(), 4 | 5);
                if part.has_code {
                    part.end = with_plus4(view, token.end);
                    part.end = if words == 0 { with_town(view, part.end) } else { part.end };
                }
                break;
            }
            Kind::Mixed => break,
            Kind::Capital => {}
            Kind::Small if words > 0 && token.is(view, is_particle) => {}
            Kind::Small => break,
        }
        if token.kind != Kind::Number && words > 0 && unit_at(view, token.start).is_some() {
            break;
        }
        words += 1;
        part.end = token.end;
        let Some(next) = token.next(view) else { break };
        token = next;
    }
    (words > 0 || part.has_code).then_some(part)
}

/// Where the town ends that stands behind its code on the same line.
fn with_town(view: &View<'_>, code_end: usize) -> usize {
    let mut end = code_end;
    for _ in 0..3 {
        let Some(token) = Token::at(view, end + 1).filter(|_| view.at(end) == b' ') else { break };
        if token.kind != Kind::Capital {
            break;
        }
        end = token.end;
    }
    end
}

/// Where a zip code ends that may go on with four more digits.
fn with_plus4(view: &View<'_>, end: usize) -> usize {
    let more = view.run_up_to(end + 1, 5, Class::DIGIT);
    if view.at(end) == b'-' && more == end + 5 { more } else { end }
}

/// Where the unit that begins at `start` ends: `Apt. 4`, `Suite C`, `# 12`.
pub(super) fn unit_at(view: &View<'_>, start: usize) -> Option<usize> {
    let number_at = if view.at(start) == b'#' {
        start + 1 + usize::from(view.at(start + 1) == b' ')
    } else {
        let token = Token::at(view, start).filter(|token| token.is(view, is_unit))?;
        let end = token.end_with_dot(view);
        let end = if view.at(end) == b' ' { end + 1 } else { return None };
        if view.at(end) == b'#' { end + 1 + usize::from(view.at(end + 1) == b' ') } else { end }
    };
    let end = view.run_up_to(number_at, 6, Class::ALNUM.with(b"-"));
    let number = view.bytes(number_at, end);
    let is_number = number.iter().any(u8::is_ascii_digit) || matches!(number, [b'A'..=b'Z']);
    (is_number && !Class::WORD.has(view.at(end))).then_some(end)
}

/// Where the town's name begins that ends before the separator at `end`, or `end` if there is none.
pub(super) fn town_before(view: &View<'_>, end: usize) -> usize {
    let mut start = end;
    let mut pos = view.back(end, Class::of(b", ").with(b"\n"));
    if pos + 3 < end {
        return end;
    }
    for _ in 0..3 {
        let Some(token) = Token::before(view, pos).filter(|token| token.kind == Kind::Capital) else { break };
        start = token.start;
        if view.before(start) != b' ' || start == 0 {
            break;
        }
        pos = start - 1;
    }
    start
}

/// Whether a state and its zip code stand around the space at `space`; where the code ends.
pub(super) fn state_and_zip(view: &View<'_>, space: usize) -> Option<usize> {
    if space < 3 || !is_state(view.at(space - 2), view.at(space - 1)) {
        return None;
    }
    let upper = view.at(space - 1).is_ascii_uppercase() && view.at(space - 2).is_ascii_uppercase();
    let end = view.run_up_to(space + 1, 6, Class::DIGIT);
    let apart = Class::of(b" ,\n").has(view.at(space - 3));
    let decimal = view.at(end) == b'.' && view.at(end + 1).is_ascii_digit();
    let whole = end == space + 6 && !decimal && !Class::WORD.with(b":").has(view.at(end));
    (upper && apart && whole).then(|| with_plus4(view, end))
}
