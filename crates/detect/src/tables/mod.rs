//! Tables that standards bodies keep.

pub(crate) mod calling_codes;
pub(crate) mod countries;
pub(crate) mod country_codes;
pub(crate) mod iban_lengths;
pub(crate) mod zeros;
