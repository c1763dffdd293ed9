//! Writes the files of a log, one after the other.

use crate::disk::{Disk, DiskFile};
use crate::error::Error;
use crate::note::VerifierKey;
use crate::segment::{Chain, Reason, Start, finished, folder};
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
    /// Up to the last record that has reached the disk.
    pub(crate) chain: Chain,
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
        Segments { disk, path, bytes_max, active: None, left: None, reason, chain, buf }
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
    }

    fn start(&mut self, key: &VerifierKey) -> io::Result<()> {
        match self.left {
            Some(seq_first) => {
                self.disk.rename(&self.path, &finished(&self.path, seq_first))?;
                self.left = None;
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
        Ok(())
    }
}
