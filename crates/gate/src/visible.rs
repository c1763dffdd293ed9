//! Text as it must be shown to somebody who decides by it.

/// The text with every character written out that nobody sees or that changes how others are seen: `\u202e`. Letters of
/// all scripts stay.
///
/// ```
/// assert_eq!(obelus_gate::visible("\u{202e}001 tnuoma\u{202c}"), r"\u202e001 tnuoma\u202c");
/// assert_eq!(obelus_gate::visible("café 猫"), "café 猫");
/// ```
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        if is_hidden(sign) {
            let mut units = [0; 2];
            for unit in sign.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(sign);
        }
    }
    out
}

/// Controls, formats, separators other than the space, fillers, marks that stand alone, tags, private use.
fn is_hidden(sign: char) -> bool {
    sign.is_control()
        || sign.is_whitespace() && sign != ' '
        || matches!(sign,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..)
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_nobody_sees_is_written_out() {
        for (text, wanted) in [
            ("a\u{200b}b", "a\\u200bb"),
            ("a\nb", "a\\u000ab"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("a\u{a0}b", "a\\u00a0b"),
            ("Zoë — 5 €", "Zoë — 5 €"),
        ] {
            assert_eq!(visible(text), wanted);
        }
    }
}
