//! What is known about the position of a value, and what follows from it.

/// Index of a class of sensitive values within one [`Fields`](crate::Fields).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClassIx(pub(crate) u16);

impl ClassIx {
    /// The position in [`Fields::classes`](crate::Fields::classes).
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What an object says it is in its `object` member.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ObjectType(pub(crate) u16);

impl ObjectType {
    /// Nothing is known (yet).
    pub const UNKNOWN: ObjectType = ObjectType(0);
    /// The object has a type, but none that a pack knows.
    pub const FOREIGN: ObjectType = ObjectType(1);

    /// Whether this is a type that a pack knows, and hence shows whose document it is.
    #[inline]
    pub fn is_known(self) -> bool {
        self.0 > ObjectType::FOREIGN.0
    }
}

/// What a subtree rule does to everything below a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subtree {
    /// Every value below belongs to this class, unless a rule over its own name says otherwise.
    Class(ClassIx),
    /// The object below has the type of the sibling object under a name that
    /// [`Fields::gives_type`](crate::Fields::gives_type).
    Like,
}

/// Names that members of an object have told for the member `value` beside them, in the order they were told.
///
/// There is room for one from each of them; what duplicate members tell beyond that takes the last room.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Told([u16; 6]);

impl Told {
    /// What is assumed when waiting is given up: there may be a sibling that names the value as anything.
    pub const ANYTHING: Told = Told([u16::MAX; 6]);

    /// Returns whether the name is news.
    pub(crate) fn add(&mut self, id: u16) -> bool {
        let last = self.0.len() - 1;
        let at = self.0.iter().position(|&known| known == 0 || known == id).unwrap_or(last);
        let is_news = self.0[at] != id;
        self.0[at] = id;
        is_news
    }

    pub(crate) fn ids(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().take_while(|&id| id != 0)
    }
}

/// Everything that rules may ask about the position of a value.
///
/// The masks are those of [`Name::mask`](crate::Name::mask), joined by "or" where several names are meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The name of the member that holds the containing object. Arrays and list envelopes do not count.
    pub parent: u64,
    /// The containing object's own type.
    pub own: ObjectType,
    /// The type of the nearest object that has one, the containing object first.
    pub nearest: ObjectType,
    /// The names on the way down from the nearest object that has a type.
    pub ancestors: u64,
    /// The names seen so far in the containing object.
    pub siblings: u64,
    /// What members of the containing object said so far of its member `value`.
    pub told: Told,
    /// The class that a subtree rule gives to this place.
    pub subtree: Option<ClassIx>,
    /// Whether this or an enclosing object has shown itself as a pack's own.
    pub in_scope: bool,
    /// Whether nothing more will be learnt about this place: the object has ended, or waiting was given up.
    pub closed: bool,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict {
    /// The place says nothing: the value is left to the detectors.
    Scan,
    /// The whole value is sensitive.
    Redact(ClassIx),
    /// It depends on what the object still shows. Ask again when it has shown more, or with `closed` set.
    Undecided,
}
