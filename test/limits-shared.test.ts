/** Limits that several processes share: by SQL, by Redis, and while Redis comes and goes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { storageUnavailable } from '../src/db/database.ts';
import { createPolls } from '../src/limits/poll-store.ts';
import { createSqlWindows } from '../src/limits/window-store.ts';
import {
  createLeasedWindows,
  createMemoryWindows,
  createPatientWindows,
  createSharedWindows,
  type Windows,
} from '../src/limits/windows.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest } from './support/flow.ts';
import { startRedis } from './support/redis.ts';
import { DATABASES } from './support/stores.ts';
import { createVisitor } from './support/visitor.ts';

/** The middle of nowhere: no window ends while a test runs. */
const NOON = Math.ceil(Date.now() / 3_600_000) * 3_600_000;
const MINUTE_MS = 60_000;

async function passed(windows: Windows[], requests: number, max: number, key = 'page:192.0.2.1'): Promise<number> {
  const hits = Array.from({ length: requests }, (_, n) => (windows[n % windows.length] as Windows).hit(key, MINUTE_MS));
  return (await Promise.all(hits)).filter((hit) => hit <= max).length;
}

for (const [engine, open] of Object.entries(DATABASES)) {
  test(`three processes on ${engine} share a limit with one write for ten requests, and never pass more`, async (t) => {
    const { db, close } = await open();
    t.after(close);
    t.mock.timers.enable({ apis: ['Date'], now: NOON });
    let writes = 0;
    const sql = createSqlWindows(db);
    const count: typeof sql.count = (...args) => {
      writes += 1;
      return sql.count(...args);
    };
    const processes = [10, 10, 10].map((size) => createLeasedWindows({ count, size }));
    const some = await passed(processes, 60, 120);
    assert.equal(some, 60);
    assert.equal(writes, 6);
    const all = some + (await passed(processes, 600, 120));
    assert.equal(all, 120);
    assert.equal(await passed(processes, 30, 120), 0);
    t.mock.timers.tick(MINUTE_MS + 30_000);
    assert.equal(await passed(processes, 300, 120), 0, 'what was refused counts, too: who goes on is refused on');
    t.mock.timers.tick(2 * MINUTE_MS);
    assert.ok((await passed(processes, 300, 120)) >= 100);
  });
}

for (const [engine, open] of Object.entries(DATABASES)) {
  test(`RFC 8628 3.5: on ${engine} a device that asks two processes in turn is told to slow down`, async (t) => {
    const { db, close } = await open();
    t.after(close);
    t.mock.timers.enable({ apis: ['Date'], now: NOON });
    const processes = [createPolls(db), createPolls(db)] as const;
    const rules = { pauseMs: 4000, longMs: 9000 };
    const poll = async (after: number, which: 0 | 1, key = 'a') => {
      t.mock.timers.tick(after);
      return processes[which].early(key, rules);
    };
    assert.equal(await poll(0, 0), false);
    assert.equal(await poll(5000, 1), false);
    assert.equal(await poll(5000, 0), false);
    assert.equal(await poll(3000, 1), true);
    assert.equal(await poll(6000, 0), true, 'ten seconds from now on');
    assert.equal(await poll(0, 1, 'b'), false, 'another device');
    assert.equal(await poll(10_000, 0), false);
    assert.equal(await poll(9500, 1), false);
    assert.equal(await poll(8000, 0), true);
    const together = await Promise.all([poll(20_000, 0), poll(0, 1)]);
    assert.deepEqual(together.sort(), [false, true], 'both at once: one of them');
  });
}

test('D7: whenever Redis dies, at most as many requests pass again as the limit allows, also when it comes back', async (t) => {
  const { db, close } = await (DATABASES['SQLite'] as () => ReturnType<(typeof DATABASES)[string]>)();
  t.after(close);
  t.mock.timers.enable({ apis: ['Date'], now: NOON });
  const max = 60;
  let there = true;
  let counts = new Map<string, number>();
  const counter = {
    async count(key: string) {
      if (!there) return undefined;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return { current: counts.get(key) as number, before: 0 };
    },
  };
  for (const dies of [0, 1, 30, 59, 60, 100]) {
    const key = `action:${dies}`;
    const windows = [createSharedWindows({ counter, behind: createSqlWindows(db) })];
    there = true;
    assert.equal(await passed(windows, dies, max, key), Math.min(dies, max));
    there = false;
    const again = await passed(windows, 150, max, key);
    there = true;
    counts = new Map();
    const back = await passed(windows, 150, max, key);
    assert.ok(again + back <= max, `${again} + ${back} after ${dies}`);
    assert.equal(again, max);
  }
});

test('D7: a real Redis that is killed in the middle of a crowd', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const max = 20;
  const env = { LATCHKEY_REDIS_URL: redis.url, LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: String(max) };
  // What does not answer is in the log, each time.
  const app = await startApp(t, { env, onLog: () => {} });
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  let n = 0;
  const attempt = async () => {
    const values = { email: `somebody${n++}@example.com`, password: 'wrong wrong wrong' };
    const { action, body } = visitor.fill(page, values, '^/login/[^/]+$');
    return (await visitor.request(action, { method: 'POST', headers, body })).status;
  };
  const crowd = async (n: number) =>
    (await Promise.all(Array.from({ length: n }, attempt))).filter((s) => s !== 429).length;

  assert.equal(await crowd(12), 12);
  assert.match(await redis.command('KEYS', 'latchkey:hits:*'), /action/);
  const dying = crowd(30);
  await redis.kill();
  const during = await dying;
  const after = await crowd(40);
  assert.ok(during + after <= max + max - 12, `${during} while it died and ${after} after it`);
  assert.ok(after <= max);
  assert.ok(during + after >= max - 12, 'nobody is refused for the sake of Redis');
  await redis.restart();
  assert.ok((await crowd(20)) <= 1, 'nor do they pass once more when it is back');
});

test('two processes on one Redis count together', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const env = { LATCHKEY_REDIS_URL: redis.url, LATCHKEY_LIMIT_PAGES_PER_MINUTE: '10' };
  const apps = [await startApp(t, { env }), await startApp(t, { env })];
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => fetch(`${apps[n % 2]?.url}/api/v1/account`).then(({ status }) => status)),
  );
  assert.equal(answers.filter((status) => status === 401).length, 10);
});

test('a store that took no count is not asked again for two seconds, and whoever is refused stays so', async () => {
  let asked = 0;
  let locked = true;
  const store: Windows = {
    async hit() {
      asked += 1;
      if (locked) throw storageUnavailable(new Error('database is locked'));
      return 1;
    },
  };
  const windows = createPatientWindows(store, createMemoryWindows());
  assert.equal(await passed([windows], 1, 20), 1);
  assert.equal(await passed([windows], 59, 20), 19, 'in memory');
  assert.equal(asked, 1);
  locked = false;
  await sleep(2100);
  await windows.hit('page:192.0.2.1', MINUTE_MS);
  assert.equal(asked, 2);
});

test('while another process locks SQLite, who asks about a token is answered, and limited', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_LIMIT_INTROSPECTIONS_PER_MINUTE: '20' } });
  const machine = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
  const { client_id: id, client_secret: secret } = await app.services.clients.create({
    source: 'cli',
    metadata: machine,
  });
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  const ask = async () => {
    const body = new URLSearchParams({ token: 'nobody-knows-it' });
    const answer = await fetch(`${app.url}/oauth2/introspect`, { method: 'POST', headers: { authorization }, body });
    return answer.status;
  };
  const holder = new Sqlite(join(app.dataDir, 'latchkey.db'));
  t.after(() => holder.close());
  holder.exec('BEGIN IMMEDIATE');
  const statuses = [await ask(), ...(await Promise.all(Array.from({ length: 29 }, ask)))];
  holder.exec('ROLLBACK');
  assert.equal(statuses.filter((status) => status === 200).length, 20, statuses.join());
  assert.equal(statuses.filter((status) => status === 429).length, 10);
});
