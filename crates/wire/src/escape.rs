//! Texts as bodies of JSON strings, and back.

use obelus_json::Arch;
use obelus_json::map::OffsetMap;
use obelus_json::string::unescape;

/// Appends `text` as the body of a JSON string.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}

/// The text that the body of a JSON string stands for.
pub(crate) fn decode(body: &[u8]) -> Vec<u8> {
    if !body.contains(&b'\\') {
        return body.to_vec();
    }
    let mut text = Vec::new();
    // Names, values of a few members, pieces of an answer: too short for vectors to pay.
    unescape(Arch::scalar(), body, &mut text, &mut OffsetMap::default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_decoded_again() {
        let text: Vec<u8> = (0..0x80).collect();
        let mut body = Vec::new();
        escape(&text, &mut body);
        assert_eq!(decode(&body), text);
    }
}
