//! Values that a document has shown under a sensitive name, looked for wherever else they stand.
//!
//! A name in a note is hard to find; the name of the note's own customer is not. Values are kept folded: small letters
//! without their marks. The filter is told how each begins ([`Extra`]), so that a text without them costs next to
//! nothing; letters with marks it does not know, so texts beyond ASCII are asked at each word.
//!
//! Invariants:
//!  (a) What is found depends on the values alone, not on windows of values that were forgotten.
//!  (b) At most [`Carried::new`]'s number of values is known; the oldest gives way.
//!  (c) What a position costs does not grow with the number of values.

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

/// The fewest bytes of a value, and how many tell that none begins.
const HEAD_LEN: usize = 4;

/// How many bits there are for beginnings.
const HEAD_BITS: usize = 4096;

/// Values, for as long as a document lasts.
#[derive(Debug)]
pub struct Carried {
    extra: Extra,
    /// The first `len` of them are known; the others only lend their memory.
    values: Vec<Value>,
    len: usize,
    /// How values begin, and how long they are. May speak of some that are forgotten.
    heads: [u64; HEAD_BITS / 64],
    lengths: u128,
    /// The first value of each chain of those whose hashes fall together, counted from one; none before the first
    /// value.
    chains: Box<[u16]>,
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
    hash: Hash,
    rule: RuleIx,
    /// The next value of the chain, counted from one.
    next: u16,
}

/// A hash of up to [`LEN_MAX`] bytes, eight at a time, so that the hashes of all beginnings of a text cost one pass.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Hash(u64);

impl Hash {
    /// The hash of what came before and eight more bytes; of what ends in them, zeros stand behind.
    #[inline]
    fn with(self, word: u64) -> Hash {
        let product = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Hash(product ^ product >> 32)
    }

    #[inline]
    fn of(bytes: &[u8]) -> Hash {
        let (words, rest) = bytes.as_chunks();
        let hash = words.iter().fold(Hash::default(), |hash, word| hash.with(u64::from_le_bytes(*word)));
        hash.with(word_of(rest))
    }

    /// One of `count` slots, a power of two.
    #[inline]
    fn slot(self, count: usize) -> usize {
        usize::try_from(self.0 >> 8).unwrap_or(0) & count.saturating_sub(1)
    }
}

/// Fewer than eight bytes as a number.
#[inline]
fn word_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl Carried {
    /// Room for so many values; none are carried with room for none.
    pub fn new(len_max: u16) -> Carried {
        let len_max = usize::from(len_max.min(u16::MAX - 1));
        Carried {
            extra: Extra::default(),
            values: Vec::new(),
            len: 0,
            heads: [0; HEAD_BITS / 64],
            lengths: 0,
            chains: Box::default(),
            oldest: 0,
            stale: 0,
            len_max,
            version: 0,
            folded: Vec::new(),
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
        self.heads = [0; HEAD_BITS / 64];
        self.lengths = 0;
        self.chains.fill(0);
        (self.len, self.oldest, self.stale) = (0, 0, 0);
    }

    /// Keeps `value`, decoded text found by `rule`, unless it is too short, too long or too common to be told from
    /// other text.
    pub fn add(&mut self, category: Category, rule: RuleIx, value: &[u8]) {
        // A letter with a mark takes two bytes.
        if self.len_max == 0 || value.len() > 2 * LEN_MAX {
            return;
        }
        let mut folded = std::mem::take(&mut self.folded);
        fold_into(value, &mut folded);
        if (HEAD_LEN..=LEN_MAX).contains(&folded.len())
            && is_telling(category, &folded)
            && self.find_value(Hash::of(&folded), &folded).is_none()
        {
            self.insert(&folded, rule);
        }
        self.folded = folded;
    }

    #[inline]
    fn find_value(&self, hash: Hash, folded: &[u8]) -> Option<&Value> {
        let is_it = |value: &&Value| value.hash == hash && value.folded == folded;
        self.chain(hash).map(|at| &self.values[at]).find(is_it)
    }

    /// The values that a hash may belong to.
    fn chain(&self, hash: Hash) -> impl Iterator<Item = usize> {
        let place = |next: u16| usize::from(next).checked_sub(1);
        let first = self.chains.get(hash.slot(self.chains.len())).copied().and_then(place);
        std::iter::successors(first, move |&at| place(self.values[at].next))
    }

    fn insert(&mut self, folded: &[u8], rule: RuleIx) {
        if self.chains.is_empty() {
            self.chains = vec![0; (2 * self.len_max).next_power_of_two()].into_boxed_slice();
        }
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
        let hash = Hash::of(folded);
        let slot = hash.slot(self.chains.len());
        let value = &mut self.values[at];
        value.folded.clear();
        value.folded.extend_from_slice(folded);
        (value.hash, value.rule, value.next) = (hash, rule, self.chains[slot]);
        self.chains[slot] = u16::try_from(at + 1).unwrap_or(0);
        if self.stale > self.len_max {
            self.stale = 0;
            self.extra.clear();
            self.heads = [0; HEAD_BITS / 64];
            self.lengths = 0;
            (0..self.len).for_each(|at| self.announce(at));
        } else {
            self.announce(at);
        }
        self.version += 1;
    }

    /// Makes known how a value begins and how long it is.
    fn announce(&mut self, at: usize) {
        let folded = &self.values[at].folded;
        let head = Hash::default().with(word_of(&folded[..HEAD_LEN.min(folded.len())])).slot(HEAD_BITS);
        self.heads[head / 64] |= 1 << (head % 64);
        self.lengths |= 1 << folded.len();
        self.extra.add(folded);
    }

    fn unlink(&mut self, at: usize) {
        let Value { hash, next, .. } = self.values[at];
        let before = self.chain(hash).find(|&before| usize::from(self.values[before].next) == at + 1);
        match before {
            Some(before) => self.values[before].next = next,
            None => self.chains[hash.slot(self.chains.len())] = next,
        }
    }

    /// Whether a value may begin where `seen` is seen, as far as the filter knows.
    #[inline]
    pub(crate) fn may_hold(&self, seen: Seen) -> bool {
        self.extra.may_hold(seen)
    }

    /// The rule of the value that `text`, which is ASCII, is as a whole.
    pub fn whole(&self, text: &[u8]) -> Option<RuleIx> {
        if text.len() > LEN_MAX || self.lengths >> text.len() & 1 == 0 {
            return None;
        }
        self.find_value(Hash::of(text), text).map(|value| value.rule)
    }

    /// The longest value that stands at `at`, as words of their own. Costs one pass over as many bytes as the longest
    /// value has, however many there are.
    pub(crate) fn find(&self, view: &View<'_>, at: usize) -> Option<(RuleIx, Range<usize>)> {
        if is_glued(view, at) || ends_letter(view, at) {
            return None;
        }
        let mut folded = [0; LEN_MAX];
        // Of the whole words of eight bytes so far, and the bytes behind them.
        let (mut hash, mut word) = (Hash::default(), 0);
        let mut pos = at;
        let mut found = None;
        for len in 1..=self.longest() {
            let (byte, width) = fold(|idx| view.at(pos + idx));
            if byte == 0 {
                break;
            }
            folded[len - 1] = byte;
            word |= u64::from(byte) << (8 * ((len - 1) % 8));
            pos += width;
            if len == HEAD_LEN {
                let head = hash.with(word).slot(HEAD_BITS);
                if self.heads[head / 64] >> (head % 64) & 1 == 0 {
                    return None;
                }
            }
            if len % 8 == 0 {
                (hash, word) = (hash.with(word), 0);
            }
            if self.lengths >> len & 1 == 1
                && let Some(value) = self.find_value(hash.with(word), &folded[..len])
                && ends(view, pos, byte)
            {
                found = Some((value.rule, at..pos));
            }
        }
        found
    }

    /// How long the longest value is.
    fn longest(&self) -> usize {
        (u128::BITS - self.lengths.leading_zeros()).saturating_sub(1) as usize
    }
}

/// Whether a value whose last byte is `last` may end at `pos`: no letter or digit goes on there.
fn ends(view: &View<'_>, pos: usize, last: u8) -> bool {
    let next = view.at(pos);
    let is_open = last.is_ascii() && !last.is_ascii_alphanumeric();
    is_open || !(Class::WORD.has(next) || is_letter_lead(next))
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

/// How many bytes of a folded value are of a kind. There are at most [`LEN_MAX`], so that their number fits.
#[inline(always)]
fn count(folded: &[u8], is: impl Fn(u8) -> bool) -> usize {
    usize::from(folded.iter().map(|&byte| u8::from(is(byte))).sum::<u8>())
}

/// Whether a value says enough to be known by: a name of two words or one that is no ordinary word, a street with its
/// number, six letters or digits of a number, an address, a secret with more than letters in it.
fn is_telling(category: Category, folded: &[u8]) -> bool {
    let letters = count(folded, |byte| byte.is_ascii_lowercase() || !byte.is_ascii());
    let digits = count(folded, |byte| byte.is_ascii_digit());
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
    use crate::view::work;

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

    #[test]
    fn many_values_that_begin_alike_cost_no_more_than_one() {
        let text = "aaa ".repeat(1000);
        let reads = |count: usize| {
            let mut carried = Carried::new(1024);
            for number in 0..count {
                carried.add(Category::BankAccount, 0, format!("{}{number:05}", "aaa ".repeat(18)).as_bytes());
            }
            work::take();
            assert_eq!(found(&carried, &text), []);
            work::take()
        };
        let one = reads(1);
        assert!(one > 0);
        assert_eq!(reads(1000), one);
    }
}
