//! The data of one event: pieces of lanes, parts, and the rest.

use super::{Event, State};
use crate::arguments::Restorer;
use crate::escape::decode;
use crate::index::{Index, Item, Shape};
use crate::lanes::{Form, Lane, Place};
use crate::positions::Mark;
use crate::profile::Media;
use crate::read::{Reading, Side, nothing_like, text_of};
use crate::refusal::Refusal;
use crate::shell::{Origin, Shell};
use crate::tokens::Mode;
use crate::weave::Part;
use std::sync::Arc;

/// Types of events whose pieces are text for the user, not arguments of a tool.
const PROSE: &[&[u8]] = &[
    b"response.output_text.delta",
    b"response.refusal.delta",
    b"response.reasoning_text.delta",
    b"response.reasoning_summary_text.delta",
    b"response.audio.transcript.delta",
    b"response.audio_transcript.delta",
];

/// How many tools are known by name at once.
const TOOLS_MAX: usize = 256;

/// Types of events behind which nothing of the answer comes.
const LAST: &[&[u8]] = &[
    b"message_delta",
    b"message_stop",
    b"error",
    b"response.completed",
    b"response.incomplete",
    b"response.failed",
    b"response.cancelled",
];

/// What is done with values and tokens in a lane, and whether it is looked through for keys and cards only.
fn manner(place: &Place, field: &[u8]) -> (Mode, bool) {
    match (place.form, field) {
        (Form::Message, b"signature" | b"encrypted_content" | b"data") => (Mode::Seal, true),
        // The content of a block is what a compaction left: it is signed as thinking is.
        (Form::Message, b"thinking" | b"content") => (Mode::Seal, false),
        (Form::Message, b"text") => (Mode::Open, false),
        (Form::Response, kind) if PROSE.contains(&kind) => (Mode::Open, false),
        (Form::Chat, field) if !field.ends_with(b"/arguments") && !field.ends_with(b"/input") => {
            (Mode::Open, false)
        }
        _ => (Mode::Keep, false),
    }
}

/// An event with the index of its data.
struct Data<'d> {
    doc: &'d [u8],
    index: Index<Mark>,
    /// Its type; empty if it says none.
    kind: Vec<u8>,
}

/// A piece of a lane, and where it stands among the parts.
struct Piece {
    lane: (Place, Vec<u8>),
    part: usize,
}

/// An event that carries one piece of one lane and in which nothing else was found. The next one is mostly the same but
/// for the piece: then all around it is text that was read already, and has the same structure.
pub(super) struct Usual {
    /// The data up to the piece, its quotation mark included, and from the other one on.
    before: Vec<u8>,
    behind: Vec<u8>,
    place: Place,
    field: Vec<u8>,
}

impl Usual {
    /// The piece of an event that is the same but for that. One with escapes is not looked at: its end is not known.
    fn piece<'d>(&self, doc: &'d [u8]) -> Option<&'d [u8]> {
        let piece = doc.strip_prefix(self.before.as_slice())?.strip_suffix(self.behind.as_slice())?;
        let is_plain = piece.iter().all(|byte| *byte >= b' ' && !matches!(byte, b'"' | b'\\'));
        (is_plain && std::str::from_utf8(piece).is_ok()).then_some(piece)
    }
}

/// Which lanes an event ends: those at a place, or of them those of one field.
#[derive(Eq, PartialEq)]
struct End {
    place: Place,
    field: Option<Vec<u8>>,
}

impl End {
    fn of(place: Place) -> End {
        End { place, field: None }
    }

    fn covers(&self, place: &Place, field: &[u8]) -> bool {
        self.place.covers(place) && self.field.as_deref().is_none_or(|own| own == field)
    }
}

impl Event<'_> {
    /// Reads data that is a JSON object. Appends events that must come before this one; returns the data if it
    /// changed.
    pub(super) fn read_json(
        &self,
        doc: &[u8],
        state: &mut State,
        out: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        if let Some(read) = self.read_usual(doc, state)? {
            return Ok(read);
        }
        state.usual = None;
        let reader = &self.wire.events;
        let index = Index::read(&reader.table, &self.wire.lex, doc)
            .map_err(|unreadable| Side::Answer.unreadable(unreadable))?;
        let data = Data::new(doc, index);
        data.note(self.wire.restored.is_empty(), state);
        let mut reading = Reading::new(self.wire, self.scope, Side::Answer);
        let (mut parts, mut pieces) = (Vec::new(), Vec::new());
        // No more than there are lanes.
        let mut choices: Vec<Option<u64>> = Vec::new();
        for item in &data.index.items {
            let piece = match data.place(item) {
                Some((place, field)) if item.shape == Shape::String => Some((place, field)),
                _ => None,
            };
            let part = match piece {
                Some(_) if data.kind == b"response.audio.delta" => self.audio(doc, item, &mut reading)?,
                Some((place, field)) => {
                    if manner(&place, &field).1 && !item.is_empty_string() {
                        reading.note_unread("encrypted");
                    }
                    let with = self.read_piece(&data, item, (place, &field), state)?;
                    let known = choices.iter().position(|one| *one == place.numbers[0]);
                    let spot = known.unwrap_or_else(|| {
                        choices.push(place.numbers[0]);
                        choices.len() - 1
                    });
                    state.note_spot(place, spot);
                    pieces.push(Piece { lane: (place, field), part: parts.len() });
                    Some(Part { span: item.span.clone(), with })
                }
                None if item.mark == Mark::Logprobs => data.without_logprobs(item),
                None => reading.part(doc, &data.index, item, data.tool(item, state))?,
            };
            parts.extend(part.map(|part| (item.mark, part)));
        }
        self.end_lanes(&data, &pieces, &mut parts, state, out)?;
        parts.extend(data.renumbered(state).map(|part| (Mark::Sequence, part)));
        parts.sort_by_key(|(_, part)| part.span.start);
        let usual = data.usual(&mut pieces, &parts);
        let read = reading.join(reader, doc, parts)?;
        state.usual = usual.filter(|_| reading.tally().is_empty());
        state.tally.add(reading.tally());
        for what in reading.unread() {
            if !state.unread.contains(what) {
                state.unread.push(what);
            }
        }
        state.sequence = state.sequence.map(|number| number.saturating_add(1));
        Ok((read != doc).then_some(read))
    }

    /// Reads data that is the same as that of the event before, but for the piece of the same lane. Nothing if it is
    /// another; then nothing was done. Otherwise the data if it changed.
    #[expect(clippy::option_option, reason = "the outer one says whether it was read at all")]
    fn read_usual(&self, doc: &[u8], state: &mut State) -> Result<Option<Option<Vec<u8>>>, Refusal> {
        let State { usual: Some(usual), lanes, .. } = state else { return Ok(None) };
        let Some(piece) = usual.piece(doc) else { return Ok(None) };
        let lane = lanes.iter_mut().find(|lane| lane.place == usual.place && lane.field == usual.field);
        let Some(lane) = lane else { return Ok(None) };
        let mut read = Vec::with_capacity(doc.len() + 16);
        read.extend_from_slice(&usual.before);
        lane.push(piece, self.means(), &mut read)?;
        read.extend_from_slice(&usual.behind);
        let place = usual.place;
        state.note_spot(place, 0);
        state.sequence = state.sequence.map(|number| number.saturating_add(1));
        Ok(Some((read != doc).then_some(read)))
    }

    /// Sound as base64, in pieces.
    fn audio(
        &self,
        doc: &[u8],
        item: &Item<Mark>,
        reading: &mut Reading<'_>,
    ) -> Result<Option<Part>, Refusal> {
        if self.wire.media == Media::Block || !crate::read::is_base64(&doc[item.span.clone()]) {
            return Err(Side::Answer.media());
        }
        reading.note_unread("media");
        Ok(Some(Part { span: item.span.clone(), with: None }))
    }

    /// Pushes a piece to its lane; returns what stands in its place, if that is something else.
    fn read_piece(
        &self,
        data: &Data<'_>,
        item: &Item<Mark>,
        (place, field): (Place, &[u8]),
        state: &mut State,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let piece = &data.doc[item.span.start + 1..item.span.end - 1];
        let at = state.lane(place, field, |state| self.begin(data, item, (place, field), state))?;
        let mut read = vec![b'"'];
        state.lanes[at].push(piece, self.means(), &mut read)?;
        if read.get(1..) == Some(piece) {
            return Ok(None);
        }
        read.push(b'"');
        Ok(Some(read))
    }

    /// Begins a lane.
    fn begin(
        &self,
        data: &Data<'_>,
        item: &Item<Mark>,
        (place, field): (Place, &[u8]),
        state: &State,
    ) -> Lane {
        let (mode, is_opaque) = manner(&place, field);
        let tool = match mode {
            Mode::Keep => {
                let beside = data.index.beside(item.around, |mark| mark == Mark::Tool);
                beside
                    .and_then(|item| text_of(data.doc, item))
                    .or_else(|| state.tool(&place).map(<[u8]>::to_vec))
            }
            _ => None,
        };
        let paths = tool.and_then(|tool| self.wire.restored.of(&tool).map(Arc::clone));
        let head = self.head(data);
        let item_id = data.root(Mark::ItemId).map_or(&b""[..], |item| &data.doc[item.span.clone()]);
        let origin = Origin {
            head: &head,
            kind: if self.is_tame(&data.kind) { &data.kind } else { b"" },
            item: if self.is_tame(item_id) { item_id } else { b"" },
        };
        let redactor = if is_opaque { &self.wire.opaque } else { &self.wire.lane };
        let shell = Shell::new(&place, field, origin);
        Lane::new(
            (place, field.to_vec()),
            shell,
            (redactor, mode),
            paths.map(Restorer::new),
            self.wire.restore_links,
        )
    }

    /// The members that all events of a completion repeat.
    fn head(&self, data: &Data<'_>) -> Vec<u8> {
        let mut head = Vec::new();
        for item in data.index.items.iter().filter(|item| item.mark == Mark::Head) {
            let value = &data.doc[item.span.clone()];
            if self.is_tame(value) {
                head.extend_from_slice(&data.doc[item.name.start - 1..item.name.end + 1]);
                head.push(b':');
                head.extend_from_slice(value);
                head.push(b',');
            }
        }
        head
    }

    /// Whether a value is an id, a number or the like in which nothing is found: only then is it repeated.
    fn is_tame(&self, value: &[u8]) -> bool {
        let body = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
        let may_stand = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        !body.is_empty() && body.len() <= 256 && body.iter().all(may_stand) && {
            let string = [b"\"", body, b"\""].concat();
            self.wire.opaque.redact(&string).is_ok_and(|read| read == string)
        }
    }

    /// Ends the lanes that the event ends. What they held goes into the event, if it carries a piece of theirs.
    fn end_lanes(
        &self,
        data: &Data<'_>,
        pieces: &[Piece],
        parts: &mut [(Mark, Part)],
        state: &mut State,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        // An event may say of more choices that they end than there are lanes.
        let mut ends: Vec<End> = Vec::new();
        for end in data.ends() {
            let is_meant = state.lanes.iter().any(|lane| end.covers(&lane.place, &lane.field));
            if is_meant && !ends.contains(&end) {
                ends.push(end);
            }
        }
        if ends.is_empty() {
            return Ok(());
        }
        let is_ended = |(place, field): (&Place, &[u8])| ends.iter().any(|end| end.covers(place, field));
        for piece in pieces.iter().filter(|piece| is_ended((&piece.lane.0, &piece.lane.1))) {
            let (place, field) = &piece.lane;
            let known = state.lanes.iter().position(|lane| lane.place == *place && lane.field == *field);
            let Some(lane) = known.map(|at| state.lanes.remove(at)) else { continue };
            let mut rest = Vec::new();
            state.tally.add(&lane.finish(self.means(), &mut rest)?);
            if let Some((_, part)) = parts.get_mut(piece.part)
                && !rest.is_empty()
            {
                let with = part.with.get_or_insert_with(|| data.doc[part.span.clone()].to_vec());
                with.pop();
                with.extend_from_slice(&rest);
                with.push(b'"');
            }
        }
        state.end_lanes(self.means(), |lane| is_ended((&lane.place, &lane.field)), out)
    }
}

impl<'d> Data<'d> {
    fn new(doc: &'d [u8], index: Index<Mark>) -> Data<'d> {
        let mut data = Data { doc, index, kind: Vec::new() };
        data.kind = data.root(Mark::Type).and_then(|item| text_of(doc, item)).unwrap_or_default();
        data
    }

    /// What the next event is compared with, if this one has a single part, which is the piece of a lane, and says
    /// nothing that is noted: no number, no tool, no end, and that nobody looks through the piece.
    fn usual(&self, pieces: &mut Vec<Piece>, parts: &[(Mark, Part)]) -> Option<Usual> {
        let ([(_, part)], [_]) = (parts, pieces.as_slice()) else { return None };
        let is_noted = |item: &Item<Mark>| matches!(item.mark, Mark::Sequence | Mark::Tool);
        if self.index.items.iter().any(is_noted) || !self.ends().is_empty() {
            return None;
        }
        let (place, field) =
            pieces.pop().map(|piece| piece.lane).filter(|(place, field)| !manner(place, field).1)?;
        let (before, behind) = (&self.doc[..part.span.start + 1], &self.doc[part.span.end - 1..]);
        Some(Usual { before: before.to_vec(), behind: behind.to_vec(), place, field })
    }

    /// The value with that mark among the event's own members.
    fn root(&self, mark: Mark) -> Option<&Item<Mark>> {
        self.index.beside(0, |known| known == mark)
    }

    fn number(&self, around: usize, mark: Mark) -> Option<u64> {
        let item = self.index.beside(around, |known| known == mark)?;
        std::str::from_utf8(&self.doc[item.span.clone()]).ok()?.parse().ok()
    }

    /// Notes what later events need: the number of this one, the name of a tool.
    fn note(&self, no_tools: bool, state: &mut State) {
        if let Some(number) = self.number(0, Mark::Sequence) {
            // An event that is added before this one takes its number.
            state.sequence = Some(number);
        }
        if no_tools {
            return;
        }
        for item in self.index.items.iter().filter(|item| item.mark == Mark::Tool) {
            let (Some(name), Some(place)) = (text_of(self.doc, item), self.tool_place(item)) else {
                continue;
            };
            state.tools.retain(|(known, _)| *known != place);
            if state.tools.len() < TOOLS_MAX {
                state.tools.push((place, name));
            }
        }
    }

    /// The name of the tool of which an item holds the arguments, if an earlier event said it.
    fn tool<'s>(&self, item: &Item<Mark>, state: &'s State) -> Option<&'s [u8]> {
        if item.mark != Mark::Arguments || state.tools.is_empty() {
            return None;
        }
        state.tool(&self.tool_place(item)?)
    }

    /// Of which call or block or output item something is said.
    fn tool_place(&self, item: &Item<Mark>) -> Option<Place> {
        let way = self.way(item.around);
        if way.len() >= 4 && self.is_choice(&way) {
            return Some(self.choice_place(&way));
        }
        let (form, mark) = match self.root(Mark::Output) {
            Some(_) => (Form::Response, Mark::Output),
            None => (Form::Message, Mark::Block),
        };
        Some(Place { form, numbers: [Some(self.number(0, mark)?), None, None] })
    }

    /// To which lane a piece belongs; nothing for what is none.
    fn place(&self, item: &Item<Mark>) -> Option<(Place, Vec<u8>)> {
        let name = || decode(&self.doc[item.name.clone()]);
        match item.mark {
            Mark::ChoicePiece => {
                let way = self.way(item.around);
                let field = if way.len() == 3 { b"/text".to_vec() } else { name() };
                Some((self.choice_place(&way), field))
            }
            Mark::CallPiece => {
                let (way, name) = (self.way(item.around), name());
                let around: &[u8] = match (way.len(), name.as_slice()) {
                    (7.., b"input") => b"custom",
                    (7.., _) => b"function",
                    (_, b"transcript") => b"audio",
                    _ => b"function_call",
                };
                Some((self.choice_place(&way), [around, b"/", &name].concat()))
            }
            Mark::BlockPiece => {
                let numbers = [self.number(0, Mark::Block), None, None];
                Some((Place { form: Form::Message, numbers }, name()))
            }
            Mark::ItemPiece => {
                let numbers = [Mark::Output, Mark::Content, Mark::Summary].map(|mark| self.number(0, mark));
                Some((Place { form: Form::Response, numbers }, self.kind.clone()))
            }
            _ => None,
        }
    }

    /// The containers from the outermost to that one.
    fn way(&self, container: usize) -> Vec<usize> {
        let mut way = vec![container];
        let mut at = container;
        while let Some(known) = self.index.containers.get(at)
            && known.around != at
        {
            at = known.around;
            way.push(at);
        }
        way.reverse();
        way
    }

    /// Whether a way leads into a choice of a completion.
    fn is_choice(&self, way: &[usize]) -> bool {
        way.get(2).is_some_and(|choice| self.index.beside(*choice, |mark| mark == Mark::Choice).is_some())
            || self.root(Mark::Type).is_none() && self.root(Mark::Output).is_none()
    }

    /// The choice on a way, and the tool call if it leads into one.
    fn choice_place(&self, way: &[usize]) -> Place {
        let number = |at: usize, mark: Mark| {
            let container = *way.get(at)?;
            let ordinal = self.index.containers.get(container)?.ordinal as u64;
            Some(self.number(container, mark).unwrap_or(ordinal))
        };
        // Root, choices, choice, delta, calls, call.
        let call = if way.len() >= 7 { number(5, Mark::Call) } else { None };
        Place { form: Form::Chat, numbers: [number(2, Mark::Choice), call, None] }
    }

    /// The places whose lanes the event ends.
    fn ends(&self) -> Vec<End> {
        let mut ends: Vec<End> = self
            .index
            .items
            .iter()
            .filter(|item| item.mark == Mark::Finish && item.shape == Shape::String)
            .map(|item| End::of(self.choice_place(&self.way(item.around))))
            .collect();
        let has_failed = self.root(Mark::Failed).is_some_and(|item| item.shape != Shape::Literal);
        if has_failed || LAST.contains(&self.kind.as_slice()) {
            let forms = [Form::Chat, Form::Message, Form::Response, Form::Plain];
            ends.extend(forms.map(|form| End::of(Place { form, numbers: [None; 3] })));
        } else if self.kind == b"content_block_stop" {
            ends.push(End::of(Place {
                form: Form::Message,
                numbers: [self.number(0, Mark::Block), None, None],
            }));
        } else if let Some(text) = self.kind.strip_suffix(b".done") {
            let numbers = [Mark::Output, Mark::Content, Mark::Summary].map(|mark| self.number(0, mark));
            // One that does not say where it is ends the texts of its own sort.
            let field = (numbers == [None; 3]).then(|| [text, b".delta"].concat());
            ends.push(End { place: Place { form: Form::Response, numbers }, field });
        }
        ends
    }

    /// Probabilities repeat each piece, held or not: they go.
    fn without_logprobs(&self, item: &Item<Mark>) -> Option<Part> {
        let value = &self.doc[item.span.clone()];
        let with = Some(nothing_like(value).to_vec());
        (!matches!(value, b"null" | b"[]")).then(|| Part { span: item.span.clone(), with })
    }

    /// The event's number, if events were added before it.
    fn renumbered(&self, state: &State) -> Option<Part> {
        let item = self.root(Mark::Sequence).filter(|_| state.added > 0)?;
        let number = self.number(0, Mark::Sequence)?.saturating_add(state.added);
        Some(Part { span: item.span.clone(), with: Some(number.to_string().into_bytes()) })
    }
}

impl State {
    fn tool(&self, place: &Place) -> Option<&[u8]> {
        let is_it = |known: &Place| match place.form {
            Form::Response => known.form == place.form && known.numbers[0] == place.numbers[0],
            _ => known == place,
        };
        self.tools.iter().find(|(known, _)| is_it(known)).map(|(_, name)| name.as_slice())
    }
}
