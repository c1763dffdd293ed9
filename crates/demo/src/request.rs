//! What a request says.

use crate::failure::Failure;
use crate::seal;
use serde_json::Value;

/// The three ways of asking a model.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Format {
    Chat,
    Responses,
    Messages,
}

/// A request to a model.
pub(crate) struct Request<'a> {
    pub(crate) body: &'a Value,
    pub(crate) model: &'a str,
    /// What was said last: by the user, or by tools.
    pub(crate) text: String,
    pub(crate) is_tool_result: bool,
    /// How many requests came before.
    pub(crate) number: u64,
}

impl<'a> Request<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// What the real providers refuse as well: a member that is missing, a signature that is not theirs.
    pub(crate) fn new(format: Format, body: &'a Value, number: u64) -> Result<Request<'a>, Failure> {
        let model = string(body, "model")?;
        let items = match format {
            Format::Chat => list(body, "messages")?,
            Format::Messages => {
                if !body["max_tokens"].is_u64() {
                    return Err(missing("max_tokens"));
                }
                verify_thinking(list(body, "messages")?)?;
                list(body, "messages")?
            }
            Format::Responses => match &body["input"] {
                Value::Array(items) => {
                    verify_reasoning(items)?;
                    items
                }
                Value::String(text) => {
                    return Ok(Request { body, model, text: text.clone(), is_tool_result: false, number });
                }
                _ => return Err(missing("input")),
            },
        };
        let results = items.iter().rev().take_while(|item| is_result(format, item)).count();
        let is_tool_result = results > 0;
        let said: Vec<String> = if is_tool_result {
            items[items.len() - results..]
                .iter()
                .map(|item| content(&item["content"]) + &content(&item["output"]))
                .collect()
        } else {
            items
                .iter()
                .rev()
                .find(|item| item["role"] == "user")
                .map(|item| content(&item["content"]))
                .into_iter()
                .collect()
        };
        Ok(Request { body, model, text: said.join("\n"), is_tool_result, number })
    }

    /// Whether a member is `true`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.body[name] == true
    }

    /// Whether the answer shall say more than it must (`include` of the Responses API).
    pub(crate) fn includes(&self, what: &str) -> bool {
        self.body["include"].as_array().is_some_and(|list| list.iter().any(|value| value == what))
    }
}

/// Whether an item holds what tools gave.
fn is_result(format: Format, item: &Value) -> bool {
    match format {
        Format::Chat => item["role"] == "tool",
        Format::Responses => item["type"] == "function_call_output",
        Format::Messages => {
            let blocks = item["content"].as_array();
            item["role"] == "user"
                && blocks.is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "tool_result"))
        }
    }
}

/// The text of a content: a string, or the texts of its parts.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let text = |part: &Value| match &part["text"] {
                Value::String(text) => text.clone(),
                _ => content(&part["content"]),
            };
            parts.iter().map(text).filter(|text| !text.is_empty()).collect::<Vec<String>>().join("\n")
        }
        _ => String::new(),
    }
}

/// Thinking must come back as it was given out.
fn verify_thinking(messages: &[Value]) -> Result<(), Failure> {
    for (at, message) in messages.iter().enumerate() {
        for (block_at, block) in message["content"].as_array().into_iter().flatten().enumerate() {
            let thinking = block["thinking"].as_str().unwrap_or_default();
            if block["type"] == "thinking"
                && block["signature"] != seal::signature("thinking", thinking).as_str()
            {
                let place = format!("messages.{at}.content.{block_at}");
                return Err(Failure::new(400, format!("{place}: Invalid `signature` in `thinking` block")));
            }
        }
    }
    Ok(())
}

/// Encrypted reasoning must come back as it was given out.
fn verify_reasoning(items: &[Value]) -> Result<(), Failure> {
    for (at, item) in items.iter().enumerate() {
        let id = item["id"].as_str().unwrap_or_default();
        let sealed = &item["encrypted_content"];
        if item["type"] == "reasoning"
            && sealed.is_string()
            && *sealed != seal::signature("reasoning", id).as_str()
        {
            return Err(Failure::new(
                400,
                format!("The encrypted content of input[{at}] could not be verified."),
            ));
        }
    }
    Ok(())
}

fn missing(name: &str) -> Failure {
    Failure::new(400, format!("Missing required parameter: '{name}'."))
}

/// A member that must be a string.
pub(crate) fn string<'a>(body: &'a Value, name: &str) -> Result<&'a str, Failure> {
    body[name].as_str().ok_or_else(|| missing(name))
}

/// A member that must be a list with something in it.
fn list<'a>(body: &'a Value, name: &str) -> Result<&'a [Value], Failure> {
    body[name].as_array().filter(|list| !list.is_empty()).map(Vec::as_slice).ok_or_else(|| missing(name))
}
