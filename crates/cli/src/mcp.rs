//! `obelus mcp`: a server of tools, with the gate before it.

use crate::args::McpArgs;
use crate::failure::{Failure, Outcome};
use crate::serve::refused;
use obelus_mcp::StdioEnded;

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
            "server {}: {why}: nothing more was passed on, and the server was ended. Of calls that were under way nobody \
             knows what came: look it up before they are repeated",
            args.server
        ))),
    }
}
