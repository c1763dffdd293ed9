//! `obelus policy`: what the gate makes of calls, and whether rules do what they should.

use crate::args::{CallArgs, PolicyArgs, PolicyCommand};
use crate::failure::{Failure, Outcome};
use crate::input::Input;
use crate::manual::write_out;
use obelus_gate::{
    Explained, Fixture, Judged, Outcome as Ruling, PRESET_FIXTURES, Policy, PolicyFile, Rule, Servers,
    Understood,
};
use std::path::Path;

/// Runs one of the commands.
pub(crate) fn run(command: &PolicyCommand) -> Result<Outcome, Failure> {
    match command {
        PolicyCommand::Test { fixtures, rules } => {
            let (policy, servers) = load(rules)?;
            test(fixtures, &policy, &servers)
        }
        PolicyCommand::Explain { lint: true, rules, .. } => lint(&load(rules)?.0),
        PolicyCommand::Explain { call, json, rules, .. } => {
            let (policy, servers) = load(rules)?;
            explain(call, *json, &policy, &servers)
        }
    }
}

fn load(args: &PolicyArgs) -> Result<(Policy, Servers), Failure> {
    let servers = match &args.servers {
        None => Servers::default(),
        Some(path) => {
            let (name, text) = read(path)?;
            Servers::read(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))?
        }
    };
    let mut files = Vec::new();
    for path in &args.policy {
        let (name, text) = read(path)?;
        files.push(PolicyFile { name, text });
    }
    if files.is_empty() {
        files.push(PolicyFile::preset());
    }
    let policy = Policy::load(&files, &servers).map_err(|error| Failure::usage(error.to_string()))?;
    Ok((policy, servers))
}

/// A file or standard input as text, with its name.
fn read(path: &Path) -> Result<(String, String), Failure> {
    let mut input = Input::open(path)?;
    let mut bytes = Vec::new();
    input.read_rest(&mut bytes)?;
    let not_text = |_| Failure::data(format!("{}: is no UTF-8: mend the file", input.name));
    Ok((input.name.clone(), String::from_utf8(bytes).map_err(not_text)?))
}

/// Runs fixtures against the rules; without a file those of the shipped rules.
fn test(paths: &[std::path::PathBuf], policy: &Policy, servers: &Servers) -> Result<Outcome, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.push(read(path)?);
    }
    if files.is_empty() {
        files.push(("built-in preset.fixtures.yaml".to_owned(), PRESET_FIXTURES.to_owned()));
    }
    let mut outcome = Outcome::Done;
    for (name, text) in files {
        let fixtures = Fixture::read_all(&text).map_err(|error| Failure::data(format!("{name}: {error}")))?;
        if fixtures.is_empty() {
            return Err(Failure::data(format!(
                "{name}: holds no call: write one, with what should become of it"
            )));
        }
        let (mut report, mut faults) = (String::new(), 0);
        for (at, fixture) in fixtures.iter().enumerate() {
            let place = format!("{name}: call {} ({})", at + 1, fixture.name);
            let fault =
                fixture.check(policy, servers).map_err(|error| Failure::data(format!("{place}: {error}")))?;
            if let Some(fault) = fault {
                faults += 1;
                report.push_str(&format!("{place}: {fault}\n"));
            }
        }
        if faults > 0 {
            outcome = Outcome::Found;
        }
        report.push_str(&format!("{name}: {} calls as expected, {faults} not\n", fixtures.len() - faults));
        write_out(report.as_bytes())?;
    }
    Ok(outcome)
}

fn lint(policy: &Policy) -> Result<Outcome, Failure> {
    let lints = policy.lint();
    let mut report: String = lints.iter().map(|lint| format!("{lint}\n")).collect();
    let faults = lints.iter().filter(|lint| lint.is_fault()).count();
    report.push_str(&format!("{} rules, {faults} of them odd\n", policy.rules().len()));
    write_out(report.as_bytes())?;
    Ok(if faults > 0 { Outcome::Found } else { Outcome::Done })
}

/// Shows what becomes of one call, and why.
fn explain(args: &CallArgs, is_json: bool, policy: &Policy, servers: &Servers) -> Result<Outcome, Failure> {
    let fixture = call(args)?;
    let explained = fixture.explain(policy, servers).map_err(|error| Failure::usage(error.to_string()))?;
    if is_json {
        let line = serde_json::to_string(&explained).map_err(|error| Failure::data(error.to_string()))?;
        return write_out(format!("{line}\n").as_bytes());
    }
    write_out(in_words(&explained, policy).as_bytes())
}

/// The call from the arguments, or else from a file or standard input.
fn call(args: &CallArgs) -> Result<Fixture, Failure> {
    let mut fixture = match (&args.rest, &args.tool) {
        (None, None) => {
            let (name, text) = read(args.file.as_deref().unwrap_or(Path::new("-")))?;
            Fixture::read(&text).map_err(|error| Failure::data(format!("{name}: {error}")))?
        }
        _ => Fixture::default(),
    };
    if fixture.has_expectation() {
        let line = "the call says what is expected of it: that is for `obelus policy test`";
        return Err(Failure::usage(line));
    }
    let set = |slot: &mut Option<String>, text: &Option<String>| {
        if text.is_some() {
            slot.clone_from(text);
        }
    };
    set(&mut fixture.rest, &args.rest);
    set(&mut fixture.tool, &args.tool);
    set(&mut fixture.form, &args.form);
    set(&mut fixture.server, &args.server);
    set(&mut fixture.workflow, &args.workflow);
    if let Some(text) = &args.arguments {
        fixture.arguments = Some(text.as_str().into());
    }
    fixture.livemode = args.livemode.or(fixture.livemode);
    Ok(fixture)
}

fn in_words(explained: &Explained, policy: &Policy) -> String {
    let mut text = match &explained.understood {
        Some(understood) => facts(understood),
        None => "no operation\n".to_owned(),
    };
    if let Some(refused) = &explained.refused {
        text.push_str(&line("why", &refused.why));
    }
    for judged in explained.decision.iter().flat_map(|decision| &decision.judged) {
        text.push_str(&line(&format!("as {}", judged.class), &ruling(judged)));
    }
    text.push_str(&line("outcome", &explained.outcome()));
    text.push_str(&line("policy", policy.version()));
    text
}

fn facts(understood: &Understood) -> String {
    let mode = match understood.livemode {
        Some(true) => "live",
        Some(false) => "test",
        None => "unknown: counts as live",
    };
    let mut text = format!("{}\n", understood.operation);
    text.push_str(&line("class", understood.risk_class.as_str()));
    for (name, list) in
        [("facts", &understood.facts), ("objects", &understood.objects), ("arguments", &understood.arguments)]
    {
        if !list.is_empty() {
            text.push_str(&line(name, &list.join(", ")));
        }
    }
    for (name, fact) in [("amount", &understood.amount), ("account", &understood.account)] {
        if let Some(fact) = fact {
            text.push_str(&line(name, fact));
        }
    }
    text.push_str(&line("mode", mode));
    text
}

fn ruling(judged: &Judged) -> String {
    let mut text = match judged.outcome {
        Ruling::Allow => "allow".to_owned(),
        Ruling::NeedsApproval { approvers } => format!("approval {approvers}"),
        Ruling::Deny { .. } if judged.rules.is_empty() => "deny: no rule permits it".to_owned(),
        Ruling::Deny { .. } => "deny".to_owned(),
    };
    for (at, Rule { id, file, line, reason, .. }) in judged.rules.iter().enumerate() {
        text.push_str(if at == 0 { ", by " } else { ", " });
        text.push_str(&format!("{id} ({file}:{line})"));
        if let Some(reason) = reason {
            text.push_str(&format!(": {reason}"));
        }
    }
    text
}

fn line(name: &str, text: &str) -> String {
    // What the call says is shown as it is written in a program: nothing in it acts on the terminal.
    format!("  {name:<24}{}\n", text.escape_debug())
}
