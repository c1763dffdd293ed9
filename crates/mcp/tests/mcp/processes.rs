//! Servers that are processes.

use crate::support::{Line, Memory, Stage, call, other};
use obelus_mcp::{Between, Client, Lost, OnChange, Outcome, Passed, Stdio, StdioEnded, Stopper};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

/// A server in the shell: it answers by what stands in a line, and tells what it gets on standard error.
const SERVER: &str = r#"
printf 'listening, mail to jenny@example.com\n' >&2
while IFS= read -r line; do
    printf 'got %s\n' "$line" >&2
    case $line in
        *'"tools/list"'*) printf '%s\n' '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"find"},{"name":"wipe"}]}}' ;;
        *'"find"'*) printf '%s\n' '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"jenny@example.com"}]}}' ;;
        *'"resources/read"'*) printf 'no message\n[]\n%s\n' '{"jsonrpc":"2.0","id":7,"method":"tools/call"}' ;;
        *-32601*) printf '%s\n' '{"jsonrpc":"2.0","id":3,"result":{"contents":[]}}' ;;
        *'"ping"'*) exit 3 ;;
    esac
done
printf 'done\n' >&2
"#;

struct Run {
    to: Option<PipeWriter>,
    from: BufReader<PipeReader>,
    errors: PipeReader,
    stopper: Stopper,
    ended: JoinHandle<io::Result<StdioEnded>>,
    journal: Arc<Memory>,
}

fn run(script: &str) -> Run {
    let Stage { session, journal, .. } = other(None, OnChange::Stop);
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let stdio = Stdio::new(Arc::new(session), command);
    let stopper = stdio.stopper();
    let (input, to) = io::pipe().expect("a pipe");
    let (from, output) = io::pipe().expect("a pipe");
    let (errors, error_sink) = io::pipe().expect("a pipe");
    let client = Client { input: Box::new(input), output: Box::new(output), errors: Box::new(error_sink) };
    let ended = std::thread::spawn(move || stdio.run(client));
    Run { to: Some(to), from: BufReader::new(from), errors, stopper, ended, journal }
}

impl Run {
    fn say(&mut self, message: &str) {
        let to = self.to.as_mut().expect("it is open");
        to.write_all(format!("{message}\n").as_bytes()).expect("somebody reads");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// How it ended, and what the server wrote to standard error.
    fn end(mut self) -> (StdioEnded, String) {
        drop(self.to.take());
        let ended = self.ended.join().expect("no panic").expect("it was started");
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).expect("text");
        (ended, errors)
    }
}

#[test]
fn a_conversation_passes_redacted_and_ends_with_the_client() {
    let mut run = run(SERVER);
    run.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(run.hear(), r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"find"}]}}"#);
    run.say(&call(9, "wipe", "{}"));
    assert!(run.hear().contains("Denied"));
    run.say("[]");
    assert!(run.hear().contains("-32600"));
    run.say(&call(2, "find", "{}"));
    let shown = run.hear();
    assert!(shown.contains("obl_email_") && !shown.contains("jenny"), "{shown}");
    // What is no message is dropped, what a server may not ask is refused, and the answer comes.
    run.say(r#"{"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"notes:7"}}"#);
    assert_eq!(run.hear(), r#"{"jsonrpc":"2.0","id":3,"result":{"contents":[]}}"#);
    let (ended, errors) = run.end();
    assert_eq!(ended, StdioEnded::ClientLeft);
    assert!(errors.starts_with("listening, mail to obl_email_") && errors.ends_with("done\n"), "{errors}");
    assert!(!errors.contains("wipe"), "the server never saw the call: {errors}");
}

#[test]
fn a_server_that_ends_ends_the_run() {
    let mut run = run(SERVER);
    run.say(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(run.hear(), "");
    let journal = Arc::clone(&run.journal);
    let (ended, _) = run.end();
    let StdioEnded::ServerEnded(status) = ended else { panic!("{ended:?}") };
    assert_eq!(status.code(), Some(3));
    assert!(journal.take().contains(&Line::Ended(Outcome::Unknown, None)));
}

#[test]
fn whoever_is_stopped_takes_the_servers_processes_along() {
    // The grandchild does not mind that the input is closed.
    let script = r#"sleep 1000 & printf '%s\n' "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"pid\":$!}}"; wait"#;
    let mut run = run(script);
    let told = run.hear();
    let pid: String = told.chars().filter(char::is_ascii_digit).skip(2).collect();
    assert!(std::fs::exists(format!("/proc/{pid}")).expect("a process"), "{told}");
    run.stopper.stop();
    let (ended, _) = run.end();
    assert_eq!(ended, StdioEnded::Stopped);
    // A process that was killed and not yet waited for has no memory.
    let left = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    assert!(left.is_empty() || left.contains("zombie"), "{left}");
}

/// A client's side that says when something comes, and then takes nothing.
struct Stuck {
    begun: mpsc::Sender<()>,
    never: mpsc::Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.send(()).unwrap_or_default();
        self.never.recv().unwrap_or_default();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_client_that_does_not_read_holds_up_no_end() {
    let Stage { session, .. } = other(None, OnChange::Stop);
    let mut command = Command::new("sh");
    command.args(["-c", r#"printf '%s\n' '{"jsonrpc":"2.0","method":"notifications/x"}'; read -r line"#]);
    let stdio = Stdio::new(Arc::new(session), command);
    let stopper = stdio.stopper();
    let (begun, is_stuck) = mpsc::channel();
    let (release, never) = mpsc::channel();
    let (input, to) = io::pipe().expect("a pipe");
    let output = Stuck { begun, never };
    let client = Client { input: Box::new(input), output: Box::new(output), errors: Box::new(io::sink()) };
    let ended = std::thread::spawn(move || stdio.run(client));
    is_stuck.recv().expect("the message comes");
    stopper.stop();
    assert_eq!(ended.join().expect("no panic").expect("it was started"), StdioEnded::Stopped);
    drop((release, to));
}

/// Passes on what the server says once it is let.
struct Slow {
    begun: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Between for Slow {
    fn client_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        Ok(Passed::Forward(raw.to_vec()))
    }

    fn server_says(&self, raw: &[u8]) -> Result<Passed, Lost> {
        self.begun.send(()).unwrap_or_default();
        self.go.lock().expect("no panic").recv().unwrap_or_default();
        Ok(Passed::Forward(raw.to_vec()))
    }

    fn redact_text(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
        Ok(Some(text.to_vec()))
    }

    fn close(&self) {}
}

#[test]
fn once_the_session_is_lost_nothing_passes_not_even_what_was_judged() {
    let (begun, is_judging) = mpsc::channel();
    let (let_go, go) = mpsc::channel();
    let mut command = Command::new("sh");
    command.args(["-c", "printf '{}\\n'; read -r line"]);
    let stdio = Stdio::new(Slow { begun, go: Mutex::new(go) }, command);
    let stopper = stdio.stopper();
    let (input, to) = io::pipe().expect("a pipe");
    let (mut from, output) = io::pipe().expect("a pipe");
    let client = Client { input: Box::new(input), output: Box::new(output), errors: Box::new(io::sink()) };
    let ended = std::thread::spawn(move || stdio.run(client));
    is_judging.recv().expect("the message comes");
    stopper.lose(Lost::Revoked);
    let_go.send(()).expect("somebody waits");
    let ended = ended.join().expect("no panic").expect("it was started");
    assert_eq!(ended, StdioEnded::Lost(Lost::Revoked));
    drop(to);
    let mut told = String::new();
    from.read_to_string(&mut told).expect("text");
    assert_eq!(told, "");
}

#[test]
fn a_client_that_hears_no_more_has_left() {
    let flood = r#"while :; do printf '%s\n' '{"jsonrpc":"2.0","method":"notifications/x","params":{"text":"over and over"}}'; done"#;
    let Run { from, ended, to, .. } = run(flood);
    drop(from);
    assert_eq!(ended.join().expect("no panic").expect("it was started"), StdioEnded::ClientLeft);
    drop(to);
}

#[test]
fn no_line_of_a_private_key_passes_on_standard_error() {
    let script = r#"printf 'before\n-----BEGIN %s KEY-----\nMIIBQuartzQuartz\nQuartzAgain\n-----END %s KEY-----\nbehind\n' PRIVATE PRIVATE >&2"#;
    let run = run(script);
    let (_, errors) = run.end();
    assert!(errors.starts_with("before\n") && errors.ends_with("behind\n"), "{errors}");
    assert!(!errors.contains("Quartz"), "{errors}");
}

#[test]
fn a_command_that_is_not_there_is_an_error() {
    let Stage { session, .. } = other(None, OnChange::Stop);
    let client =
        Client { input: Box::new(io::empty()), output: Box::new(io::sink()), errors: Box::new(io::sink()) };
    assert!(Stdio::new(Arc::new(session), Command::new("/no/such/command")).run(client).is_err());
}
