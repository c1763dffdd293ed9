//! Arguments from forms and query strings: `items[0][price]=price_x&expand[]=customer`.
//!
//! What two readers could take apart differently is refused: a name without its bracket, a list numbered and not, a
//! value where there are members as well, an unnumbered list of objects.

use super::{Argument, Arguments, is_name, object};
use crate::denied::Denied;
use std::collections::BTreeMap;

/// How deep names may go.
const DEPTH_MAX: usize = 32;

/// A tree of pairs that are still coming.
enum Building {
    Text(String),
    /// Values of a name that ends in `[]`, in their order.
    Row(Vec<String>),
    Members(BTreeMap<String, Building>),
}

/// Gathers pairs of names and values.
pub(crate) struct PairReader {
    place: &'static str,
    top: BTreeMap<String, Building>,
}

/// Reads a form or a query string.
pub(crate) fn read_form(text: &[u8], place: &'static str) -> Result<Arguments, Denied> {
    let mut reader = PairReader::new(place);
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default());
        reader.add(&decode(name, place)?, decode(value, place)?)?;
    }
    reader.finish()
}

/// Text without its percent signs. A semicolon and a control character as such are refused: older readers end a pair there.
fn decode(text: &[u8], place: &'static str) -> Result<String, Denied> {
    let fault = |what| Denied::Unreadable(place, what);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(*byte).to_digit(16));
                let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                bytes.push(value.ok_or(fault("a percent sign without two digits"))?);
            }
            b';' | 0..=b' ' | 0x7f => return Err(fault("a character that stands for itself and may not")),
            byte => bytes.push(*byte),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_not_utf8| fault("not UTF-8"))?;
    if text.contains('\0') { Err(fault("a null character")) } else { Ok(text) }
}

impl PairReader {
    pub(crate) fn new(place: &'static str) -> PairReader {
        PairReader { place, top: BTreeMap::new() }
    }

    /// Adds a pair that is decoded already.
    pub(crate) fn add(&mut self, name: &str, value: String) -> Result<(), Denied> {
        let place = self.place;
        let (steps, is_row) =
            steps(name).ok_or(Denied::Unreadable(place, "a name whose brackets do not fit"))?;
        let clash = Denied::Unreadable(place, "a name that is a value and a container");
        let Some((last, way)) = steps.split_last() else { return Err(clash) };
        let mut members = &mut self.top;
        for step in way {
            let next =
                members.entry((*step).to_owned()).or_insert_with(|| Building::Members(BTreeMap::new()));
            members = match next {
                Building::Members(inner) => inner,
                _ => return Err(clash),
            };
        }
        if !is_row {
            return match members.insert((*last).to_owned(), Building::Text(value)) {
                None => Ok(()),
                Some(Building::Text(_)) => Err(Denied::Duplicate(place)),
                Some(_) => Err(clash),
            };
        }
        match members.entry((*last).to_owned()).or_insert_with(|| Building::Row(Vec::new())) {
            Building::Row(values) => {
                values.push(value);
                Ok(())
            }
            _ => Err(clash),
        }
    }

    pub(crate) fn finish(self) -> Result<Arguments, Denied> {
        let place = self.place;
        let finished = |(name, building)| finish(building, place).map(|argument| (name, argument));
        Arguments(self.top.into_iter().map(finished).collect::<Result<_, _>>()?).bounded(place)
    }
}

fn finish(building: Building, place: &'static str) -> Result<Argument, Denied> {
    match building {
        Building::Text(text) => Ok(Argument::Text(text)),
        Building::Row(values) => Ok(Argument::List(values.into_iter().map(Argument::Text).collect())),
        Building::Members(members) => {
            let finished = |(name, building)| finish(building, place).map(|argument| (name, argument));
            let members = members.into_iter().map(finished).collect::<Result<_, _>>()?;
            object(members).map_err(|_taken| Denied::Duplicate(place))
        }
    }
}

/// The steps of a bracketed name, and whether it ends in `[]`. None if it has another form.
fn steps(name: &str) -> Option<(Vec<&str>, bool)> {
    let (first, mut rest) = name.find('[').map_or((name, ""), |at| name.split_at(at));
    if !is_name(first) {
        return None;
    }
    let mut steps = vec![first];
    while !rest.is_empty() {
        let (step, behind) = rest.strip_prefix('[')?.split_once(']')?;
        if step.is_empty() {
            // Readers differ in which element of an unnumbered list a further bracket belongs to.
            return behind.is_empty().then_some((steps, true));
        }
        if step.contains('[') || steps.len() == DEPTH_MAX {
            return None;
        }
        steps.push(step);
        rest = behind;
    }
    Some((steps, false))
}

#[cfg(test)]
mod tests {
    use super::super::read_object;
    use super::*;

    fn read(form: &str) -> Result<Arguments, Denied> {
        read_form(form.as_bytes(), "body")
    }

    #[test]
    fn forms_and_json_are_the_same_arguments() {
        for (form, json) in [
            ("", "{}"),
            ("amount=500&charge=ch_x", r#"{"charge": "ch_x", "amount": 500}"#),
            (
                "items[0][price]=price_x&items[1][price]=price_y",
                r#"{"items": [{"price": "price_x"}, {"price": "price_y"}]}"#,
            ),
            ("items%5B1%5D%5Bprice%5D=y&items[0][price]=x", r#"{"items": [{"price": "x"}, {"price": "y"}]}"#),
            ("expand[]=customer&expand[]=charge", r#"{"expand": ["customer", "charge"]}"#),
            (
                "metadata[order no]=a+b%26c&confirm=true",
                r#"{"metadata": {"order no": "a b&c"}, "confirm": true}"#,
            ),
            ("a&b=", r#"{"a": null, "b": ""}"#),
        ] {
            let form = form.replace("order no", "order+no");
            assert_eq!(read(&form), read_object(json.as_bytes(), "body"), "{form}");
        }
    }

    #[test]
    fn what_stands_twice_is_refused() {
        for form in ["a=1&a=1", "a=1&%61=2", "a[b]=1&a[b]=2", "a[0]=1&a[00]=2"] {
            assert_eq!(read(form), Err(Denied::Duplicate("body")), "{form}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for form in [
            "a=1&a[b]=2",
            "a[b]=2&a=1",
            "a[]=1&a[0]=2",
            "a[0]=1&a[]=2",
            "a[]=1&a=2",
            "a[][b]=1",
            "a[b=1",
            "a]b=1",
            "a[b]c=1",
            "a[[b]]=1",
            "[a]=1",
            "=1",
            " a=1",
            "+a=1",
            "a;b=1",
            "a=1;b=2",
            "a=%zz",
            "a=%4",
            "a=%ff",
            "a=%00",
            "_method=DELETE",
            "a\u{e9}=1",
        ] {
            assert!(matches!(read(form), Err(Denied::Unreadable("body", _))), "{form}");
        }
    }
}
