//! An approval as it stands in the file.

use super::{Approval, ApprovalError, Digest, Proposal, Recorded, SealKey, State, Vote};
use rusqlite::{OptionalExtension, Row as SqlRow, Transaction, params};
use zeroize::Zeroizing;

/// `payload` and `outcome` are sealed; everything else may be read by whoever may read the file.
pub(super) const TABLES: &str = "
CREATE TABLE approvals (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    call BLOB NOT NULL,
    digest BLOB NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    requester TEXT NOT NULL,
    workflow TEXT NOT NULL,
    method TEXT NOT NULL,
    server TEXT NOT NULL,
    account TEXT,
    operation TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    approvers INTEGER NOT NULL,
    summary TEXT NOT NULL,
    payload BLOB,
    run TEXT,
    sent INTEGER,
    attempts INTEGER NOT NULL,
    settled INTEGER,
    status INTEGER,
    request_id TEXT,
    outcome BLOB
) STRICT;
CREATE INDEX approvals_by_call ON approvals (call, number);
CREATE INDEX approvals_by_state ON approvals (state, expires);
CREATE INDEX approvals_by_end ON approvals (ifnull(settled, sent));
CREATE TABLE votes (
    approval TEXT NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
    approver TEXT NOT NULL,
    approves INTEGER NOT NULL,
    time INTEGER NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (approval, approver)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str =
    "id, call, digest, state, created, expires, requester, workflow, method, server, account,
    operation, policy_version, approvers, summary, payload, run, sent, attempts, settled, status";

/// How many are listed.
const LISTED_MAX: usize = 1000;

/// One approval, with what people do not see of it.
pub(super) struct Row {
    pub(super) approval: Approval,
    call: Digest,
    payload: Option<Vec<u8>>,
    /// When it was first sent.
    pub(super) sent: Option<u64>,
    settled: Option<u64>,
    /// The proof of each vote, in their order.
    seals: Vec<Vec<u8>>,
}

/// Seconds as they stand in the file.
pub(super) fn stored(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// The place of the answer to a call.
pub(super) fn outcome_place(id: &str) -> Vec<u8> {
    Digest::of("obelus approval 1 outcome", &[id.as_bytes()]).0.to_vec()
}

fn payload_place(digest: &Digest) -> Vec<u8> {
    Digest::of("obelus approval 1 payload", &[&digest.0]).0.to_vec()
}

impl Row {
    /// A new one, with its bytes sealed.
    pub(super) fn new(
        proposal: &Proposal<'_>,
        call: Digest,
        now: u64,
        key: &SealKey,
    ) -> Result<Row, ApprovalError> {
        let mut approval = Approval {
            id: proposal.id.to_owned(),
            digest: call,
            state: State::Pending,
            created: now,
            expires: proposal.expires,
            requester: proposal.call.requester.to_owned(),
            workflow: proposal.call.workflow.to_owned(),
            method: proposal.call.method.to_owned(),
            server: proposal.call.server.to_owned(),
            account: proposal.call.account.map(str::to_owned),
            operation: proposal.call.operation.to_owned(),
            policy_version: proposal.policy_version.to_owned(),
            // An approval that nobody need give is none.
            approvers: proposal.approvers.max(1),
            votes: Vec::new(),
            summary: proposal.summary.to_owned(),
            status: None,
            attempts: 0,
        };
        approval.digest = bound(&approval, &call, proposal.payload);
        let payload = key.seal(&payload_place(&approval.digest), proposal.payload)?;
        Ok(Row { approval, call, payload: Some(payload), sent: None, settled: None, seals: Vec::new() })
    }

    pub(super) fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let sql =
            "INSERT INTO approvals (id, call, digest, state, created, expires, requester, workflow, method,
                server, account, operation, policy_version, approvers, summary, payload, attempts)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0)";
        let approval = &self.approval;
        transaction
            .prepare_cached(sql)?
            .execute(params![
                approval.id,
                self.call.0,
                approval.digest.0,
                approval.state.as_str(),
                stored(approval.created),
                stored(approval.expires),
                approval.requester,
                approval.workflow,
                approval.method,
                approval.server,
                approval.account,
                approval.operation,
                approval.policy_version,
                approval.approvers,
                approval.summary,
                self.payload,
            ])
            .map(drop)
    }

    /// When it ended, if it has.
    pub(super) fn ended(&self) -> Option<u64> {
        match self.approval.state {
            State::Expired => Some(self.settled.unwrap_or(self.approval.expires)),
            State::Denied | State::Void | State::Done => Some(self.settled.unwrap_or(0)),
            _ => None,
        }
    }

    /// Whether somebody may decide so.
    pub(super) fn admit(&self, vote: &Vote, is_own: bool, shown: &Digest) -> Result<(), ApprovalError> {
        let approval = &self.approval;
        let is_late = approval.state == State::Approved && vote.approves;
        if !approval.state.is_open() || is_late {
            return Err(ApprovalError::State(approval.state));
        }
        if approval.digest != *shown {
            return Err(ApprovalError::Shown);
        }
        // Whoever asked may take it back.
        if vote.approves && (is_own || approval.requester == vote.approver) {
            return Err(ApprovalError::Own);
        }
        if vote.approves && approval.votes.iter().any(|other| other.approver == vote.approver) {
            return Err(ApprovalError::Twice);
        }
        Ok(())
    }

    pub(super) fn add_vote(
        &mut self,
        transaction: &Transaction<'_>,
        vote: &Vote,
        key: &SealKey,
    ) -> rusqlite::Result<Result<(), ApprovalError>> {
        let seal = match key.seal(&self.vote_place(vote), b"") {
            Ok(seal) => seal,
            Err(error) => return Ok(Err(error)),
        };
        // Who has approved may still deny.
        let sql = "INSERT OR REPLACE INTO votes VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![self.approval.id, vote.approver, vote.approves, stored(vote.time), seal];
        transaction.prepare_cached(sql)?.execute(values)?;
        if let Some(at) = self.approval.votes.iter().position(|other| other.approver == vote.approver) {
            self.approval.votes.remove(at);
            self.seals.remove(at);
        }
        self.approval.votes.push(vote.clone());
        self.seals.push(seal);
        Ok(Ok(()))
    }

    /// How it stands with the last vote.
    pub(super) fn state_after(&self, vote: &Vote) -> State {
        let approved = self.approval.votes.iter().filter(|vote| vote.approves).count();
        if !vote.approves {
            State::Denied
        } else if approved >= usize::from(self.approval.approvers) {
            State::Approved
        } else {
            State::Pending
        }
    }

    pub(super) fn set_state(
        &mut self,
        transaction: &Transaction<'_>,
        state: State,
        now: u64,
    ) -> rusqlite::Result<()> {
        self.approval.state = state;
        self.settled = match state {
            State::Pending | State::Approved | State::Executing => None,
            // From then on it cannot be sent again.
            _ => Some(now),
        };
        let sql = "UPDATE approvals SET state = ?2, settled = ?3 WHERE id = ?1";
        let values = params![self.approval.id, state.as_str(), self.settled.map(stored)];
        transaction.prepare_cached(sql)?.execute(values).map(drop)
    }

    /// The call leaves.
    pub(super) fn leave(
        &mut self,
        transaction: &Transaction<'_>,
        run: &str,
        now: u64,
    ) -> rusqlite::Result<()> {
        self.set_state(transaction, State::Executing, now)?;
        let sql =
            "UPDATE approvals SET run = ?2, sent = ifnull(sent, ?3), attempts = attempts + 1 WHERE id = ?1";
        transaction.prepare_cached(sql)?.execute(params![self.approval.id, run, stored(now)]).map(drop)
    }

    /// The call has not left.
    pub(super) fn stay(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let sql =
            "UPDATE approvals SET state = 'approved', run = NULL, sent = NULL, attempts = 0 WHERE id = ?1";
        transaction.prepare_cached(sql)?.execute(params![self.approval.id]).map(drop)
    }

    pub(super) fn keep_outcome(
        &mut self,
        transaction: &Transaction<'_>,
        recorded: &Recorded,
        sealed: &[u8],
    ) -> rusqlite::Result<()> {
        let sql = "UPDATE approvals SET status = ?2, request_id = ?3, outcome = ?4 WHERE id = ?1";
        let values = params![self.approval.id, recorded.status, recorded.request_id, sealed];
        transaction.prepare_cached(sql)?.execute(values).map(drop)
    }

    /// The bytes of the call, if everything that is kept is what was approved, by enough people.
    pub(super) fn checked_payload(&self, key: &SealKey) -> Result<Zeroizing<Vec<u8>>, ApprovalError> {
        let sealed = self.payload.as_ref().ok_or(ApprovalError::Damaged)?;
        let payload = key.unseal(&payload_place(&self.approval.digest), sealed)?;
        if bound(&self.approval, &self.call, &payload) != self.approval.digest {
            return Err(ApprovalError::Damaged);
        }
        let is_real = |(vote, seal): &(&Vote, &Vec<u8>)| {
            key.unseal(&self.vote_place(vote), seal).is_ok() && vote.approves
        };
        let approved = self.approval.votes.iter().zip(&self.seals).filter(is_real).count();
        if approved < usize::from(self.approval.approvers) {
            return Err(ApprovalError::Damaged);
        }
        Ok(payload)
    }

    fn vote_place(&self, vote: &Vote) -> Vec<u8> {
        let pieces: [&[u8]; 5] = [
            self.approval.id.as_bytes(),
            &self.approval.digest.0,
            vote.approver.as_bytes(),
            &[u8::from(vote.approves)],
            &vote.time.to_be_bytes(),
        ];
        Digest::of("obelus approval 1 vote", &pieces).0.to_vec()
    }
}

/// The digest that an approval is bound to.
fn bound(approval: &Approval, call: &Digest, payload: &[u8]) -> Digest {
    let account = approval.account.as_ref().map_or(Vec::new(), |text| [b"=", text.as_bytes()].concat());
    Digest::of(
        "obelus approval 1",
        &[
            approval.id.as_bytes(),
            &call.0,
            &approval.created.to_be_bytes(),
            &approval.expires.to_be_bytes(),
            approval.requester.as_bytes(),
            approval.workflow.as_bytes(),
            approval.method.as_bytes(),
            approval.server.as_bytes(),
            &account,
            approval.operation.as_bytes(),
            approval.policy_version.as_bytes(),
            &[approval.approvers],
            approval.summary.as_bytes(),
            payload,
        ],
    )
}

/// Reads one row. How it stands follows from the time, too.
fn read(row: &SqlRow<'_>, run: &str, now: u64) -> rusqlite::Result<Row> {
    let digest = |column| row.get::<_, [u8; 32]>(column).map(Digest);
    let seconds = |column| row.get::<_, Option<i64>>(column).map(|found| found.map(i64::unsigned_abs));
    let name: String = row.get(3)?;
    let named = State::ALL.into_iter().find(|state| state.as_str() == name);
    let expires = seconds(5)?.unwrap_or(0);
    let of_run: Option<String> = row.get(16)?;
    let state = match named.ok_or(rusqlite::Error::InvalidQuery)? {
        State::Pending | State::Approved if now >= expires => State::Expired,
        State::Executing if of_run.as_deref() != Some(run) => State::Unknown,
        state => state,
    };
    let approval = Approval {
        id: row.get(0)?,
        digest: digest(2)?,
        state,
        created: seconds(4)?.unwrap_or(0),
        expires,
        requester: row.get(6)?,
        workflow: row.get(7)?,
        method: row.get(8)?,
        server: row.get(9)?,
        account: row.get(10)?,
        operation: row.get(11)?,
        policy_version: row.get(12)?,
        approvers: row.get(13)?,
        votes: Vec::new(),
        summary: row.get(14)?,
        status: row.get(20)?,
        attempts: row.get(18)?,
    };
    Ok(Row {
        approval,
        call: digest(1)?,
        payload: row.get(15)?,
        sent: seconds(17)?,
        settled: seconds(19)?,
        seals: Vec::new(),
    })
}

/// Adds the votes.
fn with_votes(transaction: &Transaction<'_>, mut row: Row) -> rusqlite::Result<Row> {
    let sql = "SELECT approver, approves, time, seal FROM votes WHERE approval = ?1 ORDER BY time, approver";
    let vote = |found: &SqlRow<'_>| {
        let time: i64 = found.get(2)?;
        let vote = Vote { approver: found.get(0)?, approves: found.get(1)?, time: time.unsigned_abs() };
        Ok((vote, found.get(3)?))
    };
    let mut statement = transaction.prepare_cached(sql)?;
    for found in statement.query_map([&row.approval.id], vote)? {
        let (vote, seal) = found?;
        row.approval.votes.push(vote);
        row.seals.push(seal);
    }
    Ok(row)
}

pub(super) fn load(
    transaction: &Transaction<'_>,
    id: &str,
    run: &str,
    now: u64,
) -> rusqlite::Result<Option<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1");
    let found = transaction.prepare_cached(&sql)?.query_row([id], |row| read(row, run, now)).optional()?;
    found.map(|row| with_votes(transaction, row)).transpose()
}

/// The newest of a call that is not void.
pub(super) fn newest(
    transaction: &Transaction<'_>,
    call: &Digest,
    run: &str,
    now: u64,
) -> rusqlite::Result<Option<Row>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM approvals WHERE call = ?1 AND state <> 'void' ORDER BY number DESC LIMIT 1"
    );
    let found =
        transaction.prepare_cached(&sql)?.query_row([call.0], |row| read(row, run, now)).optional()?;
    found.map(|row| with_votes(transaction, row)).transpose()
}

pub(super) fn list(transaction: &Transaction<'_>, run: &str, now: u64) -> rusqlite::Result<Vec<Row>> {
    // What people must see is not pushed out by what is over.
    let sql = format!(
        "SELECT {COLUMNS} FROM approvals
         ORDER BY state IN ('pending', 'approved', 'executing', 'unknown') DESC, number DESC LIMIT {LISTED_MAX}"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows: Vec<Row> =
        statement.query_map([], |row| read(row, run, now))?.collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(|row| with_votes(transaction, row)).collect()
}

/// Those that people can still decide about, although their time is over.
pub(super) fn over(transaction: &Transaction<'_>, run: &str, now: u64) -> rusqlite::Result<Vec<Row>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM approvals WHERE state IN ('pending', 'approved') AND expires <= ?1 LIMIT {LISTED_MAX}"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let rows: Vec<Row> =
        statement.query_map([stored(now)], |row| read(row, run, now))?.collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(|row| with_votes(transaction, row)).collect()
}
