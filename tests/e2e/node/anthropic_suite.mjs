// The @anthropic-ai/sdk package against the sidecar, or in mode `direct` against the provider.

import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import {
  API_KEY, BASE_URL, CALLS, CARD, DIRECT, ECHO, EMAIL, INVENTED, SECRET, SSN, TEXT, TIMEOUT_MS, TOOLS,
  breaks, checkArguments, checkBegins, checkBroken, fails, release, run, seen, user,
} from './checks.mjs';

const model = 'stub-small';
const options = { baseURL: BASE_URL, maxRetries: 0, timeout: TIMEOUT_MS };
const client = new Anthropic({ apiKey: API_KEY, ...options });

const tools = TOOLS.map((name) => ({
  name,
  description: `Writes to people like ${EMAIL}`,
  input_schema: { type: 'object', properties: { to: { type: 'string' } } },
}));

const body = (text, more = {}) => ({ model, max_tokens: 256, messages: user(text), ...more });
const ask = (text, more = {}) => client.messages.create(body(text, more));
const texts = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text);
const textOf = (event) => (event.type === 'content_block_delta' && event.delta.text) || '';

async function streamed(text) {
  const events = [];
  for await (const event of await ask(text, { stream: true })) {
    events.push(event);
  }
  return events;
}

/** Thinking is signed: it stays as the provider wrote it, with tokens. */
function checkThinking(block) {
  assert.equal(block.type, 'thinking');
  assert.ok(block.signature);
  if (!DIRECT) {
    assert.ok(!block.thinking.includes(EMAIL) && block.thinking.includes('obl_email_'), block.thinking);
  }
}

run('node anthropic', {
  async 'messages come back with real values'() {
    const answer = await ask(TEXT);
    assert.deepEqual(texts(answer), [ECHO]);
    assert.equal(answer.stop_reason, 'end_turn');
    assert.ok(answer.id.startsWith('msg_') && answer.usage.input_tokens > 0);
    assert.equal((await seen()).length, 1);
  },

  async 'messages stream in order'() {
    const events = await streamed(TEXT);
    assert.equal(events.map(textOf).join(''), ECHO);
    assert.equal(events[0].type, 'message_start');
    assert.equal(events.at(-1).type, 'message_stop');
    assert.ok(events.filter(textOf).length > 5);
  },

  async 'deltas do not wait for the end'() {
    let text = '';
    for await (const event of await ask(`${TEXT} [[hold:16]]`, { stream: true })) {
      if (textOf(event) && !text) {
        // The provider goes on only now: whoever waits for its end never sees this delta.
        await release();
      }
      text += textOf(event);
    }
    assert.equal(text, ECHO);
  },

  async 'messages split at every character and byte'() {
    for (const cut of ['[[delta:1]]', '[[bytes:1]]', '[[delta:1]][[bytes:3]]', '[[bytes:64]]']) {
      assert.equal((await streamed(TEXT + cut)).map(textOf).join(''), ECHO, cut);
    }
  },

  async 'tools are called in parallel'() {
    const answer = await ask(`${TEXT}[[say:To $1]]${CALLS}`, { tools });
    assert.deepEqual(texts(answer), [`To ${EMAIL}`]);
    const calls = answer.content.filter((block) => block.type === 'tool_use');
    assert.deepEqual(calls.map((call) => call.name), TOOLS);
    calls.forEach((call) => checkArguments(call.input, call.name));
  },

  async 'stream helper gathers text and parallel tool calls'() {
    const text = `${TEXT}[[say:To $1]]${CALLS}[[delta:2]]`;
    const answer = await client.messages.stream(body(text, { tools })).finalMessage();
    assert.deepEqual(texts(answer), [`To ${EMAIL}`]);
    const calls = answer.content.filter((block) => block.type === 'tool_use');
    assert.deepEqual(calls.map((call) => call.name), TOOLS);
    calls.forEach((call) => checkArguments(call.input, call.name));
    assert.equal(answer.stop_reason, 'tool_use');
  },

  async 'tool results go back'() {
    const first = await ask(TEXT + CALLS, { tools });
    const said = [`Sent to ${EMAIL}`, JSON.stringify({ card: CARD, ssn: SSN })];
    const contents = [said[0], [{ type: 'text', text: said[1] }]];
    const results = first.content.map((call, at) => ({
      type: 'tool_result',
      tool_use_id: call.id,
      content: contents[at],
    }));
    const messages = [...user(TEXT), { role: 'assistant', content: first.content }, ...user(results)];
    assert.deepEqual(texts(await ask('', { messages, tools })), [`The tool said: ${said.join('\n')}`]);
  },

  async 'thinking comes back unchanged'() {
    for (const first of [
      await ask(`${TEXT}[[thinking]]`),
      await client.messages.stream(body(`${TEXT}[[thinking]][[delta:3]]`)).finalMessage(),
    ]) {
      checkThinking(first.content[0]);
      assert.deepEqual(texts(first), [ECHO]);
      // The provider refuses thinking that it did not sign.
      const messages = [...user(TEXT), { role: 'assistant', content: first.content }, ...user('Thanks')];
      assert.deepEqual(texts(await ask('', { messages })), ['You wrote: Thanks']);
    }
  },

  async 'nothing leaks from any place'() {
    const source = { type: 'text', media_type: 'text/plain', data: `${EMAIL} owns ${CARD}` };
    const document = { type: 'document', source, title: `About ${EMAIL}`, context: `SSN ${SSN}` };
    const answer = await ask('', {
      metadata: { user_id: EMAIL },
      tools,
      system: [{ type: 'text', text: `You help ${EMAIL}. Key: ${SECRET}`, cache_control: { type: 'ephemeral' } }],
      messages: [
        ...user(JSON.stringify({ a: JSON.stringify({ b: TEXT }) })),
        { role: 'assistant', content: `Your card is ${CARD}.` },
        ...user([document]),
        ...user([{ type: 'text', text: TEXT }]),
      ],
    });
    assert.deepEqual(texts(answer), [ECHO]);
  },

  async 'token look-alikes come back exactly'() {
    const text = 'Keep obl_email_abcdefghijklmnopabcd as it is.';
    assert.deepEqual(texts(await ask(text)), [`You wrote: ${text}`]);
  },

  async 'invented values are redacted'() {
    const [text] = texts(await ask(`${TEXT} [[invent:card]]`));
    assert.equal((await streamed(`${TEXT} [[invent:card]][[delta:2]]`)).map(textOf).join(''), text);
    assert.ok(text.startsWith(ECHO), text);
    assert.equal(text.includes(INVENTED), DIRECT, text);
  },

  async 'tokens are counted'() {
    const count = await client.messages.countTokens({ model, messages: user(TEXT), system: `Help ${EMAIL}` });
    assert.ok(count.input_tokens > 0);
    assert.equal((await seen())[0].path, '/v1/messages/count_tokens');
  },

  async 'models are listed'() {
    const names = [];
    for await (const one of client.models.list()) {
      names.push(one.id);
    }
    assert.deepEqual(names, ['stub-small', 'stub-large']);
    assert.equal((await client.models.retrieve('stub-large')).display_name, 'stub-large');
  },

  async 'a wrong key is an authentication error'() {
    const other = new Anthropic({ apiKey: 'none', ...options });
    await fails(Anthropic.AuthenticationError, 401, () => other.models.list(), 'key');
    assert.equal((await seen()).length, DIRECT ? 1 : 0);
  },

  async 'an unknown route is not found'() {
    await fails(Anthropic.NotFoundError, 404, () => client.post('/v1/other', { body: { text: TEXT } }));
    await fails(Anthropic.NotFoundError, 404, () => client.messages.batches.list());
    assert.equal((await seen()).length, DIRECT ? 2 : 0);
  },

  async 'hosted tool servers are refused'() {
    const server = { type: 'url', url: 'https://mcp.example.com/sse', name: 'shop' };
    const more = { mcp_servers: [server], betas: ['mcp-client-2025-11-20'] };
    const call = () => client.beta.messages.create(body('Hello', more));
    if (DIRECT) {
      assert.deepEqual(texts(await call()), ['You wrote: Hello']);
      return;
    }
    await fails(Anthropic.BadRequestError, 400, call, 'tool');
    assert.deepEqual(await seen(), []);
  },

  async "the provider's errors keep their kind"() {
    for (const stream of [false, true]) {
      await fails(Anthropic.RateLimitError, 429, () => ask(`${TEXT}[[error:429]]`, { stream }));
    }
  },

  async 'errors in a stream are raised'() {
    for (const end of ['[[fail]]', '[[reset]]']) {
      let text = '';
      const error = await breaks(ask(TEXT + end, { stream: true }), (event) => {
        text += textOf(event);
      });
      checkBroken(error, Anthropic.APIError, end);
      checkBegins(text, ECHO);
    }
  },
});
