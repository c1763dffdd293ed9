//! Ends approvals whose time is over, and forgets what need not be kept.

use super::desk::about;
use super::judge::release;
use super::unix_seconds;
use crate::core::Core;
use obelus_audit::{Call, Decision, Kind, Record, Word};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often somebody looks. An approval whose time is over is of no use before anybody has looked.
const PERIOD: Duration = Duration::from_secs(2);
/// Every so many periods it is looked for what need not be kept.
const PURGE_PERIODS: u32 = 300;

/// Looks for as long as the process serves.
pub(crate) async fn sweep(core: Arc<Core>) {
    let Some(stores) = core.gate.clone() else { return };
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for period in 0_u32.. {
        ticks.tick().await;
        let (stores, purges) = (Arc::clone(&stores), period.is_multiple_of(PURGE_PERIODS));
        let retention = core.policy.load().config.gate.as_ref().map(|gate| gate.retention.as_secs());
        let looked = tokio::task::spawn_blocking(move || {
            let now = unix_seconds();
            let expired = stores.approvals.expire(now);
            for approval in expired.iter().flatten() {
                release(&stores, &approval.id);
            }
            if expired.as_ref().is_ok_and(|expired| !expired.is_empty()) {
                stores.ring();
            }
            let purged = match retention.filter(|_| purges) {
                Some(seconds) => stores.approvals.purge(seconds, now).map(drop),
                None => Ok(()),
            };
            expired.and_then(|expired| purged.map(|()| expired))
        });
        match looked.await {
            Ok(Ok(expired)) => {
                for approval in expired {
                    let decided = about("approval.decided", &approval);
                    core.tell(decided.with("decision", Word::new("expire")));
                    let call = Call {
                        operation: Word::new(&approval.operation),
                        approval_id: Word::new(&approval.id),
                        approval_digest: Word::new(&approval.digest.to_string()),
                        ..Call::default()
                    };
                    let record = Record {
                        decision: Some(Decision::Expire),
                        call: Some(Box::new(call)),
                        ..Record::new(Kind::ApprovalDecided)
                    };
                    // It is over whether this can be written or not; why it cannot was told.
                    drop(core.record(&record).await);
                }
            }
            Ok(Err(error)) => tracing::error!(%error, "approvals"),
            Err(_) => tracing::error!("approvals: a fault of the sidecar"),
        }
    }
}
