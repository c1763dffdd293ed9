//! The side of `obelus serve`: the socket, what opens a connection there, and a session from its beginning to its end.

use super::channel;
use super::frame::{self, Frame, HEAD_BYTES, HELLO_BYTES_MAX, Hello, Kind, Open, Refusal};
use super::seats::{Seat, Seats};
use super::{check_name, has_commands, is_of_us};
use crate::app::FAREWELL;
use crate::config::{Config, ConfigError, McpKind};
use crate::core::Core;
use crate::exchange::random_id;
use crate::mcp::http::note;
use crate::mcp::{SESSION_DEFAULT, key_not_accepted, not_for_workflow, session};
use crate::open::{Stop, Ticket};
use crate::policy::Policy;
use crate::refused::{Refused, Why};
use crate::server::{Lifetime, Phase};
use crate::stores::StartError;
use obelus_audit::{Actor, Word};
use obelus_mcp::{Kind as Tools, Lost};
use obelus_vault::{Holder, KeyFault};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

/// Connections at one time of which it is not known yet what they are for, and how long that may take.
const OPENINGS_MAX: usize = 64;
const OPENING_TIME: Duration = Duration::from_secs(10);
/// How long accepting pauses when the system has no more sockets.
const PAUSE: Duration = Duration::from_millis(50);

/// The socket at which `obelus mcp` is served. Its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ToolSocket {
    listener: UnixListener,
    #[expect(dead_code, reason = "it is removed when this is dropped")]
    file: SocketFile,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that stays is taken for that of a process that was killed.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

impl ToolSocket {
    /// Listens where `obelus mcp` looks for a sidecar, if the configuration names commands. Only who holds the lock of the
    /// audit may do so: whatever lies there is then of a process that has ended.
    ///
    /// # Errors
    /// A name that is too long, a folder in which others may put files, something else in that place, or what the system
    /// says.
    pub(crate) fn bind(config: &Config) -> Result<Option<ToolSocket>, StartError> {
        if !has_commands(config) {
            return Ok(None);
        }
        check_name(config)?;
        let path = config.audit.socket_path();
        check_folder(&path)?;
        let at = |doing| {
            let path = path.display().to_string();
            move |error| StartError::Io(path, doing, error)
        };
        match fs::symlink_metadata(&path) {
            Ok(there) if there.file_type().is_socket() => {
                fs::remove_file(&path).map_err(at("take the socket of a sidecar that has ended away"))?;
            }
            Ok(_) => {
                let what = "is no socket, but lies where `obelus mcp` looks for one: move it away";
                return Err(ConfigError::new(format!("{}: {what}", path.display())).into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at("look at it")(error)),
        }
        let bound = Bound::bind(&path).map_err(at("listen there"))?;
        let file = SocketFile(path.clone());
        // Until it has its mode, others are refused by their user alone.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(at("set its mode"))?;
        bound.set_nonblocking(true).map_err(at("listen there"))?;
        let listener = UnixListener::from_std(bound).map_err(at("listen there"))?;
        Ok(Some(ToolSocket { listener, file }))
    }
}

/// Whoever may put files into its folder could put another socket in the place of ours.
fn check_folder(path: &Path) -> Result<(), StartError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = folder.display();
    let mode = fs::metadata(folder)
        .map_err(|error| StartError::Io(name.to_string(), "look at the folder", error))?
        .permissions()
        .mode();
    let (others_write, is_sticky) = (mode & 0o022 != 0, mode & 0o1000 != 0);
    if others_write && !is_sticky {
        return Err(ConfigError::new(format!(
            "{name}: others than its owner may put files into this folder, in which the socket for `obelus mcp` is to be: \
             run chmod go-w on it, or let audit.path be in another"
        ))
        .into());
    }
    Ok(())
}

/// Serves until the process drains; then the file of the socket is gone. Sessions that are open then end by themselves.
pub(crate) async fn serve(socket: ToolSocket, core: Arc<Core>, mut lifetime: Lifetime) {
    let seats = Arc::new(Seats::default());
    let openings = Arc::new(Semaphore::new(OPENINGS_MAX));
    let for_connections = lifetime.clone();
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&openings).acquire_owned().await else { return };
            let stream = match socket.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "accept");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            if !is_of_us(&stream) {
                tracing::warn!("a process of another user connected to the socket for `obelus mcp`");
                continue;
            }
            let (core, seats, lifetime) = (Arc::clone(&core), Arc::clone(&seats), for_connections.clone());
            tokio::spawn(async move {
                let mut stream = stream;
                let opened = opened(&mut stream, lifetime.clone()).await;
                drop(permit);
                connection(stream, &core, &seats, opened, lifetime).await;
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = lifetime.reached(Phase::Draining) => {}
    }
    drop(socket);
}

/// Reads what a connection is for, while there is time; nothing if it ended before.
async fn opened(stream: &mut UnixStream, mut lifetime: Lifetime) -> Result<Option<Open>, &'static str> {
    tokio::select! {
        biased;
        () = lifetime.reached(Phase::Draining) => Ok(None),
        opened = timeout(OPENING_TIME, hello(stream)) => opened.unwrap_or(Ok(None)),
    }
}

/// The same, however long it takes.
async fn hello(stream: &mut UnixStream) -> Result<Option<Open>, &'static str> {
    let mut head = [0; HEAD_BYTES];
    if stream.read_exact(&mut head).await.is_err() {
        return Ok(None);
    }
    let Some((kind, bytes)) = frame::opened(head, HELLO_BYTES_MAX) else {
        return Err("what came does not open a connection: only `obelus mcp` speaks here");
    };
    let mut body = vec![0; bytes];
    if stream.read_exact(&mut body).await.is_err() {
        return Ok(None);
    }
    let frame = Frame::new(kind, body);
    let open = Hello::read(&frame);
    // It may hold a key.
    drop(Zeroizing::new(frame.body));
    open.map(Some)
}

async fn connection(
    mut stream: UnixStream,
    core: &Arc<Core>,
    seats: &Arc<Seats>,
    opened: Result<Option<Open>, &'static str>,
    lifetime: Lifetime,
) {
    match opened {
        Ok(Some(Open::Session { key, server, livemode })) => {
            // In memory of its own: most connections are channels.
            Box::pin(first(stream, core, seats, Asked { key, server, livemode }, lifetime)).await;
        }
        Ok(Some(Open::Channel { session, of })) => {
            channel::serve(stream, core, seats.of(&session), of).await;
        }
        Ok(None) => {}
        Err(what) => {
            let refused = Refused::new(400, Why::Unsupported, what);
            note(core, &refused, None, None).await;
            refuse(&mut stream, core, &refused).await;
        }
    }
}

/// Writes a frame, for as long as somebody takes it. Says whether it was taken.
pub(super) async fn write(stream: &mut UnixStream, frame: &Frame) -> bool {
    let Some(head) = frame.head() else { return false };
    stream.write_all(&head).await.is_ok() && stream.write_all(&frame.body).await.is_ok()
}

/// Says why a connection is not opened.
pub(super) async fn refuse(stream: &mut UnixStream, core: &Core, refused: &Refused) {
    core.metrics.refusal(refused.why);
    let is_config = refused.status < 500 && refused.why != Why::Limit;
    let refusal = Refusal { is_config, message: refused.message.clone().into_owned() };
    let frame = Frame::new(Kind::Refused, serde_json::to_vec(&refusal).unwrap_or_default());
    // Whoever does not listen is not told.
    drop(timeout(FAREWELL, write(stream, &frame)).await);
}

/// Who wants a session before which server.
struct Asked {
    key: Zeroizing<String>,
    server: String,
    livemode: Option<bool>,
}

/// Serves the first connection of a session: begins it, waits until it is over, and ends it.
async fn first(
    mut stream: UnixStream,
    core: &Arc<Core>,
    seats: &Arc<Seats>,
    asked: Asked,
    lifetime: Lifetime,
) {
    let (within, runtime) = (Arc::clone(core), Handle::current());
    let begun = tokio::task::spawn_blocking(move || {
        let mut actor = None;
        let begun = begin(&within, &asked, &runtime, &mut actor);
        begun.map_err(|refused| (refused, actor))
    });
    let begun = begun.await.unwrap_or_else(|_panicked| {
        core.metrics.panic();
        Err((Refused::new(500, Why::Internal, "a fault of the sidecar: nothing was begun"), None))
    });
    let begun = begun.and_then(|(seat, ticket)| {
        let id = random_id().map_err(|refused| (refused, None))?;
        let seat = Arc::new(seat);
        seats.add(id.as_str(), &seat).map_err(|refused| (refused, actor(&seat)))?;
        Ok((id, seat, ticket))
    });
    let (id, seat, ticket) = match begun {
        Ok(begun) => begun,
        Err((refused, actor)) => {
            note(core, &refused, actor, None).await;
            return refuse(&mut stream, core, &refused).await;
        }
    };
    let is_told = timeout(FAREWELL, write(&mut stream, &Frame::new(Kind::Begun, id.as_str()))).await;
    let why = match is_told {
        Ok(true) => until_over(&mut stream, &seat, ticket, lifetime.clone()).await,
        _ => None,
    };
    seats.remove(id.as_str());
    seat.end(why.unwrap_or(Lost::Gone));
    if let Some(why) = why {
        // Whoever is not told learns it by the end of the connection.
        drop(timeout(FAREWELL, write(&mut stream, &frame::over(why))).await);
    }
    let ending = Arc::clone(&seat);
    if tokio::task::spawn_blocking(move || ending.session.close()).await.is_err() {
        core.metrics.panic();
    }
    // Whoever waits for the end of the connection knows by it that all is recorded.
    drop(stream);
}

fn actor(seat: &Seat) -> Option<Actor> {
    let (key, workflow) = Word::new(seat.key.as_str()).zip(Word::new(&seat.workflow))?;
    Some(Actor { key, workflow })
}

/// Waits until a session is over, and tells why; nothing if `obelus mcp` has left.
async fn until_over(
    stream: &mut UnixStream,
    seat: &Seat,
    ticket: Ticket,
    lifetime: Lifetime,
) -> Option<Lost> {
    let mut nothing = [0; 1];
    tokio::select! {
        biased;
        stop = ticket => Some(match stop {
            Stop::Revoked => Lost::Revoked,
            Stop::Draining => Lost::Ending,
        }),
        why = seat.is_over() => Some(why),
        // Nothing is said here any more: what comes is the end.
        _ = stream.read(&mut nothing) => None,
        () = is_drained(seat, lifetime) => Some(Lost::Ending),
    }
}

/// Waits until the process drains and no call is under way. From then on no message of the client is judged.
async fn is_drained(seat: &Seat, mut lifetime: Lifetime) {
    lifetime.reached(Phase::Draining).await;
    let _turns = seat.turns.write().await;
    while !seat.session.is_idle() {
        seat.settled.notified().await;
    }
}

/// Begins a session, or says why not. May wait for the store.
fn begin(
    core: &Arc<Core>,
    asked: &Asked,
    runtime: &Handle,
    actor: &mut Option<Actor>,
) -> Result<(Seat, Ticket), Refused> {
    if core.is_draining() {
        return Err(Refused::new(503, Why::Busy, "the sidecar ends: try again"));
    }
    let (holder, ticket) = admit(core, asked.key.as_bytes())?;
    *actor = Word::new(holder.id.as_str())
        .zip(Word::new(&holder.workflow))
        .map(|(key, workflow)| Actor { key, workflow });
    let policy = core.policy.load_full();
    let kind = kind(&policy, asked, &holder)?;
    let named = (asked.server.as_str(), kind);
    let session = session(core, named, &holder, SESSION_DEFAULT, None, runtime)
        .map_err(|error| Refused::new(503, Why::Gate, error.to_string()))?;
    Ok((Seat::new(holder.id, holder.workflow, asked.server.clone(), session), ticket))
}

/// Who presents a key, in the words of `obelus mcp`. From now on it can be stopped from outside.
fn admit(core: &Core, presented: &[u8]) -> Result<(Holder, Ticket), Refused> {
    let refused = |fault: KeyFault| {
        let words = key_not_accepted(&fault);
        match fault {
            KeyFault::Store(_) => Refused::new(503, Why::Vault, words),
            _ => Refused::new(401, Why::Unauthenticated, words),
        }
    };
    let sweeps = core.open.sweeps();
    let holder = core.keys.check(presented, SystemTime::now()).map_err(refused)?;
    let ticket = core.open.add(holder.id);
    if core.open.sweeps() != sweeps {
        // A sweep over revoked keys began meanwhile and may not have seen this session.
        core.keys.recheck(&holder.id, SystemTime::now()).map_err(refused)?;
    }
    Ok((holder, ticket))
}

/// Whose tools the server has, with what its key says of itself, if this key may use it.
fn kind(policy: &Policy, asked: &Asked, holder: &Holder) -> Result<Tools, Refused> {
    let name = asked.server.as_str();
    let Some(described) = policy.config.mcp.get(name) else {
        let what = "the server of tools is none of `mcp` in the configuration of the running `obelus serve`: add it there, \
                    and send that process SIGHUP";
        return Err(Refused::new(404, Why::Route, what));
    };
    if described.place.is_some() {
        let what = format!(
            "mcp.{name}.url: `obelus serve` reaches it, at /mcp/{name}: leave it out to run a command"
        );
        return Err(Refused::new(404, Why::Route, what));
    }
    if !may_use(policy, name, &holder.workflow) {
        return Err(Refused::new(403, Why::Forbidden, not_for_workflow(name)));
    }
    if let McpKind::Stripe { livemode, .. } = &described.kind
        && livemode.zip(asked.livemode).is_some_and(|(said, by_key)| said != by_key)
    {
        let what = format!("mcp.{name}.livemode: not what the key of the server says");
        return Err(Refused::new(403, Why::Forbidden, what));
    }
    Ok(crate::mcp::kind(name, described, asked.livemode))
}

/// Whether a server is run as a command for the keys of a workflow.
pub(super) fn may_use(policy: &Policy, server: &str, workflow: &str) -> bool {
    let tools = policy.tools(server).filter(|tools| tools.reach.is_none());
    tools.is_some_and(|tools| tools.messages(workflow).is_some()) && policy.grant(workflow).is_some()
}
