#![forbid(unsafe_code)]
//! Values that become tokens and come back, places that are read otherwise, and how little is held of a text.

use obelus::{Category, Finding, Format, Reading, Redactor, Sink, Transform, token};
use obelus_tests::document::document;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

/// A sink that makes tokens, or turns them back.
#[derive(Default)]
struct Tokens {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    restores: bool,
    output: Vec<u8>,
    found: Vec<(String, Category, bool)>,
}

impl Sink for Tokens {
    type Error = Infallible;

    fn keep(&mut self, input: &[u8]) -> Result<(), Infallible> {
        self.put(input)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        self.found.push((finding.path.to_owned(), finding.category, finding.allowed));
        Ok(())
    }

    fn surrogate(&mut self, _: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        // As who keeps values must not keep this one.
        if category == Category::CardCvc {
            return false;
        }
        if self.restores {
            let known = self.values.get(value);
            out.extend_from_slice(known.map_or(b"", Vec::as_slice));
            return known.is_some();
        }
        if self.values.contains_key(value) {
            out.extend_from_slice(value);
            return true;
        }
        let digest = Sha256::new().chain_update(category.as_str()).chain_update(value).finalize();
        let mut body = [0; token::BODY_BYTES];
        body.copy_from_slice(&digest[..token::BODY_BYTES]);
        let from = out.len();
        token::render(category, body, out);
        self.values.insert(out[from..].to_vec(), value.to_vec());
        true
    }
}

fn build(format: Format) -> Redactor {
    let mut builder = Redactor::builder();
    builder.format(format).transform(Transform::Token);
    if format != Format::Json {
        return builder.build().expect("the defaults are sound");
    }
    builder.position("/tools/*/schema", Reading::Text).position("/*/id", Reading::Exempt);
    builder.position("/tools/*/name", Reading::Exempt).position("/usage", Reading::Exempt);
    builder.build().expect("the positions are paths")
}

static JSON: LazyLock<Arc<Redactor>> = LazyLock::new(|| Arc::new(build(Format::Json)));
/// Without special places: what is exempt keeps its tokens.
static SEQUENCE: LazyLock<Redactor> = LazyLock::new(|| {
    Redactor::builder().transform(Transform::Token).build().expect("the defaults are sound")
});
static TEXT: LazyLock<Redactor> = LazyLock::new(|| build(Format::Text));
static FORM: LazyLock<Redactor> = LazyLock::new(|| build(Format::Form));

/// Reads `input` in pieces that end at `cuts`.
fn read(redactor: &Redactor, mut sink: Tokens, input: &[u8], cuts: &[usize]) -> Tokens {
    sink.output.clear();
    sink.found.clear();
    let mut stream = redactor.stream();
    let mut from = 0;
    for &cut in cuts.iter().chain([&input.len()]) {
        stream.push(&input[from..cut.max(from)], &mut sink).expect("the input is what the format says");
        from = cut.max(from);
    }
    stream.finish(&mut sink).expect("the input is whole");
    sink
}

fn redacted(redactor: &Redactor, input: &str) -> Tokens {
    read(redactor, Tokens::default(), input.as_bytes(), &[])
}

fn restored(redactor: &Redactor, tokens: Tokens) -> String {
    let input = tokens.output.clone();
    let back = read(redactor, Tokens { restores: true, ..tokens }, &input, &[]);
    String::from_utf8(back.output).expect("the output is text")
}

#[test]
fn values_come_back_escaped_for_their_place() {
    for input in [
        r#"{"email":"jenny@example.com","text":"call +1 201 555 0123 or jenny@example.com."}"#,
        r#"{"first_name":"Jenny \"J\"\nRosen","last_name":"R\\o\u0001sen"}"#,
        r#"{"arguments":"{\"first_name\":\"Jenny \\\"J\\\" \\n Rosen\",\"deep\":\"{\\\"last_name\\\":\\\"R\\\\\\\"o\\\"}\"}"}"#,
        r#"{"text":"４２４２ 4242 4242 4242 and j\u00e9nny@ex\u0061mple.com"}"#,
        r#"["obl_email_abcdefghijklmnopabcd is no token of ours"]"#,
    ] {
        let tokens = redacted(&JSON, input);
        let output = String::from_utf8(tokens.output.clone()).expect("the output is text");
        assert!(output.contains("obl_") && !output.contains("Jenny") && !output.contains("@ex"), "{output}");
        let back = restored(&JSON, tokens);
        let parse = |text: &str| {
            serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        assert_eq!(parse(&back), parse(input), "{output}");
    }
}

#[test]
fn text_and_forms_hold_no_json_escapes() {
    let tokens = redacted(&TEXT, "write to \"jenny@example.com\"\n");
    assert!(tokens.output.starts_with(b"write to \"obl_email_"));
    assert_eq!(restored(&TEXT, tokens), "write to \"jenny@example.com\"\n");
    let form = "first_name=Jenny+%22J%22&body=%7B%22last_name%22%3A%22R%5C%22o%22%7D";
    let tokens = redacted(&FORM, form);
    assert!(tokens.output.starts_with(b"first_name=obl_person_name_"));
    assert_eq!(restored(&FORM, tokens), form);
}

#[test]
fn what_has_the_form_of_a_token_becomes_one_and_a_token_stays() {
    let once = redacted(&JSON, r#"["jenny@example.com","obl_email_abcdefghijklmnopabcd"]"#);
    let output = once.output.clone();
    assert!(once.found.iter().any(|(path, category, _)| path == "/1" && *category == Category::TokenLike));
    let twice = read(&JSON, once, &output, &[]);
    assert_eq!(twice.output, output);
}

#[test]
fn names_of_members_become_tokens_too() {
    let tokens = redacted(&JSON, r#"{"jenny@example.com":1,"j2@example.com":2}"#);
    assert!(tokens.output.starts_with(br#"{"obl_email_"#));
    assert_eq!(restored(&JSON, tokens), r#"{"jenny@example.com":1,"j2@example.com":2}"#);
}

#[test]
fn a_card_as_a_number_becomes_a_string() {
    let tokens = redacted(&JSON, r#"{"n":4242424242424242}"#);
    assert_eq!(restored(&JSON, tokens), r#"{"n":"4242424242424242"}"#);
}

#[test]
fn a_sink_that_makes_no_token_gets_the_label() {
    let output = JSON.redact(br#"["jenny@example.com"]"#).expect("the input is JSON");
    assert_eq!(output, br#"["[email]"]"#);
}

#[test]
fn names_say_nothing_where_text_is_read_alone() {
    let schema =
        r#"{"tools":[{"schema":{"email":{"type":"string"},"address":{"city":"x"},"first_name":"text"}}]}"#;
    assert_eq!(redacted(&JSON, schema).output, schema.as_bytes());
    let tokens = redacted(
        &JSON,
        r#"{"tools":[{"schema":{"first_name":"jenny@example.com"}},{"first_name":"Jenny"}]}"#,
    );
    let paths: Vec<&str> = tokens.found.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["/tools/0/schema/first_name", "/tools/1/first_name"]);
}

#[test]
fn exempt_places_keep_all_but_what_may_never_stay() {
    let input = r#"{"tools":[{"name":"jenny@example.com"},{"name":"4242424242424242"}],"a":{"id":"a@example.com"},"usage":{"phone":2015550123}}"#;
    let tokens = redacted(&JSON, input);
    let output = String::from_utf8(tokens.output.clone()).expect("the output is text");
    assert!(
        output.contains("jenny@example.com")
            && output.contains("a@example.com")
            && output.contains("2015550123")
    );
    assert!(!output.contains("4242"), "{output}");
    let allowed: Vec<bool> = tokens.found.iter().map(|(.., allowed)| *allowed).collect();
    assert_eq!(allowed, [true, false, true]);
}

#[test]
fn a_path_that_is_none_is_refused() {
    let error =
        Redactor::builder().position("tools", Reading::Text).build().err().map(|error| error.to_string());
    assert_eq!(
        error.as_deref(),
        Some("`tools` is no path of a position: write `/`, then names and `*` with `/` between")
    );
}

#[test]
fn positions_of_what_is_no_json_are_refused() {
    for format in [Format::Text, Format::Form, Format::Multipart] {
        let built = Redactor::builder().format(format).position("/tools", Reading::Text).build();
        assert!(built.is_err_and(|error| error.to_string().contains("leave them out")));
    }
}

#[test]
fn no_path_holds_what_a_sink_gives_back() {
    let tokens = redacted(&JSON, r#"{"jenny@example.com":{"to":"a@example.com"}}"#);
    let input = tokens.output.clone();
    let back = read(&JSON, Tokens { restores: true, ..tokens }, &input, &[]);
    assert!(back.output.starts_with(br#"{"jenny@example.com""#));
    let paths: Vec<&str> = back.found.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["/[token-like]", "/[token-like]/to"]);
}

#[test]
fn names_come_back_as_they_were_and_never_become_one() {
    let input = r#"{"ｊenny@example.com":1,"a@example.com cvc 123":2,"a@example.com cvc 456":3}"#;
    let tokens = redacted(&JSON, input);
    let output = String::from_utf8(tokens.output.clone()).expect("the output is text");
    let names: Vec<&str> = output.split('"').skip(1).step_by(2).collect();
    assert_eq!(names.len(), 3);
    assert!(names[1] != names[2] && !output.contains("@example"), "{output}");
    assert!(restored(&JSON, tokens).starts_with(r#"{"ｊenny@example.com":1,"#));
}

/// How far the output lags behind, at most, while `text` comes sign by sign as the body of a string.
fn lag(text: &str) -> usize {
    let mut stream = JSON.shared_stream();
    let mut sink = Tokens::default();
    let mut lag = 0;
    stream.push(b"\"", &mut sink).expect("a string");
    for (at, sign) in text.char_indices() {
        stream.push(&text.as_bytes()[at..at + sign.len_utf8()], &mut sink).expect("a string");
        lag = lag.max((at + sign.len_utf8() + 1).saturating_sub(sink.output.len()));
    }
    stream.push(b"\"", &mut sink).and_then(|()| stream.finish(&mut sink)).expect("a string");
    assert_eq!(sink.output.len(), text.len() + 2, "nothing is found in it");
    lag
}

#[test]
fn prose_leaves_as_it_comes() {
    let prose = "the refund was sent this morning and should arrive within some days; nothing else is open. ";
    assert!(lag(prose) <= 40, "{}", lag(prose));
    let answer = "Hello! How can I help you with this order today? It was shipped in two parts, and both are on their way.";
    assert!(lag(answer) <= 64, "{}", lag(answer));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// I2 with tokens; and what was redacted comes back.
    #[test]
    fn tokens_do_not_depend_on_cuts_and_come_back(
        bytes in vec(any::<u8>(), 0..300),
        at in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let input = document(&bytes);
        let mut cuts: Vec<usize> = at.iter().map(|at| at.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = read(&SEQUENCE, Tokens::default(), &input, &[]);
        let cut = read(&SEQUENCE, Tokens::default(), &input, &cuts);
        prop_assert_eq!(whole.output.escape_ascii().to_string(), cut.output.escape_ascii().to_string());
        let again = read(&SEQUENCE, cut, &whole.output.clone(), &[]);
        prop_assert_eq!(whole.output.escape_ascii().to_string(), again.output.escape_ascii().to_string());
        // A value of a kilobyte or more under a telling name is not kept: its label stands there.
        let text = whole.output.escape_ascii().to_string();
        prop_assume!(!Category::ALL.iter().any(|category| text.contains(category.label())));
        // Nor does JSON in a string keep escapes that it need not have, however their backslashes are written.
        prop_assume!(!input.windows(2).any(|pair| pair == b"\\\\"));
        prop_assume!(!input.windows(5).any(|escape| escape.eq_ignore_ascii_case(b"u005c")));
        let back = restored(&SEQUENCE, whole);
        prop_assert_eq!(texts(&input), texts(back.as_bytes()), "{}", input.escape_ascii());
    }
}

/// The documents of a sequence, with numbers as strings: those that were redacted come back so.
fn texts(input: &[u8]) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_slice(input).into_iter::<Value>();
    documents.map(|document| strings(&document.expect("a document"))).collect()
}

/// A document with its numbers as strings: those that were redacted come back so.
fn strings(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.as_f64().unwrap_or_default().to_string()),
        Value::String(text) => {
            let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
            // In JSON inside a string, too, a number comes back with quotation marks.
            Value::String(number.map_or_else(|| text.replace(['"', '\\'], ""), |number| number.to_string()))
        }
        Value::Array(values) => values.iter().map(strings).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), strings(value))).collect()
        }
        other => other.clone(),
    }
}
