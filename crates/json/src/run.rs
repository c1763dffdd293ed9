//! One run: steps from set bit to set bit of the masks and keeps the grammar.
//!
//! ```text
//! for each block of 64 bytes:
//!     masks  = Vector::bytes(block)                      each byte on its own
//!     block  = masks in context                          escapes, inside a string or not
//!     events = quotes | structure | scalar starts | bad  everything the grammar must see
//!     for each event: one step of the grammar
//! ```
//!
//! A buffer that breaks a rule at some byte is read as if it ended before that byte: what was reported when an
//! error comes does not depend on how the input was cut.

use crate::arch::{self, Vector};
use crate::block::{Block, Bytes, Carry};
use crate::error::{Cause, Fault, SyntaxError, SyntaxKind};
use crate::filter::{Extra, Filter, NOTHING, SPAN, WordCarry, live_bits, pad};
use crate::lexeme::{Bracket, Hits, Part, Scalar, StringFlags, Visitor};
use crate::lexer::{Lexer, Mode, Progress, State, Wants};
use crate::scalar::{Verdict, is_delimiter, look, quick};
use crate::string::{cut, escape_flags};
use std::ops::Range;

/// How much is validated as UTF-8 at a time: it should still be in the first cache when it is scanned.
const VALIDATE_BYTES: usize = 16 << 10;

/// How many hits of a string value are kept.
const HITS_MAX: usize = 96;

/// Why the grammar stops at an event.
enum Halt<S> {
    /// The input is wrong at this byte.
    Wrong(SyntaxKind, usize),
    /// As `Wrong`, and what began at the second offset was not reported.
    Unfit(SyntaxKind, usize, usize),
    /// A scalar that begins here has no end yet.
    Open(usize),
    /// The visitor did not take the lexeme that begins here.
    Stop(S, usize),
}

/// What may come next, or why nothing does.
type Step<S> = Result<State, Halt<S>>;

/// One run over one buffer.
pub(crate) struct Run<'r, V> {
    lexer: &'r mut Lexer,
    /// What can be read: it ends before anything that is not UTF-8.
    buf: &'r [u8],
    /// Whether the input ends where `buf` does.
    last: bool,
    /// How far `buf` was validated.
    valid: usize,
    /// What stands behind `buf`, if it is wrong.
    wrong: Option<SyntaxKind>,
    visitor: &'r mut V,
    carry: Carry,
    /// Where the body of the open string or name begins.
    open_at: usize,
    /// Where the last document ended, if in this buffer.
    root_end: usize,
    /// What was seen of it in the blocks before.
    flags: StringFlags,
    /// What could come where the open name begins.
    before_name: State,
    /// The first candidates in the open string.
    hits: [usize; HITS_MAX],
    /// How many there were.
    hits_len: usize,
}

impl<'r, V: Visitor> Run<'r, V> {
    #[inline(always)]
    pub(crate) fn new(lexer: &'r mut Lexer, buf: &'r [u8], last: bool, visitor: &'r mut V) -> Run<'r, V> {
        let in_string = if lexer.is_in_string() { u64::MAX } else { 0 };
        Run {
            lexer,
            buf,
            last,
            valid: 0,
            wrong: None,
            visitor,
            carry: Carry { in_string, ..Carry::default() },
            open_at: 0,
            root_end: 0,
            flags: StringFlags::default(),
            before_name: State::Name,
            hits: [0; HITS_MAX],
            hits_len: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn read<A: Vector>(&mut self, filter: &Filter) -> Result<Progress, Fault<V::Stop>> {
        if self.lexer.mode == Mode::Embedded {
            self.valid = self.buf.len();
        }
        let mut base = 0;
        let mut padded = [0; 64 + SPAN];
        loop {
            // As far as an escape or the filter looks beyond the block.
            while self.valid < self.buf.len().min(base + 64 + SPAN) {
                self.validate();
            }
            let rest = self.buf.get(base..).unwrap_or_default();
            if rest.is_empty() {
                return self.halt_end();
            }
            let (text, live) = match rest.first_chunk() {
                Some(text) => (text, u64::MAX),
                None => (pad(rest, &mut padded), live_bits(rest.len())),
            };
            let bytes = arch::bytes::<A>(filter, self.visitor.extra(), text);
            if let Err(halt) = self.block::<A>(bytes, text, live, base) {
                return match halt {
                    Halt::Wrong(kind, at) => self.halt_wrong(kind, at, at),
                    Halt::Unfit(kind, at, need_from) => self.halt_wrong(kind, at, need_from),
                    Halt::Stop(stop, need_from) => Err(Fault { need_from, cause: Cause::Stop(stop) }),
                    Halt::Open(at) => self.halt_open(at),
                };
            }
            base += 64;
        }
    }

    /// Validates the next piece. What is not UTF-8 is no longer part of the buffer, as if it had not come: it
    /// is an error once everything before it was read, unless it is only a character without its end.
    #[inline(never)]
    fn validate(&mut self) {
        let upto = self.buf.len().min(self.valid + VALIDATE_BYTES);
        let Err(error) = simdutf8::compat::from_utf8(&self.buf[self.valid..upto]) else {
            self.valid = upto;
            return;
        };
        self.valid += error.valid_up_to();
        let is_cut = error.error_len().is_none();
        if is_cut && upto < self.buf.len() {
            // Only the piece ends inside a character; the next begins with it.
            return;
        }
        if !is_cut || self.last {
            self.wrong = Some(SyntaxKind::InvalidUtf8);
        }
        self.buf = &self.buf[..self.valid];
        self.last = false;
    }

    /// The steps of the grammar in one block.
    #[inline(always)]
    fn block<A: Vector>(
        &mut self,
        bytes: Bytes,
        text: &[u8; 64 + SPAN],
        live: u64,
        base: usize,
    ) -> Result<(), Halt<V::Stop>> {
        let block = Block::new::<A>(&bytes, &mut self.carry);
        if live != u64::MAX {
            // Nothing follows the last block: the byte behind the end counts as the next block's first.
            self.carry.escaped = block.escaped >> live.count_ones() & 1;
        }
        let (unicode, bad) = self.check::<A>(&bytes, &block, text, live, base);
        let words_before = self.carry.word;
        let candidate = bytes.candidates.reported(&mut self.carry.word).0;
        let mut marks = Marks {
            any: bytes.backslash | unicode | bytes.non_ascii | candidate,
            escape: bytes.backslash,
            unicode,
            non_ascii: bytes.non_ascii,
            candidate,
        };
        let mut events = (block.quote | block.structure | block.scalar_start | bad) & live;
        // A local variable, so that it stays in a register from step to step.
        let mut state = self.lexer.state;
        // What a visitor adds to the filter at one lexeme is looked for in the rest of the block.
        let mut version = self.visitor.extra_version();
        let mut look_again = |visitor: &V, marks: &mut Marks| {
            if visitor.extra_version() != version {
                version = visitor.extra_version();
                marks.candidate |= more_candidates::<A>(visitor.extra(), text, words_before);
                marks.any |= marks.candidate;
            }
        };
        while let Some(bit) = take_first(&mut events) {
            let mut bit = bit;
            if !state.is_in_string() {
                if text[bit] == b'"' && state.takes_string() {
                    // Most events are those of names and strings in containers, and mostly the other end is in the
                    // same block.
                    look_again(self.visitor, &mut marks);
                    if let Some(close) = take_good(&mut events, bad) {
                        state = self.string_in_block(state, bit..close, &marks, base)?;
                        state = self.skip_sign(state, text, &mut events);
                        continue;
                    }
                    self.before_name = state;
                    state = self.open_string(state.opened(), base + bit);
                } else {
                    let step = self.step(state, text, base, bit);
                    state = self.next(state, step)?;
                    if !state.is_in_string() {
                        state = self.skip_sign(state, text, &mut events);
                        continue;
                    }
                }
                match take_first(&mut events) {
                    Some(next) => bit = next,
                    None => break,
                }
            }
            look_again(self.visitor, &mut marks);
            self.see(&marks, live_bits(bit), base);
            let step = if bad >> bit & 1 == 1 {
                Err(bad_in_string(block.escaped >> bit & 1 == 1, base + bit))
            } else if state == State::InName {
                self.close_name(base + bit)
            } else {
                self.close_string(base + bit)
            };
            state = self.next(state, step)?;
            state = self.skip_sign(state, text, &mut events);
        }
        self.lexer.state = state;
        if state.is_in_string() {
            look_again(self.visitor, &mut marks);
            self.see(&marks, live, base);
        }
        Ok(())
    }

    /// Adds what a block holds of the open string, as far as `upto` says.
    #[inline(always)]
    fn see(&mut self, marks: &Marks, upto: u64, base: usize) {
        let seen = upto & !live_bits(self.open_at.saturating_sub(base));
        if marks.any & seen != 0 {
            self.flags |= marks.within(seen);
            self.note_hits(marks.candidate & seen, base);
        }
    }

    /// A name or string value in a container with both quotation marks in one block, and nothing bad in between.
    #[inline(always)]
    fn string_in_block(
        &mut self,
        state: State,
        quotes: Range<usize>,
        marks: &Marks,
        base: usize,
    ) -> Step<V::Stop> {
        let body = base + quotes.start + 1..base + quotes.end;
        let seen = (1u64 << quotes.end) - (2u64 << quotes.start);
        self.hits_len = 0;
        let flags = match marks.any & seen {
            0 => StringFlags::default(),
            _ => {
                self.note_hits(marks.candidate & seen, base);
                marks.within(seen)
            }
        };
        let hits = Hits(self.hits.get(..self.hits_len));
        let begin = body.start - 1;
        let (told, behind) = match state {
            State::FirstName | State::Name => (self.visitor.name(body, flags, hits), State::Colon),
            _ => {
                let told = self.visitor.string(body, Part::Whole, flags, hits);
                (told.map(|_| ()), State::Comma)
            }
        };
        match told {
            Ok(()) => Ok(behind),
            Err(stop) => Err(Halt::Stop(stop, begin)),
        }
    }

    /// Where `\u` stands inside strings, and what may not stand there.
    #[inline(always)]
    fn check<A: Vector>(
        &self,
        bytes: &Bytes,
        block: &Block,
        text: &[u8; 64 + SPAN],
        live: u64,
        base: usize,
    ) -> (u64, u64) {
        let is_embedded = self.lexer.mode == Mode::Embedded;
        let mut bad = if is_embedded { 0 } else { bytes.control & block.in_string & live };
        let escapes = block.escaped & block.in_string & live;
        if escapes == 0 {
            return (0, bad);
        }
        let letters = arch::letters::<A>(text);
        let unicode = escapes & letters.unicode;
        if !is_embedded {
            bad |= escapes & !(letters.simple | letters.unicode);
            if unicode != 0 {
                bad |= self.cut_short(unicode, base);
            }
        }
        (unicode, bad)
    }

    /// The state behind a step from `state`, which is noted if there is none.
    #[inline(always)]
    fn next(&mut self, state: State, step: Step<V::Stop>) -> Step<V::Stop> {
        if step.is_err() {
            self.lexer.state = state;
        }
        step
    }

    /// Steps over the colon or comma that mostly comes next.
    #[inline(always)]
    fn skip_sign(&self, state: State, text: &[u8; 64 + SPAN], events: &mut u64) -> State {
        let wanted = match state {
            State::Colon => b':',
            State::Comma => b',',
            _ => return state,
        };
        if *events == 0 || text[events.trailing_zeros() as usize] != wanted {
            return state;
        }
        *events &= *events - 1;
        if state == State::Colon || self.lexer.in_array { State::Value } else { State::Name }
    }

    /// Which of the `\u` of a block are not followed by four digits.
    #[inline(never)]
    fn cut_short(&self, unicode: u64, base: usize) -> u64 {
        let mut short = 0;
        let mut bits = unicode;
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let digits = &self.buf[base + bit as usize + 1..];
            if !digits[..digits.len().min(4)].iter().all(u8::is_ascii_hexdigit) {
                short |= 1 << bit;
            }
        }
        short
    }

    /// What stands outside strings: the mark that opens one, a structural byte, or the beginning of anything else.
    #[inline(always)]
    fn step(&mut self, state: State, text: &[u8; 64 + SPAN], base: usize, bit: usize) -> Step<V::Stop> {
        let (byte, at) = (text[bit], base + bit);
        match (state, byte) {
            (State::Colon, b':') => Ok(State::Value),
            (State::Comma, b',') => Ok(if self.lexer.in_array { State::Value } else { State::Name }),
            (State::Comma, b'}') if !self.lexer.in_array => self.close(Bracket::Object, at),
            (State::Comma, b']') if self.lexer.in_array => self.close(Bracket::Array, at),
            (State::FirstName, b'}') => self.close(Bracket::Object, at),
            (State::FirstElement, b']') => self.close(Bracket::Array, at),
            (State::Value | State::FirstElement, _) => self.value(byte, at),
            (State::Root, b'{' | b'[') => self.value(byte, at),
            (State::Root, _) if self.lexer.mode != Mode::Embedded => self.value(byte, at),
            (State::Ended, _) if self.begins_line(at) => self.value(byte, at),
            (State::Ended, _) => Err(Halt::Wrong(SyntaxKind::TrailingBytes, at)),
            _ => Err(Halt::Wrong(SyntaxKind::UnexpectedByte, at)),
        }
    }

    /// Whether another document may begin at `at`.
    #[inline(never)]
    fn begins_line(&mut self, at: usize) -> bool {
        self.note_line(at);
        self.lexer.mode == Mode::Lines && self.lexer.has_line
    }

    /// Looks for the end of a line between the last document and `end`.
    fn note_line(&mut self, end: usize) {
        self.lexer.has_line |= self.buf[self.root_end..end].contains(&b'\n');
    }

    /// The beginning of a value.
    #[inline(always)]
    fn value(&mut self, byte: u8, at: usize) -> Step<V::Stop> {
        match byte {
            b'"' => Ok(self.open_string(State::InString, at)),
            b'{' => self.open(Bracket::Object, State::FirstName, at),
            b'[' => self.open(Bracket::Array, State::FirstElement, at),
            b',' | b':' | b'}' | b']' => Err(Halt::Wrong(SyntaxKind::UnexpectedByte, at)),
            _ => self.scalar(at),
        }
    }

    #[inline(always)]
    fn open_string(&mut self, state: State, at: usize) -> State {
        self.open_at = at + 1;
        self.flags = StringFlags::default();
        self.hits_len = 0;
        state
    }

    /// Keeps the candidates of the open string.
    #[inline(always)]
    fn note_hits(&mut self, mut bits: u64, base: usize) {
        while bits != 0 {
            if let Some(hit) = self.hits.get_mut(self.hits_len) {
                *hit = base + bits.trailing_zeros() as usize;
            }
            self.hits_len += 1;
            bits &= bits - 1;
        }
    }

    #[inline(always)]
    fn close_name(&mut self, at: usize) -> Step<V::Stop> {
        let begin = self.open_at - 1;
        let hits = Hits(self.hits.get(..self.hits_len));
        self.visitor.name(self.open_at..at, self.flags, hits).map_err(|stop| Halt::Stop(stop, begin))?;
        Ok(State::Colon)
    }

    #[inline(always)]
    fn close_string(&mut self, at: usize) -> Step<V::Stop> {
        let part = if std::mem::take(&mut self.lexer.has_part) { Part::Last } else { Part::Whole };
        // A value that goes on has no quotation mark here.
        let begin = self.open_at - usize::from(part == Part::Whole);
        let hits = Hits(self.hits.get(..self.hits_len).filter(|_| part == Part::Whole));
        self.visitor
            .string(self.open_at..at, part, self.flags, hits)
            .map_err(|stop| Halt::Stop(stop, begin))?;
        self.end_value(at + 1)
    }

    #[inline(always)]
    fn open(&mut self, bracket: Bracket, state: State, at: usize) -> Step<V::Stop> {
        if !self.lexer.push(bracket) {
            return Err(Halt::Wrong(SyntaxKind::Depth, at));
        }
        self.visitor.open(bracket, at).map_err(|stop| Halt::Stop(stop, at))?;
        Ok(state)
    }

    #[inline(always)]
    fn close(&mut self, bracket: Bracket, at: usize) -> Step<V::Stop> {
        self.lexer.pop();
        self.visitor.close(bracket, at).map_err(|stop| Halt::Stop(stop, at))?;
        self.end_value(at + 1)
    }

    #[inline(always)]
    fn end_value(&mut self, at: usize) -> Step<V::Stop> {
        let state = self.lexer.behind_value();
        if state != State::Comma {
            self.root_end = at;
            self.lexer.has_line = false;
            self.visitor.document(at).map_err(|stop| Halt::Stop(stop, at))?;
        }
        Ok(state)
    }

    #[inline]
    fn scalar(&mut self, at: usize) -> Step<V::Stop> {
        let (kind, len) = match quick(&self.buf[at..]) {
            Some(found) => found,
            None => self.careful(at)?,
        };
        if self.lexer.mode == Mode::Embedded {
            self.look_behind(at, at + len)?;
        }
        self.visitor.scalar(kind, at..at + len).map_err(|stop| Halt::Stop(stop, at))?;
        self.end_value(at + len)
    }

    /// A scalar that is not of the common kinds, or not one, or not all here.
    #[inline(never)]
    fn careful(&mut self, at: usize) -> Result<(Scalar, usize), Halt<V::Stop>> {
        let len = self.scalar_len(at);
        let rest = &self.buf[at..];
        let is_open = len == rest.len();
        match look(&rest[..len]) {
            Verdict::Whole(_) if is_open && (!self.last || self.lexer.mode == Mode::Embedded) => {
                Err(Halt::Open(at))
            }
            Verdict::Whole(kind) => Ok((kind, len)),
            Verdict::Begun if is_open => Err(Halt::Open(at)),
            Verdict::Begun if rest[0].is_ascii_lowercase() => {
                Err(Halt::Unfit(SyntaxKind::InvalidLiteral, at + len, at))
            }
            Verdict::Begun => Err(Halt::Unfit(SyntaxKind::InvalidNumber, at + len, at)),
            Verdict::Wrong(kind, offset) => Err(Halt::Unfit(kind, at + offset, at)),
        }
    }

    /// Whether what stands behind the scalar from `at` to `end` lets it be one, in embedded text.
    #[inline(never)]
    fn look_behind(&self, at: usize, end: usize) -> Result<(), Halt<V::Stop>> {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let behind = end + self.buf[end..].iter().take_while(is_space).count();
        match self.buf.get(behind) {
            None => Err(Halt::Open(at)),
            Some(b',' | b']' | b'}') => Ok(()),
            Some(_) => Err(Halt::Unfit(SyntaxKind::UnexpectedByte, behind, at)),
        }
    }

    /// How long the scalar at `at` is, as far as it is here.
    fn scalar_len(&mut self, at: usize) -> usize {
        let mut len = 0;
        loop {
            let rest = &self.buf[at + len..self.valid];
            match rest.iter().position(|&byte| is_delimiter(byte)) {
                Some(more) => return len + more,
                None => len += rest.len(),
            }
            if self.valid == self.buf.len() {
                return len;
            }
            self.validate();
        }
    }

    /// The input is wrong at `at`: what is open is reported as if the buffer ended there.
    #[cold]
    fn halt_wrong(
        &mut self,
        kind: SyntaxKind,
        at: usize,
        need_from: usize,
    ) -> Result<Progress, Fault<V::Stop>> {
        let need_from = match self.lexer.state {
            State::InString => {
                // The byte at fault may be the one behind a backslash.
                let is_escaped = kind == SyntaxKind::InvalidEscape;
                self.report_part(at, is_escaped)?
            }
            State::InName => self.open_at.saturating_sub(1),
            _ => need_from,
        };
        Err(Fault { need_from, cause: Cause::Syntax(SyntaxError { kind, at }) })
    }

    /// The buffer ends inside a scalar that begins at `at`.
    #[cold]
    fn halt_open(&mut self, at: usize) -> Result<Progress, Fault<V::Stop>> {
        self.end(Progress { need_from: at, wants: Wants::Delimiter }, false)
    }

    /// The buffer ends.
    #[cold]
    fn halt_end(&mut self) -> Result<Progress, Fault<V::Stop>> {
        let end = self.buf.len();
        let mode = self.lexer.mode;
        let mut wants = Wants::Any;
        let need_from = match self.lexer.state {
            State::InString if mode == Mode::Embedded && self.last => {
                let part = if self.lexer.has_part { Part::Last } else { Part::Whole };
                let begin = self.open_at - usize::from(part == Part::Whole);
                let stop = |stop| Fault { need_from: begin, cause: Cause::Stop(stop) };
                self.visitor.string(self.open_at..end, part, self.flags, Hits::default()).map_err(stop)?;
                end
            }
            State::InString => self.report_part(end, self.carry.escaped == 1)?,
            State::InName => {
                wants = Wants::Quote;
                self.lexer.state = self.before_name;
                self.open_at - 1
            }
            _ => end,
        };
        let is_complete = match self.lexer.state {
            State::Ended => {
                self.note_line(end);
                true
            }
            State::Root => !matches!(mode, Mode::Document | Mode::Lines),
            _ => false,
        };
        self.end(Progress { need_from, wants }, is_complete)
    }

    /// Everything that is here was read.
    fn end(&self, progress: Progress, is_complete: bool) -> Result<Progress, Fault<V::Stop>> {
        let kind = match self.wrong {
            None if self.last && !is_complete => SyntaxKind::UnexpectedEnd,
            None => return Ok(progress),
            Some(kind) => kind,
        };
        let error = SyntaxError { kind, at: self.buf.len() };
        Err(Fault { need_from: progress.need_from, cause: Cause::Syntax(error) })
    }

    /// Reports what is there of the open string value.
    fn report_part(&mut self, end: usize, is_escaped: bool) -> Result<usize, Fault<V::Stop>> {
        let body = &self.buf[self.open_at..end];
        let whole = cut(body, is_escaped);
        if whole < body.len() {
            // The flags speak of the escape that was cut off, too.
            self.flags = self.flags.without_escapes() | escape_flags(&body[..whole]);
        }
        let end = self.open_at + whole;
        let is_first = !std::mem::replace(&mut self.lexer.has_part, true);
        let part = if is_first { Part::First } else { Part::Middle };
        let begin = self.open_at - usize::from(is_first);
        let stop = |stop| Fault { need_from: begin, cause: Cause::Stop(stop) };
        self.visitor.string(self.open_at..end, part, self.flags, Hits::default()).map_err(stop)
    }
}

/// Where the windows beside the filter's may hold in a block. Apart, as it is seldom asked.
#[inline(never)]
fn more_candidates<A: Vector>(extra: Option<&Extra>, text: &[u8; 64 + SPAN], mut words: WordCarry) -> u64 {
    arch::candidates::<A>(&NOTHING, extra, text).reported(&mut words).0
}

/// Takes the first bit out of `bits`.
#[inline(always)]
fn take_first(bits: &mut u64) -> Option<usize> {
    let bit = (*bits != 0).then_some(bits.trailing_zeros() as usize);
    *bits &= bits.wrapping_sub(1);
    bit
}

/// Takes the first bit out of `bits`, unless it is one of `bad`.
#[inline(always)]
fn take_good(bits: &mut u64, bad: u64) -> Option<usize> {
    let bit = bits.trailing_zeros() as usize;
    if *bits == 0 || bad >> bit & 1 == 1 {
        return None;
    }
    *bits &= *bits - 1;
    Some(bit)
}

/// What is wrong at a byte inside a string.
#[cold]
fn bad_in_string<S>(is_escaped: bool, at: usize) -> Halt<S> {
    Halt::Wrong(if is_escaped { SyntaxKind::InvalidEscape } else { SyntaxKind::ControlInString }, at)
}

/// Masks that become [`StringFlags`].
#[derive(Clone, Copy)]
struct Marks {
    /// Those of any kind.
    any: u64,
    escape: u64,
    unicode: u64,
    non_ascii: u64,
    candidate: u64,
}

impl Marks {
    #[inline(always)]
    fn within(&self, range: u64) -> StringFlags {
        StringFlags::when(StringFlags::ESCAPE, self.escape & range)
            | StringFlags::when(StringFlags::UNICODE_ESCAPE, self.unicode & range)
            | StringFlags::when(StringFlags::NON_ASCII, self.non_ascii & range)
            | StringFlags::when(StringFlags::CANDIDATE, self.candidate & range)
    }
}
