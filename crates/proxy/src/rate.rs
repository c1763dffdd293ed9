//! How many requests a virtual key has made in this minute and on this day.
//!
//! What was counted of a day outlives the process: it is written to the store once a second and at the end. After a
//! crash a key may make as many requests more as it had made since it was written last.

use crate::config::Workflow;
use crate::refused::{Refused, Why};
use obelus_vault::virtual_key::KeyId;
use obelus_vault::{StoreError, VirtualKeys};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE_SECONDS: u64 = 60;
const DAY_SECONDS: u64 = 86_400;
/// From so many keys on, those of past days are forgotten.
const KEYS_MAX: usize = 4096;

/// Counts requests by virtual key. Minutes and days begin when those of UTC do.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    counts: Mutex<HashMap<KeyId, Count>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    minute: u64,
    in_minute: u32,
    day: u64,
    in_day: u32,
    /// How many of these were not written.
    unwritten: u32,
}

fn day_of(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY_SECONDS
}

impl Rate {
    /// Takes over what was written of this day.
    pub(crate) fn restore(&self, keys: &VirtualKeys, now: SystemTime) -> Result<(), StoreError> {
        let day = day_of(now);
        let written = keys.requests(day)?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in written {
            let in_day = u32::try_from(count).unwrap_or(u32::MAX);
            counts.insert(key, Count { day, in_day, ..Count::default() });
        }
        Ok(())
    }

    /// Writes what was counted of this day since it was written last. What cannot be written stays for the next time.
    pub(crate) fn write(&self, keys: &VirtualKeys, now: SystemTime) -> Result<(), StoreError> {
        let day = day_of(now);
        let unwritten: Vec<(KeyId, u64)> = {
            let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let of_day = counts.iter().filter(|(_, count)| count.day == day && count.unwritten > 0);
            of_day.map(|(key, count)| (*key, u64::from(count.unwritten))).collect()
        };
        if unwritten.is_empty() {
            return Ok(());
        }
        keys.add_requests(day, &unwritten)?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, written) in unwritten {
            if let Some(count) = counts.get_mut(&key).filter(|count| count.day == day) {
                count.unwritten = count.unwritten.saturating_sub(u32::try_from(written).unwrap_or(u32::MAX));
            }
        }
        Ok(())
    }

    /// Counts a request, or refuses it; one that is refused is not counted.
    pub(crate) fn take(&self, key: KeyId, workflow: &Workflow, now: SystemTime) -> Result<(), Refused> {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (minute, day) = (seconds / MINUTE_SECONDS, seconds / DAY_SECONDS);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= KEYS_MAX && !counts.contains_key(&key) {
            counts.retain(|_, count| count.day == day);
        }
        let count = counts.entry(key).or_default();
        if count.minute < minute {
            (count.minute, count.in_minute) = (minute, 0);
        }
        if count.day < day {
            (count.day, count.in_day, count.unwritten) = (day, 0, 0);
        }
        if workflow.requests_per_day.is_some_and(|max| count.in_day >= max) {
            return Err(too_many("day", DAY_SECONDS - seconds % DAY_SECONDS));
        }
        if count.in_minute >= workflow.requests_per_minute {
            return Err(too_many("minute", MINUTE_SECONDS - seconds % MINUTE_SECONDS));
        }
        count.in_minute += 1;
        count.in_day = count.in_day.saturating_add(1);
        count.unwritten = count.unwritten.saturating_add(1);
        Ok(())
    }
}

fn too_many(span: &str, seconds: u64) -> Refused {
    let message =
        format!("this virtual key has made as many requests as it may in a {span}: try again later");
    Refused::new(429, Why::Rate, message).retry_after(seconds)
}
