//! Arguments: the same by form and by JSON, and no input is too strange.

use crate::support::{TEST, catalogue, generic, rest};
use obelus_gate::{Body, RestCall, ToolCall};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

/// Arguments as an SDK would send them: text in objects and lists.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[ -~]{0,12}", "\\PC{0,6}", Just("true".to_owned()), Just("-12".to_owned())];
    let leaf = text.prop_map(Value::String);
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Value::Array),
            btree_map("[a-z_]{1,8}", inner, 1..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// The pairs of a form, with numbered lists as SDKs write them.
fn pairs(name: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(at, element)| pairs(&format!("{name}[{at}]"), element, out));
        }
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| pairs(&format!("{name}[{member}]"), value, out));
        }
        other => out.push(format!("{}={}", percent(name), percent(other.as_str().unwrap_or_default()))),
    }
}

proptest! {
    #[test]
    fn arguments_are_the_same_by_form_and_by_json(members in btree_map("x[a-z_]{0,7}", value(), 0..5), turn in any::<bool>()) {
        let mut form = Vec::new();
        members.iter().for_each(|(name, value)| pairs(name, value, &mut form));
        if turn {
            form.reverse();
        }
        let by_form = rest("POST", "/v1/customers", &form.join("&"));
        let by_tool = generic("stripe_api_write", "PostCustomers", &serde_json::to_string(&members).unwrap_or_default());
        prop_assert!(by_form.is_ok(), "{by_form:?}");
        prop_assert!(by_form == by_tool);
    }

    #[test]
    fn amounts_are_whole_numbers_or_refused(text in "[-+0-9.eE ,]{0,6}") {
        let got = generic("stripe_api_write", "PostRefunds", &serde_json::json!({"amount": text}).to_string());
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let is_whole = digits.is_empty() && text.is_empty() || !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        prop_assert_eq!(got.is_ok(), is_whole);
    }

    #[test]
    fn no_bytes_are_too_strange(method in "(GET|POST|DELETE|\\PC{0,4})", path in "(/v[12]/)?[\\PC/%.]{0,30}", body in vec(any::<u8>(), 0..60)) {
        for body in [Body::Form(&body), Body::Json(&body)] {
            let call = RestCall { method: &method, path: &path, query: Some(&path), body, connection: TEST };
            prop_assert!(catalogue().rest(&call).is_err());
        }
        let call = ToolCall { tool: "stripe_api_write", arguments: &body, connection: TEST };
        prop_assert!(catalogue().tool_call(&call).is_err());
    }
}
