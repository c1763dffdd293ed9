//! How a run ends.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How a run ends that did what it was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Exit code 0.
    Done,
    /// Something was found under `--fail`, or a check found a fault: exit code 3.
    Found,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Found => ExitCode::from(3),
        }
    }
}

/// Why a run ended early: one line for the user, and for terminals a picture of the place.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    line: String,
    picture: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Input or output: exit code 1.
    Data,
    /// Usage or configuration: exit code 2.
    Usage,
}

impl Failure {
    /// Wrong usage or configuration.
    pub(crate) fn usage(line: impl Into<String>) -> Failure {
        Failure { kind: Kind::Usage, line: line.into(), picture: None }
    }

    /// Something wrong with input or output.
    pub(crate) fn data(line: impl Into<String>) -> Failure {
        Failure { kind: Kind::Data, line: line.into(), picture: None }
    }

    /// An operation of the system failed on `name`.
    pub(crate) fn io(name: &str, doing: &str, error: &io::Error) -> Failure {
        // Errors that libraries wrap may name files the user knows nothing of.
        let reason = match error.raw_os_error() {
            Some(_) => error.to_string(),
            None => error.kind().to_string(),
        };
        Failure::data(format!("{name}: cannot {doing}: {}{}", lower_first(&reason), remedy(error.kind())))
    }

    /// A configuration from which no redactor can be built.
    pub(crate) fn config(error: &impl fmt::Display) -> Failure {
        Failure::usage(one_line(&error.to_string()))
    }

    /// The same failure, with a picture of the place.
    pub(crate) fn with_picture(mut self, picture: Option<String>) -> Failure {
        self.picture = picture;
        self
    }

    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    pub(crate) fn picture(&self) -> Option<&str> {
        self.picture.as_deref()
    }

    pub(crate) fn exit(&self) -> ExitCode {
        match self.kind {
            Kind::Data => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
        }
    }
}

/// The first line of `text` and its last: what stands between in the errors of TOML is a drawing.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first}: {last}"),
        (Some(only), None) => only.to_owned(),
        (None, _) => String::new(),
    }
}

/// What to do about an error of the system, if that is not plain from it.
fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => ": check the path",
        io::ErrorKind::PermissionDenied => ": check the permissions",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room",
        _ => "",
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_drawing_becomes_one_line() {
        let text = "pack.toml: TOML parse error at line 2, column 3\n  |\n2 | x\n  | ^\nexpected `=`\n";
        assert_eq!(one_line(text), "pack.toml: TOML parse error at line 2, column 3: expected `=`");
        assert_eq!(one_line("no rule\n"), "no rule");
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn system_errors_say_what_to_do_and_nothing_of_our_files() {
        let wrapped = io::Error::new(io::ErrorKind::NotFound, "no such file at /tmp/.obelus-x");
        assert_eq!(
            Failure::io("out/a.json", "write it", &wrapped).line(),
            "out/a.json: cannot write it: entity not found: check the path"
        );
        let plain = io::Error::from_raw_os_error(2);
        assert!(Failure::io("a", "open it", &plain).line().starts_with("a: cannot open it: "));
    }
}
