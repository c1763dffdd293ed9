//! Identifiers that hold digits by chance.

use std::ops::Range;

use crate::view::{Class, View};

/// How far behind a match its identifier is followed.
const AHEAD: usize = 40;

/// Whether `span` is part of an object id, a UUID or a digest.
pub(super) fn is_part_of_id(view: &View<'_>, span: &Range<usize>) -> bool {
    let head = view.back(span.start, Class::IDENT)..view.run_up_to(span.start, AHEAD + 40, Class::IDENT);
    let tail = view.back(span.end, Class::IDENT)..view.run_up_to(span.end, AHEAD, Class::IDENT);
    is_id(view.bytes(head.start, head.end)) || (tail != head && is_id(view.bytes(tail.start, tail.end)))
}

fn is_id(token: &[u8]) -> bool {
    is_uuid(token) || is_digest(token) || is_object_id(token)
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_uuid(token: &[u8]) -> bool {
    token.len() == 36
        && token.iter().enumerate().all(|(idx, &byte)| match idx {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Hexadecimal digits, some of them letters, in a number that digests and trace ids have.
fn is_digest(token: &[u8]) -> bool {
    matches!(token.len(), 16 | 24 | 32 | 40 | 64)
        && token.iter().all(u8::is_ascii_hexdigit)
        && token.iter().any(u8::is_ascii_alphabetic)
}

/// A lower-case prefix, an underscore, and at least eight letters and digits with a letter among them.
pub(super) fn is_object_id(token: &[u8]) -> bool {
    let Some(last) = memchr::memrchr(b'_', token) else { return false };
    let (prefix, body) = (&token[..last], &token[last + 1..]);
    body.len() >= 8
        && body.iter().all(u8::is_ascii_alphanumeric)
        && body.iter().any(u8::is_ascii_alphabetic)
        && prefix.first().is_some_and(u8::is_ascii_lowercase)
        && prefix.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
}
