//! Records are handed out as they are kept.

use crate::support::{checkpoints, fill, record, records, settings};
use obelus_audit::{Checkpoint, Follower, Line, Log, Settings};
use std::fs;
use std::time::SystemTime;

/// All that is kept now.
fn read(follower: &mut Follower, records_max: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    while follower.behind() > 0 {
        lines.extend(follower.read(records_max, 1 << 20).expect("it can be read"));
    }
    lines
}

/// That these are the records of a folder from `seq` on, as they stand there.
fn are_records(lines: &[Line], folder: &std::path::Path, seq: u64) {
    let told: Vec<(u64, serde_json::Value)> =
        lines.iter().map(|line| (line.seq, serde_json::from_str(&line.text).expect("JSON"))).collect();
    let there = records(folder).into_iter().map(|record| (record["seq"].as_u64().expect("a number"), record));
    assert_eq!(told, there.filter(|(at, _)| *at >= seq).collect::<Vec<_>>());
}

#[test]
fn all_records_come_in_order_through_all_files_while_they_are_written() {
    for records_max in [1, 7, 1000] {
        let folder = tempfile::tempdir().unwrap();
        let place = Settings { segment_bytes: 900, ..settings(folder.path()) };
        let log = Log::open(&place).unwrap();
        let mut follower = log.follow(0);
        let mut lines = read(&mut follower, records_max);
        assert_eq!(lines.len(), 1, "what begins the file");
        for count in [1, 3, 0, 20, 2] {
            fill(&log, count);
            lines.extend(read(&mut follower, records_max));
        }
        are_records(&lines, folder.path(), 1);
        // One that begins late has all of it before it.
        are_records(&read(&mut log.follow(0), records_max), folder.path(), 1);
        are_records(&read(&mut log.follow(12), records_max), folder.path(), 13);
        drop(log);
        let log = Log::open(&place).unwrap();
        are_records(&read(&mut log.follow(0), records_max), folder.path(), 1);
    }
}

#[test]
fn bytes_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    fill(&log, 10);
    let mut follower = log.follow(0);
    let lines = follower.read(1000, 300).unwrap();
    let before: usize = lines.iter().rev().skip(1).map(|line| line.text.len()).sum();
    assert!(lines.len() < 11 && before < 300, "{lines:?}");
    assert_eq!(follower.behind(), 11 - lines.len() as u64);
}

#[test]
fn files_that_are_gone_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&Settings { segment_bytes: 900, ..settings(folder.path()) }).unwrap();
    fill(&log, 12);
    let first = folder.path().join(format!("audit-{:020}.jsonl", 1));
    let gone = fs::read_to_string(&first).unwrap().lines().count() as u64;
    fs::remove_file(&first).unwrap();
    let lines = read(&mut log.follow(0), 1000);
    assert_eq!(lines[0].seq, gone + 1);
    are_records(&lines, folder.path(), gone + 1);
}

#[test]
fn a_record_that_was_changed_meanwhile_is_no_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    fill(&log, 3);
    let path = folder.path().join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("{\"seq\":3,", "{\"seq\":9,", 1)).unwrap();
    let mut follower = log.follow(0);
    let error = follower.read(1000, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("the record 3 is damaged or missing"), "{error}");
}

#[tokio::test]
async fn whoever_waits_is_told_of_records_of_checkpoints_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    let mut follower = log.follow(0);
    assert_eq!(follower.read(1000, 1 << 20).unwrap().len(), 1);
    assert!(follower.checkpoint().is_none());
    log.append(&record("r"), SystemTime::now()).await.unwrap();
    assert!(follower.changed().await);
    assert_eq!(follower.read(1000, 1 << 20).unwrap().len(), 1);
    log.close().unwrap();
    while follower.changed().await {}
    let told = follower.checkpoint().unwrap();
    let note = checkpoints(folder.path()).pop().unwrap();
    assert_eq!(Checkpoint::parse(&note.text).unwrap().size, told.size);
    assert!(told.note.starts_with(&note.text) && told.size == 2);
}
