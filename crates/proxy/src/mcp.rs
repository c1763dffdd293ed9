//! `obelus mcp`: a server of tools that is a process, with the keys, tokens, rules and records of the sidecar.

mod journal;

use crate::config::{Config, ConfigError, McpKind, McpServer, Source};
use crate::guard::silence_panics;
use crate::policy::{one_line, wire_profile};
use crate::process::{hide_memory, signals};
use crate::stores::{self, StartError};
use journal::LogJournal;
use obelus_audit::{Kind as RecordKind, Log, Outcome, Record, Word};
use obelus_gate::{Policy, PolicyFile, Servers, SqliteTotals};
use obelus_mcp::{
    Client, Kind, OnChange, Pins, PolicyGate, Principal, Server, Session, Settings, Stdio, StdioEnded,
};
use obelus_vault::{Holder, Vault};
use obelus_wire::RestoredArgument;
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

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
/// It writes the audit itself, so it cannot run beside a sidecar or another server with the same audit.
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
    let kind = kind(name, described, command)?;
    let hidden = hidden(&config, &kind);
    let threads = |error| StartError::Io("threads".to_owned(), "start them", error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(threads)?;
    let (keys, vault) = stores::open(&config, &env)?;
    let presented = env(KEY_VARIABLE).and_then(|key| key.into_string().ok()).unwrap_or_default();
    let holder = keys.check(presented.as_bytes(), SystemTime::now()).map_err(|fault| {
        ConfigError::new(format!(
            "{KEY_VARIABLE}: {fault}: set it to a virtual key, as `obelus keys create` makes it"
        ))
    })?;
    drop(presented);
    if !described.workflows.contains(&holder.workflow) || !config.workflows.contains_key(&holder.workflow) {
        let what = format!("mcp.{name}: not for the workflow of this virtual key: name it in `workflows`");
        return Err(ConfigError::new(what).into());
    }
    let log = open_log(&config)?;
    let version = Word::hex(Sha256::digest(config.text.as_bytes()).get(..16).unwrap_or_default());
    let started = Record { policy_version: Some(version.clone()), ..Record::new(RecordKind::Started) };
    log.append_blocking(&started, SystemTime::now()).map_err(|_unwritten| unwritten(&config))?;
    let journal = LogJournal::new(Arc::clone(&log), runtime.handle().clone(), version);
    let session = session(&config, name, kind, &holder, &vault, journal)?;
    let mut process = Command::new(program);
    process.args(arguments);
    for variable in hidden {
        process.env_remove(variable);
    }
    let stdio = Stdio::new(session, process);
    let stopper = stdio.stopper();
    let mut told = {
        let _guard = runtime.enter();
        signals().map_err(|error| StartError::Io("signals".to_owned(), "listen to them", error))?
    };
    runtime.spawn(async move {
        while told.recv().await.is_some_and(|signal| signal == crate::app::Signal::Reload) {}
        stopper.stop();
    });
    let client = Client {
        input: Box::new(io::stdin()),
        output: Box::new(io::stdout()),
        errors: Box::new(io::stderr()),
    };
    let ended = stdio
        .run(client)
        .map_err(|error| StartError::Io(Path::new(program).display().to_string(), "run it", error));
    // It ends whether this can be written or not.
    drop(log.append_blocking(
        &Record { outcome: Some(Outcome::Completed), ..Record::new(RecordKind::Stopped) },
        SystemTime::now(),
    ));
    runtime.shutdown_background();
    log.close().map_err(|_unwritten| unwritten(&config))?;
    ended
}

fn unwritten(config: &Config) -> StartError {
    let told = io::Error::other("it fails, or its disk is full");
    StartError::Io(config.audit.path.display().to_string(), "write the audit", told)
}

fn open_log(config: &Config) -> Result<Arc<Log>, StartError> {
    if config.audit.stdout {
        let what =
            "audit.stdout: standard output is where the client reads answers: leave it out for `obelus mcp`";
        return Err(ConfigError::new(what).into());
    }
    stores::make_folder(&config.audit.path)?;
    if let Some(key) = &config.audit.key {
        stores::make_folder(key)?;
    }
    Log::open(&config.audit).map(Arc::new).map_err(StartError::Audit)
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
    let named = stripe.chain(providers).chain(vault).filter_map(|source| match source {
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

fn session(
    config: &Config,
    name: &str,
    kind: Kind,
    holder: &Holder,
    vault: &Vault,
    journal: LogJournal,
) -> Result<Session, StartError> {
    let fault = |error: String| StartError::Config(ConfigError::new(one_line(&error)));
    let missing = || fault(format!("mcp.{name}: is gone from the configuration"));
    let described = config.mcp.get(name).ok_or_else(missing)?;
    let servers = match &kind {
        Kind::Other(servers) => servers.clone(),
        Kind::Stripe { .. } => Servers::default(),
    };
    let policy = Policy::load(&[PolicyFile::preset()], &servers).map_err(|error| fault(error.to_string()))?;
    stores::make_folder(&described.totals)?;
    let totals = SqliteTotals::open(&described.totals).map_err(|error| fault(error.to_string()))?;
    let profile =
        config.workflows.get(&holder.workflow).and_then(|workflow| config.profiles.get(&workflow.profile));
    let mut profile = wire_profile(profile.ok_or_else(missing)?)?;
    profile.restore_arguments = described
        .restore_arguments
        .iter()
        .flat_map(|restore| restore.paths.iter().map(|path| (restore.tool.clone(), path.clone())))
        .map(|(tool, path)| RestoredArgument { tool, path })
        .collect();
    stores::make_folder(&described.pins)?;
    let on_change = if described.stops_changed { OnChange::Stop } else { OnChange::Record };
    let pins =
        Pins::open(Some(described.pins.clone()), on_change).map_err(|error| fault(error.to_string()))?;
    let settings = Settings {
        name: name.to_owned(),
        kind,
        gate: Arc::new(PolicyGate::new(Arc::new(policy), Arc::new(totals))),
        journal: Arc::new(journal),
        pins,
    };
    let server = Server::new(settings, &profile).map_err(|error| fault(format!("mcp.{name}: {error}")))?;
    let principal = Principal {
        key: holder.id.as_str().to_owned(),
        workflow: holder.workflow.clone(),
        tenant: holder.tenant.clone(),
        session: SESSION_DEFAULT.to_owned(),
    };
    let scope = vault.scope(&holder.tenant, SESSION_DEFAULT);
    Ok(Arc::new(server).session(principal, scope))
}
