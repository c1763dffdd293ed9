//! The text of a string as the detectors read it: escapes decoded, characters folded, mapped back.
//!
//! A string of plain ASCII without escapes is its own view and costs nothing.

use obelus_detect::fold;
use obelus_json::map::OffsetMap;
use obelus_json::string::unescape;
use obelus_json::{Arch, StringFlags};

/// Which buffer holds the text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Source,
    Decoded,
    /// Folded from the source itself.
    Folded,
    /// Folded from the decoded text.
    DecodedFolded,
}

/// A reusable view.
#[derive(Debug)]
pub(crate) struct View {
    arch: Arch,
    stage: Stage,
    decoded: Vec<u8>,
    map: OffsetMap,
    folded: Vec<u8>,
    fold_map: OffsetMap,
}

impl View {
    pub(crate) fn new(arch: Arch) -> View {
        View {
            arch,
            stage: Stage::Source,
            decoded: Vec::new(),
            map: OffsetMap::default(),
            folded: Vec::new(),
            fold_map: OffsetMap::default(),
        }
    }

    /// Makes the view of `source`, a string body (or, if `plain`, text without escapes).
    pub(crate) fn read(&mut self, source: &[u8], flags: StringFlags, plain: bool) {
        let escaped = !plain && flags.contains(StringFlags::ESCAPE);
        self.stage = Stage::Source;
        if escaped {
            self.decoded.clear();
            self.map.clear();
            unescape(self.arch, source, &mut self.decoded, &mut self.map);
            self.stage = Stage::Decoded;
        }
        let text = if escaped { &self.decoded } else { source };
        let may_fold = flags.contains(StringFlags::NON_ASCII) || flags.contains(StringFlags::UNICODE_ESCAPE);
        if may_fold && !text.is_ascii() {
            self.folded.clear();
            self.fold_map.clear();
            fold(text, &mut self.folded, &mut self.fold_map);
            self.stage = if escaped { Stage::DecodedFolded } else { Stage::Folded };
        }
    }

    /// The text.
    pub(crate) fn text<'a>(&'a self, source: &'a [u8]) -> &'a [u8] {
        match self.stage {
            Stage::Source => source,
            Stage::Decoded => &self.decoded,
            Stage::Folded | Stage::DecodedFolded => &self.folded,
        }
    }

    /// The text before folding.
    pub(crate) fn decoded<'a>(&'a self, source: &'a [u8]) -> &'a [u8] {
        match self.stage {
            Stage::Source | Stage::Folded => source,
            Stage::Decoded | Stage::DecodedFolded => &self.decoded,
        }
    }

    /// The source offset at which the text from `pos` on begins.
    pub(crate) fn start(&self, pos: usize) -> usize {
        match self.stage {
            Stage::Source => pos,
            Stage::Decoded => self.map.start(pos),
            Stage::Folded => self.fold_map.start(pos),
            Stage::DecodedFolded => self.map.start(self.fold_map.start(pos)),
        }
    }

    /// The source offset at which the text up to `pos` ends.
    pub(crate) fn end(&self, pos: usize) -> usize {
        match self.stage {
            Stage::Source => pos,
            Stage::Decoded => self.map.end(pos),
            Stage::Folded => self.fold_map.end(pos),
            Stage::DecodedFolded => self.map.end(self.fold_map.end(pos)),
        }
    }

    /// The text offset that stands for a source offset.
    pub(crate) fn position(&self, source_pos: usize) -> usize {
        match self.stage {
            Stage::Source => source_pos,
            Stage::Decoded => self.map.text(source_pos),
            Stage::Folded => self.fold_map.text(source_pos),
            Stage::DecodedFolded => self.fold_map.text(self.map.text(source_pos)),
        }
    }
}
