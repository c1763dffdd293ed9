//! A streamed answer: events in, events out.
//!
//! ```text
//! bytes ─► framer ─► event ─► its data ─┬─ pieces of lanes ─► their lanes ────────────────┐
//!                                       └─ the rest ─► the engine, as for a whole answer ─┴─► event
//! ```
//!
//! An event in which nothing changes leaves as it came. One that ends lanes is preceded by events with what they held,
//! unless it carries a piece of theirs itself.

mod pieces;

use crate::lanes::{Form, LANES_MAX, Lane, Means, Place};
use crate::read::Side;
use crate::refusal::{Reason, Refusal};
use crate::route::Route;
use crate::shell::Shell;
use crate::sse::{EVENT_BYTES_MAX, Field, Frame, Framer, Line};
use crate::tokens::{Mode, SeenKey, Tally};
use crate::wire::Wire;
use obelus::Category;
use obelus_vault::Scope;
use std::fmt;
use std::sync::Arc;

/// What ends a stream of OpenAI's.
const DONE: &[u8] = b"[DONE]";

/// Reads an answer that comes as server-sent events.
pub struct Events {
    wire: Arc<Wire>,
    route: Route,
    scope: Scope,
    framer: Framer,
    state: State,
    /// Why nothing more is read.
    refusal: Option<Refusal>,
}

/// What is kept from event to event.
#[derive(Default)]
struct State {
    lanes: Vec<Lane>,
    tally: Tally,
    unread: Vec<&'static str>,
    /// The tools whose arguments come, where policy names any.
    tools: Vec<(Place, Vec<u8>)>,
    /// How many numbered events were added.
    added: u64,
    /// The number of the event at hand, or of the next one, as the provider counts.
    sequence: Option<u64>,
    /// Whether events say their type in a line of its own.
    has_kinds: bool,
    /// How the last event was, if the next one may be the same but for its piece.
    usual: Option<pieces::Usual>,
}

/// What a lane held when it ended, as the body of a JSON string or as plain text, and how it leaves.
struct Remainder {
    place: Place,
    spot: usize,
    shell: Shell,
    text: Vec<u8>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("route", &self.route)
            .field("held_bytes", &self.held_bytes())
            .finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn new(wire: Arc<Wire>, route: Route, scope: Scope) -> Events {
        Events { wire, route, scope, framer: Framer::default(), state: State::default(), refusal: None }
    }

    /// Reads the next bytes; appends what may leave.
    ///
    /// # Errors
    /// As for [`Answer::finish`](crate::Answer::finish). Call [`Events::fail`] then; every further call gives the same
    /// error.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        self.framer.push(chunk);
        let result = self.read(out);
        if let Err(refusal) = &result {
            self.refusal = Some(refusal.clone());
        }
        result
    }

    /// Ends the answer as the provider ended it. An event that it did not end is dropped, as clients drop it.
    ///
    /// # Errors
    /// As for [`Events::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        self.framer = Framer::default();
        let Events { wire, scope, state, .. } = self;
        let means = Means { lex: &wire.lex, scope };
        state.end_lanes(means, |_| true, out)
    }

    /// Ends the answer early: appends what was held, as far as it may leave, and an event that tells the client why,
    /// in the provider's form.
    pub fn fail(&mut self, refusal: &Refusal, request_id: &str, out: &mut Vec<u8>) {
        let Events { wire, scope, state, .. } = self;
        let means = Means { lex: &wire.lex, scope };
        let lanes = std::mem::take(&mut state.lanes);
        // What a lane cannot settle does not leave.
        let remainders: Vec<Remainder> =
            lanes.into_iter().filter_map(|lane| state.remainder(lane, means).ok().flatten()).collect();
        state.write_remainders(&remainders, out);
        match self.route {
            Route::Messages | Route::CountTokens => {
                out.extend_from_slice(b"event: error\ndata: {\"type\":\"error\",");
                refusal.push_anthropic(request_id, out);
            }
            Route::Responses => {
                out.extend_from_slice(b"event: error\ndata: {\"type\":\"error\",\"code\":\"");
                out.extend_from_slice(refusal.code().as_bytes());
                out.extend_from_slice(b"\",");
                refusal.push_message(request_id, out);
                out.extend_from_slice(b",\"param\":null");
                if let Some(number) = self.state.next_sequence() {
                    out.extend_from_slice(format!(",\"sequence_number\":{number}").as_bytes());
                }
            }
            Route::ChatCompletions | Route::Embeddings | Route::Models => {
                out.extend_from_slice(b"data: {");
                refusal.push_open_ai(request_id, out);
            }
        }
        out.extend_from_slice(b"}\n\n");
        self.refusal = Some(refusal.clone());
    }

    /// How many bytes are held back now: text that may begin something, and the event that has not ended.
    pub fn held_bytes(&self) -> usize {
        self.framer.held_bytes() + self.state.lanes.iter().map(Lane::held_bytes).sum::<usize>()
    }

    /// How many findings of each category were replaced so far, in texts that have ended and in events.
    pub fn counts(&self) -> Vec<(Category, u64)> {
        let mut tally = self.state.tally.clone();
        self.state.lanes.iter().for_each(|lane| tally.add(lane.tally()));
        tally.counts()
    }

    /// Keys of Stripe's and of model providers that were among them so far.
    pub fn keys(&self) -> Vec<SeenKey> {
        let mut tally = self.state.tally.clone();
        self.state.lanes.iter().for_each(|lane| tally.add(lane.tally()));
        tally.keys()
    }

    /// What passed unread so far, and why: `media`, `encrypted`.
    pub fn unread(&self) -> &[&'static str] {
        &self.state.unread
    }

    fn read(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let Events { wire, scope, framer, state, .. } = self;
        loop {
            let frame = framer.next().map_err(|_too_long| {
                let message = format!("an event of the answer is longer than {EVENT_BYTES_MAX} bytes");
                Refusal::of_answer(Reason::Limit, message)
            })?;
            match frame {
                None => return Ok(()),
                Some(Frame::Blank) => out.extend_from_slice(framer.bytes()),
                Some(Frame::Comment | Frame::Event) => {
                    let event = Event { wire, scope, bytes: framer.bytes(), lines: framer.lines() };
                    event.read(state, out)?;
                }
            }
        }
    }
}

impl State {
    /// Ends the lanes that are meant; appends events with what they held.
    fn end_lanes(
        &mut self,
        means: Means<'_>,
        is_meant: impl Fn(&Lane) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (ended, lanes) = std::mem::take(&mut self.lanes).into_iter().partition(is_meant);
        self.lanes = lanes;
        let mut remainders = Vec::new();
        for lane in ended {
            remainders.extend(self.remainder(lane, means)?);
        }
        self.write_remainders(&remainders, out);
        Ok(())
    }

    /// Ends a lane; what it held, if it held anything.
    fn remainder(&mut self, lane: Lane, means: Means<'_>) -> Result<Option<Remainder>, Refusal> {
        let (place, spot, shell) = (lane.place, lane.spot, lane.shell.clone());
        let mut text = Vec::new();
        self.tally.add(&lane.finish(means, &mut text)?);
        Ok((!text.is_empty()).then_some(Remainder { place, spot, shell, text }))
    }

    /// Notes where the choice of a lane stands in its event.
    fn note_spot(&mut self, place: Place, spot: usize) {
        self.lanes.iter_mut().filter(|lane| lane.place == place).for_each(|lane| lane.spot = spot);
    }

    /// Appends events with what lanes held; choices that end together share one.
    fn write_remainders(&mut self, remainders: &[Remainder], out: &mut Vec<u8>) {
        let mut rest = remainders;
        while let [first, ..] = rest {
            // Choices that stood in one event, where they stood.
            let is_next = |(at, next): &(usize, &Remainder)| {
                first.spot == 0 && next.spot == *at && first.shell.joins(&next.shell)
            };
            let joined = 1 + rest.iter().enumerate().skip(1).take_while(is_next).count();
            let (these, others) = rest.split_at(joined);
            rest = others;
            if first.place.form == Form::Chat {
                let choices: Vec<(&Shell, &[u8])> =
                    these.iter().map(|one| (&one.shell, one.text.as_slice())).collect();
                Shell::write_choices(&choices, out);
                continue;
            }
            let sequence = if first.place.form == Form::Response { self.next_sequence() } else { None };
            self.added += u64::from(sequence.is_some());
            first.shell.write(first.place.form, &first.text, self.has_kinds, sequence, out);
        }
    }

    /// The number of an event that is added, if events have one.
    fn next_sequence(&self) -> Option<u64> {
        self.sequence.map(|sequence| sequence.saturating_add(self.added))
    }

    /// The place in `lanes` of the lane, which begins if it is new.
    fn lane(
        &mut self,
        place: Place,
        field: &[u8],
        begin: impl FnOnce(&State) -> Lane,
    ) -> Result<usize, Refusal> {
        if let Some(at) = self.lanes.iter().position(|lane| lane.place == place && lane.field == field) {
            return Ok(at);
        }
        if self.lanes.len() == LANES_MAX {
            let message =
                format!("the answer has more than {LANES_MAX} texts open at once: ask for fewer choices");
            return Err(Refusal::of_answer(Reason::Limit, message));
        }
        let lane = begin(self);
        self.lanes.push(lane);
        Ok(self.lanes.len() - 1)
    }
}

/// One event, or a comment.
struct Event<'e> {
    wire: &'e Wire,
    scope: &'e Scope,
    bytes: &'e [u8],
    lines: &'e [Line],
}

impl Event<'_> {
    fn means(&self) -> Means<'_> {
        Means { lex: &self.wire.lex, scope: self.scope }
    }

    /// Reads the event; appends it, and what must come before it.
    fn read(&self, state: &mut State, out: &mut Vec<u8>) -> Result<(), Refusal> {
        state.has_kinds |= self.lines.iter().any(|line| line.field == Field::Event);
        let Some(data) = self.data() else { return self.write(None, state, out) };
        let lead = data.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        match lead {
            None => self.write(None, state, out),
            Some(b'{') => {
                let read = self.read_json(&data, state, out)?;
                self.write(read.as_deref(), state, out)
            }
            _ if data.trim_ascii() == DONE => {
                state.end_lanes(self.means(), |_| true, out)?;
                self.write(None, state, out)
            }
            Some(b'[' | b'"') => {
                let message = "an event of the answer is no JSON object, and no text either";
                Err(Refusal::of_answer(Reason::Malformed, message))
            }
            Some(_) => {
                let read = self.read_plain(&data, state)?;
                if read.is_empty() { Ok(()) } else { self.write(Some(&read), state, out) }
            }
        }
    }

    /// What the event says: its lines of data, with line feeds between.
    fn data(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        let mut lines = self.lines.iter().filter(|line| line.field == Field::Data);
        let first = &self.bytes[lines.next()?.value.clone()];
        let mut data = std::borrow::Cow::Borrowed(first);
        for line in lines {
            let data = data.to_mut();
            data.push(b'\n');
            data.extend_from_slice(&self.bytes[line.value.clone()]);
        }
        Some(data)
    }

    /// Text that is no JSON: one lane for all of it.
    fn read_plain(&self, data: &[u8], state: &mut State) -> Result<Vec<u8>, Refusal> {
        let place = Place { form: Form::Plain, numbers: [None; 3] };
        let at = state.lane(place, b"", |_| {
            Lane::new(
                (place, Vec::new()),
                Shell::default(),
                (&self.wire.text, Mode::Open),
                None,
                self.wire.restore_links,
            )
        })?;
        let mut read = Vec::with_capacity(data.len());
        state.lanes[at].push(data, self.means(), &mut read)?;
        Ok(read)
    }

    /// Appends the event with `data`, or as it came. Lines that are no data are looked through.
    fn write(&self, data: Option<&[u8]>, state: &mut State, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut data = data;
        let is_new = data.is_some();
        for line in self.lines {
            let all = &self.bytes[line.all.clone()];
            let end = &self.bytes[line.text.end..line.all.end];
            match (line.field, data) {
                (Field::Data, Some(text)) => {
                    for piece in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
                        out.extend_from_slice(b"data: ");
                        out.extend_from_slice(piece);
                        out.extend_from_slice(end);
                    }
                    data = None;
                }
                (Field::Data, None) if is_new => {}
                (Field::Data | Field::Empty, _) => out.extend_from_slice(all),
                (Field::Event | Field::Other | Field::Comment, _) => {
                    let text = &self.bytes[line.text.clone()];
                    // The name of any other field may be anything, and so may a line without a colon.
                    if line.field != Field::Other && is_plain_word(&self.bytes[line.value.clone()]) {
                        out.extend_from_slice(text);
                    } else {
                        let keep = (self.scope, Mode::Keep);
                        let read = crate::read::run(&self.wire.text, text, keep, &mut state.tally, None);
                        out.extend_from_slice(&read.map_err(|error| Side::Answer.stopped(error))?);
                    }
                    out.extend_from_slice(end);
                }
            }
        }
        Ok(())
    }
}

/// Whether a text is a word such as types of events are: nothing can be found in it.
fn is_plain_word(text: &[u8]) -> bool {
    text.len() < 64 && text.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'))
}
