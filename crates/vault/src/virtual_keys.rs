//! Who holds a virtual key, and until when.

use crate::key::KeyError;
use crate::store::{KeyRow, Store, StoreError};
use crate::time::{millis, moment};
use crate::virtual_key::{self, FreshKey, KeyId, Malformed};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use subtle::ConstantTimeEq;

/// How long a name may be: of a workflow, a tenant, somebody who asks for a key.
pub const NAME_LEN_MAX: usize = 128;

/// How often another id is tried if one is taken. With 40 bits that happens about never.
const ID_TRIES: usize = 4;

/// Makes, checks and ends virtual keys. Cheap to clone.
#[derive(Clone)]
pub struct VirtualKeys {
    store: Arc<dyn Store>,
    /// When keys were used, as long as it is not written.
    uses: Arc<Mutex<HashMap<KeyId, u64>>>,
}

/// What a new key is for.
#[derive(Clone, Debug, Default)]
pub struct KeyRequest {
    /// The name of what it may do.
    pub workflow: String,
    /// Whose values it may see; if nothing is said, its own and those of the keys that take its place.
    pub tenant: Option<String>,
    /// From when on it is refused.
    pub expires: Option<SystemTime>,
    /// Who asked for it.
    pub requester: Option<String>,
}

/// Who presented a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The key's public part.
    pub id: KeyId,
    /// What it may do.
    pub workflow: String,
    /// Whose values it may see. A key that takes another's place has the same.
    pub tenant: String,
    /// From when on it is refused, if ever: of a key that was replaced, the end of the overlap.
    pub expires: Option<SystemTime>,
}

/// A key as it is listed: everything but its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedKey {
    /// Its public part.
    pub id: KeyId,
    /// What it may do.
    pub workflow: String,
    /// Whose values it may see.
    pub tenant: String,
    /// When it was made.
    pub created: SystemTime,
    /// From when on it is refused, if ever.
    pub expires: Option<SystemTime>,
    /// When it was revoked, if it was.
    pub revoked: Option<SystemTime>,
    /// When it was last used, as far as [`VirtualKeys::write_uses`] wrote it.
    pub last_used: Option<SystemTime>,
    /// Who asked for it, if that was said.
    pub requester: Option<String>,
    /// The key that it takes the place of, if any.
    pub replaces: Option<KeyId>,
}

/// Why a key is refused. Tell a client no more than whether its key has the form; the rest is for records.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFault {
    /// It does not have the form of a virtual key.
    Form,
    /// It has the form, but its checksum is wrong: a slip.
    Checksum,
    /// There is no key of that id.
    Unknown,
    /// There is one, but its secret is another.
    Secret,
    /// It was revoked.
    Revoked,
    /// It has expired, or the overlap after its rotation has ended.
    Expired,
    /// The store does not answer, so nobody is let in.
    Store(StoreError),
}

/// Why a key was not made, replaced or revoked.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// A name is empty, longer than [`NAME_LEN_MAX`] or holds control characters; which name.
    Name(&'static str),
    /// There is no key of that id.
    Unknown(KeyId),
    /// The key was revoked.
    Revoked(KeyId),
    /// The key has expired.
    Expired(KeyId),
    /// Another key has taken its place already: that one is to be rotated.
    Replaced(KeyId),
    /// No random bytes.
    Random(KeyError),
    /// The store does not do it.
    Store(StoreError),
}

impl VirtualKeys {
    /// The keys that a store holds.
    pub fn new(store: Arc<dyn Store>) -> VirtualKeys {
        VirtualKeys { store, uses: Arc::default() }
    }

    /// Makes a key. It can be shown only now.
    pub fn create(&self, request: &KeyRequest, now: SystemTime) -> Result<FreshKey, KeyChangeError> {
        check_name("workflow", &request.workflow)?;
        check_name("tenant", request.tenant.as_deref().unwrap_or("-"))?;
        check_name("requester", request.requester.as_deref().unwrap_or("-"))?;
        let row = |key: &FreshKey| KeyRow {
            id: key.id(),
            digest: key.digest(),
            workflow: request.workflow.clone(),
            tenant: request.tenant.clone().unwrap_or_else(|| key.id().to_string()),
            created: millis(now),
            expires: request.expires.map(millis),
            revoked: None,
            last_used: None,
            requester: request.requester.clone(),
            replaces: None,
        };
        for _ in 0..ID_TRIES {
            let key = FreshKey::random().map_err(KeyChangeError::Random)?;
            match self.store.insert_key(&row(&key)) {
                Err(StoreError::Conflict) => {}
                other => return other.map(|()| key).map_err(KeyChangeError::Store),
            }
        }
        Err(KeyChangeError::Store(StoreError::Conflict))
    }

    /// All keys, the oldest first, revoked and expired ones too.
    pub fn list(&self) -> Result<Vec<ListedKey>, StoreError> {
        Ok(self.store.keys()?.into_iter().map(ListedKey::from).collect())
    }

    /// Makes a key that takes the place of another: same workflow, same tenant, and if that one was made to expire,
    /// the same time to live. The old one is accepted for as long as `overlap`, then not; never longer than before.
    pub fn rotate(&self, id: &KeyId, overlap: Duration, now: SystemTime) -> Result<FreshKey, KeyChangeError> {
        let old = self.store.key(id).map_err(KeyChangeError::Store)?;
        let old = old.ok_or(KeyChangeError::Unknown(*id))?;
        match fault(&old, now) {
            Some(KeyFault::Revoked) => return Err(KeyChangeError::Revoked(*id)),
            Some(_) => return Err(KeyChangeError::Expired(*id)),
            None => {}
        }
        let key = FreshKey::random().map_err(KeyChangeError::Random)?;
        let to_live = old.expires.map(|expires| expires.saturating_sub(old.created));
        let row = KeyRow {
            id: key.id(),
            digest: key.digest(),
            created: millis(now),
            expires: to_live.map(|time| millis(now).saturating_add(time)),
            revoked: None,
            last_used: None,
            replaces: Some(*id),
            ..old
        };
        let end = now.checked_add(overlap).map_or(u64::MAX, millis);
        match self.store.replace_key(&row, end) {
            Ok(()) => Ok(key),
            Err(StoreError::Conflict) => Err(KeyChangeError::Replaced(*id)),
            Err(error) => Err(KeyChangeError::Store(error)),
        }
    }

    /// Ends a key for good, from the next look-up on. Keys that it replaced or that replaced it stay.
    pub fn revoke(&self, id: &KeyId, now: SystemTime) -> Result<(), KeyChangeError> {
        match self.store.revoke_key(id, millis(now)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(KeyChangeError::Unknown(*id)),
            Err(error) => Err(KeyChangeError::Store(error)),
        }
    }

    /// Who presents `presented` at `now`.
    ///
    /// The store is asked each time, so that a key that was revoked, by whatever process, is refused at once. With
    /// [`SqliteStore`](crate::SqliteStore) that is one look-up by primary key.
    pub fn check(&self, presented: &[u8], now: SystemTime) -> Result<Holder, KeyFault> {
        let id = virtual_key::parse(presented).map_err(|malformed| match malformed {
            Malformed::Form => KeyFault::Form,
            Malformed::Checksum => KeyFault::Checksum,
        })?;
        let row = self.store.key(&id).map_err(KeyFault::Store)?;
        let digest = virtual_key::digest(presented);
        // An id that is unknown costs the same comparison; no key has this digest.
        let wanted = row.as_ref().map_or([0; 32], |row| row.digest);
        let is_it = bool::from(digest.ct_eq(&wanted));
        match row {
            None => Err(KeyFault::Unknown),
            Some(_) if !is_it => Err(KeyFault::Secret),
            Some(row) => {
                let holder = admit(row, now)?;
                self.note_use(id, millis(now));
                Ok(holder)
            }
        }
    }

    /// Whether a key that was presented before is still good: for streams that are open while keys are revoked.
    pub fn recheck(&self, id: &KeyId, now: SystemTime) -> Result<Holder, KeyFault> {
        match self.store.key(id).map_err(KeyFault::Store)? {
            None => Err(KeyFault::Unknown),
            Some(row) => admit(row, now),
        }
    }

    /// A number that is another once any process has revoked or rotated a key or erased tokens. Whoever holds
    /// streams open asks for it, some times a second, and rechecks their keys when it changes.
    pub fn generation(&self) -> Result<u64, StoreError> {
        self.store.generation()
    }

    /// Writes when keys were last used. [`VirtualKeys::check`] only remembers it, so that nobody waits for a disk.
    /// What could not be written stays for the next time.
    pub fn write_uses(&self) -> Result<(), StoreError> {
        let uses: Vec<(KeyId, u64)> = {
            let mut held = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            held.drain().collect()
        };
        if uses.is_empty() {
            return Ok(());
        }
        let written = self.store.note_uses(&uses);
        if written.is_err() {
            for (id, at) in uses {
                self.note_use(id, at);
            }
        }
        written
    }

    /// Adds to the numbers of requests that keys have made on a day, counted from 1970. Earlier days are forgotten.
    pub fn add_requests(&self, day: u64, counts: &[(KeyId, u64)]) -> Result<(), StoreError> {
        self.store.add_requests(day, counts)
    }

    /// How many requests keys have made on a day, by whatever process, as far as that was written.
    pub fn requests(&self, day: u64) -> Result<Vec<(KeyId, u64)>, StoreError> {
        self.store.requests(day)
    }

    /// There are no more entries than keys, because only keys that are known get here.
    fn note_use(&self, id: KeyId, at: u64) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = uses.entry(id).or_insert(at);
        *latest = at.max(*latest);
    }
}

fn fault(row: &KeyRow, now: SystemTime) -> Option<KeyFault> {
    if row.revoked.is_some() {
        return Some(KeyFault::Revoked);
    }
    row.expires.is_some_and(|expires| expires <= millis(now)).then_some(KeyFault::Expired)
}

fn admit(row: KeyRow, now: SystemTime) -> Result<Holder, KeyFault> {
    match fault(&row, now) {
        Some(fault) => Err(fault),
        None => Ok(Holder {
            id: row.id,
            workflow: row.workflow,
            tenant: row.tenant,
            expires: row.expires.map(moment),
        }),
    }
}

fn check_name(which: &'static str, name: &str) -> Result<(), KeyChangeError> {
    let is_name = !name.is_empty() && name.len() <= NAME_LEN_MAX && !name.chars().any(char::is_control);
    if is_name { Ok(()) } else { Err(KeyChangeError::Name(which)) }
}

impl From<KeyRow> for ListedKey {
    fn from(row: KeyRow) -> ListedKey {
        ListedKey {
            id: row.id,
            workflow: row.workflow,
            tenant: row.tenant,
            created: moment(row.created),
            expires: row.expires.map(moment),
            revoked: row.revoked.map(moment),
            last_used: row.last_used.map(moment),
            requester: row.requester,
            replaces: row.replaces,
        }
    }
}

impl fmt::Debug for VirtualKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualKeys").finish_non_exhaustive()
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyFault::Form => "not a virtual key: use one that `obelus keys create` made",
            KeyFault::Checksum => "virtual key is mistyped or cut: copy it again",
            KeyFault::Unknown => "virtual key is unknown: ask for another",
            KeyFault::Secret => "virtual key is wrong: copy it again or ask for another",
            KeyFault::Revoked => "virtual key was revoked: ask for another",
            KeyFault::Expired => "virtual key has expired: ask for another",
            KeyFault::Store(error) => return write!(f, "virtual key cannot be looked up: {error}"),
        })
    }
}

impl std::error::Error for KeyFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyFault::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for KeyChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyChangeError::Name(which) => write!(
                f,
                "{which} is empty, longer than {NAME_LEN_MAX} bytes or holds control characters: choose another"
            ),
            KeyChangeError::Unknown(id) => {
                write!(f, "no virtual key {id}: `obelus keys list` shows those that exist")
            }
            KeyChangeError::Revoked(id) => {
                write!(f, "virtual key {id} was revoked: create another instead of rotating it")
            }
            KeyChangeError::Expired(id) => {
                write!(f, "virtual key {id} has expired: create another instead of rotating it")
            }
            KeyChangeError::Replaced(id) => {
                write!(
                    f,
                    "virtual key {id} was rotated already or just revoked: rotate the key that replaces it"
                )
            }
            KeyChangeError::Random(error) => error.fmt(f),
            KeyChangeError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyChangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyChangeError::Random(error) => Some(error),
            KeyChangeError::Store(error) => Some(error),
            _ => None,
        }
    }
}
