/** Databases of earlier versions, opened by this one: each folder of fixtures/, and one that is frozen just now. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { connect, type DatabaseTarget } from '../src/db/connect.ts';
import { migrate } from '../src/db/migrate.ts';
import { migrationsDir } from '../src/places.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest, codeOf, signIn, token } from './support/flow.ts';
import { type Facts, FIXTURES, freeze, type Held } from './support/freeze.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { schemaOf } from './support/schema.ts';
import { createVisitor } from './support/visitor.ts';

const HOUR_MS = 3_600_000;
const released = readdirSync(FIXTURES)
  .filter((name) => /^v\d/.test(name))
  .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
const newest = released.at(-1) as string;

describe('an earlier database', () => {
  let server: TestPostgres;
  const today = mkdtempSync(join(tmpdir(), 'latchkey-frozen-'));
  before(async () => {
    server = await startPostgres();
    await freeze(today);
  });
  after(async () => {
    await server.stop();
    rmSync(today, { recursive: true, force: true });
  });

  for (const version of [...released, 'today']) {
    const folder = version === 'today' ? today : join(FIXTURES, version);
    const facts = () => JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8')) as Facts;

    test(`${version}, SQLite: upgrades, and its people go on with their tokens and passwords`, async (t) => {
      const dataDir = folderOf(t, folder);
      writeFileSync(join(dataDir, 'latchkey.db'), gunzipSync(readFileSync(join(folder, 'latchkey.db.gz'))));
      t.mock.timers.enable({ apis: ['Date'], now: facts().at + HOUR_MS });
      await goesOn(t, dataDir, {}, facts().sqlite);
      const fresh = { file: join(dataDir, 'fresh.db') };
      await migrate(fresh, migrationsDir);
      assert.deepEqual(await schemaAt({ file: join(dataDir, 'latchkey.db') }), await schemaAt(fresh));
    });

    test(`${version}, PostgreSQL: upgrades, and its people go on with their tokens and passwords`, async (t) => {
      const dataDir = folderOf(t, folder);
      const [url, fresh] = [await server.database(), await server.database()];
      await restore(t, url, facts().postgres.migrations, join(folder, 'postgres.json'));
      t.mock.timers.enable({ apis: ['Date'], now: facts().at + HOUR_MS });
      await goesOn(t, dataDir, { LATCHKEY_DATABASE_URL: url }, facts().postgres);
      await migrate({ url: fresh, file: '' }, migrationsDir);
      assert.deepEqual(await schemaAt({ url, file: '' }), await schemaAt({ url: fresh, file: '' }));
    });
  }
});

test('what the release before uses is still there, and it can write without knowing what is new', async (t) => {
  const folder = join(FIXTURES, newest);
  const then = { file: join(folderOf(t, folder), 'latchkey.db') };
  writeFileSync(then.file, gunzipSync(readFileSync(join(folder, 'latchkey.db.gz'))));
  const before = await tablesOf(then);
  await migrate(then, migrationsDir);
  const now = await tablesOf(then);
  assert.ok(before.size > 10);
  for (const [table, { columns, unique }] of before) {
    const today = now.get(table);
    assert.ok(today, `${table} is gone: expand first, contract one release later`);
    for (const [column, type] of columns) {
      assert.equal(
        today.columns.get(column)?.type,
        type.type,
        `${table}.${column} is gone, renamed or of another type`,
      );
      assert.ok(!today.columns.get(column)?.required || type.required, `${table}.${column} has become required`);
    }
    for (const [column, { required }] of today.columns) {
      assert.ok(columns.has(column) || !required, `${table}.${column} is new and has to be given`);
    }
    const stricter = today.unique.filter((each) => !unique.includes(each));
    assert.deepEqual(stricter, [], `${table} refuses what the release before may write`);
  }
});

/** Of each table its columns and what must be unique in it. */
async function tablesOf(target: DatabaseTarget) {
  const db = await connect(target);
  try {
    const tables = await db.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'");
    const described = tables.map(async ({ name }) => {
      const columns = await db.all<{ name: string; type: string; notnull: number; dflt_value: string | null }>(
        'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)',
        name,
      );
      const indexes = await db.all<{ name: string }>('SELECT name FROM pragma_index_list(?) WHERE "unique" = 1', name);
      const facts = columns.map((column) => [
        column.name,
        { type: column.type, required: column.notnull === 1 && column.dflt_value === null },
      ]);
      const unique = indexes.map((index) => index.name).filter((index) => !index.startsWith('sqlite_'));
      return [name, { columns: new Map(facts as [string, { type: string; required: boolean }][]), unique }] as const;
    });
    return new Map(await Promise.all(described));
  } finally {
    await db.close();
  }
}

/** Starts this version on the data, and does what its person would do the next day. */
async function goesOn(t: TestContext, dataDir: string, env: Record<string, string>, held: Held): Promise<void> {
  const app = await startApp(t, { dataDir, env });
  for (const { refresh_token: old, access_token: _spent, ...client } of held.apps) {
    const { status, body } = await token(app, client, { grant_type: 'refresh_token', refresh_token: old });
    assert.equal(status, 200, JSON.stringify(body));
    const answer = await fetch(`${app.url}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${body.access_token}` },
    });
    const claims = (await answer.json()) as Record<string, unknown>;
    assert.deepEqual([claims['sub'], claims['email']], [held.person.id, held.person.email]);
    const visitor = createVisitor(app.url);
    const page = await visitor.open(authorizationRequest(app, client.client_id).url);
    assert.ok(codeOf(await signIn(visitor, page, held.person)));
  }
  await app.stop();
}

function folderOf(t: TestContext, folder: string): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-upgrade-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  copyFileSync(join(folder, 'secrets.json'), join(dataDir, 'secrets.json'));
  return dataDir;
}

/** The schema as it was then, by the migrations that were applied then, and its rows. */
async function restore(t: TestContext, url: string, migrations: string[], file: string): Promise<void> {
  const then = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
  t.after(() => rmSync(then, { recursive: true, force: true }));
  for (const name of migrations) {
    const original = pathToFileURL(join(migrationsDir, `${name}.ts`)).href;
    writeFileSync(join(then, `${name}.ts`), `export * from ${JSON.stringify(original)};\n`);
  }
  await migrate({ url, file: '' }, then);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    const tables = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>[]>;
    for (const [table, rows] of Object.entries(tables)) {
      await client.query(`TRUNCATE ${table} CASCADE`);
      await client.query(`INSERT INTO ${table} SELECT * FROM json_populate_recordset(null::${table}, $1)`, [
        JSON.stringify(rows),
      ]);
    }
  } finally {
    await client.end();
  }
}

async function schemaAt(target: DatabaseTarget): Promise<string[]> {
  const db = await connect(target);
  try {
    return await schemaOf(db);
  } finally {
    await db.close();
  }
}
