//! Completions and manual pages, from the definition of the arguments.

use crate::args::Args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::Write;

/// Writes completions for `shell`.
pub(crate) fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "obelus", &mut text);
    write_out(&text)
}

/// Writes the manual page of the program or of one command.
pub(crate) fn page(command: Option<&str>) -> Result<Outcome, Failure> {
    let mut whole = Args::command();
    whole.build();
    let page = match command {
        None => whole,
        Some(name) => whole
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("man: no command `{name}`: `obelus help` lists them")))?,
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(|error| Failure::io("manual page", "make it", &error))?;
    write_out(&text)
}

/// Writes to standard output. A reader who leaves early is content.
pub(crate) fn write_out(text: &[u8]) -> Result<Outcome, Failure> {
    let mut output = Output::stdout()?;
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => output.failure(&error).map_or(Ok(Outcome::Done), Err),
    }
}
