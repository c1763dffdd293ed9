//! Every definition with a rival runs once, on a small input, and the rival finds what it promises.

use obelus_benches::{Input, Runner, cases};

const BYTES: u64 = 60_000;

#[test]
fn every_rival_strikes_out_what_it_promises() {
    let mut runner = Runner::new().unwrap().with(obelus_rivals::rivals().unwrap());
    let (mut failures, mut count) = (Vec::new(), 0);
    for case in cases().unwrap().into_iter().filter(|case| case.engine.is_elsewhere()) {
        let input = Input::new(case.mix, case.bytes.min(BYTES));
        count += 1;
        if let Err(error) = runner.check(&case, &input) {
            failures.push(format!("{}/{}: {error}", case.group, case.id()));
        }
    }
    assert!(count > 0 && failures.is_empty(), "{count} cases\n{}", failures.join("\n"));
}
