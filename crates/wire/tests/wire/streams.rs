//! Streamed answers.

use crate::support::{CARD, EMAIL, Rig, data, event, joined};
use obelus::{Category, token};
use obelus_wire::{Provider, Reason, Refusal, Route};
use serde_json::{Value, json};

fn chat(index: u64, content: &str) -> String {
    event(
        &json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": index, "delta": {"content": content}, "finish_reason": null}]}),
    )
}

fn chat_end(index: u64) -> String {
    event(&json!({"id": "chatcmpl-1", "choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]}))
}

#[test]
fn what_does_not_change_leaves_byte_for_byte_and_at_once() {
    let rig = Rig::new();
    let stream = [
        "\u{feff}: welcome\r\n\r\n",
        "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n",
        "id: 7\rdata: {\"choices\" : [{\"index\":0,\"delta\":{\"r\\u006fle\":\"assistant\",\"content\":\"\"}}]}\r\r",
        "data: {\"unknown\":\rdata:  [1, 2]}\r\r",
        "retry: 10\ndata:{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n\n",
        "data: [DONE]\n\n",
    ];
    let mut events = rig.wire.events(Route::ChatCompletions, rig.scope.clone());
    for piece in stream {
        let mut out = Vec::new();
        events.push(piece.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), piece);
    }
    assert!(events.counts().is_empty() && events.unread().is_empty());
}

#[test]
fn choices_and_calls_interleave() {
    let rig = Rig::new();
    let token = rig.email();
    let (head, tail) = token.split_at(14);
    let call = |index: u64, piece: &str| {
        event(
            &json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}}]}),
        )
    };
    let stream = [
        chat(0, &format!("mail {head}")),
        chat(1, "card 4242 4242"),
        call(0, &format!("{{\"to\":\"{head}")),
        call(1, "{\"card\":\"4242"),
        chat(0, &format!("{tail} now")),
        call(0, &format!("{tail}\"}}")),
        chat(1, " 4242 4242 and more"),
        call(1, " 4242 4242 4242\"}"),
        chat_end(0),
        chat_end(1),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let read = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
    let lanes = joined(&read);
    assert_eq!(lanes["0 content"], format!("mail {EMAIL} now"));
    assert_eq!(lanes["1 content"], "card [card-number] and more");
    assert_eq!(lanes["0 call 0"], format!("{{\"to\":\"{token}\"}}"), "arguments keep their tokens");
    assert_eq!(lanes["0 call 1"], "{\"card\":\"[card-number]\"}");
}

#[test]
fn what_is_held_leaves_before_the_end_of_its_lane() {
    let rig = Rig::new();
    let stream =
        [chat(0, "mail jenny"), chat(0, "@example.com"), chat_end(0), "data: [DONE]\n\n".to_owned()].concat();
    let read = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
    assert_eq!(joined(&read)["0 content"], "mail [email]");
    let data = data(&read);
    let ends = data.iter().position(|data| data.contains("\"stop\"")).unwrap();
    assert!(data[ends - 1].contains("[email]"), "{read}");
    let added: Value = serde_json::from_str(&data[ends - 1]).unwrap();
    assert_eq!(
        (&added["id"], &added["object"], &added["model"]),
        (&json!("chatcmpl-1"), &json!("chat.completion.chunk"), &json!("m"))
    );
    assert_eq!(data[data.len() - 1], "[DONE]");

    // In the event itself, if it carries text.
    let last = event(
        &json!({"choices": [{"index": 0, "delta": {"content": "@example.com"}, "finish_reason": "stop"}]}),
    );
    let read =
        rig.stream(Route::ChatCompletions, &[chat(0, "mail jenny").as_bytes(), last.as_bytes()]).unwrap();
    assert_eq!(crate::support::data(&read).len(), 2, "{read}");
    assert_eq!(joined(&read)["0 content"], "mail [email]");
}

#[test]
fn numbers_of_events_go_on_behind_an_added_one() {
    let rig = Rig::new();
    let delta = |number: u64, piece: &str| {
        event(
            &json!({"type": "response.output_text.delta", "sequence_number": number, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [{"token": "x"}]}),
        )
    };
    let whole = "write to jenny@example.com";
    let stream = [
        delta(4, "write to jenny@"),
        delta(5, "example.com"),
        event(&json!({"type": "response.output_text.done", "sequence_number": 6, "item_id": "msg_1", "output_index": 0, "content_index": 0, "text": whole, "logprobs": []})),
        event(&json!({"type": "response.content_part.done", "sequence_number": 7, "item_id": "msg_1", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": whole}})),
        event(&json!({"type": "response.output_item.done", "sequence_number": 8, "output_index": 0, "item": {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": whole}]}})),
        event(&json!({"type": "response.completed", "sequence_number": 9, "response": {"id": "resp_1", "output": [{"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": whole}]}]}})),
    ]
    .concat();
    let read = rig.stream(Route::Responses, &[stream.as_bytes()]).unwrap();
    let events: Vec<Value> = data(&read).iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    let numbers: Vec<u64> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (4..4 + events.len() as u64).collect::<Vec<_>>(), "{read}");
    assert_eq!(events.len(), 7);
    assert_eq!(joined(&read)["response.output_text.delta 0 0 null"], "write to [email]");
    assert_eq!(read.matches("write to [email]").count(), 4, "in every event that repeats the text: {read}");
    assert!(!read.contains("\"x\""), "no log-probabilities: {read}");
}

#[test]
fn a_block_ends_with_its_text() {
    let rig = Rig::new();
    let token = rig.email();
    let stream = [
        event(&json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 1}}})),
        event(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": format!("to {token}")}})),
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}})),
        event(&json!({"type": "message_stop"})),
    ]
    .concat();
    let read = rig.stream(Route::Messages, &[stream.as_bytes()]).unwrap();
    assert_eq!(joined(&read)["0 text"], format!("to {EMAIL}"));
    let kinds: Vec<&str> = read.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let at = kinds.iter().position(|kind| *kind == "content_block_stop").unwrap();
    assert_eq!(kinds[at - 1], "content_block_delta", "{read}");
}

#[test]
fn what_the_provider_cut_off_leaves_as_far_as_it_came() {
    let rig = Rig::new();
    let read = rig
        .stream(
            Route::ChatCompletions,
            &[chat(0, "mail jenny@example.com").as_bytes(), b"data: {\"choices\":[{\"in"],
        )
        .unwrap();
    assert_eq!(joined(&read)["0 content"], "mail [email]");
}

#[test]
fn an_error_says_why_in_the_providers_form() {
    let rig = Rig::new();
    let refusal =
        Refusal { status: 504, reason: Reason::Limit, message: "the provider is silent".to_owned() };
    let failed = |route: Route, start: &str| {
        let (mut events, mut out) = (rig.wire.events(route, rig.scope.clone()), Vec::new());
        events.push(start.as_bytes(), &mut out).unwrap();
        events.fail(&refusal, "req-1", &mut out);
        assert!(events.push(b"data: {}\n\n", &mut out).is_err(), "nothing comes behind it");
        String::from_utf8(out).unwrap()
    };
    let read = failed(Route::ChatCompletions, &chat(0, "mail jenny@example.com"));
    assert_eq!(joined(&read)["0 content"], "mail [email]");
    let last: Value = serde_json::from_str(data(&read).last().unwrap()).unwrap();
    assert_eq!((&last["error"]["code"], &last["error"]["type"]), (&json!("limit"), &json!("server_error")));

    let read = failed(Route::Messages, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    let last: Value = serde_json::from_str(data(&read).last().unwrap()).unwrap();
    assert!(read.contains("event: error\n"));
    assert_eq!(last, serde_json::from_slice::<Value>(&refusal.body(Provider::Anthropic, "req-1")).unwrap());

    let read = failed(
        Route::Responses,
        &event(&json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}})),
    );
    let last: Value = serde_json::from_str(data(&read).last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["sequence_number"]), (&json!("error"), &json!(1)));
}

#[test]
fn a_token_in_a_link_of_plain_text_stays_whatever_stands_before_it() {
    let rig = Rig::new();
    let token = rig.email();
    let read =
        rig.stream(Route::ChatCompletions, &[format!("data: https://example.com/\\n{token}\n\n").as_bytes()]);
    assert!(read.unwrap().contains(&token));
    let read = rig.stream(Route::ChatCompletions, &[format!("data: write to {token}\n\n").as_bytes()]);
    assert!(read.unwrap().contains(EMAIL));
}

#[test]
fn a_value_with_line_ends_breaks_no_event() {
    let rig = Rig::new();
    let token = rig.token(Category::PostalAddress, "1 Main Street\r\nid: 7\rSpringfield");
    let read = rig.stream(Route::ChatCompletions, &[format!("data: to {token} now\n\n").as_bytes()]).unwrap();
    assert!(
        read.lines().all(|line| line.is_empty() || line.starts_with("data: ")) && !read.contains('\r'),
        "{read:?}"
    );
}

#[test]
fn events_of_any_form_are_read() {
    let rig = Rig::new();
    let choice = |piece: &str| event(&json!({"choices": [{"index": 0, "delta": {"keep": piece}}]}));
    let unknown =
        |piece: &str| event(&json!({"type": "response.keep.delta", "output_index": 0, "delta": piece}));
    for stream in [
        format!("data: {{\"text\":\ndata: \"{EMAIL}\",\ndata: \"note\":\"keep\"}}\n\n"),
        format!("data: keep {EMAIL}\n\n"),
        "data: keep jenny@\n\ndata: example.com\n\n".to_owned(),
        format!("keep\n{EMAIL}\ndata: {{}}\n\n"),
        format!("{EMAIL}: keep\ndata: {{}}\n\n"),
        format!("id: {EMAIL}\nevent: keep\ndata: {{}}\n\n: {EMAIL}\n\n"),
        format!("data: {{\"keep\":[{{\"deep\":\"{CARD}\"}}]}}\n\n"),
        choice("jenny@") + &choice("example.com"),
        unknown("jenny@") + &unknown("example.com"),
    ] {
        let read = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
        assert!(!read.contains("jenny") && !read.contains("4242"), "{read}");
        assert!(
            read.contains("keep") && (read.contains("[email]") || read.contains("[card-number]")),
            "{read}"
        );
    }
    for (broken, reason) in [
        ("data: {\"a\":\n\n", Reason::Malformed),
        ("data: [1]\n\n", Reason::Malformed),
        ("data: {\"a\":\"\u{1}\"}\n\n", Reason::Malformed),
        ("data: {\"choices\":[{\"index\":0,\"index\":1}]}\n\n", Reason::Malformed),
    ] {
        let refusal = rig.stream(Route::ChatCompletions, &[broken.as_bytes()]).unwrap_err();
        assert_eq!((refusal.status, refusal.reason), (502, reason), "{broken:?}");
    }
}

#[test]
fn lanes_are_bounded() {
    let rig = Rig::new();
    let stream: String = (0..65).map(|index| chat(index, "a")).collect();
    let refusal = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap_err();
    assert_eq!((refusal.status, refusal.reason), (502, Reason::Limit));
    let stream: String = (0..300).map(|index| chat(index, "a") + &chat_end(index)).collect();
    assert!(
        rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).is_ok(),
        "those that have ended do not count"
    );
}

#[test]
fn prose_is_not_held() {
    let rig = Rig::new();
    let (mut events, mut most) = (rig.wire.events(Route::ChatCompletions, rig.scope.clone()), 0);
    let words = "the customer wants a refund for the last order because the parcel came late and was open ";
    for word in words.repeat(4).split_inclusive(' ') {
        events.push(chat(0, word).as_bytes(), &mut Vec::new()).unwrap();
        most = most.max(events.held_bytes());
    }
    assert!(most <= 512, "{most} bytes are held");
}

#[test]
fn the_longest_token_is_held_and_no_more() {
    let rig = Rig::sealing();
    let value = "a".repeat(token::SEALED_VALUE_BYTES_MAX);
    let token = rig.token(Category::CardFingerprint, &value);
    assert_eq!(token.len(), token::LEN_MAX);
    let (mut events, mut out, mut most) =
        (rig.wire.events(Route::ChatCompletions, rig.scope.clone()), Vec::new(), 0);
    for sign in format!("write to {token}, {token}.").chars() {
        events.push(chat(0, &sign.to_string()).as_bytes(), &mut out).unwrap();
        most = most.max(events.held_bytes());
    }
    events.push(chat_end(0).as_bytes(), &mut out).unwrap();
    events.finish(&mut out).unwrap();
    assert_eq!(
        joined(std::str::from_utf8(&out).unwrap())["0 content"],
        format!("write to {value}, {value}.")
    );
    assert!(most <= 512, "{most} bytes are held");
}

#[test]
fn counts_are_those_of_what_was_hidden() {
    let rig = Rig::new();
    let mut events = rig.wire.events(Route::ChatCompletions, rig.scope.clone());
    let text = format!("mail {} and {CARD} and made.up@example.org now", rig.email());
    let mut out = Vec::new();
    events.push((chat(0, &text) + &chat_end(0)).as_bytes(), &mut out).unwrap();
    assert_eq!(events.counts(), [(Category::Email, 1), (Category::CardNumber, 1)]);
}

#[test]
fn lanes_and_the_rest_of_an_event_change_together() {
    let rig = Rig::new();
    let body = json!({"a": 4242424242424242u64, "choices": [{"index": 0, "note": EMAIL, "delta": {"content": format!("{CARD} and the rest"), "x": "the small text"}, "logprobs": {"content": []}, "finish_reason": "stop"}], "z": [1, {"email": EMAIL}]});
    let read = rig.stream(Route::ChatCompletions, &[event(&body).as_bytes()]).unwrap();
    let data = data(&read);
    assert_eq!(data.len(), 1, "{read}");
    let expected = json!({"a": "[card-number]", "choices": [{"index": 0, "note": "[email]", "delta": {"content": "[card-number] and the rest", "x": "the small text"}, "logprobs": null, "finish_reason": "stop"}], "z": [1, {"email": "[email]"}]});
    assert_eq!(serde_json::from_str::<Value>(&data[0]).unwrap(), expected);
}

/// Events like the one before are read faster; a space more in every second one has each read as if it were the first.
#[test]
fn an_event_like_the_one_before_reads_as_any_other() {
    let rig = Rig::new();
    let token = rig.email();
    let (head, tail) = token.split_at(14);
    let pieces = [
        "one",
        " two",
        "",
        " 4242 4242",
        " 4242 4242",
        " \"quoted\"",
        " é",
        "\u{1f600}\\",
        " mail ",
        head,
        tail,
        " jenny",
        "@example.com",
        " {\"a\":1}",
        " end",
    ];
    for (route, write) in [
        (Route::ChatCompletions, (|piece| chat(0, piece)) as fn(&str) -> String),
        (Route::Messages, |piece| {
            event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
            )
        }),
        (Route::Messages, |piece| {
            event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": piece.replace(|sign: char| !sign.is_ascii_lowercase(), "")}}),
            )
        }),
        (Route::Responses, |piece| {
            event(
                &json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": piece}),
            )
        }),
    ] {
        let same: Vec<String> = pieces.iter().map(|piece| write(piece)).collect();
        let spaced = |(at, event): (usize, &String)| match at % 2 {
            0 => event.clone(),
            _ => event.replacen("data: {", "data: { ", 1),
        };
        let other: Vec<String> = same.iter().enumerate().map(spaced).collect();
        assert_ne!(same, other);
        let [same, other] =
            [same, other].map(|events| rig.stream(route, &[events.concat().as_bytes()]).unwrap());
        assert_eq!(same, other.replace("{ ", "{"));
    }
}

#[test]
fn what_is_new_around_a_piece_is_read() {
    let rig = Rig::new();
    let one = chat(0, "word");
    let note = one.replace("\"m\"", &format!("\"m\",\"note\":\"{EMAIL}\""));
    for (changed, value, label) in
        [(one.replace("chatcmpl-1", CARD), CARD, "[card-number]"), (note, EMAIL, "[email]")]
    {
        assert!(changed.contains(value));
        let stream = [one.as_str(), &one, &changed].concat();
        let read = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
        assert!(!read.contains(value) && read.contains(label), "{read}");
        assert_eq!(joined(&read)["0 content"], "wordwordword");
    }
    // A piece that ends its string, and one more member.
    let more = one.replace("word", &format!("\",\"refusal\":\"{EMAIL}"));
    let stream = [one.as_str(), &more, &one].concat();
    let read = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
    let lanes = joined(&read);
    assert_eq!((lanes["0 content"].as_str(), lanes["0 refusal"].as_str()), ("wordword", "[email]"));
    let mut broken = [one.as_bytes(), one.as_bytes()].concat();
    let at = broken.windows(4).rposition(|window| window == b"word").unwrap();
    broken[at] = 0xff;
    let refusal = rig.stream(Route::ChatCompletions, &[&broken]).unwrap_err();
    assert_eq!(refusal.reason, Reason::Malformed);
    let twice = one.replace("word", "\",\"content\":\"word");
    let refusal = rig.stream(Route::ChatCompletions, &[one.as_bytes(), twice.as_bytes()]).unwrap_err();
    assert_eq!(refusal.reason, Reason::Malformed);
}
