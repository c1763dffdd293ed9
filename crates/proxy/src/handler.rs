//! A request from its head to its answer, in five steps. Each may only refuse or go on.

use crate::answer::{Answer, leased};
use crate::body::{self, Bounds};
use crate::core::Core;
use crate::decode::{Coding, decode};
use crate::events::EventBody;
use crate::exchange::{Ending, Exchange, NO_ROUTE, Noted, random_id};
use crate::exposed;
use crate::guard::{Guarded, work};
use crate::headers::{self, ANTHROPIC_VERSION, REQUEST_ID, X_API_KEY};
use crate::memory::Lease;
use crate::open::{Stop, Ticket};
use crate::policy::{Grant, Target};
use crate::reader::Reader;
use crate::refused::{Refused, Why};
use crate::socket::FaultCell;
use crate::upstream::Outgoing;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use obelus_audit::{Actor, Coverage, Outcome, Word};
use obelus_vault::{Holder, KeyFault, Scope};
use obelus_wire::{Provider, Redacted, Route};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// The session of a key where no header names one.
const SESSION_DEFAULT: &str = "default";
/// Bytes of the name of a session.
const SESSION_BYTES_MAX: usize = 128;

/// Answers a request, or the fault of one whose head could not be read.
pub(crate) async fn handle(
    core: Arc<Core>,
    request: Request<Incoming>,
    fault: FaultCell,
) -> Response<Answer> {
    let provider = guessed_provider(&request);
    let refuse = |refused: Refused, request_id: &str| {
        core.metrics.refusal(refused.why);
        let response = refused.answer(provider, request_id);
        core.metrics.request(NO_ROUTE, response.status().as_u16());
        named(response, request_id)
    };
    let request_id = match random_id() {
        Ok(request_id) => request_id,
        Err(refused) => return refuse(refused, ""),
    };
    let mut exchange = match Exchange::new(&core, provider, request_id.clone()).await {
        Ok(exchange) => exchange,
        Err(refused) => return refuse(refused, request_id.as_str()),
    };
    let result = Guarded(Box::pin(steps(&mut exchange, request, &fault))).await.unwrap_or_else(|panicked| {
        core.metrics.panic();
        Err(panicked.into())
    });
    let response = match result {
        Ok(response) => response,
        Err(refused) => {
            exchange.refuse(&refused);
            refused.answer(exchange.provider, exchange.request_id.as_str())
        }
    };
    core.metrics.request(exchange.route_name(), response.status().as_u16());
    named(response, exchange.request_id.as_str())
}

/// An answer with the id of its request, if it has one.
pub(crate) fn named(mut response: Response<Answer>, request_id: &str) -> Response<Answer> {
    if let Ok(request_id) = HeaderValue::from_str(request_id)
        && !request_id.is_empty()
    {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
}

async fn steps(
    exchange: &mut Exchange,
    request: Request<Incoming>,
    fault: &FaultCell,
) -> Result<Response<Answer>, Refused> {
    let (head, body) = request.into_parts();
    if let Some(fault) = fault.get().filter(|_| head.uri.path() == "*") {
        return Err(Refused::new(fault.status(), Why::Malformed, fault.to_string()).closing());
    }
    exchange.trace = headers::trace(&head.headers, &exchange.policy.reader);
    let (holder, mut ticket, actor) = authenticate(&exchange.core, &head.headers)?;
    exchange.actor = actor;
    let permit = authorise(exchange, &head, &holder)?;
    let opened = open(exchange, &head, body, &permit, &mut ticket).await?;
    let forwarded = forward(exchange, opened, &permit, ticket).await?;
    finish(exchange, forwarded, &permit).await
}

/// Who asks. The store is asked each time, so that a key that was revoked is refused at once.
pub(crate) fn authenticate(
    core: &Core,
    headers: &HeaderMap,
) -> Result<(Holder, Ticket, Option<Actor>), Refused> {
    let presented = presented_key(headers)?;
    let sweeps = core.open.sweeps();
    let holder = core.keys.check(presented, SystemTime::now()).map_err(|fault| key_refused(&fault))?;
    let ticket = core.open.add(holder.id);
    if core.open.sweeps() != sweeps {
        // A sweep over revoked keys began meanwhile and may not have seen this request.
        core.keys.recheck(&holder.id, SystemTime::now()).map_err(|fault| key_refused(&fault))?;
    }
    let actor = Word::new(holder.id.as_str())
        .zip(Word::new(&holder.workflow))
        .map(|(key, workflow)| Actor { key, workflow });
    Ok((holder, ticket, actor))
}

/// What a request may do, and where it goes.
struct Permit {
    route: Route,
    grant: Arc<Grant>,
    target: Target,
    scope: Scope,
    /// The path and the query that passes.
    path: String,
    drops_query: bool,
}

/// Whether that key may use that route, now.
fn authorise(exchange: &mut Exchange, head: &Parts, holder: &Holder) -> Result<Permit, Refused> {
    let path = head.uri.path();
    let route = Route::of(head.method.as_str(), path).ok_or_else(no_route)?;
    exchange.provider = route.provider(head.headers.contains_key(ANTHROPIC_VERSION));
    exchange.route = Some(obelus_audit::Route { upstream: None, name: route.as_str(), model: None });
    if head.headers.contains_key(UPGRADE) {
        let message =
            "the connection cannot be upgraded: leave the header out, or use HTTP instead of WebSocket";
        return Err(Refused::new(400, Why::Unsupported, message).closing());
    }
    let grant = exchange.policy.grant(&holder.workflow).ok_or_else(|| {
        Refused::new(403, Why::Forbidden, "the workflow of this virtual key is no longer configured")
    })?;
    let target = grant.target(exchange.provider).filter(|_| grant.workflow.routes.contains(&route));
    let target = target.ok_or_else(|| {
        Refused::new(403, Why::Forbidden, "the workflow of this virtual key does not allow this route")
    })?;
    if let Some(record) = &mut exchange.route {
        record.upstream = Some(target.name.clone());
    }
    if let Some(model) = path.strip_prefix("/v1/models/") {
        let model = allowed_model(model, grant, &exchange.policy.reader)?;
        if let Some(record) = &mut exchange.route {
            record.model = Some(model);
        }
    }
    exchange.core.rate.take(holder.id, &grant.workflow, SystemTime::now())?;
    let session = session(&grant.workflow, &head.headers)?;
    let (query, drops_query) =
        headers::query(route, head.uri.query().unwrap_or_default(), &exchange.policy.reader)?;
    Ok(Permit {
        route,
        grant: Arc::clone(grant),
        target: target.clone(),
        scope: exchange.core.vault.scope(&holder.tenant, session),
        path: format!("{path}{query}"),
        drops_query,
    })
}

/// A request that may leave, and the duty to record what came of it.
struct Opened {
    outgoing: Outgoing,
    ending: Ending,
    /// Held until the answer has come: the upstream may still be reading the body.
    lease: Lease,
}

/// Reads the body whole, judges it, redacts it, and records the decision.
async fn open(
    exchange: &mut Exchange,
    head: &Parts,
    body: Incoming,
    permit: &Permit,
    ticket: &mut Ticket,
) -> Result<Opened, Refused> {
    let mut forwarded = headers::forwarded(&head.headers, &exchange.policy.reader)?;
    let mut lease = exchange.core.memory.lease();
    let mut coverage = Coverage::default();
    if permit.drops_query {
        coverage.unread.push("query");
    }
    let (body, counts, keys) = if permit.route.has_body() {
        let coding = coding(&head.headers)?;
        let limits = exchange.policy.config.limits;
        let bounds = Bounds { bytes_max: limits.body_bytes, idle: exchange.policy.config.timeouts.body_idle };
        let body = body::read(body, bounds, &mut lease).await?;
        let (exposed, redacted) = redact(exchange, body, coding, permit, lease).await;
        exposed.recorded().await?;
        let (redacted, model, read) = redacted?;
        lease = read.lease;
        if let Some(route) = &mut exchange.route {
            route.model = model;
        }
        coverage.scanned_bytes = read.bytes as u64;
        coverage.unread.extend(redacted.unread);
        forwarded.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        (Bytes::from(redacted.body), redacted.counts, redacted.keys)
    } else {
        refuse_body(&head.headers)?;
        (Bytes::new(), Vec::new(), Vec::new())
    };
    // The key may have been revoked while the body was read.
    ticket.check().map_err(stopped)?;
    let ending = exchange.allow((&counts, &keys), coverage, permit.grant.restores_arguments).await?;
    let outgoing =
        Outgoing { method: head.method.clone(), path: permit.path.clone(), headers: forwarded, body };
    Ok(Opened { outgoing, ending, lease })
}

/// What was read of a body.
struct Read {
    bytes: usize,
    lease: Lease,
}

/// A body that may leave, the model that it asks for, and what was read.
type Readied = (Redacted, Option<Word>, Read);

/// Decodes, inspects and redacts a body; if it is long or the store must be asked, on another thread. Virtual keys that
/// stood there are revoked and noted, whatever comes of the body and whether or not anybody waits.
async fn redact(
    exchange: &Exchange,
    body: Vec<u8>,
    coding: Coding,
    permit: &Permit,
    mut lease: Lease,
) -> (Noted, Result<Readied, Refused>) {
    let exposures = exchange.exposures();
    let (grant, scope, route) = (Arc::clone(&permit.grant), permit.scope.clone(), permit.route);
    let keys = exchange.core.keys.clone();
    let (policy, bytes_max) = (Arc::clone(&exchange.policy), exchange.policy.config.limits.body_bytes);
    // What is compressed may become long.
    let is_long = coding != Coding::Identity || exposed::may_hold(&body);
    let bytes = if is_long { usize::MAX } else { body.len() };
    let redacted = work(bytes, move || {
        #[cfg(test)]
        crate::tests::trip(&body);
        let mut noted = Noted::default();
        let readied = (|| {
            let body = decode(coding, body, bytes_max, &mut lease)?;
            let mut exposed = Vec::new();
            let revoked = exposed::revoke(&keys, &body, SystemTime::now(), &mut exposed);
            noted = exposures.note(exposed);
            revoked?;
            let admitted = grant.wire.admit(route, &body)?;
            let model = match admitted.facts().model.as_deref() {
                Some(model) => Some(allowed_model(model, &grant, &policy.reader)?),
                None => {
                    check_no_model(&grant)?;
                    None
                }
            };
            if !lease.grow(body.len()) {
                return Err(body::no_memory());
            }
            let redacted = admitted.redact(&scope)?;
            if !lease.grow(redacted.body.len().saturating_sub(body.len())) {
                return Err(body::no_memory());
            }
            Ok((redacted, model, Read { bytes: body.len(), lease }))
        })();
        (noted, readied)
    });
    redacted.await.unwrap_or_else(|panicked| {
        exchange.core.metrics.panic();
        (Noted::default(), Err(panicked.into()))
    })
}

/// An answer whose head has come.
struct Forwarded {
    response: Response<Incoming>,
    ending: Ending,
    ticket: Ticket,
    lease: Lease,
}

/// Sends the request to the upstream of its workflow, unless the key is revoked meanwhile.
async fn forward(
    exchange: &Exchange,
    opened: Opened,
    permit: &Permit,
    mut ticket: Ticket,
) -> Result<Forwarded, Refused> {
    let Opened { outgoing, mut ending, lease } = opened;
    let sent = tokio::select! {
        biased;
        stop = &mut ticket => Err(stopped(stop)),
        sent = permit.target.client.send(&permit.target, outgoing) => sent,
    };
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            exchange.core.metrics.upstream(permit.target.name.as_str(), status);
            ending.answered(status, upstream_request_id(response.headers(), &exchange.policy.reader));
            Ok(Forwarded { response, ending, ticket, lease })
        }
        Err(refused) => Err(failed(ending, refused)),
    }
}

/// Has the answer read by the engine on its way to the client.
async fn finish(
    exchange: &Exchange,
    forwarded: Forwarded,
    permit: &Permit,
) -> Result<Response<Answer>, Refused> {
    let Forwarded { response, ending, ticket, lease } = forwarded;
    let (head, body) = response.into_parts();
    let kind = match answer_kind(head.status, &head.headers) {
        Ok(kind) => kind,
        Err(refused) => return Err(failed(ending, refused)),
    };
    let timeouts = exchange.policy.config.timeouts;
    let mut answer = match kind {
        AnswerKind::Events => {
            let events = permit.grant.wire.events(permit.route, permit.scope.clone());
            let body = EventBody::new(body, events, timeouts.stream_idle, ticket, ending);
            let mut answer = Response::new(Answer::Events(Box::new(body)));
            answer
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
            answer
        }
        AnswerKind::Json => {
            let bytes_max = exchange.policy.config.limits.answer_bytes;
            let bounds = Bounds { bytes_max, idle: timeouts.stream_idle };
            let (body, lease) = whole_answer(exchange, body, bounds, permit, ending, (ticket, lease)).await?;
            let mut answer = leased(body, lease);
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
    };
    *answer.status_mut() = head.status;
    answer.headers_mut().extend(headers::answered(&head.headers, &exchange.policy.reader));
    Ok(answer)
}

/// Reads an answer whole and has the engine read it.
async fn whole_answer(
    exchange: &Exchange,
    body: Incoming,
    bounds: Bounds,
    permit: &Permit,
    mut ending: Ending,
    (mut ticket, mut lease): (Ticket, Lease),
) -> Result<(Vec<u8>, Lease), Refused> {
    let read = tokio::select! {
        biased;
        stop = &mut ticket => Err(stopped(stop)),
        read = body::read(body, bounds, &mut lease) => read.map_err(of_upstream),
    };
    let body = match read {
        Ok(body) => body,
        Err(refused) => return Err(failed(ending, refused)),
    };
    let came = Instant::now();
    let bytes = body.len();
    let answer = permit.grant.wire.answer(permit.route, permit.scope.clone());
    // What comes out may be longer than what came.
    if !lease.grow(bytes) {
        return Err(failed(ending, body::no_memory()));
    }
    let result = work(bytes, move || answer.finish(&body)).await;
    let redacted = match result {
        Ok(Ok(redacted)) => redacted,
        Ok(Err(refusal)) => return Err(failed(ending, refusal.into())),
        Err(panicked) => {
            exchange.core.metrics.panic();
            return Err(failed(ending, panicked.into()));
        }
    };
    if !lease.grow(redacted.body.len().saturating_sub(bytes)) {
        return Err(failed(ending, body::no_memory()));
    }
    ending.first_byte(came.elapsed());
    ending.counted(&redacted.counts, &redacted.keys);
    ending.covered(Coverage { scanned_bytes: bytes as u64, unread: redacted.unread });
    ending.end(Outcome::Completed, None);
    Ok((redacted.body, lease))
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AnswerKind {
    Json,
    Events,
}

/// What cannot be read does not pass.
fn answer_kind(status: StatusCode, headers: &HeaderMap) -> Result<AnswerKind, Refused> {
    let refuse = |message: &'static str| Err(Refused::new(502, Why::Upstream, message));
    if status.is_informational() {
        return refuse("the upstream wants to go on in another protocol, which cannot be read");
    }
    if status.is_redirection() {
        return refuse("the upstream redirects, which is not followed: check its url");
    }
    if status == StatusCode::UNAUTHORIZED {
        // It would tell the client that its own key is wrong, and may quote the end of the provider's.
        return refuse(
            "the provider does not accept the sidecar's key: whoever runs the sidecar must set another",
        );
    }
    let is_coded = headers.get_all(CONTENT_ENCODING).iter().any(|value| value != "identity");
    if is_coded {
        return refuse("the upstream's answer is compressed, although that was not asked for");
    }
    let media = headers::single(headers, &CONTENT_TYPE).ok().flatten().and_then(media_type);
    match media.as_deref() {
        Some("application/json") => Ok(AnswerKind::Json),
        Some("text/event-stream") => Ok(AnswerKind::Events),
        _ => refuse("the upstream's answer is neither JSON nor events, so it cannot be read"),
    }
}

/// The media type in small letters, if its charset is UTF-8 or none and it has no other parameter of that kind.
pub(crate) fn media_type(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next()?.to_owned();
    let is_utf8 = |part: &str| match part.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => false,
    };
    parts.all(|part| part.is_empty() || is_utf8(part)).then_some(media)
}

/// The coding of a JSON body.
fn coding(headers: &HeaderMap) -> Result<Coding, Refused> {
    let unsupported = |message: &'static str| Refused::new(415, Why::Unsupported, message).closing();
    let media = headers::single(headers, &CONTENT_TYPE)?.and_then(media_type);
    if media.as_deref() != Some("application/json") {
        return Err(unsupported("the body must be application/json in UTF-8"));
    }
    content_coding(headers)
}

/// How a body is coded.
pub(crate) fn content_coding(headers: &HeaderMap) -> Result<Coding, Refused> {
    let Some(value) = headers::single(headers, &CONTENT_ENCODING)? else { return Ok(Coding::Identity) };
    Coding::parse(value.as_bytes()).ok_or_else(|| {
        let message = "the content-encoding must be one of gzip, br, zstd, deflate, identity";
        Refused::new(415, Why::Unsupported, message).closing()
    })
}

/// A request of a route without a body has none.
fn refuse_body(headers: &HeaderMap) -> Result<(), Refused> {
    let length = headers::single(headers, &hyper::header::CONTENT_LENGTH)?;
    let is_chunked = headers.contains_key(hyper::header::TRANSFER_ENCODING);
    if is_chunked || length.is_some_and(|length| length != "0") {
        return Err(Refused::new(400, Why::Malformed, "this route takes no body").closing());
    }
    Ok(())
}

/// The key that the client presents, in either of both places.
fn presented_key(headers: &HeaderMap) -> Result<&[u8], Refused> {
    let refuse = |message: &'static str| Err(Refused::new(401, Why::Unauthenticated, message));
    let bearer = match headers::single(headers, &AUTHORIZATION)? {
        None => None,
        Some(value) => match value.as_bytes().split_at_checked("Bearer ".len()) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => Some(key.trim_ascii()),
            _ => return refuse("the authorization is not `Bearer` with a virtual key"),
        },
    };
    let header = headers::single(headers, &X_API_KEY)?.map(HeaderValue::as_bytes);
    match (bearer, header) {
        (Some(bearer), Some(header)) if bearer != header => {
            refuse("authorization and x-api-key hold different keys: send one")
        }
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => refuse("no virtual key: send one as `Authorization: Bearer` or `x-api-key`"),
    }
}

/// A client learns no more than whether its key has the form.
pub(crate) fn key_refused(fault: &KeyFault) -> Refused {
    match fault {
        KeyFault::Form | KeyFault::Checksum => Refused::new(401, Why::Unauthenticated, fault.to_string()),
        KeyFault::Store(error) => {
            tracing::error!(%error, "store of virtual keys");
            Refused::new(503, Why::Vault, "virtual keys cannot be looked up: try again").retry_after(1)
        }
        _ => Refused::new(401, Why::Unauthenticated, "the virtual key is not accepted: ask for another"),
    }
}

/// The session that the header of the workflow names.
pub(crate) fn session<'a>(
    workflow: &crate::config::Workflow,
    headers: &'a HeaderMap,
) -> Result<&'a str, Refused> {
    let Some(name) = &workflow.session_header else { return Ok(SESSION_DEFAULT) };
    let Some(value) = headers::single(headers, name)? else { return Ok(SESSION_DEFAULT) };
    let text = value.to_str().ok().filter(|text| (1..=SESSION_BYTES_MAX).contains(&text.len()));
    text.ok_or_else(|| {
        let message = format!("{name} must be 1 to {SESSION_BYTES_MAX} printable characters");
        Refused::new(400, Why::Malformed, message)
    })
}

/// The model, if the workflow allows it and it is a name and nothing else.
fn allowed_model(model: &str, grant: &Grant, reader: &Reader) -> Result<Word, Refused> {
    let is_clean = matches!(reader.read(model.as_bytes()), Ok(None));
    let word = Word::new(model).filter(|_| is_clean);
    let word = word.ok_or_else(|| Refused::new(400, Why::Malformed, "`model` is no name of a model"))?;
    if grant.workflow.allows_model(model) {
        Ok(word)
    } else {
        Err(Refused::new(403, Why::Forbidden, "the workflow of this virtual key does not allow this model"))
    }
}

/// Whether a request may leave the model to what the provider has stored, of which nobody here knows it.
fn check_no_model(grant: &Grant) -> Result<(), Refused> {
    if grant.workflow.allows_model("") {
        return Ok(());
    }
    let message = "the workflow of this virtual key allows certain models only: name one in `model`";
    Err(Refused::new(403, Why::Forbidden, message))
}

/// Before the route is known: by what only clients of Anthropic send.
fn guessed_provider(request: &Request<Incoming>) -> Provider {
    let is_anthropic =
        request.uri().path().starts_with("/v1/messages") || request.headers().contains_key(ANTHROPIC_VERSION);
    if is_anthropic { Provider::Anthropic } else { Provider::OpenAi }
}

pub(crate) fn upstream_request_id(headers: &HeaderMap, reader: &crate::reader::Reader) -> Option<Word> {
    let value = headers.get("request-id").or_else(|| headers.get("x-request-id"))?;
    let value = Some(value).filter(|value| headers::is_clean(reader, value))?;
    Word::new(value.to_str().ok()?)
}

fn no_route() -> Refused {
    let known = "chat/completions, responses, embeddings, models, messages, messages/count_tokens under /v1/";
    Refused::new(404, Why::Route, format!("no route that is understood; those are: {known}"))
}

pub(crate) fn stopped(stop: Stop) -> Refused {
    match stop {
        Stop::Revoked => Refused::new(401, Why::Revoked, "the virtual key was revoked"),
        Stop::Draining => Refused::new(503, Why::Busy, "the sidecar ends: try again"),
    }
}

/// An allowed request has failed: its record says so.
fn failed(ending: Ending, refused: Refused) -> Refused {
    let outcome = if refused.why == Why::Revoked { Outcome::Cancelled } else { Outcome::Failed };
    ending.refused(outcome, &refused);
    refused
}

/// What a body refuses, said of the upstream's.
pub(crate) fn of_upstream(refused: Refused) -> Refused {
    match refused.why {
        Why::Busy => refused,
        Why::Timeout => Refused::new(504, Why::Timeout, "the upstream's answer came too slowly"),
        Why::Limit => {
            Refused::new(502, Why::Limit, "the upstream's answer is longer than limits.answer_bytes")
        }
        _ => Refused::new(502, Why::Upstream, "the upstream broke the answer off"),
    }
}
