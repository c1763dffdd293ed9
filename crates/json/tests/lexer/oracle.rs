//! A second lexer, one byte at a time, with nothing in common with the first but the types of its answers.
//!
//! It reads a whole text, or what is there of one, and says what a run over it must report.

use obelus_json::{Bracket, Mode, Scalar, SyntaxKind};
use std::ops::Range;

/// What is reported, with offsets in the text; string values in one piece.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Open(Bracket, usize),
    Close(Bracket, usize),
    Name(Range<usize>),
    String(Range<usize>),
    Scalar(Scalar, Range<usize>),
    Document(usize),
}

/// How reading ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub events: Vec<Event>,
    /// The string value that is open at the end, as far as it may be reported.
    pub open: Option<Range<usize>>,
    /// What is wrong, where, and where the lexeme begins that was not reported.
    pub error: Option<(SyntaxKind, usize, usize)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Want {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    Behind,
}

struct Oracle<'t> {
    mode: Mode,
    depth_max: usize,
    text: &'t [u8],
    last: bool,
    at: usize,
    stack: Vec<Bracket>,
    want: Want,
    roots: usize,
    out: Outcome,
}

/// Ends the reading: the error, or nothing if more may come.
struct End(Option<(SyntaxKind, usize, usize)>);

/// Reads `text`; `last` says that there is no more.
pub(crate) fn read(mode: Mode, depth_max: usize, text: &[u8], last: bool) -> Outcome {
    let mut invalid = None;
    let (mut readable, mut is_all) = (text, last);
    if mode != Mode::Embedded
        && let Err(error) = std::str::from_utf8(text)
    {
        readable = &text[..error.valid_up_to()];
        if last || error.error_len().is_some() {
            invalid = Some(SyntaxKind::InvalidUtf8);
            is_all = false;
        }
    }
    let mut oracle = Oracle {
        mode,
        depth_max,
        text: readable,
        last: is_all,
        at: 0,
        stack: Vec::new(),
        want: Want::Value,
        roots: 0,
        out: Outcome::default(),
    };
    let unread = loop {
        let start = oracle.at;
        if let Err(End(error)) = oracle.lexeme() {
            oracle.out.error = error;
            // Where the lexeme begins that is not whole.
            break if oracle.at > start || oracle.at == readable.len() { oracle.at } else { start };
        }
    };
    if oracle.out.error.is_none() {
        oracle.out.error = invalid.map(|kind| (kind, readable.len(), unread));
    }
    oracle.out
}

impl Oracle<'_> {
    /// Reads one lexeme and leaves `at` behind it; on an end, at its beginning.
    fn lexeme(&mut self) -> Result<(), End> {
        while matches!(self.byte(0), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        let Some(byte) = self.byte(0) else { return Err(self.out_of_text()) };
        let is_root = self.stack.is_empty();
        if is_root && self.mode == Mode::Document && self.roots > 0 {
            return Err(End(Some((SyntaxKind::TrailingBytes, self.at, self.at))));
        }
        let is_value = matches!(self.want, Want::Value | Want::ValueOrEnd);
        let top = self.stack.last().copied();
        match byte {
            b'{' | b'[' if is_value => self.open(if byte == b'{' { Bracket::Object } else { Bracket::Array }),
            b'}' if top == Some(Bracket::Object) && matches!(self.want, Want::NameOrEnd | Want::Behind) => {
                self.close(Bracket::Object)
            }
            b']' if top == Some(Bracket::Array) && matches!(self.want, Want::ValueOrEnd | Want::Behind) => {
                self.close(Bracket::Array)
            }
            b',' if self.want == Want::Behind => {
                self.at += 1;
                self.want = if top == Some(Bracket::Object) { Want::Name } else { Want::Value };
                Ok(())
            }
            b':' if self.want == Want::Colon => {
                self.at += 1;
                self.want = Want::Value;
                Ok(())
            }
            b'"' if matches!(self.want, Want::Name | Want::NameOrEnd) => self.string(true),
            b'"' if is_value && !(is_root && self.mode == Mode::Embedded) => self.string(false),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n'
                if is_value && !(is_root && self.mode == Mode::Embedded) =>
            {
                self.scalar()
            }
            _ => Err(End(Some((SyntaxKind::UnexpectedByte, self.at, self.at)))),
        }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// No lexeme is open, and nothing is left.
    fn out_of_text(&self) -> End {
        let is_complete = self.stack.is_empty() && (self.mode != Mode::Document || self.roots > 0);
        if self.last && !is_complete { self.unexpected_end(self.at) } else { End(None) }
    }

    fn unexpected_end(&self, unread: usize) -> End {
        End(self.last.then_some((SyntaxKind::UnexpectedEnd, self.text.len(), unread)))
    }

    fn open(&mut self, bracket: Bracket) -> Result<(), End> {
        if self.stack.len() == self.depth_max {
            return Err(End(Some((SyntaxKind::Depth, self.at, self.at))));
        }
        self.stack.push(bracket);
        self.want = if bracket == Bracket::Object { Want::NameOrEnd } else { Want::ValueOrEnd };
        self.out.events.push(Event::Open(bracket, self.at));
        self.at += 1;
        Ok(())
    }

    fn close(&mut self, bracket: Bracket) -> Result<(), End> {
        self.stack.pop();
        self.out.events.push(Event::Close(bracket, self.at));
        self.at += 1;
        self.end_value();
        Ok(())
    }

    fn end_value(&mut self) {
        self.want = Want::Behind;
        if self.stack.is_empty() {
            self.want = Want::Value;
            self.roots += 1;
            self.out.events.push(Event::Document(self.at));
        }
    }

    fn string(&mut self, is_name: bool) -> Result<(), End> {
        let start = self.at + 1;
        let mut pos = start;
        // A high surrogate that may still get its other half.
        let mut high = None;
        let wrong = loop {
            match self.unit(pos) {
                Unit::Close => break None,
                Unit::Cut => break Some(None),
                Unit::Wrong(kind, at) => break Some(Some((kind, at))),
                Unit::Whole(len, is_high) => {
                    high = is_high.then_some(pos);
                    pos += len;
                }
            }
        };
        if wrong.is_none() {
            self.at = pos + 1;
            self.out.events.push(if is_name { Event::Name(start..pos) } else { Event::String(start..pos) });
            if is_name {
                self.want = Want::Colon;
            } else {
                self.end_value();
            }
            return Ok(());
        }
        let safe = high.unwrap_or(pos);
        if !is_name && self.mode == Mode::Embedded && self.last {
            let end = self.text.len();
            self.at = end;
            self.out.events.push(Event::String(start..end));
            return Err(self.unexpected_end(end));
        }
        if !is_name {
            self.out.open = Some(start..safe);
        }
        let unread = if is_name { start - 1 } else { safe };
        self.at = unread;
        Err(match wrong.flatten() {
            Some((kind, at)) => End(Some((kind, at, unread))),
            None => self.unexpected_end(unread),
        })
    }

    /// What stands at `pos` in a string.
    fn unit(&self, pos: usize) -> Unit {
        let lenient = self.mode == Mode::Embedded;
        match (self.text.get(pos), self.text.get(pos + 1)) {
            (None, _) | (Some(b'\\'), None) => Unit::Cut,
            (Some(b'"'), _) => Unit::Close,
            (Some(0..0x20), _) if !lenient => Unit::Wrong(SyntaxKind::ControlInString, pos),
            (Some(b'\\'), Some(b'u')) => {
                let mut value = 0;
                for ahead in 2..6 {
                    let Some(&digit) = self.text.get(pos + ahead) else { return Unit::Cut };
                    match char::from(digit).to_digit(16) {
                        Some(digit) => value = value * 16 + digit,
                        None if lenient => return Unit::Whole(2, false),
                        None => return Unit::Wrong(SyntaxKind::InvalidEscape, pos + 1),
                    }
                }
                Unit::Whole(6, (0xD800..=0xDBFF).contains(&value))
            }
            (Some(b'\\'), Some(byte)) if lenient || b"\"\\/bfnrt".contains(byte) => Unit::Whole(2, false),
            (Some(b'\\'), Some(_)) => Unit::Wrong(SyntaxKind::InvalidEscape, pos + 1),
            (Some(_), _) => Unit::Whole(1, false),
        }
    }

    fn scalar(&mut self) -> Result<(), End> {
        let rest = &self.text[self.at..];
        let ends = b" \t\r\n,:[]{}\"";
        let len = rest.iter().take_while(|byte| !ends.contains(byte)).count();
        let is_cut = len == rest.len();
        let is_number = !rest[0].is_ascii_lowercase();
        let kind = if is_number { SyntaxKind::InvalidNumber } else { SyntaxKind::InvalidLiteral };
        let (good, is_whole) = if is_number { number(&rest[..len]) } else { literal(&rest[..len]) };
        if good < len || (!is_whole && !is_cut) {
            return Err(End(Some((kind, self.at + good, self.at))));
        }
        if is_cut && (!is_whole || !self.last || self.mode == Mode::Embedded) {
            return Err(self.unexpected_end(self.at));
        }
        if self.mode == Mode::Embedded {
            let blank = rest[len..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
            match rest.get(len + blank) {
                None => return Err(self.unexpected_end(self.at)),
                Some(b',' | b']' | b'}') => {}
                Some(_) => {
                    return Err(End(Some((SyntaxKind::UnexpectedByte, self.at + len + blank, self.at))));
                }
            }
        }
        let scalar = if is_number { Scalar::Number } else { Scalar::Literal };
        self.out.events.push(Event::Scalar(scalar, self.at..self.at + len));
        self.at += len;
        self.end_value();
        Ok(())
    }
}

enum Unit {
    Close,
    /// The text ends before the unit does.
    Cut,
    Wrong(SyntaxKind, usize),
    /// The length, and whether it is a high surrogate.
    Whole(usize, bool),
}

/// How many bytes may begin a literal, and whether they are one.
fn literal(text: &[u8]) -> (usize, bool) {
    let word: &[u8] = match text[0] {
        b't' => b"true",
        b'f' => b"false",
        _ => b"null",
    };
    let good = (0..text.len()).take_while(|&idx| word.get(idx) == Some(&text[idx])).count();
    (good, good == word.len())
}

/// How many bytes may begin a number, and whether they are one: the automaton of RFC 8259, section 6.
fn number(text: &[u8]) -> (usize, bool) {
    #[derive(Clone, Copy, PartialEq)]
    enum Node {
        Begin,
        Minus,
        Zero,
        Int,
        Point,
        Frac,
        E,
        Sign,
        Exp,
    }
    use Node::*;
    let mut node = Begin;
    let mut good = 0;
    for &byte in text {
        node = match (node, byte) {
            (Begin, b'-') => Minus,
            (Begin | Minus, b'0') => Zero,
            (Begin | Minus, b'1'..=b'9') | (Int, b'0'..=b'9') => Int,
            (Zero | Int, b'.') => Point,
            (Point | Frac, b'0'..=b'9') => Frac,
            (Zero | Int | Frac, b'e' | b'E') => E,
            (E, b'+' | b'-') => Sign,
            (E | Sign | Exp, b'0'..=b'9') => Exp,
            _ => break,
        };
        good += 1;
    }
    (good, matches!(node, Zero | Int | Frac | Exp))
}
