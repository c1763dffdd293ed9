//! Sessions of clients of older revisions: each has an id of ours, and belongs to one virtual key and one server.

use crate::exchange::random_id;
use crate::refused::Refused;
use hyper::header::HeaderValue;
use obelus_audit::Word;
use obelus_mcp::Session;
use obelus_vault::virtual_key::KeyId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sessions at one time; of one virtual key. Beyond that the one gives way that was not used for longest.
const SESSIONS_MAX: usize = 1024;
const OF_KEY_MAX: usize = 128;
/// How long one may be left unused.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// One session.
pub(crate) struct Legacy {
    pub(super) id: Word,
    pub(super) session: Arc<Session>,
    key: KeyId,
    server: String,
    state: Mutex<State>,
}

struct State {
    /// The server's own id of it.
    upstream: Option<HeaderValue>,
    used: Instant,
}

impl fmt::Debug for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Legacy").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Legacy {
    /// One that nobody knows of yet.
    pub(super) fn new(session: Session, key: KeyId, server: &str) -> Result<Arc<Legacy>, Refused> {
        let state = State { upstream: None, used: Instant::now() };
        Ok(Arc::new(Legacy {
            id: random_id()?,
            session: Arc::new(session),
            key,
            server: server.to_owned(),
            state: Mutex::new(state),
        }))
    }

    pub(super) fn upstream(&self) -> Option<HeaderValue> {
        self.state().upstream.clone()
    }

    pub(super) fn set_upstream(&self, id: Option<HeaderValue>) {
        self.state().upstream = id;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<Legacy>>>);

impl Sessions {
    /// A session that the key may use. To look it up is to use it.
    pub(super) fn of(&self, id: &str, key: KeyId, server: &str) -> Option<Arc<Legacy>> {
        let known = self.all().get(id).cloned()?;
        let is_theirs = known.key == key && known.server == server;
        let is_fresh = known.state().used.elapsed() < IDLE_MAX;
        if !is_theirs || !is_fresh {
            return None;
        }
        known.state().used = Instant::now();
        Some(known)
    }

    /// From now on it is known. Those that give way for it are for the caller to drop, where that may wait.
    pub(super) fn add(&self, legacy: &Arc<Legacy>) -> Vec<Arc<Legacy>> {
        let mut all = self.all();
        let mut gone: Vec<Arc<Legacy>> = all
            .extract_if(|_, known| known.state().used.elapsed() >= IDLE_MAX)
            .map(|(_, known)| known)
            .collect();
        let mut give_way = |all: &mut HashMap<String, Arc<Legacy>>, is_meant: &dyn Fn(&Legacy) -> bool| {
            let oldest = all.values().filter(|known| is_meant(known)).min_by_key(|known| known.state().used);
            if let Some(oldest) = oldest.map(|known| known.id.as_str().to_owned()) {
                gone.extend(all.remove(&oldest));
            }
        };
        if all.values().filter(|known| known.key == legacy.key).count() >= OF_KEY_MAX {
            give_way(&mut all, &|known| known.key == legacy.key);
        }
        if all.len() >= SESSIONS_MAX {
            give_way(&mut all, &|_| true);
        }
        all.insert(legacy.id.as_str().to_owned(), Arc::clone(legacy));
        gone
    }

    /// It is known no more.
    pub(super) fn forget(&self, id: &Word) -> Option<Arc<Legacy>> {
        self.all().remove(id.as_str())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Legacy>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
