//! A card that is planted anywhere passes in neither direction.

use crate::support::{Stage, other, stripe};
use obelus_mcp::{OnChange, Step};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Published numbers of test cards, in parts.
const CARDS: [[&str; 4]; 3] =
    [["4242", "4242", "4242", "4242"], ["5555", "5555", "5555", "4444"], ["3782", "8224", "6310", "005"]];

/// Messages with a place for a value: `@` in a string, `#` for a whole value.
const OF_CLIENT: [&str; 12] = [
    r#"{"jsonrpc":"2.0","id":"@","method":"ping"}"#,
    r##"{"jsonrpc":"2.0","id":#,"method":"ping"}"##,
    r#"{"jsonrpc":"2.0","id":1,"method":"@"}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"ping","x @":1}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"note":"a @ b"}}}"#,
    r##"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"n":[#]}}}"##,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"note":"{\"a\":\"@\"}"}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"@","arguments":{}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{},"requestState":"@"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"notes://x/@"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"@","_meta":{"a @":"@","progressToken":"@"}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"@","message":"@"}}"#,
];

const OF_SERVER: [&str; 13] = [
    r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"@"}],"structuredContent":{"a":["@"]}}}"#,
    r##"{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":#}}"##,
    r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource","resource":{"uri":"a:@","text":"@","mimeType":"@"}}]}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource_link","uri":"a:@","name":"@","description":"@"}]}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"image","data":"@","mimeType":"image/png"}]}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"@"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"messages":[{"role":"user","content":{"type":"text","text":"@"}}]}}"#,
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"@","data":{"x":"@"}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"@","data":"@"}}"#,
    r#"{"jsonrpc":"2.0","method":"@","params":{}}"#,
    r#"{"jsonrpc":"2.0","id":"@","method":"roots/list"}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"message":"@","url":"https://example.com/@","requestedSchema":{"properties":{"@":{"default":"@"}}}}}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"systemPrompt":"@","messages":[{"role":"user","content":[{"type":"text","text":"@"}]}]}}"#,
];

/// How a number may be written.
fn written(card: [&str; 4], form: usize) -> String {
    match form {
        0 => card.concat(),
        1 => card.join(" "),
        2 => card.join("-"),
        _ => card.concat().bytes().map(|digit| format!("\\u00{digit:02x}")).collect(),
    }
}

fn holds(bytes: &[u8], card: [&str; 4]) -> bool {
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let decoded =
        (0..10).fold(text, |text, digit| text.replace(&format!("\\u003{digit}"), &digit.to_string()));
    let digits: String = decoded.chars().filter(|sign| !matches!(sign, ' ' | '-')).collect();
    digits.contains(&card.concat())
}

fn check(step: Step, card: [&str; 4], message: &str) {
    match step {
        Step::Forward(bytes) => {
            assert!(!holds(&bytes, card), "{message}");
            serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON");
        }
        // It goes back to whoever sent it, with the id that came.
        Step::Answer(bytes) => {
            let mut value: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            value["id"].take();
            assert!(!holds(value.to_string().as_bytes(), card), "{message}");
        }
        Step::Tell(bytes, next) => {
            assert!(!holds(&bytes, card), "{message}");
            check(*next, card, message);
        }
        Step::Drop | Step::Heard | Step::Hold(_) => {}
    }
}

#[test]
fn a_planted_card_passes_in_neither_direction() {
    let (mut notes, mut stripe) = (other(None, OnChange::Stop), stripe(false));
    for card in CARDS {
        for form in 0..4 {
            let plant =
                |message: &str| message.replace('@', &written(card, form)).replace('#', &card.concat());
            notes.begin_anew();
            for message in OF_CLIENT {
                let planted = plant(message);
                check(notes.session.from_client(planted.as_bytes()), card, &planted);
            }
            for message in OF_SERVER {
                stripe.begin_anew();
                stripe.sent(&crate::support::call(1, "list_products", "{}"));
                let planted = plant(message);
                check(stripe.session.from_server(planted.as_bytes()), card, &planted);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the bytes are, nothing panics, and what is answered or passed on is one JSON text on one line.
    #[test]
    fn what_leaves_is_a_message(at in 0usize..400, byte in any::<u8>(), pick in 0usize..12, cut in 0usize..400) {
        static STAGE: LazyLock<Stage> = LazyLock::new(|| other(None, OnChange::Stop));
        let mut message = OF_CLIENT[pick].replace('#', "7").into_bytes();
        let at = at % message.len();
        message[at] = byte;
        message.truncate(message.len() - cut % 3);
        for step in [STAGE.session.from_client(&message), STAGE.session.from_server(&message)] {
            if let Step::Forward(bytes) | Step::Answer(bytes) = step {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            }
        }
    }
}
