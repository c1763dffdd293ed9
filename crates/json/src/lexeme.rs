//! What the lexer tells its visitor.

use crate::filter::Extra;
use std::ops::{BitOr, BitOrAssign, Range};

/// Which container.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bracket {
    /// `{` and `}`.
    Object,
    /// `[` and `]`.
    Array,
}

/// Which scalar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scalar {
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Literal,
}

/// Which part of a string value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The beginning; the end has not come yet.
    First,
    /// Neither the beginning nor the end.
    Middle,
    /// The end; the beginning was reported before.
    Last,
}

/// What a string body holds, as far as the block scan sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StringFlags(u8);

impl StringFlags {
    /// A backslash.
    pub const ESCAPE: StringFlags = StringFlags(1);
    /// A `\u` escape.
    pub const UNICODE_ESCAPE: StringFlags = StringFlags(2);
    /// A byte above 0x7F.
    pub const NON_ASCII: StringFlags = StringFlags(4);
    /// A position at which the filter reports a bucket. May be set without need, is never missing.
    ///
    /// The filter sees what the buffer holds behind the body, too, and zero bytes behind the buffer. Near the end
    /// of a part that is not the last it may therefore miss what only later bytes complete: present those bytes
    /// again.
    pub const CANDIDATE: StringFlags = StringFlags(8);

    /// Whether nothing was seen.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` was seen.
    #[inline]
    pub fn contains(self, other: StringFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` was seen.
    #[inline]
    pub fn any(self, other: StringFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// What either saw; also `|`.
    #[inline]
    #[must_use]
    pub fn union(self, other: StringFlags) -> StringFlags {
        StringFlags(self.0 | other.0)
    }

    /// Without what is said of escapes.
    pub(crate) fn without_escapes(self) -> StringFlags {
        StringFlags(self.0 & !(StringFlags::ESCAPE.0 | StringFlags::UNICODE_ESCAPE.0))
    }

    /// `flag` if `bits` has any bit, else nothing.
    #[inline(always)]
    pub(crate) fn when(flag: StringFlags, bits: u64) -> StringFlags {
        if bits == 0 { StringFlags(0) } else { flag }
    }
}

impl BitOr for StringFlags {
    type Output = StringFlags;

    #[inline]
    fn bitor(self, other: StringFlags) -> StringFlags {
        self.union(other)
    }
}

impl BitOrAssign for StringFlags {
    #[inline]
    fn bitor_assign(&mut self, other: StringFlags) {
        self.0 |= other.0;
    }
}

/// Where in a name or string value the filter reports buckets: offsets in the buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hits<'h>(pub(crate) Option<&'h [usize]>);

impl<'h> Hits<'h> {
    /// All of them, in order, and perhaps some more; none if the string is not whole or there are too many to keep.
    ///
    /// The filter sees what stands behind the string, too: a hit near its end may be none of the string alone.
    #[inline]
    pub fn all(self) -> Option<&'h [usize]> {
        self.0
    }
}

/// Is told, in order, what a buffer holds. All offsets are in the buffer of the run.
pub trait Visitor {
    /// What makes a visitor stop the run.
    type Stop;

    /// Windows beside those of the filter. What is added to them while the visitor is told of a lexeme counts from that
    /// lexeme's end on.
    #[inline]
    fn extra(&self) -> Option<&Extra> {
        None
    }

    /// A number that changes when windows are added.
    #[inline]
    fn extra_version(&self) -> u64 {
        0
    }

    /// A container opens at `at`.
    fn open(&mut self, bracket: Bracket, at: usize) -> Result<(), Self::Stop>;

    /// A container closes at `at`.
    fn close(&mut self, bracket: Bracket, at: usize) -> Result<(), Self::Stop>;

    /// A member name, always whole; `body` is what stands between the quotation marks.
    fn name(&mut self, body: Range<usize>, flags: StringFlags, hits: Hits<'_>) -> Result<(), Self::Stop>;

    /// A string value or a part of it; `flags` speak of exactly this range. A part that is not the last ends
    /// neither inside an escape or a character nor between the halves of a surrogate pair.
    ///
    /// For [`Part::First`] and [`Part::Middle`] the answer is the offset from which the value must be presented
    /// again: anywhere in `body`, its end included, where such a part could end. For the others it is not used.
    fn string(
        &mut self,
        body: Range<usize>,
        part: Part,
        flags: StringFlags,
        hits: Hits<'_>,
    ) -> Result<usize, Self::Stop>;

    /// A number or literal, always whole.
    fn scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), Self::Stop>;

    /// A root value has ended before `at`.
    fn document(&mut self, at: usize) -> Result<(), Self::Stop>;
}
