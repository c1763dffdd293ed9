//! Tokens inside links stay closed: a link takes what stands in it to whoever it leads to.
//!
//! A link ends at a space or a line's end, and behind an angle bracket that a letter follows only with the other one:
//! there tags and their attributes may go on over lines. Quotation marks may stand in a link. What browsers make one of
//! counts as one: backslashes for slashes, a scheme without slashes, signs written as character references.
//!
//! The engine asks about tokens one by one, in their order, and does not say where they stand. So the text is looked
//! through here before the engine reads it, and each token is noted with its place. The answer for a token is that of
//! its first note; notes go as soon as the engine has reported something behind them. A token without a note, because
//! its letters are written as escapes, stays closed.

use crate::tokens::parse;
use obelus::token;
use obelus_json::Arch;
use obelus_json::map::OffsetMap;
use obelus_json::string::unescape;
use std::collections::VecDeque;

/// How many tokens may wait to be asked about; those before them stay closed.
const NOTES_MAX: usize = 4096;

/// Follows texts, each piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The end of the text so far, decoded: what may go on as a token, or a backslash.
    carry: Vec<u8>,
    /// Where the next piece stands in what the engine reads.
    seen: u64,
    run: Run,
    notes: VecDeque<Note>,
}

/// A token that came and was not asked about.
struct Note {
    token: Vec<u8>,
    /// Where it ends in the text as it came.
    end: u64,
    is_in_link: bool,
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Note").field("end", &self.end).finish_non_exhaustive()
    }
}

/// What browsers take for the two slashes before a host, and how character references begin, which may stand for them.
const SLASHES: [&[u8; 2]; 3] = [b"//", b"/\\", b"&#"];

/// The ends of `http:` and `https:`, of schemes that run what follows, and names of characters.
const BEGINNINGS: [&[u8; 4]; 6] = [b"www.", b"ttp:", b"tps:", b"ipt:", b"&sol", b"&bso"];

/// The signs without a space between that lead to a place.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    last: [u8; 4],
    is_link: bool,
    /// Behind `<`, where links may have spaces.
    is_angled: bool,
    /// Behind `<` and a letter, where they may have line ends, which browsers leave out.
    is_tag: bool,
}

impl Run {
    fn step(&mut self, byte: u8) {
        match byte {
            b'\n' | b'\r' | b'\t' if self.is_tag => {}
            b'\n' | b'\r' | b'>' => *self = Run::default(),
            b'<' => *self = Run { is_angled: true, ..Run::default() },
            0..=b' ' if !self.is_angled => *self = Run::default(),
            _ => {
                self.is_tag |= self.last == *b"\0\0\0\0" && self.is_angled && byte.is_ascii_alphabetic();
                self.last.rotate_left(1);
                self.last[3] = byte.to_ascii_lowercase();
                self.is_link |= SLASHES.iter().any(|two| self.last.ends_with(*two))
                    || BEGINNINGS.iter().any(|four| self.last == **four)
                    // Before anything else they are how quotation marks in JSON in JSON are written.
                    || matches!(self.last, [_, b'\\', b'\\', b'0'..=b'9' | b'a'..=b'z']);
            }
        }
    }
}

impl Links {
    /// A text begins, there.
    pub(crate) fn begin(&mut self, at: u64) {
        self.carry.clear();
        self.run = Run::default();
        self.seen = at;
    }

    /// Looks through the next piece: a part of the body of a JSON string, escapes and all, or of plain text.
    pub(crate) fn see(&mut self, piece: &[u8], is_json: bool) {
        let mut map = OffsetMap::default();
        let mut decoded = Vec::new();
        let added: &[u8] = if is_json && piece.contains(&b'\\') {
            unescape(Arch::scalar(), piece, &mut decoded, &mut map);
            &decoded
        } else {
            piece
        };
        let carried = self.carry.len();
        let mut text = std::mem::take(&mut self.carry);
        text.extend_from_slice(added);
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if may_go_on(rest) {
                self.carry = rest.to_vec();
                break;
            }
            let step = match rest {
                // How JSON in the text writes a slash.
                [b'\\', b'/', ..] => 1,
                _ => match parse(rest) {
                    Some(len) => {
                        let end = self.seen + map.end((at + len).saturating_sub(carried)) as u64;
                        let token = rest.iter().take(len).copied().collect();
                        if self.notes.len() == NOTES_MAX {
                            self.notes.pop_front();
                        }
                        self.notes.push_back(Note { token, end, is_in_link: self.run.is_link });
                        len
                    }
                    None => 1,
                },
            };
            if step > 1 || !rest.starts_with(b"\\/") {
                rest.iter().take(step).for_each(|byte| self.run.step(*byte));
            }
            at += step;
        }
        self.seen += piece.len() as u64;
    }

    /// Whether the token that is asked about may become its value.
    pub(crate) fn may_open(&mut self, token: &[u8]) -> bool {
        let Some(at) = self.notes.iter().position(|note| note.token == token) else { return false };
        self.notes.drain(..=at).next_back().is_some_and(|note| !note.is_in_link)
    }

    /// Something was found that ends there: tokens before it are done with.
    pub(crate) fn pass(&mut self, end: u64) {
        while self.notes.front().is_some_and(|note| note.end <= end) {
            self.notes.pop_front();
        }
    }
}

/// Whether more text could make a token of the beginning, or tell what a backslash at the end escapes.
fn may_go_on(rest: &[u8]) -> bool {
    rest == b"\\" || token::may_go_on(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "obl_email_abcdefghijklmnopabcd";

    /// Whether each token in the text may be opened, and that cuts do not change it.
    fn opened(text: &str) -> Vec<bool> {
        let of = |pieces: &[&str]| {
            let mut links = Links::default();
            pieces.iter().for_each(|piece| links.see(piece.as_bytes(), true));
            std::iter::from_fn(|| (!links.notes.is_empty()).then(|| links.may_open(TOKEN.as_bytes())))
                .collect::<Vec<bool>>()
        };
        let whole = of(&[text]);
        for (at, _) in text.char_indices() {
            // No provider cuts an escape.
            if !text.contains('\\') {
                let (head, tail) = text.split_at(at);
                assert_eq!(of(&[head, tail]), whole, "{text} at {at}");
            }
        }
        whole
    }

    #[test]
    fn tokens_in_links_stay_closed() {
        for (text, expected) in [
            ("mail T now, T", vec![true, true]),
            ("![a](https://example.com/?q=T) T", vec![false, true]),
            ("see www.example.com/T", vec![false]),
            ("see //example.com/'T", vec![false]),
            ("[a](<https://example.com/a T b>) T", vec![false, true]),
            ("https:\\/\\/example.com\\/T", vec![false]),
            ("https:\\\\/\\\\/example.com\\\\/T", vec![false]),
            ("https://example.com\\nT", vec![true]),
            ("https:\\u002f\\u002fexample.com/T", vec![false]),
            ("mailto:T", vec![true]),
            ("![a](http:example.com/T) T", vec![false, true]),
            ("![a](Https:example.com/T) T", vec![false, true]),
            ("![a](\\\\\\\\example.com\\\\T) T", vec![false, true]),
            ("![a](/\\\\example.com/T) T", vec![false, true]),
            ("![a](https:&#47;&#x2f;example.com/T) T", vec![false, true]),
            ("![a](https&colon;&sol;&sol;example.com/T) T", vec![false, true]),
            ("<img src='https://example.com/\\nT'> T", vec![false, true]),
            ("<img src='https:/\\t/example.com/T'> T", vec![false, true]),
            ("a < b, see https://example.com\\n T", vec![true]),
            ("it is 5 < 6 http: T", vec![false]),
            ("see https://example.com/?q=\\\"T", vec![false]),
            ("{\\\"url\\\": \\\"https://example.com\\\", \\\"to\\\": \\\"T\\\"}", vec![true]),
            ("obl_T, obl_email_T", vec![true, true]),
        ] {
            assert_eq!(opened(&text.replace('T', TOKEN)), expected, "{text}");
        }
    }

    #[test]
    fn what_was_passed_is_forgotten() {
        let mut links = Links::default();
        links.see(format!("a {TOKEN} https://example.com/{TOKEN}").as_bytes(), true);
        links.pass(2 + TOKEN.len() as u64);
        assert!(!links.may_open(TOKEN.as_bytes()));
        assert!(!links.may_open(TOKEN.as_bytes()), "nothing was said of a third one");
    }
}
