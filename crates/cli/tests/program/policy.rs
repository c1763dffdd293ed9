//! `obelus policy`.

use crate::support::{folder, pipe, run};

#[test]
fn the_shipped_rules_pass_their_fixtures() {
    let got = run(folder(&[]).path(), &["policy", "test"]);
    assert_eq!(got.code, Some(0), "{}", got.err);
    assert!(got.out.ends_with(" calls as expected, 0 not\n"), "{}", got.out);
}

#[test]
fn a_fixture_that_fails_is_told_and_exits_with_3() {
    let fixtures = "- {name: closed, tool: create_payment_link, expect: allow}\n- {name: open, tool: list_products, expect: allow}\n";
    let files = folder(&[("calls.yaml", fixtures)]);
    let got = run(files.path(), &["policy", "test", "calls.yaml"]);
    assert_eq!(got.code, Some(3), "{}", got.err);
    assert_eq!(
        got.out,
        "calls.yaml: call 1 (closed): expected allow, got deny\ncalls.yaml: 1 calls as expected, 1 not\n"
    );
}

#[test]
fn own_rules_and_other_servers_count() {
    let files = folder(&[
        (
            "own.cedar",
            "@id(\"links\") permit (principal in Workflow::\"shop\", action == Action::\"PostPaymentLinks\", resource);",
        ),
        ("servers.yaml", "files:\n  read_file: read\n"),
        (
            "calls.json",
            r#"[{"name": "a", "tool": "create_payment_link", "workflow": "shop", "expect": "allow"},
                {"name": "b", "tool": "create_payment_link", "expect": "deny", "because": "nothing_permits"},
                {"name": "c", "server": "files", "tool": "read_file", "expect": "deny"},
                {"name": "d", "server": "files", "tool": "drop_file", "expect": "deny", "because": "unknown_tool"}]"#,
        ),
    ]);
    let args = ["policy", "test", "calls.json", "--policy", "own.cedar", "--servers", "servers.yaml"];
    let got = run(files.path(), &args);
    assert_eq!(
        (got.code, got.out.as_str()),
        (Some(0), "calls.json: 4 calls as expected, 0 not\n"),
        "{}",
        got.err
    );
}

#[test]
fn errors_are_one_line_and_say_where() {
    let files = folder(&[
        ("bad.cedar", "@id(\"a\")\npermit (principal, action == Action::\"PostRefund\", resource);"),
        ("bad.yaml", "- name: a\n  tol: create_refund\n"),
        ("empty.yaml", "[]"),
        ("none.yaml", "- {name: a, expect: deny}"),
        ("classes.yaml", "files:\n  read_file: harmless\n"),
    ]);
    for (args, code, part) in [
        (vec!["policy", "test", "--policy", "bad.cedar"], 2, "bad.cedar:2: "),
        (vec!["policy", "test", "--servers", "classes.yaml"], 2, "classes.yaml: "),
        (vec!["policy", "test", "bad.yaml"], 1, "bad.yaml: "),
        (vec!["policy", "test", "empty.yaml"], 1, "holds no call"),
        (vec!["policy", "test", "none.yaml"], 1, "write either rest or tool"),
        (vec!["policy", "test", "missing.yaml"], 1, "missing.yaml: cannot open it"),
        (vec!["policy", "explain", "--rest", "/v1/refunds"], 2, "no method"),
        (vec!["policy", "explain", "--tool", "create_refund", "--form", "a=1"], 2, "belong to a REST call"),
        (vec!["policy", "explain", "--lint", "--tool", "create_refund"], 2, "--lint"),
    ] {
        let got = run(files.path(), &args);
        assert_eq!(got.code, Some(code), "{args:?}: {}", got.err);
        assert!(got.err.contains(part), "{args:?}: {}", got.err);
        assert!(
            code == 2 && got.err.contains("Usage") || got.err.lines().count() == 1,
            "{args:?}: {}",
            got.err
        );
    }
}

#[test]
fn a_call_is_explained_without_its_values() {
    let nowhere = folder(&[]);
    let arguments = r#"{"payment_intent": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "amount": 500}"#;
    let args =
        ["policy", "explain", "--tool", "create_refund", "--arguments", arguments, "--livemode", "true"];
    let got = run(nowhere.path(), &args);
    assert_eq!(got.code, Some(0), "{}", got.err);
    for part in [
        "PostRefunds\n",
        "class                   refund\n",
        "amount                  500 minor units\n",
        "mode                    live\n",
        "as refund               approval 1, by six-classes (preset.cedar:",
        "outcome                 approval 1\n",
    ] {
        assert!(got.out.contains(part), "{part}: {}", got.out);
    }
    let args = ["policy", "explain", "--rest", "POST /v1/customers", "--form", "email=canary%40example.com"];
    let got = run(nowhere.path(), &args);
    assert!(
        got.out.contains("arguments               email\n") && !got.out.contains("canary"),
        "{}",
        got.out
    );
}

#[test]
fn a_call_comes_from_standard_input_as_well() {
    let nowhere = folder(&[]);
    let call = br#"{"rest": "POST /v1/payouts", "form": "amount=500&currency=jpy", "livemode": false}"#;
    let got = pipe(nowhere.path(), &["policy", "explain", "--json"], call);
    assert_eq!(got.code, Some(0), "{}", got.err);
    let explained: serde_json::Value = serde_json::from_str(&got.out).unwrap_or_default();
    assert_eq!(explained["operation"], "PostPayouts");
    assert_eq!(explained["amount"], "500 JPY");
    assert_eq!(explained["outcome"], "deny");
    assert_eq!(explained["because"], "nothing_permits");
    let denied = pipe(
        nowhere.path(),
        &["policy", "explain"],
        b"{tool: create_refund, arguments: '{\"amount\": 1, \"amount\": 2}'}",
    );
    assert!(
        denied.out.contains("no operation\n") && denied.out.contains("outcome                 deny\n"),
        "{}",
        denied.out
    );
    let expecting = pipe(nowhere.path(), &["policy", "explain"], b"{tool: create_refund, expect: deny}");
    assert_eq!(expecting.code, Some(2), "{}", expecting.out);
}

#[test]
fn lints_exit_with_3_for_rules_that_decide_nothing() {
    let files = folder(&[(
        "own.cedar",
        "@id(\"no\") forbid (principal, action, resource);\n@id(\"yes\") permit (principal, action, resource);\n",
    )]);
    let got = run(files.path(), &["policy", "explain", "--lint", "--policy", "own.cedar"]);
    assert_eq!(got.code, Some(3), "{}", got.err);
    assert!(
        got.out.starts_with("own.cedar:2: rule yes: rule no (own.cedar:1) always decides"),
        "{}",
        got.out
    );
    let shipped = run(files.path(), &["policy", "explain", "--lint"]);
    assert_eq!(shipped.code, Some(0), "{}", shipped.err);
    assert!(shipped.out.contains("class money_movement: no rule speaks of it"), "{}", shipped.out);
}
