//! A streamed answer on its way: pieces of the upstream go through the engine as the client asks for them.
//!
//! Nothing is read ahead: a client that does not read makes the upstream wait. However the answer ends, what was held
//! is flushed redacted, and the client is told why if it did not end by itself.

use crate::exchange::Ending;
use crate::guard::guarded;
use crate::open::{Stop, Ticket};
use crate::refused::{Refused, Why};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use obelus_audit::{Coverage, Outcome};
use obelus_wire::{Events, Refusal};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A streamed answer.
pub(crate) struct EventBody<B = hyper::body::Incoming> {
    /// Absent once the answer has ended.
    upstream: Option<B>,
    events: Events,
    /// Until when the upstream must say something.
    idle: Pin<Box<Sleep>>,
    idle_time: Duration,
    ticket: Ticket,
    ending: Option<Ending>,
    held_bytes: usize,
    scanned_bytes: u64,
    /// When the first piece came, until its first byte has left.
    first: First,
}

/// How far the first byte is.
#[derive(Clone, Copy)]
enum First {
    Awaited,
    Held(Instant),
    Left,
}

impl<B> EventBody<B> {
    pub(crate) fn new(upstream: B, events: Events, idle: Duration, ticket: Ticket, ending: Ending) -> Self {
        ending.core().metrics.stream_opened();
        EventBody {
            upstream: Some(upstream),
            events,
            idle: Box::pin(sleep(idle)),
            idle_time: idle,
            ticket,
            ending: Some(ending),
            held_bytes: 0,
            scanned_bytes: 0,
            first: First::Awaited,
        }
    }

    /// Lets the engine read, and counts what it holds. A panic ends the answer.
    fn read(
        &mut self,
        read: impl FnOnce(&mut Events, &mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<Vec<u8>, (Refused, Vec<u8>)> {
        let mut out = Vec::new();
        let result = guarded(|| read(&mut self.events, &mut out));
        let held = self.events.held_bytes();
        if let Some(ending) = &self.ending {
            ending.core().metrics.held(self.held_bytes, held);
            self.held_bytes = held;
        }
        match result {
            Ok(Ok(())) => Ok(out),
            Ok(Err(refusal)) => Err((refusal.into(), out)),
            Err(panicked) => {
                if let Some(ending) = &self.ending {
                    ending.core().metrics.panic();
                }
                Err((panicked.into(), out))
            }
        }
    }

    /// A piece of the answer has come.
    fn pushed(&mut self, piece: &[u8]) -> Step {
        if matches!(self.first, First::Awaited) {
            self.first = First::Held(Instant::now());
        }
        self.scanned_bytes += piece.len() as u64;
        let deadline = Instant::now() + self.idle_time;
        self.idle.as_mut().reset(deadline);
        let push = |events: &mut Events, out: &mut Vec<u8>| {
            #[cfg(test)]
            crate::tests::trip(piece);
            events.push(piece, out)
        };
        match self.read(push) {
            Ok(out) if out.is_empty() => Step::More,
            Ok(out) => Step::Out(self.leaving(out)),
            Err((refused, out)) => self.failed(&refused, Outcome::Failed, out),
        }
    }

    /// The upstream has ended the answer.
    fn finished(&mut self) -> Step {
        match self.read(|events, out| events.finish(out)) {
            Ok(out) => {
                let out = self.leaving(out);
                self.end(Outcome::Completed, None);
                Step::Out(out)
            }
            Err((refused, out)) => self.failed(&refused, Outcome::Failed, out),
        }
    }

    /// The answer ends early.
    fn failed(&mut self, refused: &Refused, outcome: Outcome, mut out: Vec<u8>) -> Step {
        let request_id =
            self.ending.as_ref().map(|ending| ending.request_id().to_owned()).unwrap_or_default();
        let refusal = refused.to_wire();
        // After a panic of the engine even this may fail: then the answer just ends.
        let told = guarded(|| {
            let mut told = Vec::new();
            self.events.fail(&refusal, &request_id, &mut told);
            told
        });
        out.extend(told.unwrap_or_default());
        if let Some(ending) = &self.ending {
            ending.core().metrics.refusal(refused.why);
        }
        let out = self.leaving(out);
        self.end(outcome, Some(refused.why));
        Step::Out(out)
    }

    fn end(&mut self, outcome: Outcome, why: Option<Why>) {
        self.upstream = None;
        let (counts, keys, unread) =
            guarded(|| (self.events.counts(), self.events.keys(), self.events.unread().to_vec()))
                .unwrap_or_default();
        if let Some(mut ending) = self.ending.take() {
            ending.core().metrics.held(self.held_bytes, 0);
            ending.core().metrics.stream_closed();
            ending.counted(&counts, &keys);
            ending.covered(Coverage { scanned_bytes: self.scanned_bytes, unread });
            ending.end(outcome, why);
        }
    }

    fn leaving(&mut self, out: Vec<u8>) -> Bytes {
        if let First::Held(since) = self.first
            && !out.is_empty()
        {
            self.first = First::Left;
            if let Some(ending) = &self.ending {
                ending.first_byte(since.elapsed());
            }
        }
        out.into()
    }
}

/// What comes of one piece.
enum Step {
    More,
    Out(Bytes),
}

impl<B: Body<Data = Bytes> + Unpin> EventBody<B> {
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Poll::Ready(stop) = Pin::new(&mut self.ticket).poll(cx) {
            let refused = match stop {
                Stop::Revoked => Refused::new(401, Why::Revoked, "the virtual key was revoked"),
                Stop::Draining => Refused::new(503, Why::Busy, "the sidecar ends: try again"),
            };
            return Poll::Ready(self.failed(&refused, Outcome::Cancelled, Vec::new()));
        }
        let Some(upstream) = &mut self.upstream else { return Poll::Ready(Step::Out(Bytes::new())) };
        match Pin::new(upstream).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(match frame.into_data() {
                Ok(piece) => self.pushed(&piece),
                // Trailers have nothing that a client of these formats reads.
                Err(_) => Step::More,
            }),
            Poll::Ready(None) => Poll::Ready(self.finished()),
            Poll::Ready(Some(Err(_))) => {
                let refused = Refused::new(502, Why::Upstream, "the upstream broke the answer off");
                Poll::Ready(self.failed(&refused, Outcome::Failed, Vec::new()))
            }
            Poll::Pending if self.idle.as_mut().poll(cx).is_ready() => {
                let refused = Refused::new(504, Why::Timeout, "the upstream said nothing for too long");
                Poll::Ready(self.failed(&refused, Outcome::Failed, Vec::new()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for EventBody<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        while this.upstream.is_some() {
            match this.poll_step(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Step::Out(out)) if !out.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(out))));
                }
                Poll::Ready(_) => {}
            }
        }
        Poll::Ready(None)
    }
}

impl<B> Drop for EventBody<B> {
    /// A client that went away: nobody is left to be told.
    fn drop(&mut self) {
        if self.ending.is_some() {
            self.end(Outcome::Cancelled, None);
        }
    }
}
