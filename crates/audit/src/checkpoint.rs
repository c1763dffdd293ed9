//! Checkpoints: how many records a log has and the root of the tree over them, signed. The form is that of
//! <https://c2sp.org/tlog-checkpoint>.

use crate::disk::{Disk, DiskFile};
use crate::error::Error;
use crate::follow::SignedCheckpoint;
use crate::note::{Note, SigningKey};
use crate::sink::Sink;
use crate::tree::{Hash, Tree};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After so many records there is another.
const RECORDS_MAX: u64 = 1000;
/// After so long there is another, if there are records that none covers.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Checkpoints have some 250 bytes.
const TAIL_BYTES: u64 = 8 << 10;

/// What a checkpoint says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// Of which log.
    pub origin: String,
    /// How many records it covers: all up to this `seq`.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// What the text of a note says, if it is a checkpoint.
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let number = size.parse().ok()?;
        if origin.is_empty() || u64::to_string(&number) != size {
            return None;
        }
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        Some(Checkpoint { origin: origin.to_owned(), size: number, root })
    }

    /// The signed checkpoint of a tree. The log is named as its key is.
    pub(crate) fn sign(tree: &Tree, key: &SigningKey) -> String {
        let (origin, size, root) = (key.verifier().name(), tree.size(), STANDARD.encode(tree.root()));
        key.sign(&format!("{origin}\n{size}\n{root}\n"))
    }
}

/// Where checkpoints are written: beside the log, and where copies go.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    disk: Arc<dyn Disk>,
    places: Vec<Place>,
    /// Writes to the last place, where that is not beside the log.
    copy: Option<Sink<String>>,
    /// How many records the last one covers.
    size: u64,
    /// The last one that this process has signed.
    newest: Option<SignedCheckpoint>,
    /// Since when there are records that none covers.
    uncovered_since: Option<Instant>,
    /// Whether the last could not be written everywhere.
    has_failed: bool,
}

struct Place {
    path: PathBuf,
    file: Option<Box<dyn DiskFile>>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Checkpoints {
    /// Behind a last one over so many records.
    pub(crate) fn new(disk: Arc<dyn Disk>, paths: Vec<PathBuf>, size: u64) -> Checkpoints {
        let places = paths.into_iter().map(|path| Place { path, file: None }).collect();
        let (copy, newest, uncovered_since) = (None, None, None);
        Checkpoints { disk, places, copy, size, newest, uncovered_since, has_failed: false }
    }

    /// From now on copies are written by a thread of their own: a folder elsewhere may hang.
    ///
    /// # Errors
    /// The system begins no thread.
    pub(crate) fn write_copies_aside(&mut self) -> io::Result<()> {
        // The first place is beside the log.
        if self.places.len() > 1
            && let Some(mut place) = self.places.pop()
        {
            let disk = Arc::clone(&self.disk);
            self.copy = Some(Sink::spawn(move |note: String| {
                let written = place.write(&*disk, &note).and_then(|()| place.sync());
                written.inspect_err(|_| place.file = None)
            })?);
        }
        Ok(())
    }

    /// The last one that this process has signed.
    pub(crate) fn newest(&self) -> Option<&SignedCheckpoint> {
        self.newest.as_ref()
    }

    /// Takes note that the log has grown to so many records.
    pub(crate) fn grown(&mut self, size: u64, now: Instant) {
        if size > self.size && self.uncovered_since.is_none() {
            self.uncovered_since = Some(now);
        }
    }

    /// When the next is due, for a log of so many records.
    pub(crate) fn due(&self, size: u64) -> Option<Instant> {
        let since = self.uncovered_since?;
        if size - self.size >= RECORDS_MAX { Some(since) } else { Some(since + TIME_MAX) }
    }

    /// Writes a checkpoint of what has reached the disk. The path is one to which it could not be written, told once
    /// for as long as that lasts.
    pub(crate) fn write(&mut self, tree: &Tree, key: &SigningKey) -> Result<(), Error> {
        let note = Checkpoint::sign(tree, key);
        self.newest = Some(SignedCheckpoint { size: tree.size(), note: note.as_str().into() });
        let mut result = Ok(());
        for place in &mut self.places {
            if let Err(error) = place.write(&*self.disk, &note) {
                place.file = None;
                result = Err(Error::Io(place.path.clone(), "write a checkpoint", error));
            }
        }
        if let Some(copy) = &self.copy {
            // Of the one before: this one is on its way.
            if copy.is_failing() {
                result = Err(Error::Io(
                    PathBuf::new(),
                    "write a copy of a checkpoint",
                    io::Error::other("it failed"),
                ));
            }
            copy.give(note);
        }
        self.size = tree.size();
        self.uncovered_since = None;
        if std::mem::replace(&mut self.has_failed, result.is_err()) { Ok(()) } else { result }
    }

    /// Waits until all of them outlive a loss of power.
    pub(crate) fn sync(&mut self) {
        if let Some(copy) = self.copy.take() {
            copy.end();
        }
        for place in &mut self.places {
            // A checkpoint that is lost is made up for by the next; records are what must not be.
            place.sync().unwrap_or_default();
        }
    }
}

impl Place {
    fn sync(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.sync())
    }

    fn write(&mut self, disk: &dyn Disk, note: &str) -> io::Result<()> {
        if self.file.is_none() {
            let mut file = disk.append(&self.path)?;
            // What was being written when the last writer stopped is a note of its own, which is none.
            if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > 0) {
                file.write_all(b"\n\n")?;
            }
            self.file = Some(file);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(note.as_bytes()))
    }
}

/// The last checkpoint in a file; nothing if there is none.
pub(crate) fn last(path: &Path) -> Result<Option<(Note, Checkpoint)>, Error> {
    let io = || Error::io(path, "read the checkpoints");
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io())?,
    };
    let len = file.metadata().map_err(io())?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES))).map_err(io())?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(io())?;
    // It may begin within a sign; a whole note begins behind a line break.
    let begin = if len > TAIL_BYTES { tail.iter().position(|&byte| byte == b'\n').unwrap_or(0) } else { 0 };
    let notes = Note::parse_all(tail.get(begin..).unwrap_or_default());
    Ok(notes.into_iter().rev().find_map(|note| Checkpoint::parse(&note.text).map(|said| (note, said))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf;

    #[test]
    fn a_checkpoint_says_what_was_signed() {
        let key = SigningKey::parse(&SigningKey::generate("example.com/log").unwrap()).unwrap();
        let mut tree = Tree::default();
        tree.push(leaf(&[b"x"]));
        let signed = Checkpoint::sign(&tree, &key);
        let notes = Note::parse_all(&signed);
        let wanted = Checkpoint { origin: "example.com/log".to_owned(), size: 1, root: tree.root() };
        assert_eq!(Checkpoint::parse(&notes[0].text), Some(wanted));
        assert_eq!(key.verifier().has_signed(&notes[0]), Some(true));
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_others_are_not() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let text = format!("example.com/behind-the-sofa\n20852163\n{root}\n");
        assert_eq!(Checkpoint::parse(&text).unwrap().size, 20_852_163);
        for other in [
            text.replace("20852163", "020852163"),
            text.replace("20852163", "+20852163"),
            text.replace("example.com/behind-the-sofa", ""),
            text.replace(root, "CsUY"),
            "example.com\n1".to_owned(),
        ] {
            assert_eq!(Checkpoint::parse(&other), None, "{other}");
        }
    }
}
