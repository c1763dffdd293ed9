//! Texts as bodies of JSON strings, and back.

use obelus_json::Arch;
use obelus_json::map::OffsetMap;
pub(crate) use obelus_json::string::escape;
use obelus_json::string::unescape;

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
