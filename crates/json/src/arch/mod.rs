//! Instruction sets: chosen once, carried as a value.
//!
//! The algorithms stand once, generic over [`Vector`]; a file per instruction set makes the masks. The entry
//! points here compile the algorithm for the features and are the only way in.

#[cfg(any(target_arch = "x86_64", test))]
mod escapes;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::block::{Bytes, Letters};
use crate::error::Fault;
use crate::filter::{Candidates, Extra, Filter, SPAN, Seen};
use crate::lexeme::Visitor;
use crate::lexer::{Lexer, Progress};
use crate::map::OffsetMap;
use crate::string::unescape_pieces;
#[cfg(target_arch = "x86_64")]
use escapes::unescape_blocks;
use scalar::Scalar;
#[cfg(target_arch = "x86_64")]
use x86_64::{Avx2, Avx512};

/// What may stand behind a backslash, besides `u` (RFC 8259, section 7).
const SIMPLE_ESCAPES: [u8; 8] = *b"\"\\/bfnrt";

/// Masks of 64 bytes, and of what the filter sees from there.
pub(crate) trait Vector {
    /// All masks of the first 64 bytes of `text`.
    ///
    /// # Safety
    /// * The machine has the features of the implementation.
    unsafe fn bytes(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Bytes;

    /// For each bit the parity of all bits up to it.
    ///
    /// # Safety
    /// * The machine has the features of the implementation.
    unsafe fn parity(bits: u64) -> u64;

    /// Which of the first 64 bytes of `text` may stand behind a backslash.
    ///
    /// # Safety
    /// * The machine has the features of the implementation.
    unsafe fn letters(text: &[u8; 64 + SPAN]) -> Letters;

    /// What the filter and the windows beside it say of each position.
    ///
    /// # Safety
    /// * The machine has the features of the implementation.
    unsafe fn candidates(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Candidates;
}

/// All masks of a block.
#[inline(always)]
pub(crate) fn bytes<V: Vector>(filter: &Filter, extra: Option<&Extra>, text: &[u8; 64 + SPAN]) -> Bytes {
    // SAFETY: the implementations are private to this module, and only its entry points name them, each compiled
    // for, and reached only with, the features.
    unsafe { V::bytes(filter, extra, text) }
}

/// For each bit the parity of all bits up to it.
#[inline(always)]
pub(crate) fn parity<V: Vector>(bits: u64) -> u64 {
    // SAFETY: as for `bytes`.
    unsafe { V::parity(bits) }
}

/// Which bytes of a block may stand behind a backslash.
#[inline(always)]
pub(crate) fn letters<V: Vector>(text: &[u8; 64 + SPAN]) -> Letters {
    // SAFETY: as for `bytes`.
    unsafe { V::letters(text) }
}

/// What the filter says of each position of a block.
#[inline(always)]
pub(crate) fn candidates<V: Vector>(
    filter: &Filter,
    extra: Option<&Extra>,
    text: &[u8; 64 + SPAN],
) -> Candidates {
    // SAFETY: as for `bytes`.
    unsafe { V::candidates(filter, extra, text) }
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Arch(Set);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Set {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Arch {
    /// The best that the machine has.
    pub fn detect() -> Arch {
        Arch::available().pop().unwrap_or(Arch(Set::Scalar))
    }

    /// No vectors: the specification of the others.
    pub fn scalar() -> Arch {
        Arch(Set::Scalar)
    }

    /// All that the machine has, the best last.
    pub fn available() -> Vec<Arch> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "only x86-64 has more"))]
        let mut sets = vec![Arch(Set::Scalar)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
                sets.push(Arch(Set::Avx2));
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vbmi2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("pclmulqdq")
            {
                sets.push(Arch(Set::Avx512));
            }
        }
        sets
    }

    /// The name: `scalar`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }

    /// Runs the lexer.
    #[inline]
    pub(crate) fn run<V: Visitor>(
        self,
        lexer: &mut Lexer,
        filter: &Filter,
        buf: &[u8],
        last: bool,
        visitor: &mut V,
    ) -> Result<Progress, Fault<V::Stop>> {
        match self.0 {
            Set::Scalar => lexer.run_with::<Scalar, V>(filter, buf, last, visitor),
            // SAFETY: an `Arch` with this set exists only where `available` found the features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { run_avx2(lexer, filter, buf, last, visitor) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { run_avx512(lexer, filter, buf, last, visitor) },
        }
    }

    /// Decodes the escapes of a string body.
    #[inline]
    pub(crate) fn unescape(self, body: &[u8], text: &mut Vec<u8>, map: &mut OffsetMap) {
        match self.0 {
            // SAFETY: an `Arch` with this set exists only where `available` found the features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { unescape_avx512(body, text, map) },
            // Without an instruction that closes the gaps, blocks are no faster.
            _ => unescape_pieces(body, text, map),
        }
    }

    /// Calls `found` for each position from `from` on at which the filter reports buckets.
    #[inline]
    pub(crate) fn candidates(
        self,
        filter: &Filter,
        extra: Option<&Extra>,
        text: &[u8],
        from: usize,
        found: impl FnMut(usize, Seen, u32),
    ) {
        match self.0 {
            Set::Scalar => filter.candidates_with::<Scalar>(extra, text, from, found),
            // SAFETY: an `Arch` with this set exists only where `available` found the features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { candidates_avx2(filter, extra, text, from, found) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { candidates_avx512(filter, extra, text, from, found) },
        }
    }
}

/// # Safety
/// * The machine has AVX2 and BMI1.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
unsafe fn run_avx2<V: Visitor>(
    lexer: &mut Lexer,
    filter: &Filter,
    buf: &[u8],
    last: bool,
    visitor: &mut V,
) -> Result<Progress, Fault<V::Stop>> {
    lexer.run_with::<Avx2, V>(filter, buf, last, visitor)
}

/// # Safety
/// * The machine has AVX-512 BW, VBMI and VBMI2, BMI1 and 2, counts bits and multiplies without carry.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
unsafe fn run_avx512<V: Visitor>(
    lexer: &mut Lexer,
    filter: &Filter,
    buf: &[u8],
    last: bool,
    visitor: &mut V,
) -> Result<Progress, Fault<V::Stop>> {
    lexer.run_with::<Avx512, V>(filter, buf, last, visitor)
}

/// # Safety
/// * The machine has AVX2 and BMI1.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
unsafe fn candidates_avx2(
    filter: &Filter,
    extra: Option<&Extra>,
    text: &[u8],
    from: usize,
    found: impl FnMut(usize, Seen, u32),
) {
    filter.candidates_with::<Avx2>(extra, text, from, found);
}

/// # Safety
/// * The machine has AVX-512 BW, VBMI and VBMI2, BMI1 and 2, counts bits and multiplies without carry.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
unsafe fn candidates_avx512(
    filter: &Filter,
    extra: Option<&Extra>,
    text: &[u8],
    from: usize,
    found: impl FnMut(usize, Seen, u32),
) {
    filter.candidates_with::<Avx512>(extra, text, from, found);
}

/// # Safety
/// * The machine has AVX-512 BW, VBMI and VBMI2, BMI1 and 2, counts bits and multiplies without carry.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt,pclmulqdq")]
unsafe fn unescape_avx512(body: &[u8], text: &mut Vec<u8>, map: &mut OffsetMap) {
    unescape_blocks::<Avx512>(body, text, map);
}
