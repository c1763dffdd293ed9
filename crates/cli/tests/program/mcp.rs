//! `obelus mcp`: a server of tools between standard input and output.

use crate::support::{Run, folder, json_lines, obelus, run};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

const CONFIG: &str = "gate: {approvals: approvals.db, totals: totals.db, key_file: approvals.key}\nstate: state.db\naudit: {path: audit.jsonl}\nvault_key: {env: A_VAULT_KEY}\nmcp:\n  \
                      notes:\n    tools: {find: read, send: outbound_message}\n    pins: pins.json\n  \
                      shop: {kind: stripe}\n";

/// Answers lists and calls of `find`, and ends with its input.
const SERVER: &str = r#"
printf 'key: %s%s%s%s%s\n' "$OBELUS_KEY" "$OBELUS_APPROVER_TOKEN" "$A_VAULT_KEY" "$OPENAI_API_KEY" "$OF_THE_SERVER" >&2
while IFS= read -r line; do
    case $line in
        *'"tools/list"'*) printf '%s\n' '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"find"},{"name":"wipe"}]}}' ;;
        *'"find"'*) printf '%s\n' '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"jenny@example.com"}]}}' ;;
        *) exit 7 ;;
    esac
done
"#;

const TALK: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"find","arguments":{"note":"jenny@example.com"}}}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"send","arguments":{}}}
"#;

fn mcp(folder: &Path, key: &str, server: &str, input: &str, command: &[&str]) -> Run {
    let args = [&["mcp", "-c", "obelus.yaml", "--server", server, "--"], command].concat();
    let mut program = obelus(folder, &args);
    program.env("OBELUS_KEY", key).env("XDG_STATE_HOME", folder).env_remove("STATE_DIRECTORY");
    program.env("A_VAULT_KEY", "07".repeat(32)).env("OPENAI_API_KEY", "placeholder");
    program.env("OBELUS_APPROVER_TOKEN", "placeholder").env("OF_THE_SERVER", "its own");
    program.env_remove("STRIPE_SECRET_KEY").env_remove("STRIPE_API_KEY");
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    // A program that refuses to start reads nothing.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap_or_default();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn key(folder: &Path) -> String {
    let made = run(folder, &["keys", "create", "-c", "obelus.yaml", "--workflow", "default"]);
    made.out.trim().to_owned()
}

#[test]
fn a_talk_passes_redacted_and_is_recorded() {
    let folder = folder(&[("obelus.yaml", CONFIG), ("server.sh", SERVER)]);
    let path = folder.path();
    let done = mcp(path, &key(path), "notes", TALK, &["sh", "server.sh"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), "key: its own\n"));
    let mut answers = json_lines(&done.out);
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(answers[0]["result"]["tools"].as_array().map(Vec::len), Some(1));
    assert!(answers[1]["result"]["content"][0]["text"].as_str().unwrap().starts_with("obl_email_"));
    let denied = answers[2]["result"]["content"][0]["text"].as_str().unwrap();
    assert!(denied.starts_with("Denied") && denied.contains("gate.approvers"), "{denied}");
    assert!(fs::read_to_string(path.join("pins.json")).unwrap().contains("find"));
    let text = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    assert!(!text.contains("jenny"), "{text}");
    let records = json_lines(&text);
    let of = |tool: &str, kind: &str| -> Value {
        let found = records.iter().find(|record| record["tool"] == tool && record["kind"] == kind);
        found.unwrap_or_else(|| panic!("{kind} of {tool}: {text}")).clone()
    };
    let find = of("find", "tool_request");
    assert_eq!((&find["operation"], &find["decision"]), (&"notes/find".into(), &"allow".into()));
    assert_eq!((&find["route"]["upstream"], &find["risk_class"]), (&"notes".into(), &"read".into()));
    assert_eq!(of("find", "tool_answer")["outcome"], "completed");
    assert_eq!(of("send", "tool_request")["decision"], "refuse");
    assert!(of("find", "tool_pinned")["tool_hash"].is_string());
    assert_eq!(run(path, &["audit", "verify", "audit.jsonl"]).code, Some(0));
}

#[test]
fn messages_are_counted_from_one_run_to_the_next() {
    let config = format!("{CONFIG}workflows: {{default: {{requests_per_day: 4}}}}\n");
    let folder = folder(&[("obelus.yaml", &config), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path);
    let refused = |done: &Run| {
        assert_eq!(done.code, Some(0), "{done:?}");
        let answers = json_lines(&done.out);
        let told = |answer: &&Value| {
            answer["error"]["message"].as_str().is_some_and(|text| text.contains("in a day"))
        };
        answers.iter().filter(told).count()
    };
    assert_eq!(refused(&mcp(path, &key, "notes", TALK, &["sh", "server.sh"])), 0);
    // Three of them were made, unless a day begins just now.
    let second = refused(&mcp(path, &key, "notes", TALK, &["sh", "server.sh"]));
    let third = refused(&mcp(path, &key, "notes", TALK, &["sh", "server.sh"]));
    assert!((second, third) == (2, 3) || second + third == 2, "{second} {third}");
    let text = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    let records = json_lines(&text);
    let of_rate =
        records.iter().filter(|record| record["reason"] == "rate" && record["decision"] == "refuse");
    assert_eq!(of_rate.count(), second + third);
}

/// A collector of logs that takes everything for as long as one connection lasts. What it was sent.
fn collector() -> (std::net::SocketAddr, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let taking = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        let mut answered = 0;
        loop {
            let read = stream.read(&mut piece).unwrap_or(0);
            if read == 0 {
                return String::from_utf8(all).unwrap();
            }
            all.extend_from_slice(&piece[..read]);
            // A body ends as no other place in it does.
            let ends = String::from_utf8(all.clone()).unwrap_or_default().matches("]}]}]}").count();
            while answered < ends {
                answered += 1;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            }
        }
    });
    (address, taking)
}

#[test]
fn records_are_sent_to_a_collector_before_it_ends() {
    let (address, taking) = collector();
    let audit = format!("audit: {{path: audit.jsonl, otlp: {{url: 'http://{address}'}}}}");
    let config = CONFIG.replace("audit: {path: audit.jsonl}", &audit);
    let folder = folder(&[("obelus.yaml", &config), ("server.sh", SERVER)]);
    let path = folder.path();
    let done = mcp(path, &key(path), "notes", TALK, &["sh", "server.sh"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let sent = taking.join().unwrap();
    let text = fs::read_to_string(path.join("audit.jsonl")).unwrap();
    for record in json_lines(&text) {
        let name = format!("\"eventName\":\"obelus.audit.{}\"", record["kind"].as_str().unwrap());
        let hash = record["hash"].as_str().unwrap();
        assert!(sent.contains(&name) && sent.contains(hash), "{record}");
    }
    assert!(sent.contains("obelus.audit.checkpoint"));
    let kept: Value = serde_json::from_slice(&fs::read(path.join("audit.sent")).unwrap()).unwrap();
    assert_eq!(kept["seq"], json_lines(&text).len());
}

#[test]
fn what_keeps_it_from_starting_is_told() {
    let folder = folder(&[("obelus.yaml", CONFIG), ("server.sh", SERVER)]);
    let path = folder.path();
    let key = key(path);
    let secret = ["sk_", "test_", "x"].concat();
    for (presented, server, command, code, wanted) in [
        (key.as_str(), "nobody", &["sh", "server.sh"][..], 2, "none of `mcp`"),
        ("", "notes", &["sh", "server.sh"], 2, "OBELUS_KEY"),
        (&key, "shop", &["sh", "server.sh", &secret], 2, "allow_secret_key"),
        (&key, "notes", &["./no-such-command"], 1, "no-such-command"),
    ] {
        let done = mcp(path, presented, server, "", command);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.err.contains(wanted) && !done.err.contains(&secret), "{done:?}");
        assert_eq!(done.out, "");
    }
    assert_eq!(run(path, &["mcp", "--server", "notes"]).code, Some(2));
}
