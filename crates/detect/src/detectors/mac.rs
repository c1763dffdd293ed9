//! Hardware addresses.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::COLON_BUCKET;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "mac-address",
    category: Category::MacAddress,
    description: "hardware address of a network interface, with colons",
    validator: "six pairs of hexadecimal digits; not all zeros, not broadcast",
    source: "IEEE 802, EUI-48",
    examples: &[
        Example::new("nic ", &["00:1b:44:11:3a:b7"], "."),
        Example::new("", &["00:00:5E:00:53:AF"], ""),
    ],
    non_examples: &[
        Example::none("00:00:00:00:00:00 ff:ff:ff:ff:ff:ff"),
        Example::none("12:30:45 00:1b:44:11:3a 00:1b:44:11:3a:b7:01 a00:1b:44:11:3a:b7"),
    ],
    rank: 80,
    level: Level::Certain,
    triggers: Triggers::Windows(&[Window {
        sets: [
            ByteSet::of(b":"),
            ByteSet::HEX,
            ByteSet::HEX,
            ByteSet::of(b":"),
            ByteSet::HEX,
            ByteSet::HEX,
            ByteSet::of(b":"),
            ByteSet::HEX,
        ],
        bucket: COLON_BUCKET,
    }]),
    behind: 4,
    ahead: 24,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(2)?;
    let end = start + 17;
    if Class::WORD.with(b":").has(view.before(start)) || Class::WORD.with(b":").has(view.at(end)) {
        return None;
    }
    let shaped = (0..17).all(|idx| match idx % 3 {
        2 => view.at(start + idx) == b':',
        _ => Class::HEX.has(view.at(start + idx)),
    });
    let bytes = view.bytes(start, end);
    let filler = |sign: u8| bytes.iter().all(|byte| *byte == b':' || byte.to_ascii_lowercase() == sign);
    (shaped && !filler(b'0') && !filler(b'f')).then_some(start..end)
}
