//! What all requests share.

use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::open::OpenRequests;
use crate::policy::Policy;
use crate::rate::Rate;
use crate::refused::{Refused, Why};
use arc_swap::ArcSwap;
use obelus_audit::{Log, Record};
use obelus_vault::{Health, Vault, VirtualKeys};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What all requests share.
pub(crate) struct Core {
    /// Swapped as a whole; a request keeps the one that it began with.
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) vault: Vault,
    pub(crate) keys: VirtualKeys,
    pub(crate) metrics: Metrics,
    pub(crate) rate: Rate,
    pub(crate) memory: Memory,
    pub(crate) open: Arc<OpenRequests>,
    audit: Mutex<Log>,
    is_draining: AtomicBool,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(policy: Policy, vault: Vault, keys: VirtualKeys, audit: Log) -> Core {
        let memory = Memory::new(policy.config.limits.memory_bytes);
        Core {
            policy: ArcSwap::from_pointee(policy),
            vault,
            keys,
            metrics: Metrics::new(),
            rate: Rate::default(),
            memory,
            open: Arc::default(),
            audit: Mutex::new(audit),
            is_draining: AtomicBool::new(false),
        }
    }

    /// Writes a record. Whoever wants an effect has it only if this succeeds.
    ///
    /// The write waits for the system to take the line, not for a disk.
    pub(crate) fn record(&self, record: &Record) -> Result<(), Refused> {
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        match audit.append(record, SystemTime::now()) {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "audit");
                Err(Refused::new(503, Why::Audit, "the audit cannot be written, so nothing is forwarded"))
            }
        }
    }

    /// Whether records can be written, as far as is known.
    pub(crate) fn has_audit(&self) -> bool {
        !self.audit.lock().unwrap_or_else(PoisonError::into_inner).is_broken()
    }

    /// Whether values can be kept and keys looked up. May wait for the store.
    pub(crate) fn has_store(&self) -> bool {
        self.vault.health() == Health::Works && self.keys.generation().is_ok()
    }

    /// From now on the process is not ready.
    pub(crate) fn begin_drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// From now on every write fails, as on a disk that is full.
    #[cfg(test)]
    pub(crate) fn fill_disk(&self) {
        let full = Log::open(std::path::Path::new("/dev/full"), SystemTime::now()).unwrap();
        *self.audit.lock().unwrap() = full;
    }
}
