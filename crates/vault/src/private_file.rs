//! Files for their owner alone.

use crate::key::random_bytes;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes a file that only its owner can read and write, where the system knows such permissions. If there is one, it
/// stays as it is.
///
/// It is written under another name, closed, and linked to the right one: nobody reads half of it, and it is never
/// closed here while SQLite has it open in the same process, which would take SQLite's locks away.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    let suffix = random_bytes().map_err(io::Error::other)?;
    name.push(format!(".{:016x}", u64::from_be_bytes(*suffix)));
    let draft = PathBuf::from(name);
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    linked.and(fs::remove_file(&draft))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// The permission bits, if they let others in.
#[cfg(unix)]
pub(crate) fn open_to_others(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
pub(crate) fn open_to_others(_: &Metadata) -> Option<u32> {
    None
}
