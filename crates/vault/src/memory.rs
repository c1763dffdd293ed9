//! The values of one scope that are at hand, within bounds.
//!
//! What a store has, may be forgotten; what it has not (yet), may not, because its token was given out. Between
//! values that may go, the one goes that was not asked for since its turn came last.

use crate::scope_key::TokenName;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroizing;

/// A value, erased when nobody needs it any more.
pub(crate) type Value = Arc<Zeroizing<Vec<u8>>>;

/// What an entry costs beside its value, about.
const ENTRY_BYTES: usize = 160;

/// How many entries are looked at to find one that may go. More than can be unwritten at a time.
const STEPS_MAX: usize = 4096;

/// After so many, it does not matter whether an entry was asked for.
const STEPS_POLITE: usize = 64;

/// How many tokens are remembered not to be there, and how long: texts repeat what they say.
const UNKNOWN_MAX: usize = 256;
const UNKNOWN_MILLIS: u64 = 2_000;

/// How many look-ups that find nothing a scope may cause at once, and in each second after that.
const MISSES_MAX: u64 = 1024;
const MISSES_PER_SECOND: u64 = 256;

/// How much may be held.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) values: usize,
    pub(crate) bytes: usize,
    /// By all scopes together.
    pub(crate) total_bytes: usize,
    /// Whether what has been written may be forgotten, because somebody else can tell it.
    pub(crate) may_forget: bool,
}

pub(crate) struct Memory {
    entries: HashMap<TokenName, Entry>,
    /// Every entry once.
    order: VecDeque<TokenName>,
    bytes: usize,
    total: Arc<AtomicUsize>,
    unwritten: usize,
    /// Until when a token is taken to be unknown.
    unknown: HashMap<TokenName, u64>,
    misses: u64,
    misses_at: u64,
    erasures: u64,
}

struct Entry {
    value: Value,
    expires: u64,
    is_written: bool,
    is_touched: bool,
}

impl Memory {
    pub(crate) fn new(total: Arc<AtomicUsize>) -> Memory {
        Memory {
            entries: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            total,
            unwritten: 0,
            unknown: HashMap::new(),
            misses: MISSES_MAX,
            misses_at: 0,
            erasures: 0,
        }
    }

    /// The value behind a token and when it expires.
    pub(crate) fn find(&mut self, name: &TokenName, now: u64) -> Option<(Value, u64)> {
        let entry = self.entries.get_mut(name).filter(|entry| entry.expires > now)?;
        entry.is_touched = true;
        Some((Arc::clone(&entry.value), entry.expires))
    }

    /// Makes room for a value of `len` bytes, and says whether there is some now.
    pub(crate) fn make_room(&mut self, len: usize, bounds: &Bounds, now: u64) -> bool {
        let need = len + ENTRY_BYTES;
        for step in 0..if bounds.may_forget { STEPS_MAX } else { STEPS_POLITE } {
            let total = self.total.load(Ordering::Relaxed);
            let has_room = self.entries.len() < bounds.values
                && self.bytes + need <= bounds.bytes
                && total + need <= bounds.total_bytes;
            if has_room {
                return true;
            }
            let Some(name) = self.order.pop_front() else { return false };
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let may_go = entry.is_written && (bounds.may_forget || entry.expires <= now);
            let was_touched = std::mem::replace(&mut entry.is_touched, false);
            if !may_go || was_touched && entry.expires > now && step < STEPS_POLITE {
                self.order.push_back(name);
            } else {
                self.remove(&name);
            }
        }
        false
    }

    /// Adds a value for which there is room, or renews one. A value for which there is no place in a store counts as
    /// written.
    pub(crate) fn add(&mut self, name: TokenName, value: Value, expires: u64, is_written: bool) {
        self.unknown.remove(&name);
        let bytes = value.len() + ENTRY_BYTES;
        let entry = Entry { value, expires, is_written, is_touched: false };
        match self.entries.insert(name, entry) {
            Some(old) => {
                self.unwritten -= usize::from(!old.is_written);
                self.subtract(old.value.len() + ENTRY_BYTES);
            }
            None => self.order.push_back(name),
        }
        self.unwritten += usize::from(!is_written);
        self.bytes += bytes;
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that the store has a value until `expires`. One that was renewed since is not written yet.
    pub(crate) fn written(&mut self, name: &TokenName, expires: u64) {
        if let Some(entry) = self.entries.get_mut(name)
            && entry.expires == expires
            && !entry.is_written
        {
            entry.is_written = true;
            self.unwritten -= 1;
        }
    }

    /// Whether the store may be asked for a token that is not at hand.
    pub(crate) fn may_ask(&mut self, name: &TokenName, now: u64) -> bool {
        if self.unknown.get(name).is_some_and(|until| *until > now) {
            return false;
        }
        let seconds = now.saturating_sub(self.misses_at) / 1000;
        if seconds > 0 {
            self.misses =
                MISSES_MAX.min(self.misses.saturating_add(seconds.saturating_mul(MISSES_PER_SECOND)));
            self.misses_at = now;
        }
        self.misses > 0
    }

    /// Notes that the store knows nothing of a token.
    pub(crate) fn missed(&mut self, name: TokenName, now: u64) {
        self.misses = self.misses.saturating_sub(1);
        if self.unknown.len() >= UNKNOWN_MAX {
            self.unknown.clear();
        }
        self.unknown.insert(name, now.saturating_add(UNKNOWN_MILLIS));
    }

    /// How often everything was erased: what was read before that must not be added after it.
    pub(crate) fn erasures(&self) -> u64 {
        self.erasures
    }

    /// Forgets everything, also what was not written.
    pub(crate) fn erase(&mut self) {
        self.erasures += 1;
        self.unwritten = 0;
        self.entries = HashMap::new();
        self.order = VecDeque::new();
        self.subtract(self.bytes);
    }

    /// Forgets what the store can tell.
    pub(crate) fn forget_written(&mut self) {
        self.erasures += 1;
        let written: Vec<TokenName> =
            self.entries.iter().filter(|(_, entry)| entry.is_written).map(|(name, _)| *name).collect();
        for name in &written {
            self.remove(name);
        }
        self.order.retain(|name| self.entries.contains_key(name));
    }

    /// Whether all of it may be forgotten.
    pub(crate) fn may_go(&self, bounds: &Bounds, now: u64) -> bool {
        self.unwritten == 0 && (bounds.may_forget || self.entries.values().all(|entry| entry.expires <= now))
    }

    /// Takes an entry out, but for its place in the order.
    fn remove(&mut self, name: &TokenName) {
        if let Some(entry) = self.entries.remove(name) {
            self.unwritten -= usize::from(!entry.is_written);
            self.subtract(entry.value.len() + ENTRY_BYTES);
        }
    }

    fn subtract(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
