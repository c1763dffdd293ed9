//! Pairing over generated months of traffic.
#![forbid(unsafe_code)]

mod pairs;
mod traffic;
