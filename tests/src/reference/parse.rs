//! Texts as characters with their places in the input, and JSON as a tree over them.

use std::ops::Range;

/// A character of some decoded text, and the bytes of the input that stand for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unit {
    pub(super) character: char,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The characters of a text that begins at byte `start` of the input.
pub(super) fn units(text: &str, start: u64) -> Vec<Unit> {
    text.char_indices()
        .map(|(at, character)| {
            let start = start + at as u64;
            Unit { character, start, end: start + character.len_utf8() as u64 }
        })
        .collect()
}

/// The characters as text.
pub(super) fn text(units: &[Unit]) -> String {
    units.iter().map(|unit| unit.character).collect()
}

/// A value. Ranges count characters of the text it was read from.
#[derive(Debug)]
pub(super) enum Node {
    Object(Vec<Member>),
    Array(Vec<Node>),
    /// The body between the quotation marks.
    String(Range<usize>),
    Number(Range<usize>),
    Literal,
}

/// A member of an object; the value is missing where the text breaks off behind the name.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Range<usize>,
    pub(super) value: Option<Node>,
}

/// What a text holds.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) roots: Vec<Node>,
    /// Where it stops being JSON, if it does.
    pub(super) broken_at: Option<usize>,
}

/// Reads the texts of a stream: every rule of RFC 8259 holds.
pub(super) fn strict(units: &[Unit]) -> Parsed {
    parse(units, true)
}

/// Reads JSON inside a string: containers one after the other; strings may hold anything; a scalar counts once
/// what follows it shows that it is one.
pub(super) fn lenient(units: &[Unit]) -> Parsed {
    parse(units, false)
}

fn parse(units: &[Unit], is_strict: bool) -> Parsed {
    let mut parser = Parser { units, pos: 0, broken_at: None, is_strict };
    let mut roots = Vec::new();
    loop {
        parser.space();
        match parser.peek() {
            None => break,
            Some('{' | '[') => {}
            Some(_) if is_strict => {}
            Some(_) => parser.broken_at = Some(parser.pos),
        }
        if parser.broken_at.is_none()
            && let Some(root) = parser.value()
        {
            roots.push(root);
        }
        if parser.broken_at.is_some() {
            break;
        }
    }
    Parsed { roots, broken_at: parser.broken_at }
}

struct Parser<'u> {
    units: &'u [Unit],
    pos: usize,
    broken_at: Option<usize>,
    is_strict: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.units.get(self.pos).map(|unit| unit.character)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.pos += usize::from(is_there);
        is_there
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.pos += 1;
        }
    }

    fn value(&mut self) -> Option<Node> {
        match self.peek() {
            Some('{') => Some(self.object()),
            Some('[') => Some(self.array()),
            Some('"') => self.string_value().map(Node::String),
            Some('-' | '+' | '.' | '0'..='9' | 'a'..='z' | 'A'..='Z') => self.scalar(),
            _ => {
                self.broken_at = Some(self.pos);
                None
            }
        }
    }

    fn object(&mut self) -> Node {
        let mut members = Vec::new();
        self.pos += 1;
        self.space();
        if self.take('}') {
            return Node::Object(members);
        }
        loop {
            self.space();
            let Some(name) = self.name() else { break };
            members.push(Member { name, value: None });
            self.space();
            if !self.take(':') {
                self.broken_at = Some(self.pos);
                break;
            }
            self.space();
            let value = self.value();
            if let Some(member) = members.last_mut() {
                member.value = value;
            }
            if self.broken_at.is_some() || !self.goes_on('}') {
                break;
            }
        }
        Node::Object(members)
    }

    fn array(&mut self) -> Node {
        let mut elements = Vec::new();
        self.pos += 1;
        self.space();
        if self.take(']') {
            return Node::Array(elements);
        }
        loop {
            self.space();
            elements.extend(self.value());
            if self.broken_at.is_some() || !self.goes_on(']') {
                break;
            }
        }
        Node::Array(elements)
    }

    /// Whether a comma follows; if neither that nor the bracket does, the text is broken.
    fn goes_on(&mut self, bracket: char) -> bool {
        self.space();
        if self.take(',') {
            return true;
        }
        if !self.take(bracket) {
            self.broken_at = Some(self.pos);
        }
        false
    }

    /// A name must be whole.
    fn name(&mut self) -> Option<Range<usize>> {
        let start = self.pos;
        let body = if self.take('"') { self.body() } else { None };
        if body.is_none() {
            self.broken_at = Some(start);
        }
        body
    }

    fn string_value(&mut self) -> Option<Range<usize>> {
        self.pos += 1;
        let start = self.pos;
        let body = self.body();
        if body.is_none() {
            self.broken_at = Some(self.units.len());
            return (!self.is_strict).then_some(start..self.units.len());
        }
        body
    }

    /// What stands between quotation marks; the first was taken.
    fn body(&mut self) -> Option<Range<usize>> {
        let start = self.pos;
        loop {
            let character = self.peek()?;
            self.pos += 1;
            match character {
                '"' => return Some(start..self.pos - 1),
                '\\' if self.is_strict => self.escape()?,
                '\\' => self.pos += 1,
                '\0'..='\u{1F}' if self.is_strict => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let character = self.peek()?;
        self.pos += 1;
        match character {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => Some(()),
            'u' => {
                for _ in 0..4 {
                    self.peek()?.to_digit(16)?;
                    self.pos += 1;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn scalar(&mut self) -> Option<Node> {
        let start = self.pos;
        while self
            .peek()
            .is_some_and(|next| next == '+' || next == '-' || next == '.' || next.is_ascii_alphanumeric())
        {
            self.pos += 1;
        }
        let word = text(&self.units[start..self.pos]);
        let node = match word.as_str() {
            "true" | "false" | "null" => Some(Node::Literal),
            number if is_number(number.as_bytes()) => Some(Node::Number(start..self.pos)),
            _ => None,
        };
        let end = self.pos;
        self.space();
        let is_shown = self.is_strict || matches!(self.peek(), Some(',' | ']' | '}'));
        self.pos = end;
        if node.is_none() || !is_shown {
            self.broken_at = Some(start);
            return None;
        }
        node
    }
}

/// The number grammar of RFC 8259.
fn is_number(word: &[u8]) -> bool {
    let rest = word.strip_prefix(b"-").unwrap_or(word);
    let (whole, rest) = digits(rest);
    if whole.is_empty() || whole.len() > 1 && whole[0] == b'0' {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(rest) => match digits(rest) {
            ([], _) => return false,
            (_, rest) => rest,
        },
        None => rest,
    };
    let exponent = match rest {
        [] => return true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => exponent,
        _ => return false,
    };
    matches!(digits(exponent), ([_, ..], []))
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(count)
}

/// Resolves the escapes of a string body. What is no escape stays as it is written; half a pair of surrogates
/// becomes U+FFFD.
pub(super) fn decode(body: &[Unit]) -> Vec<Unit> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let (character, len) = decode_one(&body[at..]);
        let end = body[at + len - 1].end;
        decoded.push(Unit { character, start: body[at].start, end });
        at += len;
        if len == 1 && character == '\\' && at < body.len() {
            // No escape: what follows the backslash is plain, even another backslash.
            decoded.push(body[at]);
            at += 1;
        }
    }
    decoded
}

fn decode_one(rest: &[Unit]) -> (char, usize) {
    let first = rest[0].character;
    if first != '\\' {
        return (first, 1);
    }
    match rest.get(1).map(|unit| unit.character) {
        Some(same @ ('"' | '\\' | '/')) => (same, 2),
        Some('b') => ('\u{8}', 2),
        Some('f') => ('\u{C}', 2),
        Some('n') => ('\n', 2),
        Some('r') => ('\r', 2),
        Some('t') => ('\t', 2),
        Some('u') => decode_unicode(rest),
        _ => ('\\', 1),
    }
}

fn decode_unicode(rest: &[Unit]) -> (char, usize) {
    match (half(rest), rest.get(6..).and_then(half)) {
        (None, _) => ('\\', 1),
        (Some(high @ 0xD800..0xDC00), Some(low @ 0xDC00..0xE000)) => {
            let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        (Some(code), _) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}

/// The number behind `\u`.
fn half(rest: &[Unit]) -> Option<u32> {
    if rest.len() < 6 || rest[0].character != '\\' || rest[1].character != 'u' {
        return None;
    }
    rest[2..6].iter().try_fold(0, |code, unit| Some(code * 16 + unit.character.to_digit(16)?))
}
