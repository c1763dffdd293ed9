//! Where the suites find their data.

use std::path::{Path, PathBuf};

/// The folder of this package.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    package().parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A folder of test data that is not part of the project: below `OBELUS_SHARED`, or below `shared` beside the
/// workspace. Suites that need it pass without it.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("OBELUS_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => workspace().parent()?.join("shared"),
    };
    let folder = folder.join(name);
    folder.is_dir().then_some(folder)
}

/// The files of a folder with an ending, in order of their names.
///
/// # Errors
/// If the folder cannot be read.
pub fn files(folder: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
