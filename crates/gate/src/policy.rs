//! Which calls may go out: Cedar policies over operations.
//!
//! A rule that permits may carry `@approval("N")`: then N people must approve. Of the rules that hold, one that
//! forbids wins over one that wants approval, and that over one that just permits; where none holds, the call is
//! denied. A call of several classes is judged as each of them, and the strictest outcome holds. Where any rule
//! cannot be evaluated the call is denied: Cedar alone would leave that rule out, even if it forbids.

mod lint;
mod request;
mod schema;

pub use lint::{Lint, LintKind};
pub use request::Caller;

use crate::catalogue::{Catalogue, SHIPPED};
use crate::class::RiskClass;
use crate::operation::Operation;
use crate::tool::Servers;
use crate::totals::Sums;
use cedar_policy::{
    Authorizer, Decision as Verdict, Effect, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// The shipped rules: the control model.
pub const PRESET: &str = include_str!("../data/preset.cedar");

/// Bytes of a digest that name a version.
const VERSION_BYTES: usize = 16;

/// A file of rules.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// How errors and explanations call it.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl PolicyFile {
    /// The shipped rules.
    pub fn preset() -> PolicyFile {
        PolicyFile { name: "preset.cedar".to_owned(), text: PRESET.to_owned() }
    }
}

/// Rules, checked against the catalogue.
pub struct Policy {
    rules: PolicySet,
    notes: HashMap<PolicyId, Rule>,
    actions: BTreeMap<String, schema::Action>,
    authorizer: Authorizer,
    warnings: Vec<Lint>,
    version: String,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("version", &self.version).finish_non_exhaustive()
    }
}

/// One rule, as explanations name it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Rule {
    /// Its `@id`.
    pub id: String,
    /// The file.
    pub file: String,
    /// The line on which it begins.
    pub line: usize,
    /// Whether it forbids.
    pub forbids: bool,
    /// Its `@approval`: how many people must approve.
    pub approvers: Option<u8>,
    /// Its `@reason`.
    pub reason: Option<String>,
}

/// What becomes of a call. The order is that of strictness.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It may go out.
    Allow,
    /// It waits for people.
    NeedsApproval {
        /// For how many.
        approvers: u8,
    },
    /// It goes nowhere.
    Deny {
        /// Why.
        because: Because,
    },
}

/// Why a call is denied.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// No rule permits it.
    NothingPermits,
    /// A rule forbids it.
    Forbidden,
    /// A rule could not be evaluated.
    EvaluationError,
}

/// What policy says of a call, and by which rules.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// What becomes of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The same for each of its classes, with the rules that decided.
    pub judged: Vec<Judged>,
    /// Which rules these were loaded from.
    pub policy_version: String,
}

/// What policy says of a call as one of its classes.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The class.
    pub class: RiskClass,
    /// What would become of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The rules that decided, or that could not be evaluated, in the order of their ids.
    pub rules: Vec<Rule>,
}

/// Why rules cannot be used: which file, which line, what to do. One line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyError(String);

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// Reads rules and checks them strictly: each name, type and action must be known.
    ///
    /// # Errors
    /// Anything that is wrong with any file, or with the names of servers.
    pub fn load(files: &[PolicyFile], servers: &Servers) -> Result<Policy, PolicyError> {
        let catalogue = Catalogue::shipped().map_err(|error| PolicyError(error.to_string()))?;
        let actions = schema::actions(catalogue, servers).map_err(PolicyError)?;
        let schema_text = schema::text(&actions);
        let (schema, _) = Schema::from_cedarschema_str(&schema_text).map_err(|error| {
            PolicyError(format!("schema of the gate: {}: report it", one_line(&error.to_string())))
        })?;
        let mut policy = Policy {
            rules: PolicySet::new(),
            notes: HashMap::new(),
            actions,
            authorizer: Authorizer::new(),
            warnings: Vec::new(),
            version: version(&schema_text, files),
        };
        let validator = Validator::new(schema);
        for file in files {
            policy.add(file, &validator)?;
        }
        Ok(policy)
    }

    fn add(&mut self, file: &PolicyFile, validator: &Validator) -> Result<(), PolicyError> {
        let read: PolicySet = file.text.parse().map_err(|error: cedar_policy::ParseErrors| {
            let line = error.iter().next().and_then(|error| line_of(error, &file.text)).unwrap_or(1);
            at(file, line, &format!("{error}: mend the rule"))
        })?;
        if let Some(template) = read.templates().next() {
            let name = template.annotation("id").unwrap_or("without a name").to_owned();
            return Err(at(
                file,
                1,
                &format!("rule {name} has a slot such as ?principal: name what it is about"),
            ));
        }
        let lines = lines(&read, &file.text);
        let mut renamed = PolicySet::new();
        for rule in read.policies() {
            let note = note(rule, file, lines.get(rule.id()).copied().unwrap_or(1))?;
            let id = PolicyId::new(&note.id);
            if self.notes.contains_key(&id) {
                return Err(at(
                    file,
                    note.line,
                    &format!("the id {} is taken: give each rule its own", note.id),
                ));
            }
            let rule = rule.new_id(id.clone());
            for set in [&mut renamed, &mut self.rules] {
                set.add(rule.clone())
                    .map_err(|error| at(file, note.line, &format!("{error}: give each rule its own id")))?;
            }
            self.notes.insert(id, note);
        }
        let result = validator.validate(&renamed, ValidationMode::Strict);
        if let Some(error) = result.validation_errors().next() {
            let line = line_of(error, &file.text).unwrap_or(1);
            let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
            return Err(at(file, line, &format!("{error}{help}: use what the schema of the gate has")));
        }
        for warning in result.validation_warnings() {
            if let Some(note) = self.notes.get(warning.policy_id()) {
                self.warnings.push(Lint::of_warning(note, warning));
            }
        }
        Ok(())
    }

    /// A name for exactly these rules, the catalogue and the servers' tools that they were loaded with: 32 hexadecimal digits.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every rule, by file and line.
    pub fn rules(&self) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = self.notes.values().collect();
        rules.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        rules
    }

    /// What becomes of a call. `sums` are today's totals for each of its classes, this call included; `unix_seconds`
    /// is the time.
    pub fn decide(
        &self,
        operation: &Operation,
        caller: &Caller<'_>,
        sums: &Sums,
        unix_seconds: u64,
    ) -> Decision {
        let call = request::Call { operation, caller, unix_seconds };
        let judged: Vec<Judged> =
            operation.classes.iter().map(|class| self.judge(&call, *class, sums.of(*class))).collect();
        let strictest = judged.iter().map(|judged| judged.outcome).max();
        Decision {
            outcome: strictest.unwrap_or(Outcome::Deny { because: Because::NothingPermits }),
            judged,
            policy_version: self.version.clone(),
        }
    }

    fn judge(&self, call: &request::Call<'_>, class: RiskClass, today: crate::totals::Today) -> Judged {
        let failed =
            |rules| Judged { class, outcome: Outcome::Deny { because: Because::EvaluationError }, rules };
        let is_known =
            self.actions.get(&call.operation.operation).is_some_and(|action| action.classes.contains(&class));
        if !is_known {
            // The call was understood with other servers than the rules were loaded with.
            return Judged {
                class,
                outcome: Outcome::Deny { because: Because::NothingPermits },
                rules: Vec::new(),
            };
        }
        let Some((request, entities)) = call.request(class, today) else { return failed(Vec::new()) };
        let response = self.authorizer.is_authorized(&request, &self.rules, &entities);
        if response.diagnostics().errors().next().is_some() {
            return failed(self.named(response.diagnostics().errors().map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
            })));
        }
        let rules = self.named(response.diagnostics().reason());
        let approvers = rules.iter().filter_map(|rule| rule.approvers).max();
        let outcome = match (response.decision(), approvers) {
            (Verdict::Allow, None) => Outcome::Allow,
            (Verdict::Allow, Some(approvers)) => Outcome::NeedsApproval { approvers },
            (Verdict::Deny, _) if rules.is_empty() => Outcome::Deny { because: Because::NothingPermits },
            (Verdict::Deny, _) => Outcome::Deny { because: Because::Forbidden },
        };
        Judged { class, outcome, rules }
    }

    fn named<'a>(&self, ids: impl Iterator<Item = &'a PolicyId>) -> Vec<Rule> {
        let mut rules: Vec<Rule> = ids.filter_map(|id| self.notes.get(id)).cloned().collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }
}

/// What the annotations of a rule say.
fn note(rule: &cedar_policy::Policy, file: &PolicyFile, line: usize) -> Result<Rule, PolicyError> {
    let fault = |what: &str| Err(at(file, line, what));
    if let Some((name, _)) = rule.annotations().find(|(name, _)| !["approval", "id", "reason"].contains(name))
    {
        return fault(&format!("the annotation @{name} means nothing: use @id, @approval and @reason"));
    }
    let Some(id) = rule.annotation("id").filter(|id| !id.is_empty()) else {
        return fault("the rule has no name: write @id(\"…\") before it");
    };
    let forbids = rule.effect() == Effect::Forbid;
    let approvers = match rule.annotation("approval") {
        None => None,
        Some(_) if forbids => return fault("a rule that forbids needs no approval: take @approval away"),
        Some(text) => match text.parse::<u8>() {
            Ok(number @ 1..=9) => Some(number),
            _ => {
                return fault(
                    "@approval says how many people must approve: write a number from \"1\" to \"9\"",
                );
            }
        },
    };
    let reason = rule.annotation("reason").map(str::to_owned);
    Ok(Rule { id: id.to_owned(), file: file.name.clone(), line, forbids, approvers, reason })
}

/// On which line each rule begins: rules are numbered in their order, and each stands word for word in the file.
fn lines(rules: &PolicySet, text: &str) -> HashMap<PolicyId, usize> {
    let number = |id: &PolicyId| id.to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(0);
    let mut ordered: Vec<&cedar_policy::Policy> = rules.policies().collect();
    ordered.sort_by_key(|rule| number(rule.id()));
    let (mut lines, mut from) = (HashMap::new(), 0);
    for rule in ordered {
        let words = rule.to_string();
        let found = text.get(from..).and_then(|rest| rest.find(&words));
        if let Some(found) = found {
            let start = from + found;
            lines.insert(rule.id().clone(), line_at(text, start));
            from = start + words.len();
        }
    }
    lines
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn line_of(error: &dyn Diagnostic, text: &str) -> Option<usize> {
    error.labels()?.next().map(|label| line_at(text, label.offset()))
}

fn at(file: &PolicyFile, line: usize, what: &str) -> PolicyError {
    PolicyError(format!("{}:{line}: {}", file.name, one_line(what)))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name for what was loaded.
fn version(schema: &str, files: &[PolicyFile]) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update(text.len().to_be_bytes());
        digest.update(text.as_bytes());
    };
    add(SHIPPED);
    add(schema);
    for file in files {
        add(&file.name);
        add(&file.text);
    }
    digest.finalize().iter().take(VERSION_BYTES).map(|byte| format!("{byte:02x}")).collect()
}
