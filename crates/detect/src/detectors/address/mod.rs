//! Postal addresses in prose.
//!
//! A house number stands before the street or behind it: both rules look at the space beside the number, and
//! decide by the words on its other side.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

mod tail;
mod text;
mod words;

use tail::{code_behind, state_and_zip, town_before, with_tail};
use text::{Kind, Token, house_number};
use words::{
    ENDINGS, Suffix, begins_street, ends_street, is_direction, is_numbered_road, is_particle, is_unit, suffix,
};

/// What words and numbers of an address consist of; a byte above 0x7F counts without its upper bit.
const PART: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b" .,'-#\n")).or(ByteSet::range(1, 9));

/// The end of a number, and what follows it up to the fifth byte.
const fn behind_number(third: ByteSet, fourth: ByteSet, fifth: ByteSet) -> Window {
    Window::head(&[ByteSet::DIGIT.or(ByteSet::of(b"ABCD")), ByteSet::of(b" "), third, fourth, fifth])
}

/// A number, a space, a word with a capital; French streets begin with a small one.
const NUMBER_BEFORE: Window = behind_number(ByteSet::range(b'A', b'Z').or(ByteSet::of(b"r")), PART, PART);

/// A number, a space, a number that names a street: words follow it.
const NUMBER_BEFORE_SHORT: Window = behind_number(ByteSet::DIGIT, PART, PART.without(ByteSet::DIGIT));

/// The same with three digits or more.
const NUMBER_BEFORE_LONG: Window = {
    let mut window = behind_number(ByteSet::DIGIT, ByteSet::DIGIT, ByteSet::DIGIT);
    // The eighth byte: the third digit is followed by an ending or a space.
    window.sets[5] = PART.without(ByteSet::DIGIT);
    window
};

/// A word, a space, a number.
const NUMBER_AFTER: Window = Window::head(&[
    ByteSet::ALPHA.or(ByteSet::of(b".")),
    ByteSet::of(b" "),
    ByteSet::DIGIT,
    ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b" ,.;!?)]}>-\n\r\t\"'\\<\0")),
]);

/// The end of a word for a box, a space, a number.
const BOX: Window = Window {
    sets: {
        let mut sets = NUMBER_AFTER.sets;
        sets[0] = ByteSet::of(b"xXhso");
        sets
    },
};

/// The letters of a state, a space, its code.
const STATE: Window = Window::head(&[
    ByteSet::range(b'A', b'Z'),
    ByteSet::of(b" "),
    ByteSet::DIGIT,
    ByteSet::DIGIT,
    ByteSet::DIGIT,
]);

/// The space within a British postcode.
const POSTCODE: Window = Window::head(&[
    ByteSet::range(b'A', b'Z').or(ByteSet::DIGIT),
    ByteSet::of(b" "),
    ByteSet::DIGIT,
    ByteSet::range(b'A', b'Z'),
    ByteSet::range(b'A', b'Z'),
]);

/// More words belong to no street.
const WORDS_MAX: usize = 6;

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "street-address",
        category: Category::PostalAddress,
        description: "house number and street, with what follows up to the code of the post",
        validator: "a number, words with a capital, a word that ends or begins the names of streets",
        source: "USPS Publication 28, Postal Addressing Standards, appendix C; UPU S42 for other countries",
        examples: &[
            Example::new("ship to ", &["123 Main Street"], ", please"),
            Example::new("at ", &["123 Main St Apt 4, Anytown, CA 94111"], "."),
            Example::new("", &["220 6th Street, Anytown, ID 83873-1234"], ""),
            Example::new("", &["17315 Highway 87, Anytown, MO 65233"], ""),
            Example::new("", &["12 rue de Rivoli"], " ok"),
            Example::new("", &["18 MACK AVE # 445 ANYTOWN MI 48236"], ""),
            Example::new("in der ", &["Beispielstraße 12, 10115 Berlin"], "."),
            Example::new("", &["Via Roma 131"], ", ok"),
            Example::new("", &["Calle de la Rosa 5"], "."),
            Example::new("", &["Voorbeeldlaan 12"], " is"),
            Example::new("", &["Storgatan 5"], ""),
        ],
        non_examples: &[
            Example::none("30 days later, 5 Items Found, 2 miles down the road, 24 hours on the way"),
            Example::none("Order 12345, Step 3, Chapter 5, Spring 2024, Version 2, Katie 25, Decade 5"),
            Example::none("12:30 Main Street, $5 Main Street, 1.5 Park Avenue, build-12 Main Street"),
            Example::none("2026-04-07 10:15:30 GET /v1/charges 200 in 35 ms"),
            Example::none("10 Downing and 5 Best View, 3 Free Rides, 20 Questions"),
        ],
        rank: 44,
        level: Level::Likely,
        triggers: Triggers::Windows(&[NUMBER_BEFORE, NUMBER_BEFORE_SHORT, NUMBER_BEFORE_LONG, NUMBER_AFTER]),
        behind: 104,
        ahead: 192,
        lead: 16,
        swallow: None,
        yields_to_ids: true,
        bounded: NEVER,
        find: Find::Code(find_street),
    },
    Detector {
        id: "post-box",
        category: Category::PostalAddress,
        description: "post office box, rural route or military address",
        validator: "a word for a box, with the words before it that make it one, and its number",
        source: "USPS Publication 28, Postal Addressing Standards, sections 24, 25, 28 and 238",
        examples: &[
            Example::new("", &["P.O. Box 1234"], ", x"),
            Example::new("", &["PO BOX 60, Anytown CA 94160"], "."),
            Example::new("", &["PSC 4574, Box 8393\nAPO AA 34098"], ""),
            Example::new("", &["RR 2 Box 15"], " x"),
            Example::new("", &["Postfach 12 34"], "."),
        ],
        non_examples: &[Example::none("Box 12, the box 5 of 7, inbox 3, xbox 360, po 12")],
        rank: 45,
        level: Level::Likely,
        triggers: Triggers::Windows(&[BOX]),
        behind: 96,
        ahead: 128,
        lead: 16,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_box),
    },
    Detector {
        id: "postal-place",
        category: Category::PostalAddress,
        description: "town with its state and zip code, or with its British postcode",
        validator: "a state's letters and five digits behind a word with a capital; a postcode in form behind a town",
        source: "USPS Publication 28, appendix B; BS 7666, form of postcodes",
        examples: &[
            Example::new("from ", &["Springfield, IL 62704"], "."),
            Example::new("", &["Salt Lake City, UT 84118-0001"], " x"),
            Example::new("in ", &["London SW1A 1AA"], "."),
            Example::new("", &["Leeds, LS1 4DY"], ""),
        ],
        non_examples: &[
            Example::none("IN 12345, OK 20000, the OR 12345 and in 46206, ID 12345678"),
            Example::none("SW1A 1AA, version A1 2BC, London 2012"),
        ],
        rank: 43,
        level: Level::Likely,
        triggers: Triggers::Windows(&[STATE, POSTCODE]),
        behind: 96,
        ahead: 32,
        lead: 8,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_place),
    },
];

/// A street with its number; a space stands at `at + 1`, the number on one side of it.
fn find_street(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at + 1) != b' ' {
        return None;
    }
    let before = view.at(at);
    if before.is_ascii_digit() || (before.is_ascii_uppercase() && view.before(at).is_ascii_digit()) {
        find_behind_number(view, at)
    } else if view.at(at + 2).is_ascii_digit() {
        find_before_number(view, at)
    } else {
        None
    }
}

/// `12 Main Street`; the number ends with `at`.
fn find_behind_number(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = house_number(view, at + 1)?;
    let first = Token::at(view, at + 2)?;
    if first.kind == Kind::Number && !view.at(first.end + 1).is_ascii_alphabetic() {
        return None;
    }
    if first.is(view, begins_street)
        && let Some(end) = street_that_begins(view, first)
    {
        return Some(start..with_tail(view, end));
    }
    let (end, suffix) = street_that_ends(view, first)?;
    match suffix {
        _ if is_year_of(view, start, at + 1) => None,
        Suffix::Rare => code_behind(view, end).map(|end| start..end),
        Suffix::Usual if is_title_before(view, start) => None,
        _ => Some(with_number_before(view, start)..with_tail(view, end)),
    }
}

/// Whether the number is a year, by the word before it: `in 1999 Wall Street fell`.
fn is_year_of(view: &View<'_>, start: usize, end: usize) -> bool {
    let year = end - start == 4 && (view.starts_with(start, b"19") || view.starts_with(start, b"20"));
    year && start > 0
        && Token::before(view, start - 1).is_some_and(|word| {
            word.is(view, |word| {
                matches!(word, b"in" | b"since" | b"until" | b"of" | b"by" | b"during" | b"from" | b"the")
            })
        })
}

/// Whether a word with a capital stands right before `start`: `Windows 10 Drive Letter` is no street.
fn is_title_before(view: &View<'_>, start: usize) -> bool {
    view.before(start) == b' '
        && start > 1
        && Token::before(view, start - 1)
            .is_some_and(|token| token.kind == Kind::Capital && token.end + 1 == start)
}

/// Where the street ends whose name begins with `first`, and what the word says that ends it.
fn street_that_ends(view: &View<'_>, first: Token) -> Option<(usize, Suffix)> {
    let mut token = first;
    let mut found = None;
    for words in 0..WORDS_MAX {
        let mut lower = [0; 24];
        let word = token.lower(view, &mut lower);
        let suffix = suffix(word).filter(|_| token.kind == Kind::Capital);
        if is_numbered_road(word)
            && let Some(end) = road_number(view, token)
        {
            return Some((end, Suffix::Clear));
        }
        match suffix {
            Some(suffix) if words > 0 => found = found.max(Some((token.end_with_dot_if_short(view), suffix))),
            // Behind a suffix only another goes on with the name.
            None if found.is_some() => break,
            _ => {}
        }
        let fits = match token.kind {
            Kind::Capital | Kind::Mixed => true,
            Kind::Number => words > 0 || view.at(token.end) == b' ',
            Kind::Small => words > 0 && is_particle(word),
        };
        if !fits {
            break;
        }
        let Some(next) = token.next(view) else { break };
        token = next;
    }
    found
}

/// Where the number of the road `token` ends: `Highway 61`, `Route # 9`, `Avenue C`.
fn road_number(view: &View<'_>, token: Token) -> Option<usize> {
    let next = token.next(view)?;
    let next = if next.is(view, |word| word == b"no") { next.next(view)? } else { next };
    let letter = next.kind == Kind::Capital && next.len() == 1 && !next.is(view, is_direction);
    let number = matches!(next.kind, Kind::Number | Kind::Mixed) && next.len() <= 4;
    (letter || number).then_some(next.end)
}

/// Where the street ends that begins with the word `first`: `rue de Rivoli`, `Via Roma 131`.
fn street_that_begins(view: &View<'_>, first: Token) -> Option<usize> {
    let mut token = first;
    let mut end = None;
    // Some of these words are English, too: there a particle or a second number must follow.
    let mut is_sure =
        !first.is(view, |word| matches!(word, b"place" | b"plaza" | b"via" | b"cours" | b"camino"));
    for _ in 0..4 {
        let Some(next) = token.next(view) else { break };
        match next.kind {
            Kind::Capital => end = Some(next.end),
            Kind::Small if next.is(view, is_particle) => is_sure = true,
            Kind::Small if next.len() > 3 && end.is_none() && token.is(view, is_particle) => {
                end = Some(next.end)
            }
            Kind::Number if end.is_some() && next.len() <= 4 => return Some(next.end),
            _ => break,
        }
        token = next;
    }
    end.filter(|_| is_sure)
}

/// `Beispielstraße 12`, `Via Roma 131`; the last word ends with `at`.
fn find_before_number(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let end = number_end(view, at + 2)?;
    let last = Token::before(view, at + 1)?;
    // Words with a small letter are many, and few of them matter.
    let small = last.kind == Kind::Small;
    if small && !is_unit(view.bytes(last.start, last.end)) && !ends_street(view.bytes(last.start, last.end)) {
        return None;
    }
    if last.is(view, is_unit) {
        return find_unit(view, last, end);
    }
    let start = if is_street_word(view, last) {
        last.start
    } else if last.is(view, ends_street) {
        last.previous(view).filter(|word| word.kind == Kind::Capital && !word.is(view, is_direction))?.start
    } else {
        street_start(view, last)?
    };
    Some(with_number_before(view, start)..with_tail(view, end))
}

/// Where the house number at `start` ends, if it is one.
fn number_end(view: &View<'_>, start: usize) -> Option<usize> {
    let digits = view.run_up_to(start, 5, Class::DIGIT);
    let letter = view.at(digits).is_ascii_alphabetic() && !Class::WORD.has(view.at(digits + 1));
    let end = digits + usize::from(letter);
    let more = matches!(view.at(end), b'.' | b',' | b':') && view.at(end + 1).is_ascii_digit();
    let apart = !Class::WORD.or_non_ascii().with(b"%:").has(view.at(end));
    (digits - start <= 4 && apart && !more).then_some(end)
}

/// Whether one word names a street by its ending.
fn is_street_word(view: &View<'_>, word: Token) -> bool {
    if word.kind != Kind::Capital || word.len() < 5 {
        return false;
    }
    let bytes = view.bytes(word.start, word.end);
    let ends = |ending: &str, len_min: usize| bytes.len() >= len_min && bytes.ends_with(ending.as_bytes());
    ENDINGS.iter().any(|&(ending, len_min)| ends(ending, len_min))
        && !matches!(bytes, b"Brigade" | b"Renegade")
}

/// Where the street begins that ends with `last`, by the word it begins with.
fn street_start(view: &View<'_>, last: Token) -> Option<usize> {
    if last.kind != Kind::Capital {
        return None;
    }
    let mut word = last;
    for _ in 0..4 {
        word = word.previous(view)?;
        if word.is(view, begins_street) {
            return Some(word.start);
        }
        if word.kind == Kind::Small && !word.is(view, is_particle) {
            return None;
        }
    }
    None
}

/// Where the address begins whose street begins at `start`: a number or a unit may stand before.
fn with_number_before(view: &View<'_>, start: usize) -> usize {
    if start < 2 || view.before(start) != b' ' {
        return start;
    }
    let Some(number) = house_number(view, start - 1) else { return start };
    let unit = number.checked_sub(1).and_then(|end| Token::before(view, end));
    match unit {
        Some(unit) if unit.is(view, is_unit) => unit.start,
        _ => number,
    }
}

/// A unit with a town and its code behind, or the street on the line before.
fn find_unit(view: &View<'_>, unit: Token, end: usize) -> Option<Range<usize>> {
    if unit.kind == Kind::Small && !matches!(view.before(unit.start), b'\n' | b' ' | b',') {
        return None;
    }
    let reached = code_behind(view, end)?;
    Some(line_before(view, unit.start)..reached)
}

/// Where the line before the one that begins at `start` begins, if a house number begins or ends it.
fn line_before(view: &View<'_>, start: usize) -> usize {
    let end = view.back(start, Class::of(b" \n\r,>?"));
    let line = view.back(end, Class::ALNUM.or_non_ascii().with(b" .'-"));
    let line = view.run_up_to(line, 4, Class::of(b" "));
    let numbered = view.at(line).is_ascii_digit() || view.before(end).is_ascii_digit();
    let worded = view.bytes(line, end).iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    if end > line && end - line <= 48 && numbered && worded { line } else { start }
}

/// A box of the post; the word for it ends with `at`.
fn find_box(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at + 1) != b' ' || !matches!(view.at(at), b'x' | b'X' | b'h' | b's' | b'o') {
        return None;
    }
    let word = Token::before(view, at + 1)?;
    let mut end = Token::at(view, at + 2)?.end;
    let start = match word.lower(view, &mut [0; 24]) {
        b"box" => box_start(view, word)?,
        b"postfach" | b"postbus" | b"postboks" | b"postbox" | b"apartado" => {
            while view.at(end) == b' ' && view.run_up_to(end + 1, 4, Class::DIGIT) > end + 1 {
                end = view.run_up_to(end + 1, 4, Class::DIGIT);
            }
            word.start
        }
        _ => return None,
    };
    Some(with_number_before(view, start)..with_tail(view, end))
}

/// Where the words begin that make a box of the post of `word`.
fn box_start(view: &View<'_>, word: Token) -> Option<usize> {
    for literal in [&b"p.o. "[..], b"po ", b"p.o.", b"p. o. ", b"p o ", b"post office "] {
        let Some(start) = word.start.checked_sub(literal.len()) else { continue };
        if view.starts_with_any_case(start, literal) && !Class::WORD.has(view.before(start)) {
            return Some(start);
        }
    }
    // A route, a unit of the forces or a postal service centre with its number.
    let number_end = view.back(word.start, Class::of(b" ,"));
    let number = view.back(number_end, Class::ALNUM.with(b"#"));
    let number = if view.before(number) == b'#' { number - 1 } else { number };
    let route = Token::before(view, number.checked_sub(1)?)?;
    let is_route = route.is(view, |word| {
        matches!(
            word,
            b"rr" | b"hc" | b"hcr" | b"psc" | b"unit" | b"cmr" | b"route" | b"rte" | b"rt" | b"rfd"
        )
    });
    if !is_route || number == number_end {
        return None;
    }
    let before = route.previous(view);
    let whole = before.filter(|word| {
        word.is(view, |word| matches!(word, b"rural" | b"hc" | b"star" | b"contract" | b"highway" | b"rr"))
    });
    Some(whole.map_or(route.start, |word| word.start))
}

/// A town with a code that stands around the space at `at + 1`.
fn find_place(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let space = at + 1;
    if view.at(space) != b' ' || !view.at(space + 1).is_ascii_digit() {
        return None;
    }
    if view.at(at).is_ascii_uppercase()
        && view.before(at).is_ascii_uppercase()
        && let Some(end) = state_and_zip(view, space)
    {
        let start = town_before(view, space - 3);
        return (start < space - 3).then(|| line_start(view, start)..end);
    }
    let (start, end) = postcode(view, space)?;
    let town = town_before(view, start.checked_sub(1)?);
    (town < start - 1).then_some(town..end)
}

/// Where the line's number stands that leads to the town at `start`: `285 West Dearborn, Anytown, FL 34223`.
fn line_start(view: &View<'_>, start: usize) -> usize {
    let line = view.back(start, Class::ALNUM.with(b" ,.'#-"));
    let line = view.run_up_to(line, 2, Class::of(b" "));
    let number = view.run_up_to(line, 6, Class::DIGIT);
    let street = number > line && view.at(number) == b' ' && start - line <= 64;
    if street && house_number(view, number) == Some(line) { line } else { start }
}

/// Where the British postcode begins and ends that has a space at `space`.
fn postcode(view: &View<'_>, space: usize) -> Option<(usize, usize)> {
    const LAST: Class = Class::of(b"ABDEFGHJLNPQRSTUWXYZ");
    if !LAST.has(view.at(space + 2)) || !LAST.has(view.at(space + 3)) || Class::WORD.has(view.at(space + 4)) {
        return None;
    }
    let start = view.back(space, Class::ALNUM);
    let fits = match view.bytes(start, space) {
        [b'A'..=b'Z', rest @ ..] => matches!(
            rest,
            [b'0'..=b'9']
                | [b'0'..=b'9', b'0'..=b'9' | b'A'..=b'Z']
                | [b'A'..=b'Y', b'0'..=b'9']
                | [b'A'..=b'Y', b'0'..=b'9', b'0'..=b'9' | b'A'..=b'Z']
        ),
        _ => false,
    };
    (fits && !Class::WORD.has(view.before(start))).then_some((start, space + 4))
}

/// Whether a word that begins small may be part of the name of a street, a box or a unit.
pub(crate) fn may_name_street(word: &[u8]) -> bool {
    let mut lower = [0; 24];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let lower = &*lower;
    const BOX: [&[u8]; 22] = [
        b"p",
        b"o",
        b"po",
        b"post",
        b"office",
        b"box",
        b"rr",
        b"hc",
        b"hcr",
        b"psc",
        b"cmr",
        b"route",
        b"rte",
        b"rt",
        b"rfd",
        b"rural",
        b"star",
        b"contract",
        b"highway",
        b"postfach",
        b"postbus",
        b"apartado",
    ];
    is_particle(lower)
        || begins_street(lower)
        || is_unit(lower)
        || suffix(lower).is_some()
        || BOX.contains(&lower)
}

#[cfg(test)]
mod tests;
