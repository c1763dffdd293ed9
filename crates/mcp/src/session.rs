//! What goes between one client and one server: each message is read, judged, and passed on or answered.

use crate::call::Verdicts;
use crate::fault::Fault;
use crate::gate::Settled;
use crate::journal::{Decided, Ended, Ending, Event, Outcome, Unrecorded, Verdict};
use crate::message::{Id, Kind, Message, Slot, Unreadable};
use crate::method;
use crate::server::Server;
use obelus::Category;
use obelus_vault::Scope;
use obelus_wire::{Redacted, Sender};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests of one side that wait for an answer at one time.
pub const WAITING_MAX: usize = 1024;

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
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Forward(_) => "Forward",
            Step::Answer(_) => "Answer",
            Step::Drop => "Drop",
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

#[derive(Default)]
struct State {
    /// Requests of the client.
    asked: HashMap<Id, Waiting>,
    /// Requests of the server.
    asked_back: HashSet<Id>,
    is_closed: bool,
}

/// A request of the client that went on.
pub(crate) struct Waiting {
    pub(crate) method: &'static str,
    pub(crate) ending: Box<dyn Ending>,
    /// For the gate, if it is a call.
    pub(crate) ticket: Option<String>,
}

/// A request of the client.
pub(crate) struct Request<'m> {
    pub(crate) id: Id,
    pub(crate) raw_id: &'m [u8],
    pub(crate) method: &'static str,
    pub(crate) is_modern: bool,
    /// A random name.
    pub(crate) name: String,
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
        if self.state().is_closed {
            return Step::Drop;
        }
        let message = match Message::read(&self.server.lex, raw) {
            Ok(message) => message,
            Err(Unreadable { fault, id }) => return self.refuse(id.as_deref(), None, "malformed", fault),
        };
        match &message.kind {
            Kind::Request { method } => self.request(&message, method),
            Kind::Notification { method } => self.notification(&message, method),
            Kind::Response { .. } => self.answer_back(&message),
        }
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
        let asked = {
            let mut state = self.state();
            state.is_closed = true;
            std::mem::take(&mut state.asked)
        };
        for waiting in asked.into_values() {
            self.end(waiting, Settled::Unknown, Outcome::Unknown, None, (0, &[]));
        }
    }

    /// A line of the server that is no message, redacted; nothing if it cannot be read.
    pub fn redact_text(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.server.messages.text(text, &self.scope).ok()
    }

    fn request(&self, message: &Message<'_>, method: &str) -> Step {
        let (Some(id), Some(raw_id)) = (message.id.clone(), message.raw_id()) else { return Step::Drop };
        let refuse = |method, reason, fault| self.refuse(Some(raw_id), method, reason, fault);
        let Some(method) = method::of_client(method) else {
            return refuse(None, "unknown_method", Fault::method());
        };
        let revision = message.at(Slot::MetaRevision).map(|_| message.text(Slot::MetaRevision));
        if revision.as_ref().is_some_and(|revision| revision.as_deref() != Some(method::MODERN)) {
            let fault = Fault::new(-32022, "the revision is not known to the gateway: use 2026-07-28");
            return refuse(Some(method), "revision", fault);
        }
        {
            let state = self.state();
            if state.asked.contains_key(&id) {
                let fault = Fault::invalid("another request with this id is under way: give each its own");
                return refuse(Some(method), "id", fault);
            }
            if state.asked.len() >= WAITING_MAX {
                let fault = Fault::refused("too many requests are under way: wait for answers");
                return refuse(Some(method), "limit", fault);
            }
        }
        let Some(name) = random_name() else {
            return refuse(Some(method), "internal", Fault::internal("the system gives no random bytes"));
        };
        let redacted = match self.server.messages.redact(Sender::Client, message.raw, &self.scope) {
            Ok(redacted) => redacted,
            Err(refusal) => {
                return refuse(Some(method), refusal.reason.as_str(), Fault::refused(&refusal.message));
            }
        };
        let request = Request { id, raw_id, method, is_modern: revision.is_some(), name };
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
            redactions: &redacted.counts,
            scanned_bytes,
            unread: &redacted.unread,
            is_durable: verdicts.is_durable,
        })
    }

    /// Records that a message of the client goes nowhere, and says so.
    fn refuse(
        &self,
        id: Option<&[u8]>,
        method: Option<&'static str>,
        reason: &'static str,
        fault: Fault,
    ) -> Step {
        let decided = Decided {
            request: "",
            principal: &self.principal,
            server: &self.server.name,
            method,
            tool: None,
            operation: None,
            decision: None,
            arguments: None,
            verdict: Verdict::Deny,
            reason: Some(reason),
            approval: None,
            redactions: &[],
            scanned_bytes: 0,
            unread: &[],
            is_durable: false,
        };
        // It goes nowhere whether or not that can be recorded.
        drop(self.server.journal.decided(&decided));
        Step::Answer(fault.answer(id))
    }

    fn notification(&self, message: &Message<'_>, method: &str) -> Step {
        let reason = if method::may_tell(method) {
            match self.server.messages.redact(Sender::Client, message.raw, &self.scope) {
                Ok(redacted) => {
                    let Ok(body) = self.passed(redacted) else { return Step::Drop };
                    if method == "notifications/cancelled"
                        && let Some(id) = message.id_at(Slot::RequestId)
                        && let Some(waiting) = self.state().asked.remove(&id)
                    {
                        self.end(waiting, Settled::Unknown, Outcome::Cancelled, None, (0, &[]));
                    }
                    return Step::Forward(body);
                }
                Err(refusal) => refusal.reason.as_str(),
            }
        } else {
            "unknown_method"
        };
        // Nobody waits for an answer to it.
        drop(self.refuse(None, None, reason, Fault::method()));
        Step::Drop
    }

    /// An answer of the client to a request of the server.
    fn answer_back(&self, message: &Message<'_>) -> Step {
        let is_asked = message.id.as_ref().is_some_and(|id| self.state().asked_back.remove(id));
        if !is_asked {
            drop(self.refuse(None, None, "unmatched", Fault::invalid("nobody asked")));
            return Step::Drop;
        }
        match self.server.messages.redact(Sender::Client, message.raw, &self.scope) {
            Ok(redacted) => self.passed(redacted).map_or(Step::Drop, Step::Forward),
            Err(refusal) => {
                drop(self.refuse(None, None, refusal.reason.as_str(), Fault::refused("")));
                let fault = Fault::refused("the answer of the client cannot be passed on");
                Step::Forward(fault.answer(message.raw_id()))
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
        let is_new = {
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
        let waiting = message.id.as_ref().and_then(|id| self.state().asked.remove(id));
        let Some(waiting) = waiting else {
            self.note_dropped("unmatched");
            return Step::Drop;
        };
        let fail = |waiting, reason, fault: Fault| {
            self.end(
                waiting,
                Settled::Answered(None),
                Outcome::Failed,
                Some(reason),
                (message.raw.len(), &[]),
            );
            Step::Forward(fault.answer(message.raw_id()))
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
            _ => None,
        };
        let raw = listed.as_deref().unwrap_or(message.raw);
        let redacted = match self.server.messages.redact(Sender::Server, raw, &self.scope) {
            Ok(redacted) => redacted,
            Err(refusal) => {
                let text = format!("the request was made, and its answer cannot be shown: {refusal}");
                return fail(waiting, refusal.reason.as_str(), Fault::refused(&text));
            }
        };
        let read = (message.raw.len(), redacted.counts.as_slice());
        if waiting.ticket.is_some() {
            // It is what the engine let out of a message that was read.
            let out = Message::read(&self.server.lex, &redacted.body).ok();
            let result = out.as_ref().and_then(|out| out.bytes(Slot::Result));
            let is_failed = is_error || message.bytes(Slot::IsError) == Some(b"true");
            let outcome = if is_failed { Outcome::Failed } else { Outcome::Completed };
            self.end(waiting, Settled::Answered(result), outcome, is_failed.then_some("tool_error"), read);
        } else {
            let outcome = if is_error { Outcome::Failed } else { Outcome::Completed };
            self.end(waiting, Settled::Answered(None), outcome, is_error.then_some("error"), read);
        }
        Step::Forward(redacted.body)
    }

    fn unreadable_of_server(&self, id: Option<&[u8]>) -> Step {
        let waiting = id.and_then(Id::of_raw).and_then(|id| self.state().asked.remove(&id));
        let Some(waiting) = waiting else {
            self.note_dropped("malformed");
            return Step::Drop;
        };
        self.end(waiting, Settled::Answered(None), Outcome::Failed, Some("malformed"), (0, &[]));
        let fault = Fault::refused("the request was made, and its answer is no message of the protocol");
        Step::Forward(fault.answer(id))
    }

    /// A message that is no request of the client and no answer to one: nothing of it goes on while records cannot be
    /// written, and what was replaced in it is one.
    fn passed(&self, redacted: Redacted) -> Result<Vec<u8>, Unrecorded> {
        if redacted.counts.is_empty() {
            self.server.journal.check()?;
        } else {
            let event = Event::Redacted { server: &self.server.name, redactions: &redacted.counts };
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
            self.end(lost, Settled::Unknown, Outcome::Unknown, None, (0, &[]));
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
        (scanned_bytes, redactions): (usize, &[(Category, u64)]),
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
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// 128 random bits.
fn random_name() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
