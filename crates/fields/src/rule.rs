//! One compiled rule: conditions in three-valued logic.
//!
//! A stream shows an object's members one after the other. A condition that the members seen so far do not
//! settle is unknown, and a rule is only acted upon if no earlier one may still hold with another outcome.

use crate::place::{Place, Verdict};

/// Whether a condition holds, in the order that makes "and" a minimum.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Truth {
    False,
    Unknown,
    True,
}

/// The conditions of a rule and what follows if all hold. Each mask is one bit, or zero for no condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    pub(crate) parents: u64,
    pub(crate) ancestors: u64,
    pub(crate) beside: u64,
    pub(crate) objects: u64,
    pub(crate) nearest: u64,
    pub(crate) is_scoped: bool,
    pub(crate) is_untyped: bool,
    pub(crate) verdict: Verdict,
}

/// What the types of a place satisfy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Types {
    pub(crate) own: u64,
    pub(crate) nearest: u64,
    /// Whether `nearest` is an object of some substance and not just an envelope.
    pub(crate) is_nearest_known: bool,
}

impl Step {
    pub(crate) fn always(verdict: Verdict) -> Step {
        Step {
            parents: 0,
            ancestors: 0,
            beside: 0,
            objects: 0,
            nearest: 0,
            is_scoped: false,
            is_untyped: false,
            verdict,
        }
    }

    /// Whether there is no condition.
    pub(crate) fn is_always(&self) -> bool {
        *self == Step::always(self.verdict)
    }

    /// Whether it holds at a closed place.
    pub(crate) fn holds(&self, place: &Place, types: Types) -> bool {
        self.truth(place, types) == Truth::True
    }

    pub(crate) fn truth(&self, place: &Place, types: Types) -> Truth {
        if self.parents != 0 && self.parents & place.parent == 0
            || self.ancestors != 0 && self.ancestors & place.ancestors == 0
            || self.is_untyped && place.own.is_known()
        {
            return Truth::False;
        }
        let mut truth = Truth::True;
        if self.beside != 0 && self.beside & place.siblings == 0 {
            truth = truth.min(unless_closed(place, Truth::False));
        }
        if self.is_scoped && !place.in_scope {
            truth = truth.min(unless_closed(place, Truth::False));
        }
        if self.objects != 0 {
            truth = truth.min(self.own_type(place, types));
        }
        if self.nearest != 0 {
            truth = truth.min(self.nearest_type(place, types));
        }
        truth
    }

    /// An object that never says what it is, with no typed object around it to which it could belong, in a
    /// document that is a pack's own, may be any type: the condition then holds.
    fn own_type(&self, place: &Place, types: Types) -> Truth {
        if place.own.0 != 0 {
            return from(types.own & self.objects != 0);
        }
        unless_closed(place, from(place.in_scope && !types.is_nearest_known))
    }

    fn nearest_type(&self, place: &Place, types: Types) -> Truth {
        let holds = types.nearest & self.nearest != 0 || place.in_scope && !types.is_nearest_known;
        if place.own.0 != 0 {
            return from(holds);
        }
        // The object may yet turn out to have a type of its own.
        unless_closed(place, from(holds))
    }
}

fn from(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

fn unless_closed(place: &Place, at_last: Truth) -> Truth {
    if place.closed { at_last } else { Truth::Unknown }
}

/// Goes through the rules of a name in order; `otherwise` is the verdict if none holds. Of verdicts that come to the `same`
/// thing the one is taken that is certain.
pub(crate) fn decide(
    steps: &[Step],
    place: &Place,
    types: Types,
    otherwise: Verdict,
    same: impl Fn(Verdict, Verdict) -> bool,
) -> Verdict {
    let mut possible: Option<Verdict> = None;
    let may_be = |possible: Option<Verdict>, verdict| {
        possible.is_none_or(|other| other == verdict || same(other, verdict))
    };
    for step in steps {
        match step.truth(place, types) {
            Truth::False => {}
            Truth::Unknown if may_be(possible, step.verdict) => possible = Some(step.verdict),
            Truth::Unknown => return Verdict::Undecided,
            Truth::True if may_be(possible, step.verdict) => return step.verdict,
            Truth::True => return Verdict::Undecided,
        }
    }
    if may_be(possible, otherwise) { otherwise } else { Verdict::Undecided }
}
