//! The arguments of a call in one form, however they were sent.
//!
//! Stripe's API takes text: `amount=500` of a form, `500` and `"500"` of JSON are the same amount to it. So every
//! scalar is kept as text here, an object whose names are all numbers is a list, and nothing stands twice.

mod form;
mod json;
mod multipart;

pub(crate) use form::{PairReader, read_form};
pub(crate) use json::read_object;
pub(crate) use multipart::read_parts;
pub use multipart::{FileHead, Part, boundary, parts};

use crate::denied::Denied;
use std::collections::BTreeMap;
use std::fmt;

/// One argument.
#[derive(Clone, Eq, PartialEq)]
pub enum Argument {
    /// A scalar. Numbers, booleans and null of JSON as a form would send them: null is empty.
    Text(String),
    /// A list.
    List(Vec<Argument>),
    /// An object.
    Members(BTreeMap<String, Argument>),
}

/// All arguments of a call, by name. Not shown by `Debug`.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Arguments(pub(crate) BTreeMap<String, Argument>);

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argument").finish_non_exhaustive()
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// How many values one call may have: each is looked at by policy.
pub(crate) const VALUES_MAX: usize = 10_000;

/// How many bytes the paths of all values may have together: each path is a text of its own for policy, so that one
/// long name around many values would cost their product.
pub(crate) const PATH_BYTES_MAX: usize = 2 << 20;

/// A name stood there already.
pub(crate) struct Taken;

impl Arguments {
    /// The arguments by name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Argument)> {
        self.0.iter().map(|(name, argument)| (name.as_str(), argument))
    }

    /// The argument of a name, at the top.
    pub fn named(&self, name: &str) -> Option<&Argument> {
        self.0.get(name)
    }

    /// The text of an argument, at the top.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.named(name).and_then(Argument::as_text)
    }

    /// Everything at a path such as `items[].price_data.unit_amount`. Lists are gone through whether the path says so
    /// or not, and objects where it says list: what a caller writes oddly is found all the same.
    pub fn at<'a>(&'a self, path: &str) -> Vec<&'a Argument> {
        let mut found = Vec::new();
        let (first, is_list, rest) = step(path);
        if let Some(argument) = self.0.get(first) {
            argument.elements(is_list && rest.is_some()).for_each(|element| element.gather(rest, &mut found));
        }
        found
    }

    /// Whether anything stands at a path, an empty list included.
    pub(crate) fn has(&self, path: &str) -> bool {
        let (first, is_list, rest) = step(path);
        self.0.get(first).is_some_and(|argument| argument.elements(is_list).any(|element| element.has(rest)))
    }

    /// The arguments as JSON, all scalars as text: personal values stand in it as they came.
    pub fn to_json(&self) -> serde_json::Value {
        Argument::Members(self.0.clone()).to_json()
    }

    /// The same arguments, unless there are too many, or their paths too long.
    fn bounded(self, place: &'static str) -> Result<Arguments, Denied> {
        let count: usize = self.0.values().map(Argument::count).sum();
        if count > VALUES_MAX {
            return Err(Denied::Unreadable(place, "more than 10,000 values"));
        }
        let bytes: usize = self.0.iter().map(|(name, argument)| argument.path_bytes(name.len())).sum();
        if bytes > PATH_BYTES_MAX {
            return Err(Denied::Unreadable(
                place,
                "names of more than 2 MiB, counted at each value within them",
            ));
        }
        Ok(self)
    }

    pub(crate) fn insert(&mut self, name: &str, argument: Argument) -> Result<(), Taken> {
        if self.0.contains_key(name) {
            return Err(Taken);
        }
        self.0.insert(name.to_owned(), argument);
        Ok(())
    }

    /// Puts a text at a path, in lists of one element. What is in the way wins.
    pub(crate) fn place(&mut self, path: &str, argument: Argument) -> Result<(), Taken> {
        let (first, is_list, rest) = step(path);
        let Some(rest) = rest else { return self.insert(first, argument) };
        let empty = || Argument::Members(BTreeMap::new());
        let slot = self
            .0
            .entry(first.to_owned())
            .or_insert_with(|| if is_list { Argument::List(vec![empty()]) } else { empty() });
        let members = match slot {
            Argument::List(elements) => elements.first_mut(),
            other => Some(other),
        };
        let Some(Argument::Members(members)) = members else { return Err(Taken) };
        let mut inner = Arguments(std::mem::take(members));
        let placed = inner.place(rest, argument);
        *members = inner.0;
        placed
    }

    /// Names of everything that was given, without the numbers of lists: `items.price_data.unit_amount`, and each
    /// name on the way there.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for (name, argument) in &self.0 {
            argument.gather_paths(name.clone(), &mut paths);
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

/// The first name of a path, whether a list stands there, and the rest.
pub(crate) fn step(path: &str) -> (&str, bool, Option<&str>) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let name = first.trim_end_matches("[]");
    (name, name != first, rest)
}

impl Argument {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Itself, and what is in it if a list should stand here and an object does: servers may take its names for numbers.
    pub(crate) fn elements(&self, is_list: bool) -> impl Iterator<Item = &Argument> {
        let inner = match self {
            Argument::Members(members) if is_list => Some(members.values()),
            _ => None,
        };
        std::iter::once(self).chain(inner.into_iter().flatten())
    }

    /// Texts under names that are asked for, at any depth but in metadata.
    pub(crate) fn texts_under<'a>(&'a self, is_wanted: &dyn Fn(&str) -> bool, found: &mut Vec<&'a str>) {
        match self {
            Argument::Text(_) => {}
            Argument::List(elements) => {
                elements.iter().for_each(|element| element.texts_under(is_wanted, found));
            }
            Argument::Members(members) => {
                for (name, argument) in members.iter().filter(|(name, _)| *name != "metadata") {
                    match argument {
                        Argument::Text(text) if is_wanted(name) => found.push(text),
                        Argument::List(elements) if is_wanted(name) => {
                            found.extend(elements.iter().filter_map(Argument::as_text));
                            argument.texts_under(is_wanted, found);
                        }
                        _ => argument.texts_under(is_wanted, found),
                    }
                }
            }
        }
    }

    /// Whether a member has this name, at any depth but in metadata, whose names mean nothing.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        match self {
            Argument::Text(_) => false,
            Argument::List(elements) => elements.iter().any(|element| element.mentions(name)),
            Argument::Members(members) => members
                .iter()
                .filter(|(own, _)| *own != "metadata")
                .any(|(own, argument)| own == name || argument.mentions(name)),
        }
    }

    fn gather<'a>(&'a self, rest: Option<&str>, found: &mut Vec<&'a Argument>) {
        match (self, rest) {
            (Argument::List(elements), _) => elements.iter().for_each(|element| element.gather(rest, found)),
            (_, None) => found.push(self),
            (Argument::Members(members), Some(rest)) => {
                let (first, is_list, rest) = step(rest);
                if let Some(argument) = members.get(first) {
                    argument
                        .elements(is_list && rest.is_some())
                        .for_each(|element| element.gather(rest, found));
                }
            }
            (Argument::Text(_), Some(_)) => {}
        }
    }

    fn count(&self) -> usize {
        1 + match self {
            Argument::Text(_) => 0,
            Argument::List(elements) => elements.iter().map(Argument::count).sum(),
            Argument::Members(members) => members.values().map(Argument::count).sum(),
        }
    }

    /// Bytes of its path, which has this many, and of the paths below it.
    fn path_bytes(&self, own: usize) -> usize {
        own + match self {
            Argument::Text(_) => 0,
            Argument::List(elements) => elements.iter().map(|element| element.path_bytes(own)).sum(),
            Argument::Members(members) => {
                members.iter().map(|(name, argument)| argument.path_bytes(own + 1 + name.len())).sum()
            }
        }
    }

    fn has(&self, rest: Option<&str>) -> bool {
        match (self, rest) {
            (_, None) => true,
            (Argument::List(elements), rest) => elements.iter().any(|element| element.has(rest)),
            (Argument::Members(members), Some(rest)) => {
                let (first, is_list, rest) = step(rest);
                members
                    .get(first)
                    .is_some_and(|argument| argument.elements(is_list).any(|element| element.has(rest)))
            }
            (Argument::Text(_), Some(_)) => false,
        }
    }

    fn gather_paths(&self, path: String, paths: &mut Vec<String>) {
        match self {
            Argument::Text(_) => {}
            Argument::List(elements) => {
                elements.iter().for_each(|element| element.gather_paths(path.clone(), paths))
            }
            Argument::Members(members) => {
                for (name, argument) in members {
                    argument.gather_paths(format!("{path}.{name}"), paths);
                }
            }
        }
        paths.push(path);
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            Argument::Text(text) => text.as_str().into(),
            Argument::List(elements) => elements.iter().map(Argument::to_json).collect(),
            Argument::Members(members) => {
                members.iter().map(|(name, argument)| (name.clone(), argument.to_json())).collect()
            }
        }
    }
}

/// An object, or the list that it is if its names are all numbers. Two names of one number are refused.
pub(crate) fn object(members: BTreeMap<String, Argument>) -> Result<Argument, Taken> {
    if members.is_empty() || !members.keys().all(|name| is_index(name)) {
        return Ok(Argument::Members(members));
    }
    let mut numbered: Vec<(u64, Argument)> =
        members.into_iter().map(|(name, argument)| (name.parse().unwrap_or(u64::MAX), argument)).collect();
    numbered.sort_by_key(|(number, _)| *number);
    if numbered.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
        return Err(Taken);
    }
    Ok(Argument::List(numbered.into_iter().map(|(_, argument)| argument).collect()))
}

fn is_index(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has the form that names of the API's arguments have.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a text may stand in a path as one segment: ids, and what merchants choose without a sign that paths know.
pub(crate) fn is_segment(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:~-".contains(&byte);
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(json: &str) -> Arguments {
        read_object(json.as_bytes(), "arguments").expect("an object")
    }

    #[test]
    fn paths_go_through_lists() {
        let arguments = arguments(r#"{"items": [{"price_data": {"unit_amount": 5}}, {"price": "price_x"}]}"#);
        assert_eq!(arguments.at("items[].price_data.unit_amount"), [&Argument::Text("5".to_owned())]);
        assert_eq!(arguments.at("items.price_data").len(), 1);
        let odd = super::tests::arguments(r#"{"items": {"0": {"price_data": {"unit_amount": 5}}, "x": 1}}"#);
        assert!(odd.has("items[].price_data"));
        assert_eq!(odd.at("items[].price_data.unit_amount").len(), 1);
        assert!(arguments.at("items[].price_data.unit_amount.x").is_empty());
        assert_eq!(
            arguments.paths(),
            ["items", "items.price", "items.price_data", "items.price_data.unit_amount"]
        );
    }

    #[test]
    fn texts_are_placed_in_lists_of_one() {
        let mut placed = Arguments::default();
        assert!(placed.place("line_items[].price", Argument::Text("price_x".to_owned())).is_ok());
        assert!(placed.place("line_items[].quantity", Argument::Text("2".to_owned())).is_ok());
        assert!(placed.place("line_items[].price", Argument::Text("price_y".to_owned())).is_err());
        assert_eq!(placed, arguments(r#"{"line_items": [{"price": "price_x", "quantity": 2}]}"#));
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", arguments(r#"{"email": "jenny@example.com"}"#));
        assert_eq!(shown, "Arguments { count: 1, .. }");
    }
}
