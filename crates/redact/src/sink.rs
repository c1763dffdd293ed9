//! Where output goes.

use crate::Finding;
use obelus_detect::Category;
use std::convert::Infallible;
use std::io;

/// Receives the output and the findings of a stream.
///
/// `keep` and `put`, concatenated in call order, are the output. Whatever a sink was given is final and safe to
/// pass on at once.
pub trait Sink {
    /// Why the sink could not take something. The stream ends with it.
    type Error;

    /// Takes bytes that leave unchanged: a slice of the chunk being pushed.
    fn keep(&mut self, input: &[u8]) -> Result<(), Self::Error>;

    /// Takes bytes that are not in the current chunk: replacements, and input that was held.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Takes a finding. Findings come in input order; never with the value.
    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Self::Error> {
        let _ = finding;
        Ok(())
    }

    /// Appends what stands in place of a value whose category has the transform
    /// [`Token`](crate::Transform::Token), and says whether it did; the label stands there otherwise. `rule` is the
    /// rule that decided, as in [`Finding::rule`]; `value` is the decoded text; what is appended is text as well, and is escaped for its place.
    ///
    /// Where tokens are made, text of their form is asked about too, as [`Category::TokenLike`].
    fn surrogate(&mut self, rule: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        let _ = (rule, category, value, out);
        false
    }

    /// Whether `found` does anything. If not, the engine need not make findings, which takes time where there
    /// are many.
    fn wants_findings(&self) -> bool {
        true
    }

    /// Whether findings shall say what decided; asking the rules again takes time.
    fn wants_reasons(&self) -> bool {
        false
    }
}

impl Sink for Vec<u8> {
    type Error = Infallible;

    fn keep(&mut self, input: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(input);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn wants_findings(&self) -> bool {
        false
    }
}

/// Writes the output to an [`io::Write`]; findings are dropped.
#[derive(Debug)]
pub struct WriteSink<W>(pub W);

impl<W: io::Write> Sink for WriteSink<W> {
    type Error = io::Error;

    fn keep(&mut self, input: &[u8]) -> io::Result<()> {
        self.0.write_all(input)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn wants_findings(&self) -> bool {
        false
    }
}

/// Drops everything: for measuring, and for callers who want the error only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSink;

impl Sink for NullSink {
    type Error = Infallible;

    fn keep(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn wants_findings(&self) -> bool {
        false
    }
}
