//! The section of servers of tools, checked.

use super::ConfigError;
use super::file::{RestoreSection, Source as SourceSection};
use super::parts::{Restore, Source, Workflow, check_name, origin, source};
use hyper::http::uri::{Authority, Scheme, Uri};
use obelus_gate::RiskClass;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A server of tools.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct McpSection {
    /// Whose tools it has. Default `other`.
    kind: KindName,
    /// The class of each tool, such as `find: read`; what has none is denied. Not for Stripe's, which are known.
    tools: BTreeMap<String, String>,
    /// Whether its key is a live one. Default: what the key says, where it stands among the arguments of the command or
    /// in `STRIPE_SECRET_KEY`; else it counts as live. For Stripe's alone.
    livemode: Option<bool>,
    /// The account of its key. For Stripe's alone.
    account: Option<String>,
    /// Workflows that may use it. Default: all.
    workflows: Option<Vec<String>>,
    /// Arguments in which tokens become values again; elsewhere they stay.
    restore_arguments: Vec<RestoreSection>,
    /// The file in which definitions of its tools are pinned. Default `pins-NAME.json` in the folder of state.
    pins: Option<PathBuf>,
    /// What happens when a definition is not the one that is pinned: the tool is stopped, or it is recorded. Default
    /// `stop`.
    on_change: OnChangeName,
    /// Whether a key may be used that can do everything (`sk_…`). Default `false`. For Stripe's alone.
    allow_secret_key: bool,
    /// Where it is, if it is not run as a command: it is reached at `/mcp/NAME` of the sidecar then. `http` is for loopback
    /// addresses only. Default: it is run by `obelus mcp`.
    url: Option<String>,
    /// The key for it, for each workflow that may use it. Default: it asks for none. Only with `url`.
    keys: BTreeMap<String, SourceSection>,
    /// A file of certificates (PEM): only authorities among them may vouch for it. Default: those that browsers trust.
    /// Only with `url`.
    ca_file: Option<PathBuf>,
}

/// Whose tools a server has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum KindName {
    /// Stripe's: what calls mean is known.
    Stripe,
    /// Anybody's: each tool has a class.
    #[default]
    Other,
}

/// What a changed definition does.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnChangeName {
    /// The tool is not shown and not called.
    #[default]
    Stop,
    /// It is recorded.
    Record,
}

/// Whose tools a server has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum McpKind {
    /// Stripe's.
    Stripe {
        /// Whether its key is a live one, if the file says so.
        livemode: Option<bool>,
        /// The account of its key, if the file says so.
        account: Option<String>,
        /// Whether a key may be used that can do everything.
        allow_secret_key: bool,
    },
    /// Anybody's, with the class of each tool.
    Other(BTreeMap<String, RiskClass>),
}

/// A server of tools.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct McpServer {
    /// Whose tools it has.
    pub kind: McpKind,
    /// Workflows that may use it.
    pub workflows: Vec<String>,
    /// Arguments in which tokens become values again.
    pub restore_arguments: Vec<Restore>,
    /// The file in which definitions of its tools are pinned.
    pub pins: PathBuf,
    /// Whether a tool is stopped when its definition is not the one that is pinned.
    pub stops_changed: bool,
    /// Where it is; nothing if it is run as a command.
    pub place: Option<McpPlace>,
}

/// Where a server of tools is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct McpPlace {
    /// Scheme and host.
    pub origin: (Scheme, Authority),
    /// The path of its one endpoint.
    pub path: String,
    /// The authorities that may vouch for it, if not those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// Where the key of each workflow is; none if it asks for none.
    pub keys: BTreeMap<String, Source>,
}

/// `made` is where files lie that the section does not name.
pub(super) fn servers(
    sections: BTreeMap<String, McpSection>,
    folder: &Path,
    workflows: &BTreeMap<String, Workflow>,
    made: impl Fn(&str) -> Result<PathBuf, ConfigError>,
) -> Result<BTreeMap<String, McpServer>, ConfigError> {
    let mut servers = BTreeMap::new();
    for (name, section) in sections {
        check_name(&name, "mcp")?;
        let at = |key: &str, what: &str| Err(ConfigError::at(&format!("mcp.{name}.{key}"), what));
        let kind = match section.kind {
            KindName::Stripe if !section.tools.is_empty() => {
                return at("tools", "the classes of Stripe's tools are known: leave it out");
            }
            KindName::Stripe => {
                let is_id = |id: &String| id.starts_with("acct_") && obelus_audit::Word::new(id).is_some();
                if section.account.as_ref().is_some_and(|account| !is_id(account)) {
                    return at("account", "this is no id of an account: write acct_…");
                }
                McpKind::Stripe {
                    livemode: section.livemode,
                    account: section.account,
                    allow_secret_key: section.allow_secret_key,
                }
            }
            KindName::Other if section.livemode.is_some() => {
                return at("livemode", "for `kind: stripe` alone");
            }
            KindName::Other if section.account.is_some() => return at("account", "for `kind: stripe` alone"),
            KindName::Other if section.allow_secret_key => {
                return at("allow_secret_key", "for `kind: stripe` alone");
            }
            KindName::Other if section.tools.is_empty() => {
                return at("tools", "give a class to one tool at least: every other call is denied");
            }
            KindName::Other => McpKind::Other(classes(&name, section.tools)?),
        };
        let place = place(&name, &section.url, section.keys, section.ca_file, folder)?;
        let with_key = place.as_ref().map(|place| &place.keys).filter(|keys| !keys.is_empty());
        if matches!((&kind, &place), (McpKind::Stripe { .. }, Some(place)) if place.keys.is_empty()) {
            return at("keys", "name the key of at least one workflow");
        }
        let named = match (section.workflows, with_key) {
            (None, None) => workflows.keys().cloned().collect(),
            (None, Some(keys)) => keys.keys().cloned().collect(),
            (Some(named), keys) => {
                if let Some(name) =
                    named.iter().find(|name| keys.is_some_and(|keys| !keys.contains_key(*name)))
                {
                    return at("keys", &format!("there is none for the workflow `{name}`"));
                }
                named
            }
        };
        if let Some(unknown) = named.iter().find(|name| !workflows.contains_key(*name)) {
            return at("workflows", &format!("`{unknown}` is none of `workflows`"));
        }
        let restore_arguments = section.restore_arguments.into_iter().map(|restore| Restore {
            tool: restore.tool,
            paths: restore.paths.unwrap_or_else(|| vec!["/*".to_owned()]),
        });
        let server = McpServer {
            kind,
            workflows: named,
            restore_arguments: restore_arguments.collect(),
            pins: match section.pins {
                Some(path) => folder.join(path),
                None => made(&format!("pins-{}.json", name.replace(['/', ':'], "-")))?,
            },
            stops_changed: matches!(section.on_change, OnChangeName::Stop),
            place,
        };
        servers.insert(name, server);
    }
    Ok(servers)
}

fn place(
    name: &str,
    url: &Option<String>,
    keys: BTreeMap<String, SourceSection>,
    ca_file: Option<PathBuf>,
    folder: &Path,
) -> Result<Option<McpPlace>, ConfigError> {
    let at = |key: &str, what: &str| ConfigError::at(&format!("mcp.{name}.{key}"), what);
    let Some(url) = url else {
        let given = [("keys", !keys.is_empty()), ("ca_file", ca_file.is_some())];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) => Err(at(key, "only with `url`: a command has its key in its own environment")),
            None => Ok(None),
        };
    };
    let uri = url.parse::<Uri>().or(Err(at("url", "write https://, a host and a path")))?;
    let path = uri.path().to_owned();
    if uri.query().is_some() {
        return Err(at("url", "leave the query out"));
    }
    let bare = url.strip_suffix(path.as_str()).unwrap_or(url);
    let origin = origin(bare).map_err(|message| at("url", message))?;
    if ca_file.is_some() && origin.0 != Scheme::HTTPS {
        return Err(at("ca_file", "only https:// has certificates"));
    }
    let keys = keys.iter().map(|(workflow, key)| {
        source(key, &format!("mcp.{name}.keys.{workflow}"), folder).map(|key| (workflow.clone(), key))
    });
    Ok(Some(McpPlace {
        origin,
        path,
        ca_file: ca_file.map(|path| folder.join(path)),
        keys: keys.collect::<Result<_, _>>()?,
    }))
}

fn classes(
    server: &str,
    tools: BTreeMap<String, String>,
) -> Result<BTreeMap<String, RiskClass>, ConfigError> {
    let known = || RiskClass::ALL.map(RiskClass::as_str).join(", ");
    let read = tools.into_iter().map(|(tool, class)| {
        match RiskClass::ALL.into_iter().find(|known| known.as_str() == class) {
            Some(class) => Ok((tool, class)),
            None => Err(ConfigError::at(
                &format!("mcp.{server}.tools.{tool}"),
                format_args!("`{class}` is no class: write one of {}", known()),
            )),
        }
    });
    read.collect()
}
