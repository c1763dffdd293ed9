//! Exit codes and texts of everything that is not redaction.

use crate::support::{folder, pipe, run};
use serde_json::Value;
use std::path::Path;

const HERE: &str = ".";

#[test]
fn wrong_usage_exits_with_two_and_says_what_to_do() {
    for (args, word) in [
        (&["redact", "--transform", "hash"][..], "--hash-key-file"),
        (&["redact", "--transform", "hash", "--hash-key-file", "missing.key"], "missing.key"),
        (&["scan", "--transform", "token"], "sidecar"),
        (&["scan", "--level", "nonsense"], "possible"),
        (&["redact", "--threads", "0"], "1..=512"),
        (&["redact", "--only", "nonsense"], "email"),
        (&["redact", "-", "-"], "once"),
        (&["redact", "a.json", "b.json", "-o", "out.json"], "folder"),
        (&["redact", "--rules", "missing.toml"], "missing.toml"),
        (&["rules", "explain", "nonsense"], "rules list"),
        (&["man", "nonsense"], "obelus help"),
        (&["nonsense"], "nonsense"),
        (&[], "Usage"),
    ] {
        let run = run(Path::new(HERE), args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(run.err.contains(word), "{args:?}: {}", run.err);
    }
}

#[test]
fn a_wrong_rule_file_is_named_in_one_line_before_anything_is_written() {
    let folder = folder(&[("mine.toml", "[[class]]\nid = \n")]);
    let run = pipe(folder.path(), &["redact", "--rules", "mine.toml"], b"{\"a\":1}");
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.err.starts_with("obelus: mine.toml"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    assert_eq!(crate::support::run(folder.path(), &["rules", "test", "mine.toml"]).code, Some(2));
}

#[test]
fn rules_are_listed_as_lines_of_json() {
    let run = run(Path::new(HERE), &["rules", "list", "--json"]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.lines().count() > 1);
    for line in run.out.lines() {
        let rule: Value = serde_json::from_str(line).unwrap();
        for name in ["rule", "category", "description", "validator", "source"] {
            assert!(rule[name].is_string(), "{line}");
        }
    }
}

#[test]
fn a_list_can_be_narrowed_to_categories() {
    let run = run(Path::new(HERE), &["rules", "list", "--json", "--only", "email"]);
    assert!(run.out.lines().count() > 0);
    assert!(run.out.lines().all(|line| line.contains("\"category\":\"email\"")), "{}", run.out);
}

#[test]
fn each_listed_rule_can_be_explained() {
    let list = run(Path::new(HERE), &["rules", "list", "--json"]).out;
    let first: Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    let id = first["rule"].as_str().unwrap();
    let run = run(Path::new(HERE), &["rules", "explain", id]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.contains(first["description"].as_str().unwrap()), "{}", run.out);
}

#[test]
fn a_category_explains_all_its_rules() {
    let run = run(Path::new(HERE), &["rules", "explain", "email"]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.contains("category    email"), "{}", run.out);
}

#[test]
fn the_built_in_rules_are_sound() {
    let run = run(Path::new(HERE), &["rules", "test"]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    assert!(run.out.contains("examples hold"), "{}", run.out);
}

#[test]
fn completions_and_manual_pages_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = run(Path::new(HERE), &["completions", shell]);
        assert_eq!(run.code, Some(0), "{shell}");
        assert!(run.out.contains("redact"), "{shell}");
    }
    assert!(run(Path::new(HERE), &["man"]).out.contains("obelus"));
    assert!(run(Path::new(HERE), &["man", "redact"]).out.contains("findings"));
}

#[test]
fn the_version_is_told() {
    let run = run(Path::new(HERE), &["--version"]);
    assert_eq!((run.code, run.out), (Some(0), format!("obelus {}\n", env!("CARGO_PKG_VERSION"))));
}
