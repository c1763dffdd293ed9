//! Why a request or an answer goes no further, with the answer that the client gets. All refusals are made into
//! answers here.

use crate::answer::{Answer, whole};
use hyper::Response;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use obelus_wire::{Provider, Reason, Refusal};
use std::borrow::Cow;

/// Why, as metrics and records have it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Why {
    /// No virtual key, or none that is known.
    Unauthenticated,
    /// The workflow does not allow it.
    Forbidden,
    /// No route that is understood.
    Route,
    /// Too many requests of one key.
    Rate,
    /// The framing of the request, a coding or the body is not what it should be.
    Malformed,
    /// Something is over a limit of size.
    Limit,
    /// Something took too long.
    Timeout,
    /// Something that the sidecar does not understand.
    Unsupported,
    /// A provider-hosted tool server, or a credential for one.
    HostedTool,
    /// A credential where none may be.
    Credential,
    /// Something personal in a part that must not be changed.
    Sealed,
    /// Something personal in a header or a parameter that must not be changed.
    Header,
    /// The upstream cannot be reached, or its answer is none.
    Upstream,
    /// The provider's key is missing.
    NoProviderKey,
    /// The audit cannot be written.
    Audit,
    /// The vault or the store of keys does not work.
    Vault,
    /// The process has no memory left for bodies, or is about to end.
    Busy,
    /// The virtual key was revoked meanwhile.
    Revoked,
    /// A call that the gate does not understand, or that rules or people deny.
    Denied,
    /// Approvals or totals cannot be kept.
    Gate,
    /// A fault of the sidecar.
    Internal,
}

impl Why {
    /// The stable word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Why::Unauthenticated => "unauthenticated",
            Why::Forbidden => "forbidden",
            Why::Route => "route",
            Why::Rate => "rate",
            Why::Malformed => "malformed",
            Why::Limit => "limit",
            Why::Timeout => "timeout",
            Why::Unsupported => "unsupported",
            Why::HostedTool => "hosted-tool",
            Why::Credential => "credential",
            Why::Sealed => "sealed",
            Why::Header => "header",
            Why::Upstream => "upstream",
            Why::NoProviderKey => "no-provider-key",
            Why::Audit => "audit",
            Why::Vault => "vault",
            Why::Busy => "busy",
            Why::Revoked => "revoked",
            Why::Denied => "denied",
            Why::Gate => "gate",
            Why::Internal => "internal",
        }
    }
}

/// A refusal of the sidecar. Holds nothing of what was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// The status that the client gets.
    pub(crate) status: u16,
    pub(crate) why: Why,
    /// What, where, what to do.
    pub(crate) message: Cow<'static, str>,
    /// When to try again.
    pub(crate) retry_after_seconds: Option<u64>,
    /// Whether the connection cannot be used for another request.
    pub(crate) closes: bool,
}

impl Refused {
    pub(crate) fn new(status: u16, why: Why, message: impl Into<Cow<'static, str>>) -> Refused {
        Refused { status, why, message: message.into(), retry_after_seconds: None, closes: false }
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Refused {
        Refused { retry_after_seconds: Some(seconds), ..self }
    }

    pub(crate) fn closing(self) -> Refused {
        Refused { closes: true, ..self }
    }

    /// The same refusal as the formats of providers know it.
    pub(crate) fn to_wire(&self) -> Refusal {
        let reason = match self.why {
            Why::Malformed => Reason::Malformed,
            Why::Limit => Reason::Limit,
            Why::HostedTool => Reason::HostedTool,
            Why::Credential => Reason::Credential,
            Why::Sealed => Reason::Sealed,
            Why::Unsupported => Reason::Unsupported,
            Why::Unauthenticated | Why::Revoked => Reason::Unauthenticated,
            Why::Forbidden | Why::Denied => Reason::Forbidden,
            Why::Route => Reason::Route,
            Why::Rate => Reason::Rate,
            Why::Timeout => Reason::Timeout,
            Why::Header => Reason::Header,
            Why::Upstream | Why::NoProviderKey => Reason::Upstream,
            Why::Audit | Why::Vault | Why::Busy | Why::Gate => Reason::Unavailable,
            Why::Internal => Reason::Internal,
        };
        Refusal { status: self.status, reason, message: self.message.clone().into_owned() }
    }

    /// The answer that says it, in the provider's form.
    pub(crate) fn answer(&self, provider: Provider, request_id: &str) -> Response<Answer> {
        let mut response = whole(self.to_wire().body(provider, request_id));
        *response.status_mut() =
            hyper::StatusCode::from_u16(self.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let why = match refusal.reason {
            Reason::Malformed => Why::Malformed,
            Reason::Limit => Why::Limit,
            Reason::HostedTool => Why::HostedTool,
            Reason::Credential => Why::Credential,
            Reason::Sealed => Why::Sealed,
            _ => Why::Unsupported,
        };
        Refused::new(refusal.status, why, refusal.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_type_and_code_agree() {
        for (status, why, open_ai, anthropic) in [
            (401, Why::Unauthenticated, ("authentication_error", "invalid_api_key"), "authentication_error"),
            (401, Why::Revoked, ("authentication_error", "invalid_api_key"), "authentication_error"),
            (403, Why::Forbidden, ("permission_error", "forbidden"), "permission_error"),
            (404, Why::Route, ("invalid_request_error", "unknown_url"), "not_found_error"),
            (408, Why::Timeout, ("invalid_request_error", "timeout"), "invalid_request_error"),
            (413, Why::Limit, ("invalid_request_error", "limit"), "request_too_large"),
            (429, Why::Rate, ("rate_limit_error", "rate_limit_exceeded"), "rate_limit_error"),
            (400, Why::Header, ("invalid_request_error", "header"), "invalid_request_error"),
            (500, Why::Internal, ("server_error", "internal"), "api_error"),
            (502, Why::Upstream, ("server_error", "upstream"), "api_error"),
            (503, Why::Busy, ("server_error", "unavailable"), "overloaded_error"),
            (504, Why::Timeout, ("server_error", "timeout"), "timeout_error"),
        ] {
            let refusal = Refused::new(status, why, "words").to_wire();
            let body = |provider| -> serde_json::Value {
                serde_json::from_slice(&refusal.body(provider, "r1")).unwrap()
            };
            let error = &body(Provider::OpenAi)["error"];
            assert_eq!((&error["type"], &error["code"]), (&open_ai.0.into(), &open_ai.1.into()), "{why:?}");
            assert_eq!(body(Provider::Anthropic)["error"]["type"], anthropic, "{why:?}");
        }
    }
}
