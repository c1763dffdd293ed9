//! The configuration file as it is written: every key may be absent, an unknown one is an error.

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The configuration of the sidecar. Paths are relative to the folder of this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// Where clients connect. Default `127.0.0.1:8787`.
    #[schemars(with = "Option<String>")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where health and metrics are served. Default `127.0.0.1:8788`.
    #[schemars(with = "Option<String>")]
    pub(crate) admin: Option<SocketAddr>,
    /// The SQLite file of virtual keys and tokens. Default `state.db` in the folder of state
    /// (`$STATE_DIRECTORY`, `$XDG_STATE_HOME/obelus` or `~/.local/state/obelus`).
    pub(crate) state: Option<PathBuf>,
    /// The key of the vault. Default: the file `vault.key` in the folder of state.
    pub(crate) vault_key: Option<VaultKeySection>,
    /// Which tokens are made. Default `short`.
    pub(crate) tokens: Tokens,
    /// Records of decisions.
    pub(crate) audit: AuditSection,
    /// Providers that may be reached, by name. Default: `openai` and `anthropic` with their public hosts and the keys
    /// in `OPENAI_API_KEY` and `ANTHROPIC_API_KEY`.
    pub(crate) upstreams: Option<BTreeMap<String, UpstreamSection>>,
    /// How traffic is read, by name. Default: `default` with every default of its own.
    pub(crate) profiles: Option<BTreeMap<String, ProfileSection>>,
    /// What virtual keys may do, by name. Default: `default` with every upstream, route and model.
    pub(crate) workflows: Option<BTreeMap<String, WorkflowSection>>,
    /// Servers of tools (MCP), by name. Default: none.
    pub(crate) mcp: BTreeMap<String, super::mcp::McpSection>,
    /// Which calls may go out, and who decides about those that wait. Default: no calls are served.
    pub(crate) gate: Option<GateSection>,
    /// Whom the sidecar tells at once of exposed keys, of calls that wait or were decided, and of an audit that fails.
    /// Default: nobody.
    pub(crate) webhook: Option<super::webhook::WebhookSection>,
    /// Bounds of size and count.
    pub(crate) limits: LimitsSection,
    /// Bounds of time.
    pub(crate) timeouts: TimeoutsSection,
}

/// Where a secret is read from. Exactly one of both.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Source {
    /// A file; one line break at its end is no part of the secret.
    pub(crate) file: Option<PathBuf>,
    /// The name of an environment variable.
    pub(crate) env: Option<String>,
}

/// The key of the vault: 64 hexadecimal digits, as `openssl rand -hex 32` writes them. A file that does not exist is
/// made with a new key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VaultKeySection {
    /// The name of the key. Default `1`.
    pub(crate) id: Option<String>,
    /// A file that its owner alone may read.
    pub(crate) file: Option<PathBuf>,
    /// The name of an environment variable.
    pub(crate) env: Option<String>,
    /// Keys that were in use before: their tokens can still be turned back.
    pub(crate) older: Vec<OlderKeySection>,
}

/// Which tokens are made. Both are turned back, whichever are made.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tokens {
    /// Names for values that are kept in `state`, for a day.
    #[default]
    Short,
    /// The values themselves, sealed: every sidecar with the same `vault_key` (id and key) turns them back, for tenants and
    /// sessions of the same names, without sharing anything else. They do not expire and are not erased but with the key. A
    /// value of more than 88 bytes gets a short one.
    Sealed,
}

/// A key that was in use before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OlderKeySection {
    /// The name that it had.
    pub(crate) id: String,
    /// A file that its owner alone may read.
    pub(crate) file: Option<PathBuf>,
    /// The name of an environment variable.
    pub(crate) env: Option<String>,
}

/// Records of decisions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSection {
    /// The file that is written, one JSON object a line. Finished ones lie beside it. Default `audit.jsonl` in the folder
    /// of state.
    pub(crate) path: Option<PathBuf>,
    /// The file of the key that signs checkpoints, made at the first start. Default: beside the records, with the ending
    /// `.key`.
    pub(crate) key_file: Option<PathBuf>,
    /// A folder to which checkpoints are copied. It must be there, and should be where nobody who can write records can
    /// take anything away. Default: none, then nothing shows it when records are cut off or written anew.
    pub(crate) checkpoints: Option<PathBuf>,
    /// A folder to which finished files of records are copied, compressed (zstd), for others to take away. It must be there.
    /// Default: none.
    pub(crate) ship: Option<PathBuf>,
    /// Whether records are written to standard output as well, once they are kept. Default: false.
    pub(crate) stdout: bool,
    /// A collector of logs to which records are sent as well, once they are kept. Default: none.
    pub(crate) otlp: Option<OtlpSection>,
    /// Which requests leave only when their record outlives a loss of power: `effects`, those whose answers may turn tokens
    /// into values for tools and the first of each virtual key, or `decisions`, all. Default `effects`.
    pub(crate) durable: Durable,
    /// How long a file becomes before the next begins, in bytes, at least 65536. Default 67108864 (64 MiB).
    pub(crate) segment_bytes: Option<u64>,
}

/// A collector of logs, which speaks OTLP over HTTP and reads JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtlpSection {
    /// Scheme, host and, if need be, port, without a path. `http` is for loopback addresses only.
    pub(crate) url: String,
    /// The path that takes logs. Default `/v1/logs`.
    pub(crate) path: Option<String>,
    /// Headers that requests have, by name, such as a key of the collector's.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Source>,
    /// A file of certificates (PEM): only authorities among them may vouch for the collector. Default: those that browsers
    /// trust.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Which requests wait for their record.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durable {
    /// Those that may have an effect beside the answer.
    #[default]
    Effects,
    /// All.
    Decisions,
}

/// A provider that may be reached.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamSection {
    /// Whose form requests and answers have. Default: the upstream's name.
    pub(crate) provider: Option<ProviderName>,
    /// Scheme, host and, if need be, port, without a path. `http` is for loopback addresses only.
    pub(crate) url: Option<String>,
    /// The provider's key. Default: the usual variable of the provider.
    pub(crate) key: Option<Source>,
    /// A file of certificates (PEM): only authorities among them may vouch for this upstream. Default: those that
    /// browsers trust.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Whose form requests and answers have.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProviderName {
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
}

/// How traffic is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProfileSection {
    /// Rule files. The first that names a category wins over later ones and over the built-in rules.
    pub(crate) rules: Vec<PathBuf>,
    /// Allow-lists: findings that may stay, each with a reason.
    pub(crate) allow: Vec<PathBuf>,
    /// How strong the evidence of a finding must be: `possible`, `likely` or `certain`. Default `likely`.
    pub(crate) level: LevelName,
    /// `balanced` lets last 4, expiry, country and merchant names stay; `strict` does not. Default `balanced`.
    pub(crate) profile: Strictness,
    /// What happens to media that are not read: the request is refused, or it passes and the record says so. Default
    /// `block`.
    pub(crate) media: Media,
    /// What stands in place of a finding in a request, unless a rule file says it for the category. Default `token`.
    pub(crate) transform: TransformName,
    /// The key of hashes, at least 32 bytes: a file, or a variable whose name begins with `OBELUS_`. Without one, no
    /// transform may be `hash`, in rule files either.
    pub(crate) hash_key: Option<Source>,
    /// Tools in whose arguments tokens become values again; elsewhere arguments keep their tokens.
    pub(crate) restore_arguments: Vec<RestoreSection>,
}

/// `balanced` or `strict`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strictness {
    #[default]
    Balanced,
    Strict,
}

/// How strong the evidence of a finding must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LevelName {
    /// Cues that are as often wrong as right.
    Possible,
    /// Form and context agree.
    #[default]
    Likely,
    /// Check digits, prefixes, forms that hardly come about by chance.
    Certain,
}

/// What happens to media that are not read.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Media {
    /// The request is refused.
    #[default]
    Block,
    /// It passes, and the record says so.
    Mark,
}

/// What stands in place of a finding.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TransformName {
    /// A token that becomes the value again in the answer.
    #[default]
    Token,
    /// The category in square brackets.
    Label,
    /// The category and a keyed hash in square brackets: the same value has the same one under the same key.
    Hash,
    /// As many characters, with only what may be shown.
    Mask,
    /// Nothing.
    Remove,
    /// The year of a date of birth, the country of an address, the network of an IP address; otherwise the label.
    Generalise,
}

/// A tool in whose arguments tokens become values again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreSection {
    /// The name of the tool.
    pub(crate) tool: String,
    /// Places in its arguments, each with everything below it: names, and `*` for any member or element, each behind a
    /// slash, such as `/customer/email`. Default: `/*`, all of them.
    pub(crate) paths: Option<Vec<String>>,
}

/// What virtual keys of a workflow may do.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkflowSection {
    /// Names of upstreams, at most one of each provider. Default: all.
    pub(crate) upstreams: Option<Vec<String>>,
    /// Names of routes. Default: all.
    pub(crate) routes: Option<Vec<String>>,
    /// Models, with `*` for any run of characters. Default: all.
    pub(crate) models: Option<Vec<String>>,
    /// The name of a profile. Default `default`.
    pub(crate) profile: Option<String>,
    /// Requests of one virtual key in a minute. Default 600.
    pub(crate) requests_per_minute: Option<u32>,
    /// Requests of one virtual key in a day. Default: no limit.
    pub(crate) requests_per_day: Option<u32>,
    /// The request header that names the session. Default: one session per virtual key.
    pub(crate) session_header: Option<String>,
}

/// Bounds of size and count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    /// Bytes of a request body, before and after decompression. Default 33554432.
    pub(crate) body_bytes: Option<u32>,
    /// Bytes of an answer that is not streamed. Default 33554432.
    pub(crate) answer_bytes: Option<u32>,
    /// Bytes of the bodies that are in memory at one time, all requests together. Default 268435456.
    pub(crate) memory_bytes: Option<u64>,
    /// Bytes of a request's head. Default 65536.
    pub(crate) header_bytes: Option<u32>,
    /// Header lines of a request. Default 100.
    pub(crate) headers: Option<u32>,
    /// Connections open at one time. Default 4096.
    pub(crate) connections: Option<u32>,
}

/// Bounds of time, in seconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TimeoutsSection {
    /// From the start of a connection, or the end of an answer, to the end of the next request's head. Default 10.
    pub(crate) header_seconds: Option<f64>,
    /// Between two pieces of a request body; beyond it, a body must also come at 1 KiB a second. Default 10.
    pub(crate) body_idle_seconds: Option<f64>,
    /// For the connection to an upstream. Default 5.
    pub(crate) connect_seconds: Option<f64>,
    /// From the request to the head of the upstream's answer. Default 60.
    pub(crate) response_header_seconds: Option<f64>,
    /// Between two pieces of an answer, and until a client takes some of it. Default 300.
    pub(crate) stream_idle_seconds: Option<f64>,
    /// For open requests once the process was told to end. Default 30.
    pub(crate) drain_seconds: Option<f64>,
}

/// Which calls may go out, and who decides about those that wait.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GateSection {
    /// Whether the shipped rules hold. Default `true`.
    pub(crate) preset: Option<bool>,
    /// Files of rules (Cedar), added to the shipped ones.
    pub(crate) rules: Vec<PathBuf>,
    /// The SQLite file of approvals. Default `approvals.db` in the folder of state.
    pub(crate) approvals: Option<PathBuf>,
    /// The SQLite file of what went out today. Default `totals.db` in the folder of state.
    pub(crate) totals: Option<PathBuf>,
    /// The file of the key that seals calls that wait, 64 hexadecimal digits, made at the first start. Default
    /// `approvals.key` in the folder of state.
    pub(crate) key_file: Option<PathBuf>,
    /// The SQLite file of keys, one for each customer, under which records hold calls as they left. Default: none, then
    /// records hold them redacted alone.
    pub(crate) subjects: Option<PathBuf>,
    /// How long a call waits before it is denied, in seconds. Default 600.
    pub(crate) approval_seconds: Option<u64>,
    /// How long the bytes of calls that waited, and of their answers, are kept after their end, in hours. Default 24.
    pub(crate) retention_hours: Option<u64>,
    /// Amounts above which two people must approve, whatever the rules say, in minor units by currency. What has no known
    /// amount or another currency is above, too. Default: none.
    pub(crate) two_approvers_above: BTreeMap<String, u64>,
    /// Who may decide, by name. Default: nobody; then what must wait is denied.
    pub(crate) approvers: BTreeMap<String, ApproverSection>,
    /// Stripe's interface. Default: not served.
    pub(crate) stripe: Option<StripeSection>,
}

/// Somebody who may decide.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproverSection {
    /// SHA-256 of the person's token, as `obelus approvals token` writes it.
    pub(crate) token_sha256: String,
    /// Ids of virtual keys that are this person's: what they ask for, somebody else must approve.
    #[serde(default)]
    pub(crate) keys: Vec<String>,
}

/// Stripe's interface, and who may use it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StripeSection {
    /// A listener of its own, for clients that cannot send `/stripe` before the path. Default: none.
    #[schemars(with = "Option<String>")]
    pub(crate) listen: Option<SocketAddr>,
    /// Scheme and host of the interface. `http` is for loopback addresses only. Default `https://api.stripe.com`.
    pub(crate) url: Option<String>,
    /// Scheme and host to which files are sent (`POST /v1/files`). Default `https://files.stripe.com`; none where `url`
    /// says another host, and then files are refused.
    pub(crate) files_url: Option<String>,
    /// A file of certificates (PEM): only authorities among them may vouch for the interface.
    pub(crate) ca_file: Option<PathBuf>,
    /// The only account that calls may name. Default: any that the key reaches.
    pub(crate) account: Option<String>,
    /// Whether a payment is looked up before its refund or capture is judged. Without that, one without an amount is
    /// above every limit. Default `true`.
    pub(crate) lookups: Option<bool>,
    /// The restricted key (`rk_…`) of each workflow that may use the interface.
    pub(crate) keys: BTreeMap<String, Source>,
    /// Whether keys may be used that can do everything (`sk_…`). They are shown as such. Default `false`.
    pub(crate) allow_secret_key: bool,
    /// A restricted key (`rk_…`) that reads events and nothing else, for `obelus audit reconcile --fetch`. The sidecar
    /// does not use it. Default: none.
    pub(crate) events_key: Option<Source>,
    /// Arguments in which tokens become values on the way to Stripe, by operation, such as
    /// `PostCustomers: [email, shipping.phone]`. Elsewhere a token refuses the call. Default: none.
    pub(crate) restore: BTreeMap<String, Vec<String>>,
}
