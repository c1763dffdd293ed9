//! From rule files to tables.
//!
//! Each distinct set of names that some condition mentions becomes one bit; a name's mask says in which sets it
//! is. Likewise for object types. A condition is then one "and".

use crate::error::PackError;
use crate::fields::{
    ACTS, ASKS, CONDITIONS_MAX, Class, Fields, LEAVES, NOTED, NameRules, Profile, TELLERS, TypeFacts, VALUE,
};
use crate::ids::{IdForm, Ids};
use crate::pack::{self, Action, PackFile};
use crate::pattern::{Patterns, joined};
use crate::place::{ClassIx, ObjectType, Subtree, Verdict};
use crate::rule::Step;
use crate::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Compiles `packs`; see [`Fields::compile`].
pub(crate) fn compile(packs: &[PackFile], profile: Profile) -> Result<Fields, PackError> {
    let mut compiler = Compiler::default();
    compiler.names.push(NameEntry::default());
    compiler.type_facts = vec![TypeFacts::default(); 2];
    for (at, pack) in packs.iter().enumerate() {
        compiler.add_classes(at, pack, profile)?;
        compiler.add_types(pack)?;
    }
    for first in [true, false] {
        for pack in packs {
            compiler.add_rules(pack, first)?;
        }
    }
    for pack in packs {
        compiler.add_names(pack)?;
        compiler.add_subtrees(pack)?;
    }
    compiler.finish(packs)
}

#[derive(Default)]
struct Compiler<'p> {
    classes: Vec<Class>,
    /// The first class that is for doubt and redacts.
    doubt: Option<ClassIx>,
    class_ixs: BTreeMap<String, ClassIx>,
    /// Joined spelling to name id.
    name_ids: BTreeMap<Vec<u8>, u16>,
    names: Vec<NameEntry<'p>>,
    name_sets: Vec<NameSet<'p>>,
    type_ids: BTreeMap<&'p str, u16>,
    type_facts: Vec<TypeFacts>,
    type_sets: Vec<BTreeSet<&'p str>>,
    id_forms: Vec<IdForm>,
}

/// A name and its rules before conditions have become bits.
#[derive(Default)]
struct NameEntry<'p> {
    /// The words of each way the name is written in rule files.
    written: BTreeSet<String>,
    drafts: Vec<Draft<'p>>,
    subtree: Option<Subtree>,
    gives_type: bool,
    leaves: bool,
}

/// A rule as it applies to one name.
#[derive(Clone, Copy)]
struct Draft<'p> {
    pack: &'p PackFile,
    /// Absent for plain names.
    rule: Option<&'p pack::Rule>,
    is_scoped: bool,
    verdict: Verdict,
}

impl Draft<'_> {
    fn has_no_conditions(&self) -> bool {
        self.rule.is_none_or(pack::Rule::is_unconditional)
    }
}

#[derive(Eq, PartialEq)]
struct NameSet<'p> {
    names: BTreeSet<&'p str>,
    suffixes: BTreeSet<&'p str>,
    contains: BTreeSet<&'p str>,
}

impl<'p> Compiler<'p> {
    /// Takes in the classes of the pack `at` that position.
    fn add_classes(&mut self, at: usize, pack: &'p PackFile, profile: Profile) -> Result<(), PackError> {
        for class in &pack.classes {
            let rule_id = pack.rule_id(&class.id);
            let entry = || format!("class \"{}\"", class.id);
            let ix = u16::try_from(self.classes.len())
                .map_err(|error| pack.error(entry(), format!("too many classes: {error}")))?;
            if self.class_ixs.insert(rule_id.clone(), ClassIx(ix)).is_some() {
                return Err(pack.error(entry(), "another pack of the same name has this class"));
            }
            let category =
                class.category.parse().map_err(|unknown| pack.error(entry(), format!("{unknown}")))?;
            let action = match profile {
                Profile::Balanced => class.balanced,
                Profile::Strict => class.strict,
            };
            if class.doubt && action == Action::Redact {
                self.doubt.get_or_insert(ClassIx(ix));
            }
            self.classes.push(Class {
                rule_id,
                category,
                numbers: class.numbers,
                description: class.description.clone(),
                source: format!("{} {}: {}", pack.pack.name, pack.pack.version, pack.pack.source),
                redacts: action == Action::Redact,
                pack: at,
            });
        }
        Ok(())
    }

    fn add_types(&mut self, pack: &'p PackFile) -> Result<(), PackError> {
        for object in &pack.objects {
            let next = u16::try_from(self.type_facts.len()).map_err(|error| {
                pack.error(format!("object \"{}\"", object.name), format!("too many object types: {error}"))
            })?;
            if let std::collections::btree_map::Entry::Vacant(vacant) = self.type_ids.entry(&object.name) {
                vacant.insert(next);
                self.type_facts.push(TypeFacts { mask: 0, is_envelope: object.envelope });
            }
        }
        for id in &pack.ids {
            if self.id_forms.iter().any(|known| known.prefix == id.prefix) {
                continue;
            }
            let object = pack.objects.iter().find(|object| object.ids.contains(&id.prefix));
            let object_type = object.and_then(|object| self.type_ids.get(object.name.as_str()));
            if self.id_forms.len() >= Table::CAPACITY - 1 {
                return Err(pack.error(format!("id \"{}\"", id.prefix), "too many id prefixes"));
            }
            self.id_forms.push(IdForm {
                prefix: id.prefix.clone(),
                lengths: id.lengths.clone(),
                min: id.min,
                object_type: object_type.map_or(ObjectType::UNKNOWN, |&known| ObjectType(known)),
            });
        }
        Ok(())
    }

    fn add_rules(&mut self, pack: &'p PackFile, first: bool) -> Result<(), PackError> {
        for rule in pack.rules.iter().filter(|rule| rule.first == first) {
            let verdict = match &rule.class {
                Some(class) => self.verdict(pack, class),
                None => Verdict::Scan,
            };
            let draft = Draft { pack, rule: Some(rule), is_scoped: rule.scope.is_some(), verdict };
            for name in &rule.names {
                let id = self.intern(pack, name)?;
                self.names[usize::from(id)].drafts.push(draft);
            }
        }
        Ok(())
    }

    fn add_names(&mut self, pack: &'p PackFile) -> Result<(), PackError> {
        for names in &pack.names {
            let verdict = self.verdict(pack, &names.class);
            let draft = Draft { pack, rule: None, is_scoped: names.scope.is_some(), verdict };
            for name in names.expanded() {
                let id = self.intern(pack, &name)?;
                self.names[usize::from(id)].drafts.push(draft);
            }
        }
        Ok(())
    }

    fn add_subtrees(&mut self, pack: &'p PackFile) -> Result<(), PackError> {
        for subtree in &pack.subtrees {
            let effect = match &subtree.class {
                Some(class) => match self.verdict(pack, class) {
                    Verdict::Redact(class) => Some(Subtree::Class(class)),
                    _ => None,
                },
                None if subtree.leave => None,
                None => Some(Subtree::Like),
            };
            let id = self.intern(pack, &subtree.name)?;
            let entry = &mut self.names[usize::from(id)];
            entry.subtree = entry.subtree.or(effect);
            entry.leaves |= subtree.leave;
            if let Some(like) = &subtree.like {
                let id = self.intern(pack, like)?;
                self.names[usize::from(id)].gives_type = true;
            }
        }
        Ok(())
    }

    fn verdict(&self, pack: &PackFile, class: &str) -> Verdict {
        match self.class_ixs.get(&pack.rule_id(class)) {
            Some(&ix) if self.classes[ix.index()].redacts => Verdict::Redact(ix),
            _ => Verdict::Scan,
        }
    }

    /// The id of a name, however it is written.
    fn intern(&mut self, pack: &PackFile, name: &str) -> Result<u16, PackError> {
        let next = u16::try_from(self.names.len())
            .map_err(|error| pack.error(format!("name `{name}`"), format!("too many names: {error}")))?;
        let id = *self.name_ids.entry(joined(name.as_bytes())).or_insert(next);
        if id == next {
            self.names.push(NameEntry::default());
        }
        self.names[usize::from(id)].written.insert(name.to_owned());
        Ok(id)
    }

    fn finish(mut self, packs: &'p [PackFile]) -> Result<Fields, PackError> {
        let no_pack = || PackError::new("", "", "no rule packs");
        let first = packs.first().ok_or_else(no_pack)?;
        let type_name = self.intern(first, "object")?;
        let id_name = self.intern(first, "id")?;
        let value_name = self.intern(first, VALUE)?;
        let mut noted = vec![type_name, id_name];
        for teller in TELLERS {
            noted.push(self.intern(first, teller)?);
        }
        let (mut steps, mut step_rules) = (Vec::new(), Vec::new());
        let mut rules = vec![NameRules::default(); self.names.len()];
        for (id, rules) in rules.iter_mut().enumerate() {
            rules.first_step = steps.len();
            for draft in needed(&self.names[id].drafts, &self.classes) {
                steps.push(self.step(draft)?);
                step_rules
                    .push(draft.rule.filter(|rule| !rule.is_unconditional()).map(|rule| rule.id.clone()));
            }
            rules.steps = steps.len() - rules.first_step;
            rules.always =
                steps.get(rules.first_step).filter(|step| step.is_always()).map(|step| step.verdict);
        }
        let own = &mut rules[usize::from(value_name)];
        own.always = own.always.filter(|verdict| *verdict != Verdict::Scan);
        let patterns = self.patterns();
        let mut masks = self.masks(first, &patterns)?;
        masks[usize::from(value_name)] |= ACTS | ASKS;
        for name in noted {
            masks[usize::from(name)] |= NOTED;
        }
        rules.resize(self.names.len(), NameRules::default());
        for (rules, entry) in rules.iter_mut().zip(&self.names) {
            rules.subtree = entry.subtree;
            rules.gives_type = entry.gives_type;
        }
        let type_names: Vec<(String, u16)> =
            self.type_ids.iter().map(|(name, &id)| ((*name).to_ascii_lowercase(), id)).collect();
        let shortest = |entry: &NameEntry<'_>| entry.written.iter().min_by_key(|text| text.len()).cloned();
        let text = |entry: &NameEntry<'_>| shortest(entry).unwrap_or_default();
        let texts = self.names.iter().map(text).collect();
        let redacts = (0..).zip(&self.classes).find(|(_, class)| class.redacts);
        let doubt = self.doubt.or(redacts.map(|(ix, _)| ClassIx(ix)));
        let mut spellings = self.spellings(first)?;
        spellings.mark(&masks);
        Ok(Fields {
            doubt,
            step_rules,
            texts,
            spellings,
            masks,
            names: rules,
            steps,
            patterns,
            type_names: Table::new(&type_names),
            types: self.type_masks(),
            ids: Ids::new(self.id_forms),
            classes: self.classes,
            type_name,
            id_name,
        })
    }

    fn step(&mut self, draft: Draft<'p>) -> Result<Step, PackError> {
        let mut step = Step { is_scoped: draft.is_scoped, ..Step::always(draft.verdict) };
        let Some(rule) = draft.rule else { return Ok(step) };
        let too_many = |what: &str| {
            draft.pack.error(format!("rule \"{}\"", rule.id), format!("too many sets of {what}"))
        };
        let name_bit = |compiler: &mut Self, set: NameSet<'p>| {
            bit(&mut compiler.name_sets, set, CONDITIONS_MAX).ok_or_else(|| too_many("names in conditions"))
        };
        let parents = NameSet {
            names: set(&rule.parents),
            suffixes: set(&rule.parent_suffixes),
            contains: set(&rule.parent_contains),
        };
        step.is_untyped = rule.untyped;
        step.parents = name_bit(self, parents)?;
        step.ancestors = name_bit(self, NameSet::exact(&rule.ancestors))?;
        step.beside = name_bit(self, NameSet::exact(&rule.beside))?;
        let mut type_bit = |types: &'p [String]| {
            bit(&mut self.type_sets, set(types), 64).ok_or_else(|| too_many("object types"))
        };
        step.objects = type_bit(&rule.objects)?;
        step.nearest = type_bit(&rule.nearest)?;
        Ok(step)
    }

    fn patterns(&self) -> Patterns {
        let mut patterns = Patterns::default();
        for (position, set) in self.name_sets.iter().enumerate() {
            for suffix in &set.suffixes {
                patterns.add(suffix, true, 1 << position);
            }
            for part in &set.contains {
                patterns.add(part, false, 1 << position);
            }
        }
        patterns
    }

    /// The conditions that each name satisfies. Names that only conditions mention become known here.
    fn masks(&mut self, pack: &PackFile, patterns: &Patterns) -> Result<Vec<u64>, PackError> {
        let members: Vec<(u64, &str)> = (self.name_sets.iter().enumerate())
            .flat_map(|(position, set)| set.names.iter().map(move |&name| (1 << position, name)))
            .collect();
        let mut ids = Vec::with_capacity(members.len());
        for (bit, name) in members {
            ids.push((bit, self.intern(pack, name)?));
        }
        let mut masks: Vec<u64> = self
            .names
            .iter()
            .map(|entry| {
                let acts = needed(&entry.drafts, &self.classes)
                    .iter()
                    .any(|draft| matches!(draft.verdict, Verdict::Redact(_)));
                let by_pattern = entry.written.first().map_or(0, |name| patterns.mask(name.as_bytes()));
                by_pattern | if acts { ACTS } else { 0 } | if entry.leaves { LEAVES } else { 0 }
            })
            .collect();
        for (bit, id) in ids {
            masks[usize::from(id)] |= bit;
        }
        Ok(masks)
    }

    fn type_masks(&self) -> Vec<TypeFacts> {
        let mut facts = self.type_facts.clone();
        for (name, &id) in &self.type_ids {
            let holding = self.type_sets.iter().enumerate().filter(|(_, set)| set.contains(name));
            facts[usize::from(id)].mask = holding.fold(0, |mask, (position, _)| mask | 1 << position);
        }
        facts
    }

    /// Every way to write each name: as in the file, with other separators, and without.
    fn spellings(&self, pack: &PackFile) -> Result<Table, PackError> {
        let mut spellings = Vec::new();
        for (id, entry) in (0..).zip(&self.names) {
            let mut forms = BTreeSet::new();
            for written in &entry.written {
                for separator in ["_", "-", " ", ""] {
                    forms.insert(written.replace('_', separator));
                }
            }
            spellings.extend(forms.into_iter().filter(|form| !form.is_empty()).map(|form| (form, id)));
        }
        if spellings.len() > Table::CAPACITY {
            return Err(pack.error("", "the packs together have too many names"));
        }
        Ok(Table::new(&spellings))
    }
}

impl<'p> NameSet<'p> {
    fn exact(names: &'p [String]) -> NameSet<'p> {
        NameSet { names: set(names), suffixes: BTreeSet::new(), contains: BTreeSet::new() }
    }
}

/// Sets of which an empty one means no condition.
trait Condition: Eq {
    fn is_empty(&self) -> bool;
}

impl Condition for NameSet<'_> {
    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.suffixes.is_empty() && self.contains.is_empty()
    }
}

impl Condition for BTreeSet<&str> {
    fn is_empty(&self) -> bool {
        BTreeSet::is_empty(self)
    }
}

/// The bit of a set among those known; zero for the empty set, nothing if `max` bits are taken.
fn bit<S: Condition>(known: &mut Vec<S>, set: S, max: usize) -> Option<u64> {
    if set.is_empty() {
        return Some(0);
    }
    let position = known.iter().position(|other| *other == set).unwrap_or_else(|| {
        known.push(set);
        known.len() - 1
    });
    (position < max).then(|| 1 << position)
}

fn set(names: &[String]) -> BTreeSet<&str> {
    names.iter().map(String::as_str).collect()
}

/// The rules of a name that can change anything: up to the first that always holds, and without those that only
/// say of one kind of document what the rules behind them say of every kind. An engine would wait in vain for the
/// evidence that such a rule asks for.
fn needed<'p>(drafts: &[Draft<'p>], classes: &[Class]) -> Vec<Draft<'p>> {
    let last = drafts.iter().position(|draft| !draft.is_scoped && draft.has_no_conditions());
    let Some(last) = last else { return drafts.to_vec() };
    let mut needed: Vec<Draft<'p>> = vec![drafts[last]];
    for draft in drafts[..last].iter().rev() {
        let says_the_same = |other: &Draft<'_>| is_same(draft.verdict, other.verdict, classes);
        if !(draft.has_no_conditions() && needed.iter().all(says_the_same)) {
            needed.insert(0, *draft);
        }
    }
    needed
}

/// Whether two verdicts differ in nothing but the rule that is told.
pub(crate) fn is_same(one: Verdict, other: Verdict, classes: &[Class]) -> bool {
    match (one, other) {
        (Verdict::Redact(one), Verdict::Redact(other)) => {
            let (one, other) = (&classes[one.index()], &classes[other.index()]);
            one.category == other.category && one.numbers == other.numbers
        }
        _ => one == other,
    }
}
