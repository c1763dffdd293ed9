//! One byte at a time: the specification of the vector code, and what runs where there is none.

use super::{SIMPLE_ESCAPES, Vector};
use crate::block::{Bytes, Letters, prefix_xor};
use crate::filter::{Candidates, Extra, Filter, SPAN, Seen, WORD_BUCKETS};

/// No vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl Vector for Scalar {
    #[inline(always)]
    unsafe fn bytes(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Bytes {
        let mut bytes = Bytes { candidates: candidates(filter, extra, text), ..Bytes::default() };
        for (idx, &byte) in text[..64].iter().enumerate() {
            let bit = 1 << idx;
            match byte {
                b'"' => bytes.quote |= bit,
                b'\\' => bytes.backslash |= bit,
                b'{' | b'}' | b'[' | b']' | b':' | b',' => bytes.structure |= bit,
                b' ' | b'\t' | b'\n' | b'\r' => bytes.space |= bit,
                _ => {}
            }
            if byte < 0x20 {
                bytes.control |= bit;
            }
            if byte >= 0x80 {
                bytes.non_ascii |= bit;
            }
        }
        bytes
    }

    #[inline(always)]
    unsafe fn parity(bits: u64) -> u64 {
        prefix_xor(bits)
    }

    #[inline(always)]
    unsafe fn letters(text: &[u8; 64 + SPAN]) -> Letters {
        let mut letters = Letters::default();
        for (idx, &byte) in text[..64].iter().enumerate() {
            letters.simple |= u64::from(SIMPLE_ESCAPES.contains(&byte)) << idx;
            letters.unicode |= u64::from(byte == b'u') << idx;
        }
        letters
    }

    #[inline(always)]
    unsafe fn candidates(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Candidates {
        candidates(filter, extra, text)
    }
}

fn candidates(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Candidates {
    let mut found = Candidates::default();
    for (idx, byte) in text[..64].iter().enumerate() {
        let bit = |holds: bool| u64::from(holds) << idx;
        let seen = Seen::at(text, idx);
        let buckets = filter.buckets_of(seen);
        let is_extra = extra.is_some_and(|extra| extra.may_hold(seen));
        found.bounded |= bit(is_extra || buckets & ((1 << WORD_BUCKETS) - 1) != 0);
        found.free |= bit(buckets >> WORD_BUCKETS != 0);
        found.word |= bit(byte.is_ascii_alphanumeric());
        found.escape |= bit(matches!(byte, b'\\' | b'%'));
    }
    found
}
