//! Where bytes go: standard output, or a file that appears whole or not at all.

use crate::failure::Failure;
use crate::input::{display_name, is_stdin};
use crate::overlap::{Behind, Bell, Sender};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// Output is handed to the system in pieces of this size.
const BUF_BYTES: usize = 64 << 10;

/// An open output.
pub(crate) struct Output {
    name: String,
    writer: Writer,
    staged: Option<Staged>,
    is_stdout: bool,
}

/// Who writes.
enum Writer {
    Here(BufWriter<Sender>),
    Behind(Behind),
}

/// A written file that does not stand under its name yet. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Staged {
    temp: TempPath,
    target: PathBuf,
}

impl Output {
    /// Standard output.
    pub(crate) fn stdout() -> Result<Output, Failure> {
        let name = "standard output".to_owned();
        let writer = stdout_writer().map_err(|error| Failure::io(&name, "open it", &error))?;
        Ok(Output { name, writer: Writer::new(writer), staged: None, is_stdout: true })
    }

    /// A file: a new one beside `path` that takes its place in the end. What is no regular file, such as a device
    /// or a pipe, is written to as it stands.
    pub(crate) fn file(path: &Path) -> Result<Output, Failure> {
        let name = display_name(path);
        let fail = |error: io::Error| Failure::io(&name, "write it", &error);
        let present = fs::metadata(path).ok();
        if present.as_ref().is_some_and(|present| !present.is_file()) {
            let file = File::options().write(true).open(path).map_err(fail)?;
            let writer = Writer::new(Box::new(file));
            return Ok(Output { name, writer, staged: None, is_stdout: false });
        }
        // A link stays; the file it leads to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (file, temp) = stage(&target, present.map(|present| present.permissions())).map_err(fail)?;
        let writer = Writer::new(Box::new(file));
        Ok(Output { name, writer, staged: Some(Staged { temp, target }), is_stdout: false })
    }

    /// Lets a thread write behind from here on. If that fails, the bell rings.
    pub(crate) fn write_behind(&mut self, bell: Bell) -> io::Result<()> {
        if let Writer::Here(writer) = &mut self.writer {
            writer.flush()?;
            let nowhere: Sender = Box::new(io::sink());
            let (writer, _) = std::mem::replace(writer, BufWriter::with_capacity(0, nowhere)).into_parts();
            self.writer = Writer::Behind(Behind::new(writer, BUF_BYTES, bell)?);
        }
        Ok(())
    }

    /// Waits until what was handed on is written.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Here(_) => Ok(()),
            Writer::Behind(behind) => behind.settle(),
        }
    }

    /// Lets go of what is in the buffer, without waiting until it is written if another thread does that.
    pub(crate) fn hand_on(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::Here(writer) => writer.flush(),
            Writer::Behind(behind) => behind.hand_on(),
        }
    }

    /// Standard output for `-`, otherwise a file.
    pub(crate) fn open(path: &Path) -> Result<Output, Failure> {
        if is_stdin(path) { Output::stdout() } else { Output::file(path) }
    }

    /// For tests: anything that can be written to, as if it were standard output.
    #[cfg(test)]
    pub(crate) fn to(writer: impl Write + Send + 'static) -> Output {
        let name = "standard output".to_owned();
        Output { name, writer: Writer::new(Box::new(writer)), staged: None, is_stdout: true }
    }

    /// Whether what was written stays hidden until it is published.
    pub(crate) fn is_staged(&self) -> bool {
        self.staged.is_some()
    }

    /// Whether `error` says that the reader of standard output is gone.
    pub(crate) fn is_left(&self, error: &io::Error) -> bool {
        self.is_stdout && error.kind() == io::ErrorKind::BrokenPipe
    }

    /// Turns an error of writing into the failure it means; nothing if the reader of standard output is gone.
    pub(crate) fn failure(&self, error: &io::Error) -> Option<Failure> {
        (!self.is_left(error)).then(|| Failure::io(&self.name, "write it", error))
    }

    /// Closes what has been flushed. A staged file is handed back to be published.
    pub(crate) fn into_staged(self) -> Option<Staged> {
        self.staged
    }
}

impl Writer {
    fn new(writer: Sender) -> Writer {
        Writer::Here(BufWriter::with_capacity(BUF_BYTES, writer))
    }

    fn get(&mut self) -> &mut dyn Write {
        match self {
            Writer::Here(writer) => writer,
            Writer::Behind(behind) => behind,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.get().write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.get().write_all(bytes)
    }

    /// Waits until everything is written.
    fn flush(&mut self) -> io::Result<()> {
        self.writer.get().flush()
    }
}

impl Staged {
    /// Puts the file under its name.
    pub(crate) fn publish(self) -> Result<(), Failure> {
        let name = display_name(&self.target);
        self.temp.persist(&self.target).map_err(|error| Failure::io(&name, "put it in place", &error.error))
    }
}

/// Where `redact` writes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Target {
    Stdout,
    File(PathBuf),
    /// Each input under its own name.
    Folder(PathBuf),
}

impl Target {
    /// Understands `-o` and checks that it fits the inputs.
    pub(crate) fn new(output: Option<&Path>, inputs: &[PathBuf]) -> Result<Target, Failure> {
        let Some(path) = output else { return Ok(Target::Stdout) };
        if is_stdin(path) {
            return Ok(Target::Stdout);
        }
        if !is_folder(path) {
            return match inputs {
                [_] => Ok(Target::File(path.to_owned())),
                _ => Err(Failure::usage(format!(
                    "{}: cannot take several inputs: give -o a folder, ending in `/`",
                    display_name(path)
                ))),
            };
        }
        let mut names: Vec<&OsStr> = Vec::with_capacity(inputs.len());
        for input in inputs {
            let name = input.file_name().filter(|_| !is_stdin(input));
            let Some(name) = name else {
                return Err(Failure::usage("standard input has no name in a folder: give -o a file"));
            };
            names.push(name);
        }
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let name = display_name(Path::new(twice));
            return Err(Failure::usage(format!(
                "{name}: several inputs have this name: use one folder for each"
            )));
        }
        Ok(Target::Folder(path.to_owned()))
    }

    /// Makes the folder if there is none.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        match self {
            Target::Folder(folder) => fs::create_dir_all(folder)
                .map_err(|error| Failure::io(&display_name(folder), "make the folder", &error)),
            _ => Ok(()),
        }
    }

    /// The file that `input` is written to; nothing for standard output.
    pub(crate) fn path(&self, input: &Path) -> Option<PathBuf> {
        match self {
            Target::Stdout => None,
            Target::File(path) => Some(path.clone()),
            Target::Folder(folder) => Some(folder.join(input.file_name().unwrap_or_default())),
        }
    }
}

/// Whether two paths lead to the same file, as far as that can be told before it exists.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = fs::canonicalize(parent).ok()?;
        Some(fs::canonicalize(path).unwrap_or_else(|_| parent.join(path.file_name().unwrap_or_default())))
    };
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn is_folder(path: &Path) -> bool {
    path.is_dir()
        || path
            .as_os_str()
            .as_encoded_bytes()
            .last()
            .is_some_and(|&last| std::path::is_separator(last.into()))
}

/// Opens a new file beside `target`. It gets the permissions of the file it will replace, or those of any new file.
fn stage(target: &Path, present: Option<Permissions>) -> io::Result<(File, TempPath)> {
    let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".obelus-");
    #[cfg(unix)]
    if present.is_none() {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(Permissions::from_mode(0o666));
    }
    let (file, temp) = builder.tempfile_in(folder)?.into_parts();
    if let Some(permissions) = present {
        file.set_permissions(permissions)?;
    }
    Ok((file, temp))
}

/// Standard output without the line buffer that the standard library puts before it.
#[cfg(unix)]
fn stdout_writer() -> io::Result<Sender> {
    use std::os::fd::AsFd;
    Ok(Box::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
}

#[cfg(not(unix))]
fn stdout_writer() -> io::Result<Sender> {
    Ok(Box::new(io::stdout()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(output: &str, inputs: &[&str]) -> Result<Target, Failure> {
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        Target::new(Some(Path::new(output)), &inputs)
    }

    #[test]
    fn a_trailing_slash_means_a_folder() {
        assert_eq!(target("out/", &["a.json"]).ok(), Some(Target::Folder("out/".into())));
        assert_eq!(target("out", &["a.json"]).ok(), Some(Target::File("out".into())));
        assert_eq!(target("-", &["a.json", "b.json"]).ok(), Some(Target::Stdout));
    }

    #[test]
    fn what_would_overwrite_its_neighbour_is_refused() {
        assert!(target("out", &["a.json", "b.json"]).is_err());
        assert!(target("out/", &["x/a.json", "y/a.json"]).is_err());
        assert!(target("out/", &["-"]).is_err());
    }

    #[test]
    fn a_staged_file_that_is_not_published_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let mut output = Output::file(&path).unwrap_or_else(|failure| panic!("{failure:?}"));
        output.write_all(b"{}").unwrap();
        drop(output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_same_file_is_known_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("a.json");
        let other = folder.path().join(".").join("a.json");
        assert!(is_same(&one, &other));
        assert!(!is_same(&one, &folder.path().join("b.json")));
    }
}
