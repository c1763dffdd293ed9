//! Private keys in PEM form.

use std::ops::Range;

use memchr::memmem;

use crate::Category;
use crate::detector::{AHEAD_MAX, Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const BASE64: Class = Class::ALNUM.with(b"+/=");

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "private-key",
    category: Category::Secret,
    description: "private key in PEM form, to its end line; without one, everything that follows",
    validator: "a begin line for a private key, and data behind it",
    source: "RFC 7468, RFC 4880 section 6.2",
    examples: &[
        Example::new(
            "key:\n",
            &[
                "-----BEGIN ",
                "RSA PRIVATE KEY-----\n",
                "MIIBfillerfillerfiller\n",
                "-----END RSA PRIVATE",
                " KEY-----",
            ],
            "\nend",
        ),
        Example::new(
            "",
            &["-----BEGIN ", "PRIVATE KEY-----\\n", "MIIBfillerfillerfiller and the rest is lost"],
            "",
        ),
    ],
    non_examples: &[
        Example::none("-----BEGIN CERTIFICATE-----\nMIIBfillerfillerfiller\n-----END CERTIFICATE-----"),
        Example::new("look for -----BEGIN RSA PRI", &[], "VATE KEY----- in logs"),
    ],
    rank: 220,
    level: Level::Certain,
    triggers: Triggers::Literals(&[b"-----BEGIN "]),
    behind: 0,
    ahead: AHEAD_MAX,
    lead: 0,
    swallow: Some(Class::ANY),
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

/// How many dashes in a row are read at once.
const LINE_LEN_MAX: usize = 80;

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"-----BEGIN ") {
        return None;
    }
    let title = at + 11;
    let title_end = view.run_up_to(title, 40, Class::UPPER.with(b" 0123456789"));
    if memmem::find(view.bytes(title, title_end), b"PRIVATE KEY").is_none()
        || !view.starts_with(title_end, b"-----")
    {
        return None;
    }
    let body = view.run_up_to(title_end + 5, 16, Class::of(b" \t\r\n\\nr"));
    let headed = view.starts_with(body, b"Proc-Type")
        || view.starts_with(body, b"Version")
        || view.starts_with(body, b"Comment");
    if !headed && view.run_up_to(body, 16, BASE64) < body + 16 {
        return None;
    }
    let mut line = body;
    loop {
        let Some(dashes) = view.find(line, b"-----") else { return Some(at..view.run(line, Class::ANY)) };
        line = view.run_up_to(dashes, LINE_LEN_MAX, Class::of(b"-"));
        if view.starts_with(line, b"END ") {
            let title_end = view.run_up_to(line + 4, 40, Class::UPPER.with(b" 0123456789"));
            return Some(at..view.run_up_to(title_end, 5, Class::of(b"-")));
        }
        // What begins there is another matter.
        if view.starts_with(line, b"BEGIN ") {
            return Some(at..dashes);
        }
    }
}
