use crate::client::send;
use crate::{VERSION, post, start};
use obelus_demo::{Options, Provider};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};

#[test]
fn vectors_come_as_numbers_and_as_base64() {
    let provider = start();
    let mut body = json!({"model": "stub-small", "input": ["one", "two"], "dimensions": 3});
    let numbers = post(&provider, "/v1/embeddings", &body).json();
    assert_eq!(numbers["data"][1]["index"], 1);
    let vector = numbers["data"][0]["embedding"].as_array().expect("a list");
    assert!(vector.len() == 3 && vector.iter().all(|number| number.as_f64().is_some_and(|n| n.abs() <= 1.0)));
    body["encoding_format"] = json!("base64");
    let coded = post(&provider, "/v1/embeddings", &body).json();
    assert_eq!(coded["data"][0]["embedding"].as_str().map(str::len), Some(16));
    assert_ne!(coded["data"][0]["embedding"], coded["data"][1]["embedding"]);
    body["dimensions"] = json!(0);
    assert_eq!(post(&provider, "/v1/embeddings", &body).status, 400);
}

#[test]
fn models_have_the_form_that_is_asked_for() {
    let provider = start();
    let of_one =
        |headers: &[(&str, &str)], path: &str| send(provider.address(), "GET", path, headers, "").json();
    assert_eq!(of_one(&[], "/v1/models")["object"], "list");
    assert_eq!(of_one(&[VERSION], "/v1/models")["has_more"], false);
    assert_eq!(of_one(&[], "/v1/models/stub-large")["owned_by"], "system");
    assert_eq!(of_one(&[VERSION], "/v1/models/stub-large")["type"], "model");
    assert_eq!(of_one(&[], "/v1/models/other")["error"]["type"], "invalid_request_error");
    assert_eq!(of_one(&[VERSION], "/v1/models/other")["error"]["type"], "not_found_error");
}

#[test]
fn what_is_wrong_is_refused() {
    let provider = start();
    let to = provider.address();
    let ask = json!({"model": "stub-small", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]})
        .to_string();
    for (method, path, headers, body, status) in [
        ("POST", "/v1/other", &[][..], ask.as_str(), 404),
        ("GET", "/v1/messages", &[VERSION][..], "", 404),
        ("DELETE", "/v1/chat/completions", &[][..], "", 404),
        ("POST", "/v1/messages", &[][..], ask.as_str(), 400),
        ("POST", "/v1/messages", &[VERSION][..], "{", 400),
        ("POST", "/v1/messages", &[VERSION][..], r#"{"model":"stub-small"}"#, 400),
        ("POST", "/v1/chat/completions", &[][..], r#"{"model":"stub-small","messages":[]}"#, 400),
        ("POST", "/v1/chat/completions", &[("content-encoding", "gzip")][..], ask.as_str(), 415),
        ("POST", "/v1/responses", &[][..], "[]", 400),
    ] {
        let mut reply = send(to, method, path, headers, body);
        assert_eq!(reply.status, status, "{method} {path} {body}");
        let said = reply.json();
        assert!(said["error"]["message"].is_string(), "{method} {path} {body}");
        assert_eq!(said["type"] == "error", path == "/v1/messages", "{method} {path} {body}");
    }
}

#[test]
fn errors_quote_the_text() {
    let provider = start();
    let body = json!({"model": "stub-small", "stream": true, "input": "f@example.com [[error:429]]"});
    let mut reply = send(provider.address(), "POST", "/v1/responses", &[], &body.to_string());
    assert_eq!(reply.status, 429);
    assert!(reply.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!(reply.json()["error"]["message"], "The model did not answer to: f@example.com");
}

#[test]
fn a_key_is_asked_for() {
    let options = Options { key: Some("stub-key".to_owned()), ..Options::default() };
    let provider = Provider::start(options).expect("the provider starts");
    for (headers, status) in [
        (&[][..], 401),
        (&[("authorization", "Bearer other")][..], 401),
        (&[("authorization", "Bearer stub-key")][..], 200),
        (&[("x-api-key", "stub-key")][..], 200),
    ] {
        assert_eq!(send(provider.address(), "GET", "/v1/models", headers, "").status, status, "{headers:?}");
    }
}

#[test]
fn requests_are_recorded_up_to_a_limit() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = Options { recorded_max: 2, admin_address: Some(any), ..Options::default() };
    let provider = Provider::start(options).expect("the provider starts");
    for at in 0..3 {
        let body = json!({"model": "stub-small", "input": format!("Number {at}")});
        assert_eq!(post(&provider, "/v1/responses?a=b", &body).status, 200);
    }
    let seen = provider.seen();
    let texts: Vec<bool> = seen.iter().map(|one| one.text().expect("text").contains("Number 0")).collect();
    assert_eq!(texts, [false, false]);
    assert_eq!((seen[1].method.as_str(), seen[1].path.as_str()), ("POST", "/v1/responses?a=b"));
    assert_eq!(seen[1].header("anthropic-version"), Some(VERSION.1));
    assert!(!format!("{seen:?}{provider:?}").contains("Number"));

    let admin = provider.admin_address().expect("it was asked for");
    let told: Value = send(admin, "GET", "/seen", &[], "").json();
    assert_eq!(told.as_array().map(Vec::len), Some(2));
    assert!(told[1]["body"].as_str().expect("text").contains("Number 2"));
    assert_eq!(send(admin, "POST", "/forget", &[], "").status, 200);
    assert_eq!(send(admin, "GET", "/other", &[], "").status, 404);
    assert!(provider.seen().is_empty());
    assert_eq!(send(provider.address(), "GET", "/seen", &[], "").status, 404);
}

#[test]
fn the_provider_stays_at_home_and_stops() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let refused = Provider::start(Options { address: everywhere, ..Options::default() });
    assert!(refused.is_err_and(|error| error.to_string().contains("is not loopback")));
    let provider = start();
    let address = provider.address();
    drop(provider);
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// Tests of asynchronous code hold a provider inside their own runtime.
#[test]
fn the_provider_lives_inside_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let address = runtime.block_on(async {
        let provider = start();
        assert_eq!(send(provider.address(), "GET", "/v1/models", &[], "").status, 200);
        provider.address()
    });
    assert!(std::net::TcpStream::connect(address).is_err());
}
