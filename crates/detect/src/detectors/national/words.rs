//! The words before an id: which of them name a kind, and which only fill.

use std::ops::Range;

use crate::view::View;

/// How many bytes before an id are looked at.
pub(super) const REACH: usize = 64;

/// How many slots the index has. The words are a few hundred, so most slots are empty.
const SLOTS: usize = 2048;

/// Words that name kinds, found by their last three letters.
#[derive(Debug)]
pub(super) struct Words {
    /// Which two letters, the last first, end a word: most words of a text end with others.
    pairs: [u32; 32],
    /// Which slots hold a word, one bit each.
    used: [u64; SLOTS / 64],
    slots: Vec<Vec<(Label, usize)>>,
}

/// The text before an id, and where its words are.
pub(super) struct Before<'t> {
    text: &'t [u8],
    /// One bit for each byte that belongs to a word.
    letters: u64,
    /// Those of them that end one and were not asked for yet.
    ends: u64,
}

impl<'t> Before<'t> {
    /// At most [`REACH`] bytes of text.
    pub(super) fn new(text: &'t [u8]) -> Before<'t> {
        let mut padded = [0; REACH];
        let len = text.len().min(REACH);
        padded[..len].copy_from_slice(&text[..len]);
        let letters = (0..8).fold(0, |letters, word| {
            let flags: [u8; 8] = std::array::from_fn(|idx| u8::from(is_letter(padded[word * 8 + idx])));
            // The product moves the lowest bits of eight bytes side by side.
            letters | (u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (word * 8)
        });
        Before { text, letters, ends: letters & !(letters >> 1) }
    }

    /// The text.
    pub(super) fn text(&self) -> &'t [u8] {
        self.text
    }

    /// Where the next word ends, from the last one to the first.
    pub(super) fn next_end(&mut self) -> Option<usize> {
        let bit = 63_u32.checked_sub(self.ends.leading_zeros())?;
        self.ends &= !(1 << bit);
        Some(bit as usize + 1)
    }

    /// The word that ends at `end`.
    pub(super) fn word(&self, end: usize) -> &'t [u8] {
        let run = (self.letters << (REACH - end.clamp(1, REACH))).leading_ones() as usize;
        self.text.get(end.saturating_sub(run)..end).unwrap_or_default()
    }
}

/// A word or several that name a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    text: &'static [u8],
    pub(super) is_weak: bool,
    pub(super) is_country: bool,
    pub(super) needs_bank: bool,
    /// Whether it may be the id of a thing as well.
    needs_person: bool,
}

impl Default for Words {
    fn default() -> Words {
        Words { pairs: [0; 32], used: [0; SLOTS / 64], slots: vec![Vec::new(); SLOTS] }
    }
}

impl Words {
    /// Takes in a label that names kind `kind`.
    pub(super) fn add(&mut self, label: &'static str, kind: usize) {
        let (mark, text) = match label.as_bytes() {
            [mark @ (b'!' | b'@' | b'&' | b'?'), rest @ ..] => (*mark, rest),
            all => (0, all),
        };
        let label = Label {
            text,
            is_weak: mark == b'!',
            is_country: mark == b'@',
            needs_bank: mark == b'&',
            needs_person: mark == b'?',
        };
        let (last, before) = pair(text, text.len());
        self.pairs[last] |= 1 << before;
        let [short, long] = slots(text, text.len());
        let slot = if text.iter().filter(|&&byte| byte != b' ').count() == 2 { short } else { long };
        self.used[slot / 64] |= 1 << (slot % 64);
        if let Some(labels) = self.slots.get_mut(slot) {
            labels.push((label, kind));
        }
    }

    /// The labels that end at `end` of `text`, with their kinds.
    #[inline]
    pub(super) fn ending_at(&self, text: &[u8], end: usize) -> impl Iterator<Item = (Label, usize)> {
        let (last, before) = pair(text, end);
        let used = match self.pairs[last] >> before & 1 {
            0 => [None; 2],
            _ => slots(text, end).map(|slot| (self.used[slot / 64] >> (slot % 64) & 1 == 1).then_some(slot)),
        };
        let labels = used.into_iter().flatten().filter_map(|slot| self.slots.get(slot)).flatten().copied();
        labels.filter(move |(label, _)| {
            begin_of(text, end, label.text)
                .is_some_and(|begin| !label.needs_person || !is_of_thing(text, begin))
        })
    }
}

/// The last two bytes before `end`, without what tells their case.
#[inline]
fn pair(text: &[u8], end: usize) -> (usize, usize) {
    let at = |idx: usize| text.get(end.wrapping_sub(idx)).map_or(0, |byte| usize::from(byte & 31));
    (at(1), at(2))
}

/// The slots of labels of two letters and of longer ones. Signs between letters do not count.
fn slots(text: &[u8], end: usize) -> [usize; 2] {
    let at = |idx: usize| text.get(end.wrapping_sub(idx)).map_or(0, u8::to_ascii_lowercase);
    let third = (3..8).map(at).find(|&byte| !is_joint(byte)).unwrap_or(0);
    let short = usize::from(at(1)) * 31 + usize::from(at(2)) * 7;
    [short % SLOTS, (short + usize::from(third) * 269 + 1) % SLOTS]
}

/// Whether a sign may stand where a label has a space.
fn is_joint(byte: u8) -> bool {
    matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b'\'')
}

/// Where `label` begins if it ends at `end` and begins a word. A space in it stands for any run of signs, or none.
fn begin_of(text: &[u8], end: usize, label: &[u8]) -> Option<usize> {
    let mut pos = end;
    for &wanted in label.iter().rev() {
        if wanted == b' ' {
            while pos > 0 && is_joint(text[pos - 1]) {
                pos -= 1;
            }
            continue;
        }
        if pos == 0 || text[pos - 1].to_ascii_lowercase() != wanted {
            return None;
        }
        pos -= 1;
    }
    let Some(before) = pos.checked_sub(1) else { return Some(pos) };
    let hump = text.get(pos).is_some_and(u8::is_ascii_uppercase);
    // Behind a digit the letters are part of a digest, unless the digit is that of an escaped sign.
    let apart = match text[before] {
        b'0'..=b'9' => hump || before >= 2 && text[before - 2] == b'%',
        byte => !is_letter(byte) || hump && byte.is_ascii_lowercase(),
    };
    apart.then_some(pos)
}

/// Whether at `end` words follow that say what stands before, as far as a glance tells.
pub(super) fn say_what_it_is(view: &View<'_>, end: usize) -> bool {
    match (view.at(end), view.at(end + 1)) {
        (b'(' | b'[', _) | (b' ', b'(' | b'[') => true,
        (b' ', next) => next.is_ascii_lowercase() || next == 0xC3,
        // It was not read to its end.
        (other, _) => other.is_ascii_digit(),
    }
}

/// Where the words end that say of an id before them what it is: behind a form of `be`, or within brackets.
pub(super) fn behind(text: &[u8]) -> impl Iterator<Item = usize> {
    let spaces = text.iter().take_while(|&&byte| byte == b' ').count();
    let first = word_at(text, spaces);
    let (from, closed) = match text.get(spaces) {
        Some(b'(' | b'[') => (spaces + 1, true),
        _ if spaces == 1 && is_be(text.get(first.clone()).unwrap_or_default()) => (first.end, false),
        _ => (text.len(), true),
    };
    let mut pos = from;
    std::iter::from_fn(move || {
        if !closed && text.get(pos) != Some(&b' ') && pos > from {
            return None;
        }
        while text.get(pos).is_some_and(|&byte| is_joint(byte)) {
            pos += 1;
        }
        let word = word_at(text, pos);
        pos = word.end;
        // A word that is cut off, or goes on with digits, is another one.
        let whole = text.get(pos).is_some_and(|&byte| !byte.is_ascii_digit());
        (!word.is_empty() && whole).then_some(word.end)
    })
    .take(WORDS_BEHIND)
}

/// How many words behind an id are read.
const WORDS_BEHIND: usize = 6;

/// The word that begins at `pos`.
fn word_at(text: &[u8], pos: usize) -> Range<usize> {
    let rest = text.get(pos..).unwrap_or_default();
    pos..pos + rest.iter().take_while(|&&byte| is_letter(byte)).count()
}

/// Whether the word says that something is something, in one of the languages of the tables.
fn is_be(word: &[u8]) -> bool {
    const FORMS: [&str; 15] =
        ["is", "was", "är", "ist", "est", "es", "è", "é", "er", "on", "jest", "to", "je", "este", "olan"];
    FORMS.iter().any(|form| word.eq_ignore_ascii_case(form.as_bytes()))
}

/// Words for things that are known by their numbers.
const NUMBERED: &str = "order transaction product item invoice ticket tracking batch part serial shipment version token \
    sku ref reference lot upc receipt confirmation widget count quantity po booking model";

/// Words for other things that have numbers.
const OTHERS: &str = "case request session message device vehicle software fishing hunting gun asset payment event job \
    process thread file object build error business key trace";

fn is_among(words: &str, word: &[u8]) -> bool {
    words.split(' ').any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

/// Whether the word before `begin` is one for a thing.
fn is_of_thing(text: &[u8], begin: usize) -> bool {
    last(text, begin).is_some_and(|word| {
        let word = text.get(word).unwrap_or_default();
        is_among(NUMBERED, word) || is_among(OTHERS, word)
    })
}

/// The word that names what follows `text`, if nothing but filling stands between.
pub(in super::super) fn naming(text: &[u8]) -> Option<&[u8]> {
    let mut end = text.len();
    loop {
        let range = last(text, end)?;
        let word = text.get(range.clone())?;
        // A number between, or a sentence, belongs to another matter.
        let gap = text.get(range.end..end)?;
        if gap.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'\n' | b';' | b',' | b'|')) {
            return None;
        }
        if !is_filling(word) {
            return Some(word);
        }
        end = range.start;
    }
}

/// Whether the words before an id say that it is the number of a thing.
pub(in super::super) fn name_a_thing(text: &[u8]) -> bool {
    naming(text).is_some_and(|word| is_among(NUMBERED, word))
}

/// Whether a member's or column's name says so.
pub(in super::super) fn is_name_of_thing(name: &[u8]) -> bool {
    name.split(|&byte| !is_letter(byte))
        .any(|word| is_among(NUMBERED, word) || is_among("phone routing", word))
}

#[inline]
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte > 127
}

/// The last word of `text` before `end`.
fn last(text: &[u8], end: usize) -> Option<Range<usize>> {
    let head = text.get(..end)?;
    let end = head.iter().rposition(|&byte| is_letter(byte))? + 1;
    Some(head[..end].iter().rposition(|&byte| !is_letter(byte)).map_or(0, |pos| pos + 1)..end)
}

/// Whether a word says nothing of its own between a name and an id.
pub(super) fn is_filling(word: &[u8]) -> bool {
    let mut lower = [0; 10];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"number"
            | b"no"
            | b"nr"
            | b"num"
            | b"id"
            | b"ids"
            | b"is"
            | b"was"
            | b"are"
            | b"the"
            | b"of"
            | b"card"
            | b"code"
            | b"my"
            | b"numero"
            | b"nummer"
            | b"numer"
            | b"est"
            | b"ist"
            | b"es"
            | b"e"
            | b"n"
            | b"value"
            | b"with"
            | b"nro"
            | b"as"
            | b"identifier"
            | b"u"
            | b"s"
            | b"n\xc2\xba"
            | b"n\xc2\xb0"
            | b"n\xc3\xbamero"
            | b"num\xc3\xa9ro"
            | b"\xe2\x84\x96"
    )
}

/// Whether the text speaks of banks, so that an account is one there.
pub(super) fn speaks_of_banks(text: &[u8]) -> bool {
    const BANKS: [&[u8]; 7] = [b"routing", b"bank", b"sort code", b"wire", b"deposit", b"bsb", b"checking"];
    (0..text.len()).any(|from| {
        BANKS
            .iter()
            .any(|word| text.get(from..from + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
    })
}
