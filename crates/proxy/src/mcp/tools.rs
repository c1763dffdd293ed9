//! Servers of tools, compiled.

use super::http::Params;
use super::tools_of;
use crate::config::{Config, ConfigError, Env, McpKind, McpPlace, McpServer, Timeouts};
use crate::gate::{SECRET_KEY, StripeKey, bearer};
use crate::policy::{authorities, one_line, secret, wire_profile};
use crate::upstream::Client;
use hyper::header::HeaderValue;
use obelus_gate::Servers;
use obelus_mcp::Kind;
use obelus_wire::{Documents, Messages, RestoredArgument};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A server of tools: how its messages are read.
pub(crate) struct Tools {
    pub(crate) config: McpServer,
    /// By workflow.
    readings: HashMap<String, Reading>,
    /// Where it is, if it is not run as a command.
    pub(crate) reach: Option<Reach>,
}

/// A server of tools that is elsewhere.
pub(crate) struct Reach {
    pub(crate) place: McpPlace,
    pub(crate) client: Client,
    /// By workflow.
    ways: HashMap<String, Way>,
    /// Parameters that its tools want in headers as well.
    pub(crate) params: Params,
}

/// How the keys of a workflow reach a server.
#[derive(Clone)]
pub(crate) struct Way {
    /// The server's key, as the header that holds it; none if it asks for none.
    pub(crate) credential: Option<HeaderValue>,
    pub(crate) kind: Kind,
    /// What people are told of the key.
    pub(crate) key: Option<&'static str>,
}

/// What reads for the keys of a workflow.
struct Reading {
    messages: Arc<Messages>,
    documents: Arc<Documents>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Tools {
    /// Compiles what reads the messages of each server, for each profile of the workflows that may use it.
    pub(crate) fn compile(config: &Config, env: Env<'_>) -> Result<HashMap<String, Arc<Tools>>, ConfigError> {
        let mut documents: HashMap<&str, Arc<Documents>> = HashMap::new();
        let mut servers = HashMap::new();
        for (name, server) in &config.mcp {
            let mut messages: HashMap<&str, Arc<Messages>> = HashMap::new();
            let mut readings = HashMap::new();
            for workflow in &server.workflows {
                let Some(flow) = config.workflows.get(workflow) else { continue };
                let Some(profile) = config.profiles.get(&flow.profile) else { continue };
                let at =
                    |error: obelus::BuildError| ConfigError::new(one_line(&format!("mcp.{name}: {error}")));
                if !messages.contains_key(flow.profile.as_str()) {
                    let mut profile = wire_profile(profile)?;
                    profile.restore_arguments = restored(server);
                    let compiled = Messages::new(&profile).map_err(at)?;
                    messages.insert(&flow.profile, Arc::new(compiled));
                }
                if !documents.contains_key(flow.profile.as_str()) {
                    let compiled = Documents::new(&wire_profile(profile)?).map_err(at)?;
                    documents.insert(&flow.profile, Arc::new(compiled));
                }
                let compiled = messages.get(flow.profile.as_str()).zip(documents.get(flow.profile.as_str()));
                if let Some((messages, documents)) = compiled {
                    let reading =
                        Reading { messages: Arc::clone(messages), documents: Arc::clone(documents) };
                    readings.insert(workflow.clone(), reading);
                }
            }
            let reach = server.place.as_ref();
            let reach = reach.map(|place| Reach::compile(config, name, server, place, env)).transpose()?;
            servers.insert(name.clone(), Arc::new(Tools { config: server.clone(), readings, reach }));
        }
        Ok(servers)
    }

    /// What reads the messages of a workflow; nothing if it may not use the server.
    pub(crate) fn messages(&self, workflow: &str) -> Option<&Arc<Messages>> {
        self.readings.get(workflow).map(|reading| &reading.messages)
    }

    /// All that read, by workflow.
    pub(crate) fn all_messages(&self) -> impl Iterator<Item = (&str, &Messages)> {
        self.readings.iter().map(|(workflow, reading)| (workflow.as_str(), &*reading.messages))
    }

    /// What somebody who starts the sidecar should know.
    pub(crate) fn notes(&self, name: &str) -> Vec<String> {
        let Some(reach) = &self.reach else { return Vec::new() };
        let mut ways: Vec<(&String, &Way)> = reach.ways.iter().collect();
        ways.sort_by_key(|(workflow, _)| *workflow);
        let note = |(workflow, way): (&String, &Way)| match way.key {
            Some(key) if key == SECRET_KEY => {
                format!(
                    "warning: /mcp/{name}: workflow {workflow} with a SECRET key, which can do everything"
                )
            }
            Some(key) => format!("/mcp/{name}: workflow {workflow} with a {key}"),
            None if way.credential.is_some() => format!("/mcp/{name}: workflow {workflow} with a key"),
            None => format!("/mcp/{name}: workflow {workflow} without a key"),
        };
        ways.into_iter().map(note).collect()
    }

    /// What reads its arguments for people.
    pub(crate) fn documents(&self, workflow: &str) -> Option<&Documents> {
        self.readings.get(workflow).map(|reading| &*reading.documents)
    }
}

impl Reach {
    fn compile(
        config: &Config,
        name: &str,
        server: &McpServer,
        place: &McpPlace,
        env: Env<'_>,
    ) -> Result<Reach, ConfigError> {
        let trusted =
            place.ca_file.as_ref().map(|path| authorities(&format!("mcp.{name}"), path)).transpose()?;
        // A tool may take as long to answer whole as a stream may say nothing.
        let timeouts = Timeouts { response_header: config.timeouts.stream_idle, ..config.timeouts };
        let client = Client::new(&timeouts, trusted)?;
        let mut ways = HashMap::new();
        for workflow in &server.workflows {
            let at = |what: &str| ConfigError::new(format!("mcp.{name}.keys.{workflow}: {what}"));
            let key = match place.keys.get(workflow) {
                None => None,
                Some(source) => match secret(source, env)? {
                    None => return Err(at("there is no key: set the variable")),
                    key => key,
                },
            };
            let credential =
                key.as_ref().map(|key| bearer(key).ok_or_else(|| at("holds what no header can hold")));
            let (kind, told) = match &server.kind {
                McpKind::Stripe { livemode, account, allow_secret_key } => {
                    let key = key.as_ref().map_or("", |key| key.as_str());
                    let key = StripeKey::of(key, *allow_secret_key).map_err(at)?;
                    if livemode.is_some_and(|said| said != key.livemode) {
                        return Err(ConfigError::new(format!(
                            "mcp.{name}.livemode: not what the key of {workflow} says"
                        )));
                    }
                    let kind = Kind::Stripe { livemode: Some(key.livemode), account: account.clone() };
                    (kind, Some(key.describe()))
                }
                McpKind::Other(tools) => {
                    if key
                        .as_ref()
                        .is_some_and(|key| key.starts_with("sk_live_") || key.starts_with("sk_test_"))
                    {
                        return Err(at(
                            "this is a secret key of Stripe's, for a server that is none of Stripe's",
                        ));
                    }
                    (Kind::Other(tools_of(name, tools)), None)
                }
            };
            ways.insert(workflow.clone(), Way { credential: credential.transpose()?, kind, key: told });
        }
        Ok(Reach { place: place.clone(), client, ways, params: Params::default() })
    }

    /// How the keys of a workflow reach it; nothing if they may not.
    pub(crate) fn way(&self, workflow: &str) -> Option<&Way> {
        self.ways.get(workflow)
    }
}

fn restored(server: &McpServer) -> Vec<RestoredArgument> {
    let each = server.restore_arguments.iter();
    each.flat_map(|restore| restore.paths.iter().map(|path| (restore.tool.clone(), path.clone())))
        .map(|(tool, path)| RestoredArgument { tool, path })
        .collect()
}

/// The classes of all tools that have one by configuration.
pub(crate) fn servers(config: &Config) -> Servers {
    let mut servers = Servers::default();
    for (name, server) in &config.mcp {
        if let McpKind::Other(tools) = &server.kind {
            tools.iter().for_each(|(tool, class)| servers.add(name, tool, *class));
        }
    }
    servers
}
