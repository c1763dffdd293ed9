//! Links that grant access to whoever has them.

use std::ops::Range;

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, Triggers};
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
        triggers: Triggers::Literals(&[b"stripe.com/"]),
        behind: 24,
        ahead: 2048,
        lead: 0,
        swallow: Some(URL),
        yields_to_ids: false,
        find: Find::Code(find_stripe),
    },
    Detector {
        id: "slack-webhook",
        category: Category::UrlCredential,
        description: "Slack incoming webhook",
        validator: "hooks.slack.com and a path of services",
        source: "Slack API documentation, incoming webhooks",
        examples: &[Example::new("post to ", &["https://hooks.slack", ".com/services/T000/B000/XXXX"], ".")],
        non_examples: &[Example::none("https://api.slack.com/services/x and hooks.slack.com/")],
        rank: 195,
        level: Level::Certain,
        triggers: Triggers::Literals(&[b"slack.com/services/"]),
        behind: 24,
        ahead: 1024,
        lead: 0,
        swallow: Some(URL),
        yields_to_ids: false,
        find: Find::Code(find_slack),
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
    if !view.starts_with(at, b"stripe.com/") {
        return None;
    }
    let host = HOSTS.iter().find(|host| view.ends_with(at, host))?;
    link(view, at - host.len(), at + 11)
}

fn find_slack(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, b"slack.com/services/") || !view.ends_with(at, b"hooks.") {
        return None;
    }
    link(view, at - 6, at + 19)
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
