//! Findings as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use crate::input::display_name;
use obelus_proxy::{CHECKS, PostureFinding};
use serde_json::{Value, json};
use std::path::Path;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What stands for the configuration if there is no file.
const NO_FILE: &str = "obelus.yaml";

/// One run with all checks as its rules. `config` is the configuration file, if there is one, and its text.
pub(crate) fn report(findings: &[PostureFinding], config: Option<(&Path, &str)>) -> Value {
    let rules: Vec<Value> = CHECKS
        .iter()
        .map(|check| {
            json!({
                "id": check.id,
                "shortDescription": {"text": check.title},
                "fullDescription": {"text": format!("{}. {}.", check.title, check.why)},
                "help": {"text": check.mend},
                "defaultConfiguration": {"level": check.severity.as_str()},
                "properties": {"tags": [check.part.as_str()]},
            })
        })
        .collect();
    let (uri, text) = config.map_or((NO_FILE.to_owned(), ""), |(path, text)| (uri(path), text));
    let results: Vec<Value> = findings
        .iter()
        .map(|PostureFinding { check, place, seen }| {
            let index = CHECKS.iter().position(|other| other.id == check.id);
            let message = format!("{}: {seen}. {}. {}.", check.title, check.why, check.mend);
            json!({
                "ruleId": check.id,
                "ruleIndex": index,
                "level": check.severity.as_str(),
                "message": {"text": message},
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": {"uri": uri},
                        "region": {"startLine": line_of(text, place)},
                    },
                    "logicalLocations": [{"fullyQualifiedName": place}],
                }],
                "partialFingerprints": {"obelusFinding/v1": format!("{}@{place}", check.id)},
            })
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "obelus", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

/// A path as a relative or absolute reference.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for byte in display_name(path).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The line on which a key stands, such as `upstreams.openai.key`, or the last of its parents that is there; the first if
/// none is. Mappings within one line are not looked into.
fn line_of(text: &str, place: &str) -> usize {
    let (mut found, mut depth) = (1, None);
    let mut lines = text.lines().enumerate();
    for name in place.split('.') {
        let inside = lines.by_ref().take_while(|(_, line)| {
            let is_empty = line.trim().is_empty() || line.trim_start().starts_with('#');
            is_empty || depth.is_none_or(|depth| indent(line) > depth)
        });
        let is_key = |line: &str| {
            let key = line.trim_start().split(':').next().unwrap_or_default();
            line.contains(':') && key.trim_matches(['"', '\'', ' ']) == name
        };
        let Some((at, line)) = inside.into_iter().find(|(_, line)| is_key(line)) else { break };
        (found, depth) = (at + 1, Some(indent(line)));
    }
    found
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_on_its_line() {
        let text = "# listen: none\nlisten: 127.0.0.1:1\nupstreams:\n  anthropic:\n    key: {env: A}\n\n  openai:\n    # key\n    \
                    key:\n      file: k\nprofiles: {a: {media: mark}}\n";
        for (place, line) in [
            ("listen", 2),
            ("upstreams", 3),
            ("upstreams.openai.key", 9),
            ("upstreams.anthropic.key", 5),
            ("upstreams.openai.url", 7),
            ("profiles.a.media", 11),
            ("nowhere", 1),
            ("", 1),
        ] {
            assert_eq!(line_of(text, place), line, "{place}");
        }
        assert_eq!(uri(Path::new("a b/\u{e9}.yaml")), "a%20b/%C3%A9.yaml");
    }
}
