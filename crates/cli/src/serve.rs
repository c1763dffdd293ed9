//! `obelus serve`: the sidecar; and what is said of its configuration.

use crate::args::{ConfigArgs, ConfigCommand};
use crate::failure::{Failure, Outcome};
use crate::manual::write_out;
use obelus_proxy::StartError;
use std::io::{self, IsTerminal};

/// Serves until told to end.
pub(crate) fn run(args: &ConfigArgs) -> Result<Outcome, Failure> {
    log_to_stderr();
    obelus_proxy::serve(args.config.clone()).map(|_| Outcome::Done).map_err(|error| refused(&error))
}

/// Runs one of the commands about the configuration.
pub(crate) fn config(command: &ConfigCommand) -> Result<Outcome, Failure> {
    match command {
        ConfigCommand::Schema => {
            let schema = obelus_proxy::schema().map_err(|error| Failure::config(&error))?;
            write_out(format!("{schema}\n").as_bytes())
        }
    }
}

/// Why the sidecar, or a command about its state, did not start.
pub(crate) fn refused(error: &StartError) -> Failure {
    if error.is_config() { Failure::config(error) } else { Failure::data(error.to_string()) }
}

/// Logs to standard error: one JSON object a line, for people at a terminal plain lines.
fn log_to_stderr() {
    // A standard error that cannot be written to is no reason to stop.
    let plain =
        tracing_subscriber::fmt().with_writer(io::stderr).with_target(false).log_internal_errors(false);
    if io::stderr().is_terminal() { plain.init() } else { plain.json().flatten_event(true).init() }
}
