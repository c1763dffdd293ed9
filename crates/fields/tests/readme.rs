//! The rule file and the allow-list in the README are sound, and examples hold.

mod walk;

use obelus_fields::{AllowFile, Fields, PackFile, Profile};

const README: &str = include_str!("../README.md");

/// The TOML at a position.
fn block(idx: usize) -> &'static str {
    README.split("```toml").nth(idx + 1).and_then(|rest| rest.split("```").next()).unwrap_or_default()
}

#[test]
fn the_rule_file_in_the_readme_is_sound() {
    let pack = PackFile::parse(block(0), "README.md").unwrap();
    assert_eq!(pack.treatments().count(), 1);
    let fields = Fields::compile(std::slice::from_ref(&pack), Profile::Balanced).unwrap();
    let faults = walk::run_examples(&pack, &fields);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_allow_list_in_the_readme_is_sound() {
    assert_eq!(AllowFile::parse(block(1), "README.md").unwrap().entries().len(), 3);
}
