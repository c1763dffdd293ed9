//! Servers of tools, compiled.

use crate::config::{Config, ConfigError, McpKind, McpServer};
use crate::policy::{one_line, wire_profile};
use obelus_gate::Servers;
use obelus_wire::{Documents, Messages, RestoredArgument};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A server of tools: how its messages are read.
pub(crate) struct Tools {
    pub(crate) config: McpServer,
    /// By workflow.
    readings: HashMap<String, Reading>,
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
    pub(crate) fn compile(config: &Config) -> Result<HashMap<String, Arc<Tools>>, ConfigError> {
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
            servers.insert(name.clone(), Arc::new(Tools { config: server.clone(), readings }));
        }
        Ok(servers)
    }

    /// What reads the messages of a workflow; nothing if it may not use the server.
    pub(crate) fn messages(&self, workflow: &str) -> Option<&Arc<Messages>> {
        self.readings.get(workflow).map(|reading| &reading.messages)
    }

    /// What reads its arguments for people.
    pub(crate) fn documents(&self, workflow: &str) -> Option<&Documents> {
        self.readings.get(workflow).map(|reading| &*reading.documents)
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
