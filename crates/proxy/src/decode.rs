//! Content codings of request bodies: one, taken off with bounds, or refused.
//!
//! Every coding has the same bounds: the body may not be longer than the limit, nor grow more than a hundredfold once
//! it is over 64 KiB, and nothing may stand behind the compressed data.

use crate::body;
use crate::memory::Lease;
use crate::refused::{Refused, Why};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::Read;

/// How much longer the body may be than its compressed form.
const RATIO_MAX: usize = 100;
/// Up to so many bytes any ratio will do.
const RATIO_FREE_BYTES: usize = 64 << 10;
/// Bytes that are made at once.
const STEP_BYTES: usize = 16 << 10;
/// The logarithm of the longest window of zstd: 8 MiB, as RFC 8878 recommends.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A content coding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding that a `content-encoding` names, in any case. A list of codings is none.
    pub(crate) fn parse(value: &[u8]) -> Option<Coding> {
        let known = [
            ("identity", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        let value = value.trim_ascii();
        known
            .into_iter()
            .find(|(name, _)| value.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, coding)| coding)
    }
}

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// It is not what the coding says, is cut, or something stands behind it.
    Form,
    /// It grows beyond a bound.
    Growth,
    /// There is no memory for it now.
    Memory,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        match fault {
            Fault::Form => Refused::new(
                400,
                Why::Malformed,
                "the body is not what its content-encoding says, or something stands behind it",
            ),
            Fault::Memory => body::no_memory(),
            Fault::Growth => Refused::new(
                413,
                Why::Limit,
                "the body is too long, or grows more than a hundredfold, when it is decompressed",
            ),
        }
    }
}

/// Takes the coding off a body. The result has at most `bytes_max` bytes, for which the lease grows.
pub(crate) fn decode(
    coding: Coding,
    body: Vec<u8>,
    bytes_max: usize,
    lease: &mut Lease,
) -> Result<Vec<u8>, Refused> {
    let growth = body.len().saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
    let mut out = Bounded { bytes: Vec::new(), bytes_max: bytes_max.min(growth), lease };
    match coding {
        Coding::Identity => return Ok(body),
        Coding::Gzip => gzip(&body, &mut out)?,
        Coding::Deflate => deflate(&body, &mut out)?,
        Coding::Brotli => brotli(&body, &mut out)?,
        Coding::Zstd => zstd(&body, &mut out)?,
    }
    Ok(out.bytes)
}

/// Output with its bound.
struct Bounded<'l> {
    bytes: Vec<u8>,
    bytes_max: usize,
    lease: &'l mut Lease,
}

impl Bounded<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            return Err(Fault::Growth);
        }
        let before = self.bytes.capacity();
        self.bytes.reserve(bytes.len());
        if !self.lease.grow(self.bytes.capacity() - before) {
            return Err(Fault::Memory);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, mut reader: impl Read) -> Result<(), Fault> {
        let mut step = [0; STEP_BYTES];
        loop {
            match reader.read(&mut step).or(Err(Fault::Form))? {
                0 => return Ok(()),
                read => self.append(&step[..read])?,
            }
        }
    }
}

/// One member behind the other, to the last byte.
fn gzip(mut body: &[u8], out: &mut Bounded<'_>) -> Result<(), Fault> {
    loop {
        let mut decoder = GzDecoder::new(body);
        out.read(&mut decoder)?;
        body = decoder.into_inner();
        if body.is_empty() {
            return Ok(());
        }
    }
}

/// With the header of zlib or without: clients have always sent both.
fn deflate(body: &[u8], out: &mut Bounded<'_>) -> Result<(), Fault> {
    let has_header = match body {
        [method, check, ..] => method & 0x0f == 8 && (u32::from(*method) << 8 | u32::from(*check)) % 31 == 0,
        _ => false,
    };
    let mut decoder = Decompress::new(has_header);
    let mut step = [0; STEP_BYTES];
    loop {
        let (read, made) = (decoder.total_in(), decoder.total_out());
        let rest = usize::try_from(read).ok().and_then(|read| body.get(read..)).ok_or(Fault::Form)?;
        let status = decoder.decompress(rest, &mut step, FlushDecompress::None).or(Err(Fault::Form))?;
        let fresh = usize::try_from(decoder.total_out() - made).or(Err(Fault::Form))?;
        out.append(&step[..fresh])?;
        match status {
            Status::StreamEnd if decoder.total_in() == body.len() as u64 => return Ok(()),
            Status::StreamEnd => return Err(Fault::Form),
            _ if fresh == 0 && decoder.total_in() == read => return Err(Fault::Form),
            _ => {}
        }
    }
}

fn brotli(body: &[u8], out: &mut Bounded<'_>) -> Result<(), Fault> {
    let (alloc8, alloc32) = (StandardAlloc::default(), StandardAlloc::default());
    let mut state = BrotliState::new(alloc8, alloc32, StandardAlloc::default());
    let mut step = [0; STEP_BYTES];
    let (mut left, mut read, mut made) = (body.len(), 0, 0);
    loop {
        let (mut room, mut at) = (step.len(), 0);
        let result = BrotliDecompressStream(
            &mut left, &mut read, body, &mut room, &mut at, &mut step, &mut made, &mut state,
        );
        out.append(&step[..at])?;
        match result {
            BrotliResult::ResultSuccess if left == 0 => return Ok(()),
            BrotliResult::NeedsMoreOutput => {}
            _ => return Err(Fault::Form),
        }
    }
}

fn zstd(body: &[u8], out: &mut Bounded<'_>) -> Result<(), Fault> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).or(Err(Fault::Form))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).or(Err(Fault::Form))?;
    out.read(decoder)?;
    // An empty body is no frame, yet ends the reader as quietly as a whole one.
    if body.is_empty() { Err(Fault::Form) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    const CODINGS: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn encode(coding: Coding, text: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Identity => text.to_vec(),
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                brotli::BrotliCompress(
                    &mut &text[..],
                    &mut out,
                    &brotli::enc::BrotliEncoderParams::default(),
                )
                .unwrap();
                out
            }
            Coding::Zstd => zstd::encode_all(text, 3).unwrap(),
        }
    }

    fn decode(coding: Coding, body: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Refused> {
        super::decode(coding, body, bytes_max, &mut Memory::new(64 << 20).lease())
    }

    #[test]
    fn what_is_decoded_is_held_against_the_memory_that_is_left_while_it_grows() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let memory = Memory::new(text.len() / 2);
        for coding in CODINGS {
            let refused = super::decode(coding, encode(coding, &text), 1 << 20, &mut memory.lease());
            assert_eq!(refused.map_err(|refused| refused.status), Err(503), "{coding:?}");
        }
    }

    fn status(coding: Coding, body: Vec<u8>, bytes_max: usize) -> u16 {
        decode(coding, body, bytes_max).map_or_else(|refused| refused.status, |_| 200)
    }

    #[test]
    fn every_coding_comes_off() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for coding in CODINGS {
            for text in [&b"{}"[..], b"", &text] {
                assert_eq!(decode(coding, encode(coding, text), 1 << 20).unwrap(), text, "{coding:?}");
            }
        }
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(&text).unwrap();
        assert_eq!(decode(Coding::Deflate, raw.finish().unwrap(), 1 << 20).unwrap(), text);
        let two = [encode(Coding::Gzip, b"{\"a\":"), encode(Coding::Gzip, b"1}")].concat();
        assert_eq!(decode(Coding::Gzip, two, 100).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn a_bomb_of_any_coding_is_refused() {
        let zeros = vec![b'0'; 16 << 20];
        for coding in CODINGS {
            let bomb = encode(coding, &zeros);
            assert!(bomb.len() < zeros.len() / 200, "{coding:?} {}", bomb.len());
            assert_eq!(status(coding, bomb, 32 << 20), 413, "{coding:?}");
        }
    }

    #[test]
    fn the_limit_of_bodies_holds_for_every_coding() {
        for coding in CODINGS {
            let text: Vec<u8> = (0..2000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
            assert_eq!(status(coding, encode(coding, &text), text.len()), 200, "{coding:?}");
            assert_eq!(status(coding, encode(coding, &text), text.len() - 1), 413, "{coding:?}");
        }
    }

    #[test]
    fn nothing_may_be_missing_and_nothing_may_stand_behind() {
        for coding in CODINGS {
            let whole = encode(coding, b"{\"a\":\"some text that is not very short\"}");
            for len in 0..whole.len() {
                assert_eq!(status(coding, whole[..len].to_vec(), 1000), 400, "{coding:?} cut at {len}");
            }
            let behind = [&whole[..], b"tail"].concat();
            assert_eq!(status(coding, behind, 1000), 400, "{coding:?}");
            assert_eq!(status(coding, b"{\"a\":\"plain\"}".to_vec(), 1000), 400, "{coding:?}");
        }
    }

    #[test]
    fn codings_are_known_by_name_in_any_case() {
        assert_eq!(Coding::parse(b" GZIP "), Some(Coding::Gzip));
        for other in [&b"gzip, gzip"[..], b"x-snappy-framed", b"", b"gzip;q=1", b"compress"] {
            assert_eq!(Coding::parse(other), None);
        }
    }
}
