//! E-mail addresses.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::url_credentials::user_info;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const LOCAL_LEN_MAX: usize = 64;
const TLD_LEN_MAX: usize = 24;

/// What an address consists of before the `@`, as people write them.
const LOCAL: Class = Class::ALNUM.with(b"._%+-'").or(LATIN);
/// UTF-8 of letters with diacritics, U+00C0 to U+017F.
const LATIN: Class = Class::of(&[0xC3, 0xC4, 0xC5]).or(CONTINUATION);
const CONTINUATION: Class = {
    let mut bytes = [0; 64];
    let mut idx = 0u8;
    while idx < 64 {
        bytes[idx as usize] = 0x80 + idx;
        idx += 1;
    }
    Class::of(&bytes)
};
const ANY_SCRIPT: Class = LOCAL.or_non_ascii();
const DOMAIN: Class = Class::ALNUM.with(b".-").or_non_ascii();

/// The at sign as it is, and escaped for URLs, HTML and JSON.
const AT_SIGNS: [&[u8]; 9] =
    [b"@", b"%40", b"%2540", b"%u0040", b"&#64;", b"&#x40;", b"&amp;#64;", b"&commat;", b"\\u0040"];

/// Endings that are of files, never of hosts.
const FILE_SUFFIXES: [u64; 28] = {
    let mut folded_all = [0; FILE_ENDINGS.len()];
    let mut idx = 0;
    while idx < FILE_ENDINGS.len() {
        folded_all[idx] = folded(FILE_ENDINGS[idx]);
        idx += 1;
    }
    folded_all
};

const FILE_ENDINGS: [&[u8]; 28] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"bmp", b"ico", b"js", b"jsx", b"ts", b"tsx", b"css",
    b"scss", b"html", b"htm", b"json", b"yml", b"yaml", b"xml", b"txt", b"csv", b"pdf", b"lock", b"toml",
    b"whl", b"exe", b"dll",
];

/// A short word as a number: letters in lower case. Of a longer one, of more than eight letters, something that no
/// shorter one is.
const fn folded(word: &[u8]) -> u64 {
    if word.len() > 8 {
        return u64::MAX;
    }
    let mut number = 0;
    let mut idx = 0;
    while idx < word.len() {
        number = number << 8 | (word[idx] | 0x20) as u64;
        idx += 1;
    }
    number
}

/// Endings common enough that an address in disguise may have them.
const COMMON_TLDS: [&[u8]; 24] = [
    b"com", b"org", b"net", b"edu", b"gov", b"io", b"co", b"uk", b"de", b"fr", b"nl", b"es", b"it", b"eu",
    b"us", b"ca", b"au", b"in", b"br", b"jp", b"ch", b"at", b"info", b"example",
];

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "email",
        category: Category::Email,
        description: "e-mail address, also with an escaped at sign",
        validator: "local part, @, labels, an ending of letters that is no file suffix; no path of scp",
        source: "RFC 5321, RFC 5322, RFC 6531",
        examples: &[
            Example::new("mail ", &["jane@example.com"], " today"),
            Example::new("", &["bob+billing@example.org"], "."),
            Example::new("<", &["jane.o'hara@mail.example.co.uk"], ">"),
            Example::new("?m=", &["alice.smith%40example.com"], ")"),
            Example::new("<p>", &["alice.smith&#x40;example.com"], "</p>"),
            Example::new("{\"m\":\"", &["alice.smith\\u0040example.com"], "\"}"),
            Example::new("(mailto:", &["alice.smith@example.com"], ")"),
            Example::new("", &["josé@exämple.com"], ""),
            Example::new("", &["jane@xn--exmple-cua.com"], ""),
            Example::new("'", &["jane@example.com"], "':"),
            Example::new("", &["\"odd local\"@example.com"], "."),
            Example::new("", &["jane@example.com"], "123-45"),
        ],
        non_examples: &[
            Example::none("def f(x): return x @ y  # matmul"),
            Example::none("@dataclass and @app.route('/x')"),
            Example::none("regex ^[^@]+@[^@]+$ matches mail"),
            Example::none("icon@2x.png and git@github.com:org/repo.git"),
            Example::none("deploy@example.com:/var/www react@17.0.2 core@12.1.0-next"),
            Example::none("<EMAIL_1> [email] user@localhost @example.com jane@"),
        ],
        rank: 164,
        level: Level::Certain,
        triggers: Triggers::Windows(&[
            Window::head(&[ByteSet::of(b"@")]),
            Window::literal(AT_SIGNS[1]),
            Window::literal(AT_SIGNS[2]),
            Window::literal(AT_SIGNS[3]),
            Window::literal(AT_SIGNS[4]),
            Window::literal(AT_SIGNS[5]),
            Window::literal(AT_SIGNS[6]),
            Window::literal(AT_SIGNS[7]),
            Window::literal(AT_SIGNS[8]),
        ]),
        behind: 128,
        ahead: 260,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find),
    },
    Detector {
        id: "email-upi",
        category: Category::Email,
        description: "virtual payment address of India's Unified Payments Interface",
        validator: "local part, @, the handle of a payment service",
        source: "National Payments Corporation of India, UPI third party application providers and their handles",
        examples: &[
            Example::new("pay to ", &["jane.doe@okaxis"], " now"),
            Example::new("'", &["9999900000@ybl"], "'"),
        ],
        non_examples: &[Example::none("user@localhost jane@okaxis2 @ybl x@upiserver jane@ybl-host")],
        rank: 149,
        level: Level::Likely,
        triggers: Triggers::Windows(&[Window::head(&[ByteSet::of(b"@"), ByteSet::of(b"oyiapjwnfrsthcku")])]),
        behind: 80,
        ahead: 16,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_upi),
    },
    Detector {
        id: "email-disguised",
        category: Category::Email,
        description: "e-mail address with marks or words in place of its signs",
        validator: "local part, an at sign in disguise, labels with dots in disguise, a common ending",
        source: "usage",
        examples: &[
            Example::new("", &["**alice.smith**@**example**.com"], ""),
            Example::new("", &["alice.smith @ example . com"], " x"),
            Example::new("", &["alice.smith [at] example [dot] com"], ""),
            Example::new("", &["alice.smith(at)example(dot)com"], ""),
        ],
        non_examples: &[
            Example::none("x @ y.T and a @ b"),
            Example::none("meet (at) noon, look [at] this. com"),
            Example::none("*****.*****@example.com"),
        ],
        rank: 140,
        level: Level::Certain,
        triggers: Triggers::Windows(&[
            Window::head(&[ByteSet::of(b"@")]),
            Window::head(&[ByteSet::of(b"(["), ByteSet::of(b"aA"), ByteSet::of(b"tT"), ByteSet::of(b")]")]),
        ]),
        behind: 96,
        ahead: 260,
        lead: 0,
        swallow: None,
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_disguised),
    },
];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let domain = at + AT_SIGNS.iter().find(|sign| view.starts_with_any_case(at, sign))?.len();
    let start = local_start(view, at)?;
    let end = domain_end(view, domain)?;
    let is_path = view.at(end) == b':' && looks_like_path(view, end + 1);
    let is_git = view.bytes(start, at) == b"git" && (view.at(end) == b':' || view.before(start) == b'/');
    (!is_path && !is_git && user_info(view, at).is_none_or(|user| user == start)).then_some(start..end)
}

fn find_upi(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const HANDLES: [&[u8]; 26] = [
        b"okaxis",
        b"okhdfcbank",
        b"okicici",
        b"oksbi",
        b"ybl",
        b"ibl",
        b"axl",
        b"apl",
        b"upi",
        b"paytm",
        b"ptyes",
        b"ptsbi",
        b"pthdfc",
        b"ptaxis",
        b"yapl",
        b"rapl",
        b"waaxis",
        b"wahdfcbank",
        b"waicici",
        b"wasbi",
        b"jupiteraxis",
        b"naviaxis",
        b"superyes",
        b"tapicici",
        b"fbl",
        b"ikwik",
    ];
    let end = view.run_up_to(at + 1, 14, Class::ALPHA);
    let known = HANDLES.iter().any(|handle| view.bytes(at + 1, end).eq_ignore_ascii_case(handle));
    let dotted = view.at(end) == b'.' && Class::ALNUM.has(view.at(end + 1));
    if !known || dotted || Class::IDENT.with(b":/@").has(view.at(end)) {
        return None;
    }
    let start = view.back(at, Class::ALNUM.with(b"._-"));
    let first = view.run_up_to(start, at - start, Class::of(b"._-"));
    (at >= first + 3).then_some(first..end)
}

/// Where the local part that ends at `at` begins.
fn local_start(view: &View<'_>, at: usize) -> Option<usize> {
    if view.before(at) == b'"' && at > 0 {
        let open = view.back(at - 1, Class::ALNUM.with(b" !#$%&'*+-/=?^_`{|}~.,:;<>()[]"));
        return (view.before(open) == b'"' && open + 1 < at).then(|| open - 1);
    }
    let class = if view.before(at).is_ascii() || is_latin(view, at) { LOCAL } else { ANY_SCRIPT };
    let mut start = view.back(at, class).max(at.saturating_sub(LOCAL_LEN_MAX));
    while start < at && (Class::of(b".-'%").has(view.at(start)) || is_stray(view, start)) {
        start += 1;
    }
    (start < at).then_some(start)
}

/// Whether the character that ends at `at` is a letter with a diacritic.
fn is_latin(view: &View<'_>, at: usize) -> bool {
    at >= 2 && matches!(view.at(at - 2), 0xC3..=0xC5)
}

/// Whether `pos` lies inside a character whose beginning is not part of the run.
fn is_stray(view: &View<'_>, pos: usize) -> bool {
    view.at(pos) & 0xC0 == 0x80
}

/// Where the domain that begins at `from` ends, if it is one.
fn domain_end(view: &View<'_>, from: usize) -> Option<usize> {
    if !Class::ALNUM.or_non_ascii().has(view.at(from)) {
        return None;
    }
    let run = view.run(from, DOMAIN);
    let mut label = from;
    let mut best = None;
    while label < run {
        let end = label + view.bytes(label, run).iter().position(|&byte| byte == b'.').unwrap_or(run - label);
        if end == label {
            break;
        }
        if label > from {
            best = tld_end(view, label, end).or(best);
        }
        label = end + 1;
    }
    best
}

/// Where the ending in the label from `start` to `end` stops, if it can be one.
fn tld_end(view: &View<'_>, start: usize, end: usize) -> Option<usize> {
    let label = view.bytes(start, end);
    if label.starts_with(b"xn--") && label.len() > 5 {
        return Some(end);
    }
    if label.iter().any(|byte| !byte.is_ascii()) {
        return label.iter().all(|byte| !byte.is_ascii() || byte.is_ascii_alphabetic()).then_some(end);
    }
    let letters = label.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    // What stands against a common ending without a separator is another value.
    let common = || COMMON_TLDS.iter().any(|tld| label[..letters].eq_ignore_ascii_case(tld));
    let apart =
        letters == label.len() || label[letters] == b'-' || label[letters].is_ascii_digit() && common();
    let is_file = FILE_SUFFIXES.contains(&folded(&label[..letters]));
    (apart && (2..=TLD_LEN_MAX).contains(&letters) && !is_file).then_some(start + letters)
}

/// Whether a path, as scp and git write it, goes on at `pos`.
fn looks_like_path(view: &View<'_>, pos: usize) -> bool {
    let end = view.run_up_to(pos, 64, Class::IDENT.with(b"./~"));
    view.bytes(pos, end).iter().any(|&byte| byte == b'/' || byte == b'~')
}

fn find_disguised(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const MARKS: Class = Class::of(b"*_~` ");
    let sign_end = match view.at(at) {
        b'@' => at + 1,
        b'(' | b'[' if view.starts_with_any_case(at + 1, b"at") && matches!(view.at(at + 3), b')' | b']') => {
            at + 4
        }
        _ => return None,
    };
    let word_end = back_over(view, at, MARKS, 3);
    let start = local_start(view, word_end)?;
    let start = if view.at(at) == b'@' { back_over(view, start, Class::of(b"*_~`"), 3) } else { start };
    let mut label = view.run_up_to(sign_end, 3, MARKS);
    let mut disguised = label > sign_end || word_end < at || view.at(at) != b'@';
    let mut found = None;
    for idx in 0..6 {
        let end = view.run_up_to(label, 63, Class::ALNUM.with(b"-"));
        let is_common = COMMON_TLDS.iter().any(|tld| view.bytes(label, end).eq_ignore_ascii_case(tld));
        if idx > 0 && disguised && is_common && !Class::WORD.has(view.at(end)) {
            found = Some(end);
        }
        let Some((next, plain)) = dot(view, end) else { break };
        disguised |= !plain;
        label = next;
    }
    found.map(|end| start..end)
}

/// At most `len_max` bytes of `class` before `pos` are skipped.
fn back_over(view: &View<'_>, pos: usize, class: Class, len_max: usize) -> usize {
    view.back(pos, class).max(pos.saturating_sub(len_max))
}

/// Where the label behind the dot at `pos` begins, and whether the dot is written as one.
fn dot(view: &View<'_>, pos: usize) -> Option<(usize, bool)> {
    const MARKS: Class = Class::of(b"*_~` ");
    let sign = view.run_up_to(pos, 3, MARKS);
    let end = match view.at(sign) {
        // A space behind it only ends a sentence.
        b'.' if view.at(sign + 1) != b' ' || view.before(sign) == b' ' => sign + 1,
        b'(' | b'['
            if view.starts_with_any_case(sign + 1, b"dot") && matches!(view.at(sign + 4), b')' | b']') =>
        {
            sign + 5
        }
        _ => return None,
    };
    let next = view.run_up_to(end, 3, MARKS);
    let plain = sign == pos && next == end && end == sign + 1;
    Class::ALNUM.has(view.at(next)).then_some((next, plain))
}
