//! What a document has shown under sensitive names, so that it is hidden wherever else it stands.

use obelus_detect::{Carried, Category, Detectors, RuleIx};
use obelus_json::filter::Extra;

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
///
/// A value counts from the end of the lexeme at which it is decided, so that the filter knows it for all of the next
/// lexeme or for nothing of it, wherever the input was cut.
#[derive(Debug)]
pub(crate) struct Shown {
    values: Carried,
    /// Those that do not count yet, and their texts one behind the other.
    pending: Vec<Pending>,
    texts: Vec<u8>,
    pass: Pass,
}

/// A value whose lexeme has not ended.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// How many strings the lexeme is inside of.
    nesting: usize,
    category: Category,
    rule: RuleIx,
    /// Where its text begins and ends.
    text: (usize, usize),
}

type Values = Vec<(RuleIx, Vec<u8>)>;

/// What a pass over the input is for.
#[derive(Debug)]
enum Pass {
    /// The only one.
    Only,
    /// To learn the values of each document that shows any.
    First { doc: u64, learnt: Vec<(u64, Values)> },
    /// To look for what the first one learnt.
    Second { doc: u64, learnt: std::iter::Peekable<std::vec::IntoIter<(u64, Values)>> },
}

impl Shown {
    pub(crate) fn new(carry_over: CarryOver) -> Shown {
        let room = match carry_over {
            CarryOver::Off | CarryOver::Document => 0,
            CarryOver::Forward => FORWARD_MAX,
        };
        Shown::of(Carried::new(room), Pass::Only)
    }

    /// For a pass that learns.
    pub(crate) fn first() -> Shown {
        Shown::of(Carried::new(DOCUMENT_MAX), Pass::First { doc: 0, learnt: Vec::new() })
    }

    /// For the pass after it.
    pub(crate) fn second(self) -> Shown {
        let learnt = match self.pass {
            Pass::First { learnt, .. } => learnt,
            Pass::Only | Pass::Second { .. } => Vec::new(),
        };
        let pass = Pass::Second { doc: 0, learnt: learnt.into_iter().peekable() };
        let mut second = Shown::of(Carried::new(DOCUMENT_MAX), pass);
        second.begin_document();
        second
    }

    fn of(values: Carried, pass: Pass) -> Shown {
        Shown { values, pending: Vec::new(), texts: Vec::new(), pass }
    }

    /// Whether values are learnt.
    #[inline]
    pub(crate) fn learns(&self) -> bool {
        self.values.is_on() && !matches!(self.pass, Pass::Second { .. })
    }

    /// Learns a value, as detectors read it, once the lexeme at hand has ended.
    pub(crate) fn add(&mut self, nesting: usize, category: Category, rule: RuleIx, value: &[u8]) {
        if self.learns() {
            let start = self.texts.len();
            self.texts.extend_from_slice(value);
            self.pending.push(Pending { nesting, category, rule, text: (start, self.texts.len()) });
        }
    }

    /// A lexeme has ended that is inside of so many strings.
    #[inline]
    pub(crate) fn end_lexeme(&mut self, nesting: usize) {
        if !self.pending.is_empty() {
            self.learn(nesting);
        }
    }

    /// Learns what was decided in lexemes that are inside of as many strings, or of more.
    fn learn(&mut self, nesting: usize) {
        // A document that is read twice shows its first values.
        let is_first = matches!(self.pass, Pass::First { .. });
        let Shown { values, pending, texts, .. } = self;
        pending.retain(|value| {
            if value.nesting < nesting {
                return true;
            }
            if !(is_first && values.is_full()) {
                values.add(value.category, value.rule, &texts[value.text.0..value.text.1]);
            }
            false
        });
        if pending.is_empty() {
            texts.clear();
        }
    }

    /// The values, where there are any to look for.
    #[inline]
    pub(crate) fn known(&self) -> Option<&Carried> {
        self.values.known()
    }

    /// How the values begin, for the filter.
    #[inline]
    pub(crate) fn extra(&self) -> Option<&Extra> {
        self.values.extra()
    }

    /// A number that changes when a value is learnt.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.values.version()
    }

    /// Whether anything could be found in `text`, as far as a glance tells.
    #[inline]
    pub(crate) fn may_match(&self, text: &[u8]) -> bool {
        self.known().is_some() || Detectors::may_match(text)
    }

    /// A document has ended.
    #[inline]
    pub(crate) fn end_document(&mut self) {
        self.end_lexeme(0);
        match &mut self.pass {
            Pass::Only => self.values.clear(),
            Pass::First { doc, learnt } => {
                if self.values.known().is_some() {
                    learnt.push((*doc, self.values.take()));
                }
                *doc += 1;
            }
            Pass::Second { doc, .. } => {
                *doc += 1;
                self.begin_document();
            }
        }
    }

    /// Looks for what the first pass has learnt of the document that begins.
    fn begin_document(&mut self) {
        if let Pass::Second { doc, learnt } = &mut self.pass {
            match learnt.next_if(|(learnt_in, _)| learnt_in == doc) {
                Some((_, values)) => self.values.restore(values),
                None => self.values.clear(),
            }
        }
    }
}
