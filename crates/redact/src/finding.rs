//! What was found, without the value.

use obelus_detect::Category;
use obelus_fields::Reason;

/// A half-open range. What it counts is said where it is used.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Span {
    /// The first position.
    pub start: u64,
    /// The position behind the last.
    pub end: u64,
}

impl Span {
    /// How many positions the span covers.
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether the span covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A place and the rule that found it. Never the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finding<'a> {
    /// Ordinal of the document in the stream, from 0.
    pub doc: u64,
    /// RFC 6901 pointer to the value; `#` opens JSON found inside a string. A member name that held a finding
    /// stands in its redacted form. For a finding in a member name: the pointer of that member.
    pub path: &'a str,
    /// What it is.
    pub category: Category,
    /// The rule that decided.
    pub rule: &'a str,
    /// Bytes in the raw input, absolute in the stream.
    pub span: Span,
    /// Unicode code points in the decoded string (of the innermost string that holds it).
    pub chars: Span,
    /// Whether an allow-list let it stay: then it is in the output as it was.
    pub allowed: bool,
    /// What decided, if a rule over names did and the sink [wants reasons](crate::Sink::wants_reasons);
    /// [`Redactor::describe`](crate::Redactor::describe) puts it into words.
    pub reason: Option<Reason>,
}
