//! What goes between one client and one server: each message is read, judged, and passed on or answered.

use crate::ask::{Asks, GivenUp, taken_back};
use crate::call::Verdicts;
use crate::fault::{self, Fault};
use crate::gate::{STATE_PREFIX, Settled, Told};
use crate::journal::{Decided, Ended, Ending, Event, Outcome, Redactions, Unrecorded};
use crate::message::{Id, Kind, Message, Slot, Unreadable, splice};
use crate::method;
use crate::server::Server;
use crate::state::{State, Waiting};
use obelus_vault::Scope;
use obelus_wire::{Redacted, Sender};
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests of one side that wait for an answer at one time.
pub const WAITING_MAX: usize = 1024;

/// How long a client of revision 2026-07-28 that asks again waits for people. Clients of that revision ask ten times at
/// most, so that is how long they wait in all; the tenth part of it is less than what they give one request.
pub const HOLD: Duration = Duration::from_secs(40);

/// Requests of one client that are held at one time.
const HELD_MAX: usize = 64;

/// Who uses a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// The id of the virtual key.
    pub key: String,
    /// The workflow that the key is bound to.
    pub workflow: String,
    /// Whose values the key may see.
    pub tenant: String,
    /// The session within that.
    pub session: String,
}

/// What becomes of a message.
pub enum Step {
    /// It goes on, perhaps changed.
    Forward(Vec<u8>),
    /// It goes no further; this goes back to whoever sent it.
    Answer(Vec<u8>),
    /// It goes no further, and nothing goes back.
    Drop,
    /// It was for the gateway, and nothing goes back.
    Heard,
    /// This goes to the client, whatever becomes of the message itself.
    Tell(Vec<u8>, Box<Step>),
    /// It waits for people, and its answer comes later: [`Session::resume`].
    Hold(Held),
}

/// A call that waits for people.
pub struct Held {
    raw: Vec<u8>,
    pub(crate) id: Id,
    trace: Option<String>,
    /// [`Gate::changes`](crate::Gate::changes) before it was judged.
    pub seen: u64,
    /// Until when it waits at most.
    pub until: Instant,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("until", &self.until).finish_non_exhaustive()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Forward(_) => "Forward",
            Step::Answer(_) => "Answer",
            Step::Drop => "Drop",
            Step::Heard => "Heard",
            Step::Tell(..) => "Tell",
            Step::Hold(_) => "Hold",
        })
    }
}

/// What goes between one client and one server. Both directions may be used at the same time.
///
/// What waits for an answer when it is dropped counts as sent, with an unknown outcome.
pub struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) principal: Principal,
    pub(crate) scope: Scope,
    state: Mutex<State>,
}

/// A request of the client.
pub(crate) struct Request<'m> {
    pub(crate) id: Id,
    pub(crate) raw_id: &'m [u8],
    pub(crate) method: &'static str,
    pub(crate) is_modern: bool,
    /// A random name.
    pub(crate) name: String,
    /// Of which traces it may be a part: what the message says, then what was said around it.
    pub(crate) traces: Vec<String>,
    /// The latter.
    pub(crate) trace: Option<&'m str>,
    /// Whether the client shows addresses to people.
    pub(crate) shows_addresses: bool,
    /// The state of ours that the client hands back.
    pub(crate) state: Option<String>,
    /// Whether it hands back as well that somebody did not want to see where people decide.
    pub(crate) is_declined: bool,
    /// The message as it came.
    pub(crate) came: &'m [u8],
    /// [`Gate::changes`](crate::Gate::changes) before it was read.
    pub(crate) seen: u64,
    /// Until when it waits for people, if need be.
    pub(crate) until: Instant,
    /// Whether it has waited for people already.
    pub(crate) is_held: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.server.name).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(server: Arc<Server>, principal: Principal, scope: Scope) -> Session {
        Session { server, principal, scope, state: Mutex::default() }
    }

    /// Reads a message of the client. [`Step::Forward`] goes to the server. May wait for the audit and the gate's files.
    pub fn from_client(&self, raw: &[u8]) -> Step {
        self.from_client_of(raw, None)
    }

    /// The same of a message around which it was said of which trace it is a part, as for HTTP in a header.
    pub fn from_client_of(&self, raw: &[u8], trace: Option<&str>) -> Step {
        if self.state().is_closed {
            return Step::Drop;
        }
        let message = match Message::read(&self.server.lex, raw) {
            Ok(message) => message,
            Err(Unreadable { fault, id }) => {
                return self.refuse((id.as_deref(), None), &traces(None, trace), "malformed", fault);
            }
        };
        match &message.kind {
            Kind::Request { method } => self.request(&message, method, (trace, None)),
            Kind::Notification { method } => self.notification(&message, method),
            Kind::Response { .. } => self.answer_back(&message),
        }
    }

    /// A message of the client goes no further, for a reason that is none of the protocol: `reason` is the short word for
    /// it, `text` says what and what to do. A server that waits for it as for an answer is told that none comes. May wait
    /// for the audit.
    pub fn turn_away(&self, raw: &[u8], reason: &'static str, text: &str) -> Step {
        if self.state().is_closed {
            return Step::Drop;
        }
        let fault = Fault::refused(text);
        let message = match Message::read(&self.server.lex, raw) {
            Ok(message) => message,
            Err(Unreadable { id, .. }) => return self.refuse((id.as_deref(), None), &[], reason, fault),
        };
        if let Kind::Request { method } = &message.kind {
            let of = (message.raw_id(), method::of_client(method));
            return self.refuse(of, &traces(Some(&message), None), reason, fault);
        }
        let is_answer = matches!(message.kind, Kind::Response { .. });
        // These go to no server: a call that is taken back, or waited for no more, is so all the same.
        if let Some(step) = is_answer.then(|| self.answered_to_us(&message)).flatten() {
            return step;
        }
        if let Kind::Notification { method } = &message.kind
            && *method == "notifications/cancelled"
            && let Some(id) = message.id_at(Slot::RequestId).filter(|id| self.state().held.contains(id))
        {
            self.give_up(id);
            return Step::Heard;
        }
        drop(self.refuse((None, None), &[], reason, fault));
        match message.id.as_ref().filter(|id| is_answer && self.state().asked_back.remove(id)) {
            Some(_) => Step::Forward(no_answer().answer(message.raw_id())),
            None => Step::Drop,
        }
    }

    /// Looks again at a call that waits. Once it is decided, or the time of [`Held::until`] has come, the step is another
    /// than [`Step::Hold`].
    pub fn resume(&self, held: &Held) -> Step {
        let is_waited_for = |state: &State| state.held.contains(&held.id) && !state.is_closed;
        let given_up = {
            let mut state = self.state();
            if !is_waited_for(&state) {
                // The client has given it up, or left.
                return Step::Drop;
            }
            state.asks.given_up(&held.id)
        };
        let step = match (Message::read(&self.server.lex, &held.raw), given_up) {
            (Ok(message), Some(GivenUp::TakenBack(approval))) => taken_back(&message, &approval),
            (Ok(message), given_up) => match &message.kind {
                Kind::Request { method } => {
                    let until = if given_up.is_some() { Instant::now() } else { held.until };
                    self.request(&message, method, (held.trace.as_deref(), Some(until)))
                }
                _ => Step::Drop,
            },
            (Err(_), _) => Step::Drop,
        };
        if matches!(step, Step::Hold(_)) {
            return step;
        }
        let (is_waited_for, unanswered) = {
            let mut state = self.state();
            (state.held.remove(&held.id), state.asks.end(&held.id))
        };
        let step = match step {
            step if is_waited_for => step,
            // It was given up meanwhile: what has left has left.
            Step::Forward(message) => {
                self.give_up(held.id.clone());
                Step::Forward(message)
            }
            _ => Step::Drop,
        };
        match unanswered {
            Some(ask) => Step::Tell(fault::no_longer_asked(&ask), Box::new(step)),
            None => step,
        }
    }

    /// Nobody is there any more to hear what becomes of a call that waits: it can be made again, and attaches to what it
    /// waited for.
    pub fn let_go(&self, held: &Held) {
        let mut state = self.state();
        if state.held.remove(&held.id) {
            state.asks.end(&held.id);
        }
    }

    /// Waits until a call that waits should be looked at again.
    pub fn wait(&self, held: &Held) {
        self.server.gate.wait(held.seen, held.until);
    }

    /// Reads a message of the server. [`Step::Forward`] goes to the client.
    pub fn from_server(&self, raw: &[u8]) -> Step {
        let message = match Message::read(&self.server.lex, raw) {
            Ok(message) => message,
            Err(Unreadable { id, .. }) => return self.unreadable_of_server(id.as_deref()),
        };
        match &message.kind {
            Kind::Request { method } => self.asked_back(&message, method),
            Kind::Notification { .. } => self.told(&message),
            Kind::Response { is_error } => self.answered(&message, *is_error),
        }
    }

    /// Ends the session: what waits for an answer counts as sent, with an unknown outcome, and no message of the client
    /// goes on any more.
    pub fn close(&self) {
        let (asked, given_up) = {
            let mut state = self.state();
            state.is_closed = true;
            state.held.clear();
            state.asks = Asks::default();
            (std::mem::take(&mut state.asked), std::mem::take(&mut state.given_up))
        };
        for waiting in asked.into_values() {
            self.end(waiting, Settled::Unknown, Outcome::Unknown, None, (0, Redactions::default()));
        }
        for waiting in given_up.into_iter().filter_map(|(_, waiting)| waiting) {
            self.end(waiting, Settled::Unknown, Outcome::Cancelled, None, (0, Redactions::default()));
        }
    }

    /// Whether nothing is under way of which it is still to be learnt what came of it.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.asked.is_empty() && state.given_up.iter().all(|(_, waiting)| waiting.is_none())
    }

    /// Whether an answer to this request, as it went on, is still to come.
    pub fn is_asked(&self, sent: &[u8]) -> bool {
        let id = Message::read(&self.server.lex, sent).ok().and_then(|message| message.id);
        id.is_some_and(|id| self.state().asked.contains_key(&id))
    }

    /// No answer to this request, as it went on, will come: it never reached the server, or nobody knows. What the client
    /// is to be told; nothing if it was answered.
    pub fn fail(&self, sent: &[u8], has_left: bool, text: &str) -> Option<Vec<u8>> {
        let message = Message::read(&self.server.lex, sent).ok()?;
        let id = message.id.as_ref()?;
        let (waiting, is_given_up) = self.state().answered(id)?;
        if let Some(waiting) = waiting {
            let (settled, outcome) = match has_left {
                true => (Settled::Unknown, Outcome::Unknown),
                false => (Settled::Kept, Outcome::Failed),
            };
            self.end(waiting, settled, outcome, Some("upstream"), (0, Redactions::default()));
        }
        (!is_given_up).then(|| Fault::refused(text).answer(message.raw_id()))
    }

    /// The client will not hear the answer to this request, as it went on; what comes of it is still learnt.
    pub fn abandon(&self, sent: &[u8]) {
        if let Ok(message) = Message::read(&self.server.lex, sent)
            && let Some(id) = message.id
        {
            self.give_up(id);
        }
    }

    /// A line of the server that is no message, redacted; nothing if it cannot be read.
    pub fn redact_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.server.messages.text(text, &self.scope).ok()
    }

    fn request(
        &self,
        message: &Message<'_>,
        method: &str,
        (trace, held_until): (Option<&str>, Option<Instant>),
    ) -> Step {
        let (Some(id), Some(raw_id)) = (message.id.clone(), message.raw_id()) else { return Step::Drop };
        // Asked first: what changes from now on is seen by whoever waits.
        let seen = self.server.gate.changes();
        let traces = traces(Some(message), trace);
        let refuse = |method, reason, fault| self.refuse((Some(raw_id), method), &traces, reason, fault);
        let Some(method) = method::of_client(method) else {
            return refuse(None, "unknown_method", Fault::method());
        };
        let revision = message.at(Slot::MetaRevision).map(|_| message.text(Slot::MetaRevision));
        if revision.as_ref().is_some_and(|revision| revision.as_deref() != Some(method::MODERN)) {
            return refuse(Some(method), "revision", Fault::revision());
        }
        let until = held_until.unwrap_or_else(|| Instant::now() + HOLD);
        if let Err((reason, fault)) = self.state().admit(&id, held_until.is_some()) {
            return refuse(Some(method), reason, fault);
        }
        let came = message.raw;
        let state = message.text(Slot::RequestState);
        let state = state.filter(|state| method == "tools/call" && state.starts_with(STATE_PREFIX));
        let is_declined = state.is_some() && message.bytes(Slot::InputResponses).is_some_and(is_declined);
        if method == "initialize" {
            self.state().begin(message);
        }
        // What is the gateway's own goes no further.
        let without = match message.at(Slot::Params).filter(|_| state.is_some()) {
            None => None,
            Some(params) => {
                let left = message.params_without(&[Slot::RequestState, Slot::InputResponses]);
                Some(splice(message.raw, &[(params.span.clone(), left.as_slice())]))
            }
        };
        let read = without.as_deref().map(|raw| Message::read(&self.server.lex, raw)).transpose();
        let Ok(read) = read else {
            return refuse(Some(method), "internal", Fault::internal("the call cannot be put together"));
        };
        let message = read.as_ref().unwrap_or(message);
        let Some(name) = random_name() else {
            return refuse(Some(method), "internal", Fault::internal("the system gives no random bytes"));
        };
        let redacted = match self.server.messages.redact(Sender::Client, message.raw, &self.scope) {
            Ok(redacted) => redacted,
            Err(refusal) => {
                return refuse(Some(method), refusal.reason.as_str(), Fault::refused(&refusal.message));
            }
        };
        let is_modern = revision.is_some();
        let shows_addresses =
            if is_modern { message.shows_addresses() } else { self.state().shows_addresses };
        let is_held = held_until.is_some();
        let request = Request {
            id,
            raw_id,
            method,
            is_modern,
            name,
            traces,
            trace,
            shows_addresses,
            state,
            is_declined,
            came,
            seen,
            until,
            is_held,
        };
        if method == "tools/call" {
            return self.call(&request, message, &redacted);
        }
        match self.decide(&request, &Verdicts::passed(), (message.raw.len(), &redacted)) {
            Ok(ending) => self.send(request.id, Waiting { method, ending, ticket: None }, redacted.body),
            Err(unrecorded) => Step::Answer(Fault::internal(&unrecorded.to_string()).answer(Some(raw_id))),
        }
    }

    /// Records a decision about a request.
    pub(crate) fn decide(
        &self,
        request: &Request<'_>,
        verdicts: &Verdicts<'_>,
        (scanned_bytes, redacted): (usize, &Redacted),
    ) -> Result<Box<dyn Ending>, Unrecorded> {
        self.server.journal.decided(&Decided {
            request: &request.name,
            traces: &request.traces,
            principal: &self.principal,
            server: &self.server.name,
            method: Some(request.method),
            tool: verdicts.tool,
            operation: verdicts.operation,
            decision: verdicts.decision,
            arguments: verdicts.arguments,
            verdict: verdicts.verdict,
            reason: verdicts.reason,
            approval: verdicts.approval,
            is_asked: verdicts.is_asked,
            redactions: Redactions::of(redacted),
            scanned_bytes,
            unread: &redacted.unread,
            is_durable: verdicts.is_durable,
            leaves: verdicts.leaves,
        })
    }

    /// Records that a message of the client goes nowhere, and says so.
    pub(crate) fn refuse(
        &self,
        (id, method): (Option<&[u8]>, Option<&'static str>),
        traces: &[String],
        reason: &'static str,
        fault: Fault,
    ) -> Step {
        let decided = Decided { traces, method, reason: Some(reason), ..self.nothing_of() };
        // It goes nowhere whether or not that can be recorded.
        drop(self.server.journal.decided(&decided));
        Step::Answer(fault.answer(id))
    }

    fn notification(&self, message: &Message<'_>, method: &str) -> Step {
        let reason = if method::may_tell(method) {
            match self.server.messages.redact(Sender::Client, message.raw, &self.scope) {
                Ok(redacted) => {
                    let Ok(body) = self.passed(redacted) else { return Step::Drop };
                    let given_up = message.id_at(Slot::RequestId);
                    let given_up = given_up.filter(|_| method == "notifications/cancelled");
                    // The server knows nothing of what is held.
                    let is_known = given_up.is_none_or(|id| self.give_up(id));
                    return if is_known { Step::Forward(body) } else { Step::Drop };
                }
                Err(refusal) => refusal.reason.as_str(),
            }
        } else {
            "unknown_method"
        };
        // Nobody waits for an answer to it.
        drop(self.refuse((None, None), &[], reason, Fault::method()));
        Step::Drop
    }

    /// The client wants no answer any more. Says whether the server may know of the request.
    ///
    /// Its id stays taken until the server has answered, so that the answer is not taken for that to another request; and
    /// what comes of a call is still learnt.
    fn give_up(&self, id: Id) -> bool {
        let (ended, was_held) = {
            let mut state = self.state();
            if state.held.remove(&id) {
                state.asks.end(&id);
                (Vec::new(), true)
            } else if let Some(waiting) = state.asked.remove(&id) {
                let mut ended = Vec::new();
                let is_call = waiting.ticket.is_some();
                if !is_call {
                    ended.push(waiting);
                    state.given_up.push_back((id, None));
                } else {
                    state.given_up.push_back((id, Some(waiting)));
                }
                if state.given_up.len() > WAITING_MAX {
                    ended.extend(state.given_up.pop_front().and_then(|(_, waiting)| waiting));
                }
                (ended, false)
            } else {
                (Vec::new(), false)
            }
        };
        for waiting in ended {
            self.end(waiting, Settled::Unknown, Outcome::Cancelled, None, (0, Redactions::default()));
        }
        if was_held {
            // Whoever waits for it stops.
            self.server.gate.wake();
        }
        !was_held
    }

    /// A call waits for people.
    pub(crate) fn hold(&self, request: &Request<'_>) -> Option<Held> {
        let mut state = self.state();
        let is_held = state.held.contains(&request.id);
        if state.is_closed || is_held != request.is_held || (!is_held && state.held.len() >= HELD_MAX) {
            return None;
        }
        state.held.insert(request.id.clone());
        Some(Held {
            raw: request.came.to_vec(),
            id: request.id.clone(),
            trace: request.trace.map(str::to_owned),
            seen: request.seen,
            until: request.until,
        })
    }

    /// An answer of the client to a request of the server.
    fn answer_back(&self, message: &Message<'_>) -> Step {
        if let Some(step) = self.answered_to_us(message) {
            return step;
        }
        let is_asked = message.id.as_ref().is_some_and(|id| self.state().asked_back.remove(id));
        if !is_asked {
            drop(self.refuse((None, None), &[], "unmatched", Fault::invalid("nobody asked")));
            return Step::Drop;
        }
        match self.server.messages.redact(Sender::Client, message.raw, &self.scope) {
            Ok(redacted) => self.passed(redacted).map_or(Step::Drop, Step::Forward),
            Err(refusal) => {
                drop(self.refuse((None, None), &[], refusal.reason.as_str(), Fault::refused("")));
                Step::Forward(no_answer().answer(message.raw_id()))
            }
        }
    }

    /// A request of the server.
    fn asked_back(&self, message: &Message<'_>, method: &str) -> Step {
        let Some(id) = message.id.clone() else { return Step::Drop };
        let refuse = |reason, fault: Fault| {
            self.note_dropped(reason);
            Step::Answer(fault.answer(message.raw_id()))
        };
        if method::of_server(method).is_none() {
            return refuse("unknown_method", Fault::method());
        }
        let redacted = match self.server.messages.redact(Sender::Server, message.raw, &self.scope) {
            Ok(redacted) => redacted,
            Err(refusal) => {
                return refuse(refusal.reason.as_str(), Fault::refused("the request cannot be passed on"));
            }
        };
        let is_new = !Asks::is_ours(&id) && {
            let mut state = self.state();
            state.asked_back.len() < WAITING_MAX && state.asked_back.insert(id.clone())
        };
        if !is_new {
            return refuse(
                "id",
                Fault::invalid("another request with this id is under way, or too many are"),
            );
        }
        match self.passed(redacted) {
            Ok(body) => Step::Forward(body),
            Err(unrecorded) => {
                self.state().asked_back.remove(&id);
                Step::Answer(Fault::internal(&unrecorded.to_string()).answer(message.raw_id()))
            }
        }
    }

    /// A notification of the server.
    fn told(&self, message: &Message<'_>) -> Step {
        match self.server.messages.redact(Sender::Server, message.raw, &self.scope) {
            Ok(redacted) => {
                let Ok(body) = self.passed(redacted) else { return Step::Drop };
                if let Some(id) = message.id_at(Slot::RequestId) {
                    self.state().asked_back.remove(&id);
                }
                Step::Forward(body)
            }
            Err(refusal) => {
                self.note_dropped(refusal.reason.as_str());
                Step::Drop
            }
        }
    }

    /// An answer of the server.
    fn answered(&self, message: &Message<'_>, is_error: bool) -> Step {
        let Some((waiting, is_given_up)) = message.id.as_ref().and_then(|id| self.state().answered(id))
        else {
            self.note_dropped("unmatched");
            return Step::Drop;
        };
        // Nobody waits for the answer to a request that was given up; what came of it is learnt all the same.
        let pass = |body| if is_given_up { Step::Drop } else { Step::Forward(body) };
        let Some(waiting) = waiting else { return Step::Drop };
        let fail = |waiting, reason, fault: Fault| {
            let member = fault.member();
            let settled = Settled::Answered(Told::Error(&member));
            self.end(
                waiting,
                settled,
                Outcome::Failed,
                Some(reason),
                (message.raw.len(), Redactions::default()),
            );
            pass(fault.answer(message.raw_id()))
        };
        if waiting.method == "initialize"
            && let Some(revision) = message.at(Slot::ResultRevision).and(message.text(Slot::ResultRevision))
            && !method::is_legacy(&revision)
        {
            let fault = Fault::refused("the server chose a revision that the gateway does not know");
            return fail(waiting, "revision", fault);
        }
        let listed = match waiting.method {
            "tools/list" => match self.listing(message) {
                Ok(listed) => listed,
                Err(Unrecorded) => return fail(waiting, "audit", Fault::internal(&Unrecorded.to_string())),
            },
            // What is shown depends on who asks.
            _ => message.as_private(),
        };
        let raw = listed.as_deref().unwrap_or(message.raw);
        let redacted = match self.server.messages.redact(Sender::Server, raw, &self.scope) {
            Ok(redacted) => redacted,
            Err(refusal) => {
                let text = format!("the request was made, and its answer cannot be shown: {refusal}");
                return fail(waiting, refusal.reason.as_str(), Fault::refused(&text));
            }
        };
        let read = (message.raw.len(), Redactions::of(&redacted));
        let (is_failed, why) = match waiting.ticket.is_some() {
            true => (is_error || message.bytes(Slot::IsError) == Some(b"true"), "tool_error"),
            false => (is_error, "error"),
        };
        let outcome = if is_failed { Outcome::Failed } else { Outcome::Completed };
        // It is what the engine let out of a message that was read.
        let out = Message::read(&self.server.lex, &redacted.body).ok();
        let told = out.as_ref().and_then(|out| match is_error {
            true => out.bytes(Slot::Error).map(Told::Error),
            false => out.bytes(Slot::Result).map(Told::Result),
        });
        let settled = told.map_or(Settled::Unknown, Settled::Answered);
        self.end(waiting, settled, outcome, is_failed.then_some(why), read);
        pass(redacted.body)
    }

    fn unreadable_of_server(&self, id: Option<&[u8]>) -> Step {
        let answered = id.and_then(Id::of_raw).and_then(|id| self.state().answered(&id));
        let Some((waiting, is_given_up)) = answered else {
            self.note_dropped("malformed");
            return Step::Drop;
        };
        let fault = Fault::refused("the request was made, and its answer is no message of the protocol");
        if let Some(waiting) = waiting {
            let member = fault.member();
            let settled = Settled::Answered(Told::Error(&member));
            self.end(waiting, settled, Outcome::Failed, Some("malformed"), (0, Redactions::default()));
        }
        if is_given_up { Step::Drop } else { Step::Forward(fault.answer(id)) }
    }

    /// A message that is no request of the client and no answer to one: nothing of it goes on while records cannot be
    /// written, and what was replaced in it is one.
    fn passed(&self, redacted: Redacted) -> Result<Vec<u8>, Unrecorded> {
        if redacted.counts.is_empty() {
            self.server.journal.check()?;
        } else {
            let event = Event::Redacted { server: &self.server.name, redactions: Redactions::of(&redacted) };
            self.server.journal.noted(&event)?;
        }
        Ok(redacted.body)
    }

    /// Sends a request on whose decision is recorded, unless the session has ended meanwhile.
    pub(crate) fn send(&self, id: Id, waiting: Waiting, body: Vec<u8>) -> Step {
        let (lost, step) = {
            let mut state = self.state();
            match state.is_closed {
                true => (Some(waiting), Step::Drop),
                false => (state.asked.insert(id, waiting), Step::Forward(body)),
            }
        };
        if let Some(lost) = lost {
            // Nobody will be told what comes of it: the session has ended, or two requests with one id came at the same
            // time.
            self.end(lost, Settled::Unknown, Outcome::Unknown, None, (0, Redactions::default()));
        }
        step
    }

    /// Says how a request ended.
    fn end(
        &self,
        waiting: Waiting,
        settled: Settled<'_>,
        outcome: Outcome,
        reason: Option<&'static str>,
        (scanned_bytes, redactions): (usize, Redactions<'_>),
    ) {
        if let Some(ticket) = &waiting.ticket {
            self.server.gate.settle(ticket, &settled);
        }
        waiting.ending.ended(&Ended { outcome, reason, redactions, scanned_bytes });
    }

    fn note_dropped(&self, reason: &'static str) {
        // It goes nowhere whether or not that can be recorded.
        let event = Event::Dropped { server: &self.server.name, reason };
        self.server.journal.noted(&event).unwrap_or_default();
    }

    /// Nothing in it is left half done where a thread could panic.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// Of which traces a message may be a part: what it says, then what was said around it.
fn traces(message: Option<&Message<'_>>, around: Option<&str>) -> Vec<String> {
    let within = message.and_then(|message| message.text(Slot::TraceParent));
    within.into_iter().chain(around.map(str::to_owned)).collect()
}

/// What a server reads that has asked the client something.
fn no_answer() -> Fault {
    Fault::refused("the answer of the client cannot be passed on")
}

/// Whether a client answers that nobody went to the page that it was asked to show.
fn is_declined(responses: &[u8]) -> bool {
    let answer: Option<Value> = serde_json::from_slice(responses).ok();
    let action = answer.as_ref().and_then(|answer| answer.get(fault::INPUT)?.get("action")?.as_str());
    action.is_some_and(|action| action != "accept")
}

/// 128 random bits.
pub(crate) fn random_name() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
