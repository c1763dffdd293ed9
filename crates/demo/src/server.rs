//! Connections and routes.

use crate::answer::{Answer, quote};
use crate::failure::{Failure, Form};
use crate::json::{Json, object};
use crate::messages::request_id;
use crate::pace::{Frames, Pace};
use crate::provider::State;
use crate::record::Recorded;
use crate::request::{Format, Request as Asked};
use crate::script::Script;
use crate::{chat, messages, other, responses};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time;

/// How many connections are open at once; others wait.
const CONNECTIONS_MAX: usize = 4096;
/// How large a body may be: one MiB more than the largest that real providers take.
const BODY_BYTES_MAX: usize = 33 << 20;

type Body = Either<Full<Bytes>, Frames>;

/// Answers until it is told to stop.
pub(crate) async fn run(
    listener: TcpListener,
    admin: Option<TcpListener>,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let admin = async {
        match admin {
            Some(admin) => accept(admin, &state, &places, true).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = stopped => {}
        () = accept(listener, &state, &places, false) => {}
        () = admin => {}
    }
}

async fn accept(listener: TcpListener, state: &Arc<State>, places: &Arc<Semaphore>, is_admin: bool) {
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = Arc::clone(state);
                tokio::spawn(async move {
                    connection(stream, state, is_admin).await;
                    drop(place);
                });
            }
            // Too many open files, or the peer was gone already: the next may do better.
            Err(_) => time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>, is_admin: bool) {
    // Each event is to leave at once. Where that cannot be set, events only come later.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: Request<Incoming>| {
        let state = Arc::clone(&state);
        async move {
            let answer = if is_admin { administer(&request, &state) } else { provide(request, state).await };
            Ok::<Response<Body>, Infallible>(answer)
        }
    });
    // A connection that breaks is the client's affair, or the script's.
    drop(
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await,
    );
}

/// What tests ask beside the provider's own routes.
fn administer(request: &Request<Incoming>, state: &State) -> Response<Body> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::GET, "/seen") => state.record.json(),
        (&Method::POST, "/forget") => {
            state.forget();
            object! { "forgotten": true }
        }
        (&Method::POST, "/release") => {
            state.release.add_permits(1);
            object! { "released": true }
        }
        _ => return json(404, &object! { "error": "GET /seen, POST /forget or POST /release" }),
    };
    json(200, &body)
}

async fn provide(request: Request<Incoming>, state: Arc<State>) -> Response<Body> {
    let number = state.count.fetch_add(1, Ordering::Relaxed);
    let form = form(request.headers(), request.uri().path());
    let (parts, body) = request.into_parts();
    let mut answer = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            state.record.add(|| recorded(&parts, &body));
            route(form, &parts, &body, &state, number)
        }
        Err(_) => Err(Failure::new(413, "The request is larger than 33 MiB, or broke off.")),
    }
    .unwrap_or_else(|failure| json(failure.status, &failure.body(form, &request_id(number))));
    let name = match form {
        Form::OpenAi => HeaderName::from_static("x-request-id"),
        Form::Anthropic => HeaderName::from_static("request-id"),
    };
    if let Ok(id) = HeaderValue::from_str(&request_id(number)) {
        answer.headers_mut().insert(name, id);
    }
    answer
}

/// Anthropic's clients state the version of its API; its path is its own.
fn form(headers: &header::HeaderMap, path: &str) -> Form {
    let is_anthropic = headers.contains_key("anthropic-version") || path.starts_with("/v1/messages");
    if is_anthropic { Form::Anthropic } else { Form::OpenAi }
}

fn recorded(parts: &Parts, body: &Bytes) -> Recorded {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
    };
    Recorded {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.to_string(),
        headers: parts.headers.iter().map(header).collect(),
        body: body.to_vec(),
    }
}

fn route(
    form: Form,
    parts: &Parts,
    body: &Bytes,
    state: &State,
    number: u64,
) -> Result<Response<Body>, Failure> {
    if !is_authorised(parts, state) {
        return Err(Failure::new(401, "Incorrect API key provided."));
    }
    let path = parts.uri.path();
    if parts.method == Method::GET {
        let id = match path.strip_prefix("/v1/models") {
            Some("") => None,
            Some(rest) if rest.len() > 1 && rest.starts_with('/') => rest.strip_prefix('/'),
            _ => return Err(unknown(parts)),
        };
        return other::models(form, id).map(|body| json(200, &body));
    }
    let format = match path {
        "/v1/chat/completions" => Some(Format::Chat),
        "/v1/responses" => Some(Format::Responses),
        "/v1/messages" => Some(Format::Messages),
        "/v1/embeddings" | "/v1/messages/count_tokens" => None,
        _ => return Err(unknown(parts)),
    };
    if parts.method != Method::POST {
        return Err(unknown(parts));
    }
    if form == Form::Anthropic && !parts.headers.contains_key("anthropic-version") {
        return Err(Failure::new(400, "anthropic-version: header is required"));
    }
    if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Failure::new(415, "Content-Encoding: only identity is understood."));
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|_quotes_the_body| Failure::new(400, "We could not parse the JSON body of your request."))?;
    match format {
        Some(format) => model(format, &body, state, number),
        None if path == "/v1/embeddings" => other::embeddings(&body).map(|body| json(200, &body)),
        None => other::count_tokens(&body).map(|body| json(200, &body)),
    }
}

fn unknown(parts: &Parts) -> Failure {
    Failure::new(404, format!("Unknown request URL: {} {}.", parts.method, parts.uri.path()))
}

fn is_authorised(parts: &Parts, state: &State) -> bool {
    let Some(key) = &state.key else {
        return true;
    };
    let value = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = value(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    bearer == Some(key) || value(HeaderName::from_static("x-api-key")) == Some(key)
}

/// Asks the model, so to say.
fn model(format: Format, body: &Value, state: &State, number: u64) -> Result<Response<Body>, Failure> {
    let asked = Asked::new(format, body, number)?;
    let mut script = Script::new(&asked.text);
    if let Some(status) = script.error {
        return Err(Failure::new(status, format!("The model did not answer to: {}", quote(&script.text))));
    }
    let answer = Answer::new(format, &asked, &mut script, state.delta_chars);
    if !asked.is_set("stream") {
        let body = match format {
            Format::Chat => chat::whole(&asked, &answer),
            Format::Responses => responses::whole(&asked, &answer),
            Format::Messages => messages::whole(&asked, &answer),
        };
        return Ok(json(200, &body));
    }
    let events = match format {
        Format::Chat => chat::streamed(&asked, &answer),
        Format::Responses => responses::streamed(&asked, &answer),
        Format::Messages => messages::streamed(&asked, &answer),
    };
    let (to, body) = Frames::new();
    tokio::spawn(Pace::new(&script, Arc::clone(&state.release)).play(events, to));
    let mut response = Response::new(Either::Right(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn json(status: u16, body: &Json) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(body.text())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
