//! A client's connection as the HTTP library reads it: only what is framed beyond doubt.

use crate::framing::{Fault, Framing};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

/// What stands in place of a head that cannot be read, so that the refusal is answered in its turn. No client can send
/// it: a target without a slash is a fault.
const FAULTY: &[u8] = b"OPTIONS * HTTP/1.1\r\nhost: fault\r\nconnection: close\r\n\r\n";

/// What was wrong with a connection, for the handler of the request that stands in its place.
pub(crate) type FaultCell = Arc<OnceLock<Fault>>;

/// A connection whose requests are checked before they are read.
pub(crate) struct Socket<T> {
    io: T,
    framing: Framing,
    /// Bytes that may be read, from `read` on.
    ready: Vec<u8>,
    read: usize,
    state: State,
    fault: FaultCell,
    /// How long the client may take nothing of what is written.
    write_idle: Duration,
    /// Until when it must take something, if it does not.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Reading,
    /// The head was at fault: what stands in its place is the last that is read.
    Quiet,
    /// The body was at fault: reading it fails.
    Broken,
}

impl<T> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<T> Socket<T> {
    pub(crate) fn new(io: T, header_bytes_max: usize, headers_max: usize, write_idle: Duration) -> Socket<T> {
        let framing = Framing::new(header_bytes_max, headers_max);
        let fault = Arc::new(OnceLock::new());
        let state = State::Reading;
        Socket { io, framing, ready: Vec::new(), read: 0, state, fault, write_idle, stalled: None }
    }

    /// What came of a write; an error once the client has taken nothing for too long. Whoever never reads would
    /// otherwise hold an answer, and the upstream's connection, for ever.
    fn check_written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let idle = self.write_idle;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(idle))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Where a fault will stand.
    pub(crate) fn fault(&self) -> FaultCell {
        Arc::clone(&self.fault)
    }

    /// The connection itself, if the client may still be sending what is not wanted any more.
    pub(crate) fn into_unread(self) -> Option<T> {
        (self.state != State::Reading || !self.framing.is_between()).then_some(self.io)
    }
}

impl<T: AsyncRead + Unpin> Socket<T> {
    /// Reads until something may go on, the client ends, or a fault shows. What came before a fault goes on.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The buffer is on the stack, so that an idle connection holds none.
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        while self.ready.is_empty() {
            match self.state {
                State::Reading => {}
                State::Quiet => return Poll::Pending,
                State::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            let mut chunk = ReadBuf::uninit(&mut buffer);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                break;
            }
            if let Err(fault) = self.framing.feed(chunk.filled(), &mut self.ready) {
                self.fault.get_or_init(|| fault);
                self.state = if self.framing.is_at_head() { State::Quiet } else { State::Broken };
                if self.state == State::Quiet {
                    self.ready.extend_from_slice(FAULTY);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> Read for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_fill(cx))?;
        let unread = &this.ready[this.read..];
        let taken = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..taken]);
        this.read += taken;
        if this.read == this.ready.len() {
            this.read = 0;
            this.ready = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Write for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.check_written(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.check_written(cx, written)
    }
}
