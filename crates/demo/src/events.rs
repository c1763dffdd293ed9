//! Server-sent events.

use crate::json::Json;
use bytes::Bytes;

/// An event.
pub(crate) struct Event {
    bytes: Bytes,
    /// Whether it carries a piece of a text.
    pub(crate) is_delta: bool,
}

impl Event {
    /// An event that is told by its data alone.
    pub(crate) fn data(data: &Json) -> Event {
        Event { bytes: format!("data: {}\n\n", data.text()).into(), is_delta: false }
    }

    /// An event with a name.
    pub(crate) fn named(name: &str, data: &Json) -> Event {
        Event { bytes: format!("event: {name}\ndata: {}\n\n", data.text()).into(), is_delta: false }
    }

    /// What ends a stream of chat completions.
    pub(crate) fn done() -> Event {
        Event { bytes: Bytes::from_static(b"data: [DONE]\n\n"), is_delta: false }
    }

    /// The same, as a delta.
    pub(crate) fn into_delta(mut self) -> Event {
        self.is_delta = true;
        self
    }

    /// As it is sent.
    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

/// A streamed answer.
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
    /// The event that tells of an error in the middle.
    pub(crate) failure: Event,
}

/// Letters that bring a delta to a common length, so that its size says nothing.
pub(crate) fn obfuscation(delta: &str) -> String {
    "aQzRwVtKpMxYbNcL".chars().skip(delta.len() % 16).collect()
}
