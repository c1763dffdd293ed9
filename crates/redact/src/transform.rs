//! What stands in place of a finding.

use crate::hash::Hasher;
use obelus_detect::{Category, generalise, mask};
use obelus_fields::{PackFile, Transform};

/// The transform of each category.
#[derive(Debug)]
pub(crate) struct Transforms {
    /// By category, in the order of [`Category::ALL`].
    by_category: Vec<Transform>,
    hasher: Option<Hasher>,
}

impl Transforms {
    /// What the rule files say, the earlier before the later, and `default` for what they leave open. Nothing if
    /// values are to be hashed without a key.
    pub(crate) fn new(default: Transform, packs: &[PackFile], hasher: Option<Hasher>) -> Option<Transforms> {
        let said = |category: &Category| {
            let mut treatments = packs.iter().flat_map(PackFile::treatments);
            treatments.find(|treatment| treatment.category == *category)
        };
        let by_category: Vec<Transform> = Category::ALL
            .iter()
            .map(|category| said(category).map_or(default, |treatment| treatment.transform))
            .collect();
        let lacks_key = hasher.is_none() && by_category.contains(&Transform::Hash);
        (!lacks_key).then_some(Transforms { by_category, hasher })
    }

    /// Appends what replaces `value` (decoded text) to `out`. The text needs no escaping in JSON.
    pub(crate) fn render(&self, category: Category, value: &[u8], out: &mut Vec<u8>) {
        let label = category.label().as_bytes();
        match (self.of(category), &self.hasher) {
            (Transform::Remove, _) => {}
            (Transform::Hash, Some(hasher)) => hasher.render(category, value, out),
            (Transform::Mask, _) => match std::str::from_utf8(value) {
                Ok(text) => out.extend_from_slice(mask(category, text).as_bytes()),
                Err(_) => out.extend_from_slice(label),
            },
            (Transform::Generalise, _) => {
                match std::str::from_utf8(value).ok().and_then(|text| generalise(category, text)) {
                    Some(text) => out.extend_from_slice(text.as_bytes()),
                    None => out.extend_from_slice(label),
                }
            }
            _ => out.extend_from_slice(label),
        }
    }

    /// What replaces a value whose text is not at hand, or would be told apart the next time.
    pub(crate) fn unseen(&self, category: Category) -> &'static [u8] {
        if self.of(category) == Transform::Remove { b"" } else { category.label().as_bytes() }
    }

    /// What replaces every value of a category, if its transform does not ask what they say.
    #[inline]
    pub(crate) fn fixed(&self, category: Category) -> Option<&'static [u8]> {
        (!self.reads(category)).then(|| self.unseen(category))
    }

    /// Whether any transform asks what a value says.
    pub(crate) fn reads_values(&self) -> bool {
        self.by_category.iter().any(|transform| asks(*transform))
    }

    /// Whether that of a category does.
    #[inline]
    pub(crate) fn reads(&self, category: Category) -> bool {
        asks(self.of(category))
    }

    /// Whether that of a category asks the sink.
    #[inline]
    pub(crate) fn is_token(&self, category: Category) -> bool {
        self.of(category) == Transform::Token
    }

    /// Whether any transform asks the sink.
    pub(crate) fn makes_tokens(&self) -> bool {
        self.by_category.contains(&Transform::Token)
    }

    fn of(&self, category: Category) -> Transform {
        self.by_category.get(category as usize).copied().unwrap_or_default()
    }
}

/// Whether a transform asks what a value says.
fn asks(transform: Transform) -> bool {
    !matches!(transform, Transform::Label | Transform::Remove)
}
