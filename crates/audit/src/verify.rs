//! Checks a log: that each record is the one that was written in its place, and that it is the log of which checkpoints
//! speak.

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::files::Files;
use crate::note::{Note, VerifierKey};
use crate::pieces::{self, Piece, Wrong};
use crate::segment::Chain;
use crate::tree::{Hash, Tree, hex_text};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the log, as its first segment here says it.
    pub origin: Option<String>,
    /// The first record here.
    pub seq_first: u64,
    /// The last record that was found right; less than the first if there is none.
    pub seq_last: u64,
    /// The tree over all records up to that one.
    pub tree: Tree,
    /// How many checkpoints were found right: of those beside the log, of those held elsewhere.
    pub checkpoints: [u64; 2],
    /// How many checkpoints are about records before the first one here, and could not be checked.
    pub unchecked: u64,
    /// Up to which record checkpoints held elsewhere say that the log is what it was. What comes after could have been
    /// cut off or written anew.
    pub covered: u64,
    /// How many files begin because the one before could not be gone on with: a write had failed, or its end was torn.
    pub recoveries: u64,
    /// Bytes at the end that are no whole line: being written, or torn by the end of a process.
    pub unfinished_bytes: u64,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

impl Report {
    /// The root of the tree, in hexadecimal digits.
    pub fn root_text(&self) -> String {
        hex_text(&self.tree.root())
    }
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The first record that is not known to be right.
    pub seq: u64,
    /// The file, unless it is a checkpoint that shows it.
    pub path: Option<PathBuf>,
    /// What is wrong, in words.
    pub what: String,
}

/// A checkpoint that speaks of a log.
struct Claim {
    note: Note,
    said: Checkpoint,
    is_outside: bool,
}

/// Checks a log on all threads that the machine has, also against checkpoints that were held elsewhere. A key that the log
/// has or had can be given; otherwise the one counts that the log itself names. `progress` is
/// told how many bytes are done. A key that is given must be one that the records name.
///
/// # Errors
/// What cannot be read. What is wrong with the log is no error but in the report.
pub fn verify(
    files: &Files,
    outside: &[Note],
    key: Option<&VerifierKey>,
    mut progress: impl FnMut(u64),
) -> Result<Report, Error> {
    let mut claims: Vec<Claim> = Vec::new();
    for (notes, is_outside) in [(&files.checkpoints[..], false), (outside, true)] {
        let parsed = notes.iter().filter_map(|note| Checkpoint::parse(&note.text).map(|said| (note, said)));
        claims.extend(parsed.map(|(note, said)| Claim { note: note.clone(), said, is_outside }));
    }
    claims.sort_by_key(|claim| claim.said.size);
    let mut walk = Walk::new(files, &claims);
    pieces::check(&files.segments, |piece| {
        progress(piece.bytes);
        walk.take(piece)
    })?;
    Ok(walk.finish(&claims, key))
}

/// Goes along the chain.
struct Walk<'a> {
    files: &'a Files,
    /// Up to the last record that is right; nothing before the first file.
    chain: Option<Chain>,
    /// The file that was begun last.
    file: Option<usize>,
    /// Roots at the sizes of checkpoints.
    roots: BTreeMap<u64, Option<Hash>>,
    keys: Vec<(u64, String)>,
    seq_first: u64,
    recoveries: u64,
    unfinished_bytes: u64,
    fault: Option<Fault>,
}

impl<'a> Walk<'a> {
    fn new(files: &'a Files, claims: &[Claim]) -> Walk<'a> {
        Walk {
            files,
            chain: None,
            file: None,
            roots: claims.iter().map(|claim| (claim.said.size, None)).collect(),
            keys: Vec::new(),
            seq_first: 0,
            recoveries: 0,
            unfinished_bytes: 0,
            fault: None,
        }
    }

    /// Takes the next piece. Says whether to go on.
    fn take(&mut self, piece: Piece) -> bool {
        let result = if self.file == Some(piece.file) { Ok(()) } else { self.begin(piece.file) };
        if let Err((seq, what)) = result.and_then(|()| self.follow(&piece)) {
            let path = self.files.segments.get(piece.file).map(|segment| segment.path.clone());
            self.fault = Some(Fault { seq, path, what });
        }
        self.fault.is_none()
    }

    /// Begins a file: its first record must go on from the last of the file before, and say so.
    fn begin(&mut self, file: usize) -> Result<(), (u64, String)> {
        self.file = Some(file);
        let start = self.files.segments.get(file).and_then(|segment| segment.start.as_ref());
        let expected = self.chain.as_ref().map_or(1, Chain::seq_next);
        let Some((start, chain)) = start else {
            return Err((expected, "a file does not begin with the record that begins one".to_owned()));
        };
        match &self.chain {
            None => {
                self.seq_first = chain.seq_next();
                self.chain = Some(chain.clone());
                self.note_root();
            }
            Some(known) if known == chain => {}
            Some(known) if known.seq_next() < chain.seq_next() => {
                let last = chain.seq_next() - 1;
                return Err((expected, format!("the records up to {last} are missing")));
            }
            Some(known) => {
                let seq = known.seq_next().min(chain.seq_next());
                return Err((seq, "a file does not go on where the one before ends".to_owned()));
            }
        }
        self.recoveries += u64::from(start.reason.leaves_a_tail());
        self.keys.push((expected.max(self.seq_first), start.signing_key.clone()));
        Ok(())
    }

    /// Adds the records of a piece.
    fn follow(&mut self, piece: &Piece) -> Result<(), (u64, String)> {
        let seq_end = self.files.seq_end(piece.file);
        let is_last_file = piece.file + 1 == self.files.segments.len();
        let Some(chain) = &mut self.chain else { return Ok(()) };
        // What stands behind its end is no part of the log, whatever it is.
        if chain.seq_next() >= seq_end {
            return Ok(());
        }
        if let Some(first) = piece.first {
            let expected = chain.seq_next();
            if first.seq != expected {
                return Err((expected, wrong_seq(first.seq, expected)));
            }
            if first.prev != chain.prev {
                return Err((expected, WRONG_PREV.to_owned()));
            }
        }
        let room = usize::try_from(seq_end - chain.seq_next()).unwrap_or(usize::MAX);
        for hash in piece.hashes.iter().take(room) {
            chain.prev = *hash;
            chain.tree.push(*hash);
            if let Some(root) = self.roots.get_mut(&chain.tree.size()) {
                *root = Some(chain.tree.root());
            }
        }
        let expected = chain.seq_next();
        self.keys.extend(piece.keys.iter().filter(|(seq, _)| *seq < expected).cloned());
        if expected >= seq_end {
            return Ok(());
        }
        if let Some(wrong) = piece.wrong {
            return Err((expected, words(wrong, expected)));
        }
        match piece.unfinished {
            0 => Ok(()),
            bytes if is_last_file => {
                self.unfinished_bytes = bytes;
                Ok(())
            }
            _ => Err((expected, words(Wrong::Form, expected))),
        }
    }

    fn note_root(&mut self) {
        if let Some(chain) = &self.chain
            && let Some(root) = self.roots.get_mut(&chain.tree.size())
        {
            *root = Some(chain.tree.root());
        }
    }

    /// What the records show, and what checkpoints say of it.
    fn finish(self, claims: &[Claim], key: Option<&VerifierKey>) -> Report {
        let tree = self.chain.map(|chain| chain.tree).unwrap_or_default();
        let mut report = Report {
            origin: None,
            seq_first: self.seq_first,
            seq_last: tree.size(),
            tree,
            checkpoints: [0; 2],
            unchecked: 0,
            covered: 0,
            recoveries: self.recoveries,
            unfinished_bytes: self.unfinished_bytes,
            fault: self.fault,
        };
        let named: Vec<(u64, VerifierKey)> =
            self.keys.iter().filter_map(|(seq, key)| Some((*seq, key.parse().ok()?))).collect();
        report.origin = named.first().map(|(_, key)| key.name().to_owned());
        let first = key.or_else(|| named.first().map(|(_, key)| key));
        let mut trusted: Vec<VerifierKey> = first.into_iter().cloned().collect();
        // A key that a trusted key's checkpoint covers is one that its holder has named, or that has named it.
        for Claim { note, said, .. } in claims {
            let root = self.roots.get(&said.size).copied().flatten();
            let is_signed = trusted.iter().any(|key| key.has_signed(note) == Some(true));
            if is_signed && root == Some(said.root) {
                let covered = named.iter().filter(|(seq, _)| *seq <= said.size).map(|(_, key)| key);
                trusted.extend(
                    covered.filter(|key| !trusted.contains(key)).cloned().collect::<Vec<VerifierKey>>(),
                );
            }
        }
        // Without this, whoever writes a log anew under a key of their own need only leave out its checkpoints.
        if key.is_some_and(|key| named.iter().all(|(_, other)| other != key)) && report.fault.is_none() {
            let what = "the records name another key than the one that was given".to_owned();
            report.fault = Some(Fault { seq: self.seq_first.max(1), path: None, what });
        }
        let mut checked = self.seq_first.saturating_sub(1);
        for claim in claims {
            let root = self.roots.get(&claim.said.size).copied().flatten();
            // Whoever can write a log anew can do so with the checkpoints beside it.
            let right = if claim.is_outside { report.covered } else { checked };
            match judge(claim, root, &Keys { trusted: &trusted, named: &named }, &report, right) {
                Ok(true) => {
                    checked = claim.said.size;
                    report.checkpoints[usize::from(claim.is_outside)] += 1;
                    if claim.is_outside {
                        report.covered = claim.said.size;
                    }
                }
                Ok(false) => report.unchecked += 1,
                // What the records themselves show comes first.
                Err(fault) => {
                    report.fault.get_or_insert(fault);
                    break;
                }
            }
        }
        report
    }
}

/// Which keys count.
struct Keys<'a> {
    trusted: &'a [VerifierKey],
    /// The keys that records name, and from which record on.
    named: &'a [(u64, VerifierKey)],
}

impl Keys<'_> {
    /// Whether a key was in use when a log had so many records, as far as its records say. The one before signs a last
    /// checkpoint over the record that names the next.
    fn was_in_use(&self, key: &VerifierKey, size: u64) -> bool {
        let before = |size: u64| self.named.iter().rev().find(|(seq, _)| *seq <= size);
        match before(size) {
            None => true,
            Some((seq, newest)) => {
                newest == key || *seq == size && before(size - 1).is_none_or(|(_, older)| older == key)
            }
        }
    }
}

/// Whether a checkpoint holds; `false` if it is about records that are not here. Up to `right` others do.
fn judge(
    claim: &Claim,
    root: Option<Hash>,
    keys: &Keys<'_>,
    report: &Report,
    right: u64,
) -> Result<bool, Fault> {
    let size = claim.said.size;
    let place = if claim.is_outside { "held elsewhere" } else { "beside the log" };
    let fault = |seq: u64, what: &str| Fault {
        seq,
        path: None,
        what: format!("the checkpoint over {size} records, {place}, {what}"),
    };
    let seq_checked = right.max(report.seq_first.saturating_sub(1)) + 1;
    if report.origin.as_ref().is_some_and(|origin| *origin != claim.said.origin) {
        return Err(fault(seq_checked, "is of another log"));
    }
    match keys.trusted.iter().find_map(|key| Some((key, key.has_signed(&claim.note)?))) {
        Some((key, true)) if keys.was_in_use(key, size) => {}
        Some((_, true)) => return Err(fault(seq_checked, "is signed by a key that was not in use then")),
        Some((_, false)) => return Err(fault(seq_checked, "has a wrong signature")),
        None => return Err(fault(seq_checked, "is not signed by a key of this log that is trusted")),
    }
    if size < report.seq_first.saturating_sub(1) {
        return Ok(false);
    }
    match root {
        None if report.fault.is_some() => Ok(false),
        None => Err(fault(report.seq_last + 1, "covers more than there is: the end was cut off")),
        Some(root) if root == claim.said.root => Ok(true),
        Some(_) => Err(fault(seq_checked, "has another root: records up to there were written anew")),
    }
}

const WRONG_PREV: &str = "it does not follow the record before it: one of both was changed";

fn words(wrong: Wrong, expected: u64) -> String {
    match wrong {
        Wrong::Form => "a line is no record".to_owned(),
        Wrong::Hash => "the record was changed: its hash is not that of its bytes".to_owned(),
        Wrong::Seq(found) => wrong_seq(found, expected),
        Wrong::Prev => WRONG_PREV.to_owned(),
    }
}

fn wrong_seq(found: u64, expected: u64) -> String {
    let how =
        if found > expected { "records were taken out or moved" } else { "a record was put in or moved" };
    format!("record {found} stands in its place: {how}")
}
