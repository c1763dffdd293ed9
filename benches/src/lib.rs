//! Measures Obelus, alone and beside rivals.
//!
//! What is measured stands in `definitions/*.toml`; the bench targets and the tests read the same files. No
//! engine is timed before its output was [checked](Runner::check).

#![forbid(unsafe_code)]

mod check;
mod compare;
mod definition;
mod engine;
mod hand;
mod input;
mod plot;
mod stages;

pub use compare::{compare, measure, median};
pub use definition::{Case, cases};
pub use engine::{Engine, Prepared, Rival, Runner};
pub use hand::PATTERNS;
pub use input::{Input, Mix};
pub use plot::{Line, Plot};
pub use stages::{Stage, Stages};
