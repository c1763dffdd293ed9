#![forbid(unsafe_code)]
//! What can be checked of the sources themselves: sizes, loose ends, who depends on whom.

use obelus_tests::folders;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 80;

/// Which crates of the project each may depend on (for its tests: any).
const DIRECTION: [(&str, &[&str]); 15] = [
    ("json", &[]),
    ("detect", &["json"]),
    ("fields", &["detect"]),
    ("stripe", &["fields"]),
    ("redact", &["json", "detect", "fields", "stripe"]),
    ("obelus", &["redact", "stripe"]),
    ("vault", &["obelus"]),
    ("wire", &["json", "obelus", "vault"]),
    ("audit", &[]),
    ("gate", &[]),
    ("reconcile", &["audit"]),
    ("mcp", &["gate", "json", "obelus", "vault", "wire"]),
    ("proxy", &["audit", "gate", "mcp", "obelus", "vault", "wire"]),
    ("demo", &[]),
    ("cli", &["audit", "demo", "gate", "mcp", "obelus", "proxy", "reconcile", "vault"]),
];

/// What may stand nowhere, in parts so that this file does not hold it.
const NOWHERE: [[&str; 2]; 6] = [
    ["TO", "DO"],
    ["FIX", "ME"],
    ["/wo", "rk/"],
    ["/ho", "me/"],
    ["crates.io", "/api"],
    ["static.", "crates"],
];

/// All files of the project with one of these endings.
fn sources(endings: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folders::workspace()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && !["target", "artifacts"].contains(&name) {
                folders.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file is text")
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_are_short() {
    let long = |path: &PathBuf| read(path).lines().count() > FILE_LINES_MAX;
    let faults: Vec<String> =
        sources(&[".rs"]).iter().filter(|path| long(path)).map(|path| path.display().to_string()).collect();
    assert_none(&faults);
}

/// A function begins on a line with `fn` and ends on the next line that is a closing brace at the same depth.
#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for path in sources(&[".rs"]) {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let is_function = code.starts_with("fn ") || code.contains(" fn ") && code.starts_with("pub");
            if !is_function || code.ends_with(';') || code.ends_with('}') {
                continue;
            }
            let indent = line.len() - code.len();
            let is_end = |line: &&&str| line.trim_end() == format!("{}}}", " ".repeat(indent));
            let len = lines[at..].iter().take_while(|line| !is_end(line)).count() + 1;
            if len > FUNCTION_LINES_MAX {
                faults.push(format!("{}:{}: {len} lines", path.display(), at + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_left_unfinished_and_no_machine_is_named() {
    let mut faults = Vec::new();
    for path in sources(&[".rs", ".toml", ".md", ".py", ".sh"]) {
        for (at, line) in read(&path).lines().enumerate() {
            if NOWHERE.iter().any(|parts| line.contains(&parts.concat())) {
                faults.push(format!("{}:{}", path.display(), at + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn dependencies_point_one_way() {
    let mut faults = Vec::new();
    let allowed: BTreeMap<&str, &[&str]> = DIRECTION.into_iter().collect();
    for entry in fs::read_dir(folders::workspace().join("crates")).expect("the folder can be read") {
        let folder = entry.expect("the folder can be read").path();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let manifest: toml::Table = read(&folder.join("Cargo.toml")).parse().expect("the manifest is right");
        let Some(allowed) = allowed.get(name.as_str()) else {
            faults.push(format!("{name} has no place in the direction of dependencies"));
            continue;
        };
        let wanted = manifest.get("dependencies").and_then(|table| table.as_table());
        for dependency in wanted.into_iter().flat_map(|table| table.keys()) {
            let own = dependency.strip_prefix("obelus-").or((dependency == "obelus").then_some("obelus"));
            if let Some(own) = own
                && !allowed.contains(&own)
            {
                faults.push(format!("{name} depends on {own}"));
            }
        }
    }
    assert_none(&faults);
}

/// Unsafe code is forbidden at the root of every crate but one.
#[test]
fn unsafe_code_lives_in_one_place() {
    let mut faults = Vec::new();
    for path in sources(&["lib.rs", "main.rs"]) {
        let is_json = path.ends_with("crates/json/src/lib.rs");
        if path.components().any(|part| part.as_os_str() == "fuzz") || is_json {
            continue;
        }
        let is_root = path.parent().is_some_and(|folder| folder.ends_with("src"));
        if is_root && !read(&path).contains("#![forbid(unsafe_code)]") {
            faults.push(path.display().to_string());
        }
    }
    assert_none(&faults);
}

/// Every module file is named by the file above it.
#[test]
fn every_file_is_part_of_the_build() {
    let mut faults = Vec::new();
    for path in sources(&[".rs"]) {
        let (Some(folder), Some(stem)) = (path.parent(), path.file_stem().and_then(|stem| stem.to_str()))
        else {
            continue;
        };
        let is_root = ["lib", "main", "mod"].contains(&stem)
            || ["tests", "benches", "bin", "examples", "fuzz_targets"]
                .iter()
                .any(|name| folder.ends_with(name));
        if is_root {
            continue;
        }
        let above = ["lib.rs", "main.rs", "mod.rs"].iter().map(|name| folder.join(name));
        let beside = folder.with_extension("rs");
        let line = format!("mod {stem};");
        if !above.chain([beside]).any(|file| file.is_file() && read(&file).contains(&line)) {
            faults.push(format!("{} is no module", path.display()));
        }
    }
    assert_none(&faults);
}
