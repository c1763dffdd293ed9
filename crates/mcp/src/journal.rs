//! Where decisions and what came of them are written down.

use crate::gate::Bound;
use crate::session::Principal;
use obelus::Category;
use obelus_gate::{Decision, Operation};
use obelus_wire::{Redacted, SeenKey};
use std::fmt;

/// Keeps records. What is not recorded does not happen.
pub trait Journal: Send + Sync {
    /// Records what was decided about a request of a client, before it leaves or is refused. If that
    /// [may change something](Decided::is_durable), the record outlives a loss of power when this returns.
    ///
    /// What it gives is for the one record of what came of it.
    ///
    /// # Errors
    /// The record is not known to be kept; then the request goes nowhere.
    fn decided(&self, decided: &Decided<'_>) -> Result<Box<dyn Ending>, Unrecorded>;

    /// Whether records can be written, as far as is known.
    ///
    /// # Errors
    /// They cannot: then nothing goes on.
    fn check(&self) -> Result<(), Unrecorded>;

    /// Records something that concerns no single request.
    ///
    /// # Errors
    /// As for [`decided`](Journal::decided).
    fn noted(&self, event: &Event<'_>) -> Result<(), Unrecorded>;
}

/// The place for the record of what came of a request that left.
pub trait Ending: Send {
    /// Writes it. Cannot fail: the place was taken before.
    fn ended(self: Box<Self>, ended: &Ended<'_>);
}

/// The record is not known to be kept. Why is for the journal to tell those who run it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unrecorded;

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the audit cannot be written, so nothing is forwarded: try again later")
    }
}

impl std::error::Error for Unrecorded {}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is passed on.
    Allow,
    /// It waits for people.
    Wait,
    /// It was approved and made before; the answer is told again.
    Repeat,
    /// It goes nowhere.
    Deny,
}

/// What was replaced in a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Redactions<'a> {
    /// How many of each category.
    pub counts: &'a [(Category, u64)],
    /// Keys of Stripe's and of model providers that were among them.
    pub keys: &'a [SeenKey],
}

impl<'a> Redactions<'a> {
    pub(crate) fn of(redacted: &'a Redacted) -> Redactions<'a> {
        Redactions { counts: &redacted.counts, keys: &redacted.keys }
    }
}

/// A decision about one request of a client.
#[derive(Clone, Copy)]
pub struct Decided<'a> {
    /// A random name of the request.
    pub request: &'a str,
    /// Of which traces it may be a part (W3C Trace Context), what the message says of that before what was said around it.
    /// As it was said, so that it can be anything.
    pub traces: &'a [String],
    /// Who asks.
    pub principal: &'a Principal,
    /// The server, by its name in the configuration.
    pub server: &'a str,
    /// The method; nothing if it is not one of the protocol.
    pub method: Option<&'static str>,
    /// The tool, if the catalogue or the configuration knows it.
    pub tool: Option<&'a str>,
    /// What the call means, if it was understood.
    pub operation: Option<&'a Operation>,
    /// What policy says of it, if that was asked.
    pub decision: Option<&'a Decision>,
    /// The arguments of the call, redacted.
    pub arguments: Option<&'a [u8]>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, if it goes nowhere: a short word.
    pub reason: Option<&'static str>,
    /// The approval that it waits for or had.
    pub approval: Option<&'a Bound>,
    /// Whether it waits for that from now on.
    pub is_asked: bool,
    /// What was replaced in the request.
    pub redactions: Redactions<'a>,
    /// Bytes that were read.
    pub scanned_bytes: usize,
    /// What was not read, and why.
    pub unread: &'a [&'static str],
    /// Whether it may change something.
    pub is_durable: bool,
    /// The parameters of a call as they leave, if it does: with values behind tokens where these may become some.
    pub leaves: Option<&'a [u8]>,
}

impl fmt::Debug for Decided<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decided")
            .field("method", &self.method)
            .field("verdict", &self.verdict)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// What came of a request that left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was answered, and the answer is with the client.
    Completed,
    /// It was answered with an error, or with what could not be passed on.
    Failed,
    /// The client gave it up.
    Cancelled,
    /// No answer came.
    Unknown,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, if it failed: a short word.
    pub reason: Option<&'static str>,
    /// What was replaced in the answer.
    pub redactions: Redactions<'a>,
    /// Bytes that were read.
    pub scanned_bytes: usize,
}

/// Something that concerns no single request. Names of tools are the server's own words.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Event<'a> {
    /// A tool was seen for the first time.
    ToolPinned {
        /// The server.
        server: &'a str,
        /// The tool.
        tool: &'a str,
        /// The hash of its definition.
        hash: &'a str,
    },
    /// The definition of a tool is not the one that is pinned.
    ToolChanged {
        /// The server.
        server: &'a str,
        /// The tool.
        tool: &'a str,
        /// The hash of its definition now.
        hash: &'a str,
        /// Whether its calls are stopped.
        is_stopped: bool,
    },
    /// Values were replaced in a message that is no request of a client and no answer to one.
    Redacted {
        /// The server.
        server: &'a str,
        /// How many of each category.
        redactions: Redactions<'a>,
    },
    /// A message of the server was dropped.
    Dropped {
        /// The server.
        server: &'a str,
        /// Why: a short word.
        reason: &'static str,
    },
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Event::ToolPinned { .. } => "ToolPinned",
            Event::ToolChanged { .. } => "ToolChanged",
            Event::Redacted { .. } => "Redacted",
            Event::Dropped { .. } => "Dropped",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}
