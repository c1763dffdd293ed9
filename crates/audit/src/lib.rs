#![forbid(unsafe_code)]
//! Records of what was decided and what came of it: one JSON object a line, or nothing happens.
//!
//! # Overview
//! * [`Record`] is one line. It holds words, numbers and counts; text of a request has no place in it.
//! * [`Log`] appends records to a file that it alone writes.
//!
//! What a caller must do is short: append before the effect, and if that fails, have no effect.

mod log;
mod record;
mod time;

pub use log::{Error, Log};
pub use record::{Actor, Coverage, Decision, Kind, Outcome, Record, Route, Word};
pub use time::Utc;
