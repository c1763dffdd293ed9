#![forbid(unsafe_code)]
//! Redacts sensitive values in a stream of JSON, text or forms without parsing it into memory.
//!
//! Whatever is no finding leaves exactly as it came, and the output is the same however the input was cut.
//! Depend on the crate `obelus`, which offers all of this; this crate is where it is done.
//!
//! # Overview
//! * [`Redactor`] holds compiled rules. Build one, share it.
//! * [`Stream`] is the state of one document flow.
//! * [`Sink`] receives the output and the [`Finding`]s.
//!
//! ```
//! let redactor = obelus_redact::Redactor::builder().build()?;
//! assert_eq!(redactor.redact(b"[1, \"a@example.com\"]")?, b"[1, \"[email]\"]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! [`Limits`] bounds depth, names, numbers, paths, nesting and waiting. String values have no bound: they are
//! read in part, and only their undecided end is held. A limit is an error or counts as sensitive; bytes are
//! never let through unexamined.
//!
//! # Cost
//! A clean string costs two steps of the grammar, a member name one hash look-up. Strings with escapes are
//! decoded once more; JSON in strings is read once a level. Findings cost about a copy of themselves and of
//! their path.

mod allow;
mod defer;
mod error;
mod finding;
mod form;
mod frames;
mod hash;
mod level;
mod out;
mod positions;
mod redactor;
mod rules;
mod shown;
mod sink;
mod stream;
mod surrogate;
mod transform;
mod value;
mod view;
mod wait;
mod walk;

pub use error::{Error, ErrorKind, PushError};
pub use finding::{Finding, Span};
pub use obelus_detect::{Category, Level, UnknownCategory};
pub use obelus_fields::{By, Described, PackError, Profile, Reason, Transform};
pub use obelus_json::{Arch, SyntaxKind};
pub use positions::Reading;
pub use redactor::{BuildError, Builder, Format, Limits, Redactor};
pub use rules::RuleInfo;
pub use shown::CarryOver;
pub use sink::{NullSink, Sink, WriteSink};
pub use stream::Stream;

pub use obelus_detect::token;

pub mod rule_files {
    //! Rule files by themselves: their form, their examples, and the built-in ones.

    pub use obelus_fields::{Example, GENERIC, PackFile};
    pub use obelus_stripe::STRIPE;
}
