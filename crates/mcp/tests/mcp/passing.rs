//! Messages that go on, byte for byte where nothing is found; and those that do not.

use crate::support::{Line, Stage, other, stripe};
use obelus_mcp::{OnChange, Outcome, Step, Verdict};
use serde_json::Value;

/// Messages of clients that hold nothing, of all revisions, with members that nobody knows.
const OF_CLIENT: [&str; 9] = [
    r#"{ "jsonrpc" : "2.0", "id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{"listChanged":true}},"clientInfo":{"name":"example","version":"1.0"}} }"#,
    r#"{"method":"notifications/initialized","jsonrpc":"2.0"}"#,
    r#"{"jsonrpc":"2.0","id":"1","method":"tools/list","params":{"cursor":"a\/b","x":1.50}}"#,
    r#"{"jsonrpc":"2.0","id":-2,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"notes:\u002f\u002f7"},"x-new":[1e2,null]}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"find","arguments":{"limit":10},"task":{"ttl":60000}}}"#,
    r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"find","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":0.50}}"#,
    r#"{"jsonrpc":"2.0","id":6,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
];

/// The same of servers. They come after those of the client, so that answers are waited for.
const OF_SERVER: [&str; 8] = [
    r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"notes","version":"2"}, "instructions":"Use it."}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"n":1.0}}}"#,
    r#"{"jsonrpc":"2.0","id":"ask-1","method":"elicitation/create","params":{"message":"Go on?","requestedSchema":{"type":"object","properties":{"email":{"type":"string","format":"email"}}}}}"#,
    r#"{"jsonrpc":"2.0","id":3,"result":{"contents":[{"uri":"notes:\/\/7","text":"a\u0020b"}],"_meta":{"a":1}}}"#,
    r#"{"jsonrpc":"2.0","id":4,"result":{"task":{"taskId":"t-1","status":"working"}}}"#,
    r#"{"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","requestState":"c2VhbGVk.AAECAwQFBgc","inputRequests":{}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/never/heard/of","params":{"x":[]}}"#,
    r#"{"jsonrpc":"2.0","id":6,"error":{"code":-32000,"message":"no","data":{"supported":["2025-11-25"]}}}"#,
];

#[test]
fn what_holds_nothing_passes_byte_for_byte() {
    let stage = other(None, OnChange::Stop);
    for message in OF_CLIENT {
        assert_eq!(stage.sent(message), message);
    }
    for message in OF_SERVER {
        assert_eq!(stage.shown(message), message);
    }
    let answer = r#"{"jsonrpc":"2.0","id":"ask-1","result":{"action":"accept","content":{"ok":true}}}"#;
    assert_eq!(stage.sent(answer), answer);
}

#[test]
fn what_no_client_may_say_goes_nowhere() {
    let stage = other(None, OnChange::Stop);
    for (message, code) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/execute"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}"#, -32601),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"#, -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}}}"#,
            -32022,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{}}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":[]}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":"jenny@example.com","method":"ping"}"#, -32050),
    ] {
        assert_eq!(stage.refused(message)["error"]["code"], code, "{message}");
        let lines = stage.journal.take();
        assert!(matches!(lines.as_slice(), [Line::Decided { verdict: Verdict::Deny, .. }]), "{lines:?}");
    }
    for message in
        [r#"{"jsonrpc":"2.0","method":"notifications/execute"}"#, r#"{"jsonrpc":"2.0","id":9,"result":{}}"#]
    {
        assert!(matches!(stage.session.from_client(message.as_bytes()), Step::Drop), "{message}");
        assert_eq!(stage.journal.take().len(), 1);
    }
}

#[test]
fn what_is_turned_away_is_told_to_whoever_waits_for_an_answer() {
    let stage = other(None, OnChange::Stop);
    let turned = |message: &str| stage.session.turn_away(message.as_bytes(), "rate", "wait a minute");
    let told = |step: Step| match step {
        Step::Answer(bytes) | Step::Forward(bytes) => serde_json::from_slice::<Value>(&bytes).expect("JSON"),
        step => panic!("{step:?}"),
    };
    let step = turned(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#);
    assert!(matches!(step, Step::Answer(_)));
    let answer = told(step);
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&"a".into(), &(-32050).into()));
    assert_eq!(answer["error"]["message"], "wait a minute");
    assert_eq!(told(turned("{"))["id"], Value::Null);
    assert!(matches!(turned(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), Step::Drop));
    // A server that asked the client is not left waiting.
    let answer = r#"{"jsonrpc":"2.0","id":"ask-1","result":{"action":"accept"}}"#;
    assert!(matches!(turned(answer), Step::Drop), "nobody asked");
    stage.shown(r#"{"jsonrpc":"2.0","id":"ask-1","method":"roots/list"}"#);
    let step = turned(answer);
    assert!(matches!(step, Step::Forward(_)));
    let answer = told(step);
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&"ask-1".into(), &(-32050).into()));
    let lines = stage.journal.take();
    let is_refusal =
        |line: &Line| matches!(line, Line::Decided { verdict: Verdict::Deny, reason: Some("rate"), .. });
    assert!(lines.len() == 5 && lines.iter().all(is_refusal), "{lines:?}");
    assert!(matches!(&lines[0], Line::Decided { method: Some("tools/list"), .. }), "{lines:?}");
}

#[test]
fn answers_go_to_whoever_asked_and_to_nobody_else() {
    let stage = other(None, OnChange::Stop);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let is_dropped = |stage: &Stage| matches!(stage.session.from_server(answer.as_bytes()), Step::Drop);
    assert!(is_dropped(&stage));
    // Another type of id is another id.
    stage.sent(r#"{"jsonrpc":"2.0","id":"1","method":"ping"}"#);
    assert!(is_dropped(&stage));
    stage.sent(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(stage.refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)["error"]["code"], -32600);
    assert_eq!(stage.shown(answer), answer);
    assert!(is_dropped(&stage));
    stage.sent(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    stage.sent(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    assert!(is_dropped(&stage));
    stage.journal.take();
    drop(stage.session);
    // The one with the text for an id was never answered.
    assert_eq!(stage.journal.take(), [Line::Ended(Outcome::Unknown, None)]);
}

#[test]
fn the_id_of_a_request_that_was_given_up_is_taken_until_it_is_answered() {
    let stage = stripe(false);
    let refund = crate::support::call(1, "create_customer", r#"{"name":"x"}"#);
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    for (request, before, after) in [
        (refund.as_str(), None, Some(Outcome::Completed)),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, Some(Outcome::Cancelled), None),
    ] {
        stage.sent(request);
        stage.journal.take();
        stage.sent(cancel);
        let ended = |outcome: Option<Outcome>| outcome.map(|outcome| Line::Ended(outcome, None));
        assert_eq!(stage.journal.take(), ended(before).into_iter().collect::<Vec<_>>());
        // The answer to the first would be taken for that to the second.
        assert_eq!(stage.refused(request)["error"]["code"], -32600);
        stage.journal.take();
        assert!(matches!(stage.session.from_server(answer.as_bytes()), Step::Drop));
        assert_eq!(stage.journal.take(), ended(after).into_iter().collect::<Vec<_>>());
    }
    stage.sent(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
}

#[test]
fn what_others_may_not_see_is_not_kept_for_them() {
    let stage = stripe(false);
    for method in ["resources/list", "prompts/list", "tools/list", "resources/read"] {
        stage.sent(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#));
        let shown = stage
            .shown(r#"{"jsonrpc":"2.0","id":1,"result":{"ttlMs":1.0,"cacheScope":"public","resources":[]}}"#);
        assert_eq!(
            shown,
            r#"{"jsonrpc":"2.0","id":1,"result":{"ttlMs":1.0,"cacheScope":"private","resources":[]}}"#
        );
    }
}

#[test]
fn an_answer_that_cannot_be_shown_is_an_error_to_the_client() {
    let stage = stripe(false);
    for (answer, reason) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"content":[]}}"#, "malformed"),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"image","data":"iVBORw0KGgo="}]}}"#,
            "unsupported",
        ),
    ] {
        stage.sent(&crate::support::call(1, "list_products", "{}"));
        stage.journal.take();
        let shown: serde_json::Value = serde_json::from_str(&stage.shown(answer)).expect("JSON");
        assert_eq!(
            (shown["id"].as_u64(), shown["error"]["code"].as_i64()),
            (Some(1), Some(-32050)),
            "{shown}"
        );
        assert_eq!(stage.journal.take(), [Line::Ended(Outcome::Failed, Some(reason))]);
    }
    stage.sent(r#"{"jsonrpc":"2.0","id":2,"method":"initialize","params":{}}"#);
    let chosen = r#"{"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2099-01-01"}}"#;
    assert!(stage.shown(chosen).contains("-32050"));
}

#[test]
fn servers_ask_what_they_may_and_nothing_else() {
    let stage = stripe(false);
    let ask = |method: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#);
    let step = stage.session.from_server(ask("tools/call").as_bytes());
    assert!(matches!(&step, Step::Answer(bytes) if bytes.windows(6).any(|six| six == b"-32601")), "{step:?}");
    assert_eq!(stage.shown(&ask("roots/list")), ask("roots/list"));
    let step = stage.session.from_server(ask("roots/list").as_bytes());
    assert!(matches!(step, Step::Answer(_)), "the first is still open");
    let roots = r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[{"uri":"file:///srv"}]}}"#;
    assert_eq!(stage.sent(roots), roots);
    assert!(matches!(stage.session.from_client(roots.as_bytes()), Step::Drop));
}
