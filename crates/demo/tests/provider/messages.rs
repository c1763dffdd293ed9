use crate::{joined, post, start};
use serde_json::{Value, json};

fn ask(text: &str, is_streamed: bool) -> Value {
    json!({
        "model": "stub-small", "max_tokens": 64, "stream": is_streamed,
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}],
    })
}

#[test]
fn blocks_come_whole_and_streamed() {
    let provider = start();
    let text = r#"Write d@example.com [[thinking]][[say:To $1]][[tool:mail {"to":"$1"}]]"#;
    let whole = post(&provider, "/v1/messages", &ask(text, false)).json();
    let kinds = [&whole["content"][0]["type"], &whole["content"][1]["type"], &whole["content"][2]["type"]];
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    assert_eq!(whole["content"][1]["text"], "To d@example.com");
    assert_eq!(whole["content"][2]["input"], json!({"to": "d@example.com"}));
    assert_eq!(whole["stop_reason"], "tool_use");

    let events = post(&provider, "/v1/messages", &ask(text, true)).events();
    assert_eq!(joined(&events, "/delta/thinking"), "The text is: Write d@example.com");
    assert_eq!(joined(&events, "/delta/signature"), whole["content"][0]["signature"].as_str().expect("text"));
    assert_eq!(joined(&events, "/delta/text"), "To d@example.com");
    assert_eq!(joined(&events, "/delta/partial_json"), r#"{"to":"d@example.com"}"#);
    let ends = [&events[0]["type"], &events[1]["type"], &events[events.len() - 1]["type"]];
    assert_eq!(ends, ["message_start", "ping", "message_stop"]);
    let open = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((open("content_block_start"), open("content_block_stop")), (3, 3));
}

#[test]
fn thinking_comes_back_as_it_was_or_is_refused() {
    let provider = start();
    let whole = post(&provider, "/v1/messages", &ask("Hello [[thinking]]", false)).json();
    let mut body = ask("And now?", false);
    let user = body["messages"][0].clone();
    let mut assistant = json!({"role": "assistant", "content": whole["content"]});
    body["messages"] = json!([user, assistant, user]);
    assert_eq!(post(&provider, "/v1/messages", &body).status, 200);
    assistant["content"][0]["thinking"] = json!("The text is: another");
    body["messages"] = json!([user, assistant, user]);
    let mut refused = post(&provider, "/v1/messages", &body);
    assert_eq!(refused.status, 400);
    let error = &refused.json()["error"];
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["message"], "messages.1.content.0: Invalid `signature` in `thinking` block");
}

#[test]
fn what_a_tool_gave_is_quoted() {
    let provider = start();
    let mut body = ask("", false);
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "yes"}]});
    body["messages"][0]["content"] = json!([result]);
    let whole = post(&provider, "/v1/messages", &body).json();
    assert_eq!(whole["content"][0]["text"], "The tool said: yes");
}

#[test]
fn tokens_are_counted() {
    let provider = start();
    let count = |text: &str| {
        let counted = post(&provider, "/v1/messages/count_tokens", &ask(text, false)).json();
        counted["input_tokens"].as_u64().expect("a number")
    };
    assert!(count("a text that is much longer than the other one") > count("a text"));
}
