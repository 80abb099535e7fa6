/** The signing keys: when they are published, when they sign, when they go; under load and across processes. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { due, isPublished, type KeyFacts, type KeyRules } from '../src/oidc/key-states.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, signedIn, signIn, somebody, token } from './support/flow.ts';
import { newDataDir } from './support/prepared.ts';
import { createVerifier } from './support/verifier.ts';
import { createVisitor } from './support/visitor.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ALGS = ['RS256', 'ES256', 'EdDSA'] as const;
const RESOURCES = `
resources:
${ALGS.map((alg) => `  - identifier: https://${alg.toLowerCase()}.example.com\n    name: ${alg}\n    signing_alg: ${alg}\n    scopes:\n      - name: read\n        title: Read`).join('\n')}
`;

async function kids(origin: string): Promise<string[]> {
  const { keys } = (await (await fetch(`${origin}/.well-known/jwks.json`)).json()) as { keys: Array<{ kid: string }> };
  return keys.map(({ kid }) => kid);
}

/** Until it holds, for at most this long. */
async function eventually(condition: () => Promise<boolean>, patience: number, words: string): Promise<number> {
  const began = performance.now();
  while (performance.now() - began < patience) {
    if (await condition()) return performance.now() - began;
    await sleep(25);
  }
  throw new Error(`not within ${patience} ms: ${words}`);
}

/** A key set in which every algorithm has a next key. */
async function prepareNext(app: TestApp): Promise<void> {
  await assert.rejects(app.services.keys.rotate({}), { code: 'conflict' });
}

function jwt(app: TestApp, client: { client_id: string; client_secret: string }, alg: string) {
  const resource = `https://${alg.toLowerCase()}.example.com`;
  return token(app, client, { grant_type: 'client_credentials', scope: 'read', resource });
}

test('rotated again and again under load: no request fails, and every token verifies with a key set as old as max-age', async (t) => {
  const app = await startApp(t, { config: RESOURCES });
  const service = await app.client({ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] });
  const { client, tokens } = await signedIn(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const verify = createVerifier(app.url);
  const used = new Set<string>();
  /** Of each load. */
  const verified = [0, 0, 0, 0];
  let running = true;

  async function load(
    obtain: () => Promise<{ status: number; body: Record<string, unknown> }>,
    member: string,
    n: number,
  ) {
    while (running) {
      const { status, body } = await obtain();
      assert.equal(status, 200, JSON.stringify(body));
      used.add(await verify(body[member] as string));
      verified[n] = (verified[n] as number) + 1;
    }
  }
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string };
  const loads = [
    ...ALGS.map((alg, n) => load(() => jwt(app, service, alg), 'access_token', n)),
    load(() => token(app, client, refresh), 'id_token', 3),
  ];
  const watched = Promise.all(loads);
  watched.catch(() => {});
  /** Until each load has so many tokens more, however slow the machine is. */
  async function more(tokens: number): Promise<void> {
    const wanted = verified.map((count) => count + tokens);
    while (verified.some((count, n) => count < (wanted[n] as number))) await Promise.race([sleep(5), watched]);
  }

  const rounds = 6;
  const seen = new Set(await kids(app.url));
  for (let round = 0; round < rounds; round += 1) {
    await prepareNext(app);
    for (const kid of await kids(app.url)) seen.add(kid);
    for (let step = 0; step < 17; step += 1) {
      t.mock.timers.setTime(Date.now() + MINUTE);
      await Promise.race([sleep(10), watched]);
    }
    await app.services.keys.rotate({});
    await more(10);
  }
  running = false;
  await watched;
  assert.equal(seen.size, 3 * (rounds + 1));
  assert.ok(used.size >= 3 * rounds, `${used.size} keys have signed`);
});

test('by schedule: a minute after the start the next keys are there, after 90 days they sign, then the old ones go', async (t) => {
  const lines: string[] = [];
  const app = await startApp(t, { onLog: (line) => lines.push(line) });
  const first = await kids(app.url);
  assert.equal(first.length, 3);
  const { tokens, client } = await signedIn(app);
  const verify = createVerifier(app.url);
  const before = await verify(tokens.id_token as string);

  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 });
  await eventually(async () => (await kids(app.url)).length === 6, 5000, 'the next keys are published');
  const six = await kids(app.url);
  assert.deepEqual(six.slice(0, 3), first, 'those that sign come first');

  t.mock.timers.setTime(Date.now() + 90 * DAY);
  await eventually(async () => (await kids(app.url))[0] === six[3], 5000, 'the next keys sign');
  assert.deepEqual(new Set(await kids(app.url)), new Set(six), 'the old keys are still published');
  const later = await signedIn(app);
  assert.notEqual(await verify(later.tokens.id_token as string), before);
  assert.equal(lines.filter((line) => /"cause":"schedule"/.test(line)).length, 3);
  const record = await app.services.audit.list({ type: 'key.rotated' } as never, 10);
  assert.equal(JSON.stringify(record).match(/"cause":"schedule"/g)?.length, 3);

  t.mock.timers.setTime(Date.now() + 3 * 60 * MINUTE);
  await eventually(async () => !(await kids(app.url)).includes(before), 5000, 'the old keys leave the key set');
  const hinted = { client_id: client.client_id, id_token_hint: tokens.id_token as string };
  const page = await later.visitor.open(`${app.url}/oauth2/logout?${new URLSearchParams(hinted)}`);
  assert.equal(page.status, 200, 'an ID token of a key that has left is still a hint');

  t.mock.timers.setTime(Date.now() + 100 * DAY);
  await eventually(
    async () => (await app.services.keys.list()).every(({ kid }) => !first.includes(kid)),
    5000,
    'the old keys are destroyed',
  );
});

test('a key stays published as long as its tokens live, also when they lived longer before', async (t) => {
  const dataDir = newDataDir();
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const before = await startApp(t, { dataDir, env: { LATCHKEY_ID_TOKEN_TTL: '1d' } });
  const old = await kids(before.url);
  await before.stop();
  const app = await startApp(t, { dataDir, env: { LATCHKEY_ID_TOKEN_TTL: '5m' } });
  await prepareNext(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 17 * MINUTE });
  await app.services.keys.rotate({});
  const published = async () => {
    const list = await app.services.keys.list();
    return list.filter((key) => old.includes(key.kid)).map((key) => key.published);
  };
  t.mock.timers.setTime(Date.now() + DAY);
  assert.deepEqual(await published(), [true, true, true]);
  await sleep(1200);
  const set = await kids(app.url);
  assert.ok(old.every((kid) => set.includes(kid)));
  t.mock.timers.setTime(Date.now() + 61 * MINUTE);
  assert.deepEqual(await published(), [false, false, false]);
});

test('a sign-in that began before a rotation ends after it, and clients can be registered with every algorithm', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id);
  const page = await visitor.open(request.url);
  await app.services.keys.rotate({ now: true });
  const back = await signIn(visitor, page, person);
  const answer = await token(app, client, {
    grant_type: 'authorization_code',
    code: codeOf(back) as string,
    redirect_uri: CALLBACK,
    code_verifier: request.verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(await createVerifier(app.url)(answer.body.id_token as string), (await kids(app.url))[0]);
  for (const alg of ALGS) await app.client({ id_token_signed_response_alg: alg });
});

test('in an emergency every key of the algorithm goes, also the next one', async (t) => {
  const app = await startApp(t);
  await prepareNext(app);
  const before = await kids(app.url);
  assert.equal(before.length, 6);
  const [{ dropped = [] } = {}] = await app.services.keys.rotate({ alg: 'ES256', now: true });
  const after = await kids(app.url);
  assert.equal(dropped.length, 2);
  assert.deepEqual(
    before.filter((kid) => !after.includes(kid)),
    before.filter((kid) => dropped.includes(kid)),
  );
  assert.equal(after.length, 5);
  const stored = await app.services.db.all<{ kid: string }>('SELECT kid FROM signing_keys');
  assert.ok(stored.every(({ kid }) => !dropped.includes(kid)));
});

test('of many that rotate at once one does; the others change nothing', async (t) => {
  const app = await startApp(t);
  await prepareNext(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 17 * MINUTE });
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, () => app.services.keys.rotate({ alg: 'RS256' })),
  );
  assert.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
  const states = (await app.services.keys.list()).filter(({ alg }) => alg === 'RS256').map(({ state }) => state);
  assert.deepEqual(
    states.filter((state) => state !== 'next'),
    ['active', 'retired'],
  );
});

test('discovery and key set are cacheable, compressed, conditional and for everybody', async (t) => {
  const app = await startApp(t);
  const paths = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];
  for (const path of [...paths, '/.well-known/jwks.json', ...paths.map((each) => `${each}?a=b`)]) {
    const plain = await get(app.url + path);
    assert.equal(plain.status, 200);
    assert.equal(plain.headers['cache-control'], 'public, max-age=900');
    assert.equal(plain.headers['access-control-allow-origin'], '*');
    assert.equal(plain.headers['x-content-type-options'], 'nosniff');
    assert.match(String(plain.headers['content-security-policy']), /default-src 'none'; frame-ancestors 'none'/);
    assert.match(String(plain.headers['x-request-id']), /^[\w-]{36}$/);
    assert.equal(Number(plain.headers['content-length']), plain.body.length);
    for (const [accepted, coding] of [
      ['gzip, deflate, br', 'br'],
      ['gzip;q=1.0, br;q=0', 'gzip'],
      ['deflate', undefined],
      ['brotli', undefined],
    ] as const) {
      const coded = await get(app.url + path, { 'accept-encoding': accepted });
      assert.equal(coded.headers['content-encoding'], coding);
      const unpack = { br: brotliDecompressSync, gzip: gunzipSync, none: (bytes: Buffer) => bytes }[coding ?? 'none'];
      assert.deepEqual(unpack(coded.body), plain.body);
    }
    const etag = String(plain.headers.etag);
    for (const known of [etag, `"other", W/${etag}`, '*']) {
      const unchanged = await get(app.url + path, { 'if-none-match': known });
      assert.deepEqual([unchanged.status, unchanged.body.length, unchanged.headers.etag], [304, 0, etag]);
      assert.equal(unchanged.headers['cache-control'], 'public, max-age=900');
    }
    assert.equal((await get(app.url + path, { 'if-none-match': '"other"' })).status, 200);
    const head = await get(app.url + path, {}, 'HEAD');
    assert.deepEqual([head.status, head.body.length, head.headers.etag], [200, 0, etag]);
    assert.equal(head.headers['content-length'], plain.headers['content-length']);
    assert.equal((await get(app.url + path, {}, 'POST')).status, 405);
  }
});

function get(url: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    httpRequest(url, { method, headers }, async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) });
    })
      .on('error', reject)
      .end();
  });
}

test('when a key becomes next, active, retired and destroyed', () => {
  const rules: KeyRules = { period: 90 * DAY, tokenLife: 60 * MINUTE, hintLife: 30 * DAY };
  const key = (state: KeyFacts['state'], at: number, more: Partial<KeyFacts> = {}): KeyFacts => ({
    ...{
      kid: `${state}${at}`,
      alg: 'ES256',
      state,
      createdAt: at,
      activatedAt: null,
      retiredAt: null,
      tokenLife: null,
    },
    ...more,
  });
  const active = key('active', 0, { activatedAt: 0 });
  assert.deepEqual(due([active], rules, MINUTE - 1), []);
  assert.deepEqual(due([active], rules, MINUTE), [{ what: 'make', alg: 'ES256' }]);
  const rotate = [{ what: 'rotate', alg: 'ES256', active: 'active0', next: 'next60000' }];
  assert.deepEqual(due([active, key('next', MINUTE)], rules, 90 * DAY - 1), []);
  assert.deepEqual(due([active, key('next', MINUTE)], rules, 90 * DAY), rotate);
  assert.deepEqual(due([active, key('next', MINUTE)], { ...rules, period: 0 }, 900 * DAY), [], 'never');
  const late = key('next', 90 * DAY);
  assert.deepEqual(due([active, late], rules, 91 * DAY - 1), [], 'a key is published for a day before it signs');
  assert.equal(due([active, late], rules, 91 * DAY).length, 1);
  const retired = key('retired', 1, { retiredAt: 0 });
  assert.ok(isPublished(retired, rules, 120 * MINUTE - 1));
  assert.ok(!isPublished(retired, rules, 120 * MINUTE));
  const longer = { ...retired, tokenLife: 24 * 60 * MINUTE };
  assert.ok(isPublished(longer, rules, 25 * 60 * MINUTE - 1), 'tokens lived longer when it signed');
  assert.ok(!isPublished(longer, rules, 25 * 60 * MINUTE));
  assert.ok(isPublished({ ...retired, tokenLife: MINUTE }, rules, 120 * MINUTE - 1), 'never for less than today');
  assert.deepEqual(due([longer], { ...rules, hintLife: 0 }, 25 * 60 * MINUTE - 1), []);
  assert.deepEqual(due([retired], rules, 30 * DAY), []);
  assert.deepEqual(due([retired], rules, 30 * DAY + 60 * MINUTE), [{ what: 'destroy', kid: 'retired1' }]);
});
