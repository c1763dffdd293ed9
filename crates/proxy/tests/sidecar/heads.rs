//! Paths, parameters and headers, in both directions.

use crate::support::{Act, PROVIDER_KEY, Sidecar, Upstream, chat, completion, json};

#[tokio::test]
async fn only_paths_of_known_routes_exist() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    for path in [
        "/v1/files",
        "/v1/../admin/keys",
        "/v1/chat/./completions",
        "/v1/chat/%63ompletions",
        "/v1/chat%2fcompletions",
        "/v1/%2e%2e/v1/chat/completions",
        "//v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions;jsessionid=1",
        "/v1\\chat\\completions",
        "/V1/chat/completions",
        "/v1/realtime",
        "/v1/models/4242424242424242",
    ] {
        let request = sidecar.post(path, "Content-Type: application/json\r\n", &chat("hello", false));
        let reply = sidecar.send(&request).await;
        assert!([400, 404].contains(&reply.status), "{path} {reply:?}");
        assert!(!reply.body.contains("4242"), "{reply:?}");
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn credentials_and_headers_of_the_caller_do_not_travel() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let lines = format!(
        "X-Api-Key: {}\r\nCookie: a=jenny\r\nX-Forwarded-For: 203.0.113.77\r\nBaggage: u=alice.smith@example.com\r\n\
         Forwarded: for=203.0.113.77\r\nX-Upstream-Url: http://198.51.100.1/\r\nX-Customer: =?utf-8?B?YQ==?=\r\n\
         Proxy-Authorization: Basic quartz\r\nAccept-Encoding: gzip\r\nOpenAI-Organization: org-1\r\n\
         Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
        sidecar.key
    );
    assert_eq!(sidecar.send(&sidecar.chat("hello", &lines)).await.status, 200);
    let seen = upstream.seen().concat().to_lowercase();
    for absent in [
        "vk_",
        "jenny",
        "203.0.113",
        "alice",
        "198.51",
        "x-customer",
        "quartz",
        "gzip",
        "x-api-key",
        "sidecar",
    ] {
        assert!(!seen.contains(absent), "{absent}: {seen}");
    }
    for present in [
        &format!("authorization: bearer {PROVIDER_KEY}"),
        "openai-organization: org-1",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "accept-encoding: identity",
        &format!("host: {}", upstream.address),
    ] {
        assert!(seen.contains(present), "{present}: {seen}");
    }
}

#[tokio::test]
async fn the_key_of_each_provider_stands_where_it_wants_it() {
    let upstream = Upstream::start(|_| vec![Act::Send(json("{\"input_tokens\":1}"))]).await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let body = br#"{"model":"claude-1","messages":[{"role":"user","content":"hello"}]}"#;
    let lines = "Content-Type: application/json\r\nAnthropic-Version: 2023-06-01\r\n";
    let reply =
        sidecar.send(&sidecar.post("/v1/messages/count_tokens?beta=true&user=jenny", lines, body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let seen = upstream.seen().concat().to_lowercase();
    assert!(seen.starts_with("post /v1/messages/count_tokens?beta=true http/1.1\r\n"), "{seen}");
    assert!(
        seen.contains(&format!("x-api-key: {PROVIDER_KEY}")) && !seen.contains("authorization"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_query_that_is_not_known_stays_here() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let path = "/v1/chat/completions?user=alice.smith@example.com&api_base=http://198.51.100.1";
    let request = sidecar.post(path, "Content-Type: application/json\r\n", &chat("hello", false));
    assert_eq!(sidecar.send(&request).await.status, 200);
    assert!(upstream.seen().concat().starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    let record = sidecar.record(|record| record["kind"] == "model_request").await;
    assert_eq!(record["coverage"]["unread"][0], "query");
}

#[tokio::test]
async fn an_upgrade_is_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let lines = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n";
    assert_eq!(sidecar.send(&sidecar.chat("hello", lines)).await.status, 400);
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_finding_in_a_header_refuses() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let reply = sidecar.send(&sidecar.chat("hello", "Idempotency-Key: jenny@example.com\r\n")).await;
    assert!(reply.status == 400 && reply.body.contains("idempotency-key") && !reply.body.contains("jenny"));
    let duplicate = format!("X-Api-Key: {0}\r\nX-Api-Key: {0}\r\n", sidecar.key);
    assert_eq!(sidecar.send(&sidecar.chat("hello", &duplicate)).await.status, 400);
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

/// An upstream whose every answer has this head and body, and what becomes of it.
async fn answered(head: &str, body: &str) -> (u16, String, String) {
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let upstream = Upstream::start(move |_| vec![Act::Send(answer.clone().into_bytes())]).await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let reply = sidecar.send(&sidecar.chat("hello", "")).await;
    assert_eq!(upstream.seen().len(), 1);
    (reply.status, reply.head, reply.body)
}

#[tokio::test]
async fn answers_that_cannot_be_read_do_not_pass() {
    let card = format!("{{\"card\":\"{}\"}}", "4242".repeat(4));
    for head in [
        "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip",
        "200 OK\r\nContent-Type: text/html",
        "502 Bad Gateway\r\nContent-Type: text/plain",
        "200 OK\r\nContent-Type: application/json; charset=latin1",
        "200 OK\r\nX-None: 1",
        "302 Found\r\nLocation: http://198.51.100.1/\r\nContent-Type: application/json",
        "200 OK\r\nContent-Type: audio/mpeg",
    ] {
        let (status, head_out, body) = answered(head, &card).await;
        assert_eq!(status, 502, "{head}");
        assert!(!body.contains("4242") && !head_out.contains("location"), "{body}");
    }
    let (status, _, _) = answered("200 OK\r\nContent-Type: application/json", "{\"cut\":").await;
    assert_eq!(status, 502);
}

#[tokio::test]
async fn that_the_provider_refuses_the_sidecars_key_is_no_fault_of_the_clients() {
    let body = r#"{"error":{"message":"Incorrect API key provided: ****uartz","code":"invalid_api_key"}}"#;
    let (status, _, body) = answered("401 Unauthorized\r\nContent-Type: application/json", body).await;
    assert_eq!(status, 502);
    assert!(!body.contains("uartz") && body.contains("the sidecar's key"), "{body}");
}

#[tokio::test]
async fn errors_of_the_provider_are_read_like_answers() {
    let body = r#"{"error":{"message":"no account jenny@example.com","type":"x"}}"#;
    let head = "429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 7\r\nX-Request-Id: req_1\r\n\
                Set-Cookie: a=b\r\nETag: x\r\nDigest: x\r\nX-Ratelimit-Remaining-Tokens: 5";
    let (status, head, body) = answered(head, body).await;
    assert_eq!(status, 429);
    assert!(body.contains("no account [email]"), "{body}");
    for present in
        ["retry-after: 7", "x-request-id: req_1", "x-ratelimit-remaining-tokens: 5", "x-obelus-request-id: "]
    {
        assert!(head.contains(present), "{present}: {head}");
    }
    assert!(!head.contains("set-cookie") && !head.contains("etag") && !head.contains("digest"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
}

#[tokio::test]
async fn what_the_model_invents_is_redacted() {
    let card = "4242".repeat(4);
    let (status, _, body) =
        answered("200 OK\r\nContent-Type: application/json", &completion(&format!("pay with {card}"))).await;
    assert_eq!(status, 200);
    assert!(body.contains("pay with [card-number]"), "{body}");
}

#[tokio::test]
async fn an_answer_over_the_limit_does_not_pass() {
    let long = completion(&"words ".repeat(1000));
    let upstream = Upstream::start(move |_| vec![Act::Send(json(&long))]).await;
    let sidecar = Sidecar::start(upstream.address, "limits: {answer_bytes: 1000}\n").await;
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 502);
}
