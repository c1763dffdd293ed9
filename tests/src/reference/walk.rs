//! What becomes of each value of one text.
//!
//! Rules over names may leave a value undecided until its object has shown more. Then both outcomes are kept in
//! a slot, and every later member of that object asks again; the end of the object decides.

use super::parse::{Member, Node, Unit, decode, lenient, text};
use super::{Reference, is_label};
use crate::run::Found;
use obelus_detect::{Carry, Piece, fold};
use obelus_fields::{ClassIx, Name, ObjectType, Place, Subtree, Told, Verdict};
use obelus_json::Arch;
use obelus_json::map::OffsetMap;

/// Values of this many bytes and more are not kept in memory by the engine.
const LONG_BYTES: usize = 1024;

/// A span that gives way to something else.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) replacement: String,
    pub(super) found: Found,
}

/// What may become of one value.
#[derive(Debug)]
enum Slot {
    Done(Edit),
    /// It depends on what the object `frame` still shows.
    Waits {
        frame: usize,
        spot: Spot,
        value: Value,
        stays: Vec<Slot>,
    },
}

/// A string or number as a whole.
#[derive(Clone, Debug)]
struct Value {
    span: (u64, u64),
    chars: u64,
    /// The decoded text; missing if it is long.
    text: Option<String>,
    is_number: bool,
    path: String,
}

/// An object, as the rules over names see it.
#[derive(Clone, Debug, Default)]
struct Frame {
    name: Name,
    own: ObjectType,
    nearest: ObjectType,
    ancestors: u64,
    siblings: u64,
    told: Told,
    subtree: Option<ClassIx>,
    in_scope: bool,
    /// The type of the object from which `like` subtrees take theirs.
    like: ObjectType,
    names_redacted: usize,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
struct Spot {
    /// The object that governs it.
    frame: Option<usize>,
    /// The name it stands under, seen through arrays.
    name: Name,
    /// Whether it is the value of a member and no element.
    is_member: bool,
    /// The class that a subtree rule gives to what is in an array.
    under: Option<ClassIx>,
}

pub(super) struct Walker<'r> {
    rules: &'r Reference,
    /// How many strings the text is inside of.
    nesting: usize,
    path: String,
    doc: u64,
    frames: Vec<Frame>,
    slots: Vec<Slot>,
}

impl<'r> Walker<'r> {
    pub(super) fn new(rules: &'r Reference, nesting: usize, path: &str) -> Walker<'r> {
        Walker { rules, nesting, path: path.to_owned(), doc: 0, frames: Vec::new(), slots: Vec::new() }
    }

    /// One long text without structure.
    pub(super) fn plain_text(mut self, units: &[Unit]) -> Vec<Edit> {
        self.detect(units, 0);
        self.finish()
    }

    pub(super) fn roots(mut self, units: &[Unit], roots: &[Node]) -> Vec<Edit> {
        for root in roots {
            self.value(units, root, Spot { frame: None, name: Name::NONE, is_member: false, under: None });
            self.doc += u64::from(self.nesting == 0);
        }
        self.finish()
    }

    fn finish(mut self) -> Vec<Edit> {
        for frame in 0..self.frames.len() {
            self.ask_again(frame, true);
        }
        let slots = std::mem::take(&mut self.slots);
        slots.into_iter().flat_map(settled).collect()
    }

    fn value(&mut self, units: &[Unit], node: &Node, spot: Spot) {
        match node {
            Node::Object(members) => self.object(units, members, spot, None),
            Node::Array(elements) => self.array(units, elements, spot),
            Node::String(body) => self.string(&units[body.clone()], spot),
            Node::Number(span) => self.number(&units[span.clone()], spot),
            Node::Literal => {}
        }
    }

    fn array(&mut self, units: &[Unit], elements: &[Node], spot: Spot) {
        let len = self.path.len();
        for (at, element) in elements.iter().enumerate() {
            self.path.push_str(&format!("/{at}"));
            self.value(units, element, Spot { is_member: false, ..spot });
            self.path.truncate(len);
        }
    }

    fn object(&mut self, units: &[Unit], members: &[Member], spot: Spot, subtree: Option<Subtree>) {
        let around = spot.frame.map(|at| self.frames[at].clone()).unwrap_or_default();
        let mut frame = Frame { name: spot.name, nearest: around.nearest, ..Frame::default() };
        frame.in_scope = around.in_scope;
        frame.subtree = spot.under;
        frame.ancestors = spot.name.mask();
        if around.own == ObjectType::UNKNOWN {
            frame.ancestors |= around.ancestors;
        }
        match subtree {
            Some(Subtree::Class(class)) => frame.subtree = Some(class),
            Some(Subtree::Like) if around.like != ObjectType::UNKNOWN => {
                frame.own = around.like;
                frame.nearest = around.like;
            }
            _ => {}
        }
        let at = self.frames.len();
        self.frames.push(frame);
        for member in members {
            self.member(units, member, at);
        }
        self.ask_again(at, true);
        if spot.is_member
            && self.rules.fields.gives_type(spot.name)
            && let Some(around) = spot.frame
        {
            self.frames[around].like = self.frames[at].own;
        }
    }

    fn member(&mut self, units: &[Unit], member: &Member, frame: usize) {
        let decoded = decode(&units[member.name.clone()]);
        let name = self.rules.fields.name(text(&decoded).as_bytes());
        let (len, written) = (self.path.len(), self.member_name(&decoded, frame));
        self.path.push('/');
        self.path.push_str(&written.replace('~', "~0").replace('/', "~1"));
        self.name_findings(&decoded, frame);
        self.frames[frame].siblings |= name.mask();
        self.ask_again(frame, false);
        let under = self.frames[frame].subtree;
        let spot = Spot { frame: Some(frame), name, is_member: true, under };
        match &member.value {
            Some(Node::Object(members)) => {
                let name = self.rules.fields.container(written.as_bytes(), name);
                let subtree = self.rules.fields.subtree(name);
                self.object(units, members, Spot { name, ..spot }, subtree);
            }
            Some(Node::Array(elements)) => {
                // The `data` array of a list envelope is no name of its own.
                let is_envelope = written == "data";
                let member = name;
                let own = self.rules.fields.container(written.as_bytes(), name);
                let name = if is_envelope { self.frames[frame].name } else { own };
                let under = match self.rules.fields.subtree(member) {
                    Some(Subtree::Class(class)) if !is_envelope => Some(class),
                    _ => spot.under,
                };
                self.array(units, elements, Spot { name, under, ..spot });
            }
            Some(value) => {
                // What goes tells nothing: it would not tell it again.
                let goes = matches!(self.judge(spot, false), Verdict::Redact(_));
                self.value(units, value, spot);
                if let Node::String(body) = value
                    && !goes
                {
                    self.note(&units[body.clone()], name, frame);
                }
            }
            None => {}
        }
        self.path.truncate(len);
    }

    /// The matches in a member name, each with what stands in its place: from the object's second name on with a
    /// number, so that names stay apart.
    fn name_matches(&self, decoded: &[Unit], frame: usize) -> Vec<(usize, usize, u16, String)> {
        let mut count = self.frames[frame].names_redacted + 1;
        let mut found = Vec::new();
        for (start, end, rule, _) in self.matches(decoded) {
            let category = self.rules.detectors.detectors()[usize::from(rule)].category;
            let label = if count > 1 { format!("[{category}-{count}]") } else { format!("[{category}]") };
            count = 0;
            found.push((start, end, rule, label));
        }
        found
    }

    /// The name as it stands in pointers.
    fn member_name(&self, decoded: &[Unit], frame: usize) -> String {
        let (mut written, mut done) = (String::new(), 0);
        for (start, end, _, label) in self.name_matches(decoded, frame) {
            written.push_str(&text(&decoded[done..start]));
            written.push_str(&label);
            done = end;
        }
        written.push_str(&text(&decoded[done..]));
        written
    }

    fn name_findings(&mut self, decoded: &[Unit], frame: usize) {
        let found = self.name_matches(decoded, frame);
        self.frames[frame].names_redacted += usize::from(!found.is_empty());
        for (start, end, rule, label) in found {
            let found = self.detected(decoded, (start, end), rule, 0);
            self.slots.push(Slot::Done(Edit { replacement: label, found }));
        }
    }

    /// A member's value may tell what the object is, or what another member holds.
    fn note(&mut self, body: &[Unit], name: Name, frame: usize) {
        let fields = &self.rules.fields;
        let value = text(&decode(body));
        if text(body).len() >= LONG_BYTES {
            return;
        }
        let object = &mut self.frames[frame];
        if fields.is_type_name(name) {
            object.own = fields.object_type(value.as_bytes());
            if object.own != ObjectType::FOREIGN {
                object.nearest = object.own;
                object.in_scope = true;
            }
        } else if fields.is_id_name(name)
            && object.own == ObjectType::UNKNOWN
            && let Some(hint) = fields.type_of_id(value.as_bytes())
        {
            object.in_scope = true;
            object.own = hint;
            object.nearest = if hint == ObjectType::UNKNOWN { object.nearest } else { hint };
        } else if !fields.tell(name, value.as_bytes(), &mut object.told) {
            return;
        }
        self.ask_again(frame, false);
    }

    fn place(&self, frame: Option<usize>, closed: bool) -> Place {
        let Some(at) = frame else { return Place { closed: true, ..Place::default() } };
        let frame = &self.frames[at];
        Place {
            parent: frame.name.mask(),
            own: frame.own,
            nearest: frame.nearest,
            ancestors: frame.ancestors,
            siblings: frame.siblings,
            told: frame.told,
            subtree: frame.subtree,
            in_scope: frame.in_scope,
            closed,
        }
    }

    fn judge(&self, spot: Spot, closed: bool) -> Verdict {
        let place = Place { subtree: spot.under, ..self.place(spot.frame, closed) };
        match self.rules.fields.verdict(spot.name, &place) {
            Verdict::Redact(class) if !self.rules.is_on(self.rules.fields.class(class).category) => {
                Verdict::Scan
            }
            verdict => verdict,
        }
    }

    fn string(&mut self, body: &[Unit], spot: Spot) {
        let raw = text(body);
        let decoded = decode(body);
        let value = text(&decoded);
        let is_short = raw.len() < LONG_BYTES;
        let mut spot = spot;
        if is_short && spot.is_member {
            spot.name = self.rules.fields.echoed(spot.name, raw.as_bytes());
        }
        // As written: in disguise neither a label nor an id is left alone.
        if body.is_empty() || is_short && (is_label(&raw) || self.rules.fields.is_object_id(raw.as_bytes())) {
            return;
        }
        let span = (body[0].start, body[body.len() - 1].end);
        let path = self.path.clone();
        let (text, chars) = (is_short.then_some(value), decoded.len() as u64);
        let whole = Value { span, chars, text, is_number: false, path };
        self.decide(whole, spot, |walker| walker.read(&decoded));
    }

    fn number(&mut self, units: &[Unit], spot: Spot) {
        let digits = text(units);
        let span = (units[0].start, units[units.len() - 1].end);
        let path = self.path.clone();
        let chars = units.len() as u64;
        let whole = Value { span, chars, text: Some(digits.clone()), is_number: true, path };
        // A card under a name that strings are replaced for is labelled: a mask would be such a string.
        let is_named = self.judge(spot, false) != Verdict::Scan;
        let card = Value { text: whole.text.clone().filter(|_| !is_named), ..whole.clone() };
        self.decide(whole, spot, |walker| {
            if let Some(rule) = walker.rules.detectors.number(digits.as_bytes()) {
                let detector = walker.rules.detectors.detectors()[usize::from(rule)];
                let edit = walker.replace(&card, detector.id.to_owned(), detector.category);
                walker.slots.push(Slot::Done(edit));
            }
        });
    }

    /// Replaces a value, or reads it with `read`, or leaves that open.
    fn decide(&mut self, value: Value, spot: Spot, read: impl FnOnce(&mut Self)) {
        match self.judge(spot, false) {
            Verdict::Redact(class) if self.is_nobody(class, &value) => {}
            Verdict::Redact(class) if self.applies(class, &value) => {
                let edit = self.replace_by_class(&value, class);
                self.slots.push(Slot::Done(edit));
            }
            Verdict::Undecided => {
                let before = std::mem::take(&mut self.slots);
                read(self);
                let stays = std::mem::replace(&mut self.slots, before);
                let frame = spot.frame.unwrap_or(usize::MAX);
                self.slots.push(Slot::Waits { frame, spot, value, stays });
            }
            _ => read(self),
        }
    }

    fn is_nobody(&self, class: ClassIx, value: &Value) -> bool {
        let category = self.rules.fields.class(class).category;
        let text = value.text.as_deref().unwrap_or_default();
        !value.is_number && obelus_detect::is_nobody(category, text.as_bytes())
    }

    fn applies(&self, class: ClassIx, value: &Value) -> bool {
        let class = self.rules.fields.class(class);
        let digits = value.text.as_deref().unwrap_or_default();
        !value.is_number || class.numbers && !obelus_detect::is_count(class.category, digits.as_bytes())
    }

    /// Asks the rules again for every value of this object that waits.
    fn ask_again(&mut self, frame: usize, closed: bool) {
        let slots = std::mem::take(&mut self.slots);
        for slot in slots {
            let Slot::Waits { frame: own, spot, value, stays } = slot else {
                self.slots.push(slot);
                continue;
            };
            let verdict = if own == frame { self.judge(spot, closed) } else { Verdict::Undecided };
            match verdict {
                Verdict::Undecided => self.slots.push(Slot::Waits { frame: own, spot, value, stays }),
                Verdict::Redact(class) if self.applies(class, &value) => {
                    let edit = self.replace_by_class(&value, class);
                    self.slots.push(Slot::Done(edit));
                }
                _ => self.slots.extend(stays),
            }
        }
    }

    fn replace_by_class(&self, value: &Value, class: ClassIx) -> Edit {
        let class = self.rules.fields.class(class);
        self.replace(value, class.rule_id.clone(), class.category)
    }

    fn replace(&self, value: &Value, rule: String, category: obelus_detect::Category) -> Edit {
        let mut replacement = self.rules.render(category, value.text.as_deref());
        if value.is_number {
            let quote = format!("{}\"", "\\".repeat((1 << self.nesting) - 1));
            replacement = format!("{quote}{replacement}{quote}");
        }
        let (path, doc) = (value.path.clone(), self.doc);
        let (span, chars) = (value.span, (0, value.chars));
        Edit {
            replacement,
            found: Found { doc, path, category: category.as_str(), rule, span, chars, allowed: false },
        }
    }

    /// Reads a decoded string: as JSON for as long as it is JSON, the rest as text.
    fn read(&mut self, decoded: &[Unit]) {
        let first =
            decoded.iter().map(|unit| unit.character).find(|next| !matches!(next, ' ' | '\t' | '\n' | '\r'));
        if self.nesting >= self.rules.nesting_max || !matches!(first, Some('{' | '[')) {
            self.detect(decoded, 0);
            return;
        }
        let parsed = lenient(decoded);
        let mut inside = Walker::new(self.rules, self.nesting + 1, &format!("{}#", self.path));
        inside.doc = self.doc;
        self.slots.extend(inside.roots(decoded, &parsed.roots).into_iter().map(Slot::Done));
        if let Some(at) = parsed.broken_at {
            self.detect(&decoded[at..], at);
        }
    }

    /// Has the detectors read a text that begins with the character `first` of its string.
    fn detect(&mut self, units: &[Unit], first: usize) {
        for (start, end, rule, value) in self.matches(units) {
            let found = self.detected(units, (start, end), rule, first);
            let category = self.rules.detectors.detectors()[usize::from(rule)].category;
            let replacement = self.rules.render(category, Some(&value));
            self.slots.push(Slot::Done(Edit { replacement, found }));
        }
    }

    fn detected(&self, units: &[Unit], (start, end): (usize, usize), rule: u16, first: usize) -> Found {
        let detector = self.rules.detectors.detectors()[usize::from(rule)];
        Found {
            doc: self.doc,
            path: self.path.clone(),
            category: detector.category.as_str(),
            rule: detector.id.to_owned(),
            span: (units[start].start, units[end - 1].end),
            chars: ((first + start) as u64, (first + end) as u64),
            allowed: false,
        }
    }

    /// What the detectors find: first and last character, rule, and the text as they read it.
    fn matches(&self, units: &[Unit]) -> Vec<(usize, usize, u16, String)> {
        // One entry a byte of the folded text: which character it comes from.
        let (mut folded, mut origin) = (Vec::new(), Vec::new());
        for (at, unit) in units.iter().enumerate() {
            let (mut bytes, mut one) = ([0; 4], Vec::new());
            fold(unit.character.encode_utf8(&mut bytes).as_bytes(), &mut one, &mut OffsetMap::default());
            folded.extend_from_slice(&one);
            origin.resize(folded.len(), at);
        }
        let mut found = Vec::new();
        let piece = Piece { text: &folded, ..Piece::default() };
        self.rules.detectors.scan(Arch::scalar(), piece, &mut Carry::default(), &mut found);
        let whole =
            |range: std::ops::Range<usize>| String::from_utf8(folded[range].to_vec()).unwrap_or_default();
        found
            .iter()
            .map(|found| {
                (origin[found.start], origin[found.end - 1] + 1, found.rule, whole(found.start..found.end))
            })
            .collect()
    }
}

/// What is left when nothing more can be shown.
fn settled(slot: Slot) -> Vec<Edit> {
    match slot {
        Slot::Done(edit) => vec![edit],
        Slot::Waits { stays, .. } => stays.into_iter().flat_map(settled).collect(),
    }
}
