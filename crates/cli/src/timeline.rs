//! `obelus audit show`: records as a timeline.

use crate::args::ShowArgs;
use crate::audit::unreadable;
use crate::failure::{Failure, Outcome};
use crate::keys::duration;
use crate::output::Output;
use obelus_audit::{Files, Utc};
use obelus_vault::virtual_key;
use serde_json::Value;
use std::io::Write;
use std::time::SystemTime;

/// Writes the records that are asked for, in their order. They are not checked.
pub(crate) fn run(args: &ShowArgs) -> Result<Outcome, Failure> {
    let filter = Filter::new(args);
    let files = Files::open(&args.paths).map_err(|error| unreadable(&error))?;
    let mut output = Output::stdout()?;
    let mut result = Ok(());
    let read = files.records(|line| {
        let Ok(record) = serde_json::from_slice::<Value>(line) else {
            result = Err(Failure::data("a line is no record: look with `obelus audit verify`"));
            return false;
        };
        if !filter.wants(&record) {
            return true;
        }
        let written = match args.json {
            true => output.write_all(line).and_then(|()| output.write_all(b"\n")),
            false => writeln!(output, "{}", words(&record)),
        };
        if let Err(error) = written {
            result = output.failure(&error).map_or(Ok(()), Err);
            return false;
        }
        true
    });
    read.map_err(|error| unreadable(&error))?;
    result?;
    match output.flush() {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => output.failure(&error).map_or(Ok(Outcome::Done), Err),
    }
}

/// Which records are asked for: those for which all holds that is said.
struct Filter<'a> {
    args: &'a ShowArgs,
    /// The id of the virtual key.
    key: Option<String>,
    /// RFC 3339 as records write it, or its beginning.
    since: Option<String>,
}

impl<'a> Filter<'a> {
    fn new(args: &'a ShowArgs) -> Filter<'a> {
        // Whoever has the whole key need not know that its id is a part of it.
        let id = |key: &String| match virtual_key::parse(key.as_bytes()) {
            Ok(id) => id.to_string(),
            Err(_) => key.clone(),
        };
        Filter { args, key: args.key.as_ref().map(id), since: args.since.clone() }
    }

    fn wants(&self, record: &Value) -> bool {
        let is = |value: &Value, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|text| value == text.as_str())
        };
        let objects = record["stripe_objects"].as_array();
        let holds =
            |object: &String| objects.is_some_and(|objects| objects.iter().any(|id| id == object.as_str()));
        // Times have one form, so that they are in the order of their texts.
        let is_late = |since: &String| record["time"].as_str().is_some_and(|time| time >= since.as_str());
        self.args.object.as_ref().is_none_or(holds)
            && (is(&record["actor"]["key"], &self.key) || is(&record["exposed_key"], &self.key))
            && is(&record["request_id"], &self.args.request)
            && self.since.as_ref().is_none_or(is_late)
    }
}

/// Since when: a time with its unit before now, or a date, or a moment as RFC 3339 writes it in UTC.
pub(crate) fn since(text: &str) -> Result<String, String> {
    if let Ok(time) = duration(text) {
        let moment = SystemTime::now().checked_sub(time).ok_or("that is before all time")?;
        return Ok(Utc::from(moment).to_string());
    }
    let form = "0000-00-00T00:00:00.000000Z";
    let fits = |(sign, wanted): (u8, u8)| if wanted == b'0' { sign.is_ascii_digit() } else { sign == wanted };
    let body = text.trim_end_matches('Z');
    let is_moment = [10, 16, 19].contains(&body.len()) || (21..27).contains(&body.len());
    if is_moment && body.bytes().zip(form.bytes()).all(fits) {
        return Ok(body.to_owned());
    }
    Err("write a number and s, m, h or d, such as 12h, or a moment in UTC, such as 2026-01-31 or 2026-01-31T12:30:00Z"
        .to_owned())
}

/// A record on one line.
fn words(record: &Value) -> String {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let named = |name: &str, value: &Value| value.as_str().map(|text| format!("{name} {text}"));
    let findings = record["redactions"].as_object().into_iter().flatten();
    let findings: Vec<String> = findings.map(|(category, count)| format!("{category} {count}")).collect();
    let objects = record["stripe_objects"].as_array().into_iter().flatten();
    let objects: Vec<&str> = objects.filter_map(Value::as_str).collect();
    let words = [
        word(&record["time"]),
        record["seq"].as_u64().map(|seq| format!("{seq:>6}")),
        word(&record["kind"]).map(|kind| format!("{kind:<15}")),
        word(&record["route"]["name"]),
        word(&record["route"]["model"]),
        word(&record["decision"]),
        word(&record["outcome"]),
        word(&record["reason"]),
        word(&record["segment"]["reason"]),
        record["status"].as_u64().map(|status| status.to_string()),
        (!findings.is_empty()).then(|| findings.join(", ")),
        (!objects.is_empty()).then(|| objects.join(", ")),
        named("key", &record["actor"]["key"]),
        named("workflow", &record["actor"]["workflow"]),
        named("exposed key", &record["exposed_key"]),
        named("request", &record["request_id"]),
        record["duration_us"].as_u64().map(|time| format!("{time} \u{b5}s")),
    ];
    words.into_iter().flatten().collect::<Vec<String>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_or_a_span_before_now() {
        for text in ["2026-01-31", "2026-01-31T12:30Z", "2026-01-31T12:30:00Z", "2026-01-31T12:30:00.5Z"] {
            assert_eq!(since(text).as_deref(), Ok(text.trim_end_matches('Z')));
        }
        assert!(since("12h").unwrap() < Utc::from(SystemTime::now()).to_string());
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-1-31",
            "2026-01-31 12:30",
            "2026-01-31T12:30:00+01:00",
            "31.1.2026",
        ] {
            since(text).unwrap_err();
        }
    }
}
