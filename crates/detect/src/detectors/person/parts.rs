//! Words, and how they make up a name.

use super::cues::{PARTICLE, THING};
use super::lexicon::{GIVEN, SURNAME, Traits, WORD, look_up, traits_of};
use crate::view::{Class, View};

/// Letters; of those beyond ASCII all bytes but the first of punctuation and wide signs.
pub(super) const LETTER: Class = letters();

/// The most words a name is read to.
const WORDS_MAX: usize = 5;
/// The longest word that may be part of a name, in bytes.
const WORD_LEN_MAX: usize = 24;

const fn letters() -> Class {
    let mut bytes = [0; 128];
    let mut byte = 0x80u8;
    let mut idx = 0;
    while byte < u8::MAX {
        if byte < 0xC0 || (byte >= 0xC3 && byte <= 0xCA) || byte == 0xE1 {
            bytes[idx] = byte;
            idx += 1;
        }
        byte += 1;
    }
    while idx < bytes.len() {
        bytes[idx] = b'a';
        idx += 1;
    }
    Class::ALPHA.with(&bytes)
}

/// A word of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) traits: Traits,
    /// It begins with a capital and goes on small.
    pub(super) is_capitalised: bool,
    /// One capital, with or without a full stop.
    pub(super) is_initial: bool,
}

/// The word at `at`, if it could be one of a name or beside one.
pub(super) fn word_at(view: &View<'_>, at: usize) -> Option<Word> {
    let mut end = view.run_up_to(at, WORD_LEN_MAX, LETTER);
    let capital = is_capital(view, at);
    if end == at {
        return None;
    }
    // O'Brien, D'Angelo; but not the genitive.
    if view.at(end) == b'\'' && capital && end - at == 1 && is_capital(view, end + 1) {
        end = view.run_up_to(end + 1, WORD_LEN_MAX, LETTER);
    }
    if capital && end - at == 1 {
        let dot = view.at(end) == b'.';
        let end = end + usize::from(dot);
        return Some(Word { start: at, end, is_capitalised: true, is_initial: true, ..Word::default() });
    }
    while view.at(end) == b'-' && is_capital(view, end + 1) && end - at < WORD_LEN_MAX {
        end = view.run_up_to(end + 1, WORD_LEN_MAX, LETTER);
    }
    let next = view.at(end);
    let goes_on = Class::DIGIT.with(b"_@(=/\\").has(next)
        || next == b'.' && LETTER.has(view.at(end + 1))
        || next == b'-' && Class::WORD.has(view.at(end + 1))
        || next == b':' && view.at(end + 1) == b':';
    let bytes = view.bytes(at, end);
    if goes_on || bytes.len() > WORD_LEN_MAX + 8 || !has_case_of_name(bytes) {
        return None;
    }
    let traits = if capital { traits_of(bytes) } else { look_up(bytes) };
    Some(Word { start: at, end, traits, is_capitalised: capital, is_initial: false })
}

/// Whether capitals stand in `word` only where names have them: at the beginning, and behind `Mc`, `Mac`, `De`.
fn has_case_of_name(word: &[u8]) -> bool {
    const HEADS: [&[u8]; 10] = [b"Mc", b"Mac", b"De", b"Di", b"Du", b"La", b"Le", b"Van", b"Fitz", b"O'"];
    let mut begin = 0;
    for (idx, pair) in word.windows(2).enumerate() {
        if !pair[1].is_ascii_uppercase() {
            continue;
        }
        let piece = &word[begin..=idx];
        if pair[0] == b'-' {
            begin = idx + 1;
        } else if pair[0].is_ascii_uppercase() || !HEADS.contains(&piece) {
            return false;
        }
    }
    true
}

/// Whether a capital letter stands at `at`.
pub(super) fn is_capital(view: &View<'_>, at: usize) -> bool {
    let (byte, next) = (view.at(at), view.at(at + 1));
    match byte {
        b'A'..=b'Z' => true,
        0xC3 => matches!(next, 0x80..=0x9E),
        // Latin Extended-A alternates; between U+0139 and U+0148 and from U+0179 on, capitals are odd.
        0xC4 => (next % 2 == 0) != (next >= 0xB9),
        0xC5 => (next % 2 == 0) != (next <= 0x88 || next >= 0xB9),
        _ => false,
    }
}

/// The word that ends at `end`.
pub(super) fn word_before<'t>(view: &View<'t>, end: usize) -> Option<&'t [u8]> {
    let start = view.back(end, LETTER.with(b"'"));
    let word = view.bytes(start, end);
    (!word.is_empty() && word.len() <= WORD_LEN_MAX).then_some(word)
}

/// The words of a name.
pub(super) struct Parts {
    words: [Word; WORDS_MAX],
    pub(super) len: usize,
    /// Whether `van`, `de` or the like stands between them.
    pub(super) has_particle: bool,
    /// Whether what follows says that the whole is a street, a company or the like.
    pub(super) is_thing: bool,
}

impl Parts {
    /// Reads on from the first word.
    pub(super) fn read(view: &View<'_>, first: Word) -> Parts {
        let mut parts = Parts { words: [first; WORDS_MAX], len: 1, has_particle: false, is_thing: false };
        while parts.len < WORDS_MAX && view.at(parts.end()) == b' ' {
            let mut at = parts.end() + 1;
            let mut particles = 0;
            while particles < 2
                && let Some(small) = particle_at(view, at)
            {
                at = small + 1;
                particles += 1;
            }
            let Some(next) = word_at(view, at) else { break };
            if !next.is_capitalised {
                break;
            }
            // S.A., N.V., and the like.
            let is_form = next.is_initial && is_capital(view, next.end) && matches!(view.at(at), b'S' | b'N');
            if next.traits & THING != 0 || is_form {
                parts.is_thing = true;
                break;
            }
            // An ordinary word ends the name, unless it is a surname too or stands behind an initial.
            let after_initial = parts.words[parts.len - 1].is_initial && first.traits & GIVEN != 0;
            if next.traits & WORD != 0 && next.traits & (SURNAME | GIVEN) == 0 && !after_initial {
                break;
            }
            parts.has_particle |= particles > 0;
            parts.words[parts.len] = next;
            parts.len += 1;
            if parts.len > 1 && !next.is_initial && parts.names() == 4 {
                break;
            }
        }
        while parts.len > 1 && parts.words[parts.len - 1].is_initial {
            parts.len -= 1;
        }
        parts.is_thing |= first.traits & GIVEN == 0 && view.starts_with(parts.end(), b" & ");
        parts
    }

    /// The words.
    pub(super) fn words(&self) -> &[Word] {
        &self.words[..self.len]
    }

    /// Where the last word ends.
    pub(super) fn end(&self) -> usize {
        self.words[self.len - 1].end
    }

    fn names(&self) -> usize {
        self.words().iter().filter(|word| !word.is_initial).count()
    }
}

/// Where a particle of a name that stands at `at`, before a space, ends.
fn particle_at(view: &View<'_>, at: usize) -> Option<usize> {
    let end = view.run_up_to(at, 6, LETTER);
    let is_particle = !is_capital(view, at)
        && end > at
        && view.at(end) == b' '
        && look_up(view.bytes(at, end)) & PARTICLE != 0;
    is_particle.then_some(end)
}
