//! Forms, as far as tokens in them become values.

/// A pair of a form, decoded.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    /// As it stands in the form.
    pub(super) raw: &'a str,
    pub(super) name: String,
    pub(super) value: String,
}

/// The pairs of a form, in order. Nothing if a part of it is no text.
pub(super) fn pairs(form: &str) -> Option<Vec<Pair<'_>>> {
    let parts = form.split('&').filter(|raw| !raw.is_empty());
    let pair = |raw: &'_ str| {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        Some((decode(name)?, decode(value)?))
    };
    parts.map(|raw| pair(raw).map(|(name, value)| Pair { raw, name, value })).collect()
}

/// A name without its brackets and numbers: `items[0][price]` is `items.price`.
pub(super) fn path(name: &str) -> String {
    let steps = name.split(['[', ']']).filter(|step| !step.is_empty() && step.parse::<u64>().is_err());
    steps.collect::<Vec<_>>().join(".")
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Appends a text as a form holds it.
pub(super) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_encoded() {
        let found = pairs("shipping[name]=Jenny+R%C3%B6sen&&items[0][price]=p").unwrap();
        assert_eq!((found[0].name.as_str(), found[0].value.as_str()), ("shipping[name]", "Jenny R\u{f6}sen"));
        assert_eq!(
            (path(&found[0].name), path(&found[1].name)),
            ("shipping.name".into(), "items.price".into())
        );
        let mut out = String::new();
        encode("a b@\u{f6}", &mut out);
        assert_eq!(out, "a%20b%40%C3%B6");
        assert!(pairs("a=%ff").is_none() && pairs("a=%2").is_none());
    }
}
