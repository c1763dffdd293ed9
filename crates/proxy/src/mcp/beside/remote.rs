//! The side of `obelus mcp`: a session that the sidecar keeps.

use super::frame::{
    self, Frame, HELLO_BYTES_MAX, Hello, Kind, Of, Open, PASSED_BYTES_MAX, PROTOCOL, Refusal, reason_of,
};
use super::is_of_us;
use crate::config::ConfigError;
use crate::stores::StartError;
use obelus_mcp::{Between, Lost, Passed, Stopper};
use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long the sidecar may take to open a connection. It may just be starting.
const OPENING_TIME: Duration = Duration::from_secs(30);

/// How long it may take to end a session, and to say why it has.
const END_TIME: Duration = Duration::from_secs(5);

/// Messages that the client is told besides what becomes of one.
const BESIDES_MAX: usize = 4;

/// A connection to the sidecar that serves there, if one does.
///
/// # Errors
/// What listens there is of another user.
pub(crate) fn connect(path: &Path) -> Result<Option<UnixStream>, StartError> {
    // Whatever keeps from connecting, nobody is there to judge anything; whether somebody writes the audit is another
    // question.
    let Ok(stream) = UnixStream::connect(path) else { return Ok(None) };
    if !is_of_us(&stream) {
        let what = "a process of another user listens there: run `obelus mcp` as the user of `obelus serve`";
        return Err(ConfigError::new(format!("{}: {what}", path.display())).into());
    }
    Ok(Some(stream))
}

/// Who wants a session before which server.
pub(crate) struct Wanted {
    /// The virtual key.
    pub(crate) key: Zeroizing<String>,
    /// The server, by its name in the configuration.
    pub(crate) server: String,
    /// Whether the server's own key is a live one, where that is known.
    pub(crate) livemode: Option<bool>,
}

/// A session that the sidecar keeps.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Connections>);

/// Its connections, each used by one thread at a time.
struct Connections {
    path: PathBuf,
    id: String,
    first: UnixStream,
    client: Mutex<UnixStream>,
    server: Mutex<UnixStream>,
    errors: Mutex<UnixStream>,
    verdict: Verdict,
}

/// Why the session is over, once it is.
#[derive(Default)]
struct Verdict {
    why: Mutex<Option<Lost>>,
    is_known: Condvar,
}

impl Verdict {
    fn set(&self, why: Lost) {
        *self.why() = Some(why);
        self.is_known.notify_all();
    }

    /// Waits until it is known, for [`END_TIME`] at most.
    fn get(&self) -> Lost {
        let waited = self.is_known.wait_timeout_while(self.why(), END_TIME, |why| why.is_none());
        let (why, _) = waited.unwrap_or_else(PoisonError::into_inner);
        why.unwrap_or(Lost::Gone)
    }

    fn why(&self) -> MutexGuard<'_, Option<Lost>> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Remote {
    /// Begins a session over a connection to the socket at `path`, and opens its channels.
    ///
    /// # Errors
    /// What the sidecar has against it, or that it does not answer.
    pub(crate) fn begin(first: UnixStream, path: &Path, wanted: Wanted) -> Result<Remote, StartError> {
        let Wanted { key, server, livemode } = wanted;
        let open = Open::Session { key, server, livemode };
        let begun = hello(&first, path, open)?;
        let id = String::from_utf8(begun.body).unwrap_or_default();
        let channel = |of| {
            let stream = UnixStream::connect(path).map_err(|error| failed(path, error))?;
            hello(&stream, path, Open::Channel { session: id.clone(), of })?;
            Ok::<_, StartError>(Mutex::new(stream))
        };
        Ok(Remote(Arc::new(Connections {
            client: channel(Of::Client)?,
            server: channel(Of::Server)?,
            errors: channel(Of::Errors)?,
            path: path.to_owned(),
            id,
            first,
            verdict: Verdict::default(),
        })))
    }

    /// Ends a run as soon as the session is over.
    ///
    /// # Errors
    /// The system gives no more handles of files.
    pub(crate) fn watch(&self, stopper: Stopper) -> Result<(), StartError> {
        let first = self.0.first.try_clone().map_err(|error| failed(&self.0.path, error))?;
        let connections = Arc::clone(&self.0);
        thread::spawn(move || {
            let said = frame::read(&first, HELLO_BYTES_MAX).ok().flatten();
            let said = said.filter(|frame| frame.kind == Kind::Over);
            let why = said.and_then(|frame| reason_of(&frame.body)).unwrap_or(Lost::Gone);
            stopper.lose(why);
            connections.verdict.set(why);
        });
        Ok(())
    }
}

impl Between for Remote {
    fn client_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        self.0.judged(&self.0.client, raw)
    }

    fn server_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        self.0.judged(&self.0.server, raw)
    }

    fn redact_text(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
        let frame = self.0.ask(&self.0.errors, text)?;
        match frame.kind {
            Kind::Text => Ok(Some(frame.body)),
            Kind::NoText => Ok(None),
            _ => Err(self.0.lost()),
        }
    }

    fn close(&self) {
        self.0.lost();
    }
}

impl Connections {
    /// Has a message judged.
    fn judged(self: &Arc<Self>, channel: &Mutex<UnixStream>, raw: &[u8]) -> Result<Passed, Lost> {
        let stream = channel.lock().unwrap_or_else(PoisonError::into_inner);
        let said = frame::write(&stream, &Frame::new(Kind::Message, raw)).and_then(|()| told(&stream));
        drop(stream);
        self.passed(said)
    }

    /// What becomes of a message, with what the client is told besides.
    fn passed(self: &Arc<Self>, said: io::Result<Option<(Vec<Vec<u8>>, Frame)>>) -> Result<Passed, Lost> {
        let Ok(Some((besides, frame))) = said else { return Err(self.lost()) };
        let passed = match (frame.kind, <[u8; 8]>::try_from(frame.body.as_slice())) {
            (Kind::Forward, _) => Passed::Forward(frame.body),
            (Kind::Answer, _) => Passed::Answer(frame.body),
            (Kind::Drop, _) => Passed::Drop,
            (Kind::Wait, Ok(number)) => {
                let connections = Arc::clone(self);
                let number = u64::from_be_bytes(number);
                Passed::Later(Box::new(move || connections.held(number)))
            }
            _ => return Err(self.lost()),
        };
        let tell = |next, message| Passed::Tell(message, Box::new(next));
        Ok(besides.into_iter().rev().fold(passed, tell))
    }

    /// What becomes of a call that waits for people: a channel of its own tells it.
    fn held(self: &Arc<Self>, number: u64) -> Result<Passed, Lost> {
        let said = UnixStream::connect(&self.path).and_then(|stream| {
            let open = Open::Channel { session: self.id.clone(), of: Of::Held(number) };
            frame::write(&stream, &opening(open))?;
            told(&stream)
        });
        self.passed(said)
    }

    /// Says something on a channel, and gets the answer.
    fn ask(&self, channel: &Mutex<UnixStream>, raw: &[u8]) -> Result<Frame, Lost> {
        let stream = channel.lock().unwrap_or_else(PoisonError::into_inner);
        let said = frame::write(&stream, &Frame::new(Kind::Message, raw))
            .and_then(|()| frame::read(&stream, PASSED_BYTES_MAX));
        drop(stream);
        said.ok().flatten().ok_or_else(|| self.lost())
    }

    /// Ends the session, if it is not over, and learns why it is. All is recorded then, unless the sidecar is gone.
    fn lost(&self) -> Lost {
        // The other side may have ended it already.
        self.first.shutdown(Shutdown::Write).unwrap_or_default();
        self.verdict.get()
    }
}

/// Reads what the client is told besides, and what becomes of the message; nothing at the end.
fn told(stream: &UnixStream) -> io::Result<Option<(Vec<Vec<u8>>, Frame)>> {
    let mut besides = Vec::new();
    loop {
        match frame::read(stream, PASSED_BYTES_MAX)? {
            Some(frame) if frame.kind == Kind::Tell && besides.len() < BESIDES_MAX => {
                besides.push(frame.body)
            }
            Some(frame) => return Ok(Some((besides, frame))),
            None => return Ok(None),
        }
    }
}

fn opening(open: Open) -> Frame {
    let hello = Hello { protocol: PROTOCOL, open };
    Frame::new(Kind::Hello, serde_json::to_vec(&hello).unwrap_or_default())
}

/// Opens a connection.
fn hello(stream: &UnixStream, path: &Path, open: Open) -> Result<Frame, StartError> {
    let patience = |time| stream.set_read_timeout(time).and_then(|()| stream.set_write_timeout(time));
    patience(Some(OPENING_TIME)).map_err(|error| failed(path, error))?;
    let frame = opening(open);
    let said = frame::write(stream, &frame).and_then(|()| frame::read(stream, HELLO_BYTES_MAX));
    // It may hold a key.
    drop(Zeroizing::new(frame.body));
    let answer = said.map_err(|error| failed(path, error))?;
    let answer = answer.ok_or_else(|| failed(path, io::Error::other("it broke the connection off")))?;
    patience(None).map_err(|error| failed(path, error))?;
    match answer.kind {
        Kind::Begun => Ok(answer),
        Kind::Refused => {
            let refusal: Refusal = serde_json::from_slice(&answer.body)
                .map_err(|_unread| failed(path, io::Error::other("it refuses, and does not say why")))?;
            Err(match refusal.is_config {
                true => ConfigError::new(refusal.message).into(),
                false => failed(path, io::Error::other(refusal.message)),
            })
        }
        _ => {
            Err(failed(path, io::Error::other("its answer is not understood: run the same release of both")))
        }
    }
}

fn failed(path: &Path, error: io::Error) -> StartError {
    StartError::Io(path.display().to_string(), "have the sidecar that serves there judge messages", error)
}
