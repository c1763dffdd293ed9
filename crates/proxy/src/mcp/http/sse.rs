//! Server-sent events, as far as they carry messages.
//!
//! Ids of events are kept in mind, so that the server can be asked for what came after one, and left out of what is passed
//! on: with one, a client would ask for it, and what a server keeps for that was not read.

use hyper::header::HeaderValue;
use std::time::Duration;

/// Bytes of an id. One that is longer is none.
const ID_BYTES_MAX: usize = 1024;

/// One event of a stream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Event {
    /// Its type; empty for the usual one.
    pub(super) kind: Vec<u8>,
    /// The lines of its data, with line breaks between.
    pub(super) data: Vec<u8>,
}

/// An event is longer than may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooLong;

/// Takes a stream apart, however it is cut.
pub(super) struct Reader {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The last byte was CR: an LF behind it belongs to it.
    after_cr: bool,
    is_begun: bool,
    bytes_max: usize,
    /// The id that an event has which has not ended.
    id: Option<Vec<u8>>,
    /// That of the last one that has, and how long to leave the server alone that breaks off.
    last_id: Option<HeaderValue>,
    retry: Option<Duration>,
}

impl Reader {
    /// Events may be as long as that.
    pub(super) fn new(bytes_max: usize) -> Reader {
        Reader {
            line: Vec::new(),
            event: Event::default(),
            has_data: false,
            after_cr: false,
            is_begun: false,
            bytes_max,
            id: None,
            last_id: None,
            retry: None,
        }
    }

    /// Another stream begins that goes on with what was read. What was not ended is none.
    pub(super) fn begin(&mut self) {
        let (last_id, retry) = (self.last_id.take(), self.retry);
        *self = Reader { last_id, retry, ..Reader::new(self.bytes_max) };
    }

    /// The id of the last event that had one, if a header can hold it.
    pub(super) fn last_id(&self) -> Option<HeaderValue> {
        self.last_id.clone()
    }

    /// How long to leave the server alone that breaks off, if it says so.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.line.capacity() + self.event.data.capacity()
    }

    /// Reads a piece, and adds the events that it ends. What is not ended at the end of the stream is none.
    pub(super) fn read(&mut self, mut piece: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        while !piece.is_empty() {
            if std::mem::take(&mut self.after_cr) && piece.first() == Some(&b'\n') {
                piece = piece.get(1..).unwrap_or_default();
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let text = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            if self.line.len() + self.event.data.len() + text.len() > self.bytes_max {
                return Err(TooLong);
            }
            self.line.extend_from_slice(text);
            let Some(end) = end else { return Ok(()) };
            self.after_cr = piece.get(end) == Some(&b'\r');
            piece = piece.get(end + 1..).unwrap_or_default();
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, events);
        }
        Ok(())
    }

    fn end_line(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let line = match std::mem::replace(&mut self.is_begun, true) {
            false => line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line),
            true => line,
        };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if let Some(id) = self.id.take() {
                let is_short = !id.is_empty() && id.len() <= ID_BYTES_MAX;
                self.last_id = is_short.then(|| HeaderValue::from_bytes(&id).ok()).flatten();
            }
            if std::mem::take(&mut self.has_data) {
                events.push(event);
            }
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.event.kind = value.to_vec(),
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => self.id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let millis = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.retry = millis.map(Duration::from_millis).or(self.retry);
            }
            // A comment, or what nobody knows.
            _ => {}
        }
    }
}

/// A message as an event.
pub(super) fn event(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 32);
    out.extend_from_slice(b"event: message\n");
    for line in message.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

/// What says that somebody is still there.
pub(super) const COMMENT: &[u8] = b": waiting\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], step: usize) -> Vec<(String, String)> {
        let mut reader = Reader::new(100);
        let mut events = Vec::new();
        for piece in stream.chunks(step) {
            reader.read(piece, &mut events).expect("they are short");
        }
        let text = |bytes| String::from_utf8(bytes).expect("text");
        events.into_iter().map(|event| (text(event.kind), text(event.data))).collect()
    }

    #[test]
    fn events_are_the_same_however_they_are_cut_and_end() {
        let stream = "\u{feff}: hello\nid: 7\nevent: message\ndata: {\"a\":\ndata:1}\nretry: 5\n\ndata\n\n\nevent: x\n\ndata: last\n\n\
                      data: never ended";
        let wanted = [("message", "{\"a\":\n1}"), ("", ""), ("", "last")];
        let wanted = wanted.map(|(kind, data)| (kind.to_owned(), data.to_owned()));
        for end in ["\n", "\r\n", "\r"] {
            let stream = stream.replace('\n', end);
            for step in 1..stream.len() + 1 {
                assert_eq!(read(stream.as_bytes(), step), wanted, "{end:?} {step}");
            }
        }
    }

    #[test]
    fn the_last_id_is_that_of_an_event_that_has_ended() {
        let mut reader = Reader::new(100);
        let mut events = Vec::new();
        let mut seen = |piece: &str| {
            reader.read(piece.as_bytes(), &mut events).expect("they are short");
            let id = reader.last_id().map(|id| id.to_str().expect("text").to_owned());
            (id.unwrap_or_default(), reader.retry().map(|retry| retry.as_millis()))
        };
        let is = |id: &str, retry| (id.to_owned(), retry);
        assert_eq!(seen("id: 1\ndata:"), is("", None));
        assert_eq!(seen("\n\n"), is("1", None), "an event that says nothing has one as well");
        assert_eq!(seen("retry: 50\nretry: x\nretry: -1\nretry:\ndata: a\n\n"), is("1", Some(50)));
        assert_eq!(seen("id: 2\0\nid: 3\n\nid: 4\n"), is("3", Some(50)));
        reader.begin();
        assert_eq!(reader.last_id().expect("an id"), "3");
        reader.read(b"data: b\n\nid\n\n", &mut events).expect("short");
        assert_eq!((reader.last_id(), reader.retry()), (None, Some(Duration::from_millis(50))));
        let long = "7".repeat(ID_BYTES_MAX + 1);
        let mut reader = Reader::new(2000);
        reader.read(format!("id: {long}\n\n").as_bytes(), &mut events).expect("short");
        assert_eq!(reader.last_id(), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for message in ["{}", "{\n\"a\":1}", ""] {
            let read = read(&event(message.as_bytes()), 3);
            assert_eq!(read, [("message".to_owned(), message.to_owned())]);
        }
        assert_eq!(read(COMMENT, 2), []);
    }

    #[test]
    fn an_event_is_bounded() {
        let mut reader = Reader::new(10);
        let mut events = Vec::new();
        assert_eq!(reader.read(b"data: 12345", &mut events), Err(TooLong));
        let mut reader = Reader::new(12);
        assert_eq!(reader.read(b"data: 1\ndata: 2\ndata: 3\ndata: 4\n", &mut events), Ok(()));
        assert_eq!(reader.read(b"data: 5\n", &mut events), Err(TooLong));
        assert_eq!(events, []);
    }
}
