//! What decided that a value is sensitive: for people, and asked only then.

use crate::fields::{Fields, Name};
use crate::place::{ClassIx, Place, Verdict};
use crate::rule::Step;

/// What decided; [`Fields::describe`] puts it into words.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Reason {
    by: By,
    /// The id of the name that decided.
    name: u16,
    /// The position of the step that decided.
    step: Option<usize>,
}

/// Where the evidence stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum By {
    /// In the member's own name; for the elements of an array, in the array's.
    Name,
    /// In what a sibling says that the member holds.
    Sibling,
    /// In the name of a member further up, which takes everything below it.
    Around,
    /// Nowhere yet: waiting for it was given up.
    Doubt,
    /// At another place of the document, which shows the same value under such a name.
    Elsewhere,
}

/// What decided, in words that stand in rule files. Nothing of the input is in it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Described<'f> {
    /// Where the evidence stands.
    pub by: By,
    /// The name that decided, as a rule file writes it; empty if none did.
    pub name: &'f str,
    /// The contextual rule that held; absent if the name needs no context.
    pub rule: Option<&'f str>,
    /// What else that rule asked of the place.
    pub context: Vec<&'static str>,
}

impl Reason {
    /// What decides about a value that the document shows under a sensitive name at another place.
    pub const ELSEWHERE: Reason = Reason { by: By::Elsewhere, name: 0, step: None };
}

impl Fields {
    /// Says why a value under `name` at `place` is of `class`, after [`Fields::verdict`] has said that it is.
    pub fn reason(&self, name: Name, place: &Place, class: ClassIx) -> Reason {
        let place = Place { closed: true, ..*place };
        let decides = |id: u16| self.deciding_step(id, &place, class);
        if let Some(step) = decides(name.id()) {
            return Reason { by: By::Name, name: name.id(), step: Some(step) };
        }
        if name.asks() {
            for id in place.told.ids() {
                if let Some(step) = decides(id) {
                    return Reason { by: By::Sibling, name: id, step: Some(step) };
                }
            }
        }
        let by = if place.subtree == Some(class) { By::Around } else { By::Doubt };
        Reason { by, name: 0, step: None }
    }

    /// Puts a reason into words.
    pub fn describe(&self, reason: Reason) -> Described<'_> {
        let name = self.texts.get(usize::from(reason.name)).map_or("", String::as_str);
        let rule = reason.step.and_then(|step| self.step_rules[step].as_deref());
        let context = reason.step.map(|step| self.steps[step].context()).unwrap_or_default();
        Described { by: reason.by, name, rule, context }
    }

    /// The step by which values of a name are of `class` at a closed place.
    fn deciding_step(&self, id: u16, place: &Place, class: ClassIx) -> Option<usize> {
        let range = self.names.get(usize::from(id))?.steps_range();
        let types = self.types_of(place);
        let step = range.into_iter().find(|&step| self.steps[step].holds(place, types))?;
        (self.steps[step].verdict == Verdict::Redact(class)).then_some(step)
    }
}

impl Step {
    /// What it asks of a place.
    fn context(&self) -> Vec<&'static str> {
        let conditions = [
            (self.parents != 0, "the member that holds the object"),
            (self.ancestors != 0, "a member further up"),
            (self.beside != 0, "another member of the object"),
            (self.objects != 0, "the type of the object"),
            (self.nearest != 0, "the type of the nearest object that has one"),
            (self.is_scoped, "the kind of document"),
            (self.is_untyped, "that the object tells no known type"),
        ];
        conditions.into_iter().filter(|(asked, _)| *asked).map(|(_, text)| text).collect()
    }
}
