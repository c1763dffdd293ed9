// The page of approvals in a browser without scripts: `tests/e2e/page` says what is needed and runs this.
//
// Starts a Stripe that is none and a sidecar on loopback, lets calls wait, and decides about them as people do. Nothing
// may be asked of any other place. Pictures of the pages lie in PICTURES afterwards.

import { chromium } from 'playwright-core';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { OBELUS, CHROMIUM, PICTURES } = process.env;
const folder = mkdtempSync(join(tmpdir(), 'obelus-page-'));
const environment = { PATH: process.env.PATH, HOME: folder };
let [passed, failed] = [0, 0];

function check(name, holds) {
  if (holds) passed += 1;
  else failed += 1;
  if (!holds) console.log(`FAILED ${name}`);
}

/** A Stripe with one charge, and the changes that it was asked for. */
const changes = [];
const stripe = createServer((request, response) => {
  let body = '';
  request.on('data', (piece) => { body += piece; });
  request.on('end', () => {
    if (request.method === 'POST') changes.push(body);
    const charge = { id: 'ch_3MmlLrLkdIwHu7ix0snN0B15', object: 'charge', amount: 2000, amount_captured: 2000,
      amount_refunded: 0, currency: 'usd', customer: 'cus_NffrFeUfNV2Hib' };
    const refund = { id: 're_1Nispe2eZvKYlo2Cd31jOCgZ', object: 'refund', amount: 500, currency: 'usd' };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.method === 'POST' ? refund : charge));
  });
});
await new Promise((resolve) => { stripe.listen(0, '127.0.0.1', resolve); });
const url = `http://127.0.0.1:${stripe.address().port}`;

const hash = (token) => createHash('sha256').update(token).digest('hex');
writeFileSync(join(folder, 'stripe.key'), ['rk', '_test_', '51Example0Example0Example'].join(''), { mode: 0o600 });
writeFileSync(join(folder, 'obelus.yaml'), `
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state: state.db
vault_key: {file: vault.key}
audit: {path: audit.jsonl}
gate:
  approvals: approvals.db
  totals: totals.db
  key_file: approvals.key
  approvers: {alice: {token_sha256: '${hash('token-of-alice')}'}}
  stripe: {url: '${url}', keys: {default: {file: stripe.key}}}
`);
const sidecar = spawn(OBELUS, ['serve', '-c', 'obelus.yaml'], { cwd: folder, env: environment });
const bound = await new Promise((resolve, reject) => {
  createInterface({ input: sidecar.stderr }).on('line', (line) => {
    const said = line.startsWith('{') ? JSON.parse(line) : {};
    if (said.admin) resolve(said);
  }).on('close', () => { reject(new Error('the sidecar does not serve')); });
});
const made = spawnSync(OBELUS, ['keys', 'create', '-c', 'obelus.yaml'], { cwd: folder, env: environment });
const key = made.stdout.toString().trim();

async function refund(more) {
  const response = await fetch(`http://${bound.data}/stripe/v1/refunds`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: `charge=ch_3MmlLrLkdIwHu7ix0snN0B15&${more}`,
  });
  return [response.status, await response.json()];
}

let browser;
try {
  const hidden = 'amount=500&metadata[memo]=%E2%80%AEreversed%3Cb%3E+jenny%40example.com';
  const [waiting, approval] = await refund(hidden);
  check('a refund waits', waiting === 202);
  check('so does another', (await refund('amount=1500'))[0] === 202);

  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1000, height: 800 } });
  const page = await context.newPage();
  const asked = new Set();
  page.on('request', (request) => asked.add(new URL(request.url()).host));
  const faults = [];
  page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });

  await page.goto(`http://${bound.admin}/approvals`);
  await page.fill('input[name=token]', 'token-of-nobody');
  await page.click('button');
  check('nobody comes in without a token', (await page.textContent('body')).includes('No approver has this token'));
  await page.fill('input[name=token]', 'token-of-alice');
  await page.click('button');
  const rows = await page.locator('tr').count();
  const overview = await page.textContent('body');
  check('both calls are listed', rows === 3 && overview.includes('5.00 USD') && overview.includes('15.00 USD'));
  await page.screenshot({ path: join(PICTURES, 'approvals.png') });

  await page.click(`a[href="/approvals/${approval.id}"]`);
  const sheet = await page.textContent('body');
  check('the amount and the customer are shown', sheet.includes('5.00 USD') && sheet.includes('cus_NffrFeUfNV2Hib'));
  check('what is hidden is shown, and no markup', sheet.includes('\\u202ereversed<b>') && await page.locator('b').count() === 0);
  check('no value is shown', !sheet.includes('jenny'));
  await page.screenshot({ path: join(PICTURES, 'approval.png'), fullPage: true });
  await page.click('button.yes');
  check('it is approved', (await page.textContent('.state')) === 'approved');
  check('nothing has left', changes.length === 0);
  check('the call goes out when it is repeated', (await refund(hidden))[0] === 200 && changes.length === 1);
  await page.reload();
  check('it is done, and nothing more can be decided',
    (await page.textContent('.state')) === 'done' && await page.locator('button').count() === 0);

  await page.goto(`http://${bound.admin}/approvals`);
  await page.click('a[href*="/approvals/apr_"]');
  await page.click('button.no');
  check('the other is denied', (await page.textContent('.state')) === 'denied');
  check('a denied call stays here', (await refund('amount=1500'))[0] === 403 && changes.length === 1);

  const narrow = await context.newPage();
  await narrow.setViewportSize({ width: 360, height: 640 });
  await narrow.goto(`http://${bound.admin}/approvals/${approval.id}`);
  const sizes = await narrow.locator('html').boundingBox();
  check('it fits on a telephone', sizes.width <= 360);
  check(`nothing was asked of another place (${[...asked]})`, [...asked].join() === bound.admin);
  check(`the policy of the page refused nothing (${faults.filter((fault) => fault.includes('Policy'))})`,
    !faults.some((fault) => fault.includes('Policy')));
} catch (error) {
  check(`it went to its end: ${error.stack}`, false);
} finally {
  await browser?.close();
  sidecar.kill('SIGTERM');
  await new Promise((resolve) => { sidecar.on('exit', resolve); });
  stripe.close();
  rmSync(folder, { recursive: true });
}
console.log(`page: ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
