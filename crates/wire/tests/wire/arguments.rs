//! Tokens in the arguments of tool calls.

use crate::support::{EMAIL, Rig, event, joined, text};
use obelus::Category;
use obelus_wire::Route;
use serde_json::{Value, json};

#[test]
fn tokens_become_values_where_policy_names_tool_and_path() {
    let rig = Rig::restoring();
    let token = rig.email();
    let quoted = rig.token(Category::OtherPersonal, "a \"b\"\\");
    let arguments = format!(
        "{{\"to\":\"{token}\",\"cc\":\"{token}\",\"people\":[{{\"email\":\"<{quoted}>\",\"name\":\"{token}\"}}]}}"
    );
    let restored = json!({"to": EMAIL, "cc": token, "people": [{"email": "<a \"b\"\\>", "name": token}]});
    let answer = |tool: &str| {
        json!({"choices": [{"message": {"tool_calls": [
            {"function": {"name": tool, "arguments": arguments}},
            {"custom": {"name": tool, "input": arguments}},
        ]}}]})
    };
    let back: Value =
        serde_json::from_str(&text(rig.answer(Route::ChatCompletions, &answer("send").to_string()).unwrap()))
            .unwrap();
    let calls = &back["choices"][0]["message"]["tool_calls"];
    for arguments in [&calls[0]["function"]["arguments"], &calls[1]["custom"]["input"]] {
        assert_eq!(serde_json::from_str::<Value>(arguments.as_str().unwrap()).unwrap(), restored);
    }
    let other = answer("other").to_string();
    assert_eq!(text(rig.answer(Route::ChatCompletions, &other).unwrap()), other);

    let answer =
        json!({"content": [{"type": "tool_use", "name": "send", "input": {"to": token, "cc": token}}]});
    let back: Value =
        serde_json::from_str(&text(rig.answer(Route::Messages, &answer.to_string()).unwrap())).unwrap();
    assert_eq!(back["content"][0]["input"], json!({"to": EMAIL, "cc": token}));
}

#[test]
fn streamed_arguments_get_values_in_every_cut_and_repetition() {
    let rig = Rig::restoring();
    let token = rig.email();
    let arguments = format!("{{\"cc\":\"{token}\",\"to\":\"\u{e9} {token} and the rest of it\",\"n\":1}}");
    let restored = format!("{{\"cc\":\"{token}\",\"to\":\"\u{e9} {EMAIL} and the rest of it\",\"n\":1}}");
    for (at, _) in arguments.char_indices().skip(1) {
        let (head, tail) = arguments.split_at(at);
        let chat = |piece: &str, name: Value| {
            event(
                &json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 2, "function": {"name": name, "arguments": piece}}]}}]}),
            )
        };
        let stream = chat("", json!("send")) + &chat(head, Value::Null) + &chat(tail, Value::Null);
        let read = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
        assert_eq!(joined(&read)["0 call 2"], restored, "chat at {at}");

        let item = |arguments: &str| json!({"type": "function_call", "name": "send", "call_id": "c", "arguments": arguments});
        let delta = |piece: &str| {
            event(
                &json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": piece}),
            )
        };
        let stream = [
            event(&json!({"type": "response.output_item.added", "output_index": 3, "item": item("")})),
            delta(head),
            delta(tail),
            event(&json!({"type": "response.function_call_arguments.done", "output_index": 3, "arguments": arguments})),
            event(&json!({"type": "response.output_item.done", "output_index": 3, "item": item(&arguments)})),
            event(&json!({"type": "response.completed", "response": {"output": [item(&arguments)]}})),
        ]
        .concat();
        let read = rig.stream(Route::Responses, &[stream.as_bytes()]).unwrap();
        assert_eq!(
            joined(&read)["response.function_call_arguments.delta 3 null null"],
            restored,
            "responses at {at}"
        );
        let repeats = crate::support::data(&read).into_iter().filter(|data| !data.contains("\"delta\""));
        let repeats = repeats.filter(|data| data.contains(&json!(restored).to_string()));
        assert_eq!(repeats.count(), 3, "{read}");

        let delta = |piece: &str| {
            event(
                &json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}),
            )
        };
        let start = event(
            &json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "send", "input": {}}}),
        );
        let stream =
            start + &delta(head) + &delta(tail) + &event(&json!({"type": "content_block_stop", "index": 1}));
        let read = rig.stream(Route::Messages, &[stream.as_bytes()]).unwrap();
        assert_eq!(joined(&read)["1 partial_json"], restored, "messages at {at}");
    }
}

#[test]
fn arguments_that_are_no_json_keep_their_tokens() {
    let rig = Rig::restoring();
    let token = rig.email();
    for arguments in
        [format!("to {token}"), format!("{{\"to\":{token}}}"), format!("{{\"x\"]\"to\":\"{token}\"}}")]
    {
        let answer = json!({"choices": [{"message": {"tool_calls": [{"function": {"name": "send", "arguments": arguments}}]}}]});
        let back = text(rig.answer(Route::ChatCompletions, &answer.to_string()).unwrap());
        assert_eq!(back, answer.to_string());
    }
}
