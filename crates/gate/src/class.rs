//! How much harm a call can do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What sort of thing a call does, in the order of the control model: whatever comes later is no milder.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskClass {
    /// Reads what concerns no customer.
    Read,
    /// Reads what may hold customer data.
    CustomerDataRead,
    /// Changes something that no other class speaks of.
    OtherMutation,
    /// Makes Stripe write to a customer.
    OutboundMessage,
    /// Changes what something costs.
    PriceChange,
    /// Changes a subscription.
    SubscriptionChange,
    /// Makes a draft an invoice, or ends one.
    InvoiceFinalize,
    /// Answers or gives up a dispute.
    Dispute,
    /// Gives money back.
    Refund,
    /// Moves money in any other way.
    MoneyMovement,
    /// Changes who may do what, or where data and money go.
    KeyOrAccountAdmin,
}

impl RiskClass {
    /// Every class, in order.
    pub const ALL: [RiskClass; 11] = [
        RiskClass::Read,
        RiskClass::CustomerDataRead,
        RiskClass::OtherMutation,
        RiskClass::OutboundMessage,
        RiskClass::PriceChange,
        RiskClass::SubscriptionChange,
        RiskClass::InvoiceFinalize,
        RiskClass::Dispute,
        RiskClass::Refund,
        RiskClass::MoneyMovement,
        RiskClass::KeyOrAccountAdmin,
    ];

    /// The name in records and policies, such as `customer_data_read`.
    pub fn as_str(self) -> &'static str {
        match self {
            RiskClass::Read => "read",
            RiskClass::CustomerDataRead => "customer_data_read",
            RiskClass::OtherMutation => "other_mutation",
            RiskClass::OutboundMessage => "outbound_message",
            RiskClass::PriceChange => "price_change",
            RiskClass::SubscriptionChange => "subscription_change",
            RiskClass::InvoiceFinalize => "invoice_finalize",
            RiskClass::Dispute => "dispute",
            RiskClass::Refund => "refund",
            RiskClass::MoneyMovement => "money_movement",
            RiskClass::KeyOrAccountAdmin => "key_or_account_admin",
        }
    }

    /// Whether a call of this class changes nothing.
    pub fn is_read(self) -> bool {
        matches!(self, RiskClass::Read | RiskClass::CustomerDataRead)
    }

    /// Whether a call of this class without an amount may be about any amount.
    pub(crate) fn concerns_money(self) -> bool {
        self > RiskClass::OtherMutation && self != RiskClass::OutboundMessage
    }

    /// How the control model ranks the class: reads, reads of customer data, other changes, the six classes that
    /// people decide about, and what is closed unless opened.
    fn rank(self) -> u8 {
        match self {
            RiskClass::Read => 0,
            RiskClass::CustomerDataRead => 1,
            RiskClass::OtherMutation => 2,
            RiskClass::MoneyMovement | RiskClass::KeyOrAccountAdmin => 4,
            _ => 3,
        }
    }

    /// The class by which a call of several is known: the operation's own unless another ranks higher.
    pub(crate) fn leading(own: RiskClass, others: impl Iterator<Item = RiskClass>) -> RiskClass {
        others.fold(own, |leading, other| if other.rank() > leading.rank() { other } else { leading })
    }
}

impl fmt::Display for RiskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
