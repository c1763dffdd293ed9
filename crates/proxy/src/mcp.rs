//! `obelus mcp`: a server of tools that is a process, with the keys, tokens, rules and records of the sidecar.

mod http;
mod journal;
mod tools;

pub(crate) use http::{Sessions, Told, handle, is_mcp};
pub(crate) use tools::{Tools, servers};

use crate::admin;
use crate::app::{FAREWELL, bind, end_telling, open_core, open_log};
use crate::canary;
use crate::config::{Config, ConfigError, McpKind, McpServer, Source};
use crate::core::Core;
use crate::gate::{self, People};
use crate::guard::silence_panics;
use crate::open::Ticket;
use crate::otlp::Collector;
use crate::policy::Policy;
use crate::process::{hide_memory, signals};
use crate::server::Phase;
use crate::stores::{self, StartError};
use crate::watch_keys;
use crate::webhook;
use journal::LogJournal;
use obelus_audit::{FileSystem, Kind as RecordKind, Outcome, Record};
use obelus_gate::Servers;
use obelus_mcp::{Client, Kind, Principal, Server, Session, Settings, Stdio, StdioEnded, Stopper};
use obelus_vault::{Holder, Vault, VirtualKeys};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

/// The environment variable that holds the virtual key of whoever uses the tools.
pub const KEY_VARIABLE: &str = "OBELUS_KEY";

/// How the names of variables begin that are of Obelus.
const OWN_PREFIX: &[u8] = b"OBELUS_";

/// Where Stripe's local servers look for their key.
const STRIPE_VARIABLES: [&str; 2] = ["STRIPE_SECRET_KEY", "STRIPE_API_KEY"];

/// The session of a key that names none, as for requests to models.
const SESSION_DEFAULT: &str = "default";

/// Runs `command` as the server of that name, between standard input and output, until either side ends or SIGTERM or
/// SIGINT comes. The virtual key is read from [`KEY_VARIABLE`], which the server does not get to see.
///
/// It writes the audit itself, so it cannot run beside a sidecar or another server with the same audit. Where people
/// approve calls, they do so at the admin listener, which it serves for as long as it runs.
///
/// # Errors
/// Whatever keeps it from starting; the command was not run then, or could not be.
pub fn mcp(config_path: Option<PathBuf>, name: &str, command: &[OsString]) -> Result<StdioEnded, StartError> {
    silence_panics();
    hide_memory();
    let env = |name: &str| std::env::var_os(name);
    let config = Config::read(config_path.as_deref(), &env)?;
    let Some((program, arguments)) = command.split_first() else {
        return Err(ConfigError::new("no command: write it behind `--`, with its arguments").into());
    };
    let described = config.mcp.get(name).ok_or_else(|| {
        let known = config.mcp.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        ConfigError::new(format!("--server {name}: is none of `mcp` in the configuration ({known})"))
    })?;
    if config.audit.stdout {
        let what =
            "audit.stdout: standard output is where the client reads answers: leave it out for `obelus mcp`";
        return Err(ConfigError::new(what).into());
    }
    let kind = kind(name, described, command)?;
    if described.place.is_some() {
        let what = format!(
            "mcp.{name}.url: `obelus serve` reaches it, at /mcp/{name}: leave it out to run a command"
        );
        return Err(ConfigError::new(what).into());
    }
    let hidden = hidden(&config, &kind);
    let policy = Policy::compile(&alone(&config, name), &env)?;
    canary::run(&policy)?;
    let threads = |error| StartError::Io("threads".to_owned(), "start them", error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(threads)?;
    let (keys, vault) = stores::open(&config, &env)?;
    let holder = holder(&keys, name, &config)?;
    let desk = runtime.block_on(open(&config, name, policy, (keys, vault)))?;
    let core = Arc::clone(&desk.core);
    let collector = Collector::open(&config, &core, &env)?;
    let sending = collector.map(|collector| runtime.spawn(collector.run(Arc::clone(&core))));
    let telling = runtime.spawn(webhook::deliver(Arc::clone(&core)));
    let ticket = core.open.add(holder.id);
    let session = session(&core, (name, kind), &holder, SESSION_DEFAULT, None, runtime.handle())?;
    let mut process = Command::new(program);
    process.args(arguments);
    for variable in hidden {
        process.env_remove(variable);
    }
    let stdio = Stdio::new(session, process);
    let phase = serve(&runtime, desk, (ticket, stdio.stopper()))?;
    let client = Client {
        input: Box::new(io::stdin()),
        output: Box::new(io::stdout()),
        errors: Box::new(io::stderr()),
    };
    let ended = stdio
        .run(client)
        .map_err(|error| StartError::Io(Path::new(program).display().to_string(), "run it", error));
    phase.send_replace(Phase::Ending);
    runtime.block_on(end_telling(&core, telling));
    // It ends whether this can be written or not.
    drop(core.audit().append_blocking(
        &Record { outcome: Some(Outcome::Completed), ..Record::new(RecordKind::Stopped) },
        SystemTime::now(),
    ));
    let closed = core.audit().close().map_err(|_unwritten| {
        let told = io::Error::other("it fails, or its disk is full");
        StartError::Io(config.audit.path.display().to_string(), "write the audit", told)
    });
    if let Some(sending) = sending {
        // What is not sent by then is sent after the next start.
        drop(runtime.block_on(async { timeout(FAREWELL, sending).await }));
    }
    runtime.shutdown_background();
    closed?;
    ended
}

/// The configuration without what is reached from elsewhere, whose keys are not asked for here, and with nobody at other
/// servers, so that nothing is compiled for them. The rules stay those of all.
fn alone(config: &Config, name: &str) -> Config {
    let mut config = config.clone();
    for (other, server) in &mut config.mcp {
        server.place = None;
        if other != name {
            server.workflows.clear();
        }
    }
    if let Some(gate) = &mut config.gate {
        gate.stripe = None;
    }
    config
}

/// Who uses the tools.
fn holder(keys: &VirtualKeys, name: &str, config: &Config) -> Result<Holder, StartError> {
    let presented = std::env::var(KEY_VARIABLE).unwrap_or_default();
    let holder = keys.check(presented.as_bytes(), SystemTime::now()).map_err(|fault| {
        ConfigError::new(format!(
            "{KEY_VARIABLE}: {fault}: set it to a virtual key, as `obelus keys create` makes it"
        ))
    })?;
    let is_named =
        config.mcp.get(name).is_some_and(|described| described.workflows.contains(&holder.workflow));
    if !is_named || !config.workflows.contains_key(&holder.workflow) {
        let what = format!("mcp.{name}: not for the workflow of this virtual key: name it in `workflows`");
        return Err(ConfigError::new(what).into());
    }
    Ok(holder)
}

/// What a session is judged with, and where people decide about its calls.
struct Desk {
    core: Arc<Core>,
    /// Absent where nobody may decide.
    listener: Option<TcpListener>,
}

async fn open(
    config: &Config,
    name: &str,
    policy: Policy,
    stores: (VirtualKeys, Vault),
) -> Result<Desk, StartError> {
    let audit = match open_log(config, Arc::new(FileSystem)) {
        Err(StartError::Audit(obelus_audit::Error::Locked(path))) => {
            return Err(ConfigError::new(format!(
                "{}: another process writes this audit, `obelus serve` or another `obelus mcp`. Records, approvals and \
                 totals are its alone, so mcp.{name} was not started: stop that process, or name files of their own in \
                 another configuration",
                path.display()
            ))
            .into());
        }
        opened => opened?,
    };
    let core = open_core(config, policy, stores, audit).await?;
    let has_approvers = config.gate.as_ref().is_some_and(|gate| !gate.approvers.is_empty());
    let listener = match has_approvers {
        true => Some(bind(config.admin, "admin").await?),
        false => None,
    };
    Ok(Desk { core, listener })
}

/// Has people decide, ends what nobody decides in time, and ends the run when it is told to or the key is revoked.
fn serve(
    runtime: &Runtime,
    desk: Desk,
    (ticket, stopper): (Ticket, Stopper),
) -> Result<watch::Sender<Phase>, StartError> {
    let (phase, phases) = watch::channel(Phase::Serving);
    let Desk { core, listener } = desk;
    if let Some(listener) = listener {
        runtime.spawn(admin::serve(listener, Arc::clone(&core), phases));
    }
    runtime.spawn(watch_keys::watch(Arc::clone(&core)));
    runtime.spawn(gate::sweep(core));
    let mut told = {
        let _guard = runtime.enter();
        signals().map_err(|error| StartError::Io("signals".to_owned(), "listen to them", error))?
    };
    runtime.spawn(async move {
        let told =
            async { while told.recv().await.is_some_and(|signal| signal == crate::app::Signal::Reload) {} };
        tokio::select! {
            () = told => {}
            _ = ticket => {}
        }
        stopper.stop();
    });
    Ok(phase)
}

/// Whose tools the server has, with what its key says of itself.
fn kind(name: &str, described: &McpServer, command: &[OsString]) -> Result<Kind, ConfigError> {
    let (livemode, account, allow_secret_key) = match &described.kind {
        McpKind::Other(tools) => {
            let mut servers = Servers::default();
            tools.iter().for_each(|(tool, class)| servers.add(name, tool, *class));
            return Ok(Kind::Other(servers));
        }
        McpKind::Stripe { livemode, account, allow_secret_key } => (*livemode, account, *allow_secret_key),
    };
    let named = STRIPE_VARIABLES.into_iter().filter_map(std::env::var_os);
    let texts: Vec<OsString> = command.iter().cloned().chain(named).collect();
    let holds = |part: &str| texts.iter().any(|text| contains(text, part));
    if !allow_secret_key && (holds("sk_live_") || holds("sk_test_")) {
        return Err(ConfigError::new(format!(
            "mcp.{name}: the server would get a secret key (sk_…), which can do everything: give it a restricted one \
             (rk_…), or set allow_secret_key"
        )));
    }
    let is_live = holds("sk_live_") || holds("rk_live_");
    let is_test = holds("sk_test_") || holds("rk_test_");
    let by_key = match (is_live, is_test) {
        (true, true) => {
            return Err(ConfigError::new(format!(
                "mcp.{name}: the server would get a live key and a test key: leave one out"
            )));
        }
        (false, false) => None,
        (is_live, _) => Some(is_live),
    };
    if livemode.zip(by_key).is_some_and(|(said, by_key)| said != by_key) {
        return Err(ConfigError::new(format!("mcp.{name}.livemode: not what the key of the server says")));
    }
    Ok(Kind::Stripe { livemode: livemode.or(by_key), account: account.clone() })
}

/// The variables that the server does not get: those of Obelus, and all that the configuration names for a key, but for
/// those in which Stripe's servers look for their own.
fn hidden(config: &Config, kind: &Kind) -> Vec<OsString> {
    let stripe = config.gate.iter().filter_map(|gate| gate.stripe.as_ref());
    let stripe = stripe.flat_map(|stripe| stripe.keys.values().chain(&stripe.events_key));
    let providers = config.upstreams.values().map(|upstream| &upstream.key);
    let vault = config.vault_keys.iter().map(|key| &key.source);
    let tools = config.mcp.values().filter_map(|server| server.place.as_ref());
    let tools = tools.flat_map(|place| place.keys.values());
    let webhook = config.webhook.iter().map(|webhook| &webhook.secret);
    let collector = config.otlp.iter().flat_map(|otlp| otlp.headers.iter().map(|(_, value)| value));
    let named = stripe.chain(providers).chain(vault).chain(tools).chain(webhook).chain(collector);
    let named = named.filter_map(|source| match source {
        Source::Env(variable) => Some(OsString::from(variable)),
        Source::File(_) => None,
    });
    let is_own = |variable: &OsString| {
        matches!(kind, Kind::Stripe { .. }) && STRIPE_VARIABLES.iter().any(|own| variable == own)
    };
    let ours = std::env::vars_os().map(|(variable, _)| variable);
    let ours = ours.filter(|variable| variable.as_encoded_bytes().starts_with(OWN_PREFIX));
    named.filter(|variable| !is_own(variable)).chain(ours).collect()
}

fn contains(text: &OsStr, part: &str) -> bool {
    text.as_encoded_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

/// A session of a virtual key before a server.
pub(crate) fn session(
    core: &Arc<Core>,
    (name, kind): (&str, Kind),
    holder: &Holder,
    session: &str,
    server_key: Option<&'static str>,
    runtime: &Handle,
) -> Result<Session, StartError> {
    let policy = core.policy.load_full();
    let missing = || {
        let what = format!("mcp.{name}: not for the workflow of this virtual key: name it in `workflows`");
        StartError::Config(ConfigError::new(what))
    };
    let tools = policy.tools(name).ok_or_else(missing)?;
    let messages = tools.messages(&holder.workflow).ok_or_else(missing)?;
    let settings = Settings {
        name: name.to_owned(),
        kind,
        gate: Arc::new(People::new(core, runtime.clone(), holder.id, server_key)),
        journal: Arc::new(LogJournal::new(core, runtime.clone(), policy.version.clone())),
        pins: core.pins(&tools.config)?,
        messages: Arc::clone(messages),
    };
    let principal = Principal {
        key: holder.id.as_str().to_owned(),
        workflow: holder.workflow.clone(),
        tenant: holder.tenant.clone(),
        session: session.to_owned(),
    };
    let scope = core.vault.scope(&holder.tenant, session);
    Ok(Arc::new(Server::new(settings)).session(principal, scope))
}
