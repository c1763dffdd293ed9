//! String values: left, replaced whole, read by the detectors, or read as JSON by the level inside.
//!
//! A value may come in parts, as the input was cut; what is done must not show it. Hence:
//!  (a) Nothing is decided about a value before it has ended or [`WHOLE_BYTES_MAX`] bytes of it are here.
//!  (b) What needs a whole value (a type, an id, a label, a mask) asks only shorter ones.
//!  (c) The detectors are presented the unsettled end of the text again, behind enough context.
//!  (d) JSON in a string is read as such for as long as it is JSON; where it stops being JSON the rest is text,
//!      from the beginning of the lexeme that does not fit.

use crate::finding::Span;
use crate::level::{Level, Scratch, Source, Value};
use crate::rules::RuleIx;
use crate::surrogate;
use crate::walk::{Stop, Walk, decode};
use obelus_detect::{BEHIND_MAX, Piece, is_label, is_nobody};
use obelus_fields::{ClassIx, Verdict};
use obelus_json::map::OffsetMap;
use obelus_json::string::{count_chars, unescape};
use obelus_json::{Arch, Cause, Hits, Mode, StringFlags};
use std::borrow::Cow;
use std::ops::Range;

/// Values shorter than this are held until they are whole, in bytes of the level's buffer.
pub(crate) const WHOLE_BYTES_MAX: usize = 1024;

/// How long the prefix of an object id may be.
const ID_PREFIX_MAX: usize = 24;

/// How many leading characters are looked at for the bracket that makes a string JSON.
const LEAD_MAX: usize = 64;

impl Walk<'_, '_> {
    #[inline]
    pub(crate) fn string_value(
        &mut self,
        body: Range<usize>,
        open: bool,
        flags: StringFlags,
        hits: Hits<'_>,
    ) -> Result<usize, Stop> {
        if matches!(self.state.value, Value::None) {
            // Before the value can be evidence: a run that ended here would have done it.
            self.check_age(body.start)?;
            if open && body.len() < WHOLE_BYTES_MAX && !self.is_root_text(&body) {
                self.settled = Some(body.start);
                return Ok(body.start);
            }
            self.state.frames.begin_value();
            let mut verdict = self.judge();
            if verdict != Verdict::Scan && self.state.member.asks() && !open {
                self.state.member = self.compiled.fields.echoed(self.state.member, &self.buf[body.clone()]);
                verdict = self.judge();
            }
            // What goes tells nothing: a second pass could not ask it.
            if !open && !matches!(verdict, Verdict::Redact(_)) {
                self.note(&body, flags)?;
            }
            if let Verdict::Redact(class) = verdict
                && !open
                && self.compiled.allowed.is_empty()
            {
                return self.replace_whole(&body, class, flags);
            }
            if verdict == Verdict::Scan && !open && !self.begins_json(&body) {
                if flags.is_empty() || !self.scratch.shown.may_match(&self.buf[body.clone()]) {
                    self.check_age(body.end)?;
                    return Ok(body.end);
                }
                if flags == StringFlags::CANDIDATE
                    && let Some(hits) = hits.all()
                {
                    return self.read_whole(&body, hits);
                }
            }
            self.begin_string(&body, open, flags, verdict)?;
        }
        self.go_on(body, open, flags)
    }

    /// Whether a string stands alone and is seen to be text. No name rules over it, so it need not be here whole.
    fn is_root_text(&self, body: &Range<usize>) -> bool {
        let source = &self.buf[body.clone()];
        self.is_root() && lead(source) != Lead::Open
    }

    /// Whether the value stands in no container.
    fn is_root(&self) -> bool {
        self.nesting == 0 && self.state.form.is_none() && self.state.frames.top().is_none()
    }

    /// Decides what is done with a value.
    pub(crate) fn begin_string(
        &mut self,
        body: &Range<usize>,
        open: bool,
        flags: StringFlags,
        verdict: Verdict,
    ) -> Result<(), Stop> {
        let value = &self.buf[body.clone()];
        let is_short = value.len() < WHOLE_BYTES_MAX;
        if value.is_empty() && !open {
            self.state.value = Value::Stay;
            return Ok(());
        }
        if !self.is_root() && self.stays(value) {
            self.state.value = Value::Stay;
            return Ok(());
        }
        if let Verdict::Redact(class) = verdict
            && !(is_short && self.allow_value(class, body, flags)?)
        {
            if is_short && is_nobody(self.compiled.fields.class(class).category, value) {
                self.state.value = Value::Stay;
                return Ok(());
            }
            return self.begin_replacement(body, class, flags);
        }
        if verdict == Verdict::Undecided {
            let id = self.defer(body, false)?;
            self.state.deferred = Some(id);
            if is_short
                && (self.compiled.transforms.reads_values()
                    || self.compiled.allowed.reads_values()
                    || self.scratch.shown.learns())
                && let Some(waiting) = self.state.waiting.last_mut()
            {
                self.scratch.view.read(value, flags, false);
                waiting.original = Some(self.scratch.view.decoded(value).to_vec());
            }
        }
        self.state.value = Value::Text;
        if self.nesting < self.compiled.limits.nesting_max && self.begins_json(body) {
            self.set_leaf();
            self.state.value = Value::Nested;
            let depth_max = self.compiled.limits.depth_max;
            let inner = self.inner.get_or_insert_with(|| Box::new(Level::new(Mode::Embedded, depth_max)));
            let bytes = &mut self.scratch.bytes;
            bytes.clear();
            bytes.extend_from_slice(self.state.frames.pointer());
            bytes.push(b'#');
            inner.reset(bytes);
        }
        Ok(())
    }

    /// Whether the value is an object id. Every prefix ends with an underscore.
    fn is_id(&self, value: &[u8]) -> bool {
        value.first().is_some_and(u8::is_ascii_lowercase)
            && value[..value.len().min(ID_PREFIX_MAX)].contains(&b'_')
            && self.compiled.fields.is_object_id(value)
    }

    fn begin_replacement(
        &mut self,
        body: &Range<usize>,
        class: ClassIx,
        flags: StringFlags,
    ) -> Result<(), Stop> {
        let value = &self.buf[body.clone()];
        let rule = self.out.rules.of_class(class);
        let start = self.source.start(body.start);
        self.out.pass(start)?;
        self.render(value, rule, flags);
        self.show(value, rule, flags);
        self.out.write(&self.scratch.bytes)?;
        self.state.value = Value::Go { class, start };
        Ok(())
    }

    /// Reads a part of a value that has begun.
    pub(crate) fn go_on(
        &mut self,
        body: Range<usize>,
        open: bool,
        flags: StringFlags,
    ) -> Result<usize, Stop> {
        let went = matches!(self.state.value, Value::Go { .. });
        let mut need = match self.state.value {
            Value::Text => self.read_text(&body, open, flags, self.state.is_plain())?,
            Value::Nested => self.read_nested(&body, open, flags)?,
            Value::Go { .. } => {
                self.out.skip(self.source.end(body.end));
                self.settled = Some(body.end);
                body.end
            }
            Value::Stay | Value::None => {
                self.settled = Some(body.end);
                body.end
            }
        };
        if open {
            self.check_age(body.end)?;
            if !went && matches!(self.state.value, Value::Go { .. }) {
                // It was taken back for its length: the rest goes too.
                self.out.skip(self.source.end(body.end));
                self.settled = Some(body.end);
                need = body.end;
            }
            self.state.chars += self.chars(&(body.start..need));
            return Ok(need);
        }
        self.end_string(&body)?;
        Ok(body.end)
    }

    fn end_string(&mut self, body: &Range<usize>) -> Result<(), Stop> {
        if self.state.deferred.is_some() || matches!(self.state.value, Value::Go { .. }) {
            let chars = self.state.chars + self.chars(body);
            if let Some(id) = self.state.deferred.take() {
                self.end_deferred(id, body, chars)?;
            }
            if let Value::Go { class, start } = self.state.value {
                let span = Span { start, end: self.source.end(body.end) };
                self.out.skip(span.end);
                self.found(self.out.rules.of_class(class), span, Span { start: 0, end: chars })?;
            }
        }
        self.state.clear_value();
        self.settled = None;
        self.check_age(body.end)
    }

    /// Has the detectors read a whole value that is its own view, where the lexer saw candidates.
    fn read_whole(&mut self, body: &Range<usize>, hits: &[usize]) -> Result<usize, Stop> {
        let value = &self.buf[body.clone()];
        let Scratch { matches, shown, .. } = &mut *self.scratch;
        matches.clear();
        let piece = Piece { text: value, carried: shown.known(), ..Piece::default() };
        self.compiled.detectors.scan_at(piece, hits, body.start, matches);
        if !matches.is_empty() && (self.is_root() || !self.stays(value)) {
            self.scratch.view.read(value, StringFlags::default(), true);
            self.replace_matches(body, false)?;
        }
        self.check_age(body.end)?;
        Ok(body.end)
    }

    /// Replaces a whole value under a sensitive name, unless it is of a kind that stays.
    fn replace_whole(
        &mut self,
        body: &Range<usize>,
        class: ClassIx,
        flags: StringFlags,
    ) -> Result<usize, Stop> {
        let value = &self.buf[body.clone()];
        let rule = self.out.rules.of_class(class);
        let category = self.out.rules.get(rule).category;
        let is_short = value.len() < WHOLE_BYTES_MAX;
        let stays = value.is_empty() || self.stays(value) || (is_short && is_nobody(category, value));
        if !stays {
            let span = self.raw(body);
            let fixed = self.compiled.transforms.fixed(category);
            if fixed.is_none() {
                self.render(value, rule, flags);
            }
            self.out.replace(span, fixed.unwrap_or(&self.scratch.bytes))?;
            self.show(value, rule, flags);
            let chars = self.chars(body);
            self.found(rule, span, Span { start: 0, end: chars })?;
        }
        self.check_age(body.end)?;
        Ok(body.end)
    }

    /// Writes what replaces a value under a sensitive name to `scratch.bytes`.
    fn render(&mut self, value: &[u8], rule: RuleIx, flags: StringFlags) {
        let category = self.out.rules.get(rule).category;
        let Scratch { view, bytes, .. } = &mut *self.scratch;
        bytes.clear();
        if value.len() < WHOLE_BYTES_MAX && self.compiled.transforms.reads(category) {
            view.read(value, flags, false);
            let found = (rule, view.decoded(value));
            surrogate::render(self.compiled, self.out, self.nesting, found, bytes);
        } else {
            bytes.extend_from_slice(self.compiled.transforms.unseen(category));
        }
    }

    /// Learns a value that stood under a sensitive name.
    pub(crate) fn show(&mut self, value: &[u8], rule: RuleIx, flags: StringFlags) {
        let plain = self.state.is_plain();
        let Scratch { view, shown, .. } = &mut *self.scratch;
        if shown.learns() && value.len() < WHOLE_BYTES_MAX {
            view.read(value, flags, plain);
            shown.add(self.nesting, self.out.rules.get(rule).category, rule, view.text(value));
        }
    }

    /// Whether a value stays unread: an object id, or what a redaction left.
    fn stays(&self, value: &[u8]) -> bool {
        value.len() < WHOLE_BYTES_MAX && (self.is_id(value) || is_label(value))
    }

    /// Has the detectors read `body`, of which `context` bytes were read before. Returns from where on the text
    /// must be presented again.
    pub(crate) fn read_text(
        &mut self,
        body: &Range<usize>,
        open: bool,
        flags: StringFlags,
        plain: bool,
    ) -> Result<usize, Stop> {
        let source = &self.buf[body.clone()];
        if flags.is_empty() && self.state.carry.is_empty() {
            if !open {
                return Ok(body.end);
            }
            // The text is the source, and nothing begins in it that is not beyond its end.
            let piece = Piece { text: source, from: self.state.context, open, ..Piece::default() };
            let carried = self.scratch.shown.known();
            let settled = self.compiled.detectors.settled(Piece { carried, ..piece });
            return Ok(self.resume_at(body, open, settled, settled.saturating_sub(BEHIND_MAX)));
        }
        let Scratch { view, matches, shown, .. } = &mut *self.scratch;
        view.read(source, flags, plain);
        matches.clear();
        let text = view.text(source);
        let from = view.position(self.state.context);
        let (detectors, arch) = (&self.compiled.detectors, self.compiled.arch);
        let release = detectors.scan(
            arch,
            Piece { text, from, open, carried: shown.known(), ..Piece::default() },
            &mut self.state.carry,
            matches,
        );
        let mut context_from = release.saturating_sub(BEHIND_MAX);
        while context_from > 0 && text[context_from] & 0xC0 == 0x80 {
            context_from -= 1;
        }
        let settled = view.end(release);
        let again = view.start(context_from).min(settled);
        self.replace_matches(body, plain)?;
        Ok(self.resume_at(body, open, settled, again))
    }

    /// Notes how far the text is settled and how much of what is presented again is context.
    fn resume_at(&mut self, body: &Range<usize>, open: bool, settled: usize, again: usize) -> usize {
        if !open {
            return body.end;
        }
        self.state.context = settled - again;
        self.settled = Some(body.start + settled);
        body.start + again
    }

    fn replace_matches(&mut self, body: &Range<usize>, plain: bool) -> Result<(), Stop> {
        let source = &self.buf[body.clone()];
        let (mut counted, mut chars) = (0, self.state.chars);
        for at in 0..self.scratch.matches.len() {
            let Scratch { view, matches, bytes, .. } = &mut *self.scratch;
            let found = matches[at];
            let (start, end) = (view.start(found.start), view.end(found.end));
            let mut length = 0;
            if self.out.reports {
                chars += count(&source[counted..start], plain);
                length = count(&source[start..end], plain);
            }
            let category = self.out.rules.get(found.rule).category;
            bytes.clear();
            let fixed = self.compiled.transforms.fixed(category);
            if fixed.is_some() {
                // There is nothing to write.
            } else if self.compiled.transforms.is_token(category) {
                // The text as it was, not as it was folded: it may be turned back.
                let value = decoded(self.compiled.arch, &source[start..end], plain);
                surrogate::render(self.compiled, self.out, self.nesting, (found.rule, &value), bytes);
            } else {
                let value = &view.text(source)[found.start..found.end];
                self.compiled.transforms.render(category, value, bytes);
            }
            let span =
                Span { start: self.source.start(body.start + start), end: self.source.end(body.start + end) };
            let allowed = self.exempts(category, source, &found)
                || !self.compiled.allowed.is_empty() && self.allows_match(source, &found);
            if !allowed {
                self.out.replace(span, fixed.unwrap_or(&self.scratch.bytes))?;
            }
            self.report_match(found.rule, (span, Span { start: chars, end: chars + length }), allowed)?;
            (counted, chars) = (end, chars + length);
        }
        Ok(())
    }

    /// Has the level inside read `body`.
    fn read_nested(&mut self, body: &Range<usize>, open: bool, flags: StringFlags) -> Result<usize, Stop> {
        let Some(level) = self.inner.as_deref_mut() else { return Ok(body.end) };
        let source = &self.buf[body.clone()];
        match self.state.is_plain() {
            true => level.take(source),
            false => decode(self.compiled.arch, source, &mut level.text, &mut level.map),
        }
        let Level { lexer, state, text, map, inner } = level;
        let (compiled, arch) = (self.compiled, self.compiled.arch);
        let mut walk = Walk {
            compiled,
            nesting: self.nesting + 1,
            state,
            inner,
            scratch: &mut *self.scratch,
            buf: text,
            source: Source { around: Some((&self.source, map)), base: body.start as u64 },
            out: &mut *self.out,
            settled: None,
        };
        let result = lexer.run(arch, compiled.detectors.filter(), text, !open, &mut walk);
        walk.end_run();
        let settled = walk.settled;
        let need = match result {
            Ok(progress) => {
                walk.state.base += progress.need_from as u64;
                progress.need_from
            }
            Err(fault) => {
                if let Cause::Stop(stop) = fault.cause {
                    return Err(stop);
                }
                walk.settle_all()?;
                let at = map.start(fault.need_from);
                return self.read_rest(body, at, open, flags);
            }
        };
        if !open {
            walk.settle_all()?;
            return Ok(body.end);
        }
        self.settled = Some(body.start + map.end(settled.unwrap_or(need)));
        Ok(body.start + map.start(need))
    }

    /// The string is no JSON from `at` on: the rest is text.
    fn read_rest(
        &mut self,
        body: &Range<usize>,
        at: usize,
        open: bool,
        flags: StringFlags,
    ) -> Result<usize, Stop> {
        self.state.value = Value::Text;
        let before = body.start..body.start + at;
        let chars = self.chars(&before);
        self.state.chars += chars;
        let need = self.read_text(&(before.end..body.end), open, flags, self.state.is_plain())?;
        // The caller counts from the beginning of the body.
        self.state.chars -= chars;
        Ok(need)
    }

    /// Code points of a part of the buffer, if anybody wants to know.
    fn chars(&self, part: &Range<usize>) -> u64 {
        if self.out.reports { count(&self.buf[part.clone()], self.state.is_plain()) } else { 0 }
    }

    /// Whether the first thing in the string, after white space, is an opening bracket.
    #[inline]
    fn begins_json(&self, body: &Range<usize>) -> bool {
        match self.buf[body.clone()].first() {
            Some(b'{' | b'[') => true,
            Some(b' ' | b'\t' | b'\n' | b'\r' | b'\\') => lead(&self.buf[body.clone()]) == Lead::Bracket,
            _ => false,
        }
    }
}

/// What a string begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lead {
    /// White space, escaped or not, and then an opening bracket.
    Bracket,
    /// Something else, or more white space than is looked at.
    Text,
    /// White space so far.
    Open,
}

fn lead(source: &[u8]) -> Lead {
    let mut rest = source;
    for _ in 0..LEAD_MAX {
        rest = match rest {
            [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] | [b'\\', b'n' | b't' | b'r', rest @ ..] => rest,
            [b'\\', b'u', b'0', b'0', high, low, rest @ ..] => match (high, low) {
                (b'7', b'b' | b'B') | (b'5', b'b' | b'B') => return Lead::Bracket,
                (b'2', b'0') | (b'0', b'9' | b'a' | b'A' | b'd' | b'D') => rest,
                _ => return Lead::Text,
            },
            [b'{' | b'[', ..] => return Lead::Bracket,
            [] => return Lead::Open,
            _ => return Lead::Text,
        };
    }
    Lead::Text
}

/// The text of a part of a string body, or of text without escapes.
pub(crate) fn decoded(arch: Arch, source: &[u8], plain: bool) -> Cow<'_, [u8]> {
    if plain || !source.contains(&b'\\') {
        return source.into();
    }
    let (mut text, mut map) = (Vec::new(), OffsetMap::default());
    unescape(arch, source, &mut text, &mut map);
    text.into()
}

/// Code points in a string body, or in text without escapes.
pub(crate) fn count(source: &[u8], plain: bool) -> u64 {
    if plain {
        source.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64
    } else {
        count_chars(source)
    }
}
