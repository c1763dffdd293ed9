//! What a table finds in a document, in one pass: values with a mark, where they stand, what stands beside them.

use crate::lex::Lex;
use crate::track::{Table, Track};
use obelus_json::{Bracket, Cause, Hits, Part, Scalar, StringFlags, SyntaxError, SyntaxKind, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// With its quotation marks.
    String,
    Number,
    Literal,
    Object,
    Array,
}

/// A value at a path of the table.
#[derive(Clone, Debug)]
pub(crate) struct Item<M> {
    pub(crate) mark: M,
    pub(crate) shape: Shape,
    /// Where it stands, brackets and quotation marks included.
    pub(crate) span: Range<usize>,
    /// The container around it.
    pub(crate) around: usize,
    /// The name of the member it is, as it is written; empty for an element.
    pub(crate) name: Range<usize>,
}

impl<M> Item<M> {
    /// Whether it is a string with nothing in it.
    pub(crate) fn is_empty_string(&self) -> bool {
        self.shape == Shape::String && self.span.len() == 2
    }
}

/// A container on the way to values of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container {
    /// The one around; its own for the outermost.
    pub(crate) around: usize,
    /// Which element it is, if `around` is an array.
    pub(crate) ordinal: usize,
    /// Where the items in it begin and end: only these are looked through for what stands beside one.
    first: usize,
    last: usize,
}

/// What a table finds in one document.
#[derive(Debug)]
pub(crate) struct Index<M> {
    pub(crate) items: Vec<Item<M>>,
    pub(crate) containers: Vec<Container>,
}

/// Why there is no index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unreadable {
    Syntax(SyntaxKind, usize),
    /// A member of an object of the table comes twice.
    Twice(usize),
    /// There are more values, containers or names to be kept in mind than may be.
    Many(usize),
}

/// How many values with a mark a document may have, how many containers that the table knows, and how many members one
/// of these. Each costs up to a hundred bytes of memory and may be written in two; the longest conversations that
/// providers take have some ten thousand.
const KEPT_MAX: usize = 1 << 19;

impl<M: Copy> Index<M> {
    /// Reads a document. No object that the table knows may have a member twice.
    pub(crate) fn read(table: &Table<M>, lex: &Lex, doc: &[u8]) -> Result<Index<M>, Unreadable> {
        let mut reader = Reader {
            table,
            doc,
            track: Track::new(),
            open: Vec::new(),
            names: Vec::new(),
            index: Index { items: Vec::new(), containers: Vec::new() },
        };
        match lex.run(doc, &mut reader) {
            Ok(()) => Ok(reader.index),
            Err(Cause::Syntax(SyntaxError { kind, at })) => Err(Unreadable::Syntax(kind, at)),
            Err(Cause::Stop(unreadable)) => Err(unreadable),
        }
    }

    /// The value with that mark beside `item`, in the same container.
    pub(crate) fn beside(&self, around: usize, is_it: impl Fn(M) -> bool) -> Option<&Item<M>> {
        let Container { first, last, .. } = *self.containers.get(around)?;
        self.items.get(first..last)?.iter().find(|item| item.around == around && is_it(item.mark))
    }
}

/// Names of one object beyond which they are kept in a set.
const FEW_NAMES: usize = 48;

struct Open {
    /// Which container.
    id: usize,
    /// The item whose value it is.
    item: Option<usize>,
    /// How many values came.
    elements: usize,
    /// The name of the current member.
    name: Range<usize>,
    /// Where its names begin in `names`.
    names_from: usize,
    many: HashSet<Vec<u8>>,
}

struct Reader<'r, M> {
    table: &'r Table<M>,
    doc: &'r [u8],
    track: Track<M>,
    /// Containers that the table knows, or that are an item.
    open: Vec<Option<Open>>,
    names: Vec<Cow<'r, [u8]>>,
    index: Index<M>,
}

impl<M: Copy> Reader<'_, M> {
    /// Which container is the innermost that the table knows.
    fn around(&self) -> usize {
        self.open.last().and_then(Option::as_ref).map_or(0, |open| open.id)
    }

    fn value(&mut self, shape: Shape, span: Range<usize>) -> Option<usize> {
        let here = self.track.here(self.table);
        let around = self.around();
        let mut name = 0..0;
        if let Some(Some(open)) = self.open.last_mut() {
            open.elements += 1;
            name = open.name.clone();
        }
        let mark = here.mark?;
        self.index.items.push(Item { mark, shape, span, around, name });
        Some(self.index.items.len() - 1)
    }

    /// Whether there is room for what comes at that place.
    fn check_room(&self, at: usize) -> Result<(), Unreadable> {
        let names = self.open.last().and_then(Option::as_ref).map_or(0, |open| open.many.len());
        let most = names.max(self.index.items.len()).max(self.index.containers.len());
        if most > KEPT_MAX { Err(Unreadable::Many(at)) } else { Ok(()) }
    }

    /// Whether the name is the object's second of that text.
    fn comes_twice(&mut self, name: Cow<'_, [u8]>, body: &Range<usize>, escaped: bool) -> bool {
        let Some(Some(open)) = self.open.last_mut() else { return false };
        let few = &self.names[open.names_from..];
        if few.iter().any(|known| **known == *name) || open.many.contains(&*name) {
            return true;
        }
        if few.len() < FEW_NAMES {
            let doc = self.doc;
            let kept =
                if escaped { Cow::Owned(name.into_owned()) } else { Cow::Borrowed(&doc[body.clone()]) };
            self.names.push(kept);
        } else {
            open.many.insert(name.into_owned());
        }
        false
    }
}

impl<M: Copy> Visitor for Reader<'_, M> {
    type Stop = Unreadable;

    fn open(&mut self, bracket: Bracket, at: usize) -> Result<(), Unreadable> {
        self.check_room(at)?;
        let is_array = bracket == Bracket::Array;
        let ordinal = self.open.last().and_then(Option::as_ref).map_or(0, |open| open.elements);
        let around = self.around();
        let shape = if is_array { Shape::Array } else { Shape::Object };
        let item = self.value(shape, at..at);
        let is_known = self.track.open(self.table, bracket);
        self.open.push((is_known || item.is_some()).then(|| {
            let first = self.index.items.len();
            self.index.containers.push(Container { around, ordinal, first, last: first });
            Open {
                id: self.index.containers.len() - 1,
                item,
                elements: 0,
                name: 0..0,
                names_from: self.names.len(),
                many: HashSet::new(),
            }
        }));
        Ok(())
    }

    fn close(&mut self, _: Bracket, at: usize) -> Result<(), Unreadable> {
        self.track.close();
        if let Some(Some(open)) = self.open.pop() {
            self.names.truncate(open.names_from);
            if let Some(container) = self.index.containers.get_mut(open.id) {
                container.last = self.index.items.len();
            }
            if let Some(item) = open.item.and_then(|idx| self.index.items.get_mut(idx)) {
                item.span.end = at + 1;
            }
        }
        Ok(())
    }

    fn name(&mut self, body: Range<usize>, flags: StringFlags, _: Hits<'_>) -> Result<(), Unreadable> {
        let escaped = flags.contains(StringFlags::ESCAPE);
        let doc = self.doc;
        let raw = &doc[body.clone()];
        if let Some(Some(open)) = self.open.last_mut() {
            open.name = body.clone();
        }
        let name = if escaped { Cow::Owned(crate::escape::decode(raw)) } else { Cow::Borrowed(raw) };
        if self.track.name(self.table, &name) && self.comes_twice(name, &body, escaped) {
            return Err(Unreadable::Twice(body.start));
        }
        self.check_room(body.start)
    }

    fn string(
        &mut self,
        body: Range<usize>,
        _: Part,
        _: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, Unreadable> {
        self.value(Shape::String, body.start - 1..body.end + 1);
        self.check_room(body.start)?;
        Ok(body.end)
    }

    fn scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), Unreadable> {
        let at = span.start;
        self.value(if kind == Scalar::Number { Shape::Number } else { Shape::Literal }, span);
        self.check_room(at)
    }

    fn document(&mut self, _: usize) -> Result<(), Unreadable> {
        Ok(())
    }
}
