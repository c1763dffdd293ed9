//! Secrets that their vendor marks in the middle or at the end, and those with a prefix and a form of their own.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::placeholder::is_placeholder;
use super::tokens::row;
use crate::detector::{Body, Detector, Example, Find, Triggers};
use crate::view::{Class, View};

const BASE64URL: Class = Class::IDENT;
const WORD_SET: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"-_"));
const AZURE_SET: ByteSet = WORD_SET.or(ByteSet::of(b"~."));
const ALNUM_SET: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT);
/// What a password hash consists of.
const CRYPT: Class = Class::ALNUM.with(b"./+$=,*-");
const CRYPT_SET: ByteSet = ALNUM_SET.or(ByteSet::of(b"./+$=,*-"));
const HEX64: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A row whose form a function knows.
const fn shape(
    id: &'static str,
    description: &'static str,
    validator: &'static str,
    windows: &'static [Window],
    head_len: usize,
    find: fn(&View<'_>, usize) -> Option<Range<usize>>,
) -> Detector {
    let body = Body { class: BASE64URL, len_min: 1, edge: Class::WORD };
    Detector {
        triggers: Triggers::Windows(windows),
        validator,
        behind: head_len + 2,
        swallow: None,
        find: Find::Code(find),
        ..row(id, description, "token format as the vendor documents it", &[], body)
    }
}

/// A byte or two of `head`, and word characters at every other distance.
const fn before_word(head: [ByteSet; 3]) -> Window {
    let [first, second, third] = head;
    Window { sets: [first, second, third, WORD_SET, WORD_SET, WORD_SET, WORD_SET, WORD_SET] }
}

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        examples: &[Example::new("srt = \"", &["a1b", "8Q~", "0123456789abcdefghijklmnopqrstuv.x"], "\"")],
        non_examples: &[Example::none("8Q~0123456789 and ab8Q~short")],
        ..shape(
            "azure-client-secret",
            "Azure client secret",
            "three characters, a digit, Q~, 31 to 34 characters",
            &[Window {
                sets: [
                    ByteSet::DIGIT,
                    ByteSet::of(b"Q"),
                    ByteSet::of(b"~"),
                    AZURE_SET,
                    AZURE_SET,
                    AZURE_SET,
                    AZURE_SET,
                    AZURE_SET,
                ],
            }],
            3,
            find_azure,
        )
    },
    Detector {
        examples: &[Example::new("bot ", &["1234567890", ":AA", "0123456789abcdefghijklmnopqrstuvw"], " ok")],
        non_examples: &[Example::none(
            "12:34567890 1234567890:abc 1234567890:0123456789abcdefghijklmnopqrstuvwxyz01234",
        )],
        ..shape(
            "telegram-bot-token",
            "Telegram bot token",
            "eight to ten digits, a colon, 35 characters",
            &[before_word([ALNUM_SET, ByteSet::of(b":!"), WORD_SET])],
            9,
            find_telegram,
        )
    },
    Detector {
        examples: &[Example::new("", &["00D0123456789ab", "!AQ", HEX64, "abcdefghijklmnopqrst"], " ok")],
        non_examples: &[Example::none("00D0123456789ab!short")],
        swallow: Some(BASE64URL.with(b".")),
        ..shape(
            "salesforce-session",
            "Salesforce access token",
            "organisation id, an exclamation mark, eighty or more characters",
            &[before_word([ALNUM_SET, ByteSet::of(b":!"), WORD_SET])],
            14,
            find_salesforce,
        )
    },
    Detector {
        examples: &[Example::new("", &["6Lc012_-", "AAAAA", "0123456789abcdefghijklmnopq"], ".")],
        non_examples: &[Example::none("6Lc012_-AAAAA0123")],
        ..shape(
            "recaptcha-key",
            "reCAPTCHA key",
            "6L, six characters, five A, forty in all",
            &[Window {
                sets: [
                    ByteSet::of(b"6"),
                    ByteSet::of(b"L"),
                    WORD_SET,
                    WORD_SET,
                    WORD_SET,
                    WORD_SET,
                    ByteSet::of(b"A"),
                    ByteSet::of(b"A"),
                ],
            }],
            0,
            find_recaptcha,
        )
    },
    Detector {
        examples: &[Example::new("", &["pat0123456789abcd", ".", HEX64], " ok")],
        non_examples: &[Example::none("part.0123456789abcdef0123456789abcdef")],
        ..shape(
            "airtable-token",
            "Airtable personal access token",
            "pat, fourteen letters and digits, a dot, 64 hexadecimal digits",
            &[Window {
                sets: [
                    ByteSet::of(b"."),
                    ByteSet::HEX,
                    ByteSet::HEX,
                    ByteSet::HEX,
                    ByteSet::HEX,
                    ByteSet::HEX,
                    ByteSet::HEX,
                    ByteSet::HEX,
                ],
            }],
            17,
            find_airtable,
        )
    },
    Detector {
        examples: &[Example::new("", &["0123456789abcd", ".atlasv1.", HEX64], " ok")],
        swallow: Some(BASE64URL),
        ..shape(
            "terraform-token",
            "Terraform Cloud token",
            "fourteen letters and digits, .atlasv1., sixty or more characters",
            &[Window::literal(b".atlasv1.")],
            14,
            find_terraform,
        )
    },
    Detector {
        category: crate::Category::Secret,
        examples: &[
            Example::new("", &["$2b$12$", "0123456789abcdefghijkl0123456789abcdefghijklmnopqrstu"], " x"),
            Example::new("root:", &["$6$", "saltsalt$0123456789abcdefghijklmnopqrstuvwxyz./ABCDEFGH"], ":1"),
            Example::new("", &["$argon2id$v=19$m=65536,t=2,p=1$", "c29tZXNhbHQ$0123456789abcdefghijkl"], ""),
            Example::new("", &["$krb5tgs$23$*", "user*$0123456789abcdef0123456789abcdef0123"], ""),
        ],
        non_examples: &[Example::none("$1$2 and $5$ and $6$salt$short costs $2a")],
        swallow: Some(CRYPT),
        ..shape(
            "password-hash",
            "hash of a password in crypt or Kerberos form",
            "dollar sign, name of the method, then parameters, salt and hash of forty or more characters",
            &[
                Window {
                    sets: [
                        ByteSet::of(b"$"),
                        ByteSet::of(b"1256789y"),
                        ByteSet::of(b"$abxy"),
                        CRYPT_SET,
                        CRYPT_SET,
                        CRYPT_SET,
                        CRYPT_SET,
                        CRYPT_SET,
                    ],
                },
                Window::literal(b"$argon2"),
                Window::literal(b"$krb5"),
            ],
            0,
            find_hash,
        )
    },
    Detector {
        examples: &[Example::new("", &["0123456789abcdef0123456789abcdef", "-us", "12"], ".")],
        non_examples: &[Example::none("region-us1 0123456789abcdef-us1")],
        ..shape(
            "mailchimp-key",
            "Mailchimp API key",
            "32 hexadecimal digits, -us and the number of a data centre",
            &[Window::head(&[ByteSet::of(b"-"), ByteSet::of(b"u"), ByteSet::of(b"s"), ByteSet::DIGIT])],
            32,
            find_mailchimp,
        )
    },
    Detector {
        examples: &[Example::new("", &["A1B2C3", "_0123456789abcdefghijklmnopqrs", "_mmk"], ".")],
        ..shape(
            "maxmind-key",
            "MaxMind licence key",
            "six and 29 letters and digits, _mmk",
            &[Window::head(&[ByteSet::of(b"_"), ByteSet::of(b"m"), ByteSet::of(b"m"), ByteSet::of(b"k")])],
            36,
            find_maxmind,
        )
    },
    Detector {
        examples: &[Example::new(
            "",
            &[
                "0123456789abcdef0123456789abcdef0123456789abcdefABCD",
                "JQ",
                "QJ",
                "99BAACAAAAAAAAAAAAASAZDOb1C2",
            ],
            " ok",
        )],
        swallow: Some(Class::ALNUM.with(b"+/=")),
        ..shape(
            "azure-key",
            "Azure key or token of the form that marks itself",
            "52 letters and digits, JQQJ, 28 or more letters and digits",
            &[Window::literal(b"JQQJ")],
            52,
            find_azure_key,
        )
    },
    Detector {
        examples: &[Example::new("", &["pk", "_1234567_", "0123456789ABCDEFGHIJKLMNOPQRSTUV"], ".")],
        non_examples: &[Example::none("pk_12345_short pk_1234567")],
        ..shape(
            "clickup-token",
            "ClickUp personal token",
            "pk_, a number, 32 capitals and digits",
            &[Window::head(&[
                ByteSet::of(b"p"),
                ByteSet::of(b"k"),
                ByteSet::of(b"_"),
                ByteSet::DIGIT,
                ByteSet::DIGIT,
            ])],
            0,
            find_clickup,
        )
    },
    Detector {
        examples: &[Example::new("", &["1", "//0", "0123456789abcdefghijklmnopqrstuvwxyzABCDEF"], " ok")],
        non_examples: &[Example::none("11//0123456789abcdefghijklmnopqrstuvwxyzABCDEF 1//0short")],
        swallow: Some(BASE64URL),
        ..shape(
            "google-refresh-token",
            "Google OAuth refresh token",
            "1//0, forty or more characters",
            &[before_word([ByteSet::of(b"/"), ByteSet::of(b"/"), ByteSet::of(b"0")])],
            2,
            find_google_refresh,
        )
    },
    Detector {
        examples: &[Example::new("use ", &["sk", "_", HEX64], " ok")],
        non_examples: &[Example::none(
            "sk_buff_head_init_with_a_very_long_name task_0123456789abcdef0123456789",
        )],
        swallow: Some(Class::WORD),
        ..shape(
            "secret-key-prefix",
            "secret key of a vendor that begins with sk_, as many do",
            "sk_, thirty or more letters, digits and underscores, eight of them digits",
            &[before_word([ByteSet::of(b"s"), ByteSet::of(b"k"), ByteSet::of(b"_")])],
            0,
            find_sk,
        )
    },
    Detector {
        examples: &[
            Example::new("code ", &["ac", "_", "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u"], "."),
            Example::new("", &["rt", "_", "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uVw"], ""),
        ],
        non_examples: &[Example::none(
            "ac_0aB1cD2eF3 start_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0u rt_0123456789abcdef0123456789abcdef",
        )],
        ..shape(
            "stripe-oauth-code",
            "Stripe Connect authorization code or refresh token",
            "ac_ or rt_, 32 to 64 letters of both cases and digits",
            &[
                before_word([ByteSet::of(b"a"), ByteSet::of(b"c"), ByteSet::of(b"_")]),
                before_word([ByteSet::of(b"r"), ByteSet::of(b"t"), ByteSet::of(b"_")]),
            ],
            0,
            find_oauth,
        )
    },
];

/// `lead` characters of `class` that end at `at`, and before them nothing of a word.
fn begins(view: &View<'_>, at: usize, lead: usize, class: Class) -> Option<usize> {
    let start = at.checked_sub(lead)?;
    let whole =
        view.bytes(start, at).len() == lead && view.bytes(start, at).iter().all(|&byte| class.has(byte));
    (whole && !Class::WORD.has(view.before(start))).then_some(start)
}

/// The end of the run of `class` at `from`, if it is as long as that and no word goes on.
fn body_end(view: &View<'_>, from: usize, class: Class, len_min: usize, len_max: usize) -> Option<usize> {
    let end = view.run_up_to(from, len_max + 1, class);
    let sized = (len_min..=len_max).contains(&(end - from));
    (sized && !Class::WORD.has(view.at(end)) && !is_placeholder(view.bytes(from, end))).then_some(end)
}

fn find_azure(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at + 1, b"Q~") || !view.at(at).is_ascii_digit() {
        return None;
    }
    let start = begins(view, at, 3, BASE64URL.with(b"~."))?;
    let end = body_end(view, at + 3, BASE64URL.with(b"~."), 31, 34)?;
    Some(start..end)
}

fn find_telegram(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at + 1) != b':' || !view.at(at).is_ascii_digit() {
        return None;
    }
    let start = view.back(at, Class::DIGIT);
    if !(7..=9).contains(&(at - start)) || Class::WORD.has(view.before(start)) {
        return None;
    }
    Some(start..body_end(view, at + 2, BASE64URL, 34, 36)?)
}

fn find_salesforce(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at + 1) != b'!' {
        return None;
    }
    let start = begins(view, at + 1, 15, Class::ALNUM)?;
    let end = view.run(at + 2, BASE64URL.with(b"."));
    (view.starts_with(start, b"00D") && end - at > 80).then_some(start..end)
}

fn find_recaptcha(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let marked = view.starts_with(at, b"6L") && view.starts_with(at + 8, b"AAAAA");
    let end = view.run_up_to(at, 41, BASE64URL);
    (marked && end == at + 40 && !Class::WORD.has(view.before(at))).then_some(at..end)
}

fn find_airtable(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.at(at) != b'.' || at < 17 || !view.starts_with(at - 17, b"pat") {
        return None;
    }
    let start = begins(view, at, 17, Class::ALNUM)?;
    Some(start..body_end(view, at + 1, Class::HEX, 64, 64)?)
}

fn find_terraform(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b".atlasv1.") {
        return None;
    }
    let start = begins(view, at, 14, Class::ALNUM)?;
    let end = view.run(at + 9, BASE64URL);
    (end - at >= 69).then_some(start..end)
}

fn find_hash(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const METHODS: [&[u8]; 8] = [b"$1$", b"$5$", b"$6$", b"$7$", b"$8$", b"$9$", b"$y$", b"$argon2"];
    let bcrypt = view.starts_with(at, b"$2") && view.at(at + 3) == b'$';
    let known =
        bcrypt || view.starts_with(at, b"$krb5") || METHODS.iter().any(|method| view.starts_with(at, method));
    if !known || Class::WORD.has(view.before(at)) {
        return None;
    }
    let end = view.run(at, CRYPT);
    let end = if end < view.limit() && Class::of(b".,").has(view.before(end)) { end - 1 } else { end };
    let len_min = if view.starts_with(at, b"$1$") { 28 } else { 40 };
    (end - at >= len_min).then_some(at..end)
}

fn find_mailchimp(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"-us") {
        return None;
    }
    let start = begins(view, at, 32, Class::HEX)?;
    Some(start..body_end_of_number(view, at + 3)?)
}

/// Where one or two digits at `from` end.
fn body_end_of_number(view: &View<'_>, from: usize) -> Option<usize> {
    let end = view.run_up_to(from, 3, Class::DIGIT);
    ((1..=2).contains(&(end - from)) && !Class::WORD.has(view.at(end))).then_some(end)
}

fn find_maxmind(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"_mmk") || Class::WORD.has(view.at(at + 4)) {
        return None;
    }
    let start = begins(view, at, 36, Class::WORD)?;
    (view.at(start + 6) == b'_').then_some(start..at + 4)
}

fn find_azure_key(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"JQQJ") {
        return None;
    }
    let start = begins(view, at, 52, Class::ALNUM.with(b"+/"))?;
    let end = view.run(at + 4, Class::ALNUM.with(b"+/="));
    (end - at >= 32).then_some(start..end)
}

fn find_clickup(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"pk_") || Class::WORD.has(view.before(at)) {
        return None;
    }
    let number = view.run_up_to(at + 3, 12, Class::DIGIT);
    if number < at + 7 || view.at(number) != b'_' {
        return None;
    }
    Some(at..body_end(view, number + 1, Class::UPPER.or(Class::DIGIT), 32, 32)?)
}

fn find_google_refresh(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(1).filter(|&start| view.starts_with(start, b"1//0"))?;
    let end = view.run(at + 3, BASE64URL);
    let whole = end - at >= 43 && !Class::WORD.has(view.before(start));
    (whole && !is_placeholder(view.bytes(at + 3, end))).then_some(start..end)
}

fn find_sk(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const OF_STRIPE: [&[u8]; 4] = [b"live_", b"test_", b"prod_", b"org_"];
    if !view.starts_with(at, b"sk_") || Class::WORD.has(view.before(at)) {
        return None;
    }
    let end = view.run(at + 3, Class::WORD);
    let body = view.bytes(at + 3, end);
    let digits = body.iter().filter(|byte| byte.is_ascii_digit()).count();
    let known = OF_STRIPE.iter().any(|mode| body.starts_with(mode));
    (body.len() >= 30 && digits >= 8 && !known && !is_placeholder(body)).then_some(at..end)
}

fn find_oauth(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let known = view.starts_with(at, b"ac_") || view.starts_with(at, b"rt_");
    if !known || Class::WORD.has(view.before(at)) {
        return None;
    }
    let end = body_end(view, at + 3, Class::ALNUM, 32, 64)?;
    let body = view.bytes(at + 3, end);
    let mixed = body.iter().any(u8::is_ascii_digit)
        && body.iter().any(u8::is_ascii_uppercase)
        && body.iter().any(u8::is_ascii_lowercase);
    mixed.then_some(at..end)
}
