//! The candidate filter: which positions could begin something that somebody is looking for.
//!
//! A [`Window`] looks at eight bytes around a position, at the fixed distances [`OFFSETS`], and asks of each
//! whether it is in a set. Distances are spread because the shapes worth finding are: a date and a card number
//! differ little in their first five bytes and plainly at the eighth. Windows share buckets in banks of eight
//! ([`BUCKETS`]), one bit each, so that one table look-up per distance and bank answers for all of them:
//!
//! ```text
//! hit(i) = table[0][b[i]] & table[1][b[i+1]] & table[2][b[i+2]] & … & table[7][b[i+10]]
//! ```
//!
//! A bit left over names a bucket with a candidate. The answer may be yes for a byte sequence that no single
//! window describes (windows in one bucket mix, and vector code folds bytes above 0x7F); it is never no for
//! one that a window does describe. What a bucket means is the caller's business.

use crate::arch::{self, Arch, Vector};
use std::sync::LazyLock;

/// The distances from a position at which a window looks.
pub const OFFSETS: [usize; 8] = [0, 1, 2, 3, 4, 7, 9, 10];

/// How many bytes from a position a window may look at.
pub const SPAN: usize = OFFSETS[7] + 1;

/// A set of ASCII bytes. Bytes above 0x7F belong to [`ByteSet::ANY`] only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteSet(u128);

impl ByteSet {
    /// Every byte, ASCII or not.
    pub const ANY: ByteSet = ByteSet(u128::MAX);
    /// `0` to `9`.
    pub const DIGIT: ByteSet = ByteSet::range(b'0', b'9');
    /// Digits and both cases of `a` to `f`.
    pub const HEX: ByteSet = ByteSet::DIGIT.or(ByteSet::range(b'a', b'f')).or(ByteSet::range(b'A', b'F'));
    /// Both cases of the letters.
    pub const ALPHA: ByteSet = ByteSet::range(b'a', b'z').or(ByteSet::range(b'A', b'Z'));

    /// The set of the given bytes; those above 0x7F are left out.
    pub const fn of(bytes: &[u8]) -> ByteSet {
        let mut set = 0;
        let mut idx = 0;
        while idx < bytes.len() {
            if bytes[idx] < 128 {
                set |= 1 << bytes[idx];
            }
            idx += 1;
        }
        ByteSet(set)
    }

    /// The bytes from `first` to `last`, both included.
    pub const fn range(first: u8, last: u8) -> ByteSet {
        let mut set = 0;
        let mut byte = first;
        while byte <= last && byte < 128 {
            set |= 1 << byte;
            byte += 1;
        }
        ByteSet(set)
    }

    /// The union of two sets.
    pub const fn or(self, other: ByteSet) -> ByteSet {
        ByteSet(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn without(self, other: ByteSet) -> ByteSet {
        ByteSet(self.0 & !other.0)
    }

    /// The ASCII bytes of the set, in order.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let byte = u8::try_from(rest.trailing_zeros()).ok().filter(|byte| *byte < 128)?;
            rest &= rest - 1;
            Some(byte)
        })
    }

    /// Whether `byte` is in the set.
    pub const fn contains(self, byte: u8) -> bool {
        if byte < 128 { self.0 >> byte & 1 == 1 } else { self.0 == u128::MAX }
    }
}

/// How many banks of eight buckets there are.
const BANKS: usize = 4;

/// How many buckets windows share.
pub const BUCKETS: usize = 8 * BANKS;

/// Buckets below this are not reported in the middle of a word: behind a letter or digit of ASCII, unless that may
/// belong to an escape (`\\n`, `%20`).
pub const WORD_BUCKETS: usize = 8;

/// One shape: a set for each of [`OFFSETS`].
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// What stands at each of [`OFFSETS`].
    pub sets: [ByteSet; 8],
}

impl Window {
    /// A window whose first bytes are given and whose others may be anything. At most five sets.
    pub const fn head(sets: &[ByteSet]) -> Window {
        let mut all = [ByteSet::ANY; 8];
        let mut idx = 0;
        while idx < sets.len() && idx < 5 {
            all[idx] = sets[idx];
            idx += 1;
        }
        Window { sets: all }
    }

    /// A window whose first five bytes are each among those given and whose others may be anything.
    pub const fn among(heads: [&[u8]; 5]) -> Window {
        let [first, second, third, fourth, fifth] = heads;
        Window::head(&[
            ByteSet::of(first),
            ByteSet::of(second),
            ByteSet::of(third),
            ByteSet::of(fourth),
            ByteSet::of(fifth),
        ])
    }

    /// A window for a literal: its first five bytes and those at 7, 9 and 10 if it is as long as that.
    pub const fn literal(text: &[u8]) -> Window {
        let mut all = [ByteSet::ANY; 8];
        let mut idx = 0;
        while idx < 8 {
            if OFFSETS[idx] < text.len() {
                all[idx] = ByteSet::of(&[text[OFFSETS[idx]]]);
            }
            idx += 1;
        }
        Window { sets: all }
    }
}

/// The bytes that a window looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen([u8; OFFSETS.len()]);

impl Seen {
    /// What a window at `text[at]` looks at. Bytes past the end count as zero bytes.
    #[inline]
    pub fn at(text: &[u8], at: usize) -> Seen {
        let rest = text.get(at..).unwrap_or_default();
        match rest.first_chunk::<SPAN>() {
            Some(part) => Seen(OFFSETS.map(|offset| part[offset])),
            None => Seen::near_end(text, at),
        }
    }

    /// The same where the text ends before the last of the distances. A text of eight to sixteen bytes, or the end of a
    /// longer one, is put together from two loads.
    #[inline]
    fn near_end(text: &[u8], at: usize) -> Seen {
        let last = &text[text.len().saturating_sub(16)..];
        let (Some(head), Some(tail)) = (last.first_chunk(), last.last_chunk()) else {
            let rest = text.get(at..).unwrap_or_default();
            return Seen(OFFSETS.map(|offset| rest.get(offset).copied().unwrap_or(0)));
        };
        let head = u128::from(u64::from_le_bytes(*head));
        let tail = u128::from(u64::from_le_bytes(*tail)) << (8 * (last.len() - 8));
        let before = (at + last.len() - text.len()).min(16);
        let bytes = if before == 16 { [0; 16] } else { ((head | tail) >> (8 * before)).to_le_bytes() };
        Seen(OFFSETS.map(|offset| bytes[offset]))
    }

    /// The first of them.
    #[inline]
    pub fn first(self) -> u8 {
        self.0[0]
    }
}

/// Windows that are told apart exactly, at most 64 of them.
#[derive(Clone, Debug)]
pub struct Exact {
    /// For each distance and byte, which windows allow it.
    tables: Box<[[u64; 128]; OFFSETS.len()]>,
}

impl Exact {
    /// How many windows there may be.
    pub const CAPACITY: usize = 64;

    /// Compiles windows; those beyond [`Exact::CAPACITY`] are left out.
    pub fn new<'w>(windows: impl Iterator<Item = &'w Window>) -> Exact {
        let mut tables = Box::new([[0; 128]; OFFSETS.len()]);
        for (bit, window) in windows.enumerate().take(Exact::CAPACITY) {
            for (table, set) in tables.iter_mut().zip(window.sets) {
                set.bytes().for_each(|byte| table[usize::from(byte)] |= 1 << bit);
            }
        }
        Exact { tables }
    }

    /// Which windows hold, one bit each. Bytes above 0x7F count as without their upper bit.
    #[inline]
    pub fn windows_of(&self, seen: Seen) -> u64 {
        let bits = |(table, byte): (&[u64; 128], u8)| table[usize::from(byte & 0x7F)];
        self.tables.iter().zip(seen.0).map(bits).fold(u64::MAX, |all, bits| all & bits)
    }
}

impl Exact {
    /// Which windows hold as far as `text` goes, of one byte at least.
    pub fn windows_begun(&self, text: &[u8]) -> u64 {
        let tables = self.tables.iter().zip(OFFSETS);
        let seen = tables.filter_map(|(table, offset)| Some(table[usize::from(*text.get(offset)? & 0x7F)]));
        seen.fold(u64::MAX, |all, bits| all & bits)
    }
}

/// What the filter and the words of a block say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Candidates {
    /// Positions with a bucket below [`WORD_BUCKETS`].
    pub(crate) bounded: u64,
    /// Positions with another one.
    pub(crate) free: u64,
    /// Letters and digits.
    pub(crate) word: u64,
    /// Backslashes and percent signs.
    pub(crate) escape: u64,
}

/// What is carried from block to block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WordCarry {
    word: u64,
    escape: u64,
}

impl Candidates {
    /// The positions that are reported, and those in the middle of a word. Before the first block nothing is known,
    /// so that more may be reported.
    #[inline(always)]
    pub(crate) fn reported(&self, carry: &mut WordCarry) -> (u64, u64) {
        let back = |bits: u64, before: u64, len: u32| bits << len | before >> (64 - len);
        let escaped = back(self.escape, carry.escape, 2) | back(self.escape, carry.escape, 3);
        let in_word = back(self.word, carry.word, 1) & !escaped;
        *carry = WordCarry { word: self.word, escape: self.escape };
        (self.free | self.bounded & !in_word, in_word)
    }
}

/// The tables of eight buckets. Aligned, so that no load of a register crosses a cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Bank {
    pub(crate) tables: [[u8; 128]; 8],
    /// What the lower half of a byte allows at each distance, and the upper half.
    pub(crate) low: [[u8; 16]; 8],
    pub(crate) high: [[u8; 16]; 8],
}

impl Bank {
    const EMPTY: Bank = Bank { tables: [[0; 128]; 8], low: [[0; 16]; 8], high: [[0; 16]; 8] };

    fn new(windows: &[(Window, u8)], first_bucket: u8) -> Bank {
        let mut bank = Bank::EMPTY;
        for (window, bucket) in windows {
            let Some(bit) = bucket.checked_sub(first_bucket).filter(|bit| *bit < 8) else { continue };
            for (distance, set) in window.sets.into_iter().enumerate() {
                set.bytes().for_each(|byte| bank.allow(distance, byte, 1 << bit));
            }
        }
        bank
    }

    /// Lets the buckets of `bits` pass where `byte`, of ASCII, stands at a distance.
    #[inline]
    fn allow(&mut self, distance: usize, byte: u8, bits: u8) {
        self.tables[distance][usize::from(byte)] |= bits;
        self.low[distance][usize::from(byte & 15)] |= bits;
        self.high[distance][usize::from(byte >> 4)] |= bits;
        // A byte above 0x7F stands for the one without its upper bit.
        self.high[distance][usize::from(8 | byte >> 4)] |= bits;
    }

    /// Lets them pass whatever stands there.
    fn allow_all(&mut self, distance: usize, bits: u8) {
        self.tables[distance].iter_mut().for_each(|entry| *entry |= bits);
        self.low[distance].iter_mut().for_each(|entry| *entry |= bits);
        self.high[distance].iter_mut().for_each(|entry| *entry |= bits);
    }
}

/// Windows that come and go while a text is read, beside those of a [`Filter`]. They share one bank of buckets and are
/// reported only where a word begins.
#[derive(Clone, Debug)]
pub struct Extra {
    pub(crate) bank: Bank,
    count: usize,
}

impl Default for Extra {
    fn default() -> Extra {
        Extra { bank: Bank::EMPTY, count: 0 }
    }
}

impl Extra {
    /// Whether there is no window.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a window for a literal, given in small letters, in either case; what is not ASCII may be anything.
    pub fn add(&mut self, literal: &[u8]) {
        let bit = 1 << (self.count % 8);
        self.count += 1;
        for (distance, offset) in OFFSETS.into_iter().enumerate() {
            match literal.get(offset) {
                Some(byte) if byte.is_ascii() => {
                    self.bank.allow(distance, *byte, bit);
                    self.bank.allow(distance, byte.to_ascii_uppercase(), bit);
                }
                _ => self.bank.allow_all(distance, bit),
            }
        }
    }

    /// Forgets all windows.
    pub fn clear(&mut self) {
        if self.count > 0 {
            self.bank = Bank::EMPTY;
            self.count = 0;
        }
    }

    /// Whether one of the windows may hold where `seen` is seen.
    #[inline]
    pub fn may_hold(&self, seen: Seen) -> bool {
        let bits = |(table, byte): (&[u8; 128], u8)| table[usize::from(byte & 0x7F)];
        self.bank.tables.iter().zip(seen.0).map(bits).fold(u8::MAX, |all, bits| all & bits) != 0
    }
}

/// A filter without windows.
pub(crate) static NOTHING: LazyLock<Filter> = LazyLock::new(|| Filter::new(&[]));

/// Windows compiled to one table per distance and bank.
#[derive(Clone, Debug)]
pub struct Filter {
    /// As many as hold windows, and one at least: what stands for no bucket costs nothing.
    pub(crate) banks: Vec<Bank>,
    /// The tables of all banks side by side.
    wide: Box<[[u32; 128]; 8]>,
}

impl Filter {
    /// Compiles windows, each with the bucket (below [`BUCKETS`]) that reports it.
    pub fn new(windows: &[(Window, u8)]) -> Filter {
        let last = windows.iter().map(|(_, bucket)| bucket / 8).max().unwrap_or(0);
        let banks: Vec<Bank> = (0..=last).map(|bank| Bank::new(windows, 8 * bank)).collect();
        let mut wide = Box::new([[0; 128]; 8]);
        for (distance, table) in wide.iter_mut().enumerate() {
            for (byte, entry) in table.iter_mut().enumerate() {
                *entry = banks
                    .iter()
                    .rev()
                    .fold(0, |bits, bank| bits << 8 | u32::from(bank.tables[distance][byte]));
            }
        }
        Filter { banks, wide }
    }

    /// The buckets with a candidate where a window sees `seen`: the specification of the vector code.
    #[inline]
    pub fn buckets_of(&self, seen: Seen) -> u32 {
        let bits = |(table, byte): (&[u32; 128], u8)| table[usize::from(byte & 0x7F)];
        self.wide.iter().zip(seen.0).map(bits).fold(u32::MAX, |all, bits| all & bits)
    }

    /// The buckets with a candidate at `text[at]`.
    #[inline]
    pub fn buckets_at(&self, text: &[u8], at: usize) -> u32 {
        self.buckets_of(Seen::at(text, at))
    }

    /// Calls `found(position, seen, buckets)` for every candidate in `text[from..]`, in order; the buckets are those of
    /// [`Filter::buckets_at`], though some of them alone would not have been reported there. There may be none where a
    /// window of `extra` may hold.
    #[inline]
    pub fn candidates(
        &self,
        extra: Option<&Extra>,
        arch: Arch,
        text: &[u8],
        from: usize,
        found: impl FnMut(usize, Seen, u32),
    ) {
        arch.candidates(self, extra, text, from, found);
    }

    #[inline(always)]
    pub(crate) fn candidates_with<V: Vector>(
        &self,
        extra: Option<&Extra>,
        text: &[u8],
        from: usize,
        mut found: impl FnMut(usize, Seen, u32),
    ) {
        let mut base = from;
        let mut carry = WordCarry::default();
        let mut padded = [0; 64 + SPAN];
        while base < text.len() {
            let rest = &text[base..];
            let (block, live) = match rest.first_chunk() {
                Some(block) => (block, u64::MAX),
                None => (pad(rest, &mut padded), live_bits(rest.len())),
            };
            let (reported, in_word) = arch::candidates::<V>(self, extra, block).reported(&mut carry);
            let mut bits = reported & live;
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let at = base + bit as usize;
                let seen = Seen::at(text, at);
                let buckets = self.buckets_of(seen);
                let is_free = in_word >> bit & 1 == 0;
                let is_extra = is_free && extra.is_some_and(|extra| extra.may_hold(seen));
                if buckets >> WORD_BUCKETS != 0 || buckets != 0 && is_free || is_extra {
                    found(at, seen, buckets);
                }
            }
            base += 64;
        }
    }
}

/// The first `len` of 64 bits.
#[inline(always)]
pub(crate) fn live_bits(len: usize) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

/// A block at the end of a text, with zero bytes behind it.
#[inline]
pub(crate) fn pad<'b>(rest: &[u8], block: &'b mut [u8; 64 + SPAN]) -> &'b [u8; 64 + SPAN] {
    let len = rest.len().min(block.len());
    block[..len].copy_from_slice(&rest[..len]);
    block[len..].fill(0);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_reported_where_it_begins_and_nowhere_else() {
        let filter = Filter::new(&[(Window::literal(b"sk_live_"), 3)]);
        let mut seen = Vec::new();
        filter.candidates(None, Arch::scalar(), b"xx sk_live_ab sk_test_ab", 0, |at, _, bits| {
            seen.push((at, bits))
        });
        assert_eq!(seen, [(3, 8)]);
    }

    #[test]
    fn bytes_past_the_end_are_seen_as_zero() {
        let text = b"0123456789abcdefghijklmnopqrstuvwxyz";
        for len in 0..=text.len() {
            for at in 0..=len {
                let expected = OFFSETS.map(|offset| text[..len].get(at + offset).copied().unwrap_or(0));
                assert_eq!(Seen::at(&text[..len], at), Seen(expected), "{at} of {len}");
            }
        }
    }
}
