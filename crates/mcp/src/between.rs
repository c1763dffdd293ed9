//! What the messages between a client and a process go through: a session of this process, or one that another keeps.

use crate::session::{Held, Session, Step};
use std::fmt;
use std::sync::Arc;

/// Says what becomes of each message between a client and a server. Both directions may be used at the same time, each by
/// one thread.
pub trait Between: Send + Sync {
    /// Reads a message of the client. [`Passed::Forward`] goes to the server.
    ///
    /// # Errors
    /// The session is over: nothing more goes on.
    fn client_says(&self, raw: &[u8]) -> Result<Passed, Lost>;

    /// Reads a message of the server. [`Passed::Forward`] goes to the client.
    ///
    /// # Errors
    /// The session is over: nothing more goes on.
    fn server_says(&self, raw: &[u8]) -> Result<Passed, Lost>;

    /// A line of the server that is no message, redacted; nothing inside if it cannot be read.
    ///
    /// # Errors
    /// The session is over: nothing more goes on.
    fn redact_text(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Lost>;

    /// Ends the session: what waits for an answer counts as sent, with an unknown outcome, and that is recorded when this
    /// returns.
    fn close(&self);
}

/// What becomes of a message.
pub enum Passed {
    /// It goes on, perhaps changed.
    Forward(Vec<u8>),
    /// It goes no further; this goes back to whoever sent it.
    Answer(Vec<u8>),
    /// It goes no further, and nothing goes back.
    Drop,
    /// This goes to the client, whatever becomes of the message itself.
    Tell(Vec<u8>, Box<Passed>),
    /// It waits for people. This returns once it is known what becomes of it, which may take as long as
    /// [`HOLD`](crate::HOLD).
    Later(Box<dyn FnOnce() -> Result<Passed, Lost> + Send>),
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Passed::Forward(_) => "Forward",
            Passed::Answer(_) => "Answer",
            Passed::Drop => "Drop",
            Passed::Tell(..) => "Tell",
            Passed::Later(_) => "Later",
        })
    }
}

/// Why a session that another process keeps is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// That process is gone, or the connection to it, and nobody said why.
    Gone,
    /// The virtual key was revoked, or has expired.
    Revoked,
    /// That process was told to end.
    Ending,
    /// Its configuration no longer lets the key use the server.
    Withdrawn,
    /// It has no memory left for messages.
    Busy,
    /// It had a fault, or did not understand what it was told.
    Fault,
}

impl Between for Arc<Session> {
    fn client_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        Ok(passed(self, self.from_client(raw)))
    }

    fn server_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        Ok(passed(self, self.from_server(raw)))
    }

    fn redact_text(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
        Ok(Session::redact_text(self, text))
    }

    fn close(&self) {
        Session::close(self);
    }
}

fn passed(session: &Arc<Session>, step: Step) -> Passed {
    match step {
        Step::Forward(message) => Passed::Forward(message),
        Step::Answer(message) => Passed::Answer(message),
        Step::Drop | Step::Heard => Passed::Drop,
        Step::Tell(message, step) => Passed::Tell(message, Box::new(passed(session, *step))),
        Step::Hold(held) => {
            let session = Arc::clone(session);
            Passed::Later(Box::new(move || Ok(decided(&session, held))))
        }
    }
}

/// Waits until a call that waits for people is decided.
fn decided(session: &Arc<Session>, mut held: Held) -> Passed {
    loop {
        session.wait(&held);
        match session.resume(&held) {
            Step::Hold(again) => held = again,
            step => return passed(session, step),
        }
    }
}
