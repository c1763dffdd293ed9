//! Every definition runs once, on a small input, and every engine finds what it should.

use obelus_benches::{Input, Runner, cases};

const BYTES: u64 = 60_000;

#[test]
fn every_case_finds_and_writes_what_it_should() {
    let mut runner = Runner::new().unwrap();
    let mut failures = Vec::new();
    // What lives elsewhere is tested there.
    for case in cases().unwrap().into_iter().filter(|case| !case.engine.is_elsewhere()) {
        let input = Input::new(case.mix, case.bytes.min(BYTES));
        if let Err(error) = runner.check(&case, &input) {
            failures.push(format!("{}/{}: {error}", case.group, case.id()));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn names_of_cases_are_unique() {
    let mut ids: Vec<_> =
        cases().unwrap().iter().map(|case| format!("{}/{}", case.group, case.id())).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
