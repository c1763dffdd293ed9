//! Connections: accepted, served, and ended.

use crate::answer::Answer;
use crate::core::Core;
use crate::gate::{self, Surface};
use crate::handler::handle;
use crate::mcp;
use crate::socket::Socket;
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioTimer;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

/// How long accepting pauses when the system has no more sockets.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client that still sends is listened to once it has its answer: it may not see the answer otherwise.
const LINGER: Duration = Duration::from_secs(2);

/// How the process stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// Open requests end, no other begins.
    Draining,
    /// Everything ends at once.
    Ending,
}

/// Tells every connection how the process stands, and knows when the last has ended.
#[derive(Clone, Debug)]
pub(crate) struct Lifetime {
    pub(crate) phase: watch::Receiver<Phase>,
    /// Never used to send: closed when the last connection has dropped it.
    #[expect(dead_code, reason = "that it exists says that a connection does")]
    pub(crate) alive: mpsc::Sender<Infallible>,
}

impl Lifetime {
    /// Waits until the process stands so, or further on.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // Whoever could change it is gone: then there is nothing to wait for.
        drop(self.phase.wait_for(|now| *now >= phase).await);
    }
}

/// Accepts clients until the process drains.
pub(crate) async fn serve(listener: TcpListener, core: Arc<Core>, mut lifetime: Lifetime, surface: Surface) {
    let permits = Arc::new(Semaphore::new(core.policy.load().config.limits.connections));
    let mut phase = lifetime.clone();
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "accept");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (core, lifetime) = (Arc::clone(&core), lifetime.clone());
            tokio::spawn(async move {
                core.metrics.connection_opened();
                connection(stream, &core, lifetime, surface).await;
                core.metrics.connection_closed();
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = phase.reached(Phase::Draining) => {}
    }
    lifetime.phase.borrow_and_update();
}

/// Serves one client.
async fn connection(stream: TcpStream, core: &Arc<Core>, lifetime: Lifetime, surface: Surface) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(kind = %error.kind(), "nodelay");
    }
    let config = core.policy.load_full();
    let limits = config.config.limits;
    let socket = Socket::new(stream, limits.header_bytes, limits.headers, config.config.timeouts.stream_idle);
    let (fault, for_service) = (socket.fault(), Arc::clone(core));
    let service = service_fn(move |request: Request<Incoming>| {
        let (core, fault) = (Arc::clone(&for_service), Arc::clone(&fault));
        async move {
            let response = if core.gate.is_some() && surface.is_gate(request.uri().path()) {
                // In memory of its own: requests to models do not carry its size.
                Box::pin(gate::handle(core, request, fault, surface)).await
            } else if mcp::is_mcp(request.uri().path()) {
                Box::pin(mcp::handle(core, request, fault)).await
            } else {
                handle(core, request, fault).await
            };
            Ok::<Response<Answer>, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new()
        // Without a timer the timeout would not hold.
        .timer(TokioTimer::new())
        .header_read_timeout(config.config.timeouts.header)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes.max(64 << 10))
        .serve_connection(socket, service);
    drop(config);
    if until_end(&mut connection, lifetime).await {
        linger(connection.into_parts().io).await;
    }
}

/// Drives a connection to its end, and says whether it came by itself.
async fn until_end<I, S, B>(connection: &mut http1::Connection<I, S>, mut lifetime: Lifetime) -> bool
where
    I: Read + Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    http1::Connection<I, S>: Future<Output = hyper::Result<()>> + Unpin,
{
    let mut ending = lifetime.clone();
    let driven = async {
        let result = tokio::select! {
            result = &mut *connection => return result,
            () = lifetime.reached(Phase::Draining) => {
                Pin::new(&mut *connection).graceful_shutdown();
                (&mut *connection).await
            }
        };
        result
    };
    tokio::select! {
        result = driven => {
            if let Err(error) = result {
                tracing::debug!(timeout = error.is_timeout(), "connection");
            }
            true
        }
        () = ending.reached(Phase::Ending) => false,
    }
}

/// Listens to a client that sends what is not wanted any more, so that the answer is not lost with a reset.
async fn linger(socket: Socket<TcpStream>) {
    let Some(mut stream) = socket.into_unread() else { return };
    let mut rest = [0; 4096];
    let reading = async { while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {} };
    // However it ends, nothing is left to do.
    drop(timeout(LINGER, reading).await);
}
