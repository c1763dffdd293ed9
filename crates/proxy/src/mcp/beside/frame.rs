//! What goes over the socket: a length (four bytes, the greatest first), a byte that says what it is, what it says. The
//! length is that of the byte and of what follows it.

use obelus_mcp::{Lost, MESSAGE_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use zeroize::Zeroizing;

/// Two processes that do not speak the same version do not speak.
pub(super) const PROTOCOL: u32 = 1;

/// Bytes of what opens a connection, and of what is said of it.
pub(super) const HELLO_BYTES_MAX: usize = 4 << 10;

/// Bytes of a message as it goes on: 16 MiB as it came, and what may take the place of tokens and values in it, escaped.
pub(super) const PASSED_BYTES_MAX: usize = 8 * MESSAGE_BYTES_MAX;

/// Bytes before what a frame says.
pub(super) const HEAD_BYTES: usize = 5;

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// From `obelus mcp`: opens a connection. A [`Hello`].
    Hello,
    /// From `obelus mcp`, on a channel: a message, or a line of standard error.
    Message,
    /// The session has begun: its id. On a channel: it is open.
    Begun,
    /// The connection is not opened. A [`Refusal`].
    Refused,
    /// The message goes on, as it stands here.
    Forward,
    /// It goes no further; this goes back.
    Answer,
    /// It goes no further, and nothing goes back.
    Drop,
    /// This goes to the client; what becomes of the message comes next.
    Tell,
    /// It waits for people: the number of the channel on which its end is told, eight bytes, the greatest first.
    Wait,
    /// The line, redacted.
    Text,
    /// The line cannot be read.
    NoText,
    /// The session is over, on its first connection. One byte says why.
    Over,
}

const KINDS: [(Kind, u8); 12] = [
    (Kind::Hello, b'H'),
    (Kind::Message, b'M'),
    (Kind::Begun, b'B'),
    (Kind::Refused, b'R'),
    (Kind::Forward, b'F'),
    (Kind::Answer, b'A'),
    (Kind::Drop, b'D'),
    (Kind::Tell, b'C'),
    (Kind::Wait, b'W'),
    (Kind::Text, b'T'),
    (Kind::NoText, b'N'),
    (Kind::Over, b'O'),
];

const REASONS: [(Lost, u8); 6] = [
    (Lost::Gone, b'g'),
    (Lost::Revoked, b'r'),
    (Lost::Ending, b'e'),
    (Lost::Withdrawn, b'w'),
    (Lost::Busy, b'b'),
    (Lost::Fault, b'f'),
];

/// One frame, read whole.
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Frame {
    pub(super) fn new(kind: Kind, body: impl Into<Vec<u8>>) -> Frame {
        Frame { kind, body: body.into() }
    }

    /// What is written before what it says; nothing if that is longer than a message may become.
    pub(super) fn head(&self) -> Option<[u8; HEAD_BYTES]> {
        if self.body.len() > PASSED_BYTES_MAX {
            return None;
        }
        let (_, sign) = KINDS.into_iter().find(|(kind, _)| *kind == self.kind)?;
        let [a, b, c, d] = u32::try_from(self.body.len() + 1).ok()?.to_be_bytes();
        Some([a, b, c, d, sign])
    }
}

/// What a head says: the kind, and how many bytes follow. Nothing if there is no such frame or it says more than that.
pub(super) fn opened(head: [u8; HEAD_BYTES], bytes_max: usize) -> Option<(Kind, usize)> {
    let [a, b, c, d, sign] = head;
    let bytes = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?.checked_sub(1)?;
    let (kind, _) = KINDS.into_iter().find(|(_, known)| *known == sign)?;
    (bytes <= bytes_max).then_some((kind, bytes))
}

/// Why a session is over, as a byte says it.
pub(super) fn reason_of(body: &[u8]) -> Option<Lost> {
    let [sign] = body else { return None };
    REASONS.into_iter().find(|(_, known)| known == sign).map(|(lost, _)| lost)
}

/// That a session is over.
pub(super) fn over(why: Lost) -> Frame {
    let sign = REASONS.into_iter().find(|(lost, _)| *lost == why).map(|(_, sign)| sign);
    Frame::new(Kind::Over, sign.map(|sign| vec![sign]).unwrap_or_default())
}

/// Writes a frame, on a thread that may wait.
pub(super) fn write(mut to: &UnixStream, frame: &Frame) -> io::Result<()> {
    let head = frame.head().ok_or_else(|| io::Error::other("a frame that is too long"))?;
    to.write_all(&head)?;
    to.write_all(&frame.body)
}

/// Reads a frame, on a thread that may wait; nothing if the other side has ended the connection before it.
pub(super) fn read(mut from: &UnixStream, bytes_max: usize) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD_BYTES];
    if let Err(error) = from.read_exact(&mut head) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let no_frame = || io::Error::new(io::ErrorKind::InvalidData, "what came is no frame");
    let (kind, bytes) = opened(head, bytes_max).ok_or_else(no_frame)?;
    let mut body = Vec::new();
    from.take(bytes as u64).read_to_end(&mut body)?;
    if body.len() < bytes {
        return Err(no_frame());
    }
    Ok(Some(Frame { kind, body }))
}

/// What opens a connection.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) open: Open,
}

/// What a connection is for.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Open {
    /// A session begins.
    Session {
        /// The virtual key.
        key: Zeroizing<String>,
        /// The server, by its name in the configuration.
        server: String,
        /// Whether the server's own key is a live one, where that is known.
        livemode: Option<bool>,
    },
    /// A channel of a session.
    Channel {
        /// The id of the session.
        session: String,
        /// What goes over it.
        of: Of,
    },
}

/// What goes over a channel.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Of {
    /// What the client says.
    Client,
    /// What the server says.
    Server,
    /// The server's standard error, line by line.
    Errors,
    /// What becomes of a call that waits for people. Nothing is said on it but that.
    Held(u64),
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Open::Session { .. } => "Session",
            Open::Channel { .. } => "Channel",
        })
    }
}

/// The version alone, whatever else another release says.
#[derive(Deserialize)]
struct Version {
    protocol: u32,
}

impl Hello {
    /// What a connection is for, of this version.
    ///
    /// # Errors
    /// What to tell the other side.
    pub(super) fn read(frame: &Frame) -> Result<Open, &'static str> {
        let version = serde_json::from_slice(&frame.body).map(|Version { protocol }| protocol);
        match version {
            Ok(PROTOCOL) if frame.kind == Kind::Hello => {}
            Ok(_) if frame.kind == Kind::Hello => {
                return Err(
                    "`obelus mcp` and the running `obelus serve` are of releases that do not understand each \
                            other: run the same release",
                );
            }
            _ => return Err("what came does not open a connection: only `obelus mcp` speaks here"),
        }
        let hello: Hello = serde_json::from_slice(&frame.body)
            .or(Err("what came does not open a connection as this version has it"))?;
        Ok(hello.open)
    }
}

/// Why a connection is not opened.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Refusal {
    /// Whether key or configuration must be others, rather than something at the sidecar.
    pub(super) is_config: bool,
    /// What, where, what to do.
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written_and_nothing_else_is_one() {
        for (kind, _) in KINDS {
            let (ours, theirs) = UnixStream::pair().unwrap();
            write(&ours, &Frame::new(kind, b"{}".as_slice())).unwrap();
            drop(ours);
            let read_back = read(&theirs, 2).unwrap().unwrap();
            assert_eq!((read_back.kind, read_back.body.as_slice()), (kind, b"{}".as_slice()));
            assert!(read(&theirs, 2).unwrap().is_none());
        }
        for (wrong, bytes_max) in [
            (b"\0\0\0\x03H{}".as_slice(), 1),
            (b"\0\0\0\x03h{}", 9),
            (b"\0\0\0\0H", 9),
            (b"\xff\xff\xff\xffH", PASSED_BYTES_MAX),
            (b"\0\0\0\x04H{}", 9),
        ] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            ours.write_all(wrong).unwrap();
            drop(ours);
            assert!(read(&theirs, bytes_max).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn reasons_are_read_as_they_were_written() {
        for (why, _) in REASONS {
            assert_eq!(reason_of(&over(why).body), Some(why));
        }
        assert_eq!(reason_of(b"?").or(reason_of(b"")).or(reason_of(b"rr")), None);
    }

    #[test]
    fn what_opens_a_connection_is_of_this_version_and_holds_nothing_else() {
        let said = |text: &str| Hello::read(&Frame::new(Kind::Hello, text));
        assert!(said(r#"{"protocol":1,"open":{"channel":{"session":"a","of":{"held":7}}}}"#).is_ok());
        assert!(
            said(r#"{"protocol":1,"open":{"session":{"key":"k","server":"s","livemode":null}}}"#).is_ok()
        );
        for (wrong, wanted) in [
            (r#"{"protocol":2,"open":{"other":{}},"more":1}"#, "the same release"),
            (
                r#"{"protocol":1,"open":{"channel":{"session":"a","of":"client","more":1}}}"#,
                "as this version",
            ),
            (r#"{"protocol":1,"open":{"channel":{"session":"a"}},"more":1}"#, "as this version"),
            ("{}", "only `obelus mcp`"),
            ("\u{1}", "only `obelus mcp`"),
        ] {
            let told = said(wrong).expect_err(wrong);
            assert!(told.contains(wanted), "{wrong}: {told}");
        }
        let frame =
            Frame::new(Kind::Message, r#"{"protocol":1,"open":{"channel":{"session":"a","of":"client"}}}"#);
        assert!(Hello::read(&frame).is_err());
    }
}
