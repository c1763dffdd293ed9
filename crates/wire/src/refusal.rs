//! Why a request or an answer goes no further.

use crate::escape::escape;
use crate::route::Provider;
use std::fmt;

/// A refusal. Holds nothing of what was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The status that the client gets.
    pub status: u16,
    /// What is counted.
    pub reason: Reason,
    /// What, where, what to do. Never a value.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Why, as metrics and records have it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The body is not what its type says, or is ambiguous.
    Malformed,
    /// Something is over a limit.
    Limit,
    /// Something that the sidecar does not understand or that policy does not allow.
    Unsupported,
    /// A provider-hosted tool server.
    HostedTool,
    /// A credential where none may be.
    Credential,
    /// Something personal in a part that must not be changed.
    Sealed,
    /// No key, or none that is accepted.
    Unauthenticated,
    /// The key may not do this.
    Forbidden,
    /// No route that is understood.
    Route,
    /// Too many requests of one key.
    Rate,
    /// Something took too long.
    Timeout,
    /// Something personal in a header or a parameter that must not be changed.
    Header,
    /// The provider cannot be reached, or its answer is none.
    Upstream,
    /// The sidecar cannot do it now.
    Unavailable,
    /// A fault of the sidecar.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 15] = [
        Reason::Malformed,
        Reason::Limit,
        Reason::Unsupported,
        Reason::HostedTool,
        Reason::Credential,
        Reason::Sealed,
        Reason::Unauthenticated,
        Reason::Forbidden,
        Reason::Route,
        Reason::Rate,
        Reason::Timeout,
        Reason::Header,
        Reason::Upstream,
        Reason::Unavailable,
        Reason::Internal,
    ];

    /// The stable name, as metrics and records have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed",
            Reason::Limit => "limit",
            Reason::Unsupported => "unsupported",
            Reason::HostedTool => "hosted-tool",
            Reason::Credential => "credential",
            Reason::Sealed => "sealed",
            Reason::Unauthenticated => "unauthenticated",
            Reason::Forbidden => "forbidden",
            Reason::Route => "route",
            Reason::Rate => "rate",
            Reason::Timeout => "timeout",
            Reason::Header => "header",
            Reason::Upstream => "upstream",
            Reason::Unavailable => "unavailable",
            Reason::Internal => "internal",
        }
    }

    /// What `error.code` of OpenAI says: its own word where it has one that clients look for.
    const fn code(self) -> &'static str {
        match self {
            Reason::Unauthenticated => "invalid_api_key",
            Reason::Route => "unknown_url",
            Reason::Rate => "rate_limit_exceeded",
            other => other.as_str(),
        }
    }
}

impl Refusal {
    /// A refusal with the status that goes with its reason in a request.
    pub(crate) fn of_request(reason: Reason, message: impl Into<String>) -> Refusal {
        let status = match reason {
            Reason::Limit => 413,
            Reason::Sealed => 422,
            _ => 400,
        };
        Refusal { status, reason, message: message.into() }
    }

    /// The same in an answer: there the client did nothing wrong.
    pub(crate) fn of_answer(reason: Reason, message: impl Into<String>) -> Refusal {
        Refusal { status: 502, reason, message: message.into() }
    }

    /// The body in the provider's own form of errors. OpenAI's has no member for the request id: there the message
    /// ends with it.
    pub fn body(&self, provider: Provider, request_id: &str) -> Vec<u8> {
        let mut body = Vec::with_capacity(256 + self.message.len());
        match provider {
            Provider::OpenAi => {
                body.push(b'{');
                self.push_open_ai(request_id, &mut body);
            }
            Provider::Anthropic => {
                body.extend_from_slice(b"{\"type\":\"error\",");
                self.push_anthropic(request_id, &mut body);
            }
        }
        body.push(b'}');
        body
    }

    /// What the provider's clients tell sorts of errors by.
    pub fn kind(&self, provider: Provider) -> &'static str {
        match (provider, self.status) {
            (_, 401) => "authentication_error",
            (_, 403) => "permission_error",
            (Provider::Anthropic, 404) => "not_found_error",
            (Provider::Anthropic, 413) => "request_too_large",
            (_, 429) => "rate_limit_error",
            (Provider::Anthropic, 503 | 529) => "overloaded_error",
            (Provider::Anthropic, 504) => "timeout_error",
            (_, 400..=499) => "invalid_request_error",
            (Provider::Anthropic, _) => "api_error",
            (Provider::OpenAi, _) => "server_error",
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// `"error":{…}` of OpenAI.
    pub(crate) fn push_open_ai(&self, request_id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"error\":{");
        self.push_message(request_id, out);
        out.extend_from_slice(b",\"type\":\"");
        out.extend_from_slice(self.kind(Provider::OpenAi).as_bytes());
        out.extend_from_slice(b"\",\"param\":null,\"code\":\"");
        out.extend_from_slice(self.code().as_bytes());
        out.extend_from_slice(b"\"}");
    }

    /// `"error":{…},"request_id":…` of Anthropic.
    pub(crate) fn push_anthropic(&self, request_id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"error\":{\"type\":\"");
        out.extend_from_slice(self.kind(Provider::Anthropic).as_bytes());
        out.extend_from_slice(b"\",\"message\":\"");
        escape(self.message.as_bytes(), out);
        out.extend_from_slice(b"\"},\"request_id\":\"");
        escape(request_id.as_bytes(), out);
        out.push(b'"');
    }

    /// `"message":"…"` with the request id.
    pub(crate) fn push_message(&self, request_id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"message\":\"");
        escape(self.message.as_bytes(), out);
        if !request_id.is_empty() {
            out.extend_from_slice(b" (request ");
            escape(request_id.as_bytes(), out);
            out.push(b')');
        }
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_forms_of_their_providers() {
        let refusal = Refusal::of_request(Reason::HostedTool, "say \"no\"");
        assert_eq!(
            refusal.body(Provider::OpenAi, "r1"),
            br#"{"error":{"message":"say \"no\" (request r1)","type":"invalid_request_error","param":null,"code":"hosted-tool"}}"#
        );
        assert_eq!(
            refusal.body(Provider::Anthropic, "r1"),
            br#"{"type":"error","error":{"type":"invalid_request_error","message":"say \"no\""},"request_id":"r1"}"#
        );
        assert_eq!(Refusal::of_answer(Reason::Sealed, "").status, 502);
    }
}
