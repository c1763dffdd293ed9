//! Logs to look at.

use obelus_audit::{Files, Kind, Log, Note, Record, Report, Settings, VerifierKey, Word, verify};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A log with everything by default.
pub(crate) fn settings(folder: &Path) -> Settings {
    Settings::new(folder.join("audit.jsonl"))
}

/// A record that can be told from others.
pub(crate) fn record(id: &str) -> Record {
    Record { request_id: Word::new(id), ..Record::new(Kind::ModelRequest) }
}

/// Appends so many records, one after the other.
pub(crate) fn fill(log: &Log, count: usize) {
    for at in 0..count {
        log.append_blocking(&record(&format!("r{at}")), SystemTime::now()).expect("it is written");
    }
}

/// All records of a folder, in order.
pub(crate) fn records(folder: &Path) -> Vec<serde_json::Value> {
    let mut records = Vec::new();
    let files = Files::open(&[folder.to_owned()]).expect("there is a log");
    files
        .records(|line| {
            records.push(serde_json::from_slice(line).expect("a record is JSON"));
            true
        })
        .expect("it can be read");
    records
}

/// What the records of a folder are about.
pub(crate) fn kinds(folder: &Path) -> Vec<String> {
    records(folder).iter().map(|record| record["kind"].as_str().expect("it works").to_owned()).collect()
}

/// Checks a log, also against what is held elsewhere.
pub(crate) fn check(paths: &[PathBuf], outside: &[Note], key: Option<&VerifierKey>) -> Report {
    let files = Files::open(paths).expect("there is a log");
    verify(&files, outside, key, |_| {}).expect("it can be read")
}

/// Checks a folder in which nothing may be wrong.
pub(crate) fn check_right(folder: &Path) -> Report {
    let report = check(&[folder.to_owned()], &[], None);
    assert_eq!(report.fault, None);
    report
}

/// The checkpoints of a folder.
pub(crate) fn checkpoints(folder: &Path) -> Vec<Note> {
    Note::parse_all(fs::read_to_string(folder.join("audit.checkpoints")).expect("there are checkpoints"))
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("it is a folder")
        .map(|entry| entry.expect("it works").file_name().into_string().expect("it works"))
        .collect();
    names.sort();
    names
}
