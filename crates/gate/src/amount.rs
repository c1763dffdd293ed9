//! How much money a call is about.

use crate::arguments::{Argument, Arguments, step};
use crate::catalogue::Entry;
use crate::denied::Denied;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;

/// How much money a call is about, in minor units of its currency. Signs do not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Amount {
    /// The call is about no money.
    None,
    /// The largest of its amounts; amounts in lists are added up, and prices multiplied by their quantity.
    Minor(u64),
    /// The call may be about any amount, because it says none or only a part: a refund without an amount gives back
    /// all that remains, and an item may name a price that only Stripe knows. It is above every limit.
    Unknown,
}

impl Amount {
    /// For limits: what is unknown is the largest number.
    pub fn limit_minor(self) -> u64 {
        match self {
            Amount::None => 0,
            Amount::Minor(minor) => minor,
            Amount::Unknown => u64::MAX,
        }
    }

    /// For records: nothing if there is none or it is unknown.
    pub fn known_minor(self) -> Option<u64> {
        if let Amount::Minor(minor) = self { Some(minor) } else { None }
    }
}

/// A currency by its three letters.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Currency([u8; 3]);

/// Currencies whose amounts have no decimals at Stripe. ISK and UGX have none as money, but two in amounts.
/// <https://docs.stripe.com/currencies#zero-decimal>
const ZERO_DECIMAL: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];

/// Currencies whose amounts have three decimals. <https://docs.stripe.com/currencies#three-decimal>
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

impl Currency {
    /// Reads three letters, of either case.
    pub fn parse(text: &str) -> Option<Currency> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Currency(bytes.map(|byte| byte.to_ascii_lowercase())))
    }

    /// The three letters, small.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimals amounts in minor units stand for.
    pub fn decimals(&self) -> usize {
        if ZERO_DECIMAL.contains(&self.as_str()) {
            0
        } else if THREE_DECIMAL.contains(&self.as_str()) {
            3
        } else {
            2
        }
    }

    /// An amount as people write it: `1099` is `10.99 USD`, `500` is `500 JPY`, `5120` is `5.120 KWD`.
    pub fn in_major_units(&self, minor: u64) -> String {
        let (decimals, letters) = (self.decimals(), self.as_str().to_ascii_uppercase());
        let digits = format!("{minor:0width$}", width = decimals + 1);
        match digits.split_at(digits.len() - decimals) {
            (whole, "") => format!("{whole} {letters}"),
            (whole, rest) => format!("{whole}.{rest} {letters}"),
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The currency that the arguments name. None if they name none, several, or one that is no currency.
pub(crate) fn currency(entry: &Entry, arguments: &Arguments) -> Option<Currency> {
    let named = entry.currencies.iter().flat_map(|path| arguments.at(path));
    let named: BTreeSet<Option<Currency>> =
        named.map(|found| found.as_text().and_then(Currency::parse)).collect();
    let mut named = named.into_iter();
    match (named.next(), named.next()) {
        (Some(only), None) => only,
        _ => None,
    }
}

/// Names under which a price holds more than one amount.
const MANY_AMOUNTS: [&str; 2] = ["currency_options", "tiers"];

/// The amount that the arguments say; none where they say nothing of money.
pub(crate) fn stated(entry: &Entry, arguments: &Arguments) -> Result<Amount, Denied> {
    let (mut single, mut listed, mut part) = (None, None, None);
    let all = Argument::Members(arguments.0.clone());
    for path in &entry.amounts {
        let mut sum = None;
        weigh(&all, Some(path), 1, path, &mut sum).map_err(|what| Denied::Argument(path.clone(), what))?;
        if is_part(path) {
            part = part.max(sum);
        } else if path.contains("[]") {
            listed = listed.or(sum).map(|_| listed.unwrap_or(0_u64).saturating_add(sum.unwrap_or(0)));
        } else {
            single = single.max(sum);
        }
    }
    let said = single.max(listed);
    let is_open = !entry.amounts.is_empty() && MANY_AMOUNTS.iter().any(|name| all.mentions(name))
        || entry.amounts.iter().any(|path| has_unpriced(entry, arguments, path))
        // Beside such a price there may be one that is only named.
        || said.is_none() && entry.amounts.iter().any(|path| path.starts_with("price_data."))
        || said.is_none() && part.is_some()
        // A currency without an amount is that of one which the facts do not name, such as that of a credit grant.
        || said.is_none() && !entry.class.is_read() && entry.currencies.iter().any(|path| arguments.has(path));
    Ok(match said.max(part) {
        _ if is_open => Amount::Unknown,
        Some(minor) => Amount::Minor(minor),
        None => Amount::None,
    })
}

/// Whether an amount is a share of another, or comes on top of it, so that it says nothing of the whole.
fn is_part(path: &str) -> bool {
    ["application_fee_amount", "transfer_data", "destination", "shipping_", "tax_amounts"]
        .iter()
        .any(|name| path.split('.').any(|step| step.starts_with(name)))
}

/// Whether an element of the list in this path says no amount: it may name a price, or mean all that there is.
fn has_unpriced(entry: &Entry, arguments: &Arguments, path: &str) -> bool {
    let Some((list, _)) = path.rsplit_once("[].").filter(|_| !is_part(path)) else { return false };
    let within: Vec<&str> = entry
        .amounts
        .iter()
        .filter_map(|other| other.strip_prefix(list)?.strip_prefix("[]."))
        .filter(|rest| !is_part(rest))
        .collect();
    let is_priced = |element: &Argument| {
        within.iter().any(|rest| {
            let mut sum = None;
            weigh(element, Some(rest), 1, rest, &mut sum).is_ok() && sum.is_some()
        })
    };
    arguments.at(&format!("{list}[]")).into_iter().any(|element| !is_priced(element))
}

/// Adds up what stands at the rest of a path, `times` over.
fn weigh(
    argument: &Argument,
    rest: Option<&str>,
    times: u64,
    path: &str,
    sum: &mut Option<u64>,
) -> Result<(), &'static str> {
    match (argument, rest) {
        (Argument::List(elements), _) => {
            elements.iter().try_for_each(|element| weigh(element, rest, times, path, sum))
        }
        (Argument::Members(members), Some(rest)) => {
            let (first, is_list, rest) = step(rest);
            let Some(next) = members.get(first) else { return Ok(()) };
            let mut times = times;
            if let (true, Some(quantity)) = (is_priced(first), members.get("quantity")) {
                let quantity = quantity.as_text().and_then(|text| text.parse::<u64>().ok());
                times = times.saturating_mul(quantity.ok_or("the quantity beside it is no whole number")?);
            }
            next.elements(is_list).try_for_each(|element| weigh(element, rest, times, path, sum))
        }
        // What stands there is not what the path means, such as an id in place of an object.
        (Argument::Text(_), Some(_)) => Ok(()),
        // Empty unsets an amount: it is as if it were not there.
        (Argument::Text(text), None) if text.is_empty() => Ok(()),
        (Argument::Text(text), None) => {
            let minor = read(text, path.ends_with("_decimal")).ok_or("not an amount in minor units")?;
            *sum = Some(sum.unwrap_or(0).saturating_add(minor.saturating_mul(times)));
            Ok(())
        }
        (Argument::Members(_), None) => Err("not an amount in minor units"),
    }
}

/// Whether what stands under this name is the price of one piece.
fn is_priced(name: &str) -> bool {
    matches!(name, "price_data" | "unit_amount" | "unit_amount_decimal")
}

/// A whole number without its sign; if decimals may follow, rounded up.
fn read(text: &str, may_be_decimal: bool) -> Option<u64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) if may_be_decimal && !decimals.is_empty() => (whole, decimals),
        Some(_) => return None,
        None => (digits, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(decimals) {
        return None;
    }
    let more = u64::from(decimals.bytes().any(|digit| digit != b'0'));
    whole.parse::<u64>().ok().map(|whole| whole.saturating_add(more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;
    use crate::arguments::read_object;

    fn amount_and_currency(operation: &str, json: &str) -> (Result<Amount, Denied>, Option<Currency>) {
        let entry = Catalogue::shipped().expect("a catalogue").entry(operation).expect("an operation");
        let arguments = read_object(json.as_bytes(), "arguments").expect("an object");
        (stated(entry, &arguments), currency(entry, &arguments))
    }

    #[test]
    fn amounts_are_shown_with_the_decimals_of_their_currency() {
        for (minor, currency, shown) in [
            (1099, "usd", "10.99 USD"),
            (5, "EUR", "0.05 EUR"),
            (500, "jpy", "500 JPY"),
            (0, "krw", "0 KRW"),
            (5120, "kwd", "5.120 KWD"),
            (500, "isk", "5.00 ISK"),
            (500, "ugx", "5.00 UGX"),
        ] {
            assert_eq!(
                Currency::parse(currency).map(|known| known.in_major_units(minor)).as_deref(),
                Some(shown)
            );
        }
        assert!(["", "us", "usdc", "u$d", "1us"].iter().all(|text| Currency::parse(text).is_none()));
    }

    #[test]
    fn the_largest_amount_counts_and_lists_are_added_up() {
        let known = |minor: Option<u64>| minor.map_or(Amount::None, Amount::Minor);
        let usd = Currency::parse("usd");
        for (operation, json, minor, currency) in [
            ("PostRefunds", r#"{"amount": 500}"#, Some(500), None),
            ("PostRefunds", r#"{"charge": "ch_x"}"#, None, None),
            ("PostRefunds", r#"{"amount": null}"#, None, None),
            (
                "PostCharges",
                r#"{"amount": 500, "application_fee_amount": 50, "currency": "USD"}"#,
                Some(500),
                usd,
            ),
            ("PostCustomers", r#"{"balance": -700}"#, Some(700), None),
            (
                "PostCreditNotes",
                r#"{"lines": [{"amount": 5}, {"amount": 6}], "credit_amount": 7}"#,
                Some(11),
                None,
            ),
            ("PostPrices", r#"{"unit_amount_decimal": "10.5", "currency": "usd"}"#, Some(11), usd),
            (
                "PostSubscriptions",
                r#"{"items": [{"quantity": 3, "price_data": {"unit_amount": 100, "currency": "usd"}},
                    {"price_data": {"unit_amount": 7, "currency": "usd"}}]}"#,
                Some(307),
                usd,
            ),
        ] {
            assert_eq!(
                amount_and_currency(operation, json),
                (Ok(known(minor)), currency),
                "{operation} {json}"
            );
        }
    }

    #[test]
    fn lists_of_one_call_are_added_up() {
        for (json, minor) in [
            (
                r#"{"items": [{"price_data": {"unit_amount": 100}}],
                    "add_invoice_items": [{"price_data": {"unit_amount": 30}}]}"#,
                130,
            ),
            (
                r#"{"items": [{"price_data": {"unit_amount": 1}}, {"price_data": {"unit_amount_decimal": "900.0"}}]}"#,
                901,
            ),
        ] {
            assert_eq!(amount_and_currency("PostSubscriptions", json).0, Ok(Amount::Minor(minor)), "{json}");
        }
    }

    #[test]
    fn a_part_does_not_pass_for_the_whole() {
        for (operation, json) in [
            ("PostChargesChargeCapture", r#"{"application_fee_amount": 1}"#),
            ("PostPaymentIntentsIntentCapture", r#"{"transfer_data": {"amount": 1}}"#),
            ("PostPaymentLinks", r#"{"line_items": [{"price": "price_x"}], "application_fee_amount": 1}"#),
            ("PostSubscriptions", r#"{"items": [{"price": "price_x"}, {"price_data": {"unit_amount": 1}}]}"#),
            (
                "PostSubscriptions",
                r#"{"items": [{"price": "price_x"}], "add_invoice_items": [{"price_data": {"unit_amount": 1}}]}"#,
            ),
            // Not all names are numbers, which servers read in more than one way.
            (
                "PostSubscriptions",
                r#"{"items": {"0": {"price_data": {"unit_amount": 70}}, "x": {"price_data": {"unit_amount": 1}}}}"#,
            ),
            ("PostCreditNotes", r#"{"lines": [{"invoice_line_item": "il_x"}, {"amount": 1}]}"#),
            (
                "PostCreditNotes",
                r#"{"lines": [{"invoice_line_item": "il_x", "tax_amounts": [{"amount": 1}]}]}"#,
            ),
            (
                "PostBillingCreditGrants",
                r#"{"amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 90000}}}"#,
            ),
            ("PostInvoiceitems", r#"{"customer": "cus_x", "pricing": {"price": "price_x"}}"#),
            ("PostPrices", r#"{"unit_amount": 1, "currency_options": {"eur": {"unit_amount": 90000}}}"#),
            ("PostPrices", r#"{"tiers": [{"unit_amount": 1, "flat_amount": 90000}]}"#),
        ] {
            assert_eq!(amount_and_currency(operation, json).0, Ok(Amount::Unknown), "{operation} {json}");
        }
        let (open, currency) = amount_and_currency(
            "PostSubscriptions",
            r#"{"currency": "jpy", "items": [{"price_data": {"currency": "usd"}}]}"#,
        );
        assert_eq!((open, currency), (Ok(Amount::Unknown), None));
        let (whole, _) =
            amount_and_currency("PostChargesChargeCapture", r#"{"amount": 5, "application_fee_amount": 1}"#);
        assert_eq!(whole, Ok(Amount::Minor(5)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for amount in
            ["5.00", "5e2x", "+5", " 5", "\u{0665}", "0x10", "1,000", "999999999999999999999", "-", "."]
        {
            let (stated, _) = amount_and_currency("PostRefunds", &format!(r#"{{"amount": "{amount}"}}"#));
            assert!(matches!(stated, Err(Denied::Argument(name, _)) if name == "amount"), "{amount}");
        }
        let (stated, _) = amount_and_currency("PostRefunds", r#"{"amount": {"value": 5}}"#);
        assert!(stated.is_err());
    }
}
