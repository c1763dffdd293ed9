//! `obelus redact`: input passes through, with findings replaced.

use crate::args::RedactArgs;
use crate::failure::{Failure, Outcome};
use crate::findings::Findings;
use crate::flow::{Flow, Stop};
use crate::input::{self, Input, display_name, is_stdin};
use crate::output::{Output, Staged, Target, is_same};
use crate::report;
use std::path::{Path, PathBuf};

/// Runs the command.
pub(crate) fn run(args: &RedactArgs) -> Result<Outcome, Failure> {
    let inputs = input::paths(&args.flow.files)?;
    let target = Target::new(args.output.as_deref(), &inputs)?;
    check_findings(args.findings.as_deref(), &target, &inputs)?;
    let mut flow = Flow::new(&args.flow)?;
    target.prepare()?;
    if let Some(path) = &args.findings {
        flow.doors.findings = Some(Findings::new(Output::open(path)?));
    }
    match redact_all(&mut flow, &target, &inputs) {
        Ok(()) => report::write_summary(&flow.doors.tally),
        Err(Stop::Closed) => {}
        Err(Stop::Failure(failure)) => return Err(failure),
    }
    Ok(flow.outcome())
}

/// Redacts every input. Files appear only when all is done.
fn redact_all(flow: &mut Flow<'_>, target: &Target, inputs: &[PathBuf]) -> Result<(), Stop> {
    let mut staged: Vec<Staged> = Vec::new();
    for path in inputs {
        let input = Input::open(path)?;
        if let Some(findings) = &mut flow.doors.findings {
            findings.begin(path, inputs.len());
        }
        flow.doors.output = Some(match target.path(path) {
            Some(path) => Output::file(&path)?,
            None => Output::stdout()?,
        });
        flow.run(input)?;
        staged.extend(flow.doors.close_output()?);
    }
    staged.extend(flow.doors.close_findings()?);
    for file in staged {
        file.publish()?;
    }
    Ok(())
}

/// Findings must not end up in the output, nor in place of an input.
fn check_findings(findings: Option<&Path>, target: &Target, inputs: &[PathBuf]) -> Result<(), Failure> {
    let Some(findings) = findings else { return Ok(()) };
    if is_stdin(findings) {
        return match target {
            Target::Stdout => Err(Failure::usage(
                "--findings -: standard output is taken by the redacted input: give --findings a file, or use -o",
            )),
            _ => Ok(()),
        };
    }
    let outputs = inputs.iter().filter_map(|input| target.path(input));
    if inputs.iter().cloned().chain(outputs).any(|path| is_same(&path, findings)) {
        let name = display_name(findings);
        return Err(Failure::usage(format!(
            "--findings {name}: is an input or the output: choose another file"
        )));
    }
    Ok(())
}
