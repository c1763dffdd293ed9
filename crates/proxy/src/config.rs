//! The configuration: what the file says, checked, with a default for everything.

mod file;
mod gate;
mod mcp;
mod parts;
mod webhook;

pub use gate::{Approver, GateConfig, Stripe};
pub use mcp::{McpKind, McpPlace, McpServer};
pub use parts::{
    Limits, MediaPolicy, OtlpConfig, Profile, Restore, Source, Timeouts, Upstream, VaultKeySource, Workflow,
};
pub use webhook::Webhook;

use file::{Durable, File, TimeoutsSection};
use obelus_vault::TokenForm;
use obelus_wire::Provider;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the profile and of the workflow that exist if the file names none.
pub const DEFAULT: &str = "default";

/// Everything that can be configured, checked. Holds names of places where secrets are; of secrets the keys of hashes alone,
/// which `Debug` does not show.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub admin: SocketAddr,
    /// The SQLite file of virtual keys and tokens.
    pub state: PathBuf,
    /// The keys of the vault, the newest first.
    pub vault_keys: Vec<VaultKeySource>,
    /// Which tokens the vault makes.
    pub tokens: TokenForm,
    /// The file of records, and what lies beside it.
    pub audit: obelus_audit::Settings,
    /// Where records are sent as well.
    pub otlp: Option<OtlpConfig>,
    /// Whether every request waits for its record to outlive a loss of power before it leaves.
    pub durable_decisions: bool,
    /// Providers that may be reached, by name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// How traffic is read, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What virtual keys may do, by name.
    pub workflows: BTreeMap<String, Workflow>,
    /// Servers of tools, by name.
    pub mcp: BTreeMap<String, McpServer>,
    /// Which calls may go out; nothing if none are served.
    pub gate: Option<GateConfig>,
    /// Whom the sidecar tells at once what people should know.
    pub webhook: Option<Webhook>,
    /// Bounds of size and count.
    pub limits: Limits,
    /// Bounds of time.
    pub timeouts: Timeouts,
    /// The text of the file, from which the version of the policy is made.
    pub(crate) text: String,
}

/// Why a configuration cannot be used: what, where, what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> ConfigError {
        ConfigError(message.into())
    }

    /// The same error with the place before it.
    fn at(place: &str, message: impl fmt::Display) -> ConfigError {
        ConfigError(format!("{place}: {message}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Looks up an environment variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Config {
    /// Reads a configuration file, or takes the defaults if there is none.
    ///
    /// # Errors
    /// A file that cannot be read or says what makes no sense.
    pub fn read(path: Option<&Path>, env: Env<'_>) -> Result<Config, ConfigError> {
        let Some(path) = path else { return Config::parse("", "", Path::new(""), env) };
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            ConfigError::at(&name, format_args!("cannot read it: {error}: check the path"))
        })?;
        Config::parse(&text, &name, path.parent().unwrap_or(Path::new("")), env)
    }

    /// Checks the text of a configuration. `name` stands in errors; paths are relative to `folder`.
    ///
    /// # Errors
    /// Text that is no configuration or says what makes no sense.
    pub fn parse(text: &str, name: &str, folder: &Path, env: Env<'_>) -> Result<Config, ConfigError> {
        let file = read_yaml(text, name)?;
        let at = |error: ConfigError| if name.is_empty() { error } else { ConfigError::at(name, error) };
        check(file, text, folder, env).map_err(at)
    }
}

/// An empty text is a configuration that says nothing.
fn read_yaml(text: &str, name: &str) -> Result<File, ConfigError> {
    let is_silent = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_silent) {
        return Ok(File::default());
    }
    // The drawing of the place would be many lines; the message names line and column.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let text = error.to_string();
        ConfigError::at(name, text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
    })
}

fn check(mut file: File, text: &str, folder: &Path, env: Env<'_>) -> Result<Config, ConfigError> {
    let state_folder = || {
        state_folder(env).ok_or_else(|| {
            ConfigError::new(
                "HOME is not set, so there is no folder of state: name `state`, `vault_key` and `audit.path`",
            )
        })
    };
    let place = |named: Option<PathBuf>, default: &str| match named {
        Some(path) => Ok(folder.join(path)),
        None => state_folder().map(|folder| folder.join(default)),
    };
    let vault_keys =
        parts::vault_keys(file.vault_key, folder, || state_folder().map(|folder| folder.join("vault.key")))?;
    let upstreams = parts::upstreams(file.upstreams, folder)?;
    let profiles = parts::profiles(file.profiles, folder, env)?;
    let workflows = parts::workflows(file.workflows, &upstreams, &profiles)?;
    let mcp = mcp::servers(file.mcp, folder, &workflows, |name| place(None, name))?;
    let limits = parts::limits(&file.limits)?;
    let durable_decisions = file.audit.durable == Durable::Decisions;
    let admin = file.admin.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8788)));
    // Calls of tools are judged, whether or not anything is said of it.
    let section = file.gate.or_else(|| (!mcp.is_empty()).then(file::GateSection::default));
    let gate = section.map(|section| {
        let names = workflows.keys().map(String::as_str).collect();
        gate::gate(section, folder, admin, &names, |name| place(None, name))
    });
    let records = place(file.audit.path.clone(), "audit.jsonl")?;
    let otlp = file.audit.otlp.take().map(|section| parts::otlp(section, folder)).transpose()?;
    let audit = parts::audit(file.audit, folder, records, limits.connections)?;
    Ok(Config {
        listen: file.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8787))),
        admin,
        state: place(file.state, "state.db")?,
        vault_keys,
        tokens: parts::tokens(file.tokens),
        audit,
        otlp,
        durable_decisions,
        upstreams,
        profiles,
        workflows,
        mcp,
        gate: gate.transpose()?,
        webhook: file.webhook.map(|section| webhook::webhook(&section, folder)).transpose()?,
        limits,
        timeouts: timeouts(&file.timeouts)?,
        text: text.to_owned(),
    })
}

/// Where state is kept if the file does not say: as systemd says, as the desktop says, in the home folder.
fn state_folder(env: Env<'_>) -> Option<PathBuf> {
    let named = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("STATE_DIRECTORY")
        .or_else(|| named("XDG_STATE_HOME").map(|folder| folder.join("obelus")))
        .or_else(|| named("HOME").map(|folder| folder.join(".local/state/obelus")))
}

fn timeouts(section: &TimeoutsSection) -> Result<Timeouts, ConfigError> {
    let seconds = |name: &str, said: Option<f64>, default: u64| match said {
        None => Ok(Duration::from_secs(default)),
        Some(said) if said > 0.0 && said <= 86_400.0 => Ok(Duration::from_secs_f64(said)),
        Some(_) => Err(ConfigError::new(format!("timeouts.{name}: choose more than 0 and at most 86400"))),
    };
    Ok(Timeouts {
        header: seconds("header_seconds", section.header_seconds, 10)?,
        body_idle: seconds("body_idle_seconds", section.body_idle_seconds, 10)?,
        connect: seconds("connect_seconds", section.connect_seconds, 5)?,
        response_header: seconds("response_header_seconds", section.response_header_seconds, 60)?,
        stream_idle: seconds("stream_idle_seconds", section.stream_idle_seconds, 300)?,
        drain: seconds("drain_seconds", section.drain_seconds, 30)?,
    })
}

/// The JSON Schema of the configuration file.
///
/// # Errors
/// A schema that cannot be written as JSON, which none is.
pub fn schema() -> Result<String, ConfigError> {
    serde_json::to_string_pretty(&schemars::schema_for!(File))
        .map_err(|error| ConfigError::new(format!("the schema cannot be written: {error}")))
}

/// The name that stands for a provider where an upstream is named after it.
pub(crate) fn provider_name(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenAi => "openai",
        Provider::Anthropic => "anthropic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str) -> Option<OsString> {
        (name == "HOME").then(|| "/somewhere".into())
    }

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, "obelus.yaml", Path::new("/etc/obelus"), &home)
    }

    fn refused(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn without_a_file_everything_has_a_default() {
        let config = Config::read(None, &home).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8787");
        assert_eq!(config.admin.to_string(), "127.0.0.1:8788");
        assert_eq!(config.state, Path::new("/somewhere/.local/state/obelus/state.db"));
        assert_eq!(config.upstreams.keys().collect::<Vec<_>>(), ["anthropic", "openai"]);
        assert_eq!(config.workflows[DEFAULT].profile, DEFAULT);
        assert_eq!(config.limits.body_bytes, 32 << 20);
        assert_eq!(config.timeouts.stream_idle, Duration::from_secs(300));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_place() {
        let text = refused("listen: 127.0.0.1:1\nlimits:\n  body_byte: 5\n");
        assert!(text.starts_with("obelus.yaml: "), "{text}");
        assert!(text.contains("body_byte") && text.contains("line 3"), "{text}");
        assert!(!text.contains('\n'));
        assert!(refused("upstream: {}\n").contains("upstream"));
        assert!(refused("workflows: {a: {route: []}}\n").contains("route"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_do() {
        let token = "0".repeat(64);
        let same_token = format!(
            "gate: {{approvers: {{alice: {{token_sha256: '{token}'}}, bob: {{token_sha256: '{token}'}}}}}}"
        );
        let far_admin =
            format!("admin: 0.0.0.0:1\ngate: {{approvers: {{alice: {{token_sha256: '{token}'}}}}}}");
        for (text, wanted) in [
            ("upstreams: {openai: {url: 'http://api.example.com'}}", "loopback"),
            ("upstreams: {openai: {url: 'ftp://127.0.0.1'}}", "https"),
            ("upstreams: {openai: {url: 'https://api.example.com/v2'}}", "path"),
            ("upstreams: {openai: {url: 'https://me:pw@api.example.com'}}", "host"),
            ("upstreams: {other: {url: 'https://api.example.com'}}", "provider"),
            ("upstreams: {openai: {key: {file: a, env: B}}}", "upstreams.openai.key"),
            ("vault_key: {file: a, env: B}", "vault_key"),
            ("vault_key: {older: [{id: a}]}", "vault_key.older"),
            ("workflows: {a: {upstreams: [nobody]}}", "nobody"),
            ("workflows: {a: {routes: [chat]}}", "chat-completions"),
            ("workflows: {a: {models: []}}", "models"),
            ("workflows: {a: {routes: []}}", "routes"),
            ("workflows: {a: {upstreams: []}}", "upstreams"),
            ("workflows: {a: {profile: nobody}}", "nobody"),
            ("workflows: {a: {session_header: authorization}}", "session_header"),
            ("workflows: {a: {session_header: 'no header'}}", "session_header"),
            ("workflows: {a: {requests_per_minute: 0}}", "requests_per_minute"),
            ("workflows: {'a b': {}}", "a b"),
            ("audit: {segment_bytes: 10}", "audit.segment_bytes"),
            ("audit: {otlp: {url: 'http://logs.example.com'}}", "audit.otlp.url"),
            ("audit: {otlp: {url: 'https://logs.example.com/x'}}", "audit.otlp.url"),
            ("audit: {otlp: {url: 'https://logs.example.com', path: logs}}", "audit.otlp.path"),
            ("audit: {otlp: {url: 'http://127.0.0.1:4318', ca_file: a}}", "audit.otlp.ca_file"),
            ("audit: {otlp: {url: 'https://logs.example.com', headers: {host: {env: A}}}}", "headers.host"),
            ("audit: {otlp: {url: 'https://logs.example.com', headers: {a: {}}}}", "audit.otlp.headers.a"),
            ("limits: {body_bytes: 0}", "limits.body_bytes"),
            ("limits: {memory_bytes: 10}", "limits.memory_bytes"),
            ("timeouts: {header_seconds: 0}", "timeouts.header_seconds"),
            ("timeouts: {header_seconds: .nan}", "timeouts.header_seconds"),
            ("listen: nowhere", "line 1"),
            ("mcp: {'a b': {tools: {find: read}}}", "mcp"),
            ("mcp: {notes: {}}", "mcp.notes.tools"),
            ("mcp: {notes: {tools: {find: reads}}}", "customer_data_read"),
            ("mcp: {notes: {tools: {find: read}, livemode: true}}", "mcp.notes.livemode"),
            ("mcp: {notes: {tools: {find: read}, allow_secret_key: true}}", "mcp.notes.allow_secret_key"),
            ("mcp: {notes: {tools: {find: read}, workflows: [nobody]}}", "nobody"),
            ("mcp: {shop: {kind: stripe, tools: {find: read}}}", "mcp.shop.tools"),
            ("mcp: {shop: {kind: stripe, account: 'no account'}}", "mcp.shop.account"),
            ("gate: {approval_seconds: 5}", "gate.approval_seconds"),
            ("gate: {retention_hours: 1}", "gate.retention_hours"),
            ("gate: {two_approvers_above: {dollars: 5}}", "gate.two_approvers_above"),
            ("gate: {preset: false}", "gate.rules"),
            ("gate: {subjects: subjects.db}", "gate.subjects"),
            ("gate: {approvers: {alice: {token_sha256: abc}}}", "gate.approvers.alice"),
            ("gate: {approvers: {'a b': {token_sha256: abc}}}", "gate.approvers"),
            (&same_token, "gate.approvers.bob"),
            (&far_admin, "gate.approvers"),
            ("gate: {stripe: {}}", "gate.stripe.keys"),
            (
                "webhook: {url: 'http://hooks.example.com/a', secret: {env: A}}",
                "webhook.url: http is for loopback",
            ),
            ("webhook: {url: 'https://me:pw@hooks.example.com/', secret: {env: A}}", "webhook.url"),
            ("webhook: {url: '/a', secret: {env: A}}", "webhook.url"),
            ("webhook: {url: 'https://hooks.example.com/', secret: {}}", "webhook.secret"),
            ("webhook: {url: 'http://127.0.0.1/', secret: {env: A}, ca_file: a}", "webhook.ca_file"),
            ("webhook: {secret: {env: A}}", "url"),
            ("gate: {stripe: {keys: {nobody: {env: A}}}}", "gate.stripe.keys"),
            ("gate: {stripe: {keys: {default: {env: A}}, url: 'http://api.example.com'}}", "gate.stripe.url"),
            (
                "gate: {stripe: {keys: {default: {env: A}}, restore: {PostNothing: [email]}}}",
                "gate.stripe.restore",
            ),
            (
                "gate: {stripe: {keys: {default: {env: A}}, restore: {PostCustomers: [/email]}}}",
                "gate.stripe.restore",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse("state: a.db\naudit: {path: /var/log/a}\nvault_key: {file: k}\n").unwrap();
        assert_eq!(config.state, Path::new("/etc/obelus/a.db"));
        assert_eq!(config.audit.path, Path::new("/var/log/a"));
        let with_audit =
            parse("audit: {key_file: k, checkpoints: /mnt/c, ship: s, stdout: true, segment_bytes: 65536}\n")
                .unwrap();
        let wanted = obelus_audit::Settings {
            key: Some("/etc/obelus/k".into()),
            copies: Some("/mnt/c".into()),
            ship: Some("/etc/obelus/s".into()),
            stdout: true,
            segment_bytes: 65536,
            places: 8192 + 2 * 4096,
            ..obelus_audit::Settings::new("/somewhere/.local/state/obelus/audit.jsonl")
        };
        assert_eq!(with_audit.audit, wanted);
        assert_eq!(config.vault_keys[0].source, Source::File("/etc/obelus/k".into()));
    }

    #[test]
    fn the_schema_knows_every_section_and_no_other_key() {
        let schema: serde_json::Value = serde_json::from_str(&schema().unwrap()).unwrap();
        for section in ["listen", "upstreams", "profiles", "workflows", "limits", "timeouts"] {
            assert!(schema["properties"].get(section).is_some(), "{section}");
        }
        assert_eq!(schema["additionalProperties"], false);
    }
}
