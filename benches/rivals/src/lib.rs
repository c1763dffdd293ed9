//! Rivals, each with a rule set as near to the ten expressions as it can be told.
//!
//! * `sonic-rs` parses, and parses and prints: no rules.
//! * `dd-sensitive-data-scanner` and `scrubbers` take the ten expressions.
//! * `redact-core` and `datafog-core` have rules of their own, which cannot be exchanged; they get each string value
//!   by itself, because that is what they are for.

#![forbid(unsafe_code)]

use datafog_core::{
    ScanAndTransformConfig, TransformationConfig, TransformationStrategy, scan_and_transform,
};
use dd_sds::{
    MatchAction, RegexRuleConfig, RootRuleConfig, RuleConfig, Scanner, SecondaryValidator, SimpleEvent,
};
use obelus_benches::{Engine, Input, PATTERNS, Rival};
use obelus_corpora::Plant;
use redact_core::{AnalyzerEngine, AnonymizationStrategy, AnonymizerConfig};
use scrubbers::{Scrubber, SignatureSpec};
use serde_json::Value;
use std::error::Error;
use std::sync::Arc;

type Fault = Box<dyn Error>;

/// What all that take the ten expressions must strike out.
const BY_EXPRESSION: [Plant; 4] = [Plant::Email, Plant::CardNumber, Plant::UsSsn, Plant::Phone];

/// Every rival, built.
///
/// # Errors
/// One that does not take its rules.
pub fn rivals() -> Result<Vec<(Engine, Box<dyn Rival>)>, Fault> {
    Ok(vec![
        (Engine::SonicParse, Box::new(Sonic { prints: false })),
        (Engine::SonicPrint, Box::new(Sonic { prints: true })),
        (Engine::DdSds, Box::new(DdSds::new()?)),
        (Engine::Scrubbers, Box::new(Scrubbers::new()?)),
        (Engine::DatafogCore, Box::new(Datafog::new())),
        (Engine::RedactCore, Box::new(RedactCore::new())),
    ])
}

struct Sonic {
    prints: bool,
}

impl Rival for Sonic {
    fn run(&mut self, input: &Input, output: &mut Vec<u8>) -> Result<usize, Fault> {
        for document in &input.documents {
            let value: sonic_rs::Value = sonic_rs::from_slice(&input.bytes[document.clone()])?;
            if self.prints {
                sonic_rs::to_writer(&mut *output, &value)?;
                output.push(b'\n');
            }
        }
        Ok(input.documents.len())
    }

    fn promises(&self) -> &[Plant] {
        &[]
    }
}

struct DdSds(Scanner);

impl DdSds {
    fn new() -> Result<DdSds, Fault> {
        let mut rules: Vec<RootRuleConfig<Arc<dyn RuleConfig>>> = Vec::new();
        for pattern in PATTERNS {
            let is_card = pattern.starts_with(r"\b\d(?:[ -]?\d)");
            let validator = is_card.then_some(SecondaryValidator::LuhnChecksum);
            let config = RegexRuleConfig::new(pattern).with_validator(validator).build();
            rules.push(RootRuleConfig::new(config).match_action(MatchAction::redact("[redacted]")));
        }
        let scanner = Scanner::builder(&rules).build().map_err(|error| format!("dd-sds: {error:?}"))?;
        Ok(DdSds(scanner))
    }
}

impl Rival for DdSds {
    fn run(&mut self, input: &Input, output: &mut Vec<u8>) -> Result<usize, Fault> {
        for document in &input.documents {
            // A number that is a finding makes the scanner panic inside of a parsed event, so it gets the text.
            let text = str::from_utf8(&input.bytes[document.clone()])?.to_owned();
            let mut event = SimpleEvent::String(text);
            self.0.scan(&mut event).map_err(|error| format!("dd-sds: {error:?}"))?;
            if let SimpleEvent::String(text) = event {
                output.extend_from_slice(text.as_bytes());
                output.push(b'\n');
            }
        }
        Ok(input.documents.len())
    }

    fn promises(&self) -> &[Plant] {
        &BY_EXPRESSION
    }
}

struct Scrubbers(Scrubber);

impl Scrubbers {
    fn new() -> Result<Scrubbers, Fault> {
        let spec = |pattern: &str| SignatureSpec { name: pattern.to_owned(), pattern: pattern.to_owned() };
        let specs = PATTERNS.into_iter().map(spec).collect();
        let scrubber = Scrubber::with_signatures(specs, b'*');
        Ok(Scrubbers(scrubber.map_err(|error| format!("scrubbers: {error:?}"))?))
    }
}

impl Rival for Scrubbers {
    fn run(&mut self, input: &Input, output: &mut Vec<u8>) -> Result<usize, Fault> {
        output.extend_from_slice(&input.bytes);
        self.0.scrub_in_place(output);
        Ok(input.documents.len())
    }

    fn promises(&self) -> &[Plant] {
        &BY_EXPRESSION
    }
}

struct Datafog(ScanAndTransformConfig);

impl Datafog {
    fn new() -> Datafog {
        Datafog(ScanAndTransformConfig::new(TransformationConfig::new(TransformationStrategy::Redact)))
    }
}

impl Rival for Datafog {
    fn run(&mut self, input: &Input, output: &mut Vec<u8>) -> Result<usize, Fault> {
        let config = &self.0;
        // What it refuses to decide about would have to be dropped.
        let redact = |text: &str| match scan_and_transform(text, config) {
            Ok(result) => result.text,
            Err(_) => "[refused]".to_owned(),
        };
        each_string(input, output, redact)
    }

    fn promises(&self) -> &[Plant] {
        &[Plant::Email, Plant::UsSsn]
    }
}

struct RedactCore {
    engine: AnalyzerEngine,
    config: AnonymizerConfig,
}

impl RedactCore {
    fn new() -> RedactCore {
        let config =
            AnonymizerConfig { strategy: AnonymizationStrategy::Replace, ..AnonymizerConfig::default() };
        RedactCore { engine: AnalyzerEngine::new(), config }
    }
}

impl Rival for RedactCore {
    fn run(&mut self, input: &Input, output: &mut Vec<u8>) -> Result<usize, Fault> {
        let RedactCore { engine, config } = self;
        let redact = |text: &str| match engine.anonymize(text, None, config) {
            Ok(result) => result.text,
            Err(_) => "[refused]".to_owned(),
        };
        each_string(input, output, redact)
    }

    fn promises(&self) -> &[Plant] {
        &[Plant::Email, Plant::UsSsn]
    }
}

/// Parses each document with `serde_json`, rewrites its strings, prints it.
fn each_string(
    input: &Input,
    output: &mut Vec<u8>,
    mut redact: impl FnMut(&str) -> String,
) -> Result<usize, Fault> {
    for document in &input.documents {
        let mut value: Value = serde_json::from_slice(&input.bytes[document.clone()])?;
        walk(&mut value, &mut redact);
        serde_json::to_writer(&mut *output, &value)?;
        output.push(b'\n');
    }
    Ok(input.documents.len())
}

fn walk(value: &mut Value, redact: &mut impl FnMut(&str) -> String) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(elements) => elements.iter_mut().for_each(|element| walk(element, redact)),
        Value::Object(members) => members.values_mut().for_each(|member| walk(member, redact)),
        _ => {}
    }
}
