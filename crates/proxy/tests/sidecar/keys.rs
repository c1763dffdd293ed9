//! Who may do what.

use crate::support::{Act, Reply, Sidecar, Upstream, chat, delta, events_head, streamed_text, wait};
use obelus_vault::virtual_key;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn with_key(lines: &str) -> Vec<u8> {
    let body = chat("hello", false);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n{lines}\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

#[tokio::test]
async fn nobody_is_let_in_without_a_virtual_key() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let other = sidecar.new_key("default");
    let key = &sidecar.key;
    let mut altered = key.clone();
    altered.replace_range(20..21, if key.get(20..21) == Some("0") { "1" } else { "0" });
    for lines in [
        String::new(),
        "Authorization: Bearer \r\n".to_owned(),
        "Authorization: Basic dXNlcjpwdw==\r\n".to_owned(),
        format!("Authorization: {key}\r\n"),
        format!("Authorization: Bearer {altered}\r\n"),
        format!("Authorization: Bearer {key}0\r\n"),
        format!("Authorization: Bearer {}\r\n", ["sk", "-quartz"].concat()),
        format!("Authorization: Bearer {key}\r\nX-Api-Key: {other}\r\n"),
    ] {
        let reply = sidecar.send(&with_key(&lines)).await;
        assert_eq!(reply.status, 401, "{lines} {reply:?}");
        assert!(reply.body.contains("authentication_error"), "{reply:?}");
        assert!(!reply.body.contains("vk_") && !reply.body.contains("quartz"), "{reply:?}");
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
    for lines in [
        format!("Authorization: bearer {key}\r\n"),
        format!("X-Api-Key: {key}\r\n"),
        format!("Authorization: Bearer {key}\r\nX-Api-Key: {key}\r\n"),
    ] {
        assert_eq!(sidecar.send(&with_key(&lines)).await.status, 200, "{lines}");
    }
}

#[tokio::test]
async fn a_workflow_says_what_its_keys_may_do() {
    let upstream = Upstream::echo().await;
    let workflows = "workflows:\n  default: {}\n  narrow: {upstreams: [openai], routes: [chat-completions], models: ['gpt-*-mini']}\n";
    let sidecar = Sidecar::start(upstream.address, workflows).await;
    let key = sidecar.new_key("narrow");
    let gone = sidecar.new_key("gone");
    let ask = |key: String, path: &str, model: &str| {
        let body =
            format!(r#"{{"model":"{model}","input":"x","messages":[{{"role":"user","content":"hello"}}]}}"#);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Authorization: Bearer {key}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let data = sidecar.data;
        async move { crate::support::send(data, head.as_bytes()).await }
    };
    let path = "/v1/chat/completions";
    assert_eq!(ask(key.clone(), path, "gpt-4o-mini").await.status, 200);
    for (key, path, model) in [
        (&key, path, "gpt-4o"),
        (&key, "/v1/embeddings", "gpt-4o-mini"),
        (&key, "/v1/messages", "gpt-4o-mini"),
        (&gone, path, "gpt-4o-mini"),
    ] {
        assert_eq!(ask(key.clone(), path, model).await.status, 403, "{path} {model}");
    }
    let reply = ask(sidecar.key.clone(), path, "jenny@example.com").await;
    assert!(reply.status == 400 && !reply.body.contains("jenny"), "{reply:?}");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn more_requests_than_allowed_are_refused_until_later() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "workflows:\n  default: {requests_per_day: 2}\n").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let Reply { status, head, .. } = sidecar.send(&sidecar.chat("hello", "")).await;
        assert_eq!(head.contains("retry-after: "), status == 429, "{head}");
        statuses.push(status);
    }
    // Unless a day begins just now.
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!((1..=2).contains(&refused), "{statuses:?}");
    assert_eq!(upstream.seen().len(), 4 - refused);
}

#[tokio::test]
async fn a_revoked_key_is_refused_with_the_next_request() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    let id = virtual_key::parse(sidecar.key.as_bytes()).unwrap();
    let fresh = sidecar.keys.rotate(&id, Duration::from_secs(3600), SystemTime::now()).unwrap();
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200, "in the overlap");
    sidecar.keys.revoke(&id, SystemTime::now()).unwrap();
    let reply = sidecar.send(&sidecar.chat("hello", "")).await;
    assert_eq!(reply.status, 401);
    assert!(!reply.body.contains("revoked"), "a client learns no more than that it is refused");
    let lines = format!("X-Api-Key: {}\r\n", fresh.reveal());
    assert_eq!(sidecar.send(&with_key(&lines)).await.status, 200);
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn open_streams_of_a_revoked_key_end() {
    let upstream = Upstream::start(|_| {
        let first = [events_head(), delta("some words ")].concat();
        vec![Act::Send(first), Act::AwaitEnd]
    })
    .await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let request =
        sidecar.post("/v1/chat/completions", "Content-Type: application/json\r\n", &chat("hello", true));
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut bytes = Vec::new();
    wait(async {
        while !bytes.windows(6).any(|window| window == b"data: ") {
            stream.read_buf(&mut bytes).await.unwrap();
        }
    })
    .await;
    let id = virtual_key::parse(sidecar.key.as_bytes()).unwrap();
    sidecar.keys.revoke(&id, SystemTime::now()).unwrap();
    wait(stream.read_to_end(&mut bytes)).await.unwrap();
    let reply = Reply::parse(&bytes);
    assert_eq!(streamed_text(&reply.body), "some words ");
    assert!(reply.body.contains("revoked"), "{reply:?}");
    wait(upstream.ended.acquire()).await.unwrap().forget();
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!((&record["outcome"], &record["reason"]), (&"cancelled".into(), &"revoked".into()));
}

#[tokio::test]
async fn a_session_is_what_the_header_of_the_workflow_says() {
    let upstream = Upstream::echo().await;
    let sidecar =
        Sidecar::start(upstream.address, "workflows:\n  default: {session_header: x-session}\n").await;
    for lines in ["X-Session: a\r\n", "X-Session: a\r\n", "X-Session: b\r\n", ""] {
        let reply = sidecar.send(&sidecar.chat("jenny@example.com", lines)).await;
        assert!(reply.body.contains("jenny@example.com"), "{reply:?}");
    }
    let tokens: Vec<String> = upstream.seen().iter().map(|seen| crate::support::content(seen)).collect();
    assert!(tokens.iter().all(|token| token.starts_with("obl_email_")), "{tokens:?}");
    assert_eq!(tokens[0], tokens[1]);
    assert!(tokens[0] != tokens[2] && tokens[2] != tokens[3] && tokens[0] != tokens[3], "{tokens:?}");
    let long = "s".repeat(129);
    assert_eq!(sidecar.send(&sidecar.chat("hello", &format!("X-Session: {long}\r\n"))).await.status, 400);
    assert!(!upstream.seen().concat().to_lowercase().contains("x-session"));
}

#[tokio::test]
async fn a_workflow_of_certain_models_wants_one_named() {
    let upstream = Upstream::echo().await;
    let workflows = "workflows:\n  default: {models: ['gpt-*']}\n";
    let sidecar = Sidecar::start(upstream.address, workflows).await;
    let media = "Content-Type: application/json\r\n";
    let ask = |body: &str| sidecar.post("/v1/responses", media, body.as_bytes());
    let stored = r#"{"prompt":{"id":"pmpt_1"},"input":"hello"}"#;
    let reply = sidecar.send(&ask(stored)).await;
    assert!(reply.status == 403 && reply.body.contains("`model`"), "{reply:?}");
    assert_eq!(sidecar.send(&ask(r#"{"model":"gpt-4o","input":"hello"}"#)).await.status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_virtual_key_in_a_body_is_hidden_recorded_and_revoked() {
    let upstream = Upstream::echo().await;
    for profile in ["", "profiles:\n  default: {transform: label}\n"] {
        let sidecar = Sidecar::start(upstream.address, profile).await;
        let exposed = sidecar.new_key("default");
        let secret = exposed.get(12..44).unwrap();
        assert_eq!(sidecar.send(&with_key(&format!("X-Api-Key: {exposed}\r\n"))).await.status, 200);
        let reply = sidecar.send(&sidecar.chat(&format!("my key is {exposed}, so"), "")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(upstream.seen().iter().all(|seen| !seen.contains(secret)));
        let id = virtual_key::parse(exposed.as_bytes()).unwrap();
        let record = sidecar.record(|record| record["kind"] == "key_exposed").await;
        assert_eq!(record["exposed_key"], id.as_str());
        assert_ne!(record["actor"]["key"], id.as_str());
        assert_eq!(sidecar.send(&with_key(&format!("X-Api-Key: {exposed}\r\n"))).await.status, 401);
        assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200, "the other key stays");
        // It is of no use any more: to say it again is nothing new.
        assert_eq!(sidecar.send(&sidecar.chat(&exposed, "")).await.status, 200);
        let records = sidecar.records();
        assert_eq!(records.iter().filter(|record| record["kind"] == "key_exposed").count(), 1);
        assert!(!serde_json::to_string(&records).unwrap().contains(secret));
    }
}

#[tokio::test]
async fn a_key_in_its_own_request_ends_that_request() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let key = sidecar.key.clone();
    let reply = sidecar.send(&sidecar.chat(&format!("my key is {key}"), "")).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert_eq!(upstream.seen(), Vec::<String>::new());
    sidecar.record(|record| record["kind"] == "key_exposed").await;
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 401);
}

#[tokio::test]
async fn a_key_in_a_request_that_is_refused_is_revoked_all_the_same() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let exposed = sidecar.new_key("default");
    let media = "Content-Type: application/json\r\n";
    let body = format!(r#"{{"model":"m","background":true,"input":"{exposed}"}}"#);
    assert_ne!(sidecar.send(&sidecar.post("/v1/responses", media, body.as_bytes())).await.status, 200);
    sidecar.record(|record| record["kind"] == "key_exposed").await;
    assert_eq!(sidecar.send(&with_key(&format!("X-Api-Key: {exposed}\r\n"))).await.status, 401);
}

#[tokio::test]
async fn more_virtual_keys_than_anybody_exposes_are_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let keys: Vec<String> = (0..17).map(|_| sidecar.new_key("default")).collect();
    let reply = sidecar.send(&sidecar.chat(&keys.join(" "), "")).await;
    assert!(reply.status == 400 && reply.body.contains("\"credential\""), "{reply:?}");
    assert!(!reply.body.contains(&keys[0]));
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn the_requests_of_a_day_outlive_the_process() {
    let upstream = Upstream::echo().await;
    let text = crate::support::yaml(upstream.address, "workflows:\n  default: {requests_per_day: 2}\n");
    let folder = tempfile::tempdir().unwrap();
    let (app, keys) = crate::support::app(&folder, &text).await;
    let sidecar = Sidecar::run(app, keys, folder);
    for _ in 0..2 {
        assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    }
    let Sidecar { folder, key, signals, running, .. } = sidecar;
    signals.send(obelus_proxy::Signal::Drain).await.unwrap();
    wait(running).await.unwrap();
    let (app, keys) = crate::support::app(&folder, &text).await;
    let mut again = Sidecar::run(app, keys, folder);
    assert_eq!(again.send(&again.chat("hello", "")).await.status, 200, "another key");
    again.key = key;
    // Unless a day begins just now.
    assert_eq!(again.send(&again.chat("hello", "")).await.status, 429);
    assert_eq!(upstream.seen().len(), 3);
}
