/** What leaves for PostgreSQL together: each read has its own answer or failure, writes are done all or none. */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Database } from '../src/db/database.ts';
import { openPostgres } from '../src/db/postgres.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

const INSERT = 'INSERT INTO things (name) VALUES (?)';
const NUMBER = 'SELECT CAST(? AS INTEGER) AS n, pg_backend_pid() AS pid';

describe('on PostgreSQL', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  async function opened(t: TestContext): Promise<Database> {
    const db = openPostgres(await postgres.database(), { observe: () => {} });
    t.after(() => db.close());
    await db.run('CREATE TABLE things (name text PRIMARY KEY)');
    return db;
  }
  const names = async (db: Database) =>
    (await db.all<{ name: string }>('SELECT name FROM things ORDER BY name')).map(({ name }) => name);
  const read = (db: Database, n: unknown) => db.one<{ n: number; pid: number }>(NUMBER, n as number);

  test('reads of one moment share a connection, and each has its own answer', async (t) => {
    const db = await opened(t);
    const answers = await Promise.all(Array.from({ length: 200 }, (_each, n) => read(db, n)));
    assert.deepEqual(
      answers.map((answer) => answer?.n),
      Array.from({ length: 200 }, (_each, n) => n),
    );
    assert.equal(new Set(answers.map((answer) => answer?.pid)).size, 1);
  });

  test('one that fails is no other’s failure', async (t) => {
    const db = await opened(t);
    const asked = [1, 'no number', 3].map((n) => read(db, n));
    const [first, second, third] = await Promise.allSettled(asked);
    assert.equal(first?.status === 'fulfilled' && first.value?.n, 1);
    assert.match(String(second?.status === 'rejected' && second.reason), /invalid input syntax/);
    assert.equal(third?.status === 'fulfilled' && third.value?.n, 3);
  });

  test('when the server ends their connection all of them hear of it, and the next ones are answered', async (t) => {
    const db = await opened(t);
    const asked = [db.one('SELECT pg_terminate_backend(pg_backend_pid())'), read(db, 1), read(db, 2)];
    for (const ended of await Promise.allSettled(asked)) {
      assert.equal(ended.status === 'rejected' && ended.reason.code, 'storage_unavailable');
    }
    assert.equal((await read(db, 3))?.n, 3);
  });

  test('writes are done all or none, also when they come for the first time on their connection', async (t) => {
    const db = await opened(t);
    const keep = (...all: string[]) =>
      db.request(async () => {
        for (const name of all) await db.later(INSERT, name);
      });
    await keep('one', 'two', 'three');
    await assert.rejects(keep('four', 'two'), /exists already/);
    assert.deepEqual(await names(db), ['one', 'three', 'two']);

    const swap = (from: string, to: string) =>
      db.request(async () => {
        await db.later('UPDATE things SET name = name WHERE name = ?', 'one');
        await db.claim(() => new Error('lost'), 'UPDATE things SET name = ? WHERE name = ?', to, from);
        await db.later(INSERT, `behind ${to}`);
      });
    await assert.rejects(swap('nothing', 'four'), { message: 'lost' });
    await assert.rejects(swap('two', 'three'), /exists already/);
    await swap('two', 'four');
    assert.deepEqual(await names(db), ['behind four', 'four', 'one', 'three']);
  });

  test('of parallel claims one wins, whatever leaves with each', async (t) => {
    const db = await opened(t);
    await db.run(INSERT, 'code');
    const claims = Array.from({ length: 100 }, (_each, n) =>
      db.request(async () => {
        await db.claim(() => new Error('lost'), 'DELETE FROM things WHERE name = ?', 'code');
        await db.later(INSERT, `token ${n}`);
      }),
    );
    const ended = await Promise.allSettled(claims);
    const won = ended.findIndex(({ status }) => status === 'fulfilled');
    const reasons = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason.message] : []));
    assert.deepEqual([reasons.length, ...new Set(reasons)], [99, 'lost']);
    assert.deepEqual(await names(db), [`token ${won}`]);
  });

  test('a statement tells of its commit once, and never without one', async (t) => {
    const db = await opened(t);
    const told: string[] = [];
    const keep = (...all: string[]) =>
      db.request(async () => {
        for (const name of all) await db.laterTelling(() => told.push(name), INSERT, name);
        assert.deepEqual(told, []);
      });
    await keep('one', 'two');
    assert.deepEqual(told, ['one', 'two']);
    told.length = 0;
    await assert.rejects(keep('three', 'two'), /exists already/);
    await keep('alone');
    assert.deepEqual(told, ['alone']);
  });
});
