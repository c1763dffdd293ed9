//! The thread that writes to a store, so that nobody waits for its disk.
//!
//! Values are written in batches, in the order in which they came, and nothing overtakes them: what is erased after
//! they were queued is erased after they were written. A batch that fails is tried again until it succeeds or the
//! vault ends; as long as it fails, no new tokens are made.

use crate::derive::RowId;
use crate::memory::Value;
use crate::pulse::{EndNote, Pulse};
use crate::scope::ScopeState;
use crate::scope_key::TokenName;
use crate::store::{Store, StoreError, TokenRow};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many values may wait to be written.
const QUEUE_LEN: usize = 1024;

/// How many orders may wait beside them: an order is heard also when no value is.
const ORDERS_LEN: usize = 64;

/// How many are written in one transaction.
const BATCH_LEN: usize = 256;

/// How long after a failure it is tried again: first, and at most.
const RETRY_MIN: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// How often what has expired is deleted.
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// How long the end of a vault waits for the last values to be written.
const END_WAIT: Duration = Duration::from_secs(2);

pub(crate) struct Writer {
    /// Nothing once the vault ends.
    queue: Option<SyncSender<Job>>,
    /// How many values are in it.
    queued: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
    wait: Duration,
    end: Arc<End>,
    /// Closed by the thread when it ends.
    ended: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct End {
    is_near: Mutex<bool>,
    came: Condvar,
}

/// A value to be written.
pub(crate) struct Writing {
    pub(crate) scope: Arc<ScopeState>,
    pub(crate) name: TokenName,
    pub(crate) value: Value,
    pub(crate) created: u64,
    pub(crate) expires: u64,
}

/// What is done in its turn, after what was queued before.
pub(crate) enum Order {
    EraseScopes(Vec<RowId>),
    EraseTenants(Vec<RowId>),
    /// Deletes some of what has expired by then.
    PurgeSome(u64),
    /// Nothing; the answer says that everything before it has been written.
    Flush,
}

enum Job {
    Write(Writing),
    Order(Order, SyncSender<Result<u64, StoreError>>),
}

impl Writer {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        wait: Duration,
        now: impl Fn() -> u64 + Send + 'static,
    ) -> io::Result<Writer> {
        let (queue, jobs) = sync_channel(QUEUE_LEN + ORDERS_LEN);
        let queued = Arc::<AtomicUsize>::default();
        let (at_end, ended) = sync_channel(0);
        let (pulse, end) = (Arc::new(Pulse::new()), Arc::<End>::default());
        let work =
            Work { store, queued: Arc::clone(&queued), pulse: Arc::clone(&pulse), end: Arc::clone(&end) };
        thread::Builder::new().name("vault-writer".to_owned()).spawn(move || {
            work.serve(&jobs, now);
            drop(at_end);
        })?;
        Ok(Writer { queue: Some(queue), queued, pulse, wait, end, ended: Mutex::new(ended) })
    }

    /// Queues a value and says whether it can be relied on to be written. Never waits.
    pub(crate) fn write(&self, writing: Writing) -> bool {
        let Some(queue) = self.queue.as_ref().filter(|_| self.works()) else { return false };
        let has_room = self.queued.fetch_add(1, Ordering::Relaxed) < QUEUE_LEN;
        let is_queued = has_room && queue.try_send(Job::Write(writing)).is_ok();
        if !is_queued {
            self.queued.fetch_sub(1, Ordering::Relaxed);
        }
        is_queued
    }

    /// Does something after all that was queued before, and waits for it at most so long. After that, it may still
    /// be done.
    pub(crate) fn order(&self, order: Order, wait: Duration) -> Result<u64, StoreError> {
        let (answer, answers) = sync_channel(1);
        let Some(queue) = &self.queue else { return Err(StoreError::Unavailable(None)) };
        match queue.try_send(Job::Order(order, answer)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                return Err(StoreError::Unavailable(None));
            }
        }
        answers.recv_timeout(wait).unwrap_or(Err(StoreError::Unavailable(None)))
    }

    /// Whether the last write succeeded and none has been going on for too long.
    pub(crate) fn works(&self) -> bool {
        !self.pulse.is_failing() && !self.is_slow()
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.pulse.is_slow(self.wait)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        *self.end.is_near.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.came.notify_all();
        self.queue = None;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: the channel closes when the thread has ended, or the wait is over.
        match ended.recv_timeout(END_WAIT) {
            Ok(()) | Err(_) => {}
        }
    }
}

struct Work {
    store: Arc<dyn Store>,
    queued: Arc<AtomicUsize>,
    pulse: Arc<Pulse>,
    end: Arc<End>,
}

impl Work {
    /// Ends when the queue is closed and empty.
    fn serve(&self, jobs: &Receiver<Job>, now: impl Fn() -> u64) {
        let _end = EndNote(&self.pulse);
        self.write(&[]);
        let mut purge_at = Instant::now();
        let mut left_over = None;
        loop {
            if purge_at <= Instant::now() {
                let has_more = self.carry_out(&Order::PurgeSome(now())).is_ok_and(|count| count > 0);
                purge_at = Instant::now() + if has_more { Duration::ZERO } else { PURGE_EVERY };
            }
            let job = match left_over.take() {
                Some(job) => job,
                None => match jobs.recv_timeout(purge_at.saturating_duration_since(Instant::now())) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
            };
            match job {
                Job::Write(first) => left_over = self.write_with_next(first, jobs),
                Job::Order(order, answer) => {
                    let done = self.carry_out(&order);
                    // Whoever asked may have stopped waiting.
                    drop(answer.try_send(done));
                }
            }
        }
    }

    /// Writes a value and those queued behind it. Says what comes after them, if that was taken from the queue.
    fn write_with_next(&self, first: Writing, jobs: &Receiver<Job>) -> Option<Job> {
        let mut batch = vec![first];
        let mut after = None;
        while after.is_none() && batch.len() < BATCH_LEN {
            match jobs.try_recv() {
                Ok(Job::Write(next)) => batch.push(next),
                Ok(order) => after = Some(order),
                Err(_) => break,
            }
        }
        self.queued.fetch_sub(batch.len(), Ordering::Relaxed);
        self.write(&batch);
        after
    }

    /// Writes a batch, however long it takes. An empty one is written to learn whether it can be.
    fn write(&self, batch: &[Writing]) {
        let sealed: Vec<(&Writing, TokenRow)> =
            batch.iter().filter_map(|writing| Some((writing, writing.row()?))).collect();
        let rows: Vec<TokenRow> = sealed.iter().map(|(_, row)| row.clone()).collect();
        let mut pause = RETRY_MIN;
        while self.pulse.during(|| self.store.put_tokens(&rows)).is_err() {
            self.pulse.set_failing(true);
            if self.waits_for_end(pause) {
                return;
            }
            pause = RETRY_MAX.min(pause * 2);
        }
        self.pulse.set_failing(false);
        for (Writing { scope, name, expires, .. }, _) in sealed {
            scope.memory().written(name, *expires);
        }
    }

    fn carry_out(&self, order: &Order) -> Result<u64, StoreError> {
        self.pulse.during(|| match order {
            Order::EraseScopes(scopes) => self.store.erase_scopes(scopes),
            Order::EraseTenants(tenants) => self.store.erase_tenants(tenants),
            Order::PurgeSome(now) => self.store.purge(*now),
            Order::Flush => Ok(0),
        })
    }

    /// Waits and says whether the vault has ended.
    fn waits_for_end(&self, pause: Duration) -> bool {
        let is_near = self.end.is_near.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.end.came.wait_timeout_while(is_near, pause, |is_near| !*is_near);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Writing {
    fn row(&self) -> Option<TokenRow> {
        let key = self.scope.newest();
        Some(TokenRow {
            tenant: key.tenant,
            scope: key.row,
            token: key.token_row(&self.name),
            sealed: key.seal(&self.name, &self.value)?,
            created: self.created,
            expires: self.expires,
        })
    }
}
