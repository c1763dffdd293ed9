//! The gate before servers of tools: the same rules, totals and approvals as before Stripe's interface.
//!
//! What an approval of a tool's call is bound to, and keeps, are its parameters as the server will get them.

use super::desk::about as about_approval;
use super::handler::Caller;
use super::judge::{Asked, Judging, REPEAT_SECONDS, Verdict, commit, ended, release, void};
use super::summary::{self, Way};
use super::{Gate, GateStores, unix_seconds};
use crate::core::Core;
use crate::policy::Policy;
use crate::refused::Refused;
use obelus_gate::{Approval, ApprovalError, Decision, Operation, Recorded, State};
use obelus_mcp::{
    Bound, Call, Gate as Judges, Judgement, Principal, Ruling, STATE_PREFIX, Settled, Told, WaitsFor, denial,
    is_closed,
};
use obelus_vault::virtual_key::KeyId;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime};
use tokio::runtime::Handle;
use tokio::time::timeout_at;

/// How calls of tools are sent.
const METHOD: &str = "tools/call";
/// How often a client of revision 2026-07-28 is told to ask again. The usual ones give up at the tenth time.
const ROUNDS_MAX: u8 = 9;
/// What a call is counted under, or consumed as, before the id of that.
const COUNTED: &str = "counted ";
const APPROVED: &str = "approved ";
/// The ticket of a call that is neither: it only reads.
const READ: &str = "read";
/// The statuses that stand for results and errors of a server.
const STATUS_RESULT: u16 = 200;
const STATUS_ERROR: u16 = 500;

/// Judges calls of tools for the sessions of one virtual key.
pub(crate) struct People {
    /// Sessions may outlive a configuration, and must not keep what holds them alive.
    core: Weak<Core>,
    runtime: Handle,
    key: KeyId,
    /// What the key of the server is, in words for people.
    server_key: Option<&'static str>,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("People").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a call is judged with, from one moment.
struct Now {
    core: Arc<Core>,
    policy: Arc<Policy>,
    gate: Arc<Gate>,
    stores: Arc<GateStores>,
}

impl Now {
    fn of(core: &Weak<Core>) -> Option<Now> {
        let core = core.upgrade()?;
        let policy = core.policy.load_full();
        let (gate, stores) = (policy.gate.clone()?, core.gate.clone()?);
        Some(Now { core, policy, gate, stores })
    }
}

impl People {
    pub(crate) fn new(
        core: &Arc<Core>,
        runtime: Handle,
        key: KeyId,
        server_key: Option<&'static str>,
    ) -> People {
        People { core: Arc::downgrade(core), runtime, key, server_key }
    }

    /// Judges a call that changes something.
    fn mutation(&self, now: &Now, judging: &Judging<'_>, call: &Call<'_>) -> Ruling {
        if let Some(state) = call.state {
            return resumed(now, judging, call, state);
        }
        let masked = match masked(now, call) {
            Ok(masked) => masked,
            Err(refused) => return deny(None, refused),
        };
        let asked = Asked {
            method: METHOD,
            server: call.server,
            arguments: call.params,
            tool_hash: call.tool_hash,
            payload: &|| call.params.to_vec(),
            summary: &|decision| {
                let way = Way { mode: call.operation.livemode, key: self.server_key, tool: Some(call.tool) };
                summary::summary(call.operation, &masked, decision, &way)
            },
        };
        match judging.mutation(&asked) {
            Ok(Verdict::Allowed { decision, counted }) => {
                let ticket = counted.map_or(READ.to_owned(), |id| format!("{COUNTED}{id}"));
                ruling(Some(decision), Judgement::Go { ticket, params: None })
            }
            Ok(Verdict::Denied { decision, refused }) => denied(call.operation, decision, refused),
            Ok(Verdict::Waits { decision, approval }) => {
                now.core.tell(about_approval("approval.waiting", &approval));
                let state = next_state(now, call, &approval, None);
                let waits_for = WaitsFor::People(approval.approvers);
                let page = page(now, &approval);
                let summary = summary::lines(&approval.summary);
                let judgement =
                    Judgement::Wait { waits_for, is_new: true, is_held: false, state, page, summary };
                Ruling { decision: Some(decision), judgement, approval: Some(bound(&approval)) }
            }
            Ok(Verdict::Attached(approval)) => attached(now, judging, call, &approval, None),
            Err(refused) => deny(None, refused),
        }
    }
}

impl Judges for People {
    fn judge(&self, call: &Call<'_>) -> Ruling {
        let Some(now) = Now::of(&self.core) else {
            return deny_with(None, "unavailable", "the gateway ends: call again later".to_owned());
        };
        // A key that was revoked is refused at once, however long its session lasts.
        if let Err(fault) = now.core.keys.recheck(&self.key, SystemTime::now()) {
            return deny_with(None, "unauthenticated", format!("the virtual key is not accepted: {fault}"));
        }
        let principal = call.principal;
        let caller = Caller {
            key: principal.key.clone(),
            workflow: principal.workflow.clone(),
            tenant: principal.tenant.clone(),
            session: principal.session.clone(),
        };
        let judging =
            Judging { gate: &now.gate, stores: &now.stores, caller: &caller, operation: call.operation };
        if !call.operation.is_read() {
            return self.mutation(&now, &judging, call);
        }
        match judging.read() {
            Verdict::Allowed { decision, .. } => {
                ruling(Some(decision), Judgement::Go { ticket: READ.to_owned(), params: None })
            }
            Verdict::Denied { decision, refused } => denied(call.operation, decision, refused),
            // Reads do not wait.
            Verdict::Waits { decision, .. } => {
                deny_with(Some(decision), "policy", "reads do not wait for people".to_owned())
            }
            Verdict::Attached(_) => deny_with(None, "policy", "reads do not wait for people".to_owned()),
        }
    }

    fn settle(&self, ticket: &str, settled: &Settled<'_>) {
        // Where the process is gone, the file says of an approved call that nobody knows what came of it.
        let Some(now) = Now::of(&self.core) else { return };
        let stores = &now.stores;
        let seconds = unix_seconds();
        if let Some(id) = ticket.strip_prefix(COUNTED) {
            match settled {
                Settled::Kept => release(stores, id),
                Settled::Answered(_) | Settled::Unknown => commit(stores, id),
            }
        }
        if let Some(id) = ticket.strip_prefix(APPROVED) {
            let kept = match settled {
                Settled::Kept => stores.approvals.give_back(id, seconds),
                // What nobody knows of stays counted.
                Settled::Unknown => stores.approvals.lose(id, seconds),
                Settled::Answered(told) => {
                    let (status, member) = match told {
                        Told::Result(member) => (STATUS_RESULT, member),
                        Told::Error(member) => (STATUS_ERROR, member),
                    };
                    let recorded = Recorded { status, request_id: None, body: member.to_vec() };
                    commit(stores, id);
                    stores.approvals.record(id, &recorded, seconds)
                }
            };
            if let Err(error) = kept {
                tracing::error!(%error, "what came of a call cannot be kept: it counts as one of which nobody knows");
            }
            stores.ring();
        }
    }

    fn withdraw(&self, approval: &str) -> bool {
        Now::of(&self.core).is_some_and(|now| void(&now.stores, approval, unix_seconds()))
    }

    fn is_closed(&self, operation: &Operation, principal: &Principal) -> bool {
        Now::of(&self.core).is_none_or(|now| is_closed(&now.gate.rules, operation, principal))
    }

    fn changes(&self) -> u64 {
        Now::of(&self.core).map_or(0, |now| *now.stores.changes().borrow())
    }

    fn wait(&self, seen: u64, until: Instant) {
        let Some(mut changes) = Now::of(&self.core).map(|now| now.stores.changes()) else { return };
        self.runtime.block_on(async {
            // Whoever could change something is gone, or time is over: then it is looked again as well.
            drop(timeout_at(until.into(), changes.wait_for(|count| *count != seen)).await);
        });
    }

    fn wake(&self) {
        if let Some(now) = Now::of(&self.core) {
            now.stores.ring();
        }
    }
}

/// A call of which an approval is known: `round` says how often its client was told to ask again, if it hands that back.
fn attached(
    now: &Now,
    judging: &Judging<'_>,
    call: &Call<'_>,
    approval: &Approval,
    round: Option<u8>,
) -> Ruling {
    let wait = |waits_for| Judgement::Wait {
        waits_for,
        is_new: false,
        is_held: round.is_some(),
        state: next_state(now, call, approval, round),
        page: page(now, approval),
        summary: summary::lines(&approval.summary),
    };
    let say = |reason, text: &str| Judgement::Deny { reason, text: text.to_owned() };
    let mut decision = None;
    let judgement = match approval.state {
        State::Pending => wait(WaitsFor::People(approval.approvers)),
        State::Executing => wait(WaitsFor::Answer),
        State::Approved => match approved(now, judging, approval) {
            (decided, Ok(judgement)) => {
                decision = decided;
                judgement
            }
            // Another request of the same call was faster.
            (_, Err(Some(State::Executing | State::Done))) => {
                return match now.stores.approvals.show(&approval.id, unix_seconds()) {
                    Ok(again) if again.state != State::Approved => {
                        attached(now, judging, call, &again, round)
                    }
                    _ => deny_with(None, "approval", "its approval is in use: call again".to_owned()),
                };
            }
            (decided, Err(_)) => {
                decision = decided;
                say("approval", "its approval cannot be used any more: call again to ask anew")
            }
        },
        State::Done => match now.stores.approvals.outcome(&approval.id) {
            Ok(Some(recorded)) => {
                Judgement::Repeat { is_error: recorded.status != STATUS_RESULT, member: recorded.body }
            }
            Ok(None) => {
                say("executed-before", "it was made, and what came of it is no longer kept: look it up")
            }
            Err(error) => say("unavailable", &error.to_string()),
        },
        State::Unknown => say(
            "unknown",
            "it was sent before, and nobody knows what came of it. It is not sent again: look up whether it happened",
        ),
        State::Void => say("void", "its approval is of no use any more: repeat the call to ask anew"),
        state => match ended(state) {
            Some(refused) => Judgement::Deny { reason: state.as_str(), text: plain(&refused) },
            None => say("approval", "its approval stands in a way that is not known"),
        },
    };
    Ruling { decision, judgement, approval: Some(bound(approval)) }
}

/// What a call that was approved may do: what the rules say of it now, and that, or how its approval stands instead.
type Used = (Option<Decision>, Result<Judgement, Option<State>>);

/// Uses an approval up, if the call may still leave by the rules and totals of now.
fn approved(now: &Now, judging: &Judging<'_>, approval: &Approval) -> Used {
    let decision = match judging.again(approval) {
        Ok(decision) => decision,
        Err((decision, refused)) => {
            let text = plain(&refused);
            return (Some(decision), Ok(Judgement::Deny { reason: "policy", text }));
        }
    };
    let consumed = now.stores.approvals.consume(&approval.id, now.gate.rules.version(), unix_seconds());
    let used = match consumed {
        Ok(permit) => {
            now.stores.ring();
            let ticket = format!("{APPROVED}{}", permit.id);
            Ok(Judgement::Go { ticket, params: Some(permit.payload.to_vec()) })
        }
        Err(ApprovalError::State(state)) => Err(Some(state)),
        Err(error) => Ok(Judgement::Deny { reason: "approval", text: error.to_string() }),
    };
    (Some(decision), used)
}

/// A call whose client hands back what it was given.
fn resumed(now: &Now, judging: &Judging<'_>, call: &Call<'_>, state: &str) -> Ruling {
    let opened = state.strip_prefix(STATE_PREFIX).and_then(from_letters);
    let opened = opened.zip(about(call)).and_then(|(sealed, about)| {
        let about: Vec<&[u8]> = about.iter().map(Vec::as_slice).collect();
        now.stores.approvals.unseal(&about, &sealed)
    });
    let opened = opened.and_then(|clear| String::from_utf8(clear).ok());
    let mut words = opened.as_deref().unwrap_or_default().split(' ');
    let known = (|| {
        let id = words.next()?;
        let round: u8 = words.next()?.parse().ok()?;
        let expires: u64 = words.next()?.parse().ok()?;
        (unix_seconds() < expires).then_some((id, round))
    })();
    let Some((id, round)) = known else { return ruling(None, Judgement::Foreign) };
    match now.stores.approvals.show(id, unix_seconds()) {
        Ok(approval) if approval.requester == judging.caller.key => {
            attached(now, judging, call, &approval, Some(round))
        }
        Ok(_) | Err(ApprovalError::NotFound) => ruling(None, Judgement::Foreign),
        Err(error) => deny_with(None, "unavailable", error.to_string()),
    }
}

/// What a client hands back next time, if it is of a revision that does, and was not told so too often.
fn next_state(now: &Now, call: &Call<'_>, approval: &Approval, round: Option<u8>) -> Option<String> {
    let round = round.unwrap_or(0).checked_add(1).filter(|round| call.is_modern && *round <= ROUNDS_MAX)?;
    let clear = format!("{} {round} {}", approval.id, approval.expires.saturating_add(REPEAT_SECONDS));
    let about = about(call)?;
    let about: Vec<&[u8]> = about.iter().map(Vec::as_slice).collect();
    let sealed = now.stores.approvals.seal(&about, clear.as_bytes()).ok()?;
    Some(format!("{STATE_PREFIX}{}", to_letters(&sealed)))
}

/// Where people decide in a browser, on this machine. Who sees it needs a token as well.
fn page(now: &Now, approval: &Approval) -> Option<String> {
    let (admin, approvers) = (now.policy.config.admin, &now.gate.config.approvers);
    (admin.port() != 0 && !approvers.is_empty()).then(|| format!("http://{admin}/approvals/{}", approval.id))
}

/// What a state is of: who asks, and the tool and arguments, however they are laid out. What else a request says may
/// differ in its repetition: it has a state of its own.
fn about(call: &Call<'_>) -> Option<Vec<Vec<u8>>> {
    let bound = obelus_gate::Call {
        tenant: &call.principal.tenant,
        session: &call.principal.session,
        requester: &call.principal.key,
        workflow: &call.principal.workflow,
        method: METHOD,
        server: call.server,
        account: call.operation.account.as_deref(),
        operation: &call.operation.operation,
        arguments: call.arguments,
        tool_hash: call.tool_hash,
    };
    Some(vec![call.tool.as_bytes().to_vec(), bound.digest().ok()?.to_string().into_bytes()])
}

/// The arguments with values behind tokens, for people.
fn masked(now: &Now, call: &Call<'_>) -> Result<Value, Refused> {
    let scope = now.core.vault.scope(&call.principal.tenant, &call.principal.session);
    match now.policy.tools(call.server).and_then(|tools| tools.documents(&call.principal.workflow)) {
        // What keys stand there, the record of the request says.
        Some(documents) => {
            summary::masked(now.gate.catalogue, call.operation, documents, &scope).map(|(masked, _)| masked)
        }
        None => Err(Refused::new(
            403,
            crate::refused::Why::Forbidden,
            "the server is no longer configured for this workflow",
        )),
    }
}

fn bound(approval: &Approval) -> Bound {
    Bound { id: approval.id.clone(), digest: approval.digest.to_string() }
}

fn ruling(decision: Option<Decision>, judgement: Judgement) -> Ruling {
    Ruling { decision, judgement, approval: None }
}

fn deny_with(decision: Option<Decision>, reason: &'static str, text: String) -> Ruling {
    ruling(decision, Judgement::Deny { reason, text })
}

fn deny(decision: Option<Decision>, refused: Refused) -> Ruling {
    let text = plain(&refused);
    deny_with(decision, refused.why.as_str(), text)
}

/// A denial by rules, in their own words.
fn denied(operation: &Operation, decision: Decision, refused: Refused) -> Ruling {
    match decision.outcome {
        obelus_gate::Outcome::Deny { because } => {
            let text = denial(operation, because, &decision);
            deny_with(Some(decision), "policy", text)
        }
        _ => deny(Some(decision), refused),
    }
}

/// The words of a refusal for a sentence that has said already that the call is denied.
fn plain(refused: &Refused) -> String {
    refused.message.strip_prefix("denied: ").unwrap_or(&refused.message).to_owned()
}

/// Bytes as letters from a to p: nothing that looks like a number or a key.
fn to_letters(bytes: &[u8]) -> String {
    let letter = |half: u8| char::from(b'a' + half);
    bytes.iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
}

fn from_letters(text: &str) -> Option<Vec<u8>> {
    let half = |letter: u8| letter.checked_sub(b'a').filter(|half| *half < 16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(half(*high)? << 4 | half(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_bytes_again() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_letters(&to_letters(&bytes)), Some(bytes));
        for text in ["a", "aq", "aA", "a\u{e9}a"] {
            assert_eq!(from_letters(text), None, "{text}");
        }
    }
}
