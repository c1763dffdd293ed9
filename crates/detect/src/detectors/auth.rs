//! Credentials of HTTP authorization headers.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use super::placeholder::is_placeholder;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const TOKEN68: Class = Class::ALNUM.with(b"-._~+/=");
const TOKEN68_SET: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"-._~+/="));
/// What names and passwords on a command line consist of.
const ARGUMENT: Class = Class::ALNUM.with(b"-._~+/=!@#$%^&*?,;|");
const USER_SET: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"-._@'\"\\:"));

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "bearer-token",
        category: Category::Secret,
        description: "token of a bearer authorization",
        validator: "eight or more characters behind `Authorization: Bearer`; elsewhere twenty with a digit",
        source: "RFC 6750, section 2.1",
        examples: &[
            Example::new("Authorization: Bearer ", &["abcdef", "ghijkl"], "\n"),
            Example::new("send bearer ", &["abcdefghij", "0123456789"], " now"),
        ],
        non_examples: &[
            Example::none("the bearer of this letter, Bearer acknowledgements"),
            Example::none("Authorization: Bearer [secret]"),
        ],
        rank: 190,
        level: Level::Certain,
        triggers: Triggers::Windows(&[Window::head(&[
            ByteSet::of(b"bB"),
            ByteSet::of(b"eE"),
            ByteSet::of(b"aA"),
            ByteSet::of(b"rR"),
            ByteSet::of(b"eE"),
        ])]),
        behind: 24,
        ahead: 2048,
        lead: 16,
        swallow: Some(TOKEN68),
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_bearer),
    },
    Detector {
        id: "basic-credentials",
        category: Category::Secret,
        description: "user and password of a basic authorization",
        validator: "base64 behind `Basic`: behind `Authorization:` eight characters, elsewhere twelve with a digit and a capital",
        source: "RFC 7617",
        examples: &[
            Example::new("Authorization: Basic ", &["dXNlcjpw", "YXNz"], "\n"),
            Example::new("-H 'basic ", &["ZXhhbXBsZTp0", "ZXN0"], "'"),
        ],
        non_examples: &[
            Example::none("Basic understanding of things"),
            Example::none("basic functionality12"),
        ],
        rank: 190,
        level: Level::Certain,
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"bB"),
                ByteSet::of(b"aA"),
                ByteSet::of(b"sS"),
                ByteSet::of(b"iI"),
                ByteSet::of(b"cC"),
                TOKEN68_SET,
                TOKEN68_SET,
                TOKEN68_SET,
            ],
        }]),
        behind: 24,
        ahead: 1024,
        lead: 16,
        swallow: Some(TOKEN68),
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_basic),
    },
    Detector {
        id: "command-credentials",
        category: Category::Secret,
        description: "user and password of a curl command",
        validator: "behind `-u` or `--user`: a name, a colon, a password that is no number; curl before it, or eight characters with a digit",
        source: "curl manual, --user",
        examples: &[
            Example::new("curl -k -u ", &["svc:", "Filler", "w0rd$1"], " https://example.com"),
            Example::new("curl -s --user '", &["api:", "fillerword"], "' \\\n"),
            Example::new("-u \"", &["jane@example.com:", "filler", "w0rd"], "\" -v"),
        ],
        non_examples: &[
            Example::none("docker run -u 1000:1000 and chown -u www:www and id -u root"),
            Example::none("curl -u user:$PASSWORD -u [secret] -u user: https://example.com"),
        ],
        rank: 190,
        level: Level::Likely,
        triggers: Triggers::Windows(&[
            Window::head(&[ByteSet::of(b"-"), ByteSet::of(b"u"), ByteSet::of(b" "), USER_SET, USER_SET]),
            Window::head(&[
                ByteSet::of(b"-"),
                ByteSet::of(b"u"),
                ByteSet::of(b"s"),
                ByteSet::of(b"e"),
                ByteSet::of(b"r"),
            ]),
        ]),
        behind: 96,
        ahead: 160,
        lead: 16,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_command),
    },
];

fn find_bearer(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let span = credentials(view, at, b"bearer")?;
    let has_digit = view.bytes(span.start, span.end).iter().any(u8::is_ascii_digit);
    let plausible = if is_authorization(view, at) { span.len() >= 8 } else { span.len() >= 20 && has_digit };
    plausible.then_some(span)
}

fn find_basic(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let span = credentials(view, at, b"basic")?;
    let bytes = view.bytes(span.start, span.end);
    let mixed = bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_uppercase);
    let plausible = if is_authorization(view, at) { span.len() >= 8 } else { span.len() >= 12 && mixed };
    plausible.then_some(span)
}

/// What stands behind `scheme` and white space.
fn credentials(view: &View<'_>, at: usize, scheme: &[u8]) -> Option<Range<usize>> {
    if !view.starts_with_any_case(at, scheme) || is_glued(view, at) {
        return None;
    }
    let space = at + scheme.len();
    let start = view.run_up_to(space, 4, Class::of(b" \t"));
    if start == space {
        return None;
    }
    let end = view.run(start, TOKEN68);
    // A full stop behind it ends the sentence.
    let end = if end < view.limit() && view.before(end) == b'.' { end - 1 } else { end };
    (end > start).then_some(start..end)
}

/// Whether `Authorization` and punctuation stand before `at`.
fn is_authorization(view: &View<'_>, at: usize) -> bool {
    let word_end = view.back(at, Class::of(b" :=\"'\\"));
    word_end >= 13 && view.starts_with_any_case(word_end - 13, b"authorization")
}

fn find_command(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let option_end = if view.starts_with(at, b"-user") {
        at + 5
    } else if view.starts_with(at, b"-u ") && Class::of(b"\0 \n\t").has(view.before(at)) {
        at + 2
    } else {
        return None;
    };
    let start = view.run_up_to(option_end, 4, Class::of(b" =\\\"'"));
    let colon = view.run_up_to(start, 64, ARGUMENT);
    if start == option_end || colon == start || view.at(colon) != b':' {
        return None;
    }
    let end = view.run_up_to(colon + 1, 64, ARGUMENT.with(b":"));
    let password = view.bytes(colon + 1, end);
    let digits = password.iter().filter(|byte| byte.is_ascii_digit()).count();
    let command = memchr::memmem::find(view.bytes(at.saturating_sub(90), at), b"curl").is_some();
    let dense = password.len() >= 8 && digits > 0;
    let plain = digits < password.len() && !is_placeholder(password) && (command || dense);
    plain.then_some(start..end)
}
