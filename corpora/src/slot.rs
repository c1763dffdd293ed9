//! Slots of shapes: which values they stand for and what is planted with them.

use crate::machine::Machine;
use crate::planted::Plant;

/// A value that stands in a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot {
    pub(crate) value: Value,
    /// `old.`: of the second person, whose data the object had before.
    pub(crate) old: bool,
    /// `~`: stands where it is not to be found, such as a city in prose.
    pub(crate) silent: bool,
}

/// What a slot stands for. Values with a length or prefix carry it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    Name,
    Given,
    Family,
    Email,
    Phone,
    PhoneUs,
    Line1,
    Line2,
    City,
    State,
    PostalCode,
    Country,
    Dob,
    Ip,
    Ipv6,
    Card,
    CardSpaced,
    Iban,
    IbanSpaced,
    Ssn,
    TaxId,
    AccountNumber,
    RoutingNumber,
    BankCode,
    Fingerprint,
    ReceiptUrl,
    InvoiceUrl,
    InvoicePdf,
    ClientSecret,
    AwsKey,
    Time,
    Date,
    Version,
    Uuid,
    Digits(usize),
    /// Digits that begin with 0, which no card number does.
    Reference(usize),
    Hex(usize),
    Alnum(usize),
    Capitals(usize),
    /// A Stripe id of 14 characters behind its prefix.
    Short(&'static str),
    /// A Stripe id of 24 characters behind its prefix.
    Long(&'static str),
    Prose(usize, usize),
    Machine(Machine),
}

const PREFIXES: &[&str] = &[
    "ba", "ch", "cus", "du", "evt", "file", "ii", "il", "in", "mandate", "mtr", "pi", "pm", "pmc", "po",
    "price", "prod", "promo", "re", "si", "sub", "txn", "txr",
];

impl Slot {
    /// Reads the inside of the braces: `[~][old.]value [argument…]`.
    pub(crate) fn parse(text: &str) -> Option<Slot> {
        let (silent, text) = text.strip_prefix('~').map_or((false, text), |rest| (true, rest));
        let (old, text) = text.strip_prefix("old.").map_or((false, text), |rest| (true, rest));
        let mut words = text.split(' ');
        let value = Value::parse(words.next()?, words.next(), words.next())?;
        Some(Slot { value, old, silent })
    }

    pub(crate) fn plant(self) -> Option<Plant> {
        if self.silent { None } else { self.value.plant() }
    }
}

impl Value {
    fn parse(name: &str, first: Option<&str>, second: Option<&str>) -> Option<Value> {
        let len = || first?.parse().ok();
        let prefix = || PREFIXES.iter().copied().find(|&prefix| Some(prefix) == first);
        Some(match name {
            "digits" => Value::Digits(len()?),
            "ref" => Value::Reference(len()?),
            "hex" => Value::Hex(len()?),
            "alnum" => Value::Alnum(len()?),
            "ALNUM" => Value::Capitals(len()?),
            "short" => Value::Short(prefix()?),
            "long" => Value::Long(prefix()?),
            "prose" => Value::Prose(len()?, second?.parse().ok()?),
            _ => {
                return Value::plain(name)
                    .or_else(|| Machine::parse(name, first, second).map(Value::Machine));
            }
        })
    }

    fn plain(name: &str) -> Option<Value> {
        Some(match name {
            "name" => Value::Name,
            "given" => Value::Given,
            "family" => Value::Family,
            "email" => Value::Email,
            "phone" => Value::Phone,
            "phone-us" => Value::PhoneUs,
            "line1" => Value::Line1,
            "line2" => Value::Line2,
            "city" => Value::City,
            "state" => Value::State,
            "postal-code" => Value::PostalCode,
            "country" => Value::Country,
            "dob" => Value::Dob,
            "ip" => Value::Ip,
            "ipv6" => Value::Ipv6,
            "card" => Value::Card,
            "card-spaced" => Value::CardSpaced,
            "iban" => Value::Iban,
            "iban-spaced" => Value::IbanSpaced,
            "ssn" => Value::Ssn,
            "tax-id" => Value::TaxId,
            "account-number" => Value::AccountNumber,
            "routing-number" => Value::RoutingNumber,
            "bank-code" => Value::BankCode,
            "fingerprint" => Value::Fingerprint,
            "receipt-url" => Value::ReceiptUrl,
            "invoice-url" => Value::InvoiceUrl,
            "invoice-pdf" => Value::InvoicePdf,
            "client-secret" => Value::ClientSecret,
            "aws-key" => Value::AwsKey,
            "time" => Value::Time,
            "date" => Value::Date,
            "version" => Value::Version,
            "uuid" => Value::Uuid,
            _ => return None,
        })
    }

    fn plant(self) -> Option<Plant> {
        Some(match self {
            Value::Name | Value::Given | Value::Family => Plant::PersonName,
            Value::Email => Plant::Email,
            Value::Phone | Value::PhoneUs => Plant::Phone,
            Value::Line1 | Value::Line2 | Value::City | Value::State | Value::PostalCode => {
                Plant::PostalAddress
            }
            Value::Dob => Plant::DateOfBirth,
            Value::Ip | Value::Ipv6 => Plant::IpAddress,
            Value::Card | Value::CardSpaced => Plant::CardNumber,
            Value::Iban | Value::IbanSpaced => Plant::Iban,
            Value::Ssn => Plant::UsSsn,
            Value::TaxId => Plant::TaxId,
            Value::AccountNumber => Plant::BankAccount,
            Value::RoutingNumber => Plant::BankRouting,
            Value::Fingerprint => Plant::CardFingerprint,
            Value::ReceiptUrl | Value::InvoiceUrl | Value::InvoicePdf | Value::ClientSecret => {
                Plant::UrlCredential
            }
            Value::AwsKey => Plant::Secret,
            _ => return None,
        })
    }
}

/// A number or literal that stands without quotes. Never planted.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    Range(i64, i64),
    OneOf(Vec<String>),
    /// Money in the smallest unit: mostly small, now and then large.
    Amount,
    /// Unix seconds of the last two years.
    Created,
    /// A decimal with three digits behind the point.
    Fraction,
}

impl Number {
    pub(crate) fn parse(text: &str) -> Option<Number> {
        if let Some((low, high)) = text.split_once("..") {
            return Some(Number::Range(low.parse().ok()?, high.parse().ok()?));
        }
        if text.contains('|') {
            return Some(Number::OneOf(text.split('|').map(str::to_owned).collect()));
        }
        match text {
            "amount" => Some(Number::Amount),
            "created" => Some(Number::Created),
            "fraction" => Some(Number::Fraction),
            _ => None,
        }
    }
}
