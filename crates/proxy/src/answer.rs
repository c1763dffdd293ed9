//! The body of an answer to a client.

use crate::events::EventBody;
use crate::mcp::Told;
use crate::memory::Lease;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer: whole, or as events while they come.
pub(crate) enum Answer {
    /// With the memory that it takes until the client has read it.
    Whole(Full<Bytes>, #[expect(dead_code, reason = "that it is there holds the memory")] Option<Lease>),
    Events(Box<EventBody>),
    /// Messages of a server of tools.
    Told(Told),
}

/// An answer with a body that is whole.
pub(crate) fn whole(body: impl Into<Bytes>) -> Response<Answer> {
    Response::new(Answer::Whole(Full::new(body.into()), None))
}

/// As [`whole`], for a body that holds memory for as long as it is sent.
pub(crate) fn leased(body: impl Into<Bytes>, lease: Lease) -> Response<Answer> {
    Response::new(Answer::Whole(Full::new(body.into()), Some(lease)))
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Answer::Whole(body, _) => Pin::new(body).poll_frame(cx),
            Answer::Events(body) => Pin::new(&mut **body).poll_frame(cx),
            Answer::Told(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(body, _) => body.is_end_stream(),
            Answer::Events(_) | Answer::Told(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(body, _) => body.size_hint(),
            Answer::Events(_) | Answer::Told(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn an_answer_holds_its_memory_until_it_is_sent() {
        let memory = Memory::new(10);
        let mut lease = memory.lease();
        assert!(lease.grow(10));
        let answer = leased("body", lease);
        assert!(!memory.lease().grow(1));
        drop(answer);
        assert!(memory.lease().grow(10));
    }
}
