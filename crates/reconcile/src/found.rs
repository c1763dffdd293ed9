//! What pairing has found.

use crate::call::{Call, Found, ObjectId, State};
use crate::pair::{Pairing, Seen, has_other, run};
use obelus_audit::Utc;
use serde::Serialize;
use std::collections::BTreeMap;

/// Attempts under one idempotency key within this time are one call.
const ATTEMPTS: u64 = 24 * 3600 * 1_000_000;

/// What a call and its event say differently.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The amount.
    Amount,
    /// The currency.
    Currency,
    /// Which object.
    Object,
    /// The connected account.
    Account,
    /// The events of the call's request are those of another operation.
    Operation,
}

/// What is wrong with a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CallFault {
    /// It was done, and there is no event of it.
    NoEvent,
    /// Its event says something else.
    Mismatch {
        /// What.
        what: Difference,
        /// The event's id; nothing if all are meant.
        event: Option<String>,
        /// The amounts of call and event, where these differ.
        amounts: Option<(u64, u64)>,
    },
}

/// A request that somebody made at Stripe and that did not go through the gateway.
#[derive(Clone, Debug, Serialize)]
pub struct Write {
    /// When.
    #[serde(serialize_with = "in_words", rename = "time")]
    pub created: Utc,
    /// How many events it has caused.
    pub events: u64,
    /// The id of the event that says most.
    pub event: Option<String>,
    /// The type of that.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it was done to.
    pub object: Option<String>,
    /// Stripe's id of the request.
    pub request: Option<String>,
    /// The connected account.
    pub account: Option<String>,
    /// How much, in minor units.
    pub amount_minor: Option<u64>,
    /// Of which currency.
    pub currency: Option<String>,
    /// Whether it is real money.
    pub livemode: Option<bool>,
    /// The operation that causes such events.
    pub likely_operation: Option<String>,
    /// The record by which the gateway refused such a call, if it did.
    pub refused_seq: Option<u64>,
}

fn in_words<S: serde::Serializer>(time: &Utc, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// How many.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Records of the log.
    pub records: u64,
    /// Calls of Stripe that they tell of.
    pub calls: u64,
    /// Events, each once.
    pub events: u64,
    /// Events that came again.
    pub duplicates: u64,
    /// Calls with their events.
    pub matched: u64,
    /// Calls that were attempts of a matched one, under the same idempotency key.
    pub repeated: u64,
    /// Events that came along with a call's main event.
    pub folded: u64,
    /// Events of later that nobody asked for, about the object of a call.
    pub follow_ups: u64,
    /// Calls that were done and have no event.
    pub without_event: u64,
    /// Requests at Stripe that no call has made.
    pub writes_without_call: u64,
    /// Differences between a call and its event.
    pub mismatches: u64,
    /// Events that nobody asked for by the API: the dashboard, and what Stripe does by itself.
    pub outside: u64,
    /// Calls that end unknown and have no event: as far as events tell, they were not done.
    pub not_done: u64,
    /// Calls that Stripe refused.
    pub failed: u64,
    /// Calls that did not go out.
    pub kept_back: u64,
    /// Calls of which no event is known.
    pub no_event_known: u64,
    /// Changes without an event: one that changes nothing has none.
    pub unchanged: u64,
    /// Calls outside the time, or the mode, that the events cover.
    pub calls_not_judged: u64,
    /// Events before the log begins, or outside the time that was asked for.
    pub events_not_judged: u64,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// How many of each.
    pub counts: Counts,
    /// Faults of calls by the `seq` of their first record, in order.
    pub calls: Vec<(u64, CallFault)>,
    /// Requests around the gateway, in the order of time.
    pub writes: Vec<Write>,
    /// Events outside of the gateway by nature, by type.
    pub outside: BTreeMap<String, u64>,
    /// When the first event was made, and the last.
    pub events_span: Option<(Utc, Utc)>,
}

impl Reconciled {
    /// Whether records and events contradict each other.
    pub fn has_fault(&self) -> bool {
        !self.calls.is_empty() || !self.writes.is_empty()
    }

    /// Notes a difference of a call, each sort once.
    pub(crate) fn note_mismatch(
        &mut self,
        seq: u64,
        what: Difference,
        event: &str,
        amounts: (Option<u64>, Option<u64>),
    ) {
        let event = obelus_audit::Word::new(event).map(|word| word.to_string());
        let amounts = amounts.0.zip(amounts.1).filter(|_| what == Difference::Amount);
        self.calls.push((seq, CallFault::Mismatch { what, event, amounts }));
    }

    /// Puts everything in order.
    pub(crate) fn finish(&mut self) {
        let rank = |fault: &CallFault| match fault {
            CallFault::NoEvent => (None, None),
            CallFault::Mismatch { what, event, .. } => (Some(*what), event.clone()),
        };
        self.calls.sort_by_key(|(seq, fault)| (*seq, rank(fault)));
        self.calls.dedup_by_key(|(seq, fault)| (*seq, rank(fault).0));
        self.writes.sort_by(|one, other| {
            (one.created, &one.request, &one.event).cmp(&(other.created, &other.request, &other.event))
        });
        let mismatches = self.calls.iter().filter(|(_, fault)| *fault != CallFault::NoEvent).count();
        self.counts.mismatches = mismatches as u64;
        self.counts.without_event = (self.calls.len() - mismatches) as u64;
        self.counts.writes_without_call = self.writes.len() as u64;
        self.counts.outside = self.outside.values().sum();
    }
}

/// What a call and a main event of it say differently.
pub(crate) fn difference(call: &Call, named: &[ObjectId], seen: &Seen, own: &[ObjectId]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut note = |what: Difference, differs: bool| {
        if differs {
            found.push(what);
        }
    };
    note(Difference::Amount, call.amount.zip(seen.amount).is_some_and(|(said, seen)| said != seen));
    let has_currency = seen.amount.is_some() && call.currency != [0; 3] && seen.currency != [0; 3];
    note(Difference::Currency, has_currency && call.currency != seen.currency);
    note(Difference::Account, call.account != 0 && seen.account != 0 && call.account != seen.account);
    let is_shared = own.iter().any(|id| named.contains(id));
    let has_others = own.iter().any(|id| has_other(named, Some(id)));
    note(Difference::Object, has_other(named, own.first()) || !is_shared && has_others);
    found
}

impl Pairing {
    /// Says of each call what its events show.
    pub(crate) fn judge_calls(&mut self) {
        let (first, last) = self.span.unwrap_or((u64::MAX, 0));
        let from = self.settings.since.map_or(first, Utc::as_micros);
        let until = self.settings.until.map_or(last, Utc::as_micros);
        self.found.events_span =
            self.span.map(|(first, last)| (Utc::from_micros(first), Utc::from_micros(last)));
        self.found.counts.records = self.calls.records;
        self.found.counts.calls = self.calls.calls.len() as u64;
        // Differences outside the time that was asked for are not judged either.
        let judged = |call: &Call| {
            let has_mode = call.livemode.is_none_or(|livemode| self.modes[usize::from(livemode)]);
            (from..=until).contains(&call.begun) && has_mode
        };
        let mut faults = Vec::new();
        let mut dropped = Vec::new();
        let mut counts = self.found.counts.clone();
        for call in &self.calls.calls {
            let is_judged = judged(call);
            if call.found != Found::Nothing
                && !is_judged
                && (self.settings.since.is_some() || self.settings.until.is_some())
            {
                dropped.push(call.seq);
            }
            let effects = self.calls.table.effects(call.operation);
            let count = match (call.state, call.found) {
                (_, Found::Own) => &mut counts.matched,
                (State::Kept, _) => &mut counts.kept_back,
                (State::Done, Found::Odd) if effects.is_some_and(|effects| effects.has_main) => {
                    let what = Difference::Operation;
                    faults.push((call.seq, CallFault::Mismatch { what, event: None, amounts: None }));
                    &mut counts.matched
                }
                (_, Found::Odd) => &mut counts.matched,
                (State::Failed, _) => &mut counts.failed,
                _ if call.is_read || !effects.is_some_and(|effects| effects.has_main) => {
                    &mut counts.no_event_known
                }
                _ if self.is_repeated(call) => &mut counts.repeated,
                _ if !is_judged => &mut counts.calls_not_judged,
                (State::Sent | State::Unknown, _) => &mut counts.not_done,
                _ if effects.is_some_and(|effects| effects.only_updates) => &mut counts.unchanged,
                _ => {
                    faults.push((call.seq, CallFault::NoEvent));
                    continue;
                }
            };
            *count += 1;
        }
        self.found.counts = counts;
        self.found.calls.extend(faults);
        dropped.sort_unstable();
        self.found.calls.retain(|(seq, _)| dropped.binary_search(seq).is_err());
    }

    /// Whether another attempt under the same key has the events.
    fn is_repeated(&self, call: &Call) -> bool {
        let attempts = run(&self.by_key, call.key).filter_map(|at| self.calls.calls.get(at));
        attempts.into_iter().any(|other| {
            other.found == Found::Own
                && other.operation == call.operation
                && other.begun.abs_diff(call.begun) <= ATTEMPTS
        })
    }
}
