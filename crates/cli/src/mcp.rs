//! `obelus mcp`: a server of tools, with the gate before it.

use crate::args::McpArgs;
use crate::failure::{Failure, Outcome};
use crate::serve::refused;
use obelus_mcp::{Lost, StdioEnded};

/// Runs the server until either side ends.
pub(crate) fn run(args: &McpArgs) -> Result<Outcome, Failure> {
    let ended = obelus_proxy::mcp(args.config.config.clone(), &args.server, &args.command)
        .map_err(|error| refused(&error))?;
    match ended {
        StdioEnded::ClientLeft | StdioEnded::Stopped => Ok(Outcome::Done),
        StdioEnded::ServerEnded(status) => Err(Failure::data(format!(
            "server {}: it ended by itself ({status}): its own messages stand above",
            args.server
        ))),
        StdioEnded::ServerStuck => Err(Failure::data(format!(
            "server {}: it asks and does not read the answers, so it was ended: report it to whoever made it",
            args.server
        ))),
        StdioEnded::Lost(why) => Err(Failure::data(format!(
            "server {}: {}: nothing more was passed on, and the server was ended. Of calls that were under way nobody \
             knows what came: look it up before they are repeated",
            args.server,
            cause(why)
        ))),
    }
}

/// Why the sidecar keeps the session no more.
fn cause(why: Lost) -> &'static str {
    match why {
        Lost::Gone => "the sidecar (`obelus serve`) is gone, or the connection to it broke",
        Lost::Revoked => "the virtual key was revoked or has expired",
        Lost::Ending => "the sidecar (`obelus serve`) was told to end",
        Lost::Withdrawn => "the sidecar's configuration no longer lets this virtual key use the server",
        Lost::Busy => "the sidecar (`obelus serve`) has no memory left for messages",
        Lost::Fault => "the sidecar (`obelus serve`) had a fault, or is of another release than this program",
    }
}
