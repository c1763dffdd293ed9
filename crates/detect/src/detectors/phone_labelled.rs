//! Telephone numbers of any country beside a word that says so.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::phone::with_extension;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const GROUPS_MAX: usize = 6;
const DIGITS: std::ops::RangeInclusive<usize> = 7..=13;
/// What may stand between a word and its number.
const GAP: Class = Class::of(b" :.=#\n\t\"'-");
const GAP_LEN_MAX: usize = 6;
/// What a window looks for behind the word.
const AFTER: ByteSet = ByteSet::of(b" :.=#\n\t-(");
const FAR: ByteSet = ByteSet::DIGIT.or(ByteSet::of(b" -./()\n"));
const NEAR: ByteSet = FAR.or(ByteSet::of(b":=\"'+s"));

/// Words that name a telephone number; what stands before them must be no letter.
const WORDS: [&[u8]; 21] = [
    b"telephone",
    b"t\xC3\xA9l\xC3\xA9phone",
    b"phone",
    b"mobile",
    b"fax",
    b"tel",
    b"cell",
    b"whatsapp",
    b"telefon",
    b"telefono",
    b"tel\xC3\xA9fono",
    b"telefone",
    b"telepono",
    b"celular",
    b"telefax",
    b"cellphone",
    b"smartphone",
    b"mobil",
    b"desk",
    b"handy",
    b"portable",
];

/// Words that call somebody, some way before `at` or `on`.
const CALLS: [&[u8]; 8] = [b"call", b"calling", b"ring", b"reach", b"dial", b"answering", b"text", b"phone"];

/// Words behind a number that say whose it is.
const SUFFIXES: [&[u8]; 3] = [b"office", b"fax", b"mobile"];

const fn worded(head: [&[u8]; 4], next: ByteSet) -> Window {
    let [first, second, third, fourth] = head;
    Window {
        sets: [
            ByteSet::of(first),
            ByteSet::of(second),
            ByteSet::of(third),
            ByteSet::of(fourth),
            next,
            NEAR,
            FAR,
            FAR,
        ],
    }
}

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "phone-labelled",
        category: Category::Phone,
        description: "telephone number behind a word that names one",
        validator: "seven to thirteen digits in groups, directly behind phone, mobile, fax, tel and the like, or behind call somebody at; no date, no address",
        source: "ITU-T E.123, national notation; ITU-T E.164 for the number of digits",
        examples: &[
            Example::new("Phone: ", &["467 3395"], "\n"),
            Example::new("Phone:\n", &["60-56-85-91"], "\n"),
            Example::new("Fax: ", &["9498777106"], "."),
            Example::new("Tel.: ", &["030/123456"], ""),
            Example::new("Mobile: ", &["07700-900123"], " ext"),
            Example::new("t\u{e9}l\u{e9}phone : ", &["01-99-00-1234"], "."),
            Example::new("call me on ", &["9472 7916"], "? I"),
            Example::new("not answering at ", &["78 651 450"], ""),
            Example::new("phone number is ", &["(72) 754-186"], ""),
            Example::new("Desk: ", &["5403926876"], "\n"),
        ],
        non_examples: &[
            Example::none("phone: 2026-04-07 phone 07.04.2026 fax 12/10/2024"),
            Example::none("iPhone 15 2024 hotel 1234567 telephone 911 mobile 4.5 cell 12"),
            Example::none("microphone: 44100 48000 phone 192.168.2.20 phone: 1234567890123456"),
            Example::none("account number is 1234567 at 1234567 and on 12345678"),
            Example::none("call at 10:15:30 or ring on 2026-04-07"),
        ],
        rank: 96,
        level: Level::Likely,
        triggers: Triggers::Windows(&[
            worded([b"hH", b"oO", b"nN", b"eE"], AFTER),
            worded([b"eE", b"fF", b"oO", b"nN"], AFTER.or(ByteSet::of(b"oOeE"))),
            worded([b"pPfF", b"oO", b"nN", b"oOeE"], AFTER),
            worded([b"bB", b"iI", b"lL", b"eE :."], AFTER.or(ByteSet::DIGIT)),
            worded([b"sS", b"aA", b"pP", b"pP"], AFTER),
            worded([b"cC", b"eE", b"lL", b"lL"], AFTER),
            worded([b"uU", b"lL", b"aA", b"rR"], AFTER),
            worded([b"dD", b"eE", b"sS", b"kK"], AFTER),
            worded([b"aA", b"nN", b"dD", b"yY"], AFTER),
            worded([b"mM", b"bB", b"eE", b"rR"], AFTER),
            worded([b"fF", b"aA", b"xX", b" :.=#\n\t-("], AFTER.or(ByteSet::DIGIT)),
            worded([b"tT", b"eE", b"lL", b" :.=#\n\t-("], AFTER.or(ByteSet::DIGIT)),
            worded([b" ", b"oOaA", b"nNtT", b" :"], ByteSet::DIGIT.or(ByteSet::of(b"("))),
        ]),
        behind: 48,
        ahead: 56,
        lead: 32,
        swallow: None,
        yields_to_ids: true,
        bounded: NEVER,
        find: Find::Code(find),
    },
    Detector {
        id: "phone-before-label",
        category: Category::Phone,
        description: "telephone number before a word that says whose it is",
        validator: "seven to thirteen digits in groups, directly before office, fax or mobile",
        source: "ITU-T E.123, national notation; ITU-T E.164 for the number of digits",
        examples: &[
            Example::new("", &["781 1704"], " office"),
            Example::new("\n", &["28-64-66-98"], " office\n"),
            Example::new("Brakpan\n", &["(37) 788-063"], "-Office, x"),
            Example::new("x, ", &["3660170548"], "-Fax"),
        ],
        non_examples: &[
            Example::none("12 mobile phones, 24 cells, 3 fax machines, 2026-04-07 office 1234 home"),
            Example::none("2024-2025 homeland id1234567 fax"),
        ],
        rank: 95,
        level: Level::Likely,
        triggers: Triggers::Windows(&[
            Window::among([b"oO", b"fF", b"fF", b"iI", b"cC"]),
            Window::among([b"mM", b"oO", b"bB", b"iI", b"lL"]),
            Window::head(&[
                ByteSet::of(b"fF"),
                ByteSet::of(b"aA"),
                ByteSet::of(b"xX"),
                ByteSet::of(b" \t\n.,;)\0"),
            ]),
        ]),
        behind: 32,
        ahead: 12,
        lead: 0,
        swallow: None,
        yields_to_ids: true,
        bounded: NEVER,
        find: Find::Code(find_before),
    },
];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = if view.at(at) == b' ' { behind_call(view, at)? } else { behind_word(view, at)? };
    let end = number_end(view, start)?;
    Some(start..with_extension(view, end))
}

/// Where a number may begin behind a word whose ending stands at `at`.
fn behind_word(view: &View<'_>, at: usize) -> Option<usize> {
    let word_end = view.run_up_to(at, 5, Class::ALPHA);
    let word = view.back(word_end, Class::ALPHA.or_non_ascii());
    let is_number = view.bytes(word, word_end).eq_ignore_ascii_case(b"number") && is_of_phone(view, word);
    let named = is_number
        || WORDS.iter().any(|name| view.bytes(word, word_end).eq_ignore_ascii_case(name))
        || ends_camel(view, word, word_end);
    if !named {
        return None;
    }
    let plural = usize::from(view.at(word_end) == b's');
    let mut pos = view.run_up_to(word_end + plural, GAP_LEN_MAX, GAP);
    if pos == word_end && view.at(pos) != b'(' {
        return None;
    }
    const FILLERS: [&[u8]; 7] = [b"number", b"no", b"nr", b"is", b"was", b"at", b"on"];
    for _ in 0..2 {
        let end = view.run_up_to(pos, 7, Class::ALPHA);
        if FILLERS.iter().any(|filler| view.bytes(pos, end).eq_ignore_ascii_case(filler)) {
            pos = view.run_up_to(end, GAP_LEN_MAX, GAP);
        }
    }
    Some(pos)
}

/// Whether the word that ends at `end` is made of several and the last, with a capital, is `Phone`, `Mobile` or `Fax`.
fn ends_camel(view: &View<'_>, start: usize, end: usize) -> bool {
    [&b"Phone"[..], b"Mobile", b"Fax"]
        .iter()
        .any(|name| view.ends_with(end, name) && end - start > name.len() && view.at(start) != b'i')
}

/// Whether one of the words before `number` at `word` names a telephone.
fn is_of_phone(view: &View<'_>, word: usize) -> bool {
    const NAMES: [&[u8]; 7] = [b"phone", b"mobile", b"fax", b"cell", b"contact", b"whatsapp", b"telephone"];
    let end = view.back(word, Class::of(b" _-"));
    let start = view.back(end, Class::ALPHA);
    NAMES.iter().any(|name| view.bytes(start, end).eq_ignore_ascii_case(name))
}

/// Where a number may begin behind `at` or `on` at `at`, if somebody is called before.
fn behind_call(view: &View<'_>, at: usize) -> Option<usize> {
    let line = view.bytes(at.saturating_sub(30), at);
    let begin = line.iter().rposition(|byte| matches!(byte, b'.' | b'\n' | b';')).map_or(0, |stop| stop + 1);
    let mut words = line[begin..].split(|byte| !byte.is_ascii_alphabetic());
    words
        .any(|word| CALLS.iter().any(|call| word.eq_ignore_ascii_case(call)))
        .then(|| view.run_up_to(at + 3, 2, Class::of(b" :")))
}

/// Where the number that begins at `from` ends: digits in groups, with usual separators.
fn number_end(view: &View<'_>, from: usize) -> Option<usize> {
    let mut sizes = [0; GROUPS_MAX];
    let mut count = 0;
    let mut digits = 0;
    let mut dots = 0;
    let mut pos = if view.at(from) == b'(' { from + 1 } else { from };
    let mut end;
    loop {
        end = view.run_up_to(pos, *DIGITS.end() + 1, Class::DIGIT);
        if end == pos || count == GROUPS_MAX {
            return None;
        }
        sizes[count] = end - pos;
        count += 1;
        digits += end - pos;
        let next = view.run_up_to(end, 2, Class::of(b" -./()"));
        if next == end || !view.at(next).is_ascii_digit() {
            break;
        }
        dots += usize::from(view.at(end) == b'.');
        pos = next;
    }
    let extended = view.at(end) == b'x' && view.at(end + 1).is_ascii_digit();
    let apart = extended || !Class::WORD.with(b":%$").has(view.at(end));
    let sizes = &sizes[..count];
    let plain = DIGITS.contains(&digits) && apart && !is_date(view, from, sizes);
    // Four groups with dots are a network address.
    (plain && !(dots == 3 && count == 4 && digits <= 12) && !(dots == 1 && count == 2)).then_some(end)
}

/// Whether groups of these sizes at `from` are a date, or two years.
fn is_date(view: &View<'_>, from: usize, sizes: &[usize]) -> bool {
    let is_year = |pos: usize| view.starts_with(pos, b"19") || view.starts_with(pos, b"20");
    match sizes {
        [4, 2, 2, ..] | [4, 4] => is_year(from) && (sizes != [4, 4] || is_year(from + 5)),
        [2, 2, 4, ..] => is_year(from + 6),
        [1, 2, 4, ..] | [2, 1, 4, ..] => is_year(from + 5),
        _ => false,
    }
}

fn find_before(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let end = at.checked_sub(1)?;
    if !matches!(view.at(end), b' ' | b'-') || !view.before(end).is_ascii_digit() {
        return None;
    }
    let word_end = view.run_up_to(at, 8, Class::ALPHA);
    let named = SUFFIXES.iter().any(|suffix| view.bytes(at, word_end).eq_ignore_ascii_case(suffix));
    let goes_on = view.at(word_end) == b' ' && view.at(word_end + 1).is_ascii_alphabetic();
    if !named || goes_on || Class::WORD.has(view.at(word_end)) {
        return None;
    }
    let mut start = view.back(end, Class::DIGIT.with(b" -.()"));
    while start < end && Class::of(b" -.)").has(view.at(start)) {
        start += 1;
    }
    let listed = view.before(start) == b',' && start >= 2 && !view.at(start - 2).is_ascii_digit();
    let apart = listed || !Class::WORD.with(b"+:/$,").or_non_ascii().has(view.before(start));
    (apart && number_end(view, start)? == end).then_some(start..end)
}
