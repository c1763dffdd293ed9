//! What somebody who starts the sidecar should know.

use crate::config::{Limits, Source, Timeouts};
use crate::core::Core;
use crate::mcp;
use obelus_vault::TokenForm;
use std::path::Path;

/// Limits, times, and what is missing with what to do about it.
pub(crate) fn notes(core: &Core, config_path: Option<&Path>) -> Vec<String> {
    let policy = core.policy.load();
    let config = &policy.config;
    let mut notes = vec![
        match config_path {
            Some(path) => format!("configuration {}, version {}", path.display(), policy.version),
            None => format!("no configuration file: defaults, version {}", policy.version),
        },
        format!("keys and tokens in {}, records in {}", config.state.display(), config.audit.path.display()),
        match &config.audit.copies {
            Some(folder) => {
                format!(
                    "records are signed by {}, checkpoints copied to {}",
                    core.audit().verifier(),
                    folder.display()
                )
            }
            None => format!("records are signed by {}, checkpoints not copied", core.audit().verifier()),
        },
        limits(&config.limits),
        timeouts(&config.timeouts),
    ];
    if config.tokens == TokenForm::Sealed {
        let ids: Vec<&str> = config.vault_keys.iter().map(|key| key.id.as_str()).collect();
        notes.push(format!(
            "tokens hold their values, sealed: made under the first of the keys {}",
            ids.join(", ")
        ));
    }
    if let Some(otlp) = &config.otlp {
        notes.push(format!("records are sent to {}://{}{}", otlp.api.0, otlp.api.1, otlp.path));
    }
    for (name, workflow) in &config.workflows {
        notes.push(format!(
            "workflow {name}: upstreams {}, profile {}, {} requests a minute{}",
            workflow.upstreams.join(" and "),
            workflow.profile,
            workflow.requests_per_minute,
            workflow.requests_per_day.map(|max| format!(", {max} a day")).unwrap_or_default(),
        ));
    }
    if let Some(gate) = &policy.gate {
        notes.extend(gate.notes());
    }
    for name in config.mcp.keys() {
        notes.extend(policy.tools(name).into_iter().flat_map(|tools| tools.notes(name)));
    }
    if mcp::has_commands(config) {
        notes.push(format!("obelus mcp: served at {}", config.audit.socket_path().display()));
    }
    if let Some(webhook) = &policy.webhook {
        notes.push(format!("webhook: people are told through {}", webhook.host()));
    }
    for (name, source) in policy.keyless() {
        let remedy = match source {
            Source::Env(variable) => format!("set {variable} and restart"),
            Source::File(path) => format!("write it to {}", path.display()),
        };
        notes.push(format!("missing: the provider's key of the upstream {name}: {remedy}"));
    }
    if !config.listen.ip().is_loopback() {
        notes.push(format!(
            "warning: {} is no loopback address, and virtual keys travel unencrypted",
            config.listen
        ));
    }
    if core.keys.list().is_ok_and(|keys| keys.is_empty()) {
        let with = config_path.map(|path| format!(" -c {}", path.display())).unwrap_or_default();
        let workflow = config.workflows.keys().next().map_or("default", String::as_str);
        notes.push(format!("missing: a virtual key: run `obelus keys create{with} --workflow {workflow}`"));
    }
    notes
}

fn limits(limits: &Limits) -> String {
    format!(
        "limits: body {} bytes, answer {} bytes, all bodies {} bytes, head {} bytes in {} lines, {} connections",
        limits.body_bytes,
        limits.answer_bytes,
        limits.memory_bytes,
        limits.header_bytes,
        limits.headers,
        limits.connections
    )
}

fn timeouts(timeouts: &Timeouts) -> String {
    format!(
        "timeouts: head {:?}, body idle {:?}, connect {:?}, head of the answer {:?}, answer idle {:?}, drain {:?}",
        timeouts.header,
        timeouts.body_idle,
        timeouts.connect,
        timeouts.response_header,
        timeouts.stream_idle,
        timeouts.drain
    )
}
