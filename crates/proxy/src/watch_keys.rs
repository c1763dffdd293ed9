//! Ends the open requests of virtual keys that are revoked, by whatever process.

use crate::core::Core;
use crate::open::Stop;
use obelus_vault::KeyFault;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often the store is asked whether anything was revoked: open streams end well within a second.
const PERIOD: Duration = Duration::from_millis(250);
/// Every so many periods the keys of open requests are looked at even if nothing was revoked: they may have expired.
const SWEEP_PERIODS: u32 = 3;
/// Every so many periods it is written when keys were used.
const USES_PERIODS: u32 = 40;
/// Every so many periods it is written how many requests they have made.
const REQUESTS_PERIODS: u32 = 4;

/// Asks for as long as the process serves.
pub(crate) async fn watch(core: Arc<Core>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut generation, mut period) = (None, 0_u32);
    let mut writing: Option<JoinHandle<()>> = None;
    loop {
        ticks.tick().await;
        period = period.wrapping_add(1);
        let writes = Writes {
            uses: period.is_multiple_of(USES_PERIODS),
            requests: period.is_multiple_of(REQUESTS_PERIODS),
        };
        // The store may make wait, and who writes longer than who asks: a revocation does not wait behind that.
        if writes.any() && writing.as_ref().is_none_or(JoinHandle::is_finished) {
            let writer = Arc::clone(&core);
            writing = Some(tokio::task::spawn_blocking(move || write(&writer, writes)));
        }
        let (asked, sweeps) = (Arc::clone(&core), period.is_multiple_of(SWEEP_PERIODS));
        let look = tokio::task::spawn_blocking(move || look(&asked, generation, sweeps));
        match look.await {
            Ok(Some(now)) => generation = Some(now),
            Ok(None) | Err(_) => generation = None,
        }
    }
}

/// What is written this time.
#[derive(Clone, Copy)]
struct Writes {
    uses: bool,
    requests: bool,
}

impl Writes {
    fn any(self) -> bool {
        self.uses || self.requests
    }
}

/// Writes what is due.
fn write(core: &Core, writes: Writes) {
    if writes.uses
        && let Err(error) = core.keys.write_uses()
    {
        tracing::warn!(%error, "uses of virtual keys");
    }
    if writes.requests
        && let Err(error) = core.rate.write(&core.keys, SystemTime::now())
    {
        tracing::warn!(%error, "requests of virtual keys");
    }
}

/// Sweeps over the keys of open requests if the store's generation has changed, or if it is said. Returns it if the store
/// has answered for all of them; otherwise they are looked at again.
fn look(core: &Core, before: Option<u64>, sweeps: bool) -> Option<u64> {
    if let Err(error) = core.vault.refresh() {
        tracing::warn!(%error, "vault");
    }
    let now = match core.keys.generation() {
        Ok(now) => now,
        Err(error) => {
            tracing::warn!(%error, "store of virtual keys");
            return None;
        }
    };
    let mut is_sure = true;
    if before != Some(now) || sweeps {
        for key in core.open.begin_sweep() {
            let is_over = match core.keys.recheck(&key, SystemTime::now()) {
                Ok(_) => false,
                Err(KeyFault::Store(_)) => {
                    is_sure = false;
                    false
                }
                Err(_) => true,
            };
            if is_over {
                core.open.stop(Some(key), Stop::Revoked);
            }
        }
    }
    is_sure.then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::policy::Policy;
    use obelus_audit::{Log, Settings};
    use obelus_vault::virtual_key::{KeyId, parse};
    use obelus_vault::{
        KeyRequest, KeyRow, MemoryStore, RowId, SealedValue, Store, StoreError, TokenRow, Vault, VirtualKeys,
    };
    use std::ffi::OsString;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A store that may not answer who holds a key.
    #[derive(Default)]
    struct Flaky {
        within: MemoryStore,
        is_down: AtomicBool,
    }

    impl Store for Flaky {
        fn key(&self, id: &KeyId) -> Result<Option<KeyRow>, StoreError> {
            match self.is_down.load(Ordering::SeqCst) {
                true => Err(StoreError::Unavailable(None)),
                false => self.within.key(id),
            }
        }

        fn put_tokens(&self, rows: &[TokenRow]) -> Result<(), StoreError> {
            self.within.put_tokens(rows)
        }

        fn token(&self, scope: &RowId, token: &RowId, now: u64) -> Result<Option<SealedValue>, StoreError> {
            self.within.token(scope, token, now)
        }

        fn erase_scopes(&self, scopes: &[RowId]) -> Result<u64, StoreError> {
            self.within.erase_scopes(scopes)
        }

        fn erase_tenants(&self, tenants: &[RowId]) -> Result<u64, StoreError> {
            self.within.erase_tenants(tenants)
        }

        fn purge(&self, now: u64) -> Result<u64, StoreError> {
            self.within.purge(now)
        }

        fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
            self.within.insert_key(key)
        }

        fn replace_key(&self, key: &KeyRow, expires: u64) -> Result<(), StoreError> {
            self.within.replace_key(key, expires)
        }

        fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
            self.within.keys()
        }

        fn revoke_key(&self, id: &KeyId, now: u64) -> Result<bool, StoreError> {
            self.within.revoke_key(id, now)
        }

        fn note_uses(&self, uses: &[(KeyId, u64)]) -> Result<(), StoreError> {
            self.within.note_uses(uses)
        }

        fn add_requests(&self, day: u64, counts: &[(KeyId, u64)]) -> Result<(), StoreError> {
            self.within.add_requests(day, counts)
        }

        fn requests(&self, day: u64) -> Result<Vec<(KeyId, u64)>, StoreError> {
            self.within.requests(day)
        }

        fn generation(&self) -> Result<u64, StoreError> {
            self.within.generation()
        }
    }

    /// A process over a store, with a request of a key that expires then.
    fn process(folder: &Path, store: &Arc<Flaky>, expires: Option<SystemTime>) -> (Core, KeyId) {
        let env = |name: &str| (name == "HOME").then(|| OsString::from(folder));
        let config = Config::parse("", "", folder, &env).unwrap();
        let policy = Policy::compile(&config, &env).unwrap();
        let keys = VirtualKeys::new(Arc::<Flaky>::clone(store));
        let request = KeyRequest { workflow: "default".to_owned(), expires, ..KeyRequest::default() };
        let key = keys.create(&request, SystemTime::now()).unwrap();
        let id = parse(key.reveal().as_bytes()).unwrap();
        let audit = Log::open(&Settings::new(folder.join("audit.jsonl"))).unwrap();
        (Core::new(policy, (Vault::ephemeral().unwrap(), keys), audit, None), id)
    }

    #[test]
    fn a_key_that_cannot_be_looked_up_is_looked_up_again() {
        let (folder, store) = (tempfile::tempdir().unwrap(), Arc::<Flaky>::default());
        let (core, id) = process(folder.path(), &store, None);
        let mut ticket = core.open.add(id);
        let before = look(&core, None, false);
        core.keys.revoke(&id, SystemTime::now()).unwrap();
        store.is_down.store(true, Ordering::SeqCst);
        assert_eq!(look(&core, before, false), None, "it is not known who was revoked");
        assert_eq!(ticket.check(), Ok(()));
        store.is_down.store(false, Ordering::SeqCst);
        assert!(look(&core, None, false).is_some());
        assert_eq!(ticket.check(), Err(Stop::Revoked));
    }

    #[test]
    fn open_requests_of_keys_that_expire_end() {
        let (folder, store) = (tempfile::tempdir().unwrap(), Arc::<Flaky>::default());
        let (core, id) = process(folder.path(), &store, Some(SystemTime::now()));
        let mut ticket = core.open.add(id);
        let now = core.keys.generation().ok();
        assert_eq!(look(&core, now, false), now);
        assert_eq!(ticket.check(), Ok(()), "nothing has changed, so nobody is asked");
        assert_eq!(look(&core, now, true), now);
        assert_eq!(ticket.check(), Err(Stop::Revoked));
    }
}
