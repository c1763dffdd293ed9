//! Reads a request's body whole, within bounds of size, time and memory.

use crate::memory::Lease;
use crate::refused::{Refused, Why};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Bytes a second below which a body is too slow, once it has had the time of [`Bounds::idle`].
const RATE_MIN: f64 = 1024.0;

/// Bounds of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    /// Between two pieces.
    pub(crate) idle: Duration,
}

/// Reads the body of a request. Trailers are dropped.
pub(crate) async fn read<B>(mut body: B, bounds: Bounds, lease: &mut Lease) -> Result<Vec<u8>, Refused>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bounds.bytes_max {
        return Err(too_long(bounds.bytes_max));
    }
    let begin = Instant::now();
    let mut bytes = Vec::new();
    grow(&mut bytes, announced, lease)?;
    loop {
        let Ok(frame) = timeout(bounds.idle, body.frame()).await else { return Err(too_slow()) };
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.or(Err(broken()))?;
        let Ok(piece) = frame.into_data() else { continue };
        if bytes.len() + piece.len() > bounds.bytes_max {
            return Err(too_long(bounds.bytes_max));
        }
        grow(&mut bytes, piece.len(), lease)?;
        bytes.extend_from_slice(&piece);
        let elapsed = begin.elapsed();
        if elapsed > bounds.idle && (bytes.len() as f64) < RATE_MIN * elapsed.as_secs_f64() {
            return Err(too_slow());
        }
    }
}

/// Makes room, as far as there is memory for it.
fn grow(bytes: &mut Vec<u8>, more: usize, lease: &mut Lease) -> Result<(), Refused> {
    let before = bytes.capacity();
    bytes.reserve(more);
    if lease.grow(bytes.capacity() - before) { Ok(()) } else { Err(no_memory()) }
}

fn too_long(bytes_max: usize) -> Refused {
    Refused::new(413, Why::Limit, format!("the body is longer than {bytes_max} bytes: send less")).closing()
}

fn too_slow() -> Refused {
    Refused::new(408, Why::Timeout, "the body came too slowly").closing()
}

fn broken() -> Refused {
    Refused::new(400, Why::Malformed, "the body ended early or is not framed as it says").closing()
}

/// There is no room for another body.
pub(crate) fn no_memory() -> Refused {
    let message = "the sidecar holds as many bodies as it may (limits.memory_bytes): try again";
    Refused::new(503, Why::Busy, message).retry_after(1).closing()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use hyper::body::Frame;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::time::{Sleep, sleep};

    /// Pieces with a pause before each.
    struct Pieces {
        left: VecDeque<(Duration, Bytes)>,
        pause: Option<Pin<Box<Sleep>>>,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some((pause, _)) = self.left.front() else { return Poll::Ready(None) };
            let pause = *pause;
            let sleeping = self.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
            if sleeping.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
            Poll::Ready(self.left.pop_front().map(|(_, piece)| Ok(Frame::data(piece))))
        }
    }

    async fn read_pieces(count: usize, pause_ms: u64, len: usize, memory: usize) -> Result<usize, u16> {
        let piece = (Duration::from_millis(pause_ms), Bytes::from(vec![b'a'; len]));
        let pieces = Pieces { left: vec![piece; count].into(), pause: None };
        let bounds = Bounds { bytes_max: 100_000, idle: Duration::from_secs(10) };
        let memory = Memory::new(memory);
        let mut lease = memory.lease();
        read(pieces, bounds, &mut lease).await.map(|bytes| bytes.len()).map_err(|refused| refused.status)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_whole_within_its_bounds() {
        assert_eq!(read_pieces(10, 5000, 8000, 1 << 20).await, Ok(80_000));
        assert_eq!(read_pieces(10, 0, 10_001, 1 << 20).await, Err(413));
        assert_eq!(read_pieces(1, 10_001, 100, 1 << 20).await, Err(408), "a pause");
        assert_eq!(read_pieces(50, 1000, 100, 1 << 20).await, Err(408), "a trickle");
        assert_eq!(read_pieces(10, 0, 8000, 10_000).await, Err(503), "no memory");
    }
}
