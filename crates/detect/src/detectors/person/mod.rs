//! Names of persons in prose, by a lexicon of names and by what is written beside a name.
//!
//! Each capitalised word is asked whether a name begins there. What decides is, in this order: the word before
//! it (a title, a greeting, a label), the word itself (a known given name), and the capitalised words that follow.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

mod cues;
mod lexicon;
mod parts;

use cues::{AFTER, BE, BEFORE, CLOSING, GREETING, LABEL, NAME, NAMED, PLACE, ROLE, SPEAKS, TITLE, WHOSE};
use lexicon::{GIVEN, SURNAME, Traits, WORD, look_up};
pub(crate) use lexicon::{base_letter, is_ordinary};
use parts::{LETTER, Parts, Word, is_capital, word_at, word_before};

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "person-name",
        category: Category::PersonName,
        description: "name of a person in prose",
        validator: "a given name and a surname of the lists, or capitalised words beside a title, greeting, label or closing",
        source: "US Census Bureau, Frequently Occurring Surnames and First Names, 1990",
        examples: &[
            Example::new("Then ", &["Jennifer Rosen"], " called."),
            Example::new("Dear Mr. ", &["Zalewqui"], ", we have your letter."),
            Example::new("Best regards,\n", &["Jürgen van der Berg"], "\n"),
            Example::new("Cardholder: ", &["Xalak Badami"], ", card ending in 4242"),
            Example::new("", &["O'Brien, Mary"], " (accounts)"),
            Example::new("it came from ", &["Zbigniew"], " yesterday"),
            Example::new("my name is ", &["Tomoko Qwerin"], ""),
            Example::new("everyone calls me ", &["Tomokin"], ""),
            Example::new("for my daughter ", &["Tomokin"], " and me"),
            Example::new("a film starring ", &["Qwerin"], "."),
            Example::new("a song composed by ", &["Tomokin Qwerin"], " in 1973"),
            Example::new("please add ", &["Tomokin Qwerin"], " as a beneficiary"),
            Example::new("our founders: ", &["Qwerin"], ", said no more"),
        ],
        non_examples: &[
            Example::none("Payment Intent, Billing Address, New York, Stripe Dashboard, Thank You"),
            Example::none("Will you mark the invoice? Mark the box. May I? Grace Period ends in June."),
            Example::none("Dear Customer, Dear Sir or Madam, Hello World, Hi Team,"),
            Example::none("17 Jennifer Street, Johnson Hospital, San Antonio, Martin Luther University"),
            Example::none("my son Monday, calls me Maybe, starring New York, written by Quality Assurance"),
            Example::none(
                "add Blue Label as a product, add Zeta Yotta as a supplier, our customers: Zetayotta",
            ),
            Example::none("class JenniferRosen extends Jennifer_Rosen; jennifer.Rosen()"),
        ],
        rank: 20,
        level: Level::Likely,
        triggers: Triggers::Windows(&[CAPITALISED]),
        behind: 48,
        ahead: 96,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: ByteSet::ALPHA,
        find: Find::Code(find_name),
    },
    Detector {
        id: "person-introduction",
        category: Category::PersonName,
        description: "name written small behind \"name is\"",
        validator: "a given name of the lists",
        source: "US Census Bureau, Frequently Occurring Surnames and First Names, 1990",
        examples: &[Example::new("hi, my name is ", &["jennifer rosen"], ", i lost my card")],
        non_examples: &[
            Example::none("the name is required, the file name is may.txt"),
            Example::none("my name is on the card"),
        ],
        rank: 18,
        level: Level::Likely,
        triggers: Triggers::Windows(&[Window::literal(b"name is ")]),
        behind: 0,
        ahead: 96,
        lead: 8,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_introduction),
    },
    Detector {
        id: "given-name",
        category: Category::PersonName,
        description: "given name that stands alone",
        validator: "a given name of the lists that is no ordinary word",
        source: "US Census Bureau, Frequently Occurring First Names, 1990",
        examples: &[Example::new("", &["Jennifer"], " (on leave)")],
        non_examples: &[Example::none("Mark: done; Will: open; Jenniferism")],
        rank: 10,
        level: Level::Possible,
        triggers: Triggers::Windows(&[CAPITALISED]),
        behind: 48,
        ahead: 96,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: ByteSet::ALPHA,
        find: Find::Code(find_given),
    },
];

/// Small letters, and what the upper bit leaves of the first bytes of letters with marks.
const SMALL: ByteSet = ByteSet::range(b'a', b'z').or(ByteSet::of(b"CDE"));
/// What stands second in a name: of letters with marks, the filter sees the second byte without its upper bit.
const SECOND: ByteSet = SMALL.or(ByteSet::of(b"'. =")).or(ByteSet::range(0, 0x1F));
/// What stands third or later.
const LATER: ByteSet = ByteSet::ALPHA.or(ByteSet::range(0, b'?'));

/// A capital letter and what may follow in a name.
const CAPITALISED: Window = Window {
    sets: [ByteSet::range(b'A', b'Z'), SECOND, LATER, LATER, LATER, ByteSet::ANY, ByteSet::ANY, ByteSet::ANY],
};

/// What is written before a name.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    /// What the word before is.
    traits: Traits,
    /// The sign between that word and the name, or a space.
    sign: u8,
    /// Whether the words before make a statement of the name: a title, a label, an introduction.
    strong: bool,
    /// Whether a lone word that is in no list may be the name.
    lone: bool,
    /// Whether only a whole line is a name.
    whole_line: bool,
    /// Whether a surname that is an ordinary word may be the name: behind `Mr` and the like, not behind `Princess`.
    ordinary: bool,
}

fn find_name(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let first = first_word(view, at)?;
    if first.traits & (WORD | GIVEN | SURNAME) == WORD {
        return None;
    }
    let context = context(view, at);
    if context.traits & PLACE != 0 && context.traits & TITLE == 0 && context.sign == b' ' {
        return None;
    }
    // "Plan B. Johnson said": an initial begins a name only where one may begin.
    let begins = context.sign != b' ' || context.traits & (BEFORE | ROLE | TITLE | GREETING | AFTER) != 0;
    if first.is_initial && (!begins || view.before(first.end) != b'.') {
        return None;
    }
    let parts = Parts::read(view, first);
    if parts.is_thing || first.traits & PLACE != 0 && first.traits & GIVEN == 0 {
        return None;
    }
    let end = parts.end();
    let named = if parts.len > 1 {
        is_full_name(&parts)
            || (context.strong
                || is_said(context)
                || is_mailbox(view, end)
                || speaks(view, end)
                || is_made(view, end))
                && is_plausible(&parts)
    } else {
        is_lone_name(view, &first, context) || is_in_list_of_people(view, &first)
    };
    if named && (!context.whole_line || is_full_name(&parts) || ends_line(view, end)) {
        return Some(at..end);
    }
    surname_first(view, &parts, context)
}

/// The word at `at`, unless it is part of something else.
#[inline]
fn first_word(view: &View<'_>, at: usize) -> Option<Word> {
    const GLUE: Class = Class::IDENT.with(b"@#/\\.$&+%~").or_non_ascii();
    if GLUE.has(view.before(at)) {
        return None;
    }
    word_at(view, at).filter(|word| word.is_capitalised)
}

/// What is written before the name at `at`.
fn context(view: &View<'_>, at: usize) -> Context {
    let mut pos = at;
    while pos > 0 && at - pos < 8 && view.before(pos) == b' ' {
        pos -= 1;
    }
    let sign = view.before(pos);
    match sign {
        b'\n' | b'\r' => closing(view, pos),
        b':' | b'=' | b'?' => label(view, pos - 1),
        b',' => Context { traits: word_before(view, pos - 1).map_or(0, look_up), sign, ..Context::default() },
        b'.' if pos < at => {
            let traits = word_before(view, pos - 1).map_or(0, look_up) & TITLE;
            Context {
                traits,
                sign: b' ',
                strong: traits != 0,
                lone: traits != 0,
                whole_line: false,
                ordinary: true,
            }
        }
        _ if pos < at && LETTER.has(sign) => word_context(view, pos),
        _ => Context { sign, ..Context::default() },
    }
}

/// What the word that ends at `end` says of the name behind it.
fn word_context(view: &View<'_>, end: usize) -> Context {
    let Some(word) = word_before(view, end) else { return Context::default() };
    let traits = look_up(word);
    let begin = end - word.len();
    let capital = word.first().is_some_and(u8::is_ascii_uppercase);
    let mut context = Context { traits, sign: b' ', ..Context::default() };
    if matches!(word, b"and" | b"or") && !joins_given_names(view, begin) {
        return Context { sign: b' ', ..Context::default() };
    }
    if traits & TITLE != 0 && capital || traits & NAMED != 0 {
        context.strong = true;
        context.lone = traits & TITLE != 0;
        context.ordinary = word.len() <= 3;
    } else if traits & GREETING != 0 && capital {
        context.strong = true;
        context.lone = true;
        context.whole_line = true;
    } else if traits & BE != 0 {
        let before = view.bytes(begin.saturating_sub(6), begin);
        let is_name = before.ends_with(b"name ");
        let is_i = before.ends_with(b"I ") || word.eq_ignore_ascii_case(b"i'm") || before.ends_with(b"i ");
        context.strong = is_name || is_i;
        context.lone = is_name;
        if is_i || before.ends_with(b"his ") {
            context.traits |= BEFORE;
        }
    } else if traits & ROLE != 0 {
        context.strong = true;
    }
    if is_person_by(view, word, begin) {
        context.strong = true;
        context.lone = word != b"by";
    }
    context
}

/// Whether nobody but a person is meant behind `word`, which begins at `begin`: `my son`, `they call me`, `starring`,
/// `written by`.
fn is_person_by(view: &View<'_>, word: &[u8], begin: usize) -> bool {
    let before = || word_before(view, begin.saturating_sub(1)).unwrap_or_default();
    match word {
        b"starring" => true,
        b"me" => matches!(before(), b"call" | b"calls"),
        b"by" => matches!(
            before(),
            b"directed" | b"written" | b"composed" | b"sung" | b"narrated" | b"painted" | b"choreographed"
        ),
        b"son" | b"daughter" | b"kid" | b"child" | b"husband" | b"wife" | b"brother" | b"sister"
        | b"mother" | b"father" | b"nephew" | b"niece" | b"cousin" | b"uncle" | b"aunt" | b"grandson"
        | b"granddaughter" | b"girlfriend" | b"boyfriend" | b"friend" | b"neighbour" | b"neighbor"
        | b"colleague" => matches!(
            before(),
            b"my" | b"My" | b"his" | b"her" | b"our" | b"Our" | b"your" | b"their" | b"His" | b"Her"
        ),
        _ => false,
    }
}

/// Whether what follows says that the name is made what only persons are: `as a beneficiary`.
fn is_made(view: &View<'_>, end: usize) -> bool {
    let mut at = end + 4;
    if !view.starts_with(end, b" as ") {
        return false;
    }
    while let Some(article) = [&b"a "[..], b"an ", b"my ", b"our ", b"the ", b"joint ", b"second "]
        .into_iter()
        .find(|article| view.starts_with(at, article))
    {
        at += article.len();
    }
    let word = view.bytes(at, view.run_up_to(at, 16, LETTER));
    matches!(
        word,
        b"beneficiary"
            | b"dependent"
            | b"dependant"
            | b"nominee"
            | b"signatory"
            | b"cardholder"
            | b"guarantor"
            | b"executor"
            | b"witness"
            | b"passenger"
            | b"godfather"
            | b"godmother"
    )
}

/// How many names of a list are read back.
const LIST_MAX: usize = 4;

/// Whether the word stands in a list of persons: `our founders: Qwerin, Rosen and Smith`.
fn is_in_list_of_people(view: &View<'_>, word: &Word) -> bool {
    let may_be_name = |traits: Traits| traits & WORD == 0 || traits & (GIVEN | SURNAME) != 0;
    if word.is_initial || !may_be_name(word.traits) {
        return false;
    }
    let mut at = word.start;
    for _ in 0..LIST_MAX {
        let joins = [&b": "[..], b", and ", b" and ", b", "];
        let Some(join) =
            joins.into_iter().find(|join| at >= join.len() && view.starts_with(at - join.len(), join))
        else {
            return false;
        };
        let Some(before) = word_before(view, at - join.len()) else { return false };
        at -= join.len() + before.len();
        if join == b": " {
            return matches!(
                before,
                b"founders"
                    | b"cofounders"
                    | b"authors"
                    | b"singers"
                    | b"actors"
                    | b"actresses"
                    | b"attendees"
                    | b"participants"
                    | b"passengers"
                    | b"guests"
                    | b"speakers"
                    | b"students"
                    | b"employees"
                    | b"children"
                    | b"kids"
                    | b"sons"
                    | b"daughters"
                    | b"brothers"
                    | b"sisters"
                    | b"siblings"
                    | b"patients"
                    | b"witnesses"
                    | b"applicants"
                    | b"beneficiaries"
                    | b"signatories"
            );
        }
        if !is_capital(view, at) {
            return false;
        }
    }
    false
}

/// Whether what stands before `and` at `begin` is no capitalised word, or a given name: companies are named
/// after partners too.
fn joins_given_names(view: &View<'_>, begin: usize) -> bool {
    let word = word_before(view, begin.saturating_sub(1)).unwrap_or_default();
    !word.first().is_some_and(u8::is_ascii_uppercase) || look_up(word) & GIVEN != 0
}

/// What a label that ends at `end` says of the name behind it.
fn label(view: &View<'_>, end: usize) -> Context {
    let Some(word) = word_before(view, end) else { return Context::default() };
    let traits = look_up(word);
    let begin = end - word.len();
    let mut context = Context { sign: b':', whole_line: true, ..Context::default() };
    if traits & NAME != 0 {
        let before = match view.before(begin) {
            b' ' | b'_' | b'-' => word_before(view, begin - 1).map_or(WHOSE, look_up),
            byte if byte.is_ascii_alphanumeric() => 0,
            _ => WHOSE,
        };
        context.strong = before & WHOSE != 0;
        context.lone = context.strong;
    } else if traits & LABEL != 0 {
        context.strong = true;
    }
    if context.strong {
        context.traits = BEFORE;
    }
    context
}

/// What the line that ends before `pos` says of the name behind it: it may close a letter.
fn closing(view: &View<'_>, pos: usize) -> Context {
    const BREAKS: Class = Class::of(b"\r\n ");
    let end = view.back(pos, BREAKS);
    let comma = Class::of(b",!.").has(view.before(end));
    let word = word_before(view, end - usize::from(comma));
    let traits = word.map_or(0, look_up);
    let closes = comma && traits & CLOSING != 0;
    Context { sign: b'\n', strong: closes, lone: closes, whole_line: closes, ..Context::default() }
}

/// Whether the words are a name by themselves.
fn is_full_name(parts: &Parts) -> bool {
    let words = parts.words();
    let (first, last) = (words[0], words[words.len() - 1]);
    if words.len() < 2 || last.is_initial {
        return false;
    }
    let is_surname = |word: &Word| word.traits & (SURNAME | WORD) == SURNAME;
    let is_listed = |word: &Word| word.traits & WORD == 0 || word.traits & SURNAME != 0;
    let is_dotted = |word: &Word| word.is_initial && word.end - word.start == 2;
    let is_given = |word: &Word| word.traits & (GIVEN | WORD) == GIVEN;
    if is_given(&first) {
        return last.traits & WORD == 0
            || last.traits & (SURNAME | GIVEN) != 0
            || words[words.len() - 2].is_initial;
    }
    if first.is_initial {
        return is_surname(&last) || words.len() > 2 && words[1].is_initial && is_listed(&last);
    }
    let initial_between = words.len() > 2 && words[1..words.len() - 1].iter().any(is_dotted);
    if first.traits & GIVEN != 0 {
        return is_surname(&last) || (initial_between || parts.has_particle) && last.traits & WORD == 0;
    }
    if first.traits & WORD != 0 {
        return false;
    }
    is_surname(&last)
        || words[1..].iter().any(is_given) && is_surname(&first)
        || (initial_between || parts.has_particle && is_given(&last)) && last.traits & WORD == 0
}

/// Whether the words may be a name when something else says that a name stands here.
fn is_plausible(parts: &Parts) -> bool {
    let words = parts.words();
    let named = |word: &Word| word.traits & WORD == 0 || word.traits & (GIVEN | SURNAME) != 0;
    words.iter().all(|word| word.is_initial || named(word)) && !words[words.len() - 1].is_initial
}

/// Whether the one word is a name.
fn is_lone_name(view: &View<'_>, word: &Word, context: Context) -> bool {
    let traits = word.traits;
    if word.is_initial || word.end - word.start < 2 {
        return false;
    }
    let known = traits & (GIVEN | WORD) == GIVEN;
    let listed = traits & (GIVEN | SURNAME) != 0;
    if context.lone && context.strong {
        return known
            || traits & WORD == 0
            || context.ordinary && traits & SURNAME != 0
            || context.whole_line && listed && ends_line(view, word.end);
    }
    let is_surname = traits & (SURNAME | WORD) == SURNAME;
    known && has_weak_cue(view, word, context)
        || is_said(context) && traits & WORD == 0 && word.end - word.start > 3
        || is_surname && speaks(view, word.end)
}

/// Whether something beside the given name makes a person of it.
fn has_weak_cue(view: &View<'_>, word: &Word, context: Context) -> bool {
    if context.traits & (BEFORE | GREETING | ROLE) != 0 && context.sign != b',' {
        return true;
    }
    let next = view.at(word.end);
    if next == b'\'' && view.at(word.end + 1) == b's' && !LETTER.has(view.at(word.end + 2)) {
        return true;
    }
    if next == 0xE2 && view.starts_with(word.end, "’s ".as_bytes()) {
        return true;
    }
    let in_list = context.sign == b',' && context.traits & GIVEN != 0;
    if in_list {
        return true;
    }
    let begins_line = matches!(context.sign, 0 | b'\n' | b'"' | b'>');
    match next {
        b'?' | b'!' if context.sign == b',' => true,
        b',' | b':' if begins_line && view.at(word.end + 1) == b' ' => true,
        b',' => {
            view.at(word.end + 1) == b' '
                && word_at(view, word.end + 2)
                    .is_some_and(|next| next.is_capitalised && next.traits & (GIVEN | WORD) == GIVEN)
        }
        b' ' => {
            word_at(view, word.end + 1).is_some_and(|next| !next.is_capitalised && next.traits & AFTER != 0)
        }
        _ => false,
    }
}

/// A surname, a comma, and given names.
fn surname_first(view: &View<'_>, parts: &Parts, context: Context) -> Option<Range<usize>> {
    let first = parts.words()[0];
    let end = parts.end();
    if parts.len != 1 || first.traits & (SURNAME | WORD | GIVEN) != SURNAME || context.sign == b',' {
        return None;
    }
    if view.at(end) != b',' || view.at(end + 1) != b' ' {
        return None;
    }
    let given = word_at(view, end + 2).filter(|word| word.is_capitalised)?;
    let follows = Class::of(b",").has(view.at(given.end)) || view.starts_with(given.end, b" and ");
    (given.traits & (GIVEN | WORD) == GIVEN && !follows).then_some(first.start..given.end)
}

/// Whether a verb stands before that only persons are the subject of.
fn is_said(context: Context) -> bool {
    context.sign == b' ' && context.traits & SPEAKS != 0
}

/// Whether a verb follows that only persons are the subject of.
fn speaks(view: &View<'_>, end: usize) -> bool {
    view.at(end) == b' '
        && word_at(view, end + 1).is_some_and(|next| !next.is_capitalised && next.traits & SPEAKS != 0)
}

/// Whether an e-mail address in angle brackets follows.
fn is_mailbox(view: &View<'_>, end: usize) -> bool {
    let open = view.run_up_to(end, 2, Class::of(b"\" "));
    view.at(open) == b'<' && view.at(view.run_up_to(open + 1, 48, Class::IDENT.with(b".+"))) == b'@'
}

/// Whether the line, sentence or value ends at `end`.
fn ends_line(view: &View<'_>, end: usize) -> bool {
    Class::of(b"\0\n\r,;!.\"|<)(").has(view.at(end)) || view.starts_with(end, b" -")
}

fn find_given(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let word = first_word(view, at)?;
    (word.traits & (GIVEN | WORD) == GIVEN).then_some(at..word.end)
}

fn find_introduction(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"name is ") {
        return None;
    }
    let first = word_at(view, at + 8).filter(|word| word.traits & (GIVEN | WORD) == GIVEN)?;
    let mut end = first.end;
    while view.at(end) == b' ' {
        let Some(next) = word_at(view, end + 1) else { break };
        if next.traits & (WORD | BEFORE | AFTER) != 0 && next.traits & SURNAME == 0 || end - first.end > 24 {
            break;
        }
        end = next.end;
        if end > first.end {
            break;
        }
    }
    Some(first.start..end)
}

#[cfg(test)]
mod tests;
