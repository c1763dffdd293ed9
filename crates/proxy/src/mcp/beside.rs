//! `obelus mcp` beside `obelus serve`: servers of tools run where their clients start them, and the sidecar judges what
//! goes between, over a Unix socket beside the audit.
//!
//! `obelus mcp` opens a connection that makes a session ([`listener`]) and gets its id, a secret. With that it opens
//! channels: one for what the client says, one for what the server says, one for the server's standard error, and one for
//! each call that waits for people. On a channel each message is answered before the next one comes. The first connection
//! says nothing more until the session is over; when either side ends it, the session ends with all its channels.

mod channel;
mod frame;
mod listener;
mod remote;
mod seats;

pub(crate) use listener::{ToolSocket, serve};
pub(super) use remote::{Remote, Wanted, connect};

use crate::config::{Config, ConfigError};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use std::os::fd::AsFd;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// Whether any server of tools is run as a command.
pub(crate) fn has_commands(config: &Config) -> bool {
    config.mcp.values().any(|server| server.place.is_none())
}

/// The system must take the socket's name.
///
/// # Errors
/// A name that is too long, where there is to be a socket.
pub(crate) fn check_name(config: &Config) -> Result<(), ConfigError> {
    let path = config.audit.socket_path();
    if !has_commands(config) || is_name(&path) {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "{}: longer than the system allows for the name of a socket, at which `obelus mcp` is served because `mcp` names \
         commands: shorten audit.path, or the name of the folder of state",
        path.display()
    )))
}

fn is_name(path: &Path) -> bool {
    SocketAddr::from_pathname(path).is_ok()
}

/// Whether the process at the other end is of our user.
fn is_of_us(socket: impl AsFd) -> bool {
    socket_peercred(socket).is_ok_and(|other| other.uid == geteuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::support::{Sidecar, env, wait, yaml};
    use crate::tests::FullDisk;
    use obelus_mcp::{Between, Lost, Passed};
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use zeroize::Zeroizing;

    const CALL: &[u8] =
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{}}}"#;

    /// Has a message of the client judged.
    async fn judged(remote: &Remote, message: &'static [u8]) -> Result<Passed, Lost> {
        let remote = remote.clone();
        wait(tokio::task::spawn_blocking(move || remote.client_says(message))).await.unwrap()
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_goes_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("obelus.yaml");
        let more = "mcp: {notes: {tools: {find: read}, pins: pins.json}}\n\
                    gate: {approvals: approvals.db, totals: totals.db, key_file: approvals.key}\n";
        std::fs::write(&path, yaml("127.0.0.1:9".parse().unwrap(), more)).unwrap();
        let disk = FullDisk::default();
        let app = App::start_on(Some(path.clone()), Arc::new(env), Arc::new(disk.clone())).await.unwrap();
        let keys = crate::virtual_keys(&Config::read(Some(&path), &env).unwrap()).unwrap();
        let sidecar = Sidecar::run(app, keys, folder);
        let (place, key) = (sidecar.path("audit.sock"), Zeroizing::new(sidecar.key.clone()));
        let wanted = Wanted { key, server: "notes".to_owned(), livemode: None };
        let begun = tokio::task::spawn_blocking(move || {
            let first = connect(&place).unwrap().expect("it listens");
            Remote::begin(first, &place, wanted).unwrap()
        });
        let remote = wait(begun).await.unwrap();
        disk.0.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            let Ok(Passed::Answer(told)) = judged(&remote, CALL).await else { panic!("it is answered") };
            let told = String::from_utf8(told).unwrap();
            assert!(told.contains("the audit cannot be written, so nothing is forwarded"), "{told}");
        }
        disk.0.store(false, Ordering::SeqCst);
        // With room again it goes on by itself.
        while !matches!(judged(&remote, CALL).await, Ok(Passed::Forward(_))) {}
        sidecar.end().await;
        assert!(matches!(judged(&remote, CALL).await, Err(Lost::Gone)), "nobody listens for the reason");
    }
}
