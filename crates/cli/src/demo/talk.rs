//! What people see of a request's body: who says what, and which tools there are.

use serde_json::Value;

/// A body in words, a line for each thing that is said. What the stub provider is told to do is left out: it stands
/// in double brackets.
pub(super) fn words(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return "(no JSON)".to_owned() };
    let mut lines = Vec::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let role = message["role"].as_str().unwrap_or_default();
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let called = calls.filter_map(|call| call["function"]["name"].as_str()).map(str::to_owned);
        let said = called.chain([text(&message["content"])]).filter(|said| !said.is_empty());
        lines.push(format!("{role}: {}", said.collect::<Vec<String>>().join("\n")));
    }
    if let Some(input) = body["input"].as_str() {
        lines.push(format!("user: {}", without_script(input)));
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        if let Some(server) = tool["server_url"].as_str() {
            lines.push(format!("tools: {server}"));
        }
    }
    lines.join("\n")
}

/// The text of a content: a string, or the texts of its parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => without_script(text),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str()).map(without_script);
            texts.filter(|text| !text.is_empty()).collect::<Vec<String>>().join("\n")
        }
        _ => String::new(),
    }
}

/// A text without its directives.
fn without_script(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("[[") {
        words.push_str(before);
        rest = from.split_once("]]").map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    words.trim().to_owned()
}

/// The texts of a body that are tokens of a category, in their order.
pub(super) fn tokens(body: &[u8], category: &str) -> Vec<String> {
    let Ok(text) = str::from_utf8(body) else { return Vec::new() };
    let beginning = format!("obl_{category}_");
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let words = text.split(|sign| !is_part(sign)).filter(|word| word.starts_with(&beginning));
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_becomes_a_line_for_each_thing_said() {
        let body = br#"{"messages":[{"role":"user","content":"Hi [[slow:1]]there"},
            {"role":"tool","content":[{"type":"text","text":"{}"},{"type":"text","text":"[[say:x]]"}]}]}"#;
        assert_eq!(words(body), "user: Hi there\ntool: {}");
        let body = br#"{"input":"Look","tools":[{"type":"mcp","server_url":"https://mcp.example.com"}]}"#;
        assert_eq!(words(body), "user: Look\ntools: https://mcp.example.com");
    }

    #[test]
    fn tokens_are_known_by_their_category() {
        let body = br#"{"a":"obl_email_abc, obl_phone_d","b":"obl_email_abc"}"#;
        assert_eq!(tokens(body, "email"), ["obl_email_abc", "obl_email_abc"]);
        assert_eq!(tokens(body, "card_number"), [""; 0]);
    }
}
