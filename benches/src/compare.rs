//! Engines side by side on each corpus, as one table.
//!
//! Engines take turns within each round, so that what else the machine does falls on all of them; the median of
//! the rounds counts. Criterion measures one engine after the other and would not show that.

use crate::definition::Case;
use crate::engine::{Engine, Runner};
use crate::input::{Input, Mix};
use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

/// How often each engine runs, and how often one that would take long.
const ROUNDS: usize = 7;
const ROUNDS_SLOW: usize = 3;

/// What counts as long for one run.
const SLOW_SECONDS: f64 = 0.5;

/// Speeds on one corpus, in MB/s.
struct Column {
    mix: Mix,
    speeds: Vec<(Engine, f64)>,
}

/// Measures the cases and writes a table: engines as rows, corpora as columns. Each engine is checked before.
///
/// # Errors
/// An engine that does not find what it should, or its own error.
pub fn compare(runner: &mut Runner, cases: &[Case], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut engines: Vec<&Case> = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for case in cases {
        if !engines.iter().any(|known| known.engine == case.engine) {
            engines.push(case);
        }
        if !columns.iter().any(|column| column.mix == case.mix) {
            columns.push(Column { mix: case.mix, speeds: Vec::new() });
        }
    }
    for column in &mut columns {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.mix == column.mix).collect();
        let speeds = measure(runner, &cases)?;
        column.speeds = cases.iter().map(|case| case.engine).zip(speeds).collect();
    }
    Ok(print(&engines, &columns, out)?)
}

/// The speed of each case in MB/s, all in turn.
///
/// # Errors
/// As [`compare`].
pub fn measure(runner: &mut Runner, cases: &[&Case]) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut inputs: Vec<Input> = Vec::new();
    for case in cases {
        if !inputs.iter().any(|input| is_of(input, case)) {
            inputs.push(Input::new(case.mix, case.bytes));
        }
    }
    let input_of = |case: &Case| inputs.iter().find(|input| is_of(input, case));
    for case in cases {
        let input = input_of(case).ok_or("no input")?;
        runner.check(case, input).map_err(|error| format!("{}: {error}", case.id()))?;
    }
    let mut seconds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for round in 0..ROUNDS {
        for (case, seconds) in cases.iter().zip(&mut seconds) {
            if round >= ROUNDS_SLOW && seconds.iter().all(|&seconds| seconds > SLOW_SECONDS) {
                continue;
            }
            let input = input_of(case).ok_or("no input")?;
            let prepared = runner.prepare(case, input);
            let start = Instant::now();
            runner.run(case, &prepared)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let bytes = |case: &Case| input_of(case).map_or(0, |input| input.bytes.len());
    Ok(cases.iter().zip(seconds).map(|(case, seconds)| bytes(case) as f64 / 1e6 / median(seconds)).collect())
}

fn is_of(input: &Input, case: &Case) -> bool {
    (input.mix, input.bytes_min) == (case.mix, case.bytes)
}

/// The middle of some times.
pub fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(engines: &[&Case], columns: &[Column], out: &mut dyn Write) -> io::Result<()> {
    let longest = engines.iter().map(|case| case.bytes).max().unwrap_or(0);
    writeln!(
        out,
        "\nMB/s (median of {ROUNDS} rounds, {ROUNDS_SLOW} of the slow) on {} MiB, and how many times as fast Obelus is: \
         with every rule; with no more work than the rivals do. * reads less, as said.\n",
        longest >> 20
    )?;
    write!(out, "| engine |")?;
    for column in columns {
        write!(out, " {} |", column.mix.name())?;
    }
    writeln!(out, "\n| --- |{}", " ---: |".repeat(columns.len()))?;
    for case in engines {
        let less = if case.bytes < longest { format!(" ({} MiB*)", case.bytes >> 20) } else { String::new() };
        write!(out, "| {}{less} |", case.engine.as_str())?;
        for column in columns {
            let speed = |engine: Engine| {
                column.speeds.iter().find(|(known, _)| *known == engine).map_or(f64::NAN, |(_, speed)| *speed)
            };
            let own = speed(case.engine);
            let (all, least) = (speed(Engine::Obelus) / own, speed(Engine::ObelusTen) / own);
            let decimals = if all >= 10.0 { 0 } else { 2 };
            write!(out, " {own:.0} ({all:.decimals$}x; {least:.decimals$}x) |")?;
        }
        writeln!(out)?;
    }
    out.flush()
}
