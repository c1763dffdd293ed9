//! Segments: the files that a log consists of, how they are named and how each begins.
//!
//! The one that is written has the name of the log, `audit.jsonl`; when it is finished, it gets the number of its first
//! record, `audit-00000000000000000001.jsonl`. The first record of each says all that is needed to go on from there, so
//! that opening a log reads its last segment alone and a reader can check segments side by side.

use crate::error::Error;
use crate::line::{self, NO_PREV};
use crate::note::VerifierKey;
use crate::record::Kind;
use crate::time::Utc;
use crate::tree::{Hash, Tree, hex_text, unhex};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Digits of the number in the name of a finished segment.
const NUMBER_DIGITS: usize = 20;

/// How far a chain is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Chain {
    /// The tree over all records; its size is the last `seq`.
    pub(crate) tree: Tree,
    /// The hash of the last record.
    pub(crate) prev: Hash,
}

impl Chain {
    /// Before the first record.
    pub(crate) fn new() -> Chain {
        Chain { tree: Tree::default(), prev: NO_PREV }
    }

    pub(crate) fn seq_next(&self) -> u64 {
        self.tree.size() + 1
    }

    /// Writes the next line.
    pub(crate) fn append(&mut self, out: &mut Vec<u8>, body: &[u8]) -> io::Result<()> {
        self.prev = line::write(out, self.seq_next(), body, &self.prev)?;
        self.tree.push(self.prev);
        Ok(())
    }

    /// Goes on by a line, if it is the next.
    pub(crate) fn follow(&mut self, line: &[u8]) -> bool {
        match line::read(line) {
            Ok(link) if link.seq == self.seq_next() && link.prev == self.prev => {
                self.prev = link.hash;
                self.tree.push(link.hash);
                true
            }
            _ => false,
        }
    }
}

/// Why a segment begins.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The log does.
    First,
    /// The one before was long enough.
    Size,
    /// The one before ends with something that is no record, or could not be gone on with.
    Recovered,
    /// A write to the one before failed.
    WriteFailed,
    /// It is not known whether the last writes to the one before have reached the disk.
    SyncFailed,
}

impl Reason {
    /// Whether the file before may hold lines that are not part of the log.
    pub(crate) fn leaves_a_tail(self) -> bool {
        !matches!(self, Reason::First | Reason::Size)
    }
}

/// What the first record of a segment says beside its place in the chain.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Start {
    pub(crate) reason: Reason,
    /// The public key whose checkpoints are valid from here on. Its name is the log's.
    pub(crate) signing_key: String,
    /// The subtrees over all records before this one, the largest first.
    pub(crate) tree: Vec<String>,
    /// The process that writes, and the boot of the machine that it belongs to, where the system names boots.
    pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_id: Option<String>,
}

/// A first record as it is written.
#[derive(Serialize)]
struct StartRecord<'a> {
    kind: Kind,
    segment: &'a Start,
}

/// A first record as it is read.
#[derive(Deserialize)]
struct StartLine {
    segment: Start,
}

impl Start {
    /// The body of the first record of a segment that goes on from there.
    pub(crate) fn body(reason: Reason, key: &VerifierKey, chain: &Chain, now: Utc) -> io::Result<Vec<u8>> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let start = Start {
            reason,
            signing_key: key.to_string(),
            tree: chain.tree.peaks().iter().map(hex_text).collect(),
            pid: std::process::id(),
            boot_id: boot_id.map(|id| id.trim().to_owned()),
        };
        line::body(&StartRecord { kind: Kind::SegmentStarted, segment: &start }, now)
    }

    /// What a line says that begins a segment, and the chain up to it.
    pub(crate) fn read(line: &[u8]) -> Option<(Start, Chain)> {
        let link = line::read(line).ok()?;
        if !line::is_kind(line, "segment_started") {
            return None;
        }
        let StartLine { segment } = serde_json::from_slice(line).ok()?;
        let peaks: Option<Vec<Hash>> = segment.tree.iter().map(|peak| unhex(peak.as_bytes())).collect();
        let tree = Tree::from_peaks(link.seq.checked_sub(1)?, peaks?)?;
        Some((segment, Chain { tree, prev: link.prev }))
    }
}

/// The record that another key signs from here on.
#[derive(Deserialize, Serialize)]
pub(crate) struct KeyRotated {
    kind: Kind,
    pub(crate) signing_key: String,
}

impl KeyRotated {
    pub(crate) fn new(key: &VerifierKey) -> KeyRotated {
        KeyRotated { kind: Kind::KeyRotated, signing_key: key.to_string() }
    }

    /// The key that a line names, if that is what it is about.
    pub(crate) fn read(line: &[u8]) -> Option<String> {
        if !line::is_kind(line, "key_rotated") {
            return None;
        }
        serde_json::from_slice::<KeyRotated>(line).ok().map(|record| record.signing_key)
    }
}

/// The name of a finished segment.
pub(crate) fn finished(path: &Path, seq_first: u64) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{seq_first:0NUMBER_DIGITS$}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The finished segments of a log, the oldest first.
pub(crate) fn list_finished(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let other = entry?.path();
        if let Some(seq_first) = number(&other)
            && finished(path, seq_first).file_name() == other.file_name()
        {
            found.push(other);
        }
    }
    // The numbers have the same length.
    found.sort();
    Ok(found)
}

/// The number in the name of a finished segment.
pub(crate) fn number(path: &Path) -> Option<u64> {
    let (_, digits) = path.file_stem()?.to_str()?.rsplit_once('-')?;
    (digits.len() == NUMBER_DIGITS).then(|| digits.parse().ok())?
}

/// The folder in which a file lies.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What a file beside the log says of a segment that was abandoned and after which none could be begun.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Left {
    pub(crate) seq_first: u64,
    /// The last record that is known to have reached the disk.
    pub(crate) seq_last: u64,
    pub(crate) reason: Reason,
}

impl Left {
    /// The file that says it.
    pub(crate) fn path(log: &Path) -> PathBuf {
        log.with_extension("left")
    }

    /// What is said, if anything is. One that was cut off while it was written says nothing.
    pub(crate) fn read(log: &Path) -> Option<Left> {
        serde_json::from_slice(&fs::read(Left::path(log)).ok()?).ok()
    }
}

/// A segment, read from its first record to its last.
pub(crate) struct Scan {
    pub(crate) seq_first: u64,
    pub(crate) chain: Chain,
    /// The key that signs at its end.
    pub(crate) signing_key: String,
    /// How long it is up to the end of its last record.
    pub(crate) bytes: u64,
    /// What stands behind that, which is no record.
    pub(crate) torn: Vec<u8>,
    /// Why it was abandoned, if it was. Lines behind its last record are no part of the log then.
    pub(crate) left: Option<Reason>,
    /// The root over the first so many records, if that was asked for and they end in this segment.
    pub(crate) root: Option<Hash>,
}

/// Reads a segment. Nothing if it has not one whole record; then only what is torn is told.
///
/// # Errors
/// A line that is no record although others follow, a file that cannot be read.
pub(crate) fn scan(
    path: &Path,
    root_at: Option<u64>,
    left: Option<Left>,
) -> Result<Result<Scan, Vec<u8>>, Error> {
    let io = || Error::io(path, "read the audit");
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(io())?);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(io())?;
    let Some((start, chain)) = line.strip_suffix(b"\n").and_then(Start::read) else {
        let is_last = reader.fill_buf().map_err(io())?.is_empty();
        let seq = line::seq(&line).unwrap_or(1);
        return if is_last { Ok(Err(line)) } else { Err(Error::Damaged(path.to_owned(), seq)) };
    };
    let mut scan = Scan {
        seq_first: chain.seq_next(),
        chain,
        signing_key: start.signing_key,
        bytes: 0,
        torn: Vec::new(),
        left: None,
        root: None,
    };
    let left = left.filter(|left| left.seq_first == scan.seq_first);
    scan.left = left.map(|left| left.reason);
    while !line.is_empty() && left.is_none_or(|left| scan.chain.tree.size() < left.seq_last) {
        let record = line.strip_suffix(b"\n").filter(|record| scan.chain.follow(record));
        let Some(record) = record else {
            if !reader.fill_buf().map_err(io())?.is_empty() {
                return Err(Error::Damaged(path.to_owned(), scan.chain.seq_next()));
            }
            scan.torn = line;
            break;
        };
        if let Some(key) = KeyRotated::read(record) {
            scan.signing_key = key;
        }
        if root_at == Some(scan.chain.tree.size()) {
            scan.root = Some(scan.chain.tree.root());
        }
        scan.bytes += line.len() as u64;
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(io())?;
    }
    if left.is_some_and(|left| scan.chain.tree.size() < left.seq_last) {
        return Err(Error::Damaged(path.to_owned(), scan.chain.seq_next()));
    }
    Ok(Ok(scan))
}
