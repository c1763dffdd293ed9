//! `/mcp/NAME`: servers of tools that are elsewhere, over Streamable HTTP.
//!
//! A client speaks here as it would to the server. Of revision 2026-07-28 each request stands alone; of older ones a
//! session begins with `initialize` (`sessions.rs`). What is carried goes through the session logic of `obelus-mcp`, as it
//! does over standard input and output; `job.rs` does that for one request.

mod job;
mod mirror;
mod sessions;
mod sse;
mod stream;

pub(super) use job::changed;
pub(crate) use mirror::Params;
pub(crate) use sessions::Sessions;
pub(crate) use stream::Told;

use super::session;
use super::tools::{Tools, Way};
use crate::answer::{Answer, whole};
use crate::body::{self, Bounds};
use crate::core::Core;
use crate::decode::decode;
use crate::exchange::random_id;
use crate::exposed;
use crate::guard::Guarded;
use crate::handler::{authenticate, content_coding, media_type, named, session as session_name};
use crate::headers;
use crate::memory::Lease;
use crate::open::Ticket;
use crate::policy::Policy;
use crate::refused::{Refused, Why};
use crate::socket::FaultCell;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER,
    UPGRADE, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use job::Job;
use obelus_audit::{Actor, Decision, Kind, Record, Route, Word};
use obelus_mcp::{Fault, Head, MESSAGE_BYTES_MAX, REVISIONS, Session, Sort};
use obelus_vault::Holder;
use sessions::Legacy;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::Handle;

/// The name of the route in metrics and records.
const ROUTE: &str = "mcp";
/// What stands before the name of a server.
const PREFIX: &str = "/mcp/";
/// The session of a client of an older revision.
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Where a client wants to go on in a stream that broke off.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Whether a request is for a server of tools.
pub(crate) fn is_mcp(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Who asks, and for which server.
struct Visit {
    core: Arc<Core>,
    policy: Arc<Policy>,
    name: String,
    tools: Arc<Tools>,
    way: Way,
    holder: Holder,
    /// The session within the tenant, whose tokens are meant.
    session: String,
    /// Of which trace the request is a part, as its header says.
    trace: Option<Word>,
    ticket: Ticket,
}

/// Answers a request, or the fault of one whose head could not be read.
pub(crate) async fn handle(
    core: Arc<Core>,
    request: Request<Incoming>,
    fault: FaultCell,
) -> Response<Answer> {
    let request_id = random_id();
    let mut actor = None;
    let result =
        Guarded(Box::pin(steps(&core, request, &fault, &mut actor))).await.unwrap_or_else(|panicked| {
            core.metrics.panic();
            Err(panicked.into())
        });
    let response = match result {
        Ok(response) => response,
        Err(refused) => {
            core.metrics.refusal(refused.why);
            note(&core, &refused, actor, request_id.as_ref().ok()).await;
            refusal(&refused)
        }
    };
    core.metrics.request(ROUTE, response.status().as_u16());
    named(response, request_id.as_ref().map_or("", Word::as_str))
}

/// Records that a request went nowhere before it was read as a message.
pub(super) async fn note(core: &Core, refused: &Refused, actor: Option<Actor>, request_id: Option<&Word>) {
    let record = Record {
        request_id: request_id.cloned(),
        actor,
        route: Some(Route { upstream: None, name: ROUTE, model: None }),
        decision: Some(Decision::Refuse),
        reason: Some(refused.why.as_str()),
        status: Some(refused.status),
        policy_version: Some(core.policy.load().version.clone()),
        ..Record::new(Kind::ToolRequest)
    };
    // It goes nowhere whether or not that can be recorded.
    if let Ok(place) = core.reserve().await {
        place.put(&record, SystemTime::now());
    }
}

/// A refusal as an error of the protocol.
fn refusal(refused: &Refused) -> Response<Answer> {
    let mut response = say(refused.status, Fault::refused(&refused.message).answer(None));
    let headers = response.headers_mut();
    if let Some(seconds) = refused.retry_after_seconds {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    match refused.status {
        401 => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        405 => drop(headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"))),
        _ => {}
    }
    if refused.closes {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A message as an answer.
fn say(status: u16, message: Vec<u8>) -> Response<Answer> {
    let is_empty = message.is_empty();
    let mut response = whole(message);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !is_empty {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

async fn steps(
    core: &Arc<Core>,
    request: Request<Incoming>,
    fault: &FaultCell,
    actor: &mut Option<Actor>,
) -> Result<Response<Answer>, Refused> {
    let (head, body) = request.into_parts();
    if let Some(fault) = fault.get().filter(|_| head.uri.path() == "*") {
        return Err(Refused::new(fault.status(), Why::Malformed, fault.to_string()).closing());
    }
    check_origin(&head.headers)?;
    if head.headers.contains_key(UPGRADE) {
        return Err(Refused::new(400, Why::Unsupported, "the connection cannot be upgraded").closing());
    }
    let (holder, ticket, who) = authenticate(core, &head.headers)?;
    *actor = who;
    let visit = visit(core, &head, holder, ticket)?;
    if head.headers.contains_key(&LAST_EVENT_ID) {
        let message =
            "streams are not resumed: what a server keeps of one was not read here. Repeat the request";
        return Err(Refused::new(400, Why::Unsupported, message));
    }
    match head.method {
        Method::POST => post(visit, &head, body).await,
        Method::GET => listen(visit, &head).await,
        Method::DELETE => leave(visit, &head).await,
        _ => Err(Refused::new(405, Why::Route, "POST messages, GET a stream, DELETE a session")),
    }
}

/// A page of another site must not speak here, by whatever name it has found the way.
fn check_origin(headers: &HeaderMap) -> Result<(), Refused> {
    let is_here = |origin: &HeaderValue| {
        let host = origin.to_str().ok().and_then(|text| text.split_once("://")).map_or("", |(_, host)| host);
        let name = match host.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    if headers.get_all(ORIGIN).iter().all(is_here) {
        return Ok(());
    }
    Err(Refused::new(403, Why::Forbidden, "origin: pages of other sites do not speak here"))
}

/// Whether that key may use that server, now.
fn visit(core: &Arc<Core>, head: &Parts, holder: Holder, ticket: Ticket) -> Result<Visit, Refused> {
    let policy = core.policy.load_full();
    let name = head.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let Some(tools) = policy.tools(&name).cloned() else {
        return Err(Refused::new(
            404,
            Why::Route,
            "no server of tools of that name: `mcp` names those that there are",
        ));
    };
    if head.uri.query().is_some() {
        return Err(Refused::new(400, Why::Malformed, "the endpoint takes no query: leave it out"));
    }
    let Some(reach) = &tools.reach else {
        let message =
            "this server of tools is run as a command, by `obelus mcp`: give it a url to reach it here";
        return Err(Refused::new(404, Why::Route, message));
    };
    let flow = policy.grant(&holder.workflow).map(|grant| grant.workflow.clone());
    let way = reach.way(&holder.workflow).cloned();
    let (Some(flow), Some(way)) = (flow, way) else {
        let message = "the workflow of this virtual key may not use this server: `mcp.….workflows` names those that may";
        return Err(Refused::new(403, Why::Forbidden, message));
    };
    core.rate.take(holder.id, &flow, SystemTime::now())?;
    let session = session_name(&flow, &head.headers)?.to_owned();
    let trace = headers::trace(&head.headers, &policy.reader);
    Ok(Visit { core: Arc::clone(core), policy, name, tools, way, holder, session, trace, ticket })
}

impl Visit {
    fn actor(&self) -> Option<Actor> {
        let (key, workflow) = Word::new(self.holder.id.as_str()).zip(Word::new(&self.holder.workflow))?;
        Some(Actor { key, workflow })
    }

    /// A session before the server, for one request or for many.
    fn begin(&self) -> Result<Session, Refused> {
        let kind = (self.name.as_str(), self.way.kind.clone());
        session(&self.core, kind, &self.holder, &self.session, self.way.key, &Handle::current()).map_err(
            |error| {
                tracing::error!(%error, "server of tools");
                Refused::new(
                    503,
                    Why::Gate,
                    "the server's definitions cannot be read, so nothing is forwarded",
                )
            },
        )
    }

    /// The session that a client of an older revision names.
    fn known(&self, headers: &HeaderMap) -> Result<Option<Arc<Legacy>>, Refused> {
        let Some(value) = headers::single(headers, &SESSION_ID)? else { return Ok(None) };
        let known = value.to_str().ok().and_then(|id| self.core.mcp.of(id, self.holder.id, &self.name));
        let gone = || Refused::new(404, Why::Route, "no such session: begin another with `initialize`");
        known.map(Some).ok_or_else(gone)
    }
}

/// Takes a message.
async fn post(visit: Visit, head: &Parts, body: Incoming) -> Result<Response<Answer>, Refused> {
    check_accept(&head.headers, &["application/json", "text/event-stream"])?;
    let mut lease = visit.core.memory.lease();
    let body = read_body(&visit, head, body, &mut lease).await?;
    let Some(message) = Head::read(&body) else {
        // What is wrong with it is for the session to tell, and to record.
        let session = Arc::new(visit.begin()?);
        return Job::new(visit, session, body, None, lease).answer().await;
    };
    let revision = headers::single(&head.headers, &mirror::REVISION)?;
    let revision = revision.map(|value| value.to_str().unwrap_or_default().to_owned());
    let says_modern = revision.as_deref() == Some(obelus_mcp::REVISIONS[0]) || message.revision.is_some();
    if says_modern {
        return modern(visit, head, (message, body), lease).await;
    }
    if revision.as_ref().is_some_and(|revision| !REVISIONS.contains(&revision.as_str())) {
        return refuse(&visit, 400, "revision", Fault::revision(), message.id.as_deref()).await;
    }
    if let Some(what) = mirror::differs(&head.headers, &message) {
        return refuse(&visit, 400, "header", Fault::headers(what), message.id.as_deref()).await;
    }
    let begins = message.method.as_deref() == Some("initialize") && message.sort == Sort::Request;
    let legacy = match (visit.known(&head.headers)?, begins) {
        (Some(_), true) => {
            return Err(Refused::new(
                400,
                Why::Malformed,
                "`initialize` begins a session: leave mcp-session-id out",
            ));
        }
        (None, true) => Legacy::new(visit.begin()?, visit.holder.id, &visit.name)?,
        (Some(known), false) => known,
        (None, false) => {
            let message =
                "no session: begin one with `initialize`, and send the mcp-session-id of its answer";
            return Err(Refused::new(400, Why::Malformed, message));
        }
    };
    let session = Arc::clone(&legacy.session);
    let mut job = Job::new(visit, session, body, Some(message), lease);
    job.revision = revision.and_then(|text| HeaderValue::from_str(&text).ok());
    job.legacy = Some((legacy, begins));
    job.answer().await
}

/// Takes a message of revision 2026-07-28, in which each request stands alone and says everything twice.
async fn modern(
    visit: Visit,
    head: &Parts,
    (message, body): (Head, Vec<u8>),
    lease: Lease,
) -> Result<Response<Answer>, Refused> {
    if message.sort == Sort::Response {
        let fault = Fault::headers("clients of this revision send no answers");
        return refuse(&visit, 400, "unmatched", fault, None).await;
    }
    let params = visit.tools.reach.as_ref().map(|reach| &reach.params);
    let arguments = message.arguments.as_deref();
    let checked = match (message.sort, params) {
        (Sort::Request, Some(params)) => mirror::check(&head.headers, &message, arguments, params),
        _ => Ok(()),
    };
    if let Err(mirror::Mismatch(what)) = checked {
        return refuse(&visit, 400, "header", Fault::headers(what), message.id.as_deref()).await;
    }
    let session = Arc::new(visit.begin()?);
    Job::new(visit, session, body, Some(message), lease).answer().await
}

/// Records that a message goes nowhere, and says why in the words of the protocol.
async fn refuse(
    visit: &Visit,
    status: u16,
    reason: &'static str,
    fault: Fault,
    id: Option<&[u8]>,
) -> Result<Response<Answer>, Refused> {
    let record = Record {
        traceparent: visit.trace.clone(),
        actor: visit.actor(),
        route: Some(Route { upstream: Word::new(&visit.name), name: ROUTE, model: None }),
        decision: Some(Decision::Refuse),
        reason: Some(reason),
        status: Some(status),
        policy_version: Some(visit.policy.version.clone()),
        ..Record::new(Kind::ToolRequest)
    };
    visit.core.reserve().await?.put(&record, SystemTime::now());
    Ok(say(status, fault.answer(id)))
}

/// The body, whole and decoded. Virtual keys that stand in it are revoked.
async fn read_body(
    visit: &Visit,
    head: &Parts,
    body: Incoming,
    lease: &mut Lease,
) -> Result<Vec<u8>, Refused> {
    let media = headers::single(&head.headers, &CONTENT_TYPE)?.and_then(media_type);
    if media.as_deref() != Some("application/json") {
        let message = "the body must be application/json in UTF-8: one message";
        return Err(Refused::new(415, Why::Unsupported, message).closing());
    }
    let config = &visit.policy.config;
    let bytes_max = config.limits.body_bytes.min(MESSAGE_BYTES_MAX);
    let bounds = Bounds { bytes_max, idle: config.timeouts.body_idle };
    let coding = content_coding(&head.headers)?;
    let body = body::read(body, bounds, lease).await?;
    let body = decode(coding, body, bytes_max, lease)?;
    let mut exposed = Vec::new();
    let read = exposed::revoke(&visit.core.keys, &body, SystemTime::now(), &mut exposed);
    exposed::stop(&visit.core, &exposed);
    let base = Record {
        traceparent: visit.trace.clone(),
        actor: visit.actor(),
        route: Some(Route { upstream: Word::new(&visit.name), name: ROUTE, model: None }),
        ..Record::new(Kind::KeyExposed)
    };
    exposed::record(&visit.core, exposed, &base).await?;
    read?;
    Ok(body)
}

/// Whether the client takes every form that an answer may have.
fn check_accept(headers: &HeaderMap, forms: &[&str]) -> Result<(), Refused> {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accepted: Vec<String> = values
        .iter()
        .flat_map(|value| value.split(','))
        .filter_map(|form| form.split(';').next())
        .map(|form| form.trim().to_ascii_lowercase())
        .collect();
    let takes = |form: &&str| {
        let family = format!("{}/*", form.split('/').next().unwrap_or_default());
        accepted.iter().any(|accepted| accepted == form || accepted == "*/*" || *accepted == family)
    };
    if forms.iter().all(takes) {
        return Ok(());
    }
    Err(Refused::new(406, Why::Unsupported, format!("accept: name {}", forms.join(" and "))))
}

/// Opens the stream of what the server tells by itself. Of older revisions alone.
async fn listen(visit: Visit, head: &Parts) -> Result<Response<Answer>, Refused> {
    check_accept(&head.headers, &["text/event-stream"])?;
    let Some(legacy) = visit.known(&head.headers)? else {
        let message = "streams are of sessions: begin one with `initialize`. Revision 2026-07-28 has none";
        return Err(Refused::new(405, Why::Route, message));
    };
    let revision = headers::single(&head.headers, &mirror::REVISION)?.cloned();
    let session = Arc::clone(&legacy.session);
    let lease = visit.core.memory.lease();
    let mut job = Job::new(visit, session, Vec::new(), None, lease);
    job.revision = revision.filter(|value| value.to_str().is_ok_and(|text| REVISIONS.contains(&text)));
    job.legacy = Some((legacy, false));
    job.listen().await
}

/// Ends a session, here and at the server.
async fn leave(visit: Visit, head: &Parts) -> Result<Response<Answer>, Refused> {
    let Some(legacy) = visit.known(&head.headers)? else {
        return Err(Refused::new(405, Why::Route, "a session is ended by its mcp-session-id"));
    };
    visit.core.mcp.forget(&legacy.id);
    let session = Arc::clone(&legacy.session);
    let ended = tokio::task::spawn_blocking(move || session.close());
    if ended.await.is_err() {
        visit.core.metrics.panic();
    }
    let lease = visit.core.memory.lease();
    let session = Arc::clone(&legacy.session);
    let mut job = Job::new(visit, session, Vec::new(), None, lease);
    job.legacy = Some((legacy, false));
    job.leave().await;
    Ok(say(200, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn pages_of_this_machine_may_speak_and_no_others() {
        for (origins, passes) in [
            (&[][..], true),
            (&["http://localhost:6274"], true),
            (&["http://127.0.0.1"], true),
            (&["http://[::1]:80"], true),
            (&["null"], false),
            (&["https://example.com"], false),
            (&["http://localhost.example.com"], false),
            (&["http://127.0.0.1.example.com:80"], false),
            (&["http://localhost", "https://example.com"], false),
        ] {
            assert_eq!(check_origin(&map(ORIGIN, origins)).is_ok(), passes, "{origins:?}");
        }
    }

    #[test]
    fn a_client_takes_both_forms_of_answers() {
        for (accepted, passes) in [
            (&["application/json, text/event-stream"][..], true),
            (&["text/event-stream;q=0.5", "Application/JSON"], true),
            (&["*/*"], true),
            (&["application/json, text/*"], true),
            (&["application/json"], false),
            (&[], false),
        ] {
            let checked = check_accept(&map(ACCEPT, accepted), &["application/json", "text/event-stream"]);
            assert_eq!(checked.is_ok(), passes, "{accepted:?}");
        }
    }
}
