//! Why a request or an answer goes no further.

use crate::route::Provider;

/// A refusal. Holds nothing of what was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The status that the client gets.
    pub status: u16,
    /// What is counted.
    pub reason: Reason,
    /// What, where, what to do. Never a value.
    pub message: String,
}

/// Why, as metrics and records have it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The body is not what its type says, or is ambiguous.
    Malformed,
    /// Something is over a limit.
    Limit,
    /// Something that the sidecar does not understand or that policy does not allow.
    Unsupported,
    /// A provider-hosted tool server, or a credential for one.
    HostedTool,
    /// A credential where none may be.
    Credential,
    /// Something personal in a part that must not be changed.
    Sealed,
}

impl Refusal {
    /// The body in the provider's own form of errors.
    pub fn body(&self, provider: Provider, request_id: &str) -> Vec<u8> {
        let _ = (provider, request_id);
        Vec::new()
    }
}
