//! Engines: Obelus and its rivals behind one way of running them.

use crate::definition::Case;
use crate::hand::{Hand, Tally, label, named};
use crate::input::Input;
use obelus::{CarryOver, NullSink, PushError, Redactor, Sink};
use obelus_corpora::Plant;
use serde_json::Value;
use simd_json::BorrowedValue;
use simd_json::prelude::Writable;
use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::str::{self, FromStr};

/// What reads an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Engine {
    /// A stream, chunk by chunk, into a vector that is used again.
    Obelus,
    /// The same with ten detectors, those for what the ten expressions find; all rules over names.
    Obelus10,
    /// The same with fifty detectors.
    Obelus50,
    /// With no more work than the rivals do: ten detectors, and no search for values shown before.
    ObelusTen,
    /// All rules without output.
    ObelusScan,
    /// A copy of the bytes: nothing that writes an output can be faster.
    Memcpy,
    /// Validation of UTF-8 alone.
    Simdutf8,
    /// The ten expressions over the raw bytes, blind to JSON and to names.
    RegexRaw,
    /// From quotation mark to quotation mark, the ten expressions over what stands between: the best that one writes
    /// by hand.
    MemchrRegex,
    /// `simd-json` up to its tape, with buffers that are used again: parsing alone.
    SimdJsonTape,
    /// The same by the plain call, which asks for memory each time.
    SimdJsonTapeFresh,
    /// `simd-json` to a value, every string and name examined, written again.
    SimdJsonRegex,
    /// `serde_json` to a value: parsing alone.
    SerdeJsonParse,
    /// `serde_json` to a value, every string and name examined, written again.
    SerdeJsonRegex,
    /// `sonic-rs` to a value: parsing alone.
    SonicParse,
    /// `sonic-rs` to a value and written again.
    SonicPrint,
    /// `dd-sensitive-data-scanner` over each document as text.
    DdSds,
    /// `scrubbers` over the raw bytes, in place.
    Scrubbers,
    /// `datafog-core` over each string.
    DatafogCore,
    /// `redact-core` over each string.
    RedactCore,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Engine; 20] = [
        Engine::Obelus,
        Engine::Obelus10,
        Engine::Obelus50,
        Engine::ObelusTen,
        Engine::ObelusScan,
        Engine::Memcpy,
        Engine::Simdutf8,
        Engine::RegexRaw,
        Engine::MemchrRegex,
        Engine::SimdJsonTape,
        Engine::SimdJsonTapeFresh,
        Engine::SimdJsonRegex,
        Engine::SerdeJsonParse,
        Engine::SerdeJsonRegex,
        Engine::SonicParse,
        Engine::SonicPrint,
        Engine::DdSds,
        Engine::Scrubbers,
        Engine::DatafogCore,
        Engine::RedactCore,
    ];

    /// The name, as definitions have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Engine::Obelus => "obelus",
            Engine::Obelus10 => "obelus-10",
            Engine::Obelus50 => "obelus-50",
            Engine::ObelusTen => "obelus-ten",
            Engine::ObelusScan => "obelus-scan",
            Engine::Memcpy => "memcpy",
            Engine::Simdutf8 => "simdutf8",
            Engine::RegexRaw => "regex-raw",
            Engine::MemchrRegex => "memchr-regex",
            Engine::SimdJsonTape => "simd-json-tape",
            Engine::SimdJsonTapeFresh => "simd-json-tape-fresh",
            Engine::SimdJsonRegex => "simd-json-regex",
            Engine::SerdeJsonParse => "serde-json-parse",
            Engine::SerdeJsonRegex => "serde-json-regex",
            Engine::SonicParse => "sonic-rs-parse",
            Engine::SonicPrint => "sonic-rs-print",
            Engine::DdSds => "dd-sds",
            Engine::Scrubbers => "scrubbers",
            Engine::DatafogCore => "datafog-core",
            Engine::RedactCore => "redact-core",
        }
    }

    /// Whether it lives in the workspace of rivals, so that a [`Runner`] must be told how to run it.
    pub const fn is_elsewhere(self) -> bool {
        matches!(
            self,
            Engine::SonicParse
                | Engine::SonicPrint
                | Engine::DdSds
                | Engine::Scrubbers
                | Engine::DatafogCore
                | Engine::RedactCore
        )
    }
}

/// An engine of the workspace of rivals.
pub trait Rival {
    /// Reads the input and writes the output, if it makes any. Returns how many documents it has seen.
    fn run(&mut self, input: &Input, output: &mut Vec<u8>) -> Result<usize, Box<dyn Error>>;

    /// What it must strike out wherever it stands, if it looks for anything.
    fn promises(&self) -> &[Plant];
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Engine, String> {
        let known = Engine::ALL.into_iter().find(|engine| engine.as_str() == text);
        known.ok_or_else(|| format!("unknown engine {text}"))
    }
}

/// The detectors for what the ten expressions of `hand.rs` find.
const TEN: [&str; 13] = [
    "email",
    "stripe-secret-key",
    "stripe-restricted-key",
    "stripe-webhook-secret",
    "aws-access-key-id",
    "json-web-token",
    "iban",
    "us-ssn",
    "phone",
    "phone-north-american",
    "card-number",
    "ipv4",
    "ipv6",
];

/// What one run did: kept apart from the output so that it can be checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) tally: Tally,
    pub(crate) documents: usize,
}

/// An input, whole or in parts of whole documents.
#[derive(Debug)]
pub enum Prepared<'i> {
    /// For one thread.
    Whole(&'i Input),
    /// For a thread each.
    Parts(Vec<Input>),
}

/// Everything that engines need, built once; the vectors are used again from run to run.
pub struct Runner {
    /// With every rule, ten detectors, fifty, and ten without carry-over.
    redactors: [Redactor; 4],
    hand: Hand,
    rivals: Vec<(Engine, Box<dyn Rival>)>,
    pub(crate) output: Vec<u8>,
    /// Where several threads write.
    pub(crate) outputs: Vec<Vec<u8>>,
    /// `simd-json` parses in place: each document is copied here first, which is part of its time.
    scratch: Vec<u8>,
    buffers: simd_json::Buffers,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl Runner {
    /// Builds the engines with their defaults.
    pub fn new() -> Result<Runner, Box<dyn Error>> {
        let all = Redactor::builder().build()?;
        let fifty = fifty(&all);
        Ok(Runner {
            redactors: [
                Redactor::builder().detectors(&TEN).build()?,
                Redactor::builder().detectors(&fifty).build()?,
                Redactor::builder().detectors(&TEN).carry_over(CarryOver::Off).build()?,
                all,
            ],
            hand: Hand::new()?,
            rivals: Vec::new(),
            output: Vec::new(),
            outputs: Vec::new(),
            scratch: Vec::new(),
            buffers: simd_json::Buffers::default(),
        })
    }

    /// Adds engines that live elsewhere.
    pub fn with(mut self, rivals: Vec<(Engine, Box<dyn Rival>)>) -> Runner {
        self.rivals = rivals;
        self
    }

    /// Whether it can run that engine.
    pub fn has(&self, engine: Engine) -> bool {
        !engine.is_elsewhere() || self.rivals.iter().any(|(known, _)| *known == engine)
    }

    /// What an engine that lives elsewhere must strike out.
    pub(crate) fn promises(&self, engine: Engine) -> &[Plant] {
        let rival = self.rivals.iter().find(|(known, _)| *known == engine);
        rival.map_or(&[], |(_, rival)| rival.promises())
    }

    /// What a case reads, cut for its threads.
    pub fn prepare<'i>(&self, case: &Case, input: &'i Input) -> Prepared<'i> {
        match case.threads {
            1 => Prepared::Whole(input),
            threads => Prepared::Parts(input.parts(threads)),
        }
    }

    /// Runs a case once. This is what is timed.
    ///
    /// # Errors
    /// The engine's own; several threads are for Obelus and the copy alone.
    pub fn run(&mut self, case: &Case, prepared: &Prepared<'_>) -> Result<(), Box<dyn Error>> {
        match prepared {
            Prepared::Whole(input) => self.run_counted(case.engine, input, case.chunk).map(|_| ()),
            Prepared::Parts(parts) => self.run_parts(case, parts),
        }
    }

    /// Each part on a thread of its own, with an output of its own.
    fn run_parts(&mut self, case: &Case, parts: &[Input]) -> Result<(), Box<dyn Error>> {
        let is_ours = matches!(
            case.engine,
            Engine::Obelus | Engine::Obelus10 | Engine::Obelus50 | Engine::ObelusTen | Engine::Memcpy
        );
        if !is_ours {
            return Err(format!("{} runs on one thread", case.engine.as_str()).into());
        }
        self.outputs.resize_with(parts.len(), Vec::new);
        let mut outputs = std::mem::take(&mut self.outputs);
        let redactor = self.redactor(case.engine);
        let run = |input: &Input, output: &mut Vec<u8>| {
            output.clear();
            match case.engine {
                Engine::Memcpy => output.extend_from_slice(&input.bytes),
                _ => stream(redactor, input, case.chunk, output)?,
            }
            Ok::<(), PushError<Infallible>>(())
        };
        let results = std::thread::scope(|scope| {
            let pairs = parts.iter().zip(&mut outputs);
            let threads: Vec<_> = pairs.map(|(part, output)| scope.spawn(|| run(part, output))).collect();
            threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        self.outputs = outputs;
        for result in results {
            match result {
                Ok(done) => done?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    }

    pub(crate) fn run_counted(
        &mut self,
        engine: Engine,
        input: &Input,
        chunk: usize,
    ) -> Result<Done, Box<dyn Error>> {
        self.output.clear();
        let mut done = Done { documents: input.documents.len(), ..Done::default() };
        match engine {
            Engine::ObelusScan => stream(self.redactor(engine), input, chunk, &mut NullSink)?,
            Engine::Obelus | Engine::Obelus10 | Engine::Obelus50 | Engine::ObelusTen => {
                let mut output = std::mem::take(&mut self.output);
                let result = stream(self.redactor(engine), input, chunk, &mut output);
                self.output = output;
                result?;
            }
            Engine::Memcpy => self.output.extend_from_slice(&input.bytes),
            Engine::Simdutf8 => done.documents = simdutf8(input)?,
            Engine::RegexRaw => self.regex_raw(input, &mut done)?,
            Engine::MemchrRegex => self.memchr_regex(input, &mut done)?,
            Engine::SimdJsonTape => done.documents = self.simd_json_tape(input)?,
            Engine::SimdJsonTapeFresh => done.documents = self.simd_json_tape_fresh(input)?,
            Engine::SimdJsonRegex => self.simd_json_regex(input, &mut done)?,
            Engine::SerdeJsonParse => done.documents = serde_json_parse(input)?,
            Engine::SerdeJsonRegex => self.serde_json_regex(input, &mut done)?,
            elsewhere => {
                let rival = self.rivals.iter_mut().find(|(known, _)| *known == elsewhere);
                let (_, rival) = rival.ok_or_else(|| format!("{} is not here", elsewhere.as_str()))?;
                done.documents = rival.run(input, &mut self.output)?;
            }
        }
        Ok(done)
    }

    pub(crate) fn redactor(&self, engine: Engine) -> &Redactor {
        let [ten, fifty, least, all] = &self.redactors;
        match engine {
            Engine::Obelus10 => ten,
            Engine::Obelus50 => fifty,
            Engine::ObelusTen => least,
            _ => all,
        }
    }

    fn memchr_regex(&mut self, input: &Input, done: &mut Done) -> Result<(), Box<dyn Error>> {
        let bytes = &input.bytes;
        let (mut at, mut copied) = (0, 0);
        while let Some(open) = memchr::memchr(b'"', &bytes[at..]).map(|len| at + len + 1) {
            let mut close = open;
            loop {
                match memchr::memchr2(b'"', b'\\', &bytes[close..]).map(|len| close + len) {
                    Some(sign) if bytes[sign] == b'\\' => close = sign + 2,
                    Some(quote) => {
                        close = quote;
                        break;
                    }
                    None => return Err("a string without an end".into()),
                }
            }
            let text = str::from_utf8(&bytes[open..close])?;
            if let Cow::Owned(redacted) = self.hand.redact(text, &mut done.tally) {
                self.output.extend_from_slice(&bytes[copied..open]);
                self.output.extend_from_slice(redacted.as_bytes());
                copied = close;
            }
            at = close + 1;
        }
        self.output.extend_from_slice(&bytes[copied..]);
        Ok(())
    }

    fn simd_json_tape_fresh(&mut self, input: &Input) -> Result<usize, Box<dyn Error>> {
        let mut values = 0;
        for document in &input.documents {
            self.scratch.clear();
            self.scratch.extend_from_slice(&input.bytes[document.clone()]);
            let tape = simd_json::to_tape(&mut self.scratch)?;
            values += usize::from(!tape.0.is_empty());
        }
        Ok(values)
    }

    fn regex_raw(&mut self, input: &Input, done: &mut Done) -> Result<(), Box<dyn Error>> {
        let text = self.hand.redact(str::from_utf8(&input.bytes)?, &mut done.tally);
        self.output.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn simd_json_tape(&mut self, input: &Input) -> Result<usize, Box<dyn Error>> {
        let mut values = 0;
        for document in &input.documents {
            self.scratch.clear();
            self.scratch.extend_from_slice(&input.bytes[document.clone()]);
            let tape = simd_json::to_tape_with_buffers(&mut self.scratch, &mut self.buffers)?;
            values += usize::from(!tape.0.is_empty());
        }
        Ok(values)
    }

    fn simd_json_regex(&mut self, input: &Input, done: &mut Done) -> Result<(), Box<dyn Error>> {
        for document in &input.documents {
            self.scratch.clear();
            self.scratch.extend_from_slice(&input.bytes[document.clone()]);
            let mut value = simd_json::to_borrowed_value_with_buffers(&mut self.scratch, &mut self.buffers)?;
            walk_simd(&self.hand, &mut value, "", &mut done.tally);
            value.write(&mut self.output)?;
            self.output.push(b'\n');
        }
        Ok(())
    }

    fn serde_json_regex(&mut self, input: &Input, done: &mut Done) -> Result<(), Box<dyn Error>> {
        for document in &input.documents {
            let mut value = serde_json::from_slice(&input.bytes[document.clone()])?;
            walk_serde(&self.hand, &mut value, "", &mut done.tally);
            serde_json::to_writer(&mut self.output, &value)?;
            self.output.push(b'\n');
        }
        Ok(())
    }
}

/// Pushes the input through one stream.
pub(crate) fn stream<S>(
    redactor: &Redactor,
    input: &Input,
    chunk: usize,
    sink: &mut S,
) -> Result<(), PushError<Infallible>>
where
    S: Sink<Error = Infallible>,
{
    let mut stream = redactor.stream();
    for chunk in input.bytes.chunks(chunk) {
        stream.push(chunk, sink)?;
    }
    stream.finish(sink)
}

fn simdutf8(input: &Input) -> Result<usize, Box<dyn Error>> {
    simdutf8::basic::from_utf8(&input.bytes)?;
    Ok(input.documents.len())
}

/// Ten detectors and the forty that come first among the others.
fn fifty(all: &Redactor) -> Vec<&str> {
    let is_other = |id: &&str| !id.contains('/') && !TEN.contains(id);
    let others = all.rules().iter().map(|rule| rule.rule.as_str()).filter(is_other);
    TEN.into_iter().chain(others.take(40)).collect()
}

fn serde_json_parse(input: &Input) -> Result<usize, Box<dyn Error>> {
    let mut objects = 0;
    for document in &input.documents {
        let value: Value = serde_json::from_slice(&input.bytes[document.clone()])?;
        objects += usize::from(value.is_object());
    }
    Ok(objects)
}

fn walk_serde(hand: &Hand, value: &mut Value, parent: &str, tally: &mut Tally) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(redacted) = hand.redact(text, tally) {
                *text = redacted;
            }
        }
        Value::Array(elements) => {
            elements.iter_mut().for_each(|element| walk_serde(hand, element, parent, tally));
        }
        Value::Object(members) => {
            for (name, member) in members {
                match (named(name, parent), &mut *member) {
                    (Some(plant), Value::String(text)) => {
                        label(plant).clone_into(text);
                        tally.add(plant);
                    }
                    (_, member) => walk_serde(hand, member, name, tally),
                }
            }
        }
        _ => {}
    }
}

fn walk_simd(hand: &Hand, value: &mut BorrowedValue<'_>, parent: &str, tally: &mut Tally) {
    match value {
        BorrowedValue::String(text) => {
            if let Cow::Owned(redacted) = hand.redact(text, tally) {
                *text = Cow::Owned(redacted);
            }
        }
        BorrowedValue::Array(elements) => {
            elements.iter_mut().for_each(|element| walk_simd(hand, element, parent, tally));
        }
        BorrowedValue::Object(members) => {
            for (name, member) in members.iter_mut() {
                match (named(name, parent), &mut *member) {
                    (Some(plant), BorrowedValue::String(text)) => {
                        *text = Cow::Borrowed(label(plant));
                        tally.add(plant);
                    }
                    (_, member) => walk_simd(hand, member, name, tally),
                }
            }
        }
        BorrowedValue::Static(_) => {}
    }
}
