//! SQLite files of the gate, for their owner alone.

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a change waits for another process that has the file.
const WAIT: Duration = Duration::from_secs(1);

/// What a file is, and what stands in it.
pub(crate) struct FileForm {
    /// What it holds, for errors.
    pub(crate) what: &'static str,
    /// What the file says of itself.
    pub(crate) application: i64,
    /// The version of its tables.
    pub(crate) schema: i64,
    /// SQL that makes them.
    pub(crate) tables: &'static str,
}

/// Why a file of the gate cannot be used: what, and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum GateFileError {
    /// It cannot be opened or made.
    File(PathBuf, io::Error),
    /// It is something else, or of a newer version; what it should be.
    Database(PathBuf, &'static str),
    /// Others than its owner may use it; its permission bits.
    Permissions(PathBuf, u32),
}

impl fmt::Display for GateFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GateFileError::File(path, error) => {
                write!(f, "{}: cannot be opened: {error}: check path and permissions", path.display())
            }
            GateFileError::Database(path, what) => {
                write!(f, "{}: no file of {what} of this version: name another", path.display())
            }
            GateFileError::Permissions(path, mode) => {
                write!(f, "{}: others may use it (mode {mode:o}): chmod 600", path.display())
            }
        }
    }
}

impl std::error::Error for GateFileError {}

impl FileForm {
    /// Opens the file, or makes it with mode 0600. What is committed outlives a loss of power; what is deleted is
    /// overwritten.
    pub(crate) fn open(&self, path: &Path) -> Result<Connection, GateFileError> {
        make(path)?;
        let database = |_: rusqlite::Error| GateFileError::Database(path.to_owned(), self.what);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(database)?;
        connection.busy_timeout(WAIT).map_err(database)?;
        if !self.set_up(&mut connection).map_err(database)? {
            return Err(GateFileError::Database(path.to_owned(), self.what));
        }
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;
                        PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
        connection.execute_batch(settings).map_err(database)?;
        Ok(connection)
    }

    /// Makes the tables if the file is new, and says whether it is of this form.
    fn set_up(&self, connection: &mut Connection) -> rusqlite::Result<bool> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ask = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
        let (application, schema) = (ask("PRAGMA application_id")?, ask("PRAGMA user_version")?);
        let is_new = application == 0 && schema == 0 && ask("SELECT count(*) FROM sqlite_schema")? == 0;
        if is_new {
            transaction.execute_batch(self.tables)?;
            transaction.pragma_update(None, "application_id", self.application)?;
            transaction.pragma_update(None, "user_version", self.schema)?;
            transaction.commit()?;
        }
        Ok(is_new || application == self.application && schema == self.schema)
    }
}

/// Does something in a transaction of its own, which is undone if it fails. `unavailable` is what to say of a file that
/// does not answer.
pub(crate) fn change<T, E: Copy>(
    connection: &Mutex<Connection>,
    unavailable: E,
    act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, E>>,
) -> Result<T, E> {
    let failed = |_: rusqlite::Error| unavailable;
    let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let done = act(&transaction).map_err(failed)??;
    transaction.commit().map_err(failed)?;
    Ok(done)
}

/// Makes the file if there is none, for its owner alone; refuses one that others may use.
fn make(path: &Path) -> Result<(), GateFileError> {
    let at = |error| GateFileError::File(path.to_owned(), error);
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(error)),
        _ => {}
    }
    match mode(&fs::metadata(path).map_err(at)?) {
        Some(mode) if mode & 0o077 != 0 => Err(GateFileError::Permissions(path.to_owned(), mode)),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> Option<u32> {
    None
}
