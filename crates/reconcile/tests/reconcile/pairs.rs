//! What was planted is found, and nothing else.

use crate::traffic::{Planted, Traffic};
use obelus_reconcile::{CallFault, Calls, Pairing, Reconciled, Settings, read_events};
use std::time::Duration;

/// Records and events of so many turns.
fn months(turns: u64, seed: u64, faults: bool) -> (Vec<u8>, Vec<u8>, Planted) {
    let (mut records, mut events) = (Vec::new(), Vec::new());
    let mut traffic = Traffic::new(&mut records, &mut events, seed);
    traffic.write(turns, faults);
    let planted = traffic.finish();
    (records, events, planted)
}

fn reconcile(records: &[u8], events: &[u8], settings: Settings) -> Reconciled {
    let mut calls = Calls::new();
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        calls.record(line).expect("each line is a record");
    }
    let mut pairing = Pairing::new(calls, settings);
    read_events(events, |event| pairing.event(event)).expect("they can be read");
    pairing.finish()
}

fn word(fault: &CallFault) -> String {
    match fault {
        CallFault::NoEvent => "no_event".to_owned(),
        CallFault::Mismatch { what, .. } => {
            serde_json::to_value(what).expect("it is a word").as_str().unwrap_or_default().to_owned()
        }
    }
}

/// What was found, in the form of what was planted.
fn found(reconciled: &Reconciled) -> Planted {
    let counts = &reconciled.counts;
    Planted {
        calls: reconciled.calls.iter().map(|(seq, fault)| (*seq, word(fault))).collect(),
        writes: reconciled
            .writes
            .iter()
            .map(|write| (write.request.clone().expect("it has one"), write.refused_seq))
            .collect(),
        outside: counts.outside,
        follow_ups: counts.follow_ups,
        not_done: counts.not_done,
        duplicates: counts.duplicates,
        matched: counts.matched,
    }
}

#[test]
fn months_without_a_fault_have_none() {
    for seed in 1..=4 {
        let (records, events, planted) = months(10_000, seed, false);
        let reconciled = reconcile(&records, &events, Settings::default());
        assert!(!reconciled.has_fault());
        assert_eq!(found(&reconciled), planted);
    }
}

#[test]
fn every_planted_fault_is_found_and_no_other() {
    for seed in 1..=4 {
        let (records, events, planted) = months(10_000, seed, true);
        assert!(planted.calls.len() > 80 && planted.writes.len() > 80);
        let reconciled = reconcile(&records, &events, Settings::default());
        assert_eq!(found(&reconciled), planted);
        // Newest first, as Stripe lists them, in pages.
        let mut lines: Vec<&[u8]> =
            events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        lines.reverse();
        let page = |lines: &[&[u8]]| {
            [
                b"{\"object\":\"list\",\"data\":[".to_vec(),
                lines.join(&b','),
                b"],\"has_more\":true}\n".to_vec(),
            ]
            .concat()
        };
        let pages: Vec<u8> = lines.chunks(100).flat_map(page).collect();
        assert_eq!(found(&reconcile(&records, &pages, Settings::default())), planted);
    }
}

/// One refund by REST, and the events of it.
fn one_refund() -> (String, [String; 2]) {
    let record = r#"{"seq":1,"time":"2025-07-01T00:00:10.000000Z","kind":"call","request_id":"r","operation":"PostRefunds","idempotency_key":"k","upstream_request_id":"req_1","stripe_objects":["re_1"],"decision":"allow","livemode":false}
{"seq":2,"time":"2025-07-01T00:00:11.000000Z","kind":"call_outcome","request_id":"r","outcome":"completed","status":200}
"#;
    let events = ["refund.created", "charge.refunded"].map(|kind| {
        format!(
            r#"{{"id":"evt_{kind}","object":"event","type":"{kind}","created":1751328010,"livemode":false,"data":{{"object":{{"id":"re_1","charge":"re_1"}}}},"request":{{"id":"req_1","idempotency_key":"k"}}}}"#
        )
    });
    (record.to_owned(), events)
}

#[test]
fn what_the_events_do_not_cover_is_not_judged() {
    let (record, [event, _]) = one_refund();
    let later = |event: &str| {
        let other = event.replace("evt_", "evt_x").replace("req_1", "req_2").replace("\"k\"", "\"other\"");
        other.replace("re_1", "re_2").replace("1751328010", "1751329999")
    };
    let counts = |events: &str, settings| {
        let reconciled = reconcile(record.as_bytes(), events.as_bytes(), settings);
        let counts = &reconciled.counts;
        (counts.without_event, counts.calls_not_judged, counts.writes_without_call, counts.events_not_judged)
    };
    let all = Settings::default();
    let moment = |text: &str| obelus_audit::Utc::parse(text);
    assert_eq!(counts(&event, all), (0, 0, 0, 0));
    // No events, events of later only, and what somebody says who knows.
    assert_eq!(counts("", all), (0, 1, 0, 0));
    assert_eq!(counts(&later(&event), all), (0, 1, 1, 0));
    let said = Settings { since: moment("2025-07-01"), until: moment("2025-07-02"), ..all };
    assert_eq!(counts(&later(&event), said), (1, 0, 1, 0));
    let said =
        Settings { since: moment("2025-07-01T00:00:20Z"), until: moment("2025-07-01T00:00:30Z"), ..all };
    assert_eq!(counts(&later(&event), said), (0, 1, 0, 1));
    // Events of live mode say nothing of test mode.
    let live = later(&event).replace("false", "true");
    let said = Settings { since: moment("2025-07-01"), until: moment("2025-07-02"), ..all };
    assert_eq!(counts(&live, said), (0, 1, 1, 0));
    // Before the log.
    let earlier = later(&event).replace("1751329999", "1751327000");
    assert_eq!(counts(&format!("{event}\n{earlier}\n"), all), (0, 0, 0, 1));
}

#[test]
fn an_answer_that_stripe_repeats_is_no_second_call_and_another_account_is_no_match() {
    let (record, [event, _]) = one_refund();
    // The request that did it is one that no record names, within the time in which Stripe remembers keys.
    let other = event.replace("req_1", "req_0");
    let reconciled = reconcile(record.as_bytes(), other.as_bytes(), Settings::default());
    assert!(!reconciled.has_fault() && reconciled.counts.matched == 1);
    // Both did something: only one is the call's.
    let both = format!("{event}\n{}\n", other.replace("evt_", "evt_x"));
    let reconciled = reconcile(record.as_bytes(), both.as_bytes(), Settings::default());
    assert_eq!(reconciled.writes.len(), 1);
    assert_eq!(reconciled.writes[0].request.as_deref(), Some("req_0"));
    let record = record.replace("\"livemode\":false", "\"account\":\"acct_1\"");
    let other = other.replace("\"livemode\":false", "\"account\":\"acct_2\"");
    let reconciled = reconcile(record.as_bytes(), other.as_bytes(), Settings::default());
    assert_eq!(reconciled.writes.len(), 1);
}

#[test]
fn what_the_outcome_says_decides_what_is_expected() {
    let (record, [event, _]) = one_refund();
    let later = event
        .replace("evt_", "evt_x")
        .replace("req_1", "req_2")
        .replace("\"k\"", "null")
        .replace("1751328010", "1751329999");
    for (outcome, status, wanted) in [
        ("completed", 200, [1, 0, 0]),
        ("completed", 402, [0, 1, 0]),
        ("failed", 400, [0, 1, 0]),
        ("failed", 502, [0, 0, 1]),
        ("unknown", 409, [0, 0, 1]),
        ("unknown", 500, [0, 0, 1]),
        ("cancelled", 200, [0, 0, 1]),
    ] {
        let record =
            record.replace("\"completed\",\"status\":200", &format!("\"{outcome}\",\"status\":{status}"));
        let counts = reconcile(
            record.as_bytes(),
            later.as_bytes(),
            Settings { since: obelus_audit::Utc::parse("2025-07-01"), ..Settings::default() },
        )
        .counts;
        assert_eq!([counts.without_event, counts.failed, counts.not_done], wanted, "{outcome} {status}");
    }
    // What people decide is no call, and one that waits has not gone out.
    let waits = r#"{"seq":1,"time":"2025-07-01T00:00:10Z","kind":"call","request_id":"r","operation":"PostRefunds","decision":"wait","status":202}
{"seq":2,"time":"2025-07-01T00:00:11Z","kind":"approval_decided","request_id":"s","operation":"PostRefunds","decision":"approve"}
"#;
    let counts = reconcile(waits.as_bytes(), event.as_bytes(), Settings::default()).counts;
    assert_eq!((counts.calls, counts.kept_back, counts.writes_without_call), (1, 1, 1));
}

#[test]
fn text_of_an_event_that_is_no_id_is_not_told() {
    let (record, [event, _]) = one_refund();
    let event =
        event.replace("req_1", "call Jenny").replace("\"k\"", "null").replace("re_1", "jenny@example.com");
    let event = event.replace("refund.created", "jenny@example.com");
    let reconciled = reconcile(record.as_bytes(), event.as_bytes(), Settings::default());
    let told = serde_json::to_string(&reconciled.writes).unwrap();
    assert!(reconciled.writes.len() == 1 && !told.to_lowercase().contains("jenny"), "{told}");
}

#[test]
fn a_line_that_is_no_record_is_said_to_be_none() {
    for line in ["", "{}", "[]", r#"{"seq":1,"time":"yesterday"}"#, r#"{"seq":"1","time":"2025-07-01"}"#] {
        Calls::new().record(line.as_bytes()).unwrap_err();
    }
}

#[test]
fn the_widest_window_and_the_latest_moment_are_taken_as_they_are() {
    let record = br#"{"seq":1,"time":"2025-07-01T00:00:00.000000Z","kind":"call","request_id":"r","tool":"create_refund","operation":"PostRefunds","stripe_objects":["pi_1"],"decision":"allow","outcome":"completed"}"#;
    let event = |created: u64| {
        format!(
            r#"{{"id":"evt_1","object":"event","type":"refund.created","created":{created},"request":{{"id":"req_1"}},"data":{{"object":{{"id":"re_1","object":"refund","payment_intent":"pi_1"}}}}}}"#
        )
    };
    let wide = Settings { window: Duration::MAX, ..Settings::default() };
    let latest = u64::MAX / 1_000_000;
    for (created, settings, matched) in [
        (1_751_328_000, wide, 1),
        (latest, wide, 1),
        (latest, Settings::default(), 0),
        (1_751_328_000, Settings::default(), 1),
    ] {
        let counts = reconcile(record, event(created).as_bytes(), settings).counts;
        assert_eq!((counts.matched, counts.writes_without_call), (matched, 1 - matched), "{created}");
    }
}
