//! The gateway over its public API: what goes on, what does not, and what is recorded of it.

#[expect(clippy::panic, clippy::string_slice, reason = "a test that cannot do its part must fail")]
mod calls;
mod listing;
mod passing;
mod planted;
mod processes;
#[expect(clippy::panic, reason = "a test that cannot do its part must fail")]
mod support;
