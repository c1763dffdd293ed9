//! Files on their way to Stripe: bodies in parts, to the host that takes them.

use crate::gate::{config, decide, folder};
use crate::support::{Act, Reply, Sidecar, Upstream, app};
use serde_json::Value;
use sha2::{Digest, Sha256};

const CONTENT: &str = "Receipt for jenny@example.com\r\n\r\n-- paid --\n";

/// A host that takes files, and knows nothing else.
async fn files() -> Upstream {
    let body = r#"{"id":"file_1Example","object":"file","filename":"jenny@example.com.pdf","purpose":"dispute_evidence"}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Upstream::start(move |_| vec![Act::Send(answer.clone().into_bytes())]).await
}

async fn start(files: &Upstream, rules: &str, more: &str) -> Sidecar {
    let stripe = crate::gate::stripe().await;
    let folder = folder();
    let section = if rules.is_empty() {
        String::new()
    } else {
        std::fs::write(folder.path().join("files.cedar"), rules).expect("the folder takes files");
        "  rules: [files.cedar]\n".to_owned()
    };
    let more = format!("    files_url: 'http://{}'\n{more}", files.address);
    let (app, keys) = app(&folder, &config(stripe.address, &section, &more)).await;
    Sidecar::run(app, keys, folder)
}

/// A body with one file and the given fields.
fn body(boundary: &str, content: &str, fields: &[(&str, &str)]) -> String {
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Jenny Rosen.pdf\"\r\n\
         Content-Type: application/pdf\r\n\r\n{content}\r\n"
    );
    for (name, value) in fields {
        body +=
            &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body + &format!("--{boundary}--\r\n")
}

async fn send(sidecar: &Sidecar, path: &str, boundary: &str, body: &str) -> Reply {
    let media = format!("Content-Type: multipart/form-data; boundary={boundary}\r\n");
    sidecar.send(&sidecar.post(path, &media, body.as_bytes())).await
}

fn digest(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bodies that have come, byte for byte.
fn bodies(files: &Upstream) -> Vec<String> {
    let body = |request: &String| request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    files.seen().iter().filter_map(body).collect()
}

#[tokio::test]
async fn a_file_leaves_as_it_came_and_its_record_says_what_it_was() {
    let files = files().await;
    let sidecar = start(&files, "", "").await;
    let sent = body("b1", CONTENT, &[("purpose", "dispute_evidence")]);
    let reply = send(&sidecar, "/stripe/v1/files", "b1", &sent).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.contains("file_1Example") && !reply.body.contains("jenny"), "{}", reply.body);
    assert_eq!(bodies(&files), [sent]);
    let head = files.seen().concat().to_lowercase();
    assert!(head.starts_with("post /v1/files http/1.1"));
    assert!(head.contains("content-type: multipart/form-data; boundary=\"b1\""), "{head}");
    assert!(head.contains("idempotency-key: obelus-") && head.contains("authorization: bearer rk_test_"));
    let record = sidecar.record(|record| record["operation"] == "PostFiles").await;
    assert_eq!((&record["decision"], &record["risk_class"]), (&"allow".into(), &"other_mutation".into()));
    let file = &record["arguments"]["file"];
    assert_eq!(
        (&file["sha256"], &file["content_type"]),
        (&digest(CONTENT).into(), &"application/pdf".into())
    );
    assert_eq!(file["size"], CONTENT.len().to_string());
    assert!(file["filename"].as_str().is_some_and(|name| name.starts_with("obl_")), "{file}");
    let text = std::fs::read_to_string(sidecar.path("audit.jsonl")).expect("there is an audit");
    assert!(!text.contains("jenny") && !text.contains("Rosen") && !text.contains("paid"));
}

#[tokio::test]
async fn what_people_approved_of_a_file_leaves_whatever_parts_its_bodies_have() {
    let files = files().await;
    let rule =
        "@id(\"files\") @approval(\"1\") permit (principal, action == Action::\"PostFiles\", resource);";
    let sidecar = start(&files, rule, "").await;
    let fields = [("purpose", "dispute_evidence")];
    let first = body("b1", CONTENT, &fields);
    let reply = send(&sidecar, "/stripe/v1/files", "b1", &first).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let asked: Value = serde_json::from_str(&reply.body).expect("JSON");
    let id = asked["id"].as_str().expect("it has an id");
    // Clients choose another boundary each time; it is the same call.
    let again = send(&sidecar, "/stripe/v1/files", "b2", &body("b2", CONTENT, &fields)).await;
    assert!(again.status == 202 && again.body.contains(id), "{}", again.body);
    // Another file is another call.
    let other = send(&sidecar, "/stripe/v1/files", "b2", &body("b2", "other", &fields)).await;
    assert!(other.status == 202 && !other.body.contains(id), "{}", other.body);
    let decided = decide(&sidecar, "alice", id, "approve").await;
    let summary =
        &serde_json::from_str::<Value>(&decided.body).expect("JSON")["summary"]["arguments"]["file"];
    assert_eq!(summary["sha256"], digest(CONTENT), "{}", decided.body);
    assert!(!decided.body.contains("paid") && !decided.body.contains("Rosen"));
    let done = send(&sidecar, "/stripe/v1/files", "b3", &body("b3", CONTENT, &fields)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(bodies(&files), [first], "the bytes that were shown");
}

#[tokio::test]
async fn tokens_become_values_in_the_fields_that_are_named_alone() {
    let files = files().await;
    let sidecar = start(&files, "", "    restore: {PostFiles: [file_link_data.metadata.for]}\n").await;
    let uploaded = body("b1", CONTENT, &[("purpose", "dispute_evidence")]);
    let reply = send(&sidecar, "/stripe/v1/files", "b1", &uploaded).await;
    let answer: Value = serde_json::from_str(&reply.body).expect("JSON");
    let name = answer["filename"].as_str().expect("a name");
    let token = name.split(".pdf").next().unwrap_or_default();
    assert!(token.starts_with("obl_"), "{name}");
    let field = "file_link_data[metadata][for]";
    let reply =
        send(&sidecar, "/stripe/v1/files", "b1", &body("b1", CONTENT, &[(field, &format!("to {token}!"))]))
            .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let seen = bodies(&files).last().cloned().unwrap_or_default();
    assert!(!seen.contains("obl_") && seen.contains("\r\n\r\nto jenny@example.com"), "{seen}");
    let count = bodies(&files).len();
    for refused in [
        body("b1", CONTENT, &[("purpose", token)]),
        body("b1", CONTENT, &[("file_link_data[metadata][other]", token)]),
        body("b1", CONTENT, &[(&format!("file_link_data[metadata][{token}]"), "x")]),
        body("b1", &format!("a {token}"), &[]),
        body("b1", CONTENT, &[]).replace("Jenny Rosen", token),
    ] {
        let reply = send(&sidecar, "/stripe/v1/files", "b1", &refused).await;
        assert_eq!((reply.status, bodies(&files).len()), (400, count), "{}", reply.body);
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_sent_goes_nowhere() {
    let files = files().await;
    let sidecar = start(&files, "", "").await;
    let good = body("b1", CONTENT, &[("purpose", "dispute_evidence")]);
    for (path, boundary, sent, status) in [
        ("/stripe/v1/files", "b2", good.clone(), 403),
        ("/stripe/v1/files", "b1; charset=x", good.clone(), 415),
        ("/stripe/v1/files", "b1", good.replace("--b1--\r\n", ""), 403),
        ("/stripe/v1/files", "b1", format!("x{good}"), 403),
        ("/stripe/v1/files", "b1", good.replace("purpose", "file"), 403),
        (
            "/stripe/v1/files",
            "b1",
            [good.trim_end_matches("--\r\n"), good.get(4..).unwrap_or_default()].concat(),
            403,
        ),
        ("/stripe/v1/customers", "b1", good.clone(), 403),
    ] {
        let reply = send(&sidecar, path, boundary, &sent).await;
        assert_eq!(reply.status, status, "{path} {boundary}: {}", reply.body);
        assert!(!reply.body.contains("jenny") && !reply.body.contains("Rosen"));
    }
    let pdf = sidecar.post("/stripe/v1/quotes/qt_1Example/pdf", "", b"");
    let pdf = String::from_utf8(pdf).expect("a request").replacen("POST", "GET", 1);
    let reply = sidecar.send(pdf.as_bytes()).await;
    assert!(reply.status == 403 && reply.body.contains("a document"), "{}", reply.body);
    assert!(files.seen().is_empty());
}

#[tokio::test]
async fn without_a_host_that_takes_files_they_are_refused() {
    let stripe = crate::gate::stripe().await;
    let folder = folder();
    let (app, keys) = app(&folder, &config(stripe.address, "", "")).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let reply = send(&sidecar, "/stripe/v1/files", "b1", &body("b1", CONTENT, &[])).await;
    assert!(reply.status == 403 && reply.body.contains("gate.stripe.files_url"), "{}", reply.body);
    assert!(stripe.seen().is_empty());
}

#[tokio::test]
async fn a_sealed_record_holds_what_can_be_said_of_a_file() {
    let files = files().await;
    let stripe = crate::gate::stripe().await;
    let folder = folder();
    let more = format!("    files_url: 'http://{}'\n", files.address);
    let text = config(stripe.address, "  subjects: subjects.db\n", &more);
    let (app, keys) = app(&folder, &text).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let sent = body("b1", CONTENT, &[("purpose", "dispute_evidence")]);
    assert_eq!(send(&sidecar, "/stripe/v1/files", "b1", &sent).await.status, 200);
    let said = crate::gate::sealed(&sidecar, "PostFiles").await;
    let reply =
        crate::gate::desk(&sidecar, "token-of-bob", "POST", "/subjects/unseal", &said.to_string()).await;
    assert!(
        reply.body.contains(&digest(CONTENT)) && reply.body.contains("Jenny Rosen.pdf"),
        "{}",
        reply.body
    );
    assert!(!reply.body.contains("paid"), "{}", reply.body);
}
