//! Writes a corpus to standard output, or the samples and their manifest into a folder.

#![forbid(unsafe_code)]

use obelus_corpora::{Kind, SAMPLES, generate, manifest, write};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

const USAGE: &str = "usage: corpora KIND SIZE [SEED]    SIZE such as 65536, 64K, 8M or 1G; SEED 1 if not given\n       \
                     corpora samples FOLDER";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["samples", folder] => write_samples(Path::new(folder)).map_err(|error| error.to_string()),
        [kind, size] => write_corpus(kind, size, "1"),
        [kind, size, seed] => write_corpus(kind, size, seed),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When standard error is closed as well, the exit code has to say it alone.
            match writeln!(io::stderr(), "corpora: {error}") {
                Ok(()) | Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn write_corpus(kind: &str, size: &str, seed: &str) -> Result<(), String> {
    let kind: Kind = kind.parse()?;
    let size = bytes(size).ok_or_else(|| format!("no size: {size}\n{USAGE}"))?;
    let seed = seed.parse().map_err(|error| format!("seed {seed}: {error}"))?;
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    write(kind, size, seed, &mut out)
        .and_then(|_| out.flush())
        .map_err(|error| format!("standard output: {error}"))
}

fn write_samples(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("samples"))?;
    for sample in &SAMPLES {
        let (bytes, _) = generate(sample.kind, sample.bytes_min, sample.seed);
        fs::write(folder.join("samples").join(sample.file), bytes)?;
    }
    fs::write(folder.join("MANIFEST.toml"), manifest())
}

/// Reads a number of bytes, in KiB, MiB or GiB if the letter says so.
fn bytes(size: &str) -> Option<u64> {
    let number = size.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit: u64 = match size.strip_prefix(number)?.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" | "KIB" => 1 << 10,
        "M" | "MIB" => 1 << 20,
        "G" | "GIB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
