//! What can only be brought about from inside: a disk that is full, a fault of the sidecar.

use crate::events::EventBody;
use crate::exchange::Exchange;
use crate::support::{Act, Sidecar, Upstream, app, chat, delta, events_head, streamed_text, yaml};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use obelus_audit::Coverage;
use obelus_vault::virtual_key::KeyId;
use obelus_wire::{Provider, Route};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// What a body says to bring about a panic where it is read.
const TRIPWIRE: &[u8] = b"panic now";

/// Panics if the body says so.
pub(crate) fn trip(body: &[u8]) {
    assert!(!body.windows(TRIPWIRE.len()).any(|window| window == TRIPWIRE), "said by the body");
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_leave() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (app, keys) = app(&folder, &yaml(upstream.address, "")).await;
    let core = Arc::clone(&app.core);
    let sidecar = Sidecar::run(app, keys, folder);
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    core.fill_disk();
    for _ in 0..2 {
        let reply = sidecar.send(&sidecar.chat("hello", "")).await;
        assert!(reply.status == 503 && reply.body.contains("audit"), "{reply:?}");
    }
    assert_eq!(upstream.seen().len(), 1);
    let ready = sidecar.ask("/readyz").await;
    assert!(ready.status == 503 && ready.body.contains("\"audit\":false"), "{ready:?}");
    assert!(sidecar.metrics().await.contains("obelus_refusals_total{reason=\"audit\"} 2"));
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let long = "words ".repeat(100_000);
    for text in ["panic now", &format!("{long} panic now")] {
        let reply = sidecar.send(&sidecar.chat(text, "")).await;
        assert!(reply.status == 500 && !reply.body.contains("said by"), "{reply:?}");
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
    // On one connection, the request behind the one that was lost is served.
    let body = chat("panic now", false);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        sidecar.key,
        body.len()
    );
    let both = [head.as_bytes(), &body, &sidecar.chat("hello", "")].concat();
    let answer = String::from_utf8(crate::support::raw(sidecar.data, &both).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("HTTP/1.1 200 "), "{answer}");
    assert_eq!(upstream.seen().len(), 1);
    assert!(sidecar.metrics().await.contains("obelus_panics_total 3"));
    let record = sidecar.record(|record| record["reason"] == "internal").await;
    assert_eq!((&record["decision"], &record["status"]), (&"refuse".into(), &500.into()));
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_that_stream() {
    let upstream = Upstream::start(|_| {
        let pieces = [events_head(), delta("some words "), delta("panic now "), delta("never seen ")];
        pieces.map(Act::Send).to_vec()
    })
    .await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let media = "Content-Type: application/json\r\n";
    let request = sidecar.post("/v1/chat/completions", media, &chat("close-after-answer", true));
    let reply = sidecar.send(&request).await;
    assert!(reply.body.contains("\"error\"") && reply.body.contains("a fault of the sidecar"), "{reply:?}");
    assert!(!streamed_text(&reply.body).contains("now") && !reply.body.contains("never"), "{reply:?}");
    let record = sidecar.record(|record| record["kind"] == "model_answer").await;
    assert_eq!((&record["outcome"], &record["reason"]), (&"failed".into(), &"internal".into()));
    let metrics = sidecar.metrics().await;
    assert!(
        metrics.contains("obelus_panics_total 1\n") && metrics.contains("obelus_open_streams 0\n"),
        "{metrics}"
    );
}

/// An upstream that has a piece whenever it is asked, and counts how often that is.
struct Eager {
    asked: Arc<AtomicUsize>,
    left: usize,
}

impl Body for Eager {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.left = self.left.saturating_sub(1);
        Poll::Ready(
            (self.left > 0).then(|| Ok(Frame::data(delta("A sentence that is long enough. ").into()))),
        )
    }
}

#[tokio::test]
async fn nothing_is_read_ahead_of_the_client() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = app(&folder, &yaml(upstream.address, "")).await;
    let core = Arc::clone(&app.core);
    let Ok(mut exchange) = Exchange::new(&core, Provider::OpenAi) else { panic!("there are random bytes") };
    let Ok(ending) = exchange.allow(&[], Coverage::default()) else { panic!("the audit can be written") };
    let ticket = core.open.add(KeyId::parse("00000000").unwrap());
    let policy = core.policy.load_full();
    let wire = Arc::clone(&policy.grant("default").unwrap().wire);
    let events = wire.events(Route::ChatCompletions, core.vault.scope("tenant", "session"));
    let asked = Arc::<AtomicUsize>::default();
    let upstream = Eager { asked: Arc::clone(&asked), left: 5 };
    let mut body = EventBody::new(upstream, events, Duration::from_secs(60), ticket, ending);
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        assert!(!frame.unwrap().into_data().unwrap().is_empty());
        frames += 1;
        assert_eq!(asked.load(Ordering::Relaxed), frames, "one piece is read for each that leaves");
    }
    assert_eq!(frames, 5, "what was held leaves with the end");
}
