//! Tokens that end with a checksum: GitHub's and, in the same form, npm's; and the virtual keys of this project.
//!
//! ```text
//! ghp_ zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ 0mLq17
//!      └ thirty letters and digits    └ their CRC-32 in base 62, six signs
//! ```
//!
//! One in four thousand million strings has the right checksum by chance. So with it a token is one wherever it
//! stands, also behind letters; without it, a string of that very length is one that was mistyped or made up, most
//! of the time. It goes nevertheless, at a lower level: the checksum says what the vendor does now, not what he
//! will do. Other lengths have no checksum that is known, and are told by their prefix alone.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::tokens::{after_literal, body, row};
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

/// How many signs are checked, and how many say so.
const RANDOM_LEN: usize = 30;
const CHECK_LEN: usize = 6;
const BODY_LEN: usize = RANDOM_LEN + CHECK_LEN;

const SIGNS: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT);
const GITHUB: &[Window] = &[
    Window {
        sets: [
            ByteSet::of(b"g"),
            ByteSet::of(b"h"),
            ByteSet::of(b"pousr"),
            ByteSet::of(b"_"),
            SIGNS.or(ByteSet::of(b"_")),
            SIGNS.or(ByteSet::of(b"_")),
            SIGNS.or(ByteSet::of(b"_")),
            SIGNS.or(ByteSet::of(b"_")),
        ],
    },
    Window::literal(b"github_pat_"),
];
const NPM: &[Window] = &[Window {
    sets: [
        ByteSet::of(b"n"),
        ByteSet::of(b"p"),
        ByteSet::of(b"m"),
        ByteSet::of(b"_"),
        SIGNS,
        SIGNS,
        SIGNS,
        SIGNS,
    ],
}];

/// The signs of virtual keys: digits and small letters that cannot be taken for digits.
const KEY_SIGNS: ByteSet = ByteSet::of(b"0123456789abcdefghjkmnpqrstvwxyz");
const KEY: &[Window] = &[Window {
    sets: [
        ByteSet::of(b"v"),
        ByteSet::of(b"k"),
        ByteSet::of(b"_"),
        KEY_SIGNS,
        KEY_SIGNS,
        KEY_SIGNS,
        KEY_SIGNS,
        KEY_SIGNS,
    ],
}];

/// `vk_`, an id of eight signs, `_`, a secret of 32 signs; then `_` and eight hexadecimal digits of their CRC-32.
const KEY_BODY_LEN: usize = 3 + 8 + 1 + 32;
const KEY_LEN: usize = KEY_BODY_LEN + 1 + 8;

const CHECKED: &str = "vendor prefix and a right checksum, also behind letters; of another length, enough characters at the \
     beginning of a word";
const UNCHECKED: &str = "vendor prefix and 36 letters and digits whose checksum is wrong";

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        triggers: Triggers::Windows(GITHUB),
        find: Find::Code(|view, at| {
            github(view, at).filter(|token| token.is_certain).map(|token| token.span)
        }),
        validator: CHECKED,
        examples: &[
            Example::new("", &["gh", "p_", "0123456789abcdefghijABCDEFGHIJ", "3mpbCX"], ""),
            Example::new("token", &["gh", "s_", "000000000000000000000000000405", "00azb7"], "!"),
            Example::new("", &["github", "_pat_", "0123456789abcdefghijkl_mnopqrstuvwxyz"], ""),
            Example::new("", &["gh", "u_", "0123456789abcdefghijklmnopqrstuvwxyz0"], ""),
        ],
        non_examples: &[Example::none("ghp_short")],
        ..row(
            "github-token",
            "GitHub token",
            "GitHub documentation, token formats",
            &[],
            body(Class::WORD, 36),
        )
    },
    Detector {
        triggers: Triggers::Windows(GITHUB),
        find: Find::Code(|view, at| {
            github(view, at).filter(|token| !token.is_certain).map(|token| token.span)
        }),
        validator: UNCHECKED,
        level: Level::Likely,
        examples: &[Example::new("", &["gh", "p_", "0123456789abcdefghijklmnopqrstuvwxyz"], "")],
        non_examples: &[
            Example::none("ghp_short"),
            Example::none("highp_0123456789abcdefghijklmnopqrstuvwxyz"),
        ],
        ..row(
            "github-token-unchecked",
            "string in the form of a GitHub token, with a wrong checksum",
            "GitHub documentation, token formats",
            &[],
            body(Class::WORD, 36),
        )
    },
    Detector {
        triggers: Triggers::Windows(NPM),
        find: Find::Code(|view, at| npm(view, at).filter(|token| token.is_certain).map(|token| token.span)),
        validator: CHECKED,
        examples: &[Example::new("", &["npm", "_", "0123456789abcdefghijABCDEFGHIJ", "3mpbCX"], "")],
        non_examples: &[Example::none("npm_config_registry npm_lifecycle_event")],
        ..row(
            "npm-token",
            "npm access token",
            "npm documentation, access tokens",
            &[],
            body(Class::ALNUM, 36),
        )
    },
    Detector {
        triggers: Triggers::Windows(NPM),
        find: Find::Code(|view, at| npm(view, at).filter(|token| !token.is_certain).map(|token| token.span)),
        validator: UNCHECKED,
        level: Level::Likely,
        examples: &[Example::new("", &["npm", "_", "0123456789abcdefghijklmnopqrstuvwxyz"], "")],
        non_examples: &[Example::none("npm_config_registry npm_lifecycle_event")],
        ..row(
            "npm-token-unchecked",
            "string in the form of an npm access token, with a wrong checksum",
            "npm documentation, access tokens",
            &[],
            body(Class::ALNUM, 36),
        )
    },
    Detector {
        triggers: Triggers::Windows(KEY),
        find: Find::Code(virtual_key),
        swallow: None,
        validator: "prefix, id, secret, and a right checksum, wherever it stands",
        examples: &[
            Example::new(
                "use ",
                &["v", "k_01234567_", "0123456789abcdefghjkmnpqrstvwxyz", "_5bf18431"],
                " now",
            ),
            Example::new("key=", &["v", "k_01234567_", "0123456789abcdefghjkmnpqrstvwxyz", "_5bf18431"], "x"),
        ],
        non_examples: &[
            Example::none("vk_01234567_0123456789abcdefghjkmnpqrstvwxyz_00000000"),
            Example::none("vk_01234567_0123456789abcdefghjkmnpqrstvwxyz"),
            Example::none("vk_01234567"),
        ],
        ..row(
            "obelus-virtual-key",
            "virtual key of this project's sidecar",
            "the form of virtual keys of this project",
            &[],
            body(Class::WORD, KEY_LEN),
        )
    },
];

/// A token, and whether its form leaves no doubt.
struct Token {
    span: Range<usize>,
    is_certain: bool,
}

fn github(view: &View<'_>, at: usize) -> Option<Token> {
    if let Some(span) = after_literal(view, at, b"github_pat_", body(Class::WORD, 36)) {
        return Some(Token { span, is_certain: true });
    }
    let prefix = [&b"ghp_"[..], b"gho_", b"ghu_", b"ghs_", b"ghr_"].into_iter();
    prefix
        .filter(|prefix| view.starts_with(at, prefix))
        .find_map(|prefix| token(view, at, prefix, Class::WORD))
}

fn npm(view: &View<'_>, at: usize) -> Option<Token> {
    token(view, at, b"npm_", Class::ALNUM)
}

fn token(view: &View<'_>, at: usize, prefix: &[u8], class: Class) -> Option<Token> {
    if !view.starts_with(at, prefix) {
        return None;
    }
    let from = at + prefix.len();
    let end = view.run(from, class);
    if end - from >= BODY_LEN && is_checked(view.bytes(from, from + BODY_LEN)) {
        return Some(Token { span: at..end, is_certain: true });
    }
    let span = after_literal(view, at, prefix, body(class, BODY_LEN))?;
    Some(Token { is_certain: span.end - from != BODY_LEN, span })
}

fn virtual_key(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let end = view.run_up_to(at, KEY_LEN, Class::WORD);
    let (text, check) = view.bytes(at, end).split_at_checked(KEY_BODY_LEN)?;
    let sum = check.strip_prefix(b"_").filter(|sum| sum.len() == KEY_LEN - KEY_BODY_LEN - 1)?;
    let digits = std::str::from_utf8(sum).ok().filter(|_| sum.iter().all(u8::is_ascii_hexdigit))?;
    let is_key = text.starts_with(b"vk_") && u32::from_str_radix(digits, 16) == Ok(crc32(text));
    is_key.then_some(at..end)
}

/// Whether the last six of 36 letters and digits are the CRC-32 of the others.
fn is_checked(signs: &[u8]) -> bool {
    let Some((random, check)) = signs.split_at_checked(RANDOM_LEN) else { return false };
    let value = check.iter().try_fold(0u64, |value, &sign| Some(value * 62 + digit(sign)?));
    check.len() == CHECK_LEN && value == Some(u64::from(crc32(random)))
}

fn digit(sign: u8) -> Option<u64> {
    let digit = match sign {
        b'0'..=b'9' => sign - b'0',
        b'A'..=b'Z' => sign - b'A' + 10,
        b'a'..=b'z' => sign - b'a' + 36,
        _ => return None,
    };
    Some(u64::from(digit))
}

/// CRC-32 as in IEEE 802.3, bit by bit: it is asked for thirty bytes behind a prefix, and a table would be longer.
fn crc32(bytes: &[u8]) -> u32 {
    let fold = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    };
    !bytes.iter().fold(u32::MAX, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_sign_changed_anywhere_makes_the_checksum_wrong() {
        let token = ["zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat().into_bytes();
        assert!(is_checked(&token));
        for at in 0..token.len() {
            for other in (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z').chain([b'_', b'-']) {
                let mut changed = token.clone();
                changed[at] = other;
                assert_eq!(is_checked(&changed), other == token[at], "{at}");
            }
        }
    }

    #[test]
    fn what_is_too_short_has_no_checksum() {
        assert!(!is_checked(b""));
        assert!(!is_checked(&[b'0'; RANDOM_LEN]));
        assert!(!is_checked(&[b'0'; BODY_LEN - 1]));
    }
}
