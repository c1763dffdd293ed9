//! Words and numbers of addresses, as a view shows them.

use crate::view::{Class, View};

/// What words of addresses consist of.
const LETTER: Class = Class::ALPHA.with(b"'-").or_non_ascii();

/// A longer word is not looked at.
const WORD_LEN_MAX: usize = 24;

/// A word or number with its dot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) start: usize,
    /// Behind the letters or digits.
    pub(super) end: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Begins with a capital.
    Capital,
    /// Begins with a small letter.
    Small,
    /// Digits alone.
    Number,
    /// Digits and letters: `6th`, `4b`.
    Mixed,
}

impl Token {
    /// The token that begins at `start`.
    pub(super) fn at(view: &View<'_>, start: usize) -> Option<Token> {
        let first = view.at(start);
        if first.is_ascii_digit() {
            let digits = view.run_up_to(start, 8, Class::DIGIT);
            let end = view.run_up_to(digits, 3, Class::ALPHA);
            let kind = if end == digits { Kind::Number } else { Kind::Mixed };
            return (!Class::WORD.has(view.at(end))).then_some(Token { start, end, kind });
        }
        if !first.is_ascii_alphabetic() && first < 0x80 {
            return None;
        }
        let end = view.run_up_to(start, WORD_LEN_MAX, LETTER);
        let kind = if is_small(first, view.at(start + 1)) { Kind::Small } else { Kind::Capital };
        (!Class::WORD.has(view.at(end))).then_some(Token { start, end, kind })
    }

    /// The word that ends at `end`, its dot left out.
    pub(super) fn before(view: &View<'_>, end: usize) -> Option<Token> {
        let end = if view.before(end) == b'.' { end - 1 } else { end };
        let mut start = end;
        while end - start < WORD_LEN_MAX && LETTER.has(view.before(start)) {
            start -= 1;
        }
        if start == end || Class::WORD.has(view.before(start)) {
            return None;
        }
        let kind = if is_small(view.at(start), view.at(start + 1)) { Kind::Small } else { Kind::Capital };
        Some(Token { start, end, kind })
    }

    /// The word in lower case; nothing if it is too long to be compared.
    pub(super) fn lower<'l>(self, view: &View<'_>, lower: &'l mut [u8; WORD_LEN_MAX]) -> &'l [u8] {
        let bytes = view.bytes(self.start, self.end);
        let Some(lower) = lower.get_mut(..bytes.len()) else { return &[] };
        lower.copy_from_slice(bytes);
        lower.make_ascii_lowercase();
        lower
    }

    /// Whether the word in lower case is such that `test` holds.
    pub(super) fn is(self, view: &View<'_>, test: impl Fn(&[u8]) -> bool) -> bool {
        test(self.lower(view, &mut [0; WORD_LEN_MAX]))
    }

    /// Where the token ends, its dot included.
    pub(super) fn end_with_dot(self, view: &View<'_>) -> usize {
        self.end + usize::from(view.at(self.end) == b'.')
    }

    /// The token behind this one and one space.
    pub(super) fn next(self, view: &View<'_>) -> Option<Token> {
        let end = self.end_with_dot(view);
        if view.at(end) == b' ' { Token::at(view, end + 1) } else { None }
    }

    /// The word before this one and one space.
    pub(super) fn previous(self, view: &View<'_>) -> Option<Token> {
        if view.before(self.start) == b' ' { Token::before(view, self.start - 1) } else { None }
    }

    pub(super) fn len(self) -> usize {
        self.end - self.start
    }
}

/// Whether a word that begins with `first` and `second` begins with a small letter: of those beyond ASCII, the
/// letters of Latin-1 alone are told.
fn is_small(first: u8, second: u8) -> bool {
    first.is_ascii_lowercase() || (first == 0xC3 && second >= 0x9F)
}

/// Where the house number that ends at `end` begins, if one does: `12`, `221B`, `10-12`.
pub(super) fn house_number(view: &View<'_>, end: usize) -> Option<usize> {
    let letter = usize::from(view.before(end).is_ascii_uppercase());
    let mut start = view.back(end - letter, Class::DIGIT);
    let len = end - letter - start;
    if len == 0 || len > 6 {
        return None;
    }
    if view.before(start) == b'-' && start >= 2 && view.at(start - 2).is_ascii_digit() {
        start = view.back(start - 1, Class::DIGIT);
    }
    let before = view.before(start);
    let amount = before == b',' && start >= 2 && view.at(start - 2).is_ascii_digit();
    let joined = Class::WORD.or_non_ascii().with(b".:/$#%+=@-*&").has(before);
    (!amount && !joined).then_some(start)
}

impl Token {
    /// Where the token ends; the dot of an abbreviation belongs to it if the text goes on.
    pub(super) fn end_with_dot_if_short(self, view: &View<'_>) -> usize {
        let dotted =
            self.len() <= 4 && view.at(self.end) == b'.' && matches!(view.at(self.end + 1), b' ' | b',');
        if dotted && view.at(self.end + 1) == b',' { self.end + 1 } else { self.end }
    }
}
