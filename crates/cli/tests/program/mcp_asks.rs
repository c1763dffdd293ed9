//! Clients of older revisions that show forms: whoever sits there is asked whether a call is to go on waiting for people.

use crate::mcp_approvals::{Shop, Talk, both_ways};
use serde_json::{Value, json};

const OLDER: &str = "2025-06-18";

fn begin(shop: &Shop) -> Talk {
    let mut talk = shop.talk();
    let hello = json!({"protocolVersion": OLDER, "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "c", "version": "1"}});
    assert!(talk.ask("initialize", &hello)["result"].is_object());
    talk
}

/// Calls, and gives what the client is asked: the id of that, its text, and the id of the call.
fn asked(talk: &mut Talk, to: &str) -> (Value, String, u32) {
    let call = talk.say("tools/call", &json!({"name": "send", "arguments": {"to": to, "text": "hello"}}));
    let ask = talk.hear();
    assert_eq!(ask["method"], "elicitation/create", "{ask}");
    assert_eq!(ask["params"]["requestedSchema"], json!({"type": "object", "properties": {}}));
    assert!(ask["id"].as_str().unwrap().starts_with("obelus-asks-"), "{ask}");
    (ask["id"].clone(), ask["params"]["message"].as_str().unwrap().to_owned(), call)
}

fn approval(text: &str) -> String {
    text.split_once("(approval ").unwrap().1.split_once(')').unwrap().0.to_owned()
}

/// Nothing has become of what was said before, once this is answered.
fn ping(talk: &mut Talk) {
    assert!(talk.ask("ping", &json!({}))["result"].is_object());
}

#[test]
fn people_at_the_client_are_asked_and_approve_nothing() {
    both_ways("", accepted);
}

fn accepted(mut shop: Shop) {
    let mut talk = begin(&shop);
    let (ask, text, call) = asked(&mut talk, "jenny@example.com");
    for wanted in ["notes/send", "obl_email_", "a customer is written to", "Accept to go on waiting"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("jenny"), "{text}");
    talk.answer(&ask, &json!({"action": "accept", "content": {}}));
    // To say it twice, or for what nobody asked, is no more.
    talk.answer(&ask, &json!({"action": "accept", "content": {}}));
    talk.answer(&json!("obelus-asks-0"), &json!({"action": "accept"}));
    ping(&mut talk);
    assert_eq!(shop.ledger().len(), 0, "it approves nothing");
    shop.approve(&approval(&text));
    let answer = talk.hear();
    assert_eq!(answer["id"], call, "{answer}");
    assert!(Talk::text(&answer).0.starts_with("sent to obl_email_"), "{answer}");
    // Where nobody has answered, the question is taken back.
    let (ask, text, call) = asked(&mut talk, "ann");
    shop.approve(&approval(&text));
    let told = talk.hear();
    assert_eq!((&told["method"], &told["params"]["requestId"]), (&"notifications/cancelled".into(), &ask));
    assert_eq!(talk.hear()["id"], call);
    talk.answer(&ask, &json!({"action": "decline"}));
    ping(&mut talk);
    let ledger = shop.ledger();
    assert!(ledger.len() == 2 && !ledger.iter().any(|line| line.contains("obelus-asks")), "{ledger:?}");
    talk.end();
    let records = shop.records();
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).count();
    assert_eq!((of("approval_requested"), of("approval_decided")), (2, 2));
    let waits =
        records.iter().filter(|record| record["decision"] == "wait" && record["kind"] == "tool_request");
    assert_eq!(waits.count(), 2, "before anybody was asked");
    assert!(records.iter().all(|record| record["reason"] != "unmatched"), "{records:?}");
}

#[test]
fn people_at_the_client_can_take_a_call_back_or_stop_waiting() {
    both_ways("", declined);
}

fn declined(mut shop: Shop) {
    let mut talk = begin(&shop);
    let (ask, text, call) = asked(&mut talk, "ann");
    talk.answer(&ask, &json!({"action": "decline"}));
    let answer = talk.hear();
    let (told, is_error) = Talk::text(&answer);
    assert!(answer["id"] == call && is_error && told.starts_with("Taken back (approval apr_"), "{answer}");
    let done = shop.approvals("alice", &["approve", &approval(&text)]);
    assert_eq!(done.code, Some(1), "nobody can approve it any more: {done:?}");
    // To ask anew is another approval.
    let (ask, again, call) = asked(&mut talk, "ann");
    assert_ne!(approval(&again), approval(&text));
    talk.answer(&ask, &json!({"action": "cancel"}));
    let answer = talk.hear();
    let (told, is_error) = Talk::text(&answer);
    assert!(answer["id"] == call && is_error && told.starts_with("Approval needed"), "{answer}");
    shop.approve(&approval(&again));
    assert!(!Talk::text(&talk.send("ann")).1);
    // Nobody is asked twice about one call; it waits until it is decided.
    let (ask, text, _) = asked(&mut talk, "bob");
    talk.answer(&ask, &json!({"action": "cancel"}));
    talk.hear();
    let call = talk.say("tools/call", &json!({"name": "send", "arguments": {"to": "bob", "text": "hello"}}));
    ping(&mut talk);
    assert_eq!(shop.approvals("bob", &["deny", &approval(&text)]).code, Some(0));
    let answer = talk.hear();
    assert!(answer["id"] == call && Talk::text(&answer).0.starts_with("Denied"), "{answer}");
    assert_eq!(shop.ledger().len(), 1);
    // A client that cannot ask anybody is no answer.
    let (ask, text, call) = asked(&mut talk, "carl");
    let fault = json!({"code": -32603, "message": "nobody is here"});
    talk.tell(&json!({"jsonrpc": "2.0", "id": ask, "error": fault}));
    ping(&mut talk);
    shop.approve(&approval(&text));
    assert_eq!(talk.hear()["id"], call);
    talk.end();
    let records = shop.records();
    let back: Vec<&Value> = records.iter().filter(|record| record["reason"] == "taken-back").collect();
    assert!(back.len() == 1 && back[0]["decision"] == "refuse" && back[0]["tool"] == "send", "{back:?}");
    assert!(back[0]["approval_id"].as_str().unwrap().starts_with("apr_"), "{back:?}");
}
