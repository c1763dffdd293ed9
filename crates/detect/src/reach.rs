//! How far back a match may begin before the place that made its detector look.
//!
//! An address is known by its `@`, a town by its zip code: by then the beginning must not have left. So what is
//! released of an open text ends before anything that could be such a beginning:
//!
//! * the signs without a space that lead to the place, and the word before them (`jenny @ example . com`),
//! * words with a capital in a row, and the small words that belong to names of streets,
//! * the first of the digits that stand near, with the signs before it,
//! * the quotation mark before, of an address with a quoted name.
//!
//! A match that begins earlier is cut off there, in a whole text as well, so that nothing depends on how the text
//! came. The answer never falls as the place goes on: whatever belongs to a later place is either behind the
//! earlier one or belonged to it.

use crate::detector::BEHIND_MAX;
use crate::detectors::may_name_street;

/// How far digits are looked for: a house number begins its line.
const DIGITS_BACK: usize = 64;
/// How far the other quotation mark is looked for: 64 bytes are the longest local part of an address (RFC 5321).
const QUOTE_BACK: usize = 72;
/// How many spaces and line breaks stand between words that belong together.
const SPACES_MAX: usize = 4;
/// The longest of the small words that belong to names of streets.
const WORD_LEN_MAX: usize = 16;

/// The earliest place at which a match may begin whose detector looks at `to` or later.
pub(crate) fn reach(text: &[u8], to: usize) -> usize {
    let low = to.saturating_sub(BEHIND_MAX);
    let near = |len: usize| low.max(to.saturating_sub(len));
    let word = word_start(text, low, to);
    let is_cut = to >= BEHIND_MAX;
    let mut earliest = words_start(text, (low, is_cut), word_before(text, low, word));
    let digits = near(DIGITS_BACK);
    if let Some(offset) = text[digits..to].iter().position(u8::is_ascii_digit) {
        earliest = earliest.min(word_start(text, low, digits + offset));
    }
    let quoted = near(QUOTE_BACK);
    let quotes = |from: usize, to: usize| memchr::memrchr(b'"', &text[from.min(to)..to]).map(|at| from + at);
    let closing = memchr::memchr(b'"', &text[word.max(quoted)..to]).map_or(to, |at| word.max(quoted) + at);
    if let Some(quote) = quotes(quoted, closing) {
        earliest = earliest.min(quote);
    }
    earliest
}

/// Where the signs without a space begin that end at `to`.
fn word_start(text: &[u8], low: usize, to: usize) -> usize {
    let space = text[low..to].iter().rposition(|byte| *byte <= b' ');
    space.map_or(low, |at| low + at + 1)
}

/// Where the word before the one at `to` begins.
fn word_before(text: &[u8], low: usize, to: usize) -> usize {
    let spaces = text[low..to].iter().rev().take_while(|byte| **byte <= b' ').count();
    let end = to - spaces;
    if spaces > SPACES_MAX || end == low { to } else { word_start(text, low, end) }
}

/// Where the row of words that may be a name begins that ends at `to`. Of a word that begins at `low` nothing is known
/// if that is in the middle of the text.
fn words_start(text: &[u8], (low, is_cut): (usize, bool), to: usize) -> usize {
    let mut start = to;
    loop {
        let end = start - text[low..start].iter().rev().take_while(|byte| **byte <= b' ').count();
        let word = word_before(text, low, start);
        if word >= end || word == low && is_cut || !may_be_name(&text[word..end]) {
            return start;
        }
        start = word;
    }
}

/// Whether a word may be part of the name of a street or town.
fn may_be_name(word: &[u8]) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    let Some(first) = word.iter().position(is_sign) else { return true };
    let len = word[first..].iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let letters = &word[first..first + len];
    !word[first].is_ascii_lowercase() || len <= WORD_LEN_MAX && may_name_street(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn tail(text: &str) -> &str {
        text.get(reach(text.as_bytes(), text.len())..).unwrap_or_default()
    }

    #[test]
    fn prose_reaches_no_further_than_its_last_word() {
        for (text, held) in [
            ("the customer wants a ref", "a ref"),
            ("the customer wants a ", "a "),
            ("write to jenny.rosen@exam", "to jenny.rosen@exam"),
            ("she lives in Salt Lake Ci", "Salt Lake Ci"),
            ("they went to Rue de la Pa", "Rue de la Pa"),
            ("send it to 12 small streets of th", "12 small streets of th"),
            ("from the \"jenny ros", "the \"jenny ros"),
            ("from \"jenny rosen\"@ex", "\"jenny rosen\"@ex"),
            ("line\nP.O. Bo", "P.O. Bo"),
        ] {
            assert_eq!(tail(text), held);
        }
    }

    proptest! {
        #[test]
        fn the_reach_never_falls_and_needs_no_more_than_it_may_see(
            parts in vec(select(vec![
                " ", "  ", "      ", "\n", "a", "the", "Rue", "de", "la", "St.", "12", "\"", ",", "\"\"", "\\u0061", "\u{e9}",
                "jenny", "@", "Box", "po", "ct", "(201)", "-", ".", "longerwordsthanothers",
            ]), 0..120)
        ) {
            let text = parts.concat();
            let reaches: Vec<usize> = (0..=text.len()).map(|to| reach(text.as_bytes(), to)).collect();
            for to in 0..text.len() {
                prop_assert!(reaches[to + 1] >= reaches[to].min(to), "{:?} at {}", text, to);
                let from = to.saturating_sub(BEHIND_MAX);
                prop_assert_eq!(from + reach(&text.as_bytes()[from..], to - from), reaches[to]);
            }
        }
    }
}
