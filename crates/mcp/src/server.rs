//! One server as the configuration describes it, compiled.

use crate::gate::Gate;
use crate::journal::Journal;
use crate::message::Lex;
use crate::pins::Pins;
use crate::session::{Principal, Session};
use obelus_gate::{Catalogue, Connection, Denied, Operation, Servers, ToolCall};
use obelus_vault::Scope;
use obelus_wire::Messages;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// Whose tools a server has.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Stripe's: the catalogue says what calls mean.
    Stripe {
        /// Whether its key is a live one, where that is known.
        livemode: Option<bool>,
        /// The account of its key, where that is known.
        account: Option<String>,
    },
    /// Others: the configuration gives each tool a class, and what has none is denied.
    Other(Servers),
}

impl Kind {
    /// What a call of a tool of the server `name` means. Some microseconds.
    ///
    /// # Errors
    /// A tool that has no meaning here, or arguments that leave it open.
    pub fn understand(&self, name: &str, tool: &str, arguments: &[u8]) -> Result<Operation, Denied> {
        let call = |connection| ToolCall { tool, arguments, connection };
        match self {
            Kind::Stripe { livemode, account } => {
                // The tests rule out that the catalogue is not as it should be.
                let catalogue = Catalogue::shipped().or(Err(Denied::UnknownTool))?;
                let connection = Connection { livemode: *livemode, account: account.as_deref() };
                catalogue.tool_call(&call(connection))
            }
            Kind::Other(servers) => servers.tool_call(name, &call(Connection::default())),
        }
    }
}

/// What a server is made of.
pub struct Settings {
    /// Its name in the configuration.
    pub name: String,
    /// Whose tools it has.
    pub kind: Kind,
    /// Who judges calls.
    pub gate: Arc<dyn Gate>,
    /// Where decisions are recorded.
    pub journal: Arc<dyn Journal>,
    /// The definitions of its tools: the same for all sessions.
    pub pins: Arc<Pins>,
    /// What reads its messages.
    pub messages: Arc<Messages>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// One server, as the gateway stands before it. Shared between sessions.
pub struct Server {
    pub(crate) name: String,
    kind: Kind,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) pins: Arc<Pins>,
    pub(crate) messages: Arc<Messages>,
    pub(crate) lex: Lex,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Server {
    /// A server of these parts. Costs next to nothing.
    pub fn new(settings: Settings) -> Server {
        let Settings { name, kind, gate, journal, pins, messages } = settings;
        Server { name, kind, gate, journal, pins, messages, lex: Lex::new() }
    }

    /// Begins a session: of one connection, or of one request where there are no connections. Tokens are those of `scope`.
    pub fn session(self: &Arc<Self>, principal: Principal, scope: Scope) -> Session {
        Session::new(Arc::clone(self), principal, scope)
    }

    /// What a call means.
    pub(crate) fn understand(&self, tool: &str, arguments: &[u8]) -> Result<Operation, Denied> {
        self.kind.understand(&self.name, tool, arguments)
    }

    /// Whether a tool is not shown: it has no meaning here, or every call of it would be denied.
    pub(crate) fn is_hidden(&self, tool: &str, definition: &[u8], principal: &Principal) -> bool {
        match self.understand(tool, &probe(definition)) {
            Ok(operation) => self.gate.is_closed(&operation, principal),
            Err(Denied::UnknownTool | Denied::UnknownServer) => true,
            // What it means depends on arguments that nobody can guess.
            Err(_) => false,
        }
    }
}

/// Arguments that a definition wants at least, with values that mean nothing.
fn probe(definition: &[u8]) -> Vec<u8> {
    let definition: Value = serde_json::from_slice(definition).unwrap_or_default();
    let schema = &definition["inputSchema"];
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let value = |name: &str| match schema["properties"][name]["type"].as_str() {
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!("x"),
    };
    let members: serde_json::Map<String, Value> =
        required.map(|name| (name.to_owned(), value(name))).collect();
    Value::Object(members).to_string().into_bytes()
}
