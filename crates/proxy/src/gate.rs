//! Calls of other services than model providers: judged, recorded, sent once, and redacted on their way back.
//!
//! `handler` reads top to bottom as a call goes: authenticate, understand, judge, execute.

mod desk;
mod execute;
mod form;
mod handler;
mod incoming;
mod judge;
mod page;
mod people;
mod reply;
mod session;
mod subjects;
mod summary;
mod sweep;
mod token;

pub(crate) use desk::answer as approvals;
pub(crate) use handler::{Surface, handle};
pub(crate) use people::People;
pub(crate) use subjects::{answer as subjects, sealed, subject, tool_call};
pub(crate) use summary::SECRET_KEY;
pub(crate) use sweep::sweep;
pub use token::{ApproverToken, approver_token};

use session::Sessions;

use crate::config::{Config, ConfigError, Env, GateConfig, Stripe};
use crate::policy::{authorities, one_line, secret, wire_profile};
use crate::refused::{Refused, Why};
use crate::stores::{StartError, make_folder};
use crate::upstream::Client;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use obelus_audit::Word;
use obelus_gate::{Approvals, Catalogue, Entry, PolicyFile, SealKey, SqliteTotals, Subjects};
use obelus_vault::VaultKey;
use obelus_wire::Documents;
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// The rules of a configuration, and who may do what under them.
pub(crate) struct Gate {
    pub(crate) config: GateConfig,
    pub(crate) rules: obelus_gate::Policy,
    pub(crate) rules_version: Word,
    pub(crate) catalogue: &'static Catalogue,
    accesses: HashMap<String, Arc<Access>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("rules_version", &self.rules_version).finish_non_exhaustive()
    }
}

/// How a workflow reaches Stripe.
pub(crate) struct Access {
    pub(crate) stripe: Stripe,
    pub(crate) client: Client,
    /// The key of the workflow, as the header that holds it.
    credential: HeaderValue,
    /// Whether the key is a live one.
    pub(crate) livemode: bool,
    /// Whether the key can do everything.
    pub(crate) is_secret_key: bool,
    pub(crate) documents: Documents,
}

/// What outlives the process.
#[derive(Debug)]
pub(crate) struct GateStores {
    pub(crate) approvals: Approvals,
    pub(crate) totals: SqliteTotals,
    /// Keys under which records hold calls as they left, if they do.
    pub(crate) subjects: Option<Subjects>,
    pub(crate) sessions: Sessions,
    /// Counts changes of approvals, for whoever waits for one.
    changes: watch::Sender<u64>,
}

impl Gate {
    /// Reads rules and keys, and compiles.
    pub(crate) fn compile(config: &Config, env: Env<'_>) -> Result<Option<Gate>, ConfigError> {
        let Some(gate) = &config.gate else { return Ok(None) };
        let fault = |error: String| ConfigError::new(one_line(&error));
        let mut files: Vec<PolicyFile> = gate.preset.then(PolicyFile::preset).into_iter().collect();
        for path in &gate.rules {
            let name = path.display().to_string();
            let text = fs::read_to_string(path)
                .map_err(|error| fault(format!("{name}: cannot read the rules: {error}: check the path")))?;
            files.push(PolicyFile { name, text });
        }
        let rules = obelus_gate::Policy::load(&files, &crate::mcp::servers(config))
            .map_err(|error| fault(error.to_string()))?;
        if let Some(rule) = rules.rules().into_iter().find(|rule| Word::new(&rule.id).is_none()) {
            return Err(fault(format!(
                "{}:{}: the id of the rule cannot stand in records: use letters, digits and ._:/-",
                rule.file, rule.line
            )));
        }
        let rules_version =
            Word::new(rules.version()).ok_or_else(|| fault("rules: no version".to_owned()))?;
        let accesses = match &gate.stripe {
            None => HashMap::new(),
            Some(stripe) => accesses(config, stripe, env)?,
        };
        let catalogue = Catalogue::shipped().map_err(|error| fault(error.to_string()))?;
        Ok(Some(Gate { config: gate.clone(), rules, rules_version, catalogue, accesses }))
    }

    /// How each workflow that may reaches Stripe.
    pub(crate) fn accesses(&self) -> impl Iterator<Item = (&str, &Arc<Access>)> {
        self.accesses.iter().map(|(workflow, access)| (workflow.as_str(), access))
    }

    /// How a workflow reaches Stripe, if it may.
    pub(crate) fn access(&self, workflow: &str) -> Option<&Arc<Access>> {
        self.accesses.get(workflow)
    }

    /// What somebody who starts the sidecar should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "gate: rules {}, a call waits {:?}, {} may decide",
            self.rules_version,
            self.config.approval,
            self.config.approvers.len()
        )];
        let wanted = self.rules.rules().iter().filter_map(|rule| rule.approvers).max().unwrap_or(0);
        let wanted = usize::from(wanted).max(if self.config.two_approvers_above.is_empty() { 0 } else { 2 });
        if wanted > self.config.approvers.len() {
            notes.push(format!(
                "missing: people who approve: some calls need {wanted}, and are denied: name them in gate.approvers"
            ));
        }
        let mut names: Vec<(&String, &Arc<Access>)> = self.accesses.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        for (name, access) in names {
            let mode = if access.livemode { "live" } else { "test" };
            notes.push(match access.is_secret_key {
                false => format!("workflow {name}: Stripe with a restricted key, {mode} mode"),
                true => format!(
                    "warning: workflow {name}: Stripe with a SECRET key, which can do everything, {mode} mode"
                ),
            });
        }
        notes
    }
}

impl Access {
    pub(crate) fn credential(&self) -> HeaderValue {
        self.credential.clone()
    }

    /// The host that serves an operation, if calls to it are made.
    fn origin(&self, entry: Option<&Entry>) -> Result<&(Scheme, Authority), Refused> {
        let refuse = |message: &'static str| Err(Refused::new(403, Why::Denied, message));
        match entry.and_then(|entry| Some((entry.base.as_deref()?, entry.method.as_str()))) {
            None => Ok(&self.stripe.api),
            Some(("files", "POST")) => match &self.stripe.files {
                Some(files) => Ok(files),
                None => refuse("denied: no host is known that takes files: name it in gate.stripe.files_url"),
            },
            Some(("files", _)) => {
                refuse("denied: its answer is a document, which cannot be read: look at it in the dashboard")
            }
            Some(_) => refuse(
                "denied: another host than that of the interface serves this operation, and it is not reached",
            ),
        }
    }
}

/// What a key of Stripe's says of itself.
pub(crate) struct StripeKey {
    pub(crate) livemode: bool,
    pub(crate) is_secret_key: bool,
}

impl StripeKey {
    /// Reads a key. One that can do everything needs leave.
    pub(crate) fn of(key: &str, allow_secret_key: bool) -> Result<StripeKey, &'static str> {
        let is_secret_key = key.starts_with("sk_");
        let (livemode, rest) = match key.split_at_checked(8) {
            Some(("rk_live_" | "sk_live_", rest)) => (true, rest),
            Some(("rk_test_" | "sk_test_", rest)) => (false, rest),
            _ => return Err("this is no restricted key: it begins with rk_live_ or rk_test_"),
        };
        if is_secret_key && !allow_secret_key {
            return Err(
                "a secret key can do everything: make a restricted one (rk_), or set allow_secret_key",
            );
        }
        if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err("holds what no key of Stripe's holds");
        }
        Ok(StripeKey { livemode, is_secret_key })
    }

    /// What people are told of it.
    pub(crate) fn describe(&self) -> &'static str {
        if self.is_secret_key { summary::SECRET_KEY } else { summary::RESTRICTED_KEY }
    }
}

/// The header that holds a key.
pub(crate) fn bearer(key: &str) -> Option<HeaderValue> {
    let text = zeroize::Zeroizing::new(format!("Bearer {key}"));
    let mut value = HeaderValue::from_str(&text).ok().filter(|_| !key.is_empty())?;
    value.set_sensitive(true);
    Some(value)
}

fn accesses(
    config: &Config,
    stripe: &Stripe,
    env: Env<'_>,
) -> Result<HashMap<String, Arc<Access>>, ConfigError> {
    let trusted = stripe.ca_file.as_ref().map(|path| authorities("gate.stripe", path)).transpose()?;
    let client = Client::new(&config.timeouts, trusted)?;
    let mut accesses = HashMap::new();
    for (name, source) in &stripe.keys {
        let at = |what: &str| ConfigError::new(format!("gate.stripe.keys.{name}: {what}"));
        let Some(key) = secret(source, env)? else {
            return Err(at("there is no key: set the variable"));
        };
        let StripeKey { livemode, is_secret_key } =
            StripeKey::of(&key, stripe.allow_secret_key).map_err(at)?;
        let credential = bearer(&key).ok_or_else(|| at("holds what no header can hold"))?;
        let profile = config.workflows.get(name).and_then(|flow| config.profiles.get(&flow.profile));
        let profile = profile.ok_or_else(|| at("its workflow has no profile"))?;
        let documents =
            Documents::new(&wire_profile(profile)?).map_err(|error| at(&one_line(&error.to_string())))?;
        let access = Access {
            stripe: stripe.clone(),
            client: client.clone(),
            credential,
            livemode,
            is_secret_key,
            documents,
        };
        accesses.insert(name.clone(), Arc::new(access));
    }
    Ok(accesses)
}

impl GateStores {
    /// Opens both files and reads the key, making what is not there.
    pub(crate) fn open(config: &GateConfig) -> Result<GateStores, StartError> {
        for path in [&config.approvals, &config.totals, &config.key_file].into_iter().chain(&config.subjects)
        {
            make_folder(path)?;
        }
        let fault = |error: String| StartError::Config(ConfigError::new(error));
        let key = VaultKey::from_file("approvals", &config.key_file)
            .map_err(|error| fault(format!("gate.key_file: {error}")))?;
        let seals = |purpose: &str| SealKey::new(key.derived(purpose));
        let subjects = config.subjects.as_ref().map(|path| {
            Subjects::open(path, seals("subjects"), key.derived("names of subjects"))
                .map_err(|error| fault(format!("gate.subjects: {error}")))
        });
        Ok(GateStores {
            approvals: Approvals::open(&config.approvals, seals("approvals"))
                .map_err(|error| fault(error.to_string()))?,
            subjects: subjects.transpose()?,
            totals: SqliteTotals::open(&config.totals).map_err(|error| fault(error.to_string()))?,
            sessions: Sessions::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// An approval stands otherwise than before: whoever waits looks again.
    pub(crate) fn ring(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How often that was so.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
