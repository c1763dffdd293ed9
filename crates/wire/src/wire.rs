//! The readers of requests and answers.

use crate::refusal::{Reason, Refusal};
use crate::route::Route;
use obelus::{BuildError, Category};
use obelus_vault::Scope;
use std::sync::Arc;

/// How a workflow's traffic is read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Profile {
    /// Rule files: text and name.
    pub rules: Vec<(String, String)>,
}

/// Compiled for one profile. Shared between requests.
#[derive(Debug)]
pub struct Wire {}

/// What a request says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The model it asks for.
    pub model: Option<String>,
    /// Whether the answer shall be streamed.
    pub streamed: bool,
    /// Whether the provider keeps or continues a conversation, so that its answer may hold tokens of earlier requests.
    pub continues: bool,
}

/// A request or an answer that may go on.
#[derive(Debug, Default)]
pub struct Redacted {
    /// The body.
    pub body: Vec<u8>,
    /// How many findings of each category were replaced.
    pub counts: Vec<(Category, u64)>,
    /// What was not read, and why: `media`, `encrypted reasoning`.
    pub unread: Vec<&'static str>,
}

impl Wire {
    /// Compiles.
    ///
    /// # Errors
    /// What [`obelus::Builder::build`] says.
    pub fn new(profile: &Profile) -> Result<Wire, BuildError> {
        let _ = profile;
        Ok(Wire {})
    }

    /// Reads what a request says of itself, and refuses what may not be said.
    ///
    /// # Errors
    /// A body that is malformed, ambiguous, or holds what is refused.
    pub fn inspect(&self, route: Route, body: &[u8]) -> Result<Facts, Refusal> {
        let _ = (route, body);
        Err(not_built())
    }

    /// Redacts a request that was inspected.
    ///
    /// # Errors
    /// A limit, or a finding in a part that must not be changed.
    pub fn request(&self, route: Route, body: &[u8], scope: &Scope) -> Result<Redacted, Refusal> {
        let _ = (route, body, scope);
        Err(not_built())
    }

    /// Begins to read an answer that comes whole.
    pub fn answer(self: &Arc<Self>, route: Route, scope: Scope) -> Answer {
        let _ = (route, scope);
        Answer {}
    }

    /// Begins to read an answer that comes as server-sent events.
    pub fn events(self: &Arc<Self>, route: Route, scope: Scope) -> Events {
        let _ = (route, scope);
        Events {}
    }
}

/// Reads an answer that comes whole.
#[derive(Debug)]
pub struct Answer {}

impl Answer {
    /// Redacts what the model invents and turns tokens back.
    ///
    /// # Errors
    /// An answer that is not what its type says, or a finding in a part that must not be changed.
    pub fn finish(self, body: &[u8]) -> Result<Redacted, Refusal> {
        let _ = body;
        Err(not_built())
    }
}

/// Reads an answer that comes as server-sent events.
#[derive(Debug)]
pub struct Events {}

impl Events {
    /// Reads the next bytes; appends what may leave.
    ///
    /// # Errors
    /// As for [`Answer::finish`]. Call [`Events::fail`] then.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        let _ = (chunk, out);
        Err(not_built())
    }

    /// Ends the answer as the provider ended it.
    ///
    /// # Errors
    /// As for [`Events::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let _ = out;
        Err(not_built())
    }

    /// Ends the answer early: appends what is settled, and an event that tells the client why, in the provider's form.
    pub fn fail(&mut self, refusal: &Refusal, request_id: &str, out: &mut Vec<u8>) {
        let _ = (refusal, request_id, out);
    }

    /// How many bytes are held back now.
    pub fn held_bytes(&self) -> usize {
        0
    }

    /// How many findings of each category were replaced so far.
    pub fn counts(&self) -> Vec<(Category, u64)> {
        Vec::new()
    }
}

fn not_built() -> Refusal {
    Refusal { status: 501, reason: Reason::Unsupported, message: "not built".to_owned() }
}
