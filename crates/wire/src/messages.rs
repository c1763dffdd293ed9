//! Messages of the Model Context Protocol: JSON-RPC, one message a document.

use crate::arguments::Restored;
use crate::index::{Index, Item, Shape};
use crate::lex::Lex;
use crate::positions::{MCP_MESSAGE, Mark};
use crate::profile::{Media, Profile};
use crate::read::{Side, is_base64, is_media, run};
use crate::refusal::{Reason, Refusal};
use crate::tokens::{Mode, Tally};
use crate::track::Table;
use crate::weave::{self, Part};
use crate::wire::{Redacted, builder};
use obelus::{BuildError, CarryOver, Category, Format, Reading, Redactor, Transform};
use obelus_vault::Scope;
use std::fmt;

/// The member in which a server hands a client what it alone reads.
const SEALED: &[u8] = b"requestState";

/// Who sends a message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Sender {
    /// Who uses tools.
    Client,
    /// Who has them.
    Server,
}

/// Reads messages of the Model Context Protocol. Values become tokens of a scope, whoever sends them, so that a model
/// knows a value of a tool by the same name as one of a request.
pub struct Messages {
    lex: Lex,
    media: Media,
    restored: Restored,
    table: Table<Mark>,
    client: Redactor,
    server: Redactor,
    /// Reads what is never changed.
    unchanged: Redactor,
    /// Reads what a server seals. Keys pass there: it looks like one.
    sealed: Redactor,
    text: Redactor,
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("media", &self.media).finish_non_exhaustive()
    }
}

impl Messages {
    /// Compiles five redactors: a tenth of a second. Build one for each profile, share it.
    ///
    /// Messages of servers are read twice: the same data stands in them as text and as JSON, and what the one shows
    /// under a sensitive name is hidden in the other, whichever comes first.
    ///
    /// # Errors
    /// What [`obelus::Builder::build`] says; also a path of [`Profile::restore_arguments`] that is none.
    pub fn new(profile: &Profile) -> Result<Messages, BuildError> {
        let mut table = Table::new();
        MCP_MESSAGE.mark(&mut table);
        let reader = |carry_over| {
            let mut builder = builder(profile, profile.transform);
            MCP_MESSAGE.teach(&mut builder);
            builder.carry_over(carry_over).build()
        };
        let mut sealed = builder(profile, Transform::Label);
        sealed.skip(&[Category::Secret, Category::UrlCredential]);
        for argument in &profile.restore_arguments {
            // To be read as everywhere else changes nothing; the builder says whether it is a path.
            sealed.position(&argument.path, Reading::Whole);
        }
        Ok(Messages {
            lex: Lex::new(),
            media: profile.media,
            restored: Restored::new(&profile.restore_arguments),
            table,
            client: reader(profile.carry_over)?,
            server: reader(CarryOver::Document)?,
            unchanged: builder(profile, Transform::Label).build()?,
            sealed: sealed.build()?,
            text: builder(profile, profile.transform).format(Format::Text).build()?,
        })
    }

    /// Redacts one message. Tokens of the scope stay; values become such tokens.
    ///
    /// # Errors
    /// A message that is no JSON, a limit, media where they are blocked, or a finding in what must come back as it was:
    /// the id, `requestState` and the like.
    pub fn redact(&self, sender: Sender, message: &[u8], scope: &Scope) -> Result<Redacted, Refusal> {
        let (side, redactor) = match sender {
            Sender::Client => (Side::Request, &self.client),
            Sender::Server => (Side::Answer, &self.server),
        };
        let index =
            Index::read(&self.table, &self.lex, message).map_err(|unreadable| side.unreadable(unreadable))?;
        let (mut parts, mut unread) = (Vec::new(), Vec::new());
        for item in &index.items {
            if self.is_apart(side, message, &index, item, scope)? {
                if item.mark == Mark::Media && !unread.contains(&"media") {
                    unread.push("media");
                }
                parts.push(Part { span: item.span.clone(), with: None });
            }
        }
        let rest = weave::without(message, &parts);
        let mut tally = Tally::default();
        let read = run(redactor, &rest, (scope, Mode::Mint), &mut tally, None)
            .map_err(|error| side.stopped(error))?;
        if tally.is_long() {
            return Err(side.long());
        }
        let body = weave::with(&self.lex, message, &parts, &rest, read)
            .ok_or_else(|| side.refuse(Reason::Malformed, format!("the {side} cannot be put together")))?;
        Ok(Redacted { body, counts: tally.counts(), keys: tally.keys(), unread })
    }

    /// Whether a marked value is left as it is.
    fn is_apart(
        &self,
        side: Side,
        message: &[u8],
        index: &Index<Mark>,
        item: &Item<Mark>,
        scope: &Scope,
    ) -> Result<bool, Refusal> {
        let value = &message[item.span.clone()];
        match item.mark {
            Mark::Sealed if matches!(item.shape, Shape::String | Shape::Number) && value != b"\"\"" => {
                let is_sealed = message.get(item.name.clone()) == Some(SEALED);
                let reader = if is_sealed { &self.sealed } else { &self.unchanged };
                let mut tally = Tally::default();
                run(reader, value, (scope, Mode::Seal), &mut tally, None)
                    .map_err(|error| side.stopped(error))?;
                if tally.is_clean() { Ok(true) } else { Err(side.sealed()) }
            }
            Mark::Media if is_media(message, index, item) && is_base64(value) => match self.media {
                Media::Block => Err(side.media()),
                Media::Mark => Ok(true),
            },
            _ => Ok(false),
        }
    }

    /// The arguments of a call with tokens opened where the profile names the tool and the place; nothing if that
    /// changes nothing.
    ///
    /// # Errors
    /// More takes the place of tokens than may.
    pub fn restore(&self, tool: &str, arguments: &[u8], scope: &Scope) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(paths) = self.restored.of(tool.as_bytes()) else { return Ok(None) };
        let mut tally = Tally::default();
        let restored = paths.restore(&self.lex, arguments, (scope, &mut tally));
        if tally.is_long() { Err(Side::Request.long()) } else { Ok(restored) }
    }

    /// Redacts a text that is no message, such as what a server writes to standard error.
    ///
    /// # Errors
    /// A text that is not UTF-8, or a limit.
    pub fn text(&self, text: &[u8], scope: &Scope) -> Result<Vec<u8>, Refusal> {
        let mut tally = Tally::default();
        let read = run(&self.text, text, (scope, Mode::Mint), &mut tally, None)
            .map_err(|error| Side::Answer.stopped(error))?;
        if tally.is_long() { Err(Side::Answer.long()) } else { Ok(read) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::RestoredArgument;
    use obelus_vault::Vault;

    fn messages(media: Media) -> Messages {
        let profile = Profile {
            media,
            restore_arguments: vec![RestoredArgument {
                tool: "create_customer".to_owned(),
                path: "/email".to_owned(),
            }],
            ..Profile::default()
        };
        Messages::new(&profile).unwrap()
    }

    fn scope() -> Scope {
        Vault::ephemeral().unwrap().scope("tenant", "session")
    }

    fn redacted(sender: Sender, message: &str, scope: &Scope) -> String {
        let read = messages(Media::Block).redact(sender, message.as_bytes(), scope).unwrap();
        String::from_utf8(read.body).unwrap()
    }

    #[test]
    fn both_copies_of_a_result_get_the_same_tokens() {
        let customer = r#"{"object":"customer","id":"cus_NffrFeUfNV2Hib","email":"jenny@example.com","name":"Jenny Rosen"}"#;
        let text = customer.replace('"', "\\\"");
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"Jenny Rosen: {text}"}}],"structuredContent":{customer}}}}}"#
        );
        let scope = scope();
        let out = redacted(Sender::Server, &message, &scope);
        for value in ["jenny@example.com", "Jenny", "Rosen"] {
            assert!(!out.contains(value), "{out}");
        }
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        let text = value["result"]["content"][0]["text"].as_str().unwrap();
        for name in ["email", "name"] {
            let token = value["result"]["structuredContent"][name].as_str().unwrap();
            assert!(token.starts_with("obl_"), "{token}");
            assert!(text.contains(token), "{text}");
        }
    }

    #[test]
    fn what_the_two_sides_tell_of_themselves_stays() {
        for message in [
            r#"{ "jsonrpc":"2.0", "id":"a-1","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"Example Client","version":"1.0.0"}}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"create_refund","arguments":{"amount":1000},"_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","progressToken":4}}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a","inputSchema":{"type":"object","properties":{"email":{"type":"string","default":""}}}}],"x-unknown": 1.50e+1}}"#,
        ] {
            for sender in [Sender::Client, Sender::Server] {
                assert_eq!(redacted(sender, message, &scope()), message);
            }
        }
    }

    #[test]
    fn a_finding_in_what_must_not_change_refuses_the_message() {
        let card = ["4242", "4242", "4242", "4242"].concat();
        let key = ["sk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat();
        let state = format!(r#"{{"id":1,"result":{{"requestState":"{key}"}}}}"#);
        assert_eq!(
            redacted(Sender::Server, &state, &scope()),
            state,
            "what a server seals may look like a key"
        );
        for message in [
            format!(r#"{{"id":{card},"method":"ping"}}"#),
            format!(r#"{{"id":"{card}","method":"ping"}}"#),
            r#"{"id":1,"result":{"requestState":"jenny@example.com"}}"#.to_owned(),
            format!(r#"{{"id":"{key}","method":"ping"}}"#),
            format!(r#"{{"method":"notifications/cancelled","params":{{"requestId":"{key}"}}}}"#),
        ] {
            let refusal = messages(Media::Block).redact(Sender::Client, message.as_bytes(), &scope());
            assert_eq!(refusal.map_err(|refusal| refusal.reason).unwrap_err(), Reason::Sealed, "{message}");
        }
    }

    #[test]
    fn media_are_blocked_or_marked() {
        let message = r#"{"id":1,"result":{"content":[{"type":"image","data":"iVBORw0KGgo=","mimeType":"image/png"}]}}"#;
        let read = |media| messages(media).redact(Sender::Server, message.as_bytes(), &scope());
        assert_eq!(read(Media::Block).map_err(|refusal| refusal.reason).unwrap_err(), Reason::Unsupported);
        let marked = read(Media::Mark).unwrap();
        assert_eq!(marked.body, message.as_bytes());
        assert_eq!(marked.unread, ["media"]);
    }

    #[test]
    fn arguments_get_values_back_at_named_places_only() {
        let (messages, scope) = (messages(Media::Block), scope());
        let message = r#"{"id":1,"method":"tools/call","params":{"arguments":{"email":"jenny@example.com","metadata":{"to":"jenny@example.com"}}}}"#;
        let read = messages.redact(Sender::Client, message.as_bytes(), &scope).unwrap().body;
        let value: serde_json::Value = serde_json::from_slice(&read).unwrap();
        let arguments = value["params"]["arguments"].to_string();
        assert!(!arguments.contains("jenny"), "{arguments}");
        let restored = messages.restore("create_customer", arguments.as_bytes(), &scope).unwrap().unwrap();
        let restored: serde_json::Value = serde_json::from_slice(&restored).unwrap();
        assert_eq!(restored["email"], "jenny@example.com");
        assert_eq!(restored["metadata"], value["params"]["arguments"]["metadata"]);
        assert_eq!(messages.restore("other", arguments.as_bytes(), &scope).unwrap(), None);
    }

    #[test]
    fn other_text_is_read_as_text() {
        let (messages, scope) = (messages(Media::Block), scope());
        let read = messages.text(b"listening; mail to jenny@example.com", &scope).unwrap();
        assert!(read.starts_with(b"listening; mail to obl_email_"));
        assert!(messages.text(b"\xff", &scope).is_err());
    }
}
