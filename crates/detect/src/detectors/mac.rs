//! Hardware addresses.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "mac-address",
    category: Category::MacAddress,
    description: "hardware address of a network interface, with colons, hyphens or dots",
    validator: "six or eight pairs of hexadecimal digits, or three groups of four; not all zeros, not broadcast",
    source: "IEEE 802, EUI-48 and EUI-64",
    examples: &[
        Example::new("nic ", &["00:1b:44:11:3a:b7"], "."),
        Example::new("", &["00:00:5E:00:53:AF"], ""),
        Example::new("", &["00-00-5E-00-53-AF"], ", up"),
        Example::new("switch ", &["0000.5e00.53af"], "."),
        Example::new("eui64 ", &["00:00:5e:ef:10:00:00:01"], ""),
    ],
    non_examples: &[
        Example::none("00:00:00:00:00:00 ff:ff:ff:ff:ff:ff"),
        Example::none("12:30:45 00:1b:44:11:3a 00:1b:44:11:3a:b7:01 a00:1b:44:11:3a:b7"),
        Example::none(
            "2026-04-07-10-15-30 00-1b-44-11-3a-b7-01 1234.5678.9012.3456 1234.5678 0000.0000.0000",
        ),
        Example::none("00:1b-44:11-3a:b7 12-34-56-78-90-12"),
    ],
    rank: 80,
    level: Level::Certain,
    triggers: Triggers::Windows(&[
        pairs(b":"),
        pairs(b"-"),
        // The end of the second group of four is what tells it from a number.
        Window {
            sets: [
                ByteSet::of(b"."),
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::HEX,
                ByteSet::of(b" \0,;:.)\"'\n\t<>]|\\"),
            ],
        },
    ]),
    behind: 6,
    ahead: 32,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

/// From the first separator of pairs on.
const fn pairs(separator: &[u8]) -> Window {
    Window {
        sets: [
            ByteSet::of(separator),
            ByteSet::HEX,
            ByteSet::HEX,
            ByteSet::of(separator),
            ByteSet::HEX,
            ByteSet::HEX,
            ByteSet::of(separator),
            ByteSet::HEX,
        ],
    }
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let separator = view.at(at);
    let size = if separator == b'.' { 4 } else { 2 };
    let start = at.checked_sub(size)?;
    let mut end = start;
    let mut groups = 0;
    loop {
        let group = view.run_up_to(end, size + 1, Class::HEX);
        if group != end + size {
            return None;
        }
        end = group;
        groups += 1;
        if view.at(end) != separator || !Class::HEX.has(view.at(end + 1)) || groups == 8 {
            break;
        }
        end += 1;
    }
    let whole = if size == 4 { groups == 3 } else { groups == 6 || groups == 8 };
    let edge = Class::WORD.with(b":-");
    let glued = edge.has(view.before(start)) || view.before(start) == b'.' || edge.has(view.at(end));
    let bytes = view.bytes(start, end);
    let all = |class: Class| bytes.iter().all(|&byte| byte == separator || class.has(byte));
    // Digits alone with hyphens or dots are numbers of another kind.
    let numeric = separator != b':' && all(Class::DIGIT);
    let filler = all(Class::of(b"0")) || all(Class::of(b"fF"));
    (whole && !glued && !numeric && !filler).then_some(start..end)
}
