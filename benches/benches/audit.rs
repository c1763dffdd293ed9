//! Records: how many summaries and how many durable ones a second, beside a plain buffered writer of the same lines, what
//! a summary costs whoever puts it, and how fast a log is checked.
//!
//! Not criterion: what counts is how many records many tasks bring to the disk together, and how long single ones wait.
#![forbid(unsafe_code)]

use obelus_audit::{Actor, Coverage, Decision, Files, Kind, Log, Record, Route, Settings, Word, verify};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Runtime;

const SUMMARIES: usize = 1_000_000;
const DURABLE: usize = 40_000;
/// As many places as the sidecar has for its default number of connections.
const PLACES: usize = 8192 + 2 * 4096;
/// How many durable records are under way at the same time.
const IN_FLIGHT: usize = 256;
/// How many summaries are timed one by one.
const TIMED: usize = 20_000;
/// How long the log is that is checked.
const VERIFIED_BYTES: u64 = 1 << 30;

type Fault = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Fault> {
    // `cargo test` and `cargo bench --no-run` must not measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(option_env!("CARGO_TARGET_TMPDIR").unwrap_or("."))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let path = folder.path().join("audit.jsonl");
    let log = Arc::new(Log::open(&Settings { places: PLACES, ..Settings::new(path) })?);
    summaries(&runtime, &log)?;
    one_by_one(&runtime, &log)?;
    durable(&runtime, &log)?;
    drop(log);
    let lines = plain(folder.path())?;
    syncs(folder.path(), &lines)?;
    checked(folder.path())
}

/// A record as a request to a model leaves it.
fn record() -> Record {
    let word = |text| Word::new(text).expect("it is a word");
    Record {
        request_id: Word::new("00112233445566778899aabbccddeeff"),
        actor: Some(Actor { key: word("0123abcd"), workflow: word("support") }),
        route: Some(Route {
            upstream: Word::new("openai"),
            name: "chat-completions",
            model: Word::new("gpt-4o"),
        }),
        decision: Some(Decision::Allow),
        policy_version: Word::new("88f89042adbb"),
        redactions: [("email", 2), ("phone", 1)].into(),
        coverage: Some(Coverage { scanned_bytes: 2048, unread: Vec::new() }),
        duration_us: Some(300),
        ..Record::new(Kind::ModelRequest)
    }
}

fn summaries(runtime: &Runtime, log: &Arc<Log>) -> Result<(), Fault> {
    let began = Instant::now();
    runtime.block_on(async {
        let tasks = (0..2).map(|_| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                for _ in 0..SUMMARIES / 2 {
                    log.reserve().await?.put(&record(), SystemTime::now());
                }
                Ok::<_, Fault>(())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await??;
        }
        // In order: when this is kept, they are.
        log.append(&record(), SystemTime::now()).await?;
        Ok::<_, Fault>(())
    })?;
    say("summaries", &rate(SUMMARIES, began.elapsed()))
}

fn one_by_one(runtime: &Runtime, log: &Arc<Log>) -> Result<(), Fault> {
    let mut times = Vec::with_capacity(TIMED);
    runtime.block_on(async {
        for _ in 0..TIMED {
            let record = record();
            let began = Instant::now();
            log.reserve().await?.put(&record, SystemTime::now());
            times.push(began.elapsed());
            // As requests come: now and then.
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        Ok::<_, Fault>(())
    })?;
    say("a summary, for whoever puts it", &quantiles(&mut times))
}

fn durable(runtime: &Runtime, log: &Arc<Log>) -> Result<(), Fault> {
    let began = Instant::now();
    let mut times = runtime.block_on(async {
        let tasks = (0..IN_FLIGHT).map(|_| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..DURABLE / IN_FLIGHT {
                    let began = Instant::now();
                    log.append(&record(), SystemTime::now()).await?;
                    times.push(began.elapsed());
                }
                Ok::<_, Fault>(times)
            })
        });
        let mut times = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            times.extend(task.await??);
        }
        Ok::<_, Fault>(times)
    })?;
    let rate = rate(times.len(), began.elapsed());
    say(&format!("durable, {IN_FLIGHT} in flight"), &format!("{rate}; {}", quantiles(&mut times)))
}

/// The same lines through a buffered writer, without a chain and without waiting for the disk.
fn plain(folder: &Path) -> Result<Vec<Vec<u8>>, Fault> {
    let mut lines = Vec::new();
    Files::open(&[folder.to_owned()])?.records(|line| {
        lines.push([line, b"\n"].concat());
        lines.len() < SUMMARIES
    })?;
    let began = Instant::now();
    let mut writer = BufWriter::new(File::create(folder.join("plain"))?);
    for line in &lines {
        writer.write_all(line)?;
    }
    writer.flush()?;
    say("plain writer of the same lines", &rate(lines.len(), began.elapsed()))?;
    let began = Instant::now();
    let mut writer = BufWriter::new(File::create(folder.join("plain"))?);
    for _ in &lines {
        serde_json::to_writer(&mut writer, &record())?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    say("plain writer that makes JSON as well", &rate(lines.len(), began.elapsed()))?;
    Ok(lines)
}

/// What the disk takes.
fn syncs(folder: &Path, lines: &[Vec<u8>]) -> Result<(), Fault> {
    let mut file = File::create(folder.join("plain"))?;
    let mut times = Vec::new();
    for line in lines.iter().take(300) {
        let began = Instant::now();
        file.write_all(line)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    say("one write and wait for the disk", &quantiles(&mut times))
}

fn checked(folder: &Path) -> Result<(), Fault> {
    let text = |path: &Path| Files::open(&[path.to_owned()]).map(|files| files.bytes());
    let log = Log::open(&Settings::new(folder.join("audit.jsonl")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    while text(folder)? < VERIFIED_BYTES {
        runtime.block_on(async {
            for _ in 0..100_000 {
                log.reserve().await?.put(&record(), SystemTime::now());
            }
            Ok::<_, Fault>(())
        })?;
    }
    drop(log);
    let files = Files::open(&[folder.to_owned()])?;
    let began = Instant::now();
    let report = verify(&files, &[], None, |_| {})?;
    let time = began.elapsed();
    if let Some(fault) = report.fault {
        return Err(fault.what.into());
    }
    let mib = files.bytes() >> 20;
    say("checked", &format!("{mib} MiB, {} records in {time:.2?}", report.seq_last))?;
    let began = Instant::now();
    drop(Log::open(&Settings::new(folder.join("audit.jsonl")))?);
    say("opened again", &format!("in {:.2?}", began.elapsed()))?;
    fs::remove_file(folder.join("plain"))?;
    Ok(())
}

fn rate(count: usize, time: Duration) -> String {
    let per_second = count as u128 * 1_000_000_000 / time.as_nanos().max(1);
    format!("{per_second} a second")
}

fn quantiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    format!("p50 {:.1?}, p99 {:.1?}", at(50), at(99))
}

fn say(name: &str, what: &str) -> Result<(), Fault> {
    writeln!(std::io::stdout(), "{name:<40} {what}")?;
    Ok(())
}
