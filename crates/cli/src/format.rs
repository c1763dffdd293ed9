//! What an input is, by its name or its first bytes.
//!
//! In doubt an input counts as JSON: JSON read as text would lose the rules over member names, while text read as
//! JSON ends with an error. A form must be unmistakable: two pairs without a space, or a boundary and a disposition.

use obelus::Format;
use std::path::Path;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the headers of a part begin with.
const DISPOSITION: &[u8] = b"Content-Disposition:";

/// A longer word is a number at most as far as anybody needs.
const WORD_BYTES_MAX: usize = 512;

/// The format that the file name tells.
pub(crate) fn by_name(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "json" | "ndjson" | "jsonl" => Some(Format::Sequence),
        "txt" | "log" | "md" => Some(Format::Text),
        "form" | "urlencoded" => Some(Format::Form),
        _ => None,
    }
}

/// The format that the first bytes tell.
pub(crate) fn by_content(first: &[u8]) -> Format {
    let first = first.strip_prefix(MARK).unwrap_or(first).trim_ascii_start();
    let is_json = match first.first() {
        Some(b'{' | b'[' | b'"') => true,
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => is_scalar(first),
        Some(_) => false,
        None => true,
    };
    match is_json {
        true => Format::Sequence,
        false if is_multipart(first) => Format::Multipart,
        false if is_form(first) => Format::Form,
        false => Format::Text,
    }
}

/// Whether more bytes cannot change what [`by_content`] says.
pub(crate) fn is_clear(first: &[u8]) -> bool {
    let Some(text) = first.strip_prefix(MARK) else {
        return !MARK.starts_with(first) && is_word_whole(first.trim_ascii_start());
    };
    is_word_whole(text.trim_ascii_start())
}

/// Whether `text` begins with a bracket, a quotation mark, or a word that is over.
fn is_word_whole(text: &[u8]) -> bool {
    if text.starts_with(b"--") && text.len() <= WORD_BYTES_MAX {
        return behind_boundary(text).is_some_and(|rest| rest.len() >= DISPOSITION.len());
    }
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
        || text.len() > WORD_BYTES_MAX
        || text.iter().any(u8::is_ascii_whitespace)
}

/// Whether the first word of `text` is a JSON number or literal; a date or an address of a log line is none.
fn is_scalar(text: &[u8]) -> bool {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    serde_json::from_slice::<serde_json::Value>(&text[..end]).is_ok()
}

/// What stands behind the first line, if that may be a boundary; nothing if it is not all there.
fn behind_boundary(text: &[u8]) -> Option<&[u8]> {
    let end = text.windows(2).position(|pair| pair == b"\r\n")?;
    text.get(end + 2..)
}

/// Whether `text` begins with a boundary and says at once what the first part is.
fn is_multipart(text: &[u8]) -> bool {
    let rest = behind_boundary(text).filter(|_| text.starts_with(b"--"));
    rest.and_then(|rest| rest.get(..DISPOSITION.len()))
        .is_some_and(|head| head.eq_ignore_ascii_case(DISPOSITION))
}

/// Whether the first line of `text` is one word of several pairs with plain names and escapes that are whole.
fn is_form(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"?").unwrap_or(text);
    let end = text.iter().position(u8::is_ascii_whitespace);
    if end.is_some_and(|end| !matches!(text[end], b'\n' | b'\r')) {
        return false;
    }
    let line = &text[..end.unwrap_or(text.len())];
    // The last pair may go on behind what was read.
    let mut pairs: Vec<&[u8]> = line.split(|&byte| byte == b'&').collect();
    let last = pairs.pop().unwrap_or_default();
    let begins_pair = end.is_none() && last.iter().all(|&byte| is_name_sign(byte));
    !pairs.is_empty() && pairs.into_iter().all(is_pair) && (begins_pair || is_pair(cut_escape(last, end)))
}

/// `pair` without the beginning of an escape, if what follows was not read.
fn cut_escape(pair: &[u8], end: Option<usize>) -> &[u8] {
    let tail = pair.len().saturating_sub(2);
    match pair[tail..].iter().position(|&byte| byte == b'%') {
        Some(at) if end.is_none() => &pair[..tail + at],
        _ => pair,
    }
}

fn is_pair(pair: &[u8]) -> bool {
    let Some(name_len) = pair.iter().position(|&byte| byte == b'=') else { return false };
    let mut escapes = pair.split(|&byte| byte == b'%').skip(1);
    let is_escape = |rest: &[u8]| rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit);
    name_len > 0 && pair[..name_len].iter().all(|&byte| is_name_sign(byte)) && escapes.all(is_escape)
}

fn is_name_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_extensions_decide_in_any_case() {
        assert_eq!(by_name(Path::new("a/charge.JSON")), Some(Format::Sequence));
        assert_eq!(by_name(Path::new("events.jsonl")), Some(Format::Sequence));
        assert_eq!(by_name(Path::new("server.log")), Some(Format::Text));
        assert_eq!(by_name(Path::new("charge.form")), Some(Format::Form));
        assert_eq!(by_name(Path::new("body.urlencoded")), Some(Format::Form));
        assert_eq!(by_name(Path::new("charge.json.bak")), None);
        assert_eq!(by_name(Path::new("charge")), None);
    }

    #[test]
    fn what_begins_like_json_is_json() {
        for first in
            ["{\"a\":1}", "\n [", "\"text\"", "12\n", "-0.5e3 ", "true\n", "null", "\u{FEFF}{", "", " "]
        {
            assert_eq!(by_content(first.as_bytes()), Format::Sequence, "{first:?}");
        }
    }

    #[test]
    fn what_begins_like_prose_is_text() {
        for first in
            ["Dear Jenny", "the charge", "2026-01-31 ok", "192.0.2.1 - -", "12:30:01", "- a list", "nul"]
        {
            assert_eq!(by_content(first.as_bytes()), Format::Text, "{first:?}");
        }
    }

    #[test]
    fn what_begins_like_a_form_beyond_doubt_is_one() {
        for first in [
            "amount=1200&currency=usd",
            "card[number]=4242424242424242&card%5Bcvc%5D=123\n",
            "?q=jenny%40example.com&page=2\r\nq=",
            "name=Jenny+Rosen&em",
            "a=1&b=%4",
            "a=&b=",
        ] {
            assert_eq!(by_content(first.as_bytes()), Format::Form, "{first:?}");
        }
        for first in [
            "amount=1200",
            "a=1&b=2 and more",
            "a = 1",
            "https://example.com/?a=1&b=2",
            "GET /?a=1&b=2 HTTP/1.1",
            "a=1&amp;b=2",
            "AT&T=x",
            "a=%zz&b=1",
            "if (a[0]=1&b=2)",
            "&a=1",
            "=1&=2",
        ] {
            assert_eq!(by_content(first.as_bytes()), Format::Text, "{first:?}");
        }
    }

    #[test]
    fn a_boundary_and_a_disposition_make_a_multipart_body() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        assert_eq!(by_content(body.as_bytes()), Format::Multipart);
        assert_eq!(by_content(body.to_lowercase().as_bytes()), Format::Multipart);
        for first in ["--x\nContent-Disposition: form-data", "-- x\r\nselect 1;", "--x\r\nContent-Type: a"] {
            assert_eq!(by_content(first.as_bytes()), Format::Text, "{first:?}");
        }
        assert!(!is_clear(b"--x\r\nContent-"));
        assert!(is_clear(body.as_bytes()));
    }

    #[test]
    fn more_is_read_until_the_first_word_is_over() {
        for open in ["", "\u{FEFF}", " \n", "12", "\u{FEFF} tru"] {
            assert!(!is_clear(open.as_bytes()), "{open:?}");
        }
        assert!(!is_clear(b"\xEF\xBB"));
        for clear in ["{", " [", "\u{FEFF}\"", "12 ", "Dear Jenny"] {
            assert!(is_clear(clear.as_bytes()), "{clear:?}");
        }
    }
}
