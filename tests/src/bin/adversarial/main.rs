#![forbid(unsafe_code)]
//! Runs evasion cases through the surfaces that exist, and writes what each let out.
//!
//! `adversarial CASES.jsonl RESULTS.jsonl [--surface lib,stream,http,vault,gate]`: one case a line in, one result
//! a line out. A case whose surface is not selected, not built, or cannot read its kind of body gets `na`.

mod events;
mod gate;
mod http;
mod vault;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obelus::{Format, Redactor};
use obelus_tests::run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::process::ExitCode;

/// The surfaces that a case may name.
const SURFACES: [&str; 5] = ["lib", "stream", "http", "vault", "gate"];

/// A case, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    input: Option<String>,
    input_b64: Option<String>,
    content_type: String,
    surface: Surfaces,
    #[serde(default)]
    chunk_sizes: Vec<usize>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// One surface, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Surfaces {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Serialize)]
struct Outcome<'c> {
    id: &'c str,
    status: &'static str,
    output_b64: String,
}

/// A redactor for each format.
struct Redactors {
    json: Redactor,
    sequence: Redactor,
    text: Redactor,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match score(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "adversarial: {error}");
            if told.is_err() { ExitCode::from(1) } else { ExitCode::from(2) }
        }
    }
}

fn score(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let (files, selected) = match arguments {
        [cases, results] => ([cases, results], SURFACES.map(str::to_owned).to_vec()),
        [cases, results, option, list] if option == "--surface" => {
            ([cases, results], list.split(',').map(str::to_owned).collect())
        }
        _ => return Err("usage: adversarial CASES.jsonl RESULTS.jsonl [--surface lib,stream,…]".into()),
    };
    if let Some(unknown) = selected.iter().find(|name| !SURFACES.contains(&name.as_str())) {
        return Err(format!("there is no surface {unknown}: choose of {}", SURFACES.join(", ")).into());
    }
    let redactors = Redactors {
        json: Redactor::builder().format(Format::Json).build()?,
        sequence: Redactor::builder().build()?,
        text: Redactor::builder().format(Format::Text).build()?,
    };
    let sidecar = http::Sidecar::start()?;
    let mut results = Vec::new();
    for line in fs::read_to_string(files[0])?.lines().filter(|line| !line.trim().is_empty()) {
        let case: Case = serde_json::from_str(line)?;
        let (status, output) = outcome(&case, &selected, &redactors, &sidecar)?;
        let outcome = Outcome { id: &case.id, status, output_b64: STANDARD.encode(output) };
        serde_json::to_writer(&mut results, &outcome)?;
        results.push(b'\n');
    }
    fs::write(files[1], results)?;
    Ok(())
}

fn outcome(
    case: &Case,
    selected: &[String],
    redactors: &Redactors,
    sidecar: &http::Sidecar,
) -> Result<(&'static str, Vec<u8>), Box<dyn Error>> {
    let named = match &case.surface {
        Surfaces::One(name) => std::slice::from_ref(name),
        Surfaces::Several(names) => names.as_slice(),
    };
    let surface = named.iter().find(|name| selected.contains(name)).map_or("", String::as_str);
    let input = match (&case.input, &case.input_b64) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(encoded)) => STANDARD.decode(encoded)?,
        (None, None) => return Err(format!("case {} has no input", case.id).into()),
    };
    let redactor = match surface {
        "vault" => return vault::run(&input),
        "gate" => return gate::run(&input),
        // Calls of tools go through the gate, whatever reads them besides.
        "lib" if selected.iter().any(|name| name == "gate") => match gate::refused_message(&input) {
            Some(denied) => return Ok(("rejected", denied.to_string().into_bytes())),
            None => redactor(&case.content_type, redactors),
        },
        "http" => return sidecar.run(&case.content_type, &case.headers, &input),
        "stream" if case.content_type.starts_with("text/event-stream") => {
            return events::run(&input, &case.chunk_sizes);
        }
        "lib" | "stream" => redactor(&case.content_type, redactors),
        _ => None,
    };
    let Some(redactor) = redactor else { return Ok(("na", Vec::new())) };
    // A body of no bytes holds no document; who forwards it asks no redactor for one.
    let redactor = if input.is_empty() { &redactors.sequence } else { redactor };
    Ok(redact(redactor, &input, &case.chunk_sizes))
}

/// The redactor for a kind of body, if it can be read.
fn redactor<'r>(content_type: &str, redactors: &'r Redactors) -> Option<&'r Redactor> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Some(&redactors.json),
        "application/x-ndjson" | "application/ndjson" | "application/json-seq" => Some(&redactors.sequence),
        "text/event-stream" => None,
        _ if kind.starts_with("text/") => Some(&redactors.text),
        _ if kind.ends_with("+json") && !kind.contains("scenario") => Some(&redactors.json),
        _ => None,
    }
}

/// Whole, in the case's pieces and in a few other ways: all must come to the same.
fn redact(redactor: &Redactor, input: &[u8], chunk_sizes: &[usize]) -> (&'static str, Vec<u8>) {
    let whole = run::whole(redactor, input);
    let mut cuts = Vec::new();
    let mut end = 0;
    for size in chunk_sizes {
        end += size;
        cuts.push(end);
    }
    let ways = [
        run::cut_at(redactor, input, &cuts),
        run::in_sizes(redactor, input, 1),
        run::in_sizes(redactor, input, 61),
    ];
    if ways.iter().any(|way| *way != whole) {
        return ("error", b"the output depends on how the input was cut".to_vec());
    }
    match (whole.error, redactor.redact(input)) {
        (None, Ok(output)) if output == whole.output => ("forwarded", output),
        (Some(error), Err(same)) if error == same => ("rejected", error.to_string().into_bytes()),
        _ => ("error", b"the two calls differ".to_vec()),
    }
}
