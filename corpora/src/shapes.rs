//! The shapes there are.

use crate::shape::{self, Node, Text};
use crate::texts::{self, Blocks};

macro_rules! sources {
    ($($name:literal $file:literal,)*) => {
        &[$(($name, include_str!(concat!("../shapes/", $file)))),*]
    };
}

const SOURCES: &[(&str, &str)] = sources! {
    "address" "address.json",
    "anthropic" "chat/anthropic.json",
    "anthropic_response" "chat/anthropic_response.json",
    "arguments" "chat/arguments.json",
    "balance_transaction" "balance_transaction.json",
    "card_details" "card_details.json",
    "card_error" "card_error.json",
    "charge" "charge.json",
    "clean" "clean.json",
    "customer" "customer.json",
    "customer_metadata" "customer_metadata.json",
    "dense" "dense.json",
    "dispute" "dispute.json",
    "events" "events.json",
    "invoice" "invoice.json",
    "invoice_line" "invoice_line.json",
    "openai" "chat/openai.json",
    "openai_response" "chat/openai_response.json",
    "payment_intent" "payment_intent.json",
    "payment_method" "payment_method.json",
    "payment_method_details_card" "payment_method_details_card.json",
    "payment_method_details_sepa" "payment_method_details_sepa.json",
    "price" "price.json",
    "product" "product.json",
    "quiet_arguments" "quiet/arguments.json",
    "quiet_logs" "quiet/logs.json",
    "quiet_models" "quiet/models.json",
    "quiet_span" "quiet/span.json",
    "quiet_spans" "quiet/spans.json",
    "quiet_stripe" "quiet/stripe.json",
    "refund" "refund.json",
    "request" "request.json",
    "results" "chat/results.json",
    "shipping" "shipping.json",
    "subscription" "subscription.json",
    "subscription_item" "subscription_item.json",
    "system" "chat/system.json",
    "tax_id" "tax_id.json",
    "tools_anthropic" "chat/tools_anthropic.json",
    "tools_openai" "chat/tools_openai.json",
    "wallet" "wallet.json",
};

const PROSE: &str = include_str!("../shapes/chat/prose.txt");

/// All shapes, parsed.
#[derive(Debug)]
pub(crate) struct Shapes {
    nodes: Vec<Node>,
    prose: Vec<Text>,
    texts: Vec<Blocks>,
}

impl Shapes {
    /// Parses what this package carries; the error names the shape.
    fn parse() -> Result<Shapes, String> {
        let nodes = SOURCES.iter().map(|(name, source)| {
            shape::parse(source, &number_of).map_err(|error| format!("shape {name}: {error}"))
        });
        let line = |line| shape::text(line, '{', '}').map_err(|error| format!("prose: {error}: {line}"));
        Ok(Shapes {
            nodes: nodes.collect::<Result<_, _>>()?,
            prose: PROSE.lines().map(line).collect::<Result<_, _>>()?,
            texts: texts::parse()?,
        })
    }

    /// Parses what this package carries.
    pub(crate) fn new() -> Shapes {
        Shapes::parse().expect("the shapes of this package are well formed: a test parses them")
    }

    pub(crate) fn node(&self, shape: usize) -> &Node {
        &self.nodes[shape]
    }

    pub(crate) fn named(&self, name: &str) -> &Node {
        &self.nodes[number_of(name).expect("shapes are named by this package only")]
    }

    pub(crate) fn prose(&self) -> &[Text] {
        &self.prose
    }

    pub(crate) fn texts(&self) -> &[Blocks] {
        &self.texts
    }
}

fn number_of(name: &str) -> Option<usize> {
    if let Some(name) = name.strip_prefix('@') {
        return texts::number_of(name);
    }
    SOURCES.binary_search_by_key(&name, |&(name, _)| name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_well_formed() {
        assert!(SOURCES.is_sorted_by_key(|&(name, _)| name));
        Shapes::parse().unwrap();
    }
}
