//! Approvals: asked for, decided, used once, also over restarts.

use obelus_gate::{
    Approval, ApprovalError, Approvals, Asked, Call, Digest, GateFileError, Proposal, Recorded, SealKey,
    State, Vote,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use zeroize::Zeroizing;

const PAYLOAD: &[u8] = b"amount=500&charge=ch_1&reason=for+jenny%40example.com";
const ARGUMENTS: &[u8] = br#"{"amount": 500, "charge": "ch_1"}"#;
const EXPIRES: u64 = 1_600;
const NOW: u64 = 1_000;

fn open(folder: &Path) -> Approvals {
    let key = SealKey::new(Zeroizing::new([7; 32]));
    Approvals::open(&folder.join("approvals.db"), key).expect("a file of approvals")
}

fn call() -> Call<'static> {
    Call {
        tenant: "t",
        session: "s",
        requester: "k1",
        workflow: "support",
        method: "POST",
        server: "stripe",
        account: Some("acct_1"),
        operation: "PostRefunds",
        arguments: ARGUMENTS,
        tool_hash: None,
    }
}

fn proposal(id: &str, approvers: u8) -> Proposal<'_> {
    Proposal {
        id,
        call: call(),
        policy_version: "p1",
        approvers,
        expires: EXPIRES,
        payload: PAYLOAD,
        summary: "refund 5.00 USD",
    }
}

fn ask(approvals: &Approvals, id: &str, approvers: u8) -> Approval {
    let asked = approvals.ask(&proposal(id, approvers), NOW).expect("it can be asked for");
    assert!(matches!(&asked, Asked::New(approval) if approval.id == id), "{asked:?}");
    approvals.show(id, NOW).expect("it is there")
}

fn vote(approvals: &Approvals, id: &str, approver: &str, approves: bool) -> Result<State, ApprovalError> {
    let shown = approvals.show(id, NOW)?.digest;
    let vote = Vote { approver: approver.to_owned(), approves, time: NOW };
    approvals.vote(id, &vote, false, &shown).map(|approval| approval.state)
}

fn recorded() -> Recorded {
    Recorded { status: 200, request_id: Some("req_1".to_owned()), body: b"{\"id\":\"re_1\"}".to_vec() }
}

#[test]
fn an_approved_call_leaves_once_and_its_outcome_is_told_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    let asked = ask(&approvals, "apr_1", 1);
    assert_eq!(asked.state, State::Pending);
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Pending)));
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    let permit = approvals.consume("apr_1", "p1", NOW).expect("it is approved");
    assert_eq!(permit.payload.as_slice(), PAYLOAD);
    assert!(permit.idempotency_key.starts_with("obelus-") && !permit.idempotency_key.contains("apr_1"));
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Executing)));
    assert_eq!(approvals.record("apr_1", &recorded(), NOW), Ok(()));
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Done)));
    assert_eq!(approvals.outcome("apr_1"), Ok(Some(recorded())));
    let digest = call().digest().expect("it has one");
    let found = approvals.find(&digest, 60, NOW + 59).expect("the file answers").expect("it is remembered");
    assert_eq!((found.id.as_str(), found.state, found.status), ("apr_1", State::Done, Some(200)));
    assert_eq!(approvals.find(&digest, 60, NOW + 60), Ok(None));
}

#[test]
fn nobody_approves_alone_what_two_must_or_what_they_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 2);
    assert_eq!(vote(&approvals, "apr_1", "k1", true), Err(ApprovalError::Own));
    let shown = approvals.show("apr_1", NOW).expect("it is there").digest;
    let of_alice = Vote { approver: "alice".to_owned(), approves: true, time: NOW };
    assert_eq!(approvals.vote("apr_1", &of_alice, true, &shown).err(), Some(ApprovalError::Own));
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Pending));
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Err(ApprovalError::Twice));
    assert_eq!(vote(&approvals, "apr_1", "bob", true), Ok(State::Approved));
    assert!(approvals.consume("apr_1", "p1", NOW).is_ok());
}

#[test]
fn a_denial_is_final_and_whoever_approved_may_still_deny() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    assert_eq!(vote(&approvals, "apr_1", "alice", false), Ok(State::Denied));
    for approves in [true, false] {
        assert_eq!(vote(&approvals, "apr_1", "bob", approves), Err(ApprovalError::State(State::Denied)));
    }
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Denied)));
    // The same call may be asked for again.
    assert_eq!(ask(&approvals, "apr_2", 1).state, State::Pending);
}

#[test]
fn the_same_call_attaches_to_the_one_that_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    let again = Proposal {
        call: Call { arguments: br#"{"charge":"ch_1","amount":500}"#, ..call() },
        ..proposal("apr_2", 1)
    };
    assert!(matches!(approvals.ask(&again, NOW), Ok(Asked::Attached(known)) if known.id == "apr_1"));
    for arguments in [br#"{"charge":"ch_1","amount":501}"#.as_slice(), br#"{"charge":"ch_2","amount":500}"#] {
        let id = Approvals::new_id().expect("random bytes");
        let other = Proposal { call: Call { arguments, ..call() }, ..proposal(&id, 1) };
        assert!(matches!(approvals.ask(&other, NOW), Ok(Asked::New(_))));
    }
    let twice = Proposal {
        call: Call { arguments: br#"{"charge":"ch_1","amount":500,"amount":9}"#, ..call() },
        ..proposal("apr_3", 1)
    };
    assert_eq!(approvals.ask(&twice, NOW).err(), Some(ApprovalError::Arguments));
}

#[test]
fn time_ends_what_nobody_decided_and_what_nobody_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    let expired = Some(ApprovalError::State(State::Expired));
    assert_eq!(approvals.consume("apr_1", "p1", EXPIRES).err(), expired);
    let shown = approvals.show("apr_1", NOW).expect("it is there").digest;
    let late = Vote { approver: "bob".to_owned(), approves: true, time: EXPIRES };
    assert_eq!(approvals.vote("apr_1", &late, false, &shown).err(), expired);
    let ids =
        |now| approvals.expire(now).map(|ended| ended.into_iter().map(|one| one.id).collect::<Vec<_>>());
    assert_eq!(ids(EXPIRES - 1), Ok(vec![]));
    assert_eq!(ids(EXPIRES), Ok(vec!["apr_1".to_owned()]));
    assert_eq!(ids(EXPIRES), Ok(vec![]));
    assert_eq!(approvals.show("apr_1", NOW).map(|approval| approval.state), Ok(State::Expired));
}

#[test]
fn rules_that_changed_and_a_void_approval_let_nothing_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    assert_eq!(approvals.consume("apr_1", "p2", NOW).err(), Some(ApprovalError::Policy));
    assert_eq!(approvals.void("apr_1", NOW), Ok(()));
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Void)));
    let digest = call().digest().expect("it has one");
    assert_eq!(approvals.find(&digest, 60, NOW), Ok(None));
    assert_eq!(ask(&approvals, "apr_2", 1).state, State::Pending);
}

#[test]
fn of_sixteen_at_once_one_leaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    let barrier = Barrier::new(16);
    let left = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    approvals.consume("apr_1", "p1", NOW).is_ok()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).filter(|left| matches!(left, Ok(true))).count()
    });
    assert_eq!(left, 1);
}

#[test]
fn a_call_that_was_on_its_way_at_the_end_is_sent_again_under_the_same_key_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    let first = approvals.consume("apr_1", "p1", NOW).expect("it is approved").idempotency_key;
    drop(approvals);
    let approvals = open(folder.path());
    assert_eq!(approvals.show("apr_1", NOW).map(|approval| approval.state), Ok(State::Unknown));
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Unknown)));
    assert_eq!(approvals.record("apr_1", &recorded(), NOW).err(), Some(ApprovalError::State(State::Unknown)));
    assert_eq!(approvals.retry("apr_1", NOW + 24 * 3600).err(), Some(ApprovalError::Late));
    // Its time is over for people; what has left is another matter.
    let again = approvals.retry("apr_1", EXPIRES + 5).expect("it can be sent again");
    assert_eq!((again.idempotency_key.as_str(), again.payload.as_slice()), (first.as_str(), PAYLOAD));
    assert_eq!(approvals.retry("apr_1", EXPIRES + 5).err(), Some(ApprovalError::State(State::Executing)));
    // Of a second attempt nobody knows what came of the first.
    assert_eq!(approvals.give_back(&again.id, NOW), Ok(()));
    assert_eq!(approvals.show("apr_1", NOW).map(|approval| approval.state), Ok(State::Unknown));
}

#[test]
fn somebody_else_says_what_came_of_a_call_of_which_nobody_knew() {
    for happened in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let approvals = open(folder.path());
        let shown = ask(&approvals, "apr_1", 1).digest;
        let clear_up = |approver, is_own, shown| {
            let cleared = approvals.clear_up("apr_1", (approver, happened), is_own, shown, NOW);
            cleared.map(|approval| approval.state)
        };
        assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
        assert_eq!(clear_up("bob", false, &shown), Err(ApprovalError::State(State::Approved)));
        let permit = approvals.consume("apr_1", "p1", NOW).expect("it is approved");
        assert_eq!(clear_up("bob", false, &shown), Err(ApprovalError::State(State::Executing)));
        assert_eq!(approvals.lose(&permit.id, NOW), Ok(()));
        assert_eq!(clear_up("k1", false, &shown), Err(ApprovalError::Own));
        assert_eq!(clear_up("bob", true, &shown), Err(ApprovalError::Own));
        let other = Digest::parse(&"0".repeat(64)).expect("a digest");
        assert_eq!(clear_up("bob", false, &other), Err(ApprovalError::Shown));
        let state = if happened { State::Done } else { State::Void };
        assert_eq!(clear_up("bob", false, &shown), Ok(state));
        assert_eq!(clear_up("bob", false, &shown), Err(ApprovalError::State(state)));
        assert_eq!(approvals.retry("apr_1", NOW).err(), Some(ApprovalError::State(state)));
        assert_eq!(approvals.outcome("apr_1"), Ok(None));
        let digest = call().digest().expect("it has one");
        let found = approvals.find(&digest, 60, NOW).expect("the file answers");
        assert_eq!(found.is_some(), happened, "what has not happened can be asked for anew");
    }
}

#[test]
fn what_has_not_left_is_given_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    let permit = approvals.consume("apr_1", "p1", NOW).expect("it is approved");
    assert_eq!(approvals.give_back(&permit.id, NOW), Ok(()));
    assert!(approvals.consume("apr_1", "p1", NOW).is_ok());
}

/// Whoever can write the file cannot make an approval of it.
#[test]
fn what_was_changed_in_the_file_lets_nothing_out() {
    let changes = [
        "UPDATE approvals SET state = 'approved'",
        "UPDATE approvals SET state = 'approved', approvers = 0",
        "UPDATE approvals SET state = 'approved'; INSERT INTO votes VALUES ('apr_1', 'mallory', 1, 1000, x'00')",
        "UPDATE votes SET approver = 'mallory'",
        "UPDATE votes SET time = 999",
        "UPDATE approvals SET summary = 'refund 0.05 USD'",
        "UPDATE approvals SET expires = 9999999999",
        "UPDATE approvals SET operation = 'PostCharges'",
        "UPDATE approvals SET payload = (SELECT payload FROM approvals WHERE id = 'apr_2') WHERE id = 'apr_1'",
        "UPDATE approvals SET digest = (SELECT digest FROM approvals WHERE id = 'apr_2') WHERE id = 'apr_1'",
    ];
    for change in changes {
        let folder = tempfile::tempdir().expect("a folder");
        let approvals = open(folder.path());
        ask(&approvals, "apr_1", 1);
        let other = Proposal {
            call: Call { arguments: br#"{"amount": 5, "charge": "ch_1"}"#, ..call() },
            payload: b"amount=5&charge=ch_1",
            ..proposal("apr_2", 1)
        };
        assert!(matches!(approvals.ask(&other, NOW), Ok(Asked::New(_))));
        if !change.contains("state = 'approved'") {
            assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
        }
        drop(approvals);
        let file = rusqlite::Connection::open(folder.path().join("approvals.db")).expect("it opens");
        file.execute_batch(change).expect("the file can be written");
        drop(file);
        let consumed = open(folder.path()).consume("apr_1", "p1", NOW);
        assert_eq!(consumed.err(), Some(ApprovalError::Damaged), "{change}");
    }
}

#[test]
fn the_file_shows_no_value_and_forgets_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let holds = |text: &str| {
        let files = std::fs::read_dir(folder.path()).expect("the folder can be read");
        let bytes = files.map(|file| std::fs::read(file.expect("a file").path()).expect("it can be read"));
        bytes.into_iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    assert!(approvals.consume("apr_1", "p1", NOW).is_ok());
    assert_eq!(approvals.record("apr_1", &recorded(), NOW), Ok(()));
    assert!(holds("PostRefunds") && !holds("jenny") && !holds("re_1"));
    let day = 24 * 3600;
    assert_eq!(approvals.purge(day, NOW + day), Ok(0));
    assert_eq!(approvals.purge(day, NOW + day + 1), Ok(1));
    assert_eq!(approvals.outcome("apr_1"), Ok(None));
    assert_eq!(approvals.purge(day, NOW + 30 * day + 1), Ok(1));
    assert_eq!(approvals.show("apr_1", NOW).err(), Some(ApprovalError::NotFound));
    assert!(!format!("{approvals:?} {:?} {:?}", proposal("x", 1), recorded()).contains("jenny"));
}

#[test]
fn a_file_that_is_something_else_or_of_everybody_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("totals.db");
    drop(obelus_gate::SqliteTotals::open(&path).expect("a file of totals"));
    let key = || SealKey::new(Zeroizing::new([7; 32]));
    assert!(matches!(Approvals::open(&path, key()), Err(GateFileError::Database(_, "approvals"))));
    // Under another key nothing leaves.
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    drop(approvals);
    let other = SealKey::new(Zeroizing::new([8; 32]));
    let approvals = Approvals::open(&folder.path().join("approvals.db"), other).expect("it opens");
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::Damaged));
}

/// The part of the process that is killed: it uses an approval up, says so and waits for its end.
#[test]
#[ignore = "run by the test below"]
fn sends_and_is_killed() {
    let Some(folder) = std::env::var_os("OBELUS_TEST_FOLDER") else { return };
    let approvals = open(Path::new(&folder));
    assert!(approvals.consume("apr_1", "p1", NOW).is_ok());
    writeln!(std::io::stderr(), "consumed").expect("somebody listens");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("it ends before");
}

#[test]
fn a_process_that_is_killed_has_used_the_approval_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    assert_eq!(vote(&approvals, "apr_1", "alice", true), Ok(State::Approved));
    drop(approvals);
    let mut child = Command::new(std::env::current_exe().expect("the test has a file"))
        .args(["--ignored", "--exact", "approvals::sends_and_is_killed", "--nocapture"])
        .env("OBELUS_TEST_FOLDER", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let said = lines.map_while(Result::ok).any(|line| line.contains("consumed"));
    // SIGKILL, on Unix.
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert!(said);
    let approvals = open(folder.path());
    assert_eq!(approvals.show("apr_1", NOW).map(|approval| approval.state), Ok(State::Unknown));
    assert_eq!(approvals.consume("apr_1", "p1", NOW).err(), Some(ApprovalError::State(State::Unknown)));
}

/// What somebody does with the approval of one call.
#[derive(Clone, Debug)]
enum Step {
    Ask { approvers: u8 },
    Vote { approver: usize, approves: bool },
    Consume { policy: usize },
    GiveBack,
    Lose,
    Record,
    Retry,
    ClearUp { approver: usize, happened: bool },
    Void,
    Pass { seconds: u64 },
    Expire,
}

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "k1"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1..4u8).prop_map(|approvers| Step::Ask { approvers }),
        5 => (0..PEOPLE.len(), prop::bool::weighted(0.9)).prop_map(|(approver, approves)| Step::Vote { approver, approves }),
        3 => (0..5usize).prop_map(|policy| Step::Consume { policy }),
        1 => Just(Step::GiveBack),
        1 => Just(Step::Lose),
        1 => Just(Step::Record),
        1 => Just(Step::Retry),
        2 => (0..PEOPLE.len(), any::<bool>()).prop_map(|(approver, happened)| Step::ClearUp { approver, happened }),
        1 => Just(Step::Void),
        1 => (0..400u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..40)
}

/// What must be true of the newest approval, said without a file.
#[derive(Debug)]
struct Model {
    state: State,
    approvers: usize,
    expires: u64,
    approved: BTreeSet<&'static str>,
    /// Calls that left under its name, and whether one was given back.
    attempts: u32,
}

impl Model {
    fn at(&mut self, now: u64, restarted: bool) -> State {
        if self.state.is_open() && now >= self.expires {
            self.state = State::Expired;
        }
        if self.state == State::Executing && restarted {
            self.state = State::Unknown;
        }
        self.state
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// The file agrees with the model, and is opened anew before each step of half of the runs.
    #[test]
    fn approvals_do_what_the_model_does(steps in steps(), restarts in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut approvals = open(folder.path());
        let (mut now, mut count) = (NOW, 0);
        let mut model: Option<Model> = None;
        for step in steps {
            if restarts {
                drop(approvals);
                approvals = open(folder.path());
            }
            let id = format!("apr_{count}");
            if let Some(model) = &mut model {
                model.at(now, restarts);
            }
            match step {
                Step::Ask { approvers } => {
                    let next = format!("apr_{}", count + 1);
                    let expires = now + 600;
                    let asked = approvals.ask(&Proposal { expires, ..proposal(&next, approvers) }, now);
                    let is_busy = model.as_ref().is_some_and(|model| {
                        matches!(model.state, State::Pending | State::Approved | State::Executing | State::Unknown)
                    });
                    match asked {
                        Ok(Asked::New(_)) => {
                            prop_assert!(!is_busy);
                            count += 1;
                            model = Some(Model { state: State::Pending, approvers: approvers.into(), expires,
                                approved: BTreeSet::new(), attempts: 0 });
                        }
                        Ok(Asked::Attached(known)) => prop_assert!(is_busy && known.id == id),
                        Err(error) => prop_assert!(false, "{error}"),
                    }
                }
                Step::Pass { seconds } => now += seconds,
                Step::Expire => {
                    let ended = approvals.expire(now).expect("the file answers").len();
                    prop_assert!(ended <= 1);
                }
                step => {
                    let Some(model) = &mut model else { continue };
                    take(&approvals, &step, &id, now, model);
                }
            }
            if let Some(model) = &mut model {
                let id = format!("apr_{count}");
                let state = approvals.show(&id, now).expect("it is there").state;
                prop_assert_eq!(state, model.at(now, false), "{:?}", model);
            }
        }
    }
}

/// Takes one step in both, and looks whether both do the same.
fn take(approvals: &Approvals, step: &Step, id: &str, now: u64, model: &mut Model) {
    match step {
        Step::Vote { approver, approves } => {
            let name = PEOPLE[*approver];
            let shown = approvals.show(id, now).expect("it is there").digest;
            let vote = Vote { approver: name.to_owned(), approves: *approves, time: now };
            let done = approvals.vote(id, &vote, false, &shown).is_ok();
            let may = match model.state {
                State::Pending => !approves || name != "k1" && !model.approved.contains(name),
                State::Approved => !approves,
                _ => false,
            };
            assert_eq!(done, may, "{step:?} {model:?}");
            if may && *approves {
                model.approved.insert(name);
                let is_enough = model.approved.len() >= model.approvers;
                model.state = if is_enough { State::Approved } else { State::Pending };
            } else if may {
                model.state = State::Denied;
            }
        }
        Step::Consume { policy } => {
            let version = if *policy == 0 { "p2" } else { "p1" };
            let left = approvals.consume(id, version, now).is_ok();
            let may = model.state == State::Approved && version == "p1";
            assert_eq!(left, may, "{model:?}");
            if may {
                model.state = State::Executing;
                model.attempts += 1;
                assert!(model.attempts == 1, "it leaves once");
            }
        }
        Step::Retry => {
            let left = approvals.retry(id, now).is_ok();
            assert_eq!(left, model.state == State::Unknown, "{model:?}");
            if left {
                model.state = State::Executing;
                model.attempts += 1;
            }
        }
        Step::ClearUp { approver, happened } => {
            let name = PEOPLE[*approver];
            let shown = approvals.show(id, now).expect("it is there").digest;
            let done = approvals.clear_up(id, (name, *happened), false, &shown, now).is_ok();
            assert_eq!(done, model.state == State::Unknown && name != "k1", "{step:?} {model:?}");
            if done {
                model.state = if *happened { State::Done } else { State::Void };
            }
        }
        Step::Record => settle(approvals.record(id, &recorded(), now), State::Done, model),
        Step::Lose => settle(approvals.lose(id, now), State::Unknown, model),
        Step::GiveBack => {
            // Only whoever has the permit can; it says the same of what is not on its way.
            let permit = obelus_gate::Permit {
                id: id.to_owned(),
                payload: Zeroizing::new(Vec::new()),
                idempotency_key: String::new(),
            };
            let state = if model.attempts > 1 { State::Unknown } else { State::Approved };
            let given = approvals.give_back(&permit.id, now);
            if given.is_ok() && model.attempts == 1 {
                model.attempts = 0;
            }
            settle(given, state, model);
        }
        Step::Void => {
            let done = approvals.void(id, now).is_ok();
            assert_eq!(done, model.state.is_open(), "{model:?}");
            if done {
                model.state = State::Void;
            }
        }
        Step::Ask { .. } | Step::Pass { .. } | Step::Expire => {}
    }
}

fn settle(done: Result<(), ApprovalError>, state: State, model: &mut Model) {
    assert_eq!(done.is_ok(), model.state == State::Executing, "{model:?}");
    if done.is_ok() {
        model.state = state;
    }
}

#[test]
fn a_digest_that_was_not_shown_approves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let approvals = open(folder.path());
    ask(&approvals, "apr_1", 1);
    let vote = Vote { approver: "alice".to_owned(), approves: true, time: NOW };
    let other = Digest::parse(&"0".repeat(64)).expect("a digest");
    assert_eq!(approvals.vote("apr_1", &vote, false, &other).err(), Some(ApprovalError::Shown));
}
