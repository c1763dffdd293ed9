//! Keys of those whom calls are about: what a record holds under such a key can be read for as long as the key is there.
//!
//! A record names the key by a random number; whose key that is stands here alone, as a keyed hash. The chain of records
//! needs no key, so it holds whatever is erased here.

use crate::approvals::{ApprovalError, SealKey};
use crate::gate_file::{FileForm, GateFileError, change};
use hmac::{Hmac, Mac};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::Sha256;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// Bytes of the number of a key.
const NUMBER_BYTES: usize = 16;
/// Bytes of the hash of a subject.
const NAME_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// The first form that there is.
const FORM: FileForm =
    FileForm { what: "keys of subjects", application: 0x6f62_6c73, schema: 1, tables: TABLES };

const TABLES: &str = "
CREATE TABLE keys (
    number BLOB PRIMARY KEY,
    subject BLOB NOT NULL,
    key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_subject ON keys (subject);
";

/// Why the keys of subjects cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubjectError {
    /// The file does not answer.
    Unavailable,
    /// The system gives no random bytes.
    Random,
    /// What was sealed was changed, or is of another record or file.
    Damaged,
}

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubjectError::Unavailable => "the file of keys of subjects does not answer: try again",
            SubjectError::Random => "the system gives no random bytes: try again",
            SubjectError::Damaged => "it was changed, or belongs to another record or file of keys",
        })
    }
}

impl std::error::Error for SubjectError {}

/// What is sealed, and under which key.
#[derive(Clone, Eq, PartialEq)]
pub struct Sealed {
    /// The number of the key.
    pub key: [u8; NUMBER_BYTES],
    /// Nonce, text and tag (AES-256-GCM-SIV).
    pub sealed: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

/// The keys of subjects, in a file that only its owner can use. Each change is synced before it is done, and what is
/// erased is overwritten.
pub struct Subjects {
    connection: Mutex<Connection>,
    /// Seals the keys in the file.
    seal: SealKey,
    /// Hashes subjects.
    names: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subjects").finish_non_exhaustive()
    }
}

impl Subjects {
    /// Opens the file, or makes it with mode 0600. `seal` seals the keys that it holds, `names` hashes whose they are.
    ///
    /// # Errors
    /// It cannot be opened, is something else, or others may use it.
    pub fn open(
        path: &Path,
        seal: SealKey,
        names: Zeroizing<[u8; KEY_BYTES]>,
    ) -> Result<Subjects, GateFileError> {
        Ok(Subjects { connection: Mutex::new(FORM.open(path)?), seal, names })
    }

    /// Seals something of a record, which `place` names, under the key of a subject; that is made if there is none. Waits
    /// for the disk only then.
    ///
    /// # Errors
    /// The file does not answer, or there are no random bytes.
    pub fn seal(&self, subject: &str, place: &[u8], clear: &[u8]) -> Result<Sealed, SubjectError> {
        let name = self.name(subject);
        let (number, key) = match self.known(&name)? {
            Some(known) => known,
            None => self.make(&name)?,
        };
        let sealed = SealKey::new(key).seal(&place_of(&number, place), clear)?;
        Ok(Sealed { key: number, sealed })
    }

    /// What was sealed for that place; nothing if the key was erased.
    ///
    /// # Errors
    /// The file does not answer, or what is sealed there was changed or is of another place.
    pub fn unseal(&self, place: &[u8], sealed: &Sealed) -> Result<Option<Zeroizing<Vec<u8>>>, SubjectError> {
        let found = self.ask(|connection| {
            let sql = "SELECT key FROM keys WHERE number = ?1";
            connection.query_row(sql, [sealed.key.as_slice()], |row| row.get::<_, Vec<u8>>(0)).optional()
        });
        let Some(key) = found? else { return Ok(None) };
        let key = self.opened(&sealed.key, &key)?;
        Ok(Some(SealKey::new(key).unseal(&place_of(&sealed.key, place), &sealed.sealed)?))
    }

    /// The key of `subject` is that of `of` from now on: of a call that made an object, that object's.
    ///
    /// # Errors
    /// The file does not answer.
    pub fn rename(&self, subject: &str, of: &str) -> Result<(), SubjectError> {
        let (subject, of) = (self.name(subject), self.name(of));
        change(&self.connection, SubjectError::Unavailable, |transaction| {
            transaction
                .execute("UPDATE keys SET subject = ?2 WHERE subject = ?1", params![subject, of])
                .map(|_count| Ok(()))
        })
    }

    /// Erases the keys of a subject. Says how many there were.
    ///
    /// # Errors
    /// The file does not answer: then it is not known whether they are gone.
    pub fn erase(&self, subject: &str) -> Result<usize, SubjectError> {
        let name = self.name(subject);
        let erased = change(&self.connection, SubjectError::Unavailable, |transaction| {
            transaction.execute("DELETE FROM keys WHERE subject = ?1", params![name]).map(Ok)
        })?;
        // Pages as they were before must not stay in the file of changes.
        self.ask(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))?;
        Ok(erased)
    }

    fn name(&self, subject: &str) -> Vec<u8> {
        // Keys of any length are taken.
        let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(self.names.as_slice()) else {
            return Vec::new();
        };
        mac.update(subject.as_bytes());
        mac.finalize().into_bytes().get(..NAME_BYTES).unwrap_or_default().to_vec()
    }

    /// A key of a subject that has one: one that goes over to a subject may be its second.
    fn known(&self, name: &[u8]) -> Result<Option<Key>, SubjectError> {
        let found = self.ask(|connection| {
            let sql = "SELECT number, key FROM keys WHERE subject = ?1 LIMIT 1";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
            connection.prepare_cached(sql)?.query_row([name], row).optional()
        });
        let Some((number, key)) = found? else { return Ok(None) };
        let number = number.try_into().or(Err(SubjectError::Damaged))?;
        Ok(Some((number, self.opened(&number, &key)?)))
    }

    fn make(&self, name: &[u8]) -> Result<Key, SubjectError> {
        let (mut number, mut key) = ([0; NUMBER_BYTES], Zeroizing::new([0; KEY_BYTES]));
        getrandom::fill(&mut number).or(Err(SubjectError::Random))?;
        getrandom::fill(key.as_mut_slice()).or(Err(SubjectError::Random))?;
        let sealed = self.seal.seal(&number, key.as_slice())?;
        change(&self.connection, SubjectError::Unavailable, |transaction| {
            let sql = "INSERT INTO keys (number, subject, key) VALUES (?1, ?2, ?3)";
            transaction.execute(sql, params![number, name, sealed]).map(|_count| Ok(()))
        })?;
        Ok((number, key))
    }

    /// A key as it stands in the file.
    fn opened(&self, number: &[u8], sealed: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, SubjectError> {
        let clear = self.seal.unseal(number, sealed)?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if clear.len() != KEY_BYTES {
            return Err(SubjectError::Damaged);
        }
        key.copy_from_slice(&clear);
        Ok(key)
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, SubjectError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&connection).or(Err(SubjectError::Unavailable))
    }
}

/// A key and its number.
type Key = ([u8; NUMBER_BYTES], Zeroizing<[u8; KEY_BYTES]>);

fn place_of(number: &[u8], place: &[u8]) -> Vec<u8> {
    [number, place].concat()
}

impl From<ApprovalError> for SubjectError {
    fn from(error: ApprovalError) -> SubjectError {
        match error {
            ApprovalError::Random => SubjectError::Random,
            _ => SubjectError::Damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(path: &Path, first: u8) -> Subjects {
        let key = |byte| Zeroizing::new([byte; KEY_BYTES]);
        Subjects::open(path, SealKey::new(key(first)), key(9)).expect("it opens")
    }

    fn clear(subjects: &Subjects, place: &str, sealed: &Sealed) -> Result<Option<String>, SubjectError> {
        let found = subjects.unseal(place.as_bytes(), sealed)?;
        Ok(found.map(|clear| String::from_utf8(clear.to_vec()).expect("text")))
    }

    #[test]
    fn what_is_sealed_can_be_read_until_its_subject_is_erased() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("subjects.db");
        let subjects = open(&path, 1);
        let one = subjects.seal("cus_one", b"r1", b"email=jenny@example.com").expect("it can");
        let two = subjects.seal("cus_two", b"r2", b"email=bob@example.com").expect("it can");
        let more = subjects.seal("cus_one", b"r3", b"phone=+15555550100").expect("it can");
        assert_eq!(one.key, more.key, "one key for each");
        drop(subjects);
        let subjects = open(&path, 1);
        assert_eq!(clear(&subjects, "r1", &one), Ok(Some("email=jenny@example.com".to_owned())));
        assert_eq!(clear(&subjects, "r3", &more), Ok(Some("phone=+15555550100".to_owned())));
        assert_eq!(subjects.erase("cus_one"), Ok(1));
        for (place, sealed) in [("r1", &one), ("r3", &more)] {
            assert_eq!(clear(&subjects, place, sealed), Ok(None));
        }
        assert_eq!(clear(&subjects, "r2", &two), Ok(Some("email=bob@example.com".to_owned())));
        assert_eq!(subjects.erase("cus_one"), Ok(0));
        // Who comes again has another key.
        let again = subjects.seal("cus_one", b"r4", b"again").expect("it can");
        assert_ne!(again.key, one.key);
        assert_eq!(clear(&subjects, "r1", &one), Ok(None));
    }

    #[test]
    fn what_is_erased_stands_in_no_file() {
        let folder = tempfile::tempdir().expect("there is room");
        let subjects = open(&folder.path().join("subjects.db"), 1);
        let one = subjects.seal("cus_one", b"r1", b"x").expect("it can");
        let holds = |bytes: &[u8]| {
            let files = fs::read_dir(folder.path()).expect("a folder").flatten();
            let mut texts = files.map(|file| fs::read(file.path()).expect("it can be read"));
            texts.any(|text| text.windows(bytes.len()).any(|window| window == bytes))
        };
        assert!(holds(&one.key));
        assert!(!holds(b"cus_one"), "whose key it is stands there as a hash");
        assert_eq!(subjects.erase("cus_one"), Ok(1));
        assert!(!holds(&one.key));
    }

    #[test]
    fn a_key_goes_over_to_what_the_call_has_made() {
        let folder = tempfile::tempdir().expect("there is room");
        let subjects = open(&folder.path().join("subjects.db"), 1);
        let one = subjects.seal("call:r1", b"r1", b"x").expect("it can");
        subjects.rename("call:r1", "cus_one").expect("it can");
        assert_eq!(subjects.erase("call:r1"), Ok(0));
        assert_eq!(clear(&subjects, "r1", &one), Ok(Some("x".to_owned())));
        assert_eq!(subjects.erase("cus_one"), Ok(1));
    }

    #[test]
    fn what_was_changed_or_moved_is_told_apart_from_what_was_erased() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("subjects.db");
        let subjects = open(&path, 1);
        let one = subjects.seal("cus_one", b"r1", b"x").expect("it can");
        assert_eq!(clear(&subjects, "r2", &one), Err(SubjectError::Damaged), "another record");
        let mut changed = one.clone();
        changed.sealed[0] ^= 1;
        assert_eq!(clear(&subjects, "r1", &changed), Err(SubjectError::Damaged));
        drop(subjects);
        assert_eq!(clear(&open(&path, 2), "r1", &one), Err(SubjectError::Damaged), "the key of another file");
    }
}
