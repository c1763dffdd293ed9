//! Values that a document has shown under a sensitive name, looked for wherever else they stand.
//!
//! A name in a note is hard to find; the name of the note's own customer is not. Values are kept folded: small letters
//! without their marks. The filter is told how each begins ([`Extra`]), so that a text without them costs next to
//! nothing; letters with marks it does not know, so texts beyond ASCII are asked at each word.
//!
//! Invariants:
//!  (a) What is found depends on the values alone, not on windows of values that were forgotten.
//!  (b) At most [`Carried::new`]'s number of values is known; the oldest gives way.

use std::ops::Range;

use obelus_json::filter::{Extra, Seen};

use crate::Category;
use crate::detectors::is_glued;
use crate::detectors::person::{base_letter, is_ordinary};
use crate::scan::RuleIx;
use crate::view::{Class, View};

/// How long a value may be, folded.
pub(crate) const LEN_MAX: usize = 80;

/// How much of a text is looked at from where a value may begin: letters with marks are longer, and one byte more tells
/// whether it ends there.
pub(crate) const AHEAD: usize = 2 * LEN_MAX + 2;

/// How much before it.
pub(crate) const BEHIND: usize = 3;

/// How many chains there are by the first letters.
const HEADS: usize = 64;

/// The values, for as long as a document lasts.
#[derive(Debug)]
pub struct Carried {
    extra: Extra,
    /// The first `len` of them are known; the others only lend their memory.
    values: Vec<Value>,
    len: usize,
    /// The first value of each chain, counted from one.
    heads: [u16; HEADS],
    /// Which value gives way next, once there is no room.
    oldest: usize,
    /// How many values the windows speak of that are forgotten.
    stale: usize,
    len_max: usize,
    /// How many values were ever added.
    version: u64,
    /// The value being added.
    folded: Vec<u8>,
}

#[derive(Debug, Default)]
struct Value {
    folded: Vec<u8>,
    rule: RuleIx,
    /// The next value of the chain, counted from one.
    next: u16,
}

impl Carried {
    /// Room for so many values, at most 65,534; none are carried with room for none.
    pub fn new(len_max: u16) -> Carried {
        Carried {
            extra: Extra::default(),
            values: Vec::new(),
            len: 0,
            folded: Vec::new(),
            heads: [0; HEADS],
            oldest: 0,
            stale: 0,
            len_max: usize::from(len_max.min(u16::MAX - 1)),
            version: 0,
        }
    }

    /// Whether values are kept at all.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.len_max > 0
    }

    /// Whether the next value makes the oldest give way.
    pub fn is_full(&self) -> bool {
        self.len >= self.len_max
    }

    /// Nothing, if there is no value.
    #[inline]
    pub fn known(&self) -> Option<&Carried> {
        (self.len > 0).then_some(self)
    }

    /// How values begin, for the filter.
    #[inline]
    pub fn extra(&self) -> Option<&Extra> {
        (!self.extra.is_empty()).then_some(&self.extra)
    }

    /// A number that changes when a value is added.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes all values out, in the form that [`Carried::restore`] takes.
    pub fn take(&mut self) -> Vec<(RuleIx, Vec<u8>)> {
        let mut values = std::mem::take(&mut self.values);
        values.truncate(self.len);
        self.forget();
        values.into_iter().map(|value| (value.rule, value.folded)).collect()
    }

    /// Knows these values instead of others.
    pub fn restore(&mut self, values: Vec<(RuleIx, Vec<u8>)>) {
        self.clear();
        for (rule, folded) in values {
            self.insert(&folded, rule);
        }
    }

    /// Forgets all values.
    #[inline]
    pub fn clear(&mut self) {
        if self.len > 0 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.extra.clear();
        self.heads = [0; HEADS];
        (self.len, self.oldest, self.stale) = (0, 0, 0);
    }

    /// Keeps `value`, decoded text found by `rule`, unless it is too short, too long or too common to be told from
    /// other text.
    pub fn add(&mut self, category: Category, rule: RuleIx, value: &[u8]) {
        if self.len_max == 0 || value.len() > LEN_MAX {
            return;
        }
        let mut folded = std::mem::take(&mut self.folded);
        fold_into(value, &mut folded);
        if is_telling(category, &folded) && self.find_value(&folded).is_none() {
            self.insert(&folded, rule);
        }
        self.folded = folded;
    }

    fn find_value(&self, folded: &[u8]) -> Option<usize> {
        self.chain(head_of(folded)).find(|&at| self.values[at].folded == folded)
    }

    /// The values of a chain.
    fn chain(&self, head: usize) -> impl Iterator<Item = usize> {
        let place = |next: u16| usize::from(next).checked_sub(1);
        std::iter::successors(place(self.heads[head]), move |&at| place(self.values[at].next))
    }

    fn insert(&mut self, folded: &[u8], rule: RuleIx) {
        let at = if self.len < self.len_max {
            self.len += 1;
            self.len - 1
        } else {
            let at = self.oldest;
            self.oldest = (at + 1) % self.len_max;
            self.unlink(at);
            self.stale += 1;
            at
        };
        if at == self.values.len() {
            self.values.push(Value::default());
        }
        let head = head_of(folded);
        let value = &mut self.values[at];
        value.folded.clear();
        value.folded.extend_from_slice(folded);
        value.rule = rule;
        value.next = self.heads[head];
        self.heads[head] = u16::try_from(at + 1).unwrap_or(0);
        if self.stale > self.len_max {
            self.stale = 0;
            self.extra.clear();
            self.values[..self.len].iter().for_each(|value| self.extra.add(&value.folded));
        } else {
            self.extra.add(folded);
        }
        self.version += 1;
    }

    fn unlink(&mut self, at: usize) {
        let head = head_of(&self.values[at].folded);
        let next = self.values[at].next;
        let before = self.chain(head).find(|&before| usize::from(self.values[before].next) == at + 1);
        match before {
            Some(before) => self.values[before].next = next,
            None => self.heads[head] = next,
        }
    }

    /// Whether a value may begin where `seen` is seen, as far as the filter knows.
    #[inline]
    pub(crate) fn may_hold(&self, seen: Seen) -> bool {
        self.extra.may_hold(seen)
    }

    /// The longest value that stands at `at`, as words of their own.
    pub(crate) fn find(&self, view: &View<'_>, at: usize) -> Option<(RuleIx, Range<usize>)> {
        if is_glued(view, at) || ends_letter(view, at) {
            return None;
        }
        let mut first = [0; 3];
        let mut pos = at;
        for byte in &mut first {
            let (folded, len) = fold(|idx| view.at(pos + idx));
            *byte = folded;
            pos += len;
        }
        let ends = self.chain(head_of(&first)).filter_map(|value| {
            let value = &self.values[value];
            Some((end_of(view, at, &value.folded)?, value.rule))
        });
        ends.max_by_key(|(end, rule)| (*end, std::cmp::Reverse(*rule))).map(|(end, rule)| (rule, at..end))
    }
}

/// Where `folded` ends that stands at `at`, if no letter or digit goes on there.
fn end_of(view: &View<'_>, at: usize, folded: &[u8]) -> Option<usize> {
    let mut pos = at;
    for &wanted in folded {
        let (byte, len) = fold(|idx| view.at(pos + idx));
        if byte != wanted {
            return None;
        }
        pos += len;
    }
    let next = view.at(pos);
    let goes_on = Class::WORD.has(next) || is_letter_lead(next);
    let ends_open = folded.last().is_some_and(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii());
    (ends_open || !goes_on).then_some(pos)
}

/// Whether the byte leads a letter of two bytes: Latin, Greek, Cyrillic, Hebrew, Arabic.
fn is_letter_lead(byte: u8) -> bool {
    matches!(byte, 0xC3..=0xDF)
}

/// Whether a letter of two bytes ends before `at`.
fn ends_letter(view: &View<'_>, at: usize) -> bool {
    view.before(at) & 0xC0 == 0x80 && at >= 2 && is_letter_lead(view.at(at - 2))
}

/// The first byte without case and mark, and how many bytes it stands for.
#[inline]
fn fold(at: impl Fn(usize) -> u8) -> (u8, usize) {
    let byte = at(0);
    if byte.is_ascii() {
        return (byte.to_ascii_lowercase(), 1);
    }
    match base_letter(byte, if matches!(byte, 0xC3..=0xC5) { at(1) } else { 0 }) {
        Some(letter) => (letter, 2),
        None => (byte, 1),
    }
}

/// All of `value`, folded.
fn fold_into(value: &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    if value.is_ascii() {
        folded.extend_from_slice(value);
        folded.make_ascii_lowercase();
        return;
    }
    let mut pos = 0;
    while pos < value.len() {
        let (byte, len) = fold(|idx| value.get(pos + idx).copied().unwrap_or(0));
        folded.push(byte);
        pos += len;
    }
}

fn head_of(folded: &[u8]) -> usize {
    let at = |idx: usize| usize::from(folded.get(idx).copied().unwrap_or(0));
    (at(0) + 7 * at(1) + 31 * at(2)) % HEADS
}

/// Whether a value says enough to be known by: a name of two words or one that is no ordinary word, a street with its
/// number, six letters or digits of a number, an address, a secret with more than letters in it.
fn is_telling(category: Category, folded: &[u8]) -> bool {
    let letters = folded.iter().filter(|byte| byte.is_ascii_lowercase() || !byte.is_ascii()).count();
    let digits = folded.iter().filter(|byte| byte.is_ascii_digit()).count();
    match category {
        Category::PersonName => {
            let words = || {
                folded.split(|byte| !Class::ALPHA.or_non_ascii().has(*byte)).filter(|word| !word.is_empty())
            };
            let is_rare = |word: &[u8]| word.len() > 3 && !is_ordinary(word);
            if words().nth(1).is_some() { letters >= 6 && words().any(is_rare) } else { words().any(is_rare) }
        }
        Category::PostalAddress => letters >= 4 && digits > 0 && letters + digits >= 8,
        Category::Email => letters + digits >= 6 && folded.contains(&b'@'),
        Category::Phone
        | Category::BankAccount
        | Category::Iban
        | Category::UsSsn
        | Category::GovernmentId
        | Category::TaxId
        | Category::CardNumber => digits >= 4 && letters + digits >= 6,
        Category::Secret | Category::CryptoWallet => folded.len() >= 8 && folded.len() > letters,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(values: &[(Category, &str)]) -> Carried {
        let mut carried = Carried::new(4);
        for (rule, (category, value)) in (0..).zip(values) {
            carried.add(*category, rule, value.as_bytes());
        }
        carried
    }

    fn found(carried: &Carried, text: &str) -> Vec<(RuleIx, String)> {
        let finds = (0..text.len()).filter_map(|at| {
            let view = View::new(text.as_bytes(), at.saturating_sub(BEHIND), at + AHEAD, false);
            let (rule, span) = carried.find(&view, at)?;
            Some((rule, text.get(span)?.to_owned()))
        });
        finds.collect()
    }

    #[test]
    fn values_are_found_whatever_their_case_and_marks() {
        let carried =
            carried(&[(Category::PersonName, "José Müller"), (Category::BankAccount, "000123456789")]);
        for (text, expected) in [
            ("to JOSE MULLER, thanks", (0, "JOSE MULLER")),
            ("José müller’s card", (0, "José müller")),
            ("acct=000123456789;", (1, "000123456789")),
        ] {
            assert_eq!(found(&carried, text), [(expected.0, expected.1.to_owned())], "{text}");
        }
        for text in
            ["Jose Mullers", "xJose Muller", "éJose Muller", "0001234567890", "Jose  Muller", "jose mulleré"]
        {
            assert_eq!(found(&carried, text), [], "{text}");
        }
    }

    #[test]
    fn what_is_short_or_common_is_not_kept() {
        for (category, value) in [
            (Category::PersonName, "Mark"),
            (Category::PersonName, "Al"),
            (Category::PersonName, "Grace Will"),
            (Category::PostalAddress, "Springfield"),
            (Category::PostalAddress, "94111"),
            (Category::Phone, "911"),
            (Category::DateOfBirth, "1990-01-02"),
            (Category::Secret, "changeme"),
            (Category::CardLast4, "4242"),
        ] {
            assert!(carried(&[(category, value)]).known().is_none(), "{value}");
        }
    }

    #[test]
    fn the_oldest_gives_way_and_nothing_else_changes() {
        let mut carried = Carried::new(4);
        let name = |number: usize| format!("account {number:06}");
        for number in 0..40 {
            carried.add(Category::BankAccount, 7, name(number).as_bytes());
            for known in 0..=number {
                let text = name(known);
                let expected = usize::from(known + 4 > number);
                assert_eq!(found(&carried, &text).len(), expected, "{known} of {number}");
                let may = carried.may_hold(Seen::at(text.as_bytes(), 0));
                assert!(expected == 0 || may, "{known} of {number}");
            }
        }
        carried.clear();
        assert!(carried.known().is_none() && carried.extra().is_none());
    }
}
