//! Why a call has no meaning to the gate, and therefore goes nowhere.

use std::fmt;

/// Why a call is denied before any policy is asked. Holds nothing of the call.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Denied {
    /// No operation has this method and path, or this id.
    UnknownOperation,
    /// The server has no tool of this name, or the configuration gives it no class.
    UnknownTool,
    /// The configuration knows no server of this name.
    UnknownServer,
    /// A tool that reads was asked for an operation that writes.
    ReadToolAskedToWrite,
    /// A tool that writes was asked for an operation that reads.
    WriteToolAskedToRead,
    /// A path that two readers could take apart differently: what is wrong with it.
    Path(&'static str),
    /// Something cannot be read: where, and why.
    Unreadable(&'static str, &'static str),
    /// A member or parameter stands twice: where.
    Duplicate(&'static str),
    /// A tool was given an argument that it is not known to take.
    UnknownArgument,
    /// An argument that the catalogue names is missing or cannot be read: its name, and why.
    Argument(String, &'static str),
    /// The call says live and the connection test, or the other way round.
    ModeMismatch,
    /// The call names another account than the connection.
    AccountMismatch,
}

impl Denied {
    /// A short name for records and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Denied::UnknownOperation => "unknown_operation",
            Denied::UnknownTool => "unknown_tool",
            Denied::UnknownServer => "unknown_server",
            Denied::ReadToolAskedToWrite => "read_tool_asked_to_write",
            Denied::WriteToolAskedToRead => "write_tool_asked_to_read",
            Denied::Path(_) => "path",
            Denied::Unreadable(..) => "unreadable",
            Denied::Duplicate(_) => "duplicate",
            Denied::UnknownArgument => "unknown_argument",
            Denied::Argument(..) => "argument",
            Denied::ModeMismatch => "mode_mismatch",
            Denied::AccountMismatch => "account_mismatch",
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::UnknownOperation => f.write_str(
                "operation: not in the catalogue: check method, path or operation id, letter by letter",
            ),
            Denied::UnknownTool => {
                f.write_str("tool: not known: check its name, or give it a class in the configuration")
            }
            Denied::UnknownServer => f.write_str("server: not known: add it to the configuration"),
            Denied::ReadToolAskedToWrite => {
                f.write_str("operation: the tool reads and the operation writes: use the tool that writes")
            }
            Denied::WriteToolAskedToRead => {
                f.write_str("operation: the tool writes and the operation reads: use the tool that reads")
            }
            Denied::Path(what) => write!(f, "path: {what}: write it as the API documents it"),
            Denied::Unreadable(place, what) => write!(f, "{place}: {what}: send it as the API documents it"),
            Denied::Duplicate(place) => write!(f, "{place}: something stands twice: send each once"),
            Denied::UnknownArgument => {
                f.write_str("arguments: one is not known for this tool: send only those of its schema")
            }
            Denied::Argument(name, what) => {
                write!(f, "argument {name}: {what}: send it as the API documents it")
            }
            Denied::ModeMismatch => {
                f.write_str("livemode: not that of the connection: use the connection of that mode")
            }
            Denied::AccountMismatch => {
                f.write_str("account: not that of the connection: use the connection of that account")
            }
        }
    }
}

impl std::error::Error for Denied {}
