//! International bank account numbers.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::{IBAN_BUCKET, is_glued};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::tables::iban_lengths;
use crate::view::{Class, View};

const CAPITAL: ByteSet = ByteSet::range(b'A', b'Z');
const BODY: ByteSet = CAPITAL.or(ByteSet::DIGIT).or(ByteSet::of(b" -"));
const LEN_MAX: usize = 33;

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "iban",
    category: Category::Iban,
    description: "international bank account number, compact or in groups",
    validator: "country and length of the registry, modulo 97",
    source: "ISO 13616, SWIFT IBAN registry",
    examples: &[
        Example::new("iban ", &["DE89370400440532013000"], "."),
        Example::new("", &["GB82 WEST 1234 5698 7654 32"], ". keep"),
        Example::new("", &["FR1420041010050500013M02606"], ""),
        Example::new("", &["NO9386011117947"], " is short"),
        Example::new("", &["DE89-3704-0044-0532-0130-00"], ""),
    ],
    non_examples: &[
        Example::none("DE89370400440532013001"),
        Example::none("DE8937040044053201300"),
        Example::none("XDE89370400440532013000 DE893704004405320130001"),
        Example::none("ZZ89370400440532013000"),
    ],
    rank: 185,
    level: Level::Certain,
    triggers: Triggers::Windows(&[Window {
        sets: [CAPITAL, CAPITAL, ByteSet::DIGIT, ByteSet::DIGIT, BODY, BODY, BODY, BODY],
        bucket: IBAN_BUCKET,
    }]),
    behind: 48,
    ahead: 96,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
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
    (!Class::WORD.has(view.at(pos)) && remainder(&text[..wanted]) == Some(1)).then_some(at..pos)
}

/// Whether `byte` separates groups as those before were: `before` is zero at the first.
fn is_separator(byte: u8, before: u8) -> bool {
    matches!(byte, b' ' | b'-') && (before == 0 || before == byte)
}

/// The number that an IBAN spells, modulo 97: one, if it is valid.
fn remainder(text: &[u8]) -> Option<u32> {
    let (head, tail) = text.split_at_checked(4)?;
    tail.iter().chain(head).try_fold(0, |rest, &byte| match byte {
        b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    })
}
