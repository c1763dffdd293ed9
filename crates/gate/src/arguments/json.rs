//! Arguments from JSON. What stands twice is refused: readers differ in which of the two they take.

use super::{Argument, Arguments, object};
use crate::denied::Denied;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Marks of our own errors, to be told from those of the reader. They hold nothing of the input.
const TWICE: &str = "a member stands twice";
const BRACKET: &str = "a name with a bracket";

/// Reads a whole JSON object. `place` is where it stands, for the refusal.
pub(crate) fn read_object(json: &[u8], place: &'static str) -> Result<Arguments, Denied> {
    let read = serde_json::from_slice::<Read>(json).map_err(|error| {
        let error = error.to_string();
        if error.starts_with(TWICE) {
            Denied::Duplicate(place)
        } else if error.starts_with(BRACKET) {
            Denied::Unreadable(place, "a name holds a bracket, which forms would take for structure")
        } else {
            Denied::Unreadable(place, "not one JSON value")
        }
    })?;
    match read {
        Read(Argument::Members(members)) => Arguments(members).bounded(place),
        _ => Err(Denied::Unreadable(place, "not a JSON object")),
    }
}

/// What was read, with numbered objects as lists everywhere but at the top.
struct Read(Argument);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(Reader { is_top: true }).map(Read)
    }
}

struct Inner(Argument);

impl<'de> Deserialize<'de> for Inner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Inner, D::Error> {
        deserializer.deserialize_any(Reader { is_top: false }).map(Inner)
    }
}

struct Reader {
    is_top: bool,
}

impl<'de> Visitor<'de> for Reader {
    type Value = Argument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Argument, E> {
        Ok(Argument::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Argument, E> {
        Ok(Argument::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Argument, E> {
        Ok(Argument::Text(value.to_string()))
    }

    /// As other readers of JSON print it: `40.0` and `4e1` are `40`.
    fn visit_f64<E>(self, value: f64) -> Result<Argument, E> {
        Ok(Argument::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Argument, E> {
        Ok(Argument::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Argument, E> {
        Ok(Argument::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Argument, A::Error> {
        let mut elements = Vec::new();
        while let Some(Inner(element)) = list.next_element()? {
            elements.push(element);
        }
        Ok(Argument::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Argument, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.contains(['[', ']']) {
                return Err(A::Error::custom(BRACKET));
            }
            let Inner(argument) = map.next_value()?;
            if members.insert(name, argument).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        if self.is_top {
            return Ok(Argument::Members(members));
        }
        object(members).map_err(|_taken| A::Error::custom(TWICE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Arguments, Denied> {
        read_object(json.as_bytes(), "body")
    }

    #[test]
    fn scalars_are_as_a_form_sends_them() {
        for (json, text) in
            [("40", "40"), ("\"40\"", "40"), ("40.0", "40"), ("4e1", "40"), ("true", "true"), ("null", "")]
        {
            let arguments = read(&format!(r#"{{"a": {json}}}"#)).expect("an object");
            assert_eq!(arguments.text("a"), Some(text), "{json}");
        }
    }

    #[test]
    fn what_stands_twice_is_refused_at_any_depth_and_however_it_is_written() {
        for json in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"amount": 1, "\u0061mount": 2}"#,
            r#"{"a": [{"b": {"c": 1, "c": 2}}]}"#,
            r#"{"a": {"0": 1, "00": 2}}"#,
        ] {
            assert_eq!(read(json), Err(Denied::Duplicate("body")), "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in [
            "",
            "[]",
            "1",
            "{",
            r#"{"a": 1} {}"#,
            r#"{"a": 1e999}"#,
            "{\"a\": \"\\ud800\"}",
            r#"{"a[b]": 1}"#,
        ] {
            assert!(matches!(read(json), Err(Denied::Unreadable("body", _))), "{json}");
        }
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200));
        assert!(matches!(read(&deep), Err(Denied::Unreadable("body", _))));
    }

    #[test]
    fn there_are_only_so_many_values_and_bytes_of_paths() {
        let list = |count: usize| format!(r#"{{"a": [{}]}}"#, vec!["1"; count].join(","));
        assert!(read(&list(9_999)).is_ok());
        assert!(matches!(read(&list(10_000)), Err(Denied::Unreadable("body", _))));
        let named = |bytes: usize| list(2_000).replace("\"a\"", &format!("\"{}\"", "a".repeat(bytes)));
        assert!(read(&named(1_000)).is_ok());
        assert!(matches!(read(&named(2_000)), Err(Denied::Unreadable("body", _))));
    }

    #[test]
    fn numbered_members_are_a_list() {
        assert_eq!(read(r#"{"a": {"1": "y", "0": "x"}}"#), read(r#"{"a": ["x", "y"]}"#));
    }
}
