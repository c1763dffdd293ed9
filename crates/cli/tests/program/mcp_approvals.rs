//! Calls of tools that people decide about, through `obelus mcp`, alone or beside `obelus serve`, and `obelus approvals`.

use crate::sidecar::Serving;
use crate::support::{folder, json_lines, obelus, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use tempfile::TempDir;

/// Answers each request under its id, and writes down what it was asked to send. What it is to send to nobody it never
/// answers.
const SERVER: &str = r#"
while IFS= read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\),.*/\1/')
    case $line in
        *'"tools/call"'*)
            printf '%s\n' "$line" >> ledger
            case $line in
                *nobody*) ;;
                *broken*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"no such mailbox"}}\n' "$id" ;;
                *) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"sent to jenny@example.com"}]}}\n' "$id" ;;
            esac ;;
        *) printf '{"jsonrpc":"2.0","id":%s,"result":{}}\n' "$id" ;;
    esac
done
"#;

pub(crate) struct Shop {
    pub(crate) folder: TempDir,
    admin: String,
    pub(crate) key: String,
    /// The sidecar, if one judges.
    pub(crate) serving: Option<Serving>,
}

/// One client's talk with the server through the gateway.
pub(crate) struct Talk {
    pub(crate) child: Child,
    pub(crate) to: Option<ChildStdin>,
    pub(crate) from: BufReader<ChildStdout>,
    next: u32,
}

/// Has a scenario happen with `obelus mcp` alone, and with `obelus serve` beside it.
pub(crate) fn both_ways(gate_more: &str, scenario: impl Fn(Shop)) {
    for is_beside in [false, true] {
        let mut shop = Shop::open(gate_more);
        if is_beside {
            shop.serve();
        }
        scenario(shop);
    }
}

fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Shop {
    pub(crate) fn open(gate_more: &str) -> Shop {
        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = probe.local_addr().unwrap().to_string();
        let config = format!(
            "listen: 127.0.0.1:0\nadmin: {admin}\nstate: state.db\naudit: {{path: audit.jsonl}}\nvault_key: {{file: vault.key}}\nmcp:\n  \
             notes:\n    tools: {{find: read, send: outbound_message}}\n    pins: pins.json\n    \
             restore_arguments: [{{tool: send, paths: [/to]}}]\n\
             gate:\n  approvals: approvals.db\n  totals: totals.db\n  key_file: approvals.key\n{gate_more}  approvers:\n    \
             alice: {{token_sha256: '{}'}}\n    bob: {{token_sha256: '{}'}}\n",
            hash("token-of-alice"),
            hash("token-of-bob"),
        );
        let folder = folder(&[("obelus.yaml", &config), ("server.sh", SERVER)]);
        let made = run(folder.path(), &["keys", "create", "-c", "obelus.yaml", "--workflow", "default"]);
        Shop { admin, key: made.out.trim().to_owned(), folder, serving: None }
    }

    pub(crate) fn serve(&mut self) {
        let mut command = obelus(self.folder.path(), &["serve", "-c", "obelus.yaml"]);
        command.env("XDG_STATE_HOME", self.folder.path());
        self.serving = Some(Serving::start(command));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn talk(&self) -> Talk {
        self.talk_heard(Stdio::inherit())
    }

    /// A talk whose standard error goes there.
    pub(crate) fn talk_heard(&self, errors: Stdio) -> Talk {
        let args = ["mcp", "-c", "obelus.yaml", "--server", "notes", "--", "sh", "server.sh"];
        let mut program = obelus(self.folder.path(), &args);
        program.env("OBELUS_KEY", &self.key).env("XDG_STATE_HOME", self.folder.path());
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = program.spawn().unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut talk = Talk { child, to, from, next: 1 };
        // Whoever has an answer knows that people can decide.
        assert!(talk.ask("ping", &json!({}))["result"].is_object());
        talk
    }

    /// Runs a command of those who decide.
    pub(crate) fn approvals(&self, who: &str, args: &[&str]) -> crate::support::Run {
        let args = [&["approvals"], args, &["--admin", &self.admin]].concat();
        let output = obelus(self.folder.path(), &args)
            .env("OBELUS_APPROVER_TOKEN", format!("token-of-{who}"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        crate::support::Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub(crate) fn approve(&self, id: &str) {
        let done = self.approvals("alice", &["approve", id]);
        assert_eq!(done.code, Some(0), "{done:?}");
    }

    /// What the server was asked to send.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ledger")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The records, once whoever writes them has ended.
    pub(crate) fn records(&mut self) -> Vec<Value> {
        if let Some(mut serving) = self.serving.take() {
            serving.signal("-TERM");
            assert_eq!(serving.child.wait().unwrap().code(), Some(0));
        }
        assert_eq!(run(self.folder.path(), &["audit", "verify", "audit.jsonl"]).code, Some(0));
        json_lines(&fs::read_to_string(self.path("audit.jsonl")).unwrap())
    }
}

impl Talk {
    pub(crate) fn say(&mut self, method: &str, params: &Value) -> u32 {
        let id = self.next;
        self.next += 1;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        // The members stand in an order that the server of the test can read.
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{}}}"#, message["params"]);
        writeln!(self.to.as_mut().unwrap(), "{text}").unwrap();
        id
    }

    /// Answers a question.
    pub(crate) fn answer(&mut self, id: &Value, result: &Value) {
        self.tell(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    pub(crate) fn tell(&mut self, message: &Value) {
        writeln!(self.to.as_mut().unwrap(), "{message}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.say(method, params);
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    pub(crate) fn send(&mut self, to: &str) -> Value {
        self.ask("tools/call", &json!({"name": "send", "arguments": {"to": to, "text": "hello"}}))
    }

    /// The text of a tool's result, and whether it says that the call failed.
    pub(crate) fn text(answer: &Value) -> (String, bool) {
        let result = &answer["result"];
        (result["content"][0]["text"].as_str().unwrap_or_default().to_owned(), result["isError"] == true)
    }

    /// The approval for which a call waits.
    pub(crate) fn waits(&mut self, to: &str) -> String {
        let (text, is_error) = Talk::text(&self.send(to));
        assert!(is_error && text.starts_with("Approval needed (approval apr_"), "{text}");
        assert!(text.contains("repeat the identical call"), "{text}");
        text.split(['(', ')']).nth(1).unwrap().trim_start_matches("approval ").to_owned()
    }

    pub(crate) fn end(mut self) {
        drop(self.to.take());
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn an_approved_call_goes_out_once_and_its_outcome_is_told_again() {
    both_ways("", approved);
}

fn approved(mut shop: Shop) {
    let mut talk = shop.talk();
    let id = talk.waits("jenny@example.com");
    assert_eq!(talk.waits("jenny@example.com"), id, "the same call waits already");
    assert_ne!(talk.waits("ann@example.com"), id, "another call is another approval");
    let listed = shop.approvals("alice", &["list", "--json"]);
    assert_eq!(json_lines(&listed.out).len(), 2, "{listed:?}");
    let sheet = shop.approvals("alice", &["show", &id]);
    for wanted in ["notes", "send", "outbound_message", "obl_email_", "hello"] {
        assert!(sheet.out.contains(wanted), "{wanted}: {sheet:?}");
    }
    assert!(!sheet.out.contains("jenny"), "{sheet:?}");
    assert_eq!(shop.ledger().len(), 0);
    shop.approve(&id);
    // Laid out otherwise it is the same call; what runs are the bytes that were approved.
    let again = r#"{"name":"send","arguments":{"text":"h\u0065llo","to":"jenny@example.com"}}"#;
    let answer = talk.ask("tools/call", &serde_json::from_str(again).unwrap());
    let (text, is_error) = Talk::text(&answer);
    assert!(!is_error && text.starts_with("sent to obl_email_"), "{answer}");
    assert_eq!(shop.ledger().len(), 1);
    // The place that the configuration names gets the value, and nobody else.
    assert!(shop.ledger()[0].contains(r#""to":"jenny@example.com""#), "{:?}", shop.ledger());
    for _ in 0..3 {
        assert_eq!(Talk::text(&talk.send("jenny@example.com")), (text.clone(), false));
    }
    assert_eq!(shop.ledger().len(), 1, "it is not made again");
    talk.end();
    let records = shop.records();
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("approval_requested").len(), 2);
    assert_eq!(of("approval_decided")[0]["approver"], "alice");
    let sent = of("tool_answer").into_iter().filter(|record| record["tool"] == "send");
    let sent: Vec<&Value> = sent.collect();
    assert_eq!(sent.len(), 1, "{records:?}");
    let sent = sent[0];
    let asked = of("tool_request").into_iter().find(|record| record["request_id"] == sent["request_id"]);
    assert_eq!((&asked.unwrap()["approval_id"], &sent["outcome"]), (&id.into(), &"completed".into()));
    let again = of("tool_request").into_iter().filter(|record| record["reason"] == "executed-before");
    assert_eq!(again.map(|record| record["decision"].clone()).collect::<Vec<_>>(), ["refuse"; 3]);
    assert!(!fs::read_to_string(shop.path("audit.jsonl")).unwrap().contains("jenny"));
    let kept = fs::read(shop.path("approvals.db")).unwrap();
    assert!(!kept.windows(5).any(|window| window == b"jenny"), "bytes of calls are sealed");
}

#[test]
fn a_denied_call_and_an_error_stay_what_they_are() {
    both_ways("", denied);
}

fn denied(shop: Shop) {
    let mut talk = shop.talk();
    let id = talk.waits("jenny@example.com");
    assert_eq!(shop.approvals("bob", &["deny", &id]).code, Some(0));
    assert_eq!(shop.approvals("alice", &["approve", &id]).code, Some(1), "a denial is final");
    for _ in 0..2 {
        let (text, is_error) = Talk::text(&talk.send("jenny@example.com"));
        assert!(is_error && text.starts_with("Denied; nothing was sent."), "{text}");
    }
    assert_eq!(shop.ledger().len(), 0);
    let id = talk.waits("broken");
    shop.approve(&id);
    for _ in 0..2 {
        let answer = talk.send("broken");
        assert_eq!(answer["error"], json!({"code": -32000, "message": "no such mailbox"}), "{answer}");
    }
    assert_eq!(shop.ledger().len(), 1);
    talk.end();
}

#[test]
fn time_denies() {
    let shop = Shop::open("  approval_seconds: 10\n");
    let mut talk = shop.talk();
    let id = talk.waits("jenny@example.com");
    // A retry is held until it is decided, here by time.
    let modern = |state: Option<&str>| {
        let mut params = json!({"name": "send", "arguments": {"to": "late", "text": "hello"},
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
        if let Some(state) = state {
            params["requestState"] = state.into();
        }
        params
    };
    let answer = talk.ask("tools/call", &modern(None));
    let state = answer["result"]["requestState"].as_str().unwrap().to_owned();
    let (text, is_error) = Talk::text(&talk.ask("tools/call", &modern(Some(&state))));
    assert!(is_error && text.contains("in time"), "{text}");
    let (text, is_error) = Talk::text(&talk.send("jenny@example.com"));
    assert!(is_error && text.contains("in time"), "{text}");
    assert_eq!(shop.approvals("alice", &["approve", &id]).code, Some(1));
    assert_eq!(shop.ledger().len(), 0);
    talk.end();
}

#[test]
fn a_client_of_the_newest_revision_is_answered_once_it_is_decided() {
    both_ways("", of_the_newest_revision);
}

fn of_the_newest_revision(shop: Shop) {
    let mut talk = shop.talk();
    let params = |to: &str, state: Option<&str>| {
        let mut params = json!({"name": "send", "arguments": {"to": to, "text": "hello"}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 7}});
        if let Some(state) = state {
            params["requestState"] = state.into();
            params["inputResponses"] = json!({});
        }
        params
    };
    let answer = talk.ask("tools/call", &params("jenny@example.com", None));
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let state = answer["result"]["requestState"].as_str().unwrap().to_owned();
    assert!(state.starts_with("obelus-waits-") && !state.contains("apr_"), "{state}");
    // Tampered with, or of another call, it is none.
    let end = if state.ends_with('a') { "b" } else { "a" };
    let mut tampered = state.clone();
    tampered.pop();
    tampered.push_str(end);
    for (to, state) in [("jenny@example.com", tampered.as_str()), ("ann@example.com", &state)] {
        let answer = talk.ask("tools/call", &params(to, Some(state)));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let held = talk.say("tools/call", &params("jenny@example.com", Some(&state)));
    // Others go on meanwhile, and its id is taken.
    assert!(talk.ask("ping", &json!({}))["result"].is_object());
    let listed = json_lines(&shop.approvals("alice", &["list", "--json"]).out);
    shop.approve(listed[0]["id"].as_str().unwrap());
    let answer = talk.hear();
    assert_eq!(answer["id"], held);
    assert!(Talk::text(&answer).0.starts_with("sent to obl_email_"), "{answer}");
    let ledger = shop.ledger();
    assert_eq!(ledger.len(), 1);
    assert!(ledger[0].contains("progressToken") && !ledger[0].contains("requestState"), "{ledger:?}");
    assert!(!ledger[0].contains("inputResponses"), "{ledger:?}");
    // The state of a call that is done tells what came of it.
    let again = talk.ask("tools/call", &params("jenny@example.com", Some(&state)));
    assert_eq!(again["result"], answer["result"]);
    assert_eq!(shop.ledger().len(), 1);
    // Who gives a held call up gets no answer, and it does not go out.
    let answer = talk.ask("tools/call", &params("ann@example.com", None));
    let state = answer["result"]["requestState"].as_str().unwrap().to_owned();
    let held = talk.say("tools/call", &params("ann@example.com", Some(&state)));
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": held}});
    writeln!(talk.to.as_mut().unwrap(), "{cancel}").unwrap();
    assert!(talk.ask("ping", &json!({}))["result"].is_object());
    let listed = json_lines(&shop.approvals("alice", &["list", "--json"]).out);
    shop.approve(listed[0]["id"].as_str().unwrap());
    assert!(talk.ask("ping", &json!({}))["result"].is_object());
    assert_eq!(shop.ledger().len(), 1);
    talk.end();
}

#[test]
fn whenever_it_is_killed_a_call_goes_out_once_at_most() {
    let mut shop = Shop::open("");
    let mut talk = shop.talk();
    let id = talk.waits("nobody");
    talk.kill();
    // What waits is kept.
    let mut talk = shop.talk();
    assert_eq!(talk.waits("nobody"), id);
    shop.approve(&id);
    talk.kill();
    // What was approved is kept; it leaves, and is killed before there is an answer.
    let mut talk = shop.talk();
    talk.say("tools/call", &json!({"name": "send", "arguments": {"to": "nobody", "text": "hello"}}));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while shop.ledger().is_empty() {
        assert!(std::time::Instant::now() < until, "it leaves");
        std::thread::yield_now();
    }
    // Whoever repeats it meanwhile learns that it is on its way.
    let (text, is_error) = Talk::text(&talk.send("nobody"));
    assert!(is_error && text.starts_with("Approved and on its way"), "{text}");
    talk.kill();
    let mut talk = shop.talk();
    for _ in 0..2 {
        let (text, is_error) = Talk::text(&talk.send("nobody"));
        assert!(is_error && text.contains("nobody knows what came of it"), "{text}");
    }
    // Somebody looks it up; then the same call can be asked for anew.
    let listed = shop.approvals("alice", &["list"]);
    assert!(listed.out.contains(&id) && listed.out.contains("unknown"), "{listed:?}");
    assert_eq!(shop.approvals("alice", &["deny", &id]).code, Some(1), "it is too late to deny");
    assert_eq!(shop.approvals("bob", &["not-happened", &id]).code, Some(0));
    assert!(shop.approvals("alice", &["show", &id]).out.contains("void"));
    assert_eq!(shop.approvals("bob", &["happened", &id]).code, Some(1), "it is said once");
    let again = talk.waits("nobody");
    assert_ne!(again, id);
    assert_eq!(shop.ledger().len(), 1);
    talk.end();
    let records = shop.records();
    let found: Vec<_> = records.iter().filter(|record| record["kind"] == "outcome_found").collect();
    assert_eq!((&found[0]["reason"], &found[0]["approver"]), (&"not-happened".into(), &"bob".into()));
    assert_eq!((&found[0]["approval_id"], &found[0]["outcome"]), (&id.as_str().into(), &Value::Null));
    let refused: Vec<_> = found[1..].iter().map(|record| (&record["reason"], &record["outcome"])).collect();
    assert_eq!(refused, [(&"happened".into(), &Value::Null), (&"happened".into(), &"failed".into())]);
}

/// Clients that show addresses are given the one where people decide; nobody decides by seeing it.
#[test]
fn a_client_that_shows_addresses_is_given_the_page() {
    both_ways("", given_the_page);
}

fn given_the_page(shop: Shop) {
    let mut talk = shop.talk();
    let params = |to: &str, can: &Value, state: Option<(&str, &str)>| {
        let mut params = json!({"name": "send", "arguments": {"to": to, "text": "hello"}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": can}});
        if let Some((state, action)) = state {
            params["requestState"] = state.into();
            params["inputResponses"] = json!({"approval": {"action": action}, "roots": {"roots": []}});
        }
        params
    };
    let page = |approval: &str| format!("http://{}/approvals/{approval}", shop.admin);
    let newest = || {
        let listed = json_lines(&shop.approvals("alice", &["list", "--json"]).out);
        listed[0]["id"].as_str().unwrap().to_owned()
    };
    let (addresses, forms) = (json!({"elicitation": {"form": {}, "url": {}}}), json!({"elicitation": {}}));
    let answer = talk.ask("tools/call", &params("ann@example.com", &forms, None));
    assert_eq!(answer["result"].get("inputRequests"), None, "it shows none");
    let answer = talk.ask("tools/call", &params("jenny@example.com", &addresses, None));
    let asked = &answer["result"]["inputRequests"]["approval"];
    assert_eq!((&asked["method"], &asked["params"]["mode"]), (&"elicitation/create".into(), &"url".into()));
    let id = newest();
    assert_eq!(asked["params"]["url"], page(&id));
    let state = answer["result"]["requestState"].as_str().unwrap();
    assert!(asked["params"]["message"].as_str().unwrap().contains(&id), "{answer}");
    // Whoever does not want to see it is told at once, and the call waits all the same.
    let (text, is_error) = Talk::text(
        &talk.ask("tools/call", &params("jenny@example.com", &addresses, Some((state, "decline")))),
    );
    assert!(is_error && text.starts_with("Approval needed (approval apr_"), "{text}");
    talk.say("tools/call", &params("jenny@example.com", &addresses, Some((state, "accept"))));
    assert!(talk.ask("ping", &json!({}))["result"].is_object(), "it is held");
    assert_eq!(shop.ledger().len(), 0);
    shop.approve(&id);
    assert!(Talk::text(&talk.hear()).0.starts_with("sent to obl_email_"));
    let ledger = shop.ledger();
    assert!(ledger.len() == 1 && !ledger[0].contains("inputResponses"), "{ledger:?}");
    // Of an older revision the client says it once.
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": addresses, "clientInfo": {"name": "c",
        "version": "1"}});
    assert!(talk.ask("initialize", &hello)["result"].is_object());
    let answer = talk.send("carol@example.com");
    let id = newest();
    assert_eq!(answer["error"]["code"], -32042, "{answer}");
    let elicitation = &answer["error"]["data"]["elicitations"][0];
    assert_eq!((&elicitation["mode"], &elicitation["url"]), (&"url".into(), &page(&id).into()));
    assert_eq!(elicitation["elicitationId"], id.as_str());
    assert!(answer["error"]["message"].as_str().unwrap().contains("repeat the identical call"), "{answer}");
    shop.approve(&id);
    assert!(Talk::text(&talk.send("carol@example.com")).0.starts_with("sent to obl_email_"));
    assert_eq!(shop.ledger().len(), 2);
    talk.end();
}

#[test]
fn it_does_not_run_beside_another_that_writes_the_same_records() {
    let shop = Shop::open("");
    let talk = shop.talk();
    let args = ["mcp", "-c", "obelus.yaml", "--server", "notes", "--", "sh", "server.sh"];
    let second = obelus(shop.folder.path(), &args).env("OBELUS_KEY", &shop.key).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(
        told.contains("another process writes this audit") && told.contains("mcp.notes was not started"),
        "{told}"
    );
    assert!(told.contains("run `obelus serve` with this configuration"), "{told}");
    assert_eq!(second.stdout, b"");
    talk.end();
}

#[test]
fn a_revoked_key_ends_the_talk() {
    both_ways("", revoked);
}

fn revoked(shop: Shop) {
    let mut talk = shop.talk();
    let id = talk.waits("jenny@example.com");
    shop.approve(&id);
    let listed =
        json_lines(&run(Path::new(shop.folder.path()), &["keys", "list", "--json", "-c", "obelus.yaml"]).out);
    let revoked =
        run(shop.folder.path(), &["keys", "revoke", listed[0]["id"].as_str().unwrap(), "-c", "obelus.yaml"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    talk.say(
        "tools/call",
        &json!({"name": "send", "arguments": {"to": "jenny@example.com", "text": "hello"}}),
    );
    // It is refused, or the talk has ended before.
    let mut line = String::new();
    talk.from.read_line(&mut line).unwrap();
    assert!(line.is_empty() || line.contains("Denied"), "{line}");
    assert_eq!(shop.ledger().len(), 0);
    drop(talk.to.take());
    talk.child.wait().unwrap();
}
