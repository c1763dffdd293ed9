//! One input through one stream: the loop that `redact` and `scan` share.

use crate::args::FlowArgs;
use crate::choice::Redactors;
use crate::failure::{Failure, Outcome};
use crate::findings::Findings;
use crate::groups::{GROUP_BYTES, Groups};
use crate::input::{CHUNK_BYTES, Input};
use crate::output::{Output, Staged};
use crate::overlap::Next;
use crate::parallel::{Parallel, Rest, Taken};
use crate::place;
use crate::report::{Progress, Tally};
use obelus::{CarryOver, Error, ErrorKind, Finding, Format, PushError, Sink, Stream, SyntaxKind};
use std::io::{self, Write};
use std::thread;

/// The state of a run over one or more inputs.
pub(crate) struct Flow<'a> {
    args: &'a FlowArgs,
    redactors: Redactors,
    threads: usize,
    /// How long a group is, and half of a file that is worth threads.
    group_bytes: usize,
    /// Made when first needed.
    parallel: Option<Parallel>,
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
            threads: args
                .threads
                .map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from),
            group_bytes: GROUP_BYTES,
            parallel: None,
            buf: vec![0; CHUNK_BYTES],
            doors: Doors::default(),
        })
    }

    /// Reads `input` to its end.
    pub(crate) fn run(&mut self, mut input: Input) -> Result<(), Stop> {
        let result = self.push_all(&mut input);
        // What another thread failed to write was on its way before whatever came then.
        let written = self.doors.settle();
        // What was handed on before an error is safe and must not be lost in a buffer.
        let flushed = self.doors.flush();
        written.and(result).and(flushed)
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
        let redactor = self.redactors.get(format)?;
        let progress = Progress::new(self.args.progress, input);
        let mut rest = Rest { pieces: vec![self.buf[..filled].to_vec()], ..Rest::default() };
        let is_long = input.size_bytes.is_some_and(|size_bytes| size_bytes > 2 * self.group_bytes as u64);
        if self.threads > 1 && is_long && can_divide(self.args, format) {
            let parallel = match self.parallel.take() {
                Some(parallel) => parallel,
                None => Parallel::new(self.threads)?,
            };
            let mut groups = Groups::new(&mut *input, &self.buf[..filled], self.group_bytes);
            let parallel = self.parallel.insert(parallel);
            match parallel.run(redactor, &mut groups, &progress, &mut self.doors)? {
                Some(left) => rest = left,
                None => return Ok(()),
            }
        }
        if self.threads > 1 && (is_long || input.is_live()) {
            self.doors.overlap(input)?;
        }
        let stream = redactor.stream_at(rest.offset, rest.documents);
        let mut one = One { input, format, progress: &progress, doors: &mut self.doors };
        one.push_rest(stream, rest, &mut self.buf)
    }
}

/// Whether documents of the input know nothing of each other, so that threads may share them.
fn can_divide(args: &FlowArgs, format: Format) -> bool {
    matches!(format, Format::Sequence | Format::Lines)
        // The limit of what is read twice is one of the input.
        && CarryOver::from(args.choice.carry_over) != CarryOver::Document
}

/// One stream over what is left of an input.
struct One<'f> {
    input: &'f mut Input,
    format: Format,
    progress: &'f Progress,
    doors: &'f mut Doors,
}

impl One<'_> {
    fn push_rest(&mut self, mut stream: Stream<'_>, rest: Rest, buf: &mut [u8]) -> Result<(), Stop> {
        for piece in &rest.pieces {
            push(&mut stream, piece, self.progress, self.doors)
                .map_err(|error| self.doors.stop(error, self.input, self.format))?;
        }
        if let Some(fault) = rest.fault {
            return Err(self.input.fault(&fault).into());
        }
        let is_live = self.input.is_live();
        loop {
            if is_live {
                self.doors.hand_on()?;
            }
            let result = match self.input.next(buf)? {
                Next::Chunk(chunk) => push(&mut stream, chunk, self.progress, self.doors),
                Next::End => break,
                Next::Rung => {
                    self.doors.settle()?;
                    continue;
                }
            };
            result.map_err(|error| self.doors.stop(error, self.input, self.format))?;
        }
        stream.finish(self.doors).map_err(|error| self.doors.stop(error, self.input, self.format))
    }
}

fn push(
    stream: &mut Stream<'_>,
    chunk: &[u8],
    progress: &Progress,
    doors: &mut Doors,
) -> Result<(), PushError<Refusal>> {
    doors.tally.bytes += chunk.len() as u64;
    progress.advance(chunk.len() as u64);
    stream.push(chunk, doors)
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
        self.tally.note(finding);
        let Some(findings) = &mut self.findings else { return Ok(()) };
        let result = findings.write(finding);
        self.unless_left(result)
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

    /// Reads ahead and writes behind from here on.
    fn overlap(&mut self, input: &mut Input) -> Result<(), Stop> {
        let bell = input.read_ahead()?;
        match &mut self.output {
            Some(output) => output.write_behind(bell).map_err(|error| self.refused(&Refusal::Output(error))),
            None => Ok(()),
        }
    }

    /// Room for what another thread makes.
    pub(crate) fn taken(&self, mut output: Vec<u8>) -> Taken {
        output.clear();
        Taken {
            output: self.output.is_some().then_some(output),
            lines: self.findings.as_ref().map(Findings::lines),
            tally: Tally::default(),
        }
    }

    /// Takes what another thread made of documents before which there were so many.
    pub(crate) fn take(&mut self, taken: &Taken, documents: u64) -> Result<(), Stop> {
        self.tally.add(&taken.tally);
        if let Some(bytes) = &taken.output {
            self.keep(bytes).map_err(|refusal| self.refused(&refusal))?;
        }
        if let (Some(findings), Some(lines)) = (&mut self.findings, &taken.lines) {
            let result = findings.write_lines(lines, documents);
            self.unless_left(result).map_err(|refusal| self.refused(&refusal))?;
        }
        Ok(())
    }

    /// Writes everything.
    fn flush(&mut self) -> Result<(), Stop> {
        self.let_go(Output::flush)
    }

    /// Lets everything go on its way.
    fn hand_on(&mut self) -> Result<(), Stop> {
        self.let_go(Output::hand_on)
    }

    /// Waits for what is on its way.
    fn settle(&mut self) -> Result<(), Stop> {
        match self.output.as_mut().map_or(Ok(()), Output::settle) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.refused(&Refusal::Output(error))),
        }
    }

    fn let_go(&mut self, how: fn(&mut Output) -> io::Result<()>) -> Result<(), Stop> {
        if let Some(output) = &mut self.output
            && let Err(error) = how(output)
        {
            return Err(self.refused(&Refusal::Output(error)));
        }
        if let Some(findings) = &mut self.findings {
            let result = how(&mut findings.output);
            self.unless_left(result).map_err(|refusal| self.refused(&refusal))?;
        }
        Ok(())
    }

    /// An error of writing findings, unless the run can go on without.
    fn unless_left(&mut self, result: io::Result<()>) -> Result<(), Refusal> {
        match result {
            Err(error) if !self.can_go_on(&error) => Err(Refusal::Findings(error)),
            _ => Ok(()),
        }
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

    fn refused(&self, refusal: &Refusal) -> Stop {
        let (output, error) = match refusal {
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
            PushError::Sink(refusal) => self.refused(&refusal),
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
mod tests;
