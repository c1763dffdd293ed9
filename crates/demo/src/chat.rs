//! OpenAI chat completions.

use crate::answer::{Answer, tokens};
use crate::events::{Event, Events, obfuscation};
use crate::failure::{Failure, Form};
use crate::json::{Json, object};
use crate::other::CREATED;
use crate::request::Request;
use crate::seal;

const NONE: Option<&str> = None;

/// The answer that comes whole.
pub(crate) fn whole(request: &Request<'_>, answer: &Answer) -> Json {
    let choice = |(index, text): (usize, &Option<String>)| {
        let (content, refusal) =
            if answer.is_refusal { (None, text.as_ref()) } else { (text.as_ref(), None) };
        let mut message = object! {
            "role": "assistant",
            "content": content,
            "refusal": refusal,
            "annotations": Vec::new(),
        };
        if let Some(thinking) = &answer.thinking {
            message = message.with("reasoning_content", thinking);
        }
        if !answer.tools.is_empty() {
            let calls =
                (0..answer.tools.len()).map(|at| call(request, answer, index, at)).collect::<Vec<Json>>();
            message = message.with("tool_calls", calls);
        }
        let probabilities = text.as_ref().and_then(|text| probabilities(answer, text));
        object! {
            "index": index,
            "message": message,
            "logprobs": probabilities,
            "finish_reason": finish_reason(answer),
        }
    };
    let choices: Vec<Json> = answer.texts.iter().enumerate().map(choice).collect();
    head(request, "chat.completion", choices).with("usage", usage(request, answer))
}

/// The answer that is streamed: the choices take turns.
pub(crate) fn streamed(request: &Request<'_>, answer: &Answer) -> Events {
    let wants_usage = request.body["stream_options"]["include_usage"] == true;
    let obfuscates = request.body["stream_options"]["include_obfuscation"] != false;
    let mut lanes: Vec<_> =
        (0..answer.texts.len()).map(|index| choice(request, answer, index).into_iter()).collect();
    let mut events = Vec::new();
    loop {
        let steps: Vec<Step> = lanes.iter_mut().filter_map(Iterator::next).collect();
        if steps.is_empty() {
            break;
        }
        for step in steps {
            let mut chunk = head(request, "chat.completion.chunk", vec![step.choice]);
            if wants_usage {
                chunk = chunk.with("usage", NONE);
            }
            if obfuscates {
                chunk = chunk.with("obfuscation", obfuscation(&step.piece));
            }
            let event = Event::data(&chunk);
            events.push(if step.piece.is_empty() { event } else { event.into_delta() });
        }
    }
    if wants_usage {
        let last = head(request, "chat.completion.chunk", Vec::new());
        events.push(Event::data(&last.with("usage", usage(request, answer))));
    }
    events.push(Event::done());
    let failure = Failure::new(500, "The server had an error while processing your request.");
    Events { events, failure: Event::data(&failure.body(Form::OpenAi, "")) }
}

/// One chunk of a choice, and the piece of text in it.
struct Step {
    choice: Json,
    piece: String,
}

fn choice(request: &Request<'_>, answer: &Answer, index: usize) -> Vec<Step> {
    let step = |piece: &str, delta: Json, probabilities: Option<Json>, finish: Option<&str>| Step {
        choice: object! { "index": index, "delta": delta, "logprobs": probabilities, "finish_reason": finish },
        piece: piece.to_owned(),
    };
    let text = answer.texts.get(index).and_then(Option::as_deref);
    let first = object! { "role": "assistant", "content": text.map(|_text| ""), "refusal": NONE };
    let mut steps = vec![step("", first, None, None)];
    for piece in answer.deltas(answer.thinking.as_deref().unwrap_or_default()) {
        steps.push(step(piece, object! { "reasoning_content": piece }, None, None));
    }
    for piece in answer.deltas(text.unwrap_or_default()) {
        let delta = if answer.is_refusal {
            object! { "refusal": piece }
        } else {
            object! { "content": piece }
        };
        steps.push(step(piece, delta, probabilities(answer, piece), None));
    }
    for (at, tool) in answer.tools.iter().enumerate() {
        let function = object! { "name": &tool.name, "arguments": "" };
        let id = call_id(request, index, at);
        let begin = object! { "index": at, "id": id, "type": "function", "function": function };
        steps.push(step("", object! { "tool_calls": vec![begin] }, None, None));
        for piece in answer.deltas(&tool.arguments) {
            let more = object! { "index": at, "function": object! { "arguments": piece } };
            steps.push(step(piece, object! { "tool_calls": vec![more] }, None, None));
        }
    }
    steps.push(step("", Json::Object(Vec::new()), None, Some(finish_reason(answer))));
    steps
}

fn head(request: &Request<'_>, object: &str, choices: Vec<Json>) -> Json {
    object! {
        "id": seal::id("chatcmpl-", request.number, 29),
        "object": object,
        "created": CREATED,
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_0a1b2c3d4e",
        "choices": choices,
    }
}

fn call_id(request: &Request<'_>, choice: usize, at: usize) -> String {
    seal::id(&format!("call_{choice}{at}"), request.number, 22)
}

fn call(request: &Request<'_>, answer: &Answer, choice: usize, at: usize) -> Json {
    let function =
        answer.tools.get(at).map(|tool| object! { "name": &tool.name, "arguments": &tool.arguments });
    object! { "id": call_id(request, choice, at), "type": "function", "function": function }
}

fn probabilities(answer: &Answer, text: &str) -> Option<Json> {
    let (content, refusal) = if answer.is_refusal {
        (None, Some(answer.probabilities(text)?))
    } else {
        (Some(answer.probabilities(text)?), None)
    };
    Some(object! { "content": content, "refusal": refusal })
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.tools.is_empty() { "stop" } else { "tool_calls" }
}

fn usage(request: &Request<'_>, answer: &Answer) -> Json {
    let (input, output) = (tokens(request.body), answer.tokens());
    object! {
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": object! { "cached_tokens": 0_usize, "audio_tokens": 0_usize },
        "completion_tokens_details": object! {
            "reasoning_tokens": 0_usize,
            "audio_tokens": 0_usize,
            "accepted_prediction_tokens": 0_usize,
            "rejected_prediction_tokens": 0_usize,
        },
    }
}
