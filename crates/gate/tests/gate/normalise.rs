//! From a call to its operation, and what has none.

use crate::support::{TEST, catalogue, generic, rest, tool};
use obelus_gate::RiskClass::{
    CustomerDataRead, Dispute, InvoiceFinalize, KeyOrAccountAdmin, MoneyMovement, OtherMutation,
    OutboundMessage, PriceChange, Read, Refund, SubscriptionChange,
};
use obelus_gate::{
    Amount, Body, Connection, Currency, Denied, Found, Operation, RestCall, RiskClass, Servers, ToolCall,
};

fn facts(operation: &Operation) -> Vec<&str> {
    operation.facts.iter().map(String::as_str).collect()
}

#[test]
fn one_refund_is_one_operation_by_every_way() {
    let refund = rest("POST", "/v1/refunds", "charge=ch_3AbCdEf&amount=500").expect("an operation");
    assert_eq!(refund.operation, "PostRefunds");
    assert_eq!(refund.risk_class, RiskClass::Refund);
    assert_eq!(refund.amount, Amount::Minor(500));
    assert_eq!(refund.objects, ["ch_3AbCdEf"]);
    let same = [
        rest("POST", "/v1/charges/ch_3AbCdEf/refund", "amount=500"),
        rest("POST", "/v1/charges/ch_3AbCdEf/refunds", "amount=500"),
        tool("create_refund", r#"{"charge": "ch_3AbCdEf", "amount": 500}"#),
        tool("create_refund", r#"{"amount": 5e2, "charge": "ch_3AbCdEf"}"#),
        generic("stripe_api_write", "PostRefunds", r#"{"charge": "ch_3AbCdEf", "amount": 500}"#),
        generic(
            "stripe_api_write",
            "PostChargesChargeRefund",
            r#"{"charge": "ch_3AbCdEf", "amount": "500"}"#,
        ),
    ];
    for (at, other) in same.into_iter().enumerate() {
        assert!(other.expect("an operation") == refund, "way {at}");
    }
}

#[test]
fn a_refund_without_an_amount_is_above_every_limit_until_it_is_looked_up() {
    let mut refund = tool("create_refund", r#"{"payment_intent": "pi_3AbCdEf"}"#).expect("an operation");
    assert_eq!(refund.amount, Amount::Unknown);
    assert_eq!(refund.amount.limit_minor(), u64::MAX);
    let lookup = refund.lookup().expect("a way to know");
    assert_eq!(
        (lookup.operation, lookup.path.as_str()),
        ("GetPaymentIntentsIntent", "/v1/payment_intents/pi_3AbCdEf")
    );
    refund.fill_in(Found {
        remaining_minor: Some(700),
        currency: Currency::parse("jpy"),
        customer: Some("cus_AbCdEf".to_owned()),
    });
    assert_eq!((refund.amount, refund.currency), (Amount::Minor(700), Currency::parse("jpy")));
    assert_eq!(refund.lookup(), None);
}

/// Limits depend on currency and customer: a call must not choose those of a payment that has its own.
#[test]
fn a_refund_has_currency_and_customer_of_its_payment_whatever_it_says() {
    let form = "charge=ch_3AbCdEf&amount=60000&currency=jpy&customer=cus_Other";
    let mut refund = rest("POST", "/v1/refunds", form).expect("an operation");
    assert_eq!((refund.currency, refund.customer.as_deref()), (None, None));
    assert_eq!(refund.lookup().map(|lookup| lookup.operation), Some("GetChargesCharge"));
    refund.fill_in(Found {
        remaining_minor: Some(90_000),
        currency: Currency::parse("usd"),
        customer: Some("cus_AbCdEf".to_owned()),
    });
    assert_eq!(refund.amount, Amount::Minor(60_000));
    assert_eq!((refund.currency, refund.customer.as_deref()), (Currency::parse("usd"), Some("cus_AbCdEf")));
    let form = "origin=customer_balance&customer=cus_x&currency=jpy&amount=5";
    let of_balance = rest("POST", "/v1/refunds", form).expect("an operation");
    assert_eq!(
        (of_balance.currency, of_balance.customer.as_deref()),
        (Currency::parse("jpy"), Some("cus_x"))
    );
    assert_eq!(of_balance.lookup(), None);
}

#[test]
fn parts_are_read_only_where_files_are_sent() {
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"r.pdf\"";
    let purpose = "Content-Disposition: form-data; name=\"purpose\"";
    let parts = format!("--b\r\n{file}\r\n\r\n%PDF\r\n--b\r\n{purpose}\r\n\r\ndispute_evidence\r\n--b--\r\n");
    let send = |path, body| {
        catalogue().rest(&RestCall { method: "POST", path, query: None, body, connection: TEST })
    };
    let operation = send("/v1/files", Body::Parts(parts.as_bytes(), "b")).expect("an operation");
    assert_eq!(operation.operation, "PostFiles");
    assert_eq!(operation.arguments.text("purpose"), Some("dispute_evidence"));
    assert_eq!(operation.arguments.at("file.size").len(), 1);
    for path in ["/v1/refunds", "/v2/core/accounts"] {
        let got = send(path, Body::Parts(parts.as_bytes(), "b"));
        assert!(matches!(got, Err(Denied::Unreadable("body", _))), "{path}");
    }
    // A form cannot say that it holds a file.
    let form = Body::Form(b"purpose=dispute_evidence&file[sha256]=00");
    assert!(matches!(send("/v1/files", form), Err(Denied::Unreadable("body", _))));
    let alone = send("/v1/files", Body::Form(b"purpose=dispute_evidence")).expect("an operation");
    assert!(!alone.facts.contains("bearer_link") && !alone.facts.contains("data_egress"));
    // With a link for whoever has it, it is what `POST /v1/file_links` is.
    let form = Body::Form(b"purpose=dispute_evidence&file_link_data[create]=true");
    let linked = send("/v1/files", form).expect("an operation");
    assert!(linked.facts.contains("bearer_link") && linked.facts.contains("data_egress"));
}

#[test]
fn all_objects_of_a_list_are_named() {
    let form = "line_items[0][price]=price_a&line_items[1][price]=price_b";
    let link = rest("POST", "/v1/payment_links", form).expect("an operation");
    assert_eq!(link.objects, ["price_a", "price_b"]);
    let form = "customer=cus_x&items[0][price]=price_a&items[1][discounts][0][coupon]=WEEK_5&metadata[price]=price_c";
    let subscription = rest("POST", "/v1/subscriptions", form).expect("an operation");
    assert_eq!(subscription.objects, ["cus_x", "price_a"]);
}

#[test]
fn a_price_in_an_odd_list_is_a_price() {
    let odd = r#"{"subscription_exposed_id": "sub_x", "items": {"0": {"price_data": {"unit_amount": 5}}, "x": {"id": "si_x"}}}"#;
    let got =
        generic("stripe_api_write", "PostSubscriptionsSubscriptionExposedId", odd).expect("an operation");
    assert!(got.classes.contains(&PriceChange), "{got:?}");
    assert_eq!(got.amount, Amount::Unknown);
}

/// Method, target, form, classes, and a fact that holds besides.
const ESCALATED: [(&str, &str, &str, &[RiskClass], &str); 26] = [
    ("POST", "/v1/invoices", "customer=cus_x", &[OtherMutation], "invoice_draft_edit"),
    ("POST", "/v1/invoices", "auto_advance=true", &[OtherMutation, InvoiceFinalize], "finalizes_later"),
    ("POST", "/v1/invoices", "auto_advance=false", &[OtherMutation], "invoice_draft_edit"),
    (
        "POST",
        "/v1/invoices",
        "auto_advance=true&collection_method=send_invoice",
        &[OtherMutation, OutboundMessage, InvoiceFinalize],
        "mails_customer",
    ),
    (
        "POST",
        "/v1/invoices/in_x",
        "auto_advance=1",
        &[OtherMutation, OutboundMessage, InvoiceFinalize],
        "mails_customer",
    ),
    ("POST", "/v1/invoices/in_x/send", "", &[OutboundMessage, InvoiceFinalize], ""),
    ("POST", "/v1/payment_intents", "amount=5&confirm=true", &[MoneyMovement], "charges_now"),
    (
        "POST",
        "/v1/payment_intents",
        "receipt_email=jenny%40example.com",
        &[OutboundMessage, MoneyMovement],
        "mails_customer",
    ),
    (
        "POST",
        "/v1/invoices/in_x",
        "auto_advance=true&collection_method[]=charge_automatically&collection_method[]=send_invoice",
        &[OtherMutation, OutboundMessage, InvoiceFinalize],
        "mails_customer",
    ),
    (
        "POST",
        "/v1/credit_notes",
        "invoice=in_x&amount=5&email_type[a]=none",
        &[OutboundMessage, Refund],
        "mails_customer",
    ),
    ("POST", "/v1/credit_notes", "invoice=in_x&amount=5", &[OutboundMessage, Refund], "mails_customer"),
    ("POST", "/v1/credit_notes", "invoice=in_x&amount=5&email_type=none", &[Refund], ""),
    ("POST", "/v1/disputes/du_x", "", &[Dispute], "submits_evidence"),
    (
        "POST",
        "/v1/refunds",
        "charge=ch_x&instructions_email=jenny%40example.com",
        &[OutboundMessage, Refund],
        "mails_customer",
    ),
    (
        "POST",
        "/v1/charges/ch_x/refund",
        "instructions_email=jenny%40example.com",
        &[OutboundMessage, Refund],
        "carries_personal_data",
    ),
    (
        "POST",
        "/v1/subscriptions",
        "items[0][price_data][unit_amount]=5",
        &[PriceChange, SubscriptionChange],
        "sets_price",
    ),
    ("POST", "/v1/subscriptions/sub_x", "discounts=", &[PriceChange, SubscriptionChange], "sets_price"),
    (
        "POST",
        "/v1/subscription_schedules/sub_sched_x",
        "phases[0][discounts][0][coupon]=x",
        &[PriceChange, SubscriptionChange],
        "sets_price",
    ),
    (
        "POST",
        "/v1/subscriptions/sub_x",
        "items[0][discounts][0][coupon]=x",
        &[PriceChange, SubscriptionChange],
        "sets_price",
    ),
    (
        "POST",
        "/v1/subscriptions/sub_x",
        "proration_behavior=always_invoice",
        &[SubscriptionChange, MoneyMovement],
        "charges_now",
    ),
    (
        "POST",
        "/v1/checkout/sessions",
        "line_items[0][price_data][unit_amount]=5",
        &[PriceChange, MoneyMovement],
        "sets_price",
    ),
    ("POST", "/v1/customers/cus_x", "balance=-500", &[OtherMutation, MoneyMovement], "changes_balance"),
    (
        "POST",
        "/v1/webhook_endpoints",
        "url=https%3A%2F%2Fexample.com",
        &[KeyOrAccountAdmin],
        "diverts_events",
    ),
    ("GET", "/v1/products", "", &[Read], ""),
    ("GET", "/v1/products?expand[]=data.customer", "", &[Read, CustomerDataRead], "expands"),
    ("POST", "/v1/invoices/create_preview", "", &[Read, CustomerDataRead], ""),
];

#[test]
fn arguments_make_more_of_a_call() {
    for (method, target, body, classes, fact) in ESCALATED {
        let got = rest(method, target, body).unwrap_or_else(|denied| panic!("{target} {body}: {denied}"));
        assert_eq!(got.classes.iter().copied().collect::<Vec<_>>(), classes, "{target} {body}");
        assert!(fact.is_empty() || facts(&got).contains(&fact), "{target} {body}: {:?}", facts(&got));
    }
    let staged = rest("POST", "/v1/disputes/du_x", "submit=false").expect("an operation");
    assert!(!facts(&staged).contains(&"submits_evidence"));
}

#[test]
fn tools_are_their_operations_with_what_their_server_adds() {
    let link = tool(
        "create_payment_link",
        r#"{"price": "price_x", "quantity": 2, "redirect_url": "https://example.com"}"#,
    );
    let form = "line_items[0][price]=price_x&line_items[0][quantity]=2&after_completion[redirect][url]=https%3A%2F%2Fexample.com";
    assert!(link == rest("POST", "/v1/payment_links", form));
    let invoice = tool("create_invoice", r#"{"customer": "cus_x"}"#).expect("an operation");
    assert_eq!(invoice.arguments.text("collection_method"), Some("send_invoice"));
    let coupon = tool("create_coupon", r#"{"name": "Spring", "amount_off": 500}"#).expect("an operation");
    assert_eq!((coupon.amount, coupon.currency), (Amount::Minor(500), Currency::parse("usd")));
    let finalized = tool("finalize_invoice", r#"{"invoice": "in_x"}"#).expect("an operation");
    assert_eq!(finalized.target.as_deref(), Some("in_x"));
}

#[test]
fn tools_without_an_operation_have_a_class_of_their_own() {
    for (name, arguments, operation, class) in [
        (
            "search_stripe_documentation",
            r#"{"question": "how"}"#,
            "search_stripe_documentation",
            RiskClass::Read,
        ),
        (
            "search_stripe_resources",
            r#"{"query": "email:x"}"#,
            "search_stripe_resources",
            RiskClass::CustomerDataRead,
        ),
        ("fetch_stripe_resources", r#"{"id": "prod_AbCdEf"}"#, "fetch_stripe_resources", RiskClass::Read),
        (
            "fetch_stripe_resources",
            r#"{"id": "cus_AbCdEf"}"#,
            "fetch_stripe_resources",
            RiskClass::CustomerDataRead,
        ),
        (
            "fetch_stripe_resources",
            r#"{"ids": ["prod_AbCdEf", "new_AbCdEf"]}"#,
            "fetch_stripe_resources",
            RiskClass::CustomerDataRead,
        ),
        ("fetch_stripe_resources", "{}", "fetch_stripe_resources", RiskClass::CustomerDataRead),
        (
            "stripe_analytics",
            r#"{"intent": "execute_query_run", "livemode": false, "stripe_context": "acct_1TestTestTest00", "params": {"sql": "select 1"}}"#,
            "stripe_analytics/execute_query_run",
            RiskClass::CustomerDataRead,
        ),
        ("manage_stripe_accounts", "{}", "manage_stripe_accounts", RiskClass::KeyOrAccountAdmin),
        ("send_stripe_feedback", r#"{"quote": "good"}"#, "send_stripe_feedback", RiskClass::OtherMutation),
        ("stripe_report", "{}", "stripe_report", RiskClass::CustomerDataRead),
    ] {
        let got = tool(name, arguments).unwrap_or_else(|denied| panic!("{name}: {denied}"));
        assert_eq!((got.operation.as_str(), got.risk_class), (operation, class), "{name} {arguments}");
    }
}

#[test]
fn what_is_not_understood_is_denied_and_says_why() {
    let generic_call = |more: &str| {
        tool("stripe_api_write", &format!(r#"{{"stripe_api_operation_id": "PostRefunds", {more}}}"#))
    };
    for (got, code) in [
        (rest("POST", "/v1/refunds/now/please", ""), "unknown_operation"),
        (rest("PATCH", "/v1/refunds", ""), "unknown_operation"),
        (rest("POST", "/v1/refunds", "amount=1&amount=2"), "duplicate"),
        (rest("POST", "/v1/refunds?amount=1", "charge=ch_x"), "unreadable"),
        (rest("POST", "/v1/disputes/du_x?submit=false", ""), "unreadable"),
        (rest("DELETE", "/v1/subscriptions/sub_x?prorate=true", "prorate=false"), "duplicate"),
        (rest("POST", "/v1/charges/ch_x/refund", "charge=ch_y"), "duplicate"),
        (rest("POST", "/v1/refunds", "amount=1.5"), "argument"),
        (rest("GET", "/v1/customers", "email=x"), "unreadable"),
        (rest("POST", "/v2/core/accounts", r#"{"a": 1, "a": 2}"#), "duplicate"),
        (tool("Create_Refund", "{}"), "unknown_tool"),
        (tool("mcp__stripe__create_refund", "{}"), "unknown_tool"),
        (tool("create_refund", r#"{"payment_intent": "pi_x", "reason": "fraudulent"}"#), "unknown_argument"),
        (tool("create_refund", r#"{"amount": 1, "amount": 2}"#), "duplicate"),
        (tool("create_refund", r#"{"amount": "1,5"}"#), "argument"),
        (tool("create_refund", "[1]"), "unreadable"),
        (tool("finalize_invoice", "{}"), "argument"),
        (tool("finalize_invoice", r#"{"invoice": "in_x/send"}"#), "argument"),
        (tool("finalize_invoice", r#"{"invoice": ".."}"#), "argument"),
        (
            generic("stripe_api_write", "PostInvoicesInvoiceFinalize", r#"{"invoice": "in_x/../in_y"}"#),
            "argument",
        ),
        (generic("stripe_api_write", "postRefunds", "{}"), "unknown_operation"),
        (generic("stripe_api_write", "PostRefunds", r#"{"metadata[a]": 1}"#), "unreadable"),
        (generic("stripe_api_write", "PostRefunds", r#""{}""#), "argument"),
        (generic("stripe_api_read", "PostRefunds", "{}"), "read_tool_asked_to_write"),
        (generic("stripe_api_write", "GetRefunds", "{}"), "write_tool_asked_to_read"),
        (generic_call(r#""parameters": {}, "livemode": false"#), "argument"),
        (generic_call(r#""parameters": {}, "stripe_context": "acct_1TestTestTest00""#), "argument"),
        (
            generic_call(r#""parameters": {}, "stripe_context": "acct_1TestTestTest00", "livemode": "yes""#),
            "argument",
        ),
        (
            generic_call(r#""parameters": {}, "stripe_context": "acct_1TestTestTest00", "livemode": true"#),
            "mode_mismatch",
        ),
        (
            generic_call(r#""parameters": {}, "stripe_context": "acct_1OtherOther000", "livemode": false"#),
            "account_mismatch",
        ),
        (generic("stripe_api_write", "PostInvoicesInvoice", r#"{"invoice": "create_preview"}"#), "path"),
        (generic("stripe_api_read", "GetProductsId", r#"{"id": "search"}"#), "path"),
        (generic("stripe_api_write", "PostRefunds", r#"{"__proto__": {"amount": 5}}"#), "unreadable"),
        (
            generic(
                "stripe_api_write",
                "PostCustomersCustomer",
                r#"{"customer": "cus_x", "_method": "DELETE"}"#,
            ),
            "unreadable",
        ),
        (
            generic_call(r#""parameters": {}, "stripe_context": "jenny@example.com", "livemode": false"#),
            "argument",
        ),
        (generic_call(r#""method": "POST", "path": "/v1/payouts""#), "unknown_argument"),
    ] {
        let denied = got.err().unwrap_or_else(|| panic!("{code} expected"));
        assert_eq!(denied.code(), code, "{denied}");
    }
}

#[test]
fn refusals_hold_nothing_of_the_call() {
    for got in [
        rest("POST", "/v1/refunds/jenny@example.com", ""),
        rest("POST", "/v1/refunds", "jenny%40example.com=1"),
        tool("create_refund", r#"{"jenny@example.com": 1, "jenny@example.com": 2}"#),
        tool("create_refund", r#"{"amount": "jenny@example.com"}"#),
        tool("jenny@example.com", "{}"),
    ] {
        let denied = got.expect_err("it is not understood");
        assert!(!format!("{denied} {denied:?}").contains("jenny"), "{denied}");
    }
    let shown = format!("{:?}", tool("create_customer", r#"{"email": "jenny@example.com"}"#));
    assert!(!shown.contains("jenny"), "{shown}");
}

#[test]
fn other_servers_have_the_classes_that_the_configuration_gives() {
    let servers: Servers =
        serde_json::from_str(r#"{"files": {"read_file": "read", "write_file": "other_mutation"}}"#)
            .expect("classes");
    let call = |server, tool| {
        servers.tool_call(
            server,
            &ToolCall { tool, arguments: br#"{"path": "a"}"#, connection: Connection::default() },
        )
    };
    let got = call("files", "read_file").expect("a class");
    assert_eq!(
        (got.operation.as_str(), got.risk_class, got.server.as_deref()),
        ("files/read_file", RiskClass::Read, Some("files"))
    );
    assert_eq!(call("files", "delete_file"), Err(Denied::UnknownTool));
    assert_eq!(call("mail", "send"), Err(Denied::UnknownServer));
    // A server that is not Stripe's does not borrow the meaning of Stripe's tools.
    assert_eq!(call("files", "create_refund"), Err(Denied::UnknownTool));
    assert!(
        catalogue().tool_call(&ToolCall { tool: "read_file", arguments: b"{}", connection: TEST }).is_err()
    );
}
