//! What is counted. Labels are names of the project's and of the configuration's, never content.

use crate::refused::Why;
use obelus::Category;
use obelus_audit::Word;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Bounds of times that the sidecar adds: 50 µs to 1 s.
const ADDED_SECONDS: [f64; 12] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0];

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    exposed: Family<ExposedLabels, Counter>,
    upstream: Family<UpstreamLabels, Counter>,
    reloads: Family<OutcomeLabels, Counter>,
    notices: Family<OutcomeLabels, Counter>,
    panics: Counter,
    added: Histogram,
    held_bytes: Gauge,
    open_streams: Gauge,
    connections: Gauge,
    collector_behind: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RefusalLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FindingLabels {
    category: &'static str,
    direction: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ExposedLabels {
    rule: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct UpstreamLabels {
    upstream: String,
    status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Which way a body goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Request,
    Answer,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let metrics = Metrics {
            registry: Registry::with_prefix("obelus"),
            requests: Family::default(),
            refusals: Family::default(),
            findings: Family::default(),
            exposed: Family::default(),
            upstream: Family::default(),
            reloads: Family::default(),
            notices: Family::default(),
            panics: Counter::default(),
            added: Histogram::new(ADDED_SECONDS),
            held_bytes: Gauge::default(),
            open_streams: Gauge::default(),
            connections: Gauge::default(),
            collector_behind: Gauge::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Metrics {
        let to = &mut self.registry;
        to.register("requests", "Requests by route and status of the answer", self.requests.clone());
        to.register(
            "refusals",
            "Requests and answers that went no further, by reason",
            self.refusals.clone(),
        );
        to.register("findings", "Findings that were replaced", self.findings.clone());
        to.register(
            "exposed_keys",
            "Keys of Stripe's and of model providers that stood in traffic",
            self.exposed.clone(),
        );
        to.register("upstream_answers", "Answers of upstreams by status", self.upstream.clone());
        to.register("config_reloads", "Configurations that were to be loaded", self.reloads.clone());
        to.register(
            "webhook_messages",
            "Messages to the webhook by what became of them",
            self.notices.clone(),
        );
        to.register("panics", "Faults of the sidecar that cost a request", self.panics.clone());
        to.register_with_unit(
            "added_first_byte",
            "Time that the sidecar adds before the first byte of an answer",
            Unit::Seconds,
            self.added.clone(),
        );
        to.register(
            "held_bytes",
            "Bytes of streamed answers that are held back now",
            self.held_bytes.clone(),
        );
        to.register("open_streams", "Streamed answers that are open", self.open_streams.clone());
        to.register("connections", "Connections of clients that are open", self.connections.clone());
        to.register(
            "collector_behind_records",
            "Records that the collector of logs has not taken yet",
            self.collector_behind.clone(),
        );
        self
    }

    /// Everything as Prometheus reads it.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }

    pub(crate) fn request(&self, route: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
    }

    pub(crate) fn refusal(&self, why: Why) {
        self.refusals.get_or_create(&RefusalLabels { reason: why.as_str() }).inc();
    }

    pub(crate) fn findings(&self, counts: &[(Category, u64)], direction: Direction) {
        let direction = match direction {
            Direction::Request => "request",
            Direction::Answer => "answer",
        };
        for (category, count) in counts {
            let labels = FindingLabels { category: category.as_str(), direction };
            self.findings.get_or_create(&labels).inc_by(*count);
        }
    }

    pub(crate) fn exposed(&self, rule: &Word) {
        self.exposed.get_or_create(&ExposedLabels { rule: rule.to_string() }).inc();
    }

    pub(crate) fn upstream(&self, upstream: &str, status: u16) {
        self.upstream.get_or_create(&UpstreamLabels { upstream: upstream.to_owned(), status }).inc();
    }

    pub(crate) fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// A message to the webhook: `delivered`, `given_up`, or `dropped` because too many wait.
    pub(crate) fn notice(&self, outcome: &'static str) {
        self.notices.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn panic(&self) {
        self.panics.inc();
    }

    pub(crate) fn added(&self, time: Duration) {
        self.added.observe(time.as_secs_f64());
    }

    /// The bytes that one stream holds have changed.
    pub(crate) fn held(&self, before: usize, now: usize) {
        let number = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.held_bytes.inc_by(number(now) - number(before));
    }

    pub(crate) fn stream_opened(&self) {
        self.open_streams.inc();
    }

    pub(crate) fn stream_closed(&self) {
        self.open_streams.dec();
    }

    pub(crate) fn collector_behind(&self, records: u64) {
        self.collector_behind.set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.dec();
    }
}
