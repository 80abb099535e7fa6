/** The writes of one request: kept, in order, found by what comes next, and all or nothing at the end. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Database } from '../src/db/database.ts';
import { openPostgres } from '../src/db/postgres.ts';
import { openSqlite } from '../src/db/sqlite.ts';
import { run } from '../src/db/statement.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

const INSERT = 'INSERT INTO things (name) VALUES (?)';

let postgres: TestPostgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

const engines: Record<string, (t: TestContext) => Promise<Database>> = {
  async SQLite(t) {
    const dir = mkdtempSync(join(tmpdir(), 'latchkey-unit-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return openSqlite(join(dir, 'unit.db'));
  },
  PostgreSQL: async () => openPostgres(await postgres.database()),
};

for (const [engine, open] of Object.entries(engines)) {
  describe(`requests on ${engine}`, () => {
    async function opened(t: TestContext): Promise<Database> {
      const db = await open(t);
      t.after(() => db.close());
      await db.run('CREATE TABLE things (name text PRIMARY KEY)');
      return db;
    }
    const names = async (db: Database) =>
      (await db.all<{ name: string }>('SELECT name FROM things ORDER BY name')).map(({ name }) => name);

    test('what is kept is committed when the request is answered, and not before', async (t) => {
      const db = await opened(t);
      await db.request(async () => {
        await db.later(INSERT, 'one');
        await db.later(INSERT, 'two');
        assert.deepEqual(await outside(() => names(db)), []);
      });
      assert.deepEqual(await names(db), ['one', 'two']);

      /** As another request sees it. */
      function outside<Result>(look: () => Promise<Result>): Promise<Result> {
        return db.request(look);
      }
    });

    test('a request finds what it wrote', async (t) => {
      const db = await opened(t);
      await db.request(async () => {
        await db.later(INSERT, 'one');
        assert.deepEqual(await names(db), ['one']);
      });
    });

    test('order is kept: what is removed after it was written stays removed', async (t) => {
      const db = await opened(t);
      await db.request(async () => {
        await db.later(INSERT, 'one');
        await db.run('DELETE FROM things WHERE name = ?', 'one');
        await db.later(INSERT, 'two');
        await db.write(function* () {
          yield* run('DELETE FROM things WHERE name = ?', 'two');
        });
      });
      assert.deepEqual(await names(db), []);
    });

    test('what is written behind a lost claim is not done', async (t) => {
      const db = await opened(t);
      await db.run(INSERT, 'code');
      for (const write of [
        () => db.run(INSERT, 'by run'),
        () => db.write(() => run(INSERT, 'by write')),
        // The claim is on its way already.
        () => Promise.all([names(db), db.run(INSERT, 'meanwhile')]),
      ]) {
        const request = db.request(async () => {
          await db.claim(() => new Error('lost'), 'DELETE FROM things WHERE name = ?', 'another');
          await assert.rejects(write, { message: 'lost' });
        });
        await assert.rejects(request, { message: 'lost' });
      }
      assert.deepEqual(await names(db), ['code']);
    });

    test('a row whose owner is gone is refused by a known error', async (t) => {
      const db = await opened(t);
      await db.run('CREATE TABLE parts (of_thing text REFERENCES things (name))');
      const refused = { name: 'OwnerGone', code: 'conflict', status: 409 };
      await assert.rejects(db.run('INSERT INTO parts (of_thing) VALUES (?)', 'gone'), refused);
      const request = db.request(() => db.later('INSERT INTO parts (of_thing) VALUES (?)', 'gone'));
      await assert.rejects(request, refused);
    });

    test('one statement that fails undoes all that was kept with it, and fails the request', async (t) => {
      const db = await opened(t);
      await db.run(INSERT, 'known');
      const request = db.request(async () => {
        await db.later(INSERT, 'one');
        await db.later(INSERT, 'known');
        return 'an answer';
      });
      await assert.rejects(request, /exists already/);
      assert.deepEqual(await names(db), ['known']);
    });

    test('what is written behind a kept statement that failed is not done; what was kept stays when what is behind it fails', async (t) => {
      const db = await opened(t);
      await db.run(INSERT, 'known');
      for (const write of [() => db.run(INSERT, 'by run'), () => db.write(() => run(INSERT, 'by write'))]) {
        const request = db.request(async () => {
          await db.later(INSERT, 'known');
          await assert.rejects(write, /exists already/);
        });
        await assert.rejects(request, /exists already/);
      }
      assert.deepEqual(await names(db), ['known']);
      for (const write of [() => db.run(INSERT, 'known'), () => db.write(() => run(INSERT, 'known'))]) {
        await db.request(async () => {
          await db.later('INSERT INTO things (name) VALUES (?) ON CONFLICT DO NOTHING', 'one');
          await assert.rejects(write, /exists already/);
        });
      }
      assert.deepEqual(await names(db), ['known', 'one']);
    });

    test('a failure that the work did not look at fails the request nevertheless', async (t) => {
      const db = await opened(t);
      await db.run(INSERT, 'known');
      const request = db.request(async () => {
        await db.later(INSERT, 'known');
        await names(db).catch(() => {});
        return 'an answer';
      });
      await assert.rejects(request, /exists already/);
    });

    test('nor what is kept while a lost claim is on its way', async (t) => {
      const db = await opened(t);
      const lost = new Error('lost');
      const request = db.request(async () => {
        await db.claim(() => lost, 'DELETE FROM things WHERE name = ?', 'nobody');
        const looked = names(db).catch(() => {});
        await db.later(INSERT, 'behind it');
        await Promise.all([looked, names(db).catch(() => {})]);
      });
      await assert.rejects(request, lost);
      assert.deepEqual(await names(db), []);
    });

    test('of two requests that claim the same row, the later one leaves nothing behind', async (t) => {
      const db = await opened(t);
      await db.run(INSERT, 'free');
      const lost = new Error('somebody else was first');
      const claims = (mark: string) =>
        db.request(async () => {
          await db.claim(() => lost, 'UPDATE things SET name = ? WHERE name = ?', `taken by ${mark}`, 'free');
          await db.later(INSERT, `found by ${mark}`);
          await db.laterUnit(function* () {
            yield* run(INSERT, `told by ${mark}`);
          });
          return 'an answer';
        });
      const ended = await Promise.allSettled([claims('one'), claims('two')]);
      const refused = ended.filter((each) => each.status === 'rejected');
      assert.deepEqual(
        refused.map(({ reason }) => reason),
        [lost],
      );
      const winner = ended[0]?.status === 'fulfilled' ? 'one' : 'two';
      assert.deepEqual(await names(db), [`found by ${winner}`, `taken by ${winner}`, `told by ${winner}`]);
      await assert.rejects(
        db.claim(() => lost, 'DELETE FROM things WHERE name = ?', 'free'),
        lost,
        'also outside of one',
      );
    });

    test('what is committed is read without waiting for what is kept', async (t) => {
      const db = await opened(t);
      await db.request(async () => {
        await db.later(INSERT, 'one');
        assert.deepEqual(await db.committed.all('SELECT name FROM things'), []);
        assert.deepEqual(await names(db), ['one']);
      });
    });

    test('outside of a request nothing is kept', async (t) => {
      const db = await opened(t);
      await db.later(INSERT, 'one');
      assert.deepEqual(await names(db), ['one']);
      await assert.rejects(db.later(INSERT, 'one'), /exists already/);
    });
  });
}
