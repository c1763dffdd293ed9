//! Embeddings, models, the counting of tokens.

use crate::answer::tokens;
use crate::failure::{Failure, Form};
use crate::json::{Json, object};
use crate::request::string;
use crate::seal;
use serde_json::Value;

/// When everything was made, in seconds since 1970: answers do not depend on the clock.
pub(crate) const CREATED: u64 = 1_790_000_000;
const CREATED_TEXT: &str = "2026-09-21T14:13:20Z";

const MODELS: [&str; 2] = ["stub-small", "stub-large"];
const DIMENSIONS: usize = 8;
const DIMENSIONS_MAX: u64 = 4096;

/// `POST /v1/embeddings`
pub(crate) fn embeddings(body: &Value) -> Result<Json, Failure> {
    let model = string(body, "model")?;
    let inputs: Vec<String> = match &body["input"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) if list.iter().any(Value::is_number) => vec![body["input"].to_string()],
        Value::Array(list) => {
            list.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect()
        }
        _ => return Err(Failure::new(400, "Missing required parameter: 'input'.")),
    };
    let len = match body["dimensions"].as_u64() {
        Some(len) if (1..=DIMENSIONS_MAX).contains(&len) => usize::try_from(len).unwrap_or(DIMENSIONS),
        Some(_) => {
            return Err(Failure::new(400, format!("'dimensions' must be from 1 to {DIMENSIONS_MAX}.")));
        }
        None => DIMENSIONS,
    };
    let is_base64 = body["encoding_format"] == "base64";
    let one = |(index, text): (usize, &String)| {
        let vector = seal::vector(text, len);
        let embedding = if is_base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            Json::from(seal::base64(&bytes))
        } else {
            Json::Array(vector.into_iter().map(|number| Json::Float(number.into())).collect())
        };
        object! { "object": "embedding", "index": index, "embedding": embedding }
    };
    let data: Vec<Json> = inputs.iter().enumerate().map(one).collect();
    let count = tokens(&body["input"]);
    let usage = object! { "prompt_tokens": count, "total_tokens": count };
    Ok(object! { "object": "list", "data": data, "model": model, "usage": usage })
}

/// `POST /v1/messages/count_tokens`
pub(crate) fn count_tokens(body: &Value) -> Result<Json, Failure> {
    string(body, "model")?;
    if body["messages"].as_array().is_none_or(Vec::is_empty) {
        return Err(Failure::new(400, "messages: Field required"));
    }
    Ok(object! { "input_tokens": tokens(body) })
}

/// `GET /v1/models`, `GET /v1/models/{model}`
pub(crate) fn models(form: Form, id: Option<&str>) -> Result<Json, Failure> {
    let Some(id) = id else {
        let data: Vec<Json> = MODELS.iter().map(|id| model(form, id)).collect();
        return Ok(match form {
            Form::OpenAi => object! { "object": "list", "data": data },
            Form::Anthropic => {
                let (first, last) = (MODELS.first().copied(), MODELS.last().copied());
                object! { "data": data, "has_more": false, "first_id": first, "last_id": last }
            }
        });
    };
    MODELS
        .iter()
        .find(|other| **other == id)
        .map(|id| model(form, id))
        .ok_or_else(|| Failure::new(404, "The model does not exist or you do not have access to it."))
}

fn model(form: Form, id: &str) -> Json {
    match form {
        Form::OpenAi => {
            object! { "id": id, "object": "model", "created": CREATED, "owned_by": "system" }
        }
        Form::Anthropic => object! {
            "type": "model",
            "id": id,
            "display_name": id,
            "created_at": CREATED_TEXT,
            "lifecycle": "active",
        },
    }
}
