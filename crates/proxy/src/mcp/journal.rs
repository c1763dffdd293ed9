//! Decisions about tools as records of the audit.

use crate::core::Core;
use crate::gate;
use crate::headers::trace_of;
use crate::seen::seen;
use obelus::Category;
use obelus_audit::{
    Actor, Arguments, Call, Coverage, Decision, Kind, Log, Outcome, Place, Record, Route, SealedCall, Word,
};
use obelus_gate::{Amount, Operation};
use obelus_mcp::{Decided, Ended, Ending, Event, Journal, Unrecorded, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a request waits for the audit.
const AUDIT_TIME: Duration = Duration::from_secs(5);

/// What stands for a method that is none of the protocol.
const NO_METHOD: &str = "unknown";

/// Writes to a log, from threads that may wait.
pub(crate) struct LogJournal {
    log: Arc<Log>,
    /// Knows which keys are in use. Sessions must not keep alive what holds them.
    core: Weak<Core>,
    runtime: Handle,
    version: Word,
}

impl LogJournal {
    pub(crate) fn new(core: &Arc<Core>, runtime: Handle, version: Word) -> LogJournal {
        LogJournal { log: Arc::clone(core.audit()), core: Arc::downgrade(core), runtime, version }
    }

    /// Whether a record must outlive a loss of power although its call changes nothing: where a key is used for the first
    /// time since the start, or the configuration says so.
    fn waits(&self, actor: Option<&Actor>, core: &Core) -> bool {
        core.policy.load().config.durable_decisions || actor.is_some_and(|actor| !core.is_in_use(&actor.key))
    }

    fn place(&self) -> Result<Place, Unrecorded> {
        self.check()?;
        match self.runtime.block_on(async { timeout(AUDIT_TIME, self.log.reserve()).await }) {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Unrecorded),
        }
    }

    fn decision(&self, core: &Core, decided: &Decided<'_>) -> Record {
        let policy = core.policy.load();
        let traceparent = decided.traces.iter().find_map(|said| trace_of(said, &policy.reader));
        let actor = Word::new(&decided.principal.key)
            .zip(Word::new(&decided.principal.workflow))
            .map(|(key, workflow)| Actor { key, workflow });
        let route = Route {
            upstream: Word::new(decided.server),
            name: decided.method.unwrap_or(NO_METHOD),
            model: None,
        };
        let is_call =
            decided.operation.is_some() || decided.arguments.is_some() || decided.approval.is_some();
        Record {
            request_id: Word::new(decided.request),
            traceparent,
            actor,
            route: Some(route),
            decision: Some(match decided.verdict {
                Verdict::Allow => Decision::Allow,
                Verdict::Wait => Decision::Wait,
                // It is not made again.
                Verdict::Repeat | Verdict::Deny => Decision::Refuse,
            }),
            reason: match decided.verdict {
                Verdict::Repeat => Some("executed-before"),
                _ => decided.reason,
            },
            policy_version: Some(self.version.clone()),
            redactions: counted(decided.redactions.counts),
            coverage: Some(Coverage {
                scanned_bytes: decided.scanned_bytes as u64,
                unread: decided.unread.to_vec(),
            }),
            call: is_call.then(|| Box::new(call(decided))),
            tool: decided.tool.and_then(Word::new),
            stripe_objects: decided.operation.map(objects).unwrap_or_default(),
            ..Record::new(Kind::ToolRequest)
        }
    }
}

fn call(decided: &Decided<'_>) -> Call {
    let arguments = decided.arguments.and_then(|text| serde_json::from_slice(text).ok());
    let arguments = arguments.as_ref().map(Arguments::redacted);
    let approval_id = decided.approval.and_then(|approval| Word::new(&approval.id));
    let approval_digest = decided.approval.and_then(|approval| Word::new(&approval.digest));
    let Some(operation) = decided.operation else {
        return Call { arguments, approval_id, approval_digest, ..Call::default() };
    };
    let rules = decided.decision.into_iter().flat_map(|decision| &decision.judged);
    let rules: BTreeSet<Word> =
        rules.flat_map(|judged| &judged.rules).filter_map(|rule| Word::new(&rule.id)).collect();
    Call {
        operation: Word::new(&operation.operation),
        risk_class: Some(operation.risk_class.as_str()),
        arguments,
        amount_minor: match operation.amount {
            Amount::Minor(minor) => Some(minor),
            _ => None,
        },
        currency: operation.currency.and_then(|currency| Word::new(currency.as_str())),
        livemode: operation.livemode,
        account: operation.account.as_deref().and_then(Word::new),
        rules: rules.into_iter().collect(),
        rules_version: decided.decision.and_then(|decision| Word::new(&decision.policy_version)),
        approval_id,
        approval_digest,
        ..Call::default()
    }
}

/// A call that changes something and leaves, as it does, if records are to hold it.
fn sealed(core: &Core, decided: &Decided<'_>) -> Result<Option<SealedCall>, Unrecorded> {
    let (Some(stores), Some(operation), Some(leaves)) = (&core.gate, decided.operation, decided.leaves)
    else {
        return Ok(None);
    };
    if operation.is_read() {
        return Ok(None);
    }
    let request = Word::new(decided.request).ok_or(Unrecorded)?;
    let subject = gate::subject(operation, &request);
    gate::sealed(stores, &subject, &request, &gate::tool_call(leaves)).map_err(|error| {
        tracing::error!(%error, "gate.subjects");
        Unrecorded
    })
}

fn objects(operation: &Operation) -> Vec<Word> {
    operation.objects.iter().filter_map(|id| Word::new(id)).collect()
}

fn counted(counts: &[(Category, u64)]) -> BTreeMap<&'static str, u64> {
    counts.iter().map(|(category, count)| (category.as_str(), *count)).collect()
}

impl Journal for LogJournal {
    fn decided(&self, decided: &Decided<'_>) -> Result<Box<dyn Ending>, Unrecorded> {
        let place = self.place()?;
        let core = self.core.upgrade().ok_or(Unrecorded)?;
        let mut record = self.decision(&core, decided);
        if decided.is_asked {
            let asked = Record { kind: Kind::ApprovalRequested, ..record.clone() };
            self.log.append_blocking(&asked, SystemTime::now()).or(Err(Unrecorded))?;
        }
        record.exposed = seen(&core, decided.redactions.keys, record.request_id.as_ref());
        if let Some(call) = &mut record.call {
            call.sealed = sealed(&core, decided)?;
        }
        if decided.is_durable || self.waits(record.actor.as_ref(), &core) {
            self.log.append_blocking(&record, SystemTime::now()).or(Err(Unrecorded))?;
            if let Some(actor) = &record.actor {
                core.note_use(&actor.key);
            }
        } else {
            self.place()?.put(&record, SystemTime::now());
        }
        let Record { request_id, traceparent, actor, route, policy_version, tool, .. } = record;
        let answer = Record {
            request_id,
            traceparent,
            actor,
            route,
            policy_version,
            tool,
            ..Record::new(Kind::ToolAnswer)
        };
        Ok(Box::new(Answer { place, record: answer, began: Instant::now(), core: Weak::clone(&self.core) }))
    }

    fn check(&self) -> Result<(), Unrecorded> {
        self.log.check().or(Err(Unrecorded))
    }

    fn noted(&self, event: &Event<'_>) -> Result<(), Unrecorded> {
        let redactions = match *event {
            Event::Redacted { redactions, .. } => counted(redactions.counts),
            _ => BTreeMap::new(),
        };
        let exposed = match (*event, self.core.upgrade()) {
            (Event::Redacted { redactions, .. }, Some(core)) => seen(&core, redactions.keys, None),
            _ => Vec::new(),
        };
        let (kind, server, tool, hash, reason) = match *event {
            Event::ToolPinned { server, tool, hash } => {
                (Kind::ToolPinned, server, Some(tool), Some(hash), None)
            }
            Event::ToolChanged { server, tool, hash, is_stopped } => {
                let reason = if is_stopped { "stopped" } else { "recorded" };
                (Kind::ToolChanged, server, Some(tool), Some(hash), Some(reason))
            }
            Event::Redacted { server, .. } => (Kind::MessageRedacted, server, None, None, None),
            Event::Dropped { server, reason } => (Kind::MessageDropped, server, None, None, Some(reason)),
        };
        let record = Record {
            route: Some(Route { upstream: Word::new(server), name: "tools/list", model: None })
                .filter(|_| tool.is_some()),
            reason,
            redactions,
            exposed,
            policy_version: Some(self.version.clone()),
            tool: tool.and_then(Word::new),
            tool_hash: hash.and_then(Word::new),
            ..Record::new(kind)
        };
        self.place()?.put(&record, SystemTime::now());
        Ok(())
    }
}

/// The place for the record of an answer, and what it will say of the request.
struct Answer {
    place: Place,
    record: Record,
    began: Instant,
    core: Weak<Core>,
}

impl Ending for Answer {
    fn ended(self: Box<Self>, ended: &Ended<'_>) {
        let Answer { place, record, began, core } = *self;
        let core = core.upgrade();
        let record = Record {
            outcome: Some(match ended.outcome {
                obelus_mcp::Outcome::Completed => Outcome::Completed,
                obelus_mcp::Outcome::Failed => Outcome::Failed,
                obelus_mcp::Outcome::Cancelled => Outcome::Cancelled,
                obelus_mcp::Outcome::Unknown => Outcome::Unknown,
            }),
            reason: ended.reason,
            redactions: counted(ended.redactions.counts),
            exposed: core
                .map(|core| seen(&core, ended.redactions.keys, record.request_id.as_ref()))
                .unwrap_or_default(),
            coverage: Some(Coverage { scanned_bytes: ended.scanned_bytes as u64, unread: Vec::new() }),
            duration_us: u64::try_from(began.elapsed().as_micros()).ok(),
            ..record
        };
        place.put(&record, SystemTime::now());
    }
}
