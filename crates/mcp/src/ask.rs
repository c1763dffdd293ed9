//! What the gateway itself asks clients of older revisions, which show forms to people: whether a call is to go on waiting.
//!
//! The answer decides nothing about the call: whoever sits at the client is not thereby somebody who may approve. It can only
//! end the waiting, or take the call back.

use crate::fault;
use crate::gate::Bound;
use crate::journal::{Decided, Redactions, Verdict};
use crate::message::{Id, Message, Slot};
use crate::session::{Request, Session, Step, random_name};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// How the ids of these questions begin. Servers use none that begin so.
const PREFIX: &str = "obelus-asks-";

/// Approvals of one session that are known to have been asked about. Beyond that they are asked about again.
const KNOWN_MAX: usize = 1024;

/// What the client was asked.
pub(crate) struct Asked {
    /// The call that waits.
    held: Id,
    approval: Bound,
    tool: String,
    /// Of which traces the call may be a part.
    traces: Vec<String>,
}

/// What came of a question, where the call does not go on waiting.
pub(crate) enum GivenUp {
    /// Nobody wants to wait any longer. The call waits on.
    NotWaited,
    /// The call is to be made no more; that was recorded. The id of its approval.
    TakenBack(String),
}

/// What was asked in a session.
#[derive(Default)]
pub(crate) struct Asks {
    open: HashMap<Id, Asked>,
    given_up: HashMap<Id, GivenUp>,
    /// Approvals that were asked about.
    known: HashSet<String>,
}

impl Asks {
    /// What came of the question about a call, once.
    pub(crate) fn given_up(&mut self, held: &Id) -> Option<GivenUp> {
        self.given_up.remove(held)
    }

    /// The call does not wait any more: the question that is not answered, if there is one.
    pub(crate) fn end(&mut self, held: &Id) -> Option<String> {
        self.given_up.remove(held);
        let open = self.open.iter().find(|(_, asked)| asked.held == *held).map(|(id, _)| id.clone())?;
        self.open.remove(&open);
        match open {
            Id::Text(text) => String::from_utf8(text).ok(),
            Id::Number(_) => None,
        }
    }

    /// Whether a question of that id would be one of ours.
    pub(crate) fn is_ours(id: &Id) -> bool {
        matches!(id, Id::Text(text) if text.starts_with(PREFIX.as_bytes()))
    }
}

impl Session {
    /// Lets a call of an older client wait whose people were asked about it, once for each approval; nothing if the client
    /// asks nobody, or too many calls wait.
    pub(crate) fn ask(
        &self,
        request: &Request<'_>,
        (tool, approval): (&str, &Bound),
        text: &str,
    ) -> Option<Step> {
        let asks = !request.is_modern && !request.shows_addresses && self.state().shows_forms;
        if !asks {
            return None;
        }
        let name = format!("{PREFIX}{}", random_name()?);
        let held = self.hold(request)?;
        let mut state = self.state();
        if state.asks.known.len() >= KNOWN_MAX {
            state.asks.known.clear();
        }
        if !state.asks.known.insert(approval.id.clone()) {
            return Some(Step::Hold(held));
        }
        let asked = Asked {
            held: held.id.clone(),
            approval: approval.clone(),
            tool: tool.to_owned(),
            traces: request.traces.clone(),
        };
        state.asks.open.insert(Id::Text(name.clone().into_bytes()), asked);
        Some(Step::Tell(fault::ask(&name, text), Box::new(Step::Hold(held))))
    }

    /// What becomes of an answer of the client, if it is one to the gateway.
    pub(crate) fn answered_to_us(&self, message: &Message<'_>) -> Option<Step> {
        let id = message.id.as_ref().filter(|id| Asks::is_ours(id))?;
        // One to a question that is over says nothing.
        let Some(asked) = self.state().asks.open.remove(id) else { return Some(Step::Heard) };
        let result: Option<Value> =
            message.bytes(Slot::Result).and_then(|result| serde_json::from_slice(result).ok());
        let action = result.as_ref().and_then(|result| result.get("action")?.as_str());
        {
            // Whoever waits looks again as soon as the approval is void, and must then find out why.
            let mut state = self.state();
            let given_up = match action {
                _ if !state.held.contains(&asked.held) => return Some(Step::Heard),
                // Otherwise it is decided, or on its way: that is what the client is told then.
                Some("decline") if self.server.gate.withdraw(&asked.approval.id) => {
                    // The approval is void, whether or not that can be recorded.
                    drop(self.server.journal.decided(&self.taken(&asked)));
                    GivenUp::TakenBack(asked.approval.id)
                }
                Some("cancel") => GivenUp::NotWaited,
                _ => return Some(Step::Heard),
            };
            state.asks.given_up.insert(asked.held, given_up);
        }
        self.server.gate.wake();
        Some(Step::Heard)
    }

    /// A call that was taken back.
    fn taken<'a>(&'a self, asked: &'a Asked) -> Decided<'a> {
        Decided {
            traces: &asked.traces,
            method: Some("tools/call"),
            tool: Some(&asked.tool),
            verdict: Verdict::Deny,
            reason: Some("taken-back"),
            approval: Some(&asked.approval),
            ..self.nothing_of()
        }
    }

    /// A decision about nothing, to be filled in.
    pub(crate) fn nothing_of(&self) -> Decided<'_> {
        Decided {
            request: "",
            traces: &[],
            principal: &self.principal,
            server: &self.server.name,
            method: None,
            tool: None,
            operation: None,
            decision: None,
            arguments: None,
            verdict: Verdict::Deny,
            reason: None,
            approval: None,
            is_asked: false,
            redactions: Redactions::default(),
            scanned_bytes: 0,
            unread: &[],
            is_durable: false,
            leaves: None,
        }
    }
}

/// What the client is told of a call that was taken back.
pub(crate) fn taken_back(message: &Message<'_>, approval: &str) -> Step {
    let Some(raw_id) = message.raw_id() else { return Step::Drop };
    let text = format!(
        "Taken back (approval {approval}); nothing was sent. Whoever sits at the client does not want this call to be made: \
         do not repeat it unless they ask for it."
    );
    Step::Answer(fault::tool_error(raw_id, false, &text))
}
