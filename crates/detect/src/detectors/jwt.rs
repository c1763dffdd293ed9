//! JSON web tokens.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detector::{AHEAD_MAX, Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const PART: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"-_"));
const PART_LEN_MIN: usize = 8;

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "json-web-token",
    category: Category::Secret,
    description: "JSON web token, signed or encrypted",
    validator: "two or more parts of base64url, of which the first begins an object",
    source: "RFC 7515, RFC 7516, RFC 7519",
    examples: &[
        Example::new(
            "token ",
            &["eyJ", "hbGciOiJub25lIn0", ".", "eyJ", "zdWIiOiJleGFtcGxlIn0", ".", "c2lnbmF0dXJl"],
            ".",
        ),
        Example::new("", &["eyJ", "hbGciOiJub25lIn0", ".", "eyJ", "zdWIiOiJleGFtcGxlIn0"], ". unsigned"),
    ],
    non_examples: &[
        Example::none("eyJ and eyJhbGciOi alone"),
        Example::none("eyJhbGciOiJub25lIn0.short.x"),
        Example::none("xeyJhbGciOiJub25lIn0.AAAAAAAAAAAA.AAAAAAAA"),
    ],
    rank: 200,
    level: Level::Certain,
    triggers: Triggers::Windows(&[Window {
        sets: [ByteSet::of(b"e"), ByteSet::of(b"y"), ByteSet::of(b"J"), PART, PART, PART, PART, PART],
    }]),
    behind: 1,
    ahead: AHEAD_MAX,
    lead: 0,
    swallow: Some(Class::IDENT.with(b".")),
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"eyJ") || Class::IDENT.has(view.before(at)) {
        return None;
    }
    let header = view.run(at, Class::IDENT);
    if header < at + PART_LEN_MIN {
        return None;
    }
    if header == view.limit() {
        return Some(at..header);
    }
    let mut end = header;
    for part in 0..4 {
        if view.at(end) != b'.' {
            break;
        }
        let next = view.run(end + 1, Class::IDENT);
        if part == 0 && next < end + 1 + PART_LEN_MIN {
            return None;
        }
        // A dot with nothing behind it ends a token without a signature, or a sentence.
        if next == end + 1 && next < view.limit() {
            break;
        }
        end = next;
    }
    (end > header).then_some(at..end)
}
