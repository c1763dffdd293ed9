//! The answer to a client: whole, or as events while they come.

use super::sse;
use crate::answer::Answer;
use crate::memory::Lease;
use bytes::Bytes;
use hyper::Response;
use hyper::body::Frame;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Events that wait until the client takes them.
const EVENTS_MAX: usize = 4;

/// The body of an answer as events.
pub(crate) struct Told {
    events: mpsc::Receiver<Bytes>,
}

impl Told {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

/// How a client is answered. Nothing was said yet, or events are.
pub(super) enum Out {
    Fresh(Option<oneshot::Sender<Response<Answer>>>),
    Events(mpsc::Sender<Bytes>),
    /// The client is gone, or has all that it gets.
    Over,
}

impl Out {
    pub(super) fn new() -> (Out, oneshot::Receiver<Response<Answer>>) {
        let (sender, receiver) = oneshot::channel();
        (Out::Fresh(Some(sender)), receiver)
    }

    /// Begins a stream of events, unless one has begun.
    pub(super) fn begin(&mut self, more: HeaderMap) {
        let Out::Fresh(sender) = self else { return };
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let mut response = Response::new(Answer::Told(Told { events: received }));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Nobody on the way may collect events.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        headers.extend(more);
        let is_there = sender.take().is_some_and(|sender| sender.send(response).is_ok());
        *self = if is_there { Out::Events(events) } else { Out::Over };
    }

    /// Says something in the stream. A client that does not take it in that time is gone.
    pub(super) async fn event(&mut self, message: &[u8], patience: Duration) {
        self.push(Bytes::from(sse::event(message)), patience).await;
    }

    /// Says that somebody is there.
    pub(super) async fn comment(&mut self, patience: Duration) {
        self.push(Bytes::from_static(sse::COMMENT), patience).await;
    }

    async fn push(&mut self, bytes: Bytes, patience: Duration) {
        let Out::Events(events) = self else { return };
        if !matches!(timeout(patience, events.send(bytes)).await, Ok(Ok(()))) {
            *self = Out::Over;
        }
    }

    /// Says the last: in the stream if one has begun, otherwise as the whole answer.
    pub(super) async fn finish(
        &mut self,
        status: u16,
        message: Vec<u8>,
        (more, lease): (HeaderMap, Option<Lease>),
        patience: Duration,
    ) {
        match self {
            Out::Fresh(sender) => {
                let mut response = super::say(status, Vec::new());
                if !message.is_empty() {
                    response = match lease {
                        Some(lease) => crate::answer::leased(message, lease),
                        None => crate::answer::whole(message),
                    };
                    *response.status_mut() = hyper::StatusCode::from_u16(status)
                        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
                response.headers_mut().extend(more);
                if let Some(sender) = sender.take() {
                    // A client that is gone hears nothing.
                    drop(sender.send(response));
                }
            }
            Out::Events(_) if !message.is_empty() => self.event(&message, patience).await,
            Out::Events(_) | Out::Over => {}
        }
        *self = Out::Over;
    }

    /// Waits until the client is gone. Of one that was not answered yet that is noticed, too.
    pub(super) async fn gone(&mut self) {
        match self {
            Out::Fresh(Some(sender)) => sender.closed().await,
            Out::Events(events) => events.closed().await,
            Out::Fresh(None) | Out::Over => {}
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Out::Over)
    }
}
