//! The story, step by step. Each step says what it promises and looks whether that holds.

use super::client::{News, Reply, Request};
use super::screen::Screen;
use super::stage::{Files, PROVIDER_KEY, Stage};
use super::talk::{tokens, words};
use super::{Promise, Stop};
use crate::failure::Failure;
use obelus_demo::Recorded;
use serde_json::{Value, json};
use std::time::Instant;

/// Published test values: nobody's.
const NAME: &str = "Jenny Rosen";
const EMAIL: &str = "jenny@example.com";
const PHONE: &str = "+1 415 555 0132";
const CARD: &str = "4242 4242 4242 4242";
/// How the first answer begins: long enough that some of it leaves at once.
const OPENING: &str = "The account belongs to a customer whose name is";
/// The card that the stub provider makes up.
const INVENTED: &str = "5555 5555 5555 4444";

/// How slowly events come when somebody watches.
const EVENT_MILLIS: u32 = 30;

/// Tells the story, until `deadline` at the latest.
pub(super) fn tell(screen: &mut Screen, deadline: Instant) -> Result<(), Stop> {
    screen.say(
        "A client, the sidecar, and a provider that is none, all on 127.0.0.1. Every value is a published test value.",
    )?;
    let mut story = Story { stage: Stage::set(deadline)?, slow: slowness(screen), asked: Vec::new() };
    story.chat(screen)?;
    story.invented(screen)?;
    story.tool_call(screen)?;
    story.hosted_tool(screen)?;
    story.wrong_key(screen)?;
    let Story { stage, asked, .. } = story;
    let key = stage.key.clone();
    records(screen, &stage.clear()?, &asked, &key)?;
    screen.say(&format!("\n{} of {} promises held.", screen.promises() - screen.broken(), screen.promises()))
}

fn slowness(screen: &Screen) -> String {
    if screen.is_watched() { format!("[[slow:{EVENT_MILLIS}]]") } else { String::new() }
}

struct Story {
    stage: Stage,
    /// The directive that makes the provider go slowly.
    slow: String,
    /// What the sidecar called the requests.
    asked: Vec<String>,
}

/// A step that has been done.
struct Done {
    reply: Reply,
    /// What the provider saw, if it saw anything.
    saw: Option<Recorded>,
}

impl Done {
    fn saw_body(&self) -> &[u8] {
        self.saw.as_ref().map_or(&[], |saw| &saw.body)
    }
}

impl Story {
    /// A conversation about a customer, with a Stripe object among the results of a tool.
    fn chat(&mut self, screen: &mut Screen) -> Result<(), Stop> {
        // As Stripe writes it, members in their order.
        let customer = format!(
            r#"{{"id":"cus_NffrFeUfNV2Hib","object":"customer","email":"{EMAIL}","name":"{NAME}","phone":"{PHONE}"}}"#
        );
        let slow = &self.slow;
        let said = format!("[[say:{OPENING} $2. Shall I write to $1 or call $3?]][[hold:8]]{slow}");
        let call = json!({"id": "call_1", "type": "function",
            "function": {"name": "find_customer", "arguments": "{}"}});
        let body = json!({"model": "stub", "stream": true, "messages": [
            {"role": "user", "content": format!("{NAME} ({EMAIL}) paid with {CARD}. Who is that?")},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [
                {"type": "text", "text": customer}, {"type": "text", "text": said}]},
        ]});
        screen.begin("A streamed chat about a customer, with a Stripe object in a tool result")?;
        // The provider waits after a few words until the client has read some: whoever held the answer back would
        // wait for ever.
        let mut came_early = false;
        let done = self.ask(screen, "/v1/chat/completions", &body, |stage, is_first| {
            if is_first {
                came_early = true;
                stage.provider.release();
            }
        })?;
        let (reply, saw) = (&done.reply, done.saw_body());
        let emails = tokens(saw, "email");
        let authorization = done.saw.as_ref().and_then(|saw| saw.header("authorization"));
        let wanted = format!("{OPENING} {NAME}. Shall I write to {EMAIL} or call {PHONE}?");
        screen.end(vec![
            nothing_seen(done.saw.as_ref()),
            Promise::new(
                "one value has one token, in the message and in the tool's result",
                matches!(emails.as_slice(), [first, second] if first == second),
            ),
            Promise::new("the client reads the values again", reply.status == 200 && reply.text == wanted),
            Promise::new(
                format!(
                    "the answer came in {} pieces, the first while the provider still wrote",
                    reply.pieces
                ),
                came_early && reply.pieces > 2,
            ),
            Promise::new(
                "the provider got its own key, and not the client's",
                authorization == Some(&format!("Bearer {PROVIDER_KEY}"))
                    && !self.leaks_key(done.saw.as_ref()),
            ),
        ])
    }

    /// What the model makes up is found on its way back.
    fn invented(&mut self, screen: &mut Screen) -> Result<(), Stop> {
        let text = format!("Which card does {NAME} have? [[say:Let me see.]][[invent:card]]{}", self.slow);
        let body = json!({"model": "stub", "max_tokens": 100, "stream": true,
            "messages": [{"role": "user", "content": text}]});
        screen.begin("A card number that the model makes up (Anthropic's format)")?;
        let done = self.ask(screen, "/v1/messages", &body, |_, _| {})?;
        let said = match &done.saw {
            Some(saw) => self.stage.ask_provider(saw)?.text,
            None => String::new(),
        };
        let got = &done.reply.text;
        screen.end(vec![
            nothing_seen(done.saw.as_ref()),
            Promise::new(format!("the provider's answer was: {said}"), said.contains(INVENTED)),
            Promise::new(
                "the card number did not reach the client, the rest did",
                !got.contains(INVENTED) && got.starts_with("Let me see. The card is "),
            ),
        ])
    }

    /// Tools get tokens, unless the configuration names them.
    fn tool_call(&mut self, screen: &mut Screen) -> Result<(), Stop> {
        let script = format!(r#"[[tool:send_mail {{"to":"$1","template":"refund"}}]]{}"#, self.slow);
        let function = json!({"name": "send_mail", "parameters": {"type": "object"}});
        let body = json!({"model": "stub", "stream": true,
            "tools": [{"type": "function", "function": function}],
            "messages": [{"role": "user", "content": format!("Send {EMAIL} the note on refunds. {script}")}]});
        screen.begin("A tool call: its arguments keep their tokens")?;
        let done = self.ask(screen, "/v1/chat/completions", &body, |_, _| {})?;
        let token = tokens(done.saw_body(), "email").into_iter().next().unwrap_or_default();
        let wanted = format!(r#"send_mail{{"to":"{token}","template":"refund"}}"#);
        screen.end(vec![
            nothing_seen(done.saw.as_ref()),
            Promise::new(
                "the arguments hold the token, and not the address",
                !token.is_empty() && done.reply.text == wanted,
            ),
        ])
    }

    /// A tool server that the provider would call takes data past the sidecar.
    fn hosted_tool(&mut self, screen: &mut Screen) -> Result<(), Stop> {
        let tool = json!({"type": "mcp", "server_label": "crm", "server_url": "https://mcp.example.com"});
        let input = format!("Look up {EMAIL}.");
        let body = json!({"model": "stub", "input": input, "tools": [tool]});
        screen.begin("A tool server that the provider would call itself: refused")?;
        let done = self.ask(screen, "/v1/responses", &body, |_, _| {})?;
        screen.end(refused(&done, 400))
    }

    /// A key that is not quite right.
    fn wrong_key(&mut self, screen: &mut Screen) -> Result<(), Stop> {
        let body = json!({"model": "stub", "messages": [{"role": "user", "content": format!("Hello from {EMAIL}")}]});
        screen.begin("A wrong key")?;
        let right = self.stage.key.clone();
        let last = if right.ends_with('a') { 'b' } else { 'a' };
        self.stage.key = right.chars().take(right.chars().count().saturating_sub(1)).chain([last]).collect();
        let done = self.ask(screen, "/v1/chat/completions", &body, |_, _| {});
        self.stage.key = right;
        screen.end(refused(&done?, 401))
    }

    /// Sends a request and shows what becomes of it. `came` is told of each piece, and whether it is the first.
    fn ask(
        &mut self,
        screen: &mut Screen,
        path: &str,
        body: &Value,
        mut came: impl FnMut(&Stage, bool),
    ) -> Result<Done, Stop> {
        let stage = &self.stage;
        stage.provider.forget();
        let bearer = format!("Bearer {}", stage.key);
        let mut headers = vec![("authorization", bearer.as_str())];
        if path == "/v1/messages" {
            headers.push(("anthropic-version", "2023-06-01"));
        }
        let body = body.to_string().into_bytes();
        let sent = format!("key: {}\n{}", shortened(&stage.key), words(&body));
        let mut is_first = true;
        let request = Request { path, headers: &headers, body: &body };
        let reply = stage.ask(&request, |news| match news {
            News::Head => {
                let saw = stage.provider.seen().pop().map(|saw| {
                    let key = saw.header("authorization").map(|value| value.trim_start_matches("Bearer "));
                    let key = key.or_else(|| saw.header("x-api-key")).unwrap_or_default();
                    format!("key: {key}\n{}", words(&saw.body))
                });
                screen.sides(&sent, saw.as_deref())
            }
            News::Piece(piece) => {
                screen.piece(piece)?;
                came(stage, std::mem::take(&mut is_first));
                Ok(())
            }
        })?;
        self.asked.extend(reply.request_id.clone());
        Ok(Done { reply, saw: self.stage.provider.seen().pop() })
    }

    /// Whether what the provider saw holds the client's key.
    fn leaks_key(&self, saw: Option<&Recorded>) -> bool {
        saw.is_some_and(|saw| {
            let values = saw.headers.iter().map(|(_, value)| value.as_bytes());
            values.chain([saw.body.as_slice()]).any(|bytes| holds(bytes, &self.stage.key))
        })
    }
}

/// Every request has its record, and nothing that the sidecar leaves behind holds a value.
fn records(screen: &mut Screen, files: &Files, asked: &[String], key: &str) -> Result<(), Stop> {
    screen.begin("What was recorded, shortened, and what else is on disk")?;
    let audit = files.audit()?;
    let records: Vec<Value> = audit
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .map_err(|error| Failure::data(format!("audit.jsonl: a record is no JSON: {error}")))
        })
        .collect::<Result<_, Failure>>()?;
    let lines: Vec<String> = records.iter().map(record_line).collect();
    screen.lines(&lines)?;
    let is_recorded = |id: &String| records.iter().any(|record| record["request_id"] == id.as_str());
    let contents = files.all()?;
    let is_clean = |bytes: &Vec<u8>| !holds_value(bytes) && !holds(bytes, key);
    screen.end(vec![
        Promise::new(
            format!("each of the {} requests has its record", asked.len()),
            asked.len() == 5 && asked.iter().all(is_recorded),
        ),
        Promise::new("no record holds a value or the key", is_clean(&audit.clone().into_bytes())),
        Promise::new(
            format!("none of the {} files of state holds a value or the key", contents.len()),
            contents.iter().all(is_clean),
        ),
    ])
}

/// A record on one line.
fn record_line(record: &Value) -> String {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let findings = record["redactions"].as_object().into_iter().flatten();
    let findings: Vec<String> = findings.map(|(category, count)| format!("{category} {count}")).collect();
    let words = [
        record["seq"].as_u64().map(|seq| format!("{seq:>2}")),
        word(&record["kind"]),
        word(&record["route"]["name"]),
        word(&record["decision"]),
        word(&record["outcome"]),
        word(&record["reason"]),
        record["status"].as_u64().map(|status| status.to_string()),
        (!findings.is_empty()).then(|| findings.join(", ")),
    ];
    words.into_iter().flatten().collect::<Vec<String>>().join("  ")
}

/// What the provider saw holds nothing that was planted.
fn nothing_seen(saw: Option<&Recorded>) -> Promise {
    let is_clean = saw.is_some_and(|saw| {
        let headers = saw.headers.iter().map(|(_, value)| value.as_bytes());
        headers.chain([saw.body.as_slice()]).all(|bytes| !holds_value(bytes))
    });
    Promise::new("the provider saw no name, address, telephone or card number", is_clean)
}

/// A request was refused and told so, and nothing of it left.
fn refused(done: &Done, status: u16) -> Vec<Promise> {
    let Done { reply, saw } = done;
    vec![
        Promise::new("nothing reached the provider", saw.is_none()),
        Promise::new(
            format!("the client was told why, with status {status}, and no value was repeated"),
            reply.status == status && !reply.text.is_empty() && !holds_value(&reply.body),
        ),
    ]
}

/// Whether bytes hold a value of the story.
fn holds_value(bytes: &[u8]) -> bool {
    let digits = |value: &str| value.replace(' ', "");
    let values = [NAME, EMAIL, PHONE, CARD].map(str::to_owned);
    values.into_iter().chain([digits(PHONE), digits(CARD)]).any(|value| holds(bytes, &value))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The beginning of a key: enough to know it by.
fn shortened(key: &str) -> String {
    format!("{}…", key.chars().take(11).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_however_it_is_written() {
        for text in ["x Jenny Rosen", "4242424242424242", "+14155550132", "jenny@example.com"] {
            assert!(holds_value(text.as_bytes()), "{text}");
        }
        assert!(!holds_value(b"obl_email_abcdefghijklmnopabcd Jenny 4242"));
    }

    #[test]
    fn what_reached_nobody_is_not_taken_for_clean() {
        assert!(!nothing_seen(None).held);
    }

    #[test]
    fn a_record_says_what_was_decided_and_found() {
        let record = json!({"seq": 2, "kind": "model_request", "route": {"name": "messages"}, "decision": "allow",
            "redactions": {"email": 2}});
        assert_eq!(record_line(&record), " 2  model_request  messages  allow  email 2");
    }
}
