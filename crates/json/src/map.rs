//! Offsets of a decoded text mapped back to where they came from.

use crate::filter::live_bits;

/// Maps offsets in a derived text (decoded, folded) to offsets in its source.
///
/// Most of a derived text is copied as it is; only the places where it differs are kept, as units. Memory is
/// 24 bytes a unit, which for simple escapes may hold as many as 64 bytes do; a look-up is a binary search.
#[derive(Clone, Debug, Default)]
pub struct OffsetMap {
    units: Vec<Unit>,
}

/// `text_len` bytes of the text stand for `source_len` bytes of the source.
#[derive(Clone, Copy, Debug)]
struct Unit {
    text_at: u32,
    source_at: u32,
    text_len: u32,
    source_len: u32,
    /// Where in the source each two bytes stand for one, the first of all included; the rest is copied. Zero if the
    /// unit is one character.
    starts: u64,
}

impl Unit {
    /// The source offset of the character at `pos`, which lies inside.
    fn source(&self, pos: usize) -> usize {
        let at = pos - self.text_at as usize;
        let mut bits = self.starts;
        let mut pairs = 0;
        while bits != 0 && (bits.trailing_zeros() as usize) < at + pairs {
            pairs += 1;
            bits &= bits - 1;
        }
        // A span never ends within one character.
        self.source_at as usize + if self.starts == 0 { 0 } else { at + pairs }
    }

    /// The text offset of the character at the source offset `pos`, which lies inside.
    fn text(&self, pos: usize) -> usize {
        let at = pos - self.source_at as usize;
        let pairs = (self.starts & live_bits(at)).count_ones() as usize;
        self.text_at as usize + if self.starts == 0 { 0 } else { at - pairs }
    }
}

impl OffsetMap {
    /// Forgets all units; keeps the memory.
    pub fn clear(&mut self) {
        self.units.clear();
    }

    /// Whether text and source are the same bytes.
    pub fn is_identity(&self) -> bool {
        self.units.is_empty()
    }

    /// Adds the next unit. Offsets must not decrease.
    #[inline]
    pub fn push(&mut self, text_at: usize, text_len: usize, source_at: usize, source_len: usize) {
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        self.units.push(Unit {
            text_at: narrow(text_at),
            source_at: narrow(source_at),
            text_len: narrow(text_len),
            source_len: narrow(source_len),
            starts: 0,
        });
    }

    /// Adds a unit for the pairs of a block: each bit of `starts`, counted from `source_at`, stands for a byte that is
    /// left out, the others being copied or rewritten to `text_at`. None stands beside another.
    #[cfg(any(target_arch = "x86_64", test))]
    #[inline]
    pub(crate) fn push_pairs(&mut self, text_at: usize, source_at: usize, starts: u64) {
        if starts == 0 {
            return;
        }
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let first = starts.trailing_zeros();
        let starts = starts >> first;
        let source_len = u64::BITS + 1 - starts.leading_zeros();
        self.units.push(Unit {
            text_at: narrow(text_at + first as usize),
            source_at: narrow(source_at + first as usize),
            text_len: source_len - starts.count_ones(),
            source_len,
            starts,
        });
    }

    /// The source offset at which the text from `pos` on begins: dropped source before it is left out.
    pub fn start(&self, pos: usize) -> usize {
        let next = self.units.partition_point(|unit| (unit.text_at + unit.text_len) as usize <= pos);
        self.after(next, pos)
    }

    /// The source offset at which the text up to `pos` ends: dropped source after it is left out.
    pub fn end(&self, pos: usize) -> usize {
        let mut next = self.units.partition_point(|unit| (unit.text_at + unit.text_len) as usize <= pos);
        while next > 0 && self.units[next - 1].text_len == 0 && self.units[next - 1].text_at as usize == pos {
            next -= 1;
        }
        self.after(next, pos)
    }

    /// The text offset that stands for the source offset `pos`.
    pub fn text(&self, pos: usize) -> usize {
        let next = self.units.partition_point(|unit| (unit.source_at + unit.source_len) as usize <= pos);
        if let Some(unit) = self.units.get(next)
            && (unit.source_at as usize) < pos
        {
            return unit.text(pos);
        }
        match next.checked_sub(1) {
            None => pos,
            Some(last) => {
                let unit = self.units[last];
                (unit.text_at + unit.text_len) as usize + (pos - (unit.source_at + unit.source_len) as usize)
            }
        }
    }

    /// The offset behind `pos` when units before `next` lie before it.
    fn after(&self, next: usize, pos: usize) -> usize {
        if let Some(unit) = self.units.get(next)
            && (unit.text_at as usize) < pos
        {
            return unit.source(pos);
        }
        match next.checked_sub(1) {
            None => pos,
            Some(last) => {
                let unit = self.units[last];
                (unit.source_at + unit.source_len) as usize + (pos - (unit.text_at + unit.text_len) as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_ends_step_over_escapes_and_dropped_characters() {
        // source: ab\u0040c<ZWSP>d   text: ab@cd
        let mut map = OffsetMap::default();
        map.push(2, 1, 2, 6);
        map.push(4, 0, 9, 3);
        assert_eq!((map.start(2), map.end(3)), (2, 8));
        assert_eq!((map.end(4), map.start(4)), (9, 12));
        assert_eq!((map.start(0), map.end(5)), (0, 13));
    }
}
