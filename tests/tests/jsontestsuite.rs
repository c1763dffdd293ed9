#![forbid(unsafe_code)]
//! The public JSON parsing test suite, where it is at hand: what is accepted, what is refused, and that no planted
//! value gets out of either.

use obelus::{Arch, Format, Redactor};
use obelus_tests::run::Ran;
use obelus_tests::{canary, folders, run};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longer files are not fed byte by byte.
const BYTEWISE_BYTES: usize = 4096;

const CANARY: &str = "quartz.vex@example.com";

fn files(folder: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let Some(suite) = folders::shared("jsontestsuite") else { return Vec::new() };
    let paths: Vec<PathBuf> = folders::files(&suite.join(folder), "json").expect("the folder can be read");
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    paths
        .iter()
        .map(|path| (name(path), std::fs::read(path).expect("the file can be read")))
        .filter(|(name, _)| name.starts_with(prefix))
        .collect()
}

fn redactors() -> Vec<Redactor> {
    let build =
        |arch| Redactor::builder().format(Format::Json).arch(arch).build().expect("the rules compile");
    Arch::available().into_iter().map(build).collect()
}

/// The one result of every way of running.
fn agreed(redactors: &[Redactor], name: &str, input: &[u8]) -> Ran {
    let whole = run::whole(&redactors[0], input);
    for redactor in redactors {
        assert!(run::whole(redactor, input) == whole, "{name}: {} differs", redactor.arch());
        if input.len() < BYTEWISE_BYTES {
            let bytewise = run::in_sizes(redactor, input, 1);
            assert!(bytewise == whole, "{name}: byte by byte {bytewise:?}\nwhole {whole:?}");
        }
    }
    assert!(whole.error.is_some() || whole.output == input, "{name} comes out changed");
    whole
}

#[test]
fn what_must_be_accepted_is_and_comes_out_unchanged() {
    let redactors = redactors();
    let files = files("test_parsing", "y_");
    for (name, input) in &files {
        assert_eq!(agreed(&redactors, name, input).error, None, "{name}");
    }
    assert!(files.is_empty() || files.len() == 95, "{} files", files.len());
}

#[test]
fn what_must_be_refused_is() {
    let redactors = redactors();
    let files = files("test_parsing", "n_");
    for (name, input) in &files {
        let ran = agreed(&redactors, name, input);
        assert!(ran.error.is_some(), "{name} is accepted");
        assert!(input.starts_with(&ran.output), "{name}: what left is not its beginning");
    }
    assert!(files.is_empty() || files.len() == 188, "{} files", files.len());
}

#[test]
fn what_is_left_open_is_done_as_decided() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        name: String,
        decision: String,
        why: String,
    }
    #[derive(Deserialize)]
    struct Table {
        file: Vec<Entry>,
    }
    let path = folders::package().join("decisions/jsontestsuite.toml");
    let text = std::fs::read_to_string(path).expect("the table can be read");
    let table: Table = toml::from_str(&text).expect("the table is right");
    assert_eq!(table.file.len(), 35);
    let decided: BTreeMap<&str, &Entry> =
        table.file.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let redactors = redactors();
    for (name, input) in &files("test_parsing", "i_") {
        let entry = decided[name.as_str()];
        let ran = agreed(&redactors, name, input);
        assert_eq!(ran.error.is_none(), entry.decision == "accept", "{name}: {}, yet {ran:?}", entry.why);
    }
}

#[test]
fn files_that_parsers_like_to_change_come_out_unchanged() {
    let redactors = redactors();
    for (name, input) in &files("test_transform", "") {
        let ran = agreed(&redactors, name, input);
        assert!(input.starts_with(&ran.output), "{name}");
        assert_eq!(ran.error.is_none(), std::str::from_utf8(input).is_ok(), "{name}: {ran:?}");
    }
}

#[test]
fn a_planted_value_never_gets_out() {
    let redactors = redactors();
    let all = [files("test_parsing", ""), files("test_transform", "")].concat();
    for (name, input) in &all {
        for planted in plant(input) {
            let ran = run::whole(&redactors[0], &planted);
            assert_eq!(canary::find(&ran.output, CANARY), None, "{name}: {}", planted.escape_ascii());
            for redactor in &redactors[1..] {
                assert!(run::whole(redactor, &planted) == ran, "{name}: {} differs", redactor.arch());
            }
            if planted.len() < BYTEWISE_BYTES {
                let bytewise = run::in_sizes(&redactors[0], &planted, 1);
                assert!(bytewise == ran, "{name}: byte by byte {bytewise:?}\nwhole {ran:?}");
            }
        }
    }
}

/// The input with an e-mail address at the beginning and at the end of every string, in an array around it, and
/// behind it.
fn plant(input: &[u8]) -> Vec<Vec<u8>> {
    let joined = |before: &[u8], middle: &[u8], after: &[u8]| [before, middle, after].concat();
    let value = format!("\"{CANARY}\"");
    let mut all = vec![
        joined(b"[", input, format!(",{value}]").as_bytes()),
        joined(format!("[{value},").as_bytes(), input, b"]"),
        joined(input, b"", value.as_bytes()),
        joined(input, b"", CANARY.as_bytes()),
    ];
    // Beyond some hundred the places are all alike.
    for at in (0..input.len()).filter(|&at| input[at] == b'"').take(200) {
        all.push(joined(&input[..=at], format!(" {CANARY} ").as_bytes(), &input[at + 1..]));
        all.push(joined(&input[..at], format!(" {CANARY} ").as_bytes(), &input[at..]));
    }
    all
}
