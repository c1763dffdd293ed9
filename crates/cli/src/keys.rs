//! `obelus keys`: virtual keys, in the file that the sidecar reads. It need not be told: it looks.

use crate::args::{ConfigArgs, KeysCommand};
use crate::failure::{Failure, Outcome};
use crate::manual::write_out;
use crate::report;
use crate::serve::refused;
use obelus_audit::Utc;
use obelus_proxy::Config;
use obelus_vault::virtual_key::{FreshKey, KeyId};
use obelus_vault::{KeyChangeError, KeyRequest, ListedKey, VirtualKeys};
use serde::Serialize;
use std::env;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// Runs one of the commands.
pub(crate) fn run(command: &KeysCommand) -> Result<Outcome, Failure> {
    match command {
        KeysCommand::Create { workflow, expires, name, tenant, config } => {
            let (config, keys) = open(config)?;
            check_workflow(&config, workflow)?;
            let now = SystemTime::now();
            let request = KeyRequest {
                workflow: workflow.clone(),
                tenant: tenant.clone(),
                expires: expires.and_then(|time| now.checked_add(time)),
                requester: name.clone(),
            };
            show(&keys.create(&request, now).map_err(|error| unchanged(&error))?)
        }
        KeysCommand::List { json, config } => {
            let (_, keys) = open(config)?;
            let listed = keys.list().map_err(|error| Failure::data(error.to_string()))?;
            let now = SystemTime::now();
            let text = if *json { json_lines(&listed, now)? } else { table(&listed, now) };
            write_out(text.as_bytes())
        }
        KeysCommand::Rotate { id, overlap, config } => {
            let (_, keys) = open(config)?;
            let fresh = keys.rotate(&key_id(id)?, *overlap, SystemTime::now());
            show(&fresh.map_err(|error| unchanged(&error))?)
        }
        KeysCommand::Revoke { id, config } => {
            let (_, keys) = open(config)?;
            keys.revoke(&key_id(id)?, SystemTime::now()).map_err(|error| unchanged(&error))?;
            report::write_note(&format!("virtual key {id} is revoked"));
            Ok(Outcome::Done)
        }
    }
}

/// A time with its unit: `90s`, `15m`, `12h`, `30d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a number and s, m, h or d, such as 12h";
    let seconds = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(FORM.to_owned()),
    };
    let number = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let is_number = number.len() + 1 == text.len() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = number.parse().ok().filter(|_| is_number);
    let seconds = number.and_then(|number| number.checked_mul(seconds)).ok_or_else(|| FORM.to_owned())?;
    Ok(Duration::from_secs(seconds))
}

fn open(args: &ConfigArgs) -> Result<(Config, VirtualKeys), Failure> {
    let env = |name: &str| env::var_os(name);
    let config = Config::read(args.config.as_deref(), &env).map_err(|error| Failure::config(&error))?;
    let keys = obelus_proxy::virtual_keys(&config).map_err(|error| refused(&error))?;
    Ok((config, keys))
}

/// A key of a workflow that does not exist could do nothing.
fn check_workflow(config: &Config, workflow: &str) -> Result<(), Failure> {
    if config.workflows.contains_key(workflow) {
        return Ok(());
    }
    let known: Vec<&str> = config.workflows.keys().map(String::as_str).collect();
    Err(Failure::usage(format!(
        "--workflow {workflow}: the configuration has no such workflow: choose of {}",
        known.join(", ")
    )))
}

fn key_id(text: &str) -> Result<KeyId, Failure> {
    KeyId::parse(text).ok_or_else(|| {
        Failure::usage("this is no id of a virtual key: `obelus keys list` shows ids".to_owned())
    })
}

/// Writes the key: the only time that it is shown.
fn show(key: &FreshKey) -> Result<Outcome, Failure> {
    report::write_note(&format!("virtual key {}: keep it, it is not shown again", key.id()));
    write_out(format!("{}\n", key.reveal()).as_bytes())
}

fn unchanged(error: &KeyChangeError) -> Failure {
    match error {
        KeyChangeError::Random(_) | KeyChangeError::Store(_) => Failure::data(error.to_string()),
        _ => Failure::usage(error.to_string()),
    }
}

/// One key as others read it.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    workflow: &'a str,
    tenant: &'a str,
    state: &'static str,
    created: String,
    expires: Option<String>,
    revoked: Option<String>,
    last_used: Option<String>,
    name: Option<&'a str>,
    replaces: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(key: &'a ListedKey, now: SystemTime) -> Line<'a> {
        let written = |time: SystemTime| Utc::from(time).to_string();
        Line {
            id: key.id.as_str(),
            workflow: &key.workflow,
            tenant: &key.tenant,
            state: match key {
                ListedKey { revoked: Some(_), .. } => "revoked",
                ListedKey { expires: Some(expires), .. } if *expires <= now => "expired",
                _ => "active",
            },
            created: written(key.created),
            expires: key.expires.map(written),
            revoked: key.revoked.map(written),
            last_used: key.last_used.map(written),
            name: key.requester.as_deref(),
            replaces: key.replaces.as_ref().map(KeyId::as_str),
        }
    }
}

fn json_lines(keys: &[ListedKey], now: SystemTime) -> Result<String, Failure> {
    let mut text = String::new();
    for key in keys {
        let line = serde_json::to_string(&Line::new(key, now))
            .map_err(|error| Failure::data(format!("{}: cannot be written as JSON: {error}", key.id)))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn table(keys: &[ListedKey], now: SystemTime) -> String {
    let lines: Vec<Line<'_>> = keys.iter().map(|key| Line::new(key, now)).collect();
    let workflow_width = lines.iter().map(|line| line.workflow.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let (id, state, workflow) = (line.id, line.state, line.workflow);
        let expires = line.expires.as_deref().unwrap_or("never expires");
        let name = line.name.unwrap_or("");
        let row =
            format!("{id}  {state:7}  {workflow:workflow_width$}  {}  {expires:27}  {name}", line.created);
        // Writing to a string does not fail.
        writeln!(text, "{}", row.trim_end()).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, wanted) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("24h", Some(86_400)),
            ("30d", Some(2_592_000)),
            ("30", None),
            ("d", None),
            ("-1d", None),
            ("+1d", None),
            ("1dd", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(duration(text).ok(), wanted.map(Duration::from_secs), "{text}");
        }
    }
}
