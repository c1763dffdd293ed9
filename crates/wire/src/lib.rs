#![forbid(unsafe_code)]
//! What may be said in requests to model providers and in their answers, whole and streamed.
//!
//! Nothing here knows sockets or time: bytes go in, bytes or a [`Refusal`] come out.

mod refusal;
mod route;
mod wire;

pub use refusal::{Reason, Refusal};
pub use route::{Provider, Route};
pub use wire::{Answer, Events, Facts, Profile, Redacted, Wire};
