//! Runs every definition but the comparison under criterion.

use criterion::{Criterion, Throughput};
use obelus::Redactor;
use obelus_benches::{Case, Input, Mix, Runner, cases};
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut runner = Runner::new()?;
    let mut input = Input::new(Mix::Rows(0), 0);
    for case in cases()?.iter().filter(|case| case.group != "compare" && !case.engine.is_elsewhere()) {
        // Cases of one definition follow one another by corpus and length, so that few inputs are made twice.
        if (input.mix, input.bytes_min) != (case.mix, case.bytes) {
            input = Input::new(case.mix, case.bytes);
        }
        measure(&mut criterion, &mut runner, case, &input);
    }
    criterion.bench_function("build", |bencher| bencher.iter(|| Redactor::builder().build()));
    criterion.final_summary();
    Ok(())
}

fn measure(criterion: &mut Criterion, runner: &mut Runner, case: &Case, input: &Input) {
    let mut group = criterion.benchmark_group(&case.group);
    group.throughput(Throughput::Bytes(input.bytes.len() as u64));
    group.bench_function(case.id(), |bencher| {
        runner.check(case, input).expect("an engine that finds what it should");
        let prepared = runner.prepare(case, input);
        bencher.iter(|| runner.run(case, &prepared).expect("an engine that was checked"));
    });
    group.finish();
}
