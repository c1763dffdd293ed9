//! Documents of other services than model providers: read whole, by the rules for names and texts alone.

use crate::profile::Profile;
use crate::read::{Side, run};
use crate::refusal::{Reason, Refusal};
use crate::tokens::{Mode, Tally};
use crate::wire::{Redacted, builder};
use obelus::{BuildError, Redactor};
use obelus_vault::Scope;
use std::fmt;

/// Reads JSON of no provider: answers of interfaces, arguments of calls. Values become tokens of a scope, as they do in
/// requests to models, so that a model knows them by the same name.
pub struct Documents {
    redactor: Redactor,
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

impl Documents {
    /// Compiles one redactor. Build one for each profile, share it.
    ///
    /// # Errors
    /// What [`obelus::Builder::build`] says.
    pub fn new(profile: &Profile) -> Result<Documents, BuildError> {
        let mut builder = builder(profile, profile.transform);
        builder.carry_over(profile.carry_over);
        Ok(Documents { redactor: builder.build()? })
    }

    /// Redacts one JSON document.
    ///
    /// # Errors
    /// It is no JSON, or a limit.
    pub fn redact(&self, json: &[u8], scope: &Scope) -> Result<Redacted, Refusal> {
        let mut tally = Tally::default();
        let body = run(&self.redactor, json, (scope, Mode::Mint), &mut tally, None)
            .map_err(|error| Side::Answer.stopped(error))?;
        if tally.is_long() {
            let message = "more takes the place of values than may: ask for less at a time";
            return Err(Side::Answer.refuse(Reason::Limit, message));
        }
        Ok(Redacted { body, counts: tally.counts(), keys: tally.keys(), unread: Vec::new() })
    }
}
