//! Engines: Obelus and its rivals behind one way of running them.

use crate::hand::{Hand, Tally, label, named};
use crate::input::Input;
use obelus::{CarryOver, NullSink, PushError, Redactor, Sink};
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
    /// The same with no more work than the rivals do: the detectors for what the ten expressions find, all rules over
    /// names, and no search for values shown before.
    ObelusTen,
    /// All rules without output.
    ObelusScan,
    /// A copy of the bytes: nothing that writes an output can be faster.
    Memcpy,
    /// The ten expressions over the raw bytes, blind to JSON and to names.
    RegexRaw,
    /// `simd-json` up to its tape: parsing alone.
    SimdJsonTape,
    /// `simd-json` to a value, every string and name examined, written again.
    SimdJsonRegex,
    /// `serde_json` to a value: parsing alone.
    SerdeJsonParse,
    /// `serde_json` to a value, every string and name examined, written again.
    SerdeJsonRegex,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Engine; 9] = [
        Engine::Obelus,
        Engine::ObelusTen,
        Engine::ObelusScan,
        Engine::Memcpy,
        Engine::RegexRaw,
        Engine::SimdJsonTape,
        Engine::SimdJsonRegex,
        Engine::SerdeJsonParse,
        Engine::SerdeJsonRegex,
    ];

    /// The name, as definitions have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Engine::Obelus => "obelus",
            Engine::ObelusTen => "obelus-ten",
            Engine::ObelusScan => "obelus-scan",
            Engine::Memcpy => "memcpy",
            Engine::RegexRaw => "regex-raw",
            Engine::SimdJsonTape => "simd-json-tape",
            Engine::SimdJsonRegex => "simd-json-regex",
            Engine::SerdeJsonParse => "serde-json-parse",
            Engine::SerdeJsonRegex => "serde-json-regex",
        }
    }
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

/// Everything that engines need, built once; the vectors are used again from run to run.
pub struct Runner {
    redactor: Redactor,
    redactor_of_ten: Redactor,
    hand: Hand,
    pub(crate) output: Vec<u8>,
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
        Ok(Runner {
            redactor: Redactor::builder().build()?,
            redactor_of_ten: Redactor::builder().detectors(&TEN).carry_over(CarryOver::Off).build()?,
            hand: Hand::new()?,
            output: Vec::new(),
            scratch: Vec::new(),
            buffers: simd_json::Buffers::default(),
        })
    }

    /// Runs an engine over an input once. This is what is timed.
    pub fn run(&mut self, engine: Engine, input: &Input, chunk: usize) -> Result<usize, Box<dyn Error>> {
        self.run_counted(engine, input, chunk).map(|_| self.output.len())
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
            Engine::Obelus => stream(&self.redactor, input, chunk, &mut self.output)?,
            Engine::ObelusTen => stream(&self.redactor_of_ten, input, chunk, &mut self.output)?,
            Engine::ObelusScan => stream(&self.redactor, input, chunk, &mut NullSink)?,
            Engine::Memcpy => self.output.extend_from_slice(&input.bytes),
            Engine::RegexRaw => self.regex_raw(input, &mut done)?,
            Engine::SimdJsonTape => done.documents = self.simd_json_tape(input)?,
            Engine::SimdJsonRegex => self.simd_json_regex(input, &mut done)?,
            Engine::SerdeJsonParse => done.documents = serde_json_parse(input)?,
            Engine::SerdeJsonRegex => self.serde_json_regex(input, &mut done)?,
        }
        Ok(done)
    }

    pub(crate) fn redactor(&self, engine: Engine) -> &Redactor {
        if engine == Engine::ObelusTen { &self.redactor_of_ten } else { &self.redactor }
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
