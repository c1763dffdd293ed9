//! The section of the gate, checked.

use super::ConfigError;
use super::parts::{Source, check_name, origin, source};
use crate::config::file::{ApproverSection, GateSection, StripeSection};
use hyper::http::uri::{Authority, Scheme};
use obelus_gate::{Catalogue, Currency, Digest};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bounds of the life of an approval.
const APPROVAL_SECONDS: std::ops::RangeInclusive<u64> = 10..=86_400;
/// Bounds of how long bytes of calls and answers are kept.
const RETENTION_HOURS: std::ops::RangeInclusive<u64> = 24..=24 * 90;

/// The hosts of Stripe's interface, as its documentation has them.
const API: &str = "https://api.stripe.com";
const FILES: &str = "https://files.stripe.com";

/// Which calls may go out, and who decides about those that wait.
#[derive(Clone, Debug)]
pub struct GateConfig {
    /// Whether the shipped rules hold.
    pub preset: bool,
    /// Files of rules.
    pub rules: Vec<PathBuf>,
    /// The SQLite file of approvals.
    pub approvals: PathBuf,
    /// The SQLite file of what went out today.
    pub totals: PathBuf,
    /// The file of the key that seals calls that wait.
    pub key_file: PathBuf,
    /// The SQLite file of keys under which records hold calls as they left, if they do.
    pub subjects: Option<PathBuf>,
    /// How long a call waits.
    pub approval: Duration,
    /// How long bytes of calls and answers are kept.
    pub retention: Duration,
    /// From which amount on two people must approve, in minor units by currency.
    pub two_approvers_above: BTreeMap<Currency, u64>,
    /// Who may decide, by name.
    pub approvers: BTreeMap<String, Approver>,
    /// Stripe's interface.
    pub stripe: Option<Stripe>,
}

/// Somebody who may decide about calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approver {
    /// SHA-256 of the token.
    pub token: Digest,
    /// Ids of virtual keys that are this person's: what they ask for, somebody else decides.
    pub keys: Vec<String>,
}

/// Stripe's interface, and who may use it.
#[derive(Clone, Debug)]
pub struct Stripe {
    /// Where clients connect that cannot send a path before Stripe's own.
    pub listen: Option<SocketAddr>,
    /// Scheme and host of the interface.
    pub api: (Scheme, Authority),
    /// Scheme and host of the one that takes files, if that is known.
    pub files: Option<(Scheme, Authority)>,
    /// The authorities that may vouch for it, if not those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// The only account that calls may name.
    pub account: Option<String>,
    /// Whether a payment is looked up before its refund is judged.
    pub lookups: bool,
    /// Where the key of each workflow is.
    pub keys: BTreeMap<String, Source>,
    /// Whether keys may be used that can do everything.
    pub allow_secret_key: bool,
    /// Where the key is that reads events, for whoever pairs them with records.
    pub events_key: Option<Source>,
    /// Arguments in which tokens become values, by operation.
    pub restore: BTreeMap<String, Vec<String>>,
}

/// `made` is where files lie that the section does not name.
pub(super) fn gate(
    section: GateSection,
    folder: &Path,
    admin: SocketAddr,
    workflows: &BTreeSet<&str>,
    made: impl Fn(&str) -> Result<PathBuf, ConfigError>,
) -> Result<GateConfig, ConfigError> {
    let at = |key: &str, what: &str| Err(ConfigError::at(&format!("gate.{key}"), what));
    let place = |named: Option<PathBuf>, default: &str| match named {
        Some(path) => Ok(folder.join(path)),
        None => made(default),
    };
    let approval_seconds = section.approval_seconds.unwrap_or(600);
    if !APPROVAL_SECONDS.contains(&approval_seconds) {
        return at("approval_seconds", "choose 10 to 86400");
    }
    let retention_hours = section.retention_hours.unwrap_or(24);
    if !RETENTION_HOURS.contains(&retention_hours) {
        return at("retention_hours", "choose 24 to 2160: what may be sent again is needed for a day");
    }
    let mut two_approvers_above = BTreeMap::new();
    for (name, minor) in section.two_approvers_above {
        let Some(currency) = Currency::parse(&name) else {
            return at("two_approvers_above", &format!("`{name}` is no currency: write three letters"));
        };
        two_approvers_above.insert(currency, minor);
    }
    if !section.approvers.is_empty() && !admin.ip().is_loopback() {
        return at(
            "approvers",
            "their tokens would travel unencrypted: let `admin` be a loopback address, or name nobody",
        );
    }
    if section.subjects.is_some() && section.approvers.is_empty() {
        return at("subjects", "nobody could open or erase what is sealed: name somebody in gate.approvers");
    }
    if !section.preset.unwrap_or(true) && section.rules.is_empty() {
        return at("rules", "name at least one file, or leave `preset` on: else nothing could go out");
    }
    Ok(GateConfig {
        preset: section.preset.unwrap_or(true),
        rules: section.rules.iter().map(|path| folder.join(path)).collect(),
        approvals: place(section.approvals, "approvals.db")?,
        totals: place(section.totals, "totals.db")?,
        key_file: place(section.key_file, "approvals.key")?,
        subjects: section.subjects.map(|path| folder.join(path)),
        approval: Duration::from_secs(approval_seconds),
        retention: Duration::from_secs(retention_hours * 3600),
        two_approvers_above,
        approvers: approvers(section.approvers)?,
        stripe: section.stripe.map(|stripe| self::stripe(stripe, folder, workflows)).transpose()?,
    })
}

fn approvers(sections: BTreeMap<String, ApproverSection>) -> Result<BTreeMap<String, Approver>, ConfigError> {
    let (mut approvers, mut tokens) = (BTreeMap::<String, Approver>::new(), Vec::new());
    for (name, section) in sections {
        check_name(&name, "gate.approvers")?;
        let place = format!("gate.approvers.{name}");
        let Some(token) = Digest::parse(&section.token_sha256) else {
            let what = "token_sha256 is not 64 small hexadecimal digits: `obelus approvals token` makes one";
            return Err(ConfigError::at(&place, what));
        };
        if tokens.contains(&token) {
            return Err(ConfigError::at(&place, "somebody else has the same token: make one for each"));
        }
        tokens.push(token);
        approvers.insert(name, Approver { token, keys: section.keys });
    }
    Ok(approvers)
}

fn stripe(section: StripeSection, folder: &Path, workflows: &BTreeSet<&str>) -> Result<Stripe, ConfigError> {
    let at = |key: &str, what: &str| ConfigError::at(&format!("gate.stripe.{key}"), what);
    let api = origin(section.url.as_deref().unwrap_or(API)).map_err(|message| at("url", message))?;
    // Whoever names another host for the interface has said nothing of where files go.
    let files_url = section.files_url.as_deref().or(section.url.is_none().then_some(FILES));
    let files = files_url.map(origin).transpose().map_err(|message| at("files_url", message))?;
    let is_https = |origin: &(Scheme, Authority)| origin.0 == Scheme::HTTPS;
    if section.ca_file.is_some() && !is_https(&api) && !files.as_ref().is_some_and(is_https) {
        return Err(at("ca_file", "only https:// has certificates"));
    }
    if section.keys.is_empty() {
        return Err(at("keys", "name the key of at least one workflow"));
    }
    let mut keys = BTreeMap::new();
    for (name, key) in &section.keys {
        if !workflows.contains(name.as_str()) {
            return Err(at("keys", &format!("`{name}` is none of `workflows`")));
        }
        keys.insert(name.clone(), source(key, &format!("gate.stripe.keys.{name}"), folder)?);
    }
    let events_key = section.events_key.map(|key| source(&key, "gate.stripe.events_key", folder));
    let catalogue = Catalogue::shipped().map_err(|error| ConfigError::new(error.to_string()))?;
    for (operation, paths) in &section.restore {
        if catalogue.entry(operation).is_none_or(|entry| entry.alias_of.is_some()) {
            return Err(at("restore", &format!("`{operation}` is no operation, such as PostCustomers")));
        }
        if paths.iter().any(|path| path.is_empty() || path.contains(['[', ']', '/'])) {
            return Err(at("restore", "write paths as names with dots between, such as shipping.phone"));
        }
    }
    if section.account.as_ref().is_some_and(|account| obelus_audit::Word::new(account).is_none()) {
        return Err(at("account", "this is no id of an account"));
    }
    Ok(Stripe {
        listen: section.listen,
        api,
        files,
        ca_file: section.ca_file.map(|path| folder.join(path)),
        account: section.account,
        lookups: section.lookups.unwrap_or(true),
        keys,
        allow_secret_key: section.allow_secret_key,
        events_key: events_key.transpose()?,
        restore: section.restore,
    })
}
