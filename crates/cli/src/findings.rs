//! Findings as lines of JSON.

use crate::input::display_name;
use crate::output::Output;
use obelus::{Finding, Span};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// One line behind the ordinal of the document. The names and their order are what others read.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    category: &'static str,
    rule: &'a str,
    span: [u64; 2],
    chars: [u64; 2],
    #[serde(skip_serializing_if = "is_false")]
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

/// Where findings are written.
pub(crate) struct Findings {
    pub(crate) output: Output,
    /// Which input the findings are from, if there are several.
    file: Option<String>,
}

impl Findings {
    pub(crate) fn new(output: Output) -> Findings {
        Findings { output, file: None }
    }

    /// Says that what follows is from `input`, one of `count`.
    pub(crate) fn begin(&mut self, input: &Path, count: usize) {
        self.file = (count > 1).then(|| display_name(input));
    }

    pub(crate) fn write(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        write_line(&mut self.output, finding, self.file.as_deref())
    }

    /// Writes lines that were made elsewhere, in an input in which `documents` came before.
    pub(crate) fn write_lines(&mut self, lines: &Lines, documents: u64) -> io::Result<()> {
        let mut start = 0;
        for &(doc, end) in &lines.ends {
            write_doc(&mut self.output, documents + doc)?;
            self.output.write_all(&lines.rests[start..end])?;
            start = end;
        }
        Ok(())
    }

    /// Room for lines that are made elsewhere.
    pub(crate) fn lines(&self) -> Lines {
        Lines { file: self.file.clone(), ..Lines::default() }
    }
}

/// Lines in the making, by somebody who does not know how many documents came before.
#[derive(Default)]
pub(crate) struct Lines {
    file: Option<String>,
    /// What follows the ordinal, line by line.
    rests: Vec<u8>,
    /// The ordinal of each among the documents here, and where its rest ends.
    ends: Vec<(u64, usize)>,
}

impl Lines {
    pub(crate) fn add(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        write_rest(&mut self.rests, finding, self.file.as_deref())?;
        self.ends.push((finding.doc, self.rests.len()));
        Ok(())
    }
}

fn write_line(mut writer: impl Write, finding: &Finding<'_>, file: Option<&str>) -> io::Result<()> {
    write_doc(&mut writer, finding.doc)?;
    write_rest(&mut writer, finding, file)
}

fn write_doc(writer: &mut impl Write, doc: u64) -> io::Result<()> {
    write!(writer, "{{\"doc\":{doc}")
}

fn write_rest(writer: impl Write, finding: &Finding<'_>, file: Option<&str>) -> io::Result<()> {
    let line = Line {
        path: finding.path,
        category: finding.category.as_str(),
        rule: finding.rule,
        span: pair(finding.span),
        chars: pair(finding.chars),
        allowed: finding.allowed,
        file,
    };
    let mut continued = Continued { writer, is_begun: false };
    serde_json::to_writer(&mut continued, &line)?;
    continued.writer.write_all(b"\n")
}

/// Turns the bracket with which an object begins into a comma, so that the object continues another.
struct Continued<W> {
    writer: W,
    is_begun: bool,
}

impl<W: Write> Write for Continued<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.is_begun, true) || bytes.is_empty() {
            return self.writer.write(bytes);
        }
        self.writer.write_all(b",").map(|()| 1)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

fn pair(span: Span) -> [u64; 2] {
    [span.start, span.end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use obelus::Category;

    const FINDING: Finding<'static> = Finding {
        doc: 0,
        path: "/messages/1/content#/e\"mail",
        category: Category::Email,
        rule: "email",
        span: Span { start: 310, end: 334 },
        chars: Span { start: 12, end: 28 },
        allowed: false,
        reason: None,
    };

    #[test]
    fn a_line_has_the_agreed_names_in_the_agreed_order() {
        let mut line = Vec::new();
        write_line(&mut line, &FINDING, None).unwrap();
        let expected = concat!(
            r#"{"doc":0,"path":"/messages/1/content#/e\"mail","category":"email","rule":"email","#,
            r#""span":[310,334],"chars":[12,28]}"#,
            "\n"
        );
        assert_eq!(str::from_utf8(&line), Ok(expected));
    }

    #[test]
    fn what_may_stay_is_marked() {
        let mut line = Vec::new();
        write_line(&mut line, &Finding { allowed: true, ..FINDING }, None).unwrap();
        assert!(line.ends_with(b",\"allowed\":true}\n"));
    }

    #[test]
    fn several_inputs_are_told_apart() {
        let mut line = Vec::new();
        write_line(&mut line, &FINDING, Some("a.json")).unwrap();
        assert!(line.ends_with(b",\"file\":\"a.json\"}\n"));
    }
}
