//! The lexer between runs.
//!
//! Invariants:
//!  (a) The state is that of `need_from`: everything before it was reported, nothing from it on, but for the
//!      parts of an open string value.
//!  (b) `need_from` lies before an open name or scalar, or inside an open string value, never inside a
//!      character or an escape.

use crate::arch::{Arch, Vector};
use crate::error::Fault;
use crate::filter::Filter;
use crate::lexeme::{Bracket, Visitor};
use crate::run::Run;

/// What a run accepts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// One RFC 8259 text and nothing else.
    Document,
    /// One or more RFC 8259 texts, each begun on a line of its own.
    Lines,
    /// Any number of texts: NDJSON, concatenated.
    Sequence,
    /// The decoded text of a string: any number of containers. Strings may hold control characters and
    /// backslashes that escape nothing; the text is known to be UTF-8. A scalar is reported once the byte behind
    /// it shows that it is one.
    Embedded,
}

/// How far a run got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Bytes before this are done with; present the buffer again from here, with more.
    pub need_from: usize,
    /// What must arrive before another run gets further.
    pub wants: Wants,
}

/// What must arrive before another run gets further.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wants {
    /// Anything.
    #[default]
    Any,
    /// A quotation mark: a name is open.
    Quote,
    /// What ends a scalar.
    Delimiter,
}

/// What may come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// A root value, or nothing.
    Root,
    /// Nothing: the one document has ended, or the line of a document has not.
    Ended,
    Value,
    /// A value or `]`.
    FirstElement,
    /// A name or `}`.
    FirstName,
    Name,
    Colon,
    /// `,` or the closing bracket.
    Comma,
    /// Inside a name: only during a run.
    InName,
    /// Inside a string value.
    InString,
}

impl State {
    /// Whether a quotation mark opens a name or a value in a container.
    #[inline(always)]
    pub(crate) fn takes_string(self) -> bool {
        matches!(self, State::Value | State::FirstElement | State::FirstName | State::Name)
    }

    /// What is open then.
    #[inline(always)]
    pub(crate) fn opened(self) -> State {
        if matches!(self, State::FirstName | State::Name) { State::InName } else { State::InString }
    }

    /// Whether a name or string value is open.
    #[inline(always)]
    pub(crate) fn is_in_string(self) -> bool {
        matches!(self, State::InName | State::InString)
    }
}

/// The state between runs.
#[derive(Clone, Debug)]
pub struct Lexer {
    pub(crate) mode: Mode,
    pub(crate) state: State,
    /// Whether a part of the open string value was reported.
    pub(crate) has_part: bool,
    /// Whether the innermost container is an array.
    pub(crate) in_array: bool,
    /// Whether a line has ended since the last document did.
    pub(crate) has_line: bool,
    depth: usize,
    depth_max: usize,
    /// For each open container, whether it is an array: bit `i % 64` of word `i / 64`.
    arrays: Vec<u64>,
}

impl Lexer {
    /// A lexer before the first byte. `depth_max` bounds the containers open at once.
    pub fn new(mode: Mode, depth_max: usize) -> Lexer {
        Lexer {
            mode,
            state: State::Root,
            has_part: false,
            in_array: false,
            has_line: false,
            depth: 0,
            depth_max,
            arrays: Vec::new(),
        }
    }

    /// Begins anew; keeps the memory.
    pub fn reset(&mut self) {
        self.state = State::Root;
        self.has_part = false;
        self.in_array = false;
        self.has_line = false;
        self.depth = 0;
    }

    /// Whether the next buffer begins inside a string value.
    pub fn is_in_string(&self) -> bool {
        self.state == State::InString
    }

    /// Reads `buf`, which begins where the last run said, and reports what it holds. `last` says that nothing
    /// comes after it.
    ///
    /// # Errors
    /// Input that the mode does not accept, or the visitor's own stop. The lexer must not be run again then.
    #[inline]
    pub fn run<V: Visitor>(
        &mut self,
        arch: Arch,
        filter: &Filter,
        buf: &[u8],
        last: bool,
        visitor: &mut V,
    ) -> Result<Progress, Fault<V::Stop>> {
        arch.run(self, filter, buf, last, visitor)
    }

    #[inline(always)]
    pub(crate) fn run_with<A: Vector, V: Visitor>(
        &mut self,
        filter: &Filter,
        buf: &[u8],
        last: bool,
        visitor: &mut V,
    ) -> Result<Progress, Fault<V::Stop>> {
        Run::new(self, buf, last, visitor).read::<A>(filter)
    }

    /// Goes into a container; false if there are too many.
    #[inline(always)]
    pub(crate) fn push(&mut self, bracket: Bracket) -> bool {
        if self.depth == self.depth_max {
            return false;
        }
        self.in_array = bracket == Bracket::Array;
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.arrays.len() {
            self.arrays.push(0);
        }
        self.arrays[word] = self.arrays[word] & !(1 << bit) | u64::from(self.in_array) << bit;
        self.depth += 1;
        true
    }

    /// Leaves the innermost container. There must be one.
    #[inline(always)]
    pub(crate) fn pop(&mut self) {
        self.depth -= 1;
        self.in_array = match self.depth.checked_sub(1) {
            Some(top) => self.arrays[top / 64] >> (top % 64) & 1 == 1,
            None => false,
        };
    }

    /// What may come behind a value.
    #[inline(always)]
    pub(crate) fn behind_value(&self) -> State {
        match self.mode {
            _ if self.depth > 0 => State::Comma,
            Mode::Document | Mode::Lines => State::Ended,
            Mode::Sequence | Mode::Embedded => State::Root,
        }
    }
}
