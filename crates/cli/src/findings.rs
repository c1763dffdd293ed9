//! Findings as lines of JSON.

use crate::input::display_name;
use crate::output::Output;
use obelus::{Finding, Span};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// One line. The names and their order are what others read.
#[derive(Serialize)]
struct Line<'a> {
    doc: u64,
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
}

fn write_line(mut writer: impl Write, finding: &Finding<'_>, file: Option<&str>) -> io::Result<()> {
    let line = Line {
        doc: finding.doc,
        path: finding.path,
        category: finding.category.as_str(),
        rule: finding.rule,
        span: pair(finding.span),
        chars: pair(finding.chars),
        allowed: finding.allowed,
        file,
    };
    serde_json::to_writer(&mut writer, &line)?;
    writer.write_all(b"\n")
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
