"""The openai package against the sidecar, or in mode `direct` against the provider."""

import json

import openai
from checks import (
    API_KEY, BASE_URL, CARD, DIRECT, ECHO, EMAIL, INVENTED, SECRET, SSN, TEXT, TIMEOUT_SECONDS,
    arguments, begins, broke_off, check, release, run, same, seen, status_error,
)

MODEL = "stub-small"
OPTIONS = {"base_url": BASE_URL + "/v1", "max_retries": 0, "timeout": TIMEOUT_SECONDS}
client = openai.OpenAI(api_key=API_KEY, **OPTIONS)

TOOLS = ["open_mail", "keep_mail"]
CALLS = '[[tool:open_mail {"to":"$1"}]][[tool:keep_mail {"to":"$1"}]]'
CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"Writes to people like {EMAIL}",
     "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}}
    for name in TOOLS
]
RESPONSE_TOOLS = [{"type": "function", "strict": False, **tool["function"]} for tool in CHAT_TOOLS]


def user(text):
    return [{"role": "user", "content": text}]


def chat(text, **more):
    return client.chat.completions.create(model=MODEL, messages=user(text), **more)


def deltas(stream, index=0):
    return [choice.delta.content for chunk in stream for choice in chunk.choices
            if choice.index == index and choice.delta.content]


@check
def chat_comes_back_with_real_values():
    answer = chat(TEXT)
    same(answer.choices[0].message.content, ECHO)
    same(answer.choices[0].finish_reason, "stop")
    same(answer.model, MODEL)
    assert answer.id.startswith("chatcmpl-") and answer.usage.total_tokens > 0
    same(len(seen()), 1, "requests")


@check
def chat_streams_in_order():
    pieces = deltas(chat(TEXT, stream=True, stream_options={"include_usage": True}))
    same("".join(pieces), ECHO)
    assert len(pieces) > 5, f"the answer came in {len(pieces)} deltas"


@check
def chat_deltas_do_not_wait_for_the_end():
    text = ""
    for chunk in chat(TEXT + " [[hold:16]]", stream=True):
        delta = chunk.choices[0].delta.content
        if delta and not text:
            # The provider goes on only now: whoever waits for its end never sees this delta.
            release()
        text += delta or ""
    same(text, ECHO)


@check
def chat_split_at_every_character_and_byte():
    for cut in ["[[delta:1]]", "[[bytes:1]]", "[[delta:1]][[bytes:3]]", "[[bytes:64]]"]:
        same("".join(deltas(chat(TEXT + cut, stream=True))), ECHO, cut)


@check
def chat_choices_do_not_mix():
    answer = chat(TEXT, n=2)
    same([choice.message.content for choice in answer.choices], [ECHO, f"Choice 2: {ECHO}"])
    chunks = list(chat(TEXT, n=2, stream=True))
    same("".join(deltas(chunks, 0)), ECHO)
    same("".join(deltas(chunks, 1)), f"Choice 2: {ECHO}")
    order = [choice.index for chunk in chunks for choice in chunk.choices]
    assert order != sorted(order), "the choices did not take turns"


@check
def chat_parallel_tool_calls():
    message = chat(TEXT + CALLS, tools=CHAT_TOOLS).choices[0].message
    same([call.function.name for call in message.tool_calls], TOOLS)
    for call in message.tool_calls:
        arguments(json.loads(call.function.arguments), call.function.name, {"to": EMAIL})


@check
def chat_parallel_tool_calls_streamed():
    names, texts, ids = {}, {}, {}
    for chunk in chat(TEXT + CALLS + "[[delta:2]]", tools=CHAT_TOOLS, stream=True):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                if call.id:
                    ids[call.index], names[call.index] = call.id, call.function.name
                texts[call.index] = texts.get(call.index, "") + (call.function.arguments or "")
    same(list(names.values()), TOOLS)
    same(len(set(ids.values())), 2, "ids")
    for index, name in names.items():
        arguments(json.loads(texts[index]), name, {"to": EMAIL})


@check
def chat_stream_helper_gathers_text_and_tools():
    with client.chat.completions.stream(
        model=MODEL, messages=user(TEXT + "[[say:To $1]]" + CALLS), tools=CHAT_TOOLS
    ) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    same(message.content, f"To {EMAIL}")
    for call in message.tool_calls:
        arguments(json.loads(call.function.arguments), call.function.name, {"to": EMAIL})
    assert {"content.delta", "content.done", "tool_calls.function.arguments.done"} <= kinds, kinds


@check
def chat_tool_results_go_back():
    first = chat(TEXT + CALLS, tools=CHAT_TOOLS).choices[0].message
    messages = user(TEXT) + [first.model_dump(exclude_none=True)]
    for call, result in zip(first.tool_calls, [f"Sent to {EMAIL}", json.dumps({"card": CARD, "ssn": SSN})]):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=CHAT_TOOLS)
    same(answer.choices[0].message.content, f'The tool said: Sent to {EMAIL}\n{{"card": "{CARD}", "ssn": "{SSN}"}}')


@check
def chat_nothing_leaks_from_any_place():
    answer = client.chat.completions.create(
        model=MODEL, user=EMAIL, metadata={"contact": EMAIL, "note": f"card {CARD}"}, tools=CHAT_TOOLS,
        messages=[
            {"role": "developer", "content": f"You help {EMAIL}."},
            {"role": "system", "content": [{"type": "text", "text": f"Key: {SECRET}"}]},
            {"role": "user", "content": [{"type": "text", "text": json.dumps({"a": json.dumps({"b": TEXT})})}]},
            {"role": "assistant", "content": f"Your card is {CARD}."},
            {"role": "user", "content": [{"type": "text", "text": TEXT}]},
        ],
    )
    same(answer.choices[0].message.content, ECHO)


@check
def chat_token_look_alikes_come_back_exactly():
    text = "Keep obl_email_abcdefghijklmnopabcd as it is."
    same(chat(text).choices[0].message.content, f"You wrote: {text}")


@check
def chat_invented_values_are_redacted():
    text = chat(TEXT + " [[invent:card]]").choices[0].message.content
    streamed = "".join(deltas(chat(TEXT + " [[invent:card]][[delta:2]]", stream=True)))
    same(streamed, text)
    assert text.startswith(ECHO), text
    assert (INVENTED in text) == DIRECT, text


@check
def chat_log_probabilities_never_contradict_the_text():
    choice = chat(TEXT, logprobs=True).choices[0]
    same(choice.message.content, ECHO)
    repeated = "".join(item.token for item in (choice.logprobs and choice.logprobs.content) or [])
    assert repeated in (["", ECHO] if not DIRECT else [ECHO]), repeated
    chunks = chat(TEXT, logprobs=True, stream=True)
    tokens = [item.token for chunk in chunks for choice in chunk.choices
              for item in (choice.logprobs and choice.logprobs.content) or []]
    assert "obl_" not in "".join(tokens), tokens


@check
def chat_refusals_are_restored():
    text = TEXT + "[[refusal]]"
    same(chat(text).choices[0].message.refusal, ECHO)
    refusal = [choice.delta.refusal or "" for chunk in chat(text, stream=True) for choice in chunk.choices]
    same("".join(refusal), ECHO)


@check
def responses_come_back_with_real_values():
    answer = client.responses.create(model=MODEL, input=TEXT, instructions=f"Help {EMAIL}")
    same(answer.output_text, ECHO)
    same(answer.instructions, f"Help {EMAIL}")
    same(answer.status, "completed")


@check
def responses_stream_repeats_the_same_text():
    for cut in ["", "[[delta:1]]", "[[bytes:1]]"]:
        events = list(client.responses.create(model=MODEL, input=user(TEXT + cut), stream=True))
        of = {}
        for event in events:
            of.setdefault(event.type, []).append(event)
        same("".join(event.delta for event in of["response.output_text.delta"]), ECHO, "deltas")
        same([event.text for event in of["response.output_text.done"]], [ECHO], "text.done")
        same([event.part.text for event in of["response.content_part.done"]], [ECHO], "part.done")
        same([event.item.content[0].text for event in of["response.output_item.done"]], [ECHO], "item.done")
        same(of["response.completed"][0].response.output_text, ECHO, "completed")
        numbers = [event.sequence_number for event in events]
        same(numbers, sorted(set(numbers)), "sequence numbers")
        assert len(of["response.output_text.delta"]) > 5


@check
def responses_deltas_do_not_wait_for_the_end():
    text = ""
    for event in client.responses.create(model=MODEL, input=TEXT + " [[hold:16]]", stream=True):
        if event.type == "response.output_text.delta":
            if event.delta and not text:
                release()
            text += event.delta
    same(text, ECHO)


@check
def responses_stream_helper_calls_tools_in_parallel():
    with client.responses.stream(model=MODEL, input=TEXT + "[[say:To $1]]" + CALLS, tools=RESPONSE_TOOLS) as stream:
        done = [event for event in stream if event.type == "response.function_call_arguments.done"]
        final = stream.get_final_response()
    same(final.output_text, f"To {EMAIL}")
    calls = [item for item in final.output if item.type == "function_call"]
    same([call.name for call in calls], TOOLS)
    for call, event in zip(calls, done, strict=True):
        same(event.arguments, call.arguments, "arguments.done")
        arguments(json.loads(call.arguments), call.name, {"to": EMAIL})


@check
def responses_tool_results_go_back():
    first = client.responses.create(model=MODEL, input=TEXT + CALLS, tools=RESPONSE_TOOLS)
    items = user(TEXT) + [item.model_dump(exclude_none=True) for item in first.output]
    for call in first.output:
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": f"{EMAIL} has {CARD}"})
    answer = client.responses.create(model=MODEL, input=items, tools=RESPONSE_TOOLS)
    same(answer.output_text, f"The tool said: {EMAIL} has {CARD}\n{EMAIL} has {CARD}")


@check
def responses_sealed_reasoning_comes_back_unchanged():
    more = {"model": MODEL, "store": False, "include": ["reasoning.encrypted_content"]}
    first = client.responses.create(input=TEXT + "[[thinking]]", **more)
    same([item.type for item in first.output], ["reasoning", "message"])
    history = user(TEXT) + [item.model_dump(exclude_none=True) for item in first.output] + user("Thanks")
    # The provider refuses what it did not seal itself.
    same(client.responses.create(input=history, **more).output_text, "You wrote: Thanks")


@check
def responses_invented_values_are_redacted():
    whole = client.responses.create(model=MODEL, input=TEXT + " [[invent:card]]").output_text
    events = list(client.responses.create(model=MODEL, input=TEXT + " [[invent:card]]", stream=True))
    same("".join(event.delta for event in events if event.type == "response.output_text.delta"), whole)
    same(events[-1].response.output_text, whole)
    assert (INVENTED in whole) == DIRECT, whole


@check
def embeddings_have_their_vectors():
    answer = client.embeddings.create(model=MODEL, input=[TEXT, f"Only {EMAIL}"], dimensions=4)
    same([len(item.embedding) for item in answer.data], [4, 4])
    assert answer.data[0].embedding != answer.data[1].embedding
    same(client.embeddings.create(model=MODEL, input=[TEXT], dimensions=4).data[0].embedding, answer.data[0].embedding)


@check
def models_are_listed():
    names = [model.id for model in client.models.list()]
    same(names, ["stub-small", "stub-large"])
    same(client.models.retrieve("stub-large").id, "stub-large")


@check
def a_wrong_key_is_an_authentication_error():
    for key in ["none", API_KEY[:-1] + ("a" if API_KEY[-1] != "a" else "b")]:
        other = openai.OpenAI(api_key=key, **OPTIONS)
        status_error(openai.AuthenticationError, 401, lambda: other.models.list(), "key")
    same(len(seen()), 2 if DIRECT else 0, "requests")


@check
def an_unknown_route_is_not_found():
    status_error(openai.NotFoundError, 404, lambda: client.post("/other", cast_to=object, body={"text": TEXT}))
    status_error(openai.NotFoundError, 404, lambda: client.files.list())
    same(len(seen()), 2 if DIRECT else 0, "requests")


@check
def hosted_tool_servers_are_refused():
    tool = {"type": "mcp", "server_label": "shop", "server_url": "https://mcp.example.com/sse"}

    def call():
        return client.responses.create(model=MODEL, input="Hello", tools=[tool])

    if DIRECT:
        same(call().output_text, "You wrote: Hello")
        return
    status_error(openai.BadRequestError, 400, call, "tool")
    same(seen(), [], "requests")


@check
def the_providers_errors_keep_their_kind():
    for more in [{}, {"stream": True}]:
        status_error(openai.RateLimitError, 429, lambda: chat(TEXT + "[[error:429]]", **more))


@check
def errors_in_a_stream_are_raised():
    for end in ["[[fail]]", "[[reset]]"]:
        got = ""
        try:
            for chunk in chat(TEXT + end, stream=True):
                got += (chunk.choices and chunk.choices[0].delta.content) or ""
        except Exception as error:
            broke_off(error, openai.APIError, end)
        else:
            raise AssertionError(f"{end}: no error after {got!r}")
        begins(got, ECHO)


run("python openai")
