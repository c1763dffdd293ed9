//! Who takes part: a provider that answers from memory, a bare forwarder, the sidecar, and the client.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use memchr::memmem;
use obelus_corpora::{Kind, generate};
use obelus_proxy::{App, Config, Signal, virtual_keys};
use obelus_vault::KeyRequest;
use serde_json::Value;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What ends a measurement.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;
type Body = BoxBody<Bytes, Fault>;
type HttpClient = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// A value that stands in every request.
const PLANTED: &str = "jenny.rosen@example.com";
/// The header by which the provider knows the forwarder.
const BARE: &str = "x-bare";
/// What stands before the paths of requests that come by way of the rival.
pub(crate) const RIVAL: &str = "/rival";
/// What asks the provider for a stream that waits.
const IDLE: &str = "say one word and wait";

const CHATS: &str = "/v1/chat/completions";
/// Where the provider serves a tool as well; the sidecar has it at the same path.
const TOOLS: &str = "/mcp/shop";
/// The newest revision of the Model Context Protocol, and what its requests say in headers.
const REVISION: &str = "2026-07-28";
const TOOL_HEADERS: [(&str, &str); 3] =
    [("mcp-protocol-version", REVISION), ("mcp-method", "tools/call"), ("mcp-name", "find")];
/// What the configuration says of the tool.
const GATE: &str = "gate: {approvals: approvals.db, totals: totals.db, key_file: approvals.key}\n";

/// Everybody, started.
pub(crate) struct Peers {
    provider: SocketAddr,
    bare: SocketAddr,
    sidecar: SocketAddr,
    key: String,
    seen: Arc<Seen>,
    _folder: tempfile::TempDir,
    _signals: mpsc::Sender<Signal>,
}

/// What reached the provider.
#[derive(Default)]
struct Seen {
    /// By way of the forwarder, with the planted value.
    planted: AtomicUsize,
    /// By way of the sidecar.
    redacted: AtomicUsize,
    /// Those of them with the planted value.
    leaked: AtomicUsize,
    /// By way of the rival, and those of them with the planted value.
    rival: AtomicUsize,
    rival_leaked: AtomicUsize,
}

impl Peers {
    pub(crate) async fn start(events: usize) -> Result<Peers, Fault> {
        let seen = Arc::new(Seen::default());
        let provider = provider(Arc::clone(&seen), events).await?;
        let bare = forwarder(provider).await?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("obelus.yaml");
        // More requests a minute than any default would allow, or the limit would be measured.
        std::fs::write(
            &path,
            format!(
                "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\naudit: \
                 {{path: audit.jsonl}}\nupstreams:\n  openai: {{url: \"http://{provider}\", key: {{env: KEY}}}}\n\
                 workflows:\n  default: {{requests_per_minute: 100000000}}\n{GATE}mcp:\n  shop: {{url: \
                 \"http://{provider}{TOOLS}\", tools: {{find: read}}, pins: pins.json, keys: {{default: {{env: KEY}}}}}}\n"
            ),
        )?;
        let env = |name: &str| (name == "KEY").then(|| "provider-key".into());
        let config = Config::read(Some(&path), &env)?;
        let request = KeyRequest { workflow: "default".to_owned(), ..KeyRequest::default() };
        let key = virtual_keys(&config)?.create(&request, SystemTime::now())?;
        let app = App::start(Some(path), Arc::new(env)).await?;
        let sidecar = app.data_address()?;
        let (signals, received) = mpsc::channel(1);
        tokio::spawn(app.run(received));
        let key = key.reveal().to_owned();
        Ok(Peers { provider, bare, sidecar, key, seen, _folder: folder, _signals: signals })
    }

    /// A client of the forwarder.
    pub(crate) fn bare(&self) -> Client {
        Client::new(self.bare, &self.key)
    }

    /// A client of the sidecar.
    pub(crate) fn sidecar(&self) -> Client {
        Client::new(self.sidecar, &self.key)
    }

    /// Where the provider is.
    pub(crate) fn provider(&self) -> SocketAddr {
        self.provider
    }

    /// A client of the rival.
    pub(crate) fn rival(&self, address: SocketAddr) -> Client {
        Client::new(address, &self.key)
    }

    /// How many requests have come to the provider.
    pub(crate) fn arrived(&self) -> usize {
        let seen = &self.seen;
        let counters = [&seen.planted, &seen.redacted, &seen.leaked, &seen.rival, &seen.rival_leaked];
        counters.iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// The rival must have let requests through, and the planted value in none.
    pub(crate) fn check_rival(&self) -> Result<(), Fault> {
        let [passed, leaked] =
            [&self.seen.rival, &self.seen.rival_leaked].map(|counter| counter.load(Ordering::Relaxed));
        if passed == 0 || leaked > 0 {
            return Err(format!("the rival: {passed} redacted, {leaked} leaked").into());
        }
        Ok(())
    }

    /// A client of the tool, by way of the forwarder.
    pub(crate) fn bare_tool(&self) -> Client {
        self.bare().at(self.bare, TOOLS)
    }

    /// The same by way of the sidecar.
    pub(crate) fn sidecar_tool(&self) -> Client {
        self.sidecar().at(self.sidecar, TOOLS)
    }

    /// A call of the tool, whose answer has the planted value.
    pub(crate) fn call(&self) -> Bytes {
        let meta = serde_json::json!({"io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": {}});
        let params = serde_json::json!({"name": "find", "arguments": {"customer": "cus_NffrFeUfNV2Hib"}, "_meta": meta});
        let call = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        Bytes::from(call.to_string())
    }

    /// A chat request of so many bytes, but for a few: messages of the corpus, with one planted value.
    pub(crate) fn chat(&self, bytes: usize, streamed: bool) -> Bytes {
        request(texts(bytes), bytes, streamed)
    }

    /// The same with messages in which nobody is.
    pub(crate) fn prose(&self, bytes: usize) -> Bytes {
        let (corpus, _) = generate(Kind::QuietText, bytes as u64 * 2, 7);
        let text = String::from_utf8(corpus).unwrap_or_default();
        request(text.split("\n\n").map(str::to_owned).collect(), bytes, false)
    }

    /// A request whose answer waits behind its first event.
    pub(crate) fn idle(&self) -> Bytes {
        let messages = serde_json::json!([{"role": "user", "content": IDLE}]);
        Bytes::from(serde_json::json!({"model": "m-1", "stream": true, "messages": messages}).to_string())
    }

    /// The planted value must have come by way of the forwarder, and never by way of the sidecar.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let [planted, redacted, leaked] = [&self.seen.planted, &self.seen.redacted, &self.seen.leaked]
            .map(|counter| counter.load(Ordering::Relaxed));
        if planted == 0 || redacted == 0 || leaked > 0 {
            return Err(format!("{planted} planted, {redacted} redacted, {leaked} leaked").into());
        }
        Ok(())
    }
}

/// One client with its connections.
#[derive(Clone)]
pub(crate) struct Client {
    http: HttpClient,
    url: String,
    authorization: String,
}

/// An answer, read to its end.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) bytes: usize,
    pub(crate) events: usize,
    /// Whether the planted value is in it.
    pub(crate) is_planted: bool,
}

impl Client {
    fn new(address: SocketAddr, key: &str) -> Client {
        Client {
            http: http_client(),
            url: format!("http://{address}{CHATS}"),
            authorization: format!("Bearer {key}"),
        }
    }

    fn at(self, address: SocketAddr, path: &str) -> Client {
        Client { url: format!("http://{address}{path}"), ..self }
    }

    async fn send(&self, body: &Bytes) -> Result<Response<Incoming>, Fault> {
        let mut request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, &self.authorization);
        if self.url.ends_with(TOOLS) {
            request = request.header(ACCEPT, "application/json, text/event-stream");
            for (name, value) in TOOL_HEADERS {
                request = request.header(name, value);
            }
        }
        Ok(self.http.request(request.body(Full::new(body.clone()))?).await?)
    }

    pub(crate) async fn ask(&self, body: &Bytes) -> Result<Answered, Fault> {
        let mut response = self.send(body).await?;
        let mut answered =
            Answered { status: response.status().as_u16(), bytes: 0, events: 0, is_planted: false };
        while let Some(frame) = response.body_mut().frame().await {
            if let Ok(data) = frame?.into_data() {
                answered.bytes += data.len();
                answered.events += memmem::find_iter(&data, b"\n\n").count();
                answered.is_planted |= memmem::find(&data, PLANTED.as_bytes()).is_some();
            }
        }
        Ok(answered)
    }

    /// Opens a stream and reads its first event; it stays open until it is dropped.
    pub(crate) async fn open_idle(&self, body: &Bytes) -> Result<Response<Incoming>, Fault> {
        let mut response = self.send(body).await?;
        response.body_mut().frame().await.ok_or("the stream ended at once")??;
        Ok(response)
    }
}

fn request(texts: Vec<String>, bytes: usize, streamed: bool) -> Bytes {
    let message = |text: &str| serde_json::json!({"role": "user", "content": text});
    let mut messages = vec![message(&format!("write to {PLANTED}"))];
    let mut left = bytes.saturating_sub(150);
    for text in texts {
        let next = message(&text);
        let length = next.to_string().len() + 1;
        if length > left {
            // Short enough with every sign escaped.
            messages.push(message(&text.chars().take(left / 2).collect::<String>()));
            break;
        }
        left -= length;
        messages.push(next);
    }
    let body = serde_json::json!({"model": "m-1", "stream": streamed, "messages": messages});
    Bytes::from(body.to_string())
}

/// What the messages of the corpus say, at least twice as many bytes.
fn texts(bytes: usize) -> Vec<String> {
    let (corpus, _) = generate(Kind::Chat, bytes as u64 * 2 + (256 << 10), 7);
    let requests =
        corpus.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let contents = requests.flat_map(|mut request| match request["messages"].take() {
        Value::Array(messages) => messages,
        _ => Vec::new(),
    });
    let text = |mut message: Value| match message["content"].take() {
        Value::String(text) => Some(text),
        _ => None,
    };
    contents.filter_map(text).collect()
}

fn http_client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// Answers every chat request: with one text, or with many events, or with one event and nothing more.
async fn provider(seen: Arc<Seen>, events: usize) -> Result<SocketAddr, Fault> {
    serve(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let is_bare = request.headers().contains_key(BARE);
            let is_rival = request.uri().path().starts_with(RIVAL);
            if request.uri().path() == TOOLS {
                let body = request.into_body().collect().await?.to_bytes();
                return answered(
                    "application/json",
                    Full::new(tool_answer(&body)?).map_err(Into::into).boxed(),
                );
            }
            let body = request.into_body().collect().await?.to_bytes();
            let is_planted = memmem::find(&body, PLANTED.as_bytes()).is_some();
            let counter = match (is_bare, is_planted) {
                (false, false) if is_rival => Some(&seen.rival),
                (false, true) if is_rival => Some(&seen.rival_leaked),
                (true, true) => Some(&seen.planted),
                (false, true) => Some(&seen.leaked),
                (false, false) => Some(&seen.redacted),
                (true, false) => None,
            };
            if let Some(counter) = counter {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            let is_streamed = memmem::find(&body, b"\"stream\":true").is_some();
            let is_idle = memmem::find(&body, IDLE.as_bytes()).is_some();
            match is_streamed {
                false => answered(
                    "application/json",
                    Full::new(Bytes::from_static(ANSWER)).map_err(Into::into).boxed(),
                ),
                true => answered("text/event-stream", stream(events, is_idle)),
            }
        }
    })
    .await
}

const ANSWER: &[u8] = br#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"The order was sent on its way this morning and should be there within three days. Is there anything else?"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":24,"total_tokens":124}}"#;

/// What a tool says that looks a customer up: JSON in a text, as Stripe's own server does.
fn tool_answer(call: &[u8]) -> Result<Bytes, Fault> {
    let call: Value = serde_json::from_slice(call)?;
    let customer = serde_json::json!({"id": "cus_NffrFeUfNV2Hib", "object": "customer", "created": 1_680_893_993,
        "address": {"line1": "510 Townsend St", "city": "San Francisco", "postal_code": "94103", "country": "US"},
        "balance": 0, "currency": "usd", "email": PLANTED, "livemode": false, "name": "Jenny Rosen",
        "phone": "+15550100", "invoice_prefix": "0759376C", "metadata": {"order": "6735"}});
    let content = serde_json::json!([{"type": "text", "text": customer.to_string()}]);
    let result = serde_json::json!({"content": content, "resultType": "complete"});
    Ok(Bytes::from(serde_json::json!({"jsonrpc": "2.0", "id": call["id"], "result": result}).to_string()))
}

/// Events with a word each; the last one ends the answer unless it is to wait.
fn stream(events: usize, is_idle: bool) -> Body {
    let (send, receive) = mpsc::channel(8);
    tokio::spawn(async move {
        let count = if is_idle { 1 } else { events };
        for at in 0..count {
            let data = format!(
                "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m-1\",\
                 \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{}\"}},\"finish_reason\":null}}]}}\n\n",
                if at % 2 == 0 { "s" } else { "" },
            );
            if send.send(Frame::data(Bytes::from(data))).await.is_err() {
                return;
            }
        }
        if is_idle {
            // Until the client has gone.
            send.closed().await;
            return;
        }
        // Whoever has gone does not miss it.
        drop(send.send(Frame::data(Bytes::from_static(b"data: [DONE]\n\n"))).await);
    });
    BodyExt::boxed(Pieces(receive))
}

/// A body that another task writes.
struct Pieces(mpsc::Receiver<Frame<Bytes>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// Takes a body whole, as the sidecar does, and passes it on; the answer goes back as it comes.
async fn forwarder(provider: SocketAddr) -> Result<SocketAddr, Fault> {
    let http = http_client();
    serve(move |request: Request<Incoming>| {
        let http = http.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let path = head.uri.path();
            let mut forwarded = Request::builder()
                .method(Method::POST)
                .uri(format!("http://{provider}{path}"))
                .header(CONTENT_TYPE, "application/json")
                .header(AUTHORIZATION, "Bearer provider-key")
                .header(BARE, "1");
            for (name, _) in TOOL_HEADERS {
                if let Some(value) = head.headers.get(name) {
                    forwarded = forwarded.header(name, value);
                }
            }
            let response = http.request(forwarded.body(Full::new(body))?).await?;
            let (head, body) = response.into_parts();
            Ok(Response::from_parts(head, body.map_err(Into::into).boxed()))
        }
    })
    .await
}

fn answered(media_type: &str, body: Body) -> Result<Response<Body>, Fault> {
    Ok(Response::builder().header(CONTENT_TYPE, media_type).body(body)?)
}

/// Serves on a free port of loopback until the process ends.
async fn serve<H, F>(handle: H) -> Result<SocketAddr, Fault>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Fault>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let handle = handle.clone();
            tokio::spawn(async move {
                // A client that leaves ends its connection, nothing else.
                drop(socket.set_nodelay(true));
                let service = service_fn(handle);
                drop(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service)
                        .await,
                );
            });
        }
    });
    Ok(address)
}
