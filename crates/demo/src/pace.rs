//! When what is sent leaves.

use crate::events::{Event, Events};
use crate::script::{End, Script};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time;

/// How long a stream waits for its release before it breaks.
const HOLD: Duration = Duration::from_secs(60);
/// How long a pause may be.
const SLOW_MS_MAX: u64 = 10_000;

/// The connection is broken on purpose.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the script breaks the connection")
    }
}

impl std::error::Error for Broken {}

/// A body whose frames are sent from elsewhere.
pub(crate) struct Frames(mpsc::Receiver<Result<Bytes, Broken>>);

/// Sends the frames of a body.
pub(crate) type Sender = mpsc::Sender<Result<Bytes, Broken>>;

impl Frames {
    pub(crate) fn new() -> (Sender, Frames) {
        let (to, frames) = mpsc::channel(1);
        (to, Frames(frames))
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(context).map(|frame| frame.map(|frame| frame.map(Frame::data)))
    }
}

/// The pace of a stream.
pub(crate) struct Pace {
    slow: Duration,
    hold: Option<usize>,
    end: End,
    frame_bytes: Option<usize>,
    release: Arc<Semaphore>,
}

impl Pace {
    pub(crate) fn new(script: &Script, release: Arc<Semaphore>) -> Pace {
        Pace {
            slow: Duration::from_millis(script.slow_ms.min(SLOW_MS_MAX)),
            hold: script.hold,
            end: script.end,
            frame_bytes: script.frame_bytes,
            release,
        }
    }

    /// Sends a stream; ends early if nobody reads it any more.
    pub(crate) async fn play(self, stream: Events, to: Sender) {
        let middle = stream.events.len() / 2;
        let until = if self.end == End::Whole { stream.events.len() } else { middle };
        let mut deltas = 0;
        let mut rest = BytesMut::new();
        for event in stream.events.iter().take(until) {
            if self.hold == Some(deltas) && event.is_delta {
                if send(&to, rest.split().freeze()).await.is_err() {
                    return;
                }
                if self.wait(&to).await.is_err() {
                    return;
                }
            }
            deltas += usize::from(event.is_delta);
            if !self.slow.is_zero() {
                time::sleep(self.slow).await;
            }
            if self.event(event, &mut rest, &to).await.is_err() {
                return;
            }
        }
        let last = match self.end {
            End::Fail => {
                rest.extend_from_slice(&stream.failure.bytes());
                send(&to, rest.freeze()).await
            }
            _ => send(&to, rest.freeze()).await,
        };
        if last.is_ok() && self.end == End::Reset {
            // Whether anybody is there to see it break is no matter.
            drop(to.send(Err(Broken)).await);
        }
    }

    /// Waits for the release; takes none if nobody reads the stream any more.
    async fn wait(&self, to: &Sender) -> Result<(), Gone> {
        tokio::select! {
            biased;
            () = to.closed() => Err(Gone),
            permit = self.release.acquire() => match permit {
                Ok(permit) => {
                    permit.forget();
                    Ok(())
                }
                Err(_closed) => Err(Gone),
            },
            () = time::sleep(HOLD) => {
                drop(to.send(Err(Broken)).await);
                Err(Gone)
            }
        }
    }

    /// Sends an event, whole or in frames of a given length, the last of which may wait for the next event.
    async fn event(&self, event: &Event, rest: &mut BytesMut, to: &Sender) -> Result<(), Gone> {
        let Some(len) = self.frame_bytes else {
            return send(to, event.bytes()).await;
        };
        rest.extend_from_slice(&event.bytes());
        while rest.len() >= len {
            send(to, rest.split_to(len).freeze()).await?;
            // Lets the connection write this frame before the next.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Nobody reads the stream any more.
struct Gone;

async fn send(to: &Sender, bytes: Bytes) -> Result<(), Gone> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.send(Ok(bytes)).await.map_err(|_returned| Gone)
}
