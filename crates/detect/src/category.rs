//! What a finding is about.

use std::fmt;
use std::str::FromStr;

macro_rules! categories {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// What a finding is about. The names are stable and kebab-case.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Category {
            $(#[doc = $doc] $variant,)*
        }

        impl Category {
            /// Every category.
            pub const ALL: &'static [Category] = &[$(Category::$variant,)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Category::$variant => $name,)* }
            }

            /// What replaces a finding under the label transform: the name in square brackets.
            #[inline]
            pub const fn label(self) -> &'static str {
                // Looked up, as findings of all categories come in no order that a branch could follow.
                const LABELS: &[&str] = &[$(concat!("[", $name, "]"),)*];
                LABELS[self as usize]
            }
        }
    };
}

categories! {
    Email "email" "An e-mail address.",
    Phone "phone" "A telephone number.",
    PersonName "person-name" "A name of a natural person, or a part of one.",
    BusinessName "business-name" "A name of a business.",
    PostalAddress "postal-address" "A postal address or a part of one.",
    DateOfBirth "date-of-birth" "A date of birth or a part of one.",
    CardNumber "card-number" "A payment card number (PAN).",
    CardCvc "card-cvc" "A card verification code.",
    CardExpiry "card-expiry" "A card expiry date or a part of one.",
    CardLast4 "card-last4" "The last digits of a card or account number.",
    CardFingerprint "card-fingerprint" "A stable fingerprint of a card or bank account.",
    BankAccount "bank-account" "A bank account number that is no IBAN.",
    BankRouting "bank-routing" "A number or code that names a bank or branch.",
    Iban "iban" "An international bank account number.",
    UsSsn "us-ssn" "A US social security number.",
    GovernmentId "government-id" "An identity number given by a state.",
    TaxId "tax-id" "A tax number.",
    IpAddress "ip-address" "An IPv4 or IPv6 address.",
    MacAddress "mac-address" "A hardware address.",
    UrlCredential "url-credential" "A link or client secret that grants access.",
    Secret "secret" "A key, token, password or private key; the rule tells which.",
    CryptoWallet "crypto-wallet" "An address of a crypto currency wallet.",
    Location "location" "A place or coordinates of a person.",
    DeviceId "device-id" "Something that tells one device or browser from others.",
    OtherPersonal "other-personal" "Personal data of another kind.",
    TokenLike "token-like" "Text of the form of a token, whether it is one or not; found only where tokens are made.",
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no category's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownCategory;

impl fmt::Display for UnknownCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown category (`obelus rules list` shows those that exist)")
    }
}

impl std::error::Error for UnknownCategory {}

impl FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(text: &str) -> Result<Category, UnknownCategory> {
        Category::ALL.iter().copied().find(|category| category.as_str() == text).ok_or(UnknownCategory)
    }
}
