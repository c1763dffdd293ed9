//! A client as small as can be: one request a connection, and the answer piece by piece as it comes.

use super::Stop;
use crate::failure::Failure;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long the other side may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Bytes of an answer, and of one line of it.
const BYTES_MAX: usize = 1 << 20;

/// Where pieces of text stand in events and in whole answers, in the order in which they are read.
const TEXTS: [&str; 5] = [
    "/choices/0/delta/content",
    "/choices/0/delta/tool_calls/0/function/name",
    "/choices/0/delta/tool_calls/0/function/arguments",
    "/delta/text",
    "/error/message",
];

/// A request.
pub(super) struct Request<'a> {
    pub(super) path: &'a str,
    /// Name and value of each header that says more than the body's form.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// An answer that has ended.
pub(super) struct Reply {
    pub(super) status: u16,
    /// What the sidecar calls the request.
    pub(super) request_id: Option<String>,
    /// The text of the answer, of all events together.
    pub(super) text: String,
    /// How many pieces of text came.
    pub(super) pieces: usize,
    /// The body as it came.
    pub(super) body: Vec<u8>,
}

/// What is told of an answer while it comes.
pub(super) enum News<'a> {
    /// Its head has come.
    Head,
    /// A piece of its text has come.
    Piece(&'a str),
}

/// Sends a request and reads the answer to its end, until `deadline` at the latest.
pub(super) fn ask(
    to: SocketAddr,
    request: &Request<'_>,
    deadline: Instant,
    mut tell: impl FnMut(News<'_>) -> Result<(), Stop>,
) -> Result<Reply, Stop> {
    let mut wire = Wire::send(to, request, deadline).map_err(|error| failed(to, &error))?;
    let head = wire.head().map_err(|error| failed(to, &error))?;
    tell(News::Head)?;
    let mut reply = Reply {
        status: head.status,
        request_id: head.request_id,
        text: String::new(),
        pieces: 0,
        body: Vec::new(),
    };
    let mut read = 0;
    loop {
        let more = wire.more(head.length, &mut reply.body).map_err(|error| failed(to, &error))?;
        while let Some((event, end)) = event(&reply.body, read, head.is_stream, !more) {
            for piece in texts(event) {
                tell(News::Piece(&piece))?;
                reply.text.push_str(&piece);
                reply.pieces += 1;
            }
            read = end;
        }
        if !more {
            return Ok(reply);
        }
    }
}

/// The next event from `from` on and where it ends; of an answer that is no stream, all of it when it has come.
fn event(body: &[u8], from: usize, is_stream: bool, is_whole: bool) -> Option<(&[u8], usize)> {
    let rest = body.get(from..).filter(|rest| !rest.is_empty())?;
    if !is_stream {
        return is_whole.then_some((rest, body.len()));
    }
    let len = rest.windows(2).position(|pair| pair == b"\n\n")? + 2;
    rest.get(..len).map(|event| (event, from + len))
}

/// The pieces of text in an event, or in a whole answer.
fn texts(event: &[u8]) -> Vec<String> {
    let lines = event.split(|&byte| byte == b'\n');
    let data = lines.map(|line| line.strip_prefix(b"data: ").unwrap_or(line));
    let read = data.filter_map(|data| serde_json::from_slice::<Value>(data).ok());
    let all = read.flat_map(|value| {
        TEXTS.map(|path| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned())
    });
    all.filter(|text| !text.is_empty()).collect()
}

fn failed(to: SocketAddr, error: &io::Error) -> Stop {
    Stop::Failed(Failure::io(&to.to_string(), "ask it", error))
}

/// The head of an answer, as far as it matters.
struct Head {
    status: u16,
    request_id: Option<String>,
    is_stream: bool,
    /// Nothing if the body comes in chunks.
    length: Option<usize>,
}

/// A connection with an open request.
struct Wire {
    reader: BufReader<Timed>,
}

impl Wire {
    fn send(to: SocketAddr, request: &Request<'_>, deadline: Instant) -> io::Result<Wire> {
        let mut stream = TcpStream::connect_timeout(&to, left(deadline)?)?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.set_nodelay(true)?;
        let Request { path, headers, body } = request;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        Ok(Wire { reader: BufReader::new(Timed { stream, deadline }) })
    }

    fn head(&mut self) -> io::Result<Head> {
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head =
            Head { status: status.ok_or_else(odd)?, request_id: None, is_stream: false, length: Some(0) };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                return if line.is_empty() { Ok(head) } else { Err(odd()) };
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "x-obelus-request-id" => head.request_id = Some(value.to_owned()),
                "content-type" => head.is_stream = value.starts_with("text/event-stream"),
                "transfer-encoding" => head.length = None,
                "content-length" => head.length = Some(value.parse().or(Err(odd()))?),
                _ => {}
            }
        }
    }

    /// Reads the next part of the body; says whether there may be more.
    fn more(&mut self, length: Option<usize>, body: &mut Vec<u8>) -> io::Result<bool> {
        let len = match length {
            Some(length) => length,
            None => usize::from_str_radix(&self.line()?, 16).or(Err(odd()))?,
        };
        if len > BYTES_MAX || body.len() + len > BYTES_MAX {
            return Err(odd());
        }
        let at = body.len();
        body.resize(at + len, 0);
        self.reader.read_exact(body.get_mut(at..).unwrap_or_default())?;
        if length.is_none() {
            self.line()?;
        }
        Ok(length.is_none() && len > 0)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let bytes_max = BYTES_MAX as u64;
        (&mut self.reader).take(bytes_max).read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(odd()),
        }
    }
}

/// A connection that is read until a deadline.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        // Systems call a read that came to its time by different names.
        self.stream.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.min(SILENCE_MAX)) }
}

/// What came is not what a server says.
fn odd() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_from_events_and_from_errors() {
        let chat = br#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
        assert_eq!(texts(chat), ["a"]);
        let call =
            br#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":""}}]}}]}"#;
        assert_eq!(texts(call), ["f"]);
        let message = b"event: content_block_delta\ndata: {\"delta\":{\"text\":\"b\"}}\n\n";
        assert_eq!(texts(message), ["b"]);
        assert_eq!(texts(br#"{"error":{"message":"no"}}"#), ["no"]);
        assert_eq!(texts(b"data: [DONE]\n\n"), [""; 0]);
    }

    #[test]
    fn an_event_is_read_when_it_has_ended() {
        let body = b"data: 1\n\ndata: 2\n\ndata";
        assert_eq!(event(body, 0, true, false), Some((&b"data: 1\n\n"[..], 9)));
        assert_eq!(event(body, 9, true, false), Some((&b"data: 2\n\n"[..], 18)));
        assert_eq!(event(body, 18, true, true), None);
        assert_eq!(event(b"{}", 0, false, false), None);
        assert_eq!(event(b"{}", 0, false, true), Some((&b"{}"[..], 2)));
    }
}
