//! Pairs events with calls.
//!
//! An event names the request to Stripe that caused it and the idempotency key of that: where a call has either, they
//! belong together, and this is settled as events come. The rest waits in numbers until the end: events of one request
//! stay together, and a call without either belongs to those about its object, in its time, that its operation causes.

use crate::call::{Call, Calls, Found, ObjectId, State, currency};
use crate::event::Event;
use crate::found::{Difference, Reconciled, Write, difference};
use crate::table::{AmountField, Causes, TypeId};
use obelus_audit::Utc;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// For how long two attempts under one idempotency key are one: Stripe keeps keys for at least a day, and within it does
/// nothing twice.
const KEY_TIME: u64 = 12 * 3600 * 1_000_000;
/// Times of snapshots are cut to the second.
const SECOND: u64 = 1_000_000;

/// How to pair.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What is before is not judged. Otherwise what is before the first event or the first record.
    pub since: Option<Utc>,
    /// What is behind is not judged. Otherwise calls behind the last event.
    pub until: Option<Utc>,
    /// How far the clocks may be apart where only the time shows which event belongs to a call.
    pub window: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { since: None, until: None, window: Duration::from_secs(30) }
    }
}

/// An event, in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) created: u64,
    pub(crate) request: u64,
    pub(crate) key: u64,
    pub(crate) account: u64,
    pub(crate) amount: Option<u64>,
    pub(crate) currency: [u8; 3],
    pub(crate) livemode: Option<bool>,
    pub(crate) kind: TypeId,
    ids_begin: usize,
    ids_len: u8,
    text: usize,
}

/// A call and the events of a request that could be its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Candidate {
    /// Whether they share only what the object belongs to, and not the object.
    is_distant: bool,
    differs: bool,
    /// How far their times are apart.
    apart: u64,
    group: usize,
    call: usize,
}

/// Events that wait, in groups of one request.
struct Groups {
    order: Vec<usize>,
    /// Where each group ends in `order`.
    ends: Vec<usize>,
}

impl Groups {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, at: usize) -> Option<&[usize]> {
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.order.get(begin..*self.ends.get(at)?)
    }

    fn iter(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

/// Takes events and finds what belongs together.
pub struct Pairing {
    pub(crate) calls: Calls,
    pub(crate) settings: Settings,
    by_request: Vec<(u64, usize)>,
    pub(crate) by_key: Vec<(u64, usize)>,
    /// Requests that were found by their key.
    bound: HashMap<u64, usize>,
    seen_ids: HashSet<u64>,
    waiting: Vec<Seen>,
    waiting_ids: Vec<ObjectId>,
    /// What is told of those that wait: id, object, request, account, each with a zero byte behind it.
    texts: Vec<u8>,
    pub(crate) found: Reconciled,
    /// From the first event to the last.
    pub(crate) span: Option<(u64, u64)>,
    /// Whether there are events of test mode and of live mode.
    pub(crate) modes: [bool; 2],
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairing").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Pairing {
    /// For all calls of a log.
    pub fn new(mut calls: Calls, settings: Settings) -> Pairing {
        calls.finish();
        let index = |of: fn(&Call) -> u64| {
            let numbered = calls.calls.iter().enumerate().map(|(at, call)| (of(call), at));
            let mut index: Vec<(u64, usize)> = numbered.filter(|(number, _)| *number != 0).collect();
            index.sort_unstable();
            index
        };
        let (by_request, by_key) = (index(|call| call.request), index(|call| call.key));
        Pairing {
            calls,
            settings,
            by_request,
            by_key,
            bound: HashMap::new(),
            seen_ids: HashSet::new(),
            waiting: Vec::new(),
            waiting_ids: Vec::new(),
            texts: Vec::new(),
            found: Reconciled::default(),
            span: None,
            modes: [false; 2],
        }
    }

    /// Takes an event, in whatever order they come. One that has come before changes nothing.
    pub fn event(&mut self, event: &Event<'_>) {
        if !self.seen_ids.insert(self.calls.ids.number(&event.id)) {
            self.found.counts.duplicates += 1;
            return;
        }
        self.found.counts.events += 1;
        let created = event.created.as_micros();
        self.span = Some(
            self.span.map_or((created, created), |(first, last)| (first.min(created), last.max(created))),
        );
        if let Some(livemode) = event.livemode {
            self.modes[usize::from(livemode)] = true;
        }
        let seen = self.number(event);
        let ids = std::mem::take(&mut self.waiting_ids);
        let own = ids.get(seen.ids_begin..).unwrap_or_default();
        let call = self.call_of(&seen);
        if let Some(call) = call {
            self.attach(call, &seen, own, event.id.as_ref());
        }
        self.waiting_ids = ids;
        match call {
            Some(_) => self.waiting_ids.truncate(seen.ids_begin),
            None => {
                for text in [
                    Some(&event.id),
                    event.object.as_ref(),
                    event.request_id.as_ref(),
                    event.account.as_ref(),
                ] {
                    self.texts.extend(text.map_or("", AsRef::as_ref).bytes().filter(|byte| *byte != 0));
                    self.texts.push(0);
                }
                self.waiting.push(seen);
            }
        }
    }

    /// An event in numbers; its ids are put behind those that wait.
    fn number(&mut self, event: &Event<'_>) -> Seen {
        let ids = &self.calls.ids;
        let (request, key) = (ids.of(event.request_id.as_deref()), ids.of(event.idempotency_key.as_deref()));
        let account = ids.of(event.account.as_deref());
        let ids_begin = self.waiting_ids.len();
        // The first is the event's own; where there is none, what it belongs to says nothing.
        if event.object.is_some() {
            self.waiting_ids.extend(event.objects().map(|id| ids.object(id)));
        }
        let kind = self.calls.table.type_id(&event.kind);
        let amount = match self.calls.table.amount_field(kind) {
            None => None,
            Some(AmountField::Amount) => event.amount,
            Some(AmountField::AmountCaptured) => event.amount_captured,
            Some(AmountField::AmountReceived) => event.amount_received,
        };
        Seen {
            created: event.created.as_micros(),
            request,
            key,
            account,
            amount,
            currency: event.currency.as_deref().and_then(currency).unwrap_or_default(),
            livemode: event.livemode,
            kind,
            ids_begin,
            ids_len: u8::try_from(self.waiting_ids.len() - ids_begin).unwrap_or(u8::MAX),
            text: self.texts.len(),
        }
    }

    /// The call whose request an event names, by its id or by its key.
    fn call_of(&mut self, seen: &Seen) -> Option<usize> {
        if seen.request != 0 {
            let sent = |at: &usize| self.calls.calls.get(*at).is_some_and(|call| call.state > State::Kept);
            if let Some(at) = run(&self.by_request, seen.request).find(sent) {
                return Some(at);
            }
            if let Some(at) = self.bound.get(&seen.request) {
                return Some(*at);
            }
        }
        if seen.key == 0 {
            return None;
        }
        // A call that knows its request made no other.
        let free = run(&self.by_key, seen.key).filter_map(|at| Some((at, self.calls.calls.get(at)?)));
        let free =
            free.filter(|(_, call)| call.state > State::Kept && (call.request == 0 || seen.request == 0));
        let free = free.filter(|(_, call)| fits(call, seen));
        let nearest = free.map(|(at, call)| (seen.created.abs_diff(call.begun), at)).min()?;
        let (apart, at) = nearest;
        if apart > KEY_TIME {
            return None;
        }
        if seen.request != 0 {
            self.bound.insert(seen.request, at);
            self.calls.calls.get_mut(at)?.request = seen.request;
        }
        Some(at)
    }

    /// Takes note that an event belongs to a call, and of what they say differently.
    fn attach(&mut self, at: usize, seen: &Seen, own: &[ObjectId], event: &str) {
        let Some(call) = self.calls.calls.get(at) else { return };
        let effects = self.calls.table.effects(call.operation);
        let causes = effects.map_or(Causes::Main, |effects| effects.of(seen.kind));
        if causes != Causes::Main {
            self.found.counts.folded += 1;
        }
        let differences = match causes {
            Causes::Main if effects.is_some() => difference(call, self.calls.objects_of(call), seen, own),
            Causes::Main | Causes::Cascade
                if call.account != 0 && seen.account != 0 && call.account != seen.account =>
            {
                vec![Difference::Account]
            }
            _ => Vec::new(),
        };
        for what in differences {
            self.found.note_mismatch(call.seq, what, event, (call.amount, seen.amount));
        }
        // The table does not know everything; what is about the call's own objects is its own.
        let named = self.calls.objects_of(call);
        let is_odd = causes == Causes::Nothing && !own.iter().any(|id| named.contains(id));
        let found = if is_odd { Found::Odd } else { Found::Own };
        if let Some(call) = self.calls.calls.get_mut(at) {
            call.found = call.found.max(found);
        }
    }

    /// Settles what waits and what has no event.
    pub fn finish(mut self) -> Reconciled {
        self.bound = HashMap::new();
        self.seen_ids = HashSet::new();
        let groups = self.groups();
        let by_object = self.by_object();
        let mut candidates = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            self.candidates((at, group), &by_object, &mut candidates, |call| {
                call.state > State::Kept && call.by_object && call.found == Found::Nothing
            });
        }
        candidates.sort_unstable();
        // Events without a request are one by one: their types, by the calls that they belong to.
        let mut alone: HashMap<usize, Vec<TypeId>> = HashMap::new();
        let mut settled = vec![false; groups.len()];
        for Candidate { group: at, call, .. } in candidates {
            let (Some(group), Some(settled)) = (groups.get(at), settled.get_mut(at)) else { continue };
            let Some(first) = group.first().and_then(|at| self.waiting.get(*at)).copied() else { continue };
            let is_untaken = self.calls.calls.get(call).is_some_and(|call| call.found == Found::Nothing);
            // Several of different types can be of one call.
            let joins =
                first.request == 0 && alone.get(&call).is_some_and(|kinds| !kinds.contains(&first.kind));
            if *settled || !is_untaken && !joins {
                continue;
            }
            *settled = true;
            if first.request == 0 {
                alone.entry(call).or_default().push(first.kind);
            }
            for at in group {
                self.attach_waiting(call, *at);
            }
        }
        for (group, _) in groups.iter().zip(settled).filter(|(_, is_settled)| !is_settled) {
            self.left_over(group, &by_object);
        }
        self.judge_calls();
        self.found.finish();
        self.found
    }

    fn attach_waiting(&mut self, call: usize, at: usize) {
        let Some(seen) = self.waiting.get(at).copied() else { return };
        let own = self.ids_of(&seen).to_vec();
        let [id, ..] = self.words(&seen);
        self.attach(call, &seen, &own, id.as_deref().unwrap_or_default());
    }

    pub(crate) fn ids_of(&self, seen: &Seen) -> &[ObjectId] {
        self.waiting_ids.get(seen.ids_begin..seen.ids_begin + usize::from(seen.ids_len)).unwrap_or_default()
    }

    /// Id, object, request and account of an event that waits. Only ids are told: other text may say something.
    pub(crate) fn words(&self, seen: &Seen) -> [Option<String>; 4] {
        let mut parts = self.texts.get(seen.text..).unwrap_or_default().split(|byte| *byte == 0);
        [(); 4].map(|()| {
            let text = parts.next().and_then(|part| std::str::from_utf8(part).ok())?;
            obelus_audit::Word::new(text).map(|word| word.to_string())
        })
    }

    /// Those that wait, by request. Without one each is alone.
    fn groups(&self) -> Groups {
        let mut order: Vec<usize> = (0..self.waiting.len()).collect();
        let request = |at: &usize| self.waiting.get(*at).map_or(0, |seen| seen.request);
        order.sort_unstable_by_key(|at| (request(at), *at));
        let mut ends = Vec::new();
        let chunks = order.chunk_by(|one, other| request(one) != 0 && request(one) == request(other));
        let mut chunks: Vec<&[usize]> = chunks.collect();
        chunks.sort_by(|one, other| self.rank(one).cmp(&self.rank(other)));
        for chunk in &chunks {
            ends.push(ends.last().unwrap_or(&0) + chunk.len());
        }
        Groups { order: chunks.concat(), ends }
    }

    /// What comes first among events of the same time: neither the numbers of this run nor the order in which events came
    /// decides.
    fn rank(&self, group: &[usize]) -> Option<(u64, &[u8])> {
        let id = |seen: &Seen| {
            let text = self.texts.get(seen.text..).unwrap_or_default();
            text.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        group.iter().filter_map(|at| self.waiting.get(*at)).map(|seen| (seen.created, id(seen))).min()
    }

    /// Calls by the ids that they name, those of one id in the order of time.
    fn by_object(&self) -> Vec<(ObjectId, usize)> {
        let calls = self.calls.calls.iter().enumerate();
        let named = calls.flat_map(|(at, call)| self.calls.objects_of(call).iter().map(move |id| (*id, at)));
        let mut index: Vec<(ObjectId, usize)> = named.collect();
        index.sort_unstable();
        index
    }

    /// The calls to which a group could belong, each once.
    fn candidates(
        &self,
        (at, group): (usize, &[usize]),
        by_object: &[(ObjectId, usize)],
        out: &mut Vec<Candidate>,
        wanted: impl Fn(&Call) -> bool,
    ) {
        let begin = out.len();
        let window = u64::try_from(self.settings.window.as_micros()).unwrap_or(u64::MAX);
        for seen in group.iter().filter_map(|at| self.waiting.get(*at)) {
            let own = self.ids_of(seen);
            for (place, id) in own.iter().enumerate() {
                let range = range(by_object, *id);
                let calls = &self.calls.calls;
                let begun = |at: usize| calls.get(at).map_or(0, |call| call.begun);
                // No call is on its way for longer than a day.
                let from = seen.created.saturating_sub(window.saturating_add(2 * KEY_TIME));
                let skip = range.partition_point(|(_, at)| begun(*at) < from);
                for (_, call_at) in range.iter().skip(skip) {
                    let Some(call) = calls.get(*call_at) else { continue };
                    if call.begun > seen.created.saturating_add(window).saturating_add(SECOND) {
                        break;
                    }
                    if seen.created > call.ended.saturating_add(window) || !wanted(call) || !fits(call, seen)
                    {
                        continue;
                    }
                    let named = self.calls.objects_of(call);
                    if !self.may_cause(call, seen, place == 0) || has_other(named, own.first()) {
                        continue;
                    }
                    out.push(Candidate {
                        is_distant: place > 0,
                        differs: call.amount.zip(seen.amount).is_some_and(|(said, seen)| said != seen),
                        apart: seen.created.abs_diff(call.begun),
                        group: at,
                        call: *call_at,
                    });
                }
            }
        }
        let found = out.get_mut(begin..).unwrap_or_default();
        found.sort_unstable_by_key(|candidate| (candidate.call, *candidate));
        let mut last = None;
        let kept: Vec<Candidate> =
            found.iter().filter(|one| last.replace(one.call) != Some(one.call)).copied().collect();
        out.truncate(begin);
        out.extend(kept);
    }

    /// Whether an event is what the operation of a call makes; of operations that are not known, anything about the object.
    fn may_cause(&self, call: &Call, seen: &Seen, is_own: bool) -> bool {
        match self.calls.table.effects(call.operation) {
            Some(effects) => effects.of(seen.kind) == Causes::Main,
            None => is_own && !call.is_read,
        }
    }

    /// Events that no call has made.
    fn left_over(&mut self, group: &[usize], by_object: &[(ObjectId, usize)]) {
        let Some(first) = group.first().and_then(|at| self.waiting.get(*at)).copied() else { return };
        // An event says the second of what happened, so the whole second counts in which the records begin.
        let begin =
            self.settings.since.or(self.calls.begin).map_or(0, |begin| begin.as_micros() / SECOND * SECOND);
        let end = self.settings.until.map_or(u64::MAX, Utc::as_micros);
        let last = group.iter().filter_map(|at| self.waiting.get(*at)).map(|seen| seen.created).max();
        if last.is_none_or(|last| last < begin) || first.created > end {
            self.found.counts.events_not_judged += group.len() as u64;
        } else if let Some(call) = self.replayed(&first) {
            for at in group {
                self.attach_waiting(call, *at);
            }
        } else if first.request != 0 {
            let write = self.write(group, by_object);
            self.found.writes.push(write);
        } else if self.follows(&first, by_object) {
            self.found.counts.follow_ups += 1;
        } else {
            let kind = self.calls.table.type_name(first.kind).to_owned();
            *self.found.outside.entry(kind).or_default() += 1;
        }
    }

    /// A call without events that was answered with what another request under its key had made: Stripe does nothing twice.
    fn replayed(&self, seen: &Seen) -> Option<usize> {
        run(&self.by_key, seen.key).find(|at| {
            self.calls.calls.get(*at).is_some_and(|call| {
                call.state == State::Done
                    && call.found == Found::Nothing
                    && fits(call, seen)
                    && seen.created.abs_diff(call.begun) <= KEY_TIME
            })
        })
    }

    /// Whether an event that nobody asked for is what became of a call's object.
    fn follows(&self, seen: &Seen, by_object: &[(ObjectId, usize)]) -> bool {
        let Some(own) = self.ids_of(seen).first() else { return false };
        range(by_object, *own).iter().filter_map(|(_, at)| self.calls.calls.get(*at)).any(|call| {
            let effects = self.calls.table.effects(call.operation);
            let causes = effects.map_or(Causes::Nothing, |effects| effects.of(seen.kind));
            call.state > State::Kept
                && matches!(causes, Causes::Cascade | Causes::Later)
                && call.begun <= seen.created.saturating_add(SECOND)
        })
    }

    /// A request that no call has made.
    fn write(&self, group: &[usize], by_object: &[(ObjectId, usize)]) -> Write {
        let members: Vec<&Seen> = group.iter().filter_map(|at| self.waiting.get(*at)).collect();
        let kinds: Vec<TypeId> = members.iter().map(|seen| seen.kind).collect();
        let table = &self.calls.table;
        let likely = table.likely(&kinds);
        // The event that says most of it.
        let rank = |seen: &&Seen| (table.likely(&[seen.kind]) == likely, seen.amount.is_some(), seen.created);
        let told = members.iter().copied().max_by_key(rank);
        let words = told.map(|seen| self.words(seen)).unwrap_or_default();
        let [event, object, request, account] = words;
        let kept_by_key = told.into_iter().flat_map(|seen| run(&self.by_key, seen.key));
        let kept_by_key = kept_by_key.filter_map(|at| self.calls.calls.get(at));
        let kept = kept_by_key.filter(|call| call.state == State::Kept).map(|call| call.seq).next();
        let mut refused = Vec::new();
        self.candidates((0, group), by_object, &mut refused, |call| call.state == State::Kept);
        let refused = refused.iter().min().and_then(|candidate| self.calls.calls.get(candidate.call));
        Write {
            created: Utc::from_micros(members.iter().map(|seen| seen.created).min().unwrap_or_default()),
            events: members.len() as u64,
            event,
            kind: told.map(|seen| table.type_name(seen.kind).to_owned()).unwrap_or_default(),
            object,
            request,
            account,
            amount_minor: told.and_then(|seen| seen.amount),
            currency: told
                .and_then(|seen| std::str::from_utf8(&seen.currency).ok().map(str::to_owned))
                .filter(|letters| !letters.starts_with('\0')),
            livemode: told.and_then(|seen| seen.livemode),
            likely_operation: likely.map(str::to_owned),
            refused_seq: kept.or(refused.map(|call| call.seq)),
        }
    }
}

/// Whether a call and an event can be of the same account and mode.
fn fits(call: &Call, seen: &Seen) -> bool {
    (call.account == 0 || seen.account == 0 || call.account == seen.account)
        && call.livemode.zip(seen.livemode).is_none_or(|(said, seen)| said == seen)
}

/// Whether a call names another object of the same sort and not this one: a refund, but not this refund.
pub(crate) fn has_other(named: &[ObjectId], own: Option<&ObjectId>) -> bool {
    own.is_some_and(|own| named.iter().any(|id| id.is_sort_of(*own)) && !named.contains(own))
}

/// The calls with this number, in the order of time.
pub(crate) fn run(index: &[(u64, usize)], number: u64) -> impl Iterator<Item = usize> {
    let begin = index.partition_point(|(other, _)| *other < number);
    let rest = index.get(begin..).unwrap_or_default().iter();
    rest.take_while(move |(other, _)| *other == number && number != 0).map(|(_, at)| *at)
}

fn range(index: &[(ObjectId, usize)], id: ObjectId) -> &[(ObjectId, usize)] {
    let begin = index.partition_point(|(other, _)| *other < id);
    let rest = index.get(begin..).unwrap_or_default();
    rest.get(..rest.partition_point(|(other, _)| *other == id)).unwrap_or_default()
}
