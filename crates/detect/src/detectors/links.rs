//! Links that grant access to whoever has them.

use std::ops::Range;

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

/// What a link consists of.
const URL: Class = Class::ALNUM.with(b"-._~:/?#[]@!$&'()*+,;=%");

pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        id: "stripe-hosted-link",
        category: Category::UrlCredential,
        description: "link to a page that Stripe hosts for one customer or account",
        validator: "https, a host that serves such pages, and a path",
        source: "Stripe API reference, hosted_invoice_url, receipt_url, url",
        examples: &[
            Example::new("see ", &["https://invoice.stripe", ".com/i/acct_1/test_abc?s=ap"], "."),
            Example::new("", &["https://pay.stripe", ".com/receipts/abc"], " ok"),
            Example::new("(", &["https://checkout.stripe", ".com/c/pay/cs_test_a1#fid"], ")"),
        ],
        non_examples: &[
            Example::none("https://docs.stripe.com/api and https://dashboard.stripe.com/x"),
            Example::none("https://buy.stripe.com/test and https://pay.stripe.com/ alone"),
            Example::none("https://stripe.com/pricing"),
        ],
        rank: 195,
        level: Level::Certain,
        triggers: Triggers::Literals(&[b"ripe.com/"]),
        behind: 24,
        ahead: 2048,
        lead: 0,
        swallow: Some(URL),
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_stripe),
    },
    Detector {
        id: "slack-webhook",
        category: Category::UrlCredential,
        description: "Slack incoming webhook",
        validator: "hooks.slack.com and a path of services, workflows or triggers",
        source: "Slack API documentation, incoming webhooks",
        examples: &[Example::new("post to ", &["https://hooks.slack", ".com/services/T000/B000/XXXX"], ".")],
        non_examples: &[Example::none("https://api.slack.com/services/x and hooks.slack.com/")],
        rank: 195,
        level: Level::Certain,
        triggers: Triggers::Literals(&[b"lack.com/"]),
        behind: 24,
        ahead: 1024,
        lead: 0,
        swallow: Some(URL),
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_slack),
    },
    Detector {
        id: "webhook-link",
        category: Category::UrlCredential,
        description: "incoming webhook of Discord, Microsoft Teams or Tines",
        validator: "host of the service, its path of webhooks, and what follows",
        source: "documentation of the services, incoming webhooks",
        examples: &[
            Example::new(
                "post to ",
                &["https://discord.com/api", "/webhooks/123456789012345678/abcdefgh"],
                ".",
            ),
            Example::new("", &["https://example.webhook.office", ".com/webhookb2/0123@4567/x"], " ok"),
        ],
        non_examples: &[Example::none(
            "https://example.com/api/webhooks/1 and https://discord.com/api/webhooks",
        )],
        rank: 195,
        level: Level::Certain,
        triggers: Triggers::Literals(&[b"/webhook"]),
        behind: 96,
        ahead: 1024,
        lead: 0,
        swallow: Some(URL),
        yields_to_ids: false,
        bounded: NEVER,
        find: Find::Code(find_webhook),
    },
];

fn find_stripe(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const HOSTS: [&[u8]; 11] = [
        b"invoice.",
        b"pay.",
        b"receipt.",
        b"receipts.",
        b"checkout.",
        b"billing.",
        b"connect.",
        b"files.",
        b"verify.",
        b"payments.",
        b"hooks.",
    ];
    let at = at.checked_sub(2).filter(|&at| view.starts_with(at, b"stripe.com/"))?;
    let host = HOSTS.iter().find(|host| view.ends_with(at, host))?;
    link(view, at - host.len(), at + 11)
}

fn find_slack(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const PATHS: [&[u8]; 3] = [b"services/", b"workflows/", b"triggers/"];
    let host = at.checked_sub(7).filter(|&host| view.starts_with(host, b"hooks.slack.com/"))?;
    let path = PATHS.iter().find(|path| view.starts_with(host + 16, path))?;
    link(view, host, host + 16 + path.len())
}

/// Links of other services that take messages or start a task without any other key.
fn find_webhook(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    const HOSTS: [&[u8]; 5] = [
        b"discord.com/api",
        b"discordapp.com/api",
        b"outlook.office.com",
        b"webhook.office.com",
        b"tines.com",
    ];
    if !view.starts_with(at, b"/webhook") || !HOSTS.iter().any(|host| view.ends_with(at, host)) {
        return None;
    }
    let path = view.run_up_to(at + 8, 3, Class::of(b"sb2"));
    let host = view.back(at, Class::IDENT.with(b"./"));
    let host = view.run_up_to(host, 2, Class::of(b"/"));
    (view.at(path) == b'/').then(|| link(view, host, path + 1)).flatten()
}

/// The link whose host begins at `host` and whose path goes on at `path`.
fn link(view: &View<'_>, host: usize, path: usize) -> Option<Range<usize>> {
    let start = [&b"https://"[..], b"http://"].into_iter().find(|scheme| view.ends_with(host, scheme));
    let start = host - start.map_or(0, |scheme| scheme.len());
    if start == host && Class::IDENT.with(b".").has(view.before(host)) {
        return None;
    }
    let mut end = view.run(path, URL);
    while end > path && end < view.limit() && Class::of(b".,;:!?)]'").has(view.before(end)) {
        end -= 1;
    }
    (end > path).then_some(start..end)
}
