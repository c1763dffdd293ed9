//! One request from its message to its answer, in a task of its own: a client that goes away does not keep anybody from
//! learning what came of a call.

mod pump;

use super::sessions::Legacy;
use super::stream::Out;
use super::{LAST_EVENT_ID, SESSION_ID, Visit, mirror};
use crate::answer::Answer;
use crate::body::{self, Bounds};
use crate::guard::work;
use crate::handler::{media_type, of_upstream, stopped};
use crate::headers;
use crate::memory::Lease;
use crate::refused::{Refused, Why};
use crate::upstream::{Outgoing, Unanswered};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap,
    HeaderValue,
};
use hyper::{Method, Response, StatusCode};
use obelus_audit::Word;
use obelus_mcp::{Fault, Head, Held, MESSAGE_BYTES_MAX, REVISIONS, Session, Sort, Step};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

/// How often a client is told that somebody is there, where nothing else is to be told.
const COMMENT_TIME: Duration = Duration::from_secs(10);
/// How long a server may take to end a session.
const LEAVE_TIME: Duration = Duration::from_secs(5);
/// Bytes of the server's id of a session.
const SESSION_BYTES_MAX: usize = 1024;

/// What the client reads where nothing came of a request.
const UNSENT: &str = "the server of tools cannot be reached, and nothing was sent: try again";
const UNANSWERED: &str = "the request was sent, and no answer to it came. Nobody knows what came of it: look it up before it is repeated";

/// One request, and everything that it needs.
pub(super) struct Job {
    visit: Visit,
    session: Arc<Session>,
    body: Vec<u8>,
    /// What the message says of itself; nothing if it is none.
    head: Option<Head>,
    lease: Lease,
    /// The revision of an older client, as its header says it.
    pub(super) revision: Option<HeaderValue>,
    /// The session of an older client, and whether the request begins it.
    pub(super) legacy: Option<(Arc<Legacy>, bool)>,
}

impl Job {
    pub(super) fn new(
        visit: Visit,
        session: Arc<Session>,
        body: Vec<u8>,
        head: Option<Head>,
        lease: Lease,
    ) -> Job {
        Job { visit, session, body, head, lease, revision: None, legacy: None }
    }

    /// Takes a message of the client to wherever it goes, and gives the answer once there is one or its first event.
    pub(super) async fn answer(self) -> Result<Response<Answer>, Refused> {
        let (out, answered) = Out::new();
        tokio::spawn(self.run(out));
        answered.await.or(Err(fault_of_ours()))
    }

    /// Gives the stream of what the server tells by itself.
    pub(super) async fn listen(self) -> Result<Response<Answer>, Refused> {
        let (out, answered) = Out::new();
        tokio::spawn(self.run_listening(out));
        answered.await.or(Err(fault_of_ours()))
    }

    /// Ends the session at the server. It may not know of that.
    pub(super) async fn leave(&self) {
        if self.legacy.as_ref().and_then(|(legacy, _)| legacy.upstream()).is_none() {
            return;
        }
        if let Ok(headers) = self.headers(None) {
            drop(timeout(LEAVE_TIME, self.request(Method::DELETE, headers, Vec::new())).await);
        }
    }

    fn patience(&self) -> Duration {
        self.visit.policy.config.timeouts.stream_idle
    }

    fn is(&self, method: &str) -> bool {
        self.head.as_ref().and_then(|head| head.method.as_deref()) == Some(method)
    }

    async fn run(mut self, mut out: Out) {
        let (session, raw) = (Arc::clone(&self.session), std::mem::take(&mut self.body));
        let trace = self.visit.trace.clone();
        let mut step =
            self.step(move || session.from_client_of(&raw, trace.as_ref().map(Word::as_str))).await;
        loop {
            match step {
                Step::Answer(message) => {
                    let status = self.status_of(&message);
                    return self.finish(&mut out, status, message, HeaderMap::new()).await;
                }
                Step::Drop => {
                    // What the client gives up needs no server where it was held here.
                    let is_fine = self.is("notifications/cancelled");
                    let (status, message) = match is_fine {
                        true => (202, Vec::new()),
                        false => (400, Fault::refused("the message is not passed on").answer(None)),
                    };
                    return self.finish(&mut out, status, message, HeaderMap::new()).await;
                }
                Step::Heard => return self.finish(&mut out, 202, Vec::new(), HeaderMap::new()).await,
                Step::Tell(message, next) => {
                    out.begin(HeaderMap::new());
                    out.event(&message, self.patience()).await;
                    step = *next;
                }
                Step::Hold(held) => match self.hold(held, &mut out).await {
                    Some(next) => step = next,
                    None => return,
                },
                Step::Forward(sent) => return self.forward(sent, out).await,
            }
        }
    }

    /// Has the session take a step, where it may wait.
    async fn step(&self, take: impl FnOnce() -> Step + Send + 'static) -> Step {
        work(usize::MAX, take).await.unwrap_or_else(|_panicked| {
            self.visit.core.metrics.panic();
            Step::Drop
        })
    }

    /// Waits until a call that waits for people is decided, its time is over, or the client is gone.
    async fn hold(&mut self, mut held: Held, out: &mut Out) -> Option<Step> {
        let Some(stores) = self.visit.core.gate.clone() else {
            self.session.let_go(&held);
            return None;
        };
        let mut changes = stores.changes();
        let patience = self.patience();
        out.begin(HeaderMap::new());
        loop {
            tokio::select! {
                biased;
                stop = &mut self.visit.ticket => {
                    let id = self.head.as_ref().and_then(|head| head.id.clone());
                    let message = Fault::refused(&stopped(stop).message).answer(id.as_deref());
                    self.session.let_go(&held);
                    out.event(&message, patience).await;
                    return None;
                }
                () = out.gone() => {
                    self.session.let_go(&held);
                    return None;
                }
                () = changed(&mut changes, held.seen) => {}
                () = sleep_until(held.until.into()) => {}
                () = sleep(COMMENT_TIME) => {
                    out.comment(patience).await;
                    continue;
                }
            }
            let session = Arc::clone(&self.session);
            match self.step(move || session.resume(&held)).await {
                Step::Hold(again) => held = again,
                step => return Some(step),
            }
        }
    }

    /// Sends what may go on, and has the client hear what comes back.
    async fn forward(mut self, sent: Vec<u8>, mut out: Out) {
        let said = Head::read(&sent);
        let Ok(headers) = self.headers(said.as_ref()) else {
            return self.fail(&sent, false, UNSENT, &mut out).await;
        };
        let is_call = self.is("tools/call");
        let request = self.request(Method::POST, headers, sent.clone());
        let response = tokio::select! {
            biased;
            _ = &mut self.visit.ticket => Err(true),
            // What comes of a call is learnt whether or not anybody waits.
            () = out.gone(), if !is_call => Err(true),
            response = request => response.map_err(|unanswered| unanswered.has_left),
        };
        let response = match response {
            Ok(response) => response,
            Err(has_left) => {
                let text = if has_left { UNANSWERED } else { UNSENT };
                return self.fail(&sent, has_left, text, &mut out).await;
            }
        };
        let status = response.status();
        let name = self.visit.name.clone();
        self.visit.core.metrics.upstream(&name, status.as_u16());
        if self.head.as_ref().is_none_or(|head| head.sort != Sort::Request) {
            let status = if status.is_success() { 202 } else { 502 };
            return self.finish(&mut out, status, Vec::new(), HeaderMap::new()).await;
        }
        if status == StatusCode::NOT_FOUND
            && let Some((legacy, false)) = &self.legacy
            && legacy.upstream().is_some()
        {
            // The server has forgotten it: whoever asks again is told so.
            self.visit.core.mcp.forget(&legacy.id);
        }
        match kind_of(&response) {
            Some(Form::Json) => self.whole(&sent, response, out).await,
            Some(Form::Events) => {
                let more = self.begun(&response);
                out.begin(more);
                self.pump(response.into_body(), Some(&sent), out).await;
            }
            None => self.fail(&sent, true, UNANSWERED, &mut out).await,
        }
    }

    /// Reads an answer whole.
    async fn whole(mut self, sent: &[u8], response: Response<Incoming>, mut out: Out) {
        let status = match response.status().as_u16() {
            status @ (200 | 400 | 404) => status,
            _ => 502,
        };
        let more = if response.status().is_success() { self.begun(&response) } else { HeaderMap::new() };
        let config = &self.visit.policy.config;
        let bytes_max = config.limits.answer_bytes.min(MESSAGE_BYTES_MAX);
        let bounds = Bounds { bytes_max, idle: config.timeouts.stream_idle };
        let read = tokio::select! {
            biased;
            stop = &mut self.visit.ticket => Err(stopped(stop)),
            read = body::read(response.into_body(), bounds, &mut self.lease) => read.map_err(of_upstream),
        };
        let Ok(body) = read else { return self.fail(sent, true, UNANSWERED, &mut out).await };
        let session = Arc::clone(&self.session);
        match self.step(move || session.from_server(&body)).await {
            Step::Forward(message) => {
                self.heard(&message);
                self.finish(&mut out, status, message, more).await;
            }
            // It answers something else.
            _ => self.fail(sent, true, UNANSWERED, &mut out).await,
        }
    }

    /// Passes one message of the server on.
    async fn told(&self, message: Vec<u8>, out: &mut Out) {
        let session = Arc::clone(&self.session);
        match self.step(move || session.from_server(&message)).await {
            Step::Forward(message) => {
                self.heard(&message);
                out.event(&message, self.patience()).await;
            }
            Step::Answer(message) => self.answer_server(message).await,
            Step::Drop | Step::Heard | Step::Tell(..) | Step::Hold(_) => {}
        }
    }

    /// Tells the server why its request goes no further. Of revision 2026-07-28 it has none to make.
    async fn answer_server(&self, message: Vec<u8>) {
        if self.legacy.is_none() {
            return;
        }
        if let Ok(headers) = self.headers(None) {
            drop(timeout(LEAVE_TIME, self.request(Method::POST, headers, message)).await);
        }
    }

    /// Learns from what the client is told.
    fn heard(&self, message: &[u8]) {
        if let Some(reach) = &self.visit.tools.reach {
            reach.params.learn(message);
        }
    }

    /// What an answer's head says besides: the id of a session that it begins.
    fn begun(&self, response: &Response<Incoming>) -> HeaderMap {
        let mut more = HeaderMap::new();
        let Some((legacy, true)) = &self.legacy else { return more };
        let upstream = headers::single(response.headers(), &SESSION_ID).ok().flatten();
        let is_plain = |value: &&HeaderValue| {
            value.len() <= SESSION_BYTES_MAX && value.as_bytes().iter().all(|byte| byte.is_ascii_graphic())
        };
        legacy.set_upstream(upstream.filter(is_plain).cloned());
        let gone = self.visit.core.mcp.add(legacy);
        if !gone.is_empty() {
            // To end a session may wait for the gate's files.
            drop(tokio::task::spawn_blocking(move || drop(gone)));
        }
        if let Ok(id) = HeaderValue::from_str(legacy.id.as_str()) {
            more.insert(SESSION_ID, id);
        }
        more
    }

    /// Nothing more will come of a request. Whether the client is told depends on whether it was answered.
    async fn fail(mut self, sent: &[u8], has_left: bool, text: &'static str, out: &mut Out) {
        let (session, request) = (Arc::clone(&self.session), sent.to_vec());
        let failed = work(usize::MAX, move || session.fail(&request, has_left, text)).await;
        match failed {
            Ok(Some(message)) => self.finish(out, 200, message, HeaderMap::new()).await,
            Ok(None) if matches!(out, Out::Fresh(_)) => {
                self.visit.core.metrics.refusal(Why::Upstream);
                let message = Fault::refused(text).answer(None);
                self.finish(out, 502, message, HeaderMap::new()).await;
            }
            Ok(None) => {}
            Err(_) => self.visit.core.metrics.panic(),
        }
    }

    async fn finish(&mut self, out: &mut Out, status: u16, message: Vec<u8>, mut more: HeaderMap) {
        more.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let patience = self.patience();
        let mut lease = self.visit.core.memory.lease();
        std::mem::swap(&mut lease, &mut self.lease);
        out.finish(status, message, (more, Some(lease)), patience).await;
    }

    /// The status of an answer of ours. Of revision 2026-07-28 faults of a request have one of their own.
    fn status_of(&self, message: &[u8]) -> u16 {
        let value: serde_json::Value = serde_json::from_slice(message).unwrap_or_default();
        let is_modern = self.legacy.is_none();
        match value["error"]["code"].as_i64() {
            Some(-32700) => 400,
            Some(-32600) if is_modern || value["id"].is_null() => 400,
            Some(-32022..=-32020) => 400,
            Some(-32601) if is_modern => 404,
            _ => 200,
        }
    }

    /// The headers of a request to the server: nothing of the client's but what the protocol has there.
    fn headers(&self, said: Option<&Head>) -> Result<HeaderMap, mirror::Mismatch> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match (&self.legacy, &self.visit.tools.reach, said) {
            (Some((legacy, _)), _, _) => {
                if let Some(id) = legacy.upstream() {
                    headers.insert(SESSION_ID, id);
                }
                if let Some(revision) = &self.revision {
                    headers.insert(mirror::REVISION, revision.clone());
                }
            }
            (None, Some(reach), Some(said)) => {
                mirror::add(&mut headers, said, said.arguments.as_deref(), &reach.params)?;
                headers.entry(mirror::REVISION).or_insert(HeaderValue::from_static(REVISIONS[0]));
            }
            _ => {}
        }
        // Last, so that nothing else stands there.
        headers.remove(AUTHORIZATION);
        if let Some(credential) = &self.visit.way.credential {
            headers.insert(AUTHORIZATION, credential.clone());
        }
        Ok(headers)
    }

    /// A request to the server.
    fn request(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered>> + Send + 'static {
        let tools = Arc::clone(&self.visit.tools);
        async move {
            let Some(reach) = &tools.reach else {
                return Err(Unanswered { refused: fault_of_ours(), has_left: false });
            };
            let (scheme, authority) = &reach.place.origin;
            let path = reach.place.path.clone();
            let outgoing = Outgoing { method, path, headers, body: Bytes::from(body) };
            reach.client.request((scheme, authority), outgoing).await
        }
    }

    async fn run_listening(mut self, mut out: Out) {
        let response = match self.stream(None) {
            Ok(request) => tokio::select! {
                biased;
                _ = &mut self.visit.ticket => return,
                () = out.gone() => return,
                response = request => response.ok(),
            },
            Err(_) => None,
        };
        match response {
            Some(response) if is_stream(&response) => {
                out.begin(HeaderMap::new());
                self.pump(response.into_body(), None, out).await;
            }
            _ => {
                let message = Fault::refused("the server tells nothing by itself").answer(None);
                self.finish(&mut out, 405, message, HeaderMap::new()).await;
            }
        }
    }

    /// Asks for a stream: of what the server tells by itself, or of what came after an event.
    fn stream(
        &self,
        after: Option<HeaderValue>,
    ) -> Result<impl Future<Output = Result<Response<Incoming>, Unanswered>> + Send + 'static, mirror::Mismatch>
    {
        let mut headers = self.headers(None)?;
        headers.remove(CONTENT_TYPE);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(after) = after {
            headers.insert(LAST_EVENT_ID, after);
        }
        Ok(self.request(Method::GET, headers, Vec::new()))
    }
}

fn is_stream(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::OK && kind_of(response) == Some(Form::Events)
}

/// Waits until the count of changes is another.
pub(in crate::mcp) async fn changed(changes: &mut watch::Receiver<u64>, seen: u64) {
    // Whoever could change it is gone: then it is looked again as well.
    drop(changes.wait_for(|count| *count != seen).await.map(|count| *count));
}

fn fault_of_ours() -> Refused {
    Refused::new(500, Why::Internal, "a fault of the sidecar: look up what came of the request")
}

/// How an answer is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Json,
    Events,
}

/// What cannot be read does not pass: redirects, what wants another key than the server's own, what is compressed.
fn kind_of(response: &Response<Incoming>) -> Option<Form> {
    let status = response.status();
    if status.is_redirection() || status.is_informational() || status == StatusCode::UNAUTHORIZED {
        return None;
    }
    if response.headers().get_all(CONTENT_ENCODING).iter().any(|value| value != "identity") {
        return None;
    }
    match headers::single(response.headers(), &CONTENT_TYPE).ok().flatten().and_then(media_type).as_deref() {
        Some("application/json") => Some(Form::Json),
        Some("text/event-stream") if status.is_success() => Some(Form::Events),
        _ => None,
    }
}
