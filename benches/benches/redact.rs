//! Runs every definition but the comparison under criterion.

use criterion::{Criterion, Throughput};
use obelus::Redactor;
use obelus_benches::{Case, Input, Runner, cases};
use obelus_corpora::Kind;
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut runner = Runner::new()?;
    let mut input = Input::new(Kind::Clean, 0);
    for case in cases()?.iter().filter(|case| case.group != "compare") {
        // Cases of one definition follow one another by corpus and length, so that few inputs are made twice.
        if (input.kind, input.bytes_min) != (case.kind, case.bytes) {
            input = Input::new(case.kind, case.bytes);
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
        runner.check(case.engine, input, case.chunk).expect("an engine that finds what it should");
        bencher.iter(|| runner.run(case.engine, input, case.chunk).expect("an engine that was checked"));
    });
    group.finish();
}
