//! Which detectors have a literal that begins with given bytes.
//!
//! Dozens of vendors share the few buckets of the filter, so most candidates there are false. One look-up by the
//! first three bytes tells whom to ask, and mostly that nobody is to be asked.

use crate::scan::RuleIx;

/// By how many bytes a literal is looked up.
const KEY_LEN: usize = 3;

/// Slots of the table: far more than literals, so that most look-ups end at an empty one.
const SLOTS: usize = 1 << 11;

/// Detectors by the beginnings of their literals.
#[derive(Debug)]
pub(crate) struct Literals {
    /// For each hash, key and detectors of the beginnings that have it.
    slots: Box<[Vec<(u32, RuleIx)>]>,
}

impl Literals {
    /// An index of nothing.
    pub(crate) fn new() -> Literals {
        Literals { slots: (0..SLOTS).map(|_| Vec::new()).collect() }
    }

    /// Adds a literal of at least three bytes.
    pub(crate) fn add(&mut self, literal: &[u8], rule: RuleIx) {
        let Some(key) = key(literal) else { return };
        let slot = &mut self.slots[slot(key)];
        if !slot.contains(&(key, rule)) {
            slot.push((key, rule));
        }
    }

    /// The detectors with a literal that begins as `text` does.
    #[inline]
    pub(crate) fn beginning(&self, text: &[u8]) -> impl Iterator<Item = RuleIx> {
        let key = key(text);
        let slot = key.map_or(&[][..], |key| &self.slots[slot(key)]);
        slot.iter().filter(move |(other, _)| Some(*other) == key).map(|&(_, rule)| rule)
    }
}

#[inline]
fn key(text: &[u8]) -> Option<u32> {
    let [first, second, third] = *text.first_chunk::<KEY_LEN>()?;
    Some(u32::from_le_bytes([first, second, third, 0]))
}

#[inline]
fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9E37_79B1) >> 21) as usize
}
