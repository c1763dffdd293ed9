//! A disk that fails when it is told to.

use crate::support::{check_right, kinds, record, records, settings};
use obelus_audit::{Disk, DiskFile, FileSystem, Log, Settings, Unwritten};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// What can fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Create,
    Append,
    Rename,
    Remove,
    SyncFolder,
    Write,
    /// A write of which the first half succeeds.
    HalfWrite,
    Sync,
}

/// A file system of which single steps fail: the n-th from now on, or all of a kind.
#[derive(Clone, Debug, Default)]
struct Faulty(Arc<Plan>);

#[derive(Debug, Default)]
struct Plan {
    steps: AtomicUsize,
    fail_at: AtomicUsize,
    all: Mutex<Vec<Step>>,
    /// Files that have failed to reach the disk, and how often that was tried again.
    files: AtomicU64,
    failed_files: Mutex<Vec<u64>>,
    retries: AtomicU64,
}

impl Faulty {
    fn step(&self, step: Step) -> io::Result<()> {
        let at = self.0.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if at == self.0.fail_at.load(Ordering::SeqCst)
            || self.0.all.lock().expect("nobody panics").contains(&step)
        {
            return Err(io::Error::from_raw_os_error(if step == Step::Sync { 5 } else { 28 }));
        }
        Ok(())
    }

    /// From now on all of these fail.
    fn break_all(&self, steps: &[Step]) {
        *self.0.all.lock().expect("nobody panics") = steps.to_vec();
    }
}

struct FaultyFile {
    disk: Faulty,
    file: Box<dyn DiskFile>,
    id: u64,
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.disk.step(Step::HalfWrite) {
            self.file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.disk.step(Step::Write)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut failed = self.disk.0.failed_files.lock().expect("nobody panics");
        if failed.contains(&self.id) {
            self.disk.0.retries.fetch_add(1, Ordering::SeqCst);
        }
        self.disk.step(Step::Sync).inspect_err(|_| failed.push(self.id))?;
        self.file.sync()
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step(Step::Create)?;
        let id = self.0.files.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FaultyFile { disk: self.clone(), file: FileSystem.create(path)?, id }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step(Step::Append)?;
        let id = self.0.files.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FaultyFile { disk: self.clone(), file: FileSystem.append(path)?, id }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Step::Rename)?;
        FileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Step::Remove)?;
        FileSystem.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step(Step::SyncFolder)?;
        FileSystem.sync_folder(folder)
    }
}

/// Appends until it succeeds again. The log tries once a second.
fn append_until_it_works(log: &Log, id: &str) -> u64 {
    loop {
        match log.append_blocking(&record(id), SystemTime::now()) {
            Ok(seq) => return seq,
            Err(error) => {
                assert!(matches!(error, Unwritten::Failed(_)), "{error}");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

/// Wherever it fails, what was acknowledged is there once, in a chain without a gap, and the log goes on by itself.
#[test]
fn every_single_step_may_fail() {
    let (mut at, mut worked) = (1, 0);
    while worked == 0 {
        let folder = tempfile::tempdir().unwrap();
        let disk = Faulty::default();
        // Files of three records or so.
        let place = Settings { segment_bytes: 900, ..settings(folder.path()) };
        let log = Log::open_on(&place, Arc::new(disk.clone())).unwrap();
        let begun = disk.0.steps.load(Ordering::SeqCst);
        disk.0.fail_at.store(begun + at, Ordering::SeqCst);
        let mut kept = Vec::new();
        let (mut follower, mut followed) = (log.follow(0), Vec::new());
        for number in 0..6 {
            // Now and then only: files may begin and end meanwhile.
            if number % 2 == 0 {
                followed.extend(follower.read(100, 1 << 20).unwrap());
            }
            let id = format!("r{number}");
            match log.append_blocking(&record(&id), SystemTime::now()) {
                Ok(seq) => kept.push((seq, id)),
                Err(error) => {
                    assert!(log.check().is_err(), "{error}");
                    let id = format!("again{number}");
                    kept.push((append_until_it_works(&log, &id), id));
                    log.check().unwrap();
                }
            }
        }
        drop(log);
        followed.extend(follower.read(100, 1 << 20).unwrap());
        worked = usize::from(disk.0.steps.load(Ordering::SeqCst) < begun + at);
        assert_eq!(disk.0.retries.load(Ordering::SeqCst), 0, "no file that has failed is tried again");
        check_right(folder.path());
        let found = records(folder.path());
        let followed: Vec<serde_json::Value> =
            followed.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect();
        assert_eq!(followed, found, "step {at}: who follows sees what is kept and nothing else");
        for (seq, id) in kept {
            let is_it = |record: &&serde_json::Value| record["request_id"] == id.as_str();
            let there: Vec<_> = found.iter().filter(is_it).map(|record| record["seq"].as_u64()).collect();
            assert_eq!(there, [Some(seq)], "step {at}: {id}");
        }
        // A restart goes on as well.
        Log::open(&place).unwrap();
        check_right(folder.path());
        at += 1;
    }
    assert!(at > 20, "{at} steps");
}

#[tokio::test]
async fn a_full_disk_refuses_what_must_be_kept_and_keeps_the_rest_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let log = Log::open_on(&settings(folder.path()), Arc::new(disk.clone())).unwrap();
    log.append(&record("before"), SystemTime::now()).await.unwrap();
    disk.break_all(&[Step::HalfWrite]);
    log.append(&record("lost"), SystemTime::now()).await.unwrap_err();
    let Err(Unwritten::Failed(error)) = log.check() else { panic!("it is known") };
    assert!(error.to_string().contains("No space left"), "{error}");
    for at in 0..8192 {
        log.reserve().await.unwrap().put(&record(&format!("s{at}")), SystemTime::now());
    }
    log.append(&record("refused"), SystemTime::now()).await.unwrap_err();
    disk.break_all(&[]);
    while log.check().is_err() {
        tokio::task::yield_now().await;
    }
    log.append(&record("after"), SystemTime::now()).await.unwrap();
    drop(log);
    check_right(folder.path());
    let ids: Vec<String> = records(folder.path())
        .iter()
        .filter_map(|record| Some(record["request_id"].as_str()?.to_owned()))
        .collect();
    let mut wanted = vec!["before".to_owned()];
    wanted.extend((0..8192).map(|at| format!("s{at}")));
    wanted.push("after".to_owned());
    assert_eq!(ids, wanted);
}

#[tokio::test]
async fn whoever_closes_a_log_is_told_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let log = Log::open_on(&settings(folder.path()), Arc::new(disk.clone())).unwrap();
    disk.break_all(&[Step::Write, Step::Create]);
    log.reserve().await.unwrap().put(&record("lost"), SystemTime::now());
    assert!(matches!(log.close(), Err(Unwritten::Failed(_))));
    drop(log);
    check_right(folder.path());
    assert!(Log::open(&settings(folder.path())).unwrap().close().is_ok());
}

#[test]
fn a_file_that_did_not_reach_the_disk_is_abandoned_and_the_next_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let log = Log::open_on(&settings(folder.path()), Arc::new(disk.clone())).unwrap();
    log.append_blocking(&record("before"), SystemTime::now()).unwrap();
    disk.break_all(&[Step::Sync]);
    log.append_blocking(&record("unknown"), SystemTime::now()).unwrap_err();
    disk.break_all(&[]);
    append_until_it_works(&log, "after");
    drop(log);
    let found = records(folder.path());
    assert_eq!(
        kinds(folder.path()),
        ["segment_started", "model_request", "segment_started", "model_request"]
    );
    assert_eq!(found[2]["segment"]["reason"], "sync_failed");
    assert_eq!((&found[2]["seq"], &found[2]["prev"]), (&3.into(), &found[1]["hash"]));
    assert_eq!(check_right(folder.path()).recoveries, 1);
    // The file has it all the same: it was written, and nobody knows whether it stays.
    let abandoned = std::fs::read_to_string(folder.path().join(format!("audit-{:020}.jsonl", 1))).unwrap();
    assert!(abandoned.contains("unknown"));
}

/// The process ends after a wait for the disk has failed and before another file could be begun.
#[test]
fn a_restart_goes_on_in_a_new_file_behind_what_is_known_to_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let log = Log::open_on(&settings(folder.path()), Arc::new(disk.clone())).unwrap();
    log.append_blocking(&record("before"), SystemTime::now()).unwrap();
    disk.break_all(&[Step::Sync, Step::Rename]);
    log.append_blocking(&record("unknown"), SystemTime::now()).unwrap_err();
    drop(log);
    // Nothing was begun: the file that failed is still the last.
    assert!(std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap().contains("unknown"));
    let log = Log::open(&settings(folder.path())).unwrap();
    log.append_blocking(&record("after"), SystemTime::now()).unwrap();
    drop(log);
    let found = records(folder.path());
    assert_eq!(
        kinds(folder.path()),
        ["segment_started", "model_request", "segment_started", "model_request"]
    );
    assert_eq!((&found[2]["segment"]["reason"], &found[2]["seq"]), (&"sync_failed".into(), &3.into()));
    assert_eq!(found[3]["request_id"], "after");
    assert_eq!(check_right(folder.path()).recoveries, 1);
    // What said so is gone, and the next start goes on in the same file.
    assert!(!folder.path().join("audit.left").exists());
    drop(Log::open(&settings(folder.path())).unwrap());
    assert_eq!(records(folder.path()).len(), 4);
}

/// A disk on which one folder hangs from some time on.
#[derive(Clone, Debug)]
struct Hanging {
    folder: std::path::PathBuf,
    /// Held while it hangs.
    gate: Arc<Mutex<()>>,
}

struct HangingFile {
    file: Box<dyn DiskFile>,
    gate: Arc<Mutex<()>>,
}

impl Write for HangingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _open = self.gate.lock().expect("nobody panics");
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for HangingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Disk for Hanging {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        FileSystem.create(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = FileSystem.append(path)?;
        if path.starts_with(&self.folder) {
            return Ok(Box::new(HangingFile { file, gate: Arc::clone(&self.gate) }));
        }
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        FileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        FileSystem.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        FileSystem.sync_folder(folder)
    }
}

#[tokio::test]
async fn a_folder_of_copies_that_hangs_keeps_no_record_waiting_and_is_told() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Settings { copies: Some(copies.path().to_owned()), ..settings(folder.path()) };
    let gate = Arc::new(Mutex::new(()));
    let disk = Hanging { folder: copies.path().to_owned(), gate: Arc::clone(&gate) };
    let log = Log::open_on(&place, Arc::new(disk)).unwrap();
    // A lock must not be held over an `await`; so a thread holds it until it is told.
    let (let_go, told) = std::sync::mpsc::channel::<()>();
    let (held, is_held) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let hangs = gate.lock().expect("nobody panics");
        held.send(()).expect("it is waited for");
        told.recv().unwrap_err();
        drop(hangs);
    });
    is_held.recv().unwrap();
    // More checkpoints than may wait.
    for round in 0..70 {
        for at in 0..1000 {
            log.reserve().await.unwrap().put(&record(&format!("{round}-{at}")), SystemTime::now());
        }
        log.append(&record("kept"), SystemTime::now()).await.unwrap();
    }
    log.close().unwrap();
    drop(let_go);
    holder.join().unwrap();
    assert!(kinds(folder.path()).iter().any(|kind| kind == "checkpoint_failed"));
    check_right(folder.path());
}

#[test]
fn finished_files_are_shipped_compressed_and_again_only_if_they_are_missing() {
    let (folder, ship) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place =
        Settings { ship: Some(ship.path().to_owned()), segment_bytes: 900, ..settings(folder.path()) };
    for round in 0..2 {
        let log = Log::open(&place).unwrap();
        for number in 0..20 {
            log.append_blocking(&record(&format!("{round}-{number}")), SystemTime::now()).unwrap();
        }
        log.close().unwrap();
        let (mut shipped, mut lost) = (0, None);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with("audit-") {
                let copy = ship.path().join(format!("{name}.zst"));
                let text = zstd::stream::decode_all(std::fs::File::open(&copy).unwrap()).unwrap();
                assert_eq!(text, std::fs::read(&path).unwrap(), "{name}");
                shipped += 1;
                lost = Some(copy);
            }
        }
        assert!(shipped > 4 * (round + 1), "{shipped}");
        // The next round makes up for one that is gone.
        std::fs::remove_file(lost.unwrap()).unwrap();
    }
    let nowhere = Settings { ship: Some(ship.path().join("nowhere")), ..settings(folder.path()) };
    let error = Log::open(&nowhere).unwrap_err().to_string();
    assert!(error.contains("is no folder"), "{error}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let place = Settings { copies: Some(copies.path().to_owned()), ..settings(folder.path()) };
    let disk = Faulty::default();
    let log = Log::open_on(&place, Arc::new(disk.clone())).unwrap();
    disk.break_all(&[Step::Append]);
    crate::support::fill(&log, 2100);
    disk.break_all(&[]);
    crate::support::fill(&log, 1100);
    drop(log);
    let told = kinds(folder.path()).iter().filter(|kind| *kind == "checkpoint_failed").count();
    assert_eq!(told, 1);
    assert!(check_right(folder.path()).checkpoints[0] >= 1);
}
