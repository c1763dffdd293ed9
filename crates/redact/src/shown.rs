//! What a document has shown under sensitive names, so that it is hidden wherever else it stands.

use obelus_detect::{Carried, Category, RuleIx};

/// How many values are known at once where output leaves as it comes: more would make the filter report each word.
const FORWARD_MAX: u16 = 64;

/// How many values of one document are known where it is read twice.
const DOCUMENT_MAX: u16 = 1024;

/// Where values that a document shows under a sensitive name are hidden besides.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CarryOver {
    /// Nowhere.
    Off,
    /// In what follows in the same document. The last 64 values are known.
    #[default]
    Forward,
    /// In the whole document, which is held and read twice. The first 1,024 values are known.
    Document,
}

/// The values, and what becomes of them when their document ends.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) values: Carried,
    pass: Pass,
}

type Values = Vec<(RuleIx, Vec<u8>)>;

/// What a pass over the input is for.
#[derive(Debug)]
enum Pass {
    /// The only one.
    Only,
    /// To learn the values of each document.
    First(Vec<Values>),
    /// To look for what the first one learnt.
    Second(std::vec::IntoIter<Values>),
}

impl Shown {
    pub(crate) fn new(carry_over: CarryOver) -> Shown {
        let room = match carry_over {
            CarryOver::Off | CarryOver::Document => 0,
            CarryOver::Forward => FORWARD_MAX,
        };
        Shown { values: Carried::new(room), pass: Pass::Only }
    }

    /// For a pass that learns.
    pub(crate) fn first() -> Shown {
        Shown { values: Carried::new(DOCUMENT_MAX), pass: Pass::First(Vec::new()) }
    }

    /// For the pass after it.
    pub(crate) fn second(self) -> Shown {
        let learnt = match self.pass {
            Pass::First(learnt) => learnt,
            Pass::Only | Pass::Second(_) => Vec::new(),
        };
        let mut second = Shown { values: Carried::new(DOCUMENT_MAX), pass: Pass::Second(learnt.into_iter()) };
        second.end_document();
        second
    }

    /// Whether values are learnt.
    #[inline]
    pub(crate) fn learns(&self) -> bool {
        self.values.is_on() && !matches!(self.pass, Pass::Second(_))
    }

    /// Learns a value. A document that is read twice shows its first ones.
    pub(crate) fn add(&mut self, category: Category, rule: RuleIx, value: &[u8]) {
        if !self.learns() || matches!(self.pass, Pass::First(_)) && self.values.is_full() {
            return;
        }
        self.values.add(category, rule, value);
    }

    /// The values, where there are any to look for.
    #[inline]
    pub(crate) fn known(&self) -> Option<&Carried> {
        self.values.known()
    }

    /// A document has ended, or the first is about to begin.
    #[inline]
    pub(crate) fn end_document(&mut self) {
        match &mut self.pass {
            Pass::Only => self.values.clear(),
            Pass::First(learnt) => learnt.push(self.values.take()),
            Pass::Second(learnt) => self.values.restore(learnt.next().unwrap_or_default()),
        }
    }
}
