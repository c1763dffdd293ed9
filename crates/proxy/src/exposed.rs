//! Virtual keys that stand in a body. The engine hides them there; but whoever wrote them down has them elsewhere, too,
//! so those that are ours are revoked.

use crate::core::Core;
use crate::open::Stop;
use crate::refused::{Refused, Why};
use crate::webhook::Notice;
use obelus_audit::{Record, Word};
use obelus_vault::virtual_key::{self, KeyId};
use obelus_vault::{KeyFault, VirtualKeys};
use std::collections::BTreeSet;
use std::time::SystemTime;

/// How many different keys of one body are looked up. Nobody exposes more by mistake.
const KEYS_MAX: usize = 16;

/// Whether a body holds anything of the form of a virtual key.
pub(crate) fn may_hold(body: &[u8]) -> bool {
    virtual_key::find_all(body).next().is_some()
}

/// Revokes the keys in a body that are accepted, and adds them to `revoked`.
///
/// # Errors
/// More keys than are looked up, or a store that does not answer: then it is not known that they are of no use.
pub(crate) fn revoke(
    keys: &VirtualKeys,
    body: &[u8],
    now: SystemTime,
    revoked: &mut Vec<KeyId>,
) -> Result<(), Refused> {
    let mut found: BTreeSet<&[u8]> = BTreeSet::new();
    for key in virtual_key::find_all(body) {
        found.insert(key);
        if found.len() > KEYS_MAX {
            let message = format!("the request holds more than {KEYS_MAX} virtual keys: leave them out");
            return Err(Refused::new(400, Why::Credential, message));
        }
    }
    for key in found {
        match keys.check(key, now) {
            Ok(holder) => {
                keys.revoke(&holder.id, now).map_err(|error| {
                    tracing::error!(%error, "exposed virtual key");
                    unknown()
                })?;
                tracing::warn!(key = %holder.id, "virtual key revoked: it stood in a request");
                revoked.push(holder.id);
            }
            Err(KeyFault::Store(error)) => {
                tracing::error!(%error, "exposed virtual key");
                return Err(unknown());
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// Ends the open requests of keys that were revoked, the one at hand among them if its key is.
pub(crate) fn stop(core: &Core, keys: &[KeyId]) {
    for key in keys {
        core.open.stop(Some(*key), Stop::Revoked);
    }
}

/// Records each, in a record like `base`, and tells of it.
///
/// # Errors
/// One of them cannot be recorded; the others are.
pub(crate) async fn record(core: &Core, keys: Vec<KeyId>, base: &Record) -> Result<(), Refused> {
    let mut result = Ok(());
    for key in keys {
        let id = Word::new(key.as_str());
        let notice = Notice::new("key.exposed").with("key", id.clone());
        core.tell(notice.with("request_id", base.request_id.clone()));
        result = result.and(core.record(&Record { exposed_key: id, ..base.clone() }).await);
    }
    result
}

fn unknown() -> Refused {
    let message = "the request holds a virtual key that cannot be looked up: leave it out, or try again";
    Refused::new(503, Why::Vault, message).retry_after(1)
}
