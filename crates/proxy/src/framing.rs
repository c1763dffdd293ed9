//! Which bytes of a connection are a request's head, which its body, and whether there can be two opinions on that.
//!
//! Two readers that disagree about where a request ends let one be smuggled behind another. So whatever could be read
//! in two ways is refused before the HTTP library, which repairs some of it, sees a byte of the head:
//!
//! ```text
//! head: METHOD SP /target SP HTTP/1.1 CRLF, then name ":" value CRLF …, CRLF
//!        one Host; Content-Length of digits, once; or Transfer-Encoding `chunked`, once; never both
//! body:  that many bytes, or chunks: hexadecimal size, CRLF, bytes, CRLF … 0, trailers, CRLF
//! ```
//!
//! Line ends are CRLF and nothing else; lines are not folded; no control characters, nothing but ASCII.

use std::fmt;

/// Digits of a chunk's size: 4 GiB, far more than any body may have.
const CHUNK_DIGITS_MAX: usize = 8;
/// Bytes of the line before a chunk, extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

/// What is wrong with the framing of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// A line that does not end with CRLF, or CR within one.
    LineEnd,
    /// A control character, or a byte beyond ASCII.
    Byte,
    /// No `METHOD /target HTTP/1.1`.
    RequestLine,
    /// A target that names a host.
    Target,
    /// Another version of HTTP.
    Version,
    /// A header line without a name, or with a space before the colon or at its begin.
    HeaderLine,
    /// No host, or more than one.
    Host,
    /// A length that is no plain number, or more than one.
    Length,
    /// A transfer coding that is not `chunked` alone, or more than one.
    Coding,
    /// A length and a transfer coding.
    Both,
    /// A chunk that does not say its size, or does not end where it said.
    Chunk,
    /// A head or a trailer over the limit.
    TooLong,
    /// More header lines than the limit.
    TooMany,
}

impl Fault {
    /// The status that says it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Fault::TooLong | Fault::TooMany => 431,
            Fault::Version => 505,
            _ => 400,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::LineEnd => "a line of the request does not end with CRLF",
            Fault::Byte => "the head of the request holds a control character or a byte beyond ASCII",
            Fault::RequestLine => "the request does not begin with a method, a path and a version",
            Fault::Target => "the target of the request is not a path: leave scheme and host out",
            Fault::Version => "the version of HTTP is not 1.1",
            Fault::HeaderLine => "a header line has no plain name before its colon",
            Fault::Host => "the request does not have exactly one host header",
            Fault::Length => "the content-length is not one plain number",
            Fault::Coding => "the transfer-encoding is not `chunked` alone",
            Fault::Both => "the request has both a content-length and a transfer-encoding",
            Fault::Chunk => "a chunk of the body is not framed as its size says",
            Fault::TooLong => "the head of the request is over the limit of bytes",
            Fault::TooMany => "the head of the request is over the limit of header lines",
        })
    }
}

impl std::error::Error for Fault {}

/// Where the next byte belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// In a head: held until it is whole.
    Head,
    /// In a body, so many bytes before its end.
    Body(u64),
    /// In the line before a chunk.
    ChunkLine,
    /// In a chunk, so many bytes before its end.
    Chunk(u64),
    /// Behind a chunk: CR, then LF.
    ChunkEnd(u8),
    /// Behind the last chunk: trailers, then an empty line.
    Trailer,
}

/// Follows the framing of one direction of a connection.
#[derive(Debug)]
pub(crate) struct Framing {
    at: At,
    /// The lines that are not whole yet.
    lines: Vec<u8>,
    bytes_max: usize,
    headers_max: usize,
}

impl Framing {
    pub(crate) fn new(bytes_max: usize, headers_max: usize) -> Framing {
        Framing { at: At::Head, lines: Vec::new(), bytes_max, headers_max }
    }

    /// Whether the next byte belongs to a head.
    pub(crate) fn is_at_head(&self) -> bool {
        self.at == At::Head
    }

    /// Whether the last request is whole and none has begun.
    pub(crate) fn is_between(&self) -> bool {
        self.is_at_head() && self.lines.is_empty()
    }

    /// Reads the next bytes and appends those that may go on: heads that are whole and right, and bodies.
    pub(crate) fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        while !input.is_empty() {
            let taken = match self.at {
                At::Head | At::Trailer => self.lines(input, out)?,
                At::ChunkLine => self.chunk_line(input, out)?,
                At::Body(left) => self.counted(input, left, out, At::Head, At::Body),
                At::Chunk(left) => self.counted(input, left, out, At::ChunkEnd(b'\r'), At::Chunk),
                At::ChunkEnd(wanted) => {
                    if input[0] != wanted {
                        return Err(Fault::Chunk);
                    }
                    out.push(wanted);
                    self.at = if wanted == b'\r' { At::ChunkEnd(b'\n') } else { At::ChunkLine };
                    1
                }
            };
            input = &input[taken..];
        }
        Ok(())
    }

    fn counted(&mut self, input: &[u8], left: u64, out: &mut Vec<u8>, end: At, more: fn(u64) -> At) -> usize {
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        out.extend_from_slice(&input[..taken]);
        let left = left - taken as u64;
        self.at = if left == 0 { end } else { more(left) };
        taken
    }

    /// Takes one line, or what is there of it, of a head or of trailers.
    fn lines(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        let taken = self.take_line(input, self.bytes_max)?;
        let is_whole = self.lines.ends_with(b"\r\n\r\n") || self.lines == b"\r\n";
        if !is_whole {
            return Ok(taken);
        }
        self.at = if self.at == At::Head {
            head(&self.lines, self.headers_max)?
        } else {
            trailer(&self.lines, self.headers_max)?;
            At::Head
        };
        out.append(&mut self.lines);
        Ok(taken)
    }

    fn chunk_line(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        let taken = self.take_line(input, CHUNK_LINE_BYTES_MAX)?;
        if let Some(line) = self.lines.strip_suffix(b"\r\n") {
            let size = chunk_size(line)?;
            self.at = if size == 0 { At::Trailer } else { At::Chunk(size) };
            out.append(&mut self.lines);
        }
        Ok(taken)
    }

    /// Holds the input up to the end of the line, and checks its bytes.
    fn take_line(&mut self, input: &[u8], bytes_max: usize) -> Result<usize, Fault> {
        let taken = input.iter().position(|&byte| byte == b'\n').map_or(input.len(), |at| at + 1);
        if self.lines.len() + taken > bytes_max {
            return Err(Fault::TooLong);
        }
        let mut before = self.lines.last().copied();
        for &byte in &input[..taken] {
            match byte {
                b'\n' if before != Some(b'\r') => return Err(Fault::LineEnd),
                b'\n' => {}
                _ if before == Some(b'\r') => return Err(Fault::LineEnd),
                b'\r' | b'\t' | b' '..=b'~' => {}
                _ => return Err(Fault::Byte),
            }
            before = Some(byte);
        }
        self.lines.extend_from_slice(&input[..taken]);
        Ok(taken)
    }
}

/// The size in the line before a chunk. Extensions are passed over, and go no further: the body is framed anew.
fn chunk_size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    if !(1..=CHUNK_DIGITS_MAX).contains(&digits) || !(rest.is_empty() || rest[0] == b';') {
        return Err(Fault::Chunk);
    }
    let is_padded = rest.is_empty() && digits != line.len();
    let text = std::str::from_utf8(&line[..digits]).unwrap_or_default();
    if is_padded { Err(Fault::Chunk) } else { u64::from_str_radix(text, 16).or(Err(Fault::Chunk)) }
}

/// The lines of a head or of trailers, without their ends.
fn split(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = lines.strip_suffix(b"\r\n").unwrap_or(lines);
    whole.split_inclusive(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r\n").unwrap_or(line))
}

/// Checks a head and says what follows it.
fn head(lines: &[u8], headers_max: usize) -> Result<At, Fault> {
    let mut lines = split(lines);
    request_line(lines.next().unwrap_or_default())?;
    let (mut hosts, mut length, mut is_chunked, mut count) = (0, None, false, 0);
    for line in lines {
        let (name, value) = header_line(line)?;
        count += 1;
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let said = number(value).filter(|_| length.is_none()).ok_or(Fault::Length)?;
            length = Some(said);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if is_chunked || value != b"chunked" {
                return Err(Fault::Coding);
            }
            is_chunked = true;
        }
    }
    match (length, is_chunked) {
        _ if count > headers_max => Err(Fault::TooMany),
        _ if hosts != 1 => Err(Fault::Host),
        (Some(_), true) => Err(Fault::Both),
        (None, true) => Ok(At::ChunkLine),
        (None | Some(0), false) => Ok(At::Head),
        (Some(length), false) => Ok(At::Body(length)),
    }
}

fn trailer(lines: &[u8], headers_max: usize) -> Result<(), Fault> {
    let mut count = 0;
    for line in split(lines) {
        header_line(line)?;
        count += 1;
    }
    if count > headers_max { Err(Fault::TooMany) } else { Ok(()) }
}

fn request_line(line: &[u8]) -> Result<(), Fault> {
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::RequestLine);
    };
    if method.is_empty() || !method.iter().all(u8::is_ascii_uppercase) || target.is_empty() {
        return Err(Fault::RequestLine);
    }
    match version {
        _ if target.contains(&b'\t') => Err(Fault::RequestLine),
        b"HTTP/1.1" if target[0] == b'/' => Ok(()),
        b"HTTP/1.1" => Err(Fault::Target),
        _ => Err(Fault::Version),
    }
}

/// Name and value, which is trimmed.
fn header_line(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Fault::HeaderLine)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    match name {
        [] => Err(Fault::HeaderLine),
        name if name.iter().all(is_sign) => Ok((name, value.trim_ascii())),
        _ => Err(Fault::HeaderLine),
    }
}

/// A number of 1 to 18 digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let is_number = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes on, whole and byte by byte; both must agree.
    fn feed(input: &str) -> Result<String, Fault> {
        let mut framing = Framing::new(1024, 8);
        let mut whole = Vec::new();
        let result = framing.feed(input.as_bytes(), &mut whole);
        let (mut framing, mut pieces) = (Framing::new(1024, 8), Vec::new());
        let by_byte =
            input.as_bytes().chunks(1).try_for_each(|byte| framing.feed(byte, &mut pieces)).map(|()| &pieces);
        assert_eq!(result, by_byte.map(|_| ()), "{input:?}");
        assert_eq!(whole, pieces, "{input:?}");
        result.map(|()| String::from_utf8(whole).unwrap())
    }

    #[test]
    fn requests_that_are_right_go_on_as_they_are() {
        for input in [
            "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nhost:b\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n00\r\nX: y\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0\r\n\r\n\r\n345\r\n0\r\n\r\n",
        ] {
            assert_eq!(feed(input).as_deref(), Ok(input));
        }
    }

    #[test]
    fn a_head_is_held_until_it_is_whole() {
        assert_eq!(feed("GET / HTTP/1.1\r\nHost: a\r\n").as_deref(), Ok(""));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_a_fault() {
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (lines, fault) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Fault::Both),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", Fault::Length),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Fault::Length),
            ("Content-Length: 5, 5\r\n", Fault::Length),
            ("Content-Length: +5\r\n", Fault::Length),
            ("Content-Length: -5\r\n", Fault::Length),
            ("Content-Length: 0x5\r\n", Fault::Length),
            ("Content-Length:\r\n", Fault::Length),
            ("Content-Length: 99999999999999999999\r\n", Fault::Length),
            ("Transfer-Encoding: gzip, chunked\r\n", Fault::Coding),
            ("Transfer-Encoding: chunked, identity\r\n", Fault::Coding),
            ("Transfer-Encoding: xchunked\r\n", Fault::Coding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Fault::Coding),
            ("Transfer-Encoding : chunked\r\n", Fault::HeaderLine),
            ("X: a\r\n Content-Length: 3\r\n", Fault::HeaderLine),
            ("X: a\r\n\tb: c\r\n", Fault::HeaderLine),
            ("X: a\r\n b\r\n", Fault::HeaderLine),
            (": a\r\n", Fault::HeaderLine),
            ("no colon\r\n", Fault::HeaderLine),
            ("X: a\nContent-Length: 3\r\n", Fault::LineEnd),
            ("X: a\rContent-Length: 3\r\n", Fault::LineEnd),
            ("X: a\0\r\n", Fault::Byte),
            ("X: \u{e9}\r\n", Fault::Byte),
            ("Host: b\r\n", Fault::Host),
        ] {
            let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\nabcdefgh");
            assert_eq!(feed(&input), Err(fault), "{lines:?}");
        }
        for (body, fault) in [
            ("\r\n", Fault::Chunk),
            ("g\r\n", Fault::Chunk),
            ("-1\r\n", Fault::Chunk),
            ("0x3\r\nabc\r\n", Fault::Chunk),
            ("3 \r\nabc\r\n", Fault::Chunk),
            ("3\nabc\r\n", Fault::LineEnd),
            ("3\r\nabcd\r\n", Fault::Chunk),
            ("3\r\nabc\n", Fault::Chunk),
            ("123456789\r\n", Fault::Chunk),
            ("0\r\nX : y\r\n\r\n", Fault::HeaderLine),
        ] {
            assert_eq!(feed(&format!("{chunked}{body}")), Err(fault), "{body:?}");
        }
    }

    #[test]
    fn a_request_line_is_a_method_a_path_and_a_version() {
        for (line, fault) in [
            ("", Fault::RequestLine),
            ("GET /", Fault::RequestLine),
            ("GET  / HTTP/1.1", Fault::RequestLine),
            ("get / HTTP/1.1", Fault::RequestLine),
            ("GET /\t HTTP/1.1", Fault::RequestLine),
            ("GET http://198.51.100.1/ HTTP/1.1", Fault::Target),
            ("CONNECT example.com:443 HTTP/1.1", Fault::Target),
            ("OPTIONS * HTTP/1.1", Fault::Target),
            ("GET / HTTP/1.0", Fault::Version),
            ("PRI * HTTP/2.0", Fault::Version),
        ] {
            assert_eq!(feed(&format!("{line}\r\nHost: a\r\n\r\n")), Err(fault), "{line}");
        }
    }

    #[test]
    fn a_head_has_bounds() {
        let many = "X: y\r\n".repeat(8);
        assert_eq!(feed(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")), Err(Fault::TooMany));
        let long = "y".repeat(1024);
        assert_eq!(feed(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")), Err(Fault::TooLong));
    }
}
