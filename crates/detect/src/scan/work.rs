//! Whatever the text, a scan costs linear work: counted in bytes read through views, not by a clock.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::*;
use crate::view::work;

/// The length of the shortest text, larger than what any detector sees at once.
const LEN: usize = 2 * crate::AHEAD_MAX;

/// How many bytes may be read for one byte of text. The dearest bait makes a secret of a kilobyte begin every three
/// bytes; a text of words costs about one.
const READS_MAX: u64 = 400;

/// How much more twice the text may cost, in hundredths: what a detector sees before the end of a text is less.
const GROWTH_MAX: u64 = 240;

static EVERY: LazyLock<Detectors> = LazyLock::new(|| Detectors::new(|_| true));

/// How many bytes are read in `len` bytes of `bait`, again and again.
fn reads(bait: &[u8], len: usize) -> u64 {
    let text: Vec<u8> = bait.iter().copied().cycle().take(len).collect();
    work::take();
    let piece = Piece { text: &text, ..Piece::default() };
    EVERY.scan(Arch::detect(), piece, &mut Carry::default(), &mut Vec::new());
    work::take()
}

/// Says what is wrong with what `bait` costs.
fn fault(name: &str, bait: &[u8]) -> Option<String> {
    let [once, twice, four_times] = [1, 2, 4].map(|times| reads(bait, times * LEN));
    let slack = LEN as u64;
    let grows = |less: u64, more: u64| more * 100 > less * GROWTH_MAX + 100 * slack;
    let dear = four_times > READS_MAX * 4 * slack;
    (dear || grows(once, twice) || grows(twice, four_times)).then(|| {
        let each = [(once, 1), (twice, 2), (four_times, 4)].map(|(reads, times)| reads / times / slack);
        format!("{name}: {each:?} reads a byte: {}", bait.escape_ascii())
    })
}

fn assert_cheap(baits: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let baits: BTreeSet<(Vec<u8>, String)> = baits.into_iter().map(|(name, bait)| (bait, name)).collect();
    assert!(!baits.is_empty());
    let faults: Vec<String> = baits.iter().filter_map(|(bait, name)| fault(name, bait)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Texts at which a window holds: the first, last and middle byte of each set, and mixtures.
fn held(window: &Window) -> Vec<Vec<u8>> {
    let pick = |salt: usize, place: usize, set: &ByteSet| {
        let bytes: Vec<u8> = (b' '..=b'~').chain(*b"\n").filter(|&byte| set.contains(byte)).collect();
        let idx = [0, bytes.len().wrapping_sub(1), bytes.len() / 2, salt * 7 + place * 13][salt.min(3)];
        bytes.get(idx % bytes.len().max(1)).copied().unwrap_or(b'0')
    };
    let text = |salt: usize| {
        let mut text = vec![b'0'; SPAN];
        for (place, (set, offset)) in window.sets.iter().zip(OFFSETS).enumerate() {
            text[offset] = pick(salt, place, set);
        }
        text
    };
    (0..5).map(text).collect()
}

#[test]
fn bait_of_examples_costs_linear_work() {
    assert_cheap(EVERY.detectors().iter().flat_map(|detector| {
        let texts = detector.examples.iter().chain(detector.non_examples);
        texts.map(|example| (detector.id.to_owned(), example.text().into_bytes()))
    }));
}

#[test]
fn bait_of_triggers_costs_linear_work() {
    let windows = EVERY.detectors().iter().flat_map(|detector| {
        let windows = windows_of(detector).into_iter();
        windows.flat_map(|window| held(&window)).map(|text| (detector.id.to_owned(), text))
    });
    let literals = EVERY.detectors().iter().flat_map(|detector| {
        let Triggers::Literals(literals) = detector.triggers else { return Vec::new() };
        let alone = |literal: &&[u8]| (detector.id.to_owned(), literal.to_vec());
        literals.iter().map(alone).collect()
    });
    let encodings = encoded::WINDOWS.iter().flat_map(|(window, encoding)| {
        held(window).into_iter().map(move |text| (format!("{encoding:?}"), text))
    });
    assert_cheap(windows.chain(literals).chain(encodings));
}

#[test]
fn bait_of_encoded_signs_costs_linear_work() {
    const SIGNS: [&str; 32] = [
        "%34",
        "=34",
        "&#52;",
        "&#x34;",
        "%2534",
        "=4",
        "=34=40",
        "a%34b",
        "%34a@",
        "1=40",
        "1=402",
        "=40x",
        "=40x1",
        "%40x1",
        "12345678=40x ",
        "12345678%34 ",
        "<!---->1",
        "<!-- -->@",
        "<wbr>1",
        "=\n1",
        "=\n1@",
        "34 32 34 32 ",
        "343234323432",
        "343234323432 ",
        "NDI0MjQyNDI0MjQy",
        "NDI0MjQyNDI0MjQy ",
        "NDI0MjQyNDI0MjQy.",
        "NDI0MjQyNDI0MjQy\n",
        "NDI0MjQyNDI0MjQy/",
        "%25",
        "a@b%2e",
        "1 %342 3",
    ];
    assert_cheap(SIGNS.map(|sign| ("signs".to_owned(), sign.as_bytes().to_vec())));
}

/// All of `text` in one encoding.
fn encode(encoding: Encoding, text: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sign = |byte: &u8| match encoding {
        Encoding::Percent => format!("%{byte:02X}"),
        Encoding::Html => format!("&#{byte};"),
        Encoding::QuotedPrintable => format!("={byte:02X}"),
        _ => format!("{byte:02x}"),
    };
    if encoding != Encoding::Base64 {
        return text.iter().flat_map(|byte| sign(byte).into_bytes()).collect();
    }
    let group = |bytes: &[u8]| {
        let bits =
            bytes.iter().fold(0, |bits, &byte| bits << 8 | usize::from(byte)) << (8 * (3 - bytes.len()));
        (0..=bytes.len()).map(move |idx| ALPHABET[bits >> (18 - 6 * idx) & 63]).collect::<Vec<_>>()
    };
    text.chunks(3).flat_map(group).collect()
}

#[test]
fn bait_in_every_encoding_costs_linear_work() {
    const TEXTS: [&[u8]; 5] = [
        b"4242 4242 4242 4242",
        b"a@b.example.com ",
        b"jane@example.com",
        b"key=0123456789abcdef ",
        b"12345678",
    ];
    const ENCODINGS: [Encoding; 5] =
        [Encoding::Base64, Encoding::Hex, Encoding::Percent, Encoding::Html, Encoding::QuotedPrintable];
    let mut baits = Vec::new();
    for (outer, text) in ENCODINGS.iter().flat_map(|encoding| TEXTS.map(|text| (*encoding, text))) {
        let once = encode(outer, text);
        // One run without end, and many.
        let many = [&once, &b" "[..]].concat();
        baits.extend([(format!("{outer:?}"), many), (format!("{outer:?}"), once.clone())]);
        let long = text.repeat(40);
        baits.extend(ENCODINGS.map(|inner| {
            (
                format!("{inner:?} in {outer:?}"),
                [encode(outer, &encode(inner, &long)), b" ".to_vec()].concat(),
            )
        }));
    }
    assert_cheap(baits);
}
