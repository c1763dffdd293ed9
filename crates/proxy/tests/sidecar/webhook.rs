//! Messages for people, to a receiver that checks what is signed.

use crate::gate::{config, decide, folder, stripe, waiting};
use crate::support::{Act, Sidecar, Upstream, app, completion, wait, yaml};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const KEY: [u8; 32] = [7; 32];

/// A message as the receiver has checked it.
struct Message {
    id: String,
    body: Value,
}

/// Checks a message as a receiver must: what is signed, with what, and when.
fn checked(request: &str) -> Message {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).unwrap().1.to_owned()
    };
    assert!(head.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header("content-type"), "application/json");
    let (id, seconds) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let signature = STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    mac.verify_slice(&signature).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(seconds.parse().unwrap()) < 300, "{seconds}");
    Message { id, body: serde_json::from_str(body).unwrap() }
}

fn answer(status: &str) -> Vec<Act> {
    let location = "Location: /elsewhere\r\n";
    vec![Act::Send(format!("HTTP/1.1 {status}\r\n{location}Content-Length: 0\r\n\r\n").into_bytes())]
}

/// The section that names the receiver; its secret is put into the folder.
fn section(folder: &TempDir, receiver: &Upstream) -> String {
    let secret = format!("whsec_{}\n", STANDARD.encode(KEY));
    std::fs::write(folder.path().join("hook.secret"), secret).unwrap();
    format!("webhook: {{url: 'http://{}/hook?a=1', secret: {{file: hook.secret}}}}\n", receiver.address)
}

/// Waits until so many requests have come.
async fn messages(receiver: &Upstream, count: usize) -> Vec<Message> {
    wait(async {
        while receiver.seen().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    receiver.seen().iter().map(|request| checked(request)).collect()
}

async fn counted(sidecar: &Sidecar, outcome: &str, count: u64) {
    let line = format!("obelus_webhook_messages_total{{outcome=\"{outcome}\"}} {count}\n");
    wait(async {
        while !sidecar.metrics().await.contains(&line) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn approvals_that_wait_and_are_decided_are_told() {
    let receiver = Upstream::start(|_| answer("204 Gladly")).await;
    let (stripe, folder) = (stripe().await, folder());
    let text = config(stripe.address, "", "") + &section(&folder, &receiver);
    let (app, keys) = app(&folder, &text).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let id = waiting(&sidecar).await;
    waiting(&sidecar).await;
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    let [asked, decided] = messages(&receiver, 2).await.try_into().ok().unwrap();
    let (asked, decided) = (asked.body, decided.body);
    assert_eq!((&asked["type"], &decided["type"]), (&"approval.waiting".into(), &"approval.decided".into()));
    for message in [&asked, &decided] {
        assert_eq!(
            (&message["data"]["approval_id"], &message["data"]["operation"]),
            (&id.as_str().into(), &"PostRefunds".into())
        );
        assert!(message["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(
            !message.to_string().contains("requested_by_customer") && !message.to_string().contains("jenny")
        );
    }
    assert_eq!(
        (&decided["data"]["decision"], &decided["data"]["approver"]),
        (&"approve".into(), &"alice".into())
    );
    counted(&sidecar, "delivered", 2).await;
    assert_eq!(receiver.seen().len(), 2, "the same call is told once");
}

#[tokio::test]
async fn an_exposed_key_is_told_by_its_id_until_somebody_listens() {
    let tries = AtomicUsize::new(0);
    let receiver = Upstream::start(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0 => answer("302 Elsewhere"),
        _ => answer("200 OK"),
    })
    .await;
    let (upstream, folder) = (Upstream::echo().await, tempfile::tempdir().unwrap());
    let (app, keys) = app(&folder, &yaml(upstream.address, &section(&folder, &receiver))).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let exposed = sidecar.new_key("default");
    // Whoever asks waits for no receiver.
    assert_eq!(sidecar.send(&sidecar.chat(&format!("my key is {exposed}"), "")).await.status, 200);
    let [first, second] = messages(&receiver, 2).await.try_into().ok().unwrap();
    assert_eq!(first.id, second.id, "one message, however often it is sent");
    assert_eq!(first.body, second.body);
    let id = obelus_vault::virtual_key::parse(exposed.as_bytes()).unwrap();
    assert_eq!(
        (&first.body["type"], &first.body["data"]["key"]),
        (&"key.exposed".into(), &id.as_str().into())
    );
    assert!(!first.body.to_string().contains(exposed.get(12..44).unwrap()));
    counted(&sidecar, "delivered", 1).await;
    assert!(
        receiver.seen().iter().all(|request| request.starts_with("POST /hook")),
        "no redirect is followed"
    );
}

#[tokio::test]
async fn a_message_that_is_given_up_is_counted_and_recorded() {
    let receiver = Upstream::start(|_| answer("410 Gone")).await;
    let (upstream, folder) = (Upstream::echo().await, tempfile::tempdir().unwrap());
    let (app, keys) = app(&folder, &yaml(upstream.address, &section(&folder, &receiver))).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let exposed = sidecar.new_key("default");
    assert_eq!(sidecar.send(&sidecar.chat(&format!("my key is {exposed}"), "")).await.status, 200);
    let record = sidecar.record(|record| record["kind"] == "notice_failed").await;
    assert_eq!((&record["reason"], &record["outcome"]), (&"webhook-gone".into(), &"failed".into()));
    counted(&sidecar, "given_up", 1).await;
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_keep_the_process() {
    let receiver = Upstream::start(|_| vec![Act::Hold]).await;
    let (upstream, folder) = (Upstream::echo().await, tempfile::tempdir().unwrap());
    let (app, keys) = app(&folder, &yaml(upstream.address, &section(&folder, &receiver))).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let exposed = sidecar.new_key("default");
    assert_eq!(sidecar.send(&sidecar.chat(&format!("my key is {exposed}"), "")).await.status, 200);
    messages(&receiver, 1).await;
    let path = sidecar.path("audit.jsonl");
    let kept = sidecar.folder.path().to_owned();
    let moved = tempfile::tempdir().unwrap();
    let copy = moved.path().join("audit.jsonl");
    // The folder goes with the sidecar, so the file is held by another name.
    std::fs::hard_link(&path, &copy).unwrap();
    sidecar.end().await;
    assert!(!kept.exists());
    let records = std::fs::read_to_string(copy).unwrap();
    assert!(records.contains("\"reason\":\"webhook-ended\""), "{records}");
}

#[tokio::test]
async fn a_webhook_without_a_right_secret_is_refused_at_the_start() {
    let (receiver, folder) = (Upstream::echo().await, tempfile::tempdir().unwrap());
    let text = yaml(receiver.address, &section(&folder, &receiver));
    std::fs::write(folder.path().join("hook.secret"), "hunter2\n").unwrap();
    let path = folder.path().join("obelus.yaml");
    std::fs::write(&path, text).unwrap();
    let started = obelus_proxy::App::start(Some(path), std::sync::Arc::new(crate::support::env)).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("webhook.secret") && !error.contains("hunter2"), "{error}");
}

/// A key of no account, in parts so that nobody takes it for one.
fn stripe_key() -> String {
    ["rk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat()
}

#[tokio::test]
async fn a_key_of_somebody_in_a_request_or_an_answer_is_recorded_counted_and_told() {
    let receiver = Upstream::start(|_| answer("204 Gladly")).await;
    // The answer says what the message said, a token, and so the key once more beside it.
    let provider =
        Upstream::start(|_| vec![Act::Send(crate::support::json(&completion(&stripe_key())))]).await;
    let folder = tempfile::tempdir().unwrap();
    let (app, keys) = app(&folder, &yaml(provider.address, &section(&folder, &receiver))).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let reply = sidecar.send(&sidecar.chat(&format!("use {}", stripe_key()), "")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains("51Quartz") && !provider.seen().concat().contains("51Quartz"));
    let request = sidecar.record(|record| record["kind"] == "model_request").await;
    let answer = sidecar.record(|record| record["kind"] == "model_answer").await;
    let fingerprint = request["exposed"][0]["fingerprint"].as_str().unwrap();
    assert!(fingerprint.starts_with("1:") && fingerprint.len() == 34, "{fingerprint}");
    let wanted = serde_json::json!([{"rule": "stripe-restricted-key", "fingerprint": fingerprint}]);
    assert_eq!((&request["exposed"], &answer["exposed"]), (&wanted, &wanted), "the same wherever it is seen");
    for message in messages(&receiver, 2).await {
        assert_eq!(message.body["type"], "key.exposed");
        assert_eq!(message.body["data"]["rule"], "stripe-restricted-key");
        assert_eq!(message.body["data"]["fingerprint"], fingerprint);
        assert_eq!(message.body["data"]["request_id"], request["request_id"]);
        assert!(!message.body.to_string().contains("Quartz"));
    }
    let line = "obelus_exposed_keys_total{rule=\"stripe-restricted-key\"} 2\n";
    assert!(sidecar.metrics().await.contains(line));
}

#[tokio::test]
async fn keys_in_calls_and_in_streams_and_behind_labels_are_recorded_too() {
    let (stripe, folder) = (stripe().await, folder());
    let labels = "profiles: {default: {transform: label}}\n";
    let (app, keys) = app(&folder, &(config(stripe.address, "", "") + labels)).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let call = format!("description={}", stripe_key());
    let reply = sidecar.send(&crate::gate::form(&sidecar, "/stripe/v1/customers", &call)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let record = sidecar.record(|record| record["operation"] == "PostCustomers").await;
    // Arguments have tokens whatever a profile says, so their values are looked at.
    assert_eq!(record["exposed"][0]["rule"], "stripe-restricted-key", "{record}");
    let exposed = record["exposed"].clone();
    let outcome = sidecar.record(|record| record["kind"] == "call_outcome").await;
    assert_eq!(outcome.get("exposed"), None);
    sidecar.send(&sidecar.chat(&stripe_key(), "")).await;
    let record = sidecar.record(|record| record["kind"] == "model_request").await;
    // It is the same key, of the same session, though here a label takes its place.
    assert!(exposed[0]["fingerprint"].is_string(), "{exposed}");
    assert_eq!(record["exposed"], exposed);
}
