//! The sidecar and its keys, as they are run.

use crate::support::{folder, json_lines, obelus, run};
use obelus_proxy::Config;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CONFIG: &str = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {file: vault.key}\n\
                      audit: {path: audit.jsonl}\nworkflows:\n  support: {models: ['gpt-*']}\n";

/// Keys as they are listed.
fn keys(folder: &Path) -> Vec<Value> {
    let run = run(folder, &["keys", "list", "--json", "-c", "obelus.yaml"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn keys_are_made_listed_rotated_and_revoked() {
    let folder = folder(&[("obelus.yaml", CONFIG)]);
    let folder = folder.path();
    let made = run(
        folder,
        &[
            "keys",
            "create",
            "-c",
            "obelus.yaml",
            "--workflow",
            "support",
            "--expires",
            "30d",
            "--name",
            "desk",
        ],
    );
    assert!(made.code == Some(0) && made.out.starts_with("vk_") && made.out.lines().count() == 1, "{made:?}");
    let listed = keys(folder);
    assert_eq!(listed.len(), 1);
    let id = listed[0]["id"].as_str().unwrap();
    assert!(made.out.contains(id));
    assert_eq!((&listed[0]["state"], &listed[0]["workflow"]), (&"active".into(), &"support".into()));
    assert_eq!(listed[0]["name"], "desk");
    assert!(listed[0]["expires"].as_str().unwrap() > listed[0]["created"].as_str().unwrap());

    let rotated = run(folder, &["keys", "rotate", id, "--overlap", "0s", "-c", "obelus.yaml"]);
    assert!(
        rotated.code == Some(0) && rotated.out.starts_with("vk_") && rotated.out != made.out,
        "{rotated:?}"
    );
    let listed = keys(folder);
    let states: Vec<_> = listed.iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["expired", "active"]);
    assert_eq!(listed[1]["replaces"], id);

    let second = listed[1]["id"].as_str().unwrap();
    assert_eq!(run(folder, &["keys", "revoke", second, "-c", "obelus.yaml"]).code, Some(0));
    assert_eq!(keys(folder)[1]["state"], "revoked");
    let table = run(folder, &["keys", "list", "-c", "obelus.yaml"]).out;
    assert!(table.lines().count() == 2 && table.contains("revoked"), "{table}");
    let secret = made.out.trim_end().rsplit('_').nth(1).unwrap();
    assert!(!table.contains(secret), "lists hold no secrets");
}

#[test]
fn what_cannot_be_done_to_keys_is_told() {
    let folder = folder(&[("obelus.yaml", CONFIG)]);
    for (args, word) in [
        (&["keys", "create", "--workflow", "other"][..], "support"),
        (&["keys", "create", "--workflow", "support", "--expires", "soon"], "12h"),
        (&["keys", "revoke", "nonsense"], "keys list"),
        (&["keys", "revoke", "00000000"], "keys list"),
        (&["keys", "rotate", "00000000"], "keys list"),
    ] {
        let run = run(folder.path(), &[args, &["-c", "obelus.yaml"]].concat());
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?} {}", run.err);
        assert!(run.err.contains(word), "{args:?}: {}", run.err);
    }
}

#[test]
fn a_configuration_that_is_wrong_exits_with_two_and_names_the_place() {
    let folder = folder(&[("obelus.yaml", "listen: 127.0.0.1:0\nlimits: {body_byte: 1}\n")]);
    for args in [&["serve"][..], &["keys", "list"]] {
        let run = run(folder.path(), &[args, &["-c", "obelus.yaml"]].concat());
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(run.err.contains("obelus.yaml") && run.err.contains("line 2"), "{}", run.err);
        assert!(run.err.contains("body_byte") && run.err.lines().count() == 1, "{}", run.err);
    }
    assert_eq!(run(folder.path(), &["serve", "-c", "missing.yaml"]).code, Some(2));
}

#[test]
fn the_schema_of_the_configuration_is_json() {
    let run = run(Path::new("."), &["config", "schema"]);
    let schema: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &schema["additionalProperties"]), (Some(0), &false.into()));
}

/// A sidecar that serves; killed if the test ends before it does.
pub(crate) struct Serving {
    pub(crate) child: Child,
    /// What it logged before it served.
    pub(crate) notes: Vec<Value>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

impl Serving {
    pub(crate) fn start(mut command: Command) -> Serving {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut serving = Serving { child, notes: Vec::new() };
        let mut log = BufReader::new(serving.child.stderr.as_mut().unwrap());
        while serving.notes.last().is_none_or(|note: &Value| note["message"] != "serving") {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {:?}", serving.notes);
            serving.notes.push(serde_json::from_str(&line).unwrap());
        }
        serving
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// What the data listener answers.
    pub(crate) fn ask(&self, request: &str) -> String {
        let address = self.notes.last().unwrap()["data"].as_str().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn the_sidecar_serves_without_a_file_and_ends_when_told() {
    let home = folder(&[]);
    let mut command = obelus(home.path(), &["serve"]);
    command.env_clear().env("HOME", home.path());
    if TcpStream::connect("127.0.0.1:8787").is_ok() || TcpStream::connect("127.0.0.1:8788").is_ok() {
        // Whoever runs this has something on the default ports: then the sidecar must say so.
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("127.0.0.1:878"));
        return;
    }
    let mut serving = Serving::start(command);
    let notes: Vec<&str> = serving.notes.iter().filter_map(|note| note["message"].as_str()).collect();
    let notes = notes.join("\n");
    for word in [
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "obelus keys create --workflow default",
        "body 33554432",
        "300s",
    ] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let state = home.path().join(".local/state/obelus");
    for name in ["state.db", "vault.key", "audit.jsonl"] {
        assert!(state.join(name).is_file(), "{name}");
    }
}

#[test]
fn keys_that_the_program_makes_and_revokes_hold_at_once() {
    let folder = folder(&[("obelus.yaml", CONFIG)]);
    let mut command = obelus(folder.path(), &["serve", "-c", "obelus.yaml"]);
    command.env("OPENAI_API_KEY", "provider").env_remove("ANTHROPIC_API_KEY");
    let mut serving = Serving::start(command);
    let key = run(folder.path(), &["keys", "create", "-c", "obelus.yaml", "--workflow", "support"]).out;
    let body = r#"{"model":"claude-1","messages":[]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        key.trim_end(),
        body.len()
    );
    // The model is not allowed, so nothing leaves this machine.
    assert!(serving.ask(&request).starts_with("HTTP/1.1 403 "));
    let listed = keys(folder.path());
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(run(folder.path(), &["keys", "revoke", id, "-c", "obelus.yaml"]).code, Some(0));
    assert!(serving.ask(&request).starts_with("HTTP/1.1 401 "));
    // A wrong configuration changes nothing.
    fs::write(folder.path().join("obelus.yaml"), "nonsense: 1\n").unwrap();
    serving.signal("-HUP");
    let mut log = BufReader::new(serving.child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("configuration kept as it was")));
    assert!(serving.ask(&request).starts_with("HTTP/1.1 401 "));
    serving.signal("-TERM");
    assert!(log.any(|line| line.unwrap().contains("every request was finished")));
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

/// Somebody who may decide, as the program makes them: the token, and the entry of the configuration.
pub(crate) fn approver(folder: &Path, name: &str) -> (String, String) {
    let made = run(folder, &["approvals", "token", name]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let (token, entry) = made.out.trim_end().split_once('\n').unwrap();
    (token.to_owned(), entry.to_owned())
}

#[test]
fn calls_that_wait_are_decided_by_the_program_and_outlive_a_killed_sidecar() {
    let folder = folder(&[("stripe.key", &["rk", "_test_", "51Example0Example0"].concat())]);
    let folder = folder.path();
    let ((token, alice), (_, bob)) = (approver(folder, "alice"), approver(folder, "bob"));
    // Nobody listens there: what leaves cannot have been executed.
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\n\
         audit: {{path: audit.jsonl}}\ngate:\n  approvals: approvals.db\n  totals: totals.db\n  key_file: approvals.key\n  \
         subjects: subjects.db\n  approvers: {{{alice}, {bob}}}\n  stripe: {{url: 'http://127.0.0.1:9', keys: {{default: {{file: stripe.key}}}}}}\n"
    );
    fs::write(folder.join("obelus.yaml"), text).unwrap();
    let serve = || Serving::start(obelus(folder, &["serve", "-c", "obelus.yaml"]));
    let key = run(folder, &["keys", "create", "-c", "obelus.yaml"]).out;
    let body = "charge=ch_1&amount=500&metadata[memo]=%E2%80%AE";
    let request = format!(
        "POST /stripe/v1/refunds HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        key.trim_end(),
        body.len()
    );
    let mut serving = serve();
    let asked = serving.ask(&request);
    assert!(asked.starts_with("HTTP/1.1 202 "), "{asked}");
    let tell = |serving: &Serving, args: &[&str], token: &str| {
        let admin = serving.notes.last().unwrap()["admin"].as_str().unwrap();
        let mut command = obelus(folder, &[args, &["--admin", admin]].concat());
        let output = command.env("OBELUS_APPROVER_TOKEN", token).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let decide = |serving: &Serving, args: &[&str], token: &str| {
        tell(serving, &[&["approvals"], args].concat(), token)
    };
    let (code, listed, _) = decide(&serving, &["list"], &token);
    let id = listed.split(' ').next().unwrap().to_owned();
    assert!(code == Some(0) && id.starts_with("apr_") && listed.contains("PostRefunds"), "{listed}");
    // Killed, not told: what waits is kept.
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    let mut serving = serve();
    assert!(serving.ask(&request).contains(&id));
    let (code, shown, _) = decide(&serving, &["show", &id], &token);
    assert!(code == Some(0) && shown.contains("argument          metadata.memo"), "{shown}");
    let (code, _, error) = decide(&serving, &["approve", &id], "oba_nobody");
    assert!(code == Some(1) && error.contains("no approver has this token"), "{error}");
    let (code, shown, error) = decide(&serving, &["approve", &id], &token);
    assert!(code == Some(0) && shown.contains("PostRefunds"), "{shown} {error}");
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    let mut serving = serve();
    // It cannot leave, so the approval is as it was.
    assert!(serving.ask(&request).starts_with("HTTP/1.1 502 "));
    let (_, listed, _) = decide(&serving, &["list", "--json"], &token);
    let approval: Value = serde_json::from_str(listed.trim_end()).unwrap();
    assert_eq!((&approval["state"], &approval["attempts"]), (&"approved".into(), &0.into()));
    // What was to leave stands sealed in its record, until its key is erased.
    let records = json_lines(&fs::read_to_string(folder.join("audit.jsonl")).unwrap());
    let sealed = records.iter().find(|record| record["sealed"].is_object()).unwrap();
    let seq = sealed["seq"].to_string();
    let unseal = ["audit", "unseal", "audit.jsonl", "--seq", &seq];
    let (code, shown, error) = tell(&serving, &unseal, &token);
    let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
    assert_eq!((code, &shown["body"]), (Some(0), &body.into()), "{error}");
    let (code, _, error) = tell(&serving, &["audit", "unseal", "audit.jsonl", "--seq", "1"], &token);
    assert!(code == Some(1) && error.contains("record 1: it holds nothing sealed"), "{error}");
    let erase = ["audit", "erase", "--subject", "ch_1"];
    let (code, said, error) = tell(&serving, &erase, &token);
    assert!(code == Some(0) && said.contains("ch_1: the key is erased"), "{said} {error}");
    assert!(tell(&serving, &erase, &token).1.contains("there was no key"));
    let (code, _, error) = tell(&serving, &unseal, &token);
    assert!(code == Some(1) && error.contains("its key was erased"), "{error}");
    assert_eq!(decide(&serving, &["deny", &id], &token).0, Some(0));
    assert!(serving.ask(&request).starts_with("HTTP/1.1 403 "));
    assert_eq!(decide(&serving, &["list"], &token).1, "");
    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let (code, _, error) = decide(&serving, &["list"], &token);
    assert!(code == Some(1) && error.contains("obelus serve"), "{error}");
}

/// A file of `deploy`.
#[test]
fn records_go_to_standard_output_where_that_is_wanted() {
    let config = CONFIG.replace("audit.jsonl", "audit.jsonl, stdout: true");
    let folder = folder(&[("obelus.yaml", &config)]);
    let mut command = obelus(folder.path(), &["serve", "-c", "obelus.yaml"]);
    command.env("OPENAI_API_KEY", "fake");
    let mut serving = Serving::start(command);
    serving.signal("-TERM");
    let mut out = String::new();
    serving.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(serving.child.wait().unwrap().success());
    let kept = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert!(kept.lines().count() >= 3, "{kept}");
    assert_eq!(out, kept);
}

fn deployed(name: &str) -> String {
    fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy")).join(name)).unwrap()
}

#[test]
fn the_example_configuration_is_right_and_unit_and_container_use_it() {
    let text = deployed("obelus.yaml");
    let place = Path::new("/etc/obelus/obelus.yaml");
    let config = Config::parse(&text, "obelus.yaml", place.parent().unwrap(), &|_| None).unwrap();
    // What the unit and the container give to the process.
    let state = Path::new("/var/lib/obelus");
    assert!(config.state.starts_with(state) && config.audit.path.starts_with(state), "{config:?}");
    assert!(config.listen.ip().is_loopback() && config.admin.ip().is_loopback());
    let unit = deployed("obelus.service");
    assert!(unit.contains("\nExecStart=/usr/local/bin/obelus serve -c /etc/obelus/obelus.yaml\n"), "{unit}");
    assert!(unit.contains("\nStateDirectory=obelus\n"), "{unit}");
    let container = deployed("Containerfile");
    assert!(container.contains("\nCOPY deploy/obelus.yaml /etc/obelus/obelus.yaml\n"), "{container}");
    assert!(container.contains("\nCMD [\"serve\", \"-c\", \"/etc/obelus/obelus.yaml\"]"), "{container}");
    assert!(container.contains("\nVOLUME /var/lib/obelus\n"), "{container}");
}

#[test]
fn the_sidecar_serves_with_the_example_configuration() {
    // The same in another place: on ports that are free, with state beside it.
    let moved = deployed("obelus.yaml").replace("/var/lib/obelus/", "");
    let text = format!("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n{moved}");
    let folder = folder(&[("obelus.yaml", &text)]);
    let mut command = obelus(folder.path(), &["serve", "-c", "obelus.yaml"]);
    command.env("OPENAI_API_KEY", "provider").env("ANTHROPIC_API_KEY", "provider");
    let mut serving = Serving::start(command);
    let workflows = Config::read(Some(&folder.path().join("obelus.yaml")), &|_| None).unwrap().workflows;
    for workflow in workflows.keys() {
        let said = serving.notes.iter().filter_map(|note| note["message"].as_str());
        assert!(
            said.into_iter().any(|note| note.starts_with(&format!("workflow {workflow}: "))),
            "{workflow}"
        );
        let made = run(folder.path(), &["keys", "create", "-c", "obelus.yaml", "--workflow", workflow]);
        assert_eq!(made.code, Some(0), "{made:?}");
    }
    assert!(!workflows.is_empty());
    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}
