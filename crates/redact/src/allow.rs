//! Findings that an allow-list lets stay. They are reported, and marked as such.

use crate::finding::Span;
use crate::hash::Hasher;
use crate::positions::Reading;
use crate::rules::{RuleIx, Rules};
use crate::value::count;
use crate::walk::{Stop, Walk};
use obelus_detect::{AHEAD_MAX, BEHIND_MAX, Carry, Category, Detectors, Match, Piece};
use obelus_fields::{AllowFile, ClassIx, NEVER_ALLOWED, PackError};
use obelus_json::{Arch, StringFlags};
use std::ops::Range;

/// What may stay, compiled.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    entries: Vec<Entry>,
    hasher: Option<Hasher>,
    /// What finds things that may never stay.
    guard: Option<Detectors>,
}

/// One entry: all that is given must hold.
#[derive(Debug)]
struct Entry {
    path: Option<Vec<Box<str>>>,
    rule: Option<RuleIx>,
    category: Option<Category>,
    value: Option<Box<str>>,
}

/// Why a list cannot be used.
pub(crate) enum Unusable {
    Pack(PackError),
    /// A value is allowed by its hash, and there is no key.
    NoKey,
}

impl Allowed {
    pub(crate) fn new(
        lists: &[AllowFile],
        rules: &Rules,
        hasher: Option<Hasher>,
    ) -> Result<Allowed, Unusable> {
        let mut entries = Vec::new();
        for list in lists {
            for (at, entry) in list.entries().iter().enumerate() {
                let rule = entry.rule.as_ref().map(|id| rules.find(id));
                if let Some(rule) = rule {
                    let active = rule.map(|rule| rules.get(rule).category);
                    let category = active.or_else(|| entry.rule.as_deref().and_then(category_of));
                    list.check_rule(at, category).map_err(Unusable::Pack)?;
                }
                // A rule that is there but not in force finds nothing that could stay.
                if rule == Some(None) {
                    continue;
                }
                if entry.value.is_some() && hasher.is_none() {
                    return Err(Unusable::NoKey);
                }
                let segments = |path: &String| path.split('/').map(Box::from).collect();
                entries.push(Entry {
                    path: entry.path.as_ref().map(segments),
                    rule: rule.flatten(),
                    category: entry.category(),
                    value: entry.value.as_deref().map(Box::from),
                });
            }
        }
        let mut allowed = Allowed { entries, hasher, guard: None };
        if !allowed.entries.is_empty() {
            allowed.guard();
        }
        Ok(allowed)
    }

    /// Makes ready for telling what may never stay.
    pub(crate) fn guard(&mut self) {
        let guard = || Detectors::new(|detector| NEVER_ALLOWED.contains(&detector.category));
        self.guard.get_or_insert_with(guard);
    }

    /// Whether nothing may stay, which is the case most runs have.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether any entry asks what a value says.
    pub(crate) fn reads_values(&self) -> bool {
        self.entries.iter().any(|entry| entry.value.is_some())
    }

    /// Whether a finding may stay. `value` is its decoded text; nothing if that is not at hand, and then no entry
    /// holds that asks for it.
    pub(crate) fn allows(&self, rule: RuleIx, category: Category, path: &str, value: Option<&[u8]>) -> bool {
        let holds = |entry: &Entry| {
            entry.rule.is_none_or(|wanted| wanted == rule)
                && entry.category.is_none_or(|wanted| wanted == category)
                && entry.path.as_ref().is_none_or(|pattern| fits(pattern, path))
                && entry.value.as_ref().is_none_or(|wanted| self.is_value(wanted, category, value))
        };
        self.entries.iter().any(holds)
    }

    /// Whether a finding covers something that may never stay, whatever the whole is called: findings that overlap
    /// are reported as one. What detectors could see of `text` from there is all that is read.
    fn covers_more(&self, arch: Arch, text: &[u8], found: &Match) -> bool {
        let Some(guard) = &self.guard else { return false };
        let low = found.start.saturating_sub(BEHIND_MAX);
        let high = text.len().min(found.end + AHEAD_MAX);
        let mut covered = Vec::new();
        let piece = Piece { text: &text[low..high], from: found.start - low, ..Piece::default() };
        guard.scan(arch, piece, &mut Carry::default(), &mut covered);
        covered.first().is_some_and(|first| first.start < found.end - low)
    }

    fn is_value(&self, wanted: &str, category: Category, value: Option<&[u8]>) -> bool {
        let (Some(hasher), Some(value)) = (&self.hasher, value) else { return false };
        let mut label = Vec::new();
        hasher.render(category, value, &mut label);
        label == wanted.as_bytes()
    }
}

impl Walk<'_, '_> {
    /// Whether a finding stays because of its place, and covers nothing that may never stay.
    #[inline]
    pub(crate) fn exempts(&self, category: Category, source: &[u8], found: &Match) -> bool {
        self.spot().reading == Reading::Exempt
            && !NEVER_ALLOWED.contains(&category)
            && !self.compiled.allowed.covers_more(self.compiled.arch, self.scratch.view.text(source), found)
    }

    /// Whether a short value may stay although a rule over names holds; if so reports it. The detectors still read
    /// it.
    pub(crate) fn allow_value(
        &mut self,
        class: ClassIx,
        body: &Range<usize>,
        flags: StringFlags,
    ) -> Result<bool, Stop> {
        if self.compiled.allowed.is_empty() {
            return Ok(false);
        }
        self.scratch.view.read(&self.buf[body.clone()], flags, self.state.is_plain());
        let chars = count(&self.buf[body.clone()], self.state.is_plain());
        self.allow(class, body, chars)
    }

    /// The same for a number.
    pub(crate) fn allow_number(&mut self, class: ClassIx, span: &Range<usize>) -> Result<bool, Stop> {
        if self.compiled.allowed.is_empty() {
            return Ok(false);
        }
        self.scratch.view.read(&self.buf[span.clone()], StringFlags::default(), true);
        self.allow(class, span, span.len() as u64)
    }

    /// Whether what the view holds may stay.
    fn allow(&mut self, class: ClassIx, body: &Range<usize>, chars: u64) -> Result<bool, Stop> {
        self.set_leaf();
        let rule = self.out.rules.of_class(class);
        let category = self.out.rules.get(rule).category;
        let value = self.scratch.view.decoded(&self.buf[body.clone()]);
        if !self.compiled.allowed.allows(rule, category, self.path(), Some(value)) {
            return Ok(false);
        }
        let chars = Span { start: 0, end: chars };
        self.report(rule, (self.raw(body), chars), true)?;
        Ok(true)
    }

    /// Whether a match in `source`, of which the view is, may stay.
    pub(crate) fn allows_match(&mut self, source: &[u8], found: &Match) -> bool {
        self.set_leaf();
        let category = self.out.rules.get(found.rule).category;
        let text = self.scratch.view.text(source);
        let allowed = &self.compiled.allowed;
        allowed.allows(found.rule, category, self.path(), Some(&text[found.start..found.end]))
            && !allowed.covers_more(self.compiled.arch, text, found)
    }

    fn path(&self) -> &str {
        std::str::from_utf8(self.state.frames.pointer()).unwrap_or_default()
    }
}

/// The category of a detector, in force or not.
fn category_of(id: &str) -> Option<Category> {
    let all = Detectors::new(|_| true);
    all.detectors().iter().find(|detector| detector.id == id).map(|detector| detector.category)
}

/// Whether `path` fits `pattern`: `*` is any segment, `**` any number of them.
fn fits(pattern: &[Box<str>], path: &str) -> bool {
    let path: Vec<&str> = path.split('/').collect();
    let (mut at, mut wanted) = (0, 0);
    // Where to go on if what follows the last `**` does not fit: one segment further.
    let mut again: Option<(usize, usize)> = None;
    while at < path.len() {
        match pattern.get(wanted).map(AsRef::as_ref) {
            Some("**") => {
                again = Some((at, wanted));
                wanted += 1;
            }
            Some(segment) if segment == "*" || segment == path[at] => {
                at += 1;
                wanted += 1;
            }
            _ => match &mut again {
                Some((from, stars)) => {
                    *from += 1;
                    (at, wanted) = (*from, *stars + 1);
                }
                None => return false,
            },
        }
    }
    pattern[wanted..].iter().all(|segment| segment.as_ref() == "**")
}

#[cfg(test)]
mod tests {
    #[test]
    fn stars_stand_for_segments() {
        let fits = |pattern: &str, path: &str| {
            let pattern: Vec<Box<str>> = pattern.split('/').map(Box::from).collect();
            super::fits(&pattern, path)
        };
        for (pattern, path) in [
            ("/a/b", "/a/b"),
            ("/a/*", "/a/b"),
            ("/**", "/a/b"),
            ("/**/email", "/email"),
            ("/**/email", "/a/0/email"),
            ("/a/**/c/**/e", "/a/c/c/d/e"),
            ("/x#/*", "/x#/email"),
            ("", ""),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/a/b", "/a/b/c"),
            ("/a/*", "/a"),
            ("/a/*", "/a/b/c"),
            ("/**/email", "/email/x"),
            ("/a", "/ab"),
            ("", "/a"),
            ("/*", "/x#/y"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }
}
