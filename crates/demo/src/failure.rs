//! Errors as the providers report them.

use crate::json::{Json, object};

/// Whose form an error has.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Form {
    OpenAi,
    Anthropic,
}

/// An error.
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }

    /// What the provider calls errors of this status.
    fn kind(&self, form: Form) -> &'static str {
        match (form, self.status) {
            (Form::OpenAi, 400..=499) if self.status != 429 => "invalid_request_error",
            (Form::OpenAi, 429) => "rate_limit_error",
            (Form::OpenAi, _) => "server_error",
            (Form::Anthropic, 401) => "authentication_error",
            (Form::Anthropic, 403) => "permission_error",
            (Form::Anthropic, 404) => "not_found_error",
            (Form::Anthropic, 413) => "request_too_large",
            (Form::Anthropic, 429) => "rate_limit_error",
            (Form::Anthropic, 529) => "overloaded_error",
            (Form::Anthropic, 400..=499) => "invalid_request_error",
            (Form::Anthropic, _) => "api_error",
        }
    }

    /// The body of the answer.
    pub(crate) fn body(&self, form: Form, request_id: &str) -> Json {
        let kind = self.kind(form);
        match form {
            Form::OpenAi => {
                let code = (self.status == 401).then_some("invalid_api_key");
                let none: Option<&str> = None;
                let error = object! { "message": &self.message, "type": kind, "param": none, "code": code };
                object! { "error": error }
            }
            Form::Anthropic => object! {
                "type": "error",
                "error": object! { "type": kind, "message": &self.message },
                "request_id": request_id,
            },
        }
    }
}
