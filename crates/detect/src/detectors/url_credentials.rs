//! User and password in a URL.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::placeholder::is_placeholder;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::label::is_label;
use crate::view::{Class, View};

/// What user and password may consist of.
const USER_INFO: Class = Class::ALNUM.with(b"-._~!$&'()*+,;=%:[]{}|^");

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "url-credentials",
    category: Category::Secret,
    description: "user and password in a URL",
    validator: "scheme, ://, user, colon, password, @",
    source: "RFC 3986, section 3.2.1",
    examples: &[
        Example::new(
            "db at postgres://",
            &["svc_user", ":", "filler-password"],
            "@db.example.com:5432/app ok",
        ),
        Example::new("redis://", &[":", "fillerword"], "@cache"),
    ],
    non_examples: &[
        Example::none("https://example.com:443/@user"),
        Example::none("https://user@example"),
        Example::none("postgres://[secret]@db.example.com/app"),
        Example::none("postgres://[secret:abcdefghijklmnopabcdefgh]@db.example.com/app"),
        Example::none("amqp://user:*****@db.example.com amqp://user:${PASS}@db.example.com"),
    ],
    rank: 205,
    level: Level::Certain,
    triggers: Triggers::Windows(&[Window::head(&[ByteSet::of(b"@")])]),
    behind: 128,
    ahead: 8,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at) != b'@' {
        return None;
    }
    let start = user_info(view, at)?;
    if is_label(view.bytes(start, at)) {
        return None;
    }
    let colon = memchr::memchr(b':', view.bytes(start, at))?;
    let next = view.at(at + 1);
    let password = view.bytes(start + colon + 1, at);
    let hosted = next.is_ascii_alphanumeric() || next == b'[';
    (hosted && !password.is_empty() && !is_placeholder(password)).then_some(start..at)
}

/// Where the part of a URL between `://` and `at` begins, if that is what stands there.
pub(super) fn user_info(view: &View<'_>, at: usize) -> Option<usize> {
    let start = view.back(at, USER_INFO);
    let scheme = view.ends_with(start, b"//") && start >= 4 && view.at(start - 3) == b':';
    (scheme && view.at(start - 4).is_ascii_alphanumeric()).then_some(start)
}
