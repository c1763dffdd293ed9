//! Every rule that can find something, under one index.

use obelus_detect::{Category, Detectors, Level};
use obelus_fields::{ClassIx, Fields};

/// Index of a rule: the detectors first, then the classes of member names.
pub(crate) type RuleIx = u16;

/// What is told about a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RuleInfo {
    /// The stable id, as it stands in findings.
    pub rule: String,
    /// What it finds.
    pub category: Category,
    /// What it is for.
    pub description: String,
    /// What must hold for a finding.
    pub validator: String,
    /// Where the rule comes from.
    pub source: String,
    /// How strong its evidence is; absent for rules over names, which act at every level.
    pub level: Option<Level>,
}

impl RuleInfo {
    pub(crate) fn id(&self) -> &str {
        &self.rule
    }
}

/// The rules of a redactor.
#[derive(Debug)]
pub(crate) struct Rules {
    infos: Vec<RuleInfo>,
    detectors: usize,
}

impl Rules {
    pub(crate) fn new(detectors: &Detectors, fields: &Fields) -> Rules {
        let mut infos: Vec<RuleInfo> = detectors
            .detectors()
            .iter()
            .map(|detector| RuleInfo {
                rule: detector.id.to_owned(),
                category: detector.category,
                description: detector.description.to_owned(),
                validator: detector.validator.to_owned(),
                source: detector.source.to_owned(),
                level: Some(detector.level),
            })
            .collect();
        let count = infos.len();
        infos.extend(fields.classes().iter().map(|class| RuleInfo {
            rule: class.rule_id.clone(),
            category: class.category,
            description: class.description.clone(),
            validator: "member name and its place".to_owned(),
            source: class.source.clone(),
            level: None,
        }));
        Rules { infos, detectors: count }
    }

    pub(crate) fn get(&self, rule: RuleIx) -> &RuleInfo {
        &self.infos[usize::from(rule)]
    }

    /// The rule of this id.
    pub(crate) fn find(&self, id: &str) -> Option<RuleIx> {
        (0..).zip(&self.infos).find(|(_, info)| info.rule == id).map(|(rule, _)| rule)
    }

    pub(crate) fn all(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// The class of a rule, if it is one over names.
    pub(crate) fn class(&self, rule: RuleIx, fields: &Fields) -> Option<ClassIx> {
        fields.class_at(usize::from(rule).checked_sub(self.detectors)?)
    }

    /// The rule of a class.
    pub(crate) fn of_class(&self, class: ClassIx) -> RuleIx {
        RuleIx::try_from(self.detectors + class.index()).unwrap_or(RuleIx::MAX)
    }
}
