"""What both suites share: planted values, what the provider saw, the list of checks."""

import json
import os
import re
import sys
import traceback
import urllib.request

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
ADMIN = os.environ["STUB_ADMIN"]
# In mode `direct` there is nothing between SDK and provider: values arrive, nothing is redacted.
DIRECT = os.environ["MODE"] == "direct"

EMAIL = "jenny@example.com"
CARD = "4242 4242 4242 4242"
SSN = "078-05-1120"
# Shaped like a key, put together here so that no scanner takes it for one.
SECRET = "_".join(["sk", "test", "4eC39Hq" + "LyjWDarjt" + "T1zdp7dc"])
PLANTED = [EMAIL, CARD, CARD.replace(" ", ""), SSN, SECRET]

# The e-mail address stands first: it is `$1` for the provider's script, as a value and as a token.
TEXT = f"Please write to {EMAIL} about the card {CARD} and the SSN {SSN}."
ECHO = f"You wrote: {TEXT}"
# What the provider says of itself with `[[invent:card]]`.
INVENTED = "5555 5555 5555 4444"
TIMEOUT_SECONDS = 20

_checks = []


def check(function):
    """Adds a check to the suite. Its name says what is true if it passes."""
    _checks.append(function)
    return function


def admin(method, path):
    request = urllib.request.Request(ADMIN + path, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def seen():
    """The requests that the provider saw since the check began."""
    return admin("GET", "/seen")


def release():
    """Lets the stream go on that waits at `[[hold:N]]`."""
    admin("POST", "/release")


def same(got, wanted, what="text"):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def arguments(got, name, value):
    """Arguments that name an e-mail address: `open_mail` may have the value, other tools get its token."""
    if DIRECT or name == "open_mail":
        same(got, value, f"arguments of {name}")
        return
    (token,) = got.values()
    assert token.startswith("obl_email_"), f"arguments of {name} keep no token: {got!r}"


def status_error(kind, status, call, *words):
    """The call fails with the SDK's own exception, which says what is wrong."""
    try:
        call()
    except kind as error:
        same(error.status_code, status, "status")
        missing = [word for word in words if word.lower() not in str(error).lower()]
        assert not missing, f"the message says nothing of {missing}: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def begins(got, whole):
    """What came before a stream broke: the beginning of the text. Of a token that was cut a piece may be left."""
    got = re.sub(r"o(b(l(_[a-z_]*)?)?)?$", "", got)
    assert got and whole.startswith(got), f"{got!r} does not begin {whole!r}"


def broke_off(error, kind, end):
    """A stream ended with an error: the provider's own event, or a connection that broke.

    The latter reaches SDKs as they see connections break, which is not always an exception of theirs; with the
    sidecar between, it is an error event."""
    assert isinstance(error, kind) or (DIRECT and end == "[[reset]]"), f"{end}: {type(error).__name__}: {error}"
    if end == "[[reset]]" and not DIRECT:
        assert "upstream" in str(error), f"{end}: {error}"


def _nothing_leaked():
    requests = seen()
    if not DIRECT:
        for request in requests:
            said = json.dumps([request["path"], request["headers"]]) + (request["body"] or "")
            planted = [value for value in PLANTED if value in said]
            assert not planted, f"the provider saw {planted} at {request['path']}"
            assert API_KEY not in said, "the provider saw the client's key"
    return requests


def run(name):
    passed = failed = 0
    for function in _checks:
        admin("POST", "/forget")
        try:
            function()
            _nothing_leaked()
            passed += 1
            print(f"ok     {name} {function.__name__}")
        except Exception as error:  # Whatever goes wrong is the failure of this check.
            failed += 1
            print(f"FAILED {name} {function.__name__}: {type(error).__name__}: {error}")
            places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith("_suite.py")]
            print(f"       at {os.path.basename(places[-1].filename)}:{places[-1].lineno}")
    print(f"suite: {passed} passed, {failed} failed", flush=True)
    sys.exit(failed > 0)
