//! The form of tokens: what stands for a value and can be turned back by whoever made it.
//!
//! *Short*: `obl_`, the category with underscores, an underscore, twenty letters `a` to `p` of four bits each.
//! *Sealed*: the same with a `z` and two letters for the length in place of the twenty, and so many bytes in such letters:
//! a key's short name, and the value itself, sealed.
//!
//! Letters, because digits would be found again, as a card number by chance; no sign that JSON, Markdown or a link would
//! escape; a length that is fixed, or stands before what it is of, so that no token begins another.

use memchr::memmem;

use crate::Category;

/// What every token begins with.
pub const PREFIX: &[u8] = b"obl_";

/// How many bytes the letters of a short token stand for.
pub const BODY_BYTES: usize = 10;

/// How many bytes a sealed token holds beside the value: the name of the key, and the synthetic vector (RFC 5297).
pub const SEALED_MORE_BYTES: usize = 2 + 16;

/// How long a value may be that a sealed token holds. Of a streamed text a token and the word before it are held, which may
/// be another: both stay below 512 bytes.
pub const SEALED_VALUE_BYTES_MAX: usize = 88;

/// How long a token may be: the longest category is `card-fingerprint`.
pub const LEN_MAX: usize = PREFIX.len() + 16 + 1 + 3 + 2 * (SEALED_MORE_BYTES + SEALED_VALUE_BYTES_MAX);

/// What stands before the length of a sealed token, and never in a short one.
const SEALED: u8 = b'z';

/// What the letters of a token stand for.
#[derive(Clone, Eq, PartialEq)]
pub enum Body {
    /// A name for a value that is kept elsewhere.
    Short([u8; BODY_BYTES]),
    /// The value itself, sealed, behind the name of a key.
    Sealed(Vec<u8>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Appends the short token of a category with the given body.
pub fn render(category: Category, body: [u8; BODY_BYTES], out: &mut Vec<u8>) {
    render_head(category, out);
    render_letters(&body, out);
}

/// Appends the sealed token of a category and says whether there is one: not for a body that is none.
pub fn render_sealed(category: Category, body: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(len) = u8::try_from(body.len()).ok().filter(|len| may_be_sealed(*len)) else { return false };
    render_head(category, out);
    out.push(SEALED);
    render_letters(&[len], out);
    render_letters(body, out);
    true
}

fn render_head(category: Category, out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX);
    out.extend(category.as_str().bytes().map(|byte| if byte == b'-' { b'_' } else { byte }));
    out.push(b'_');
}

fn render_letters(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]));
}

/// Whether a sealed token may hold so many bytes.
fn may_be_sealed(len: u8) -> bool {
    (SEALED_MORE_BYTES + 1..=SEALED_MORE_BYTES + SEALED_VALUE_BYTES_MAX).contains(&usize::from(len))
}

/// The category and the length of the token with which `text` begins, if it does.
pub fn parse(text: &[u8]) -> Option<(Category, usize)> {
    let rest = text.strip_prefix(PREFIX)?;
    Category::ALL.iter().find_map(|&category| {
        let letters = letters(rest, category)?;
        let len = letters_len(letters)?;
        are_letters(behind_sign(letters.get(..len)?)).then_some((category, text.len() - letters.len() + len))
    })
}

/// What `token` says, if it is a token and nothing else.
pub fn body(token: &[u8]) -> Option<(Category, Body)> {
    let (category, _) = parse(token).filter(|(_, len)| *len == token.len())?;
    let letters = letters(token.strip_prefix(PREFIX)?, category)?;
    match letters.strip_prefix(&[SEALED]) {
        Some(sealed) => Some((category, Body::Sealed(read(sealed.get(2..)?).collect()))),
        None => {
            let mut body = [0; BODY_BYTES];
            body.iter_mut().zip(read(letters)).for_each(|(byte, read)| *byte = read);
            Some((category, Body::Short(body)))
        }
    }
}

/// Whether `text` is shorter than a token and may become one with what comes.
pub fn may_go_on(text: &[u8]) -> bool {
    match text.strip_prefix(PREFIX) {
        Some(rest) => Category::ALL.iter().any(|category| may_become(rest, *category)),
        None => PREFIX.starts_with(text),
    }
}

/// As [`may_go_on`], of one category and behind the prefix.
fn may_become(rest: &[u8], category: Category) -> bool {
    let Some(letters) = letters(rest, category) else {
        let mut head = Vec::new();
        render_head(category, &mut head);
        return head.strip_prefix(PREFIX).is_some_and(|head| head.starts_with(rest));
    };
    let are_so_far = are_letters(behind_sign(letters));
    match letters_len(letters) {
        Some(len) => letters.len() < len && are_so_far,
        // The length is not there yet.
        None => letters.len() < 3 && are_so_far,
    }
}

/// What follows the category in the rest of a token, if it is of that.
fn letters(rest: &[u8], category: Category) -> Option<&[u8]> {
    let name = category.as_str().as_bytes();
    let (head, rest) = rest.split_at_checked(name.len())?;
    let is_it = head.iter().zip(name).all(|(&byte, &sign)| byte == if sign == b'-' { b'_' } else { sign });
    rest.strip_prefix(b"_").filter(|_| is_it)
}

/// How many letters there must be, as far as they say it.
fn letters_len(letters: &[u8]) -> Option<usize> {
    match letters {
        [SEALED, length @ ..] => {
            let length = length.get(..2).filter(|length| are_letters(length))?;
            let len = read(length).next().filter(|len| may_be_sealed(*len))?;
            Some(3 + 2 * usize::from(len))
        }
        [] => None,
        _ => Some(2 * BODY_BYTES),
    }
}

/// The bytes that letters stand for.
fn read(letters: &[u8]) -> impl Iterator<Item = u8> {
    letters
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, letter| byte << 4 | letter.wrapping_sub(b'a')))
}

/// The letters that stand for bytes, of a token of either form.
fn behind_sign(letters: &[u8]) -> &[u8] {
    letters.strip_prefix(&[SEALED]).unwrap_or(letters)
}

/// Whether all stand for four bits.
fn are_letters(letters: &[u8]) -> bool {
    letters.iter().all(|byte| matches!(byte, b'a'..=b'p'))
}

/// Where the first token in `text` begins and how long it is.
pub fn find(text: &[u8]) -> Option<(usize, usize)> {
    memmem::find_iter(text, PREFIX).find_map(|at| Some((at, parse(text.get(at..)?)?.1)))
}

/// Whether there is anything in `text` that begins as a token does.
pub fn may_hold(text: &[u8]) -> bool {
    memmem::find(text, PREFIX).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_behind_what_only_begins_like_one() {
        let text = b"obl_ obl_email_abc obl_obl_email_abcdefghijklmnopabcd obl_email_abcdefghijklmnopabcd";
        assert_eq!(find(text), Some((23, 30)));
        assert_eq!(find(&text[24..53]), None);
        assert!(may_hold(&text[..4]) && !may_hold(&text[..3]));
    }

    #[test]
    fn tokens_are_known_again() {
        for &category in Category::ALL {
            let mut token = Vec::new();
            render(category, [0x0f; BODY_BYTES], &mut token);
            assert_eq!(parse(&token), Some((category, token.len())));
            assert!(token.len() <= LEN_MAX, "{category}");
            token.extend_from_slice(b"s and more");
            assert_eq!(parse(&token).map(|(category, _)| category), Some(category));
        }
    }

    #[test]
    fn what_is_nearly_a_token_is_none() {
        for text in [
            "obl_email_",
            "obl_email_abcdefghijklmnopabc",
            "obl_mail_abcdefghijklmnopabcd",
            "OBL_email_abcdefghijklmnopabcd",
            "obl_email_abcdefghijklmnopabcq",
            "obl_email-abcdefghijklmnopabcd",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    fn sealed(category: Category, value_len: usize) -> Vec<u8> {
        let mut token = Vec::new();
        assert!(render_sealed(category, &vec![0xf1; SEALED_MORE_BYTES + value_len], &mut token));
        token
    }

    #[test]
    fn sealed_tokens_are_known_again_and_say_what_they_hold() {
        for &category in Category::ALL {
            for len in [1, 2, SEALED_VALUE_BYTES_MAX] {
                let mut token = sealed(category, len);
                assert_eq!(parse(&token), Some((category, token.len())));
                let body = Body::Sealed(vec![0xf1; SEALED_MORE_BYTES + len]);
                assert!(super::body(&token) == Some((category, body)));
                assert!(token.len() <= LEN_MAX, "{category}");
                assert!(token.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'));
                let whole = token.len();
                token.extend_from_slice(b"and more");
                assert_eq!((parse(&token), super::body(&token)), (Some((category, whole)), None));
                assert_eq!(find(&token), Some((0, whole)));
            }
        }
        let mut none = Vec::new();
        for len in [0, SEALED_MORE_BYTES, SEALED_MORE_BYTES + SEALED_VALUE_BYTES_MAX + 1, 300] {
            assert!(!render_sealed(Category::Email, &vec![0; len], &mut none) && none.is_empty(), "{len}");
        }
    }

    #[test]
    fn no_token_begins_another() {
        let mut short = Vec::new();
        render(Category::Email, [0x0f; BODY_BYTES], &mut short);
        let tokens =
            [short, sealed(Category::Email, 1), sealed(Category::Email, 9), sealed(Category::Phone, 9)];
        for (at, one) in tokens.iter().enumerate() {
            for (of, other) in tokens.iter().enumerate() {
                assert_eq!(other.starts_with(one), at == of, "{at} {of}");
            }
        }
    }

    #[test]
    fn what_may_become_a_token_is_known_at_every_byte() {
        let mut short = Vec::new();
        render(Category::CardNumber, [0x0f; BODY_BYTES], &mut short);
        for token in [short, sealed(Category::CardNumber, 3)] {
            for at in 0..token.len() {
                assert!(may_go_on(&token[..at]), "{at}");
                let other = [&token[..at], b"A"].concat();
                assert!(!may_go_on(&other) && parse(&other).is_none(), "{at}");
            }
            assert!(!may_go_on(&token), "it is whole");
        }
        for text in ["obl_email_zaa", "obl_email_zpp", "obl_email_az", "obl_email_zz", "obl_mail_"] {
            assert!(!may_go_on(text.as_bytes()), "{text}");
        }
    }
}
