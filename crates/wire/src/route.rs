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
}
