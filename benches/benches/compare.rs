//! Measures Obelus beside its rivals and prints one table.
//!
//! Engines take turns within each round, so that what else the machine does falls on all of them; the median of
//! the rounds counts. Criterion measures one engine after the other and would not show that.

use obelus_benches::{Case, Engine, Input, Runner, cases};
use obelus_corpora::Kind;
use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

const ROUNDS: usize = 7;

/// Speeds of all engines on one corpus, in MB/s.
struct Column {
    kind: Kind,
    speeds: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if !is_wanted(&arguments) {
        return Ok(());
    }
    let cases: Vec<Case> = cases()?.into_iter().filter(|case| case.group == "compare").collect();
    let mut engines: Vec<Engine> = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for case in &cases {
        if !engines.contains(&case.engine) {
            engines.push(case.engine);
        }
        if !kinds.contains(&case.kind) {
            kinds.push(case.kind);
        }
    }
    let mut runner = Runner::new()?;
    let mut columns = Vec::new();
    for kind in kinds {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.kind == kind).collect();
        columns.push(Column { kind, speeds: measure(&mut runner, &cases)? });
    }
    print(&engines, &columns)?;
    Ok(())
}

/// Bench targets are also started to list or test, and with filters that are meant for others.
fn is_wanted(arguments: &[String]) -> bool {
    if arguments.iter().any(|argument| argument == "--list" || argument == "--test") {
        return false;
    }
    let is_flag = |at: usize| arguments[at].starts_with("--") && arguments[at] != "--bench";
    let mut filters = (0..arguments.len())
        .filter(|&at| !arguments[at].starts_with('-') && !at.checked_sub(1).is_some_and(is_flag));
    filters.next().is_none_or(|at| "compare".contains(arguments[at].as_str()))
}

fn measure(runner: &mut Runner, cases: &[&Case]) -> Result<Vec<f64>, Box<dyn Error>> {
    let input = Input::new(cases[0].kind, cases[0].bytes);
    for case in cases {
        runner.check(case.engine, &input, case.chunk)?;
    }
    let mut seconds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for (case, seconds) in cases.iter().zip(&mut seconds) {
            let start = Instant::now();
            runner.run(case.engine, &input, case.chunk)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let megabytes = input.bytes.len() as f64 / 1e6;
    Ok(seconds.into_iter().map(|seconds| megabytes / median(seconds)).collect())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn print(engines: &[Engine], columns: &[Column]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "\nMB/s (median of {ROUNDS} rounds), and how many times as fast Obelus is: with every rule; with the detectors \
         for what the ten expressions find\n"
    )?;
    write!(out, "| engine |")?;
    for column in columns {
        write!(out, " {} |", column.kind.as_str())?;
    }
    writeln!(out, "\n| --- |{}", " ---: |".repeat(columns.len()))?;
    let place = |wanted: Engine| engines.iter().position(|&engine| engine == wanted);
    let (all, ten) = (place(Engine::Obelus), place(Engine::ObelusTen));
    for (at, engine) in engines.iter().enumerate() {
        write!(out, "| {} |", engine.as_str())?;
        for column in columns {
            let speed = column.speeds[at];
            let times = |own: Option<usize>| own.map_or(f64::NAN, |own| column.speeds[own] / speed);
            write!(out, " {speed:.0} ({:.2}x; {:.2}x) |", times(all), times(ten))?;
        }
        writeln!(out)?;
    }
    out.flush()
}
