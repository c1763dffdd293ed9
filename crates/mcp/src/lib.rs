#![forbid(unsafe_code)]
//! Calls of tools over the Model Context Protocol, judged and redacted.
//!
//! A message goes in, and a [`Step`] says what becomes of it: no socket is known here, and one process at most. Messages
//! are passed on as the bytes that came; only what is found in them is replaced.
//!
//! # Overview
//! * [`Server`] is compiled for one server of the configuration and shared between sessions.
//! * [`Session`] stands between one client and that server: [`Session::from_client`], [`Session::from_server`].
//! * [`Gate`] says which calls may go out; [`PolicyGate`] does by rules alone.
//! * [`Journal`] keeps records, before anything happens.
//! * [`Stdio`] runs a server as a process, and stands between it and a client. What its messages go through is
//!   [`Between`]: a [`Session`], or one that another process keeps.
//! * [`Pins`] remember what the server said of its tools.
//!
//! # Order of a call
//! Read it, and refuse what two readers could take apart differently; redact it; put values back where the configuration
//! names the argument; understand what the call means ([`obelus_gate::Catalogue`]); judge it; record that; pass it on.
//! Its answer is matched by id, redacted, recorded and passed on.
//!
//! # Limits
//! [`MESSAGE_BYTES_MAX`], [`DEPTH_MAX`], [`WAITING_MAX`]. Beyond them a message is refused.

mod ask;
mod between;
mod call;
mod fault;
mod gate;
mod head;
mod journal;
mod message;
mod method;
mod pins;
mod server;
mod session;
mod state;
mod stdio;

pub use between::{Between, Lost, Passed};
pub use fault::Fault;
pub use gate::{
    Bound, Call, Gate, Judgement, PolicyGate, Ruling, STATE_PREFIX, Settled, Told, WaitsFor, denial,
    is_closed,
};
pub use head::{Head, REVISIONS, Sort};
pub use journal::{Decided, Ended, Ending, Event, Journal, Outcome, Redactions, Unrecorded, Verdict};
pub use message::{DEPTH_MAX, MESSAGE_BYTES_MAX};
pub use pins::{OnChange, Pinned, Pins, PinsError};
pub use server::{Kind, Server, Settings};
pub use session::{HOLD, Held, Principal, Session, Step, WAITING_MAX};
pub use stdio::{Client, Ended as StdioEnded, Stdio, Stopper};
