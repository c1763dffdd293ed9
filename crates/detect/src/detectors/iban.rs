//! International bank account numbers.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::tables::iban_lengths;
use crate::view::{Class, View};

const CAPITAL: ByteSet = ByteSet::range(b'A', b'Z');
const BODY: ByteSet = CAPITAL.or(ByteSet::DIGIT).or(ByteSet::of(b" -"));
const LEN_MAX: usize = 33;

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "iban",
    category: Category::Iban,
    description: "international bank account number, compact or in groups",
    validator: "country and length of the registry, modulo 97; small letters behind the word",
    source: "ISO 13616, SWIFT IBAN registry",
    examples: &[
        Example::new("iban ", &["DE89370400440532013000"], "."),
        Example::new("", &["GB82 WEST 1234 5698 7654 32"], ". keep"),
        Example::new("", &["FR1420041010050500013M02606"], ""),
        Example::new("", &["NO9386011117947"], " is short"),
        Example::new("", &["DE89-3704-0044-0532-0130-00"], ""),
        Example::new("my iban is ", &["de89 3704 0044 0532 0130 00"], "."),
        Example::new("IBAN:", &["gb82west12345698765432"], ""),
    ],
    non_examples: &[
        Example::none("DE89370400440532013001"),
        Example::none("DE8937040044053201300"),
        Example::none("XDE89370400440532013000 DE893704004405320130001"),
        Example::none("ZZ89370400440532013000 query=BE534A34633BFAB0 BE334200-42F8-7B57-D6A4-648DA9A2857E"),
        Example::none("de89370400440532013000 and iban: de89370400440532013001"),
    ],
    rank: 185,
    level: Level::Certain,
    triggers: Triggers::Windows(&[
        Window { sets: [CAPITAL, CAPITAL, ByteSet::DIGIT, ByteSet::DIGIT, BODY, BODY, BODY, BODY] },
        Window::head(&[
            ByteSet::of(b"iI"),
            ByteSet::of(b"bB"),
            ByteSet::of(b"aA"),
            ByteSet::of(b"nN"),
            ByteSet::of(b" :=#-_.\"'(\n\t"),
        ]),
    ]),
    behind: 48,
    ahead: 112,
    lead: 24,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.starts_with_any_case(at, b"iban") {
        return find_labelled(view, at);
    }
    find_at(view, at)
}

/// An account number in letters of any case behind the word.
fn find_labelled(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const GAP: Class = Class::of(b" :=#-_.\"'(\n\t");
    const FILLERS: [&[u8]; 4] = [b"is", b"number", b"no", b"was"];
    let mut pos = view.run_up_to(at + 4, 6, GAP);
    for _ in 0..2 {
        let end = view.run_up_to(pos, 7, Class::ALPHA);
        if FILLERS.iter().any(|filler| view.bytes(pos, end).eq_ignore_ascii_case(filler)) {
            pos = view.run_up_to(end, 4, GAP);
        }
    }
    find_at(view, pos)
}

fn find_at(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let country = [view.at(at).to_ascii_uppercase(), view.at(at + 1).to_ascii_uppercase()];
    let wanted = iban_lengths::of(country)?;
    if is_glued(view, at) || view.before(at) == b'_' {
        return None;
    }
    let mut text = [0; LEN_MAX];
    let mut len = 0;
    let mut pos = at;
    let mut separator = 0;
    while len < wanted {
        let byte = view.at(pos);
        if byte.is_ascii_alphanumeric() {
            text[len] = byte.to_ascii_uppercase();
            len += 1;
        } else if len % 4 == 0 && len > 0 && view.at(pos - 1) != byte && is_separator(byte, separator) {
            separator = byte;
        } else {
            return None;
        }
        pos += 1;
    }
    let digits = if iban_lengths::is_all_digits(country) { wanted } else { 4 };
    let fits = text[2..digits].iter().all(u8::is_ascii_digit) && !Class::WORD.has(view.at(pos));
    (fits && remainder(&text[..wanted]) == Some(1)).then_some(at..pos)
}

/// Whether `byte` separates groups as those before were: `before` is zero at the first.
fn is_separator(byte: u8, before: u8) -> bool {
    matches!(byte, b' ' | b'-') && (before == 0 || before == byte)
}

/// The number that an IBAN spells, modulo 97: one, if it is valid.
fn remainder(text: &[u8]) -> Option<u64> {
    /// Beyond this a remainder is taken.
    const LARGE: u64 = u64::MAX / 200;
    let (head, tail) = text.split_at_checked(4)?;
    let number = tail.iter().chain(head).try_fold(0, |number: u64, &byte| {
        let number = if number > LARGE { number % 97 } else { number };
        match byte {
            b'0'..=b'9' => Some(number * 10 + u64::from(byte - b'0')),
            b'A'..=b'Z' => Some(number * 100 + u64::from(byte - b'A') + 10),
            _ => None,
        }
    })?;
    Some(number % 97)
}
