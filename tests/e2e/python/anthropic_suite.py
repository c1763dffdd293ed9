"""The anthropic package against the sidecar, or in mode `direct` against the provider."""

import json

import anthropic
from checks import (
    API_KEY, BASE_URL, CARD, DIRECT, ECHO, EMAIL, INVENTED, SECRET, SSN, TEXT, TIMEOUT_SECONDS,
    arguments, begins, broke_off, check, release, run, same, seen, status_error,
)

MODEL = "stub-small"
OPTIONS = {"base_url": BASE_URL, "max_retries": 0, "timeout": TIMEOUT_SECONDS}
client = anthropic.Anthropic(api_key=API_KEY, **OPTIONS)

TOOL_NAMES = ["open_mail", "keep_mail"]
CALLS = '[[tool:open_mail {"to":"$1"}]][[tool:keep_mail {"to":"$1"}]]'
TOOLS = [
    {"name": name, "description": f"Writes to people like {EMAIL}",
     "input_schema": {"type": "object", "properties": {"to": {"type": "string"}}}}
    for name in TOOL_NAMES
]


def user(text):
    return [{"role": "user", "content": text}]


def ask(text, **more):
    return client.messages.create(model=MODEL, max_tokens=256, messages=user(text), **more)


def texts(message):
    return [block.text for block in message.content if block.type == "text"]


def text_of(stream):
    return "".join(event.delta.text for event in stream
                   if event.type == "content_block_delta" and event.delta.type == "text_delta")


@check
def messages_come_back_with_real_values():
    answer = ask(TEXT)
    same(texts(answer), [ECHO])
    same(answer.stop_reason, "end_turn")
    assert answer.id.startswith("msg_") and answer.usage.input_tokens > 0
    same(len(seen()), 1, "requests")


@check
def messages_of_the_older_version():
    older = anthropic.Anthropic(api_key=API_KEY, default_headers={"anthropic-version": "2023-06-01"}, **OPTIONS)
    answer = older.messages.create(model=MODEL, max_tokens=256, messages=user(TEXT),
                                   extra_body={"temperature": 0.5})
    same(texts(answer), [ECHO])
    versions = [dict(request["headers"])["anthropic-version"] for request in seen()]
    same(versions, ["2023-06-01"], "versions")


@check
def messages_stream_in_order():
    events = list(ask(TEXT, stream=True))
    same(text_of(events), ECHO)
    same([events[0].type, events[-1].type], ["message_start", "message_stop"])
    assert sum(event.type == "content_block_delta" for event in events) > 5


@check
def deltas_do_not_wait_for_the_end():
    text = ""
    with client.messages.stream(model=MODEL, max_tokens=256, messages=user(TEXT + " [[hold:16]]")) as stream:
        for delta in stream.text_stream:
            if delta and not text:
                # The provider goes on only now: whoever waits for its end never sees this delta.
                release()
            text += delta
    same(text, ECHO)


@check
def messages_split_at_every_character_and_byte():
    for cut in ["[[delta:1]]", "[[bytes:1]]", "[[delta:1]][[bytes:3]]", "[[bytes:64]]"]:
        same(text_of(ask(TEXT + cut, stream=True)), ECHO, cut)


@check
def tools_are_called_in_parallel():
    answer = ask(TEXT + "[[say:To $1]]" + CALLS, tools=TOOLS)
    same(texts(answer), [f"To {EMAIL}"])
    calls = [block for block in answer.content if block.type == "tool_use"]
    same([call.name for call in calls], TOOL_NAMES)
    for call in calls:
        arguments(call.input, call.name, {"to": EMAIL})
    same(answer.stop_reason, "tool_use")


@check
def tools_are_called_in_parallel_streamed():
    text = TEXT + "[[say:To $1]]" + CALLS + "[[delta:2]]"
    with client.messages.stream(model=MODEL, max_tokens=256, messages=user(text), tools=TOOLS) as stream:
        answer = stream.get_final_message()
    same(texts(answer), [f"To {EMAIL}"])
    calls = [block for block in answer.content if block.type == "tool_use"]
    same([call.name for call in calls], TOOL_NAMES)
    for call in calls:
        arguments(call.input, call.name, {"to": EMAIL})


@check
def tool_results_go_back():
    first = ask(TEXT + CALLS, tools=TOOLS)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": content} for call, content in zip(
        first.content, [f"Sent to {EMAIL}", [{"type": "text", "text": json.dumps({"card": CARD, "ssn": SSN})}]])]
    messages = user(TEXT) + [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    answer = client.messages.create(model=MODEL, max_tokens=256, messages=messages, tools=TOOLS)
    same(texts(answer), [f'The tool said: Sent to {EMAIL}\n{{"card": "{CARD}", "ssn": "{SSN}"}}'])


def thought(block):
    """Thinking is signed: it stays as the provider wrote it, with tokens."""
    if not DIRECT:
        assert EMAIL not in block.thinking and "obl_email_" in block.thinking, block.thinking
    assert block.signature


@check
def thinking_comes_back_unchanged():
    thinking = {"type": "adaptive"}
    first = ask(TEXT, thinking=thinking)
    same([block.type for block in first.content], ["thinking", "text"])
    thought(first.content[0])
    same(texts(first), [ECHO])
    messages = user(TEXT) + [{"role": "assistant", "content": first.content}] + user("Thanks")
    # The provider refuses thinking that it did not sign.
    answer = client.messages.create(model=MODEL, max_tokens=256, messages=messages)
    same(texts(answer), ["You wrote: Thanks"])


@check
def thinking_streamed_comes_back_unchanged():
    with client.messages.stream(model=MODEL, max_tokens=256, messages=user(TEXT + "[[thinking]]")) as stream:
        first = stream.get_final_message()
    thought(first.content[0])
    same(texts(first), [ECHO])
    messages = user(TEXT) + [{"role": "assistant", "content": first.content}] + user("Thanks")
    answer = client.messages.create(model=MODEL, max_tokens=256, messages=messages)
    same(texts(answer), ["You wrote: Thanks"])


@check
def nothing_leaks_from_any_place():
    document = {"type": "text", "media_type": "text/plain", "data": f"{EMAIL} owns {CARD}"}
    answer = client.messages.create(
        model=MODEL, max_tokens=256, metadata={"user_id": EMAIL}, tools=TOOLS,
        system=[{"type": "text", "text": f"You help {EMAIL}. Key: {SECRET}", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": json.dumps({"a": json.dumps({"b": TEXT})})},
            {"role": "assistant", "content": f"Your card is {CARD}."},
            {"role": "user", "content": [
                {"type": "document", "source": document, "title": f"About {EMAIL}", "context": f"SSN {SSN}"}]},
            {"role": "user", "content": [{"type": "text", "text": TEXT}]},
        ],
    )
    same(texts(answer), [ECHO])


@check
def token_look_alikes_come_back_exactly():
    text = "Keep obl_email_abcdefghijklmnopabcd as it is."
    same(texts(ask(text)), [f"You wrote: {text}"])


@check
def invented_values_are_redacted():
    (text,) = texts(ask(TEXT + " [[invent:card]]"))
    same(text_of(ask(TEXT + " [[invent:card]][[delta:2]]", stream=True)), text)
    assert text.startswith(ECHO), text
    assert (INVENTED in text) == DIRECT, text


@check
def the_same_history_is_the_same_bytes():
    ask(TEXT)
    ask(TEXT)
    first, second = (request["body"] for request in seen())
    same(second, first, "bodies")


@check
def tokens_are_counted():
    count = client.messages.count_tokens(model=MODEL, messages=user(TEXT), system=f"Help {EMAIL}")
    assert count.input_tokens > 0
    same(seen()[0]["path"], "/v1/messages/count_tokens", "path")


@check
def models_are_listed():
    same([model.id for model in client.models.list()], ["stub-small", "stub-large"])
    same(client.models.retrieve("stub-large").display_name, "stub-large")


@check
def a_wrong_key_is_an_authentication_error():
    for key in ["none", API_KEY[:-1] + ("a" if API_KEY[-1] != "a" else "b")]:
        other = anthropic.Anthropic(api_key=key, **OPTIONS)
        status_error(anthropic.AuthenticationError, 401, lambda: other.models.list(), "key")
    same(len(seen()), 2 if DIRECT else 0, "requests")


@check
def an_unknown_route_is_not_found():
    status_error(anthropic.NotFoundError, 404, lambda: client.post("/v1/other", cast_to=object, body={"text": TEXT}))
    status_error(anthropic.NotFoundError, 404, lambda: client.messages.batches.list())
    same(len(seen()), 2 if DIRECT else 0, "requests")


@check
def hosted_tool_servers_are_refused():
    server = {"type": "url", "url": "https://mcp.example.com/sse", "name": "shop"}

    def call():
        return client.beta.messages.create(
            model=MODEL, max_tokens=64, messages=user("Hello"), mcp_servers=[server], betas=["mcp-client-2025-11-20"])

    if DIRECT:
        same(texts(call()), ["You wrote: Hello"])
        return
    status_error(anthropic.BadRequestError, 400, call, "tool")
    same(seen(), [], "requests")


@check
def the_providers_errors_keep_their_kind():
    for more in [{}, {"stream": True}]:
        status_error(anthropic.RateLimitError, 429, lambda: ask(TEXT + "[[error:429]]", **more))


@check
def errors_in_a_stream_are_raised():
    for end in ["[[fail]]", "[[reset]]"]:
        got = ""
        try:
            for event in ask(TEXT + end, stream=True):
                got += text_of([event])
        except Exception as error:
            broke_off(error, anthropic.APIError, end)
        else:
            raise AssertionError(f"{end}: no error after {got!r}")
        begins(got, ECHO)


run("python anthropic")
