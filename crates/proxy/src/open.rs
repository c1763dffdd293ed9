//! Requests that are open, so that they can be stopped from outside: their key was revoked, or the process ends.

use obelus_vault::virtual_key::KeyId;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Why an open request is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// Its virtual key was revoked.
    Revoked,
    /// The process ends.
    Draining,
}

/// All requests that are open.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    number_next: AtomicU64,
    /// How many sweeps over the keys have begun.
    sweeps: AtomicU64,
    entries: Mutex<HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    key: KeyId,
    stop: oneshot::Sender<Stop>,
}

impl OpenRequests {
    /// How many sweeps have begun. If it is the same before a key is checked and after its request was added, no
    /// sweep has missed the request.
    pub(crate) fn sweeps(&self) -> u64 {
        self.sweeps.load(Ordering::SeqCst)
    }

    /// Adds a request of a key.
    pub(crate) fn add(self: &Arc<Self>, key: KeyId) -> Ticket {
        let number = self.number_next.fetch_add(1, Ordering::Relaxed);
        let (stop, stopped) = oneshot::channel();
        self.entries().insert(number, Entry { key, stop });
        Ticket { number, stopped: Some(stopped), open: Arc::clone(self) }
    }

    /// The keys of requests that are open now, each once.
    pub(crate) fn begin_sweep(&self) -> Vec<KeyId> {
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        let mut keys: Vec<KeyId> = self.entries().values().map(|entry| entry.key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Stops the requests of a key, or all of them.
    pub(crate) fn stop(&self, key: Option<KeyId>, why: Stop) {
        let is_meant = |entry: &Entry| key.is_none_or(|key| entry.key == key);
        let meant: Vec<Entry> =
            self.entries().extract_if(|_, entry| is_meant(entry)).map(|(_, entry)| entry).collect();
        for entry in meant {
            // Whoever no longer listens has ended by itself.
            entry.stop.send(why).ok();
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open request; removed when dropped. As a future it is ready when the request must stop.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    stopped: Option<oneshot::Receiver<Stop>>,
    open: Arc<OpenRequests>,
}

impl Ticket {
    /// Whether the request may go on.
    pub(crate) fn check(&mut self) -> Result<(), Stop> {
        match self.stopped.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(why)) => Err(why),
            _ => Ok(()),
        }
    }
}

impl Future for Ticket {
    type Output = Stop;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Stop> {
        let Some(stopped) = &mut self.stopped else { return Poll::Pending };
        match Pin::new(stopped).poll(cx) {
            Poll::Ready(Ok(why)) => {
                self.stopped = None;
                Poll::Ready(why)
            }
            // Nobody is left who could stop it.
            Poll::Ready(Err(_)) => {
                self.stopped = None;
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.open.entries().remove(&self.number);
    }
}
