//! Requests that two readers could understand differently.

use crate::support::{Sidecar, Upstream, raw, wait};

/// A chat with these framing lines and this body, as the caller frames it.
fn request(sidecar: &Sidecar, lines: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: sidecar\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n{lines}\r\n{body}",
        sidecar.key
    )
    .into_bytes()
}

const BODY: &str = r#"{"model":"gpt-4o","messages":[]}"#;

#[tokio::test]
async fn nothing_that_could_be_smuggled_is_forwarded() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let length = BODY.len();
    let smuggled =
        format!("0\r\n\r\nPOST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{BODY}");
    for (lines, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled.as_str()),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &smuggled),
        (&format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), BODY),
        (&format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), BODY),
        (&format!("Content-Length: +{length}\r\n"), BODY),
        (&format!("Content-Length: {length}, {length}\r\n"), BODY),
        ("Transfer-Encoding : chunked\r\n", &smuggled),
        ("Transfer-Encoding: xchunked\r\n", &smuggled),
        ("Transfer-Encoding: gzip, chunked\r\n", &smuggled),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", &smuggled),
        ("Transfer-Encoding:\x0bchunked\r\n", &smuggled),
        (&format!("X: 1\n Content-Length: 3\r\nContent-Length: {length}\r\n"), BODY),
        (&format!("X: 1\r\n Content-Length: 3\r\nContent-Length: {length}\r\n"), BODY),
        (&format!("Content-Length: {length}\nX: 1\r\n"), BODY),
        (&format!("Content-Length: {length}\r\nX: a\0b\r\n"), BODY),
        (&format!("Content-Length: {length}\r\nHost: other\r\n"), BODY),
        ("Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\n{}xx0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n"),
        ("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"),
    ] {
        // The answer ends with the connection, so this also says that it is closed.
        let answer = wait(raw(sidecar.data, &request(&sidecar, lines, body))).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lines:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lines:?}: {answer}");
        assert!(
            answer.contains("x-obelus-request-id: ") && answer.contains("\"error\""),
            "{lines:?}: {answer}"
        );
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn targets_that_name_a_host_are_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    for (line, status) in [
        ("POST http://198.51.100.1/v1/chat/completions HTTP/1.1", 400),
        ("CONNECT api.example.com:443 HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 400),
        ("POST /v1/chat/completions HTTP/1.0", 505),
        ("PRI * HTTP/2.0", 505),
        ("", 400),
    ] {
        let request = format!("{line}\r\nHost: sidecar\r\nAuthorization: Bearer {}\r\n\r\n", sidecar.key);
        assert_eq!(sidecar.send(request.as_bytes()).await.status, status, "{line}");
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_head_over_a_limit_is_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "limits: {header_bytes: 2048, headers: 10}\n").await;
    for more in ["X: y\r\n".repeat(11), format!("X: {}\r\n", "y".repeat(2048))] {
        let request = sidecar.chat("hello", &more);
        assert_eq!(sidecar.send(&request).await.status, 431);
    }
    assert_eq!(sidecar.send(&sidecar.chat("hello", "X: y\r\n")).await.status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_fault_is_answered_in_its_turn() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let first = request(&sidecar, &format!("Content-Length: {}\r\n", BODY.len()), BODY);
    let second = request(&sidecar, "Content-Length: +1\r\n", "{}");
    let answer = wait(raw(sidecar.data, &[first, second].concat())).await;
    let answer = String::from_utf8(answer).unwrap();
    let statuses: Vec<&str> =
        answer.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(statuses, ["200", "400"], "{answer}");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn extensions_and_trailers_go_no_further() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let (one, two) = BODY.split_at(10);
    let body = format!(
        "{:x};note=jenny@example.com\r\n{one}\r\n{:X}\r\n{two}\r\n0\r\nX-Note: jenny@example.com\r\n\r\n",
        one.len(),
        two.len()
    );
    let lines = "Transfer-Encoding: chunked\r\nTrailer: X-Note\r\nConnection: close\r\n";
    assert_eq!(sidecar.send(&request(&sidecar, lines, &body)).await.status, 200);
    let seen = upstream.seen().concat();
    assert!(seen.ends_with(BODY) && !seen.contains("jenny") && !seen.contains("chunked"), "{seen}");
}
