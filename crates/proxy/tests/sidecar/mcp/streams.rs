//! Streams that a server breaks off and goes on with, questions of the gateway's in a stream, and what requests say around
//! their messages.

use super::*;

/// A server that answers in the second stream that goes on with the one of the call, if it keeps what it has said.
async fn server_that_breaks_off() -> Upstream {
    Upstream::start(|request| {
        let (head, body) = request.split_once("\r\n\r\n").expect("a request");
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {
            "progressToken": 1, "progress": 1, "message": "looking for jenny@example.com"}});
        if head.starts_with("GET ") {
            let head = head.to_ascii_lowercase();
            let after = head.lines().find_map(|line| line.strip_prefix("last-event-id: "));
            let (verb, id) = after.unwrap_or("tell-0").split_once('-').expect("an id of ours");
            let id: u64 = id.parse().expect("a number");
            return match verb {
                "poll" => vec![Act::Send(stream(&format!("again-{id}"), Some(&progress)))],
                "again" => {
                    let result = json!({"content": [{"type": "text", "text": "sent to jenny@example.com"}]});
                    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
                    vec![Act::Send(stream("last-0", Some(&answer)))]
                }
                "tell" if id < 2 => vec![Act::Send(stream(&format!("tell-{}", id + 1), Some(&progress)))],
                "tell" => {
                    vec![Act::Send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec())]
                }
                _ => {
                    vec![Act::Send(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n".to_vec())]
                }
            };
        }
        match body["method"].as_str() {
            Some("initialize") => {
                let result = json!({"protocolVersion": "2025-11-25", "capabilities": {},
                    "serverInfo": {"name": "s", "version": "1"}});
                let answer = json!({"jsonrpc": "2.0", "id": body["id"], "result": result});
                whole("200 OK", "Mcp-Session-Id: of-the-server\r\n", &answer)
            }
            Some("tools/call") => {
                let verb = body["params"]["arguments"]["text"].as_str().unwrap_or("poll");
                vec![Act::Send(stream(&format!("{verb}-{}", body["id"]), None))]
            }
            Some("ping") => whole("200 OK", "", &json!({"jsonrpc": "2.0", "id": body["id"], "result": {}})),
            _ => vec![Act::Send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec())],
        }
    })
    .await
}

/// A stream that names an event, perhaps says something in it, and ends.
fn stream(id: &str, message: Option<&Value>) -> Vec<u8> {
    let id = if id.starts_with("nothing") { String::new() } else { format!("id: {id}\n") };
    let said = message.map(Value::to_string).unwrap_or_default();
    let body = format!("retry: 60\n{id}data: {said}\n\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
    .into_bytes()
}

/// What came after which event the server was asked for.
fn asked_after(server: &Upstream) -> Vec<String> {
    let gets = server.seen().into_iter().filter(|request| request.starts_with("GET "));
    gets.map(|request| {
        let head = request.to_ascii_lowercase();
        assert!(head.contains(&format!("authorization: bearer {SERVER_KEY}")), "{head}");
        assert!(head.contains("mcp-session-id: of-the-server"), "{head}");
        head.lines().find_map(|line| line.strip_prefix("last-event-id: ")).unwrap_or_default().to_owned()
    })
    .collect()
}

#[tokio::test]
async fn a_stream_that_the_server_breaks_off_is_gone_on_with() {
    let server = server_that_breaks_off().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let arguments = json!({"to": "ann", "text": "poll"});
    client.call("send", arguments.clone()).await;
    assert_eq!(approve(&sidecar, "approve").await.status, 200);
    let began = Instant::now();
    let reply = client.call("send", arguments).await;
    let told = messages(&reply);
    assert_eq!(told.len(), 2, "{}", reply.body);
    assert!(text(&told[1]).starts_with("sent to obl_email_") && told[1]["id"] == 5, "{}", reply.body);
    assert!(!reply.body.contains("jenny") && !reply.body.contains("id:"), "{}", reply.body);
    assert_eq!(asked_after(&server), ["poll-5", "again-5"]);
    assert!(began.elapsed() >= Duration::from_millis(120), "the server says how long to wait");
    let record = sidecar.record(|record| record["kind"] == "tool_answer" && record["tool"] == "send").await;
    assert_eq!(record["outcome"], "completed", "{record}");
    // What nobody keeps cannot be gone on with.
    for (what, after) in [("gone", Some("gone-5")), ("nothing", None)] {
        let reply = client.call("find", json!({"text": what})).await;
        let error = last(&reply)["error"]["message"].as_str().expect("an error").to_owned();
        assert!(error.contains("Nobody knows what came of it"), "{error}");
        assert_eq!(asked_after(&server).get(2).map(String::as_str), after.or(Some("gone-5")), "{what}");
    }
    assert_eq!(asked_after(&server).len(), 3);
}

#[tokio::test]
async fn a_stream_of_what_the_server_tells_by_itself_is_gone_on_with() {
    let server = server_that_breaks_off().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let request = format!(
        "GET /mcp/notes HTTP/1.1\r\nHost: s\r\nAccept: text/event-stream\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{}\r\n",
        sidecar.key,
        client.headers()
    );
    let reply = sidecar.send(request.as_bytes()).await;
    assert_eq!((reply.status, messages(&reply).len()), (200, 2), "{}", reply.body);
    assert!(reply.body.contains("obl_email_") && !reply.body.contains("jenny"), "{}", reply.body);
    assert_eq!(asked_after(&server), ["", "tell-1", "tell-2"]);
}

#[tokio::test]
async fn an_older_revision_may_name_another_older_one() {
    let server = server_that_breaks_off().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (revision, status, code) in [
        ("2025-06-18", 200, None),
        ("2025-03-26", 200, None),
        ("2024-11-05", 200, None),
        ("2099-01-01", 400, Some(-32022)),
        ("2025-06-18, 2025-11-25", 400, Some(-32022)),
        ("2026-07-28", 400, Some(-32020)),
    ] {
        let before = server.seen().len();
        let headers = format!("Mcp-Session-Id: {}\r\nMCP-Protocol-Version: {revision}\r\n", client.session);
        let reply = post(&sidecar, &headers, &ping).await;
        assert_eq!((reply.status, last(&reply)["error"]["code"].as_i64()), (status, code), "{revision}");
        match code {
            None => {
                let sent = server.seen().pop().expect("a request").to_ascii_lowercase();
                assert!(sent.contains(&format!("mcp-protocol-version: {revision}\r\n")), "{sent}");
            }
            Some(_) => assert_eq!(server.seen().len(), before, "{revision}"),
        }
    }
    // What says in its body that it is of the newest revision is none of an older session.
    let mut newest = ping.clone();
    newest["params"] = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
    assert_eq!(post(&sidecar, &client.headers(), &newest).await.status, 400);
}

#[tokio::test]
async fn records_name_the_trace_of_a_request() {
    let server = server().await;
    let sidecar = start(&server).await;
    let client = Client::begin(&sidecar).await;
    let trace = |digit: &str| format!("00-{}-00f067aa0ba902b7-01", digit.repeat(32));
    let (around, within) = (trace("a"), trace("b"));
    // What the message says of itself counts before what its carrier does; what is none of both is nothing.
    for (header, meta, wanted) in [
        (Some(&around), None, Some(&around)),
        (Some(&around), Some(json!(within)), Some(&within)),
        (Some(&around), Some(json!("jenny@example.com")), Some(&around)),
        (None, Some(json!(within)), Some(&within)),
        (None, Some(json!(format!("00-{}-4242424242424242-01", "4242".repeat(8)))), None),
        (None, Some(json!(trace("0"))), None),
        (None, Some(json!(7)), None),
        (None, None, None),
    ] {
        let before = sidecar.records().len();
        let mut message = call("find", json!({}));
        if let Some(meta) = &meta {
            message["params"]["_meta"] = json!({"traceparent": meta});
        }
        let header = header.map(|header| format!("traceparent: {header}\r\n")).unwrap_or_default();
        let reply = post(&sidecar, &(client.headers() + &header), &message).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let is_new = |record: &Value| record["seq"].as_u64() > Some(before as u64);
        let answer = sidecar
            .record(|record| record["kind"] == "tool_answer" && record["tool"] == "find" && is_new(record))
            .await;
        let records = sidecar.records();
        let asked = records.iter().find(|record| record["request_id"] == answer["request_id"]);
        for record in [&answer, asked.expect("it was decided before")] {
            assert_eq!(record["traceparent"].as_str(), wanted.map(String::as_str), "{meta:?} {record}");
        }
    }
    let sent = calls(&server);
    assert!(sent.iter().all(|request| !request.to_ascii_lowercase().contains("\r\ntraceparent")), "{sent:?}");
    assert!(sent.iter().any(|request| request.contains(&within)), "the body says what it said");
    // What is refused is a part of it, too.
    let refused = post(
        &sidecar,
        &format!("{}traceparent: {around}\r\nMcp-Name: x\r\n", client.headers()),
        &call("find", json!({})),
    )
    .await;
    assert_eq!(refused.status, 400);
    let record = sidecar.record(|record| record["reason"] == "header").await;
    assert_eq!(record["traceparent"], around);
}

/// The next event of a stream that is open.
async fn next_event(stream: &mut TcpStream, heard: &mut String) -> Value {
    loop {
        // What chunks begin with stands on lines of its own.
        let line = heard.split_once("data: ").and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((text, rest)) = line {
            let event = serde_json::from_str(text).expect("JSON");
            *heard = rest.to_owned();
            return event;
        }
        let mut piece = [0; 4096];
        let read = wait(stream.read(&mut piece)).await.expect("bytes");
        assert_ne!(read, 0, "{heard}");
        *heard += std::str::from_utf8(&piece[..read]).expect("text");
    }
}

#[tokio::test]
async fn whoever_sits_at_an_older_client_is_asked_in_the_stream_of_the_call() {
    let server = server().await;
    let sidecar = start(&server).await;
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {"elicitation": {"form": {}}}, "clientInfo": {"name": "c", "version": "1"}}});
    let session = header(&post(&sidecar, "", &hello).await, "mcp-session-id").expect("a session").to_owned();
    let client = Client { sidecar: &sidecar, session };
    for (action, verb, wanted) in [
        ("accept", Some("approve"), "sent to obl_email_"),
        ("decline", None, "Taken back"),
        ("cancel", None, "Approval needed"),
    ] {
        let before = calls(&server).len();
        let message = call("send", json!({"to": "jenny@example.com", "text": action}));
        let request = sidecar.post(
            "/mcp/notes",
            &format!("{BOTH}{}", client.headers()),
            message.to_string().as_bytes(),
        );
        let mut stream = TcpStream::connect(sidecar.data).await.expect("it listens");
        stream.write_all(&request).await.expect("it listens");
        let mut heard = String::new();
        let ask = next_event(&mut stream, &mut heard).await;
        assert_eq!(ask["method"], "elicitation/create", "{ask}");
        let text = ask["params"]["message"].as_str().expect("text");
        assert!(text.contains("obl_email_") && !text.contains("jenny"), "{text}");
        let answer = json!({"jsonrpc": "2.0", "id": ask["id"], "result": {"action": action}});
        // Another session's client does not answer for it, whatever it says.
        let other = Client::begin(&sidecar).await;
        for foreign in ["accept", "decline", "cancel"] {
            let answer = json!({"jsonrpc": "2.0", "id": ask["id"], "result": {"action": foreign}});
            assert_eq!(other.say(&answer).await.status, 202);
        }
        let reply = client.say(&answer).await;
        assert_eq!((reply.status, reply.body.as_str()), (202, ""));
        assert_eq!(calls(&server).len(), before, "it approves nothing");
        if let Some(verb) = verb {
            assert_eq!(approve(&sidecar, verb).await.status, 200);
        }
        let mut told = next_event(&mut stream, &mut heard).await;
        if told["method"] == "notifications/progress" {
            told = next_event(&mut stream, &mut heard).await;
        }
        assert!(super::text(&told).starts_with(wanted), "{told}");
    }
    assert!(!server.seen().iter().any(|request| request.contains("obelus-asks")));
}
