//! What can only be brought about from inside: a disk that is full, a fault of the sidecar.

use crate::events::EventBody;
use crate::exchange::Exchange;
use crate::support::{Act, Sidecar, Upstream, app, chat, delta, env, events_head, json, streamed_text, yaml};
use crate::{App, Config};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use obelus_audit::{Coverage, Disk, DiskFile, FileSystem, Kind, Record, Word};
use obelus_vault::virtual_key::KeyId;
use obelus_wire::{Provider, Route};
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// A file system that takes nothing while it is said to be full.
#[derive(Clone, Debug, Default)]
pub(crate) struct FullDisk(pub(crate) Arc<AtomicBool>);

struct FullDiskFile(Box<dyn DiskFile>, FullDisk);

impl FullDisk {
    fn room(&self) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl io::Write for FullDiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.room()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl DiskFile for FullDiskFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Disk for FullDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FullDiskFile(FileSystem.create(path)?, self.clone())))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FullDiskFile(FileSystem.append(path)?, self.clone())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        FileSystem.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        FileSystem.sync_folder(folder)
    }
}

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
    let path = folder.path().join("obelus.yaml");
    let receiver = Upstream::start(|_| vec![Act::Send(json("{}"))]).await;
    std::fs::write(folder.path().join("secret"), ["whsec", "_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].concat())
        .unwrap();
    let more = format!(
        "profiles:\n  default: {{restore_arguments: [{{tool: send}}]}}\nwebhook: {{url: 'http://{}/', secret: {{file: \
         secret}}}}\n",
        receiver.address
    );
    std::fs::write(&path, yaml(upstream.address, &more)).unwrap();
    let disk = FullDisk::default();
    let app = App::start_on(Some(path.clone()), Arc::new(env), Arc::new(disk.clone())).await.unwrap();
    let keys = crate::virtual_keys(&Config::read(Some(&path), &env).unwrap()).unwrap();
    let core = Arc::clone(&app.core);
    let sidecar = Sidecar::run(app, keys, folder);
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    disk.0.store(true, Ordering::SeqCst);
    // The first learns it from the disk: its record must be kept before it leaves.
    for _ in 0..2 {
        let reply = sidecar.send(&sidecar.chat("hello", "")).await;
        assert!(reply.status == 503 && reply.body.contains("audit"), "{reply:?}");
        assert!(reply.head.contains("retry-after: "), "{reply:?}");
    }
    assert_eq!(upstream.seen().len(), 1);
    let ready = sidecar.ask("/readyz").await;
    assert!(ready.status == 503 && ready.body.contains("\"audit\":false"), "{ready:?}");
    assert!(sidecar.metrics().await.contains("obelus_refusals_total{reason=\"audit\"} 2"));
    while receiver.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = receiver.seen();
    assert!(told.len() == 1 && told[0].contains("\"type\":\"audit.failing\""), "told once: {told:?}");
    // With room again it goes on by itself, and what was refused is told.
    disk.0.store(false, Ordering::SeqCst);
    while core.check_audit().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    let refused = |record: &serde_json::Value| record["reason"] == "audit";
    sidecar.record(refused).await;
    assert_eq!(sidecar.records().into_iter().filter(refused).count(), 2);
}

/// Without a word about tools: the first use of a key waits for the disk, and each request where that is wanted.
#[tokio::test]
async fn a_first_use_of_a_key_and_decisions_that_must_be_kept_wait_for_the_disk() {
    for (more, uses) in [("", 0), ("audit: {path: audit.jsonl, durable: decisions}\n", 3)] {
        let upstream = Upstream::echo().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("obelus.yaml");
        let text = yaml(upstream.address, "");
        let text = if more.is_empty() { text } else { text.replace("audit: {path: audit.jsonl}\n", more) };
        assert!(more.is_empty() || text.contains("durable"), "{text}");
        std::fs::write(&path, text).unwrap();
        let disk = FullDisk::default();
        let app = App::start_on(Some(path.clone()), Arc::new(env), Arc::new(disk.clone())).await.unwrap();
        let keys = crate::virtual_keys(&Config::read(Some(&path), &env).unwrap()).unwrap();
        let sidecar = Sidecar::run(app, keys, folder);
        for _ in 0..uses {
            assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
        }
        disk.0.store(true, Ordering::SeqCst);
        // Nobody has told it that the disk is full.
        assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 503);
        assert_eq!(upstream.seen().len(), uses);
        disk.0.store(false, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_audit_that_does_not_keep_up_makes_wait_and_then_refuses() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let more = "limits: {connections: 1}\n";
    let (app, keys) = app(&folder, &yaml(upstream.address, more)).await;
    let core = Arc::clone(&app.core);
    let sidecar = Sidecar::run(app, keys, folder);
    let mut places = Vec::new();
    while let Ok(place) = tokio::time::timeout(Duration::from_millis(200), core.reserve()).await {
        places.push(place);
    }
    // A change of the configuration does not wait for ever either: the end could not be told meanwhile.
    let other = Arc::clone(&core);
    let blocking =
        tokio::task::spawn_blocking(move || other.record_blocking(&Record::new(Kind::ConfigReload)).is_err());
    let request = sidecar.chat("hello", "");
    let (reply, refused) = tokio::join!(sidecar.send(&request), blocking);
    assert!(refused.unwrap());
    assert!(reply.status == 503 && reply.body.contains("does not keep up"), "{reply:?}");
    assert!(reply.head.to_ascii_lowercase().contains("x-obelus-request-id: "), "{reply:?}");
    drop(places);
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    assert_eq!(upstream.seen().len(), 1);
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
async fn an_exposed_key_is_stopped_at_once_and_recorded_though_the_client_goes_away() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (app, keys) = app(&folder, &yaml(upstream.address, "limits: {connections: 1}\n")).await;
    let core = Arc::clone(&app.core);
    let sidecar = Sidecar::run(app, keys, folder);
    let Ok(exchange) = Exchange::new(&core, Provider::OpenAi, Word::hex(&[1])).await else {
        panic!("there is a place")
    };
    let mut places = Vec::new();
    while let Ok(place) = tokio::time::timeout(Duration::from_millis(200), core.reserve()).await {
        places.push(place);
    }
    let exposed: Vec<KeyId> = ["00000000", "00000001"].map(|id| KeyId::parse(id).unwrap()).into();
    let mut tickets: Vec<_> = exposed.iter().map(|id| core.open.add(*id)).collect();
    let exposures = exchange.exposures();
    // As bodies are read: on a thread that is none of the runtime's, for nobody.
    std::thread::spawn(move || drop(exposures.note(exposed))).join().unwrap();
    assert!(tickets.iter_mut().all(|ticket| ticket.check().is_err()));
    drop(places);
    for id in ["00000000", "00000001"] {
        sidecar.record(|record| record["kind"] == "key_exposed" && record["exposed_key"] == id).await;
    }
}

#[tokio::test]
async fn nothing_is_read_ahead_of_the_client() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = app(&folder, &yaml(upstream.address, "")).await;
    let core = Arc::clone(&app.core);
    let Ok(mut exchange) = Exchange::new(&core, Provider::OpenAi, Word::hex(&[1])).await else {
        panic!("there is a place")
    };
    let ending = exchange.allow((&[], &[]), Coverage::default(), false).await;
    let Ok(ending) = ending else { panic!("the audit can be written") };
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
