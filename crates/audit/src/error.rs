//! Why a log cannot be opened or written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a log cannot be opened or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file, what was tried, and the system's reason.
    Io(PathBuf, &'static str, io::Error),
    /// Another process writes the log.
    Locked(PathBuf),
    /// What stands there is no plain file.
    NoFile(PathBuf),
    /// A line that is not the last is not the record that must stand there; its `seq`.
    Damaged(PathBuf, u64),
    /// The log does not hold what its last checkpoint, over so many records, says.
    Rewritten(PathBuf, u64),
    /// The file of the signing key, and what is wrong with it.
    Key(PathBuf, &'static str),
    /// The system gives no random bytes.
    Random,
}

impl Error {
    /// Names the file and what was tried.
    pub(crate) fn io<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> Error + use<'a> {
        move |error| Error::Io(path.to_owned(), doing, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(path, doing, error) => write!(f, "{}: cannot {doing}: {error}", path.display()),
            Error::Locked(path) => write!(
                f,
                "{}: another process writes this audit: stop it or name another file",
                path.display()
            ),
            Error::NoFile(path) => write!(f, "{}: is no plain file: name another", path.display()),
            Error::Damaged(path, seq) => write!(
                f,
                "{}: the record {seq} is damaged or missing: look with `obelus audit verify`, then move the audit \
                 and its key away and keep them",
                path.display()
            ),
            Error::Rewritten(path, size) => write!(
                f,
                "{}: does not hold what its checkpoint over {size} records says: look with `obelus audit verify`, \
                 then move the audit and its key away and keep them",
                path.display()
            ),
            Error::Key(path, what) => write!(f, "{}: {what}", path.display()),
            Error::Random => f.write_str("the system gives no random bytes: try again"),
        }
    }
}

impl std::error::Error for Error {}

/// Why a record is not known to be kept. What was to happen must not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Unwritten {
    /// A write has failed, and none has succeeded since.
    Failed(Arc<Error>),
    /// The log is closed.
    Closed,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwritten::Failed(error) => error.fmt(f),
            Unwritten::Closed => f.write_str("the audit is closed"),
        }
    }
}

impl std::error::Error for Unwritten {}
