//! `obelus scan`: input is read in the same way, and only findings are written.

use crate::args::ScanArgs;
use crate::failure::{Failure, Outcome};
use crate::findings::Findings;
use crate::flow::{Flow, Stop};
use crate::input::{self, Input, display_name, is_stdin};
use crate::output::{Output, is_same};
use crate::report;
use std::path::{Path, PathBuf};

/// Runs the command.
pub(crate) fn run(args: &ScanArgs) -> Result<Outcome, Failure> {
    let inputs = input::paths(&args.flow.files)?;
    let findings = args.findings.as_deref().unwrap_or(Path::new("-"));
    if !is_stdin(findings) && inputs.iter().any(|input| is_same(input, findings)) {
        let name = display_name(findings);
        return Err(Failure::usage(format!("--findings {name}: is an input: choose another file")));
    }
    let mut flow = Flow::new(&args.flow)?;
    flow.doors.findings = Some(Findings::new(Output::open(findings)?));
    match scan_all(&mut flow, &inputs) {
        Ok(()) => report::write_summary(&flow.doors.tally),
        Err(Stop::Closed) => {}
        Err(Stop::Failure(failure)) => return Err(failure),
    }
    Ok(flow.outcome())
}

fn scan_all(flow: &mut Flow<'_>, inputs: &[PathBuf]) -> Result<(), Stop> {
    for path in inputs {
        let input = Input::open(path)?;
        if let Some(findings) = &mut flow.doors.findings {
            findings.begin(path, inputs.len());
        }
        flow.run(input)?;
    }
    match flow.doors.close_findings()? {
        Some(file) => Ok(file.publish()?),
        None => Ok(()),
    }
}
