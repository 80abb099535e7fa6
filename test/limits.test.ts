/** Limits by source in front of pages and API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceOf } from '../src/limits/sources.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest, PASSWORD, somebody } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

test('more sign-ins than allowed from one address are answered with 429, a page and when to come again', async (t) => {
  // No window ends while it runs.
  t.mock.timers.enable({ apis: ['Date'], now: Math.ceil(Date.now() / 60_000) * 60_000 });
  const app = await startApp(t, { env: { LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '5' } });
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  const attempt = () =>
    visitor.submit(page, { email: 'a@example.com', password: 'wrong wrong wrong' }, '^/login/[^/]+$');
  const answers = await Promise.all(Array.from({ length: 20 }, attempt));
  assert.equal(answers.filter(({ status }) => status === 400).length, 5, 'parallel requests do not slip through');
  const refused = answers.find(({ status }) => status === 429);
  assert.ok(Number(refused?.headers.get('retry-after')) > 0);
  assert.equal(refused?.headers.get('ratelimit-limit'), '5');
  assert.equal(refused?.headers.get('ratelimit-remaining'), '0');
  assert.match(String(refused?.html), /<h1/);
  assert.equal((await visitor.open(page.url)).status, 200, 'looking at the page is another limit');
  t.mock.timers.tick(121_000);
  assert.equal((await attempt()).status, 400);
});

test('a limit survives a restart', async (t) => {
  const env = { LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '3' };
  const app = await startApp(t, { env });
  const client = await app.client();
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  for (let n = 0; n < 3; n += 1)
    await visitor.submit(page, { email: person.email, password: 'wrong wrong wrong' }, '^/login/[^/]+$');
  await app.stop();
  await startApp(t, { env, dataDir: app.dataDir, port: Number(new URL(app.url).port) });
  const after = await visitor.submit(page, { email: person.email, password: PASSWORD }, '^/login/[^/]+$');
  assert.equal(after.status, 429);
});

test('the API answers a limit as problem+json', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_LIMIT_PAGES_PER_MINUTE: '3' } });
  const ask = () => fetch(`${app.url}/api/v1/account`);
  for (let n = 0; n < 3; n += 1) assert.equal((await ask()).status, 401);
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('content-type'), 'application/problem+json');
  assert.equal(((await refused.json()) as { code: string }).code, 'too_many_attempts');
  assert.equal((await fetch(`${app.url}/livez`)).status, 200, 'probes are not limited');
});

test('an IPv6 network of a customer is one source', () => {
  assert.equal(sourceOf('2001:db8:1:2:3:4:5:6'), sourceOf('2001:db8:1:2:ffff::1'));
  assert.notEqual(sourceOf('2001:db8:1:2::1'), sourceOf('2001:db8:1:3::1'));
  assert.equal(sourceOf('::ffff:192.0.2.1'), '192.0.2.1');
});
