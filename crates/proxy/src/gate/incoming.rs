//! A call as it came, and as it will be sent: the same bytes, with values for the tokens that may become some.

use super::form::{encode, pairs, path};
use crate::refused::{Refused, Why};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obelus::token;
use obelus_gate::{Body, Catalogue, Connection, Denied, Operation, RestCall, boundary, parts};
use obelus_vault::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// A call of Stripe's REST interface, as it will be sent.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) media: Media,
    /// The content type as it was written.
    pub(super) content_type: Option<String>,
    /// `Stripe-Account`, `Stripe-Context` and `Stripe-Version`, as far as they were sent.
    pub(super) headers: Vec<(String, String)>,
    #[serde(skip)]
    pub(super) body: Vec<u8>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Media {
    Empty,
    Form,
    Json,
    Parts,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &self.method)
            .field("media", &self.media)
            .finish_non_exhaustive()
    }
}

impl Incoming {
    /// The bytes that an approval keeps.
    pub(super) fn to_payload(&self) -> Vec<u8> {
        [self.head().as_slice(), b"\n", &self.body].concat()
    }

    /// All but the body, on one line.
    fn head(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What an approval kept.
    pub(super) fn of_payload(payload: &[u8]) -> Option<Incoming> {
        let end = payload.iter().position(|byte| *byte == b'\n')?;
        let (head, body) = payload.split_at(end);
        let incoming: Incoming = serde_json::from_slice(head).ok()?;
        Some(Incoming { body: body.get(1..)?.to_vec(), ..incoming })
    }

    /// All of it, for whoever may see it.
    pub(super) fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        shown["body"] = match std::str::from_utf8(&self.body) {
            Ok(text) => text.into(),
            Err(_) => json!({"base64": STANDARD.encode(&self.body)}),
        };
        shown
    }

    /// What it means.
    pub(super) fn operation(
        &self,
        catalogue: &Catalogue,
        connection: Connection<'_>,
    ) -> Result<Operation, Denied> {
        catalogue.rest(&RestCall {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            body: match self.media {
                Media::Empty => Body::Empty,
                Media::Form => Body::Form(&self.body),
                Media::Json => Body::Json(&self.body),
                Media::Parts => Body::Parts(&self.body, self.boundary().unwrap_or_default()),
            },
            connection,
        })
    }

    /// What stands between the parts of a body in parts.
    pub(super) fn boundary(&self) -> Option<&str> {
        self.content_type.as_deref().and_then(boundary)
    }

    /// The bytes that a record may hold, sealed: of a file what can be said of it, never its content.
    pub(super) fn to_record(&self, operation: &Operation) -> Vec<u8> {
        match self.media {
            Media::Parts => {
                let said = operation.arguments.to_json().to_string().into_bytes();
                [self.head().as_slice(), b"\n", &said].concat()
            }
            _ => self.to_payload(),
        }
    }

    /// Its arguments as they were written, as one JSON object: of a form all texts, of JSON the JSON itself.
    pub(super) fn arguments(&self, operation: &Operation) -> Vec<u8> {
        match self.media {
            Media::Json => {
                let path = Value::from(self.path.as_str()).to_string();
                let query = Value::from(self.query.as_deref()).to_string();
                [
                    b"{\"path\":",
                    path.as_bytes(),
                    b",\"query\":",
                    query.as_bytes(),
                    b",\"body\":",
                    &self.body,
                    b"}",
                ]
                .concat()
            }
            _ => json!({"path": self.path, "arguments": operation.arguments.to_json()})
                .to_string()
                .into_bytes(),
        }
    }

    /// Turns tokens into values where that is allowed. Anywhere else a token refuses the call: it would be kept in place
    /// of a value. Says whether anything was put in place of a token.
    pub(super) fn restore(&mut self, allowed: &[String], scope: &Scope) -> Result<bool, Refused> {
        if token::find(self.path.as_bytes()).is_some() {
            return Err(refused_token());
        }
        let mut is_changed = false;
        if let Some(query) = self.query.as_deref().filter(|query| may_hold(query.as_bytes())) {
            let restored = restored_form(query, allowed, scope)?;
            is_changed = restored != query;
            self.query = Some(restored);
        }
        if !may_hold(&self.body) {
            return Ok(is_changed);
        }
        let restored = match self.media {
            Media::Empty => None,
            Media::Form => {
                let form = std::str::from_utf8(&self.body).or(Err(malformed()))?;
                let restored = restored_form(form, allowed, scope)?.into_bytes();
                (restored != self.body).then_some(restored)
            }
            Media::Json => {
                let mut value: Value = serde_json::from_slice(&self.body).or(Err(malformed()))?;
                let has_any = restore_json(&mut value, "", allowed, scope)?;
                has_any.then(|| value.to_string().into_bytes())
            }
            Media::Parts => self.restored_parts(allowed, scope)?,
        };
        if let Some(body) = restored {
            self.body = body;
            is_changed = true;
        }
        Ok(is_changed)
    }

    /// The body with the tokens of its fields opened; nothing if it holds none. Everything else stays byte for byte.
    fn restored_parts(&self, allowed: &[String], scope: &Scope) -> Result<Option<Vec<u8>>, Refused> {
        let boundary = self.boundary().unwrap_or_default();
        let parts = parts(&self.body, boundary).or(Err(malformed()))?;
        if token::find(boundary.as_bytes()).is_some() {
            return Err(refused_token());
        }
        let line = format!("--{boundary}");
        let (mut body, mut done) = (Vec::with_capacity(self.body.len()), 0);
        for part in parts {
            let content = self.body.get(part.content.clone()).unwrap_or_default();
            let (filename, media) =
                part.file.map_or(("", ""), |file| (file.filename, file.content_type.unwrap_or_default()));
            if [part.name, filename, media].iter().any(|text| token::find(text.as_bytes()).is_some()) {
                return Err(refused_token());
            }
            if part.file.is_some() {
                // Nothing is put into a file: what it holds is its digest, by which people decide.
                if token::find(content).is_some() {
                    return Err(refused_token());
                }
                continue;
            }
            let text = std::str::from_utf8(content).or(Err(malformed()))?;
            let Some(value) = restored(text, &path(part.name), allowed, scope)? else { continue };
            // It would end its part.
            if value.contains(&line) {
                return Err(refused_token());
            }
            body.extend_from_slice(self.body.get(done..part.content.start).unwrap_or_default());
            body.extend_from_slice(value.as_bytes());
            done = part.content.end;
        }
        if done == 0 {
            return Ok(None);
        }
        body.extend_from_slice(self.body.get(done..).unwrap_or_default());
        Ok(Some(body))
    }
}

/// Whether a text may hold a token, however it is written.
fn may_hold(text: &[u8]) -> bool {
    token::find(text).is_some() || text.contains(&b'%') || text.contains(&b'\\')
}

fn malformed() -> Refused {
    Refused::new(400, Why::Malformed, "the call cannot be read: send it as the API documents it")
}

fn refused_token() -> Refused {
    let message = "a token stands where no value may be put in its place: send the value in an argument that \
                   gate.stripe.restore names, or leave it out";
    Refused::new(400, Why::Denied, message)
}

fn restored_form(form: &str, allowed: &[String], scope: &Scope) -> Result<String, Refused> {
    let mut out = String::with_capacity(form.len());
    for pair in pairs(form).ok_or_else(malformed)? {
        if !out.is_empty() {
            out.push('&');
        }
        if token::find(pair.name.as_bytes()).is_some() {
            return Err(refused_token());
        }
        match restored(&pair.value, &path(&pair.name), allowed, scope)? {
            None => out.push_str(pair.raw),
            Some(value) => {
                encode(&pair.name, &mut out);
                out.push('=');
                encode(&value, &mut out);
            }
        }
    }
    Ok(out)
}

fn restore_json(value: &mut Value, path: &str, allowed: &[String], scope: &Scope) -> Result<bool, Refused> {
    match value {
        Value::String(text) => match restored(text, path, allowed, scope)? {
            None => Ok(false),
            Some(value) => {
                *text = value;
                Ok(true)
            }
        },
        Value::Array(elements) => elements
            .iter_mut()
            .try_fold(false, |any, one| Ok(restore_json(one, path, allowed, scope)? || any)),
        Value::Object(members) => members.iter_mut().try_fold(false, |any, (name, one)| {
            if token::find(name.as_bytes()).is_some() {
                return Err(refused_token());
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            Ok(restore_json(one, &path, allowed, scope)? || any)
        }),
        _ => Ok(false),
    }
}

/// The text with its tokens opened; nothing if it holds none.
fn restored(text: &str, path: &str, allowed: &[String], scope: &Scope) -> Result<Option<String>, Refused> {
    let (mut rest, mut out) = (text.as_bytes(), Vec::with_capacity(text.len()));
    if token::find(rest).is_none() {
        return Ok(None);
    }
    if !allowed.iter().any(|known| known == path) {
        return Err(refused_token());
    }
    while let Some((at, len)) = token::find(rest) {
        let (before, from) = rest.split_at(at);
        let (token, behind) = from.split_at(len);
        out.extend_from_slice(before);
        if !scope.open(token, &mut out) {
            return Err(refused_token());
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).map(Some).or(Err(malformed()))
}
