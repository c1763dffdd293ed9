//! The samples that stand in the repository, and their manifest.

use crate::{Kind, generate};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A sample: what to generate and where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// The file in `corpora/samples`.
    pub file: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The least length asked for.
    pub bytes_min: u64,
    /// The seed.
    pub seed: u64,
}

/// The samples.
pub const SAMPLES: [Sample; 7] = [
    Sample { file: "stripe-list.json", kind: Kind::StripeList, bytes_min: 32 * 1024, seed: 1 },
    Sample { file: "stripe-compact.json", kind: Kind::StripeCompact, bytes_min: 32 * 1024, seed: 2 },
    Sample { file: "events.ndjson", kind: Kind::Events, bytes_min: 32 * 1024, seed: 3 },
    Sample { file: "chat.ndjson", kind: Kind::Chat, bytes_min: 48 * 1024, seed: 4 },
    Sample { file: "clean.ndjson", kind: Kind::Clean, bytes_min: 24 * 1024, seed: 5 },
    Sample { file: "dense.ndjson", kind: Kind::Dense, bytes_min: 24 * 1024, seed: 6 },
    Sample { file: "quiet.ndjson", kind: Kind::Quiet, bytes_min: 64 * 1024, seed: 7 },
];

/// Returns the text of the manifest: each sample with its hash and with what is to be found in it.
pub fn manifest() -> String {
    let mut text = String::from(
        "# Samples, as `cargo run -p obelus-corpora -- samples corpora` writes them. Do not edit.\n\
         # `expect` counts findings by category under the balanced profile.\n",
    );
    for sample in &SAMPLES {
        let (bytes, planted) = generate(sample.kind, sample.bytes_min, sample.seed);
        let hash = Sha256::digest(&bytes);
        let lines = [
            "\n[[sample]]".to_owned(),
            format!("file = \"samples/{}\"", sample.file),
            format!("kind = \"{}\"", sample.kind.as_str()),
            format!("seed = {}", sample.seed),
            format!("bytes_min = {}", sample.bytes_min),
            format!("bytes = {}", bytes.len()),
            format!("sha256 = \"{}\"", hex(&hash)),
            "origin = \"generated; all personal data are published test values\"".to_owned(),
            "licence = \"MIT OR Apache-2.0\"".to_owned(),
            expect_table(&planted),
        ];
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    text
}

fn expect_table(planted: &crate::Planted) -> String {
    let counts: Vec<String> = planted.iter().map(|(name, count)| format!("{name} = {count}")).collect();
    if counts.is_empty() { "expect = {}".to_owned() } else { format!("expect = {{ {} }}", counts.join(", ")) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every character");
        text
    })
}
