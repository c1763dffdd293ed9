//! One document flow: pieces in, pieces out.
//!
//! Only what cannot be settled yet is held between pushes: an open member name or number, the end of an open
//! string value, the first bytes of the stream. When more arrives, the hold grows by a little of it, until the
//! engine gets past what was held; from there on the chunk itself is read, without a copy. What is to be read twice is
//! held whole, up to a limit.
//!
//! Invariants between calls:
//!  (a) `hold` holds the input from `base` on; input before `base` is done with.
//!  (b) Input before `emitted.upto` has left or was replaced, for good. `upto` may be beyond `base`: then the
//!      hold begins with context.
//!  (c) After an error nothing leaves any more, and every call gives that error.

use crate::error::{Error, ErrorKind, PushError};
use crate::finding::Finding;
use crate::form::Reader;
use crate::level::{Level, Scratch, Source, Value};
use crate::out::{Adapter, Emitted, Out, Pieces, Refused};
use crate::redactor::{Format, Redactor};
use crate::shown::{CarryOver, Shown};
use crate::sink::{NullSink, Sink};
use crate::walk::{Stop, Walk};
use obelus_detect::Category;
use obelus_json::{Cause, Mode, StringFlags, SyntaxKind, Wants};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// By how much the hold grows at least.
const GROW_BYTES: usize = 4096;

/// How many bytes tell the encoding.
const START_BYTES: usize = 4;

/// The state of one document flow. Bounded in memory whatever comes.
pub struct Stream<'r> {
    redactor: Owner<'r>,
    level: Level,
    scratch: Scratch,
    emitted: Emitted,
    hold: Vec<u8>,
    /// Where the hold begins in the stream.
    base: u64,
    /// What must arrive before another run can get further.
    wants: Wants,
    /// How long the hold was when a run over it got nowhere.
    tried_len: usize,
    is_started: bool,
    error: Option<Error>,
}

impl fmt::Debug for Stream<'_> {
    /// Says how much is held, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("base", &self.base)
            .field("held_bytes", &self.held_bytes())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<'r> Stream<'r> {
    pub(crate) fn new(redactor: Owner<'r>) -> Stream<'r> {
        let shown = Shown::new(redactor.compiled.carry_over);
        Stream::with(redactor, shown)
    }

    fn with(redactor: Owner<'r>, shown: Shown) -> Stream<'r> {
        let mode = match redactor.compiled.format {
            Format::Json => Mode::Document,
            Format::Lines => Mode::Lines,
            Format::Sequence | Format::Text | Format::Form | Format::Multipart => Mode::Sequence,
        };
        let mut level = Level::new(mode, redactor.compiled.limits.depth_max);
        level.state.frames.begin_at(redactor.compiled.positions.root());
        if redactor.compiled.format.is_form() {
            level.state.form = Some(Box::default());
        }
        let scratch = Scratch::new(redactor.compiled.arch, shown);
        Stream {
            redactor,
            level,
            scratch,
            emitted: Emitted::default(),
            hold: Vec::new(),
            base: 0,
            wants: Wants::Any,
            tried_len: 0,
            is_started: false,
            error: None,
        }
    }

    /// Before the first byte: the stream goes on from `offset`, where `documents` have ended.
    pub(crate) fn at(mut self, offset: u64, documents: u64) -> Stream<'r> {
        self.base = offset;
        self.emitted.upto = offset;
        self.emitted.doc = documents;
        self.is_started = offset > 0;
        self
    }

    /// Reads the next piece of input. What is settled by it goes to the sink; that is final.
    ///
    /// # Errors
    /// Input that is not what the format says, a limit, or the sink's own error. Nothing more leaves after it.
    pub fn push<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), PushError<S::Error>> {
        let mut adapter = Adapter { sink, error: None };
        let result = match self.reads_twice() {
            true => self.keep_for_later(chunk),
            false => self.push_pieces(chunk, &mut adapter),
        };
        self.conclude(result, adapter.error)
    }

    /// Ends the input.
    ///
    /// # Errors
    /// As for [`Stream::push`]; also input that ends too early.
    pub fn finish<S: Sink>(mut self, sink: &mut S) -> Result<(), PushError<S::Error>> {
        let mut adapter = Adapter { sink, error: None };
        let result = match self.reads_twice() {
            true => self.read_twice(&mut adapter),
            false => self.finish_pieces(&mut adapter),
        };
        self.conclude(result, adapter.error)
    }

    /// How many bytes are held now: input that is not settled, and output that waits for evidence.
    pub fn held_bytes(&self) -> usize {
        self.hold.len() + self.emitted.queue.bytes.len()
    }

    /// How many documents have ended, with those before the stream's beginning; lines of forms likewise, and none in
    /// plain text or where input is read twice.
    pub fn documents(&self) -> u64 {
        self.emitted.doc
    }

    fn conclude<E>(&mut self, result: Result<(), Stop>, sink_error: Option<E>) -> Result<(), PushError<E>> {
        let stop = match result {
            Ok(()) => return Ok(()),
            Err(stop) => stop,
        };
        match (stop, sink_error) {
            (Stop::Error(error), _) => {
                self.error = Some(error);
                Err(PushError::Redact(error))
            }
            (Stop::Refused, Some(error)) => {
                self.error = Some(Error::new(ErrorKind::Sink, self.emitted.upto));
                Err(PushError::Sink(error))
            }
            (Stop::Refused, None) => {
                let error = Error::new(ErrorKind::Sink, self.emitted.upto);
                self.error = Some(error);
                Err(PushError::Redact(error))
            }
        }
    }

    /// Whether everything is read once for what it shows and once more for the output.
    fn reads_twice(&self) -> bool {
        let compiled = &self.redactor.compiled;
        compiled.carry_over == CarryOver::Document && compiled.format != Format::Text
    }

    fn keep_for_later(&mut self, chunk: &[u8]) -> Result<(), Stop> {
        if let Some(error) = self.error {
            return Err(Stop::Error(error));
        }
        let max = self.redactor.compiled.limits.document_bytes_max;
        if chunk.len() > max - self.hold.len() {
            return Err(Stop::Error(Error::new(ErrorKind::Document, max as u64)));
        }
        self.hold.extend_from_slice(chunk);
        Ok(())
    }

    fn read_twice(&mut self, pieces: &mut dyn Pieces) -> Result<(), Stop> {
        if let Some(error) = self.error {
            return Err(Stop::Error(error));
        }
        let input = std::mem::take(&mut self.hold);
        let mut first = Stream::with(self.redactor.clone(), Shown::first());
        let mut nowhere = Adapter { sink: &mut NullSink, error: None };
        first.push_pieces(&input, &mut nowhere)?;
        first.finish_pieces(&mut nowhere)?;
        let mut second = Stream::with(self.redactor.clone(), first.scratch.shown.second());
        let mut pieces = Held(pieces);
        second.push_pieces(&input, &mut pieces)?;
        second.finish_pieces(&mut pieces)
    }

    fn push_pieces(&mut self, chunk: &[u8], pieces: &mut dyn Pieces) -> Result<(), Stop> {
        if let Some(error) = self.error {
            return Err(Stop::Error(error));
        }
        let mut rest = chunk;
        if !self.is_started {
            let missing = START_BYTES.saturating_sub(self.hold.len()).min(rest.len());
            if self.hold.is_empty() && rest.len() >= START_BYTES {
                rest = rest.get(self.start(rest, pieces, true)?..).unwrap_or_default();
            } else {
                self.hold.extend_from_slice(&rest[..missing]);
                rest = &rest[missing..];
                if self.hold.len() < START_BYTES {
                    return Ok(());
                }
                self.start_held(pieces)?;
            }
        }
        while !self.hold.is_empty() && !rest.is_empty() {
            let taken = rest.len().min(self.hold.len().max(GROW_BYTES));
            let before = self.hold.len();
            self.hold.extend_from_slice(&rest[..taken]);
            if !self.is_worth_a_run(before) || !self.is_wanted(&rest[..taken]) {
                rest = &rest[taken..];
                self.check_hold()?;
                continue;
            }
            let hold = std::mem::take(&mut self.hold);
            let need = self.run(&hold, false, false, pieces);
            self.hold = hold;
            let need = need?;
            self.base += need as u64;
            if need >= before {
                rest = &rest[need - before..];
                self.hold.clear();
            } else {
                rest = &rest[taken..];
                self.hold.drain(..need);
                self.tried_len = if need == 0 { self.hold.len() } else { 0 };
                self.check_hold()?;
            }
        }
        if !rest.is_empty() {
            let need = self.run(rest, false, true, pieces)?;
            self.base += need as u64;
            self.hold.extend_from_slice(&rest[need..]);
            self.check_hold()?;
        }
        Ok(())
    }

    fn finish_pieces(&mut self, pieces: &mut dyn Pieces) -> Result<(), Stop> {
        if let Some(error) = self.error {
            return Err(Stop::Error(error));
        }
        if !self.is_started {
            self.start_held(pieces)?;
        }
        let hold = std::mem::take(&mut self.hold);
        self.run(&hold, true, false, pieces)?;
        Ok(())
    }

    /// Looks at the first bytes. Returns how many are a byte order mark, which leaves as it is.
    fn start(&mut self, bytes: &[u8], pieces: &mut dyn Pieces, is_chunk: bool) -> Result<usize, Stop> {
        self.is_started = true;
        let first = &bytes[..bytes.len().min(START_BYTES)];
        let is_wide = first.starts_with(&[0xFE, 0xFF])
            || first.starts_with(&[0xFF, 0xFE])
            || (first.contains(&0) && self.redactor.compiled.format != Format::Text);
        if is_wide {
            return Err(Stop::Error(Error::new(ErrorKind::Encoding, 0)));
        }
        if !first.starts_with(&[0xEF, 0xBB, 0xBF]) {
            return Ok(0);
        }
        let mark = &bytes[..3];
        if is_chunk {
            pieces.keep(mark)?
        } else {
            pieces.put(mark)?
        }
        self.base = 3;
        self.emitted.upto = 3;
        Ok(3)
    }

    fn start_held(&mut self, pieces: &mut dyn Pieces) -> Result<(), Stop> {
        let hold = std::mem::take(&mut self.hold);
        let mark = self.start(&hold, pieces, false);
        self.hold = hold;
        self.hold.drain(..mark?);
        Ok(())
    }

    /// Whether `bytes` may bring an open lexeme to its end.
    fn is_wanted(&self, bytes: &[u8]) -> bool {
        match self.wants {
            Wants::Any => true,
            Wants::Quote => bytes.contains(&b'"'),
            Wants::Delimiter => bytes.iter().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z')),
        }
    }

    /// Whether enough has come since the last run that got nowhere: runs over a long hold that grows byte by byte
    /// would take time by the square of its length.
    fn is_worth_a_run(&mut self, before: usize) -> bool {
        if before < self.tried_len {
            self.tried_len = 0;
        }
        self.tried_len < GROW_BYTES || self.hold.len() >= self.tried_len + self.tried_len / 8
    }

    /// An open name or number must not grow without bound.
    fn check_hold(&self) -> Result<(), Stop> {
        // String values hold their undecided end only; what is longer is a name or a number, here or in JSON
        // inside the string, where its escapes may double it at each level, and those of a form make it three
        // times as long.
        let escape_len = if self.redactor.compiled.format == Format::Form { 3 } else { 1 };
        let max = 2 * escape_len * self.redactor.compiled.limits.hold_bytes_max + GROW_BYTES;
        if self.hold.len() > max {
            return Err(Stop::Error(Error::new(ErrorKind::Hold, self.base)));
        }
        Ok(())
    }

    /// Reads `buf`, which begins at `base`. Returns from where on it must be presented again.
    fn run(
        &mut self,
        buf: &[u8],
        last: bool,
        is_chunk: bool,
        pieces: &mut dyn Pieces,
    ) -> Result<usize, Stop> {
        let redactor = self.redactor.clone();
        let compiled = &redactor.compiled;
        let (reports, reasons) = (pieces.wants_findings(), pieces.wants_reasons());
        let mut out = Out {
            pieces,
            reports,
            reasons,
            rules: &redactor.rules,
            emitted: &mut self.emitted,
            buf,
            base: self.base,
            is_chunk,
            is_form: compiled.format.is_form(),
            is_percent: compiled.format == Format::Form,
        };
        if compiled.format.is_form() {
            let (level, scratch, base) = (&mut self.level, &mut self.scratch, self.base);
            return Reader { compiled, level, scratch, out: &mut out, base }.run(buf, last);
        }
        let Level { lexer, state, inner, .. } = &mut self.level;
        state.base = self.base;
        let mut walk = Walk {
            compiled,
            nesting: 0,
            state,
            inner,
            scratch: &mut self.scratch,
            buf,
            source: Source { around: None, base: self.base },
            out: &mut out,
            settled: None,
        };
        if compiled.format == Format::Text {
            return run_text(&mut walk, last);
        }
        let result = lexer.run(compiled.arch, compiled.detectors.filter(), buf, last, &mut walk);
        walk.end_run();
        let settled = walk.settled;
        match result {
            Ok(progress) => {
                if matches!(walk.state.value, Value::None) {
                    walk.check_age(progress.need_from)?;
                }
                self.wants = progress.wants;
                let settled = settled.unwrap_or(progress.need_from);
                out.pass(self.base + settled as u64)?;
                Ok(progress.need_from)
            }
            Err(fault) => match fault.cause {
                Cause::Stop(Stop::Error(error)) => {
                    // All before the byte at fault is settled: how much has left must not show how it came.
                    out.pass(error.offset())?;
                    Err(Stop::Error(error))
                }
                Cause::Stop(stop) => Err(stop),
                Cause::Syntax(error) => {
                    if matches!(walk.state.value, Value::None) {
                        walk.check_age(fault.need_from)?;
                    }
                    let settled = settled.unwrap_or(fault.need_from);
                    out.pass(self.base + settled as u64)?;
                    let at = self.base + error.at as u64;
                    Err(Stop::Error(Error::new(ErrorKind::Syntax(error.kind), at)))
                }
            },
        }
    }
}

/// Whose redactor a stream reads by.
#[derive(Clone, Debug)]
pub(crate) enum Owner<'r> {
    Lent(&'r Redactor),
    Shared(Arc<Redactor>),
}

impl Deref for Owner<'_> {
    type Target = Redactor;

    fn deref(&self) -> &Redactor {
        match self {
            Owner::Lent(redactor) => redactor,
            Owner::Shared(redactor) => redactor,
        }
    }
}

/// Hands on pieces of input that is not the caller's chunk.
struct Held<'p>(&'p mut dyn Pieces);

impl Pieces for Held<'_> {
    fn keep(&mut self, input: &[u8]) -> Result<(), Refused> {
        self.0.put(input)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.0.put(bytes)
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Refused> {
        self.0.found(finding)
    }

    fn surrogate(&mut self, rule: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.surrogate(rule, category, value, out)
    }

    fn wants_findings(&self) -> bool {
        self.0.wants_findings()
    }

    fn wants_reasons(&self) -> bool {
        self.0.wants_reasons()
    }
}

/// Reads plain text as one long value.
fn run_text(walk: &mut Walk<'_, '_>, last: bool) -> Result<usize, Stop> {
    let (valid, fault) = match std::str::from_utf8(walk.buf) {
        Ok(_) => (walk.buf.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_some() || last),
    };
    let open = !last || fault;
    let flags = StringFlags::CANDIDATE | StringFlags::NON_ASCII;
    walk.state.value = Value::Text;
    let need = walk.read_text(&(0..valid), open, flags, true)?;
    walk.state.chars += crate::value::count(&walk.buf[..need], true);
    let settled = if open { walk.settled.unwrap_or(0) } else { valid };
    let upto = walk.source.start(settled);
    walk.out.pass(upto)?;
    if fault {
        let at = walk.source.start(valid);
        return Err(Stop::Error(Error::new(ErrorKind::Syntax(SyntaxKind::InvalidUtf8), at)));
    }
    Ok(need)
}
