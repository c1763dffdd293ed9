//! Places in bodies that are not read like the others, by exact path, as data.
//!
//! Everything is read by default, names are judged as anywhere. The tables name exceptions only:
//! * `exempt`: ids, models, names of tools, states. What may never stay is replaced even there.
//! * `schemas`: JSON Schemas, whose member names say nothing about values. All texts are read.
//! * `marks`: values that are read by themselves, are not changed, are refused, or say something of the body.
//!
//! `*` stands for any element or member that is not named; a path leads to the value and everything below it.

mod anthropic;
mod mcp;
mod open_ai;

pub(crate) use mcp::MESSAGE as MCP_MESSAGE;

use crate::route::Route;
use crate::track::Table;
use obelus::{Builder, Reading};

/// What is said of the value at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// The model asked for.
    Model,
    /// Whether the answer shall be streamed.
    Stream,
    /// Whether the provider keeps the conversation.
    Store,
    /// An earlier conversation that goes on.
    Continues,
    /// Whether the answer is to be fetched later.
    Background,
    /// What the object around is.
    Type,
    /// What the tool around is.
    ToolType,
    /// The name of the tool whose arguments stand beside.
    Tool,
    /// Where a provider-hosted tool server is.
    Server,
    /// Provider-hosted tool servers.
    Servers,
    /// A credential for one.
    Credential,
    /// Text as numbers of a vocabulary, if it is a number.
    Vocabulary,
    /// Text of the model, read by itself so that it reads the same whole and streamed.
    Prose,
    /// Arguments of a tool call: an object, or JSON in a string.
    Arguments,
    /// Text that is signed: read, never changed.
    Sealed,
    /// A signature or something encrypted: looked through for keys and cards, never changed.
    Opaque,
    /// Pictures, sound, files as base64.
    Media,
    /// What repeats a text piece by piece.
    Logprobs,
    /// A vector as base64.
    Vector,
    /// A piece of a lane of a choice.
    ChoicePiece,
    /// A piece of the arguments of a tool call of a choice.
    CallPiece,
    /// A piece of a lane of a content block.
    BlockPiece,
    /// A piece of a lane of an output item.
    ItemPiece,
    /// Which choice.
    Choice,
    /// Which tool call.
    Call,
    /// Why the choice ends.
    Finish,
    /// Which content block.
    Block,
    /// Which output item.
    Output,
    /// Which content part of it.
    Content,
    /// Which part of its summary.
    Summary,
    /// The item's id.
    ItemId,
    /// The number of the event.
    Sequence,
    /// What says that the answer has failed.
    Failed,
    /// What all events of a stream repeat: id, model, time.
    Head,
    /// Nothing: a name that `*` shall not mean.
    Plain,
}

/// Suffixes that hold below several prefixes.
type Group = (&'static [&'static str], &'static [(&'static str, Mark)]);

/// The exceptions of one sort of body.
pub(crate) struct Positions {
    pub(crate) exempt: &'static [(&'static [&'static str], &'static [&'static str])],
    pub(crate) schemas: &'static [&'static str],
    pub(crate) marks: &'static [Group],
}

/// What the tables say of a value, for those who check that every position is thought of.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Exempt,
    Schema,
    Marked(Mark),
}

impl Positions {
    /// The exceptions in requests of a route.
    pub(crate) fn of_request(route: Route) -> &'static Positions {
        match route {
            Route::ChatCompletions => &open_ai::CHAT_REQUEST,
            Route::Responses => &open_ai::RESPONSES_REQUEST,
            Route::Embeddings => &open_ai::EMBEDDINGS_REQUEST,
            Route::Models => &NOTHING,
            Route::Messages | Route::CountTokens => &anthropic::REQUEST,
        }
    }

    /// The exceptions in whole answers of a route.
    pub(crate) fn of_answer(route: Route) -> &'static Positions {
        match route {
            Route::ChatCompletions => &open_ai::CHAT_ANSWER,
            Route::Responses => &open_ai::RESPONSES_ANSWER,
            Route::Embeddings => &open_ai::EMBEDDINGS_ANSWER,
            Route::Models => &open_ai::MODELS_ANSWER,
            Route::Messages | Route::CountTokens => &anthropic::ANSWER,
        }
    }

    /// The exceptions in events: of all providers, so that an answer in another form than the route's is understood
    /// as what it is.
    pub(crate) fn of_events() -> [&'static Positions; 3] {
        [&open_ai::CHAT_EVENTS, &open_ai::RESPONSES_EVENTS, &anthropic::EVENTS]
    }

    /// Tells the engine what it may follow itself.
    pub(crate) fn teach(&self, builder: &mut Builder) {
        for path in self.exempt_paths() {
            builder.position(&path, Reading::Exempt);
        }
        for path in self.schemas {
            builder.position(path, Reading::Text);
        }
    }

    /// Adds the marks to a table.
    pub(crate) fn mark(&self, table: &mut Table<Mark>) {
        for (path, mark) in self.marked_paths() {
            table.add(&path, mark);
        }
    }

    fn exempt_paths(&self) -> impl Iterator<Item = String> {
        self.exempt.iter().flat_map(|(prefixes, suffixes)| {
            prefixes.iter().flat_map(|prefix| suffixes.iter().map(move |suffix| format!("{prefix}{suffix}")))
        })
    }

    fn marked_paths(&self) -> impl Iterator<Item = (String, Mark)> {
        self.marks.iter().flat_map(|(prefixes, suffixes)| {
            prefixes.iter().flat_map(|prefix| {
                suffixes.iter().map(move |(suffix, mark)| (format!("{prefix}{suffix}"), *mark))
            })
        })
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> Vec<(String, Said)> {
        let exempt = self.exempt_paths().map(|path| (path, Said::Exempt));
        let schemas = self.schemas.iter().map(|path| ((*path).to_owned(), Said::Schema));
        let marks = self.marked_paths().map(|(path, mark)| (path, Said::Marked(mark)));
        exempt.chain(schemas).chain(marks).collect()
    }
}

const NOTHING: Positions = Positions { exempt: &[], schemas: &[], marks: &[] };

#[cfg(test)]
mod tests;
