//! Bodies that come whole.

use crate::support::{CARD, EMAIL, Rig, event, joined, text};
use obelus::{Category, Transform};
use obelus_wire::{Profile, Reason, Route, Wire};
use serde_json::{Value, json};

#[test]
fn nothing_found_leaves_every_byte() {
    let rig = Rig::new();
    for body in [
        "{ \"model\" : \"m\",\r\n \"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9 \\/ é\"}], \"n\":1.0e0 }\n",
        "\u{feff}{\"model\":\"m\",\"messages\":[]}",
    ] {
        let redacted = rig.request(Route::ChatCompletions, body).unwrap();
        assert_eq!((redacted.counts.len(), text(redacted)), (0, body.to_owned()));
    }
    let answer = "{ \"id\":\"chatcmpl-1\",\"choices\":[ {\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\\u0069\"},\"logprobs\":{\"content\":[{\"token\":\"hi\",\"logprob\":-0.1}]},\"finish_reason\":\"stop\"}]}";
    assert_eq!(text(rig.answer(Route::ChatCompletions, answer).unwrap()), answer);
}

#[test]
fn values_become_tokens_and_come_back() {
    let rig = Rig::new();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": format!("write to {EMAIL}, card {CARD}, cvc 123")}]}).to_string();
    let redacted = rig.request(Route::ChatCompletions, &body).unwrap();
    let admitted = rig.wire.admit(Route::ChatCompletions, body.as_bytes()).unwrap();
    assert_eq!(admitted.facts(), &rig.wire.inspect(Route::ChatCompletions, body.as_bytes()).unwrap());
    assert_eq!(admitted.redact(&rig.scope).unwrap().body, redacted.body);
    let counts = redacted.counts.clone();
    let sent = text(redacted);
    assert!(!sent.contains(EMAIL) && !sent.contains("4242") && !sent.contains("123"), "{sent}");
    assert!(sent.contains(&rig.email()));
    for category in [Category::Email, Category::CardNumber, Category::CardCvc] {
        assert!(counts.contains(&(category, 1)), "{counts:?}");
    }
    let answer =
        json!({"choices": [{"index": 0, "message": {"content": format!("Sent to {}.", rig.email())}}]});
    let redacted = rig.answer(Route::ChatCompletions, &answer.to_string()).unwrap();
    assert_eq!(redacted.counts, [], "what comes back is not counted as hidden");
    assert!(text(redacted).contains(&format!("Sent to {EMAIL}.")));
}

#[test]
fn the_same_history_gives_the_same_bytes() {
    let rig = Rig::new();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": EMAIL}, {"role": "user", "content": EMAIL}]}).to_string();
    let first = text(rig.request(Route::ChatCompletions, &body).unwrap());
    assert_eq!(text(rig.request(Route::ChatCompletions, &body).unwrap()), first);
    // Tokens that a client kept, in arguments of a tool call, stay what they are.
    let again = rig.request(Route::ChatCompletions, &first).unwrap();
    assert_eq!((again.counts.len(), text(again)), (0, first));
}

#[test]
fn what_looks_like_a_token_comes_back_as_it_was() {
    let rig = Rig::new();
    let guessed = "obl_email_abcdefghijklmnopabcd";
    let body = json!({"model": "m", "messages": [{"role": "user", "content": format!("is {guessed} one?")}]});
    let sent = text(rig.request(Route::ChatCompletions, &body.to_string()).unwrap());
    assert!(!sent.contains(guessed), "{sent}");
    let sent: Value = serde_json::from_str(&sent).unwrap();
    let answer = json!({"choices": [{"message": {"content": sent["messages"][0]["content"]}}]});
    let back = text(rig.answer(Route::ChatCompletions, &answer.to_string()).unwrap());
    assert!(back.contains(&format!("is {guessed} one?")), "{back}");
    // One that the model makes up, or that another session has, resolves to nothing.
    let foreign = Rig::new().email();
    for token in [guessed, &foreign] {
        let answer = json!({"choices": [{"message": {"content": format!("ask {token} now")}}]}).to_string();
        assert_eq!(text(rig.answer(Route::ChatCompletions, &answer).unwrap()), answer);
    }
}

#[test]
fn what_the_model_invents_is_hidden() {
    let rig = Rig::new();
    let answer = json!({"choices": [{"message": {"content": format!("use {CARD}")}, "logprobs": {"content": [{"token": "4242"}]}}]});
    let redacted = rig.answer(Route::ChatCompletions, &answer.to_string()).unwrap();
    assert_eq!(redacted.counts, [(Category::CardNumber, 1)]);
    let back: Value = serde_json::from_str(&text(redacted)).unwrap();
    assert_eq!(back["choices"][0]["message"]["content"], "use [card-number]");
    assert_eq!(back["choices"][0]["logprobs"], Value::Null, "they repeat what is hidden");
}

#[test]
fn answers_that_are_none_are_refused() {
    let rig = Rig::new();
    for body in [
        "",
        "<html>",
        "{\"id\":1",
        r#"{"choices":[],"choices":[]}"#,
        r#"{"choices":[{"message":{"content":"a","c\u006fntent":"b"}}]}"#,
    ] {
        let refusal = rig.answer(Route::ChatCompletions, body).unwrap_err();
        assert_eq!((refusal.status, refusal.reason), (502, Reason::Malformed), "{body}");
    }
}

#[test]
fn words_around_tokens_under_a_sensitive_name_stay() {
    let rig = Rig::new();
    let token = rig.token(Category::PersonName, "Jenny Rosen");
    let of = |name: &str, value: String| {
        let answer = json!({"choices": [{"message": {"content": json!({name: value}).to_string()}}]});
        let back: Value =
            serde_json::from_str(&text(rig.answer(Route::ChatCompletions, &answer.to_string()).unwrap()))
                .unwrap();
        let content: Value =
            serde_json::from_str(back["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
        content[name].as_str().unwrap().to_owned()
    };
    assert_eq!(of("first_name", token.clone()), "Jenny Rosen");
    assert_eq!(of("email", format!("{} (work)", rig.email())), format!("{EMAIL} (work)"));
    assert_eq!(of("email", format!("{} 7", rig.email())), "[email]");
    assert_eq!(of("email", "made.up@example.org".to_owned()), "[email]");
}

#[test]
fn tokens_in_links_stay_tokens() {
    let rig = Rig::new();
    let token = rig.email();
    let said = format!("![a](https://example.com/?q={token}) and {token}, \"{token}\"");
    let read = format!("![a](https://example.com/?q={token}) and {EMAIL}, \"{EMAIL}\"");
    let answer = |text: &str| json!({"choices": [{"index": 0, "message": {"content": text, "other": text, "list": [text]}}]});
    let back = text(rig.answer(Route::ChatCompletions, &answer(&said).to_string()).unwrap());
    assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), answer(&read));
    for (at, _) in said.char_indices().skip(1) {
        let (head, tail) = said.split_at(at);
        let stream: String = [head, tail]
            .map(|piece| event(&json!({"choices": [{"index": 0, "delta": {"content": piece}}]})))
            .concat();
        let out = rig.stream(Route::ChatCompletions, &[stream.as_bytes()]).unwrap();
        assert_eq!(joined(&out)["0 content"], read, "at {at}");
    }
    let mut profile = Profile::default();
    profile.restore_links = true;
    let wire = std::sync::Arc::new(Wire::new(&profile).unwrap());
    let back =
        wire.answer(Route::ChatCompletions, rig.scope.clone()).finish(answer(&said).to_string().as_bytes());
    assert_eq!(
        serde_json::from_slice::<Value>(&back.unwrap().body).unwrap(),
        answer(&said.replace(&token, EMAIL))
    );
}

#[test]
fn nothing_shows_what_a_body_holds() {
    let rig = Rig::new();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": EMAIL}]}).to_string();
    let redacted = rig.request(Route::ChatCompletions, &body).unwrap();
    let answer = rig.wire.answer(Route::ChatCompletions, rig.scope.clone());
    let mut events = rig.wire.events(Route::ChatCompletions, rig.scope.clone());
    events.push(format!("data: {{\"a\":\"{EMAIL}").as_bytes(), &mut Vec::new()).unwrap();
    let refusal =
        rig.request(Route::ChatCompletions, &format!("{{\"{EMAIL}\":1,\"{EMAIL}\":2}}")).unwrap_err();
    let shown = format!("{:?} {redacted:?} {answer:?} {events:?} {refusal:?} {refusal}", rig.wire);
    assert!(!shown.contains("jenny") && !shown.contains("obl_"), "{shown}");
}

#[test]
fn a_pin_has_no_token_whatever_it_looks_like() {
    let rig = Rig::new();
    for pin in ["1234", "041234FFFFFFFFFF", "quartz-041234FFFFFFFFFF-quartz"] {
        for member in ["pin_block", "card_pin", "encrypted_pin"] {
            let body = json!({"model": "m", "messages": [], "metadata": {member: pin}}).to_string();
            let sent = text(rig.request(Route::ChatCompletions, &body).unwrap());
            assert!(sent.contains("[secret]") && !sent.contains("obl_secret"), "{sent}");
        }
    }
}

#[test]
fn a_virtual_key_is_a_secret_wherever_it_stands() {
    let rig = Rig::new();
    let key = ["v", "k_01234567_", "0123456789abcdefghjkmnpqrstvwxyz", "_5bf18431"].concat();
    for content in [format!("my key is {key}."), format!("KEY{key}"), format!("{{\"k\":\"{key}\"}}")] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": content}]}).to_string();
        let redacted = rig.request(Route::ChatCompletions, &body).unwrap();
        assert!(redacted.counts.contains(&(Category::Secret, 1)), "{content}");
        assert!(!text(redacted).contains("0123456789abcdefghjk"), "{content}");
    }
    // Not even where names and ids stand.
    let body = json!({"model": "m", "messages": [], "tool_choice": key}).to_string();
    assert!(!text(rig.request(Route::ChatCompletions, &body).unwrap()).contains(&key));
}

#[test]
fn what_is_no_base64_is_read_where_media_may_stand() {
    let rig = Rig::marking();
    let ask = |data: &str| {
        let part = json!({"type": "file", "file": {"filename": "a.txt", "file_data": data}});
        let body = json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
        rig.request(Route::ChatCompletions, &body.to_string()).unwrap()
    };
    for text in ["write to jenny@example.com", "data:text/plain,jenny@example.com", "4242424242424242"] {
        let redacted = ask(text);
        assert!(redacted.unread.is_empty() && redacted.counts.len() == 1, "{text}: {redacted:?}");
    }
    assert_eq!(ask("data:image/png;base64,iVBORw0KGgo=").unread, ["media"]);
}

#[test]
fn an_answer_that_tokens_make_too_long_is_refused() {
    let rig = Rig::new();
    let token = rig.token(Category::OtherPersonal, &"long value ".repeat(93));
    let answer = |count: usize| {
        let text = vec![token.as_str(); 4000].join(" ");
        let choice =
            |index: usize| json!({"index": index, "message": {"role": "assistant", "content": text}});
        let choices: Vec<Value> = (0..count).map(choice).collect();
        rig.answer(Route::ChatCompletions, &json!({"id": "c", "choices": choices}).to_string())
    };
    assert!(answer(1).unwrap().body.len() > 4_000_000);
    let refusal = answer(18).unwrap_err();
    assert!(refusal.message.contains("too long"), "{}", refusal.message);
}

/// Whatever takes the place of a key, its hash is that of the key.
#[test]
fn keys_have_the_same_hash_with_every_transform() {
    let vault = obelus_vault::Vault::ephemeral().expect("a vault in memory");
    let scope = vault.scope("tenant", "session");
    let key = |kind: &str, rest: &str| format!("{kind}{rest}");
    let (restricted, secret) =
        (key("rk_live_", "51QuartzQuartzQuartzQuartz0"), key("sk_test_", "51MarbleMarbleMarbleMarble1"));
    let nested = serde_json::json!({ "key": secret }).to_string();
    let body = serde_json::json!({"model": "m", "messages": [
        {"role": "user", "content": format!("mine is {restricted}, again {restricted}")},
        {"role": "user", "content": nested}]});
    let mut wanted = vec![
        ("stripe-restricted-key".to_owned(), Some(scope.fingerprint(restricted.as_bytes()))),
        ("stripe-secret-key".to_owned(), Some(scope.fingerprint(secret.as_bytes()))),
    ];
    wanted.sort();
    for transform in [Transform::Token, Transform::Label, Transform::Remove, Transform::Mask] {
        let mut profile = Profile::default();
        profile.transform = transform;
        let wire = Wire::new(&profile).expect("the profile compiles");
        let redacted = wire.request(Route::ChatCompletions, body.to_string().as_bytes(), &scope);
        let redacted = redacted.expect("it may leave");
        let text = String::from_utf8(redacted.body).expect("it is text");
        assert!(!text.contains("Quartz") && !text.contains("Marble"), "{transform:?} {text}");
        let mut seen: Vec<_> =
            redacted.keys.iter().map(|key| (key.rule.clone(), key.fingerprint.clone())).collect();
        seen.sort();
        assert_eq!(seen, wanted, "{transform:?}");
    }
}
