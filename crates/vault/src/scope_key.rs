//! What one key of the vault makes of one scope.

use crate::derive::{RowId, Secret, Use, derive, derive_short, token_body};
use crate::key::VaultKey;
use aes_gcm_siv::aead::{AeadInPlace, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use aes_siv::siv::Aes256Siv;
use obelus::Category;
use obelus::token::{BODY_BYTES, Body};
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// What a token says: a category, and a body that follows from scope, category and value.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(crate) struct TokenName {
    pub(crate) category: Category,
    pub(crate) body: [u8; BODY_BYTES],
}

/// What a token says.
#[derive(Clone)]
pub(crate) enum Token {
    /// It stands for a value that is kept.
    Short(TokenName),
    /// It holds the value.
    Sealed(SealedToken),
}

/// A token that holds its value.
#[derive(Clone)]
pub(crate) struct SealedToken {
    category: Category,
    /// The name of the key, and the value, sealed.
    body: Vec<u8>,
}

/// Bytes of the name of a key in a token: it spares trying the others, and proves nothing.
const KEY_NAME_BYTES: usize = 2;

/// The key of a scope and the names of its rows.
pub(crate) struct ScopeKey {
    secret: Secret,
    /// The scope in a store.
    pub(crate) row: RowId,
    /// The tenant in a store.
    pub(crate) tenant: RowId,
    /// The vault's key in a token.
    key_name: [u8; KEY_NAME_BYTES],
}

impl Token {
    /// What `token` says, if it is a token and nothing else.
    pub(crate) fn parse(token: &[u8]) -> Option<Token> {
        let (category, body) = obelus::token::body(token)?;
        Some(match body {
            Body::Short(body) => Token::Short(TokenName { category, body }),
            Body::Sealed(body) => Token::Sealed(SealedToken { category, body }),
        })
    }
}

impl SealedToken {
    /// Appends the token and says whether there is one.
    pub(crate) fn render(&self, out: &mut Vec<u8>) -> bool {
        obelus::token::render_sealed(self.category, &self.body, out)
    }
}

impl TokenName {
    pub(crate) fn render(&self, out: &mut Vec<u8>) {
        obelus::token::render(self.category, self.body, out);
    }
}

/// The name of a tenant in a store.
pub(crate) fn tenant_row(key: &VaultKey, tenant: &str) -> RowId {
    derive_short(key.secret(), Use::Tenant, &[key.id().as_bytes(), tenant.as_bytes()])
}

impl ScopeKey {
    pub(crate) fn new(key: &VaultKey, tenant: &str, session: &str) -> ScopeKey {
        let pieces = [key.id(), tenant, session].map(str::as_bytes);
        let secret = derive(key.secret(), Use::Scope, &pieces);
        let row = derive_short(&secret, Use::ScopeRow, &[]);
        let key_name = derive_short(key.secret(), Use::KeyName, &[key.id().as_bytes()]);
        ScopeKey { secret, row, tenant: tenant_row(key, tenant), key_name }
    }

    pub(crate) fn name(&self, category: Category, value: &[u8]) -> TokenName {
        TokenName { category, body: token_body(&self.secret, category, value) }
    }

    /// The name of a token in a store. It follows from the scope's key, so that no other scope can ask for it.
    pub(crate) fn token_row(&self, name: &TokenName) -> RowId {
        derive_short(&self.secret, Use::TokenRow, &[name.category.as_str().as_bytes(), &name.body])
    }

    /// The value as a store may see it. Nothing if it cannot be sealed, which no value is long enough for.
    ///
    /// The nonce follows from the token, for which there is one value: the same row is the same bytes whoever writes
    /// it, and no other text is ever sealed with that nonce.
    pub(crate) fn seal(&self, name: &TokenName, value: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = value.to_vec();
        let (cipher, nonce) = self.cipher(name);
        cipher.encrypt_in_place(&nonce, &self.associated(name), &mut sealed).ok()?;
        Some(sealed)
    }

    /// The value that was sealed for this scope and token.
    pub(crate) fn unseal(&self, name: &TokenName, sealed: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
        let mut value = Zeroizing::new(sealed);
        let (cipher, nonce) = self.cipher(name);
        cipher.decrypt_in_place(&nonce, &self.associated(name), &mut *value).ok()?;
        Some(value)
    }

    /// The token that holds a value. Nothing if it cannot be sealed, which no value is long enough for.
    ///
    /// AES-SIV (RFC 5297) without a nonce: the same value in this scope is the same token, and what is not a token of this
    /// scope, category and key does not open.
    pub(crate) fn seal_token(&self, category: Category, value: &[u8]) -> Option<SealedToken> {
        let sealed = self.token_cipher().encrypt([self.row.as_slice(), category.as_str().as_bytes()], value);
        Some(SealedToken { category, body: [self.key_name.as_slice(), &sealed.ok()?].concat() })
    }

    /// The value in a token of this scope and key.
    pub(crate) fn unseal_token(&self, token: &SealedToken) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = token.body.strip_prefix(&self.key_name)?;
        let headers = [self.row.as_slice(), token.category.as_str().as_bytes()];
        self.token_cipher().decrypt(headers, sealed).ok().map(Zeroizing::new)
    }

    /// Two keys of 32 bytes: one for the synthetic vector, one for the text.
    fn token_cipher(&self) -> Aes256Siv {
        let mut key = Zeroizing::new([0; 64]);
        for (half, number) in key.chunks_exact_mut(32).zip([b"1", b"2"]) {
            half.copy_from_slice(derive(&self.secret, Use::SealToken, &[number]).as_slice());
        }
        let key: &[u8; 64] = &key;
        Aes256Siv::new(key.into())
    }

    fn cipher(&self, name: &TokenName) -> (Aes256GcmSiv, Nonce) {
        let pieces = [name.category.as_str().as_bytes(), &name.body];
        let nonce: [u8; NONCE_BYTES] = derive_short(&self.secret, Use::SealNonce, &pieces);
        let key: &[u8; 32] = &derive(&self.secret, Use::Seal, &[]);
        (Aes256GcmSiv::new(key.into()), nonce.into())
    }

    /// Scope and token, each of a fixed length.
    fn associated(&self, name: &TokenName) -> Vec<u8> {
        [self.row, self.token_row(name)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(key: u8, tenant: &str, session: &str) -> ScopeKey {
        ScopeKey::new(&VaultKey::new("a", &[key; 32]).unwrap(), tenant, session)
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = scope(1, "t", "s").name(Category::Email, b"a@example.com");
        let mut token = Vec::new();
        name.render(&mut token);
        assert!(matches!(Token::parse(&token), Some(Token::Short(read)) if read == name));
        token.push(b'a');
        assert!(Token::parse(&token).is_none(), "more than a token");
    }

    #[test]
    fn names_of_rows_differ_between_scopes() {
        let all = [scope(1, "t", "s"), scope(1, "t", "s2"), scope(1, "ts", ""), scope(2, "t", "s")];
        let name = all[0].name(Category::Email, b"a@example.com");
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert_ne!(one.row, other.row);
                assert_ne!(one.token_row(&name), other.token_row(&name));
                assert!(one.name(Category::Email, b"x") != other.name(Category::Email, b"x"));
            }
        }
        assert_eq!(all[0].tenant, all[1].tenant);
        assert_ne!(all[0].tenant, all[2].tenant);
        assert_ne!(all[0].tenant, all[3].tenant);
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let (one, other) = (scope(1, "t", "s"), scope(1, "t", "s2"));
        let name = one.name(Category::Email, b"a@example.com");
        let sealed = one.seal(&name, b"a@example.com").unwrap();
        assert_eq!(one.unseal(&name, sealed.clone()).unwrap().as_slice(), b"a@example.com");
        assert!(other.unseal(&name, sealed.clone()).is_none());
        let moved = TokenName { category: Category::Phone, ..name };
        assert!(one.unseal(&moved, sealed.clone()).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(one.unseal(&name, changed).is_none(), "{at}");
        }
        assert!(one.unseal(&name, Vec::new()).is_none());
    }
}
