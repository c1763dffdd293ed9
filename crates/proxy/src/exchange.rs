//! What is known of one request, and what is recorded and counted of it.

use crate::core::Core;
use crate::exposed;
use crate::guard::Panicked;
use crate::metrics::Direction;
use crate::policy::Policy;
use crate::refused::{Refused, Why};
use crate::seen::seen;
use obelus::Category;
use obelus_audit::{Actor, Coverage, Decision, Kind, Outcome, Place, Record, Route, Word};
use obelus_vault::virtual_key::KeyId;
use obelus_wire::{Provider, SeenKey};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The route's name where none is understood.
pub(crate) const NO_ROUTE: &str = "none";

/// One request from its head to the decision.
pub(crate) struct Exchange {
    pub(crate) core: Arc<Core>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) request_id: Word,
    /// Of which trace it is a part.
    pub(crate) trace: Option<Word>,
    /// Whose form refusals have.
    pub(crate) provider: Provider,
    pub(crate) actor: Option<Actor>,
    pub(crate) route: Option<Route>,
    begin: Instant,
    /// Where the decision is recorded; absent once it is.
    place: Option<Place>,
}

impl Exchange {
    pub(crate) async fn new(
        core: &Arc<Core>,
        provider: Provider,
        request_id: Word,
    ) -> Result<Exchange, Refused> {
        Ok(Exchange {
            core: Arc::clone(core),
            policy: core.policy.load_full(),
            request_id,
            trace: None,
            provider,
            actor: None,
            route: None,
            begin: Instant::now(),
            place: Some(core.reserve().await?),
        })
    }

    /// The name of the route, as metrics have it.
    pub(crate) fn route_name(&self) -> &'static str {
        self.route.as_ref().map_or(NO_ROUTE, |route| route.name)
    }

    /// Records that the request may leave. Only with what this returns is anything sent.
    ///
    /// Where the answer may turn tokens back into values for tools, where a key is used for the first time since the start,
    /// and where the configuration says so, the record outlives a loss of power before that; otherwise it is kept within
    /// 50 ms.
    pub(crate) async fn allow(
        &mut self,
        (counts, keys): (&[(Category, u64)], &[SeenKey]),
        coverage: Coverage,
        restores: bool,
    ) -> Result<Ending, Refused> {
        self.core.check_audit()?;
        // Taken now, so that what comes of it can be recorded whatever happens.
        let place = self.core.reserve().await?;
        let record = Record {
            decision: Some(Decision::Allow),
            redactions: counts.iter().map(|(category, count)| (category.as_str(), *count)).collect(),
            exposed: seen(&self.core, keys, Some(&self.request_id)),
            coverage: Some(coverage),
            ..self.base(Kind::ModelRequest)
        };
        let key = self.actor.as_ref().map(|actor| &actor.key);
        let is_first = key.is_some_and(|key| !self.core.is_in_use(key));
        if restores || is_first || self.policy.config.durable_decisions {
            self.core.record(&record).await?;
            self.place = None;
            if let Some(key) = key.filter(|_| is_first) {
                self.core.note_use(key);
            }
        } else {
            self.decide(&record);
        }
        self.core.metrics.findings(counts, Direction::Request);
        Ok(Ending {
            core: Arc::clone(&self.core),
            record: Some((place, self.base(Kind::ModelAnswer))),
            begin: self.begin,
            added: self.begin.elapsed(),
        })
    }

    /// Whoever notes virtual keys that stand in the request, on whatever thread.
    pub(crate) fn exposures(&self) -> Exposures {
        Exposures {
            core: Arc::clone(&self.core),
            base: self.base(Kind::KeyExposed),
            runtime: Handle::current(),
        }
    }

    /// Records and counts a refusal, unless the request was allowed before.
    pub(crate) fn refuse(&mut self, refused: &Refused) {
        self.core.metrics.refusal(refused.why);
        let record = Record {
            decision: Some(Decision::Refuse),
            reason: Some(refused.why.as_str()),
            status: Some(refused.status),
            ..self.base(Kind::ModelRequest)
        };
        self.decide(&record);
    }

    /// Records the decision, unless that is done.
    fn decide(&mut self, record: &Record) {
        if let Some(place) = self.place.take() {
            place.put(record, SystemTime::now());
        }
    }

    fn base(&self, kind: Kind) -> Record {
        Record {
            request_id: Some(self.request_id.clone()),
            traceparent: self.trace.clone(),
            actor: self.actor.clone(),
            route: self.route.clone(),
            policy_version: Some(self.policy.version.clone()),
            duration_us: Some(micros(self.begin.elapsed())),
            ..Record::new(kind)
        }
    }
}

/// Notes virtual keys that stood in a request and are revoked.
pub(crate) struct Exposures {
    core: Arc<Core>,
    base: Record,
    runtime: Handle,
}

impl Exposures {
    /// Ends the open requests of these keys, the one at hand among them if its key is, and records each. That goes on
    /// where nobody waits for it.
    pub(crate) fn note(self, keys: Vec<KeyId>) -> Noted {
        if keys.is_empty() {
            return Noted(None);
        }
        let Exposures { core, base, runtime } = self;
        exposed::stop(&core, &keys);
        Noted(Some(runtime.spawn(async move { exposed::record(&core, keys, &base).await })))
    }
}

/// Exposed keys that are being recorded.
#[derive(Default)]
pub(crate) struct Noted(Option<JoinHandle<Result<(), Refused>>>);

impl Noted {
    /// Waits until they are.
    pub(crate) async fn recorded(self) -> Result<(), Refused> {
        match self.0 {
            None => Ok(()),
            Some(recording) => recording.await.unwrap_or(Err(Panicked.into())),
        }
    }
}

impl Drop for Exchange {
    /// The client went away before anything was decided.
    fn drop(&mut self) {
        if self.place.is_some() {
            let record = Record {
                decision: Some(Decision::Refuse),
                outcome: Some(Outcome::Cancelled),
                ..self.base(Kind::ModelRequest)
            };
            self.decide(&record);
        }
    }
}

/// The record of the answer, which is written once, however the answer ends.
pub(crate) struct Ending {
    core: Arc<Core>,
    /// Absent once it is written.
    record: Option<(Place, Record)>,
    begin: Instant,
    /// What the sidecar itself took before the request left.
    added: Duration,
}

impl Ending {
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn request_id(&self) -> &str {
        self.record.as_ref().and_then(|(_, record)| record.request_id.as_ref()).map_or("", Word::as_str)
    }

    /// What is known from the head of the upstream's answer.
    pub(crate) fn answered(&mut self, status: u16, upstream_request_id: Option<Word>) {
        if let Some((_, record)) = &mut self.record {
            record.status = Some(status);
            record.upstream_request_id = upstream_request_id;
        }
    }

    /// Adds what was replaced in the answer.
    pub(crate) fn counted(&mut self, counts: &[(Category, u64)], keys: &[SeenKey]) {
        self.core.metrics.findings(counts, Direction::Answer);
        if let Some((_, record)) = &mut self.record {
            record.exposed = seen(&self.core, keys, record.request_id.as_ref());
            record.redactions = counts.iter().map(|(category, count)| (category.as_str(), *count)).collect();
        }
    }

    /// Adds what was not read in the answer.
    pub(crate) fn covered(&mut self, coverage: Coverage) {
        if let Some((_, record)) = &mut self.record {
            record.coverage = Some(coverage);
        }
    }

    /// The first byte leaves, so long after it came from the upstream.
    pub(crate) fn first_byte(&self, held: Duration) {
        self.core.metrics.added(self.added + held);
    }

    /// Writes the record of an answer that the sidecar made in place of the upstream's.
    pub(crate) fn refused(mut self, outcome: Outcome, refused: &Refused) {
        if let Some((_, record)) = &mut self.record {
            record.status = Some(refused.status);
        }
        self.write(outcome, Some(refused.why));
    }

    /// Writes the record.
    pub(crate) fn end(mut self, outcome: Outcome, why: Option<Why>) {
        self.write(outcome, why);
    }

    fn write(&mut self, outcome: Outcome, why: Option<Why>) {
        let Some((place, mut record)) = self.record.take() else { return };
        record.outcome = Some(outcome);
        record.reason = why.map(Why::as_str);
        record.duration_us = Some(micros(self.begin.elapsed()));
        place.put(&record, SystemTime::now());
    }
}

impl Drop for Ending {
    /// The client went away, or a panic took the request.
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { Outcome::Failed } else { Outcome::Cancelled };
        self.write(outcome, None);
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
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
