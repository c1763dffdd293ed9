//! IPv4 addresses.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const DIGIT_OR_DOT: ByteSet = ByteSet::DIGIT.or(ByteSet::of(b"."));

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "ipv4",
    category: Category::IpAddress,
    description: "IPv4 address, private ones too",
    validator: "four numbers to 255 without leading zeros; no version, no section, not localhost",
    source: "RFC 791, RFC 5735",
    examples: &[
        Example::new("from ", &["203.0.113.7"], ":8080"),
        Example::new("", &["192.168.2.2/24"], "."),
        Example::new("the dns is ", &["9.9.9.9"], " here"),
        Example::new("", &["9.9.9.9"], ":53"),
        Example::new("http://", &["198.51.100.1"], "/x"),
        Example::new("", &["1.2.3.44"], "."),
        Example::new("ping to gateway (", &["10.11.12.13"], ")\n"),
    ],
    non_examples: &[
        Example::none("version 10.2.3.4-beta and v1.2.3"),
        Example::none("v1.2.3.4 release 1.2.3.4-rc1"),
        Example::none("localhost:8080 and 127.0.0.1, 0.0.0.0, 255.255.255.255"),
        Example::none("1.3.6.1.4.1 and 256.1.1.1 and 01.2.3.4"),
        Example::none("Chrome/120.0.0.0 Safari/537.36"),
        Example::none("12.50 1.234.567"),
        Example::none("upgraded 1.2.3.4 to 1.2.3.5"),
        Example::none("GEM\n    rails (7.0.14.3)\n  - pod (= 27.19.75.230) firmware 17.38.28.4"),
    ],
    rank: 90,
    level: Level::Certain,
    triggers: Triggers::Windows(&[Window {
        sets: [
            ByteSet::of(b"."),
            ByteSet::DIGIT,
            DIGIT_OR_DOT,
            DIGIT_OR_DOT,
            DIGIT_OR_DOT,
            ByteSet::ANY,
            ByteSet::ANY,
            ByteSet::ANY,
        ],
    }]),
    behind: 64,
    ahead: 28,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = view.back(at, Class::DIGIT);
    if start == at || view.at(at) != b'.' {
        return None;
    }
    let end = end_of_address(view, start)?;
    // Four parts of one digit are far more often a version than somebody's address.
    let is_short = end - start == 7 && !is_of_network(view, start, end);
    if is_nobody(view.bytes(start, end))
        || is_short
        || is_versioned(view, start)
        || is_locked(view, start, end)
    {
        return None;
    }
    let suffix = view.at(end) == b'-' && view.at(end + 1).is_ascii_alphabetic();
    let part = view.at(end) == b'.' && view.at(end + 1).is_ascii_digit();
    if is_glued(view, start) || Class::WORD.has(view.at(end)) || suffix || part {
        return None;
    }
    Some(start..prefix_end(view, end, 32))
}

/// Where the length of a network prefix, at most `bits_max`, ends behind an address; else `end`.
pub(super) fn prefix_end(view: &View<'_>, end: usize, bits_max: u32) -> usize {
    if view.at(end) != b'/' {
        return end;
    }
    let bits_end = view.run_up_to(end + 1, 4, Class::DIGIT);
    let valid = super::number_at(view, end + 1, bits_end - end - 1).is_some_and(|bits| bits <= bits_max);
    let goes_on = Class::WORD.with(b"/-").has(view.at(bits_end))
        || view.at(bits_end) == b'.' && Class::ALNUM.has(view.at(bits_end + 1));
    if bits_end > end + 1 && valid && !goes_on { bits_end } else { end }
}

/// Whether a port, a prefix length or a word shortly before says that the numbers are an address.
fn is_of_network(view: &View<'_>, start: usize, end: usize) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"ip", b"ipv", b"dns", b"host", b"addr", b"address", b"server", b"gateway", b"ping", b"subnet",
        b"proxy", b"peer",
    ];
    let port = view.at(end) == b':' && view.at(end + 1).is_ascii_digit();
    let before = view.bytes(start.saturating_sub(24), start);
    let mut words = before.split(|byte| !byte.is_ascii_alphabetic());
    port || prefix_end(view, end, 32) > end
        || before.ends_with(b"://")
        || words.any(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Whether an address belongs to no machine in particular: loopback, unspecified, broadcast (RFC 1122, 3.2.1.3).
fn is_nobody(address: &[u8]) -> bool {
    address.starts_with(b"127.") || address == b"0.0.0.0" || address == b"255.255.255.255"
}

/// Where the address that begins at `start` ends.
pub(super) fn end_of_address(view: &View<'_>, start: usize) -> Option<usize> {
    let mut pos = start;
    for idx in 0..4 {
        if idx > 0 {
            if view.at(pos) != b'.' {
                return None;
            }
            pos += 1;
        }
        let end = view.run_up_to(pos, 4, Class::DIGIT);
        let value = super::number_at(view, pos, end - pos)?;
        let zero_first = view.at(pos) == b'0' && end > pos + 1;
        if end == pos || value > 255 || zero_first {
            return None;
        }
        pos = end;
    }
    Some(pos)
}

/// Whether this is the version in a line of a lock file, `    rails (7.0.4.3)`. Private networks begin with a ten.
fn is_locked(view: &View<'_>, start: usize, end: usize) -> bool {
    let line_ends = matches!(view.at(end + 1), b'\n' | b'\r' | 0);
    if view.at(end) != b')' || !line_ends || end - start > 11 || !view.ends_with(start, b" (") {
        return false;
    }
    let name = view.back(start - 2, Class::IDENT);
    let numbers_are_small = view.bytes(start, end).split(|&byte| byte == b'.').all(|part| part.len() < 3);
    name < start - 2 && view.ends_with(name, b"    ") && numbers_are_small && !view.starts_with(start, b"10.")
}

/// Whether an operator behind a bracket asks for a version: `(~> 7.0.4.3)`.
fn is_requirement(view: &View<'_>, start: usize) -> bool {
    let operator = view.back(start.saturating_sub(1), Class::of(b"=<>~!"));
    view.before(start) == b' ' && operator + 1 < start && view.before(operator) == b'('
}

/// Whether what stands before says that this is a version, or another part of a longer number.
fn is_versioned(view: &View<'_>, start: usize) -> bool {
    match view.before(start) {
        b'.' | b'_' => return true,
        b'/' if start >= 2 && view.at(start - 2).is_ascii_alphabetic() => return true,
        _ => {}
    }
    let word_end = view.back(start, Class::of(b" :="));
    let word = view.back(word_end, Class::ALPHA.with(b"."));
    let word = view.bytes(word, word_end);
    let named =
        |name: &[u8]| word.len() >= name.len() && word[word.len() - name.len()..].eq_ignore_ascii_case(name);
    let required = is_requirement(view, start);
    required
        || named(b"version")
        || named(b"firmware")
        || word.eq_ignore_ascii_case(b"ver")
        || word.eq_ignore_ascii_case(b"ver.")
        || word.eq_ignore_ascii_case(b"v")
        || word.eq_ignore_ascii_case(b"v.")
}
