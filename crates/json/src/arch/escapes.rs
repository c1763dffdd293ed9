//! String bodies decoded by blocks of 64 bytes: with an instruction that closes the gaps, faster than from escape to
//! escape.

#[cfg(test)]
use super::Scalar;
use crate::block::find_escaped;
use crate::filter::live_bits;
use crate::map::OffsetMap;
#[cfg(test)]
use crate::string::ESCAPED;
use crate::string::decode_escape;

/// Escapes of 64 bytes decoded at once.
pub(super) trait Escapes {
    /// Which bytes are backslashes.
    ///
    /// # Safety
    /// * The machine has the features of the implementation.
    unsafe fn backslashes(text: &[u8; 64]) -> u64;

    /// Writes `text` without the bytes at `starts`, the byte behind each of them replaced by what it stands for
    /// there, and anything behind that. Returns which bytes stand for anything: `out` is right up to the first of
    /// `starts` with another byte, or none, behind it.
    ///
    /// # Safety
    /// * The machine has the features of the implementation.
    unsafe fn pairs(text: &[u8; 64], starts: u64, out: &mut [u8; 64]) -> u64;
}

/// Which bytes are backslashes.
#[inline(always)]
fn backslashes<E: Escapes>(text: &[u8; 64]) -> u64 {
    // SAFETY: only entry points of `super` name vector implementations, each compiled for, and reached only with, the
    // features.
    unsafe { E::backslashes(text) }
}

/// Decodes the escapes at `starts`; see [`Escapes::pairs`].
#[inline(always)]
fn pairs<E: Escapes>(text: &[u8; 64], starts: u64, out: &mut [u8; 64]) -> u64 {
    // SAFETY: only entry points of `super` name vector implementations, each compiled for, and reached only with, the
    // features.
    unsafe { E::pairs(text, starts, out) }
}

#[cfg(test)]
impl Escapes for Scalar {
    #[inline(always)]
    unsafe fn backslashes(text: &[u8; 64]) -> u64 {
        text.iter().rev().fold(0, |bits, byte| bits << 1 | u64::from(*byte == b'\\'))
    }

    #[inline(always)]
    unsafe fn pairs(text: &[u8; 64], starts: u64, out: &mut [u8; 64]) -> u64 {
        let (mut simple, mut len) = (0, 0);
        for (idx, &byte) in text.iter().enumerate() {
            let character = ESCAPED.get(usize::from(byte)).copied().unwrap_or(0);
            simple |= u64::from(character != 0) << idx;
            if starts >> idx & 1 == 0 {
                out[len] = if starts << 1 >> idx & 1 == 1 { character } else { byte };
                len += 1;
            }
        }
        simple
    }
}

/// Decodes the escapes of a string body 64 bytes at a time.
#[inline(always)]
pub(super) fn unescape_blocks<E: Escapes>(body: &[u8], text: &mut Vec<u8>, map: &mut OffsetMap) {
    // Decoded text is never longer than its source; a block is written whole.
    text.resize(body.len() + 64, 0);
    let (mut at, mut text_at) = (0, 0);
    let mut padded;
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let (block, len) = match rest.first_chunk::<64>() {
            Some(block) => (block, 64),
            None => {
                padded = [0; 64];
                padded[..rest.len()].copy_from_slice(rest);
                (&padded, rest.len())
            }
        };
        let Some(out) = text.get_mut(text_at..).and_then(<[u8]>::first_chunk_mut) else { break };
        let backslashes = backslashes::<E>(block);
        if backslashes == 0 {
            *out = *block;
            at += len;
            text_at += len;
            continue;
        }
        let starts = backslashes & !find_escaped(backslashes, &mut 0);
        let simple = pairs::<E>(block, starts, out);
        // What must be read by itself: escapes of another kind, none at all, and what the block cuts.
        let others = starts & !(simple >> 1);
        let upto = if others == 0 { len } else { others.trailing_zeros() as usize };
        let pairs = starts & live_bits(upto);
        map.push_pairs(text_at, at, pairs);
        at += upto;
        text_at += upto - pairs.count_ones() as usize;
        let is_cut = upto == 63 && rest.len() > 64;
        if others != 0 && !is_cut {
            (at, text_at) = decode_escape(body, at, text, text_at, map);
        }
    }
    text.truncate(text_at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::string::{unescape, unescape_pieces};

    type Decoded = (Vec<u8>, Vec<(usize, usize)>, Vec<usize>);

    fn decoded(body: &[u8], unescape: impl Fn(&[u8], &mut Vec<u8>, &mut OffsetMap)) -> Decoded {
        let (mut text, mut map) = (Vec::new(), OffsetMap::default());
        unescape(body, &mut text, &mut map);
        let back = (0..=text.len()).map(|at| (map.start(at), map.end(at))).collect();
        (text, back, (0..=body.len()).map(|at| map.text(at)).collect())
    }

    #[test]
    fn blocks_say_what_pieces_say() {
        let signs =
            ["a", "bc ", "\\\"", "\\\\", "\\", "\\n", "u", "\\u00e9", "\\ud83d\\ude00", "é", "\0", "plain "];
        let mut seed = 1u64;
        for round in 0..3000 {
            let mut body = Vec::new();
            let len = round % 200;
            while body.len() < len {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                body.extend_from_slice(signs[(seed >> 33) as usize % signs.len()].as_bytes());
            }
            let expected = decoded(&body, unescape_pieces);
            assert_eq!(decoded(&body, unescape_blocks::<Scalar>), expected, "{body:?}");
            for arch in Arch::available() {
                let by_arch =
                    |body: &[u8], text: &mut Vec<u8>, map: &mut OffsetMap| unescape(arch, body, text, map);
                assert_eq!(decoded(&body, by_arch), expected, "{} {body:?}", arch.name());
            }
        }
    }
}
