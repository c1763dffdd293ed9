//! The socket for servers of tools that are commands, by what goes over it byte by byte.

use crate::support::{Sidecar, app, env, wait, yaml};
use obelus_proxy::{App, Ended, Signal, StartError};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const MCP: &str = "mcp:\n  notes: {tools: {find: read}, pins: pins.json}\n  \
                   shop: {kind: stripe, livemode: true, pins: shop.json}\n  \
                   far: {tools: {find: read}, url: 'http://127.0.0.1:9/', pins: far.json}\n  \
                   closed: {tools: {find: read}, workflows: [other], pins: closed.json}\n\
                   workflows: {default: {}, other: {}}\n\
                   gate: {approvals: approvals.db, totals: totals.db, key_file: approvals.key}\n";

/// Nobody listens there.
fn upstream() -> std::net::SocketAddr {
    "127.0.0.1:9".parse().expect("an address")
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).expect("short").to_be_bytes();
    [length.as_slice(), &[kind], body].concat()
}

/// One connection.
struct Line(UnixStream);

impl Line {
    async fn to(sidecar: &Sidecar) -> Line {
        Line(UnixStream::connect(sidecar.path("audit.sock")).await.expect("it listens"))
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("somebody reads");
    }

    /// The next frame; nothing at the end.
    async fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        wait(async {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            let mut body = vec![0; usize::try_from(length).expect("short") - 1];
            self.0.read_exact(&mut body).await.ok()?;
            Some((head[4], body))
        })
        .await
    }

    async fn ask(&mut self, bytes: &[u8]) -> (char, String) {
        self.say(bytes).await;
        let (kind, body) = self.hear().await.expect("an answer");
        (char::from(kind), String::from_utf8(body).expect("text"))
    }

    /// Has a message judged.
    async fn pass(&mut self, message: &str) -> (char, String) {
        self.ask(&frame(b'M', message.as_bytes())).await
    }
}

fn begin(key: &str, server: &str, livemode: Option<bool>) -> Vec<u8> {
    let open = json!({"session": {"key": key, "server": server, "livemode": livemode}});
    frame(b'H', json!({"protocol": 1, "open": open}).to_string().as_bytes())
}

fn channel(session: &str, of: &Value) -> Vec<u8> {
    let open = json!({"channel": {"session": session, "of": of}});
    frame(b'H', json!({"protocol": 1, "open": open}).to_string().as_bytes())
}

/// A session with its channels.
struct Talk {
    first: Line,
    id: String,
    client: Line,
    server: Line,
    errors: Line,
}

impl Talk {
    async fn begin(sidecar: &Sidecar) -> Talk {
        let mut first = Line::to(sidecar).await;
        let (kind, id) = first.ask(&begin(&sidecar.key, "notes", None)).await;
        assert_eq!((kind, id.len()), ('B', 32));
        let mut lines = Vec::new();
        for of in ["client", "server", "errors"] {
            let mut line = Line::to(sidecar).await;
            assert_eq!(line.ask(&channel(&id, &of.into())).await, ('B', String::new()));
            lines.push(line);
        }
        let [client, server, errors] = <[Line; 3]>::try_from(lines).ok().expect("three");
        Talk { first, id, client, server, errors }
    }

    async fn call(&mut self, id: u32) -> (char, String) {
        self.client
            .pass(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"find","arguments":{{"note":"jenny@example.com"}}}}}}"#
            ))
            .await
    }

    async fn answer(&mut self, id: u32) -> (char, String) {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"jenny@example.com"}}]}}}}"#
        );
        self.server.pass(&text).await
    }

    /// Why it is over, and that its channels are.
    async fn over(mut self) -> char {
        let (kind, why) = self.first.hear().await.expect("it is told");
        assert_eq!((kind, why.len(), self.first.hear().await), (b'O', 1, None));
        for line in [&mut self.client, &mut self.server, &mut self.errors] {
            while line.hear().await.is_some() {}
        }
        char::from(why[0])
    }
}

#[tokio::test]
async fn each_message_is_answered_with_what_becomes_of_it() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let mut talk = Talk::begin(&sidecar).await;
    let (kind, sent) = talk.call(1).await;
    assert!(kind == 'F' && sent.contains("obl_email_") && !sent.contains("jenny"), "{sent}");
    let (kind, told) = talk.answer(1).await;
    assert!(kind == 'F' && told.contains("obl_email_") && !told.contains("jenny"), "{told}");
    assert_eq!(talk.answer(1).await, ('D', String::new()), "nobody waits for it any more");
    let (kind, _) = talk
        .client
        .pass(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"find","_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}"#)
        .await;
    assert_eq!((kind, talk.answer(3).await.0), ('F', 'F'));
    let traced =
        sidecar.record(|record| record["kind"] == "tool_answer" && record["traceparent"].is_string()).await;
    assert_eq!(traced["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let (kind, told) = talk.client.pass("[]").await;
    assert!(kind == 'A' && told.contains("-32600"), "{told}");
    let (kind, told) = talk.server.pass(r#"{"jsonrpc":"2.0","id":9,"method":"tools/call"}"#).await;
    assert!(kind == 'A' && told.contains("-32601"), "{told}");
    let (kind, text) = talk.errors.pass("mail to jenny@example.com").await;
    assert!(kind == 'T' && text.starts_with("mail to obl_email_"), "{text}");
    talk.errors.say(&frame(b'M', b"\xff")).await;
    assert_eq!(talk.errors.hear().await, Some((b'N', Vec::new())));
    // Whoever leaves is told nothing more, and all is recorded when the connection ends.
    assert_eq!(talk.call(2).await.0, 'F');
    talk.first.0.shutdown().await.unwrap();
    assert_eq!(talk.first.hear().await, None);
    let lost =
        sidecar.record(|record| record["kind"] == "tool_answer" && record["outcome"] == "unknown").await;
    assert_eq!(lost["tool"], "find");
    assert_eq!(talk.client.hear().await, None);
    assert_eq!(sidecar.end().await, Ended::Drained);
}

#[tokio::test]
async fn each_message_of_a_client_is_a_request_of_its_key() {
    let text = MCP.replace("{default: {}", "{default: {requests_per_day: 3}");
    let sidecar = Sidecar::start(upstream(), &text).await;
    let mut talk = Talk::begin(&sidecar).await;
    let (mut passed, mut refused) = (0, 0);
    for id in 1..=6 {
        let (kind, said) = talk.call(id).await;
        match kind {
            // What the server says is none of the client's.
            'F' => {
                assert_eq!(talk.answer(id).await.0, 'F');
                passed += 1;
            }
            kind => {
                assert!(
                    kind == 'A' && said.contains(&format!(r#""id":{id},"error":{{"code":-32050"#)),
                    "{said}"
                );
                assert!(said.contains("as many requests as it may in a day: try again later, in "), "{said}");
                refused += 1;
            }
        }
    }
    // Another session of the same key is no way around it.
    let mut other = Talk::begin(&sidecar).await;
    match other.call(7).await.0 {
        'A' => refused += 1,
        _ => passed += 1,
    }
    // Unless a day begins just now, and then three more may pass.
    let has_new_day = passed > 3 && passed <= 6;
    assert!(passed + refused == 7 && (passed == 3 || has_new_day && refused >= 1), "{passed} {refused}");
    let records = sidecar.records();
    let of_rate = records.iter().filter(|record| record["reason"] == "rate");
    let of_rate: Vec<_> = of_rate.inspect(|record| assert_eq!(record["decision"], "refuse")).collect();
    assert!(of_rate.iter().all(|record| record["route"]["name"] == "tools/call"), "{of_rate:?}");
    let wanted = sidecar.record(|record| record["reason"] == "rate").await;
    assert_eq!(wanted["route"]["upstream"], "notes");
    assert!(sidecar.metrics().await.contains("reason=\"rate\""));
    sidecar.end().await;
}

#[tokio::test]
async fn a_session_is_for_a_key_that_may_use_a_server_that_is_a_command() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let key = sidecar.key.clone();
    let revoked = sidecar.new_key("default");
    let id = revoked.split('_').nth(1).unwrap().to_owned();
    let listed = sidecar.keys.list().unwrap();
    let id = listed.iter().find(|key| key.id.as_str() == id).unwrap().id;
    sidecar.keys.revoke(&id, SystemTime::now()).unwrap();
    for (opens, wanted, reason) in [
        (begin("", "notes", None), "OBELUS_KEY: ", "unauthenticated"),
        (begin(&revoked, "notes", None), "OBELUS_KEY: ", "unauthenticated"),
        (begin(&key, "nobody", None), "none of `mcp`", "route"),
        (begin(&key, "far", None), "/mcp/far", "route"),
        (begin(&key, "closed", None), "mcp.closed: not for the workflow", "forbidden"),
        (begin(&key, "shop", Some(false)), "mcp.shop.livemode", "forbidden"),
    ] {
        let before = sidecar.records().len();
        let (kind, told) = Line::to(&sidecar).await.ask(&opens).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((kind, &told["is_config"]), ('R', &true.into()), "{told}");
        assert!(told["message"].as_str().unwrap().contains(wanted), "{told}");
        let refused = |record: &Value| record["seq"].as_u64() > Some(before as u64);
        let record = sidecar.record(|record| refused(record) && record["kind"] == "tool_request").await;
        assert_eq!((&record["reason"], &record["decision"]), (&reason.into(), &"refuse".into()));
    }
    assert_eq!(Line::to(&sidecar).await.ask(&begin(&key, "shop", Some(true))).await.0, 'B');
    sidecar.end().await;
}

#[tokio::test]
async fn what_opens_no_connection_is_refused_and_costs_nobody_else_anything() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let mut talk = Talk::begin(&sidecar).await;
    let wrong_id = "0".repeat(32);
    let hello = |text: &str| frame(b'H', text.as_bytes());
    for (bytes, wanted) in [
        (b"GET /mcp/notes HTTP/1.1\r\n\r\n".to_vec(), "only `obelus mcp` speaks here"),
        (b"\xff\xff\xff\xffH".to_vec(), "only `obelus mcp` speaks here"),
        (b"\0\0\0\0H".to_vec(), "only `obelus mcp` speaks here"),
        (frame(b'M', b"{}"), "only `obelus mcp` speaks here"),
        (frame(b'H', &vec![b' '; (4 << 10) + 1]), "only `obelus mcp` speaks here"),
        (hello(r#"{"protocol":2,"open":{}}"#), "run the same release"),
        (hello(r#"{"protocol":1,"open":{"session":{"key":"a"}}}"#), "as this version has it"),
        (channel(&wrong_id, &"client".into()), "no such session"),
        (channel(&talk.id, &"client".into()), "opened before"),
        (channel(&talk.id, &json!({"held": 0})), "no such session"),
    ] {
        let mut line = Line::to(&sidecar).await;
        // What is too long may not be read to its end.
        line.0.write_all(&bytes).await.unwrap_or_default();
        let (kind, told) = line.hear().await.expect("it is told");
        let told = String::from_utf8(told).unwrap();
        assert!(kind == b'R' && told.contains(wanted), "{wanted}: {told}");
        assert_eq!(line.hear().await, None);
    }
    assert_eq!(talk.call(1).await.0, 'F', "others go on");
    sidecar.end().await;
}

#[tokio::test]
async fn what_is_no_message_ends_the_session() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let too_long = u32::try_from((16 << 20) + 2).unwrap().to_be_bytes();
    for wrong in [
        frame(b'H', b"{}"),
        frame(b'?', b"{}"),
        b"\0\0\0\0M".to_vec(),
        [too_long.as_slice(), b"M{"].concat(),
        [frame(b'H', b"").as_slice(), &frame(b'M', b"{}")].concat(),
    ] {
        let mut talk = Talk::begin(&sidecar).await;
        assert_eq!(talk.call(1).await.0, 'F');
        talk.client.say(&wrong).await;
        assert_eq!(talk.over().await, 'f');
    }
    let lost = |record: &Value| record["kind"] == "tool_answer" && record["outcome"] == "unknown";
    // Each is recorded.
    let count = || sidecar.records().iter().filter(|record| lost(record)).count();
    wait(async {
        while count() < 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // One that is cut off is none either.
    let mut talk = Talk::begin(&sidecar).await;
    talk.server.say(b"\0\0\0\x09M{").await;
    talk.server.0.shutdown().await.unwrap();
    assert_eq!(talk.over().await, 'f');
    // Nor is anything on the first connection.
    let mut talk = Talk::begin(&sidecar).await;
    talk.first.say(&frame(b'M', b"{}")).await;
    assert_eq!(talk.first.hear().await, None);
    assert_eq!(talk.client.hear().await, None);
    sidecar.end().await;
}

#[tokio::test]
async fn there_are_so_many_sessions_and_no_more() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let key = sidecar.new_key("default");
        for _ in 0..64 {
            let mut line = Line::to(&sidecar).await;
            assert_eq!(line.ask(&begin(&key, "notes", None)).await.0, 'B');
            open.push(line);
        }
        let (kind, told) = Line::to(&sidecar).await.ask(&begin(&key, "notes", None)).await;
        assert!(
            kind == 'R' && told.contains("64 servers of tools") && told.contains("this virtual key"),
            "{told}"
        );
        assert!(told.contains("\"is_config\":false"), "{told}");
    }
    let (kind, told) = Line::to(&sidecar).await.ask(&begin(&sidecar.key, "notes", None)).await;
    assert!(kind == 'R' && told.contains("256 servers of tools"), "{told}");
    // Who leaves makes room.
    let mut last = open.pop().unwrap();
    last.0.shutdown().await.unwrap();
    assert_eq!(last.hear().await, None);
    assert_eq!(Line::to(&sidecar).await.ask(&begin(&sidecar.key, "notes", None)).await.0, 'B');
    sidecar.end().await;
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_its_sessions() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let talk = Talk::begin(&sidecar).await;
    let id = sidecar.keys.list().unwrap()[0].id;
    sidecar.keys.revoke(&id, SystemTime::now()).unwrap();
    assert_eq!(talk.over().await, 'r');
    sidecar.end().await;
}

#[tokio::test]
async fn draining_waits_for_the_answers_to_calls_and_judges_no_others() {
    let sidecar = Sidecar::start(upstream(), &format!("{MCP}timeouts: {{drain_seconds: 86400}}\n")).await;
    let idle = Talk::begin(&sidecar).await;
    let mut busy = Talk::begin(&sidecar).await;
    assert_eq!(busy.call(1).await.0, 'F');
    sidecar.signals.send(Signal::Drain).await.unwrap();
    assert_eq!(idle.over().await, 'e');
    assert!(!sidecar.path("audit.sock").exists());
    busy.client.say(&frame(b'M', br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)).await;
    let (kind, told) = busy.answer(1).await;
    assert!(kind == 'F' && told.contains("obl_email_"), "{told}");
    assert_eq!(busy.client.hear().await, None);
    assert_eq!(busy.over().await, 'e');
    let records = sidecar.path("audit.jsonl");
    assert_eq!(wait(sidecar.running).await.unwrap(), Ended::Drained);
    let records = fs::read_to_string(records).unwrap();
    assert!(records.contains("\"completed\"") && !records.contains("\"ping\""), "{records}");
}

#[tokio::test]
async fn a_configuration_without_the_server_ends_its_sessions_with_the_next_message() {
    let sidecar = Sidecar::start(upstream(), MCP).await;
    let mut talk = Talk::begin(&sidecar).await;
    let load = async |from: &str, to: &str| {
        let text = yaml(upstream(), &MCP.replace(from, to));
        assert!(from.is_empty() || text != yaml(upstream(), MCP));
        fs::write(sidecar.path("obelus.yaml"), text).unwrap();
        let count = || sidecar.records().iter().filter(|record| record["kind"] == "config_reload").count();
        let before = count();
        sidecar.signals.send(Signal::Reload).await.unwrap();
        wait(async {
            while count() == before {
                tokio::task::yield_now().await
            }
        })
        .await;
    };
    load("closed:", "shut:").await;
    // It is loaded behind its record.
    wait(async {
        let opens = begin(&sidecar.key, "closed", None);
        while !Line::to(&sidecar).await.ask(&opens).await.1.contains("none of `mcp`") {}
    })
    .await;
    assert_eq!(talk.call(1).await.0, 'F', "it is still there");
    load("notes: {tools: {find: read},", "notes: {tools: {find: read}, workflows: [other],").await;
    wait(async {
        let opens = begin(&sidecar.key, "notes", None);
        while Line::to(&sidecar).await.ask(&opens).await.0 == 'B' {}
    })
    .await;
    assert_eq!(talk.answer(1).await.0, 'F', "what was under way is answered");
    talk.client.say(&frame(b'M', br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)).await;
    assert_eq!(talk.over().await, 'w');
    sidecar.end().await;
}

#[tokio::test]
async fn the_first_command_needs_a_socket_and_so_another_start() {
    let sidecar = Sidecar::start(upstream(), "").await;
    fs::write(sidecar.path("obelus.yaml"), yaml(upstream(), "mcp: {notes: {tools: {find: read}}}\n"))
        .unwrap();
    sidecar.signals.send(Signal::Reload).await.unwrap();
    let reload = sidecar.record(|record| record["kind"] == "config_reload").await;
    assert_eq!(reload["outcome"], "failed");
    sidecar.end().await;
}

#[tokio::test]
async fn messages_for_which_there_is_no_memory_end_the_session() {
    let limits = "limits: {body_bytes: 65536, answer_bytes: 65536, memory_bytes: 131072}\n";
    let sidecar = Sidecar::start(upstream(), &format!("{MCP}{limits}")).await;
    let mut talk = Talk::begin(&sidecar).await;
    assert_eq!(talk.call(1).await.0, 'F');
    talk.client.say(&frame(b'M', &[b' '; 131_073])).await;
    assert_eq!(talk.over().await, 'b');
    sidecar.end().await;
}

async fn start(folder: &Path, text: &str) -> Result<App, StartError> {
    let path = folder.join("obelus.yaml");
    fs::write(&path, text).unwrap();
    App::start(Some(path), Arc::new(env)).await
}

#[tokio::test]
async fn the_socket_is_there_where_commands_are_and_takes_the_place_of_a_dead_one() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("audit.sock");
    let (app, _) = app(&folder, &yaml(upstream(), "")).await;
    assert!(!place.exists());
    drop(app);
    let far = "mcp: {far: {tools: {find: read}, url: 'http://127.0.0.1:9/', pins: far.json}}\n\
               gate: {approvals: approvals.db, totals: totals.db, key_file: approvals.key}\n";
    drop(start(folder.path(), &yaml(upstream(), far)).await.unwrap());
    assert!(!place.exists());
    // Whoever made it ended without a word.
    drop(std::os::unix::net::UnixListener::bind(&place).unwrap());
    let app = start(folder.path(), &yaml(upstream(), MCP)).await.unwrap();
    let there = fs::symlink_metadata(&place).unwrap();
    assert!(there.file_type().is_socket());
    assert_eq!(there.permissions().mode() & 0o777, 0o600);
    assert!(app.notes().contains(&format!("obelus mcp: served at {}", place.display())));
    drop(app);
    assert!(!place.exists());
}

#[tokio::test]
async fn where_no_socket_can_be_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let refused = async |text: &str| {
        let error = start(folder.path(), text).await.expect_err("it must not start");
        assert!(error.is_config(), "{error}");
        error.to_string()
    };
    let text = yaml(upstream(), MCP);
    let long = "a".repeat(100);
    let told = refused(&text.replace("audit.jsonl", &format!("{long}.jsonl"))).await;
    assert!(told.contains(&long) && told.contains("shorten audit.path"), "{told}");
    fs::write(folder.path().join("audit.sock"), "somebody's").unwrap();
    let told = refused(&text).await;
    assert!(told.contains("audit.sock: is no socket") && told.contains("move it away"), "{told}");
    fs::remove_file(folder.path().join("audit.sock")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let told = refused(&text).await;
    assert!(told.contains("run chmod go-w on it"), "{told}");
    // Where nobody can take away what others put there, they may.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    drop(start(folder.path(), &text).await.unwrap());
    let _: TempDir = folder;
}
