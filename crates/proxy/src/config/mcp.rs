//! The section of servers of tools, checked.

use super::parts::{Restore, Workflow, check_name};
use super::{ConfigError, file::RestoreSection};
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
        let named = section.workflows.unwrap_or_else(|| workflows.keys().cloned().collect());
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
        };
        servers.insert(name, server);
    }
    Ok(servers)
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
