//! Answers of the sidecar's own, in the form that Stripe's clients read.

use crate::answer::{Answer, whole};
use crate::refused::{Refused, Why};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use obelus_gate::{Approval, Recorded};
use serde_json::json;

/// How long somebody who waits for people waits before asking again.
const WAIT_SECONDS: u64 = 5;

/// A refusal.
pub(super) fn refusal(refused: &Refused, request_id: &str) -> Response<Answer> {
    let kind = match refused.status {
        429 => "rate_limit_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let code = match refused.why {
        Why::Denied => "obelus_denied".to_owned(),
        why => format!("obelus_{}", why.as_str().replace('-', "_")),
    };
    let body = json!({"error": {
        "type": kind, "code": code, "message": refused.message, "request_id": request_id,
    }});
    let mut response = say(refused.status, body.to_string().into_bytes());
    if let Some(seconds) = refused.retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if refused.status == 401 {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if refused.closes {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // Clients of Stripe's try again on some statuses; nothing that was refused here becomes right by that.
    if refused.retry_after_seconds.is_none() {
        response.headers_mut().insert("stripe-should-retry", HeaderValue::from_static("false"));
    }
    response
}

/// That a call waits, and how to go on.
pub(super) fn waits(approval: &Approval) -> Response<Answer> {
    let body = json!({
        "object": "obelus.approval",
        "id": approval.id,
        "status": approval.state.as_str(),
        "operation": approval.operation,
        "approvers_needed": approval.approvers,
        "expires_at": approval.expires,
        "message": "not executed: the call waits for people. Repeat exactly the same request: it stays the same call, \
                    and is executed once when it is approved",
    });
    let mut response = say(202, body.to_string().into_bytes());
    response.headers_mut().insert(RETRY_AFTER, WAIT_SECONDS.into());
    response
}

/// What came of a call.
pub(super) fn outcome(recorded: Recorded) -> Response<Answer> {
    let mut response = say(recorded.status, recorded.body);
    if let Some(id) = recorded.request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert("request-id", id);
    }
    response
}

fn say(status: u16, body: Vec<u8>) -> Response<Answer> {
    let mut response = whole(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
