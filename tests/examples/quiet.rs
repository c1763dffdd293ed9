#![forbid(unsafe_code)]
//! Prints every finding in the corpora that hold nothing to be found.
//!
//! `cargo run --release -p obelus-tests --example quiet -- [MIB [SEED]]`; 20 MiB of each and seed 1 if not given.

use obelus_tests::quiet::{KINDS, report};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let number = |idx: usize, otherwise| {
        std::env::args().nth(idx).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (mib, seed): (u64, u64) = (number(1, 20), number(2, 1));
    let mut out = io::stdout().lock();
    let mut is_quiet = true;
    for kind in KINDS {
        let report = report(kind, mib << 20, seed);
        is_quiet &= report.is_quiet();
        out.write_all(report.text.as_bytes())?;
        writeln!(
            out,
            "{}: {} bytes, {} findings without an excuse, {} with one",
            kind.as_str(),
            report.bytes,
            report.faults,
            report.allowed
        )?;
    }
    Ok(if is_quiet { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
