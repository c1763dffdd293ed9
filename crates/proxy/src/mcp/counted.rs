//! The messages of clients of `obelus mcp` are requests of their virtual keys, and counted as such.

use crate::core::Core;
use crate::refused::{Refused, Why};
use obelus_mcp::{Between, Lost, Passed, Session, Step};
use obelus_vault::virtual_key::KeyId;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Counts a message, or says why it goes no further.
pub(super) fn count(core: &Core, key: KeyId, workflow: &str) -> Result<(), Refused> {
    let policy = core.policy.load();
    let Some(grant) = policy.grant(workflow) else {
        return Err(Refused::new(
            403,
            Why::Forbidden,
            "the workflow of this virtual key is configured no more",
        ));
    };
    core.rate
        .take(key, &grant.workflow, SystemTime::now())
        .inspect_err(|refused| core.metrics.refusal(refused.why))
}

/// Records that a message goes no further, and says so in the words of the protocol, which have no header for when to try
/// again.
pub(super) fn turn_away(session: &Session, message: &[u8], refused: &Refused) -> Step {
    let when = refused.retry_after_seconds.map(|seconds| format!(", in {seconds} s")).unwrap_or_default();
    session.turn_away(message, refused.why.as_str(), &format!("{}{when}", refused.message))
}

/// A session of this process whose client's messages are counted.
pub(super) struct Counted {
    pub(super) session: Arc<Session>,
    pub(super) core: Arc<Core>,
    pub(super) key: KeyId,
    pub(super) workflow: String,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("workflow", &self.workflow).finish_non_exhaustive()
    }
}

impl Between for Counted {
    fn client_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        match count(&self.core, self.key, &self.workflow) {
            Ok(()) => self.session.client_says(raw),
            Err(refused) => Ok(match turn_away(&self.session, raw, &refused) {
                Step::Forward(message) => Passed::Forward(message),
                Step::Answer(message) => Passed::Answer(message),
                _ => Passed::Drop,
            }),
        }
    }

    fn server_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        self.session.server_says(raw)
    }

    fn redact_text(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
        Between::redact_text(&self.session, text)
    }

    fn close(&self) {
        self.session.close();
    }
}
