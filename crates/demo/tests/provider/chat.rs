use crate::{joined, post, start};
use serde_json::{Value, json};

fn ask(text: &str, more: Value) -> Value {
    let mut body = json!({"model": "stub-small", "messages": [{"role": "user", "content": text}]});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[test]
fn a_text_is_quoted_whole_and_streamed() {
    let provider = start();
    let path = "/v1/chat/completions";
    let text = "Grüße an a@example.com [[delta:3]]";
    let quoted = "You wrote: Grüße an a@example.com";
    let whole = post(&provider, path, &ask(text, json!({}))).json();
    assert_eq!(whole["choices"][0]["message"]["content"], quoted);
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    let events = post(&provider, path, &ask(text, json!({"stream": true}))).events();
    assert_eq!(joined(&events, "/choices/0/delta/content"), quoted);
    let longest = events.iter().filter_map(|event| event.pointer("/choices/0/delta/content")?.as_str());
    assert_eq!(longest.map(|delta| delta.chars().count()).max(), Some(3));
}

#[test]
fn choices_take_turns() {
    let provider = start();
    let body = ask("Hello", json!({"n": 2, "stream": true, "stream_options": {"include_usage": true}}));
    let events = post(&provider, "/v1/chat/completions", &body).events();
    let choice = |index: u64| {
        let own = events.iter().filter(|event| event["choices"][0]["index"] == index).cloned();
        joined(&own.collect::<Vec<Value>>(), "/choices/0/delta/content")
    };
    assert_eq!((choice(0).as_str(), choice(1).as_str()), ("You wrote: Hello", "Choice 2: You wrote: Hello"));
    let order: Vec<Option<u64>> = events.iter().map(|event| event["choices"][0]["index"].as_u64()).collect();
    assert_eq!(order[..6], [Some(0), Some(1), Some(0), Some(1), Some(0), Some(1)]);
    assert_eq!(order.last(), Some(&None));
    assert!(events.last().is_some_and(|last| last["usage"]["total_tokens"].is_u64()));
}

#[test]
fn tools_are_called_with_words_of_the_text() {
    let provider = start();
    let text = r#"b@example.com [[tool:mail {"to":"$1"}]][[tool:look {"a":[[1]]}]]"#;
    let path = "/v1/chat/completions";
    let whole = post(&provider, path, &ask(text, json!({}))).json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"to":"b@example.com"}"#);
    assert_eq!(message["tool_calls"][1]["function"]["name"], "look");
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let events = post(&provider, path, &ask(text, json!({"stream": true}))).events();
    let call = |index: u64| {
        let calls = events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0"));
        let own: Vec<Value> = calls.filter(|call| call["index"] == index).cloned().collect();
        (own.iter().filter(|call| call["id"].is_string()).count(), joined(&own, "/function/arguments"))
    };
    assert_eq!(call(0), (1, r#"{"to":"b@example.com"}"#.to_owned()));
    assert_eq!(call(1), (1, r#"{"a":[[1]]}"#.to_owned()));
}

#[test]
fn what_a_tool_gave_is_quoted() {
    let provider = start();
    let mut body = ask("Ask. [[tool:look {}]]", json!({}));
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(json!({"role": "assistant", "tool_calls": []}));
    messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "It is c@example.com"}));
    messages.push(
        json!({"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "or none"}]}),
    );
    let whole = post(&provider, "/v1/chat/completions", &body).json();
    let quoted = "The tool said: It is c@example.com\nor none";
    assert_eq!(whole["choices"][0]["message"]["content"], quoted);
}

#[test]
fn refusals_thinking_and_probabilities_have_their_places() {
    let provider = start();
    let path = "/v1/chat/completions";
    let text = "No [[refusal]][[thinking]][[logprobs]][[say:Sorry]]";
    let whole = post(&provider, path, &ask(text, json!({}))).json();
    let choice = &whole["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["message"]["refusal"]),
        (&Value::Null, &json!("Sorry"))
    );
    assert_eq!(choice["message"]["reasoning_content"], "The text is: No");
    assert_eq!(choice["logprobs"]["refusal"][0]["token"], "Sorr");
    let events = post(&provider, path, &ask(text, json!({"stream": true}))).events();
    assert_eq!(joined(&events, "/choices/0/delta/refusal"), "Sorry");
    assert_eq!(joined(&events, "/choices/0/delta/reasoning_content"), "The text is: No");
    assert_eq!(joined(&events, "/choices/0/logprobs/refusal/0/token"), "Sorry");
}

#[test]
fn an_invented_value_stands_in_no_request() {
    let provider = start();
    let whole = post(&provider, "/v1/chat/completions", &ask("Pay [[invent:card]]", json!({}))).json();
    let card = "5555 5555 5555 4444";
    assert_eq!(whole["choices"][0]["message"]["content"], format!("You wrote: Pay The card is {card}."));
    assert!(!provider.seen()[0].text().expect("text").contains(card));
}
