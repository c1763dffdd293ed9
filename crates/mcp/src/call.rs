//! `tools/call` on its way to the server, and the list of tools on its way back.

use crate::fault::{self, Fault};
use crate::gate::{Call, Judgement, Ruling, Settled};
use crate::journal::{Event, Unrecorded, Verdict};
use crate::message::{Message, Shape, Slot, splice};
use crate::pins::{OnChange, Pinned};
use crate::session::{Request, Session, Step, Waiting};
use obelus_gate::{Decision, Denied, Operation};
use obelus_wire::Redacted;

/// What is recorded of a decision beside the request.
#[derive(Clone, Copy)]
pub(crate) struct Verdicts<'a> {
    pub(crate) tool: Option<&'a str>,
    pub(crate) operation: Option<&'a Operation>,
    pub(crate) decision: Option<&'a Decision>,
    pub(crate) arguments: Option<&'a [u8]>,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<&'static str>,
    pub(crate) approval: Option<&'a str>,
    pub(crate) is_durable: bool,
}

impl Verdicts<'_> {
    /// What is no call and goes on.
    pub(crate) fn passed() -> Verdicts<'static> {
        Verdicts {
            tool: None,
            operation: None,
            decision: None,
            arguments: None,
            verdict: Verdict::Allow,
            reason: None,
            approval: None,
            is_durable: false,
        }
    }

    fn denied(reason: &'static str) -> Verdicts<'static> {
        Verdicts { verdict: Verdict::Deny, reason: Some(reason), ..Verdicts::passed() }
    }
}

/// What a call says, once it is redacted.
struct Said<'a> {
    tool: &'a str,
    /// The redacted message.
    message: &'a Message<'a>,
    /// Its arguments.
    shown: &'a [u8],
    /// The arguments as the server would get them.
    sent: &'a [u8],
    /// How long the message was, and what was found in it.
    read: (usize, &'a Redacted),
}

impl Session {
    /// Judges a call and passes it on, or says why not.
    pub(crate) fn call(&self, request: &Request<'_>, came: &Message<'_>, redacted: &Redacted) -> Step {
        let read = (came.raw.len(), redacted);
        let refuse = |reason, fault: Fault| {
            // It goes nowhere whether or not that can be recorded.
            drop(self.decide(request, &Verdicts::denied(reason), read));
            Step::Answer(fault.answer(Some(request.raw_id)))
        };
        let Some(tool) = came.text(Slot::Name) else {
            return refuse("malformed", Fault::params("`params.name` is no string: name the tool"));
        };
        if came.at(Slot::Arguments).is_some_and(|value| value.shape != Shape::Object) {
            return refuse("malformed", Fault::params("`params.arguments` is no object"));
        }
        let Ok(message) = Message::read(&self.server.lex, &redacted.body) else {
            return refuse("internal", Fault::internal("the call cannot be put together"));
        };
        if message.text(Slot::Name).as_deref() != Some(&tool) {
            return self.deny(
                request,
                Verdicts::denied("unknown_tool"),
                read,
                &Denied::UnknownTool.to_string(),
            );
        }
        let shown = message.bytes(Slot::Arguments).unwrap_or(b"{}");
        let restored = match self.server.messages.restore(&tool, shown, &self.scope) {
            Ok(restored) => restored,
            Err(refusal) => return refuse(refusal.reason.as_str(), Fault::refused(&refusal.message)),
        };
        let sent = restored.as_deref().unwrap_or(shown);
        self.judge(request, &Said { tool: &tool, message: &message, shown, sent, read })
    }

    fn judge(&self, request: &Request<'_>, said: &Said<'_>) -> Step {
        let operation = match self.server.understand(said.tool, said.sent) {
            Ok(operation) => operation,
            Err(denied) => {
                let is_known = !matches!(denied, Denied::UnknownTool | Denied::UnknownServer);
                let verdicts = Verdicts {
                    tool: is_known.then_some(said.tool),
                    arguments: is_known.then_some(said.shown),
                    ..Verdicts::denied(denied.code())
                };
                return self.deny(request, verdicts, said.read, &denied.to_string());
            }
        };
        let of_call = Verdicts {
            tool: Some(said.tool),
            operation: Some(&operation),
            arguments: Some(said.shown),
            is_durable: !operation.is_read(),
            ..Verdicts::passed()
        };
        if self.server.pins.is_stopped(said.tool) {
            let verdicts = Verdicts { verdict: Verdict::Deny, reason: Some("tool_changed"), ..of_call };
            let text = "the server describes this tool otherwise than before: whoever runs the gateway must look at it";
            return self.deny(request, verdicts, said.read, text);
        }
        let tool_hash = self.server.pins.hash_of(said.tool);
        let ruling = self.server.gate.judge(&Call {
            id: &request.name,
            principal: &self.principal,
            server: &self.server.name,
            tool: said.tool,
            tool_hash: tool_hash.as_deref(),
            operation: &operation,
            arguments: said.sent,
            shown: said.shown,
        });
        let of_call =
            Verdicts { decision: Some(&ruling.decision), approval: ruling.approval.as_deref(), ..of_call };
        self.follow(request, said, of_call, &ruling)
    }

    /// Does what the gate says.
    fn follow(&self, request: &Request<'_>, said: &Said<'_>, of_call: Verdicts<'_>, ruling: &Ruling) -> Step {
        match &ruling.judgement {
            Judgement::Deny { reason, text } => {
                let verdicts = Verdicts { verdict: Verdict::Deny, reason: Some(reason), ..of_call };
                self.deny(request, verdicts, said.read, text)
            }
            Judgement::Wait { approvers } => {
                let verdicts = Verdicts { verdict: Verdict::Wait, reason: Some("needs_approval"), ..of_call };
                self.say(request, &verdicts, said.read, &waiting(of_call.operation, ruling, *approvers))
            }
            Judgement::Repeat(result) => {
                let verdicts = Verdicts { verdict: Verdict::Repeat, ..of_call };
                match self.decide(request, &verdicts, said.read) {
                    Ok(_) => Step::Answer(fault::result(request.raw_id, result)),
                    Err(unrecorded) => not_recorded(request, unrecorded),
                }
            }
            Judgement::Go { ticket, arguments } => match self.decide(request, &of_call, said.read) {
                Ok(ending) => {
                    let sent = arguments.as_deref().unwrap_or(said.sent);
                    let body = match said.message.at(Slot::Arguments) {
                        Some(place) => splice(said.message.raw, &[(place.span.clone(), sent)]),
                        None => said.message.raw.to_vec(),
                    };
                    let waiting = Waiting { method: request.method, ending, ticket: Some(ticket.clone()) };
                    self.send(request.id.clone(), waiting, body)
                }
                Err(unrecorded) => {
                    self.server.gate.settle(ticket, &Settled::Kept);
                    not_recorded(request, unrecorded)
                }
            },
        }
    }

    fn deny(
        &self,
        request: &Request<'_>,
        verdicts: Verdicts<'_>,
        read: (usize, &Redacted),
        why: &str,
    ) -> Step {
        self.say(request, &verdicts, read, &format!("Denied; nothing was sent. {why}."))
    }

    /// Tells the model why a call did not go out. That is recorded before it is told, as what goes out is.
    fn say(
        &self,
        request: &Request<'_>,
        verdicts: &Verdicts<'_>,
        read: (usize, &Redacted),
        text: &str,
    ) -> Step {
        match self.decide(request, verdicts, read) {
            Ok(_) => Step::Answer(fault::tool_error(request.raw_id, request.is_modern, text)),
            Err(unrecorded) => not_recorded(request, unrecorded),
        }
    }

    /// The list of tools without those that are not shown, if there are any; nothing if it stays as it is.
    pub(crate) fn listing(&self, message: &Message<'_>) -> Result<Option<Vec<u8>>, Unrecorded> {
        let mut kept = Vec::with_capacity(message.tools.len());
        for tool in &message.tools {
            let definition = message.raw.get(tool.span.clone()).unwrap_or_default();
            let Some(name) = tool.name.as_deref() else { continue };
            if self.is_as_pinned(name, definition)?
                && !self.server.is_hidden(name, definition, &self.principal)
            {
                kept.push(definition);
            }
        }
        let list = [b"[".as_slice(), &kept.join(b",".as_slice()), b"]"].concat();
        let mut places = Vec::new();
        if kept.len() < message.tools.len()
            && let Some(tools) = message.at(Slot::Tools)
        {
            places.push((tools.span.clone(), list.as_slice()));
        }
        // What is shown depends on who asks.
        if let Some(scope) = message.at(Slot::CacheScope)
            && message.text(Slot::CacheScope).as_deref() != Some("private")
        {
            places.push((scope.span.clone(), b"\"private\"".as_slice()));
        }
        places.sort_by_key(|(span, _)| span.start);
        Ok((!places.is_empty()).then(|| splice(message.raw, &places)))
    }

    /// Whether a definition may be shown, as far as its pin goes.
    fn is_as_pinned(&self, tool: &str, definition: &[u8]) -> Result<bool, Unrecorded> {
        let server = self.server.name.as_str();
        let pins = &self.server.pins;
        match pins.see(tool, definition) {
            Ok(Pinned::Same(_)) => Ok(true),
            Ok(Pinned::New(hash)) => {
                self.server.journal.noted(&Event::ToolPinned { server, tool, hash: &hash })?;
                Ok(true)
            }
            Ok(Pinned::Changed(hash)) => {
                let is_stopped = pins.on_change() == OnChange::Stop;
                self.server.journal.noted(&Event::ToolChanged { server, tool, hash: &hash, is_stopped })?;
                Ok(!is_stopped)
            }
            Ok(Pinned::Full) => {
                self.server.journal.noted(&Event::Dropped { server, reason: "tools" })?;
                Ok(false)
            }
            Err(_) => {
                self.server.journal.noted(&Event::Dropped { server, reason: "pins" })?;
                Ok(false)
            }
        }
    }
}

fn not_recorded(request: &Request<'_>, unrecorded: Unrecorded) -> Step {
    Step::Answer(Fault::internal(&unrecorded.to_string()).answer(Some(request.raw_id)))
}

/// What the model reads of a call that waits.
fn waiting(operation: Option<&Operation>, ruling: &Ruling, approvers: u8) -> String {
    let what = operation.map_or("The call", |operation| operation.operation.as_str());
    let who = if approvers == 1 { "a person".to_owned() } else { format!("{approvers} people") };
    let id = ruling.approval.as_ref().map(|id| format!(" (approval {id})")).unwrap_or_default();
    format!(
        "Approval needed{id}; nothing was sent. {what} goes out once {who} approved it: then repeat the identical call."
    )
}
