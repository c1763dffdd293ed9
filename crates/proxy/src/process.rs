//! The sidecar as a program runs it: threads, signals of the system, an end.

use crate::app::{App, Ended, OwnedEnv, Signal};
use crate::guard::silence_panics;
use crate::stores::StartError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc;

/// Starts the sidecar with the environment of the process, says what it bound and what is missing, and serves until
/// SIGTERM or SIGINT; a second one ends it at once. SIGHUP loads the configuration again.
///
/// # Errors
/// Whatever keeps it from starting; nothing was served then.
pub fn serve(config_path: Option<PathBuf>) -> Result<Ended, StartError> {
    silence_panics();
    hide_memory();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::Io("threads".to_owned(), "start them", error))?;
    let ended = runtime.block_on(async {
        let env: OwnedEnv = Arc::new(|name| std::env::var_os(name));
        let app = App::start(config_path, env).await?;
        let signals =
            signals().map_err(|error| StartError::Io("signals".to_owned(), "listen to them", error))?;
        announce(&app)?;
        let ended = app.run(signals).await;
        match ended {
            Ended::Drained => tracing::info!("ended: every request was finished"),
            Ended::Cut => tracing::warn!("ended: requests were still open and were cut"),
        }
        Ok(ended)
    });
    // A thread that still waits for the store is not waited for.
    runtime.shutdown_background();
    ended
}

fn announce(app: &App) -> Result<(), StartError> {
    let failed = |error| StartError::Io("listener".to_owned(), "tell its address", error);
    for note in app.notes() {
        tracing::info!("{note}");
    }
    let (data, admin) = (app.data_address().map_err(failed)?, app.admin_address().map_err(failed)?);
    tracing::info!(%data, %admin, "serving");
    Ok(())
}

/// The signals of the system, as far as they mean something.
pub(crate) fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(4);
    let listened = [
        (SignalKind::terminate(), Signal::Drain),
        (SignalKind::interrupt(), Signal::Drain),
        (SignalKind::hangup(), Signal::Reload),
    ];
    for (kind, meaning) in listened {
        tokio::spawn(pass_on(signal(kind)?, meaning, sender.clone()));
    }
    Ok(receiver)
}

async fn pass_on(mut stream: Stream, meaning: Signal, to: mpsc::Sender<Signal>) {
    while stream.recv().await.is_some() && to.send(meaning).await.is_ok() {}
}

/// Keeps what is in memory out of core files and from other processes of the same user, as far as the system does it.
pub(crate) fn hide_memory() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core files stay possible");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "other processes of this user can read the memory");
    }
}
