//! The file of the key that signs checkpoints, and the change to another key.

use crate::disk::{Disk, FileSystem};
use crate::error::Error;
use crate::note::SigningKey;
use crate::segment::folder;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of the text of a key; names are far shorter than this allows.
const TEXT_BYTES_MAX: u64 = 4096;
/// What the names of logs begin with.
const ORIGIN: &str = "obelus.audit/";

/// The key in a file; nothing if there is none.
///
/// # Errors
/// A file that others than its owner may use, that cannot be read, or that holds something else.
pub(crate) fn read(path: &Path) -> Result<Option<SigningKey>, Error> {
    let io = || Error::io(path, "read the signing key");
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io())?,
    };
    let metadata = file.metadata().map_err(io())?;
    if !metadata.is_file() {
        return Err(Error::NoFile(path.to_owned()));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let what = "others than its owner may use the signing key: run chmod 600 on it, and rotate it if somebody may \
                    have read it";
        return Err(Error::Key(path.to_owned(), what));
    }
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.take(TEXT_BYTES_MAX).read_to_string(&mut text).map_err(io())?;
    let key = SigningKey::parse(&text);
    key.map(Some).ok_or_else(|| Error::Key(path.to_owned(), "holds no signing key: put the right file back"))
}

/// Makes a file with a new key for a new log, or for one of that name.
pub(crate) fn create(path: &Path, name: Option<&str>) -> Result<SigningKey, Error> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => new_origin()?,
    };
    let text = SigningKey::generate(&name).ok_or(Error::Random)?;
    replace(path, text.as_bytes()).map_err(Error::io(path, "make the signing key"))?;
    SigningKey::parse(&text).ok_or(Error::Random)
}

/// Writes the public key into a file of its own, to be given to others, if it does not stand there yet.
pub(crate) fn publish(path: &Path, key: &SigningKey) -> Result<(), Error> {
    let text = format!("{}\n", key.verifier());
    if fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    replace(path, text.as_bytes()).map_err(Error::io(path, "write the public key"))
}

/// Where the next key lies until the log says that it is in use.
pub(crate) fn next(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

/// A name that no other log has.
fn new_origin() -> Result<String, Error> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).or(Err(Error::Random))?;
    Ok(format!("{ORIGIN}{:016x}", u64::from_be_bytes(bytes)))
}

/// Puts the next key in the place of the one that was in use.
pub(crate) fn promote(path: &Path) -> Result<(), Error> {
    let moved = fs::rename(next(path), path).and_then(|()| FileSystem.sync_folder(folder(path)));
    moved.map_err(Error::io(path, "put the new key in the place of the old"))
}

/// Writes a file for its owner alone, which appears whole or not at all, and outlives a loss of power: records are to
/// name a key only if it is there.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(content).and_then(|()| file.sync_all())?;
    fs::rename(&draft, path)?;
    FileSystem.sync_folder(folder(path))
}
