//! Who says whether a call may go out.

use crate::session::Principal;
use obelus_gate::{
    Because, Caller, Decision, Operation, Outcome as Said, Policy, Reservation, RiskClass, Rule, Sums, Totals,
};
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How the state begins that a client of revision 2026-07-28 hands back to the gateway, so that it is told apart from
/// a server's own.
pub const STATE_PREFIX: &str = "obelus-waits-";

/// Counts calls, judges them, and has people decide where policy wants it.
pub trait Gate: Send + Sync {
    /// Judges a call. Whoever is told that it may go out says how that ended: [`Gate::settle`].
    fn judge(&self, call: &Call<'_>) -> Ruling;

    /// Says how a call ended that might go out. `ticket` is that of the ruling.
    fn settle(&self, ticket: &str, settled: &Settled<'_>);

    /// Takes back a call that waits. Says whether it was not decided, or not used yet.
    fn withdraw(&self, approval: &str) -> bool;

    /// Whether any call of this operation by this principal would be denied, whatever it is about: then its tool is not
    /// shown.
    fn is_closed(&self, operation: &Operation, principal: &Principal) -> bool;

    /// A number that is another one whenever an approval stands otherwise than before.
    fn changes(&self) -> u64;

    /// Waits until that number is another than `seen`, or until then.
    fn wait(&self, seen: u64, until: Instant);

    /// Has whoever waits look again.
    fn wake(&self);
}

/// A call that is to be judged.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// A random name of the call.
    pub id: &'a str,
    /// Who asks.
    pub principal: &'a Principal,
    /// The server, by its name in the configuration.
    pub server: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// The hash of the tool's definition, if it was listed.
    pub tool_hash: Option<&'a str>,
    /// What the call means.
    pub operation: &'a Operation,
    /// The arguments as the server would get them, a JSON object: personal values may stand in them.
    pub arguments: &'a [u8],
    /// The same, redacted.
    pub shown: &'a [u8],
    /// All parameters as the server would get them, but for `_meta`: what an approval is bound to, and keeps.
    pub params: &'a [u8],
    /// Whether the client is of revision 2026-07-28, in which a call that waits is repeated with a state.
    pub is_modern: bool,
    /// The state that the client hands back; it begins with [`STATE_PREFIX`].
    pub state: Option<&'a str>,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("operation", self.operation).finish_non_exhaustive()
    }
}

/// What becomes of a call.
#[derive(Debug)]
pub struct Ruling {
    /// What policy says of it, if that was asked.
    pub decision: Option<Decision>,
    /// What becomes of it.
    pub judgement: Judgement,
    /// The approval that it waits for or had.
    pub approval: Option<Bound>,
}

/// An approval, as records name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bound {
    /// Its id.
    pub id: String,
    /// The digest of what it is bound to, in hexadecimal digits.
    pub digest: String,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WaitsFor {
    /// So many people.
    People(u8),
    /// It was approved and is on its way: for its answer.
    Answer,
}

/// An answer without the message around it.
#[derive(Clone, Copy)]
pub enum Told<'a> {
    /// The member `result`.
    Result(&'a [u8]),
    /// The member `error`.
    Error(&'a [u8]),
}

impl fmt::Debug for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Told::Result(_) => "Result",
            Told::Error(_) => "Error",
        })
    }
}

/// What becomes of a call.
pub enum Judgement {
    /// It may go out.
    Go {
        /// For [`Gate::settle`].
        ticket: String,
        /// What is sent in place of its parameters: those that were approved.
        params: Option<Vec<u8>>,
    },
    /// It does not go out yet.
    Wait {
        /// What for.
        waits_for: WaitsFor,
        /// Whether it waits from now on, rather than since before.
        is_new: bool,
        /// Whether the client is to be answered later: it has been told before that the call waits.
        is_held: bool,
        /// What the client hands back when it asks again. Without it, it repeats the identical call.
        state: Option<String>,
        /// Where people decide about it in a browser: of use only to somebody who may.
        page: Option<String>,
        /// What people see of it who decide, in lines. Personal values are masked in it.
        summary: String,
    },
    /// It was made before: the answer that was recorded, an error if it says so.
    Repeat {
        /// Whether it is an error.
        is_error: bool,
        /// The member `result` or `error`.
        member: Vec<u8>,
    },
    /// The state that the client hands back is none of the gateway's for this call.
    Foreign,
    /// It goes nowhere.
    Deny {
        /// A short word.
        reason: &'static str,
        /// Why, for the client. Holds nothing of the call.
        text: String,
    },
}

impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Judgement::Go { .. } => "Go",
            Judgement::Wait { .. } => "Wait",
            Judgement::Repeat { .. } => "Repeat",
            Judgement::Foreign => "Foreign",
            Judgement::Deny { .. } => "Deny",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

/// How a call ended that might go out.
#[derive(Clone, Copy)]
pub enum Settled<'a> {
    /// It did not go out after all.
    Kept,
    /// It was answered: what the client got.
    Answered(Told<'a>),
    /// It went out, and nobody knows what came of it.
    Unknown,
}

impl fmt::Debug for Settled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Settled::Kept => "Kept",
            Settled::Answered(_) => "Answered",
            Settled::Unknown => "Unknown",
        })
    }
}

/// Rules and totals, with nobody who could approve anything.
pub struct PolicyGate {
    policy: Arc<Policy>,
    totals: Arc<dyn Totals>,
}

impl fmt::Debug for PolicyGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyGate").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl PolicyGate {
    /// Judges by these rules, and counts there.
    pub fn new(policy: Arc<Policy>, totals: Arc<dyn Totals>) -> PolicyGate {
        PolicyGate { policy, totals }
    }

    fn release(&self, call: &str) {
        // What cannot be released stays counted, which errs on the side of denial.
        self.totals.release(call).unwrap_or_default();
    }
}

impl Gate for PolicyGate {
    fn judge(&self, call: &Call<'_>) -> Ruling {
        let now = unix_seconds();
        let caller = Caller { key: &call.principal.key, workflow: &call.principal.workflow };
        let reservation = Reservation::new(call.id, call.operation, caller.workflow, now);
        let sums = match &reservation {
            None => Ok(Sums::default()),
            Some(reservation) => self.totals.reserve(reservation),
        };
        let decision =
            self.policy.decide(call.operation, &caller, sums.as_ref().unwrap_or(&Sums::default()), now);
        let judgement = match (&sums, decision.outcome) {
            (Err(error), _) => Judgement::Deny { reason: "totals", text: error.to_string() },
            (_, Said::Allow) => Judgement::Go { ticket: call.id.to_owned(), params: None },
            (_, Said::NeedsApproval { .. }) => Judgement::Deny {
                reason: "needs_approval",
                text: format!("{} needs approval, and nobody can give it here", call.operation.operation),
            },
            (_, Said::Deny { because }) => {
                Judgement::Deny { reason: "policy", text: denial(call.operation, because, &decision) }
            }
        };
        if reservation.is_some() && sums.is_ok() && !matches!(judgement, Judgement::Go { .. }) {
            self.release(call.id);
        }
        Ruling { decision: Some(decision), judgement, approval: None }
    }

    fn settle(&self, ticket: &str, settled: &Settled<'_>) {
        match settled {
            Settled::Kept => self.release(ticket),
            // Reads are not counted, so there is nothing to commit; what fails to commit stays counted.
            Settled::Answered(_) | Settled::Unknown => {
                self.totals.commit(ticket, None).unwrap_or_default();
            }
        }
    }

    fn withdraw(&self, _approval: &str) -> bool {
        false
    }

    fn is_closed(&self, operation: &Operation, principal: &Principal) -> bool {
        is_closed(&self.policy, operation, principal)
    }

    fn changes(&self) -> u64 {
        0
    }

    fn wait(&self, _seen: u64, _until: Instant) {}

    fn wake(&self) {}
}

/// Whether rules deny any call of this operation: for no money at all, in no currency or one of the most common, today's
/// totals being empty.
pub fn is_closed(policy: &Policy, operation: &Operation, principal: &Principal) -> bool {
    let caller = Caller { key: &principal.key, workflow: &principal.workflow };
    let mut operation = operation.clone();
    operation.amount = obelus_gate::Amount::Minor(0);
    [None, Some("usd"), Some("eur")].into_iter().all(|currency| {
        operation.currency = currency.and_then(obelus_gate::Currency::parse);
        let decision = policy.decide(&operation, &caller, &Sums::default(), unix_seconds());
        matches!(decision.outcome, Said::Deny { .. })
    })
}

/// Why a call is denied, with the rules that say so.
pub fn denial(operation: &Operation, because: Because, decision: &Decision) -> String {
    let why = match because {
        Because::NothingPermits => "no rule permits it",
        Because::Forbidden => "a rule forbids it",
        Because::EvaluationError => "a rule could not be evaluated",
    };
    let strictest = Said::Deny { because };
    let (mut classes, mut rules): (Vec<RiskClass>, Vec<&Rule>) = (Vec::new(), Vec::new());
    for judged in decision.judged.iter().filter(|judged| judged.outcome == strictest) {
        classes.push(judged.class);
        rules.extend(&judged.rules);
    }
    let classes: Vec<&str> = classes.into_iter().map(RiskClass::as_str).collect();
    let mut text = format!("{} is {}: {why}", operation.operation, classes.join(" and "));
    for rule in rules {
        text.push_str(&format!("; {}", rule.id));
        if let Some(reason) = &rule.reason {
            text.push_str(&format!(" ({reason})"));
        }
    }
    text
}

/// Seconds since 1970. A clock before that is 1970.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
