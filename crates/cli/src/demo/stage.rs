//! What the story needs: a provider that is none, a sidecar before it with state of its own, a virtual key.

use super::Stop;
use super::client::{self, News, Reply, Request};
use crate::failure::Failure;
use crate::serve::refused;
use obelus_demo::{Options, Provider, Recorded};
use obelus_proxy::{App, Config, Ended, OwnedEnv, Signal};
use obelus_vault::KeyRequest;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The key of the provider, which is none.
pub(super) const PROVIDER_KEY: &str = "key-of-the-provider";
const PROVIDER_KEY_VARIABLE: &str = "OBELUS_DEMO_PROVIDER_KEY";

/// How long threads may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything that runs.
pub(super) struct Stage {
    pub(super) provider: Provider,
    /// A virtual key.
    pub(super) key: String,
    pub(super) deadline: Instant,
    sidecar: Sidecar,
    folder: TempDir,
}

/// The sidecar, on threads of its own.
struct Sidecar {
    runtime: Runtime,
    address: SocketAddr,
    signals: mpsc::Sender<Signal>,
    running: JoinHandle<Ended>,
}

impl Stage {
    /// Starts everything, on free ports of 127.0.0.1 and with its files in a temporary folder.
    pub(super) fn set(deadline: Instant) -> Result<Stage, Failure> {
        let folder = TempDir::with_prefix("obelus-demo-")
            .map_err(|error| Failure::io("temporary folder", "make it", &error))?;
        let options = Options { key: Some(PROVIDER_KEY.to_owned()), ..Options::default() };
        let provider =
            Provider::start(options).map_err(|error| Failure::io("stub provider", "start it", &error))?;
        let path = folder.path().join("obelus.yaml");
        fs::write(&path, configuration(&provider.url()))
            .map_err(|error| Failure::io("obelus.yaml", "write it", &error))?;
        let sidecar = Sidecar::start(&path)?;
        let config = Config::read(Some(&path), &env).map_err(|error| Failure::config(&error))?;
        let keys = obelus_proxy::virtual_keys(&config).map_err(|error| refused(&error))?;
        let request = KeyRequest { workflow: obelus_proxy::DEFAULT.to_owned(), ..KeyRequest::default() };
        let key = keys
            .create(&request, SystemTime::now())
            .map_err(|error| Failure::data(error.to_string()))?
            .reveal()
            .to_owned();
        Ok(Stage { provider, key, deadline, sidecar, folder })
    }

    /// Sends a request to the sidecar.
    pub(super) fn ask(
        &self,
        request: &Request<'_>,
        tell: impl FnMut(News<'_>) -> Result<(), Stop>,
    ) -> Result<Reply, Stop> {
        client::ask(self.sidecar.address, request, self.deadline, tell)
    }

    /// Sends the provider what it has seen once more, past the sidecar: what it says comes as it is.
    pub(super) fn ask_provider(&self, seen: &Recorded) -> Result<Reply, Stop> {
        let bearer = format!("Bearer {PROVIDER_KEY}");
        let version = seen.header("anthropic-version").unwrap_or_default();
        let headers = [("authorization", bearer.as_str()), ("anthropic-version", version)];
        let request = Request { path: &seen.path, headers: &headers, body: &seen.body };
        client::ask(self.provider.address(), &request, self.deadline, |_| Ok(()))
    }

    /// Lets the sidecar end as it does when it is told to. The files that it has left are handed back.
    pub(super) fn clear(self) -> Result<Files, Failure> {
        let Sidecar { runtime, signals, running, .. } = self.sidecar;
        let told = signals.blocking_send(Signal::Drain).is_ok();
        let ended = runtime.block_on(running);
        runtime.shutdown_timeout(FAREWELL);
        if !told || ended.is_err() {
            return Err(Failure::data("demo: the sidecar ended by itself: please report it"));
        }
        Ok(Files(self.folder))
    }
}

impl Sidecar {
    fn start(config: &Path) -> Result<Sidecar, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::io("threads", "start them", &error))?;
        let env: OwnedEnv = Arc::new(env);
        let app =
            runtime.block_on(App::start(Some(config.to_owned()), env)).map_err(|error| refused(&error))?;
        let address =
            app.data_address().map_err(|error| Failure::io("listener", "tell its address", &error))?;
        let (signals, told) = mpsc::channel(1);
        let running = runtime.spawn(app.run(told));
        Ok(Sidecar { runtime, address, signals, running })
    }
}

/// What the sidecar has left behind.
pub(super) struct Files(TempDir);

impl Files {
    /// The audit.
    pub(super) fn audit(&self) -> Result<String, Failure> {
        fs::read_to_string(self.0.path().join("audit.jsonl"))
            .map_err(|error| Failure::io("audit.jsonl", "read it", &error))
    }

    /// The contents of all files.
    pub(super) fn all(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let read = || -> io::Result<Vec<Vec<u8>>> {
            fs::read_dir(self.0.path())?.map(|entry| fs::read(entry?.path())).collect()
        };
        read().map_err(|error| Failure::io("files of state", "read them", &error))
    }
}

/// The only variable that the sidecar of the demonstration sees.
fn env(name: &str) -> Option<OsString> {
    (name == PROVIDER_KEY_VARIABLE).then(|| PROVIDER_KEY.into())
}

fn configuration(provider: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\n\
         audit: {{path: audit.jsonl}}\nupstreams:\n  \
         openai: {{url: '{provider}', key: {{env: {PROVIDER_KEY_VARIABLE}}}}}\n  \
         anthropic: {{url: '{provider}', key: {{env: {PROVIDER_KEY_VARIABLE}}}}}\ntimeouts: {{drain_seconds: 2}}\n"
    )
}
