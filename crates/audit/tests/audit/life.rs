//! Beginnings, ends, restarts.

use crate::support::{check, check_right, checkpoints, fill, kinds, names, record, records, settings};
use obelus_audit::{Checkpoint, Error, Log, Settings, Unwritten, VerifierKey, rotate_key};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

#[test]
fn a_record_is_in_the_file_when_append_returns_and_follows_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    assert_eq!(log.append_blocking(&record("r1"), SystemTime::UNIX_EPOCH).unwrap(), 2);
    let lines = records(folder.path());
    assert_eq!(lines[0]["kind"], "segment_started");
    assert_eq!(lines[0]["segment"]["signing_key"], log.verifier().to_string());
    assert_eq!(lines[0]["prev"], "0".repeat(64));
    assert_eq!((&lines[1]["seq"], &lines[1]["request_id"]), (&2.into(), &"r1".into()));
    assert_eq!(lines[1]["time"], "1970-01-01T00:00:00.000000Z");
    assert_eq!(lines[1]["prev"], lines[0]["hash"]);
}

#[test]
fn a_log_goes_on_after_a_restart_and_ends_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        fill(&Log::open(&settings(folder.path())).unwrap(), 5);
    }
    let report = check_right(folder.path());
    assert_eq!((report.seq_first, report.seq_last, report.checkpoints), (1, 16, [3, 0]));
    let last = Checkpoint::parse(&checkpoints(folder.path()).pop().unwrap().text).unwrap();
    assert_eq!((last.size, last.root), (16, report.tree.root()));
    assert_eq!(Some(last.origin), report.origin);
}

#[test]
fn a_thousand_records_bring_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    fill(&log, 1005);
    let said = Checkpoint::parse(&checkpoints(folder.path())[0].text).unwrap();
    assert_eq!(said.size, 1000);
}

#[tokio::test]
async fn what_is_put_in_a_place_is_kept_without_anybody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    for at in 0..100 {
        log.reserve().await.unwrap().put(&record(&format!("r{at}")), SystemTime::now());
    }
    // In order: when the next is kept, they are.
    assert_eq!(log.append(&record("last"), SystemTime::now()).await.unwrap(), 102);
    log.reserve().await.unwrap().put(&record("behind"), SystemTime::now());
    log.close().unwrap();
    assert_eq!(check_right(folder.path()).seq_last, 103);
    assert!(matches!(log.append(&record("late"), SystemTime::now()).await, Err(Unwritten::Closed)));
    assert!(matches!(log.reserve().await, Err(Unwritten::Closed)));
}

#[tokio::test]
async fn no_more_wait_than_there_are_places() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&settings(folder.path())).unwrap();
    let mut places = Vec::new();
    for _ in 0..8192 {
        places.push(log.reserve().await.unwrap());
    }
    let mut ninth = std::pin::pin!(log.reserve());
    let polled =
        std::future::poll_fn(|cx| std::task::Poll::Ready(ninth.as_mut().poll(cx).is_pending())).await;
    assert!(polled, "there is no place");
    drop(places.pop());
    ninth.await.unwrap();
}

#[test]
fn segments_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 4000, ..settings(folder.path()) };
    fill(&Log::open(&settings).unwrap(), 50);
    fill(&Log::open(&settings).unwrap(), 50);
    let segments = names(folder.path()).iter().filter(|name| name.ends_with(".jsonl")).count();
    assert!(segments > 5, "{:?}", names(folder.path()));
    let report = check_right(folder.path());
    assert_eq!(usize::try_from(report.seq_last).unwrap(), 100 + segments);
    assert_eq!(report.recoveries, 0);
    // Each can be checked by itself, and knows the tree before it.
    let last = check(&[folder.path().join("audit.jsonl")], &[], None);
    assert_eq!((last.fault, last.tree.root()), (None, report.tree.root()));
    let first = check(&[folder.path().join(format!("audit-{:020}.jsonl", 1))], &[], None);
    assert_eq!((first.fault, first.seq_first), (None, 1));
}

#[test]
fn one_process_writes_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Log::open(&settings(folder.path())).unwrap();
    assert!(matches!(Log::open(&settings(folder.path())), Err(Error::Locked(_))));
    assert!(matches!(rotate_key(&settings(folder.path())), Err(Error::Locked(_))));
    drop(first);
    Log::open(&settings(folder.path())).unwrap();
}

#[test]
fn a_log_that_was_closed_is_free_whatever_processes_are_being_started() {
    let folder = tempfile::tempdir().unwrap();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(std::sync::atomic::Ordering::SeqCst) {
                    std::process::Command::new("true").status().unwrap();
                }
            });
        }
        let opened = (0..40).try_for_each(|_| Log::open(&settings(folder.path())).map(drop));
        is_done.store(true, std::sync::atomic::Ordering::SeqCst);
        opened.unwrap();
    });
}

#[test]
fn a_torn_end_is_set_aside_and_told() {
    for torn in ["{\"seq\":8,\"ti", "{\"seq\":7}\n", "\0\0\0\0"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fill(&Log::open(&settings(folder.path())).unwrap(), 5);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], torn.as_bytes()].concat()).unwrap();
        fill(&Log::open(&settings(folder.path())).unwrap(), 1);
        let kinds = kinds(folder.path());
        assert_eq!(kinds.get(6..).unwrap(), ["recovered", "model_request"], "{torn}");
        let aside = fs::read(folder.path().join("audit.torn")).unwrap();
        assert_eq!(aside, [torn.as_bytes(), b"\n"].concat());
        check_right(folder.path());
    }
}

#[test]
fn a_first_record_that_is_torn_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("audit.jsonl"), "{\"seq\":1,").unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 1);
    assert_eq!(kinds(folder.path()), ["segment_started", "recovered", "model_request"]);
    assert_eq!(check_right(folder.path()).recoveries, 1);
}

#[test]
fn an_end_between_two_files_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 3);
    let path = folder.path().join("audit.jsonl");
    fs::rename(&path, folder.path().join(format!("audit-{:020}.jsonl", 1))).unwrap();
    fill(&Log::open(&settings(folder.path())).unwrap(), 1);
    assert_eq!(kinds(folder.path()).get(4..).unwrap(), ["segment_started", "recovered", "model_request"]);
    check_right(folder.path());
}

#[test]
fn a_log_that_is_damaged_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fill(&Log::open(&settings(folder.path())).unwrap(), 5);
    let whole = fs::read_to_string(&path).unwrap();
    let open = |text: &str| {
        fs::write(&path, text).unwrap();
        Log::open(&settings(folder.path())).unwrap_err()
    };
    assert!(matches!(open(&whole.replace("\"r1\"", "\"r9\"")), Error::Damaged(_, 3)));
    assert!(matches!(open("something else\nand more\n"), Error::Damaged(_, 1)));
    let cut: String = whole.split_inclusive('\n').take(4).collect();
    let error = open(&cut);
    assert!(matches!(error, Error::Rewritten(_, 6)), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(Log::open(&settings(folder.path())), Err(Error::Rewritten(_, 6))));
    fs::write(&path, &whole).unwrap();
    Log::open(&settings(folder.path())).unwrap();
}

#[test]
fn the_key_is_its_owners_and_the_one_that_the_log_names() {
    let folder = tempfile::tempdir().unwrap();
    let (key, place) = (folder.path().join("audit.key"), settings(folder.path()));
    let verifier = Log::open(&place).unwrap().verifier().clone();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let public = fs::read_to_string(folder.path().join("audit.pub")).unwrap();
    assert_eq!(public.parse::<VerifierKey>().unwrap(), verifier);
    let private = fs::read_to_string(&key).unwrap();
    assert!(private.starts_with("PRIVATE+KEY+obelus.audit/") && !format!("{verifier:?}").contains("PRIVATE"));
    let refused = |what: &str| {
        let error = Log::open(&place).unwrap_err().to_string();
        assert!(error.contains(what) && !error.contains(private.trim_end()), "{error}");
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    refused("chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, private.replace("obelus.audit/", "obelus.other/")).unwrap();
    refused("no signing key");
    let other = tempfile::tempdir().unwrap();
    drop(Log::open(&settings(other.path())).unwrap());
    fs::copy(other.path().join("audit.key"), &key).unwrap();
    refused("not the key that the audit names");
    fs::remove_file(&key).unwrap();
    refused("its signing key is gone");
    fs::write(&key, &private).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    drop(Log::open(&place).unwrap());
}

#[test]
fn another_key_is_one_that_the_old_key_names() {
    let folder = tempfile::tempdir().unwrap();
    let place = settings(folder.path());
    let log = Log::open(&place).unwrap();
    fill(&log, 5);
    let old = log.verifier().clone();
    drop(log);
    let new = rotate_key(&place).unwrap();
    fill(&Log::open(&place).unwrap(), 5);
    assert!(new != old && new.name() == old.name());
    assert_eq!(kinds(folder.path())[6], "key_rotated");
    let notes = checkpoints(folder.path());
    let signed_by =
        |key: &VerifierKey| notes.iter().filter(|note| key.has_signed(note) == Some(true)).count();
    assert_eq!((signed_by(&old), signed_by(&new)), (2, 2));
    let report = check(&[folder.path().to_owned()], &notes, Some(&old));
    assert_eq!((report.fault, report.checkpoints, report.covered), (None, [4, 4], 12));
    // The new key is enough as well.
    let report = check(&[folder.path().to_owned()], &notes[3..], Some(&new));
    assert_eq!((report.fault, report.checkpoints, report.covered), (None, [4, 1], 12));
    // Without what the old key has signed over it, the new one is nobody's.
    let report = check(&[folder.path().join("audit.jsonl")], &notes[2..], Some(&old));
    assert!(report.fault.is_none(), "what lies beside the log says it: {report:?}");
    fs::remove_file(folder.path().join("audit.checkpoints")).unwrap();
    let report = check(&[folder.path().join("audit.jsonl")], &notes[2..], Some(&old));
    assert!(report.fault.unwrap().what.contains("not signed by a key"));
}

#[test]
fn a_change_of_key_that_was_cut_off_is_finished_or_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let place = settings(folder.path());
    let (key, next) = (folder.path().join("audit.key"), folder.path().join("audit.key.next"));
    drop(Log::open(&place).unwrap());
    let private = |path: &Path, text: &[u8]| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let (old, notes) = (fs::read(&key).unwrap(), fs::read(folder.path().join("audit.checkpoints")).unwrap());
    let old_public: VerifierKey =
        fs::read_to_string(folder.path().join("audit.pub")).unwrap().parse().unwrap();
    // Behind the record and before the checkpoint: the next key lies there, the log names it, the old key has not.
    let new = rotate_key(&place).unwrap();
    fs::rename(&key, &next).unwrap();
    private(&key, &old);
    fs::write(folder.path().join("audit.checkpoints"), notes).unwrap();
    fill(&Log::open(&place).unwrap(), 3);
    assert_eq!(Log::open(&place).unwrap().verifier(), &new);
    assert!(!next.exists());
    let report = check(&[folder.path().to_owned()], &checkpoints(folder.path()), Some(&old_public));
    assert_eq!((report.fault, report.covered), (None, report.seq_last));
    // Before the record: the log does not name it.
    private(&next, &old);
    assert_eq!(Log::open(&place).unwrap().verifier(), &new);
    rotate_key(&place).unwrap();
    check_right(folder.path());
}

#[test]
fn checkpoints_are_copied_to_where_it_is_said() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Settings { copies: Some(copies.path().to_owned()), ..settings(folder.path()) };
    fill(&Log::open(&place).unwrap(), 5);
    fill(&Log::open(&place).unwrap(), 5);
    let [name] = names(copies.path()).try_into().unwrap();
    assert!(name.starts_with("obelus.audit-") && name.ends_with(".checkpoints"), "{name}");
    let text = fs::read_to_string(copies.path().join(name)).unwrap();
    assert_eq!(text, fs::read_to_string(folder.path().join("audit.checkpoints")).unwrap());
    let missing = Settings { copies: Some(copies.path().join("nowhere")), ..place };
    assert!(matches!(Log::open(&missing), Err(Error::Io(..))));
}

#[test]
fn a_log_that_is_less_than_its_copied_checkpoint_is_not_gone_on_with() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Settings { copies: Some(copies.path().to_owned()), ..settings(folder.path()) };
    fill(&Log::open(&place).unwrap(), 5);
    // Records and checkpoints go, the key stays: another log would be signed in the name of this one.
    fs::remove_file(folder.path().join("audit.jsonl")).unwrap();
    fs::remove_file(folder.path().join("audit.checkpoints")).unwrap();
    assert!(matches!(Log::open(&place), Err(Error::Rewritten(_, 6))));
}

#[test]
fn a_torn_checkpoint_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let place = settings(folder.path());
    fill(&Log::open(&place).unwrap(), 5);
    let path = folder.path().join("audit.checkpoints");
    let mut notes = fs::read(&path).unwrap();
    // The process ended within the sign that begins a signature.
    let dash = notes.iter().position(|&byte| byte == 0xe2).unwrap();
    notes.extend_from_within(..=dash);
    fs::write(&path, &notes).unwrap();
    fill(&Log::open(&place).unwrap(), 5);
    assert_eq!(check_right(folder.path()).checkpoints, [2, 0]);
    fs::write(&path, &notes).unwrap();
    let records = folder.path().join("audit.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    fs::write(&records, text.split_inclusive('\n').take(3).collect::<String>()).unwrap();
    assert!(matches!(Log::open(&place), Err(Error::Rewritten(_, 6))));
}

#[test]
fn an_older_file_in_the_place_of_the_last_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let place = Settings { segment_bytes: 4000, ..settings(folder.path()) };
    fill(&Log::open(&place).unwrap(), 60);
    fs::remove_file(folder.path().join("audit.checkpoints")).unwrap();
    let finished = names(folder.path()).into_iter().find(|name| name.starts_with("audit-")).unwrap();
    fs::copy(folder.path().join(&finished), folder.path().join("audit.jsonl")).unwrap();
    assert!(matches!(Log::open(&place), Err(Error::Damaged(_, 1))));
}

#[test]
fn a_key_does_not_lie_in_a_file_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["audit.jsonl", "audit.pub", "audit.checkpoints", "audit.lock", "audit.torn"] {
        let place = Settings { key: Some(folder.path().join(name)), ..settings(folder.path()) };
        assert!(matches!(Log::open(&place), Err(Error::Key(..))), "{name}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn what_is_no_place_for_a_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("audit.key");
    let open = |path: &Path| Log::open(&Settings::new(path)).unwrap_err();
    assert!(matches!(open(Path::new("/dev/full")), Error::NoFile(_)));
    assert!(matches!(open(folder.path()), Error::NoFile(_)));
    assert!(matches!(open(&key), Error::NoFile(_)));
    // A file system that takes nothing.
    assert!(matches!(open(Path::new("/proc/audit.jsonl")), Error::Io(..)));
    File::create(folder.path().join("file")).unwrap();
    assert!(matches!(open(&folder.path().join("file/audit.jsonl")), Error::Io(..)));
}
