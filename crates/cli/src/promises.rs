//! Whether a rule file keeps its promises: each example holds, no counter-example does.

use crate::failure::Failure;
use obelus::rule_files::{Example, PackFile};
use obelus::{Finding, Profile, PushError, Redactor, Sink};
use serde_json::Value;
use std::convert::Infallible;

/// What came of a rule file.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    /// How many examples and counter-examples are as they say.
    pub(crate) kept: usize,
    /// One line for each that is not.
    pub(crate) broken: Vec<String>,
}

/// Runs every example of a rule file through the engine, with that file's rules and no others.
pub(crate) fn check(text: &str, file_name: &str) -> Result<Promises, Failure> {
    let pack = PackFile::parse(text, file_name).map_err(|error| Failure::config(&error))?;
    let redactor = Redactor::builder()
        .bare()
        .rules(text, file_name)
        // A class may be left to the detectors in the balanced profile, and then shows nothing there.
        .profile(Profile::Strict)
        // Only places are compared: any key does for categories that the file has hashed.
        .hash_key(&[0; 32])
        .build()
        .map_err(|error| Failure::config(&error))?;
    let mut promises = Promises::default();
    for example in pack.examples() {
        match fault(&example, &redactor, &format!("{}/", pack.name())) {
            None => promises.kept += 1,
            Some(fault) => {
                promises.broken.push(format!("{file_name}: {}: {fault}: {}", example.id, example.json))
            }
        }
    }
    Ok(promises)
}

/// What is wrong with an example; nothing if it is as it says.
fn fault(example: &Example<'_>, redactor: &Redactor, prefix: &str) -> Option<String> {
    let document: Value = match serde_json::from_str(example.json) {
        Ok(document) => document,
        Err(error) => return Some(format!("is no JSON: {error}")),
    };
    let mut found = Found::default();
    let mut stream = redactor.stream();
    let result = stream.push(example.json.as_bytes(), &mut found).and_then(|()| stream.finish(&mut found));
    if let Err(PushError::Redact(error)) = result {
        return Some(format!("cannot be read: {error}"));
    }
    let is_meant = |path: &str| example.names.is_empty() || is_one_of(last(path), example.names);
    let mut meant = found.0.iter().filter(|(path, _)| is_meant(path));
    let holds = match &example.class {
        Some(class) => meant.any(|(_, rule)| rule == class),
        None => has_member(&document, example.names) && !meant.any(|(_, rule)| rule.starts_with(prefix)),
    };
    match (holds, example.holds) {
        (false, true) => Some("does not hold in an example".to_owned()),
        (true, false) => Some("holds in a counter-example".to_owned()),
        _ => None,
    }
}

/// Path and rule of each finding.
#[derive(Default)]
struct Found(Vec<(String, String)>);

impl Sink for Found {
    type Error = Infallible;

    fn keep(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        self.0.push((finding.path.to_owned(), finding.rule.to_owned()));
        Ok(())
    }
}

/// The last name of a pointer, behind positions in arrays.
fn last(path: &str) -> &str {
    let is_position = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    path.rsplit('/').find(|part| !is_position(part)).unwrap_or_default()
}

fn has_member(value: &Value, names: &[String]) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| is_one_of(name, names) || has_member(value, names))
        }
        Value::Array(elements) => elements.iter().any(|element| has_member(element, names)),
        _ => false,
    }
}

/// Whether `name` is one of `names`, in any spelling.
fn is_one_of(name: &str, names: &[String]) -> bool {
    names.iter().any(|other| joined(name) == joined(other))
}

fn joined(name: &str) -> String {
    name.chars().filter(|char| !"_- ".contains(*char)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = r#"
[pack]
name = "shop"
version = "1.0.0"
description = "names of a shop"
source = "made up"

[[class]]
id = "buyer"
category = "person-name"
balanced = "scan"
strict = "redact"
description = "who buys"
examples = ['{"buyer_label":"Jenny Rosen"}']

[[names]]
class = "buyer"
names = ["buyer_label"]
"#;

    #[test]
    fn examples_that_hold_are_counted() {
        let promises = check(SHOP, "shop.toml").unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!((promises.kept, promises.broken.as_slice()), (1, &[][..]));
    }

    #[test]
    fn a_counter_example_that_holds_is_told_with_file_and_rule() {
        let text = SHOP.replace("examples = ", "non_examples = ");
        let promises = check(&text, "shop.toml").unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(promises.kept, 0);
        let line = r#"shop.toml: buyer: holds in a counter-example: {"buyer_label":"Jenny Rosen"}"#;
        assert_eq!(promises.broken, [line]);
    }

    #[test]
    fn names_are_compared_in_any_spelling() {
        assert!(is_one_of("firstName", &["first_name".to_owned()]));
        assert_eq!(last("/a/names/0"), "names");
        assert_eq!(last(""), "");
    }
}
