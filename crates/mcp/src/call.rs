//! `tools/call` on its way to the server, and the list of tools on its way back.

use crate::fault::{self, Fault, Page};
use crate::gate::{Bound, Call, Judgement, Ruling, Settled, Told, WaitsFor};
use crate::journal::{Event, Unrecorded, Verdict};
use crate::message::{Message, Shape, Slot, splice};
use crate::pins::{OnChange, Pinned};
use crate::session::{Request, Session, Step};
use crate::state::Waiting;
use obelus_gate::{Decision, Denied, Operation};
use obelus_wire::Redacted;
use std::time::Instant;

/// What is recorded of a decision beside the request.
#[derive(Clone, Copy)]
pub(crate) struct Verdicts<'a> {
    pub(crate) tool: Option<&'a str>,
    pub(crate) operation: Option<&'a Operation>,
    pub(crate) decision: Option<&'a Decision>,
    pub(crate) arguments: Option<&'a [u8]>,
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<&'static str>,
    pub(crate) approval: Option<&'a Bound>,
    pub(crate) is_asked: bool,
    pub(crate) is_durable: bool,
    pub(crate) leaves: Option<&'a [u8]>,
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
            is_asked: false,
            is_durable: false,
            leaves: None,
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
    /// All parameters as the server would get them, but for `_meta`.
    params: &'a [u8],
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
        let Some(params) = self.params(&message, restored.as_deref()) else {
            return refuse("internal", Fault::internal("the call cannot be put together"));
        };
        self.judge(request, &Said { tool: &tool, message: &message, shown, sent, params: &params, read })
    }

    /// The parameters of a call but for `_meta`, with other arguments in place of those that it has, if there are any.
    fn params(&self, message: &Message<'_>, arguments: Option<&[u8]>) -> Option<Vec<u8>> {
        let with = match (arguments, message.at(Slot::Arguments)) {
            (Some(arguments), Some(place)) => splice(message.raw, &[(place.span.clone(), arguments)]),
            _ => return Some(message.params_without(&[Slot::Meta])),
        };
        Some(Message::read(&self.server.lex, &with).ok()?.params_without(&[Slot::Meta]))
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
            params: said.params,
            is_modern: request.is_modern,
            state: request.state.as_deref(),
        });
        let of_call =
            Verdicts { decision: ruling.decision.as_ref(), approval: ruling.approval.as_ref(), ..of_call };
        self.follow(request, said, of_call, &ruling)
    }

    /// Does what the gate says.
    fn follow(&self, request: &Request<'_>, said: &Said<'_>, of_call: Verdicts<'_>, ruling: &Ruling) -> Step {
        match &ruling.judgement {
            Judgement::Deny { reason, text } => {
                let verdicts = Verdicts { verdict: Verdict::Deny, reason: Some(reason), ..of_call };
                self.deny(request, verdicts, said.read, text)
            }
            Judgement::Wait { .. } => self.put_off(request, said, of_call, ruling),
            Judgement::Repeat { is_error, member } => {
                let verdicts = Verdicts { verdict: Verdict::Repeat, ..of_call };
                let told = if *is_error { Told::Error(member) } else { Told::Result(member) };
                match self.decide(request, &verdicts, said.read) {
                    Ok(_) => Step::Answer(fault::told(Some(request.raw_id), &told)),
                    Err(unrecorded) => not_recorded(request, unrecorded),
                }
            }
            Judgement::Foreign => {
                let verdicts = Verdicts { verdict: Verdict::Deny, reason: Some("state"), ..of_call };
                // It goes nowhere whether or not that can be recorded.
                drop(self.decide(request, &verdicts, said.read));
                let what =
                    "`requestState` is not what the gateway gave for this call: repeat the call without it";
                Step::Answer(Fault::params(what).answer(Some(request.raw_id)))
            }
            Judgement::Go { ticket, params } => {
                let leaves = params.as_deref().unwrap_or(said.params);
                match self.decide(request, &Verdicts { leaves: Some(leaves), ..of_call }, said.read) {
                    Ok(ending) => {
                        let waiting =
                            Waiting { method: request.method, ending, ticket: Some(ticket.clone()) };
                        self.send(request.id.clone(), waiting, outgoing(said, params.as_deref()))
                    }
                    Err(unrecorded) => {
                        self.server.gate.settle(ticket, &Settled::Kept);
                        not_recorded(request, unrecorded)
                    }
                }
            }
        }
    }

    /// Tells the client that a call waits: at once, or once it is decided.
    fn put_off(
        &self,
        request: &Request<'_>,
        said: &Said<'_>,
        of_call: Verdicts<'_>,
        ruling: &Ruling,
    ) -> Step {
        let Judgement::Wait { waits_for, is_new, is_held, state, page, summary } = &ruling.judgement else {
            return Step::Drop;
        };
        // What waited for an approval that is no more, and got a new one, is told so, and the new one is recorded.
        if (*is_held || request.is_held)
            && !*is_new
            && !request.is_declined
            && Instant::now() < request.until
            && let Some(held) = self.hold(request)
        {
            return Step::Hold(held);
        }
        let verdicts =
            Verdicts { verdict: Verdict::Wait, reason: Some("needs_approval"), is_asked: *is_new, ..of_call };
        match self.decide(request, &verdicts, said.read) {
            Ok(_) => {
                let (approval, is_first) = (ruling.approval.as_ref(), request.state.is_none());
                let text = waiting(of_call.operation, approval, *waits_for);
                if let Some(bound) = approval.filter(|_| *waits_for != WaitsFor::Answer && !request.is_held)
                    && let Some(asked) =
                        self.ask(request, (said.tool, bound), &question(of_call.operation, bound, summary))
                {
                    return asked;
                }
                let on_page = for_people(of_call.operation, approval);
                let is_shown = request.shows_addresses && *waits_for != WaitsFor::Answer;
                let page = page.as_deref().filter(|_| is_shown);
                let page = page.map(|address| Page { text: &on_page, address });
                // Whoever was shown the page once, and whoever does not want to see it, is not asked again.
                let state = state.as_deref().filter(|_| !request.is_declined);
                Step::Answer(match (state, page, approval) {
                    (Some(state), page, _) => {
                        fault::input_required(request.raw_id, state, page.filter(|_| is_first))
                    }
                    (None, Some(page), Some(approval)) if !request.is_modern => {
                        fault::page_needed(request.raw_id, &text, &approval.id, page)
                    }
                    _ => fault::tool_error(request.raw_id, request.is_modern, &text),
                })
            }
            Err(unrecorded) => {
                // Nobody was told of it, so nobody is to decide about it.
                if let Some(approval) = ruling.approval.as_ref().filter(|_| *is_new) {
                    self.server.gate.withdraw(&approval.id);
                }
                not_recorded(request, unrecorded)
            }
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

/// What the server gets: the call as it was said, or with the parameters that were approved.
fn outgoing(said: &Said<'_>, approved: Option<&[u8]>) -> Vec<u8> {
    let message = said.message;
    match (approved, message.at(Slot::Params), message.at(Slot::Arguments)) {
        (Some(approved), Some(place), _) => {
            let meta = message.bytes(Slot::Meta).filter(|_| approved.first() == Some(&b'{'));
            let params = match meta {
                None => approved.to_vec(),
                Some(meta) => [b"{\"_meta\":", meta, b",", approved.get(1..).unwrap_or_default()].concat(),
            };
            splice(message.raw, &[(place.span.clone(), params.as_slice())])
        }
        (_, _, Some(place)) => splice(message.raw, &[(place.span.clone(), said.sent)]),
        _ => message.raw.to_vec(),
    }
}

/// What the model reads of a call that waits.
fn waiting(operation: Option<&Operation>, approval: Option<&Bound>, waits_for: WaitsFor) -> String {
    let what = operation.map_or("The call", |operation| operation.operation.as_str());
    let id = approval.map(|approval| format!(" (approval {})", approval.id)).unwrap_or_default();
    let who = match waits_for {
        WaitsFor::Answer => {
            return format!(
                "Approved and on its way{id}: {what} has no answer yet. Repeat the identical call to learn it; the call \
                 is not made twice."
            );
        }
        WaitsFor::People(1) => "a person".to_owned(),
        WaitsFor::People(approvers) => format!("{approvers} people"),
    };
    format!(
        "Approval needed{id}; nothing was sent. {what} waits for {who}. Once it is approved, repeat the identical call: \
         it goes out then, once. To repeat it before changes nothing."
    )
}

/// What people read who are shown where somebody decides about a call.
fn for_people(operation: Option<&Operation>, approval: Option<&Bound>) -> String {
    let what = operation.map_or("A call", |operation| operation.operation.as_str());
    let id = approval.map(|approval| format!(" (approval {})", approval.id)).unwrap_or_default();
    format!(
        "{what} waits for approval{id}; nothing was sent. Whoever may decide about it does so on this page."
    )
}

/// What people read at a client of an older revision while a call waits.
fn question(operation: Option<&Operation>, approval: &Bound, summary: &str) -> String {
    let what = operation.map_or("A call", |operation| operation.operation.as_str());
    format!(
        "{what} waits for approval (approval {}); nothing was sent.\n{summary}\nAccept to go on waiting: that approves \
         nothing, which only people do who may decide about it elsewhere. Decline to take the call back. Cancel to wait no \
         longer.",
        approval.id
    )
}
