//! Totals, in memory and in a file alike.

use obelus_gate::{
    Currency, GateFileError, MemoryTotals, Reservation, RiskClass, SqliteTotals, Sums, Today, Totals,
    TotalsError,
};
use proptest::prelude::*;
use std::path::Path;

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

/// Money and calls of the workflow, then of the customer.
fn today(sums: &Sums) -> (u64, u64, u64, u64) {
    let Today { workflow, customer } = sums.of(RiskClass::Refund);
    (workflow.minor, workflow.calls, customer.minor, customer.calls)
}

fn open(folder: &Path) -> SqliteTotals {
    SqliteTotals::open(&folder.join("totals.db")).expect("a file of totals")
}

/// Runs a test with either store.
fn with_each(test: impl Fn(&dyn Totals)) {
    test(&MemoryTotals::default());
    let folder = tempfile::tempdir().expect("a folder");
    test(&open(folder.path()));
}

#[test]
fn pending_calls_count_until_they_are_released() {
    with_each(|totals| {
        let reserve = |reservation| totals.reserve(&reservation).map(|sums| today(&sums));
        assert_eq!(reserve(refund("a", Some("cus_x"), 500)), Ok((500, 1, 500, 1)));
        assert_eq!(reserve(refund("b", Some("cus_y"), 300)), Ok((800, 2, 300, 1)));
        assert_eq!(totals.commit("a", Some(400)), Ok(()));
        assert_eq!(totals.sums("b").map(|sums| today(&sums)), Ok((700, 2, 300, 1)));
        assert_eq!(totals.release("b"), Ok(()));
        assert_eq!(reserve(refund("c", None, 1)), Ok((401, 2, 0, 0)));
    });
}

#[test]
fn each_call_is_settled_once() {
    with_each(|totals| {
        assert!(totals.reserve(&refund("a", None, 1)).is_ok());
        assert_eq!(totals.reserve(&refund("a", None, 1)), Err(TotalsError::Counted));
        assert_eq!(totals.commit("a", None), Ok(()));
        assert_eq!(totals.commit("a", None), Err(TotalsError::Unknown));
        assert_eq!(totals.release("a"), Err(TotalsError::Unknown));
        assert_eq!(totals.sums("b"), Err(TotalsError::Unknown));
    });
}

#[test]
fn other_days_currencies_workflows_and_classes_are_counted_apart() {
    with_each(|totals| {
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
    });
}

#[test]
fn an_unknown_amount_is_above_every_limit_until_it_is_known() {
    with_each(|totals| {
        assert!(totals.reserve(&refund("a", None, u64::MAX)).is_ok());
        assert_eq!(totals.reserve(&refund("b", None, 5)).map(|sums| today(&sums).0), Ok(u64::MAX));
        assert_eq!(totals.commit("a", Some(10)), Ok(()));
        assert_eq!(totals.sums("b").map(|sums| today(&sums).0), Ok(15));
    });
}

#[test]
fn a_call_that_waits_over_midnight_stays_on_its_day() {
    with_each(|totals| {
        assert!(totals.reserve(&refund("a", None, 7)).is_ok());
        assert!(totals.reserve(&refund("b", None, 8)).is_ok());
        assert_eq!(totals.commit("b", None), Ok(()));
        let next = Reservation { day: 20_001, ..refund("c", None, 1) };
        assert_eq!(totals.reserve(&next).map(|sums| today(&sums)), Ok((1, 1, 0, 0)));
        // What was settled on the day before is forgotten, what waits is not.
        assert_eq!(totals.sums("a").map(|sums| today(&sums)), Ok((7, 1, 0, 0)));
        assert_eq!(totals.sums("b"), Err(TotalsError::Unknown));
    });
}

#[test]
fn calls_at_the_same_time_see_one_another() {
    with_each(|totals| {
        let mut seen: Vec<u64> = std::thread::scope(|scope| {
            let reserve = |at: u32| {
                let reservation = refund(&at.to_string(), None, 1);
                scope.spawn(move || totals.reserve(&reservation).map_or(0, |sums| today(&sums).0))
            };
            let threads: Vec<_> = (0..16).map(reserve).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(0)).collect()
        });
        seen.sort_unstable();
        assert_eq!(seen, (1..=16).collect::<Vec<u64>>());
    });
}

#[test]
fn totals_in_a_file_survive_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(open(folder.path()).reserve(&refund("a", Some("cus_x"), 500)).is_ok());
    let again = open(folder.path());
    assert_eq!(again.sums("a").map(|sums| today(&sums)), Ok((500, 1, 500, 1)));
    assert_eq!(again.reserve(&refund("a", None, 1)), Err(TotalsError::Counted));
    assert_eq!(again.commit("a", None), Ok(()));
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text");
    std::fs::write(&path, "no database, but long enough to be taken for one: ".repeat(40)).expect("a file");
    private(&path, 0o600);
    assert!(matches!(SqliteTotals::open(&path), Err(GateFileError::Database(..))));
    private(&path, 0o644);
    assert!(matches!(SqliteTotals::open(&path), Err(GateFileError::Permissions(_, 0o644))));
    let missing = folder.path().join("no folder").join("totals.db");
    assert!(matches!(SqliteTotals::open(&missing), Err(GateFileError::File(..))));
}

fn private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Both stores say the same, whatever happens in whatever order.
    #[test]
    fn memory_and_file_agree(steps in proptest::collection::vec((0..4u8, 0..6u8, 0..3u64, 0..4u8), 1..30)) {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, memory) = (open(folder.path()), MemoryTotals::default());
        for (action, call, day, minor) in steps {
            let id = call.to_string();
            let minor = [5, 700, 2_000_000_000_000_000, u64::MAX][usize::from(minor)];
            let customer = (call % 2 == 0).then_some("cus_x");
            match action {
                0 => {
                    let reservation = Reservation { day: 20_000 + day, ..refund(&id, customer, minor) };
                    prop_assert_eq!(file.reserve(&reservation), memory.reserve(&reservation));
                }
                1 => prop_assert_eq!(file.commit(&id, Some(minor)), memory.commit(&id, Some(minor))),
                2 => prop_assert_eq!(file.release(&id), memory.release(&id)),
                _ => prop_assert_eq!(file.sums(&id), memory.sums(&id)),
            }
        }
    }
}
