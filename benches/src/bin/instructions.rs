//! Counts instructions a byte under valgrind and compares them with `instructions.toml`: a guard that does not depend on
//! what else the machine does.
//!
//! Each corpus is read in two lengths by a process of its own; the difference is what the bytes cost, without the start.
//! Where there is no valgrind, this says so and measures nothing. `cargo run --release -p obelus-benches --bin instructions`:
//! no benchmark, for it would be built together with all that the benchmarks of the sidecar need.

use obelus::Redactor;
use obelus_benches::{Input, Mix};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

/// The lengths that are read.
const BYTES: [u64; 2] = [128 << 10, 384 << 10];

/// How the process is told what to read.
const READ: &str = "--read";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [READ, path] => read(Path::new(path)).map(|()| ExitCode::SUCCESS),
        [] => compare(),
        _ => Err("instructions takes no arguments".into()),
    }
}

/// What is counted.
fn read(path: &Path) -> Result<(), Box<dyn Error>> {
    let input = fs::read(path)?;
    let redactor = Redactor::builder().build()?;
    let mut output = Vec::with_capacity(2 * input.len());
    let mut stream = redactor.stream();
    for chunk in input.chunks(64 << 10) {
        stream.push(chunk, &mut output)?;
    }
    stream.finish(&mut output)?;
    black_box(output);
    Ok(())
}

fn compare() -> Result<ExitCode, Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if Command::new("valgrind").arg("--version").output().is_err() {
        writeln!(out, "instructions: there is no valgrind here: NOT counted")?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml");
    let allowed: BTreeMap<String, f64> = toml::from_str(&fs::read_to_string(file)?)?;
    let folder = tempfile::tempdir()?;
    let mut is_over = false;
    writeln!(out, "\n| instructions a byte | counted | allowed |\n| --- | ---: | ---: |")?;
    for (name, allowed) in &allowed {
        let mix: Mix = name.parse()?;
        let (mut counts, mut lens) = ([0; 2], [0; 2]);
        for (at, bytes) in BYTES.into_iter().enumerate() {
            let input = Input::new(mix, bytes);
            let path = folder.path().join("input");
            fs::write(&path, &input.bytes)?;
            (counts[at], lens[at]) = (count(&path)?, input.bytes.len());
        }
        let counted = counts[1].saturating_sub(counts[0]) as f64 / (lens[1] - lens[0]) as f64;
        is_over |= counted > *allowed;
        writeln!(out, "| {name} | {counted:.2} | {allowed:.2} |")?;
    }
    if is_over {
        writeln!(out, "instructions: more than `instructions.toml` allows")?;
    }
    Ok(if is_over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// How many instructions a process takes to read that file.
fn count(path: &Path) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .arg(READ)
        .arg(path)
        .output()?;
    let text = String::from_utf8(output.stderr)?;
    let counted = text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count);
    match (output.status.success(), counted) {
        (true, Some(count)) => Ok(count.trim().parse()?),
        _ => Err(format!("valgrind counts nothing: {text}").into()),
    }
}
