//! Measures Obelus, alone and beside rivals.
//!
//! What is measured stands in `definitions/*.toml`; the bench targets and the tests read the same files. No
//! engine is timed before its output was [checked](Runner::check).

#![forbid(unsafe_code)]

mod check;
mod definition;
mod engine;
mod hand;
mod input;

pub use definition::{Case, cases};
pub use engine::{Engine, Runner};
pub use input::Input;
