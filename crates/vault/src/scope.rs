//! What one session of one tenant may see.

use crate::derive::{Use, derive_short};
use crate::guard::{VALUE_BYTES_MAX, may_return};
use crate::memory::{Memory, Value};
use crate::scope_key::{ScopeKey, SealedToken, Token, TokenName};
use crate::vault::{Shared, TokenForm};
use crate::writer::Writing;
use obelus::{Category, token};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// The tokens of one session of one tenant. Cheap to clone; clones are the same scope.
#[derive(Clone)]
pub struct Scope {
    vault: Arc<Shared>,
    state: Arc<ScopeState>,
}

pub(crate) struct ScopeState {
    newest: ScopeKey,
    older: Vec<ScopeKey>,
    memory: Mutex<Memory>,
    /// When the scope was last opened, as a count of openings.
    pub(crate) opened: AtomicU64,
    /// Whether the vault knows of it. One that came when there was no room keeps nothing.
    is_kept: bool,
}

/// What is known of a token.
enum Known {
    Value(Value),
    Nothing,
    /// The store does not answer.
    Unclear,
}

impl ScopeState {
    pub(crate) fn new(newest: ScopeKey, older: Vec<ScopeKey>, memory: Memory, is_kept: bool) -> ScopeState {
        ScopeState { newest, older, memory: Mutex::new(memory), opened: AtomicU64::new(0), is_kept }
    }

    pub(crate) fn newest(&self) -> &ScopeKey {
        &self.newest
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ScopeKey> {
        [&self.newest].into_iter().chain(&self.older)
    }

    /// Nothing in it is left half done where a thread could panic.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its memory, unless somebody is using it.
    pub(crate) fn idle_memory(&self) -> Option<MutexGuard<'_, Memory>> {
        self.memory.try_lock().ok()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl Scope {
    pub(crate) fn new(vault: Arc<Shared>, state: Arc<ScopeState>) -> Scope {
        Scope { vault, state }
    }

    /// Appends the token of `value` and says whether there is one. Without one, `out` stays as it is, and a label
    /// must stand for the value.
    ///
    /// The same value has the same token in this scope, also after a restart, as long as the vault has the same
    /// newest key. A value that is a token of this scope stays that token; values behind tokens of this scope take
    /// their place before a longer value is kept, so that it is the text that was meant.
    ///
    /// There is none for what must never be turned back (verification codes, PINs, track data), for a value that is
    /// empty or longer than 1,024 bytes, and for any value while the vault cannot promise to keep it: its store
    /// fails or does not keep up, or there is no store and no room. A sealed token keeps itself, so there is one
    /// whatever the store does; it holds at most 88 bytes, and a longer value gets a short one.
    ///
    /// Costs a few hashes and an entry in memory. Waits for nothing, unless the value holds tokens that are not at
    /// hand: then as long as [`Scope::open`], for each of them.
    pub fn mint(&self, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        let is_minted = self.mint_or_not(category, value, out).is_some();
        self.vault.counts.note_mint(is_minted);
        is_minted
    }

    /// A keyed hash of a value (HMAC-SHA-256, 128 bits), behind the name of the vault's key and a colon: the same for all
    /// scopes of the vault, so that the same value can be known again wherever it is seen.
    pub fn fingerprint(&self, value: &[u8]) -> String {
        let key = self.vault.newest_key();
        let hash: [u8; 16] = derive_short(key.secret(), Use::Fingerprint, &[value]);
        hash.iter().fold(format!("{}:", key.id()), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Appends the value behind `token` and says whether this scope made it. Without one, `out` stays as it is: the
    /// token is another scope's, is none at all, has expired, or the store does not answer.
    ///
    /// A token that is not at hand is looked up in the store, for 50 milliseconds at most
    /// ([`Settings::look_up_wait`](crate::Settings)); if that took longer, following look-ups fail at once until
    /// the store answers again. A scope may cause 1,024 look-ups that find nothing, and 256 more each second; beyond
    /// that, tokens that are not at hand count as unknown.
    pub fn open(&self, token: &[u8], out: &mut Vec<u8>) -> bool {
        let Known::Value(value) = self.known(token) else {
            self.vault.counts.note_open(false);
            return false;
        };
        out.extend_from_slice(&value);
        self.vault.counts.note_open(true);
        true
    }

    /// Whether [`Scope::open`] would succeed.
    pub fn is_minted(&self, token: &[u8]) -> bool {
        matches!(self.known(token), Known::Value(_))
    }

    /// What is known of a text that may be a token.
    fn known(&self, token: &[u8]) -> Known {
        match Token::parse(token) {
            Some(Token::Short(name)) => self.look_up(&name),
            Some(Token::Sealed(token)) => self.unseal(&token),
            None => Known::Nothing,
        }
    }

    /// What a token holds, if any key of this scope has sealed it.
    fn unseal(&self, token: &SealedToken) -> Known {
        let value = self.state.keys().find_map(|key| key.unseal_token(token));
        value.map_or(Known::Nothing, |value| Known::Value(Arc::new(value)))
    }

    fn mint_or_not(&self, category: Category, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        if category == Category::CardCvc || value.len() > VALUE_BYTES_MAX {
            return None;
        }
        if self.is_minted(value) {
            out.extend_from_slice(value);
            return Some(());
        }
        let with_values = self.with_values(value)?;
        let text = with_values.as_deref().map_or(value, Vec::as_slice);
        if !may_return(category, text) {
            return None;
        }
        if self.vault.form() == TokenForm::Sealed && text.len() <= token::SEALED_VALUE_BYTES_MAX {
            let sealed = self.state.newest.seal_token(category, text)?;
            return sealed.render(out).then_some(());
        }
        self.mint_plain(category, text, out)
    }

    /// The text with the values behind its tokens in their place, if there are any. Nothing at all if it is too long
    /// or the store does not answer. What stands behind a token is not searched again.
    #[expect(clippy::option_option, reason = "the outer one is a failure, for the question mark")]
    fn with_values(&self, text: &[u8]) -> Option<Option<Zeroizing<Vec<u8>>>> {
        let mut out: Option<Zeroizing<Vec<u8>>> = None;
        let (mut copied, mut at) = (0, 0);
        while let Some((begin, len)) = text.get(at..).and_then(token::find) {
            at += begin;
            match self.known(text.get(at..at + len)?) {
                Known::Unclear => return None,
                Known::Nothing => {}
                Known::Value(value) => {
                    // Room from the start, so that no copy is left behind where it grew.
                    let out = out.get_or_insert_with(|| Zeroizing::new(Vec::with_capacity(VALUE_BYTES_MAX)));
                    append(out, text.get(copied..at)?)?;
                    append(out, &value)?;
                    copied = at + len;
                }
            }
            at += len;
        }
        if let Some(out) = &mut out {
            append(out, text.get(copied..)?)?;
        }
        Some(out)
    }

    /// Mints a value as it is.
    fn mint_plain(&self, category: Category, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let name = self.state.newest.name(category, value);
        let now = self.vault.now();
        let bounds = self.vault.bounds();
        if !self.state.is_kept {
            return None;
        }
        self.vault.shed(now);
        let mut memory = self.state.memory();
        let lifetime = self.vault.lifetime();
        let expires = now.saturating_add(lifetime);
        match memory.find(&name, now) {
            // Two values with one token: the second goes without.
            Some((held, _)) if held.as_slice() != value => return None,
            // What is in use does not expire. If it cannot be written, it lives as long as was promised.
            Some((held, until)) if until.saturating_sub(now) <= lifetime / 2 => {
                if let Some(is_written) = self.keep(name, &held, now, expires) {
                    memory.add(name, held, expires, is_written);
                }
            }
            Some(_) => {}
            None => {
                if !memory.make_room(value.len(), &bounds, now) {
                    return None;
                }
                let value = Arc::new(Zeroizing::new(value.to_vec()));
                let is_written = self.keep(name, &value, now, expires)?;
                memory.add(name, value, expires, is_written);
            }
        }
        name.render(out);
        Some(())
    }

    /// Hands a value to the store, if there is one. Says whether it has nothing to wait for; nothing if it cannot be
    /// kept. The caller holds the memory, so that the value is in it before it can be noted as written.
    fn keep(&self, name: TokenName, value: &Value, created: u64, expires: u64) -> Option<bool> {
        let Some(backing) = &self.vault.backing else { return Some(true) };
        let (scope, value) = (Arc::clone(&self.state), Arc::clone(value));
        backing.writer.write(Writing { scope, name, value, created, expires }).then_some(false)
    }

    fn look_up(&self, name: &TokenName) -> Known {
        let now = self.vault.now();
        let mut memory = self.state.memory();
        if let Some((value, _)) = memory.find(name, now) {
            return Known::Value(value);
        }
        let Some(backing) = &self.vault.backing else { return Known::Nothing };
        if !memory.may_ask(name, now) {
            return Known::Nothing;
        }
        let erasures = memory.erasures();
        drop(memory);
        let places = self.state.keys().map(|key| (key.row, key.token_row(name))).collect();
        match backing.reader.ask(places, now) {
            Err(crate::reader::NoAnswer) => Known::Unclear,
            Ok(None) => {
                self.state.memory().missed(*name, now);
                Known::Nothing
            }
            Ok(Some((at, row))) => {
                let key = self.state.keys().nth(at);
                let Some(value) = key.and_then(|key| key.unseal(name, row.sealed)) else {
                    return Known::Nothing;
                };
                let value = Arc::new(value);
                self.remember(name, &value, row.expires, erasures);
                Known::Value(value)
            }
        }
    }

    /// Keeps what the store told at hand, unless it was erased meanwhile or there is no room.
    fn remember(&self, name: &TokenName, value: &Value, expires: u64, erasures: u64) {
        let now = self.vault.now();
        let bounds = self.vault.bounds();
        let mut memory = self.state.memory();
        let is_there = memory.find(name, now).is_some();
        let may_add = self.state.is_kept && !is_there && memory.erasures() == erasures;
        if may_add && memory.make_room(value.len(), &bounds, now) {
            memory.add(*name, Arc::clone(value), expires, true);
        }
    }
}

/// Appends as long as the whole is no longer than a value may be.
fn append(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    (out.len() + text.len() <= VALUE_BYTES_MAX).then(|| out.extend_from_slice(text))
}
