//! Processes that are killed while they write.

use crate::support::{check_right, record, records, settings};
use obelus_audit::{Log, Settings};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What names the folder to a child.
const FOLDER: &str = "OBELUS_AUDIT_TEST_FOLDER";
/// How many tasks of a child append at the same time: few enough that what they have under way fits into a short file.
const TASKS: usize = 16;

fn place(folder: &Path) -> Settings {
    // So short that files change all the time.
    Settings { segment_bytes: 64 << 10, ..settings(folder) }
}

/// The child: appends and says what was acknowledged, until it is killed or a write fails for good.
#[test]
#[ignore = "a child of other tests, which name it a folder"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let log = Arc::new(Log::open(&place(Path::new(&folder))).expect("it works"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("it works");
    let tasks = (0..TASKS).map(|task| {
        let log = Arc::clone(&log);
        runtime.spawn(async move {
            // Nobody reads for ever.
            for at in 0..20_000 {
                let id = format!("{}-{task}-{at}", std::process::id());
                log.reserve().await.expect("it works").put(&record("summary"), SystemTime::now());
                if let Ok(seq) = log.append(&record(&id), SystemTime::now()).await {
                    writeln!(std::io::stdout(), "acknowledged {seq} {id}").expect("it works");
                }
                while log.check().is_err() {
                    // The log tries again every second.
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        runtime.block_on(task).expect("it works");
    }
}

fn spawn(folder: &Path, before: &[&str]) -> Child {
    let program = std::env::current_exe().expect("it works");
    let mut words = before.iter().map(Into::into).chain([program.into_os_string()]);
    let mut command = Command::new(words.next().expect("it works"));
    command.args(words).args(["--exact", "crash::child", "--ignored", "--nocapture"]).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it works")
}

/// Reads what a child acknowledges until there is enough, kills it, and reads the rest.
fn kill_after(mut child: Child, count: usize, acknowledged: &mut BTreeMap<String, u64>) {
    let (before, mut last) = (acknowledged.len(), None);
    for line in BufReader::new(child.stdout.take().expect("it works")).lines() {
        let line = line.expect("it works");
        let mut words = line.split(' ').skip_while(|word| !word.ends_with("acknowledged")).skip(1);
        if let (Some(seq), Some(id)) = (words.next(), words.next()) {
            // The last line may be cut off.
            let Ok(seq) = seq.parse() else { continue };
            if id.split('-').count() == 3 {
                acknowledged.insert(id.to_owned(), seq);
                last = id.split('-').next().map(str::to_owned);
            }
        }
        if acknowledged.len() == before + count
            && let Some(process) = last.take()
        {
            // Not `child.kill`: that may be who watches the process. It may have been killed already.
            Command::new("kill").args(["-9", &process]).stderr(Stdio::null()).status().expect("it works");
        }
    }
    child.wait().expect("it works");
}

/// Each acknowledged record is there once, with its number.
fn assert_kept(folder: &Path, acknowledged: &BTreeMap<String, u64>) {
    check_right(folder);
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in records(folder) {
        if let Some(id) = record["request_id"].as_str().filter(|id| *id != "summary") {
            found.entry(id.to_owned()).or_default().push(record["seq"].as_u64().expect("it works"));
        }
    }
    for (id, seq) in acknowledged {
        // A line that was cut off may name the beginning of an id.
        let is_kept = found.get(id) == Some(&vec![*seq]);
        assert!(
            is_kept || found.iter().any(|(other, at)| other.starts_with(id) && at == &[*seq]),
            "{id} {seq}"
        );
    }
}

fn kills(rounds: usize) {
    let folder = tempfile::tempdir().expect("it works");
    let mut acknowledged = BTreeMap::new();
    for round in 0..rounds {
        // One log all the time, so that each start recovers from the kill before.
        kill_after(spawn(folder.path(), &[]), 1 + round * 37 % 211, &mut acknowledged);
        if round % 10 == 9 || round + 1 == rounds {
            assert_kept(folder.path(), &acknowledged);
        }
    }
    drop(Log::open(&place(folder.path())).expect("it works"));
    assert_kept(folder.path(), &acknowledged);
    assert!(acknowledged.len() > rounds * 10, "{} records", acknowledged.len());
}

#[test]
fn twenty_processes_are_killed() {
    kills(20);
}

#[test]
#[ignore = "minutes: just crash"]
fn two_hundred_processes_are_killed() {
    kills(200);
}

/// A limit of the system on the length of files is a disk that is full: each file ends with half a line.
#[test]
fn a_file_that_must_not_grow_is_followed_by_another() {
    let folder = tempfile::tempdir().expect("it works");
    let mut acknowledged = BTreeMap::new();
    let shell = ["sh", "-c", "trap '' XFSZ; ulimit -f 40; exec \"$0\" \"$@\""];
    kill_after(spawn(folder.path(), &shell), 100, &mut acknowledged);
    assert_kept(folder.path(), &acknowledged);
    let failed = |record: &serde_json::Value| record["segment"]["reason"] == "write_failed";
    assert!(records(folder.path()).iter().any(failed), "files were too short to fail");
}

/// Calls of the system fail, or kill the process, at every place in its way.
#[test]
fn calls_of_the_system_fail_and_kill() {
    let traced = |inject: &str| {
        let folder = tempfile::tempdir().expect("it works");
        let mut acknowledged = BTreeMap::new();
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject];
        kill_after(spawn(folder.path(), &strace), 60, &mut acknowledged);
        if folder.path().join("audit.jsonl").exists() || folder.path().join("audit.key").exists() {
            // What is torn is set aside by the next start.
            drop(Log::open(&place(folder.path())).expect("it works"));
            assert_kept(folder.path(), &acknowledged);
        }
        acknowledged.len()
    };
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        let said = writeln!(std::io::stderr(), "strace is not here, or may not trace: NOT tested");
        return said.expect("it works");
    }
    let mut kept = 0;
    for call in ["fdatasync", "fsync", "rename", "ftruncate"] {
        for at in [1, 2, 3, 5, 9] {
            kept += traced(&format!("inject={call}:error=EIO:when={at}"));
            kept += traced(&format!("inject={call}:signal=KILL:when={at}"));
        }
    }
    assert!(kept > 0);
}
