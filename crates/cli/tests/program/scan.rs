//! `obelus scan` as a user runs it.

use crate::support::{folder, json_lines, obelus, pipe, run};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

const LINES: &str = "{\"amount\":1}\n{\"receipt_email\":\"jenny@example.com\"}\n";

#[test]
fn findings_are_lines_of_json_without_the_value() {
    let run = pipe(Path::new("."), &["scan"], LINES.as_bytes());
    assert_eq!(run.code, Some(0));
    let found = json_lines(&run.out);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["doc"], 1);
    assert_eq!(found[0]["path"], "/receipt_email");
    assert_eq!(found[0]["category"], "email");
    assert!(found[0]["rule"].is_string());
    assert_eq!(found[0]["span"], serde_json::json!([31, 48]));
    assert_eq!(found[0]["chars"], serde_json::json!([0, 17]));
    assert_eq!(found[0].get("file"), None);
    assert!(!run.out.contains("jenny"));
}

#[test]
fn several_files_are_told_apart() {
    let folder = folder(&[("a.ndjson", LINES), ("b.ndjson", LINES)]);
    let found = json_lines(&run(folder.path(), &["scan", "a.ndjson", "b.ndjson"]).out);
    let files: Vec<&Value> = found.iter().map(|finding| &finding["file"]).collect();
    assert_eq!(files, ["a.ndjson", "b.ndjson"]);
    assert_eq!(found[0]["span"], found[1]["span"]);
}

#[test]
fn findings_can_go_to_a_file() {
    let folder = folder(&[("a.ndjson", LINES)]);
    let run = run(folder.path(), &["scan", "a.ndjson", "--findings", "found.ndjson"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), ""));
    assert_eq!(json_lines(&fs::read_to_string(folder.path().join("found.ndjson")).unwrap()).len(), 1);
}

#[test]
fn fail_tells_by_exit_code_whether_anything_was_found() {
    assert_eq!(pipe(Path::new("."), &["scan", "--fail"], LINES.as_bytes()).code, Some(3));
    assert_eq!(pipe(Path::new("."), &["scan", "--fail"], b"{\"amount\":1}").code, Some(0));
}

#[test]
fn a_broken_input_is_an_error_even_if_something_was_found() {
    let run = pipe(Path::new("."), &["scan", "--fail"], format!("{LINES}{{\"a\" 1}}\n").as_bytes());
    assert_eq!((run.code, run.out.lines().count()), (Some(1), 1));
    assert!(run.err.starts_with("obelus: standard input: "), "{}", run.err);
    assert!(run.err.contains("at byte 56"), "{}", run.err);
}

#[test]
fn what_was_found_counts_even_if_the_reader_leaves() {
    let folder = folder(&[("many.ndjson", &LINES.repeat(100_000))]);
    let mut child =
        obelus(folder.path(), &["scan", "--fail", "many.ndjson"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
