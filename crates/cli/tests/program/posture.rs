//! `obelus posture` as people, scripts and code-scanning tools use it.

use crate::support::{Run, folder, json_lines, obelus};
use serde_json::Value;
use std::path::Path;

const CONFIG: &str = "state: state.db
vault_key: {file: v.key}
audit: {path: audit.jsonl}
upstreams:
  openai:
    key: {env: KEY_OF_A_TEST}
profiles:
  default:
    media: mark
";

fn posture(folder: &Path, more: &[&str]) -> Run {
    let args = [&["posture", "-c", "obelus.yaml"], more].concat();
    let output = obelus(folder, &args).env_clear().output().expect("it runs");
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("it is text"),
        err: String::from_utf8(output.stderr).expect("it is text"),
    }
}

#[test]
fn the_exit_code_follows_the_level_that_is_chosen() {
    let folder = folder(&[("obelus.yaml", CONFIG)]);
    let done = posture(folder.path(), &[]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    for part in ["credentials\n", "tools\n", "routing\n", "keys\n", "guardrails\n", "evidence\n"] {
        assert!(done.out.contains(part), "{part} {done:?}");
    }
    assert!(done.out.contains("WARNING  Media that are not read pass  (guardrails/media)\n"), "{done:?}");
    assert!(done.out.contains("seen: profiles.default.media: mark\n"), "{done:?}");
    assert_eq!(posture(folder.path(), &["--fail-on", "warning"]).code, Some(3));
    let open = CONFIG.replace("state: state.db", "state: state.db\nlisten: 0.0.0.0:8787");
    std::fs::write(folder.path().join("obelus.yaml"), open).expect("it can be written");
    assert_eq!(posture(folder.path(), &[]).code, Some(3));
    std::fs::write(folder.path().join("obelus.yaml"), "nothing: 1\n").expect("it can be written");
    assert_eq!(posture(folder.path(), &[]).code, Some(2));
}

#[test]
fn findings_are_told_as_json_and_as_sarif() {
    let folder = folder(&[("obelus.yaml", CONFIG)]);
    let done = posture(folder.path(), &["--json", "--sarif", "posture.sarif"]);
    let lines = json_lines(&done.out);
    let media = lines.iter().find(|line| line["finding"] == "guardrails/media").expect("it is found");
    assert_eq!((&media["severity"], &media["place"]), (&"warning".into(), &"profiles.default.media".into()));
    assert!(
        ["seen", "why", "mend"].iter().all(|name| media[*name].as_str().is_some_and(|text| !text.is_empty()))
    );
    let summary = lines.last().expect("there is one");
    assert_eq!((&summary["finding"], &summary["errors"]), (&"summary".into(), &0.into()));
    let text = std::fs::read_to_string(folder.path().join("posture.sarif")).expect("it is there");
    let sarif: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(
        (&sarif["version"], &sarif["runs"][0]["tool"]["driver"]["name"]),
        (&"2.1.0".into(), &"obelus".into())
    );
    let results = sarif["runs"][0]["results"].as_array().expect("it is a list");
    assert_eq!(results.len(), lines.len() - 1);
    for result in results {
        let index =
            usize::try_from(result["ruleIndex"].as_u64().expect("it is a number")).expect("it is small");
        assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    let media = results.iter().find(|result| result["ruleId"] == "guardrails/media").expect("it is there");
    let place = &media["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"obelus.yaml".into(), &9.into())
    );
}
