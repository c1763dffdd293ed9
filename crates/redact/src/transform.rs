//! What stands in place of a finding.

use obelus_detect::{Category, mask};

/// What replaces a finding.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
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
}

impl Transform {
    /// Appends what replaces `value` (decoded text) to `out`. The text needs no escaping in JSON.
    pub(crate) fn render(self, category: Category, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Transform::Label => out.extend_from_slice(category.label().as_bytes()),
            Transform::Mask => match std::str::from_utf8(value) {
                Ok(value) => out.extend_from_slice(mask(category, value).as_bytes()),
                Err(_) => out.extend_from_slice(category.label().as_bytes()),
            },
            Transform::Remove => {}
        }
    }
}

/// Whether `text` is what the label transform leaves, alone or numbered as in member names.
pub(crate) fn is_label(text: &[u8]) -> bool {
    let Some(inner) = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")) else {
        return false;
    };
    Category::ALL.iter().any(|category| inner == category.as_str().as_bytes())
}
