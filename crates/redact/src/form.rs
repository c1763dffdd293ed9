//! Forms: parts of `multipart/form-data` (see `multipart.rs`), and `application/x-www-form-urlencoded` bodies and query strings, one a line.
//!
//! ```text
//! card%5Bnumber%5D = 4242+4242+… & metadata[note] = …
//!   └ name: decoded, split at    └ value: decoded, read by the same code as a JSON string
//!     its brackets, looked up
//! ```
//!
//! A pair stands where its name says: `card[number]` is the member `number` of the member `card`. Values are
//! judged, replaced, read by the detectors, read as JSON and made to wait by the code for JSON strings (see
//! `value.rs`); what differs is the text, which has percent signs for escapes, and the objects, which do not close
//! before the form ends (see `objects.rs`).
//!
//! A name is held until it is whole, a value until it is whole or long, as in JSON. Ages are counted in bytes of
//! decoded text, which do not depend on cuts.

mod multipart;
mod name;
mod objects;
mod percent;

use crate::error::{Error, ErrorKind};
use crate::finding::Span;
use crate::level::{Level, Scratch, Source, Value};
use crate::out::Out;
use crate::redactor::{Compiled, Format};
use crate::rules::RuleIx;
use crate::value::{WHOLE_BYTES_MAX, count};
use crate::walk::{Stop, Walk};
use name::Segment;
use obelus_detect::{Carry, Piece};
use obelus_fields::Verdict;
use obelus_json::map::OffsetMap;
use obelus_json::{StringFlags, SyntaxKind};
use std::ops::Range;

pub(crate) use objects::Objects;
pub(crate) use percent::encode;

/// How much of a value is decoded at once.
const PART_BYTES: usize = 64 << 10;

/// How many times the limit of one pointer all ways of a form may take that must be remembered.
const WAYS_FACTOR: usize = 16;

/// What a form keeps between runs.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) objects: Objects,
    /// Whether the current pair's value has begun.
    in_value: bool,
    /// Whether the line has had a pair.
    has_pairs: bool,
    segments: Vec<Segment>,
    /// Where the reader of a multipart body stands.
    parts: multipart::Parts,
}

/// One run over one buffer.
pub(crate) struct Reader<'w, 'o> {
    pub(crate) compiled: &'w Compiled,
    pub(crate) level: &'w mut Level,
    pub(crate) scratch: &'w mut Scratch,
    pub(crate) out: &'w mut Out<'o>,
    /// Where the buffer begins in the stream.
    pub(crate) base: u64,
}

/// How far a run got.
struct Progress {
    /// From where on the buffer must be presented again.
    need: usize,
    /// Before what everything is settled.
    settled: usize,
}

impl Reader<'_, '_> {
    /// Reads `buf`. Returns from where on it must be presented again.
    pub(crate) fn run(&mut self, buf: &[u8], last: bool) -> Result<usize, Stop> {
        let (valid, fault) = match std::str::from_utf8(buf) {
            Ok(_) => (buf.len(), false),
            Err(error) => (error.valid_up_to(), error.error_len().is_some() || last),
        };
        let (text, last) = (&buf[..valid], last && !fault);
        let read = if self.is_multipart() { self.parts(text, last) } else { self.pairs(text, last) };
        match read {
            Ok(progress) => {
                self.out.pass(self.base + progress.settled as u64)?;
                if fault {
                    let at = self.base + valid as u64;
                    return Err(Stop::Error(Error::new(ErrorKind::Syntax(SyntaxKind::InvalidUtf8), at)));
                }
                Ok(progress.need)
            }
            Err(Stop::Error(error)) => {
                // All before the byte at fault is settled: how much has left must not show how it came.
                self.out.pass(error.offset())?;
                Err(Stop::Error(error))
            }
            Err(stop) => Err(stop),
        }
    }

    fn pairs(&mut self, buf: &[u8], last: bool) -> Result<Progress, Stop> {
        let mut at = 0;
        loop {
            if self.form().in_value {
                let len = buf[at..].iter().position(|&byte| is_end(byte));
                let end = len.map_or(buf.len(), |len| at + len);
                if let Some(progress) = self.value(buf, at..end, len.is_none() && !last)? {
                    return Ok(progress);
                }
                self.form().in_value = false;
                at = end;
            } else {
                let len = buf[at..].iter().position(|&byte| byte == b'=' || is_end(byte));
                let end = len.map_or(buf.len(), |len| at + len);
                self.check_name(at..end)?;
                if len.is_none() && !last {
                    return Ok(Progress { need: at, settled: at });
                }
                let has_value = buf.get(end) == Some(&b'=');
                if has_value || end > at {
                    self.name(buf, at..end)?;
                    self.form().has_pairs = true;
                }
                self.form().in_value = has_value;
                at = end;
            }
            match buf.get(at) {
                None => break,
                Some(b'\n' | b'\r') => self.end_line()?,
                Some(_) => {}
            }
            self.level.state.base += 1;
            at += 1;
        }
        self.end_line()?;
        Ok(Progress { need: at, settled: at })
    }

    /// What is due before a name that is here as far as `body`.
    fn check_name(&mut self, body: Range<usize>) -> Result<(), Stop> {
        let stream_at = self.base + body.start as u64;
        self.walk(&[], &OffsetMap::default(), 0, |walk| walk.check_age(0))?;
        if body.len() > self.compiled.limits.hold_bytes_max {
            return Err(Stop::Error(Error::new(ErrorKind::Hold, stream_at)));
        }
        Ok(())
    }

    /// Reads a whole name.
    fn name(&mut self, buf: &[u8], raw: Range<usize>) -> Result<(), Stop> {
        // A question mark before the first name begins a query string.
        let is_query = !self.form().has_pairs && buf.get(raw.start) == Some(&b'?');
        self.name_at(buf, raw.start + usize::from(is_query)..raw.end, raw.start)?;
        self.restore_pointer();
        Ok(())
    }

    /// Reads the name at `raw`; `at` is what an error points at.
    fn name_at(&mut self, buf: &[u8], raw: Range<usize>, at: usize) -> Result<(), Stop> {
        let begin = raw.start;
        let source = &buf[raw];
        let limits = self.compiled.limits;
        let text = self.decoded(source, false);
        let len = text.0.len() as u64;
        self.walk(&text.0, &text.1, begin, |walk| walk.pair_name())?;
        self.give_back(text);
        self.level.state.base += len;
        let Form { objects, .. } = self.form();
        let is_long = objects.pointer().len() > limits.path_bytes_max
            || objects.bytes() > limits.path_bytes_max.saturating_mul(WAYS_FACTOR);
        if is_long {
            return Err(Stop::Error(Error::new(ErrorKind::Path, self.base + at as u64)));
        }
        Ok(())
    }

    /// What is reported next stands where the last name says.
    fn restore_pointer(&mut self) {
        let Level { state, .. } = &mut *self.level;
        if let Some(form) = &state.form {
            state.frames.reset(form.objects.pointer());
        }
    }

    fn is_multipart(&self) -> bool {
        self.compiled.format == Format::Multipart
    }

    /// Reads a value, or a part of it. Returns how far that got if the value goes on behind the buffer.
    fn value(&mut self, buf: &[u8], raw: Range<usize>, open: bool) -> Result<Option<Progress>, Stop> {
        let (mut at, mut part_bytes) = (raw.start, PART_BYTES);
        loop {
            let end = part_end(buf, at, raw.end.min(at.saturating_add(part_bytes)));
            let is_open = open || end < raw.end;
            let text = self.decoded(&buf[at..end], is_open);
            let len = text.0.len();
            let (need, settled) = self.walk(&text.0, &text.1, at, |walk| {
                let need = walk.pair_value(len, is_open)?;
                Ok((need, walk.settled.unwrap_or(need)))
            })?;
            let progress = Progress { need: at + text.1.start(need), settled: at + text.1.end(settled) };
            self.give_back(text);
            self.level.state.base += need as u64;
            if !is_open {
                return Ok(None);
            }
            if end == raw.end {
                return Ok(Some(progress));
            }
            // A name in JSON inside the value may be longer than a part.
            part_bytes = if progress.need > at { PART_BYTES } else { part_bytes.saturating_mul(2) };
            at = progress.need;
        }
    }

    /// The line ends, and with it the form.
    fn end_line(&mut self) -> Result<(), Stop> {
        if !self.form().has_pairs {
            return Ok(());
        }
        self.walk(&[], &OffsetMap::default(), 0, |walk| walk.settle_all())?;
        let form = self.form();
        form.has_pairs = false;
        form.objects.clear();
        self.out.emitted.doc += 1;
        Ok(())
    }

    fn form(&mut self) -> &mut Form {
        self.level.state.form.get_or_insert_default()
    }

    /// The text of `source` with the way back.
    fn decoded(&mut self, source: &[u8], open: bool) -> (Vec<u8>, OffsetMap) {
        let mut text = std::mem::take(&mut self.level.text);
        let mut map = std::mem::take(&mut self.level.map);
        text.clear();
        map.clear();
        if self.is_multipart() {
            text.extend_from_slice(source);
        } else {
            percent::decode(source, open, &mut text, &mut map);
        }
        (text, map)
    }

    /// Keeps the memory of a text for the next one.
    fn give_back(&mut self, (text, map): (Vec<u8>, OffsetMap)) {
        self.level.text = text;
        self.level.map = map;
    }

    /// Does something with a text that was decoded from what begins at `at` in the buffer.
    fn walk<T>(
        &mut self,
        text: &[u8],
        map: &OffsetMap,
        at: usize,
        act: impl FnOnce(&mut Walk<'_, '_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let around = Source { around: None, base: self.base };
        let Level { state, inner, .. } = &mut *self.level;
        act(&mut Walk {
            compiled: self.compiled,
            nesting: 0,
            state,
            inner,
            scratch: self.scratch,
            buf: text,
            source: Source { around: Some((&around, map)), base: at as u64 },
            out: self.out,
            settled: None,
        })
    }
}

impl Walk<'_, '_> {
    /// Reads the name of a pair, which is all of the buffer.
    fn pair_name(&mut self) -> Result<(), Stop> {
        // First what is due before the name can be evidence.
        self.check_age(self.buf.len())?;
        let Some(mut form) = self.state.form.take() else { return Ok(()) };
        form.objects.begin_name();
        name::split(self.buf, &mut form.segments);
        let segments = std::mem::take(&mut form.segments);
        self.state.form = Some(form);
        let result = segments.iter().try_for_each(|segment| self.segment(segment));
        if let Some(form) = &mut self.state.form {
            form.segments = segments;
        }
        result
    }

    /// Goes one step further on the way that a name describes.
    fn segment(&mut self, segment: &Segment) -> Result<(), Stop> {
        let (buf, compiled) = (self.buf, self.compiled);
        let Some(form) = &mut self.state.form else { return Ok(()) };
        let range = match segment {
            Segment::Index(range) | Segment::Append(range) => {
                form.objects.element(&buf[range.clone()], &compiled.fields);
                return Ok(());
            }
            Segment::Member(range) => range,
        };
        let text = &buf[range.clone()];
        let name = compiled.fields.name(text);
        let awaited = form.objects.member(name, text, &compiled.fields);
        // A name that a rule spells out holds nothing.
        if name.is_none()
            && self.scratch.shown.may_match(text)
            && let Some(rule) = self.first_match(text)
        {
            self.replace_segment(rule, range)?;
        }
        if let Some(object) = awaited {
            self.settle_frame(object, false)?;
        }
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    /// What is found in a segment of a name.
    fn first_match(&mut self, text: &[u8]) -> Option<RuleIx> {
        let Scratch { view, matches, shown, .. } = &mut *self.scratch;
        view.read(text, any(), true);
        matches.clear();
        let piece = Piece { text: view.text(text), carried: shown.known(), ..Piece::default() };
        self.compiled.detectors.scan(self.compiled.arch, piece, &mut Carry::default(), matches);
        matches.first().map(|found| found.rule)
    }

    /// Replaces a whole segment of a name: what stands beside a label in brackets would make a way of it.
    fn replace_segment(&mut self, rule: RuleIx, range: &Range<usize>) -> Result<(), Stop> {
        let Some(form) = &mut self.state.form else { return Ok(()) };
        let label = form.objects.relabel(self.out.rules.get(rule).category.label());
        let is_bare = range.start > 0 && self.buf[range.start - 1] == b']';
        let shown = if is_bare { format!("[{label}]") } else { label };
        self.state.frames.reset(form.objects.pointer());
        let span = self.raw(range);
        self.out.replace(span, shown.as_bytes())?;
        let start = count(&self.buf[..range.start], true);
        let chars = Span { start, end: start + count(&self.buf[range.clone()], true) };
        self.report_match(rule, (span, chars), false)
    }

    /// Reads the value of a pair, or the part of it that is the buffer's first `len` bytes. Returns from where on it
    /// must be presented again.
    fn pair_value(&mut self, len: usize, open: bool) -> Result<usize, Stop> {
        let body = 0..len;
        if matches!(self.state.value, Value::None) {
            // Before the value can be evidence: a run that ended here would have done it.
            self.check_age(0)?;
            if open && len < WHOLE_BYTES_MAX {
                self.settled = Some(0);
                return Ok(0);
            }
            if !open && let Some(form) = &mut self.state.form {
                form.objects.echo(self.buf, &self.compiled.fields);
            }
            let verdict = self.judge_pair();
            // What goes tells nothing: a second pass could not ask it.
            if !open && len < WHOLE_BYTES_MAX && !matches!(verdict, Verdict::Redact(_)) {
                let fields = &self.compiled.fields;
                let form = self.state.form.as_mut();
                if let Some(object) = form.and_then(|form| form.objects.note(self.buf, fields)) {
                    self.settle_frame(object, false)?;
                }
            }
            if verdict == Verdict::Scan && !open && !self.scratch.shown.may_match(self.buf) {
                self.check_age(len)?;
                self.scratch.shown.end_lexeme(self.nesting);
                return Ok(len);
            }
            self.begin_string(&body, open, any(), verdict)?;
        }
        let need = self.go_on(body, open, any())?;
        if !open {
            self.scratch.shown.end_lexeme(self.nesting);
        }
        Ok(need)
    }

    fn judge_pair(&self) -> Verdict {
        let Some(form) = &self.state.form else { return Verdict::Scan };
        let (object, name, subtree) = form.objects.spot();
        let mut place = form.objects.place(object, false);
        place.subtree = subtree;
        self.compiled.judge(name, &place)
    }
}

/// Whether a byte ends a pair.
fn is_end(byte: u8) -> bool {
    matches!(byte, b'&' | b'\n' | b'\r')
}

/// `end`, or where the character around it begins; behind it if nothing would be left.
fn part_end(buf: &[u8], at: usize, end: usize) -> usize {
    let is_inside = |pos: usize| buf.get(pos).is_some_and(|byte| byte & 0xC0 == 0x80);
    let mut pos = end;
    while pos > at && is_inside(pos) {
        pos -= 1;
    }
    pos
}

/// What any text may hold.
fn any() -> StringFlags {
    StringFlags::CANDIDATE | StringFlags::NON_ASCII
}
