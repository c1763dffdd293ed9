//! Decides from a member's name and position whether its value is sensitive.
//!
//! The rules know nothing of JSON text: an engine that reads a stream asks about one value at a time and says
//! what it has seen of the place so far. The answer is the same whenever it is given: early where the place
//! decides, [`Verdict::Undecided`] where a later member of the object may still matter.
//!
//! # Overview
//! * [`PackFile`] is a rule file, read and checked. The README of this crate describes its form.
//! * [`Fields`] holds packs compiled under a [`Profile`]. Build it once, share it.
//! * [`Name`] is a member name as the rules see it; [`Place`] is what is known of a value's position.
//! * [`Verdict`] says what becomes of the value, by its [`Class`].
//!
//! ```
//! use obelus_fields::{Fields, GENERIC, PackFile, Place, Profile, Verdict};
//!
//! let pack = PackFile::parse(GENERIC, "generic.toml")?;
//! let fields = Fields::compile(&[pack], Profile::Balanced)?;
//!
//! // {"name": "…", "email": "…"}: a name is a person's if contact data stand beside it.
//! let (name, email) = (fields.name(b"name"), fields.name(b"email"));
//! let mut place = Place { siblings: name.mask(), ..Place::default() };
//! assert_eq!(fields.verdict(name, &place), Verdict::Undecided);
//! place.siblings |= email.mask();
//! let Verdict::Redact(class) = fields.verdict(name, &place) else { return Ok(()) };
//! assert_eq!(fields.class(class).rule_id, "generic/person-name");
//! # Ok::<(), obelus_fields::PackError>(())
//! ```
//!
//! # Limits
//! All packs together may use 60 distinct sets of names in conditions, 64 sets of object types and 65,535
//! spellings of names; beyond that [`Fields::compile`] fails. Names of objects that rules know by their end or a
//! part are judged by their last 64 bytes.
//!
//! # What doubt means
//! An object of a document that is known to be a pack's own, in which nothing tells its type nor that of one
//! around it, counts as each type that a rule asks for: more is redacted rather than less.
#![forbid(unsafe_code)]

mod fields;
mod place;

mod allow;
mod pack;
mod treatment;

mod compile;
mod reason;
mod rule;

mod ids;
mod pattern;
mod table;

mod error;

pub use allow::{AllowEntry, AllowFile, NEVER_ALLOWED};
pub use error::PackError;
pub use fields::{Class, Fields, Name, Profile};
pub use pack::{Example, PackFile};
pub use place::{ClassIx, ObjectType, Place, Subtree, Told, Verdict};
pub use reason::{By, Described, Reason};
pub use treatment::{Transform, Treatment};

/// The rule file for customer and payment APIs in general.
pub const GENERIC: &str = include_str!("../rules/generic.toml");
