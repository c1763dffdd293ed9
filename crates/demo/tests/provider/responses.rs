use crate::{joined, post, start};
use serde_json::{Value, json};

const TEXT: &str =
    r#"Write e@example.com [[thinking]][[say:To $1]][[tool:mail {"to":"$1"}]][[tool:look {}]]"#;

fn ask(more: Value) -> Value {
    let mut body = json!({"model": "stub-small", "input": [{"role": "user", "content": TEXT}]});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

#[test]
fn items_come_whole() {
    let provider = start();
    let body = ask(json!({"instructions": "Be short", "include": ["reasoning.encrypted_content"]}));
    let whole = post(&provider, "/v1/responses", &body).json();
    let kinds: Vec<&Value> =
        whole["output"].as_array().expect("a list").iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(whole["output"][1]["content"][0]["text"], "To e@example.com");
    assert_eq!(whole["output"][2]["arguments"], r#"{"to":"e@example.com"}"#);
    assert_eq!(whole["instructions"], "Be short");

    let mut reasoning = whole["output"][0].clone();
    let again = |reasoning: &Value| {
        let body = ask(
            json!({"input": [reasoning, {"role": "user", "content": [{"type": "input_text", "text": "Go on"}]}]}),
        );
        post(&provider, "/v1/responses", &body).status
    };
    assert_eq!(again(&reasoning), 200);
    reasoning["encrypted_content"] = json!("AAAA");
    assert_eq!(again(&reasoning), 400);
}

#[test]
fn every_text_comes_as_deltas_and_is_repeated() {
    let provider = start();
    let events = post(&provider, "/v1/responses", &ask(json!({"stream": true}))).events();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at);
    }
    let of = |kind: &str| -> Vec<Value> {
        let kind = format!("response.{kind}");
        events.iter().filter(|event| event["type"] == kind.as_str()).cloned().collect()
    };
    let said = "To e@example.com";
    assert_eq!(joined(&of("output_text.delta"), "/delta"), said);
    assert_eq!(joined(&of("output_text.done"), "/text"), said);
    assert_eq!(joined(&of("content_part.done"), "/part/text"), said);
    assert_eq!(joined(&of("output_item.done"), "/item/content/0/text"), said);
    assert_eq!(joined(&of("completed"), "/response/output/1/content/0/text"), said);
    let arguments = r#"{"to":"e@example.com"}{}"#;
    assert_eq!(joined(&of("function_call_arguments.delta"), "/delta"), arguments);
    assert_eq!(joined(&of("function_call_arguments.done"), "/arguments"), arguments);
    assert_eq!(joined(&of("output_item.done"), "/item/arguments"), arguments);
    let thought = "The text is: Write e@example.com";
    assert_eq!(joined(&of("reasoning_summary_text.delta"), "/delta"), thought);
    assert_eq!(joined(&of("reasoning_summary_part.done"), "/part/text"), thought);
    assert_eq!((of("output_item.added").len(), of("output_item.done").len()), (4, 4));
    assert_eq!((of("created").len(), of("in_progress").len(), of("completed").len()), (1, 1, 1));
}

#[test]
fn what_a_tool_gave_and_what_is_refused() {
    let provider = start();
    let output = json!({"type": "function_call_output", "call_id": "call_1", "output": "no [[refusal]]"});
    let body = json!({"model": "stub-small", "stream": true, "input": [output]});
    let events = post(&provider, "/v1/responses", &body).events();
    let refused = |kind: &str, pointer: &str| {
        let own = events.iter().filter(|event| event["type"] == kind).cloned().collect::<Vec<Value>>();
        joined(&own, pointer)
    };
    assert_eq!(refused("response.refusal.delta", "/delta"), "The tool said: no");
    assert_eq!(refused("response.refusal.done", "/refusal"), "The tool said: no");
    assert_eq!(refused("response.completed", "/response/output/0/content/0/refusal"), "The tool said: no");
}
