//! Card verification codes behind a word that says so.

use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use super::is_glued;
use crate::Category;
use crate::detector::{Detector, Example, Find, Level, NEVER, Triggers};
use crate::view::{Class, View};

/// What may follow a word directly: it is over, or it is `cvv2`.
const AFTER_WORD: ByteSet = ByteSet::of(b"2 \t\n:=#-_.,;\"'/()[]*`|\\");

pub(super) const DETECTORS: &[Detector] = &[Detector {
    id: "card-cvc",
    category: Category::CardCvc,
    description: "card verification code behind a word that names it",
    validator: "three or four digits within 24 characters behind cvc, cvv, cvc2, cvv2 or security code",
    source: "PCI DSS, card verification codes as sensitive authentication data",
    examples: &[
        Example::new("cvc: ", &["737"], ""),
        Example::new("CVV2=", &["905"], " ok"),
        Example::new("the security code is ", &["1234"], "."),
        Example::new("card_cvc ", &["123"], ", until 12/34"),
        Example::new("Security Code (CVC): ", &["737"], ""),
    ],
    non_examples: &[
        Example::none("cvc check passed"),
        Example::none("cvc: 12"),
        Example::none("cvc 12345"),
        Example::none("cvc on page 123"),
        Example::none("cvc [card-cvc] 2034"),
        Example::none("security codes 1234"),
    ],
    rank: 120,
    level: Level::Certain,
    triggers: Triggers::Windows(&[
        Window {
            sets: [
                ByteSet::of(b"cC"),
                ByteSet::of(b"vV"),
                ByteSet::of(b"cCvV"),
                AFTER_WORD,
                ByteSet::ANY,
                ByteSet::ANY,
                ByteSet::ANY,
                ByteSet::ANY,
            ],
        },
        super::ssn::SECURITY,
    ]),
    behind: 2,
    ahead: 80,
    lead: 48,
    swallow: None,
    yields_to_ids: false,
    bounded: NEVER,
    find: Find::Code(find),
}];

fn find(view: &View<'_>, at: usize) -> Option<Range<usize>> {
    let word_end = if view.starts_with_any_case(at, b"ecurity code") {
        at + 12
    } else if is_glued(view, at) {
        return None;
    } else if view.starts_with_any_case(at, b"cvc") || view.starts_with_any_case(at, b"cvv") {
        at + 3 + usize::from(view.at(at + 3) == b'2')
    } else {
        return None;
    };
    let start = skip_filler(view, word_end)?;
    let end = view.run_up_to(start, 5, Class::DIGIT);
    let sized = matches!(end - start, 3 | 4);
    let decimal = matches!(view.at(end), b'.' | b',') && view.at(end + 1).is_ascii_digit();
    (sized && !decimal && !Class::WORD.or_non_ascii().has(view.at(end))).then_some(start..end)
}

/// Where the digits begin behind punctuation and the few words that stand between.
fn skip_filler(view: &View<'_>, from: usize) -> Option<usize> {
    const WORDS: [&[u8]; 8] = [b"is", b"code", b"number", b"no", b"was", b"cvc", b"cvv", b"value"];
    let mut pos = from;
    while pos - from <= 24 {
        let byte = view.at(pos);
        if byte.is_ascii_digit() {
            return (pos > from).then_some(pos);
        }
        if byte.is_ascii_alphabetic() {
            if pos == from {
                return None;
            }
            let end = view.run_up_to(pos, 8, Class::ALPHA);
            let word =
                WORDS.iter().find(|word| word.len() == end - pos && view.starts_with_any_case(pos, word))?;
            pos += word.len();
        } else if Class::of(b" \t\n:=#-_.\"'/()*`|\\").has(byte) {
            pos += 1;
        } else {
            return None;
        }
    }
    None
}
