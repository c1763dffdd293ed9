//! Lanes: the texts of a streamed answer, each read by a stream of its own, in the pieces in which they come.
//!
//! A lane is one JSON string: its pieces are pushed as they stand in the events, escapes and all, between quotation
//! marks that are not sent on. What the engine settles is again the body of a JSON string, and takes the place of the
//! piece that settled it.

use crate::arguments::Restorer;
use crate::escape::{decode, escape};
use crate::lex::Lex;
use crate::links::Links;
use crate::read::Side;
use crate::refusal::Refusal;
use crate::shell::Shell;
use crate::tokens::{Mode, Tally, Tokens};
use obelus::{PushError, Redactor, Stream};
use obelus_vault::Scope;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

/// How many lanes may be open at once.
pub(crate) const LANES_MAX: usize = 64;

/// Whose form an event has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// Chunks of chat completions: choice, tool call.
    Chat,
    /// Messages: content block.
    Message,
    /// Responses: output item, content part, part of the summary.
    Response,
    /// Data that is no JSON.
    Plain,
}

/// Which text of an answer, but for the field: the numbers by which the events of its form name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) form: Form,
    pub(crate) numbers: [Option<u64>; 3],
}

impl Place {
    /// Whether `lane` is at this place or below it: what is not said is any.
    pub(crate) fn covers(&self, lane: &Place) -> bool {
        let pairs = self.numbers.iter().zip(&lane.numbers);
        self.form == lane.form && pairs.into_iter().all(|(own, other)| own.is_none() || own == other)
    }
}

/// One text of an answer.
pub(crate) struct Lane {
    pub(crate) place: Place,
    /// Which of the texts there.
    pub(crate) field: Vec<u8>,
    /// Behind how many other choices its choice stood in the last event.
    pub(crate) spot: usize,
    /// How an event looks that carries nothing but this text.
    pub(crate) shell: Shell,
    mode: Mode,
    stream: Stream<'static>,
    /// Whether the text is the body of a JSON string.
    is_json: bool,
    /// Whether nothing was pushed yet.
    is_new: bool,
    /// Whether the quotation mark at its beginning has come out.
    is_marked: bool,
    restorer: Option<Restorer>,
    /// Where tokens stand in it, if those inside links are to stay.
    links: Option<Links>,
    /// What was found in it.
    tally: Tally,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("place", &self.place).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What every lane needs to read.
#[derive(Clone, Copy)]
pub(crate) struct Means<'m> {
    pub(crate) lex: &'m Lex,
    pub(crate) scope: &'m Scope,
}

impl Lane {
    /// Begins a text.
    pub(crate) fn new(
        (place, field): (Place, Vec<u8>),
        shell: Shell,
        (redactor, mode): (&Arc<Redactor>, Mode),
        restorer: Option<Restorer>,
        restore_links: bool,
    ) -> Lane {
        let links = (mode == Mode::Open && !restore_links).then(Links::default);
        let is_json = place.form != Form::Plain;
        let stream = redactor.shared_stream();
        let tally = Tally::default();
        Lane {
            place,
            spot: 0,
            field,
            shell,
            mode,
            stream,
            is_json,
            is_new: true,
            is_marked: !is_json,
            restorer,
            links,
            tally,
        }
    }

    /// What was found in it so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many bytes wait.
    pub(crate) fn held_bytes(&self) -> usize {
        self.stream.held_bytes() + self.restorer.as_ref().map_or(0, Restorer::held_bytes)
    }

    /// Reads the next piece, as it stands in its event; appends what is settled.
    pub(crate) fn push(&mut self, piece: &[u8], means: Means<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut settled = Vec::with_capacity(piece.len() + 16);
        let mark: &[u8] = if std::mem::take(&mut self.is_new) && self.is_json { MARK } else { b"" };
        if let Some(links) = &mut self.links {
            if !mark.is_empty() {
                links.begin(mark.len() as u64);
            }
            links.see(piece, self.is_json);
        }
        let Lane { stream, tally, mode, links, .. } = self;
        let links = links.as_mut();
        let mut sink = Tokens { scope: means.scope, mode: *mode, out: &mut settled, tally, links };
        let result = stream.push(mark, &mut sink).and_then(|()| stream.push(piece, &mut sink));
        result.map_err(stopped)?;
        check(self.mode, &self.tally)?;
        if !self.is_marked && !settled.is_empty() {
            settled.drain(..MARK.len());
            self.is_marked = true;
        }
        let Lane { restorer, tally, .. } = self;
        let_out(restorer.as_mut(), &settled, false, (means, tally), out);
        check(self.mode, &self.tally)
    }

    /// Ends the text; appends what was held. Says what was found in all of it.
    pub(crate) fn finish(mut self, means: Means<'_>, out: &mut Vec<u8>) -> Result<Tally, Refusal> {
        if self.is_new {
            return Ok(self.tally);
        }
        let mut settled = Vec::new();
        let mark: &[u8] = if self.is_json { MARK } else { b"" };
        let mut sink = Tokens {
            scope: means.scope,
            mode: self.mode,
            out: &mut settled,
            tally: &mut self.tally,
            links: self.links.as_mut(),
        };
        let mut stream = self.stream;
        let result = stream.push(mark, &mut sink).and_then(|()| stream.finish(&mut sink));
        result.map_err(stopped)?;
        check(self.mode, &self.tally)?;
        settled.truncate(settled.len().saturating_sub(mark.len()));
        if !self.is_marked {
            settled.drain(..MARK.len().min(settled.len()));
        }
        let_out(self.restorer.as_mut(), &settled, true, (means, &mut self.tally), out);
        check(self.mode, &self.tally)?;
        Ok(self.tally)
    }
}

/// Whether what was read may leave.
fn check(mode: Mode, tally: &Tally) -> Result<(), Refusal> {
    if mode == Mode::Seal && !tally.is_clean() {
        Err(Side::Answer.sealed())
    } else if tally.is_long() {
        Err(Side::Answer.long())
    } else {
        Ok(())
    }
}

/// What begins and ends a JSON string.
const MARK: &[u8] = b"\"";

/// Appends what is settled, with values in it where policy names them.
fn let_out(
    restorer: Option<&mut Restorer>,
    settled: &[u8],
    last: bool,
    (means, tally): (Means<'_>, &mut Tally),
    out: &mut Vec<u8>,
) {
    let Some(restorer) = restorer else { return out.extend_from_slice(settled) };
    let (text, mut restored) = (decode(settled), Vec::new());
    let held_before = restorer.held_bytes();
    restorer.push(means.lex, &text, last, (means.scope, tally), &mut restored);
    if held_before == 0 && restored == text {
        // As it was written.
        out.extend_from_slice(settled);
    } else {
        escape(&restored, out);
    }
}

fn stopped(error: PushError<Infallible>) -> Refusal {
    match error {
        PushError::Redact(error) => Side::Answer.stopped(error),
        PushError::Sink(never) => match never {},
    }
}
