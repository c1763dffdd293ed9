//! What can end a stream.

use obelus_json::SyntaxKind;
use std::fmt;

/// Why a stream ended before its end. Holds a kind and a place, never input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    offset: u64,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is not what the format says.
    Syntax(SyntaxKind),
    /// The input is UTF-16 or UTF-32.
    Encoding,
    /// A member name or number is longer than the hold allows.
    Hold,
    /// A document that is to be read twice is longer than allowed.
    Document,
    /// The names on the way to a value are longer than allowed, taken together.
    Path,
    /// A body of `multipart/form-data` that readers could understand differently, or none.
    Multipart,
    /// A part of a media type, charset or coding that is not read.
    Media,
    /// The sink refused; only [`PushError::Sink`] says why.
    Sink,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, offset: u64) -> Error {
        Error { kind, offset }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The offset in the stream of the byte that shows it.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Syntax(kind) => write!(f, "{kind}")?,
            ErrorKind::Encoding => f.write_str("input is UTF-16 or UTF-32, not UTF-8")?,
            ErrorKind::Hold => f.write_str("member name or number exceeds the hold limit")?,
            ErrorKind::Document => f.write_str("input exceeds what is held to be read twice")?,
            ErrorKind::Path => f.write_str("member names on the path exceed the path limit")?,
            ErrorKind::Multipart => f.write_str("not a plain multipart/form-data body")?,
            ErrorKind::Media => f.write_str("part of a media type, charset or coding that is not read")?,
            ErrorKind::Sink => f.write_str("sink refused output")?,
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl std::error::Error for Error {}

/// Why a push did not succeed: the stream's own error or the sink's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PushError<E> {
    /// The stream's.
    Redact(Error),
    /// The sink's.
    Sink(E),
}

impl<E: fmt::Display> fmt::Display for PushError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::Redact(error) => error.fmt(f),
            PushError::Sink(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for PushError<E> {}
