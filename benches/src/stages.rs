//! Where the time goes: the same input read with ever more of the engine.

use crate::input::Input;
use obelus::{CarryOver, NullSink, Redactor};
use obelus_detect::Detectors;
use obelus_json::filter::Filter;
use obelus_json::{Arch, Bracket, Hits, Lexer, Mode, Part, Scalar, StringFlags, Visitor};
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::ops::Range;

/// A part of the engine, with all that comes before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Validation of UTF-8.
    Utf8,
    /// And the lexer: masks, grammar, lexemes told to somebody who does not listen.
    Lexer,
    /// And the filter of every detector in the same pass.
    Filter,
    /// And the engine around: frames, rules over names, one detector that finds nothing here.
    Names,
    /// And every detector.
    Detectors,
    /// And the search for values shown before.
    CarryOver,
    /// And the output, into a vector that is used again.
    Output,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 7] = [
        Stage::Utf8,
        Stage::Lexer,
        Stage::Filter,
        Stage::Names,
        Stage::Detectors,
        Stage::CarryOver,
        Stage::Output,
    ];

    /// What it adds to the one before.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Utf8 => "UTF-8",
            Stage::Lexer => "lexer",
            Stage::Filter => "filter",
            Stage::Names => "names and frames",
            Stage::Detectors => "detectors",
            Stage::CarryOver => "carry-over",
            Stage::Output => "output",
        }
    }
}

/// What stages need, built once.
pub struct Stages {
    arch: Arch,
    nothing: Filter,
    detectors: Detectors,
    names: Redactor,
    without_carry_over: Redactor,
    all: Redactor,
    output: Vec<u8>,
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stages").finish_non_exhaustive()
    }
}

impl Stages {
    /// Builds the parts.
    ///
    /// # Errors
    /// A configuration that the engine refuses.
    pub fn new() -> Result<Stages, Box<dyn Error>> {
        let off = CarryOver::Off;
        Ok(Stages {
            arch: Arch::detect(),
            nothing: Filter::new(&[]),
            detectors: Detectors::new(|_| true),
            names: Redactor::builder().detectors(&["aws-access-key-id"]).carry_over(off).build()?,
            without_carry_over: Redactor::builder().carry_over(off).build()?,
            all: Redactor::builder().build()?,
            output: Vec::new(),
        })
    }

    /// Reads the input up to that stage. Returns how many documents were seen, or bytes written by the last stage.
    ///
    /// # Errors
    /// Input that is no JSON.
    pub fn run(&mut self, stage: Stage, input: &Input, chunk: usize) -> Result<usize, Box<dyn Error>> {
        match stage {
            Stage::Utf8 => Ok(simdutf8::basic::from_utf8(&input.bytes).map(|_| input.documents.len())?),
            Stage::Lexer => lex(self.arch, &self.nothing, input, chunk),
            Stage::Filter => lex(self.arch, self.detectors.filter(), input, chunk),
            Stage::Names => read(&self.names, input, chunk),
            Stage::Detectors => read(&self.without_carry_over, input, chunk),
            Stage::CarryOver => read(&self.all, input, chunk),
            Stage::Output => {
                self.output.clear();
                let mut stream = self.all.stream();
                for chunk in input.bytes.chunks(chunk) {
                    stream.push(chunk, &mut self.output)?;
                }
                stream.finish(&mut self.output)?;
                Ok(self.output.len())
            }
        }
    }
}

fn read(redactor: &Redactor, input: &Input, chunk: usize) -> Result<usize, Box<dyn Error>> {
    let mut stream = redactor.stream();
    for chunk in input.bytes.chunks(chunk) {
        stream.push(chunk, &mut NullSink)?;
    }
    let documents = stream.documents();
    stream.finish(&mut NullSink)?;
    Ok(usize::try_from(documents)?)
}

/// Presents each chunk with what was needed of the one before.
fn lex(arch: Arch, filter: &Filter, input: &Input, chunk: usize) -> Result<usize, Box<dyn Error>> {
    let (mut lexer, mut count) = (Lexer::new(Mode::Sequence, 1024), Count::default());
    let (mut at, mut end) = (0, 0);
    while end < input.bytes.len() {
        end = input.bytes.len().min(end.saturating_add(chunk));
        let buf = &input.bytes[at..end];
        let run = lexer.run(arch, filter, buf, end == input.bytes.len(), &mut count);
        at += run.map_err(|fault| format!("{:?}", fault.cause))?.need_from;
    }
    Ok(count.documents)
}

/// Counts what it is told of.
#[derive(Default)]
struct Count {
    documents: usize,
    candidates: usize,
}

impl Visitor for Count {
    type Stop = Infallible;

    fn open(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn close(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn name(&mut self, _: Range<usize>, flags: StringFlags, _: Hits<'_>) -> Result<(), Infallible> {
        self.candidates += usize::from(flags.contains(StringFlags::CANDIDATE));
        Ok(())
    }

    fn string(
        &mut self,
        body: Range<usize>,
        _: Part,
        flags: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, Infallible> {
        self.candidates += usize::from(flags.contains(StringFlags::CANDIDATE));
        Ok(body.end)
    }

    fn scalar(&mut self, _: Scalar, _: Range<usize>) -> Result<(), Infallible> {
        Ok(())
    }

    fn document(&mut self, _: usize) -> Result<(), Infallible> {
        self.documents += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Mix;
    use obelus_corpora::Kind;

    #[test]
    fn every_stage_sees_every_document() {
        let mut stages = Stages::new().unwrap();
        for kind in [Kind::StripeList, Kind::Events, Kind::Chat, Kind::Clean, Kind::Dense] {
            let input = Input::new(Mix::Plain(kind), 100_000);
            for stage in Stage::ALL {
                let seen = stages.run(stage, &input, 4096).unwrap();
                if stage == Stage::Output {
                    assert!(seen.abs_diff(input.bytes.len()) < input.bytes.len() / 2);
                } else {
                    assert_eq!(seen, input.documents.len(), "{stage:?} {kind:?}");
                }
            }
        }
    }
}
