//! Requests as bytes on a socket, through the sidecar to a provider that writes down what it gets.

use obelus_proxy::{App, Config, Signal, virtual_keys};
use obelus_vault::KeyRequest;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

/// How long a peer may be silent. Only a fault of the sidecar makes anybody wait for it.
const SILENCE: Duration = Duration::from_secs(20);

/// What the provider answers, whatever it is asked.
const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}"#;

/// The sidecar and its provider, until it is dropped.
pub(crate) struct Sidecar {
    address: SocketAddr,
    key: String,
    /// What the provider got, head and body.
    got: Arc<Mutex<Vec<u8>>>,
    _runtime: tokio::runtime::Runtime,
    signals: mpsc::Sender<Signal>,
    _folder: tempfile::TempDir,
}

impl Sidecar {
    pub(crate) fn start() -> Result<Sidecar, Box<dyn Error>> {
        let got = Arc::new(Mutex::new(Vec::new()));
        let provider = provider(Arc::clone(&got))?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("obelus.yaml");
        let config = format!(
            "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\naudit: {{path: \
             audit.jsonl}}\nupstreams:\n  openai: {{url: \"http://{provider}\", key: {{env: KEY}}}}\nworkflows:\n  \
             default: {{requests_per_minute: 100000}}\n"
        );
        std::fs::write(&path, config)?;
        let env = |name: &str| (name == "KEY").then(|| OsString::from("provider-key"));
        let config = Config::read(Some(&path), &env)?;
        let request =
            KeyRequest { workflow: "default".to_owned(), tenant: None, expires: None, requester: None };
        let key = virtual_keys(&config)?.create(&request, SystemTime::now())?.reveal().to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let app = runtime.block_on(App::start(Some(path), Arc::new(env)))?;
        let address = app.data_address()?;
        let (signals, received) = mpsc::channel(1);
        runtime.spawn(app.run(received));
        Ok(Sidecar { address, key, got, _runtime: runtime, signals, _folder: folder })
    }

    /// Sends a request. What left is what the provider got; nothing, and what the client got back, if nothing left.
    pub(crate) fn run(
        &self,
        content_type: &str,
        headers: &BTreeMap<String, String>,
        input: &[u8],
    ) -> Result<(&'static str, Vec<u8>), Box<dyn Error>> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let request = match content_type {
            "message/http" => with_key(input, &self.key),
            _ => self.post(content_type, headers, input),
        };
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(SILENCE))?;
        socket.set_write_timeout(Some(SILENCE))?;
        // A sidecar that refuses may close before all was sent.
        let sent = socket.write_all(&request);
        let mut reply = Vec::new();
        let mut piece = [0; 4096];
        while !is_whole(&reply) {
            match socket.read(&mut piece) {
                Ok(len) if len > 0 => reply.extend_from_slice(&piece[..len]),
                _ => break,
            }
        }
        if reply.is_empty() {
            sent?;
            return Err("the sidecar said nothing".into());
        }
        // What was smuggled behind the request would leave now.
        if socket.shutdown(Shutdown::Write).is_ok() {
            socket.read_to_end(&mut reply).unwrap_or_default();
        }
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(if got.is_empty() { ("rejected", reply) } else { ("forwarded", got) })
    }

    fn post(&self, content_type: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> Vec<u8> {
        let mut head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: sidecar.example.com\r\nauthorization: Bearer {}\r\n\
             content-type: {content_type}\r\ncontent-length: {}\r\n",
            self.key,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        [head.as_bytes(), b"\r\n", body].concat()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // One that ended by itself has nobody to tell.
        self.signals.blocking_send(Signal::Drain).unwrap_or_default();
    }
}

/// The request with the client's key behind its first line.
fn with_key(request: &[u8], key: &str) -> Vec<u8> {
    let line = request.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    [&request[..line], format!("authorization: Bearer {key}\r\n").as_bytes(), &request[line..]].concat()
}

/// A provider that writes down every byte it gets and answers each request that is whole.
fn provider(got: Arc<Mutex<Vec<u8>>>) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let got = Arc::clone(&got);
            // A client that breaks off ends its connection, nothing else.
            thread::spawn(move || drop(answer(socket, &got)));
        }
    });
    Ok(address)
}

fn answer(mut socket: TcpStream, got: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let len = socket.read(&mut piece)?;
        if len == 0 {
            return Ok(());
        }
        got.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..len]);
        request.extend_from_slice(&piece[..len]);
        if is_whole(&request) {
            request.clear();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
            socket.write_all(format!("{head}content-length: {}\r\n\r\n{ANSWER}", ANSWER.len()).as_bytes())?;
        }
    }
}

/// Whether a message with a length has all of its body.
fn is_whole(message: &[u8]) -> bool {
    let Some(head_len) = message.windows(4).position(|piece| piece == b"\r\n\r\n") else { return false };
    let head = String::from_utf8(message[..head_len].to_vec()).unwrap_or_default().to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    message.len() >= head_len + 4 + length.unwrap_or(0)
}
