//! What a rule is made of.

use std::fmt;
use std::ops::Range;

use obelus_json::filter::{ByteSet, Window};

use crate::Category;
use crate::detectors::national::Kind;
use crate::view::{Class, View};

/// How many bytes before the place that made it look a detector may see.
pub const BEHIND_MAX: usize = 128;

/// How many bytes from the place that made it look a detector may see.
pub const AHEAD_MAX: usize = 8192;

/// How strong the evidence of a finding is, weakest first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// A cue that is as often wrong as right: a lone given name.
    Possible,
    /// Form and context agree, or a form that is rarely something else.
    #[default]
    Likely,
    /// A form that hardly comes about by chance: check digits, a vendor's prefix.
    Certain,
}

/// No byte.
pub(crate) const NEVER: ByteSet = ByteSet::of(&[]);

/// One rule: where it may begin, what makes it valid, what it is about.
pub struct Detector {
    /// The stable name, kebab-case.
    pub id: &'static str,
    /// What its findings are about.
    pub category: Category,
    /// What it finds, in one line.
    pub description: &'static str,
    /// What makes a candidate a match, in words.
    pub validator: &'static str,
    /// The standard or document it follows.
    pub source: &'static str,
    /// Texts it finds something in.
    pub examples: &'static [Example],
    /// Texts it finds nothing in.
    pub non_examples: &'static [Example],
    /// Which name a finding gets where several match: the highest.
    pub(crate) rank: u8,
    /// How strong the evidence of its findings is.
    pub level: Level,
    /// Where to look. One of the windows holds at the position `find` is asked about.
    pub(crate) triggers: Triggers,
    /// How many bytes before the position it may see, at most `BEHIND_MAX - lead`.
    pub(crate) behind: usize,
    /// How many bytes from the position on it may see, at most `AHEAD_MAX`.
    pub(crate) ahead: usize,
    /// How far behind the position a match may begin.
    pub(crate) lead: usize,
    /// What goes on beyond `ahead`: a match that ends just there takes in the run of this class that follows.
    pub(crate) swallow: Option<Class>,
    /// Whether a match that is part of an identifier (object id, UUID, digest) is none.
    pub(crate) yields_to_ids: bool,
    /// The bytes at which it never matches in the middle of a word or number.
    pub(crate) bounded: ByteSet,
    /// Says what matches at a position.
    pub(crate) find: Find,
}

/// Where a detector looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Triggers {
    /// Where one of the shapes holds.
    Windows(&'static [Window]),
    /// Where one of the literals stands.
    Literals(&'static [&'static [u8]]),
}

/// How a detector decides.
#[derive(Clone, Copy)]
pub(crate) enum Find {
    /// Asks a function.
    Code(fn(&View<'_>, usize) -> Option<Range<usize>>),
    /// One of the literals, then a body of a class.
    Token(Body),
    /// An id of a kind. All kinds look in the same places, so one search answers for all.
    Kind(Kind),
}

/// What stands behind the literal of a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// What it consists of.
    pub(crate) class: Class,
    /// How short it may be.
    pub(crate) len_min: usize,
    /// What may stand neither before the literal nor behind the body.
    pub(crate) edge: Class,
}

/// A text for documents and tests, in parts: in one piece, secrets would look real to whoever searches for them.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    before: &'static str,
    found: &'static [&'static str],
    after: &'static str,
}

impl Example {
    pub(crate) const fn new(
        before: &'static str,
        found: &'static [&'static str],
        after: &'static str,
    ) -> Example {
        Example { before, found, after }
    }

    /// A text with nothing in it.
    pub(crate) const fn none(text: &'static str) -> Example {
        Example { before: text, found: &[], after: "" }
    }

    /// The text.
    pub fn text(&self) -> String {
        [self.before, &self.found.concat(), self.after].concat()
    }

    /// Where the finding stands in it.
    pub fn span(&self) -> Range<usize> {
        let len: usize = self.found.iter().map(|part| part.len()).sum();
        self.before.len()..self.before.len() + len
    }
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("id", &self.id).finish_non_exhaustive()
    }
}
