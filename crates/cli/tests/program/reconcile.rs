//! `obelus audit reconcile` as people and scripts use it.

use crate::support::{Run, folder, json_lines, run};
use std::path::Path;

const RECORDS: &str = r#"{"seq":1,"time":"2025-07-01T00:00:00.000000Z","kind":"started"}
{"seq":2,"time":"2025-07-01T00:00:10.000000Z","kind":"call","request_id":"r2","actor":{"key":"k1","workflow":"refunds"},"operation":"PostRefunds","idempotency_key":"key-2","stripe_objects":["pi_2"],"amount_minor":500,"currency":"usd","decision":"allow"}
{"seq":3,"time":"2025-07-01T00:00:11.000000Z","kind":"call_outcome","request_id":"r2","upstream_request_id":"req_2","outcome":"completed","status":200,"stripe_objects":["re_2"]}
{"seq":4,"time":"2025-07-01T00:01:00.000000Z","kind":"call","request_id":"r4","tool":"create_refund","operation":"PostRefunds","stripe_objects":["pi_4"],"amount_minor":700,"currency":"usd","decision":"allow"}
{"seq":5,"time":"2025-07-01T00:01:01.000000Z","kind":"call_outcome","request_id":"r4","outcome":"completed","stripe_objects":["re_4"]}
"#;

fn event(id: &str, seconds: u32, object: &str, amount: u32, request: &str) -> String {
    format!(
        r#"{{"id":"{id}","object":"event","type":"refund.created","created":{},"data":{{"object":{{"id":"{object}","object":"refund","amount":{amount},"currency":"usd"}}}},"request":{request}}}"#,
        1_751_328_000 + seconds
    )
}

fn matching() -> Vec<String> {
    vec![
        event("evt_2", 10, "re_2", 500, r#"{"id":"req_2","idempotency_key":"key-2"}"#),
        event("evt_4", 60, "re_4", 700, r#"{"id":"req_x","idempotency_key":"unknown"}"#),
        event("evt_6", 90, "re_6", 1, "null"),
    ]
}

fn reconcile(folder: &Path, more: &[&str]) -> Run {
    run(folder, &[&["audit", "reconcile", "audit.jsonl", "--events", "events.ndjson"], more].concat())
}

#[test]
fn records_and_events_that_tell_the_same_are_right() {
    let folder = folder(&[("audit.jsonl", RECORDS), ("events.ndjson", &matching().join("\n"))]);
    let done = reconcile(folder.path(), &[]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    assert!(done.out.contains("2  calls with their events") && !done.out.contains("FAULT"), "{done:?}");
    assert!(done.out.contains("1  events that nobody asked for"), "{done:?}");
    let summary = &json_lines(&reconcile(folder.path(), &["--json"]).out)[0];
    assert_eq!((&summary["verdict"], &summary["counts"]["matched"]), (&"right".into(), &2.into()));
    assert_eq!(summary["outside"]["refund.created"], 1);
}

#[test]
fn every_sort_of_fault_is_told_and_the_exit_code_is_3() {
    let mut events = matching();
    events[0] = event("evt_2", 10, "re_2", 5000, r#"{"id":"req_2","idempotency_key":"key-2"}"#);
    events[1] = event("evt_9", 61, "re_9", 700, r#"{"id":"req_9","idempotency_key":"other"}"#);
    let folder = folder(&[("audit.jsonl", RECORDS), ("events.ndjson", &events.join("\n"))]);
    let done = reconcile(folder.path(), &["--json"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    let lines = json_lines(&done.out);
    let told: Vec<_> = lines.iter().map(|line| line["finding"].as_str().unwrap()).collect();
    assert_eq!(told, ["mismatch", "call_without_event", "write_without_call", "summary"]);
    let [mismatch, missing, write, summary] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(
        (&mismatch["seq"], &mismatch["what"], &mismatch["event"]),
        (&2.into(), &"amount".into(), &"evt_2".into())
    );
    assert_eq!((&mismatch["amount_minor"], &mismatch["event_amount_minor"]), (&500.into(), &5000.into()));
    assert_eq!((&missing["seq"], &missing["request_id"]), (&4.into(), &"r4".into()));
    assert_eq!((&write["object"], &write["request"]), (&"re_9".into(), &"req_9".into()));
    assert_eq!(write["likely_operation"], "PostRefunds");
    assert_eq!(summary["verdict"], "fault");
    let words = reconcile(folder.path(), &[]).out;
    for wanted in [
        "FAULT other amount: the event says 50.00 USD (evt_2)  record 2  PostRefunds  5.00 USD",
        "FAULT call without event  record 4",
        "FAULT write without a call  refund.created  looks like PostRefunds  7.00 USD  re_9",
    ] {
        assert!(words.contains(wanted), "{wanted}\n{words}");
    }
}

#[test]
fn records_are_found_by_the_configuration_and_events_in_a_folder() {
    let config = "audit: {path: records/audit.jsonl}\nstate: s.db\nvault_key: {file: v.key}\n";
    let folder = folder(&[("obelus.yaml", config)]);
    for (name, file, text) in [
        ("records", "audit.jsonl", RECORDS.to_owned()),
        ("events", "a.json", format!("[{}]", matching().join(","))),
    ] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join(file), text).unwrap();
    }
    let done =
        run(folder.path(), &["audit", "reconcile", "-c", "obelus.yaml", "--events", "events", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(json_lines(&done.out)[0]["counts"]["matched"], 2);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_without_its_text() {
    let folder = folder(&[
        ("audit.jsonl", RECORDS),
        ("events.ndjson", "{\"object\":\"jenny\"}\n"),
        ("broken.jsonl", "{\"jenny\":1}\n"),
    ]);
    let done = reconcile(folder.path(), &[]);
    assert!(done.code == Some(1) && done.err.contains("events.ndjson: line 1: holds something"), "{done:?}");
    assert!(!done.err.contains("jenny"), "{done:?}");
    let done = run(folder.path(), &["audit", "reconcile", "broken.jsonl", "--events", "events.ndjson"]);
    assert!(done.code == Some(1) && done.err.contains("a line is no record"), "{done:?}");
    let done = reconcile(folder.path(), &["--events", "nowhere"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(run(folder.path(), &["audit", "reconcile", "audit.jsonl"]).code, Some(2));
}
