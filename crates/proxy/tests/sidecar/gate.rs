//! Calls of Stripe's interface through the gate, to a Stripe that is none.

use crate::support::{Act, Reply, Sidecar, Upstream, app, env, send, wait, yaml};
use obelus_proxy::{App, Config, Signal};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;

const REFUND: &str = "charge=ch_3MmlLrLkdIwHu7ix0snN0B15&amount=500&reason=requested_by_customer";

/// A key of no account, in parts so that nobody takes it for one.
fn stripe_key(kind: &str) -> String {
    [kind, "_test_", "51Example0Example0Example"].concat()
}

/// A Stripe with one charge and a ledger of what it was asked to change: the requests that it has seen.
pub(crate) async fn stripe() -> Upstream {
    Upstream::start(|request| vec![Act::Send(answer(request))]).await
}

fn answer(request: &str) -> Vec<u8> {
    let line = request.lines().next().unwrap_or_default();
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let (status, json) = if line.starts_with("GET /v1/charges/") {
        let charge = r#"{"id":"ch_3MmlLrLkdIwHu7ix0snN0B15","object":"charge","amount":2000,"amount_captured":2000,
            "amount_refunded":0,"currency":"usd","customer":"cus_NffrFeUfNV2Hib",
            "billing_details":{"email":"jenny@example.com","name":"Jenny Rosen"}}"#;
        ("200 OK", charge.to_owned())
    } else if line.starts_with("POST /v1/refunds") && body.contains("amount=999") {
        let error = r#"{"error":{"type":"invalid_request_error","message":"Refund for jenny@example.com is greater"}}"#;
        ("400 Bad Request", error.to_owned())
    } else if line.starts_with("POST /v1/refunds") {
        let refund = r#"{"id":"re_1Nispe2eZvKYlo2Cd31jOCgZ","object":"refund","amount":500,"currency":"usd",
            "instructions_email":"jenny@example.com"}"#;
        ("200 OK", refund.to_owned())
    } else {
        let name = body.split("name=").nth(1).unwrap_or("none");
        (
            "200 OK",
            format!(
                r#"{{"id":"cus_NffrFeUfNV2Hib","object":"customer","email":"jenny@example.com","got":"{name}"}}"#
            ),
        )
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    )
    .into_bytes()
}

fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The configuration of a gate with two people.
pub(crate) fn config(stripe: SocketAddr, more: &str, stripe_more: &str) -> String {
    yaml(
        stripe,
        &format!(
            "gate:\n  approvals: approvals.db\n  totals: totals.db\n  key_file: approvals.key\n{more}  approvers:\n    \
             alice: {{token_sha256: '{}'}}\n    bob: {{token_sha256: '{}'}}\n  stripe:\n    url: 'http://{stripe}'\n    \
             keys: {{default: {{file: stripe.key}}}}\n{stripe_more}",
            hash("token-of-alice"),
            hash("token-of-bob")
        ),
    )
}

pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("stripe.key"), stripe_key("rk")).expect("the folder takes files");
    folder
}

async fn start(stripe: &Upstream, more: &str, stripe_more: &str) -> Sidecar {
    let folder = folder();
    let (app, keys) = app(&folder, &config(stripe.address, more, stripe_more)).await;
    Sidecar::run(app, keys, folder)
}

pub(crate) fn form(sidecar: &Sidecar, path: &str, body: &str) -> Vec<u8> {
    sidecar.post(path, "Content-Type: application/x-www-form-urlencoded\r\n", body.as_bytes())
}

async fn refund(sidecar: &Sidecar) -> Reply {
    sidecar.send(&form(sidecar, "/stripe/v1/refunds", REFUND)).await
}

async fn get(sidecar: &Sidecar, path: &str) -> Reply {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: sidecar\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        sidecar.key
    );
    sidecar.send(request.as_bytes()).await
}

fn read(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).expect("the answer is JSON")
}

/// Asks where people decide.
pub(crate) async fn desk(sidecar: &Sidecar, token: &str, method: &str, path: &str, body: &str) -> Reply {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
        sidecar.admin,
        body.len()
    );
    send(sidecar.admin, request.as_bytes()).await
}

/// Somebody looks at an approval and decides.
pub(crate) async fn decide(sidecar: &Sidecar, who: &str, id: &str, verb: &str) -> Reply {
    let token = format!("token-of-{who}");
    let shown = desk(sidecar, &token, "GET", &format!("/approvals/{id}"), "").await;
    let body = serde_json::json!({"digest": read(&shown)["digest"]}).to_string();
    desk(sidecar, &token, "POST", &format!("/approvals/{id}/{verb}"), &body).await
}

/// How many changes the ledger holds.
fn changes(stripe: &Upstream) -> Vec<String> {
    stripe.seen().into_iter().filter(|request| request.starts_with("POST ")).collect()
}

pub(crate) async fn waiting(sidecar: &Sidecar) -> String {
    let reply = refund(sidecar).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    assert!(reply.head.contains("retry-after: 5"));
    read(&reply)["id"].as_str().expect("it has an id").to_owned()
}

#[tokio::test]
async fn reads_come_back_redacted_and_tokens_go_out_where_they_may() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "    restore: {PostCustomers: [name]}\n").await;
    let reply = get(&sidecar, "/stripe/v1/charges/ch_3MmlLrLkdIwHu7ix0snN0B15").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(!reply.body.contains("jenny") && !reply.body.contains("Rosen"), "{}", reply.body);
    assert!(reply.head.contains("request-id: req_1"));
    let charge = read(&reply);
    let (email, name) = (&charge["billing_details"]["email"], &charge["billing_details"]["name"]);
    assert!(email.as_str().is_some_and(|token| token.starts_with("obl_email_")));
    let name = name.as_str().expect("a token").to_owned();
    let seen = stripe.seen().last().cloned().unwrap_or_default().to_lowercase();
    assert!(seen.contains(&format!("authorization: bearer {}", stripe_key("rk").to_lowercase())));
    // The model hop makes the same token of the same value.
    let reply = sidecar.send(&sidecar.chat("write to jenny@example.com", "")).await;
    assert_eq!(reply.status, 200);
    assert!(stripe.seen().last().is_some_and(|request| request.contains(email.as_str().unwrap_or("-"))));
    let reply = sidecar.send(&form(&sidecar, "/stripe/v1/customers", &format!("name={name}"))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(changes(&stripe).last().is_some_and(|request| request.ends_with("\r\n\r\nname=Jenny%20Rosen")));
    for other in [format!("email={name}"), format!("metadata[x]={name}"), format!("description=to+{name}")] {
        let before = stripe.seen().len();
        let reply = sidecar.send(&form(&sidecar, "/stripe/v1/customers", &other)).await;
        assert_eq!((reply.status, stripe.seen().len()), (400, before), "{}", reply.body);
    }
    let record = sidecar.record(|record| record["operation"] == "PostCustomers").await;
    assert_eq!(record["arguments"]["name"], Value::from(name));
    assert_eq!((&record["decision"], &record["risk_class"]), (&"allow".into(), &"other_mutation".into()));
    let text = std::fs::read_to_string(sidecar.path("audit.jsonl")).expect("there is an audit");
    assert!(!text.contains("jenny") && !text.contains("Rosen"));
}

#[tokio::test]
async fn a_refund_waits_leaves_once_and_is_told_again() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    let id = waiting(&sidecar).await;
    assert_eq!(waiting(&sidecar).await, id, "the same request is the same call");
    assert!(changes(&stripe).is_empty());
    let shown = read(&desk(&sidecar, "token-of-alice", "GET", &format!("/approvals/{id}"), "").await);
    assert_eq!(shown["summary"]["amount"], "5.00 USD");
    assert_eq!(shown["summary"]["customer"], "cus_NffrFeUfNV2Hib");
    assert_eq!(shown["summary"]["mode"], "test");
    assert_ne!(shown["id"], shown["digest"]);
    let reply = decide(&sidecar, "alice", &id, "approve").await;
    assert_eq!((reply.status, &read(&reply)["state"]), (200, &"approved".into()), "{}", reply.body);
    assert!(changes(&stripe).is_empty(), "nothing leaves before the request comes again");
    let reply = refund(&sidecar).await;
    assert_eq!((reply.status, &read(&reply)["id"]), (200, &"re_1Nispe2eZvKYlo2Cd31jOCgZ".into()));
    assert!(!reply.body.contains("jenny"));
    let again = refund(&sidecar).await;
    assert_eq!((again.status, &again.body), (200, &reply.body));
    let [sent] = changes(&stripe).try_into().expect("one refund");
    let sent: String = sent;
    assert!(sent.ends_with(REFUND) && sent.to_lowercase().contains("idempotency-key: obelus-"));
    let kinds = ["approval_requested", "approval_decided", "call_outcome"];
    for kind in kinds {
        let record =
            sidecar.record(|record| record["kind"] == kind && record["approval_id"] == id.as_str()).await;
        assert_eq!(record["operation"], "PostRefunds", "{kind}");
    }
    let outcome = sidecar.record(|record| record["kind"] == "call_outcome").await;
    assert_eq!(
        (&outcome["outcome"], &outcome["upstream_request_id"]),
        (&"completed".into(), &"req_1".into())
    );
    assert_eq!((&outcome["amount_minor"], &outcome["currency"]), (&500.into(), &"usd".into()));
    let intent = sidecar
        .record(|record| {
            record["kind"] == "call" && record["decision"] == "allow" && record["approval_id"].is_string()
        })
        .await;
    assert!(intent["seq"].as_u64() < outcome["seq"].as_u64());
}

#[tokio::test]
async fn what_is_denied_or_tampered_with_never_leaves() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    let id = waiting(&sidecar).await;
    let other = form(&sidecar, "/stripe/v1/refunds", &REFUND.replace("500", "501"));
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    // Another amount is another call.
    let reply = sidecar.send(&other).await;
    assert_eq!(reply.status, 202);
    let other_id = read(&reply)["id"].as_str().expect("it has an id").to_owned();
    assert_ne!(other_id, id);
    assert_eq!(decide(&sidecar, "bob", &other_id, "deny").await.status, 200);
    assert_eq!(decide(&sidecar, "alice", &other_id, "approve").await.status, 409, "a denial is final");
    let reply = sidecar.send(&other).await;
    assert_eq!((reply.status, &read(&reply)["error"]["code"]), (403, &"obelus_denied".into()));
    for (path, body) in [
        ("/stripe/v1/payouts", "amount=5&currency=usd"),
        ("/stripe/v1/nothing", "amount=5"),
        ("/stripe/v1/refunds", "charge=ch_1&amount=5&amount=6"),
        ("/stripe/v1/refunds/", "charge=ch_1"),
        ("/stripe/v1/%72efunds", "charge=ch_1"),
        ("/stripe/v1/refunds?amount=6", "charge=ch_1"),
    ] {
        let reply = sidecar.send(&form(&sidecar, path, body)).await;
        assert_eq!(
            (reply.status, &read(&reply)["error"]["code"]),
            (403, &"obelus_denied".into()),
            "{path} {body}"
        );
    }
    assert!(changes(&stripe).is_empty());
    // An error of Stripe's is redacted as well, and told again.
    let wrong = form(&sidecar, "/stripe/v1/refunds", "charge=ch_3MmlLrLkdIwHu7ix0snN0B15&amount=999");
    let id = read(&sidecar.send(&wrong).await)["id"].as_str().expect("it waits").to_owned();
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    for _ in 0..2 {
        let reply = sidecar.send(&wrong).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert!(reply.body.contains("invalid_request_error") && !reply.body.contains("jenny"));
    }
    assert_eq!(changes(&stripe).len(), 1);
}

#[tokio::test]
async fn nobody_decides_who_asked_and_nobody_without_a_token() {
    let stripe = stripe().await;
    let mut sidecar = start(&stripe, "  two_approvers_above: {usd: 400}\n", "").await;
    let request = obelus_vault::KeyRequest {
        workflow: "default".to_owned(),
        requester: Some("alice".to_owned()),
        ..obelus_vault::KeyRequest::default()
    };
    let key = sidecar.keys.create(&request, std::time::SystemTime::now()).expect("the store takes keys");
    sidecar.key = key.reveal().to_owned();
    let id = waiting(&sidecar).await;
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 403, "alice asked");
    assert_eq!(decide(&sidecar, "bob", &id, "approve").await.status, 200);
    assert_eq!(decide(&sidecar, "bob", &id, "approve").await.status, 403, "bob has decided");
    assert_eq!(refund(&sidecar).await.status, 202, "two must approve");
    let path = format!("/approvals/{id}/approve");
    for (token, body, status) in [
        ("token-of-mallory", "{}", 401),
        (sidecar.key.as_str(), "{}", 401),
        ("", "{}", 401),
        ("token-of-bob", "{}", 400),
        ("token-of-bob", &format!(r#"{{"digest":"{}"}}"#, "0".repeat(64)), 409),
    ] {
        let reply = desk(&sidecar, token, "POST", &path, body).await;
        assert_eq!(reply.status, status, "{token} {}", reply.body);
    }
    for head in ["Host: evil.example.com", "Host: 127.0.0.1:1\r\nOrigin: http://evil.example.com"] {
        let request =
            format!("GET /approvals HTTP/1.1\r\n{head}\r\nAuthorization: Bearer token-of-bob\r\n\r\n");
        assert_eq!(send(sidecar.admin, request.as_bytes()).await.status, 403, "{head}");
    }
    assert!(changes(&stripe).is_empty());
}

#[tokio::test]
async fn of_sixteen_repeats_at_once_one_leaves() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    let id = waiting(&sidecar).await;
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    let request = form(&sidecar, "/stripe/v1/refunds", REFUND);
    let address = sidecar.data;
    let sent: Vec<_> = (0..16)
        .map(|_| {
            let request = request.clone();
            tokio::spawn(async move { send(address, &request).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in sent {
        statuses.push(wait(one).await.expect("it does not panic"));
    }
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 202, 409].contains(status)), "{statuses:?}");
    assert_eq!(changes(&stripe).len(), 1);
}

#[tokio::test]
async fn a_restart_keeps_what_waits_and_what_was_executed() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    let id = waiting(&sidecar).await;
    let sidecar = restart(sidecar).await;
    assert_eq!(waiting(&sidecar).await, id);
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    let sidecar = restart(sidecar).await;
    assert_eq!(refund(&sidecar).await.status, 200);
    let sidecar = restart(sidecar).await;
    assert_eq!(refund(&sidecar).await.status, 200);
    assert_eq!(changes(&stripe).len(), 1);
}

/// The same sidecar, ended and started again.
async fn restart(sidecar: Sidecar) -> Sidecar {
    let Sidecar { folder, signals, running, key, .. } = sidecar;
    signals.send(Signal::Drain).await.expect("it listens");
    wait(running).await.expect("it does not panic");
    let path = folder.path().join("obelus.yaml");
    let app = App::start(Some(path.clone()), Arc::new(env)).await.expect("it starts again");
    let keys = obelus_proxy::virtual_keys(&Config::read(Some(&path), &env).expect("it is right"));
    let mut sidecar = Sidecar::run(app, keys.expect("the store opens"), folder);
    sidecar.key = key;
    sidecar
}

/// The first answer never comes: the call counts as one of which nobody knows, and goes out again under the same key.
#[tokio::test]
async fn a_call_without_an_answer_is_sent_again_under_the_same_key() {
    let stripe = Upstream::start({
        let lost = std::sync::atomic::AtomicBool::new(false);
        move |request| {
            let is_first =
                request.starts_with("POST ") && !lost.swap(true, std::sync::atomic::Ordering::SeqCst);
            let cut =
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{\"".to_vec();
            if is_first { vec![Act::Send(cut), Act::AwaitEnd] } else { vec![Act::Send(answer(request))] }
        }
    })
    .await;
    let folder = folder();
    let text = config(stripe.address, "", "") + "timeouts: {stream_idle_seconds: 0.2}\n";
    let (app, keys) = app(&folder, &text).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let id = waiting(&sidecar).await;
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    let reply = refund(&sidecar).await;
    assert_eq!(reply.status, 504, "{}", reply.body);
    let unknown = desk(&sidecar, "token-of-bob", "GET", &format!("/approvals/{id}"), "").await;
    assert_eq!(read(&unknown)["state"], "unknown");
    let reply = refund(&sidecar).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let keys: Vec<String> = changes(&stripe)
        .iter()
        .filter_map(|request| {
            request.lines().find(|line| line.to_lowercase().starts_with("idempotency-key")).map(str::to_owned)
        })
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    let outcome = sidecar.record(|record| record["outcome"] == "unknown").await;
    assert_eq!(outcome["approval_id"], id.as_str());
}

/// No answer ever comes: somebody looks it up, and says in a browser what came of the call.
#[tokio::test]
async fn what_came_of_a_call_without_an_answer_is_said_by_people() {
    let stripe = Upstream::start(|request| {
        let cut =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{\"".to_vec();
        let is_change = request.starts_with("POST ");
        if is_change { vec![Act::Send(cut), Act::AwaitEnd] } else { vec![Act::Send(answer(request))] }
    })
    .await;
    let folder = folder();
    let text = config(stripe.address, "", "") + "timeouts: {stream_idle_seconds: 0.2}\n";
    let (app, keys) = app(&folder, &text).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let own = format!("Origin: http://{}\r\n", sidecar.admin);
    let entered = browse(&sidecar, "POST", "/approvals/session", &own, "token=token-of-bob").await;
    let cookie = format!("Cookie: obelus_approver={}\r\n", between(&entered.head, "obelus_approver=", ";"));
    let mut ids = Vec::new();
    for (segment, state) in [("not-happened", "void"), ("happened", "done")] {
        let id = waiting(&sidecar).await;
        let path = format!("/approvals/{id}");
        let sheet = browse(&sidecar, "GET", &path, &cookie, "").await.body;
        assert!(!sheet.contains("it happened") && sheet.contains(">approve<"), "{sheet}");
        assert_eq!(decide(&sidecar, "alice", &id, segment).await.status, 409, "it has not left");
        assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
        assert_eq!(refund(&sidecar).await.status, 504);
        assert_eq!(decide(&sidecar, "alice", &id, "nothing").await.status, 404);
        let sheet = browse(&sidecar, "GET", &path, &cookie, "").await.body;
        assert!(sheet.contains("it did not happen") && !sheet.contains(">approve<"), "{sheet}");
        let (key, digest) = (
            between(&sheet, "name=\"form_key\" value=\"", "\""),
            between(&sheet, "name=\"digest\" value=\"", "\""),
        );
        let said = format!("form_key={key}&digest={digest}");
        let head = format!("{cookie}{own}");
        let reply = browse(&sidecar, "POST", &format!("{path}/{segment}"), &head, &said).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let shown = desk(&sidecar, "token-of-bob", "GET", &path, "").await;
        assert_eq!(read(&shown)["state"], state);
        let record = sidecar
            .record(|record| record["approval_id"] == id.as_str() && record["approver"] == "bob")
            .await;
        assert_eq!((&record["kind"], &record["reason"]), (&"outcome_found".into(), &segment.into()));
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1], "what has not happened is asked for anew");
    let reply = refund(&sidecar).await;
    assert_eq!(reply.status, 409, "{}", reply.body);
    assert!(reply.body.contains("the call was executed"), "{}", reply.body);
    assert_eq!(changes(&stripe).len(), 2);
}

#[tokio::test]
async fn rules_that_change_end_what_was_approved_under_others() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    let id = waiting(&sidecar).await;
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 200);
    let rule =
        "@id(\"more\") @approval(\"1\") permit (principal, action == Action::\"PostRefunds\", resource);";
    std::fs::write(sidecar.path("more.cedar"), rule).expect("the folder takes files");
    std::fs::write(sidecar.path("obelus.yaml"), config(stripe.address, "  rules: [more.cedar]\n", ""))
        .expect("it does");
    sidecar.signals.send(Signal::Reload).await.expect("it listens");
    reloaded(&sidecar, "completed").await;
    let reply = refund(&sidecar).await;
    assert_eq!(reply.status, 403, "{}", reply.body);
    assert!(reply.body.contains("the rules have changed"));
    assert_ne!(waiting(&sidecar).await, id, "the same call is asked for anew");
    // Rules that cannot be read change nothing.
    std::fs::write(sidecar.path("more.cedar"), "permit (").expect("the folder takes files");
    sidecar.signals.send(Signal::Reload).await.expect("it listens");
    reloaded(&sidecar, "failed").await;
    assert_eq!(refund(&sidecar).await.status, 202);
    assert!(changes(&stripe).is_empty());
}

/// Waits until a configuration was loaded, or was not.
async fn reloaded(sidecar: &Sidecar, outcome: &str) {
    let line = format!("obelus_config_reloads_total{{outcome=\"{outcome}\"}} 1");
    wait(async { while !sidecar.metrics().await.contains(&line) {} }).await;
    sidecar.record(|record| record["kind"] == "config_reload" && record["outcome"] == outcome).await;
}

#[tokio::test]
async fn what_cannot_be_enforced_does_not_start() {
    let stripe = stripe().await;
    for (key, more, wanted) in [
        (stripe_key("sk"), "", "a secret key can do everything"),
        ("pk_test_x".to_owned(), "", "no restricted key"),
        (String::new(), "", "no restricted key"),
        (stripe_key("rk"), "  rules: [nowhere.cedar]\n", "cannot read the rules"),
    ] {
        let folder = folder();
        std::fs::write(folder.path().join("stripe.key"), key).expect("the folder takes files");
        let path = folder.path().join("obelus.yaml");
        std::fs::write(&path, config(stripe.address, more, "")).expect("the folder takes files");
        let error = App::start(Some(path), Arc::new(env)).await.expect_err(wanted);
        assert!(error.is_config() && error.to_string().contains(wanted), "{error}");
    }
    let folder = folder();
    std::fs::write(folder.path().join("stripe.key"), stripe_key("sk")).expect("the folder takes files");
    let (app, _) = app(&folder, &config(stripe.address, "", "    allow_secret_key: true\n")).await;
    assert!(app.notes().iter().any(|note| note.contains("SECRET key")), "it is shown");
}

#[tokio::test]
async fn time_denies_and_a_listener_of_its_own_takes_paths_as_they_are() {
    let stripe = stripe().await;
    let folder = folder();
    let text = config(stripe.address, "", "    listen: 127.0.0.1:0\n");
    let (app, keys) = app(&folder, &text).await;
    let own = app.stripe_address().expect("it is bound").expect("there is one");
    let sidecar = Sidecar::run(app, keys, folder);
    let reply = send(own, &form(&sidecar, "/v1/refunds", REFUND)).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let id = read(&reply)["id"].as_str().expect("it has an id").to_owned();
    // The time of ten minutes is set back in the file, which ends it; nobody can set it forward.
    let file = rusqlite::Connection::open(sidecar.path("approvals.db")).expect("it opens");
    file.execute("UPDATE approvals SET expires = 1", []).expect("the file can be written");
    sidecar.record(|record| record["decision"] == "expire" && record["approval_id"] == id.as_str()).await;
    assert_eq!(decide(&sidecar, "alice", &id, "approve").await.status, 409);
    assert!(changes(&stripe).is_empty());
}

/// A browser that keeps a cookie.
async fn browse(sidecar: &Sidecar, method: &str, path: &str, more: &str, form: &str) -> Reply {
    let admin = sidecar.admin;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nAccept: text/html,*/*\r\n{more}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    send(admin, request.as_bytes()).await
}

/// What stands between two texts of a page.
fn between<'a>(page: &'a str, before: &str, behind: &str) -> &'a str {
    let rest = page.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(behind).map_or("", |(found, _)| found)
}

#[tokio::test]
async fn people_decide_in_a_browser_and_no_other_page_does() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    let body = format!("{REFUND}&metadata[x]=%3Cscript%3E%E2%80%AE");
    let request = form(&sidecar, "/stripe/v1/refunds", &body);
    let id = read(&sidecar.send(&request).await)["id"].as_str().expect("it waits").to_owned();
    let closed = browse(&sidecar, "GET", "/approvals", "", "").await;
    assert!(
        closed.status == 401
            && closed.body.contains("name=\"token\"")
            && !closed.body.contains("PostRefunds")
    );
    assert!(closed.head.contains("frame-ancestors 'none'") && closed.head.contains("x-frame-options: deny"));
    let wrong = browse(&sidecar, "POST", "/approvals/session", "", "token=token-of-mallory").await;
    assert!(wrong.status == 401 && !wrong.head.contains("set-cookie"));
    let foreign = "Origin: http://evil.example.com\r\n";
    assert_eq!(
        browse(&sidecar, "POST", "/approvals/session", foreign, "token=token-of-alice").await.status,
        403
    );
    let own = format!("Origin: http://{}\r\n", sidecar.admin);
    let entered = browse(&sidecar, "POST", "/approvals/session", &own, "token=token-of-alice").await;
    assert_eq!(entered.status, 303, "{}", entered.body);
    assert!(entered.head.contains("httponly; samesite=strict"));
    let cookie = format!("Cookie: obelus_approver={}\r\n", between(&entered.head, "obelus_approver=", ";"));
    let overview = browse(&sidecar, "GET", "/approvals", &cookie, "").await;
    assert!(
        overview.status == 200 && overview.body.contains(&format!("/approvals/{id}")),
        "{}",
        overview.body
    );
    let path = format!("/approvals/{id}");
    let sheet = browse(&sidecar, "GET", &path, &cookie, "").await.body;
    assert!(
        sheet.contains("5.00 USD") && sheet.contains("PostRefunds") && !sheet.contains("<script"),
        "{sheet}"
    );
    let (key, digest) = (
        between(&sheet, "name=\"form_key\" value=\"", "\""),
        between(&sheet, "name=\"digest\" value=\"", "\""),
    );
    let approve = format!("{path}/approve");
    let forms = [
        (cookie.clone(), format!("digest={digest}"), 403),
        (cookie.clone(), format!("form_key={}&digest={digest}", "0".repeat(64)), 403),
        (String::new(), format!("form_key={key}&digest={digest}"), 401),
        (format!("{cookie}{foreign}"), format!("form_key={key}&digest={digest}"), 403),
        (format!("{cookie}{own}"), format!("form_key={key}&digest={}", "0".repeat(64)), 409),
        (format!("{cookie}{own}"), format!("form_key={key}&digest={digest}"), 303),
    ];
    for (head, form, status) in forms {
        let reply = browse(&sidecar, "POST", &approve, &head, &form).await;
        assert_eq!(reply.status, status, "{head} {form} {}", reply.body);
    }
    // A session is none for the JSON: that wants the token.
    let reply = sidecar.ask("/approvals").await;
    assert_eq!(reply.status, 403, "the host is another");
    assert_eq!(sidecar.send(&request).await.status, 200);
    assert_eq!(changes(&stripe).len(), 1);
}

/// What the record of an intent holds sealed, as the admin listener is asked about it.
pub(crate) async fn sealed(sidecar: &Sidecar, operation: &str) -> Value {
    let is_it = |record: &Value| record["operation"] == operation && record["sealed"].is_object();
    let record = sidecar.record(is_it).await;
    assert_eq!((&record["kind"], &record["decision"]), (&"call".into(), &"allow".into()));
    serde_json::json!({
        "request_id": record["request_id"], "key": record["sealed"]["key"], "data": record["sealed"]["data"],
    })
}

#[tokio::test]
async fn what_left_can_be_read_from_its_record_until_the_key_of_its_subject_is_erased() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "  subjects: subjects.db\n", "").await;
    let create = "email=jenny%40example.com&description=first+order";
    assert_eq!(sidecar.send(&form(&sidecar, "/stripe/v1/customers", create)).await.status, 200);
    let id = waiting(&sidecar).await;
    decide(&sidecar, "alice", &id, "approve").await;
    assert_eq!(refund(&sidecar).await.status, 200);
    let (created, refunded) =
        (sealed(&sidecar, "PostCustomers").await, sealed(&sidecar, "PostRefunds").await);
    let ask = async |verb: &str, body: &Value| {
        desk(&sidecar, "token-of-bob", "POST", &format!("/subjects/{verb}"), &body.to_string()).await
    };
    for (said, path, wanted) in [(&created, "/v1/customers", create), (&refunded, "/v1/refunds", REFUND)] {
        let shown = read(&ask("unseal", said).await);
        assert_eq!(
            (&shown["call"]["path"], &shown["call"]["body"]),
            (&path.into(), &wanted.into()),
            "{shown}"
        );
    }
    let mut moved = created.clone();
    moved["request_id"] = refunded["request_id"].clone();
    assert_eq!(ask("unseal", &moved).await.status, 409, "of another record");
    assert_eq!(desk(&sidecar, "nobody", "POST", "/subjects/unseal", "{}").await.status, 401);
    // The call that made the customer named nobody when it left; the charge is the same customer's, under the same key.
    let gone = ask("erase", &serde_json::json!({"subject": "cus_NffrFeUfNV2Hib"})).await;
    assert_eq!((gone.status, &read(&gone)["erased"]), (200, &1.into()));
    for said in [&created, &refunded] {
        assert_eq!(read(&ask("unseal", said).await)["is_erased"], true);
    }
    let record = sidecar.record(|record| record["kind"] == "subject_erased").await;
    assert_eq!(
        (&record["approver"], &record["stripe_objects"][0]),
        (&"bob".into(), &"cus_NffrFeUfNV2Hib".into())
    );
    let shown = sidecar.records().iter().filter(|record| record["kind"] == "unsealed").count();
    assert_eq!(shown, 5, "who asks is recorded, whatever comes of it");
    let text = std::fs::read_to_string(sidecar.path("audit.jsonl")).expect("there is an audit");
    assert!(!text.contains("jenny") && text.matches("\"sealed\"").count() == 2);
    let path = sidecar.path("audit.jsonl");
    let _folder = sidecar.folder;
    sidecar.signals.send(Signal::Drain).await.expect("it listens");
    wait(sidecar.running).await.expect("it ends");
    let files = obelus_audit::Files::of_log(&path).expect("there is an audit");
    let report = obelus_audit::verify(&files, &[], None, |_| {}).expect("it can be read");
    assert_eq!(report.fault, None, "the chain holds without the keys");
}

#[tokio::test]
async fn without_a_file_of_keys_nothing_is_sealed() {
    let stripe = stripe().await;
    let sidecar = start(&stripe, "", "").await;
    assert_eq!(sidecar.send(&form(&sidecar, "/stripe/v1/customers", "name=x")).await.status, 200);
    let record = sidecar.record(|record| record["operation"] == "PostCustomers").await;
    assert_eq!(record.get("sealed"), None);
    let reply = desk(&sidecar, "token-of-bob", "POST", "/subjects/erase", r#"{"subject": "cus_x"}"#).await;
    assert_eq!(reply.status, 404, "{}", reply.body);
}
