//! A block of 64 bytes as bit masks: bit *i* speaks of byte *i*.

use crate::arch::{self, Vector};
use crate::filter::{Candidates, WordCarry};

/// What the vector code says of 64 bytes, each on its own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Bytes {
    pub(crate) quote: u64,
    pub(crate) backslash: u64,
    /// Below 0x20.
    pub(crate) control: u64,
    /// `{ } [ ] : ,`
    pub(crate) structure: u64,
    pub(crate) space: u64,
    pub(crate) non_ascii: u64,
    /// What the filter says.
    pub(crate) candidates: Candidates,
}

/// Bytes that mean something behind a backslash.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Letters {
    /// What stands for one character alone.
    pub(crate) simple: u64,
    /// `u`, which needs four digits.
    pub(crate) unicode: u64,
}

/// What is carried from one block to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carry {
    /// 1 if the next block's first byte is escaped.
    pub(crate) escaped: u64,
    /// All ones inside a string.
    pub(crate) in_string: u64,
    /// 1 if the last byte belongs to a scalar.
    pub(crate) scalar: u64,
    /// What the filter needs of the bytes before.
    pub(crate) word: WordCarry,
}

/// What the bytes of a block are in their context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Bytes behind an unescaped backslash.
    pub(crate) escaped: u64,
    /// Quotation marks that open or close a string.
    pub(crate) quote: u64,
    /// Inside a string, the opening mark included.
    pub(crate) in_string: u64,
    /// Structural bytes outside strings.
    pub(crate) structure: u64,
    /// First bytes of scalars (and of anything else that is no lexeme).
    pub(crate) scalar_start: u64,
}

const EVEN: u64 = 0x5555_5555_5555_5555;

impl Block {
    /// Puts the masks in context.
    #[inline(always)]
    pub(crate) fn new<V: Vector>(bytes: &Bytes, carry: &mut Carry) -> Block {
        let escaped = find_escaped(bytes.backslash, &mut carry.escaped);
        let quote = bytes.quote & !escaped;
        let in_string = arch::parity::<V>(quote) ^ carry.in_string;
        carry.in_string = if in_string >> 63 == 1 { u64::MAX } else { 0 };
        let structure = bytes.structure & !in_string;
        let scalar = !(bytes.structure | bytes.space | quote | in_string);
        let scalar_start = scalar & !(scalar << 1 | carry.scalar);
        carry.scalar = scalar >> 63;
        Block { escaped, quote, in_string, structure, scalar_start }
    }
}

/// The bytes behind an unescaped backslash.
///
/// A run of backslashes escapes every second one of its own bytes, and the byte behind it if the run is odd.
/// Adding the runs that begin on an odd bit to the backslashes makes a carry run along each of them; where it
/// comes out tells the parity without a loop over runs.
#[inline(always)]
pub(crate) fn find_escaped(backslash: u64, carry: &mut u64) -> u64 {
    if backslash == 0 {
        return std::mem::take(carry);
    }
    let backslash = backslash & !*carry;
    let follows = backslash << 1 | *carry;
    let odd_starts = backslash & !EVEN & !follows;
    let (even_runs, overflow) = odd_starts.overflowing_add(backslash);
    *carry = u64::from(overflow);
    (EVEN ^ (even_runs << 1)) & follows
}

/// Bit *i* of the result is the parity of bits 0 to *i*.
#[inline(always)]
pub(crate) fn prefix_xor(bits: u64) -> u64 {
    let mut parity = bits;
    parity ^= parity << 1;
    parity ^= parity << 2;
    parity ^= parity << 4;
    parity ^= parity << 8;
    parity ^= parity << 16;
    parity ^ parity << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_agree_with_a_walk_over_the_bytes() {
        let mut seed = 1u64;
        let (mut carry, mut is_escaped) = (0, false);
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let backslash = (seed >> 7) | (seed << 13);
            let mut expected = 0u64;
            for bit in 0..64 {
                if is_escaped {
                    expected |= 1 << bit;
                    is_escaped = false;
                } else {
                    is_escaped = backslash >> bit & 1 == 1;
                }
            }
            assert_eq!(find_escaped(backslash, &mut carry), expected);
        }
    }
}
