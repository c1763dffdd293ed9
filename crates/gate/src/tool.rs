//! Calls of tools of MCP servers: Stripe's of every generation, and others by configuration.

use crate::arguments::{Argument, Arguments, read_object};
use crate::catalogue::{Catalogue, Entry, Meaning, Tool};
use crate::class::RiskClass;
use crate::denied::Denied;
use crate::fixture::first_line;
use crate::operation::{Connection, Operation};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One `tools/call`, as it came.
#[derive(Clone, Copy)]
pub struct ToolCall<'a> {
    /// `params.name`.
    pub tool: &'a str,
    /// The bytes of `params.arguments`; empty if there are none.
    pub arguments: &'a [u8],
    /// What the connection says.
    pub connection: Connection<'a>,
}

impl fmt::Debug for ToolCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").finish_non_exhaustive()
    }
}

impl ToolCall<'_> {
    fn read(&self) -> Result<Arguments, Denied> {
        if self.arguments.is_empty() {
            Ok(Arguments::default())
        } else {
            read_object(self.arguments, "arguments")
        }
    }
}

impl Catalogue {
    /// What a call of a tool of Stripe's MCP servers means.
    ///
    /// # Errors
    /// Tool or operation are unknown, or the arguments could be read in two ways.
    pub fn tool_call(&self, call: &ToolCall<'_>) -> Result<Operation, Denied> {
        let tool = self.tool(call.tool).ok_or(Denied::UnknownTool)?;
        let mut arguments = call.read()?;
        check_accepted(tool, &arguments)?;
        let connection = said(&mut arguments, tool, call.connection)?;
        let connection = Connection { livemode: connection.0, account: connection.1.as_deref() };
        match &tool.meaning {
            Meaning::Name { operation, renamed, added } => {
                let entry = self.entry(operation).ok_or(Denied::UnknownOperation)?;
                Operation::new(self, entry, rename(arguments, renamed, added)?, connection)
            }
            Meaning::Operation { reads } => self.generic(*reads, arguments, connection),
            Meaning::Intent { classes } => {
                let intent = arguments.text("intent").ok_or(argument("intent", "missing"))?;
                let class = *classes.get(intent).ok_or(Denied::UnknownOperation)?;
                let name = format!("{}/{intent}", call.tool);
                Ok(Operation::of_tool(name, [class].into(), &[], arguments, connection))
            }
            Meaning::Id => {
                let is_harmless =
                    !arguments.0.is_empty() && arguments.0.values().all(|found| self.is_harmless(found));
                let class = if is_harmless { RiskClass::Read } else { RiskClass::CustomerDataRead };
                Ok(Operation::of_tool(call.tool.to_owned(), [class].into(), &[], arguments, connection))
            }
            Meaning::Itself { class, facts } => {
                Ok(Operation::of_tool(call.tool.to_owned(), [*class].into(), facts, arguments, connection))
            }
        }
    }

    /// A call of `stripe_api_read` or `stripe_api_write`: an argument names the operation, another holds everything
    /// that would stand in path, query and body.
    fn generic(
        &self,
        reads: bool,
        mut arguments: Arguments,
        connection: Connection<'_>,
    ) -> Result<Operation, Denied> {
        let entry = self.named_operation(&arguments)?;
        match (reads, entry.method == "GET") {
            (true, false) => return Err(Denied::ReadToolAskedToWrite),
            (false, true) => return Err(Denied::WriteToolAskedToRead),
            _ => {}
        }
        let parameters = match arguments.0.remove("parameters") {
            Some(Argument::Members(members)) => Arguments(members),
            Some(_) => return Err(argument("parameters", "not an object")),
            None => return Err(argument("parameters", "missing")),
        };
        Operation::new(self, entry, parameters, connection)
    }

    fn named_operation(&self, arguments: &Arguments) -> Result<&Entry, Denied> {
        let id = arguments
            .text("stripe_api_operation_id")
            .ok_or(argument("stripe_api_operation_id", "missing"))?;
        self.entry(id).ok_or(Denied::UnknownOperation)
    }

    /// Whether an argument names nothing but objects without personal data.
    fn is_harmless(&self, argument: &Argument) -> bool {
        match argument {
            Argument::Text(text) => self.is_harmless_id(text),
            Argument::List(elements) => elements.iter().all(|element| self.is_harmless(element)),
            Argument::Members(_) => false,
        }
    }
}

fn argument(name: &str, what: &'static str) -> Denied {
    Denied::Argument(name.to_owned(), what)
}

/// Whether a text has the form of a context: an account, or an organisation and an account.
fn is_account(text: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.len() <= 255 && text.split('/').all(is_plain)
}

fn check_accepted(tool: &Tool, arguments: &Arguments) -> Result<(), Denied> {
    let is_accepted = |name: &str| tool.accepts.as_ref().is_none_or(|accepted| accepted.contains(name));
    if arguments.iter().all(|(name, _)| is_accepted(name)) { Ok(()) } else { Err(Denied::UnknownArgument) }
}

/// Takes `livemode` and `stripe_context` out of the arguments. Where the connection knows them too, both must agree.
fn said(
    arguments: &mut Arguments,
    tool: &Tool,
    connection: Connection<'_>,
) -> Result<(Option<bool>, Option<String>), Denied> {
    let mut take = |name| {
        let may = tool.accepts.as_ref().is_none_or(|accepted| accepted.contains(name));
        if may { arguments.0.remove(name) } else { None }
    };
    let is_generic = matches!(tool.meaning, Meaning::Operation { .. } | Meaning::Intent { .. });
    let livemode = match take("livemode") {
        None if is_generic => return Err(argument("livemode", "missing")),
        None => None,
        Some(Argument::Text(text)) if text == "true" => Some(true),
        Some(Argument::Text(text)) if text == "false" => Some(false),
        Some(_) => return Err(argument("livemode", "neither true nor false")),
    };
    let account = match take("stripe_context") {
        None if is_generic => return Err(argument("stripe_context", "missing")),
        None => None,
        Some(Argument::Text(text)) if is_account(&text) => Some(text),
        Some(_) => return Err(argument("stripe_context", "not the id of an account")),
    };
    if livemode.zip(connection.livemode).is_some_and(|(said, known)| said != known) {
        return Err(Denied::ModeMismatch);
    }
    if account.as_deref().zip(connection.account).is_some_and(|(said, known)| said != known) {
        return Err(Denied::AccountMismatch);
    }
    Ok((livemode.or(connection.livemode), account.or(connection.account.map(str::to_owned))))
}

/// The arguments as the operation calls them, with what the server adds.
fn rename(
    arguments: Arguments,
    renamed: &BTreeMap<String, String>,
    added: &BTreeMap<String, String>,
) -> Result<Arguments, Denied> {
    let mut result = Arguments::default();
    for (name, argument) in arguments.0 {
        let path = renamed.get(&name).map_or(name.as_str(), String::as_str);
        result.place(path, argument).map_err(|_taken| Denied::Duplicate("arguments"))?;
    }
    for (name, text) in added {
        if result.named(name).is_none() {
            result.0.insert(name.clone(), Argument::Text(text.clone()));
        }
    }
    Ok(result)
}

/// Why classes cannot be read. One line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServersError(String);

impl fmt::Display for ServersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: write {{SERVER: {{TOOL: CLASS}}}}", self.0)
    }
}

impl std::error::Error for ServersError {}

/// The tools of servers that are not Stripe's, by the configuration. What has no class is denied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Servers {
    servers: BTreeMap<String, BTreeMap<String, RiskClass>>,
}

impl Servers {
    /// Reads `{SERVER: {TOOL: CLASS}}`, as YAML or JSON.
    ///
    /// # Errors
    /// The text has another form; the error names the line, and says which classes there are.
    pub fn read(text: &str) -> Result<Servers, ServersError> {
        serde_saphyr::from_str(text).map_err(|error| ServersError(first_line(&error.to_string())))
    }

    /// Gives a tool of a server its class.
    pub fn add(&mut self, server: &str, tool: &str, class: RiskClass) {
        self.servers.entry(server.to_owned()).or_default().insert(tool.to_owned(), class);
    }

    /// What a call of a tool of this server means.
    ///
    /// # Errors
    /// Server or tool have no class, or the arguments could be read in two ways.
    pub fn tool_call(&self, server: &str, call: &ToolCall<'_>) -> Result<Operation, Denied> {
        let tools = self.servers.get(server).ok_or(Denied::UnknownServer)?;
        let class = *tools.get(call.tool).ok_or(Denied::UnknownTool)?;
        let classes = BTreeSet::from([class]);
        let name = format!("{server}/{}", call.tool);
        let mut operation = Operation::of_tool(name, classes, &[], call.read()?, call.connection);
        operation.server = Some(server.to_owned());
        Ok(operation)
    }

    /// Every tool that has a class, as `SERVER/TOOL`.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (String, RiskClass)> {
        self.servers.iter().flat_map(|(server, tools)| {
            tools.iter().map(move |(tool, class)| (format!("{server}/{tool}"), *class))
        })
    }
}
