//! Secrets of unknown form behind a word that says what they are.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::{EDGE_BUCKET, LABEL_BUCKET, ids};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

const VALUE: Class = Class::ALNUM.with(b"_-+/=.~");
/// What a password may consist of.
const PASSWORD: Class = VALUE.with(b"!@#$%^&?:|");
const NEAR: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"_-+/=.~!@#$%^&?:|\"'"));
const BETWEEN: ByteSet = ByteSet::of(b" :=\"'>\\");

/// The words, how far in the place to look for them is, and whether a password follows.
const LABELS: [(&[u8], usize, bool); 5] = [
    (b"secret", 2, false),
    (b"token", 1, false),
    (b"key", 0, false),
    (b"password", 4, true),
    (b"passwd", 2, true),
];

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "labelled-secret",
    category: Category::Secret,
    description: "value behind a word that ends with key, token, secret or password",
    validator: "twenty letters and digits, sixteen behind a colon or equals sign; a password eight; no object id",
    source: "usage",
    examples: &[
        Example::new("api_token = \"", &["0123456789", "abcdefgh"], "\""),
        Example::new("ACCESS_KEY ", &["0123456789", "abcdefghijkl"], " ok"),
        Example::new("password: ", &["correct-h0rse"], ", thanks"),
        Example::new("'clientSecret': '", &["v0qhPJv9", "fDRo5iQ2"], "'"),
    ],
    non_examples: &[
        Example::none("the key to the door, key: value, token count: 1234567890123456"),
        Example::new("the secret of internationalization2 and monkey 0123456789", &[], "abcdefghijkl"),
        Example::none("key pi_3MtwBwLkdIwHu7ix28a3tqPa token tok_1Mtw9vLkdIwHu7ix"),
        Example::new("idempotency_key: 0123456789", &[], "abcdefghijkl"),
        Example::new("publishable key: 0123456789", &[], "abcdefghijkl"),
        Example::none("password: [secret] token: <EMAIL_1> password: ********"),
    ],
    rank: 60,
    level: Level::Certain,
    triggers: Triggers::Windows(&[
        labelled(LABEL_BUCKET, [b"cC", b"rR", b"eE", b"tT"], BETWEEN),
        labelled(LABEL_BUCKET, [b"oO", b"kK", b"eE", b"nN"], BETWEEN),
        labelled(LABEL_BUCKET, [b"wW", b"oO", b"rR", b"dD"], BETWEEN),
        labelled(LABEL_BUCKET, [b"sS", b"sS", b"wW", b"dD"], BETWEEN),
        labelled(EDGE_BUCKET, [b"kK", b"eE", b"yY", b" :=\"'>\\"], BETWEEN.or(NEAR)),
    ]),
    behind: 24,
    ahead: 1024,
    lead: 16,
    swallow: Some(VALUE),
    yields_to_ids: false,
    find: Find::Code(find),
}];

/// A word's ending, what follows, and farther on nothing that a secret does not have.
const fn labelled(bucket: u8, head: [&[u8]; 4], next: ByteSet) -> Window {
    let [first, second, third, fourth] = head;
    let far = NEAR.or(BETWEEN);
    Window {
        sets: [
            ByteSet::of(first),
            ByteSet::of(second),
            ByteSet::of(third),
            ByteSet::of(fourth),
            next,
            far,
            far,
            far,
        ],
        bucket,
    }
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let (label, offset, is_password) = LABELS.iter().find(|(label, offset, _)| {
        at.checked_sub(*offset).is_some_and(|label_at| view.starts_with_any_case(label_at, label))
    })?;
    let word_end = at - offset + label.len();
    let word = view.back(word_end, Class::IDENT.with(b" "));
    if is_public(view.bytes(word, word_end)) || (*label == b"key" && !begins_word(view, at)) {
        return None;
    }
    let start = view.run_up_to(word_end, 8, Class::of(b" :=\"'>\\"));
    let gap = view.bytes(word_end, start);
    let assigned = gap.contains(&b':') || gap.contains(&b'=');
    if gap.is_empty() || (*is_password && !assigned) {
        return None;
    }
    let mut end = view.run(start, if *is_password { PASSWORD } else { VALUE });
    // What ends a sentence is not part of it.
    while end > start && end < view.limit() && Class::of(b".!?:").has(view.before(end)) {
        end -= 1;
    }
    let value = view.bytes(start, end);
    let len_min = if *is_password {
        8
    } else if assigned {
        16
    } else {
        20
    };
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let dense = if *is_password { digits > 0 || letters < value.len() } else { digits > 1 && letters > 1 };
    let plain = value.len() >= len_min
        && dense
        && letters > 0
        && !ids::is_object_id(value)
        && !value.starts_with(b"pk_");
    plain.then_some(start..end)
}

/// Whether `key` at `at` is a word or the end of one made of several: `monkey` is none.
fn begins_word(view: &View<'_>, at: usize) -> bool {
    !view.before(at).is_ascii_lowercase() || view.at(at).is_ascii_uppercase() || view.ends_with(at, b"api")
}

/// Whether the words that end with the label say that the value may be seen.
fn is_public(words: &[u8]) -> bool {
    const PUBLIC: [&[u8]; 5] = [b"idempotency", b"public", b"lookup", b"publishable", b"primary"];
    let lower = |from: usize, word: &[u8]| {
        words[from..].iter().zip(word).all(|(byte, other)| byte.to_ascii_lowercase() == *other)
    };
    PUBLIC.iter().any(|word| (0..(words.len() + 1).saturating_sub(word.len())).any(|from| lower(from, word)))
}
