//! Lists of tools: what is pinned, what is hidden.

use crate::support::{Line, Stage, call, other, stripe};
use obelus_mcp::OnChange;
use serde_json::Value;

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn listed(stage: &Stage, tools: &str) -> String {
    stage.sent(LIST);
    stage.shown(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{tools},"nextCursor":"n"}}}}"#))
}

fn names(shown: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(shown).expect("JSON");
    let tools = value["result"]["tools"].as_array().expect("a list");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn tools_that_nobody_may_call_are_not_shown() {
    let stage = other(None, OnChange::Stop);
    let find = r#"{ "name":"find","description":"Finds.","inputSchema":{"type":"object"} }"#;
    let all = format!(r#"[{{"name":"wipe"}}, {find} , {{"name":"unknown"}},{{"title":"no name"}}]"#);
    let shown = listed(&stage, &all);
    assert_eq!(
        shown,
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{find}],"nextCursor":"n"}}}}"#)
    );
    // A list of which nothing is hidden stays as it came.
    let same = format!(r#"[ {find} ]"#);
    assert!(listed(&stage, &same).contains(&same));
}

#[test]
fn stripes_tools_are_shown_by_what_they_could_do() {
    let stage = stripe(true);
    let tool = |name: &str, required: &str| {
        format!(
            r#"{{"name":"{name}","inputSchema":{{"type":"object","properties":{{"amount":{{"type":"integer"}}}},"required":[{required}]}}}}"#
        )
    };
    let all = [
        tool("list_customers", ""),
        tool("create_refund", r#""payment_intent""#),
        tool("finalize_invoice", r#""invoice""#),
        tool("create_payment_link", r#""price","quantity""#),
        tool("stripe_api_write", r#""stripe_api_operation_id""#),
        tool("delete_everything", ""),
    ]
    .join(",");
    let shown = names(&listed(&stage, &format!("[{all}]")));
    assert_eq!(shown, ["list_customers", "create_refund", "finalize_invoice", "stripe_api_write"]);
}

#[test]
fn what_is_shown_to_one_is_kept_for_no_other() {
    let stage = other(None, OnChange::Stop);
    stage.sent(LIST);
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","cacheScope":"public","ttlMs":60000,"tools":[{"name":"find"},{"name":"wipe"}]}}"#;
    assert_eq!(
        stage.shown(list),
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","cacheScope":"private","ttlMs":60000,"tools":[{"name":"find"}]}}"#
    );
}

#[test]
fn a_changed_tool_is_noticed_after_a_restart_and_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = || Some(folder.path().join("notes.json"));
    let (first, second) =
        (r#"[{"name":"find","description":"a"}]"#, r#"[{"name":"find","description":"b"}]"#);
    let stage = other(path(), OnChange::Stop);
    assert_eq!(names(&listed(&stage, first)), ["find"]);
    assert!(stage.journal.take().contains(&Line::Noted("pinned find".to_owned())));
    let stage = other(path(), OnChange::Stop);
    assert_eq!(names(&listed(&stage, second)), [""; 0]);
    assert!(stage.journal.take().contains(&Line::Noted("changed find true".to_owned())));
    assert!(stage.denied("find", "{}").contains("otherwise than before"));
    let stage = other(path(), OnChange::Record);
    assert_eq!(names(&listed(&stage, second)), ["find"]);
    assert!(stage.journal.take().contains(&Line::Noted("changed find false".to_owned())));
    stage.sent(&call(2, "find", "{}"));
}

#[test]
fn two_definitions_of_one_name_stop_it() {
    let stage = other(None, OnChange::Stop);
    let shown = listed(&stage, r#"[{"name":"find","description":"a"},{"name":"find","description":"b"}]"#);
    assert_eq!(names(&shown), ["find"]);
    assert!(stage.denied("find", "{}").contains("otherwise than before"));
}

#[test]
fn descriptions_are_redacted() {
    let stage = other(None, OnChange::Stop);
    let shown = listed(&stage, r#"[{"name":"find","description":"Ask jenny@example.com"}]"#);
    assert!(!shown.contains("jenny") && shown.contains("obl_email_"), "{shown}");
}
