//! Sends records to a collector of logs (OTLP over HTTP, as JSON), each when it is kept, in order.
//!
//! The log itself is the queue: what the collector has taken is noted in a file beside the records, and everything behind
//! that is sent again, after a restart too. A record may so arrive twice, which its number shows; none is left out. Requests
//! never wait for a collector.

mod form;
mod sent;

pub(crate) use sent::Sent;

use crate::body::{self, Bounds};
use crate::config::{Config, ConfigError, Env, OtlpConfig};
use crate::core::Core;
use crate::memory::Memory;
use crate::policy::{authorities, secret};
use crate::stores::StartError;
use crate::upstream::{Client, Outgoing};
use bytes::Bytes;
use form::Batch;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use obelus_audit::{Follower, Kind, Line, Record, SignedCheckpoint};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Records of one request.
const RECORDS_MAX: usize = 512;
/// Bytes of records of one request: collectors take four MiB or more.
const BYTES_MAX: usize = 1 << 20;
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long the answer may take between two pieces.
const ANSWER_IDLE: Duration = Duration::from_secs(10);
/// The first pause after a failure, which doubles.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause, also where the collector asks for another.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long records gather before they are sent.
const GATHER: Duration = Duration::from_millis(200);

/// Where records are sent, and how far that is.
pub(crate) struct Collector {
    config: OtlpConfig,
    client: Client,
    headers: HeaderMap,
    follower: Follower,
    sent: Sent,
    origin: String,
    is_failing: bool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// What is sent next.
struct Next {
    lines: Vec<Line>,
    checkpoint: Option<SignedCheckpoint>,
}

/// Why it was not taken.
struct Untaken {
    what: String,
    /// How long the collector asks to wait.
    after: Option<Duration>,
}

impl Collector {
    /// Reads what the configuration names, if it names a collector.
    pub(crate) fn open(config: &Config, core: &Core, env: Env<'_>) -> Result<Option<Collector>, StartError> {
        let Some(otlp) = config.otlp.clone() else { return Ok(None) };
        let trusted = otlp.ca_file.as_ref().map(|path| authorities("audit.otlp", path)).transpose();
        let client = Client::new(&config.timeouts, trusted.map_err(StartError::Config)?)?;
        let mut headers = HeaderMap::with_capacity(otlp.headers.len() + 1);
        for (name, source) in &otlp.headers {
            let at = |what: &str| ConfigError::new(format!("audit.otlp.headers.{name}: {what}"));
            let value = secret(source, env)?.ok_or_else(|| at("there is no value: set the variable"))?;
            let mut value = HeaderValue::from_str(&value).or(Err(at("holds what no header can hold")))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let origin = core.audit().verifier().name().to_owned();
        let sent = Sent::read(config.audit.sent_path(), &origin)?;
        let follower = core.audit().follow(sent.seq());
        if follower.is_ahead() {
            return Err(sent.wrong("says that more was sent than the audit holds").into());
        }
        Ok(Some(Collector { config: otlp, client, headers, follower, sent, origin, is_failing: false }))
    }

    /// Sends until the log is closed and everything was taken, or until it is dropped.
    pub(crate) async fn run(mut self, core: Arc<Core>) {
        loop {
            let is_open = self.follower.changed().await;
            if is_open {
                sleep(GATHER).await;
            }
            loop {
                core.metrics.collector_behind(self.follower.behind());
                let Some(next) = self.next().await else { break };
                self.deliver(&core, next).await;
            }
            if !is_open {
                return;
            }
        }
    }

    /// What is to be sent; nothing if all is.
    async fn next(&mut self) -> Option<Next> {
        loop {
            match self.follower.read(RECORDS_MAX, BYTES_MAX) {
                Ok(lines) => {
                    if let Some(first) = lines.first().filter(|first| first.seq > self.sent.seq() + 1) {
                        let (from, to) = (self.sent.seq() + 1, first.seq - 1);
                        tracing::error!(from, to, "collector: records are gone and cannot be sent");
                    }
                    let seq = lines.last().map_or(self.sent.seq(), |line| line.seq);
                    let checkpoint = self.follower.checkpoint();
                    let checkpoint =
                        checkpoint.filter(|it| it.size <= seq && it.size > self.sent.checkpoint());
                    let is_empty = lines.is_empty() && checkpoint.is_none();
                    return (!is_empty).then_some(Next { lines, checkpoint });
                }
                Err(error) => {
                    tracing::error!(%error, "collector: records cannot be read");
                    sleep(PAUSE_MAX).await;
                }
            }
        }
    }

    /// Sends it until it is taken, and notes that.
    async fn deliver(&mut self, core: &Core, next: Next) {
        let body = Batch { origin: &self.origin, now: SystemTime::now().into(), next: &next }.json();
        let body = Bytes::from(body);
        let mut pause = PAUSE_MIN;
        loop {
            match self.send(body.clone()).await {
                Ok(rejected) => {
                    if rejected > 0 {
                        tracing::error!(rejected, "collector: it takes some records for wrong");
                    }
                    self.told(core, (rejected > 0).then_some("rejected")).await;
                    break;
                }
                Err(Untaken { what, after }) => {
                    tracing::warn!("collector: {what}");
                    core.metrics.collector_behind(self.follower.behind() + next.lines.len() as u64);
                    self.told(core, Some("collector")).await;
                    sleep(after.unwrap_or(pause).min(PAUSE_MAX)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        let seq = next.lines.last().map_or(self.sent.seq(), |line| line.seq);
        let checkpoint = next.checkpoint.map_or(self.sent.checkpoint(), |checkpoint| checkpoint.size);
        self.sent.advance(seq, checkpoint);
        let sent = self.sent.clone();
        if let Ok(Err(error)) = spawn_blocking(move || sent.write()).await {
            tracing::warn!(%error, "collector: what was sent cannot be noted, and is sent again after a restart");
        }
    }

    /// A record says that it fails, once for as long as that lasts.
    async fn told(&mut self, core: &Core, reason: Option<&'static str>) {
        let had_failed = std::mem::replace(&mut self.is_failing, reason.is_some());
        if reason.is_some() && !had_failed {
            // What cannot be recorded here was logged.
            drop(core.record(&Record { reason, ..Record::new(Kind::CopyFailed) }).await);
        }
    }

    /// Sends it once. How many records the collector takes for wrong.
    async fn send(&self, body: Bytes) -> Result<u64, Untaken> {
        let OtlpConfig { api: (scheme, authority), path, .. } = &self.config;
        let outgoing =
            Outgoing { method: Method::POST, path: path.clone(), headers: self.headers.clone(), body };
        let response = self.client.request((scheme, authority), outgoing).await;
        let response = response
            .map_err(|unanswered| Untaken { what: unanswered.refused.message.into(), after: None })?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        if !status.is_success() {
            let what = format!("it answers {status}: check audit.otlp");
            return Err(Untaken { what, after: after.map(Duration::from_secs) });
        }
        let memory = Memory::new(2 * ANSWER_BYTES_MAX);
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, idle: ANSWER_IDLE };
        let body = body::read(response.into_body(), bounds, &mut memory.lease()).await;
        let body = body.map_err(|refused| Untaken { what: refused.message.into(), after: None })?;
        Ok(form::rejected(&body))
    }
}
