//! What ids look like, as short patterns.
//!
//! | sign | stands for |
//! | --- | --- |
//! | `d` | a digit |
//! | `#` | a digit, with or without one separator before it |
//! | `u` | a letter |
//! | `n` | a letter or digit |
//! | `~` | one separator or none: a space, dash, dot, slash |
//! | others | themselves; capital letters in either case |

use crate::view::{Class, View};

use super::LEN_MAX;

const SEPARATOR: Class = Class::of(b" -./");

/// How many characters of a candidate are looked at first.
const SHAPE_LEN: usize = 24;

/// An id that was read: without separators and in capitals.
pub(super) struct Id {
    text: [u8; LEN_MAX],
    len: usize,
    pub(super) end: usize,
}

impl Id {
    pub(super) fn text(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

/// What can be told of a candidate at a glance.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// How many digits it begins with.
    pub(super) lead_digits: usize,
    /// How many digits its first characters hold, separators between them.
    pub(super) digits: usize,
    /// How long it is, as far as it was read.
    pub(super) len: usize,
    /// What stands where, so far.
    signs: Signs,
}

impl Shape {
    /// Whether the form that `signs` are of may fit, as far as the shape was read.
    #[inline]
    pub(super) fn may_be(&self, signs: &Signs) -> bool {
        let known = (1 << self.len) - 1;
        let lacks = signs.digits & !self.signs.digits
            | signs.letters & !self.signs.letters
            | signs.separators & !self.signs.separators;
        lacks & known == 0
    }
}

/// Which bytes from the beginning on are, or must be, digits, letters and separators: one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    digits: u64,
    letters: u64,
    separators: u64,
}

impl Signs {
    /// Those of a form, up to where a sign may be left out.
    pub(super) fn of(form: &str) -> Signs {
        let mut signs = Signs::default();
        for (at, sign) in form.bytes().enumerate().take(SHAPE_LEN) {
            match sign {
                b'~' | b'#' => break,
                b'n' => {}
                b'd' | b'0'..=b'9' => signs.digits |= 1 << at,
                b'u' | b'A'..=b'Z' => signs.letters |= 1 << at,
                _ if SEPARATOR.has(sign) => signs.separators |= 1 << at,
                _ => {}
            }
        }
        signs
    }
}

/// The shape of what begins at `start`; nothing if no id looks like that.
pub(super) fn shape(view: &View<'_>, start: usize) -> Option<Shape> {
    let lead_digits = view.run_up_to(start, 23, Class::DIGIT) - start;
    let mut digits = lead_digits;
    let (mut dots, mut others) = (0, 0);
    let mut run = lead_digits;
    let mut longest = lead_digits;
    let mut pos = start + lead_digits;
    let mut signs = Signs { digits: (1 << lead_digits) - 1, ..Signs::default() };
    while pos < start + SHAPE_LEN {
        let byte = view.at(pos);
        let bit = 1 << (pos - start);
        if byte.is_ascii_digit() {
            signs.digits |= bit;
            digits += 1;
            run += 1;
        } else if byte.is_ascii_alphabetic() {
            signs.letters |= bit;
            run += 1;
            others += 1;
        } else if SEPARATOR.has(byte) && goes_on(view, pos) {
            signs.separators |= bit;
            run = 0;
            dots += usize::from(byte == b'.');
            others += usize::from(byte != b'.');
        } else {
            break;
        }
        longest = longest.max(run);
        pos += 1;
    }
    // Digests go on and on; an address of the network has three dots and nothing else.
    let is_long = run == SHAPE_LEN || lead_digits == 23;
    let is_address = dots == 3 && others == 0 && longest <= 3;
    let is_date = lead_digits == 4 && view.at(start + 4) == b'-' && view.at(start + 7) == b'-';
    let enough = if lead_digits > 0 { digits >= 5 } else { digits >= 4 };
    (enough && !is_long && !is_address && !is_date).then_some(Shape {
        lead_digits,
        digits,
        len: pos - start,
        signs,
    })
}

/// Whether what stands behind the separator at `pos` may belong to the same id: words do not.
fn goes_on(view: &View<'_>, pos: usize) -> bool {
    let next = view.at(pos + 1);
    if view.at(pos) != b' ' || next.is_ascii_digit() {
        return Class::ALNUM.has(next);
    }
    // A space is followed by digits, by one or two capitals, or by a letter that ends the id.
    next.is_ascii_alphabetic()
        && (!view.at(pos + 2).is_ascii_lowercase() || !Class::ALNUM.has(view.at(pos + 2)))
}

/// Reads an id of the form, if one begins at `start` and ends where no more letters or digits follow.
pub(super) fn read(view: &View<'_>, start: usize, form: &str) -> Option<Id> {
    // Most texts do not fit, so nothing is kept before one does.
    let end = fitting(view, start, form)?;
    let mut id = Id { text: [0; LEN_MAX], len: 0, end };
    for &byte in view.bytes(start, end).iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *id.text.get_mut(id.len)? = byte.to_ascii_uppercase();
        id.len += 1;
    }
    is_end(view, end).then_some(id)
}

/// Where what begins at `start` ends, if it fits the form.
fn fitting(view: &View<'_>, start: usize, form: &str) -> Option<usize> {
    let mut pos = start;
    for sign in form.bytes() {
        let mut byte = view.at(pos);
        if matches!(sign, b'~' | b'#') && SEPARATOR.has(byte) {
            pos += 1;
            byte = view.at(pos);
        }
        let fits = match sign {
            b'~' => continue,
            b'd' | b'#' => byte.is_ascii_digit(),
            b'u' => byte.is_ascii_alphabetic(),
            b'n' => byte.is_ascii_alphanumeric(),
            b'A'..=b'Z' => byte.to_ascii_uppercase() == sign,
            _ => byte == sign,
        };
        if !fits {
            return None;
        }
        pos += 1;
    }
    Some(pos)
}

/// Whether an id may end at `end`: no letter or digit follows, nor a dash or dot and a digit.
fn is_end(view: &View<'_>, end: usize) -> bool {
    let next = view.at(end);
    let goes_on = matches!(next, b'-' | b'.' | b'/' | b'@') && view.at(end + 1).is_ascii_digit();
    !Class::WORD.has(next) && !goes_on
}

/// Where something that a word calls an id ends: letters and digits in one piece, joined by single signs, or groups of
/// digits set apart by spaces.
pub(super) fn open(view: &View<'_>, start: usize) -> Option<usize> {
    let mut end = start;
    let mut digits = 0;
    while end < start + LEN_MAX {
        let byte = view.at(end);
        let next = view.at(end + 1);
        let joins = matches!(byte, b'-' | b'.' | b'/') && next.is_ascii_alphanumeric()
            || byte == b' ' && next.is_ascii_digit() && view.at(end + 2).is_ascii_digit();
        if !byte.is_ascii_alphanumeric() && !joins {
            break;
        }
        digits += usize::from(byte.is_ascii_digit());
        end += 1;
    }
    ((5..=24).contains(&digits) && is_end(view, end)).then_some(end)
}

/// Whether an id of the form may begin with `first`.
pub(super) fn may_begin(form: &str, first: u8) -> bool {
    match form.bytes().next() {
        Some(b'd') => first.is_ascii_digit(),
        Some(b'u') => first.is_ascii_uppercase(),
        Some(b'n') => true,
        Some(sign) => sign == first || sign.is_ascii_digit() && first.is_ascii_digit(),
        None => false,
    }
}

/// Which numbers of digits an id of the form may begin with, one bit each.
pub(super) fn lead_runs(form: &str) -> u32 {
    let mut runs = 0;
    let mut len = 0;
    for sign in form.bytes() {
        match sign {
            b'd' | b'0'..=b'9' => len += 1,
            b'~' => runs |= 1 << len,
            b'#' => {
                runs |= 1 << len;
                len += 1;
            }
            b'n' => return u32::MAX,
            _ => return runs | 1 << len,
        }
    }
    runs | 1 << len
}

/// The sign behind the digits that the form begins with, if they are many and it is one that stands for itself.
pub(super) fn behind_lead(form: &str) -> Option<u8> {
    let sign = form.bytes().find(|&sign| sign != b'd' && !sign.is_ascii_digit())?;
    SEPARATOR.has(sign).then_some(sign)
}

/// How many digits the form has among the first characters, at least.
pub(super) fn digits(form: &str) -> usize {
    // A shape ends at other signs, and is read up to a length.
    let is_read =
        |sign: u8| sign.is_ascii_alphanumeric() || SEPARATOR.has(sign) || matches!(sign, b'#' | b'~');
    if form.len() >= SHAPE_LEN || !form.bytes().all(is_read) {
        return 0;
    }
    form.bytes().filter(|&sign| matches!(sign, b'd' | b'#') || sign.is_ascii_digit()).count()
}
