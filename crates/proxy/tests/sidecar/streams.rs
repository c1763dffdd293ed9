//! Streamed answers.

use crate::support::{Act, Sidecar, Upstream, chat, content, delta, events_head, streamed_text, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn request(sidecar: &Sidecar, content: &str) -> Vec<u8> {
    sidecar.post("/v1/chat/completions", "Content-Type: application/json\r\n", &chat(content, true))
}

#[tokio::test]
async fn a_token_in_pieces_becomes_its_value() {
    let upstream = Upstream::start(|request| {
        let said = content(request);
        let pieces = said.as_bytes().chunks(3).map(|piece| delta(std::str::from_utf8(piece).unwrap()));
        let mut acts = vec![Act::Send(events_head())];
        acts.extend(pieces.map(Act::Send));
        acts.push(Act::Send(b"data: [DONE]\n\nclose-after-answer".to_vec()));
        acts
    })
    .await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let reply =
        sidecar.send(&request(&sidecar, "close-after-answer: write to jenny@example.com today")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("content-type: text/event-stream"), "{reply:?}");
    assert_eq!(
        streamed_text(&reply.body),
        "close-after-answer: write to jenny@example.com today",
        "{reply:?}"
    );
    assert!(reply.body.ends_with("data: [DONE]\n\n"), "{reply:?}");
    assert!(!upstream.seen().concat().contains("jenny"));
    let metrics = sidecar.metrics().await;
    assert!(
        metrics.contains("obelus_held_bytes 0\n") && metrics.contains("obelus_open_streams 0\n"),
        "{metrics}"
    );
    assert!(metrics.contains("obelus_added_first_byte_seconds_count 1\n"), "{metrics}");
}

#[tokio::test]
async fn what_the_upstream_breaks_off_ends_with_an_error_and_leaks_nothing() {
    let card = "4242".repeat(4);
    let first = format!("pay with {}", card.get(..12).unwrap());
    let upstream = Upstream::start(move |_| {
        let mut chunked =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_vec();
        let event = delta(&first);
        chunked.extend(format!("{:x}\r\n", event.len() + 100).into_bytes());
        chunked.extend(event);
        vec![Act::Send(chunked)]
    })
    .await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let reply = sidecar.send(&request(&sidecar, "close-after-answer")).await;
    assert!(streamed_text(&reply.body).starts_with("pay with"), "{reply:?}");
    assert!(reply.body.contains("\"error\"") && reply.body.contains("broke the answer off"), "{reply:?}");
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!((&record["outcome"], &record["reason"]), (&"failed".into(), &"upstream".into()));
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_request_to_the_upstream() {
    let upstream =
        Upstream::start(|_| vec![Act::Send([events_head(), delta("words ")].concat()), Act::AwaitEnd]).await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&request(&sidecar, "hello")).await.unwrap();
    wait(stream.read_u8()).await.unwrap();
    drop(stream);
    wait(upstream.ended.acquire()).await.unwrap().forget();
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!(record["outcome"], "cancelled");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_recorded_once() {
    let upstream = Upstream::start(|_| vec![Act::AwaitEnd]).await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&request(&sidecar, "hello")).await.unwrap();
    sidecar.record(|record| record["kind"] == "model_request").await;
    // The record is there before the request leaves.
    wait(async {
        while upstream.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(stream);
    wait(upstream.ended.acquire()).await.unwrap().forget();
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!(record["outcome"], "cancelled");
    let kinds: Vec<_> = sidecar.records().iter().map(|record| record["kind"].clone()).collect();
    assert_eq!(kinds, ["segment_started", "started", "model_request", "model_answer"]);
}

#[tokio::test]
async fn pieces_leave_as_they_are_settled() {
    let upstream = Upstream::start(|_| {
        let end = [delta("done."), b"data: [DONE]\n\n".to_vec()].concat();
        vec![
            Act::Send(
                [
                    events_head(),
                    delta("The quick brown fox jumps over the lazy dog, and then it does so again. "),
                ]
                .concat(),
            ),
            Act::Hold,
            Act::Send(end),
        ]
    })
    .await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&request(&sidecar, "close-after-answer")).await.unwrap();
    let mut bytes = Vec::new();
    // The upstream says no more until this has been seen.
    wait(async {
        while !bytes.windows(5).any(|window| window == b"quick") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        }
    })
    .await;
    upstream.release.add_permits(1);
    wait(stream.read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes.windows(5).any(|window| window == b"done."));
}
