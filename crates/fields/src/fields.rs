//! Compiled rules and the questions an engine asks them.

use crate::compile::{self, is_same};
use crate::error::PackError;
use crate::ids::Ids;
use crate::pack::PackFile;
use crate::pattern::Patterns;
use crate::place::{ClassIx, ObjectType, Place, Subtree, Told, Verdict};
use crate::rule::{Step, Types, decide};
use crate::table::Table;
use obelus_detect::Category;
use std::ops::Range;

/// How much is redacted by name and position.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Profile {
    /// What identifies a person or grants access; card brand, expiry, last digits and free text are left to the
    /// detectors.
    #[default]
    Balanced,
    /// Every class of every pack.
    Strict,
}

/// A name as the rules see it: which known name it is, and which conditions it satisfies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Name {
    // Two numbers, so that a name stays in registers.
    /// Its id, and above it what `echo` says.
    ids: u32,
    pub(crate) mask: u64,
}

impl Name {
    /// A name that no rule knows.
    pub const NONE: Name = Name { ids: 0, mask: 0 };

    fn new(id: u16, mask: u64) -> Name {
        Name { ids: u32::from(id), mask }
    }

    #[inline]
    pub(crate) fn id(self) -> u16 {
        u16::try_from(self.ids & u32::from(u16::MAX)).unwrap_or(0)
    }

    /// Of a member that its siblings name: the id of the name that its value spells.
    fn echo(self) -> u16 {
        u16::try_from(self.ids >> u16::BITS).unwrap_or(0)
    }

    /// The conditions that the name satisfies as the parent, ancestor or sibling of a value.
    #[inline]
    pub fn mask(self) -> u64 {
        self.mask
    }

    /// Whether no rule knows the name and it satisfies no condition.
    #[inline]
    pub fn is_none(self) -> bool {
        self.ids == 0 && self.mask == 0
    }

    /// Whether the name alone says nothing of its value, and the value nothing of anything else. What holds below a
    /// subtree may say more.
    #[inline]
    pub fn is_silent(self) -> bool {
        self.mask & (ACTS | NOTED | ASKS) == 0
    }

    /// Whether siblings can say what the member holds; see [`Fields::tell`].
    #[inline]
    pub fn asks(self) -> bool {
        self.mask & ASKS != 0
    }
}

/// Set in the mask of a name that some rule may redact by; no condition uses this bit.
pub(crate) const ACTS: u64 = 1 << 63;

/// Set in the mask of a name below which subtree rules do not apply; no condition uses this bit.
pub(crate) const LEAVES: u64 = 1 << 62;

/// Set in the mask of a name whose text value says something of its object; no condition uses this bit.
pub(crate) const NOTED: u64 = 1 << 61;

/// Set in the mask of a name that says nothing itself, but whose siblings may; no condition uses this bit.
pub(crate) const ASKS: u64 = 1 << 60;

/// How many bits are left for conditions.
pub(crate) const CONDITIONS_MAX: usize = 60;

/// The member that holds what its siblings name.
pub(crate) const VALUE: &str = "value";

/// The siblings that may name it.
pub(crate) const TELLERS: [&str; 5] = ["name", "key", "type", "label", "field"];

/// What a set of names holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Class {
    /// The id in findings: the pack's name, a slash, the class's own id.
    pub rule_id: String,
    /// What a finding of this class is about.
    pub category: Category,
    /// Whether JSON numbers of this class are sensitive too.
    pub numbers: bool,
    /// What the values are, in words.
    pub description: String,
    /// The pack and its version, and what it was made from.
    pub source: String,
    /// Whether the profile redacts the class; otherwise its values are left to the detectors.
    pub redacts: bool,
    /// The position of its pack among those compiled.
    pub(crate) pack: usize,
}

/// What is known about a name beyond its conditions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameRules {
    /// The verdict, if the first rule has no condition.
    pub(crate) always: Option<Verdict>,
    pub(crate) first_step: usize,
    pub(crate) steps: usize,
    pub(crate) subtree: Option<Subtree>,
    pub(crate) gives_type: bool,
}

impl NameRules {
    /// Where its steps stand among those of all names.
    #[inline]
    pub(crate) fn steps_range(self) -> Range<usize> {
        self.first_step..self.first_step + self.steps
    }
}

/// What is known about an object type.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TypeFacts {
    pub(crate) mask: u64,
    pub(crate) is_envelope: bool,
}

/// The rules of some packs under one profile. Immutable; share it.
#[derive(Debug)]
pub struct Fields {
    pub(crate) spellings: Table,
    /// By name id; entry 0 is the unknown name.
    pub(crate) masks: Vec<u64>,
    pub(crate) names: Vec<NameRules>,
    pub(crate) steps: Vec<Step>,
    /// By step: the contextual rule it comes from.
    pub(crate) step_rules: Vec<Option<String>>,
    /// By name id: a way to write it.
    pub(crate) texts: Vec<String>,
    pub(crate) patterns: Patterns,
    pub(crate) type_names: Table,
    /// By object type; entries 0 and 1 are those without a name.
    pub(crate) types: Vec<TypeFacts>,
    pub(crate) ids: Ids,
    pub(crate) classes: Vec<Class>,
    pub(crate) type_name: u16,
    pub(crate) id_name: u16,
    /// The class of what a sibling may name that never came; absent if nothing is redacted by name.
    pub(crate) doubt: Option<ClassIx>,
}

impl Fields {
    /// Compiles packs. Where they disagree the earlier pack wins; in each, and across them, contextual rules come
    /// before plain names.
    ///
    /// # Errors
    /// If the packs contradict each other or together exceed what can be compiled: 60 distinct conditions on
    /// names, 64 on object types, 65,535 spellings.
    pub fn compile(packs: &[PackFile], profile: Profile) -> Result<Fields, PackError> {
        compile::compile(packs, profile)
    }

    /// Looks a name up. `raw` is the name's text with escapes resolved.
    ///
    /// A name `first_name` of a rule stands for `firstName`, `FirstName`, `FIRST_NAME`, `first-name` and
    /// `first name` as well. Costs one hash and, for known names, one comparison.
    #[inline]
    pub fn name(&self, raw: &[u8]) -> Name {
        let (id, mask) = self.spellings.find_marked(raw);
        Name::new(id, mask)
    }

    /// Looks up the name at `range` of `text`, as [`Fields::name`] does. It is found sooner if there is text around it.
    #[inline]
    pub fn name_in(&self, text: &[u8], range: Range<usize>) -> Name {
        let (id, mask) = self.spellings.find_in(text, range);
        Name::new(id, mask)
    }

    /// Completes what is known about a name that opens an object or array: rules may ask how such a name ends or
    /// what it contains, even if no rule spells it out.
    #[inline]
    pub fn container(&self, raw: &[u8], name: Name) -> Name {
        if name.id() != 0 { name } else { Name { mask: self.patterns.mask(raw), ..Name::NONE } }
    }

    /// The type that an `object` member's value names.
    pub fn object_type(&self, value: &[u8]) -> ObjectType {
        match self.type_names.find(value) {
            0 => ObjectType::FOREIGN,
            known => ObjectType(known),
        }
    }

    /// The type of object that an identifier names: `Some(UNKNOWN)` if the identifier is a pack's own but does not
    /// tell, `None` if it is not.
    pub fn type_of_id(&self, value: &[u8]) -> Option<ObjectType> {
        self.ids.type_of(value)
    }

    /// Whether the whole value is an object's identifier by prefix and shape, and hence no personal value.
    pub fn is_object_id(&self, value: &[u8]) -> bool {
        self.ids.is_id(value)
    }

    /// Whether the name is that of the member that tells an object's type.
    #[inline]
    pub fn is_type_name(&self, name: Name) -> bool {
        name.id() == self.type_name
    }

    /// Whether the name is that of the member that holds an object's own identifier.
    #[inline]
    pub fn is_id_name(&self, name: Name) -> bool {
        name.id() == self.id_name
    }

    /// Whether the text value of a member of this name says something of the object: its type, its identifier, or
    /// what its member `value` holds.
    #[inline]
    pub fn is_noted(&self, name: Name) -> bool {
        name.mask & NOTED != 0
    }

    /// Notes in `told` what `text`, the value of the member `teller`, says of the member `value` beside it, as in
    /// `{"name": "email", "value": …}`. Returns whether it says anything: it must spell a name by which some rule
    /// redacts.
    pub fn tell(&self, teller: Name, text: &[u8], told: &mut Told) -> bool {
        if !self.is_noted(teller) || self.is_type_name(teller) || self.is_id_name(teller) {
            return false;
        }
        let name = self.name(unmarked(text));
        name.mask & (ACTS | ASKS) == ACTS && told.add(name.id())
    }

    /// Completes the name of a member that siblings may name by what stands there: a value that spells a name, as
    /// the options of a form do (`{"label": "E-mail", "value": "email"}`), is none of what that name stands for.
    pub fn echoed(&self, name: Name, value: &[u8]) -> Name {
        if !name.asks() {
            return name;
        }
        let echo = self.spellings.find(unmarked(value));
        Name { ids: u32::from(name.id()) | u32::from(echo) << u16::BITS, ..name }
    }

    /// What applies to everything below a member of this name.
    #[inline]
    pub fn subtree(&self, name: Name) -> Option<Subtree> {
        self.names[usize::from(name.id())].subtree
    }

    /// Whether an object under this name gives its type to a sibling under a [`Subtree::Like`] name.
    #[inline]
    pub fn gives_type(&self, name: Name) -> bool {
        self.names[usize::from(name.id())].gives_type
    }

    /// Decides about a string, or about a number if the class's `numbers` is set. For an element of an array the
    /// name is the array's.
    #[inline]
    pub fn verdict(&self, name: Name, place: &Place) -> Verdict {
        self.verdict_anywhere(name, place.subtree).unwrap_or_else(|| self.weigh(name, place))
    }

    /// The same, if it depends on nothing else: most names say always or never what their values are.
    #[inline]
    pub fn verdict_anywhere(&self, name: Name, subtree: Option<ClassIx>) -> Option<Verdict> {
        if name.mask & ACTS == 0 && subtree.is_none() {
            return Some(Verdict::Scan);
        }
        self.names[usize::from(name.id())].always
    }

    /// A class.
    pub fn class(&self, class: ClassIx) -> &Class {
        &self.classes[class.index()]
    }

    /// The class at a position of [`Fields::classes`].
    pub fn class_at(&self, position: usize) -> Option<ClassIx> {
        self.classes.get(position).and_then(|_| u16::try_from(position).ok()).map(ClassIx)
    }

    /// Every class, in the order of their indexes.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    fn weigh(&self, name: Name, place: &Place) -> Verdict {
        let steps = &self.steps[self.names[usize::from(name.id())].steps_range()];
        let otherwise = match place.subtree {
            Some(class) if place.ancestors & LEAVES == 0 => Verdict::Redact(class),
            _ => Verdict::Scan,
        };
        let same = |one, other| self.differ_in_pack_only(one, other);
        match decide(steps, place, self.types_of(place), otherwise, same) {
            Verdict::Scan if name.asks() => self.ask_siblings(name, place),
            verdict => verdict,
        }
    }

    /// Whether two verdicts come to the same, and differ in which pack says so: that is not worth waiting for.
    fn differ_in_pack_only(&self, one: Verdict, other: Verdict) -> bool {
        let (Verdict::Redact(left), Verdict::Redact(right)) = (one, other) else { return false };
        self.class(left).pack != self.class(right).pack && is_same(one, other, &self.classes)
    }

    /// The verdict about a member that says nothing itself. What a sibling said first counts, so that no later one
    /// changes an answer.
    fn ask_siblings(&self, name: Name, place: &Place) -> Verdict {
        if place.told == Told::ANYTHING {
            return self.doubt.map_or(Verdict::Scan, Verdict::Redact);
        }
        for id in place.told.ids() {
            let told = Name::new(id, self.masks[usize::from(id)]);
            match self.verdict(told, place) {
                Verdict::Redact(class) if self.is_echo(name.echo(), class) => {}
                Verdict::Scan => {}
                verdict => return verdict,
            }
        }
        if place.closed { Verdict::Scan } else { Verdict::Undecided }
    }

    /// Whether the name `echo` stands for values of the category of `class`. A password may well be `password`.
    fn is_echo(&self, echo: u16, class: ClassIx) -> bool {
        let steps = &self.steps[self.names[usize::from(echo)].steps_range()];
        let category = self.class(class).category;
        let is_same = |step: &Step| match step.verdict {
            Verdict::Redact(other) => self.class(other).category == category,
            _ => false,
        };
        category != Category::Secret && steps.iter().any(is_same)
    }

    /// What the types of a place satisfy.
    pub(crate) fn types_of(&self, place: &Place) -> Types {
        let (own, nearest) = (self.type_facts(place.own), self.type_facts(place.nearest));
        let is_nearest_known = place.nearest != ObjectType::UNKNOWN && !nearest.is_envelope;
        Types { own: own.mask, nearest: nearest.mask, is_nearest_known }
    }

    fn type_facts(&self, object_type: ObjectType) -> TypeFacts {
        self.types.get(usize::from(object_type.0)).copied().unwrap_or_default()
    }
}

/// `text` without what may stand behind a name that people read: `Phone number:`, `E-mail *`.
fn unmarked(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| !is_mark(byte)).map_or(0, |last| last + 1);
    &text[..end]
}

/// Whether a byte may stand there.
fn is_mark(byte: u8) -> bool {
    matches!(byte, b' ' | b':' | b'*' | b'?' | b'.' | b'#')
}
