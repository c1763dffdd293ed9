//! One line of a timeline.

use crate::shown::{money, shown};
use obelus_audit::{Utc, Word, is_bad};
use obelus_reconcile::Event;
use serde_json::{Value, json};

/// Times of most events are cut to the second: they come behind the records of theirs.
const END_OF_SECOND: u64 = 999_999;

/// What an entry is about: its row in the drawing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Lane {
    Model,
    Call,
    Approval,
    Key,
    Process,
    Event,
    Gap,
}

impl Lane {
    pub(super) const ALL: [Lane; 7] =
        [Lane::Model, Lane::Call, Lane::Approval, Lane::Key, Lane::Process, Lane::Event, Lane::Gap];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Lane::Model => "models",
            Lane::Call => "calls",
            Lane::Approval => "approvals",
            Lane::Key => "keys",
            Lane::Process => "sidecar",
            Lane::Event => "Stripe",
            Lane::Gap => "gaps",
        }
    }

    fn of(kind: &str) -> Lane {
        match kind {
            kind if kind.starts_with("model_") => Lane::Model,
            kind if kind.starts_with("approval_") => Lane::Approval,
            kind if kind.starts_with("key_exposed") => Lane::Key,
            kind if ["call", "tool", "message"].iter().any(|begin| kind.starts_with(begin)) => Lane::Call,
            _ => Lane::Process,
        }
    }
}

/// One line of a timeline, all text fit to be shown.
pub(super) struct Entry {
    pub(super) time: Utc,
    /// The time as it stands there.
    pub(super) moment: String,
    pub(super) seq: Option<u64>,
    pub(super) lane: Lane,
    pub(super) kind: String,
    pub(super) details: Vec<String>,
    /// Whether something was refused, failed, or is missing.
    pub(super) is_bad: bool,
    /// The request that it belongs to.
    pub(super) request: Option<String>,
    ids: Vec<String>,
    json: Vec<u8>,
}

impl Entry {
    /// A record, and the line in which it stands.
    pub(super) fn of_record(record: Value, line: &[u8]) -> Entry {
        let word = |value: &Value| value.as_str().map(|text| shown(text).into_owned());
        let named = |name: &str, value: &Value| word(value).map(|text| format!("{name} {text}"));
        let findings = record["redactions"].as_object().into_iter().flatten();
        let findings: Vec<String> =
            findings.map(|(category, count)| format!("{} {count}", shown(category))).collect();
        let objects: Vec<String> =
            record["stripe_objects"].as_array().into_iter().flatten().filter_map(word).collect();
        let amount = record["amount_minor"].as_u64();
        let details = [
            word(&record["route"]["name"]),
            word(&record["route"]["model"]),
            named("tool", &record["tool"]),
            word(&record["operation"]),
            word(&record["risk_class"]),
            amount.map(|minor| money(minor, record["currency"].as_str())),
            word(&record["decision"]),
            word(&record["outcome"]),
            word(&record["reason"]),
            word(&record["segment"]["reason"]),
            record["status"].as_u64().map(|status| status.to_string()),
            (!findings.is_empty()).then(|| findings.join(", ")),
            (!objects.is_empty()).then(|| objects.join(", ")),
            named("approval", &record["approval_id"]),
            named("approver", &record["approver"]),
            named("key", &record["actor"]["key"]),
            named("workflow", &record["actor"]["workflow"]),
            named("exposed key", &record["exposed_key"]),
            named("request", &record["request_id"]),
            named("Stripe's request", &record["upstream_request_id"])
                .filter(|_| !record["operation"].is_null()),
            record["duration_us"].as_u64().map(|time| format!("{time} \u{b5}s")),
        ];
        let kind = word(&record["kind"]).unwrap_or_default();
        let asked =
            ["upstream_request_id", "idempotency_key"].map(|name| record[name].as_str().map(str::to_owned));
        let moment = word(&record["time"]).unwrap_or_default();
        Entry {
            time: Utc::parse(&moment).unwrap_or(Utc::from_micros(0)),
            moment,
            seq: record["seq"].as_u64(),
            lane: Lane::of(&kind),
            details: details.into_iter().flatten().collect(),
            is_bad: is_bad(&kind, record["decision"].as_str(), record["outcome"].as_str()),
            kind,
            request: word(&record["request_id"]),
            ids: objects.into_iter().chain(asked.into_iter().flatten()).collect(),
            json: line.to_vec(),
        }
    }

    /// An event. Of its text only what is an id or a name is told.
    pub(super) fn of_event(event: &Event<'_>) -> Entry {
        let word = |text: &str| Word::new(text).map(|word| word.to_string());
        let told = |text: Option<&str>| text.and_then(word);
        let (id, kind, object) = (word(&event.id), word(&event.kind), told(event.object.as_deref()));
        let (request, currency) = (told(event.request_id.as_deref()), told(event.currency.as_deref()));
        let json = json!({"event": {
            "id": id, "type": kind, "created": event.created.to_string(), "object": object, "request": request,
            "account": told(event.account.as_deref()), "amount_minor": event.amount, "currency": currency,
            "livemode": event.livemode,
        }});
        let moment = event.created.to_string();
        let details = [
            kind,
            object,
            event.amount.map(|minor| money(minor, currency.as_deref())),
            told(event.account.as_deref()).map(|account| format!("account {account}")),
            id,
            Some(request.map_or("no request: dashboard or Stripe itself".to_owned(), |id| {
                format!("Stripe's request {id}")
            })),
        ];
        let created = event.created.as_micros();
        let rest = if created.is_multiple_of(1_000_000) { END_OF_SECOND } else { 0 };
        Entry {
            time: Utc::from_micros(created.saturating_add(rest)),
            moment,
            seq: None,
            lane: Lane::Event,
            kind: "event".to_owned(),
            details: details.into_iter().flatten().collect(),
            is_bad: false,
            request: None,
            ids: Vec::new(),
            json: json.to_string().into_bytes(),
        }
    }

    /// Something that is missing behind `time`.
    pub(super) fn gap(moment: &str, what: &str) -> Entry {
        let (moment, what) = (shown(moment).into_owned(), shown(what).into_owned());
        Entry {
            time: Utc::parse(&moment).unwrap_or(Utc::from_micros(0)),
            json: json!({"gap": what, "time": moment}).to_string().into_bytes(),
            moment,
            seq: None,
            lane: Lane::Gap,
            kind: "GAP".to_owned(),
            details: vec![what],
            is_bad: true,
            request: None,
            ids: Vec::new(),
        }
    }

    /// By time, and records of one time by their number.
    pub(super) fn order(&self) -> (Utc, u64) {
        (self.time, self.seq.unwrap_or(u64::MAX))
    }

    /// What leads to events of the same thing.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> {
        self.ids.iter().cloned()
    }

    /// One line for machines.
    pub(super) fn json(&self) -> &[u8] {
        &self.json
    }

    /// One line for people.
    pub(super) fn words(&self) -> String {
        let seq = self.seq.map_or(String::new(), |seq| seq.to_string());
        let (moment, kind) = (&self.moment, &self.kind);
        let line = format!("{moment}  {seq:>6}  {kind:<15}  {}", self.details.join("  "));
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_record_steers_a_terminal() {
        let evil = "x\u{1b}[2J\u{202e}\n";
        let record = json!({
            "seq": 1, "time": evil, "kind": evil, "operation": evil, "tool": evil, "decision": evil, "reason": evil,
            "actor": {"key": evil, "workflow": evil}, "route": {"name": evil, "model": evil}, "request_id": evil,
            "stripe_objects": [evil], "redactions": {evil: 1}, "exposed_key": evil, "currency": evil, "amount_minor": 5,
            "approval_id": evil, "segment": {"reason": evil}, "outcome": evil,
        });
        let words = Entry::of_record(record, b"{}").words();
        assert!(words.matches("x\\u{1b}[2J\\u{202e}\\u{a}").count() > 14, "{words}");
        assert!(!words.contains(['\u{1b}', '\u{202e}', '\n']), "{words}");
    }
}
