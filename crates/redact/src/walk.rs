//! The engine: what is done with each lexeme of one level.
//!
//! Structure, names and scalars are here; string values in `value.rs`, values that wait in `defer.rs`.

use crate::error::{Error, ErrorKind};
use crate::finding::Span;
use crate::level::{Level, Scratch, Source, State, Value};
use crate::out::{Out, Refused};
use crate::positions::{Reading, Spot};
use crate::redactor::Compiled;
use crate::rules::RuleIx;
use crate::surrogate;
use crate::value::decoded;
use obelus_detect::{Carry, Piece};
use obelus_fields::{Name, ObjectType, Place, Reason, Subtree, Verdict};
use obelus_json::filter::Extra;
use obelus_json::string::unescape;
use obelus_json::{Arch, Bracket, Hits, Part, Scalar, StringFlags, Visitor};
use std::ops::Range;

/// Why a run stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The sink refused.
    Refused,
    /// A limit.
    Error(Error),
}

impl From<Refused> for Stop {
    fn from(_: Refused) -> Stop {
        Stop::Refused
    }
}

/// One run over one level's buffer.
pub(crate) struct Walk<'w, 'o> {
    pub(crate) compiled: &'w Compiled,
    /// How many strings the level is inside of.
    pub(crate) nesting: usize,
    pub(crate) state: &'w mut State,
    pub(crate) inner: &'w mut Option<Box<Level>>,
    pub(crate) scratch: &'w mut Scratch,
    pub(crate) buf: &'w [u8],
    pub(crate) source: Source<'w>,
    pub(crate) out: &'w mut Out<'o>,
    /// If the buffer ends inside a string value: the offset before which everything is settled.
    pub(crate) settled: Option<usize>,
}

impl Walk<'_, '_> {
    /// Takes from the buffer, which goes away, what the next run needs.
    pub(crate) fn end_run(&mut self) {
        if self.state.member_body.is_some() {
            self.set_leaf();
            self.state.member_body = None;
        }
    }

    /// What the rules over names say of the current value.
    #[inline]
    pub(crate) fn judge(&self) -> Verdict {
        let frames = &self.state.frames;
        let Some(top) = frames.top() else { return Verdict::Scan };
        if self.spot().reading != Reading::Whole {
            return Verdict::Scan;
        }
        let name = if top.is_array { top.name } else { self.state.member };
        if name.is_none() && top.subtree.is_none() {
            return Verdict::Scan;
        }
        if let Some(verdict) = self.compiled.judge_anywhere(name, top.subtree) {
            return verdict;
        }
        let place = Place { subtree: top.subtree, ..frames.place(top.object, false) };
        self.compiled.judge(name, &place)
    }

    /// How the current value is read.
    #[inline]
    pub(crate) fn spot(&self) -> Spot {
        match self.state.frames.top() {
            None => self.state.frames.spot(),
            Some(top) if top.is_array => self.compiled.positions.element(top.spot),
            Some(_) => self.state.member_spot,
        }
    }

    /// Ends the pointer with the current member's name or the element's index.
    pub(crate) fn set_leaf(&mut self) {
        if self.state.frames.has_leaf() {
            return;
        }
        let (body, escaped) = self.state.member_body.clone().unwrap_or((0..0, false));
        let name = &self.buf[body];
        if escaped {
            let Scratch { name: text, name_map: map, .. } = &mut *self.scratch;
            decode(self.compiled.arch, name, text, map);
            self.state.frames.set_leaf(text);
        } else {
            self.state.frames.set_leaf(name);
        }
    }

    /// Reports a finding at the current value.
    #[inline]
    pub(crate) fn found(&mut self, rule: RuleIx, span: Span, chars: Span) -> Result<(), Stop> {
        if !self.out.reports {
            return Ok(());
        }
        self.report(rule, (span, chars), false)
    }

    /// Reports a finding of the detectors or of what the document has shown, replaced or allowed.
    #[inline]
    pub(crate) fn report_match(
        &mut self,
        rule: RuleIx,
        spans: (Span, Span),
        allowed: bool,
    ) -> Result<(), Stop> {
        if !self.out.reports {
            return Ok(());
        }
        let is_carried = self.out.rules.class(rule, &self.compiled.fields).is_some();
        self.report_for(rule, spans, (allowed, is_carried.then_some(Reason::ELSEWHERE)))
    }

    /// Reports a finding that was replaced or allowed.
    pub(crate) fn report(&mut self, rule: RuleIx, spans: (Span, Span), allowed: bool) -> Result<(), Stop> {
        let reason = if self.out.reasons { self.reason(rule) } else { None };
        self.report_for(rule, spans, (allowed, reason))
    }

    fn report_for(
        &mut self,
        rule: RuleIx,
        spans: (Span, Span),
        (allowed, reason): (bool, Option<Reason>),
    ) -> Result<(), Stop> {
        if !self.out.reports {
            return Ok(());
        }
        self.set_leaf();
        let path = std::str::from_utf8(self.state.frames.pointer()).unwrap_or_default();
        Ok(self.out.found(rule, path, spans, (allowed, reason))?)
    }

    /// What decided about the current value, if `rule` is one over names.
    #[cold]
    fn reason(&self, rule: RuleIx) -> Option<Reason> {
        let class = self.out.rules.class(rule, &self.compiled.fields)?;
        let (frame, name, subtree) = self.state.spot();
        let place = Place { subtree, ..self.state.place(frame, true) };
        Some(self.compiled.fields.reason(name, &place, class))
    }

    /// A quotation mark as it must be written at this level.
    pub(crate) fn push_quote(&self, out: &mut Vec<u8>) {
        // A form has no quotation marks of its own.
        let strings = self.nesting.saturating_sub(usize::from(self.out.is_form));
        let backslashes = (1usize << strings) - 1;
        out.resize(out.len() + backslashes, b'\\');
        out.push(b'"');
    }

    /// The name being read may hold findings: replaces them. Names are always labelled, with a number from the
    /// object's second on, so that two replaced names never become one.
    #[inline(never)]
    fn scan_name(&mut self, body: &Range<usize>, flags: StringFlags, hits: Hits<'_>) -> Result<(), Stop> {
        let name = &self.buf[body.clone()];
        let Scratch { view, matches, bytes, shown, .. } = &mut *self.scratch;
        if !flags.contains(StringFlags::ESCAPE) && !shown.may_match(name) {
            return Ok(());
        }
        matches.clear();
        let carried = shown.known();
        match hits.all() {
            Some(hits) if flags == StringFlags::CANDIDATE => {
                let piece = Piece { text: name, carried, ..Piece::default() };
                self.compiled.detectors.scan_at(piece, hits, body.start, matches);
            }
            _ => {
                view.read(name, flags, false);
                let piece = Piece { text: view.text(name), carried, ..Piece::default() };
                self.compiled.detectors.scan(self.compiled.arch, piece, &mut Carry::default(), matches);
            }
        }
        if matches.is_empty() {
            return Ok(());
        }
        view.read(name, flags, false);
        bytes.clear();
        let mut redacted = Vec::new();
        let mut text_done = 0;
        let mut is_numbered = false;
        for at in 0..self.scratch.matches.len() {
            let Scratch { view, matches, bytes, .. } = &mut *self.scratch;
            let found = matches[at];
            redacted.extend_from_slice(&view.text(name)[text_done..found.start]);
            text_done = found.end;
            bytes.clear();
            let category = self.out.rules.get(found.rule).category;
            if self.compiled.transforms.is_token(category) {
                let value = &name[view.start(found.start)..view.end(found.end)];
                let value = decoded(self.compiled.arch, value, false);
                surrogate::render(self.compiled, self.out, self.nesting, (found.rule, &value), bytes);
            } else {
                bytes.extend_from_slice(category.label().as_bytes());
            }
            let is_label = *bytes == category.label().as_bytes();
            if is_label
                && !std::mem::replace(&mut is_numbered, true)
                && let Some(top) = self.state.frames.top_mut()
            {
                top.names_redacted += 1;
                if top.names_redacted > 1 {
                    bytes.pop();
                    bytes.extend_from_slice(format!("-{}]", top.names_redacted).as_bytes());
                }
            }
            // What the sink says in place of a name may be a value, which no path holds.
            redacted.extend_from_slice(if is_label { bytes } else { category.label().as_bytes() });
            let span = Span {
                start: self.source.start(body.start + view.start(found.start)),
                end: self.source.end(body.start + view.end(found.end)),
            };
            self.out.replace(span, &self.scratch.bytes)?;
        }
        redacted.extend_from_slice(&self.scratch.view.text(name)[text_done..]);
        self.state.frames.set_leaf(&redacted);
        self.report_name_findings(body)
    }

    fn report_name_findings(&mut self, body: &Range<usize>) -> Result<(), Stop> {
        if !self.out.reports {
            return Ok(());
        }
        let name = &self.buf[body.clone()];
        for at in 0..self.scratch.matches.len() {
            let (view, found) = (&self.scratch.view, self.scratch.matches[at]);
            let (start, end) = (view.start(found.start), view.end(found.end));
            let before = crate::value::count(&name[..start], false);
            let chars = Span { start: before, end: before + crate::value::count(&name[start..end], false) };
            let span =
                Span { start: self.source.start(body.start + start), end: self.source.end(body.start + end) };
            self.report_match(found.rule, (span, chars), false)?;
        }
        Ok(())
    }

    /// Whether nothing waits that a lexeme could settle.
    #[inline(always)]
    fn is_quiet(&self) -> bool {
        self.state.waiting.is_empty()
    }

    /// Whether the current value says nothing and its name says nothing of it, so that only the detectors could mind it.
    #[inline(always)]
    fn stays_unread(&self) -> bool {
        let Some(top) = self.state.frames.top() else { return false };
        let name = if top.is_array { top.name } else { self.state.member };
        self.is_quiet()
            && matches!(self.state.value, Value::None)
            && name.is_silent()
            && top.subtree.is_none()
    }

    /// Whether a number is too small for a card's, is none that the document has shown, and needs no limit.
    #[inline(always)]
    fn is_small_number(&self, span: &Range<usize>) -> bool {
        let text = &self.buf[span.clone()];
        text.len() <= self.compiled.limits.hold_bytes_max
            && !may_be_card(text)
            && self.scratch.shown.known().is_none_or(|known| known.whole(text).is_none())
    }

    /// How the value of a member is read.
    #[inline(always)]
    fn spot_of(&self, name: &[u8]) -> Spot {
        let around = self.state.frames.spot();
        if around.is_special() { self.compiled.positions.member(around, name) } else { around }
    }

    /// Notes the member that begins. `body` says where its name stands, and whether it has escapes there.
    #[inline(always)]
    fn begin_member(&mut self, name: Name, spot: Spot, body: (Range<usize>, bool)) {
        self.state.member_spot = spot;
        self.state.member = name;
        self.state.member_body = Some(body);
        if let Some(top) = self.state.frames.top_mut() {
            top.seen |= name.mask();
        }
    }

    /// A name of any kind.
    #[inline(never)]
    fn any_name(&mut self, body: Range<usize>, flags: StringFlags, hits: Hits<'_>) -> Result<(), Stop> {
        // First what is due before the name: a run that ended there would have done it.
        self.check_age(body.start.saturating_sub(1))?;
        self.hold_limit(body.start.saturating_sub(1), body.len())?;
        self.check_age(body.end)?;
        self.state.frames.begin_member();
        let seen = self.state.frames.top().map_or(0, |top| top.seen);
        let escaped = flags.contains(StringFlags::ESCAPE);
        let raw = &self.buf[body.clone()];
        if escaped {
            self.scratch.view.read(raw, StringFlags::ESCAPE, false);
        }
        let text = if escaped { self.scratch.view.decoded(raw) } else { raw };
        let name = match escaped {
            true => self.compiled.fields.name(text),
            false => self.compiled.fields.name_in(self.buf, body.clone()),
        };
        let spot = self.spot_of(text);
        self.begin_member(name, spot, (body.clone(), escaped));
        if name.is_none() && !flags.is_empty() {
            self.scan_name(&body, flags, hits)?;
        }
        if self.state.frames.top().is_some_and(|top| top.waiting > 0 && name.mask() & !seen != 0) {
            self.settle_frame(self.state.frames.depth() - 1, false)?;
        }
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    /// A string value of any kind, or a part of it.
    #[inline(never)]
    fn any_string(
        &mut self,
        body: Range<usize>,
        part: Part,
        flags: StringFlags,
        hits: Hits<'_>,
    ) -> Result<usize, Stop> {
        let open = matches!(part, Part::First | Part::Middle);
        let need = self.string_value(body, open, flags, hits)?;
        if !open {
            self.scratch.shown.end_lexeme(self.nesting);
        }
        Ok(need)
    }

    /// A scalar of any kind.
    #[inline(never)]
    fn any_scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), Stop> {
        self.state.frames.begin_value();
        match kind {
            Scalar::Literal => self.check_age(span.end)?,
            Scalar::Number => self.number(span)?,
        }
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    fn hold_limit(&self, start: usize, len: usize) -> Result<(), Stop> {
        if len > self.compiled.limits.hold_bytes_max {
            return Err(Stop::Error(Error::new(ErrorKind::Hold, self.source.start(start))));
        }
        Ok(())
    }

    /// A number: replaced by a string if its name or its digits say so.
    fn number(&mut self, span: Range<usize>) -> Result<(), Stop> {
        self.check_age(span.start)?;
        self.hold_limit(span.start, span.len())?;
        let verdict = self.judge();
        let pending = match verdict {
            Verdict::Redact(class)
                if self.compiled.takes_number(class, &self.buf[span.clone()])
                    && !self.allow_number(class, &span)? =>
            {
                let rule = self.out.rules.of_class(class);
                self.show(&self.buf[span.clone()], rule, StringFlags::default());
                let raw = self.replace_number(rule, &span, true)?;
                return self.found(rule, raw, Span { start: 0, end: span.len() as u64 });
            }
            Verdict::Undecided => Some(self.defer(&span, true)?),
            _ => None,
        };
        let text = &self.buf[span.clone()];
        let card = if may_be_card(text) { self.compiled.detectors.number(text) } else { None };
        let rule = match card {
            None => self.carried_number(verdict, &span)?,
            card => card,
        };
        if let Some(rule) = rule {
            // A name for strings of another category would hide the mask of a card differently next time.
            self.replace_match(rule, &span, verdict == Verdict::Scan)?;
        }
        if let Some(id) = pending {
            self.end_deferred(id, &span, span.len() as u64)?;
        }
        self.check_age(span.end)
    }

    /// The rule of a value that the document has shown and that a number is, unless an allow-list lets it stay. What an
    /// allow-list let stay under its name is not asked again.
    fn carried_number(&mut self, verdict: Verdict, span: &Range<usize>) -> Result<Option<RuleIx>, Stop> {
        let known = self.scratch.shown.known().and_then(|known| known.whole(&self.buf[span.clone()]));
        let (Some(rule), Verdict::Scan | Verdict::Undecided) = (known, verdict) else { return Ok(None) };
        if self.spot().reading == Reading::Exempt {
            return Ok(None);
        }
        let allowed = match self.out.rules.class(rule, &self.compiled.fields) {
            Some(class) => self.allow_number(class, span)?,
            None => false,
        };
        Ok(if allowed { None } else { Some(rule) })
    }

    /// Replaces a number that is a finding as a whole, and reports it.
    fn replace_match(&mut self, rule: RuleIx, span: &Range<usize>, is_seen: bool) -> Result<(), Stop> {
        let raw = self.replace_number(rule, span, is_seen)?;
        self.report_match(rule, (raw, Span { start: 0, end: span.len() as u64 }), false)
    }

    /// Replaces a number by a string; returns where it stood.
    fn replace_number(&mut self, rule: RuleIx, span: &Range<usize>, is_seen: bool) -> Result<Span, Stop> {
        let category = self.out.rules.get(rule).category;
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        bytes.clear();
        self.push_quote(&mut bytes);
        match is_seen {
            true => {
                let found = (rule, &self.buf[span.clone()]);
                surrogate::render(self.compiled, self.out, self.nesting, found, &mut bytes);
            }
            false => bytes.extend_from_slice(self.compiled.transforms.unseen(category)),
        }
        self.push_quote(&mut bytes);
        let raw = self.raw(span);
        let result = self.out.replace(raw, &bytes);
        self.scratch.bytes = bytes;
        result?;
        Ok(raw)
    }

    /// A range of the buffer in the stream.
    #[inline]
    pub(crate) fn raw(&self, range: &Range<usize>) -> Span {
        Span { start: self.source.start(range.start), end: self.source.end(range.end) }
    }

    /// A member's whole string value may tell the type of its object, or what the object's member `value` holds.
    #[inline]
    pub(crate) fn note(&mut self, body: &Range<usize>, flags: StringFlags) -> Result<(), Stop> {
        let name = self.state.member;
        let fields = &self.compiled.fields;
        if !fields.is_noted(name) || body.len() >= crate::value::WHOLE_BYTES_MAX {
            return Ok(());
        }
        let mut value = &self.buf[body.clone()];
        if flags.contains(StringFlags::ESCAPE) {
            let Scratch { name: text, name_map: map, .. } = &mut *self.scratch;
            decode(self.compiled.arch, value, text, map);
            value = text;
        }
        let Some(top) = self.state.frames.top_mut().filter(|top| !top.is_array) else { return Ok(()) };
        if fields.is_type_name(name) {
            top.own = fields.object_type(value);
            if top.own != ObjectType::FOREIGN {
                top.nearest = top.own;
                top.in_scope = true;
            }
        } else if !fields.is_id_name(name) {
            if !fields.tell(name, value, &mut top.told) {
                return Ok(());
            }
        } else if top.own == ObjectType::UNKNOWN
            && let Some(hint) = fields.type_of_id(value)
        {
            top.in_scope = true;
            top.own = hint;
            if hint != ObjectType::UNKNOWN {
                top.nearest = hint;
            }
        }
        if top.waiting > 0 {
            return self.settle_frame(self.state.frames.depth() - 1, false);
        }
        Ok(())
    }

    /// The name under which a container opens, and its subtree rule.
    fn container_name(&mut self, is_array: bool) -> (Name, Option<Subtree>) {
        match self.state.frames.top() {
            None => (Name::default(), None),
            Some(top) if top.is_array => (top.name, None),
            Some(top) => {
                let envelope = top.name;
                let member = self.state.member;
                let raw = self.state.frames.leaf();
                // The `data` array of a list envelope is no name of its own.
                if is_array && raw == b"data" {
                    return (envelope, None);
                }
                let name = self.compiled.fields.container(raw, member);
                (name, self.compiled.fields.subtree(member))
            }
        }
    }
}

impl Visitor for Walk<'_, '_> {
    type Stop = Stop;

    #[inline]
    fn extra(&self) -> Option<&Extra> {
        self.scratch.shown.extra()
    }

    #[inline]
    fn extra_version(&self) -> u64 {
        self.scratch.shown.version()
    }

    #[inline]
    fn open(&mut self, bracket: Bracket, at: usize) -> Result<(), Stop> {
        self.check_age(at)?;
        self.state.frames.begin_value();
        let is_array = bracket == Bracket::Array;
        self.set_leaf();
        if self.state.frames.pointer().len() > self.compiled.limits.path_bytes_max {
            return Err(Stop::Error(Error::new(ErrorKind::Path, self.source.start(at))));
        }
        let (name, subtree) = self.container_name(is_array);
        let sibling = self.state.frames.object().map_or(ObjectType::UNKNOWN, |around| around.child);
        let spot = self.spot();
        let frame = self.state.frames.open(is_array, name);
        frame.spot = spot;
        match subtree {
            Some(Subtree::Class(class)) => frame.subtree = Some(class),
            Some(Subtree::Like) => {
                frame.own = sibling;
                frame.nearest = if sibling == ObjectType::UNKNOWN { frame.nearest } else { sibling };
            }
            None => {}
        }
        self.state.member = Name::default();
        self.state.member_body = None;
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    #[inline]
    fn close(&mut self, _: Bracket, at: usize) -> Result<(), Stop> {
        self.check_age(at)?;
        if self.state.frames.top().is_some_and(|top| top.waiting > 0) {
            self.settle_frame(self.state.frames.depth() - 1, true)?;
        }
        if let Some(frame) = self.state.frames.close()
            && !frame.is_array
            && self.compiled.fields.gives_type(frame.name)
            && let Some(around) = self.state.frames.top_mut()
        {
            around.child = frame.own;
        }
        self.state.member = Name::default();
        self.state.member_body = None;
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    #[inline(always)]
    fn name(&mut self, body: Range<usize>, flags: StringFlags, hits: Hits<'_>) -> Result<(), Stop> {
        let escaped = flags.contains(StringFlags::ESCAPE);
        if escaped || !self.is_quiet() || body.len() > self.compiled.limits.hold_bytes_max {
            return self.any_name(body, flags, hits);
        }
        self.state.frames.begin_member();
        let name = self.compiled.fields.name_in(self.buf, body.clone());
        let spot = self.spot_of(&self.buf[body.clone()]);
        self.begin_member(name, spot, (body.clone(), false));
        // A name that a rule spells out holds nothing.
        if name.is_none() && !flags.is_empty() {
            self.scan_name(&body, flags, hits)?;
        }
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    #[inline(always)]
    fn string(
        &mut self,
        body: Range<usize>,
        part: Part,
        flags: StringFlags,
        hits: Hits<'_>,
    ) -> Result<usize, Stop> {
        if part == Part::Whole && flags.is_empty() && self.stays_unread() {
            // Without an escape JSON begins with its bracket or with a space.
            if !matches!(self.buf.get(body.start), Some(b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r')) {
                self.state.frames.begin_value();
                self.scratch.shown.end_lexeme(self.nesting);
                return Ok(body.end);
            }
        }
        self.any_string(body, part, flags, hits)
    }

    #[inline(always)]
    fn scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), Stop> {
        let is_skipped = match kind {
            Scalar::Literal => self.is_quiet(),
            Scalar::Number => self.stays_unread() && self.is_small_number(&span),
        };
        if !is_skipped {
            return self.any_scalar(kind, span);
        }
        self.state.frames.begin_value();
        self.scratch.shown.end_lexeme(self.nesting);
        Ok(())
    }

    #[inline]
    fn document(&mut self, _: usize) -> Result<(), Stop> {
        if self.nesting == 0 {
            self.out.emitted.doc += 1;
            self.scratch.shown.end_document();
        }
        Ok(())
    }
}

/// Whether a number may be that of a card.
#[inline(always)]
fn may_be_card(text: &[u8]) -> bool {
    text.len() >= 12 || text.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// Decodes `body` into `text`, from the beginning of both.
pub(crate) fn decode(arch: Arch, body: &[u8], text: &mut Vec<u8>, map: &mut obelus_json::map::OffsetMap) {
    text.clear();
    map.clear();
    unescape(arch, body, text, map);
}
