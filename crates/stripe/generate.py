#!/usr/bin/env python3
"""Writes rules/stripe.toml from the facts about Stripe's objects.

    generate.py FACTS_FOLDER [OUTPUT]

The folder holds compact_rules.json (which names hold what, and where), pii_fields.json (every labelled field, for
the object types and for places of ambiguous names) and id_prefixes.json. The output depends on nothing else.
"""
import json
import sys
from pathlib import Path

VERSION = "0.1.0"
REDACT, SCAN = "redact", "scan"

# Class of the facts -> our id, category, action of the balanced profile, whether numbers count, description, sample.
CLASSES = {
    "person_name": ("person-name", "person-name", REDACT, False, "name of a person", "Jenny Rosen"),
    "business_name": ("business-name", "business-name", SCAN, False, "name of a business", "Rocket Rides"),
    "email": ("email", "email", REDACT, False, "e-mail address", "jenny@example.com"),
    "phone": ("phone", "phone", REDACT, True, "telephone number", "+12025550143"),
    "address_line1": ("address-line1", "postal-address", REDACT, False, "street line of an address", "1 Main Street"),
    "address_line2": ("address-line2", "postal-address", REDACT, False, "second line of an address", "Suite 2"),
    "address_city": ("address-city", "postal-address", REDACT, False, "city of an address", "Anytown"),
    "address_state": ("address-state", "postal-address", REDACT, False, "state of an address", "CA"),
    "address_postal_code": ("address-postal-code", "postal-address", REDACT, True, "postal code", "94111"),
    "address_country": ("address-country", "postal-address", SCAN, False, "country of an address", "US"),
    "address_other": ("address-other", "postal-address", REDACT, False, "another part of an address", "Anytown"),
    "address_full": ("address-full", "postal-address", REDACT, False, "whole address", "1 Main Street, Anytown"),
    "date_of_birth": ("date-of-birth", "date-of-birth", REDACT, True, "part of a date of birth", "1"),
    "card_number": ("card-number", "card-number", REDACT, True, "card number", "4242424242424242"),
    "cvc": ("card-cvc", "card-cvc", REDACT, True, "card verification code", "123"),
    "card_bin": ("card-bin", "card-number", REDACT, True, "issuer part of a card number", "424242"),
    "card_expiry": ("card-expiry", "card-expiry", SCAN, True, "expiry date of a card", "12"),
    "card_last4": ("card-last4", "card-last4", SCAN, True, "last digits of a card number", "4242"),
    "card_fingerprint": ("card-fingerprint", "card-fingerprint", REDACT, False, "fingerprint of an instrument", "Example"),
    "bank_account": ("bank-account", "bank-account", REDACT, True, "bank account number", "000123456789"),
    "bank_last4": ("bank-last4", "card-last4", SCAN, True, "last digits of an account number", "6789"),
    "bank_account_label": ("bank-account-label", "other-personal", SCAN, False, "label of a bank account", "Savings"),
    "routing_number": ("bank-routing", "bank-routing", SCAN, True, "number of a bank or branch", "110000000"),
    "sort_code": ("sort-code", "bank-routing", SCAN, True, "British sort code", "108800"),
    "bic": ("bic", "bank-routing", SCAN, False, "business identifier code of a bank", "DEUTDEFF"),
    "iban": ("iban", "iban", REDACT, False, "international bank account number", "DE89370400440532013000"),
    "government_id": ("government-id", "government-id", REDACT, True, "identity number given by a state", "000000000"),
    "tax_id": ("tax-id", "tax-id", REDACT, True, "tax or company number", "DE000000000"),
    "ip_address": ("ip-address", "ip-address", REDACT, False, "IP address", "203.0.113.7"),
    "url_with_token": ("url-credential", "url-credential", REDACT, False, "link that opens something to its bearer",
                       "https://example.com/open"),
    "client_secret": ("client-secret", "url-credential", REDACT, False, "secret that opens one payment to its bearer",
                      "example"),
    "secret": ("secret", "secret", REDACT, False, "secret, key or password", "example"),
    "header_value": ("header-value", "secret", SCAN, False, "value of a forwarded header", "example"),
    "payment_token": ("payment-token", "secret", REDACT, False, "token or cryptogram of a payment", "example"),
    "payment_handle": ("payment-handle", "other-personal", REDACT, False, "account with another payment service", "example"),
    "other_personal_id": ("personal-id", "other-personal", REDACT, True, "number of a person with someone else", "example"),
    "demographic": ("demographic", "other-personal", REDACT, False, "origin, sex and the like", "example"),
    "device_or_session": ("device", "device-id", REDACT, False, "device, browser or session", "example"),
    "geo_location": ("geo-location", "location", REDACT, True, "where a person or device is", "Anytown"),
    "free_text": ("free-text", "other-personal", SCAN, False, "text that people write", "some text"),
    "free_text_any": ("event-changes", "other-personal", SCAN, False, "old values in an event", "some text"),
    "free_text_descriptor": ("statement-descriptor", "other-personal", SCAN, False, "text on a bank statement", "ROCKET"),
    "free_text_error": ("error-message", "other-personal", SCAN, False, "message that may repeat input", "some text"),
    "free_text_metadata": ("metadata", "other-personal", SCAN, False, "values that the merchant attached", "some text"),
    "free_text_query": ("search-query", "other-personal", SCAN, False, "search that may hold personal values", "some text"),
    "signature_image_document": ("document", "other-personal", SCAN, False, "file or image of a document", "example"),
}
FINER = {"bic": "bic", "swift_code": "bic", "sort_code": "sort_code", "sender_sort_code": "sort_code"}

# Patterns of the facts -> exact names, suffixes, parts.
PATTERNS = {
    "(^|_)(address|addresses)(_kana|_kanji)?$|^(kana|kanji|principal_place_of_business)$":
        (["kana", "kanji", "principal_place_of_business"], ["address", "addresses", "address_kana", "address_kanji"], []),
    "qr_code": ([], [], ["qr_code"]),
    "error": ([], [], ["error"]),
    "card|^(interac_present|three_d_secure|device|wallet|apple_pay|google_pay|samsung_pay|masterpass|visa_checkout|link)$":
        (["apple_pay", "device", "google_pay", "interac_present", "link", "masterpass", "samsung_pay", "three_d_secure",
          "visa_checkout", "wallet"], [], ["card"]),
}

# Names too common elsewhere: they count only where the labelled fields stand.
BY_PLACE = {
    "account_id", "address", "driver_id", "package", "pdf", "race", "registration_number", "sign", "town",
    "transaction_hash", "unspecified_id", "user_id", "username", "vat",
}
# Names that count only in Stripe's own documents, besides those that the facts list.
SCOPED = {
    "additional", "changes", "plain_text", "query", "receipt", "sql", "subject", "additional_documentation",
    "memo", "cancellation_policy", "refund_policy", "descriptor",
}
# Facts label this as a name; what stands there is mostly an e-mail address.
OTHER_CLASS = {"created_by": "email"}
# Most headers hold no secret, and those that do show it to the detectors.
OTHER_CLASS_BELOW = {"headers": "header_value"}
# A bank's number says nothing of a person where Stripe puts it; elsewhere it is often the only sign of an account.
BY_PLACE_CLASSES = {"routing_number", "sort_code", "bic"}
# What Stripe writes for accounts that exist in test mode only.
TEST_PREFIXES = [("test_", [12, 14, 24, 32], None)]

ENVELOPES = {"list", "search_result", "event", "v2.core.event"}
SECRET_PREFIXES = {"ac_"}

# Members that hold links to content in messages and search results.
CONTENT = ["annotations", "citations", "document", "file", "image", "image_url", "images", "links", "results",
           "search_results", "source", "sources", "url_citation", "video_url"]

# Documents in which a rule must not hold, where the common ones do not show it.
NON_EXAMPLES = {
    "postal-code": ['{"object":"charge","location":{"postal_code":"94111"}}'],
    "city": ['{"object":"charge","merchant_data":{"city":"Anytown"}}'],
    "description": ['{"object":"product","description":"some text"}'],
    "description-left-of-product": ['{"object":"customer","description":"some text"}'],
    "description-left-under-card": ['{"object":"invoice","lines":{"description":"some text"}}'],
    "city-left-under-merchant-data": ['{"object":"customer","address":{"city":"Anytown"}}'],
    "message-left-below-custom-text": ['{"error":{"message":"some text"}}'],
    "url-left-under-annotations": ['{"object":"file_link","url":"https://example.com/open"}'],
    "last4": ['{"object":"card","last4":"4242"}'],
}


def text(value):
    return "'" + value + "'" if '"' in value else '"' + value + '"'


def array(values):
    return "[" + ", ".join(text(value) for value in values) + "]"


def wrapped(setting, values, lines):
    """An array of strings; over several lines if it is long."""
    line = f"{setting} = {array(values)}"
    if len(line) <= 110:
        lines.append(line)
        return
    lines.append(f"{setting} = [")
    row = "   "
    for value in values:
        item = f" {text(value)},"
        if len(row) + len(item) > 110:
            lines.append(row)
            row = "   "
        row += item
    lines += [row, "]"]


def document(value):
    return json.dumps(value, separators=(",", ":"))


class Rule:
    """A contextual rule of the facts in our terms."""

    def __init__(self, names, label, parents=(), suffixes=(), parts=(), objects=(), nearest=(), ancestors=(),
                 scoped=False, untyped=False):
        self.names, self.label = list(names), label
        self.parents, self.suffixes, self.parts = list(parents), list(suffixes), list(parts)
        self.objects, self.nearest, self.ancestors = list(objects), list(nearest), list(ancestors)
        self.untyped = untyped
        # An object's own type shows whose document it is.
        self.scoped = scoped and not objects and not nearest

    def id(self):
        left = "-left" if self.label is None else ""
        place = ""
        for word, values in (("of", self.objects), ("under", self.parents), ("under", self.suffixes),
                             ("under", self.parts), ("below", self.ancestors)):
            if values:
                place = f"-{word}-{values[0]}"
                break
        return (self.names[0] + left + place).replace("_", "-").replace(".", "-")

    def example(self):
        sample = CLASSES[self.label or "free_text"][5]
        inner = {self.names[0]: sample}
        if self.objects:
            return {"object": self.objects[0], **inner}
        parent = (self.parents + self.suffixes + self.parts + self.ancestors)[:1]
        root = {"object": self.nearest[0] if self.nearest else "charge"}
        return {**root, **({parent[0]: inner} if parent else inner)}

    def non_examples(self):
        sample = CLASSES[self.label or "free_text"][5]
        return [document({"object": "product", "elsewhere": {self.names[0]: sample}})]

    def lines(self, taken):
        name = self.id()
        while name in taken:
            name += "-too"
        taken.add(name)
        lines = ["[[rule]]", f'id = "{name}"']
        wrapped("names", self.names, lines)
        lines.append("leave = true" if self.label is None else f'class = "{CLASSES[self.label][0]}"')
        if self.untyped:
            lines += ["first = true", "untyped = true"]
        for setting, values in (("parents", self.parents), ("parent_suffixes", self.suffixes),
                                ("parent_contains", self.parts), ("objects", self.objects),
                                ("nearest", self.nearest), ("ancestors", self.ancestors)):
            if values:
                wrapped(setting, values, lines)
        if self.scoped:
            lines.append('scope = "stripe"')
        wrapped("examples", [document(self.example())], lines)
        wrapped("non_examples", NON_EXAMPLES.get(name) or self.non_examples(), lines)
        return lines


def rule_from(fact, generic):
    names = fact.get("keys") or [fact["key"]]
    label = OTHER_CLASS.get(names[0], fact["class"]) if fact["class"] else None
    for parent in fact.get("parent", []):
        label = OTHER_CLASS_BELOW.get(parent, label)
    exact, suffixes, parts = PATTERNS[fact["parent_re"]] if "parent_re" in fact else ([], [], [])
    return Rule(names, label, fact.get("parent", []) + exact, suffixes, parts, fact.get("root_of", []),
                fact.get("in_object", []), fact.get("anc", []), any(name in generic for name in names))


def rules_by_place(fields, labels):
    """Rules for names that count only where the labelled fields stand."""
    for name in sorted(BY_PLACE):
        parents, objects = set(), set()
        for field in fields:
            if field["key"] != name:
                continue
            path = field["path"].replace("[]", "").split(".")
            (parents if len(path) > 1 else objects).add(path[-2] if len(path) > 1 else field["object"])
        if objects:
            yield Rule([name], labels[name], objects=sorted(objects))
        if parents:
            yield Rule([name], labels[name], parents=sorted(parents))


def rules_by_place_of_class(fields, labels):
    """Rules for whole classes that count only where the labelled fields stand; one set of places for all."""
    parents, objects = set(), set()
    for field in fields:
        if labels.get(field["key"]) in BY_PLACE_CLASSES:
            path = field["path"].replace("[]", "").split(".")
            (parents if len(path) > 1 else objects).add(path[-2] if len(path) > 1 else field["object"])
    for label in sorted(BY_PLACE_CLASSES):
        names = sorted(name for name, value in labels.items() if value == label)
        yield Rule(names, label, parents=sorted(parents))
        yield Rule(names, label, objects=sorted(objects))


def rules(compact, fields, labels):
    generic = set(compact["generic_keys_scope_to_stripe"])
    yield from rules_by_place(fields, labels)
    yield from rules_by_place_of_class(fields, labels)
    for fact in compact["request_only"]:
        if "parent" in fact:
            yield rule_from(fact, set())
    yield Rule(["recipient"], "email", parents=["email"])
    # Links to content: their objects never tell a type, so that nothing else would settle the question early.
    yield Rule(["url"], None, parents=CONTENT, untyped=True)
    # The texts around a form's address are not the address.
    yield Rule(["message"], None, ancestors=["custom_text"])
    for fact in compact["contextual"]:
        # Error bodies hold no object type and no identifier that shows whose they are.
        yield rule_from(fact, generic - {"message"})


def plain_names(compact):
    """Name -> class for names that need no context."""
    labels = {}
    for label, names in compact["unconditional"].items():
        for name in names:
            labels[name] = FINER.get(name, label)
    for fact in compact["request_only"]:
        if "parent" not in fact:
            for name in fact.get("keys") or [fact["key"]]:
                labels.setdefault(name, fact["class"])
    labels["wallet_address"] = "payment_handle"
    labels["client_secret"] = "client_secret"
    for name in ("plain_text", "subject"):
        labels[name] = "free_text"
    return labels


def object_types(compact, pii, ids):
    types = set(ENVELOPES)
    types.update(name for name in pii["per_object"] if not name.startswith("("))
    for name in pii["keys"].values():
        places = name.get("sensitive_root_of", []) + name.get("harmless_root_of", [])
        types.update(place for place in places if "(" not in place)
    for fact in compact["contextual"]:
        types.update(fact.get("root_of", []) + fact.get("in_object", []))
    types.update(name for _, _, name in ids if name)
    return sorted(types)


def identifiers(facts):
    """Prefix, lengths of the body, object type or nothing."""
    found = {}
    for fact in facts["prefixes"]:
        if fact["prefix"] in SECRET_PREFIXES:
            continue
        lengths = set(fact["body_lengths"])
        if fact["format"] in ("A", "B"):
            # Older objects of most types have the short form.
            lengths |= {14, 24}
        objects = [name for name in fact["objects"] if not name.startswith("(")]
        kind = objects[0].split(" (")[0] if len(objects) == 1 else None
        forms = [fact["prefix"]]
        if "{mode}" in fact["prefix"]:
            forms = [fact["prefix"].replace("{mode}_", mode) for mode in ("", "test_", "live_")]
        for prefix in forms:
            known = found.setdefault(prefix, (set(), kind))
            known[0].update(lengths)
    return [(prefix, sorted(lengths), kind) for prefix, (lengths, kind) in sorted(found.items())]


def class_lines(label, labels):
    name, category, balanced, numbers, description, sample = CLASSES[label]
    lines = ["[[class]]", f'id = "{name}"', f'category = "{category}"', f'balanced = "{balanced}"', 'strict = "redact"']
    if numbers:
        lines.append("numbers = true")
    lines.append(f'description = "{description}"')
    plain = sorted(member for member, value in labels.items() if value == label and member not in BY_PLACE)
    if label in BY_PLACE_CLASSES:
        plain = []
    if plain:
        wrapped("examples", [document({"object": "charge", plain[0]: sample})], lines)
        wrapped("non_examples", [document({"object": "charge", "status": sample})], lines)
    return lines


def generate(folder):
    load = lambda name: json.loads((folder / name).read_text(encoding="utf-8"))
    compact, pii, ids = load("compact_rules.json"), load("pii_fields.json"), identifiers(load("id_prefixes.json"))
    labels = plain_names(compact)
    scoped = set(compact["generic_keys_scope_to_stripe"]) | SCOPED
    blocks = [[
        "# Generated by generate.py from compact_rules.json, pii_fields.json and id_prefixes.json; do not edit.",
        "#",
        "# The form of rule files is described in the README of obelus-fields.",
        "",
        "[pack]", 'name = "stripe"', f'version = "{VERSION}"',
        'description = "Names of members in the objects, events and requests of the Stripe API"',
        'source = "Stripe API 2026-10-28, fields labelled by hand"',
    ]]
    blocks += [class_lines(label, labels) for label in CLASSES]
    for label in CLASSES:
        names = {name for name, value in labels.items() if value == label} - BY_PLACE
        if label in BY_PLACE_CLASSES:
            continue
        for part, scope in ((names - scoped, []), (names & scoped, ['scope = "stripe"'])):
            if part:
                lines = ["[[names]]", f'class = "{CLASSES[label][0]}"']
                wrapped("names", sorted(part), lines)
                blocks.append(lines + scope)
    taken = set()
    blocks += [rule.lines(taken) for rule in rules(compact, pii["fields"], labels)]
    blocks.append(["[[subtree]]", 'name = "metadata"', f'class = "{CLASSES["free_text_metadata"][0]}"'])
    blocks.append(["[[subtree]]", 'name = "changes"', f'class = "{CLASSES["free_text_any"][0]}"'])
    blocks.append(["[[subtree]]", 'name = "previous_attributes"', 'like = "object"'])
    for name in object_types(compact, pii, ids):
        lines = ["[[object]]", f'type = "{name}"']
        prefixes = [prefix for prefix, _, kind in ids if kind == name]
        if prefixes:
            wrapped("ids", prefixes, lines)
        blocks.append(lines + (["envelope = true"] if name in ENVELOPES else []))
    blocks += [["[[id]]", f'prefix = "{prefix}"', f"lengths = {lengths}"] for prefix, lengths, _ in ids + TEST_PREFIXES]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    output = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent / "rules" / "stripe.toml"
    output.write_text(generate(Path(sys.argv[1])), encoding="utf-8")


if __name__ == "__main__":
    main()
