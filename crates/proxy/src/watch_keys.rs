//! Ends the open requests of virtual keys that are revoked, by whatever process.

use crate::core::Core;
use crate::open::Stop;
use obelus_vault::KeyFault;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{MissedTickBehavior, interval};

/// How often the store is asked whether anything was revoked: open streams end well within a second.
const PERIOD: Duration = Duration::from_millis(250);
/// Every so many periods it is written when keys were used.
const USES_PERIODS: u32 = 40;

/// Asks for as long as the process serves.
pub(crate) async fn watch(core: Arc<Core>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut generation, mut period) = (None, 0_u32);
    loop {
        ticks.tick().await;
        period = period.wrapping_add(1);
        let (asked, writes) = (Arc::clone(&core), period.is_multiple_of(USES_PERIODS));
        // The store may make wait.
        let look = tokio::task::spawn_blocking(move || look(&asked, generation, writes));
        if let Ok(Some(now)) = look.await {
            generation = Some(now);
        }
    }
}

/// Sweeps over the keys of open requests if the store's generation has changed. Returns it if the store answers.
fn look(core: &Core, before: Option<u64>, writes: bool) -> Option<u64> {
    if writes && let Err(error) = core.keys.write_uses() {
        tracing::warn!(%error, "uses of virtual keys");
    }
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
    if before != Some(now) {
        for key in core.open.begin_sweep() {
            let is_over = match core.keys.recheck(&key, SystemTime::now()) {
                // A store that does not answer says nothing of a key: it is asked again with the next request.
                Ok(_) | Err(KeyFault::Store(_)) => false,
                Err(_) => true,
            };
            if is_over {
                core.open.stop(Some(key), Stop::Revoked);
            }
        }
    }
    Some(now)
}
