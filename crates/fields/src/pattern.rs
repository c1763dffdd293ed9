//! Patterns over names that no rule spells out: "ends with" and "contains".
//!
//! Patterns are rare and short, names of containers frequent. One pass over a name gathers the set of its
//! letters; only patterns whose letters are all there are looked for.

/// What of a name is looked at: longer names are judged by their last bytes.
const WINDOW: usize = 64;

#[derive(Clone, Debug)]
struct Pattern {
    /// Lower case, without separators.
    text: Vec<u8>,
    letters: u32,
    is_suffix: bool,
    mask: u64,
}

/// The patterns of all rules, each with the condition that it satisfies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    patterns: Vec<Pattern>,
}

impl Patterns {
    pub(crate) fn add(&mut self, text: &str, is_suffix: bool, mask: u64) {
        let text = joined(text.as_bytes());
        let known = self.patterns.iter_mut().find(|known| known.text == text && known.is_suffix == is_suffix);
        match known {
            Some(known) => known.mask |= mask,
            None => self.patterns.push(Pattern { letters: letters(&text), text, is_suffix, mask }),
        }
    }

    /// The conditions that a name satisfies.
    pub(crate) fn mask(&self, raw: &[u8]) -> u64 {
        let letters = letters(raw);
        let may_hold = |pattern: &Pattern| pattern.letters & letters == pattern.letters;
        if !self.patterns.iter().any(may_hold) {
            return 0;
        }
        let mut folded = [0; WINDOW];
        let mut start = WINDOW;
        for &byte in raw.iter().rev().filter(|&&byte| !is_separator(byte)).take(WINDOW) {
            start -= 1;
            folded[start] = byte.to_ascii_lowercase();
        }
        let name = &folded[start..];
        self.patterns
            .iter()
            .filter(|pattern| may_hold(pattern))
            .fold(0, |mask, pattern| if pattern.holds(name) { mask | pattern.mask } else { mask })
    }
}

impl Pattern {
    fn holds(&self, name: &[u8]) -> bool {
        if self.is_suffix {
            name.ends_with(&self.text)
        } else {
            name.windows(self.text.len()).any(|window| window == self.text)
        }
    }
}

/// Whether a byte only parts the words of a name.
pub(crate) fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ')
}

/// A name in lower case without separators: what all its spellings have in common.
pub(crate) fn joined(name: &[u8]) -> Vec<u8> {
    name.iter().filter(|&&byte| !is_separator(byte)).map(u8::to_ascii_lowercase).collect()
}

/// The set of letters as bits; other bytes may share a letter's bit, which only costs a closer look.
fn letters(name: &[u8]) -> u32 {
    name.iter().fold(0, |set, byte| set | 1 << (byte & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_for_every_spelling_and_long_names() {
        let mut patterns = Patterns::default();
        patterns.add("address_kana", true, 1);
        patterns.add("qr_code", false, 2);
        for (name, mask) in [
            ("address_kana", 1),
            ("billingAddressKana", 1),
            ("address-kana-x", 0),
            ("kana", 0),
            ("wechat_pay_display_qr_code", 2),
            ("QRCodeData", 2),
            ("", 0),
        ] {
            assert_eq!(patterns.mask(name.as_bytes()), mask, "{name}");
        }
        assert_eq!(patterns.mask(format!("{}_address_kana", "x".repeat(500)).as_bytes()), 1);
    }
}
