//! The form of a line, and what of it is hashed.
//!
//! ```text
//! {"seq":7,"time":"…","kind":"…", … ,"prev":"<hash of line 6>","hash":"<hash of this line>"}
//! └────────────────────── hashed ─────────────────────────────┘                           └ and this bracket
//! ```
//!
//! The hash of a record is the RFC 6962 hash of a leaf: SHA-256 over a zero byte and the line as it stands, without the
//! member `hash` and without the line break. That is one JSON object, `seq` and `prev` among its members. So the same
//! hash links the chain and is the leaf of the tree that checkpoints sign.

use crate::time::Utc;
use crate::tree::{self, Hash, hex, unhex};
use serde::Serialize;
use std::io::{self, Write};

/// What the first record of a log names as the one before it.
pub(crate) const NO_PREV: Hash = [0; 32];

const SEQ: &[u8] = b"{\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";
/// A comma and the member `time`.
const TIME_BYTES: usize = ",\"time\":\"1970-01-01T00:00:00.000000Z\"".len();
/// No log gets as far; so what comes next is always a number.
const SEQ_MAX: u64 = u64::MAX >> 1;
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// The members of a record from `time` on, without `prev` and `hash`. Made by whoever appends, so that the one who
/// writes need not.
pub(crate) fn body(record: &impl Serialize, time: Utc) -> io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(512);
    write!(body, "\"time\":\"{time}\"")?;
    let brace = body.len();
    serde_json::to_writer(&mut body, record)?;
    // `{…}` becomes `,…`.
    if let Some(first) = body.get_mut(brace) {
        *first = b',';
    }
    body.pop();
    Ok(body)
}

/// Writes the line of a record and gives its hash.
pub(crate) fn write(out: &mut Vec<u8>, seq: u64, body: &[u8], prev: &Hash) -> io::Result<Hash> {
    let begin = out.len();
    out.extend_from_slice(SEQ);
    write!(out, "{seq},")?;
    out.extend_from_slice(body);
    out.extend_from_slice(PREV);
    out.extend_from_slice(&hex(prev));
    out.extend_from_slice(END);
    let hash = tree::leaf(&[out.get(begin..).unwrap_or_default()]);
    out.pop();
    out.extend_from_slice(HASH);
    out.extend_from_slice(&hex(&hash));
    out.extend_from_slice(END);
    out.push(b'\n');
    Ok(hash)
}

/// What a line says of its place, checked against its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    pub(crate) prev: Hash,
    pub(crate) hash: Hash,
}

/// Why a line is no record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoLink {
    /// It has not the form.
    Form,
    /// Its hash is not that of its bytes.
    Hash,
}

/// Reads a line, without its line break.
pub(crate) fn read(line: &[u8]) -> Result<Link, NoLink> {
    let (hashed, stated) = split_hash(line).ok_or(NoLink::Form)?;
    let hash = tree::leaf(&[hashed, b"}"]);
    if hex(&hash) != stated {
        return Err(NoLink::Hash);
    }
    let prev = split_end(hashed, PREV, b"\"").and_then(|(_, prev)| unhex(prev)).ok_or(NoLink::Form)?;
    Ok(Link { seq: seq(line).ok_or(NoLink::Form)?, prev, hash })
}

/// The number that a line begins with, whether or not the rest is right.
pub(crate) fn seq(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(SEQ)?;
    let digits = rest.get(..rest.iter().position(|&byte| byte == b',')?)?;
    // Written in one way: neither a sign nor zeros before it.
    digits.first().filter(|digit| (b'1'..=b'9').contains(digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|seq| *seq <= SEQ_MAX)
}

/// Whether a line is a record of that kind.
pub(crate) fn is_kind(line: &[u8], kind: &str) -> bool {
    let behind_time = || {
        let rest = line.strip_prefix(SEQ)?;
        let comma = rest.iter().position(|&byte| byte == b',')?;
        rest.get(comma + TIME_BYTES..)?.strip_prefix(b",\"kind\":\"")?.strip_prefix(kind.as_bytes())
    };
    behind_time().is_some_and(|rest| rest.starts_with(b"\""))
}

/// What is hashed but for the last bracket, and the digits of the hash.
fn split_hash(line: &[u8]) -> Option<(&[u8], &[u8])> {
    split_end(line, HASH, END)
}

/// Splits text that ends with `name`, the digits of a hash, and `end`.
fn split_end<'a>(text: &'a [u8], name: &[u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (rest, digits) = text.strip_suffix(end)?.split_last_chunk::<DIGITS>()?;
    Some((rest.strip_suffix(name)?, digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Record};
    use std::time::SystemTime;

    fn line() -> (Vec<u8>, Hash) {
        let body = body(&Record::new(Kind::Started), SystemTime::UNIX_EPOCH.into()).unwrap();
        let mut out = Vec::new();
        let hash = write(&mut out, 7, &body, &NO_PREV).unwrap();
        (out, hash)
    }

    #[test]
    fn a_line_is_one_object_and_its_hash_is_that_of_the_rest() {
        let (line, hash) = line();
        let zeros = "0".repeat(64);
        let rest =
            format!(r#"{{"seq":7,"time":"1970-01-01T00:00:00.000000Z","kind":"started","prev":"{zeros}""#);
        let wanted = format!("{rest},\"hash\":\"{}\"}}\n", tree::hex_text(&hash));
        assert_eq!(String::from_utf8(line.clone()).unwrap(), wanted);
        assert_eq!(hash, tree::leaf(&[format!("{rest}}}").as_bytes()]));
        let link = read(line.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!(link, Link { seq: 7, prev: NO_PREV, hash });
        serde_json::from_slice::<serde_json::Value>(&line).unwrap();
        assert!(is_kind(&line, "started") && !is_kind(&line, "start") && !is_kind(&line, "stopped"));
    }

    #[test]
    fn a_number_has_one_form_and_another_comes_after_it() {
        assert_eq!(seq(b"{\"seq\":12,"), Some(12));
        assert_eq!(seq(format!("{{\"seq\":{SEQ_MAX},").as_bytes()), Some(SEQ_MAX));
        for other in ["0", "012", "+12", "-1", "", "1.0", "9223372036854775808", "18446744073709551615"] {
            assert_eq!(seq(format!("{{\"seq\":{other},").as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn every_bit_of_a_line_counts() {
        let (line, _) = line();
        let line = line.strip_suffix(b"\n").unwrap();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut other = line.to_vec();
                other[at] ^= 1 << bit;
                read(&other).unwrap_err();
            }
            read(&line[..at]).unwrap_err();
            read(&[&line[..at], &line[at + 1..]].concat()).unwrap_err();
        }
    }
}
