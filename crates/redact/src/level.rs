//! The state of one nesting level: the document itself, or JSON inside a string of the level around.

use crate::form::Form;
use crate::frames::Frames;
use crate::positions::Spot;
use crate::shown::Shown;
use crate::view::View;
use obelus_detect::{Carry, Match};
use obelus_fields::{ClassIx, Name, Place};
use obelus_json::map::OffsetMap;
use obelus_json::{Arch, Lexer, Mode};
use std::ops::Range;

/// A level. The text is that of the string it reads; the outermost level reads the stream itself.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) lexer: Lexer,
    pub(crate) state: State,
    pub(crate) text: Vec<u8>,
    pub(crate) map: OffsetMap,
    pub(crate) inner: Option<Box<Level>>,
}

impl Level {
    pub(crate) fn new(mode: Mode, depth_max: usize) -> Level {
        Level {
            lexer: Lexer::new(mode, depth_max),
            state: State::default(),
            text: Vec::new(),
            map: OffsetMap::default(),
            inner: None,
        }
    }

    /// Takes the text of a string as it is.
    pub(crate) fn take(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.map.clear();
    }

    /// Begins a new string under the pointer `root`.
    pub(crate) fn reset(&mut self, root: &[u8]) {
        self.lexer.reset();
        self.state.frames.reset(root);
        self.state.base = 0;
        self.state.member = Name::default();
        self.state.member_body = None;
        self.state.clear_value();
        self.state.waiting.clear();
    }
}

/// What a level keeps between runs.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) frames: Frames,
    /// Where the presented buffer begins in the level's text.
    pub(crate) base: u64,
    /// The current member's name.
    pub(crate) member: Name,
    /// Where that name stands in the current buffer, and whether it has escapes.
    pub(crate) member_body: Option<(Range<usize>, bool)>,
    /// How the member's value is read.
    pub(crate) member_spot: Spot,
    pub(crate) value: Value,
    /// The pending entry of the string value being read.
    pub(crate) deferred: Option<u64>,
    /// Code points of that value before the presented buffer.
    pub(crate) chars: u64,
    /// How many bytes at the beginning of the presented body are context only.
    pub(crate) context: usize,
    pub(crate) carry: Carry,
    /// Values that wait, oldest first.
    pub(crate) waiting: Vec<Waiting>,
    /// What stands for the frames if the level is a form.
    pub(crate) form: Option<Box<Form>>,
}

impl State {
    /// Whether the text has no escapes of JSON strings in it.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.form.is_some()
    }

    /// The object that governs the current value, the name that rules over it, and the class that a subtree rule
    /// gives it.
    pub(crate) fn spot(&self) -> (usize, Name, Option<ClassIx>) {
        match (&self.form, self.frames.top()) {
            (Some(form), _) => form.objects.spot(),
            (None, Some(top)) if top.is_array => (top.object, top.name, top.subtree),
            (None, Some(top)) => (top.object, self.member, top.subtree),
            (None, None) => (0, Name::default(), None),
        }
    }

    /// The place of a value that the object `at` governs.
    pub(crate) fn place(&self, at: usize, closed: bool) -> Place {
        match &self.form {
            Some(form) => form.objects.place(at, closed),
            None => self.frames.place(at, closed),
        }
    }

    /// How many values of the object `at` wait.
    pub(crate) fn waiting_mut(&mut self, at: usize) -> Option<&mut u32> {
        match &mut self.form {
            Some(form) => form.objects.get_mut(at).map(|object| &mut object.waiting),
            None => self.frames.get_mut(at).map(|frame| &mut frame.waiting),
        }
    }

    pub(crate) fn clear_value(&mut self) {
        self.value = Value::None;
        self.deferred = None;
        self.chars = 0;
        self.context = 0;
        self.carry = Carry::default();
    }
}

/// What is being done with the current string value.
#[derive(Debug, Default)]
pub(crate) enum Value {
    /// No string value is being read.
    #[default]
    None,
    /// It stays, unexamined: an object id, a label.
    Stay,
    /// It goes; it began at this offset in the stream.
    Go { class: ClassIx, start: u64 },
    /// The detectors read it.
    Text,
    /// The level inside reads it.
    Nested,
}

/// A value that waits for what its object turns out to be.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Index of the frame of that object.
    pub(crate) frame: usize,
    pub(crate) name: Name,
    /// Its entry in the queue.
    pub(crate) id: u64,
    /// Where it begins in the stream.
    pub(crate) at: u64,
    /// Its offset in the level's text, by which its age is told.
    pub(crate) since: u64,
    pub(crate) is_number: bool,
    /// The class that a subtree rule gives it.
    pub(crate) subtree: Option<ClassIx>,
    /// What it says, where the transform needs that.
    pub(crate) original: Option<Vec<u8>>,
}

/// Buffers that any level may use for the length of a call.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) view: View,
    /// A member name with escapes decoded.
    pub(crate) name: Vec<u8>,
    pub(crate) name_map: OffsetMap,
    pub(crate) matches: Vec<Match>,
    pub(crate) bytes: Vec<u8>,
    /// What the document has shown: it outlives the call.
    pub(crate) shown: Shown,
}

impl Scratch {
    pub(crate) fn new(arch: Arch, shown: Shown) -> Scratch {
        Scratch {
            view: View::new(arch),
            name: Vec::new(),
            name_map: OffsetMap::default(),
            matches: Vec::new(),
            bytes: Vec::new(),
            shown,
        }
    }
}

/// How offsets in a level's buffer map to offsets in the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The level around and the map of the text, if the buffer is the decoded text of a string.
    pub(crate) around: Option<(&'a Source<'a>, &'a OffsetMap)>,
    /// Where the string's body begins in the buffer around, or the buffer in the stream.
    pub(crate) base: u64,
}

impl Source<'_> {
    /// The offset in the stream at which `pos` begins.
    #[inline]
    pub(crate) fn start(&self, pos: usize) -> u64 {
        match self.around {
            None => self.base + pos as u64,
            Some((around, map)) => around.start(index(self.base) + map.start(pos)),
        }
    }

    /// The offset in the stream at which the bytes before `pos` end.
    #[inline]
    pub(crate) fn end(&self, pos: usize) -> u64 {
        match self.around {
            None => self.base + pos as u64,
            Some((around, map)) => around.end(index(self.base) + map.end(pos)),
        }
    }
}

/// An offset inside a buffer in memory.
fn index(base: u64) -> usize {
    usize::try_from(base).unwrap_or(usize::MAX)
}
