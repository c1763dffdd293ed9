//! What stands where a secret would, and is none.

use memchr::memmem;

/// How many equal signs in a row no secret has.
const FILLER_LEN: usize = 6;

/// Words that people put in place of a secret.
const WORDS: [&[u8]; 8] =
    [b"your_", b"your-", b"yourpass", b"changeme", b"placeholder", b"redacted", b"process.env", b"environ"];

/// Whether `value` is filler, a variable or words that ask for a secret.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    is_filler(value) || is_variable(value) || has_word(value)
}

/// Whether `value` is one sign many times, or holds a row of signs that mark what was left out.
fn is_filler(value: &[u8]) -> bool {
    let mut signs = value.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let first = signs.next();
    let mut run = 0;
    let mut last = 0;
    let has_row = value.iter().any(|&byte| {
        run = if byte == last { run + 1 } else { 1 };
        last = byte;
        run >= FILLER_LEN && matches!(byte, b'x' | b'X' | b'*' | b'#' | b'.' | b'_' | b'-')
    });
    has_row || first.is_none_or(|first| signs.all(|sign| sign == first))
}

/// Whether `value` is a variable of a shell or a template: `$NAME`, `${name}`, `%NAME%`, `{{name}}`, `<name>`.
fn is_variable(value: &[u8]) -> bool {
    let names = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    match value {
        [b'$', b'{' | b'(', ..] | [b'{', b'{', ..] | [b'<', ..] | [b'#', b'{', ..] => true,
        [b'$', name @ ..] => {
            let end = name.iter().position(|byte| matches!(byte, b'/' | b'@' | b':')).unwrap_or(name.len());
            names(&name[..end]) || name.eq_ignore_ascii_case(b"password")
        }
        [b'%', name @ .., b'%'] => name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_'),
        _ => false,
    }
}

fn has_word(value: &[u8]) -> bool {
    const LOOK_LEN: usize = 64;
    let mut lower = [0; LOOK_LEN];
    let len = value.len().min(LOOK_LEN);
    for (slot, byte) in lower.iter_mut().zip(value) {
        *slot = byte.to_ascii_lowercase();
    }
    WORDS.iter().any(|word| memmem::find(&lower[..len], word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_a_secret_is_none() {
        for value in
            ["xxxxxxxx", "YOUR_API_KEY", "$DB_PASSWORD", "${pw}", "%PASS%", "<token>", "00000000", "****"]
        {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["$ecret1", "0a0a0a0a", "0123456789abcdef", "xoxo12", "p%40ss"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }
}
