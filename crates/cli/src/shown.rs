//! Text from records and events, as a terminal may show it.

use obelus_gate::Currency;
use std::borrow::Cow;

/// The same text, with escapes in place of characters that would steer a terminal or change the order in which text is
/// read: controls, marks of direction, what is invisible.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for sign in text.chars() {
        if is_plain(sign) {
            out.push(sign);
        } else {
            out.extend(sign.escape_unicode());
        }
    }
    Cow::Owned(out)
}

/// An amount as people write it, such as `5.00 USD`; without a currency that is one, the number and what it counts.
pub(crate) fn money(minor: u64, currency: Option<&str>) -> String {
    match currency.and_then(Currency::parse) {
        Some(currency) => currency.in_major_units(minor),
        None => format!("{minor} minor units"),
    }
}

/// Whether a character shows itself and nothing else.
fn is_plain(sign: char) -> bool {
    let is_format = matches!(
        sign,
        '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    !sign.is_control() && !is_format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_becomes_an_escape() {
        assert!(matches!(shown("re_1 caf\u{e9} \u{4e2d}"), Cow::Borrowed(_)));
        assert_eq!(shown("a\u{1b}[2Jb\r\n\u{9b}0m"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}0m");
        assert_eq!(shown("\u{202e}evil\u{2066}\u{200b}"), "\\u{202e}evil\\u{2066}\\u{200b}");
    }
}
