//! The shipped rules, and what rules of others can and cannot say.

use crate::support::{catalogue, filled, rest};
use obelus_gate::{
    Because, Caller, Fixture, LintKind, MemoryTotals, Operation, Outcome, PRESET_FIXTURES, Policy,
    PolicyFile, Reservation, RiskClass, Servers, Sums, Totals,
};

const CALLER: Caller<'_> = Caller { key: "k1", workflow: "support" };
const NOON: u64 = 1_750_075_200;

fn file(text: &str) -> PolicyFile {
    PolicyFile { name: "own.cedar".to_owned(), text: text.to_owned() }
}

fn load(files: &[PolicyFile]) -> Policy {
    Policy::load(files, &Servers::default()).expect("the rules are sound")
}

fn preset() -> Policy {
    load(&[PolicyFile::preset()])
}

fn refund(amount: u64) -> Operation {
    rest("POST", "/v1/refunds", &format!("charge=ch_AbCdEf&amount={amount}&currency=usd"))
        .expect("an operation")
}

fn outcome(policy: &Policy, operation: &Operation) -> Outcome {
    policy.decide(operation, &CALLER, &Sums::default(), NOON).outcome
}

fn error(text: &str) -> String {
    Policy::load(&[file(text)], &Servers::default()).expect_err("the rule is wrong").to_string()
}

#[test]
fn the_shipped_rules_do_what_their_fixtures_say() {
    let (policy, servers) = (preset(), Servers::default());
    let fixtures = Fixture::read_all(PRESET_FIXTURES).expect("the fixtures are sound");
    assert!(fixtures.len() > 60);
    for fixture in fixtures {
        let fault = fixture.check(&policy, &servers).expect("the fixture says what it expects");
        assert_eq!(fault, None, "{}", fixture.name);
    }
}

/// The control model, for every operation as it is without arguments, live and test.
#[test]
fn the_shipped_rules_follow_the_control_model_for_every_operation() {
    let policy = preset();
    for entry in catalogue().entries() {
        let (path, _) = filled(entry);
        let mut operation = rest(&entry.method, &path, "").expect("an operation");
        for live in [false, true] {
            operation.livemode = Some(live);
            let strictest =
                operation.classes.iter().map(|class| expected(*class, live)).max().expect("a class");
            let got = outcome(&policy, &operation);
            // An unknown amount of a live refund is above the limit of one approver.
            let is_large = live && operation.classes.contains(&RiskClass::Refund);
            let wanted = match strictest {
                Outcome::NeedsApproval { .. } if is_large => Outcome::NeedsApproval { approvers: 2 },
                other => other,
            };
            assert_eq!(got, wanted, "{} live {live}", entry.id);
        }
    }
}

fn expected(class: RiskClass, live: bool) -> Outcome {
    match class {
        RiskClass::Read | RiskClass::CustomerDataRead => Outcome::Allow,
        RiskClass::OtherMutation if !live => Outcome::Allow,
        RiskClass::MoneyMovement | RiskClass::KeyOrAccountAdmin => {
            Outcome::Deny { because: Because::NothingPermits }
        }
        _ => Outcome::NeedsApproval { approvers: 1 },
    }
}

#[test]
fn deny_wins_over_approval_and_approval_over_allow() {
    let allow = "@id(\"allow\") permit (principal, action, resource);";
    let approval =
        "@id(\"approval\") @approval(\"1\") permit (principal, action in Action::\"refund\", resource);";
    let two = "@id(\"two\") @approval(\"2\") permit (principal, action in Action::\"refund\", resource);";
    let deny = "@id(\"deny\") forbid (principal, action in Action::\"refund\", resource);";
    for (rules, wanted) in [
        (vec![allow], Outcome::Allow),
        (vec![allow, approval], Outcome::NeedsApproval { approvers: 1 }),
        (vec![two, approval, allow], Outcome::NeedsApproval { approvers: 2 }),
        (vec![deny, two, allow], Outcome::Deny { because: Because::Forbidden }),
        (vec![], Outcome::Deny { because: Because::NothingPermits }),
    ] {
        assert_eq!(outcome(&load(&[file(&rules.join("\n"))]), &refund(5)), wanted);
    }
}

/// Cedar leaves a rule out that it cannot evaluate, even one that forbids; the gate denies.
#[test]
fn a_rule_that_cannot_be_evaluated_denies() {
    let allow = "@id(\"allow\") permit (principal, action, resource);";
    let overflow =
        "@id(\"overflow\") forbid (principal, action, resource) when { context.amount_minor * 2 > 10 };";
    let policy = load(&[file(&format!("{allow}\n{overflow}"))]);
    assert_eq!(outcome(&policy, &refund(5)), Outcome::Allow);
    let unknown = rest("POST", "/v1/refunds", "charge=ch_AbCdEf").expect("an operation");
    let decision = policy.decide(&unknown, &CALLER, &Sums::default(), NOON);
    assert_eq!(decision.outcome, Outcome::Deny { because: Because::EvaluationError });
    assert_eq!(decision.judged[0].rules[0].id, "overflow");
}

#[test]
fn a_call_is_judged_as_each_of_its_classes() {
    let rules =
        "@id(\"subscriptions\") permit (principal, action in Action::\"subscription_change\", resource);";
    let policy = load(&[file(rules)]);
    let plain = rest("POST", "/v1/subscriptions/sub_x", "").expect("an operation");
    assert_eq!(outcome(&policy, &plain), Outcome::Allow);
    let priced = rest("POST", "/v1/subscriptions/sub_x", "discounts[0][coupon]=x").expect("an operation");
    assert_eq!(outcome(&policy, &priced), Outcome::Deny { because: Because::NothingPermits });
}

#[test]
fn rules_may_name_workflow_key_object_account_time_and_facts() {
    let rules = r#"
        @id("workflow") permit (principal in Workflow::"support", action == Action::"PostPayouts", resource == Account::"acct_1TestTestTest00");
        @id("key") permit (principal == Key::"k1", action == Action::"PostCustomers", resource)
            when { !context.facts.contains("carries_personal_data") && !context.arguments.contains("metadata") };
        @id("object") permit (principal, action == Action::"PostProductsId", resource == Object::"prod_AbCdEf");
        @id("hours") permit (principal, action == Action::"PostTopups", resource in Account::"acct_1TestTestTest00")
            when { context.time.hour >= 8 && context.time.hour < 18 && context.time.weekday <= 5 };
    "#;
    let policy = load(&[file(rules)]);
    let at = |method: &str, path: &str, body: &str, caller: Caller<'_>, time: u64| {
        let operation = rest(method, path, body).expect("an operation");
        policy.decide(&operation, &caller, &Sums::default(), time).outcome == Outcome::Allow
    };
    let other = Caller { key: "k2", workflow: "shop" };
    assert!(at("POST", "/v1/payouts", "", CALLER, NOON));
    assert!(!at("POST", "/v1/payouts", "", other, NOON));
    assert!(at("POST", "/v1/customers", "tax_exempt=none", CALLER, NOON));
    assert!(!at("POST", "/v1/customers", "tax_exempt=none", other, NOON));
    assert!(!at("POST", "/v1/customers", "metadata[a]=b", CALLER, NOON));
    assert!(at("POST", "/v1/products/prod_AbCdEf", "", CALLER, NOON));
    assert!(!at("POST", "/v1/products/prod_Other", "", CALLER, NOON));
    // A Monday at noon, the same day at 20:00, and the Saturday after.
    assert!(at("POST", "/v1/topups", "", CALLER, NOON));
    assert!(!at("POST", "/v1/topups", "", CALLER, NOON + 8 * 3600));
    assert!(!at("POST", "/v1/topups", "", CALLER, NOON + 5 * 86_400));
}

/// What merchants name themselves has no prefix; a rule that forbids must hold for it all the same.
#[test]
fn rules_may_name_what_a_merchant_named() {
    let rules = r#"
        @id("all") permit (principal, action, resource);
        @id("keep") forbid (principal, action == Action::"DeleteCouponsCoupon", resource == Object::"SPRING-25");
    "#;
    let policy = load(&[file(rules)]);
    let delete = |coupon: &str| rest("DELETE", &format!("/v1/coupons/{coupon}"), "").expect("an operation");
    assert_eq!(outcome(&policy, &delete("SPRING-25")), Outcome::Deny { because: Because::Forbidden });
    assert_eq!(outcome(&policy, &delete("SUMMER-25")), Outcome::Allow);
}

/// Without a look-up, a currency with a higher limit that the call only claims changes nothing.
#[test]
fn a_claimed_currency_lifts_no_limit() {
    let mut claimed =
        rest("POST", "/v1/refunds", "charge=ch_x&amount=60000&currency=jpy").expect("an operation");
    claimed.livemode = Some(true);
    assert_eq!(outcome(&preset(), &claimed), Outcome::NeedsApproval { approvers: 2 });
}

#[test]
fn totals_with_calls_that_wait_reach_the_limits() {
    let (policy, totals) = (preset(), MemoryTotals::default());
    let mut operation = refund(50_000);
    operation.livemode = Some(true);
    let decide = |at: u32| {
        let reservation =
            Reservation::new(&at.to_string(), &operation, "support", NOON).expect("it is no read");
        let sums = totals.reserve(&reservation).expect("it is counted once");
        policy.decide(&operation, &CALLER, &sums, NOON).outcome
    };
    // Four refunds of 500.00 that wait are 2,000.00, the limit of a workflow; the fifth is above it.
    let outcomes: Vec<Outcome> = (0..5).map(decide).collect();
    assert_eq!(outcomes[..4], [Outcome::NeedsApproval { approvers: 1 }; 4]);
    assert_eq!(outcomes[4], Outcome::NeedsApproval { approvers: 2 });
    assert!(
        Reservation::new("read", &rest("GET", "/v1/customers", "").expect("a read"), "support", NOON)
            .is_none()
    );
}

#[test]
fn rules_are_checked_when_they_are_loaded() {
    let rule = |head: &str, more: &str| format!("\n@id(\"a\") {head} (principal, action, resource) {more};");
    for (text, part) in [
        ("permit (principal, action".to_owned(), "own.cedar:1: "),
        (rule("permit", "when { context.amount > 5 }"), "own.cedar:2: "),
        (rule("permit", "when { context.currency > 5 }"), "own.cedar:2: "),
        (
            "@id(\"a\")\npermit (principal, action == Action::\"PostRefund\", resource);".to_owned(),
            "own.cedar:2: ",
        ),
        ("\n\npermit (principal, action, resource);".to_owned(), "own.cedar:3: the rule has no name"),
        (rule("@approval(\"0\") permit", ""), "own.cedar:2: @approval says how many"),
        (rule("@approval(\"yes\") permit", ""), "own.cedar:2: @approval says how many"),
        (rule("@approval(\"1\") forbid", ""), "own.cedar:2: a rule that forbids needs no approval"),
        (rule("@aproval(\"1\") permit", ""), "own.cedar:2: the annotation @aproval means nothing"),
        (rule("permit", "").repeat(2), "own.cedar:3: the id a is taken"),
        (
            "@id(\"a\") permit (principal == ?principal, action, resource);".to_owned(),
            "own.cedar:1: rule a has a slot",
        ),
    ] {
        let error = error(&text);
        assert!(error.starts_with(part), "{part}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn versions_name_what_was_loaded() {
    let one = load(&[file("@id(\"a\") permit (principal, action, resource);")]);
    let other = load(&[file("@id(\"b\") permit (principal, action, resource);")]);
    let same = load(&[file("@id(\"a\") permit (principal, action, resource);")]);
    assert_eq!(one.version().len(), 32);
    assert_eq!(one.version(), same.version());
    assert_ne!(one.version(), other.version());
    let mut servers = Servers::default();
    servers.add("files", "read_file", RiskClass::Read);
    let more = Policy::load(&[file("@id(\"a\") permit (principal, action, resource);")], &servers)
        .expect("sound rules");
    assert_ne!(one.version(), more.version());
}

#[test]
fn tools_of_other_servers_are_actions_too() {
    let mut servers = Servers::default();
    servers.add("files", "read_file", RiskClass::Read);
    servers.add("files", "write_file", RiskClass::OtherMutation);
    let rules = "@id(\"files\") permit (principal, action == Action::\"files/write_file\", resource == Server::\"files\");";
    let policy = Policy::load(&[PolicyFile::preset(), file(rules)], &servers).expect("sound rules");
    let text = "- {name: a, server: files, tool: read_file, expect: allow}\n\
                - {name: b, server: files, tool: write_file, livemode: true, expect: approval 1}\n\
                - {name: c, server: files, tool: write_file, livemode: false, expect: allow}\n\
                - {name: d, server: files, tool: drop_file, expect: deny, because: unknown_tool}";
    for fixture in Fixture::read_all(text).expect("fixtures") {
        assert_eq!(fixture.check(&policy, &servers), Ok(None), "{}", fixture.name);
    }
    // The same call, judged by rules that were loaded without the server.
    let call = Fixture::read("{server: files, tool: read_file}").expect("a call");
    assert_eq!(call.explain(&preset(), &servers).map(|explained| explained.outcome()), Ok("deny".to_owned()));
    for (server, tool) in
        [("stripe_analytics", "execute_query_run"), ("a/b", "c"), ("a", "b/c"), ("a\"", "b")]
    {
        let mut servers = Servers::default();
        servers.add(server, tool, RiskClass::Read);
        assert!(Policy::load(&[PolicyFile::preset()], &servers).is_err(), "{server}/{tool}");
    }
}

#[test]
fn lints_find_rules_that_decide_nothing() {
    let lints = |text: &str| {
        let found = load(&[file(text)]).lint();
        let faults = found.iter().filter(|lint| lint.is_fault());
        faults.map(|lint| (lint.kind, lint.rule.as_ref().map_or(0, |rule| rule.line))).collect::<Vec<_>>()
    };
    let rule = |id: &str, effect: &str, action: &str, more: &str| {
        format!("@id(\"{id}\") {effect} (principal, action {action}, resource) {more};\n")
    };
    let refunds = "in Action::\"refund\"";
    let all = rule("all", "permit", "", "");
    assert_eq!(lints(&all), []);
    let forbidden = rule("no", "forbid", refunds, "")
        + &rule("never", "permit", "== Action::\"PostRefundsRefundCancel\"", "");
    assert_eq!(lints(&(all.clone() + &forbidden)), [(LintKind::Shadowed, 3)]);
    let asked = rule("ask", "@approval(\"2\") permit", refunds, "")
        + &rule("one", "@approval(\"1\") permit", refunds, "when { context.livemode }");
    assert_eq!(lints(&asked), [(LintKind::Shadowed, 2)]);
    assert_eq!(
        lints(&(rule("a", "permit", refunds, "") + &rule("b", "permit", refunds, ""))),
        [(LintKind::Shadowed, 2)]
    );
    let conditional =
        rule("no", "forbid", refunds, "when { context.livemode }") + &rule("yes", "permit", refunds, "");
    assert_eq!(lints(&conditional), []);
    assert_eq!(
        lints(&rule("a", "permit", refunds, "when { context.livemode && false }")),
        [(LintKind::Unreachable, 1)]
    );
    let without: Vec<String> = preset().lint().iter().map(ToString::to_string).collect();
    assert_eq!(
        without,
        [
            "class money_movement: no rule speaks of it: its calls are denied",
            "class key_or_account_admin: no rule speaks of it: its calls are denied",
        ]
    );
}
