//! The log, as those see it who append.

use crate::disk::{Disk, FileSystem};
use crate::error::{Error, Unwritten};
use crate::follow::{Follower, Kept};
use crate::line;
use crate::note::VerifierKey;
use crate::open::{Settings, open};
use crate::record::Record;
use crate::writer::{Entry, Shared, Sinks, Writer};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::SystemTime;
use tokio::sync::mpsc::{self, OwnedPermit, Sender};
use tokio::sync::{oneshot, watch};

/// A log that this process writes, under a lock that the system lifts when the process ends. One thread writes; as
/// many records as the settings say may wait for it.
///
/// There are two ways in. [`append`](Log::append) ends when the record outlives a loss of power: for whatever must not
/// happen unrecorded. [`reserve`](Log::reserve) takes a place, and a record that is [put](Place::put) there is kept within
/// 50 ms: for summaries of what went by.
///
/// When a write fails, the file is abandoned and everything is refused until another could be begun, which is tried every
/// second. Records in places wait for that.
pub struct Log {
    entries: Sender<Entry>,
    bell: Bell,
    thread: Mutex<Option<JoinHandle<()>>>,
    path: PathBuf,
    verifier: VerifierKey,
    kept: watch::Receiver<Kept>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Wakes the thread that writes.
#[derive(Clone, Debug)]
struct Bell {
    thread: Thread,
    shared: Arc<Shared>,
}

impl Bell {
    fn ring(&self, is_urgent: bool) {
        if self.shared.is_idle.swap(false, Ordering::SeqCst) || is_urgent {
            self.thread.unpark();
        }
    }
}

/// A place for one record, which nobody can take away. One that is dropped is free again.
pub struct Place {
    permit: OwnedPermit<Entry>,
    bell: Bell,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

impl Log {
    /// Opens a log, or makes it with a new key, and goes on where it ends. Reads its last file: less than a second for
    /// each GiB of it.
    ///
    /// A last line that is not whole is moved to a file beside the log, and a record says so.
    ///
    /// # Errors
    /// A log that another process writes, that is damaged before its last line, that does not hold what its last
    /// checkpoint says, whose key is missing or another, or that cannot be written.
    pub fn open(settings: &Settings) -> Result<Log, Error> {
        Log::open_on(settings, Arc::new(FileSystem))
    }

    /// The same on a disk of the caller's choice.
    ///
    /// # Errors
    /// As for [`open`](Log::open).
    pub fn open_on(settings: &Settings, disk: Arc<dyn Disk>) -> Result<Log, Error> {
        let mut opened = open(settings, disk)?;
        let begin = || Error::io(&settings.path, "start a thread for copies of the audit");
        opened.checkpoints.write_copies_aside().map_err(begin())?;
        let sinks = Sinks::begin(settings).map_err(begin())?;
        let verifier = opened.key.verifier().clone();
        let (entries, received) = mpsc::channel(settings.places);
        let shared = Arc::<Shared>::default();
        let (tells, kept) = watch::channel(Kept::default());
        let writer = Writer::new(opened, sinks, received, Arc::clone(&shared), tells);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(Error::io(&settings.path, "start a thread for the audit"))?;
        let bell = Bell { thread: thread.thread().clone(), shared };
        let (thread, path) = (Mutex::new(Some(thread)), settings.path.clone());
        Ok(Log { entries, bell, thread, path, verifier, kept })
    }

    /// The public key of its checkpoints. Its name is the log's origin.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Whether records can be written, as far as is known.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Unwritten> {
        match self.bell.shared.fault() {
            Some(fault) => Err(fault),
            None if self.entries.is_closed() => Err(Unwritten::Closed),
            None => Ok(()),
        }
    }

    /// Appends a record and ends when it outlives a loss of power, with its `seq`. Waits for a place if there is none; the
    /// caller sets the time.
    ///
    /// # Errors
    /// The record is not known to be kept. It may be, if the caller gives up before the end.
    pub async fn append(&self, record: &Record, now: SystemTime) -> Result<u64, Unwritten> {
        self.check()?;
        let (entry, answer) = waited_for(record, now)?;
        self.entries.send(entry).await.or(Err(Unwritten::Closed))?;
        self.bell.ring(true);
        answer.await.unwrap_or(Err(Unwritten::Closed))
    }

    /// The same for threads that may wait. Panics on one that drives asynchronous work.
    ///
    /// # Errors
    /// As for [`append`](Log::append).
    pub fn append_blocking(&self, record: &Record, now: SystemTime) -> Result<u64, Unwritten> {
        self.check()?;
        let (entry, answer) = waited_for(record, now)?;
        self.entries.blocking_send(entry).or(Err(Unwritten::Closed))?;
        self.bell.ring(true);
        answer.blocking_recv().unwrap_or(Err(Unwritten::Closed))
    }

    /// Takes a place for a record. Waits if there is none; the caller sets the time.
    ///
    /// # Errors
    /// The log is closed. That it cannot be written is for [`check`](Log::check) to tell.
    pub async fn reserve(&self) -> Result<Place, Unwritten> {
        let permit = self.entries.clone().reserve_owned().await.or(Err(Unwritten::Closed))?;
        Ok(Place { permit, bell: self.bell.clone() })
    }

    /// Hands out what is kept behind the record `seq`, from now on as it comes.
    pub fn follow(&self, seq: u64) -> Follower {
        Follower::new(self.path.clone(), self.kept.clone(), seq)
    }

    /// Writes what has come and a last checkpoint, and lifts the lock. Places that are still taken may be used for a
    /// second, and this waits as long. Records that come later are refused.
    ///
    /// # Errors
    /// Why the last write failed: then records that were put in places and not kept yet are lost.
    pub fn close(&self) -> Result<(), Unwritten> {
        self.bell.shared.is_closing.store(true, Ordering::SeqCst);
        self.bell.ring(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that panicked has closed the log; it has been told to whoever waited.
        thread.map(JoinHandle::join).transpose().unwrap_or_default();
        self.bell.shared.fault().map_or(Ok(()), Err)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever wants to know how it ends closes it.
        drop(self.close());
    }
}

impl Place {
    /// Puts a record there. It is kept within 50 ms, or when the log can be written again.
    pub fn put(self, record: &Record, now: SystemTime) {
        // A record is words and numbers, and memory takes all of it.
        let Ok(body) = line::body(record, now.into()) else { return };
        let is_urgent = {
            let entries = self.permit.send(Entry { body, told: None });
            entries.capacity() < entries.max_capacity() / 2
        };
        self.bell.ring(is_urgent);
    }
}

type Answer = oneshot::Receiver<Result<u64, Unwritten>>;

fn waited_for(record: &Record, now: SystemTime) -> Result<(Entry, Answer), Unwritten> {
    let failed = |error: io::Error| {
        Unwritten::Failed(Arc::new(Error::Io(PathBuf::from("audit"), "make a record", error)))
    };
    let body = line::body(record, now.into()).map_err(failed)?;
    let (told, answer) = oneshot::channel();
    Ok((Entry { body, told: Some(told) }, answer))
}
