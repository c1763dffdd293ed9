//! One JSON-RPC message: what it is, and where the few members stand that the gateway knows.
//!
//! Nothing is taken apart and put together again: spans say where something stands in the bytes that came.

use crate::fault::Fault;
use obelus_json::filter::Filter;
use obelus_json::map::OffsetMap;
use obelus_json::string::unescape;
use obelus_json::{Arch, Bracket, Cause, Hits, Lexer, Mode, Part, Scalar, StringFlags, SyntaxKind, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::Range;

/// Bytes of one message.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Containers open at once.
pub const DEPTH_MAX: usize = 100;

/// Names of one object beyond which they are kept in a set.
const FEW_NAMES: usize = 48;

/// A member that the gateway knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Slot {
    Jsonrpc,
    Id,
    Method,
    Params,
    Result,
    Error,
    /// `params.name`
    Name,
    /// `params.arguments`
    Arguments,
    /// `params._meta`
    Meta,
    /// `params._meta` says which revision the request is of.
    MetaRevision,
    /// `params._meta` says of which trace the request is a part.
    TraceParent,
    /// `params._meta` says what the client can do, or `params.capabilities` of `initialize`.
    Capabilities,
    /// What of these is about asking people.
    Elicitation,
    /// It shows them addresses.
    UrlElicitation,
    /// It shows them forms.
    FormElicitation,
    /// `params.protocolVersion`
    Revision,
    /// `params.requestId`
    RequestId,
    /// `params.uri`
    Uri,
    /// `params.requestState`
    RequestState,
    /// `params.inputResponses`
    InputResponses,
    /// `result.tools`
    Tools,
    /// `result.cacheScope`
    CacheScope,
    /// `result.protocolVersion`
    ResultRevision,
    /// `result.isError`
    IsError,
}

const SLOTS: usize = Slot::IsError as usize + 1;

/// Where a container stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Document,
    Envelope,
    Params,
    Meta,
    Capabilities,
    Elicitation,
    Result,
    Tools,
    Tool,
    Elsewhere,
}

/// The member that says in requests what their client can do.
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// The member that says in requests of which trace they are a part (W3C Trace Context).
const META_TRACE_PARENT: &str = "traceparent";

/// The member that says in requests which revision they are of.
pub(crate) const META_REVISION: &str = "io.modelcontextprotocol/protocolVersion";

impl Place {
    /// The members that are known there.
    fn known(self) -> &'static [(&'static str, Slot)] {
        match self {
            Place::Envelope => &[
                ("jsonrpc", Slot::Jsonrpc),
                ("id", Slot::Id),
                ("method", Slot::Method),
                ("params", Slot::Params),
                ("result", Slot::Result),
                ("error", Slot::Error),
            ],
            Place::Params => &[
                ("name", Slot::Name),
                ("arguments", Slot::Arguments),
                ("_meta", Slot::Meta),
                ("protocolVersion", Slot::Revision),
                ("capabilities", Slot::Capabilities),
                ("requestId", Slot::RequestId),
                ("uri", Slot::Uri),
                ("requestState", Slot::RequestState),
                ("inputResponses", Slot::InputResponses),
            ],
            Place::Meta => &[
                (META_REVISION, Slot::MetaRevision),
                (META_CAPABILITIES, Slot::Capabilities),
                (META_TRACE_PARENT, Slot::TraceParent),
            ],
            Place::Capabilities => &[("elicitation", Slot::Elicitation)],
            Place::Elicitation => &[("url", Slot::UrlElicitation), ("form", Slot::FormElicitation)],
            Place::Result => &[
                ("tools", Slot::Tools),
                ("cacheScope", Slot::CacheScope),
                ("protocolVersion", Slot::ResultRevision),
                ("isError", Slot::IsError),
            ],
            Place::Document | Place::Tools | Place::Tool | Place::Elsewhere => &[],
        }
    }

    /// Where a container stands that is the value of a known member, or an element.
    fn inside(self, slot: Option<Slot>, bracket: Bracket) -> Place {
        match (self, slot, bracket) {
            (Place::Document, _, Bracket::Object) => Place::Envelope,
            (Place::Envelope, Some(Slot::Params), Bracket::Object) => Place::Params,
            (Place::Envelope, Some(Slot::Result), Bracket::Object) => Place::Result,
            (Place::Params, Some(Slot::Meta), Bracket::Object) => Place::Meta,
            (Place::Params | Place::Meta, Some(Slot::Capabilities), Bracket::Object) => Place::Capabilities,
            (Place::Capabilities, Some(Slot::Elicitation), Bracket::Object) => Place::Elicitation,
            (Place::Result, Some(Slot::Tools), Bracket::Array) => Place::Tools,
            (Place::Tools, _, Bracket::Object) => Place::Tool,
            _ => Place::Elsewhere,
        }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    String,
    Number,
    Literal,
    Object,
    Array,
}

/// Where a known member's value stands, quotation marks and brackets included.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) shape: Shape,
    pub(crate) span: Range<usize>,
}

/// One definition in the result of `tools/list`.
#[derive(Clone, Debug)]
pub(crate) struct ToolAt {
    pub(crate) span: Range<usize>,
    pub(crate) name: Option<String>,
}

/// A member of `params`, from its name to the end of its value.
#[derive(Clone, Debug)]
struct Member {
    slot: Option<Slot>,
    span: Range<usize>,
}

/// What a message is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Request { method: String },
    Notification { method: String },
    Response { is_error: bool },
}

/// An id: a string, or a number as it is written.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Id {
    Text(Vec<u8>),
    Number(Vec<u8>),
}

impl Id {
    /// The id that stands there as it is written.
    pub(crate) fn of_raw(raw: &[u8]) -> Option<Id> {
        let shape = if raw.first() == Some(&b'"') { Shape::String } else { Shape::Number };
        id_of(raw, &Value { shape, span: 0..raw.len() })
    }
}

/// A message that was read.
pub(crate) struct Message<'m> {
    pub(crate) raw: &'m [u8],
    pub(crate) kind: Kind,
    pub(crate) id: Option<Id>,
    pub(crate) tools: Vec<ToolAt>,
    slots: [Option<Value>; SLOTS],
    params: Vec<Member>,
}

/// Why a message is none, and the id that it seems to have, as it is written.
pub(crate) struct Unreadable {
    pub(crate) fault: Fault,
    pub(crate) id: Option<Vec<u8>>,
}

/// The lexer without a filter.
pub(crate) struct Lex {
    arch: Arch,
    filter: Filter,
}

impl Lex {
    pub(crate) fn new() -> Lex {
        Lex { arch: Arch::detect(), filter: Filter::new(&[]) }
    }
}

impl<'m> Message<'m> {
    /// Reads a message. Batches, members that come twice anywhere, names that only look like those of JSON-RPC, and what
    /// is no UTF-8 are refused.
    pub(crate) fn read(lex: &Lex, raw: &'m [u8]) -> Result<Message<'m>, Unreadable> {
        let refuse = |fault| Err(Unreadable { fault, id: None });
        if raw.len() > MESSAGE_BYTES_MAX {
            return refuse(Fault::invalid("the message is longer than 16 MiB: send less at a time"));
        }
        match raw.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => {}
            Some(b'[') => return refuse(Fault::invalid("batches are not read: send one message at a time")),
            _ => return refuse(Fault::parse("the message is no JSON object: send one JSON-RPC message")),
        }
        let mut reader = Reader {
            raw,
            frames: Vec::with_capacity(16),
            names: Vec::new(),
            slots: [const { None }; SLOTS],
            tools: Vec::new(),
            params: Vec::new(),
            fault: None,
        };
        let mut lexer = Lexer::new(Mode::Document, DEPTH_MAX);
        if let Err(fault) = lexer.run(lex.arch, &lex.filter, raw, true, &mut reader) {
            let fault = match fault.cause {
                Cause::Syntax(error) if error.kind == SyntaxKind::Depth => {
                    Fault::invalid("the message nests too deep: send it flatter")
                }
                Cause::Syntax(error) => {
                    Fault::parse(&format!("the message is no JSON: {} at byte {}", error.kind, error.at))
                }
                Cause::Stop(never) => match never {},
            };
            return refuse(fault);
        }
        let fault = reader.fault.take();
        reader.finish(fault)
    }

    /// Where a known member stands.
    pub(crate) fn at(&self, slot: Slot) -> Option<&Value> {
        self.slots.get(slot as usize).and_then(Option::as_ref)
    }

    /// The bytes of a known member.
    pub(crate) fn bytes(&self, slot: Slot) -> Option<&'m [u8]> {
        self.at(slot).and_then(|value| self.raw.get(value.span.clone()))
    }

    /// The text of a known member, if it is a string.
    pub(crate) fn text(&self, slot: Slot) -> Option<String> {
        let value = self.at(slot).filter(|value| value.shape == Shape::String)?;
        text_of(self.raw, value)
    }

    /// The id as it is written.
    pub(crate) fn raw_id(&self) -> Option<&'m [u8]> {
        self.bytes(Slot::Id)
    }

    /// `params` without some members, as an object.
    pub(crate) fn params_without(&self, left_out: &[Slot]) -> Vec<u8> {
        let mut out = vec![b'{'];
        for member in &self.params {
            if member.slot.is_some_and(|slot| left_out.contains(&slot)) {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(self.raw.get(member.span.clone()).unwrap_or_default());
        }
        out.push(b'}');
        out
    }

    /// The message with `cacheScope` being `private`; nothing if it says no other.
    pub(crate) fn as_private(&self) -> Option<Vec<u8>> {
        let scope = self.at(Slot::CacheScope)?;
        let is_private = self.text(Slot::CacheScope).as_deref() == Some("private");
        (!is_private).then(|| splice(self.raw, &[(scope.span.clone(), b"\"private\"".as_slice())]))
    }

    /// Whether the client says here that it shows addresses to people.
    pub(crate) fn shows_addresses(&self) -> bool {
        self.at(Slot::UrlElicitation).is_some_and(|value| value.shape == Shape::Object)
    }

    /// Whether the client says here that it shows forms to people. Who says nothing of what it shows, shows these.
    pub(crate) fn shows_forms(&self) -> bool {
        let is_object = |slot| self.at(slot).is_some_and(|value| value.shape == Shape::Object);
        let says_nothing =
            self.at(Slot::UrlElicitation).is_none() && self.at(Slot::FormElicitation).is_none();
        is_object(Slot::FormElicitation) || (is_object(Slot::Elicitation) && says_nothing)
    }

    /// The id that another member holds.
    pub(crate) fn id_at(&self, slot: Slot) -> Option<Id> {
        id_of(self.raw, self.at(slot)?)
    }
}

/// The text of a string.
fn text_of(raw: &[u8], value: &Value) -> Option<String> {
    let body = raw.get(value.span.start + 1..value.span.end - 1)?;
    String::from_utf8(decode(body).into_owned()).ok()
}

fn id_of(raw: &[u8], value: &Value) -> Option<Id> {
    let bytes = raw.get(value.span.clone())?;
    match value.shape {
        Shape::String => text_of(raw, value).map(|text| Id::Text(text.into_bytes())),
        // Two spellings of one number would be two ids here and one there.
        Shape::Number if bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') => {
            Some(Id::Number(bytes.to_vec()))
        }
        _ => None,
    }
}

/// The text that the body of a JSON string stands for.
fn decode(body: &[u8]) -> Cow<'_, [u8]> {
    if !body.contains(&b'\\') {
        return body.into();
    }
    let mut text = Vec::new();
    unescape(Arch::scalar(), body, &mut text, &mut OffsetMap::default());
    text.into()
}

/// Whether a name is one of these to readers that do not mind case.
fn is_lookalike(name: &[u8], known: &[(&'static str, Slot)]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return false };
    // Beside ASCII, two letters fold to one of it: the long s and the sign of Kelvin.
    let folded: String = text
        .chars()
        .map(|sign| match sign {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect();
    known.iter().any(|(known, _)| folded.eq_ignore_ascii_case(known) && text != *known)
}

struct Frame {
    place: Place,
    /// What the container itself is.
    slot: Option<Slot>,
    start: usize,
    shape: Shape,
    /// What the current member is.
    member: Option<Slot>,
    /// Whether the current member is the name of a tool.
    is_tool_name: bool,
    names_from: usize,
    many: HashSet<Vec<u8>>,
}

struct Reader<'m> {
    raw: &'m [u8],
    frames: Vec<Frame>,
    names: Vec<Cow<'m, [u8]>>,
    slots: [Option<Value>; SLOTS],
    tools: Vec<ToolAt>,
    params: Vec<Member>,
    /// The first fault. The rest is read for the id, so that the refusal reaches whoever waits.
    fault: Option<Fault>,
}

impl<'m> Reader<'m> {
    fn finish(mut self, fault: Option<Fault>) -> Result<Message<'m>, Unreadable> {
        let value = |reader: &Self, slot: Slot| reader.slots.get(slot as usize).cloned().flatten();
        let raw_id = value(&self, Slot::Id);
        let id = raw_id.as_ref().and_then(|value| id_of(self.raw, value));
        let written = id.is_some().then_some(raw_id.as_ref()).flatten();
        let written = written.and_then(|value| self.raw.get(value.span.clone())).map(<[u8]>::to_vec);
        let refuse = |fault: Fault| Err(Unreadable { fault, id: written.clone() });
        if let Some(fault) = fault {
            return refuse(fault);
        }
        let is_version = value(&self, Slot::Jsonrpc)
            .is_some_and(|value| text_of(self.raw, &value).as_deref() == Some("2.0"));
        if !is_version {
            return refuse(Fault::invalid("`jsonrpc` is not \"2.0\": send JSON-RPC 2.0"));
        }
        let method = match value(&self, Slot::Method) {
            None => None,
            Some(method) if method.shape == Shape::String => text_of(self.raw, &method),
            Some(_) => return refuse(Fault::invalid("`method` is no string")),
        };
        let has = |slot| value(&self, slot).is_some();
        let kind = match (method, has(Slot::Result), has(Slot::Error)) {
            (Some(method), false, false) if raw_id.is_none() => Kind::Notification { method },
            (Some(method), false, false) => Kind::Request { method },
            (None, is_result, is_error) if is_result != is_error => Kind::Response { is_error },
            _ => {
                return refuse(Fault::invalid(
                    "the message is neither request, notification nor response: send `method`, `result` or `error`",
                ));
            }
        };
        // An error that answers what could not be read has no id.
        let is_nameless = kind == Kind::Response { is_error: true }
            && raw_id.as_ref().is_none_or(|value| self.raw.get(value.span.clone()) == Some(b"null"));
        if id.is_none() && !is_nameless && !matches!(kind, Kind::Notification { .. }) {
            return refuse(Fault::invalid("`id` is neither a string nor an integer"));
        }
        let is_object = value(&self, Slot::Params).is_none_or(|value| value.shape == Shape::Object);
        if !is_object {
            return refuse(Fault::invalid("`params` is no object"));
        }
        let tools = std::mem::take(&mut self.tools);
        Ok(Message { raw: self.raw, kind, id, tools, slots: self.slots, params: self.params })
    }

    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// A value ends there: so does the member whose value it is.
    fn member_ends(&mut self, end: usize) {
        if self.frames.last().is_some_and(|top| top.place == Place::Params)
            && let Some(member) = self.params.last_mut()
        {
            member.span.end = end;
        }
    }

    /// A value begins and, but for containers, ends.
    fn value(&mut self, shape: Shape, span: Range<usize>) {
        self.member_ends(span.end);
        let Some(top) = self.frames.last_mut() else { return };
        let slot = top.member;
        if top.is_tool_name
            && let Some(tool) = self.tools.last_mut()
            && shape == Shape::String
        {
            tool.name = text_of(self.raw, &Value { shape, span: span.clone() });
        }
        if let Some(place) = slot.and_then(|slot| self.slots.get_mut(slot as usize)) {
            *place = Some(Value { shape, span });
        }
    }

    /// Whether the name is the object's second of that text.
    fn comes_twice(&mut self, name: Cow<'m, [u8]>) -> bool {
        let Some(top) = self.frames.last_mut() else { return false };
        let few = self.names.get(top.names_from..).unwrap_or_default();
        if few.contains(&name) || top.many.contains(name.as_ref()) {
            return true;
        }
        if few.len() < FEW_NAMES {
            self.names.push(name);
        } else {
            top.many.insert(name.into_owned());
        }
        false
    }
}

impl Visitor for Reader<'_> {
    type Stop = Infallible;

    fn open(&mut self, bracket: Bracket, at: usize) -> Result<(), Infallible> {
        let shape = if bracket == Bracket::Array { Shape::Array } else { Shape::Object };
        let (around, slot) =
            self.frames.last().map_or((Place::Document, None), |top| (top.place, top.member));
        let place = around.inside(slot, bracket);
        if place == Place::Tool {
            self.tools.push(ToolAt { span: at..at, name: None });
        }
        self.frames.push(Frame {
            place,
            slot,
            start: at,
            shape,
            member: None,
            is_tool_name: false,
            names_from: self.names.len(),
            many: HashSet::new(),
        });
        Ok(())
    }

    fn close(&mut self, _: Bracket, at: usize) -> Result<(), Infallible> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        self.names.truncate(frame.names_from);
        self.member_ends(at + 1);
        if frame.place == Place::Tool
            && let Some(tool) = self.tools.last_mut()
        {
            tool.span = frame.start..at + 1;
        }
        if let Some(place) = frame.slot.and_then(|slot| self.slots.get_mut(slot as usize)) {
            *place = Some(Value { shape: frame.shape, span: frame.start..at + 1 });
        }
        Ok(())
    }

    fn name(&mut self, body: Range<usize>, flags: StringFlags, _: Hits<'_>) -> Result<(), Infallible> {
        let start = body.start - 1;
        let raw = self.raw.get(body).unwrap_or_default();
        let name = if flags.contains(StringFlags::ESCAPE) { decode(raw) } else { Cow::Borrowed(raw) };
        let place = self.frames.last().map_or(Place::Elsewhere, |top| top.place);
        let known = place.known();
        let slot = known.iter().find(|(known, _)| known.as_bytes() == &*name).map(|(_, slot)| *slot);
        if slot.is_none() && !known.is_empty() && is_lookalike(&name, known) {
            self.note(Fault::invalid(
                "a name differs from one of the protocol by case alone, and readers differ over that: leave it out",
            ));
        }
        let is_tool_name = place == Place::Tool && &*name == b"name";
        if place == Place::Params {
            self.params.push(Member { slot, span: start..start });
        }
        if self.comes_twice(name) {
            self.note(Fault::invalid("a member comes twice in one object: send each once"));
            // Which of the two counts is not ours to say.
            if slot == Some(Slot::Id) {
                self.slots[Slot::Id as usize] = None;
            }
            if let Some(top) = self.frames.last_mut() {
                top.member = None;
            }
            return Ok(());
        }
        if let Some(top) = self.frames.last_mut() {
            (top.member, top.is_tool_name) = (slot, is_tool_name);
        }
        Ok(())
    }

    fn string(
        &mut self,
        body: Range<usize>,
        _: Part,
        _: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, Infallible> {
        self.value(Shape::String, body.start - 1..body.end + 1);
        Ok(body.end)
    }

    fn scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), Infallible> {
        self.value(if kind == Scalar::Number { Shape::Number } else { Shape::Literal }, span);
        Ok(())
    }

    fn document(&mut self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The bytes with what stands at each span replaced. Spans come in order and do not overlap.
pub(crate) fn splice(raw: &[u8], places: &[(Range<usize>, &[u8])]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 64);
    let mut done = 0;
    for (span, with) in places {
        out.extend_from_slice(raw.get(done..span.start).unwrap_or_default());
        out.extend_from_slice(with);
        done = span.end;
    }
    out.extend_from_slice(raw.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message<'_>, Unreadable> {
        Message::read(&Lex::new(), text.as_bytes())
    }

    fn refused(raw: &[u8]) -> (i32, Option<Vec<u8>>) {
        let unreadable = Message::read(&Lex::new(), raw).err().expect("it is refused");
        (unreadable.fault.code, unreadable.id)
    }

    #[test]
    fn kinds_are_told_apart() {
        let request = read(
            r#"{"jsonrpc":"2.0","id":"a","m\u0065thod":"tools/call","params":{"name":"x","arguments":{"a":1}}}"#,
        );
        let request = request.ok().expect("a request");
        assert_eq!(request.kind, Kind::Request { method: "tools/call".to_owned() });
        assert_eq!(request.text(Slot::Name).as_deref(), Some("x"));
        assert_eq!(request.bytes(Slot::Arguments), Some(br#"{"a":1}"#.as_slice()));
        let notification =
            read(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#);
        let notification = notification.ok().expect("a notification");
        assert_eq!(notification.id_at(Slot::RequestId), Some(Id::Number(b"7".to_vec())));
        for (text, is_error) in [
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, false),
            (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, true),
            (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, true),
            (r#"{"jsonrpc":"2.0","error":{}}"#, true),
        ] {
            assert_eq!(read(text).ok().expect("a response").kind, Kind::Response { is_error }, "{text}");
        }
    }

    #[test]
    fn members_of_params_are_left_out_as_they_are_written() {
        let text = r#"{"params" : { "name":"x", "_meta" : {"params":{"a":1}},"arguments":{ "a":[1 , 2] } , "requestState":"s","more":1.50},"jsonrpc":"2.0","id":1,"method":"a"}"#;
        let message = read(text).ok().expect("a request");
        let without = |slots: &[Slot]| String::from_utf8(message.params_without(slots)).expect("text");
        assert_eq!(
            without(&[Slot::Meta, Slot::RequestState]),
            r#"{"name":"x","arguments":{ "a":[1 , 2] },"more":1.50}"#
        );
        assert_eq!(without(&[Slot::Name]).matches("_meta").count(), 1);
        let none = read(r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#).ok().expect("a request");
        assert_eq!(none.params_without(&[]), b"{}");
    }

    #[test]
    fn definitions_of_tools_are_found() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"inputSchema":{"name":"no"},"name":"a"},{"x":1}, {"name":"b"}],"cacheScope":"public"}}"#;
        let message = read(text).ok().expect("a response");
        let names: Vec<_> = message.tools.iter().map(|tool| tool.name.as_deref()).collect();
        assert_eq!(names, [Some("a"), None, Some("b")]);
        assert_eq!(message.raw[message.tools[2].span.clone()], *br#"{"name":"b"}"#);
        assert_eq!(message.bytes(Slot::CacheScope), Some(b"\"public\"".as_slice()));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_and_the_id_is_told() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"a","m\u0065thod":"b"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"a","Method":"b"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"a","param\u017f":{}}"#,
            r#"{"jsonrpc":"2.0","method":"a","params":{"name":"x","Name":"y"},"id":7}"#,
            r#"{"jsonrpc":"2.0","method":"a","params":{"arguments":{"a":[{"b":1,"b":1}]}},"id":7}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"a","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":5}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"a","params":[]}"#,
            r#"{"jsonrpc":"1.0","id":7,"method":"a"}"#,
            r#"{"id":7,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
        ] {
            assert_eq!(refused(text.as_bytes()), (-32600, Some(b"7".to_vec())), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
        for (raw, code) in [
            (b"".as_slice(), -32700),
            (b"true", -32700),
            (b"[]", -32600),
            (br#" [{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
            (br#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#, -32700),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700),
            (b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", -32700),
            (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":null,"result":{}}"#, -32600),
            (deep.as_bytes(), -32600),
            (&vec![b' '; MESSAGE_BYTES_MAX + 1], -32600),
        ] {
            assert_eq!(refused(raw), (code, None));
        }
    }

    #[test]
    fn many_names_are_told_apart_as_well() {
        let names = |last: &str| {
            let many: Vec<String> = (0..200).map(|number| format!("\"n{number}\":0")).collect();
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{},"{last}":0}}}}"#, many.join(","))
        };
        assert!(read(&names("n200")).is_ok());
        assert_eq!(refused(names("n199").as_bytes()).0, -32600);
        assert_eq!(refused(names("n3").as_bytes()).0, -32600);
    }
}
