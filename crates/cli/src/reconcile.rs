//! `obelus audit reconcile`: do records and Stripe's events tell the same story?

use crate::args::ReconcileArgs;
use crate::audit::unreadable;
use crate::exported;
use crate::failure::{Failure, Outcome};
use crate::fetched;
use crate::input::display_name;
use crate::output::Output;
use crate::shown::{money, shown};
use obelus_audit::{Files, Utc};
use obelus_proxy::Config;
use obelus_reconcile::{CallFault, Calls, Counts, Pairing, Reconciled, Settings, Write};
use serde_json::{Map, Value, json};
use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

/// How many types of events outside of the gateway are told to people.
const TYPES_TOLD: usize = 8;
/// What of a call's record is told with a fault.
const TOLD: [&str; 11] = [
    "seq",
    "time",
    "request_id",
    "actor",
    "tool",
    "operation",
    "stripe_objects",
    "amount_minor",
    "currency",
    "account",
    "livemode",
];

/// Pairs, and tells what does not fit.
pub(crate) fn run(args: &ReconcileArgs) -> Result<Outcome, Failure> {
    let config = if args.fetch || args.paths.is_empty() { Some(configuration(args)?) } else { None };
    let paths = if args.paths.is_empty() { records_of(config.as_ref()) } else { args.paths.clone() };
    let files = Files::open(&paths).map_err(|error| unreadable(&error))?;
    let mut calls = Calls::new();
    let mut is_right = true;
    files
        .records(|line| {
            is_right = calls.record(line).is_ok();
            is_right
        })
        .map_err(|error| unreadable(&error))?;
    if !is_right {
        return Err(Failure::data("a line is no record: look with `obelus audit verify`"));
    }
    let moment = |text: &Option<String>| text.as_deref().and_then(Utc::parse);
    let mut settings =
        Settings { since: moment(&args.since), until: moment(&args.until), window: args.window };
    let fetched = config.filter(|_| args.fetch).map(|config| (config, fetched::period(&mut settings)));
    let mut pairing = Pairing::new(calls, settings);
    exported::read(&args.events, |event| pairing.event(event))?;
    if let Some((config, period)) = fetched {
        fetched::read(&config, period, |event| pairing.event(event))?;
    }
    let found = pairing.finish();
    // An export without events says that nothing happened only of a time that was named.
    let is_judged = found.counts.events > 0 || args.since.is_some() && args.until.is_some();
    if args.paths.is_empty() && is_judged {
        remember(&paths, &found)?;
    }
    let mut output = Output::stdout()?;
    let mut written = tell(&files, &found, args.json, &mut output)?;
    written = written.and_then(|()| output.flush());
    if let Err(error) = written
        && let Some(failure) = output.failure(&error)
    {
        return Err(failure);
    }
    Ok(if found.has_fault() { Outcome::Found } else { Outcome::Done })
}

/// Leaves beside the records when they were paired, and whether they were right: `obelus posture` looks at it.
fn remember(paths: &[PathBuf], found: &Reconciled) -> Result<(), Failure> {
    let Some(folder) = paths.first() else { return Ok(()) };
    let verdict = if found.has_fault() { "fault" } else { "right" };
    let line = json!({"time": Utc::from(SystemTime::now()).to_string(), "verdict": verdict});
    let path = folder.join("reconciled.json");
    let written = std::fs::write(&path, format!("{line}\n"));
    written.map_err(|error| Failure::io(&display_name(&path), "write it", &error))
}

fn configuration(args: &ReconcileArgs) -> Result<Config, Failure> {
    let env = |name: &str| env::var_os(name);
    Config::read(args.config.config.as_deref(), &env).map_err(|error| Failure::config(&error))
}

/// The folder in which the sidecar of the configuration writes its records.
fn records_of(config: Option<&Config>) -> Vec<PathBuf> {
    let folder = config.and_then(|config| config.audit.path.parent()).map(PathBuf::from);
    vec![folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."))]
}

/// Writes faults of calls with their records, then writes around the gateway, then the summary.
fn tell(
    files: &Files,
    found: &Reconciled,
    is_json: bool,
    output: &mut Output,
) -> Result<io::Result<()>, Failure> {
    let mut faults = found.calls.iter().peekable();
    let begin = |seq: u64| format!("{{\"seq\":{seq},").into_bytes();
    let mut wanted = faults.peek().map(|(seq, _)| (*seq, begin(*seq)));
    let mut result = Ok(());
    let call = |record: &Value, fault, output: &mut Output| match is_json {
        true => writeln!(output, "{}", call_json(record, fault)),
        false => writeln!(output, "{}", call_words(record, fault)),
    };
    if wanted.is_some() {
        let read = files.records(|line| {
            let Some((seq, begins)) = &wanted else { return false };
            // Only the lines that are told are taken apart.
            if !line.starts_with(begins) {
                return true;
            }
            let record: Value = serde_json::from_slice(line).unwrap_or_default();
            while let Some((_, fault)) = faults.next_if(|(next, _)| next == seq) {
                result = call(&record, fault, output);
            }
            wanted = faults.peek().map(|(seq, _)| (*seq, begin(*seq)));
            result.is_ok()
        });
        read.map_err(|error| unreadable(&error))?;
    }
    // Of records that are written otherwise there is no more to tell than their number.
    for (seq, fault) in faults {
        result = result.and_then(|()| call(&json!({"seq": seq}), fault, output));
    }
    for write in &found.writes {
        result = result.and_then(|()| match is_json {
            true => writeln!(output, "{}", write_json(write)),
            false => writeln!(output, "{}", write_words(write)),
        });
    }
    result = result.and_then(|()| match is_json {
        true => writeln!(output, "{}", summary_json(found)),
        false => output.write_all(summary_words(found).as_bytes()),
    });
    Ok(result)
}

fn call_json(record: &Value, fault: &CallFault) -> Value {
    let mut line = Map::new();
    match fault {
        CallFault::NoEvent => {
            line.insert("finding".to_owned(), "call_without_event".into());
        }
        CallFault::Mismatch { what, event, amounts } => {
            line.insert("finding".to_owned(), "mismatch".into());
            line.insert("what".to_owned(), json!(what));
            line.insert("event".to_owned(), json!(event));
            if let Some((_, seen)) = amounts {
                line.insert("event_amount_minor".to_owned(), json!(seen));
            }
        }
    }
    for name in TOLD {
        if let Some(value) = record.get(name) {
            line.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(line)
}

fn write_json(write: &Write) -> Value {
    let mut line = json!({"finding": "write_without_call"});
    if let (Some(line), Value::Object(members)) = (line.as_object_mut(), json!(write)) {
        line.extend(members);
    }
    line
}

fn summary_json(found: &Reconciled) -> Value {
    let span = found.events_span.map(|(first, last)| [first.to_string(), last.to_string()]);
    json!({
        "finding": "summary",
        "verdict": if found.has_fault() { "fault" } else { "right" },
        "counts": found.counts,
        "outside": found.outside,
        "events_span": span,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(|text| shown(text).into_owned())
}

fn join(words: impl IntoIterator<Item = Option<String>>) -> String {
    words.into_iter().flatten().collect::<Vec<String>>().join("  ")
}

fn call_words(record: &Value, fault: &CallFault) -> String {
    let what = match fault {
        CallFault::NoEvent => "call without event".to_owned(),
        CallFault::Mismatch { what, amounts, event } => {
            let what = json!(what);
            let seen = amounts.map(|(_, seen)| money(seen, record["currency"].as_str()));
            let amounts = seen.map(|seen| format!(": the event says {seen}")).unwrap_or_default();
            let event = event.as_deref().map(|event| format!(" ({event})")).unwrap_or_default();
            format!("other {}{amounts}{event}", what.as_str().unwrap_or_default())
        }
    };
    let objects = record["stripe_objects"].as_array().into_iter().flatten();
    let objects: Vec<String> = objects.filter_map(text).collect();
    join([
        text(&record["time"]),
        Some(format!("FAULT {what}")),
        record["seq"].as_u64().map(|seq| format!("record {seq}")),
        text(&record["operation"]),
        record["amount_minor"].as_u64().map(|minor| money(minor, record["currency"].as_str())),
        (!objects.is_empty()).then(|| objects.join(", ")),
        text(&record["actor"]["key"]).map(|key| format!("key {key}")),
        text(&record["request_id"]).map(|id| format!("request {id}")),
    ])
}

fn write_words(write: &Write) -> String {
    let likely = write.likely_operation.as_ref().map(|operation| format!("looks like {operation}"));
    join([
        Some(write.created.to_string()),
        Some("FAULT write without a call".to_owned()),
        Some(write.kind.clone()),
        likely,
        write.amount_minor.map(|minor| money(minor, write.currency.as_deref())),
        write.object.clone(),
        write.account.as_ref().map(|account| format!("account {account}")),
        write.request.as_ref().map(|id| format!("Stripe's request {id}")),
        write.event.as_ref().map(|id| format!("event {id}")),
        write.refused_seq.map(|seq| format!("refused by record {seq}")),
    ])
}

fn summary_words(found: &Reconciled) -> String {
    let Counts { records, calls, events, .. } = found.counts;
    let mut text = match found.events_span {
        Some((first, last)) => {
            format!("{records} records with {calls} calls, {events} events from {first} to {last}\n")
        }
        None => format!("{records} records with {calls} calls, no event\n"),
    };
    let counts = &found.counts;
    let rows = [
        (counts.matched, "calls with their events"),
        (counts.repeated, "calls that repeat one of these, under the same idempotency key"),
        (counts.without_event, "calls without an event: FAULT"),
        (counts.writes_without_call, "writes at Stripe without a call: FAULT"),
        (counts.mismatches, "differences between a call and its event: FAULT"),
        (
            counts.not_done,
            "calls whose end is not recorded and which have no event: not done, as far as events tell",
        ),
        (counts.failed, "calls that Stripe refused"),
        (counts.kept_back, "calls that did not go out"),
        (counts.no_event_known, "calls of which no event is known: they read, or make none"),
        (counts.unchanged, "changes without an event: one that changes nothing makes none"),
        (
            counts.calls_not_judged,
            "calls outside the time or mode of the events: not judged, see --since and --until",
        ),
        (counts.events_not_judged, "events before the records, or outside the time asked for: not judged"),
        (counts.folded, "events that came along with another of the same call"),
        (counts.follow_ups, "later events of what calls have made"),
        (counts.outside, "events that nobody asked for by the API: the dashboard, or Stripe itself"),
        (counts.duplicates, "events that stand there more than once"),
    ];
    for (count, what) in rows.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("{count:>10}  {what}\n"));
    }
    let mut types: Vec<(&String, &u64)> = found.outside.iter().collect();
    types.sort_by_key(|(name, count)| (u64::MAX - **count, (*name).clone()));
    for (name, count) in types.iter().take(TYPES_TOLD) {
        text.push_str(&format!("{:>12}{count:>8}  {name}\n", ""));
    }
    if types.len() > TYPES_TOLD {
        text.push_str(&format!("{:>22}and {} other types\n", "", types.len() - TYPES_TOLD));
    }
    text
}
