//! The program as a user runs it.

mod audit;
mod demo;
mod explain;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod fetch;
mod forms;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod mcp;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod mcp_approvals;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod mcp_asks;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod mcp_beside;
mod policy;
mod posture;
mod reconcile;
mod redact;
mod scan;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod sidecar;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod story;
#[expect(clippy::unwrap_used, reason = "a test that cannot do its part must fail")]
mod stripe;
mod usage;

#[expect(clippy::unwrap_used, reason = "a test that cannot run the program must fail")]
mod support;
mod transforms;
