"""Stripe's library for Python against the gate: reads, and a refund that waits for people.

    rest.py URL

Says on standard output what it hears, one JSON text a line.
"""

import json
import os
import sys

import stripe


def say(what):
    print(json.dumps(what), flush=True)


client = stripe.StripeClient(
    os.environ["OBELUS_KEY"], base_addresses={"api": sys.argv[1]}, max_network_retries=0
)
say([customer.email for customer in client.v1.customers.list().data])
refund = {"payment_intent": "pi_x", "amount": 500}
first = client.v1.refunds.create(refund)
say({"object": first["object"], "status": first["status"]})
# Whoever started this approves, and says so.
sys.stdin.readline()
for _ in range(2):
    refunded = client.v1.refunds.create(refund)
    say({"object": refunded["object"], "id": refunded["id"]})
try:
    client.v1.payouts.create({"amount": 5, "currency": "usd"})
except stripe.StripeError as error:
    say({"status": error.http_status, "code": error.json_body["error"]["code"]})
