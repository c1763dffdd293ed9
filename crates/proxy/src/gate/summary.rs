//! What records and people may see of a call: made from the operation, with values behind tokens.

use crate::refused::Refused;
use obelus::Category;
use obelus_gate::{Catalogue, Decision, Operation};
use obelus_vault::Scope;
use obelus_wire::{Documents, SeenKey};
use serde_json::{Value, json};

/// What stands for a value that has no token.
const HIDDEN: &str = "[hidden]";

/// The arguments with values behind tokens: what the engine finds, and what the catalogue calls personal; and the keys that
/// stood there.
pub(super) fn masked(
    catalogue: &Catalogue,
    operation: &Operation,
    documents: &Documents,
    scope: &Scope,
) -> Result<(Value, Vec<SeenKey>), Refused> {
    let clear = operation.arguments.to_json();
    let redacted = documents.redact(clear.to_string().as_bytes(), scope)?;
    // What cannot be read any more is not shown.
    let mut masked: Value = serde_json::from_slice(&redacted.body).unwrap_or(Value::Null);
    let personal = catalogue.entry(&operation.operation).map_or(&[][..], |entry| &entry.personal);
    let is_personal = |path: &str| {
        personal.iter().any(|known| {
            let known = known.replace("[]", "");
            known == "*"
                || path == known
                || path.strip_prefix(&known).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    mask(&mut masked, Some(&clear), "", &is_personal, scope);
    Ok((masked, redacted.keys))
}

/// Puts tokens in place of texts at personal paths that the engine has let stay.
fn mask(
    value: &mut Value,
    clear: Option<&Value>,
    path: &str,
    is_personal: &dyn Fn(&str) -> bool,
    scope: &Scope,
) {
    match value {
        Value::String(text) => {
            let is_clear = clear.and_then(Value::as_str) == Some(text.as_str());
            if is_clear && !text.is_empty() && is_personal(path) {
                let mut token = Vec::new();
                let is_minted = scope.mint(Category::OtherPersonal, text.as_bytes(), &mut token);
                let token = String::from_utf8(token).ok().filter(|_| is_minted);
                *text = token.unwrap_or_else(|| HIDDEN.to_owned());
            }
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter_mut().enumerate() {
                mask(element, clear.and_then(|clear| clear.get(at)), path, is_personal, scope);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                mask(member, clear.and_then(|clear| clear.get(name)), &path, is_personal, scope);
            }
        }
        _ => {}
    }
}

/// What is said of the key with which a call goes out.
pub(crate) const SECRET_KEY: &str = "secret key, which can do everything";
pub(super) const RESTRICTED_KEY: &str = "restricted key";

/// The way by which a call goes out.
pub(super) struct Way<'a> {
    /// Whether live or test, where that is known.
    pub(super) mode: Option<bool>,
    /// The sort of its key, where that is known.
    pub(super) key: Option<&'a str>,
    /// The tool, where one is called.
    pub(super) tool: Option<&'a str>,
}

/// What people decide by. Nothing of it is the caller's own words but arguments, and these are masked.
pub(super) fn summary(operation: &Operation, masked: &Value, decision: &Decision, way: &Way<'_>) -> String {
    let amount = match (operation.amount.known_minor(), operation.currency) {
        (Some(minor), Some(currency)) => Value::from(currency.in_major_units(minor)),
        (Some(minor), None) => Value::from(format!("{minor} minor units of a currency that is not known")),
        (None, _) if operation.amount == obelus_gate::Amount::None => Value::Null,
        (None, _) => Value::from("not known: all that there is"),
    };
    let reasons: Vec<&str> = decision
        .judged
        .iter()
        .flat_map(|judged| &judged.rules)
        .filter_map(|rule| rule.reason.as_deref())
        .collect();
    let irreversible: Vec<&str> =
        operation.classes.iter().filter(|class| !class.is_read()).map(|class| consequence(*class)).collect();
    json!({
        "amount": amount,
        "customer": operation.customer,
        "objects": operation.objects,
        "account": operation.account,
        "mode": way.mode.map(|is_live| if is_live { "live" } else { "test" }),
        "key": way.key,
        "tool": way.tool,
        "risk_class": operation.risk_class.as_str(),
        "facts": operation.facts,
        "reasons": reasons,
        "consequences": irreversible,
        "arguments": visible(masked),
    })
    .to_string()
}

/// The same in lines, without what it says nothing of.
pub(super) fn lines(summary: &str) -> String {
    let value: Value = serde_json::from_str(summary).unwrap_or_default();
    let lines = value.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let text = match value {
            Value::Null => return None,
            Value::Array(all) if all.is_empty() => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(format!("{}: {text}", name.replace('_', " ")))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What cannot be taken back of a call of this class.
fn consequence(class: obelus_gate::RiskClass) -> &'static str {
    use obelus_gate::RiskClass;
    match class {
        RiskClass::Refund => "money goes back, which cannot be taken back",
        RiskClass::MoneyMovement => "money moves",
        RiskClass::OutboundMessage => "a customer is written to",
        RiskClass::InvoiceFinalize => "an invoice is final",
        RiskClass::Dispute => "a dispute is answered or given up, which is final",
        RiskClass::SubscriptionChange => "a customer pays for something else, or for nothing",
        RiskClass::PriceChange => "something costs something else",
        RiskClass::KeyOrAccountAdmin => "somebody may do something else",
        RiskClass::OtherMutation | RiskClass::Read | RiskClass::CustomerDataRead => "something is changed",
    }
}

/// The same with characters shown that nobody sees, or that turn text around.
fn visible(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(obelus_gate::visible(text)),
        Value::Array(elements) => elements.iter().map(visible).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (obelus_gate::visible(name), visible(member))).collect()
        }
        other => other.clone(),
    }
}
