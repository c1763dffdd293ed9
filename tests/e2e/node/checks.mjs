// What both suites share: planted values, what the provider saw, the list of checks.

import assert from 'node:assert/strict';

const { BASE_URL, API_KEY, STUB_ADMIN, MODE } = process.env;
// In mode `direct` there is nothing between SDK and provider: values arrive, nothing is redacted.
export const DIRECT = MODE === 'direct';
export { API_KEY, BASE_URL };

export const EMAIL = 'jenny@example.com';
export const CARD = '4242 4242 4242 4242';
export const SSN = '078-05-1120';
// Shaped like a key, put together here so that no scanner takes it for one.
export const SECRET = ['sk', 'test', '4eC39Hq' + 'LyjWDarjt' + 'T1zdp7dc'].join('_');
const PLANTED = [EMAIL, CARD, CARD.replaceAll(' ', ''), SSN, SECRET];

// The e-mail address stands first: it is `$1` for the provider's script, as a value and as a token.
export const TEXT = `Please write to ${EMAIL} about the card ${CARD} and the SSN ${SSN}.`;
export const ECHO = `You wrote: ${TEXT}`;
// What the provider says of itself with `[[invent:card]]`.
export const INVENTED = '5555 5555 5555 4444';
export const TIMEOUT_MS = 20_000;

export const TOOLS = ['open_mail', 'keep_mail'];
export const CALLS = '[[tool:open_mail {"to":"$1"}]][[tool:keep_mail {"to":"$1"}]]';
export const user = (text) => [{ role: 'user', content: text }];

async function admin(method, path) {
  const answer = await fetch(STUB_ADMIN + path, { method, signal: AbortSignal.timeout(TIMEOUT_MS) });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** The requests that the provider saw since the check began. */
export const seen = () => admin('GET', '/seen');

/** Lets the stream go on that waits at `[[hold:N]]`. */
export const release = () => admin('POST', '/release');

/** Arguments that name an e-mail address: `open_mail` may have the value, other tools get its token. */
export function checkArguments(got, name) {
  assert.deepEqual(Object.keys(got), ['to']);
  if (DIRECT || name === 'open_mail') {
    assert.equal(got.to, EMAIL, `arguments of ${name}`);
  } else {
    assert.match(got.to, /^obl_email_[a-p]{20}$/, `arguments of ${name}`);
  }
}

/** The call fails with the SDK's own exception, which says what is wrong. */
export async function fails(kind, status, call, word = '') {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
    assert.equal(error.status, status);
    assert.ok(error.message.toLowerCase().includes(word), error.message);
    return;
  }
  assert.fail(`no ${kind.name}`);
}

/** Reads a stream that must end with an error; gives the error. */
export async function breaks(stream, take) {
  try {
    for await (const event of await stream) {
      take(event);
    }
  } catch (error) {
    return error;
  }
  assert.fail('no error');
}

/** What came before a stream broke: the beginning of the text. Of a token that was cut a piece may be left. */
export function checkBegins(got, whole) {
  const text = got.replace(/o(b(l(_[a-z_]*)?)?)?$/, '');
  assert.ok(text && whole.startsWith(text), `${got} does not begin ${whole}`);
}

/**
 * A stream ended with an error: the provider's own event, or a connection that broke. The latter reaches SDKs as
 * they see connections break; with the sidecar between, it is an error event.
 */
export function checkBroken(error, kind, end) {
  assert.ok(error instanceof kind || (DIRECT && end === '[[reset]]'), `${end}: ${error}`);
  assert.ok(end !== '[[reset]]' || DIRECT || error.message.includes('upstream'), `${end}: ${error}`);
}

async function nothingLeaked() {
  if (DIRECT) {
    return;
  }
  for (const request of await seen()) {
    const said = JSON.stringify([request.path, request.headers]) + (request.body ?? '');
    const planted = PLANTED.filter((value) => said.includes(value));
    assert.deepEqual(planted, [], `the provider saw planted values at ${request.path}`);
    assert.ok(!said.includes(API_KEY), "the provider saw the client's key");
  }
}

/** Runs checks, whose names say what is true if they pass. */
export async function run(suite, checks) {
  let passed = 0;
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    await admin('POST', '/forget');
    try {
      await check();
      await nothingLeaked();
      passed += 1;
      console.log(`ok     ${suite} ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${suite} ${name}: ${error?.constructor?.name}: ${error?.message}`);
      const place = error?.stack?.split('\n').find((line) => line.includes('_suite.mjs'));
      console.log(`       ${place?.trim().replace(/\(?file:.*\//, '') ?? ''}`);
    }
  }
  console.log(`suite: ${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
