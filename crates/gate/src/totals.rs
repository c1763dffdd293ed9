//! How much went out today: per workflow and per customer, by class and currency.
//!
//! A call is counted before it is judged, so that calls at the same time see one another, and stays counted while it
//! waits for people and while it is on its way. What does not go out is released.

use crate::amount::Currency;
use crate::class::RiskClass;
use crate::operation::Operation;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    newest_day: u64,
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
            u64::MAX => self.unknown += 1,
            minor => self.minor += u128::from(minor),
        }
    }

    fn take(&mut self, minor: u64) {
        self.calls -= 1;
        match minor {
            u64::MAX => self.unknown -= 1,
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
        let is_over = |counted: &Counted| counted.is_settled && counted.reservation.day < day;
        let over: Vec<Counted> =
            self.calls.extract_if(|_, counted| is_over(counted)).map(|(_, counted)| counted).collect();
        for counted in over {
            self.take(&counted.reservation);
        }
    }
}

impl Totals for MemoryTotals {
    fn reserve(&self, reservation: &Reservation) -> Result<Sums, TotalsError> {
        let mut state = self.state();
        if state.calls.contains_key(&reservation.call) {
            return Err(TotalsError::Counted);
        }
        if state.newest_day < reservation.day {
            state.newest_day = reservation.day;
            state.forget_before(reservation.day);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refund(call: &str, customer: Option<&str>, minor: u64) -> Reservation {
        Reservation {
            call: call.to_owned(),
            day: 20_000,
            workflow: "support".to_owned(),
            customer: customer.map(str::to_owned),
            currency: Currency::parse("usd"),
            classes: vec![RiskClass::Refund],
            minor,
        }
    }

    fn today(sums: &Sums) -> (u64, u64, u64, u64) {
        let Today { workflow, customer } = sums.of(RiskClass::Refund);
        (workflow.minor, workflow.calls, customer.minor, customer.calls)
    }

    #[test]
    fn pending_calls_count_until_they_are_released() {
        let totals = MemoryTotals::default();
        assert_eq!(
            totals.reserve(&refund("a", Some("cus_x"), 500)).map(|sums| today(&sums)),
            Ok((500, 1, 500, 1))
        );
        assert_eq!(
            totals.reserve(&refund("b", Some("cus_y"), 300)).map(|sums| today(&sums)),
            Ok((800, 2, 300, 1))
        );
        assert_eq!(totals.commit("a", Some(400)), Ok(()));
        assert_eq!(totals.sums("b").map(|sums| today(&sums)), Ok((700, 2, 300, 1)));
        assert_eq!(totals.release("b"), Ok(()));
        assert_eq!(totals.reserve(&refund("c", None, 1)).map(|sums| today(&sums)), Ok((401, 2, 0, 0)));
    }

    #[test]
    fn each_call_is_settled_once() {
        let totals = MemoryTotals::default();
        assert!(totals.reserve(&refund("a", None, 1)).is_ok());
        assert_eq!(totals.reserve(&refund("a", None, 1)), Err(TotalsError::Counted));
        assert_eq!(totals.commit("a", None), Ok(()));
        assert_eq!(totals.commit("a", None), Err(TotalsError::Unknown));
        assert_eq!(totals.release("a"), Err(TotalsError::Unknown));
        assert_eq!(totals.sums("b"), Err(TotalsError::Unknown));
    }

    #[test]
    fn other_days_currencies_workflows_and_classes_are_counted_apart() {
        let totals = MemoryTotals::default();
        let others = [
            Reservation { day: 19_999, ..refund("b", None, 7) },
            Reservation { currency: None, ..refund("c", None, 7) },
            Reservation { workflow: "shop".to_owned(), ..refund("d", None, 7) },
            Reservation { classes: vec![RiskClass::PriceChange], ..refund("e", None, 7) },
        ];
        for other in &others {
            assert!(totals.reserve(other).is_ok());
        }
        assert_eq!(totals.reserve(&refund("a", None, 500)).map(|sums| today(&sums)), Ok((500, 1, 0, 0)));
    }

    #[test]
    fn an_unknown_amount_is_above_every_limit_until_it_is_known() {
        let totals = MemoryTotals::default();
        assert!(totals.reserve(&refund("a", None, u64::MAX)).is_ok());
        assert_eq!(totals.reserve(&refund("b", None, 5)).map(|sums| today(&sums).0), Ok(u64::MAX));
        assert_eq!(totals.commit("a", Some(10)), Ok(()));
        assert_eq!(totals.sums("b").map(|sums| today(&sums).0), Ok(15));
    }

    #[test]
    fn calls_at_the_same_time_see_one_another() {
        let totals = MemoryTotals::default();
        let seen: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|at| {
                    let totals = &totals;
                    scope.spawn(move || {
                        totals.reserve(&refund(&at.to_string(), None, 1)).map_or(0, |sums| today(&sums).0)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(0)).collect()
        });
        let mut seen = seen;
        seen.sort_unstable();
        assert_eq!(seen, (1..=16).collect::<Vec<u64>>());
    }
}
