//! Server-sent events as bytes: where they end, which lines they have.
//!
//! Lines end with LF, CR or CRLF, wherever the input is cut; an empty line ends an event. What is handed out is the
//! event as it came, so that one that stays leaves byte for byte. A line feed that comes behind an event's last
//! carriage return belongs to it and is handed out by itself.

use std::ops::Range;

/// How long one event may be. The longest are those that repeat a whole answer.
pub(crate) const EVENT_BYTES_MAX: usize = 1 << 20;

const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a line of an event is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    Data,
    /// The event's type.
    Event,
    /// Everything else that is no comment: `id`, `retry`, what nobody knows.
    Other,
    Comment,
    /// The line that ends the event.
    Empty,
}

/// One line of an event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) field: Field,
    /// What stands behind the colon and one space.
    pub(crate) value: Range<usize>,
    /// The line without its end.
    pub(crate) text: Range<usize>,
    /// The line with its end.
    pub(crate) all: Range<usize>,
}

/// What the framer hands out.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Frame {
    /// An event: its lines are in [`Framer::lines`], its bytes in [`Framer::bytes`].
    Event,
    /// Bytes that say nothing: the mark at the beginning, empty lines between events, the rest of a line's end.
    Blank,
    /// A comment between events.
    Comment,
}

/// Finds events.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// What has come, as far as it is kept.
    pending: Vec<u8>,
    /// Where in it the next thing begins that is handed out. All other offsets count from here.
    base: usize,
    /// How long that is; it goes when the next is asked for.
    given: usize,
    /// How far lines were looked for.
    seen: usize,
    /// Where the open line begins.
    line_at: usize,
    lines: Vec<Line>,
    /// Whether a line feed that comes next belongs to the line before.
    is_behind_return: bool,
    is_started: bool,
}

/// An event is longer than may be.
#[derive(Debug)]
pub(crate) struct TooLong;

impl Framer {
    /// Takes bytes. [`Framer::next`] says what they complete.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.drop_given();
        self.pending.drain(..self.base);
        self.base = 0;
        self.pending.extend_from_slice(chunk);
    }

    /// The lines of what was handed out last.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The bytes of what was handed out last.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.pending[self.base..self.base + self.given]
    }

    /// How many bytes wait for the end of their event.
    pub(crate) fn held_bytes(&self) -> usize {
        self.pending.len() - self.base - self.given
    }

    /// What is complete next.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, TooLong> {
        self.drop_given();
        if !self.is_started {
            if self.rest().len() < MARK.len() && MARK.starts_with(self.rest()) {
                return Ok(None);
            }
            self.is_started = true;
            if self.rest().starts_with(MARK) {
                return Ok(Some(self.give(MARK.len(), Frame::Blank)));
            }
        }
        if self.is_behind_return && self.line_at == 0 && !self.rest().is_empty() {
            self.is_behind_return = false;
            if self.rest().first() == Some(&b'\n') {
                return Ok(Some(self.give(1, Frame::Blank)));
            }
        }
        while let Some(line) = self.line() {
            let is_first = self.lines.is_empty();
            let (field, end) = (line.field, line.all.end);
            self.lines.push(line);
            match field {
                Field::Empty if is_first => return Ok(Some(self.give(end, Frame::Blank))),
                Field::Empty => return Ok(Some(self.give(end, Frame::Event))),
                Field::Comment if is_first => return Ok(Some(self.give(end, Frame::Comment))),
                _ => {}
            }
        }
        if self.rest().len() > EVENT_BYTES_MAX { Err(TooLong) } else { Ok(None) }
    }

    fn rest(&self) -> &[u8] {
        &self.pending[self.base..]
    }

    /// The next whole line.
    fn line(&mut self) -> Option<Line> {
        if self.is_behind_return && self.line_at > 0 && self.line_at < self.rest().len() {
            self.is_behind_return = false;
            if self.rest()[self.line_at] == b'\n' {
                // It belongs to the line before, which is kept.
                if let Some(line) = self.lines.last_mut() {
                    line.all.end += 1;
                }
                self.line_at += 1;
            }
        }
        let from = self.seen.max(self.line_at);
        let Some(end) = memchr::memchr2(b'\n', b'\r', &self.rest()[from..]).map(|at| from + at) else {
            self.seen = self.rest().len();
            return None;
        };
        let is_return = self.rest()[end] == b'\r';
        let has_feed = is_return && self.rest().get(end + 1) == Some(&b'\n');
        self.is_behind_return = is_return && end + 1 == self.rest().len();
        let text = self.line_at..end;
        self.line_at = end + 1 + usize::from(has_feed);
        self.seen = self.line_at;
        let (field, value) = self.field(&text);
        Some(Line { field, value, all: text.start..self.line_at, text })
    }

    fn field(&self, text: &Range<usize>) -> (Field, Range<usize>) {
        let line = &self.rest()[text.clone()];
        let colon = memchr::memchr(b':', line);
        let name = &line[..colon.unwrap_or(line.len())];
        let field = match name {
            b"" if colon.is_some() => Field::Comment,
            b"" => Field::Empty,
            b"data" => Field::Data,
            b"event" => Field::Event,
            _ => Field::Other,
        };
        let value = colon.map_or(line.len(), |at| at + 1);
        let has_space = line.get(value) == Some(&b' ');
        (field, text.start + value + usize::from(has_space)..text.end)
    }

    fn give(&mut self, end: usize, frame: Frame) -> Frame {
        self.given = end;
        frame
    }

    fn drop_given(&mut self) {
        if self.given > 0 {
            self.base += self.given;
            (self.given, self.seen, self.line_at) = (0, 0, 0);
            self.lines.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The events as clients see them: type and data. Written after the standard, for text that is all there.
    fn reference(text: &str) -> Vec<(String, String)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let (mut events, mut kind, mut data) = (Vec::new(), String::new(), None::<String>);
        let mut lines: Vec<&str> = text.split('\n').collect();
        lines.pop();
        for line in lines {
            if line.is_empty() {
                if let Some(data) = data.take() {
                    events.push((std::mem::take(&mut kind), data));
                }
                kind.clear();
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => kind = value.to_owned(),
                "data" => {
                    data = Some(match data {
                        Some(data) => format!("{data}\n{value}"),
                        None => value.to_owned(),
                    });
                }
                _ => {}
            }
        }
        events
    }

    /// What the framer says of chunks: the events, all bytes handed out, and how many are left.
    fn framed(chunks: &[&[u8]]) -> (Vec<(String, String)>, Vec<u8>, usize) {
        let (mut framer, mut events, mut bytes) = (Framer::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            framer.push(chunk);
            while let Some(frame) = framer.next().unwrap() {
                bytes.extend_from_slice(framer.bytes());
                if frame != Frame::Event {
                    continue;
                }
                let of = |field: Field| {
                    let lines = framer.lines().iter().filter(move |line| line.field == field);
                    lines.map(|line| {
                        std::str::from_utf8(&framer.bytes()[line.value.clone()]).unwrap().to_owned()
                    })
                };
                let data: Vec<String> = of(Field::Data).collect();
                if !data.is_empty() {
                    events.push((of(Field::Event).next_back().unwrap_or_default(), data.join("\n")));
                }
            }
        }
        (events, bytes, framer.held_bytes())
    }

    #[test]
    fn every_line_end_ends_a_line_wherever_it_is_cut() {
        for end in ["\n", "\r", "\r\n"] {
            let text = [
                "\u{feff}event: a",
                "data: one",
                "data:two",
                ": c",
                "id: 7",
                "",
                ": ping",
                "",
                "data",
                "",
                "data: left",
            ]
            .join(end);
            let expected = reference(&text);
            assert_eq!(expected.len(), 2, "{end:?}");
            for at in 0..=text.len() {
                let (head, tail) = text.as_bytes().split_at(at);
                let (events, bytes, left) = framed(&[head, tail]);
                assert_eq!(events, expected, "{end:?} at {at}");
                assert_eq!(&text.as_bytes()[..bytes.len()], bytes);
                assert_eq!(bytes.len() + left, text.len());
                assert_eq!(left, "data: left".len());
            }
        }
    }

    #[test]
    fn comments_and_events_leave_with_their_last_byte() {
        let mut framer = Framer::default();
        framer.push(b": ping\r");
        assert_eq!(framer.next().unwrap(), Some(Frame::Comment));
        framer.push(b"\n\r\ndata: 1\r\r");
        assert_eq!(framer.next().unwrap(), Some(Frame::Blank));
        assert_eq!(framer.next().unwrap(), Some(Frame::Blank));
        assert_eq!(framer.next().unwrap(), Some(Frame::Event));
        assert_eq!(framer.next().unwrap(), None);
        assert_eq!(framer.held_bytes(), 0);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut framer = Framer::default();
        framer.push(&vec![b'a'; EVENT_BYTES_MAX]);
        assert!(framer.next().is_ok());
        framer.push(b"a");
        assert!(framer.next().is_err());
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(text in "(data: ?|event:|id:|:|[ab]|\n|\r|\r\n|\u{feff}|é){0,40}", cuts in proptest::collection::vec(0usize..80, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            chunks.push(&text.as_bytes()[from..]);
            let (events, bytes, left) = framed(&chunks);
            prop_assert_eq!(events, reference(&text));
            prop_assert_eq!(bytes.len() + left, text.len());
            prop_assert_eq!(&text.as_bytes()[..bytes.len()], &bytes[..]);
        }
    }
}
