//! The provider as tests hold it.

use crate::record::{Record, Recorded};
use crate::server;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};
use tokio::sync::{Semaphore, oneshot};

/// How a provider is started.
#[derive(Clone)]
pub struct Options {
    /// Where it listens; must be loopback. Port 0, the default, takes a free one.
    pub address: SocketAddr,
    /// Where programs ask what was seen, if anywhere; must be loopback. See [`Provider::admin_address`].
    pub admin_address: Option<SocketAddr>,
    /// The key that requests must carry, as `Authorization: Bearer` or `x-api-key`. None: any or none.
    pub key: Option<String>,
    /// The length of a delta in characters, where the script does not say it; 0 counts as 1.
    pub delta_chars: usize,
    /// How many requests are remembered, and at most 64 MiB of bodies. 0: none, which is faster.
    pub recorded_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Options { address: any, admin_address: None, key: None, delta_chars: 4, recorded_max: 1024 }
    }
}

/// Shows no key.
impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What all connections share.
pub(crate) struct State {
    pub(crate) record: Record,
    pub(crate) key: Option<String>,
    pub(crate) delta_chars: usize,
    /// A permit for each release that no stream has taken.
    pub(crate) release: Arc<Semaphore>,
    pub(crate) count: AtomicU64,
}

impl State {
    /// Forgets requests and releases, so that what comes next does not depend on what was.
    pub(crate) fn forget(&self) {
        self.record.forget();
        self.release.forget_permits(usize::MAX);
    }
}

/// A provider that answers on loopback, in a thread of its own, until it is dropped.
pub struct Provider {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// Starts a provider; it answers as soon as this returns.
    ///
    /// # Errors
    /// An address that is not loopback or cannot be bound, or a thread that cannot be started.
    pub fn start(options: Options) -> io::Result<Provider> {
        let listener = bind(options.address)?;
        let admin = options.admin_address.map(bind).transpose()?;
        let address = listener.local_addr()?;
        let admin_address = admin.as_ref().map(TcpListener::local_addr).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state = Arc::new(State {
            record: Record::new(options.recorded_max),
            key: options.key,
            delta_chars: options.delta_chars.max(1),
            release: Arc::new(Semaphore::new(0)),
            count: AtomicU64::new(0),
        });
        let (listener, admin) = {
            let _inside = runtime.enter();
            (
                tokio::net::TcpListener::from_std(listener)?,
                admin.map(tokio::net::TcpListener::from_std).transpose()?,
            )
        };
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("obelus-demo".to_owned())
            .spawn(move || runtime.block_on(server::run(listener, admin, shared, stopped)))?;
        Ok(Provider { address, admin_address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where programs ask: `GET /seen` (the requests as JSON), `POST /forget`, `POST /release`.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that came, oldest first. One is there before its answer begins.
    pub fn seen(&self) -> Vec<Recorded> {
        self.state.record.all()
    }

    /// Forgets the requests, and releases that no stream has taken.
    pub fn forget(&self) {
        self.state.forget();
    }

    /// Lets one stream go on that waits (`[[hold:N]]`), or the next one that will.
    pub fn release(&self) {
        self.state.release.add_permits(1);
    }
}

/// Ends every connection and waits for the thread.
impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on its own.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Provider").field("address", &self.address).finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let message = format!("{address} is not loopback; the provider listens on 127.0.0.1 or [::1] only");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
