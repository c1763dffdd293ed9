//! `obelus mcp`: a server of tools that is a process, with the keys, tokens, rules and records of the sidecar.

mod beside;
mod command;
mod counted;
mod http;
mod journal;
mod tools;

pub(crate) use beside::{ToolSocket, check_name, has_commands, serve as serve_commands};
pub(crate) use http::{Sessions, Told, handle, is_mcp};
pub(crate) use tools::{Tools, servers};

use crate::admin;
use crate::app::{FAREWELL, bind, end_telling, open_core, open_log};
use crate::canary;
use crate::config::{Config, ConfigError, Env, McpKind, McpServer};
use crate::core::Core;
use crate::gate::{self, People};
use crate::guard::silence_panics;
use crate::otlp::Collector;
use crate::policy::Policy;
use crate::process::{hide_memory, signals};
use crate::server::Phase;
use crate::stores::{self, StartError};
use crate::watch_keys;
use crate::webhook;
use beside::{Remote, Wanted};
use counted::Counted;
use journal::LogJournal;
use obelus_audit::{FileSystem, Kind as RecordKind, Log, Outcome, Record};
use obelus_gate::{RiskClass, Servers};
use obelus_mcp::{Client, Kind, Principal, Server, Session, Settings, Stdio, StdioEnded, Stopper};
use obelus_vault::{Holder, KeyFault, Vault, VirtualKeys};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::{Future, pending};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The environment variable that holds the virtual key of whoever uses the tools.
pub const KEY_VARIABLE: &str = "OBELUS_KEY";

/// The session of a key that names none, as for requests to models.
const SESSION_DEFAULT: &str = "default";

/// How long a sidecar that has the lock of the audit and no socket yet is waited for, and how often it is looked.
const START_TIME: Duration = Duration::from_secs(2);
const START_PAUSE: Duration = Duration::from_millis(20);

/// Runs `command` as the server of that name, between standard input and output, until either side ends or SIGTERM or
/// SIGINT comes. The virtual key is read from [`KEY_VARIABLE`], which the server does not get to see.
///
/// Where the sidecar serves with the same audit, it judges and records every message, over a socket beside the audit; then
/// no key but the virtual one is needed here. Otherwise this process does, so that it cannot run beside another of its
/// kind with the same audit. Where people approve calls, they do so at the admin listener, which it then serves for as long
/// as it runs.
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
    let livemode = command::livemode(name, described, command)?;
    if described.place.is_some() {
        let what = format!(
            "mcp.{name}.url: `obelus serve` reaches it, at /mcp/{name}: leave it out to run a command"
        );
        return Err(ConfigError::new(what).into());
    }
    let mut process = Command::new(program);
    process.args(arguments);
    for variable in command::hidden(&config, described) {
        process.env_remove(variable);
    }
    let threads = |error| StartError::Io("threads".to_owned(), "start them", error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(threads)?;
    let program = Path::new(program).display().to_string();
    let run = Run { config: &config, described, name, livemode, program, process, runtime };
    // Nothing is opened before it is known who judges.
    match beside::connect(&config.audit.socket_path())? {
        Some(stream) => run.through_sidecar(stream),
        None => run.in_this_process(&env),
    }
}

/// A command that is to be run as a server.
struct Run<'a> {
    config: &'a Config,
    described: &'a McpServer,
    name: &'a str,
    /// Whether the server's key is a live one, as far as the key says it.
    livemode: Option<bool>,
    program: String,
    process: Command,
    runtime: Runtime,
}

impl Run<'_> {
    /// Has the sidecar judge and record every message.
    fn through_sidecar(self, stream: UnixStream) -> Result<StdioEnded, StartError> {
        let key = Zeroizing::new(std::env::var(KEY_VARIABLE).unwrap_or_default());
        let wanted = Wanted { key, server: self.name.to_owned(), livemode: self.livemode };
        let remote = Remote::begin(stream, &self.config.audit.socket_path(), wanted)?;
        let stdio = Stdio::new(remote.clone(), self.process);
        remote.watch(stdio.stopper())?;
        stop_when_told(&self.runtime, pending::<()>(), stdio.stopper())?;
        let ended = stdio.run(client()).map_err(|error| StartError::Io(self.program, "run it", error));
        self.runtime.shutdown_background();
        ended
    }

    /// Judges and records every message in this process, unless another has the audit.
    fn in_this_process(self, env: Env<'_>) -> Result<StdioEnded, StartError> {
        let (config, name) = (self.config, self.name);
        if config.audit.stdout {
            let what = "audit.stdout: standard output is where the client reads answers: leave it out for `obelus mcp`";
            return Err(ConfigError::new(what).into());
        }
        let policy = Policy::compile(&alone(config, name), env)?;
        canary::run(&policy)?;
        let audit = match open_log(config, Arc::new(FileSystem)) {
            Err(StartError::Audit(obelus_audit::Error::Locked(path))) => {
                return match starting(config)? {
                    Some(stream) => self.through_sidecar(stream),
                    None => Err(locked(&path, name).into()),
                };
            }
            opened => opened?,
        };
        let (keys, vault) = stores::open(config, env)?;
        let holder = holder(&keys, name, config)?;
        let runtime = self.runtime;
        let desk = runtime.block_on(open(config, policy, (keys, vault), audit))?;
        let core = Arc::clone(&desk.core);
        let collector = Collector::open(config, &core, env)?;
        let sending = collector.map(|collector| runtime.spawn(collector.run(Arc::clone(&core))));
        let telling = runtime.spawn(webhook::deliver(Arc::clone(&core)));
        let ticket = core.open.add(holder.id);
        let kind = kind(name, self.described, self.livemode);
        let session = session(&core, (name, kind), &holder, SESSION_DEFAULT, None, runtime.handle())?;
        let counted = Counted {
            session: Arc::new(session),
            core: Arc::clone(&core),
            key: holder.id,
            workflow: holder.workflow,
        };
        let stdio = Stdio::new(counted, self.process);
        let phase = serve(&runtime, desk);
        stop_when_told(&runtime, ticket, stdio.stopper())?;
        let ended = stdio.run(client()).map_err(|error| StartError::Io(self.program, "run it", error));
        phase.send_replace(Phase::Ending);
        runtime.block_on(end_telling(&core, telling));
        if core.rate.write(&core.keys, SystemTime::now()).is_err() {
            tracing::warn!("requests of virtual keys: the last of them are not written");
        }
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
}

fn client() -> Client {
    Client { input: Box::new(io::stdin()), output: Box::new(io::stdout()), errors: Box::new(io::stderr()) }
}

/// A connection to a sidecar that has begun to start, so that it has the lock of the audit and is about to listen.
fn starting(config: &Config) -> Result<Option<UnixStream>, StartError> {
    check_name(config)?;
    let until = Instant::now() + START_TIME;
    loop {
        let stream = beside::connect(&config.audit.socket_path())?;
        if stream.is_some() || Instant::now() >= until {
            return Ok(stream);
        }
        thread::park_timeout(START_PAUSE);
    }
}

fn locked(path: &Path, name: &str) -> ConfigError {
    ConfigError::new(format!(
        "{}: another process writes this audit and serves nobody beside it, such as another `obelus mcp`. Records, \
         approvals and totals are its alone, so mcp.{name} was not started: run `obelus serve` with this configuration, \
         beside which any number of `obelus mcp` run, or stop that process, or name files of their own in another \
         configuration",
        path.display()
    ))
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
    let holder = keys
        .check(presented.as_bytes(), SystemTime::now())
        .map_err(|fault| ConfigError::new(key_not_accepted(&fault)))?;
    let is_named =
        config.mcp.get(name).is_some_and(|described| described.workflows.contains(&holder.workflow));
    if !is_named || !config.workflows.contains_key(&holder.workflow) {
        return Err(ConfigError::new(not_for_workflow(name)).into());
    }
    Ok(holder)
}

/// Why nobody is let in with the key of [`KEY_VARIABLE`].
fn key_not_accepted(fault: &KeyFault) -> String {
    format!("{KEY_VARIABLE}: {fault}: set it to a virtual key, as `obelus keys create` makes it")
}

fn not_for_workflow(name: &str) -> String {
    format!("mcp.{name}: not for the workflow of this virtual key: name it in `workflows`")
}

/// What a session is judged with, and where people decide about its calls.
struct Desk {
    core: Arc<Core>,
    /// Absent where nobody may decide.
    listener: Option<TcpListener>,
}

async fn open(
    config: &Config,
    policy: Policy,
    stores: (VirtualKeys, Vault),
    audit: Log,
) -> Result<Desk, StartError> {
    let core = open_core(config, policy, stores, audit).await?;
    let has_approvers = config.gate.as_ref().is_some_and(|gate| !gate.approvers.is_empty());
    let listener = match has_approvers {
        true => Some(bind(config.admin, "admin").await?),
        false => None,
    };
    Ok(Desk { core, listener })
}

/// Has people decide, and ends what nobody decides in time.
fn serve(runtime: &Runtime, desk: Desk) -> watch::Sender<Phase> {
    let (phase, phases) = watch::channel(Phase::Serving);
    let Desk { core, listener } = desk;
    if let Some(listener) = listener {
        runtime.spawn(admin::serve(listener, Arc::clone(&core), phases));
    }
    runtime.spawn(watch_keys::watch(Arc::clone(&core)));
    runtime.spawn(gate::sweep(core));
    phase
}

/// Ends the run when a signal says so, or that comes.
fn stop_when_told(
    runtime: &Runtime,
    or: impl Future + Send + 'static,
    stopper: Stopper,
) -> Result<(), StartError> {
    let mut told = {
        let _guard = runtime.enter();
        signals().map_err(|error| StartError::Io("signals".to_owned(), "listen to them", error))?
    };
    runtime.spawn(async move {
        let told =
            async { while told.recv().await.is_some_and(|signal| signal == crate::app::Signal::Reload) {} };
        tokio::select! {
            () = told => {}
            _ = or => {}
        }
        stopper.stop();
    });
    Ok(())
}

/// Whose tools the server has, with what its key says of itself.
pub(crate) fn kind(name: &str, described: &McpServer, by_key: Option<bool>) -> Kind {
    match &described.kind {
        McpKind::Other(tools) => Kind::Other(tools_of(name, tools)),
        McpKind::Stripe { livemode, account, .. } => {
            Kind::Stripe { livemode: livemode.or(by_key), account: account.clone() }
        }
    }
}

/// The classes of one server's tools.
fn tools_of(name: &str, tools: &BTreeMap<String, RiskClass>) -> Servers {
    let mut servers = Servers::default();
    tools.iter().for_each(|(tool, class)| servers.add(name, tool, *class));
    servers
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
    let missing = || StartError::Config(ConfigError::new(not_for_workflow(name)));
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
