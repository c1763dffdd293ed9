//! The check before the clock: what an engine found and wrote must be right, or nothing is measured.

use crate::definition::Case;
use crate::engine::{Done, Engine, Prepared, Runner, stream};
use crate::input::Input;
use obelus::{Finding, Sink};
use obelus_corpora::Plant;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;

/// What rivals must find at least, each in its own way. Obelus must find what was planted, and in a MiB at most one thing
/// more.
const FOUND_BY_ALL: [Plant; 4] = [Plant::Email, Plant::CardNumber, Plant::UsSsn, Plant::Phone];

/// How much is searched for values that were to go.
const STRUCK_BYTES: u64 = 64 << 10;

impl Runner {
    /// Runs a case once and compares what was found and written with what was planted.
    ///
    /// # Errors
    /// The engine's own, or which count is wrong.
    pub fn check(&mut self, case: &Case, input: &Input) -> Result<(), Box<dyn Error>> {
        let Case { engine, chunk, threads, .. } = *case;
        if threads > 1 {
            self.check_parts(case, input)?;
        }
        let done = self.run_counted(engine, input, chunk)?;
        match engine {
            Engine::Obelus | Engine::ObelusTen | Engine::ObelusScan => {
                self.check_obelus(engine, input, chunk)?
            }
            // With fewer detectors less is found, but what the ten expressions find.
            Engine::Obelus10 | Engine::Obelus50 => self.check_struck(engine, input, chunk)?,
            Engine::Memcpy => same("bytes", self.output.len(), input.bytes.len())?,
            Engine::Simdutf8
            | Engine::SimdJsonTape
            | Engine::SimdJsonTapeFresh
            | Engine::SerdeJsonParse
            | Engine::SonicParse => {
                same("documents", done.documents, input.documents.len())?;
            }
            Engine::RegexRaw | Engine::MemchrRegex | Engine::SimdJsonRegex | Engine::SerdeJsonRegex => {
                check_rival(engine, input, &done)?;
                if matches!(engine, Engine::SimdJsonRegex | Engine::SerdeJsonRegex) {
                    self.check_lines(input)?;
                }
            }
            Engine::SonicPrint => self.check_lines(input)?,
            Engine::DdSds | Engine::Scrubbers | Engine::DatafogCore | Engine::RedactCore => {
                same("documents", done.documents, input.documents.len())?;
                self.check_struck(engine, input, chunk)?;
            }
        }
        Ok(())
    }

    /// Several threads must write what one writes.
    fn check_parts(&mut self, case: &Case, input: &Input) -> Result<(), Box<dyn Error>> {
        let prepared = self.prepare(case, input);
        self.run(case, &prepared)?;
        let written = self.outputs.concat();
        self.run(case, &Prepared::Whole(input))?;
        if written == self.output { Ok(()) } else { Err("several threads write something else".into()) }
    }

    fn check_lines(&self, input: &Input) -> Result<(), String> {
        let documents = self.output.iter().filter(|&&byte| byte == b'\n').count();
        same("documents written", documents, input.documents.len())
    }

    /// What Obelus finds of these kinds must not be in the output. Looked at in a short input of the same kind, because
    /// the output is searched for each value.
    fn check_struck(&mut self, engine: Engine, input: &Input, chunk: usize) -> Result<(), Box<dyn Error>> {
        let input = input.short(STRUCK_BYTES);
        let plants =
            if engine.is_elsewhere() { self.promises(engine).to_vec() } else { FOUND_BY_ALL.to_vec() };
        let mut shown = Shown { text: &input.bytes, plants, values: Vec::new() };
        stream(self.redactor(Engine::Obelus), &input, chunk, &mut shown)?;
        let is_planted = shown.plants.iter().any(|plant| input.planted.contains_key(plant.as_str()));
        if is_planted && shown.values.is_empty() {
            return Err("nothing to look for was found".into());
        }
        self.run_counted(engine, &input, chunk)?;
        let left = shown.values.iter().find(|(_, value)| memchr::memmem::find(&self.output, value).is_some());
        match left {
            Some((plant, _)) => Err(format!("{}: leaves a {}", engine.as_str(), plant.as_str()).into()),
            None => Ok(()),
        }
    }

    fn check_obelus(&mut self, engine: Engine, input: &Input, chunk: usize) -> Result<(), Box<dyn Error>> {
        let mut counted = Counted::default();
        stream(self.redactor(engine), input, chunk, &mut counted)?;
        if !counted.is_of(input) {
            return Err(format!("found {:?}, planted {:?}", counted.by_category, input.planted).into());
        }
        let expected = input.bytes.len() + counted.bytes_put - counted.bytes_struck;
        same("bytes given to a sink", counted.bytes, expected)?;
        if engine != Engine::ObelusScan {
            same("bytes written", self.output.len(), expected)?;
        }
        Ok(())
    }
}

fn check_rival(engine: Engine, input: &Input, done: &Done) -> Result<(), String> {
    for plant in FOUND_BY_ALL {
        let (found, planted) =
            (done.tally.count(plant), input.planted.get(plant.as_str()).copied().unwrap_or(0));
        // Over raw bytes no name helps, so that only what shows itself is found.
        if found < planted {
            return Err(format!("{}: {found} of {planted} {}", engine.as_str(), plant.as_str()));
        }
    }
    if !input.planted.is_empty() && done.tally.total() == 0 {
        Err("found nothing".to_owned())
    } else {
        Ok(())
    }
}

fn same(what: &str, is: usize, expected: usize) -> Result<(), String> {
    if is == expected { Ok(()) } else { Err(format!("{what}: {is} instead of {expected}")) }
}

/// Counts findings, the bytes they cover and the bytes of the labels in their place.
#[derive(Debug, Default)]
struct Counted {
    by_category: BTreeMap<String, u64>,
    bytes: usize,
    bytes_put: usize,
    bytes_struck: usize,
}

impl Counted {
    /// Whether everything that was planted was found, and no more than one thing a MiB that was not: in millions of
    /// random numbers a few pass for a card's.
    fn is_of(&self, input: &Input) -> bool {
        let planted = |name: &String| input.planted.get(name).copied().unwrap_or(0);
        let more: u64 =
            self.by_category.iter().map(|(name, &found)| found.saturating_sub(planted(name))).sum();
        let is_whole = input
            .planted
            .iter()
            .all(|(name, &count)| self.by_category.get(name).is_some_and(|&found| found >= count));
        is_whole && more <= input.bytes.len() as u64 >> 20
    }
}

impl Sink for Counted {
    type Error = Infallible;

    fn keep(&mut self, input: &[u8]) -> Result<(), Infallible> {
        self.bytes += input.len();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.bytes += bytes.len();
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        let category = finding.category.as_str();
        *self.by_category.entry(category.to_owned()).or_default() += 1;
        self.bytes_put += category.len() + 2;
        self.bytes_struck += usize::try_from(finding.span.len()).unwrap_or(usize::MAX);
        Ok(())
    }
}

/// Keeps what is found of some kinds.
struct Shown<'t> {
    text: &'t [u8],
    plants: Vec<Plant>,
    values: Vec<(Plant, &'t [u8])>,
}

impl Sink for Shown<'_> {
    type Error = Infallible;

    fn keep(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        let plant = self.plants.iter().find(|plant| plant.as_str() == finding.category.as_str());
        let range = usize::try_from(finding.span.start).ok().zip(usize::try_from(finding.span.end).ok());
        let value = range.and_then(|(start, end)| self.text.get(start..end));
        self.values.extend(plant.copied().zip(value));
        Ok(())
    }
}
