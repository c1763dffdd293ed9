//! Whether a call may leave: counted, judged, and put before people if need be.

use super::handler::Caller;
use super::{Gate, GateStores, unix_seconds};
use crate::refused::{Refused, Why};
use obelus_gate::{
    Amount, Approval, ApprovalError, Approvals, Asked as Kept, Because, Call, Decision, Operation, Outcome,
    Proposal, Reservation, State, Sums, Totals, TotalsError,
};

/// How long after its end an approval answers the same call, in seconds. After that the same call is another one.
pub(super) const REPEAT_SECONDS: u64 = 600;

/// A call that is judged.
pub(super) struct Judging<'a> {
    pub(super) gate: &'a Gate,
    pub(super) stores: &'a GateStores,
    pub(super) caller: &'a Caller,
    pub(super) operation: &'a Operation,
}

/// What an approval of a call is bound to, and what people see of it.
pub(super) struct Asked<'a> {
    /// How it is sent.
    pub(super) method: &'a str,
    pub(super) server: &'a str,
    /// Its arguments as they will be sent, a JSON object.
    pub(super) arguments: &'a [u8],
    /// The hash of the tool's definition.
    pub(super) tool_hash: Option<&'a str>,
    /// The bytes that are kept.
    pub(super) payload: &'a dyn Fn() -> Vec<u8>,
    pub(super) summary: &'a dyn Fn(&Decision) -> String,
}

/// What becomes of a call.
pub(super) enum Verdict {
    /// It may leave; counted under this name, if it is.
    Allowed {
        decision: Decision,
        counted: Option<String>,
    },
    Denied {
        decision: Decision,
        refused: Refused,
    },
    /// It waits from now on.
    Waits {
        decision: Decision,
        approval: Approval,
    },
    /// It is the same call as one that was asked for before.
    Attached(Approval),
}

impl Judging<'_> {
    /// Judges a call that changes something. Waits for the disk.
    pub(super) fn mutation(&self, asked: &Asked<'_>) -> Result<Verdict, Refused> {
        let now = unix_seconds();
        let call = Call {
            tenant: &self.caller.tenant,
            session: &self.caller.session,
            requester: &self.caller.key,
            workflow: &self.caller.workflow,
            method: asked.method,
            server: asked.server,
            account: self.operation.account.as_deref(),
            operation: &self.operation.operation,
            arguments: asked.arguments,
            tool_hash: asked.tool_hash,
        };
        let digest = call.digest().map_err(|denied| refused(denied.to_string()))?;
        if let Some(known) = self.stores.approvals.find(&digest, REPEAT_SECONDS, now).map_err(unkept)? {
            return Ok(Verdict::Attached(known));
        }
        let id = Approvals::new_id().map_err(unkept)?;
        let sums = self.reserve(&id, now)?;
        let decision = self.decide(&sums, now);
        match self.outcome(&decision) {
            Outcome::Allow => Ok(Verdict::Allowed { decision, counted: Some(id) }),
            Outcome::Deny { because } => {
                self.release(&id)?;
                let refused = denied(because, &decision);
                Ok(Verdict::Denied { decision, refused })
            }
            Outcome::NeedsApproval { approvers } => {
                let able = self.gate.config.approvers.len();
                if able < usize::from(approvers) {
                    self.release(&id)?;
                    let refused = refused(format!(
                        "denied: {approvers} people must approve this, and {able} can: whoever runs the gate must \
                         name them in gate.approvers"
                    ));
                    return Ok(Verdict::Denied { decision, refused });
                }
                self.propose(&id, (call, asked), approvers, decision, now)
            }
        }
    }

    fn propose(
        &self,
        id: &str,
        (call, asked): (Call<'_>, &Asked<'_>),
        approvers: u8,
        decision: Decision,
        now: u64,
    ) -> Result<Verdict, Refused> {
        let proposal = Proposal {
            id,
            call,
            policy_version: self.gate.rules.version(),
            approvers,
            expires: now + self.gate.config.approval.as_secs(),
            payload: &(asked.payload)(),
            summary: &(asked.summary)(&decision),
        };
        match self.stores.approvals.ask(&proposal, now) {
            Ok(Kept::New(approval)) => Ok(Verdict::Waits { decision, approval }),
            Ok(Kept::Attached(approval)) => {
                self.release(id)?;
                Ok(Verdict::Attached(approval))
            }
            Err(error) => {
                self.release(id)?;
                Err(unkept(error))
            }
        }
    }

    /// Judges a read: nothing is counted.
    pub(super) fn read(&self) -> Verdict {
        let decision = self.decide(&Sums::default(), unix_seconds());
        match decision.outcome {
            Outcome::Allow => Verdict::Allowed { decision, counted: None },
            Outcome::Deny { because } => {
                let refused = denied(because, &decision);
                Verdict::Denied { decision, refused }
            }
            Outcome::NeedsApproval { .. } => {
                let refused =
                    refused("denied: rules let this wait for people, and reads do not wait".to_owned());
                Verdict::Denied { decision, refused }
            }
        }
    }

    /// Judges a call that was approved again, by the rules and totals of now. If it may not leave any more, its approval
    /// is void.
    pub(super) fn again(&self, approval: &Approval) -> Result<Decision, (Decision, Refused)> {
        let now = unix_seconds();
        // Nothing counted means that somebody has ended the call meanwhile.
        let sums = self.stores.totals.sums(&approval.id);
        let decision = self.decide(&sums.clone().unwrap_or_default(), now);
        let reason = match (sums, self.outcome(&decision)) {
            (Err(_), _) => "what was counted of it is gone",
            _ if approval.policy_version != self.gate.rules.version() => "the rules have changed",
            (_, Outcome::Deny { .. }) => "the rules deny it now",
            (_, Outcome::NeedsApproval { approvers }) if approvers > approval.approvers => {
                "more people must approve it now"
            }
            _ => return Ok(decision),
        };
        void(self.stores, &approval.id, now);
        let message = format!("denied: it was approved, but {reason}: repeat the request to ask anew");
        Err((decision, refused(message)))
    }

    fn decide(&self, sums: &Sums, now: u64) -> Decision {
        let caller = obelus_gate::Caller { key: &self.caller.key, workflow: &self.caller.workflow };
        self.gate.rules.decide(self.operation, &caller, sums, now)
    }

    /// What the rules say, and how many must approve beyond that.
    fn outcome(&self, decision: &Decision) -> Outcome {
        match decision.outcome {
            Outcome::NeedsApproval { approvers } if self.is_large() => {
                Outcome::NeedsApproval { approvers: approvers.max(2) }
            }
            outcome => outcome,
        }
    }

    /// Whether the amount is above that from which on two must approve.
    fn is_large(&self) -> bool {
        let limits = &self.gate.config.two_approvers_above;
        if limits.is_empty() || self.operation.amount == Amount::None {
            return false;
        }
        let limit = self.operation.currency.and_then(|currency| limits.get(&currency).copied());
        limit.is_none_or(|limit| self.operation.amount.limit_minor() > limit)
    }

    fn reserve(&self, id: &str, now: u64) -> Result<Sums, Refused> {
        match Reservation::new(id, self.operation, &self.caller.workflow, now) {
            None => Ok(Sums::default()),
            Some(reservation) => self.stores.totals.reserve(&reservation).map_err(uncounted),
        }
    }

    fn release(&self, id: &str) -> Result<(), Refused> {
        self.stores.totals.release(id).map_err(uncounted)
    }
}

/// The call must be asked for anew. One that somebody else has ended needs no other end.
pub(super) fn void(stores: &GateStores, id: &str, now: u64) -> bool {
    let is_void = stores.approvals.void(id, now).is_ok();
    if is_void {
        release(stores, id);
        stores.ring();
    }
    is_void
}

/// Gives back what was counted. What stays counted errs on the safe side.
pub(super) fn release(stores: &GateStores, id: &str) {
    if let Err(error) = stores.totals.release(id) {
        tracing::warn!(%error, "a call that does not go out stays counted");
    }
}

/// What was counted stays so. Reads are not counted, so there is nothing to settle; what fails to be settled stays counted.
pub(super) fn commit(stores: &GateStores, id: &str) {
    stores.totals.commit(id, None).unwrap_or_default();
}

/// Why a call that is attached to an approval does not leave, if it does not.
pub(super) fn ended(state: State) -> Option<Refused> {
    let what = match state {
        State::Denied => "denied: somebody has denied this call, which is final",
        State::Expired => "denied: nobody approved this call, or it was not repeated, in time",
        _ => return None,
    };
    Some(refused(what.to_owned()))
}

fn denied(because: Because, decision: &Decision) -> Refused {
    let rules: Vec<&str> = decision
        .judged
        .iter()
        .filter(|judged| matches!(judged.outcome, Outcome::Deny { .. }))
        .flat_map(|judged| &judged.rules)
        .map(|rule| rule.id.as_str())
        .collect();
    refused(match because {
        Because::NothingPermits => "denied: no rule permits this operation".to_owned(),
        Because::EvaluationError => format!("denied: rules cannot be evaluated: {}", rules.join(", ")),
        _ => format!("denied by the rules {}", rules.join(", ")),
    })
}

fn refused(message: String) -> Refused {
    Refused::new(403, Why::Denied, message)
}

pub(super) fn unkept(error: ApprovalError) -> Refused {
    tracing::error!(%error, "approvals");
    Refused::new(503, Why::Gate, "approvals cannot be kept, so nothing is forwarded").retry_after(1)
}

fn uncounted(error: TotalsError) -> Refused {
    tracing::error!(%error, "totals");
    Refused::new(503, Why::Gate, "totals cannot be kept, so nothing is forwarded").retry_after(1)
}
