//! Saying something less exact in place of a finding.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Category;
use crate::tables::countries::COUNTRIES;

/// What is longer holds more than one date, address or network.
const LEN_MAX: usize = 256;

/// The years in which somebody of interest may have been born.
const YEARS: std::ops::RangeInclusive<u32> = 1880..=2099;

/// Something less exact than `text` that may be shown: of a date the year, of an address the country, of an IP
/// address the network (24 bits of IPv4, 48 bits of IPv6). Nothing where that cannot be told.
///
/// What it gives is given again for itself, and no detector finds it: a network is written without its zeros.
pub fn generalise(category: Category, text: &str) -> Option<String> {
    if text.len() > LEN_MAX {
        return None;
    }
    match category {
        Category::DateOfBirth => year(text),
        Category::PostalAddress => country(text),
        Category::IpAddress => network(text),
        _ => None,
    }
}

/// The year of a date that has four digits for it and fewer for everything else, or of one of eight digits.
fn year(text: &str) -> Option<String> {
    let runs: Vec<&str> =
        text.split(|sign: char| !sign.is_ascii_digit()).filter(|run| !run.is_empty()).collect();
    if let [run] = runs.as_slice()
        && run.len() == 8
    {
        let (year, rest) = (run.get(..4)?, run.get(4..)?.parse::<u32>().ok()?);
        let is_day = (1..=12).contains(&(rest / 100)) && (1..=31).contains(&(rest % 100));
        return (is_day && is_year(year)).then(|| year.to_owned());
    }
    let mut years = runs.iter().filter(|run| run.len() > 3 && run.bytes().any(|digit| digit != b'0'));
    match (years.next(), years.next()) {
        (Some(year), None) if is_year(year) => Some((*year).to_owned()),
        _ => None,
    }
}

fn is_year(run: &str) -> bool {
    run.len() == 4 && run.parse().is_ok_and(|year: u32| YEARS.contains(&year))
}

/// The last part of an address if it is a country.
fn country(text: &str) -> Option<String> {
    let last = text.rsplit([',', '\n', ';']).find(|part| !part.trim().is_empty())?.trim();
    let lower = last.to_lowercase();
    COUNTRIES.binary_search(&lower.as_str()).is_ok().then(|| last.to_owned())
}

fn network(text: &str) -> Option<String> {
    if let Some(parts) = text.strip_suffix("/24")
        && format!("{parts}.0").parse::<Ipv4Addr>().is_ok()
    {
        return Some(text.to_owned());
    }
    if let Some(groups) = text.strip_suffix("/48")
        && groups.split(':').count() == 3
        && format!("{groups}::").parse::<Ipv6Addr>().is_ok()
    {
        return Some(text.to_owned());
    }
    Some(match text.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            format!("{first}.{second}.{third}/24")
        }
        IpAddr::V6(address) => {
            let [first, second, third, ..] = address.segments();
            format!("{first:x}:{second:x}:{third:x}/48")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_exact_is_told_and_stays() {
        for (category, text, wanted) in [
            (Category::DateOfBirth, "1990-05-17", "1990"),
            (Category::DateOfBirth, "17/05/1990", "1990"),
            (Category::DateOfBirth, "May 17, 1990", "1990"),
            (Category::DateOfBirth, "1990-05-17T00:00:00.000+0000", "1990"),
            (Category::DateOfBirth, "19900517", "1990"),
            (Category::DateOfBirth, "1990", "1990"),
            (Category::PostalAddress, "12 Main Street, Springfield, IL 62701, USA", "USA"),
            (Category::PostalAddress, "Hauptstr. 1\n10115 Berlin\nGermany\n", "Germany"),
            (Category::PostalAddress, "Türkiye", "Türkiye"),
            (Category::IpAddress, "203.0.113.77", "203.0.113/24"),
            (Category::IpAddress, "::ffff:203.0.113.77", "203.0.113/24"),
            (Category::IpAddress, "2001:db8:85a3::8a2e:370:7334", "2001:db8:85a3/48"),
        ] {
            assert_eq!(generalise(category, text).as_deref(), Some(wanted), "{text}");
            assert_eq!(generalise(category, wanted).as_deref(), Some(wanted), "{wanted}");
        }
    }

    #[test]
    fn where_nothing_can_be_told_nothing_is() {
        for (category, text) in [
            (Category::DateOfBirth, "17/05/90"),
            (Category::DateOfBirth, "5"),
            (Category::DateOfBirth, "1990-05-17 to 1991-01-01"),
            (Category::DateOfBirth, "642902400"),
            (Category::DateOfBirth, "19901990"),
            (Category::PostalAddress, "12 Main Street, Springfield, IL"),
            (Category::PostalAddress, "Atlanta, Georgia"),
            (Category::PostalAddress, ", ,"),
            (Category::IpAddress, "203.0.113.77, 198.51.100.1"),
            (Category::IpAddress, "203.0.113.77/24"),
            (Category::IpAddress, "2001:db8/48"),
            (Category::Email, "jenny@example.com"),
        ] {
            assert_eq!(generalise(category, text), None, "{text}");
        }
    }

    #[test]
    fn countries_are_sorted_and_in_lower_case() {
        assert!(COUNTRIES.is_sorted());
        assert!(COUNTRIES.iter().all(|country| country.to_lowercase() == *country));
    }
}
