//! What holds for every operation of the catalogue.

use crate::support::{catalogue, filled, generic, generic_tool, rest, tool};
use obelus_gate::{Denied, RiskClass};
use std::path::Path;
use std::process::Command;

#[test]
fn every_operation_is_the_same_by_rest_and_by_the_generic_tool() {
    for entry in catalogue().entries() {
        let (path, parameters) = filled(entry);
        let by_rest =
            rest(&entry.method, &path, "").unwrap_or_else(|denied| panic!("{}: {denied}", entry.id));
        let by_tool = generic(generic_tool(entry), &entry.id, &parameters.to_string())
            .unwrap_or_else(|denied| panic!("{}: {denied}", entry.id));
        assert_eq!(by_rest.operation, entry.alias_of.as_ref().unwrap_or(&entry.id).as_str());
        assert_eq!(by_rest.classes, by_tool.classes, "{}", entry.id);
        assert!(by_rest == by_tool, "{}", entry.id);
    }
}

#[test]
fn every_alias_has_the_classes_of_what_it_stands_for() {
    for entry in catalogue().entries() {
        let Some(other) = entry.alias_of.as_deref().and_then(|id| catalogue().entry(id)) else { continue };
        let (path, _) = filled(entry);
        let (other_path, _) = filled(other);
        let by_alias = rest(&entry.method, &path, "").expect("an operation");
        let itself = rest(&other.method, &other_path, "").expect("an operation");
        assert_eq!(by_alias.classes, itself.classes, "{}", entry.id);
        assert_eq!(by_alias.risk_class, itself.risk_class, "{}", entry.id);
    }
}

#[test]
fn no_operation_goes_through_the_generic_tool_of_the_other_kind() {
    for entry in catalogue().entries() {
        let (_, parameters) = filled(entry);
        let (wrong, why) = match entry.method.as_str() {
            "GET" => ("stripe_api_write", Denied::WriteToolAskedToRead),
            _ => ("stripe_api_read", Denied::ReadToolAskedToWrite),
        };
        assert_eq!(generic(wrong, &entry.id, &parameters.to_string()), Err(why), "{}", entry.id);
    }
}

#[test]
fn every_path_counts_letter_by_letter() {
    for entry in catalogue().entries() {
        let (path, _) = filled(entry);
        for target in [
            format!("{path}/"),
            format!("/{path}"),
            path.replacen("/v", "/V", 1).replacen("/oauth", "/Oauth", 1),
            path.replacen('/', "/./", 1),
            format!("/v1/..{path}"),
            path.replacen('/', "/%2e%2e/", 1),
            format!("{path}%2f"),
            format!("{path};x"),
            format!("{path}\\x"),
        ] {
            let got = rest(&entry.method, &target, "");
            assert!(matches!(got, Err(Denied::UnknownOperation | Denied::Path(_))), "{target}");
        }
        assert_eq!(rest(&entry.method.to_lowercase(), &path, ""), Err(Denied::UnknownOperation));
    }
}

/// Reads are reads by every way, and a method says what kind an operation is but for the exceptions told here.
#[test]
fn only_known_operations_read_by_post_or_administer_by_get() {
    let odd: Vec<&str> = catalogue()
        .entries()
        .iter()
        .filter(|entry| entry.class.is_read() != (entry.method == "GET"))
        .map(|entry| entry.id.as_str())
        .collect();
    let known = [
        "GetAppsSecrets",
        "GetAppsSecretsFind",
        "GetOauthAuthorize",
        "PostInvoicesCreatePreview",
        "PostReportingReportRuns",
    ];
    assert_eq!(odd, known);
}

/// A named tool is its operation, as the generic tool and REST have it.
#[test]
fn every_named_tool_has_the_class_of_its_operation() {
    let ids = |names: &[&str]| {
        let members: Vec<String> = names.iter().map(|name| format!(r#""{name}": "obj_0AbCdEf""#)).collect();
        format!("{{{}}}", members.join(","))
    };
    for (name, arguments, operation, class) in [
        (
            "cancel_subscription",
            ids(&["subscription"]),
            "DeleteSubscriptionsSubscriptionExposedId",
            RiskClass::SubscriptionChange,
        ),
        (
            "create_billing_portal_session",
            ids(&["customer"]),
            "PostBillingPortalSessions",
            RiskClass::KeyOrAccountAdmin,
        ),
        ("create_coupon", "{}".to_owned(), "PostCoupons", RiskClass::PriceChange),
        ("create_customer", "{}".to_owned(), "PostCustomers", RiskClass::OtherMutation),
        ("create_invoice", ids(&["customer"]), "PostInvoices", RiskClass::OtherMutation),
        (
            "create_invoice_item",
            ids(&["customer", "price", "invoice"]),
            "PostInvoiceitems",
            RiskClass::OtherMutation,
        ),
        ("create_payment_link", ids(&["price"]), "PostPaymentLinks", RiskClass::MoneyMovement),
        ("create_price", ids(&["product"]), "PostPrices", RiskClass::PriceChange),
        ("create_product", "{}".to_owned(), "PostProducts", RiskClass::PriceChange),
        ("create_refund", ids(&["payment_intent"]), "PostRefunds", RiskClass::Refund),
        ("finalize_invoice", ids(&["invoice"]), "PostInvoicesInvoiceFinalize", RiskClass::InvoiceFinalize),
        ("update_dispute", ids(&["dispute"]), "PostDisputesDispute", RiskClass::Dispute),
        (
            "update_subscription",
            ids(&["subscription"]),
            "PostSubscriptionsSubscriptionExposedId",
            RiskClass::SubscriptionChange,
        ),
        ("list_customers", "{}".to_owned(), "GetCustomers", RiskClass::CustomerDataRead),
        ("list_products", "{}".to_owned(), "GetProducts", RiskClass::Read),
        ("list_prices", "{}".to_owned(), "GetPrices", RiskClass::Read),
        ("list_coupons", "{}".to_owned(), "GetCoupons", RiskClass::Read),
        ("list_invoices", "{}".to_owned(), "GetInvoices", RiskClass::CustomerDataRead),
        ("list_payment_intents", "{}".to_owned(), "GetPaymentIntents", RiskClass::CustomerDataRead),
        ("list_subscriptions", "{}".to_owned(), "GetSubscriptions", RiskClass::CustomerDataRead),
        ("list_disputes", "{}".to_owned(), "GetDisputes", RiskClass::CustomerDataRead),
        ("retrieve_balance", "{}".to_owned(), "GetBalance", RiskClass::Read),
        ("get_balance_summary", "{}".to_owned(), "GetBalance", RiskClass::Read),
        ("get_stripe_account_info", "{}".to_owned(), "GetAccount", RiskClass::CustomerDataRead),
    ] {
        let got = tool(name, &arguments).unwrap_or_else(|denied| panic!("{name}: {denied}"));
        assert_eq!((got.operation.as_str(), got.risk_class), (operation, class), "{name}");
        let entry = catalogue().entry(operation).expect("an operation");
        assert_eq!(got.risk_class, entry.class, "{name}");
    }
}

/// Where the facts lie beside the checkout, the committed file is what the script makes of them.
#[test]
fn the_committed_catalogue_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let facts = folder.join("../../../shared/stripe");
    if !facts.is_dir() {
        return;
    }
    let run = Command::new("python3").arg(folder.join("generate.py")).arg(facts).arg("--check").output();
    let run = run.expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8(run.stderr).unwrap_or_default());
}
