//! OpenAI responses.

use crate::answer::{Answer, tokens};
use crate::events::{Event, Events, obfuscation};
use crate::json::{Json, object};
use crate::other::CREATED;
use crate::request::Request;
use crate::script::ToolCall;
use crate::seal;

const NONE: Option<&str> = None;

/// The answer that comes whole.
pub(crate) fn whole(request: &Request<'_>, answer: &Answer) -> Json {
    response(request, "completed", output(request, answer), Some(usage(request, answer)))
}

/// The answer that is streamed: every text comes as deltas and then again as often as the API repeats it.
pub(crate) fn streamed(request: &Request<'_>, answer: &Answer) -> Events {
    let mut stream = Stream {
        events: Vec::new(),
        obfuscates: request.body["stream_options"]["include_obfuscation"] != false,
    };
    for name in ["response.created", "response.in_progress"] {
        stream.push(name, object! { "response": response(request, "in_progress", Vec::new(), None) });
    }
    let items = output(request, answer);
    let mut places = items.into_iter().enumerate();
    if let Some(thinking) = &answer.thinking
        && let Some((at, item)) = places.next()
    {
        stream.reasoning(request, answer, thinking, at, item);
    }
    if let Some(text) = answer.texts.first().and_then(Option::as_ref)
        && let Some((at, item)) = places.next()
    {
        stream.message(request, answer, text, at, item);
    }
    for (tool_at, tool) in answer.tools.iter().enumerate() {
        if let Some((at, item)) = places.next() {
            stream.call(request, answer, (tool_at, tool), at, item);
        }
    }
    stream.push("response.completed", object! { "response": whole(request, answer) });
    let number = stream.events.len() / 2;
    let failure = object! {
        "type": "error",
        "sequence_number": number,
        "code": "server_error",
        "message": "The server had an error while processing your request.",
        "param": NONE,
    };
    Events { events: stream.events, failure: Event::named("error", &failure) }
}

struct Stream {
    events: Vec<Event>,
    obfuscates: bool,
}

impl Stream {
    fn event(&self, name: &'static str, members: Json) -> Event {
        let mut all = vec![("type", Json::from(name)), ("sequence_number", Json::from(self.events.len()))];
        if let Json::Object(members) = members {
            all.extend(members);
        }
        Event::named(name, &Json::Object(all))
    }

    fn push(&mut self, name: &'static str, members: Json) {
        self.events.push(self.event(name, members));
    }

    fn delta(&mut self, name: &'static str, members: Json, piece: &str) {
        let members = if self.obfuscates { members.with("obfuscation", obfuscation(piece)) } else { members };
        self.events.push(self.event(name, members).into_delta());
    }

    fn message(&mut self, request: &Request<'_>, answer: &Answer, text: &str, at: usize, item: Json) {
        let id = message_id(request);
        let place = || object! { "item_id": &id, "output_index": at, "content_index": 0_usize };
        let begin = object! {
            "id": &id, "type": "message", "status": "in_progress", "content": Vec::new(), "role": "assistant",
        };
        self.push("response.output_item.added", object! { "output_index": at, "item": begin });
        self.push("response.content_part.added", place().with("part", part(answer, "")));
        for piece in answer.deltas(text) {
            let members = place().with("delta", piece);
            if answer.is_refusal {
                self.delta("response.refusal.delta", members, piece);
            } else {
                let members = members.with("logprobs", probabilities(answer, piece));
                self.delta("response.output_text.delta", members, piece);
            }
        }
        if answer.is_refusal {
            self.push("response.refusal.done", place().with("refusal", text));
        } else {
            let members = place().with("text", text).with("logprobs", probabilities(answer, text));
            self.push("response.output_text.done", members);
        }
        self.push("response.content_part.done", place().with("part", part(answer, text)));
        self.push("response.output_item.done", object! { "output_index": at, "item": item });
    }

    fn call(
        &mut self,
        request: &Request<'_>,
        answer: &Answer,
        (tool_at, tool): (usize, &ToolCall),
        at: usize,
        item: Json,
    ) {
        let id = item_id("fc_", request, tool_at);
        let begin = call_item(request, tool_at, &tool.name, "", "in_progress");
        self.push("response.output_item.added", object! { "output_index": at, "item": begin });
        for piece in answer.deltas(&tool.arguments) {
            let members = object! { "item_id": &id, "output_index": at, "delta": piece };
            self.delta("response.function_call_arguments.delta", members, piece);
        }
        let members = object! { "item_id": &id, "output_index": at, "arguments": &tool.arguments };
        self.push("response.function_call_arguments.done", members);
        self.push("response.output_item.done", object! { "output_index": at, "item": item });
    }

    fn reasoning(&mut self, request: &Request<'_>, answer: &Answer, thinking: &str, at: usize, item: Json) {
        let id = item_id("rs_", request, 0);
        let place = || object! { "item_id": &id, "output_index": at, "summary_index": 0_usize };
        let begin = object! { "id": &id, "type": "reasoning", "summary": Vec::new() };
        self.push("response.output_item.added", object! { "output_index": at, "item": begin });
        self.push("response.reasoning_summary_part.added", place().with("part", summary("")));
        for piece in answer.deltas(thinking) {
            self.delta("response.reasoning_summary_text.delta", place().with("delta", piece), piece);
        }
        self.push("response.reasoning_summary_text.done", place().with("text", thinking));
        self.push("response.reasoning_summary_part.done", place().with("part", summary(thinking)));
        self.push("response.output_item.done", object! { "output_index": at, "item": item });
    }
}

/// The finished items: reasoning, message, calls.
fn output(request: &Request<'_>, answer: &Answer) -> Vec<Json> {
    let mut items = Vec::new();
    if let Some(thinking) = &answer.thinking {
        let id = item_id("rs_", request, 0);
        let mut item = object! { "id": &id, "type": "reasoning", "summary": vec![summary(thinking)] };
        if request.includes("reasoning.encrypted_content") {
            item = item.with("encrypted_content", seal::signature("reasoning", &id));
        }
        items.push(item);
    }
    if let Some(text) = answer.texts.first().and_then(Option::as_ref) {
        items.push(object! {
            "id": message_id(request),
            "type": "message",
            "status": "completed",
            "content": vec![part(answer, text)],
            "role": "assistant",
        });
    }
    let calls = answer.tools.iter().enumerate();
    items.extend(calls.map(|(at, tool)| call_item(request, at, &tool.name, &tool.arguments, "completed")));
    items
}

fn item_id(prefix: &str, request: &Request<'_>, at: usize) -> String {
    seal::id(&format!("{prefix}{at}"), request.number, 48)
}

fn message_id(request: &Request<'_>) -> String {
    item_id("msg_", request, 0)
}

fn call_item(request: &Request<'_>, at: usize, name: &str, arguments: &str, status: &str) -> Json {
    object! {
        "id": item_id("fc_", request, at),
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": seal::id(&format!("call_{at}"), request.number, 23),
        "name": name,
    }
}

fn part(answer: &Answer, text: &str) -> Json {
    if answer.is_refusal {
        return object! { "type": "refusal", "refusal": text };
    }
    object! {
        "type": "output_text",
        "annotations": Vec::new(),
        "logprobs": probabilities(answer, text),
        "text": text,
    }
}

fn probabilities(answer: &Answer, text: &str) -> Vec<Json> {
    answer.probabilities(text).unwrap_or_default()
}

fn summary(text: &str) -> Json {
    object! { "type": "summary_text", "text": text }
}

/// The response around the items; what the request said stands in it again.
fn response(request: &Request<'_>, status: &str, output: Vec<Json>, usage: Option<Json>) -> Json {
    let said = |name: &str, default: Json| match &request.body[name] {
        serde_json::Value::Null => default,
        value => Json::Read(value.clone()),
    };
    let effort = object! { "effort": NONE, "summary": NONE };
    let text = object! { "format": object! { "type": "text" } };
    object! {
        "id": seal::id("resp_", request.number, 48),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": false,
        "completed_at": (status == "completed").then_some(CREATED),
        "error": NONE,
        "incomplete_details": NONE,
        "instructions": said("instructions", Json::Null),
        "max_output_tokens": said("max_output_tokens", Json::Null),
        "model": request.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": said("previous_response_id", Json::Null),
        "reasoning": said("reasoning", effort),
        "service_tier": "default",
        "store": said("store", Json::Bool(true)),
        "temperature": said("temperature", Json::Float(1.0)),
        "text": said("text", text),
        "tool_choice": said("tool_choice", Json::from("auto")),
        "tools": said("tools", Json::Array(Vec::new())),
        "top_p": said("top_p", Json::Float(1.0)),
        "truncation": "disabled",
        "usage": usage,
        "user": said("user", Json::Null),
        "metadata": said("metadata", object! {}),
    }
}

fn usage(request: &Request<'_>, answer: &Answer) -> Json {
    let (input, output) = (tokens(request.body), answer.tokens());
    object! {
        "input_tokens": input,
        "input_tokens_details": object! { "cached_tokens": 0_usize, "cache_write_tokens": 0_usize },
        "output_tokens": output,
        "output_tokens_details": object! { "reasoning_tokens": 0_usize },
        "total_tokens": input + output,
    }
}
