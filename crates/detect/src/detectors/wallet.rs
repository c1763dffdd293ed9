//! Addresses of wallets of crypto currencies.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};
use sha2::{Digest, Sha256};
use sha3::Keccak256;

use super::is_glued;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const IN_BASE58: ByteSet = ByteSet::of(BASE58);
const BASE32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// How many characters an address in base 58 has.
const BASE58_LEN: std::ops::RangeInclusive<usize> = 26..=35;
/// How many characters an address in base 32 has at most.
const BASE32_LEN_MAX: usize = 90;

/// The first character of an address in base 58 and the version it begins with: Bitcoin, Litecoin, Tron.
const VERSIONS: [(u8, u8); 4] = [(b'1', 0x00), (b'3', 0x05), (b'3', 0x32), (b'T', 0x41)];

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "base58-wallet",
        category: Category::CryptoWallet,
        description: "address of a Bitcoin or Tron wallet in base 58",
        validator: "version and double SHA-256 checksum",
        source: "Bitcoin developer reference, Base58Check",
        examples: &[
            Example::new("pay ", &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"], "."),
            Example::new("", &["3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"], ""),
        ],
        non_examples: &[
            Example::none("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"),
            Example::none("x1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa0"),
        ],
        rank: 170,
        level: Level::Certain,
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"13T"),
                IN_BASE58,
                IN_BASE58,
                IN_BASE58,
                IN_BASE58,
                IN_BASE58,
                IN_BASE58,
                IN_BASE58,
            ],
        }]),
        behind: 8,
        ahead: 40,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: ByteSet::ALPHA.or(ByteSet::DIGIT),
        find: Find::Code(find_base58),
    },
    Detector {
        id: "bech32-wallet",
        category: Category::CryptoWallet,
        description: "address of a Bitcoin or Litecoin wallet in base 32",
        validator: "one case; the checksum of Bech32 for version 0, of Bech32m for later ones",
        source: "BIP 173 and BIP 350",
        examples: &[
            Example::new("", &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"], "."),
            Example::new("", &["BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"], ""),
            Example::new("", &["bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"], ""),
        ],
        non_examples: &[
            Example::none("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
            Example::none("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4"),
        ],
        rank: 170,
        level: Level::Certain,
        triggers: Triggers::Windows(&[
            Window::head(&[ByteSet::of(b"bB"), ByteSet::of(b"cC"), ByteSet::of(b"1"), ByteSet::of(b"qQpP")]),
            Window::head(&[
                ByteSet::of(b"lL"),
                ByteSet::of(b"tT"),
                ByteSet::of(b"cC"),
                ByteSet::of(b"1"),
                ByteSet::of(b"qQpP"),
            ]),
        ]),
        behind: 8,
        ahead: 96,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: ByteSet::ALPHA.or(ByteSet::DIGIT),
        find: Find::Code(find_bech32),
    },
    Detector {
        id: "ethereum-wallet",
        category: Category::CryptoWallet,
        description: "address of an Ethereum wallet",
        validator: "forty hexadecimal digits whose case is the checksum; in one case, behind a word for a wallet",
        source: "EIP-55",
        examples: &[
            Example::new("", &["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"], "."),
            Example::new("wallet ", &["0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"], ""),
        ],
        non_examples: &[
            Example::none("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"),
            Example::none("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"),
            Example::none("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0"),
        ],
        rank: 170,
        level: Level::Certain,
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"0"),
                ByteSet::of(b"xX"),
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
            ],
        }]),
        behind: 48,
        ahead: 48,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: ByteSet::ALPHA.or(ByteSet::DIGIT),
        find: Find::Code(find_ethereum),
    },
];

fn find_base58(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if matches!(view.before(at), b'_' | b'/' | b'+') || is_glued(view, at) {
        return None;
    }
    let end = view.run_up_to(at, 36, Class::ALNUM);
    if !BASE58_LEN.contains(&(end - at)) || Class::WORD.has(view.at(end)) {
        return None;
    }
    let bytes = from_base58(view.bytes(at, end))?;
    let (body, checksum) = bytes.split_at(21);
    let first = view.at(at);
    let versioned = VERSIONS.iter().any(|&(sign, version)| sign == first && version == body[0]);
    let twice = |bytes: &[u8]| Sha256::digest(Sha256::digest(bytes));
    (versioned && twice(body).get(..4) == Some(checksum)).then_some(at..end)
}

/// The 25 bytes that `text` spells.
fn from_base58(text: &[u8]) -> Option<[u8; 25]> {
    let mut bytes = [0u8; 25];
    for &sign in text {
        let mut carry = BASE58.iter().position(|&other| other == sign)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(bytes)
}

fn find_bech32(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let prefix: &[u8] = if view.starts_with_any_case(at, b"bc1") { b"bc" } else { b"ltc" };
    if is_glued(view, at) || view.before(at) == b'_' || !view.starts_with_any_case(at, prefix) {
        return None;
    }
    let end = view.run_up_to(at, BASE32_LEN_MAX + 1, Class::ALNUM);
    let text = view.bytes(at, end);
    let one_case = !text.iter().any(u8::is_ascii_lowercase) || !text.iter().any(u8::is_ascii_uppercase);
    if !(38..=BASE32_LEN_MAX).contains(&text.len()) || !one_case || view.at(end) == b'_' {
        return None;
    }
    let mut sum = 1;
    for &sign in prefix {
        sum = polymod(sum, u32::from(sign >> 5));
    }
    sum = polymod(sum, 0);
    for &sign in prefix {
        sum = polymod(sum, u32::from(sign & 31));
    }
    let data = text.get(prefix.len() + 1..)?;
    for sign in data {
        let value = BASE32.iter().position(|other| *other == sign.to_ascii_lowercase())?;
        sum = polymod(sum, u32::try_from(value).ok()?);
    }
    let wanted = if matches!(data.first(), Some(b'q' | b'Q')) { 1 } else { 0x2BC8_30A3 };
    (sum == wanted).then_some(at..end)
}

/// One step of the checksum of Bech32.
fn polymod(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    let top = sum >> 25;
    let next = (sum & 0x01FF_FFFF) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .fold(next, |next, (bit, step)| if top >> bit & 1 == 1 { next ^ step } else { next })
}

fn find_ethereum(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at) != b'0' || !matches!(view.at(at + 1), b'x' | b'X') || is_glued(view, at) {
        return None;
    }
    let end = view.run_up_to(at + 2, 41, Class::HEX);
    if end != at + 42 || Class::WORD.has(view.at(end)) {
        return None;
    }
    let text = view.bytes(at + 2, end);
    let cased = text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase);
    let valid = if cased { is_checksummed(text) } else { speaks_of_wallets(view, at) };
    valid.then_some(at..end)
}

/// Whether each letter is a capital exactly where the hash of the address says so.
fn is_checksummed(text: &[u8]) -> bool {
    let mut lower = [0; 40];
    for (sign, other) in lower.iter_mut().zip(text) {
        *sign = other.to_ascii_lowercase();
    }
    let hash = Keccak256::digest(lower);
    text.iter().enumerate().all(|(idx, sign)| {
        let half = if idx % 2 == 0 { hash[idx / 2] >> 4 } else { hash[idx / 2] & 15 };
        !sign.is_ascii_alphabetic() || sign.is_ascii_uppercase() == (half > 7)
    })
}

fn speaks_of_wallets(view: &View<'_>, at: usize) -> bool {
    const WORDS: [&[u8]; 4] = [b"wallet", b"ethereum", b"eth ", b"address"];
    let low = at.saturating_sub(40);
    (low..at).any(|pos| WORDS.iter().any(|word| view.starts_with_any_case(pos, word)))
}
