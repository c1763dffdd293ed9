//! Which requests are understood.

/// Whose form requests and answers have.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
}

/// A request that is understood.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Route {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /v1/models`, `GET /v1/models/{model}`
    Models,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
}

impl Route {
    /// Every route.
    pub const ALL: [Route; 6] = [
        Route::ChatCompletions,
        Route::Responses,
        Route::Embeddings,
        Route::Models,
        Route::Messages,
        Route::CountTokens,
    ];

    /// The stable name, as configuration and records have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Route::ChatCompletions => "chat-completions",
            Route::Responses => "responses",
            Route::Embeddings => "embeddings",
            Route::Models => "models",
            Route::Messages => "messages",
            Route::CountTokens => "count-tokens",
        }
    }

    /// The route of a request. The path is compared as it came, without its query: one with percent signs, dot
    /// segments, double slashes, backslashes or `;` is none, so that no other reader can understand it differently.
    pub fn of(method: &str, path: &str) -> Option<Route> {
        match (method, path) {
            ("POST", "/v1/chat/completions") => Some(Route::ChatCompletions),
            ("POST", "/v1/responses") => Some(Route::Responses),
            ("POST", "/v1/embeddings") => Some(Route::Embeddings),
            ("POST", "/v1/messages") => Some(Route::Messages),
            ("POST", "/v1/messages/count_tokens") => Some(Route::CountTokens),
            ("GET", "/v1/models") => Some(Route::Models),
            ("GET", _) => path.strip_prefix("/v1/models/").filter(|id| is_model(id)).map(|_| Route::Models),
            _ => None,
        }
    }

    /// The name of the route with `name`, as [`Route::as_str`] gives it.
    pub fn named(name: &str) -> Option<Route> {
        Route::ALL.into_iter().find(|route| route.as_str() == name)
    }

    /// Whose form the route has. Both providers list models under the same path; there the header
    /// `anthropic-version`, which only clients of Anthropic send, decides.
    pub const fn provider(self, has_anthropic_version: bool) -> Provider {
        match self {
            Route::ChatCompletions | Route::Responses | Route::Embeddings => Provider::OpenAi,
            Route::Messages | Route::CountTokens => Provider::Anthropic,
            Route::Models if has_anthropic_version => Provider::Anthropic,
            Route::Models => Provider::OpenAi,
        }
    }

    /// Whether requests have a body.
    pub const fn has_body(self) -> bool {
        !matches!(self, Route::Models)
    }
}

/// How long the id of a model may be; published ones have fewer than 100 characters.
const MODEL_BYTES_MAX: usize = 256;

/// Whether a path segment names a model: letters, digits and what stands between them, and not only dots.
fn is_model(id: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    id.len() <= MODEL_BYTES_MAX
        && id.bytes().all(may_stand)
        && id.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_as_they_came() {
        for (method, path, route) in [
            ("POST", "/v1/chat/completions", Some(Route::ChatCompletions)),
            ("POST", "/v1/messages/count_tokens", Some(Route::CountTokens)),
            ("GET", "/v1/models/ft:gpt-4o:org::id", Some(Route::Models)),
            ("GET", "/v1/models", Some(Route::Models)),
            ("GET", "/v1/models/", None),
            ("GET", "/v1/models/..", None),
            ("GET", "/v1/models/a/b", None),
            ("GET", "/v1/models/a%2fb", None),
            ("POST", "/v1/models", None),
            ("GET", "/v1/chat/completions", None),
            ("POST", "/v1/chat/completions/", None),
            ("POST", "//v1/chat/completions", None),
            ("POST", "/v1/./chat/completions", None),
            ("POST", "/v1/chat/../chat/completions", None),
            ("POST", "/v1/chat/completions;a=b", None),
            ("POST", "/v1\\chat/completions", None),
            ("POST", "/V1/chat/completions", None),
            ("POST", "/v1/files", None),
        ] {
            assert_eq!(Route::of(method, path), route, "{method} {path}");
        }
    }

    #[test]
    fn names_lead_back() {
        for route in Route::ALL {
            assert_eq!(Route::named(route.as_str()), Some(route));
        }
        assert_eq!(Route::Models.provider(true), Provider::Anthropic);
        assert_eq!(Route::Models.provider(false), Provider::OpenAi);
    }
}
