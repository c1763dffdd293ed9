//! Errors of JSON-RPC and of tools, as messages of ours.

use crate::gate::Told;
use crate::head::REVISIONS;
use obelus_json::string::escape;
use std::fmt;

/// Why a message goes no further. Holds nothing of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The code of JSON-RPC.
    pub code: i32,
    /// What, and what to do.
    pub message: String,
}

/// Policy, a finding or a limit stands against it. Codes from -32000 to -32099 are for implementations to choose; none of
/// the protocol's is used.
const REFUSED: i32 = -32050;

/// A revision that is not known; the protocol wants those that are.
const REVISION: i32 = -32022;

impl Fault {
    pub(crate) fn new(code: i32, message: &str) -> Fault {
        Fault { code, message: message.to_owned() }
    }

    /// No JSON.
    pub(crate) fn parse(message: &str) -> Fault {
        Fault::new(-32700, message)
    }

    /// No message of the protocol.
    pub(crate) fn invalid(message: &str) -> Fault {
        Fault::new(-32600, message)
    }

    /// A revision that is not known.
    pub fn revision() -> Fault {
        Fault::new(REVISION, "the revision is not known to the gateway: use one of those supported")
    }

    /// Headers and body differ.
    pub fn headers(what: &str) -> Fault {
        Fault::new(-32020, what)
    }

    /// A method that is not passed on.
    pub(crate) fn method() -> Fault {
        Fault::new(-32601, "the method is not known to the gateway: use those of the protocol")
    }

    /// Parameters that are not what the method takes.
    pub(crate) fn params(message: &str) -> Fault {
        Fault::new(-32602, message)
    }

    /// A fault of the gateway or of what it needs.
    pub(crate) fn internal(message: &str) -> Fault {
        Fault::new(-32603, message)
    }

    /// Policy, a finding or a limit stands against it.
    pub fn refused(message: &str) -> Fault {
        Fault::new(REFUSED, message)
    }

    /// The error as a message; `id` is as it was written.
    pub fn answer(&self, id: Option<&[u8]>) -> Vec<u8> {
        told(id, &Told::Error(&self.member()))
    }

    /// The member `error` of such a message.
    pub(crate) fn member(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(b"{\"code\":");
        out.extend_from_slice(self.code.to_string().as_bytes());
        out.extend_from_slice(b",\"message\":\"");
        escape(self.message.as_bytes(), &mut out);
        out.push(b'"');
        if self.code == REVISION {
            let known: Vec<String> = REVISIONS.iter().map(|known| format!("\"{known}\"")).collect();
            out.extend_from_slice(format!(",\"data\":{{\"supported\":[{}]}}", known.join(",")).as_bytes());
        }
        out.push(b'}');
        out
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

fn open(id: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.unwrap_or(b"null"));
    out.push(b',');
    out
}

/// The result of a tool that says that the call failed, for the model to read.
pub(crate) fn tool_error(id: &[u8], is_modern: bool, text: &str) -> Vec<u8> {
    let mut out = open(Some(id));
    out.extend_from_slice(b"\"result\":{");
    if is_modern {
        out.extend_from_slice(b"\"resultType\":\"complete\",");
    }
    out.extend_from_slice(b"\"content\":[{\"type\":\"text\",\"text\":\"");
    escape(text.as_bytes(), &mut out);
    out.extend_from_slice(b"\"}],\"isError\":true}}");
    out
}

/// Where people decide, as a client shows it to whoever sits there.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    /// For people.
    pub(crate) text: &'a str,
    pub(crate) address: &'a str,
}

impl Page<'_> {
    fn members(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"mode\":\"url\",\"message\":\"");
        escape(self.text.as_bytes(), out);
        out.extend_from_slice(b"\",\"url\":\"");
        escape(self.address.as_bytes(), out);
        out.push(b'"');
    }
}

/// The name under which a client is asked to show a page, and answers whether it did.
pub(crate) const INPUT: &str = "approval";

/// A result that says that the call waits: whoever gets it repeats the request with `state` as its `requestState`, once
/// it has shown the page, if there is one.
pub(crate) fn input_required(id: &[u8], state: &str, page: Option<Page<'_>>) -> Vec<u8> {
    let mut out = open(Some(id));
    out.extend_from_slice(b"\"result\":{\"resultType\":\"input_required\",");
    if let Some(page) = page {
        let asks =
            format!("\"inputRequests\":{{\"{INPUT}\":{{\"method\":\"elicitation/create\",\"params\":{{");
        out.extend_from_slice(asks.as_bytes());
        page.members(&mut out);
        out.extend_from_slice(b"}}},");
    }
    out.extend_from_slice(b"\"requestState\":\"");
    escape(state.as_bytes(), &mut out);
    out.extend_from_slice(b"\"}}");
    out
}

/// The error of revision 2025-11-25 that says, in `text` for the model, that the call waits until people have been to a
/// page. `name` tells such pages apart. <https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation>
pub(crate) fn page_needed(id: &[u8], text: &str, name: &str, page: Page<'_>) -> Vec<u8> {
    let mut out = open(Some(id));
    out.extend_from_slice(b"\"error\":{\"code\":-32042,\"message\":\"");
    escape(text.as_bytes(), &mut out);
    out.extend_from_slice(b"\",\"data\":{\"elicitations\":[{");
    page.members(&mut out);
    out.extend_from_slice(b",\"elicitationId\":\"");
    escape(name.as_bytes(), &mut out);
    out.extend_from_slice(b"\"}]}}}");
    out
}

/// A question of the gateway's to whoever sits at a client of an older revision: a form without anything to fill in.
/// <https://modelcontextprotocol.io/specification/2025-06-18/client/elicitation>
pub(crate) fn ask(name: &str, text: &str) -> Vec<u8> {
    let mut out = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":\"{name}\",\"method\":\"elicitation/create\",\"params\":{{\"message\":\""
    )
    .into_bytes();
    escape(text.as_bytes(), &mut out);
    out.extend_from_slice(b"\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}");
    out
}

/// That a question need not be answered any more.
pub(crate) fn no_longer_asked(name: &str) -> Vec<u8> {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":\"{name}\",\"reason\":\"the \
         call does not wait any more\"}}}}"
    )
    .into_bytes()
}

/// An answer that is at hand.
pub(crate) fn told(id: Option<&[u8]>, told: &Told<'_>) -> Vec<u8> {
    let mut out = open(id);
    let (name, member): (&[u8], _) = match told {
        Told::Result(member) => (b"\"result\":", member),
        Told::Error(member) => (b"\"error\":", member),
    };
    out.extend_from_slice(name);
    out.extend_from_slice(member);
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_messages() {
        let fault = Fault::parse("say \"no\"");
        assert_eq!(
            fault.answer(Some(b"\"a\"")),
            br#"{"jsonrpc":"2.0","id":"a","error":{"code":-32700,"message":"say \"no\""}}"#
        );
        assert!(fault.answer(None).starts_with(br#"{"jsonrpc":"2.0","id":null,"#));
        assert_eq!(
            tool_error(b"1", true, "no"),
            br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"no"}],"isError":true}}"#
        );
        assert_eq!(told(Some(b"1"), &Told::Result(b"{}")), br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        assert_eq!(
            input_required(b"1", "s", None),
            br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s"}}"#
        );
        let page = Page { text: "wait", address: "http://127.0.0.1:1/a" };
        assert_eq!(
            input_required(b"1", "s", Some(page)),
            br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"approval":{"method":"elicitation/create","params":{"mode":"url","message":"wait","url":"http://127.0.0.1:1/a"}}},"requestState":"s"}}"#
        );
        assert_eq!(
            ask("n", "a\nb"),
            br#"{"jsonrpc":"2.0","id":"n","method":"elicitation/create","params":{"message":"a\nb","requestedSchema":{"type":"object","properties":{}}}}"#
        );
        assert_eq!(
            no_longer_asked("n"),
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"n","reason":"the call does not wait any more"}}"#
        );
        assert_eq!(
            page_needed(b"1", "again", "n", page),
            br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"again","data":{"elicitations":[{"mode":"url","message":"wait","url":"http://127.0.0.1:1/a","elicitationId":"n"}]}}}"#
        );
    }
}
