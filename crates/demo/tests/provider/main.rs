#![forbid(unsafe_code)]
//! The provider, asked over the wire.

mod chat;
mod client;
mod messages;
mod others;
mod pace;
mod responses;

use client::{Reply, send};
use obelus_demo::{Options, Provider};
use serde_json::Value;

/// What Anthropic's clients send besides.
const VERSION: (&str, &str) = ("anthropic-version", "2026-10-21");

fn start() -> Provider {
    Provider::start(Options::default()).expect("the provider starts")
}

fn post(provider: &Provider, path: &str, body: &Value) -> Reply {
    send(provider.address(), "POST", path, &[VERSION], &body.to_string())
}

/// All strings under a name, joined in order.
fn joined(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
}
