//! One body read: the parts that are read by themselves, then the rest, then all together.

use crate::index::{Index, Item, Shape};
use crate::links::Links;
use crate::positions::Mark;
use crate::profile::Media;
use crate::refusal::{Reason, Refusal};
use crate::tokens::{Mode, Tally, Tokens};
use crate::weave::{self, Part};
use crate::wire::{Reader, Redacted, Wire};
use obelus::{Error, ErrorKind, PushError, Redactor, token};
use obelus_vault::Scope;
use std::fmt;

/// Which way a body goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Request,
    Answer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Request => "request",
            Side::Answer => "answer",
        })
    }
}

impl Side {
    pub(crate) fn refuse(self, reason: Reason, message: impl Into<String>) -> Refusal {
        match self {
            Side::Request => Refusal::of_request(reason, message),
            Side::Answer => Refusal::of_answer(reason, message),
        }
    }

    /// An error of the engine as a refusal.
    pub(crate) fn stopped(self, error: Error) -> Refusal {
        let reason = match error.kind() {
            ErrorKind::Hold | ErrorKind::Document | ErrorKind::Path => Reason::Limit,
            _ => Reason::Malformed,
        };
        self.refuse(reason, format!("the {self} cannot be read: {error}"))
    }

    /// A finding where nothing may be changed.
    pub(crate) fn sealed(self) -> Refusal {
        let advice = match self {
            Side::Request => "leave the block out, or begin the conversation anew",
            Side::Answer => "ask again",
        };
        self.refuse(
            Reason::Sealed,
            format!("a signed or encrypted part of the {self} holds what must not pass and cannot be changed: {advice}"),
        )
    }

    /// A text that becomes too long.
    pub(crate) fn long(self) -> Refusal {
        self.refuse(
            Reason::Limit,
            format!("the {self} becomes too long with what stands for its tokens and values"),
        )
    }

    /// Media where policy blocks them.
    pub(crate) fn media(self) -> Refusal {
        self.refuse(
            Reason::Unsupported,
            format!(
                "the {self} holds a picture, sound or file as base64, which nobody can look through: leave it out, or \
                 have the workflow's media policy set to mark"
            ),
        )
    }
}

/// Reads one body.
pub(crate) struct Reading<'w> {
    wire: &'w Wire,
    scope: &'w Scope,
    side: Side,
    tally: Tally,
    unread: Vec<&'static str>,
}

impl<'w> Reading<'w> {
    pub(crate) fn new(wire: &'w Wire, scope: &'w Scope, side: Side) -> Reading<'w> {
        Reading { wire, scope, side, tally: Tally::default(), unread: Vec::new() }
    }

    /// Reads a document of which there is an index.
    pub(crate) fn read(
        &mut self,
        reader: &Reader,
        doc: &[u8],
        index: &Index<Mark>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut parts = Vec::new();
        for item in &index.items {
            if let Some(part) = self.part(doc, index, item, None)? {
                parts.push((item.mark, part));
            }
        }
        self.join(reader, doc, parts)
    }

    /// Reads what is no part, and puts the parts in.
    pub(crate) fn join(
        &mut self,
        reader: &Reader,
        doc: &[u8],
        parts: Vec<(Mark, Part)>,
    ) -> Result<Vec<u8>, Refusal> {
        let (marks, mut parts): (Vec<Mark>, Vec<Part>) = parts.into_iter().unzip();
        let rest = weave::without(doc, &parts);
        let mode = if self.side == Side::Request { Mode::Mint } else { Mode::Open };
        let read = self.run(&reader.redactor, &rest, mode)?;
        let is_changed = *rest != *read || parts.iter().any(|part| part.with.is_some());
        for (mark, part) in marks.iter().zip(&mut parts) {
            // Probabilities repeat the text piece by piece: they say what it no longer says.
            if *mark == Mark::Logprobs && (is_changed || self.holds_any(&doc[part.span.clone()])?) {
                part.with = Some(nothing_like(&doc[part.span.clone()]).to_vec());
            }
        }
        weave::with(&self.wire.lex, doc, &parts, &rest, read).ok_or_else(|| {
            self.side.refuse(Reason::Malformed, format!("the {} cannot be put together", self.side))
        })
    }

    /// What is done with a marked value; nothing if it is read with the rest. `tool` is the name of its tool, if it is
    /// known from elsewhere.
    pub(crate) fn part(
        &mut self,
        doc: &[u8],
        index: &Index<Mark>,
        item: &Item<Mark>,
        tool: Option<&[u8]>,
    ) -> Result<Option<Part>, Refusal> {
        let value = &doc[item.span.clone()];
        let is_string = item.shape == Shape::String && value.len() > 2;
        let is_answer = self.side == Side::Answer;
        let with = match item.mark {
            Mark::Prose if is_string && is_answer => self.read_alone(value, Mode::Open)?,
            Mark::Arguments if is_answer && (is_string || is_container(item.shape)) => {
                let beside = index.beside(item.around, |mark| mark == Mark::Tool);
                let beside = beside.and_then(|item| text_of(doc, item));
                self.read_arguments(value, beside.as_deref().or(tool))?
            }
            Mark::Sealed if is_string => self.check_sealed(&self.wire.lane, value)?,
            Mark::Opaque if is_string => {
                self.note_unread("encrypted");
                self.check_sealed(&self.wire.opaque, value)?
            }
            Mark::Media if is_string && is_media(doc, index, item) => {
                if self.wire.media == Media::Block {
                    return Err(self.side.media());
                }
                // What is no base64 can be read, whatever stands there otherwise.
                if !is_base64(value) {
                    return Ok(None);
                }
                self.note_unread("media");
                None
            }
            Mark::Vector if is_string && is_base64(value) => {
                self.note_unread("embedding");
                None
            }
            Mark::Logprobs if !matches!(value, b"null" | b"[]") => None,
            _ => return Ok(None),
        };
        Ok(Some(Part { span: item.span.clone(), with }))
    }

    /// The body and what is said of it.
    pub(crate) fn conclude(self, mark: &[u8], read: Vec<u8>) -> Redacted {
        let body = if mark.is_empty() { read } else { [mark, &read].concat() };
        Redacted { body, counts: self.tally.counts(), keys: self.tally.keys(), unread: self.unread }
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Notes that something passes unread.
    pub(crate) fn note_unread(&mut self, what: &'static str) {
        if !self.unread.contains(&what) {
            self.unread.push(what);
        }
    }

    pub(crate) fn unread(&self) -> &[&'static str] {
        &self.unread
    }

    /// Has the engine read a document.
    fn run(&mut self, redactor: &Redactor, doc: &[u8], mode: Mode) -> Result<Vec<u8>, Refusal> {
        let Reading { scope, side, tally, wire, .. } = self;
        let mut links = links_of(wire, mode, doc);
        let read =
            run(redactor, doc, (scope, mode), tally, links.as_mut()).map_err(|error| side.stopped(error))?;
        if tally.is_long() { Err(side.long()) } else { Ok(read) }
    }

    /// A value read as if it were alone; nothing if it stays.
    fn read_alone(&mut self, value: &[u8], mode: Mode) -> Result<Option<Vec<u8>>, Refusal> {
        let read = self.run(&self.wire.lane, value, mode)?;
        Ok((read != value).then_some(read))
    }

    fn read_arguments(&mut self, value: &[u8], tool: Option<&[u8]>) -> Result<Option<Vec<u8>>, Refusal> {
        let kept = self.read_alone(value, Mode::Keep)?;
        let paths = tool.and_then(|tool| self.wire.restored.of(tool));
        let Some(paths) = paths else { return Ok(kept) };
        let now = kept.as_deref().unwrap_or(value);
        let restored = paths.restore(&self.wire.lex, now, (self.scope, &mut self.tally));
        if self.tally.is_long() { Err(self.side.long()) } else { Ok(restored.or(kept)) }
    }

    fn check_sealed(&mut self, redactor: &Redactor, value: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let mut tally = Tally::default();
        run(redactor, value, (self.scope, Mode::Seal), &mut tally, None)
            .map_err(|error| self.side.stopped(error))?;
        if tally.is_clean() { Ok(None) } else { Err(self.side.sealed()) }
    }

    /// Whether anything is found in a value.
    fn holds_any(&self, value: &[u8]) -> Result<bool, Refusal> {
        let mut tally = Tally::default();
        let read = run(&self.wire.lane, value, (self.scope, Mode::Open), &mut tally, None)
            .map_err(|error| self.side.stopped(error))?;
        Ok(read != value)
    }
}

/// Has the engine read a document.
pub(crate) fn run(
    redactor: &Redactor,
    doc: &[u8],
    (scope, mode): (&Scope, Mode),
    tally: &mut Tally,
    links: Option<&mut Links>,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(doc.len() + doc.len() / 16);
    let mut sink = Tokens { scope, mode, out: &mut out, tally, links };
    let mut stream = redactor.stream();
    stream.push(doc, &mut sink).and_then(|()| stream.finish(&mut sink)).map_err(|error| match error {
        PushError::Redact(error) => error,
        PushError::Sink(never) => match never {},
    })?;
    if mode == Mode::Mint {
        tally.hash_keys(doc, scope);
    }
    Ok(out)
}

/// Where tokens stand in a document, if those inside links are to stay.
fn links_of(wire: &Wire, mode: Mode, doc: &[u8]) -> Option<Links> {
    if mode != Mode::Open || wire.restore_links {
        return None;
    }
    let mut links = Links::default();
    // Without its beginning there is no token. One whose letters are written as escapes stays as it is.
    let leaves = if token::may_hold(doc) { wire.lex.leaves(doc).unwrap_or_default() } else { Vec::new() };
    for leaf in
        leaves.into_iter().filter(|leaf| doc[leaf.start] == b'"' && token::may_hold(&doc[leaf.clone()]))
    {
        links.begin(leaf.start as u64 + 1);
        links.see(&doc[leaf.start + 1..leaf.end - 1], true);
    }
    Some(links)
}

fn is_container(shape: Shape) -> bool {
    matches!(shape, Shape::Object | Shape::Array)
}

/// The text of a string.
pub(crate) fn text_of(doc: &[u8], item: &Item<Mark>) -> Option<Vec<u8>> {
    (item.shape == Shape::String).then(|| crate::escape::decode(&doc[item.span.start + 1..item.span.end - 1]))
}

/// Whether a string where media may stand holds some: not a link, and no source of plain text.
pub(crate) fn is_media(doc: &[u8], index: &Index<Mark>, item: &Item<Mark>) -> bool {
    const HEAD_BYTES: usize = 64;
    let body = match item.shape {
        Shape::String => &doc[item.span.start + 1..item.span.end - 1],
        _ => return false,
    };
    let text = crate::escape::decode(&body[..body.len().min(HEAD_BYTES)]);
    if text.is_empty() {
        return false;
    }
    let is_link = [b"http://".as_slice(), b"https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let kind = index.beside(item.around, |mark| mark == Mark::Type).and_then(|item| text_of(doc, item));
    !is_link && kind.as_deref() != Some(b"text")
}

/// Whether a string is base64, behind the beginning of a data URI or not. Digits alone are a number first.
pub(crate) fn is_base64(value: &[u8]) -> bool {
    const HEAD_BYTES_MAX: usize = 128;
    let body = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    let head = &body[..body.len().min(HEAD_BYTES_MAX)];
    let is_data = head.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"));
    let mark = memchr::memmem::find(head, b";base64,").filter(|_| is_data);
    let body = mark.map_or(body, |at| &body[at + b";base64,".len()..]);
    let is_sign =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\\');
    body.iter().all(is_sign) && body.iter().any(u8::is_ascii_alphabetic)
}

/// The empty value of the same shape.
pub(crate) fn nothing_like(value: &[u8]) -> &'static [u8] {
    if value.first() == Some(&b'[') { b"[]" } else { b"null" }
}
