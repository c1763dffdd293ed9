//! Reads exports of events: one a line, a list or pages of lists, an array. Nothing is held but one event.

use crate::event::{Event, Raw};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::{self, BufRead, Read};

/// The longest line that is read as one event. Stripe's are some kilobytes long.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// Why an export cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The system's reason.
    Io(io::Error),
    /// The line that is no JSON, and where in it.
    Syntax(u64, u64),
    /// The line that holds something which is no event.
    NoEvent(u64),
    /// The line that is longer than any event.
    Long(u64),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io(error) => write!(f, "cannot read it: {error}"),
            ReadError::Syntax(line, column) => {
                write!(f, "line {line}, column {column}: is no JSON: export it again")
            }
            ReadError::NoEvent(line) => write!(
                f,
                "line {line}: holds something that is no event of Stripe: give the events as `GET /v1/events` lists them, \
                 or one a line"
            ),
            ReadError::Long(line) => write!(f, "line {line}: is longer than any event: export it again"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Hands on every event in `input`, in its order: NDJSON, a list as the API gives it, several such pages one behind the
/// other, an array. Envelopes of EventBridge and Event Grid are opened.
///
/// # Errors
/// What cannot be read, is no JSON, or is no event. What came before has been handed on.
pub fn read_events(mut input: impl BufRead, mut each: impl FnMut(&Event<'_>)) -> Result<(), ReadError> {
    let (mut line, mut number) = (Vec::new(), 0);
    // The first line says which form it is.
    while line.trim_ascii().is_empty() {
        number += 1;
        line.clear();
        if read_line(&mut input, &mut line)? == 0 {
            return Ok(());
        }
    }
    if serde_json::from_slice::<IgnoredAny>(&line).is_err() || !line.ends_with(b"\n") {
        return documents(number, io::Cursor::new(line).chain(input), &mut each);
    }
    loop {
        if !line.trim_ascii().is_empty() {
            let mut deserializer = serde_json::Deserializer::from_slice(&line);
            let read = Value { each: &mut each }.deserialize(&mut deserializer);
            read.and_then(|()| deserializer.end()).map_err(|error| fault(number, &error))?;
        }
        line.clear();
        number += 1;
        let read = read_line(&mut input, &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            return Err(ReadError::Long(number));
        }
    }
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<usize, ReadError> {
    input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line).map_err(ReadError::Io)
}

/// Reads JSON of any number of lines.
fn documents(number: u64, input: impl Read, each: &mut impl FnMut(&Event<'_>)) -> Result<(), ReadError> {
    let mut deserializer =
        serde_json::Deserializer::from_reader(io::BufReader::with_capacity(1 << 20, input));
    while deserializer.end().is_err() {
        Value { each: &mut *each }.deserialize(&mut deserializer).map_err(|error| fault(number, &error))?;
    }
    Ok(())
}

/// Texts of `serde_json` can hold what was read.
fn fault(first: u64, error: &serde_json::Error) -> ReadError {
    let line = first - 1 + (error.line() as u64).max(1);
    match error.classify() {
        serde_json::error::Category::Io => {
            ReadError::Io(error.io_error_kind().map_or_else(|| io::Error::other("unknown"), io::Error::from))
        }
        serde_json::error::Category::Data => ReadError::NoEvent(line),
        _ => ReadError::Syntax(line, error.column() as u64),
    }
}

/// An event, a list of events, or an array of them.
struct Value<'f, F> {
    each: &'f mut F,
}

impl<'de, F: FnMut(&Event<'_>)> DeserializeSeed<'de> for Value<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&Event<'_>)> Visitor<'de> for Value<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(raw) = seq.next_element::<Raw<'de>>()? {
            hand_on(raw, self.each)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut page = Page { map, each: self.each, is_data: false, is_list: false };
        let raw = Raw::deserialize(de::value::MapAccessDeserializer::new(&mut page))?;
        if page.is_list { Ok(()) } else { hand_on(raw, page.each) }
    }
}

fn hand_on<E: de::Error>(raw: Raw<'_>, each: &mut impl FnMut(&Event<'_>)) -> Result<(), E> {
    let event = raw.event().ok_or_else(|| E::custom("no event"))?;
    each(&event);
    Ok(())
}

/// The members of an object, of which an array `data` is handed on as it comes.
struct Page<'f, A, F> {
    map: A,
    each: &'f mut F,
    /// Whether the value of `data` comes next.
    is_data: bool,
    is_list: bool,
}

impl<'de, A: MapAccess<'de>, F: FnMut(&Event<'_>)> MapAccess<'de> for &mut Page<'_, A, F> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(name) = self.map.next_key::<std::borrow::Cow<'de, str>>()? else { return Ok(None) };
        self.is_data = name == "data";
        let name: de::value::CowStrDeserializer<'_, A::Error> = de::IntoDeserializer::into_deserializer(name);
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if !std::mem::take(&mut self.is_data) {
            return self.map.next_value_seed(seed);
        }
        let list = ListOr { seed, each: &mut *self.each };
        let (value, is_list) = self.map.next_value_seed(list)?;
        self.is_list |= is_list;
        Ok(value)
    }
}

/// An array of events, which is handed on, or something else, which is what `seed` wants.
struct ListOr<'f, V, F> {
    seed: V,
    each: &'f mut F,
}

impl<'de, V: DeserializeSeed<'de>, F: FnMut(&Event<'_>)> DeserializeSeed<'de> for ListOr<'_, V, F> {
    type Value = (V::Value, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: DeserializeSeed<'de>, F: FnMut(&Event<'_>)> Visitor<'de> for ListOr<'_, V, F> {
    type Value = (V::Value, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        let nothing: de::value::UnitDeserializer<E> = de::IntoDeserializer::into_deserializer(());
        Ok((self.seed.deserialize(nothing)?, false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Value { each: self.each }.visit_seq(seq)?;
        let nothing: de::value::UnitDeserializer<A::Error> = de::IntoDeserializer::into_deserializer(());
        Ok((self.seed.deserialize(nothing)?, true))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok((self.seed.deserialize(de::value::MapAccessDeserializer::new(map))?, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> String {
        let data = r#"{"object":{"id":"re_1","object":"refund"},"previous_attributes":null}"#;
        format!(r#"{{"id":"{id}","object":"event","type":"refund.created","created":1,"data":{data}}}"#)
    }

    fn ids(text: &str) -> Result<Vec<String>, String> {
        let mut ids = Vec::new();
        let read = read_events(text.as_bytes(), |event| {
            assert_eq!(event.object.as_deref(), Some("re_1"));
            ids.push(event.id.to_string());
        });
        read.map(|()| ids).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_of_an_export_gives_the_same_events() {
        let [one, two] = ["evt_1", "evt_2"].map(event);
        let list = |events: &str| {
            format!(r#"{{"object":"list","has_more":false,"data":[{events}],"url":"/v1/events"}}"#)
        };
        let pretty = |text: &str| {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            serde_json::to_string_pretty(&value).unwrap()
        };
        let both = list(&format!("{one},{two}"));
        for text in [
            format!("{one}\n{two}\n"),
            format!("\n {one}\r\n\n{two}"),
            format!("{one}{two}"),
            format!("[{one},{two}]"),
            format!("{}\n{}\n", list(&one), list(&two)),
            format!("{}\n{}\n", pretty(&list(&one)), pretty(&list(&two))),
            format!("{}{}", pretty(&one), pretty(&two)),
            format!("{both}\n"),
            pretty(&both),
            both,
        ] {
            assert_eq!(ids(&text).unwrap(), ["evt_1", "evt_2"], "{text}");
        }
        assert_eq!(ids("").unwrap(), [""; 0]);
        assert_eq!(ids(" \n\n").unwrap(), [""; 0]);
        assert_eq!(ids(&list("")).unwrap(), [""; 0]);
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_without_what_stands_there() {
        let one = event("evt_1");
        for (text, wanted) in [
            (format!("{one}\n{{\"jenny\":"), "line 2, column"),
            (format!("{one}\n{{\"object\":\"jenny\"}}\n"), "line 2: holds something"),
            (format!("[{one},\n{{\"object\":\"jenny\"}}]"), "line 2: holds something"),
            ("jenny".to_owned(), "line 1, column"),
            ("\n\njenny\n".to_owned(), "line 3, column"),
            ("\"jenny\"\n".to_owned(), "line 1: holds something"),
            (format!("{one}\n\"{}\"", "x".repeat(5 << 20)), "line 2: is longer"),
        ] {
            let fault = ids(&text).unwrap_err();
            assert!(fault.contains(wanted) && !fault.contains("jenny"), "{fault}");
        }
    }
}
