//! Generates realistic JSON with synthetic personal data.
//!
//! The same kind, size and seed give the same bytes on every machine. All personal data are published test values or
//! lie in ranges set aside for examples; what was planted is counted by the category under which it should be found.
//!
//! ```
//! use obelus_corpora::{Kind, Plant, generate};
//!
//! let (bytes, planted) = generate(Kind::Dense, 4096, 1);
//! assert!(bytes.len() >= 4096 && bytes.ends_with(b"}\n"));
//! assert!(planted.count(Plant::Email) > 5);
//! assert_eq!(generate(Kind::Dense, 4096, 1).0, bytes);
//! ```

#![forbid(unsafe_code)]

mod corpus;
mod machine;
mod person;
mod planted;
mod render;
mod rng;
mod samples;
mod shape;
mod shapes;
mod slot;
mod texts;

pub use planted::{Plant, Planted};
pub use samples::{SAMPLES, Sample, manifest};

use corpus::Corpus;
use render::Renderer;
use shapes::Shapes;
use std::io::{self, Write};
use std::str::FromStr;

/// A kind of corpus.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Pages of Stripe objects, printed with two spaces a level, one document behind the other.
    StripeList,
    /// One list of Stripe objects of all types, without white space.
    StripeCompact,
    /// Stripe events, one a line.
    Events,
    /// Requests and responses of model interfaces, one a line, with Stripe objects in strings.
    Chat,
    /// Log lines without personal data.
    Clean,
    /// Rows of a customer table, with personal data in most strings.
    Dense,
    /// What looks like personal data and is none, one document a line: logs, spans, requests to models, Stripe
    /// objects without people, with source code, lock files and tables in strings.
    Quiet,
    /// The texts of the quiet kind as they are: no JSON.
    QuietText,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::StripeList,
        Kind::StripeCompact,
        Kind::Events,
        Kind::Chat,
        Kind::Clean,
        Kind::Dense,
        Kind::Quiet,
        Kind::QuietText,
    ];

    /// The name, as the program and the manifest have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::StripeList => "stripe-list",
            Kind::StripeCompact => "stripe-compact",
            Kind::Events => "events",
            Kind::Chat => "chat",
            Kind::Clean => "clean",
            Kind::Dense => "dense",
            Kind::Quiet => "quiet",
            Kind::QuietText => "quiet-text",
        }
    }

    /// Whether it is one document a line; otherwise a document goes over many lines.
    pub const fn is_ndjson(self) -> bool {
        !matches!(self, Kind::StripeList | Kind::StripeCompact | Kind::QuietText)
    }

    /// Whether it is JSON.
    pub const fn is_json(self) -> bool {
        !matches!(self, Kind::QuietText)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let known = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| {
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            format!("unknown kind {text}; there are {kinds}")
        })
    }
}

/// Returns a corpus of at least `bytes_min` bytes that ends with a whole document, and what was planted in it.
pub fn generate(kind: Kind, bytes_min: u64, seed: u64) -> (Vec<u8>, Planted) {
    let mut bytes = Vec::new();
    let planted = write(kind, bytes_min, seed, &mut bytes).expect("a vector takes every byte");
    (bytes, planted)
}

/// Writes what [`generate`] returns, of any size in little memory.
pub fn write(kind: Kind, bytes_min: u64, seed: u64, mut to: impl Write) -> io::Result<Planted> {
    let shapes = Shapes::new();
    let mut corpus = Corpus::new(kind, bytes_min, Renderer::new(&shapes, seed));
    let mut piece = Vec::new();
    let mut written = 0;
    while corpus.piece(&mut piece, written) {
        to.write_all(&piece)?;
        written += piece.len() as u64;
        piece.clear();
    }
    Ok(corpus.renderer().planted)
}
