//! The way out: one position behind which everything has left, and the queue of what waits for a decision.
//!
//! Output is told as "input up to here", "these bytes instead of that span". Clean input is handed on as slices
//! of what the caller pushed. Only while a value waits for what its object turns out to be (see `wait.rs`) does
//! output go through the queue, as a copy.

use crate::finding::{Finding, Span};
use crate::form::encode;
use crate::rules::{RuleIx, Rules};
use crate::sink::Sink;
use crate::wait::{Queue, Queued};
use obelus_detect::Category;
use obelus_fields::Reason;
use std::borrow::Cow;

/// The sink refused; the adapter knows why.
#[derive(Debug)]
pub(crate) struct Refused;

/// A sink without its type, so that the engine is compiled once. Called once a piece, never once a byte.
pub(crate) trait Pieces {
    fn keep(&mut self, input: &[u8]) -> Result<(), Refused>;
    fn put(&mut self, bytes: &[u8]) -> Result<(), Refused>;
    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Refused>;
    fn surrogate(&mut self, rule: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool;
    fn wants_findings(&self) -> bool;
    fn wants_reasons(&self) -> bool;
}

/// A [`Sink`] as [`Pieces`], keeping its error for the caller.
pub(crate) struct Adapter<'s, S: Sink> {
    pub(crate) sink: &'s mut S,
    pub(crate) error: Option<S::Error>,
}

impl<S: Sink> Adapter<'_, S> {
    fn settle(&mut self, result: Result<(), S::Error>) -> Result<(), Refused> {
        result.map_err(|error| {
            self.error = Some(error);
            Refused
        })
    }
}

impl<S: Sink> Pieces for Adapter<'_, S> {
    fn keep(&mut self, input: &[u8]) -> Result<(), Refused> {
        let result = self.sink.keep(input);
        self.settle(result)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let result = self.sink.put(bytes);
        self.settle(result)
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Refused> {
        let result = self.sink.found(finding);
        self.settle(result)
    }

    fn surrogate(&mut self, rule: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        self.sink.surrogate(rule, category, value, out)
    }

    fn wants_findings(&self) -> bool {
        self.sink.wants_findings()
    }

    fn wants_reasons(&self) -> bool {
        self.sink.wants_reasons()
    }
}

/// What outlives a push.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    /// Input before this offset in the stream has left or was replaced.
    pub(crate) upto: u64,
    /// Ordinal of the current document.
    pub(crate) doc: u64,
    pub(crate) queue: Queue,
}

/// The way out during one run over one buffer.
pub(crate) struct Out<'o> {
    pub(crate) pieces: &'o mut dyn Pieces,
    pub(crate) rules: &'o Rules,
    pub(crate) emitted: &'o mut Emitted,
    /// The buffer, and where it begins in the stream.
    pub(crate) buf: &'o [u8],
    pub(crate) base: u64,
    /// Whether the buffer is the caller's chunk (or bytes that were held).
    pub(crate) is_chunk: bool,
    /// Whether anybody wants findings.
    pub(crate) reports: bool,
    /// Whether anybody wants to know what decided.
    pub(crate) reasons: bool,
    /// Whether the input is a form: its values stand in no JSON string.
    pub(crate) is_form: bool,
    /// Whether what replaces a finding must be written with percent signs.
    pub(crate) is_percent: bool,
}

impl Out<'_> {
    /// Lets input before `to` leave unchanged.
    pub(crate) fn pass(&mut self, to: u64) -> Result<(), Refused> {
        if to <= self.emitted.upto {
            return Ok(());
        }
        let piece = &self.buf[offset(self.emitted.upto, self.base)..offset(to, self.base)];
        self.emitted.upto = to;
        if self.emitted.queue.is_waiting() {
            self.emitted.queue.bytes.extend_from_slice(piece);
            Ok(())
        } else if self.is_chunk {
            self.pieces.keep(piece)
        } else {
            self.pieces.put(piece)
        }
    }

    /// Lets input before the span leave, then `bytes` in place of the span.
    pub(crate) fn replace(&mut self, span: Span, bytes: &[u8]) -> Result<(), Refused> {
        self.pass(span.start)?;
        self.write(bytes)?;
        self.skip(span.end);
        Ok(())
    }

    /// Drops input before `to`.
    pub(crate) fn skip(&mut self, to: u64) {
        self.emitted.upto = self.emitted.upto.max(to);
    }

    /// What replaces a finding, as it must be written.
    pub(crate) fn encoded(&self, bytes: Cow<'static, [u8]>) -> Cow<'static, [u8]> {
        if !self.is_percent {
            return bytes;
        }
        let mut encoded = Vec::with_capacity(bytes.len() + 8);
        encode(&bytes, &mut encoded);
        encoded.into()
    }

    /// Adds bytes that are not input.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.is_percent {
            let mut encoded = Vec::with_capacity(bytes.len() + 8);
            encode(bytes, &mut encoded);
            return self.write_encoded(&encoded);
        }
        self.write_encoded(bytes)
    }

    #[inline]
    fn write_encoded(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if bytes.is_empty() {
            Ok(())
        } else if self.emitted.queue.is_waiting() {
            self.emitted.queue.bytes.extend_from_slice(bytes);
            Ok(())
        } else {
            self.pieces.put(bytes)
        }
    }

    /// Reports a finding.
    pub(crate) fn found(
        &mut self,
        rule: RuleIx,
        path: &str,
        (span, chars): (Span, Span),
        (allowed, reason): (bool, Option<Reason>),
    ) -> Result<(), Refused> {
        let doc = self.emitted.doc;
        if self.emitted.queue.is_waiting() {
            self.emitted.queue.findings.push(Queued {
                rule,
                doc,
                path: path.to_owned(),
                span,
                chars,
                allowed,
                reason,
            });
            return Ok(());
        }
        let info = self.rules.get(rule);
        self.pieces.found(&Finding {
            doc,
            path,
            category: info.category,
            rule: info.id(),
            span,
            chars,
            allowed,
            reason,
        })
    }

    /// Sends on what no longer waits.
    pub(crate) fn drain(&mut self) -> Result<(), Refused> {
        if !self.emitted.queue.is_waiting() {
            return Ok(());
        }
        let (pieces, rules) = (&mut *self.pieces, self.rules);
        self.emitted.queue.drain(|bytes| pieces.put(bytes))?;
        let mut ready = std::mem::take(&mut self.emitted.queue.ready);
        for queued in ready.iter().filter(|_| self.reports) {
            let info = rules.get(queued.rule);
            pieces.found(&Finding {
                doc: queued.doc,
                path: &queued.path,
                category: info.category,
                rule: info.id(),
                span: queued.span,
                chars: queued.chars,
                allowed: queued.allowed,
                reason: queued.reason,
            })?;
        }
        // The memory is used again.
        ready.clear();
        self.emitted.queue.ready = ready;
        Ok(())
    }
}

/// An offset in the stream as an offset in the buffer that begins at `base`.
fn offset(pos: u64, base: u64) -> usize {
    // The buffer is in memory, so the distance fits.
    usize::try_from(pos.saturating_sub(base)).unwrap_or(usize::MAX)
}
