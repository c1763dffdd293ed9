//! The form of tokens: what stands for a value and can be turned back by whoever made it.
//!
//! `obl_`, the category with underscores, an underscore, twenty letters `a` to `p` of four bits each. Letters,
//! because digits would be found again, as a card number by chance; no sign that JSON, Markdown or a link would
//! escape; a fixed length behind the category, so that no token begins another.

use memchr::memmem;

use crate::Category;

/// What every token begins with.
pub const PREFIX: &[u8] = b"obl_";

/// How many bytes the letters of a token stand for.
pub const BODY_BYTES: usize = 10;

/// How long a token may be: the longest category is `card-fingerprint`.
pub const LEN_MAX: usize = PREFIX.len() + 16 + 1 + 2 * BODY_BYTES;

/// Appends the token of a category with the given body.
pub fn render(category: Category, body: [u8; BODY_BYTES], out: &mut Vec<u8>) {
    out.extend_from_slice(PREFIX);
    out.extend(category.as_str().bytes().map(|byte| if byte == b'-' { b'_' } else { byte }));
    out.push(b'_');
    out.extend(body.iter().flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]));
}

/// The category and the length of the token with which `text` begins, if it does.
pub fn parse(text: &[u8]) -> Option<(Category, usize)> {
    let rest = text.strip_prefix(PREFIX)?;
    let (category, name_len) = Category::ALL.iter().find_map(|&category| {
        let name = category.as_str().as_bytes();
        let spelled = rest.get(..name.len())?.iter().zip(name);
        let is_it = spelled.clone().all(|(&byte, &sign)| byte == if sign == b'-' { b'_' } else { sign });
        let begins_body = rest.get(name.len()) == Some(&b'_');
        let body = rest.get(name.len() + 1..name.len() + 1 + 2 * BODY_BYTES)?;
        let is_body = body.iter().all(|byte| matches!(byte, b'a'..=b'p'));
        (is_it && begins_body && is_body).then_some((category, name.len()))
    })?;
    Some((category, PREFIX.len() + name_len + 1 + 2 * BODY_BYTES))
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
}
