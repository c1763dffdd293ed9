//! Where files are written: the file system, or in tests something that fails when it is told to.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a log does to files. What it reads it reads from the file system.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a file that is not there yet, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to write at its end, or makes it, for its owner alone.
    ///
    /// # Errors
    /// What the system says.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file away.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Waits until names in a folder outlive a loss of power.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is written.
pub trait DiskFile: Write + Send {
    /// Waits until what was written outlives a loss of power.
    ///
    /// # Errors
    /// What the system says. What the file holds since the last success is not known then.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<Box<dyn DiskFile>> {
    let file = options.append(true).mode(0o600).open(path)?;
    Ok(Box::new(file))
}

impl Disk for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        private(OpenOptions::new().create_new(true), path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        private(OpenOptions::new().create(true), path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
