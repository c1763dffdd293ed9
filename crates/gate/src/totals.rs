//! How much went out today: per workflow and per customer, by class and currency.
//!
//! A call is counted before it is judged, so that calls at the same time see one another, and stays counted while it
//! waits for people and while it is on its way. What does not go out is released.

mod sqlite;

pub use sqlite::SqliteTotals;

use crate::amount::Currency;
use crate::class::RiskClass;
use crate::operation::Operation;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Amounts from here on count as unknown, so that sums stay within the integers of SQLite.
const KNOWN_MINOR_MAX: u64 = 1_000_000_000_000_000;

/// Calls and their money in minor units. Unknown amounts are the largest number, and so is every sum with one in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// Money.
    pub minor: u64,
    /// How many calls.
    pub calls: u64,
}

/// What one class has come to today, in the call's currency.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Today {
    /// Of the workflow.
    pub workflow: Sum,
    /// Of the customer; nothing where the call names none.
    pub customer: Sum,
}

/// What today has come to for each class of a call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sums(BTreeMap<RiskClass, Today>);

impl Sums {
    /// The totals of a class; nothing if nothing was counted.
    pub fn of(&self, class: RiskClass) -> Today {
        self.0.get(&class).copied().unwrap_or_default()
    }

    /// Sets the totals of a class.
    pub fn set(&mut self, class: RiskClass, today: Today) {
        self.0.insert(class, today);
    }
}

/// A call that is counted.
#[derive(Clone, Eq, PartialEq)]
pub struct Reservation {
    /// The id under which it is committed or released; no two calls have the same.
    pub call: String,
    /// Days since 1970-01-01, UTC.
    pub day: u64,
    /// Who calls.
    pub workflow: String,
    /// Whom it concerns.
    pub customer: Option<String>,
    /// Its currency, if that is known.
    pub currency: Option<Currency>,
    /// Its classes that are no reads.
    pub classes: Vec<RiskClass>,
    /// Its amount, as limits see it.
    pub minor: u64,
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("day", &self.day)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

impl Reservation {
    /// What is counted of an operation. None for reads.
    pub fn new(call: &str, operation: &Operation, workflow: &str, unix_seconds: u64) -> Option<Reservation> {
        let classes: Vec<RiskClass> =
            operation.classes.iter().copied().filter(|class| !class.is_read()).collect();
        (!classes.is_empty()).then(|| Reservation {
            call: call.to_owned(),
            day: unix_seconds / 86_400,
            workflow: workflow.to_owned(),
            customer: operation.customer.clone(),
            currency: operation.currency,
            classes,
            minor: operation.amount.limit_minor(),
        })
    }
}

/// Why nothing was counted: the call must not go out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TotalsError {
    /// The call is counted already.
    Counted,
    /// The call is not counted, or is settled already.
    Unknown,
    /// The store does not answer.
    Unavailable,
}

impl fmt::Display for TotalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TotalsError::Counted => "totals: the call is counted already: give each call its own id",
            TotalsError::Unknown => "totals: the call is not counted: reserve it first",
            TotalsError::Unavailable => "totals: the store does not answer: check its disk",
        })
    }
}

impl std::error::Error for TotalsError {}

/// Keeps the totals. Each method happens whole or not at all.
pub trait Totals: Send + Sync {
    /// Counts a call and says what today has come to with it.
    ///
    /// # Errors
    /// The id is counted already, or the store fails.
    fn reserve(&self, reservation: &Reservation) -> Result<Sums, TotalsError>;

    /// What the day of a counted call has come to, with it: to judge it again before it goes out.
    ///
    /// # Errors
    /// The call is not counted, or the store fails.
    fn sums(&self, call: &str) -> Result<Sums, TotalsError>;

    /// The call has gone out; `minor` is what it came to, if that is known now.
    ///
    /// # Errors
    /// The call is not counted or is settled, or the store fails.
    fn commit(&self, call: &str, minor: Option<u64>) -> Result<(), TotalsError>;

    /// The call did not go out and will not.
    ///
    /// # Errors
    /// The call is not counted or is settled, or the store fails.
    fn release(&self, call: &str) -> Result<(), TotalsError>;
}

/// Totals as long as the process. What is over and settled is forgotten.
#[derive(Default)]
pub struct MemoryTotals {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: HashMap<String, Counted>,
    running: HashMap<Bucket, Running>,
    /// What can be forgotten once its day is over.
    settled: BTreeMap<u64, Vec<String>>,
}

struct Counted {
    reservation: Reservation,
    is_settled: bool,
}

/// What is added up together.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Bucket {
    day: u64,
    currency: Option<Currency>,
    class: RiskClass,
    whose: Whose,
}

#[derive(Clone, Eq, Hash, PartialEq)]
enum Whose {
    Workflow(String),
    Customer(String),
}

/// A sum from which can be taken away again. Unknown amounts are counted beside it.
#[derive(Clone, Copy, Default)]
struct Running {
    minor: u128,
    calls: u64,
    unknown: u64,
}

impl Running {
    fn add(&mut self, minor: u64) {
        self.calls += 1;
        match minor {
            KNOWN_MINOR_MAX.. => self.unknown += 1,
            minor => self.minor += u128::from(minor),
        }
    }

    fn take(&mut self, minor: u64) {
        self.calls -= 1;
        match minor {
            KNOWN_MINOR_MAX.. => self.unknown -= 1,
            minor => self.minor -= u128::from(minor),
        }
    }

    fn sum(self) -> Sum {
        let known = u64::try_from(self.minor).unwrap_or(u64::MAX);
        Sum { minor: if self.unknown > 0 { u64::MAX } else { known }, calls: self.calls }
    }
}

impl fmt::Debug for MemoryTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTotals").finish_non_exhaustive()
    }
}

impl MemoryTotals {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    fn bucket(&self, class: RiskClass, whose: Whose) -> Bucket {
        Bucket { day: self.day, currency: self.currency, class, whose }
    }

    fn workflow_bucket(&self, class: RiskClass) -> Bucket {
        self.bucket(class, Whose::Workflow(self.workflow.clone()))
    }

    fn customer_bucket(&self, class: RiskClass) -> Option<Bucket> {
        self.customer.clone().map(|customer| self.bucket(class, Whose::Customer(customer)))
    }

    fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.classes
            .iter()
            .flat_map(|class| [Some(self.workflow_bucket(*class)), self.customer_bucket(*class)])
            .flatten()
    }
}

impl State {
    fn add(&mut self, reservation: &Reservation) {
        for bucket in reservation.buckets() {
            self.running.entry(bucket).or_default().add(reservation.minor);
        }
    }

    fn take(&mut self, reservation: &Reservation) {
        for bucket in reservation.buckets() {
            if let Some(running) = self.running.get_mut(&bucket) {
                running.take(reservation.minor);
                if running.calls == 0 {
                    self.running.remove(&bucket);
                }
            }
        }
    }

    fn sums(&self, reservation: &Reservation) -> Sums {
        let sum = |bucket: Bucket| self.running.get(&bucket).copied().unwrap_or_default().sum();
        let today = |class: RiskClass| Today {
            workflow: sum(reservation.workflow_bucket(class)),
            customer: reservation.customer_bucket(class).map(sum).unwrap_or_default(),
        };
        Sums(reservation.classes.iter().map(|class| (*class, today(*class))).collect())
    }

    /// Forgets what is settled and was counted before a day. A call that waits over midnight stays on its own.
    fn forget_before(&mut self, day: u64) {
        let kept = self.settled.split_off(&day);
        for call in std::mem::replace(&mut self.settled, kept).into_values().flatten() {
            if let Some(counted) = self.calls.remove(&call) {
                self.take(&counted.reservation);
            }
        }
    }
}

impl Totals for MemoryTotals {
    fn reserve(&self, reservation: &Reservation) -> Result<Sums, TotalsError> {
        let mut state = self.state();
        if state.calls.contains_key(&reservation.call) {
            return Err(TotalsError::Counted);
        }
        state.forget_before(reservation.day);
        state.add(reservation);
        let counted = Counted { reservation: reservation.clone(), is_settled: false };
        state.calls.insert(reservation.call.clone(), counted);
        Ok(state.sums(reservation))
    }

    fn sums(&self, call: &str) -> Result<Sums, TotalsError> {
        let state = self.state();
        let counted = state.calls.get(call).ok_or(TotalsError::Unknown)?;
        Ok(state.sums(&counted.reservation))
    }

    fn commit(&self, call: &str, minor: Option<u64>) -> Result<(), TotalsError> {
        let mut state = self.state();
        let counted =
            state.calls.get_mut(call).filter(|counted| !counted.is_settled).ok_or(TotalsError::Unknown)?;
        counted.is_settled = true;
        let before = counted.reservation.clone();
        counted.reservation.minor = minor.unwrap_or(before.minor);
        let after = counted.reservation.clone();
        state.settled.entry(after.day).or_default().push(call.to_owned());
        state.take(&before);
        state.add(&after);
        Ok(())
    }

    fn release(&self, call: &str) -> Result<(), TotalsError> {
        let mut state = self.state();
        if state.calls.get(call).is_none_or(|counted| counted.is_settled) {
            return Err(TotalsError::Unknown);
        }
        if let Some(counted) = state.calls.remove(call) {
            state.take(&counted.reservation);
        }
        Ok(())
    }
}
