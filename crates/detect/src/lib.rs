#![forbid(unsafe_code)]
//! placeholder
mod category;
pub use category::{Category, UnknownCategory};
