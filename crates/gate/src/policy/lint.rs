//! Rules that decide nothing, and classes that no rule speaks of.

use super::{Policy, Rule};
use crate::class::RiskClass;
use cedar_policy::{
    ActionConstraint, Effect, EntityUid, PrincipalConstraint, ResourceConstraint, ValidationWarning,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// Something odd about rules that load.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Lint {
    /// What sort.
    pub kind: LintKind,
    /// The rule, unless it is about a class.
    pub rule: Option<Rule>,
    /// What is odd, and what to do.
    pub message: String,
}

/// What is odd.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LintKind {
    /// The rule can never hold.
    Unreachable,
    /// Whenever the rule holds, another that always does decides as well or more strictly.
    Shadowed,
    /// No rule speaks of the class: its calls are denied. That may be meant.
    ClassWithoutRule,
    /// The rule is written so that readers could mistake it.
    Misleading,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Rule { id, file, line, .. }) = &self.rule {
            write!(f, "{file}:{line}: rule {id}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Lint {
    /// Whether it is a fault, not a remark.
    pub fn is_fault(&self) -> bool {
        self.kind != LintKind::ClassWithoutRule
    }

    pub(super) fn of_warning(rule: &Rule, warning: &ValidationWarning) -> Lint {
        let (kind, message) = match warning {
            ValidationWarning::ImpossiblePolicy(_) => {
                (LintKind::Unreachable, "its conditions can never hold together: mend or remove it")
            }
            ValidationWarning::InvalidActionApplication(_) => {
                (LintKind::Unreachable, "no operation fits its first line: mend or remove it")
            }
            _ => (
                LintKind::Misleading,
                "a text in it mixes scripts or hides control characters: write it plainly",
            ),
        };
        Lint { kind, rule: Some(rule.clone()), message: message.to_owned() }
    }
}

/// What a rule covers: operations, each as one of its classes.
type Ground<'a> = BTreeSet<(&'a str, RiskClass)>;

impl Policy {
    /// What is odd about the rules. Takes some milliseconds.
    pub fn lint(&self) -> Vec<Lint> {
        let mut lints = self.warnings.clone();
        let unreachable = |rule: &Rule| lints.iter().any(|lint| lint.rule.as_ref() == Some(rule));
        let rules: Vec<Judge<'_>> = self
            .rules
            .policies()
            .filter_map(|policy| self.notes.get(policy.id()).map(|rule| (policy, rule)))
            .filter(|(_, rule)| !unreachable(rule))
            .map(|(policy, rule)| Judge::new(rule, policy, self.ground(&policy.action_constraint())))
            .collect();
        for rule in &rules {
            if let Some(other) = rules.iter().find(|other| other.shadows(rule)) {
                let message = format!(
                    "rule {} ({}:{}) always decides where this one holds: remove one of them",
                    other.rule.id, other.rule.file, other.rule.line
                );
                lints.push(Lint { kind: LintKind::Shadowed, rule: Some(rule.rule.clone()), message });
            }
        }
        for class in RiskClass::ALL {
            let speaks = |judge: &Judge<'_>| judge.ground.iter().any(|(_, covered)| *covered == class);
            if !rules.iter().any(speaks) {
                let message = format!("class {class}: no rule speaks of it: its calls are denied");
                lints.push(Lint { kind: LintKind::ClassWithoutRule, rule: None, message });
            }
        }
        lints.sort_by_key(|lint| lint.rule.as_ref().map(|rule| (rule.file.clone(), rule.line)));
        lints
    }

    fn ground(&self, constraint: &ActionConstraint) -> Ground<'_> {
        let names = |uid: &EntityUid, name: &str, class: RiskClass| {
            let id = uid.id().unescaped();
            id == name || id == class.as_str()
        };
        let fits = |name: &str, class: RiskClass| match constraint {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => uid.id().unescaped() == name,
            ActionConstraint::In(uids) => uids.iter().any(|uid| names(uid, name, class)),
        };
        let all = self
            .actions
            .iter()
            .flat_map(|(name, action)| action.classes.iter().map(move |class| (name.as_str(), *class)));
        all.filter(|(name, class)| fits(name, *class)).collect()
    }
}

/// One rule, as it stands beside others.
struct Judge<'a> {
    rule: &'a Rule,
    ground: Ground<'a>,
    is_permit: bool,
    /// It holds for everything on its ground.
    is_unconditional: bool,
}

impl<'a> Judge<'a> {
    fn new(rule: &'a Rule, policy: &cedar_policy::Policy, ground: Ground<'a>) -> Judge<'a> {
        let is_unconditional = !policy.has_non_scope_constraint()
            && policy.principal_constraint() == PrincipalConstraint::Any
            && policy.resource_constraint() == ResourceConstraint::Any;
        Judge { rule, ground, is_permit: policy.effect() == Effect::Permit, is_unconditional }
    }

    /// Whether this rule decides, as strictly or more so, wherever the other holds. Of two that are the same, the later is
    /// shadowed.
    fn shadows(&self, other: &Judge<'_>) -> bool {
        if !self.is_unconditional || self.rule == other.rule || !other.ground.is_subset(&self.ground) {
            return false;
        }
        let strictness = |judge: &Judge<'_>| (!judge.is_permit, judge.rule.approvers);
        let (own, others) = (strictness(self), strictness(other));
        let is_earlier = (&self.rule.file, self.rule.line) < (&other.rule.file, other.rule.line);
        let is_same = own == others && other.is_unconditional && other.ground == self.ground;
        own > others || own == others && (!is_same || is_earlier)
    }
}
