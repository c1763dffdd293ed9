//! `obelus mcp` beside `obelus serve`, which judges and records what goes between clients and servers.

use crate::mcp_approvals::{Shop, Talk};
use crate::sidecar::Serving;
use crate::support::{folder, json_lines, obelus, run};
use obelus_demo::{Options, Provider};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Tells what it sees of the environment and its own number, answers each request, and writes down what it is called with.
const SERVER: &str = r#"
printf 'key: %s%s%s%s\n' "$OBELUS_KEY" "$A_VAULT_KEY" "$OPENAI_API_KEY" "$OF_THE_SERVER" >&2
printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%s}}\n' "$$"
while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\),.*/\1/')
    case $line in
        *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"find"},{"name":"wipe"}]}}\n' "$id" ;;
        *'"tools/call"'*)
            printf '%s\n' "$line" >> ledger
            case $line in
                *nobody*) ;;
                *) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"jenny@example.com"}]}}\n' "$id" ;;
            esac ;;
        *) printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id" ;;
    esac
done
"#;

const VAULT_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

fn config(provider: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\naudit: {{path: audit.jsonl}}\n\
         vault_key: {{env: A_VAULT_KEY}}\nupstreams:\n  openai: {{url: '{provider}', key: {{env: OPENAI_API_KEY}}}}\n\
         workflows: {{default: {{}}, other: {{}}}}\n\
         gate: {{approvals: approvals.db, totals: totals.db, key_file: approvals.key}}\nmcp:\n  notes:\n    \
         tools: {{find: read}}\n    pins: pins.json\n    workflows: [default]\n    \
         restore_arguments: [{{tool: find, paths: [/note]}}]\n"
    )
}

fn serve(folder: &Path) -> Serving {
    let mut command = obelus(folder, &["serve", "-c", "obelus.yaml"]);
    command.env("A_VAULT_KEY", VAULT_KEY).env("OPENAI_API_KEY", "provider");
    command.env("XDG_STATE_HOME", folder).env_remove("STATE_DIRECTORY").env_remove("ANTHROPIC_API_KEY");
    Serving::start(command)
}

fn key(folder: &Path, workflow: &str) -> String {
    let made = run(folder, &["keys", "create", "-c", "obelus.yaml", "--workflow", workflow]);
    assert_eq!(made.code, Some(0), "{made:?}");
    made.out.trim().to_owned()
}

/// `obelus mcp` before the server of the test. Where the sidecar's keys are it has something that is none.
fn mcp(folder: &Path, key: &str, server: &str) -> Command {
    let args = ["mcp", "-c", "obelus.yaml", "--server", server, "--", "sh", "server.sh"];
    let mut program = obelus(folder, &args);
    program.env("OBELUS_KEY", key).env("OF_THE_SERVER", "its own").env("XDG_STATE_HOME", folder);
    program.env_remove("STATE_DIRECTORY").env("A_VAULT_KEY", "no key").env("OPENAI_API_KEY", "no key");
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

/// A client that talks to the server through the sidecar.
struct Visit {
    child: Child,
    from: BufReader<std::process::ChildStdout>,
    /// The server's process.
    server: u32,
}

impl Visit {
    fn begin(mut program: Command) -> Visit {
        let mut child = program.spawn().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let mut visit = Visit { child, from, server: 0 };
        let told = visit.hear();
        visit.server = told["params"]["data"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap();
        visit
    }

    fn say(&mut self, message: &str) {
        let to = self.child.stdin.as_mut().unwrap();
        // Somebody who has ended reads nothing.
        to.write_all(format!("{message}\n").as_bytes()).unwrap_or_default();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Calls `find` with a note.
    fn find(&mut self, id: u32, note: &str) {
        let params = json!({"name": "find", "arguments": {"note": note}});
        self.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#));
    }

    /// How it ends by itself: code, what is left on standard output, standard error.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut errors) = (String::new(), String::new());
        self.from.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code(), out, errors)
    }

    fn leave(mut self) -> (Option<i32>, String, String) {
        drop(self.child.stdin.take());
        self.ended()
    }
}

/// Whether a process runs. One that was killed and not yet waited for has no memory.
fn runs(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.contains("VmRSS")
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ledger(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn records(folder: &Path) -> Vec<Value> {
    json_lines(&fs::read_to_string(folder.join("audit.jsonl")).unwrap())
}

fn end(mut serving: Serving, folder: &Path) -> Vec<Value> {
    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let verified = run(folder, &["audit", "verify", "audit.jsonl"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    records(folder)
}

#[test]
fn several_clients_at_once_share_tokens_and_records_with_the_model() {
    let provider = Provider::start(Options::default()).unwrap();
    let folder = folder(&[("obelus.yaml", &config(&provider.url())), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path, "default");
    let serving = serve(path);
    let socket = fs::symlink_metadata(path.join("audit.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let mut visits = [Visit::begin(mcp(path, &key, "notes")), Visit::begin(mcp(path, &key, "notes"))];
    assert_ne!(visits[0].server, visits[1].server);

    // The model repeats in a call what it was shown of a person.
    let text = r#"Find jenny@example.com [[tool:find {"note":"$1"}]]"#;
    let tools = json!([{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]);
    let chat = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "tools": tools})
        .to_string();
    let answer = serving.ask(&format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {key}\r\nContent-Length: {}\r\n\r\n{chat}",
        chat.len()
    ));
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let call = &body["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    let token = arguments["note"].as_str().unwrap().to_owned();
    assert!(token.starts_with("obl_email_"), "{answer}");

    for visit in &mut visits {
        visit.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let tools = visit.hear()["result"]["tools"].clone();
        assert_eq!(tools, json!([{"name": "find"}]), "what has no class is not shown");
        visit.find(2, &token);
        assert_eq!(visit.hear()["result"]["content"][0]["text"], token, "one token space");
    }
    let called = ledger(path);
    assert_eq!(called.len(), 2);
    assert!(called.iter().all(|line| line.contains(r#""note":"jenny@example.com""#)), "{called:?}");
    for visit in visits {
        assert_eq!(visit.leave(), (Some(0), String::new(), "key: its own\n".to_owned()));
    }
    let records = end(serving, path);
    assert!(!path.join("audit.sock").exists());
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
    let calls: Vec<_> =
        of("tool_request").into_iter().filter(|record| record["operation"] == "notes/find").collect();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call["decision"] == "allow" && call["tool"] == "find"), "{calls:?}");
    let answers: Vec<_> = of("tool_answer").into_iter().filter(|record| record["tool"] == "find").collect();
    assert!(
        answers.len() == 2 && answers.iter().all(|answer| answer["outcome"] == "completed"),
        "{answers:?}"
    );
    // Of each tool once, whoever lists it.
    assert_eq!((of("tool_pinned").len(), of("model_request").len(), of("started").len()), (2, 1, 1));
    assert!(!fs::read_to_string(path.join("audit.jsonl")).unwrap().contains("jenny"));
}

#[test]
fn the_sidecar_says_why_it_takes_no_session() {
    let folder = folder(&[("obelus.yaml", &config("http://127.0.0.1:9")), ("server.sh", SERVER)]);
    let path = folder.path();
    let (key, other) = (key(path, "default"), key(path, "other"));
    let serving = serve(path);
    // The configuration names another server by now, and the sidecar was not told.
    let more = config("http://127.0.0.1:9")
        + "  later: {tools: {find: read}}\n  far: {tools: {find: read}, url: 'http://127.0.0.1:9/'}\n";
    fs::write(path.join("obelus.yaml"), more).unwrap();
    let wrong = format!("{}x", key.strip_suffix(|_: char| true).unwrap());
    for (presented, server, wanted) in [
        (key.as_str(), "nobody", "--server nobody: is none of `mcp`"),
        (&key, "far", "mcp.far.url: `obelus serve` reaches it, at /mcp/far"),
        (&key, "later", "in the configuration of the running `obelus serve`"),
        (&wrong, "notes", "OBELUS_KEY: "),
        ("", "notes", "OBELUS_KEY: "),
        (&other, "notes", "mcp.notes: not for the workflow of this virtual key: name it in `workflows`"),
    ] {
        let done = mcp(path, presented, server).output().unwrap();
        let told = String::from_utf8(done.stderr).unwrap();
        assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(2), b"".as_slice()), "{told}");
        assert!(told.contains(wanted), "{wanted}: {told}");
        assert!(!told.contains(&key), "{told}");
    }
    let refused: Vec<Value> = end(serving, path)
        .into_iter()
        .filter(|record| record["kind"] == "tool_request")
        .map(|record| record["reason"].clone())
        .collect();
    assert_eq!(refused, ["route", "unauthenticated", "unauthenticated", "forbidden"]);
}

#[test]
fn a_sidecar_that_is_just_starting_is_waited_for() {
    let text = config("http://127.0.0.1:9")
        .replace("key_file: approvals.key}", "key_file: approvals.key, rules: [rules]}");
    let folder = folder(&[("obelus.yaml", &text), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path, "default");
    assert!(Command::new("mkfifo").arg(path.join("rules")).status().unwrap().success());
    // Somebody has the audit and does not listen yet.
    let lock = fs::File::create(path.join("audit.lock")).unwrap();
    lock.lock().unwrap();
    let mut program = mcp(path, &key, "notes");
    let child = program.spawn().unwrap();
    // Whoever reads the rules has found nobody who listens.
    let mut rules = fs::OpenOptions::new().write(true).open(path.join("rules")).unwrap();
    let listener = UnixListener::bind(path.join("audit.sock")).unwrap();
    rules.write_all(b"// none of its own\n").unwrap();
    drop(rules);
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    let [a, b, c, d, kind] = head;
    let mut said = vec![0; u32::from_be_bytes([a, b, c, d]) as usize - 1];
    stream.read_exact(&mut said).unwrap();
    let wanted =
        json!({"protocol": 1, "open": {"session": {"key": key, "server": "notes", "livemode": null}}});
    assert_eq!((kind, serde_json::from_slice::<Value>(&said).unwrap()), (b'H', wanted));
    let told = r#"{"is_config":false,"message":"there is no room"}"#;
    let length = u32::try_from(told.len() + 1).unwrap().to_be_bytes();
    stream.write_all(&[length.as_slice(), b"R", told.as_bytes()].concat()).unwrap();
    let done = child.wait_with_output().unwrap();
    let errors = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(1) && errors.contains("audit.sock: cannot have"), "{errors}");
    assert!(errors.contains("there is no room"), "{errors}");
    // It has opened nothing for itself.
    assert!(!path.join("approvals.key").exists() && !path.join("audit.jsonl").exists());
}

#[test]
fn a_command_that_is_not_there_is_told_and_ends_its_session() {
    let folder = folder(&[("obelus.yaml", &config("http://127.0.0.1:9"))]);
    let path = folder.path();
    let key = key(path, "default");
    let serving = serve(path);
    let args = ["mcp", "-c", "obelus.yaml", "--server", "notes", "--", "./no-such-command"];
    let done = obelus(path, &args).env("OBELUS_KEY", &key).output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(1) && told.contains("no-such-command"), "{told}");
    end(serving, path);
}

#[test]
fn a_sidecar_that_is_killed_ends_the_server_and_nothing_passes() {
    let folder = folder(&[("obelus.yaml", &config("http://127.0.0.1:9")), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path, "default");
    let mut serving = serve(path);
    let mut visit = Visit::begin(mcp(path, &key, "notes"));
    visit.find(1, "nobody");
    until("the call leaves", || ledger(path).len() == 1);
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    visit.find(2, "another");
    let server = visit.server;
    let (code, out, errors) = visit.ended();
    assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("server notes: the sidecar (`obelus serve`) is gone"), "{errors}");
    assert!(errors.contains("nothing more was passed on, and the server was ended"), "{errors}");
    assert!(!runs(server));
    assert_eq!(ledger(path).len(), 1);

    // Its socket lies there still, and the next takes its place.
    assert!(path.join("audit.sock").exists());
    let serving = serve(path);
    let mut visit = Visit::begin(mcp(path, &key, "notes"));
    visit.find(1, "again");
    assert!(visit.hear()["result"].is_object());
    assert_eq!(visit.leave().0, Some(0));
    let records = end(serving, path);
    let answered = records.iter().filter(|record| record["kind"] == "tool_answer");
    assert_eq!(answered.count(), 1, "of the call that was under way nobody can say anything: {records:?}");
}

#[test]
fn the_end_of_the_sidecar_waits_for_calls_and_ends_the_rest() {
    let folder = folder(&[("obelus.yaml", &config("http://127.0.0.1:9")), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path, "default");
    let mut serving = serve(path);
    let visit = Visit::begin(mcp(path, &key, "notes"));
    serving.signal("-TERM");
    let (code, out, errors) = visit.ended();
    assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("the sidecar (`obelus serve`) was told to end"), "{errors}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));

    // Told twice, it waits for nobody.
    let mut serving = serve(path);
    let mut visit = Visit::begin(mcp(path, &key, "notes"));
    visit.find(1, "nobody");
    until("the call leaves", || ledger(path).len() == 1);
    serving.signal("-TERM");
    until("it drains", || !path.join("audit.sock").exists());
    serving.signal("-TERM");
    let (code, _, errors) = visit.ended();
    assert!(code == Some(1) && errors.contains("was told to end"), "{errors}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let records = records(path);
    let lost = records.iter().find(|record| record["kind"] == "tool_answer").unwrap();
    assert_eq!((&lost["tool"], &lost["outcome"]), (&"find".into(), &"unknown".into()));
}

#[test]
fn a_client_that_is_killed_ends_its_session_and_its_call_is_unknown() {
    let folder = folder(&[("obelus.yaml", &config("http://127.0.0.1:9")), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path, "default");
    let serving = serve(path);
    let mut visit = Visit::begin(mcp(path, &key, "notes"));
    visit.find(1, "nobody");
    until("the call leaves", || ledger(path).len() == 1);
    visit.child.kill().unwrap();
    visit.child.wait().unwrap();
    let is_lost = |record: &Value| record["kind"] == "tool_answer" && record["outcome"] == "unknown";
    until("it is recorded", || {
        let text = fs::read_to_string(path.join("audit.jsonl")).unwrap();
        // The last line may be being written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).any(|record| is_lost(&record))
    });
    end(serving, path);
}

#[test]
fn a_key_that_is_revoked_ends_its_session_alone() {
    let folder = folder(&[("obelus.yaml", &config("http://127.0.0.1:9")), ("server.sh", SERVER)]);
    let path = folder.path();
    let (revoked, kept) = (key(path, "default"), key(path, "default"));
    let serving = serve(path);
    let mut first = Visit::begin(mcp(path, &revoked, "notes"));
    let mut second = Visit::begin(mcp(path, &kept, "notes"));
    first.find(1, "a");
    assert!(first.hear()["result"].is_object());
    let id = revoked.split('_').nth(1).unwrap();
    let done = run(path, &["keys", "revoke", id, "-c", "obelus.yaml"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let server = first.server;
    let (code, out, errors) = first.ended();
    assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("server notes: the virtual key was revoked or has expired"), "{errors}");
    assert!(!runs(server));
    second.find(1, "b");
    assert!(second.hear()["result"].is_object());
    assert_eq!(second.leave().0, Some(0));
    end(serving, path);
}

#[test]
fn whichever_of_both_is_killed_a_call_goes_out_once_at_most() {
    let mut shop = Shop::open("");
    shop.serve();
    let mut talk = shop.talk();
    let id = talk.waits("nobody");
    let kill = |shop: &mut Shop| {
        let mut serving = shop.serving.take().unwrap();
        serving.child.kill().unwrap();
        serving.child.wait().unwrap();
    };
    // What waits is kept by the sidecar, whoever asks again.
    talk.kill();
    let mut talk = shop.talk_heard(Stdio::null());
    assert_eq!(talk.waits("nobody"), id);
    kill(&mut shop);
    assert_eq!(talk.child.wait().unwrap().code(), Some(1));
    shop.serve();
    let mut talk = shop.talk_heard(Stdio::null());
    assert_eq!(talk.waits("nobody"), id);
    shop.approve(&id);
    talk.say("tools/call", &json!({"name": "send", "arguments": {"to": "nobody", "text": "hello"}}));
    until("it leaves", || shop.ledger().len() == 1);
    // Killed before there is an answer.
    kill(&mut shop);
    assert_eq!(talk.child.wait().unwrap().code(), Some(1));
    shop.serve();
    let mut talk = shop.talk();
    for _ in 0..2 {
        let (text, is_error) = Talk::text(&talk.send("nobody"));
        assert!(is_error && text.contains("nobody knows what came of it"), "{text}");
    }
    assert_eq!(shop.ledger().len(), 1);
    talk.end();
}
