//! What may not be read in the file: sealed with AES-256-GCM-SIV (RFC 8452), each in its place alone.

use super::ApprovalError;
use aes_gcm_siv::aead::{AeadInPlace, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a nonce, which stands before what is sealed.
const NONCE_BYTES: usize = 12;

/// A key that seals. Erased when it is dropped, never shown.
pub struct SealKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").finish_non_exhaustive()
    }
}

impl SealKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> SealKey {
        SealKey(bytes)
    }

    /// Seals something for a place.
    pub(crate) fn seal(&self, place: &[u8], clear: &[u8]) -> Result<Vec<u8>, ApprovalError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).or(Err(ApprovalError::Random))?;
        let mut text = Zeroizing::new(clear.to_vec());
        let cipher = Aes256GcmSiv::new((&*self.0).into());
        let tag = cipher
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), place, &mut text)
            .or(Err(ApprovalError::Damaged))?;
        Ok([nonce.as_slice(), text.as_slice(), tag.as_slice()].concat())
    }

    /// What was sealed for that place.
    pub(crate) fn unseal(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ApprovalError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(ApprovalError::Damaged)?;
        let mut text = Zeroizing::new(text.to_vec());
        let cipher = Aes256GcmSiv::new((&*self.0).into());
        cipher
            .decrypt_in_place(Nonce::from_slice(nonce), place, &mut *text)
            .or(Err(ApprovalError::Damaged))?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = SealKey::new(Zeroizing::new([7; 32]));
        let sealed = key.seal(b"one", b"jenny@example.com").expect("it can");
        assert_eq!(key.unseal(b"one", &sealed).expect("it can").as_slice(), b"jenny@example.com");
        assert!(key.unseal(b"other", &sealed).is_err());
        assert!(SealKey::new(Zeroizing::new([8; 32])).unseal(b"one", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal(b"one", &changed).is_err(), "{at}");
        }
        assert!(key.unseal(b"one", &sealed[..5]).is_err());
        assert_ne!(sealed, key.seal(b"one", b"jenny@example.com").expect("it can"));
    }
}
