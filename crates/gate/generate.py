#!/usr/bin/env python3
"""Writes data/stripe.json, the catalogue of Stripe's operations and tools, from the facts about them.

    generate.py FACTS_FOLDER           writes data/stripe.json
    generate.py FACTS_FOLDER --check   exits with 1 if data/stripe.json is not what would be written

The folder holds stripe_operations.json, mcp_tools.json and id_prefixes.json. The output depends on nothing else.
"""
import json
import re
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent / "data" / "stripe.json"

CLASSES = ["read", "customer_data_read", "other_mutation", "outbound_message", "price_change", "subscription_change",
           "invoice_finalize", "dispute", "refund", "money_movement", "key_or_account_admin"]

# Older ways to the same thing: a path that begins so is read as the other. Text in braces is a parameter.
ALIASES = [
    ("POST", "/v1/charges/{}/refund", "/v1/refunds"),
    ("POST", "/v1/charges/{}/refunds", "/v1/refunds"),
    ("GET", "/v1/charges/{}/refunds", "/v1/refunds"),
    ("GET", "/v1/charges/{}/refunds/{}", "/v1/refunds/{}"),
    ("POST", "/v1/charges/{}/refunds/{}", "/v1/refunds/{}"),
    ("POST", "/v1/application_fees/{}/refund", "/v1/application_fees/{}/refunds"),
    ("*", "/v1/accounts/{}/bank_accounts", "/v1/accounts/{}/external_accounts"),
    ("*", "/v1/accounts/{}/bank_accounts/{}", "/v1/accounts/{}/external_accounts/{}"),
    ("*", "/v1/accounts/{}/people", "/v1/accounts/{}/persons"),
    ("*", "/v1/accounts/{}/people/{}", "/v1/accounts/{}/persons/{}"),
    ("GET", "/v1/balance/history", "/v1/balance_transactions"),
    ("GET", "/v1/balance/history/{}", "/v1/balance_transactions/{}"),
    ("*", "/v1/customers/{}/bank_accounts", "/v1/customers/{}/sources"),
    ("*", "/v1/customers/{}/bank_accounts/{}", "/v1/customers/{}/sources/{}"),
    ("*", "/v1/customers/{}/bank_accounts/{}/verify", "/v1/customers/{}/sources/{}/verify"),
    ("*", "/v1/customers/{}/cards", "/v1/customers/{}/sources"),
    ("*", "/v1/customers/{}/cards/{}", "/v1/customers/{}/sources/{}"),
    ("*", "/v1/customers/{}/subscriptions", "/v1/subscriptions"),
    ("*", "/v1/customers/{}/subscriptions/{}", "/v1/subscriptions/{}"),
    ("*", "/v1/customers/{}/subscriptions/{}/discount", "/v1/subscriptions/{}/discount"),
    ("*", "/v1/link_account_sessions", "/v1/financial_connections/sessions"),
    ("*", "/v1/link_account_sessions/{}", "/v1/financial_connections/sessions/{}"),
    ("*", "/v1/linked_accounts", "/v1/financial_connections/accounts"),
    ("*", "/v1/linked_accounts/{}", "/v1/financial_connections/accounts/{}"),
    ("*", "/v1/linked_accounts/{}/disconnect", "/v1/financial_connections/accounts/{}/disconnect"),
    ("*", "/v1/linked_accounts/{}/owners", "/v1/financial_connections/accounts/{}/owners"),
    ("*", "/v1/linked_accounts/{}/refresh", "/v1/financial_connections/accounts/{}/refresh"),
]


# Classes that the facts give by a rule that goes too far: this changes a query that others run.
CORRECTED = {"PostSigmaSavedQueriesId": "other_mutation"}


def cond(at, test):
    return {"at": at, "is": test}


MAILED = {"not_one_of": ["charge_automatically"]}

# What the facts say in words about arguments -> the fact's name and its conditions: any of the lists, all of a list.
ESCALATIONS = {
    "receipt_email present": ("mails_customer", [[cond("receipt_email", "present")]]),
    "submit == true or submit absent (default true)": ("submits_evidence", [[cond("submit", "on_or_absent")]]),
    "line_items[].price_data present": ("sets_price", [[cond("line_items[].price_data", "present")]]),
    # Who says nothing has the mail sent.
    'email_type == "credit_note"': ("mails_customer", [[cond("email_type", {"not_one_of": ["none"]})]]),
    "refund_amount > 0 || refund/refunds present":
        ("refunds_payment", [[cond("refund_amount", "present")], [cond("refund", "present")], [cond("refunds", "present")]]),
    "coupon/promotion_code present": ("sets_discount", [[cond("coupon", "present")], [cond("promotion_code", "present")]]),
    "balance present": ("changes_balance", [[cond("balance", "present")]]),
    'proration_behavior == "always_invoice" || billing_cycle_anchor == "now" || '
    "payment_behavior in (allow_incomplete,error_if_incomplete)":
        ("charges_now", [[cond("proration_behavior", {"one_of": ["always_invoice"]})],
                         [cond("billing_cycle_anchor", {"one_of": ["now"]})],
                         [cond("payment_behavior", {"one_of": ["allow_incomplete", "error_if_incomplete"]})]]),
    "auto_advance == true": ("finalizes_later", [[cond("auto_advance", "on")]]),
    'auto_advance == true && collection_method == "send_invoice"':
        ("mails_customer", [[cond("auto_advance", "on"), cond("collection_method", MAILED)]]),
    "confirm == true": ("charges_now", [[cond("confirm", "on")]]),
    "active changed": ("changes_sale", [[cond("active", "present")]]),
    "default_price_data present": ("sets_price", [[cond("default_price_data", "present")]]),
    "instructions_email present": ("mails_customer", [[cond("instructions_email", "present")]]),
    "payment_method_data present": ("carries_payment_data", [[cond("payment_method_data", "present")]]),
    "items[].price_data or discounts present":
        ("sets_price", [[cond("items[].price_data", "present")], [cond("discounts", "present")]]),
    "url present": ("diverts_events", [[cond("url", "present")]]),
}

# Amounts of the facts that are none of money that moves: counts, percentages, limits of mandates, what a business earns.
NO_MONEY = re.compile(r"(^|\.)(quantity|value|percent_off|percentage)$|mandate_options|next_billing|amount_details|"
                      r"business_profile|^cart\.")

# Arguments of tools of our own -> the operation's: [] is the one element of a list.
RENAMED = {
    "cancel_subscription": {"subscription": "subscription_exposed_id"},
    "update_subscription": {"subscription": "subscription_exposed_id"},
    "create_payment_link": {"price": "line_items[].price", "quantity": "line_items[].quantity",
                            "redirect_url": "after_completion.redirect.url"},
}
# What the tool's server adds without showing it.
ADDED = {"create_invoice": {"collection_method": "send_invoice"}, "create_coupon": {"currency": "usd"}}


def template(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


def operation_id(method, path):
    segments = [s.strip("{}") for s in path.strip("/").split("/") if s != "v1"]
    words = [word for segment in segments for word in segment.split("_")]
    return method.capitalize() + "".join(word[:1].upper() + word[1:] for word in words)


def escalations(op):
    found = []
    for said in op.get("escalations", []):
        fact, any_of = ESCALATIONS[said["when"]]
        if fact == "mails_customer" and op["operation_id"] == "PostInvoices":
            # On creation the method is what the call says; later it is what the invoice has unless the call says it.
            any_of = [[cond("auto_advance", "on"), cond("collection_method", {"one_of": ["send_invoice"]})]]
        found.append({"class": said["cls"], "fact": fact, "any": any_of})
    if op["kind"] == "mutation":
        mails = [m for m in op.get("message_params", []) if m != "email_type"]
        told = json.dumps([e["any"] for e in found if e["fact"] == "mails_customer"])
        mails = [[cond(m, "present")] for m in mails if f'"{m}"' not in told]
        if mails:
            found.append({"class": "outbound_message", "fact": "mails_customer", "any": mails})
        if op["risk_class"] == "subscription_change" and op["method"] == "POST":
            priced = sorted({p[: p.index("price_data") + 10] for p in op.get("amount_params", []) if "price_data" in p})
            lists = {p[: at + 3] for p in priced for at in range(len(p)) if p.startswith("[].", at)}
            cheaper = [at + name for at in sorted(lists | {""}) for name in ("discounts", "coupon", "promotion_code")]
            sets = [[cond(p, "present")] for p in priced + cheaper]
            found = [e for e in found if e["fact"] != "sets_price"]
            found.append({"class": "price_change", "fact": "sets_price", "any": sets})
    if op["base"] == "files" and op["method"] == "POST":
        # The file comes with a link for whoever has it, as from `POST /v1/file_links`; the facts leave it out.
        linked = [[cond("file_link_data", "present")]]
        found += [{"class": op["risk_class"], "fact": fact, "any": linked} for fact in ("bearer_link", "data_egress")]
    return found


def amounts(op):
    """Where money stands. A price in place can be written with decimals as well, which the facts leave out."""
    found = {p for p in op.get("amount_params", []) if not NO_MONEY.search(p)}
    return sorted(found | {p + "_decimal" for p in found if p.endswith("price_data.unit_amount")})


def personal(op):
    paths = set()
    for said in op.get("pii_params", []):
        # A list that the facts cut short: any argument may be personal.
        paths.add("*" if said.startswith("…") else said.rsplit(":", 1)[0].replace("{}", ""))
    if op["base"] == "files" and op["method"] == "POST":
        # What people call their files, the gate's own word for what a part says.
        paths.add("file.filename")
    return ["*"] if "*" in paths else sorted(paths)


def level_classes(said, canonical):
    """Corrects classes, and gives both names of one thing the stricter class of the two: the order of CLASSES."""
    for op in said:
        op["risk_class"] = CORRECTED.get(op["operation_id"], op["risk_class"])
    for op in said:
        if target := canonical.get((op["method"], target_of(op))):
            strictest = max(op["risk_class"], target["risk_class"], key=CLASSES.index)
            op["risk_class"] = target["risk_class"] = strictest


def target_of(op):
    for method, old, new in ALIASES:
        if template(op["path"]) == old and method in ("*", op["method"]):
            return new
    return None


def operation(op, canonical):
    entry = {
        "id": op["operation_id"] or operation_id(op["method"], op["path"]),
        "method": op["method"],
        "path": op["path"],
        "class": op["risk_class"],
        "object": op["object"],
        "base": None if op["base"] == "api" else op["base"],
        "also": [c for c in op["also"] if c in CLASSES],
        "facts": [f for f in op["also"] if f not in CLASSES and f != "customer_data_if_expanded"],
        "amounts": amounts(op),
        "currencies": sorted(set(op.get("currency_params") or [])),
        "ids": sorted(set(op.get("id_params", []) + op["path_params"])),
        "personal": personal(op),
        "escalations": escalations(op),
    }
    if other := alias(op, canonical):
        # Everything else is the other's.
        entry = {key: entry[key] for key in ("id", "method", "path", "class", "base")} | other
    return {key: value for key, value in entry.items() if value not in (None, [])}


def alias(op, canonical):
    target = canonical.get((op["method"], target_of(op)))
    if target is None:
        return {}
    # The last parameters of both paths mean the same; the first may have become an argument.
    olds, news = op["path_params"], target["path_params"]
    pairs = zip(olds[len(olds) - len(news):], news)
    return {"alias_of": target["operation_id"], "renamed": {o: n for o, n in pairs if o != n} or None}


def tool(said):
    entry = {"name": said["name"], "also_named": said.get("aliases")}
    name, kind, schema = said["name"], said["kind"], said.get("input_schema")
    if kind == "generic":
        entry |= {"by": "operation", "reads": name == "stripe_api_read"}
    elif said["risk_class"] == "by_intent":
        entry |= {"by": "intent", "classes": said["intent_classes"]}
    elif said["risk_class"] == "by_id_prefix":
        entry |= {"by": "id"}
    elif len(said["operations"]) == 1:
        entry |= {"by": "name", "operation": said["operations"][0], "renamed": RENAMED.get(name), "added": ADDED.get(name)}
    else:
        entry |= {"by": "itself", "class": said["risk_class"], "facts": said["also"]}
    if schema is not None:
        remote = said.get("input_schema_remote", {}).get("properties", {})
        top = {a.split(".")[0].split("[")[0] for a in said["id_args"] + said["amount_args"] + said["currency_args"]}
        entry["accepts"] = sorted(set(schema["properties"]) | set(remote) | top)
    return {key: value for key, value in entry.items() if key == "accepts" or value not in (None, [])}


def prefixes(facts, operations):
    """Ids of objects that can be read without reading personal data."""
    classes = {}
    for op in operations:
        if op["method"] == "GET" and op["object"]:
            classes.setdefault(op["object"], set()).add(op["risk_class"])
    harmless = []
    for said in facts["prefixes"]:
        objects = [classes.get(o, {"unknown"}) for o in said["objects"]]
        if not said["holds_personal_data"] and all(c == {"read"} for c in objects):
            harmless.append(said["prefix"].replace("{mode}_", ""))
    return sorted(set(harmless))


def lines(entries):
    return ",\n".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    facts = Path(sys.argv[1])
    said = json.loads((facts / "stripe_operations.json").read_text())["operations"]
    canonical = {(op["method"], template(op["path"])): op for op in said}
    level_classes(said, canonical)
    operations = sorted((operation(op, canonical) for op in said), key=lambda entry: entry["id"])
    tools = [tool(t) for t in json.loads((facts / "mcp_tools.json").read_text())["tools"]]
    ids = prefixes(json.loads((facts / "id_prefixes.json").read_text()), said)
    text = (f'{{"operations":[\n{lines(operations)}\n],"tools":[\n{lines(tools)}\n],'
            f'"harmless_ids":{json.dumps(ids)}}}\n')
    if sys.argv[2:] == ["--check"]:
        if OUTPUT.read_text() != text:
            sys.exit(f"{OUTPUT.name} is not current: run generate.py {sys.argv[1]}")
    else:
        OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
