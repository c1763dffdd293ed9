//! What is known of one request, and what is recorded and counted of it.

use crate::core::Core;
use crate::metrics::Direction;
use crate::policy::Policy;
use crate::refused::{Refused, Why};
use obelus::Category;
use obelus_audit::{Actor, Coverage, Decision, Kind, Outcome, Record, Route, Word};
use obelus_vault::virtual_key::KeyId;
use obelus_wire::Provider;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The route's name where none is understood.
pub(crate) const NO_ROUTE: &str = "none";

/// One request from its head to the decision.
pub(crate) struct Exchange {
    pub(crate) core: Arc<Core>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) request_id: Word,
    /// Whose form refusals have.
    pub(crate) provider: Provider,
    pub(crate) actor: Option<Actor>,
    pub(crate) route: Option<Route>,
    begin: Instant,
    is_decided: bool,
}

impl Exchange {
    pub(crate) fn new(core: &Arc<Core>, provider: Provider) -> Result<Exchange, Refused> {
        Ok(Exchange {
            core: Arc::clone(core),
            policy: core.policy.load_full(),
            request_id: random_id()?,
            provider,
            actor: None,
            route: None,
            begin: Instant::now(),
            is_decided: false,
        })
    }

    /// The name of the route, as metrics have it.
    pub(crate) fn route_name(&self) -> &'static str {
        self.route.as_ref().map_or(NO_ROUTE, |route| route.name)
    }

    /// Records that the request may leave. Only with what this returns is anything sent.
    pub(crate) fn allow(
        &mut self,
        counts: &[(Category, u64)],
        coverage: Coverage,
    ) -> Result<Ending, Refused> {
        let record = Record {
            decision: Some(Decision::Allow),
            redactions: counts.iter().map(|(category, count)| (category.as_str(), *count)).collect(),
            coverage: Some(coverage),
            ..self.base(Kind::ModelRequest)
        };
        self.core.record(&record)?;
        self.is_decided = true;
        self.core.metrics.findings(counts, Direction::Request);
        Ok(Ending {
            core: Arc::clone(&self.core),
            record: Some(self.base(Kind::ModelAnswer)),
            begin: self.begin,
            added: self.begin.elapsed(),
        })
    }

    /// Records that a virtual key stood in the request and is revoked.
    pub(crate) fn key_exposed(&self, key: KeyId) -> Result<(), Refused> {
        let record = Record { exposed_key: Word::new(key.as_str()), ..self.base(Kind::KeyExposed) };
        self.core.record(&record)
    }

    /// Records and counts a refusal, unless the request was allowed before.
    pub(crate) fn refuse(&mut self, refused: &Refused) {
        self.core.metrics.refusal(refused.why);
        if self.is_decided {
            return;
        }
        self.is_decided = true;
        let record = Record {
            decision: Some(Decision::Refuse),
            reason: Some(refused.why.as_str()),
            status: Some(refused.status),
            ..self.base(Kind::ModelRequest)
        };
        // It is refused whether this can be written or not; `Core::record` has told why it cannot.
        drop(self.core.record(&record));
    }

    fn base(&self, kind: Kind) -> Record {
        Record {
            request_id: Some(self.request_id.clone()),
            actor: self.actor.clone(),
            route: self.route.clone(),
            policy_version: Some(self.policy.version.clone()),
            duration_us: Some(micros(self.begin.elapsed())),
            ..Record::new(kind)
        }
    }
}

impl Drop for Exchange {
    /// The client went away before anything was decided.
    fn drop(&mut self) {
        if !self.is_decided {
            let record = Record {
                decision: Some(Decision::Refuse),
                outcome: Some(Outcome::Cancelled),
                ..self.base(Kind::ModelRequest)
            };
            // Nothing was forwarded, and nobody is left who could be told.
            drop(self.core.record(&record));
        }
    }
}

/// The record of the answer, which is written once, however the answer ends.
pub(crate) struct Ending {
    core: Arc<Core>,
    record: Option<Record>,
    begin: Instant,
    /// What the sidecar itself took before the request left.
    added: Duration,
}

impl Ending {
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn request_id(&self) -> &str {
        self.record.as_ref().and_then(|record| record.request_id.as_ref()).map_or("", Word::as_str)
    }

    /// What is known from the head of the upstream's answer.
    pub(crate) fn answered(&mut self, status: u16, upstream_request_id: Option<Word>) {
        if let Some(record) = &mut self.record {
            record.status = Some(status);
            record.upstream_request_id = upstream_request_id;
        }
    }

    /// Adds what was replaced in the answer.
    pub(crate) fn counted(&mut self, counts: &[(Category, u64)]) {
        self.core.metrics.findings(counts, Direction::Answer);
        if let Some(record) = &mut self.record {
            record.redactions = counts.iter().map(|(category, count)| (category.as_str(), *count)).collect();
        }
    }

    /// Adds what was not read in the answer.
    pub(crate) fn covered(&mut self, coverage: Coverage) {
        if let Some(record) = &mut self.record {
            record.coverage = Some(coverage);
        }
    }

    /// The first byte leaves, so long after it came from the upstream.
    pub(crate) fn first_byte(&self, held: Duration) {
        self.core.metrics.added(self.added + held);
    }

    /// Writes the record of an answer that the sidecar made in place of the upstream's.
    pub(crate) fn refused(mut self, outcome: Outcome, refused: &Refused) {
        if let Some(record) = &mut self.record {
            record.status = Some(refused.status);
        }
        self.write(outcome, Some(refused.why));
    }

    /// Writes the record.
    pub(crate) fn end(mut self, outcome: Outcome, why: Option<Why>) {
        self.write(outcome, why);
    }

    fn write(&mut self, outcome: Outcome, why: Option<Why>) {
        let Some(mut record) = self.record.take() else { return };
        record.outcome = Some(outcome);
        record.reason = why.map(Why::as_str);
        record.duration_us = Some(micros(self.begin.elapsed()));
        // The answer has left already; `Core::record` has told why this cannot be written, and nothing that comes
        // after it is forwarded.
        drop(self.core.record(&record));
    }
}

impl Drop for Ending {
    /// The client went away, or a panic took the request.
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { Outcome::Failed } else { Outcome::Cancelled };
        self.write(outcome, None);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// 16 random bytes in hexadecimal digits.
pub(crate) fn random_id() -> Result<Word, Refused> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(Word::hex(&bytes)),
        Err(_) => Err(Refused::new(500, Why::Internal, "the system gives no random bytes")),
    }
}
