//! The candidate filter: which positions could begin something that somebody is looking for.
//!
//! A [`Window`] looks at eight bytes around a position, at the fixed distances [`OFFSETS`], and asks of each
//! whether it is in a set. Distances are spread because the shapes worth finding are: a date and a card number
//! differ little in their first five bytes and plainly at the eighth. Windows share eight buckets, one bit
//! each, so that one table look-up per distance answers for all of them:
//!
//! ```text
//! hit(i) = table[0][b[i]] & table[1][b[i+1]] & table[2][b[i+2]] & … & table[7][b[i+10]]
//! ```
//!
//! A bit left over names a bucket with a candidate. The answer may be yes for a byte sequence that no single
//! window describes (windows in one bucket mix, and vector code folds bytes above 0x7F); it is never no for
//! one that a window does describe. What a bucket means is the caller's business.

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

    /// Whether `byte` is in the set.
    pub const fn contains(self, byte: u8) -> bool {
        if byte < 128 { self.0 >> byte & 1 == 1 } else { self.0 == u128::MAX }
    }
}

/// One shape: a set for each of [`OFFSETS`], and the bucket (0 to 7) that reports it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// What stands at each of [`OFFSETS`].
    pub sets: [ByteSet; 8],
    /// The bit that reports a candidate.
    pub bucket: u8,
}

impl Window {
    /// A window whose first bytes are given and whose others may be anything. At most five sets.
    pub const fn head(bucket: u8, sets: &[ByteSet]) -> Window {
        let mut all = [ByteSet::ANY; 8];
        let mut idx = 0;
        while idx < sets.len() && idx < 5 {
            all[idx] = sets[idx];
            idx += 1;
        }
        Window { sets: all, bucket }
    }

    /// A window for a literal: its first five bytes and those at 7, 9 and 10 if it is as long as that.
    pub const fn literal(bucket: u8, text: &[u8]) -> Window {
        let mut all = [ByteSet::ANY; 8];
        let mut idx = 0;
        while idx < 8 {
            if OFFSETS[idx] < text.len() {
                all[idx] = ByteSet::of(&[text[OFFSETS[idx]]]);
            }
            idx += 1;
        }
        Window { sets: all, bucket }
    }
}

/// Windows compiled to one table per distance.
#[derive(Clone, Debug)]
pub struct Filter {
    pub(crate) tables: [[u8; 128]; 8],
    /// The buckets that some window uses.
    buckets: u8,
}

impl Filter {
    /// Compiles `windows`.
    pub fn new(windows: &[Window]) -> Filter {
        let mut tables = [[0; 128]; 8];
        let mut buckets = 0;
        for window in windows {
            let bit = 1u8 << (window.bucket & 7);
            buckets |= bit;
            for (table, set) in tables.iter_mut().zip(window.sets) {
                for (byte, entry) in (0u8..).zip(table.iter_mut()) {
                    if set.contains(byte) {
                        *entry |= bit;
                    }
                }
            }
        }
        Filter { tables, buckets }
    }

    /// The buckets with a candidate at `text[at]`: the specification of the vector code.
    ///
    /// Bytes past the end count as zero bytes.
    #[inline]
    pub fn buckets_at(&self, text: &[u8], at: usize) -> u8 {
        let mut bits = self.buckets;
        for (table, offset) in self.tables.iter().zip(OFFSETS) {
            bits &= table[usize::from(text.get(at + offset).copied().unwrap_or(0) & 0x7F)];
            if bits == 0 {
                break;
            }
        }
        bits
    }

    /// Calls `found(position, buckets)` for every candidate in `text[from..]`, in order.
    pub fn candidates(&self, text: &[u8], from: usize, mut found: impl FnMut(usize, u8)) {
        for at in from..text.len() {
            let bits = self.buckets_at(text, at);
            if bits != 0 {
                found(at, bits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_reported_where_it_begins_and_nowhere_else() {
        let filter = Filter::new(&[Window::literal(3, b"sk_live_")]);
        let mut seen = Vec::new();
        filter.candidates(b"xx sk_live_ab sk_test_ab", 0, |at, bits| seen.push((at, bits)));
        assert_eq!(seen, [(3, 8)]);
    }
}
