//! A small walk over parsed documents that asks the rules as a streaming engine would.
//!
//! The members of an object come one after the other; a value that is undecided is asked for again after each
//! further member, and for the last time when the object has ended. Every answer given early must be the answer
//! given at the end.

use obelus_fields::{ClassIx, Example, Fields, Name, ObjectType, PackFile, Place, Subtree, Verdict};
use serde_json::{Map, Value};

/// Where the members that tell an object's type stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    TypeFirst,
    /// Only in objects without containers: what is inside a container is decided when that ends.
    TypeLast,
}

/// A value that was asked about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) class: Option<ClassIx>,
}

/// Asks about every string and number of `document`.
pub(crate) fn walk(fields: &Fields, document: &Value, order: Order) -> Vec<Asked> {
    let mut walk = Walk { fields, order, asked: Vec::new() };
    walk.value(document, &mut Member::default(), &mut Frame::default());
    walk.asked
}

struct Walk<'f> {
    fields: &'f Fields,
    order: Order,
    asked: Vec<Asked>,
}

/// What is known of an open object.
#[derive(Clone, Debug, Default)]
struct Frame {
    name: Name,
    place: Place,
    child: ObjectType,
    hint: ObjectType,
    is_list: bool,
    waiting: Vec<(Member, usize)>,
    decided: Vec<(Member, Verdict)>,
}

#[derive(Clone, Debug, Default)]
struct Member {
    path: String,
    text: String,
    name: Name,
    is_number: bool,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, member: &mut Member, frame: &mut Frame) {
        match value {
            Value::Object(members) => {
                let inner = self.object(members, member, frame);
                if self.fields.gives_type(member.name) {
                    frame.child = inner;
                }
            }
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    let mut inner = Member { path: format!("{}/{index}", member.path), ..member.clone() };
                    self.value(element, &mut inner, frame);
                }
            }
            Value::String(_) | Value::Number(_) => {
                member.is_number = value.is_number();
                if let Value::String(text) = value {
                    member.name = self.fields.echoed(member.name, text.as_bytes());
                }
                self.ask(member.clone(), frame);
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, members: &Map<String, Value>, member: &Member, around: &Frame) -> ObjectType {
        let mut frame = self.open(member, around);
        for (text, value) in self.ordered(members) {
            let name = self.fields.container(text.as_bytes(), self.fields.name(text.as_bytes()));
            frame.place.siblings |= name.mask();
            if let Value::String(value) = value {
                self.identify(name, value.as_bytes(), &mut frame);
            }
            let path = format!("{}/{text}", member.path);
            let mut inner = Member { path, text: text.clone(), name, is_number: false };
            self.value(value, &mut inner, &mut frame);
            self.settle(&mut frame);
        }
        frame.place.closed = true;
        if frame.place.own == ObjectType::UNKNOWN && frame.hint != ObjectType::UNKNOWN {
            self.become_type(frame.hint, &mut frame);
        }
        self.settle(&mut frame);
        assert!(frame.waiting.is_empty(), "undecided at the end of {}", member.path);
        for (member, verdict) in &frame.decided {
            let at_last = self.fields.verdict(member.name, &frame.place);
            assert_eq!(*verdict, at_last, "{} was decided too early", member.path);
        }
        frame.place.own
    }

    fn open(&self, member: &Member, around: &Frame) -> Frame {
        let is_envelope = around.is_list && member.text == "data";
        let name = if is_envelope { around.name } else { member.name };
        let above = if around.place.own == ObjectType::UNKNOWN { around.place.ancestors } else { 0 };
        let subtree = match self.fields.subtree(member.name) {
            Some(Subtree::Class(class)) => Some(class),
            _ => around.place.subtree,
        };
        let mut frame = Frame { name, ..Frame::default() };
        frame.place = Place {
            parent: name.mask(),
            nearest: around.place.nearest,
            ancestors: name.mask() | above,
            subtree,
            in_scope: around.place.in_scope,
            ..Place::default()
        };
        if self.fields.subtree(member.name) == Some(Subtree::Like) && around.child.is_known() {
            self.become_type(around.child, &mut frame);
        }
        frame
    }

    fn identify(&self, name: Name, value: &[u8], frame: &mut Frame) {
        if self.fields.is_type_name(name) {
            frame.is_list = value == b"list";
            let own = self.fields.object_type(value);
            frame.place.in_scope |= own.is_known();
            frame.place.own = own;
            if own.is_known() {
                frame.place.nearest = own;
            }
        } else if self.fields.is_id_name(name)
            && let Some(hint) = self.fields.type_of_id(value)
        {
            frame.place.in_scope = true;
            frame.hint = hint;
        } else {
            self.fields.tell(name, value, &mut frame.place.told);
        }
    }

    fn become_type(&self, own: ObjectType, frame: &mut Frame) {
        frame.place.own = own;
        frame.place.nearest = own;
    }

    fn ask(&mut self, member: Member, frame: &mut Frame) {
        let at = self.asked.len();
        let (path, name) = (member.path.clone(), member.text.clone());
        self.asked.push(Asked { path, name, class: None });
        frame.waiting.push((member, at));
        self.settle(frame);
    }

    /// Asks again for everything that waits.
    fn settle(&mut self, frame: &mut Frame) {
        for (member, at) in std::mem::take(&mut frame.waiting) {
            let verdict = self.fields.verdict(member.name, &frame.place);
            match verdict {
                Verdict::Undecided => frame.waiting.push((member, at)),
                Verdict::Scan => frame.decided.push((member, verdict)),
                Verdict::Redact(class) => {
                    if !member.is_number || self.fields.class(class).numbers {
                        self.asked[at].class = Some(class);
                    }
                    frame.decided.push((member, verdict));
                }
            }
        }
    }

    fn ordered<'m>(&self, members: &'m Map<String, Value>) -> Vec<(&'m String, &'m Value)> {
        let is_type = |(name, value): &(&'m String, &'m Value)| {
            value.is_string() && (name.as_str() == "object" || name.as_str() == "id")
        };
        let (first, rest): (Vec<_>, Vec<_>) = members.iter().partition(is_type);
        let is_flat = members.values().all(|value| !value.is_object() && !value.is_array());
        match self.order {
            Order::TypeLast if is_flat => rest.into_iter().chain(first).collect(),
            _ => first.into_iter().chain(rest).collect(),
        }
    }
}

/// Runs the examples of a rule file and returns what went wrong.
pub(crate) fn run_examples(pack: &PackFile, fields: &Fields) -> Vec<String> {
    let mut faults = Vec::new();
    for example in pack.examples() {
        for order in [Order::TypeFirst, Order::TypeLast] {
            let document: Value = serde_json::from_str(example.json).expect("examples are JSON");
            let asked = walk(fields, &document, order);
            if holds(&example, &asked, fields) != example.holds {
                let what = if example.holds { "does not hold" } else { "holds" };
                faults.push(format!("{} {what} in {} ({order:?}): {asked:?}", example.id, example.json));
            }
        }
    }
    faults
}

fn holds(example: &Example<'_>, asked: &[Asked], fields: &Fields) -> bool {
    let is_meant = |asked: &&Asked| {
        example.names.is_empty() || example.names.iter().any(|name| joined(name) == joined(&asked.name))
    };
    let is_class = |ix: ClassIx| Some(&fields.class(ix).rule_id) == example.class.as_ref();
    let meant: Vec<&Asked> = asked.iter().filter(is_meant).collect();
    match &example.class {
        Some(_) => meant.iter().any(|asked| asked.class.is_some_and(is_class)),
        None => !meant.is_empty() && meant.iter().all(|asked| asked.class.is_none()),
    }
}

fn joined(name: &str) -> String {
    name.replace(['_', '-', ' '], "").to_lowercase()
}
