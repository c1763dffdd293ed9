//! What is planted comes out of no output of the process but where it belongs.

use crate::support::{Act, Sidecar, Upstream, chat, completion, json, wait};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tokio::task::yield_now;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Kept;

    fn make_writer(&'a self) -> Kept {
        self.clone()
    }
}

#[tokio::test]
async fn planted_values_stand_in_no_log_metric_record_or_error() {
    let log = Kept::default();
    let all = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let subscriber = all.with_writer(log.clone()).finish();
    // The runtime of this test has one thread, so everything that it does is logged here.
    let _logging = tracing::subscriber::set_default(subscriber);
    let card = "4242".repeat(4);
    let answer = format!("jenny-planted@example.com pays with {card}");
    let upstream = Upstream::start(move |_| vec![Act::Send(json(&completion(&answer)))]).await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let card = "4242".repeat(4);
    let text = format!("planted quartz of jenny-planted@example.com, card {card}");
    let media = "Content-Type: application/json\r\n";
    let mut errors = String::new();
    let requests = [
        sidecar.chat(&text, "X-Quartz: planted\r\n"),
        sidecar.chat(&text, "Idempotency-Key: jenny-planted@example.com\r\n"),
        sidecar.post("/v1/chat/completions?quartz=planted", media, text.as_bytes()),
        sidecar.post("/v1/planted/quartz", media, &chat(&text, false)),
        sidecar.post("/v1/chat/completions", "Content-Type: quartz/planted\r\n", &chat(&text, false)),
        sidecar.post(
            "/v1/chat/completions",
            "Content-Encoding: quartz-planted\r\nContent-Type: application/json\r\n",
            b"x",
        ),
        sidecar.post("/v1/chat/completions", media, format!("{{\"{text}\":1,\"{text}\":2}}").as_bytes()),
        format!("POST /planted HTTP/1.1\r\nHost: quartz\r\nplanted quartz {text}\r\n\r\n").into_bytes(),
        format!(
            "GET /v1/models/{card} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Api-Key: {}\r\n\r\n",
            sidecar.key
        )
        .into_bytes(),
        b"GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Api-Key: vk_planted_quartz\r\n\r\n"
            .to_vec(),
    ];
    for (at, request) in requests.iter().enumerate() {
        let reply = sidecar.send(request).await;
        assert_eq!(reply.status == 200, at == 0, "{at} {reply:?}");
        if at > 0 {
            errors.push_str(&reply.head);
            errors.push_str(&reply.body);
        }
    }
    let metrics = sidecar.metrics().await;
    // Records are kept in order: with the last of them all are there.
    sidecar.send(&sidecar.post("/v1/chat/completions", media, &chat("hello", false))).await;
    let is_answer = |record: &serde_json::Value| record["kind"] == "model_answer";
    wait(async {
        while sidecar.records().iter().filter(|record| is_answer(record)).count() < 2 {
            yield_now().await
        }
    })
    .await;
    let audit = std::fs::read_to_string(sidecar.path("audit.jsonl")).unwrap();
    let key = sidecar.key.clone();
    sidecar.end().await;
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!logged.is_empty() && audit.lines().count() > requests.len(), "there is something to look at");
    for (name, output) in [("log", &logged), ("metrics", &metrics), ("audit", &audit), ("errors", &errors)] {
        for planted in ["planted", "quartz", "jenny", "42424242", crate::support::PROVIDER_KEY, &key] {
            assert!(!output.to_lowercase().contains(planted), "{planted} in {name}: {output}");
        }
    }
}
