/** Migrations of a database that others use: they wait for them, make nobody else wait, and do not wait for ever. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { DatabaseFault } from '../src/db/connect.ts';
import { migrate } from '../src/db/migrate.ts';
import { migrationsDir } from '../src/places.ts';
import { startApp } from './support/app.ts';
import { signedIn } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

let postgres: TestPostgres;

/** In the middle of a change it stops its own process. */
const STANDING = `export const up = async (knex) => {
  await knex.schema.alterTable('accounts', (table) => { table.text('later'); });
  process.kill(process.pid, 'SIGSTOP');
  await knex.raw('SELECT 1');
};
export const down = () => {};`;
const ADDING = `export const up = (knex) => knex.schema.alterTable('accounts', (table) => { table.text('later'); });
export const down = () => {};`;

/** The migrations of a later version. */
function later(t: TestContext, last = ADDING): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(migrationsDir, folder, { recursive: true });
  writeFileSync(join(folder, '9999_later.ts'), last);
  return folder;
}

async function session(t: TestContext, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.after(() => client.end());
  return client;
}

describe('on PostgreSQL', () => {
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  test('a migration behind a long reader makes nobody wait for it, and is done when the reader has ended', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    const { person, client } = await signedIn(app);
    const reader = await session(t, url);
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM accounts');
    const migrating = migrate({ url, file: '' }, later(t));
    const slowest = await slowestOf(async () => void (await signedIn(app, { person, client })));
    assert.ok(slowest < 6000, `a sign-in took ${Math.round(slowest)} ms`);
    await reader.query('COMMIT');
    assert.deepEqual(await migrating, ['9999_later']);
    await signedIn(app, { person, client });
  });

  test('a reader that does not end is told of after a while, and nothing was changed', async (t) => {
    const url = await postgres.database();
    await migrate({ url, file: '' }, migrationsDir);
    const reader = await session(t, url);
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM accounts');
    const migrating = migrate({ url, file: '' }, later(t), { patienceMs: 1000 });
    await assert.rejects(
      migrating,
      (error) => error instanceof DatabaseFault && /in use .* Nothing was/.test(error.message),
    );
    await reader.query('COMMIT');
    assert.deepEqual(await migrate({ url, file: '' }, later(t)), ['9999_later']);
  });

  test('a migration that stands still in the middle lets go of what it locked after five seconds, undone', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    const { person, client } = await signedIn(app);
    const source = `import { migrate } from ${JSON.stringify(new URL('../src/db/migrate.ts', import.meta.url))};
      await migrate({ url: ${JSON.stringify(url)}, file: '' }, ${JSON.stringify(later(t, STANDING))});`;
    const migrating = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: 'inherit' });
    t.after(() => migrating.kill('SIGKILL'));
    const state = () => readFileSync(`/proc/${migrating.pid}/stat`, 'utf8').replace(/.*\) /s, '')[0];
    while (state() !== 'T') await sleep(20);
    const started = performance.now();
    await signedIn(app, { person, client });
    const ms = performance.now() - started;
    assert.ok(ms > 1000 && ms < 9000, `a sign-in took ${Math.round(ms)} ms`);
    migrating.kill('SIGKILL');
    await once(migrating, 'exit');
    assert.deepEqual(await migrate({ url, file: '' }, later(t)), ['9999_later']);
  });

  test('another process that migrates and does not end is told of after a while', async (t) => {
    const url = await postgres.database();
    const other = await session(t, url);
    await other.query('SELECT pg_advisory_lock(7235861)');
    const migrating = migrate({ url, file: '' }, migrationsDir, { patienceMs: 500 });
    await assert.rejects(
      migrating,
      (error) => error instanceof DatabaseFault && /^Another process/.test(error.message),
    );
    await other.query('SELECT pg_advisory_unlock(7235861)');
    await migrate({ url, file: '' }, migrationsDir);
  });
});

test('on SQLite, another process that migrates and does not end is told of after a while', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-migrations-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'latchkey.db');
  const other = new Sqlite(`${file}.migrating`);
  other.exec('BEGIN EXCLUSIVE');
  const migrating = migrate({ file }, migrationsDir, { patienceMs: 500 });
  await assert.rejects(migrating, (error) => error instanceof DatabaseFault && /^Another process/.test(error.message));
  other.close();
  await migrate({ file }, migrationsDir);
});

/** Of what is done again and again for six seconds. */
async function slowestOf(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + 6000;
  while (performance.now() < end) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
    await sleep(50);
  }
  return Math.max(...times);
}
