//! The file.

use crate::record::{Kind, Line, Record};
use serde::Deserialize;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest line that is looked for at the end of a file, in bytes. Records are far shorter.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Appends records to a file. One process writes it, under a lock that the system lifts when the process ends.
///
/// A record is with the system when [`append`](Log::append) returns: it outlives the process, not a loss of power.
pub struct Log {
    file: File,
    path: PathBuf,
    seq_next: u64,
    line: Vec<u8>,
    is_broken: bool,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("path", &self.path)
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

/// Why a log cannot be opened or written.
#[derive(Debug)]
pub enum Error {
    /// The system's reason, and what was tried.
    Io(PathBuf, &'static str, io::Error),
    /// Another process writes the file.
    Locked(PathBuf),
    /// The last whole line is no record.
    Damaged(PathBuf),
    /// A write failed before. What the file holds since is not known, so nothing more is written.
    Broken(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(path, doing, error) => write!(f, "{}: cannot {doing}: {error}", path.display()),
            Error::Locked(path) => {
                write!(
                    f,
                    "{}: another process writes this audit: stop it or name another file",
                    path.display()
                )
            }
            Error::Damaged(path) => {
                write!(f, "{}: the last line is no record: move the file away and keep it", path.display())
            }
            Error::Broken(path) => {
                write!(
                    f,
                    "{}: a write has failed: make room or repair the disk, then restart",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for Error {}

/// What must be read of the last line to go on from it.
#[derive(Deserialize)]
struct Last {
    seq: u64,
}

impl Log {
    /// Opens a file, or makes it, readable by its owner alone, and goes on counting where it ends.
    ///
    /// A last line without its end is moved to a file beside it, with `.torn` behind the name, and a record says so.
    ///
    /// # Errors
    /// A file that cannot be opened, is written by another process, or does not end with a record.
    pub fn open(path: &Path, now: SystemTime) -> Result<Log, Error> {
        let io = |doing| move |error| Error::Io(path.to_owned(), doing, error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(io("open the audit"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => {
                return Err(Error::Io(path.to_owned(), "lock the audit", error));
            }
        }
        let (mut tail, tail_at) = tail(&mut file).map_err(io("read the audit"))?;
        let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let torn = tail.split_off(whole);
        if !torn.is_empty() {
            set_aside(path, &torn).map_err(io("set a torn line aside"))?;
            file.set_len(tail_at + whole as u64).map_err(io("cut a torn line"))?;
        }
        let seq_next = seq_next(&tail, tail_at).ok_or_else(|| Error::Damaged(path.to_owned()))?;
        let mut log = Log { file, path: path.to_owned(), seq_next, line: Vec::new(), is_broken: false };
        if !torn.is_empty() {
            log.append(&Record::new(Kind::Recovered), now)?;
        }
        Ok(log)
    }

    /// Writes one record with the next number. When this returns `Ok`, the system has it.
    ///
    /// # Errors
    /// A write that fails. The log is broken from then on: what a repeated write would do is not known.
    pub fn append(&mut self, record: &Record, now: SystemTime) -> Result<u64, Error> {
        if self.is_broken {
            return Err(Error::Broken(self.path.clone()));
        }
        let seq = self.seq_next;
        self.line.clear();
        let line = Line { seq, time: now.into(), record };
        let written = serde_json::to_writer(&mut self.line, &line).map_err(io::Error::from).and_then(|()| {
            self.line.push(b'\n');
            self.file.write_all(&self.line)
        });
        if let Err(error) = written {
            self.is_broken = true;
            return Err(Error::Io(self.path.clone(), "write the audit", error));
        }
        self.seq_next += 1;
        Ok(seq)
    }

    /// Whether a write has failed.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }
}

/// The end of the file, and where it begins.
fn tail(file: &mut File) -> io::Result<(Vec<u8>, u64)> {
    let len = file.metadata()?.len();
    let at = len.saturating_sub(LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(len - at).read_to_end(&mut bytes)?;
    Ok((bytes, at))
}

/// Appends what cannot be used to a file beside the log.
fn set_aside(path: &Path, torn: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".torn");
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(PathBuf::from(name))?;
    file.write_all(torn)?;
    file.write_all(b"\n")
}

/// The number behind the last line, if that is a record; 1 for an empty file.
fn seq_next(tail: &[u8], tail_at: u64) -> Option<u64> {
    let Some(lines) = tail.strip_suffix(b"\n") else { return (tail.is_empty() && tail_at == 0).then_some(1) };
    let last = lines.rsplit(|&byte| byte == b'\n').next()?;
    serde_json::from_slice::<Last>(last).ok()?.seq.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Actor, Decision, Word};
    use std::fs;

    fn record() -> Record {
        let actor = Actor { key: Word::new("k1").unwrap(), workflow: Word::new("support").unwrap() };
        Record {
            request_id: Word::new("r1"),
            actor: Some(actor),
            decision: Some(Decision::Allow),
            redactions: [("email", 2)].into(),
            ..Record::new(Kind::ModelRequest)
        }
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_record_is_in_the_file_when_append_returns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut log = Log::open(&path, SystemTime::UNIX_EPOCH).unwrap();
        log.append(&record(), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            concat!(
                r#"{"seq":1,"time":"1970-01-01T00:00:00.000000Z","kind":"model_request","request_id":"r1","#,
                r#""actor":{"key":"k1","workflow":"support"},"decision":"allow","redactions":{"email":2}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn numbers_go_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        for _ in 0..3 {
            let mut log = Log::open(&path, SystemTime::now()).unwrap();
            log.append(&record(), SystemTime::now()).unwrap();
        }
        let numbers: Vec<_> = lines(&path).iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3]);
    }

    #[test]
    fn one_process_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let first = Log::open(&path, SystemTime::now()).unwrap();
        assert!(matches!(Log::open(&path, SystemTime::now()), Err(Error::Locked(_))));
        drop(first);
        Log::open(&path, SystemTime::now()).unwrap();
    }

    #[test]
    fn a_torn_line_is_set_aside_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        Log::open(&path, SystemTime::now()).unwrap().append(&record(), SystemTime::now()).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"seq\":2,\"ti"].concat()).unwrap();
        Log::open(&path, SystemTime::now()).unwrap().append(&record(), SystemTime::now()).unwrap();
        let kinds: Vec<_> = lines(&path).iter().map(|line| line["kind"].clone()).collect();
        assert_eq!(kinds, ["model_request", "recovered", "model_request"]);
        assert_eq!(fs::read(folder.path().join("audit.jsonl.torn")).unwrap(), b"{\"seq\":2,\"ti\n");
    }

    #[test]
    fn a_file_that_does_not_end_with_a_record_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "no record\n").unwrap();
        assert!(matches!(Log::open(&path, SystemTime::now()), Err(Error::Damaged(_))));
        assert_eq!(fs::read(&path).unwrap(), b"no record\n");
    }

    #[test]
    fn a_log_that_could_not_write_is_broken() {
        // A device that takes nothing.
        let mut log = Log::open(Path::new("/dev/full"), SystemTime::now()).unwrap();
        assert!(matches!(log.append(&record(), SystemTime::now()), Err(Error::Io(..))));
        assert!(matches!(log.append(&record(), SystemTime::now()), Err(Error::Broken(_))));
        assert!(log.is_broken());
    }
}
