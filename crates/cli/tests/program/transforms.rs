//! What stands in place of findings, as a user chooses it.

use crate::support::{folder, obelus, pipe, run};
use std::fs;
use std::path::Path;

const KEY: &str = "quartz-0123456789-0123456789-0123456789";
const LINE: &str = "{\"email\":\"jenny@example.com\",\"x\":\"Jenny@example.com\"}\n";

const RULES: &str = r#"
[pack]
name = "own"
version = "1"
description = "each category in its own way"
source = "a test"

[[transform]]
category = "email"
transform = "hash"
"#;

#[test]
fn hashes_join_values_and_need_the_same_key() {
    let folder = folder(&[("a.json", LINE), ("key", &format!("{KEY}\n")), ("other", &KEY.replace('0', "1"))]);
    let args = |key| ["redact", "a.json", "--transform", "hash", "--hash-key-file", key];
    let one = run(folder.path(), &args("key"));
    assert_eq!((one.code, one.err.as_str()), (Some(0), ""));
    let output: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    let hash = output["email"].as_str().unwrap();
    assert!(hash.starts_with("[email:") && hash.len() == "[email:]".len() + 24, "{hash}");
    assert_eq!(output["x"], hash);
    assert_eq!(run(folder.path(), &args("key")).out, one.out);
    assert_ne!(run(folder.path(), &args("other")).out, one.out);
    let again =
        pipe(folder.path(), &["redact", "--transform", "hash", "--hash-key-file", "key"], one.out.as_bytes());
    assert_eq!(again.out, one.out);
}

#[test]
fn the_key_may_come_from_the_environment_and_a_file_wins() {
    let folder = folder(&[("a.json", LINE), ("key", KEY), ("other", &KEY.replace('0', "1"))]);
    let with = |args: &[&str], value: &str| {
        let output = obelus(folder.path(), args).env("OBELUS_HASH_KEY", value).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let by_file = run(folder.path(), &["redact", "a.json", "--transform", "hash", "--hash-key-file", "key"]);
    assert_eq!(with(&["redact", "a.json", "--transform", "hash"], KEY).1, by_file.out);
    let args = ["redact", "a.json", "--transform", "hash", "--hash-key-file", "key"];
    assert_eq!(with(&args, &KEY.replace('0', "2")).1, by_file.out);
    let (code, out, err) = with(&["redact", "a.json", "--transform", "hash"], "quartz");
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(err, "obelus: OBELUS_HASH_KEY: the hash key has fewer than 32 bytes: use a longer one\n");
}

#[test]
fn a_short_key_is_refused_before_anything_is_written_and_never_shown() {
    let folder = folder(&[("a.json", LINE), ("key", "quartz\n")]);
    let args = ["redact", "a.json", "-o", "out.json", "--transform", "hash", "--hash-key-file", "key"];
    let run = run(folder.path(), &args);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.err.starts_with("obelus: key: ") && run.err.contains("32 bytes"), "{}", run.err);
    assert!(!run.err.contains("quartz"), "{}", run.err);
    assert!(!folder.path().join("out.json").exists());
}

#[test]
fn a_rule_file_says_what_becomes_of_a_category() {
    let folder = folder(&[("a.json", LINE), ("own.toml", RULES), ("key", KEY)]);
    let args = ["redact", "a.json", "--transform", "remove", "--rules", "own.toml"];
    let refused = run(folder.path(), &args);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--hash-key-file"), "{}", refused.err);
    let mut with_key = args.to_vec();
    with_key.extend(["--hash-key-file", "key"]);
    assert!(run(folder.path(), &with_key).out.contains("[email:"));
    // What only looks at rules needs no key.
    assert_eq!(run(folder.path(), &["rules", "list", "--rules", "own.toml"]).code, Some(0));
    assert_eq!(run(folder.path(), &["rules", "test", "own.toml"]).code, Some(0));
    fs::write(folder.path().join("own.toml"), RULES.replace("\"hash\"", "\"token\"")).unwrap();
    let unknown = run(folder.path(), &args);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.err.contains("own.toml: transform \"email\": unknown variant `token`"),
        "{}",
        unknown.err
    );
}

#[test]
fn a_value_can_be_told_less_exactly() {
    let line = b"{\"dob\":\"1990-05-17\",\"ip\":\"203.0.113.7\",\"email\":\"jenny@example.com\"}\n";
    let run = pipe(Path::new("."), &["redact", "--transform", "generalise"], line);
    assert_eq!(run.out, "{\"dob\":\"1990\",\"ip\":\"203.0.113/24\",\"email\":\"[email]\"}\n");
}

#[test]
fn the_level_of_evidence_can_be_chosen() {
    for level in ["possible", "likely", "certain"] {
        let run = pipe(Path::new("."), &["redact", "--level", level], LINE.as_bytes());
        assert_eq!((run.code, run.out.as_str()), (Some(0), "{\"email\":\"[email]\",\"x\":\"[email]\"}\n"));
    }
    let count = |level| run(Path::new("."), &["rules", "list", "--level", level]).out.lines().count();
    assert!(count("possible") >= count("likely") && count("likely") >= count("certain"));
}

#[test]
fn an_allow_list_lets_findings_stay_and_tells_them() {
    let list = "[[allow]]\npath = \"/email\"\ncategory = \"email\"\nreason = \"our own\"\n";
    let folder = folder(&[("a.json", "{\"email\":\"help@example.com\"}"), ("allow.toml", list)]);
    let kept = run(folder.path(), &["redact", "a.json", "--allow", "allow.toml", "--fail"]);
    assert_eq!((kept.code, kept.out.as_str()), (Some(0), "{\"email\":\"help@example.com\"}"));
    let told = run(folder.path(), &["scan", "a.json", "--allow", "allow.toml"]).out;
    assert!(told.lines().all(|line| line.contains("\"allowed\":true")) && !told.contains("help"), "{told}");
}

#[test]
fn an_allow_list_that_lets_too_much_through_is_refused() {
    let by_rule = "[[allow]]\nrule = \"stripe-secret-key\"\nreason = \"r\"\n";
    let by_value = "[[allow]]\nvalue = \"[email:abcdefghijklmnopabcdefgh]\"\nreason = \"r\"\n";
    let folder = folder(&[
        ("a.json", LINE),
        ("rule.toml", by_rule),
        ("value.toml", by_value),
        ("card.toml", "[[allow]]\npath = \"/x\"\ncategory = \"card-number\"\nreason = \"r\"\n"),
        ("unknown.toml", "[[allow]]\nrule = \"nonsense\"\nreason = \"r\"\n"),
        ("inactive.toml", "[[allow]]\nrule = \"mac-address\"\nreason = \"r\"\n"),
    ]);
    for (list, word) in [
        ("rule.toml", "allow number 1: findings of category `secret` may never stay"),
        ("card.toml", "allow number 1: findings of category `card-number` may never stay"),
        ("unknown.toml", "rules list"),
        ("value.toml", "--hash-key-file"),
        ("missing.toml", "cannot read the allow-list"),
    ] {
        let refused = run(folder.path(), &["redact", "a.json", "--allow", list]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{list}");
        assert!(refused.err.contains(word), "{list}: {}", refused.err);
    }
    let args = ["redact", "a.json", "--only", "email", "--allow", "inactive.toml"];
    assert_eq!(run(folder.path(), &args).code, Some(0));
}
