//! Tells somebody at once what people should know: signed messages to the one address that the configuration names.
//!
//! The form is that of Standard Webhooks: `webhook-id` names a message however often it is sent, `webhook-timestamp` the
//! second in which it is, and `webhook-signature` is HMAC-SHA256 over both and the body. Nobody waits for a delivery, and
//! what is given up is counted and recorded.

use crate::config::{Config, ConfigError, Env};
use crate::core::Core;
use crate::gate::unix_seconds;
use crate::policy::{authorities, secret};
use crate::upstream::{Client, Outgoing};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode};
use obelus_audit::{Kind, Outcome, Record, Utc, Word};
use serde_json::json;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;
use zeroize::Zeroizing;

/// Messages that wait.
const WAITING_MAX: usize = 256;
/// How often one is sent.
const TRIES_MAX: u32 = 6;
/// The pause before the second time; each later one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the other side may take to answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Bytes of a secret, as the specification bounds them.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What people should know. It holds words of ours and ids, and nothing else can be put into it.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    kind: &'static str,
    time: Utc,
    data: BTreeMap<&'static str, Word>,
}

impl Notice {
    /// A notice of that type, of now.
    pub(crate) fn new(kind: &'static str) -> Notice {
        Notice { kind, time: Utc::from(SystemTime::now()), data: BTreeMap::new() }
    }

    /// The same with another member. What is no word is left out.
    pub(crate) fn with(mut self, name: &'static str, word: Option<Word>) -> Notice {
        self.data.extend(word.map(|word| (name, word)));
        self
    }

    fn body(&self) -> String {
        json!({"type": self.kind, "timestamp": self.time.to_string(), "data": self.data}).to_string()
    }
}

/// Notices on their way out.
pub(crate) struct Notices {
    /// Nothing once the process ends.
    sender: Mutex<Option<Sender<Notice>>>,
    receiver: Mutex<Option<Receiver<Notice>>>,
    /// Those that are neither delivered nor given up.
    waiting: AtomicUsize,
    /// Those for which there was no room, since that was recorded last.
    dropped: AtomicU64,
    audit_fails: AtomicBool,
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

impl Default for Notices {
    fn default() -> Notices {
        let (sender, receiver) = channel(WAITING_MAX);
        Notices {
            sender: Mutex::new(Some(sender)),
            receiver: Mutex::new(Some(receiver)),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            audit_fails: AtomicBool::new(false),
        }
    }
}

impl Notices {
    /// Takes a notice if there is room; never waits.
    fn push(&self, notice: Notice) -> bool {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = sender.as_ref().is_some_and(|sender| {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            let is_sent = sender.try_send(notice).is_ok();
            if !is_sent {
                self.waiting.fetch_sub(1, Ordering::AcqRel);
            }
            is_sent
        });
        if !is_taken {
            self.dropped.fetch_add(1, Ordering::AcqRel);
        }
        is_taken
    }

    /// Nothing more is taken; what waits is still delivered.
    pub(crate) fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// How many are neither delivered nor given up.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Whether it has begun to fail with this, having worked before.
    pub(crate) fn audit_begins_to_fail(&self) -> bool {
        !self.audit_fails.swap(true, Ordering::AcqRel)
    }

    /// It works.
    pub(crate) fn audit_works(&self) {
        if self.audit_fails.load(Ordering::Relaxed) {
            self.audit_fails.store(false, Ordering::Release);
        }
    }
}

impl Core {
    /// Tells whoever is to be told, if anybody is; never waits.
    pub(crate) fn tell(&self, notice: Notice) {
        if self.policy.load().webhook.is_some() && !self.notices.push(notice) {
            self.metrics.notice("dropped");
            tracing::warn!("webhook: too many messages wait, so one is left out");
        }
    }
}

/// Where messages go, and what signs them.
pub(crate) struct Endpoint {
    client: Client,
    webhook: crate::config::Webhook,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("host", &self.webhook.origin.1).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Reads the secret, if there is a webhook.
    pub(crate) fn compile(config: &Config, env: Env<'_>) -> Result<Option<Arc<Endpoint>>, ConfigError> {
        let Some(webhook) = &config.webhook else { return Ok(None) };
        let at = |what: &str| ConfigError::new(format!("webhook.secret: {what}"));
        let text = secret(&webhook.secret, env)?.ok_or_else(|| at("there is no secret: set the variable"))?;
        let key = key(&text).ok_or_else(|| {
            at("is no secret of a webhook: write whsec_ and what `openssl rand -base64 32` says")
        })?;
        let trusted = webhook.ca_file.as_ref().map(|path| authorities("webhook", path)).transpose()?;
        let timeouts = crate::config::Timeouts { response_header: ANSWER, ..config.timeouts };
        let client = Client::new(&timeouts, trusted)?;
        Ok(Some(Arc::new(Endpoint { client, webhook: webhook.clone(), key })))
    }

    /// The host, for whoever starts the sidecar.
    pub(crate) fn host(&self) -> &Authority {
        &self.webhook.origin.1
    }

    /// Sends a message until it is taken, as often as is allowed.
    async fn deliver(&self, id: &str, body: &str) -> Result<(), &'static str> {
        for tries in 1..=TRIES_MAX {
            let Some(headers) = headers(&self.key, id, unix_seconds(), body) else { break };
            let body = Bytes::copy_from_slice(body.as_bytes());
            let outgoing = Outgoing { method: Method::POST, path: self.webhook.path.clone(), headers, body };
            let (scheme, authority) = &self.webhook.origin;
            match self.client.request((scheme, authority), outgoing).await {
                Ok(response) if response.status().is_success() => return Ok(()),
                // Whoever answers so wants no more.
                Ok(response) if response.status() == StatusCode::GONE => return Err("webhook-gone"),
                Ok(response) => tracing::warn!(status = response.status().as_u16(), tries, "webhook"),
                Err(unanswered) => tracing::warn!(reason = unanswered.refused.why.as_str(), tries, "webhook"),
            }
            if tries < TRIES_MAX {
                sleep(pause(tries)).await;
            }
        }
        Err("webhook-unreachable")
    }
}

fn pause(tries: u32) -> Duration {
    PAUSE * 2_u32.pow(tries.clamp(1, TRIES_MAX) - 1)
}

/// The key that the text of a secret holds.
fn key(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let key = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
    SECRET_BYTES.contains(&key.len()).then_some(key)
}

/// `v1,` and the signature in base64.
fn signature(key: &[u8], id: &str, seconds: u64, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

fn headers(key: &[u8], id: &str, seconds: u64, body: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("webhook-id"), HeaderValue::from_str(id).ok()?);
    headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(seconds));
    let signature = HeaderValue::from_str(&signature(key, id, seconds, body)?).ok()?;
    headers.insert(HeaderName::from_static("webhook-signature"), signature);
    Some(headers)
}

/// An id that nobody else has.
fn message_id() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("msg_{}", Word::hex(&bytes)))
}

/// Delivers, one after the other, until nothing more is taken and nothing waits.
pub(crate) async fn deliver(core: Arc<Core>) {
    let receiver = core.notices.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut receiver) = receiver else { return };
    while let Some(notice) = receiver.recv().await {
        // As the configuration is now: who was to be told when it happened may have been changed since.
        let endpoint = core.policy.load().webhook.clone();
        let delivered = match (&endpoint, message_id()) {
            (Some(endpoint), Some(id)) => endpoint.deliver(&id, &notice.body()).await,
            _ => Err("webhook-unreachable"),
        };
        core.notices.waiting.fetch_sub(1, Ordering::AcqRel);
        match delivered {
            Ok(()) => core.metrics.notice("delivered"),
            Err(why) => {
                core.metrics.notice("given_up");
                record_failed(&core, why).await;
            }
        }
        if core.notices.dropped.swap(0, Ordering::AcqRel) > 0 {
            record_failed(&core, "webhook-full").await;
        }
    }
}

/// Records that somebody was not told.
pub(crate) async fn record_failed(core: &Core, why: &'static str) {
    let record =
        Record { outcome: Some(Outcome::Failed), reason: Some(why), ..Record::new(Kind::NoticeFailed) };
    // Nothing depends on it; why it cannot be written was told.
    drop(core.record(&record).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_published_example() {
        let key = key(&["whsec", "_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].concat()).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let body = "{\"test\": 2432232314}";
        assert_eq!(signature(&key, id, 1_614_265_330, body).as_deref(), Some(wanted));
        let headers = headers(&key, id, 1_614_265_330, body).unwrap();
        assert!(headers["webhook-id"] == id && headers["webhook-timestamp"] == "1614265330");
        assert_eq!(headers["webhook-signature"], wanted);
    }

    #[test]
    fn what_is_no_secret_is_none() {
        let secret = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
        assert!(key(&secret(24)).is_some() && key(&secret(64)).is_some());
        for text in [secret(23), secret(65), STANDARD.encode([1; 32]), "whsec_no".to_owned(), String::new()] {
            assert!(key(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_queue_that_is_full_takes_no_more_and_nobody_waits() {
        let notices = Notices::default();
        assert!((0..WAITING_MAX).all(|_| notices.push(Notice::new("audit.failing"))));
        assert!(!notices.push(Notice::new("audit.failing")));
        assert_eq!((notices.waiting(), notices.dropped.load(Ordering::SeqCst)), (WAITING_MAX, 1));
        notices.close();
        assert!(!notices.push(Notice::new("audit.failing")));
        assert!(notices.audit_begins_to_fail() && !notices.audit_begins_to_fail());
        notices.audit_works();
        assert!(notices.audit_begins_to_fail());
    }

    #[test]
    fn pauses_grow_and_a_notice_holds_words_alone() {
        let pauses: Vec<u64> = (1..TRIES_MAX).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16]);
        let notice = Notice::new("key.exposed").with("key", Word::new("0123abcd"));
        let notice = notice.with("name", Word::new("Jenny Rosen")).body();
        let body: serde_json::Value = serde_json::from_str(&notice).unwrap();
        assert_eq!((&body["type"], &body["data"]), (&"key.exposed".into(), &json!({"key": "0123abcd"})));
    }
}
