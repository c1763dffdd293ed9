//! Events that carry nothing but a piece of one lane, for text that is settled when no event of it comes any more.

use crate::lanes::{Form, Place};

/// What stands around the text in such an event.
#[derive(Clone, Default)]
pub(crate) struct Shell {
    /// The event's type, as its own line has it.
    kind: Vec<u8>,
    /// JSON up to the text's quotation mark, and from the other one on, without the last bracket.
    before: Vec<u8>,
    behind: Vec<u8>,
    /// Where the choice begins in `before`, in events of completions.
    choice_at: usize,
}

/// What the event says in which a lane begins, as it is written there; empty for what it does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin<'o> {
    /// Members that all events of a completion repeat, with names.
    pub(crate) head: &'o [u8],
    /// The type of the event.
    pub(crate) kind: &'o [u8],
    /// The item's id.
    pub(crate) item: &'o [u8],
}

impl Shell {
    /// For a lane of that place and field.
    pub(crate) fn new(place: &Place, field: &[u8], origin: Origin<'_>) -> Shell {
        match place.form {
            Form::Chat => chat(place, field, origin),
            Form::Message => message(place, field),
            Form::Response => response(place, origin),
            Form::Plain => Shell::default(),
        }
    }

    /// Appends the event. `text` is the body of a JSON string, or plain text; `sequence` is its number, where events
    /// have one.
    pub(crate) fn write(
        &self,
        form: Form,
        text: &[u8],
        has_kind: bool,
        sequence: Option<u64>,
        out: &mut Vec<u8>,
    ) {
        if has_kind && !self.kind.is_empty() {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(&self.kind);
            out.push(b'\n');
        }
        if form == Form::Plain {
            return write_data(text, b"\n", out);
        }
        self.begin(text, out);
        if let Some(number) = sequence {
            out.extend_from_slice(format!(",\"sequence_number\":{number}").as_bytes());
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// Appends one event for texts of several choices, of events that are alike but for those. Those that read one
    /// by the places of its choices find them where they stood.
    pub(crate) fn write_choices(choices: &[(&Shell, &[u8])], out: &mut Vec<u8>) {
        let mut rest = choices.iter();
        let Some((first, text)) = rest.next() else { return };
        first.begin(text, out);
        for (shell, text) in rest {
            // The bracket that closes the list of choices.
            out.pop();
            out.push(b',');
            out.extend_from_slice(&shell.before[shell.choice_at..]);
            out.extend_from_slice(text);
            out.extend_from_slice(&shell.behind);
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// Whether both can stand in one event: both have the same members around their choices.
    pub(crate) fn joins(&self, other: &Shell) -> bool {
        self.choice_at > 0 && self.before[..self.choice_at] == other.before[..other.choice_at]
    }

    fn begin(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.before);
        out.extend_from_slice(text);
        out.extend_from_slice(&self.behind);
    }
}

/// Appends lines of data, and the empty line behind them.
fn write_data(text: &[u8], end: &[u8], out: &mut Vec<u8>) {
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(end);
    }
    out.extend_from_slice(end);
}

fn push_number(name: &str, number: Option<u64>, out: &mut Vec<u8>) {
    if let Some(number) = number {
        out.extend_from_slice(format!("\"{name}\":{number},").as_bytes());
    }
}

fn chat(place: &Place, field: &[u8], origin: Origin<'_>) -> Shell {
    let [choice, call, _] = place.numbers;
    let mut before = b"{".to_vec();
    before.extend_from_slice(origin.head);
    before.extend_from_slice(b"\"choices\":[");
    let choice_at = before.len();
    before.push(b'{');
    push_number("index", choice, &mut before);
    let mut behind = Vec::new();
    if field == b"/text" {
        before.extend_from_slice(b"\"text\":\"");
        behind.extend_from_slice(b"\"");
    } else {
        before.extend_from_slice(b"\"delta\":{");
        behind.extend_from_slice(b"\"}");
        match field.iter().position(|byte| *byte == b'/') {
            Some(at) => {
                let (around, name) = (&field[..at], &field[at + 1..]);
                if call.is_some() {
                    before.extend_from_slice(b"\"tool_calls\":[{");
                    push_number("index", call, &mut before);
                    behind.extend_from_slice(b"}]");
                }
                push_opening(around, b"{", &mut before);
                push_opening(name, b"\"", &mut before);
                behind.extend_from_slice(b"}");
            }
            None => push_opening(field, b"\"", &mut before),
        }
    }
    behind.extend_from_slice(b",\"finish_reason\":null}]");
    Shell { kind: Vec::new(), before, behind, choice_at }
}

/// A name and what opens its value.
fn push_opening(name: &[u8], opening: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    crate::escape::escape(name, out);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(opening);
}

fn message(place: &Place, field: &[u8]) -> Shell {
    let kind: &[u8] = match field {
        b"text" => b"text_delta",
        b"partial_json" => b"input_json_delta",
        b"thinking" => b"thinking_delta",
        b"signature" => b"signature_delta",
        b"content" => b"compaction_delta",
        _ => b"text_delta",
    };
    let mut before = b"{\"type\":\"content_block_delta\",".to_vec();
    push_number("index", place.numbers[0], &mut before);
    before.extend_from_slice(b"\"delta\":{\"type\":\"");
    before.extend_from_slice(kind);
    before.extend_from_slice(b"\",");
    push_opening(field, b"\"", &mut before);
    Shell { kind: b"content_block_delta".to_vec(), before, behind: b"\"}".to_vec(), choice_at: 0 }
}

fn response(place: &Place, origin: Origin<'_>) -> Shell {
    let mut before = b"{\"type\":\"".to_vec();
    before.extend_from_slice(origin.kind);
    before.extend_from_slice(b"\",");
    if !origin.item.is_empty() {
        before.extend_from_slice(b"\"item_id\":");
        before.extend_from_slice(origin.item);
        before.push(b',');
    }
    for (name, number) in ["output_index", "content_index", "summary_index"].into_iter().zip(place.numbers) {
        push_number(name, number, &mut before);
    }
    if origin.kind == b"response.output_text.delta" {
        before.extend_from_slice(b"\"logprobs\":[],");
    }
    before.extend_from_slice(b"\"delta\":\"");
    Shell { kind: origin.kind.to_vec(), before, behind: b"\"".to_vec(), choice_at: 0 }
}
