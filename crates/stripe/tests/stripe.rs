//! The rules for Stripe's objects.

#[path = "../../fields/tests/walk/mod.rs"]
mod walk;

use obelus_fields::{Fields, GENERIC, ObjectType, PackFile, Place, Profile, Verdict};
use obelus_stripe::STRIPE;
use walk::{Order, run_examples};

fn stripe() -> PackFile {
    PackFile::parse(STRIPE, "stripe.toml").expect("the rules are sound")
}

fn fields(profile: Profile) -> Fields {
    Fields::compile(
        &[stripe(), PackFile::parse(GENERIC, "generic.toml").expect("the rules are sound")],
        profile,
    )
    .expect("the rules fit")
}

/// What is redacted, as path and rule.
fn redacted(profile: Profile, json: &str) -> Vec<String> {
    let fields = fields(profile);
    let asked = walk::walk(&fields, &serde_json::from_str(json).expect("JSON"), Order::TypeFirst);
    let redacted = asked.into_iter().filter_map(|asked| asked.class.map(|class| (asked.path, class)));
    let mut redacted: Vec<String> =
        redacted.map(|(path, class)| format!("{path} {}", fields.class(class).rule_id)).collect();
    redacted.sort_unstable();
    redacted
}

#[test]
fn every_rule_holds_in_its_examples_and_in_none_of_its_counter_examples() {
    let pack = stripe();
    let fields = Fields::compile(std::slice::from_ref(&pack), Profile::Strict).unwrap();
    let faults = run_examples(&pack, &fields);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_has_examples_and_counter_examples() {
    let pack = stripe();
    let of_rules = || pack.examples().filter(|example| !example.names.is_empty());
    let rules = STRIPE.matches("[[rule]]").count();
    assert_eq!(of_rules().filter(|example| example.holds).count(), rules);
    assert_eq!(of_rules().filter(|example| !example.holds).count(), rules);
}

#[test]
fn a_charge_keeps_what_a_person_cannot_be_known_by() {
    let json = r#"{"id": "ch_3MmlLrLkdIwHu7ix0snN0B15", "object": "charge", "amount": 1099,
        "billing_details": {"name": "Jenny Rosen", "email": "jenny@example.com", "phone": null,
            "address": {"city": "Anytown", "country": "US", "line1": "1 Main Street"}},
        "customer": "cus_NffrFeUfNV2Hib", "description": "order 7", "metadata": {"order": "7"},
        "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242", "exp_month": 8,
            "fingerprint": "example", "country": "US"}},
        "receipt_url": "https://example.com/open", "statement_descriptor": "ROCKET"}"#;
    assert_eq!(
        redacted(Profile::Balanced, json),
        [
            "/billing_details/address/city stripe/address-city",
            "/billing_details/address/line1 stripe/address-line1",
            "/billing_details/email generic/email",
            "/billing_details/name generic/person-name",
            "/payment_method_details/card/fingerprint stripe/card-fingerprint",
            "/receipt_url stripe/url-credential",
        ]
    );
    assert_eq!(redacted(Profile::Strict, json).len(), 12);
}

#[test]
fn old_values_in_events_are_redacted_like_the_object() {
    let json = r#"{"id": "evt_1MqqbKLt4dXK03v5qaIbiNCC", "object": "event", "data": {
        "object": {"id": "cus_NffrFeUfNV2Hib", "object": "customer", "name": "Jenny Rosen"},
        "previous_attributes": {"name": "Jenny Doe"}}}"#;
    assert_eq!(
        redacted(Profile::Balanced, json),
        ["/data/object/name stripe/person-name", "/data/previous_attributes/name stripe/person-name"]
    );
    assert_eq!(
        redacted(Profile::Balanced, &json.replace("\"customer\"", "\"product\"").replace("cus_", "prod_")),
        [""; 0]
    );
}

#[test]
fn lists_are_transparent() {
    let json = r#"{"object": "customer", "tax_ids": {"object": "list", "data": [{"value": "DE000000000"}]}}"#;
    assert_eq!(redacted(Profile::Balanced, json), ["/tax_ids/data/0/value stripe/tax-id"]);
}

#[test]
fn products_prices_and_forms_keep_their_names() {
    for json in [
        r#"{"object": "product", "name": "Rocket", "description": "flies", "url": "https://example.com"}"#,
        r#"{"object": "coupon", "name": "SPRING"}"#,
        r#"{"object": "invoice", "number": "A-1", "custom_fields": [{"name": "Order"}]}"#,
        r#"{"object": "checkout.session", "custom_text": {"shipping_address": {"message": "Where to?"}}}"#,
        r#"{"object": "tax_rate", "country": "US", "state": "CA", "display_name": "Sales tax"}"#,
    ] {
        assert_eq!(redacted(Profile::Balanced, json), [""; 0], "{json}");
    }
}

#[test]
fn identifiers_show_types() {
    let fields = fields(Profile::Balanced);
    assert_eq!(fields.type_of_id(b"cus_NffrFeUfNV2Hib"), Some(fields.object_type(b"customer")));
    assert_eq!(fields.type_of_id(b"price_1MoBy5LkdIwHu7ixZhnattbh"), Some(ObjectType::UNKNOWN));
    assert!(fields.is_object_id(b"pi_3MtwBwLkdIwHu7ix28a3tqPa"));
    assert!(fields.is_object_id(format!("cs_test_a1{}", "b".repeat(56)).as_bytes()));
    assert!(!fields.is_object_id(b"pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_example"));
    assert!(!fields.is_object_id(b"sub_12025550143000"));
}

#[test]
fn what_only_says_which_pack_it_is_is_not_waited_for() {
    let fields = fields(Profile::Balanced);
    let around = fields.container(b"billing_address", fields.name(b"billing_address"));
    let place = Place { parent: around.mask(), ..Place::default() };
    let verdict = fields.verdict(fields.name(b"city"), &place);
    let Verdict::Redact(class) = verdict else { panic!("{verdict:?}") };
    assert_eq!(fields.class(class).rule_id, "generic/postal-address");
    // Whether a bank's number stays is worth waiting for.
    assert_eq!(fields.verdict(fields.name(b"routing_number"), &place), Verdict::Undecided);
}
