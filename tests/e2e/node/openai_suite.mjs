// The openai package against the sidecar, or in mode `direct` against the provider.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import {
  API_KEY, BASE_URL, CALLS, CARD, DIRECT, ECHO, EMAIL, INVENTED, SECRET, SSN, TEXT, TIMEOUT_MS, TOOLS,
  breaks, checkArguments, checkBegins, checkBroken, fails, release, run, seen, user,
} from './checks.mjs';

const model = 'stub-small';
const options = { baseURL: `${BASE_URL}/v1`, maxRetries: 0, timeout: TIMEOUT_MS };
const client = new OpenAI({ apiKey: API_KEY, ...options });

const functions = TOOLS.map((name) => ({
  name,
  description: `Writes to people like ${EMAIL}`,
  parameters: { type: 'object', properties: { to: { type: 'string' } } },
}));
const chatTools = functions.map((tool) => ({ type: 'function', function: tool }));
const responseTools = functions.map((tool) => ({ type: 'function', strict: false, ...tool }));

const chat = (text, more = {}) => client.chat.completions.create({ model, messages: user(text), ...more });

async function all(stream) {
  const events = [];
  for await (const event of await stream) {
    events.push(event);
  }
  return events;
}

const deltas = (chunks, index = 0) =>
  chunks
    .flatMap((chunk) => chunk.choices)
    .filter((choice) => choice.index === index && choice.delta.content)
    .map((choice) => choice.delta.content);

run('node openai', {
  async 'chat comes back with real values'() {
    const answer = await chat(TEXT);
    assert.equal(answer.choices[0].message.content, ECHO);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.id.startsWith('chatcmpl-') && answer.usage.total_tokens > 0);
    assert.equal((await seen()).length, 1);
  },

  async 'chat streams in order'() {
    const pieces = deltas(await all(chat(TEXT, { stream: true, stream_options: { include_usage: true } })));
    assert.equal(pieces.join(''), ECHO);
    assert.ok(pieces.length > 5, `the answer came in ${pieces.length} deltas`);
  },

  async 'chat deltas do not wait for the end'() {
    let text = '';
    for await (const chunk of await chat(`${TEXT} [[hold:16]]`, { stream: true })) {
      const delta = chunk.choices[0].delta.content ?? '';
      if (delta && !text) {
        // The provider goes on only now: whoever waits for its end never sees this delta.
        await release();
      }
      text += delta;
    }
    assert.equal(text, ECHO);
  },

  async 'chat split at every character and byte'() {
    for (const cut of ['[[delta:1]]', '[[bytes:1]]', '[[delta:1]][[bytes:3]]', '[[bytes:64]]']) {
      assert.equal(deltas(await all(chat(TEXT + cut, { stream: true }))).join(''), ECHO, cut);
    }
  },

  async 'chat choices do not mix'() {
    const answer = await chat(TEXT, { n: 2 });
    assert.deepEqual(answer.choices.map((choice) => choice.message.content), [ECHO, `Choice 2: ${ECHO}`]);
    const chunks = await all(chat(TEXT, { n: 2, stream: true }));
    assert.equal(deltas(chunks, 0).join(''), ECHO);
    assert.equal(deltas(chunks, 1).join(''), `Choice 2: ${ECHO}`);
    const order = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.index));
    assert.notDeepEqual(order, order.toSorted(), 'the choices did not take turns');
  },

  async 'chat parallel tool calls'() {
    const { message } = (await chat(TEXT + CALLS, { tools: chatTools })).choices[0];
    assert.deepEqual(message.tool_calls.map((call) => call.function.name), TOOLS);
    for (const call of message.tool_calls) {
      checkArguments(JSON.parse(call.function.arguments), call.function.name);
    }
  },

  async 'chat stream helper gathers text and parallel tool calls'() {
    const text = `${TEXT}[[say:To $1]]${CALLS}[[delta:2]]`;
    const stream = client.chat.completions.stream({ model, messages: user(text), tools: chatTools });
    const { message } = (await stream.finalChatCompletion()).choices[0];
    assert.equal(message.content, `To ${EMAIL}`);
    assert.deepEqual(message.tool_calls.map((call) => call.function.name), TOOLS);
    for (const call of message.tool_calls) {
      checkArguments(JSON.parse(call.function.arguments), call.function.name);
    }
  },

  async 'chat tool results go back'() {
    const first = (await chat(TEXT + CALLS, { tools: chatTools })).choices[0].message;
    const results = [`Sent to ${EMAIL}`, JSON.stringify({ card: CARD, ssn: SSN })];
    const messages = [...user(TEXT), first];
    first.tool_calls.forEach((call, at) => messages.push({ role: 'tool', tool_call_id: call.id, content: results[at] }));
    const answer = await client.chat.completions.create({ model, messages, tools: chatTools });
    assert.equal(answer.choices[0].message.content, `The tool said: ${results.join('\n')}`);
  },

  async 'chat nothing leaks from any place'() {
    const answer = await client.chat.completions.create({
      model,
      user: EMAIL,
      metadata: { contact: EMAIL, note: `card ${CARD}` },
      tools: chatTools,
      messages: [
        { role: 'developer', content: `You help ${EMAIL}.` },
        { role: 'system', content: [{ type: 'text', text: `Key: ${SECRET}` }] },
        ...user(JSON.stringify({ a: JSON.stringify({ b: TEXT }) })),
        { role: 'assistant', content: `Your card is ${CARD}.` },
        ...user([{ type: 'text', text: TEXT }]),
      ],
    });
    assert.equal(answer.choices[0].message.content, ECHO);
  },

  async 'chat token look-alikes come back exactly'() {
    const text = 'Keep obl_email_abcdefghijklmnopabcd as it is.';
    assert.equal((await chat(text)).choices[0].message.content, `You wrote: ${text}`);
  },

  async 'chat invented values are redacted'() {
    const text = (await chat(`${TEXT} [[invent:card]]`)).choices[0].message.content;
    const streamed = deltas(await all(chat(`${TEXT} [[invent:card]][[delta:2]]`, { stream: true }))).join('');
    assert.equal(streamed, text);
    assert.ok(text.startsWith(ECHO), text);
    assert.equal(text.includes(INVENTED), DIRECT, text);
  },

  async 'responses come back with real values'() {
    const answer = await client.responses.create({ model, input: TEXT, instructions: `Help ${EMAIL}` });
    assert.equal(answer.output_text, ECHO);
    assert.equal(answer.instructions, `Help ${EMAIL}`);
  },

  async 'responses stream repeats the same text'() {
    for (const cut of ['', '[[delta:1]]', '[[bytes:1]]']) {
      const events = await all(client.responses.create({ model, input: user(TEXT + cut), stream: true }));
      const of = (type) => events.filter((event) => event.type === `response.${type}`);
      assert.equal(of('output_text.delta').map((event) => event.delta).join(''), ECHO);
      assert.deepEqual(of('output_text.done').map((event) => event.text), [ECHO]);
      assert.deepEqual(of('content_part.done').map((event) => event.part.text), [ECHO]);
      assert.deepEqual(of('output_item.done').map((event) => event.item.content[0].text), [ECHO]);
      assert.equal(of('completed')[0].response.output[0].content[0].text, ECHO);
      const numbers = events.map((event) => event.sequence_number);
      assert.deepEqual(numbers, [...new Set(numbers)].toSorted((a, b) => a - b));
    }
  },

  async 'responses deltas do not wait for the end'() {
    let text = '';
    for await (const event of await client.responses.create({ model, input: `${TEXT} [[hold:16]]`, stream: true })) {
      if (event.type === 'response.output_text.delta') {
        if (event.delta && !text) {
          await release();
        }
        text += event.delta;
      }
    }
    assert.equal(text, ECHO);
  },

  async 'responses stream helper calls tools in parallel'() {
    const input = `${TEXT}[[say:To $1]]${CALLS}`;
    const final = await client.responses.stream({ model, input, tools: responseTools }).finalResponse();
    assert.equal(final.output_text, `To ${EMAIL}`);
    const calls = final.output.filter((item) => item.type === 'function_call');
    assert.deepEqual(calls.map((call) => call.name), TOOLS);
    for (const call of calls) {
      checkArguments(JSON.parse(call.arguments), call.name);
    }
  },

  async 'responses tool results go back'() {
    const first = await client.responses.create({ model, input: TEXT + CALLS, tools: responseTools });
    const output = `${EMAIL} has ${CARD}`;
    const results = first.output.map((call) => ({ type: 'function_call_output', call_id: call.call_id, output }));
    const input = [...user(TEXT), ...first.output, ...results];
    const answer = await client.responses.create({ model, input, tools: responseTools });
    assert.equal(answer.output_text, `The tool said: ${output}\n${output}`);
  },

  async 'responses sealed reasoning comes back unchanged'() {
    const more = { model, store: false, include: ['reasoning.encrypted_content'] };
    const first = await client.responses.create({ input: `${TEXT}[[thinking]]`, ...more });
    assert.deepEqual(first.output.map((item) => item.type), ['reasoning', 'message']);
    // The provider refuses what it did not seal itself.
    const input = [...user(TEXT), ...first.output, ...user('Thanks')];
    assert.equal((await client.responses.create({ input, ...more })).output_text, 'You wrote: Thanks');
  },

  async 'embeddings have their vectors'() {
    const ask = { model, input: [TEXT, `Only ${EMAIL}`], dimensions: 4 };
    const answer = await client.embeddings.create(ask);
    assert.deepEqual(answer.data.map((item) => item.embedding.length), [4, 4]);
    assert.notDeepEqual(answer.data[0].embedding, answer.data[1].embedding);
  },

  async 'models are listed'() {
    const names = (await all(client.models.list())).map((one) => one.id);
    assert.deepEqual(names, ['stub-small', 'stub-large']);
    assert.equal((await client.models.retrieve('stub-large')).id, 'stub-large');
  },

  async 'a wrong key is an authentication error'() {
    const other = new OpenAI({ apiKey: 'none', ...options });
    await fails(OpenAI.AuthenticationError, 401, () => other.models.list(), 'key');
    assert.equal((await seen()).length, DIRECT ? 1 : 0);
  },

  async 'an unknown route is not found'() {
    await fails(OpenAI.NotFoundError, 404, () => client.post('/other', { body: { text: TEXT } }));
    assert.equal((await seen()).length, DIRECT ? 1 : 0);
  },

  async 'hosted tool servers are refused'() {
    const tool = { type: 'mcp', server_label: 'shop', server_url: 'https://mcp.example.com/sse' };
    const call = () => client.responses.create({ model, input: 'Hello', tools: [tool] });
    if (DIRECT) {
      assert.equal((await call()).output_text, 'You wrote: Hello');
      return;
    }
    await fails(OpenAI.BadRequestError, 400, call, 'tool');
    assert.deepEqual(await seen(), []);
  },

  async "the provider's errors keep their kind"() {
    for (const stream of [false, true]) {
      await fails(OpenAI.RateLimitError, 429, () => chat(`${TEXT}[[error:429]]`, { stream }));
    }
  },

  async 'errors in a stream are raised'() {
    for (const end of ['[[fail]]', '[[reset]]']) {
      let text = '';
      const error = await breaks(chat(TEXT + end, { stream: true }), (chunk) => {
        text += chunk.choices[0]?.delta.content ?? '';
      });
      checkBroken(error, OpenAI.APIError, end);
      checkBegins(text, ECHO);
    }
  },
});
