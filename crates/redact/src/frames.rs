//! Where in the document the engine stands: one frame an open container, and the pointer text.
//!
//! A frame holds what rules over names can ask of the place: the name that led here, the object's type, names
//! seen so far. Arrays are transparent to those questions; so are the `data` arrays of list envelopes. The
//! pointer (RFC 6901) is kept as text: each container adds its segment when it opens; the segment of the current
//! member or element is added when a finding asks for it, or when the buffer with the name goes away.

use crate::positions::Spot;
use obelus_fields::{ClassIx, Name, ObjectType, Place, Told};

/// One open container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) is_array: bool,
    /// The member name that led here, seen through arrays and list envelopes.
    pub(crate) name: Name,
    /// Index in the stack of the object that governs values here: itself, or the one around an array.
    pub(crate) object: usize,
    /// The length of the pointer text at this container.
    pointer_len: usize,
    /// How many elements have begun.
    count: u64,
    /// How many member names were redacted.
    pub(crate) names_redacted: u32,
    /// The object's own type, as its `object` member says or its id suggests.
    pub(crate) own: ObjectType,
    /// The nearest known type, own or around.
    pub(crate) nearest: ObjectType,
    /// What the names around satisfy, up to the nearest typed object.
    pub(crate) ancestors: u64,
    /// What the names in this object satisfy.
    pub(crate) seen: u64,
    /// What members of this object said of its member `value`.
    pub(crate) told: Told,
    /// The class that a subtree rule gives all values here.
    pub(crate) subtree: Option<ClassIx>,
    /// The type of the child object that `like` subtrees take theirs from.
    pub(crate) child: ObjectType,
    /// Whether something shows this to be the rule pack's own kind of document.
    pub(crate) in_scope: bool,
    /// Values of this object that wait.
    pub(crate) waiting: u32,
    /// How it is read.
    pub(crate) spot: Spot,
}

/// The stack of frames of one nesting level, with the pointer.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    stack: Vec<Frame>,
    pointer: Vec<u8>,
    /// The length of the pointer to this level's root.
    root_len: usize,
    /// Whether the pointer ends with the current member's or element's segment.
    has_leaf: bool,
    /// How the document is read at its root.
    root: Spot,
}

impl Frames {
    /// Says how documents are read.
    pub(crate) fn begin_at(&mut self, root: Spot) {
        self.root = root;
    }

    /// How the container at the top is read, or the root.
    #[inline]
    pub(crate) fn spot(&self) -> Spot {
        self.stack.last().map_or(self.root, |top| top.spot)
    }

    /// Begins anew under `root`, the pointer to the level's root.
    pub(crate) fn reset(&mut self, root: &[u8]) {
        self.stack.clear();
        self.pointer.clear();
        self.pointer.extend_from_slice(root);
        self.root_len = root.len();
        self.has_leaf = false;
    }

    #[inline]
    pub(crate) fn top(&self) -> Option<&Frame> {
        self.stack.last()
    }

    #[inline]
    pub(crate) fn top_mut(&mut self) -> Option<&mut Frame> {
        self.stack.last_mut()
    }

    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// The object that governs values at the top.
    #[inline]
    pub(crate) fn object(&self) -> Option<&Frame> {
        self.stack.last().and_then(|top| self.stack.get(top.object))
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Frame> {
        self.stack.get_mut(at)
    }

    /// The place of a value whose governing object is `at`.
    #[inline]
    pub(crate) fn place(&self, at: usize, closed: bool) -> Place {
        match self.stack.get(at) {
            None => Place { closed: true, ..Place::default() },
            Some(frame) => Place {
                parent: if frame.is_array { 0 } else { frame.name.mask() },
                own: frame.own,
                nearest: frame.nearest,
                ancestors: frame.ancestors,
                siblings: frame.seen,
                told: frame.told,
                subtree: frame.subtree,
                in_scope: frame.in_scope,
                closed: closed || frame.is_array,
            },
        }
    }

    /// Counts an element, if the top is an array, before anything else is said of it.
    #[inline]
    pub(crate) fn begin_value(&mut self) {
        if let Some(top) = self.stack.last_mut()
            && top.is_array
        {
            top.count += 1;
            if self.has_leaf {
                self.pointer.truncate(top.pointer_len);
                self.has_leaf = false;
            }
        }
    }

    /// Forgets the segment of the member before.
    #[inline]
    pub(crate) fn begin_member(&mut self) {
        if self.has_leaf {
            let len = self.stack.last().map_or(self.root_len, |top| top.pointer_len);
            self.pointer.truncate(len);
            self.has_leaf = false;
        }
    }

    #[inline]
    pub(crate) fn has_leaf(&self) -> bool {
        self.has_leaf
    }

    /// Ends the pointer with the segment of the current member, or of the current element of an array.
    pub(crate) fn set_leaf(&mut self, name: &[u8]) {
        if self.has_leaf {
            return;
        }
        self.has_leaf = true;
        match self.stack.last() {
            None => self.has_leaf = false,
            Some(top) if top.is_array => {
                let index = (top.count.saturating_sub(1)).to_string();
                self.pointer.push(b'/');
                self.pointer.extend_from_slice(index.as_bytes());
            }
            Some(_) => {
                self.pointer.push(b'/');
                if !name.iter().any(|byte| matches!(byte, b'~' | b'/')) {
                    self.pointer.extend_from_slice(name);
                    return;
                }
                for &byte in name {
                    match byte {
                        b'~' => self.pointer.extend_from_slice(b"~0"),
                        b'/' => self.pointer.extend_from_slice(b"~1"),
                        _ => self.pointer.push(byte),
                    }
                }
            }
        }
    }

    /// The pointer to the current value, once its segment is set.
    pub(crate) fn pointer(&self) -> &[u8] {
        &self.pointer
    }

    /// The last segment of the pointer, as it stands there.
    pub(crate) fn leaf(&self) -> &[u8] {
        let len = self.stack.last().map_or(self.root_len, |top| top.pointer_len);
        self.pointer.get(len + 1..).unwrap_or_default()
    }

    /// Opens a container at the current value; its segment must be set.
    pub(crate) fn open(&mut self, is_array: bool, name: Name) -> &mut Frame {
        let at = self.stack.len();
        let mut frame = Frame {
            is_array,
            name,
            object: at,
            pointer_len: self.pointer.len(),
            count: 0,
            names_redacted: 0,
            own: ObjectType::UNKNOWN,
            nearest: ObjectType::UNKNOWN,
            ancestors: name.mask(),
            seen: 0,
            told: Told::default(),
            subtree: None,
            child: ObjectType::UNKNOWN,
            in_scope: false,
            waiting: 0,
            spot: Spot::default(),
        };
        frame.subtree = self.top().and_then(|top| top.subtree);
        if let Some(around) = self.object() {
            frame.nearest = around.nearest;
            frame.in_scope = around.in_scope;
            if around.own == ObjectType::UNKNOWN {
                frame.ancestors |= around.ancestors;
            }
            if is_array {
                frame.object = self.stack[at - 1].object;
            }
        }
        self.has_leaf = false;
        self.stack.push(frame);
        &mut self.stack[at]
    }

    /// Closes the top container; its own segment is the current one again.
    pub(crate) fn close(&mut self) -> Option<Frame> {
        let frame = self.stack.pop()?;
        self.pointer.truncate(frame.pointer_len);
        self.has_leaf = !self.stack.is_empty();
        Some(frame)
    }
}
