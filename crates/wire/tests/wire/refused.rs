//! What goes no further, and what must not be changed.

use crate::support::{CARD, EMAIL, Rig, data, event, text};
use obelus_wire::{Facts, Provider, Reason, Route};
use serde_json::{Value, json};

/// Why a request is refused, by both readers.
fn refused(rig: &Rig, route: Route, body: &str) -> (u16, Reason) {
    let inspected = rig.wire.inspect(route, body.as_bytes()).expect_err(body);
    assert_eq!(rig.request(route, body).expect_err(body), inspected);
    for provider in [Provider::OpenAi, Provider::Anthropic] {
        let shown: Value =
            serde_json::from_slice(&inspected.body(provider, "req-1")).expect("errors are JSON");
        assert!(shown["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    (inspected.status, inspected.reason)
}

#[test]
fn what_readers_could_understand_differently_is_refused() {
    let rig = Rig::new();
    for body in [
        r#"{"model":"m","model":"n"}"#,
        r#"{"model":"m","mo\u0064el":"n"}"#,
        r#"{"messages":[],"stream":true,"stream":false}"#,
        r#"{"anything":1,"anything":1}"#,
        r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#,
        r#"{"tools":[{"type":"function","type":"mcp"}]}"#,
        r#"{"model":"m"} {"model":"n"}"#,
        r#"{"model":"m""#,
        r#"{"model":m}"#,
        r#"{"model":7}"#,
        r#"{"model":""}"#,
        "[]",
        "",
        "null",
        "{\"model\":\"m\u{1}\"}",
    ] {
        assert_eq!(refused(&rig, Route::ChatCompletions, body), (400, Reason::Malformed), "{body}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
    assert_eq!(refused(&rig, Route::ChatCompletions, &deep), (413, Reason::Limit));
    assert!(rig.wire.inspect(Route::ChatCompletions, b"{\"model\":\"m\xff\"}").is_err());
    assert!(rig.wire.inspect(Route::ChatCompletions, b"\xfe\xff\0{\0}").is_err());
    // Objects that nothing is decided by may say things twice; they are read whole.
    let body = format!(r#"{{"model":"m","messages":[],"metadata":{{"a":"{EMAIL}","a":"{CARD}"}}}}"#);
    let sent = text(rig.request(Route::ChatCompletions, &body).unwrap());
    assert!(!sent.contains("jenny") && !sent.contains("4242"), "{sent}");
    let many: String = (0..200).map(|at| format!("\"m{at}\":1,")).collect();
    assert!(
        rig.wire.inspect(Route::ChatCompletions, format!("{{{many}\"model\":\"m\"}}").as_bytes()).is_ok()
    );
    assert_eq!(
        refused(&rig, Route::ChatCompletions, &format!("{{{many}\"m199\":1}}")),
        (400, Reason::Malformed)
    );
}

#[test]
fn tool_servers_and_credentials_for_them_are_refused() {
    let rig = Rig::new();
    let server = "https://tools.example.com";
    for (route, body, reason) in [
        (
            Route::Responses,
            json!({"tools": [{"type": "mcp", "server_label": "s", "server_url": server}]}),
            Reason::HostedTool,
        ),
        (Route::Responses, json!({"tools": [{"type": "MCP"}]}), Reason::HostedTool),
        (
            Route::Responses,
            json!({"tools": [{"type": "function"}, {"type": "x", "connector_id": "c"}]}),
            Reason::HostedTool,
        ),
        (Route::Responses, json!({"tools": [{"type": "mcp", "authorization": "k"}]}), Reason::Credential),
        (Route::Responses, json!({"tools": [{"type": "mcp", "headers": {"a": "k"}}]}), Reason::Credential),
        (Route::ChatCompletions, json!({"tools": [{"type": "mcp"}]}), Reason::HostedTool),
        (Route::Messages, json!({"mcp_servers": [{"type": "url", "url": server}]}), Reason::HostedTool),
        (
            Route::Messages,
            json!({"mcp_servers": [{"url": server, "authorization_token": "k"}]}),
            Reason::Credential,
        ),
        (
            Route::Messages,
            json!({"tools": [{"type": "mcp_toolset", "mcp_server_name": "s"}]}),
            Reason::HostedTool,
        ),
        (Route::CountTokens, json!({"mcp_servers": [{"type": "url", "url": server}]}), Reason::HostedTool),
        (Route::Responses, json!({"background": true}), Reason::Unsupported),
        (Route::Embeddings, json!({"input": [1, 2, 3]}), Reason::Unsupported),
        (Route::Embeddings, json!({"input": ["a", [1, 2, 3]]}), Reason::Unsupported),
    ] {
        assert_eq!(refused(&rig, route, &body.to_string()), (400, reason), "{body}");
    }
    for (route, body) in [
        (Route::Messages, json!({"mcp_servers": []})),
        (Route::Responses, json!({"tools": [{"type": "function", "name": "mcp"}], "background": false})),
        (
            Route::Messages,
            json!({"messages": [{"role": "assistant", "content": [{"type": "mcp_tool_use", "name": "a", "input": {}}]}]}),
        ),
        (Route::Embeddings, json!({"input": ["a", "b"]})),
    ] {
        assert!(rig.wire.inspect(route, body.to_string().as_bytes()).is_ok(), "{body}");
    }
    assert!(rig.wire.inspect(Route::Models, b"").is_ok());
    assert!(rig.wire.inspect(Route::Models, b"{}").is_err());
}

#[test]
fn facts_are_those_of_the_body() {
    let rig = Rig::new();
    let facts = |route: Route, body: Value| rig.wire.inspect(route, body.to_string().as_bytes()).unwrap();
    let said = |model: &str, streamed: bool, continues: bool| Facts {
        model: Some(model.to_owned()),
        streamed,
        continues,
    };
    assert_eq!(facts(Route::ChatCompletions, json!({"model": "m", "stream": true})), said("m", true, false));
    assert_eq!(
        facts(Route::ChatCompletions, json!({"model": "m\u{e9}", "store": true})),
        said("m\u{e9}", false, true)
    );
    assert_eq!(facts(Route::Messages, json!({"model": "m", "stream": false})), said("m", false, false));
    assert_eq!(facts(Route::Responses, json!({"model": "m"})), said("m", false, true));
    assert_eq!(facts(Route::Responses, json!({"model": "m", "store": false})), said("m", false, false));
    assert_eq!(
        facts(Route::Responses, json!({"store": false, "model": "m", "previous_response_id": "r"})),
        said("m", false, true)
    );
}

const PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==";

#[test]
fn media_are_blocked_or_marked() {
    let content = |route: Route, part: Value| match route {
        Route::Responses => json!({"input": [{"role": "user", "content": [part]}]}).to_string(),
        _ => json!({"messages": [{"role": "user", "content": [part]}]}).to_string(),
    };
    for (route, part) in [
        (Route::ChatCompletions, json!({"type": "image_url", "image_url": {"url": PICTURE}})),
        (
            Route::ChatCompletions,
            json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        ),
        (Route::ChatCompletions, json!({"type": "file", "file": {"file_data": "JVBERi0xLjQ="}})),
        (Route::Responses, json!({"type": "input_image", "image_url": PICTURE})),
        (Route::Responses, json!({"type": "input_file", "file_data": "JVBERi0xLjQ="})),
        (
            Route::Messages,
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}),
        ),
        (Route::Messages, json!({"type": "document", "source": {"data": "JVBERi0xLjQ=", "type": "base64"}})),
        (
            Route::Messages,
            json!({"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": "iVBORw0KGgo="}}]}),
        ),
    ] {
        let body = content(route, part);
        assert_eq!(refused(&Rig::new(), route, &body), (400, Reason::Unsupported), "{body}");
        let redacted = Rig::marking().request(route, &body).unwrap();
        assert_eq!(redacted.unread, ["media"]);
        assert_eq!(text(redacted), body);
    }
    for (route, part) in [
        (
            Route::ChatCompletions,
            json!({"type": "image_url", "image_url": {"url": format!("https://example.com/?to={EMAIL}")}}),
        ),
        (
            Route::Messages,
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": format!("of {EMAIL}")}}),
        ),
    ] {
        let redacted = Rig::new().request(route, &content(route, part)).unwrap();
        assert!(redacted.unread.is_empty() && !text(redacted).contains("jenny"), "links and texts are read");
    }
    let audio = event(&json!({"type": "response.audio.delta", "delta": "UklGRg=="}));
    let refusal = Rig::new().stream(Route::Responses, &[audio.as_bytes()]).unwrap_err();
    assert_eq!((refusal.status, refusal.reason), (502, Reason::Unsupported));
    assert_eq!(Rig::marking().stream(Route::Responses, &[audio.as_bytes()]).unwrap(), audio);
}

#[test]
fn thinking_is_read_and_never_changed() {
    let rig = Rig::new();
    let token = rig.email();
    let block = |thinking: &str, signature: &str| json!({"type": "thinking", "thinking": thinking, "signature": signature});
    let body = |block: Value| {
        json!({"model": "m", "messages": [{"role": "assistant", "content": [block]}]}).to_string()
    };
    let answer = |block: Value| {
        json!({"type": "message", "content": [block, {"type": "text", "text": token}]}).to_string()
    };

    let good = block(&format!("ask {token} \u{e9}"), "EqQBCgIYAhIkMDE=");
    let redacted = rig.request(Route::Messages, &body(good.clone())).unwrap();
    assert_eq!(redacted.unread, ["encrypted"]);
    assert_eq!(text(redacted), body(good.clone()));
    let back: Value =
        serde_json::from_str(&text(rig.answer(Route::Messages, &answer(good.clone())).unwrap())).unwrap();
    assert_eq!((&back["content"][0], &back["content"][1]["text"]), (&good, &json!(EMAIL)));

    let key = format!("sk_live_{}", "4eC39HqLyjWDarjtT1zdp7dc");
    for bad in [
        block(&format!("ask {EMAIL}"), "EqQB"),
        block("ask", &key),
        json!({"type": "redacted_thinking", "data": key}),
    ] {
        let refusal = rig.request(Route::Messages, &body(bad.clone())).unwrap_err();
        assert_eq!((refusal.status, refusal.reason), (422, Reason::Sealed), "{bad}");
        let refusal = rig.answer(Route::Messages, &answer(bad)).unwrap_err();
        assert_eq!((refusal.status, refusal.reason), (502, Reason::Sealed));
    }
    let item = json!({"model": "m", "input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAAABm0000"}]}).to_string();
    let redacted = rig.request(Route::Responses, &item).unwrap();
    assert_eq!(redacted.unread, ["encrypted"]);
    assert_eq!(text(redacted), item);
}

#[test]
fn streamed_thinking_is_read_and_never_changed() {
    let rig = Rig::new();
    let token = rig.email();
    let stream = |pieces: &[&str]| {
        let mut events = vec![
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        ];
        events.extend(pieces.iter().map(|piece| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": piece}})));
        events.push(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQBCgIYAhIkMDE="}}));
        events.push(json!({"type": "content_block_stop", "index": 0}));
        events.iter().map(event).collect::<String>()
    };
    let (head, tail) = token.split_at(9);
    let read = rig.stream(Route::Messages, &[stream(&["ask ", head, tail, " now"]).as_bytes()]).unwrap();
    let lanes = crate::support::joined(&read);
    assert_eq!(
        (lanes["0 thinking"].as_str(), lanes["0 signature"].as_str()),
        (format!("ask {token} now").as_str(), "EqQBCgIYAhIkMDE=")
    );

    let (mut events, mut out) = (rig.wire.events(Route::Messages, rig.scope.clone()), Vec::new());
    let refusal =
        events.push(stream(&["ask jenny@", "example.com", " now"]).as_bytes(), &mut out).unwrap_err();
    assert_eq!((refusal.status, refusal.reason), (502, Reason::Sealed));
    events.fail(&refusal, "req-1", &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("jenny") && !out.contains("example.com"), "{out}");
    assert!(data(&out).last().unwrap().contains("\"error\""));
}

#[test]
fn work_grows_with_the_body_and_no_faster() {
    let rig = Rig::marking();
    let block = json!({"type": "image", "source": {"type": "base64", "data": "iVBORw0KGgo="}}).to_string();
    // By squares this would be ten thousand million comparisons.
    let blocks = vec![block; 100_000].join(",");
    let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":[{blocks}]}}]}}");
    assert_eq!(text(rig.request(Route::Messages, &body).unwrap()), body);
    let many: String = (0..200_000).map(|at| format!("\"m{at}\":1,")).collect();
    assert!(rig.wire.inspect(Route::Messages, format!("{{{many}\"model\":\"m\"}}").as_bytes()).is_ok());
}

#[test]
fn a_body_of_countless_parts_is_over_a_limit() {
    let rig = Rig::new();
    let many = |part: &str| format!("[{}{part}]", format!("{part},").repeat(1 << 19));
    for (route, body) in [
        (Route::Embeddings, format!("{{\"model\":\"m\",\"input\":{}}}", many("\"\""))),
        (Route::Embeddings, format!("{{\"model\":\"m\",\"input\":{}}}", many("1"))),
        (Route::ChatCompletions, format!("{{\"model\":\"m\",\"messages\":{}}}", many("[]"))),
    ] {
        assert_eq!(refused(&rig, route, &body), (413, Reason::Limit), "{route:?}");
    }
    let names: String = (0..(1 << 19) + 100).map(|at| format!("\"{at}\":1,")).collect();
    let body = format!("{{{names}\"model\":\"m\"}}");
    assert_eq!(refused(&rig, Route::ChatCompletions, &body), (413, Reason::Limit));
}
