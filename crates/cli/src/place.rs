//! Where in a file an error is, for people: line, column, and a picture that shows no value.

use crate::input::CHUNK_BYTES;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of the line the picture shows on each side.
const SIDE_BYTES: u64 = 20;

/// A place in a file.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: u64,
    /// In characters, from 1.
    pub(crate) column: u64,
    /// Two lines: the structure around the place, and a mark under it.
    pub(crate) picture: String,
}

/// Reads `path` again up to `offset`. Nothing if that fails: the error itself is told anyway.
pub(crate) fn locate(path: &Path, offset: u64) -> Option<Place> {
    locate_in(&mut File::open(path).ok()?, offset).ok()
}

fn locate_in(file: &mut (impl Read + Seek), offset: u64) -> io::Result<Place> {
    let (mut line, mut column, mut line_start, mut at) = (1, 1, 0, 0);
    let mut before = file.take(offset);
    let mut buf = vec![0; CHUNK_BYTES];
    loop {
        let len = before.read(&mut buf)?;
        if len == 0 {
            break;
        }
        for &byte in &buf[..len] {
            at += 1;
            match byte {
                b'\n' => (line, column, line_start) = (line + 1, 1, at),
                0x80..=0xBF => {}
                _ => column += 1,
            }
        }
    }
    let start = line_start.max(offset.saturating_sub(SIDE_BYTES));
    file.seek(SeekFrom::Start(start))?;
    let mut excerpt = Vec::new();
    file.take(offset - start + SIDE_BYTES).read_to_end(&mut excerpt)?;
    let mark = usize::try_from(offset - start).unwrap_or(0);
    Ok(Place { line, column, picture: picture(&excerpt, mark) })
}

/// Draws `excerpt` with everything but structure hidden, and a mark under the byte at `mark`.
fn picture(excerpt: &[u8], mark: usize) -> String {
    let line_end = |byte: &u8| *byte == b'\n';
    let end =
        excerpt[mark.min(excerpt.len())..].iter().position(line_end).map_or(excerpt.len(), |len| mark + len);
    let shown: String = excerpt[..end].iter().map(|&byte| hide(byte)).collect();
    format!("  {shown}\n  {:mark$}^", "")
}

fn hide(byte: u8) -> char {
    match byte {
        b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"' | b' ' => char::from(byte),
        b'\t' | b'\r' => ' ',
        _ => '·',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn line_and_column_count_from_one_in_characters() {
        let text = "{}\n{\"ü\":x}";
        let place = locate_in(&mut Cursor::new(text), 9).unwrap();
        assert_eq!((place.line, place.column), (2, 6));
        assert_eq!(place.picture, "  {\"··\":·}\n        ^");
    }

    #[test]
    fn the_picture_shows_no_value() {
        let text = br#"{"email":"jenny.rosen-1@example.com"x"phone":"+1 202-555-0143"}"#;
        let place = locate_in(&mut Cursor::new(text), 36).unwrap();
        assert!(!place.picture.contains(|char: char| char.is_alphanumeric() || "@.-+".contains(char)));
        assert_eq!(place.picture.lines().next(), Some("  ···················\"·\"·····\":\"·· ·······"));
    }

    #[test]
    fn the_end_of_a_file_is_a_place() {
        let place = locate_in(&mut Cursor::new("{\"a\":"), 5).unwrap();
        assert_eq!((place.line, place.column), (1, 6));
        assert_eq!(place.picture, "  {\"·\":\n       ^");
        assert_eq!(locate_in(&mut Cursor::new(""), 0).unwrap().picture, "  \n  ^");
    }
}
