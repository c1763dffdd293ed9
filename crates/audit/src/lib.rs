#![forbid(unsafe_code)]
//! Records of what was decided and what came of it: one JSON object a line, in a chain that shows what was changed, or
//! nothing happens.
//!
//! # Overview
//! * [`Record`] is one line. It holds words, numbers and counts; text of a request has no place in it.
//! * [`Log`] appends records. One process writes a log.
//! * [`verify`] checks [`Files`].
//! * A [`Follower`] hands out records as they are kept, for whoever takes them elsewhere.
//!
//! What a caller must do is short: append before the effect, and if that fails, have no effect.
//!
//! # Evidence
//! Each record holds the hash of the one before, so that nothing can be changed, taken out, put in or moved without a
//! trace. That does not show an end that was cut off or a log that was written anew; a [`Checkpoint`] that somebody else
//! holds does: it says how many records there are and the root of the tree over them, signed.

mod call;
mod checkpoint;
mod disk;
mod error;
mod files;
mod follow;
mod key_file;
mod line;
mod log;
mod note;
mod open;
mod pieces;
mod record;
mod segment;
mod segments;
mod sink;
mod time;
mod tree;
mod verify;
mod writer;

pub use call::{Arguments, Call, SealedCall};
pub use checkpoint::Checkpoint;
pub use disk::{Disk, DiskFile, FileSystem};
pub use error::{Error, Unwritten};
pub use files::Files;
pub use follow::{Follower, Line, SignedCheckpoint};
pub use log::{Log, Place};
pub use note::{NoVerifierKey, Note, SigningKey, VerifierKey};
pub use open::{SEGMENT_BYTES, Settings, rotate_key};
pub use record::{Actor, Coverage, Decision, ExposedKey, Kind, Outcome, Record, Route, Word, is_bad};
pub use time::Utc;
pub use tree::{Hash, Tree};
pub use verify::{Fault, Report, verify};
