//! The closest rival, a gateway that redacts for the same clients: built once, run as a process of its own.

use super::peers::{Fault, RIVAL};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Its name and version in the registry.
const NAME: &str = "redact-gateway";
const VERSION: &str = "0.12.7";

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// The rival, serving. Ends when it is dropped.
pub(crate) struct Rival {
    process: Child,
    address: SocketAddr,
}

impl Rival {
    /// Builds it if that has not been done, and starts it before the provider, with its own defaults.
    pub(crate) async fn start(provider: SocketAddr) -> Result<Rival, Fault> {
        let program = installed()?;
        // Free now; nobody else on the machine is asked for one.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(program)
            .env_clear()
            .args(["--config-source", "env", "--host", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--provider-base-url", &format!("http://{provider}{RIVAL}")])
            .args(["--provider-api-key", "provider-key"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut rival = Rival { process, address };
        let end = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if let Some(status) = rival.process.try_wait()? {
                return Err(format!("{NAME} has ended: {status}").into());
            }
            if Instant::now() > end {
                return Err(format!("{NAME} does not listen").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(rival)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The program, built into the target folder. Its optional parts (single sign-on, traces, a vault) do nothing here.
fn installed() -> Result<PathBuf, Fault> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target folder")?.join("rivals");
    let root = target.join("gateway");
    let program = root.join("bin").join(NAME);
    if !program.exists() {
        let status = Command::new("cargo")
            .args(["install", NAME, "--version", VERSION, "--locked", "--no-default-features", "--root"])
            .arg(&root)
            .arg("--target-dir")
            .arg(&target)
            .status()?;
        if !status.success() {
            return Err(format!("{NAME} cannot be built: {status}").into());
        }
    }
    Ok(program)
}
