//! Everything that follows from a vault's key: one function, one label for each use.
//!
//! HMAC-SHA-256 over a label and pieces, each behind its length, so that no two lists of pieces are the same input.
//! Two keys of a vault share nothing, and neither do two uses of one key.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use obelus::Category;
use obelus::token::BODY_BYTES;
use sha2::Sha256;
use zeroize::Zeroizing;

/// How long keys are, given and derived.
pub const KEY_BYTES: usize = 32;

/// How long the names of rows in a store are: collisions must not happen, guesses are no danger.
pub const ROW_BYTES: usize = 16;

/// A name of a row, a scope or a tenant in a store. Says nothing to whoever lacks the key.
pub type RowId = [u8; ROW_BYTES];

/// How much SHA-256 reads at a time.
const BLOCK_BYTES: usize = 64;

pub(crate) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// What a derived value is for.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    Tenant,
    Scope,
    ScopeRow,
    TokenBody,
    TokenRow,
    Seal,
    SealNonce,
    Fingerprint,
    KeyName,
    SealToken,
    Other,
}

impl Use {
    const fn label(self) -> &'static [u8] {
        match self {
            Use::Tenant => b"obelus vault 1 tenant",
            Use::Scope => b"obelus vault 1 scope",
            Use::ScopeRow => b"obelus vault 1 scope row",
            Use::TokenBody => b"obelus vault 1 token body",
            Use::TokenRow => b"obelus vault 1 token row",
            Use::Seal => b"obelus vault 1 seal",
            Use::SealNonce => b"obelus vault 1 seal nonce",
            Use::Fingerprint => b"obelus vault 1 fingerprint",
            Use::KeyName => b"obelus vault 1 key name",
            Use::SealToken => b"obelus vault 1 sealed token",
            Use::Other => b"obelus vault 1 other",
        }
    }
}

/// The value for one use of `key`.
pub(crate) fn derive(key: &[u8; KEY_BYTES], purpose: Use, pieces: &[&[u8]]) -> Secret {
    // A key padded to a block is the same key, and one of that length cannot be refused.
    let mut block = Zeroizing::new([0; BLOCK_BYTES]);
    block.split_at_mut(KEY_BYTES).0.copy_from_slice(key);
    let block: &[u8; BLOCK_BYTES] = &block;
    let mut mac = <Hmac<Sha256> as KeyInit>::new(block.into());
    for piece in [purpose.label()].iter().chain(pieces) {
        mac.update(&(piece.len() as u64).to_be_bytes());
        mac.update(piece);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// The first bytes of a derived value.
pub(crate) fn derive_short<const N: usize>(key: &[u8; KEY_BYTES], purpose: Use, pieces: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= KEY_BYTES, "a derived value has no more bytes") };
    let mut out = [0; N];
    out.copy_from_slice(derive(key, purpose, pieces).split_at(N).0);
    out
}

/// The body of the token of a value.
pub(crate) fn token_body(scope: &Secret, category: Category, value: &[u8]) -> [u8; BODY_BYTES] {
    derive_short(scope, Use::TokenBody, &[category.as_str().as_bytes(), value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_run_into_each_other() {
        let key = [7; KEY_BYTES];
        let all = [
            derive(&key, Use::Scope, &[b"ab", b"c"]),
            derive(&key, Use::Scope, &[b"a", b"bc"]),
            derive(&key, Use::Scope, &[b"abc"]),
            derive(&key, Use::Scope, &[b"abc", b""]),
            derive(&key, Use::ScopeRow, &[b"ab", b"c"]),
            derive(&[8; KEY_BYTES], Use::Scope, &[b"ab", b"c"]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one), "{at}");
            assert!(**one != [0; KEY_BYTES]);
        }
    }

    /// The form in which tokens were given out must not change: they stand in histories. The value was computed
    /// with another implementation of HMAC over the bytes written out.
    #[test]
    fn the_derivation_stays_as_it_is() {
        let got = derive(&[7; KEY_BYTES], Use::TokenBody, &[b"email", b"a@example.com"]);
        let hex: String = got.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "3f0fa31422847eb3088258d17bd1bb2cb7a052397d0f18a31d154a3b15ad0fde");
    }
}
