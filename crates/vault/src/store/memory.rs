//! A store that lasts as long as the process.

use super::{KeyRow, SealedValue, Store, StoreError, TokenRow};
use crate::derive::RowId;
use crate::virtual_key::KeyId;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many tokens one may hold; beyond it, it is full as a disk would be.
const TOKENS_MAX: usize = 1 << 20;

/// Keeps everything in memory: for demonstrations, tests, and servers that need not remember. What it holds is
/// gone with it.
#[derive(Default)]
pub struct MemoryStore {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tokens: HashMap<(RowId, RowId), TokenRow>,
    keys: BTreeMap<KeyId, KeyRow>,
    requests: BTreeMap<(u64, KeyId), u64>,
    generation: u64,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Every change below is done in one step, so that a panic of another thread leaves nothing half done.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn erase(&mut self, is_erased: impl Fn(&TokenRow) -> bool) -> u64 {
        let before = self.tokens.len();
        self.tokens.retain(|_, row| !is_erased(row));
        (before - self.tokens.len()) as u64
    }
}

impl Store for MemoryStore {
    fn put_tokens(&self, rows: &[TokenRow]) -> Result<(), StoreError> {
        let mut held = self.held();
        if held.tokens.len() + rows.len() > TOKENS_MAX {
            return Err(StoreError::Unavailable(None));
        }
        for row in rows {
            let there = held.tokens.entry((row.scope, row.token)).or_insert_with(|| row.clone());
            there.expires = there.expires.max(row.expires);
        }
        Ok(())
    }

    fn token(&self, scope: &RowId, token: &RowId, now: u64) -> Result<Option<SealedValue>, StoreError> {
        let held = self.held();
        let row = held.tokens.get(&(*scope, *token)).filter(|row| row.expires > now);
        Ok(row.map(|row| SealedValue { sealed: row.sealed.clone(), expires: row.expires }))
    }

    fn erase_scopes(&self, scopes: &[RowId]) -> Result<u64, StoreError> {
        let mut held = self.held();
        held.generation += 1;
        Ok(held.erase(|row| scopes.contains(&row.scope)))
    }

    fn erase_tenants(&self, tenants: &[RowId]) -> Result<u64, StoreError> {
        let mut held = self.held();
        held.generation += 1;
        Ok(held.erase(|row| tenants.contains(&row.tenant)))
    }

    fn purge(&self, now: u64) -> Result<u64, StoreError> {
        Ok(self.held().erase(|row| row.expires <= now))
    }

    fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        let mut held = self.held();
        if held.keys.contains_key(&key.id) {
            return Err(StoreError::Conflict);
        }
        held.keys.insert(key.id, key.clone());
        Ok(())
    }

    fn replace_key(&self, key: &KeyRow, expires: u64) -> Result<(), StoreError> {
        let mut held = self.held();
        let is_replaced = held.keys.values().any(|other| other.replaces == key.replaces);
        if is_replaced || held.keys.contains_key(&key.id) {
            return Err(StoreError::Conflict);
        }
        let old = key.replaces.and_then(|id| held.keys.get_mut(&id)).filter(|old| old.revoked.is_none());
        let Some(old) = old else { return Err(StoreError::Conflict) };
        old.expires = Some(old.expires.map_or(expires, |earlier| earlier.min(expires)));
        held.keys.insert(key.id, key.clone());
        held.generation += 1;
        Ok(())
    }

    fn key(&self, id: &KeyId) -> Result<Option<KeyRow>, StoreError> {
        Ok(self.held().keys.get(id).cloned())
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let mut keys: Vec<KeyRow> = self.held().keys.values().cloned().collect();
        keys.sort_by_key(|key| (key.created, key.id));
        Ok(keys)
    }

    fn revoke_key(&self, id: &KeyId, now: u64) -> Result<bool, StoreError> {
        let mut held = self.held();
        let Some(key) = held.keys.get_mut(id) else { return Ok(false) };
        key.revoked.get_or_insert(now);
        held.generation += 1;
        Ok(true)
    }

    fn note_uses(&self, uses: &[(KeyId, u64)]) -> Result<(), StoreError> {
        let mut held = self.held();
        for (id, at) in uses {
            if let Some(key) = held.keys.get_mut(id) {
                key.last_used = key.last_used.max(Some(*at));
            }
        }
        Ok(())
    }

    fn add_requests(&self, day: u64, counts: &[(KeyId, u64)]) -> Result<(), StoreError> {
        let mut held = self.held();
        held.requests.retain(|(earlier, _), _| *earlier >= day);
        for (id, count) in counts {
            *held.requests.entry((day, *id)).or_default() += count;
        }
        Ok(())
    }

    fn requests(&self, day: u64) -> Result<Vec<(KeyId, u64)>, StoreError> {
        let held = self.held();
        let of_day = held.requests.iter().filter(|((other, _), _)| *other == day);
        Ok(of_day.map(|((_, id), count)| (*id, *count)).collect())
    }

    fn generation(&self) -> Result<u64, StoreError> {
        Ok(self.held().generation)
    }
}
