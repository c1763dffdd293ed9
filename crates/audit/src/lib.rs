#![forbid(unsafe_code)]
//! Records of what was decided and what came of it: one JSON object a line, or nothing happens.
