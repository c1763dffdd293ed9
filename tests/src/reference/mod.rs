//! Redacts slowly and obviously: parses everything, decodes every string in full, asks the detectors and the
//! rules over names, and writes the input again with the findings replaced.
//!
//! It shares the detectors and the rules with the engine, for they are tested on their own; it shares nothing of
//! what the engine must get right: reading in pieces, escapes, offsets, holding, waiting.

mod parse;
mod walk;

use crate::cases::{self, Case, Kind, Level, Replace};
use crate::run::Found;
use obelus_detect::{Category, Detectors, mask};
use obelus_fields::{Fields, GENERIC, PackFile, Profile};
use parse::units;
use walk::{Edit, Walker};

/// The rules, and what to do with findings.
#[derive(Debug)]
pub struct Reference {
    fields: Fields,
    detectors: Detectors,
    only: Vec<Category>,
    skip: Vec<Category>,
    transform: Replace,
    format: Kind,
    nesting_max: usize,
}

/// What came of an input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redacted {
    /// The output.
    pub output: Vec<u8>,
    /// The findings in input order.
    pub findings: Vec<Found>,
}

impl Reference {
    /// The default rule sets.
    ///
    /// # Errors
    /// If they do not compile.
    pub fn new(transform: Replace, profile: Level) -> Result<Reference, String> {
        Reference::compile(transform, Kind::Sequence, profile, None, &[], &[])
    }

    /// What a case asks for.
    ///
    /// # Errors
    /// If its rules do not compile.
    pub fn of(case: &Case) -> Result<Reference, String> {
        let (rules, only, skip) = (case.rules.as_deref(), &case.only, &case.skip);
        let mut made = Reference::compile(case.transform, case.format, case.profile, rules, only, skip)?;
        made.nesting_max = case.limits.nesting_max.unwrap_or(made.nesting_max);
        Ok(made)
    }

    fn compile(
        transform: Replace,
        format: Kind,
        profile: Level,
        rules: Option<&str>,
        only: &[String],
        skip: &[String],
    ) -> Result<Reference, String> {
        let mut packs = Vec::new();
        let texts = rules.into_iter().chain([obelus_stripe::STRIPE, GENERIC]);
        for text in texts {
            packs.push(PackFile::parse(text, "rules").map_err(|error| error.to_string())?);
        }
        let profile = match profile {
            Level::Balanced => Profile::Balanced,
            Level::Strict => Profile::Strict,
        };
        let fields = Fields::compile(&packs, profile).map_err(|error| error.to_string())?;
        let (only, skip) = (cases::categories(only)?, cases::categories(skip)?);
        let detectors = Detectors::new(|detector| {
            is_on(&only, &skip, detector.category) && detector.level >= obelus_detect::Level::Likely
        });
        Ok(Reference { fields, detectors, only, skip, transform, format, nesting_max: 8 })
    }

    /// Redacts `input`; nothing if it is not what the format says.
    pub fn redact(&self, input: &[u8]) -> Option<Redacted> {
        let text = std::str::from_utf8(input).ok()?;
        let mark = if text.starts_with('\u{FEFF}') { 3 } else { 0 };
        let units = units(text.get(mark..)?, mark as u64);
        let edits = match self.format {
            Kind::Text => Walker::new(self, 0, "").plain_text(&units),
            kind => {
                let parsed = parse::strict(&units);
                if parsed.broken_at.is_some() || (kind == Kind::Json && parsed.roots.len() != 1) {
                    return None;
                }
                Walker::new(self, 0, "").roots(&units, &parsed.roots)
            }
        };
        Some(apply(input, edits))
    }

    fn is_on(&self, category: Category) -> bool {
        is_on(&self.only, &self.skip, category)
    }

    /// What stands for a value of this category. `value` is missing where a value was too long to keep.
    fn render(&self, category: Category, value: Option<&str>) -> String {
        match (self.transform, value) {
            (Replace::Remove, _) => String::new(),
            (Replace::Mask, Some(value)) => mask(category, value),
            _ => format!("[{}]", category.as_str()),
        }
    }
}

fn is_on(only: &[Category], skip: &[Category], category: Category) -> bool {
    (only.is_empty() || only.contains(&category)) && !skip.contains(&category)
}

fn apply(input: &[u8], edits: Vec<Edit>) -> Redacted {
    let (mut output, mut findings) = (Vec::new(), Vec::new());
    let mut done = 0;
    for edit in edits {
        let start = usize::try_from(edit.found.span.0).unwrap_or(usize::MAX);
        output.extend_from_slice(&input[done..start]);
        output.extend_from_slice(edit.replacement.as_bytes());
        done = usize::try_from(edit.found.span.1).unwrap_or(usize::MAX);
        findings.push(edit.found);
    }
    output.extend_from_slice(&input[done..]);
    Redacted { output, findings }
}
