//! Ids of states, tax offices and banks: a table of kinds, and one search for all of them.
//!
//! A kind says what its ids look like ([`form`]), how their check digits work and which words name it. One look at
//! a candidate serves every kind:
//!
//! ```text
//!   … the CPF of the buyer is 111.444.777-35 …
//!         └── words before ◄── ┴ candidate
//! ```
//!
//! An id counts on one of three grounds:
//!  (a) it stands alone: its form hardly occurs otherwise, and its check digits are right;
//!  (b) a word that names the kind stands within [`REACH`] bytes before it, and its check digits are right;
//!  (c) nothing but filling stands between such a word and it: then the word is believed, and whoever mistypes an id
//!      has still given most of it away;
//!  (d) what follows says what it is, as in `… is my PESEL` or `… (CPF)`, and its check digits are right.
//!
//! Words that mean something else as well are *weak*: they never serve as (c).

use std::cell::Cell;
use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::{ids, is_glued};
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
use crate::view::{Class, View};

use words::{Before, REACH};

mod americas;
mod asia;
mod bank;
mod check;
mod europe;
mod europe_checks;
mod form;
mod named;
mod tax;
pub(super) mod words;
mod world_checks;

pub(super) const DETECTORS: &[&[Detector]] = &[
    americas::DETECTORS,
    asia::DETECTORS,
    europe::DETECTORS,
    tax::DETECTORS,
    named::DETECTORS,
    bank::DETECTORS,
];

/// How far before an id a word may stand that is believed without check digits.
const FILLING_MAX: usize = 24;
/// How far behind an id words are read that say what it is.
const REACH_BEHIND: usize = 48;
/// How far before an id a country may stand.
const COUNTRY_MAX: usize = 3;
/// How many kinds of first bytes are told apart, and how many lengths of a leading run of digits.
const FIRSTS: usize = 27;
const RUNS: usize = 32;
/// How long an id may be, separators and all.
const LEN_MAX: usize = 40;

const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
const LOWER: ByteSet = ByteSet::range(b'a', b'z');
const BEFORE: ByteSet = ByteSet::of(SIGNS_BEFORE);
/// What may stand directly before an id.
const BEFORE_ID: Class = Class::of(SIGNS_BEFORE).with(b"<{\r").or_non_ascii();
const SIGN_BEFORE: Class = Class::of(SIGNS_BEFORE);
const SEVENTH: Class = Class::DIGIT.with(b"-.");
const SIGNS_BEFORE: &[u8] = b" \t\n:\"'(#=,;>[`*|";
const JOINED: ByteSet = ByteSet::DIGIT.or(UPPER).or(ByteSet::of(b" -./"));

/// Where an id of any kind may begin. The last three bytes of a window are the eighth, tenth and eleventh of a text.
const WINDOWS: &[Window] = &[
    Window {
        sets: [
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT.or(ByteSet::of(b"-. ")),
            ByteSet::DIGIT.or(ByteSet::of(b".- ")),
            ByteSet::DIGIT,
            ByteSet::DIGIT.or(ByteSet::of(b".")),
            ByteSet::DIGIT.or(UPPER).or(ByteSet::of(b"- \"\0.,")),
            ByteSet::DIGIT.or(UPPER).or(ByteSet::of(b" ./\"\0,}")),
        ],
    },
    // Groups that it does not hold: 023-110-50-35, 05.436.231-C.
    Window {
        sets: [
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::of(b"-"),
            ByteSet::DIGIT,
            ByteSet::of(b"-"),
            ByteSet::DIGIT,
            ByteSet::DIGIT.or(ByteSet::of(b"-")),
        ],
    },
    Window {
        sets: [
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::of(b"."),
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::of(b"-"),
        ],
    },
    // Groups of four at the beginning of a text: 8069 8149 7340.
    Window {
        sets: [
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::of(b" -"),
            ByteSet::DIGIT,
            ByteSet::DIGIT.or(ByteSet::of(b" -")),
            ByteSet::DIGIT.or(ByteSet::of(b" ")),
        ],
    },
    // Groups behind one digit: 8-7912-91367-09-7.
    Window {
        sets: [
            ByteSet::DIGIT,
            ByteSet::of(b"-"),
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
        ],
    },
    // Medicare: 1EG4-TE5-MK73.
    Window {
        sets: [
            ByteSet::range(b'1', b'9'),
            ByteSet::ALPHA,
            ByteSet::ALPHA.or(ByteSet::DIGIT),
            ByteSet::DIGIT,
            ByteSet::of(b"-"),
            ByteSet::DIGIT,
            ByteSet::ALPHA,
            ByteSet::ALPHA,
        ],
    },
    // Small letters, of which there are many: x8069814b.
    Window {
        sets: [
            ByteSet::of(b"xyz"),
            ByteSet::DIGIT.or(ByteSet::of(b"-")),
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::ANY,
            ByteSet::ANY,
        ],
    },
    // And in groups: qq 12 34 56 c.
    Window {
        sets: [
            LOWER,
            LOWER,
            ByteSet::of(b" "),
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
            ByteSet::DIGIT,
        ],
    },
    Window {
        sets: [
            UPPER.or(BEFORE),
            UPPER.or(ByteSet::DIGIT).or(ByteSet::of(b"-")),
            JOINED,
            JOINED,
            JOINED,
            ByteSet::DIGIT.or(ByteSet::of(b"-.")),
            ByteSet::ANY,
            ByteSet::ANY,
        ],
    },
];

/// What an id is known by, besides what every detector has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Forms that count behind a word; see [`form`].
    forms: &'static [&'static str],
    /// Forms that need no word, each with its own condition.
    bare: &'static [(&'static str, Check)],
    /// Whether the check digits are right. Without one, only a word directly before the id serves.
    check: Option<Check>,
    /// The words, in lower case: `!` marks a weak one, `?` one that things have as well,
    /// `@` a country, `&` one that needs a bank near it.
    labels: &'static [&'static str],
    /// Whether a word directly before it makes an id of anything that has this many digits.
    open: Option<usize>,
}

type Check = fn(&[u8]) -> bool;

/// A row of the tables.
pub(super) struct Row {
    pub(super) id: &'static str,
    pub(super) category: Category,
    pub(super) description: &'static str,
    pub(super) forms: &'static [&'static str],
    pub(super) bare: &'static [(&'static str, Check)],
    pub(super) check: Option<Check>,
    pub(super) labels: &'static [&'static str],
    pub(super) open: Option<usize>,
    pub(super) source: &'static str,
    pub(super) examples: &'static [Example],
    pub(super) non_examples: &'static [Example],
}

impl Row {
    /// Above what has the same form without a word that names it.
    const RANK: u8 = 165;

    pub(super) const fn detector(self) -> Detector {
        self.ranked(Row::RANK)
    }

    pub(super) const fn ranked(self, rank: u8) -> Detector {
        Detector {
            id: self.id,
            category: self.category,
            description: self.description,
            validator: if !self.bare.is_empty() {
                "its form and check digits alone, or a word before it that names it"
            } else if self.check.is_some() {
                "a word before it that names it; its check digits, unless it follows directly"
            } else {
                "its form, directly behind a word that names it"
            },
            source: self.source,
            examples: self.examples,
            non_examples: self.non_examples,
            rank,
            level: Level::Likely,
            triggers: Triggers::Windows(WINDOWS),
            behind: REACH + 8,
            ahead: LEN_MAX + REACH_BEHIND,
            lead: 2,
            swallow: None,
            yields_to_ids: false,
            bounded: ByteSet::DIGIT.or(LOWER),
            find: Find::Kind(Kind {
                forms: self.forms,
                bare: self.bare,
                check: self.check,
                labels: self.labels,
                open: self.open,
            }),
        }
    }
}

/// The kinds of one selection of detectors, found by what a candidate shows first.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    kinds: Vec<(u16, Kind)>,
    /// Bare forms by the first byte they may begin with (digits, then each capital letter), and by how many digits
    /// may lead.
    bare: Vec<Vec<Bare>>,
    words: words::Words,
}

#[derive(Clone, Copy, Debug)]
struct Bare {
    rule: u16,
    form: &'static str,
    check: Check,
    /// What must stand behind the leading digits, if one sign alone may.
    next: Option<u8>,
    /// How many digits it has at least.
    digits: usize,
    signs: form::Signs,
}

impl Kinds {
    /// Takes in a kind that reports as `rule`.
    pub(crate) fn add(&mut self, rule: u16, kind: Kind) {
        self.bare.resize(FIRSTS * RUNS, Vec::new());
        for &(form, check) in kind.bare {
            let runs = form::lead_runs(form);
            let bare = Bare {
                rule,
                form,
                check,
                next: form::behind_lead(form),
                digits: form::digits(form),
                signs: form::Signs::of(form),
            };
            let firsts = [b'0'].into_iter().chain(b'A'..=b'Z');
            for (first, by_run) in firsts.zip(self.bare.chunks_mut(RUNS)) {
                for (run, forms) in by_run.iter_mut().enumerate() {
                    if runs >> run & 1 == 1 && form::may_begin(form, first) {
                        forms.push(bare);
                    }
                }
            }
        }
        let idx = self.kinds.len();
        self.kinds.push((rule, kind));
        for label in kind.labels {
            self.words.add(label, idx);
        }
    }

    /// Whether there is but one kind so far.
    pub(crate) fn is_first(&self) -> bool {
        self.kinds.len() == 1
    }

    /// Which rule matches what at a candidate.
    pub(crate) fn find(&self, view: &View<'_>, at: usize) -> Option<(u16, Range<usize>)> {
        let start = start_of(view, at)?;
        let shape = form::shape(view, start)?;
        // `is 123456789`: a small word before a number is none of its letters.
        let is_word = view.at(start).is_ascii_lowercase() && view.at(start + 2) == b' ';
        (if is_word { None } else { self.named(view, start, shape) })
            .or_else(|| self.bare(view, start, shape))
            .or_else(|| self.named_behind(view, start, shape))
    }

    /// An id that stands alone.
    fn bare(&self, view: &View<'_>, start: usize, shape: form::Shape) -> Option<(u16, Range<usize>)> {
        let first = view.at(start).to_ascii_uppercase();
        let slot = if first.is_ascii_digit() { 0 } else { usize::from(first.checked_sub(b'A')?) + 1 };
        let forms = self.bare.get(slot * RUNS + shape.lead_digits.min(RUNS - 1))?;
        let next = view.at(start + shape.lead_digits);
        let may_fit = |bare: &&Bare| {
            shape.may_be(&bare.signs)
                && bare.digits <= shape.digits
                && bare.next.is_none_or(|sign| sign == next)
        };
        let mut fitting = forms.iter().filter(may_fit);
        fitting.find_map(|bare| {
            let id = form::read(view, start, bare.form)?;
            let span = start..id.end;
            let valid =
                (bare.check)(id.text()) && stands_alone(view, &span) && !ids::is_part_of_id(view, &span);
            valid.then_some((bare.rule, span))
        })
    }

    /// An id of which the words behind it say what it is: `… is my PESEL`, `… (CPF)`.
    fn named_behind(&self, view: &View<'_>, start: usize, shape: form::Shape) -> Option<(u16, Range<usize>)> {
        if !words::say_what_it_is(view, start + shape.len) {
            return None;
        }
        let end = form::open(view, start)?;
        let text = view.bytes(end, start + LEN_MAX.min(end - start) + REACH_BEHIND - 1);
        words::behind(text).find_map(|word_end| {
            self.words.ending_at(text, word_end).find_map(|(label, idx)| {
                let (rule, kind) = self.kinds.get(idx)?;
                let named = !(label.is_weak || label.is_country || label.needs_bank);
                (named && kind.read(view, start, false, shape) == Some(end)).then_some((*rule, start..end))
            })
        })
    }

    /// An id that a word before it names.
    fn named(&self, view: &View<'_>, start: usize, shape: form::Shape) -> Option<(u16, Range<usize>)> {
        let floor = start.saturating_sub(REACH);
        let mut before = Before::new(view.bytes(floor, start));
        let text = before.text();
        let mut directly = true;
        while let Some(end) = before.next_end() {
            directly &= text.len() - end <= FILLING_MAX;
            let is_label = Cell::new(false);
            let read = |believed: bool| {
                self.words.ending_at(text, end).find_map(|(label, idx)| {
                    is_label.set(true);
                    let (rule, kind) = self.kinds.get(idx)?;
                    let believed = believed && !label.is_weak && !label.is_country;
                    let far = label.is_country && text.len() - end > COUNTRY_MAX;
                    // A weak word belongs to the first number behind it.
                    let answered = label.is_weak && text[end..].iter().any(u8::is_ascii_digit);
                    if far || answered || label.needs_bank && !words::speaks_of_banks(text) {
                        return None;
                    }
                    Some((*rule, start..kind.read(view, start, believed, shape)?))
                })
            };
            // Of several kinds that a word names, the one whose check digits are right.
            let named = read(false).or_else(|| (directly && is_label.get()).then(|| read(true)).flatten());
            if named.is_some() {
                return named;
            }
            directly = directly && words::is_filling(before.word(end));
        }
        None
    }
}

impl Kind {
    /// Where the id at `start` ends, if it is one of this kind. If the word before it is `believed`, the check digits
    /// may be wrong.
    fn read(&self, view: &View<'_>, start: usize, believed: bool, shape: form::Shape) -> Option<usize> {
        let forms = self.bare.iter().map(|(form, _)| form).chain(self.forms);
        let read = |form: &&'static str| form::read(view, start, form);
        let mut first = None;
        for id in forms.filter_map(read) {
            if self.check.is_some_and(|check| check(id.text())) {
                return Some(id.end);
            }
            first = first.max(Some(id.end));
        }
        if !believed {
            return None;
        }
        first.or_else(|| {
            let fits = |&digits: &usize| digits <= shape.digits && !view.at(start).is_ascii_lowercase();
            self.open.filter(fits).and_then(|_| form::open(view, start))
        })
    }
}

/// Whether the id is all there is: no group of digits goes on beside it, digits alone are not called the number of a
/// thing, and digits with small letters are no hexadecimal number.
fn stands_alone(view: &View<'_>, id: &Range<usize>) -> bool {
    let bytes = view.bytes(id.start, id.end);
    let before = view.before(id.start) == b' ' && id.start > 1 && view.at(id.start - 2).is_ascii_digit();
    let behind = view.at(id.end) == b' ' && view.at(id.end + 1).is_ascii_digit();
    if (before || behind) && bytes.contains(&b' ') {
        return false;
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        return !words::name_a_thing(view.bytes(id.start.saturating_sub(REACH), id.start));
    }
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    !bytes.iter().all(is_hex)
}

/// Where the id begins that a candidate points at.
fn start_of(view: &View<'_>, at: usize) -> Option<usize> {
    let start = if view.at(at).is_ascii_alphanumeric() { at } else { at + 1 };
    let before = view.before(start);
    // Where a sign stands before and the seventh character is right, the sign is a candidate as well.
    let is_small = view.at(start).is_ascii_lowercase();
    if start == at && SIGN_BEFORE.has(before) && !is_small && SEVENTH.has(view.at(at + 6)) {
        return None;
    }
    if start == 0 || BEFORE_ID.has(before) {
        return Some(start);
    }
    if before.is_ascii_digit() && view.at(start).is_ascii_uppercase() {
        // The candidate may be the letters of an id that begins with two digits.
        let two = start.checked_sub(2)?;
        let led = view.at(two).is_ascii_digit() && (two == 0 || BEFORE_ID.has(view.before(two)));
        return led.then_some(two);
    }
    // An escaped line break ends with a letter.
    (before.is_ascii_lowercase() && !is_glued(view, start)).then_some(start)
}

#[cfg(test)]
mod tests;
