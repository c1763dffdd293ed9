//! The rule file in the README is sound, and its examples hold.

mod walk;

use obelus_fields::{Fields, PackFile, Profile};

#[test]
fn the_rule_file_in_the_readme_is_sound() {
    let readme = include_str!("../README.md");
    let text = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let pack = PackFile::parse(text, "README.md").unwrap();
    let fields = Fields::compile(std::slice::from_ref(&pack), Profile::Balanced).unwrap();
    let faults = walk::run_examples(&pack, &fields);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
