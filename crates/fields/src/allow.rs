//! Allow-lists: findings that may stay, each with the reason why.

use crate::error::PackError;
use obelus_detect::{Category, is_label};
use serde::Deserialize;

/// What no entry of an allow-list may let through.
pub const NEVER_ALLOWED: [Category; 4] =
    [Category::Secret, Category::CardNumber, Category::CardCvc, Category::UrlCredential];

/// An allow-list that has been read and found sound.
#[derive(Clone, Debug)]
pub struct AllowFile {
    file: String,
    entries: Vec<AllowEntry>,
}

/// One entry: a finding may stay for which everything holds that the entry says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AllowEntry {
    /// A pattern of pointers: `*` stands for any one segment, `**` for any number of them.
    pub path: Option<String>,
    /// The id of a rule.
    pub rule: Option<String>,
    /// The label that the hash transform puts in place of the value.
    pub value: Option<String>,
    category: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    allow: Vec<toml::Value>,
}

impl AllowFile {
    /// Reads and checks an allow-list. `file_name` is only told in errors.
    ///
    /// # Errors
    /// If the text is no TOML, has other tables or settings, or an entry lacks a condition or a reason, or would let
    /// secrets, card numbers, verification codes or links that grant access through.
    pub fn parse(text: &str, file_name: &str) -> Result<AllowFile, PackError> {
        let whole = |error: toml::de::Error| PackError::new(file_name, "", error.to_string().trim_end());
        let table: Table = toml::from_str(text).map_err(whole)?;
        let mut list = AllowFile { file: file_name.to_owned(), entries: Vec::new() };
        for (at, value) in table.allow.into_iter().enumerate() {
            let entry: AllowEntry =
                value.try_into().map_err(|error: toml::de::Error| list.error(at, error.message()))?;
            list.check(at, &entry)?;
            list.entries.push(entry);
        }
        Ok(list)
    }

    /// The entries in their order.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.entries
    }

    /// What is wrong with the entry at `at`, once the rules are known: `category` is that of the entry's rule, if
    /// there is such a rule.
    ///
    /// # Errors
    /// If there is none, or its findings may never stay.
    pub fn check_rule(&self, at: usize, category: Option<Category>) -> Result<(), PackError> {
        match category {
            None => Err(self.error(at, "no such rule: `obelus rules list` shows those that exist")),
            Some(category) => self.check_category(at, category),
        }
    }

    fn check(&self, at: usize, entry: &AllowEntry) -> Result<(), PackError> {
        if entry.reason.trim().is_empty() {
            return Err(self.error(at, "the reason is empty: say why these findings may stay"));
        }
        if entry.path.is_none() && entry.rule.is_none() && entry.value.is_none() {
            return Err(self.error(at, "one of `path`, `rule` and `value` must be given"));
        }
        if entry.path.as_ref().is_some_and(|path| !path.is_empty() && !path.starts_with('/')) {
            return Err(self.error(at, "a path begins with `/`"));
        }
        if entry.value.as_ref().is_some_and(|value| !is_label(value.as_bytes()) || !value.contains(':')) {
            let reason = "a value must be given as the hash transform writes it, such as `[email:…]`";
            return Err(self.error(at, reason));
        }
        if let Some(Err(unknown)) = entry.category.as_ref().map(|name| name.parse::<Category>()) {
            return Err(self.error(at, unknown.to_string()));
        }
        match entry.category() {
            Some(category) => self.check_category(at, category),
            None if entry.rule.is_none() => {
                Err(self.error(at, "it would let findings of every category stay: say which `category`"))
            }
            None => Ok(()),
        }
    }

    fn check_category(&self, at: usize, category: Category) -> Result<(), PackError> {
        if NEVER_ALLOWED.contains(&category) {
            return Err(self.error(at, format!("findings of category `{category}` may never stay")));
        }
        Ok(())
    }

    fn error(&self, at: usize, reason: impl Into<String>) -> PackError {
        PackError::new(&self.file, format!("allow number {}", at + 1), reason)
    }
}

impl AllowEntry {
    /// The category that the entry names, by itself or in its value.
    pub fn category(&self) -> Option<Category> {
        let of_value = || self.value.as_ref()?.strip_prefix('[')?.split(':').next();
        self.category.as_deref().or_else(of_value)?.parse().ok()
    }

    /// Why these findings may stay.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        AllowFile::parse(&format!("[[allow]]\n{text}"), "own.toml").expect_err(text).to_string()
    }

    #[test]
    fn an_entry_says_what_may_stay_and_why() {
        let text = "[[allow]]\npath = \"/a/**/email\"\ncategory = \"email\"\nreason = \"ours\"\n\
                    [[allow]]\nvalue = \"[phone:abcdefghijklmnopabcdefgh]\"\nreason = \"printed on the bill\"";
        let list = AllowFile::parse(text, "own.toml").expect("a sound file");
        let categories: Vec<_> = list.entries().iter().map(AllowEntry::category).collect();
        assert_eq!(categories, [Some(Category::Email), Some(Category::Phone)]);
        assert_eq!(list.entries()[1].reason(), "printed on the bill");
    }

    #[test]
    fn what_would_let_too_much_through_is_refused() {
        for (text, reason) in [
            ("path = \"/x\"\ncategory = \"email\"", "missing field `reason`"),
            ("path = \"/x\"\ncategory = \"email\"\nreason = \" \"", "reason is empty"),
            ("category = \"email\"\nreason = \"r\"", "one of `path`"),
            ("path = \"x\"\ncategory = \"email\"\nreason = \"r\"", "begins with `/`"),
            ("path = \"/x\"\nreason = \"r\"", "every category"),
            ("path = \"/x\"\ncategory = \"mail\"\nreason = \"r\"", "unknown category"),
            ("path = \"/x\"\ncategory = \"secret\"\nreason = \"r\"", "`secret` may never stay"),
            ("rule = \"x\"\ncategory = \"card-number\"\nreason = \"r\"", "`card-number` may never stay"),
            ("value = \"[card-cvc:abcdefghijklmnopabcdefgh]\"\nreason = \"r\"", "`card-cvc` may never stay"),
            ("value = \"jenny@example.com\"\nreason = \"r\"", "as the hash transform writes it"),
            ("value = \"[email]\"\nreason = \"r\"", "as the hash transform writes it"),
            ("pfad = \"/x\"\nreason = \"r\"", "unknown field `pfad`"),
        ] {
            let told = refused(text);
            assert!(told.starts_with("own.toml: allow number 1: ") && told.contains(reason), "{told}");
            assert!(!told.contains("jenny"), "{told}");
        }
        let other = AllowFile::parse("[[deny]]\n", "own.toml").expect_err("another table");
        assert!(other.to_string().contains("unknown field `deny`"), "{other}");
    }

    #[test]
    fn a_rule_is_checked_once_rules_are_known() {
        let text = "[[allow]]\nrule = \"email\"\nreason = \"r\"";
        let list = AllowFile::parse(text, "own.toml").expect("a sound file");
        assert!(list.check_rule(0, Some(Category::Email)).is_ok());
        assert!(list.check_rule(0, None).is_err());
        assert!(list.check_rule(0, Some(Category::UrlCredential)).is_err());
    }
}
