//! Keys, store and scopes together.

use crate::derive::RowId;
use crate::key::{KeyError, Keyring, VaultKey};
use crate::memory::{Bounds, Memory};
use crate::reader::Reader;
use crate::scope::{Scope, ScopeState};
use crate::scope_key::{ScopeKey, tenant_row};
use crate::store::{Store, StoreError};
use crate::time::millis;
use crate::writer::{Order, Writer};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long the start of a vault waits to learn whether its store can be written to.
const START_WAIT: Duration = Duration::from_secs(1);

/// When there are too many scopes, one in so many leaves memory.
const SHED_PART: usize = 16;

/// How often it is tried at most when there are too many bytes: all scopes are looked at.
const SHED_MILLIS: u64 = 100;

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What a token says of its value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenForm {
    /// A name for it: the value is kept in memory and in the store.
    #[default]
    Short,
    /// The value itself, sealed (AES-SIV): whoever has the vault's key can turn it back in the same scope, without a
    /// store and as long as the key lasts. It is longer, shows how long the value is, and can be erased with the key alone.
    /// A value of more than 88 bytes gets a short one.
    Sealed,
}

/// How long values are kept and how much of them at hand.
#[derive(Clone)]
pub struct Settings {
    /// Which tokens are made; both are turned back. Default: short ones.
    pub form: TokenForm,
    /// How long a token can be turned back after it was first made, and at least half as long after it was last
    /// made. Default: 24 hours.
    pub lifetime: Duration,
    /// How long the look-up of one token may take. Default: 50 milliseconds.
    pub look_up_wait: Duration,
    /// How long one write may take before the store counts as slow and no tokens are made. Default: 1 second.
    pub write_wait: Duration,
    /// How many values of one scope are at hand. Default: 65,536.
    pub scope_values_max: usize,
    /// How many bytes they take, about. Default: 8 MiB.
    pub scope_bytes_max: usize,
    /// How many scopes are at hand. Default: 4,096.
    pub scopes_max: usize,
    /// How many bytes the values of all of them take, about. Default: 256 MiB.
    pub bytes_max: usize,
    /// What tells the time. Default: the system.
    pub clock: Clock,
}

/// Keys and store. Cheap to clone; clones are the same vault. When the last of them and of its scopes is dropped,
/// what still waits is written, for two seconds at most.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
}

/// Whether values can be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Health {
    /// The store reads and writes, or there is none and none is needed.
    Works,
    /// The store takes longer than is waited for: no tokens are made, and only those at hand are turned back.
    Slow,
    /// The store fails: as if slow.
    Fails,
}

/// What a vault has done since it was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Values that got a token.
    pub minted: u64,
    /// Values that got none.
    pub refused: u64,
    /// Tokens that were turned back.
    pub opened: u64,
    /// Texts that were to be turned back and were no token of that scope.
    pub unknown: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    minted: AtomicU64,
    refused: AtomicU64,
    opened: AtomicU64,
    unknown: AtomicU64,
}

pub(crate) struct Backing {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    store: Arc<dyn Store>,
    /// As it was when written values were last known to be what the store holds.
    generation: AtomicU64,
}

pub(crate) struct Shared {
    keys: Keyring,
    settings: Settings,
    /// By the name of the scope in a store under the newest key.
    scopes: Mutex<HashMap<RowId, Arc<ScopeState>>>,
    openings: AtomicU64,
    bytes: Arc<AtomicUsize>,
    /// When scopes last left memory because of their bytes.
    shed_at: AtomicU64,
    pub(crate) backing: Option<Backing>,
    pub(crate) counts: Counters,
}

/// Why a vault cannot be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum VaultError {
    /// There is no key for it.
    Key(KeyError),
    /// The system gives no thread for its store.
    Thread(io::Error),
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            form: TokenForm::Short,
            lifetime: Duration::from_secs(24 * 60 * 60),
            look_up_wait: Duration::from_millis(50),
            write_wait: Duration::from_secs(1),
            scope_values_max: 65_536,
            scope_bytes_max: 8 << 20,
            scopes_max: 4_096,
            bytes_max: 256 << 20,
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl Vault {
    /// A vault that keeps values in `store`, or in memory alone if there is none: then tokens cannot be turned back
    /// after a restart, and no more are made when memory is full. With a store, two threads work for it.
    ///
    /// A store that does not work is no error here: [`Vault::health`] says so, and tokens are made as soon as it does.
    pub fn new(
        keys: Keyring,
        store: Option<Arc<dyn Store>>,
        settings: Settings,
    ) -> Result<Vault, VaultError> {
        let backing =
            store.map(|store| Backing::start(store, &settings)).transpose().map_err(VaultError::Thread)?;
        let shared = Shared {
            keys,
            settings,
            scopes: Mutex::default(),
            openings: AtomicU64::new(0),
            bytes: Arc::default(),
            shed_at: AtomicU64::new(0),
            backing,
            counts: Counters::default(),
        };
        Ok(Vault { shared: Arc::new(shared) })
    }

    /// A vault with a key that nobody has, in memory alone: nothing outlives it.
    pub fn ephemeral() -> Result<Vault, VaultError> {
        let key = VaultKey::random("ephemeral").map_err(VaultError::Key)?;
        Vault::new(Keyring::new(key), None, Settings::default())
    }

    /// What one session of one tenant may see. Both come from authentication, never from a text.
    ///
    /// If there are too many scopes at hand, those that were opened longest ago leave memory; their values are in
    /// the store. If none may leave, because each is in use or there is no store, the new scope makes no tokens.
    pub fn scope(&self, tenant: &str, session: &str) -> Scope {
        let shared = &self.shared;
        let scope_key = |key: &VaultKey| ScopeKey::new(key, tenant, session);
        let newest = scope_key(shared.keys.newest());
        let mut scopes = shared.scopes();
        if !scopes.contains_key(&newest.row) && scopes.len() >= shared.settings.scopes_max {
            shared.shed_scopes(&mut scopes);
        }
        let is_kept = scopes.contains_key(&newest.row) || scopes.len() < shared.settings.scopes_max;
        let row = newest.row;
        let make = || {
            let memory = Memory::new(Arc::clone(&shared.bytes));
            let older = shared.keys.older().iter().map(scope_key).collect();
            Arc::new(ScopeState::new(newest, older, memory, is_kept))
        };
        let state = if is_kept { Arc::clone(scopes.entry(row).or_insert_with(make)) } else { make() };
        state.opened.store(shared.openings.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        drop(scopes);
        Scope::new(Arc::clone(shared), state)
    }

    /// Whether values can be kept. Asks the store, and waits for its answer as long as for a token.
    pub fn health(&self) -> Health {
        let Some(backing) = &self.shared.backing else { return Health::Works };
        let answers = backing.reader.answers();
        if backing.writer.is_slow() || backing.reader.is_slow() {
            Health::Slow
        } else if answers && backing.writer.works() {
            Health::Works
        } else {
            Health::Fails
        }
    }

    /// What the vault has done since it was started.
    pub fn counts(&self) -> Counts {
        let counters = &self.shared.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            minted: read(&counters.minted),
            refused: read(&counters.refused),
            opened: read(&counters.opened),
            unknown: read(&counters.unknown),
        }
    }

    /// Waits until everything that was minted before is in the store, at most so long.
    pub fn flush(&self, wait: Duration) -> Result<(), StoreError> {
        self.order(Order::Flush, wait).map(|_| ())
    }

    /// Deletes what has expired from the store and says how many tokens that were. The vault does it by itself each
    /// minute. Takes several steps, each of which may take as long as `wait`.
    pub fn purge(&self, wait: Duration) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            match self.order(Order::PurgeSome(self.shared.now()), wait)? {
                0 => return Ok(purged),
                some => purged += some,
            }
        }
    }

    /// Makes all short tokens of one session impossible to turn back, under whatever key of this vault they were made.
    /// Says how many there were in the store.
    ///
    /// # Errors
    /// If the store has not done it after `wait`: memory forgets at once, the store will as soon as it can.
    pub fn erase_scope(&self, tenant: &str, session: &str, wait: Duration) -> Result<u64, StoreError> {
        let keys = self.shared.keys.keys().map(|key| ScopeKey::new(key, tenant, session));
        let rows: Vec<RowId> = keys.map(|key| key.row).collect();
        let is_erased = |state: &ScopeState| rows.contains(&state.newest().row);
        self.erase(is_erased, Order::EraseScopes(rows.clone()), wait)
    }

    /// As [`Vault::erase_scope`], for all sessions of a tenant.
    pub fn erase_tenant(&self, tenant: &str, wait: Duration) -> Result<u64, StoreError> {
        let rows: Vec<RowId> = self.shared.keys.keys().map(|key| tenant_row(key, tenant)).collect();
        let is_erased = |state: &ScopeState| rows.contains(&state.newest().tenant);
        self.erase(is_erased, Order::EraseTenants(rows.clone()), wait)
    }

    /// Forgets what is at hand if another process has erased something, and says whether it had to. Meant to be
    /// called some times a second; asks the store for one number, in the caller's thread.
    pub fn refresh(&self) -> Result<bool, StoreError> {
        let Some(backing) = &self.shared.backing else { return Ok(false) };
        let generation = backing.store.generation()?;
        if backing.generation.swap(generation, Ordering::Relaxed) == generation {
            return Ok(false);
        }
        for state in self.shared.states() {
            state.memory().forget_written();
        }
        Ok(true)
    }

    /// Memory is cleared before, so that nothing is turned back any more, and after, for what was minted meanwhile.
    fn erase(
        &self,
        is_erased: impl Fn(&ScopeState) -> bool,
        order: Order,
        wait: Duration,
    ) -> Result<u64, StoreError> {
        let states: Vec<Arc<ScopeState>> =
            self.shared.states().into_iter().filter(|state| is_erased(state)).collect();
        for state in &states {
            state.memory().erase();
        }
        let erased = self.order(order, wait);
        for state in &states {
            state.memory().erase();
        }
        erased
    }

    fn order(&self, order: Order, wait: Duration) -> Result<u64, StoreError> {
        match &self.shared.backing {
            Some(backing) => backing.writer.order(order, wait),
            None => Ok(0),
        }
    }
}

impl Backing {
    fn start(store: Arc<dyn Store>, settings: &Settings) -> io::Result<Backing> {
        let clock = Arc::clone(&settings.clock);
        let writer = Writer::start(Arc::clone(&store), settings.write_wait, move || millis(clock()))?;
        let reader = Reader::start(Arc::clone(&store), settings.look_up_wait)?;
        // A store that does not work yet is asked later; then everything that is at hand is asked for again.
        let works = writer.order(Order::Flush, START_WAIT).is_ok();
        let generation = AtomicU64::new(if works { store.generation().unwrap_or(0) } else { 0 });
        Ok(Backing { writer, reader, store, generation })
    }
}

impl Shared {
    pub(crate) fn newest_key(&self) -> &VaultKey {
        self.keys.newest()
    }

    pub(crate) fn form(&self) -> TokenForm {
        self.settings.form
    }

    pub(crate) fn now(&self) -> u64 {
        millis((self.settings.clock)())
    }

    /// In milliseconds.
    pub(crate) fn lifetime(&self) -> u64 {
        u64::try_from(self.settings.lifetime.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            values: self.settings.scope_values_max,
            bytes: self.settings.scope_bytes_max,
            total_bytes: self.settings.bytes_max,
            may_forget: self.backing.is_some(),
        }
    }

    /// Lets scopes leave memory if all together are near their bound. The caller holds no memory of a scope.
    pub(crate) fn shed(&self, now: u64) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let is_near = bytes > self.settings.bytes_max - self.settings.bytes_max / SHED_PART;
        if is_near && now.saturating_sub(self.shed_at.load(Ordering::Relaxed)) >= SHED_MILLIS {
            self.shed_at.store(now, Ordering::Relaxed);
            self.shed_scopes(&mut self.scopes());
        }
    }

    /// Lets those scopes leave memory that were opened longest ago, some at a time so that it is seldom done.
    fn shed_scopes(&self, scopes: &mut HashMap<RowId, Arc<ScopeState>>) {
        let (bounds, now) = (self.bounds(), self.now());
        // Nobody can get hold of a scope while the map is locked, so one that is held by the map alone stays so.
        let may_go = |state: &Arc<ScopeState>| {
            Arc::strong_count(state) == 1
                && state.idle_memory().is_some_and(|memory| memory.may_go(&bounds, now))
        };
        let mut idle: Vec<(u64, RowId)> = scopes
            .iter()
            .filter(|(_, state)| may_go(state))
            .map(|(row, state)| (state.opened.load(Ordering::Relaxed), *row))
            .collect();
        idle.sort_unstable();
        for (_, row) in idle.iter().take(scopes.len().div_ceil(SHED_PART)) {
            scopes.remove(row);
        }
    }

    fn states(&self) -> Vec<Arc<ScopeState>> {
        self.scopes().values().cloned().collect()
    }

    /// Every change is one step, so that a panic of another thread leaves nothing half done.
    fn scopes(&self) -> MutexGuard<'_, HashMap<RowId, Arc<ScopeState>>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    pub(crate) fn note_mint(&self, is_minted: bool) {
        if is_minted { &self.minted } else { &self.refused }.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_open(&self, is_opened: bool) {
        if is_opened { &self.opened } else { &self.unknown }.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("form", &self.form)
            .field("lifetime", &self.lifetime)
            .field("look_up_wait", &self.look_up_wait)
            .field("write_wait", &self.write_wait)
            .field("scope_values_max", &self.scope_values_max)
            .field("scope_bytes_max", &self.scope_bytes_max)
            .field("scopes_max", &self.scopes_max)
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VaultError::Key(error) => error.fmt(f),
            VaultError::Thread(error) => {
                write!(f, "system gives no thread for the vault: {error}: raise the limit of threads")
            }
        }
    }
}

impl std::error::Error for VaultError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            VaultError::Key(error) => Some(error),
            VaultError::Thread(error) => Some(error),
        }
    }
}
