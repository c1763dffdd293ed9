//! What the default rules find where nobody is: the corpora `quiet` and `quiet-text` hold no personal data.

use crate::run::{self, Found};
use obelus::{Format, Redactor};
use obelus_corpora::{Kind, generate};
use std::fmt::Write;

/// The kinds that hold nothing to be found.
pub const KINDS: [Kind; 3] = [Kind::Quiet, Kind::QuietText, Kind::Clean];

/// How many findings a MiB may have, besides those that [`ALLOWED`] explains.
pub const PER_MIB_MAX: usize = 1;

/// Findings that are right to be made although nobody is there: rule, end of the pointer, reason.
pub const ALLOWED: &[(&str, &str, &str)] = &[
    ("card-number", "/trace_id", SIXTY_FOUR_BITS),
    ("card-number", "/span_id", SIXTY_FOUR_BITS),
    ("card-number", "/parent_id", SIXTY_FOUR_BITS),
    ("card-number", "/labels/instance", SIXTY_FOUR_BITS),
];

const SIXTY_FOUR_BITS: &str = "a random number of 18 or 19 digits is one of a card, check digit and all, in one of \
                               eighty cases; Visa and UnionPay issue numbers that long";

/// What was found in one corpus.
#[derive(Debug)]
pub struct Report {
    /// The corpus.
    pub kind: Kind,
    /// How long it is.
    pub bytes: usize,
    /// Findings without an excuse.
    pub faults: usize,
    /// Findings that [`ALLOWED`] explains.
    pub allowed: usize,
    /// Each finding with what stands around it, one a line.
    pub text: String,
}

impl Report {
    /// Whether there are no more faults than may be.
    pub fn is_quiet(&self) -> bool {
        self.faults <= PER_MIB_MAX * self.bytes.div_ceil(1 << 20)
    }
}

/// Reads at least `bytes_min` bytes of a corpus.
///
/// # Panics
/// If the corpus cannot be read to its end, or if something without a finding comes out changed.
pub fn report(kind: Kind, bytes_min: u64, seed: u64) -> Report {
    let (input, _) = generate(kind, bytes_min, seed);
    let mut builder = Redactor::builder();
    builder.format(if kind.is_json() { Format::Sequence } else { Format::Text });
    let redactor = builder.build().expect("the default rules compile");
    let ran = run::in_sizes(&redactor, &input, 64 << 10);
    assert_eq!(ran.error, None, "{kind:?}");
    run::check_outside(&input, &ran).expect("clean bytes come out as they are");
    let mut report = Report { kind, bytes: input.len(), faults: 0, allowed: 0, text: String::new() };
    for found in &ran.findings {
        let reason = allowed(found);
        report.allowed += usize::from(reason.is_some());
        report.faults += usize::from(reason.is_none());
        let line = line(found, &input, reason);
        writeln!(report.text, "{line}").expect("a string takes every character");
    }
    report
}

fn allowed(found: &Found) -> Option<&'static str> {
    let excuse = ALLOWED.iter().find(|(rule, end, _)| found.rule == *rule && found.path.ends_with(end));
    excuse.map(|(_, _, reason)| *reason)
}

/// A finding in its place. The corpora hold nothing that must not be shown.
fn line(found: &Found, input: &[u8], reason: Option<&str>) -> String {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(input.len()).min(input.len());
    let (start, end) = (at(found.span.0), at(found.span.1));
    let before = input[start.saturating_sub(48)..start].escape_ascii();
    let after = input[end..(end + 24).min(input.len())].escape_ascii();
    let excuse = reason.map_or(String::new(), |reason| format!(" ({reason})"));
    format!("{} {} {before} >>{}<< {after}{excuse}", found.rule, found.path, input[start..end].escape_ascii())
}
