//! Tokens of those who decide.

use obelus_gate::Digest;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use zeroize::Zeroizing;

/// A fresh token of somebody who may decide about calls.
pub struct ApproverToken {
    /// The token. Whoever has it decides.
    pub text: Zeroizing<String>,
    /// What the configuration holds of it.
    pub sha256: String,
}

impl fmt::Debug for ApproverToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApproverToken").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

/// Makes a token of 32 random bytes.
///
/// # Errors
/// The system gives no random bytes.
pub fn approver_token() -> io::Result<ApproverToken> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
    let digits: Zeroizing<String> = Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    let text = Zeroizing::new(format!("oba_{}", digits.as_str()));
    let sha256 = hash(text.as_bytes());
    Ok(ApproverToken { text, sha256 })
}

/// The hexadecimal digits of the hash of a token.
fn hash(token: &[u8]) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of a token that was presented.
pub(super) fn digest(token: &[u8]) -> Option<Digest> {
    Digest::parse(&hash(token)).filter(|_| !token.is_empty())
}
