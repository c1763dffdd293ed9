//! Payment card numbers and magnetic track data.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

/// What may stand between two digits.
const GAP: Class = Class::of(b" -._\t\n\r*~|()\\,$");
const GAP_LEN_MAX: usize = 5;
const GAP_SET: ByteSet = ByteSet::of(b" -._\t\n\r*~|()\\,$");
const DIGIT_OR_GAP: ByteSet = ByteSet::DIGIT.or(GAP_SET);

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// The fewest digits of a number that words announce: Maestro's.
const LABELLED_MIN: usize = 12;

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "card-number",
    category: Category::CardNumber,
    description: "payment card number, with or without separators, and track data around one",
    validator: "13 to 19 digits, issuer prefix with a length that issuer uses, Luhn; behind a word for cards 12 to 19 digits and Luhn",
    source: "ISO/IEC 7812-1, ISO/IEC 7813, issuer identification ranges as published by the networks",
    examples: &[
        Example::new("card ", &["4242424242424242"], "."),
        Example::new("amex ", &["3782 822463 10005"], ""),
        Example::new("", &["5555-5555-5555-4444"], ", thanks"),
        Example::new("2-series ", &["2223003122003222"], ""),
        Example::new("diners ", &["36227206271667"], ""),
        Example::new("unionpay ", &["6205500000000000004"], ""),
        Example::new("visa card ", &["4000000000000000006"], ""),
        Example::new("", &["4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2"], ""),
        Example::new("wide ", &["4000  -  0566  -  5566  -  5556"], ""),
        Example::new("bold ", &["4000 **0566** 5566 5556"], ""),
        Example::new("lines ", &["4000\n0566\n5566\n5556"], "\nend"),
        Example::new("track 2 ", &[";4242424242424242=34121015432112345678?"], " end"),
        Example::new("track 1 ", &["%B4242424242424242^SMITH/ALICE^34121015432112345678?"], " end"),
        Example::new("?q=", &["4000%2D0566%2D5566%2D5556"], "&page=2"),
        Example::new("?pan=%20", &["4242424242424242"], "&x=1"),
        Example::new("maestro card # ", &["500000000009"], " ok"),
        Example::new("credit card: ", &["135412345678911"], ""),
        Example::new("troy ", &["9792000000000003"], "."),
    ],
    non_examples: &[
        Example::none("4242424242424241 fails the checksum"),
        Example::none("matrix 1234 5678 9012 3456 0000"),
        Example::none("pi_3MtwBwLkdIwHu7ix4242424242424242"),
        Example::none("0.4242424242424242"),
        Example::none("x4242424242424242 and 4242424242424242x"),
        Example::none("424242424242424242424242"),
        Example::none("1747731000000 and 2026-04-07 10:15:30"),
        Example::none("424242******4242"),
        Example::none("M3537.169 2177.139 4862.775 939.142z [4234.026, 510.686, -1427.968] 4593.797,715.836"),
        Example::none("4411.495,256,641.203 4105.344..598.001 total{} 485152 1728530704020"),
        Example::none("500000000009 and 135412345678911 alone, card 500000000008, discard 500000000009"),
    ],
    rank: 180,
    level: Level::Certain,
    triggers: Triggers::Windows(&[
        // Nobody groups the first four digits, unless it is all of them.
        Window {
            sets: [
                ByteSet::of(b"12345689"),
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                ByteSet::DIGIT,
                DIGIT_OR_GAP.or(ByteSet::of(b"%+")),
                DIGIT_OR_GAP,
                DIGIT_OR_GAP,
                DIGIT_OR_GAP,
            ],
        },
        Window {
            sets: [
                ByteSet::range(b'1', b'6'),
                GAP_SET,
                ByteSet::DIGIT,
                GAP_SET,
                ByteSet::DIGIT,
                GAP_SET,
                GAP_SET,
                ByteSet::DIGIT,
            ],
        },
    ]),
    behind: 48,
    ahead: 224,
    lead: 0,
    swallow: None,
    yields_to_ids: true,
    bounded: ByteSet::DIGIT,
    find: Find::Code(find),
}];

/// A number as read: its digits and how they are grouped.
#[derive(Default)]
struct Number {
    digits: [u8; DIGITS_MAX],
    len: usize,
    /// The number of digits before each gap and at the end, and where that is.
    groups: [(usize, usize); DIGITS_MAX],
    group_count: usize,
    /// All gaps are the same single byte.
    even: bool,
    /// The last gap is a dot.
    dotted: bool,
    /// The gaps are by turns a dot and something else: decimal numbers in a row.
    decimals: bool,
    /// More digits follow behind another gap.
    more: bool,
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.ends_within(at, LABELLED_MIN) {
        return None;
    }
    let track_1 = view.before(at) == b'B' && at >= 2 && view.at(at - 2) == b'%';
    if !view.at(at).is_ascii_digit() || (is_glued(view, at) && !track_1) {
        return None;
    }
    if view.before(at) == b'.' && at >= 2 && view.at(at - 2).is_ascii_digit() {
        return None;
    }
    if !may_be_issuer(view, at) && !is_labelled(view, at) {
        return None;
    }
    let number = read(view, at)?;
    let end = match number.end(continues_a_list(view, at)) {
        Some(end) => end,
        None => number.whole().filter(|_| is_labelled(view, at))?,
    };
    if Class::ALNUM.has(view.at(end)) {
        return None;
    }
    Some(with_track(view, at, end, track_1))
}

/// Whether the first two digits, when they touch, can begin any number.
fn may_be_issuer(view: &View<'_>, at: usize) -> bool {
    match (view.at(at), view.at(at + 1)) {
        (b'1', next) => next == b'8' || !next.is_ascii_digit(),
        (b'2', next) => !matches!(next, b'0' | b'8' | b'9'),
        (b'3', next) => !matches!(next, b'1' | b'2' | b'3'),
        (b'5', next) => !matches!(next, b'7' | b'9'),
        (b'6', next) => !matches!(next, b'1' | b'6' | b'8' | b'9'),
        (b'8', next) => matches!(next, b'1' | b'2' | b'6'),
        (b'9', next) => matches!(next, b'7' | b'8'),
        _ => true,
    }
}

/// Whether words for a card number stand directly before `at`.
fn is_labelled(view: &View<'_>, at: usize) -> bool {
    const CARDS: [&[u8]; 4] = [b"card", b"maestro", b"cardnumber", b"pan"];
    const FILLERS: [&[u8]; 5] = [b"number", b"no", b"is", b"num", b"nr"];
    let mut word_end = view.back(at, Class::of(b" :#=.\"'-_"));
    for _ in 0..3 {
        let word = view.back(word_end, Class::ALPHA);
        let named =
            |names: &[&[u8]]| names.iter().any(|name| view.bytes(word, word_end).eq_ignore_ascii_case(name));
        if word == word_end || named(&CARDS) {
            return word < word_end;
        }
        if !named(&FILLERS) {
            return false;
        }
        word_end = view.back(word, Class::of(b" :#=.\"'-_"));
    }
    false
}

/// Whether digits and a gap stand before `at`.
fn continues_a_list(view: &View<'_>, at: usize) -> bool {
    GAP.has(view.before(at)) && at >= 2 && view.at(at - 2).is_ascii_digit()
}

/// Reads digits and gaps from `at` on, to the last digit that may belong to one number.
fn read(view: &View<'_>, at: usize) -> Option<Number> {
    let mut number = Number { even: true, decimals: true, ..Number::default() };
    let mut gap = 0;
    let mut pos = at;
    loop {
        let group = view.run_up_to(pos, DIGITS_MAX + 1, Class::DIGIT);
        if group == pos {
            break;
        }
        if number.len + (group - pos) > DIGITS_MAX {
            number.more = true;
            // A first group that is too long is another kind of number.
            return (number.len > 0).then_some(number);
        }
        for digit in view.bytes(pos, group) {
            number.digits[number.len] = digit - b'0';
            number.len += 1;
        }
        number.groups[number.group_count] = (number.len, group);
        number.group_count += 1;
        pos = gap_end(view, group);
        if pos == group || !view.at(pos).is_ascii_digit() {
            break;
        }
        if number.len >= DIGITS_MIN && number.group_count == 1 {
            break;
        }
        if number.len == DIGITS_MAX {
            number.more = true;
            break;
        }
        let byte = view.at(group);
        number.even &= pos == group + 1
            && matches!(byte, b' ' | b'-' | b'.' | b'_' | b'\n')
            && (gap == 0 || gap == byte);
        gap = byte;
        number.dotted = byte == b'.' && pos == group + 1;
        number.decimals &= number.dotted == (number.group_count % 2 == 1);
    }
    (number.len >= LABELLED_MIN).then_some(number)
}

/// Where the gap that begins at `from` ends: a few signs, or one escaped for a URL.
fn gap_end(view: &View<'_>, from: usize) -> usize {
    const ESCAPED: [&[u8]; 4] = [b"%20", b"%2d", b"%2e", b"+"];
    if !matches!(view.at(from), b'%' | b'+') {
        return view.run_up_to(from, GAP_LEN_MAX, GAP);
    }
    let escaped = ESCAPED.iter().find(|sign| view.starts_with_any_case(from, sign));
    escaped.map_or_else(|| view.run_up_to(from, GAP_LEN_MAX, GAP), |sign| from + sign.len())
}

impl Number {
    /// Where all the digits end, if they pass the checksum.
    fn whole(&self) -> Option<usize> {
        let (len, end) = *self.groups.get(self.group_count.checked_sub(1)?)?;
        (!self.more && self.even && len >= LABELLED_MIN && luhn(&self.digits[..len])).then_some(end)
    }

    /// Where the longest valid number ends.
    fn end(&self, continues: bool) -> Option<usize> {
        (0..self.group_count).rev().find_map(|last| {
            let (len, end) = self.groups[last];
            let whole = last + 1 == self.group_count && !self.more && !continues;
            // Two groups with a dot are a decimal number.
            let even = self.even && (last > 1 || !self.dotted);
            let plausible = last == 0 || !self.is_row(last) && (self.is_usual(last) || whole && even);
            (plausible && is_card(&self.digits[..len])).then_some(end)
        })
    }

    /// Whether the groups up to `last` are more often a row of numbers: decimals, a count and a time in milliseconds.
    fn is_row(&self, last: usize) -> bool {
        let time = last == 1 && self.digits[6] == 1 && (5..=8).contains(&self.digits[7]);
        let thousands = last == 3 && self.groups[1].0 == 7 && !self.even;
        self.decimals || time || thousands
    }

    /// Whether the groups up to `last` are as cards print them.
    fn is_usual(&self, last: usize) -> bool {
        const USUAL: [&[usize]; 7] = [
            &[4, 8, 12, 16],
            &[4, 10, 15],
            &[4, 10, 14],
            &[4, 8, 12, 16, 19],
            &[4, 7, 10, 13],
            &[6, 19],
            &[4, 8, 12, 14],
        ];
        USUAL.iter().any(|usual| {
            usual.len() == last + 1 && usual.iter().zip(&self.groups).all(|(want, (len, _))| want == len)
        })
    }
}

/// The span of the number, or of the track data around it.
fn with_track(view: &View<'_>, at: usize, end: usize, track_1: bool) -> Range<usize> {
    let (start, data) = if track_1 && view.at(end) == b'^' {
        let name = view.run_up_to(end + 1, 26, Class::ALNUM.with(b" /.'-"));
        if view.at(name) != b'^' {
            return at..end;
        }
        (at - 2, name + 1)
    } else if view.at(end) == b'=' {
        (if view.before(at) == b';' { at - 1 } else { at }, end + 1)
    } else {
        return at..end;
    };
    let data_end = view.run_up_to(data, 64, Class::ALNUM.with(b" "));
    if view.run_up_to(data, 4, Class::DIGIT) < data + 4 {
        return at..end;
    }
    start..if view.at(data_end) == b'?' { data_end + 1 } else { view.run_up_to(data, 64, Class::DIGIT) }
}

/// Whether the text of a JSON number is that of a card: an integer, however it is written.
pub(crate) fn is_card_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (mantissa, exponent) = match memchr::memchr2(b'e', b'E', text) {
        Some(split) => (&text[..split], &text[split + 1..]),
        None => (text, &b"0"[..]),
    };
    let (whole, fraction) = match memchr::memchr(b'.', mantissa) {
        Some(split) => (&mantissa[..split], &mantissa[split + 1..]),
        None => (mantissa, &b""[..]),
    };
    let Some(exponent) = small_integer(exponent) else { return false };
    let zeros = whole.iter().take_while(|&&byte| byte == b'0').count();
    let Some(point) = exponent.checked_add_unsigned(whole.len()) else { return false };
    let Some(point) = usize::try_from(point).ok().filter(|&point| point <= whole.len() + DIGITS_MAX) else {
        return false;
    };
    let digits = || whole.iter().chain(fraction).copied().chain(std::iter::repeat(b'0'));
    if whole.len() + fraction.len() > point
        && digits().take(whole.len() + fraction.len()).skip(point).any(|digit| digit != b'0')
    {
        return false;
    }
    let mut number = [0; DIGITS_MAX];
    let Some(len) = point.checked_sub(zeros).filter(|&len| len <= DIGITS_MAX) else { return false };
    for (slot, digit) in number.iter_mut().zip(digits().skip(zeros)) {
        *slot = digit.wrapping_sub(b'0');
    }
    is_card(&number[..len])
}

/// An exponent small enough to matter.
fn small_integer(text: &[u8]) -> Option<isize> {
    let (sign, digits) = match text.split_first()? {
        (b'-', rest) => (-1, rest),
        (b'+', rest) => (1, rest),
        _ => (1, text),
    };
    let value = digits.iter().try_fold(0isize, |value, digit| {
        (digit.is_ascii_digit() && value < 1000).then(|| value * 10 + isize::from(digit - b'0'))
    })?;
    Some(sign * value)
}

/// Whether `digits` are issuer, length and checksum of a card.
fn is_card(digits: &[u8]) -> bool {
    digits.len() >= DIGITS_MIN && has_issuer(digits) && luhn(digits)
}

/// The checksum of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(idx, &digit)| u32::from(if idx % 2 == 1 { DOUBLED[usize::from(digit % 10)] } else { digit }))
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the first digits belong to a network that issues numbers of this length.
fn has_issuer(digits: &[u8]) -> bool {
    let Some(first) = digits.first_chunk::<4>() else { return false };
    let prefix = first.iter().fold(0, |value, &digit| value * 10 + u32::from(digit));
    let len = digits.len();
    match prefix {
        // Visa
        4000..=4999 => matches!(len, 13 | 16 | 19),
        // Mastercard
        5100..=5599 | 2221..=2720 => len == 16,
        // American Express
        3400..=3499 | 3700..=3799 => len == 15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(len, 14 | 16),
        // JCB before 2000
        1800 | 2131 => len == 15,
        // Maestro, where its numbers are as long as others
        5018..=5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => matches!(len, 16 | 18 | 19),
        // Elo, RuPay, Hipercard, Verve, Bankcard; RuPay, Troy, Uzcard and Humo with numbers of their own
        5041 | 5066..=5067 | 5085..=5099 | 6062 | 6069..=6085 | 6362..=6363 => len == 16,
        5060..=5061 | 5078..=5079 => matches!(len, 16 | 18 | 19),
        5602 | 5610 | 2205 | 8172..=8201 | 8600 | 9792 | 9860 => len == 16,
        // JCB with the unassigned numbers before its range, Discover, UnionPay, Mir
        3500..=3589 | 6011 | 6200..=6299 | 6440..=6599 | 2200..=2204 => (16..=19).contains(&len),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_numbers_are_cards_however_they_are_written() {
        for text in ["4242424242424242", "-4242424242424242", "4.242424242424242e15", "4242424242424242.0"] {
            assert!(is_card_number(text.as_bytes()), "{text}");
        }
        for text in
            ["42424242424242.42", "4242424242424242e1", "1e400", "0", "-0", "4.242424242424242e16", "1E+2"]
        {
            assert!(!is_card_number(text.as_bytes()), "{text}");
        }
        assert!(is_card_number(b"424242424242424200e-2"));
        assert!(!is_card_number(b"424242424242424210e-2"));
        assert!(!is_card_number(b"1e-99999999999999999999"));
    }

    #[test]
    fn luhn_accepts_one_check_digit_in_ten() {
        for body in 0..1000u32 {
            let digits = [4, 0, 0, 0, (body / 100 % 10) as u8, (body / 10 % 10) as u8, (body % 10) as u8];
            let valid = (0..10).filter(|&check| luhn(&[&digits[..], &[check]].concat())).count();
            assert_eq!(valid, 1);
        }
    }
}
