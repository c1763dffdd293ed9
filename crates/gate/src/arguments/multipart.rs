//! Arguments from bodies of `multipart/form-data` (RFC 7578), as they come where files are sent.
//!
//! ```text
//! --BOUNDARY ⏎
//! Content-Disposition: form-data; name="file"; filename="receipt.pdf" ⏎    a file: name, type, size and digest count
//! Content-Type: application/pdf ⏎ ⏎
//! … ⏎--BOUNDARY ⏎
//! Content-Disposition: form-data; name="purpose" ⏎ ⏎                       a field, as a pair of a form
//! dispute_evidence ⏎--BOUNDARY--
//! ```
//!
//! Readers of such bodies differ more than those of forms, so everything is refused in which they could: line feeds for
//! line breaks, text before the first or behind the last boundary, the boundary anywhere else, headers and parameters
//! that are not known, a name that is escaped.

use super::{Argument, Arguments, PairReader};
use crate::denied::Denied;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// RFC 2046, 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Bytes of the headers of one part: a name and the name of a file.
const HEAD_BYTES_MAX: usize = 4096;

/// Parts of one body. Each is searched for the end of its headers.
const PARTS_MAX: usize = 1000;

const PLACE: &str = "body";

/// One part of a body.
#[derive(Clone, Eq, PartialEq)]
pub struct Part<'a> {
    /// The name of the argument, with brackets as in a form.
    pub name: &'a str,
    /// What the part says of the file that it holds; absent of a field.
    pub file: Option<FileHead<'a>>,
    /// Where its content stands in the body.
    pub content: Range<usize>,
}

/// What a part says of its file.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct FileHead<'a> {
    /// The name of the file.
    pub filename: &'a str,
    /// Its media type, if it says one.
    pub content_type: Option<&'a str>,
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("content", &self.content).finish_non_exhaustive()
    }
}

impl fmt::Debug for FileHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileHead").finish_non_exhaustive()
    }
}

/// The boundary in a header `Content-Type: multipart/form-data; boundary=…`. None if it is another type, or the header
/// says anything else.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (media, parameter) = content_type.split_once(';')?;
    let (name, value) = parameter.trim().split_once('=')?;
    let is_known =
        media.trim_end().eq_ignore_ascii_case("multipart/form-data") && name.eq_ignore_ascii_case("boundary");
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => value,
    };
    // Of what RFC 2046 allows, the rest ends a boundary for some readers.
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let fits = (1..=BOUNDARY_BYTES_MAX).contains(&value.len()) && value.bytes().all(is_sign);
    (is_known && fits).then_some(value)
}

/// Takes a body apart.
///
/// # Errors
/// The body could be read in two ways.
pub fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, Denied> {
    let line = format!("--{boundary}");
    let line = line.as_bytes();
    let behind = |at: usize| body.get(at + line.len()..).unwrap_or_default();
    if !body.starts_with(line) || !behind(0).starts_with(b"\r\n") {
        return Err(fault("it does not begin with the boundary of its header"));
    }
    let mut parts = Vec::new();
    let mut at = line.len() + 2;
    loop {
        let head_end = find(body, at, b"\r\n\r\n", HEAD_BYTES_MAX)
            .ok_or(fault("a part whose headers do not end, or are longer than 4 KiB"))?;
        let content_at = head_end + 4;
        // Also where no line break stands before it: a reader may take it for the end.
        let mark = find(body, at, line, usize::MAX).ok_or(fault("the last boundary is missing"))?;
        let is_whole = mark >= content_at + 2 && body.get(..mark).is_some_and(|seen| seen.ends_with(b"\r\n"));
        if !is_whole {
            return Err(fault("the boundary stands within a part"));
        }
        let head = body.get(at..head_end).unwrap_or_default();
        let (name, file) = head_of(std::str::from_utf8(head).or(Err(fault("a header that is not UTF-8")))?)?;
        parts.push(Part { name, file, content: content_at..mark - 2 });
        if parts.len() > PARTS_MAX {
            return Err(fault("more than 1,000 parts"));
        }
        match behind(mark) {
            b"--" | b"--\r\n" => return Ok(parts),
            [b'\r', b'\n', ..] => at = mark + line.len() + 2,
            _ => return Err(fault("a boundary is followed by something else than a part or the end")),
        }
    }
}

/// Reads a body in which `file_name` is the name of the one argument that is a file.
pub(crate) fn read_parts(body: &[u8], boundary: &str, file_name: &str) -> Result<Arguments, Denied> {
    let mut reader = PairReader::new(PLACE);
    let mut sent = None;
    for part in parts(body, boundary)? {
        let content = body.get(part.content.clone()).unwrap_or_default();
        // The steps of a name are what stands before its first bracket, and so on.
        let is_file_name = part.name.split('[').next() == Some(file_name);
        match part.file {
            Some(file) if part.name == file_name => {
                if sent.replace(described(&file, content)).is_some() {
                    return Err(Denied::Duplicate(PLACE));
                }
            }
            Some(_) => return Err(fault("a file under another name than the operation takes one")),
            None if is_file_name => return Err(fault("a file without the name of a file")),
            None => {
                let text = String::from_utf8(content.to_vec()).or(Err(fault("a field that is not UTF-8")))?;
                if text.contains('\0') {
                    return Err(fault("a field with a null character"));
                }
                reader.add(part.name, text)?;
            }
        }
    }
    let mut arguments = reader.finish()?;
    if let Some(file) = sent {
        arguments.insert(file_name, file).map_err(|_taken| Denied::Duplicate(PLACE))?;
    }
    Ok(arguments)
}

/// A file as an argument: what can be said of it without its content.
fn described(file: &FileHead<'_>, content: &[u8]) -> Argument {
    let digest = Sha256::digest(content);
    let mut members = BTreeMap::new();
    let mut say = |name: &str, text: String| members.insert(name.to_owned(), Argument::Text(text));
    say("filename", file.filename.to_owned());
    say("content_type", file.content_type.unwrap_or("application/octet-stream").to_owned());
    say("size", content.len().to_string());
    say("sha256", digest.iter().map(|byte| format!("{byte:02x}")).collect());
    Argument::Members(members)
}

/// What the headers of a part say.
fn head_of(head: &str) -> Result<(&str, Option<FileHead<'_>>), Denied> {
    let (mut disposition, mut media, mut coding) = (None, None, None);
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(": ").ok_or(fault("a header of a part that is none"))?;
        if value.chars().any(char::is_control) {
            return Err(fault("a control character in a header of a part"));
        }
        let slot = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => &mut disposition,
            "content-type" => &mut media,
            "content-transfer-encoding" => &mut coding,
            _ => return Err(fault("a part with a header that is not known")),
        };
        if slot.replace(value).is_some() {
            return Err(Denied::Duplicate("the headers of a part"));
        }
    }
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("binary")) {
        return Err(fault("a part that is encoded"));
    }
    let disposition = disposition.ok_or(fault("a part without a Content-Disposition"))?;
    let (name, filename) = disposed(disposition).ok_or(fault("a Content-Disposition with two readings"))?;
    let Some(filename) = filename else {
        let is_text = |media: &str| {
            let media = media.to_ascii_lowercase().replace(' ', "");
            ["text/plain", "text/plain;charset=utf-8", "text/plain;charset=\"utf-8\""]
                .contains(&media.as_str())
        };
        return match media.is_none_or(is_text) {
            true => Ok((name, None)),
            false => Err(fault("a field that is no plain text in UTF-8")),
        };
    };
    if !media.is_none_or(is_media_type) {
        return Err(fault("a file whose media type is none"));
    }
    Ok((name, Some(FileHead { filename, content_type: media })))
}

/// The name and the file's name of `form-data; name="…"; filename="…"`.
fn disposed(value: &str) -> Option<(&str, Option<&str>)> {
    let mut rest = value.strip_prefix("form-data")?;
    let (mut name, mut filename) = (None, None);
    while !rest.is_empty() {
        let parameter = rest.strip_prefix("; ")?;
        let (key, quoted) = parameter.split_once("=\"")?;
        let (text, behind) = quoted.split_once('"')?;
        let slot = match key {
            "name" => &mut name,
            "filename" => &mut filename,
            _ => return None,
        };
        // Some readers take a backslash for an escape, decode what follows a percent sign, or look for parameters and
        // headers within what is quoted; a file without a name is none to them.
        let is_plain = !text.is_empty() && !text.contains(['\\', '%', ';', '=', ':']);
        if !is_plain || slot.replace(text).is_some() {
            return None;
        }
        rest = behind;
    }
    name.map(|name| (name, filename))
}

/// A type and a subtype without parameters.
fn is_media_type(text: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    text.len() <= 127 && text.split_once('/').is_some_and(|(media, sub)| is_token(media) && is_token(sub))
}

fn fault(what: &'static str) -> Denied {
    Denied::Unreadable(PLACE, what)
}

/// Where `wanted` stands in `body` from `at` on, within so many bytes.
fn find(body: &[u8], at: usize, wanted: &[u8], bytes_max: usize) -> Option<usize> {
    let end = at.saturating_add(bytes_max).min(body.len());
    memchr::memmem::find(body.get(at..end)?, wanted).map(|found| at + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    fn file(content: &str) -> String {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r.txt\"\r\n\
             Content-Type: text/plain\r\n\r\n{content}\r\n"
        )
    }

    fn read(body: &str) -> Result<Arguments, Denied> {
        read_parts(body.as_bytes(), "b", "file")
    }

    #[test]
    fn a_boundary_has_one_reading() {
        for (header, wanted) in [
            ("multipart/form-data; boundary=b", Some("b")),
            ("Multipart/Form-Data;boundary=\"a-b\"", Some("a-b")),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=b", None),
            ("multipart/form-data; boundary=b; boundary=c", None),
            ("multipart/form-data; charset=utf-8; boundary=b", None),
            ("multipart/form-data; boundary=\"b", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=a b", None),
            // To some readers these are `a`, `y` and `a`.
            ("multipart/form-data; boundary=\"a,b\"", None),
            ("multipart/form-data; boundary=\"x-boundary=y\"", None),
            ("multipart/form-data; boundary=\"a:b\"", None),
        ] {
            assert_eq!(boundary(header), wanted, "{header}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))), None);
    }

    #[test]
    fn a_file_is_what_can_be_said_of_it() {
        let body = [&field("purpose", "dispute_evidence"), &file("abc"), "--b--\r\n"].concat();
        let arguments = read(&body).expect("it has one reading");
        assert_eq!(arguments.text("purpose"), Some("dispute_evidence"));
        assert_eq!(
            arguments.to_json()["file"],
            serde_json::json!({
                "filename": "r.txt",
                "content_type": "text/plain",
                "size": "3",
                // FIPS 180-2, appendix B.1.
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            })
        );
    }

    /// As `stripe` 16.1.0 for Python and `stripe` 23.1.0 for Node write one request; and under a boundary that begins with
    /// dashes.
    #[test]
    fn bodies_of_clients_are_read() {
        let disposition = "Content-Disposition: form-data; name=";
        let python = "filename=\"files/receipt.txt\"\r\nContent-Type: application/octet-stream";
        let node = "filename=\"receipt.txt\"\r\nContent-Type: text/plain";
        for (header, file) in [
            (
                "multipart/form-data; boundary=22606718bf682a784d91825b5dc73eb3ef6190f4e8087a01a5692b6a09e9",
                python,
            ),
            ("multipart/form-data; boundary=2950a6f4-ee93-482f-a59e-e004f1950e21", node),
            ("multipart/form-data; boundary=------------------------d74496d66958873e", node),
        ] {
            let boundary = boundary(header).expect("a boundary");
            let body = format!(
                "--{boundary}\r\n{disposition}\"purpose\"\r\n\r\ndispute_evidence\r\n\
                 --{boundary}\r\n{disposition}\"file\"; {file}\r\n\r\npaid\r\n\r\n\
                 --{boundary}\r\n{disposition}\"file_link_data[create]\"\r\n\r\ntrue\r\n--{boundary}--\r\n"
            );
            let arguments = read_parts(body.as_bytes(), boundary, "file").expect(header).to_json();
            assert_eq!(arguments["file"]["size"], "6", "{header}");
            assert_eq!(arguments["file_link_data"]["create"], "true");
        }
    }

    #[test]
    fn fields_are_those_of_a_form() {
        let body = [&field("file_link_data[create]", "true"), &field("expand[]", "links"), "--b--"].concat();
        let form = super::super::read_form(b"file_link_data[create]=true&expand[]=links", "body");
        assert_eq!(read(&body), form);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let whole = [&field("a", "1"), "--b--"].concat();
        assert!(read(&whole).is_ok());
        let head = |head: &str| format!("--b\r\n{head}\r\n\r\n1\r\n--b--");
        let bodies = [
            String::new(),
            "--b--".to_owned(),
            format!("preamble\r\n{whole}"),
            format!("{whole}\r\nepilogue"),
            format!("{whole}--"),
            whole.replace("\r\n", "\n"),
            whole.replace("--b\r\n", "--b \r\n"),
            whole.replace("--b--", "--c--"),
            whole.replace("--b--", "--b-"),
            [&field("a", "1"), &field("a", "2"), "--b--"].concat(),
            [&field("a", "1"), &field("a[b]", "2"), "--b--"].concat(),
            [&field("a", "x--b\r\n\r\ny"), "--b--"].concat(),
            [&field("a", "x\n--b\n"), "--b--"].concat(),
            [&field("a", "--by"), "--b--"].concat(),
            [&field("a", "\0"), "--b--"].concat(),
            [&field("file", "1"), "--b--"].concat(),
            [&file("1"), &file("2"), "--b--"].concat(),
            [&file("1"), &field("file[sha256]", "2"), "--b--"].concat(),
            [&file("1").replace("\"file\"", "\"purpose\""), "--b--"].concat(),
            [&file("1").replace("r.txt", ""), "--b--"].concat(),
            [&file("1").replace("r.txt", "a; name=purpose"), "--b--"].concat(),
            [&file("1").replace("r.txt", "Content-Type: text/html"), "--b--"].concat(),
            [&file("1").replace("r.txt", "a%2Ehtml"), "--b--"].concat(),
            [&field("a[b][; name=c]", "1"), "--b--"].concat(),
            [&file("1").replace("text/plain", "text"), "--b--"].concat(),
            [&file("1").replace("text/plain", "text/plain; charset=utf-7"), "--b--"].concat(),
            head("Content-Disposition: form-data"),
            head("Content-Disposition: form-data; name=a"),
            head("Content-Disposition: form-data; name=\"a\"; name=\"b\""),
            head("Content-Disposition: form-data; name=\"a\"; size=\"1\""),
            head("Content-Disposition: form-data; name=\"a\"; filename*=utf-8''x"),
            head("Content-Disposition: form-data; name=\"a\\\"b\""),
            head("Content-Disposition: form-data; name=\"%61\""),
            head("Content-Disposition: attachment; name=\"a\""),
            head("Content-Disposition: form-data;\r\n name=\"a\""),
            head("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\""),
            head("Content-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json"),
            head("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64"),
            head("Content-Disposition: form-data; name=\"a\"\r\nX-Other: 1"),
            head("Content-Type: text/plain"),
        ];
        for body in bodies {
            assert!(read(&body).is_err(), "{body}");
        }
        let long = head(&format!("Content-Disposition: form-data; name=\"{}\"", "a".repeat(HEAD_BYTES_MAX)));
        assert!(read(&long).is_err());
        assert!(
            read_parts(
                b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--b--",
                "b",
                "file"
            )
            .is_err()
        );
        let many = [field("a[]", "1").repeat(PARTS_MAX + 1), "--b--".to_owned()].concat();
        assert!(read(&many).is_err());
    }
}
