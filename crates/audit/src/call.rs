//! What a record says of a call that the gate judged.

use crate::record::Word;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::fmt;

/// Bytes of arguments that are kept.
const ARGUMENTS_BYTES_MAX: usize = 16 << 10;

/// Bytes of a sealed call that are kept.
const SEALED_BYTES_MAX: usize = 256 << 10;

/// A call that the gate judged. What is absent is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Call {
    /// The operation, such as `PostRefunds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Word>,
    /// The class by which it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_class: Option<&'static str>,
    /// Its arguments, redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Arguments>,
    /// Its amount, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<u64>,
    /// Its currency, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Word>,
    /// Whether it is about real money, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub livemode: Option<bool>,
    /// The account that it concerns, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Word>,
    /// The rules that decided, by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Word>,
    /// The version of all rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules_version: Option<Word>,
    /// The approval that it waits for or had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<Word>,
    /// What the approval is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_digest: Option<Word>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<Word>,
    /// The key under which it was sent, if one went with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Word>,
    /// The call as it left, which a key opens for as long as it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedCall>,
}

/// A call as it left, sealed under a key that is kept elsewhere and can be erased.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum SealedCall {
    /// It is here.
    Kept {
        /// The number of the key.
        key: Word,
        /// What is sealed, in base 64.
        data: String,
    },
    /// It was too long, and only how long it was is kept.
    Omitted {
        /// In bytes.
        omitted_bytes: usize,
    },
}

impl SealedCall {
    /// What was sealed under the key of that number.
    pub fn new(key: &[u8], sealed: &[u8]) -> SealedCall {
        if sealed.len() > SEALED_BYTES_MAX {
            return SealedCall::Omitted { omitted_bytes: sealed.len() };
        }
        SealedCall::Kept { key: Word::hex(key), data: STANDARD.encode(sealed) }
    }
}

/// Arguments of a call as the engine let them out. That they are redacted is for whoever makes this to see to.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Arguments(serde_json::Value);

impl Arguments {
    /// Arguments that were redacted. Of those that are long only how long they are is kept.
    pub fn redacted(arguments: &serde_json::Value) -> Arguments {
        let bytes = arguments.to_string().len();
        if bytes > ARGUMENTS_BYTES_MAX {
            return Arguments(serde_json::json!({ "omitted_bytes": bytes }));
        }
        Arguments(arguments.clone())
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Record};
    use serde_json::json;

    #[test]
    fn a_call_stands_among_the_members_of_its_record() {
        let call = Call {
            operation: Word::new("PostRefunds"),
            arguments: Some(Arguments::redacted(&json!({"amount": "500"}))),
            livemode: Some(false),
            ..Call::default()
        };
        let record = Record { call: Some(Box::new(call)), ..Record::new(Kind::Call) };
        let wanted = json!({"kind": "call", "operation": "PostRefunds", "arguments": {"amount": "500"},
            "livemode": false});
        assert_eq!(serde_json::to_value(&record).unwrap(), wanted);
        assert_eq!(serde_json::to_value(Record::new(Kind::Started)).unwrap(), json!({"kind": "started"}));
    }

    #[test]
    fn what_is_sealed_names_its_key_and_what_is_too_long_says_so() {
        let kept = serde_json::to_value(SealedCall::new(&[0xab; 16], b"sealed")).unwrap();
        assert_eq!(kept, json!({"key": "ab".repeat(16), "data": "c2VhbGVk"}));
        let long = SealedCall::new(&[0xab; 16], &vec![0; SEALED_BYTES_MAX + 1]);
        assert_eq!(serde_json::to_value(long).unwrap(), json!({"omitted_bytes": SEALED_BYTES_MAX + 1}));
    }

    #[test]
    fn long_arguments_are_left_out() {
        let long = Arguments::redacted(&json!({"memo": "x".repeat(ARGUMENTS_BYTES_MAX)}));
        assert_eq!(serde_json::to_value(long).unwrap(), json!({"omitted_bytes": ARGUMENTS_BYTES_MAX + 11}));
    }
}
