//! `obelus audit unseal` and `erase`: what records hold under the keys of those whom calls were about. Everything goes
//! through the running sidecar, which has the keys and records who asks.

use crate::approvals::Desk;
use crate::args::{EraseArgs, UnsealArgs};
use crate::audit::unreadable;
use crate::failure::{Failure, Outcome};
use crate::manual::write_out;
use obelus_audit::Files;
use serde_json::{Value, json};

/// Writes the call that a record holds, as it left.
pub(crate) fn unseal(args: &UnsealArgs) -> Result<Outcome, Failure> {
    let record = record(args)?;
    let of = |at: &Value| at.as_str().map(str::to_owned);
    let (Some(key), Some(data), Some(request_id)) =
        (of(&record["sealed"]["key"]), of(&record["sealed"]["data"]), of(&record["request_id"]))
    else {
        let what = match record["sealed"]["omitted_bytes"].as_u64() {
            Some(bytes) => format!("the call was too long to be kept: {bytes} bytes"),
            None => {
                "it holds nothing sealed: only records of calls that were allowed and change something do, \
                     where gate.subjects names a file of keys"
                    .to_owned()
            }
        };
        return Err(Failure::data(format!("record {}: {what}", args.seq)));
    };
    let body = json!({"request_id": request_id, "key": key, "data": data});
    let answer = Desk::of(&args.desk)?.ask("POST", "/subjects/unseal", Some(&body))?;
    if answer["is_erased"] == true {
        return Err(Failure::data(format!(
            "record {}: its key was erased: it can be read no more",
            args.seq
        )));
    }
    write_out(format!("{}\n", answer["call"]).as_bytes())
}

fn record(args: &UnsealArgs) -> Result<Value, Failure> {
    let files = Files::open(&args.paths).map_err(|error| unreadable(&error))?;
    let begins = format!("{{\"seq\":{},", args.seq);
    let mut found = None;
    let read = files.records(|line| {
        if line.starts_with(begins.as_bytes()) {
            found = serde_json::from_slice(line).ok();
        }
        found.is_none()
    });
    read.map_err(|error| unreadable(&error))?;
    found.ok_or_else(|| {
        Failure::data(format!("record {}: is not there, or is no JSON: check the number", args.seq))
    })
}

/// Erases the keys of a subject.
pub(crate) fn erase(args: &EraseArgs) -> Result<Outcome, Failure> {
    let answer =
        Desk::of(&args.desk)?.ask("POST", "/subjects/erase", Some(&json!({"subject": args.subject})))?;
    let said = match answer["erased"].as_u64() {
        Some(0) | None => "there was no key",
        Some(_) => "the key is erased: what records hold under it can be read no more",
    };
    write_out(format!("{}: {said}\n", args.subject).as_bytes())
}
