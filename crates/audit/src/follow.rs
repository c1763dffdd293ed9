//! Reads a log while it is written, for whoever takes its records elsewhere.

use crate::error::Error;
use crate::line;
use crate::segment::{finished, folder, list_finished, number};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// How far a log is, as its writer tells it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// The last record that outlives a loss of power.
    pub(crate) seq: u64,
    /// The first record of the file that is written.
    pub(crate) segment: u64,
    /// The last checkpoint that this process has written.
    pub(crate) checkpoint: Option<SignedCheckpoint>,
}

/// A checkpoint as it was signed.
#[derive(Clone, Debug)]
pub struct SignedCheckpoint {
    /// How many records it covers.
    pub size: u64,
    /// The signed note.
    pub note: Arc<str>,
}

/// A record as it stands in its file, without the line break.
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// One JSON object.
    pub text: String,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// Hands out the records of a log in order, each when it is kept.
pub struct Follower {
    path: PathBuf,
    kept: watch::Receiver<Kept>,
    /// The last record that was handed out.
    seq: u64,
    reading: Option<Reading>,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("path", &self.path).field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// The file that is read.
struct Reading {
    path: PathBuf,
    reader: BufReader<File>,
    /// Where it stands among the others, when that was looked up: the first record of the file that was written then.
    as_of: u64,
    seq_first: u64,
    /// The first record of the file behind it. Lines that say the same number here are those of a write that has failed.
    seq_end: u64,
}

impl Follower {
    /// Begins behind the record `seq`; the first is 1.
    pub(crate) fn new(path: PathBuf, kept: watch::Receiver<Kept>, seq: u64) -> Follower {
        Follower { path, kept, seq, reading: None }
    }

    /// How many records are kept and not handed out.
    pub fn behind(&self) -> u64 {
        self.kept.borrow().seq.saturating_sub(self.seq)
    }

    /// Whether it begins behind the end of the log.
    pub fn is_ahead(&self) -> bool {
        self.seq > self.kept.borrow().seq
    }

    /// The last checkpoint, if this process has written one.
    pub fn checkpoint(&self) -> Option<SignedCheckpoint> {
        self.kept.borrow().checkpoint.clone()
    }

    /// Waits until more is kept than when [`read`](Follower::read) was called last. False once the log is closed.
    pub async fn changed(&mut self) -> bool {
        self.kept.changed().await.is_ok()
    }

    /// The next records that are kept, at most so many, and no further one behind so many bytes. Reads files.
    ///
    /// Files that somebody has taken away are passed over: then the first number is not the next.
    ///
    /// # Errors
    /// What cannot be read, or does not hold the next record. What was handed out before stays handed out.
    pub fn read(&mut self, records_max: usize, bytes_max: usize) -> Result<Vec<Line>, Error> {
        let (kept, segment) = {
            let kept = self.kept.borrow_and_update();
            (kept.seq, kept.segment)
        };
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while self.seq < kept && lines.len() < records_max && bytes < bytes_max {
            let next = self.seq + 1;
            let reading = match self.reading.take() {
                Some(reading) if reading.as_of == segment && next < reading.seq_end => reading,
                Some(reading) => self.go_on(reading, next, segment)?,
                None => self.open(next, segment)?,
            };
            let reading = self.reading.insert(reading);
            // Files that were taken away.
            self.seq = self.seq.max(reading.seq_first - 1);
            let mut line = Vec::new();
            reading
                .reader
                .read_until(b'\n', &mut line)
                .map_err(Error::io(&reading.path, "read the audit"))?;
            let is_whole = line.pop() == Some(b'\n');
            let seq = line::seq(&line).filter(|_| is_whole);
            match (seq, String::from_utf8(line)) {
                (Some(seq), _) if seq <= self.seq => {}
                (Some(seq), Ok(text)) if seq == self.seq + 1 => {
                    self.seq = seq;
                    bytes += text.len();
                    lines.push(Line { seq, text });
                }
                _ => {
                    let path = reading.path.clone();
                    self.reading = None;
                    return Err(Error::Damaged(path, self.seq + 1));
                }
            }
        }
        Ok(lines)
    }

    /// The file that is read, with what is known now of the one behind it, or the one that holds `next`.
    fn go_on(&self, mut reading: Reading, next: u64, segment: u64) -> Result<Reading, Error> {
        let behind = self.begins(segment)?.into_iter().find(|first| *first > reading.seq_first);
        reading.seq_end = behind.unwrap_or(u64::MAX);
        reading.as_of = segment;
        if next < reading.seq_end { Ok(reading) } else { self.open(next, segment) }
    }

    fn open(&self, next: u64, segment: u64) -> Result<Reading, Error> {
        let begins = self.begins(segment)?;
        let at = begins.iter().rposition(|first| *first <= next).unwrap_or(0);
        let seq_first = begins.get(at).copied().unwrap_or(segment);
        let seq_end = begins.get(at + 1).copied().unwrap_or(u64::MAX);
        let mut path = self.path.clone();
        let mut file = File::open(&path);
        // Looked at afterwards: the file that is written may have got its number meanwhile.
        let numbered = finished(&path, seq_first);
        if seq_first != segment || numbered.exists() {
            file = File::open(&numbered);
            path = numbered;
        }
        let reader = BufReader::new(file.map_err(Error::io(&path, "read the audit"))?);
        Ok(Reading { path, reader, as_of: segment, seq_first, seq_end })
    }

    /// The first record of each file that is there, in order.
    fn begins(&self, segment: u64) -> Result<Vec<u64>, Error> {
        let finished = list_finished(&self.path);
        let finished = finished.map_err(Error::io(folder(&self.path), "list the files of the audit"))?;
        let numbers = finished.iter().filter_map(|path| number(path));
        let mut begins: Vec<u64> = numbers.filter(|first| *first < segment).collect();
        begins.push(segment);
        Ok(begins)
    }
}
