//! What a detector may see of a text.

use std::cell::Cell;
use std::fmt;

use memchr::memmem;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Class([u64; 4]);

impl Class {
    /// Every byte.
    pub(crate) const ANY: Class = Class([u64::MAX; 4]);
    /// `0` to `9`.
    pub(crate) const DIGIT: Class = Class::of(b"0123456789");
    /// ASCII capital letters.
    pub(crate) const UPPER: Class = Class::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    /// ASCII letters.
    pub(crate) const ALPHA: Class = Class::UPPER.with(b"abcdefghijklmnopqrstuvwxyz");
    /// ASCII letters and digits.
    pub(crate) const ALNUM: Class = Class::ALPHA.or(Class::DIGIT);
    /// ASCII letters, digits and the underscore.
    pub(crate) const WORD: Class = Class::ALNUM.with(b"_");
    /// What identifiers of all kinds are made of.
    pub(crate) const IDENT: Class = Class::WORD.with(b"-");
    /// Hexadecimal digits of both cases.
    pub(crate) const HEX: Class = Class::DIGIT.with(b"abcdefABCDEF");

    /// The set of the given bytes.
    pub(crate) const fn of(bytes: &[u8]) -> Class {
        Class([0; 4]).with(bytes)
    }

    /// This set and the given bytes.
    pub(crate) const fn with(self, bytes: &[u8]) -> Class {
        let mut words = self.0;
        let mut idx = 0;
        while idx < bytes.len() {
            words[(bytes[idx] >> 6) as usize] |= 1 << (bytes[idx] & 63);
            idx += 1;
        }
        Class(words)
    }

    /// This set without the given bytes.
    pub(crate) const fn without(self, bytes: &[u8]) -> Class {
        let (all, others) = (self.0, Class::of(bytes).0);
        Class([all[0] & !others[0], all[1] & !others[1], all[2] & !others[2], all[3] & !others[3]])
    }

    /// The union of two sets.
    pub(crate) const fn or(self, other: Class) -> Class {
        Class([
            self.0[0] | other.0[0],
            self.0[1] | other.0[1],
            self.0[2] | other.0[2],
            self.0[3] | other.0[3],
        ])
    }

    /// This set and every byte above 0x7F.
    pub(crate) const fn or_non_ascii(self) -> Class {
        Class([self.0[0], self.0[1], u64::MAX, u64::MAX])
    }

    /// Whether `byte` is in the set.
    #[inline]
    pub(crate) const fn has(self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }
}

/// The part of a text that one detector may see around one position.
///
/// Offsets are those of the text. Outside the part every byte reads as zero, so what a detector says is a
/// function of the part alone. Where the part reaches over the end of a text that may go on, reading there is
/// noted: the answer is then not final, see [`View::is_undecided`].
pub(crate) struct View<'t> {
    text: &'t [u8],
    low: usize,
    /// End of the part; may lie beyond the end of the text.
    high: usize,
    open: bool,
    touched: Cell<bool>,
}

impl<'t> View<'t> {
    /// The part of `text` from `low` to `high`; `open` if more text may follow.
    #[inline]
    pub(crate) fn new(text: &'t [u8], low: usize, high: usize, open: bool) -> View<'t> {
        View { text, low, high, open, touched: Cell::new(false) }
    }

    /// Whether the detector has read where text may yet come.
    #[inline]
    pub(crate) fn is_undecided(&self) -> bool {
        self.touched.get()
    }

    /// The byte at `pos`, or zero outside the part.
    #[inline]
    pub(crate) fn at(&self, pos: usize) -> u8 {
        work::read(1);
        if pos < self.low || pos >= self.high {
            return 0;
        }
        match self.text.get(pos) {
            Some(&byte) => byte,
            None => {
                self.touched.set(self.touched.get() | self.open);
                0
            }
        }
    }

    /// Whether the text is known to end before `len` bytes from `pos` on.
    #[inline]
    pub(crate) fn ends_within(&self, pos: usize, len: usize) -> bool {
        !self.open && self.text.len() < pos + len
    }

    /// The byte before `pos`, or zero at the beginning of the part.
    #[inline]
    pub(crate) fn before(&self, pos: usize) -> u8 {
        if pos == 0 { 0 } else { self.at(pos - 1) }
    }

    /// Where the run of bytes of `class` that begins at `from` ends.
    #[inline]
    pub(crate) fn run(&self, from: usize, class: Class) -> usize {
        let seen = self.high.min(self.text.len());
        let mut pos = from;
        while pos < seen && class.has(self.text[pos]) {
            pos += 1;
        }
        work::read(pos + 1 - from);
        if pos >= seen && seen < self.high {
            self.touched.set(self.touched.get() | self.open);
        }
        pos
    }

    /// Like [`View::run`], but no longer than `len_max` bytes.
    #[inline]
    pub(crate) fn run_up_to(&self, from: usize, len_max: usize, class: Class) -> usize {
        let seen = self.high.min(self.text.len());
        let limit = from + len_max;
        let bytes =
            if from < self.low { &[] } else { self.text.get(from..limit.min(seen)).unwrap_or_default() };
        let len = bytes.iter().position(|byte| !class.has(*byte)).unwrap_or(bytes.len());
        let pos = from + len;
        work::read(len + 1);
        if pos >= seen && pos < limit && seen < self.high {
            self.touched.set(self.touched.get() | self.open);
        }
        pos.min(self.text.len())
    }

    /// Where the run of bytes of `class` that ends at `to` begins.
    #[inline]
    pub(crate) fn back(&self, to: usize, class: Class) -> usize {
        let bytes = self.text.get(self.low..to).unwrap_or_default();
        let len = bytes.iter().rev().position(|byte| !class.has(*byte)).unwrap_or(bytes.len());
        work::read(len + 1);
        to - len
    }

    /// Where `literal` stands next from `from` on.
    pub(crate) fn find(&self, from: usize, literal: &[u8]) -> Option<usize> {
        let end = self.high.min(self.text.len());
        let found = memmem::find(self.text.get(from..end)?, literal);
        work::read(found.map_or(end - from, |offset| offset + literal.len()));
        Some(from + found?)
    }

    /// Whether `literal` stands at `pos`.
    #[inline]
    pub(crate) fn starts_with(&self, pos: usize, literal: &[u8]) -> bool {
        literal.iter().enumerate().all(|(idx, &byte)| self.at(pos + idx) == byte)
    }

    /// Whether `literal`, given in lower case, stands at `pos` in any case.
    #[inline]
    pub(crate) fn starts_with_any_case(&self, pos: usize, literal: &[u8]) -> bool {
        literal.iter().enumerate().all(|(idx, &byte)| self.at(pos + idx).to_ascii_lowercase() == byte)
    }

    /// Whether `literal` ends at `pos`.
    #[inline]
    pub(crate) fn ends_with(&self, pos: usize, literal: &[u8]) -> bool {
        pos >= self.low + literal.len() && self.starts_with(pos - literal.len(), literal)
    }

    /// The bytes from `from` to `to` that are in the part.
    #[inline]
    pub(crate) fn bytes(&self, from: usize, to: usize) -> &'t [u8] {
        let end = to.min(self.high).min(self.text.len());
        let bytes = self.text.get(from.max(self.low)..end).unwrap_or_default();
        work::read(bytes.len());
        bytes
    }

    /// Where the part ends; beyond the end of the text if more would be looked at.
    pub(crate) fn limit(&self) -> usize {
        self.high
    }
}

/// How many bytes were read through views: what a scan costs, told without a clock. Counted in tests only.
pub(crate) mod work {
    #[cfg(not(test))]
    #[inline(always)]
    pub(crate) fn read(_bytes: usize) {}

    #[cfg(test)]
    std::thread_local! {
        static READ: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    #[cfg(test)]
    pub(crate) fn read(bytes: usize) {
        READ.set(READ.get() + bytes as u64);
    }

    /// How many bytes this thread has read since it was asked last.
    #[cfg(test)]
    pub(crate) fn take() -> u64 {
        READ.replace(0)
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("low", &self.low).field("high", &self.high).finish_non_exhaustive()
    }
}
