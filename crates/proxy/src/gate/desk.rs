//! Where people decide: JSON on the admin listener, and pages for browsers (`page.rs`), for those whose tokens the
//! configuration knows.
//!
//! `GET /approvals`, `GET /approvals/ID`, `POST /approvals/ID/approve` and `POST /approvals/ID/deny`; `…/happened` and
//! `…/not-happened` of a call of which nobody knew what came of it. Who decides says in the body which digest was looked at.

use super::judge::{commit, release};
use super::{Gate, GateStores, page, token, unix_seconds};
use crate::core::Core;
use crate::webhook::Notice;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::{Method, Request, Response, StatusCode};
use obelus_audit::{Call, Decision, Kind, Record, Utc, Word};
use obelus_gate::{Approval, ApprovalError, Digest, State, Vote};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Bytes of the body of a decision.
const BODY_BYTES_MAX: usize = 4096;

/// What is decided.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    digest: String,
}

/// What somebody does about a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    Approve,
    Deny,
    /// Says that a call happened of which nobody knew.
    Happened,
    /// Says that it did not.
    NotHappened,
}

impl Act {
    const ALL: [Act; 4] = [Act::Approve, Act::Deny, Act::Happened, Act::NotHappened];

    /// By the last segment of a path.
    pub(super) fn of(segment: &str) -> Option<Act> {
        Act::ALL.into_iter().find(|act| act.as_str() == segment)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Act::Approve => "approve",
            Act::Deny => "deny",
            Act::Happened => "happened",
            Act::NotHappened => "not-happened",
        }
    }

    /// The record of it, but for the call.
    fn record(self) -> Record {
        match self {
            Act::Approve => {
                Record { decision: Some(Decision::Approve), ..Record::new(Kind::ApprovalDecided) }
            }
            Act::Deny => Record { decision: Some(Decision::Deny), ..Record::new(Kind::ApprovalDecided) },
            Act::Happened | Act::NotHappened => {
                Record { reason: Some(self.as_str()), ..Record::new(Kind::OutcomeFound) }
            }
        }
    }

    /// Does it, and settles what was counted of the call.
    fn run(
        self,
        stores: &GateStores,
        id: &str,
        approver: String,
        is_own: bool,
        shown: &Digest,
    ) -> Result<Approval, ApprovalError> {
        let time = unix_seconds();
        let happened = match self {
            Act::Approve | Act::Deny => {
                let vote = Vote { approver, approves: self == Act::Approve, time };
                let approval = stores.approvals.vote(id, &vote, is_own, shown)?;
                if approval.state == State::Denied {
                    release(stores, id);
                }
                return Ok(approval);
            }
            Act::Happened => true,
            Act::NotHappened => false,
        };
        let approval = stores.approvals.clear_up(id, (&approver, happened), is_own, shown, time)?;
        match happened {
            true => commit(stores, id),
            false => release(stores, id),
        }
        Ok(approval)
    }
}

/// An answer that tells why something was not done.
pub(super) type Refusal = (StatusCode, String);

/// Answers a request under `/approvals`.
pub(crate) async fn answer(request: Request<Incoming>, core: &Arc<Core>) -> Response<Full<Bytes>> {
    let placed = check_place(&request);
    if placed.is_ok() && page::is_wanted(&request) {
        return page::answer(request, core).await;
    }
    let decided = match placed {
        Ok(()) => decided(request, core).await,
        Err(refusal) => Err(refusal),
    };
    told(decided)
}

/// The answer to somebody who decides.
pub(super) fn told(decided: Result<Value, Refusal>) -> Response<Full<Bytes>> {
    let (status, body) = match decided {
        Ok(body) => (StatusCode::OK, body),
        Err((status, message)) => (status, json!({ "error": message })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

async fn decided(request: Request<Incoming>, core: &Arc<Core>) -> Result<Value, Refusal> {
    let policy = core.policy.load_full();
    let (Some(gate), Some(stores)) = (policy.gate.clone(), core.gate.clone()) else {
        return Err((StatusCode::NOT_FOUND, "no gate is configured".to_owned()));
    };
    let approver = approver(&request, &gate)?;
    let path = request.uri().path().to_owned();
    let steps: Vec<&str> = path.split('/').skip(2).collect();
    match (request.method(), steps.as_slice()) {
        (&Method::GET, []) => {
            let all = request.uri().query() == Some("all");
            let listed = blocking(move || stores.approvals.list(all, unix_seconds())).await?;
            Ok(json!({ "approvals": listed.iter().map(shown).collect::<Vec<_>>() }))
        }
        (&Method::GET, [id]) => {
            let id = (*id).to_owned();
            let approval = blocking(move || stores.approvals.show(&id, unix_seconds())).await?;
            Ok(shown(&approval))
        }
        (&Method::POST, [id, segment]) => {
            let (id, act) = ((*id).to_owned(), Act::of(segment).ok_or_else(no_place)?);
            let said = said(request).await?;
            decide(core, &gate, &stores, id, (approver, act), said).await
        }
        _ => Err(no_place()),
    }
}

fn no_place() -> Refusal {
    let places = "GET /approvals, /approvals/ID; POST …/approve, …/deny, …/happened, …/not-happened";
    (StatusCode::NOT_FOUND, places.to_owned())
}

/// A page of another site must not speak here, by whatever name it has found the way: the request must be for an address
/// of this machine, and come from no other origin.
pub(super) fn check_place(request: &Request<Incoming>) -> Result<(), Refusal> {
    let refuse = |what: &str| Err((StatusCode::FORBIDDEN, what.to_owned()));
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
        (Some(host), None) => host,
        _ => return refuse("host: send it once"),
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_here = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !is_here {
        return refuse("host: not an address of this machine: use 127.0.0.1");
    }
    let is_foreign = |origin: &HeaderValue| origin.to_str().ok() != Some(&format!("http://{host}"));
    if request.headers().get_all(ORIGIN).iter().any(is_foreign) {
        return refuse("origin: pages of other sites decide nothing here");
    }
    Ok(())
}

/// Who decides. What is compared are hashes, of which the order says nothing of the token.
pub(super) fn approver(request: &Request<Incoming>, gate: &Gate) -> Result<String, Refusal> {
    let mut presented = request.headers().get_all(AUTHORIZATION).iter();
    let token = match (presented.next(), presented.next()) {
        (Some(value), None) => value.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default(),
        _ => b"",
    };
    let digest = token::digest(token);
    let known = gate.config.approvers.iter().find(|(_, approver)| Some(approver.token) == digest);
    known.map(|(name, _)| name.clone()).ok_or_else(|| {
        let message = "no approver has this token: send `Authorization: Bearer` with one of gate.approvers";
        (StatusCode::UNAUTHORIZED, message.to_owned())
    })
}

async fn said(request: Request<Incoming>) -> Result<Digest, Refusal> {
    let message = "the body is not {\"digest\": …}: send the digest of what was looked at";
    let said: Said = body(request, BODY_BYTES_MAX, message).await?;
    Digest::parse(&said.digest).ok_or_else(|| (StatusCode::BAD_REQUEST, message.to_owned()))
}

/// The body of a request, which `message` describes.
pub(super) async fn body<T: serde::de::DeserializeOwned>(
    request: Request<Incoming>,
    bytes_max: usize,
    message: &str,
) -> Result<T, Refusal> {
    let malformed = || (StatusCode::BAD_REQUEST, message.to_owned());
    let reading = Limited::new(request.into_body(), bytes_max).collect();
    let read = tokio::time::timeout(Duration::from_secs(5), reading).await;
    let body = read.map_err(|_slow| malformed())?.map_err(|_broken| malformed())?.to_bytes();
    serde_json::from_slice(&body).map_err(|_error| malformed())
}

/// Somebody decides. What cannot be recorded is not decided: it is recorded first that somebody does.
pub(super) async fn decide(
    core: &Arc<Core>,
    gate: &Gate,
    stores: &Arc<GateStores>,
    id: String,
    (approver, act): (String, Act),
    digest: Digest,
) -> Result<Value, Refusal> {
    let (asked, looked_at) = (Arc::clone(stores), id.clone());
    let approval = blocking(move || asked.approvals.show(&looked_at, unix_seconds())).await?;
    let of_approver = gate.config.approvers.get(&approver);
    let is_own = of_approver.is_some_and(|known| known.keys.contains(&approval.requester));
    let listed = core.keys.list().map_err(|error| {
        tracing::error!(%error, "approvals");
        (StatusCode::SERVICE_UNAVAILABLE, "virtual keys cannot be looked up: try again".to_owned())
    })?;
    // Who is named as the one for whom the key was made asks by it.
    let is_named = listed.iter().any(|key| {
        key.id.as_str() == approval.requester && key.requester.as_deref() == Some(approver.as_str())
    });
    let call = Call {
        operation: Word::new(&approval.operation),
        account: approval.account.as_deref().and_then(Word::new),
        rules_version: Word::new(&approval.policy_version),
        approval_id: Word::new(&approval.id),
        approval_digest: Word::new(&digest.to_string()),
        approver: Word::new(&approver),
        ..Call::default()
    };
    let record = || Record { call: Some(Box::new(call.clone())), ..act.record() };
    core.record(&record())
        .await
        .map_err(|refused| (StatusCode::SERVICE_UNAVAILABLE, refused.message.into_owned()))?;
    let asked = Arc::clone(stores);
    let done = blocking(move || {
        let done = act.run(&asked, &id, approver, is_own || is_named, &digest);
        asked.ring();
        done
    });
    match done.await {
        Ok(approval) => {
            let decided = about("approval.decided", &approval).with("decision", Word::new(act.as_str()));
            core.tell(decided.with("approver", call.approver.clone()));
            Ok(shown(&approval))
        }
        Err(refusal) => {
            let refused = Record { outcome: Some(obelus_audit::Outcome::Failed), ..record() };
            // Nothing was decided, whether this can be written or not.
            drop(core.record(&refused).await);
            Err(refusal)
        }
    }
}

/// What people are told of an approval: which it is and how it stands. What it does in detail they look up.
pub(super) fn about(kind: &'static str, approval: &Approval) -> Notice {
    let expires = UNIX_EPOCH.checked_add(Duration::from_secs(approval.expires)).unwrap_or(UNIX_EPOCH);
    Notice::new(kind)
        .with("approval_id", Word::new(&approval.id))
        .with("operation", Word::new(&approval.operation))
        .with("state", Word::new(approval.state.as_str()))
        .with("requester", Word::new(&approval.requester))
        .with("workflow", Word::new(&approval.workflow))
        .with("expires", Word::new(&Utc::from(expires).to_string()))
}

/// An approval as people see it.
pub(super) fn shown(approval: &Approval) -> Value {
    let time = |seconds: u64| {
        Utc::from(UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)).to_string()
    };
    let votes = approval
        .votes
        .iter()
        .map(|vote| json!({"approver": vote.approver, "approves": vote.approves, "time": time(vote.time)}));
    json!({
        "id": approval.id,
        "digest": approval.digest.to_string(),
        "state": approval.state.as_str(),
        "created": time(approval.created),
        "expires": time(approval.expires),
        "requester": approval.requester,
        "workflow": approval.workflow,
        "method": approval.method,
        "server": approval.server,
        "operation": approval.operation,
        "rules_version": approval.policy_version,
        "approvers_needed": approval.approvers,
        "votes": votes.collect::<Vec<_>>(),
        "status": approval.status,
        "attempts": approval.attempts,
        "summary": serde_json::from_str::<Value>(&approval.summary).unwrap_or(Value::Null),
    })
}

/// Asks the file on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, ApprovalError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(ask).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let status = match error {
                ApprovalError::NotFound => StatusCode::NOT_FOUND,
                ApprovalError::Unavailable | ApprovalError::Random => StatusCode::SERVICE_UNAVAILABLE,
                ApprovalError::Own | ApprovalError::Twice => StatusCode::FORBIDDEN,
                _ => StatusCode::CONFLICT,
            };
            Err((status, error.to_string()))
        }
        Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "a fault of the sidecar".to_owned())),
    }
}
