//! Invented people, made of published test values and ranges set aside for examples.

use crate::rng::Rng;

/// The data of one invented person. What belongs together is drawn together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    given: (&'static str, &'static str),
    family: (&'static str, &'static str),
    pub(crate) place: Place,
    area: &'static str,
    number: u64,
    house: u64,
    street: &'static str,
    pub(crate) card: &'static str,
    pub(crate) iban: &'static str,
    pub(crate) ssn: &'static str,
}

/// City, state, postal code, country.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) city: &'static str,
    pub(crate) state: &'static str,
    pub(crate) postal_code: &'static str,
    pub(crate) country: &'static str,
}

/// As written, and as it stands in an e-mail address.
const GIVEN: &[(&str, &str)] = &[
    ("Jenny", "jenny"),
    ("Jane", "jane"),
    ("Maria", "maria"),
    ("Zoë", "zoe"),
    ("Ahmed", "ahmed"),
    ("Olivia", "olivia"),
    ("Noah", "noah"),
    ("Priya", "priya"),
    ("Lukas", "lukas"),
    ("Hannah", "hannah"),
    ("Daniel", "daniel"),
    ("Sofia", "sofia"),
    ("Kenji", "kenji"),
    ("Emma", "emma"),
    ("José", "jose"),
    ("Grace", "grace"),
];

const FAMILY: &[(&str, &str)] = &[
    ("Rosen", "rosen"),
    ("Smith", "smith"),
    ("Müller", "mueller"),
    ("García", "garcia"),
    ("Johnson", "johnson"),
    ("Tanaka", "tanaka"),
    ("O'Brien", "obrien"),
    ("Novak", "novak"),
    ("Patel", "patel"),
    ("Larsen", "larsen"),
    ("Williams", "williams"),
    ("Okafor", "okafor"),
    ("Dubois", "dubois"),
    ("Rossi", "rossi"),
    ("Kim", "kim"),
    ("Jones", "jones"),
];

const PLACES: &[Place] = &[
    place("San Francisco", "CA", "94102", "US"),
    place("Seattle", "WA", "98101", "US"),
    place("New York", "NY", "10001", "US"),
    place("Austin", "TX", "78701", "US"),
    place("Beverly Hills", "CA", "90210", "US"),
    place("Denver", "CO", "80202", "US"),
    place("Berlin", "BE", "10115", "DE"),
    place("München", "BY", "80331", "DE"),
    place("London", "LND", "EC1A 1BB", "GB"),
    place("Lyon", "ARA", "69001", "FR"),
    place("Dublin", "D", "D02 AF30", "IE"),
    place("Toronto", "ON", "M5H 2N2", "CA"),
];

const fn place(
    city: &'static str,
    state: &'static str,
    postal_code: &'static str,
    country: &'static str,
) -> Place {
    Place { city, state, postal_code, country }
}

const STREETS: &[&str] = &[
    "Fake Street",
    "Example Avenue",
    "Main Street",
    "Harbour Road",
    "Mill Lane",
    "Station Road",
    "Elm Street",
];

/// Area codes; with the numbers 555-0100 to 555-0199, which are kept for fiction.
const AREAS: &[&str] = &["202", "206", "212", "303", "312", "415", "512", "617", "702", "808"];

/// Test cards that payment processors publish.
const CARDS: &[&str] = &[
    "4242424242424242",
    "4012888888881881",
    "4000056655665556",
    "5555555555554444",
    "2223003122003222",
    "5200828282828210",
    "5105105105105100",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "6011000990139424",
    "38520000023237",
    "3566002020360505",
    "6200000000000005",
];

/// Examples of the registry and of payment documentation.
const IBANS: &[&str] = &[
    "DE89370400440532013000",
    "AT611904300234573201",
    "BE62510007547061",
    "FR1420041010050500013M02606",
    "IE29AIBK93115212345678",
    "NL39RABO0300065264",
    "ES0700120345030000067890",
    "IT40S0542811101000000123456",
    "GB82WEST12345698765432",
];

/// Numbers that were printed as examples and are void for ever.
const SSNS: &[&str] = &["078-05-1120", "219-09-9999"];

const MAIL_DOMAINS: &[&str] = &["example.com", "example.org", "example.net", "mail.example.com"];

impl Person {
    pub(crate) fn draw(rng: &mut Rng) -> Person {
        Person {
            given: rng.pick(GIVEN),
            family: rng.pick(FAMILY),
            place: rng.pick(PLACES),
            area: rng.pick(AREAS),
            number: rng.below(100),
            house: 1 + rng.below(990),
            street: rng.pick(STREETS),
            card: rng.pick(CARDS),
            iban: rng.pick(IBANS),
            ssn: rng.pick(SSNS),
        }
    }

    pub(crate) fn given(&self) -> &'static str {
        self.given.0
    }

    pub(crate) fn family(&self) -> &'static str {
        self.family.0
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.given.0, self.family.0)
    }

    /// The address differs in form from person to person, not from call to call.
    pub(crate) fn email(&self) -> String {
        let (given, family) = (self.given.1, self.family.1);
        let domain = MAIL_DOMAINS[given.len().wrapping_mul(family.len()) % MAIL_DOMAINS.len()];
        match self.number % 4 {
            0 => format!("{given}.{family}@{domain}"),
            1 => format!("{given}{}@{domain}", self.number),
            2 => format!("{given}+shop@{domain}"),
            _ => format!("{family}_{}@{domain}", self.house),
        }
    }

    pub(crate) fn phone(&self) -> String {
        format!("+1{}55501{:02}", self.area, self.number)
    }

    pub(crate) fn phone_us(&self) -> String {
        let (area, number) = (self.area, self.number);
        match self.house % 3 {
            0 => format!("({area}) 555-01{number:02}"),
            1 => format!("{area}-555-01{number:02}"),
            _ => format!("+1 {area} 555 01{number:02}"),
        }
    }

    pub(crate) fn line1(&self) -> String {
        format!("{} {}", self.house, self.street)
    }

    pub(crate) fn line2(&self) -> String {
        format!("Apt {}", 1 + self.number)
    }

    pub(crate) fn birth(&self) -> String {
        format!("{}-{:02}-{:02}", 1950 + self.house % 55, 1 + self.number % 12, 1 + self.house % 28)
    }
}

/// Groups of four with spaces between, as people write card and account numbers.
pub(crate) fn grouped(number: &str) -> String {
    let mut grouped = String::with_capacity(number.len() * 5 / 4);
    for (at, digit) in number.chars().enumerate() {
        if at > 0 && at.is_multiple_of(4) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luhn_holds(number: &str) -> bool {
        let digits = number.bytes().rev().map(|digit| u32::from(digit - b'0'));
        let sum: u32 = digits
            .enumerate()
            .map(|(at, digit)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
            .sum();
        sum.is_multiple_of(10)
    }

    fn remainder_97(iban: &str) -> u32 {
        let (head, body) = iban.split_at(4);
        body.chars().chain(head.chars()).fold(0, |rest, sign| {
            let value = sign.to_digit(36).unwrap();
            (if value > 9 { rest * 100 + value } else { rest * 10 + value }) % 97
        })
    }

    #[test]
    fn cards_and_ibans_have_valid_check_digits() {
        assert!(CARDS.iter().all(|card| luhn_holds(card)));
        assert!(IBANS.iter().all(|iban| remainder_97(iban) == 1));
    }

    #[test]
    fn people_live_in_ranges_for_examples() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let person = Person::draw(&mut rng);
            assert!(person.email().contains("example."));
            assert!(person.phone().contains("55501"));
            assert!(person.phone_us().contains("555"));
        }
    }
}
