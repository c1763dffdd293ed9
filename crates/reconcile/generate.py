#!/usr/bin/env python3
"""Writes data/events.json, which operations of Stripe cause which events, from the facts about them.

    generate.py FACTS_FOLDER           writes data/events.json
    generate.py FACTS_FOLDER --check   exits with 1 if data/events.json is not what would be written

The folder holds events.json. The output depends on nothing else.
"""
import json
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent / "data" / "events.json"

# The member of the event's object that says how much money the call was about. Events that tell a running total, such
# as charge.refunded, and objects whose amount is more than what was asked for, such as invoices, are not compared.
AMOUNTS = {
    "application_fee.refund.updated": "amount",
    "charge.captured": "amount_captured",
    "charge.failed": "amount",
    "charge.pending": "amount",
    "charge.refund.updated": "amount",
    "charge.succeeded": "amount",
    "payment_intent.created": "amount",
    "payment_intent.succeeded": "amount_received",
    "payout.created": "amount",
    "refund.created": "amount",
    "refund.failed": "amount",
    "refund.updated": "amount",
    "topup.created": "amount",
    "transfer.created": "amount",
    "treasury.inbound_transfer.created": "amount",
    "treasury.outbound_payment.created": "amount",
    "treasury.outbound_transfer.created": "amount",
}


def main():
    folder = Path(sys.argv[1])
    facts = json.loads((folder / "events.json").read_text())
    types = {entry["type"]: entry["object"] for entry in facts["types"]}
    operations = {}
    for row in facts["operations"]:
        causes = {
            "main": row["main"],
            "cascade": row["cascade_same_request"],
            "later": row["later_automatic"],
        }
        for name in [name for names in causes.values() for name in names] + list(AMOUNTS):
            assert name in types, name
        operations[row["operation_id"]] = {key: sorted(set(names)) for key, names in causes.items() if names}
    lines = ['{"types":{']
    lines += [",\n".join(f"{json.dumps(name)}:{json.dumps(types[name])}" for name in sorted(types))]
    lines += ['},"amounts":{']
    lines += [",\n".join(f"{json.dumps(name)}:{json.dumps(field)}" for name, field in sorted(AMOUNTS.items()))]
    lines += ['},"operations":{']
    rows = (f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in sorted(operations.items()))
    lines += [",\n".join(rows)]
    text = "\n".join(lines) + "\n}}\n"
    json.loads(text)
    if "--check" in sys.argv[2:]:
        if OUTPUT.read_text() != text:
            sys.exit(f"{OUTPUT.name} is not what {Path(__file__).name} writes: run it")
        return
    OUTPUT.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
