/** Limits in front of pages and protocol: registrations, devices, clients, an office, and the operator's rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR } from '../src/audit/events.ts';
import { parseNetwork } from '../src/limits/sources.ts';
import { startApp, type TestApp } from './support/app.ts';
import { commandLine } from './support/command-line.ts';
import { authorizationRequest, codeOf, PASSWORD, somebody, token } from './support/flow.ts';
import { createVisitor, type Visitor } from './support/visitor.ts';

/** A proxy on this machine, so that a test can come from many addresses. */
const PROXIED = { LATCHKEY_TRUST_PROXY: '127.0.0.1' };
const from = (address: string) => ({ 'x-forwarded-for': address });
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

async function login(app: TestApp, clientId: string, visitor: Visitor, email: string, password = PASSWORD) {
  const page = await visitor.open(authorizationRequest(app, clientId, { prompt: 'login' }).url);
  return visitor.submit(page, { email, password }, '^/login/[^/]+$');
}

test('D7: registrations from an address where nobody signed in yet are few, and more once somebody has', async (t) => {
  const env = { LATCHKEY_LIMIT_REGISTRATIONS_PER_HOUR: '6', LATCHKEY_LIMIT_REGISTRATIONS_UNFAMILIAR: '3' };
  const app = await startApp(t, { env: { ...PROXIED, ...env } });
  const client = await app.client();
  let n = 0;
  const register = async (address: string) => {
    const visitor = createVisitor(app.url, from(address));
    const page = await visitor.open(authorizationRequest(app, client.client_id, { prompt: 'create' }).url);
    n += 1;
    const values = { name: 'Somebody', email: `new${n}@example.com`, password: PASSWORD };
    return visitor.submit(page, values, '^/register/');
  };
  for (let count = 0; count < 3; count += 1) assert.equal((await register('192.0.2.1')).status, 200);
  const refused = await register('192.0.2.1');
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('ratelimit-limit'), '3');
  assert.match(refused.html, /minute/);
  const person = await somebody(app);
  assert.ok(codeOf(await login(app, client.client_id, createVisitor(app.url, from('192.0.2.1')), person.email)));
  assert.equal((await register('192.0.2.1')).status, 200);
  assert.equal((await register('192.0.2.2')).status, 200, 'another address');
});

test('D7: sixty people of one office who signed in before sign in within one minute, and some mistype', async (t) => {
  const env = { ...PROXIED, LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '10', LATCHKEY_LIMIT_FAILURES_PER_MINUTE: '5' };
  const app = await startApp(t, { env });
  const client = await app.client();
  const office = [];
  for (let n = 0; n < 12; n += 1) {
    const person = await somebody(app);
    const browser = createVisitor(app.url, from(`198.51.${n}.1`));
    assert.ok(codeOf(await login(app, client.client_id, browser, person.email)));
    const desk = createVisitor(app.url, from('192.0.2.1'));
    for (const [name, value] of browser.cookies) if (name.startsWith('latchkey_device')) desk.cookies.set(name, value);
    office.push({ person, desk });
  }
  const answers = await Promise.all(
    office.flatMap(({ person, desk }, n) => [
      login(app, client.client_id, desk, person.email, n % 2 ? 'mistyped password' : PASSWORD),
      login(app, client.client_id, desk, person.email),
    ]),
  );
  assert.deepEqual(
    answers.filter(({ status }) => status === 429),
    [],
  );
  assert.equal(answers.filter((page) => codeOf(page)).length, 18);
});

test('RFC 8628 3.5: a device that asks too often is told to slow down, and has to wait longer from then on', async (t) => {
  const app = await startApp(t);
  const device = await app.client({
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: [],
    response_types: [],
    grant_types: [DEVICE_GRANT],
  });
  const begin = async () => {
    const body = new URLSearchParams({ client_id: device.client_id, scope: 'openid' });
    const started = await fetch(`${app.url}/oauth2/device_authorization`, { method: 'POST', body });
    return ((await started.json()) as { device_code: string }).device_code;
  };
  const code = await begin();
  const params = (device_code: string) => ({ grant_type: DEVICE_GRANT, device_code });
  const poll = async (which = code) => (await token(app, { client_id: device.client_id }, params(which))).body.error;
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  assert.equal(await poll(), 'authorization_pending');
  t.mock.timers.tick(5000);
  assert.equal(await poll(), 'authorization_pending');
  t.mock.timers.tick(1000);
  assert.equal(await poll(), 'slow_down');
  t.mock.timers.tick(5000);
  assert.equal(await poll(), 'slow_down', 'now ten seconds');
  t.mock.timers.tick(15_000);
  assert.equal(await poll(), 'authorization_pending');
  assert.equal(await poll(await begin()), 'authorization_pending', 'another device');
});

test('a window slides exactly: what still counts of the last one lets nobody through beyond the limit', async (t) => {
  const start = Math.ceil(Date.now() / 60_000) * 60_000;
  t.mock.timers.enable({ apis: ['Date'], now: start + 30_000 });
  const app = await startApp(t, { env: { LATCHKEY_LIMIT_PAGES_PER_MINUTE: '10' } });
  const ask = async (times: number) => {
    let passed = 0;
    for (let n = 0; n < times; n += 1) if ((await fetch(`${app.url}/api/v1/account`)).status === 401) passed += 1;
    return passed;
  };
  assert.equal(await ask(10), 10);
  // Three quarters of them still count: 7.5 and 2 are below 10, 7.5 and 3 are not.
  t.mock.timers.setTime(start + 75_000);
  assert.equal(await ask(3), 2);
});

test('a client asks about tokens so often in a minute, wherever it asks from; others are not touched', async (t) => {
  const app = await startApp(t, { env: { ...PROXIED, LATCHKEY_LIMIT_INTROSPECTIONS_PER_MINUTE: '5' } });
  t.mock.timers.enable({ apis: ['Date'], now: Math.ceil(Date.now() / 60_000) * 60_000 + 1000 });
  const service = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
  const [one, two] = [await app.client(service), await app.client(service)];
  const ask = async (client: typeof one, secret: string, n: number) => {
    const authorization = `Basic ${Buffer.from(`${client.client_id}:${secret}`).toString('base64')}`;
    const body = new URLSearchParams({ token: 'nothing', ...(n % 2 ? { token_type_hint: 'refresh_token' } : {}) });
    const headers = { authorization, ...from(`192.0.2.${n}`) };
    return fetch(`${app.url}/oauth2/introspect`, { method: 'POST', headers, body });
  };
  for (let n = 0; n < 8; n += 1) assert.equal((await ask(one, 'guessed', n)).status, 401, 'counts for nobody');
  const statuses = [];
  for (let n = 0; n < 7; n += 1) statuses.push((await ask(one, one.client_secret, n)).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429]);
  const refused = await ask(one, one.client_secret, 1);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(refused.headers.get('ratelimit-limit'), '5');
  assert.equal(((await refused.json()) as { error: string }).error, 'temporarily_unavailable');
  assert.equal((await ask(two, two.client_secret, 1)).status, 200);
});

test('P26: names of clients are not tried without end; known clients go on', async (t) => {
  const env = {
    ...PROXIED,
    LATCHKEY_LIMIT_UNKNOWN_CLIENTS_PER_MINUTE: '5',
    LATCHKEY_LIMIT_CLIENT_SECRETS_PER_MINUTE: '3',
  };
  const app = await startApp(t, { env });
  const client = await app.client({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [] });
  const grant = { grant_type: 'client_credentials' };
  const attempt = (client_id: string, address: string) =>
    token(app, { client_id, client_secret: 'wrong' }, grant, from(address));
  for (let n = 0; n < 5; n += 1) assert.equal((await attempt(`nobody-${n}`, '192.0.2.1')).status, 401);
  const refused = await attempt('nobody-x', '192.0.2.1');
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(refused.headers.get('ratelimit-limit'), '5');
  assert.equal(typeof refused.body.error, 'string');
  assert.equal((await token(app, client, grant, from('192.0.2.1'))).status, 200);
  assert.equal((await attempt('nobody-y', '192.0.2.2')).status, 401);
  for (let n = 0; n < 3; n += 1) assert.equal((await attempt(client.client_id, '192.0.2.3')).status, 401);
  assert.equal((await attempt(client.client_id, '192.0.2.3')).status, 429);
});

test('D7: pushed requests have a limit by source', async (t) => {
  const app = await startApp(t, { env: { ...PROXIED, LATCHKEY_LIMIT_PUSHED_PER_MINUTE: '4' } });
  const push = (address: string) =>
    fetch(`${app.url}/oauth2/par`, {
      method: 'POST',
      headers: from(address),
      body: new URLSearchParams({ client_id: 'x' }),
    });
  const answers = await Promise.all(Array.from({ length: 10 }, () => push('192.0.2.1')));
  assert.equal(answers.filter(({ status }) => status === 429).length, 6);
  assert.notEqual((await push('192.0.2.2')).status, 429);
});

test('a blocked network is turned away everywhere within a second, and an allowed one knows no limits by address', async (t) => {
  const env = { ...PROXIED, LATCHKEY_LIMIT_PAGES_PER_MINUTE: '3', LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '3' };
  const app = await startApp(t, { env });
  const client = await app.client();
  const { addresses, audit } = app.services;
  const rule = { reason: 'guesses', expiresAt: null };
  const ask = (path: string, address: string, accept = 'text/html') =>
    fetch(app.url + path, { headers: { ...from(address), accept }, redirect: 'manual' });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  assert.notEqual((await ask('/account', '192.0.2.7')).status, 403);
  await addresses.put({ ...rule, network: '192.0.2.99/24', verdict: 'block' }, OPERATOR);
  await addresses.put(
    { ...rule, network: '192.0.2.64/26', verdict: 'allow', expiresAt: Date.now() + 60_000 },
    OPERATOR,
  );
  t.mock.timers.tick(1001);
  for (const path of [
    '/account',
    '/api/v1/account',
    '/.well-known/openid-configuration',
    '/oauth2/token',
    '/nowhere',
  ]) {
    const page = await ask(path, '192.0.2.7');
    assert.equal(page.status, 403, path);
    assert.match(await page.text(), /takes no requests from your network/);
    const problem = await ask(path, '::ffff:192.0.2.7', 'application/json');
    assert.equal(problem.headers.get('content-type'), 'application/problem+json');
    assert.equal(((await problem.json()) as { code: string }).code, 'forbidden');
  }
  assert.equal((await ask('/livez', '192.0.2.7')).status, 200);
  assert.notEqual((await ask('/account', '192.0.3.7')).status, 403);

  for (let n = 0; n < 10; n += 1) assert.equal((await ask('/api/v1/account', '192.0.2.65')).status, 401);
  const office = createVisitor(app.url, from('192.0.2.65'));
  const person = await somebody(app);
  for (let n = 0; n < 10; n += 1)
    assert.equal((await login(app, client.client_id, office, person.email, 'wrong')).status, 400);
  assert.equal((await login(app, client.client_id, office, person.email)).status, 429, "an account's counts hold");

  t.mock.timers.tick(61_000);
  assert.equal((await ask('/account', '192.0.2.65')).status, 403, 'what was allowed for a while is over');
  await addresses.remove('192.0.2.0/24', OPERATOR);
  t.mock.timers.tick(1001);
  assert.notEqual((await ask('/account', '192.0.2.7')).status, 403);
  const { items } = await audit.list({ type: 'address.blocked' }, 10);
  assert.deepEqual(items[0]?.details, { network: '192.0.2.0/24', reason: 'guesses', until: null });
});

test('networks are read strictly and written in one form', () => {
  const text = (network: string) => {
    const parsed = parseNetwork(network);
    return parsed && `${parsed.base}/${parsed.bits}`;
  };
  assert.equal(text('192.0.2.77/24'), '192.0.2.0/24');
  assert.equal(text('192.0.2.7'), '192.0.2.7/32');
  assert.equal(text('2001:DB8:0:ff::1/58'), '2001:db8:0:c0::/58');
  assert.equal(text('::ffff:192.0.2.7/120'), '192.0.2.0/24');
  for (const wrong of [
    '',
    '192.0.2',
    '192.0.2.7/33',
    '192.0.2.7/-1',
    '0x7f.1',
    'fe80::1%eth0',
    '::1/129',
    '192.0.2.7/24/1',
    'example.com',
  ])
    assert.equal(text(wrong), undefined, wrong);
  assert.ok(parseNetwork('2001:db8::/32')?.holds('2001:db8:9::1'));
  assert.ok(!parseNetwork('2001:db8::/32')?.holds('192.0.2.1'));
});

test('`latchkey addresses` blocks, allows, lists and removes', async (t) => {
  const cli = commandLine(t);
  const blocked = await cli.run(['addresses', 'block', '192.0.2.7/24', '--reason', 'guesses', '--for', '7d', '--json']);
  assert.equal(blocked.code, 0, blocked.err);
  assert.equal(blocked.json.network, '192.0.2.0/24');
  const days = (Date.parse(blocked.json.expires_at) - Date.parse(blocked.json.created_at)) / 86_400_000;
  assert.ok(Math.abs(days - 7) < 0.01);
  assert.equal((await cli.run(['addresses', 'allow', '2001:db8::/32'])).code, 0);
  const { json } = await cli.run(['addresses', 'list', '--json']);
  assert.deepEqual(json.items.map((rule: { verdict: string }) => rule.verdict).sort(), ['allow', 'block']);
  assert.match((await cli.run(['addresses', 'list'])).out, /192\.0\.2\.0\/24 +block .* guesses/);
  assert.equal((await cli.run(['addresses', 'remove', '192.0.2.0/24'])).code, 0);
  assert.notEqual((await cli.run(['addresses', 'remove', '192.0.2.0/24'])).code, 0);
  for (const wrong of [
    ['block', 'example.com'],
    ['block', '0.0.0.0/0'],
    ['allow', '1.2.3.4', '--for', 'ever'],
  ])
    assert.notEqual((await cli.run(['addresses', ...wrong])).code, 0, wrong.join(' '));
});
