//! Calls written down, with what should become of them: fixtures for rules, and what `obelus policy explain` reads.

use crate::amount::Currency;
use crate::arguments::{Argument, Arguments, is_name};
use crate::catalogue::Catalogue;
use crate::class::RiskClass;
use crate::denied::Denied;
use crate::operation::{Connection, Found, Operation};
use crate::policy::{Caller, Decision, Outcome, Policy};
use crate::rest::{Body, RestCall};
use crate::tool::{Servers, ToolCall};
use crate::totals::{Sum, Sums, Today};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The fixtures of the shipped rules.
pub const PRESET_FIXTURES: &str = include_str!("../data/preset.fixtures.yaml");

/// One call. Either `rest` or `tool` says what is called.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fixture {
    /// What it shows.
    #[serde(default)]
    pub name: String,
    /// Method and target of a REST call, such as `POST /v1/refunds`.
    pub rest: Option<String>,
    /// Its body, as a form.
    pub form: Option<String>,
    /// Its body, as JSON.
    pub json: Option<serde_json::Value>,
    /// The tool of an MCP call.
    pub tool: Option<String>,
    /// The server of the tool, if that is not Stripe's.
    pub server: Option<String>,
    /// The tool's arguments. A text is taken as the bytes of their JSON.
    pub arguments: Option<serde_json::Value>,
    /// What the connection says of live and test.
    pub livemode: Option<bool>,
    /// What the connection says of the account.
    pub account: Option<String>,
    /// Who calls; `default` if nothing is said.
    pub workflow: Option<String>,
    /// The caller's virtual key; `example` if nothing is said.
    pub key: Option<String>,
    /// The time, in seconds since 1970; its beginning if nothing is said.
    #[serde(default)]
    pub unix_seconds: u64,
    /// What today has come to with this call, for each of its classes.
    pub today: Option<TodayFixture>,
    /// What a look-up found.
    pub found: Option<FoundFixture>,
    /// The operation that it should be.
    pub operation: Option<String>,
    /// The class that it should have.
    pub risk_class: Option<RiskClass>,
    /// What should become of it: `allow`, `deny`, `approval` or `approval N`.
    pub expect: Option<String>,
    /// Why it should be denied: the code of a refusal, or `forbidden`, `nothing_permits`, `evaluation_error`.
    pub because: Option<String>,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Today's totals. What is left out is nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TodayFixture {
    /// Money of the workflow, in minor units.
    pub workflow_minor: u64,
    /// Calls of the workflow.
    pub workflow_calls: u64,
    /// Money of the customer, in minor units.
    pub customer_minor: u64,
    /// Calls of the customer.
    pub customer_calls: u64,
}

/// What a look-up found.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct FoundFixture {
    /// All that remains, in minor units.
    pub remaining_minor: Option<u64>,
    /// In which currency.
    pub currency: Option<String>,
    /// Whose it is.
    pub customer: Option<String>,
}

/// What the gate makes of a call. Of its arguments, only the names are told.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The operation, unless the call has none.
    #[serde(flatten)]
    pub understood: Option<Understood>,
    /// Why it has none.
    #[serde(flatten)]
    pub refused: Option<Refused>,
    /// What policy says.
    #[serde(flatten)]
    pub decision: Option<Decision>,
}

/// Why a call has no operation, and is denied.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// `deny`.
    pub outcome: &'static str,
    /// The code of the refusal.
    pub because: &'static str,
    /// The same in words, with what to do.
    pub why: String,
}

/// An operation without the values of its arguments.
#[derive(Clone, Debug, Serialize)]
pub struct Understood {
    /// Its name.
    pub operation: String,
    /// The class by which it is known.
    pub risk_class: RiskClass,
    /// All its classes.
    pub classes: Vec<RiskClass>,
    /// What else is true of it.
    pub facts: Vec<String>,
    /// Ids that it names.
    pub objects: Vec<String>,
    /// Its amount, if it is about money and says how much.
    pub amount_minor: Option<u64>,
    /// The amount as people write it; `unknown` if it may be any.
    pub amount: Option<String>,
    /// Its currency.
    pub currency: Option<Currency>,
    /// Whether it is live.
    pub livemode: Option<bool>,
    /// The account.
    pub account: Option<String>,
    /// Names of its arguments; `[name]` where the caller chose the name.
    pub arguments: Vec<String>,
}

impl Understood {
    fn new(operation: &Operation) -> Understood {
        let in_units = |minor: u64| match operation.currency {
            Some(currency) => currency.in_major_units(minor),
            None => format!("{minor} minor units"),
        };
        Understood {
            operation: operation.operation.clone(),
            risk_class: operation.risk_class,
            classes: operation.classes.iter().copied().collect(),
            facts: operation.facts.iter().cloned().collect(),
            objects: operation.objects.clone(),
            amount_minor: operation.amount.known_minor(),
            amount: match operation.amount {
                crate::Amount::None => None,
                crate::Amount::Minor(minor) => Some(in_units(minor)),
                crate::Amount::Unknown => Some("unknown".to_owned()),
            },
            currency: operation.currency,
            livemode: operation.livemode,
            account: operation.account.clone(),
            arguments: shown_paths(&operation.arguments),
        }
    }
}

/// Why a fixture says nothing that can be judged: what, and what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FixtureError(String);

impl fmt::Display for FixtureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FixtureError {}

impl Fixture {
    /// Reads a list of fixtures: YAML, and therefore JSON.
    ///
    /// # Errors
    /// The text has another form; the error names the line.
    pub fn read_all(text: &str) -> Result<Vec<Fixture>, FixtureError> {
        serde_saphyr::from_str(text).map_err(|error| FixtureError(first_line(&error.to_string())))
    }

    /// Reads one call.
    ///
    /// # Errors
    /// The text has another form; the error names the line.
    pub fn read(text: &str) -> Result<Fixture, FixtureError> {
        serde_saphyr::from_str(text).map_err(|error| FixtureError(first_line(&error.to_string())))
    }

    /// What the gate makes of the call.
    ///
    /// # Errors
    /// The fixture does not say what is called, or says it twice.
    pub fn explain(&self, policy: &Policy, servers: &Servers) -> Result<Explained, FixtureError> {
        let mut operation = match self.normalise(servers)? {
            Ok(operation) => operation,
            Err(denied) => {
                let (because, why) = (denied.code(), denied.to_string());
                let refused = Some(Refused { outcome: "deny", because, why });
                return Ok(Explained { understood: None, refused, decision: None });
            }
        };
        if let Some(found) = &self.found {
            let currency = found.currency.as_deref().and_then(Currency::parse);
            if found.currency.is_some() && currency.is_none() {
                return Err(FixtureError(
                    "found.currency: not three letters: write one such as usd".to_owned(),
                ));
            }
            let customer = found.customer.clone();
            operation.fill_in(Found { remaining_minor: found.remaining_minor, currency, customer });
        }
        let caller = Caller {
            key: self.key.as_deref().unwrap_or("example"),
            workflow: self.workflow.as_deref().unwrap_or("default"),
        };
        let decision = policy.decide(&operation, &caller, &self.sums(&operation), self.unix_seconds);
        let understood = Some(Understood::new(&operation));
        Ok(Explained { understood, refused: None, decision: Some(decision) })
    }

    /// How the call differs from what the fixture expects; nothing if it does not.
    ///
    /// # Errors
    /// The fixture does not say what is called, or what should become of it.
    pub fn check(&self, policy: &Policy, servers: &Servers) -> Result<Option<String>, FixtureError> {
        let expected = self
            .expect
            .as_deref()
            .ok_or(FixtureError("expect is missing: write what should become of the call".to_owned()))?;
        if !["allow", "deny", "approval"].contains(&expected) && !is_approval_of(expected) {
            let line = "expect: not known: write allow, deny, approval, or approval and a number";
            return Err(FixtureError(line.to_owned()));
        }
        let got = self.explain(policy, servers)?;
        let mut faults = Vec::new();
        let outcome = got.outcome();
        let fits = outcome == expected || expected == "approval" && outcome.starts_with("approval ");
        if !fits {
            faults.push(format!("expected {expected}, got {outcome}"));
        }
        let because = got.because();
        if self.because.is_some() && self.because != because {
            faults.push(format!(
                "expected because {}, got {}",
                shown(self.because.as_deref()),
                shown(because.as_deref())
            ));
        }
        let operation = got.understood.as_ref().map(|understood| understood.operation.as_str());
        if self.operation.is_some() && self.operation.as_deref() != operation {
            faults.push(format!(
                "expected operation {}, got {}",
                shown(self.operation.as_deref()),
                shown(operation)
            ));
        }
        let class = got.understood.as_ref().map(|understood| understood.risk_class);
        if self.risk_class.is_some() && self.risk_class != class {
            let name = |class: Option<RiskClass>| class.map_or("none", RiskClass::as_str);
            faults.push(format!("expected class {}, got {}", name(self.risk_class), name(class)));
        }
        Ok((!faults.is_empty()).then(|| faults.join("; ")))
    }

    /// Whether it says what should become of the call.
    pub fn has_expectation(&self) -> bool {
        self.expect.is_some()
            || self.because.is_some()
            || self.operation.is_some()
            || self.risk_class.is_some()
    }

    fn normalise(&self, servers: &Servers) -> Result<Result<Operation, Denied>, FixtureError> {
        let fault = |line: &str| Err(FixtureError(line.to_owned()));
        let catalogue = Catalogue::shipped().map_err(|error| FixtureError(error.to_string()))?;
        let connection = Connection { livemode: self.livemode, account: self.account.as_deref() };
        match (&self.rest, &self.tool) {
            (Some(target), None) if self.arguments.is_none() && self.server.is_none() => {
                let Some((method, target)) = target.split_once(' ') else {
                    return fault("rest: no method: write one such as POST /v1/refunds");
                };
                let (path, query) =
                    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
                let json = self.json.as_ref().map(bytes);
                let body = match (&self.form, &json) {
                    (None, None) => Body::Empty,
                    (Some(form), None) => Body::Form(form.as_bytes()),
                    (None, Some(json)) => Body::Json(json),
                    (Some(_), Some(_)) => return fault("form and json: a call has one body: take one away"),
                };
                Ok(catalogue.rest(&RestCall { method, path, query, body, connection }))
            }
            (None, Some(tool)) if self.form.is_none() && self.json.is_none() => {
                let arguments = self.arguments.as_ref().map(bytes).unwrap_or_default();
                let call = ToolCall { tool, arguments: &arguments, connection };
                Ok(match &self.server {
                    Some(server) => servers.tool_call(server, &call),
                    None => catalogue.tool_call(&call),
                })
            }
            (Some(_), None) => fault("arguments and server belong to a tool: take them away, or write tool"),
            (None, Some(_)) => fault("form and json belong to a REST call: take them away, or write rest"),
            _ => fault("nothing or two things are called: write either rest or tool"),
        }
    }

    fn sums(&self, operation: &Operation) -> Sums {
        let mut sums = Sums::default();
        if let Some(today) = self.today {
            let workflow = Sum { minor: today.workflow_minor, calls: today.workflow_calls };
            let customer = Sum { minor: today.customer_minor, calls: today.customer_calls };
            operation.classes.iter().for_each(|class| sums.set(*class, Today { workflow, customer }));
        }
        sums
    }
}

impl Explained {
    /// In one word what becomes of the call; `approval N` says how many must approve.
    pub fn outcome(&self) -> String {
        match self.decision.as_ref().map(|decision| decision.outcome) {
            Some(Outcome::Allow) => "allow".to_owned(),
            Some(Outcome::NeedsApproval { approvers }) => format!("approval {approvers}"),
            Some(Outcome::Deny { .. }) | None => "deny".to_owned(),
        }
    }

    /// Why it is denied, if it is.
    pub fn because(&self) -> Option<String> {
        match self.decision.as_ref().map(|decision| decision.outcome) {
            Some(Outcome::Deny { because }) => {
                serde_json::to_value(because).ok()?.as_str().map(str::to_owned)
            }
            Some(_) => None,
            None => self.refused.as_ref().map(|refused| refused.because.to_owned()),
        }
    }
}

/// Names of arguments; of those that callers make up, such as names of metadata, only that there are some.
fn shown_paths(arguments: &Arguments) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for (name, argument) in arguments.iter() {
        show(name, argument, "", &mut paths);
    }
    paths.into_iter().collect()
}

fn show(name: &str, argument: &Argument, above: &str, paths: &mut BTreeSet<String>) {
    let is_own = is_name(name) && above != "metadata" && !above.ends_with(".metadata");
    let name = if is_own { name } else { "[name]" };
    let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
    show_within(argument, &path, paths);
    paths.insert(path);
}

fn show_within(argument: &Argument, path: &str, paths: &mut BTreeSet<String>) {
    match argument {
        Argument::Text(_) => {}
        Argument::List(elements) => elements.iter().for_each(|element| show_within(element, path, paths)),
        Argument::Members(members) => {
            members.iter().for_each(|(name, argument)| show(name, argument, path, paths));
        }
    }
}

fn is_approval_of(text: &str) -> bool {
    text.strip_prefix("approval ").is_some_and(|number| matches!(number.parse::<u8>(), Ok(1..=9)))
}

fn shown(text: Option<&str>) -> &str {
    text.unwrap_or("none")
}

/// The bytes of JSON: a text stands for itself.
fn bytes(value: &serde_json::Value) -> Vec<u8> {
    match value {
        serde_json::Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

/// The first line: what follows in the errors of YAML is a drawing. A name that it quotes and that is no plain name may
/// be a value, and is left out.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let parts = line.split('`').enumerate();
    let shown: Vec<&str> =
        parts.map(|(at, part)| if at % 2 == 0 || is_name(part) { part } else { "[…]" }).collect();
    shown.join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_explanations_quote_no_value() {
        for text in ["jenny@example.com: 1", "risk_class: jenny@example.com", "livemode: jenny@example.com"] {
            let error = Fixture::read(text).expect_err("no fixture").to_string();
            assert!(error.contains("line 1") && !error.contains("jenny"), "{error}");
        }
        let error = Fixture::read("tol: a").expect_err("no fixture").to_string();
        assert!(error.contains("`tol`"), "{error}");
        let call = r#"{tool: stripe_analytics, arguments: {intent: execute_query_run, livemode: false,
            stripe_context: acct_1TestTestTest00, params: {metadata: {jenny: 1}, "jenny@example.com": 2}}}"#;
        let policy = Policy::load(&[crate::PolicyFile::preset()], &Servers::default()).expect("sound rules");
        let fixture = Fixture::read(call).expect("a fixture");
        let explained = fixture.explain(&policy, &Servers::default()).expect("an explanation");
        let arguments = explained.understood.expect("an operation").arguments;
        assert_eq!(
            arguments,
            ["intent", "params", "params.[name]", "params.metadata", "params.metadata.[name]"]
        );
    }
}
