//! Exports of Stripe's events, in files, folders or standard input.

use crate::failure::Failure;
use crate::input::{display_name, is_stdin};
use obelus_reconcile::{Event, ReadError, read_events};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Endings of files of a folder that are read.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];
/// How much is read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Hands on every event of these files, in their order; of folders, of every file that may hold some.
pub(crate) fn read(paths: &[PathBuf], mut each: impl FnMut(&Event<'_>)) -> Result<(), Failure> {
    for path in paths {
        if path.is_dir() {
            for path in listed(path)? {
                read_one(&path, &mut each)?;
            }
        } else {
            read_one(path, &mut each)?;
        }
    }
    Ok(())
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let name = display_name(folder);
    let failure = |error: io::Error| Failure::io(&name, "list the files in it", &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Failure::data(format!(
            "{name}: holds no file of events (*.{}): name one",
            ENDINGS.join(", *.")
        )));
    }
    found.sort();
    Ok(found)
}

fn read_one(path: &Path, each: &mut impl FnMut(&Event<'_>)) -> Result<(), Failure> {
    let (name, input): (String, Box<dyn BufRead>) = if is_stdin(path) {
        ("standard input".to_owned(), Box::new(BufReader::with_capacity(BUFFER_BYTES, io::stdin())))
    } else {
        let name = display_name(path);
        let file = File::open(path).map_err(|error| Failure::io(&name, "open it", &error))?;
        (name, Box::new(BufReader::with_capacity(BUFFER_BYTES, file)))
    };
    read_events(input, each).map_err(|error| match error {
        ReadError::Io(error) => Failure::io(&name, "read it", &error),
        other => Failure::data(format!("{name}: {other}")),
    })
}
