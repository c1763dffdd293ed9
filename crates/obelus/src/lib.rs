#![forbid(unsafe_code)]
//! Strikes customer and payment data out of JSON, text and forms on its way to somebody who need not see it.
//!
//! Feed bytes as they come, get bytes out. Whatever is no finding leaves exactly as it came, and the output is
//! the same however the input was cut. Whatever has left is final: nothing that comes later makes it unsafe.
//!
//! ```
//! let redactor = obelus::Redactor::builder().build()?;
//! let charge = br#"{"id":"ch_1","amount":1200,"receipt_email":"jenny@example.com"}"#;
//! let output = redactor.redact(charge)?;
//! assert_eq!(output, br#"{"id":"ch_1","amount":1200,"receipt_email":"[email]"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Overview
//! * [`Redactor`] holds compiled rules, transform and limits. Build one, share it between threads.
//! * [`Stream`] is the state of one document flow: [`push`](Stream::push) chunks, then
//!   [`finish`](Stream::finish).
//! * [`Sink`] receives the output, in pieces that need no copy where the input stayed, and each [`Finding`].
//!
//! # Streaming
//! ```
//! use obelus::{Finding, Redactor, Sink};
//!
//! #[derive(Default)]
//! struct Count { bytes: usize, findings: usize }
//!
//! impl Sink for Count {
//!     type Error = std::convert::Infallible;
//!     fn keep(&mut self, input: &[u8]) -> Result<(), Self::Error> { self.bytes += input.len(); Ok(()) }
//!     fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error> { self.bytes += bytes.len(); Ok(()) }
//!     fn found(&mut self, finding: &Finding<'_>) -> Result<(), Self::Error> {
//!         println!("{} at {}", finding.category, finding.path);
//!         self.findings += 1;
//!         Ok(())
//!     }
//! }
//!
//! let redactor = Redactor::builder().build()?;
//! let (mut stream, mut count) = (redactor.stream(), Count::default());
//! for chunk in [&br#"{"card":"4242 4242 42"#[..], br#"42 4242","last4":"4242"}"#] {
//!     stream.push(chunk, &mut count)?;
//! }
//! stream.finish(&mut count)?;
//! assert_eq!(count.findings, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Text and forms
//! [`Format`] says what the input is. Plain text has no names: the detectors read it.
//!
//! ```
//! use obelus::{Format, Redactor};
//!
//! let redactor = Redactor::builder().format(Format::Text).build()?;
//! assert_eq!(redactor.redact(b"Write to jenny@example.com.")?, b"Write to [email].");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Format::Multipart`] reads bodies of `multipart/form-data`, as long as their parts are text or JSON.
//!
//! Form bodies and query strings have names, with brackets for steps on the way, and percent signs for escapes:
//!
//! ```
//! use obelus::{Format, Redactor};
//!
//! let redactor = Redactor::builder().format(Format::Form).build()?;
//! let output = redactor.redact(b"card[number]=4242+4242+4242+4242&card[cvc]=123&amount=1200")?;
//! assert_eq!(output, b"card[number]=%5Bcard-number%5D&card[cvc]=%5Bcard-cvc%5D&amount=1200");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Transforms
//! [`Transform`] says what stands in place of a finding. [`Transform::Hash`] needs a key, and keeps equal values
//! equal:
//!
//! ```
//! use obelus::{Redactor, Transform};
//!
//! let key = b"32 bytes that nobody can guess..";
//! let redactor = Redactor::builder().transform(Transform::Hash).hash_key(key).build()?;
//! let output = String::from_utf8(redactor.redact(br#"["jenny@example.com","Jenny@example.com"]"#)?)?;
//! let hash = output.split('"').nth(1).unwrap_or_default();
//! assert!(hash.starts_with("[email:") && output.ends_with(&format!(",\"{hash}\"]")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules
//! [`Redactor::builder`] begins with the default rule sets: the detectors for values that show themselves
//! (cards, e-mail addresses, keys, …), the generic member names, and the Stripe pack. [`Builder::rules`] adds a
//! rule file, which may also say what replaces the findings of a category; [`Profile`] says what happens to each
//! class of names, [`Level`] how strong the evidence must be. [`Builder::allow`] names findings that may stay.
//!
//! # Limits
//! Memory is bounded by [`Limits`]; what exceeds one ends the stream with an error. Bytes are never let through
//! unexamined.
//!
//! # What it does not do
//! Of names and addresses in prose it finds those that lists or the words around them give away. It reads JSON, plain
//! text, forms and multipart bodies of these, not archives, not images.

pub use obelus_redact::{
    Arch, BuildError, Builder, By, CarryOver, Category, Described, Error, ErrorKind, Finding, Format, Level,
    Limits, NullSink, PackError, Profile, PushError, Reading, Reason, Redactor, RuleInfo, Sink, Span, Stream,
    SyntaxKind, Transform, UnknownCategory, WriteSink, rule_files, token,
};
