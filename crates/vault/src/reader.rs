//! The thread that asks a store for values, so that nobody waits for an answer longer than is agreed.

use crate::derive::RowId;
use crate::pulse::{EndNote, Pulse};
use crate::store::{SealedValue, Store, StoreError};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How many may wait for their turn. Each waits for a bounded time, so more would not be answered anyway.
const QUEUE_LEN: usize = 64;

/// The store does not answer, or not in time.
pub(crate) struct NoAnswer;

/// The value found, and at which of the places.
type Found = Option<(usize, SealedValue)>;

pub(crate) struct Reader {
    queue: SyncSender<Question>,
    pulse: Arc<Pulse>,
    wait: Duration,
}

struct Question {
    /// Scope and token, in the order in which they are tried.
    places: Vec<(RowId, RowId)>,
    now: u64,
    answer: SyncSender<Result<Found, StoreError>>,
}

impl Reader {
    pub(crate) fn start(store: Arc<dyn Store>, wait: Duration) -> io::Result<Reader> {
        let (queue, questions) = sync_channel(QUEUE_LEN);
        let pulse = Arc::new(Pulse::new());
        let of_thread = Arc::clone(&pulse);
        thread::Builder::new()
            .name("vault-reader".to_owned())
            .spawn(move || serve(&*store, &questions, &of_thread))?;
        Ok(Reader { queue, pulse, wait })
    }

    /// The first of `places` where there is a value.
    pub(crate) fn ask(&self, places: Vec<(RowId, RowId)>, now: u64) -> Result<Found, NoAnswer> {
        if self.pulse.is_slow(self.wait) {
            return Err(NoAnswer);
        }
        let (answer, answers) = sync_channel(1);
        if self.queue.try_send(Question { places, now, answer }).is_err() {
            return Err(NoAnswer);
        }
        match answers.recv_timeout(self.wait) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => Err(NoAnswer),
        }
    }

    /// Whether the store answers at all. Takes as long as one question.
    pub(crate) fn answers(&self) -> bool {
        self.ask(Vec::new(), 0).is_ok()
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.pulse.is_slow(self.wait)
    }
}

/// Ends when there is nobody left who could ask.
fn serve(store: &dyn Store, questions: &Receiver<Question>, pulse: &Pulse) {
    let _end = EndNote(pulse);
    while let Ok(Question { places, now, answer }) = questions.recv() {
        let found = pulse.during(|| look_up(store, &places, now));
        pulse.set_failing(found.is_err());
        // Whoever asked may have stopped waiting.
        drop(answer.try_send(found));
    }
}

fn look_up(store: &dyn Store, places: &[(RowId, RowId)], now: u64) -> Result<Found, StoreError> {
    if places.is_empty() {
        return store.generation().map(|_| None);
    }
    for (at, (scope, token)) in places.iter().enumerate() {
        if let Some(value) = store.token(scope, token, now)? {
            return Ok(Some((at, value)));
        }
    }
    Ok(None)
}
