//! Rule files: their form and what must hold in them.

use crate::error::PackError;
use crate::treatment::{Entry, Treatment};
use obelus_detect::Category;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// A rule file that has been read and found sound.
#[derive(Clone, Debug)]
pub struct PackFile {
    pub(crate) file: String,
    pub(crate) pack: Pack,
    pub(crate) classes: Vec<Class>,
    pub(crate) names: Vec<Names>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) subtrees: Vec<Subtree>,
    pub(crate) objects: Vec<Object>,
    pub(crate) ids: Vec<Id>,
    transforms: Vec<Entry>,
}

/// A document with which a rule file shows what a rule or class does.
#[derive(Clone, Debug)]
pub struct Example<'p> {
    /// The rule's or class's own id in its file.
    pub id: &'p str,
    /// The class that must or must not be given, as it stands in findings; `None` if the rule leaves values.
    pub class: Option<String>,
    /// The names the rule is about; empty for a class.
    pub names: &'p [String],
    /// The document.
    pub json: &'p str,
    /// Whether the rule must hold in the document, or must not.
    pub holds: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pack {
    pub(crate) name: String,
    pub(crate) version: String,
    #[expect(dead_code, reason = "read by people and by other tools")]
    pub(crate) description: String,
    pub(crate) source: String,
}

/// What a profile does with a class.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Redact,
    Scan,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Class {
    pub(crate) id: String,
    pub(crate) category: String,
    pub(crate) balanced: Action,
    pub(crate) strict: Action,
    #[serde(default)]
    pub(crate) numbers: bool,
    /// Whether a value is of this class that waited in vain for a sibling to name it.
    #[serde(default)]
    pub(crate) doubt: bool,
    pub(crate) description: String,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    non_examples: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    pub(crate) class: String,
    names: Vec<String>,
    /// Each name is also meant with each of these words before it.
    #[serde(default)]
    prefixes: Vec<String>,
    pub(crate) scope: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) names: Vec<String>,
    pub(crate) class: Option<String>,
    #[serde(default)]
    leave: bool,
    /// Before the rules of all packs that do not say so.
    #[serde(default)]
    pub(crate) first: bool,
    /// Not in objects of a type that a pack knows.
    #[serde(default)]
    pub(crate) untyped: bool,
    #[serde(default)]
    pub(crate) parents: Vec<String>,
    #[serde(default)]
    pub(crate) parent_suffixes: Vec<String>,
    #[serde(default)]
    pub(crate) parent_contains: Vec<String>,
    #[serde(default)]
    pub(crate) objects: Vec<String>,
    #[serde(default)]
    pub(crate) nearest: Vec<String>,
    #[serde(default)]
    pub(crate) ancestors: Vec<String>,
    #[serde(default)]
    pub(crate) beside: Vec<String>,
    pub(crate) scope: Option<String>,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    non_examples: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subtree {
    pub(crate) name: String,
    pub(crate) class: Option<String>,
    pub(crate) like: Option<String>,
    #[serde(default)]
    pub(crate) leave: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Object {
    #[serde(rename = "type")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) ids: Vec<String>,
    /// Whether the object only holds others and says nothing about members that it does not type.
    #[serde(default)]
    pub(crate) envelope: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Id {
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) lengths: Vec<usize>,
    pub(crate) min: Option<usize>,
}

impl PackFile {
    /// Reads and checks a rule file. `file_name` is only told in errors.
    ///
    /// # Errors
    /// If the text is no TOML, has tables or settings of other names, or entries contradict each other.
    pub fn parse(text: &str, file_name: &str) -> Result<PackFile, PackError> {
        let mut table = text
            .parse::<toml::Table>()
            .map_err(|error| PackError::new(file_name, "", error.to_string().trim_end()))?;
        let mut read = Reader { file: file_name, table: &mut table };
        let pack = PackFile {
            file: file_name.to_owned(),
            pack: read.header()?,
            classes: read.list("class", "id")?,
            names: read.list("names", "class")?,
            rules: read.list("rule", "id")?,
            subtrees: read.list("subtree", "name")?,
            objects: read.list("object", "type")?,
            ids: read.list("id", "prefix")?,
            transforms: read.list("transform", "category")?,
        };
        match table.keys().next() {
            Some(other) => Err(PackError::new(file_name, "", format!("unknown table `{other}`"))),
            None => pack.check().map(|()| pack),
        }
    }

    /// The pack's name: the first part of every rule id it reports.
    pub fn name(&self) -> &str {
        &self.pack.name
    }

    /// The pack's version.
    pub fn version(&self) -> &str {
        &self.pack.version
    }

    /// What the file says of categories as a whole.
    pub fn treatments(&self) -> impl Iterator<Item = Treatment> {
        self.transforms.iter().filter_map(Entry::treatment)
    }

    /// Every example and counter-example of the file.
    pub fn examples(&self) -> impl Iterator<Item = Example<'_>> {
        let of_classes = self.classes.iter().flat_map(|class| {
            let full = Some(self.rule_id(&class.id));
            both(&class.examples, &class.non_examples).map(move |(json, holds)| Example {
                id: &class.id,
                class: full.clone(),
                names: &[],
                json,
                holds,
            })
        });
        let of_rules = self.rules.iter().flat_map(|rule| {
            let full = rule.class.as_deref().map(|class| self.rule_id(class));
            both(&rule.examples, &rule.non_examples).map(move |(json, holds)| Example {
                id: &rule.id,
                class: full.clone(),
                names: &rule.names,
                json,
                holds,
            })
        });
        of_classes.chain(of_rules)
    }

    pub(crate) fn rule_id(&self, class: &str) -> String {
        format!("{}/{class}", self.pack.name)
    }

    fn check(&self) -> Result<(), PackError> {
        if !is_word(&self.pack.name) {
            return Err(self.error("pack", "the name is not in kebab-case"));
        }
        self.check_classes()?;
        self.check_names()?;
        self.check_rules()?;
        self.check_subtrees()?;
        self.check_objects()?;
        self.check_transforms()
    }

    fn check_transforms(&self) -> Result<(), PackError> {
        let mut categories = BTreeSet::new();
        for transform in &self.transforms {
            let entry = format!("transform \"{}\"", transform.category);
            if let Err(unknown) = transform.category.parse::<Category>() {
                return Err(self.error(entry, unknown.to_string()));
            }
            if !categories.insert(&transform.category) {
                return Err(self.error(entry, "duplicate transform"));
            }
        }
        Ok(())
    }

    fn check_classes(&self) -> Result<(), PackError> {
        let mut ids = BTreeSet::new();
        for class in &self.classes {
            let entry = format!("class \"{}\"", class.id);
            if !is_word(&class.id) {
                return Err(self.error(entry, "the id is not in kebab-case"));
            }
            if !ids.insert(&class.id) {
                return Err(self.error(entry, "duplicate class"));
            }
            if let Err(unknown) = class.category.parse::<Category>() {
                return Err(self.error(entry, format!("{unknown}: `{}`", class.category)));
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), PackError> {
        let mut known: BTreeMap<String, &str> = BTreeMap::new();
        for names in &self.names {
            let entry = format!("names of \"{}\"", names.class);
            self.check_class(&entry, &names.class)?;
            self.check_scope(&entry, names.scope.as_deref())?;
            self.check_spellings(&entry, &names.names)?;
            self.check_spellings(&entry, names.prefixes.iter().chain(&names.names))?;
            for name in &names.names {
                if let Some(other) = known.insert(name.clone(), &names.class)
                    && other != names.class
                {
                    return Err(self.error(entry, format!("`{name}` is already in class \"{other}\"")));
                }
            }
        }
        Ok(())
    }

    fn check_rules(&self) -> Result<(), PackError> {
        let mut ids = BTreeSet::new();
        for rule in &self.rules {
            let entry = format!("rule \"{}\"", rule.id);
            if !is_word(&rule.id) {
                return Err(self.error(entry, "the id is not in kebab-case"));
            }
            if !ids.insert(&rule.id) {
                return Err(self.error(entry, "duplicate rule"));
            }
            match (&rule.class, rule.leave) {
                (Some(class), false) => self.check_class(&entry, class)?,
                (None, true) => {}
                _ => return Err(self.error(entry, "either `class` or `leave = true` must be given")),
            }
            self.check_scope(&entry, rule.scope.as_deref())?;
            self.check_spellings(&entry, &rule.names)?;
            let conditions =
                [&rule.parents, &rule.parent_suffixes, &rule.parent_contains, &rule.ancestors, &rule.beside];
            for spellings in conditions.into_iter().filter(|spellings| !spellings.is_empty()) {
                self.check_spellings(&entry, spellings)?;
            }
            if let Some(own) = rule.names.iter().find(|name| rule.beside.contains(name)) {
                return Err(self.error(entry, format!("`{own}` would always be beside itself")));
            }
            let is_unknown = |name: &&String| !self.objects.iter().any(|object| object.name == **name);
            if let Some(unknown) = rule.objects.iter().chain(&rule.nearest).find(is_unknown) {
                return Err(self.error(entry, format!("unknown object type `{unknown}`")));
            }
        }
        Ok(())
    }

    fn check_subtrees(&self) -> Result<(), PackError> {
        let mut names = BTreeSet::new();
        for subtree in &self.subtrees {
            let entry = format!("subtree \"{}\"", subtree.name);
            if !names.insert(&subtree.name) {
                return Err(self.error(entry, "duplicate subtree"));
            }
            self.check_spellings(&entry, [&subtree.name].into_iter().chain(&subtree.like))?;
            match (&subtree.class, &subtree.like, subtree.leave) {
                (Some(class), None, false) => self.check_class(&entry, class)?,
                (None, Some(_), false) | (None, None, true) => {}
                _ => return Err(self.error(entry, "one of `class`, `like` and `leave = true` must be given")),
            }
        }
        Ok(())
    }

    fn check_objects(&self) -> Result<(), PackError> {
        let mut prefixes = BTreeSet::new();
        for id in &self.ids {
            let entry = format!("id \"{}\"", id.prefix);
            if !is_prefix(&id.prefix) {
                return Err(self
                    .error(entry, "a prefix has lower-case letters, digits and `_`, and must end with `_`"));
            }
            if id.lengths.is_empty() && id.min.is_none() {
                return Err(self.error(entry, "either `lengths` or `min` must be given"));
            }
            if !prefixes.insert(&id.prefix) {
                return Err(self.error(entry, "duplicate prefix"));
            }
        }
        let mut types = BTreeSet::new();
        for object in &self.objects {
            let entry = format!("object \"{}\"", object.name);
            if object.name.is_empty() || !types.insert(&object.name) {
                return Err(self.error(entry, "duplicate or empty object type"));
            }
            // A prefix is used up by the first type that claims it.
            if let Some(unknown) = object.ids.iter().find(|prefix| !prefixes.remove(prefix)) {
                return Err(self.error(entry, format!("`{unknown}` is no id prefix or has another type")));
            }
        }
        Ok(())
    }

    fn check_class(&self, entry: &str, class: &str) -> Result<(), PackError> {
        if self.classes.iter().any(|known| known.id == class) {
            return Ok(());
        }
        Err(self.error(entry, format!("unknown class \"{class}\"")))
    }

    fn check_scope(&self, entry: &str, scope: Option<&str>) -> Result<(), PackError> {
        match scope {
            Some(scope) if scope != self.pack.name => {
                Err(self.error(entry, format!("unknown scope \"{scope}\": it must be the pack's name")))
            }
            _ => Ok(()),
        }
    }

    fn check_spellings<'n>(
        &self,
        entry: &str,
        names: impl IntoIterator<Item = &'n String>,
    ) -> Result<(), PackError> {
        let mut count = 0;
        for name in names {
            count += 1;
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(self.error(entry, format!("a name must have 1 to {NAME_BYTES_MAX} bytes")));
            }
            if name.bytes().any(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b' ')) {
                let reason = format!("`{name}` is not in snake_case, which stands for every spelling");
                return Err(self.error(entry, reason));
            }
        }
        if count == 0 { Err(self.error(entry, "no names")) } else { Ok(()) }
    }

    pub(crate) fn error(&self, entry: impl Into<String>, reason: impl Into<String>) -> PackError {
        PackError::new(&self.file, entry, reason)
    }
}

/// The longest name that a rule may be about.
const NAME_BYTES_MAX: usize = 200;

impl Names {
    /// Every name meant, prefixes applied.
    pub(crate) fn expanded(&self) -> impl Iterator<Item = String> {
        self.names.iter().flat_map(|name| {
            let with_prefix = self.prefixes.iter().map(move |prefix| format!("{prefix}_{name}"));
            std::iter::once(name.clone()).chain(with_prefix)
        })
    }
}

impl Rule {
    /// Whether the rule holds wherever its names stand, if in its scope.
    pub(crate) fn is_unconditional(&self) -> bool {
        let conditions = [
            &self.parents,
            &self.parent_suffixes,
            &self.parent_contains,
            &self.objects,
            &self.nearest,
            &self.ancestors,
            &self.beside,
        ];
        !self.untyped && conditions.into_iter().all(Vec::is_empty)
    }
}

/// Takes a parsed file apart, entry by entry, so that an error can name its entry.
struct Reader<'t> {
    file: &'t str,
    table: &'t mut toml::Table,
}

impl Reader<'_> {
    fn header(&mut self) -> Result<Pack, PackError> {
        let header = self.table.remove("pack");
        let header = header.ok_or_else(|| PackError::new(self.file, "", "no table `pack`"))?;
        self.read(header, "pack".to_owned())
    }

    fn list<T: DeserializeOwned>(&mut self, kind: &str, label: &str) -> Result<Vec<T>, PackError> {
        let entries = match self.table.remove(kind) {
            None => Vec::new(),
            Some(toml::Value::Array(entries)) => entries,
            Some(_) => return Err(PackError::new(self.file, "", format!("`{kind}` must be `[[{kind}]]`"))),
        };
        let read = |(position, entry): (usize, toml::Value)| {
            let name = match entry.get(label).and_then(toml::Value::as_str) {
                Some(name) if kind == "names" => format!("names of \"{name}\""),
                Some(name) => format!("{kind} \"{name}\""),
                None => format!("{kind} number {}", position + 1),
            };
            self.read(entry, name)
        };
        entries.into_iter().enumerate().map(read).collect()
    }

    fn read<T: DeserializeOwned>(&self, value: toml::Value, entry: String) -> Result<T, PackError> {
        value.try_into().map_err(|error: toml::de::Error| PackError::new(self.file, entry, error.message()))
    }
}

fn both<'p>(examples: &'p [String], non_examples: &'p [String]) -> impl Iterator<Item = (&'p str, bool)> {
    let holding = examples.iter().map(|json| (json.as_str(), true));
    holding.chain(non_examples.iter().map(|json| (json.as_str(), false)))
}

fn is_prefix(prefix: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    prefix.len() > 1 && prefix.ends_with('_') && prefix.bytes().all(is_inner)
}

fn is_word(id: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !id.is_empty() && id.bytes().all(is_inner) && !id.starts_with('-') && !id.ends_with('-')
}
