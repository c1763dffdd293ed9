//! The program: reads JSON, text or forms, strikes out customer and payment data, tells what it found; or serves as
//! the sidecar before model providers.
//!
//! Exit codes: 0 done, 1 input or output error, 2 wrong usage or configuration, 3 found something under
//! `--fail`, or a check found a fault. Errors are one line on standard error and never hold a value. A reader that
//! closes standard output early, such as `head`, ends the run quietly: that is no error.
#![forbid(unsafe_code)]

mod args;
mod manual;
mod redact;
mod rules;
mod scan;

mod explain;
mod promises;

mod approvals;
mod audit;
mod demo;
mod exported;
mod keys;
mod mcp;
mod policy;
mod posture;
mod reconcile;
mod sarif;
mod serve;
mod shown;
mod subjects;
mod timeline;

mod choice;
mod format;
mod key;

mod flow;
mod groups;
mod input;
mod output;
mod overlap;
mod parallel;

mod findings;
mod report;

mod failure;
mod fetched;
mod place;

use args::{Args, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Redact(args) => redact::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Rules(command) => rules::run(&command),
        Command::Serve(args) => serve::run(&args),
        Command::Mcp(args) => mcp::run(&args),
        Command::Keys(command) => keys::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Approvals(command) => approvals::run(&command),
        Command::Audit(command) => audit::run(&command),
        Command::Posture(args) => posture::run(&args),
        Command::Config(command) => serve::config(&command),
        Command::Demo(args) => demo::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(command.as_deref()),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => report_failure(&failure),
    }
}

fn report_failure(failure: &Failure) -> ExitCode {
    report::write_failure(failure);
    failure.exit()
}
