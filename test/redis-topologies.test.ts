/** Redis behind Sentinel and as a Cluster: a master fails in the middle of code exchanges. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { redisAddress } from '../src/config/redis-address.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, signedIn, signIn, somebody, token } from './support/flow.ts';
import { startCluster, startSentinels, type TestTopology } from './support/redis-topologies.ts';
import { createVisitor } from './support/visitor.ts';

const TOPOLOGIES: Record<string, () => Promise<TestTopology>> = {
  'three sentinels': startSentinels,
  'a Cluster of three masters': startCluster,
};

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function redisPart(app: TestApp): Promise<string> {
  const response = await fetch(`${app.url}/readyz`);
  assert.equal(response.status, 200);
  return ((await response.json()) as { parts: { redis: string } }).parts.redis;
}

async function untilUp(app: TestApp, limitMs: number): Promise<void> {
  const started = performance.now();
  while ((await redisPart(app)) !== 'up') {
    assert.ok(performance.now() - started < limitMs, `Redis is not up after ${limitMs} ms`);
    await sleep(50);
  }
}

async function pendingCode(app: TestApp, clientId: string): Promise<Record<string, string>> {
  const request = authorizationRequest(app, clientId);
  const visitor = createVisitor(app.url);
  const page = await signIn(visitor, await visitor.open(request.url), await somebody(app));
  const code = codeOf(page);
  assert.ok(code, `no code at ${page.url}`);
  return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
}

for (const [name, start] of Object.entries(TOPOLOGIES)) {
  describe(`Redis as ${name}`, () => {
    let topology: TestTopology;
    before(async () => {
      topology = await start();
    });
    after(() => topology?.stop());

    test('a master that fails during code exchanges costs at most a new sign-in, and no code counts twice', async (t) => {
      const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: topology.url } });
      assert.equal(await redisPart(app), 'up');
      const client = await app.client();
      const who = await signedIn(app, { client });
      const keys = await Promise.all(topology.servers.map((server) => server.command('KEYS', 'latchkey:value:*')));
      assert.ok(keys.join().includes('AccessToken'), 'values are in Redis');

      const codes = await Promise.all(Array.from({ length: 9 }, () => pendingCode(app, client.client_id)));
      const won = new Map(codes.map((code) => [code, 0]));
      const redeem = async (code: Record<string, string>, times: number) => {
        const answers = await Promise.all(Array.from({ length: times }, () => token(app, client, code)));
        const successes = answers.filter(({ status }) => status === 200).length;
        won.set(code, (won.get(code) as number) + successes);
        assert.ok(
          [...new Set(answers.map(({ status }) => status))].every((status) => [200, 400, 503].includes(status)),
        );
      };
      const racing = codes.slice(0, 3).map((code) => redeem(code, 30));
      await topology.servers[0]?.kill();
      await Promise.all(racing);
      for (const code of codes.slice(0, 6)) await redeem(code, 3);

      // Meanwhile people work.
      const refresh = { grant_type: 'refresh_token', refresh_token: who.tokens.refresh_token as string };
      for (let n = 0; n < 5; n += 1) assert.equal((await token(app, client, refresh)).status, 200);
      await sleep(1000);
      const started = performance.now();
      assert.equal((await token(app, client, refresh)).status, 200);
      assert.ok(performance.now() - started < 1000);

      // Sentinels that were held up for two seconds do nothing for the next thirty (their TILT mode).
      await untilUp(app, 60_000);
      for (const code of codes) await redeem(code, 3);
      for (const code of codes) await redeem(code, 3);
      for (const count of won.values()) assert.ok(count <= 1, `a code was redeemed ${count} times`);
      await signedIn(app, { client });
      await topology.servers[0]?.restart();
      await signedIn(app, { client });
    });
  });
}

test('a part of a Cluster that nobody takes over is "not now" for half a minute, and then counts as lost', async (t) => {
  const topology = await startCluster();
  t.after(() => topology.stop());
  const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: topology.url } });
  const client = await app.client();
  const people = await Promise.all(Array.from({ length: 6 }, () => signedIn(app, { client })));
  const userinfo = async ({ tokens }: (typeof people)[number]) => {
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    return (await fetch(`${app.url}/oauth2/userinfo`, { headers })).status;
  };
  const answers = async () => [...new Set(await Promise.all(people.map(userinfo)))];
  assert.deepEqual(await answers(), [200]);
  await Promise.all([topology.servers[0]?.kill(), topology.servers[3]?.kill()]);
  const lostAt = performance.now();
  // It notices that it is not whole, and answers nobody any more.
  while (!(await answers()).every((status) => status === 503)) await sleep(100);
  await sleep(20_000 - (performance.now() - lostAt));
  assert.deepEqual(await answers(), [503]);
  while (!(await answers()).every((status) => status === 401)) {
    assert.ok(performance.now() - lostAt < 35_000, 'applications are not told to refresh');
    await sleep(250);
  }
  assert.equal(await redisPart(app), 'degraded');
  assert.equal(await userinfo(await signedIn(app, { client })), 200);
});

test('the address has a form for each', () => {
  const nodes = [
    { host: 'h1', port: 26_379 },
    { host: '::1', port: 7000 },
  ];
  const none = {
    username: undefined,
    password: undefined,
    sentinelPassword: undefined,
    master: undefined,
    ca: undefined,
  };
  assert.deepEqual(redisAddress('rediss+sentinel://me:a%40b@h1,[::1]:7000/group/3?sentinel_password=x'), {
    kind: 'sentinel',
    tls: true,
    nodes,
    master: 'group',
    database: 3,
    username: 'me',
    password: 'a@b',
    sentinelPassword: 'x',
    ca: undefined,
  });
  const cluster = { ...none, kind: 'cluster', tls: false, database: 0 };
  assert.deepEqual(redisAddress('redis+cluster://h1:26379,[::1]:7000'), { ...cluster, nodes });
  const authority = redisAddress('rediss+cluster://h1:26379,[::1]:7000?ca=/etc/latchkey/redis%20ca.pem');
  assert.deepEqual(authority, { ...cluster, tls: true, nodes, ca: '/etc/latchkey/redis ca.pem' });
  const single = { ...none, kind: 'single', tls: true, database: 0, password: 'p' };
  assert.deepEqual(redisAddress('rediss://:p@h1:26379'), { ...single, nodes: nodes.slice(0, 1) });
});

test('what is no address is refused without being repeated', () => {
  const wrong: Record<string, RegExp> = {
    'redis.internal:6379': /not an address/,
    'http://hidden-word': /begins with http/,
    'redis://hidden-word,other': /several servers/,
    'redis://u:hidden-word@h:99999': /not HOST:PORT/,
    'redis://hidden-word/name': /number of a database/,
    'redis+sentinel://hidden-word:26379': /no group/,
    'redis+cluster://hidden-word/2': /only number 0/,
    'redis://hidden-word?tls=off': /means nothing/,
    'redis://hidden-word?ca=file': /means nothing/,
    'rediss://hidden-word?ca=': /means nothing/,
    'redis://u:%zz@hidden-word': /percent-encoding/,
  };
  for (const [value, words] of Object.entries(wrong)) {
    assert.throws(
      () => redisAddress(value),
      (error: Error) => words.test(error.message) && !/hidden-word/.test(error.message),
    );
  }
});
