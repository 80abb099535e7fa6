/** What every backend of short-lived values promises, and the two databases' unit of work. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Artifacts } from '../../src/artifacts/artifacts.ts';
import { newIdentifier, storedIdentifier } from '../../src/artifacts/identifier.ts';
import { openRedisArtifacts } from '../../src/artifacts/open.ts';
import { createSqlArtifacts } from '../../src/artifacts/sql.ts';
import { redisAddress } from '../../src/config/redis-address.ts';
import { type Database, UniqueViolation } from '../../src/db/database.ts';
import { all, one, run } from '../../src/db/statement.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Backend, DATABASES } from '../support/stores.ts';

const soon = () => Date.now() + 60_000;

function artifactContract(name: string, open: () => Promise<{ artifacts: Artifacts; close(): Promise<void> }>): void {
  describe(`artifacts on ${name}`, () => {
    let artifacts: Artifacts;
    let close: () => Promise<void>;
    before(async () => {
      ({ artifacts, close } = await open());
    });
    after(() => close());

    test('a value comes back as it was stored, as a fresh object each time', async () => {
      const id = newIdentifier();
      await artifacts.upsert('AuthorizationCode', id, { accountId: 'a', nested: { deep: true } }, soon(), {});
      const first = await artifacts.find('AuthorizationCode', id);
      assert.deepEqual(first, { payload: { accountId: 'a', nested: { deep: true } } });
      (first as { payload: Record<string, unknown> }).payload['accountId'] = 'changed';
      assert.equal((await artifacts.find('AuthorizationCode', id))?.payload['accountId'], 'a');
    });

    test('a value of one kind is not found as another', async () => {
      const id = newIdentifier();
      await artifacts.upsert('AuthorizationCode', id, {}, soon(), {});
      assert.equal(await artifacts.find('AccessToken', id), undefined);
    });

    test('of 100 parallel consumers exactly one wins', async () => {
      const id = newIdentifier();
      await artifacts.upsert('AuthorizationCode', id, {}, soon(), {});
      const wins = await Promise.all(Array.from({ length: 100 }, () => artifacts.consume('AuthorizationCode', id)));
      assert.equal(wins.filter(Boolean).length, 1);
      assert.equal(typeof (await artifacts.find('AuthorizationCode', id))?.consumedAt, 'number');
    });

    test('a consumed value stays consumed when it is stored again', async () => {
      const id = newIdentifier();
      await artifacts.upsert('DeviceCode', id, { step: 1 }, soon(), {});
      assert.equal(await artifacts.consume('DeviceCode', id), true);
      await artifacts.upsert('DeviceCode', id, { step: 2 }, soon(), {});
      assert.equal(await artifacts.consume('DeviceCode', id), false);
    });

    test('what is not there can not be consumed', async () => {
      assert.equal(await artifacts.consume('AuthorizationCode', newIdentifier()), false);
    });

    test('of 100 parallel insertions of one replay id exactly one wins', async () => {
      const id = newIdentifier();
      const wins = await Promise.all(
        Array.from({ length: 100 }, () => artifacts.insert('ReplayDetection', id, {}, soon())),
      );
      assert.equal(wins.filter(Boolean).length, 1);
    });

    test('a sweep whose clock is an hour ahead opens nothing again', async (t) => {
      const [replay, code, ended] = [newIdentifier(), newIdentifier(), newIdentifier()];
      await artifacts.insert('ReplayDetection', replay, {}, soon());
      await artifacts.upsert('AuthorizationCode', code, { step: 1 }, soon(), {});
      assert.equal(await artifacts.consume('AuthorizationCode', code), true);
      await artifacts.upsert('AuthorizationCode', code, { step: 2 }, soon(), {});
      await artifacts.upsert('DeviceCode', ended, {}, soon(), {});
      await artifacts.destroy('DeviceCode', ended);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 });
      await artifacts.purge(1000);
      t.mock.timers.reset();
      assert.equal(await artifacts.insert('ReplayDetection', replay, {}, soon()), false);
      assert.equal(await artifacts.consume('AuthorizationCode', code), false);
      assert.equal(await artifacts.find('DeviceCode', ended), undefined);
    });

    test('revoking a grant removes all that hangs on it and nothing else', async () => {
      const [mine, other] = [newIdentifier(), newIdentifier()];
      const grant = newIdentifier();
      await artifacts.upsert('AccessToken', mine, { grantId: grant }, soon(), { grantId: grant });
      await artifacts.upsert('AccessToken', other, {}, soon(), { grantId: 'another' });
      await artifacts.revokeByGrantId(grant);
      assert.equal(await artifacts.find('AccessToken', mine), undefined);
      assert.notEqual(await artifacts.find('AccessToken', other), undefined);
    });

    test('what hangs on a grant is only found living while that grant is there', async () => {
      const [free, orphan] = [newIdentifier(), newIdentifier()];
      await artifacts.upsert('AccessToken', free, { step: 1 }, soon(), {});
      await artifacts.upsert('AccessToken', orphan, { grantId: 'nowhere' }, soon(), { grantId: 'nowhere' });
      assert.deepEqual(await artifacts.findLiving('AccessToken', free), { payload: { step: 1 } });
      assert.equal(await artifacts.findLiving('AccessToken', orphan), undefined);
      assert.notEqual(await artifacts.find('AccessToken', orphan), undefined);
    });

    test('a device code is found by its user code', async () => {
      const id = newIdentifier();
      await artifacts.upsert('DeviceCode', id, { id, userCode: 'WDJBMJHT' }, soon(), { userCode: 'WDJBMJHT' });
      assert.equal((await artifacts.findByUserCode('DeviceCode', 'WDJBMJHT'))?.payload['id'], id);
      assert.equal(await artifacts.findByUserCode('DeviceCode', 'OTHERONE'), undefined);
    });

    test('a destroyed value is gone', async () => {
      const id = newIdentifier();
      await artifacts.upsert('Interaction', id, {}, soon(), {});
      await artifacts.destroy('Interaction', id);
      assert.equal(await artifacts.find('Interaction', id), undefined);
    });
  });
}

for (const [name, open] of Object.entries(DATABASES)) {
  artifactContract(name, async () => {
    const backend = await open();
    return { artifacts: createSqlArtifacts(backend), close: backend.close };
  });
  databaseContract(name, open);
}

/** What Redis may be in while the contract holds all the same. */
const CONDITIONS: Record<string, (redis: TestRedis) => Promise<unknown>> = {
  'that answers': async () => {},
  'that is dead': (redis) => redis.kill(),
  'that is frozen': async (redis) => redis.freeze(),
  'that is read-only': (redis) => redis.command('REPLICAOF', '127.0.0.1', '1'),
  'that is full': (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
};

for (const [condition, impose] of Object.entries(CONDITIONS)) {
  for (const [database, open] of Object.entries(DATABASES)) {
    // PostgreSQL's own differences show without every fault of Redis.
    if (database === 'PostgreSQL' && !['that answers', 'that is dead'].includes(condition)) continue;
    artifactContract(`a Redis ${condition} before ${database}`, async () => {
      const redis = await startRedis();
      const backend = await open();
      const artifacts = await openRedisArtifacts({
        ...backend,
        target: redisAddress(redis.url),
        onFault: () => {},
        onEviction: () => {},
        onState: () => {},
      });
      await impose(redis);
      if (condition !== 'that answers') await until(() => artifacts.volatile?.state() === 'degraded');
      // For a second it may be back at once, and what is in SQL alone is no answer.
      if (/dead|frozen|read-only/.test(condition)) await new Promise((resolve) => setTimeout(resolve, 1050));
      return {
        artifacts,
        async close() {
          await artifacts.close();
          await backend.close();
          await redis.stop();
        },
      };
    });
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 5000) throw new Error('it did not happen within five seconds');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function databaseContract(name: string, open: () => Promise<Backend>): void {
  describe(`units of work on ${name}`, () => {
    let backend: Backend;
    let db: Database;
    before(async () => {
      backend = await open();
      db = backend.db;
      await db.run('CREATE TABLE counters (name text primary key, value bigint not null)');
    });
    after(() => backend.close());

    test('a unit that throws leaves nothing, and its neighbours of the same moment stay', async () => {
      const units = [1, 2, 3].map((n) =>
        db.write(function* () {
          yield* run('INSERT INTO counters (name, value) VALUES (?, ?)', `unit ${n}`, n);
          if (n === 2) throw new Error('no');
          return n;
        }),
      );
      const results = await Promise.allSettled(units);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      const rows = await db.all<{ name: string }>("SELECT name FROM counters WHERE name LIKE 'unit %' ORDER BY name");
      assert.deepEqual(
        rows.map((row) => row.name),
        ['unit 1', 'unit 3'],
      );
    });

    test('a second row with the same unique value is a UniqueViolation', async () => {
      await db.run('INSERT INTO counters (name, value) VALUES (?, ?)', 'once', 1);
      await assert.rejects(db.run('INSERT INTO counters (name, value) VALUES (?, ?)', 'once', 1), UniqueViolation);
    });

    test('an insertion that meets a row may be told to do nothing', async () => {
      const rows = await db.write(function* () {
        const inserted = yield* run(
          "INSERT INTO counters (name, value) VALUES ('once', 2) ON CONFLICT (name) DO NOTHING",
        );
        return { inserted, all: yield* all('SELECT name FROM counters WHERE name = ?', 'once') };
      });
      assert.equal(rows.inserted, 0);
      assert.equal(rows.all.length, 1);
    });

    test('100 parallel increments are all counted, and wide numbers come back as numbers', async () => {
      await db.run('INSERT INTO counters (name, value) VALUES (?, ?)', 'sum', 1_700_000_000_000);
      await Promise.all(
        Array.from({ length: 100 }, () =>
          db.write(function* () {
            return yield* one('UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value', 'sum');
          }),
        ),
      );
      assert.deepEqual(
        { ...(await db.one<{ value: number }>('SELECT value FROM counters WHERE name = ?', 'sum')) },
        { value: 1_700_000_000_100 },
      );
    });
  });
}

test('a stored identifier keeps its time in front and nothing that leads back', () => {
  const id = newIdentifier();
  const stored = storedIdentifier(id);
  assert.equal(stored.slice(0, 12), id.slice(0, 12));
  assert.ok(!stored.includes(id.slice(12)));
  assert.notEqual(storedIdentifier(`${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`), stored);
});
