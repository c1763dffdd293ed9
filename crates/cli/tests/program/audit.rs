//! `obelus audit` as people and scripts use it.

use crate::support::{folder, run};
use obelus_audit::{Kind, Log, Record, Settings, Word};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A log of three requests and a refund, and what somebody else kept of it.
fn log() -> tempfile::TempDir {
    let folder = folder(&[]);
    let log = Log::open(&Settings::new(folder.path().join("audit.jsonl"))).expect("it works");
    for (at, id) in ["r1", "r2", "r3"].into_iter().enumerate() {
        let record = Record {
            request_id: Word::new(id),
            stripe_objects: if at == 1 { Word::new("re_1").into_iter().collect() } else { Vec::new() },
            exposed_key: if at == 2 { Word::new("0123abcd") } else { None },
            ..Record::new(Kind::ModelRequest)
        };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * at as u64);
        log.append_blocking(&record, time).expect("it works");
    }
    drop(log);
    fs::rename(folder.path().join("audit.checkpoints"), folder.path().join("kept")).expect("it works");
    folder
}

fn verify(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let done = run(folder, &[&["audit", "verify", ".", "--json"], more].concat());
    assert_eq!(done.err, "");
    (done.code, serde_json::from_str(&done.out).expect("it works"))
}

#[test]
fn a_log_that_is_right_is_said_to_be_and_its_uncovered_end_is_told() {
    let folder = log();
    let (code, report) = verify(folder.path(), &[]);
    assert_eq!((code, &report["verdict"], &report["uncovered"]), (Some(0), &"right".into(), &4.into()));
    let (code, report) = verify(folder.path(), &["--checkpoint", "kept", "--key", "audit.pub"]);
    assert_eq!((code, &report["covered"], &report["uncovered"]), (Some(0), &4.into(), &0.into()));
    let text = run(folder.path(), &["audit", "verify", "audit.jsonl"]).out;
    assert!(text.contains("records 1 to 4 of obelus.audit/"), "{text}");
    assert!(text.contains("no checkpoint held elsewhere covers any of the 4 records"), "{text}");
}

#[test]
fn what_was_done_to_a_log_is_told_with_its_place_and_exit_code_3() {
    let folder = log();
    let path = folder.path().join("audit.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("\"r2\"", "\"r9\"")).unwrap();
    let (code, report) = verify(folder.path(), &[]);
    assert_eq!((code, &report["fault"]["seq"]), (Some(3), &3.into()));
    let text = run(folder.path(), &["audit", "verify", "audit.jsonl"]);
    assert!(
        text.code == Some(3)
            && text.out.contains("FAULT from record 3 on (audit.jsonl): the record was changed")
    );
    let cut: String = whole.split_inclusive('\n').take(3).collect();
    fs::write(&path, cut).unwrap();
    assert_eq!(verify(folder.path(), &[]).0, Some(0));
    let (code, report) = verify(folder.path(), &["--checkpoint", "kept"]);
    assert_eq!((code, &report["fault"]["seq"]), (Some(3), &4.into()));
}

#[test]
fn a_log_that_begins_late_and_a_key_that_is_not_its_own_are_told() {
    let folder = log();
    // The file is long enough at once, so that each start begins another.
    let place = Settings { segment_bytes: 1, ..Settings::new(folder.path().join("audit.jsonl")) };
    drop(Log::open(&place).unwrap());
    fs::remove_file(folder.path().join("audit-00000000000000000001.jsonl")).unwrap();
    let done = run(folder.path(), &["audit", "verify", "."]);
    assert!(done.code == Some(3) && done.out.contains("records 1 to 4 are not here"), "{done:?}");
    assert!(done.out.contains("FAULT from record 1 on: ") && done.out.contains("--from 5"), "{done:?}");
    assert_eq!(run(folder.path(), &["audit", "verify", ".", "--from", "4"]).code, Some(3));
    assert_eq!(run(folder.path(), &["audit", "verify", ".", "--from", "5"]).code, Some(0));
    let other = log();
    fs::copy(other.path().join("audit.pub"), folder.path().join("other.pub")).unwrap();
    let (code, report) = verify(folder.path(), &["--key", "other.pub", "--from", "5"]);
    assert_eq!((code, &report["fault"]["seq"]), (Some(3), &5.into()));
    // A note that is none of a log.
    let kept = fs::read_to_string(folder.path().join("kept")).unwrap();
    fs::write(folder.path().join("note"), kept.replace("\n4\n", "\nfour\n")).unwrap();
    let done = run(folder.path(), &["audit", "verify", ".", "--checkpoint", "note"]);
    assert!(done.code == Some(1) && done.err.contains("holds no checkpoint"), "{done:?}");
}

#[test]
fn what_cannot_be_read_is_exit_code_1_and_wrong_usage_2() {
    let folder = log();
    for (args, code, words) in [
        (vec!["audit", "verify", "nowhere"], 1, "nowhere"),
        (vec!["audit", "verify", ".", "--checkpoint", "audit.pub"], 1, "holds no checkpoint"),
        (vec!["audit", "verify", ".", "--key", "kept"], 1, "no public key"),
        (vec!["audit", "verify", ".", "--key", "nowhere"], 1, "nowhere"),
        (vec!["audit", "show", "nowhere"], 1, "nowhere"),
        (vec!["audit", "show", ".", "--since", "yesterday"], 2, "12h"),
        (vec!["audit", "verify"], 2, "DIR|FILE"),
    ] {
        let done = run(folder.path(), &args);
        assert!(done.code == Some(code) && done.err.contains(words), "{args:?} {done:?}");
    }
    let empty = crate::support::folder(&[]);
    let done = run(empty.path(), &["audit", "verify", "."]);
    assert!(done.code == Some(1) && done.err.contains("no file of an audit"), "{done:?}");
}

#[test]
fn a_timeline_shows_what_is_asked_for() {
    let folder = log();
    let shown = |more: &[&str]| {
        let done = run(folder.path(), &[&["audit", "show", ".", "--json"], more].concat());
        assert_eq!(done.code, Some(0));
        let records = done.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.map(|record| record["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&[]), [1, 2, 3, 4]);
    assert_eq!(shown(&["--object", "re_1"]), [3]);
    assert_eq!(shown(&["--key", "0123abcd"]), [4]);
    assert_eq!(shown(&["--request", "r1"]), [2]);
    assert_eq!(shown(&["--since", "1970-01-02"]), [1, 3, 4]);
    assert_eq!(shown(&["--since", "1h"]), [1]);
    assert_eq!(shown(&["--since", "1970-01-02", "--object", "re_1", "--request", "r1"]), [0_u64; 0]);
    let text = run(folder.path(), &["audit", "show", ".", "--object", "re_1"]).out;
    assert_eq!(text, "1970-01-02T00:00:00.000000Z       3  model_request    re_1  request r2\n");
}

#[test]
fn a_key_is_changed_by_command_and_the_old_one_vouches_for_it() {
    let folder =
        folder(&[("obelus.yaml", "audit: {path: audit.jsonl}\nstate: s.db\nvault_key: {file: v.key}\n")]);
    drop(Log::open(&Settings::new(folder.path().join("audit.jsonl"))).unwrap());
    fs::copy(folder.path().join("audit.pub"), folder.path().join("old.pub")).unwrap();
    let done = run(folder.path(), &["audit", "rotate-key", "-c", "obelus.yaml"]);
    assert_eq!(
        (done.code, done.out),
        (Some(0), fs::read_to_string(folder.path().join("audit.pub")).unwrap())
    );
    let (code, report) = verify(folder.path(), &["--key", "old.pub"]);
    assert_eq!((code, &report["checkpoints_beside"]), (Some(0), &3.into()));
    let log = Log::open(&Settings::new(folder.path().join("audit.jsonl"))).unwrap();
    let done = run(folder.path(), &["audit", "rotate-key", "-c", "obelus.yaml"]);
    assert!(done.code == Some(1) && done.err.contains("another process writes"), "{done:?}");
    drop(log);
}

/// A refund at Stripe, a gap, and the events of it.
fn incident() -> tempfile::TempDir {
    let records = r#"{"seq":1,"time":"2025-07-01T00:00:00.000000Z","kind":"started"}
{"seq":2,"time":"2025-07-01T00:00:10.000000Z","kind":"call","request_id":"r2","operation":"PostRefunds","idempotency_key":"key-2","stripe_objects":["pi_2"],"decision":"allow"}
{"seq":3,"time":"2025-07-01T00:00:10.400000Z","kind":"call_outcome","request_id":"r2","upstream_request_id":"req_2","outcome":"completed","stripe_objects":["re_2"]}
{"seq":6,"time":"2025-07-01T02:00:00.000000Z","kind":"model_request","request_id":"r6","reason":"x\u001b[2J\u202e<script>"}
"#;
    let event = |id: &str, seconds: u64, object: &str, request: &str| {
        let created = 1_751_328_000 + seconds;
        format!(
            r#"{{"id":"{id}","object":"event","type":"refund.created","created":{created},"data":{{"object":{{"id":"{object}"}}}},"request":{request}}}"#
        )
    };
    let events = [
        event("evt_2", 10, "re_2", r#"{"id":"req_2","idempotency_key":"key-2"}"#),
        event("evt_9", 60, "re_9", "null"),
    ];
    folder(&[("audit.jsonl", records), ("events.ndjson", &events.join("\n"))])
}

#[test]
fn events_and_gaps_stand_among_the_records() {
    let folder = incident();
    let show = |more: &[&str]| {
        let done = run(folder.path(), &[&["audit", "show", "audit.jsonl"], more].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out
    };
    let text = show(&["--events", "events.ndjson"]);
    let kinds: Vec<&str> = text
        .lines()
        .map(|line| line.get(37..).unwrap_or_default().split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(
        kinds,
        ["started", "call", "call_outcome", "GAP", "event", "event", "model_request"],
        "{text}"
    );
    assert!(text.contains("the records 4 to 5 are missing"), "{text}");
    assert!(text.contains("x\\u{1b}[2J\\u{202e}<script>") && !text.contains('\u{1b}'), "{text}");
    // The event of a request is found by what its records name.
    let text = show(&["--events", "events.ndjson", "--request", "r2", "--json"]);
    let lines = crate::support::json_lines(&text);
    assert_eq!((lines.len(), &lines[2]["event"]["id"]), (3, &"evt_2".into()), "{text}");
    assert_eq!(show(&["--object", "re_9", "--events", "events.ndjson"]).lines().count(), 1);
}

#[test]
fn a_page_is_complete_in_itself() {
    let folder = incident();
    let args = ["audit", "show", "audit.jsonl", "--events", "events.ndjson", "--html", "page.html"];
    let done = run(folder.path(), &args);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
    let page = fs::read_to_string(folder.path().join("page.html")).expect("it is there");
    assert_eq!(page.matches("<circle").count(), 7, "{page}");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
    assert!(page.contains("4 records, 2 events, 1 gaps"), "{page}");
}
