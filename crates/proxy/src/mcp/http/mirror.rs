//! What requests of revision 2026-07-28 say twice, in headers and in the body: both must say the same.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use obelus_mcp::Head;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

pub(super) const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// How headers begin that say the value of a parameter.
const PARAM: &str = "mcp-param-";

/// Tools of one server whose parameters are kept in mind, and parameters of one tool.
const TOOLS_MAX: usize = 4096;
const PARAMS_MAX: usize = 64;
/// How deep a parameter may stand.
const DEPTH_MAX: usize = 16;

/// How a value begins and ends that is no plain text.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// A parameter that stands in a header as well.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Param {
    header: HeaderName,
    path: Vec<String>,
}

/// Parameters of one server's tools that stand in headers as well, as the lists of tools say.
#[derive(Debug, Default)]
pub(crate) struct Params(Mutex<HashMap<String, Vec<Param>>>);

/// Headers and body differ: what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mismatch(pub(super) &'static str);

impl Params {
    /// Learns from a message of the server, if it lists tools.
    pub(super) fn learn(&self, message: &[u8]) {
        let is_list = message.windows(13).any(|window| window == b"\"inputSchema\"");
        let Some(value) = is_list.then(|| serde_json::from_slice::<Value>(message).ok()).flatten() else {
            return;
        };
        let tools = value["result"]["tools"].as_array();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in tools.into_iter().flatten() {
            let Some(name) = tool["name"].as_str() else { continue };
            if known.len() >= TOOLS_MAX && !known.contains_key(name) {
                continue;
            }
            let mut params = Vec::new();
            find(&tool["inputSchema"], &mut Vec::new(), &mut params);
            known.insert(name.to_owned(), params);
        }
    }

    /// The headers that say parameters of a call; nothing if the tool was not listed.
    fn headers(&self, tool: &str, arguments: &Value) -> Option<Result<HeaderMap, Mismatch>> {
        let params = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(tool).cloned()?;
        let mut headers = HeaderMap::new();
        for param in params {
            let value = param.path.iter().try_fold(arguments, |value, name| value.get(name));
            let text = match value {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(value)) => value.to_string(),
                Some(Value::Number(number)) => number.to_string(),
                Some(_) => {
                    return Some(Err(Mismatch("a parameter that stands in a header is no plain value")));
                }
            };
            headers.insert(param.header, encoded(&text));
        }
        Some(Ok(headers))
    }
}

/// Looks for parameters that stand in headers: where only names of properties lead.
fn find(schema: &Value, path: &mut Vec<String>, params: &mut Vec<Param>) {
    if path.len() > DEPTH_MAX {
        return;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        if let Some(header) = property["x-mcp-header"].as_str()
            && let Ok(header) = format!("{PARAM}{header}").to_ascii_lowercase().parse()
            && params.len() < PARAMS_MAX
        {
            params.push(Param { header, path: path.clone() });
        }
        find(property, path, params);
        path.pop();
    }
}

/// Checks what a client says in headers against what it says in the body.
pub(super) fn check(
    headers: &HeaderMap,
    head: &Head,
    arguments: Option<&[u8]>,
    params: &Params,
) -> Result<(), Mismatch> {
    let single = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value.and_then(decoded)),
            _ => Err(Mismatch("a header stands there more than once")),
        }
    };
    if single(&REVISION)?.as_deref() != head.revision.as_deref() {
        return Err(Mismatch("MCP-Protocol-Version is not what `_meta` says"));
    }
    if head.method.is_some() && single(&METHOD)? != head.method {
        return Err(Mismatch("Mcp-Method is missing, or not the method"));
    }
    let wanted = head.name.as_ref().filter(|_| has_name(head));
    if single(&NAME)?.as_ref() != wanted {
        return Err(Mismatch("Mcp-Name is missing, or not what the body names"));
    }
    let said: HashMap<&HeaderName, Option<String>> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(PARAM))
        .map(|(name, value)| (name, decoded(value)))
        .collect();
    if headers
        .keys()
        .filter(|name| name.as_str().starts_with(PARAM))
        .any(|name| headers.get_all(name).iter().count() > 1)
    {
        return Err(Mismatch("a header stands there more than once"));
    }
    if head.method.as_deref() != Some("tools/call") {
        let is_none = said.is_empty();
        return if is_none { Ok(()) } else { Err(Mismatch("Mcp-Param headers are for tools/call alone")) };
    }
    let arguments = arguments.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    match params.headers(head.name.as_deref().unwrap_or_default(), &arguments) {
        // A client that has not listed the tools sends none.
        None if said.is_empty() => Ok(()),
        None => Err(Mismatch("Mcp-Param headers of a tool that was not listed: ask for tools/list")),
        Some(wanted) => {
            let wanted = wanted?;
            let is_same = said.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|(name, value)| said.get(name).is_some_and(|said| is_equal(said, &decoded(value))));
            if is_same {
                Ok(())
            } else {
                Err(Mismatch("Mcp-Param headers are missing, or not what the body says"))
            }
        }
    }
}

/// Where a message of an older revision, which needs no such headers, has some that say something else.
pub(super) fn differs(headers: &HeaderMap, head: &Head) -> Option<&'static str> {
    let is_other = |name: &HeaderName, said: Option<&String>| {
        headers.get_all(name).iter().any(|value| decoded(value).as_ref() != said)
    };
    if is_other(&METHOD, head.method.as_ref()) {
        return Some("Mcp-Method is not the method");
    }
    is_other(&NAME, head.name.as_ref()).then_some("Mcp-Name is not what the body names")
}

/// Numbers are equal however they are written.
fn is_equal(one: &Option<String>, other: &Option<String>) -> bool {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    one.is_some() && (one == other || number(one).zip(number(other)).is_some_and(|(one, other)| one == other))
}

/// Adds to a request of revision 2026-07-28 what it says twice, from the body that goes out.
pub(super) fn add(
    headers: &mut HeaderMap,
    head: &Head,
    arguments: Option<&[u8]>,
    params: &Params,
) -> Result<(), Mismatch> {
    for (name, text) in [(REVISION, &head.revision), (METHOD, &head.method)] {
        if let Some(text) = text {
            headers.insert(name, encoded(text));
        }
    }
    if let Some(name) = head.name.as_ref().filter(|_| has_name(head)) {
        headers.insert(NAME, encoded(name));
    }
    if head.method.as_deref() == Some("tools/call") {
        let arguments = arguments.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
        if let Some(said) = params.headers(head.name.as_deref().unwrap_or_default(), &arguments) {
            headers.extend(said?);
        }
    }
    Ok(())
}

fn has_name(head: &Head) -> bool {
    matches!(head.method.as_deref(), Some("tools/call" | "resources/read" | "prompts/get"))
}

/// A text as a header may say it.
fn encoded(text: &str) -> HeaderValue {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.trim() == text
        && !(text.starts_with(ENCODED.0) && text.ends_with(ENCODED.1));
    if is_plain && let Ok(value) = HeaderValue::from_str(text) {
        return value;
    }
    let digits = to_base64(text.as_bytes());
    HeaderValue::from_str(&format!("{}{digits}{}", ENCODED.0, ENCODED.1))
        .unwrap_or(HeaderValue::from_static(""))
}

/// The text that a header says, if it says one.
fn decoded(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    match text.strip_prefix(ENCODED.0).and_then(|text| text.strip_suffix(ENCODED.1)) {
        None => Some(text.to_owned()),
        Some(digits) => String::from_utf8(from_base64(digits)?).ok(),
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().chain([&0, &0]).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for at in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'A');
            out.push(if at > three.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

/// Strictly: padded, and without bits that say nothing.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for four in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for digit in four {
            let value = DIGITS.iter().position(|known| known == digit)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        bits <<= 6 * (4 - four.len());
        let bytes = bits.to_be_bytes();
        out.extend_from_slice(bytes.get(1..four.len())?);
    }
    (to_base64(&out) == text).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(body: &str) -> Head {
        Head::read(body.as_bytes()).expect("a message")
    }

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (clear, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(to_base64(clear.as_bytes()), text);
            assert_eq!(from_base64(text).as_deref(), Some(clear.as_bytes()));
        }
        for text in ["Zg", "Zg=", "Zh==", "Z===", "Zm9v====", "Zm9\u{e9}", "Zm 9"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    /// The examples of the specification.
    #[test]
    fn values_are_written_as_the_specification_says() {
        for (text, wanted) in [
            ("us-west1", "us-west1"),
            ("Hello, \u{4e16}\u{754c}", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encoded(text), wanted);
            assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
        }
    }

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sql","arguments":{"region":"eu","at":{"shard":7},"query":"x"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"sql","inputSchema":{"properties":{
        "region":{"type":"string","x-mcp-header":"Region"},"at":{"properties":{"shard":{"x-mcp-header":"Shard"}}},
        "list":{"items":{"properties":{"no":{"x-mcp-header":"No"}}}},"query":{}}}}]}}"#;

    #[test]
    fn headers_must_say_what_the_body_says() {
        let params = Params::default();
        let arguments = Some(br#"{"region":"eu","at":{"shard":7},"query":"x"}"#.as_slice());
        let check = |params: &Params, pairs: &[(&str, &str)]| {
            check(&map(pairs), &head(CALL), arguments, params).is_ok()
        };
        let plain =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "sql")];
        assert!(check(&params, &plain));
        let with = |more: &[(&'static str, &'static str)]| [plain.as_slice(), more].concat();
        assert!(!check(&params, &with(&[("mcp-param-region", "eu")])), "nobody knows what it means");
        params.learn(LIST.as_bytes());
        assert!(!check(&params, &plain), "they are missing");
        assert!(check(&params, &with(&[("mcp-param-region", "eu"), ("mcp-param-shard", "7.0")])));
        assert!(check(&params, &with(&[("mcp-param-region", "=?base64?ZXU=?="), ("mcp-param-shard", "7")])));
        for more in [
            &[("mcp-param-region", "us"), ("mcp-param-shard", "7")][..],
            &[("mcp-param-region", "eu"), ("mcp-param-shard", "7"), ("mcp-param-no", "1")],
            &[("mcp-param-region", "eu"), ("mcp-param-region", "eu"), ("mcp-param-shard", "7")],
            &[("mcp-param-region", "=?base64?ZXU?="), ("mcp-param-shard", "7")],
        ] {
            assert!(!check(&params, &with(more)), "{more:?}");
        }
        for at in 0..plain.len() {
            for value in [None, Some("other")] {
                let mut pairs = with(&[("mcp-param-region", "eu"), ("mcp-param-shard", "7")]);
                match value {
                    None => drop(pairs.remove(at)),
                    Some(value) => pairs[at].1 = value,
                }
                assert!(!check(&params, &pairs), "{pairs:?}");
            }
        }
        let mut out = HeaderMap::new();
        add(&mut out, &head(CALL), arguments, &params).expect("plain values");
        assert_eq!(out, map(&with(&[("mcp-param-region", "eu"), ("mcp-param-shard", "7")])));
    }
}
