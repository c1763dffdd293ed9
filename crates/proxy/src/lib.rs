#![forbid(unsafe_code)]
//! The sidecar: stands between a client and a model provider and lets nothing through unread.
//!
//! # Overview
//! * [`Config`] is the configuration file, checked; everything has a default.
//! * [`App`] starts with everything compiled, tested, opened and bound, and serves until it is told to end.
//!
//! `handler` reads top to bottom as a request goes: authenticate, authorise, open, forward, finish.
//!
//! # Limits
//! Bodies are held whole, up to `limits.body_bytes`, and answers that are not streamed up to `limits.answer_bytes`;
//! streamed ones a few hundred bytes at a time. Clients speak HTTP/1.1 without TLS: the sidecar is meant to stand on
//! the same machine.

mod admin;
mod answer;
mod app;
mod body;
mod canary;
mod config;
mod core;
mod decode;
mod events;
mod exchange;
mod exposed;
mod framing;
mod gate;
mod guard;
mod handler;
mod headers;
mod mcp;
mod memory;
mod metrics;
mod notes;
mod open;
mod otlp;
mod policy;
mod posture;
mod process;
mod rate;
mod reader;
mod refused;
mod seen;
mod server;
mod socket;
mod stores;
mod stripe_events;
mod upstream;
mod watch_keys;
mod webhook;

#[cfg(test)]
extern crate self as obelus_proxy;
#[cfg(test)]
#[path = "../tests/sidecar/support.rs"]
#[expect(dead_code, reason = "the suite over the public API uses the rest")]
mod support;
#[cfg(test)]
mod tests;

pub use app::{App, Ended, OwnedEnv, Signal};
pub use config::{
    Approver, Config, ConfigError, DEFAULT, Env, GateConfig, Limits, McpKind, McpPlace, McpServer,
    MediaPolicy, OtlpConfig, Profile, Restore, Source, Stripe, Timeouts, Upstream, VaultKeySource, Webhook,
    Workflow, schema,
};
pub use gate::{ApproverToken, approver_token};
pub use guard::silence_panics;
pub use mcp::{KEY_VARIABLE, mcp};
pub use posture::{CHECKS, Check, Part, PostureFinding, Severity, posture};
pub use process::serve;
pub use stores::{StartError, virtual_keys};
pub use stripe_events::{EventPeriod, FetchError, STRIPE_EVENTS_KEPT, stripe_events};
