//! Calls of tools: what becomes of them, what the server gets, what is recorded.

use crate::support::{Line, Stage, call, other, stripe};
use obelus_mcp::{OnChange, Outcome, Step, Verdict};
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex};

/// What becomes of a call in live mode.
#[derive(Debug, Eq, PartialEq)]
enum Fate {
    Goes,
    Waits,
    Denied,
}

fn fate(livemode: bool, tool: &str, arguments: &str) -> Fate {
    static STAGES: LazyLock<[Mutex<Stage>; 2]> =
        LazyLock::new(|| [false, true].map(|live| Mutex::new(stripe(live))));
    let mut stage = STAGES[usize::from(livemode)].lock().expect("no panic");
    stage.begin_anew();
    match stage.session.from_client(call(1, tool, arguments).as_bytes()) {
        obelus_mcp::Step::Forward(_) => Fate::Goes,
        obelus_mcp::Step::Answer(bytes) => {
            let value: Value = serde_json::from_slice(&bytes).expect("JSON");
            let text = value["result"]["content"][0]["text"].as_str().expect("a tool error").to_owned();
            if text.contains("needs approval") { Fate::Waits } else { Fate::Denied }
        }
        step => panic!("a call is answered at once: {step:?}"),
    }
}

/// The tools of `@stripe/mcp` 0.2.5, and today's generic ones.
#[test]
fn each_tool_gets_the_outcome_of_the_table() {
    for (tool, arguments, live, test) in [
        ("list_customers", "{}", Fate::Goes, Fate::Goes),
        ("list_products", r#"{"limit":3}"#, Fate::Goes, Fate::Goes),
        ("list_invoices", "{}", Fate::Goes, Fate::Goes),
        ("retrieve_balance", "{}", Fate::Goes, Fate::Goes),
        ("list_payment_intents", "{}", Fate::Goes, Fate::Goes),
        ("list_subscriptions", "{}", Fate::Goes, Fate::Goes),
        ("list_disputes", "{}", Fate::Goes, Fate::Goes),
        ("create_customer", r#"{"name":"x"}"#, Fate::Waits, Fate::Goes),
        ("create_product", r#"{"name":"x"}"#, Fate::Waits, Fate::Waits),
        ("create_invoice", r#"{"customer":"cus_x"}"#, Fate::Waits, Fate::Goes),
        (
            "create_price",
            r#"{"product":"prod_x","unit_amount":5,"currency":"usd"}"#,
            Fate::Waits,
            Fate::Waits,
        ),
        ("create_coupon", r#"{"name":"x","percent_off":5}"#, Fate::Waits, Fate::Waits),
        ("finalize_invoice", r#"{"invoice":"in_x"}"#, Fate::Waits, Fate::Waits),
        ("create_refund", r#"{"payment_intent":"pi_x","amount":500}"#, Fate::Waits, Fate::Waits),
        ("cancel_subscription", r#"{"subscription":"sub_x"}"#, Fate::Waits, Fate::Waits),
        ("update_subscription", r#"{"subscription":"sub_x"}"#, Fate::Waits, Fate::Waits),
        ("update_dispute", r#"{"dispute":"dp_x","submit":true}"#, Fate::Waits, Fate::Waits),
        ("create_payment_link", r#"{"price":"price_x","quantity":1}"#, Fate::Denied, Fate::Denied),
        ("create_everything", "{}", Fate::Denied, Fate::Denied),
        ("Create_refund", r#"{"payment_intent":"pi_x"}"#, Fate::Denied, Fate::Denied),
    ] {
        assert_eq!(fate(true, tool, arguments), live, "live {tool}");
        assert_eq!(fate(false, tool, arguments), test, "test {tool}");
    }
    let generic = |id: &str, live: bool| {
        format!(
            r#"{{"stripe_api_operation_id":"{id}","livemode":{live},"stripe_context":"acct_x","parameters":{{"charge":"ch_x","amount":5}}}}"#
        )
    };
    assert_eq!(fate(true, "stripe_api_write", &generic("PostRefunds", true)), Fate::Waits);
    for (tool, arguments) in [
        ("stripe_api_read", generic("PostRefunds", true)),
        ("stripe_api_write", generic("GetRefunds", true)),
        ("stripe_api_write", generic("PostRefunds", false)),
        ("stripe_api_write", generic("PostNothing", true)),
    ] {
        assert_eq!(fate(true, tool, &arguments), Fate::Denied, "{tool} {arguments}");
    }
}

#[test]
fn the_answer_says_why_and_what_to_do() {
    let stage = stripe(true);
    let text = stage.denied("create_refund", r#"{"payment_intent":"pi_x","amount":500}"#);
    assert!(text.contains("PostRefunds needs approval, and nobody can give it here"), "{text}");
    let text = stage.denied("create_payment_link", r#"{"price":"price_x","quantity":1}"#);
    assert!(text.starts_with("Denied; nothing was sent. PostPaymentLinks"), "{text}");
    let text = stage.denied("nothing_like_it", "{}");
    assert!(text.contains("tool: not known") && !text.contains("nothing_like_it"), "{text}");
    let lines = stage.journal.take();
    let verdicts: Vec<Verdict> = lines
        .iter()
        .map(|line| match line {
            Line::Decided { verdict, .. } => *verdict,
            line => panic!("{line:?}"),
        })
        .collect();
    assert_eq!(verdicts, [Verdict::Deny; 3]);
    // The modern revision wants results to say what they are.
    let modern = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    assert_eq!(stage.refused(modern)["result"]["resultType"], "complete");
}

#[test]
fn other_servers_have_classes_by_configuration() {
    let stage = other(None, OnChange::Stop);
    stage.sent(&call(2, "find", "{}"));
    assert!(stage.denied("send", "{}").contains("needs approval"));
    assert!(stage.denied("wipe", "{}").starts_with("Denied"));
    assert!(stage.denied("create_refund", "{}").starts_with("Denied"));
}

#[test]
fn a_call_is_recorded_before_it_leaves_and_its_answer_after() {
    let stage = stripe(false);
    let message = call(1, "create_customer", r#"{"name":"x","email":"jenny@example.com"}"#);
    stage.sent(&message);
    let lines = stage.journal.take();
    let [Line::Decided { method, tool, operation, verdict, arguments, is_durable, .. }] = lines.as_slice()
    else {
        panic!("{lines:?}");
    };
    assert_eq!((*method, tool.as_deref()), (Some("tools/call"), Some("create_customer")));
    assert_eq!((operation.as_deref(), *verdict, *is_durable), (Some("PostCustomers"), Verdict::Allow, true));
    assert!(!arguments.as_deref().expect("arguments").contains("jenny"), "{arguments:?}");
    stage.shown(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#);
    assert_eq!(stage.journal.take(), [Line::Ended(Outcome::Completed, None)]);
    stage.sent(&call(2, "list_products", "{}"));
    assert!(matches!(stage.journal.take().as_slice(), [Line::Decided { is_durable: false, .. }]));
    stage.shown(r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"isError":true}}"#);
    assert_eq!(stage.journal.take(), [Line::Ended(Outcome::Failed, Some("tool_error"))]);
}

#[test]
fn nothing_leaves_while_nothing_is_recorded() {
    let stage = stripe(false);
    stage.journal.is_down.store(true, Ordering::SeqCst);
    for message in [
        call(1, "create_customer", "{}"),
        call(1, "list_products", "{}"),
        call(1, "nothing", "{}"),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
    ] {
        assert_eq!(stage.refused(&message)["error"]["code"], -32603, "{message}");
    }
}

#[test]
fn what_is_no_request_is_recorded_where_something_is_replaced_and_waits_for_the_audit() {
    let stage = stripe(false);
    let asked = r#"{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{"message":"Is jenny@example.com right?","requestedSchema":{"type":"object"}}}"#;
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}"#;
    assert!(!stage.shown(asked).contains("jenny"));
    assert_eq!(stage.journal.take(), [Line::Noted("redacted 1".to_owned())]);
    assert_eq!(stage.shown(progress), progress);
    assert_eq!(stage.sent(progress), progress);
    assert_eq!(stage.journal.take(), []);
    stage.journal.is_down.store(true, Ordering::SeqCst);
    let answer = r#"{"jsonrpc":"2.0","id":"s1","result":{"action":"decline"}}"#;
    for message in [progress, answer] {
        let step = stage.session.from_client(message.as_bytes());
        assert!(matches!(step, Step::Drop), "{step:?} {message}");
    }
    let step = stage.session.from_server(progress.as_bytes());
    assert!(matches!(step, Step::Drop), "{step:?}");
    let Step::Answer(told) = stage.session.from_server(asked.as_bytes()) else { panic!("it went on") };
    assert!(String::from_utf8(told).expect("text").contains("-32603"));
}

#[test]
fn nothing_of_the_client_goes_on_once_the_session_has_ended() {
    let stage = stripe(false);
    stage.session.close();
    for message in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#,
    ] {
        let step = stage.session.from_client(message.as_bytes());
        assert!(matches!(step, Step::Drop), "{step:?} {message}");
    }
}

#[test]
fn a_value_that_a_tool_told_comes_back_to_it_where_policy_names_the_place() {
    let stage = stripe(false);
    stage.sent(&call(1, "list_customers", "{}"));
    let shown = stage.shown(
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"[{\"object\":\"customer\",\"email\":\"jenny@example.com\"}]"}]}}"#,
    );
    let at = shown.find("obl_email_").expect("a token");
    let token = &shown[at..at + "obl_email_".len() + 20];
    assert!(!shown.contains("jenny"));
    let arguments = format!(r#"{{"name":"x","email":"{token}","metadata":{{"to":"{token}"}}}}"#);
    let denied = stage.denied("create_customer", &arguments);
    assert!(denied.contains("not known for this tool"), "metadata is none of its arguments: {denied}");
    let sent = stage.sent(&call(2, "create_customer", &format!(r#"{{"email":"{token}","name":"{token}"}}"#)));
    assert!(sent.contains(r#""email":"jenny@example.com""#), "{sent}");
    assert!(sent.contains(&format!(r#""name":"{token}""#)), "{sent}");
    // Another server gets nothing of it.
    let theirs = other(None, OnChange::Stop);
    let sent = theirs.sent(&call(1, "find", &format!(r#"{{"query":"{token}"}}"#)));
    assert!(!sent.contains("jenny"), "{sent}");
    assert!(!stage.journal.take().iter().any(|line| format!("{line:?}").contains("jenny")));
}
