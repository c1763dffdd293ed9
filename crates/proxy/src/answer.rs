//! The body of an answer to a client.

use crate::events::EventBody;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer: whole, or as events while they come.
pub(crate) enum Answer {
    Whole(Full<Bytes>),
    Events(Box<EventBody>),
}

/// An answer with a body that is whole.
pub(crate) fn whole(body: impl Into<Bytes>) -> Response<Answer> {
    Response::new(Answer::Whole(Full::new(body.into())))
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Answer::Whole(body) => Pin::new(body).poll_frame(cx),
            Answer::Events(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(body) => body.is_end_stream(),
            Answer::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(body) => body.size_hint(),
            Answer::Events(_) => SizeHint::default(),
        }
    }
}
