//! AVX2 and AVX-512.
//!
//! The functions of [`Vector`] here are only ever inlined into the entry points of `super`, which are compiled
//! for the features; an [`Arch`](super::Arch) value exists only where the machine has them.

use super::escapes::Escapes;
use super::{SIMPLE_ESCAPES, Vector};
use crate::block::{Bytes, Letters, prefix_xor};
use crate::filter::{Bank, Candidates, Extra, Filter, OFFSETS, SPAN, WORD_BUCKETS};
use crate::string::ESCAPED;
use std::arch::x86_64::*;
use std::hint::black_box;

/// 32 bytes at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2;

/// 64 bytes at a time, with byte permutes (VBMI).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512;

/// One bit for each of 64 bytes, from two halves.
///
/// The halves are hidden from the optimiser: it would see two masks of 32 lanes become one of 64, which AVX2 does
/// not have, and take the vectors apart lane by lane (rustc 1.95: half the speed of the whole lexer).
#[inline(always)]
fn join(low: i32, high: i32) -> u64 {
    let (low, high) = (black_box(low), black_box(high));
    u64::from(low.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32
}

/// For each lower half of a byte the white space that ends in it; else a byte that does not end in it.
const SPACES: [u8; 16] = [b' ', 0, 0, 0, 0, 0, 0, 0, 0, b'\t', b'\n', 0, 0, b'\r', 0, 0];

/// As `SPACES`, for structural bytes with bit 5 set: `[` and `]` become `{` and `}`.
const STRUCTURE: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':', b'{', b',', b'}', 0, 0];

/// The buckets of a bank that survive at each of 32 bytes, given what is seen at each distance. Half a byte at a time: a
/// bucket survives if both halves may belong to it, which reports more than there is.
///
/// # Safety
/// * The machine has AVX2.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn hits_256(bank: &Bank, seen: [__m256i; OFFSETS.len()]) -> __m256i {
    let low_half = _mm256_set1_epi8(0x0F);
    let mut hits = _mm256_set1_epi8(-1);
    for (idx, v) in seen.into_iter().enumerate() {
        // SAFETY: each table is 16 bytes; unaligned loads are asked for.
        let (low, high) = unsafe {
            (
                _mm256_broadcastsi128_si256(_mm_loadu_si128(bank.low[idx].as_ptr().cast())),
                _mm256_broadcastsi128_si256(_mm_loadu_si128(bank.high[idx].as_ptr().cast())),
            )
        };
        let by_low = _mm256_shuffle_epi8(low, _mm256_and_si256(v, low_half));
        let by_high = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16::<4>(v), low_half));
        hits = _mm256_and_si256(hits, _mm256_and_si256(by_low, by_high));
    }
    hits
}

/// The bytes of 64 at which buckets of a bank survive, given what is seen at each distance. A whole byte at a time: two
/// registers hold a table of 128.
///
/// # Safety
/// * The machine has AVX-512 BW and VBMI.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
unsafe fn hits_512(bank: &Bank, seen: [__m512i; OFFSETS.len()]) -> u64 {
    // Hidden from the optimiser, which would load the tables of all banks first and copy them to the stack.
    let bank = black_box(bank);
    let mut hits = _mm512_set1_epi8(-1);
    for (v, table) in seen.into_iter().zip(&bank.tables) {
        // SAFETY: each table is 128 bytes; unaligned loads are asked for.
        let (low, high) = unsafe {
            (_mm512_loadu_si512(table.as_ptr().cast()), _mm512_loadu_si512(table.as_ptr().add(64).cast()))
        };
        hits = _mm512_and_si512(hits, _mm512_permutex2var_epi8(low, v, high));
    }
    _mm512_test_epi8_mask(hits, hits)
}

impl Vector for Avx2 {
    #[target_feature(enable = "avx2,bmi1")]
    #[inline]
    unsafe fn bytes(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Bytes {
        let mut halves = [[0; 6]; 2];
        for (half, masks) in halves.iter_mut().enumerate() {
            // SAFETY: the caller has AVX2; 32 bytes from 0 or 32 lie within the 64 + SPAN of `text`, and each
            // table is 16 bytes; unaligned loads are asked for.
            unsafe {
                let v = _mm256_loadu_si256(text.as_ptr().add(32 * half).cast());
                let eq = |byte: u8| _mm256_cmpeq_epi8(v, _mm256_set1_epi8(byte.cast_signed()));
                let spaces = _mm256_broadcastsi128_si256(_mm_loadu_si128(SPACES.as_ptr().cast()));
                let structure = _mm256_broadcastsi128_si256(_mm_loadu_si128(STRUCTURE.as_ptr().cast()));
                let folded = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
                let limit = _mm256_set1_epi8(0x1F);
                // A shuffle gives 0 for bytes above 0x7F, which no such byte equals.
                *masks = [
                    _mm256_movemask_epi8(eq(b'"')),
                    _mm256_movemask_epi8(eq(b'\\')),
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(v, limit), limit)),
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(structure, v), folded)),
                    _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, v), v)),
                    _mm256_movemask_epi8(v),
                ];
            }
        }
        let [low, high] = halves;
        let control = join(low[2], high[2]);
        Bytes {
            quote: join(low[0], high[0]),
            backslash: join(low[1], high[1]),
            control,
            // Bit 5 makes `:` and `,` of two control characters.
            structure: join(low[3], high[3]) & !control,
            space: join(low[4], high[4]),
            non_ascii: join(low[5], high[5]),
            // SAFETY: the same features.
            candidates: unsafe { Self::candidates(filter, extra, text) },
        }
    }

    #[inline(always)]
    unsafe fn parity(bits: u64) -> u64 {
        prefix_xor(bits)
    }

    #[target_feature(enable = "avx2,bmi1")]
    #[inline]
    unsafe fn letters(text: &[u8; 64 + SPAN]) -> Letters {
        let halves = [0, 32].map(|at| {
            // SAFETY: the caller has AVX2; 32 bytes from 0 or 32 lie within `text`; the load is unaligned.
            unsafe {
                let v = _mm256_loadu_si256(text.as_ptr().add(at).cast());
                let eq = |byte: u8| _mm256_cmpeq_epi8(v, _mm256_set1_epi8(byte.cast_signed()));
                let none = _mm256_setzero_si256();
                let simple =
                    SIMPLE_ESCAPES.into_iter().fold(none, |all, byte| _mm256_or_si256(all, eq(byte)));
                (_mm256_movemask_epi8(simple), _mm256_movemask_epi8(eq(b'u')))
            }
        });
        Letters { simple: join(halves[0].0, halves[1].0), unicode: join(halves[0].1, halves[1].1) }
    }

    #[target_feature(enable = "avx2,bmi1")]
    #[inline]
    unsafe fn candidates(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Candidates {
        // SAFETY: the caller has AVX2; the last load begins at 32 + OFFSETS[7] = 32 + SPAN - 1 and ends at
        // 64 + SPAN - 1.
        unsafe {
            let zero = _mm256_setzero_si256();
            // Of each half: what the bank of words says, then the others.
            let mut found = [[zero; 2]; 2];
            for (half, found) in found.iter_mut().enumerate() {
                let seen =
                    OFFSETS.map(|offset| _mm256_loadu_si256(text.as_ptr().add(32 * half + offset).cast()));
                for (bank_at, bank) in filter.banks.iter().enumerate() {
                    let kind = usize::from(bank_at >= WORD_BUCKETS / 8);
                    found[kind] = _mm256_or_si256(found[kind], hits_256(bank, seen));
                }
                if let Some(extra) = extra {
                    found[0] = _mm256_or_si256(found[0], hits_256(&extra.bank, seen));
                }
            }
            let none =
                found.map(|kinds| kinds.map(|hits| _mm256_movemask_epi8(_mm256_cmpeq_epi8(hits, zero))));
            let words = [0, 32].map(|at| {
                let v = _mm256_loadu_si256(text.as_ptr().add(at).cast());
                let eq = |byte: u8| _mm256_cmpeq_epi8(v, _mm256_set1_epi8(byte.cast_signed()));
                let among = |v: __m256i, first: u8, last: u8| {
                    let distance = _mm256_sub_epi8(v, _mm256_set1_epi8(first.cast_signed()));
                    let limit = _mm256_set1_epi8((last - first).cast_signed());
                    _mm256_cmpeq_epi8(_mm256_min_epu8(distance, limit), distance)
                };
                let folded = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
                let word = _mm256_or_si256(among(folded, b'a', b'z'), among(v, b'0', b'9'));
                let escape = _mm256_or_si256(eq(b'\\'), eq(b'%'));
                (_mm256_movemask_epi8(word), _mm256_movemask_epi8(escape))
            });
            Candidates {
                bounded: !join(none[0][0], none[1][0]),
                free: !join(none[0][1], none[1][1]),
                word: join(words[0].0, words[1].0),
                escape: join(words[0].1, words[1].1),
            }
        }
    }
}

impl Vector for Avx512 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    #[inline]
    unsafe fn bytes(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Bytes {
        // SAFETY: the entry point has AVX-512 BW; 64 bytes lie within `text`; the load is unaligned.
        unsafe {
            let v = _mm512_loadu_si512(text.as_ptr().cast());
            let eq = |byte: u8| _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(byte.cast_signed()));
            let folded = _mm512_or_si512(v, _mm512_set1_epi8(0x20));
            let eq_folded = |byte: u8| _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8(byte.cast_signed()));
            Bytes {
                quote: eq(b'"'),
                backslash: eq(b'\\'),
                control: _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
                structure: eq_folded(b'{') | eq_folded(b'}') | eq(b':') | eq(b','),
                space: eq(b' ') | eq(b'\n') | eq(b'\t') | eq(b'\r'),
                non_ascii: _mm512_movepi8_mask(v),
                candidates: Self::candidates(filter, extra, text),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    #[inline]
    unsafe fn parity(bits: u64) -> u64 {
        // Without carries, a product with all ones sums up, for each bit, the bits up to it.
        let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits.cast_signed()), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    #[inline]
    unsafe fn letters(text: &[u8; 64 + SPAN]) -> Letters {
        // SAFETY: the entry point has AVX-512 BW; 64 bytes lie within `text`; the load is unaligned.
        let v = unsafe { _mm512_loadu_si512(text.as_ptr().cast()) };
        let eq = |byte: u8| _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(byte.cast_signed()));
        Letters { simple: SIMPLE_ESCAPES.into_iter().fold(0, |all, byte| all | eq(byte)), unicode: eq(b'u') }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    #[inline]
    unsafe fn candidates(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Candidates {
        // SAFETY: the entry point has AVX-512 VBMI; the last load begins at OFFSETS[7] = SPAN - 1 and ends at
        // 64 + SPAN - 1.
        unsafe {
            let seen = OFFSETS.map(|offset| _mm512_loadu_si512(text.as_ptr().add(offset).cast()));
            let mut found = [0; 2];
            for (bank_at, bank) in filter.banks.iter().enumerate() {
                found[usize::from(bank_at >= WORD_BUCKETS / 8)] |= hits_512(bank, seen);
            }
            if let Some(extra) = extra {
                found[0] |= hits_512(&extra.bank, seen);
            }
            let v = _mm512_loadu_si512(text.as_ptr().cast());
            let eq = |byte: u8| _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(byte.cast_signed()));
            let among = |v: __m512i, first: u8, count: u8| {
                let distance = _mm512_sub_epi8(v, _mm512_set1_epi8(first.cast_signed()));
                _mm512_cmplt_epu8_mask(distance, _mm512_set1_epi8(count.cast_signed()))
            };
            let folded = _mm512_or_si512(v, _mm512_set1_epi8(0x20));
            Candidates {
                bounded: found[0],
                free: found[1],
                word: among(folded, b'a', 26) | among(v, b'0', 10),
                escape: eq(b'\\') | eq(b'%'),
            }
        }
    }
}

impl Escapes for Avx512 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    #[inline]
    unsafe fn backslashes(text: &[u8; 64]) -> u64 {
        // SAFETY: the entry point has AVX-512 BW; 64 bytes are `text`; the load is unaligned.
        let v = unsafe { _mm512_loadu_si512(text.as_ptr().cast()) };
        _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(b'\\'.cast_signed()))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
    #[inline]
    unsafe fn pairs(text: &[u8; 64], starts: u64, out: &mut [u8; 64]) -> u64 {
        // SAFETY: the entry point has AVX-512 VBMI2; `text` and `out` are 64 bytes and the table is 128; loads and
        // the store are unaligned.
        unsafe {
            let v = _mm512_loadu_si512(text.as_ptr().cast());
            let low = _mm512_loadu_si512(ESCAPED.as_ptr().cast());
            let high = _mm512_loadu_si512(ESCAPED.as_ptr().add(64).cast());
            let characters = _mm512_permutex2var_epi8(low, v, high);
            let decoded = _mm512_mask_mov_epi8(v, starts << 1, characters);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_maskz_compress_epi8(!starts, decoded));
            // The table knows nothing of the upper bit.
            _mm512_test_epi8_mask(characters, characters) & !_mm512_movepi8_mask(v)
        }
    }
}
