//! Totals in one SQLite file, which survive the process.
//!
//! One connection, behind a lock; each change is one transaction that is synced before the call may go on.

use super::{KNOWN_MINOR_MAX, Reservation, Sum, Sums, Today, Totals, TotalsError};
use crate::amount::Currency;
use crate::class::RiskClass;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the file says of itself: `oblt`.
const APPLICATION: i64 = 0x6f62_6c74;

/// The schema, the first that there is.
const SCHEMA: i64 = 1;

/// One row for each class of a call. An amount that is NULL is unknown.
const TABLES: &str = "
CREATE TABLE calls (
    call TEXT NOT NULL,
    class TEXT NOT NULL,
    day INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    customer TEXT,
    currency TEXT NOT NULL,
    minor INTEGER,
    settled INTEGER NOT NULL,
    PRIMARY KEY (call, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_workflow ON calls (workflow, day, class, currency);
CREATE INDEX calls_by_customer ON calls (customer, day, class, currency) WHERE customer IS NOT NULL;
CREATE INDEX calls_by_day ON calls (day) WHERE settled;
";

/// How long a change waits for another process that has the file.
const WAIT: Duration = Duration::from_secs(1);

/// Keeps the totals in a file that only its owner can use.
pub struct SqliteTotals {
    connection: Mutex<Connection>,
}

impl fmt::Debug for SqliteTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTotals").finish_non_exhaustive()
    }
}

/// Why a file of totals cannot be used: what, and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum TotalsFileError {
    /// It cannot be opened or made.
    File(PathBuf, io::Error),
    /// It is no file of totals, or of a newer version.
    Database(PathBuf),
    /// Others than its owner may use it; its permission bits.
    Permissions(PathBuf, u32),
}

impl fmt::Display for TotalsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TotalsFileError::File(path, error) => {
                write!(f, "{}: cannot be opened: {error}: check path and permissions", path.display())
            }
            TotalsFileError::Database(path) => {
                write!(f, "{}: no file of totals of this version: name another", path.display())
            }
            TotalsFileError::Permissions(path, mode) => {
                write!(f, "{}: others may use it (mode {mode:o}): chmod 600", path.display())
            }
        }
    }
}

impl std::error::Error for TotalsFileError {}

impl SqliteTotals {
    /// Opens the file, or makes it with mode 0600.
    ///
    /// # Errors
    /// It cannot be opened, is something else, or others may use it.
    pub fn open(path: &Path) -> Result<SqliteTotals, TotalsFileError> {
        make(path)?;
        let database = |_: rusqlite::Error| TotalsFileError::Database(path.to_owned());
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(database)?;
        connection.busy_timeout(WAIT).map_err(database)?;
        if !set_up(&mut connection).map_err(database)? {
            return Err(TotalsFileError::Database(path.to_owned()));
        }
        let journal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;";
        connection.execute_batch(journal).map_err(database)?;
        Ok(SqliteTotals { connection: Mutex::new(connection) })
    }

    /// Does something in a transaction of its own, which is undone if it fails.
    fn change<T>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, TotalsError>>,
    ) -> Result<T, TotalsError> {
        let unavailable = |_: rusqlite::Error| TotalsError::Unavailable;
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        let done = act(&transaction).map_err(unavailable)??;
        transaction.commit().map_err(unavailable)?;
        Ok(done)
    }
}

/// Makes the file if there is none, for its owner alone; refuses one that others may use.
fn make(path: &Path) -> Result<(), TotalsFileError> {
    let at = |error| TotalsFileError::File(path.to_owned(), error);
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(error)),
        _ => {}
    }
    match mode(&fs::metadata(path).map_err(at)?) {
        Some(mode) if mode & 0o077 != 0 => Err(TotalsFileError::Permissions(path.to_owned(), mode)),
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

/// Makes the tables if the file is new, and says whether it is one of totals.
fn set_up(connection: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ask = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (application, schema) = (ask("PRAGMA application_id")?, ask("PRAGMA user_version")?);
    let is_new = application == 0 && schema == 0 && ask("SELECT count(*) FROM sqlite_schema")? == 0;
    if is_new {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
        transaction.commit()?;
    }
    Ok(is_new || application == APPLICATION && schema == SCHEMA)
}

/// An amount as it stands in the file.
fn known(minor: u64) -> Option<i64> {
    i64::try_from(minor).ok().filter(|_| minor < KNOWN_MINOR_MAX)
}

fn day(days: u64) -> i64 {
    i64::try_from(days).unwrap_or(i64::MAX)
}

fn letters(currency: Option<Currency>) -> String {
    currency.map(|currency| currency.as_str().to_owned()).unwrap_or_default()
}

/// What is added up for one class of one call.
struct Place {
    class: RiskClass,
    day: i64,
    workflow: String,
    customer: Option<String>,
    currency: String,
}

fn places(transaction: &Transaction<'_>, call: &str) -> rusqlite::Result<Vec<Place>> {
    let sql = "SELECT class, day, workflow, customer, currency FROM calls WHERE call = ?1";
    let place = |row: &Row<'_>| {
        let name: String = row.get(0)?;
        let class = RiskClass::ALL.into_iter().find(|class| class.as_str() == name);
        Ok(Place {
            class: class.ok_or(rusqlite::Error::InvalidQuery)?,
            day: row.get(1)?,
            workflow: row.get(2)?,
            customer: row.get(3)?,
            currency: row.get(4)?,
        })
    };
    transaction.prepare_cached(sql)?.query_map([call], place)?.collect()
}

fn add_up(transaction: &Transaction<'_>, whose: &str, place: &Place, id: &str) -> rusqlite::Result<Sum> {
    let sql = format!(
        "SELECT count(*), ifnull(sum(minor), 0), count(*) - count(minor) FROM calls
         WHERE {whose} = ?1 AND day = ?2 AND class = ?3 AND currency = ?4"
    );
    let sum = |row: &Row<'_>| {
        let (calls, minor, unknown): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let minor = if unknown > 0 { u64::MAX } else { minor.unsigned_abs() };
        Ok(Sum { minor, calls: calls.unsigned_abs() })
    };
    let values = params![id, place.day, place.class.as_str(), place.currency];
    transaction.prepare_cached(&sql)?.query_row(values, sum)
}

fn sums(transaction: &Transaction<'_>, call: &str) -> rusqlite::Result<Result<Sums, TotalsError>> {
    let places = places(transaction, call)?;
    if places.is_empty() {
        return Ok(Err(TotalsError::Unknown));
    }
    let mut sums = Sums::default();
    for place in &places {
        let workflow = add_up(transaction, "workflow", place, &place.workflow)?;
        let customer = match &place.customer {
            Some(customer) => add_up(transaction, "customer", place, customer)?,
            None => Sum::default(),
        };
        sums.set(place.class, Today { workflow, customer });
    }
    Ok(Ok(sums))
}

impl Totals for SqliteTotals {
    fn reserve(&self, reservation: &Reservation) -> Result<Sums, TotalsError> {
        self.change(|transaction| {
            let taken = "SELECT 1 FROM calls WHERE call = ?1 LIMIT 1";
            if transaction.query_row(taken, [&reservation.call], |_| Ok(())).optional()?.is_some() {
                return Ok(Err(TotalsError::Counted));
            }
            // A call that waits over midnight stays counted on its own day.
            transaction.execute("DELETE FROM calls WHERE settled AND day < ?1", [day(reservation.day)])?;
            let sql = "INSERT INTO calls VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";
            let mut insert = transaction.prepare_cached(sql)?;
            for class in &reservation.classes {
                insert.execute(params![
                    reservation.call,
                    class.as_str(),
                    day(reservation.day),
                    reservation.workflow,
                    reservation.customer,
                    letters(reservation.currency),
                    known(reservation.minor),
                ])?;
            }
            sums(transaction, &reservation.call)
        })
    }

    fn sums(&self, call: &str) -> Result<Sums, TotalsError> {
        self.change(|transaction| sums(transaction, call))
    }

    fn commit(&self, call: &str, minor: Option<u64>) -> Result<(), TotalsError> {
        let sql = "UPDATE calls SET settled = 1, minor = CASE WHEN ?2 THEN ?3 ELSE minor END
                   WHERE call = ?1 AND NOT settled";
        self.change(|transaction| {
            let changed = transaction.execute(sql, params![call, minor.is_some(), minor.and_then(known)])?;
            Ok(if changed == 0 { Err(TotalsError::Unknown) } else { Ok(()) })
        })
    }

    fn release(&self, call: &str) -> Result<(), TotalsError> {
        self.change(|transaction| {
            let changed = transaction.execute("DELETE FROM calls WHERE call = ?1 AND NOT settled", [call])?;
            Ok(if changed == 0 { Err(TotalsError::Unknown) } else { Ok(()) })
        })
    }
}
