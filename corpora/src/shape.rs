//! Shapes: JSON documents with slots, parsed once and rendered often.
//!
//! A shape is a JSON file whose strings may be more than themselves:
//!
//! | string | becomes |
//! | --- | --- |
//! | `text with {slot}` | the text with the slot's value |
//! | `text {one\|two {slot}}` | one of the texts |
//! | `#1..12`, `#true\|false`, `#amount` | a number or literal: of a range, of a list, of a kind |
//! | `?30 rest` | in 30 of 100 cases what `rest` becomes, otherwise `null` |
//! | `$name`, `$name\|other` | that shape, or one of them |
//! | `$name?` | one element of that shape, an array |
//! | `$name*1-3` | as an array element: that shape, one to three times |
//! | `=name`, `=name?` | that shape as JSON text in a string |
//! | `@name` | a text of that name, see `texts.rs`, in a string |
//!
//! What is written wrong in a shape shows when the shapes are parsed, with its name; the tests parse all of them.

use crate::slot::{Number, Slot};

/// Where the sources of shapes are looked up: a name gives its number. Those of texts begin with `@`.
pub(crate) type Names<'a> = &'a dyn Fn(&str) -> Option<usize>;

#[derive(Debug)]
pub(crate) enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    /// A number or literal, as it stands.
    Scalar(String),
    Text(Text),
    Number(Number),
    Maybe(u64, Box<Node>),
    Shape(Vec<usize>),
    ElementOf(usize),
    Repeat {
        shape: usize,
        low: i64,
        high: i64,
    },
    Embedded {
        shape: usize,
        element: bool,
    },
    Written(usize),
}

/// A string body, already escaped as JSON wants it.
pub(crate) type Text = Vec<Piece>;

#[derive(Debug)]
pub(crate) enum Piece {
    Raw(String),
    Slot(Slot),
    OneOf(Vec<Text>),
}

/// Parses a whole shape. The error says what is wrong and how many bytes before the end.
pub(crate) fn parse(source: &str, names: Names<'_>) -> Result<Node, String> {
    let mut parser = Parser { rest: source, names };
    let node = parser.value()?;
    match parser.rest.trim_start() {
        "" => Ok(node),
        rest => Err(format!("{} bytes behind the value", rest.len())),
    }
}

/// Parses a string body with slots between the signs `open` and `close`.
pub(crate) fn text(mut body: &str, open: char, close: char) -> Result<Text, String> {
    let mut pieces = Vec::new();
    while let Some((raw, slot)) = body.split_once(open) {
        if !raw.is_empty() {
            pieces.push(Piece::Raw(raw.to_owned()));
        }
        let end = closing(slot, open, close).ok_or_else(|| format!("brace without end in {body}"))?;
        let (inside, rest) = slot.split_at(end);
        pieces.push(braced(inside, open, close)?);
        body = rest.strip_prefix(close).unwrap_or(rest);
    }
    if !body.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Raw(body.to_owned()));
    }
    Ok(pieces)
}

fn braced(inside: &str, open: char, close: char) -> Result<Piece, String> {
    let alternatives = split_outside(inside, open, close);
    if alternatives.len() > 1 {
        let texts = alternatives.into_iter().map(|alternative| text(alternative, open, close));
        return texts.collect::<Result<_, _>>().map(Piece::OneOf);
    }
    Slot::parse(inside).map(Piece::Slot).ok_or_else(|| format!("unknown slot {inside}"))
}

fn closing(slot: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    slot.find(|sign| {
        match sign {
            _ if sign == open => depth += 1,
            _ if sign == close && depth == 0 => return true,
            _ if sign == close => depth -= 1,
            _ => {}
        }
        false
    })
}

fn split_outside(inside: &str, open: char, close: char) -> Vec<&str> {
    let mut depth = 0;
    inside
        .split(|sign| {
            match sign {
                _ if sign == open => depth += 1,
                _ if sign == close => depth -= 1,
                _ => {}
            }
            sign == '|' && depth == 0
        })
        .collect()
}

/// Reads JSON as far as shapes use it: no checks beyond what is needed to find the parts.
struct Parser<'a> {
    rest: &'a str,
    names: Names<'a>,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Node, String> {
        self.rest = self.rest.trim_start();
        if self.take("{") {
            return self.members().map(Node::Object);
        }
        if self.take("[") {
            return self.elements().map(Node::Array);
        }
        if self.rest.starts_with('"') {
            let body = self.string()?;
            return self.special(body);
        }
        let len = self.rest.find([',', '}', ']', '\n', ' ']).unwrap_or(self.rest.len());
        let (scalar, rest) = self.rest.split_at(len);
        self.rest = rest;
        if scalar.is_empty() { Err(self.wrong("no value")) } else { Ok(Node::Scalar(scalar.to_owned())) }
    }

    fn members(&mut self) -> Result<Vec<(String, Node)>, String> {
        let mut members = Vec::new();
        while !self.take("}") {
            let name = self.string()?.to_owned();
            if !self.take(":") {
                return Err(self.wrong("no colon"));
            }
            members.push((name, self.value()?));
            if !self.take(",") && !self.rest.trim_start().starts_with('}') {
                return Err(self.wrong("no comma between members"));
            }
        }
        Ok(members)
    }

    fn elements(&mut self) -> Result<Vec<Node>, String> {
        let mut elements = Vec::new();
        while !self.take("]") {
            elements.push(self.value()?);
            if !self.take(",") && !self.rest.trim_start().starts_with(']') {
                return Err(self.wrong("no comma between elements"));
            }
        }
        Ok(elements)
    }

    fn string(&mut self) -> Result<&'a str, String> {
        if !self.take("\"") {
            return Err(self.wrong("no string"));
        }
        let mut escaped = false;
        let end = self.rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let (body, rest) = self.rest.split_at(end.ok_or_else(|| self.wrong("string without end"))?);
        self.rest = rest.strip_prefix('"').unwrap_or(rest);
        Ok(body)
    }

    fn special(&self, body: &str) -> Result<Node, String> {
        if let Some(rest) = body.strip_prefix('?') {
            let (percent, rest) = rest.split_once(' ').ok_or_else(|| self.wrong("chance without a value"))?;
            let percent = percent.parse().map_err(|error| format!("{error}: {body}"))?;
            return Ok(Node::Maybe(percent, Box::new(self.special(rest)?)));
        }
        if let Some(kind) = body.strip_prefix('#') {
            return Number::parse(kind).map(Node::Number).ok_or_else(|| format!("unknown number {kind}"));
        }
        if let Some(name) = body.strip_prefix('=') {
            let element = name.ends_with('?');
            return Ok(Node::Embedded { shape: self.named(name.trim_end_matches('?'))?, element });
        }
        if body.starts_with('@') {
            return self.named(body).map(Node::Written);
        }
        match body.strip_prefix('$') {
            Some(reference) => self.reference(reference),
            None => text(body, '{', '}').map(Node::Text),
        }
    }

    fn reference(&self, reference: &str) -> Result<Node, String> {
        if let Some(name) = reference.strip_suffix('?') {
            return self.named(name).map(Node::ElementOf);
        }
        if let Some((name, range)) = reference.split_once('*') {
            let (low, high) = range.split_once('-').ok_or_else(|| format!("no range in {reference}"))?;
            let bound = |text: &str| text.parse().map_err(|error| format!("{error}: {reference}"));
            return Ok(Node::Repeat { shape: self.named(name)?, low: bound(low)?, high: bound(high)? });
        }
        reference.split('|').map(|name| self.named(name)).collect::<Result<_, _>>().map(Node::Shape)
    }

    fn named(&self, name: &str) -> Result<usize, String> {
        (self.names)(name).ok_or_else(|| format!("no shape of the name {name}"))
    }

    fn take(&mut self, sign: &str) -> bool {
        let taken = self.rest.trim_start().strip_prefix(sign);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what}, {} bytes before the end", self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_alone(source: &str) -> Result<Node, String> {
        parse(source, &|_| None)
    }

    #[test]
    fn what_is_written_wrong_is_named() {
        for (source, reason) in [
            ("{", "no string"),
            ("[1 2]", "no comma"),
            ("{\"a\" 1}", "no colon"),
            ("\"{nothing}\"", "unknown slot nothing"),
            ("\"#nothing\"", "unknown number nothing"),
            ("\"$nothing\"", "no shape of the name nothing"),
            ("\"{email\"", "brace without end"),
            ("1 2", "behind the value"),
            ("\"?many {email}\"", "invalid digit"),
        ] {
            let error = parse_alone(source).expect_err(source);
            assert!(error.contains(reason), "{source}: {error}");
        }
    }

    #[test]
    fn alternatives_may_hold_slots() {
        let text = text("to {one|two {email}|three} end", '{', '}').unwrap();
        let [Piece::Raw(_), Piece::OneOf(alternatives), Piece::Raw(_)] = &text[..] else {
            panic!("{text:?}");
        };
        assert_eq!(alternatives.len(), 3);
    }
}
