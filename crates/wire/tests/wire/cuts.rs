//! The same text, however it is cut: at every byte of the stream, between every two characters of a delta.

use crate::support::{CARD, EMAIL, Rig, event, joined, text};
use obelus_wire::Route;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A streamed form with one text and one tool call.
#[derive(Clone, Copy, Debug)]
enum Form {
    Chat,
    Responses,
    Messages,
}

const FORMS: [Form; 3] = [Form::Chat, Form::Responses, Form::Messages];

impl Form {
    fn route(self) -> Route {
        match self {
            Form::Chat => Route::ChatCompletions,
            Form::Responses => Route::Responses,
            Form::Messages => Route::Messages,
        }
    }

    /// An event with a piece of the text.
    fn prose(self, piece: &str) -> Value {
        match self {
            Form::Chat => json!({"choices": [{"index": 0, "delta": {"content": piece}}]}),
            Form::Responses => {
                json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": piece, "logprobs": []})
            }
            Form::Messages => {
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
            }
        }
    }

    /// An event with a piece of the arguments.
    fn arguments(self, piece: &str) -> Value {
        match self {
            Form::Chat => {
                json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]})
            }
            Form::Responses => {
                json!({"type": "response.function_call_arguments.delta", "item_id": "f", "output_index": 1, "delta": piece})
            }
            Form::Messages => {
                json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}})
            }
        }
    }

    /// The events that name the tool of the arguments and end everything.
    fn frame(self, tool: &str) -> (Vec<Value>, Vec<Value>) {
        match self {
            Form::Chat => (
                vec![
                    json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": tool, "arguments": ""}}]}}]}),
                ],
                vec![json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})],
            ),
            Form::Responses => (
                vec![
                    json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "id": "f", "call_id": "c", "name": tool, "arguments": ""}}),
                ],
                vec![json!({"type": "response.completed", "response": {"id": "r"}})],
            ),
            Form::Messages => (
                vec![
                    json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": tool, "input": {}}}),
                ],
                vec![
                    json!({"type": "content_block_stop", "index": 0}),
                    json!({"type": "content_block_stop", "index": 1}),
                    json!({"type": "message_stop"}),
                ],
            ),
        }
    }

    /// A whole stream of these pieces, one of each text in turn.
    fn stream(self, tool: &str, prose: &[&str], arguments: &[&str]) -> String {
        let (start, end) = self.frame(tool);
        let mut events = start;
        for at in 0..prose.len().max(arguments.len()) {
            events.extend(prose.get(at).map(|piece| self.prose(piece)));
            events.extend(arguments.get(at).map(|piece| self.arguments(piece)));
        }
        events.extend(end);
        events.iter().map(event).collect()
    }

    /// The text and the arguments as a client joins them.
    fn texts(self, stream: &str) -> [String; 2] {
        let mut lanes = joined(stream);
        let names = match self {
            Form::Chat => ["0 content", "0 call 0"],
            Form::Responses => {
                ["response.output_text.delta 0 0 null", "response.function_call_arguments.delta 1 null null"]
            }
            Form::Messages => ["0 text", "1 partial_json"],
        };
        names.map(|name| lanes.remove(name).unwrap_or_default())
    }

    /// A whole answer with the text and the arguments, and both as they come out.
    fn whole(self, rig: &Rig, tool: &str, prose: &str, arguments: &str) -> [String; 2] {
        let (answer, ways) = match self {
            Form::Chat => (
                json!({"choices": [{"index": 0, "message": {"content": prose, "tool_calls": [{"id": "c", "function": {"name": tool, "arguments": arguments}}]}}]}),
                ["/choices/0/message/content", "/choices/0/message/tool_calls/0/function/arguments"],
            ),
            Form::Responses => (
                json!({"output": [{"type": "message", "content": [{"type": "output_text", "text": prose}]}, {"type": "function_call", "name": tool, "arguments": arguments}]}),
                ["/output/0/content/0/text", "/output/1/arguments"],
            ),
            Form::Messages => (
                // Whole, the input is an object.
                json!({"content": [{"type": "text", "text": prose}, {"type": "tool_use", "name": tool, "input": serde_json::from_str::<Value>(arguments).expect("arguments are JSON")}]}),
                ["/content/0/text", "/content/1/input"],
            ),
        };
        let answer = text(rig.answer(self.route(), &answer.to_string()).expect("the answer is read"));
        let answer: Value = serde_json::from_str(&answer).expect("the answer is JSON");
        ways.map(|way| match answer.pointer(way).expect("both texts are there") {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// A text and arguments with all that matters, and both as they must come out.
fn example(rig: &Rig) -> ([String; 2], [String; 2]) {
    let token = rig.email();
    let prose = |email: &str, card: &str, other: &str| {
        format!(
            "Dear \"{email}\",\n\u{e9}\u{1f600} card {card}; {other}. ask obl_email_abcdefghijklmnopabcd of obl_ it, {email}"
        )
    };
    let arguments =
        |card: &str| format!("{{\"to\":\"{token}\",\"card\":\"{card}\",\"note\":\"caf\u{e9} {token}\"}}");
    (
        [prose(&token, CARD, "made.up@example.org"), arguments(CARD)],
        [prose(EMAIL, "[card-number]", "[email]"), arguments("[card-number]")],
    )
}

#[test]
fn a_stream_reads_the_same_cut_at_every_byte() {
    cut_at_every_byte(&Rig::new());
}

#[test]
fn a_stream_with_sealed_tokens_reads_the_same_cut_at_every_byte() {
    cut_at_every_byte(&Rig::sealing());
}

fn cut_at_every_byte(rig: &Rig) {
    let ([prose, arguments], expected) = example(rig);
    for form in FORMS {
        let halves = |text: &str| {
            let middle =
                (text.len() / 2..text.len()).find(|at| text.is_char_boundary(*at)).expect("it is read");
            (
                text.get(..middle).expect("it is read").to_owned(),
                text.get(middle..).expect("it is read").to_owned(),
            )
        };
        let (prose, arguments) = (halves(&prose), halves(&arguments));
        let stream = form.stream("tool", &[&prose.0, &prose.1], &[&arguments.0, &arguments.1]);
        for end in ["\n", "\r\n", "\r"] {
            let stream = stream.replace('\n', end);
            let whole = rig.stream(form.route(), &[stream.as_bytes()]).expect("it is read");
            assert_eq!(form.texts(&whole), expected, "{form:?}");
            for at in 1..stream.len() {
                let (head, tail) = stream.as_bytes().split_at(at);
                assert_eq!(
                    rig.stream(form.route(), &[head, tail]).expect("it is read"),
                    whole,
                    "{form:?} at {at}"
                );
            }
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(rig.stream(form.route(), &bytes).expect("it is read"), whole, "{form:?} byte by byte");
        }
    }
}

#[test]
fn a_text_reads_the_same_cut_between_every_two_characters() {
    cut_between_every_two_characters(&Rig::new());
}

#[test]
fn a_text_with_sealed_tokens_reads_the_same_cut_between_every_two_characters() {
    cut_between_every_two_characters(&Rig::sealing());
}

fn cut_between_every_two_characters(rig: &Rig) {
    let (texts, expected) = example(rig);
    for form in FORMS {
        assert_eq!(form.whole(rig, "tool", &texts[0], &texts[1])[0], expected[0], "{form:?} whole");
        for (which, text) in texts.iter().enumerate() {
            let of = |pieces: &[&str]| {
                let stream = match which {
                    0 => form.stream("tool", pieces, &[]),
                    _ => form.stream("tool", &[], pieces),
                };
                form.texts(&rig.stream(form.route(), &[stream.as_bytes()]).expect("it is read"))[which]
                    .clone()
            };
            for (at, _) in text.char_indices().skip(1) {
                let (head, tail) = text.split_at(at);
                assert_eq!(of(&[head, tail]), expected[which], "{form:?} at {at}");
            }
            let characters: Vec<String> = text.chars().map(String::from).collect();
            let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
            assert_eq!(of(&characters), expected[which], "{form:?} character by character");
        }
    }
}

#[test]
fn escapes_are_read_as_what_they_stand_for() {
    let rig = Rig::new();
    let token = rig.email();
    for (pieces, expected) in [
        (vec!["mail jenny", "\\u0040", "example", "\\u002ecom."], "mail [email]."),
        (vec!["card 42424242", "\\u00342424242", " ."], "card [card-number] ."),
        (vec!["\\uD83D", "\\uDE00 jenny@", "example.com"], "\u{1f600} [email]"),
        (
            vec!["line\\nobl_email", token.trim_start_matches("obl_email"), "\\t."],
            "line\njenny@example.com\t.",
        ),
    ] {
        let deltas: String = pieces
            .iter()
            .map(|piece| {
                format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}}}}]}}\n\n")
            })
            .collect();
        let read = rig.stream(Route::ChatCompletions, &[deltas.as_bytes()]).unwrap();
        assert_eq!(joined(&read)["0 content"], expected);
    }
}

/// Texts made of what matters and what does not.
fn parts() -> impl Strategy<Value = Vec<&'static str>> {
    let parts = [
        "TOKEN",
        "TOKEN ",
        " ",
        "the ",
        "Dear ",
        "\n",
        "\"",
        "\\",
        "{",
        "}",
        "{\"a\":\"",
        "\"}",
        "obl_",
        "obl_email_",
        "a",
        "4242 4242 4242 4242",
        "4242",
        " jenny@example.com ",
        "jenny",
        "@example.com",
        "\u{e9}",
        "\u{1f600}",
        ".",
        ", ",
        "1",
    ];
    proptest::collection::vec(select(parts.to_vec()), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_streamed_reads_as_what_is_whole(is_sealing in any::<bool>(), parts in parts(), cuts in proptest::collection::vec(0usize..400, 0..12), chunk_len in 1usize..200) {
        let rig = if is_sealing { Rig::sealing() } else { Rig::new() };
        let text = parts.concat().replace("TOKEN", &rig.email());
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| text.is_char_boundary(*at)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap()).collect();
        for form in FORMS {
            let stream = form.stream("tool", &pieces, &[]);
            let chunks: Vec<&[u8]> = stream.as_bytes().chunks(chunk_len).collect();
            let read = rig.stream(form.route(), &chunks).unwrap();
            let [whole, _] = form.whole(&rig, "tool", &text, "{}");
            prop_assert_eq!(&form.texts(&read)[0], &whole);
        }
    }
}
