//! A timeline as one page that needs nothing else: no script, no font, no picture from elsewhere.

use super::entry::{Entry, Lane};
use crate::shown::shown;
use obelus_audit::Utc;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

/// Measures of the drawing.
const WIDTH: f64 = 1000.0;
const LEFT: f64 = 84.0;
const ROW: f64 = 30.0;
const TICKS: u64 = 6;
/// A time without entries that is told between two of them.
const PAUSE_SECONDS: u64 = 60;

const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn page(entries: &[Entry], asked: &[(&'static str, String)]) -> String {
    let mut out = String::with_capacity(4096 + entries.len() * 400);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Nothing is loaded, whatever stands in it.
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    out.push_str(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Timeline</title>\n",
    );
    out.push_str(&format!("<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>Timeline</h1>\n<dl>\n"));
    for (name, value) in asked {
        row(&mut out, name, value);
    }
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        row(&mut out, "from", &first.moment);
        row(&mut out, "to", &last.moment);
    }
    let count = |lane: Lane| entries.iter().filter(|entry| entry.lane == lane).count();
    let records = entries.iter().filter(|entry| entry.seq.is_some()).count();
    row(
        &mut out,
        "entries",
        &format!("{records} records, {} events, {} gaps", count(Lane::Event), count(Lane::Gap)),
    );
    row(&mut out, "made", &Utc::from(SystemTime::now()).to_string());
    out.push_str("</dl>\n<p class=\"hint\">Records are shown as they stand in their files; whether they are the ones that were written ");
    out.push_str("<code>obelus audit verify</code> says.</p>\n</header>\n");
    if entries.is_empty() {
        out.push_str("<p>Nothing of what was asked for is here.</p>\n");
    } else {
        drawing(&mut out, entries);
        list(&mut out, entries);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn row(out: &mut String, name: &str, value: &str) {
    add(out, format_args!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(&shown(value))));
}

/// Appends. Writing to a string does not fail.
fn add(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}

/// Text as HTML wants it, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            sign => out.push(sign),
        }
    }
    out
}

/// Where a moment stands in the drawing.
struct Scale {
    begin: u64,
    span: u64,
}

impl Scale {
    fn new(entries: &[Entry]) -> Scale {
        let times = || entries.iter().map(|entry| entry.time.as_micros());
        let (begin, end) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        Scale { begin, span: (end - begin).max(1) }
    }

    #[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
    fn x(&self, micros: u64) -> f64 {
        LEFT + (micros.saturating_sub(self.begin)) as f64 / self.span as f64 * (WIDTH - LEFT - 14.0)
    }
}

/// A row for each sort of entries, a mark for each entry, a bar for each request from its beginning to its end.
fn drawing(out: &mut String, entries: &[Entry]) {
    let lanes: Vec<Lane> =
        Lane::ALL.into_iter().filter(|lane| entries.iter().any(|entry| entry.lane == *lane)).collect();
    let y = |lane: Lane| {
        let rows = lanes.iter().take_while(|other| **other != lane).fold(0.0, |sum, _| sum + ROW);
        rows + ROW / 2.0
    };
    let bottom = lanes.iter().fold(0.0, |sum, _| sum + ROW);
    let scale = Scale::new(entries);
    add(
        out,
        format_args!(
            "<figure>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"The entries by time\">\n",
            bottom + 26.0
        ),
    );
    for lane in &lanes {
        let (name, at) = (lane.name(), y(*lane));
        add(out, format_args!("<line class=\"rail\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at}\" y2=\"{at}\"/>"));
        add(out, format_args!("<text class=\"lane\" x=\"0\" y=\"{}\">{name}</text>\n", at + 4.0));
    }
    for tick in 0..=TICKS {
        let micros = scale.begin + scale.span / TICKS * tick;
        let (x, label) = (scale.x(micros), tick_label(micros, scale.span));
        let anchor = match tick {
            0 => "start",
            TICKS => "end",
            _ => "middle",
        };
        add(out, format_args!("<line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{bottom}\"/>"));
        add(
            out,
            format_args!(
                "<text class=\"time\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{label}</text>\n",
                bottom + 18.0
            ),
        );
    }
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.lane == Lane::Gap) {
        // Up to the next record nobody knows.
        let next = entries.iter().skip(at).find(|entry| entry.seq.is_some());
        let (from, to) =
            (scale.x(entry.time.as_micros()), next.map_or(WIDTH, |next| scale.x(next.time.as_micros())));
        let width = (to - from).max(2.0);
        add(
            out,
            format_args!(
                "<rect class=\"hole\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{bottom}\"/>\n"
            ),
        );
    }
    let mut requests: BTreeMap<(&str, Lane), (u64, u64)> = BTreeMap::new();
    for entry in entries {
        let Some(request) = &entry.request else { continue };
        let at = entry.time.as_micros();
        let span = requests.entry((request, entry.lane)).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }
    for ((_, lane), (begin, end)) in requests.into_iter().filter(|(_, (begin, end))| begin < end) {
        let (from, to, at) = (scale.x(begin), scale.x(end), y(lane));
        add(
            out,
            format_args!("<line class=\"span\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{at}\" y2=\"{at}\"/>"),
        );
    }
    for (number, entry) in entries.iter().enumerate() {
        let (x, at, class) = (scale.x(entry.time.as_micros()), y(entry.lane), class(entry));
        let title = escaped(&entry.words());
        add(
            out,
            format_args!(
                "<a href=\"#e{number}\"><circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{at}\" r=\"5\"><title>{title}</title></circle></a>\n"
            ),
        );
    }
    out.push_str("</svg>\n</figure>\n");
}

fn tick_label(micros: u64, span: u64) -> String {
    let text = Utc::from_micros(micros).to_string();
    let day = 86_400_000_000;
    let range = if span > 3 * day {
        0..10
    } else if span > day / 24 {
        5..16
    } else if span > 10 * TICKS * 1_000_000 {
        11..19
    } else {
        // Seconds alone would be the same at several ticks.
        14..23
    };
    text.get(range).unwrap_or_default().replace('T', " ")
}

fn class(entry: &Entry) -> String {
    let lane = entry.lane.name().to_ascii_lowercase();
    if entry.is_bad { format!("{lane} bad") } else { lane }
}

/// Every entry on a row, with days and pauses between them.
fn list(out: &mut String, entries: &[Entry]) {
    out.push_str(
        "<table>\n<thead><tr><th>time</th><th>record</th><th>what</th><th>of it</th></tr></thead>\n<tbody>\n",
    );
    let mut last: Option<&Entry> = None;
    for (number, entry) in entries.iter().enumerate() {
        let (day, clock) = entry.moment.split_at_checked(10).unwrap_or((&entry.moment, ""));
        if last.and_then(|last| last.moment.get(..10)) != Some(day) {
            add(out, format_args!("<tr class=\"day\"><th colspan=\"4\">{}</th></tr>\n", escaped(day)));
        } else if let Some(last) = last {
            let pause = entry.time.as_micros().saturating_sub(last.time.as_micros()) / 1_000_000;
            if pause >= PAUSE_SECONDS {
                add(
                    out,
                    format_args!("<tr class=\"pause\"><td colspan=\"4\">{}</td></tr>\n", duration(pause)),
                );
            }
        }
        let clock = clock.trim_start_matches('T').trim_end_matches('Z');
        let seq = entry.seq.map_or(String::new(), |seq| seq.to_string());
        let details: Vec<String> =
            entry.details.iter().map(|detail| format!("<span>{}</span>", escaped(detail))).collect();
        add(
            out,
            format_args!(
                "<tr id=\"e{number}\" class=\"{}\"><td class=\"clock\">{}</td><td class=\"seq\">{seq}</td><td><b>{}</b></td><td>{}</td></tr>\n",
                class(entry),
                escaped(clock),
                escaped(&entry.kind),
                details.join(" "),
            ),
        );
        last = Some(entry);
    }
    out.push_str("</tbody>\n</table>\n");
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s later"),
        (hours, minutes, _) => format!("{hours} h {minutes} min later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_is_escaped_and_nothing_is_loaded() {
        let evil = "\"><script>alert(1)</script><img src='https://example.com/x'>\u{202e}";
        let record = json!({
            "seq": 1, "time": "2025-07-01T00:00:00.000000Z", "kind": evil, "operation": evil, "request_id": evil,
            "actor": {"key": evil, "workflow": evil}, "stripe_objects": [evil],
        });
        let other = json!({"seq": 2, "time": evil, "kind": "call", "request_id": evil});
        let entries =
            [Entry::of_record(record, b""), Entry::of_record(other, b""), Entry::gap("2025-07-01", evil)];
        let text = page(&entries, &[("object", evil.to_owned())]);
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains('\u{202e}'));
        assert!(text.contains("&quot;&gt;&lt;script&gt;"));
        // An attribute that loads something would have one of these; a link within the page has a sign before it.
        for attribute in ["src=\"", "src='", "href=\"h", "href='", "url(", "@import", "<link", "<iframe"] {
            assert!(!text.contains(attribute), "{attribute}");
        }
    }

    #[test]
    fn entries_are_drawn_in_their_lanes_and_listed_with_pauses() {
        let record = |seq: u64, minute: u64, kind: &str| {
            let time = format!("2025-07-01T00:0{minute}:00.000000Z");
            Entry::of_record(json!({"seq": seq, "time": time, "kind": kind, "request_id": "r"}), b"")
        };
        let text =
            page(&[record(1, 0, "call"), record(2, 5, "call_outcome"), record(3, 5, "model_request")], &[]);
        assert_eq!(text.matches("<circle").count(), 3);
        assert_eq!(text.matches("class=\"lane\"").count(), 2);
        assert_eq!(text.matches("class=\"span\"").count(), 1);
        assert!(text.contains("5 min 0 s later"), "{text}");
        assert!(page(&[], &[]).contains("Nothing of what was asked for"));
    }
}
