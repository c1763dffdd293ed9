//! Definitions of tools, pinned by hash: what a server says of a tool today is what it said before, or it is noticed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tools of one server that are kept in mind.
const TOOLS_MAX: usize = 4096;

/// What a change of a definition does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnChange {
    /// The tool is not shown and not called until it is pinned again.
    #[default]
    Stop,
    /// It is recorded, and nothing else.
    Record,
}

/// How a definition stands to its pin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pinned {
    /// Seen for the first time, and pinned from now on.
    New(String),
    /// As it was.
    Same(String),
    /// Another than the one that is pinned.
    Changed(String),
    /// There are too many tools to keep another in mind.
    Full,
}

/// The definitions of one server's tools, by hash.
pub struct Pins {
    path: Option<PathBuf>,
    on_change: OnChange,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pinned: BTreeMap<String, String>,
    /// Tools that are not described as their pins say, and the hash of how they are.
    changed: BTreeMap<String, String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    tools: BTreeMap<String, String>,
}

/// Why pins cannot be read: the file, what, what to do. One line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PinsError(String);

impl fmt::Display for PinsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PinsError {}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pins").field("on_change", &self.on_change).finish_non_exhaustive()
    }
}

impl Pins {
    /// Pins in a file, or as long as the process if there is none. A file that is not there is made when the first tool is
    /// seen. To accept a change, take the tool's line out of it.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else.
    pub fn open(path: Option<PathBuf>, on_change: OnChange) -> Result<Pins, PinsError> {
        let pinned = match &path {
            None => BTreeMap::new(),
            Some(path) => read(path)?,
        };
        Ok(Pins { path, on_change, state: Mutex::new(State { pinned, changed: BTreeMap::new() }) })
    }

    /// What a change does.
    pub fn on_change(&self) -> OnChange {
        self.on_change
    }

    /// Compares a definition with its pin, or pins it.
    ///
    /// # Errors
    /// The pin cannot be written; or the definition is no JSON.
    pub fn see(&self, tool: &str, definition: &[u8]) -> io::Result<Pinned> {
        let hash = hash(definition)?;
        let mut state = self.state();
        match state.pinned.get(tool) {
            Some(known) if *known == hash => {
                state.changed.remove(tool);
                Ok(Pinned::Same(hash))
            }
            Some(_) => {
                state.changed.insert(tool.to_owned(), hash.clone());
                Ok(Pinned::Changed(hash))
            }
            None if state.pinned.len() >= TOOLS_MAX => Ok(Pinned::Full),
            None => {
                state.pinned.insert(tool.to_owned(), hash.clone());
                if let Some(path) = &self.path
                    && let Err(error) = write(path, &state.pinned)
                {
                    state.pinned.remove(tool);
                    return Err(error);
                }
                Ok(Pinned::New(hash))
            }
        }
    }

    /// The hash of a tool as it was last described, if it was seen.
    pub fn hash_of(&self, tool: &str) -> Option<String> {
        let state = self.state();
        state.changed.get(tool).or_else(|| state.pinned.get(tool)).cloned()
    }

    /// Whether calls of a tool are stopped, because its definition has changed.
    pub fn is_stopped(&self, tool: &str) -> bool {
        self.on_change == OnChange::Stop && self.state().changed.contains_key(tool)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SHA-256 over the form of RFC 8785, in hexadecimal digits.
fn hash(definition: &[u8]) -> io::Result<String> {
    let value: serde_json::Value = serde_json::from_slice(definition)?;
    let canonical = serde_json_canonicalizer::to_vec(&value)?;
    Ok(Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, PinsError> {
    let wrong = |what: String| PinsError(format!("{}: {what}", path.display()));
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(wrong(format!("cannot read the pins of tools: {error}: check the path"))),
    };
    let file: PinFile = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("no pins of tools: {error}: mend it, or take it away to pin anew")))?;
    let is_hash = |hash: &String| {
        hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if file.tools.values().all(is_hash) {
        Ok(file.tools)
    } else {
        Err(wrong("a pin is not 64 small hexadecimal digits: mend it, or take its line out".to_owned()))
    }
}

/// The file appears whole or not at all.
fn write(path: &Path, pinned: &BTreeMap<String, String>) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(&PinFile { tools: pinned.clone() })?;
    text.push(b'\n');
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_pinned_and_a_change_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pins.json");
        let pins = Pins::open(Some(path.clone()), OnChange::Stop).expect("no file yet");
        assert!(matches!(pins.see("a", br#"{"name":"a","x":1.0}"#), Ok(Pinned::New(_))));
        assert!(!pins.is_stopped("a"));
        // Laid out otherwise it is the same.
        assert!(matches!(pins.see("a", br#"{ "x":1, "name":"\u0061" }"#), Ok(Pinned::Same(_))));
        let again = Pins::open(Some(path.clone()), OnChange::Stop).expect("a file of ours");
        assert_eq!(again.hash_of("a"), pins.hash_of("a"));
        assert!(matches!(again.see("a", br#"{"name":"a","x":2}"#), Ok(Pinned::Changed(_))));
        assert!(again.is_stopped("a"));
        // It is stopped for as long as it is another.
        assert!(matches!(again.see("a", br#"{"name":"a","x":1}"#), Ok(Pinned::Same(_))));
        assert!(!again.is_stopped("a"));
        let recorded = Pins::open(Some(path), OnChange::Record).expect("a file of ours");
        assert!(matches!(recorded.see("a", b"{}"), Ok(Pinned::Changed(_))));
        assert!(!recorded.is_stopped("a"));
    }

    #[test]
    fn what_is_no_file_of_pins_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pins.json");
        for text in ["", "[]", r#"{"tools":{"a":"x"}}"#, r#"{"tools":{},"more":1}"#] {
            fs::write(&path, text).expect("the file is written");
            let error = Pins::open(Some(path.clone()), OnChange::Stop).expect_err(text).to_string();
            assert!(error.contains("pins.json: ") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_pinned() {
        let folder = tempfile::tempdir().expect("a folder");
        let pins = Pins::open(Some(folder.path().join("no/pins.json")), OnChange::Stop).expect("no file yet");
        assert!(pins.see("a", b"{}").is_err());
        assert_eq!(pins.hash_of("a"), None);
    }
}
