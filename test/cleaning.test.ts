/** What the sweeps remove, and what they must not: no wrong clock, no failing neighbour and no age opens anything again. */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { loadSettings } from '../src/config/settings.ts';
import { startSweeping } from '../src/jobs/sweep.ts';
import { createAddressStore } from '../src/limits/address-store.ts';
import { createAttemptStore } from '../src/limits/attempt-store.ts';
import { ttlConfiguration } from '../src/oidc/lifetimes.ts';
import { startApp, type TestApp } from './support/app.ts';
import { signedIn, token } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { DATABASES } from './support/stores.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test('a sweep that fails keeps none behind it from its turn, and each failure is told', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const done: string[] = [];
  const broken = (name: string) => async () => {
    throw new Error(name);
  };
  const stop = startSweeping({
    sweeps: [async () => done.push('first') && 0, broken('one'), broken('two'), async () => done.push('last') && 0],
    onError: (error) => done.push((error as Error).message),
  });
  for (let round = 0; round < 2; round += 1) {
    t.mock.timers.tick(70_000);
    await turn();
  }
  await stop();
  assert.deepEqual(done, ['first', 'one', 'two', 'last', 'first', 'one', 'two', 'last']);
});

for (const [name, open] of Object.entries(DATABASES)) {
  test(`a sweep whose clock is an hour ahead forgets no failure and no blocked network, ${name}`, async (t) => {
    const { db, close } = await open();
    t.after(close);
    const [attempts, addresses] = [createAttemptStore(db), createAddressStore(db)];
    const count = { id: 'guess', subject: 'ada', few: 1, quietMs: 60_000, memoryMs: 60_000, most: 10 };
    await db.write(() => attempts.count(count));
    const now = Date.now();
    const rule = { network: '192.0.2.0/24', reason: 'abuse', created_at: now, expires_at: now + 60_000 };
    await db.write(() => addresses.put({ ...rule, verdict: 'block' }));

    t.mock.timers.enable({ apis: ['Date'], now: now + HOUR });
    assert.deepEqual([await attempts.purge(10), await addresses.purge(10)], [0, 0]);
    assert.deepEqual(await addresses.all(), [], 'it does not hold by that clock');
    t.mock.timers.setTime(now);
    assert.equal(await db.write(() => attempts.count(count)), 2);
    assert.equal((await addresses.all()).length, 1);
    t.mock.timers.setTime(now + 3 * HOUR);
    assert.deepEqual([await attempts.purge(10), await addresses.purge(10)], [1, 1]);
  });
}

const LARGEST = {
  LATCHKEY_SESSION_ABSOLUTE_TTL: '30d',
  LATCHKEY_SESSION_IDLE_TTL: '30d',
  LATCHKEY_REFRESH_TOKEN_ABSOLUTE_TTL: '365d',
  LATCHKEY_REFRESH_TOKEN_IDLE_TTL: '365d',
};
/** The tables of what a tombstone closes. */
const CLOSED = ['sessions', 'grants', 'refresh_tokens', 'refresh_replays', 'artifacts'];

type Row = Record<string, string | number | null>;

async function rowsOf(app: TestApp): Promise<Map<string, Row[]>> {
  const found = CLOSED.map(async (table) => [table, await app.services.db.all<Row>(`SELECT * FROM ${table}`)] as const);
  return new Map(await Promise.all(found));
}

/** As a request writes them that was under way when its session ended. */
async function writeAgain(app: TestApp, rows: Map<string, Row[]>): Promise<void> {
  for (const [table, all] of rows) {
    for (const row of all) {
      const names = Object.keys(row);
      const places = names.map(() => '?').join(', ');
      const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places}) ON CONFLICT DO NOTHING`;
      await app.services.db.run(sql, ...Object.values(row));
    }
  }
}

async function tombstonesLeave(t: TestContext, env: Record<string, string>): Promise<void> {
  const app = await startApp(t, { env: { ...LARGEST, ...env } });
  const { db, tombstones, sessions } = app.services;
  const who = await signedIn(app, { client: await app.client({ token_endpoint_auth_method: 'none' }) });
  const answer = await token(app, who.client, {
    grant_type: 'refresh_token',
    refresh_token: who.tokens.refresh_token as string,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const refresh = { grant_type: 'refresh_token', refresh_token: answer.body.refresh_token as string };
  const before = await rowsOf(app);
  for (const table of CLOSED) assert.ok(before.get(table)?.length, `${table} has something to close`);
  await sessions.revokeAll(who.person.id);
  await writeAgain(app, before);
  const stones = await db.all<{ id: string; expires_at: number }>('SELECT id, expires_at FROM tombstones');
  assert.deepEqual([...new Set(stones.map(({ id }) => id.replace(/:.*/, '')))].sort(), ['grant', 'session']);
  for (const [table, rows] of before) {
    for (const row of rows) {
      for (const stone of stones) {
        assert.ok(stone.expires_at > Number(row['expires_at']) + DAY, `${table}: a tombstone outlives it`);
      }
    }
  }
  assert.equal(await tombstones.purge(100), 0, 'not before its time');

  // Of an earlier version, with too short a life: what is there stays closed.
  await db.run('UPDATE tombstones SET expires_at = 0');
  for (const table of [undefined, ...CLOSED]) {
    if (table) await db.run(`DELETE FROM ${table}`);
    const removed = await tombstones.purge(100);
    if (!table) assert.equal(removed, 0);
    await assertAllClosed(app);
    assert.equal((await token(app, who.client, refresh)).status, 400);
  }
  assert.deepEqual(await db.all('SELECT id FROM tombstones'), []);
}

/** Nothing is there that a removed tombstone would have closed. */
async function assertAllClosed(app: TestApp): Promise<void> {
  const rows = await rowsOf(app);
  const stones = await app.services.db.all<{ id: string }>('SELECT id FROM tombstones');
  const closed = new Set(stones.map(({ id }) => id));
  const open = (kind: string, name: unknown) => typeof name === 'string' && !closed.has(`${kind}:${name}`);
  for (const { uid } of rows.get('sessions') ?? []) assert.ok(!open('session', uid));
  for (const grant of rows.get('grants') ?? []) assert.ok(!open('grant', grant['id']));
  for (const table of ['refresh_tokens', 'refresh_replays', 'artifacts']) {
    for (const row of rows.get(table) ?? []) assert.ok(!open('grant', row['grant_id']), table);
  }
}

describe('tombstones leave when nothing can be left that they close', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  test('SQLite', (t) => tombstonesLeave(t, {}));

  test('PostgreSQL', async (t) => {
    await tombstonesLeave(t, { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) });
  });

  test('with the largest settings a grant lives for 396 days', () => {
    const { settings } = loadSettings({ env: LARGEST, cwd: '/srv', readFile: () => '' });
    const { Grant } = ttlConfiguration(settings.ttl) as { Grant: number };
    assert.equal(Grant * 1000, 396 * DAY);
  });
});
