//! Rules, transform and limits, compiled once.

use crate::allow::{Allowed, Unusable};
use crate::error::{Error, PushError};
use crate::hash::{HashKey, Hasher, KEY_BYTES_MIN};
use crate::positions::{Positions, Reading};
use crate::rules::{RuleInfo, Rules};
use crate::shown::CarryOver;
use crate::stream::{Owner, Stream};
use crate::transform::Transforms;
use obelus_detect::{Category, Detectors, Level, is_count};
use obelus_fields::{
    AllowFile, ClassIx, Described, Fields, Name, PackError, PackFile, Place, Profile, Reason, Transform,
    Verdict,
};
use obelus_json::Arch;
use std::fmt;
use std::sync::Arc;

/// What the input is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON text (RFC 8259) and nothing else.
    Json,
    /// One or more JSON texts, each begun on a line of its own.
    Lines,
    /// Any number of JSON texts: one, NDJSON, concatenated.
    #[default]
    Sequence,
    /// Plain UTF-8 text.
    Text,
    /// Forms (`application/x-www-form-urlencoded`) or query strings, one a line.
    Form,
    /// One body of `multipart/form-data` that begins with its boundary. Parts of text and JSON only.
    Multipart,
}

impl Format {
    /// Whether it is names and values of a form, however they are written.
    pub(crate) fn is_form(self) -> bool {
        matches!(self, Format::Form | Format::Multipart)
    }
}

/// Bounds of a stream. Beyond each is an error (or, for `nesting_max` and `wait_bytes_max`, what is said there).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Containers open at once, per nesting level. Default 1,024.
    pub depth_max: usize,
    /// Bytes of one member name or number, or of the headers of one part. Default 1 MiB.
    pub hold_bytes_max: usize,
    /// Bytes of the pointer to a container. Default 64 KiB.
    pub path_bytes_max: usize,
    /// Strings inside strings that are read as JSON; deeper ones are read as text. Default 8, at most 16.
    pub nesting_max: usize,
    /// Bytes of its level's text for which a value may wait for evidence; then it counts as sensitive. Default
    /// 16 KiB.
    pub wait_bytes_max: u64,
    /// Bytes of input that are held to be read twice under [`CarryOver::Document`]. Default 32 MiB.
    pub document_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth_max: 1024,
            hold_bytes_max: 1 << 20,
            path_bytes_max: 64 << 10,
            nesting_max: 8,
            wait_bytes_max: 16 << 10,
            document_bytes_max: 32 << 20,
        }
    }
}

/// The deepest nesting that may be configured: every level doubles the backslashes before a quotation mark.
const NESTING_LIMIT: usize = 16;

/// Compiled rules, transform and limits. Immutable: build one, share it between threads.
#[derive(Debug)]
pub struct Redactor {
    pub(crate) compiled: Compiled,
    pub(crate) rules: Rules,
}

/// What the engine reads.
pub(crate) struct Compiled {
    pub(crate) detectors: Detectors,
    pub(crate) fields: Fields,
    /// For each class, whether its category is acted on.
    classes_on: Vec<bool>,
    pub(crate) transforms: Transforms,
    pub(crate) allowed: Allowed,
    pub(crate) format: Format,
    pub(crate) limits: Limits,
    pub(crate) arch: Arch,
    pub(crate) carry_over: CarryOver,
    pub(crate) positions: Positions,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("format", &self.format)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Compiled {
    /// The verdict of the rules over names, for the categories that are acted on.
    #[inline]
    pub(crate) fn judge(&self, name: Name, place: &Place) -> Verdict {
        self.if_on(self.fields.verdict(name, place))
    }

    /// The same, if it depends on nothing but the name and whether a subtree rule holds.
    #[inline]
    pub(crate) fn judge_anywhere(&self, name: Name, subtree: Option<ClassIx>) -> Option<Verdict> {
        Some(self.if_on(self.fields.verdict_anywhere(name, subtree)?))
    }

    #[inline]
    fn if_on(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Redact(class) if !self.classes_on[class.index()] => Verdict::Scan,
            verdict => verdict,
        }
    }

    /// Whether a number under a name of the class is one of its values.
    pub(crate) fn takes_number(&self, class: ClassIx, number: &[u8]) -> bool {
        let class = self.fields.class(class);
        class.numbers && !is_count(class.category, number)
    }
}

impl Redactor {
    /// Begins a configuration with the default rule sets: all detectors, the generic names, the Stripe pack.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Redacts one input.
    ///
    /// # Errors
    /// What [`Stream::push`] and [`Stream::finish`] say. Nothing of the output is given then.
    pub fn redact(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        let mut output = Vec::with_capacity(input.len() + input.len() / 16);
        let mut stream = self.stream();
        stream.push(input, &mut output).and_then(|()| stream.finish(&mut output)).map_err(
            |error| match error {
                PushError::Redact(error) => error,
                PushError::Sink(never) => match never {},
            },
        )?;
        Ok(output)
    }

    /// Opens a stream. Cheap: allocates only when input is held.
    pub fn stream(&self) -> Stream<'_> {
        Stream::new(Owner::Lent(self))
    }

    /// Opens a stream over the rest of an input, from `offset` on, before which `documents` have ended and none is
    /// open: offsets and ordinals go on from there. No byte order mark is looked for, unless it is the beginning.
    pub fn stream_at(&self, offset: u64, documents: u64) -> Stream<'_> {
        Stream::new(Owner::Lent(self)).at(offset, documents)
    }

    /// The same as [`Redactor::stream`] for a stream that outlives the place where it is opened, such as one of a task.
    pub fn shared_stream(self: &Arc<Self>) -> Stream<'static> {
        Stream::new(Owner::Shared(Arc::clone(self)))
    }

    /// Every rule that may find something.
    pub fn rules(&self) -> &[RuleInfo] {
        self.rules.all()
    }

    /// Puts into words what decided about a finding. Nothing of the input is in it.
    pub fn describe(&self, reason: Reason) -> Described<'_> {
        self.compiled.fields.describe(reason)
    }

    /// The name of the instruction set in use.
    pub fn arch(&self) -> &'static str {
        self.compiled.arch.name()
    }
}

/// A configuration. Nothing is read from files or the environment.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// Rule files in front of the default ones: text and file name.
    packs: Vec<(String, String)>,
    is_bare: bool,
    profile: Profile,
    transform: Transform,
    hash_key: Option<HashKey>,
    /// Allow-lists: text and file name.
    allowed: Vec<(String, String)>,
    format: Format,
    limits: Limits,
    arch: Option<Arch>,
    level: Level,
    only: Vec<Category>,
    skip: Vec<Category>,
    /// If not empty: the detectors asked.
    detectors: Vec<String>,
    carry_over: CarryOver,
    /// Paths and how to read there.
    positions: Vec<(String, Reading)>,
}

impl Builder {
    /// Leaves out the default rules over names; the detectors stay.
    pub fn bare(&mut self) -> &mut Builder {
        self.is_bare = true;
        self
    }

    /// Adds a rule file, which wins over those added later and over the default ones; `file_name` stands in its
    /// errors.
    pub fn rules(&mut self, text: &str, file_name: &str) -> &mut Builder {
        self.packs.push((text.to_owned(), file_name.to_owned()));
        self
    }

    /// Says what happens to each class of member names. Default: balanced.
    pub fn profile(&mut self, profile: Profile) -> &mut Builder {
        self.profile = profile;
        self
    }

    /// Says what replaces a finding of a category of which no rule file says it. Default: the label.
    pub fn transform(&mut self, transform: Transform) -> &mut Builder {
        self.transform = transform;
        self
    }

    /// Gives the key of [`Transform::Hash`]: at least 32 bytes that nobody can guess. It is never shown.
    pub fn hash_key(&mut self, key: &[u8]) -> &mut Builder {
        self.hash_key = Some(HashKey::new(key));
        self
    }

    /// Adds an allow-list: findings that stay, each for a reason; `file_name` stands in its errors. They are reported
    /// as allowed.
    pub fn allow(&mut self, text: &str, file_name: &str) -> &mut Builder {
        self.allowed.push((text.to_owned(), file_name.to_owned()));
        self
    }

    /// Says what the input is. Default: any number of JSON texts.
    pub fn format(&mut self, format: Format) -> &mut Builder {
        self.format = format;
        self
    }

    /// Sets the bounds.
    pub fn limits(&mut self, limits: Limits) -> &mut Builder {
        self.limits = limits;
        self
    }

    /// Forces an instruction set. Default: the best the machine has.
    pub fn arch(&mut self, arch: Arch) -> &mut Builder {
        self.arch = Some(arch);
        self
    }

    /// Acts on findings whose evidence is at least as strong, unless a rule file says another level for their
    /// category. Default: likely. Rules over member names do not ask.
    pub fn level(&mut self, level: Level) -> &mut Builder {
        self.level = level;
        self
    }

    /// Acts on these categories only.
    pub fn only(&mut self, categories: &[Category]) -> &mut Builder {
        self.only.extend_from_slice(categories);
        self
    }

    /// Does not act on these categories.
    pub fn skip(&mut self, categories: &[Category]) -> &mut Builder {
        self.skip.extend_from_slice(categories);
        self
    }

    /// Says where values shown under a sensitive name are hidden besides. Default: in what follows in the same
    /// document. Plain text shows none.
    pub fn carry_over(&mut self, carry_over: CarryOver) -> &mut Builder {
        self.carry_over = carry_over;
        self
    }

    /// Asks these detectors only, by the ids of [`Redactor::rules`]; rules over member names stay.
    pub fn detectors(&mut self, ids: &[&str]) -> &mut Builder {
        self.detectors.extend(ids.iter().map(|id| (*id).to_owned()));
        self
    }

    /// Says how values are read at a path of JSON documents and everywhere below: members by name, `*` for any member
    /// or element (`/tools/*/name`). JSON in strings is read as elsewhere.
    pub fn position(&mut self, path: &str, reading: Reading) -> &mut Builder {
        self.positions.push((path.to_owned(), reading));
        self
    }

    /// Compiles.
    ///
    /// # Errors
    /// A rule file that is wrong, a limit that cannot be kept, a key that is short or missing, a selection that
    /// leaves no rule, or a detector that does not exist.
    pub fn build(&self) -> Result<Redactor, BuildError> {
        if self.limits.nesting_max > NESTING_LIMIT {
            return Err(BuildError(BuildErrorKind::Nesting));
        }
        let mut packs = Vec::with_capacity(self.packs.len());
        for (text, file_name) in &self.packs {
            packs.push(PackFile::parse(text, file_name)?);
        }
        if !self.is_bare {
            packs.push(PackFile::parse(obelus_stripe::STRIPE, "stripe.toml")?);
            packs.push(PackFile::parse(obelus_fields::GENERIC, "generic.toml")?);
        }
        let fields = Fields::compile(&packs, self.profile)?;
        let is_on = |category: Category| {
            (self.only.is_empty() || self.only.contains(&category)) && !self.skip.contains(&category)
        };
        let hasher = match &self.hash_key {
            Some(key) => Some(key.hasher().ok_or(BuildError(BuildErrorKind::ShortHashKey))?),
            None => None,
        };
        let transforms = Transforms::new(self.transform, &packs, hasher.clone())
            .ok_or(BuildError(BuildErrorKind::NoHashKey))?;
        let level_of = |category: Category| {
            let mut treatments = packs.iter().flat_map(PackFile::treatments);
            let said = treatments.find(|treatment| treatment.category == category);
            said.and_then(|treatment| treatment.level).unwrap_or(self.level)
        };
        if let Some(id) = self.detectors.iter().find(|id| !Detectors::all().any(|known| known.id == **id)) {
            return Err(BuildError(BuildErrorKind::UnknownDetector(id.clone())));
        }
        let is_asked = |id: &str| self.detectors.is_empty() || self.detectors.iter().any(|asked| asked == id);
        let detectors = Detectors::new(|detector| {
            is_on(detector.category)
                && (detector.category != Category::TokenLike || transforms.makes_tokens())
                && detector.level >= level_of(detector.category)
                && is_asked(detector.id)
        });
        let classes_on: Vec<bool> = fields.classes().iter().map(|class| is_on(class.category)).collect();
        if detectors.detectors().is_empty() && !classes_on.contains(&true) {
            return Err(BuildError(BuildErrorKind::NoRule));
        }
        let rules = Rules::new(&detectors, &fields);
        if !self.positions.is_empty() && (self.format.is_form() || self.format == Format::Text) {
            return Err(BuildError(BuildErrorKind::PositionsOfText));
        }
        let mut positions = Positions::default();
        for (path, reading) in &self.positions {
            positions.add(path, *reading)?;
        }
        let mut allowed = self.allowed(&rules, hasher)?;
        if positions.exempts() {
            allowed.guard();
        }
        let compiled = Compiled {
            detectors,
            fields,
            classes_on,
            transforms,
            allowed,
            format: self.format,
            limits: self.limits,
            arch: self.arch.unwrap_or_else(Arch::detect),
            carry_over: self.carry_over,
            positions,
        };
        Ok(Redactor { compiled, rules })
    }

    fn allowed(&self, rules: &Rules, hasher: Option<Hasher>) -> Result<Allowed, BuildError> {
        let mut lists = Vec::with_capacity(self.allowed.len());
        for (text, file_name) in &self.allowed {
            lists.push(AllowFile::parse(text, file_name)?);
        }
        Allowed::new(&lists, rules, hasher).map_err(|unusable| match unusable {
            Unusable::Pack(error) => error.into(),
            Unusable::NoKey => BuildError(BuildErrorKind::NoHashKey),
        })
    }
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub struct BuildError(BuildErrorKind);

#[derive(Debug)]
enum BuildErrorKind {
    Pack(PackError),
    Nesting,
    NoRule,
    NoHashKey,
    ShortHashKey,
    UnknownDetector(String),
    Position(String),
    PositionsOfText,
}

impl BuildError {
    /// A path that is none.
    pub(crate) fn position(path: &str) -> BuildError {
        BuildError(BuildErrorKind::Position(path.to_owned()))
    }

    /// Whether the key of [`Transform::Hash`] is missing or too short.
    pub fn is_about_hash_key(&self) -> bool {
        matches!(self.0, BuildErrorKind::NoHashKey | BuildErrorKind::ShortHashKey)
    }
}

impl From<PackError> for BuildError {
    fn from(error: PackError) -> BuildError {
        BuildError(BuildErrorKind::Pack(error))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            BuildErrorKind::Pack(error) => error.fmt(f),
            BuildErrorKind::Nesting => write!(f, "nesting_max is above {NESTING_LIMIT}: choose less"),
            BuildErrorKind::NoRule => {
                f.write_str("the selected categories have no rule: nothing would be redacted")
            }
            BuildErrorKind::UnknownDetector(id) => {
                write!(f, "no detector has the id {id}: `Redactor::rules` lists those that exist")
            }
            BuildErrorKind::Position(path) => {
                write!(f, "`{path}` is no path of a position: write `/`, then names and `*` with `/` between")
            }
            BuildErrorKind::PositionsOfText => {
                f.write_str("positions are places in JSON, and the format is another: leave them out")
            }
            BuildErrorKind::NoHashKey => f.write_str("hashes need a key, and none is given"),
            BuildErrorKind::ShortHashKey => {
                write!(f, "the hash key has fewer than {KEY_BYTES_MIN} bytes: use a longer one")
            }
        }
    }
}

impl std::error::Error for BuildError {}
