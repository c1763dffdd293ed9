//! A wire, a scope, and streams as a client reads them.

use obelus::Category;
use obelus_vault::{Keyring, Scope, Settings, TokenForm, Vault, VaultKey};
use obelus_wire::{Media, Profile, Redacted, Refusal, RestoredArgument, Route, Wire};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub(crate) const EMAIL: &str = "jenny@example.com";
pub(crate) const CARD: &str = "4242 4242 4242 4242";

/// Compiled once for all tests.
static PLAIN: LazyLock<Arc<Wire>> = LazyLock::new(|| wire(&Profile::default()));
static MARKING: LazyLock<Arc<Wire>> = LazyLock::new(|| {
    let mut profile = Profile::default();
    profile.media = Media::Mark;
    wire(&profile)
});
static RESTORING: LazyLock<Arc<Wire>> = LazyLock::new(|| {
    let mut profile = Profile::default();
    for path in ["/to", "/people/*/email"] {
        profile.restore_arguments.push(RestoredArgument { tool: "send".to_owned(), path: path.to_owned() });
    }
    wire(&profile)
});

fn wire(profile: &Profile) -> Arc<Wire> {
    Arc::new(Wire::new(profile).expect("the profile compiles"))
}

/// A wire and a scope.
pub(crate) struct Rig {
    pub(crate) wire: Arc<Wire>,
    pub(crate) scope: Scope,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        Rig::of(&PLAIN)
    }

    /// Lets media pass.
    pub(crate) fn marking() -> Rig {
        Rig::of(&MARKING)
    }

    /// Gives the tool `send` its addresses back.
    pub(crate) fn restoring() -> Rig {
        Rig::of(&RESTORING)
    }

    fn of(wire: &Arc<Wire>) -> Rig {
        let vault = Vault::ephemeral().expect("a vault in memory");
        Rig { wire: Arc::clone(wire), scope: vault.scope("tenant", "session") }
    }

    /// Makes tokens that hold their values.
    pub(crate) fn sealing() -> Rig {
        let keys = Keyring::new(VaultKey::new("1", &[7; 32]).expect("a key"));
        let settings = Settings { form: TokenForm::Sealed, ..Settings::default() };
        let vault = Vault::new(keys, None, settings).expect("a vault in memory");
        Rig { wire: Arc::clone(&PLAIN), scope: vault.scope("tenant", "session") }
    }

    /// The token of a value.
    pub(crate) fn token(&self, category: Category, value: &str) -> String {
        let mut token = Vec::new();
        assert!(self.scope.mint(category, value.as_bytes(), &mut token), "{category} has tokens");
        String::from_utf8(token).expect("tokens are text")
    }

    pub(crate) fn email(&self) -> String {
        self.token(Category::Email, EMAIL)
    }

    pub(crate) fn request(&self, route: Route, body: &str) -> Result<Redacted, Refusal> {
        self.wire.request(route, body.as_bytes(), &self.scope)
    }

    pub(crate) fn answer(&self, route: Route, body: &str) -> Result<Redacted, Refusal> {
        self.wire.answer(route, self.scope.clone()).finish(body.as_bytes())
    }

    /// What a stream becomes that comes in these chunks, and how many bytes were held at most.
    pub(crate) fn stream(&self, route: Route, chunks: &[&[u8]]) -> Result<String, Refusal> {
        let (mut events, mut out) = (self.wire.events(route, self.scope.clone()), Vec::new());
        for chunk in chunks {
            events.push(chunk, &mut out)?;
        }
        events.finish(&mut out)?;
        assert_eq!(events.held_bytes(), 0, "nothing is held at the end");
        Ok(String::from_utf8(out).expect("the stream is text"))
    }
}

pub(crate) fn text(redacted: Redacted) -> String {
    String::from_utf8(redacted.body).expect("the body is text")
}

/// The data of each event, as clients join it.
pub(crate) fn data(stream: &str) -> Vec<String> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
    let events = stream.split("\n\n").filter(|event| !event.is_empty());
    let data = events.map(|event| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    });
    data.filter(|data| !data.is_empty()).collect()
}

/// The texts of a stream, each joined from its deltas as SDKs join them, and everything else that events say, whole.
pub(crate) fn joined(stream: &str) -> BTreeMap<String, String> {
    let mut lanes: BTreeMap<String, String> = BTreeMap::new();
    for data in data(stream).iter().filter(|data| *data != "[DONE]") {
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            lanes.entry("plain".to_owned()).or_default().push_str(data);
            continue;
        };
        let mut add = |lane: String, piece: &Value| {
            lanes.entry(lane).or_default().push_str(piece.as_str().unwrap_or_default());
        };
        for choice in event["choices"].as_array().into_iter().flatten() {
            let (index, delta) = (&choice["index"], &choice["delta"]);
            for name in ["content", "refusal", "reasoning_content"] {
                add(format!("{index} {name}"), &delta[name]);
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                add(format!("{index} call {}", call["index"]), &call["function"]["arguments"]);
            }
        }
        match event["type"].as_str().unwrap_or_default() {
            "content_block_start" | "content_block_delta" => {
                let from = if event["delta"].is_null() { &event["content_block"] } else { &event["delta"] };
                for name in ["text", "partial_json", "thinking", "signature"] {
                    add(format!("{} {name}", event["index"]), &from[name]);
                }
            }
            kind if kind.ends_with(".delta") => {
                let indices =
                    ["output_index", "content_index", "summary_index"].map(|name| event[name].to_string());
                add(format!("{kind} {}", indices.join(" ")), &event["delta"]);
            }
            _ => {}
        }
    }
    lanes.retain(|_, text| !text.is_empty());
    lanes
}

/// One event of OpenAI's or, with a type, of the others'.
pub(crate) fn event(data: &Value) -> String {
    match data["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}
