//! Secrets of unknown form behind a word that says what they are.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::ids;
use super::placeholder::is_placeholder;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const VALUE: Class = Class::ALNUM.with(b"_-+/=.~");
/// What a password may consist of.
const PASSWORD: Class = VALUE.with(b"!@#$%^&?:|*{}");
const NEAR: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"_-+/=.~!@#$%^&?:|\"'"));
/// What may stand between a word and its value.
const BETWEEN: ByteSet = ByteSet::of(b" :=\"'>\\-_.,(\t\n");
const GAP: Class = Class::of(b" :=\"'>\\-_.,(\t\n");
const GAP_LEN_MAX: usize = 10;
const UUID_LEN: usize = 36;

/// What a word says about the value behind it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A secret, or something of it: `secret`, `token`, `api key`.
    Key,
    /// Perhaps one: `access`, `private`.
    Hint,
    Password,
}

/// A word, and how far in the place to look for it is.
struct Label {
    word: &'static [u8],
    offset: usize,
    kind: Kind,
}

const fn label(word: &'static [u8], offset: usize, kind: Kind) -> Label {
    Label { word, offset, kind }
}

const LABELS: [Label; 8] = [
    label(b"secret", 2, Kind::Key),
    label(b"token", 1, Kind::Key),
    label(b"key", 0, Kind::Key),
    label(b"access", 2, Kind::Hint),
    label(b"private", 3, Kind::Hint),
    label(b"password", 4, Kind::Password),
    label(b"passwd", 2, Kind::Password),
    label(b"_pass", 1, Kind::Password),
];

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "labelled-secret",
    category: Category::Secret,
    description: "value behind a word that ends with key, token, secret, access, private or password",
    validator: "twenty letters and digits, sixteen behind a colon or equals sign; a password eight; no object id",
    source: "usage",
    examples: &[
        Example::new("api_token = \"", &["0123456789", "abcdefgh"], "\""),
        Example::new("ACCESS_KEY ", &["0123456789", "abcdefghijkl"], " ok"),
        Example::new("password: ", &["correct-h0rse"], ", thanks"),
        Example::new("'clientSecret': '", &["v0qhPJv9", "fDRo5iQ2"], "'"),
        Example::new("acme-secret-", &["0123456789abcdef", "0123456789abcdef"], " ok"),
        Example::new("acme ACCESS ", &["0123456789abcdef", "0123456789abcdef"], ""),
        Example::new("secretkey=", &["ab12", "cd34ef56"], ""),
        Example::new("with password '", &["Filler", "Word9"], "' and"),
        Example::new("and his password ", &["!filler", "4word"], "."),
        Example::new("Server=db;Password=", &["filler", "word"], ";"),
        Example::new("APP_AUTH_PASS=", &["filler", "word"], " # x"),
    ],
    non_examples: &[
        Example::none("the key to the door, key: value, token count: 1234567890123456"),
        Example::new("the secret of internationalization2 and monkey 0123456789", &[], "abcdefghijkl"),
        Example::none("key pi_3MtwBwLkdIwHu7ix28a3tqPa token tok_1Mtw9vLkdIwHu7ix"),
        Example::new("idempotency_key: 0123456789", &[], "abcdefghijkl"),
        Example::new("publishable key: 0123456789", &[], "abcdefghijkl"),
        Example::none("password: [secret] token: <EMAIL_1> password: ********"),
        Example::none("password=${DB_PASSWORD} token: $API_TOKEN_VALUE_2024_A password=getPassword()"),
        Example::none("api_key: YOUR_API_KEY_0123456 secret: xxxxxxxxxxxxxxxx12ab"),
        Example::none("password=required password reset2 password for jane"),
        Example::none("access-log-2026-04-07-archive private-network-10-0-0-1-eu access 2026-04-07T10:15:30"),
        Example::none(
            "password: core::ffi::c_str const WRONG_PASSWORD: status_t = new_password: user.secret_word",
        ),
        Example::none("token_count_0123456789abcdefgh key-value-store-0123456789"),
        Example::none("page-token --batch-size-limit=4088 KeyError: 'token'\n\nissue-epoch-wallet==5.28.18 "),
        Example::none("let token = self.filter_12.take(7); commit_token::ha09b09fc2d834b55"),
        Example::none("(\"target_token\", \"trigger_zone_track97\") bucket_token(event_entry_column=4966)"),
        Example::none("token = self.patch_storage_74[0] nodeToken: StorageEntryWorker33[] = []"),
        Example::none("mirror-token:12.0.38-alpha.17 quota-token v0.0.0-20261120112445-357616181437/go.mod"),
    ],
    rank: 60,
    level: Level::Likely,
    triggers: Triggers::Windows(&[
        labelled([b"cC", b"rR", b"eE", b"tT"], BETWEEN),
        labelled([b"oO", b"kK", b"eE", b"nN"], BETWEEN),
        labelled([b"wW", b"oO", b"rR", b"dD"], BETWEEN),
        labelled([b"sS", b"sS", b"wW", b"dD"], BETWEEN),
        labelled([b"cC", b"eE", b"sS", b"sS"], BETWEEN),
        labelled([b"vV", b"aA", b"tT", b"eE"], BETWEEN),
        labelled([b"pP", b"aA", b"sS", b"sS"], ByteSet::of(b"=:")),
        labelled([b"kK", b"eE", b"yY", b" :=\"'>\\-_.,(\t\n"], BETWEEN.or(NEAR)),
    ]),
    behind: 24,
    ahead: 1024,
    lead: 24,
    swallow: Some(VALUE),
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

/// A word's ending, what follows, and farther on nothing that a secret does not have.
const fn labelled(head: [&[u8]; 4], next: ByteSet) -> Window {
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
    }
}

/// What stands between a word and its value.
struct Gap {
    /// A colon or an equals sign.
    assigned: bool,
    /// Nothing but an equals sign.
    equals: bool,
    /// The quotation mark directly before the value, or zero.
    quote: u8,
    /// Nothing but hyphens, underscores and dots.
    joined: bool,
    /// The value is the next of a list, or the argument of a call.
    listed: bool,
    /// Another matter begins: an option of a command, a paragraph, a step of a path in a program.
    parts: bool,
}

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let Label { word, offset, kind } = LABELS.iter().find(|label| {
        at.checked_sub(label.offset).is_some_and(|from| view.starts_with_any_case(from, label.word))
    })?;
    let word_end = at - offset + word.len();
    let start = value_start(view, word_end)?;
    let begin = view.back(word_end, Class::IDENT.with(b" "));
    if is_public(view.bytes(begin, word_end)) || (*word == b"key" && !begins_word(view, at)) {
        return None;
    }
    let gap = gap(view.bytes(word_end, start));
    if gap.parts {
        return None;
    }
    if *kind == Kind::Password { password(view, start, &gap) } else { key(view, start, &gap, *kind) }
}

/// Where the value behind the word that ends at `word_end` begins: behind punctuation, and perhaps `is`.
fn value_start(view: &View<'_>, word_end: usize) -> Option<usize> {
    let start = view.run_up_to(word_end, GAP_LEN_MAX, GAP);
    if start == word_end {
        return None;
    }
    let spoken = view.starts_with(start, b"is ") && view.before(start) == b' ';
    Some(if spoken { view.run_up_to(start + 3, 3, Class::of(b" :\"'")) } else { start })
}

fn gap(bytes: &[u8]) -> Gap {
    let last = bytes.last().copied().unwrap_or(0);
    let assigned = bytes.iter().any(|byte| matches!(byte, b':' | b'='));
    let option = bytes.ends_with(b" -") || bytes.ends_with(b" --");
    let path = bytes == b"::";
    let paragraph = bytes.iter().filter(|&&byte| byte == b'\n').count() > 1;
    Gap {
        assigned,
        equals: bytes == b"=",
        quote: if matches!(last, b'"' | b'\'') { last } else { 0 },
        joined: bytes.iter().all(|byte| matches!(byte, b'-' | b'_' | b'.')),
        listed: !assigned && (bytes.contains(&b',') || bytes == b"("),
        parts: path || !assigned && (option || paragraph),
    }
}

fn key(view: &View<'_>, start: usize, gap: &Gap, kind: Kind) -> Option<Range<usize>> {
    let strict = gap.joined || gap.listed || kind == Kind::Hint;
    let end = trimmed(view, start, if strict { one_piece(view, start)? } else { view.run(start, VALUE) });
    let value = view.bytes(start, end);
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let plain = if strict {
        // A name goes on behind the word more often than a value begins: no part of it may be a word.
        value.len() >= 20 && digits > 3 && letters > 2 && (is_one(value) || is_uuid(value))
    } else if gap.assigned {
        value.len() >= 16 && digits > 1 && letters > 1
            || value.len() >= 12 && digits > 2 && letters > 2 && is_one(value)
            || value.len() >= 32 && digits == value.len()
    } else {
        value.len() >= 20 && digits > 1 && letters > 1
    };
    let called = matches!(view.at(end), b'(' | b'[');
    (plain && !called && !is_version(value) && !is_id(value) && !is_name(value) && !is_placeholder(value))
        .then_some(start..end)
}

fn password(view: &View<'_>, start: usize, gap: &Gap) -> Option<Range<usize>> {
    let run = view.run(start, PASSWORD);
    let quoted = gap.quote != 0 && view.at(run) == gap.quote;
    let end = if quoted { run } else { trimmed(view, start, run) };
    let value = view.bytes(start, end);
    if gap.joined || value.is_empty() || is_placeholder(value) || is_word_for_one(value) || is_name(value) {
        return None;
    }
    let digits = value.iter().any(u8::is_ascii_digit);
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let marked = value.iter().any(|byte| b"!@#$%^&*?+=~|".contains(byte));
    // Names in programs have hyphens, underscores and dots; what stands in quotation marks may be a password.
    let dense = letters > 0 && (digits || marked || quoted && letters < value.len());
    let plain = if gap.assigned {
        // What is called or looked up is no value.
        let called = matches!(view.at(run), b'(' | b'[') || (!quoted && value.contains(&b'.') && !digits);
        let set = (gap.equals || (quoted && gap.assigned)) && value.len() >= 6;
        !called && (value.len() >= 8 && dense || set && letters == value.len())
    } else {
        value.len() >= 8 && digits && letters > 0 && (quoted || marked)
    };
    plain.then_some(start..end)
}

/// Where the value at `start` ends, if it may be in one piece or a UUID: a name that goes on and on is not read.
fn one_piece(view: &View<'_>, start: usize) -> Option<usize> {
    let one = view.run(start, Class::ALNUM.with(b"+/="));
    if !VALUE.has(view.at(view.run_up_to(one, 3, Class::of(b".")))) {
        return Some(one);
    }
    let end = view.run_up_to(start, UUID_LEN + 4, VALUE);
    (one < start + UUID_LEN).then_some(end)
}

/// `end` without the signs that end a sentence.
fn trimmed(view: &View<'_>, start: usize, mut end: usize) -> usize {
    while end > start && end < view.limit() && Class::of(b".!?:").has(view.before(end)) {
        end -= 1;
    }
    end
}

/// Whether `value` is in one piece: without signs, but padding at its end.
fn is_one(value: &[u8]) -> bool {
    let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
    value[..value.len() - padding]
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Letters and digits in the groups of a UUID.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == UUID_LEN
        && value.iter().enumerate().all(|(idx, byte)| match idx {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_alphanumeric(),
        })
}

/// Whether `value` is an object's id or a key that may be seen, and not a secret with a prefix of its own.
fn is_id(value: &[u8]) -> bool {
    const OF_SECRETS: [&[u8]; 6] = [b"live_", b"api_", b"sk_", b"ak_", b"key_", b"secret_"];
    value.starts_with(b"pk_")
        || ids::is_object_id(value) && !OF_SECRETS.iter().any(|prefix| value.starts_with(prefix))
}

/// Whether `value` is a constant or a path of a program: `MAX_TOKEN_2`, `core::ffi::c_str`.
fn is_name(value: &[u8]) -> bool {
    let constant = value.contains(&b'_')
        && value.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && value.iter().filter(|byte| byte.is_ascii_digit()).count() * 4 < value.len();
    constant || memchr::memmem::find(value, b"::").is_some()
}

/// Whether `value` begins as versions do: three numbers with dots, perhaps behind a `v`, and then a sign or nothing.
fn is_version(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"v").unwrap_or(value);
    let len = value.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let mut parts = value[..len].split(|&byte| byte == b'.');
    let numbers = parts.by_ref().take(3).filter(|part| (1..=6).contains(&part.len())).count() == 3;
    numbers && parts.next().is_none() && value.get(len).is_none_or(|byte| matches!(byte, b'-' | b'+'))
}

/// Whether `key` at `at` is a word or the end of one made of several: `monkey` is none.
fn begins_word(view: &View<'_>, at: usize) -> bool {
    const FIRST: [&[u8]; 8] =
        [b"api", b"secret", b"access", b"private", b"auth", b"account", b"license", b"storage"];
    !view.before(at).is_ascii_lowercase()
        || view.at(at).is_ascii_uppercase()
        || FIRST.iter().any(|first| view.ends_with(at, first))
}

/// Whether `value` is a word that people write where a password would stand.
fn is_word_for_one(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"required",
        b"string",
        b"password",
        b"secret",
        b"hidden",
        b"undefined",
        b"optional",
        b"disabled",
        b"enabled",
        b"invalid",
        b"incorrect",
        b"prompt",
        b"passwd",
        b"missing",
    ];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether the words that end with the label say that the value may be seen.
fn is_public(words: &[u8]) -> bool {
    const PUBLIC: [&[u8]; 5] = [b"idempotency", b"public", b"lookup", b"publishable", b"primary"];
    let lower = |from: usize, word: &[u8]| {
        words[from..].iter().zip(word).all(|(byte, other)| byte.to_ascii_lowercase() == *other)
    };
    PUBLIC.iter().any(|word| (0..(words.len() + 1).saturating_sub(word.len())).any(|from| lower(from, word)))
}
