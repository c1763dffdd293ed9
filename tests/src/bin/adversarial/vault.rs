//! Scenarios over tokens: requests are redacted and answers restored, step by step.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use obelus_vault::{
    KeyRow, Keyring, RowId, Scope, SealedValue, Settings, SqliteStore, Store, StoreError, TokenRow, Vault,
    VaultKey, virtual_key::KeyId,
};
use obelus_wire::{Profile, Route, Wire};
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// What a scenario is written as.
#[derive(Debug, Deserialize)]
struct Scenario {
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    op: Op,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    count: usize,
    #[serde(default)]
    check: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Op {
    Redact,
    RedactBatch,
    Restore,
    RestoreStream,
    ToolCall,
    Restart,
    VaultDown,
}

/// The key of the vault: nothing is behind it but test values.
const KEY: [u8; 32] = [7; 32];

/// A vault over a file, the reader of requests and answers, and the texts that were redacted.
struct Stage {
    folder: tempfile::TempDir,
    vault: Vault,
    wire: Arc<Wire>,
    /// The values of redacted requests and the tokens made for them.
    issued: Vec<(Vec<u8>, String)>,
}

/// Runs a scenario. The output is that of the steps that are checked.
pub(crate) fn run(input: &[u8]) -> Result<(&'static str, Vec<u8>), Box<dyn Error>> {
    let scenario: Scenario = serde_json::from_slice(input)?;
    let folder = tempfile::tempdir()?;
    let vault = open(&folder, false)?;
    let wire = Arc::new(Wire::new(&Profile::default())?);
    let mut stage = Stage { folder, vault, wire, issued: Vec::new() };
    let mut output = Vec::new();
    for step in &scenario.steps {
        let Some(said) = stage.take(step)? else { return Ok(("rejected", output)) };
        if step.check {
            output.extend_from_slice(&said);
        }
    }
    Ok(("forwarded", output))
}

/// The vault over the file of the stage, or over a store that does not work. Waits are long: a machine that is busy is
/// not what is tried here.
fn open(folder: &tempfile::TempDir, is_down: bool) -> Result<Vault, Box<dyn Error>> {
    let store: Arc<dyn Store> = match is_down {
        true => Arc::new(Down),
        false => Arc::new(SqliteStore::open(&folder.path().join("state.db"))?),
    };
    let long = Duration::from_secs(10);
    let settings = Settings { look_up_wait: long, write_wait: long, ..Settings::default() };
    Ok(Vault::new(Keyring::new(VaultKey::new("1", &KEY)?), Some(store), settings)?)
}

impl Stage {
    /// Takes one step. Nothing if it is refused.
    fn take(&mut self, step: &Step) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        let scope = self.vault.scope(&step.tenant, &step.session);
        match step.op {
            Op::Redact => self.redact(scope, &step.body.replace("{{TOKENISH}}", TOKENISH)),
            Op::RedactBatch => {
                for number in 0..step.count {
                    self.redact(scope.clone(), &step.body.replace("%d", &number.to_string()))?;
                }
                Ok(Some(Vec::new()))
            }
            Op::Restore => {
                let body = self.filled(&step.body)?;
                let answer = self.wire.answer(Route::ChatCompletions, scope).finish(body.as_bytes());
                Ok(answer.ok().map(|answer| answer.body))
            }
            Op::RestoreStream => {
                let body = self.filled(&step.body)?;
                let (mut events, mut out) = (self.wire.events(Route::ChatCompletions, scope), Vec::new());
                let ended = events.push(body.as_bytes(), &mut out).and_then(|()| events.finish(&mut out));
                Ok(ended.is_ok().then_some(out))
            }
            Op::ToolCall => {
                let arguments = self.filled(&step.arguments.to_string())?;
                let call = json!({"id": "call_1", "type": "function", "function": {"name": step.tool, "arguments": arguments}});
                let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
                let body = json!({"id": "c1", "object": "chat.completion", "choices": [{"index": 0, "message": message}]});
                let answer =
                    self.wire.answer(Route::ChatCompletions, scope).finish(body.to_string().as_bytes());
                Ok(answer.ok().map(|answer| answer.body))
            }
            Op::Restart => {
                self.vault.flush(Duration::from_secs(10))?;
                self.vault = open(&self.folder, false)?;
                Ok(Some(Vec::new()))
            }
            Op::VaultDown => {
                self.vault = open(&self.folder, true)?;
                Ok(Some(Vec::new()))
            }
        }
    }

    fn redact(&mut self, scope: Scope, body: &str) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        let Ok(redacted) = self.wire.request(Route::ChatCompletions, body.as_bytes(), &scope) else {
            return Ok(None);
        };
        let text = String::from_utf8(redacted.body.clone())?;
        for (at, _) in text.match_indices("obl_") {
            let Some((_, len)) = obelus::token::parse(&text.as_bytes()[at..]) else { continue };
            let mut value = Vec::new();
            if scope.open(&text.as_bytes()[at..at + len], &mut value) {
                self.issued.push((value, text.get(at..at + len).unwrap_or_default().to_owned()));
            }
        }
        // What is never kept has a label.
        if text.contains(LABEL) {
            self.issued.push((b"cvc 737".to_vec(), LABEL.to_owned()));
        }
        Ok(Some(redacted.body))
    }

    /// The text with what stands in double braces filled in.
    fn filled(&self, text: &str) -> Result<String, Box<dyn Error>> {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, from)) = rest.split_once("{{") {
            let (name, behind) = from.split_once("}}").ok_or("a brace is not closed")?;
            out.push_str(before);
            out.push_str(&self.fill(name)?);
            rest = behind;
        }
        Ok(out + rest)
    }

    fn fill(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let (kind, value) = name.split_once(':').unwrap_or((name, ""));
        let halves = |token: &str| {
            token.split_at_checked(token.len() / 2).map(|(one, two)| (one.to_owned(), two.to_owned()))
        };
        Ok(match kind {
            "TOKENISH" => TOKENISH.to_owned(),
            "TOKEN_GUESS" => (0..value.parse::<u64>()?).map(guess).collect::<Vec<_>>().join(" "),
            "TOKEN_SPLICE" => {
                let (one, other) = value.split_once('|').ok_or("a splice names two values")?;
                let (one, other) = (self.token(one)?, self.token(other)?);
                let at = one.len().saturating_sub(10);
                let tail = other.get(other.len().saturating_sub(10)..);
                format!("{}{}", one.get(..at).unwrap_or_default(), tail.unwrap_or_default())
            }
            _ => {
                let token = self.token(value)?;
                match kind {
                    "TOKEN" => token,
                    // Tokens are of small letters: in capitals the case is another one.
                    "TOKEN_LOWER" => token.to_uppercase(),
                    "TOKEN_TAMPER" => {
                        let last = if token.ends_with('a') { 'b' } else { 'a' };
                        let mut token = token;
                        token.pop();
                        format!("{token}{last}")
                    }
                    "TOKEN_B64" => STANDARD.encode(token),
                    "TOKEN_HALF1" => halves(&token).unwrap_or_default().0,
                    "TOKEN_HALF2" => halves(&token).unwrap_or_default().1,
                    _ => return Err(format!("{kind} is not known").into()),
                }
            }
        })
    }

    /// What stands for a value.
    fn token(&self, value: &str) -> Result<String, Box<dyn Error>> {
        let issued = self.issued.iter().find(|(behind, _)| behind == value.as_bytes());
        Ok(issued.map(|(_, token)| token.clone()).ok_or("a value was not redacted")?)
    }
}

/// What stands for a verification code.
const LABEL: &str = "[card-cvc]";

/// Text of the form of a token that nobody made.
const TOKENISH: &str = "obl_email_abcdefghijklmnopabcd";

/// The form of tokens with letters that a number gives.
fn guess(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let letters =
        (0..20).map(|at| char::from(b'a' + u8::try_from(mixed.rotate_left(at * 7) & 15).unwrap_or(0)));
    format!("obl_email_{}", letters.collect::<String>())
}

/// A store that does not answer.
struct Down;

impl Store for Down {
    fn put_tokens(&self, _: &[TokenRow]) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn token(&self, _: &RowId, _: &RowId, _: u64) -> Result<Option<SealedValue>, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn erase_scopes(&self, _: &[RowId]) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn erase_tenants(&self, _: &[RowId]) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn purge(&self, _: u64) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn insert_key(&self, _: &KeyRow) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn replace_key(&self, _: &KeyRow, _: u64) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn key(&self, _: &KeyId) -> Result<Option<KeyRow>, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn revoke_key(&self, _: &KeyId, _: u64) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn note_uses(&self, _: &[(KeyId, u64)]) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn add_requests(&self, _: u64, _: &[(KeyId, u64)]) -> Result<(), StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn requests(&self, _: u64) -> Result<Vec<(KeyId, u64)>, StoreError> {
        Err(StoreError::Unavailable(None))
    }
    fn generation(&self) -> Result<u64, StoreError> {
        Err(StoreError::Unavailable(None))
    }
}
