//! Bounds of time. No test measures it: each waits for what must come.

use crate::support::{Act, Reply, Sidecar, Upstream, chat, delta, events_head, raw, streamed_text, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {header_seconds: 0.2}\n").await;
    for begun in ["", "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        wait(stream.read_to_end(&mut answer)).await.unwrap();
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_head_that_trickles_ends_the_connection() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {header_seconds: 0.2}\n").await;
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
    // A byte at a time, for as long as the sidecar takes it.
    wait(async {
        while stream.write_all(b"y").await.is_ok() {
            tokio::task::yield_now().await
        }
    })
    .await;
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_body_that_stops_is_refused() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {body_idle_seconds: 0.2}\n").await;
    let whole = sidecar.chat("hello", "");
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
    let mut answer = Vec::new();
    wait(stream.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(Reply::parse(&answer).status, 408);
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_given_up() {
    let upstream = Upstream::start(|_| vec![Act::AwaitEnd]).await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {response_header_seconds: 0.2}\n").await;
    let reply = sidecar.send(&sidecar.chat("hello", "")).await;
    assert_eq!(reply.status, 504, "{reply:?}");
    wait(upstream.ended.acquire()).await.unwrap().forget();
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_told() {
    let upstream = Upstream::echo().await;
    let address = upstream.address;
    drop(upstream);
    let sidecar = Sidecar::start(address, "").await;
    let reply = sidecar.send(&sidecar.chat("hello", "")).await;
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(!reply.body.contains("127.0.0.1"), "{reply:?}");
    assert!(sidecar.metrics().await.contains("obelus_refusals_total{reason=\"upstream\"} 1"));
}

#[tokio::test]
async fn a_stream_that_goes_silent_ends_with_an_error() {
    let upstream =
        Upstream::start(|_| vec![Act::Send([events_head(), delta("words ")].concat()), Act::AwaitEnd]).await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {stream_idle_seconds: 0.2}\n").await;
    let request =
        sidecar.post("/v1/chat/completions", "Content-Type: application/json\r\n", &chat("hello", true));
    let reply = Reply::parse(&wait(raw(sidecar.data, &request)).await);
    assert_eq!(streamed_text(&reply.body), "words ");
    assert!(reply.body.contains("\"error\""), "{reply:?}");
    wait(upstream.ended.acquire()).await.unwrap().forget();
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    // More than all buffers on the way take.
    let upstream = Upstream::start(|_| {
        let piece = delta(&"words ".repeat(2000));
        let mut acts = vec![Act::Send(events_head())];
        acts.extend(std::iter::repeat_n(Act::Send(piece), 4000));
        acts
    })
    .await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {stream_idle_seconds: 1}\n").await;
    let request =
        sidecar.post("/v1/chat/completions", "Content-Type: application/json\r\n", &chat("hello", true));
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!(record["outcome"], "cancelled", "{record}");
    drop(stream);
}
