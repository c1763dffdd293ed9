//! Sidecars that share a key and nothing else: what one has made, the other opens.

use crate::support::{Sidecar, Upstream, app, yaml};
use obelus_vault::KeyRequest;
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

/// A sidecar with a state of its own and this key.
async fn start(upstream: &Upstream, key: &str, more: &str) -> Sidecar {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("vault.key");
    std::fs::write(&path, key).expect("the folder takes files");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    let (app, keys) = app(&folder, &yaml(upstream.address, &format!("tokens: sealed\n{more}"))).await;
    let mut sidecar = Sidecar::run(app, keys, folder);
    // Of one tenant, whose name both know.
    let request = KeyRequest {
        workflow: "default".to_owned(),
        tenant: Some("shop".to_owned()),
        ..KeyRequest::default()
    };
    let made = sidecar.keys.create(&request, SystemTime::now()).expect("the store takes keys");
    sidecar.key = made.reveal().to_owned();
    sidecar
}

/// What the upstream was told in the last request, and what the client got of it.
async fn said(sidecar: &Sidecar, upstream: &Upstream, text: &str) -> (String, String) {
    let reply = sidecar.send(&sidecar.chat(text, "")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let request = upstream.seen().last().cloned().unwrap_or_default();
    let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let content = |json: &str, path: &str| {
        let json: Value = serde_json::from_str(json).expect("JSON");
        json.pointer(path).and_then(Value::as_str).expect("a text").to_owned()
    };
    (content(body, "/messages/0/content"), content(&reply.body, "/choices/0/message/content"))
}

#[tokio::test]
async fn a_token_of_one_sidecar_is_opened_by_the_other() {
    let upstream = Upstream::echo().await;
    let one = start(&upstream, &"07".repeat(32), "").await;
    let two = start(&upstream, &"07".repeat(32), "").await;
    let (told, got) = said(&one, &upstream, "write to jenny@example.com").await;
    assert_eq!(got, "write to jenny@example.com");
    let token = told.strip_prefix("write to ").expect("the words stay");
    assert!(token.starts_with("obl_email_z") && !told.contains("jenny"), "{told}");
    // The history comes to the other one, which has never seen the value.
    let (again, got) = said(&two, &upstream, &format!("again: {token}")).await;
    assert_eq!(
        (again.as_str(), got.as_str()),
        (format!("again: {token}").as_str(), "again: jenny@example.com")
    );
    // The same value is the same bytes there, so that what a provider has cached counts.
    assert_eq!(said(&two, &upstream, "write to jenny@example.com").await.0, told);
    for sidecar in [&one, &two] {
        let file = rusqlite::Connection::open(sidecar.path("state.db")).expect("it opens");
        let count: i64 =
            file.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0)).expect("the table is there");
        assert_eq!(count, 0, "nothing is kept");
    }
    // With another key it is text like any other, and comes back as it was.
    let other = start(&upstream, &"08".repeat(32), "").await;
    let (told, got) = said(&other, &upstream, &format!("again: {token}")).await;
    assert!(told.starts_with("again: obl_token_like_") && !told.contains(token), "{told}");
    assert_eq!(got, format!("again: {token}"));
}

#[tokio::test]
async fn a_token_of_another_session_stays_closed() {
    let upstream = Upstream::echo().await;
    let more = "workflows: {default: {upstreams: [openai], session_header: x-chat}}\n";
    let sidecar = start(&upstream, &"07".repeat(32), more).await;
    let ask = async |session: &str, text: &str| {
        sidecar.send(&sidecar.chat(text, &format!("X-Chat: {session}\r\n"))).await
    };
    assert_eq!(ask("a", "write to jenny@example.com").await.status, 200);
    let seen = upstream.seen().concat();
    let (_, letters) = seen.split_once("obl_email_").expect("a token");
    let letters: String = letters.chars().take_while(char::is_ascii_lowercase).collect();
    let token = format!("obl_email_{letters}");
    assert!(letters.starts_with('z'), "{token}");
    assert!(ask("a", &token).await.body.contains("jenny@example.com"));
    let reply = ask("b", &token).await;
    assert!(reply.status == 200 && !reply.body.contains("jenny"), "{}", reply.body);
}
