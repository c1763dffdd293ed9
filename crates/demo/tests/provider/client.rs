//! A client that shows what came over the wire, frame by frame.

use serde_json::Value;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a read may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer that is being read.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    rest: usize,
    is_chunked: bool,
}

/// Sends a request, a body as JSON.
pub(crate) fn send(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(to).expect("the provider listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the socket takes it");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let len = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: stub\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the provider reads");
    stream.write_all(body.as_bytes()).expect("the provider reads");
    let mut reader = BufReader::new(stream);
    let status = line(&mut reader).split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut headers = Vec::new();
    loop {
        let line = line(&mut reader);
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut reply = Reply { status, headers, reader, rest: 0, is_chunked: false };
    reply.rest = reply.header("content-length").and_then(|len| len.parse().ok()).unwrap_or_default();
    reply.is_chunked = reply.header("transfer-encoding").is_some();
    reply
}

fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

impl Reply {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The next frame of the body; `None` at its end; an error where the connection broke.
    pub(crate) fn frame(&mut self) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        let len = if self.is_chunked {
            let line = line(&mut self.reader);
            usize::from_str_radix(&line, 16)?
        } else {
            std::mem::take(&mut self.rest)
        };
        let mut frame = vec![0; len];
        self.reader.read_exact(&mut frame)?;
        if self.is_chunked {
            line(&mut self.reader);
        }
        Ok((len > 0).then_some(frame))
    }

    /// The frames up to the end, and whether that was a proper one.
    pub(crate) fn frames(&mut self) -> (Vec<Vec<u8>>, bool) {
        let mut frames = Vec::new();
        loop {
            match self.frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, true),
                Err(_) => return (frames, false),
            }
        }
    }

    /// The whole body as text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.frames().0.concat()).expect("text")
    }

    pub(crate) fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// The data of the events.
    pub(crate) fn events(&mut self) -> Vec<Value> {
        events(&self.text())
    }
}

/// The data of the events of a stream, without `[DONE]`.
pub(crate) fn events(text: &str) -> Vec<Value> {
    let data =
        text.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect()
}
