//! `obelus audit show`: records as a timeline, with Stripe's events among them where they are given.

mod entry;
mod gaps;
mod page;

use crate::args::ShowArgs;
use crate::audit::unreadable;
use crate::exported;
use crate::failure::{Failure, Outcome};
use crate::input::display_name;
use crate::keys::duration;
use crate::output::Output;
use entry::Entry;
use gaps::Gaps;
use obelus_audit::{Files, Utc};
use obelus_reconcile::Event;
use obelus_vault::virtual_key;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::time::SystemTime;

/// The most that a page shows: more is no page that anybody reads.
const PAGE_ENTRIES_MAX: usize = 5000;

/// Writes the records that are asked for, in their order, with gaps among them. They are not checked.
pub(crate) fn run(args: &ShowArgs) -> Result<Outcome, Failure> {
    let files = Files::open(&args.paths).map_err(|error| unreadable(&error))?;
    let mut filter = Filter::new(args);
    filter.follow(&files)?;
    let mut output = Output::stdout()?;
    let is_json = args.json;
    let mut write = |entry: &Entry| match is_json {
        true => output.write_all(entry.json()).and_then(|()| output.write_all(b"\n")),
        false => writeln!(output, "{}", entry.words()),
    };
    let mut written = Ok(());
    if args.events.is_empty() && args.html.is_none() {
        // As they come: there may be more than fit into memory.
        each_entry(&files, &filter, |entry| {
            written = write(&entry);
            Ok(written.is_ok())
        })?;
    } else {
        let entries = collect(&files, &filter, args)?;
        match &args.html {
            Some(path) => {
                let text = page::page(&entries, &filter.in_words());
                fs::write(path, text)
                    .map_err(|error| Failure::io(&display_name(path), "write it", &error))?;
            }
            None => written = entries.iter().try_for_each(write),
        }
    }
    end(written.and_then(|()| output.flush()), &output)
}

fn end(written: io::Result<()>, output: &Output) -> Result<Outcome, Failure> {
    match written {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => output.failure(&error).map_or(Ok(Outcome::Done), Err),
    }
}

/// Hands on the records that are asked for, and the gaps among them, until it is told to stop.
fn each_entry(
    files: &Files,
    filter: &Filter<'_>,
    mut each: impl FnMut(Entry) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut gaps = Gaps::new(filter.is_narrow() || filter.since.is_some());
    let mut result = Ok(true);
    let read = files.records(|line| {
        result = serde_json::from_slice::<Value>(line)
            .map_err(|_what| Failure::data("a line is no record: look with `obelus audit verify`"))
            .and_then(|record| {
                let is_wanted = filter.wants(&record);
                for gap in gaps.see(&record, is_wanted) {
                    if !each(gap)? {
                        return Ok(false);
                    }
                }
                if is_wanted { each(Entry::of_record(record, line)) } else { Ok(true) }
            });
        matches!(result, Ok(true))
    });
    read.map_err(|error| unreadable(&error))?;
    result?;
    Ok(())
}

/// Records and events that are asked for, in the order of time.
fn collect(files: &Files, filter: &Filter<'_>, args: &ShowArgs) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    // What leads from records to events.
    let mut ids = BTreeSet::new();
    ids.extend(args.object.clone());
    each_entry(files, filter, |entry| {
        ids.extend(entry.ids());
        entries.push(entry);
        check_len(&entries, args)?;
        Ok(true)
    })?;
    let is_narrow = filter.is_narrow();
    let mut too_many = Ok(());
    exported::read(&args.events, |event| {
        let is_late =
            filter.since.as_ref().is_none_or(|since| event.created.to_string().as_str() >= since.as_str());
        if is_late && (!is_narrow || is_related(event, &ids)) && too_many.is_ok() {
            entries.push(Entry::of_event(event));
            too_many = check_len(&entries, args);
        }
    })?;
    too_many?;
    entries.sort_by_key(Entry::order);
    Ok(entries)
}

fn check_len(entries: &[Entry], args: &ShowArgs) -> Result<(), Failure> {
    if args.html.is_some() && entries.len() > PAGE_ENTRIES_MAX {
        return Err(Failure::data(format!(
            "more than {PAGE_ENTRIES_MAX} entries for one page: narrow them down by --since, --object, --key or --request"
        )));
    }
    Ok(())
}

/// Whether an event is about what records name.
fn is_related(event: &Event<'_>, ids: &BTreeSet<String>) -> bool {
    let asked = [event.request_id.as_deref(), event.idempotency_key.as_deref()];
    event.objects().chain(asked.into_iter().flatten()).any(|id| ids.contains(id))
}

/// Which records are asked for: those for which all holds that is said.
struct Filter<'a> {
    args: &'a ShowArgs,
    /// The id of the virtual key.
    key: Option<String>,
    /// RFC 3339 as records write it, or its beginning.
    since: Option<String>,
    /// Ids of requests, approvals and traces that belong to the object that is asked for.
    led: BTreeSet<String>,
}

/// What joins records of one call, and of the chat that led to it.
fn joins(record: &Value) -> impl Iterator<Item = &str> {
    let ids = ["request_id", "approval_id"].into_iter().filter_map(|name| record[name].as_str());
    // Version, trace, span, flags (W3C Trace Context, 3.2).
    let trace = record["traceparent"].as_str().and_then(|text| text.split('-').nth(1));
    ids.chain(trace)
}

impl<'a> Filter<'a> {
    fn new(args: &'a ShowArgs) -> Filter<'a> {
        // Whoever has the whole key need not know that its id is a part of it.
        let id = |key: &String| match virtual_key::parse(key.as_bytes()) {
            Ok(id) => id.to_string(),
            Err(_) => key.clone(),
        };
        Filter { args, key: args.key.as_ref().map(id), since: args.since.clone(), led: BTreeSet::new() }
    }

    /// Finds what led to the object: an object that a call has made is named at the end of it alone, while what asked
    /// for it and what people decided stand before.
    fn follow(&mut self, files: &Files) -> Result<(), Failure> {
        let Some(object) = &self.args.object else { return Ok(()) };
        // The approval of a call that named the object, then every request that has waited for it.
        for _ in 0..2 {
            let before = self.led.len();
            let read = files.records(|line| {
                // A line that is no record is told when records are shown.
                let record: Value = serde_json::from_slice(line).unwrap_or_default();
                if self.is_of(&record, object) {
                    self.led.extend(joins(&record).map(str::to_owned));
                }
                true
            });
            read.map_err(|error| unreadable(&error))?;
            if self.led.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// Whether a record names the object, or is of a call that does.
    fn is_of(&self, record: &Value, object: &str) -> bool {
        let objects = record["stripe_objects"].as_array();
        objects.is_some_and(|objects| objects.iter().any(|id| id == object))
            || joins(record).any(|id| self.led.contains(id))
    }

    fn wants(&self, record: &Value) -> bool {
        let is = |value: &Value, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|text| value == text.as_str())
        };
        self.args.object.as_ref().is_none_or(|object| self.is_of(record, object))
            && (is(&record["actor"]["key"], &self.key) || is(&record["exposed_key"], &self.key))
            && is(&record["request_id"], &self.args.request)
            && self.is_late(record)
    }

    /// Whether a record is of the time that is asked for.
    fn is_late(&self, record: &Value) -> bool {
        // Times have one form, so that they are in the order of their texts.
        let is_late = |since: &String| record["time"].as_str().is_some_and(|time| time >= since.as_str());
        self.since.as_ref().is_none_or(is_late)
    }

    /// Whether only some of the records of a time are asked for.
    fn is_narrow(&self) -> bool {
        self.key.is_some() || self.args.object.is_some() || self.args.request.is_some()
    }

    /// What is asked for, for people.
    fn in_words(&self) -> Vec<(&'static str, String)> {
        let asked = [
            ("object", self.args.object.clone()),
            ("virtual key", self.key.clone()),
            ("request", self.args.request.clone()),
            ("since", self.since.clone()),
        ];
        asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
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
    if is_moment && body.bytes().zip(form.bytes()).all(fits) && Utc::parse(body).is_some() {
        return Ok(body.to_owned());
    }
    Err("write a number and s, m, h or d, such as 12h, or a moment in UTC, such as 2026-01-31 or 2026-01-31T12:30:00Z"
        .to_owned())
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
            "2026-99-99",
            "2026-02-31",
            "2026-01-31T25:00Z",
        ] {
            since(text).unwrap_err();
        }
    }
}
