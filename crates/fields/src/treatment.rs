//! What a rule file says of a category: what replaces its findings, and how strong their evidence must be.

use obelus_detect::{Category, Level};
use serde::Deserialize;

/// What replaces a finding.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Transform {
    /// The category in square brackets: `[email]`.
    #[default]
    Label,
    /// As many characters, with only what may be shown: first six and last four of a card, the domain of an
    /// e-mail address, the last four of an account.
    Mask,
    /// Nothing.
    Remove,
    /// The category and a keyed hash of the value: the same value gives the same text, and only who holds the key
    /// can tell which value it was.
    Hash,
    /// Something less exact: the year of a date of birth, the country of an address, the network of an IP
    /// address. The label where nothing of the kind can be told.
    Generalise,
    /// What the caller's sink makes of it, so that it can be turned back; the label where the sink makes nothing. Not
    /// to be had in rule files.
    #[serde(skip)]
    Token,
}

/// What becomes of the findings of one category.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Treatment {
    /// The category.
    pub category: Category,
    /// What replaces its findings.
    pub transform: Transform,
    /// The least level of evidence on which detectors act, if the file says one.
    pub level: Option<Level>,
}

/// A `[[transform]]` entry as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) category: String,
    transform: Transform,
    level: Option<Evidence>,
}

/// [`Level`] as it is written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Evidence {
    Possible,
    Likely,
    Certain,
}

impl Entry {
    /// What the entry means; nothing if there is no such category.
    pub(crate) fn treatment(&self) -> Option<Treatment> {
        let level = self.level.map(|evidence| match evidence {
            Evidence::Possible => Level::Possible,
            Evidence::Likely => Level::Likely,
            Evidence::Certain => Level::Certain,
        });
        let category = self.category.parse().ok()?;
        Some(Treatment { category, transform: self.transform, level })
    }
}
