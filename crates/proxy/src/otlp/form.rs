//! Records in the form of OTLP: the JSON of `ExportLogsServiceRequest`, and what the answer to it says
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
//!
//! The body of each is the line as it stands in its file, so that whoever keeps bodies keeps the chain.

use super::Next;
use obelus_audit::{Line, SignedCheckpoint, Utc, is_bad};
use serde::Deserialize;
use serde_json::{Value, json};

/// Numbers of severities, with their names.
const INFO: (u8, &str) = (9, "INFO");
const WARN: (u8, &str) = (13, "WARN");
/// What one request holds.
pub(super) struct Batch<'b> {
    /// Of which log.
    pub(super) origin: &'b str,
    pub(super) now: Utc,
    pub(super) next: &'b Next,
}

/// What is read of a record.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Read {
    time: String,
    kind: String,
    request_id: Option<String>,
    traceparent: Option<String>,
    decision: Option<String>,
    outcome: Option<String>,
}

impl Batch<'_> {
    pub(super) fn json(&self) -> Vec<u8> {
        let now = nanos(self.now);
        let lines = self.next.lines.iter().map(|line| record(line, &now));
        let checkpoint = self.next.checkpoint.iter().map(|checkpoint| note(checkpoint, &now));
        let resource = [("service.name", "obelus"), ("service.instance.id", self.origin)];
        let resource: Vec<Value> = resource.iter().map(|(key, value)| text(key, value)).collect();
        let records: Vec<Value> = lines.chain(checkpoint).collect();
        let scope = json!({"name": "obelus.audit", "version": env!("CARGO_PKG_VERSION")});
        let body = json!({"resourceLogs": [{
            "resource": {"attributes": resource},
            "scopeLogs": [{"scope": scope, "logRecords": records}],
        }]});
        body.to_string().into_bytes()
    }
}

/// One record.
fn record(line: &Line, now: &str) -> Value {
    let read: Read = serde_json::from_str(&line.text).unwrap_or_default();
    let is_bad = is_bad(&read.kind, read.decision.as_deref(), read.outcome.as_deref());
    let (number, name) = if is_bad { WARN } else { INFO };
    let mut attributes = vec![json!({"key": "obelus.seq", "value": {"intValue": line.seq.to_string()}})];
    attributes.extend(read.request_id.map(|id| text("obelus.request_id", &id)));
    let mut told = json!({
        "timeUnixNano": Utc::parse(&read.time).map_or_else(|| now.to_owned(), nanos),
        "observedTimeUnixNano": now,
        "severityNumber": number,
        "severityText": name,
        "eventName": format!("obelus.audit.{}", read.kind),
        "body": {"stringValue": line.text},
        "attributes": attributes,
    });
    // `00-` trace `-` span `-` flags: read when the record was made.
    let trace = read.traceparent.unwrap_or_default();
    if let [_, trace, span, flags] = trace.split('-').collect::<Vec<_>>()[..]
        && let Some(members) = told.as_object_mut()
    {
        members.insert("traceId".to_owned(), trace.into());
        members.insert("spanId".to_owned(), span.into());
        members.insert("flags".to_owned(), u8::from_str_radix(flags, 16).unwrap_or_default().into());
    }
    told
}

/// A signed checkpoint over the records up to one of these.
fn note(checkpoint: &SignedCheckpoint, now: &str) -> Value {
    json!({
        "timeUnixNano": now,
        "observedTimeUnixNano": now,
        "severityNumber": INFO.0,
        "severityText": INFO.1,
        "eventName": "obelus.audit.checkpoint",
        "body": {"stringValue": checkpoint.note.as_ref()},
        "attributes": [{"key": "obelus.seq", "value": {"intValue": checkpoint.size.to_string()}}],
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn nanos(time: Utc) -> String {
    (u128::from(time.as_micros()) * 1000).to_string()
}

/// How many records the collector takes for wrong: it says so beside taking the others. A number, or a string of its
/// digits.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let rejected = &answer["partialSuccess"]["rejectedLogRecords"];
    rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

    fn line(seq: u64, text: &str) -> Line {
        Line { seq, text: text.to_owned() }
    }

    #[test]
    fn the_protocols_own_types_read_what_is_sent() {
        let traced = "{\"seq\":7,\"time\":\"2026-01-31T12:00:00.000001Z\",\"kind\":\"call\",\"request_id\":\"r1\",\
                      \"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\",\"decision\":\"deny\"}";
        let plain = "{\"seq\":8,\"time\":\"2026-01-31T12:00:00.000002Z\",\"kind\":\"started\"}";
        let checkpoint = SignedCheckpoint { size: 8, note: "obelus.audit/1\n8\n\n".into() };
        let next = Next { lines: vec![line(7, traced), line(8, plain)], checkpoint: Some(checkpoint) };
        let sent = Batch { origin: "obelus.audit/1", now: Utc::from_micros(5), next: &next }.json();
        let read: ExportLogsServiceRequest = serde_json::from_slice(&sent).unwrap();
        let resource = &read.resource_logs[0];
        let attributes = &resource.resource.as_ref().unwrap().attributes;
        let names: Vec<&str> = attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(names, ["service.name", "service.instance.id"]);
        let records = &resource.scope_logs[0].log_records;
        let body = |at: usize| records[at].body.clone().and_then(|body| body.value);
        assert_eq!(body(0), Some(Any::StringValue(traced.to_owned())));
        assert_eq!(records[0].time_unix_nano, 1_769_860_800_000_001_000);
        assert_eq!(records[0].observed_time_unix_nano, 5000);
        assert_eq!((records[0].severity_number, records[1].severity_number), (13, 9));
        assert_eq!(records[0].trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
        assert_eq!(records[0].span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
        assert_eq!((records[0].flags, records[1].trace_id.len()), (1, 0));
        assert_eq!(records[1].event_name, "obelus.audit.started");
        let seq = |at: usize| records[at].attributes[0].value.clone().and_then(|value| value.value);
        assert_eq!((seq(0), seq(2)), (Some(Any::IntValue(7)), Some(Any::IntValue(8))));
        assert_eq!(body(2), Some(Any::StringValue("obelus.audit/1\n8\n\n".to_owned())));
    }

    #[test]
    fn an_answer_may_take_some_for_wrong() {
        for (answer, count) in [
            ("", 0),
            ("{}", 0),
            ("{\"partialSuccess\":{}}", 0),
            ("{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"old\"}}", 3),
            ("{\"partialSuccess\":{\"rejectedLogRecords\":4}}", 4),
        ] {
            assert_eq!(rejected(answer.as_bytes()), count, "{answer}");
        }
    }
}
