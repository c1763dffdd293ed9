//! What an input is, by its name or its first bytes.
//!
//! In doubt an input counts as JSON: JSON read as text would lose the rules over member names, while text read as
//! JSON ends with an error.

use obelus::Format;
use std::path::Path;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A longer word is a number at most as far as anybody needs.
const WORD_BYTES_MAX: usize = 512;

/// The format that the file name tells.
pub(crate) fn by_name(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "json" | "ndjson" | "jsonl" => Some(Format::Sequence),
        "txt" | "log" | "md" => Some(Format::Text),
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
    if is_json { Format::Sequence } else { Format::Text }
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
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
        || text.len() > WORD_BYTES_MAX
        || text.iter().any(u8::is_ascii_whitespace)
}

/// Whether the first word of `text` is a JSON number or literal; a date or an address of a log line is none.
fn is_scalar(text: &[u8]) -> bool {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    serde_json::from_slice::<serde_json::Value>(&text[..end]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_extensions_decide_in_any_case() {
        assert_eq!(by_name(Path::new("a/charge.JSON")), Some(Format::Sequence));
        assert_eq!(by_name(Path::new("events.jsonl")), Some(Format::Sequence));
        assert_eq!(by_name(Path::new("server.log")), Some(Format::Text));
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
