//! Profiles whose findings become hashes: under a key from a file or the environment, and not without one.

use crate::support::{HASH_KEY, Sidecar, Upstream, app, env, yaml};
use obelus_proxy::App;
use std::sync::Arc;

const TEXT: &str = "write to jenny@example.com";

/// What the upstream is told of the text.
async fn told(more: &str, key: &str) -> String {
    let upstream = Upstream::echo().await;
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("hash.key"), key).expect("the folder takes files");
    let (app, keys) = app(&folder, &yaml(upstream.address, more)).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let reply = sidecar.send(&sidecar.chat(TEXT, "")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let seen = upstream.seen().concat();
    assert!(!seen.contains("jenny") && !seen.contains("obl_"), "{seen}");
    let at = seen.find("[email:").expect("a hash");
    seen.get(at..).and_then(|rest| rest.split_inclusive(']').next()).expect("it ends").to_owned()
}

#[tokio::test]
async fn a_value_has_one_hash_under_one_key() {
    let by_file = "profiles: {default: {transform: hash, hash_key: {file: hash.key}}}\n";
    let by_env = "profiles: {default: {transform: hash, hash_key: {env: OBELUS_TEST_HASH_KEY}}}\n";
    let hash = told(by_file, &format!("{HASH_KEY}\n")).await;
    assert_eq!(told(by_env, "").await, hash);
    assert_ne!(told(by_file, &HASH_KEY.to_uppercase()).await, hash);
    // It is that of the library.
    let mut builder = obelus::Redactor::builder();
    let redactor = builder.transform(obelus::Transform::Hash).hash_key(HASH_KEY.as_bytes()).build();
    let redactor = redactor.expect("the key is long enough");
    let mut out = Vec::new();
    let mut stream = redactor.stream();
    let mut sink = obelus::WriteSink(&mut out);
    stream.push(format!("{{\"a\":\"{TEXT}\"}}").as_bytes(), &mut sink).expect("JSON");
    stream.finish(&mut sink).expect("it ends");
    assert!(String::from_utf8(out).expect("it is text").contains(&hash), "{hash}");
}

#[tokio::test]
async fn without_a_key_or_a_use_for_it_it_does_not_start() {
    let upstream = Upstream::echo().await;
    let rules = "[pack]\nname = \"own\"\nversion = \"1.0.0\"\ndescription = \"x\"\nsource = \"x\"\n[[transform]]\ncategory = \"email\"\ntransform = \"hash\"\n";
    for (more, wanted) in [
        ("{transform: hash}", "profiles.default.hash_key"),
        ("{transform: hash, hash_key: {}}", "profiles.default.hash_key"),
        ("{transform: hash, hash_key: {file: nowhere.key}}", "nowhere.key"),
        ("{transform: hash, hash_key: {file: short.key}}", "32 bytes"),
        ("{transform: hash, hash_key: {env: OBELUS_NOT_SET}}", "set the variable"),
        ("{transform: hash, hash_key: {env: PROVIDER}}", "begins with OBELUS_"),
        ("{rules: [own.toml]}", "hashes need a key"),
        ("{hash_key: {file: long.key}}", "nothing is hashed in this profile"),
    ] {
        let folder = tempfile::tempdir().expect("there is room");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("the folder takes files");
        };
        write("short.key", HASH_KEY.get(..31).unwrap_or_default());
        write("long.key", HASH_KEY);
        write("own.toml", rules);
        write("obelus.yaml", &yaml(upstream.address, &format!("profiles: {{default: {more}}}\n")));
        let path = folder.path().join("obelus.yaml");
        let error = App::start(Some(path), Arc::new(env)).await.expect_err(more);
        let text = error.to_string();
        assert!(error.is_config() && text.contains(wanted), "{more}: {text}");
        assert!(!text.contains("quartz"), "{text}");
    }
}
