//! Whatever is done to a log of a thousand records is found, and where.

use crate::support::{check, checkpoints, fill, settings};
use obelus_audit::{Fault, Log, Note, Report, Settings, SigningKey, rotate_key};
use std::fs;
use std::path::{Path, PathBuf};

const RECORDS: usize = 1000;

/// A log, its lines and its checkpoints, of which those who hold them elsewhere have the last.
struct Subject {
    folder: tempfile::TempDir,
    lines: Vec<Vec<u8>>,
    outside: Vec<Note>,
}

impl Subject {
    fn new() -> Subject {
        let folder = tempfile::tempdir().expect("it works");
        fill(&Log::open(&settings(folder.path())).expect("it works"), RECORDS - 1);
        let text = fs::read(folder.path().join("audit.jsonl")).expect("it works");
        let lines: Vec<Vec<u8>> = text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        assert_eq!(lines.len(), RECORDS);
        let outside = vec![checkpoints(folder.path()).pop().expect("it works")];
        // Whoever writes a log anew can do so with what lies beside it.
        fs::remove_file(folder.path().join("audit.checkpoints")).expect("it works");
        Subject { folder, lines, outside }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    /// What is found in other lines.
    fn check(&self, lines: &[Vec<u8>], outside: &[Note]) -> Report {
        fs::write(self.path(), lines.concat()).expect("it works");
        check(&[self.path()], outside, None)
    }

    /// The first record that is found wrong, without anything held elsewhere.
    fn found(&self, lines: &[Vec<u8>]) -> Option<u64> {
        self.check(lines, &[]).fault.map(|fault| fault.seq)
    }
}

fn seq(at: usize) -> Option<u64> {
    Some(at as u64 + 1)
}

/// Numbers without a pattern, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[test]
fn an_untouched_log_is_right_and_its_uncovered_end_is_told() {
    let subject = Subject::new();
    let report = subject.check(&subject.lines, &subject.outside);
    assert_eq!((report.fault, report.covered, report.checkpoints), (None, 1000, [0, 1]));
    let report = subject.check(&subject.lines, &[]);
    assert_eq!((report.fault, report.covered, report.seq_last), (None, 0, 1000));
}

#[test]
fn every_record_that_is_changed_is_found() {
    let subject = Subject::new();
    let mut dice = Dice(1);
    for at in 0..RECORDS {
        let mut lines = subject.lines.clone();
        let place = dice.roll(lines[at].len() - 1);
        lines[at][place] ^= 1 << dice.roll(8);
        assert_eq!(subject.found(&lines), seq(at), "{at} {place}");
    }
}

#[test]
fn every_record_that_is_taken_out_is_found() {
    let subject = Subject::new();
    // Without the last, the log ends early: see below.
    for at in 0..RECORDS - 1 {
        let mut lines = subject.lines.clone();
        lines.remove(at);
        assert_eq!(subject.found(&lines), seq(at), "{at}");
    }
}

#[test]
fn every_record_that_is_put_in_is_found() {
    let subject = Subject::new();
    let mut dice = Dice(2);
    for at in 0..=RECORDS {
        let mut lines = subject.lines.clone();
        let other = lines[dice.roll(RECORDS)].clone();
        let is_right = at < RECORDS && other == lines[at];
        lines.insert(at, other);
        // The record that belongs there is right; its second is not.
        assert_eq!(subject.found(&lines), if is_right { seq(at + 1) } else { seq(at) }, "{at}");
    }
}

#[test]
fn every_two_records_that_change_places_are_found() {
    let subject = Subject::new();
    let mut dice = Dice(3);
    for at in 0..RECORDS - 1 {
        for other in [at + 1, at + 1 + dice.roll(RECORDS - at - 1)] {
            let mut lines = subject.lines.clone();
            lines.swap(at, other);
            assert_eq!(subject.found(&lines), seq(at), "{at} {other}");
        }
    }
}

#[test]
fn every_end_that_is_cut_off_is_found_by_what_is_held_elsewhere() {
    let subject = Subject::new();
    for len in 1..RECORDS {
        let lines = &subject.lines[..len];
        let report = subject.check(lines, &subject.outside);
        assert_eq!(report.fault.map(|fault| fault.seq), seq(len), "{len}");
        assert_eq!(subject.found(lines), None, "nothing else can show it");
        // In the middle of a line.
        let mut lines = lines.to_vec();
        let half = subject.lines[len].len() / 2;
        lines.push(subject.lines[len][..half].to_vec());
        let report = subject.check(&lines, &subject.outside);
        assert_eq!((report.unfinished_bytes, report.fault.map(|fault| fault.seq)), (half as u64, seq(len)));
    }
}

#[test]
fn a_log_that_is_written_anew_is_found_by_what_is_held_elsewhere() {
    let subject = Subject::new();
    // By somebody who has the key and knows the form: another log with its records.
    let other = tempfile::tempdir().unwrap();
    fs::copy(subject.folder.path().join("audit.key"), other.path().join("audit.key")).unwrap();
    fill(&Log::open(&settings(other.path())).unwrap(), RECORDS + 10);
    let report = check(&[other.path().to_owned()], &[], None);
    assert!(report.fault.is_none(), "it is right in itself");
    let report = check(&[other.path().to_owned()], &subject.outside, None);
    let Some(Fault { seq, what, .. }) = report.fault else { panic!("{report:?}") };
    assert!(seq == 1 && what.contains("held elsewhere, has another root"), "{what}");
    // By somebody who has not.
    let stranger = tempfile::tempdir().unwrap();
    fill(&Log::open(&settings(stranger.path())).unwrap(), RECORDS);
    let fault = check(&[stranger.path().to_owned()], &subject.outside, None).fault.unwrap();
    assert!(fault.what.contains("another log"), "{fault:?}");
}

#[test]
fn records_between_two_checkpoints_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 10);
    fill(&Log::open(&settings(folder.path())).unwrap(), 10);
    let mut outside = checkpoints(folder.path());
    let key = SigningKey::parse(&fs::read_to_string(folder.path().join("audit.key")).unwrap()).unwrap();
    // The second says something else, rightly signed.
    let other = outside[1].text.replace(outside[1].text.lines().nth(2).unwrap(), &"A".repeat(43)) + "";
    let other = other.replace(&"A".repeat(43), &format!("{}=", "A".repeat(43)));
    outside[1] = Note::parse_all(key.sign(&other)).pop().unwrap();
    let report = check(&[folder.path().to_owned()], &outside, None);
    assert_eq!((report.fault.map(|fault| fault.seq), report.covered), (Some(12), 11));
    // A signature that is not.
    let mut forged = checkpoints(folder.path());
    forged[0].text = forged[0].text.replace("\n11\n", "\n12\n");
    let fault = check(&[folder.path().to_owned()], &forged[..1], None).fault.unwrap();
    assert!(fault.what.contains("wrong signature"), "{fault:?}");
}

#[test]
fn a_key_that_the_records_do_not_name_is_a_fault() {
    let (folder, stranger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(&settings(folder.path())).unwrap();
    let key = log.verifier().clone();
    drop(log);
    fill(&Log::open(&settings(stranger.path())).unwrap(), 3);
    fs::remove_file(stranger.path().join("audit.checkpoints")).unwrap();
    let fault = check(&[stranger.path().to_owned()], &[], Some(&key)).fault.unwrap();
    assert!(fault.seq == 1 && fault.what.contains("another key"), "{fault:?}");
}

#[test]
fn a_key_that_was_changed_signs_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let place = settings(folder.path());
    drop(Log::open(&place).unwrap());
    let old = SigningKey::parse(&fs::read_to_string(folder.path().join("audit.key")).unwrap()).unwrap();
    rotate_key(&place).unwrap();
    fill(&Log::open(&place).unwrap(), 5);
    let mut outside = checkpoints(folder.path());
    let last = outside.last_mut().unwrap();
    *last = Note::parse_all(old.sign(&last.text)).pop().unwrap();
    for key in [None, Some(old.verifier())] {
        let fault = check(&[folder.path().to_owned()], &outside, key).fault.unwrap();
        assert!(fault.what.contains("was not in use"), "{fault:?}");
    }
}

/// Lines behind the end of a file that the next one states are neither checked nor shown.
#[test]
fn what_stands_behind_the_end_of_a_file_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 3);
    let finished = folder.path().join("audit-00000000000000000001.jsonl");
    fs::rename(folder.path().join("audit.jsonl"), &finished).unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 3);
    let mut text = fs::read_to_string(&finished).unwrap();
    text.push_str("{\"seq\":2,\"kind\":\"put_in\"}\nno record\n");
    fs::write(&finished, text).unwrap();
    crate::support::check_right(folder.path());
    assert!(!crate::support::kinds(folder.path()).contains(&"put_in".to_owned()));
}

#[test]
fn the_largest_number_is_no_record_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 1);
    let path = folder.path().join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().nth(1).unwrap();
    let hashed =
        line.rsplit_once(",\"hash\"").unwrap().0.replace("\"seq\":2", "\"seq\":18446744073709551615");
    let bytes = [b"\0", hashed.as_bytes(), b"}"].concat();
    let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{hashed},\"hash\":\"{hash}\"}}\n");
    fs::write(&path, format!("{}\n{line}{line}", text.lines().next().unwrap())).unwrap();
    let report = check(std::slice::from_ref(&path), &[], None);
    assert_eq!(report.fault.map(|fault| fault.seq), Some(2));
    fs::write(&path, format!("{line}{line}")).unwrap();
    assert_eq!(check(&[path], &[], None).fault.map(|fault| fault.seq), Some(1));
}

/// Every file of a log that is missing, or stands twice, is found.
#[test]
fn segments_that_are_missing_or_doubled_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let place = Settings { segment_bytes: 4000, ..settings(folder.path()) };
    fill(&Log::open(&place).unwrap(), 60);
    let segments: Vec<PathBuf> = crate::support::names(folder.path())
        .into_iter()
        .filter(|name| name.ends_with(".jsonl"))
        .map(|name| folder.path().join(name))
        .collect();
    let first = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap()).unwrap()["seq"].as_u64()
    };
    let (oldest, rest) = segments.split_first().unwrap();
    for path in rest.iter().filter(|path| !path.ends_with("audit.jsonl")) {
        let seq = first(path);
        let aside = folder.path().join("aside");
        fs::rename(path, &aside).unwrap();
        let found = check(&[folder.path().to_owned()], &[], None).fault.map(|fault| fault.seq);
        assert_eq!(found, seq, "{path:?}");
        fs::rename(&aside, path).unwrap();
        let double = folder.path().join("double.jsonl");
        fs::copy(path, &double).unwrap();
        let fault = check(&[folder.path().to_owned()], &[], None).fault.unwrap();
        assert!(Some(fault.seq) >= seq, "{fault:?}");
        fs::remove_file(&double).unwrap();
    }
    // A log may begin late: old files are kept for so long and no longer.
    let seq = first(&rest[0]).unwrap();
    fs::remove_file(oldest).unwrap();
    let report = check(&[folder.path().to_owned()], &[], None);
    assert_eq!((report.fault, report.seq_first), (None, seq));
}
