//! Text of the form of a token, whoever made it.

use std::ops::Range;

use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::token;
use crate::view::View;

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "token-like",
    category: Category::TokenLike,
    description: "text of the form of a token that stands for a value; only where tokens are made",
    validator: "the prefix, a category, twenty letters a to p; or z, a length, and as many letters",
    source: "the form of tokens of this project",
    examples: &[
        Example::new("write to ", &["obl_", "email_", "abcdefghijklmnopabcd"], "."),
        Example::new("x", &["obl_", "us_ssn_", "ponmlkjihgfedcbaponm"], "s"),
        // The one category with a digit in its name.
        Example::new("ends in ", &["obl_", "card_last4_", "abcdefghijklmnopabcd"], "."),
    ],
    non_examples: &[
        Example::none("obl_email_"),
        Example::none("obl_email_abcdefghijklmnop"),
        Example::none("obl_email_abcdefghijklmnopqrst"),
        Example::none("obl_mail_abcdefghijklmnopabcd"),
    ],
    // Whatever else it may be taken for: only as itself it can be turned back.
    rank: 255,
    level: Level::Certain,
    triggers: Triggers::Literals(&[token::PREFIX]),
    behind: 0,
    ahead: token::LEN_MAX,
    lead: 0,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    if !view.starts_with(at, token::PREFIX) {
        return None;
    }
    // As far as its signs go, so that a token is not decided before it is here.
    let is_sign = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let run = (at..at + token::LEN_MAX).take_while(|&pos| is_sign(view.at(pos)));
    let (_, len) = token::parse(view.bytes(at, at + run.count()))?;
    Some(at..at + len)
}
