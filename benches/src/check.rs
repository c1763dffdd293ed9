//! The check before the clock: what an engine found and wrote must be right, or nothing is measured.

use crate::engine::{Done, Engine, Runner, stream};
use crate::input::Input;
use obelus::{Finding, Sink};
use obelus_corpora::Plant;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;

/// What rivals must find at least, each in its own way. Obelus must find exactly what was planted.
const FOUND_BY_ALL: [Plant; 4] = [Plant::Email, Plant::CardNumber, Plant::UsSsn, Plant::Phone];

impl Runner {
    /// Runs an engine once and compares what it found and wrote with what was planted.
    ///
    /// # Errors
    /// The engine's own, or which count is wrong.
    pub fn check(&mut self, engine: Engine, input: &Input, chunk: usize) -> Result<(), Box<dyn Error>> {
        let done = self.run_counted(engine, input, chunk)?;
        match engine {
            Engine::Obelus | Engine::ObelusTen | Engine::ObelusScan => {
                self.check_obelus(engine, input, chunk)?
            }
            Engine::Memcpy => same("bytes", self.output.len(), input.bytes.len())?,
            Engine::SimdJsonTape | Engine::SerdeJsonParse => {
                same("documents", done.documents, input.documents.len())?;
            }
            Engine::RegexRaw | Engine::SimdJsonRegex | Engine::SerdeJsonRegex => {
                check_rival(engine, input, &done)?;
                if engine != Engine::RegexRaw {
                    let documents = self.output.iter().filter(|&&byte| byte == b'\n').count();
                    same("documents written", documents, input.documents.len())?;
                }
            }
        }
        Ok(())
    }

    fn check_obelus(&mut self, engine: Engine, input: &Input, chunk: usize) -> Result<(), Box<dyn Error>> {
        let mut counted = Counted::default();
        stream(self.redactor(engine), input, chunk, &mut counted)?;
        let planted: BTreeMap<String, u64> =
            input.planted.iter().map(|(name, count)| (name.to_owned(), count)).collect();
        if counted.by_category != planted {
            return Err(format!("found {:?}, planted {planted:?}", counted.by_category).into());
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
        let (found, planted) = (done.tally.count(plant), input.planted.count(plant));
        // Over raw bytes no name helps, so that only what shows itself is found.
        if found < planted {
            return Err(format!("{}: {found} of {planted} {}", engine.as_str(), plant.as_str()));
        }
    }
    if input.planted.total() > 0 && done.tally.total() == 0 {
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
