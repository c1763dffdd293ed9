//! Anthropic messages.

use crate::answer::{Answer, tokens};
use crate::events::{Event, Events};
use crate::failure::{Failure, Form};
use crate::json::{Json, object};
use crate::request::Request;
use crate::seal;

const NONE: Option<&str> = None;

/// A content block: as it begins, its deltas, as it is whole.
struct Block {
    begin: Json,
    deltas: Vec<Json>,
    whole: Json,
}

/// The answer that comes whole.
pub(crate) fn whole(request: &Request<'_>, answer: &Answer) -> Json {
    let content: Vec<Json> = blocks(request, answer).into_iter().map(|block| block.whole).collect();
    message(request, content, Some(stop_reason(answer)), answer.tokens())
}

/// The answer that is streamed.
pub(crate) fn streamed(request: &Request<'_>, answer: &Answer) -> Events {
    let begin = message(request, Vec::new(), None, 1);
    let mut events = vec![event("message_start", object! { "message": begin }), event("ping", object! {})];
    for (index, block) in blocks(request, answer).into_iter().enumerate() {
        let begin = object! { "index": index, "content_block": block.begin };
        events.push(event("content_block_start", begin));
        for delta in block.deltas {
            let delta = object! { "index": index, "delta": delta };
            events.push(event("content_block_delta", delta).into_delta());
        }
        events.push(event("content_block_stop", object! { "index": index }));
    }
    let delta = object! { "stop_reason": stop_reason(answer), "stop_sequence": NONE };
    let usage = object! { "output_tokens": answer.tokens() };
    events.push(event("message_delta", object! { "delta": delta, "usage": usage }));
    events.push(event("message_stop", object! {}));
    let failure = Failure::new(529, "Overloaded");
    let failure = Event::named("error", &failure.body(Form::Anthropic, &request_id(request.number)));
    Events { events, failure }
}

/// The id of a request, as the header has it.
pub(crate) fn request_id(number: u64) -> String {
    seal::id("req_01", number, 22)
}

fn event(name: &'static str, members: Json) -> Event {
    let mut all = vec![("type", Json::from(name))];
    if let Json::Object(members) = members {
        all.extend(members);
    }
    Event::named(name, &Json::Object(all))
}

fn blocks(request: &Request<'_>, answer: &Answer) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(thinking) = &answer.thinking {
        let signature = seal::signature("thinking", thinking);
        let pieces = answer.deltas(thinking).into_iter();
        let pieces = pieces.map(|piece| object! { "type": "thinking_delta", "thinking": piece });
        let last = object! { "type": "signature_delta", "signature": &signature };
        blocks.push(Block {
            begin: object! { "type": "thinking", "thinking": "", "signature": "" },
            deltas: pieces.chain([last]).collect(),
            whole: object! { "type": "thinking", "thinking": thinking, "signature": signature },
        });
    }
    if let Some(text) = answer.texts.first().and_then(Option::as_ref) {
        let pieces = answer.deltas(text).into_iter();
        blocks.push(Block {
            begin: object! { "type": "text", "text": "", "citations": NONE },
            deltas: pieces.map(|piece| object! { "type": "text_delta", "text": piece }).collect(),
            whole: object! { "type": "text", "text": text, "citations": NONE },
        });
    }
    for (at, tool) in answer.tools.iter().enumerate() {
        let id = seal::id(&format!("toolu_01{at}"), request.number, 21);
        let block = |input: Json| {
            object! {
                "type": "tool_use",
                "id": &id,
                "name": &tool.name,
                "input": input,
                "caller": object! { "type": "direct" },
            }
        };
        let input: Option<serde_json::Value> = serde_json::from_str(&tool.arguments).ok();
        let pieces = [""].into_iter().chain(answer.deltas(&tool.arguments));
        blocks.push(Block {
            begin: block(object! {}),
            deltas: pieces
                .map(|piece| object! { "type": "input_json_delta", "partial_json": piece })
                .collect(),
            whole: block(input.map_or(object! {}, Json::from)),
        });
    }
    blocks
}

fn message(
    request: &Request<'_>,
    content: Vec<Json>,
    stop_reason: Option<&str>,
    output_tokens: usize,
) -> Json {
    object! {
        "model": request.model,
        "id": seal::id("msg_01", request.number, 22),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": NONE,
        "usage": object! {
            "input_tokens": tokens(request.body),
            "cache_creation_input_tokens": 0_usize,
            "cache_read_input_tokens": 0_usize,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    }
}

fn stop_reason(answer: &Answer) -> &'static str {
    match answer {
        Answer { is_refusal: true, .. } => "refusal",
        Answer { tools, .. } if !tools.is_empty() => "tool_use",
        _ => "end_turn",
    }
}
