//! Feeds the lexer in pieces, as a stream would, and watches that it keeps its word.

use crate::oracle::{Event, Outcome};
use obelus_json::filter::{ByteSet, Filter, Window};
use obelus_json::{Arch, Bracket, Cause, Hits, Lexer, Mode, Part, Scalar, StringFlags, Visitor, Wants};
use std::ops::Range;
use std::sync::LazyLock;

pub(crate) const DEPTH_MAX: usize = 70;

static FILTER: LazyLock<Filter> = LazyLock::new(|| {
    let at_digit = Window::head(&[ByteSet::of(b"+"), ByteSet::DIGIT]);
    let at_sign = Window::head(&[ByteSet::of(b"@")]);
    Filter::new(&[(at_sign, 8), (Window::literal(b"name that is"), 9), (at_digit, 10)])
});

/// How much of an open string value the visitor wants to see again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Again {
    Nothing,
    All,
    /// About so many bytes.
    Tail(usize),
}

struct Recorder<'b> {
    buf: &'b [u8],
    base: usize,
    again: Again,
    out: &'b mut Outcome,
    /// Where the open string value was to be presented again.
    resume: &'b mut usize,
}

impl Recorder<'_> {
    fn add(&mut self, event: Event) -> Result<(), ()> {
        assert_eq!(self.out.open, None, "a lexeme inside a string value");
        self.out.events.push(event);
        Ok(())
    }

    fn absolute(&self, range: &Range<usize>) -> Range<usize> {
        self.base + range.start..self.base + range.end
    }

    /// The flags are those of this range; candidates may be too many.
    fn check(&self, range: &Range<usize>, flags: StringFlags, hits: Hits<'_>) {
        let body = &self.buf[range.clone()];
        let units = units(body);
        assert_eq!(flags.contains(StringFlags::ESCAPE), body.contains(&b'\\'), "escape in {range:?}");
        assert_eq!(flags.contains(StringFlags::NON_ASCII), !body.is_ascii(), "non-ASCII in {range:?}");
        let has_unicode = units.iter().any(|&at| body[at..].starts_with(b"\\u"));
        assert_eq!(flags.contains(StringFlags::UNICODE_ESCAPE), has_unicode, "\\u in {range:?}");
        for at in (0..body.len()).filter(|&at| FILTER.buckets_at(body, at) != 0) {
            assert!(flags.contains(StringFlags::CANDIDATE), "candidate in {range:?}");
            let is_known = hits.all().is_none_or(|hits| hits.contains(&(range.start + at)));
            assert!(is_known, "no hit at {at} of {range:?}");
        }
    }

    fn resume_at(&self, range: &Range<usize>) -> usize {
        match self.again {
            Again::Nothing => range.end,
            Again::All => range.start,
            Again::Tail(len) => {
                let body = &self.buf[range.clone()];
                let wanted = body.len().saturating_sub(len);
                range.start + units(body).into_iter().find(|&at| at >= wanted).unwrap_or(body.len())
            }
        }
    }
}

/// Where units begin: escapes, surrogate pairs, characters.
fn units(body: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at < body.len() {
        starts.push(at);
        let is_pair = body[at..].len() >= 12
            && matches!(
                &body[at..at + 4],
                [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B']
            )
            && body[at + 6..].starts_with(b"\\u");
        at += match body[at] {
            b'\\' if is_pair => 12,
            b'\\' if body.get(at + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            _ => 1,
        };
        while body.get(at).is_some_and(|byte| byte & 0xC0 == 0x80) {
            at += 1;
        }
    }
    starts
}

impl Visitor for Recorder<'_> {
    type Stop = ();

    fn open(&mut self, bracket: Bracket, at: usize) -> Result<(), ()> {
        self.add(Event::Open(bracket, self.base + at))
    }

    fn close(&mut self, bracket: Bracket, at: usize) -> Result<(), ()> {
        self.add(Event::Close(bracket, self.base + at))
    }

    fn name(&mut self, body: Range<usize>, flags: StringFlags, hits: Hits<'_>) -> Result<(), ()> {
        self.check(&body, flags, hits);
        self.add(Event::Name(self.absolute(&body)))
    }

    fn string(
        &mut self,
        body: Range<usize>,
        part: Part,
        flags: StringFlags,
        hits: Hits<'_>,
    ) -> Result<usize, ()> {
        self.check(&body, flags, hits);
        let at = self.absolute(&body);
        assert_eq!(self.out.open.is_some(), matches!(part, Part::Middle | Part::Last), "{part:?}");
        let start = match self.out.open.take() {
            Some(open) => {
                assert_eq!(at.start, *self.resume, "presented from where it was asked for");
                open.start
            }
            None => at.start,
        };
        if matches!(part, Part::Whole | Part::Last) {
            self.add(Event::String(start..at.end))?;
            return Ok(body.end);
        }
        self.out.open = Some(start..at.end);
        let again = self.resume_at(&body);
        *self.resume = self.base + again;
        Ok(again)
    }

    fn scalar(&mut self, kind: Scalar, span: Range<usize>) -> Result<(), ()> {
        self.add(Event::Scalar(kind, self.absolute(&span)))
    }

    fn document(&mut self, at: usize) -> Result<(), ()> {
        self.add(Event::Document(self.base + at))
    }
}

/// Reads `pieces` one after the other; the last of them is the end of the input if `last` says so.
pub(crate) fn feed(mode: Mode, arch: Arch, pieces: &[&[u8]], last: bool, again: Again) -> Outcome {
    let mut lexer = Lexer::new(mode, DEPTH_MAX);
    let (mut out, mut hold, mut base, mut resume) = (Outcome::default(), Vec::new(), 0, 0);
    let mut wants = Wants::Any;
    for (idx, piece) in pieces.iter().enumerate() {
        hold.extend_from_slice(piece);
        let known = (out.events.len(), base);
        let is_last = last && idx + 1 == pieces.len();
        let mut recorder = Recorder { buf: &hold, base, again, out: &mut out, resume: &mut resume };
        match lexer.run(arch, &FILTER, &hold, is_last, &mut recorder) {
            Ok(progress) => {
                assert_eq!(lexer.is_in_string(), out.open.is_some());
                hold.drain(..progress.need_from);
                base += progress.need_from;
                let in_vain = match wants {
                    Wants::Any => false,
                    Wants::Quote => !piece.contains(&b'"'),
                    Wants::Delimiter => !piece.iter().any(|byte| b" \t\r\n,:[]{}\"".contains(byte)),
                };
                assert!(!in_vain || is_last || known == (out.events.len(), base), "{wants:?} was needless");
                wants = progress.wants;
            }
            Err(fault) => {
                let Cause::Syntax(error) = fault.cause else { unreachable!("the recorder never stops") };
                // An open string value is presented again from where the visitor asked, which differs.
                let unread = match &out.open {
                    Some(open) => {
                        assert_eq!(base + fault.need_from, resume);
                        open.end
                    }
                    None => base + fault.need_from,
                };
                out.error = Some((error.kind, base + error.at, unread));
                break;
            }
        }
    }
    out
}
