//! `obelus rules explain` on the path of a value: which evidence decided, without the value.

use crate::args::FormatArg;
use crate::failure::{Failure, Outcome};
use crate::input::{CHUNK_BYTES, Input};
use crate::manual::write_out;
use obelus::{By, Described, Finding, Format, Level, PushError, Redactor, Sink};
use serde_json::{Deserializer, Value};
use std::convert::Infallible;

/// Whether what shall be explained is a path: ids of rules and categories begin with a letter.
pub(crate) fn is_path(wanted: &str) -> bool {
    wanted.is_empty() || wanted.starts_with(['/', '#'])
}

/// How strong a rule's evidence is, in words.
pub(crate) fn level(level: Option<Level>) -> &'static str {
    match level {
        None => "every: rules over names do not ask for one",
        Some(Level::Possible) => "possible",
        Some(Level::Likely) => "likely",
        Some(Level::Certain) => "certain",
    }
}

/// Explains every finding at `path`.
pub(crate) fn explain(
    path: &str,
    mut input: Input,
    arg: FormatArg,
    build: impl FnOnce(Format) -> Result<Redactor, Failure>,
) -> Result<Outcome, Failure> {
    let mut buf = vec![0; CHUNK_BYTES];
    let (told, filled) = input.begin(arg, &mut buf)?;
    // As `scan` does: a file of several documents is read through.
    let format = if told == Format::Json { Format::Lines } else { told };
    let redactor = build(format)?;
    let mut text = buf[..filled].to_vec();
    input.read_rest(&mut text)?;
    let mut why = Why { path, redactor: &redactor, told: Vec::new() };
    let mut stream = redactor.stream();
    stream.push(&text, &mut why).and_then(|()| stream.finish(&mut why)).map_err(|error| match error {
        PushError::Redact(error) => Failure::data(format!("{}: {error}: mend the input", input.name)),
        PushError::Sink(never) => match never {},
    })?;
    if why.told.is_empty() {
        if !matches!(format, Format::Text | Format::Form | Format::Multipart) && !stands_in(path, &text) {
            let line =
                format!("{}: no value at that path: `obelus scan` shows the paths of findings", input.name);
            return Err(Failure::data(line));
        }
        why.told
            .push(format!("{}\n  stays       no rule that is in force finds anything there\n", shown(path)));
    }
    write_out(why.told.join("\n").as_bytes())
}

/// Gathers the explanations.
struct Why<'a> {
    path: &'a str,
    redactor: &'a Redactor,
    told: Vec<String>,
}

impl Sink for Why<'_> {
    type Error = Infallible;

    fn keep(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        if finding.path == self.path {
            self.told.push(self.explanation(finding));
        }
        Ok(())
    }

    fn wants_reasons(&self) -> bool {
        true
    }
}

impl Why<'_> {
    fn explanation(&self, finding: &Finding<'_>) -> String {
        let Finding { doc, rule, category, span, chars, .. } = finding;
        let info = self.redactor.rules().iter().find(|info| info.rule == *rule);
        let level = level(info.and_then(|info| info.level));
        let evidence = match finding.reason {
            Some(reason) => in_words(&self.redactor.describe(reason)),
            None => format!("the text itself: {}", info.map_or("", |info| &info.validator)),
        };
        format!(
            "{}\n  rule        {rule}\n  category    {category}\n  level       {level}\n  evidence    {evidence}\n  \
             stands at   document {doc}, bytes {} to {}, characters {} to {}\n",
            shown(self.path),
            span.start,
            span.end,
            chars.start,
            chars.end
        )
    }
}

fn in_words(reason: &Described<'_>) -> String {
    let mut text = match reason.by {
        By::Name => format!("the member's name, `{}`", reason.name),
        By::Sibling => format!("a sibling, which says that the member is `{}`", reason.name),
        By::Around => "a member further up, below which everything is of this kind".to_owned(),
        By::Elsewhere => "the same value under a sensitive name elsewhere in the document".to_owned(),
        By::Doubt => "none came within reach: a value that waits too long counts as sensitive".to_owned(),
    };
    if let Some(rule) = reason.rule {
        text.push_str(&format!("; context, by rule {rule}: {}", reason.context.join(", ")));
    }
    text
}

/// The path as a heading. It is what the user wrote.
fn shown(path: &str) -> String {
    if path.is_empty() { "the whole document".to_owned() } else { path.escape_debug().to_string() }
}

/// Whether some document in `text` has a value at `path`, in which `#` leads into a string.
fn stands_in(path: &str, text: &[u8]) -> bool {
    let documents = Deserializer::from_slice(text).into_iter::<Value>();
    documents.map_while(Result::ok).any(|document| leads_to(path, &document))
}

fn leads_to(path: &str, value: &Value) -> bool {
    if value.pointer(path).is_some() {
        return true;
    }
    // A name may hold a `#` as well.
    path.match_indices('#').any(|(at, _)| {
        let (before, after) = path.split_at(at);
        let text = value.pointer(before).and_then(Value::as_str);
        text.is_some_and(|text| stands_in(after.get(1..).unwrap_or_default(), text.as_bytes()))
    })
}
