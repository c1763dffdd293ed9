//! Why a run ends early.

use std::fmt;

/// A run ended early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault<S> {
    /// Where the lexeme begins that was not reported, or not taken; everything before it was. Inside a string
    /// value it is what the visitor answered to the last part.
    pub need_from: usize,
    /// Why.
    pub cause: Cause<S>,
}

/// Why a run ended early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause<S> {
    /// The input is not what the mode accepts.
    Syntax(SyntaxError),
    /// The visitor stopped it.
    Stop(S),
}

/// What is wrong, and where in the buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: SyntaxKind,
    /// The offset of the byte that shows it.
    pub at: usize,
}

/// What is wrong with the input.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SyntaxKind {
    /// A byte that may not stand here.
    UnexpectedByte,
    /// The input ends in the middle.
    UnexpectedEnd,
    /// Not UTF-8.
    InvalidUtf8,
    /// A control character in a string.
    ControlInString,
    /// A backslash before something that it does not escape.
    InvalidEscape,
    /// Not a number of RFC 8259.
    InvalidNumber,
    /// None of `true`, `false`, `null`.
    InvalidLiteral,
    /// Too many containers open at once.
    Depth,
    /// Something behind the one document.
    TrailingBytes,
}

impl fmt::Display for SyntaxKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SyntaxKind::UnexpectedByte => "unexpected byte",
            SyntaxKind::UnexpectedEnd => "unexpected end of input",
            SyntaxKind::InvalidUtf8 => "invalid UTF-8",
            SyntaxKind::ControlInString => "control character in a string",
            SyntaxKind::InvalidEscape => "invalid escape in a string",
            SyntaxKind::InvalidNumber => "invalid number",
            SyntaxKind::InvalidLiteral => "invalid literal",
            SyntaxKind::Depth => "depth limit exceeded",
            SyntaxKind::TrailingBytes => "bytes behind the document",
        })
    }
}
