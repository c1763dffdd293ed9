//! Texts that are no JSON: source code, logs, lock files. A text is drawn from the blocks of one file.
//!
//! ```text
//! ^what stands at the head of every text        (optional)
//! ---
//! a block of «slots», one or more lines
//! ---
//! another
//! ```

use crate::shape::{self, Text};

macro_rules! sources {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../shapes/quiet/text/", $name, ".txt")))),*]
    };
}

const SOURCES: &[(&str, &str)] = sources! {
    "app_log",
    "configs",
    "git_log",
    "go_and_c",
    "lockfiles",
    "metrics",
    "prose",
    "python",
    "rust",
    "typescript",
};

/// The blocks of one sort of text.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) head: Option<Text>,
    pub(crate) blocks: Vec<Text>,
}

/// Parses every sort; the error names it.
pub(crate) fn parse() -> Result<Vec<Blocks>, String> {
    let sort =
        |&(name, source): &(&str, &str)| blocks(source).map_err(|error| format!("text {name}: {error}"));
    SOURCES.iter().map(sort).collect()
}

/// The number of a sort of text.
pub(crate) fn number_of(name: &str) -> Option<usize> {
    SOURCES.iter().position(|&(known, _)| known == name)
}

fn blocks(source: &str) -> Result<Blocks, String> {
    let text = |block: &str| shape::text(block, '«', '»');
    let mut sources = source.trim_end_matches('\n').split("\n---\n").peekable();
    let head = sources.next_if(|block| block.starts_with('^'));
    let head = head.map(|head| text(head.trim_start_matches('^'))).transpose()?;
    Ok(Blocks { head, blocks: sources.map(text).collect::<Result<_, _>>()? })
}
