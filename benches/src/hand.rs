//! What one writes by hand: ten regular expressions in one, the checks behind them, and a table of names.

use obelus_corpora::Plant;
use regex::Regex;
use std::borrow::Cow;

/// The ten expressions. Together they are one regex, so that each string is read once.
pub const PATTERNS: [&str; 10] = [
    r"[\w.%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}",
    r"\b(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\+\d(?:[ .-]?\d){7,14}\b|\(\d{3}\) ?\d{3}-\d{4}\b|\b\d{3}[.-]\d{3}[.-]\d{4}\b",
    r"\b\d(?:[ -]?\d){12,18}\b",
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    r"\b(?:[0-9A-Fa-f]{1,4}:){2,7}:?[0-9A-Fa-f]{1,4}\b",
];

/// How many findings of each kind there were.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally([u64; Plant::ALL.len()]);

impl Tally {
    pub(crate) fn add(&mut self, plant: Plant) {
        self.0[plant as usize] += 1;
    }

    pub(crate) fn count(&self, plant: Plant) -> u64 {
        self.0[plant as usize]
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The expressions, compiled.
#[derive(Debug)]
pub(crate) struct Hand {
    joined: Regex,
}

impl Hand {
    pub(crate) fn new() -> Result<Hand, regex::Error> {
        // ASCII classes, as one writes them for speed.
        let joined = PATTERNS.join("|").replace(r"\d", "[0-9]");
        let joined = joined.replace(r"\w", "A-Za-z0-9_").replace(r"\b", r"(?-u:\b)");
        Ok(Hand { joined: Regex::new(&joined)? })
    }

    /// Returns the text with labels in the place of findings, or the text itself.
    pub(crate) fn redact<'t>(&self, text: &'t str, tally: &mut Tally) -> Cow<'t, str> {
        let mut output = String::new();
        let mut copied = 0;
        for found in self.joined.find_iter(text) {
            let plant = plant_of(found.as_str());
            if is_valid(plant, found.as_str()) {
                output.push_str(text.get(copied..found.start()).unwrap_or_default());
                output.push_str(label(plant));
                copied = found.end();
                tally.add(plant);
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        output.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(output)
    }
}

/// Tells which expression it was by what it found: cheaper than capture groups.
fn plant_of(found: &str) -> Plant {
    let bytes = found.as_bytes();
    let dashes = bytes.iter().filter(|&&byte| byte == b'-').count();
    match bytes[0] {
        _ if found.contains('@') => Plant::Email,
        _ if found.contains('_') || found.starts_with("eyJ") => Plant::Secret,
        b'+' | b'(' => Plant::Phone,
        _ if found.contains(':') => Plant::IpAddress,
        b'A'..=b'Z' if bytes[3].is_ascii_digit() => Plant::Iban,
        b'A'..=b'Z' => Plant::Secret,
        _ if found.len() == 11 && dashes == 2 && bytes[6] == b'-' => Plant::UsSsn,
        _ if found.len() == 12
            && matches!(bytes[7], b'-' | b'.')
            && bytes[3] == bytes[7]
            && !is_octets(found) =>
        {
            Plant::Phone
        }
        _ if found.contains('.') => Plant::IpAddress,
        _ => Plant::CardNumber,
    }
}

fn is_octets(found: &str) -> bool {
    found.bytes().filter(|&byte| byte == b'.').count() == 3
}

fn is_valid(plant: Plant, found: &str) -> bool {
    match plant {
        Plant::CardNumber => luhn_holds(found),
        Plant::Iban => remainder_97(found) == 1,
        Plant::UsSsn => !["000", "666", "9"].iter().any(|area| found.starts_with(area)),
        Plant::IpAddress if found.contains('.') => found.split('.').all(|octet| octet.parse::<u8>().is_ok()),
        _ => true,
    }
}

fn luhn_holds(number: &str) -> bool {
    let digits = number.bytes().rev().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

fn remainder_97(iban: &str) -> u32 {
    let signs = || iban.chars().filter(char::is_ascii_alphanumeric);
    signs()
        .skip(4)
        .chain(signs().take(4))
        .filter_map(|sign| sign.to_digit(36))
        .fold(0, |rest, value| (if value > 9 { rest * 100 + value } else { rest * 10 + value }) % 97)
}

/// What a string is because of the name it stands under, within the object of the name `parent`.
pub(crate) fn named(name: &str, parent: &str) -> Option<Plant> {
    Some(match name {
        "name" => match parent {
            "function" | "plan" | "product" | "tools" => return None,
            _ => Plant::PersonName,
        },
        "first_name" | "last_name" | "full_name" | "customer_name" => Plant::PersonName,
        "email" | "customer_email" | "receipt_email" | "customer_email_address" => Plant::Email,
        "phone" | "mobile" | "customer_phone" => Plant::Phone,
        "line1" | "line2" | "street" | "city" | "state" | "zip" | "postal_code" => Plant::PostalAddress,
        "billing_address" | "shipping_address" => Plant::PostalAddress,
        "date_of_birth" => Plant::DateOfBirth,
        "ssn" => Plant::UsSsn,
        "iban" => Plant::Iban,
        "account_number" => Plant::BankAccount,
        "routing_number" | "bank_code" => Plant::BankRouting,
        "tax_id" => Plant::TaxId,
        "ip_address" | "customer_purchase_ip" => Plant::IpAddress,
        "card_number" => Plant::CardNumber,
        "fingerprint" => Plant::CardFingerprint,
        "client_secret" | "receipt_url" | "hosted_invoice_url" | "invoice_pdf" => Plant::UrlCredential,
        _ => return None,
    })
}

pub(crate) fn label(plant: Plant) -> &'static str {
    match plant {
        Plant::BankAccount => "[bank-account]",
        Plant::BankRouting => "[bank-routing]",
        Plant::CardFingerprint => "[card-fingerprint]",
        Plant::CardNumber => "[card-number]",
        Plant::DateOfBirth => "[date-of-birth]",
        Plant::Email => "[email]",
        Plant::Iban => "[iban]",
        Plant::IpAddress => "[ip-address]",
        Plant::PersonName => "[person-name]",
        Plant::Phone => "[phone]",
        Plant::PostalAddress => "[postal-address]",
        Plant::TaxId => "[tax-id]",
        Plant::UrlCredential => "[url-credential]",
        Plant::UsSsn => "[us-ssn]",
        _ => "[secret]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_find_what_they_should() {
        let hand = Hand::new().unwrap();
        for (text, expected) in [
            ("to jenny@example.com.", "to [email]."),
            ("paid with 4242 4242 4242 4242,", "paid with [card-number],"),
            ("paid with 4242 4242 4242 4241,", "paid with 4242 4242 4242 4241,"),
            ("call (212) 555-0184 or +12025550143", "call [phone] or [phone]"),
            ("from DE89 3704 0044 0532 0130 00", "from [iban]"),
            ("078-05-1120 and 900-05-1120", "[us-ssn] and 900-05-1120"),
            ("702-555-0110 702.555.0110 192.168.1.10", "[phone] [phone] [ip-address]"),
            (&["id AKIA", "IOSFODNN7", "EXAMPLE"].concat(), "id [secret]"),
            ("192.0.2.7, 2001:db8:1::2, 300.1.1.1", "[ip-address], [ip-address], 300.1.1.1"),
        ] {
            assert_eq!(hand.redact(text, &mut Tally::default()), expected);
        }
    }
}
