//! Times as RFC 3339 writes them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in UTC, to the microsecond. Shown as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Utc(Duration);

impl Utc {
    /// So many microseconds since 1970.
    pub fn from_micros(micros: u64) -> Utc {
        Utc(Duration::from_micros(micros))
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> u64 {
        u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX)
    }

    /// Reads what RFC 3339 writes for a moment in UTC, or its beginning: at least the date. Digits behind the sixth of
    /// a second do not count.
    pub fn parse(text: &str) -> Option<Utc> {
        let text = text.strip_suffix('Z').unwrap_or(text).as_bytes();
        let form = b"0000-00-00T00:00:00.";
        let fits = |(sign, wanted): (&u8, &u8)| match wanted {
            b'0' => sign.is_ascii_digit(),
            wanted => sign == wanted,
        };
        if !text.iter().zip(form).all(fits) || ![10, 16, 19].contains(&text.len()) && text.len() <= form.len()
        {
            return None;
        }
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).unwrap_or_default().iter();
            digits.fold(0, |number: u64, digit| number * 10 + u64::from(digit.wrapping_sub(b'0')))
        };
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
        let digits = text.get(form.len()..).unwrap_or_default();
        if digits.iter().any(|digit| !digit.is_ascii_digit()) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let day = day_since_1970(year, month, day)?;
        let micros = (0..6)
            .fold(0, |micros, at| micros * 10 + digits.get(at).map_or(0, |digit| u64::from(digit - b'0')));
        let seconds = day * 86_400 + hour * 3600 + minute * 60 + second;
        Some(Utc(Duration::from_secs(seconds) + Duration::from_micros(micros)))
    }
}

/// The day of a civil date, if there is such a date and it is not before 1970.
fn day_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let year_from_march = year - u64::from(month <= 2);
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let found = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    (date(found) == (year, month, day)).then_some(found)
}

impl From<SystemTime> for Utc {
    /// A clock that stands before 1970 is taken to stand at its beginning.
    fn from(time: SystemTime) -> Utc {
        Utc(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let micros = self.0.subsec_micros();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// The civil date of a day since 1970-01-01. Years are counted from March, so that the leap day is the last of its
/// year and months have a regular length; 400 years have 146,097 days.
fn date(day: u64) -> (u64, u64, u64) {
    let from_year_0 = day + 719_468;
    let (era, day_of_era) = (from_year_0 / 146_097, from_year_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_they_are_known() {
        for (seconds, wanted) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000Z"),
            (1_709_210_096, "2024-02-29T12:34:56.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            let moment = Utc(Duration::from_secs(seconds));
            assert_eq!(moment.to_string(), wanted);
            assert_eq!(Utc::parse(wanted), Some(moment));
        }
    }

    #[test]
    fn a_moment_is_read_from_its_beginning_and_nothing_else_is() {
        for (text, micros) in [
            ("2024-02-29", 1_709_164_800_000_000),
            ("2024-02-29T12:34", 1_709_210_040_000_000),
            ("2024-02-29T12:34:56Z", 1_709_210_096_000_000),
            ("2024-02-29T12:34:56.5Z", 1_709_210_096_500_000),
            ("2024-02-29T12:34:56.1234567Z", 1_709_210_096_123_456),
        ] {
            assert_eq!(Utc::parse(text).map(Utc::as_micros), Some(micros), "{text}");
            assert_eq!(Utc::from_micros(micros).as_micros(), micros);
        }
        for text in [
            "",
            "2024",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "1969-12-31",
            "2024-01-01T24:00",
            "2024-01-01 00:00",
            "2024-01-01T00:00:00+01:00",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:0",
        ] {
            assert_eq!(Utc::parse(text), None, "{text}");
        }
    }
}
