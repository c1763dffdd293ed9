//! Places outside: a thread for each, so that one that hangs keeps no record waiting.

use crate::segment::{list_finished, number};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How much may wait for a place.
const JOBS_MAX: usize = 64;
/// How long the end of a log waits for a place.
const FAREWELL: Duration = Duration::from_secs(1);
/// Of zstd: fast, and a tenth of the size.
const COMPRESSION: i32 = 3;

/// A place outside, and the thread that writes there.
pub(crate) struct Sink<J> {
    jobs: SyncSender<J>,
    is_failing: Arc<AtomicBool>,
    /// Whether something was left out since it was asked last.
    has_lost: AtomicBool,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl<J> fmt::Debug for Sink<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

impl<J: Send + 'static> Sink<J> {
    /// Begins a thread that does what it is given.
    ///
    /// # Errors
    /// The system begins no thread.
    pub(crate) fn spawn(mut work: impl FnMut(J) -> io::Result<()> + Send + 'static) -> io::Result<Sink<J>> {
        let (jobs, given) = sync_channel::<J>(JOBS_MAX);
        let (alive, ended) = channel();
        let is_failing = Arc::<AtomicBool>::default();
        let told = Arc::clone(&is_failing);
        thread::Builder::new().name("audit copies".to_owned()).spawn(move || {
            for job in given {
                told.store(work(job).is_err(), Ordering::SeqCst);
            }
            drop(work);
            drop(alive);
        })?;
        Ok(Sink { jobs, is_failing, has_lost: AtomicBool::new(false), ended })
    }

    /// Gives it something to do. Does not wait: what is too much is left out, and it counts as failing.
    pub(crate) fn give(&self, job: J) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.jobs.try_send(job) {
            self.has_lost.store(true, Ordering::SeqCst);
        }
    }

    /// Whether the last that it did has failed, or something was left out since this was asked last.
    pub(crate) fn is_failing(&self) -> bool {
        self.has_lost.swap(false, Ordering::SeqCst) || self.is_failing.load(Ordering::SeqCst)
    }

    /// Waits for what it was given, for a second.
    pub(crate) fn end(self) {
        let Sink { jobs, ended, .. } = self;
        drop(jobs);
        // Whether it has ended or hangs, nothing is left to do.
        ended.recv_timeout(FAREWELL).unwrap_or_default();
    }
}

/// Copies finished segments to a folder, compressed, each once, when it is told that there may be some.
pub(crate) fn shipping(log: PathBuf, folder: PathBuf) -> io::Result<Sink<()>> {
    let mut shipped = 0;
    Sink::spawn(move |()| {
        for path in list_finished(&log)? {
            let seq_first = number(&path).unwrap_or(0);
            if seq_first > shipped {
                ship(&path, &folder)?;
                shipped = seq_first;
            }
        }
        Ok(())
    })
}

/// Writes a compressed copy, which appears whole or not at all. One that is there already is left as it is.
fn ship(path: &Path, folder: &Path) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".zst");
    let target = folder.join(&name);
    if target.exists() {
        return Ok(());
    }
    name.push(".part");
    let part = folder.join(name);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    zstd::stream::copy_encode(BufReader::new(File::open(path)?), &file, COMPRESSION)?;
    file.sync_all()?;
    fs::rename(&part, &target)?;
    File::open(folder)?.sync_all()
}

/// Writes lines to standard output.
pub(crate) fn standard_output() -> io::Result<Sink<Vec<u8>>> {
    Sink::spawn(|lines: Vec<u8>| {
        let mut out = io::stdout().lock();
        out.write_all(&lines)?;
        out.flush()
    })
}
