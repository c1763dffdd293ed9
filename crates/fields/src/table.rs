//! A hash table from spellings to small numbers, built once and asked for every member name.
//!
//! A spelling is known by its length and its ends, eight bytes each, with bit 5 of every byte set so that case does
//! not count. Up to sixteen bytes that is all of it; what is between the ends of a longer one is compared as well.
//! Setting the bit also makes some bytes equal that no name holds, such as `_` and DEL: a name written with those
//! counts as the known one.

use std::ops::Range;

/// Bit 5 of every byte: setting it folds ASCII letters to lower case.
const FOLD: u64 = 0x2020_2020_2020_2020;
/// How many bytes at each end are compared at once.
const END: usize = 8;
/// The part of a slot that holds hash bits.
const TAG: u32 = 0xFFFF_0000;
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// The first and the last bytes, as many as fit and folded; they overlap in short spellings, and are the same where all
/// bytes fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ends {
    head: u64,
    tail: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    ends: Ends,
    /// Where in `text` the bytes between the ends stand.
    between_at: u32,
    len: u16,
    id: u16,
    /// What goes with the id.
    mark: u64,
}

/// Finds the number of a spelling, ASCII case aside.
#[derive(Debug)]
pub(crate) struct Table {
    /// Hash bits in the upper half, position in `entries` in the lower half; zero is free.
    slots: Box<[u32]>,
    shift: u32,
    /// The first is that of no spelling.
    entries: Vec<Entry>,
    text: Vec<u8>,
    len_max: usize,
}

impl Table {
    /// The number of spellings that one table can hold.
    pub(crate) const CAPACITY: usize = 0xFFFF;

    /// Builds a table. Spellings are in lower case, not empty, and at most [`Table::CAPACITY`] of them; of equal
    /// ones the first counts. No id is zero.
    pub(crate) fn new(spellings: &[(String, u16)]) -> Table {
        let bits = (spellings.len().max(8) * 3).next_power_of_two().trailing_zeros();
        let mut table = Table {
            slots: vec![0; 1 << bits].into_boxed_slice(),
            shift: 64 - bits,
            entries: vec![Entry { ends: Ends { head: 0, tail: 0 }, between_at: 0, len: 0, id: 0, mark: 0 }],
            text: Vec::new(),
            len_max: 0,
        };
        for (spelling, id) in spellings {
            table.insert(spelling.as_bytes(), *id);
        }
        table
    }

    /// Gives each spelling what `marks` says of its number, to be found with it.
    pub(crate) fn mark(&mut self, marks: &[u64]) {
        for entry in &mut self.entries {
            entry.mark = marks.get(usize::from(entry.id)).copied().unwrap_or(0);
        }
    }

    /// The number of a spelling, or zero.
    #[inline]
    pub(crate) fn find(&self, raw: &[u8]) -> u16 {
        self.find_marked(raw).0
    }

    /// The number of a spelling, or zero, with its mark.
    #[inline]
    pub(crate) fn find_marked(&self, raw: &[u8]) -> (u16, u64) {
        if raw.len().wrapping_sub(1) >= self.len_max {
            return (0, self.entries[0].mark);
        }
        self.find_ends(raw, Ends::of(raw))
    }

    /// The same of the spelling at `range` of a text.
    #[inline(always)]
    pub(crate) fn find_in(&self, text: &[u8], range: Range<usize>) -> (u16, u64) {
        let raw = &text[range.clone()];
        if raw.len().wrapping_sub(1) >= self.len_max {
            return (0, self.entries[0].mark);
        }
        let ends = Ends::within(text, range).unwrap_or_else(|| Ends::of(raw));
        self.find_ends(raw, ends)
    }

    #[inline(always)]
    fn find_ends(&self, raw: &[u8], ends: Ends) -> (u16, u64) {
        let hash = ends.hash(raw.len());
        let at = self.first_slot(hash);
        let slot = self.slots[at];
        let entry = self.entries[(slot & !TAG) as usize];
        // Whether a name is known is hard to predict, so that nothing branches on it: a free slot has the entry of no
        // spelling.
        let is_it = (usize::from(entry.len) == raw.len())
            & (entry.ends.head == ends.head)
            & (entry.ends.tail == ends.tail);
        if (slot == 0) | is_it & (raw.len() <= 2 * END) {
            return (entry.id, entry.mark);
        }
        self.find_from(at, hash, raw, ends)
    }

    /// Looks through the slots from one on.
    #[inline(never)]
    fn find_from(&self, first: usize, hash: u64, raw: &[u8], ends: Ends) -> (u16, u64) {
        let mut at = first;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return (0, self.entries[0].mark);
            }
            if slot & TAG == tag(hash) {
                let entry = self.entries[(slot & !TAG) as usize];
                if usize::from(entry.len) == raw.len() && entry.ends == ends && self.is_between(entry, raw) {
                    return (entry.id, entry.mark);
                }
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn insert(&mut self, spelling: &[u8], id: u16) {
        debug_assert!(id != 0 && !spelling.is_empty() && self.entries.len() <= Table::CAPACITY);
        if self.find(spelling) != 0 {
            return;
        }
        let (Ok(between_at), Ok(len)) = (u32::try_from(self.text.len()), u16::try_from(spelling.len()))
        else {
            return;
        };
        let ends = Ends::of(spelling);
        self.text.extend_from_slice(between(spelling));
        let position = u32::try_from(self.entries.len()).unwrap_or(0);
        self.entries.push(Entry { ends, between_at, len, id, mark: 0 });
        self.len_max = self.len_max.max(spelling.len());
        let hash = ends.hash(spelling.len());
        let mut slot = self.first_slot(hash);
        while self.slots[slot] != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = tag(hash) | position;
    }

    #[inline]
    fn first_slot(&self, hash: u64) -> usize {
        usize::try_from(hash >> self.shift).unwrap_or(0)
    }

    #[inline]
    fn is_between(&self, entry: Entry, raw: &[u8]) -> bool {
        let (between, at) = (between(raw), entry.between_at as usize);
        self.text[at..at + between.len()].eq_ignore_ascii_case(between)
    }
}

impl Ends {
    #[inline]
    fn of(raw: &[u8]) -> Ends {
        let (head, tail) = if let (Some(head), Some(tail)) = (raw.first_chunk(), raw.last_chunk()) {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else {
            let all = raw.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
            (all, all)
        };
        Ends { head: head | FOLD, tail: tail | FOLD }
    }

    /// The same of a spelling inside a text, if there is room around it for two loads of eight bytes. What does not
    /// belong to a shorter one is shifted out, so that no branch depends on its length.
    #[inline]
    fn within(text: &[u8], range: Range<usize>) -> Option<Ends> {
        let head = u64::from_le_bytes(*text.get(range.start..)?.first_chunk()?);
        let tail = u64::from_le_bytes(*text.get(..range.end)?.last_chunk()?);
        let others = 8 * END.saturating_sub(range.len()).min(END - 1);
        Some(Ends { head: head & u64::MAX >> others | FOLD, tail: tail >> others | FOLD })
    }

    #[inline]
    fn hash(self, len: usize) -> u64 {
        let mixed = self.head ^ self.tail.rotate_left(27) ^ (len as u64) << 56;
        let product = mixed.wrapping_mul(MULTIPLIER);
        product ^ product >> 32
    }
}

/// The bytes between the ends.
#[inline]
fn between(spelling: &[u8]) -> &[u8] {
    spelling.get(END..spelling.len().saturating_sub(END)).unwrap_or_default()
}

/// The bits of a hash that a slot holds; the slot's number is taken from bits above these.
#[inline]
fn tag(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(TAG)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_the_same_whatever_stands_around() {
        let text = *b"0123456789abcdefghijklmnopqrstuvwxyzABCD";
        for start in 0..text.len() {
            for end in start + 1..=text.len() {
                let wanted = Ends::of(&text[start..end]);
                assert_eq!(Ends::within(&text, start..end).unwrap_or(wanted), wanted);
            }
        }
        assert!(Ends::within(&text, 8..9).is_some());
    }

    #[test]
    fn finds_what_was_put_in_whatever_its_case_and_nothing_else() {
        let spellings: Vec<(String, u16)> =
            (1..2000).map(|n| (format!("name_{}_of_{n}", u32::from(n) * 7919), n)).collect();
        let table = Table::new(&spellings);
        for (spelling, id) in &spellings {
            assert_eq!(table.find(spelling.as_bytes()), *id);
            assert_eq!(table.find(spelling.to_ascii_uppercase().as_bytes()), *id);
            assert_eq!(table.find(format!("{spelling}_").as_bytes()), 0);
        }
        for absent in ["", "n", "name", "name_0_of_0", "nom_7919_of_1"] {
            assert_eq!(table.find(absent.as_bytes()), 0);
        }
    }

    #[test]
    fn tells_apart_names_that_differ_only_in_the_middle() {
        let spellings =
            ["account_x_number_account", "account_y_number_account", "a", "ab", "abc", "abcd", "abcde"];
        let numbered: Vec<(String, u16)> =
            (1..).zip(spellings).map(|(id, text)| (text.to_owned(), id)).collect();
        let table = Table::new(&numbered);
        for (spelling, id) in &numbered {
            assert_eq!(table.find(spelling.as_bytes()), *id);
        }
    }
}
