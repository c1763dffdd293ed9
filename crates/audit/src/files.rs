//! The files of a log as a reader finds them.

use crate::error::Error;
use crate::line;
use crate::note::Note;
use crate::segment::{Chain, Start, folder, list_finished, number};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How often the names in a folder are listed until they stay the same meanwhile: a log may be being written.
const LISTINGS_MAX: usize = 5;

/// A segment, open, so that it stays the same file whatever name it gets.
pub(crate) struct SegmentFile {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) bytes: u64,
    /// What its first record says; nothing if it is none that begins a segment.
    pub(crate) start: Option<(Start, Chain)>,
    /// Where it stands among the others.
    seq_first: u64,
}

/// The files of a log, in order.
pub struct Files {
    pub(crate) segments: Vec<SegmentFile>,
    /// The checkpoints that lie beside them.
    pub(crate) checkpoints: Vec<Note>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&PathBuf> = self.segments.iter().map(|segment| &segment.path).collect();
        f.debug_struct("Files").field("segments", &paths).finish_non_exhaustive()
    }
}

impl Files {
    /// Opens segments: each file named, and each file of a folder named that ends in `.jsonl`. Checkpoints count that lie
    /// in such a folder, or beside a file that is not finished.
    ///
    /// # Errors
    /// What cannot be read, or is no segment and holds nothing of one.
    pub fn open(paths: &[PathBuf]) -> Result<Files, Error> {
        let mut listed = list(paths)?;
        for _ in 0..LISTINGS_MAX {
            // Checkpoints first: the records that they cover are there then.
            let mut checkpoints = Vec::new();
            for path in &listed.checkpoints {
                let text = fs::read(path).map_err(Error::io(path, "read the checkpoints"))?;
                checkpoints.extend(Note::parse_all(text));
            }
            let segments = listed.segments.iter().map(|path| SegmentFile::open(path));
            let segments = segments.collect::<Result<Vec<SegmentFile>, Error>>();
            let again = list(paths)?;
            if again == listed {
                let mut segments = segments?;
                segments.sort_by_key(|segment| segment.seq_first);
                return Ok(Files { segments, checkpoints });
            }
            // A file that could not be opened may have got another name meanwhile.
            listed = again;
        }
        let path = paths.first().cloned().unwrap_or_default();
        Err(Error::Io(path, "list the files", std::io::Error::other("they change all the time")))
    }

    /// Opens the log that is written to `path`, with its finished segments and checkpoints.
    ///
    /// # Errors
    /// As for [`open`](Files::open).
    pub fn of_log(path: &Path) -> Result<Files, Error> {
        let listing = || Error::io(folder(path), "list the files of the audit");
        let mut paths = list_finished(path).map_err(listing())?;
        // Between two files there is none with the log's own name.
        if paths.is_empty() || path.exists() {
            paths.push(path.to_owned());
        }
        Files::open(&paths)
    }

    /// How long they are together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Hands out the records in order, as they stand there, until it is told to stop. Nothing is checked, but what stands
    /// behind the end of a segment is left out, as [`verify`](crate::verify) leaves it out.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn records(&self, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), Error> {
        let mut line = Vec::new();
        for at in 0..self.segments.len() {
            let segment = &self.segments[at];
            let (seq_end, io) = (self.seq_end(at), || Error::io(&segment.path, "read the audit"));
            let mut file = &segment.file;
            file.seek(SeekFrom::Start(0)).map_err(io())?;
            let mut reader = BufReader::with_capacity(1 << 20, file);
            loop {
                line.clear();
                reader.read_until(b'\n', &mut line).map_err(io())?;
                let Some(record) = line.strip_suffix(b"\n") else { break };
                let seq = line::seq(record);
                if seq.is_some_and(|seq| seq >= seq_end) {
                    break;
                }
                if !each(record) {
                    return Ok(());
                }
                if seq.is_some_and(|seq| seq + 1 == seq_end) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// From which record on the lines of a segment are no part of the log: the next segment begins with it, because a
    /// write had failed.
    pub(crate) fn seq_end(&self, at: usize) -> u64 {
        let next = self.segments.get(at + 1).and_then(|segment| segment.start.as_ref());
        let next = next.filter(|(start, _)| start.reason.leaves_a_tail());
        next.map_or(u64::MAX, |(_, chain)| chain.seq_next())
    }
}

impl SegmentFile {
    fn open(path: &Path) -> Result<SegmentFile, Error> {
        let io = || Error::io(path, "read the audit");
        let mut file = File::open(path).map_err(io())?;
        let bytes = file.metadata().map_err(io())?.len();
        let mut line = Vec::new();
        BufReader::new(&file).read_until(b'\n', &mut line).map_err(io())?;
        file.seek(SeekFrom::Start(0)).map_err(io())?;
        let start = line.strip_suffix(b"\n").and_then(Start::read);
        let seq_first = start.as_ref().map(|(_, chain)| chain.seq_next());
        let seq_first = seq_first.or_else(|| number(path)).or_else(|| line::seq(&line)).unwrap_or(u64::MAX);
        Ok(SegmentFile { path: path.to_owned(), file, bytes, start, seq_first })
    }
}

/// Names of files.
#[derive(Default, Eq, PartialEq)]
struct Listed {
    segments: Vec<PathBuf>,
    checkpoints: Vec<PathBuf>,
}

fn list(paths: &[PathBuf]) -> Result<Listed, Error> {
    let mut listed = Listed::default();
    for path in paths {
        let metadata = fs::metadata(path).map_err(Error::io(path, "read the audit"))?;
        if !metadata.is_dir() {
            listed.segments.push(path.clone());
            let beside = path.with_extension("checkpoints");
            if number(path).is_none() && beside.is_file() {
                listed.checkpoints.push(beside);
            }
            continue;
        }
        let io = || Error::io(path, "list the files of the audit");
        for entry in fs::read_dir(path).map_err(io())? {
            let found = entry.map_err(io())?.path();
            match found.extension().and_then(|ending| ending.to_str()) {
                Some("jsonl") => listed.segments.push(found),
                Some("checkpoints") => listed.checkpoints.push(found),
                _ => {}
            }
        }
    }
    if listed.segments.is_empty() {
        let path = paths.first().cloned().unwrap_or_default();
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no file of an audit there (*.jsonl)");
        return Err(Error::Io(path, "read the audit", error));
    }
    listed.segments.sort();
    listed.segments.dedup();
    listed.checkpoints.sort();
    listed.checkpoints.dedup();
    Ok(listed)
}
