//! How a thread that works on a store is doing, as others see it without waiting.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) struct Pulse {
    origin: Instant,
    /// Since when one call has been going on, in microseconds since `origin` and one more; 0 between calls.
    busy_since: AtomicU64,
    is_failing: AtomicBool,
    has_ended: AtomicBool,
}

/// Says that a thread has ended, also if it panicked.
pub(crate) struct EndNote<'a>(pub(crate) &'a Pulse);

impl Pulse {
    pub(crate) fn new() -> Pulse {
        Pulse {
            origin: Instant::now(),
            busy_since: AtomicU64::new(0),
            is_failing: AtomicBool::new(true),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Does one call to the store, and lets others see since when.
    pub(crate) fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        self.busy_since.store(self.micros() + 1, Ordering::Relaxed);
        let answer = call();
        self.busy_since.store(0, Ordering::Relaxed);
        answer
    }

    /// Notes how the last call went.
    pub(crate) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }

    /// Whether one call has been going on for longer than `wait`.
    pub(crate) fn is_slow(&self, wait: Duration) -> bool {
        let since = self.busy_since.load(Ordering::Relaxed);
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        since != 0 && self.micros().saturating_sub(since - 1) > wait
    }

    /// Whether the last call failed, there was none yet, or there will be no other.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed) || self.has_ended.load(Ordering::Relaxed)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX - 1)
    }
}

impl Drop for EndNote<'_> {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
    }
}
