//! The loop by itself, and several threads beside one.

use super::*;
use crate::args::{Args, Command};
use crate::overlap::{Ahead, Behind};
use clap::Parser;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proptest::{option, sample};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

#[test]
fn every_error_comes_with_advice() {
    let syntax = ErrorKind::Syntax(SyntaxKind::UnexpectedByte);
    assert!(advice(syntax, Format::Json).contains("--format ndjson"));
    assert!(!advice(syntax, Format::Sequence).contains("ndjson"));
    assert!(advice(ErrorKind::Encoding, Format::Json).contains("UTF-8"));
    assert!(advice(ErrorKind::Hold, Format::Json).contains("shorten"));
    assert!(advice(ErrorKind::Document, Format::Json).contains("--carry-over forward"));
}

#[test]
fn what_is_found_is_counted_without_a_door() {
    let mut doors = Doors::default();
    let finding = Finding {
        doc: 0,
        path: "",
        category: obelus::Category::Email,
        rule: "email",
        span: obelus::Span { start: 0, end: 1 },
        chars: obelus::Span { start: 0, end: 1 },
        allowed: false,
        reason: None,
    };
    assert!(doors.found(&finding).is_ok());
    assert!(doors.keep(b"x").is_ok());
    assert!(doors.found(&Finding { allowed: true, ..finding }).is_ok());
    assert_eq!((doors.tally.findings(), doors.tally.allowed), (1, 1));
}

/// A place to write to that can be looked at, with room for so many bytes.
#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>, usize);

impl Shared {
    fn new(room: usize) -> Shared {
        Shared(Arc::default(), room)
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap();
        match bytes.len().min(self.1 - written.len()) {
            0 if !bytes.is_empty() => Err(io::ErrorKind::StorageFull.into()),
            len => {
                written.extend_from_slice(&bytes[..len]);
                Ok(len)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a run leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    output: Vec<u8>,
    findings: String,
    tally: (u64, u64),
    error: Option<String>,
}

/// Runs the same file with one thread and with several.
struct Both {
    flows: [Flow<'static>; 2],
    folder: tempfile::TempDir,
}

impl Both {
    fn new(args: &[&str]) -> Both {
        let flows = ["1", "3"].map(|threads| {
            let args = ["obelus", "redact", "--threads", threads].into_iter().chain(args.iter().copied());
            let Command::Redact(args) = Args::parse_from(args).command else { panic!("no redact") };
            Flow::new(&Box::leak(Box::new(args)).flow).unwrap_or_else(|failure| panic!("{failure:?}"))
        });
        Both { flows, folder: tempfile::tempdir().unwrap() }
    }

    /// Returns what both left if groups are that long; `redacts` says whether there is an output.
    fn run(&mut self, text: &[u8], group_bytes: usize, redacts: bool, room: usize) -> [Left; 2] {
        let path = self.folder.path().join("input");
        std::fs::write(&path, text).unwrap();
        let Both { flows, .. } = self;
        flows.each_mut().map(|flow| {
            let (output, findings) = (Shared::new(room), Shared::new(usize::MAX));
            flow.group_bytes = group_bytes;
            flow.doors = Doors {
                output: redacts.then(|| Output::to(output.clone())),
                findings: Some(Findings::new(Output::to(findings.clone()))),
                tally: Tally::default(),
            };
            let result = flow.run(Input::open(&path).unwrap());
            Left {
                output: output.take(),
                findings: String::from_utf8(findings.take()).unwrap(),
                tally: (flow.doors.tally.findings(), flow.doors.tally.allowed),
                error: match result {
                    Ok(()) => None,
                    Err(Stop::Failure(failure)) => Some(failure.line().to_owned()),
                    Err(Stop::Closed) => Some("closed".to_owned()),
                },
            }
        })
    }

    fn assert_same(&mut self, text: &[u8], group_bytes: usize, redacts: bool) -> Left {
        let [one, several] = self.run(text, group_bytes, redacts, usize::MAX);
        assert_eq!(one, several, "{group_bytes}: {}", text.escape_ascii());
        one
    }
}

const ANY: &str = "--format=ndjson";

/// Lines and pieces of lines: whole documents, such that go over lines, and what is no JSON.
const WHOLE: [&[u8]; 14] = [
    b"{\"email\":\"jenny@example.com\",\"amount\":1}\n",
    b"{\"object\":\"customer\",\"name\":\"Jenny Rosen\",\"note\":\"Jenny Rosen called\"}\n",
    b"{\"note\":\"Jenny Rosen called jenny@example.com\"}\n",
    b"{\"name\":\"Jenny Rosen\",\"card\":\"4242 4242 4242 4242\"}\r\n",
    b"{\n  \"email\": \"bo@example.com\",\n  \"list\": [\n    {\n      \"a\": 1\n    }\n  ]\n}\n",
    b"[\n{\"email\":\"bo@example.com\"},\n{\"ssn\":\"078-05-1120\"}\n]\n",
    b"{\"a\":1}{\"email\":\"bo@example.com\"}[2]",
    b"\"write to bo@example.com\"\n",
    b"12\n",
    b"true ",
    b"\n\n",
    b" \t[]\n",
    b"{\"body\":\"{\\\"email\\\":\\\"bo@example.com\\\"}\"}\n",
    b"[[[[1,2],\"\xC3\xBC\"]]]\n",
];
const BROKEN: [&[u8]; 10] = [
    b"{\"a\" 1}\n",
    b"{\"email\":\"bo@example.com",
    b"{\"a\":\"\n{\"b\":2}\n\"}\n",
    b"}\n",
    b"{\0\0\0}\n",
    b"{\"a\":\"\xFF\"}\n",
    b"\xEF\xBB\xBF{\"a\":1}\n",
    b"[1,2\n",
    b"{\"name\":\"Jenny Rosen\",\n\"x\":}\n",
    b"tru\n",
];

fn documents(broken: f64) -> impl Strategy<Value = Vec<u8>> {
    let whole = vec(sample::select(&WHOLE[..]), 0..40);
    (whole, option::weighted(broken, (any::<sample::Index>(), sample::select(&BROKEN[..])))).prop_map(
        |(mut pieces, broken)| {
            if let Some((at, broken)) = broken {
                pieces.insert(at.index(pieces.len() + 1), broken);
            }
            pieces.concat()
        },
    )
}

#[test]
fn several_threads_leave_what_one_leaves() {
    for args in [&[ANY][..], &[ANY, "--carry-over=off", "--transform=mask"]] {
        let both = RefCell::new(Both::new(args));
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(300) });
        let cases = (documents(0.5), 1_usize..300, any::<bool>());
        runner
            .run(&cases, |(text, group_bytes, redacts)| {
                both.borrow_mut().assert_same(&text, group_bytes, redacts);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn documents_on_lines_of_their_own_are_read_as_by_one_thread() {
    // Only `scan` reads JSON in this way.
    let both = RefCell::new(Both::new(&["--format=json"]));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
    runner
        .run(&(documents(0.3), 1_usize..300), |(text, group_bytes)| {
            both.borrow_mut().assert_same(&text, group_bytes, false);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_error_anywhere_is_that_of_one_thread() {
    let mut both = Both::new(&[ANY]);
    for broken in BROKEN {
        for at in 0..12 {
            let mut pieces = [WHOLE[0], WHOLE[1], WHOLE[2], WHOLE[3]].repeat(3);
            pieces.insert(at, broken);
            // A byte order mark is none but at the beginning.
            let is_mark = broken.starts_with(b"\xEF") && at == 0;
            for group_bytes in [10, 64, 100, 200] {
                let left = both.assert_same(&pieces.concat(), group_bytes, true);
                assert_eq!(left.error.is_none(), is_mark, "{left:?}");
            }
        }
    }
}

#[test]
fn ordinals_and_offsets_go_on_from_group_to_group() {
    let mut both = Both::new(&[ANY]);
    let left = both.assert_same(&WHOLE[0].repeat(20), 100, false);
    for (at, line) in left.findings.lines().enumerate() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&finding["doc"], &finding["span"][0]), (&at.into(), &(at * WHOLE[0].len() + 10).into()));
    }
    assert_eq!((left.findings.lines().count(), left.tally), (20, (20, 0)));
}

#[test]
fn groups_are_read_by_several_threads() {
    let mut both = Both::new(&[ANY]);
    let [one, several] = both.run(&WHOLE[0].repeat(50), 100, true, usize::MAX);
    assert_eq!(one, several);
    assert!(both.flows[0].parallel.is_none() && both.flows[1].parallel.is_some());
}

#[test]
fn a_full_disk_is_told_and_what_is_on_it_is_a_beginning() {
    let mut both = Both::new(&[ANY]);
    let text = WHOLE[..4].concat().repeat(2000);
    let whole = both.assert_same(&text, 1000, true).output;
    for room in [0, 1, 70_000, whole.len() - 1] {
        let [one, several] = both.run(&text, 1000, true, room);
        assert_eq!(one.error, several.error);
        assert!(one.error.unwrap().contains("make room"));
        assert!(whole.starts_with(&several.output) && several.output.len() <= room);
    }
}

#[test]
fn what_another_thread_cannot_write_ends_a_run_that_waits_for_input() {
    let (mut ahead, mut behind) = overlapped(Silent, Shared::new(3));
    behind.write_all(b"more than fits").unwrap();
    behind.hand_on().unwrap();
    // Nobody writes to the input: only the bell ends this.
    assert!(matches!(ahead.next(), Ok(Next::Rung)));
    assert_eq!(behind.settle().unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(behind.settle().is_ok() && behind.flush().is_ok());
}

#[test]
fn chunks_and_output_keep_their_order() {
    let text: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
    let written = Shared::new(usize::MAX);
    let (mut ahead, mut behind) = overlapped(io::Cursor::new(text.clone()), written.clone());
    while let Next::Chunk(chunk) = ahead.next().unwrap() {
        behind.write_all(chunk).unwrap();
    }
    behind.flush().unwrap();
    assert_eq!(written.take(), text);
}

fn overlapped(reader: impl io::Read + Send + 'static, writer: Shared) -> (Ahead, Behind) {
    let ahead = Ahead::new(reader, 100).unwrap();
    let behind = Behind::new(Box::new(writer), 250, ahead.bell()).unwrap();
    (ahead, behind)
}

/// An input from which nothing ever comes.
struct Silent;

impl io::Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        loop {
            std::thread::park();
        }
    }
}
