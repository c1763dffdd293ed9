//! Servers of tools that are elsewhere, at `/mcp/NAME`, to a server that is none.

mod streams;

use crate::support::{Act, Reply, Sidecar, Upstream, app, env, raw, send, wait, yaml};
use obelus_proxy::App;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SERVER_KEY: &str = "key-of-the-server-of-tools";
const BOTH: &str = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
const TOOLS: &str = r#"[{"name":"find","inputSchema":{"type":"object"}},{"name":"wipe","inputSchema":{}},
    {"name":"send","inputSchema":{"properties":{"to":{"type":"string","x-mcp-header":"To"},"text":{"type":"string"}}}}]"#;

/// A server of tools that does what the arguments of a call say.
async fn server() -> Upstream {
    Upstream::start(|request| {
        let (head, body) = request.split_once("\r\n\r\n").expect("a request");
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if head.starts_with("GET ") {
            let told = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info",
                "data": "mail from jenny@example.com"}});
            let mut stream = events(&[&told]);
            // It does not end.
            stream.truncate(stream.len() - "0\r\n\r\n".len());
            return vec![Act::Send(stream), Act::AwaitEnd];
        }
        let answer = |result: Value| json!({"jsonrpc": "2.0", "id": body["id"], "result": result});
        let text = |text: &str| answer(json!({"content": [{"type": "text", "text": text}]}));
        match body["method"].as_str() {
            Some("initialize") => {
                let revision = body["params"]["protocolVersion"].clone();
                let result = json!({"protocolVersion": revision, "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
                whole("200 OK", "Mcp-Session-Id: of-the-server\r\n", &answer(result))
            }
            Some("tools/list") => {
                let tools: Value = serde_json::from_str(TOOLS).expect("JSON");
                whole("200 OK", "", &answer(json!({"tools": tools, "cacheScope": "public"})))
            }
            Some("tools/call") => match body["params"]["arguments"]["text"].as_str() {
                Some("hang") => vec![Act::AwaitEnd],
                Some("slow") => [vec![Act::Hold], whole("200 OK", "", &text("sent"))].concat(),
                Some("redirect") => whole("307 Temporary Redirect", "Location: http://example.com/\r\n", &json!({})),
                Some("unauthorized") => whole("401 Unauthorized", "", &text("no")),
                Some("compressed") => whole("200 OK", "Content-Encoding: gzip\r\n", &text("no")),
                Some("another") => whole("200 OK", "", &json!({"jsonrpc": "2.0", "id": "another", "result": {}})),
                Some("broken") => vec![Act::Send(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\ndata: {".to_vec(),
                ), Act::AwaitEnd],
                Some("ask") => {
                    let ask = json!({"jsonrpc": "2.0", "id": "ask-1", "method": "elicitation/create", "params": {
                        "message": "Is jenny@example.com right?", "requestedSchema": {"type": "object"}}});
                    vec![Act::Send(events(&[&ask, &text("asked")]))]
                }
                _ => {
                    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {
                        "progressToken": 1, "progress": 1, "message": "looking for jenny@example.com"}});
                    vec![Act::Send(events(&[&progress, &text("sent to jenny@example.com")]))]
                }
            },
            Some("ping") => whole("200 OK", "", &answer(json!({}))),
            _ => vec![Act::Send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec())],
        }
    })
    .await
}

fn whole(status: &str, more: &str, body: &Value) -> Vec<Act> {
    let body = body.to_string();
    let length = body.len();
    vec![Act::Send(
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}Content-Length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )]
}

/// Events as servers write them that want to be asked again, with a first one that says nothing.
fn events(messages: &[&Value]) -> Vec<u8> {
    let mut body = "id: first\ndata: \n\n".to_owned();
    for message in messages {
        body += &format!("event: message\r\nid: 7\r\ndata: {message}\r\n\r\n");
    }
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
        .into_bytes()
}

fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn config(server: &Upstream, mcp_more: &str) -> String {
    let more = format!(
        "mcp:\n  notes:\n    url: 'http://{}/endpoint'\n    tools: {{find: read, send: outbound_message, wipe: \
         key_or_account_admin}}\n    pins: pins.json\n    restore_arguments: [{{tool: send, paths: [/to]}}]\n    keys: \
         {{default: {{file: server.key}}}}\n{mcp_more}\
         workflows:\n  default: {{requests_per_minute: 100000}}\n  other: {{requests_per_minute: 100000}}\n\
         gate:\n  approvals: approvals.db\n  totals: totals.db\n  key_file: approvals.key\n  approvers:\n    \
         alice: {{token_sha256: '{}'}}\n    bob: {{token_sha256: '{}'}}\n",
        server.address,
        hash("token-of-alice"),
        hash("token-of-bob")
    );
    yaml(server.address, &more)
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("server.key"), SERVER_KEY).expect("the folder takes files");
    folder
}

async fn start(server: &Upstream) -> Sidecar {
    let folder = folder();
    let (app, keys) = app(&folder, &config(server, "")).await;
    Sidecar::run(app, keys, folder)
}

/// A client of an older revision.
struct Client<'a> {
    sidecar: &'a Sidecar,
    session: String,
}

impl<'a> Client<'a> {
    async fn begin(sidecar: &'a Sidecar) -> Client<'a> {
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
            "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}});
        let reply = post(sidecar, "", &hello).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let session = header(&reply, "mcp-session-id").expect("a session").to_owned();
        let client = Client { sidecar, session };
        let told = client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert_eq!((told.status, told.body.as_str()), (202, ""));
        client
    }

    fn headers(&self) -> String {
        format!("Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2025-11-25\r\n", self.session)
    }

    async fn say(&self, message: &Value) -> Reply {
        post(self.sidecar, &self.headers(), message).await
    }

    async fn call(&self, tool: &str, arguments: Value) -> Reply {
        self.say(&call(tool, arguments)).await
    }
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

async fn post(sidecar: &Sidecar, more: &str, message: &Value) -> Reply {
    sidecar.send(&sidecar.post("/mcp/notes", &format!("{BOTH}{more}"), message.to_string().as_bytes())).await
}

/// A call of revision 2026-07-28, with what it says twice.
fn modern_request(sidecar: &Sidecar, more: &str, arguments: &Value, state: Option<&str>) -> Vec<u8> {
    let mut message = call("send", arguments.clone());
    message["params"]["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    if let Some(state) = state {
        message["params"]["requestState"] = state.into();
    }
    sidecar.post("/mcp/notes", &format!("{BOTH}{MODERN}{more}"), message.to_string().as_bytes())
}

async fn modern(sidecar: &Sidecar, more: &str, arguments: &Value, state: Option<&str>) -> Reply {
    sidecar.send(&modern_request(sidecar, more, arguments, state)).await
}

const MODERN: &str = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: send\r\n";

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The messages of an answer, whole or as events.
fn messages(reply: &Reply) -> Vec<Value> {
    let is_events = header(reply, "content-type") == Some("text/event-stream");
    let texts: Vec<&str> = match is_events {
        true => reply.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect(),
        false => vec![&reply.body],
    };
    texts.into_iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

fn last(reply: &Reply) -> Value {
    messages(reply).pop().expect("an answer")
}

fn text(message: &Value) -> String {
    message["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
}

/// Calls that the server was asked for.
fn calls(server: &Upstream) -> Vec<String> {
    server.seen().into_iter().filter(|request| request.contains("\"tools/call\"")).collect()
}

async fn approve(sidecar: &Sidecar, verb: &str) -> Reply {
    let desk = |method: &str, path: &str, body: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer token-of-alice\r\nContent-Length: {}\r\n\r\n{body}",
            sidecar.admin,
            body.len()
        )
    };
    let listed = send(sidecar.admin, desk("GET", "/approvals", "").as_bytes()).await;
    let listed: Value = serde_json::from_str(&listed.body).expect("JSON");
    let approval = &listed["approvals"][0];
    let id = approval["id"].as_str().expect("it waits");
    let body = json!({"digest": approval["digest"]}).to_string();
    send(sidecar.admin, desk("POST", &format!("/approvals/{id}/{verb}"), &body).as_bytes()).await
}

#[tokio::test]
async fn a_session_is_carried_redacted_and_recorded() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    assert_ne!(client.session, "of-the-server");
    let listed = last(&client.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await);
    let names: Vec<&Value> =
        listed["result"]["tools"].as_array().expect("tools").iter().map(|tool| &tool["name"]).collect();
    assert_eq!(
        (names, &listed["result"]["cacheScope"]),
        (vec![&json!("find"), &json!("send")], &json!("private"))
    );
    let reply = client.call("find", json!({"for": "jenny@example.com"})).await;
    let told = messages(&reply);
    assert_eq!(told.len(), 2, "{}", reply.body);
    assert!(text(&told[1]).starts_with("sent to obl_email_"), "{}", reply.body);
    assert!(!reply.body.contains("jenny") && !reply.body.contains("id:"), "{}", reply.body);
    assert_eq!(header(&reply, "x-accel-buffering"), Some("no"));
    // What is denied goes nowhere.
    assert!(text(&last(&client.call("wipe", json!({})).await)).starts_with("Denied"));
    assert_eq!(calls(&server).len(), 1);
    for request in server.seen().iter().skip(1) {
        let head = request.split("\r\n\r\n").next().expect("a head").to_ascii_lowercase();
        assert!(head.contains(&format!("authorization: bearer {SERVER_KEY}")), "{head}");
        assert!(head.contains("mcp-session-id: of-the-server") && head.contains(" /endpoint "), "{head}");
        assert!(head.contains("mcp-protocol-version: 2025-11-25"), "{head}");
    }
    assert!(
        !server
            .seen()
            .iter()
            .any(|request| request.contains(&sidecar.key) || request.contains(&client.session))
    );
    // What it asks goes to the client, whose answer goes back.
    let asked = messages(&client.call("find", json!({"text": "ask"})).await);
    assert!(asked[0]["params"]["message"].as_str().expect("text").contains("obl_email_"), "{asked:?}");
    let answer = json!({"jsonrpc": "2.0", "id": "ask-1", "result": {"action": "decline"}});
    assert_eq!(client.say(&answer).await.status, 202);
    assert_eq!(client.say(&answer).await.status, 400, "it was answered");
    let left = format!(
        "DELETE /mcp/notes HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {}\r\nConnection: close\r\n{}\r\n",
        sidecar.key,
        client.headers()
    );
    assert_eq!(sidecar.send(left.as_bytes()).await.status, 200);
    assert!(server.seen().last().expect("a request").starts_with("DELETE /endpoint"));
    assert_eq!(client.call("find", json!({})).await.status, 404);
    let record = sidecar.record(|record| record["kind"] == "tool_answer" && record["tool"] == "find").await;
    assert_eq!((&record["outcome"], &record["route"]["upstream"]), (&json!("completed"), &json!("notes")));
    assert!(!std::fs::read_to_string(sidecar.path("audit.jsonl")).expect("records").contains("jenny"));
    assert!(sidecar.metrics().await.contains("route=\"mcp\""));
}

#[tokio::test]
async fn what_the_server_tells_by_itself_is_read() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let mut stream = TcpStream::connect(sidecar.data).await.expect("it listens");
    let request = format!(
        "GET /mcp/notes HTTP/1.1\r\nHost: s\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n{}\r\n",
        sidecar.key,
        client.headers()
    );
    stream.write_all(request.as_bytes()).await.expect("it listens");
    let mut heard = String::new();
    while !heard.contains("obl_email_") {
        let mut piece = [0; 4096];
        let read = wait(stream.read(&mut piece)).await.expect("bytes");
        assert_ne!(read, 0, "{heard}");
        heard += std::str::from_utf8(&piece[..read]).expect("text");
    }
    assert!(heard.contains("text/event-stream") && !heard.contains("jenny"), "{heard}");
    drop(stream);
    // The server is left, too.
    wait(server.ended.acquire()).await.expect("open").forget();
}

#[tokio::test]
async fn what_is_no_request_to_a_server_of_tools_goes_nowhere() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let session = client.headers();
    let before = server.seen().len();
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","x":"{}"}}"#, "a".repeat(17 << 20));
    let json = "Content-Type: application/json\r\n";
    for (path, more, body, status) in [
        ("/mcp/notes", BOTH.to_owned(), ping, 400),
        ("/mcp/nobody", format!("{BOTH}{session}"), ping, 404),
        ("/mcp/notes/more", format!("{BOTH}{session}"), ping, 404),
        ("/mcp/notes?x=y", format!("{BOTH}{session}"), ping, 400),
        ("/mcp/notes", format!("{BOTH}Mcp-Session-Id: of-the-server\r\n"), ping, 404),
        ("/mcp/notes", format!("{BOTH}{session}Mcp-Session-Id: x\r\n"), ping, 400),
        ("/mcp/notes", format!("{json}{session}"), ping, 406),
        ("/mcp/notes", format!("Accept: */*\r\nContent-Type: text/plain\r\n{session}"), ping, 415),
        ("/mcp/notes", format!("{BOTH}{session}Origin: https://example.com\r\n"), ping, 403),
        ("/mcp/notes", format!("{BOTH}{session}Last-Event-ID: 7\r\n"), ping, 400),
        ("/mcp/notes", format!("{BOTH}{session}Content-Encoding: x-new\r\n"), ping, 415),
        ("/mcp/notes", format!("{BOTH}{session}Mcp-Method: tools/call\r\n"), ping, 400),
        ("/mcp/notes", format!("{BOTH}{session}Mcp-Name: send\r\n"), ping, 400),
        (
            "/mcp/notes",
            format!("{BOTH}Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2026-07-28\r\n", client.session),
            ping,
            400,
        ),
        (
            "/mcp/notes",
            format!("{BOTH}Mcp-Session-Id: {}\r\nMCP-Protocol-Version: 2099-01-01\r\n", client.session),
            ping,
            400,
        ),
        ("/mcp/notes", format!("{BOTH}{session}"), "[]", 400),
        ("/mcp/notes", format!("{BOTH}{session}"), &format!("[{ping}]"), 400),
        (
            "/mcp/notes",
            format!("{BOTH}{session}"),
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}"#,
            400,
        ),
        (
            "/mcp/notes",
            format!("{BOTH}{session}"),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/execute"}"#,
            200,
        ),
        (
            "/mcp/notes",
            format!("{BOTH}{session}"),
            r#"{"jsonrpc":"2.0","method":"notifications/execute"}"#,
            400,
        ),
        ("/mcp/notes", format!("{BOTH}{session}"), "", 400),
        ("/mcp/notes", format!("{BOTH}{session}"), &long, 413),
    ] {
        let reply = sidecar.send(&sidecar.post(path, &more, body.as_bytes())).await;
        assert_eq!(reply.status, status, "{path} {more} {}", reply.body);
        assert!(last(&reply)["error"]["code"].is_i64(), "{}", reply.body);
    }
    // The key of another may not use the session, nor another workflow's the server.
    for (key, status) in
        [(sidecar.new_key("default"), 404), (sidecar.new_key("other"), 403), ("vk_no".to_owned(), 401)]
    {
        let request = format!(
            "POST /mcp/notes HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{BOTH}{session}Content-Length: {}\r\n\r\n{ping}",
            ping.len()
        );
        assert_eq!(sidecar.send(request.as_bytes()).await.status, status);
    }
    let get = format!(
        "GET /mcp/notes HTTP/1.1\r\nHost: s\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        sidecar.key
    );
    assert_eq!(sidecar.send(get.as_bytes()).await.status, 405);
    assert_eq!(server.seen().len(), before, "nothing of it reached the server");
    assert_eq!(client.say(&serde_json::from_str(ping).expect("JSON")).await.status, 200);
    assert!(sidecar.records().iter().filter(|record| record["decision"] == "refuse").count() > 20);
}

#[tokio::test]
async fn headers_of_the_newest_revision_say_what_the_body_says() {
    let server = server().await;
    let sidecar = start(&server).await;
    let arguments = json!({"to": "ann", "text": "x"});
    let asked = |reply: &Reply| (reply.status, last(reply)["error"]["code"].as_i64());
    // Nobody knows yet what the header means.
    assert_eq!(
        asked(&modern(&sidecar, "Mcp-Param-To: ann\r\n", &arguments, None).await),
        (400, Some(-32020))
    );
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta":
        {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}});
    let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n";
    assert_eq!(post(&sidecar, headers, &list).await.status, 200);
    for (more, status) in [
        ("", 400),
        ("Mcp-Param-To: bob\r\n", 400),
        ("Mcp-Param-To: ann\r\nMcp-Param-X: y\r\n", 400),
        ("Mcp-Param-To: ann\r\n", 200),
    ] {
        assert_eq!(modern(&sidecar, more, &arguments, None).await.status, status, "{more}");
    }
    for headers in [
        "",
        "MCP-Protocol-Version: 2026-07-28\r\n",
        "MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: tools/list\r\n",
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n",
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\nMcp-Name: send\r\n",
        "MCP-Protocol-Version: 2026-07-28\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n",
    ] {
        let reply = post(&sidecar, headers, &list).await;
        assert!(reply.status == 400 && !reply.body.contains("\"result\""), "{headers} {}", reply.body);
    }
    let mut newer = list.clone();
    newer["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2027-01-01".into();
    let reply =
        post(&sidecar, "MCP-Protocol-Version: 2027-01-01\r\nMcp-Method: tools/list\r\n", &newer).await;
    assert_eq!(
        (asked(&reply), &last(&reply)["error"]["data"]["supported"][0]),
        ((400, Some(-32022)), &json!("2026-07-28"))
    );
    let mut unknown = list.clone();
    unknown["method"] = "tools/execute".into();
    let reply =
        post(&sidecar, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/execute\r\n", &unknown).await;
    assert_eq!(asked(&reply), (404, Some(-32601)));
}

#[tokio::test]
async fn of_sixteen_repeats_of_an_approved_call_one_leaves() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let arguments = json!({"to": "jenny@example.com", "text": "hello"});
    let waits = last(&client.call("send", arguments.clone()).await);
    assert!(text(&waits).starts_with("Approval needed (approval apr_"), "{waits}");
    assert_eq!(last(&client.call("send", arguments.clone()).await), waits);
    assert_eq!(calls(&server).len(), 0);
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    let many: Vec<_> = (0..16)
        .map(|id| {
            let mut message = call("send", arguments.clone());
            message["id"] = (100 + id).into();
            let request = sidecar.post(
                "/mcp/notes",
                &format!("{BOTH}{}", client.headers()),
                message.to_string().as_bytes(),
            );
            let to = sidecar.data;
            tokio::spawn(async move { send(to, &request).await })
        })
        .collect();
    for reply in many {
        let told = text(&last(&wait(reply).await.expect("no panic")));
        assert!(
            told.starts_with("sent to obl_email_") || told.starts_with("Approved and on its way"),
            "{told}"
        );
    }
    let sent = calls(&server);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains(r#""to":"jenny@example.com""#), "{sent:?}");
    assert!(text(&last(&client.call("send", arguments).await)).starts_with("sent to obl_email_"));
    assert_eq!(calls(&server).len(), 1);
    let denied = json!({"to": "ann", "text": "hello"});
    assert!(text(&last(&client.call("send", denied.clone()).await)).starts_with("Approval needed"));
    assert_eq!(approve(&sidecar, "deny").await.status, 200);
    assert!(text(&last(&client.call("send", denied).await)).starts_with("Denied"));
    assert_eq!(calls(&server).len(), 1);
}

#[tokio::test]
async fn a_call_of_a_tool_is_sealed_in_its_record_as_it_left() {
    let server = server().await;
    let folder = folder();
    let text = config(&server, "")
        .replace("key_file: approvals.key", "key_file: approvals.key\n  subjects: subjects.db");
    let (app, keys) = app(&folder, &text).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let client = Client::begin(&sidecar).await;
    let arguments = json!({"to": "jenny@example.com", "text": "hello"});
    client.call("send", arguments.clone()).await;
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    assert!(
        self::text(&last(&client.call("send", arguments.clone()).await)).starts_with("sent to obl_email_")
    );
    let record = sidecar.record(|record| record["sealed"].is_object()).await;
    let ask = async |verb: &str, body: Value| {
        let body = body.to_string();
        let request = format!(
            "POST /subjects/{verb} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer token-of-alice\r\nContent-Length: {}\r\n\r\n{body}",
            sidecar.admin,
            body.len()
        );
        let reply = send(sidecar.admin, request.as_bytes()).await;
        serde_json::from_str::<Value>(&reply.body).expect("JSON")
    };
    let said = json!({"request_id": record["request_id"], "key": record["sealed"]["key"],
        "data": record["sealed"]["data"]});
    let shown = ask("unseal", said.clone()).await;
    assert_eq!(shown["call"]["params"], json!({"name": "send", "arguments": arguments}), "{shown}");
    // It named nothing of Stripe's: the key is that of the call.
    let subject = format!("call:{}", record["request_id"].as_str().expect("it has an id"));
    assert_eq!(ask("erase", json!({"subject": subject})).await["erased"], 1);
    assert_eq!(ask("unseal", said).await["is_erased"], true);
    let sealed = sidecar.records().iter().filter(|record| record["sealed"].is_object()).count();
    assert_eq!(sealed, 1, "the call that left, and not the one that waited");
}

#[tokio::test]
async fn people_are_told_once_of_a_call_that_waits() {
    let server = server().await;
    let receiver = Upstream::start(|_| vec![Act::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())]).await;
    let folder = folder();
    let secret = format!("whsec_{}", "QUJD".repeat(8));
    std::fs::write(folder.path().join("hook.secret"), secret).expect("the folder takes files");
    let hook =
        format!("webhook: {{url: 'http://{}/hook', secret: {{file: hook.secret}}}}\n", receiver.address);
    let (app, keys) = app(&folder, &(config(&server, "") + &hook)).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let client = Client::begin(&sidecar).await;
    let arguments = json!({"to": "jenny@example.com", "text": "hello"});
    client.call("send", arguments.clone()).await;
    client.call("send", arguments).await;
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    wait(async {
        while receiver.seen().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let told = receiver.seen();
    let types = ["approval.waiting", "approval.decided"];
    for (message, kind) in told.iter().zip(types) {
        assert!(message.contains(kind) && message.contains("notes/send"), "{message}");
        assert!(!message.contains("jenny"), "{message}");
    }
}

#[tokio::test]
async fn a_request_of_the_newest_revision_is_held_until_people_have_decided() {
    let server = server().await;
    let sidecar = start(&server).await;
    let arguments = json!({"to": "jenny@example.com", "text": "hello"});
    let waits = last(&modern(&sidecar, "", &arguments, None).await);
    assert_eq!(waits["result"]["resultType"], "input_required", "{waits}");
    let state = waits["result"]["requestState"].as_str().expect("a state").to_owned();
    // Another key's it is not.
    let other = Sidecar { key: sidecar.new_key("default"), ..sidecar };
    assert_eq!(last(&modern(&other, "", &arguments, Some(&state)).await)["error"]["code"], -32602);
    let listed = other.keys.list().expect("keys");
    assert_eq!(listed.len(), 2);
    // The key that asked is the older one, which only the test has: it asks anew.
    let waits = last(&modern(&other, "", &arguments, None).await);
    let state = waits["result"]["requestState"].as_str().expect("a state").to_owned();
    let request = modern_request(&other, "", &arguments, Some(&state));
    let mut stream = TcpStream::connect(other.data).await.expect("it listens");
    stream.write_all(&request).await.expect("it listens");
    let mut heard = vec![0; 4096];
    let read = wait(stream.read(&mut heard)).await.expect("a head");
    heard.truncate(read);
    // It is held: there is a head and no answer.
    assert!(heard.windows(17).any(|window| window == b"text/event-stream"));
    assert_eq!(calls(&server).len(), 0);
    assert_eq!(approve(&other, "approve").await.status, 200);
    wait(stream.read_to_end(&mut heard)).await.expect("an answer");
    let reply = Reply::parse(&heard);
    assert_eq!(header(&reply, "content-type"), Some("text/event-stream"));
    assert!(text(&last(&reply)).starts_with("sent to obl_email_"), "{}", reply.body);
    let sent = calls(&server);
    assert_eq!(sent.len(), 1);
    assert!(
        !sent[0].contains("requestState") && sent[0].contains("io.modelcontextprotocol/protocolVersion"),
        "{sent:?}"
    );
    let head = sent[0].to_ascii_lowercase();
    assert!(head.contains("mcp-method: tools/call") && head.contains("mcp-name: send"), "{head}");
    assert!(!head.contains("mcp-session-id"), "{head}");
}

#[tokio::test]
async fn a_parameter_in_a_header_follows_the_body_that_goes_out() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    client.say(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await;
    let told = text(&last(&client.call("find", json!({})).await));
    let token = told.strip_prefix("sent to ").expect("a token");
    let arguments = json!({"to": token, "text": "hello"});
    let params = format!("Mcp-Param-To: {token}\r\n");
    let waits = last(&modern(&sidecar, &params, &arguments, None).await);
    assert_eq!(waits["result"]["resultType"], "input_required", "{waits}");
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    let reply = modern(&sidecar, &params, &arguments, None).await;
    assert!(text(&last(&reply)).starts_with("sent to obl_email_"), "{}", reply.body);
    let sent = calls(&server).pop().expect("a call").to_ascii_lowercase();
    assert!(sent.contains("mcp-param-to: jenny@example.com\r\n") && !sent.contains("obl_email"), "{sent}");
}

#[tokio::test]
async fn what_came_of_a_call_is_learnt_though_its_client_is_gone() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let arguments = json!({"to": "ann", "text": "slow"});
    client.call("send", arguments.clone()).await;
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    let request = sidecar.post(
        "/mcp/notes",
        &format!("{BOTH}{}", client.headers()),
        call("send", arguments.clone()).to_string().as_bytes(),
    );
    let mut stream = TcpStream::connect(sidecar.data).await.expect("it listens");
    stream.write_all(&request).await.expect("it listens");
    wait(async {
        while calls(&server).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(stream);
    server.release.add_permits(1);
    let record = sidecar.record(|record| record["kind"] == "tool_answer" && record["tool"] == "send").await;
    assert_eq!(record["outcome"], "completed", "{record}");
    assert_eq!(text(&last(&client.call("send", arguments).await)), "sent");
    assert_eq!(calls(&server).len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_none_leaves_a_call_unknown_and_it_is_not_made_again() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    for (count, what) in ["redirect", "unauthorized", "compressed", "another"].into_iter().enumerate() {
        let arguments = json!({"to": "ann", "text": what});
        client.call("send", arguments.clone()).await;
        assert_eq!(approve(&sidecar, "approve").await.status, 200);
        let reply = client.call("send", arguments.clone()).await;
        let error = &last(&reply)["error"];
        assert!(
            error["message"].as_str().expect("text").contains("Nobody knows what came of it"),
            "{what} {}",
            reply.body
        );
        let told = text(&last(&client.call("send", arguments).await));
        assert!(told.contains("nobody knows what came of it"), "{told}");
        assert_eq!(calls(&server).len(), count + 1, "{what}");
    }
    assert!(!server.seen().iter().any(|request| request.contains("example.com/")), "no redirect is followed");
    // A server that cannot be reached has made nothing: the approval is as it was.
    let arguments = json!({"to": "ann", "text": "hello"});
    client.call("send", arguments.clone()).await;
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    client.call("find", json!({"for": "close-after-answer"})).await;
    drop(server);
    for _ in 0..2 {
        let reply = last(&client.call("send", arguments.clone()).await);
        let told = reply["error"]["message"].as_str().unwrap_or_else(|| panic!("{reply}"));
        assert!(told.contains("nothing was sent"), "{told}");
    }
}

#[tokio::test]
async fn a_broken_stream_and_a_revoked_key_end_a_request() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let began = Instant::now();
    let request = sidecar.post(
        "/mcp/notes",
        &format!("{BOTH}{}", client.headers()),
        call("find", json!({"text": "hang"})).to_string().as_bytes(),
    );
    let to = sidecar.data;
    let hanging = tokio::spawn(async move { raw(to, &request).await });
    wait(async {
        while calls(&server).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let listed = sidecar.keys.list().expect("keys");
    sidecar.keys.revoke(&listed[0].id, std::time::SystemTime::now()).expect("it can be");
    let reply = Reply::parse(&wait(hanging).await.expect("no panic"));
    assert!(last(&reply)["error"]["code"].is_i64(), "{}", reply.body);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(client.call("find", json!({})).await.status, 401);
}

#[tokio::test]
async fn what_cannot_be_enforced_does_not_start() {
    let server = server().await;
    let folder = folder();
    let secret = ["sk_", "test_", "51Example"].concat();
    std::fs::write(folder.path().join("secret.key"), &secret).expect("the folder takes files");
    let path = folder.path().join("obelus.yaml");
    let url = format!("http://{}/x", server.address);
    for (more, wanted) in [
        (
            format!(
                "  s: {{pins: p.json, kind: stripe, url: '{url}', keys: {{default: {{file: secret.key}}}}}}\n"
            ),
            "allow_secret_key",
        ),
        (
            format!(
                "  s: {{pins: p.json, url: '{url}', tools: {{a: read}}, keys: {{default: {{file: secret.key}}}}}}\n"
            ),
            "none of Stripe's",
        ),
        (format!("  s: {{pins: p.json, kind: stripe, url: '{url}'}}\n"), "mcp.s.keys"),
        ("  s: {pins: p.json, url: 'http://example.com/mcp', tools: {a: read}}\n".to_owned(), "mcp.s.url"),
        (format!("  s: {{pins: p.json, url: '{url}?a=b', tools: {{a: read}}}}\n"), "query"),
        (
            format!(
                "  s: {{pins: p.json, url: '{url}', tools: {{a: read}}, keys: {{default: {{env: NOT_SET}}}}}}\n"
            ),
            "set the variable",
        ),
        (
            format!(
                "  s: {{pins: p.json, url: '{url}', tools: {{a: read}}, workflows: [other], keys: {{default: {{file: server.key}}}}}}\n"
            ),
            "mcp.s.keys",
        ),
        (
            "  s: {pins: p.json, tools: {a: read}, keys: {default: {file: server.key}}}\n".to_owned(),
            "only with `url`",
        ),
    ] {
        std::fs::write(&path, config(&server, &more)).expect("the folder takes files");
        let error = App::start(Some(path.clone()), Arc::new(env)).await.expect_err(&more).to_string();
        assert!(error.contains(wanted) && !error.contains(&secret), "{error}");
    }
}
