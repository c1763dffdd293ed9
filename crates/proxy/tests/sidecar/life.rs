//! How the process starts, loads another configuration, and ends.

use crate::support::{
    Act, Reply, Sidecar, Upstream, app, chat, delta, env, events_head, json, streamed_text, wait, yaml,
};
use obelus_proxy::{App, Ended, Signal};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn streamed(sidecar: &Sidecar) -> Vec<u8> {
    sidecar.post(
        "/v1/chat/completions",
        "Content-Type: application/json\r\n",
        &chat("close-after-answer", true),
    )
}

/// A client whose answer has begun.
async fn begun(sidecar: &Sidecar) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(&streamed(sidecar)).await.unwrap();
    let mut bytes = Vec::new();
    wait(async {
        while !bytes.windows(6).any(|window| window == b"data: ") {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        }
    })
    .await;
    (stream, bytes)
}

async fn held() -> Upstream {
    Upstream::start(|_| {
        let end = [delta("done."), b"data: [DONE]\n\n".to_vec()].concat();
        vec![Act::Send([events_head(), delta("words ")].concat()), Act::Hold, Act::Send(end)]
    })
    .await
}

#[tokio::test]
async fn draining_lets_open_streams_finish_and_takes_no_others() {
    let upstream = held().await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    let (mut stream, mut bytes) = begun(&sidecar).await;
    sidecar.signals.send(Signal::Drain).await.unwrap();
    wait(async { while sidecar.ask("/readyz").await.status != 503 {} }).await;
    wait(async { while TcpStream::connect(sidecar.data).await.is_ok() {} }).await;
    upstream.release.add_permits(1);
    wait(stream.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(streamed_text(&Reply::parse(&bytes).body), "words done.");
    assert_eq!(wait(sidecar.running).await.unwrap(), Ended::Drained);
}

#[tokio::test]
async fn when_the_time_is_over_streams_are_told_and_end() {
    let upstream = held().await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {drain_seconds: 0.2}\n").await;
    let (mut stream, mut bytes) = begun(&sidecar).await;
    sidecar.signals.send(Signal::Drain).await.unwrap();
    wait(stream.read_to_end(&mut bytes)).await.unwrap();
    let reply = Reply::parse(&bytes);
    assert!(reply.body.contains("\"error\"") && reply.body.contains("sidecar ends"), "{reply:?}");
    assert_eq!(wait(sidecar.running).await.unwrap(), Ended::Cut);
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let upstream = held().await;
    let sidecar = Sidecar::start(upstream.address, "timeouts: {drain_seconds: 86400}\n").await;
    let (mut stream, mut bytes) = begun(&sidecar).await;
    sidecar.signals.send(Signal::Drain).await.unwrap();
    sidecar.signals.send(Signal::Drain).await.unwrap();
    wait(stream.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(wait(sidecar.running).await.unwrap(), Ended::Cut);
}

#[tokio::test]
async fn a_configuration_that_is_right_is_loaded_and_a_wrong_one_is_not() {
    let upstream = Upstream::echo().await;
    let sidecar = Sidecar::start(upstream.address, "workflows:\n  default: {models: ['gpt-*']}\n").await;
    let folder = sidecar.path("obelus.yaml");
    let load = |more: &str| {
        std::fs::write(&folder, yaml(upstream.address, more)).unwrap();
        sidecar.signals.send(Signal::Reload)
    };
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 200);
    load("workflows:\n  default: {models: ['claude-*']}\n").await.unwrap();
    let good = sidecar.record(|record| record["kind"] == "config_reload").await;
    assert_eq!(good["outcome"], "completed");
    wait(async { while sidecar.send(&sidecar.chat("hello", "")).await.status != 403 {} }).await;
    for wrong in [
        "workflows:\n  default: {models: ['gpt-*'], unknown: 1}\n",
        "profiles:\n  default: {rules: [missing.toml]}\n",
        "limits: {connections: 7}\n",
        "listen: 127.0.0.1:1\n",
    ] {
        let before = sidecar.records().iter().filter(|record| record["outcome"] == "failed").count();
        load(wrong).await.unwrap();
        wait(async {
            while sidecar.records().iter().filter(|record| record["outcome"] == "failed").count() == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 403, "{wrong}");
    }
    let bad = sidecar.record(|record| record["outcome"] == "failed").await;
    assert_eq!(bad["policy_version"], good["policy_version"]);
    // It is counted behind its record.
    let counted = "obelus_config_reloads_total{outcome=\"failed\"} 4";
    wait(async { while !sidecar.metrics().await.contains(counted) {} }).await;
    assert_eq!(sidecar.end().await, Ended::Drained);
}

#[tokio::test]
async fn a_rule_file_that_is_wrong_keeps_it_from_starting() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let rules = "name = \"loose\"\nversion = 1\n[[treatment]]\ncategory = \"card-number\"\n";
    std::fs::write(folder.path().join("loose.toml"), rules).unwrap();
    let path = folder.path().join("obelus.yaml");
    std::fs::write(&path, yaml(upstream.address, "profiles:\n  default: {rules: [loose.toml]}\n")).unwrap();
    let error = App::start(Some(path), Arc::new(env)).await.expect_err("the rule file is wrong");
    assert!(error.is_config() && error.to_string().contains("loose.toml"), "{error}");
}

#[tokio::test]
async fn the_admin_listener_tells_health_and_nothing_else() {
    let upstream = Upstream::start(|_| vec![Act::Send(json("{}"))]).await;
    let sidecar = Sidecar::start(upstream.address, "").await;
    assert_eq!(sidecar.ask("/healthz").await.status, 200);
    let ready = sidecar.ask("/readyz").await;
    assert!(ready.status == 200 && ready.body.contains("\"ready\":true"), "{ready:?}");
    assert_eq!(sidecar.ask("/v1/models").await.status, 404);
    assert_eq!(
        sidecar.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.status,
        401
    );
}

#[tokio::test]
async fn without_a_providers_key_the_sidecar_is_not_ready_and_says_so() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let text = yaml(upstream.address, "").replace("env: PROVIDER", "env: NOBODY");
    let (app, keys) = app(&folder, &text).await;
    let notes = app.notes().join("\n");
    assert!(notes.contains("missing: the provider's key of the upstream openai: set NOBODY"), "{notes}");
    assert!(notes.contains("obelus keys create -c") && notes.contains("limits: body 33554432"), "{notes}");
    let sidecar = Sidecar::run(app, keys, folder);
    assert_eq!(sidecar.ask("/readyz").await.status, 503);
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 503);
    assert_eq!(upstream.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_opened_keeps_the_sidecar_from_starting() {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let first = Sidecar::start(upstream.address, "").await;
    let audit = first.path("audit.jsonl");
    for (from, to) in [
        ("audit: {path: audit.jsonl}", "audit: {path: /dev/full}".to_owned()),
        ("audit: {path: audit.jsonl}", format!("audit: {{path: {}}}", audit.display())),
        ("listen: 127.0.0.1:0", format!("listen: {}", first.data)),
    ] {
        let path = folder.path().join("obelus.yaml");
        std::fs::write(&path, yaml(upstream.address, "").replace(from, &to)).unwrap();
        App::start(Some(path), Arc::new(env)).await.expect_err(&to);
    }
}
