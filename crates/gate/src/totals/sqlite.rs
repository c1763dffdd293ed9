//! Totals in one SQLite file, which survive the process.
//!
//! One connection, behind a lock; each change is one transaction that is synced before the call may go on.

use super::{KNOWN_MINOR_MAX, Reservation, Sum, Sums, Today, Totals, TotalsError};
use crate::amount::Currency;
use crate::class::RiskClass;
use crate::gate_file::{FileForm, GateFileError, change};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

/// The first form that there is.
const FORM: FileForm = FileForm { what: "totals", application: 0x6f62_6c74, schema: 1, tables: TABLES };

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

/// Keeps the totals in a file that only its owner can use.
pub struct SqliteTotals {
    connection: Mutex<Connection>,
}

impl fmt::Debug for SqliteTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTotals").finish_non_exhaustive()
    }
}

impl SqliteTotals {
    /// Opens the file, or makes it with mode 0600.
    ///
    /// # Errors
    /// It cannot be opened, is something else, or others may use it.
    pub fn open(path: &Path) -> Result<SqliteTotals, GateFileError> {
        let connection = FORM.open(path)?;
        Ok(SqliteTotals { connection: Mutex::new(connection) })
    }

    /// Does something in a transaction of its own, which is undone if it fails.
    fn change<T>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, TotalsError>>,
    ) -> Result<T, TotalsError> {
        change(&self.connection, TotalsError::Unavailable, act)
    }
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
