//! What is answered, whatever the format.

use crate::json::{Json, object};
use crate::request::{Format, Request};
use crate::script::{Invented, Script, ToolCall};

/// How much of a text is quoted, in characters.
const QUOTE_CHARS_MAX: usize = 16 * 1024;

/// Published test values.
const CARD: &str = "5555 5555 5555 4444";
const EMAIL: &str = "robin@example.org";

/// An answer.
pub(crate) struct Answer {
    /// The text of each choice; none where only tools are called.
    pub(crate) texts: Vec<Option<String>>,
    pub(crate) is_refusal: bool,
    pub(crate) thinking: Option<String>,
    pub(crate) tools: Vec<ToolCall>,
    pub(crate) logprobs: bool,
    /// The length of a delta.
    pub(crate) delta_chars: usize,
}

impl Answer {
    pub(crate) fn new(
        format: Format,
        request: &Request<'_>,
        script: &mut Script,
        delta_chars: usize,
    ) -> Answer {
        let wanted = request.body["n"].as_u64().and_then(|n| usize::try_from(n).ok());
        let choices = match format {
            Format::Chat => script.choices.or(wanted).unwrap_or(1),
            Format::Responses | Format::Messages => 1,
        };
        let tools = std::mem::take(&mut script.tools);
        let is_said = tools.is_empty() || script.say.is_some() || !script.invent.is_empty();
        let said = is_said.then(|| said(request, script));
        let text = |at: usize| match (at, &said) {
            (0, said) => said.clone(),
            (_, said) => said.as_ref().map(|said| format!("Choice {}: {said}", at + 1)),
        };
        let thinks = script.thinking
            || matches!(request.body["thinking"]["type"].as_str(), Some("enabled" | "adaptive"));
        Answer {
            texts: (0..choices.clamp(1, 128)).map(text).collect(),
            is_refusal: script.refusal,
            thinking: thinks.then(|| format!("The text is: {}", quote(&script.text))),
            tools,
            logprobs: script.logprobs
                || request.is_set("logprobs")
                || request.includes("message.output_text.logprobs"),
            delta_chars: script.delta_chars.unwrap_or(delta_chars).max(1),
        }
    }

    /// A text as deltas.
    pub(crate) fn deltas<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let cuts: Vec<usize> = starts.step_by(self.delta_chars).chain([text.len()]).collect();
        cuts.windows(2).filter_map(|cut| text.get(cut[0]..cut[1])).filter(|delta| !delta.is_empty()).collect()
    }

    /// The log-probabilities of a text, delta by delta, if they are wanted.
    pub(crate) fn probabilities(&self, text: &str) -> Option<Vec<Json>> {
        let one = |token: &str| {
            let bytes: Vec<Json> = token.bytes().map(|byte| Json::from(u64::from(byte))).collect();
            object! { "token": token, "logprob": -0.125, "bytes": bytes, "top_logprobs": Vec::new() }
        };
        self.logprobs.then(|| self.deltas(text).into_iter().map(one).collect())
    }

    /// Roughly how many tokens the answer has.
    pub(crate) fn tokens(&self) -> usize {
        let texts = self.texts.iter().flatten().map(String::len);
        let tools = self.tools.iter().map(|tool| tool.arguments.len());
        texts.chain(tools).chain(self.thinking.iter().map(String::len)).sum::<usize>() / 4 + 1
    }
}

/// Roughly how many tokens a request has.
pub(crate) fn tokens(body: &serde_json::Value) -> usize {
    body.to_string().len() / 4 + 1
}

fn said(request: &Request<'_>, script: &Script) -> String {
    let mut said = match &script.say {
        Some(say) => say.clone(),
        None if script.text.is_empty() => "Nothing was said.".to_owned(),
        None if request.is_tool_result => format!("The tool said: {}", quote(&script.text)),
        None => format!("You wrote: {}", quote(&script.text)),
    };
    for invented in &script.invent {
        said.push_str(match invented {
            Invented::Card => " The card is ",
            Invented::Email => " The address is ",
        });
        said.push_str(match invented {
            Invented::Card => CARD,
            Invented::Email => EMAIL,
        });
        said.push('.');
    }
    said
}

/// The text, or its beginning.
pub(crate) fn quote(text: &str) -> String {
    text.chars().take(QUOTE_CHARS_MAX).collect()
}
