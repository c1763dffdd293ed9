//! One input through one stream: the loop that `redact` and `scan` share.

use crate::args::FlowArgs;
use crate::choice::Redactors;
use crate::failure::{Failure, Outcome};
use crate::findings::Findings;
use crate::input::{CHUNK_BYTES, Input};
use crate::output::{Output, Staged};
use crate::place;
use crate::report::{Progress, Tally};
use obelus::{Error, ErrorKind, Finding, Format, PushError, Sink, SyntaxKind};
use std::io::{self, Write};

/// The state of a run over one or more inputs.
pub(crate) struct Flow<'a> {
    args: &'a FlowArgs,
    redactors: Redactors,
    buf: Vec<u8>,
    pub(crate) doors: Doors,
}

/// The ways out, and the count of what passes.
#[derive(Default)]
pub(crate) struct Doors {
    /// `None` when only findings are wanted.
    pub(crate) output: Option<Output>,
    /// `None` when nobody wants them.
    pub(crate) findings: Option<Findings>,
    pub(crate) tally: Tally,
}

/// Why a run stops.
#[derive(Debug)]
pub(crate) enum Stop {
    Failure(Failure),
    /// Whoever reads standard output has seen enough.
    Closed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}

impl<'a> Flow<'a> {
    /// Checks the configuration.
    pub(crate) fn new(args: &'a FlowArgs) -> Result<Flow<'a>, Failure> {
        Ok(Flow {
            args,
            redactors: Redactors::new(args)?,
            buf: vec![0; CHUNK_BYTES],
            doors: Doors::default(),
        })
    }

    /// Reads `input` to its end.
    pub(crate) fn run(&mut self, mut input: Input) -> Result<(), Stop> {
        let result = self.push_all(&mut input);
        // What was handed on before an error is safe and must not be lost in a buffer.
        let flushed = self.doors.flush();
        result.and(flushed)
    }

    /// How a run ends that did not fail.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.args.fail && self.doors.tally.findings() > 0 { Outcome::Found } else { Outcome::Done }
    }

    fn push_all(&mut self, input: &mut Input) -> Result<(), Stop> {
        let (told, filled) = input.begin(self.args.format, &mut self.buf)?;
        // Where only findings are wanted, nothing leaves behind the one document; a file of several is read
        // through, if each begins on a line of its own.
        let format = match told {
            Format::Json if self.doors.output.is_none() => Format::Lines,
            told => told,
        };
        let mut stream = self.redactors.get(format)?.stream();
        let progress = Progress::new(self.args.progress, input);
        let mut chunk = &self.buf[..filled];
        loop {
            self.doors.tally.bytes += chunk.len() as u64;
            progress.advance(chunk.len() as u64);
            stream.push(chunk, &mut self.doors).map_err(|error| self.doors.stop(error, input, format))?;
            if input.is_live() {
                self.doors.flush()?;
            }
            chunk = input.read(&mut self.buf)?;
            if chunk.is_empty() {
                break;
            }
        }
        stream.finish(&mut self.doors).map_err(|error| self.doors.stop(error, input, format))
    }
}

/// Which door refused, and why.
pub(crate) enum Refusal {
    Output(io::Error),
    Findings(io::Error),
}

impl Sink for Doors {
    type Error = Refusal;

    fn keep(&mut self, input: &[u8]) -> Result<(), Refusal> {
        match &mut self.output {
            Some(output) => output.write_all(input).map_err(Refusal::Output),
            None => Ok(()),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.keep(bytes)
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Refusal> {
        match finding.allowed {
            true => self.tally.allowed += 1,
            false => self.tally.count(finding.category),
        }
        let Some(findings) = &mut self.findings else { return Ok(()) };
        match findings.write(finding) {
            Ok(()) => Ok(()),
            Err(error) if self.can_go_on(&error) => Ok(()),
            Err(error) => Err(Refusal::Findings(error)),
        }
    }
}

impl Doors {
    /// Closes the output of one input.
    pub(crate) fn close_output(&mut self) -> Result<Option<Staged>, Stop> {
        self.flush()?;
        Ok(self.output.take().and_then(Output::into_staged))
    }

    /// Closes the findings of all inputs.
    pub(crate) fn close_findings(&mut self) -> Result<Option<Staged>, Stop> {
        self.flush()?;
        Ok(self.findings.take().and_then(|findings| findings.output.into_staged()))
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if let Some(output) = &mut self.output
            && let Err(error) = output.flush()
        {
            return Err(self.refused(Refusal::Output(error)));
        }
        if let Some(findings) = &mut self.findings
            && let Err(error) = findings.output.flush()
            && !self.can_go_on(&error)
        {
            return Err(self.refused(Refusal::Findings(error)));
        }
        Ok(())
    }

    /// When nobody reads the findings any more, the redacted file is still wanted.
    fn can_go_on(&mut self, error: &io::Error) -> bool {
        let is_left = self.findings.as_ref().is_some_and(|findings| findings.output.is_left(error));
        let goes_on = is_left && self.output.is_some();
        if goes_on {
            self.findings = None;
        }
        goes_on
    }

    fn refused(&self, refusal: Refusal) -> Stop {
        let (output, error) = match &refusal {
            Refusal::Output(error) => (self.output.as_ref(), error),
            Refusal::Findings(error) => (self.findings.as_ref().map(|findings| &findings.output), error),
        };
        let failure = match output {
            Some(output) => output.failure(error),
            None => Some(Failure::io("output", "write it", error)),
        };
        failure.map_or(Stop::Closed, Stop::Failure)
    }

    fn stop(&self, error: PushError<Refusal>, input: &Input, format: Format) -> Stop {
        match error {
            PushError::Sink(refusal) => self.refused(refusal),
            PushError::Redact(error) => Stop::Failure(self.explain(error, input, format)),
        }
    }

    /// One line: where, what, what to do, what became of the output.
    fn explain(&self, error: Error, input: &Input, format: Format) -> Failure {
        let place = input.regular.as_deref().and_then(|path| place::locate(path, error.offset()));
        let position = match &place {
            Some(place) => format!(" (line {}, column {})", place.line, place.column),
            None => String::new(),
        };
        let line =
            format!("{}: {error}{position}: {}; {}", input.name, advice(error.kind(), format), self.state());
        Failure::data(line).with_picture(place.map(|place| place.picture))
    }

    /// What became of the output.
    fn state(&self) -> &'static str {
        match &self.output {
            Some(output) if output.is_staged() => "nothing was written",
            Some(_) => "the output up to there is safe but incomplete",
            None => "findings beyond it are missing",
        }
    }
}

/// What the user can do about an error.
fn advice(kind: ErrorKind, format: Format) -> &'static str {
    match (kind, format) {
        (ErrorKind::Syntax(SyntaxKind::InvalidUtf8) | ErrorKind::Encoding, _) => "convert the input to UTF-8",
        (ErrorKind::Syntax(SyntaxKind::Depth), _) => "flatten the input",
        (ErrorKind::Syntax(_), Format::Json | Format::Lines) => {
            "mend the input, or say --format ndjson for several documents, text for plain text"
        }
        (ErrorKind::Syntax(_), _) => "mend the input, or say --format text for plain text",
        (ErrorKind::Multipart, _) => "give the body alone, from its first boundary to its last",
        (ErrorKind::Media, _) => "take the part out: it cannot be read",
        (ErrorKind::Hold, Format::Multipart) => "shorten the headers of the part",
        (ErrorKind::Path, Format::Form | Format::Multipart) => {
            "split the form: its names take too much to remember"
        }
        (ErrorKind::Document, _) => "say --carry-over forward, which reads it once, or give documents apart",
        (ErrorKind::Hold | ErrorKind::Path, _) => "shorten the member name or number",
        _ => "run it again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_comes_with_advice() {
        let syntax = ErrorKind::Syntax(SyntaxKind::UnexpectedByte);
        assert!(advice(syntax, Format::Json).contains("--format ndjson"));
        assert!(!advice(syntax, Format::Sequence).contains("ndjson"));
        assert!(advice(ErrorKind::Encoding, Format::Json).contains("UTF-8"));
        assert!(advice(ErrorKind::Hold, Format::Json).contains("shorten"));
        assert!(advice(ErrorKind::Document, Format::Json).contains("--carry-over forward"));
    }

    #[test]
    fn what_is_found_is_counted_without_a_door() {
        let mut doors = Doors::default();
        let finding = Finding {
            doc: 0,
            path: "",
            category: obelus::Category::Email,
            rule: "email",
            span: obelus::Span { start: 0, end: 1 },
            chars: obelus::Span { start: 0, end: 1 },
            allowed: false,
            reason: None,
        };
        assert!(doors.found(&finding).is_ok());
        assert!(doors.keep(b"x").is_ok());
        assert!(doors.found(&Finding { allowed: true, ..finding }).is_ok());
        assert_eq!((doors.tally.findings(), doors.tally.allowed), (1, 1));
    }
}
