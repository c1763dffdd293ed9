//! What is never to be turned back: card verification codes, PINs, and what is read from a magnetic stripe
//! (PCI DSS 4.0.1, requirement 3.3: sensitive authentication data is not kept after authorisation).

use obelus::Category;

/// How long a value may be that stands behind a token, in bytes. Anything longer is a text, not a value.
pub const VALUE_BYTES_MAX: usize = 1024;

/// ISO/IEC 7812: a card number has at most 19 digits.
const PAN_DIGITS_MAX: usize = 19;

/// The fewest digits that are taken for a card number before the separator of a track.
const PAN_DIGITS_MIN: usize = 12;

/// Up to here a number says by its length that it holds nothing else; beyond, its check digit must say it.
const PAN_DIGITS_USUAL: usize = 16;

/// ISO 9564: a PIN has at most 12 digits.
const PIN_DIGITS_MAX: usize = 12;

/// A PIN block of 8 bytes in hexadecimal digits.
const PIN_BLOCK_DIGITS: usize = 16;

/// Whether a value may be kept to be turned back.
pub(crate) fn may_return(category: Category, value: &[u8]) -> bool {
    let is_allowed = match category {
        Category::CardCvc => false,
        Category::CardNumber => is_number_alone(value),
        Category::Secret => !is_like_a_pin(value),
        _ => true,
    };
    is_allowed && value.len() <= VALUE_BYTES_MAX && !value.is_empty() && !holds_track(value)
}

/// Whether there are digits and separators, and no more of them than a card number has: a code or a date could
/// follow it.
fn is_number_alone(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let is_separator = |sign: char| {
        sign.is_whitespace() || matches!(sign, '-' | '.' | '/' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
    };
    let digits: Vec<char> = text.chars().filter(|sign| sign.is_numeric()).collect();
    let is_plain = text.chars().all(|sign| sign.is_numeric() || is_separator(sign));
    is_plain
        && digits.len() <= PAN_DIGITS_MAX
        && (digits.len() <= PAN_DIGITS_USUAL || has_check_digit(&digits))
}

/// ISO/IEC 7812, annex B.
fn has_check_digit(digits: &[char]) -> bool {
    let sum = digits.iter().rev().enumerate().try_fold(0, |sum, (at, sign)| {
        let digit = sign.to_digit(10)?;
        let doubled = if at % 2 == 0 { digit } else { digit * 2 };
        Some(sum + doubled / 10 + doubled % 10)
    });
    sum.is_some_and(|sum| sum % 10 == 0)
}

/// Secrets that are digits alone are PINs more often than anything else, and 16 hexadecimal digits can be a PIN
/// block.
fn is_like_a_pin(value: &[u8]) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.');
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_pin = digits <= PIN_DIGITS_MAX && value.iter().all(is_sign);
    is_pin || value.len() == PIN_BLOCK_DIGITS && value.iter().all(u8::is_ascii_hexdigit)
}

/// Whether digits that could be a card number stand before the separator of a track, wherever they were found.
fn holds_track(value: &[u8]) -> bool {
    let mut digits = 0;
    value.iter().any(|byte| match byte {
        b'0'..=b'9' => {
            digits += 1;
            false
        }
        // `D` is how track 2 stands in data of chips (EMV, tag 57).
        b'=' | b'^' | b'D' | b'd' if digits >= PAN_DIGITS_MIN => true,
        // The number may be written in groups.
        b' ' | b'-' if digits > 0 => false,
        _ => {
            digits = 0;
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returns(category: Category, value: &str) -> bool {
        may_return(category, value.as_bytes())
    }

    #[test]
    fn codes_pins_and_tracks_do_not_return() {
        assert!(!returns(Category::CardCvc, "123"));
        for pin in ["1234", "12 34", "123456789012", "0123456789ABCDEF", "0123456789abcdef"] {
            assert!(!returns(Category::Secret, pin), "{pin}");
        }
        for category in [Category::OtherPersonal, Category::Secret] {
            assert!(!returns(category, "4242424242424242D34121015432112345678F"), "{category}");
        }
        for track in [
            "%B4242424242424242^SMITH/ALICE^34121015432112345678?",
            ";4242424242424242=34121015432112345678?",
            "4242424242424242=3412",
            "4242 4242 4242 4242=3412",
            "4242424242424242|12|34|123",
            "4242424242424242 12/34 123",
            "4242424242424242 1234",
            "4242424242424242;123",
            "4242424242424242 cvc 123",
            "4242424242424242\u{ff1d}3412",
        ] {
            assert!(!returns(Category::CardNumber, track), "{track}");
        }
        assert!(!returns(Category::OtherPersonal, "swiped ;4242424242424242=34121015432112345678?"));
        assert!(!may_return(Category::CardNumber, b"4242\xff"));
    }

    #[test]
    fn values_do() {
        for number in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "4242\u{2013}4242\u{a0}4242 4242",
            "3782 822463 10005",
            "424242",
            // A UnionPay test card of 19 digits that Stripe publishes.
            "6205500000000000004",
        ] {
            assert!(returns(Category::CardNumber, number), "{number}");
        }
        assert!(returns(Category::Secret, "correct horse battery staple"));
        assert!(returns(Category::Secret, "1234567890123"));
        assert!(returns(Category::Email, "a@example.com"));
        assert!(returns(Category::Phone, "201-555-0123"));
        assert!(returns(Category::TokenLike, "obl_email_abcdefghijklmnopabcd"));
    }

    #[test]
    fn values_are_neither_empty_nor_long() {
        assert!(!returns(Category::Email, ""));
        assert!(returns(Category::PersonName, &"a".repeat(VALUE_BYTES_MAX)));
        assert!(!returns(Category::PersonName, &"a".repeat(VALUE_BYTES_MAX + 1)));
    }
}
