//! What a generator planted.

/// What a planted value is about. The names are those that findings use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Plant {
    /// Part of a bank account that is no IBAN.
    BankAccount,
    /// A number that names a bank.
    BankRouting,
    /// A fingerprint of a card or account.
    CardFingerprint,
    /// A payment card number.
    CardNumber,
    /// A date of birth.
    DateOfBirth,
    /// An e-mail address.
    Email,
    /// An international bank account number.
    Iban,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A name of a person, or a part of one.
    PersonName,
    /// A telephone number.
    Phone,
    /// A postal address or a part of one.
    PostalAddress,
    /// A key.
    Secret,
    /// A tax number.
    TaxId,
    /// A link or client secret that grants access.
    UrlCredential,
    /// A US social security number.
    UsSsn,
}

impl Plant {
    /// Every kind, in the order of their names.
    pub const ALL: [Plant; 15] = [
        Plant::BankAccount,
        Plant::BankRouting,
        Plant::CardFingerprint,
        Plant::CardNumber,
        Plant::DateOfBirth,
        Plant::Email,
        Plant::Iban,
        Plant::IpAddress,
        Plant::PersonName,
        Plant::Phone,
        Plant::PostalAddress,
        Plant::Secret,
        Plant::TaxId,
        Plant::UrlCredential,
        Plant::UsSsn,
    ];

    /// The category that a finding of it has.
    pub const fn as_str(self) -> &'static str {
        match self {
            Plant::BankAccount => "bank-account",
            Plant::BankRouting => "bank-routing",
            Plant::CardFingerprint => "card-fingerprint",
            Plant::CardNumber => "card-number",
            Plant::DateOfBirth => "date-of-birth",
            Plant::Email => "email",
            Plant::Iban => "iban",
            Plant::IpAddress => "ip-address",
            Plant::PersonName => "person-name",
            Plant::Phone => "phone",
            Plant::PostalAddress => "postal-address",
            Plant::Secret => "secret",
            Plant::TaxId => "tax-id",
            Plant::UrlCredential => "url-credential",
            Plant::UsSsn => "us-ssn",
        }
    }
}

/// How many values of each kind were planted, as the balanced profile counts them: card brand, funding, last 4,
/// expiry, country and merchant names do not count, a value redacted because of its member name counts once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Planted {
    counts: [u64; Plant::ALL.len()],
}

impl Planted {
    /// How many values of a kind were planted.
    pub fn count(&self, plant: Plant) -> u64 {
        self.counts[plant as usize]
    }

    /// How many values were planted in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The kinds that were planted, by category name, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Plant::ALL.iter().map(|&plant| (plant.as_str(), self.count(plant))).filter(|&(_, count)| count > 0)
    }

    pub(crate) fn add(&mut self, plant: Plant) {
        self.counts[plant as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_in_the_order_of_their_names() {
        assert!(Plant::ALL.is_sorted_by_key(|plant| plant.as_str()));
        assert!(Plant::ALL.iter().enumerate().all(|(at, &plant)| plant as usize == at));
    }
}
