//! How the story is shown: three columns on a terminal, blocks of text elsewhere, or JSON.

use super::{Promise, Stop};
use crate::output::Output;
use serde::Serialize;
use std::env;
use std::io::{self, IsTerminal, Write};

/// What stands above the columns.
const HEADS: [&str; 3] = ["the client sent", "the provider saw", "the client got"];
/// What stands between them.
const RULE: &str = " | ";
/// Narrower columns are none.
const COLUMN_CHARS_MIN: usize = 22;
const COLUMN_CHARS_MAX: usize = 52;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const CYAN: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

/// Where the story is shown.
pub(super) struct Screen {
    output: Output,
    form: Form,
    has_colour: bool,
    /// Whether the line at hand has no end yet.
    is_open: bool,
    /// How many steps have begun.
    number: usize,
    promises: usize,
    broken: usize,
}

enum Form {
    Columns(Columns),
    Blocks,
    Json(Step),
}

/// One step, as others read it.
#[derive(Default, Serialize)]
struct Step {
    step: usize,
    title: String,
    sent: String,
    /// Nothing if the provider saw nothing.
    saw: Option<String>,
    got: String,
    pieces: usize,
    promises: Vec<Held>,
}

#[derive(Serialize)]
struct Held {
    says: String,
    held: bool,
}

/// A table whose last column is written while it comes: a row begins when the one before is full.
#[derive(Default)]
struct Columns {
    width: usize,
    /// The rows of the first two columns.
    rows: Vec<[String; 2]>,
    /// The row that is open, and how many characters its last column has.
    row: usize,
    at: usize,
    /// The word that is not whole yet.
    word: String,
    is_open: bool,
}

impl Screen {
    pub(super) fn new(is_json: bool, output: Output) -> Screen {
        let stdout = io::stdout();
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size_of(&stdout).map_or(0, |(width, _)| usize::from(width.0));
        let column = (width.saturating_sub(2 * RULE.len()) / 3).min(COLUMN_CHARS_MAX);
        let is_terminal = stdout.is_terminal();
        let form = if is_json {
            Form::Json(Step::default())
        } else if is_terminal && column >= COLUMN_CHARS_MIN {
            Form::Columns(Columns { width: column, ..Columns::default() })
        } else {
            Form::Blocks
        };
        let has_colour = is_terminal && !is_json && !is_dumb && !is_refused;
        Screen { output, form, has_colour, is_open: false, number: 0, promises: 0, broken: 0 }
    }

    /// Whether somebody watches, so that there is reason to go slowly.
    pub(super) fn is_watched(&self) -> bool {
        self.has_colour || matches!(self.form, Form::Columns(_))
    }

    /// How many promises were named.
    pub(super) fn promises(&self) -> usize {
        self.promises
    }

    /// How many of them did not hold.
    pub(super) fn broken(&self) -> usize {
        self.broken
    }

    /// Something for people alone.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Stop> {
        if matches!(self.form, Form::Json(_)) { Ok(()) } else { self.write(&format!("{text}\n")) }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, title: &str) -> Result<(), Stop> {
        self.number += 1;
        let number = self.number;
        if let Form::Json(step) = &mut self.form {
            *step = Step { step: number, title: title.to_owned(), ..Step::default() };
            return Ok(());
        }
        let (bold, plain) = if self.has_colour { (BOLD, PLAIN) } else { ("", "") };
        self.write(&format!("\n{bold}{number}. {title}{plain}\n"))
    }

    /// What was sent, and what came through.
    pub(super) fn sides(&mut self, sent: &str, saw: Option<&str>) -> Result<(), Stop> {
        let seen = saw.unwrap_or("(nothing)");
        let colour = self.has_colour;
        let text = match &mut self.form {
            Form::Json(step) => {
                step.sent = sent.to_owned();
                step.saw = saw.map(str::to_owned);
                return Ok(());
            }
            Form::Columns(columns) => columns.begin(sent, seen, colour),
            Form::Blocks => {
                self.is_open = true;
                let [client, provider, answer] = HEADS;
                format!("  {client}:\n{}  {provider}:\n{}  {answer}:\n    ", indented(sent), indented(seen))
            }
        };
        self.write(&text)
    }

    /// A piece of what the client gets.
    pub(super) fn piece(&mut self, text: &str) -> Result<(), Stop> {
        let colour = self.has_colour;
        let text = match &mut self.form {
            Form::Json(step) => {
                step.got.push_str(text);
                step.pieces += 1;
                return Ok(());
            }
            Form::Columns(columns) => columns.push(text, colour),
            Form::Blocks => text.replace('\n', "\n    "),
        };
        self.write(&text)
    }

    /// Lines that stand alone.
    pub(super) fn lines(&mut self, lines: &[String]) -> Result<(), Stop> {
        if let Form::Json(step) = &mut self.form {
            step.got = lines.join("\n");
            return Ok(());
        }
        if let Form::Columns(columns) = &mut self.form {
            columns.rows.clear();
            columns.is_open = false;
        }
        let text: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        self.write(&text)
    }

    /// A step has ended.
    pub(super) fn end(&mut self, promises: Vec<Promise>) -> Result<(), Stop> {
        self.promises += promises.len();
        self.broken += promises.iter().filter(|promise| !promise.held).count();
        let colour = self.has_colour;
        let mut text = match &mut self.form {
            Form::Json(step) => {
                let held = promises.into_iter().map(|Promise { says, held }| Held { says, held });
                step.promises = held.collect();
                // A step is strings and numbers, which are always written.
                let line = serde_json::to_string(step).unwrap_or_default();
                return self.write(&format!("{line}\n"));
            }
            Form::Columns(columns) => columns.end(colour),
            Form::Blocks => {
                if std::mem::take(&mut self.is_open) {
                    "\n".to_owned()
                } else {
                    String::new()
                }
            }
        };
        for Promise { says, held } in promises {
            let word = if held { "held" } else { "BROKEN" };
            let paint = if held { GREEN } else { RED };
            let (paint, plain) = if self.has_colour { (paint, PLAIN) } else { ("", "") };
            text.push_str(&format!("  {paint}{word}{plain}: {says}\n"));
        }
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), Stop> {
        let written = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        written.map_err(|error| self.output.failure(&error).map_or(Stop::Left, Stop::Failed))
    }
}

impl Columns {
    /// Fills the first two columns; what is written first.
    fn begin(&mut self, sent: &str, saw: &str, colour: bool) -> String {
        let (sent, saw) = (wrapped(sent, self.width), wrapped(saw, self.width));
        let row = |at: usize| [&sent, &saw].map(|lines| lines.get(at).cloned().unwrap_or_default());
        self.rows = (0..sent.len().max(saw.len())).map(row).collect();
        (self.row, self.at, self.is_open) = (0, 0, false);
        self.word.clear();
        let [client, provider, answer] = HEADS.map(|head| format!("{head:<width$}", width = self.width));
        let dashes = "-".repeat(self.width);
        let heads = format!("{client}{RULE}{provider}{RULE}{}\n", answer.trim_end());
        format!("{heads}{dashes}-+-{dashes}-+-{dashes}\n{}", self.open(colour))
    }

    /// Takes a piece of the last column; what is written of it.
    fn push(&mut self, text: &str, colour: bool) -> String {
        let mut out = String::new();
        for sign in text.chars() {
            match sign {
                '\n' => {
                    self.word(colour, &mut out);
                    self.close(&mut out);
                    out.push_str(&self.open(colour));
                }
                ' ' => {
                    self.word(colour, &mut out);
                    if self.at > 0 && self.at < self.width {
                        out.push(' ');
                        self.at += 1;
                    }
                }
                _ => self.word.push(sign),
            }
        }
        out
    }

    /// Writes the word, on the next row if it does not fit, in parts if it fits on none.
    fn word(&mut self, colour: bool, out: &mut String) {
        let word = std::mem::take(&mut self.word);
        let signs: Vec<char> = word.chars().collect();
        if self.at > 0 && self.at + signs.len() > self.width {
            self.close(out);
            out.push_str(&self.open(colour));
        }
        let (green, plain) = if colour { (GREEN, PLAIN) } else { ("", "") };
        for (at, part) in signs.chunks(self.width).enumerate() {
            if at > 0 {
                self.close(out);
                out.push_str(&self.open(colour));
            }
            // No colour stays open where the next piece is waited for.
            out.push_str(green);
            out.extend(part);
            out.push_str(plain);
            self.at += part.len();
        }
    }

    /// Begins a row: its first two columns.
    fn open(&mut self, colour: bool) -> String {
        let [sent, saw] = self.rows.get(self.row).cloned().unwrap_or_default();
        let (cyan, plain) = if colour { (CYAN, PLAIN) } else { ("", "") };
        let width = self.width;
        (self.row, self.at, self.is_open) = (self.row + 1, 0, true);
        format!("{sent:<width$}{RULE}{cyan}{saw:<width$}{plain}{RULE}")
    }

    fn close(&mut self, out: &mut String) {
        out.push('\n');
        self.is_open = false;
    }

    /// Writes what is left of all columns.
    fn end(&mut self, colour: bool) -> String {
        let mut out = String::new();
        self.word(colour, &mut out);
        while self.row < self.rows.len() {
            self.close(&mut out);
            out.push_str(&self.open(colour));
        }
        if self.is_open {
            self.close(&mut out);
        }
        out
    }
}

/// Text in lines of at most so many characters, broken at spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut open = String::new();
        for word in line.split(' ') {
            let signs: Vec<char> = word.chars().collect();
            if !open.is_empty() && open.chars().count() + 1 + signs.len() > width {
                lines.push(std::mem::take(&mut open));
            }
            if !open.is_empty() {
                open.push(' ');
            }
            for (at, part) in signs.chunks(width).enumerate() {
                if at > 0 {
                    lines.push(std::mem::take(&mut open));
                }
                open.extend(part);
            }
        }
        lines.push(open);
    }
    lines
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a abcdefgh\nb", 4), ["a", "abcd", "efgh", "b"]);
        assert!(wrapped("a 4242 4242 bc", 5).iter().all(|line| line.chars().count() <= 5));
    }

    #[test]
    fn the_last_column_grows_while_the_others_stand() {
        let mut columns = Columns { width: 6, ..Columns::default() };
        let mut text = columns.begin("one two", "three", false);
        for piece in ["he", "llo wor", "ld\nand", " on"] {
            text.push_str(&columns.push(piece, false));
        }
        text.push_str(&columns.end(false));
        let rows: Vec<&str> = text.lines().skip(2).map(str::trim_end).collect();
        assert_eq!(rows, ["one    | three  | hello", "two    |        | world", "       |        | and on",]);
    }

    #[test]
    fn columns_that_are_longer_than_the_answer_are_written_to_their_end() {
        let mut columns = Columns { width: 4, ..Columns::default() };
        let mut text = columns.begin("a\nb\nc", "d", false);
        text.push_str(&columns.push("e", false));
        text.push_str(&columns.end(false));
        let rows: Vec<&str> = text.lines().skip(2).map(str::trim_end).collect();
        assert_eq!(rows, ["a    | d    | e", "b    |      |", "c    |      |"]);
    }

    #[test]
    fn a_promise_that_does_not_hold_is_counted_and_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let output = Output::file(&path).unwrap_or_else(|failure| panic!("{failure:?}"));
        let mut screen = Screen::new(false, output);
        let promises = vec![Promise::new("one", true), Promise::new("two", false)];
        assert!(screen.begin("A step").and_then(|()| screen.end(promises)).is_ok());
        assert_eq!((screen.promises(), screen.broken()), (2, 1));
        let staged = screen.output.into_staged().unwrap();
        assert!(staged.publish().is_ok());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "\n1. A step\n  held: one\n  BROKEN: two\n");
    }
}
