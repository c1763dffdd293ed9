//! The thread that writes: takes what has come, writes all of it with one wait for the disk, and tells who waits.

use crate::error::Unwritten;
use crate::follow::Kept;
use crate::line;
use crate::open::{Opened, Settings};
use crate::record::{Kind, Record};
use crate::segments::Segments;
use crate::sink::{self, Sink};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{oneshot, watch};

/// How many records are written at once. More than come while the disk takes others, so that nobody waits for a place
/// meanwhile.
const BATCH_MAX: usize = 16_384;
/// How long a record waits for others before it is written, if nobody waits for it. What the disk takes comes on top:
/// together less than 50 ms where that is below 15 ms.
const GROUP_TIME: Duration = Duration::from_millis(20);
/// How long after a failure the next attempt is.
const RETRY_TIME: Duration = Duration::from_secs(1);
/// How long the end of a log is put off for places that are taken and not used.
const FAREWELL: Duration = Duration::from_secs(1);

/// A record on its way.
pub(crate) struct Entry {
    /// Its members from `time` on.
    pub(crate) body: Vec<u8>,
    /// Who waits until it is kept.
    pub(crate) told: Option<oneshot::Sender<Result<u64, Unwritten>>>,
}

/// What the thread and those who append know of each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Why the last write failed.
    fault: Mutex<Option<Unwritten>>,
    /// Whether the thread sleeps until somebody wakes it.
    pub(crate) is_idle: AtomicBool,
    pub(crate) is_closing: AtomicBool,
}

impl Shared {
    pub(crate) fn fault(&self) -> Option<Unwritten> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_fault(&self, fault: Option<Unwritten>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// Where records go as well.
#[derive(Debug, Default)]
pub(crate) struct Sinks {
    ship: Option<Sink<()>>,
    stdout: Option<Sink<Vec<u8>>>,
    /// Whether it was told that one of them fails.
    has_failed: bool,
}

impl Sinks {
    /// Begins those that the settings name.
    pub(crate) fn begin(settings: &Settings) -> io::Result<Sinks> {
        let ship = settings.ship.clone().map(|folder| {
            // Now, rather than when the first file is finished.
            if !folder.is_dir() {
                let what =
                    format!("{} is no folder: make it, or name another in audit.ship", folder.display());
                return Err(io::Error::other(what));
            }
            sink::shipping(settings.path.clone(), folder)
        });
        let stdout = settings.stdout.then(sink::standard_output);
        Ok(Sinks { ship: ship.transpose()?, stdout: stdout.transpose()?, has_failed: false })
    }

    /// Hands on what has reached the disk. Says whether it is to be told that one of them fails.
    fn pass_on(&mut self, segments: &mut Segments) -> bool {
        if let Some(stdout) = &self.stdout
            && let Some(lines) = segments.copied.replace(Vec::new()).filter(|lines| !lines.is_empty())
        {
            stdout.give(lines);
        }
        if std::mem::take(&mut segments.has_finished)
            && let Some(ship) = &self.ship
        {
            ship.give(());
        }
        let is_failing = self.ship.as_ref().is_some_and(Sink::is_failing)
            || self.stdout.as_ref().is_some_and(Sink::is_failing);
        let had_failed = std::mem::replace(&mut self.has_failed, is_failing);
        is_failing && !had_failed
    }

    fn end(self) {
        self.ship.into_iter().for_each(Sink::end);
        self.stdout.into_iter().for_each(Sink::end);
    }
}

/// What the thread works with.
pub(crate) struct Writer {
    opened: Opened,
    sinks: Sinks,
    entries: Receiver<Entry>,
    shared: Arc<Shared>,
    /// Tells followers how far the log is; dropped when nothing more comes.
    kept: watch::Sender<Kept>,
    batch: Vec<Entry>,
    /// When the batch must be written.
    due: Option<Instant>,
    /// When the next attempt is, after one has failed.
    retry_at: Option<Instant>,
    /// Until when others may still use places that they have taken.
    end_at: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(
        mut opened: Opened,
        sinks: Sinks,
        entries: Receiver<Entry>,
        shared: Arc<Shared>,
        kept: watch::Sender<Kept>,
    ) -> Writer {
        // Those that were finished before, too.
        opened.segments.has_finished = true;
        let (batch, due, retry_at, end_at) = (Vec::new(), None, None, None);
        let mut writer = Writer { opened, sinks, entries, shared, kept, batch, due, retry_at, end_at };
        let size = writer.opened.segments.chain.tree.size();
        writer.opened.checkpoints.grown(size, Instant::now());
        writer.publish();
        writer
    }

    /// Writes until the log is closed.
    pub(crate) fn run(mut self) {
        loop {
            // Said before looking, so that whoever sends after the look wakes the thread.
            self.shared.is_idle.store(true, Ordering::SeqCst);
            let is_open = self.take();
            let now = Instant::now();
            if self.write_at().is_some_and(|at| at <= now) {
                self.write(now);
                continue;
            }
            if !is_open {
                break;
            }
            if !self.batch.is_empty() {
                self.shared.is_idle.store(false, Ordering::SeqCst);
            }
            match self.write_at().into_iter().chain(self.end_at).min() {
                Some(at) => thread::park_timeout(at.saturating_duration_since(now)),
                None => thread::park(),
            }
        }
        self.end();
    }

    /// Takes what has come. Says whether more can come.
    fn take(&mut self) -> bool {
        let is_closing = self.shared.is_closing.load(Ordering::SeqCst);
        if is_closing && self.end_at.is_none() {
            self.entries.close();
            self.end_at = Some(Instant::now() + FAREWELL);
        }
        while self.batch.len() < BATCH_MAX {
            match self.entries.try_recv() {
                Ok(entry) => self.add(entry),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.end_at.is_none_or(|at| Instant::now() < at)
    }

    fn add(&mut self, entry: Entry) {
        let now = Instant::now();
        if entry.told.is_some() || self.end_at.is_some() {
            self.due = Some(now);
        }
        self.due.get_or_insert(now + GROUP_TIME);
        self.batch.push(entry);
        if self.batch.len() >= BATCH_MAX / 2 {
            self.due = Some(now);
        }
    }

    /// When something is to be written next.
    fn write_at(&self) -> Option<Instant> {
        let size = self.opened.segments.chain.tree.size();
        let checkpoint = self.opened.checkpoints.due(size);
        self.retry_at.or_else(|| self.due.into_iter().chain(checkpoint).min())
    }

    /// Writes the batch, and a checkpoint if it is time.
    fn write(&mut self, now: Instant) {
        let Opened { segments, key, .. } = &mut self.opened;
        let written = segments.write(self.batch.iter().map(|entry| entry.body.as_slice()), key.verifier());
        if let Err(error) = written {
            self.fail(Unwritten::Failed(Arc::new(error)), now);
            return;
        }
        if self.retry_at.take().is_some() {
            self.shared.set_fault(None);
        }
        self.due = None;
        // Before anybody is told: who is told that a record is kept can follow to it.
        self.publish();
        let Opened { segments, checkpoints, .. } = &mut self.opened;
        let size = segments.chain.tree.size();
        // Another segment may have begun before them.
        let seq_first = size - self.batch.len() as u64;
        for (seq, entry) in (seq_first + 1..).zip(self.batch.drain(..)) {
            if let Some(told) = entry.told {
                // Whoever waits no longer needs no answer.
                drop(told.send(Ok(seq)));
            }
        }
        checkpoints.grown(size, now);
        let is_told = self.sinks.pass_on(segments);
        let is_due = checkpoints.due(size).is_some_and(|at| at <= now);
        if is_told {
            self.tell(Kind::CopyFailed);
        }
        if is_due {
            self.checkpoint();
        }
    }

    /// Tells followers how far the log is.
    fn publish(&mut self) {
        let Opened { segments, checkpoints, .. } = &self.opened;
        // One that was abandoned keeps its name until the next begins.
        let segment = segments.active.as_ref().map(|active| active.seq_first);
        let segment = segment.unwrap_or_else(|| self.kept.borrow().segment);
        let seq = segments.chain.tree.size();
        self.kept.send_replace(Kept { seq, segment, checkpoint: checkpoints.newest().cloned() });
    }

    /// Adds a record of the log's own.
    fn tell(&mut self, kind: Kind) {
        if let Ok(body) = line::body(&Record::new(kind), SystemTime::now().into()) {
            self.add(Entry { body, told: None });
        }
    }

    /// Tells who waits; the others' records are kept for the next attempt.
    fn fail(&mut self, fault: Unwritten, now: Instant) {
        self.shared.set_fault(Some(fault.clone()));
        self.retry_at = Some(now + RETRY_TIME);
        let (waiting, kept) = self.batch.drain(..).partition(|entry: &Entry| entry.told.is_some());
        self.batch = kept;
        for told in waiting.into_iter().filter_map(|entry: Entry| entry.told) {
            drop(told.send(Err(fault.clone())));
        }
    }

    fn checkpoint(&mut self) {
        let Opened { segments, checkpoints, key, .. } = &mut self.opened;
        if checkpoints.write(&segments.chain.tree, key).is_err() {
            self.tell(Kind::CheckpointFailed);
        }
        self.publish();
    }

    /// The last records and a checkpoint over them.
    fn end(mut self) {
        if !self.batch.is_empty() {
            self.write(Instant::now());
        }
        self.checkpoint();
        self.opened.checkpoints.sync();
        self.sinks.pass_on(&mut self.opened.segments);
        self.sinks.end();
    }
}
