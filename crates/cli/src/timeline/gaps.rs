//! What is missing between records.

use super::entry::Entry;
use serde_json::Value;

/// Goes along the records and tells what is missing.
pub(super) struct Gaps {
    /// Whether only gaps between records that are asked for are told.
    is_narrow: bool,
    last: Option<(u64, String)>,
    /// Whether the process has said that it began and not that it ended.
    is_running: bool,
    stopped: Option<String>,
    has_shown: bool,
    waiting: Vec<Entry>,
}

impl Gaps {
    pub(super) fn new(is_narrow: bool) -> Gaps {
        Gaps {
            is_narrow,
            last: None,
            is_running: false,
            stopped: None,
            has_shown: false,
            waiting: Vec::new(),
        }
    }

    /// Takes the next record, whether it is asked for or not. Gives the gaps to be told before it.
    pub(super) fn see(&mut self, record: &Value, is_shown: bool) -> Vec<Entry> {
        let time = record["time"].as_str().unwrap_or_default().to_owned();
        let seq = record["seq"].as_u64().unwrap_or_default();
        let (before, last_time) = self.last.clone().unwrap_or((0, time.clone()));
        if seq > before + 1 {
            let what = match seq - before {
                2 => format!("record {} is missing", seq - 1),
                _ => format!("the records {} to {} are missing", before + 1, seq - 1),
            };
            self.waiting.push(Entry::gap(&last_time, &what));
            // Whether it has ended meanwhile nobody can say.
            self.is_running = false;
            self.stopped = None;
        }
        match record["kind"].as_str().unwrap_or_default() {
            "started" => {
                if self.is_running {
                    self.waiting.push(Entry::gap(
                        &last_time,
                        "the sidecar ended without a record of it, some time before the next",
                    ));
                } else if let Some(stopped) = &self.stopped {
                    self.waiting.push(Entry::gap(stopped, &format!("the sidecar did not run until {time}")));
                }
                self.is_running = true;
            }
            "stopped" => {
                self.is_running = false;
                self.stopped = Some(time.clone());
            }
            "segment_started" => {
                let what = match record["segment"]["reason"].as_str() {
                    Some("write_failed" | "sync_failed") => {
                        "a write failed: what was under way then is not here"
                    }
                    Some("recovered") => "the last line was not whole, or could not be gone on with",
                    _ => "",
                };
                if !what.is_empty() {
                    self.waiting.push(Entry::gap(&last_time, what));
                }
            }
            _ => {}
        }
        self.last = Some((seq, time));
        if self.is_narrow && !self.has_shown && !is_shown {
            self.waiting.clear();
        }
        self.has_shown |= is_shown;
        if is_shown { std::mem::take(&mut self.waiting) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(records: &[Value], wanted: &[u64]) -> Vec<String> {
        let mut gaps = Gaps::new(!wanted.is_empty());
        let is_shown =
            |record: &Value| wanted.is_empty() || wanted.contains(&record["seq"].as_u64().unwrap_or(0));
        records
            .iter()
            .flat_map(|record| gaps.see(record, is_shown(record)))
            .map(|gap| gap.details[0].clone())
            .collect()
    }

    #[test]
    fn missing_records_and_times_without_any_are_told() {
        let record = |seq: u64, kind: &str| json!({"seq": seq, "time": format!("2025-07-01T00:00:0{seq}Z"), "kind": kind});
        let torn = json!({"seq": 7, "time": "2025-07-01", "kind": "segment_started", "segment": {"reason": "sync_failed"}});
        let records = [
            record(1, "started"),
            record(2, "stopped"),
            record(3, "started"),
            record(4, "started"),
            record(6, "x"),
            torn,
        ];
        assert_eq!(
            told(&records, &[]),
            [
                "the sidecar did not run until 2025-07-01T00:00:03Z",
                "the sidecar ended without a record of it, some time before the next",
                "record 5 is missing",
                "a write failed: what was under way then is not here",
            ]
        );
        // Of some records only what is missing between them.
        assert_eq!(
            told(&records, &[4, 6]),
            ["the sidecar ended without a record of it, some time before the next", "record 5 is missing"]
        );
        assert_eq!(told(&[record(4, "x")], &[]), ["the records 1 to 3 are missing"]);
        assert_eq!(told(&records[..1], &[]), [""; 0]);
    }
}
