//! What keeps tokens and virtual keys beyond the life of a process.
//!
//! A store sees nothing it could tell: rows are named by keyed hashes and hold sealed values, and of a virtual key
//! there is a hash of its secret. All times are milliseconds since 1970.

mod memory;
mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;

use crate::derive::RowId;
use crate::virtual_key::KeyId;
use std::fmt;
use std::path::PathBuf;

/// A token and the sealed value behind it.
#[derive(Clone)]
pub struct TokenRow {
    /// Whose scope it is; what erasing a tenant goes by.
    pub tenant: RowId,
    /// The scope under one key of the vault.
    pub scope: RowId,
    /// The token within the scope.
    pub token: RowId,
    /// The value, which only the vault can read.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created: u64,
    /// From when on it is not found any more.
    pub expires: u64,
}

/// A sealed value and how long it is to be found.
#[derive(Clone)]
pub struct SealedValue {
    /// The value, which only the vault can read.
    pub sealed: Vec<u8>,
    /// From when on it is not found any more.
    pub expires: u64,
}

/// A virtual key, without its secret.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyRow {
    /// Its public part.
    pub id: KeyId,
    /// SHA-256 of the whole key, see [`crate::virtual_key`].
    pub digest: [u8; 32],
    /// What it may do.
    pub workflow: String,
    /// Whose values it may see.
    pub tenant: String,
    /// When it was made.
    pub created: u64,
    /// From when on it is refused, if ever.
    pub expires: Option<u64>,
    /// When it was revoked, if it was.
    pub revoked: Option<u64>,
    /// When it was last used, as far as that was written.
    pub last_used: Option<u64>,
    /// Who asked for it, if that was said.
    pub requester: Option<String>,
    /// The key that it takes the place of, if any.
    pub replaces: Option<KeyId>,
}

/// Keeps tokens and virtual keys.
///
/// Calls may come from several threads and may block; whoever must not wait long calls from a thread that may.
/// What a call has answered with success stays, also after a crash.
pub trait Store: Send + Sync {
    /// Adds tokens, all or none. One that is there already lives as long as the longer of both times says. With no
    /// tokens it says whether the store could be written to.
    fn put_tokens(&self, rows: &[TokenRow]) -> Result<(), StoreError>;

    /// The value of a token that has not expired at `now`.
    fn token(&self, scope: &RowId, token: &RowId, now: u64) -> Result<Option<SealedValue>, StoreError>;

    /// Deletes all tokens of scopes and says how many there were. Raises [`Store::generation`].
    fn erase_scopes(&self, scopes: &[RowId]) -> Result<u64, StoreError>;

    /// Deletes all tokens of tenants and says how many there were. Raises [`Store::generation`].
    fn erase_tenants(&self, tenants: &[RowId]) -> Result<u64, StoreError>;

    /// Deletes some of the tokens that have expired at `now`, as many as take no long time, and says how many; none
    /// when none is left.
    fn purge(&self, now: u64) -> Result<u64, StoreError>;

    /// Adds a virtual key. An id that is taken is a conflict.
    fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError>;

    /// Adds `key` and lets the one that it replaces expire at `expires` or earlier, both or none. If that one is
    /// missing, revoked, or replaced already, it is a conflict. Raises [`Store::generation`].
    fn replace_key(&self, key: &KeyRow, expires: u64) -> Result<(), StoreError>;

    /// One virtual key.
    fn key(&self, id: &KeyId) -> Result<Option<KeyRow>, StoreError>;

    /// All virtual keys, the oldest first.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError>;

    /// Marks a key as revoked and says whether there is one. Raises [`Store::generation`]; a key that is revoked
    /// already keeps its time.
    fn revoke_key(&self, id: &KeyId, now: u64) -> Result<bool, StoreError>;

    /// Writes when keys were last used; an earlier time than the one written changes nothing.
    fn note_uses(&self, uses: &[(KeyId, u64)]) -> Result<(), StoreError>;

    /// Adds to the numbers of requests that keys have made on a day, counted from 1970, and forgets those of earlier
    /// days.
    fn add_requests(&self, day: u64, counts: &[(KeyId, u64)]) -> Result<(), StoreError>;

    /// How many requests keys have made on a day, as far as that was written.
    fn requests(&self, day: u64) -> Result<Vec<(KeyId, u64)>, StoreError>;

    /// A number that is another after each call, of any process, that took away what was allowed before.
    fn generation(&self) -> Result<u64, StoreError>;
}

/// Why a store did not do what it was asked. Holds no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The store does not answer, or not in time; the code that it gives, if any.
    Unavailable(Option<i32>),
    /// What is to be added or replaced does not fit what is there.
    Conflict,
    /// What was read is not what the store wrote.
    Corrupt,
    /// The file cannot be opened or made.
    File(PathBuf, std::io::Error),
    /// The file is no database or cannot be set up; the code that SQLite gives.
    Database(PathBuf, Option<i32>),
    /// Others than the owner may use the file; its permission bits.
    Permissions(PathBuf, u32),
    /// The file was made by a version that knows more; its schema and the newest that is known here.
    Schema(PathBuf, i64, i64),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = |f: &mut fmt::Formatter<'_>, code: &Option<i32>| match code {
            Some(code) => write!(f, " (SQLite code {code})"),
            None => Ok(()),
        };
        match self {
            StoreError::Unavailable(number) => {
                f.write_str("store does not answer")?;
                code(f, number)?;
                f.write_str(": check that its disk has room and that no other program holds it")
            }
            StoreError::Conflict => {
                f.write_str("store holds something else under that id: list what is there and try again")
            }
            StoreError::Corrupt => f.write_str("store holds a row that it did not write: restore the file"),
            StoreError::File(path, error) => {
                write!(f, "{}: cannot open or create the store: {error}: check the path", path.display())
            }
            StoreError::Database(path, number) => {
                write!(f, "{}: cannot be used as a store", path.display())?;
                code(f, number)?;
                f.write_str(": check that it is a store and that its disk has room")
            }
            StoreError::Permissions(path, mode) => write!(
                f,
                "{}: store is open to others (mode {mode:04o}): run `chmod 600` on it",
                path.display()
            ),
            StoreError::Schema(path, found, known) => write!(
                f,
                "{}: store has schema {found}, this version knows {known}: use the version that made it or a \
                 newer one",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::File(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Debug for TokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRow").finish_non_exhaustive()
    }
}

impl fmt::Debug for SealedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedValue").finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow").field("id", &self.id).finish_non_exhaustive()
    }
}
