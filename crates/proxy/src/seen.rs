//! Keys of Stripe's and of model providers that stand in traffic. They are replaced like everything else; that they were
//! there is recorded with a keyed hash, counted, and told to people, who must roll them.

use crate::core::Core;
use crate::webhook::Notice;
use obelus_audit::{ExposedKey, Word};
use obelus_wire::SeenKey;

/// Counts and tells the keys of a text, and gives what its record says of them.
pub(crate) fn seen(core: &Core, keys: &[SeenKey], request_id: Option<&Word>) -> Vec<ExposedKey> {
    let mut exposed = Vec::new();
    for key in keys {
        // Rules are named with words of ours.
        let Some(rule) = Word::new(&key.rule) else { continue };
        let fingerprint = key.fingerprint.as_deref().and_then(Word::new);
        core.metrics.exposed(&rule);
        let notice = Notice::new("key.exposed").with("rule", Some(rule.clone()));
        core.tell(notice.with("fingerprint", fingerprint.clone()).with("request_id", request_id.cloned()));
        exposed.push(ExposedKey { rule, fingerprint });
    }
    exposed
}
