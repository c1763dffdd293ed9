//! Hiding a finding in place.

use crate::Category;

/// Hides `text` behind asterisks, character for character.
///
/// Of a card number the first six and last four digits stay, of a bank account the last four letters or digits,
/// of an e-mail address the domain; where there is too little to hide, nothing stays. Secrets disappear entirely.
/// Otherwise ASCII punctuation and spaces stay.
///
/// The result is no finding again and needs no escape in JSON.
pub fn mask(category: Category, text: &str) -> String {
    let stays = |idx: usize, count: usize, head: usize, tail: usize| {
        count >= head + tail + 4 && (idx < head || idx >= count - tail)
    };
    match category {
        Category::CardNumber if is_number(text) => {
            let counts = |sign: char| sign.is_numeric() || is_hidden(sign);
            let count = text.chars().filter(|&sign| counts(sign)).count();
            hide(text, counts, |idx| stays(idx, count, 6, 4))
        }
        Category::BankAccount | Category::Iban => {
            let counts = |sign: char| sign.is_alphanumeric() || is_hidden(sign);
            let count = text.chars().filter(|&sign| counts(sign)).count();
            hide(text, counts, |idx| stays(idx, count, 0, 4))
        }
        Category::Email => mask_email(text),
        Category::Secret | Category::UrlCredential => text.chars().map(|_| '*').collect(),
        _ => hide(text, char::is_alphanumeric, |_| false),
    }
}

/// Whether `text` is a number and its separators, not track data.
fn is_number(text: &str) -> bool {
    text.chars().all(|sign| {
        sign.is_numeric() || !sign.is_alphanumeric() && !matches!(sign, '=' | '^' | '%' | '?' | ';')
    })
}

fn mask_email(text: &str) -> String {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return hide(text, char::is_alphanumeric, |_| false);
    };
    let is_plain = domain.chars().all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-'));
    if is_plain {
        // Every sign before the domain goes: one left could begin an address again.
        let stars: String = local.chars().map(|_| '*').collect();
        [stars.as_str(), "@", domain].concat()
    } else {
        text.chars().map(|_| '*').collect()
    }
}

/// Puts an asterisk for each character but punctuation and the counted ones that stay.
fn hide(text: &str, counts: impl Fn(char) -> bool, stays: impl Fn(usize) -> bool) -> String {
    let mut idx = 0;
    text.chars()
        .map(|sign| {
            let kept = counts(sign) && {
                idx += 1;
                stays(idx - 1)
            };
            if is_plain(sign) && (kept || !sign.is_ascii_alphanumeric()) { sign } else { '*' }
        })
        .collect()
}

/// Whether a sign needs no escape in JSON and is no character of a name.
fn is_plain(sign: char) -> bool {
    sign.is_ascii() && !sign.is_ascii_control() && !matches!(sign, '"' | '\\')
}

/// Whether a sign is an asterisk in any mask. It counts as what it may have been, so that a mask of a mask is the
/// same mask.
fn is_hidden(sign: char) -> bool {
    sign == '*' || !is_plain(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_the_length_and_what_may_stay() {
        for (category, text, wanted) in [
            (Category::CardNumber, "4242424242424242", "424242******4242"),
            (Category::CardNumber, "4242 4242-42424242", "4242 42**-****4242"),
            (Category::CardNumber, "4242", "****"),
            (Category::CardNumber, ";4242424242424242=3412?", ";****************=****?"),
            (Category::Iban, "DE89 3704 0044", "**** **** 0044"),
            (Category::BankAccount, "1234", "****"),
            (Category::Email, "jane.o@example.com", "******@example.com"),
            (Category::Phone, "+1 (415) 555-0123", "+* (***) ***-****"),
            (Category::Secret, "a:b", "***"),
            (Category::PersonName, "José \"J\\n\" 例", "**** ***** *"),
        ] {
            assert_eq!(mask(category, text), wanted);
        }
    }
}
