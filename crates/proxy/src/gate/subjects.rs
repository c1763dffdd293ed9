//! Keys of those whom calls are about: who has a token of `gate.approvers` may see what a record holds under one, and
//! erase it. Both are recorded before.
//!
//! `POST /subjects/unseal` with what the record of the call says, and `POST /subjects/erase` with the id of a customer.

use super::desk::{Refusal, approver, body, check_place, told};
use super::{GateStores, incoming::Incoming};
use crate::core::Core;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming as HyperBody;
use hyper::{Method, Request, Response, StatusCode};
use obelus_audit::{Call, Kind, Record, SealedCall, Word};
use obelus_gate::{Operation, Sealed, SubjectError, Subjects};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Bytes of a body: a sealed call in base 64.
const BODY_BYTES_MAX: usize = 512 << 10;

/// How the subject of a call is named that names nobody.
const CALL: &str = "call:";
/// What stands before the parameters of a call of a tool. No call of the other sort begins so.
const TOOL: &[u8] = b"tools/call\n";

/// Whose key is erased.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    subject: String,
}

/// What the record of a call says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unseal {
    request_id: String,
    key: String,
    data: String,
}

/// Answers a request under `/subjects`.
pub(crate) async fn answer(request: Request<HyperBody>, core: &Arc<Core>) -> Response<Full<Bytes>> {
    told(match check_place(&request) {
        Ok(()) => done(request, core).await,
        Err(refusal) => Err(refusal),
    })
}

async fn done(request: Request<HyperBody>, core: &Arc<Core>) -> Result<Value, Refusal> {
    let policy = core.policy.load_full();
    let (Some(gate), Some(stores)) = (policy.gate.clone(), core.gate.clone()) else {
        return Err((StatusCode::NOT_FOUND, "no gate is configured".to_owned()));
    };
    if stores.subjects.is_none() {
        return Err((StatusCode::NOT_FOUND, "nothing is sealed: gate.subjects names no file".to_owned()));
    }
    let approver = approver(&request, &gate)?;
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/subjects/erase") => {
            let message =
                "the body is not {\"subject\": …}: send the id of a customer, or of what a call named";
            let said: Erase = body(request, BODY_BYTES_MAX, message).await?;
            let Some(subject) = Word::new(&said.subject) else {
                return Err((StatusCode::BAD_REQUEST, message.to_owned()));
            };
            record(core, Kind::SubjectErased, &approver, (None, Some(subject.clone()))).await?;
            let erased = asked(stores, move |keys| keys.erase(subject.as_str())).await?;
            Ok(json!({ "erased": erased }))
        }
        (&Method::POST, "/subjects/unseal") => {
            let message = "the body is not {\"request_id\": …, \"key\": …, \"data\": …}, as the record of a call has them";
            let malformed = || (StatusCode::BAD_REQUEST, message.to_owned());
            let said: Unseal = body(request, BODY_BYTES_MAX, message).await?;
            let request_id = Word::new(&said.request_id).ok_or_else(malformed)?;
            let key = unhex(&said.key).ok_or_else(malformed)?;
            let sealed = Sealed { key, sealed: STANDARD.decode(&said.data).map_err(|_invalid| malformed())? };
            record(core, Kind::Unsealed, &approver, (Some(request_id.clone()), None)).await?;
            let place = request_id.as_str().to_owned();
            let clear = asked(stores, move |keys| keys.unseal(place.as_bytes(), &sealed)).await?;
            let Some(clear) = clear else { return Ok(json!({"is_erased": true})) };
            let damaged = || (StatusCode::CONFLICT, SubjectError::Damaged.to_string());
            let call = shown(&clear).ok_or_else(damaged)?;
            Ok(json!({"is_erased": false, "call": call}))
        }
        _ => Err((StatusCode::NOT_FOUND, "POST /subjects/unseal, /subjects/erase".to_owned())),
    }
}

/// Whom a call is about: a customer, or else what it names, or else what it will make, which its request stands for.
pub(crate) fn subject(operation: &Operation, request_id: &Word) -> String {
    let named = operation.customer.as_ref().or(operation.objects.first());
    named.cloned().unwrap_or_else(|| format!("{CALL}{request_id}"))
}

/// Whether nobody is known yet whom a call is about.
pub(super) fn is_unknown(subject: &str) -> bool {
    subject.starts_with(CALL)
}

/// A call as it will leave, under the key of whom it is about, if records are to hold it. Asks a file.
pub(crate) fn sealed(
    stores: &GateStores,
    subject: &str,
    request_id: &Word,
    leaves: &[u8],
) -> Result<Option<SealedCall>, SubjectError> {
    let Some(subjects) = &stores.subjects else { return Ok(None) };
    let sealed = subjects.seal(subject, request_id.as_str().as_bytes(), leaves)?;
    Ok(Some(SealedCall::new(&sealed.key, &sealed.sealed)))
}

/// The parameters of a call of a tool, as they are sealed.
pub(crate) fn tool_call(params: &[u8]) -> Vec<u8> {
    [TOOL, params].concat()
}

/// A call that was sealed, for whoever may see it.
fn shown(clear: &[u8]) -> Option<Value> {
    match clear.strip_prefix(TOOL) {
        Some(params) => {
            let params: Value = serde_json::from_slice(params).ok()?;
            Some(json!({"method": "tools/call", "params": params}))
        }
        None => Incoming::of_payload(clear).map(|call| call.shown()),
    }
}

/// What cannot be recorded is not done.
async fn record(
    core: &Core,
    kind: Kind,
    approver: &str,
    (request_id, subject): (Option<Word>, Option<Word>),
) -> Result<(), Refusal> {
    let call = Call { approver: Word::new(approver), ..Call::default() };
    let record = Record {
        request_id,
        call: Some(Box::new(call)),
        stripe_objects: subject.into_iter().collect(),
        ..Record::new(kind)
    };
    core.record(&record)
        .await
        .map_err(|refused| (StatusCode::SERVICE_UNAVAILABLE, refused.message.into_owned()))
}

/// Asks the keys on a thread that may wait.
async fn asked<T: Send + 'static>(
    stores: Arc<GateStores>,
    ask: impl FnOnce(&Subjects) -> Result<T, SubjectError> + Send + 'static,
) -> Result<T, Refusal> {
    let asked = tokio::task::spawn_blocking(move || match &stores.subjects {
        Some(subjects) => ask(subjects),
        None => Err(SubjectError::Unavailable),
    });
    match asked.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ SubjectError::Damaged)) => Err((StatusCode::CONFLICT, error.to_string())),
        Ok(Err(error)) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "a fault of the sidecar".to_owned())),
    }
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |at: usize| char::from(*text.as_bytes().get(at)?).to_digit(16);
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::try_from(digit(2 * at)? << 4 | digit(2 * at + 1)?).ok()?;
    }
    (text.len() == 2 * N).then_some(bytes)
}
