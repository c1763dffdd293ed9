//! Every write, sync and rename of a short run fails, or kills the process: one run for each of them. So does everything
//! that is done to the log's copies elsewhere.

use crate::support::{check, check_right, names, record, records, settings};
use obelus_audit::{Log, Note, Settings};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// What names the folder to a child.
const FOLDER: &str = "OBELUS_AUDIT_INJECTED_FOLDER";
/// Records of a run.
const RECORDS: usize = 5;
/// No run has so many calls of one sort.
const CALLS_MAX: usize = 100;
/// Calls by which the log is written.
const CALLS: [&str; 4] = ["write", "fdatasync", "fsync", "rename"];
/// Calls by which copies are.
const CALLS_ELSEWHERE: [&str; 5] = ["openat", "write", "fdatasync", "fsync", "rename"];
/// Folders beside the log, where they are made: of checkpoints, and of finished files.
const COPIES: &str = "copies";
const SHIPPED: &str = "shipped";
/// Records before a run, where there are copies.
const RECORDS_BEFORE: usize = 3;
/// What becomes of a call; of the last the process hears nothing.
const FAULTS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];
/// Files that are written to; other writes are what the child says.
const WRITTEN: [&str; 4] = ["audit.jsonl", "audit.checkpoints", "audit.key.draft", "audit.pub.draft"];

fn place(folder: &Path) -> Settings {
    let is_there = |name: &str| Some(folder.join(name)).filter(|folder| folder.is_dir());
    // So short that there are two files.
    Settings { segment_bytes: 700, copies: is_there(COPIES), ship: is_there(SHIPPED), ..settings(folder) }
}

/// Begins a log that has copies, and names the files that are written elsewhere when it goes on.
fn begin_copies(folder: &Path) -> Vec<PathBuf> {
    let (copies, shipped) = (folder.join(COPIES), folder.join(SHIPPED));
    for folder in [&copies, &shipped] {
        fs::create_dir(folder).expect("it works");
    }
    let log = Log::open(&place(folder)).expect("it works");
    for at in 0..RECORDS_BEFORE {
        log.append_blocking(&record(&format!("before{at}")), SystemTime::now()).expect("it works");
    }
    log.close().expect("it works");
    let mut paths: Vec<PathBuf> = names(&copies).iter().map(|name| copies.join(name)).collect();
    assert_eq!(paths.len(), 1, "the file of checkpoints");
    let seqs = 1..3 * (RECORDS + RECORDS_BEFORE);
    let targets = seqs.map(|seq| shipped.join(format!("audit-{seq:020}.jsonl.zst")));
    paths.extend(targets.flat_map(|target| [target.with_extension("zst.part"), target]));
    paths.push(shipped);
    paths
}

/// The child: appends one record after the other, and says which were acknowledged.
#[test]
#[ignore = "a child of another test, which names it a folder"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    // What cannot be opened is told by an exit code.
    let log = Log::open(&place(Path::new(&folder))).expect("it works");
    for at in 0..RECORDS {
        while log.check().is_err() {
            // The log tries again every second.
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Ok(seq) = log.append_blocking(&record(&format!("r{at}")), SystemTime::now()) {
            writeln!(std::io::stdout(), "\nacknowledged {seq} r{at} .").expect("it works");
        }
    }
    log.close().expect("what is acknowledged is kept");
}

/// What a run came to.
struct Run {
    /// Whether there was a call for the fault.
    is_hit: bool,
    acknowledged: usize,
}

/// Whose calls fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Of {
    Log,
    Copies,
}

/// Runs a child in which the call of that number fails so, then starts the log again and looks.
fn run(of: Of, call: &str, fault: &str, at: usize) -> Run {
    let folder = tempfile::tempdir().expect("it works");
    let trace = tempfile::NamedTempFile::new().expect("it works");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(trace.path());
    let paths = match of {
        Of::Copies => begin_copies(folder.path()),
        Of::Log if call == "write" => WRITTEN.map(|name| folder.path().join(name)).to_vec(),
        Of::Log => Vec::new(),
    };
    for path in paths {
        command.arg("-P").arg(path);
    }
    command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}:when={at}")]);
    command.arg(std::env::current_exe().expect("it works"));
    command.args(["--exact", "injected::child", "--ignored", "--nocapture"]).env(FOLDER, folder.path());
    let output = command.stderr(Stdio::null()).output().expect("it works");
    let said = String::from_utf8(output.stdout).expect("it works");
    let mut acknowledged = BTreeMap::new();
    for line in said.lines() {
        // A line that was cut off acknowledges nothing.
        if let ["acknowledged", seq, id, "."] = line.split(' ').collect::<Vec<_>>().as_slice() {
            acknowledged.insert((*id).to_owned(), seq.parse::<u64>().expect("it works"));
        }
    }
    let traced = fs::read_to_string(trace.path()).expect("it works");
    let is_hit = traced.contains("(INJECTED)") || traced.contains("killed by SIGKILL");
    if !is_hit {
        assert_eq!(acknowledged.len(), RECORDS, "without a fault everything is written: {said}");
        let files = fs::read_dir(folder.path()).expect("it works").filter_map(Result::ok);
        let is_segment = |name: &str| name.ends_with(".jsonl");
        let files = files.filter(|file| file.file_name().to_str().is_some_and(is_segment)).count();
        assert!(files > 1, "a run begins a second file");
    }
    let opened = Log::open(&place(folder.path()));
    assert!(opened.is_ok(), "{of:?} {call} {fault} {at}: {:?}", opened.err());
    drop(opened);
    check_right(folder.path());
    if of == Of::Copies {
        check_copies(folder.path());
    }
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in records(folder.path()) {
        if let Some(id) = record["request_id"].as_str() {
            found.entry(id.to_owned()).or_default().push(record["seq"].as_u64().expect("it works"));
        }
    }
    for (id, seq) in &acknowledged {
        assert_eq!(found.get(id), Some(&vec![*seq]), "{of:?} {call} {fault} {at}: {id}");
    }
    Run { is_hit, acknowledged: acknowledged.len() }
}

/// After a restart, what is elsewhere agrees with the log: every checkpoint that was copied, and every finished file.
fn check_copies(folder: &Path) {
    let copies = folder.join(COPIES);
    for name in names(&copies) {
        let notes = Note::parse_all(fs::read_to_string(copies.join(name)).expect("it works"));
        let report = check(&[folder.to_owned()], &notes, None);
        assert_eq!(report.fault, None);
        assert!(report.covered > 0, "a checkpoint was copied");
    }
    let mut is_shipped = false;
    for name in names(folder).iter().filter(|name| name.starts_with("audit-")) {
        let copy = File::open(folder.join(SHIPPED).join(format!("{name}.zst"))).expect("it was shipped");
        let text = zstd::stream::decode_all(copy).expect("it is whole");
        assert_eq!(text, fs::read(folder.join(name)).expect("it works"), "{name}");
        is_shipped = true;
    }
    assert!(is_shipped);
}

#[test]
fn every_call_fails_and_kills() {
    every_call(Of::Log, &CALLS);
}

#[test]
fn every_call_for_copies_fails_and_kills() {
    every_call(Of::Copies, &CALLS_ELSEWHERE);
}

fn every_call(of: Of, calls: &[&str]) {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        let said = writeln!(std::io::stderr(), "strace is not here, or may not trace: NOT tested");
        return said.expect("it works");
    }
    std::thread::scope(|scope| {
        let of_fault = |fault| {
            scope.spawn(move || {
                let mut kept = 0;
                for call in calls {
                    let runs = (1..CALLS_MAX).map(|at| run(of, call, fault, at));
                    let runs: Vec<Run> = runs.take_while(|run| run.is_hit).collect();
                    let count = runs.len();
                    assert!((1..CALLS_MAX - 1).contains(&count), "{of:?} {call} {fault}: {count} calls");
                    kept += runs.iter().map(|run| run.acknowledged).sum::<usize>();
                    writeln!(std::io::stdout(), "{of:?} {call} {fault}: {count} runs").expect("it works");
                }
                assert!(kept > RECORDS, "{fault}: {kept} records were acknowledged");
            })
        };
        for thread in FAULTS.map(of_fault) {
            thread.join().expect("every run is right");
        }
    });
}
