//! Writes the files of a log, one after the other.

use crate::disk::{Disk, DiskFile};
use crate::error::Error;
use crate::note::VerifierKey;
use crate::segment::{Chain, Left, Reason, Start, finished, folder};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Writes the files of a log.
pub(crate) struct Segments {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    pub(crate) bytes_max: u64,
    /// The file that is written.
    pub(crate) active: Option<Active>,
    /// The first record of the file that has the log's name and is not written any more.
    pub(crate) left: Option<u64>,
    /// Why the next file begins.
    pub(crate) reason: Reason,
    /// Whether a file beside the log says how far it goes in a file that was abandoned.
    pub(crate) is_marked: bool,
    /// Up to the last record that has reached the disk.
    pub(crate) chain: Chain,
    /// Lines that have reached the disk since they were taken from here, where they are wanted elsewhere as well.
    pub(crate) copied: Option<Vec<u8>>,
    /// Whether a file was finished since that was asked.
    pub(crate) has_finished: bool,
    buf: Vec<u8>,
}

/// The file that is written.
pub(crate) struct Active {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) seq_first: u64,
    pub(crate) bytes: u64,
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Segments {
    /// Goes on from there with a new file.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        path: &Path,
        bytes_max: u64,
        chain: Chain,
        reason: Reason,
    ) -> Segments {
        let (path, buf) = (path.to_owned(), Vec::new());
        Segments {
            disk,
            path,
            bytes_max,
            active: None,
            left: None,
            reason,
            is_marked: false,
            chain,
            copied: None,
            has_finished: false,
            buf,
        }
    }

    /// Writes records and waits until they outlive a loss of power. When this fails, the log ends where it ended before,
    /// whatever may stand in the file: that is abandoned, since what a second attempt on it would do is not known, and
    /// the next attempt begins another.
    pub(crate) fn write<'a>(
        &mut self,
        bodies: impl Iterator<Item = &'a [u8]>,
        key: &VerifierKey,
    ) -> Result<(), Error> {
        self.begin(key)?;
        let mut chain = self.chain.clone();
        self.buf.clear();
        for body in bodies {
            chain.append(&mut self.buf, body).map_err(Error::io(&self.path, "make a record"))?;
        }
        let Some(active) = &mut self.active else { return Ok(()) };
        let written = active.file.write_all(&self.buf).map_err(|error| (error, Reason::WriteFailed));
        let synced = written.and_then(|()| active.file.sync().map_err(|error| (error, Reason::SyncFailed)));
        if let Err((error, reason)) = synced {
            self.leave(reason);
            return Err(Error::Io(self.path.clone(), "write the audit", error));
        }
        active.bytes += self.buf.len() as u64;
        self.chain = chain;
        if let Some(copied) = &mut self.copied {
            copied.extend_from_slice(&self.buf);
        }
        Ok(())
    }

    /// Sees to it that there is a file with room.
    pub(crate) fn begin(&mut self, key: &VerifierKey) -> Result<(), Error> {
        if self.active.as_ref().is_some_and(|active| active.bytes >= self.bytes_max) {
            self.leave(Reason::Size);
        }
        if self.active.is_none() {
            self.start(key).map_err(Error::io(&self.path, "begin another file of the audit"))?;
        }
        Ok(())
    }

    fn leave(&mut self, reason: Reason) {
        self.left = self.active.take().map(|active| active.seq_first);
        self.reason = reason;
        if reason.leaves_a_tail() {
            self.is_marked = true;
            // It goes on in this process without; only a restart needs it, and then what there is must do.
            self.mark().unwrap_or_default();
        }
    }

    /// Writes beside the log how far it goes: what else stands in the file that is left may be in memory only, so that who
    /// opens it next would take it for kept.
    fn mark(&self) -> io::Result<()> {
        let Some(seq_first) = self.left else { return Ok(()) };
        let left = Left { seq_first, seq_last: self.chain.tree.size(), reason: self.reason };
        let path = Left::path(&self.path);
        match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.disk.create(&path)?;
        file.write_all(&serde_json::to_vec(&left)?)?;
        file.sync()?;
        self.disk.sync_folder(folder(&self.path))
    }

    fn start(&mut self, key: &VerifierKey) -> io::Result<()> {
        match self.left {
            Some(seq_first) => {
                self.disk.rename(&self.path, &finished(&self.path, seq_first))?;
                self.left = None;
                self.has_finished = true;
            }
            // An attempt that has failed may have left a file without a record.
            None => match self.disk.remove(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        let mut chain = self.chain.clone();
        let seq_first = chain.seq_next();
        let body = Start::body(self.reason, key, &chain, SystemTime::now().into())?;
        self.buf.clear();
        chain.append(&mut self.buf, &body)?;
        let mut file = self.disk.create(&self.path)?;
        file.write_all(&self.buf)?;
        file.sync()?;
        self.disk.sync_folder(folder(&self.path))?;
        self.active = Some(Active { file, seq_first, bytes: self.buf.len() as u64 });
        self.chain = chain;
        if let Some(copied) = &mut self.copied {
            copied.extend_from_slice(&self.buf);
        }
        // One that stays is about another file than the last from here on.
        if std::mem::take(&mut self.is_marked) {
            self.disk.remove(&Left::path(&self.path)).unwrap_or_default();
        }
        Ok(())
    }
}
