//! `obelus audit`: checks records, and changes the key that signs them.

use crate::args::{AuditCommand, ConfigArgs, VerifyArgs};
use crate::failure::{Failure, Outcome};
use crate::input::display_name;
use crate::manual::write_out;
use crate::reconcile;
use crate::report::{self, Progress};
use crate::subjects;
use crate::timeline;
use indicatif::HumanBytes;
use obelus_audit::{Checkpoint, Fault, Files, Note, Report, VerifierKey};
use obelus_proxy::Config;
use serde_json::json;
use std::path::Path;
use std::{env, fs};

/// Runs one of the commands about records.
pub(crate) fn run(command: &AuditCommand) -> Result<Outcome, Failure> {
    match command {
        AuditCommand::Verify(args) => verify(args),
        AuditCommand::Show(args) => timeline::run(args),
        AuditCommand::Reconcile(args) => reconcile::run(args),
        AuditCommand::RotateKey(args) => rotate_key(args),
        AuditCommand::Unseal(args) => subjects::unseal(args),
        AuditCommand::Erase(args) => subjects::erase(args),
    }
}

/// What cannot be read of an audit.
pub(crate) fn unreadable(error: &obelus_audit::Error) -> Failure {
    Failure::data(error.to_string())
}

fn verify(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let mut outside = Vec::new();
    for path in &args.checkpoint {
        let text = fs::read(path).map_err(|error| Failure::io(&display_name(path), "read it", &error))?;
        let notes = Note::parse_all(text);
        if notes.iter().all(|note| Checkpoint::parse(&note.text).is_none()) {
            return Err(Failure::data(format!(
                "{}: holds no checkpoint: check the path",
                display_name(path)
            )));
        }
        outside.extend(notes);
    }
    let key = args.key.as_deref().map(key).transpose()?;
    let files = Files::open(&args.paths).map_err(|error| unreadable(&error))?;
    let progress = Progress::over(args.progress, "verify", Some(files.bytes()));
    let report = obelus_audit::verify(&files, &outside, key.as_ref(), |bytes| progress.advance(bytes));
    drop(progress);
    let mut report = report.map_err(|error| unreadable(&error))?;
    if report.seq_first > args.from && report.fault.is_none() {
        let last = report.seq_first - 1;
        let what = format!(
            "the records {} to {last} are not here: check them where they are kept, or say --from {}",
            args.from, report.seq_first
        );
        report.fault = Some(Fault { seq: args.from, path: None, what });
    }
    let text = if args.json { json_line(&report) } else { words(&report, files.bytes()) };
    write_out(text.as_bytes())?;
    Ok(if report.fault.is_some() { Outcome::Found } else { Outcome::Done })
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::io(&display_name(path), "read it", &error))
}

fn key(path: &Path) -> Result<VerifierKey, Failure> {
    read(path)?.parse().map_err(|error| Failure::data(format!("{}: {error}", display_name(path))))
}

fn rotate_key(args: &ConfigArgs) -> Result<Outcome, Failure> {
    let env = |name: &str| env::var_os(name);
    let config = Config::read(args.config.as_deref(), &env).map_err(|error| Failure::config(&error))?;
    let key = obelus_audit::rotate_key(&config.audit).map_err(|error| unreadable(&error))?;
    report::write_note("records are signed by this key from now on: keep it where the records are not");
    write_out(format!("{key}\n").as_bytes())
}

/// Records that no checkpoint held elsewhere speaks of.
fn uncovered(report: &Report) -> u64 {
    report.seq_last.saturating_sub(report.covered.max(report.seq_first.saturating_sub(1)))
}

fn json_line(report: &Report) -> String {
    let fault = report.fault.as_ref().map(|fault| {
        let file = fault.path.as_deref().map(display_name);
        json!({"seq": fault.seq, "file": file, "what": fault.what})
    });
    let [beside, elsewhere] = report.checkpoints;
    let line = json!({
        "verdict": if fault.is_some() { "fault" } else { "right" },
        "origin": report.origin,
        "seq_first": report.seq_first,
        "seq_last": report.seq_last,
        "root": report.root_text(),
        "checkpoints_beside": beside,
        "checkpoints_elsewhere": elsewhere,
        "checkpoints_unchecked": report.unchecked,
        "covered": report.covered,
        "uncovered": uncovered(report),
        "recoveries": report.recoveries,
        "unfinished_bytes": report.unfinished_bytes,
        "fault": fault,
    });
    format!("{line}\n")
}

fn words(report: &Report, bytes: u64) -> String {
    let mut lines = Vec::new();
    let (first, last) = (report.seq_first, report.seq_last);
    if last < first || last == 0 {
        lines.push("no record is right".to_owned());
    } else {
        let origin = report.origin.as_deref().unwrap_or("a log without a name");
        lines
            .push(format!("records {first} to {last} of {origin} follow each other ({})", HumanBytes(bytes)));
        lines.push(format!("root {}", report.root_text()));
        if first > 1 {
            lines.push(format!("records 1 to {} are not here and are not checked", first - 1));
        }
    }
    let [beside, elsewhere] = report.checkpoints;
    lines.push(format!("checkpoints that hold: {beside} beside the log, {elsewhere} held elsewhere"));
    if report.unchecked > 0 {
        lines.push(format!("checkpoints over records that are not here: {}", report.unchecked));
    }
    match uncovered(report) {
        0 => {}
        count if report.covered == 0 => lines.push(format!(
            "no checkpoint held elsewhere covers any of the {count} records: they could have been cut off or written anew"
        )),
        count => lines.push(format!(
            "no checkpoint held elsewhere covers the last {count} records, from {} on: what came after {} could have been \
             cut off or written anew",
            report.covered + 1,
            report.covered
        )),
    }
    if report.recoveries > 0 {
        lines
            .push(format!("{} files begin because a write had failed or an end was torn", report.recoveries));
    }
    if report.unfinished_bytes > 0 {
        lines.push(format!("{} bytes at the end are no whole line", report.unfinished_bytes));
    }
    if let Some(Fault { seq, path, what }) = &report.fault {
        let place = path.as_deref().map(|path| format!(" ({})", display_name(path))).unwrap_or_default();
        lines.push(format!("FAULT from record {seq} on{place}: {what}"));
    }
    lines.join("\n") + "\n"
}
