//! The form of a record.

use crate::call::Call;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The longest word, in bytes.
const WORD_BYTES_MAX: usize = 128;

/// A name or an id: 1 to 128 letters, digits and `._:/-` of ASCII. What people write, such as addresses of mail or
/// sentences, is none.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Word(String);

impl Word {
    /// The word that `text` is, if it is one.
    pub fn new(text: &str) -> Option<Word> {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
        let is_word = (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_sign);
        is_word.then(|| Word(text.to_owned()))
    }

    /// The hexadecimal digits of bytes, at most 64 of these.
    pub fn hex(bytes: &[u8]) -> Word {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
        Word(
            bytes.iter().take(WORD_BYTES_MAX / 2).flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect(),
        )
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a record is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A request to a model, decided before anything leaves.
    ModelRequest,
    /// How the answer to an allowed request ended.
    ModelAnswer,
    /// A call that the gate judged. Of one that changes something and may leave, this outlives a loss of power before
    /// it does.
    Call,
    /// How an allowed call ended.
    CallOutcome,
    /// A call waits for people.
    ApprovalRequested,
    /// Somebody decided about a call, or its time was over.
    ApprovalDecided,
    /// Somebody says what came of a call of which nobody knew.
    OutcomeFound,
    /// A virtual key stood in a request and was revoked.
    KeyExposed,
    /// Somebody erases the key of a subject: what was sealed under it can be read no more.
    SubjectErased,
    /// Somebody is shown what is sealed in the record of a call.
    Unsealed,
    /// The process began to serve.
    Started,
    /// The process ended as it was told.
    Stopped,
    /// A configuration was to be loaded while serving.
    ConfigReload,
    /// The last line was not whole when the log was opened and was set aside.
    Recovered,
    /// A file of the log begins.
    SegmentStarted,
    /// Checkpoints are signed by another key from here on.
    KeyRotated,
    /// A request of a client to a server of tools, decided before anything leaves. Of a call that changes something and
    /// may leave, this outlives a loss of power before it does.
    ToolRequest,
    /// How an allowed request to a server of tools ended.
    ToolAnswer,
    /// The definition of a tool was seen for the first time.
    ToolPinned,
    /// The definition of a tool is not the one that is pinned.
    ToolChanged,
    /// Values were replaced in a message to or from a server of tools that is no request of a client and no answer to one.
    MessageRedacted,
    /// A message of a server of tools was dropped.
    MessageDropped,
    /// A checkpoint could not be written, here or where copies go.
    CheckpointFailed,
    /// Records could not be written to standard output or to the folder of finished segments, or the collector of logs
    /// does not take them.
    CopyFailed,
    /// Somebody who is to be told at once what people should know was not told.
    NoticeFailed,
}

/// Kinds that somebody should look at, whatever else the record says.
const BAD_KINDS: [&str; 6] =
    ["key_exposed", "checkpoint_failed", "copy_failed", "notice_failed", "tool_changed", "message_dropped"];

/// Whether a record tells of something that was refused, failed or is in doubt, by words as they stand in it.
pub fn is_bad(kind: &str, decision: Option<&str>, outcome: Option<&str>) -> bool {
    BAD_KINDS.contains(&kind)
        || matches!(decision, Some("refuse" | "deny" | "expire"))
        || matches!(outcome, Some("failed" | "unknown"))
}

/// What was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may go on.
    Allow,
    /// It goes no further.
    Refuse,
    /// It waits for people.
    Wait,
    /// Somebody lets it go out.
    Approve,
    /// Somebody does not let it go out, which is final.
    Deny,
    /// Its time was over before it went out.
    Expire,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ended as it should.
    Completed,
    /// It ended early, by a fault of the sidecar, of policy or of the other side.
    Failed,
    /// The client went away, or its key was revoked.
    Cancelled,
    /// A call left, and nobody knows what came of it.
    Unknown,
}

/// Who asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Actor {
    /// The id of the virtual key.
    pub key: Word,
    /// The workflow that the key is bound to.
    pub workflow: Word,
}

/// Where to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Route {
    /// The upstream by its name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Word>,
    /// The stable name of the route.
    pub name: &'static str,
    /// The model that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Word>,
}

/// A key of somebody's that stood in what was read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ExposedKey {
    /// The rule that found it.
    pub rule: Word,
    /// A keyed hash of it, behind the name of the key of that, if its value was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Word>,
}

/// What was read and what was not.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Coverage {
    /// Bytes that the engine read.
    pub scanned_bytes: u64,
    /// What was passed or dropped without being read, and why: `media`, `query`.
    pub unread: Vec<&'static str>,
}

/// One line. What is absent is left out.
///
/// `seq`, `time`, `prev` and `hash` are the log's.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// The request, as the client is told it in `x-obelus-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Word>,
    /// Of which trace it is a part: the caller's `traceparent` (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Word>,
    /// Who asked; absent before authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Where to; absent if the request is not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Why, if it was refused or failed: a word that metrics have as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Which configuration and rules decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<Word>,
    /// Findings that were replaced, by category.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub redactions: BTreeMap<&'static str, u64>,
    /// Keys of Stripe's and of model providers that were among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<ExposedKey>,
    /// What was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The call that the gate judged.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<Call>>,
    /// The tool, by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<Word>,
    /// The hash of the tool's definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_hash: Option<Word>,
    /// The ids of Stripe objects that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stripe_objects: Vec<Word>,
    /// The id of the virtual key that was exposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed_key: Option<Word>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The status that the client got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From the first byte of the request to this record, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_request_id: Option<Word>,
}

impl Record {
    /// A record of that kind with nothing in it.
    pub fn new(kind: Kind) -> Record {
        Record {
            kind,
            request_id: None,
            traceparent: None,
            actor: None,
            route: None,
            decision: None,
            reason: None,
            policy_version: None,
            redactions: BTreeMap::new(),
            exposed: Vec::new(),
            coverage: None,
            call: None,
            tool: None,
            tool_hash: None,
            stripe_objects: Vec::new(),
            exposed_key: None,
            outcome: None,
            status: None,
            duration_us: None,
            upstream_request_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_bad_news_are_those_that_records_have() {
        fn word(value: &impl Serialize) -> String {
            serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
        }
        let kinds = [
            Kind::KeyExposed,
            Kind::CheckpointFailed,
            Kind::CopyFailed,
            Kind::NoticeFailed,
            Kind::ToolChanged,
            Kind::MessageDropped,
        ];
        assert_eq!(kinds.map(|kind| word(&kind)), BAD_KINDS);
        for decision in [Decision::Refuse, Decision::Deny, Decision::Expire] {
            assert!(is_bad("call", Some(&word(&decision)), None), "{decision:?}");
        }
        for outcome in [Outcome::Failed, Outcome::Unknown] {
            assert!(is_bad("call", None, Some(&word(&outcome))), "{outcome:?}");
        }
        let good = [word(&Outcome::Completed), word(&Outcome::Cancelled)];
        assert!(good.iter().all(|outcome| !is_bad("call", Some("allow"), Some(outcome))));
    }

    #[test]
    fn a_word_holds_no_sentence_and_no_address() {
        for word in ["gpt-4o-mini", "req_011CQ", "anthropic/claude:1.5"] {
            assert_eq!(Word::new(word).map(|word| word.to_string()).as_deref(), Some(word));
        }
        for other in ["", "two words", "jenny@example.com", "caf\u{e9}", "a\"b", &"x".repeat(129)] {
            assert_eq!(Word::new(other), None, "{other}");
        }
        assert_eq!(Word::hex(&[0x0f, 0xa0]).as_str(), "0fa0");
    }
}
