#![forbid(unsafe_code)]
//! Decides which calls of tools and interfaces may go out.
//!
//! A call comes as a request of Stripe's REST interface or as a tool of an MCP server; what it means is the same
//! either way. No name of a tool decides anything: policy speaks of operations, and of what their arguments make of
//! them. What is not understood is denied.
//!
//! # Overview
//! * [`Catalogue`] knows every operation and tool of Stripe's: [`Catalogue::rest`] and [`Catalogue::tool_call`] say
//!   what a call means. [`Servers`] does the same for tools of other servers, by configuration.
//! * [`Operation`] is what they say; [`Denied`] is why they say nothing.
//! * [`Policy`] holds rules and judges operations: [`Decision`].
//! * [`Approvals`] keep what waits for people, what they decide, and what came of it.
//! * [`visible`] shows what text hides from those who decide by it.
//! * [`Totals`] count what went out today, with what waits and what is on its way: [`SqliteTotals`] in a file,
//!   [`MemoryTotals`] as long as the process.
//! * [`Fixture`] is a call written down, with what should become of it.
//!
//! ```
//! use obelus_gate::{Caller, Catalogue, Connection, Outcome, Policy, PolicyFile, Servers, Sums, ToolCall};
//!
//! let policy = Policy::load(&[PolicyFile::preset()], &Servers::default())?;
//! let call = ToolCall {
//!     tool: "create_refund",
//!     arguments: br#"{"payment_intent": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "amount": 500}"#,
//!     connection: Connection { livemode: Some(true), account: None },
//! };
//! let operation = Catalogue::shipped()?.tool_call(&call)?;
//! assert_eq!(operation.operation, "PostRefunds");
//! let caller = Caller { key: "k1", workflow: "support" };
//! let decision = policy.decide(&operation, &caller, &Sums::default(), 0);
//! assert_eq!(decision.outcome, Outcome::NeedsApproval { approvers: 1 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Order of a call
//! Understand it ([`Catalogue::rest`], [`Catalogue::tool_call`]); if it is about a payment, look that up
//! ([`Operation::lookup`], [`Operation::fill_in`]); count it ([`Totals::reserve`]); judge it ([`Policy::decide`]).
//! Denied: [`Totals::release`]. Waiting: it stays counted, and is judged again with [`Totals::sums`] before it goes
//! out. Sent: [`Totals::commit`].
//!
//! A call that waits for people is kept by [`Approvals::ask`]; they decide by [`Approvals::vote`]; before it leaves,
//! [`Approvals::consume`] uses the approval up, and [`Approvals::record`] keeps what came of it.
//!
//! # What it does not do
//! It opens no socket, reads no clock and knows nobody who could approve anything. Only [`SqliteTotals`] and
//! [`Approvals`] have files.

mod amount;
mod approvals;
mod arguments;
mod catalogue;
mod class;
mod denied;
mod fixture;
mod gate_file;
mod operation;
mod policy;
mod rest;
mod subjects;
mod tool;
mod totals;
mod visible;

pub use amount::{Amount, Currency};
pub use approvals::{
    Approval, ApprovalError, Approvals, Asked, Call, Digest, Permit, Proposal, Recorded, SealKey, State, Vote,
};
pub use arguments::{Argument, Arguments, FileHead, Part, boundary, parts};
pub use catalogue::{Catalogue, CatalogueError, Entry};
pub use class::RiskClass;
pub use denied::Denied;
pub use fixture::{
    Explained, Fixture, FixtureError, FoundFixture, PRESET_FIXTURES, Refused, TodayFixture, Understood,
};
pub use gate_file::GateFileError;
pub use operation::{Connection, Found, Lookup, Operation};
pub use policy::{
    Because, Caller, Decision, Judged, Lint, LintKind, Outcome, PRESET, Policy, PolicyError, PolicyFile, Rule,
};
pub use rest::{Body, RestCall};
pub use subjects::{Sealed, SubjectError, Subjects};
pub use tool::{Servers, ServersError, ToolCall};
pub use totals::{MemoryTotals, Reservation, SqliteTotals, Sum, Sums, Today, Totals, TotalsError};
pub use visible::visible;
