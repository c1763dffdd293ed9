//! A store in one SQLite file, which several processes of one machine may have open.
//!
//! One connection writes, behind a lock; those that read take one of a few others and wait for nobody, because in
//! WAL mode readers see the last commit. Each commit is synced: a revocation must survive what it may follow.

use super::{KeyRow, SealedValue, Store, StoreError, TokenRow};
use crate::derive::RowId;
use crate::private_file;
use crate::virtual_key::KeyId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What the file says of itself: `obls`.
const APPLICATION: i64 = 0x6f62_6c73;

/// The schema, the first that there is.
const SCHEMA: i64 = 1;

const TABLES: &str = "
CREATE TABLE tokens (
    scope BLOB NOT NULL,
    token BLOB NOT NULL,
    tenant BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (scope, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_tenant ON tokens (tenant);
CREATE INDEX tokens_by_expiry ON tokens (expires);
CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    workflow TEXT NOT NULL,
    tenant TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    last_used INTEGER,
    requester TEXT,
    replaces TEXT UNIQUE
) STRICT, WITHOUT ROWID;
CREATE TABLE generation (value INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (0);
";

/// Made in files that lack it, too: whoever does not know it is not in its way.
const REQUESTS: &str = "
CREATE TABLE IF NOT EXISTS requests (
    day INTEGER NOT NULL,
    key TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day, key)
) STRICT, WITHOUT ROWID;
";

/// All columns stand in the order in which [`key_of`] reads them: the one in which the table was made.
const KEY_BY_ID: &str = "SELECT * FROM keys WHERE id = ?1";
const KEYS: &str = "SELECT * FROM keys ORDER BY created, id";

/// How long a write waits for another process to finish its own.
const WRITE_WAIT: Duration = Duration::from_secs(5);

/// How long it takes until opening is tried again.
const OPEN_PAUSE: Duration = Duration::from_millis(5);

/// How long a read waits: only while the file is being recovered or the journal reset.
const READ_WAIT: Duration = Duration::from_millis(50);

/// How many reading connections stay open when idle.
const READERS_MAX: usize = 8;

/// How many expired rows are deleted in one commit, so that nobody waits long for it.
const PURGE_ROWS: u32 = 1024;

/// Keeps everything in one file that only its owner can use.
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, or makes it with mode 0600. Beside it lie two more with its name and `-wal` and `-shm`,
    /// which have its permissions.
    ///
    /// # Errors
    /// A file that others than its owner may use, that is no database, or whose schema is newer is refused.
    pub fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let at = |error| StoreError::File(path.to_owned(), error);
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                private_file::create(path, &[]).map_err(at)?;
                fs::metadata(path)
            }
            other => other,
        };
        let metadata = metadata.map_err(at)?;
        if !metadata.is_file() {
            return Err(StoreError::Database(path.to_owned(), None));
        }
        if let Some(mode) = private_file::open_to_others(&metadata) {
            return Err(StoreError::Permissions(path.to_owned(), mode));
        }
        let database = |error: rusqlite::Error| StoreError::Database(path.to_owned(), code(&error));
        let (writer, found) = open_writer(path).map_err(database)?;
        match found {
            Found::Store => Ok(SqliteStore {
                path: path.to_owned(),
                writer: Mutex::new(writer),
                readers: Mutex::default(),
            }),
            Found::Newer(schema) => Err(StoreError::Schema(path.to_owned(), schema, SCHEMA)),
            Found::Other => Err(StoreError::Database(path.to_owned(), None)),
        }
    }

    /// Does something with a connection for reading.
    fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, READ_WAIT).map_err(|error| unavailable(&error))?,
        };
        let answer = ask(&connection).map_err(|error| unavailable(&error))?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_MAX {
            readers.push(connection);
        }
        Ok(answer)
    }

    /// Does something in a transaction of its own, which is undone if it fails.
    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| unavailable(&error))?;
        let answer = change(&transaction)?;
        transaction.commit().map_err(|error| unavailable(&error))?;
        Ok(answer)
    }

    fn erase(&self, sql: &str, ids: &[RowId]) -> Result<u64, StoreError> {
        let erased = self.write(|transaction| {
            let mut count = 0;
            for id in ids {
                count += execute(transaction, sql, params![id])?;
            }
            raise_generation(transaction)?;
            Ok(count as u64)
        })?;
        self.empty_journal()?;
        Ok(erased)
    }

    /// Sealed values that were erased still stand in the journal until it is written over. Somebody who reads at
    /// that moment keeps it from being emptied; then it is at the next erasure or the last close.
    fn empty_journal(&self) -> Result<(), StoreError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        emptied.map_err(|error| unavailable(&error))
    }
}

fn connect(path: &Path, wait: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(wait)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// What a file is.
enum Found {
    Store,
    /// A store of that schema.
    Newer(i64),
    Other,
}

/// Opens the connection that writes. SQLite does not wait while another process changes the mode of the journal, which
/// happens once in the life of a file, or closes it for good; so that is tried again, as long as a write would wait.
fn open_writer(path: &Path) -> rusqlite::Result<(Connection, Found)> {
    let start = Instant::now();
    loop {
        match try_open_writer(path) {
            Err(error) if is_busy(&error) && start.elapsed() < WRITE_WAIT => thread::sleep(OPEN_PAUSE),
            other => return other,
        }
    }
}

fn try_open_writer(path: &Path) -> rusqlite::Result<(Connection, Found)> {
    let mut writer = connect(path, WRITE_WAIT)?;
    let mut found = set_up(&mut writer)?;
    if matches!(found, Found::Store) {
        let mode: String = writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            found = Found::Other;
        }
        // What is deleted is overwritten, so that what was erased cannot be found in free pages.
        writer.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")?;
    }
    Ok((writer, found))
}

/// Makes the tables if the file is new. A database of somebody else's is left as it is.
fn set_up(writer: &mut Connection) -> rusqlite::Result<Found> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ask = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application, schema) = (ask("PRAGMA application_id")?, ask("PRAGMA user_version")?);
    if application == 0 && schema == 0 && ask("SELECT count(*) FROM sqlite_schema")? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(REQUESTS)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
        transaction.commit()?;
        return Ok(Found::Store);
    }
    if application != APPLICATION {
        return Ok(Found::Other);
    }
    if schema != SCHEMA {
        return Ok(Found::Newer(schema));
    }
    transaction.execute_batch(REQUESTS)?;
    transaction.commit()?;
    Ok(Found::Store)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    let changed = transaction.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    changed.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => StoreError::Conflict,
        _ => unavailable(&error),
    })
}

fn raise_generation(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    execute(transaction, "UPDATE generation SET value = value + 1", []).map(|_| ())
}

fn insert_key(transaction: &Transaction<'_>, key: &KeyRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let values = params![
        key.id.as_str(),
        key.digest,
        key.workflow,
        key.tenant,
        signed(key.created),
        key.expires.map(signed),
        key.revoked.map(signed),
        key.last_used.map(signed),
        key.requester,
        key.replaces.as_ref().map(KeyId::as_str),
    ];
    execute(transaction, sql, values).map(|_| ())
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<Option<KeyRow>> {
    let time = |at: usize| row.get::<_, Option<i64>>(at).map(|time| time.map(i64::unsigned_abs));
    let replaces: Option<String> = row.get(9)?;
    let Some(id) = KeyId::parse(row.get_ref(0)?.as_str()?) else { return Ok(None) };
    Ok(Some(KeyRow {
        id,
        digest: row.get(1)?,
        workflow: row.get(2)?,
        tenant: row.get(3)?,
        created: row.get::<_, i64>(4)?.unsigned_abs(),
        expires: time(5)?,
        revoked: time(6)?,
        last_used: time(7)?,
        requester: row.get(8)?,
        replaces: replaces.as_deref().and_then(KeyId::parse),
    }))
}

/// Integers of SQLite have a sign; no time that means anything needs the bit.
fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn unavailable(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(code(error))
}

fn code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

impl Store for SqliteStore {
    fn put_tokens(&self, rows: &[TokenRow]) -> Result<(), StoreError> {
        let sql = "INSERT INTO tokens (scope, token, tenant, sealed, created, expires)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (scope, token) DO UPDATE SET expires = max(expires, excluded.expires)";
        self.write(|transaction| {
            for row in rows {
                let (created, expires) = (signed(row.created), signed(row.expires));
                execute(
                    transaction,
                    sql,
                    params![row.scope, row.token, row.tenant, row.sealed, created, expires],
                )?;
            }
            Ok(())
        })
    }

    fn token(&self, scope: &RowId, token: &RowId, now: u64) -> Result<Option<SealedValue>, StoreError> {
        let sql = "SELECT sealed, expires FROM tokens WHERE scope = ?1 AND token = ?2 AND expires > ?3";
        self.read(|connection| {
            let value = |row: &Row<'_>| {
                Ok(SealedValue { sealed: row.get(0)?, expires: row.get::<_, i64>(1)?.unsigned_abs() })
            };
            connection.prepare_cached(sql)?.query_row(params![scope, token, signed(now)], value).optional()
        })
    }

    fn erase_scopes(&self, scopes: &[RowId]) -> Result<u64, StoreError> {
        self.erase("DELETE FROM tokens WHERE scope = ?1", scopes)
    }

    fn erase_tenants(&self, tenants: &[RowId]) -> Result<u64, StoreError> {
        self.erase("DELETE FROM tokens WHERE tenant = ?1", tenants)
    }

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM tokens WHERE (scope, token) IN
                   (SELECT scope, token FROM tokens WHERE expires <= ?1 LIMIT ?2)";
        let count = self.write(|transaction| execute(transaction, sql, params![signed(now), PURGE_ROWS]))?;
        Ok(count as u64)
    }

    fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        self.write(|transaction| insert_key(transaction, key))
    }

    fn replace_key(&self, key: &KeyRow, expires: u64) -> Result<(), StoreError> {
        let sql = "UPDATE keys SET expires = min(ifnull(expires, ?2), ?2) WHERE id = ?1 AND revoked IS NULL";
        self.write(|transaction| {
            let old = key.replaces.as_ref().map(KeyId::as_str);
            if execute(transaction, sql, params![old, signed(expires)])? == 0 {
                return Err(StoreError::Conflict);
            }
            insert_key(transaction, key)?;
            raise_generation(transaction)
        })
    }

    fn key(&self, id: &KeyId) -> Result<Option<KeyRow>, StoreError> {
        let row = self.read(|connection| {
            connection.prepare_cached(KEY_BY_ID)?.query_row(params![id.as_str()], key_of).optional()
        })?;
        row.map(|key| key.ok_or(StoreError::Corrupt)).transpose()
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows: Vec<Option<KeyRow>> =
            self.read(|connection| connection.prepare_cached(KEYS)?.query_map([], key_of)?.collect())?;
        rows.into_iter().map(|key| key.ok_or(StoreError::Corrupt)).collect()
    }

    fn revoke_key(&self, id: &KeyId, now: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE keys SET revoked = ifnull(revoked, ?2) WHERE id = ?1";
        self.write(|transaction| {
            let is_there = execute(transaction, sql, params![id.as_str(), signed(now)])? > 0;
            if is_there {
                raise_generation(transaction)?;
            }
            Ok(is_there)
        })
    }

    fn note_uses(&self, uses: &[(KeyId, u64)]) -> Result<(), StoreError> {
        let sql = "UPDATE keys SET last_used = max(ifnull(last_used, 0), ?2) WHERE id = ?1";
        self.write(|transaction| {
            for (id, at) in uses {
                execute(transaction, sql, params![id.as_str(), signed(*at)])?;
            }
            Ok(())
        })
    }

    fn add_requests(&self, day: u64, counts: &[(KeyId, u64)]) -> Result<(), StoreError> {
        let sql = "INSERT INTO requests VALUES (?1, ?2, ?3)
                   ON CONFLICT (day, key) DO UPDATE SET count = count + excluded.count";
        self.write(|transaction| {
            execute(transaction, "DELETE FROM requests WHERE day < ?1", params![signed(day)])?;
            for (id, count) in counts {
                execute(transaction, sql, params![signed(day), id.as_str(), signed(*count)])?;
            }
            Ok(())
        })
    }

    fn requests(&self, day: u64) -> Result<Vec<(KeyId, u64)>, StoreError> {
        let count = |row: &Row<'_>| {
            let id = KeyId::parse(row.get_ref(0)?.as_str()?);
            Ok(id.zip(Some(row.get::<_, i64>(1)?.unsigned_abs())))
        };
        let rows: Vec<Option<(KeyId, u64)>> = self.read(|connection| {
            let sql = "SELECT key, count FROM requests WHERE day = ?1";
            connection.prepare_cached(sql)?.query_map(params![signed(day)], count)?.collect()
        })?;
        rows.into_iter().map(|row| row.ok_or(StoreError::Corrupt)).collect()
    }

    fn generation(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM generation")?;
            statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        })
    }
}
