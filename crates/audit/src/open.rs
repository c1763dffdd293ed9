//! Opens a log: takes its lock, reads its last segment, sets aside what is torn, and goes on from there.

use crate::checkpoint::{self, Checkpoint, Checkpoints};
use crate::disk::{Disk, FileSystem};
use crate::error::Error;
use crate::key_file;
use crate::line;
use crate::note::{Note, SigningKey, VerifierKey};
use crate::record::{Kind, Record};
use crate::segment::{Chain, KeyRotated, Left, Reason, Scan, folder, list_finished, number, scan};
use crate::segments::{Active, Segments};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// How long a file becomes before the next begins, unless it is said.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// How many records may be on their way, unless it is said.
const PLACES: usize = 8192;

/// Endings of the files beside a log. None of them may be its own.
const BESIDE: [&str; 8] = ["key", "pub", "checkpoints", "lock", "torn", "left", "sent", "sock"];

/// Where a log is written and how. Beside `audit.jsonl` lie its finished segments, `audit.checkpoints`, `audit.pub`,
/// `audit.lock`, and if need be `audit.torn`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The file that is written.
    pub path: PathBuf,
    /// The file of the key that signs checkpoints, made with a new key for a new log. Default: `audit.key` beside it.
    pub key: Option<PathBuf>,
    /// A folder to which checkpoints are copied, in a file that has the name of the log's origin. It should be where
    /// nobody who can write the log can take anything away.
    pub copies: Option<PathBuf>,
    /// A folder to which finished files are copied, compressed (zstd), for others to take away. What cannot be copied now is
    /// with the next; whatever becomes of a copy, the file stays.
    pub ship: Option<PathBuf>,
    /// Whether records are written to standard output as well, when they are kept. A reader that does not keep up loses
    /// some, which their numbers show and a record tells.
    pub stdout: bool,
    /// How long a file becomes before the next begins, in bytes.
    pub segment_bytes: u64,
    /// How many records may be on their way at the same time, or have a place taken for them.
    pub places: usize,
}

impl Settings {
    /// A log in that file, everything else by default.
    pub fn new(path: impl Into<PathBuf>) -> Settings {
        let (path, segment_bytes, places) = (path.into(), SEGMENT_BYTES, PLACES);
        Settings { path, key: None, copies: None, ship: None, stdout: false, segment_bytes, places }
    }

    /// The file that says which records have been taken elsewhere, for whoever does that.
    pub fn sent_path(&self) -> PathBuf {
        self.beside("sent")
    }

    /// The socket at which whoever writes the log serves other processes, if it does. Made by them, not here.
    pub fn socket_path(&self) -> PathBuf {
        self.beside("sock")
    }

    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }

    /// The file of the key that signs checkpoints: the one that is named, or the one beside the log.
    pub fn key_path(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.beside("key"))
    }
}

/// A log that is open and that nobody else writes.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) segments: Segments,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) key: SigningKey,
    #[expect(dead_code, reason = "it is lifted when this is dropped")]
    lock: Lock,
}

/// Opens a log, or makes it, and goes on where it ends.
pub(crate) fn open(settings: &Settings, disk: Arc<dyn Disk>) -> Result<Opened, Error> {
    let path = &settings.path;
    let is_file = |path: &Path| fs::metadata(path).map_or(true, |metadata| metadata.is_file());
    let is_beside = BESIDE.iter().any(|ending| settings.beside(ending) == *path);
    if !is_file(path) || is_beside || path.file_name().is_none() {
        return Err(Error::NoFile(path.clone()));
    }
    let key_path = settings.key_path();
    let is_taken = BESIDE.iter().any(|ending| *ending != "key" && settings.beside(ending) == key_path);
    if is_taken || key_path == *path {
        return Err(Error::Key(key_path, "is a file of the audit itself: name another for its signing key"));
    }
    let lock = take_lock(&settings.beside("lock"), path)?;
    let last = checkpoint::last(&settings.beside("checkpoints"))?;
    let covered = last.as_ref().map(|(_, checkpoint)| checkpoint.size);
    let found = find(settings, covered)?;
    let size = found.scan.as_ref().map_or(0, |scan| scan.chain.tree.size());
    let Keys { key, before } = signing_keys(settings, found.scan.as_ref())?;
    let places = checkpoint_places(settings, &*disk, &key)?;
    let copied = places.get(1).map(|copy| last_copied(copy)).transpose()?.flatten();
    for (note, checkpoint) in last.into_iter().chain(copied) {
        // What no key of this log has signed says nothing of it; `verify` tells.
        if !before.iter().chain([&key]).any(|key| key.verifier().has_signed(&note) == Some(true)) {
            continue;
        }
        let root =
            found.scan.as_ref().and_then(|scan| scan.root).filter(|_| covered == Some(checkpoint.size));
        if checkpoint.size > size || root.is_some_and(|root| root != checkpoint.root) {
            return Err(Error::Rewritten(path.clone(), checkpoint.size));
        }
    }
    let checkpoints = Checkpoints::new(Arc::clone(&disk), places, covered.unwrap_or(0).min(size));
    let mut opened = Opened { segments: go_on(settings, disk, found)?, checkpoints, key, lock };
    opened.segments.copied = settings.stdout.then(Vec::new);
    opened.vouch(before, &key_path)?;
    key_file::publish(&settings.beside("pub"), &opened.key)?;
    opened.begin()?;
    Ok(opened)
}

/// The last checkpoint in the file of copies. Where they can be written and not be read, there is none.
fn last_copied(path: &Path) -> Result<Option<(Note, Checkpoint)>, Error> {
    match checkpoint::last(path) {
        Err(Error::Io(_, _, error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        last => last,
    }
}

impl Opened {
    /// Finishes a change of key that was cut off: the key `before`, if there is one, signs a checkpoint over the record that
    /// names the next.
    fn vouch(&mut self, before: Option<SigningKey>, path: &Path) -> Result<(), Error> {
        let Some(before) = before else { return Ok(()) };
        self.checkpoints.write(&self.segments.chain.tree, &before)?;
        self.checkpoints.sync();
        key_file::promote(path)
    }

    /// Writes what must be there before anything else, so that a log that cannot be written is not open.
    fn begin(&mut self) -> Result<(), Error> {
        let is_torn = self.segments.reason == Reason::Recovered;
        self.segments.begin(self.key.verifier())?;
        if is_torn {
            self.write(&Record::new(Kind::Recovered))?;
        }
        Ok(())
    }

    fn write(&mut self, record: &impl serde::Serialize) -> Result<(), Error> {
        let body = line::body(record, SystemTime::now().into())
            .map_err(Error::io(&self.segments.path, "make a record"))?;
        self.segments.write([body.as_slice()].into_iter(), self.key.verifier())
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        let result = self.checkpoints.write(&self.segments.chain.tree, &self.key);
        self.checkpoints.sync();
        result
    }
}

/// Makes a new key for a log that nobody writes now. A record names it, the old key signs a checkpoint over that, and
/// from then on the new key signs.
///
/// # Errors
/// What keeps a log from being opened or written.
pub fn rotate_key(settings: &Settings) -> Result<VerifierKey, Error> {
    let mut opened = open(settings, Arc::new(FileSystem))?;
    let path = settings.key_path();
    let next = key_file::next(&path);
    let key = key_file::create(&next, Some(opened.key.verifier().name()))?;
    opened.write(&KeyRotated::new(key.verifier()))?;
    opened.checkpoint()?;
    key_file::promote(&path)?;
    opened.key = key;
    key_file::publish(&settings.beside("pub"), &opened.key)?;
    opened.checkpoint()?;
    Ok(opened.key.verifier().clone())
}

/// The lock of a log. It is lifted by word, and not only by closing the file: a process that another thread is just
/// starting has it open as well for a moment.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Where that fails the lock ends with the process.
        self.0.unlock().unwrap_or_default();
    }
}

fn take_lock(path: &Path, log: &Path) -> Result<Lock, Error> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let file = file.map_err(Error::io(path, "open the lock of the audit"))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(log.to_owned())),
        Err(TryLockError::Error(error)) => Err(Error::Io(path.to_owned(), "lock the audit", error)),
    }
}

/// What is there of a log.
struct Found {
    /// Its last segment that has records.
    scan: Option<Scan>,
    /// Whether that is the one with the log's name.
    is_active: bool,
    /// What the file with the log's name holds, if that has not one whole record.
    torn: Vec<u8>,
}

fn find(settings: &Settings, covered: Option<u64>) -> Result<Found, Error> {
    let path = &settings.path;
    let finished = list_finished(path).map_err(Error::io(folder(path), "list the files of the audit"))?;
    let (mut torn, left) = (Vec::new(), Left::read(path));
    if path.exists() {
        match scan(path, covered, left)? {
            Ok(scan) => {
                let last = finished.last().and_then(|last| number(last));
                // An older file has been put in the place of the last; it would be given the name of one that is there.
                if last.is_some_and(|last| last >= scan.seq_first) {
                    return Err(Error::Damaged(path.clone(), scan.seq_first));
                }
                return Ok(Found { scan: Some(scan), is_active: true, torn });
            }
            Err(line) => torn = line,
        }
    }
    let scan = match finished.last() {
        None => None,
        Some(last) => match scan(last, covered, left)? {
            Ok(scan) => Some(scan),
            // It was given its number because it had a record.
            Err(_) => return Err(Error::Damaged(last.clone(), number(last).unwrap_or(0))),
        },
    };
    Ok(Found { scan, is_active: false, torn })
}

/// The keys of a log.
struct Keys {
    /// The key that the log names; for a new log, a new one.
    key: SigningKey,
    /// The key before that, if the change was cut off behind the record that names the new one, which lies beside it.
    before: Option<SigningKey>,
}

fn signing_keys(settings: &Settings, scan: Option<&Scan>) -> Result<Keys, Error> {
    let path = settings.key_path();
    let wanted = scan.map(|scan| scan.signing_key.as_str());
    let is_wanted = |key: &SigningKey| wanted.is_none_or(|wanted| wanted == key.verifier().to_string());
    let present = key_file::read(&path)?;
    if wanted.is_some()
        && present.as_ref().is_some_and(|key| !is_wanted(key))
        && let Some(key) = key_file::read(&key_file::next(&path))?.filter(is_wanted)
    {
        return Ok(Keys { key, before: present });
    }
    let key = match present {
        Some(key) if is_wanted(&key) => key,
        Some(_) => {
            return Err(Error::Key(path, "is not the key that the audit names: put that back"));
        }
        None if wanted.is_some() => {
            let what = "the audit has records, but its signing key is gone: put it back, or move the audit away and keep \
                        it";
            return Err(Error::Key(path, what));
        }
        None => key_file::create(&path, None)?,
    };
    Ok(Keys { key, before: None })
}

/// Where checkpoints are written. Each place must take them now.
fn checkpoint_places(settings: &Settings, disk: &dyn Disk, key: &SigningKey) -> Result<Vec<PathBuf>, Error> {
    let mut places = vec![settings.beside("checkpoints")];
    if let Some(copies) = &settings.copies {
        places.push(copies.join(format!("{}.checkpoints", key.verifier().name().replace('/', "-"))));
    }
    for place in &places {
        disk.append(place).map_err(Error::io(place, "open the file of checkpoints"))?;
    }
    Ok(places)
}

/// The writer of files that goes on where the log ends.
fn go_on(settings: &Settings, disk: Arc<dyn Disk>, found: Found) -> Result<Segments, Error> {
    let path = &settings.path;
    let bytes_max = settings.segment_bytes;
    let torn_path = settings.beside("torn");
    let keep =
        |torn: &[u8]| set_aside(&torn_path, torn).map_err(Error::io(&torn_path, "set a torn line aside"));
    let Some(scan) = found.scan else {
        let reason = if found.torn.is_empty() { Reason::First } else { Reason::Recovered };
        keep(&found.torn)?;
        return Ok(Segments::new(disk, path, bytes_max, Chain::new(), reason));
    };
    if !found.is_active {
        // The process ended between two files.
        keep(&found.torn)?;
        let reason = scan.left.unwrap_or(Reason::Recovered);
        let mut segments = Segments::new(disk, path, bytes_max, scan.chain, reason);
        segments.is_marked = scan.left.is_some();
        return Ok(segments);
    }
    if let Some(reason) = scan.left {
        // Never written again: what another wait for the disk would say of it is not to be believed.
        let mut segments = Segments::new(disk, path, bytes_max, scan.chain, reason);
        (segments.left, segments.is_marked) = (Some(scan.seq_first), true);
        return Ok(segments);
    }
    let mut reason = Reason::Size;
    if !scan.torn.is_empty() {
        keep(&scan.torn)?;
        let file = OpenOptions::new().write(true).open(path);
        file.and_then(|file| file.set_len(scan.bytes).and_then(|()| file.sync_all()))
            .map_err(Error::io(path, "cut a torn line off"))?;
        reason = Reason::Recovered;
    }
    let mut file = disk.append(path).map_err(Error::io(path, "open the audit"))?;
    // What the last writer wrote may not have reached the disk.
    file.sync().map_err(Error::io(path, "write the audit"))?;
    let active = Active { file, seq_first: scan.seq_first, bytes: scan.bytes };
    let mut segments = Segments::new(disk, path, bytes_max, scan.chain, reason);
    segments.active = Some(active);
    Ok(segments)
}

/// Appends what cannot be used to a file beside the log.
fn set_aside(path: &Path, torn: &[u8]) -> io::Result<()> {
    if torn.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(torn)?;
    file.write_all(b"\n")?;
    file.sync_all()
}
