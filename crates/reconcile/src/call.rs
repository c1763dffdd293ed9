//! Calls, as the records of the audit tell of them.

use crate::event::Field;
use crate::table::{OperationId, Table};
use obelus_audit::Utc;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// How long a call may be on its way of which nobody recorded the end, in microseconds.
const ON_ITS_WAY: u64 = 120_000_000;
/// Bits of an id's hash that stand for its prefix.
const PREFIX_BITS: u32 = 16;

/// Makes numbers of ids: 64 bits under a key of this run, so that nobody can choose ids that become one.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomState);

impl Ids {
    /// The number of a text; never 0, which stands for none.
    pub(crate) fn number(&self, text: &str) -> u64 {
        self.0.hash_one(text).max(1)
    }

    pub(crate) fn of(&self, text: Option<&str>) -> u64 {
        text.map_or(0, |text| self.number(text))
    }

    /// The number of an object's id, of which the upper bits are those of its prefix.
    pub(crate) fn object(&self, id: &str) -> ObjectId {
        let low = self.number(id) >> PREFIX_BITS;
        let prefix = id.rsplit_once('_').map_or(0, |(prefix, _)| self.number(prefix) << (64 - PREFIX_BITS));
        ObjectId(prefix | low)
    }
}

/// The number of an object's id.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ObjectId(u64);

impl ObjectId {
    /// Whether both are ids of one sort of objects.
    pub(crate) fn is_sort_of(self, other: ObjectId) -> bool {
        let prefix = self.0 >> (64 - PREFIX_BITS);
        prefix != 0 && prefix == other.0 >> (64 - PREFIX_BITS)
    }
}

/// How far a call came.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    /// It did not go out.
    Kept,
    /// It was to go out; nothing says what came of it.
    Sent,
    /// It is not known whether it was done.
    Unknown,
    /// Stripe refused it.
    Failed,
    /// It was done.
    Done,
}

/// What events have been found for a call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Found {
    Nothing,
    /// Events that have nothing to do with its operation.
    Odd,
    /// Events of its operation.
    Own,
}

/// A call, in numbers.
#[derive(Debug)]
pub(crate) struct Call {
    /// Of its first record.
    pub(crate) seq: u64,
    /// Microseconds since 1970.
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    /// Stripe's id of the request.
    pub(crate) request: u64,
    pub(crate) key: u64,
    pub(crate) account: u64,
    pub(crate) amount: Option<u64>,
    pub(crate) currency: [u8; 3],
    pub(crate) operation: OperationId,
    pub(crate) livemode: Option<bool>,
    pub(crate) state: State,
    pub(crate) found: Found,
    /// Whether only its object and its time can show which events are its own.
    pub(crate) by_object: bool,
    pub(crate) is_read: bool,
    ids_begin: usize,
    ids_len: u16,
}

/// A record of a call. Others have no `operation` and name no request that a call has.
#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Field<'a>,
    #[serde(borrow, default)]
    request_id: Field<'a>,
    #[serde(borrow, default)]
    tool: Field<'a>,
    #[serde(borrow, default)]
    operation: Field<'a>,
    #[serde(borrow, default)]
    stripe_objects: Vec<Field<'a>>,
    #[serde(borrow, default)]
    amount_minor: Field<'a>,
    #[serde(borrow, default)]
    currency: Field<'a>,
    #[serde(borrow, default)]
    livemode: Field<'a>,
    #[serde(borrow, default)]
    account: Field<'a>,
    #[serde(borrow, default)]
    decision: Field<'a>,
    #[serde(borrow, default)]
    idempotency_key: Field<'a>,
    #[serde(borrow, default)]
    upstream_request_id: Field<'a>,
    #[serde(borrow, default)]
    outcome: Field<'a>,
    #[serde(borrow, default)]
    status: Field<'a>,
}

impl Line<'_> {
    /// How far the call had come when this was written.
    fn state(&self) -> Option<State> {
        let is = |field: &Field<'_>, wanted: &str| matches!(field, Field::Text(text) if text == wanted);
        let status = self.status.number();
        if self.decision.as_text().is_some_and(|decision| decision != "allow") {
            return None;
        }
        match &self.outcome {
            // Whoever wrote it knows better than the status: 409 may be another attempt that is on its way.
            outcome if is(outcome, "unknown") => Some(State::Unknown),
            Field::Text(_) if status.is_some_and(|status| (400..500).contains(&status)) => {
                Some(State::Failed)
            }
            Field::Text(_) if status.is_some_and(|status| status >= 500) => Some(State::Unknown),
            outcome if is(outcome, "completed") => Some(State::Done),
            Field::Text(_) => Some(State::Unknown),
            _ if !self.decision.is_absent() => Some(State::Sent),
            _ => None,
        }
    }
}

/// That a line is no record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoRecord;

/// The calls of a log, in some hundred bytes each.
pub struct Calls {
    pub(crate) table: Table,
    pub(crate) ids: Ids,
    pub(crate) calls: Vec<Call>,
    objects: Vec<ObjectId>,
    /// Calls by the request that made them.
    by_request: HashMap<u64, usize>,
    pub(crate) records: u64,
    /// When the first record was written.
    pub(crate) begin: Option<Utc>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("calls", &self.calls.len()).finish_non_exhaustive()
    }
}

impl Default for Calls {
    fn default() -> Calls {
        Calls::new()
    }
}

impl Calls {
    /// Of no log yet.
    pub fn new() -> Calls {
        Calls {
            table: Table::new(),
            ids: Ids::default(),
            calls: Vec::new(),
            objects: Vec::new(),
            by_request: HashMap::new(),
            records: 0,
            begin: None,
        }
    }

    /// Takes the next record, as it stands in its line. Those that are about no call of Stripe's change nothing.
    ///
    /// # Errors
    /// A line that is no record.
    pub fn record(&mut self, line: &[u8]) -> Result<(), NoRecord> {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return Err(NoRecord) };
        let time = Utc::parse(&line.time).ok_or(NoRecord)?;
        self.records += 1;
        self.begin.get_or_insert(time);
        let request = self.ids.of(line.request_id.as_text());
        // What people decide about a call is none of its own.
        if line.kind.as_text().is_some_and(|kind| kind.starts_with("approval")) {
            return Ok(());
        }
        let at = match (self.by_request.get(&request), line.operation.as_text()) {
            (Some(at), _) if request != 0 => *at,
            (_, Some(operation)) => {
                let number = self.table.operation_id(operation);
                self.calls.push(Call::new(
                    line.seq,
                    time,
                    number,
                    operation.starts_with("Get"),
                    self.objects.len(),
                ));
                if request != 0 {
                    self.by_request.insert(request, self.calls.len() - 1);
                }
                self.calls.len() - 1
            }
            _ => return Ok(()),
        };
        self.add(at, &line, time);
        Ok(())
    }

    /// Adds what a record says of a call.
    fn add(&mut self, at: usize, line: &Line<'_>, time: Utc) {
        let Some(call) = self.calls.get_mut(at) else { return };
        let merge = |old: u64, new: Option<&str>| if old == 0 { self.ids.of(new) } else { old };
        call.request = merge(call.request, line.upstream_request_id.as_text());
        call.key = merge(call.key, line.idempotency_key.as_text());
        call.account = merge(call.account, line.account.as_text());
        call.amount = call.amount.or(line.amount_minor.number());
        call.livemode = call.livemode.or(line.livemode.bool());
        if let Some(letters) = line.currency.as_text().and_then(currency) {
            call.currency = letters;
        }
        call.by_object |= !line.tool.is_absent();
        if let Some(state) = line.state() {
            call.state = call.state.max(state);
            if state > State::Sent {
                call.ended = time.as_micros();
            }
        }
        if line.stripe_objects.is_empty() {
            return;
        }
        let end = call.ids_begin + usize::from(call.ids_len);
        if end != self.objects.len() {
            // Others came between.
            let begin = self.objects.len();
            self.objects.extend_from_within(call.ids_begin..end);
            call.ids_begin = begin;
        }
        for object in line.stripe_objects.iter().filter_map(Field::as_text) {
            let id = self.ids.object(object);
            let own = self.objects.get(call.ids_begin..).unwrap_or_default();
            if !own.contains(&id) && call.ids_len < u16::MAX {
                self.objects.push(id);
                call.ids_len += 1;
            }
        }
    }

    /// The ids that a call names.
    pub(crate) fn objects_of(&self, call: &Call) -> &[ObjectId] {
        self.objects.get(call.ids_begin..call.ids_begin + usize::from(call.ids_len)).unwrap_or_default()
    }

    /// Ends the reading: frees what only that needs, and puts calls in the order of time.
    pub(crate) fn finish(&mut self) {
        self.by_request = HashMap::new();
        self.calls.sort_unstable_by_key(|call| (call.begun, call.seq));
        for call in &mut self.calls {
            if call.state <= State::Sent {
                call.ended = call.begun.saturating_add(ON_ITS_WAY);
            }
            call.by_object |= call.request == 0 && call.key == 0;
        }
    }
}

impl Call {
    fn new(seq: u64, time: Utc, operation: OperationId, is_read: bool, ids_begin: usize) -> Call {
        Call {
            seq,
            begun: time.as_micros(),
            ended: time.as_micros(),
            request: 0,
            key: 0,
            account: 0,
            amount: None,
            currency: [0; 3],
            operation,
            livemode: None,
            state: State::Kept,
            found: Found::Nothing,
            by_object: false,
            is_read,
            ids_begin,
            ids_len: 0,
        }
    }
}

/// Three letters, small.
pub(crate) fn currency(text: &str) -> Option<[u8; 3]> {
    let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
    letters.iter().all(u8::is_ascii_alphabetic).then(|| letters.map(|letter| letter.to_ascii_lowercase()))
}
