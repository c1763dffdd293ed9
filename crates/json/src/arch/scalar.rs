//! One byte at a time: the specification of the vector code, and what runs where there is none.

use super::Vector;
use crate::block::Bytes;
use crate::filter::{Filter, SPAN};

/// No vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl Vector for Scalar {
    #[inline(always)]
    unsafe fn bytes(filter: &Filter, text: &[u8; 64 + SPAN]) -> Bytes {
        let mut bytes = Bytes { candidate: positions(filter, text), ..Bytes::default() };
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
    unsafe fn candidates(filter: &Filter, text: &[u8; 64 + SPAN]) -> u64 {
        positions(filter, text)
    }
}

/// The positions at which the filter reports a bucket.
fn positions(filter: &Filter, text: &[u8; 64 + SPAN]) -> u64 {
    let mut bits = 0;
    for idx in 0..64 {
        if filter.buckets_at(text, idx) != 0 {
            bits |= 1 << idx;
        }
    }
    bits
}
