//! What people see on standard error: errors, notes, progress, the summary.
//!
//! Everything but errors appears on terminals only. A standard error that cannot be written to is no reason to stop.

use crate::args::When;
use crate::failure::Failure;
use crate::input::Input;
use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use obelus::{Category, Finding};
use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Files beyond this size get a progress bar by default.
const PROGRESS_BYTES_MIN: u64 = 64 << 20;

/// How often the bar is drawn at most.
const DRAWS_PER_SECOND: u8 = 10;

/// The count of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Findings that an allow-list let stay.
    pub(crate) allowed: u64,
    counts: BTreeMap<Category, u64>,
    begun: Instant,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { bytes: 0, allowed: 0, counts: BTreeMap::new(), begun: Instant::now() }
    }
}

impl Tally {
    /// Counts a finding.
    pub(crate) fn note(&mut self, finding: &Finding<'_>) {
        match finding.allowed {
            true => self.allowed += 1,
            false => self.count(finding.category),
        }
    }

    fn count(&mut self, category: Category) {
        *self.counts.entry(category).or_insert(0) += 1;
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.bytes += other.bytes;
        self.allowed += other.allowed;
        for (&category, &count) in &other.counts {
            *self.counts.entry(category).or_insert(0) += count;
        }
    }

    /// How much was found that may not stay.
    pub(crate) fn findings(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// A progress bar, or none.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(crate) fn new(when: When, input: &Input) -> Progress {
        Progress::over(when, &input.name, input.size_bytes)
    }

    /// A bar over something of that name and size.
    pub(crate) fn over(when: When, name: &str, size_bytes: Option<u64>) -> Progress {
        let is_long = size_bytes.is_some_and(|size_bytes| size_bytes > PROGRESS_BYTES_MIN);
        let is_wanted = match when {
            When::Always => true,
            When::Auto => is_long,
            When::Never => false,
        };
        if !is_wanted || !io::stderr().is_terminal() {
            return Progress(None);
        }
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(size_bytes, target).with_message(name.to_owned());
        let template = match size_bytes {
            Some(_) => "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{msg} {bytes}, {bytes_per_sec}",
        };
        // A template that does not parse leaves the plain bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Progress(Some(bar))
    }

    pub(crate) fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Writes what was found to a terminal.
pub(crate) fn write_summary(tally: &Tally) {
    if io::stderr().is_terminal() {
        write(&summary(tally, tally.begun.elapsed(), has_colour()));
    }
}

/// Writes why a run failed.
pub(crate) fn write_failure(failure: &Failure) {
    let name = if has_colour() { "\u{1b}[1;31mobelus:\u{1b}[0m" } else { "obelus:" };
    let mut text = format!("{name} {}\n", failure.line());
    if io::stderr().is_terminal()
        && let Some(picture) = failure.picture()
    {
        text.push_str(picture);
        text.push('\n');
    }
    write(&text);
}

/// Writes a word to whoever sits before the terminal.
pub(crate) fn write_note(note: &str) {
    if io::stderr().is_terminal() {
        write(&format!("obelus: {note}\n"));
    }
}

/// Writes what limits a result, also where nobody sits before a terminal.
pub(crate) fn write_warning(warning: &str) {
    write(&format!("obelus: {warning}\n"));
}

fn write(text: &str) {
    io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

/// Whether standard error may be coloured: see <https://no-color.org>.
fn has_colour() -> bool {
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_dumb && !is_refused
}

/// The most frequent category first.
fn summary(tally: &Tally, elapsed: Duration, has_colour: bool) -> String {
    let mut rows: Vec<(Category, u64)> =
        tally.counts.iter().map(|(&category, &count)| (category, count)).collect();
    rows.sort_by_key(|&(category, count)| (u64::MAX - count, category));
    let (bold, plain) = if has_colour { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let mut text = String::new();
    for (category, count) in rows {
        // `Category` writes itself without regard to width.
        let category = category.as_str();
        text.push_str(&format!("{category:<18}{bold}{count:>10}{plain}\n"));
    }
    let size = DecimalBytes(tally.bytes);
    let rate = rate(tally.bytes, elapsed);
    let findings = tally.findings();
    let noun = if findings == 1 { "finding" } else { "findings" };
    let allowed = match tally.allowed {
        0 => String::new(),
        allowed => format!(" and {allowed} allowed"),
    };
    text.push_str(&format!("{findings} {noun}{allowed} in {size}, {rate:.0} MB/s\n"));
    text
}

#[expect(clippy::cast_precision_loss, reason = "shown to people as a whole number of megabytes")]
fn rate(bytes: u64, elapsed: Duration) -> f64 {
    bytes as f64 / 1e6 / elapsed.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally { bytes: 2_500_000, ..Tally::default() };
        tally.count(Category::CardNumber);
        tally.count(Category::Email);
        tally.count(Category::Email);
        tally
    }

    #[test]
    fn the_summary_lists_the_most_frequent_category_first() {
        let text = summary(&tally(), Duration::from_millis(10), false);
        assert_eq!(
            text,
            "email                      2\ncard-number                1\n3 findings in 2.50 MB, 250 MB/s\n"
        );
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let text = summary(&tally(), Duration::from_millis(10), true);
        let plain = text.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, summary(&tally(), Duration::from_millis(10), false));
        assert_ne!(plain, text);
    }

    #[test]
    fn what_may_stay_is_counted_apart() {
        let text = summary(&Tally { allowed: 2, ..tally() }, Duration::from_millis(10), false);
        assert!(text.ends_with("\n3 findings and 2 allowed in 2.50 MB, 250 MB/s\n"), "{text}");
    }

    #[test]
    fn a_summary_of_nothing_is_one_line() {
        let text = summary(&Tally::default(), Duration::ZERO, false);
        assert_eq!(text, "0 findings in 0 B, 0 MB/s\n");
    }
}
