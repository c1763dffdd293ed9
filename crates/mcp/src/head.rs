//! What a message says of itself, for whoever carries it.

use crate::message::{Kind, Lex, Message, Slot};
use crate::method;
use std::fmt;
use std::sync::LazyLock;

/// The revisions that the gateway understands, the newest first.
pub const REVISIONS: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

static LEX: LazyLock<Lex> = LazyLock::new(Lex::new);

/// What sort of message it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    /// It wants an answer.
    Request,
    /// It wants none.
    Notification,
    /// It is an answer.
    Response,
}

/// What a message says of itself.
pub struct Head {
    /// What sort of message it is.
    pub sort: Sort,
    /// The method, if it is no answer.
    pub method: Option<String>,
    /// What is called or read: `params.uri` of `resources/read`, `params.name` of others.
    pub name: Option<String>,
    /// The revision that `params._meta` says.
    pub revision: Option<String>,
    /// `params.arguments`.
    pub arguments: Option<Vec<u8>>,
    /// The id, as it is written.
    pub id: Option<Vec<u8>>,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("sort", &self.sort).finish_non_exhaustive()
    }
}

impl Head {
    /// Reads a message; nothing if it is none.
    pub fn read(raw: &[u8]) -> Option<Head> {
        let message = Message::read(&LEX, raw).ok()?;
        let (sort, method) = match &message.kind {
            Kind::Request { method } => (Sort::Request, Some(method.clone())),
            Kind::Notification { method } => (Sort::Notification, Some(method.clone())),
            Kind::Response { .. } => (Sort::Response, None),
        };
        let slot = if method.as_deref() == Some("resources/read") { Slot::Uri } else { Slot::Name };
        Some(Head {
            sort,
            name: message.text(slot),
            revision: message.text(Slot::MetaRevision),
            arguments: message.bytes(Slot::Arguments).map(<[u8]>::to_vec),
            id: message.raw_id().map(<[u8]>::to_vec),
            method,
        })
    }

    /// Whether the message is of revision 2026-07-28, in which each request says so.
    pub fn is_modern(&self) -> bool {
        self.revision.as_deref() == Some(method::MODERN)
    }
}
