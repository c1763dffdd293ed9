//! The lexer of whole documents, without a filter.

use obelus_json::filter::Filter;
use obelus_json::{Arch, Bracket, Cause, Hits, Lexer, Mode, Part, Scalar, StringFlags, Visitor};
use std::convert::Infallible;
use std::ops::Range;

/// Containers open at once, as for the engine.
pub(crate) const DEPTH_MAX: usize = 1024;

/// What every run of the lexer needs.
pub(crate) struct Lex {
    pub(crate) arch: Arch,
    pub(crate) filter: Filter,
}

impl Lex {
    pub(crate) fn new() -> Lex {
        Lex { arch: Arch::detect(), filter: Filter::new(&[]) }
    }

    /// Reads one whole document.
    pub(crate) fn run<V: Visitor>(&self, doc: &[u8], visitor: &mut V) -> Result<(), Cause<V::Stop>> {
        let mut lexer = Lexer::new(Mode::Document, DEPTH_MAX);
        lexer.run(self.arch, &self.filter, doc, true, visitor).map(|_| ()).map_err(|fault| fault.cause)
    }

    /// Where the strings and scalars of a document stand, quotation marks included. Nothing for what is none.
    pub(crate) fn leaves(&self, doc: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut leaves = Leaves(Vec::new());
        self.run(doc, &mut leaves).ok()?;
        Some(leaves.0)
    }
}

struct Leaves(Vec<Range<usize>>);

impl Visitor for Leaves {
    type Stop = Infallible;

    fn open(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn close(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn name(&mut self, _: Range<usize>, _: StringFlags, _: Hits<'_>) -> Result<(), Infallible> {
        Ok(())
    }

    fn string(
        &mut self,
        body: Range<usize>,
        _: Part,
        _: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, Infallible> {
        self.0.push(body.start - 1..body.end + 1);
        Ok(body.end)
    }

    fn scalar(&mut self, _: Scalar, span: Range<usize>) -> Result<(), Infallible> {
        self.0.push(span);
        Ok(())
    }

    fn document(&mut self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }
}
