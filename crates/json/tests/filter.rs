//! The candidate filter on every instruction set: what its definition says, no more, no less.

use obelus_json::Arch;
use obelus_json::filter::{ByteSet, Exact, Filter, OFFSETS, SPAN, Seen, WORD_BUCKETS, Window};
use proptest::prelude::*;

/// Reads the definition: each window at each position, sets one by one. Bytes above 0x7F count as those without
/// their upper bit, bytes behind the end as zero bytes, and windows of one bucket are mixed, distance by distance.
fn buckets(windows: &[(Window, u8)], text: &[u8], at: usize) -> u32 {
    (0..32)
        .filter(|&bucket| {
            let of_bucket: Vec<&Window> =
                windows.iter().filter(|(_, other)| *other == bucket).map(|(window, _)| window).collect();
            OFFSETS.iter().enumerate().all(|(idx, offset)| {
                let byte = text.get(at + offset).copied().unwrap_or(0) & 0x7F;
                of_bucket.iter().any(|window| window.sets[idx].contains(byte))
            })
        })
        .fold(0, |bits, bucket| bits | 1 << bucket)
}

/// Whether a word goes on behind `before`, unless its last letter may belong to an escape.
fn is_in_word(before: &[u8]) -> bool {
    let back = |len: usize| before.len().checked_sub(len).map_or(0, |at| before[at]);
    let may_escape = [back(2), back(3)].iter().any(|byte| matches!(byte, b'\\' | b'%'));
    back(1).is_ascii_alphanumeric() && !may_escape
}

/// Whether a window holds by itself.
fn holds(window: &Window, text: &[u8], at: usize) -> bool {
    let byte = |offset: usize| text.get(at + offset).copied().unwrap_or(0);
    OFFSETS.iter().enumerate().all(|(idx, &offset)| window.sets[idx].contains(byte(offset)))
}

fn check(windows: &[(Window, u8)], text: &[u8], from: usize) {
    let filter = Filter::new(windows);
    let expected: Vec<(usize, u32)> = (from..text.len())
        .map(|at| (at, buckets(windows, text, at)))
        .filter(|&(at, bits)| bits >> WORD_BUCKETS != 0 || bits != 0 && !is_in_word(&text[from..at]))
        .collect();
    let exact = Exact::new(windows.iter().map(|(window, _)| window));
    let seven_bits: Vec<u8> = text.iter().map(|byte| byte & 0x7F).collect();
    for at in from..text.len() {
        let held = exact.windows_of(Seen::at(text, at));
        for (bit, (window, _)) in windows.iter().enumerate() {
            assert_eq!(held >> bit & 1 == 1, holds(window, &seven_bits, at), "window {bit} at {at}");
        }
        assert_eq!(filter.buckets_at(text, at), buckets(windows, text, at), "at {at}");
        for (_, bucket) in windows.iter().filter(|(window, _)| holds(window, text, at)) {
            assert_ne!(filter.buckets_at(text, at) & 1 << bucket, 0, "missed at {at}");
        }
    }
    for arch in Arch::available() {
        let mut found = Vec::new();
        filter.candidates(None, arch, text, from, |at, seen, bits| {
            assert_eq!(seen, Seen::at(text, at));
            found.push((at, bits));
        });
        assert_eq!(found, expected, "{arch:?} from {from}");
    }
}

fn set() -> impl Strategy<Value = ByteSet> {
    prop_oneof![
        3 => Just(ByteSet::ANY),
        1 => Just(ByteSet::DIGIT),
        1 => Just(ByteSet::HEX),
        1 => Just(ByteSet::ALPHA),
        1 => (0u8..128, 0u8..128).prop_map(|(first, last)| ByteSet::range(first.min(last), first.max(last))),
        1 => prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| ByteSet::of(&bytes)),
    ]
}

fn windows() -> impl Strategy<Value = Vec<(Window, u8)>> {
    let window = (prop::array::uniform8(set()), 0u8..32).prop_map(|(sets, bucket)| (Window { sets }, bucket));
    prop::collection::vec(window, 0..12)
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => b'0'..=b'9', 4 => b' '..=b'~', 1 => any::<u8>()];
    prop::collection::vec(byte, 0..200)
}

proptest! {
    #[test]
    fn candidates_are_those_of_the_definition(windows in windows(), text in text(), from in 0usize..210) {
        check(&windows, &text, 0);
        check(&windows, &text, from);
    }
}

#[test]
fn every_byte_is_looked_up_alike() {
    let text: Vec<u8> = (0..=255).flat_map(|byte| [byte; SPAN]).collect();
    for byte in 0..=255 {
        check(&[(Window::head(&[ByteSet::of(&[byte])]), 5)], &text, 0);
    }
}

#[test]
fn a_window_at_the_end_of_the_text_looks_at_zero_bytes() {
    let zero_last = {
        let mut window = Window::head(&[ByteSet::of(b"x")]);
        window.sets[7] = ByteSet::of(b"\0");
        (window, 0)
    };
    for len in [0, 1, 10, 52, 53, 54, 63, 64, 65, 128] {
        check(&[zero_last], &vec![b'x'; len], 0);
    }
}

#[test]
fn literals_are_told_apart_up_to_their_eleventh_byte() {
    let windows = [(Window::literal(b"abcdefghijkl"), 0), (Window::literal(b"abc"), 1)];
    check(&windows, b"abcdefghijkl abcdefghijXl abcdefghiXkl abcdefgXijkl abcdefXhiXkl abXdefghijkl", 0);
}
