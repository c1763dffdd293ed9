//! A sidecar on loopback, an upstream that records what it sees, and a client that says exactly what it is told.

use obelus_proxy::{App, Config, Ended, Signal};
use obelus_vault::{KeyRequest, VirtualKeys};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// No test waits longer for anything; none measures time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The provider's key, which clients never have.
pub(crate) const PROVIDER_KEY: &str = "provider-key-of-the-test";

/// A key of hashes, of words and no more than that.
pub(crate) const HASH_KEY: &str = "quartz-and-feldspar-and-mica-and-more";

/// Waits for what must come.
pub(crate) async fn wait<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it comes")
}

/// A sidecar that serves.
pub(crate) struct Sidecar {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) keys: VirtualKeys,
    /// A virtual key of the workflow `default`.
    pub(crate) key: String,
    pub(crate) signals: mpsc::Sender<Signal>,
    pub(crate) running: JoinHandle<Ended>,
}

/// The configuration for an upstream, with more lines.
pub(crate) fn yaml(upstream: SocketAddr, more: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\n\
         audit: {{path: audit.jsonl}}\nupstreams:\n  openai: {{url: 'http://{upstream}', key: {{env: PROVIDER}}}}\n  \
         anthropic: {{url: 'http://{upstream}', key: {{env: PROVIDER}}}}\n{more}"
    )
}

pub(crate) fn env(name: &str) -> Option<OsString> {
    match name {
        "PROVIDER" => Some(PROVIDER_KEY.into()),
        "OBELUS_TEST_HASH_KEY" => Some(HASH_KEY.into()),
        _ => None,
    }
}

/// Everything up to serving.
pub(crate) async fn app(folder: &TempDir, text: &str) -> (App, VirtualKeys) {
    let path = folder.path().join("obelus.yaml");
    std::fs::write(&path, text).expect("the folder takes files");
    let app = App::start(Some(path.clone()), Arc::new(env)).await.expect("the sidecar starts");
    let config = Config::read(Some(&path), &env).expect("the configuration is right");
    (app, obelus_proxy::virtual_keys(&config).expect("the store opens"))
}

impl Sidecar {
    pub(crate) async fn start(upstream: SocketAddr, more: &str) -> Sidecar {
        let folder = tempfile::tempdir().expect("there is room");
        let (app, keys) = app(&folder, &yaml(upstream, more)).await;
        Sidecar::run(app, keys, folder)
    }

    pub(crate) fn run(app: App, keys: VirtualKeys, folder: TempDir) -> Sidecar {
        let (data, admin) = (app.data_address().expect("bound"), app.admin_address().expect("bound"));
        let (signals, received) = mpsc::channel(4);
        let running = tokio::spawn(app.run(received));
        let mut sidecar = Sidecar { data, admin, folder, keys, key: String::new(), signals, running };
        sidecar.key = sidecar.new_key("default");
        sidecar
    }

    /// A virtual key of a workflow.
    pub(crate) fn new_key(&self, workflow: &str) -> String {
        let request = KeyRequest { workflow: workflow.to_owned(), ..KeyRequest::default() };
        self.keys.create(&request, SystemTime::now()).expect("the store takes keys").reveal().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The records so far.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path("audit.jsonl")).expect("there is an audit");
        // The last may be being written.
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        lines.map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
    }

    /// A request to a route with more header lines.
    pub(crate) fn post(&self, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: sidecar\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n{more}\r\n",
            self.key,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// A chat with one message, which is written as it is.
    pub(crate) fn chat(&self, content: &str, more: &str) -> Vec<u8> {
        self.post(
            "/v1/chat/completions",
            &format!("Content-Type: application/json\r\n{more}"),
            &chat(content, false),
        )
    }

    pub(crate) async fn send(&self, request: &[u8]) -> Reply {
        send(self.data, request).await
    }

    /// What the admin listener says.
    pub(crate) async fn ask(&self, path: &str) -> Reply {
        send(self.admin, format!("GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n").as_bytes()).await
    }

    pub(crate) async fn metrics(&self) -> String {
        self.ask("/metrics").await.body
    }

    /// Waits until the records hold what is looked for.
    pub(crate) async fn record(&self, is_it: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        wait(async {
            loop {
                if let Some(record) = self.records().into_iter().find(&is_it) {
                    return record;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    pub(crate) async fn end(self) -> Ended {
        self.signals.send(Signal::Drain).await.expect("it listens");
        wait(self.running).await.expect("it does not panic")
    }
}

/// The body of a chat.
pub(crate) fn chat(content: &str, is_streamed: bool) -> Vec<u8> {
    format!(
        r#"{{"model":"gpt-4o","stream":{is_streamed},"messages":[{{"role":"user","content":"{content}"}}]}}"#
    )
    .into_bytes()
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Takes an answer apart. Chunks are put together.
    pub(crate) fn parse(bytes: &[u8]) -> Reply {
        let text = String::from_utf8(bytes.to_vec()).expect("answers are text");
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Reply { status: 0, head: text, body: String::new() };
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunk(body) } else { body.to_owned() };
        Reply { status, head: head.to_ascii_lowercase(), body }
    }
}

fn unchunk(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        body.push_str(rest.get(..size).expect("chunks end between characters"));
        text = rest.get(size..).unwrap_or_default().trim_start_matches("\r\n");
    }
    body
}

/// Says something and listens until the other side ends the connection.
pub(crate) async fn send(to: SocketAddr, bytes: &[u8]) -> Reply {
    Reply::parse(&wait(raw(to, bytes)).await)
}

/// The bytes that come until the other side ends the connection.
pub(crate) async fn raw(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.expect("it listens");
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    // A sidecar that has refused need not take the rest.
    let (_, _) = tokio::join!(writer.write_all(bytes), reader.read_to_end(&mut answer));
    answer
}

/// What the upstream does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// Waits until it is released.
    Hold,
    /// Waits until the other side ends the connection, and tells.
    AwaitEnd,
}

type Script = dyn Fn(&str) -> Vec<Act> + Send + Sync;

/// An upstream that does as it is told.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    pub(crate) release: Arc<Semaphore>,
    /// A permit for each connection that the other side has ended while it was awaited.
    pub(crate) ended: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// Answers every request with JSON that says what the message said.
    pub(crate) async fn echo() -> Upstream {
        Upstream::start(|request| vec![Act::Send(json(&completion(&content(request))))]).await
    }

    pub(crate) async fn start(script: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("bound");
        let (seen, release, ended) =
            (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let shared = (Arc::clone(&seen), Arc::clone(&release), Arc::clone(&ended));
        let script: Arc<Script> = Arc::new(script);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, release, ended) = shared.clone();
                let script = Arc::clone(&script);
                tokio::spawn(async move { serve(stream, &*script, &seen, &release, &ended).await });
            }
        });
        Upstream { address, seen, release, ended, task }
    }

    /// The requests that came, head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("nobody panics").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &Script,
    seen: &Mutex<Vec<String>>,
    release: &Semaphore,
    ended: &Semaphore,
) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().expect("nobody panics").push(request.clone());
        for act in script(&request) {
            match act {
                Act::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Act::Hold => release.acquire().await.expect("never closed").forget(),
                Act::AwaitEnd => {
                    let mut rest = [0; 64];
                    while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {}
                    ended.add_permits(1);
                    return;
                }
            }
        }
        if request.contains("close-after-answer") {
            return;
        }
    }
}

/// Head and body of the next request, which has a length or no body.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8(bytes.clone()).ok()?;
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ").and_then(|length| length.parse::<usize>().ok())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
    }
}

/// What the last message of a request says.
pub(crate) fn content(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    body["messages"][0]["content"].as_str().unwrap_or_default().to_owned()
}

/// A whole chat completion.
pub(crate) fn completion(content: &str) -> String {
    serde_json::json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": content},
            "finish_reason": "stop",
        }],
    })
    .to_string()
}

/// An answer with a JSON body.
pub(crate) fn json(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The head of a streamed answer that ends with the connection.
pub(crate) fn events_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n".to_vec()
}

/// An event with a piece of the answer's text.
pub(crate) fn delta(content: &str) -> Vec<u8> {
    let chunk = serde_json::json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}],
    });
    format!("data: {chunk}\n\n").into_bytes()
}

/// The text of a streamed answer.
pub(crate) fn streamed_text(body: &str) -> String {
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = events.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}
