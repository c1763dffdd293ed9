//! Approvals: that people let one call go out, once.
//!
//! An approval is bound to everything that makes a call what it is, and to the bytes that will be sent. It waits, is
//! approved or denied, is consumed before the call leaves, and keeps what came of it. Each change is one transaction
//! that outlives a loss of power before anything follows from it.

mod binding;
mod row;
mod seal;

pub use binding::{Call, Digest};
pub use seal::SealKey;

use crate::gate_file::{FileForm, GateFileError, change};
use row::{Row, TABLES};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use zeroize::Zeroizing;

/// How long after a call was first sent it may be sent again under the same key: Stripe keeps such keys for at least
/// 24 hours, and an hour is for clocks that differ. <https://docs.stripe.com/api/idempotent_requests>
const RETRY_SECONDS: u64 = 23 * 3600;

/// The first form that there is.
const FORM: FileForm = FileForm { what: "approvals", application: 0x6f62_6c61, schema: 1, tables: TABLES };

/// How an approval stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Nobody, or not everybody who must, has approved it.
    Pending,
    /// The call may go out.
    Approved,
    /// Somebody has denied it, which is final.
    Denied,
    /// Its time is over, which is as if somebody had denied it.
    Expired,
    /// What it was judged by has changed: the same call needs another approval.
    Void,
    /// It is used up; the call is on its way.
    Executing,
    /// The call was on its way, and nobody knows what came of it.
    Unknown,
    /// What came of it is recorded.
    Done,
}

impl State {
    /// Every state.
    pub const ALL: [State; 8] = [
        State::Pending,
        State::Approved,
        State::Denied,
        State::Expired,
        State::Void,
        State::Executing,
        State::Unknown,
        State::Done,
    ];

    /// The name in records and answers, such as `pending`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Approved => "approved",
            State::Denied => "denied",
            State::Expired => "expired",
            State::Void => "void",
            State::Executing => "executing",
            State::Unknown => "unknown",
            State::Done => "done",
        }
    }

    /// Whether people can still decide.
    pub fn is_open(self) -> bool {
        matches!(self, State::Pending | State::Approved)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What somebody decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vote {
    /// Who.
    pub approver: String,
    /// Whether the call may go out.
    pub approves: bool,
    /// When, in seconds since 1970.
    pub time: u64,
}

/// An approval as people may see it. The bytes of the call are not among it.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Approval {
    /// Its name: random, and of no use to whoever wants to know what is approved.
    pub id: String,
    /// What it is bound to.
    pub digest: Digest,
    /// How it stands.
    pub state: State,
    /// When it was asked for, in seconds since 1970.
    pub created: u64,
    /// From when on it is of no use.
    pub expires: u64,
    /// Who asks: the id of a virtual key.
    pub requester: String,
    /// The workflow of that key.
    pub workflow: String,
    /// How the call is sent.
    pub method: String,
    /// Where to.
    pub server: String,
    /// On which account.
    pub account: Option<String>,
    /// What it does.
    pub operation: String,
    /// The rules that judged it.
    pub policy_version: String,
    /// How many people must approve it.
    pub approvers: u8,
    /// Who has decided what.
    pub votes: Vec<Vote>,
    /// What whoever asked wrote for those who decide.
    pub summary: String,
    /// The status of the answer, once the call is done.
    pub status: Option<u16>,
    /// How often the call was sent.
    pub attempts: u32,
}

impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approval")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// A call that waits for people.
#[derive(Clone, Copy)]
pub struct Proposal<'a> {
    /// The name that the approval gets: [`Approvals::new_id`].
    pub id: &'a str,
    /// The call.
    pub call: Call<'a>,
    /// The rules that judged it.
    pub policy_version: &'a str,
    /// How many people must approve it.
    pub approvers: u8,
    /// From when on it is of no use, in seconds since 1970.
    pub expires: u64,
    /// The bytes that will be sent, and whatever else is needed to send them. Kept sealed.
    pub payload: &'a [u8],
    /// For those who decide. Kept as it is: no personal value may stand in it.
    pub summary: &'a str,
}

impl fmt::Debug for Proposal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proposal").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What became of a proposal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    /// It waits from now on.
    New(Approval),
    /// The same call waits already, or is on its way: nothing was added.
    Attached(Approval),
}

/// That a call may leave now. Whoever has it says how it ended: [`Approvals::record`], [`Approvals::lose`] or
/// [`Approvals::give_back`]. If nobody does, the outcome is unknown.
pub struct Permit {
    /// The approval.
    pub id: String,
    /// The bytes that were approved.
    pub payload: Zeroizing<Vec<u8>>,
    /// The key under which the call is sent, each time the same.
    pub idempotency_key: String,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What came of a call, as it is told again to whoever repeats it.
#[derive(Clone, Eq, PartialEq)]
pub struct Recorded {
    /// The status.
    pub status: u16,
    /// The other side's id of the request.
    pub request_id: Option<String>,
    /// The answer, redacted. Kept sealed.
    pub body: Vec<u8>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why nothing changed. The call must not go out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is no approval of that id.
    NotFound,
    /// It stands otherwise than it must for this.
    State(State),
    /// Whoever asked cannot approve.
    Own,
    /// The same person has decided before.
    Twice,
    /// What was shown is not what it is bound to.
    Shown,
    /// Rules have changed since it was asked for.
    Policy,
    /// The arguments of the call could be read in two ways.
    Arguments,
    /// It was sent too long ago to be sent again under the same key.
    Late,
    /// What is kept is not what was put there, or under another key.
    Damaged,
    /// The file does not answer.
    Unavailable,
    /// The system gives no random bytes.
    Random,
}

impl fmt::Display for ApprovalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApprovalError::NotFound => f.write_str("approval: no such id: list those that there are"),
            ApprovalError::State(state) => {
                write!(f, "approval: it is {state}: that cannot be done with it now")
            }
            ApprovalError::Own => {
                f.write_str("approval: asked for by the same person: somebody else must decide")
            }
            ApprovalError::Twice => {
                f.write_str("approval: decided by the same person before: another must decide")
            }
            ApprovalError::Shown => {
                f.write_str("approval: the digest is not that of the approval: look at it again")
            }
            ApprovalError::Policy => f.write_str("approval: the rules have changed: ask for another"),
            ApprovalError::Arguments => {
                f.write_str("approval: arguments that could be read in two ways: send each once")
            }
            ApprovalError::Late => {
                f.write_str("approval: sent too long ago to be sent again: look up what came of it")
            }
            ApprovalError::Damaged => {
                f.write_str("approval: what is kept was changed, or the key is another: ask for another")
            }
            ApprovalError::Unavailable => f.write_str("approvals: the file does not answer: check its disk"),
            ApprovalError::Random => f.write_str("approvals: the system gives no random bytes"),
        }
    }
}

impl std::error::Error for ApprovalError {}

/// Keeps approvals in a file that only its owner can use.
pub struct Approvals {
    connection: Mutex<Connection>,
    key: SealKey,
    /// Which opening of the file this is: a call that another one sent is not on its way any more.
    run: String,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").finish_non_exhaustive()
    }
}

impl Approvals {
    /// Opens the file, or makes it with mode 0600. One process uses it at a time: what another has on its way would
    /// count as unknown.
    ///
    /// # Errors
    /// It cannot be opened, is something else, or others may use it.
    pub fn open(path: &Path, key: SealKey) -> Result<Approvals, GateFileError> {
        let connection = FORM.open(path)?;
        let run = random_hex()
            .map_err(|error| GateFileError::File(path.to_owned(), std::io::Error::other(error)))?;
        Ok(Approvals { connection: Mutex::new(connection), key, run })
    }

    /// A name for an approval.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new_id() -> Result<String, ApprovalError> {
        random_hex().map(|digits| format!("apr_{digits}"))
    }

    /// Seals what somebody is to hand back, so that nobody else can read or make it; it opens with the same `about` alone.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn seal(&self, about: &[&[u8]], clear: &[u8]) -> Result<Vec<u8>, ApprovalError> {
        self.key.seal(&handed_place(about), clear)
    }

    /// What was sealed; nothing if it was not, or about something else.
    pub fn unseal(&self, about: &[&[u8]], sealed: &[u8]) -> Option<Vec<u8>> {
        self.key.unseal(&handed_place(about), sealed).ok().map(|clear| clear.to_vec())
    }

    /// Asks for an approval, unless the same call waits, is approved or is on its way.
    ///
    /// # Errors
    /// Arguments that could be read in two ways, or a file that does not answer.
    pub fn ask(&self, proposal: &Proposal<'_>, now: u64) -> Result<Asked, ApprovalError> {
        let call = proposal.call.digest().map_err(|_denied| ApprovalError::Arguments)?;
        let row = Row::new(proposal, call, now, &self.key)?;
        self.change(|transaction| {
            if let Some(known) = row::newest(transaction, &call, &self.run, now)?
                && matches!(
                    known.approval.state,
                    State::Pending | State::Approved | State::Executing | State::Unknown
                )
            {
                return Ok(Ok(Asked::Attached(known.approval)));
            }
            row.insert(transaction)?;
            Ok(Ok(Asked::New(row.approval.clone())))
        })
    }

    /// The approval that a repeated call belongs to: the newest of that call which is not void, and of those over and
    /// done with, only one that ended no longer ago than `seconds`.
    ///
    /// # Errors
    /// The file does not answer.
    pub fn find(&self, call: &Digest, seconds: u64, now: u64) -> Result<Option<Approval>, ApprovalError> {
        let found = self.change(|transaction| row::newest(transaction, call, &self.run, now).map(Ok))?;
        let is_recent = |row: &Row| row.ended().is_none_or(|ended| ended.saturating_add(seconds) > now);
        Ok(found.filter(|row| row.approval.state != State::Void && is_recent(row)).map(|row| row.approval))
    }

    /// One approval.
    ///
    /// # Errors
    /// There is none of that id, or the file does not answer.
    pub fn show(&self, id: &str, now: u64) -> Result<Approval, ApprovalError> {
        self.change(|transaction| {
            Ok(row::load(transaction, id, &self.run, now)?
                .map(|row| row.approval)
                .ok_or(ApprovalError::NotFound))
        })
    }

    /// Approvals that people can decide about or must know of, the newest first; or all, 1,000 at most.
    ///
    /// # Errors
    /// The file does not answer.
    pub fn list(&self, all: bool, now: u64) -> Result<Vec<Approval>, ApprovalError> {
        let rows = self.change(|transaction| row::list(transaction, &self.run, now).map(Ok))?;
        let is_wanted = |state: State| all || state.is_open() || state == State::Unknown;
        Ok(rows.into_iter().map(|row| row.approval).filter(|approval| is_wanted(approval.state)).collect())
    }

    /// Somebody decides. `is_own` says whether whoever decides is known to be who asked, by another name; `shown` is the
    /// digest of what was looked at.
    ///
    /// # Errors
    /// It is not theirs to decide, or decided already.
    pub fn vote(
        &self,
        id: &str,
        vote: &Vote,
        is_own: bool,
        shown: &Digest,
    ) -> Result<Approval, ApprovalError> {
        self.change(|transaction| {
            let Some(mut row) = row::load(transaction, id, &self.run, vote.time)? else {
                return Ok(Err(ApprovalError::NotFound));
            };
            if let Err(error) = row.admit(vote, is_own, shown) {
                return Ok(Err(error));
            }
            if let Err(error) = row.add_vote(transaction, vote, &self.key)? {
                return Ok(Err(error));
            }
            row.set_state(transaction, row.state_after(vote), vote.time)?;
            Ok(Ok(row.approval))
        })
    }

    /// Somebody has looked up what came of a call of which nobody knew. If it happened, it is done, without an answer to
    /// tell; if not, the same call can be asked for anew. `is_own` and `shown` as for [`vote`](Approvals::vote).
    ///
    /// # Errors
    /// Its outcome is not unknown, or it is not theirs to say.
    pub fn clear_up(
        &self,
        id: &str,
        (approver, happened): (&str, bool),
        is_own: bool,
        shown: &Digest,
        now: u64,
    ) -> Result<Approval, ApprovalError> {
        self.change(|transaction| {
            let Some(mut row) = row::load(transaction, id, &self.run, now)? else {
                return Ok(Err(ApprovalError::NotFound));
            };
            let approval = &row.approval;
            let fault = match approval.state {
                State::Unknown if approval.digest != *shown => ApprovalError::Shown,
                State::Unknown if is_own || approval.requester == approver => ApprovalError::Own,
                State::Unknown => {
                    let state = if happened { State::Done } else { State::Void };
                    row.set_state(transaction, state, now)?;
                    return Ok(Ok(row.approval));
                }
                state => ApprovalError::State(state),
            };
            Ok(Err(fault))
        })
    }

    /// Uses an approval up: from now on the call is on its way. What is kept is checked against what was approved, and
    /// that is what the permit holds.
    ///
    /// # Errors
    /// It is not approved, its time is over, rules have changed, or what is kept is not what was approved.
    pub fn consume(&self, id: &str, policy_version: &str, now: u64) -> Result<Permit, ApprovalError> {
        self.send(id, now, |row| match row.approval.state {
            State::Approved if row.approval.policy_version != policy_version => Err(ApprovalError::Policy),
            State::Approved => Ok(()),
            state => Err(ApprovalError::State(state)),
        })
    }

    /// Sends a call again of which nobody knows what came of it, under the same key. For calls only whose receiver knows
    /// such keys.
    ///
    /// # Errors
    /// Its outcome is not unknown, or it was first sent more than 23 hours ago.
    pub fn retry(&self, id: &str, now: u64) -> Result<Permit, ApprovalError> {
        self.send(id, now, |row| match (row.approval.state, row.sent) {
            (State::Unknown, Some(sent)) if now < sent.saturating_add(RETRY_SECONDS) => Ok(()),
            (State::Unknown, _) => Err(ApprovalError::Late),
            (state, _) => Err(ApprovalError::State(state)),
        })
    }

    fn send(
        &self,
        id: &str,
        now: u64,
        may: impl FnOnce(&Row) -> Result<(), ApprovalError>,
    ) -> Result<Permit, ApprovalError> {
        self.change(|transaction| {
            let Some(mut row) = row::load(transaction, id, &self.run, now)? else {
                return Ok(Err(ApprovalError::NotFound));
            };
            let payload = match may(&row).and_then(|()| row.checked_payload(&self.key)) {
                Ok(payload) => payload,
                Err(error) => return Ok(Err(error)),
            };
            row.leave(transaction, &self.run, now)?;
            Ok(Ok(Permit { id: id.to_owned(), payload, idempotency_key: idempotency_key(id) }))
        })
    }

    /// The call has not left and will not: the approval is as it was before. Only of a first attempt is that known.
    ///
    /// # Errors
    /// It is not on its way for the first time.
    pub fn give_back(&self, id: &str, now: u64) -> Result<(), ApprovalError> {
        self.end(id, now, |row, transaction| {
            if row.approval.attempts > 1 {
                return row.set_state(transaction, State::Unknown, now);
            }
            row.stay(transaction)
        })
    }

    /// Nobody knows what came of the call.
    ///
    /// # Errors
    /// It is not on its way.
    pub fn lose(&self, id: &str, now: u64) -> Result<(), ApprovalError> {
        self.end(id, now, |row, transaction| row.set_state(transaction, State::Unknown, now))
    }

    /// Keeps what came of the call.
    ///
    /// # Errors
    /// It is not on its way.
    pub fn record(&self, id: &str, recorded: &Recorded, now: u64) -> Result<(), ApprovalError> {
        let sealed = self.key.seal(&row::outcome_place(id), &recorded.body)?;
        self.end(id, now, |row, transaction| {
            row.keep_outcome(transaction, recorded, &sealed)?;
            row.set_state(transaction, State::Done, now)
        })
    }

    fn end(
        &self,
        id: &str,
        now: u64,
        act: impl FnOnce(&mut Row, &Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), ApprovalError> {
        self.change(|transaction| {
            let Some(mut row) = row::load(transaction, id, &self.run, now)? else {
                return Ok(Err(ApprovalError::NotFound));
            };
            match row.approval.state {
                State::Executing => act(&mut row, transaction).map(Ok),
                state => Ok(Err(ApprovalError::State(state))),
            }
        })
    }

    /// What came of a call that is done. Nothing once it was deleted.
    ///
    /// # Errors
    /// There is none of that id, or what is kept cannot be read.
    pub fn outcome(&self, id: &str) -> Result<Option<Recorded>, ApprovalError> {
        let sql = "SELECT status, request_id, outcome FROM approvals WHERE id = ?1";
        let found = self.change(|transaction| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, Option<u16>>(0)?, row.get(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
            };
            Ok(transaction.query_row(sql, [id], read).optional()?.ok_or(ApprovalError::NotFound))
        })?;
        let (Some(status), request_id, Some(sealed)) = found else { return Ok(None) };
        let body = self.key.unseal(&row::outcome_place(id), &sealed)?.to_vec();
        Ok(Some(Recorded { status, request_id, body }))
    }

    /// What an approval was judged by has changed, so it is of no use any more.
    ///
    /// # Errors
    /// People cannot decide about it any more.
    pub fn void(&self, id: &str, now: u64) -> Result<(), ApprovalError> {
        self.change(|transaction| {
            let Some(mut row) = row::load(transaction, id, &self.run, now)? else {
                return Ok(Err(ApprovalError::NotFound));
            };
            if !row.approval.state.is_open() {
                return Ok(Err(ApprovalError::State(row.approval.state)));
            }
            row.set_state(transaction, State::Void, now).map(Ok)
        })
    }

    /// Ends approvals whose time is over, and says which.
    ///
    /// # Errors
    /// The file does not answer.
    pub fn expire(&self, now: u64) -> Result<Vec<Approval>, ApprovalError> {
        self.change(|transaction| {
            let mut expired = Vec::new();
            for mut row in row::over(transaction, &self.run, now)? {
                let time = row.approval.expires;
                row.set_state(transaction, State::Expired, time)?;
                expired.push(row.approval);
            }
            Ok(Ok(expired))
        })
    }

    /// Deletes bytes of calls and of answers of approvals that ended more than `seconds` ago, and approvals that ended
    /// thirty times as long ago. Says how many approvals that concerned.
    ///
    /// # Errors
    /// The file does not answer.
    pub fn purge(&self, seconds: u64, now: u64) -> Result<usize, ApprovalError> {
        // One that nobody said the end of is over as well, once it cannot be sent again.
        let bytes = "UPDATE approvals SET payload = NULL, outcome = NULL
                     WHERE ifnull(settled, sent) < ?1 AND (payload IS NOT NULL OR outcome IS NOT NULL)";
        let rows = "DELETE FROM approvals WHERE ifnull(settled, sent) < ?1";
        // What may be sent again is needed for that.
        let kept = seconds.max(RETRY_SECONDS);
        self.change(|transaction| {
            let emptied = transaction.execute(bytes, params![row::stored(now.saturating_sub(kept))])?;
            let before = now.saturating_sub(kept.saturating_mul(30));
            Ok(Ok(emptied + transaction.execute(rows, params![row::stored(before)])?))
        })
    }

    /// Does something in a transaction of its own, which is undone if it fails.
    fn change<T>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T, ApprovalError>>,
    ) -> Result<T, ApprovalError> {
        change(&self.connection, ApprovalError::Unavailable, act)
    }
}

/// The place of what somebody is to hand back.
fn handed_place(about: &[&[u8]]) -> Vec<u8> {
    Digest::of("obelus approval 1 handed", about).0.to_vec()
}

/// The key under which the call of an approval is sent: it follows from the id and says nothing of it.
fn idempotency_key(id: &str) -> String {
    let digest = Digest::of("obelus approval 1 idempotency", &[id.as_bytes()]).to_string();
    format!("obelus-{}", digest.get(..32).unwrap_or_default())
}

/// 16 random bytes in hexadecimal digits.
fn random_hex() -> Result<String, ApprovalError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).or(Err(ApprovalError::Random))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
