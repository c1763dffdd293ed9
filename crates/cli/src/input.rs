//! Where bytes come from.

use crate::args::FormatArg;
use crate::failure::Failure;
use crate::format;
use crate::overlap::{Ahead, Bell, Next};
use obelus::Format;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

/// How much is read at once.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// One input: a file or standard input.
pub(crate) struct Input {
    /// What errors call it.
    pub(crate) name: String,
    /// The file, if it is a regular one that can be read again.
    pub(crate) regular: Option<PathBuf>,
    /// How long it is, if that is known.
    pub(crate) size_bytes: Option<u64>,
    source: Source,
}

/// Who reads.
enum Source {
    Here(Box<dyn Read + Send>),
    Ahead(Ahead),
}

impl Input {
    /// Opens `path`; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Input, Failure> {
        if is_stdin(path) {
            return Ok(Input::stdin());
        }
        let name = display_name(path);
        let file = File::open(path).map_err(|error| Failure::io(&name, "open it", &error))?;
        let metadata = file.metadata().map_err(|error| Failure::io(&name, "read its size", &error))?;
        if metadata.is_dir() {
            return Err(Failure::data(format!("{name}: is a folder: name the files in it")));
        }
        let is_regular = metadata.is_file();
        Ok(Input {
            name,
            regular: is_regular.then(|| path.to_owned()),
            size_bytes: is_regular.then_some(metadata.len()),
            source: Source::Here(Box::new(file)),
        })
    }

    fn stdin() -> Input {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            crate::report::write_note("reading standard input; Ctrl-D ends it");
        }
        Input {
            name: "standard input".to_owned(),
            regular: None,
            size_bytes: None,
            source: Source::Here(Box::new(stdin)),
        }
    }

    /// Whether whoever writes the input may wait for what comes out.
    pub(crate) fn is_live(&self) -> bool {
        self.regular.is_none()
    }

    /// Lets a thread read ahead from here on. Returns what wakes whoever waits for it.
    pub(crate) fn read_ahead(&mut self) -> Result<Bell, Failure> {
        if let Source::Here(reader) = &mut self.source {
            let reader = std::mem::replace(reader, Box::new(io::empty()));
            let ahead = Ahead::new(reader, CHUNK_BYTES);
            self.source = Source::Ahead(ahead.map_err(|error| self.fault(&error))?);
        }
        match &self.source {
            Source::Ahead(ahead) => Ok(ahead.bell()),
            Source::Here(_) => Err(self.fault(&io::ErrorKind::Unsupported.into())),
        }
    }

    /// Waits for the next chunk, which may be in `buf`.
    pub(crate) fn next<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Next<'b>, Failure> {
        let Input { name, source, .. } = self;
        let next = match source {
            Source::Ahead(ahead) => ahead.next(),
            Source::Here(reader) => read(reader, buf).map(|len| match len {
                0 => Next::End,
                len => Next::Chunk(&buf[..len]),
            }),
        };
        next.map_err(|error| Failure::io(name, "read it", &error))
    }

    /// Reads everything that is left.
    pub(crate) fn read_rest(&mut self, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        self.read_to_end(bytes).map(|_| ()).map_err(|error| self.fault(&error))
    }

    /// What reading failed with.
    pub(crate) fn fault(&self, error: &io::Error) -> Failure {
        Failure::io(&self.name, "read it", error)
    }

    /// Reads until the format is clear. Returns it and how many bytes of `buf` were read.
    pub(crate) fn begin(&mut self, arg: FormatArg, buf: &mut [u8]) -> Result<(Format, usize), Failure> {
        let told = match arg {
            FormatArg::Json => Some(Format::Json),
            FormatArg::Ndjson => Some(Format::Sequence),
            FormatArg::Text => Some(Format::Text),
            FormatArg::Form => Some(Format::Form),
            FormatArg::Multipart => Some(Format::Multipart),
            FormatArg::Auto => format::by_name(Path::new(&self.name)),
        };
        let mut filled = 0;
        if let Some(format) = told {
            return Ok((format, filled));
        }
        while filled < buf.len() && !format::is_clear(&buf[..filled]) {
            match self.read(&mut buf[filled..]).map_err(|error| self.fault(&error))? {
                0 => break,
                len => filled += len,
            }
        }
        Ok((format::by_content(&buf[..filled]), filled))
    }
}

/// Reads as long as nobody reads ahead.
impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Here(reader) => read(reader, buf),
            Source::Ahead(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn read(reader: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The inputs that `files` name, checked; standard input if there are none.
pub(crate) fn paths(files: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if files.is_empty() {
        return Ok(vec![PathBuf::from("-")]);
    }
    if files.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::usage("standard input is named more than once: it can only be read once"));
    }
    Ok(files.to_vec())
}

/// Whether `path` stands for standard input or output.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A path as errors and findings show it: control characters could steer a terminal and are escaped.
pub(crate) fn display_name(path: &Path) -> String {
    let mut name = String::new();
    for char in path.display().to_string().chars() {
        if char.is_control() { name.extend(char.escape_default()) } else { name.push(char) }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_names_are_escaped() {
        assert_eq!(display_name(Path::new("a\u{1b}[2Jü.json")), "a\\u{1b}[2Jü.json");
    }

    #[test]
    fn standard_input_is_read_once() {
        let dash = PathBuf::from("-");
        assert!(paths(&[dash.clone(), dash.clone()]).is_err());
        assert_eq!(paths(&[]).ok(), Some(vec![dash]));
    }
}
