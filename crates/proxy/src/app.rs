//! The process: starts with everything checked, serves, reloads, drains.

use crate::admin;
use crate::canary;
use crate::config::{Config, ConfigError, GateConfig};
use crate::core::Core;
use crate::gate::{self, GateStores, Surface};
use crate::mcp::{self, ToolSocket};
use crate::open::Stop;
use crate::otlp::Collector;
use crate::policy::Policy;
use crate::server::{self, Lifetime, Phase};
use crate::stores::{self, StartError};
use crate::watch_keys;
use crate::webhook;
use obelus_audit::{Disk, FileSystem, Kind, Log, Outcome, Record};
use obelus_vault::{Vault, VirtualKeys};
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long streams have to tell their clients that the process ends.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// Looks up an environment variable, also when the configuration is loaded again.
pub type OwnedEnv = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// What the process is told from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// End, with time for open requests. Said again, it means at once.
    Drain,
    /// Load the configuration again.
    Reload,
}

/// How serving ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Every request had ended by itself.
    Drained,
    /// Requests were ended.
    Cut,
}

/// The sidecar, ready to serve: everything is checked, compiled, opened and bound.
pub struct App {
    /// Where `obelus mcp` connects, if servers of tools are run as commands. Before what has the lock of the audit, so that
    /// it is gone first.
    commands: Option<ToolSocket>,
    pub(crate) core: Arc<Core>,
    data: TcpListener,
    admin: TcpListener,
    /// Where clients of Stripe's connect, if they have a listener of their own.
    stripe: Option<TcpListener>,
    collector: Option<Collector>,
    config_path: Option<PathBuf>,
    env: OwnedEnv,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("config_path", &self.config_path).finish_non_exhaustive()
    }
}

impl App {
    /// Reads and compiles the configuration, tests it, opens the store and the audit, and binds both listeners.
    ///
    /// # Errors
    /// Whatever of that fails; nothing is served then.
    pub async fn start(config_path: Option<PathBuf>, env: OwnedEnv) -> Result<App, StartError> {
        App::start_on(config_path, env, Arc::new(FileSystem)).await
    }

    /// The same with the audit on another disk.
    pub(crate) async fn start_on(
        config_path: Option<PathBuf>,
        env: OwnedEnv,
        disk: Arc<dyn Disk>,
    ) -> Result<App, StartError> {
        let config = Config::read(config_path.as_deref(), &*env)?;
        mcp::check_name(&config)?;
        let policy = compile(&config, &env)?;
        let stores = stores::open(&config, &*env)?;
        let audit = open_log(&config, disk)?;
        let commands = ToolSocket::bind(&config)?;
        let data = bind(config.listen, "listen").await?;
        let admin = bind(config.admin, "admin").await?;
        let stripe = match config.gate.as_ref().and_then(|gate| gate.stripe.as_ref()?.listen) {
            Some(address) => Some(bind(address, "gate.stripe.listen").await?),
            None => None,
        };
        let core = open_core(&config, policy, stores, audit).await?;
        let collector = Collector::open(&config, &core, &*env)?;
        Ok(App { commands, core, data, admin, stripe, collector, config_path, env })
    }

    /// Where clients connect.
    ///
    /// # Errors
    /// What the system says.
    pub fn data_address(&self) -> std::io::Result<SocketAddr> {
        self.data.local_addr()
    }

    /// Where clients of Stripe's connect, if they have a listener of their own.
    ///
    /// # Errors
    /// What the system says.
    pub fn stripe_address(&self) -> std::io::Result<Option<SocketAddr>> {
        self.stripe.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Where health and metrics are.
    ///
    /// # Errors
    /// What the system says.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// What somebody who starts the sidecar should know: limits, times, and what is missing.
    pub fn notes(&self) -> Vec<String> {
        crate::notes::notes(&self.core, self.config_path.as_deref())
    }

    /// Serves until told to end. Whoever drops the sender of signals lets it serve for ever.
    pub async fn run(self, mut signals: mpsc::Receiver<Signal>) -> Ended {
        let App { commands, core, data, admin, stripe, collector, config_path, env } = self;
        let (phase, phases) = watch::channel(Phase::Serving);
        let (alive, mut all_gone) = mpsc::channel(1);
        let lifetime = Lifetime { phase: phases, alive };
        let admin = tokio::spawn(admin::serve(admin, Arc::clone(&core), lifetime.phase.clone()));
        let watching = tokio::spawn(watch_keys::watch(Arc::clone(&core)));
        let sweeping = tokio::spawn(gate::sweep(Arc::clone(&core)));
        let sending = collector.map(|collector| tokio::spawn(collector.run(Arc::clone(&core))));
        let telling = tokio::spawn(webhook::deliver(Arc::clone(&core)));
        let stripe = stripe.map(|listener| {
            let lifetime = lifetime.clone();
            tokio::spawn(server::serve(listener, Arc::clone(&core), lifetime, Surface::Stripe))
        });
        let commands = commands
            .map(|socket| tokio::spawn(mcp::serve_commands(socket, Arc::clone(&core), lifetime.clone())));
        let serving = tokio::spawn(server::serve(data, Arc::clone(&core), lifetime, Surface::All));
        loop {
            match signals.recv().await {
                Some(Signal::Reload) => reload(&core, config_path.clone(), &env).await,
                Some(Signal::Drain) => break,
                None => std::future::pending().await,
            }
        }
        core.begin_drain();
        phase.send_replace(Phase::Draining);
        let time = core.policy.load().config.timeouts.drain;
        let hurried = async { while !matches!(signals.recv().await, Some(Signal::Drain)) {} };
        let drained = tokio::select! {
            drained = timeout(time, all_gone.recv()) => drained.is_ok(),
            () = hurried => false,
        };
        if !drained {
            core.open.stop(None, Stop::Draining);
            // Those that do not end now are cut.
            drop(timeout(FAREWELL, all_gone.recv()).await);
        }
        phase.send_replace(Phase::Ending);
        watching.abort();
        sweeping.abort();
        for task in [serving, admin].into_iter().chain(stripe).chain(commands) {
            drop(timeout(FAREWELL, task).await);
        }
        end_telling(&core, telling).await;
        let last = Arc::clone(&core);
        let written = tokio::task::spawn_blocking(move || last.rate.write(&last.keys, SystemTime::now()));
        if !matches!(timeout(FAREWELL, written).await, Ok(Ok(Ok(())))) {
            tracing::warn!("requests of virtual keys: the last of them are not written");
        }
        // It ends whether this can be written or not; `Core::record` has told why it cannot.
        drop(core.record(&Record { outcome: Some(Outcome::Completed), ..Record::new(Kind::Stopped) }).await);
        let last = Arc::clone(&core);
        match timeout(FAREWELL, tokio::task::spawn_blocking(move || last.audit().close())).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(unwritten))) => {
                tracing::error!(error = %unwritten, "audit: the last records are not written")
            }
            _ => tracing::error!("audit: it is not known whether the last records are written"),
        }
        if let Some(mut sending) = sending
            && timeout(FAREWELL, &mut sending).await.is_err()
        {
            sending.abort();
            tracing::warn!("collector: the last records are sent after the next start");
        }
        if drained { Ended::Drained } else { Ended::Cut }
    }
}

/// Delivers what waits for the webhook, as far as there is time.
pub(crate) async fn end_telling(core: &Core, mut telling: JoinHandle<()>) {
    core.notices.close();
    if timeout(FAREWELL, &mut telling).await.is_err() {
        telling.abort();
        tracing::warn!(waiting = core.notices.waiting(), "webhook: messages are given up");
        for _ in 0..core.notices.waiting() {
            core.metrics.notice("given_up");
        }
        webhook::record_failed(core, "webhook-ended").await;
    }
}

/// Compiles a configuration and tests it.
fn compile(config: &Config, env: &OwnedEnv) -> Result<Policy, ConfigError> {
    let policy = Policy::compile(config, &**env)?;
    canary::run(&policy)?;
    Ok(policy)
}

/// Opens the audit, which one process writes at a time: whatever else one process may use at a time is opened after it.
pub(crate) fn open_log(config: &Config, disk: Arc<dyn Disk>) -> Result<Log, StartError> {
    stores::make_folder(&config.audit.path)?;
    if let Some(key) = &config.audit.key {
        stores::make_folder(key)?;
    }
    Log::open_on(&config.audit, disk).map_err(StartError::Audit)
}

/// What all requests share, and the record that it begins.
pub(crate) async fn open_core(
    config: &Config,
    policy: Policy,
    (keys, vault): (VirtualKeys, Vault),
    audit: Log,
) -> Result<Arc<Core>, StartError> {
    let gate = config.gate.as_ref().map(GateStores::open).transpose()?;
    let core = Arc::new(Core::new(policy, (vault, keys), audit, gate));
    core.rate.restore(&core.keys, SystemTime::now()).map_err(StartError::Store)?;
    for server in config.mcp.values() {
        core.pins(server)?;
    }
    let started =
        Record { policy_version: Some(core.policy.load().version.clone()), ..Record::new(Kind::Started) };
    if core.record(&started).await.is_err() {
        let told = std::io::Error::other("the log says why");
        return Err(StartError::Io(config.audit.path.display().to_string(), "write the audit", told));
    }
    Ok(core)
}

pub(crate) async fn bind(address: SocketAddr, what: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Io(format!("{what} {address}"), "listen there", error))
}

/// Loads the configuration again. What is wrong with it changes nothing.
async fn reload(core: &Arc<Core>, path: Option<PathBuf>, env: &OwnedEnv) {
    let (core, env) = (Arc::clone(core), Arc::clone(env));
    let task = tokio::task::spawn_blocking(move || {
        let loaded = load(&core, path, &env);
        let outcome = match &loaded {
            Ok(version) => {
                tracing::info!(%version, "configuration loaded");
                "completed"
            }
            Err(error) => {
                tracing::error!(%error, "configuration kept as it was");
                "failed"
            }
        };
        core.metrics.reload(outcome);
    });
    if task.await.is_err() {
        tracing::error!("configuration kept as it was: a fault of the sidecar");
    }
}

fn load(core: &Core, path: Option<PathBuf>, env: &OwnedEnv) -> Result<obelus_audit::Word, ConfigError> {
    let compiled = Config::read(path.as_deref(), &**env).and_then(|config| {
        check_fixed(&core.policy.load().config, &config)?;
        compile(&config, env)
    });
    let record = |outcome, version| Record {
        outcome: Some(outcome),
        policy_version: version,
        ..Record::new(Kind::ConfigReload)
    };
    match compiled {
        Ok(policy) => {
            let version = policy.version.clone();
            // A change that cannot be recorded is none.
            core.record_blocking(&record(Outcome::Completed, Some(version.clone())))
                .map_err(|refused| ConfigError::new(refused.message))?;
            core.policy.store(Arc::new(policy));
            core.forget_pins();
            Ok(version)
        }
        Err(error) => {
            let version = core.policy.load().version.clone();
            // It fails whether this can be written or not.
            drop(core.record_blocking(&record(Outcome::Failed, Some(version))));
            Err(error)
        }
    }
}

/// What is bound and opened once cannot change.
fn check_fixed(now: &Config, next: &Config) -> Result<(), ConfigError> {
    let fixed = [
        ("listen", now.listen == next.listen),
        ("admin", now.admin == next.admin),
        ("state", now.state == next.state),
        ("vault_key", now.vault_keys == next.vault_keys),
        ("tokens", now.tokens == next.tokens),
        ("limits.memory_bytes", now.limits.memory_bytes == next.limits.memory_bytes),
        ("limits.connections", now.limits.connections == next.limits.connections),
        ("audit", now.audit == next.audit),
        ("audit.otlp", now.otlp == next.otlp),
        ("the first command in mcp", mcp::has_commands(now) || !mcp::has_commands(next)),
        ("gate", now.gate.is_some() == next.gate.is_some()),
        ("gate.approvals", fixed(now, |gate| &gate.approvals) == fixed(next, |gate| &gate.approvals)),
        ("gate.totals", fixed(now, |gate| &gate.totals) == fixed(next, |gate| &gate.totals)),
        ("gate.subjects", fixed(now, |gate| &gate.subjects) == fixed(next, |gate| &gate.subjects)),
        ("gate.key_file", fixed(now, |gate| &gate.key_file) == fixed(next, |gate| &gate.key_file)),
        ("gate.stripe.listen", stripe_listen(now) == stripe_listen(next)),
    ];
    match fixed.into_iter().find(|(_, is_same)| !is_same) {
        Some((key, _)) => Err(ConfigError::new(format!("{key}: cannot change while serving: restart"))),
        None => Ok(()),
    }
}

/// Something of the gate that is opened once.
fn fixed<T>(config: &Config, of: impl Fn(&GateConfig) -> &T) -> Option<&T> {
    config.gate.as_ref().map(of)
}

fn stripe_listen(config: &Config) -> Option<SocketAddr> {
    config.gate.as_ref()?.stripe.as_ref()?.listen
}
