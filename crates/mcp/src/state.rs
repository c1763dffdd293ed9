//! What is under way in a session.

use crate::ask::Asks;
use crate::fault::Fault;
use crate::journal::Ending;
use crate::message::{Id, Message};
use crate::session::WAITING_MAX;
use std::collections::{HashMap, HashSet, VecDeque};

#[derive(Default)]
pub(crate) struct State {
    /// Requests of the client.
    pub(crate) asked: HashMap<Id, Waiting>,
    /// Requests that the client gave up and the server has not answered, the oldest first: those of which it is still to
    /// be learnt what came of them with all that is known of them.
    pub(crate) given_up: VecDeque<(Id, Option<Waiting>)>,
    /// Requests of the client that wait for people.
    pub(crate) held: HashSet<Id>,
    /// Requests of the server.
    pub(crate) asked_back: HashSet<Id>,
    /// Whether the client, of an older revision, shows addresses to people.
    pub(crate) shows_addresses: bool,
    /// Whether it shows forms.
    pub(crate) shows_forms: bool,
    /// What the gateway has asked it.
    pub(crate) asks: Asks,
    pub(crate) is_closed: bool,
}

/// A request of the client that went on.
pub(crate) struct Waiting {
    pub(crate) method: &'static str,
    pub(crate) ending: Box<dyn Ending>,
    /// For the gate, if it is a call.
    pub(crate) ticket: Option<String>,
}

impl State {
    /// Learns what an older client shows to people.
    pub(crate) fn begin(&mut self, initialize: &Message<'_>) {
        self.shows_addresses = initialize.shows_addresses();
        self.shows_forms = initialize.shows_forms();
    }

    /// Whether a request of the client may have that id.
    pub(crate) fn admit(&self, id: &Id, is_held: bool) -> Result<(), (&'static str, Fault)> {
        let is_given_up = self.given_up.iter().any(|(given_up, _)| given_up == id);
        if self.asked.contains_key(id) || self.held.contains(id) != is_held || is_given_up {
            return Err((
                "id",
                Fault::invalid("another request with this id is under way: give each its own"),
            ));
        }
        if self.asked.len() >= WAITING_MAX {
            return Err(("limit", Fault::refused("too many requests are under way: wait for answers")));
        }
        Ok(())
    }

    /// What is known of a request that the server answers, and whether the client has given it up.
    pub(crate) fn answered(&mut self, id: &Id) -> Option<(Option<Waiting>, bool)> {
        if let Some(waiting) = self.asked.remove(id) {
            return Some((Some(waiting), false));
        }
        let at = self.given_up.iter().position(|(given_up, _)| given_up == id)?;
        self.given_up.remove(at).map(|(_, waiting)| (waiting, true))
    }
}
