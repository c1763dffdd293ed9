//! Who decides in a browser: a session for each token that was presented there.

use super::Gate;
use obelus_gate::Digest;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

/// How long a session lasts.
pub(super) const SESSION_SECONDS: u64 = 3600;
/// How many there are at one time; beyond that the one that ends first gives way.
const SESSIONS_MAX: usize = 64;

/// All sessions, as long as the process. Known by the hash of what the browser holds.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Digest, Session>>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// One session.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) approver: String,
    /// The token that was presented: once the configuration knows it no more, the session is over.
    token: Digest,
    /// What forms of this session hold, so that no other page can send them.
    pub(super) form_key: String,
    expires: u64,
}

impl Sessions {
    /// Begins a session for whoever has the token, and gives what the browser is to hold.
    pub(super) fn begin(&self, gate: &Gate, token: Digest, now: u64) -> io::Result<Option<String>> {
        let known = gate.config.approvers.iter().find(|(_, approver)| approver.token == token);
        let Some((approver, _)) = known else { return Ok(None) };
        let (cookie, form_key) = (random()?, random()?);
        let session = Session { approver: approver.clone(), token, form_key, expires: now + SESSION_SECONDS };
        let Some(name) = super::token::digest(cookie.as_bytes()) else { return Ok(None) };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.expires > now);
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.expires)
        {
            let oldest = *oldest.0;
            sessions.remove(&oldest);
        }
        sessions.insert(name, session);
        Ok(Some(cookie))
    }

    /// The session of a browser.
    pub(super) fn of(&self, gate: &Gate, cookie: &str, now: u64) -> Option<Session> {
        let name = super::token::digest(cookie.as_bytes())?;
        let session = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()?;
        let is_known =
            gate.config.approvers.get(&session.approver).is_some_and(|known| known.token == session.token);
        (is_known && session.expires > now).then_some(session)
    }
}

/// 32 random bytes in hexadecimal digits.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
