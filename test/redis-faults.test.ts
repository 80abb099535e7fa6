/** What happens to Redis in the middle of sign-ins, exchanges, refreshes and revocations: the real thing, each time. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import {
  authorizationRequest,
  CALLBACK,
  codeOf,
  type SignedIn,
  signedIn,
  signIn,
  somebody,
  token,
} from './support/flow.ts';
import { startRedis, type TestRedis } from './support/redis.ts';
import { createVisitor, formsOf } from './support/visitor.ts';

interface Fault {
  name: string;
  impose(redis: TestRedis): Promise<unknown> | unknown;
  heal(redis: TestRedis): Promise<unknown> | unknown;
  /** What was in Redis before can be read meanwhile. */
  readable: boolean;
  /** Redis comes back with what it had. */
  remembers: boolean;
}

const FAULTS: Fault[] = [
  {
    name: 'killed, and restarted empty',
    impose: (redis) => redis.kill(),
    heal: (redis) => redis.restart(),
    readable: false,
    remembers: false,
  },
  {
    name: 'frozen',
    impose: (redis) => redis.freeze(),
    heal: (redis) => redis.thaw(),
    readable: false,
    remembers: true,
  },
  {
    name: 'read-only',
    // Its master never answers; what it had it still serves.
    impose: (redis) => redis.command('REPLICAOF', '127.0.0.1', '1'),
    heal: (redis) => redis.command('REPLICAOF', 'NO', 'ONE'),
    readable: true,
    remembers: true,
  },
  {
    name: 'out of memory',
    impose: (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    heal: (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    readable: true,
    remembers: true,
  },
];

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Stage {
  app: TestApp;
  redis: TestRedis;
  client: SignedIn['client'];
}

async function stage(t: TestContext): Promise<Stage> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: redis.url } });
  assert.equal(await redisPart(app), 'up');
  return { app, redis, client: await app.client() };
}

async function redisPart(app: TestApp): Promise<string> {
  const response = await fetch(`${app.url}/readyz`);
  assert.equal(response.status, 200, 'a missing Redis never makes an instance unready');
  return ((await response.json()) as { parts: { redis: string } }).parts.redis;
}

/** Resolves with how many milliseconds it took. */
async function until(app: TestApp, state: string, limitMs: number): Promise<number> {
  const started = performance.now();
  while ((await redisPart(app)) !== state) {
    assert.ok(performance.now() - started < limitMs, `Redis is not ${state} after ${limitMs} ms`);
    await sleep(25);
  }
  return performance.now() - started;
}

/** Killed and started with its last snapshot, and connected to again. */
async function restarted(app: TestApp, redis: TestRedis): Promise<void> {
  await redis.restart();
  // The loss itself is noticed with the next heartbeat.
  await sleep(300);
  await until(app, 'up', 5000);
}

/** A code that nobody has redeemed yet, as the form of its redemption. */
async function pendingCode({ app, client }: Stage): Promise<Record<string, string>> {
  const request = authorizationRequest(app, client.client_id);
  const visitor = createVisitor(app.url);
  const page = await signIn(visitor, await visitor.open(request.url), await somebody(app));
  const code = codeOf(page);
  assert.ok(code, `no code at ${page.url}`);
  return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
}

const userinfo = (app: TestApp, accessToken: string) =>
  fetch(`${app.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } }).then(
    async (response) => {
      await response.body?.cancel();
      return response.status;
    },
  );

const revoke = (app: TestApp, client: SignedIn['client'], value: string) =>
  fetch(`${app.url}/oauth2/revoke`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
    body: new URLSearchParams({ token: value }),
  }).then(({ status }) => status);

async function introspect(app: TestApp, client: SignedIn['client'], value: string): Promise<boolean> {
  const response = await fetch(`${app.url}/oauth2/introspect`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` },
    body: new URLSearchParams({ token: value }),
  });
  return ((await response.json()) as { active: boolean }).active;
}

const codesWon = (answers: Array<{ status: number }>) => answers.filter(({ status }) => status === 200).length;

for (const fault of FAULTS) {
  describe(`Redis ${fault.name}`, () => {
    test('sign-in and refresh go on, fast again within two seconds; back within five of its return', async (t) => {
      const { app, redis, client } = await stage(t);
      const who = await signedIn(app, { client });
      const refresh = () =>
        token(app, client, { grant_type: 'refresh_token', refresh_token: who.tokens.refresh_token as string });
      const began = performance.now();
      await fault.impose(redis);
      const slow: number[] = [];
      for (let since = 0; since < 3000; since = performance.now() - began) {
        const started = performance.now();
        assert.equal((await refresh()).status, 200, `a refresh failed after ${Math.round(since)} ms`);
        const took = performance.now() - started;
        assert.ok(took < 1000, `a refresh took ${Math.round(took)} ms`);
        if (since > 2000 && took > 150) slow.push(took);
        if (since > 1000) await signedIn(app, { client });
      }
      assert.ok(slow.length <= 1, `slow after two seconds: ${slow.map(Math.round)}`);
      assert.equal(await redisPart(app), 'degraded');
      await fault.heal(redis);
      await until(app, 'up', 5000);
      await signedIn(app, { client });
    });

    test('it is noticed within a second, and nothing but short-lived values is asked for again', async (t) => {
      const scene = await stage(t);
      const { app, redis, client } = scene;
      const who = await signedIn(app, { client });
      const code = await pendingCode(scene);
      await fault.impose(redis);
      await until(app, 'degraded', 1300);
      // For a second the answer is "not now", then what can't be read counts as forgotten.
      if (!fault.readable) assert.ok([401, 503].includes(await userinfo(app, who.tokens.access_token)));
      await sleep(1100);
      assert.equal(await userinfo(app, who.tokens.access_token), fault.readable ? 200 : 401);
      assert.equal((await token(app, client, code)).status, fault.readable ? 200 : 400);
      const fresh = await token(app, client, {
        grant_type: 'refresh_token',
        refresh_token: who.tokens.refresh_token as string,
      });
      assert.equal(await userinfo(app, fresh.body.access_token), 200);
      await fault.heal(redis);
      await until(app, 'up', 5000);
      assert.equal(await userinfo(app, fresh.body.access_token), 200, 'a value written meanwhile is found after');
    });

    test('100 parallel redemptions across the switch: never two, and none again afterwards', async (t) => {
      const scene = await stage(t);
      const { app, redis, client } = scene;
      for (const delay of [0, 15, 60]) {
        const code = await pendingCode(scene);
        const racing = Array.from({ length: 100 }, () => token(app, client, code));
        await sleep(delay);
        await fault.impose(redis);
        const during = codesWon(await Promise.all(racing));
        assert.ok(during <= 1, `${during} redemptions of one code succeeded`);
        if (fault.readable) assert.equal(during, 1);
        await fault.heal(redis);
        await until(app, 'up', 5000);
        const again = codesWon(await Promise.all(Array.from({ length: 10 }, () => token(app, client, code))));
        assert.ok(during + again <= 1, `${during} during and ${again} after the fault`);
        if (fault.remembers) assert.equal(during + again, 1, 'a code that was never redeemed is still good');
      }
    });

    test('a code of the time without Redis is redeemed once, then or after its return', async (t) => {
      const scene = await stage(t);
      const { app, redis, client } = scene;
      await fault.impose(redis);
      await until(app, 'degraded', 1300);
      const [then, later] = [await pendingCode(scene), await pendingCode(scene)];
      assert.equal(codesWon(await Promise.all(Array.from({ length: 30 }, () => token(app, client, then)))), 1);
      await fault.heal(redis);
      await until(app, 'up', 5000);
      assert.equal((await token(app, client, then)).body.error, 'invalid_grant');
      assert.equal(codesWon(await Promise.all(Array.from({ length: 30 }, () => token(app, client, later)))), 1);
    });

    test('what is revoked while it is away stays revoked when it returns', async (t) => {
      const { app, redis, client } = await stage(t);
      const machine = await app.client({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [] });
      const [one, two, three] = [
        await signedIn(app, { client }),
        await signedIn(app, { client }),
        (await token(app, machine, { grant_type: 'client_credentials' })).body.access_token,
      ];
      assert.equal(await introspect(app, machine, three), true);
      await fault.impose(redis);
      await until(app, 'degraded', 1300);
      if (!fault.readable) await sleep(1100);
      assert.equal(await revoke(app, client, one.tokens.access_token), 200);
      assert.equal(await revoke(app, machine, three), 200);
      await app.services.sessions.revokeAll(two.person.id);
      await fault.heal(redis);
      await until(app, 'up', 5000);
      assert.equal(await userinfo(app, one.tokens.access_token), 401);
      assert.equal(await introspect(app, machine, three), false);
      assert.equal(await userinfo(app, two.tokens.access_token), 401);
    });
  });
}

describe('Redis that forgets or goes back in time', () => {
  test('an older snapshot brings nothing back that was redeemed, revoked or ended after it', async (t) => {
    const scene = await stage(t);
    const { app, redis, client } = scene;
    const machine = await app.client({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [] });
    const revoked = (await token(app, machine, { grant_type: 'client_credentials' })).body.access_token;
    const kept = (await token(app, machine, { grant_type: 'client_credentials' })).body.access_token;
    const ended = await signedIn(app, { client });
    const code = await pendingCode(scene);
    const unused = await pendingCode(scene);
    assert.match(await redis.command('SAVE'), /OK/);

    const won = await token(app, client, code);
    assert.equal(won.status, 200);
    assert.equal(await revoke(app, machine, revoked), 200);
    await app.services.sessions.revokeAll(ended.person.id);
    await restarted(app, redis);

    assert.equal(await introspect(app, machine, kept), true, 'the snapshot was loaded');
    assert.equal(await introspect(app, machine, revoked), false);
    assert.equal(await userinfo(app, ended.tokens.access_token), 401);
    assert.equal((await token(app, client, code)).body.error, 'invalid_grant');
    assert.equal((await token(app, client, unused)).status, 200);
  });

  test('a spent sign-in that a snapshot brings back signs nobody in', async (t) => {
    const { app, redis, client } = await stage(t);
    const person = await somebody(app);
    const visitor = createVisitor(app.url);
    const login = await visitor.open(authorizationRequest(app, client.client_id).url);
    const form = formsOf(login).find(({ action }) => /^\/login\/[^/]+$/.test(action));
    assert.ok(form);
    const body = new URLSearchParams({ ...form.fields, email: person.email, password: person.password });
    const proven = await visitor.request(form.action, { method: 'POST', body });
    const resume = proven.headers.get('location') as string;
    // The password was right, and the browser is on its way back to the protocol.
    assert.match(await redis.command('SAVE'), /OK/);
    const cookies = new Map(visitor.cookies);
    assert.ok(codeOf(await visitor.open(resume)));

    await app.services.sessions.revokeAll(person.id);
    await restarted(app, redis);
    visitor.cookies.clear();
    for (const [name, cookie] of cookies) visitor.cookies.set(name, cookie);
    const again = await visitor.open(resume);
    assert.equal(codeOf(again), null, `the sign-in was spent once more: ${again.url}`);
  });

  test('emptied while it runs: sign-ins start over, and nobody is signed out', async (t) => {
    const { app, redis, client } = await stage(t);
    const who = await signedIn(app, { client });
    assert.match(await redis.command('FLUSHALL'), /OK/);
    const refresh = { grant_type: 'refresh_token', refresh_token: who.tokens.refresh_token as string };
    assert.equal(await userinfo(app, who.tokens.access_token), 401);
    assert.equal(await userinfo(app, (await token(app, client, refresh)).body.access_token), 200);
    await signedIn(app, { client, person: who.person, visitor: who.visitor });
    assert.equal(await redisPart(app), 'up');
  });
});

test('a process that is busy for longer than Redis may take does not believe that Redis is away', async (t) => {
  const lines: string[] = [];
  const redis = await startRedis();
  t.after(() => redis.stop());
  const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: redis.url }, onLog: (line) => lines.push(line) });
  const { tokens } = await signedIn(app, { client: await app.client() });
  await redis.command('CLIENT', 'PAUSE', '150', 'ALL');
  const asked = Array.from({ length: 20 }, () => userinfo(app, tokens.access_token));
  // Every request waits for Redis by now; after an immediate, timers come before what the sockets have.
  await sleep(75);
  await new Promise((resolve) => setImmediate(resolve));
  const busy = performance.now() + 400;
  while (performance.now() < busy);
  assert.deepEqual([...new Set(await Promise.all(asked))], [200]);
  assert.equal(lines.filter((line) => line.includes('"redis":"degraded"')).length, 0);
});

describe('Redis at the start', () => {
  test('the service starts without it, says so, and takes it when it is there', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    await redis.kill();
    const lines: string[] = [];
    const started = performance.now();
    const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: redis.url }, onLog: (line) => lines.push(line) });
    assert.ok(performance.now() - started < 5000);
    assert.equal(await redisPart(app), 'degraded');
    assert.ok(lines.some((line) => line.includes('"redis":"degraded"') && line.includes('"level":40')));
    await signedIn(app);
    await redis.restart();
    await until(app, 'up', 5000);
    await signedIn(app);
  });

  test('one that may throw values away is reported, in the log and to probes', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const lines: string[] = [];
    const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: redis.url }, onLog: (line) => lines.push(line) });
    await until(app, 'degraded', 1000);
    assert.ok(lines.some((line) => line.includes('allkeys-lru') && line.includes('noeviction')));
    await signedIn(app);
    // Set right, and wrong again, by who stays connected: looked at every 5 s.
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await until(app, 'up', 7000);
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl');
    await until(app, 'degraded', 7000);
    assert.ok(lines.some((line) => line.includes('volatile-ttl')));
  });
});

test('a password that Redis refuses is told once in words, at the start and later, and nobody else notices', async (t) => {
  const redis = await startRedis({ settings: ['--requirepass', 'right'] });
  t.after(() => redis.stop());
  const heard: Array<{ level: number; msg: string; err?: { message: string } }> = [];
  const told = () => heard.filter(({ msg }) => msg.startsWith('Redis refuses the user or password'));
  const starting = (address: string) => {
    heard.length = 0;
    return startApp(t, { env: { LATCHKEY_REDIS_URL: address }, onLog: (line) => heard.push(JSON.parse(line)) });
  };
  for (const login of ['', ':wrong@', 'nobody:right@']) {
    const app = await starting(redis.url.replace('//', `//${login}`));
    await signedIn(app);
    await until(app, 'degraded', 1000);
    await sleep(600);
    assert.equal(told().length, 1, login);
    assert.match(String(told()[0]?.msg), /LATCHKEY_REDIS_URL \((WRONGPASS|NOAUTH) /);
    assert.equal(told()[0]?.level, 50);
    const degraded = heard.find(({ msg }) => msg.startsWith('Redis is degraded'));
    assert.match(String(degraded?.err?.message), /^There is no connection to Redis \((WRONGPASS|NOAUTH) /);
    await app.stop();
  }
});
