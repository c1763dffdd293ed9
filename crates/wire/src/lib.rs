#![forbid(unsafe_code)]
//! What may be said in requests to model providers and in their answers, whole and streamed.
//!
//! Nothing here knows sockets or time: bytes go in, bytes or a [`Refusal`] come out. Everything in a body is read;
//! short tables by exact path say where reading differs.
//!
//! # Overview
//! * [`Wire`] is compiled from a [`Profile`] and shared between requests.
//! * [`Route::of`] says which requests are understood.
//! * [`Wire::inspect`] says what a request asks for, or refuses it; [`Wire::request`] redacts it; [`Wire::admit`] is
//!   for both.
//! * [`Messages`] reads those of the Model Context Protocol, for the same scopes.
//! * [`Documents`] reads JSON of other services, for the same scopes.
//! * [`Wire::answer`] reads an answer that comes whole, [`Wire::events`] one that is streamed.
//!
//! ```
//! use obelus_wire::{Profile, Route, Wire};
//!
//! let wire = Wire::new(&Profile::default())?;
//! let facts = wire.inspect(Route::ChatCompletions, br#"{"model":"m","messages":[],"stream":true}"#)?;
//! assert!(facts.streamed);
//!
//! let twice = wire.inspect(Route::ChatCompletions, br#"{"model":"m","m\u006fdel":"n"}"#);
//! assert_eq!(twice.map_err(|refusal| refusal.status), Err(400));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//! One event of a stream may have 1 MiB, a stream 64 texts open at once. A body is held whole; how long it may be is
//! for the caller to say.
//!
//! # Cost
//! A body is read twice: once by the tables, which look at structure only (a sixth of the time), once by the engine.

mod arguments;
mod document;
mod escape;
mod events;
mod index;
mod inspect;
mod lanes;
mod lex;
mod links;
mod messages;
mod positions;
mod profile;
mod read;
mod refusal;
mod route;
mod shell;
mod sse;
mod tokens;
mod track;
mod weave;
mod wire;

pub use document::Documents;
pub use events::Events;
pub use messages::{Messages, Sender};
pub use profile::{HashKey, Media, Profile, RestoredArgument};
pub use refusal::{Reason, Refusal};
pub use route::{Provider, Route};
pub use tokens::SeenKey;
pub use wire::{Admitted, Answer, Facts, Redacted, Wire};
