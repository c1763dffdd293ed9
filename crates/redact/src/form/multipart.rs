//! Bodies of `multipart/form-data` (RFC 7578): parts instead of pairs, nothing encoded.
//!
//! ```text
//! --BOUNDARY ⏎                                     the first line says what parts the body
//! Content-Disposition: form-data; name="card[number]" ⏎ ⏎
//!   └ held until it is whole; read by the detectors, but for the name, which is one of a form's
//! 4242424242424242                                 a value as any other of a form, JSON as JSON
//! ⏎--BOUNDARY--                                    the end of it, and here of all
//! ```
//!
//! A value ends where a line break and the boundary follow; as many bytes as these have are held. What a reader could
//! take for something else is an error: line feeds for line breaks, what stands before the first boundary or behind
//! the last, a part without one name, a coding of its bytes. So is a part of a media type that is neither text nor JSON:
//! nothing of an image leaves unread.

use super::{Progress, Reader, any, part_end};
use crate::error::{Error, ErrorKind};
use crate::finding::Span;
use crate::level::Scratch;
use crate::value::count;
use crate::walk::{Stop, Walk};
use memchr::memmem;
use obelus_detect::{Carry, Piece};
use obelus_json::SyntaxKind;
use obelus_json::map::OffsetMap;
use std::ops::Range;

/// RFC 2046, 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Where in the body the reader stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    /// Before the first line.
    #[default]
    Start,
    /// At the headers of a part.
    Head,
    /// Directly before the value of a part.
    Value,
    /// In the value of a part.
    Body,
    /// Directly behind a boundary.
    Boundary,
    /// Behind the last boundary.
    End,
}

/// What a multipart body keeps between runs.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    stage: Stage,
    /// A line break, two hyphens, the boundary.
    delimiter: Vec<u8>,
}

/// A step over the buffer.
enum Step {
    /// Goes on there.
    To(usize),
    /// More must come.
    Wait(Progress),
    /// It is no multipart body, or must not be read as one.
    Wrong(ErrorKind, usize),
}

impl Reader<'_, '_> {
    /// Reads parts.
    pub(super) fn parts(&mut self, buf: &[u8], last: bool) -> Result<Progress, Stop> {
        let mut at = 0;
        loop {
            let stage = self.form().parts.stage;
            if stage == Stage::End && at == buf.len() {
                break;
            }
            let step = match stage {
                Stage::Start => self.first_line(buf)?,
                Stage::Head => self.head(buf, at)?,
                Stage::Value => self.value_start(buf, at, last),
                Stage::Body => self.body(buf, at, last)?,
                Stage::Boundary => self.behind_boundary(buf, at),
                Stage::End if buf[at].is_ascii_whitespace() => Step::To(at + 1),
                Stage::End => Step::Wrong(ErrorKind::Multipart, at),
            };
            match step {
                Step::To(next) => at = next,
                // What was not read must not leave: the error points at where that begins.
                Step::Wait(Progress { settled, .. }) if last => {
                    return Err(self.wrong(ErrorKind::Syntax(SyntaxKind::UnexpectedEnd), settled));
                }
                Step::Wait(progress) => return Ok(progress),
                Step::Wrong(kind, at) => return Err(self.wrong(kind, at)),
            }
        }
        if last {
            self.end_line()?;
        }
        Ok(wait(at))
    }

    fn wrong(&self, kind: ErrorKind, at: usize) -> Stop {
        Stop::Error(Error::new(kind, self.base + at as u64))
    }

    /// The line that says what the boundary is.
    fn first_line(&mut self, buf: &[u8]) -> Result<Step, Stop> {
        let Some(len) = memmem::find(buf, b"\r\n") else {
            let is_long = buf.len() > BOUNDARY_BYTES_MAX + 8;
            return Ok(if is_long { Step::Wrong(ErrorKind::Multipart, 0) } else { Step::Wait(wait(0)) });
        };
        let line = buf[..len].trim_ascii_end();
        let boundary = line.strip_prefix(b"--").filter(|boundary| is_boundary(boundary));
        let Some(boundary) = boundary else { return Ok(Step::Wrong(ErrorKind::Multipart, 0)) };
        // It cannot be replaced, so it must not be anybody's.
        let found = self.walk(boundary, &OffsetMap::default(), 2, |walk| Ok(walk.first_match(boundary)))?;
        if found.is_some() {
            return Ok(Step::Wrong(ErrorKind::Multipart, 0));
        }
        let parts = &mut self.form().parts;
        parts.delimiter = [b"\r\n--", boundary].concat();
        parts.stage = Stage::Head;
        Ok(Step::To(len + 2))
    }

    /// The headers of a part.
    fn head(&mut self, buf: &[u8], at: usize) -> Result<Step, Stop> {
        let len = memmem::find(&buf[at..], b"\r\n\r\n");
        // As long as it is open, its last bytes may belong to the empty line that ends it.
        let end = len.map_or(at.max(buf.len().saturating_sub(3)), |len| at + len);
        self.check_name(at..end)?;
        if len.is_none() {
            return Ok(Step::Wait(wait(at)));
        }
        let name = match part_name(&buf[at..end]) {
            Ok(name) => at + name.start..at + name.end,
            Err(kind) => return Ok(Step::Wrong(kind, at)),
        };
        self.head_text(buf, at..name.start)?;
        self.name_at(buf, name.clone(), at)?;
        self.head_text(buf, name.end..end)?;
        let form = self.form();
        form.has_pairs = true;
        form.parts.stage = Stage::Value;
        self.restore_pointer();
        Ok(Step::To(end + 4))
    }

    /// A piece of the headers, read by the detectors.
    fn head_text(&mut self, buf: &[u8], raw: Range<usize>) -> Result<(), Stop> {
        let text = &buf[raw.clone()];
        self.walk(text, &OffsetMap::default(), raw.start, |walk| {
            walk.check_age(0)?;
            walk.label_matches()
        })?;
        self.level.state.base += text.len() as u64;
        Ok(())
    }

    /// The beginning of a value. Readers differ about a boundary that stands there.
    fn value_start(&mut self, buf: &[u8], at: usize, last: bool) -> Step {
        let parts = &mut self.form().parts;
        let (seen, boundary) = (&buf[at..], &parts.delimiter[2..]);
        if seen.starts_with(boundary) {
            return Step::Wrong(ErrorKind::Multipart, at);
        }
        if boundary.starts_with(seen) && !last {
            return Step::Wait(wait(at));
        }
        parts.stage = Stage::Body;
        Step::To(at)
    }

    /// The value of a part.
    fn body(&mut self, buf: &[u8], at: usize, last: bool) -> Result<Step, Stop> {
        let delimiter = std::mem::take(&mut self.form().parts.delimiter);
        let (held, len) = (delimiter.len() - 1, delimiter.len());
        // Also one behind a line feed alone, about which readers differ.
        let feed = memmem::find(&buf[at..], &delimiter[1..]).map(|len| at + len);
        let is_whole = feed.is_some_and(|feed| feed > at && buf[feed - 1] == b'\r');
        self.form().parts.delimiter = delimiter;
        // Bytes that may yet turn out to be the boundary are none of the value.
        let end = match feed {
            Some(feed) => feed - usize::from(is_whole),
            None if last => buf.len(),
            None => part_end(buf, at, at.max(buf.len().saturating_sub(held))),
        };
        let progress = self.value(buf, at..end, feed.is_none() && !last)?;
        Ok(match (progress, feed) {
            (Some(progress), _) => Step::Wait(progress),
            (None, None) => Step::Wait(wait(end)),
            (None, Some(_)) if !is_whole => Step::Wrong(ErrorKind::Multipart, end),
            (None, Some(_)) => {
                self.form().parts.stage = Stage::Boundary;
                self.level.state.base += len as u64;
                Step::To(end + len)
            }
        })
    }

    /// What follows a boundary: two hyphens at the end, else perhaps blanks and the end of the line.
    fn behind_boundary(&mut self, buf: &[u8], at: usize) -> Step {
        let (next, stage) = match &buf[at..] {
            [b'-', b'-', ..] => (2, Stage::End),
            [b'\r', b'\n', ..] => (2, Stage::Head),
            [b' ' | b'\t', ..] => (1, Stage::Boundary),
            [] | [b'-' | b'\r'] => return Step::Wait(wait(at)),
            _ => return Step::Wrong(ErrorKind::Multipart, at),
        };
        self.form().parts.stage = stage;
        self.level.state.base += next as u64;
        Step::To(at + next)
    }
}

impl Walk<'_, '_> {
    /// Puts labels in place of what is found in the buffer, a text that belongs to no member.
    fn label_matches(&mut self) -> Result<(), Stop> {
        self.state.frames.reset(b"");
        let Scratch { view, matches, shown, .. } = &mut *self.scratch;
        view.read(self.buf, any(), true);
        matches.clear();
        let piece = Piece { text: view.text(self.buf), carried: shown.known(), ..Piece::default() };
        self.compiled.detectors.scan(self.compiled.arch, piece, &mut Carry::default(), matches);
        for idx in 0..self.scratch.matches.len() {
            let (found, view) = (self.scratch.matches[idx], &self.scratch.view);
            let range = view.start(found.start)..view.end(found.end);
            let span = self.raw(&range);
            let label = self.out.rules.get(found.rule).category.label();
            self.out.replace(span, label.as_bytes())?;
            let start = count(&self.buf[..range.start], true);
            let chars = Span { start, end: start + count(&self.buf[range], true) };
            self.report_match(found.rule, (span, chars), false)?;
        }
        Ok(())
    }
}

fn wait(at: usize) -> Progress {
    Progress { need: at, settled: at }
}

/// RFC 2046, 5.1.1.
fn is_boundary(boundary: &[u8]) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()) && boundary.iter().all(is_sign)
}

/// Where the name stands in the headers of a part that can be read.
fn part_name(head: &[u8]) -> Result<Range<usize>, ErrorKind> {
    let is_line = |(at, &byte): (usize, &u8)| match byte {
        b'\r' => head.get(at + 1) == Some(&b'\n'),
        b'\n' => at > 0 && head[at - 1] == b'\r',
        b'\t' => true,
        byte => !byte.is_ascii_control(),
    };
    if !head.iter().enumerate().all(is_line) {
        return Err(ErrorKind::Multipart);
    }
    let (mut name, mut has_media, mut at) = (None, false, 0);
    while at < head.len() {
        let len = memmem::find(&head[at..], b"\r\n").unwrap_or(head.len() - at);
        let line = &head[at..at + len];
        let colon = memchr::memchr(b':', line).ok_or(ErrorKind::Multipart)?;
        let (field, value) = (&line[..colon], &line[colon + 1..]);
        if field.is_empty()
            || !field.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(ErrorKind::Multipart);
        }
        if field.eq_ignore_ascii_case(b"content-disposition") {
            let found = disposed(value).ok_or(ErrorKind::Multipart)?;
            let from = at + colon + 1;
            if name.replace(from + found.start..from + found.end).is_some() {
                return Err(ErrorKind::Multipart);
            }
        } else if field.eq_ignore_ascii_case(b"content-type") {
            if std::mem::replace(&mut has_media, true) || !is_readable(value) {
                return Err(ErrorKind::Media);
            }
        } else if field.eq_ignore_ascii_case(b"content-transfer-encoding") {
            let plain: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
            if !plain.iter().any(|coding| value.trim_ascii().eq_ignore_ascii_case(coding)) {
                return Err(ErrorKind::Media);
            }
        } else if field.eq_ignore_ascii_case(b"content-encoding") {
            return Err(ErrorKind::Media);
        }
        at += len + 2;
    }
    name.ok_or(ErrorKind::Multipart)
}

/// Where the name stands in what a `Content-Disposition` says.
fn disposed(value: &[u8]) -> Option<Range<usize>> {
    let mut name = None;
    let mut at = value.iter().position(|&byte| byte == b';')?;
    if !value[..at].trim_ascii().eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    while at < value.len() {
        // At a semicolon.
        let equals = at + memchr::memchr(b'=', &value[at..])?;
        let key = value[at + 1..equals].trim_ascii_start();
        let quoted = value.get(equals + 1) == Some(&b'"');
        let begin = equals + 1 + usize::from(quoted);
        let len = value[begin..].iter().position(|&byte| byte == if quoted { b'"' } else { b';' });
        let end = match len {
            Some(len) => begin + len,
            None if quoted => return None,
            None => value.len(),
        };
        let end = if quoted { end } else { begin + value[begin..end].trim_ascii_end().len() };
        // Readers differ about a backslash, a star in a key, blanks beside the equals sign, a quotation mark within and
        // a second name.
        let plain =
            |byte: &u8| if quoted { *byte != b'\\' } else { byte.is_ascii_graphic() && *byte != b'"' };
        if !key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            || !value[begin..end].iter().all(plain)
        {
            return None;
        }
        if key.eq_ignore_ascii_case(b"name") && name.replace(begin..end).is_some() {
            return None;
        }
        let rest = end + usize::from(quoted);
        let gap = value[rest..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        at = rest + gap;
        if at < value.len() && value[at] != b';' {
            return None;
        }
    }
    name
}

/// Whether a media type is text or JSON in a coding that is UTF-8.
fn is_readable(value: &[u8]) -> bool {
    let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let readable = media.starts_with(b"text/") || media == b"application/json" || media.ends_with(b"+json");
    let known = |set: &[u8]| [&b"utf-8"[..], b"us-ascii"].iter().any(|known| set.eq_ignore_ascii_case(known));
    // Of the parameters only the charset changes how the text is read; one that is not plainly written could be one.
    let is_harmless = |part: &[u8]| {
        let Some(equals) = memchr::memchr(b'=', part) else { return false };
        let (key, set) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
        let bare = set.strip_prefix(b"\"").and_then(|set| set.strip_suffix(b"\"")).unwrap_or(set);
        let plain = !key.contains(&b'*') && !bare.contains(&b'"');
        plain && (!key.eq_ignore_ascii_case(b"charset") || known(bare))
    };
    readable && parts.filter(|part| !part.is_empty()).all(is_harmless)
}
