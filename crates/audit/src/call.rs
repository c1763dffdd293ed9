//! What a record says of a call that the gate judged.

use crate::record::Word;
use serde::Serialize;
use std::fmt;

/// Bytes of arguments that are kept.
const ARGUMENTS_BYTES_MAX: usize = 16 << 10;

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
    fn long_arguments_are_left_out() {
        let long = Arguments::redacted(&json!({"memo": "x".repeat(ARGUMENTS_BYTES_MAX)}));
        assert_eq!(serde_json::to_value(long).unwrap(), json!({"omitted_bytes": ARGUMENTS_BYTES_MAX + 11}));
    }
}
