//! What bodies may be, and what reaches the upstream of them.

use crate::support::{Sidecar, Upstream, chat, content};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;

fn encode(coding: &str, body: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "raw deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut out = Vec::new();
            brotli::BrotliCompress(&mut &body[..], &mut out, &Default::default()).unwrap();
            out
        }
        "zstd" => zstd::encode_all(body, 3).unwrap(),
        _ => body.to_vec(),
    }
}

fn request(sidecar: &Sidecar, coding: &str, body: &[u8]) -> Vec<u8> {
    let lines = format!("Content-Type: application/json\r\nContent-Encoding: {coding}\r\n");
    sidecar.post("/v1/chat/completions", &lines, body)
}

#[tokio::test]
async fn values_become_tokens_on_the_way_and_values_again_on_the_way_back() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = format!("traceparent: {trace}\r\n");
    let reply = sidecar.send(&sidecar.chat("write to jenny@example.com", &traced)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.contains("write to jenny@example.com"), "{reply:?}");
    let seen = content(&upstream.seen().concat());
    assert!(seen.starts_with("write to obl_email_") && !seen.contains("jenny"), "{seen}");
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!(record["outcome"], "completed");
    let request = sidecar.record(|record| record["kind"] == "model_request").await;
    assert_eq!((&request["decision"], &request["redactions"]["email"]), (&"allow".into(), &1.into()));
    assert_eq!(request["route"]["model"], "gpt-4o");
    assert_eq!(request["request_id"], record["request_id"]);
    assert_eq!((&request["traceparent"], &record["traceparent"]), (&trace.into(), &trace.into()));
}

#[tokio::test]
async fn every_coding_is_taken_off() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let body = chat("write to jenny@example.com", false);
    for coding in ["identity", "gzip", "GZIP", "deflate", "br", "zstd"] {
        let encoded = encode(&coding.to_lowercase(), &body);
        let reply = sidecar.send(&request(&sidecar, coding, &encoded)).await;
        assert_eq!(reply.status, 200, "{coding} {reply:?}");
        assert!(reply.body.contains("jenny@example.com"), "{coding}");
    }
    let raw = encode("raw deflate", &body);
    assert_eq!(sidecar.send(&request(&sidecar, "deflate", &raw)).await.status, 200);
    for seen in upstream.seen() {
        assert!(seen.contains("obl_email_") && !seen.to_lowercase().contains("content-encoding"), "{seen}");
    }
    assert_eq!(upstream.seen().len(), 7);
}

#[tokio::test]
async fn bombs_of_every_coding_are_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let body = chat(&"0".repeat(40 << 20), false);
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let reply = sidecar.send(&request(&sidecar, coding, &encode(coding, &body))).await;
        assert_eq!(reply.status, 413, "{coding} {reply:?}");
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let body = chat("write to jenny@example.com", false);
    let gzip = encode("gzip", &body);
    for (coding, body, status) in [
        ("x-snappy-framed", &body, 415),
        ("gzip, gzip", &encode("gzip", &gzip), 415),
        ("gzip\r\nContent-Encoding: gzip", &gzip, 400),
        ("", &body, 415),
        ("gzip", &body, 400),
        ("gzip", &[&gzip[..], b"jenny@example.com"].concat(), 400),
        ("identity", &gzip, 400),
        ("br", &gzip, 400),
    ] {
        let reply = sidecar.send(&request(&sidecar, coding, body)).await;
        assert_eq!(reply.status, status, "{coding} {reply:?}");
        assert!(!reply.body.contains("jenny"), "{reply:?}");
    }
    for (media, status) in [
        ("Content-Type: text/plain", 415),
        ("Content-Type: application/json; charset=latin1", 415),
        ("Content-Type: application/json; charset=utf-16", 415),
        ("Content-Type: multipart/form-data; boundary=x", 415),
        ("Content-Type: application/x-www-form-urlencoded", 415),
        ("X-None: 1", 415),
        ("Content-Type: application/json\r\nContent-Type: text/plain", 400),
    ] {
        let request = sidecar.post("/v1/chat/completions", &format!("{media}\r\n"), &body);
        assert_eq!(sidecar.send(&request).await.status, status, "{media}");
    }
    for text in [
        "",
        "{",
        "{\"model\":\"gpt-4o\",\"model\":\"other\",\"messages\":[]}",
        "{\"messages\":[]} jenny@example.com",
    ] {
        let request =
            sidecar.post("/v1/chat/completions", "Content-Type: application/json\r\n", text.as_bytes());
        assert_eq!(sidecar.send(&request).await.status, 400, "{text}");
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
    let json =
        sidecar.post("/v1/chat/completions", "Content-Type: Application/JSON; charset=\"UTF-8\"\r\n", &body);
    assert_eq!(sidecar.send(&json).await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_is_framed() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "limits: {body_bytes: 1000}\n").await;
    let body = chat(&"a ".repeat(600), false);
    let counted = sidecar.post("/v1/chat/completions", "Content-Type: application/json\r\n", &body);
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/json\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        sidecar.key,
        body.len(),
        String::from_utf8(body.clone()).unwrap()
    );
    for request in [counted, chunked.into_bytes(), request(&sidecar, "gzip", &encode("gzip", &body))] {
        assert_eq!(sidecar.send(&request).await.status, 413);
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_route_without_a_body_takes_none() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let key = &sidecar.key;
    let head = |lines: &str| {
        format!(
            "GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{lines}\r\n"
        )
    };
    assert_eq!(sidecar.send(head("").as_bytes()).await.status, 200);
    let with_body = head("Content-Length: 2\r\n") + "{}";
    assert_eq!(sidecar.send(with_body.as_bytes()).await.status, 400);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_body_on_another_thread_is_read_the_same_way() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let long = format!("{} jenny@example.com", "words ".repeat(100_000));
    let reply = sidecar.send(&sidecar.chat(&long, "")).await;
    assert!(reply.status == 200 && reply.body.contains("jenny@example.com"), "{}", reply.head);
    assert!(!upstream.seen().concat().contains("jenny"));
}
