//! A server, a client's session before it, and a journal in memory.

use obelus_gate::{MemoryTotals, Policy, PolicyFile, RiskClass, Servers};
use obelus_mcp::{
    Decided, Ended, Ending, Event, Journal, Kind, OnChange, Outcome, Pins, PolicyGate, Principal, Server,
    Session, Settings, Step, Unrecorded, Verdict,
};
use obelus_vault::{Scope, Vault};
use obelus_wire::{Messages, Profile, RestoredArgument};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a journal was told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    Decided {
        method: Option<&'static str>,
        tool: Option<String>,
        operation: Option<String>,
        verdict: Verdict,
        reason: Option<&'static str>,
        arguments: Option<String>,
        is_durable: bool,
    },
    Ended(Outcome, Option<&'static str>),
    Noted(String),
}

#[derive(Default)]
pub(crate) struct Memory {
    lines: Arc<Mutex<Vec<Line>>>,
    pub(crate) is_down: AtomicBool,
}

impl Memory {
    /// What came since it was asked last.
    pub(crate) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.lines.lock().expect("no panic"))
    }
}

struct Place(Arc<Mutex<Vec<Line>>>);

impl Ending for Place {
    fn ended(self: Box<Self>, ended: &Ended<'_>) {
        self.0.lock().expect("no panic").push(Line::Ended(ended.outcome, ended.reason));
    }
}

impl Journal for Memory {
    fn decided(&self, decided: &Decided<'_>) -> Result<Box<dyn Ending>, Unrecorded> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Unrecorded);
        }
        self.lines.lock().expect("no panic").push(Line::Decided {
            method: decided.method,
            tool: decided.tool.map(str::to_owned),
            operation: decided.operation.map(|operation| operation.operation.clone()),
            verdict: decided.verdict,
            reason: decided.reason,
            arguments: decided.arguments.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text")),
            is_durable: decided.is_durable,
        });
        Ok(Box::new(Place(Arc::clone(&self.lines))))
    }

    fn check(&self) -> Result<(), Unrecorded> {
        if self.is_down.load(Ordering::SeqCst) { Err(Unrecorded) } else { Ok(()) }
    }

    fn noted(&self, event: &Event<'_>) -> Result<(), Unrecorded> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Unrecorded);
        }
        let text = match event {
            Event::ToolPinned { tool, .. } => format!("pinned {tool}"),
            Event::ToolChanged { tool, is_stopped, .. } => format!("changed {tool} {is_stopped}"),
            Event::Redacted { redactions, .. } => format!("redacted {}", redactions.counts.len()),
            Event::Dropped { reason, .. } => format!("dropped {reason}"),
        };
        self.lines.lock().expect("no panic").push(Line::Noted(text));
        Ok(())
    }
}

pub(crate) struct Stage {
    pub(crate) session: Session,
    scope: Scope,
    server: Arc<Server>,
    pub(crate) journal: Arc<Memory>,
}

pub(crate) fn principal() -> Principal {
    Principal {
        key: "k1".to_owned(),
        workflow: "support".to_owned(),
        tenant: "shop".to_owned(),
        session: "default".to_owned(),
    }
}

/// Stripe's server, in test or live mode.
pub(crate) fn stripe(livemode: bool) -> Stage {
    let kind = Kind::Stripe { livemode: Some(livemode), account: None };
    stage("stripe", kind, &[PolicyFile::preset()], &Servers::default(), None, OnChange::Stop)
}

/// A server of nobody's, whose tools have classes.
pub(crate) fn other(pins: Option<PathBuf>, on_change: OnChange) -> Stage {
    let mut servers = Servers::default();
    servers.add("notes", "find", RiskClass::Read);
    servers.add("notes", "send", RiskClass::OutboundMessage);
    servers.add("notes", "wipe", RiskClass::KeyOrAccountAdmin);
    stage("notes", Kind::Other(servers.clone()), &[PolicyFile::preset()], &servers, pins, on_change)
}

pub(crate) fn stage(
    name: &str,
    kind: Kind,
    files: &[PolicyFile],
    servers: &Servers,
    pins: Option<PathBuf>,
    on_change: OnChange,
) -> Stage {
    let policy = Arc::new(Policy::load(files, servers).expect("rules"));
    let journal = Arc::new(Memory::default());
    let settings = Settings {
        name: name.to_owned(),
        kind,
        gate: Arc::new(PolicyGate::new(policy, Arc::new(MemoryTotals::default()))),
        journal: Arc::<Memory>::clone(&journal),
        pins: Arc::new(Pins::open(pins, on_change).expect("pins")),
        messages: Arc::new(Messages::new(&profile()).expect("a profile")),
    };
    let server = Arc::new(Server::new(settings));
    let scope = Vault::ephemeral().expect("a vault").scope("shop", "default");
    Stage { session: server.session(principal(), scope.clone()), scope, server, journal }
}

fn profile() -> Profile {
    let mut profile = Profile::default();
    let argument = |tool: &str, path: &str| RestoredArgument { tool: tool.to_owned(), path: path.to_owned() };
    profile.restore_arguments = vec![argument("create_customer", "/email"), argument("find", "/query")];
    profile
}

impl Stage {
    /// The same server before another client.
    pub(crate) fn begin_anew(&mut self) {
        self.session = self.server.session(principal(), self.scope.clone());
    }

    /// What the server gets of a message.
    pub(crate) fn sent(&self, message: &str) -> String {
        match self.session.from_client(message.as_bytes()) {
            Step::Forward(bytes) => String::from_utf8(bytes).expect("text"),
            step => panic!("{step:?} {}", told(&step)),
        }
    }

    /// What the client gets back at once.
    pub(crate) fn refused(&self, message: &str) -> Value {
        match self.session.from_client(message.as_bytes()) {
            Step::Answer(bytes) => serde_json::from_slice(&bytes).expect("JSON"),
            step => panic!("{step:?}"),
        }
    }

    /// What the client gets of a message of the server.
    pub(crate) fn shown(&self, message: &str) -> String {
        match self.session.from_server(message.as_bytes()) {
            Step::Forward(bytes) => String::from_utf8(bytes).expect("text"),
            step => panic!("{step:?}"),
        }
    }

    /// The text of the tool error that a call gets at once.
    pub(crate) fn denied(&self, tool: &str, arguments: &str) -> String {
        let value = self.refused(&call(1, tool, arguments));
        assert_eq!(value["result"]["isError"], true, "{value}");
        value["result"]["content"][0]["text"].as_str().expect("text").to_owned()
    }
}

fn told(step: &Step) -> String {
    match step {
        Step::Forward(bytes) | Step::Answer(bytes) => String::from_utf8(bytes.clone()).expect("text"),
        Step::Drop | Step::Heard | Step::Tell(..) | Step::Hold(_) => String::new(),
    }
}

pub(crate) fn call(id: u32, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}
