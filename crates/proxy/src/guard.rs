//! A panic costs one request: it is caught where the request is worked on.

use crate::refused::{Refused, Why};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// From so many bytes on, work on a body leaves the threads that serve sockets.
const INLINE_BYTES_MAX: usize = 128 << 10;

/// There was a panic. What it said is not kept: it can hold a piece of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Panicked;

impl From<Panicked> for Refused {
    fn from(_: Panicked) -> Refused {
        Refused::new(500, Why::Internal, "a fault of the sidecar: nothing more was forwarded")
    }
}

/// Does something and catches a panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    // What the work has changed is dropped with it.
    catch_unwind(AssertUnwindSafe(work)).or(Err(Panicked))
}

/// Works on a body of that size: here if it is short, otherwise on a thread that may be busy for long.
pub(crate) async fn work<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    if bytes <= INLINE_BYTES_MAX {
        return guarded(work);
    }
    tokio::task::spawn_blocking(work).await.or(Err(Panicked))
}

/// A future whose panics are caught.
pub(crate) struct Guarded<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match guarded(|| self.0.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

/// Makes panics say where they were and nothing else: their messages can hold a piece of a body.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught_wherever_the_work_is_done() {
        assert_eq!(work(1, || 5).await, Ok(5));
        assert_eq!(work(INLINE_BYTES_MAX + 1, || 5).await, Ok(5));
        assert_eq!(work(1, || panic!("here")).await, Err::<(), _>(Panicked));
        assert_eq!(work(INLINE_BYTES_MAX + 1, || panic!("there")).await, Err::<(), _>(Panicked));
        assert_eq!(Guarded(Box::pin(async { panic!("later") })).await, Err::<(), _>(Panicked));
        assert_eq!(Guarded(Box::pin(async { 5 })).await, Ok(5));
    }
}
