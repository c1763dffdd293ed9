//! `obelus approvals`: the human side of the gate. Everything goes through the running sidecar: its listener for
//! administration is asked, and its files are left alone.

use crate::args::{ApprovalsCommand, DeskArgs};
use crate::failure::{Failure, Outcome};
use crate::manual::write_out;
use crate::report;
use obelus_proxy::{Config, approver_token};
use serde_json::{Value, json};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The variable that holds the token of whoever decides.
const TOKEN_VARIABLE: &str = "OBELUS_APPROVER_TOKEN";
/// How long the sidecar may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Runs one of the commands.
pub(crate) fn run(command: &ApprovalsCommand) -> Result<Outcome, Failure> {
    match command {
        ApprovalsCommand::List { all, json, desk } => {
            let path = if *all { "/approvals?all" } else { "/approvals" };
            let answer = Desk::of(desk)?.ask("GET", path, None)?;
            let listed = answer.get("approvals").and_then(Value::as_array).cloned().unwrap_or_default();
            let lines = listed.iter().map(|one| if *json { one.to_string() } else { line(one) });
            write_out(lines.map(|line| line + "\n").collect::<String>().as_bytes())
        }
        ApprovalsCommand::Show { id, json, desk } => {
            let approval = Desk::of(desk)?.show(id)?;
            let text = if *json { format!("{approval}\n") } else { sheet(&approval) };
            write_out(text.as_bytes())
        }
        ApprovalsCommand::Approve { id, digest, desk } => {
            let desk = Desk::of(desk)?;
            let digest = match digest {
                Some(digest) => digest.clone(),
                None => {
                    let approval = desk.show(id)?;
                    write_out(sheet(&approval).as_bytes())?;
                    text(&approval, "digest")
                }
            };
            desk.decide(id, "approve", &digest)
        }
        ApprovalsCommand::Deny { id, desk } => Desk::of(desk)?.decide_now(id, "deny"),
        ApprovalsCommand::Happened { id, desk } => Desk::of(desk)?.decide_now(id, "happened"),
        ApprovalsCommand::NotHappened { id, desk } => Desk::of(desk)?.decide_now(id, "not-happened"),
        ApprovalsCommand::Token { name } => {
            let token = approver_token().map_err(|error| Failure::data(error.to_string()))?;
            let entry = format!("{name}: {{token_sha256: '{}'}}", token.sha256);
            report::write_note("the token, which is not shown again, and what to add to gate.approvers");
            write_out(format!("{}\n{entry}\n", token.text.as_str()).as_bytes())
        }
    }
}

/// Where people decide, and as whom.
pub(crate) struct Desk {
    address: SocketAddr,
    token: String,
}

impl Desk {
    pub(crate) fn of(args: &DeskArgs) -> Result<Desk, Failure> {
        let address = match args.admin {
            Some(address) => address,
            None => {
                let env = |name: &str| env::var_os(name);
                let config = Config::read(args.config.config.as_deref(), &env);
                config.map_err(|error| Failure::config(&error))?.admin
            }
        };
        if !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "{address}: the token would travel unencrypted: ask on the machine of the sidecar"
            )));
        }
        let token = match &args.token_file {
            Some(path) => fs::read_to_string(path)
                .map_err(|error| Failure::io(&path.display().to_string(), "read the token", &error))?,
            None => env::var(TOKEN_VARIABLE).unwrap_or_default(),
        };
        let token = token.trim_end_matches(['\r', '\n']).to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(format!(
                "no token: set {TOKEN_VARIABLE} or name --token-file; `obelus approvals token` makes one"
            )));
        }
        Ok(Desk { address, token })
    }

    fn show(&self, id: &str) -> Result<Value, Failure> {
        self.ask("GET", &format!("/approvals/{}", checked(id)?), None)
    }

    /// Decides about the call as it stands.
    fn decide_now(&self, id: &str, verb: &str) -> Result<Outcome, Failure> {
        let digest = text(&self.show(id)?, "digest");
        self.decide(id, verb, &digest)
    }

    fn decide(&self, id: &str, verb: &str, digest: &str) -> Result<Outcome, Failure> {
        let path = format!("/approvals/{}/{verb}", checked(id)?);
        let approval = self.ask("POST", &path, Some(&json!({ "digest": digest })))?;
        report::write_note(&format!("{id} is {}", text(&approval, "state")));
        Ok(Outcome::Done)
    }

    /// Asks the sidecar. Its own words say what is wrong.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let address = self.address;
        let body = body.map(Value::to_string).unwrap_or_default();
        let failed = |error| {
            Failure::io(&format!("{address}"), "ask the sidecar (is `obelus serve` running?)", &error)
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let asked = || {
            let mut stream = TcpStream::connect_timeout(&address, SILENCE_MAX)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            stream.set_write_timeout(Some(SILENCE_MAX))?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer: String = asked().map_err(failed)?;
        let other = || Failure::data(format!("{address}: no answer of a sidecar with a gate: check --admin"));
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(other)?;
        let answer: Value = serde_json::from_str(body).map_err(|_error| other())?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(answer),
            Some(_) => Err(Failure::data(format!("{address}: {}", text(&answer, "error")))),
            None => Err(other()),
        }
    }
}

/// An id that can stand in a path.
fn checked(id: &str) -> Result<&str, Failure> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.is_empty() && id.bytes().all(is_plain) {
        return Ok(id);
    }
    Err(Failure::usage("this is no id of an approval: `obelus approvals list` shows ids"))
}

/// A member as text that a terminal shows as it is.
fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => obelus_gate::visible(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => obelus_gate::visible(&other.to_string()),
    }
}

/// One approval on one line.
fn line(approval: &Value) -> String {
    let summary = approval.get("summary").cloned().unwrap_or_default();
    let words = [
        text(approval, "id"),
        text(approval, "state"),
        text(approval, "expires"),
        text(&summary, "mode"),
        text(approval, "operation"),
        text(&summary, "amount"),
        text(&summary, "customer"),
    ];
    words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join("  ")
}

/// Everything about one approval, a line for each.
fn sheet(approval: &Value) -> String {
    let mut out = String::new();
    let summary = approval.get("summary").cloned().unwrap_or_default();
    let mut add = |name: &str, text: String| {
        if !text.is_empty() {
            // Writing to a string does not fail.
            writeln!(out, "{name:17} {text}").unwrap_or_default();
        }
    };
    for name in
        ["id", "state", "operation", "method", "server", "requester", "workflow", "created", "expires"]
    {
        add(name, text(approval, name));
    }
    for name in
        ["tool", "amount", "customer", "account", "mode", "key", "risk_class", "objects", "facts", "reasons"]
    {
        add(name, text(&summary, name));
    }
    for consequence in summary.get("consequences").and_then(Value::as_array).into_iter().flatten() {
        add("consequence", text(&json!({ "it": consequence }), "it"));
    }
    let mut arguments = Vec::new();
    leaves(summary.get("arguments").unwrap_or(&Value::Null), "", &mut arguments);
    for (path, value) in arguments {
        add("argument", format!("{path} = {value}"));
    }
    for vote in approval.get("votes").and_then(Value::as_array).into_iter().flatten() {
        let verb = if vote.get("approves") == Some(&Value::Bool(true)) { "approves" } else { "denies" };
        add("vote", format!("{} {verb} at {}", text(vote, "approver"), text(vote, "time")));
    }
    for name in ["approvers_needed", "rules_version", "attempts", "status", "digest"] {
        add(name, text(approval, name));
    }
    out
}

/// Every argument with its path.
fn leaves(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = obelus_gate::visible(name);
                leaves(member, &if path.is_empty() { name } else { format!("{path}.{name}") }, out);
            }
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                leaves(element, &format!("{path}[{at}]"), out);
            }
        }
        Value::Null => {}
        other => out.push((path.to_owned(), text(&json!({ "it": other }), "it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_hides_nothing() {
        let approval = json!({
            "id": "apr_1", "state": "pending", "digest": "d", "operation": "PostRefunds",
            "summary": {"amount": "5.00 USD", "mode": "live", "consequences": ["money goes back"],
                "arguments": {"metadata": {"memo": "\u{202e}a"}, "expand": ["x"]}},
        });
        let sheet = sheet(&approval);
        for wanted in ["5.00 USD", "live", "money goes back", "metadata.memo = \\u202ea", "expand[0] = x"] {
            assert!(sheet.contains(wanted), "{sheet}");
        }
        assert_eq!(line(&approval), "apr_1  pending  live  PostRefunds  5.00 USD");
        assert!(checked("apr_1/../x").is_err());
    }
}
