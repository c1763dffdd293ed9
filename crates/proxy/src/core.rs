//! What all requests share.

use crate::config::{ConfigError, McpServer};
use crate::gate::{GateStores, unix_seconds};
use crate::mcp::Sessions;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::open::OpenRequests;
use crate::policy::Policy;
use crate::rate::Rate;
use crate::refused::{Refused, Why};
use crate::stores::{StartError, make_folder};
use crate::webhook::{Notice, Notices};
use arc_swap::ArcSwap;
use obelus_audit::{Log, Place, Record, Unwritten, Word};
use obelus_mcp::{OnChange, Pins};
use obelus_vault::{Health, Vault, VirtualKeys};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a request waits for the audit.
const AUDIT_TIME: Duration = Duration::from_secs(5);

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
    /// What the gate keeps, if calls are served.
    pub(crate) gate: Option<Arc<GateStores>>,
    /// What people should know at once.
    pub(crate) notices: Notices,
    /// Sessions of clients of servers of tools.
    pub(crate) mcp: Sessions,
    audit: Arc<Log>,
    /// The definitions of tools, by the file that keeps them: all sessions of a server share them.
    pins: Mutex<HashMap<PathBuf, Arc<Pins>>>,
    /// Virtual keys whose use since the start is on the disk.
    in_use: Mutex<BTreeSet<Word>>,
    is_draining: AtomicBool,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn new(
        policy: Policy,
        (vault, keys): (Vault, VirtualKeys),
        audit: Log,
        gate: Option<GateStores>,
    ) -> Core {
        let memory = Memory::new(policy.config.limits.memory_bytes);
        Core {
            policy: ArcSwap::from_pointee(policy),
            vault,
            keys,
            metrics: Metrics::new(),
            rate: Rate::default(),
            memory,
            open: Arc::default(),
            gate: gate.map(Arc::new),
            notices: Notices::default(),
            mcp: Sessions::default(),
            audit: Arc::new(audit),
            pins: Mutex::default(),
            in_use: Mutex::default(),
            is_draining: AtomicBool::new(false),
        }
    }

    /// Takes a place for a record that is kept within 50 ms. Whoever has one can say what came of a request, whatever
    /// happens meanwhile.
    pub(crate) async fn reserve(&self) -> Result<Place, Refused> {
        match timeout(AUDIT_TIME, self.audit.reserve()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(unwritten)) => Err(self.audit_fails(not_recorded(&unwritten))),
            Err(_) => Err(self.audit_fails(too_slow())),
        }
    }

    /// Writes a record and waits until it outlives a loss of power. Whoever wants an effect has it only if this succeeds.
    pub(crate) async fn record(&self, record: &Record) -> Result<(), Refused> {
        match timeout(AUDIT_TIME, self.audit.append(record, SystemTime::now())).await {
            Ok(Ok(_)) => {
                self.notices.audit_works();
                Ok(())
            }
            Ok(Err(unwritten)) => Err(self.audit_fails(not_recorded(&unwritten))),
            Err(_) => Err(self.audit_fails(too_slow())),
        }
    }

    /// Tells once that records cannot be written, until one was again.
    fn audit_fails(&self, refused: Refused) -> Refused {
        if self.notices.audit_begins_to_fail() {
            self.tell(Notice::new("audit.failing"));
        }
        refused
    }

    /// The same for threads of the runtime that may wait.
    pub(crate) fn record_blocking(&self, record: &Record) -> Result<(), Refused> {
        Handle::current().block_on(self.record(record))
    }

    /// Whether a virtual key is known to be in use since the start.
    pub(crate) fn is_in_use(&self, key: &Word) -> bool {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// The use of a virtual key is on the disk.
    pub(crate) fn note_use(&self, key: &Word) {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
    }

    /// Nothing leaves while records cannot be written.
    pub(crate) fn check_audit(&self) -> Result<(), Refused> {
        self.audit
            .check()
            .map(|()| self.notices.audit_works())
            .map_err(|unwritten| self.audit_fails(not_recorded(&unwritten)))
    }

    /// The audit itself.
    pub(crate) fn audit(&self) -> &Arc<Log> {
        &self.audit
    }

    /// The definitions of a server's tools, as they are pinned.
    pub(crate) fn pins(&self, server: &McpServer) -> Result<Arc<Pins>, StartError> {
        let mut all = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&server.pins) {
            return Ok(Arc::clone(known));
        }
        make_folder(&server.pins)?;
        let on_change = if server.stops_changed { OnChange::Stop } else { OnChange::Record };
        let pins = Pins::open(Some(server.pins.clone()), on_change)
            .map_err(|error| StartError::Config(ConfigError::new(error.to_string())))?;
        Ok(Arc::clone(all.entry(server.pins.clone()).or_insert(Arc::new(pins))))
    }

    /// Pins are read again by the sessions that begin from now on.
    pub(crate) fn forget_pins(&self) {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether values can be kept and keys looked up. May wait for the store.
    pub(crate) fn has_store(&self) -> bool {
        self.vault.health() == Health::Works && self.keys.generation().is_ok()
    }

    /// Whether approvals can be kept, if calls are served. May wait for the file.
    pub(crate) fn has_gate(&self) -> bool {
        self.gate.as_ref().is_none_or(|stores| stores.approvals.list(false, unix_seconds()).is_ok())
    }

    /// From now on the process is not ready.
    pub(crate) fn begin_drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }
}

fn not_recorded(unwritten: &Unwritten) -> Refused {
    tracing::error!(error = %unwritten, "audit");
    Refused::new(503, Why::Audit, "the audit cannot be written, so nothing is forwarded").retry_after(1)
}

fn too_slow() -> Refused {
    tracing::error!("audit: records are not written in time");
    Refused::new(503, Why::Audit, "the audit does not keep up, so nothing is forwarded: try again")
        .retry_after(1)
}
