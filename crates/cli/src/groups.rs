//! A file as groups of lines, each of which some thread may read.
//!
//! Where a document begins is known only to whoever has read everything before it. A group is cut on a guess: before
//! the last line that begins with a bracket or a quotation mark, as each line of NDJSON does, and the first of a
//! printed document. Whether the guess was right is seen by reading; see `parallel.rs`.

use std::io::{self, Read};

/// How long a group is, give or take a line.
pub(crate) const GROUP_BYTES: usize = 256 << 10;

/// How long a group is at least, but the last: a stream holds as many bytes back until it knows the encoding.
const GROUP_BYTES_MIN: usize = 4;

/// How long a group may become until it can be cut, in lengths of a group.
const LENGTHS_MAX: usize = 4;

/// A piece of an input that may begin and end between documents.
#[derive(Default)]
pub(crate) struct Group {
    /// Where it begins in the input.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What comes next in an input.
pub(crate) enum Piece {
    Group(Group),
    /// It cannot be cut, or not be read any further: this, and whatever the reader still gives.
    Rest(Group, Option<io::Error>),
    End,
}

/// Cuts what a reader gives.
pub(crate) struct Groups<R> {
    reader: R,
    group_bytes: usize,
    /// Where the next group begins, and what is read of it.
    offset: u64,
    begun: Vec<u8>,
    is_over: bool,
}

impl<R: Read> Groups<R> {
    /// `begun` is what has been read before.
    pub(crate) fn new(reader: R, begun: &[u8], group_bytes: usize) -> Groups<R> {
        Groups { reader, group_bytes, offset: 0, begun: begun.to_vec(), is_over: false }
    }

    /// Reads the next piece into `bytes`, the memory of which is used.
    pub(crate) fn next(&mut self, mut bytes: Vec<u8>) -> Piece {
        bytes.clear();
        bytes.append(&mut self.begun);
        let offset = self.offset;
        for _ in 0..LENGTHS_MAX {
            if self.is_over {
                break;
            }
            if let Err(error) = self.fill(&mut bytes) {
                self.is_over = true;
                return Piece::Rest(Group { offset, bytes }, Some(error));
            }
            if self.is_over {
                break;
            }
            if let Some(end) = cut(&bytes) {
                self.begun.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                self.offset += end as u64;
                return Piece::Group(Group { offset, bytes });
            }
        }
        match (self.is_over, bytes.is_empty()) {
            (true, true) => Piece::End,
            (true, false) => {
                self.offset += bytes.len() as u64;
                Piece::Group(Group { offset, bytes })
            }
            (false, _) => Piece::Rest(Group { offset, bytes }, None),
        }
    }

    /// What is read of the group that would come next.
    pub(crate) fn take_begun(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.begun)
    }

    /// Reads up to the length of a group, or as much again.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let missing = match self.group_bytes.saturating_sub(bytes.len()) {
            0 => self.group_bytes,
            missing => missing,
        };
        bytes.reserve(missing);
        let len = (&mut self.reader).take(missing as u64).read_to_end(bytes)?;
        self.is_over = len < missing;
        Ok(())
    }
}

/// Where the last document in `bytes` seems to begin, unless that is the beginning.
fn cut(bytes: &[u8]) -> Option<usize> {
    let begins = |pair: &[u8]| pair[0] == b'\n' && matches!(pair[1], b'{' | b'[' | b'"');
    bytes.windows(2).rposition(begins).map(|at| at + 1).filter(|&end| end >= GROUP_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, begun: usize, group_bytes: usize) -> Vec<(u64, String, &'static str)> {
        let mut groups = Groups::new(&text.as_bytes()[begun..], &text.as_bytes()[..begun], group_bytes);
        let mut pieces = Vec::new();
        let text = |group: &Group| String::from_utf8(group.bytes.clone()).unwrap();
        loop {
            match groups.next(vec![1, 2, 3]) {
                Piece::Group(group) => pieces.push((group.offset, text(&group), "group")),
                Piece::Rest(group, _) => {
                    pieces.push((group.offset, text(&group), "rest"));
                    return pieces;
                }
                Piece::End => return pieces,
            }
        }
    }

    #[test]
    fn groups_are_cut_before_lines_and_leave_nothing_out() {
        let text = "{\"a\":1}\n[2]\n\"c\"\n{\"d\":4}";
        for (group_bytes, begun) in
            (9..30).flat_map(|bytes| (0..=text.len()).map(move |begun| (bytes, begun)))
        {
            let pieces = pieces(text, begun, group_bytes);
            let mut whole = String::new();
            for (offset, piece, kind) in &pieces {
                assert_eq!((*offset, *kind), (whole.len() as u64, "group"), "{pieces:?}");
                assert!(whole.is_empty() || whole.ends_with('\n'), "{pieces:?}");
                whole.push_str(piece);
            }
            assert_eq!(whole, text, "{pieces:?}");
        }
    }

    #[test]
    fn what_cannot_be_cut_is_the_rest() {
        let long = format!("{{\"a\":1}}\n[{}]\n", "1,\n".repeat(50));
        let pieces = pieces(&long, 0, 10);
        assert_eq!(pieces[0], (0, "{\"a\":1}\n".to_owned(), "group"));
        assert_eq!((pieces[1].0, pieces[1].2, pieces.len()), (8, "rest", 2));
        assert_eq!(long.find(&pieces[1].1), Some(8));
    }

    #[test]
    fn a_fault_of_the_reader_comes_behind_what_was_read() {
        struct Faulty(bool);
        impl Read for Faulty {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::from(io::ErrorKind::TimedOut));
                }
                buf[..4].copy_from_slice(b"{}\n{");
                Ok(4)
            }
        }
        let mut groups = Groups::new(Faulty(false), b"", 100);
        let Piece::Rest(group, Some(error)) = groups.next(Vec::new()) else { panic!("no fault") };
        assert_eq!((group.bytes.as_slice(), error.kind()), (&b"{}\n{"[..], io::ErrorKind::TimedOut));
    }
}
