//! Values that wait for what their object turns out to be.
//!
//! `{"name": "…", "object": "customer"}`: whether the name is a person's is known one member later. Until then
//! the output from that value on waits in the queue, as it would be if the value stayed. When the question is
//! settled the value's part of the queue either stays or gives way to its replacement. The distance is bounded
//! (`wait_bytes_max`): beyond it the value counts as sensitive.
//!
//! Invariants:
//!  (a) `pending` is ordered by where each begins in `bytes`; ids are consecutive.
//!  (b) A pending value that begins inside another one also ends inside it.
//!  (c) The queue holds bytes only while something is pending.

use crate::finding::Span;
use crate::out::Refused;
use crate::rules::RuleIx;
use obelus_fields::Reason;
use std::borrow::Cow;
use std::collections::VecDeque;

/// A finding that waits.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) rule: RuleIx,
    pub(crate) doc: u64,
    pub(crate) path: String,
    pub(crate) span: Span,
    pub(crate) chars: Span,
    pub(crate) allowed: bool,
    pub(crate) reason: Option<Reason>,
}

/// What becomes of a pending value.
#[derive(Debug)]
enum Outcome {
    Open,
    Stays,
    /// It stays, and is reported.
    Allowed,
    Goes(Cow<'static, [u8]>),
}

/// A value that waits.
#[derive(Debug)]
struct Pending {
    bytes: (usize, usize),
    findings: (usize, usize),
    /// What to report if it goes; the rule is set then.
    finding: Queued,
    outcome: Outcome,
    next_id: u64,
}

/// Output that waits, in order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) bytes: Vec<u8>,
    pub(crate) findings: Vec<Queued>,
    /// Findings that no longer wait.
    pub(crate) ready: Vec<Queued>,
    pending: VecDeque<Pending>,
    first_id: u64,
}

impl Queue {
    /// Whether output must go through the queue.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Begins a pending value where the queue now ends. Its span and characters are completed by
    /// [`Queue::close`].
    pub(crate) fn open(&mut self, finding: Queued) -> u64 {
        self.pending.push_back(Pending {
            bytes: (self.bytes.len(), usize::MAX),
            findings: (self.findings.len(), usize::MAX),
            finding,
            outcome: Outcome::Open,
            next_id: 0,
        });
        self.first_id + self.pending.len() as u64 - 1
    }

    /// Ends a pending value where the queue now ends.
    pub(crate) fn close(&mut self, id: u64, span: Span, chars: Span) {
        let ends = (self.bytes.len(), self.findings.len());
        let next_id = self.first_id + self.pending.len() as u64;
        if let Some(pending) = self.find(id) {
            pending.bytes.1 = ends.0;
            pending.next_id = next_id;
            pending.findings.1 = ends.1;
            pending.finding.span = span;
            pending.finding.chars = chars;
        }
    }

    /// The value stays as it is.
    pub(crate) fn stay(&mut self, id: u64) {
        if let Some(pending) = self.find(id) {
            pending.outcome = Outcome::Stays;
        }
    }

    /// The value stays although `rule` holds.
    pub(crate) fn allow(&mut self, id: u64, rule: RuleIx) {
        if let Some(pending) = self.find(id) {
            pending.finding.rule = rule;
            pending.finding.allowed = true;
            pending.outcome = Outcome::Allowed;
        }
    }

    /// Notes what decided about the value.
    pub(crate) fn set_reason(&mut self, id: u64, reason: Reason) {
        if let Some(pending) = self.find(id) {
            pending.finding.reason = Some(reason);
        }
    }

    /// The pointer to the value.
    pub(crate) fn path(&self, id: u64) -> &str {
        self.index(id).map(|idx| self.pending[idx].finding.path.as_str()).unwrap_or_default()
    }

    /// The value gives way to `replacement`.
    pub(crate) fn go(&mut self, id: u64, rule: RuleIx, replacement: Cow<'static, [u8]>) {
        if let Some(pending) = self.find(id) {
            pending.finding.rule = rule;
            pending.outcome = Outcome::Goes(replacement);
        }
    }

    /// Takes back an unfinished value and all behind it, and puts `replacement` there; the caller reports it.
    pub(crate) fn cut(&mut self, id: u64, replacement: &[u8]) {
        let Some(idx) = self.index(id) else { return };
        let (bytes_at, findings_at) = (self.pending[idx].bytes.0, self.pending[idx].findings.0);
        self.pending.truncate(idx + 1);
        // The entry stays, decided, so that ids keep their distance and the bytes before it stay queued.
        self.bytes.truncate(bytes_at);
        self.bytes.extend_from_slice(replacement);
        self.findings.truncate(findings_at);
        self.pending[idx].outcome = Outcome::Stays;
    }

    fn index(&self, id: u64) -> Option<usize> {
        let idx = usize::try_from(id.checked_sub(self.first_id)?).ok()?;
        (idx < self.pending.len()).then_some(idx)
    }

    fn find(&mut self, id: u64) -> Option<&mut Pending> {
        let idx = self.index(id)?;
        self.pending.get_mut(idx)
    }

    /// Gives up everything before the first undecided value. Findings go to `ready`.
    pub(crate) fn drain(&mut self, mut put: impl FnMut(&[u8]) -> Result<(), Refused>) -> Result<(), Refused> {
        let (mut bytes_done, mut findings_done) = (0, 0);
        while let Some(pending) = self.pending.front_mut() {
            let until = match &mut pending.outcome {
                Outcome::Open => break,
                Outcome::Stays | Outcome::Allowed => pending.bytes.0,
                Outcome::Goes(replacement) => {
                    put(&self.bytes[bytes_done..pending.bytes.0])?;
                    put(replacement)?;
                    self.ready.extend_from_slice(&self.findings[findings_done..pending.findings.0]);
                    self.ready.push(pending.finding.clone());
                    (bytes_done, findings_done) = (pending.bytes.1, pending.findings.1);
                    let end = pending.next_id;
                    self.pending.pop_front();
                    self.first_id += 1;
                    // Whatever waited inside it is gone with it.
                    while self.first_id < end && !self.pending.is_empty() {
                        self.pending.pop_front();
                        self.first_id += 1;
                    }
                    continue;
                }
            };
            if until > bytes_done {
                put(&self.bytes[bytes_done..until])?;
                bytes_done = until;
            }
            self.ready.extend_from_slice(&self.findings[findings_done..pending.findings.0]);
            findings_done = pending.findings.0;
            if matches!(pending.outcome, Outcome::Allowed) {
                self.ready.push(pending.finding.clone());
            }
            self.pending.pop_front();
            self.first_id += 1;
        }
        let (bytes_end, findings_end) = match self.pending.front() {
            Some(open) => (open.bytes.0, open.findings.0),
            None => (self.bytes.len(), self.findings.len()),
        };
        if bytes_end > bytes_done {
            put(&self.bytes[bytes_done..bytes_end])?;
        }
        self.ready.extend_from_slice(&self.findings[findings_done..findings_end]);
        self.bytes.drain(..bytes_end);
        self.findings.drain(..findings_end);
        for pending in &mut self.pending {
            for end in [&mut pending.bytes.0, &mut pending.bytes.1] {
                *end = end.saturating_sub(bytes_end);
            }
            for end in [&mut pending.findings.0, &mut pending.findings.1] {
                *end = end.saturating_sub(findings_end);
            }
        }
        Ok(())
    }
}
