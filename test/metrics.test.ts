/** What /metrics says about things that really happened, and to whom it says anything (SECURITY X15). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SYSTEM } from '../src/audit/events.ts';
import { migrate } from '../src/db/migrate.ts';
import { createMetrics } from '../src/ops/metrics.ts';
import { migrationsDir } from '../src/places.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, PASSWORD, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const TOKEN = 'Kp3v8XwQzR7mTn2LbY5cHd9F';
const PRODUCTION = {
  LATCHKEY_SECRET_KEY: randomBytes(32).toString('base64'),
  LATCHKEY_ISSUER: 'https://id.example.com',
  LATCHKEY_DRAIN_SECONDS: '0',
  LATCHKEY_ARGON2_MEMORY_KIB: '19456',
  LATCHKEY_ARGON2_PASSES: '2',
  LATCHKEY_TRUST_PROXY: '127.0.0.1',
  LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:9?tls=off',
  LATCHKEY_MAIL_FROM: 'id@example.com',
};

/** With a database of its own that has its schema: in production nobody else makes it. */
async function production(t: TestContext, env: Record<string, string> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-metrics-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  await migrate({ file: join(dataDir, 'latchkey.db') }, migrationsDir);
  return { dataDir, env: { ...PRODUCTION, ...env } };
}

/** Every sample by its name with labels. */
async function scrape(app: TestApp): Promise<Map<string, number>> {
  const response = await fetch(`${app.url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(String(response.headers.get('content-type')), /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

async function until(app: TestApp, name: string, value: number): Promise<void> {
  for (const end = performance.now() + 10_000; performance.now() < end; ) {
    if ((await scrape(app)).get(name) === value) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal((await scrape(app)).get(name), value, name);
}

const status = async (app: TestApp, headers: Record<string, string> = {}) =>
  (await fetch(`${app.url}/metrics`, { headers })).status;

test('sign-ins, codes and sessions are counted when they are in the record', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await somebody(app);
  const stranger = createVisitor(app.url);
  const login = await stranger.open(authorizationRequest(app, client.client_id).url);
  await signIn(stranger, login, { ...person, password: 'wrong wrong wrong' });
  await signIn(stranger, login, { email: 'nobody@example.com', password: PASSWORD });
  const who = await signedIn(app, { client, person });
  // The same browser and another authorization: no new session of the browser.
  await signedIn(app, { client, person, visitor: who.visitor });
  const seen = await scrape(app);
  const count = (name: string) => seen.get(`latchkey_${name}`);
  assert.equal(count('sign_ins_total{method="password",outcome="ok",reason="none"}'), 1);
  assert.equal(count('sign_ins_total{method="password",outcome="failed",reason="wrong_password"}'), 1);
  assert.equal(count('sign_ins_total{method="password",outcome="failed",reason="unknown_address"}'), 1);
  assert.equal(count('tokens_issued_total{grant="authorization_code"}'), 2);
  assert.equal(count('sessions_created_total{kind="browser"}'), 1);
  assert.equal(count('sessions_created_total{kind="app"}'), 2);
  assert.equal(count('sessions_active'), 1);
  assert.equal(count('signing_keys{state="active"}'), 3);
  assert.equal(count('artifact_store_degraded'), 0);
  const posts = 'http_request_duration_seconds_count{area="token",method="POST",status_class="2xx"}';
  assert.equal(count(posts), 2);
  assert.ok((count('database_duration_seconds_count{operation="write"}') ?? 0) > 0);
  assert.ok((count('database_duration_seconds_count{operation="read"}') ?? 0) > 0);

  await app.services.accounts.disable(person.id);
  await until(app, 'latchkey_sessions_ended_total{kind="browser",reason="account_disabled"}', 1);
  const text = await (await fetch(`${app.url}/metrics`)).text();
  for (const secret of [person.id, person.email, client.client_id, '127.0.0.1']) {
    assert.ok(!text.includes(secret), `${secret} stands in the metrics`);
  }
});

test('a race of refreshes is told from a theft', async (t) => {
  const app = await startApp(t);
  const who = await signedIn(app, { client: await app.client({ token_endpoint_auth_method: 'none' }) });
  const spent = who.tokens.refresh_token as string;
  const refresh = (value: string) => token(app, who.client, { grant_type: 'refresh_token', refresh_token: value });
  const rotated = await refresh(spent);
  assert.equal((await refresh(spent)).status, 200);
  assert.equal((await refresh('never issued')).status, 400);
  const outcomes = async () => {
    const seen = await scrape(app);
    return ['rotated', 'replayed', 'stolen', 'refused'].map(
      (outcome) => seen.get(`latchkey_refreshes_total{outcome="${outcome}"}`) ?? 0,
    );
  };
  assert.deepEqual(await outcomes(), [1, 1, 0, 1]);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 62_000 });
  assert.equal((await refresh(spent)).status, 400);
  assert.deepEqual(await outcomes(), [1, 1, 1, 1]);
  assert.equal((await refresh(rotated.body.refresh_token as string)).status, 400);
  const seen = await scrape(app);
  assert.equal(seen.get('latchkey_sessions_ended_total{kind="app",reason="token_stolen"}'), 1);
});

test('limits and mails are counted', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '3' } });
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const login = await visitor.open(authorizationRequest(app, client.client_id).url);
  const form = await visitor.open(login.url.replace('/login/', '/register/'));
  const words = { email: 'new@example.com', name: 'New', password: PASSWORD };
  await visitor.submit(form, words, '^/register/[^/]+$');
  await until(app, 'latchkey_mails_total{outcome="sent"}', 1);
  for (let n = 0; n < 5; n += 1) await signIn(visitor, login, { email: 'a@example.com', password: 'wrong wrong' });
  const seen = await scrape(app);
  assert.equal(seen.get('latchkey_registrations_total{step="started"}'), 1);
  assert.equal(seen.get('latchkey_limits_hit_total{limit="action"}'), 3);
});

test('what was rolled back is not counted', async (t) => {
  const app = await startApp(t);
  const { audit, db } = app.services;
  const event = { type: 'registration.started', by: SYSTEM } as const;
  const failed = db.write(function* () {
    yield* audit.record(event);
    throw new Error('no');
  });
  await assert.rejects(failed, /no/);
  await audit.note(event);
  assert.equal((await scrape(app)).get('latchkey_registrations_total{step="started"}'), 1);
});

test('X15: in development this machine asks without a token, and nobody through a proxy', async (t) => {
  const app = await startApp(t);
  assert.equal(await status(app), 200);
  assert.equal(await status(app, { 'x-forwarded-for': '203.0.113.9' }), 404);
  const strict = await startApp(t, { env: { LATCHKEY_METRICS_TOKEN: TOKEN } });
  assert.equal(await status(strict), 200);
  assert.equal(await status(strict, { authorization: `Bearer ${TOKEN}x` }), 401);
  assert.equal(await status(strict, { 'x-forwarded-for': '203.0.113.9' }), 401);
});

test('X15: each application has its own numbers, and its documentation names every one', async () => {
  const one = createMetrics({ worker: 2 });
  const gauges = { counts: async () => 1, hashes: () => ({ running: 0, waiting: 0, refused: 0 }) };
  one.watch({ ...gauges, degraded: () => false, signingKeys: async () => [] });
  const other = createMetrics();
  one.limited('page');
  assert.match(await one.registry.metrics(), /latchkey_limits_hit_total\{limit="page",worker="2"\} 1/);
  assert.doesNotMatch(await other.registry.metrics(), /limit="page"/);
  const documented = new Map(
    [
      ...readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8').matchAll(
        /^\| `([a-z0-9_]+)` \| (.*?) \|/gm,
      ),
    ].map(([, name = '', labels = '']) => [name, [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label]) => label)]),
  );
  const listed = one.registry.getMetricsAsArray() as unknown as Array<{ name: string; labelNames: string[] }>;
  const ours = listed.filter(({ name }) => name.startsWith('latchkey_'));
  for (const { name, labelNames } of ours) assert.deepEqual(documented.get(name), [...labelNames], name);
  assert.deepEqual([...documented.keys()].sort(), listed.map(({ name }) => name).sort());
});

test('X15: in production there are no metrics without a token, and none for a wrong one', async (t) => {
  const ask = (app: TestApp, headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = app.services.settings;
      request({ host: '127.0.0.1', port, path: '/metrics', headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
  const token = { authorization: `Bearer ${TOKEN}` };
  const without = await startApp(t, await production(t));
  const outside = { host: 'id.example.com', 'x-forwarded-proto': 'https' };
  assert.equal(await ask(without, outside), 404);
  assert.equal(await ask(without, { ...outside, ...token }), 404);
  const app = await startApp(t, await production(t, { LATCHKEY_METRICS_TOKEN: TOKEN }));
  assert.equal(await ask(app, outside), 401);
  assert.equal(await ask(app, { ...outside, authorization: 'Bearer wrong' }), 401);
  assert.equal(await ask(app, { ...outside, authorization: `Basic ${TOKEN}` }), 401);
  assert.equal(await ask(app, { ...outside, ...token }), 200);
  assert.equal(await ask(app, { host: 'latchkey:3000', ...token }), 200, 'by its inner address');
});
