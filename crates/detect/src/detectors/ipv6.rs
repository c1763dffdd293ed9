//! IPv6 addresses.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::ipv4::{end_of_address, prefix_end};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const HEX_OR_COLON: ByteSet = ByteSet::HEX.or(ByteSet::of(b":"));

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "ipv6",
    category: Category::IpAddress,
    description: "IPv6 address in every form of writing",
    validator: "eight groups, or two or more around one double colon; an IPv4 address may be the tail",
    source: "RFC 4291, section 2.2",
    examples: &[
        Example::new("from ", &["2001:db8::1"], "."),
        Example::new("[", &["2001:db8:0:0:0:0:0:1"], "]:443"),
        Example::new("", &["fe80::1%eth0"], " up"),
        Example::new("", &["fe80::/10"], ""),
        Example::new("mapped ", &["::ffff:192.0.2.128"], " ok"),
        Example::new("", &["2001:0db8:85a3:0000:0000:8a2e:0370:7334"], ""),
        Example::new("net ", &["2001:db8::/32"], "."),
    ],
    non_examples: &[
        Example::none("12:30:45 and 00:1b:44:11:3a:b7"),
        Example::none("::1 and :: and std::dead and abc::def and fe80:: 1::/x"),
        Example::none("1:2:3:4:5:6:7:8:9"),
        Example::none("1::2::3"),
        Example::none("00:11:22:33:44:55:66:77"),
    ],
    rank: 95,
    level: Level::Certain,
    triggers: Triggers::Windows(&[
        Window::head(&[ByteSet::of(b":"), ByteSet::of(b":")]),
        // The first of seven colons: a time of day is over before the distances 9 and 10.
        Window {
            sets: [
                ByteSet::of(b":"),
                HEX_OR_COLON,
                HEX_OR_COLON,
                HEX_OR_COLON,
                HEX_OR_COLON,
                HEX_OR_COLON,
                HEX_OR_COLON,
                HEX_OR_COLON,
            ],
        },
    ]),
    behind: 48,
    ahead: 72,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

/// The groups of an address as read.
#[derive(Default)]
struct Groups {
    count: usize,
    gaps: usize,
    digits: bool,
    all_pairs: bool,
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at) != b':' {
        return None;
    }
    let mut start = view.back(at, Class::HEX.with(b":"));
    if view.at(start) == b':' && view.at(start + 1) != b':' {
        // A colon that ends a word before the address.
        start += 1;
    } else if view.before(start) == b'.' {
        return None;
    }
    if start > at || Class::WORD.has(view.before(start)) {
        return None;
    }
    let mut groups = Groups { all_pairs: true, ..Groups::default() };
    let end = read(view, start, &mut groups)?;
    if Class::WORD.with(b":").has(view.at(end)) {
        return None;
    }
    let whole = groups.gaps == 0 && groups.count == 8 && !groups.all_pairs;
    let short = groups.gaps == 1 && (2..=7).contains(&groups.count);
    let network = groups.gaps == 1 && groups.count == 1 && end == start + 6;
    let with_prefix = with_zone_and_prefix(view, end);
    let plain = whole || short || network && with_prefix > end && view.at(end) == b'/';
    (groups.digits && plain).then_some(start..with_prefix)
}

/// Where the zone and the prefix length behind an address end (RFC 4007, 11; RFC 4291, 2.3).
fn with_zone_and_prefix(view: &View<'_>, end: usize) -> usize {
    let zone = if view.at(end) == b'%' { view.run_up_to(end + 1, 16, Class::IDENT) } else { end };
    prefix_end(view, if zone > end + 1 { zone } else { end }, 128)
}

/// Reads groups from `start` on and returns where the last ends.
fn read(view: &View<'_>, start: usize, groups: &mut Groups) -> Option<usize> {
    let mut pos = start;
    loop {
        let end = view.run_up_to(pos, 5, Class::HEX);
        if end - pos > 4 || groups.count > 8 {
            return None;
        }
        if end > pos && view.at(end) == b'.' && view.at(end + 1).is_ascii_digit() {
            groups.count += 2;
            groups.digits = true;
            groups.all_pairs = false;
            return end_of_address(view, pos);
        }
        groups.count += usize::from(end > pos);
        groups.all_pairs &= end == pos + 2;
        groups.digits |= view.bytes(pos, end).iter().any(u8::is_ascii_digit);
        if view.at(end) != b':' {
            return Some(end);
        }
        if view.at(end + 1) == b':' {
            groups.gaps += 1;
            pos = end + 2;
            if !Class::HEX.has(view.at(pos)) {
                return Some(pos);
            }
        } else if Class::HEX.has(view.at(end + 1)) && end > pos {
            pos = end + 1;
        } else {
            // A colon that ends a clause.
            return (end > pos).then_some(end);
        }
    }
}
