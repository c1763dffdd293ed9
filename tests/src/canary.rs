//! Looks for a secret in every spelling an output could give it.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// The spelling under which `secret` stands in `output`, if it does.
///
/// Spellings are: as it is (upper or lower case), JSON escapes, hexadecimal, percent, base64 at each of the three
/// alignments in both alphabets, reversed, and with separators between the characters.
pub fn find(output: &[u8], secret: &str) -> Option<&'static str> {
    let lower = output.to_ascii_lowercase();
    let has = |needle: &str| crate::run::find(&lower, needle.to_ascii_lowercase().as_bytes()).is_some();
    if has(secret) {
        return Some("as it is");
    }
    if has(&secret.chars().rev().collect::<String>()) {
        return Some("reversed");
    }
    for (name, unit) in SPELLINGS {
        if has(&secret.chars().map(unit).collect::<String>()) {
            return Some(name);
        }
    }
    if let Some(text) = unescape(output)
        && crate::run::find(text.to_lowercase().as_bytes(), secret.to_lowercase().as_bytes()).is_some()
    {
        return Some("JSON escapes, some");
    }
    let bare: Vec<u8> = lower.iter().copied().filter(|byte| !b" -._\t".contains(byte)).collect();
    let bare_secret: String =
        secret.to_ascii_lowercase().chars().filter(|unit| !" -._\t".contains(*unit)).collect();
    if crate::run::find(&bare, bare_secret.as_bytes()).is_some() {
        return Some("with separators");
    }
    has_base64(output, secret).then_some("base64")
}

/// How a character is spelt.
type Spelling = fn(char) -> String;

const SPELLINGS: [(&str, Spelling); 4] = [
    ("JSON escapes", |unit| format!("\\u{:04x}", u32::from(unit))),
    ("hexadecimal", |unit| format!("{:02x}", u32::from(unit))),
    ("hexadecimal with spaces", |unit| format!("{:02x} ", u32::from(unit))),
    ("percent", |unit| format!("%{:02x}", u32::from(unit))),
];

/// Base64 depends on where in a group of three the secret begins: the characters that depend on nothing but the
/// secret are looked for.
fn has_base64(output: &[u8], secret: &str) -> bool {
    [alphabet::STANDARD, alphabet::URL_SAFE].iter().any(|alphabet| {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        (0..3).any(|shift| {
            let mut padded = vec![b'x'; shift];
            padded.extend_from_slice(secret.as_bytes());
            let whole = padded.len() / 3 * 3;
            let encoded = engine.encode(&padded[..whole]);
            let needle = encoded.as_bytes().get(if shift == 0 { 0 } else { 4 }..).unwrap_or_default();
            needle.len() >= 8 && crate::run::find(output, needle).is_some()
        })
    })
}

/// The text with `\u` and one-letter escapes resolved, however often they are nested.
fn unescape(output: &[u8]) -> Option<String> {
    let mut text: Vec<char> = std::str::from_utf8(output).ok()?.chars().collect();
    for _ in 0..9 {
        let (mut next, mut at) = (Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let hex: String = text.iter().skip(at + 2).take(4).collect();
            let code = u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 4).and_then(char::from_u32);
            match (text[at], text.get(at + 1), code) {
                ('\\', Some('u'), Some(code)) => {
                    next.push(code);
                    at += 6;
                }
                ('\\', Some(&escaped), _) => {
                    next.push(escaped);
                    at += 2;
                }
                (plain, ..) => {
                    next.push(plain);
                    at += 1;
                }
            }
        }
        if next == text {
            break;
        }
        text = next;
    }
    Some(text.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::find;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    const SECRET: &str = "quartz.vex@example.com";

    #[test]
    fn every_spelling_is_seen() {
        let base64 = |before: &str| STANDARD.encode(format!("{before}{SECRET} and more"));
        let spellings = [
            SECRET.to_uppercase(),
            SECRET.chars().rev().collect(),
            SECRET.replace('q', "\\u0071").replace('@', "\\\\u0040"),
            SECRET.bytes().map(|byte| format!("{byte:02X}")).collect(),
            SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            SECRET.replace("vex", "v-e x"),
            base64(""),
            base64("a"),
            base64("ab"),
            base64("abc"),
        ];
        for spelling in spellings {
            assert!(find(format!("before {spelling} after").as_bytes(), SECRET).is_some(), "{spelling}");
        }
    }

    #[test]
    fn a_label_is_no_spelling() {
        assert_eq!(find(br#"{"email":"[email]","domain":"example.com"}"#, SECRET), None);
    }
}
