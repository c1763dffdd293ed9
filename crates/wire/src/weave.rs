//! Documents of which parts are read by themselves: taken out, the rest read by the engine, put in again.
//!
//! Where a part was, the engine sees an empty string, which it never changes. It changes no order and adds no value
//! either, so a part's place in the output is that of the string or scalar with the same number.

use crate::lex::Lex;
use std::borrow::Cow;
use std::ops::Range;

/// A part of a document that is a whole value, and what stands there at last.
#[derive(Debug)]
pub(crate) struct Part {
    /// Quotation marks or brackets included.
    pub(crate) span: Range<usize>,
    /// Nothing if it stays.
    pub(crate) with: Option<Vec<u8>>,
}

/// What stands for a part while the rest is read.
const EMPTY: &[u8] = b"\"\"";

/// The document without its parts, which come in order and do not overlap.
pub(crate) fn without<'d>(doc: &'d [u8], parts: &[Part]) -> Cow<'d, [u8]> {
    if parts.is_empty() {
        return doc.into();
    }
    join(doc, parts.iter().map(|part| (part.span.clone(), EMPTY))).into()
}

/// The document with `read` in place of `rest`, which is the document without its parts, and the parts in place
/// again. Nothing if `read` is no such output.
pub(crate) fn with(lex: &Lex, doc: &[u8], parts: &[Part], rest: &[u8], read: Vec<u8>) -> Option<Vec<u8>> {
    let changed = || parts.iter().filter_map(|part| Some((part.span.clone(), part.with.as_deref()?)));
    if parts.is_empty() {
        return Some(read);
    }
    if rest == read {
        return Some(join(doc, changed()));
    }
    let (before, after) = (lex.leaves(rest)?, lex.leaves(&read)?);
    if before.len() != after.len() {
        return None;
    }
    let (mut taken, mut put) = (0, 0);
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        let at = part.span.start + put - taken;
        taken += part.span.len();
        put += EMPTY.len();
        let number = before.binary_search_by_key(&at, |leaf| leaf.start).ok()?;
        places.push((after[number].clone(), part.with.as_deref().unwrap_or(&doc[part.span.clone()])));
    }
    Some(join(&read, places.into_iter()))
}

/// The text with what stands at each span replaced.
fn join<'p>(text: &[u8], places: impl Iterator<Item = (Range<usize>, &'p [u8])>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut done = 0;
    for (span, with) in places {
        out.extend_from_slice(&text[done..span.start]);
        out.extend_from_slice(with);
        done = span.end;
    }
    out.extend_from_slice(&text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_return_to_their_places() {
        let doc = br#"{"n":7,"a":"one","b":[1,"two",{"c":3}],"d":"x"}"#;
        let part = |text: &str, with: Option<&str>| {
            let at = std::str::from_utf8(doc).unwrap().find(text).unwrap();
            Part { span: at..at + text.len(), with: with.map(|with| with.as_bytes().to_vec()) }
        };
        let parts = [
            part("7", None),
            part("\"one\"", Some("\"ONE\"")),
            part("\"two\"", None),
            part("{\"c\":3}", Some("[]")),
        ];
        let rest = without(doc, &parts);
        assert_eq!(&*rest, br#"{"n":"","a":"","b":[1,"",""],"d":"x"}"#);
        let same = with(&Lex::new(), doc, &parts, &rest, rest.to_vec()).unwrap();
        assert_eq!(same, br#"{"n":7,"a":"ONE","b":[1,"two",[]],"d":"x"}"#);
        let read = br#"{"n":"","a":"","b":["[card-number]","",""],"d":"[email]"}"#.to_vec();
        let other = with(&Lex::new(), doc, &parts, &rest, read).unwrap();
        assert_eq!(other, br#"{"n":7,"a":"ONE","b":["[card-number]","two",[]],"d":"[email]"}"#);
        assert_eq!(with(&Lex::new(), doc, &parts, &rest, b"[]".to_vec()), None);
    }
}
