//! What is known of a word: a given name, a surname, an ordinary word, a cue.
//!
//! One table answers for all lists, so that one look-up per word is enough.

use std::sync::LazyLock;

use super::cues;

/// A set of [`Traits`] bits.
pub(super) type Traits = u32;

/// A given name.
pub(super) const GIVEN: Traits = 1;
/// A surname.
pub(super) const SURNAME: Traits = 1 << 1;
/// An ordinary word, a place, a company: alone it names nobody, whatever else it is.
pub(super) const WORD: Traits = 1 << 2;

/// How many slots the table has: a power of two, about twice the number of words.
const SLOTS: usize = 1 << 14;
/// The bits of a slot that hold traits; the others hold the hash.
const TRAITS_MASK: u64 = (1 << 20) - 1;

/// The lists, and what their words are.
const LISTS: [(&str, Traits); 6] = [
    (include_str!("../../../data/given.txt"), GIVEN),
    (include_str!("../../../data/given_ordinary.txt"), GIVEN | WORD),
    (include_str!("../../../data/surnames.txt"), SURNAME),
    (include_str!("../../../data/surnames_given.txt"), SURNAME),
    (include_str!("../../../data/surnames_ordinary.txt"), SURNAME | WORD),
    (include_str!("../../../data/words.txt"), WORD),
];

/// Endings of ordinary words; few names that are in no list have them.
const WORD_ENDINGS: [&[u8]; 16] = [
    b"ing", b"tion", b"sion", b"ment", b"ness", b"ity", b"ed", b"ly", b"able", b"ible", b"ful", b"less",
    b"ship", b"ism", b"ure", b"ive",
];

/// Endings of surnames: Scandinavian, Icelandic, Slavic, Georgian, Greek, Turkish, Finnish, Romanian, German.
const SURNAME_ENDINGS: [&str; 33] = [
    "sson", "dottir", "dóttir", "ová", "eva", "ova", "ović", "ević", "ovic", "evic", "nić", "čić", "wicz",
    "wski", "wska", "cki", "cka", "ński", "ńska", "enko", "shvili", "idze", "adze", "poulos", "akis", "oğlu",
    "oglu", "inen", "escu", "aev", "chev", "ukov", "mann",
];

/// The letters U+00C0 to U+017F without their marks.
const BASE_LETTERS: &[u8; 192] = b"aaaaaaaceeeeiiiidnooooo*ouuuuytsaaaaaaaceeeeiiiidnooooo*ouuuuyty\
    aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll\
    lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

static TABLE: LazyLock<Box<[u64]>> = LazyLock::new(|| {
    let mut slots = vec![0; SLOTS].into_boxed_slice();
    for (list, traits) in LISTS.iter().chain(cues::LISTS) {
        for word in list.split_ascii_whitespace() {
            insert(&mut slots, word.as_bytes(), *traits);
        }
    }
    slots
});

fn insert(slots: &mut [u64], word: &[u8], traits: Traits) {
    let hash = hash(word);
    let mut idx = first_slot(hash);
    while slots[idx] != 0 && (slots[idx] ^ hash) > TRAITS_MASK {
        idx = (idx + 1) % SLOTS;
    }
    slots[idx] = (hash & !TRAITS_MASK) | (slots[idx] & TRAITS_MASK) | u64::from(traits);
}

/// What is known of `word`, in whatever case and with whatever marks on its letters.
pub(super) fn traits_of(word: &[u8]) -> Traits {
    let known = look_up(word);
    if known != 0 {
        return known;
    }
    if let Some(hyphen) = memchr::memchr(b'-', word) {
        return look_up(&word[..hyphen]) & (GIVEN | SURNAME | WORD);
    }
    if is_surname_by_ending(word) {
        return SURNAME;
    }
    let plural = word.strip_suffix(b"s").map_or(0, |singular| look_up(singular) & (WORD | GIVEN | SURNAME));
    let is_word = plural == WORD || WORD_ENDINGS.iter().any(|ending| word.ends_with(ending));
    if is_word { WORD } else { 0 }
}

/// Whether a word in no list ends as surnames of a language do and its other words do not.
fn is_surname_by_ending(word: &[u8]) -> bool {
    word.len() >= 6 && SURNAME_ENDINGS.iter().any(|ending| word.ends_with(ending.as_bytes()))
}

/// What the lists say of `word`: enough for words that are no names themselves.
#[inline]
pub(super) fn look_up(word: &[u8]) -> Traits {
    let slots = &*TABLE;
    let hash = hash(word);
    let mut idx = first_slot(hash);
    while slots[idx] != 0 {
        if slots[idx] ^ hash <= TRAITS_MASK {
            return Traits::try_from(slots[idx] & TRAITS_MASK).unwrap_or(0);
        }
        idx = (idx + 1) % SLOTS;
    }
    0
}

fn first_slot(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or(0) % SLOTS
}

/// The small letter without its mark that stands behind the two bytes, if they are one of U+00C0 to U+017F.
#[inline]
pub(crate) fn base_letter(byte: u8, next: u8) -> Option<u8> {
    let row = usize::from(byte.checked_sub(0xC3).filter(|row| *row < 3)?);
    Some(BASE_LETTERS[row * 64 + usize::from(next & 0x3F)])
}

/// Whether `word` is an ordinary word, whatever else it is.
pub(crate) fn is_ordinary(word: &[u8]) -> bool {
    look_up(word) & WORD != 0
}

/// A hash of the small letters without marks and apostrophes.
fn hash(word: &[u8]) -> u64 {
    let mut state: u64 = 0x243F_6A88_85A3_08D3;
    let mut pos = 0;
    while let Some(&byte) = word.get(pos) {
        pos += 1;
        if byte == b'\'' {
            continue;
        }
        let letter = match base_letter(byte, word.get(pos).copied().unwrap_or(0x80)) {
            Some(letter) => {
                pos += 1;
                letter
            }
            None => byte.to_ascii_lowercase(),
        };
        state = (state ^ u64::from(letter)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state ^= state >> 29;
    }
    state | 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_list_are_known_and_few_others() {
        for (list, traits) in LISTS {
            for word in list.split_ascii_whitespace() {
                assert_eq!(traits_of(word.as_bytes()) & traits, traits, "{word}");
            }
        }
        for word in ["Zqxvb", "Obelus", "Ijklmno", ""] {
            assert_eq!(traits_of(word.as_bytes()), 0, "{word}");
        }
    }

    #[test]
    fn case_and_marks_do_not_count() {
        for word in ["jose", "José", "JOSÉ", "josé", "Joše", "Éva", "Łukasz", "Kateřina", "Åsa", "Žofie"]
        {
            let bare = traits_of(word.as_bytes());
            assert!(bare & GIVEN != 0 || word == "Žofie", "{word}");
        }
    }

    #[test]
    fn the_table_has_room() {
        let used = TABLE.iter().filter(|slot| **slot != 0).count();
        assert!(used * 3 < SLOTS * 2, "{used}");
    }
}
