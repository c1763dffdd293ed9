//! `obelus posture`: how the sidecar is set up, and what could be safer.

use crate::args::{PostureArgs, SeverityArg};
use crate::failure::{Failure, Outcome};
use crate::input::display_name;
use crate::manual::write_out;
use crate::sarif;
use crate::serve::refused;
use crate::shown::shown;
use obelus_proxy::{CHECKS, Part, PostureFinding, Severity};
use serde_json::json;
use std::{env, fs};

/// Reviews, and tells what was found.
pub(crate) fn run(args: &PostureArgs) -> Result<Outcome, Failure> {
    let env = |name: &str| env::var_os(name);
    let path = args.config.config.as_deref();
    let findings = obelus_proxy::posture(path, &env).map_err(|error| refused(&error))?;
    if let Some(target) = &args.sarif {
        // It was read a moment ago.
        let text = path.map(|path| fs::read_to_string(path).unwrap_or_default());
        let config = path.zip(text.as_deref());
        let report = sarif::report(&findings, config);
        fs::write(target, format!("{report:#}\n"))
            .map_err(|error| Failure::io(&display_name(target), "write it", &error))?;
    }
    let text = if args.json { json_lines(&findings) } else { table(&findings) };
    write_out(text.as_bytes())?;
    let limit = match args.fail_on {
        SeverityArg::Note => Severity::Note,
        SeverityArg::Warning => Severity::Warning,
        SeverityArg::Error => Severity::Error,
    };
    let is_found = findings.iter().any(|finding| finding.check.severity >= limit);
    Ok(if is_found { Outcome::Found } else { Outcome::Done })
}

fn count(findings: &[PostureFinding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.check.severity == severity).count()
}

/// How many checks have found nothing.
fn held(findings: &[PostureFinding]) -> usize {
    CHECKS.iter().filter(|check| findings.iter().all(|finding| finding.check.id != check.id)).count()
}

fn json_lines(findings: &[PostureFinding]) -> String {
    let mut text = String::new();
    for PostureFinding { check, place, seen } in findings {
        let line = json!({
            "finding": check.id,
            "part": check.part.as_str(),
            "severity": check.severity.as_str(),
            "place": place,
            "what": check.title,
            "seen": seen,
            "why": check.why,
            "mend": check.mend,
        });
        text.push_str(&format!("{line}\n"));
    }
    let counts =
        [Severity::Error, Severity::Warning, Severity::Note].map(|severity| count(findings, severity));
    let [errors, warnings, notes] = counts;
    let summary = json!({
        "finding": "summary", "errors": errors, "warnings": warnings, "notes": notes, "checks_held": held(findings),
    });
    text + &format!("{summary}\n")
}

/// Part by part, the worst first, each with what to do.
fn table(findings: &[PostureFinding]) -> String {
    let mut text = String::new();
    for part in Part::ALL {
        let own: Vec<&PostureFinding> =
            findings.iter().filter(|finding| finding.check.part == part).collect();
        text.push_str(&format!("{}\n", part.as_str()));
        if own.is_empty() {
            text.push_str("  nothing found\n");
        }
        for PostureFinding { check, place, seen } in own {
            let place = if place.is_empty() { String::new() } else { format!("{}: ", shown(place)) };
            let severity = check.severity.as_str().to_uppercase();
            text.push_str(&format!("  {severity:7}  {}  ({})\n", check.title, check.id));
            text.push_str(&format!("           seen: {place}{}\n", shown(seen)));
            text.push_str(&format!("           why:  {}\n           mend: {}\n", check.why, check.mend));
        }
    }
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Note].map(|severity| count(findings, severity));
    text + &format!(
        "{errors} errors, {warnings} warnings, {notes} notes; {} checks found nothing\n",
        held(findings)
    )
}
