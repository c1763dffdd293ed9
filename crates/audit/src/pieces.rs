//! Checks the lines of files on several threads. What depends on the order is left to whoever gets the results, which
//! come in the order of the files.

use crate::error::Error;
use crate::files::SegmentFile;
use crate::line::{self, Link, NoLink};
use crate::segment::KeyRotated;
use crate::tree::Hash;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How much of a file is checked at once. Twice as many pieces as threads are in memory.
const PIECE_BYTES: usize = 2 << 20;

/// What is wrong with a line, whatever its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wrong {
    /// It is no record.
    Form,
    /// Its hash is not that of its bytes.
    Hash,
    /// It has that number, which is not the next.
    Seq(u64),
    /// It does not name the hash of the line before.
    Prev,
}

/// The lines of a piece, checked.
pub(crate) struct Piece {
    /// Of which file.
    pub(crate) file: usize,
    /// Number and predecessor of the first record.
    pub(crate) first: Option<Link>,
    /// The hashes of records that follow each other.
    pub(crate) hashes: Vec<Hash>,
    /// What the line behind them is, if it is not the record that follows.
    pub(crate) wrong: Option<Wrong>,
    /// Keys that records name, and the `seq` of these.
    pub(crate) keys: Vec<(u64, String)>,
    /// How long it was.
    pub(crate) bytes: u64,
    /// Bytes at the end of the file that are no whole line.
    pub(crate) unfinished: u64,
}

/// Checks files and hands over their pieces in order, until it is told to stop.
pub(crate) fn check(files: &[SegmentFile], mut each: impl FnMut(Piece) -> bool) -> Result<(), Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (to_check, raw) = channel();
    let raw = Mutex::new(raw);
    thread::scope(|scope| {
        let (checked, results) = channel();
        // Dropped at the end of the scope, whereupon the threads end.
        let to_check = to_check;
        let raw = &raw;
        for _ in 0..threads {
            let checked = checked.clone();
            scope.spawn(move || work(raw, &checked));
        }
        drop(checked);
        order(files, threads * 2, &to_check, &results, &mut each)
    })
}

/// Lines as they stand in a file.
struct Raw {
    file: usize,
    bytes: Vec<u8>,
    is_last: bool,
}

fn work(raw: &Mutex<Receiver<(usize, Raw)>>, checked: &Sender<(usize, Piece)>) {
    loop {
        let next = raw.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((at, raw)) = next else { return };
        if checked.send((at, read(&raw))).is_err() {
            return;
        }
    }
}

/// Reads ahead as far as is allowed, and puts the results in order.
fn order(
    files: &[SegmentFile],
    ahead: usize,
    to_check: &Sender<(usize, Raw)>,
    results: &Receiver<(usize, Piece)>,
    each: &mut impl FnMut(Piece) -> bool,
) -> Result<(), Error> {
    let mut source = files.iter().enumerate().flat_map(|(at, file)| Lines::new(at, file));
    let mut waiting = BTreeMap::new();
    let (mut sent, mut done) = (0, 0);
    let mut is_over = false;
    loop {
        while !is_over && sent - done < ahead {
            match source.next() {
                Some(raw) => {
                    if to_check.send((sent, raw?)).is_err() {
                        return Ok(());
                    }
                    sent += 1;
                }
                None => is_over = true,
            }
        }
        if done == sent {
            return Ok(());
        }
        let Ok((at, piece)) = results.recv() else { return Ok(()) };
        waiting.insert(at, piece);
        while let Some(piece) = waiting.remove(&done) {
            done += 1;
            if !each(piece) {
                return Ok(());
            }
        }
    }
}

/// Reads a file in pieces of whole lines.
struct Lines<'a> {
    at: usize,
    file: &'a SegmentFile,
    rest: Vec<u8>,
    is_over: bool,
}

impl<'a> Lines<'a> {
    fn new(at: usize, file: &'a SegmentFile) -> Lines<'a> {
        Lines { at, file, rest: Vec::new(), is_over: false }
    }

    fn read(&mut self) -> io::Result<Raw> {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.reserve(PIECE_BYTES);
        let read = (&self.file.file).take(PIECE_BYTES as u64).read_to_end(&mut bytes)?;
        self.is_over = read < PIECE_BYTES;
        // A line that fills a piece is none; then it is seen as it is.
        if !self.is_over
            && let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n')
        {
            self.rest = bytes.split_off(end + 1);
        }
        Ok(Raw { file: self.at, bytes, is_last: self.is_over })
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Raw, Error>;

    fn next(&mut self) -> Option<Result<Raw, Error>> {
        if self.is_over {
            return None;
        }
        Some(self.read().map_err(Error::io(&self.file.path, "read the audit")))
    }
}

fn read(raw: &Raw) -> Piece {
    let mut piece = Piece {
        file: raw.file,
        first: None,
        hashes: Vec::new(),
        wrong: None,
        keys: Vec::new(),
        bytes: raw.bytes.len() as u64,
        unfinished: 0,
    };
    let mut last: Option<Link> = None;
    for line in raw.bytes.split_inclusive(|&byte| byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            if raw.is_last {
                piece.unfinished = line.len() as u64;
            } else {
                piece.wrong = Some(Wrong::Form);
            }
            break;
        };
        let link = match follow(line, last.as_ref()) {
            Ok(link) => link,
            Err(wrong) => {
                piece.wrong = Some(wrong);
                break;
            }
        };
        piece.first.get_or_insert(link);
        piece.hashes.push(link.hash);
        piece.keys.extend(KeyRotated::read(line).map(|key| (link.seq, key)));
        last = Some(link);
    }
    piece
}

fn follow(line: &[u8], last: Option<&Link>) -> Result<Link, Wrong> {
    let link = line::read(line).map_err(|wrong| match wrong {
        NoLink::Form => Wrong::Form,
        NoLink::Hash => Wrong::Hash,
    })?;
    match last {
        Some(last) if link.seq != last.seq + 1 => Err(Wrong::Seq(link.seq)),
        Some(last) if link.prev != last.hash => Err(Wrong::Prev),
        _ => Ok(link),
    }
}
