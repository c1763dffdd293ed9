//! What an approval is bound to: digests over everything that makes a call what it is.
//!
//! Each piece stands behind its length, and the first says what the digest is of, so that no two lists of pieces are
//! the same input.

use crate::arguments::read_object;
use crate::denied::Denied;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Integers beyond this are not the same number to every reader of JSON (RFC 7493, section 2.2).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// SHA-256 over something that must stay as it is.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// The digest that 64 hexadecimal digits say.
    pub fn parse(text: &str) -> Option<Digest> {
        let mut bytes = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase())?;
                *byte = *byte << 4 | u8::try_from(value).ok()?;
            }
        }
        Some(Digest(bytes))
    }

    pub(crate) fn of(purpose: &str, pieces: &[&[u8]]) -> Digest {
        let mut digest = Sha256::new();
        for piece in [purpose.as_bytes()].iter().chain(pieces) {
            digest.update((piece.len() as u64).to_be_bytes());
            digest.update(piece);
        }
        Digest(digest.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A call that somebody wants to make: who, where, what.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Whose values the caller may see.
    pub tenant: &'a str,
    /// The session within that.
    pub session: &'a str,
    /// Who asks: the id of a virtual key.
    pub requester: &'a str,
    /// The workflow that the key is bound to.
    pub workflow: &'a str,
    /// How it is sent: `POST` and the like, or `tools/call`.
    pub method: &'a str,
    /// Where to: the name of a server.
    pub server: &'a str,
    /// On which account, if the call or its connection says so.
    pub account: Option<&'a str>,
    /// What it does.
    pub operation: &'a str,
    /// Its arguments as they were written, a JSON object; personal values stand in it.
    pub arguments: &'a [u8],
    /// The hash of the definition of the tool, where a tool is called.
    pub tool_hash: Option<&'a str>,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Call<'_> {
    /// What calls have in common that are the same call, however their arguments are laid out: an approval of one is an
    /// approval of the other.
    ///
    /// # Errors
    /// Arguments that two readers could take for something else.
    pub fn digest(&self) -> Result<Digest, Denied> {
        let arguments = canonical(self.arguments)?;
        let optional = |text: Option<&str>| text.map_or(Vec::new(), |text| [b"=", text.as_bytes()].concat());
        Ok(Digest::of(
            "obelus approval 1 call",
            &[
                self.tenant.as_bytes(),
                self.session.as_bytes(),
                self.requester.as_bytes(),
                self.workflow.as_bytes(),
                self.method.as_bytes(),
                self.server.as_bytes(),
                &optional(self.account),
                self.operation.as_bytes(),
                &arguments,
                &optional(self.tool_hash),
            ],
        ))
    }
}

/// The form of RFC 8785 of a JSON object.
pub(crate) fn canonical(json: &[u8]) -> Result<Vec<u8>, Denied> {
    const PLACE: &str = "arguments";
    // Refuses what stands twice, which the next reader would not see.
    read_object(json, PLACE)?;
    let unreadable = |_| Denied::Unreadable(PLACE, "not one JSON value");
    let value: Value = serde_json::from_slice(json).map_err(unreadable)?;
    if !is_exact(&value) {
        return Err(Denied::Unreadable(PLACE, "a number beyond 53 bits, which readers round differently"));
    }
    serde_json_canonicalizer::to_vec(&value).map_err(unreadable)
}

/// Whether every number is the same to all readers.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(positive), _, _) => positive <= INTEGER_MAX,
            (_, Some(negative), _) => negative.unsigned_abs() <= INTEGER_MAX,
            (_, _, Some(float)) => float.abs() <= INTEGER_MAX as f64,
            _ => false,
        },
        Value::Array(elements) => elements.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical_text(json: &str) -> Result<String, Denied> {
        canonical(json.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    /// Vectors of RFC 8785: sections 3.2.2 and 3.2.3, and of appendix B those that are exact integers or fractions.
    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        let example = r#"{"numbers": [4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        let wanted = "{\"literals\":[null,true,false],\"numbers\":[4.5,0.002,1e-27],\
                      \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(canonical_text(example).as_deref(), Ok(wanted));
        let sorting = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With \
                       Dagesh\",\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\
                       \"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";
        let sorted = canonical_text(sorting).expect("an object");
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        let places: Vec<usize> = order.iter().map(|name| sorted.find(name).expect("it is there")).collect();
        assert!(places.is_sorted(), "{sorted}");
        for (number, wanted) in [
            ("-0", "0"),
            ("5e-324", "5e-324"),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
            ("333333333.3333332", "333333333.3333332"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("1.0", "1"),
        ] {
            let text = canonical_text(&format!("{{\"n\":{number}}}"));
            assert_eq!(text.as_deref(), Ok(format!("{{\"n\":{wanted}}}").as_str()), "{number}");
        }
    }

    #[test]
    fn what_two_readers_take_for_something_else_is_refused() {
        for json in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": {"b": 1, "\u0062": 2}}"#,
            r#"{"a": 9007199254740993}"#,
            r#"{"a": -9007199254740993}"#,
            r#"{"a": 1e300}"#,
            "[]",
            "{} {}",
            "",
        ] {
            assert!(canonical_text(json).is_err(), "{json}");
        }
    }

    #[test]
    fn each_piece_makes_another_call() {
        let call = Call {
            tenant: "t",
            session: "s",
            requester: "k1",
            workflow: "support",
            method: "POST",
            server: "stripe",
            account: None,
            operation: "PostRefunds",
            arguments: br#"{"amount": 40, "charge": "ch_1"}"#,
            tool_hash: None,
        };
        let digest = |call: Call<'_>| call.digest().expect("it has one");
        let own = digest(call);
        assert_eq!(own, digest(Call { arguments: br#"{"charge":"ch_1","amount":4e1}"#, ..call }));
        for other in [
            Call { tenant: "u", ..call },
            Call { session: "t", ..call },
            Call { requester: "k2", ..call },
            Call { workflow: "shop", ..call },
            Call { method: "DELETE", ..call },
            Call { server: "other", ..call },
            Call { account: Some(""), ..call },
            Call { operation: "PostCharges", ..call },
            Call { tool_hash: Some(""), ..call },
            Call { arguments: br#"{"amount": "40", "charge": "ch_1"}"#, ..call },
            Call { arguments: br#"{"amount": 41, "charge": "ch_1"}"#, ..call },
            // Pieces do not run into one another.
            Call { tenant: "ts", session: "", ..call },
        ] {
            assert_ne!(own, digest(other), "{other:?}");
        }
        let memo =
            |text: &str| digest(Call { arguments: format!(r#"{{"memo":"{text}"}}"#).as_bytes(), ..call });
        assert_ne!(memo("r\u{e9}nt"), memo("re\u{301}nt"));
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of("x", &[]);
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()), None);
        assert_eq!(Digest::parse("00"), None);
    }
}
