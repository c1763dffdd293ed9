#![forbid(unsafe_code)]
//! What the suites share: ways of running a redactor, generated documents, a reference to compare with.
//!
//! * [`run`] pushes an input through a redactor, cut in any way, and keeps what came out.
//! * [`cases`] reads the cases in `cases/*.toml`.
//! * [`document`] makes documents from random bytes, so that property tests and fuzzers share one generator.
//! * [`mod@reference`] redacts slowly and obviously.
//! * [`canary`] looks for a secret in every spelling an output could give it.
//! * [`fuzz`] holds the bodies of the fuzz targets.
//! * [`quiet`] reads the corpora that hold nothing to be found.
//! * [`forms`] makes forms from random bytes, and the same members as JSON.
//! * [`folders`] finds the data the suites read.

pub mod canary;
pub mod cases;
pub mod document;
pub mod folders;
pub mod forms;
pub mod fuzz;
pub mod quiet;
pub mod reference;
pub mod run;
