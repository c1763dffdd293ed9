//! The catalogue: every operation of Stripe's API and every tool of its MCP servers, as exact tables.
//!
//! `data/stripe.json` is written by `generate.py`; this module reads and checks it once.

use crate::class::RiskClass;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::OnceLock;

/// The file that was built in.
pub(crate) const SHIPPED: &str = include_str!("../data/stripe.json");

/// Operations and tools, ready to be looked up. Takes some milliseconds to read, once in a process.
#[derive(Debug)]
pub struct Catalogue {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
    routes: HashMap<String, Node>,
    tools: HashMap<String, Tool>,
    harmless_ids: Vec<String>,
    /// Names under which any operation takes an id.
    id_names: BTreeSet<String>,
}

/// Names under which ids stand in lists, where the facts do not name them.
const IDS_IN_LISTS: [&str; 8] =
    ["coupon", "id", "invoice_line_item", "price", "product", "promotion_code", "refund", "tax_rates"];

/// One operation of the API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// Stripe's operation id, such as `PostRefunds`.
    pub id: String,
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// The path, with parameters in braces.
    pub path: String,
    /// The class of a call whose arguments say nothing else.
    pub class: RiskClass,
    /// Classes that every call has besides.
    #[serde(default)]
    pub also: Vec<RiskClass>,
    /// What is true of every call, such as `bearer_link`.
    #[serde(default)]
    pub facts: Vec<String>,
    /// The type of object that it is about.
    pub object: Option<String>,
    /// Which host serves it, if not the API's: `files`, `connect` or `meter_events`.
    pub base: Option<String>,
    /// The operation that does the same by a newer path.
    pub alias_of: Option<String>,
    /// Parameters of the path that have another name there.
    #[serde(default)]
    pub(crate) renamed: BTreeMap<String, String>,
    /// Arguments that hold money in minor units.
    #[serde(default)]
    pub amounts: Vec<String>,
    /// Arguments that name a currency.
    #[serde(default)]
    pub currencies: Vec<String>,
    /// Arguments that name objects.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Arguments that hold personal data, with everything below them; `*` if any may.
    #[serde(default)]
    pub personal: Vec<String>,
    /// Which arguments make more of a call.
    #[serde(default)]
    pub(crate) escalations: Vec<Escalation>,
}

/// A class and a fact that a call has by its arguments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Escalation {
    pub(crate) class: RiskClass,
    pub(crate) fact: String,
    /// One of these lists must hold, and a list holds if all in it does.
    pub(crate) any: Vec<Vec<Condition>>,
}

/// What must be so of an argument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    pub(crate) at: String,
    pub(crate) is: Test,
}

/// How an argument is tested. What could mean yes does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Test {
    /// It is there, empty or not.
    Present,
    /// It is there and not `false`.
    On,
    /// It is not `false`.
    OnOrAbsent,
    /// It is one of these, or no plain text.
    OneOf(Vec<String>),
    /// It is not there, or not one of these.
    NotOneOf(Vec<String>),
}

/// One tool of an MCP server of Stripe's.
#[derive(Debug, Deserialize)]
pub(crate) struct Tool {
    name: String,
    #[serde(default)]
    also_named: Vec<String>,
    /// The arguments it takes; if nothing is known of them, any.
    pub(crate) accepts: Option<BTreeSet<String>>,
    #[serde(flatten)]
    pub(crate) meaning: Meaning,
}

/// How a call of a tool finds its operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(crate) enum Meaning {
    /// The tool is one operation by another name.
    Name {
        operation: String,
        /// Arguments that the operation calls otherwise.
        #[serde(default)]
        renamed: BTreeMap<String, String>,
        /// Arguments that the server adds where the call does not give them.
        #[serde(default)]
        added: BTreeMap<String, String>,
    },
    /// An argument names the operation.
    Operation { reads: bool },
    /// The argument `intent` decides.
    Intent { classes: BTreeMap<String, RiskClass> },
    /// The ids that are asked for decide.
    Id,
    /// The tool is an operation of its own.
    Itself {
        class: RiskClass,
        #[serde(default)]
        facts: Vec<String>,
    },
}

/// A place in the tree of paths of one method.
#[derive(Debug, Default)]
struct Node {
    children: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
    entry: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    operations: Vec<Entry>,
    tools: Vec<Tool>,
    harmless_ids: Vec<String>,
}

/// What is wrong with the catalogue that was built in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CatalogueError(String);

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "catalogue: {}: write data/stripe.json again with generate.py", self.0)
    }
}

impl std::error::Error for CatalogueError {}

impl Catalogue {
    /// The catalogue that was built in.
    ///
    /// # Errors
    /// It is not as it should be, which the tests rule out.
    pub fn shipped() -> Result<&'static Catalogue, CatalogueError> {
        static READ: OnceLock<Result<Catalogue, CatalogueError>> = OnceLock::new();
        READ.get_or_init(|| Catalogue::read(SHIPPED)).as_ref().map_err(CatalogueError::clone)
    }

    fn read(text: &str) -> Result<Catalogue, CatalogueError> {
        let file: File = serde_json::from_str(text).map_err(|error| CatalogueError(error.to_string()))?;
        let mut catalogue = Catalogue {
            entries: file.operations,
            by_id: HashMap::new(),
            routes: HashMap::new(),
            tools: HashMap::new(),
            harmless_ids: file.harmless_ids,
            id_names: IDS_IN_LISTS.map(str::to_owned).into(),
        };
        for path in catalogue.entries.iter().flat_map(|entry| &entry.ids) {
            let name = path.rsplit('.').next().unwrap_or(path).trim_end_matches("[]");
            catalogue.id_names.insert(name.to_owned());
        }
        for (at, entry) in catalogue.entries.iter().enumerate() {
            if catalogue.by_id.insert(entry.id.clone(), at).is_some() {
                return Err(CatalogueError(format!("{} stands twice", entry.id)));
            }
            let root = catalogue.routes.entry(entry.method.clone()).or_default();
            root.add(&entry.path, at).map_err(|what| CatalogueError(format!("{}: {what}", entry.path)))?;
        }
        for entry in &catalogue.entries {
            if entry.alias_of.as_ref().is_some_and(|id| !catalogue.is_canonical(id)) {
                return Err(CatalogueError(format!("{} stands for nothing", entry.id)));
            }
        }
        for tool in file.tools {
            catalogue.add_tool(tool)?;
        }
        Ok(catalogue)
    }

    fn add_tool(&mut self, tool: Tool) -> Result<(), CatalogueError> {
        if let Meaning::Name { operation, .. } = &tool.meaning
            && !self.is_canonical(operation)
        {
            return Err(CatalogueError(format!("{} stands for nothing", tool.name)));
        }
        for name in tool.also_named.iter().chain([&tool.name]) {
            let same = Tool {
                name: name.clone(),
                also_named: Vec::new(),
                accepts: tool.accepts.clone(),
                meaning: tool.meaning.clone(),
            };
            if self.tools.insert(name.clone(), same).is_some() || self.by_id.contains_key(name) {
                return Err(CatalogueError(format!("{name} stands twice")));
            }
        }
        Ok(())
    }

    fn is_canonical(&self, id: &str) -> bool {
        self.entry(id).is_some_and(|entry| entry.alias_of.is_none())
    }

    /// Every operation, by id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The operation of this id, which counts letter by letter.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.by_id.get(id).and_then(|at| self.entries.get(*at))
    }

    /// The names of all tools of Stripe's MCP servers, in order.
    pub fn tool_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.tools.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(name)
    }

    /// Operations that are not of the API but a tool's own: their names and classes.
    pub(crate) fn tool_operations(&self) -> Vec<(String, Vec<RiskClass>)> {
        let mut found = Vec::new();
        for (name, tool) in &self.tools {
            match &tool.meaning {
                Meaning::Name { .. } | Meaning::Operation { .. } => {}
                Meaning::Intent { classes } => {
                    found.extend(
                        classes.iter().map(|(intent, class)| (format!("{name}/{intent}"), vec![*class])),
                    );
                }
                Meaning::Id => found.push((name.clone(), vec![RiskClass::Read, RiskClass::CustomerDataRead])),
                Meaning::Itself { class, .. } => found.push((name.clone(), vec![*class])),
            }
        }
        found.sort();
        found
    }

    /// Whether an id is of a type that can be read without reading personal data.
    pub(crate) fn is_harmless_id(&self, id: &str) -> bool {
        self.harmless_ids.iter().any(|prefix| {
            id.strip_prefix(prefix.as_str()).is_some_and(|body| {
                !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
        })
    }

    /// Whether ids stand under this name.
    pub(crate) fn is_id_name(&self, name: &str) -> bool {
        self.id_names.contains(name)
    }

    /// The operation of a method and the segments of a path, with its parameters by name. A segment that stands in
    /// the table is never taken for a parameter.
    pub(crate) fn route<'a>(
        &self,
        method: &str,
        segments: &[&'a str],
    ) -> Option<(&Entry, Vec<(&str, &'a str)>)> {
        let (mut node, mut values) = (self.routes.get(method)?, Vec::new());
        for segment in segments {
            node = match (node.children.get(*segment), &node.parameter) {
                (Some(child), _) => child,
                (None, Some(parameter)) => {
                    values.push(*segment);
                    parameter
                }
                (None, None) => return None,
            };
        }
        let entry = self.entries.get(node.entry?)?;
        Some((entry, entry.path_parameters().zip(values).collect()))
    }
}

impl Entry {
    /// The names of the parameters in the path, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Every class that a call can have.
    pub(crate) fn possible_classes(&self) -> BTreeSet<RiskClass> {
        let mut classes: BTreeSet<RiskClass> =
            self.escalations.iter().map(|escalation| escalation.class).collect();
        classes.insert(self.class);
        classes.extend(&self.also);
        if self.class == RiskClass::Read {
            classes.insert(RiskClass::CustomerDataRead);
        }
        classes
    }
}

impl Node {
    fn add(&mut self, path: &str, entry: usize) -> Result<(), &'static str> {
        let rest = path.strip_prefix('/').ok_or("a path begins with a slash")?;
        let mut node = self;
        for segment in rest.split('/') {
            // Paths of one method may call the same parameter differently, so its name is not kept here.
            node = if segment.starts_with('{') {
                node.parameter.get_or_insert_default()
            } else {
                node.children.entry(segment.to_owned()).or_default()
            };
        }
        if node.entry.replace(entry).is_some() { Err("two operations have this path") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_is_whole() {
        let catalogue = Catalogue::shipped().expect("the catalogue is sound");
        assert_eq!(catalogue.entries().len(), 711);
        assert_eq!(catalogue.entries().iter().filter(|entry| entry.alias_of.is_some()).count(), 41);
        assert_eq!(catalogue.tool_names().len(), 40);
    }

    #[test]
    fn ids_count_letter_by_letter() {
        let catalogue = Catalogue::shipped().expect("the catalogue is sound");
        assert!(catalogue.entry("PostRefunds").is_some());
        assert!(catalogue.entry("postRefunds").is_none());
        assert!(catalogue.entry("PostRefunds ").is_none());
    }

    #[test]
    fn faults_of_the_file_are_told() {
        let twice = r#"{"operations": [
            {"id": "GetA", "method": "GET", "path": "/v1/a/{x}", "class": "read"},
            {"id": "GetB", "method": "GET", "path": "/v1/a/{y}", "class": "read"}], "tools": [], "harmless_ids": []}"#;
        let error = Catalogue::read(twice).expect_err("one path, two operations");
        assert!(error.to_string().contains("/v1/a/{y}: two operations have this path"), "{error}");
        let nothing = r#"{"operations": [], "harmless_ids": [],
            "tools": [{"name": "a", "by": "name", "operation": "GetA"}]}"#;
        assert!(
            Catalogue::read(nothing).expect_err("no operation").to_string().contains("a stands for nothing")
        );
    }
}
