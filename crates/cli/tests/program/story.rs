//! The whole story, with the program as it is run: a model asks for a refund, people let it out, records and Stripe's
//! events agree, and a refund around the gateway is found.

use crate::sidecar::{Serving, approver};
use crate::stripe::{CHARGE, Stripe, gateway_key, secret_key};
use crate::support::{Run, folder, json_lines, obelus, run};
use obelus_demo::{Options, Provider};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Exports all events there are.
fn export(stripe: &Stripe, folder: &Path) {
    let (status, list) = stripe.ask(&secret_key(), "GET /v1/events?limit=100", "", "");
    assert_eq!((status, &list["has_more"]), (200, &false.into()));
    fs::write(folder.join("events.json"), list.to_string()).unwrap();
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The trace of everything that the agent does for one person.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn request(path: &str, key: &str, media: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {media}\r\nAuthorization: Bearer {}\r\n\
         Traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\nContent-Length: {}\r\n\r\n{body}",
        key.trim_end(),
        body.len()
    )
}

/// The configuration of a sidecar between these two, and Alice, who decides, with Bob, whose key asks.
fn configured(folder: &Path, provider: &Provider, stripe: &Stripe) -> (String, String, String) {
    fs::write(folder.join("stripe.key"), gateway_key()).unwrap();
    let ((alice, alice_entry), (bob, bob_entry)) = (approver(folder, "alice"), approver(folder, "bob"));
    let text = |bob_entry: &str| {
        format!(
            "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\n\
             audit: {{path: audit/audit.jsonl}}\nupstreams:\n  openai: {{url: '{}', key: {{env: OPENAI_API_KEY}}}}\ngate:\n  \
             approvals: approvals.db\n  totals: totals.db\n  key_file: approvals.key\n  approvers: {{{alice_entry}, \
             {bob_entry}}}\n  stripe: {{url: 'http://{}', keys: {{default: {{file: stripe.key}}}}}}\n",
            provider.url(),
            stripe.address
        )
    };
    fs::write(folder.join("obelus.yaml"), text(&bob_entry)).unwrap();
    let key = run(folder, &["keys", "create", "-c", "obelus.yaml"]).out;
    let listed = json_lines(&run(folder, &["keys", "list", "--json", "-c", "obelus.yaml"]).out);
    let own = format!(", keys: ['{}']}}", listed[0]["id"].as_str().unwrap());
    let bob_entry = format!("{}{own}", bob_entry.strip_suffix('}').unwrap());
    fs::write(folder.join("obelus.yaml"), text(&bob_entry)).unwrap();
    (key, alice, bob)
}

/// What a model asks for, as the form of a call.
fn call_of(answer: &Value) -> String {
    let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "create_refund", "{answer}");
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    format!("charge={}&amount={}", arguments["charge"].as_str().unwrap(), arguments["amount"])
}

fn reconcile(folder: &Path) -> Run {
    run(folder, &["audit", "reconcile", "audit", "--events", "events.json", "--json"])
}

#[test]
fn from_a_chat_to_a_refund_to_its_evidence() {
    let (stripe, provider) = (Stripe::start(), Provider::start(Options::default()).unwrap());
    let folder = folder(&[]);
    let folder = folder.path();
    let (key, alice, bob) = configured(folder, &provider, &stripe);
    let mut command = obelus(folder, &["serve", "-c", "obelus.yaml"]);
    let mut serving = Serving::start({
        command.env("OPENAI_API_KEY", "provider").env_remove("ANTHROPIC_API_KEY");
        command
    });

    // A person writes, and the model calls a tool.
    let text = format!(
        "jenny@example.com wants 5 dollars back [[tool:create_refund {}]]",
        json!({"charge": CHARGE, "amount": 500})
    );
    let chat = json!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": text}],
        "tools": [{"type": "function", "function": {"name": "create_refund", "parameters": {"type": "object"}}}]
    });
    let answer = serving.ask(&request("/v1/chat/completions", &key, "application/json", &chat.to_string()));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let seen = String::from_utf8(provider.seen()[0].body.clone()).unwrap();
    assert!(seen.contains("obl_email_") && !seen.contains("jenny"), "{seen}");
    let form = call_of(&body(&answer));
    // Meanwhile somebody else writes, too.
    let other = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    let other = request("/v1/chat/completions", &key, "application/json", &other);
    let answer = serving.ask(&other.replace(TRACE, "0af7651916cd43dd8448eb211c80319c"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    // The call waits, under a handle; whoever asked cannot let it out; somebody else does.
    let refund = request("/stripe/v1/refunds", &key, "application/x-www-form-urlencoded", &form);
    let asked = serving.ask(&refund);
    assert!(asked.starts_with("HTTP/1.1 202 "), "{asked}");
    let handle = body(&asked)["id"].as_str().unwrap().to_owned();
    let posts = || stripe.seen().iter().filter(|line| line.starts_with("POST ")).count();
    let decide = |token: &str| {
        let admin = serving.notes.last().unwrap()["admin"].as_str().unwrap();
        let mut command = obelus(folder, &["approvals", "approve", &handle, "--admin", admin]);
        command.env("OBELUS_APPROVER_TOKEN", token).output().unwrap().status.code()
    };
    assert_eq!((decide(&bob), posts()), (Some(1), 0));
    assert_eq!((decide(&alice), posts()), (Some(0), 0));
    let done = serving.ask(&refund);
    assert!(done.starts_with("HTTP/1.1 200 "), "{done}");
    let id = body(&done)["id"].as_str().unwrap().to_owned();
    assert_eq!((body(&serving.ask(&refund)), posts()), (body(&done), 1), "told again, not done again");

    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    export(&stripe, folder);
    let told = reconcile(folder);
    assert_eq!(told.code, Some(0), "{told:?}");
    let counts = &json_lines(&told.out)[0]["counts"];
    assert_eq!((&counts["matched"], &counts["events"]), (&1.into(), &3.into()), "{counts}");

    // Somebody has another key.
    let (status, around) = stripe.ask(
        &secret_key(),
        "POST /v1/refunds",
        "Idempotency-Key: around\r\n",
        &format!("charge={CHARGE}&amount=700"),
    );
    assert_eq!(status, 200);
    export(&stripe, folder);
    let told = reconcile(folder);
    assert_eq!(told.code, Some(3), "{told:?}");
    let [write, summary] = json_lines(&told.out).try_into().unwrap();
    assert_eq!((&write["finding"], &write["object"]), (&"write_without_call".into(), &around["id"]));
    assert_eq!((&write["likely_operation"], &write["amount_minor"]), (&"PostRefunds".into(), &700.into()));
    assert_eq!(
        (&summary["counts"]["matched"], &summary["counts"]["writes_without_call"]),
        (&1.into(), &1.into())
    );

    evidence(folder, &id, &handle);
}

/// The records are those that were written, hold no value, and tell what led to the refund.
fn evidence(folder: &Path, refund: &str, handle: &str) {
    let verified = run(folder, &["audit", "verify", "audit"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let records = fs::read_to_string(folder.join("audit/audit.jsonl")).unwrap();
    assert!(!records.contains("jenny") && !records.contains(&gateway_key()));
    let asked = ["audit", "show", "audit", "--object", refund, "--events", "events.json"];
    let shown = json_lines(&run(folder, &[&asked[..], &["--json"]].concat()).out);
    let kinds: Vec<&str> = shown.iter().filter_map(|line| line["kind"].as_str()).collect();
    let led = ["call", "approval_requested", "approval_decided", "call_outcome"];
    assert!(led.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    // The chat of the same trace, and no other.
    for chat in ["model_request", "model_answer"] {
        assert_eq!(kinds.iter().filter(|kind| **kind == chat).count(), 1, "{kinds:?}");
    }
    let is_of_trace = |line: &Value| line["traceparent"].as_str().is_some_and(|text| text.contains(TRACE));
    assert!(
        shown.iter().filter(|line| line["kind"].is_string()).all(|line| is_of_trace(line)
            || line["approval_id"] == handle
            || line["stripe_objects"].is_array())
    );
    let events: Vec<&str> = shown.iter().filter_map(|line| line["event"]["type"].as_str()).collect();
    assert!(events.contains(&"refund.created") && events.contains(&"charge.refunded"), "{shown:?}");
    let page = run(folder, &[&asked[..], &["--html", "page.html"]].concat());
    assert_eq!(page.code, Some(0), "{page:?}");
    let page = fs::read_to_string(folder.join("page.html")).unwrap();
    assert_eq!(page.matches("<circle").count(), shown.len(), "{page}");
    for word in [refund, handle, "approval_decided", "refund.created", "PostRefunds"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("jenny"));
}
