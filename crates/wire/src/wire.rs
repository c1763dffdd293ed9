//! The readers of requests and answers, compiled.

use crate::arguments::Restored;
use crate::events::Events;
use crate::index::{Index, Unreadable};
use crate::lex::Lex;
use crate::positions::{Mark, Positions};
use crate::profile::{Media, Profile};
use crate::read::{Reading, Side};
use crate::refusal::{Reason, Refusal};
use crate::route::Route;
use crate::tokens::SeenKey;
use crate::track::Table;
use obelus::{BuildError, Builder, CarryOver, Category, Format, Redactor, Transform};
use obelus_vault::Scope;
use std::fmt;
use std::sync::Arc;

/// Compiled for one profile. Shared between requests.
pub struct Wire {
    pub(crate) lex: Lex,
    pub(crate) media: Media,
    pub(crate) restored: Restored,
    pub(crate) restore_links: bool,
    /// By route, in the order of [`Route::ALL`].
    requests: Vec<Arc<Reader>>,
    answers: Vec<Arc<Reader>>,
    pub(crate) events: Reader,
    /// Reads one text of the model, as a JSON string or as JSON.
    pub(crate) lane: Arc<Redactor>,
    /// Looks for what even ciphertext may not hold.
    pub(crate) opaque: Arc<Redactor>,
    /// Reads text that is no JSON.
    pub(crate) text: Arc<Redactor>,
}

/// What reads one sort of body.
pub(crate) struct Reader {
    pub(crate) table: Table<Mark>,
    pub(crate) redactor: Redactor,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("media", &self.media).finish_non_exhaustive()
    }
}

/// What a request says of itself.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The model it asks for.
    pub model: Option<String>,
    /// Whether the answer shall be streamed.
    pub streamed: bool,
    /// Whether the provider keeps or continues a conversation, so that its answers, to this request or to later ones,
    /// may hold tokens of other requests. So it is with `responses` unless `store` is `false`.
    pub continues: bool,
}

/// A request or an answer that may go on.
#[derive(Default)]
pub struct Redacted {
    /// The body.
    pub body: Vec<u8>,
    /// How many findings of each category were replaced.
    pub counts: Vec<(Category, u64)>,
    /// Keys of Stripe's and of model providers that were among them.
    pub keys: Vec<SeenKey>,
    /// What was not read, and why: `media`, `encrypted`, `embedding`.
    pub unread: Vec<&'static str>,
}

impl fmt::Debug for Redacted {
    /// Says how much there is, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacted")
            .field("body_bytes", &self.body.len())
            .field("counts", &self.counts)
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Compiles fourteen redactors: a fifth of a second on one core of a server of 2026. Build one for each profile,
    /// share it.
    ///
    /// # Errors
    /// What [`obelus::Builder::build`] says; also a path of [`Profile::restore_arguments`] that is none.
    pub fn new(profile: &Profile) -> Result<Wire, BuildError> {
        let readers = |of: fn(Route) -> &'static Positions, transform: Transform, carry_over: CarryOver| {
            let mut readers: Vec<Arc<Reader>> = Vec::with_capacity(Route::ALL.len());
            for (at, route) in Route::ALL.into_iter().enumerate() {
                let known = Route::ALL.iter().take(at).position(|other| std::ptr::eq(of(*other), of(route)));
                let reader = match known.and_then(|idx| readers.get(idx)) {
                    Some(reader) => Arc::clone(reader),
                    None => Arc::new(Reader::new(profile, &[of(route)], transform, carry_over)?),
                };
                readers.push(reader);
            }
            Ok::<_, BuildError>(readers)
        };
        let mut lane = builder(profile, Transform::Token);
        for argument in &profile.restore_arguments {
            // To be read as everywhere else changes nothing; the builder says whether it is a path.
            lane.position(&argument.path, obelus::Reading::Whole);
        }
        let mut opaque = builder(profile, Transform::Label);
        opaque.only(&[Category::Secret, Category::CardNumber, Category::UrlCredential]);
        Ok(Wire {
            lex: Lex::new(),
            media: profile.media,
            restored: Restored::new(&profile.restore_arguments),
            restore_links: profile.restore_links,
            requests: readers(Positions::of_request, profile.transform, profile.carry_over)?,
            answers: readers(Positions::of_answer, Transform::Token, CarryOver::Forward)?,
            // An event may repeat what stands in the others: it must not read differently there.
            events: Reader::new(profile, &Positions::of_events(), Transform::Token, CarryOver::Off)?,
            lane: Arc::new(lane.build()?),
            opaque: Arc::new(opaque.build()?),
            text: Arc::new(builder(profile, Transform::Token).format(Format::Text).build()?),
        })
    }

    /// Reads what a request says of itself, and refuses what may not be said.
    ///
    /// # Errors
    /// A body that is malformed, ambiguous, or holds what is refused.
    pub fn inspect(&self, route: Route, body: &[u8]) -> Result<Facts, Refusal> {
        self.admit(route, body).map(|admitted| admitted.facts)
    }

    /// [`Wire::inspect`] for callers who redact the same body afterwards: what was learnt of it is not learnt twice.
    ///
    /// # Errors
    /// What [`Wire::inspect`] says.
    pub fn admit<'b>(&'b self, route: Route, body: &'b [u8]) -> Result<Admitted<'b>, Refusal> {
        let (facts, index) = crate::inspect::admit(self, route, body)?;
        Ok(Admitted { wire: self, route, body, facts, index })
    }

    /// Redacts a request. What [`Wire::inspect`] refuses is refused here as well.
    ///
    /// # Errors
    /// What [`Wire::inspect`] says, a limit, or a finding in a part that must not be changed.
    pub fn request(&self, route: Route, body: &[u8], scope: &Scope) -> Result<Redacted, Refusal> {
        self.admit(route, body)?.redact(scope)
    }

    /// Begins to read an answer that comes whole.
    pub fn answer(self: &Arc<Self>, route: Route, scope: Scope) -> Answer {
        Answer { wire: Arc::clone(self), route, scope }
    }

    /// Begins to read an answer that comes as server-sent events.
    pub fn events(self: &Arc<Self>, route: Route, scope: Scope) -> Events {
        Events::new(Arc::clone(self), route, scope)
    }

    pub(crate) fn request_reader(&self, route: Route) -> &Reader {
        &self.requests[route as usize]
    }

    pub(crate) fn answer_reader(&self, route: Route) -> &Reader {
        &self.answers[route as usize]
    }
}

impl Reader {
    fn new(
        profile: &Profile,
        positions: &[&'static Positions],
        transform: Transform,
        carry_over: CarryOver,
    ) -> Result<Reader, BuildError> {
        let mut builder = builder(profile, transform);
        builder.carry_over(carry_over);
        let mut table = Table::new();
        for positions in positions {
            positions.teach(&mut builder);
            positions.mark(&mut table);
        }
        Ok(Reader { table, redactor: builder.build()? })
    }
}

/// What all redactors of a profile have in common.
pub(crate) fn builder(profile: &Profile, transform: Transform) -> Builder {
    let mut builder = Redactor::builder();
    builder.format(Format::Json).profile(profile.names).level(profile.level).transform(transform);
    builder.only(&profile.only).skip(&profile.skip);
    for (text, name) in &profile.rules {
        builder.rules(text, name);
    }
    for (text, name) in &profile.allow {
        builder.allow(text, name);
    }
    if let Some(key) = &profile.hash_key {
        builder.hash_key(&key.0);
    }
    builder
}

/// The mark of UTF-8 at the beginning, if there is one, and the rest.
pub(crate) fn split_mark(body: &[u8]) -> (&[u8], &[u8]) {
    body.split_at(if body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 })
}

/// A request that was inspected.
pub struct Admitted<'b> {
    wire: &'b Wire,
    route: Route,
    body: &'b [u8],
    facts: Facts,
    /// Nothing if it has no body.
    index: Option<Index<Mark>>,
}

impl fmt::Debug for Admitted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").field("route", &self.route).finish_non_exhaustive()
    }
}

impl Admitted<'_> {
    /// What the request says of itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Redacts it.
    ///
    /// # Errors
    /// A limit, or a finding in a part that must not be changed.
    pub fn redact(&self, scope: &Scope) -> Result<Redacted, Refusal> {
        let (mark, doc) = split_mark(self.body);
        let mut reading = Reading::new(self.wire, scope, Side::Request);
        let read = match &self.index {
            Some(index) => reading.read(self.wire.request_reader(self.route), doc, index)?,
            None => Vec::new(),
        };
        Ok(reading.conclude(mark, read))
    }
}

/// Reads an answer that comes whole.
pub struct Answer {
    wire: Arc<Wire>,
    route: Route,
    scope: Scope,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("route", &self.route).finish_non_exhaustive()
    }
}

impl Answer {
    /// Redacts what the model invents and turns tokens back.
    ///
    /// # Errors
    /// An answer that is not what its type says, or a finding in a part that must not be changed.
    pub fn finish(self, body: &[u8]) -> Result<Redacted, Refusal> {
        let (mark, doc) = split_mark(body);
        let reader = self.wire.answer_reader(self.route);
        let index = Index::read(&reader.table, &self.wire.lex, doc)
            .map_err(|unreadable| Side::Answer.unreadable(unreadable))?;
        let mut reading = Reading::new(&self.wire, &self.scope, Side::Answer);
        let read = reading.read(reader, doc, &index)?;
        Ok(reading.conclude(mark, read))
    }
}

impl Side {
    /// Why a body cannot be read, in words.
    pub(crate) fn unreadable(self, unreadable: Unreadable) -> Refusal {
        match unreadable {
            Unreadable::Syntax(obelus::SyntaxKind::Depth, at) => {
                self.refuse(Reason::Limit, format!("the {self} nests too deep at byte {at}: send it flatter"))
            }
            Unreadable::Syntax(kind, at) => self.refuse(
                Reason::Malformed,
                format!("the {self} is no JSON: {kind} at byte {at}; send one JSON object in UTF-8"),
            ),
            Unreadable::Many(at) => self.refuse(
                Reason::Limit,
                format!("the {self} has more parts than can be kept in mind, at byte {at}: send fewer"),
            ),
            Unreadable::Twice(at) => self.refuse(
                Reason::Malformed,
                format!("a member of the {self} comes twice, the second time at byte {at}: send it once"),
            ),
        }
    }
}
