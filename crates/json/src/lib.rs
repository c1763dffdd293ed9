//! Finds names, strings, scalars and nesting in a stream of JSON, exactly, 64 bytes at a time.
//!
//! The lexer is pushed: it reads a buffer, reports lexemes to a [`Visitor`] and says from where on the buffer
//! must be presented again, with what came after it. It keeps no bytes. What it accepts is RFC 8259, to the
//! letter; where it stops does not depend on how the input was cut.
//!
//! # Overview
//! * [`Lexer`] is the state between runs; [`Mode`] says what it accepts.
//! * [`Visitor`] is told what there is, as ranges of the buffer.
//! * [`filter::Filter`] is evaluated in the same pass: each string comes with [`StringFlags`] that say whether
//!   anything in it could begin what the filter looks for.
//! * [`string`] decodes string bodies; [`map::OffsetMap`] finds the way back.
//!
//! # Example
//! The strings of a document that comes in two chunks:
//!
//! ```
//! use obelus_json::{Arch, Bracket, Hits, Lexer, Mode, Part, Scalar, StringFlags, Visitor, filter::Filter};
//! use std::{convert::Infallible, ops::Range};
//!
//! #[derive(Default)]
//! struct Bytes(usize);
//!
//! impl Visitor for Bytes {
//!     type Stop = Infallible;
//!
//!     fn string(&mut self, body: Range<usize>, _: Part, _: StringFlags, _: Hits<'_>) -> Result<usize, Infallible> {
//!         self.0 += body.len();
//!         Ok(body.end) // nothing of it is needed again
//!     }
//! #   fn open(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> { Ok(()) }
//! #   fn close(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> { Ok(()) }
//! #   fn name(&mut self, _: Range<usize>, _: StringFlags, _: Hits<'_>) -> Result<(), Infallible> { Ok(()) }
//! #   fn scalar(&mut self, _: Scalar, _: Range<usize>) -> Result<(), Infallible> { Ok(()) }
//! #   fn document(&mut self, _: usize) -> Result<(), Infallible> { Ok(()) }
//!     // open, close, name, scalar and document do nothing
//! }
//!
//! let (arch, filter) = (Arch::detect(), Filter::new(&[]));
//! let (mut lexer, mut bytes, mut hold) = (Lexer::new(Mode::Document, 64), Bytes::default(), Vec::new());
//! for (chunk, last) in [(r#"{"greeting": "Hel"#, false), (r#"lo", "n": 12}"#, true)] {
//!     hold.extend_from_slice(chunk.as_bytes());
//!     let progress = lexer.run(arch, &filter, &hold, last, &mut bytes).expect("a valid document");
//!     hold.drain(..progress.need_from);
//! }
//! assert_eq!(bytes.0, "Hello".len());
//! ```
//!
//! # How it is fast
//! A block of 64 bytes becomes a handful of 64-bit masks (quotes, escapes, structure, …), and the grammar steps
//! from set bit to set bit. Nothing is done for the bytes between. The masks are made by the widest vectors the
//! machine has ([`Arch`]); a scalar twin is the specification.
//!
//! # Limits
//! Containers nest to a given depth, kept as one bit each. Memory is constant.

#[expect(unsafe_code, reason = "vector instructions; nothing outside this module is unsafe")]
mod arch;
mod block;
mod error;
pub mod filter;
mod lexeme;
mod lexer;
pub mod map;
mod run;
mod scalar;
pub mod string;

pub use arch::Arch;
pub use error::{Cause, Fault, SyntaxError, SyntaxKind};
pub use lexeme::{Bracket, Hits, Part, Scalar, StringFlags, Visitor};
pub use lexer::{Lexer, Mode, Progress, Wants};
