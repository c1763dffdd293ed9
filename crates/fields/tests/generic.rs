//! The rules for customer and payment APIs in general.

mod walk;

use obelus_fields::{Fields, GENERIC, PackFile, Profile};
use walk::{Order, run_examples};

fn generic() -> PackFile {
    PackFile::parse(GENERIC, "generic.toml").expect("the rules are sound")
}

#[test]
fn every_rule_holds_in_its_examples_and_in_none_of_its_counter_examples() {
    let pack = generic();
    let fields = Fields::compile(std::slice::from_ref(&pack), Profile::Strict).unwrap();
    let faults = run_examples(&pack, &fields);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_has_examples_and_counter_examples() {
    let pack = generic();
    let (mut with, mut without) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for example in pack.examples().filter(|example| !example.names.is_empty()) {
        if example.holds {
            with.insert(example.id.to_owned())
        } else {
            without.insert(example.id.to_owned())
        };
    }
    assert_eq!(with, without);
    assert_eq!(with.len(), GENERIC.matches("[[rule]]").count());
}

fn redacted(profile: Profile, json: &str) -> Vec<String> {
    let fields = Fields::compile(&[generic()], profile).expect("the rules fit");
    let asked = walk::walk(&fields, &serde_json::from_str(json).expect("JSON"), Order::TypeFirst);
    let redacted = asked.into_iter().filter_map(|asked| asked.class.map(|class| (asked.path, class)));
    let mut redacted: Vec<String> =
        redacted.map(|(path, class)| format!("{path} {}", fields.class(class).rule_id)).collect();
    redacted.sort_unstable();
    redacted
}

#[test]
fn tools_messages_and_schemas_keep_their_names() {
    let json = r#"{
        "model": "m", "tool_choice": {"type": "function", "name": "create_customer"},
        "messages": [
            {"role": "user", "name": "planner", "content": "hello"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "lookup", "input": {}}],
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}]}
        ],
        "tools": [{"type": "function", "function": {"name": "lookup", "description": "finds",
            "parameters": {"type": "object", "properties": {
                "email": {"type": "string", "description": "address"}, "name": {"type": "string"},
                "address": {"type": "object", "properties": {"city": {"type": "string"}}}}}}}]
    }"#;
    assert_eq!(redacted(Profile::Strict, json), [""; 0]);
}

#[test]
fn balanced_keeps_what_strict_redacts() {
    let json = r#"{"card": {"brand": "visa", "last4": "4242", "exp_month": 12}, "company": "Rocket Rides",
        "billing_address": {"line1": "123 Main Street", "country": "US"}, "login": "jenny"}"#;
    assert_eq!(redacted(Profile::Balanced, json), ["/billing_address/line1 generic/postal-address"]);
    assert_eq!(
        redacted(Profile::Strict, json),
        [
            "/billing_address/country generic/country",
            "/billing_address/line1 generic/postal-address",
            "/card/exp_month generic/card-expiry",
            "/card/last4 generic/card-last4",
            "/company generic/business-name",
            "/login generic/handle",
        ]
    );
}
