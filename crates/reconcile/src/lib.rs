#![forbid(unsafe_code)]
//! Do the records of a gateway and Stripe's own events tell the same story?
//!
//! # Overview
//! * [`Calls`] reads the records of the audit, one line after the other.
//! * [`read_events`] reads an export of events, one after the other.
//! * [`Pairing`] takes both and gives what belongs together and what does not: [`Reconciled`].
//!
//! What operation causes which events is a table, `data/events.json`; `generate.py` writes it.
//!
//! # Cost
//! Calls are held, in some hundred bytes each. Events that name a request or a key of one are settled as they come and not
//! held; others are, in as much.

mod call;
mod event;
mod found;
mod pair;
mod read;
mod table;

pub use call::{Calls, NoRecord};
pub use event::Event;
pub use found::{CallFault, Counts, Difference, Reconciled, Write};
pub use pair::{Pairing, Settings};
pub use read::{ReadError, read_events};
