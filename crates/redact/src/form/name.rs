//! Names of form fields: `card[number]` is the member `number` of the member `card`.

use obelus_detect::Category;
use std::ops::Range;

/// One step on the way that a name describes, as a range of the decoded name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Segment {
    /// A member.
    Member(Range<usize>),
    /// An element, by its position.
    Index(Range<usize>),
    /// One more element: `[]`.
    Append(Range<usize>),
}

/// Splits a decoded name at its brackets, however they are set: what a server would make of brackets that do not
/// match differs, and more segments mean more that rules over names know.
///
/// A label that an earlier redaction left in place of a whole segment is one segment, brackets and all.
pub(crate) fn split(name: &[u8], segments: &mut Vec<Segment>) {
    segments.clear();
    let head = segment_end(name, 0, b"[");
    if head > 0 || name.is_empty() {
        segments.push(Segment::Member(0..head));
    }
    let mut at = head;
    while let Some(&byte) = name.get(at) {
        let inside = byte == b'[';
        let begin = if matches!(byte, b'[' | b']') { at + 1 } else { at };
        let end = segment_end(name, begin, b"[]");
        let range = begin..end;
        if range.is_empty() {
            if inside {
                segments.push(Segment::Append(range));
            }
        } else if inside && name[range.clone()].iter().all(u8::is_ascii_digit) && !segments.is_empty() {
            segments.push(Segment::Index(range));
        } else {
            segments.push(Segment::Member(range));
        }
        // A closing bracket belongs to what it closes.
        at = if name.get(end) == Some(&b']') { end + 1 } else { end };
    }
}

/// Where the segment that begins at `begin` ends: at one of `ends`, or behind a label.
fn segment_end(name: &[u8], begin: usize, ends: &[u8]) -> usize {
    let rest = name.get(begin..).unwrap_or_default();
    let len = label_len(rest)
        .filter(|&len| rest.get(len).is_none_or(|next| matches!(next, b'[' | b']')))
        .or_else(|| rest.iter().position(|byte| ends.contains(byte)));
    begin + len.unwrap_or(rest.len())
}

/// The length of the label, plain or numbered, with which `text` begins.
fn label_len(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[")?;
    let end = inner.iter().position(|&byte| byte == b']')?;
    let is_label = |category: &&Category| match inner[..end].strip_prefix(category.as_str().as_bytes()) {
        Some([]) => true,
        Some([b'-', digits @ ..]) => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    Category::ALL.iter().any(|category| is_label(&category)).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments as text: members in quotation marks.
    fn split(name: &str) -> Vec<String> {
        let mut segments = Vec::new();
        super::split(name.as_bytes(), &mut segments);
        let text = |range: &Range<usize>| String::from_utf8(name.as_bytes()[range.clone()].to_vec()).unwrap();
        segments
            .iter()
            .map(|segment| match segment {
                Segment::Member(range) => format!("'{}'", text(range)),
                Segment::Index(range) => text(range),
                Segment::Append(_) => "+".to_owned(),
            })
            .collect()
    }

    #[test]
    fn brackets_are_steps_on_the_way() {
        for (name, wanted) in [
            ("email", "'email'"),
            ("card[number]", "'card' 'number'"),
            ("items[0][price]", "'items' 0 'price'"),
            ("expand[]", "'expand' +"),
            ("items[][price]", "'items' + 'price'"),
            ("a[b", "'a' 'b'"),
            ("a[b]c[d]", "'a' 'b' 'c' 'd'"),
            ("a[b[c]]", "'a' 'b' 'c'"),
            ("0", "'0'"),
            ("[email]", "'[email]'"),
            ("[email-2][name]", "'[email-2]' 'name'"),
            ("metadata[[email]]", "'metadata' '[email]'"),
            ("customer[email]", "'customer' 'email'"),
            ("[name]", "'name'"),
            ("a]", "'a]'"),
            ("", "''"),
        ] {
            assert_eq!(split(name).join(" "), wanted, "{name}");
        }
    }
}
