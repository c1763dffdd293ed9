//! Which headers and parameters may pass, in both directions. What is not listed stays here.

use crate::reader::Reader;
use crate::refused::{Refused, Why};
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};
use obelus_audit::Word;
use obelus_wire::Route;

/// The request's id, on every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-obelus-request-id");
/// Where Anthropic's clients have their key.
pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// By which clients of Anthropic show themselves where both providers have the same path.
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Trace context of W3C: ids, which no detector reads.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers of requests whose values are read like text. A finding refuses the request, because what is changed here
/// would mean something else.
const READ: [HeaderName; 7] = [
    header::ACCEPT,
    ANTHROPIC_VERSION,
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("idempotency-key"),
];

/// Headers of answers that pass, and beginnings of such.
const ANSWER: [&str; 9] = [
    "cache-control",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "x-should-retry",
];
const ANSWER_BEGINNINGS: [&str; 2] = ["anthropic-ratelimit-", "x-ratelimit-"];
/// Bytes of a header of an answer.
const ANSWER_VALUE_BYTES_MAX: usize = 256;

/// Parameters that pass, by route.
const MODELS_PARAMETERS: [&str; 4] = ["after", "after_id", "before_id", "limit"];
const MESSAGES_PARAMETERS: [&str; 1] = ["beta"];
/// Bytes of a parameter's value.
const PARAMETER_BYTES_MAX: usize = 128;

/// Whether a header has a meaning of its own, so that it cannot name a session.
pub(crate) fn is_spoken_for(name: &HeaderName) -> bool {
    let known = [
        header::AUTHORIZATION,
        header::CONNECTION,
        header::COOKIE,
        header::EXPECT,
        header::HOST,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::USER_AGENT,
        X_API_KEY,
        TRACEPARENT,
        REQUEST_ID,
    ];
    known.contains(name) || READ.contains(name) || name.as_str().starts_with("content-")
}

/// The only value under a name; an error if there are more.
pub(crate) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Refused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Refused::new(400, Why::Malformed, format!("{name} stands there more than once"))),
    }
}

/// The headers of the request to the upstream, without its credential and its host.
pub(crate) fn forwarded(client: &HeaderMap, reader: &Reader) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::with_capacity(8);
    for name in READ {
        for value in client.get_all(&name) {
            if read(reader, value)?.is_some() {
                return Err(finding(&name));
            }
            headers.append(name.clone(), value.clone());
        }
    }
    for value in client.get_all(header::USER_AGENT).iter().take(1) {
        let safe = read(reader, value)?.map(|safe| HeaderValue::from_bytes(&safe)).transpose();
        let safe = safe.or(Err(finding(&header::USER_AGENT)))?;
        headers.insert(header::USER_AGENT, safe.unwrap_or_else(|| value.clone()));
    }
    if let Some(value) = traceparent(client, reader) {
        headers.insert(TRACEPARENT, value.clone());
    }
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(headers)
}

/// The value without what was found in it; nothing if it may pass as it is.
fn read(reader: &Reader, value: &HeaderValue) -> Result<Option<Vec<u8>>, Refused> {
    reader.read(value.as_bytes()).or(Err(Refused::new(400, Why::Malformed, "a header is no text in UTF-8")))
}

/// Whether nothing is found in a value.
pub(crate) fn is_clean(reader: &Reader, value: &HeaderValue) -> bool {
    matches!(read(reader, value), Ok(None))
}

fn finding(name: &HeaderName) -> Refused {
    Refused::new(400, Why::Header, format!("{name} holds something personal or secret: leave it out"))
}

/// Of which trace a request is a part, as a word of its records.
pub(crate) fn trace(client: &HeaderMap, reader: &Reader) -> Option<Word> {
    traceparent(client, reader)?.to_str().ok().and_then(Word::new)
}

/// The only `traceparent`, if it has the form of one and its ids could be nothing else.
fn traceparent<'a>(client: &'a HeaderMap, reader: &Reader) -> Option<&'a HeaderValue> {
    let value = single(client, &TRACEPARENT).ok()??;
    is_trace(value.as_bytes(), reader).then_some(value)
}

/// The same of what says elsewhere than in a header of which trace something is a part.
pub(crate) fn trace_of(said: &str, reader: &Reader) -> Option<Word> {
    is_trace(said.as_bytes(), reader).then(|| Word::new(said)).flatten()
}

fn is_trace(value: &[u8], reader: &Reader) -> bool {
    is_traceparent(value) && matches!(reader.read(value), Ok(None))
}

/// `00-` 32 digits `-` 16 digits `-` 2 digits, hexadecimal and small, neither id of zeros alone
/// (<https://www.w3.org/TR/trace-context/#traceparent-header-field-values>).
fn is_traceparent(value: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let parts: Vec<&[u8]> = value.split(|&byte| byte == b'-').collect();
    let [version @ b"00", trace, span, flags] = parts[..] else { return false };
    let parts = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    parts.iter().all(|(part, len)| part.len() == *len && part.iter().all(is_digit))
        && [trace, span].iter().all(|id| id.iter().any(|digit| *digit != b'0'))
}

/// The headers of the answer to the client, without those of its body. One in which something is found stays here.
pub(crate) fn answered(upstream: &HeaderMap, reader: &Reader) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    for (name, value) in upstream {
        let is_listed = ANSWER.contains(&name.as_str())
            || ANSWER_BEGINNINGS.iter().any(|beginning| name.as_str().starts_with(beginning));
        let is_plain = value.len() <= ANSWER_VALUE_BYTES_MAX
            && value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'@');
        if is_listed && is_plain && is_clean(reader, value) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// The query that passes, with its question mark, and whether something was dropped.
pub(crate) fn query(route: Route, query: &str, reader: &Reader) -> Result<(String, bool), Refused> {
    let known: &[&str] = match route {
        Route::Models => &MODELS_PARAMETERS,
        Route::Messages | Route::CountTokens => &MESSAGES_PARAMETERS,
        _ => &[],
    };
    let (mut passes, mut drops) = (String::new(), false);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !known.contains(&name) {
            drops = true;
            continue;
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let is_clean = matches!(reader.read(value.as_bytes()), Ok(None));
        if value.len() > PARAMETER_BYTES_MAX || !value.bytes().all(is_plain) || !is_clean {
            return Err(Refused::new(
                400,
                Why::Header,
                format!("the parameter `{name}` is not a plain word"),
            ));
        }
        passes.push(if passes.is_empty() { '?' } else { '&' });
        passes.extend([name, "=", value]);
    }
    Ok((passes, drops))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        Reader::new().unwrap()
    }

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn only_listed_headers_pass() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let client = map(&[
            ("accept", "text/event-stream"),
            ("openai-organization", "org-1"),
            ("traceparent", trace),
            ("tracestate", "user=jenny@example.com"),
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "203.0.113.77"),
            ("baggage", "user.email=alice.smith@example.com"),
            ("accept-encoding", "gzip"),
            ("x-upstream-url", "http://198.51.100.1/"),
            ("user-agent", "client/1 (jenny@example.com)"),
        ]);
        let passed = forwarded(&client, &reader()).unwrap();
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "accept-encoding", "openai-organization", "traceparent", "user-agent"]);
        assert_eq!(passed["accept-encoding"], "identity");
        assert_eq!(passed["traceparent"], trace);
        assert_eq!(passed["user-agent"], "client/1 ([email])");
    }

    #[test]
    fn a_finding_in_a_header_that_means_something_refuses() {
        let refused = forwarded(&map(&[("idempotency-key", "jenny@example.com")]), &reader()).unwrap_err();
        assert_eq!((refused.status, refused.why), (400, Why::Header));
        assert!(!refused.message.contains("jenny"));
    }

    #[test]
    fn a_traceparent_is_ids_and_nothing_else() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-01");
        let told = |value: &str| super::trace(&map(&[("traceparent", value)]), &reader());
        assert_eq!(told(&good).unwrap().as_str(), good);
        for value in [
            "",
            "00-jenny@example.com-00f067aa0ba902b7-01",
            "00-4242424242424242-00f067aa0ba902b7-01",
            &format!("00-{trace}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("ff-{trace}-00f067aa0ba902b7-01"),
            &format!("00-{trace}-00f067aa0ba902b7-01-x"),
            &format!("00-{trace}-4242424242424242-01"),
        ] {
            assert_eq!(told(value), None, "{value}");
        }
        assert_eq!(super::trace(&map(&[("traceparent", &good), ("traceparent", &good)]), &reader()), None);
    }

    #[test]
    fn answers_keep_what_is_listed() {
        let upstream = map(&[
            ("x-request-id", "req_1"),
            ("x-ratelimit-remaining-requests", "9"),
            ("anthropic-ratelimit-tokens-limit", "8"),
            ("retry-after", "3"),
            ("set-cookie", "a=b"),
            ("etag", "x"),
            ("content-md5", "x"),
            ("location", "https://example.com/"),
            ("content-length", "5"),
            ("request-id", "jenny@example.com"),
            ("openai-version", "4242424242424242"),
            ("openai-model", &["sk", "_live_", "0123456789abcdefABCDEFGH"].concat()),
            ("anthropic-ratelimit-tokens-reset", "2026-01-31T12:00:00Z"),
        ]);
        let mut names: Vec<_> =
            answered(&upstream, &reader()).keys().map(|name| name.as_str().to_owned()).collect();
        names.sort_unstable();
        let wanted = [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-reset",
            "retry-after",
            "x-ratelimit-remaining-requests",
            "x-request-id",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn unknown_parameters_are_dropped_and_known_ones_are_words() {
        let query = |route, text| query(route, text, &reader()).map_err(|refused| refused.status);
        assert_eq!(query(Route::ChatCompletions, "user=alice@example.com"), Ok((String::new(), true)));
        assert_eq!(query(Route::Messages, "beta=true&x=y"), Ok(("?beta=true".to_owned(), true)));
        assert_eq!(query(Route::Models, "limit=20&after=m-1"), Ok(("?limit=20&after=m-1".to_owned(), false)));
        assert_eq!(query(Route::Models, "after=alice%40example.com"), Err(400));
        assert_eq!(query(Route::Models, "after=4242424242424242"), Err(400));
    }
}
