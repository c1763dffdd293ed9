//! How many bytes of bodies are in memory, all requests together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that bodies may take.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    free: Arc<AtomicUsize>,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Memory {
        Memory { free: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// A share of nothing, which may grow.
    pub(crate) fn lease(&self) -> Lease {
        Lease { free: Arc::clone(&self.free), bytes: 0 }
    }
}

/// The share of one request; given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    free: Arc<AtomicUsize>,
    bytes: usize,
}

impl Lease {
    /// Takes more, if there is as much.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let take = |free: usize| free.checked_sub(bytes);
        let taken = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok();
        if taken {
            self.bytes += bytes;
        }
        taken
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.free.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let memory = Memory::new(10);
        let (mut first, mut second) = (memory.lease(), memory.lease());
        assert!(first.grow(6) && !second.grow(5) && second.grow(4) && !first.grow(1));
        drop(first);
        assert!(second.grow(6));
    }
}
