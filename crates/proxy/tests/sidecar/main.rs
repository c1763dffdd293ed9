//! The sidecar over real sockets: what it takes, what it refuses, what it forwards, how it ends.

#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod bodies;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod collector;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod commands;
mod files;
mod framing;
mod gate;
mod hashes;
mod heads;
mod keys;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod life;
mod mcp;
mod sealed;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod silence;
mod streams;
mod support;
mod times;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod tls;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod webhook;
