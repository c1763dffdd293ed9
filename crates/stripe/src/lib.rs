//! Rules for the objects of the Stripe API, as a rule file for `obelus-fields`.
#![forbid(unsafe_code)]

/// The rule file.
pub const STRIPE: &str = include_str!("../rules/stripe.toml");
