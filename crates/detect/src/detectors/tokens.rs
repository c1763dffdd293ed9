//! Secrets that begin with a literal of their vendor: a table.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::placeholder::is_placeholder;
use super::token_skip;
use crate::Category;
use crate::detector::{Body, Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

const BASE64URL: Class = Class::IDENT;
const BASE64URL_SET: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT).or(ByteSet::of(b"-_"));
const CAPITALS: ByteSet = ByteSet::range(b'A', b'Z').or(ByteSet::DIGIT);
const AHEAD: usize = 1024;
/// How much of a body tells whether it is filler.
const FILLER_LEN_MAX: usize = 128;
const LITERAL_LEN_MAX: usize = 24;

/// A row of the table. `find` looks for each literal, then for the body.
pub(super) const fn row(
    id: &'static str,
    description: &'static str,
    source: &'static str,
    literals: &'static [&'static [u8]],
    body: Body,
) -> Detector {
    Detector {
        id,
        category: Category::Secret,
        description,
        validator: "vendor prefix, then enough characters of the right kind; not part of a longer word",
        source,
        examples: &[],
        non_examples: &[],
        rank: 200,
        level: Level::Certain,
        triggers: Triggers::Literals(literals),
        behind: LITERAL_LEN_MAX + 1,
        ahead: AHEAD,
        lead: 0,
        swallow: Some(body.class),
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Token(body),
    }
}

pub(super) const fn body(class: Class, len_min: usize) -> Body {
    Body { class, len_min, edge: Class::WORD }
}

const STRIPE: &str = "Stripe documentation, API keys";

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        examples: &[
            Example::new("use ", &["sk", "_live_", "0123456789abcdefABCDEFGH"], " now"),
            Example::new("", &["sk", "_test_", "0123456789"], "."),
        ],
        non_examples: &[
            Example::none("sk_live_ and sk_test_short"),
            Example::none("pk_test_0123456789abcdef is public"),
            Example::none("task_live_0123456789"),
            Example::none("tok_0123456789abcdef01234567 pm_card_visa_chargeDeclined"),
        ],
        ..row(
            "stripe-secret-key",
            "Stripe secret key",
            STRIPE,
            &[b"sk_live_", b"sk_test_", b"sk_prod_"],
            body(Class::ALNUM, 10),
        )
    },
    Detector {
        examples: &[Example::new("", &["rk", "_live_", "0123456789abcdef"], "")],
        ..row(
            "stripe-restricted-key",
            "Stripe restricted key",
            STRIPE,
            &[b"rk_live_", b"rk_test_", b"rk_prod_"],
            body(Class::ALNUM, 10),
        )
    },
    Detector {
        examples: &[
            Example::new("", &["sk", "_org_live_", "0123456789abcdef"], ""),
            Example::new("", &["rk", "_org_test_", "0123456789abcdef"], ""),
        ],
        ..row(
            "stripe-organization-key",
            "Stripe organization key",
            "Stripe documentation, organization API keys",
            &[b"sk_org_live_", b"sk_org_test_", b"rk_org_live_", b"rk_org_test_"],
            body(Class::ALNUM, 10),
        )
    },
    Detector {
        examples: &[Example::new("", &["wh", "sec_", "0123456789abcdef0123456789abcdef"], "")],
        non_examples: &[Example::none("whsec_example")],
        ..row(
            "stripe-webhook-secret",
            "webhook signing secret of Stripe and of Standard Webhooks",
            "Stripe documentation, webhook signatures; Standard Webhooks",
            &[b"whsec_"],
            body(BASE64URL.with(b"+/="), 24),
        )
    },
    Detector {
        examples: &[Example::new("", &["ek", "_test_", "YWNjdF8xMjM0NTY3ODkw,abc"], " x")],
        ..row(
            "stripe-ephemeral-key",
            "Stripe ephemeral key",
            "Stripe API reference, ephemeral keys",
            &[b"ek_live_", b"ek_test_"],
            body(BASE64URL.with(b"+/=,"), 20),
        )
    },
    Detector {
        examples: &[Example::new("", &["pst", "_test_", "0123456789abcdef0123456"], "")],
        ..row(
            "stripe-connection-token",
            "Stripe Terminal connection token",
            "Stripe API reference, Terminal connection tokens",
            &[b"pst_live_", b"pst_test_"],
            body(Class::ALNUM, 20),
        )
    },
    Detector {
        category: Category::UrlCredential,
        validator: "object id, `_secret_`, ten or more characters",
        behind: 112,
        find: Find::Code(find_client_secret),
        examples: &[
            Example::new(
                "secret ",
                &["pi_3MtwBwLkdIwHu7ix28a3tqPa", "_secret_", "0123456789abcdefghijklmno"],
                ".",
            ),
            Example::new("", &["cs_test_a1b2c3d4e5f6g7h8", "_secret_", "fidkdWxOYHwnPyd1blpxYHZxWj%"], ""),
            Example::new("", &["src_client", "_secret_", "0123456789abcdefghijklmn"], ""),
            Example::new("", &["accs", "_secret__", "0123456789abcdefghijklmn"], ""),
        ],
        non_examples: &[
            Example::none("the_secret_is_out pi_123_secret_short"),
            Example::none("client_secret_0123456789abcdef"),
        ],
        ..row(
            "stripe-client-secret",
            "Stripe client secret of an intent or session",
            "Stripe API reference, client_secret",
            &[b"_secret_"],
            body(BASE64URL.with(b"%"), 10),
        )
    },
    Detector {
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"A"),
                ByteSet::of(b"KSBC"),
                ByteSet::of(b"IC"),
                ByteSet::of(b"A"),
                CAPITALS,
                CAPITALS,
                CAPITALS,
                CAPITALS,
            ],
        }]),
        find: Find::Code(find_aws),
        validator: "known prefix, then exactly sixteen base32 characters",
        examples: &[Example::new("id ", &["AKIA", "ABCDEFGHIJKLMNOP"], ".")],
        non_examples: &[Example::none("AKIAABCDEFGHIJKLMNOPQ AKIA1 AKIAabcdefghijklmnop")],
        swallow: None,
        ..row(
            "aws-access-key-id",
            "AWS access key id",
            "AWS IAM User Guide, identifiers",
            &[],
            body(Class::UPPER, 16),
        )
    },
    Detector {
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"s"),
                ByteSet::of(b"k"),
                ByteSet::of(b"-"),
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
            ],
        }]),
        find: Find::Code(find_sk),
        validator: "sk-, then twenty or more characters with a digit or a capital letter among them",
        examples: &[
            Example::new("use ", &["sk", "-proj-", "0123456789abcdefghijklmnop"], " ok"),
            Example::new("", &["sk", "-ant-api03-", "0123456789abcdef-ABCDEF_ghijklmn"], ""),
            Example::new("", &["sk", "-", "0123456789abcdefghijT3"], ""),
        ],
        non_examples: &[Example::none(
            "sk-learn task-0123456789abcdefghijklmn sk-button-primary-large-rounded",
        )],
        ..row(
            "model-api-key",
            "API key of OpenAI, Anthropic and others that begin with sk-",
            "OpenAI and Anthropic API documentation, authentication",
            &[],
            body(BASE64URL, 20),
        )
    },
    Detector {
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"A"),
                ByteSet::of(b"I"),
                ByteSet::of(b"z"),
                ByteSet::of(b"a"),
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
            ],
        }]),
        find: Find::Code(find_google),
        examples: &[Example::new("", &["AIza", "0123456789abcdefghijklmnopqrstuvwxy"], "")],
        validator: "AIza, then exactly 35 characters",
        non_examples: &[
            Example::none("AIza0123456789"),
            Example::new("AIza", &[], "0123456789abcdefghijklmnopqrstuvwxyz0"),
        ],
        ..row(
            "google-api-key",
            "Google API key",
            "Google Cloud documentation, API keys",
            &[],
            body(BASE64URL, 35),
        )
    },
    Detector {
        examples: &[Example::new("", &["GOCSPX", "-", "0123456789abcdefghijklmn"], "")],
        triggers: Triggers::Windows(&[Window::literal(b"GOCSPX-")]),
        find: Find::Code(|view, at| after_literal(view, at, b"GOCSPX-", body(BASE64URL, 20))),
        ..row(
            "google-client-secret",
            "Google OAuth client secret",
            "Google Identity documentation, OAuth 2.0",
            &[],
            body(BASE64URL, 20),
        )
    },
    Detector {
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"x"),
                ByteSet::of(b"oa"),
                ByteSet::of(b"xp"),
                ByteSet::of(b"abcdeoprs"),
                ByteSet::of(b"-."),
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
            ],
        }]),
        find: Find::Code(find_slack),
        examples: &[
            Example::new("", &["xoxb", "-", "012345678901-0123456789012-abcdef"], "."),
            Example::new("", &["xapp", "-", "1-A0123456789-0123456789012-abcdef"], ""),
        ],
        non_examples: &[Example::none("xoxb-short xoxb-my-own-bot-token xoxa-nyc.example.org")],
        ..row("slack-token", "Slack token", "Slack API documentation, token types", &[], body(BASE64URL, 12))
    },
    Detector {
        examples: &[Example::new("", &["glpat", "-", "0123456789abcdefghij"], "")],
        non_examples: &[Example::none("glpat-short")],
        ..row(
            "gitlab-token",
            "GitLab personal access token",
            "GitLab documentation, token overview",
            &[
                b"glpat-",
                b"gldt-",
                b"glrt-",
                b"glrtr-",
                b"glptt-",
                b"glcbt-",
                b"gloas-",
                b"glft-",
                b"glsoat-",
                b"glimt-",
                b"glagent-",
                b"glffct-",
                b"glwt-",
            ],
            body(BASE64URL.with(b"."), 20),
        )
    },
    Detector {
        triggers: Triggers::Windows(&[Window {
            sets: [
                ByteSet::of(b"S"),
                ByteSet::of(b"G"),
                ByteSet::of(b"."),
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
                BASE64URL_SET,
            ],
        }]),
        find: Find::Code(find_sendgrid),
        validator: "SG., sixteen or more characters, a dot, thirty or more characters",
        examples: &[Example::new(
            "",
            &["SG", ".", "0123456789abcdefghijkl", ".", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"],
            ".",
        )],
        non_examples: &[Example::none("SG.Some.Thing.Longer")],
        ..row(
            "sendgrid-api-key",
            "SendGrid API key",
            "SendGrid documentation, API keys",
            &[],
            body(BASE64URL, 16),
        )
    },
];

/// One of the literals of `detector` at `at`, then `body`.
pub(super) fn find(detector: &Detector, body: Body, view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let Triggers::Literals(literals) = detector.triggers else { return None };
    literals
        .iter()
        .find_map(|literal| after_literal(view, at.checked_sub(token_skip(literal))?, literal, body))
}

pub(super) fn after_literal(view: &View<'_>, at: usize, literal: &[u8], body: Body) -> Option<Range<usize>> {
    if !view.starts_with(at, literal) || body.edge.has(view.before(at)) {
        return None;
    }
    let from = at + literal.len();
    let end = view.run(from, body.class);
    // A letter or digit that the body cannot have makes it a word.
    let whole = end - from >= body.len_min && !Class::ALNUM.has(view.at(end));
    (whole && !is_placeholder(view.bytes(from, end.min(from + FILLER_LEN_MAX)))).then_some(at..end)
}

fn find_client_secret(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"_secret_") {
        return None;
    }
    let start = view.back(at, Class::WORD);
    let end = view.run(at + 8, BASE64URL.with(b"%"));
    let owner = view.bytes(start, at);
    let known = [&b"src_client"[..], b"cuss", b"accs"].contains(&owner);
    (end - at >= 18 && (known || is_object(owner))).then_some(start..end)
}

/// Whether `owner` is a prefix, perhaps a mode, and an id of ten or more letters and digits.
fn is_object(owner: &[u8]) -> bool {
    let Some(first) = memchr::memchr(b'_', owner) else { return false };
    let Some(last) = memchr::memrchr(b'_', owner) else { return false };
    let id = &owner[last + 1..];
    let mode = &owner[first..=last];
    first >= 2
        && owner[..first].iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && matches!(mode, b"_" | b"_test_" | b"_live_")
        && id.len() >= 10
        && id.iter().any(u8::is_ascii_digit)
}

fn find_aws(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const BASE32: Class = Class::UPPER.with(b"234567");
    let prefix = [&b"AKIA"[..], b"ASIA", b"ABIA", b"ACCA"].iter().any(|prefix| view.starts_with(at, prefix));
    let end = view.run_up_to(at + 4, 17, BASE32);
    let whole = end == at + 20 && !Class::WORD.has(view.at(end)) && !Class::WORD.has(view.before(at));
    (prefix && whole && !is_placeholder(view.bytes(at + 4, end))).then_some(at..end)
}

fn find_sk(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if view.before(at) == b'-' {
        return None;
    }
    let span = after_literal(view, at, b"sk-", body(BASE64URL, 20))?;
    let body = view.bytes(at + 3, span.end);
    let dense = body.split(|&byte| byte == b'-').any(|part| {
        part.len() >= 16 && part.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    });
    dense.then_some(span)
}

fn find_google(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    after_literal(view, at, b"AIza", body(BASE64URL, 35)).filter(|span| span.len() == 39)
}

fn find_slack(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const PREFIXES: [&[u8]; 11] = [
        b"xoxb-", b"xoxa-", b"xoxp-", b"xoxr-", b"xoxs-", b"xoxo-", b"xoxc-", b"xoxd-", b"xapp-", b"xoxe.",
        b"xoxe-",
    ];
    // The words of a name have no row of numbers.
    const DIGITS_MIN: usize = 4;
    let body = body(BASE64URL.with(b"."), 12);
    let span = PREFIXES.iter().find_map(|prefix| after_literal(view, at, prefix, body))?;
    if view.bytes(at, span.end).iter().filter(|byte| byte.is_ascii_digit()).count() < DIGITS_MIN {
        return None;
    }
    // A full stop behind it ends the sentence.
    let end = if span.end < view.limit() && view.before(span.end) == b'.' { span.end - 1 } else { span.end };
    Some(at..end)
}

fn find_sendgrid(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let first = after_literal(view, at, b"SG.", body(BASE64URL, 16))?;
    if view.at(first.end) != b'.' {
        return None;
    }
    let end = view.run(first.end + 1, BASE64URL);
    (end - first.end > 30).then_some(at..end)
}
