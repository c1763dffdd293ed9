//! The sessions that the sidecar keeps for servers that run elsewhere.

use super::frame::Of;
use crate::refused::{Refused, Why};
use obelus_mcp::{Held, Lost, Session};
use obelus_vault::virtual_key::KeyId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, RwLock, watch};

/// Sessions at one time; of one virtual key.
pub(super) const SEATS_MAX: usize = 256;
pub(super) const OF_KEY_MAX: usize = 64;

/// A session, and what its connections share.
pub(super) struct Seat {
    pub(super) key: KeyId,
    pub(super) workflow: String,
    pub(super) server: String,
    pub(super) session: Arc<Session>,
    /// Why it is over, once it is.
    over: watch::Sender<Option<Lost>>,
    /// Whoever has a message of the client judged reads; whoever wants that no other comes writes.
    pub(super) turns: RwLock<()>,
    /// Something that was under way may have ended.
    pub(super) settled: Notify,
    channels: Mutex<Channels>,
}

/// Which channels there were, and the calls for which one is to come.
#[derive(Default)]
struct Channels {
    taken: Vec<Of>,
    held: HashMap<u64, Held>,
    number_next: u64,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Seat {
    pub(super) fn new(key: KeyId, workflow: String, server: String, session: Session) -> Seat {
        Seat {
            key,
            workflow,
            server,
            session: Arc::new(session),
            over: watch::Sender::new(None),
            turns: RwLock::default(),
            settled: Notify::new(),
            channels: Mutex::default(),
        }
    }

    /// Says that it is over. The first reason holds.
    pub(super) fn end(&self, why: Lost) {
        self.over.send_if_modified(|over| match over {
            None => {
                *over = Some(why);
                true
            }
            Some(_) => false,
        });
    }

    /// Waits until it is over, and tells why.
    pub(super) async fn is_over(&self) -> Lost {
        let mut over = self.over.subscribe();
        // This holds the sender, so that there is always one.
        over.wait_for(Option::is_some).await.ok().and_then(|over| *over).unwrap_or(Lost::Fault)
    }

    /// A call waits for people: the number of its channel.
    pub(super) fn hold(&self, held: Held) -> u64 {
        let mut channels = self.channels();
        let number = channels.number_next;
        channels.number_next += 1;
        channels.held.insert(number, held);
        number
    }

    /// Takes the call of a channel, once.
    pub(super) fn take_held(&self, number: u64) -> Option<Held> {
        self.channels().held.remove(&number)
    }

    /// Takes a channel, of which there is one.
    pub(super) fn take(&self, of: Of) -> bool {
        let mut channels = self.channels();
        let is_free = !channels.taken.contains(&of);
        if is_free {
            channels.taken.push(of);
        }
        is_free
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All sessions, by their ids.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<String, Arc<Seat>>>);

impl Seats {
    /// From now on it is known, if there is room.
    pub(super) fn add(&self, id: &str, seat: &Arc<Seat>) -> Result<(), Refused> {
        let full = |message: String| Err(Refused::new(429, Why::Limit, message));
        let mut all = self.all();
        if all.values().filter(|known| known.key == seat.key).count() >= OF_KEY_MAX {
            return full(format!(
                "{OF_KEY_MAX} servers of tools run through the sidecar for this virtual key: end one of them first, or \
                 use another key"
            ));
        }
        if all.len() >= SEATS_MAX {
            return full(format!(
                "{SEATS_MAX} servers of tools run through the sidecar: end one of them first"
            ));
        }
        all.insert(id.to_owned(), Arc::clone(seat));
        Ok(())
    }

    pub(super) fn of(&self, id: &str) -> Option<Arc<Seat>> {
        self.all().get(id).cloned()
    }

    pub(super) fn remove(&self, id: &str) {
        self.all().remove(id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
