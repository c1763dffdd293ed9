//! Tokens in the arguments of tool calls: opened where policy names tool and path, behind the engine.
//!
//! The engine leaves tokens in arguments as they are. What it lets out is JSON that is safe to pass on; here it is read
//! once more, for where a value stands, piece by piece as it comes. A value at a named path waits until it is whole.

use crate::escape::{decode, escape};
use crate::lex::{DEPTH_MAX, Lex};
use crate::profile::RestoredArgument;
use crate::tokens::{Tally, open_all};
use crate::track::{Step, Table, Track};
use obelus_json::{Bracket, Hits, Lexer, Mode, Part, Scalar, StringFlags, Visitor};
use obelus_vault::Scope;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

/// How long a value, name or number in arguments may be to be looked at; from a longer one on tokens stay.
const HELD_BYTES_MAX: usize = 64 << 10;

/// The paths of each tool whose arguments get values back.
#[derive(Debug)]
pub(crate) struct Restored(Vec<(Vec<u8>, Arc<Paths>)>);

/// The paths of one tool.
#[derive(Debug)]
pub(crate) struct Paths(Table<()>);

impl Restored {
    pub(crate) fn new(arguments: &[RestoredArgument]) -> Restored {
        let mut tools: Vec<(Vec<u8>, Table<()>)> = Vec::new();
        for argument in arguments {
            let tool = argument.tool.as_bytes();
            let at = tools.iter().position(|(known, _)| known == tool).unwrap_or_else(|| {
                tools.push((tool.to_vec(), Table::new()));
                tools.len() - 1
            });
            tools[at].1.add(&argument.path, ());
        }
        Restored(tools.into_iter().map(|(tool, table)| (tool, Arc::new(Paths(table)))).collect())
    }

    /// Whether no tool is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths of a tool.
    pub(crate) fn of(&self, tool: &[u8]) -> Option<&Arc<Paths>> {
        self.0.iter().find(|(known, _)| known == tool).map(|(_, paths)| paths)
    }
}

impl Paths {
    /// The arguments with tokens opened at the paths: JSON, or a string that holds JSON. Nothing if that changes
    /// nothing. What takes the place of tokens is added to the tally; once that is long, they stay.
    pub(crate) fn restore(
        self: &Arc<Self>,
        lex: &Lex,
        value: &[u8],
        (scope, tally): (&Scope, &mut Tally),
    ) -> Option<Vec<u8>> {
        let mut restorer = Restorer::new(Arc::clone(self));
        let mut out = Vec::with_capacity(value.len() + 64);
        let body = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let Some(body) = body else {
            restorer.push(lex, value, true, (scope, tally), &mut out);
            return (out != value).then_some(out);
        };
        let text = decode(body);
        restorer.push(lex, &text, true, (scope, tally), &mut out);
        if out == text {
            return None;
        }
        let mut string = Vec::with_capacity(out.len() + 64);
        string.push(b'"');
        escape(&out, &mut string);
        string.push(b'"');
        Some(string)
    }
}

/// Opens tokens in one text that comes in pieces.
#[derive(Debug)]
pub(crate) struct Restorer {
    paths: Arc<Paths>,
    lexer: Lexer,
    track: Track<()>,
    /// For each open container, whether the values in it are at a named path.
    inside: Vec<bool>,
    hold: Vec<u8>,
    /// Whether the text is no JSON, or too long a value stands in it: the rest passes as it is.
    is_off: bool,
}

impl Restorer {
    pub(crate) fn new(paths: Arc<Paths>) -> Restorer {
        Restorer {
            paths,
            lexer: Lexer::new(Mode::Embedded, DEPTH_MAX),
            track: Track::new(),
            inside: Vec::new(),
            hold: Vec::new(),
            is_off: false,
        }
    }

    /// How many bytes wait.
    pub(crate) fn held_bytes(&self) -> usize {
        self.hold.len()
    }

    /// Reads the next piece of the text; appends what is settled.
    pub(crate) fn push(
        &mut self,
        lex: &Lex,
        text: &[u8],
        last: bool,
        (scope, tally): (&Scope, &mut Tally),
        out: &mut Vec<u8>,
    ) {
        self.hold.extend_from_slice(text);
        if !self.is_off {
            self.read(lex, last, (scope, tally), out);
        }
        if last || self.is_off || self.hold.len() > HELD_BYTES_MAX {
            self.is_off = true;
            out.append(&mut self.hold);
        }
    }

    fn read(&mut self, lex: &Lex, last: bool, (scope, tally): (&Scope, &mut Tally), out: &mut Vec<u8>) {
        let hold = std::mem::take(&mut self.hold);
        let Restorer { paths, lexer, track, inside, .. } = self;
        let mut opened = Opened { paths, track, inside, hold: &hold, scope, tally, out, done: 0 };
        let need_from = match lexer.run(lex.arch, &lex.filter, &hold, last, &mut opened) {
            Ok(progress) => progress.need_from,
            Err(fault) => {
                self.is_off = true;
                fault.need_from
            }
        };
        let done = opened.done;
        out.extend_from_slice(&hold[done..need_from.max(done)]);
        self.hold = hold;
        self.hold.drain(..need_from.max(done));
    }
}

/// One run over what is held.
struct Opened<'r> {
    paths: &'r Paths,
    track: &'r mut Track<()>,
    inside: &'r mut Vec<bool>,
    hold: &'r [u8],
    scope: &'r Scope,
    tally: &'r mut Tally,
    out: &'r mut Vec<u8>,
    /// How much of the hold has left.
    done: usize,
}

impl Opened<'_> {
    /// Whether the value that comes next is at a named path or below one.
    fn is_named(&self) -> bool {
        let here: Step<()> = self.track.here(&self.paths.0);
        here.mark.is_some() || self.inside.last() == Some(&true)
    }
}

impl Visitor for Opened<'_> {
    type Stop = Infallible;

    fn open(&mut self, bracket: Bracket, _: usize) -> Result<(), Infallible> {
        let is_named = self.is_named();
        self.inside.push(is_named);
        self.track.open(&self.paths.0, bracket);
        Ok(())
    }

    fn close(&mut self, _: Bracket, _: usize) -> Result<(), Infallible> {
        self.inside.pop();
        self.track.close();
        Ok(())
    }

    fn name(&mut self, body: Range<usize>, flags: StringFlags, _: Hits<'_>) -> Result<(), Infallible> {
        let raw = &self.hold[body];
        if flags.contains(StringFlags::ESCAPE) {
            self.track.name(&self.paths.0, &decode(raw));
        } else {
            self.track.name(&self.paths.0, raw);
        }
        Ok(())
    }

    fn string(
        &mut self,
        body: Range<usize>,
        part: Part,
        _: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, Infallible> {
        if !self.is_named() {
            return Ok(body.end);
        }
        match part {
            // Presented again until it is whole.
            Part::First | Part::Middle => Ok(body.start),
            Part::Whole | Part::Last => {
                let mut text = Vec::new();
                if !self.tally.is_long() && open_all(self.scope, &self.hold[body.clone()], &mut text) {
                    self.tally.give(text.len());
                    self.out.extend_from_slice(&self.hold[self.done..body.start]);
                    self.out.append(&mut text);
                    self.done = body.end;
                }
                Ok(body.end)
            }
        }
    }

    fn scalar(&mut self, _: Scalar, _: Range<usize>) -> Result<(), Infallible> {
        Ok(())
    }

    fn document(&mut self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obelus::Category;
    use obelus_vault::Vault;

    fn paths() -> Arc<Paths> {
        let argument = RestoredArgument { tool: "send".to_owned(), path: "/to".to_owned() };
        Arc::clone(Restored::new(&[argument]).of(b"send").unwrap())
    }

    /// What comes out of pieces.
    fn restored(scope: &Scope, pieces: &[&str]) -> String {
        let (mut restorer, mut out, lex) = (Restorer::new(paths()), Vec::new(), Lex::new());
        let mut tally = Tally::default();
        for piece in pieces {
            restorer.push(&lex, piece.as_bytes(), false, (scope, &mut tally), &mut out);
        }
        restorer.push(&lex, b"", true, (scope, &mut tally), &mut out);
        assert_eq!(restorer.held_bytes(), 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn once_too_much_was_given_tokens_stay() {
        let scope = Vault::ephemeral().unwrap().scope("tenant", "session");
        let mut token = Vec::new();
        assert!(scope.mint(Category::OtherPersonal, &[b'x'; 1024], &mut token));
        let text = format!("{{\"to\":\"{}\"}}", String::from_utf8(token).unwrap().repeat(1000));
        let mut tally = Tally::default();
        let (lex, mut given) = (Lex::new(), 0);
        while !tally.is_long() {
            given += paths().restore(&lex, text.as_bytes(), (&scope, &mut tally)).unwrap().len();
        }
        // One value may reach beyond the bound.
        assert!((64 << 20..66 << 20).contains(&given), "{given}");
        assert_eq!(paths().restore(&lex, text.as_bytes(), (&scope, &mut tally)), None);
    }

    #[test]
    fn values_come_back_at_named_paths_however_the_text_is_cut() {
        let scope = Vault::ephemeral().unwrap().scope("tenant", "session");
        let mut token = Vec::new();
        assert!(scope.mint(Category::OtherPersonal, b"a \"b\"", &mut token));
        let token = String::from_utf8(token).unwrap();
        let text = |value: &str| {
            format!(
                "{{\"a\":\"{token}\",\"to\":[\"\\u00e9 {value} and more\",{{\"{token}\":\"{value}\"}}],\"b\":\"{token}\",\"t\\u006f\":\"{value}\"}}"
            )
        };
        let (said, expected) = (text(&token), text("a \\\"b\\\""));
        for at in 0..said.len() {
            let (head, tail) = said.split_at(at);
            assert_eq!(restored(&scope, &[head, tail]), expected, "at {at}");
        }
        let signs: Vec<&str> = said.split_inclusive(|_| true).collect();
        assert_eq!(restored(&scope, &signs), expected);
        // What is no JSON, and what is too long, passes as it is.
        let long = format!("{{\"to\":\"{} {token}\"}}", "a".repeat(HELD_BYTES_MAX));
        for text in [format!("{{\"x\"]{token}"), format!("to {token}"), long] {
            let (head, tail) = text.split_at(text.len() - 4);
            assert_eq!(restored(&scope, &[head, tail]), text);
        }
    }
}
