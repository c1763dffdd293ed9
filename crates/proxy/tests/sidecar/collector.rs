//! Records on their way to a collector of logs.

use crate::support::{Act, Sidecar, Upstream, app, env, json, wait, yaml};
use obelus_proxy::{App, Ended, Signal};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

fn text(collector: SocketAddr) -> String {
    let named = format!(
        "audit: {{path: audit.jsonl, otlp: {{url: 'http://{collector}', headers: {{x-key: {{env: PROVIDER}}}}}}}}"
    );
    // Nothing is asked of the provider here.
    yaml(SocketAddr::from(([127, 0, 0, 1], 9)), "").replace("audit: {path: audit.jsonl}", &named)
}

/// A collector that does not work before it is told to, and then takes everything.
async fn collector(works: &Arc<AtomicBool>) -> Upstream {
    let works = Arc::clone(works);
    Upstream::start(move |_| {
        let answer = match works.load(Ordering::SeqCst) {
            true => json("{}"),
            false => {
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_vec()
            }
        };
        vec![Act::Send(answer)]
    })
    .await
}

/// Names and bodies of what was in the requests.
fn told(requests: &[String]) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for request in requests {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap();
        for record in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap() {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            told.push((word(&record["eventName"]), word(&record["body"]["stringValue"])));
        }
    }
    told
}

async fn start(folder: TempDir, collector: SocketAddr) -> Sidecar {
    let (app, keys) = app(&folder, &text(collector)).await;
    Sidecar::run(app, keys, folder)
}

async fn end(sidecar: Sidecar) -> (TempDir, Vec<String>) {
    sidecar.signals.send(Signal::Drain).await.unwrap();
    assert_eq!(wait(sidecar.running).await.unwrap(), Ended::Drained);
    let lines = std::fs::read_to_string(sidecar.folder.path().join("audit.jsonl")).unwrap();
    (sidecar.folder, lines.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn what_is_kept_arrives_once_in_order_though_the_collector_was_away_and_the_sidecar_too() {
    let works = Arc::new(AtomicBool::new(false));
    let collector = collector(&works).await;
    let sidecar = start(tempfile::tempdir().unwrap(), collector.address).await;
    // Requests do not wait for it.
    assert_eq!(sidecar.send(&sidecar.chat("hello", "")).await.status, 502);
    sidecar.record(|record| record["kind"] == "copy_failed" && record["reason"] == "collector").await;
    let metrics = sidecar.ask("/metrics").await.body;
    let behind = metrics.lines().find_map(|line| line.strip_prefix("obelus_collector_behind_records "));
    assert!(behind.unwrap().parse::<u64>().unwrap() > 0);
    let refused = collector.seen().len();
    assert!(refused > 0 && collector.seen()[0].starts_with("POST /v1/logs HTTP/1.1\r\n"));
    works.store(true, Ordering::SeqCst);
    let (folder, lines) = end(sidecar).await;
    // All that was refused held the same records, which are sent again.
    let refused = collector.seen().iter().rposition(|request| *request == collector.seen()[0]).unwrap();
    let seen = told(&collector.seen()[refused..]);
    let (checkpoints, records): (Vec<_>, Vec<_>) =
        seen.iter().cloned().partition(|(name, _)| name == "obelus.audit.checkpoint");
    let bodies: Vec<String> = records.iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(bodies, lines);
    assert!(records.iter().any(|(name, _)| name == "obelus.audit.model_request"));
    let size = format!("\n{}\n", lines.len());
    assert!(checkpoints.last().is_some_and(|(_, note)| note.contains(&size)), "{checkpoints:?}");

    let before = collector.seen().len();
    let sidecar = start(folder, collector.address).await;
    let (folder, more) = end(sidecar).await;
    let again = told(&collector.seen()[before..]);
    let again: Vec<String> = again
        .into_iter()
        .filter(|(name, _)| name != "obelus.audit.checkpoint")
        .map(|(_, body)| body)
        .collect();
    assert_eq!(again, more[lines.len()..], "only what is new");
    for request in collector.seen() {
        assert!(request.to_lowercase().contains("x-key: provider-key-of-the-test"));
    }
    // A note of more than there is would leave records out until the log has grown to it.
    let note = folder.path().join("audit.sent");
    let said: Value = serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
    let ahead = serde_json::json!({"origin": said["origin"], "seq": 1_000_000, "checkpoint": 0});
    std::fs::write(&note, ahead.to_string()).unwrap();
    let path = folder.path().join("obelus.yaml");
    let error = App::start(Some(path), Arc::new(env)).await.unwrap_err();
    assert!(error.to_string().contains("audit.sent: says that more was sent"), "{error}");
}

#[tokio::test]
async fn what_a_collector_takes_for_wrong_is_recorded_and_not_sent_again() {
    let collector = Upstream::start(|_| {
        vec![Act::Send(json("{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"old\"}}"))]
    })
    .await;
    let sidecar = start(tempfile::tempdir().unwrap(), collector.address).await;
    sidecar.record(|record| record["kind"] == "copy_failed" && record["reason"] == "rejected").await;
    let (_folder, lines) = end(sidecar).await;
    let records = told(&collector.seen()).into_iter().filter(|(name, _)| name != "obelus.audit.checkpoint");
    assert_eq!(records.map(|(_, body)| body).collect::<Vec<_>>(), lines);
}

#[tokio::test]
async fn a_header_without_a_value_keeps_it_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obelus.yaml");
    let text = text(SocketAddr::from(([127, 0, 0, 1], 9))).replace("env: PROVIDER}}}", "env: NOBODY}}}");
    std::fs::write(&path, text).unwrap();
    let error = App::start(Some(path), Arc::new(env)).await.unwrap_err();
    assert!(error.to_string().contains("audit.otlp.headers.x-key"), "{error}");
}
