//! The Cedar schema of the gate: every operation is an action, in the group of each class that a call of it can have.

use crate::catalogue::Catalogue;
use crate::class::RiskClass;
use crate::tool::Servers;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What every rule may speak of. Numbers of money are minor units; unknown amounts are the largest number.
const TYPES: &str = r#"
entity Workflow;
entity Key in [Workflow];
entity Account;
entity Object in [Account];
entity Server;
type Sums = {
  workflow_minor: Long,
  workflow_calls: Long,
  customer_minor: Long,
  customer_calls: Long,
};
type Time = { hour: Long, weekday: Long, unix_seconds: Long };
type Call = {
  amount_minor: Long,
  amount_known: Bool,
  currency: String,
  livemode: Bool,
  classes: Set<String>,
  facts: Set<String>,
  arguments: Set<String>,
  objects: Set<String>,
  customer: String,
  time: Time,
  today: Sums,
};
"#;

/// An action: the classes that a call of it can have, and what it is done to.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) classes: BTreeSet<RiskClass>,
    resources: &'static str,
}

/// Every action by name.
pub(crate) fn actions(catalogue: &Catalogue, servers: &Servers) -> Result<BTreeMap<String, Action>, String> {
    let mut actions = BTreeMap::new();
    for entry in catalogue.entries().iter().filter(|entry| entry.alias_of.is_none()) {
        let resources =
            if entry.path_parameters().next().is_some() { "[Account, Object]" } else { "[Account]" };
        actions.insert(entry.id.clone(), Action { classes: entry.possible_classes(), resources });
    }
    for (name, classes) in catalogue.tool_operations() {
        actions.insert(name, Action { classes: classes.into_iter().collect(), resources: "[Account]" });
    }
    for (name, class) in servers.operations() {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
        if !name.chars().all(is_plain) || name.matches('/').count() != 1 {
            return Err(format!("server or tool {name:?}: use letters, digits, `_`, `-`, `.` and `:`"));
        }
        let action = Action { classes: [class].into(), resources: "[Server]" };
        if actions.insert(name.clone(), action).is_some() {
            return Err(format!(
                "server {name:?}: a tool of Stripe's is called so: name the server otherwise"
            ));
        }
    }
    Ok(actions)
}

/// The schema as Cedar writes it.
pub(crate) fn text(actions: &BTreeMap<String, Action>) -> String {
    let mut text = TYPES.to_owned();
    for class in RiskClass::ALL {
        text.push_str(&format!("action \"{class}\";\n"));
    }
    for (name, action) in actions {
        let groups: Vec<String> = action.classes.iter().map(|class| format!("\"{class}\"")).collect();
        let line = writeln!(
            text,
            "action {name:?} in [{}] appliesTo {{ principal: [Key], resource: {}, context: Call }};",
            groups.join(", "),
            action.resources
        );
        // Writing to a string cannot fail.
        line.unwrap_or_default();
    }
    text
}
