//! The test that a compiled configuration must pass before it judges anybody's traffic: a planted card number and a
//! planted key must not come out of any route, neither way, whole or streamed, nor of any server of tools or of Stripe's
//! interface.

use crate::config::ConfigError;
use crate::policy::{Grant, Policy};
use obelus_vault::{Scope, Vault};
use obelus_wire::{Documents, Messages, Refusal, Route, Sender};
use serde_json::Value;

/// What is planted: a number of a published test card, and the form of a key.
fn planted() -> [String; 2] {
    ["4242424242424242".to_owned(), ["sk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat()]
}

/// A way that a value could take, and what came of the test there.
pub(crate) struct Tested {
    /// The workflow whose profile reads it.
    pub(crate) workflow: String,
    /// The route, `stripe`, or the server of tools: `mcp.NAME`.
    pub(crate) place: String,
    /// Which text there: `request`, `answer`, `streamed text`, `streamed arguments`.
    pub(crate) lane: &'static str,
    /// Why it failed, if it did.
    pub(crate) fault: Option<String>,
}

/// Runs the test.
///
/// # Errors
/// A route that refuses the test or lets a planted value through.
pub(crate) fn run(policy: &Policy) -> Result<(), ConfigError> {
    match lanes(policy)?.into_iter().find(|tested| tested.fault.is_some()) {
        None => Ok(()),
        Some(Tested { workflow, place, lane, fault }) => Err(ConfigError::new(format!(
            "workflows.{workflow}: {place} fails the self-test ({lane}): {}",
            fault.unwrap_or_default()
        ))),
    }
}

/// Tests every lane of every workflow.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn lanes(policy: &Policy) -> Result<Vec<Tested>, ConfigError> {
    // Tokens of the test are nobody's: they are gone with this vault.
    let vault = Vault::ephemeral().map_err(|error| ConfigError::new(error.to_string()))?;
    let mut all = Vec::new();
    for grant in policy.grants() {
        for route in Route::ALL {
            type Test = fn(&Grant, &Vault, Route, &str) -> Option<Result<Vec<u8>, Refusal>>;
            let tests: [(&'static str, Test); 4] = [
                ("request", request),
                ("answer", answer),
                ("streamed text", streamed_text),
                ("streamed arguments", streamed_arguments),
            ];
            for (lane, test) in tests {
                let values = planted();
                let results: Vec<_> = values
                    .iter()
                    .filter_map(|value| Some((value, test(grant, &vault, route, value)?)))
                    .collect();
                if results.is_empty() {
                    continue;
                }
                let fault = results.into_iter().find_map(|(value, result)| fault(value, result));
                let (workflow, place) = (grant.name.to_string(), route.as_str().to_owned());
                all.push(Tested { workflow, place, lane, fault });
            }
        }
    }
    let scope = vault.scope("self-test", "tools");
    for (name, tools) in policy.all_tools() {
        for (workflow, messages) in tools.all_messages() {
            all.extend(["request", "answer"].map(|lane| Tested {
                workflow: workflow.to_owned(),
                place: format!("mcp.{name}"),
                lane,
                fault: of_all(|value| message(messages, &scope, lane, value)),
            }));
        }
    }
    for (workflow, access) in policy.gate.iter().flat_map(|gate| gate.accesses()) {
        all.extend(["request", "answer"].map(|lane| Tested {
            workflow: workflow.to_owned(),
            place: "stripe".to_owned(),
            lane,
            fault: of_all(|value| document(&access.documents, &scope, lane, value)),
        }));
    }
    Ok(all)
}

/// What is wrong with any of the planted values, if anything is.
fn of_all(test: impl Fn(&str) -> Result<Vec<u8>, Refusal>) -> Option<String> {
    planted().iter().find_map(|value| fault(value, test(value)))
}

/// A call of a tool, or its result.
fn message(messages: &Messages, scope: &Scope, lane: &str, value: &str) -> Result<Vec<u8>, Refusal> {
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"note":"card or key {value}"}}}}}}"#
    );
    let result = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"card or key {value}"}}]}}}}"#
    );
    let (sender, text) = if lane == "request" { (Sender::Client, call) } else { (Sender::Server, result) };
    messages.redact(sender, text.as_bytes(), scope).map(|redacted| redacted.body)
}

/// Arguments as people and records see them, or an answer of Stripe's.
fn document(documents: &Documents, scope: &Scope, lane: &str, value: &str) -> Result<Vec<u8>, Refusal> {
    let text = match lane {
        "request" => format!(r#"{{"metadata":{{"note":"card or key {value}"}}}}"#),
        _ => format!(r#"{{"object":"customer","description":"card or key {value}"}}"#),
    };
    documents.redact(text.as_bytes(), scope).map(|redacted| redacted.body)
}

/// What is wrong with what came out, if anything is.
fn fault(value: &str, result: Result<Vec<u8>, Refusal>) -> Option<String> {
    match result {
        Err(refusal) => Some(refusal.message),
        Ok(out) if out.windows(value.len()).any(|window| window == value.as_bytes()) => {
            Some("a planted card number or key came out: check the rule files of its profile".to_owned())
        }
        Ok(_) => None,
    }
}

fn request(grant: &Grant, vault: &Vault, route: Route, value: &str) -> Option<Result<Vec<u8>, Refusal>> {
    let text = format!("my card or key is {value}, thank you");
    let body = match route {
        Route::Models => return None,
        Route::ChatCompletions => {
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#)
        }
        Route::Responses | Route::Embeddings => format!(r#"{{"model":"m","input":"{text}"}}"#),
        Route::Messages | Route::CountTokens => {
            format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
        }
    };
    let scope = vault.scope("self-test", "request");
    Some(grant.wire.request(route, body.as_bytes(), &scope).map(|redacted| redacted.body))
}

fn answer(grant: &Grant, vault: &Vault, route: Route, value: &str) -> Option<Result<Vec<u8>, Refusal>> {
    let body = format!(r#"{{"error":{{"message":"no such card or key: {value}"}}}}"#);
    let scope = vault.scope("self-test", "answer");
    Some(grant.wire.answer(route, scope).finish(body.as_bytes()).map(|redacted| redacted.body))
}

fn streamed_text(
    grant: &Grant,
    vault: &Vault,
    route: Route,
    value: &str,
) -> Option<Result<Vec<u8>, Refusal>> {
    let (begin, end) = value.split_at_checked(value.len() / 2)?;
    let piece = |text: &str| match route {
        Route::ChatCompletions => Some(format!(
            r#"data: {{"object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#
        )),
        Route::Messages => Some(format!(
            r#"event: content_block_delta
data: {{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
        )),
        Route::Responses => Some(format!(
            r#"event: response.output_text.delta
data: {{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"{text}"}}"#
        )),
        _ => None,
    };
    let events = [piece(&format!("the card or key is {begin}"))?, piece(end)?, piece(", as you said")?];
    Some(streamed(grant, vault, route, &events))
}

fn streamed_arguments(
    grant: &Grant,
    vault: &Vault,
    route: Route,
    value: &str,
) -> Option<Result<Vec<u8>, Refusal>> {
    let (begin, end) = value.split_at_checked(value.len() / 2)?;
    let piece = |text: &str| match route {
        Route::ChatCompletions => Some(format!(
            r#"data: {{"object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]}}}}]}}"#
        )),
        Route::Messages => Some(format!(
            r#"event: content_block_delta
data: {{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":"{text}"}}}}"#
        )),
        Route::Responses => Some(format!(
            r#"event: response.function_call_arguments.delta
data: {{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{text}"}}"#
        )),
        _ => None,
    };
    let events = [piece(&format!(r#"{{\"note\":\"{begin}"#))?, piece(end)?, piece(r#"\"}"#)?];
    Some(streamed(grant, vault, route, &events))
}

/// The texts that come out of a stream, put together as a client puts them together.
fn streamed(grant: &Grant, vault: &Vault, route: Route, events: &[String]) -> Result<Vec<u8>, Refusal> {
    let mut reader = grant.wire.events(route, vault.scope("self-test", "stream"));
    let mut out = Vec::new();
    for event in events {
        reader.push(event.as_bytes(), &mut out)?;
        reader.push(b"\n\n", &mut out)?;
    }
    reader.finish(&mut out)?;
    let mut text = Vec::new();
    for line in out.split(|byte| *byte == b'\n') {
        let data = line.strip_prefix(b"data: ").and_then(|data| serde_json::from_slice::<Value>(data).ok());
        if let Some(data) = data {
            collect(&data, &mut text);
        }
    }
    Ok(text)
}

/// Every string in `value` one behind the other, but names and kinds of things.
fn collect(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::String(piece) => text.extend_from_slice(piece.as_bytes()),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, text)),
        Value::Object(members) => {
            let told = members.iter().filter(|(name, _)| !["type", "object"].contains(&name.as_str()));
            told.for_each(|(_, value)| collect(value, text));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use obelus::Category;
    use obelus_wire::{Profile, Wire};
    use std::ffi::OsString;
    use std::path::Path;
    use std::sync::Arc;

    /// No configuration can say this: levels, treatments and allow-lists have no power over cards and keys. So the
    /// test is shown readers that are made blind.
    #[test]
    fn a_reader_that_lets_cards_or_keys_through_fails() {
        let env = |name: &str| (name == "HOME").then(|| OsString::from("/nowhere"));
        let config = Config::parse("", "", Path::new(""), &env).unwrap();
        let mut policy = Policy::compile(&config, &env).unwrap();
        run(&policy).unwrap();
        for blind in [Category::CardNumber, Category::Secret] {
            let mut profile = Profile::default();
            profile.skip = vec![blind];
            policy.read_by(&Arc::new(Wire::new(&profile).unwrap()));
            let error = run(&policy).unwrap_err().to_string();
            assert!(error.contains("workflows.default") && error.contains("came out"), "{error}");
            // Each lane tells for itself.
            let lanes = lanes(&policy).unwrap();
            let failed = lanes.iter().filter(|tested| tested.fault.is_some()).count();
            assert_eq!((lanes.len(), failed), (17, 17));
            assert!(!planted().iter().any(|value| error.contains(value.as_str())), "{error}");
            let (vault, lanes) = (Vault::ephemeral().unwrap(), ["request", "answer"]);
            let scope = vault.scope("a", "b");
            let (messages, documents) = (Messages::new(&profile).unwrap(), Documents::new(&profile).unwrap());
            for lane in lanes {
                assert!(of_all(|value| message(&messages, &scope, lane, value)).is_some(), "{lane}");
                assert!(of_all(|value| document(&documents, &scope, lane, value)).is_some(), "{lane}");
            }
        }
    }

    #[test]
    fn servers_of_tools_and_stripes_interface_are_tested_as_well() {
        let key = ["rk", "_test_", "51Example0Example0"].concat();
        let env = |name: &str| match name {
            "HOME" => Some(OsString::from("/nowhere")),
            "STRIPE_KEY" => Some(OsString::from(&key)),
            _ => None,
        };
        let text =
            "mcp: {notes: {tools: {find: read}}}\ngate: {stripe: {keys: {default: {env: STRIPE_KEY}}}}\n";
        let config = Config::parse(text, "", Path::new(""), &env).unwrap();
        let tested = lanes(&Policy::compile(&config, &env).unwrap()).unwrap();
        let places: Vec<(&str, &str)> =
            tested[17..].iter().map(|tested| (tested.place.as_str(), tested.lane)).collect();
        let wanted =
            [("mcp.notes", "request"), ("mcp.notes", "answer"), ("stripe", "request"), ("stripe", "answer")];
        assert_eq!(places, wanted);
        assert!(tested.iter().all(|tested| tested.fault.is_none()));
    }
}
