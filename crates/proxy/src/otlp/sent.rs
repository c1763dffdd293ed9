//! How far records were sent, in a file beside them.

use crate::config::ConfigError;
use crate::stores::StartError;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What the collector has taken.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    path: PathBuf,
    place: Place,
}

/// The file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Place {
    /// Of which log.
    origin: String,
    /// The last record.
    seq: u64,
    /// How many records the last checkpoint covers that was sent.
    checkpoint: u64,
}

impl Sent {
    /// Reads it; nothing was sent where there is no file, or one of another log.
    pub(crate) fn read(path: PathBuf, origin: &str) -> Result<Sent, StartError> {
        let place = match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice::<Place>(&text).map_err(|_invalid| wrong(&path, "is damaged"))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Place::default(),
            Err(error) => return Err(StartError::Io(path.display().to_string(), "read it", error)),
        };
        let place = match place.origin == origin {
            true => place,
            false => Place { origin: origin.to_owned(), ..Place::default() },
        };
        Ok(Sent { path, place })
    }

    /// What to do where it cannot be right.
    pub(super) fn wrong(&self, what: &str) -> ConfigError {
        wrong(&self.path, what)
    }

    pub(crate) fn seq(&self) -> u64 {
        self.place.seq
    }

    pub(crate) fn checkpoint(&self) -> u64 {
        self.place.checkpoint
    }

    pub(super) fn advance(&mut self, seq: u64, checkpoint: u64) {
        self.place.seq = seq;
        self.place.checkpoint = checkpoint;
    }

    /// Writes it, whole or not at all. That it outlives a loss of power is not waited for: then more is sent again.
    pub(super) fn write(&self) -> io::Result<()> {
        let part = self.path.with_extension("sent.part");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec(&self.place)?)?;
        fs::rename(&part, &self.path)
    }
}

fn wrong(path: &Path, what: &str) -> ConfigError {
    ConfigError::new(format!("{}: {what}: remove it, then all records are sent again", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_one_log_and_begins_anew_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.sent");
        let mut sent = Sent::read(path.clone(), "a").unwrap();
        assert_eq!((sent.seq(), sent.checkpoint()), (0, 0));
        sent.advance(7, 5);
        sent.write().unwrap();
        let again = Sent::read(path.clone(), "a").unwrap();
        assert_eq!((again.seq(), again.checkpoint()), (7, 5));
        assert_eq!(Sent::read(path.clone(), "b").unwrap().seq(), 0);
        fs::write(&path, "{\"seq\":").unwrap();
        let error = Sent::read(path, "a").unwrap_err();
        assert!(error.to_string().contains("damaged: remove it"), "{error}");
    }
}
