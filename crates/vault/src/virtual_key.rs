//! The form of virtual keys: what a client presents in place of a provider's key.
//!
//! `vk_`, an id of 8 signs, an underscore, a secret of 32 signs (160 random bits), an underscore, 8 hexadecimal
//! digits of CRC-32 over all that stands before the last underscore. Id and secret are written in 32 signs, digits
//! and small letters without `i`, `l`, `o` and `u`. The checksum tells a slip of the hand from a wrong key without a
//! look-up; it protects nothing.
//!
//! What is kept is SHA-256 of the key: nobody tries 160 random bits, so no slow hash is needed, and no key of the
//! vault either, so that virtual keys outlive it.

use crate::key::{KeyError, random_bytes};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What every virtual key begins with.
pub const PREFIX: &str = "vk_";

/// How long every virtual key is.
pub const LEN: usize = BODY_LEN + 1 + CRC_LEN;

const ID_LEN: usize = 8;
const SECRET_LEN: usize = 32;
const BODY_LEN: usize = PREFIX.len() + ID_LEN + 1 + SECRET_LEN;
const CRC_LEN: usize = 8;

/// Five bits each; the letters that could be taken for digits are missing.
const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What else might ever be hashed begins with other words.
const DOMAIN: &[u8] = b"obelus virtual key 1\0";

/// The public part of a virtual key, by which it is listed, recorded and revoked.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; ID_LEN]);

/// A virtual key when it is made: the only time that it can be shown. Erased from memory when dropped.
///
/// It is shown only on purpose:
///
/// ```compile_fail,E0277
/// fn show(key: &obelus_vault::virtual_key::FreshKey) -> String {
///     format!("{key:?}")
/// }
/// ```
#[expect(missing_debug_implementations, reason = "the whole key must not be shown by chance")]
pub struct FreshKey {
    id: KeyId,
    text: Zeroizing<String>,
}

/// Why a text is no virtual key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Malformed {
    /// It does not have the form.
    Form,
    /// It has the form, but a sign is wrong.
    Checksum,
}

impl KeyId {
    /// The id of that text, if it is one.
    pub fn parse(text: &str) -> Option<KeyId> {
        let id: [u8; ID_LEN] = text.as_bytes().try_into().ok()?;
        id.iter().all(is_sign).then_some(KeyId(id))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        // Both ways to make an id let ASCII through alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FreshKey {
    pub(crate) fn random() -> Result<FreshKey, KeyError> {
        let bytes: Zeroizing<[u8; (ID_LEN + SECRET_LEN) / 8 * 5]> = random_bytes()?;
        let mut id = [0; ID_LEN];
        let mut text = Zeroizing::new(String::with_capacity(LEN));
        text.push_str(PREFIX);
        for (at, sign) in signs(bytes.as_slice()).enumerate() {
            match id.get_mut(at) {
                Some(place) => *place = sign,
                None if at == ID_LEN => text.push('_'),
                None => {}
            }
            text.push(char::from(sign));
        }
        let sum = checksum(text.as_bytes());
        text.push('_');
        for digit in sum {
            text.push(char::from(digit));
        }
        Ok(FreshKey { id: KeyId(id), text })
    }

    /// The public part.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The whole key, for the one who asked for it.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(self.text.as_bytes())
    }
}

/// The id of a virtual key that is presented, if it has the form and its checksum is right. Whether there is such a
/// key, and whether the secret is right, only [`crate::VirtualKeys::check`] tells.
pub fn parse(presented: &[u8]) -> Result<KeyId, Malformed> {
    let (body, sum) = presented.split_at_checked(BODY_LEN).ok_or(Malformed::Form)?;
    let rest = body.strip_prefix(PREFIX.as_bytes()).ok_or(Malformed::Form)?;
    let (id, secret) = rest.split_first_chunk::<ID_LEN>().ok_or(Malformed::Form)?;
    let secret = secret.strip_prefix(b"_").ok_or(Malformed::Form)?;
    let sum = sum.strip_prefix(b"_").filter(|sum| sum.len() == CRC_LEN).ok_or(Malformed::Form)?;
    if !id.iter().chain(secret).all(is_sign) || !sum.iter().all(u8::is_ascii_hexdigit) {
        return Err(Malformed::Form);
    }
    if checksum(body) != sum { Err(Malformed::Checksum) } else { Ok(KeyId(*id)) }
}

/// Every virtual key in a text, by its form and checksum: wherever it stands, also in the middle of a word. Whether
/// there is such a key only [`crate::VirtualKeys::check`] tells.
///
/// Reads the text once; the checksum is computed where the form is right.
pub fn find_all(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(text, PREFIX.as_bytes())
        .filter_map(move |at| text.get(at..at + LEN))
        .filter(|candidate| parse(candidate).is_ok())
}

pub(crate) fn digest(key: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(key);
    hash.finalize().into()
}

fn is_sign(byte: &u8) -> bool {
    const IS_SIGN: [bool; 256] = {
        let mut is_sign = [false; 256];
        let mut at = 0;
        while at < SIGNS.len() {
            is_sign[SIGNS[at] as usize] = true;
            at += 1;
        }
        is_sign
    };
    IS_SIGN[usize::from(*byte)]
}

/// Eight signs for five bytes.
fn signs(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks_exact(5).flat_map(|five| {
        let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).rev().map(move |at| SIGNS[usize::from((bits >> (5 * at)).to_le_bytes()[0] & 31)])
    })
}

/// CRC-32 (the one of IEEE 802.3) in hexadecimal digits.
fn checksum(text: &[u8]) -> [u8; CRC_LEN] {
    let crc = !text.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    let mut digits = [0; CRC_LEN];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(crc >> (28 - 4 * at)) as usize & 15];
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(&checksum(b"123456789"), b"cbf43926");
    }

    #[test]
    fn every_bit_of_the_bytes_is_in_the_signs() {
        let text: Vec<u8> =
            signs(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x08, 0x42, 0x10, 0x84, 0x21]).collect();
        assert_eq!(text, b"00000000zzzzzzzz11111111");
    }

    #[test]
    fn fresh_keys_have_the_form_and_differ() {
        let (one, other) = (FreshKey::random().unwrap(), FreshKey::random().unwrap());
        assert_eq!(one.reveal().len(), LEN);
        assert_eq!(parse(one.reveal().as_bytes()), Ok(one.id()));
        assert_eq!(KeyId::parse(one.id().as_str()), Some(one.id()));
        assert_ne!(one.id(), other.id());
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn every_slip_is_noticed() {
        let key = FreshKey::random().unwrap();
        let text = key.reveal().as_bytes();
        for at in 0..LEN {
            for byte in [b'0', b'z', b'_', b'A', b'i', b' ', 0xff] {
                let mut wrong = text.to_vec();
                wrong[at] = byte;
                assert_eq!(parse(&wrong).is_ok(), wrong == text, "{at} {byte}");
            }
            assert_eq!(parse(&text[..at]), Err(Malformed::Form));
        }
        // Two neighbours that change places, the slip that people make most.
        for at in 0..BODY_LEN - 1 {
            let mut wrong = text.to_vec();
            wrong.swap(at, at + 1);
            assert_eq!(parse(&wrong).is_ok(), wrong == text, "{at}");
        }
        assert_eq!(parse(&[text, b"0"].concat()), Err(Malformed::Form));
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        let (one, other) = (FreshKey::random().unwrap(), FreshKey::random().unwrap());
        let (one, other) = (one.reveal(), other.reveal());
        let cut = one.get(..LEN - 1).unwrap();
        let text = format!("{{\"a\":\"vk_{one}x\",\"b\":\"{cut} {other}\"}}vk_");
        let found: Vec<&[u8]> = find_all(text.as_bytes()).collect();
        assert_eq!(found, [one.as_bytes(), other.as_bytes()]);
    }

    #[test]
    fn a_wrong_sign_is_told_from_a_wrong_form() {
        let key = FreshKey::random().unwrap();
        let mut wrong = key.reveal().as_bytes().to_vec();
        let place = &mut wrong[PREFIX.len() + ID_LEN + 3];
        *place = if *place == b'0' { b'1' } else { b'0' };
        assert_eq!(parse(&wrong), Err(Malformed::Checksum));
        for text in ["", "vk_", "sk-quartz", "vk_00000000"] {
            assert_eq!(parse(text.as_bytes()), Err(Malformed::Form), "{text}");
        }
    }
}
