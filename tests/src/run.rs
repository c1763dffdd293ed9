//! Ways of running a redactor over an input, with all that came out.

use obelus::{Category, Error, Finding, PushError, Redactor, Sink};
use std::convert::Infallible;
use std::fmt;

/// A finding that outlives the call that reported it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Found {
    /// Ordinal of the document.
    pub doc: u64,
    /// The pointer.
    pub path: String,
    /// The category's name.
    pub category: &'static str,
    /// The rule's id.
    pub rule: String,
    /// Bytes of the input.
    pub span: (u64, u64),
    /// Code points of the decoded string.
    pub chars: (u64, u64),
    /// Whether it may stay.
    pub allowed: bool,
}

impl From<&Finding<'_>> for Found {
    fn from(finding: &Finding<'_>) -> Found {
        Found {
            doc: finding.doc,
            path: finding.path.to_owned(),
            category: Category::as_str(finding.category),
            rule: finding.rule.to_owned(),
            span: (finding.span.start, finding.span.end),
            chars: (finding.chars.start, finding.chars.end),
            allowed: finding.allowed,
        }
    }
}

/// What a run gave.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Ran {
    /// Everything that left.
    pub output: Vec<u8>,
    /// Every finding, in the order of reporting.
    pub findings: Vec<Found>,
    /// Why it ended early.
    pub error: Option<Error>,
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "output {}", self.output.escape_ascii())?;
        for finding in &self.findings {
            writeln!(f, "  {finding:?}")?;
        }
        match &self.error {
            Some(error) => write!(f, "  error: {error}"),
            None => f.write_str("  no error"),
        }
    }
}

/// A sink that keeps everything and checks that kept slices lie in the chunk.
#[derive(Debug, Default)]
pub struct Collector {
    /// What came.
    pub ran: Ran,
    /// Bytes that came as slices of the chunk.
    pub kept_bytes: usize,
    chunk: Option<std::ops::Range<*const u8>>,
}

impl Sink for Collector {
    type Error = Infallible;

    fn keep(&mut self, input: &[u8]) -> Result<(), Infallible> {
        let piece = input.as_ptr_range();
        let is_inside =
            self.chunk.as_ref().is_some_and(|chunk| chunk.start <= piece.start && piece.end <= chunk.end);
        assert!(is_inside, "a kept piece is no slice of the chunk");
        self.kept_bytes += input.len();
        self.ran.output.extend_from_slice(input);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.ran.output.extend_from_slice(bytes);
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        self.ran.findings.push(finding.into());
        Ok(())
    }
}

/// Runs `input` in one piece.
pub fn whole(redactor: &Redactor, input: &[u8]) -> Ran {
    pieces(redactor, [input])
}

/// Runs the given chunks.
pub fn pieces<'a>(redactor: &Redactor, chunks: impl IntoIterator<Item = &'a [u8]>) -> Ran {
    let mut collector = Collector::default();
    let mut stream = redactor.stream();
    for chunk in chunks {
        collector.chunk = Some(chunk.as_ptr_range());
        let result = stream.push(chunk, &mut collector);
        collector.chunk = None;
        if let Err(error) = result {
            collector.ran.error = Some(own(error));
            let left = collector.ran.output.len();
            let again = stream.push(b"\"x\"", &mut collector);
            assert!(again.is_err(), "a stream takes input after an error");
            assert_eq!(collector.ran.output.len(), left, "something left after an error");
            return collector.ran;
        }
    }
    if let Err(error) = stream.finish(&mut collector) {
        collector.ran.error = Some(own(error));
    }
    collector.ran
}

/// Runs `input` cut before each of `cuts`, which ascend.
pub fn cut_at(redactor: &Redactor, input: &[u8], cuts: &[usize]) -> Ran {
    let mut from = 0;
    let mut chunks = Vec::with_capacity(cuts.len() + 1);
    for &cut in cuts {
        let cut = cut.clamp(from, input.len());
        chunks.push(&input[from..cut]);
        from = cut;
    }
    chunks.push(&input[from..]);
    pieces(redactor, chunks)
}

/// Runs `input` in pieces of `size` bytes.
pub fn in_sizes(redactor: &Redactor, input: &[u8], size: usize) -> Ran {
    pieces(redactor, input.chunks(size.max(1)))
}

/// Pushes `input` as `cut_at` does, but never finishes: what left before the input broke off.
pub fn unfinished(redactor: &Redactor, input: &[u8]) -> Ran {
    let mut collector = Collector { chunk: Some(input.as_ptr_range()), ..Collector::default() };
    if let Err(error) = redactor.stream().push(input, &mut collector) {
        collector.ran.error = Some(own(error));
    }
    collector.ran
}

/// Runs `input` byte by byte and calls `left` with what has left after each byte.
pub fn watch(redactor: &Redactor, input: &[u8], mut left: impl FnMut(usize, &[u8])) -> Ran {
    let mut collector = Collector::default();
    let mut stream = redactor.stream();
    for (at, chunk) in input.chunks(1).enumerate() {
        collector.chunk = Some(chunk.as_ptr_range());
        if let Err(error) = stream.push(chunk, &mut collector) {
            collector.ran.error = Some(own(error));
            return collector.ran;
        }
        left(at + 1, &collector.ran.output);
    }
    if let Err(error) = stream.finish(&mut collector) {
        collector.ran.error = Some(own(error));
    }
    collector.ran
}

/// Whether what has left after each byte is the beginning of what leaves in the end.
///
/// # Errors
/// Says where it is not.
pub fn check_final(redactor: &Redactor, input: &[u8], whole: &Ran) -> Result<(), String> {
    let mut fault = Ok(());
    watch(redactor, input, |at, left| {
        if !whole.output.starts_with(left) {
            fault = Err(format!("after byte {at}: {}", left.escape_ascii()));
        }
    });
    fault
}

fn own(error: PushError<Infallible>) -> Error {
    match error {
        PushError::Redact(error) => error,
        PushError::Sink(never) => match never {},
    }
}

/// Whether the output is the input with each finding's span replaced by something, judged by the findings alone.
///
/// # Errors
/// Says what is wrong, without the bytes.
pub fn check_outside(input: &[u8], ran: &Ran) -> Result<(), String> {
    let mut spans: Vec<(usize, usize)> = ran
        .findings
        .iter()
        .filter(|found| !found.allowed)
        .map(|found| (at(found.span.0), at(found.span.1)))
        .collect();
    spans.sort_unstable();
    let (mut input_at, mut output_at) = (0, 0);
    let mut is_open = false;
    for (start, end) in spans.iter().copied().chain([(input.len(), input.len())]) {
        if start < input_at || end < start || end > input.len() {
            return Err(format!("span {start}..{end} overlaps another or leaves the input"));
        }
        let clean = &input[input_at..start];
        let rest = &ran.output[output_at..];
        let is_last = start == input.len() && end == start;
        let found = match (is_open, is_last) {
            (false, _) => rest.starts_with(clean).then_some(0),
            (true, true) => rest.len().checked_sub(clean.len()).filter(|&from| rest[from..] == *clean),
            (true, false) => find(rest, clean),
        };
        let Some(from) = found else {
            return Err(format!("input {input_at}..{start} did not come out unchanged"));
        };
        output_at += from + clean.len();
        input_at = end;
        is_open = true;
    }
    Ok(())
}

/// Where `needle` begins in `hay`.
pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    hay.windows(needle.len()).position(|window| window == needle)
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
