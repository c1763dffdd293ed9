//! The objects that the names of one form describe, and where among them the current pair stands.
//!
//! `card[number]=…&name=…&card[cvc]=…`: an object may be come back to at any time, so all of them are kept until
//! the form ends, under the way that leads there. What they know is bounded in bytes.
//!
//! Whether `items[][name]=…&items[][email]=…` speaks of one item or of two depends on who reads it. Pointers count
//! two; what one member says of the others counts for both, so that more is redacted rather than less.

use obelus_fields::{ClassIx, Fields, Name, ObjectType, Place, Subtree, Told};
use std::collections::HashMap;

/// What an entry costs besides its way.
const ENTRY_BYTES: usize = 64;

/// Index of the object around all others.
const ROOT: usize = 0;

/// One object, as rules over names see it; compare `Frame`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Object {
    /// The member name that led here, seen through arrays.
    name: Name,
    around: usize,
    own: ObjectType,
    nearest: ObjectType,
    ancestors: u64,
    seen: u64,
    told: Told,
    subtree: Option<ClassIx>,
    /// The type of the child object that `like` subtrees take theirs from.
    child: ObjectType,
    in_scope: bool,
    /// Values that wait.
    pub(crate) waiting: u32,
}

/// What is known under one way.
#[derive(Debug, Default)]
struct Entry {
    object: Option<usize>,
    /// How many elements were appended.
    count: u64,
    /// What stands in place of the last segment of the way.
    label: Option<String>,
}

/// The objects of one form.
#[derive(Debug)]
pub(crate) struct Objects {
    objects: Vec<Object>,
    entries: HashMap<Box<[u8]>, Entry>,
    /// What the entries take.
    bytes: usize,
    names_redacted: u32,
    /// The way to the current pair as it is written, and as it may be shown.
    way: Vec<u8>,
    pointer: Vec<u8>,
    /// The text of the member that the way ended with before any positions.
    member: Vec<u8>,
    at: Spot,
}

/// Where the current pair stands.
#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    object: usize,
    /// The name that rules over the value.
    name: Name,
    subtree: Option<ClassIx>,
    has_member: bool,
    is_element: bool,
}

impl Default for Objects {
    fn default() -> Objects {
        Objects {
            objects: vec![Object::default()],
            entries: HashMap::new(),
            bytes: 0,
            names_redacted: 0,
            way: Vec::new(),
            pointer: Vec::new(),
            member: Vec::new(),
            at: Spot::default(),
        }
    }
}

impl Objects {
    /// Begins a new form.
    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        self.objects.push(Object::default());
        self.entries.clear();
        self.bytes = 0;
        self.names_redacted = 0;
    }

    /// How many bytes the ways take that must be remembered.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Begins the name of a pair.
    pub(crate) fn begin_name(&mut self) {
        self.way.clear();
        self.pointer.clear();
        self.at = Spot::default();
    }

    /// The pointer to what the name has described so far.
    pub(crate) fn pointer(&self) -> &[u8] {
        &self.pointer
    }

    /// Goes down to an element; one more if `position` is empty.
    pub(crate) fn element(&mut self, position: &[u8], fields: &Fields) {
        if !self.at.is_element {
            let name = self.container(true, fields);
            self.at.name = name.0;
            self.at.subtree = match name.1 {
                Some(Subtree::Class(class)) => Some(class),
                _ => self.objects[self.at.object].subtree,
            };
            self.at.is_element = true;
        }
        if position.is_empty() {
            self.way.extend_from_slice(b"/[]");
            let entry = self.entry();
            let index = entry.count.to_string();
            entry.count += 1;
            push_segment(&mut self.pointer, index.as_bytes());
        } else {
            push_segment(&mut self.way, position);
            push_segment(&mut self.pointer, position);
        }
    }

    /// Goes down to a member. Returns the object that holds it if that object has not seen the name before and
    /// values of it wait.
    pub(crate) fn member(&mut self, name: Name, text: &[u8], fields: &Fields) -> Option<usize> {
        if self.at.has_member {
            self.open(fields);
        }
        self.member.clear();
        self.member.extend_from_slice(text);
        push_segment(&mut self.way, text);
        push_segment(&mut self.pointer, text);
        let object = &mut self.objects[self.at.object];
        let spot = Spot { name, subtree: object.subtree, has_member: true, is_element: false, ..self.at };
        self.at = spot;
        let news = name.mask() & !object.seen;
        object.seen |= news;
        (news != 0 && object.waiting > 0).then_some(spot.object)
    }

    /// What stands in place of the member just gone down to, which holds something of a category that `label`
    /// names. From the form's second on it is numbered, so that two names never become one.
    pub(crate) fn relabel(&mut self, label: &str) -> String {
        let number = self.names_redacted + 1;
        let entry = self.entry();
        let is_new = entry.label.is_none();
        let shown = entry.label.get_or_insert_with(|| match number {
            1 => label.to_owned(),
            number => format!("{}-{number}]", label.trim_end_matches(']')),
        });
        let shown = shown.clone();
        self.names_redacted += u32::from(is_new);
        // The segment has no slash of its own: in pointers it is escaped.
        let len = self.pointer.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        self.pointer.truncate(len);
        push_segment(&mut self.pointer, shown.as_bytes());
        shown
    }

    /// The object, name and subtree class that rule over the current value.
    pub(crate) fn spot(&self) -> (usize, Name, Option<ClassIx>) {
        (self.at.object, self.at.name, self.at.subtree)
    }

    /// Completes the name of the current member by its whole value; see [`Fields::echoed`].
    pub(crate) fn echo(&mut self, value: &[u8], fields: &Fields) {
        if !self.at.is_element {
            self.at.name = fields.echoed(self.at.name, value);
        }
    }

    /// The place of a value of the object `at`.
    pub(crate) fn place(&self, at: usize, closed: bool) -> Place {
        match self.objects.get(at) {
            None => Place { closed: true, ..Place::default() },
            Some(object) => Place {
                parent: object.name.mask(),
                own: object.own,
                nearest: object.nearest,
                ancestors: object.ancestors,
                siblings: object.seen,
                told: object.told,
                subtree: object.subtree,
                in_scope: object.in_scope,
                closed,
            },
        }
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Object> {
        self.objects.get_mut(at)
    }

    /// The current member's whole value may tell the type of its object, or what the object's member `value` holds.
    /// Returns the object if it did and values of it wait.
    pub(crate) fn note(&mut self, value: &[u8], fields: &Fields) -> Option<usize> {
        let Spot { object: at, name, is_element, .. } = self.at;
        let object = &mut self.objects[at];
        if is_element {
            return None;
        }
        if fields.is_type_name(name) {
            object.own = fields.object_type(value);
            if object.own != ObjectType::FOREIGN {
                object.nearest = object.own;
                object.in_scope = true;
            }
        } else if fields.tell(name, value, &mut object.told) {
            return (object.waiting > 0).then_some(at);
        } else if fields.is_id_name(name)
            && object.own == ObjectType::UNKNOWN
            && let Some(hint) = fields.type_of_id(value)
        {
            object.in_scope = true;
            object.own = hint;
            if hint != ObjectType::UNKNOWN {
                object.nearest = hint;
            }
        } else {
            return None;
        }
        let Object { own, around, name, waiting, .. } = *object;
        if at != ROOT && fields.gives_type(name) {
            self.objects[around].child = own;
        }
        (waiting > 0).then_some(at)
    }

    /// The name under which a container opens at the current member, and its subtree rule.
    fn container(&self, is_array: bool, fields: &Fields) -> (Name, Option<Subtree>) {
        // The `data` array of a list envelope is no name of its own.
        if is_array && self.member == b"data" {
            return (self.objects[self.at.object].name, None);
        }
        let member = self.at.name;
        (fields.container(&self.member, member), fields.subtree(member))
    }

    /// Goes into the object at the current way, which is made if it is new.
    fn open(&mut self, fields: &Fields) {
        if let Some(object) = self.entry().object {
            self.at = Spot { object, ..Spot::default() };
            return;
        }
        let (name, subtree) = match self.at.is_element {
            true => (self.at.name, None),
            false => self.container(false, fields),
        };
        let around = &self.objects[self.at.object];
        let mut object = Object {
            name,
            around: self.at.object,
            nearest: around.nearest,
            in_scope: around.in_scope,
            ancestors: name.mask(),
            subtree: self.at.subtree,
            ..Object::default()
        };
        if around.own == ObjectType::UNKNOWN {
            object.ancestors |= around.ancestors;
        }
        match subtree {
            Some(Subtree::Class(class)) => object.subtree = Some(class),
            Some(Subtree::Like) if around.child != ObjectType::UNKNOWN => {
                object.own = around.child;
                object.nearest = around.child;
            }
            _ => {}
        }
        let at = self.objects.len();
        self.objects.push(object);
        self.entry().object = Some(at);
        self.at = Spot { object: at, ..Spot::default() };
    }

    /// What is known under the current way.
    fn entry(&mut self) -> &mut Entry {
        if !self.entries.contains_key(self.way.as_slice()) {
            self.bytes += self.way.len() + ENTRY_BYTES;
        }
        self.entries.entry(self.way.as_slice().into()).or_default()
    }
}

/// Appends a segment to a pointer (RFC 6901).
fn push_segment(pointer: &mut Vec<u8>, segment: &[u8]) {
    pointer.push(b'/');
    for &byte in segment {
        match byte {
            b'~' => pointer.extend_from_slice(b"~0"),
            b'/' => pointer.extend_from_slice(b"~1"),
            _ => pointer.push(byte),
        }
    }
}
