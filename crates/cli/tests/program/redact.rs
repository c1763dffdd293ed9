//! `obelus redact` as a user runs it.

use crate::support::{folder, names, obelus, pipe, run};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

const CHARGE: &str = "{\"amount\": 1200,\n \"receipt_email\": \"jenny@example.com\"}\n";
const CHARGE_REDACTED: &str = "{\"amount\": 1200,\n \"receipt_email\": \"[email]\"}\n";
const BROKEN: &str = "{\"receipt_email\":\"jenny@example.com\"}\n{\"amount\" 1200}\n";

#[test]
fn a_file_comes_out_on_standard_output() {
    let folder = folder(&[("charge.json", CHARGE)]);
    let run = run(folder.path(), &["redact", "charge.json"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), CHARGE_REDACTED, ""));
}

#[test]
fn without_a_file_standard_input_is_read() {
    for args in [&["redact"][..], &["redact", "-"]] {
        let run = pipe(Path::new("."), args, CHARGE.as_bytes());
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), CHARGE_REDACTED, ""));
    }
}

#[test]
fn several_files_come_out_one_after_another() {
    let folder = folder(&[("a.json", CHARGE), ("b.txt", "write to bo@example.com\n")]);
    let run = run(folder.path(), &["redact", "a.json", "b.txt"]);
    assert_eq!(run.out, format!("{CHARGE_REDACTED}write to [email]\n"));
}

#[test]
fn empty_input_is_fine() {
    let run = pipe(Path::new("."), &["redact"], b"");
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "", ""));
}

#[test]
fn text_is_known_by_its_first_bytes() {
    let run = pipe(Path::new("."), &["redact"], b"2026-01-31 mail from jenny@example.com\n");
    assert_eq!((run.code, run.out.as_str()), (Some(0), "2026-01-31 mail from [email]\n"));
}

#[test]
fn a_pipe_is_live() {
    let mut child = obelus(Path::new("."), &["redact", "--format", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        stdin.write_all(b"{\"email\":\"jenny@example.com\"}\n").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "{\"email\":\"[email]\"}\n");
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("", Some(0)));
}

#[test]
fn an_output_file_takes_its_place_when_all_is_done() {
    let folder = folder(&[("charge.json", CHARGE)]);
    let run = run(folder.path(), &["redact", "charge.json", "-o", "out.json"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(folder.path().join("out.json")).unwrap(), CHARGE_REDACTED);
    assert_eq!(names(folder.path()), ["charge.json", "out.json"]);
}

#[test]
fn a_file_can_be_redacted_in_place() {
    let folder = folder(&[("charge.json", CHARGE)]);
    assert_eq!(run(folder.path(), &["redact", "charge.json", "-o", "charge.json"]).code, Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("charge.json")).unwrap(), CHARGE_REDACTED);
}

#[test]
fn an_output_folder_gets_each_input_under_its_name() {
    let folder = folder(&[("a.json", CHARGE), ("b.json", CHARGE)]);
    assert_eq!(run(folder.path(), &["redact", "a.json", "b.json", "-o", "out/"]).code, Some(0));
    assert_eq!(names(&folder.path().join("out")), ["a.json", "b.json"]);
    assert_eq!(fs::read_to_string(folder.path().join("out/b.json")).unwrap(), CHARGE_REDACTED);
}

#[test]
fn a_failed_run_leaves_no_file() {
    let folder = folder(&[("a.json", CHARGE), ("b.ndjson", BROKEN)]);
    for args in [
        &["redact", "b.ndjson", "-o", "out.json", "--findings", "found.ndjson"][..],
        &["redact", "a.json", "b.ndjson", "-o", "./"],
        &["redact", "missing.json", "-o", "out.json"],
    ] {
        assert_eq!(run(folder.path(), args).code, Some(1), "{args:?}");
        assert_eq!(names(folder.path()), ["a.json", "b.ndjson"], "{args:?}");
        assert_eq!(fs::read_to_string(folder.path().join("a.json")).unwrap(), CHARGE, "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions_and_a_link_stays() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder(&[("charge.json", CHARGE), ("out.json", "")]);
    let out = folder.path().join("out.json");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("out.json", folder.path().join("link.json")).unwrap();
    assert_eq!(run(folder.path(), &["redact", "charge.json", "-o", "link.json"]).code, Some(0));
    assert_eq!(fs::read_to_string(&out).unwrap(), CHARGE_REDACTED);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(folder.path().join("link.json")).unwrap().is_symlink());
}

#[cfg(unix)]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    let folder = folder(&[("charge.json", CHARGE)]);
    assert_eq!(run(folder.path(), &["redact", "charge.json", "-o", "/dev/null"]).code, Some(0));
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn an_error_says_what_where_and_what_to_do_but_no_value() {
    let folder = folder(&[("b.ndjson", BROKEN)]);
    let run = run(folder.path(), &["redact", "b.ndjson"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.out.lines().next(), Some("{\"receipt_email\":\"[email]\"}"));
    assert!(run.err.starts_with("obelus: b.ndjson: "), "{}", run.err);
    assert!(run.err.contains(" at byte 48 (line 2, column 11): "), "{}", run.err);
    assert!(run.err.contains("--format text") && run.err.contains("incomplete"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    assert!(!run.err.contains("1200") && !run.err.contains("jenny"), "{}", run.err);
}

#[test]
fn nothing_behind_an_error_comes_out() {
    let text = "{\"a\":1}\n{\"b\":x}\n{\"email\":\"bo@example.com\",\"c\":\"canary\"}\n";
    let run = pipe(Path::new("."), &["redact"], text.as_bytes());
    assert_eq!(run.code, Some(1));
    assert!(run.out.starts_with("{\"a\":1}\n"));
    assert!(!run.out.contains("canary") && !run.out.contains("bo@"), "{}", run.out);
}

#[test]
fn findings_go_to_a_file() {
    let folder = folder(&[("charge.json", CHARGE)]);
    let run = run(folder.path(), &["redact", "charge.json", "--findings", "found.ndjson"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), CHARGE_REDACTED));
    let found = fs::read_to_string(folder.path().join("found.ndjson")).unwrap();
    assert_eq!(found.lines().count(), 1);
    assert!(found.contains("\"path\":\"/receipt_email\",\"category\":\"email\""), "{found}");
    assert!(!found.contains("jenny"), "{found}");
}

#[test]
fn findings_share_standard_output_with_nothing() {
    let folder = folder(&[("charge.json", CHARGE)]);
    assert_eq!(run(folder.path(), &["redact", "charge.json", "--findings", "-"]).code, Some(2));
    let run = run(folder.path(), &["redact", "charge.json", "--findings", "-", "-o", "out.json"]);
    assert_eq!((run.code, run.out.lines().count()), (Some(0), 1));
}

#[test]
fn findings_replace_neither_input_nor_output() {
    let folder = folder(&[("a.json", CHARGE)]);
    let in_place_of_input = ["redact", "a.json", "--findings", "./a.json"];
    let in_place_of_output = ["redact", "a.json", "-o", "out.json", "--findings", "out.json"];
    assert_eq!(run(folder.path(), &in_place_of_input).code, Some(2));
    assert_eq!(run(folder.path(), &in_place_of_output).code, Some(2));
    assert_eq!(names(folder.path()), ["a.json"]);
}

#[test]
fn fail_tells_by_exit_code_whether_anything_was_found() {
    let folder = folder(&[("charge.json", CHARGE), ("clean.json", "{\"amount\":1200}")]);
    assert_eq!(run(folder.path(), &["redact", "--fail", "charge.json"]).code, Some(3));
    assert_eq!(run(folder.path(), &["redact", "--fail", "clean.json"]).code, Some(0));
}

#[test]
fn transforms_and_categories_can_be_chosen() {
    let line = b"{\"email\":\"jenny@example.com\"}\n";
    let removed = pipe(Path::new("."), &["redact", "--transform", "remove"], line);
    assert_eq!(removed.out, "{\"email\":\"\"}\n");
    let skipped = pipe(Path::new("."), &["redact", "--skip", "email"], line);
    assert_eq!((skipped.code, skipped.out.as_bytes()), (Some(0), &line[..]));
    let only = pipe(Path::new("."), &["redact", "--only", "email,phone"], line);
    assert_eq!(only.out, "{\"email\":\"[email]\"}\n");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let line = "{\"email\":\"jenny@example.com\"}\n";
    let folder = folder(&[("many.ndjson", &line.repeat(100_000))]);
    let mut child = obelus(folder.path(), &["redact", "many.ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn threads_change_nothing() {
    let folder = folder(&[(
        "charges.ndjson",
        &format!("{{\"email\":\"jenny@example.com\"}}\n{CHARGE}").repeat(20_000),
    )]);
    let one = run(folder.path(), &["redact", "charges.ndjson", "--threads", "1", "--findings", "one"]);
    for threads in [&["--threads", "2"][..], &["--threads", "5"], &[]] {
        let several = run(
            folder.path(),
            &[&["redact", "charges.ndjson", "--findings", "several"][..], threads].concat(),
        );
        assert_eq!((several.code, several.out == one.out), (Some(0), true), "{threads:?}");
        let findings = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(findings("one") == findings("several"), "{threads:?}");
    }
    let piped = pipe(folder.path(), &["redact", "--threads", "2"], one.out.as_bytes());
    assert_eq!((piped.code, piped.out == one.out), (Some(0), true));
}

#[test]
fn a_reader_that_leaves_ends_a_run_whose_input_stays_open() {
    let mut child = obelus(Path::new("."), &["redact", "--threads", "2", "--format", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"email\":\"jenny@example.com\"}\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(stdin);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_with_any_number_of_threads() {
    let line = "{\"email\":\"jenny@example.com\"}\n";
    let folder = folder(&[("many.ndjson", &line.repeat(100_000))]);
    for threads in ["1", "2"] {
        let args = ["redact", "--threads", threads, "-o", "/dev/full"];
        let file = run(folder.path(), &[&args[..], &["many.ndjson"]].concat());
        let piped = pipe(folder.path(), &args, line.repeat(10).as_bytes());
        for run in [file, piped] {
            assert_eq!(run.code, Some(1), "{}", run.err);
            assert!(run.err.starts_with("obelus: /dev/full: cannot write it: "), "{}", run.err);
        }
    }
}
