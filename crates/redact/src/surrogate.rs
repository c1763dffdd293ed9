//! What replaces a finding, as it must stand in its place.

use crate::out::Out;
use crate::redactor::{Compiled, Format};
use crate::rules::RuleIx;

/// Appends what replaces `value`, decoded text that a rule has found, to `bytes`. The place is inside of as many strings
/// as `nesting` says.
pub(crate) fn render(
    compiled: &Compiled,
    out: &mut Out<'_>,
    nesting: usize,
    (rule, value): (RuleIx, &[u8]),
    bytes: &mut Vec<u8>,
) {
    let info = out.rules.get(rule);
    let category = info.category;
    if !compiled.transforms.is_token(category) {
        compiled.transforms.render(category, value, bytes);
        return;
    }
    let from = bytes.len();
    if out.pieces.surrogate(info.id(), category, value, bytes) {
        // The texts of forms and plain text stand in no string.
        let is_bare = compiled.format.is_form() || compiled.format == Format::Text;
        for _ in usize::from(is_bare)..=nesting {
            escape(bytes, from);
        }
    } else {
        bytes.truncate(from);
        bytes.extend_from_slice(category.label().as_bytes());
    }
}

/// Escapes `bytes[from..]` for a JSON string.
fn escape(bytes: &mut Vec<u8>, from: usize) {
    let needs = |byte: &u8| matches!(byte, 0..=0x1F | b'"' | b'\\');
    if !bytes[from..].iter().any(needs) {
        return;
    }
    let text = bytes.split_off(from);
    obelus_json::string::escape(&text, bytes);
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_a_string_cannot_hold_is_escaped() {
        let mut bytes = b"\"a\" \"b\\c\nd\x01".to_vec();
        escape(&mut bytes, 4);
        assert_eq!(bytes, b"\"a\" \\\"b\\\\c\\nd\\u0001");
    }
}
