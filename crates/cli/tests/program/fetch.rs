//! `obelus audit reconcile --fetch`: events fetched from a Stripe that is none.

use crate::stripe::{CHARGE, Stripe, events_key, gateway_key, secret_key};
use crate::support::{Run, folder, json_lines, obelus, run};
use obelus_audit::Utc;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A folder with records of nothing, and a configuration that names the key of events.
fn configured(stripe: &Stripe, key: &str) -> TempDir {
    let text = format!(
        "state: s.db\nvault_key: {{file: v.key}}\naudit: {{path: audit/audit.jsonl}}\ngate:\n  approvals: a.db\n  totals: \
         t.db\n  key_file: a.key\n  stripe:\n    url: 'http://{}'\n    keys: {{default: {{env: GATEWAY}}}}\n    \
         events_key: {{file: events.key}}\n",
        stripe.address
    );
    let folder = folder(&[("obelus.yaml", &text), ("events.key", key)]);
    fs::create_dir(folder.path().join("audit")).unwrap();
    let record = "{\"seq\":1,\"time\":\"2025-07-01T00:00:00.000000Z\",\"kind\":\"started\"}\n";
    fs::write(folder.path().join("audit/audit.jsonl"), record).unwrap();
    folder
}

fn fetch(folder: &TempDir, more: &[&str]) -> Run {
    run(folder.path(), &[&["audit", "reconcile", "--fetch", "-c", "obelus.yaml"], more].concat())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn answer(status: &str, headers: &str) -> String {
    let body = "{\"error\":{\"message\":\"for jenny@example.com\"}}";
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn every_page_is_fetched_and_a_write_around_the_gateway_is_found() {
    let stripe = Stripe::start();
    let folder = configured(&stripe, &events_key());
    for _ in 0..250 {
        stripe.add_event(now() - 60);
    }
    let done = fetch(&folder, &["--json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    let counts = &json_lines(&done.out)[0]["counts"];
    assert_eq!(
        (&counts["events"], &counts["outside"], &counts["duplicates"]),
        (&250.into(), &250.into(), &0.into())
    );
    let seen = stripe.seen();
    assert_eq!((seen.len(), seen[0].as_str()), (3, "GET /v1/events?limit=100"));
    assert!(
        seen[1..].iter().all(|line| line.starts_with("GET /v1/events?limit=100&starting_after=evt_")),
        "{seen:?}"
    );
    let posture = fs::read_to_string(folder.path().join("audit/reconciled.json")).unwrap();
    assert!(posture.contains("\"right\""), "{posture}");

    stripe.ask(&secret_key(), "POST /v1/refunds", "", &format!("charge={CHARGE}&amount=700"));
    let done = fetch(&folder, &["--json"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    let write = &json_lines(&done.out)[0];
    assert_eq!((&write["finding"], &write["amount_minor"]), (&"write_without_call".into(), &700.into()));
}

#[test]
fn a_period_is_asked_for_and_what_stripe_no_longer_lists_is_said() {
    let stripe = Stripe::start();
    let folder = configured(&stripe, &events_key());
    let begin = now() - 86_400;
    for moment in [begin - 1, begin, begin + 9, begin + 10] {
        stripe.add_event(moment);
    }
    let text = |micros: u64| Utc::from_micros(micros).to_string();
    let (since, until) = (text(begin * 1_000_000), text(begin * 1_000_000 + 9_500_000));
    let done = fetch(&folder, &["--since", &since, "--until", &until, "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(json_lines(&done.out)[0]["counts"]["events"], 2);
    assert_eq!(
        stripe.seen(),
        [format!("GET /v1/events?limit=100&created[gte]={begin}&created[lt]={}", begin + 10)]
    );
    let done = fetch(&folder, &["--since", "45d", "--json"]);
    assert!(done.err.contains("Stripe lists events of the last 30 days"), "{done:?}");
    let asked = stripe.seen().pop().unwrap();
    let from: u64 = asked.split("created[gte]=").nth(1).unwrap().parse().unwrap();
    assert!(now() - from <= 30 * 86_400 + 60, "{asked}");
}

#[test]
fn a_busy_stripe_is_asked_again_and_a_broken_one_a_few_times() {
    let stripe = Stripe::start();
    let folder = configured(&stripe, &events_key());
    stripe.add_event(now());
    let busy = answer("429 Too Many", "Retry-After: 1\r\n");
    let broken = answer("503 Down", "Retry-After: 0\r\n");
    stripe.answer_next(&[&busy, &broken]);
    let begun = Instant::now();
    let done = fetch(&folder, &[]);
    assert_eq!((done.code, stripe.seen().len()), (Some(0), 3), "{done:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "it waits as long as it is told");
    stripe.answer_next(&[broken.as_str(); 6]);
    let done = fetch(&folder, &[]);
    assert_eq!((done.code, stripe.seen().len()), (Some(1), 9), "{done:?}");
    assert!(done.err.contains("status 503, 6 times") && !done.err.contains("jenny"), "{done:?}");
}

#[test]
fn what_cannot_be_fetched_is_told_without_key_or_answer() {
    let stripe = Stripe::start();
    for (key, code, words) in [
        (secret_key(), 2, "a secret key can do everything"),
        (gateway_key(), 1, "may not read events"),
        (["rk", "_test_", "Unknown"].concat(), 1, "does not accept the key"),
        ("pk_test_1".to_owned(), 2, "no restricted key"),
    ] {
        let folder = configured(&stripe, &key);
        let done = fetch(&folder, &[]);
        assert!(done.code == Some(code) && done.err.contains(words), "{done:?}");
        assert!(!done.err.contains(&key) && done.err.lines().count() == 1 && done.out.is_empty(), "{done:?}");
    }
    let folder = configured(&stripe, &events_key());
    let moved = answer("302 Found", "Location: http://127.0.0.1:9/\r\n");
    for (given, words) in [(&moved, "redirects"), (&answer("200 OK", ""), "no list of events")] {
        stripe.answer_next(&[given]);
        let done = fetch(&folder, &[]);
        assert!(done.code == Some(1) && done.err.contains(words) && !done.err.contains("jenny"), "{done:?}");
    }
    let text = fs::read_to_string(folder.path().join("obelus.yaml")).unwrap();
    let text = text.replace("file: events.key", "env: EVENTS_KEY");
    fs::write(folder.path().join("obelus.yaml"), &text).unwrap();
    let done = fetch(&folder, &[]);
    assert!(done.code == Some(2) && done.err.contains("gate.stripe.events_key: there is no key"), "{done:?}");
    let args = ["audit", "reconcile", "--fetch", "-c", "obelus.yaml"];
    let output = obelus(folder.path(), &args).env("EVENTS_KEY", events_key()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    drop(stripe);
    let done = run(folder.path(), &["audit", "reconcile", "--fetch", "audit"]);
    assert_eq!(done.code, Some(2), "{done:?}");
}
