#![forbid(unsafe_code)]
//! Requests and answers as they come from clients and providers.

mod arguments;
mod cuts;
mod refused;
mod streams;
mod support;
mod whole;
