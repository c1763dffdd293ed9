//! Why a rule file is refused.

use std::fmt;

/// A rule file was refused. The text names the file, the entry in it and the reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PackError {
    file: String,
    entry: String,
    reason: String,
}

impl PackError {
    pub(crate) fn new(file: &str, entry: impl Into<String>, reason: impl Into<String>) -> PackError {
        PackError { file: file.to_owned(), entry: entry.into(), reason: reason.into() }
    }

    /// The name under which the file was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The entry at fault, such as `rule "customer-name"`; empty if the file as a whole is.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// What is wrong with it.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entry.is_empty() {
            write!(f, "{}: {}", self.file, self.reason)
        } else {
            write!(f, "{}: {}: {}", self.file, self.entry, self.reason)
        }
    }
}

impl std::error::Error for PackError {}
