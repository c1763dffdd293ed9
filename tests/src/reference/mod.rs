//! Redacts slowly and obviously: parses everything, decodes every string in full, asks the detectors and the
//! rules over names, and writes the input again with the findings replaced.
//!
//! It shares the detectors and the rules with the engine, for they are tested on their own; it shares nothing of
//! what the engine must get right: reading in pieces, escapes, offsets, holding, waiting.

mod parse;
mod walk;

use crate::cases::{self, Case, Evidence, HASH_KEY, Kind, Level, Replace};
use crate::run::Found;
use hmac::{Hmac, Mac};
use obelus_detect::{Category, Detectors, generalise, mask};
use obelus_fields::{Fields, GENERIC, PackFile, Profile, Transform, Treatment};
use parse::units;
use sha2::Sha256;
use walk::{Edit, Walker};

/// The rules, and what to do with findings.
#[derive(Debug)]
pub struct Reference {
    fields: Fields,
    detectors: Detectors,
    only: Vec<Category>,
    skip: Vec<Category>,
    transform: Replace,
    /// What rule files say instead.
    treatments: Vec<Treatment>,
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
        Reference::compile(transform, Kind::Sequence, profile, None, Evidence::Likely)
    }

    /// What a case asks for.
    ///
    /// # Errors
    /// If its rules do not compile.
    pub fn of(case: &Case) -> Result<Reference, String> {
        let rules = case.rules.as_deref();
        let mut made = Reference::compile(case.transform, case.format, case.profile, rules, case.level)?;
        made.select(&cases::categories(&case.only)?, &cases::categories(&case.skip)?, case.level);
        made.nesting_max = case.limits.nesting_max.unwrap_or(made.nesting_max);
        Ok(made)
    }

    fn compile(
        transform: Replace,
        format: Kind,
        profile: Level,
        rules: Option<&str>,
        level: Evidence,
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
        let mut made = Reference {
            fields,
            detectors: Detectors::new(|_| true),
            only: Vec::new(),
            skip: Vec::new(),
            transform,
            treatments: packs.iter().flat_map(PackFile::treatments).collect(),
            format,
            nesting_max: 8,
        };
        made.select(&[], &[], level);
        Ok(made)
    }

    /// Chooses categories and detectors.
    fn select(&mut self, only: &[Category], skip: &[Category], level: Evidence) {
        let level = match level {
            Evidence::Possible => obelus_detect::Level::Possible,
            Evidence::Likely => obelus_detect::Level::Likely,
            Evidence::Certain => obelus_detect::Level::Certain,
        };
        self.detectors = Detectors::new(|detector| {
            let least = self.treatment(detector.category).and_then(|said| said.level).unwrap_or(level);
            is_on(only, skip, detector.category) && detector.level >= least
        });
        (self.only, self.skip) = (only.to_vec(), skip.to_vec());
    }

    fn treatment(&self, category: Category) -> Option<Treatment> {
        self.treatments.iter().copied().find(|said| said.category == category)
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
        let label = format!("[{category}]");
        let transform = match self.treatment(category).map(|said| said.transform) {
            Some(Transform::Mask) => Replace::Mask,
            Some(Transform::Remove) => Replace::Remove,
            Some(Transform::Hash) => Replace::Hash,
            Some(Transform::Generalise) => Replace::Generalise,
            Some(_) => Replace::Label,
            None => self.transform,
        };
        match (transform, value) {
            (Replace::Remove, _) => String::new(),
            (Replace::Mask, Some(value)) => mask(category, value),
            (Replace::Generalise, Some(value)) => generalise(category, value).unwrap_or(label),
            (Replace::Hash, Some(value)) => hash(category, value),
            _ => label,
        }
    }
}

/// The label with its hash: four bits a letter.
fn hash(category: Category, value: &str) -> String {
    let same = match category.as_str() {
        "email" => value.to_ascii_lowercase(),
        "card-number" | "bank-account" | "bank-routing" | "iban" | "us-ssn" | "government-id" | "tax-id"
        | "phone" => value.replace([' ', '-', '.', '/', '(', ')'], "").to_ascii_uppercase(),
        _ => value.to_owned(),
    };
    let text = format!("obelus finding 1\0{category}\0{same}");
    let mut mac = Hmac::<Sha256>::new_from_slice(HASH_KEY).expect("any key will do");
    mac.update(text.as_bytes());
    let letters: String = mac.finalize().into_bytes()[..12]
        .iter()
        .flat_map(|byte| [byte / 16, byte % 16])
        .map(|four| char::from(b'a' + four))
        .collect();
    format!("[{category}:{letters}]")
}

/// Whether `text` is a label, with a hash or without.
fn is_label(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else { return false };
    let (name, hash) = inner.split_once(':').unwrap_or((inner, "aaaaaaaaaaaaaaaaaaaaaaaa"));
    name.parse::<Category>().is_ok()
        && hash.len() == 24
        && hash.bytes().all(|byte| matches!(byte, b'a'..=b'p'))
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
