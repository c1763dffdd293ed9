//! Directives in the text of a request.

/// What a text asks the provider to do.
#[derive(Default)]
pub(crate) struct Script {
    /// The text without directives.
    pub(crate) text: String,
    pub(crate) say: Option<String>,
    pub(crate) tools: Vec<ToolCall>,
    pub(crate) invent: Vec<Invented>,
    pub(crate) choices: Option<usize>,
    pub(crate) thinking: bool,
    pub(crate) refusal: bool,
    pub(crate) logprobs: bool,
    pub(crate) delta_chars: Option<usize>,
    pub(crate) frame_bytes: Option<usize>,
    pub(crate) slow_ms: u64,
    pub(crate) hold: Option<usize>,
    pub(crate) end: End,
    pub(crate) error: Option<u16>,
}

/// A call of a tool.
pub(crate) struct ToolCall {
    pub(crate) name: String,
    /// JSON, or whatever the directive says.
    pub(crate) arguments: String,
}

/// A value that stands in no request.
#[derive(Clone, Copy)]
pub(crate) enum Invented {
    Card,
    Email,
}

/// How a stream ends.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(crate) enum End {
    #[default]
    Whole,
    /// In the middle, as if that were all.
    Cut,
    /// In the middle, with the connection.
    Reset,
    /// In the middle, with an error event.
    Fail,
}

/// How many choices a request may have, as the real providers limit it.
const CHOICES_MAX: usize = 128;

impl Script {
    /// Reads the directives of a text. What is none stays text.
    pub(crate) fn new(input: &str) -> Script {
        let mut script = Script::default();
        let mut rest = input;
        while let Some((before, from)) = rest.split_once("[[") {
            script.text.push_str(before);
            match script.directive(from) {
                Some(after) => rest = after,
                None => {
                    script.text.push_str("[[");
                    rest = from;
                }
            }
        }
        script.text.push_str(rest);
        script.text = script.text.trim().to_owned();
        script.fill_in();
        script
    }

    /// Takes one directive; gives what follows it.
    fn directive<'a>(&mut self, from: &'a str) -> Option<&'a str> {
        if let Some(call) = from.strip_prefix("tool:") {
            let (name, from) = call.split_once(' ')?;
            let (arguments, after) = arguments(from)?;
            self.tools.push(ToolCall { name: name.to_owned(), arguments: arguments.to_owned() });
            return Some(after);
        }
        let (word, after) = from.split_once("]]")?;
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        match name {
            "say" => self.say = Some(value.to_owned()),
            "invent" => self.invent.push(match value {
                "card" => Invented::Card,
                "email" => Invented::Email,
                _ => return None,
            }),
            "choices" => self.choices = Some(value.parse().ok().filter(|n| (1..=CHOICES_MAX).contains(n))?),
            "thinking" => self.thinking = true,
            "refusal" => self.refusal = true,
            "logprobs" => self.logprobs = true,
            "delta" => self.delta_chars = Some(value.parse().ok().filter(|&n| n > 0)?),
            "bytes" => self.frame_bytes = Some(value.parse().ok().filter(|&n| n > 0)?),
            "slow" => self.slow_ms = value.parse().ok()?,
            "hold" => self.hold = Some(value.parse().ok()?),
            "cut" => self.end = End::Cut,
            "reset" => self.end = End::Reset,
            "fail" => self.end = End::Fail,
            "error" if value.is_empty() => self.error = Some(500),
            "error" => self.error = Some(value.parse().ok().filter(|status| (400..600).contains(status))?),
            _ => return None,
        }
        Some(after)
    }

    /// Puts words of the text in place of `$1`, `$2`, ….
    fn fill_in(&mut self) {
        let words: Vec<String> = words(&self.text).map(str::to_owned).collect();
        let tools = self.tools.iter_mut().map(|tool| &mut tool.arguments);
        for text in tools.chain(self.say.as_mut()) {
            // From the last on, so that `$1` does not take the beginning of `$10`.
            for (at, word) in words.iter().enumerate().rev() {
                *text = text.replace(&format!("${}", at + 1), word);
            }
        }
    }
}

/// Arguments up to the closing brackets of the directive: a JSON value, which may hold brackets, or any text.
fn arguments(from: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(from).into_iter::<serde::de::IgnoredAny>();
    if let Some(Ok(_)) = values.next()
        && let Some((value, rest)) = from.split_at_checked(values.byte_offset())
        && let Some(after) = rest.strip_prefix("]]")
    {
        return Some((value, after));
    }
    from.split_once("]]")
}

/// The words that are tokens or e-mail addresses.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || "_@.+-".contains(sign);
    let is_email =
        |word: &&str| word.split_once('@').is_some_and(|(who, place)| !who.is_empty() && place.contains('.'));
    text.split(move |sign| !is_part(sign))
        .map(|word| word.trim_end_matches('.'))
        .filter(move |word| word.starts_with("obl_") || is_email(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_taken_out_of_the_text() {
        let script = Script::new(
            "One [[say:two $1]] three a@example.com. [[choices:2]][[slow:5]][[reset]][[error:429]]",
        );
        assert_eq!(script.text, "One  three a@example.com.");
        assert_eq!(script.say.as_deref(), Some("two a@example.com"));
        assert_eq!((script.choices, script.slow_ms, script.error), (Some(2), 5, Some(429)));
        assert!(script.end == End::Reset);
    }

    #[test]
    fn what_is_no_directive_stays() {
        for text in [
            "a [[b]] c",
            "[[tool]] [[say",
            "[[choices:0]]",
            "[[1,2],[3]]",
            "[[error:200]]",
            "[[invent:name]]",
        ] {
            let script = Script::new(text);
            assert_eq!(script.text, text);
            assert!(script.say.is_none() && script.tools.is_empty() && script.error.is_none());
        }
    }

    #[test]
    fn arguments_may_hold_brackets_and_words_of_the_text() {
        let token = "obl_email_abcdefghijklmnopabcd";
        let text = format!(
            r#"{token} b@example.com [[tool:a {{"x":[["$2"]],"y":"$1","z":"$3"}}]][[tool:b not JSON]]"#
        );
        let script = Script::new(&text);
        let tools: Vec<(&str, &str)> =
            script.tools.iter().map(|tool| (tool.name.as_str(), tool.arguments.as_str())).collect();
        let first = format!(r#"{{"x":[["b@example.com"]],"y":"{token}","z":"$3"}}"#);
        assert_eq!(tools, [("a", first.as_str()), ("b", "not JSON")]);
    }
}
