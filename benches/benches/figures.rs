//! The figures of the page that are not the comparison: latency by size, throughput by density, the cost of rules, what a
//! second thread gives, and where the time goes. Prints tables and draws two plots into `plots`.
//!
//! Cases take turns, as in the comparison; the definitions are those of criterion's benches.

use obelus_benches::{Case, Input, Line, Mix, Plot, Runner, Stage, Stages, cases, measure, median};
use obelus_corpora::Kind;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

/// What can be asked for by name, as in `cargo bench -p obelus-benches --bench figures -- stages`; all if nothing is.
const PARTS: [&str; 5] = ["stages", "sizes", "density", "rules", "threads"];

/// How often a body is read at least and at most, and how much of one kind is read in all.
const BODIES: std::ops::RangeInclusive<usize> = 60..=4000;
const BODIES_BYTES: u64 = 256 << 20;

/// How much is read to see where the time goes, and how often.
const STAGE_BYTES: u64 = 8 << 20;
const STAGE_ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test` and `cargo bench --no-run` must not measure, nor must a filter meant for others.
    let arguments: Vec<String> = env::args().skip(1).collect();
    let wanted: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| *argument != "--bench").collect();
    if wanted.len() == arguments.len() || wanted.iter().any(|name| !PARTS.contains(name)) {
        return Ok(());
    }
    let mut runner = Runner::new()?;
    let mut out = io::stdout().lock();
    let cases = cases()?;
    let group = |name: &str| cases.iter().filter(|case| case.group == name).collect::<Vec<&Case>>();
    for name in PARTS.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name)) {
        match name {
            "sizes" => latency(&mut runner, &group(name), &mut out)?,
            "density" => density(&mut runner, &group(name), &mut out)?,
            "stages" => stages(&mut out)?,
            _ => speeds(&mut runner, name, &group(name), &mut out)?,
        }
    }
    Ok(())
}

/// Each body again and again: the time in the middle, and that which one in a hundred exceeds.
fn latency(runner: &mut Runner, cases: &[&Case], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "\n| body | median | p99 | a byte |\n| --- | ---: | ---: | ---: |")?;
    let mut lines: Vec<Line> = Vec::new();
    for case in cases {
        let input = Input::new(case.mix, case.bytes);
        runner.check(case, &input)?;
        let prepared = runner.prepare(case, &input);
        let count = usize::try_from(BODIES_BYTES / case.bytes)?;
        let count = if case.bytes > 4 << 20 { 5 } else { count.clamp(*BODIES.start(), *BODIES.end()) };
        let mut micros = Vec::with_capacity(count);
        for round in 0..count + count / 10 {
            let start = Instant::now();
            runner.run(case, &prepared)?;
            if round >= count / 10 {
                micros.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
        micros.sort_by(f64::total_cmp);
        let (middle, slow) = (micros[count / 2], micros[count * 99 / 100]);
        let nanos = middle * 1000.0 / input.bytes.len() as f64;
        writeln!(out, "| {} | {middle:.1} µs | {slow:.1} µs | {nanos:.2} ns |", case.id())?;
        let name = format!("{}, {}", case.engine.as_str(), case.mix.name());
        let point = ((case.bytes as f64).log2(), middle);
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { name, points: vec![point] }),
        }
    }
    let marks = [(11.0, "2 KiB"), (15.0, "32 KiB"), (20.0, "1 MiB"), (26.0, "64 MiB")];
    save("latency", &plot("Time for one body", "length", "µs (median)", &marks, lines))
}

fn density(runner: &mut Runner, cases: &[&Case], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "\n| | findings a MiB | MB/s |\n| --- | ---: | ---: |")?;
    let mut mixes: Vec<Mix> = Vec::new();
    for case in cases {
        if !mixes.contains(&case.mix) {
            mixes.push(case.mix);
        }
    }
    let (mut lines, mut marks): (Vec<Line>, Vec<(f64, String)>) = (Vec::new(), Vec::new());
    for (at, mix) in mixes.into_iter().enumerate() {
        let cases: Vec<&Case> = cases.iter().copied().filter(|case| case.mix == mix).collect();
        let input = Input::new(mix, cases[0].bytes);
        let findings = input.planted.values().sum::<u64>() as f64 / (input.bytes.len() as f64 / 1_048_576.0);
        let place = at as f64;
        marks.push((place, format!("{findings:.0}")));
        for (case, speed) in cases.iter().zip(measure(runner, &cases)?) {
            writeln!(out, "| {} | {findings:.0} | {speed:.0} |", case.id())?;
            let name = case.engine.as_str();
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push((place, speed)),
                None => lines.push(Line { name: name.to_owned(), points: vec![(place, speed)] }),
            }
        }
    }
    let marks: Vec<(f64, &str)> = marks.iter().map(|(place, text)| (*place, text.as_str())).collect();
    save("density", &plot("Throughput by density of findings", "findings a MiB", "MB/s", &marks, lines))
}

fn speeds(
    runner: &mut Runner,
    name: &str,
    cases: &[&Case],
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    writeln!(out, "\n| {name} | MB/s |\n| --- | ---: |")?;
    for (case, speed) in cases.iter().zip(measure(runner, cases)?) {
        writeln!(out, "| {} | {speed:.0} |", case.id())?;
    }
    Ok(())
}

/// Nanoseconds a KiB up to each stage; what a stage costs is the difference to the one before.
fn stages(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let kinds = [Kind::StripeList, Kind::StripeCompact, Kind::Events, Kind::Chat, Kind::Clean, Kind::Dense];
    let mut stages = Stages::new()?;
    let mut columns = Vec::new();
    for kind in kinds {
        let input = Input::new(Mix::Plain(kind), STAGE_BYTES);
        let mut nanos = Stage::ALL.map(|_| Vec::with_capacity(STAGE_ROUNDS));
        for _ in 0..STAGE_ROUNDS {
            for (stage, nanos) in Stage::ALL.into_iter().zip(&mut nanos) {
                let start = Instant::now();
                stages.run(stage, &input, 64 << 10)?;
                nanos.push(start.elapsed().as_secs_f64() * 1e9 / (input.bytes.len() as f64 / 1024.0));
            }
        }
        columns.push(nanos.map(median));
    }
    write!(out, "\n| ns a KiB, and what the stage adds |")?;
    kinds.iter().try_for_each(|kind| write!(out, " {} |", kind.as_str()))?;
    writeln!(out, "\n| --- |{}", " ---: |".repeat(kinds.len()))?;
    for (at, stage) in Stage::ALL.into_iter().enumerate() {
        write!(out, "| {} |", stage.as_str())?;
        for column in &columns {
            let before = at.checked_sub(1).map_or(0.0, |before| column[before]);
            write!(out, " {:.0} ({:+.0}) |", column[at], column[at] - before)?;
        }
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

fn plot(title: &str, across: &str, up: &str, marks: &[(f64, &str)], lines: Vec<Line>) -> Plot {
    let marks = marks.iter().map(|&(place, text)| (place, text.to_owned())).collect();
    Plot { title: title.to_owned(), across: (across.to_owned(), marks), up: up.to_owned(), lines }
}

fn save(name: &str, plot: &Plot) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plots");
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(format!("{name}.svg")), plot.svg())?)
}
