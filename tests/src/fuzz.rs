//! The bodies of the fuzz targets: each takes any bytes and panics if a promise is broken.
//!
//! The targets in `fuzz/` call these; so does an ordinary test, with stored inputs and a fixed number of random
//! ones.

use crate::cases::{HASH_KEY, Level, Replace};
use crate::document::{Dice, document};
use crate::reference::Reference;
use crate::run::{self, Found, Ran};
use obelus::{Arch, CarryOver, Format, Limits, Profile, Redactor, Transform};
use obelus_json::filter::Filter;
use obelus_json::{Bracket, Cause, Hits, Lexer, Mode, Part, Scalar, StringFlags, SyntaxKind, Visitor};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::LazyLock;

/// What a target does with an input.
pub type Body = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Body); 4] = [
    ("lexer", lexer),
    ("chunking", chunking),
    ("stream_vs_reference", stream_vs_reference),
    ("rule_compile", rule_compile),
];

const DEPTH_MAX: usize = 100;

/// What a lexer reported, with offsets in the input; the parts of a string as one.
#[derive(Debug, Default, Eq, PartialEq)]
struct Lexemes {
    seen: Vec<(char, Range<usize>)>,
    base: usize,
    fault: Option<(SyntaxKind, usize)>,
}

impl Lexemes {
    fn add(&mut self, what: char, range: Range<usize>) {
        self.seen.push((what, self.base + range.start..self.base + range.end));
    }
}

impl Visitor for Lexemes {
    type Stop = Infallible;

    fn open(&mut self, bracket: Bracket, at: usize) -> Result<(), Infallible> {
        self.add(if bracket == Bracket::Object { '{' } else { '[' }, at..at + 1);
        Ok(())
    }

    fn close(&mut self, bracket: Bracket, at: usize) -> Result<(), Infallible> {
        self.add(if bracket == Bracket::Object { '}' } else { ']' }, at..at + 1);
        Ok(())
    }

    fn name(&mut self, body: Range<usize>, _: StringFlags, _: Hits<'_>) -> Result<(), Infallible> {
        self.add('n', body);
        Ok(())
    }

    fn string(
        &mut self,
        body: Range<usize>,
        part: Part,
        _: StringFlags,
        _: Hits<'_>,
    ) -> Result<usize, Infallible> {
        let end = body.end;
        match (part, self.seen.last_mut()) {
            (Part::Middle | Part::Last, Some((_, open))) => {
                assert_eq!(open.end, self.base + body.start, "a part does not follow the one before");
                open.end = self.base + end;
            }
            _ => self.add('s', body),
        }
        Ok(end)
    }

    fn scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), Infallible> {
        self.add(if kind == Scalar::Number { '0' } else { 'l' }, span);
        Ok(())
    }

    fn document(&mut self, at: usize) -> Result<(), Infallible> {
        self.add('.', at..at);
        Ok(())
    }
}

fn lex(arch: Arch, mode: Mode, input: &[u8], cuts: &[usize]) -> Lexemes {
    let mut lexemes = Lexemes::default();
    let mut lexer = Lexer::new(mode, DEPTH_MAX);
    let filter = Filter::new(&[]);
    for end in cuts.iter().copied().chain([input.len()]) {
        let (end, last) = (end.clamp(lexemes.base, input.len()), end == input.len());
        let buf = &input[lexemes.base..end];
        match lexer.run(arch, &filter, buf, last, &mut lexemes) {
            Ok(progress) => lexemes.base += progress.need_from,
            Err(fault) => {
                let Cause::Syntax(error) = fault.cause;
                lexemes.fault = Some((error.kind, lexemes.base + error.at));
                break;
            }
        }
    }
    lexemes.base = 0;
    lexemes
}

/// The lexer accepts what a full parser accepts, and reports the same at every instruction set and however the
/// input is cut.
pub fn lexer(data: &[u8]) {
    let Some((&first, input)) = data.split_first() else { return };
    let mode = [Mode::Document, Mode::Sequence, Mode::Embedded][usize::from(first) % 3];
    if mode == Mode::Embedded && std::str::from_utf8(input).is_err() {
        return;
    }
    let expected = lex(Arch::scalar(), mode, input, &[]);
    let spread = usize::from(first) * 7 % (input.len() + 1);
    let bytes: Vec<usize> = (1..input.len()).collect();
    for arch in Arch::available() {
        for cuts in [&[][..], &[spread], &[spread / 2, spread], &bytes] {
            assert_eq!(lex(arch, mode, input, cuts), expected, "{} cut at {cuts:?}", arch.name());
        }
    }
    if mode == Mode::Document {
        let is_deep = matches!(expected.fault, Some((SyntaxKind::Depth, _)));
        let text = std::str::from_utf8(input).ok();
        let accepted = text.is_some_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        assert!(is_deep || accepted == expected.fault.is_none(), "a full parser says accepted = {accepted}");
    }
}

static REDACTORS: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let formats = [Format::Sequence, Format::Json, Format::Text, Format::Form];
    let transforms = [Transform::Label, Transform::Mask, Transform::Remove, Transform::Hash];
    let mut redactors = Vec::new();
    for arch in Arch::available() {
        for (format, transform) in formats.into_iter().zip(transforms) {
            let mut builder = Redactor::builder();
            builder.arch(arch).format(format).transform(transform).hash_key(HASH_KEY);
            redactors.push(builder.build().expect("the default rules compile"));
        }
    }
    redactors
});

/// What the engine and the reference are compared with.
const CONFIGURATIONS: [(Transform, Replace, Profile, Level); CONFIGURATION_COUNT] = [
    (Transform::Label, Replace::Label, Profile::Balanced, Level::Balanced),
    (Transform::Mask, Replace::Mask, Profile::Balanced, Level::Balanced),
    (Transform::Remove, Replace::Remove, Profile::Balanced, Level::Balanced),
    (Transform::Label, Replace::Label, Profile::Strict, Level::Strict),
    (Transform::Hash, Replace::Hash, Profile::Balanced, Level::Balanced),
    (Transform::Generalise, Replace::Generalise, Profile::Strict, Level::Strict),
];

/// How many configurations [`agree`] knows.
pub const CONFIGURATION_COUNT: usize = 6;

static PAIRS: LazyLock<Vec<(Redactor, Reference)>> = LazyLock::new(|| {
    let pair = |(transform, replace, profile, level): (_, _, _, _)| {
        // The reference never gives up waiting, and knows of no value where it stands once more.
        let limits = Limits { wait_bytes_max: u64::MAX, ..Limits::default() };
        let mut builder = Redactor::builder();
        builder.transform(transform).hash_key(HASH_KEY).profile(profile).limits(limits);
        builder.carry_over(CarryOver::Off);
        let reference = Reference::new(replace, level);
        (builder.build().expect("the default rules compile"), reference.expect("the default rules compile"))
    };
    CONFIGURATIONS.into_iter().map(pair).collect()
});

/// Output, findings and error do not depend on how the input was cut, and what is outside findings is the input.
pub fn chunking(data: &[u8]) {
    let (&[choice, ref sizes @ ..], input) = data.split_at(data.len().min(5)) else { return };
    let redactor = &REDACTORS[usize::from(choice) % REDACTORS.len()];
    let expected = run::whole(redactor, input);
    same("byte by byte", &expected, &run::in_sizes(redactor, input, 1));
    for &size in sizes {
        same("in equal pieces", &expected, &run::in_sizes(redactor, input, usize::from(size) + 1));
        let cut = usize::from(size) * (input.len() + 1) / 256;
        same("in two", &expected, &run::cut_at(redactor, input, &[cut]));
    }
    if expected.error.is_none() {
        run::check_outside(input, &expected).expect("clean input comes out as it is");
    }
}

/// The engine and the reference agree on every document.
pub fn stream_vs_reference(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let agreed = agree(&document(rest), usize::from(first) % CONFIGURATION_COUNT, usize::from(first) + 1);
    assert!(agreed.is_ok(), "{}", agreed.err().unwrap_or_default());
}

/// Runs `input` through the engine, in pieces of `size` bytes, and through the reference, both in one of the
/// configurations.
///
/// # Errors
/// Shows both where they differ.
pub fn agree(input: &[u8], configuration: usize, size: usize) -> Result<(), String> {
    let (redactor, reference) = &PAIRS[configuration];
    let ran = run::in_sizes(redactor, input, size);
    let shown = input.escape_ascii();
    let Some(expected) = reference.redact(input) else {
        return Err(format!("input {shown}\nthe reference takes it for no JSON; engine {ran:?}"));
    };
    let expected = Ran { output: expected.output, findings: expected.findings, error: None };
    if ran == expected {
        return Ok(());
    }
    let differ = |(one, other): &(&Found, &Found)| one != other;
    let first = ran.findings.iter().zip(&expected.findings).find(differ);
    let at = ran.output.iter().zip(&expected.output).take_while(|(one, other)| one == other).count();
    let near =
        |output: &[u8]| output[at.saturating_sub(80)..output.len().min(at + 80)].escape_ascii().to_string();
    let (engine, reference) = (near(&ran.output), near(&expected.output));
    let counts = (ran.findings.len(), expected.findings.len());
    let error = ran.error;
    Err(format!("input {shown}\nengine {engine}\nreference {reference}\n{first:?} {counts:?} {error:?}"))
}

/// A rule file is compiled or refused with a reason; what is compiled runs.
pub fn rule_compile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Redactor::builder().bare().rules(text, "any.toml").build() {
        Ok(redactor) => {
            let input = document(&data[..data.len().min(256)]);
            same("byte by byte", &run::whole(&redactor, &input), &run::in_sizes(&redactor, &input, 1));
        }
        Err(error) => assert!(error.to_string().starts_with("any.toml"), "an error without its file"),
    }
}

/// A rule file that is nearly right, from a stored one: some lines are left out, doubled or swapped.
pub fn spoiled_rules(text: &str, data: &[u8]) -> String {
    let mut dice = Dice::new(data);
    let mut lines: Vec<&str> = text.lines().collect();
    for _ in 0..1 + dice.roll(4) {
        let at = (dice.roll(256) * 256 + dice.roll(256)) % lines.len().max(1);
        match dice.roll(3) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines.insert(at, lines[at]),
            _ => lines.rotate_left(at),
        }
    }
    lines.join("\n")
}

fn same(how: &str, expected: &Ran, ran: &Ran) {
    assert!(expected == ran, "{how}\nwhole {expected:?}\ncut {ran:?}");
}
