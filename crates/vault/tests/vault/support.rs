//! Vaults over one file, a clock that is set by hand, and a store that fails when it is told to.

use obelus::Category;
use obelus_vault::{
    Clock, KeyRow, Keyring, MemoryStore, RowId, Scope, SealedValue, Settings, SqliteStore, Store, StoreError,
    TokenRow, Vault, VaultKey, virtual_key::KeyId,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Longer than any pause of the machine: only what must happen is waited for.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A time that is set by hand, in milliseconds since 1970.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub(crate) fn new() -> HandClock {
        HandClock(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).expect("a short time"), Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// A folder with one store in it.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) clock: HandClock,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("there is room"), clock: HandClock::new() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("obelus.db")
    }

    pub(crate) fn file_store(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.path()).expect("the store opens"))
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.file_store()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { look_up_wait: LONG, write_wait: LONG, clock: self.clock.clock(), ..Settings::default() }
    }

    /// A vault over the file, opened anew.
    pub(crate) fn vault(&self) -> Vault {
        self.vault_with(Keyring::new(key("k1", 1)))
    }

    pub(crate) fn vault_with(&self, keys: Keyring) -> Vault {
        Vault::new(keys, Some(self.store()), self.settings()).expect("there are threads")
    }
}

pub(crate) fn key(id: &str, byte: u8) -> VaultKey {
    VaultKey::new(id, &[byte; 32]).expect("the id is right")
}

/// The token of a value for which there is one.
pub(crate) fn mint(scope: &Scope, category: Category, value: &str) -> Vec<u8> {
    try_mint(scope, category, value).expect("there is a token")
}

pub(crate) fn try_mint(scope: &Scope, category: Category, value: &str) -> Option<Vec<u8>> {
    let mut out = b"before ".to_vec();
    let is_minted = scope.mint(category, value.as_bytes(), &mut out);
    let token = out.split_off(7);
    assert_eq!(out, b"before ");
    assert_eq!(!token.is_empty(), is_minted);
    is_minted.then_some(token)
}

/// The value behind a token, if the scope tells it.
pub(crate) fn open(scope: &Scope, token: &[u8]) -> Option<String> {
    let mut out = b"before ".to_vec();
    let is_opened = scope.open(token, &mut out);
    assert_eq!(scope.is_minted(token), is_opened);
    let value = out.split_off(7);
    assert_eq!(out, b"before ");
    assert!(is_opened || value.is_empty());
    is_opened.then(|| String::from_utf8(value).expect("tests mint text"))
}

/// Waits for what other threads bring about.
pub(crate) fn wait_until(mut what: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + LONG;
    while !what() {
        assert!(std::time::Instant::now() < end, "it does not happen");
        std::thread::yield_now();
    }
}

/// A store in memory that fails or hangs when it is told to.
#[derive(Default)]
pub(crate) struct Faulty {
    within: MemoryStore,
    is_down: AtomicBool,
    is_unreadable: AtomicBool,
    hangs: Mutex<bool>,
    changed: Condvar,
    asked: AtomicU64,
}

impl Faulty {
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Lets it fail only when it is asked for tokens.
    pub(crate) fn set_unreadable(&self, is_unreadable: bool) {
        self.is_unreadable.store(is_unreadable, Ordering::SeqCst);
    }

    pub(crate) fn set_hanging(&self, hangs: bool) {
        *self.hangs.lock().expect("nobody panics with it") = hangs;
        self.changed.notify_all();
    }

    /// How many tokens were asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    fn at_work(&self) -> Result<&MemoryStore, StoreError> {
        let hangs = self.hangs.lock().expect("nobody panics with it");
        drop(self.changed.wait_while(hangs, |hangs| *hangs).expect("nobody panics with it"));
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable(None));
        }
        Ok(&self.within)
    }
}

impl Store for Faulty {
    fn put_tokens(&self, rows: &[TokenRow]) -> Result<(), StoreError> {
        self.at_work()?.put_tokens(rows)
    }

    fn token(&self, scope: &RowId, token: &RowId, now: u64) -> Result<Option<SealedValue>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_unreadable.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable(None));
        }
        self.at_work()?.token(scope, token, now)
    }

    fn erase_scopes(&self, scopes: &[RowId]) -> Result<u64, StoreError> {
        self.at_work()?.erase_scopes(scopes)
    }

    fn erase_tenants(&self, tenants: &[RowId]) -> Result<u64, StoreError> {
        self.at_work()?.erase_tenants(tenants)
    }

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
        self.at_work()?.purge(now)
    }

    fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        self.at_work()?.insert_key(key)
    }

    fn replace_key(&self, key: &KeyRow, expires: u64) -> Result<(), StoreError> {
        self.at_work()?.replace_key(key, expires)
    }

    fn key(&self, id: &KeyId) -> Result<Option<KeyRow>, StoreError> {
        self.at_work()?.key(id)
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.at_work()?.keys()
    }

    fn revoke_key(&self, id: &KeyId, now: u64) -> Result<bool, StoreError> {
        self.at_work()?.revoke_key(id, now)
    }

    fn note_uses(&self, uses: &[(KeyId, u64)]) -> Result<(), StoreError> {
        self.at_work()?.note_uses(uses)
    }

    fn add_requests(&self, day: u64, counts: &[(KeyId, u64)]) -> Result<(), StoreError> {
        self.at_work()?.add_requests(day, counts)
    }

    fn requests(&self, day: u64) -> Result<Vec<(KeyId, u64)>, StoreError> {
        self.at_work()?.requests(day)
    }

    fn generation(&self) -> Result<u64, StoreError> {
        self.at_work()?.generation()
    }
}
